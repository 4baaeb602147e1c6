#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "route_support.h"

static void two_nodes_in_one_place_are_refused(void **state)
{
	WORLD = { .options = "--from staging --tags x,y --routes x=mart --routes y=mart",
		  .from = NODES({ .name = "a", .schema = "s1", .alias = "t", .tags = "x" },
				{ .name = "b", .schema = "s2", .alias = "t", .tags = "y" }) };
	CLEANUP(world_release)
	struct world v = {
		.from = NODES({ .name = "a", .alias = "t" }, { .name = "b", .alias = "t" }),
		.to = NODES({ .name = "a", .schema = "mart" }, { .name = "b", .schema = "mart" })
	};

	(void)state;
	refused(&w, ERR_DUPLICATE_RELATION,
		"'model.shop.a' and 'model.shop.b' are both 'db.mart.t' in production",
		"another alias");
	refused(&v, ERR_DUPLICATE_RELATION,
		"'model.shop.a' and 'model.shop.b' are both 'db.stage.t' in staging",
		"another alias");
}

static void one_place_is_what_the_warehouse_takes_for_one(void **state)
{
#define CASES                                                                                      \
	.from = NODES({ .name = "a", .alias = "orders" }, { .name = "b", .alias = "Orders" }),     \
	.to = NODES({ .name = "a", .schema = "mart", .alias = "orders" },                          \
		    { .name = "b", .schema = "MART", .alias = "ORDERS" })
	WORLD = { .adapter = "duckdb", CASES };
	CLEANUP(world_release) struct world v = { .adapter = "postgres", CASES };

	(void)state;
	resolve(&w);
	assert_int_equal(routes_check(&w.routes, &w.err), -1);
	assert_int_equal(w.routes.conflict_count, 2);
	assert_string_equal(
		w.err.message,
		"'model.shop.a' and 'model.shop.b' are both 'db.stage.Orders' in staging\n"
		"  'model.shop.a' and 'model.shop.b' are both 'db.MART.ORDERS' in "
		"production");
	accepted(&v);
}

static void a_side_that_differs_in_case_only_is_one_on_duckdb(void **state)
{
	WORLD = { .adapter = "duckdb",
		  .options = "--from staging --to prod --tags t",
		  .from = NODES({ .name = "a", .schema = "MART", .tags = "t" }),
		  .to = NODES({ .name = "a", .schema = "mart", .tags = "t" }) };

	(void)state;
	refused(&w, ERR_ROUTE_CONFLICT,
		"'model.shop.a' is 'db.MART.a' on both sides, so building it would already change "
		"production",
		NULL);
}

#define SIXTY "abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghij"

static void names_must_fit_where_they_are_published(void **state)
{
	WORLD = { .from = NODES({ .name = "a", .alias = SIXTY "abc" }, { .name = "b" }),
		  .to = NODES({ .name = "a", .schema = "mart", .alias = SIXTY "abc" },
			      { .name = "b", .schema = "mart", .alias = SIXTY "abcd" }) };

	(void)state;
	refused(&w, ERR_NAME_UNUSABLE,
		"'model.shop.b': the identifier of relation 'db.mart." SIXTY
		"abcd' has 64 bytes; PostgreSQL keeps at most 63",
		"rename");
	assert_int_equal(w.routes.conflict_count, 1);
}

static void shared_relations_can_be_refused(void **state)
{
	WORLD = { BOTH, .options = "--from staging --to prod --shared refuse" };
	CLEANUP(world_release)
	struct world v = { BOTH, .options = "--from staging --to prod --shared refuse",
			   .allowed_shared = "seed.shop.raw" };

	(void)state;
	refused(&w, ERR_ROUTE_CONFLICT,
		"'seed.shop.raw' is 'db.shared.raw' on both sides, and 'shared: refuse' is set",
		NULL);
	accepted(&v);
}

static void a_source_is_not_published_over(void **state)
{
	WORLD = { .options = "--from staging --tags raw",
		  .from = NODES({ .name = "customers", .tags = "raw" },
				{ .name = "customers", .type = "source", .schema = "raw" }) };

	(void)state;
	refused(&w, ERR_ROUTE_CONFLICT,
		"'model.shop.customers' would be published as 'db.raw.customers', which is the "
		"source 'source.shop.customers'",
		"another schema");
}

