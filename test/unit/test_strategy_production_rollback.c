#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "airlock/deploy/scope_build.h"
#include "airlock/deploy/strategy.h"
#include "made.h"

#define NODES(...)                                                                                 \
	(const struct made_node[]) { __VA_ARGS__ },                                                \
		ARRAY_LEN(((const struct made_node[]) { __VA_ARGS__ }))

/* A plan of two sides that have the same nodes; production's are in the schema `prod`. */
struct world {
	const char *adapter; /* NULL: duckdb */
	const char *options;
	const char *picture; /* NULL: nothing is there yet */
	const char *build;   /* an option of dbt's */
	const char *wanted;  /* what --build selects: unique_ids with a comma between; NULL: none */
	const struct made_node *nodes;
	size_t count;
	const char *shared; /* the node that both sides have in one relation; NULL: none */
	const char *absent; /* the node that production's manifest does not have; NULL: none */

	struct config config;
	struct manifest *from, *to;
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
	manifest_free(w->from);
	manifest_free(w->to);
	strv_release(&w->build_options);
	strv_release(&w->build_select);
	config_release(&w->config);
	err_release(&w->err);
}

static bool is_named(const struct made_node *node, const char *name)
{
	return name && strcmp(node->name, name) == 0;
}

static void make_sides(struct world *w)
{
	const char *adapter = w->adapter ? w->adapter : "duckdb";
	struct made_node to[16];
	size_t n = 0;

	for (size_t i = 0; i < w->count; i++) {
		if (is_named(&w->nodes[i], w->absent))
			continue;
		to[n] = w->nodes[i];
		if (!is_named(&w->nodes[i], w->shared))
			to[n].schema = "prod";
		n++;
	}
	w->from = made_manifest(adapter, w->nodes, w->count);
	w->to = made_manifest(adapter, to, n);
}

