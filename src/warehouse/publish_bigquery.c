/*
 * Publishing on BigQuery: table by table, since there is no transaction of DDL and no swap. What is
 * published is frozen first as clones of our own, every restore point is there before the first
 * change, and a table changes by `create or replace .. copy`: atomic for that table, and without a
 * link to its source, so no chain of clones grows. Expiration and labels stay production's and are
 * set by the statement that copies: what a dataset of staging gives by default would make
 * production vanish days later. Never dropped first.
 */
#include <string.h>

#include "airlock/warehouse/dialect_rows.h"
#include "airlock/warehouse/marker.h"

/* A restore point is dropped by the rule of `keep`; the service does it for one that is forgotten.
 */
enum { FORGOTTEN_AFTER_S = 30 * 24 * 3600 };

#define RAISE_UNLESS(CONDITION, BEGINS)                                                            \
	"select if(" CONDITION ", 1, error('" BEGINS " ' || {message:literal}))"

#define TABLE_IS                                                                                   \
	"(select count(*) from {dataset:schema}.__TABLES__ as t "                                  \
	"where t.table_id = {identifier:literal} and cast(t.creation_time as string) || '/' "      \
	"|| cast(t.last_modified_time as string) = {identity:literal}) = 1"

#define VIEW_IS                                                                                    \
	"(select count(*) from {dataset:schema}.INFORMATION_SCHEMA.VIEWS as v "                    \
	"where v.table_name = {identifier:literal} "                                               \
	"and to_hex(md5(v.view_definition)) = {identity:literal}) = 1"

#define NOTHING_IS                                                                                 \
	"(select count(*) from {dataset:schema}.INFORMATION_SCHEMA.TABLES as t "                   \
	"where t.table_name = {identifier:literal}) = 0"

#define COUNTS_THE_STAGE "(select count(*) from {stage}) = (select count(*) from {to})"

/* --- which way --- */

static int refuse(const struct publish_table *table, const char *why, struct err *err)
{
	char *display CLEANUP(mem_free_string) = relation_display(table->to);

	err_set(err, ERR_UNSUPPORTED, "'%s' cannot be published: %s", display, why);
	return err_hint(err, "drop it in production once, then deploy again");
}

static const char *layout_of(const struct table *table)
{
	return table->layout && *table->layout ? table->layout : "none";
}

static bool same_layout(const struct table *a, const struct table *b)
{
	return strcmp(layout_of(a), layout_of(b)) == 0;
}

static int check_layout(const struct publish_table *table, struct err *err)
{
	const struct table *from = table->from_table;
	const struct table *to = table->to_table;

	if (!table->decided || !from || !to || table->view || same_layout(from, to))
		return 0;
	char *why CLEANUP(mem_free_string) = mem_printf(
		"its partitioning or clustering is '%s' in production and '%s' in staging, and no "
		"statement replaces a table by one of another layout",
		layout_of(to), layout_of(from));

	return refuse(table, why, err);
}

static int check_kind(const struct publish_table *table, struct err *err)
{
	if (!table->to_table || table_is_view(table->to_table) == (table->view != NULL))
		return 0;
	return refuse(table,
		      table->view ? "it is a table in production, which no statement replaces by a "
				    "view"
				  : "it is a view in production, which no statement replaces by a "
				    "table",
		      err);
}

int bigquery_choose_way(const struct publish_table *table, enum publish_way *ret_way,
			const char **ret_reason, struct err *err)
{
	if (publish_check(table, err) < 0 || check_kind(table, err) < 0 ||
	    check_layout(table, err) < 0)
		return -1;
	if (!table->to_table) {
		*ret_way = PUBLISH_NEW;
		*ret_reason = table->view ? "production has no such view yet"
					  : "production has no such table yet";
	} else if (table->view) {
		*ret_way = PUBLISH_VIEW;
		*ret_reason = "the view gets its new text; authorized views are not checked";
	} else {
		*ret_way = PUBLISH_REPLACE;
		*ret_reason = "replaced by a copy of the tested table, with the expiration and the "
			      "labels that it had; permissions and row access policies are not "
			      "checked";
	}
	return 0;
}

/* --- statements --- */

struct push {
	struct strv *statements;
	const struct dialect *dialect;
	const struct publish_set *set;
	struct err *err;
};

static bool says(const struct table *table, const char *option)
{
	return table && table->options && strstr(table->options, option);
}

/* What production's table says, and what it does not say is set to nothing. */
static char *options_of(const struct publish_table *t)
{
	struct buf options = BUF_INIT;

	if (t->to_table && t->to_table->options)
		buf_add_str(&options, t->to_table->options);
	if (!says(t->to_table, "expiration_timestamp = "))
		buf_printf(&options, "%sexpiration_timestamp = null", options.len ? ", " : "");
	if (t->to_table && says(t->from_table, "partition_expiration_days = ") &&
	    !says(t->to_table, "partition_expiration_days = "))
		buf_add_str(&options, ", partition_expiration_days = null");
	return buf_take(&options);
}