#define SHOWN(...)                                                                                 \
	.from = NODES({ .name = "base", .schema = "shared" }, { .name = "mart" }),                 \
	.to = NODES({ .name = "base", .schema = "shared" }, { .name = "mart", .schema = "mart" },  \
		    __VA_ARGS__)

static void a_view_of_production_must_not_show_what_is_not_tested(void **state)
{
	WORLD = { SHOWN({ .name = "report",
			  .schema = "mart",
			  .materialized = "view",
			  .parents = "model.shop.base" }) };
	CLEANUP(world_release)
	struct world v = { .allowed_shared = "model.shop.base",
			   SHOWN({ .name = "report",
				   .schema = "mart",
				   .materialized = "view",
				   .parents = "model.shop.base" }) };

	(void)state;
	refused(&w, ERR_ROUTE_CONFLICT,
		"'model.shop.report' is a view of 'prod' that reads 'db.shared.base', which a "
		"build writes before its tests",
		"allow_shared");
	accepted(&v);
}

static void a_view_is_followed_through_views_and_ephemeral_models(void **state)
{
	WORLD = { SHOWN({ .name = "report",
			  .schema = "mart",
			  .materialized = "view",
			  .parents = "model.shop.inner" },
			{ .name = "inner",
			  .schema = "mart",
			  .materialized = "ephemeral",
			  .parents = "model.shop.deep" },
			{ .name = "deep",
			  .schema = "mart",
			  .materialized = "view",
			  .parents = "model.shop.base" }) };

	(void)state;
	resolved(&w);
	assert_int_equal(w.routes.conflict_count, 2);
	assert_string_equal(w.routes.conflicts[0].unique_id, "model.shop.report");
	assert_string_equal(w.routes.conflicts[1].unique_id, "model.shop.deep");
}

static void a_table_between_keeps_its_view_safe(void **state)
{
	WORLD = { SHOWN({ .name = "report",
			  .schema = "mart",
			  .materialized = "view",
			  .parents = "model.shop.table" },
			{ .name = "table", .schema = "mart", .parents = "model.shop.base" }) };

	(void)state;
	accepted(&w);
}

static void shared_models_may_read_each_other(void **state)
{
	WORLD = { .from = NODES({ .name = "base", .schema = "shared" },
				{ .name = "over",
				  .schema = "shared",
				  .materialized = "view",
				  .parents = "model.shop.base" },
				{ .name = "mart" }),
		  .to = NODES({ .name = "base", .schema = "shared" },
			      { .name = "over",
				.schema = "shared",
				.materialized = "view",
				.parents = "model.shop.base" },
			      { .name = "mart", .schema = "mart" }) };

	(void)state;
	accepted(&w);
}

#define BLUE_GREEN "blue-green --from green --to prod"

static void schemas_that_are_exchanged_map_one_to_one(void **state)
{
	WORLD = { .options = BLUE_GREEN,
		  .from = NODES({ .name = "a", .schema = "green" },
				{ .name = "v",
				  .schema = "green",
				  .materialized = "view",
				  .parents = "model.shop.a" },
				{ .name = "b", .schema = "green_b" }),
		  .to = NODES({ .name = "a", .schema = "mart" },
			      { .name = "v",
				.schema = "mart",
				.materialized = "view",
				.parents = "model.shop.a" },
			      { .name = "b", .schema = "b" }) };

	(void)state;
	accepted(&w);
	assert_int_equal(w.routes.scope_count, 3);
	assert_int_equal(w.routes.container_count, 2);
	assert_string_equal(w.routes.containers[0].to.schema, "b");
	assert_string_equal(w.routes.containers[1].from.schema, "green");
	assert_string_equal(w.routes.containers[1].to.schema, "mart");

	CLEANUP(world_release)
	struct world v = { .options = BLUE_GREEN,
			   .from = NODES({ .name = "a", .schema = "green" },
					 { .name = "b", .schema = "green" }),
			   .to = NODES({ .name = "a", .schema = "mart" },
				       { .name = "b", .schema = "utils" }) };

	refused(&v, ERR_ROUTE_CONFLICT,
		"'model.shop.b' is 'db.green.b' in staging and 'db.utils.b' in production: its "
		"schema in staging already stands for another one of production",
		"wac and production-rollback");
}

