/*
 * Publishing on BigQuery: table by table, since there is no transaction of DDL and no swap. What is
 * published is frozen first as clones of our own, every restore point is there before the first
 * change, and a table changes by `create or replace .. copy`: atomic for that table, and without a
 * link to its source, so no chain of clones grows. Expiration and labels stay production's and are
 * set by the statement that copies: what a dataset of staging gives by default would make
 * production vanish days later. Never dropped first.
 */
#include <string.h>

#include "airlock/warehouse/marker.h"
#include "publish_one_by_one.h"

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
	"and (to_hex(md5(v.view_definition)) = {identity:literal}{or:statement})) = 1"

#define NOTHING_IS                                                                                 \
	"(select count(*) from {dataset:schema}.INFORMATION_SCHEMA.TABLES as t "                   \
	"where t.table_name = {identifier:literal}) = 0"

#define ALL_OF(TABLE)                                                                              \
	"(select cast(count(*) as string) || '/' || cast(coalesce(sum(cast("                       \
	"farm_fingerprint(to_json_string(x)) as numeric)), 0) as string) from " TABLE " as x)"

#define HOLDS_THE_STAGE ALL_OF("{to}") " = " ALL_OF("{stage}")

#define COUNTS_THE_STAGE "(select count(*) from {stage}) = (select count(*) from {to})"

/* What the service says of a statement that it has ended, behind whatever dbt puts in front. What
 * the client says of a reply that did not come is none of these. */
bool bigquery_is_answer(const char *message)
{
	static const char *const answers[] = {
		"Access Denied:",
		"Already Exists:",
		"Cannot replace a table",
		"Exceeded rate limits",
		"Invalid value",
		"Not found:",
		"Query error:",
		"Quota exceeded",
		"Resources exceeded",
		"Syntax error:",
		"Unrecognized name:",
		"airlock-",
		"is not allowed for this operation",
	};

	for (size_t i = 0; i < ARRAY_LEN(answers); i++)
		if (strstr(message, answers[i]))
			return true;
	return false;
}

/* --- which way --- */

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

	return publish_refuse(table, why, ONE_BY_ONE_DROP_IT, err);
}

/* --- statements --- */

static bool says(const struct table *table, const char *option)
{
	return table && table->options && strstr(table->options, option);
}

/* Whose options production's table has: its own, and behind a rollback those that it had. */
static const struct table *settings_of(const struct publish_table *t)
{
	return t->is_exact ? t->from_table : t->to_table;
}

/* What is not said there is set to nothing. */
static char *options_of(const struct publish_table *t)
{
	const struct table *settings = settings_of(t);
	struct buf options = BUF_INIT;

	if (settings && settings->options)
		buf_add_str(&options, settings->options);
	if (!says(settings, "expiration_timestamp = "))
		buf_printf(&options, "%sexpiration_timestamp = null", options.len ? ", " : "");
	if (settings && says(t->from_table, "partition_expiration_days = ") &&
	    !says(settings, "partition_expiration_days = "))
		buf_add_str(&options, ", partition_expiration_days = null");
	return buf_take(&options);
}

static int push(const struct push *p, const struct publish_table *t, const char *text)
{
	char *marker CLEANUP(mem_free_string) = marker_restore(NULL, t->number, t->to);
	char *options CLEANUP(mem_free_string) = options_of(t);
	const struct table *settings = settings_of(t);
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
		SQL_ARG_LITERAL("comment", settings ? settings->comment : NULL),
	};

	return dialect_push_text(p->statements, p->dialect, text, args, ARRAY_LEN(args), p->err);
}

