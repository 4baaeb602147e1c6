#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "airlock/deploy/strategy.h"
#include "made.h"

#define NODES(...)                                                                                 \
	(const struct made_node[]) { __VA_ARGS__ },                                                \
		ARRAY_LEN(((const struct made_node[]) { __VA_ARGS__ }))

/* A plan of what two sides hold. */
struct world {
	const char *adapter; /* NULL: duckdb */
	const char *options;
	const char *picture; /* NULL: nothing is there yet */
	bool runs, builds_nothing;
	const struct made_node *from;
	size_t from_count;
	const struct made_node *to;
	size_t to_count;

	struct config config;
	struct manifest *from_manifest, *to_manifest;
	struct routes routes;
	struct observed observed;
	struct strv build_options, build_select;
	struct plan plan;
	struct err err;
};

#define WORLD CLEANUP(world_release) struct world w

static void world_release(struct world *w)
{
	plan_release(&w->plan);
	observed_release(&w->observed);
	routes_release(&w->routes);
	manifest_free(w->from_manifest);
	manifest_free(w->to_manifest);
	strv_release(&w->build_options);
	strv_release(&w->build_select);
	config_release(&w->config);
	err_release(&w->err);
}

static int plan(struct world *w)
{
	const char *adapter = w->adapter ? w->adapter : "duckdb";
	char *options CLEANUP(mem_free_string) =
		mem_printf("--from staging --to prod %s", w->options ? w->options : "");
	struct strategy_input input = { .config = &w->config,
					.routes = &w->routes,
					.dialect = dialect_find(adapter),
					.observed = &w->observed,
					.runs = w->runs,
					.builds_nothing = w->builds_nothing,
					.build_options = &w->build_options,
					.build_select = &w->build_select,
					.database = "db" };

	made_config(&w->config, options);
	w->from_manifest = made_manifest(adapter, w->from, w->from_count);
	w->to_manifest = made_manifest(adapter, w->to, w->to_count);
	if (routes_resolve(&w->config, input.dialect, w->from_manifest, w->to_manifest, NULL, NULL,
			   NULL, &w->routes, &w->err) < 0)
		fail_msg("%s", w->err.message);
	made_picture(&w->observed, w->picture ? w->picture : "{}");
	return strategy_plan(strategy_find("wac"), &input, &w->plan, &w->err);
}

static void planned(struct world *w)
{
	if (plan(w) < 0)
		fail_msg("%s", w->err.message);
}

static void refused(struct world *w, enum err_code code, const char *message)
{
	if (plan(w) == 0)
		fail_msg("planned: %s", message);
	assert_string_equal(w->err.message, message);
	assert_int_equal(w->err.code, code);
}

static const struct strv *sql_of(const struct world *w, const char *step)
{
	return &plan_step(&w->plan, step)->sql;
}

/* The number from 1 of the first statement that holds the text; 0 without. */
static size_t place(const struct world *w, const char *text)
{
	const struct strv *sql = sql_of(w, "publish");

	for (size_t i = 0; i < sql->n; i++)
		if (strstr(sql->v[i], text))
			return i + 1;
	return 0;
}

static void warns(const struct world *w, const char *text)
{
	for (size_t i = 0; i < w->plan.warnings.n; i++)
		if (strstr(w->plan.warnings.v[i], text))
			return;
	fail_msg("no warning '%s'", text);
}

#define ORDERS                                                                                     \
	.from = NODES({ .name = "orders", .grants = "select=reporter" }),                          \
	.to = NODES({ .name = "orders", .schema = "mart", .grants = "select=reporter" })

#define TABLE(SCHEMA, NAME, REST)                                                                  \
	"{'database': 'db', 'schema': '" SCHEMA "', 'identifier': '" NAME "', 'kind': 'table',"    \
	" 'object': '1/1', 'columns': [{'name': 'id', 'type': 'INTEGER'}]" REST "}"
#define COUNT(SCHEMA, NAME, ROWS)                                                                  \
	"{'database': 'db', 'schema': '" SCHEMA "', 'identifier': '" NAME "', 'rows': " ROWS ","   \
	" 'content': 'h'}"
#define BUILT "'built': true, "

