/* Which containers a swap exchanges. What is in one goes with it, whoever made it: each node in it
 * must be one that this deployment builds. */
#include <string.h>

#include "airlock/deploy/route_check.h"

#define INSTEAD "wac and production-rollback publish table by table and need no containers"

static struct route_container *find(struct routes *routes, const struct relation *relation,
				    bool of_production)
{
	for (size_t i = 0; i < routes->container_count; i++) {
		struct route_container *c = &routes->containers[i];

		if (route_container_holds(routes->dialect, of_production ? &c->to : &c->from,
					  relation))
			return c;
	}
	return NULL;
}

bool route_container_holds(const struct dialect *dialect, const struct relation *container,
			   const struct relation *relation)
{
	struct relation whole = *relation;

	if (!*container->schema)
		whole.schema = "";
	return relation_same_schema(dialect, container, &whole);
}

/* For people. */
static const char *whole(const struct routes *routes, const struct route_container *container)
{
	return *container->to.schema          ? "a schema"
	       : routes->dialect->swaps_files ? "the file"
					      : "a database";
}

static void refuse_pair(struct routes *routes, const struct route *route, const char *what)
{
	char *from CLEANUP(mem_free_string) = relation_display(&route->from);
	char *to CLEANUP(mem_free_string) = relation_display(&route->to);

	route_conflict(routes, ERR_ROUTE_CONFLICT, route->node->unique_id, INSTEAD,
		       "'%s' is '%s' in staging and '%s' in production: %s", route->node->unique_id,
		       from, to, what);
}

static bool differs(const struct routes *routes, const char *a, const char *b)
{
	const struct relation x = { "", "", a };
	const struct relation y = { "", "", b };

	return !relation_equal(routes->dialect, &x, &y);
}

/* Whole databases where the sides differ by these, else schemas. */
static const char *container_schema_of(const struct routes *routes, const struct route *route,
				       const struct relation *relation)
{
	bool in_database = routes->dialect->swaps_databases &&
			   differs(routes, route->from.database, route->to.database);

	return in_database ? "" : relation->schema;
}

static void add_route(struct routes *routes, const struct route *route)
{
	struct route_container *from = find(routes, &route->from, false);
	struct route_container *to = find(routes, &route->to, true);

	if (differs(routes, route->from.identifier, route->to.identifier)) {
		refuse_pair(routes, route,
			    "an exchange of schemas keeps the names of what is in them");
	} else if (differs(routes, route->from.database, route->to.database) &&
		   !routes->dialect->swaps_databases) {
		refuse_pair(routes, route, "schemas are exchanged within one database");
	} else if (differs(routes, route->from.database, route->to.database) &&
		   differs(routes, route->from.schema, route->to.schema)) {
		refuse_pair(routes, route,
			    "an exchange of databases keeps the names of their schemas");
	} else if (from != to) {
		refuse_pair(routes, route,
			    from ? "its schema in staging already stands for another one of "
				   "production"
				 : "its schema of production already takes in another one of "
				   "staging");
	} else if (!from) {
		routes->containers[routes->container_count++] = (struct route_container) {
			.from = { route->from.database,
				  container_schema_of(routes, route, &route->from), NULL },
			.to = { route->to.database, container_schema_of(routes, route, &route->to),
				NULL },
		};
	}
}

/* Two files, of which sides.c knows that they can change places: all but the file is equal. */
static void add_file(struct routes *routes, const struct route *route)
{
	if (differs(routes, route->from.identifier, route->to.identifier) ||
	    differs(routes, route->from.schema, route->to.schema)) {
		refuse_pair(routes, route,
			    "an exchange of files keeps the names of what is in them");
	} else if (strcmp(route->from.database, DIALECT_STAGING_FILE) != 0) {
		refuse_pair(routes, route, "it is in another database than the file of its target");
	} else if (routes->container_count == 0) {
		routes->containers[routes->container_count++] = (struct route_container) {
			.from = { route->from.database, "", NULL },
			.to = { route->to.database, "", NULL },
		};
	} else if (differs(routes, routes->containers[0].to.database, route->to.database)) {
		refuse_pair(routes, route, "it is in another database than the file of its target");
	}
}