static int plan(struct world *w)
{
	char *options CLEANUP(mem_free_string) =
		mem_printf("production-rollback --from staging --to prod %s",
			   w->options ? w->options : "--tags t");
	struct strv wanted CLEANUP(strv_release) = STRV_INIT;
	struct strategy_input input = { .config = &w->config,
					.routes = &w->routes,
					.observed = &w->observed,
					.build_options = &w->build_options,
					.build_select = &w->build_select,
					.database = "db" };

	made_config(&w->config, options);
	make_sides(w);
	input.dialect = dialect_find(manifest_adapter_type(w->from));
	if (w->build)
		strv_push(&w->build_options, w->build);
	if (w->wanted)
		strv_split(&wanted, w->wanted, ",");
	if (routes_resolve(&w->config, input.dialect, w->from, w->to, NULL, NULL, NULL, &w->routes,
			   &w->err) < 0)
		fail_msg("%s", w->err.message);
	scope_build_choose(&w->config, w->from, w->wanted ? &wanted : NULL, &w->routes);
	scope_build_push_words(&w->routes, &w->build_select);
	if (routes_check(&w->routes, &w->err) < 0)
		return -1;
	made_picture(&w->observed, w->picture ? w->picture : "{}");
	return strategy_plan(strategy_find("production-rollback"), &input, &w->plan, &w->err);
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

static void builds(const struct world *w, const char *words)
{
	CLEANUP(mem_free_string) char *line = strv_join(&w->build_select, " ");

	assert_string_equal(line, words);
}

static const char *build_line(struct world *w)
{
	CLEANUP(mem_free_string)
	char *line = strv_join(&plan_step(&w->plan, "build")->command, " ");

	return arena_strdup(&w->plan.arena, line);
}

static size_t prepares(const struct world *w, const char *text)
{
	const struct step *step = plan_step(&w->plan, "prepare");

	for (size_t i = 0; step && i < step->sql.n; i++)
		if (strstr(step->sql.v[i], text))
			return i + 1;
	return 0;
}

#define TABLE_OF(SCHEMA, NAME, KIND, REST)                                                         \
	"{'database': 'db', 'schema': '" SCHEMA "', 'identifier': '" NAME "', 'kind': '" KIND "'," \
	" 'object': '1/1', 'columns': [{'name': 'id', 'type': 'INTEGER'}]" REST "}"
#define TABLE(SCHEMA, NAME) TABLE_OF(SCHEMA, NAME, "table", "")
#define VIEW(SCHEMA, NAME) TABLE_OF(SCHEMA, NAME, "view", "")
#define PICTURE(...) "{'relations': [" __VA_ARGS__ "]}"

#define EVENTS                                                                                     \
	{                                                                                          \
		.name = "events", .materialized = "incremental", .tags = "t"                       \
	}
#define HISTORY                                                                                    \
	{                                                                                          \
		.name = "history", .type = "snapshot", .tags = "t"                                 \
	}
#define BOTH_THERE PICTURE(TABLE("prod", "events") "," TABLE("prod", "history"))

static void incremental_models_and_snapshots_are_copied_tables_are_not(void **state)
{
	WORLD = { .nodes = NODES(EVENTS, HISTORY, { .name = "daily", .tags = "t" }),
		  .picture = PICTURE(TABLE("prod", "events") "," TABLE("prod", "history") "," TABLE(
			  "prod", "daily")) };

	(void)state;
	planned(&w);
	assert_int_equal(w.plan.copy_count, 2);
	assert_string_equal(w.plan.copies[0].route->node->name, "events");
	assert_string_equal(w.plan.copies[1].route->node->name, "history");
	assert_true(prepares(&w, "create schema if not exists \"db\".\"stage\""));
	assert_true(prepares(&w, "insert into \"db\".\"stage\".\"events\" (\"id\") select \"id\" "
				 "from \"db\".\"prod\".\"events\""));
	assert_false(prepares(&w, "daily"));
	assert_false(plan_step(&w.plan, "prepare")->changes_production);
	assert_true(plan_step(&w.plan, "prepare")->idempotent);
	assert_int_equal(plan_step(&w.plan, "prepare")->kind, STEP_TRANSACTION);
	assert_string_equal(w.plan.conflict, "content");
}

static void nothing_to_copy_needs_no_step(void **state)
{
	WORLD = { .nodes = NODES({ .name = "daily", .tags = "t" }) };

	(void)state;
	planned(&w);
	assert_null(plan_step(&w.plan, "prepare"));
	assert_non_null(strstr(build_line(&w), " --no-defer "));
}

static void production_is_locked_from_the_beginning(void **state)
{
	WORLD = { .nodes = NODES(EVENTS), .picture = PICTURE(TABLE("prod", "events")) };
	size_t fences = 0, acquired = 0;

	(void)state;
	planned(&w);
	const struct strv *lock = &plan_step(&w.plan, "lock")->sql;
	const struct strv *publish = &plan_step(&w.plan, "publish")->sql;

	for (size_t i = 0; i < lock->n; i++)
		acquired += strncmp(lock->v[i], "update ", 7) == 0;
	for (size_t i = 0; i < publish->n; i++)
		fences += strstr(publish->v[i], DIALECT_RAISED_FENCE) != NULL;
	assert_int_equal(acquired, 2);
	assert_int_equal(fences, 2);
	for (size_t i = 0; i < publish->n; i++)
		assert_null(strstr(publish->v[i], DIALECT_RAISED_HELD));
}

static void full_refresh_is_not_copied_unless_the_node_forbids_it(void **state)
{
	WORLD = { .nodes = NODES(EVENTS, HISTORY,
				 { .name = "kept",
				   .materialized = "incremental",
				   .full_refresh = "false",
				   .tags = "t" }),
		  .build = "--full-refresh",
		  .picture = PICTURE(TABLE("prod", "events") "," TABLE("prod", "history") "," TABLE(
			  "prod", "kept")) };
	CLEANUP(world_release)
	struct world always = { .nodes = NODES({ .name = "anew",
						 .materialized = "incremental",
						 .full_refresh = "true",
						 .tags = "t" }),
				.picture = PICTURE(TABLE("prod", "anew")) };

	(void)state;
	planned(&w);
	assert_int_equal(w.plan.copy_count, 2);
	assert_string_equal(w.plan.copies[0].route->node->name, "kept");
	assert_string_equal(w.plan.copies[0].reason, "full_refresh: false keeps what it has");
	assert_string_equal(w.plan.copies[1].route->node->name, "history");
	planned(&always);
	assert_int_equal(always.plan.copy_count, 0);
}

static void what_production_lacks_is_removed_from_staging(void **state)
{
	WORLD = { .nodes = NODES(EVENTS, HISTORY),
		  .picture = PICTURE(TABLE("stage", "events") "," TABLE("prod", "history")) };
	CLEANUP(world_release)
	struct world neither = { .nodes = NODES(EVENTS) };

	(void)state;
	planned(&w);
	assert_int_equal(w.plan.copies[0].way, PUBLISH_REMOVE);
	assert_true(prepares(&w, "drop table \"db\".\"stage\".\"events\""));
	planned(&neither);
	assert_null(plan_step(&neither.plan, "prepare"));
}

static void parents_are_read_from_production(void **state)
{
	WORLD = { .nodes = NODES(
			  { .name = "raw", .type = "seed" },
			  { .name = "stg", .materialized = "view", .parents = "seed.shop.raw" },
			  { .name = "daily", .tags = "t", .parents = "model.shop.stg" }),
		  .picture = PICTURE(VIEW("prod", "stg")) };

	(void)state;
	planned(&w);
	builds(&w, "shop.daily");
	assert_int_equal(w.plan.read_count, 1);
	assert_string_equal(w.plan.reads[0]->node->name, "stg");
	assert_non_null(strstr(build_line(&w), " --defer --favor-state --state "
					       "target/airlock/state/staging --select shop.daily"));
}

static void a_parent_that_production_lacks_is_refused(void **state)
{
	const struct made_node nodes[] = {
		{ .name = "raw" }, { .name = "daily", .tags = "t", .parents = "model.shop.raw" }
	};
	WORLD = { .nodes = nodes, .count = 2 };
	CLEANUP(world_release) struct world v = { .nodes = nodes, .count = 2, .absent = "raw" };

	(void)state;
	refused(&w, ERR_RELATION_MISSING,
		"'db.prod.raw' ('model.shop.raw') is read by the build and does not exist in "
		"production");
	refused(&v, ERR_ROUTE_CONFLICT,
		"'model.shop.daily' reads 'model.shop.raw', which is not built and is not in the "
		"manifest of 'prod'");
}

/* fact (scope) <- shows (view) <- thin (ephemeral) <- sums (scope): left to production, the view
 * would show production's rows. */
#define SHOWN                                                                                      \
	NODES({ .name = "fact", .tags = "t" },                                                     \
	      { .name = "shows", .materialized = "view", .parents = "model.shop.fact" },           \
	      { .name = "thin", .materialized = "ephemeral", .parents = "model.shop.shows" },      \
	      { .name = "sums", .tags = "t", .parents = "model.shop.thin" },                       \
	      { .name = "report", .materialized = "view", .parents = "model.shop.sums" })

static void a_view_between_two_nodes_of_the_scope_is_built(void **state)
{
	WORLD = { .nodes = SHOWN };
	CLEANUP(world_release) struct world v = { .nodes = SHOWN, .shared = "shows" };
	CLEANUP(world_release)
	struct world given = { .nodes = SHOWN, .wanted = "model.shop.fact,model.shop.sums" };

	(void)state;
	planned(&w);
	builds(&w, "shop.fact shop.shows shop.sums");
	assert_int_equal(w.plan.read_count, 0);
	refused(&v, ERR_ROUTE_CONFLICT,
		"'model.shop.shows' shows what is built, and is one relation on both sides: "
		"'model.shop.thin' would read production's rows through it");
	refused(&given, ERR_ROUTE_CONFLICT,
		"'model.shop.shows' shows what is built, and --build leaves it out: "
		"'model.shop.thin' would read production's rows through it");
}

static void a_view_that_a_test_of_the_scope_reads_is_built(void **state)
{
	WORLD = { .nodes = NODES(
			  { .name = "fact", .tags = "t" },
			  { .name = "shows", .materialized = "view", .parents = "model.shop.fact" },
			  { .name = "same",
			    .type = "test",
			    .parents = "model.shop.fact,model.shop.shows" }) };

	(void)state;
	planned(&w);
	builds(&w, "shop.fact shop.shows");
}

static void parents_copy_copies_tables_and_builds_views(void **state)
{
	WORLD = { .options = "--tags t --parents copy",
		  .nodes = NODES(
			  { .name = "raw", .type = "seed" }, { .name = "codes", .type = "seed" },
			  { .name = "stg", .materialized = "view", .parents = "seed.shop.raw" },
			  { .name = "daily",
			    .tags = "t",
			    .parents = "model.shop.stg,seed.shop.codes" }),
		  .shared = "codes",
		  .picture = PICTURE(TABLE("prod", "raw") "," TABLE("stage", "codes")) };

	(void)state;
	planned(&w);
	builds(&w, "shop.daily shop.stg");
	assert_int_equal(w.plan.copy_count, 1);
	assert_string_equal(w.plan.copies[0].route->node->name, "raw");
	assert_string_equal(w.plan.copies[0].reason, "the build reads it");
	assert_false(prepares(&w, "codes"));
	assert_non_null(strstr(build_line(&w), " --no-defer "));
}

static void what_build_selects_is_built_and_copied(void **state)
{
	WORLD = { .wanted = "model.shop.daily,model.shop.log",
		  .nodes = NODES({ .name = "log", .materialized = "incremental" },
				 { .name = "daily", .tags = "t", .parents = "model.shop.log" }),
		  .picture = PICTURE(TABLE("prod", "log")) };
	CLEANUP(world_release)
	struct world v = { .wanted = "model.shop.log",
			   .nodes = NODES({ .name = "log" }, { .name = "daily", .tags = "t" }) };

	(void)state;
	planned(&w);
	assert_int_equal(w.plan.copy_count, 1);
	assert_string_equal(w.plan.copies[0].route->node->name, "log");
	assert_int_equal(w.plan.read_count, 0);
	refused(&v, ERR_ROUTE_CONFLICT,
		"'model.shop.daily' is published, and --build leaves it out");
}

static void what_both_sides_share_is_not_built(void **state)
{
	WORLD = { .wanted = "model.shop.codes,model.shop.daily",
		  .nodes = NODES({ .name = "codes" }, { .name = "daily", .tags = "t" }),
		  .shared = "codes" };

	(void)state;
	refused(&w, ERR_ROUTE_CONFLICT,
		"'model.shop.codes' is one relation on both sides, so building it would already "
		"change production");
}

static void options_of_dbt_that_are_its_own_are_refused(void **state)
{
	WORLD = { .nodes = NODES(EVENTS), .build = "--favor-state" };

	(void)state;
	refused(&w, ERR_DBT_OPTION, "'--favor-state' is set by production-rollback itself");
}

static void postgres_keeps_a_table_of_staging_that_is_alike(void **state)
{
	WORLD = { .adapter = "postgres",
		  .nodes = NODES(EVENTS, HISTORY),
		  .picture =
			  PICTURE(TABLE("prod", "events") "," TABLE("stage", "events") "," TABLE_OF(
				  "prod", "history", "table",
				  ", 'indexes': [{'name': 'x', 'definition': 'USING btree (id)', "
				  "'columns': "
				  "['id']}]") "," TABLE("stage", "history")) };

	(void)state;
	planned(&w);
	assert_int_equal(w.plan.copies[0].way, PUBLISH_REWRITE);
	assert_true(prepares(&w, "truncate \"stage\".\"events\""));
	assert_int_equal(w.plan.copies[1].way, PUBLISH_REPLACE);
	assert_true(prepares(&w, DIALECT_RAISED_USED));
	assert_true(prepares(&w, "create table \"stage\".\"history\" (like \"prod\".\"history\" "
				 "including all excluding comments"));
}

static void a_view_of_production_is_no_table_to_go_on_from(void **state)
{
	WORLD = { .options = "--tags t --parents copy",
		  .nodes = NODES({ .name = "raw" },
				 { .name = "daily", .tags = "t", .parents = "model.shop.raw" }),
		  .picture = PICTURE(VIEW("prod", "raw") "," VIEW("stage", "raw")) };

	(void)state;
	planned(&w);
	assert_true(prepares(&w, "drop view \"db\".\"stage\".\"raw\""));
	assert_true(prepares(&w, "from \"db\".\"prod\".\"raw\""));
}

static void a_name_that_is_a_folder_too_is_selected_by_its_file(void **state)
{
	struct strv words CLEANUP(strv_release) = STRV_INIT;
	const char *const folder[] = { "shop", "orders" };
	const char *const within[] = { "shop", "orders", "late" };
	const struct manifest_node nodes[] = {
		{ .unique_id = "a", .path = "models/orders.sql", .fqn = folder, .fqn_count = 2 },
		{ .unique_id = "b",
		  .path = "models/orders/late.sql",
		  .fqn = within,
		  .fqn_count = 3 },
	};
	struct route items[] = { { .node = &nodes[0], .is_built = true }, { .node = &nodes[1] } };
	const struct routes routes = { .items = items, .n = 2 };

	(void)state;
	scope_build_push_words(&routes, &words);
	assert_int_equal(words.n, 1);
	assert_string_equal(words.v[0], "shop.orders,path:models/orders.sql");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(incremental_models_and_snapshots_are_copied_tables_are_not),
		cmocka_unit_test(nothing_to_copy_needs_no_step),
		cmocka_unit_test(production_is_locked_from_the_beginning),
		cmocka_unit_test(full_refresh_is_not_copied_unless_the_node_forbids_it),
		cmocka_unit_test(what_production_lacks_is_removed_from_staging),
		cmocka_unit_test(parents_are_read_from_production),
		cmocka_unit_test(a_parent_that_production_lacks_is_refused),
		cmocka_unit_test(a_view_between_two_nodes_of_the_scope_is_built),
		cmocka_unit_test(a_view_that_a_test_of_the_scope_reads_is_built),
		cmocka_unit_test(parents_copy_copies_tables_and_builds_views),
		cmocka_unit_test(what_build_selects_is_built_and_copied),
		cmocka_unit_test(what_both_sides_share_is_not_built),
		cmocka_unit_test(options_of_dbt_that_are_its_own_are_refused),
		cmocka_unit_test(postgres_keeps_a_table_of_staging_that_is_alike),
		cmocka_unit_test(a_view_of_production_is_no_table_to_go_on_from),
		cmocka_unit_test(a_name_that_is_a_folder_too_is_selected_by_its_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
