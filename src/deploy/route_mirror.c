/* A project with a mirror: the raw layer belongs to no deployment, and nothing above it reads a
 * source. */
#include <string.h>

#include "airlock/deploy/mirror.h"
#include "airlock/deploy/route_check.h"

enum { MAX_FOLLOWED = 1000 };

static void check_one_relation(const struct config *config, struct routes *routes,
			       const struct route *route)
{
	if (strcmp(route->from.database, DIALECT_STAGING_FILE) == 0) {
		route_conflict(routes, ERR_ROUTE_CONFLICT, route->node->unique_id,
			       "deploy it with wac or production-rollback",
			       "'%s' is in the raw layer, and blue-green exchanges the whole file: "
			       "the raw layer is one relation on every side",
			       route->node->unique_id);
		return;
	}
	char *from CLEANUP(mem_free_string) = relation_display(&route->from);
	char *to CLEANUP(mem_free_string) = relation_display(&route->to);

	route_conflict(
		routes, ERR_ROUTE_CONFLICT, route->node->unique_id,
		arena_printf(
			&routes->arena,
			"let every target keep it in one place, in "
			"macros/generate_schema_name.sql:\n"
			"    {%%- if custom_schema_name == '%s' -%%} {{ custom_schema_name }}\n"
			"    {%%- else -%%} ...what the macro says now... {%%- endif -%%}",
			route->to.schema),
		"'%s' is in the raw layer, and '%s' for '%s' but '%s' for '%s': the raw layer is "
		"one relation on every side",
		route->node->unique_id, from, config_text(config, OPTION_FROM), to,
		config_text(config, OPTION_TO));
}

void route_check_mirror(const struct config *config, const struct manifest *from,
			struct routes *routes)
{
	for (size_t i = 0; i < routes->n; i++) {
		const struct route *route = &routes->items[i];

		if (route->is_mirror && route->to_node && !route->is_shared)
			check_one_relation(config, routes, route);
	}
	for (size_t i = 0; i < manifest_count(from); i++) {
		const struct manifest_node *test = manifest_node(from, i);

		if (!mirror_leaves_test(config, test))
			continue;
		strv_push(&routes->left_tests, test->name);
		strv_pushf(&routes->warnings,
			   "the test '%s' reads a source and is left to 'airlock mirror refresh'",
			   test->name);
	}
}

/* Directly, or through ephemeral models; NULL: none. */
static const struct manifest_node *source_behind(const struct manifest_node *node,
						 struct strv *seen)
{
	for (size_t i = 0; i < node->parent_count; i++) {
		const struct manifest_node *parent = node->parents[i];

		if (parent->type == MANIFEST_SOURCE)
			return parent;
		if (parent->type != MANIFEST_MODEL || manifest_makes_relation(parent) ||
		    seen->n > MAX_FOLLOWED || strv_contains(seen, parent->unique_id))
			continue;
		strv_push(seen, parent->unique_id);
		const struct manifest_node *behind = source_behind(parent, seen);

		if (behind)
			return behind;
	}
	return NULL;
}

static bool is_allowed(const struct config *config, const struct manifest_node *node)
{
	const struct strv *allowed = config_list(config, OPTION_MIRROR_ALLOW);

	return strv_contains(allowed, "*") || manifest_is_named(node, allowed);
}

const struct manifest_node *route_past_mirror(const struct config *config,
					      const struct route *route)
{
	struct strv seen CLEANUP(strv_release) = STRV_INIT;

	if (!mirror_is_configured(config) || route->is_mirror || is_allowed(config, route->node))
		return NULL;
	return source_behind(route->node, &seen);
}

void route_check_built(const struct config *config, const struct strv *built, struct routes *routes)
{
	for (size_t i = 0; i < routes->n; i++) {
		const struct route *route = &routes->items[i];
		const struct manifest_node *source;

		if (built && !strv_contains(built, route->node->unique_id))
			continue;
		source = route_past_mirror(config, route);
		if (!source)
			continue;
		route_conflict(routes, ERR_ROUTE_CONFLICT, route->node->unique_id,
			       ROUTE_PAST_MIRROR_HINT,
			       "'%s' reads the source '%s.%s' past the mirror",
			       route->node->unique_id, source->source_name, source->name);
	}
}