static void the_steps_are_those_of_the_recipe(void **state)
{
	static const char *const ids[] = { "lock", "build", "audit", "publish", "finish" };
	static const char *const phases[] = { "observe", "build", "audit", "publish", "finish" };
	WORLD = { ORDERS };

	(void)state;
	planned(&w);
	assert_string_equal(w.plan.strategy, "wac");
	assert_string_equal(w.plan.to, "prod");
	assert_true(w.plan.atomic);
	assert_int_equal(w.plan.step_count, ARRAY_LEN(ids));
	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		const struct step *step = w.plan.steps[i];

		assert_string_equal(step->id, ids[i]);
		assert_string_equal(step->phase, phases[i]);
		assert_true(*step->reason && step->undo && *step->undo);
		assert_true(step->changes_production == (strcmp(step->id, "publish") == 0));
		assert_true(step->idempotent == !step->changes_production);
		assert_true((step->command.n > 0) == (step->kind == STEP_DBT));
	}
	assert_non_null(strstr(plan_step(&w.plan, "publish")->probe, "'published'"));
}

static void the_build_is_told_what_airlock_needs(void **state)
{
	CLEANUP(mem_free_string) char *line = NULL;
	CLEANUP(mem_free_string) char *deferred = NULL;
	WORLD = { ORDERS };
	CLEANUP(world_release) struct world v = { ORDERS };

	(void)state;
	strv_push(&w.build_select, "+shop.orders");
	strv_push(&w.build_options, "--threads");
	strv_push(&w.build_options, "4");
	planned(&w);
	line = strv_join(&plan_step(&w.plan, "build")->command, " ");
	assert_non_null(strstr(line, "build --target staging --target-path "
				     "target/airlock/build/staging --indirect-selection eager"));
	assert_non_null(strstr(line, " --no-defer "));
	assert_non_null(strstr(line, " --select +shop.orders --threads 4"));
	strv_push(&v.build_options, "--defer");
	planned(&v);
	deferred = strv_join(&plan_step(&v.plan, "build")->command, " ");
	assert_null(strstr(deferred, "--no-defer"));
	assert_null(strstr(deferred, "--select"));
}

static void a_publish_without_a_build_tests_what_is_there(void **state)
{
	static const char *const ids[] = { "lock", "test", "audit", "publish", "finish" };
	CLEANUP(mem_free_string) char *line = NULL;
	WORLD = { ORDERS, .builds_nothing = true,
		  .picture = "{'relations': [" TABLE("stage", "orders", "") "]}" };
	CLEANUP(world_release) struct world v = { ORDERS, .builds_nothing = true };

	(void)state;
	strv_push(&w.build_select, "shop.orders");
	planned(&w);
	assert_int_equal(w.plan.step_count, ARRAY_LEN(ids));
	for (size_t i = 0; i < ARRAY_LEN(ids); i++)
		assert_string_equal(w.plan.steps[i]->id, ids[i]);
	line = strv_join(&plan_step(&w.plan, "test")->command, " ");
	assert_non_null(strstr(line, "test --target staging "));
	assert_non_null(strstr(line, "--indirect-selection eager"));
	assert_non_null(strstr(line, " --select shop.orders"));
	refused(&v, ERR_RELATION_MISSING,
		"'db.stage.orders' ('model.shop.orders') is not there to be tested and published");
}

static void the_publish_is_fenced_made_and_recorded_in_this_order(void **state)
{
	WORLD = { ORDERS,
		  .picture = "{" BUILT "'relations': [" TABLE("stage", "orders", "") "," TABLE(
			  "mart", "orders",
			  "") "], 'rows': [" COUNT("stage", "orders",
						   "2") "," COUNT("mart", "orders", "1") "]}" };

	(void)state;
	planned(&w);
	size_t order[] = { place(&w, DIALECT_RAISED_FENCE),
			   place(&w, DIALECT_RAISED_HELD),
			   place(&w, "create schema if not exists"),
			   place(&w, "stage.orders (staging) changed after its tests"),
			   place(&w, "mart.orders (production) was changed"),
			   place(&w, "create table \"db\".\"airlock_restore\".\"r_\1id\1_1\""),
			   place(&w, "is 'airlock: restore point of deployment \1id\1, table 1: "
				     "db.mart.orders'"),
			   place(&w, "create or replace table"),
			   place(&w, "insert into \"db\".\"mart\".\"orders\""),
			   place(&w, DIALECT_RAISED_COUNT),
			   place(&w, "'published', '{"),
			   place(&w, "'objects', "),
			   place(&w, "'restores', ") };

	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		assert_true(order[i] > 0);
		assert_true(i == 0 || order[i] > order[i - 1]);
	}
	assert_int_equal(order[12], sql_of(&w, "publish")->n);
	assert_int_equal(place(&w, "\"restore\":1"), order[10]);
	assert_int_equal(place(&w, "\"rows_before\":1"), order[10]);
	assert_null(memmem(sql_of(&w, "publish")->v[0], 10, "\1?", 2));
}

