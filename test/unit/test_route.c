#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "route_support.h"

static void two_sides_are_joined_by_unique_id(void **state)
{
	WORLD = { BOTH };

	(void)state;
	accepted(&w);
	assert_int_equal(w.routes.n, 4);
	assert_int_equal(w.routes.scope_count, 3);
	assert_int_equal(w.routes.view_count, 1);
	in_scope(&w, "model.shop.open_orders", "its two relations differ");
	assert_true(of(&w, "model.shop.open_orders")->is_view);
	in_scope(&w, "model.shop.orders", "its two relations differ");
	goes_to(&w, "model.shop.orders", "db.mart.orders");
	goes_to(&w, "model.shop.days", "db.utils.days");
	out_of_scope(&w, "seed.shop.raw", "both sides are one relation");
	assert_true(of(&w, "seed.shop.raw")->is_shared);
	warns(&w, "'db.shared.raw' ('seed.shop.raw') is shared by both sides");
	assert_null(routes_find(&w.routes, "model.shop.helper"));
	assert_null(routes_find(&w.routes, "test.shop.unique_id"));
}

static void a_view_stays_as_it_is_where_views_are_skipped(void **state)
{
	WORLD = { BOTH, .options = "--from staging --to prod --views skip" };

	(void)state;
	resolved(&w);
	out_of_scope(&w, "model.shop.open_orders",
		     "its materialization is view, and views are left out");
	warns(&w, "'model.shop.open_orders' is a view and is not published");
}

static void a_view_is_refused_where_that_is_asked(void **state)
{
	WORLD = { BOTH, .options = "--from staging --to prod --views refuse" };

	(void)state;
	refused(&w, ERR_UNSUPPORTED,
		"'model.shop.open_orders' is a view, and 'views: refuse' is set", "views: skip");
}

static void a_published_view_reads_what_is_published_with_it(void **state)
{
	static const struct made_node from[] = {
		{ .name = "a" },
		{ .name = "hidden", .materialized = "ephemeral", .parents = "model.shop.a" },
		{ .name = "v",
		  .materialized = "view",
		  .tags = "mart",
		  .parents = "model.shop.hidden" },
		{ .name = "t", .tags = "mart" },
	};
	static const struct made_node to[] = {
		{ .name = "a", .schema = "mart" },
		{ .name = "hidden", .materialized = "ephemeral", .parents = "model.shop.a" },
		{ .name = "v",
		  .schema = "mart",
		  .materialized = "view",
		  .tags = "mart",
		  .parents = "model.shop.hidden" },
		{ .name = "t", .schema = "mart", .tags = "mart" },
	};
#define HIDDEN .from = from, .from_count = ARRAY_LEN(from), .to = to, .to_count = ARRAY_LEN(to)
	WORLD = { HIDDEN, .options = "--from staging --to prod --tags mart" };
	CLEANUP(world_release)
	struct world stale = { HIDDEN,
			       .options = "--from staging --to prod --tags mart --stale-ok a" };
	CLEANUP(world_release) struct world all = { HIDDEN };

	(void)state;
	refused(&w, ERR_ROUTE_CONFLICT,
		"'model.shop.v' is a view that reads 'model.shop.a', which is not published with "
		"it: production would show what was not tested",
		"stale_ok");
	accepted(&stale);
	warns(&stale, "'model.shop.v' is a view that reads 'model.shop.a'");
	accepted(&all);
}

static void the_sql_of_a_view_needs_a_target(void **state)
{
	WORLD = { STAGING, .options = "--from staging --tags mart --views rebuild" };

	(void)state;
	refused(&w, ERR_CONFIG_INVALID,
		"'views: rebuild' needs 'to': the SQL of a view is compiled for it", NULL);
}

