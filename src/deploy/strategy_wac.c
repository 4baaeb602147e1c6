/*
 * wac, write-audit-clone: build and test everything in staging, then put the tested tables of
 * the scope into their production schemas. Both engines change the whole set in one transaction.
 */
#include <stdlib.h>
#include <string.h>

#include "airlock/dbt/runner.h"
#include "airlock/deploy/state.h"
#include "airlock/deploy/strategy_rows.h"
#include "airlock/format/json.h"

struct wac {
	const struct strategy_input *in;
	struct plan *plan;
	struct state state;
	struct publish_set set;
};

static int refuse_database(const struct wac *w, const struct relation *relation, struct err *err)
{
	char *name CLEANUP(mem_free_string) = relation_display(relation);

	err_set(err, ERR_UNSUPPORTED,
		"'%s' is in another database than the connection that publishes ('%s')", name,
		w->in->database);
	return err_hint(err, "%s",
			w->in->dialect->names_database
				? "one transaction writes one database: let the target that "
				  "publishes connect to the one of the published tables"
				: "let both targets name one database and differ in schemas");
}

/* The state, the restore points and the published tables change in one transaction. */
static int check_database(const struct wac *w, const struct route *route, struct err *err)
{
	const struct relation here = { w->in->database, "", "" };
	const struct relation from = { route->from.database, "", "" };
	const struct relation to = { route->to.database, "", "" };

	if (!relation_equal(w->in->dialect, &to, &here))
		return refuse_database(w, &route->to, err);
	if (!w->in->dialect->names_database && !relation_equal(w->in->dialect, &from, &here))
		return refuse_database(w, &route->from, err);
	return 0;
}

static int compare_tables(const void *a, const void *b, void *dialect)
{
	const struct publish_table *x = a;
	const struct publish_table *y = b;

	return relation_compare(dialect, x->to, y->to);
}

static int add_table(struct wac *w, const struct route *route, struct err *err)
{
	const struct strategy_input *in = w->in;
	struct publish_table *t = &w->set.tables[w->set.n];
	const struct manifest_node *node = route->to_node ? route->to_node : route->node;

	if (check_database(w, route, err) < 0)
		return -1;
	*t = (struct publish_table) {
		.from = &route->from,
		.to = &route->to,
		.from_table = observed_table(in->observed, in->dialect, &route->from),
		.to_table = observed_table(in->observed, in->dialect, &route->to),
		.decided = in->observed->built,
		.runs = in->runs,
		.grants = node->grants,
		.grant_count = node->grant_count,
	};
	if (t->decided && !t->from_table) {
		char *name CLEANUP(mem_free_string) = relation_display(&route->from);

		err_set(err, ERR_RELATION_MISSING,
			"'%s' was built for '%s' but cannot be seen through the connection that "
			"publishes",
			name, route->node->unique_id);
		return err_hint(err, "let the target that publishes read it (on DuckDB: attach "
				     "the file of staging in the profile)");
	}
	w->set.n++;
	return 0;
}

static void warn_of_part(struct wac *w, const struct publish_table *t, const char *what,
			 const struct table_part *part, const char *why)
{
	char *name CLEANUP(mem_free_string) = relation_display(t->to);

	strv_pushf(&w->plan->warnings, "%s '%s' of '%s' %s", what, part->name, name, why);
}

/* What a table that is made anew cannot take along. */
static void warn_of_lost(struct wac *w, const struct publish_table *t)
{
	const struct dialect *dialect = w->in->dialect;
	const struct table *to = t->to_table;
	const char *why = "goes: its column is gone, or staging has another in its place";

	for (size_t i = 0; i < to->index_count; i++)
		if (table_loses_index(dialect, t->from_table, &to->indexes[i]))
			warn_of_part(w, t, "index", &to->indexes[i], why);
	for (size_t i = 0; i < to->constraint_count; i++)
		if (table_loses_constraint(dialect, t->from_table, &to->constraints[i]))
			warn_of_part(w, t, "constraint", &to->constraints[i], why);
}

/* What staging has and production does not get: a foreign key points into staging, and to a table
 * that stays no constraint is added while readers use it. */