static int push_restore(const struct push *p, const struct publish_table *t)
{
	return push(p, t,
		    "create snapshot table if not exists {restore} clone {to} options ("
		    "expiration_timestamp = timestamp_add(current_timestamp(), "
		    "interval {keep:number} second), description = {marker:literal})");
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

/* A copy brings the description of what it is a copy of; without one production's stays. That of a
 * restore point is its marker. */
static int push_description(const struct push *p, const struct publish_table *t)
{
	if (t->is_exact && t->from_table && !t->from_table->comment)
		return push(p, t, "alter table {to} set options (description = null)");
	if (t->is_exact && t->from_table)
		return push(p, t, "alter table {to} set options (description = {comment:literal})");
	if (!t->decided || !t->from_table || t->from_table->comment || !t->to_table ||
	    !t->to_table->comment)
		return 0;
	return push(p, t, "alter table {to} set options (description = {comment:literal})");
}

/*
 * What somebody wrote behind its restore point would be nowhere: it is looked at once more. An
 * option that is null may be read as one that is not said: where production has no expiration the
 * statement behind it takes away what came along with the copy.
 */
static int push_table(const struct push *p, const struct publish_table *t)
{
	bool expires = says(settings_of(t), "expiration_timestamp = ");

	if (one_by_one_check_to(p, t) < 0)
		return -1;
	if (t->way == PUBLISH_REMOVE)
		return one_by_one_remove(p, t);
	if (push(p, t,
		 t->to_table
			 ? "create or replace table {to} copy {stage} options ({options})"
			 : "create table if not exists {to} copy {stage} options ({options})") < 0)
		return -1;
	if (!expires &&
	    push(p, t, "alter table {to} set options (expiration_timestamp = null)") < 0)
		return -1;
	return push_description(p, t) < 0 ? -1 : push_grants(p, t);
}

static int push_view(const struct push *p, const struct publish_table *t)
{
	if (push(p, t,
		 t->to_table || p->set->is_resumed ? "create or replace view {to} {query:query}"
						   : "create view {to} {query:query}") < 0)
		return -1;
	return push_grants(p, t);
}

static const struct one_by_one how = {
	ONE_BY_ONE_CHECKS,
	.own_view = " or strpos({view:literal}, v.view_definition) > 0",
	.view_reason = "the view gets its new text; authorized views are not checked",
	.table_reason = "replaced by a copy of the tested table, with the expiration and the "
			"labels that it had; permissions and row access policies are not checked",
	.check = check_layout,
	.push = push,
	/* Not to vanish before it is published, whatever staging says of itself. */
	.freeze = "create table if not exists {stage} clone {from} "
		  "options (expiration_timestamp = null)",
	.restore = push_restore,
	.table = push_table,
	.view = push_view,
};

int bigquery_choose_way(const struct publish_table *table, enum publish_way *ret_way,
			const char **ret_reason, struct err *err)
{
	return one_by_one_choose_way(&how, table, ret_way, ret_reason, err);
}

int bigquery_publish(const struct dialect *dialect, const struct publish_set *set,
		     struct strv *statements, struct err *err)
{
	return one_by_one_publish(&(struct push) { statements, dialect, set, &how, err });
}

int bigquery_keep(const struct dialect *dialect, const struct publish_set *set,
		  struct strv *statements, struct err *err)
{
	return one_by_one_keep(&(struct push) { statements, dialect, set, &how, err });
}

/* --- the other direction --- */

/* Staging's table may be dropped first where no statement replaces it. */
static bool is_in_the_way(const struct publish_table *t)
{
	return t->to_table && (t->way == PUBLISH_REMOVE || table_is_view(t->to_table) ||
			       !same_layout(t->from_table, t->to_table));
}

int bigquery_copy(const struct dialect *dialect, const struct publish_set *set,
		  struct strv *statements, struct err *err)
{
	const struct push p = { statements, dialect, set, &how, err };

	for (size_t i = 0; i < set->n; i++) {
		const struct publish_table *t = &set->tables[i];

		if ((is_in_the_way(t) && one_by_one_remove(&p, t) < 0) ||
		    (t->way != PUBLISH_REMOVE &&
		     push(&p, t, "create or replace table {to} copy {from}") < 0))
			return -1;
	}
	return 0;
}
