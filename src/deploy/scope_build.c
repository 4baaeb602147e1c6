#include "airlock/deploy/scope_build.h"

#include <stdlib.h>
#include <string.h>

#include "airlock/base/buf.h"
#include "airlock/deploy/route_check.h"
#include "airlock/deploy/strategy.h"

/* Nodes are known by their position in the manifest. */
struct choice {
	const struct manifest *manifest;
	struct routes *routes;
	struct route **route_of; /* NULL: it makes no relation */
	bool *shows;             /* a view or ephemeral model behind which something is built */
	bool *was_reader;        /* its parents were or will be looked at */
	size_t *readers;         /* those that are left to look at */
	size_t reader_count;
	bool copies;
	bool is_given; /* what is built was said by the user */
};

bool scope_build_is_wanted(const struct config *config)
{
	const struct strategy *strategy = strategy_find(config->strategy);

	return strategy && strategy->builds_scope;
}

bool scope_build_recreates(const struct manifest_node *node, bool full_refresh)
{
	if (strcmp(node->materialized, "table") == 0 || strcmp(node->materialized, "view") == 0 ||
	    strcmp(node->materialized, "materialized_view") == 0 || node->type == MANIFEST_SEED)
		return true;
	if (strcmp(node->materialized, "incremental") != 0)
		return false;
	return strcmp(node->full_refresh, "true") == 0 ||
	       (full_refresh && strcmp(node->full_refresh, "false") != 0);
}

/* It has no rows of its own. */
static bool is_seen_through(const struct manifest_node *node)
{
	return manifest_is_ephemeral(node) ||
	       (node->type == MANIFEST_MODEL && !manifest_is_table(node));
}

static size_t position(const struct choice *c, const struct manifest_node *node)
{
	return manifest_position(c->manifest, node);
}

static void add_reader(struct choice *c, const struct manifest_node *node)
{
	size_t at = position(c, node);

	if (c->was_reader[at])
		return;
	c->was_reader[at] = true;
	c->readers[c->reader_count++] = at;
}

/* With the tests that dbt runs because of it. */
static void add_built(struct choice *c, struct route *route)
{
	route->is_built = true;
	add_reader(c, route->node);
	for (size_t i = 0; i < route->node->child_count; i++)
		if (manifest_is_test(route->node->children[i]))
			add_reader(c, route->node->children[i]);
}

/* Down from what is built, through what has no rows of its own. */
static void mark_shows(struct choice *c)
{
	size_t *left = mem_alloc((manifest_count(c->manifest) + 1) * sizeof(*left));
	size_t n = 0;

	for (size_t i = 0; i < manifest_count(c->manifest); i++)
		if (c->route_of[i] && c->route_of[i]->is_built)
			left[n++] = i;
	while (n > 0) {
		const struct manifest_node *node = manifest_node(c->manifest, left[--n]);

		for (size_t i = 0; i < node->child_count; i++) {
			size_t at = position(c, node->children[i]);

			if (c->shows[at] || !is_seen_through(node->children[i]) ||
			    (c->route_of[at] && c->route_of[at]->is_built))
				continue;
			c->shows[at] = true;
			left[n++] = at;
		}
	}
	free(left);
}

static void refuse_view(struct choice *c, const struct route *view,
			const struct manifest_node *reader)
{
	route_conflict(c->routes, ERR_ROUTE_CONFLICT, view->node->unique_id,
		       view->is_shared ? "build it apart in staging, or take what reads it out of "
					 "the scope"
				       : "select it with --build too",
		       "'%s' shows what is built, and %s: '%s' would read production's rows "
		       "through it",
		       view->node->unique_id,
		       view->is_shared ? "is one relation on both sides" : "--build leaves it out",
		       reader->unique_id);
}

static void refuse_absent(struct choice *c, const struct config *config, const struct route *parent,
			  const struct manifest_node *reader)
{
	route_conflict(c->routes, ERR_ROUTE_CONFLICT, parent->node->unique_id,
		       "build it too: select it with --build",
		       "'%s' reads '%s', which is not built and is not in the manifest of '%s'",
		       reader->unique_id, parent->node->unique_id, config_text(config, OPTION_TO));
}

