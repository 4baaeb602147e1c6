#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "airlock/deploy/route.h"
#include "made.h"

#define NODES(...)                                                                                 \
	(const struct made_node[]) { __VA_ARGS__ },                                                \
		ARRAY_LEN(((const struct made_node[]) { __VA_ARGS__ }))

/* Two sides and what was asked for. `to` without nodes: there is none. */
struct world {
	const char *adapter;                   /* NULL: postgres */
	const char *options;                   /* NULL: --from staging --to prod */
	const char *selected, *allowed_shared; /* unique_ids; NULL: none given */
	const struct made_node *from;
	size_t from_count;
	const struct made_node *to;
	size_t to_count;

	struct config config;
	struct manifest *from_manifest;
	struct manifest *to_manifest;
	struct strv selected_ids, allowed_ids;
	struct routes routes;
	struct err err;
	int result;
};

static void resolve(struct world *w)
{
	const char *adapter = w->adapter ? w->adapter : "postgres";

	made_config(&w->config, w->options ? w->options : "--from staging --to prod");
	w->from_manifest = made_manifest(adapter, w->from, w->from_count);
	if (w->to)
		w->to_manifest = made_manifest(adapter, w->to, w->to_count);
	strv_split(&w->selected_ids, w->selected ? w->selected : "", " ");
	strv_split(&w->allowed_ids, w->allowed_shared ? w->allowed_shared : "", " ");
	w->result = routes_resolve(&w->config, dialect_find(adapter), w->from_manifest,
				   w->to_manifest, w->selected ? &w->selected_ids : NULL,
				   &w->allowed_ids, &w->routes, &w->err);
}

static void world_release(struct world *w)
{
	routes_release(&w->routes);
	config_release(&w->config);
	manifest_free(w->from_manifest);
	manifest_free(w->to_manifest);
	strv_release(&w->selected_ids);
	strv_release(&w->allowed_ids);
	err_release(&w->err);
}

static void resolved(struct world *w)
{
	resolve(w);
	if (w->result < 0)
		fail_msg("%s", w->err.message);
}

static const struct route *of(const struct world *w, const char *unique_id)
{
	const struct route *route = routes_find(&w->routes, unique_id);

	if (!route)
		fail_msg("no route of %s", unique_id);
	return route;
}

static void in_scope(const struct world *w, const char *unique_id, const char *reason)
{
	assert_true(of(w, unique_id)->in_scope);
	assert_string_equal(of(w, unique_id)->reason, reason);
}

static void out_of_scope(const struct world *w, const char *unique_id, const char *reason)
{
	assert_false(of(w, unique_id)->in_scope);
	assert_string_equal(of(w, unique_id)->reason, reason);
}

static void goes_to(const struct world *w, const char *unique_id, const char *place)
{
	CLEANUP(mem_free_string) char *to = relation_display(&of(w, unique_id)->to);

	assert_true(of(w, unique_id)->has_to);
	assert_string_equal(to, place);
}

/* Resolving is refused, or the first conflict that it found is this one. */
static void refused(struct world *w, enum err_code code, const char *message, const char *hint)
{
	resolve(w);
	if (w->result == 0)
		w->result = routes_check(&w->routes, &w->err);
	if (w->result == 0)
		fail_msg("not refused: %s", message);
	assert_string_equal(w->err.message, message);
	assert_int_equal(w->err.code, code);
	if (hint)
		assert_non_null(strstr(w->err.hint ? w->err.hint : err_row(code)->hint, hint));
}

static void accepted(struct world *w)
{
	resolved(w);
	if (routes_check(&w->routes, &w->err) < 0)
		fail_msg("refused: %s", w->err.message);
}

static void warns(const struct world *w, const char *text)
{
	for (size_t i = 0; i < w->routes.warnings.n; i++)
		if (strstr(w->routes.warnings.v[i], text))
			return;
	fail_msg("no warning '%s'", text);
}

#define WORLD CLEANUP(world_release) struct world w

static const struct made_node staging[] = {
	{ .name = "raw", .type = "seed", .schema = "shared" },
	{ .name = "orders", .tags = "mart,daily", .parents = "seed.shop.raw" },
	{ .name = "days", .tags = "utils" },
	{ .name = "open_orders", .materialized = "view", .tags = "mart" },
	{ .name = "helper", .materialized = "ephemeral", .tags = "mart" },
	{ .name = "unique_id", .type = "test", .parents = "model.shop.orders" },
};
static const struct made_node prod[] = {
	{ .name = "raw", .type = "seed", .schema = "shared" },
	{ .name = "orders", .schema = "mart", .tags = "mart,daily", .parents = "seed.shop.raw" },
	{ .name = "days", .schema = "utils", .tags = "utils" },
	{ .name = "open_orders", .schema = "mart", .materialized = "view", .tags = "mart" },
};

#define BOTH                                                                                       \
	.from = staging, .from_count = ARRAY_LEN(staging), .to = prod, .to_count = ARRAY_LEN(prod)
#define STAGING .from = staging, .from_count = ARRAY_LEN(staging)

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
		"'model.shop.report' is a view of 'prod' that reads 'db.shared.base', which the "
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