static void warn_of_left(struct wac *w, const struct publish_table *t)
{
	for (size_t i = 0; i < t->from_table->constraint_count; i++) {
		const struct table_part *constraint = &t->from_table->constraints[i];

		if (t->to_table && table_has_constraint(t->to_table, constraint))
			continue;
		if (table_is_foreign_key(constraint))
			warn_of_part(w, t, "foreign key", constraint,
				     "is staging's and is not published");
		else if (t->way == PUBLISH_REWRITE)
			warn_of_part(w, t, "constraint", constraint,
				     "is staging's and is not added to the table, which stays");
	}
}

static void warn_of_parts(struct wac *w, const struct publish_table *t)
{
	char *name CLEANUP(mem_free_string) = relation_display(t->to);

	if (t->to_table && !t->to_table->owned)
		strv_pushf(&w->plan->warnings,
			   "'%s' cannot be published by this session: it belongs to '%s'", name,
			   t->to_table->owner ? t->to_table->owner
					      : "a database that is only read");
	if (!t->from_table)
		return;
	if (t->way == PUBLISH_EXCHANGE || t->way == PUBLISH_REPLACE)
		warn_of_lost(w, t);
	warn_of_left(w, t);
}

static int choose_ways(struct wac *w, struct err *err)
{
	struct plan *plan = w->plan;
	bool keep = config_bool(w->in->config, OPTION_RESTORE_POINT);

	qsort_r(w->set.tables, w->set.n, sizeof(*w->set.tables), compare_tables,
		(void *)(uintptr_t)w->in->dialect);
	plan->tables = arena_alloc(&plan->arena, (w->set.n + 1) * sizeof(*plan->tables));
	plan->table_count = w->set.n;
	for (size_t i = 0; i < w->set.n; i++) {
		struct publish_table *t = &w->set.tables[i];
		struct plan_table *row = &plan->tables[i];

		t->number = i + 1;
		if (w->in->dialect->choose_way(t, &t->way, &row->reason, err) < 0)
			return -1;
		if (keep && t->to_table) {
			char *suffix CLEANUP(mem_free_string) = mem_printf("_%zu", t->number);
			char *name CLEANUP(mem_free_string) = sql_bind_mark("r_", "id", suffix);

			t->restore = (struct relation) {
				.database = arena_strdup(&plan->arena, w->state.schema.database),
				.schema = STATE_RESTORE_SCHEMA,
				.identifier = arena_strdup(&plan->arena, name),
			};
		}
		row->way = t->way;
		row->replaces = t->to_table != NULL;
		row->restore = t->restore;
		warn_of_parts(w, t);
	}
	return 0;
}

/* A new staging knows nothing of what production gathered over time. Counts are known once
 * staging is built. */
static int check_shrink(const struct wac *w, const struct publish_table *t,
			const struct manifest_node *node, struct err *err)
{
	const struct strv *accepted = config_list(w->in->config, OPTION_ACCEPT);
	bool snapshot = node->type == MANIFEST_SNAPSHOT;
	int64_t percent = snapshot ? 0 : config_number(w->in->config, OPTION_MAX_SHRINK);

	if (!t->decided || !t->to_table ||
	    (!snapshot && strcmp(node->materialized, "incremental") != 0) ||
	    strv_contains(accepted, "*") || strv_contains(accepted, node->name) ||
	    strv_contains(accepted, node->unique_id))
		return 0;
	if (t->from_table->rows >= t->to_table->rows ||
	    (t->to_table->rows - t->from_table->rows) * 100 <= t->to_table->rows * percent)
		return 0;
	return err_set(err, ERR_SHRUNK,
		       "'%s' has %lld rows in staging and %lld in production: a publish would lose "
		       "what production gathered",
		       node->unique_id, (long long)t->from_table->rows,
		       (long long)t->to_table->rows);
}

static int check_shrinks(const struct wac *w, struct err *err)
{
	for (size_t i = 0; i < w->set.n; i++)
		if (check_shrink(w, &w->set.tables[i], w->plan->tables[i].route->node, err) < 0)
			return -1;
	return 0;
}