static void read_parent(struct choice *c, const struct config *config,
			const struct manifest_node *reader, const struct manifest_node *parent)
{
	size_t at = position(c, parent);
	struct route *route = c->route_of[at];

	if (manifest_is_ephemeral(parent)) {
		add_reader(c, parent);
		return;
	}
	if (!route || route->is_built)
		return;
	bool is_view = is_seen_through(parent);

	if (is_view && !c->is_given && !route->is_shared && (c->copies || c->shows[at])) {
		add_built(c, route);
		return;
	}
	if (is_view && c->shows[at])
		refuse_view(c, route, reader);
	else if (!route->has_to && !route->is_read)
		refuse_absent(c, config, route, reader);
	route->is_read = true;
}

static void refuse_shared(struct choice *c, const struct route *route)
{
	route_conflict(c->routes, ERR_ROUTE_CONFLICT, route->node->unique_id,
		       "leave it out of --build",
		       "'%s' is one relation on both sides, so building it would already change "
		       "production",
		       route->node->unique_id);
}

static void choose_first(struct choice *c, const struct strv *wanted)
{
	for (size_t i = 0; i < c->routes->n; i++) {
		struct route *route = &c->routes->items[i];

		c->route_of[position(c, route->node)] = route;
		if (route->is_mirror)
			continue;
		if (wanted && route->is_shared && strv_contains(wanted, route->node->unique_id))
			refuse_shared(c, route);
		if (wanted ? strv_contains(wanted, route->node->unique_id) : route->in_scope)
			route->is_built = true;
		else if (route->in_scope)
			route_conflict(c->routes, ERR_ROUTE_CONFLICT, route->node->unique_id,
				       "select it with --build too, or take it out of the scope",
				       "'%s' is published, and --build leaves it out",
				       route->node->unique_id);
	}
	for (size_t i = 0; i < c->routes->n; i++)
		if (c->routes->items[i].is_built)
			add_built(c, &c->routes->items[i]);
}

void scope_build_choose(const struct config *config, const struct manifest *from,
			const struct strv *wanted, struct routes *routes)
{
	size_t count = manifest_count(from);
	struct choice c = {
		.manifest = from,
		.routes = routes,
		.route_of = mem_alloc((count + 1) * sizeof(struct route *)),
		.shows = mem_alloc((count + 1) * sizeof(bool)),
		.was_reader = mem_alloc((count + 1) * sizeof(bool)),
		.readers = mem_alloc((count + 1) * sizeof(size_t)),
		.copies = config_is(config, OPTION_PARENTS, "copy"),
		.is_given = wanted != NULL,
	};

	choose_first(&c, wanted);
	mark_shows(&c);
	while (c.reader_count > 0) {
		const struct manifest_node *reader =
			manifest_node(from, c.readers[--c.reader_count]);

		for (size_t i = 0; i < reader->parent_count; i++)
			read_parent(&c, config, reader, reader->parents[i]);
	}
	free(c.route_of);
	free(c.shows);
	free(c.was_reader);
	free(c.readers);
}

static bool begins_with(const struct manifest_node *node, const struct manifest_node *of)
{
	if (node == of || node->fqn_count < of->fqn_count)
		return false;
	for (size_t i = 0; i < of->fqn_count; i++)
		if (strcmp(node->fqn[i], of->fqn[i]) != 0)
			return false;
	return true;
}

/* dbt takes a name in full for a folder too: then the file says which of them it is. */
static bool is_ambiguous(const struct routes *routes, const struct manifest_node *node)
{
	for (size_t i = 0; i < routes->n; i++)
		if (begins_with(routes->items[i].node, node))
			return true;
	return false;
}

static void push_word(const struct routes *routes, const struct manifest_node *node,
		      struct strv *words)
{
	struct buf word CLEANUP(buf_release) = BUF_INIT;

	for (size_t k = 0; k < node->fqn_count; k++)
		buf_printf(&word, "%s%s", k ? "." : "", node->fqn[k]);
	if (is_ambiguous(routes, node))
		buf_printf(&word, ",path:%s", node->path);
	strv_push(words, buf_cstr(&word));
}

void scope_build_push_words(const struct routes *routes, struct strv *words)
{
	for (size_t i = 0; i < routes->n; i++)
		if (routes->items[i].is_built)
			push_word(routes, routes->items[i].node, words);
}

void scope_build_push_besides_raw(const struct routes *routes, const struct strv *selected,
				  struct strv *words)
{
	for (size_t i = 0; i < routes->n; i++)
		if (!routes->items[i].is_mirror &&
		    strv_contains(selected, routes->items[i].node->unique_id))
			push_word(routes, routes->items[i].node, words);
}