static int push(const struct push *p, const struct publish_table *t, const char *text)
{
	char *marker CLEANUP(mem_free_string) = marker_restore(NULL, t->number, t->to);
	char *options CLEANUP(mem_free_string) = options_of(t);
	int64_t keep_for_s = p->set->keep_for_s;
	const struct sql_arg args[] = {
		SQL_ARG_RELATION("to", t->to),
		SQL_ARG_RELATION("from", t->from ? t->from : t->to),
		SQL_ARG_RELATION("stage", &t->stage),
		SQL_ARG_RELATION("restore", &t->restore),
		SQL_ARG_LITERAL("marker", marker),
		SQL_ARG_NUMBER("keep",
			       keep_for_s > FORGOTTEN_AFTER_S ? keep_for_s : FORGOTTEN_AFTER_S),
		SQL_ARG_QUERY("query", t->view ? t->view : ""),
		SQL_ARG_CATALOG("options", options),
	};

	return dialect_push_text(p->statements, p->dialect, text, args, ARRAY_LEN(args), p->err);
}

static char *identity_of(const struct table *table)
{
	if (table_is_view(table))
		return mem_strdup(table->object ? table->object : "");
	return mem_printf("%s/%s", table->object ? table->object : "",
			  table->version ? table->version : "");
}

static int push_check(const struct push *p, const struct publish_table *t,
		      const struct relation *relation, const struct table *table, const char *text,
		      const char *what)
{
	char *display CLEANUP(mem_free_string) = relation_display(relation);
	char *message CLEANUP(mem_free_string) = mem_printf("%s %s", display, what);
	char *undecided CLEANUP(mem_free_string) = mem_printf("identity of %s", display);
	char *identity CLEANUP(mem_free_string) =
		t->decided && table ? identity_of(table) : mem_strdup("");
	const struct sql_arg args[] = {
		SQL_ARG_SCHEMA("dataset", relation),
		SQL_ARG_LITERAL("identifier", relation->identifier),
		{ .name = "identity",
		  .kind = SQL_LITERAL,
		  .text = identity,
		  .undecided = t->decided ? NULL : undecided },
		SQL_ARG_LITERAL("message", message),
		SQL_ARG_RELATION("to", t->to),
		SQL_ARG_RELATION("stage", &t->stage),
	};

	return dialect_push_text(p->statements, p->dialect, text, args, ARRAY_LEN(args), p->err);
}

static bool has_rows(const struct publish_table *t)
{
	return t->stage.identifier != NULL;
}

/* Not to vanish before it is published, whatever staging says of itself. */
static int push_freeze(const struct push *p, const struct publish_table *t)
{
	if (!has_rows(t))
		return 0;
	return push(p, t,
		    "create table if not exists {stage} clone {from} "
		    "options (expiration_timestamp = null)");
}

static int push_check_from(const struct push *p, const struct publish_table *t)
{
	if (!t->from)
		return 0;
	return push_check(p, t, t->from, t->from_table,
			  t->view ? RAISE_UNLESS(VIEW_IS, DIALECT_RAISED_CONFLICT)
				  : RAISE_UNLESS(TABLE_IS, DIALECT_RAISED_CONFLICT),
			  t->is_exact ? "(the restore point) changed"
				      : "(staging) changed after its tests");
}

static int push_check_to(const struct push *p, const struct publish_table *t)
{
	static const char what[] = "(production) was changed by somebody else";

	if (!t->to_table)
		return push_check(p, t, t->to, NULL,
				  RAISE_UNLESS(NOTHING_IS, DIALECT_RAISED_CONFLICT), what);
	return push_check(p, t, t->to, t->to_table,
			  table_is_view(t->to_table)
				  ? RAISE_UNLESS(VIEW_IS, DIALECT_RAISED_CONFLICT)
				  : RAISE_UNLESS(TABLE_IS, DIALECT_RAISED_CONFLICT),
			  what);
}

static int push_restore(const struct push *p, const struct publish_table *t)
{
	if (!t->to_table || !t->restore.identifier || table_is_view(t->to_table))
		return 0;
	return push(p, t,
		    "create snapshot table if not exists {restore} clone {to} options ("
		    "expiration_timestamp = timestamp_add(current_timestamp(), "
		    "interval {keep:number} second), description = {marker:literal})");
}

static void push_guards(const struct push *p)
{
	if (p->set->guards)
		strv_push_all(p->statements, p->set->guards);
}