static void what_the_build_decides_is_left_open(void **state)
{
	WORLD = { ORDERS };

	(void)state;
	planned(&w);
	assert_true(place(&w, "\1?identity of db.stage.orders\1") > 0);
	assert_true(place(&w, "\1?columns of db.stage.orders\1") > 0);
}

static void a_schema_is_made_once_and_only_where_it_is_missing(void **state)
{
	WORLD = { .from = NODES({ .name = "a" }, { .name = "b" }, { .name = "c" }),
		  .to = NODES({ .name = "a", .schema = "new" }, { .name = "b", .schema = "NEW" },
			      { .name = "c", .schema = "there" }),
		  .picture = "{'schemas': [{'database': 'db', 'schema': 'There'}]}" };
	size_t n = 0;

	(void)state;
	planned(&w);
	for (size_t i = 0; i < sql_of(&w, "publish")->n; i++)
		n += strstr(sql_of(&w, "publish")->v[i], "create schema") != NULL;
	assert_int_equal(n, 1);
}

static void tables_are_published_in_name_order(void **state)
{
	WORLD = { .from = NODES({ .name = "a", .alias = "z" }, { .name = "b", .alias = "y" },
				{ .name = "c", .alias = "x" }),
		  .to = NODES({ .name = "a", .schema = "m2", .alias = "a" },
			      { .name = "b", .schema = "m1", .alias = "b" },
			      { .name = "c", .schema = "m1", .alias = "a" }) };

	(void)state;
	planned(&w);
	assert_int_equal(w.plan.table_count, 3);
	assert_string_equal(w.plan.tables[0].route->node->name, "c");
	assert_string_equal(w.plan.tables[1].route->node->name, "b");
	assert_string_equal(w.plan.tables[2].route->node->name, "a");
}

