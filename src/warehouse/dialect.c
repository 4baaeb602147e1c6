#include "airlock/warehouse/dialect.h"

#include <stdlib.h>
#include <string.h>

#include "airlock/warehouse/dialect_rows.h"
#include "airlock/warehouse/marker.h"

static const struct dialect *const dialects[] = {
	&dialect_bigquery,
	&dialect_duckdb,
	&dialect_postgres,
	&dialect_snowflake,
};

const struct dialect *const *dialect_all(size_t *ret_n)
{
	*ret_n = ARRAY_LEN(dialects);
	return dialects;
}

const struct dialect *dialect_find(const char *adapter_type)
{
	for (size_t i = 0; i < ARRAY_LEN(dialects); i++)
		if (strcmp(dialects[i]->name, adapter_type) == 0)
			return dialects[i];
	return NULL;
}

static int render_block(struct buf *out, const struct dialect *dialect, const char *body,
			const struct sql_arg *args, size_t n, struct err *err)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;

	if (sql_render(&text, dialect, body, args, n, err) < 0)
		return -1;
	/* As a quoted literal and not between dollar quotes: no name can end it early, and a
	 * client that splits statements without knowing dollar quotes keeps it whole. */
	const struct sql_arg literal[] = { SQL_ARG_LITERAL("body", buf_cstr(&text)) };

	return sql_render(out, dialect, "do {body:literal}", literal, 1, err);
}

static const struct sql_arg *names_of(const struct sql_arg *args, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (args[i].kind == SQL_NAMES)
			return &args[i];
	return NULL;
}

static bool is_before(const struct sql_arg *names, size_t i, bool by_schema)
{
	const struct relation *v = names->relation;

	for (size_t k = 0; k < i; k++)
		if (strcmp(v[k].database, v[i].database) == 0 &&
		    (!by_schema || strcmp(v[k].schema, v[i].schema) == 0))
			return true;
	return false;
}

/* Once for each database, or schema, that is among the names. */
static int render_catalogs(struct buf *out, const struct dialect *dialect, const char *text,
			   const struct sql_arg *args, size_t n, struct err *err)
{
	const struct sql_arg *names = names_of(args, n);
	bool by_schema = strstr(text, "{dataset}");
	/* Statements follow each other, queries are one. */
	const char *between =
		strlen(text) > 2 && strcmp(text + strlen(text) - 2, "; ") == 0 ? "" : " union all ";
	struct sql_arg *all = mem_alloc((n + 4) * sizeof(*all));
	int result = 0;

	memcpy(all, args, n * sizeof(*all));
	for (size_t i = 0; names && i < names->n && result == 0; i++) {
		if (is_before(names, i, by_schema))
			continue;
		all[n] = (struct sql_arg)SQL_ARG_IDENT("catalog", names->relation[i].database);
		all[n + 1] = (struct sql_arg)SQL_ARG_SCHEMA("dataset", &names->relation[i]);
		all[n + 2] =
			(struct sql_arg)SQL_ARG_LITERAL("dataset_of", names->relation[i].database);
		all[n + 3] =
			(struct sql_arg)SQL_ARG_LITERAL("dataset_name", names->relation[i].schema);
		buf_add_str(out, i > 0 ? between : "");
		result = sql_render(out, dialect, text, all, n + 4, err);
	}
	free(all);
	return result;
}

/* What stands between {each} and {end} is rendered for each, the rest once. */
static int render_each(struct buf *out, const struct dialect *dialect, const char *text,
		       const struct sql_arg *args, size_t n, struct err *err)
{
	const char *each = strstr(text, "{each}");
	const char *end = each ? strstr(each, "{end}") : NULL;

	if (!end)
		return render_catalogs(out, dialect, text, args, n, err);
	char *first CLEANUP(mem_free_string) = mem_printf("%.*s", (int)(each - text), text);
	const char *body = each + strlen("{each}");
	char *repeated CLEANUP(mem_free_string) = mem_printf("%.*s", (int)(end - body), body);

	if (sql_render(out, dialect, first, args, n, err) < 0 ||
	    render_catalogs(out, dialect, repeated, args, n, err) < 0)
		return -1;
	return sql_render(out, dialect, end + strlen("{end}"), args, n, err);
}

static int render(struct buf *out, const struct dialect *dialect, const char *text,
		  const struct sql_arg *args, size_t n, struct err *err)
{
	if (strncmp(text, "do ", 3) == 0)
		return render_block(out, dialect, text + 3, args, n, err);
	if (dialect->catalog_per_database && names_of(args, n) &&
	    (strstr(text, "{catalog}") || strstr(text, "{dataset}")))
		return render_each(out, dialect, text, args, n, err);
	return sql_render(out, dialect, text, args, n, err);
}

int dialect_render(struct buf *out, const struct dialect *dialect, enum dialect_template which,
		   const struct sql_arg *args, size_t n, struct err *err)
{
	return render(out, dialect, dialect->templates[which], args, n, err);
}

int dialect_push_text(struct strv *statements, const struct dialect *dialect,
		      const char *template_text, const struct sql_arg *args, size_t n,
		      struct err *err)
{
	struct buf sql CLEANUP(buf_release) = BUF_INIT;

	if (render(&sql, dialect, template_text, args, n, err) < 0)
		return -1;
	strv_take(statements, buf_take(&sql));
	return 0;
}

