#include "airlock/deploy/route.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "airlock/deploy/route_check.h"
#include "airlock/deploy/scope_build.h"
#include "airlock/deploy/strategy.h"

struct resolve {
	const struct config *config;
	const struct manifest *from;
	const struct manifest *to;
	const struct strv *selected;
	const struct strv *tags;
	const struct strv *raw; /* the raw layer of a mirror; NULL: there is none */
	bool by_tag;
	bool with_views;
	bool swaps; /* whole containers, and what is in them */
	struct routes *routes;
};

static const char *first_tag(const struct resolve *r, const struct manifest_node *node)
{
	for (size_t i = 0; i < r->tags->n; i++)
		if (manifest_has_tag(node, r->tags->v[i]))
			return r->tags->v[i];
	return NULL;
}

/* Where dbt does not quote the node's own schema it would not quote this one. */
static const char *schema_of_tag(const struct resolve *r, const struct route *route,
				 const char *tag)
{
	char *schema = arena_strdup(&r->routes->arena, config_route(r->config, tag));
	bool is_folded = r->routes->dialect->folds_upper;

	for (const char *p = route->from.schema; *p; p++)
		is_folded = is_folded && !islower((unsigned char)*p);
	return is_folded ? mem_upper(schema) : schema;
}

static void route_by_tag(const struct resolve *r, struct route *route, const char *tag)
{
	if (!tag)
		return;
	route->to = route->from;
	route->to.schema = schema_of_tag(r, route, tag);
	route->has_to = true;
}

/* Of the scope only: what is left out goes nowhere. */
static void check_one_schema(const struct resolve *r, const struct route *route, const char *tag)
{
	for (size_t i = 0; i < r->tags->n; i++) {
		const char *other = r->tags->v[i];

		if (manifest_has_tag(route->node, other) &&
		    strcmp(schema_of_tag(r, route, other), route->to.schema) != 0)
			route_conflict(
				r->routes, ERR_ROUTE_CONFLICT, route->node->unique_id,
				"give it one of the tags only, or route both to one schema "
				"with 'routes'",
				"'%s' has the tags '%s' and '%s', which route to two schemas",
				route->node->unique_id, tag, other);
	}
}

static void route_by_target(const struct resolve *r, struct route *route)
{
	const struct manifest_node *node = manifest_find(r->to, route->node->unique_id);

	if (!node || !manifest_makes_relation(node))
		return;
	route->to_node = node;
	route->to = node->relation;
	route->has_to = true;
	route->is_shared = relation_equal(r->routes->dialect, &route->from, &route->to);
}

static void leave_out_view(const struct resolve *r, struct route *route)
{
	const char *kind = route->node->materialized;

	route->reason = arena_printf(&r->routes->arena,
				     "its materialization is %s, and views are left out", kind);
	if (config_is(r->config, OPTION_VIEWS, "refuse"))
		route_conflict(r->routes, ERR_UNSUPPORTED, route->node->unique_id,
			       "make it a table, take it out of the scope, or say views: skip",
			       "'%s' is a %s, and 'views: refuse' is set", route->node->unique_id,
			       kind);
	else
		strv_pushf(&r->routes->warnings,
			   "'%s' is a %s and is not published: production keeps what it has",
			   route->node->unique_id, kind);
}

static int compare_id(const void *unique_id, const void *element)
{
	return strcmp(unique_id, *(const char *const *)element);
}

/* By halving: both lists may have ten thousand names. */
static bool is_selected(const struct strv *selected, const struct manifest_node *node)
{
	return !selected || (selected->n > 0 && bsearch(node->unique_id, selected->v, selected->n,
							sizeof(*selected->v), compare_id));
}

static void decide_scope(const struct resolve *r, struct route *route, const char *tag)
{
	if (route->is_mirror) {
		route->reason = "the raw layer: 'airlock mirror refresh' fills it";
	} else if (r->tags->n > 0 && !tag) {
		char *tags CLEANUP(mem_free_string) = strv_join(r->tags, ", ");

		route->reason = arena_printf(&r->routes->arena, "has none of the tags %s", tags);
	} else if (r->tags->n == 0 && route->is_shared) {
		route->reason = "both sides are one relation";
	} else if (!is_selected(r->selected, route->node)) {
		route->reason = "left out by the selection";
	} else if (!route->has_to) {
		route->reason = arena_printf(&r->routes->arena, "not in the manifest of '%s'",
					     config_text(r->config, OPTION_TO));
		strv_pushf(&r->routes->warnings, "'%s' is %s and is not published",
			   route->node->unique_id, route->reason);
	} else if (!r->swaps && !manifest_is_table(route->node) && !r->with_views) {
		leave_out_view(r, route);
	} else {
		route->in_scope = true;
		route->is_view = (!r->swaps || r->routes->dialect->remakes_views) &&
				 !manifest_is_table(route->node);
		r->routes->view_count += route->is_view;
		if (r->by_tag)
			check_one_schema(r, route, tag);
		route->reason = tag ? arena_printf(&r->routes->arena, "has the tag %s", tag)
				    : "its two relations differ";
		r->routes->scope_count++;
	}
}