/* Its parents may be far, or what no publish makes. */
static void where_tables_change_one_at_a_time_parents_come_first(void **state)
{
	static const struct {
		const char *dialect, *order[4];
	} cases[] = {
		{ "bigquery",
		  { "exists `db`.`mart`.`b` copy", "exists `db`.`mart`.`z` copy",
		    "exists `db`.`mart`.`a` copy", "exists `db`.`mart`.`c` copy" } },
		{ "snowflake",
		  { "table \"DB\".\"MART\".\"B\" clone", "table \"DB\".\"MART\".\"Z\" clone",
		    "table \"DB\".\"MART\".\"A\" clone", "table \"DB\".\"MART\".\"C\" clone" } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *const *order = cases[i].order;
		WORLD = { .adapter = cases[i].dialect,
			  .from = NODES({ .name = "a", .parents = "model.shop.far" },
					{ .name = "b" }, { .name = "c", .parents = "model.shop.a" },
					{ .name = "far",
					  .materialized = "ephemeral",
					  .parents = "model.shop.z" },
					{ .name = "z" }),
			  .to = NODES({ .name = "a", .schema = "mart" },
				      { .name = "b", .schema = "mart" },
				      { .name = "c", .schema = "mart" },
				      { .name = "z", .schema = "mart" }) };
		size_t last = 0;

		planned(&w);
		for (size_t k = 0; k < ARRAY_LEN(cases[i].order); k++) {
			size_t at = place(&w, order[k]);

			assert_true(at > last);
			last = at;
		}
	}
}

/* In one statement right before it: every lock, and what production is. */
static void where_tables_change_one_at_a_time_each_is_fenced(void **state)
{
	WORLD = { .adapter = "bigquery",
		  .from = NODES({ .name = "a" }, { .name = "b" }),
		  .to = NODES({ .name = "a", .schema = "mart" },
			      { .name = "b", .schema = "utils" }) };

	(void)state;
	planned(&w);
	const struct strv *sql = sql_of(&w, "publish");
	size_t n = 0;

	for (size_t i = 1; i < sql->n; i++) {
		const char *before = sql->v[i - 1];

		if (!strstr(sql->v[i], " copy "))
			continue;
		n++;
		assert_null(strchr(before, ';'));
		for (size_t k = 0; k < w.plan.table_count + 1; k++) {
			before = strstr(before, DIALECT_RAISED_FENCE);
			assert_non_null(before);
			before++;
		}
		assert_non_null(strstr(before, DIALECT_RAISED_CONFLICT));
	}
	assert_int_equal(n, 2);
}

static void a_restore_point_is_kept_unless_it_is_not_wanted(void **state)
{
#define REPLACED .picture = "{'relations': [" TABLE("mart", "orders", "") "]}"
	WORLD = { ORDERS, REPLACED };
	CLEANUP(world_release)
	struct world v = { ORDERS, REPLACED, .options = "--no-restore-point" };
	CLEANUP(world_release) struct world u = { ORDERS };

	(void)state;
	planned(&w);
	assert_true(w.plan.tables[0].replaces);
	assert_string_equal(w.plan.tables[0].restore.identifier, "r_\1id\1_1");
	assert_true(place(&w, "\"airlock_restore\"") > 0);
	assert_true(place(&w, "\1?what 'published' records\1") > 0);
	planned(&v);
	assert_null(v.plan.tables[0].restore.identifier);
	assert_int_equal(place(&v, "airlock_restore"), 0);
	planned(&u);
	assert_false(u.plan.tables[0].replaces);
	assert_int_equal(place(&u, "airlock_restore"), 0);
}

static void a_transaction_writes_the_database_of_its_connection(void **state)
{
	WORLD = { .from = NODES({ .name = "a" }, { .name = "b" }),
		  .to = NODES({ .name = "a", .database = "one", .schema = "mart" },
			      { .name = "b", .database = "two", .schema = "mart" }) };

	(void)state;
	refused(&w, ERR_UNSUPPORTED,
		"'one.mart.a' is in another database than the connection that publishes ('db')");
}

static void postgresql_reaches_one_database_only(void **state)
{
	WORLD = { .adapter = "postgres",
		  .picture = "{'session': {'database': 'db'}}",
		  .from = NODES({ .name = "a" }),
		  .to = NODES({ .name = "a", .database = "Db", .schema = "mart" }) };

	(void)state;
	refused(&w, ERR_UNSUPPORTED,
		"'Db.mart.a' is in another database than the connection that publishes ('db')");
}

static void what_was_built_must_be_seen(void **state)
{
	WORLD = { ORDERS, .picture = "{" BUILT "'relations': []}" };

	(void)state;
	refused(&w, ERR_RELATION_MISSING,
		"'db.stage.orders' was built for 'model.shop.orders' but cannot be seen through "
		"the connection that publishes");
}

#define SHRUNK(FROM, TO)                                                                           \
	.picture = "{" BUILT "'relations': [" TABLE("stage", "days", "") "," TABLE(                \
		"mart", "days", "") "], 'rows': [" COUNT("stage", "days",                          \
							 FROM) "," COUNT("mart", "days", TO) "]}"
#define OTHER_HISTORY                                                                              \
	.picture = "{" BUILT "'relations': [" TABLE("stage", "days", "") "," TABLE(                \
		"mart", "days",                                                                    \
		"") "], 'rows': [" COUNT("stage", "days",                                          \
					 "100") "," COUNT("mart", "days",                          \
							  "100") ", {'database': 'db', 'schema': " \
								 "'mart', 'identifier': 'days', "  \
								 "'lost': 3}]}"
#define DAYS(KIND, TYPE)                                                                           \
	.from = NODES({ .name = "days", .type = TYPE, .materialized = KIND }),                     \
	.to = NODES({ .name = "days", .schema = "mart", .type = TYPE, .materialized = KIND })

static void what_production_gathered_is_not_lost(void **state)
{
	WORLD = { DAYS("incremental", "model"), SHRUNK("89", "100") };
	CLEANUP(world_release)
	struct world v = { DAYS("incremental", "model"), SHRUNK("90", "100") };
	CLEANUP(world_release)
	struct world u = { DAYS("snapshot", "snapshot"), SHRUNK("99", "100") };
	CLEANUP(world_release) struct world t = { DAYS("table", "model"), SHRUNK("0", "100") };
	CLEANUP(world_release)
	struct world s = { DAYS("snapshot", "snapshot"), SHRUNK("99", "100"),
			   .options = "--accept days" };
	CLEANUP(world_release)
	struct world h = { DAYS("snapshot", "snapshot"), OTHER_HISTORY };
	CLEANUP(world_release)
	struct world a = { DAYS("snapshot", "snapshot"), OTHER_HISTORY,
			   .options = "--accept days" };

	(void)state;
	refused(&h, ERR_SHRUNK,
		"'snapshot.shop.days' has 3 rows in production that staging's snapshot does not "
		"have: a publish would lose what production gathered");
	planned(&a);
	refused(&w, ERR_SHRUNK,
		"'model.shop.days' has 89 rows in staging and 100 in production: a publish would "
		"lose what production gathered");
	planned(&v);
	refused(&u, ERR_SHRUNK,
		"'snapshot.shop.days' has 99 rows in staging and 100 in production: a publish "
		"would lose what production gathered");
	planned(&t);
	planned(&s);
}

static void what_a_new_table_cannot_keep_is_told(void **state)
{
	WORLD = { ORDERS, .picture = "{" BUILT "'relations': [" TABLE(
				  "stage", "orders",
				  ", 'constraints': [{'name': 'fk',"
				  " 'definition': 'FOREIGN KEY (id) REFERENCES "
				  "stage.p(id)'}]") "," TABLE("mart", "orders",
							      ", 'indexes': [{'name': "
							      "'by_day', 'definition': "
							      "'(day)',"
							      " 'columns': ['day']}, "
							      "{'name': 'by_id', "
							      "'definition': '(id)',"
							      " 'columns': ['id']}], "
							      "'constraints': [{'name': "
							      "'late',"
							      " 'definition': 'CHECK "
							      "(day > 1)', 'columns': "
							      "['day']}]") "]}" };

	(void)state;
	planned(&w);
	warns(&w, "index 'by_day' of 'db.mart.orders' goes: its column is gone");
	warns(&w, "constraint 'late' of 'db.mart.orders' goes: its column is gone");
	warns(&w, "foreign key 'fk' of 'db.mart.orders' is staging's and is not published");
	assert_int_equal(w.plan.warnings.n, 3);
	assert_true(place(&w, "\"by_id\"") > 0);
	assert_int_equal(place(&w, "create index \"by_day\""), 0);
}

static void a_table_that_stays_gets_no_constraint(void **state)
{
	WORLD = { ORDERS, .adapter = "postgres",
		  .picture = "{" BUILT "'relations': [" TABLE(
			  "stage", "orders",
			  ", 'constraints': [{'name': 'pk',"
			  " 'definition': 'PRIMARY KEY (id)'}]") "," TABLE("mart", "orders",
									   "") "]}" };

	(void)state;
	planned(&w);
	warns(&w, "constraint 'pk' of 'db.mart.orders' is staging's and is not added to the table");
	assert_int_equal(place(&w, "PRIMARY KEY"), 0);
}

static void a_plan_may_be_looked_at_without_the_right_to_publish(void **state)
{
#define OTHERS                                                                                     \
	.adapter = "postgres",                                                                     \
	.picture =                                                                                 \
		"{'relations': [" TABLE("mart", "orders", ", 'owner': 'ada', 'owned': false") "]}"
	WORLD = { ORDERS, OTHERS };
	CLEANUP(world_release) struct world v = { ORDERS, OTHERS, .runs = true };

	(void)state;
	planned(&w);
	warns(&w, "'db.mart.orders' cannot be published by this session: it belongs to 'ada'");
	refused(&v, ERR_UNSUPPORTED,
		"'db.mart.orders' cannot be published: it belongs to 'ada', and this session may "
		"not act as its owner");
}

static void the_warnings_of_the_routes_come_first(void **state)
{
	WORLD = { .from = NODES({ .name = "a" }, { .name = "v", .materialized = "view" }),
		  .to = NODES({ .name = "a", .schema = "mart" },
			      { .name = "v", .schema = "mart", .materialized = "view" }),
		  .options = "--views skip" };

	(void)state;
	planned(&w);
	assert_true(w.plan.warnings.n >= 1);
	assert_non_null(strstr(w.plan.warnings.v[0], "'model.shop.v' is a view"));
}

static void a_materialized_view_is_refused_before_the_build(void **state)
{
	WORLD = { .adapter = "postgres",
		  .from = NODES({ .name = "by_day", .materialized = "materialized_view" }),
		  .to = NODES({ .name = "by_day",
				.schema = "mart",
				.materialized = "materialized_view" }) };

	(void)state;
	refused(&w, ERR_UNSUPPORTED,
		"'model.shop.by_day' is a materialized view, which cannot be published from "
		"staging");
}

static void a_materialized_view_over_a_table_that_stays_is_told(void **state)
{
	WORLD = { .adapter = "postgres",
		  ORDERS,
		  .picture = "{'relations': [" TABLE(
			  "mart", "orders",
			  "") ","
			      "{'database': 'db', 'schema': 'public', 'identifier': 'by_day', "
			      "'kind': 'materialized view', 'definition': "
			      "'AS SELECT count(*) FROM mart.orders'}]}" };

	(void)state;
	planned(&w);
	warns(&w,
	      "the materialized view 'db.public.by_day' reads 'db.mart.orders', and shows its old "
	      "rows until somebody refreshes it");
}

/* Nothing is known of its columns yet. */
static void a_view_makes_room_for_a_table_that_staging_does_not_have_yet(void **state)
{
	static const char *const adapters[] = { "duckdb", "postgres" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(adapters); i++) {
		WORLD = { .adapter = adapters[i],
			  ORDERS,
			  .picture = "{'relations': [{'database': 'db', 'schema': 'mart', "
				     "'identifier': 'orders', 'kind': 'view', "
				     "'columns': [{'name': 'id', 'type': 'integer'}], "
				     "'definition': 'AS SELECT 1 AS id'}]}" };

		planned(&w);
		assert_true(w.plan.tables[0].replaces);
	}
}

static void every_strategy_is_a_row(void **state)
{
	size_t n;
	const struct strategy *const *all = strategy_all(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		if (i)
			assert_true(strcmp(all[i - 1]->name, all[i]->name) < 0);
		assert_ptr_equal(strategy_find(all[i]->name), all[i]);
		assert_in_range(strlen(all[i]->summary), 20, 100);
	}
	assert_null(strategy_find("nothing"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_steps_are_those_of_the_recipe),
		cmocka_unit_test(the_build_is_told_what_airlock_needs),
		cmocka_unit_test(a_publish_without_a_build_tests_what_is_there),
		cmocka_unit_test(the_publish_is_fenced_made_and_recorded_in_this_order),
		cmocka_unit_test(what_the_build_decides_is_left_open),
		cmocka_unit_test(a_schema_is_made_once_and_only_where_it_is_missing),
		cmocka_unit_test(tables_are_published_in_name_order),
		cmocka_unit_test(where_tables_change_one_at_a_time_parents_come_first),
		cmocka_unit_test(where_tables_change_one_at_a_time_each_is_fenced),
		cmocka_unit_test(a_restore_point_is_kept_unless_it_is_not_wanted),
		cmocka_unit_test(a_transaction_writes_the_database_of_its_connection),
		cmocka_unit_test(postgresql_reaches_one_database_only),
		cmocka_unit_test(what_was_built_must_be_seen),
		cmocka_unit_test(what_production_gathered_is_not_lost),
		cmocka_unit_test(what_a_new_table_cannot_keep_is_told),
		cmocka_unit_test(a_table_that_stays_gets_no_constraint),
		cmocka_unit_test(a_plan_may_be_looked_at_without_the_right_to_publish),
		cmocka_unit_test(the_warnings_of_the_routes_come_first),
		cmocka_unit_test(a_materialized_view_is_refused_before_the_build),
		cmocka_unit_test(a_materialized_view_over_a_table_that_stays_is_told),
		cmocka_unit_test(a_view_makes_room_for_a_table_that_staging_does_not_have_yet),
		cmocka_unit_test(every_strategy_is_a_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
