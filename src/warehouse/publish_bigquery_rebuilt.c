/*
 * What dbt made anew: a `create or replace` keeps permissions, and of labels, expiration and
 * descriptions just what the project says. What production had besides and has no more is set
 * again, each by a script that looks first, for what dbt has set is the project's; permissions and
 * policy tags are compared.
 */
#include <string.h>

#include "publish_bigquery.h"

/* Sorted, as they stand in struct table's options; the first of them that is said begins these. */
static const char *const names[] = { "expiration_timestamp", "labels",
				     "partition_expiration_days" };

/* `name = value`, up to where the next one begins; NULL: it is not said. */
static char *option_of(const char *options, size_t i)
{
	char *begins CLEANUP(mem_free_string) = mem_printf("%s = ", names[i]);
	const char *at = options;
	const char *end = NULL;

	while ((at = strstr(at, begins)) && at > options && at[-1] != ' ')
		at++;
	if (!at)
		return NULL;
	for (size_t k = i + 1; k < ARRAY_LEN(names) && !end; k++) {
		char *next CLEANUP(mem_free_string) = mem_printf(", %s = ", names[k]);

		end = strstr(at, next);
	}
	return end ? mem_strndup(at, (size_t)(end - at)) : mem_strdup(at);
}

/* `option` is the name, and {value} or {comment} what it is set to. */
static int push_unless_set(const struct push *p, const struct publish_table *t, const char *option,
			   const char *value)
{
	const struct sql_arg args[] = {
		SQL_ARG_SCHEMA("dataset", t->to),
		SQL_ARG_LITERAL("identifier", t->to->identifier),
		SQL_ARG_LITERAL("option", option),
		SQL_ARG_STATEMENT("kind", t->is_view ? "view" : "table"),
		SQL_ARG_RELATION("to", t->to),
		SQL_ARG_CATALOG("value", value),
	};

	return dialect_push_text(
		p->statements, p->dialect,
		"if not exists (select 1 from {dataset:schema}.INFORMATION_SCHEMA.TABLE_OPTIONS as "
		"o "
		"where o.table_name = {identifier:literal} and o.option_name = {option:literal}) "
		"then alter {kind:statement} {to} set options ({value:catalog}); end if",
		args, ARRAY_LEN(args), p->err);
}

static int push_options(const struct push *p, const struct publish_table *t)
{
	const char *options = t->to_table->options;
	bool has_partitions = t->from_table && t->from_table->layout &&
			      strstr(t->from_table->layout, "PARTITION BY");

	for (size_t i = 0; options && i < ARRAY_LEN(names); i++) {
		char *option CLEANUP(mem_free_string) = option_of(options, i);

		if (!option ||
		    (strcmp(names[i], "partition_expiration_days") == 0 && !has_partitions))
			continue;
		if (push_unless_set(p, t, names[i], option) < 0)
			return -1;
	}
	return 0;
}

static int push_description(const struct push *p, const struct publish_table *t)
{
	const struct sql_arg arg = SQL_ARG_LITERAL("comment", t->to_table->comment);
	struct buf value CLEANUP(buf_release) = BUF_INIT;

	if (!t->to_table->comment)
		return 0;
	if (sql_render(&value, p->dialect, "description = {comment:literal}", &arg, 1, p->err) < 0)
		return -1;
	return push_unless_set(p, t, "description", buf_cstr(&value));
}

static int give_back(const struct push *p, const struct publish_table *t)
{
	if (push_options(p, t) < 0 || push_description(p, t) < 0 ||
	    bigquery_push_descriptions(p, t) < 0)
		return -1;
	return bigquery_push_grants(p, t);
}

static int compare(const struct push *p, const struct publish_table *t)
{
	return bigquery_push_tags_check(p, t, t->to) < 0 ? -1
							 : bigquery_push_privileges_check(p, t);
}

/* Each has what it had before the first that has not can stop it. */
int bigquery_give_back(const struct dialect *dialect, const struct publish_set *set,
		       struct strv *statements, struct err *err)
{
	static push_fn *const turns[] = { give_back, compare };
	const struct push p = { statements, dialect, set, NULL, err };

	for (size_t k = 0; k < ARRAY_LEN(turns); k++)
		for (size_t i = 0; i < set->n; i++)
			if (set->tables[i].to_table && turns[k](&p, &set->tables[i]) < 0)
				return -1;
	return 0;
}