#define IN(DATABASE, NAME, SCHEMA)                                                                 \
	{                                                                                          \
		.name = NAME, .database = DATABASE, .schema = SCHEMA                               \
	}

static void sides_that_differ_by_databases_exchange_these_whole(void **state)
{
	WORLD = { .adapter = "snowflake",
		  .options = BLUE_GREEN,
		  .from = NODES(IN("STG", "a", "MART"), IN("STG", "b", "UTILS"),
				IN("STG2", "c", "MART")),
		  .to = NODES(IN("PROD", "a", "MART"), IN("PROD", "b", "UTILS"),
			      IN("PROD2", "c", "MART")) };

	(void)state;
	accepted(&w);
	assert_int_equal(w.routes.container_count, 2);
	assert_string_equal(w.routes.containers[0].from.database, "STG");
	assert_string_equal(w.routes.containers[0].to.database, "PROD");
	assert_string_equal(w.routes.containers[0].to.schema, "");
	assert_string_equal(w.routes.containers[1].to.database, "PROD2");
}

static void databases_that_do_not_map_are_refused(void **state)
{
	WORLD = { .adapter = "snowflake",
		  .options = BLUE_GREEN,
		  .from = NODES(IN("STG", "a", "GREEN")),
		  .to = NODES(IN("PROD", "a", "MART")) };
	CLEANUP(world_release)
	struct world two = { .adapter = "snowflake",
			     .options = BLUE_GREEN,
			     .from = NODES(IN("STG", "a", "MART"), IN("STG", "b", "MART")),
			     .to = NODES(IN("PROD", "a", "MART"), IN("PROD2", "b", "MART")) };
	CLEANUP(world_release)
	struct world left = { .adapter = "snowflake",
			      .options = BLUE_GREEN,
			      .selected = "model.shop.a",
			      .from = NODES(IN("STG", "a", "MART"), IN("STG", "b", "UTILS")),
			      .to = NODES(IN("PROD", "a", "MART"), IN("PROD", "b", "UTILS")) };

	(void)state;
	refused(&w, ERR_ROUTE_CONFLICT,
		"'model.shop.a' is 'STG.GREEN.A' in staging and 'PROD.MART.A' in production: an "
		"exchange of databases keeps the names of their schemas",
		"wac and production-rollback");
	refused(&two, ERR_ROUTE_CONFLICT,
		"'model.shop.b' is 'STG.MART.B' in staging and 'PROD2.MART.B' in production: its "
		"schema in staging already stands for another one of production",
		"wac and production-rollback");
	refused(&left, ERR_ROUTE_CONFLICT,
		"'model.shop.b' is in a database that is exchanged and would not be built (left "
		"out by the selection): production would get what staging holds of it from an "
		"earlier time",
		"production-rollback");
}

static void what_an_exchange_would_take_along_or_lose_is_refused(void **state)
{
	WORLD = { .options = BLUE_GREEN,
		  .selected = "model.shop.a",
		  .from = NODES({ .name = "a", .schema = "green" },
				{ .name = "b", .schema = "green" }),
		  .to = NODES({ .name = "a", .schema = "mart" },
			      { .name = "b", .schema = "mart" }) };

	(void)state;
	refused(&w, ERR_ROUTE_CONFLICT,
		"'model.shop.b' is in a schema that is exchanged and would not be built (left out "
		"by the selection): production would get what staging holds of it from an earlier "
		"time",
		"production-rollback");

	CLEANUP(world_release)
	struct world v = { .options = BLUE_GREEN,
			   .from = NODES({ .name = "a", .schema = "green" }),
			   .to = NODES({ .name = "a", .schema = "mart" },
				       { .name = "b", .schema = "mart" }) };

	refused(&v, ERR_ROUTE_CONFLICT,
		"'model.shop.b' is in a schema that is exchanged and only in the manifest of "
		"'prod': production would lose it",
		NULL);
}