/* plan->tables was made in the order of the set, which was sorted after the routes were read. */
static void link_routes(struct wac *w)
{
	for (size_t i = 0; i < w->set.n; i++)
		for (size_t k = 0; k < w->in->routes->n; k++)
			if (&w->in->routes->items[k].to == w->set.tables[i].to)
				w->plan->tables[i].route = &w->in->routes->items[k];
}

static int choose_tables(struct wac *w, struct err *err)
{
	const struct routes *routes = w->in->routes;

	w->set.tables =
		arena_alloc(&w->plan->arena, (routes->scope_count + 1) * sizeof(*w->set.tables));
	for (size_t i = 0; i < routes->n; i++)
		if (routes->items[i].in_scope && add_table(w, &routes->items[i], err) < 0)
			return -1;
	if (choose_ways(w, err) < 0)
		return -1;
	link_routes(w);
	return check_shrinks(w, err);
}

static int plan_lock(struct wac *w, struct err *err)
{
	struct step *step = plan_add_step(w->plan, "lock", "observe", STEP_OPERATION,
					  "one deployment at a time writes this staging");

	step->idempotent = true;
	step->undo = "release the lock";
	if (state_push_begin(&w->state, &step->sql, err) < 0)
		return -1;
	return state_push_read(&w->state, &step->sql, err);
}

static void plan_build(struct wac *w)
{
	struct step *step = plan_add_step(w->plan, "build", "build", STEP_DBT,
					  "build and test in staging; production is not touched");
	const char *from = config_text(w->in->config, OPTION_FROM);

	step->idempotent = true;
	step->undo = "nothing: staging is built anew by the next deployment";
	strv_push(&step->command, "build");
	strv_push(&step->command, "--target");
	strv_push(&step->command, from);
	strv_push(&step->command, "--target-path");
	strv_pushf(&step->command, "target/airlock/build/%s", from);
	strv_push(&step->command, "--indirect-selection");
	strv_push(&step->command, "eager");
	strv_push(&step->command, "--write-json");
	if (!strv_contains(w->in->build_options, "--defer"))
		strv_push(&step->command, "--no-defer");
	if (w->in->build_select->n > 0)
		strv_push(&step->command, "--select");
	strv_push_all(&step->command, w->in->build_select);
	strv_push_all(&step->command, w->in->build_options);
	runner_push_log_options(&step->command);
}

static int push_schema(struct wac *w, const struct relation *schema, struct strv *statements,
		       struct err *err)
{
	const struct sql_arg args[] = {
		SQL_ARG_SCHEMA("schema", schema),
		SQL_ARG_LITERAL("name", schema->schema),
	};

	if (observed_has_schema(w->in->observed, w->in->dialect, schema))
		return 0;
	return dialect_push(statements, w->in->dialect, DIALECT_SCHEMA_CREATE, args,
			    ARRAY_LEN(args), err);
}

static int push_schemas(struct wac *w, struct strv *statements, struct err *err)
{
	const struct relation *last = NULL;
	const struct relation *restore = NULL;

	for (size_t i = 0; i < w->set.n; i++) {
		const struct publish_table *t = &w->set.tables[i];

		/* Sorted: tables of one schema are neighbours. */
		if ((!last || !relation_same_schema(w->in->dialect, last, t->to)) &&
		    push_schema(w, t->to, statements, err) < 0)
			return -1;
		last = t->to;
		if (t->restore.identifier)
			restore = &t->restore;
	}
	return restore ? push_schema(w, restore, statements, err) : 0;
}

static json_t *table_detail(const struct wac *w, size_t i)
{
	const struct publish_table *t = &w->set.tables[i];
	char *from CLEANUP(mem_free_string) = relation_display(t->from);
	char *to CLEANUP(mem_free_string) = relation_display(t->to);

	return json_pack("{s:s, s:s, s:s, s:[s, s, s], s:s, s:I, s:s?, s:o, s:I, s:O?}",
			 "unique_id", w->plan->tables[i].route->node->unique_id, "from", from, "to",
			 to, "relation", t->to->database, t->to->schema, t->to->identifier, "way",
			 publish_way_name(t->way), "rows", (json_int_t)t->from_table->rows,
			 "content", t->from_table->content, "restore",
			 t->restore.identifier ? json_integer((json_int_t)t->number) : json_null(),
			 "rows_before", (json_int_t)(t->to_table ? t->to_table->rows : -1),
			 "before", t->to_table ? t->to_table->json : NULL);
}