static int compare_routes(const void *a, const void *b)
{
	const struct route *x = a;
	const struct route *y = b;

	return strcmp(x->node->unique_id, y->node->unique_id);
}

static void list_nodes(const struct manifest *manifest, struct routes *routes)
{
	size_t count = manifest_count(manifest);

	routes->items = arena_alloc(&routes->arena, (count + 1) * sizeof(*routes->items));
	for (size_t i = 0; i < count; i++) {
		const struct manifest_node *node = manifest_node(manifest, i);

		if (manifest_makes_relation(node))
			routes->items[routes->n++].node = node;
	}
	qsort(routes->items, routes->n, sizeof(*routes->items), compare_routes);
}

/* Nodes stand in no order: it is gone through as often as the longest line is long, and not for
 * ever where it is a circle. */
static void measure(const struct manifest *manifest, size_t *depths)
{
	size_t n = manifest_count(manifest);
	bool again = true;

	for (size_t round = 0; again && round < n; round++) {
		again = false;
		for (size_t i = 0; i < n; i++) {
			const struct manifest_node *node = manifest_node(manifest, i);

			for (size_t k = 0; k < node->parent_count; k++) {
				size_t of = manifest_position(manifest, node->parents[k]);

				if (depths[of] < depths[i])
					continue;
				depths[i] = depths[of] + 1;
				again = true;
			}
		}
	}
}

void routes_measure(const struct manifest *manifest, struct routes *routes)
{
	size_t *depths;

	if (routes->dialect->transaction != DIALECT_TRANSACTION_NONE)
		return;
	depths = mem_alloc((manifest_count(manifest) + 1) * sizeof(*depths));
	measure(manifest, depths);
	for (size_t i = 0; i < routes->n; i++) {
		const struct manifest_node *node =
			manifest_find(manifest, routes->items[i].node->unique_id);

		if (node)
			routes->items[i].depth = depths[manifest_position(manifest, node)];
	}
	free(depths);
}

static void collect(struct resolve *r)
{
	struct routes *routes = r->routes;

	list_nodes(r->from, routes);
	for (size_t i = 0; i < routes->n; i++) {
		struct route *route = &routes->items[i];
		const char *tag = first_tag(r, route->node);

		route->from = route->node->relation;
		route->is_mirror = r->raw && is_selected(r->raw, route->node);
		if (r->by_tag)
			route_by_tag(r, route, tag);
		else
			route_by_target(r, route);
		decide_scope(r, route, tag);
	}
}

/* A tag that no node has, or only nodes that cannot be published, is a mistake even where the
 * other tags match. */
static int check_tags(const struct resolve *r, struct err *err)
{
	struct strv known CLEANUP(strv_release) = STRV_INIT;

	for (size_t i = 0; i < r->routes->n; i++)
		for (size_t k = 0; k < r->routes->items[i].node->tag_count; k++)
			strv_push(&known, r->routes->items[i].node->tags[k]);
	strv_sort(&known);
	strv_dedup(&known);
	for (size_t i = 0; i < r->tags->n; i++) {
		const char *tag = r->tags->v[i];
		size_t tables = 0;

		for (size_t k = 0; k < r->routes->n; k++)
			if (manifest_has_tag(r->routes->items[k].node, tag) &&
			    (r->swaps || r->with_views ||
			     manifest_is_table(r->routes->items[k].node)))
				tables++;
		if (tables > 0)
			continue;
		if (strv_contains(&known, tag))
			return err_set(err, ERR_SCOPE_EMPTY,
				       "the tag '%s' matches only views, and views are left out",
				       tag);
		const char *nearest = strv_nearest(tag, (const char *const *)known.v, known.n);

		err_set(err, ERR_SCOPE_EMPTY, "no node has the tag '%s'", tag);
		if (nearest)
			return err_hint(err, "did you mean '%s'?", nearest);
		return -1;
	}
	return 0;
}

static int check_scope(const struct resolve *r, struct err *err)
{
	const char *cut = "every node has one relation on both sides";

	if (r->routes->scope_count > 0)
		return 0;
	char *select CLEANUP(mem_free_string) =
		strv_join(config_list(r->config, OPTION_SELECT), " ");
	char *exclude CLEANUP(mem_free_string) =
		strv_join(config_list(r->config, OPTION_EXCLUDE), " ");
	char *selection CLEANUP(mem_free_string) = mem_printf(
		"the selection (%s%s%s%s) leaves nothing of it", *select ? "select " : "", select,
		*exclude ? *select ? ", exclude " : "exclude " : "", exclude);

	if (r->selected)
		cut = selection;
	else if (r->tags->n > 0)
		cut = "no node with one of the tags is published";
	err_set(err, ERR_SCOPE_EMPTY, "nothing to publish: %s", cut);
	if (!r->selected && r->tags->n == 0 && r->routes->n > 0)
		return err_hint(err, "%s",
				route_cure(r->routes, config_text(r->config, OPTION_FROM)));
	return -1;
}

