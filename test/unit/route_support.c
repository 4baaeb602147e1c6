#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "route_support.h"

const struct made_node staging[] = {
	{ .name = "raw", .type = "seed", .schema = "shared" },
	{ .name = "orders", .tags = "mart,daily", .parents = "seed.shop.raw" },
	{ .name = "days", .tags = "utils" },
	{ .name = "open_orders", .materialized = "view", .tags = "mart" },
	{ .name = "helper", .materialized = "ephemeral", .tags = "mart" },
	{ .name = "unique_id", .type = "test", .parents = "model.shop.orders" },
};
const struct made_node prod[] = {
	{ .name = "raw", .type = "seed", .schema = "shared" },
	{ .name = "orders", .schema = "mart", .tags = "mart,daily", .parents = "seed.shop.raw" },
	{ .name = "days", .schema = "utils", .tags = "utils" },
	{ .name = "open_orders", .schema = "mart", .materialized = "view", .tags = "mart" },
};

void resolve(struct world *w)
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
				   &w->allowed_ids, NULL, &w->routes, &w->err);
}

void world_release(struct world *w)
{
	routes_release(&w->routes);
	config_release(&w->config);
	manifest_free(w->from_manifest);
	manifest_free(w->to_manifest);
	strv_release(&w->selected_ids);
	strv_release(&w->allowed_ids);
	err_release(&w->err);
}

void resolved(struct world *w)
{
	resolve(w);
	if (w->result < 0)
		fail_msg("%s", w->err.message);
}

const struct route *of(const struct world *w, const char *unique_id)
{
	const struct route *route = routes_find(&w->routes, unique_id);

	if (!route)
		fail_msg("no route of %s", unique_id);
	return route;
}

void in_scope(const struct world *w, const char *unique_id, const char *reason)
{
	assert_true(of(w, unique_id)->in_scope);
	assert_string_equal(of(w, unique_id)->reason, reason);
}

void out_of_scope(const struct world *w, const char *unique_id, const char *reason)
{
	assert_false(of(w, unique_id)->in_scope);
	assert_string_equal(of(w, unique_id)->reason, reason);
}

void goes_to(const struct world *w, const char *unique_id, const char *place)
{
	CLEANUP(mem_free_string) char *to = relation_display(&of(w, unique_id)->to);

	assert_true(of(w, unique_id)->has_to);
	assert_string_equal(to, place);
}

void refused(struct world *w, enum err_code code, const char *message, const char *hint)
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

void accepted(struct world *w)
{
	resolved(w);
	if (routes_check(&w->routes, &w->err) < 0)
		fail_msg("refused: %s", w->err.message);
}

void warns(const struct world *w, const char *text)
{
	for (size_t i = 0; i < w->routes.warnings.n; i++)
		if (strstr(w->routes.warnings.v[i], text))
			return;
	fail_msg("no warning '%s'", text);
}