static void sort(struct routes *routes)
{
	for (size_t i = 1; i < routes->container_count; i++) {
		struct route_container moved = routes->containers[i];
		size_t k = i;

		for (; k > 0 && relation_compare(routes->dialect, &routes->containers[k - 1].to,
						 &moved.to) > 0;
		     k--)
			routes->containers[k] = routes->containers[k - 1];
		routes->containers[k] = moved;
	}
}

/* A schema cannot be given and taken in one exchange. */
static void check_apart(struct routes *routes)
{
	for (size_t i = 0; i < routes->container_count; i++) {
		const struct route_container *c = &routes->containers[i];

		bool is_whole = !*c->from.schema;

		if (find(routes, &c->from, true))
			route_conflict(routes, ERR_ROUTE_CONFLICT,
				       is_whole ? c->from.database : c->from.schema, INSTEAD,
				       "the %s '%s' is staging for '%s' and production for "
				       "another one",
				       is_whole ? "database" : "schema",
				       is_whole ? c->from.database : c->from.schema,
				       is_whole ? c->to.database : c->to.schema);
	}
}

/* The demoted side is one deployment old: what it holds must not come back by itself. */
static void check_left_out(struct routes *routes, const struct route *route)
{
	const struct route_container *goes = find(routes, &route->from, false);
	const struct route_container *lost = route->has_to ? find(routes, &route->to, true) : NULL;

	if (route->in_scope || (!goes && !lost))
		return;
	route_conflict(
		routes, ERR_ROUTE_CONFLICT, route->node->unique_id,
		"deploy everything that is exchanged with it, or use production-rollback, which "
		"publishes a selection",
		"'%s' is in %s that is exchanged and would not be built (%s): %s",
		route->node->unique_id, whole(routes, goes ? goes : lost), route->reason,
		goes ? "production would get what staging holds of it from an earlier time"
		     : "production would lose it");
}

/* What only `to` has would be gone with the old schema. */
static void check_only_in_production(const struct config *config, const struct manifest *to,
				     struct routes *routes)
{
	for (size_t i = 0; i < manifest_count(to); i++) {
		const struct manifest_node *node = manifest_node(to, i);

		const struct route_container *in =
			manifest_makes_relation(node) && !routes_find(routes, node->unique_id)
				? find(routes, &node->relation, true)
				: NULL;

		if (!in)
			continue;
		route_conflict(routes, ERR_ROUTE_CONFLICT, node->unique_id,
			       "enable it for both targets, or give it a schema of its own",
			       "'%s' is in %s that is exchanged and only in the manifest of "
			       "'%s': production would lose it",
			       node->unique_id, whole(routes, in), config_text(config, OPTION_TO));
	}
}

static bool is_view(const struct manifest_node *node)
{
	return node->type == MANIFEST_MODEL && !manifest_is_table(node);
}

/* A view keeps reading the objects that it was built over. Followed through ephemeral models. */
static void check_parents(struct routes *routes, const struct manifest_node *view,
			  const struct manifest_node *node, size_t depth)
{
	for (size_t i = 0; i < node->parent_count; i++) {
		const struct manifest_node *parent = node->parents[i];
		const struct route *route = routes_find(routes, parent->unique_id);

		if (!route && is_view(parent) && depth < 100)
			check_parents(routes, view, parent, depth + 1);
		if (!route || route->in_scope || route->is_shared)
			continue;
		route_conflict(routes, ERR_ROUTE_CONFLICT, view->unique_id,
			       "let the deployment take in what the view reads, or make the view a "
			       "table",
			       "'%s' is a view that reads '%s', which is not exchanged with it: in "
			       "production it would go on reading staging's",
			       view->unique_id, parent->unique_id);
	}
}

void route_check_containers(const struct config *config, const struct manifest *to,
			    struct routes *routes)
{
	routes->containers =
		arena_alloc(&routes->arena, (routes->n + 1) * sizeof(*routes->containers));
	for (size_t i = 0; i < routes->n; i++) {
		if (!routes->items[i].in_scope)
			continue;
		if (routes->dialect->swaps_files)
			add_file(routes, &routes->items[i]);
		else
			add_route(routes, &routes->items[i]);
	}
	sort(routes);
	check_apart(routes);
	for (size_t i = 0; i < routes->n; i++)
		check_left_out(routes, &routes->items[i]);
	for (size_t i = 0; i < routes->n; i++)
		if (routes->items[i].in_scope && is_view(routes->items[i].node))
			check_parents(routes, routes->items[i].node, routes->items[i].node, 0);
	check_only_in_production(config, to, routes);
}