static void blue_green_of_files_keeps_all_names(void **state)
{
	WORLD = { .adapter = "duckdb",
		  .options = BLUE_GREEN,
		  .from = NODES({ .name = "a", .schema = "green" }),
		  .to = NODES({ .name = "a", .schema = "mart" }) };

	(void)state;
	refused(&w, ERR_ROUTE_CONFLICT,
		"'model.shop.a' is 'db.green.a' in staging and 'db.mart.a' in production: an "
		"exchange of files keeps the names of what is in them",
		"wac and production-rollback");
}

static void blue_green_is_told_where_production_is(void **state)
{
	WORLD = { .options = "blue-green --from green --tags mart",
		  .from = NODES({ .name = "a", .schema = "green", .tags = "mart" }) };

	(void)state;
	refused(&w, ERR_CONFIG_INVALID, "blue-green needs 'to': which target is production?",
		"--to");
}

static void an_exchanged_view_must_not_go_on_reading_staging(void **state)
{
	WORLD = { .options = BLUE_GREEN,
		  .selected = "model.shop.v",
		  .from = NODES({ .name = "a", .schema = "green_a" },
				{ .name = "v",
				  .schema = "green",
				  .materialized = "view",
				  .parents = "model.shop.a" }),
		  .to = NODES({ .name = "a", .schema = "a" }, { .name = "v",
								.schema = "mart",
								.materialized = "view",
								.parents = "model.shop.a" }) };

	(void)state;
	refused(&w, ERR_ROUTE_CONFLICT,
		"'model.shop.v' is a view that reads 'model.shop.a', which is not exchanged with "
		"it: in production it would go on reading staging's",
		"table");
}

#define WAP "wap --from audit --to prod --tags mart"

static void a_shared_view_must_not_read_what_only_staging_has(void **state)
{
#define OVER_RAW(SCHEMA)                                                                           \
	{ .name = "raw", .schema = (SCHEMA) },                                                     \
		{ .name = "inner", .materialized = "ephemeral", .parents = "model.shop.raw" },     \
		{ .name = "over",                                                                  \
		  .schema = "shared",                                                              \
		  .materialized = "view",                                                          \
		  .parents = "model.shop.inner" },                                                 \
		{ .name = "top",                                                                   \
		  .schema = "shared",                                                              \
		  .materialized = "view",                                                          \
		  .parents = "model.shop.over" }
#define MART(SCHEMA)                                                                               \
	{                                                                                          \
		.name = "mart", .schema = (SCHEMA), .tags = "mart", .parents = "model.shop.top"    \
	}
	WORLD = { .options = WAP,
		  .from = NODES(OVER_RAW("unaudited"), MART("unaudited")),
		  .to = NODES(OVER_RAW("raw"), MART("mart")) };

	(void)state;
	refused(&w, ERR_ROUTE_CONFLICT,
		"'db.shared.over' ('model.shop.over') is a view that both sides share, and the "
		"build would let it read 'db.unaudited.raw', which only 'audit' has",
		"generate_schema_name");
	assert_int_equal(w.routes.conflict_count, 1);
}

static void an_audit_must_not_overwrite_a_model_of_the_default_schema(void **state)
{
#define DEFAULT_SCHEMA { .name = "calendar", .schema = "analytics", .has_no_schema = true }
#define SEED                                                                                       \
	{                                                                                          \
		.name = "raw", .type = "seed", .schema = "analytics", .has_no_schema = true        \
	}
	WORLD = { .options = WAP,
		  .from = NODES(DEFAULT_SCHEMA, SEED, MART("unaudited")),
		  .to = NODES(DEFAULT_SCHEMA, SEED, MART("mart")) };
	CLEANUP(world_release)
	struct world v = { .options = WAP,
			   .allowed_shared = "model.shop.calendar",
			   .from = NODES(DEFAULT_SCHEMA, SEED, MART("unaudited")),
			   .to = NODES(DEFAULT_SCHEMA, SEED, MART("mart")) };

	(void)state;
	refused(&w, ERR_ROUTE_CONFLICT,
		"'model.shop.calendar' has no schema of its own, so the audit build would "
		"overwrite 'db.analytics.calendar' in production",
		"allow_shared");
	assert_int_equal(w.routes.conflict_count, 1);
	accepted(&v);
}

