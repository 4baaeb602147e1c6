#include "airlock/deploy/route_check.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "airlock/deploy/scope_build.h"

void route_conflict(struct routes *routes, enum err_code code, const char *unique_id,
		    const char *hint, const char *format, ...)
{
	size_t n = routes->conflict_count;
	struct route_conflict *grown = arena_alloc(&routes->arena, (n + 1) * sizeof(*grown));
	va_list ap;

	va_start(ap, format);
	char *message CLEANUP(mem_free_string) = mem_vprintf(format, ap);
	va_end(ap);

	if (n > 0)
		memcpy(grown, routes->conflicts, n * sizeof(*grown));
	grown[n] = (struct route_conflict) {
		.code = code,
		.unique_id = arena_strdup(&routes->arena, unique_id),
		.message = arena_strdup(&routes->arena, message),
		.hint = arena_strdup(&routes->arena, hint),
	};
	routes->conflicts = grown;
	routes->conflict_count = n + 1;
}

const char *route_cure(struct routes *routes, const char *from)
{
	return arena_printf(&routes->arena,
			    "let the target '%s' build apart, in macros/generate_schema_name.sql:\n"
			    "    {%%- if target.name == '%s' -%%} {{ target.schema }}\n"
			    "    {%%- else -%%} ...what the macro says now... {%%- endif -%%}",
			    from, from);
}

static void check_names(struct routes *routes)
{
	for (size_t i = 0; i < routes->n; i++) {
		const struct route *route = &routes->items[i];
		struct err err CLEANUP(err_release) = ERR_INIT;

		if (!route->in_scope)
			continue;
		if (relation_check(routes->dialect, &route->from, &err) < 0 ||
		    relation_check(routes->dialect, &route->to, &err) < 0)
			route_conflict(routes, err.code, route->node->unique_id, NULL, "'%s': %s",
				       route->node->unique_id, err.message);
	}
}

static void check_apart(const struct config *config, struct routes *routes)
{
	const char *from = config_text(config, OPTION_FROM);

	for (size_t i = 0; i < routes->n; i++) {
		const struct route *route = &routes->items[i];

		if (!route->in_scope || !relation_equal(routes->dialect, &route->from, &route->to))
			continue;
		char *name CLEANUP(mem_free_string) = relation_display(&route->from);

		route_conflict(routes, ERR_ROUTE_CONFLICT, route->node->unique_id,
			       route_cure(routes, from),
			       "'%s' is '%s' on both sides, so building it would already change "
			       "production",
			       route->node->unique_id, name);
	}
}

struct named {
	const struct relation *relation;
	const struct route *route;
};

static int compare_named(const void *a, const void *b, const void *dialect)
{
	const struct named *x = a;
	const struct named *y = b;

	return relation_compare(dialect, x->relation, y->relation);
}

static const struct named *find_named(const struct routes *routes, const struct named *named,
				      size_t n, const struct relation *relation)
{
	size_t low = 0;

	while (low < n) {
		size_t middle = low + (n - low) / 2;
		int order = relation_compare(routes->dialect, named[middle].relation, relation);

		if (order == 0)
			return &named[middle];
		if (order < 0)
			low = middle + 1;
		else
			n = middle;
	}
	return NULL;
}

static size_t sorted_relations(struct routes *routes, bool to_side, struct named **ret_named)
{
	struct named *named = arena_alloc(&routes->arena, (routes->n + 1) * sizeof(*named));
	size_t n = 0;

	for (size_t i = 0; i < routes->n; i++) {
		const struct route *route = &routes->items[i];

		if (to_side && !route->in_scope)
			continue;
		named[n].route = route;
		named[n++].relation = to_side ? &route->to : &route->from;
	}
	mem_sort(named, n, sizeof(*named), compare_named, routes->dialect);
	*ret_named = named;
	return n;
}

static void check_duplicates(struct routes *routes, bool to_side)
{
	struct named *named;
	size_t n = sorted_relations(routes, to_side, &named);

	for (size_t i = 1; i < n; i++) {
		if (!relation_equal(routes->dialect, named[i - 1].relation, named[i].relation))
			continue;
		char *name CLEANUP(mem_free_string) = relation_display(named[i].relation);

		route_conflict(routes, ERR_DUPLICATE_RELATION, named[i].route->node->unique_id,
			       NULL, "'%s' and '%s' are both '%s' in %s",
			       named[i - 1].route->node->unique_id, named[i].route->node->unique_id,
			       name, to_side ? "production" : "staging");
	}
}

/* The build must not write what it is going to publish to. */
static void check_build_writes(const struct config *config, struct routes *routes)
{
	struct named *built;
	size_t n = sorted_relations(routes, false, &built);

	for (size_t i = 0; i < routes->n; i++) {
		const struct route *route = &routes->items[i];

		if (!route->in_scope)
			continue;
		const struct named *hit = find_named(routes, built, n, &route->to);

		if (!hit || hit->route == route)
			continue;
		char *name CLEANUP(mem_free_string) = relation_display(&route->to);

		route_conflict(routes, ERR_ROUTE_CONFLICT, route->node->unique_id,
			       route_cure(routes, config_text(config, OPTION_FROM)),
			       "the build writes '%s' for '%s', which is where '%s' is published",
			       name, hit->route->node->unique_id, route->node->unique_id);
	}
}