/* What the history keeps, enough to put everything back. A restore point is r_<id>_<restore> in
 * the restore schema. NULL before the build. */
static json_t *published_detail(const struct wac *w)
{
	if (!w->in->observed->built)
		return NULL;
	json_t *tables = json_array();

	for (size_t i = 0; i < w->set.n; i++)
		json_array_append_new(tables, table_detail(w, i));
	return json_pack("{s:s, s:s, s:s?, s:o}", "strategy", "wac", "from",
			 config_text(w->in->config, OPTION_FROM), "to",
			 config_text(w->in->config, OPTION_TO), "tables", tables);
}

static int push_record(struct wac *w, struct strv *statements, struct err *err)
{
	json_t *detail CLEANUP(js_free) = published_detail(w);
	struct relation *relations =
		arena_alloc(&w->plan->arena, (w->set.n + 1) * sizeof(*relations));

	for (size_t i = 0; i < w->set.n; i++)
		relations[i] = *w->set.tables[i].to;
	if (state_push_log(&w->state, STATE_PUBLISHED, detail, statements, err) < 0)
		return -1;
	return state_push_objects(&w->state, relations, w->set.n, statements, err);
}

static int plan_publish(struct wac *w, struct err *err)
{
	struct step *step = plan_add_step(w->plan, "publish", "publish", STEP_TRANSACTION,
					  "the tested tables take their place in production, all "
					  "or none");
	struct strv probe CLEANUP(strv_release) = STRV_INIT;

	step->changes_production = true;
	step->undo = "rows that were replaced are in " STATE_RESTORE_SCHEMA;
	if (state_push_probe(&w->state, &probe, err) < 0)
		return -1;
	step->probe = arena_strdup(&w->plan->arena, probe.v[0]);
	if (state_push_fences(&w->state, &step->sql, err) < 0 ||
	    push_schemas(w, &step->sql, err) < 0 ||
	    w->in->dialect->publish(w->in->dialect, &w->set, &step->sql, err) < 0)
		return -1;
	return push_record(w, &step->sql, err);
}

static int plan_finish(struct wac *w, struct err *err)
{
	struct step *step = plan_add_step(w->plan, "finish", "finish", STEP_OPERATION,
					  "record the end, release the lock");

	step->idempotent = true;
	step->undo = "nothing";
	if (state_push_log(&w->state, "finished", w->in->finish, &step->sql, err) < 0)
		return -1;
	return state_push_release(&w->state, &step->sql, err);
}

static int plan_steps(struct wac *w, struct err *err)
{
	struct step *audit;

	if (plan_lock(w, err) < 0)
		return -1;
	plan_build(w);
	audit = plan_add_step(w->plan, "audit", "audit", STEP_CHECK,
			      "every node of the scope was built and every test of it passed, and "
			      "staging is what was tested");
	audit->idempotent = true;
	audit->undo = "nothing";
	if (plan_publish(w, err) < 0)
		return -1;
	return plan_finish(w, err);
}

static int wac_plan(const struct strategy_input *input, struct plan *plan, struct err *err)
{
	struct wac w = {
		.in = input,
		.plan = plan,
		.set = { .lock_attempt_ms = 300,
			 .timeout_ms = config_number(input->config, OPTION_PUBLISH_TIMEOUT) * 1000 }
	};
	int result;

	plan->atomic = input->dialect->changes_set_atomically;
	state_init(&w.state, input->dialect, input->database, input->routes);
	result = choose_tables(&w, err);
	if (result == 0)
		result = plan_steps(&w, err);
	state_release(&w.state);
	return result;
}

const struct strategy strategy_wac = {
	.name = "wac",
	.summary = "write-audit-clone: build and test in staging, then publish the tested tables",
	.plan = wac_plan,
};
