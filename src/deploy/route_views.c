/* What production would show through its views before it passed its tests. */
#include <string.h>

#include "airlock/deploy/route_check.h"
#include "airlock/deploy/scope_build.h"

static bool is_view(const struct manifest_node *node)
{
	return node->type == MANIFEST_MODEL && !manifest_is_table(node);
}

/* The shared relation that a view of production shows, followed through views and ephemeral
 * models; NULL when there is none. Nodes are at most as many as the manifest has: `seen` ends it.
 */
static const struct route *shared_behind(const struct routes *routes,
					 const struct manifest_node *view,
					 const struct strv *allowed, struct strv *seen)
{
	for (size_t i = 0; i < view->parent_count; i++) {
		const struct manifest_node *parent = view->parents[i];
		const struct route *route = routes_find(routes, parent->unique_id);

		if (strv_contains(seen, parent->unique_id))
			continue;
		strv_push(seen, parent->unique_id);
		if (route && route->is_shared && !route->is_mirror &&
		    !(allowed && strv_contains(allowed, parent->unique_id)))
			return route;
		if (!is_view(parent) || seen->n > 1000)
			continue;
		const struct route *behind = shared_behind(routes, parent, allowed, seen);

		if (behind)
			return behind;
	}
	return NULL;
}

static void check_views_of_shared(const struct config *config, const struct manifest *to,
				  const struct strv *allowed, struct routes *routes)
{
	for (size_t i = 0; to && i < manifest_count(to); i++) {
		const struct manifest_node *view = manifest_node(to, i);
		const struct route *own = routes_find(routes, view->unique_id);
		struct strv seen CLEANUP(strv_release) = STRV_INIT;

		if (!is_view(view) || !manifest_makes_relation(view) || (own && own->is_shared))
			continue;
		const struct route *shared = shared_behind(routes, view, allowed, &seen);

		if (!shared)
			continue;
		char *name CLEANUP(mem_free_string) = relation_display(&shared->from);

		if (own && own->in_scope && config_rebuilds(config)) {
			strv_pushf(&routes->warnings,
				   "'%s' is a view that reads '%s', which a build writes before "
				   "its tests",
				   view->unique_id, name);
			continue;
		}
		route_conflict(routes, ERR_ROUTE_CONFLICT, view->unique_id,
			       "build the shared relation apart in staging, or name it in "
			       "allow_shared (a selector, such as 'path:models/staging')",
			       "'%s' is a view of '%s' that reads '%s', which a build writes "
			       "before its tests",
			       view->unique_id, config_text(config, OPTION_TO), name);
	}
}

/* What `view` of production reads and this deployment does not publish: production would show it
 * over rows that were not what its tests saw. Followed through ephemeral models. */
static void check_parents(const struct config *config, struct routes *routes,
			  const struct manifest_node *view, const struct manifest_node *node,
			  size_t depth)
{
	const struct strv *accepted = config_list(config, OPTION_STALE_OK);

	for (size_t i = 0; i < node->parent_count; i++) {
		const struct manifest_node *parent = node->parents[i];
		const struct route *route = routes_find(routes, parent->unique_id);

		if (!route && parent->type == MANIFEST_MODEL && depth < 100)
			check_parents(config, routes, view, parent, depth + 1);
		if (!route || route->in_scope || route->is_shared)
			continue;
		bool is_accepted =
			strv_contains(accepted, "*") || manifest_is_named(parent, accepted);

		if (is_accepted)
			strv_pushf(
				&routes->warnings,
				"'%s' is a view that reads '%s', which is not published with it: "
				"it was tested over staging's",
				view->unique_id, parent->unique_id);
		else
			route_conflict(routes, ERR_ROUTE_CONFLICT, view->unique_id,
				       "publish both, or leave the view out with --exclude or "
				       "'views: skip', or name what it reads in stale_ok",
				       "'%s' is a view that reads '%s', which is not published "
				       "with it: production would show what was not tested",
				       view->unique_id, parent->unique_id);
	}
}

static void check_views_parents(const struct config *config, struct routes *routes)
{
	for (size_t i = 0; i < routes->n; i++) {
		const struct route *route = &routes->items[i];

		if (route->in_scope && route->is_view && !config_rebuilds(config))
			check_parents(config, routes, route->to_node, route->to_node, 0);
	}
}

void route_check_views(const struct config *config, const struct manifest *to,
		       const struct strv *allowed_shared, struct routes *routes)
{
	/* A build of the scope alone leaves what is shared as it is. */
	if (!scope_build_is_wanted(config))
		check_views_of_shared(config, to, allowed_shared, routes);
	check_views_parents(config, routes);
}