/* `grants:` of the node, as dbt gives them: a role, and whom it is given to. */
static int push_grants(const struct push *p, const struct publish_table *t)
{
	for (size_t i = 0; i < t->grant_count; i++) {
		const struct sql_arg args[] = {
			SQL_ARG_IDENT("role", t->grants[2 * i]),
			SQL_ARG_RELATION("to", t->to),
			SQL_ARG_LITERAL("whom", t->grants[2 * i + 1]),
		};

		if (strpbrk(t->grants[2 * i], p->dialect->never_in_names))
			return err_set(p->err, ERR_CONFIG_INVALID,
				       "'%s' is no role (grants of '%s')", t->grants[2 * i],
				       t->to->identifier);
		if (dialect_push_text(
			    p->statements, p->dialect,
			    t->view ? "grant {role:ident} on view {to} to {whom:literal}"
				    : "grant {role:ident} on table {to} to {whom:literal}",
			    args, ARRAY_LEN(args), p->err) < 0)
			return -1;
	}
	return 0;
}

static int push_removal(const struct push *p, const struct publish_table *t)
{
	return push(p, t,
		    table_is_view(t->to_table) ? "drop view if exists {to}"
					       : "drop table if exists {to}");
}

/* An option that is null may be read as one that is not said: where production has no expiration
 * the statement behind it takes away what came along with the copy. */
static int push_table(const struct push *p, const struct publish_table *t)
{
	bool expires = says(t->to_table, "expiration_timestamp = ");

	if (t->view || t->way == PUBLISH_KEEP)
		return 0;
	push_guards(p);
	if (t->way == PUBLISH_REMOVE)
		return push_removal(p, t);
	if (push(p, t,
		 t->to_table
			 ? "create or replace table {to} copy {stage} options ({options})"
			 : "create table if not exists {to} copy {stage} options ({options})") < 0)
		return -1;
	if (!expires &&
	    push(p, t, "alter table {to} set options (expiration_timestamp = null)") < 0)
		return -1;
	return push_grants(p, t);
}

static int push_view(const struct push *p, const struct publish_table *t)
{
	push_guards(p);
	if (push(p, t,
		 t->to_table || p->set->is_resumed ? "create or replace view {to} {query:query}"
						   : "create view {to} {query:query}") < 0)
		return -1;
	return push_grants(p, t);
}

static int push_views(const struct push *p)
{
	for (size_t turn = 1; turn < p->set->turns; turn++)
		for (size_t i = 0; i < p->set->n; i++)
			if (p->set->tables[i].turn == turn && push_view(p, &p->set->tables[i]) < 0)
				return -1;
	return 0;
}

static int push_verify(const struct push *p, const struct publish_table *t)
{
	if (t->view)
		return push(p, t, "select 1 from {to} limit 0");
	if (!has_rows(t))
		return 0;
	return push_check(p, t, t->to, NULL, RAISE_UNLESS(COUNTS_THE_STAGE, DIALECT_RAISED_COUNT),
			  "does not hold what was tested");
}

typedef int push_fn(const struct push *p, const struct publish_table *t);

int bigquery_publish(const struct dialect *dialect, const struct publish_set *set,
		     struct strv *statements, struct err *err)
{
	static push_fn *const of_tables[] = { push_freeze, push_check_from, push_check_to,
					      push_restore, push_table };
	const struct push p = { statements, dialect, set, err };

	for (size_t k = 0; k < ARRAY_LEN(of_tables); k++)
		for (size_t i = 0; i < set->n; i++)
			if (of_tables[k](&p, &set->tables[i]) < 0)
				return -1;
	if (push_views(&p) < 0)
		return -1;
	for (size_t i = 0; i < set->n; i++)
		if (push_verify(&p, &set->tables[i]) < 0)
			return -1;
	return 0;
}

/* --- the other direction --- */

enum publish_way bigquery_choose_copy(const struct publish_table *table)
{
	if (!table->from_table)
		return PUBLISH_REMOVE;
	return table->to_table ? PUBLISH_REPLACE : PUBLISH_NEW;
}

/* Staging's table may be dropped first where no statement replaces it. */
static bool is_in_the_way(const struct publish_table *t)
{
	return t->to_table && (t->way == PUBLISH_REMOVE || table_is_view(t->to_table) ||
			       !same_layout(t->from_table, t->to_table));
}

int bigquery_copy(const struct dialect *dialect, const struct publish_set *set,
		  struct strv *statements, struct err *err)
{
	const struct push p = { statements, dialect, set, err };

	for (size_t i = 0; i < set->n; i++) {
		const struct publish_table *t = &set->tables[i];

		if ((is_in_the_way(t) && push_removal(&p, t) < 0) ||
		    (t->way != PUBLISH_REMOVE &&
		     push(&p, t, "create or replace table {to} copy {from}") < 0))
			return -1;
	}
	return 0;
}
