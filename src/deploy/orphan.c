#include "airlock/deploy/orphan.h"

#include <string.h>

#include "airlock/deploy/strategy.h"
#include "airlock/format/json.h"

bool orphans_are_asked(const struct config *config, const struct dialect *dialect)
{
	return dialect->templates[DIALECT_OBSERVE_PUBLISHED] &&
	       !config_is(config, OPTION_ORPHANS, "keep");
}

int orphans_check(const struct config *config, const struct dialect *dialect, struct err *err)
{
	if (!config_is(config, OPTION_ORPHANS, "drop"))
		return 0;
	if (!dialect->templates[DIALECT_OBSERVE_PUBLISHED])
		return err_set(err, ERR_UNSUPPORTED,
			       "'orphans: drop' on %s is not in this version, which does not look "
			       "for them there",
			       dialect->title);
	if (!config_rebuilds(config))
		return 0;
	err_set(err, ERR_UNSUPPORTED,
		"'orphans: drop' needs a publish of the tested tables, and 'publish_by: rebuild' "
		"lets dbt make production");
	return err_hint(err, "say publish_by: copy, or orphans: list");
}

struct relation *orphans_known(const struct routes *routes, size_t *ret_n)
{
	struct relation *known = mem_alloc((routes->n + 1) * sizeof(*known));
	size_t n = 0;

	for (size_t i = 0; i < routes->n; i++)
		if (routes->items[i].has_to)
			known[n++] = routes->items[i].to;
	*ret_n = n;
	return known;
}

/* Nothing of a schema that is exchanged whole is left out. */
static bool is_of_everything(const struct config *config)
{
	const struct strategy *strategy = strategy_find(config->strategy);

	if (strategy && strategy->swaps)
		return true;
	return !config_is_set(config, OPTION_SELECT) && !config_is_set(config, OPTION_EXCLUDE) &&
	       !config_is_set(config, OPTION_SELECTOR);
}

static bool same_text(const char *a, const char *b)
{
	return a && b && strcmp(a, b) == 0;
}

/* A target that has the same name in another project is another one. */
static bool is_of_ours(const struct config *config, const char *project, const json_t *row)
{
	const char *to = config_text(config, OPTION_TO);
	const char *was = js_get_string(row, "to");

	if (!same_text(project, js_get_string(row, "project")))
		return false;
	if (to || was)
		return same_text(to, was);
	return same_text(config_text(config, OPTION_FROM), js_get_string(row, "from"));
}

static bool makes(const struct manifest *manifest, const struct dialect *dialect,
		  const struct relation *relation)
{
	for (size_t i = 0; manifest && i < manifest_count(manifest); i++) {
		const struct manifest_node *node = manifest_node(manifest, i);

		if (manifest_makes_relation(node) &&
		    relation_equal(dialect, &node->relation, relation))
			return true;
	}
	return false;
}

/* Where another deployment of this project may still publish it is not known here. */
static bool may_be_of_another(const struct routes *routes, const char *unique_id)
{
	const struct route *route = routes_find(routes, unique_id);

	return route && !route->has_to;
}

typedef bool same_fn(const struct dialect *dialect, const struct relation *a,
		     const struct relation *b);

static bool is_of_any(const struct routes *routes, const struct relation *relation, same_fn *same)
{
	for (size_t i = 0; i < routes->n; i++)
		if (routes->items[i].has_to &&
		    same(routes->dialect, &routes->items[i].to, relation))
			return true;
	return false;
}

static void add(struct routes *routes, const json_t *row, const struct relation *relation)
{
	struct arena *arena = &routes->arena;
	struct manifest_node *node = arena_alloc(arena, sizeof(*node));
	struct route *orphan = &routes->orphans[routes->orphan_count++];

	node->unique_id = arena_strdup(arena, js_get_string(row, "unique_id"));
	node->resource_type = node->name = node->materialized = "";
	*orphan = (struct route) {
		.node = node,
		.to = { arena_strdup(arena, relation->database),
			arena_strdup(arena, relation->schema),
			arena_strdup(arena, relation->identifier) },
		.has_to = true,
		.is_orphan = true,
		.reason = arena_printf(arena, "published by %s, and no longer in the project",
				       js_get_string(row, "id")),
	};
	orphan->from = orphan->to;
}

static void add_readers(struct routes *routes, const json_t *row)
{
	const json_t *views = js_get_array(row, "views");
	size_t n = json_array_size(views);
	struct arena *arena = &routes->arena;
	struct route_reader *readers =
		arena_alloc(arena, (routes->reader_count + n + 1) * sizeof(*readers));

	for (size_t i = 0; i < routes->reader_count; i++)
		readers[i] = routes->readers[i];
	routes->readers = readers;
	for (size_t i = 0; i < n; i++) {
		const json_t *view = json_array_get(views, i);
		const struct route_reader reader = {
			.view = { arena_strdup(arena, js_get_string(view, "database")),
				  arena_strdup(arena, js_get_string(view, "schema")),
				  arena_strdup(arena, js_get_string(view, "identifier")) },
			.text = arena_strdup(arena, js_get_string(view, "text")),
		};

		if (reader.view.database && reader.view.schema && reader.view.identifier &&
		    reader.text)
			readers[routes->reader_count++] = reader;
	}
}

static int compare(const void *a, const void *b, const void *dialect)
{
	return relation_compare(dialect, &((const struct route *)a)->to,
				&((const struct route *)b)->to);
}

void orphans_find(const struct config *config, const char *project, const struct manifest *from,
		  const struct manifest *to, const json_t *published, struct routes *routes)
{
	const struct dialect *dialect = routes->dialect;
	size_t n = json_array_size(published);

	routes->orphans = arena_alloc(&routes->arena, (n + 1) * sizeof(*routes->orphans));
	routes->orphan_count = routes->reader_count = 0;
	for (size_t i = 0; i < n; i++) {
		const json_t *row = json_array_get(published, i);
		const char *unique_id = js_get_string(row, "unique_id");
		const struct relation relation = { js_get_string(row, "database"),
						   js_get_string(row, "schema"),
						   js_get_string(row, "identifier") };

		if (!unique_id || !js_get_string(row, "id") || !relation.database ||
		    !relation.schema || !relation.identifier || !is_of_ours(config, project, row) ||
		    !is_of_any(routes, &relation, relation_same_schema) ||
		    is_of_any(routes, &relation, relation_equal) ||
		    makes(from, dialect, &relation) || makes(to, dialect, &relation) ||
		    may_be_of_another(routes, unique_id))
			continue;
		add(routes, row, &relation);
		add_readers(routes, row);
	}
	mem_sort(routes->orphans, routes->orphan_count, sizeof(*routes->orphans), compare, dialect);
	routes->drops_orphans = routes->orphan_count > 0 && is_of_everything(config) &&
				config_is(config, OPTION_ORPHANS, "drop");
}
