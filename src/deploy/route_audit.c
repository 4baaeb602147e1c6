#include <stdint.h>
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

static bool is_stale_ok(const struct config *config, const struct manifest_node *node)
{
	const struct strv *accepted = config_list(config, OPTION_STALE_OK);

	return strv_contains(accepted, "*") || manifest_is_named(node, accepted);
}

/* What `node` would be rebuilt from that is neither published with it nor what was audited. */
static void check_ancestor(const struct config *config, struct routes *routes,
			   const struct manifest_node *node, const struct manifest_node *ancestor)
{
	char *name CLEANUP(mem_free_string) = relation_display(&ancestor->relation);

	if (is_stale_ok(config, ancestor))
		strv_pushf(&routes->warnings,
			   "'%s' is rebuilt from '%s' ('%s'), which is not what was audited: it "
			   "was accepted",
			   node->unique_id, name, ancestor->unique_id);
	else
		route_conflict(routes, ERR_ROUTE_CONFLICT, node->unique_id,
			       "take it into the scope, or say publish_by: copy, or name it in "
			       "stale_ok",
			       "'%s' would be rebuilt from '%s' ('%s'), which is not what was "
			       "audited",
			       node->unique_id, name, ancestor->unique_id);
}

/* Followed through shared views, which the audit must build, and ephemeral models. `shared`: by a
 * shared view, of which check_view() says what it may read. */
static void check_ancestors(const struct config *config, struct routes *routes,
			    const struct manifest_node *top, const struct manifest_node *node,
			    bool shared, struct strv *seen)
{
	for (size_t i = 0; i < node->parent_count; i++) {
		const struct manifest_node *parent = node->parents[i];
		struct route *route =
			(struct route *)(uintptr_t)routes_find(routes, parent->unique_id);
		bool makes = manifest_makes_relation(parent);
		bool follows = makes ? route && route->is_shared && is_view(parent)
				     : parent->type == MANIFEST_MODEL;

		if ((route && route->in_scope) || strv_contains(seen, parent->unique_id))
			continue;
		strv_push(seen, parent->unique_id);
		if (route && route->is_shared && !route->is_mirror)
			route->is_ancestor = !is_stale_ok(config, parent);
		else if (makes && !shared)
			check_ancestor(config, routes, top, parent);
		if (follows && seen->n < MAX_FOLLOWED)
			check_ancestors(config, routes, top, parent, shared || makes, seen);
	}
}

/* The node of the scope that a view shows, followed through views; NULL when there is none. */
static const struct route *scope_behind(const struct routes *routes,
					const struct manifest_node *view, struct strv *seen)
{
	for (size_t i = 0; i < view->parent_count; i++) {
		const struct manifest_node *parent = view->parents[i];
		const struct route *route = routes_find(routes, parent->unique_id);

		if (route && route->in_scope)
			return route;
		if (!is_view(parent) || seen->n > MAX_FOLLOWED ||
		    strv_contains(seen, parent->unique_id))
			continue;
		strv_push(seen, parent->unique_id);
		const struct route *behind = scope_behind(routes, parent, seen);

		if (behind)
			return behind;
	}
	return NULL;
}

static void check_view_left(const struct config *config, struct routes *routes,
			    const struct route *view)
{
	struct strv seen CLEANUP(strv_release) = STRV_INIT;
	const struct route *behind = scope_behind(routes, view->node, &seen);

	if (!behind || is_stale_ok(config, view->node))
		return;
	char *name CLEANUP(mem_free_string) = relation_display(&view->from);

	route_conflict(routes, ERR_ROUTE_CONFLICT, view->node->unique_id,
		       "take the view into the scope, or say publish_by: copy, or name it in "
		       "stale_ok",
		       "'%s' is a view of '%s' that stays on '%s': it is not in the scope, so "
		       "production's is not rebuilt with what it reads",
		       view->node->unique_id, behind->node->unique_id, name);
}

static void check_rebuilt(const struct config *config, struct routes *routes,
			  const struct route *route)
{
	struct strv seen CLEANUP(strv_release) = STRV_INIT;

	if (route->node->type != MANIFEST_MODEL)
		route_conflict(routes, ERR_UNSUPPORTED, route->node->unique_id,
			       "narrow the scope with tags or --exclude, or say publish_by: copy",
			       "'%s' is a %s, and only models can be rebuilt in production",
			       route->node->unique_id, route->node->resource_type);
	check_ancestors(config, routes, route->to_node, route->to_node, false, &seen);
}

void route_check_audit(const struct config *config, const struct manifest *from,
		       const struct strv *allowed_shared, struct routes *routes)
{
	bool audits = strcmp(config->strategy, "wap") == 0;
	bool rebuilds = config_rebuilds(config);

	for (size_t i = 0; i < routes->n; i++) {
		const struct route *route = &routes->items[i];

		if (rebuilds && route->in_scope)
			check_rebuilt(config, routes, route);
		else if (rebuilds && route->has_to && !route->is_shared && is_view(route->node))
			check_view_left(config, routes, route);
		if (!route->is_shared || route->is_mirror)
			continue;
		if (is_view(route->node))
			check_view(config, route, routes);
		if (audits)
			check_schema(config, from, route, allowed_shared, routes);
	}
}