int dialect_push(struct strv *statements, const struct dialect *dialect,
		 enum dialect_template which, const struct sql_arg *args, size_t n, struct err *err)
{
	return dialect_push_text(statements, dialect, dialect->templates[which], args, n, err);
}

const char *publish_way_name(enum publish_way way)
{
	switch (way) {
	case PUBLISH_NEW:
		return "new";
	case PUBLISH_REWRITE:
		return "rewrite";
	case PUBLISH_EXCHANGE:
		return "exchange";
	case PUBLISH_REPLACE:
		return "replace";
	case PUBLISH_VIEW:
		return "view";
	case PUBLISH_REMAKE:
		return "remake";
	case PUBLISH_KEEP:
		return "keep";
	case PUBLISH_REBUILD:
		return "rebuild";
	case PUBLISH_RETURN:
		return "return";
	case PUBLISH_REMOVE:
		return "remove";
	case PUBLISH_SWAP:
		return "swap";
	}
	return "";
}

bool publish_makes_again(const struct dialect *dialect, const struct publish_set *set,
			 const struct container_dependent *dependent)
{
	for (size_t i = 0; dependent->view.identifier && i < set->dependent_count; i++) {
		const struct relation *view = &set->dependents[i].view->relation;
		const struct relation one = { view->database, dependent->view.schema,
					      dependent->view.identifier };

		if (relation_equal(dialect, &one, view))
			return true;
	}
	return false;
}

bool publish_way_moves(enum publish_way way)
{
	switch (way) {
	case PUBLISH_EXCHANGE:
	case PUBLISH_REMAKE:
	case PUBLISH_RETURN:
	case PUBLISH_REMOVE:
		return true;
	case PUBLISH_NEW:
	case PUBLISH_REWRITE:
	case PUBLISH_REPLACE:
	case PUBLISH_VIEW:
	case PUBLISH_KEEP:
	case PUBLISH_SWAP:
	case PUBLISH_REBUILD:
		break;
	}
	return false;
}

int publish_refuse(const struct publish_table *table, const char *what, const char *hint,
		   struct err *err)
{
	char *display CLEANUP(mem_free_string) = relation_display(table->to);

	err_set(err, ERR_UNSUPPORTED, "'%s' cannot be published: %s", display, what);
	return err_hint(err, "%s", hint);
}

static int refuse(const struct publish_table *table, const char *what, struct err *err)
{
	return publish_refuse(table, what,
			      "remove it, or take the node out of the scope with --exclude", err);
}

char *publish_list(const char *const *words, size_t n)
{
	struct buf list = BUF_INIT;

	for (size_t i = 0; i < n; i++)
		buf_printf(&list, "%s%s", i ? ", " : "", words[i]);
	return buf_take(&list);
}

int publish_keep(const struct dialect *dialect, const struct publish_set *set,
		 struct strv *statements, struct err *err)
{
	for (size_t i = 0; i < set->n; i++) {
		const struct publish_table *t = &set->tables[i];
		char *marker CLEANUP(mem_free_string) = marker_restore(NULL, t->number, t->to);
		const struct sql_arg args[] = {
			SQL_ARG_RELATION("restore", &t->restore),
			SQL_ARG_RELATION("to", t->to),
			SQL_ARG_LITERAL("marker", marker),
		};

		if (!t->restore.identifier)
			continue;
		if (dialect_push_text(statements, dialect,
				      "create table {restore} as select * from {to}", args,
				      ARRAY_LEN(args), err) < 0 ||
		    dialect_push_text(statements, dialect,
				      "comment on table {restore} is {marker:literal}", args,
				      ARRAY_LEN(args), err) < 0)
			return -1;
	}
	return 0;
}

enum publish_way publish_choose_copy(const struct publish_table *table)
{
	if (!table->from_table)
		return PUBLISH_REMOVE;
	return table->to_table ? PUBLISH_REPLACE : PUBLISH_NEW;
}

int publish_check(const struct publish_table *table, struct err *err)
{
	const struct table *to = table->to_table;
	const struct table *from = table->from_table;

	const char *kind = table->view ? "view" : "table";

	if (from && table->decided && strcmp(from->kind, kind) != 0) {
		char *display CLEANUP(mem_free_string) =
			relation_display(table->from ? table->from : table->to);

		err_set(err, ERR_UNSUPPORTED,
			"'%s' is a %s in staging, and is to be published as a %s", display,
			from->kind, kind);
		return err_hint(err, "take the node out of the scope with --exclude");
	}
	if (!to)
		return 0;
	if (strcmp(to->kind, "table") != 0 && !table_is_view(to)) {
		char *what CLEANUP(mem_free_string) =
			mem_printf("it is a %s in production and a %s in staging", to->kind, kind);

		refuse(table, what, err);
		return err_hint(err, "drop the %s in production once, then deploy again", to->kind);
	}
	if (to->refuse_count > 0) {
		char *what CLEANUP(mem_free_string) = publish_list(to->refuses, to->refuse_count);

		return refuse(table, what, err);
	}
	if (to->owned || !table->runs)
		return 0;
	if (!to->owner)
		return refuse(table, "this session may only read its database", err);
	char *what CLEANUP(mem_free_string) = mem_printf(
		"it belongs to '%s', and this session may not act as its owner", to->owner);

	refuse(table, what, err);
	return err_hint(err, "grant the role '%s' to the user of this target", to->owner);
}