static int prepare(struct resolve *r, struct err *err)
{
	const char *to = config_text(r->config, OPTION_TO);
	const struct strategy *strategy = strategy_find(r->config->strategy);

	r->tags = config_list(r->config, OPTION_TAGS);
	if (strcmp(r->config->strategy, "wac") != 0 && !to) {
		err_set(err, ERR_CONFIG_INVALID, "%s needs 'to': which target is production?",
			r->config->strategy);
		return err_hint(err, "give --to TARGET, or set it beside 'from' under 'vars: "
				     "airlock:'");
	}
	r->by_tag = config_is_set(r->config, OPTION_ROUTE)
			    ? config_is(r->config, OPTION_ROUTE, "tag")
			    : to == NULL;
	r->swaps = strategy && strategy->swaps;
	if (r->by_tag && to)
		return err_set(err, ERR_CONFIG_INVALID,
			       "'route: tag' publishes in the database of '%s' and takes no 'to'",
			       config_text(r->config, OPTION_FROM));
	if (!r->by_tag && !r->to)
		return err_set(err, ERR_CONFIG_INVALID, "'route: target' needs 'to'");
	r->with_views = config_is(r->config, OPTION_VIEWS, "rebuild");
	if (r->with_views && scope_build_is_wanted(r->config)) {
		err_set(err, ERR_UNSUPPORTED, "'%s' publishes no views", r->config->strategy);
		return err_hint(err, "say views: skip, or deploy with wac");
	}
	if (r->by_tag && r->with_views)
		return err_set(err, ERR_CONFIG_INVALID,
			       "'views: rebuild' needs 'to': the SQL of a view is compiled for it");
	if (r->by_tag && r->tags->n == 0)
		return err_set(err, ERR_SCOPE_EMPTY,
			       "without 'to' the tags say where a table is published, and there "
			       "are none: set 'tags', or 'tags_to_clone'");
	return 0;
}

int routes_resolve(const struct config *config, const struct dialect *dialect,
		   const struct manifest *from, const struct manifest *to,
		   const struct strv *selected, const struct strv *allowed_shared,
		   const struct strv *raw, struct routes *ret_routes, struct err *err)
{
	struct routes routes = { .dialect = dialect,
				 .clones_containers = config_clones_containers(config),
				 .carries_tags =
					 config_is(config, OPTION_CONTAINER_TAGS, "carry") };
	struct resolve r = { .config = config,
			     .from = from,
			     .to = to,
			     .selected = selected,
			     .raw = raw,
			     .routes = &routes };

	arena_init(&routes.arena);
	if (prepare(&r, err) < 0)
		goto fail;
	collect(&r);
	routes_measure(from, &routes);
	if (check_tags(&r, err) < 0 || check_scope(&r, err) < 0)
		goto fail;
	route_check_all(config, from, to, allowed_shared, &routes);
	if (r.swaps)
		route_check_containers(config, to, &routes);
	*ret_routes = routes;
	return 0;
fail:
	routes_release(&routes);
	return -1;
}

int routes_of_one(const struct dialect *dialect, const struct manifest *manifest,
		  const struct strv *selected, struct routes *ret_routes, struct err *err)
{
	struct routes routes = { .dialect = dialect };

	arena_init(&routes.arena);
	list_nodes(manifest, &routes);
	for (size_t i = 0; i < routes.n; i++) {
		const struct manifest_node *node = routes.items[i].node;

		if (!is_selected(selected, node))
			continue;
		routes.items[routes.scope_count++] = (struct route) {
			.node = node,
			.from = node->relation,
			.in_scope = true,
			.reason = selected ? "selected" : "everything is listed",
		};
	}
	routes.n = routes.scope_count;
	if (routes.scope_count == 0) {
		routes_release(&routes);
		return err_set(err, ERR_SCOPE_EMPTY,
			       selected ? "the selection leaves no model, seed or snapshot"
					: "the manifest has no model, seed or snapshot");
	}
	if (dialect)
		route_check_one(&routes);
	*ret_routes = routes;
	return 0;
}

void routes_release(struct routes *routes)
{
	strv_release(&routes->warnings);
	strv_release(&routes->left_tests);
	arena_release(&routes->arena);
	*routes = (struct routes) { 0 };
}

static int compare_route_id(const void *unique_id, const void *route)
{
	return strcmp(unique_id, ((const struct route *)route)->node->unique_id);
}

const struct route *routes_find(const struct routes *routes, const char *unique_id)
{
	if (routes->n == 0)
		return NULL;
	return bsearch(unique_id, routes->items, routes->n, sizeof(*routes->items),
		       compare_route_id);
}

int routes_check(const struct routes *routes, struct err *err)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;

	if (routes->conflict_count == 0)
		return 0;
	for (size_t i = 0; i < routes->conflict_count; i++)
		buf_printf(&text, "%s%s", i ? "\n  " : "", routes->conflicts[i].message);
	err_set(err, routes->conflicts[0].code, "%s", buf_cstr(&text));
	if (routes->conflicts[0].hint)
		return err_hint(err, "%s", routes->conflicts[0].hint);
	return -1;
}