static void the_shared_layer_of_an_audit_is_listed(void **state)
{
#define LAYER                                                                                      \
	{ .name = "raw", .type = "seed", .schema = "staging" }, { .name = "stg",                   \
								  .schema = "staging",             \
								  .materialized = "view",          \
								  .parents = "seed.shop.raw" }
	WORLD = { .options = WAP,
		  .from = NODES(LAYER, MART("unaudited")),
		  .to = NODES(LAYER, MART("mart")) };

	(void)state;
	accepted(&w);
	warns(&w, "'db.staging.raw' ('seed.shop.raw') is shared by both sides");
	warns(&w, "'db.staging.stg' ('model.shop.stg') is shared by both sides");
	in_scope(&w, "model.shop.mart", "has the tag mart");
}

static void production_is_rebuilt_from_what_was_audited_only(void **state)
{
#define REBUILT(BASE, MARTS)                                                                       \
	{ .name = "stg", .schema = "staging", .materialized = "view" },                            \
		{ .name = "base", .schema = (BASE) },                                              \
		{ .name = "helper", .materialized = "ephemeral", .parents = "model.shop.base" },   \
		{ .name = "mart",                                                                  \
		  .schema = (MARTS),                                                               \
		  .tags = "mart",                                                                  \
		  .parents = "model.shop.helper,model.shop.stg" },                                 \
		{ .name = "over",                                                                  \
		  .schema = (MARTS),                                                               \
		  .materialized = "view",                                                          \
		  .parents = "model.shop.mart" }
	WORLD = { .options = WAP,
		  .from = NODES(REBUILT("unaudited", "unaudited")),
		  .to = NODES(REBUILT("other", "mart")) };
	CLEANUP(world_release)
	struct world v = { .options = WAP " --stale-ok base,over",
			   .from = NODES(REBUILT("unaudited", "unaudited")),
			   .to = NODES(REBUILT("other", "mart")) };
	CLEANUP(world_release)
	struct world u = { .options = WAP " --publish-by copy",
			   .from = NODES(REBUILT("unaudited", "unaudited")),
			   .to = NODES(REBUILT("other", "mart")) };

	(void)state;
	refused(&w, ERR_ROUTE_CONFLICT,
		"'model.shop.mart' would be rebuilt from 'db.other.base' ('model.shop.base'), "
		"which "
		"is not what was audited\n"
		"  'model.shop.over' is a view of 'model.shop.mart' that stays on "
		"'db.unaudited.over': it is not in the scope, so production's is not rebuilt with "
		"what it reads",
		"stale_ok");
	accepted(&v);
	assert_true(of(&v, "model.shop.stg")->is_ancestor);
	assert_false(of(&v, "model.shop.base")->is_ancestor);
	warns(&v, "'model.shop.mart' is rebuilt from 'db.other.base'");
	accepted(&u);
}

static void only_models_are_rebuilt(void **state)
{
	WORLD = { .options = WAP,
		  .from = NODES({ .name = "mart", .type = "snapshot", .tags = "mart" }),
		  .to = NODES(
			  { .name = "mart", .type = "snapshot", .schema = "m", .tags = "mart" }) };

	(void)state;
	refused(&w, ERR_UNSUPPORTED,
		"'snapshot.shop.mart' is a snapshot, and only models can be rebuilt in production",
		"publish_by: copy");
}

static void wap_is_told_where_production_is(void **state)
{
	WORLD = { STAGING, .options = "wap --from audit --tags mart" };

	(void)state;
	refused(&w, ERR_CONFIG_INVALID, "wap needs 'to': which target is production?", "--to");
}

#define HOOK(SQL)                                                                                  \
	.from = NODES({ .name = "a", .hooks = (SQL) }),                                            \
	.to = NODES({ .name = "a", .schema = "mart", .hooks = (SQL) })