static void tags_and_the_selection_narrow_the_scope(void **state)
{
	WORLD = { BOTH, .options = "--from staging --to prod --tags mart,utils",
		  .selected = "model.shop.days seed.shop.raw" };

	(void)state;
	accepted(&w);
	out_of_scope(&w, "seed.shop.raw", "has none of the tags mart, utils");
	out_of_scope(&w, "model.shop.orders", "left out by the selection");
	in_scope(&w, "model.shop.days", "has the tag utils");
}

static void by_tag_the_tag_is_the_schema(void **state)
{
	WORLD = { STAGING, .options = "--from staging --tags mart,utils" };

	(void)state;
	accepted(&w);
	assert_int_equal(w.routes.scope_count, 2);
	goes_to(&w, "model.shop.orders", "db.mart.orders");
	goes_to(&w, "model.shop.days", "db.utils.days");
	assert_false(of(&w, "seed.shop.raw")->has_to);
	out_of_scope(&w, "seed.shop.raw", "has none of the tags mart, utils");
}

static void by_tag_a_schema_may_have_another_name(void **state)
{
	WORLD = { STAGING, .options = "--from staging --tags mart,daily --routes mart=analytics"
				      " --routes daily=analytics" };

	(void)state;
	accepted(&w);
	goes_to(&w, "model.shop.orders", "db.analytics.orders");
}

static void two_tags_that_route_apart_are_refused(void **state)
{
	WORLD = { STAGING, .options = "--from staging --tags daily,mart" };

	(void)state;
	refused(&w, ERR_ROUTE_CONFLICT,
		"'model.shop.orders' has the tags 'daily' and 'mart', which route to two schemas",
		"one of the tags only");
}

static void two_tags_matter_in_the_scope_only(void **state)
{
	WORLD = { STAGING, .options = "--from staging --tags daily,mart,utils",
		  .selected = "model.shop.days" };

	(void)state;
	accepted(&w);
	assert_int_equal(w.routes.scope_count, 1);
}

static void routes_that_contradict_each_other_are_refused(void **state)
{
	WORLD = { BOTH, .options = "--from staging --to prod --route tag --tags mart" };
	CLEANUP(world_release)
	struct world v = { STAGING, .options = "--from staging --route target" };
	CLEANUP(world_release) struct world u = { STAGING, .options = "--from staging" };

	(void)state;
	refused(&w, ERR_CONFIG_INVALID,
		"'route: tag' publishes in the database of 'staging' and takes no 'to'", NULL);
	refused(&v, ERR_CONFIG_INVALID, "'route: target' needs 'to'", NULL);
	refused(&u, ERR_SCOPE_EMPTY,
		"without 'to' the tags say where a table is published, and there are none: set "
		"'tags', or 'tags_to_clone'",
		NULL);
}

static void a_tag_that_nothing_has_is_a_mistake(void **state)
{
	WORLD = { BOTH, .options = "--from staging --to prod --tags mart,util" };
	CLEANUP(world_release)
	struct world v = { BOTH, .options = "--from staging --to prod --tags xyzzy" };

	(void)state;
	refused(&w, ERR_SCOPE_EMPTY, "no node has the tag 'util'", "did you mean 'utils'?");
	refused(&v, ERR_SCOPE_EMPTY, "no node has the tag 'xyzzy'", NULL);
}

static void a_tag_of_views_only_is_a_mistake(void **state)
{
	WORLD = {
		.options = "--from staging --to prod --views skip --tags mart,views",
		.from = NODES({ .name = "a", .tags = "mart" },
			      { .name = "v", .materialized = "view", .tags = "views" }),
		.to = NODES(
			{ .name = "a", .schema = "mart", .tags = "mart" },
			{ .name = "v", .schema = "mart", .materialized = "view", .tags = "views" })
	};

	(void)state;
	refused(&w, ERR_SCOPE_EMPTY, "the tag 'views' matches only views, and views are left out",
		NULL);
}

