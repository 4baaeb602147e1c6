/*
 * Publishing on BigQuery: table by table, since there is no transaction of DDL and no swap. What is
 * published is frozen first as clones of our own, every restore point is there before the first
 * change, and a table changes by `create or replace .. copy`: atomic for that table, and without a
 * link to its source, so no chain of clones grows. Expiration and labels stay production's and are
 * set by the statement that copies: what a dataset of staging gives by default would make
 * production vanish days later. Never dropped first, but for a table of another partitioning or
 * clustering, which no statement replaces: where the user says so it is copied beside it, with all
 * that it needs, and one script drops the old one and gives its name to the new one.
 */
#include <string.h>

#include "airlock/format/json.h"
#include "airlock/warehouse/marker.h"
#include "publish_bigquery.h"

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
		"Job exceeded rate limits",
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

static bool changes_layout(const struct publish_table *t)
{
	return t->decided && t->from_table && t->to_table && !t->view &&
	       !table_same_layout(t->from_table, t->to_table);
}

static int check(const struct publish_table *table, struct err *err)
{
	const struct table *from = table->from_table;
	const struct table *to = table->to_table;

	if (bigquery_check_columns(table, err) < 0)
		return -1;
	if (!changes_layout(table) || (table->may_be_missed && to->privileges))
		return 0;
	if (table->may_be_missed)
		return publish_refuse(
			table,
			"its partitioning or clustering changes, for which it is "
			"dropped, and the permissions that go with it cannot be read",
			"let the user of this target have bigquery.tables.getIamPolicy "
			"on it",
			err);
	char *why CLEANUP(mem_free_string) = mem_printf(
		"its partitioning or clustering is '%s' in production and '%s' in staging, and no "
		"statement replaces a table by one of another layout",
		layout_of(to), layout_of(from));

	return publish_refuse(table, why,
			      "'on_spec_change: replace' publishes it all the same, with a moment "
			      "in which readers find no table",
			      err);
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

/* Not those of partitions for a table that has none. */
static void add_options(struct buf *out, const char *options, bool is_partitioned)
{
	static const char of_partitions[] = "partition_expiration_days = ";
	const char *at = is_partitioned ? NULL : strstr(options, of_partitions);

	if (!at) {
		buf_add_str(out, options);
		return;
	}
	/* Its value is a number. They are sorted: it is the last one. */
	while (at > options && strchr(", ", at[-1]))
		at--;
	buf_add(out, options, (size_t)(at - options));
}

/* What is not said there is set to nothing. */
static char *options_of(const struct publish_table *t)
{
	const struct table *settings = settings_of(t);
	struct buf options = BUF_INIT;

	if (settings && settings->options)
		add_options(&options, settings->options,
			    !changes_layout(t) || strstr(layout_of(t->from_table), "PARTITION BY"));
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
	char *display CLEANUP(mem_free_string) = relation_display(t->to);
	char *gone CLEANUP(mem_free_string) = mem_printf("what was to become %s is gone", display);
	const struct table *settings = settings_of(t);
	int64_t keep_for_s = p->set->keep_for_s;
	const struct sql_arg args[] = {
		SQL_ARG_RELATION("to", t->to),
		SQL_ARG_RELATION("from", t->from ? t->from : t->to),
		SQL_ARG_RELATION("stage", &t->stage),
		SQL_ARG_RELATION("restore", &t->restore),
		SQL_ARG_RELATION("side", &t->side),
		SQL_ARG_SCHEMA("dataset", t->to),
		SQL_ARG_LITERAL("side_name", t->side.identifier),
		SQL_ARG_IDENT("name", t->to->identifier),
		SQL_ARG_LITERAL("message", gone),
		SQL_ARG_LITERAL("marker", marker),
		SQL_ARG_NUMBER("keep",
			       keep_for_s > FORGOTTEN_AFTER_S ? keep_for_s : FORGOTTEN_AFTER_S),
		SQL_ARG_QUERY("query", t->view ? t->view : ""),
		SQL_ARG_CATALOG("options", options),
		SQL_ARG_LITERAL("comment", settings ? settings->comment : NULL),
	};

	return dialect_push_text(p->statements, p->dialect, text, args, ARRAY_LEN(args), p->err);
}

#define FORGOTTEN                                                                                  \
	"expiration_timestamp = timestamp_add(current_timestamp(), "                               \
	"interval {keep:number} second), description = {marker:literal}"

static int push_open_restore(const struct push *p, const struct publish_table *t)
{
	char *display CLEANUP(mem_free_string) = relation_display(t->to);
	char *what CLEANUP(mem_free_string) = mem_printf(
		"snapshot of %s, or a copy where the service makes no more today", display);
	const struct sql_arg arg = { .name = "what", .kind = SQL_STATEMENT, .undecided = what };

	return dialect_push_text(p->statements, p->dialect, "create {what:statement}", &arg, 1,
				 p->err);
}

/* A copy would lose partitions over time, as production does; a snapshot loses none. An option that
 * is null may be read there as one that is not said. */
static int push_restore_copy(const struct push *p, const struct publish_table *t)
{
	if (!says(t->to_table, "partition_expiration_days = "))
		return push(p, t,
			    "create table if not exists {restore} copy {to} options (" FORGOTTEN
			    ")");
	if (push(p, t,
		 "create table if not exists {restore} copy {to} options (" FORGOTTEN
		 ", partition_expiration_days = null)") < 0)
		return -1;
	return push(p, t, "alter table {restore} set options (partition_expiration_days = null)");
}

static int push_restore(const struct push *p, const struct publish_table *t)
{
	if (t->restore_is_open)
		return push_open_restore(p, t);
	if (t->restore_is_copy)
		return push_restore_copy(p, t);
	return push(p, t,
		    "create snapshot table if not exists {restore} clone {to} options (" FORGOTTEN
		    ")");
}

/* A copy brings the description of what it is a copy of, which may be a marker of ours: then, and
 * without one, production's stays. */
static int push_description(const struct push *p, const struct publish_table *t)
{
	const struct table *from = t->from_table;
	const char *before = t->to_table ? t->to_table->comment : NULL;

	if (!from || (!t->is_exact && !t->decided))
		return 0;
	if (!t->is_exact &&
	    (from->comment || table_same_text(before, js_get_string(from->json, "comment"))))
		return 0;
	return push(p, t, "alter table {to} set options (description = {comment:literal})");
}

/*
 * What somebody wrote behind its restore point would be nowhere: it is looked at once more. An
 * option that is null may be read as one that is not said: where production has no expiration the
 * statement behind it takes away what came along with the copy.
 */
static int push_settings(const struct push *p, const struct publish_table *t)
{
	if (!says(settings_of(t), "expiration_timestamp = ") &&
	    push(p, t, "alter table {to} set options (expiration_timestamp = null)") < 0)
		return -1;
	return push_description(p, t) < 0 ? -1 : bigquery_push_grants(p, t);
}

/* All that takes time comes first. A script that comes late finds nothing beside, and ends. */
static int push_exchange(const struct push *p, const struct publish_table *t)
{
	struct publish_table beside = *t;

	beside.to = &t->side;
	one_by_one_guard(p);
	if (push(p, t, "create table if not exists {side} copy {stage} options ({options})") < 0 ||
	    bigquery_push_tags_check(p, t, &t->side) < 0 || push_settings(p, &beside) < 0 ||
	    one_by_one_check_held(p, t) < 0)
		return -1;
	return push(
		p, t,
		"select if((select count(*) from {dataset:schema}.INFORMATION_SCHEMA.TABLES as t "
		"where t.table_name = {side_name:literal}) = 1, 1, "
		"error('" DIALECT_RAISED_CONFLICT " ' || {message:literal})); "
		"drop table if exists {to}; alter table {side} rename to {name}");
}

static int push_table(const struct push *p, const struct publish_table *t)
{
	if (t->way == PUBLISH_EXCHANGE)
		return push_exchange(p, t);
	if (one_by_one_check_held(p, t) < 0)
		return -1;
	if (t->way == PUBLISH_REMOVE)
		return one_by_one_remove(p, t);
	if (push(p, t,
		 t->to_table ? "create or replace table {to} copy {stage} options ({options})"
			     : "create table if not exists {to} copy {stage} options ({options})") <
		    0 ||
	    bigquery_push_tags_check(p, t, t->to) < 0)
		return -1;
	return push_settings(p, t);
}

/* Labels come last but for what only partitions have. A new view does not expire as staging's does.
 */
static const char *options_of_view(const struct publish_table *t)
{
	const struct table *settings = settings_of(t);

	if (settings)
		return settings->options;
	return says(t->from_table, "labels = ") ? strstr(t->from_table->options, "labels = ")
						: NULL;
}

/* The project's, and where it has none production's own; a rollback puts back what there was. */
static const char *description_of_view(const struct publish_table *t)
{
	const char *own = t->to_table ? t->to_table->comment : NULL;

	if (t->is_exact)
		return t->from_table->comment;
	return t->from_table && t->from_table->comment ? t->from_table->comment : own;
}

/* What is not said in the statement is gone behind it. */
static int push_view(const struct push *p, const struct publish_table *t)
{
	const char *options = options_of_view(t);
	char *display CLEANUP(mem_free_string) = relation_display(t->to);
	char *undecided CLEANUP(mem_free_string) = mem_printf("description of %s", display);
	const struct sql_arg args[] = {
		SQL_ARG_RELATION("to", t->to),
		SQL_ARG_CATALOG("options", options ? options : ""),
		SQL_ARG_STATEMENT("and", options && *options ? ", " : ""),
		{ .name = "comment",
		  .kind = SQL_LITERAL,
		  .text = description_of_view(t),
		  .undecided = t->is_exact || t->decided ? NULL : undecided },
		SQL_ARG_QUERY("query", t->view),
	};

	if (dialect_push_text(
		    p->statements, p->dialect,
		    t->to_table || p->set->is_resumed
			    ? "create or replace view {to} options ({options}{and:statement}"
			      "description = {comment:literal}) {query:query}"
			    : "create view {to} options ({options}{and:statement}"
			      "description = {comment:literal}) {query:query}",
		    args, ARRAY_LEN(args), p->err) < 0)
		return -1;
	return bigquery_push_descriptions(p, t) < 0 ? -1 : bigquery_push_grants(p, t);
}

/* All that production shall get is in what was frozen. */
static int push_frozen(const struct push *p, const struct publish_table *t)
{
	if (t->is_exact && bigquery_check_columns(t, p->err) < 0)
		return -1;
	return bigquery_push_descriptions(p, t) < 0 ? -1
						    : bigquery_push_tags_check(p, t, &t->stage);
}

static int push_kept(const struct push *p, const struct publish_table *t)
{
	return bigquery_push_descriptions_check(p, t) < 0 ? -1
							  : bigquery_push_privileges_check(p, t);
}

static const struct one_by_one how = {
	ONE_BY_ONE_CHECKS,
	.own_view = " or strpos({view:literal}, v.view_definition) > 0",
	.view_reason = "the view gets its new text; authorized views are not checked",
	.table_reason = "replaced by a copy of the tested table, with the expiration and the "
			"labels that it had; row access policies are not checked",
	.check = check,
	.push = push,
	/* Not to vanish before it is published, whatever staging says of itself. */
	.freeze = "create table if not exists {stage} clone {from} "
		  "options (expiration_timestamp = null)",
	.frozen = push_frozen,
	.restore = push_restore,
	.table = push_table,
	.view = push_view,
	.kept = push_kept,
};

int bigquery_choose_way(const struct publish_table *table, enum publish_way *ret_way,
			const char **ret_reason, struct err *err)
{
	if (one_by_one_choose_way(&how, table, ret_way, ret_reason, err) < 0)
		return -1;
	if (changes_layout(table)) {
		*ret_way = PUBLISH_EXCHANGE;
		*ret_reason =
			"its partitioning or clustering changes, which no statement does: it is "
			"copied beside the old table, which is then dropped, and takes its "
			"name; in between readers find no table";
	}
	return 0;
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
			       !table_same_layout(t->from_table, t->to_table));
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