static void hooks_are_listed(void **state)
{
	WORLD = { HOOK("grant select on {{ this }} to mart_reader, smart") };

	(void)state;
	accepted(&w);
	warns(&w, "a hook of 'model.shop.a' runs in staging before the tests");
}

static void a_hook_that_names_production_is_refused(void **state)
{
	WORLD = { HOOK("insert into \"Mart\".log values (1)") };
	CLEANUP(world_release)
	struct world v = { HOOK("vacuum mart.a"), .options =
							  "--from staging --to prod --allow-hooks "
							  "a" };

	(void)state;
	refused(&w, ERR_ROUTE_CONFLICT,
		"a hook of 'model.shop.a' names the production schema 'mart', and hooks run in "
		"staging before the tests",
		"allow_hooks");
	accepted(&v);
}

static void a_hook_of_the_project_counts_too(void **state)
{
	WORLD = { .from = NODES({ .name = "a" }, { .name = "on-run-end-0",
						   .type = "operation",
						   .hooks = "truncate mart.a" }),
		  .to = NODES({ .name = "a", .schema = "mart" }) };
	CLEANUP(world_release)
	struct world v = { .options = "--from staging --to prod --allow-hooks *",
			   .from = NODES({ .name = "a" }, { .name = "on-run-end-0",
							    .type = "operation",
							    .hooks = "truncate mart.a" }),
			   .to = NODES({ .name = "a", .schema = "mart" }) };

	(void)state;
	refused(&w, ERR_ROUTE_CONFLICT,
		"a hook of 'operation.shop.on-run-end-0' names the production schema 'mart', and "
		"hooks run in staging before the tests",
		NULL);
	accepted(&v);
}

static void a_hook_outside_the_scope_is_not_listed(void **state)
{
	WORLD = { .options = "--from staging --to prod --tags mart",
		  .from = NODES({ .name = "a", .tags = "mart" },
				{ .name = "b", .hooks = "analyze {{ this }}" }),
		  .to = NODES({ .name = "a", .schema = "mart", .tags = "mart" },
			      { .name = "b", .schema = "mart" }) };

	(void)state;
	accepted(&w);
	assert_int_equal(w.routes.warnings.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_nodes_in_one_place_are_refused),
		cmocka_unit_test(one_place_is_what_the_warehouse_takes_for_one),
		cmocka_unit_test(a_side_that_differs_in_case_only_is_one_on_duckdb),
		cmocka_unit_test(names_must_fit_where_they_are_published),
		cmocka_unit_test(shared_relations_can_be_refused),
		cmocka_unit_test(a_source_is_not_published_over),
		cmocka_unit_test(a_view_of_production_must_not_show_what_is_not_tested),
		cmocka_unit_test(a_view_is_followed_through_views_and_ephemeral_models),
		cmocka_unit_test(a_table_between_keeps_its_view_safe),
		cmocka_unit_test(shared_models_may_read_each_other),
		cmocka_unit_test(a_shared_view_must_not_read_what_only_staging_has),
		cmocka_unit_test(an_audit_must_not_overwrite_a_model_of_the_default_schema),
		cmocka_unit_test(the_shared_layer_of_an_audit_is_listed),
		cmocka_unit_test(schemas_that_are_exchanged_map_one_to_one),
		cmocka_unit_test(sides_that_differ_by_databases_exchange_these_whole),
		cmocka_unit_test(databases_that_do_not_map_are_refused),
		cmocka_unit_test(what_an_exchange_would_take_along_or_lose_is_refused),
		cmocka_unit_test(an_exchanged_view_must_not_go_on_reading_staging),
		cmocka_unit_test(blue_green_of_files_keeps_all_names),
		cmocka_unit_test(blue_green_is_told_where_production_is),
		cmocka_unit_test(production_is_rebuilt_from_what_was_audited_only),
		cmocka_unit_test(only_models_are_rebuilt),
		cmocka_unit_test(wap_is_told_where_production_is),
		cmocka_unit_test(hooks_are_listed),
		cmocka_unit_test(a_hook_that_names_production_is_refused),
		cmocka_unit_test(a_hook_of_the_project_counts_too),
		cmocka_unit_test(a_hook_outside_the_scope_is_not_listed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