static void an_empty_scope_says_what_emptied_it(void **state)
{
	WORLD = { BOTH, .options = "--from staging --to prod --views skip --select open_orders",
		  .selected = "model.shop.open_orders" };
	CLEANUP(world_release)
	struct world v = {
		.from = prod, .from_count = ARRAY_LEN(prod), .to = prod, .to_count = ARRAY_LEN(prod)
	};

	(void)state;
	refused(&w, ERR_SCOPE_EMPTY,
		"nothing to publish: the selection (select open_orders) leaves nothing of it",
		NULL);
	refused(&v, ERR_SCOPE_EMPTY,
		"nothing to publish: every node has one relation on both sides",
		"if target.name == 'staging'");
}

static void a_node_that_production_lacks_is_listed(void **state)
{
	WORLD = { .from = NODES({ .name = "a" }, { .name = "b" }),
		  .to = NODES({ .name = "a", .schema = "mart" }) };

	(void)state;
	accepted(&w);
	out_of_scope(&w, "model.shop.b", "not in the manifest of 'prod'");
	warns(&w, "'model.shop.b' is not in the manifest of 'prod' and is not published");
}

static void a_table_that_is_its_own_staging_is_refused(void **state)
{
	WORLD = { .options = "--from staging --to prod --tags mart",
		  .from = NODES({ .name = "a", .schema = "mart", .tags = "mart" }),
		  .to = NODES({ .name = "a", .schema = "mart", .tags = "mart" }) };
	CLEANUP(world_release)
	struct world v = { .options = "--from staging --tags mart",
			   .from = NODES({ .name = "a", .schema = "mart", .tags = "mart" }) };

	(void)state;
	refused(&w, ERR_ROUTE_CONFLICT,
		"'model.shop.a' is 'db.mart.a' on both sides, so building it would already change "
		"production",
		"{%- if target.name == 'staging' -%} {{ target.schema }}");
	refused(&v, ERR_ROUTE_CONFLICT,
		"'model.shop.a' is 'db.mart.a' on both sides, so building it would already change "
		"production",
		NULL);
}

static void the_build_must_not_write_what_is_published(void **state)
{
	WORLD = { .options = "--from staging --to prod --tags mart",
		  .from = NODES({ .name = "a", .tags = "mart" },
				{ .name = "b", .schema = "mart", .alias = "a" }),
		  .to = NODES({ .name = "a", .schema = "mart", .tags = "mart" },
			      { .name = "b", .schema = "mart", .alias = "b" }) };

	(void)state;
	refused(&w, ERR_ROUTE_CONFLICT,
		"the build writes 'db.mart.a' for 'model.shop.b', which is where 'model.shop.a' is "
		"published",
		NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_sides_are_joined_by_unique_id),
		cmocka_unit_test(a_view_stays_as_it_is_where_views_are_skipped),
		cmocka_unit_test(a_published_view_reads_what_is_published_with_it),
		cmocka_unit_test(the_sql_of_a_view_needs_a_target),
		cmocka_unit_test(a_view_is_refused_where_that_is_asked),
		cmocka_unit_test(tags_and_the_selection_narrow_the_scope),
		cmocka_unit_test(by_tag_the_tag_is_the_schema),
		cmocka_unit_test(by_tag_a_schema_may_have_another_name),
		cmocka_unit_test(two_tags_that_route_apart_are_refused),
		cmocka_unit_test(two_tags_matter_in_the_scope_only),
		cmocka_unit_test(routes_that_contradict_each_other_are_refused),
		cmocka_unit_test(a_tag_that_nothing_has_is_a_mistake),
		cmocka_unit_test(a_tag_of_views_only_is_a_mistake),
		cmocka_unit_test(an_empty_scope_says_what_emptied_it),
		cmocka_unit_test(a_node_that_production_lacks_is_listed),
		cmocka_unit_test(a_table_that_is_its_own_staging_is_refused),
		cmocka_unit_test(the_build_must_not_write_what_is_published),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