/* A table that other programs fill must not become one of ours. */
static void check_sources(const struct manifest *from, struct routes *routes)
{
	struct named *published;
	size_t n = sorted_relations(routes, true, &published);

	for (size_t i = 0; i < manifest_count(from); i++) {
		const struct manifest_node *source = manifest_node(from, i);
		const struct named *hit =
			source->type == MANIFEST_SOURCE
				? find_named(routes, published, n, &source->relation)
				: NULL;

		if (!hit)
			continue;
		char *name CLEANUP(mem_free_string) = relation_display(&source->relation);

		route_conflict(routes, ERR_ROUTE_CONFLICT, hit->route->node->unique_id,
			       "publish it into another schema, or give it another alias",
			       "'%s' would be published as '%s', which is the source '%s'",
			       hit->route->node->unique_id, name, source->unique_id);
	}
}

static void check_shared(const struct config *config, const struct strv *allowed,
			 struct routes *routes)
{
	bool refuse = config_is(config, OPTION_SHARED, "refuse");

	for (size_t i = 0; i < routes->n; i++) {
		const struct route *route = &routes->items[i];

		if (!route->is_shared || route->is_mirror)
			continue;
		char *name CLEANUP(mem_free_string) = relation_display(&route->from);

		if (refuse && !(allowed && strv_contains(allowed, route->node->unique_id)))
			route_conflict(routes, ERR_ROUTE_CONFLICT, route->node->unique_id,
				       route_cure(routes, config_text(config, OPTION_FROM)),
				       "'%s' is '%s' on both sides, and 'shared: refuse' is set",
				       route->node->unique_id, name);
		else if (!route->in_scope && !scope_build_is_wanted(config))
			strv_pushf(&routes->warnings,
				   "'%s' ('%s') is shared by both sides: a build writes it "
				   "before its tests",
				   name, route->node->unique_id);
	}
}

static bool names_word(const char *text, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = text; *p; p++) {
		bool starts = p == text || !(isalnum((unsigned char)p[-1]) || p[-1] == '_');

		if (starts && strncasecmp(p, word, len) == 0 &&
		    !(isalnum((unsigned char)p[len]) || p[len] == '_'))
			return true;
	}
	return false;
}

static const char *production_schema_in(const struct routes *routes, const char *text)
{
	for (size_t i = 0; i < routes->n; i++) {
		const struct route *route = &routes->items[i];

		if (route->in_scope && names_word(text, route->to.schema) &&
		    !relation_same_schema(routes->dialect, &route->from, &route->to))
			return route->to.schema;
	}
	return NULL;
}

static void check_hook(const struct config *config, struct routes *routes,
		       const struct manifest_node *node, const char *sql, bool list)
{
	const struct strv *allowed = config_list(config, OPTION_ALLOW_HOOKS);
	const char *schema = production_schema_in(routes, sql);

	if (strv_contains(allowed, "*") || strv_contains(allowed, node->unique_id) ||
	    strv_contains(allowed, node->name))
		return;
	if (schema)
		route_conflict(routes, ERR_ROUTE_CONFLICT, node->unique_id,
			       "let the hook use {{ this }} or target.schema, or name it in "
			       "allow_hooks",
			       "a hook of '%s' names the production schema '%s', and hooks run in "
			       "staging before the tests",
			       node->unique_id, schema);
	else if (list)
		strv_pushf(&routes->warnings, "a hook of '%s' runs in staging before the tests",
			   node->unique_id);
}

static void check_hooks(const struct config *config, const struct manifest *from,
			struct routes *routes)
{
	for (size_t i = 0; i < manifest_count(from); i++) {
		const struct manifest_node *node = manifest_node(from, i);
		const struct route *route = routes_find(routes, node->unique_id);

		if (strcmp(node->resource_type, "operation") == 0) {
			routes->has_hooks = true;
			check_hook(config, routes, node, node->operation_sql, true);
		}
		for (size_t k = 0; k < node->hook_count; k++)
			check_hook(config, routes, node, node->hooks[k], route && route->in_scope);
	}
}

void route_check_one(struct routes *routes)
{
	check_duplicates(routes, false);
}

void route_check_all(const struct config *config, const struct manifest *from,
		     const struct manifest *to, const struct strv *allowed_shared,
		     struct routes *routes)
{
	route_check_mirror(config, from, routes);
	check_apart(config, routes);
	check_duplicates(routes, false);
	check_duplicates(routes, true);
	check_build_writes(config, routes);
	check_sources(from, routes);
	check_names(routes);
	check_shared(config, allowed_shared, routes);
	route_check_views(config, to, allowed_shared, routes);
	check_hooks(config, from, routes);
	if (!scope_build_is_wanted(config))
		route_check_audit(config, from, allowed_shared, routes);
}
