#include <string.h>

#include "airlock/deploy/route_check.h"
#include "airlock/format/json.h"

enum { MAX_FOLLOWED = 1000 };

static bool is_view(const struct manifest_node *node)
{
	return node->type == MANIFEST_MODEL && !manifest_is_table(node);
}

/* What a view reads that `from` has for itself, followed through ephemeral models; NULL when there
 * is nothing. A view in between is a relation of its own and speaks for itself. */
static const struct route *aside_behind(const struct routes *routes,
					const struct manifest_node *view, struct strv *seen)
{
	for (size_t i = 0; i < view->parent_count; i++) {
		const struct manifest_node *parent = view->parents[i];
		const struct route *route = routes_find(routes, parent->unique_id);

		if (route && !route->is_shared)
			return route;
		if (route || parent->type != MANIFEST_MODEL || seen->n > MAX_FOLLOWED ||
		    strv_contains(seen, parent->unique_id))
			continue;
		strv_push(seen, parent->unique_id);
		const struct route *behind = aside_behind(routes, parent, seen);

		if (behind)
			return behind;
	}
	return NULL;
}

static void check_view(const struct config *config, const struct route *view, struct routes *routes)
{
	struct strv seen CLEANUP(strv_release) = STRV_INIT;
	const struct route *aside = aside_behind(routes, view->node, &seen);

	if (!aside)
		return;
	char *name CLEANUP(mem_free_string) = relation_display(&view->from);
	char *read CLEANUP(mem_free_string) = relation_display(&aside->from);

	route_conflict(routes, ERR_ROUTE_CONFLICT, view->node->unique_id,
		       route_cure(routes, config_text(config, OPTION_FROM)),
		       "'%s' ('%s') is a view that both sides share, and the build would let it "
		       "read '%s', which only '%s' has",
		       name, view->node->unique_id, read, config_text(config, OPTION_FROM));
}

/* Whether its schema is that of the target: dbt writes the key, and null where there is none. */
static bool has_no_schema(const struct manifest *manifest, const struct manifest_node *node)
{
	struct err ignored CLEANUP(err_release) = ERR_INIT;
	json_t *config CLEANUP(js_free) =
		node->config.at ? manifest_json(manifest, node->config, &ignored) : NULL;

	return json_is_null(json_object_get(config, "schema"));
}

static void check_schema(const struct config *config, const struct manifest *from,
			 const struct route *route, const struct strv *allowed,
			 struct routes *routes)
{
	const char *unique_id = route->node->unique_id;

	if (route->node->type != MANIFEST_MODEL || route->in_scope ||
	    (allowed && strv_contains(allowed, unique_id)) || !has_no_schema(from, route->node))
		return;
	char *name CLEANUP(mem_free_string) = relation_display(&route->from);

	route_conflict(
		routes, ERR_ROUTE_CONFLICT, unique_id,
		arena_printf(&routes->arena,
			     "give the model or the target '%s' a schema of its own; if the model "
			     "belongs to the layers that both sides share, name it in allow_shared",
			     config_text(config, OPTION_FROM)),
		"'%s' has no schema of its own, so the audit build would overwrite '%s' in "
		"production",
		unique_id, name);
}

void route_check_audit(const struct config *config, const struct manifest *from,
		       const struct strv *allowed_shared, struct routes *routes)
{
	bool audits = strcmp(config->strategy, "wap") == 0;

	for (size_t i = 0; i < routes->n; i++) {
		const struct route *route = &routes->items[i];

		if (!route->is_shared)
			continue;
		if (is_view(route->node))
			check_view(config, route, routes);
		if (audits)
			check_schema(config, from, route, allowed_shared, routes);
	}
}
