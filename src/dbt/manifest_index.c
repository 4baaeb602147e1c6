#include "manifest_internal.h"

#include <stdlib.h>
#include <string.h>

#define BYTES_PER_NODE 5000
#define LARGE ((size_t)64 << 10)
#define MAX_NODES ((size_t)1000 * 1000)

static const char no_nodes[] = "no manifest of dbt: it has no 'nodes'";

/* The maps that hold what depends_on can name, in the order in which nodes are numbered. */
static const struct {
	const char *key;
	const char *resource_type; /* NULL: the node says so itself */
} maps[] = {
	{ "nodes", NULL },
	{ "sources", "source" },
	{ "unit_tests", "unit_test" },
	{ "exposures", "exposure" },
	{ "metrics", "metric" },
	{ "semantic_models", "semantic_model" },
	{ "saved_queries", "saved_query" },
	{ "functions", "function" },
};

enum {
	MAP_COUNT = ARRAY_LEN(maps),
	METADATA = MAP_COUNT,
	PARENT_MAP,
	NO_MAP,
};

struct rows {
	struct manifest_node *nodes;
	struct pending *pending;
	size_t n;
	size_t nodes_cap;
	size_t pending_cap;
	bool is_object;
};

struct index {
	struct manifest *manifest;
	struct window window;
	struct reader reader;
	size_t map; /* whose value comes next */
	struct rows maps[MAP_COUNT];
};

static int read_node(struct index *x, const char *resource_type, struct manifest_node *node,
		     struct pending *pending)
{
	struct reader *reader = &x->reader;
	const char *start = reader->scan.at;

	if (reader_read_node(reader) < 0)
		return -1;
	if (!x->window.file)
		node->json = (struct jslice) { start, (size_t)(reader->scan.at - start) };
	*pending = (struct pending) {
		.parents = texts_keep(&reader->texts, reader->slots[SLOT_DEPENDS_ON_NODES]),
		.has_depends_on = reader->slots[SLOT_DEPENDS_ON].at != NULL,
		.is_left_out = jslice_equals(reader->slots[SLOT_CONFIG_ENABLED], "false"),
	};
	return manifest_fill_node(reader, resource_type, node);
}

/* Takes one piece of the file. 1, or 0 at the end of what holds it. */
typedef int (*step_fn)(struct index *x, size_t map);

/* The window may end in the middle of the piece: then once more, with more of the file. */
static int take(struct index *x, step_fn step, size_t map)
{
	struct jscan *scan = &x->reader.scan;
	struct jscan before;
	int rc;

	/* Most nodes are smaller than that. */
	if ((size_t)(scan->end - scan->at) < manifest_window / 4)
		window_more(&x->window, scan, scan);
	before = *scan;
	while ((rc = step(x, map)) < 0 && scan->failed_at == scan->end &&
	       window_more(&x->window, scan, &before))
		before = *scan;
	return rc;
}

static int read_entry(struct index *x, size_t map)
{
	struct rows *rows = &x->maps[map];
	struct manifest_node *node;
	struct pending *pending;
	struct jslice key;
	int rc = jscan_key(&x->reader.scan, &key);

	if (rc <= 0)
		return rc;
	if (rows->n == MAX_NODES)
		return jscan_fail(&x->reader.scan, key.at, "more than 1000000 nodes");
	mem_grow((void **)&rows->nodes, &rows->nodes_cap, rows->n + 1, sizeof(*rows->nodes));
	mem_grow((void **)&rows->pending, &rows->pending_cap, rows->n + 1, sizeof(*rows->pending));
	node = &rows->nodes[rows->n];
	pending = &rows->pending[rows->n];
	*node = (struct manifest_node) { 0 };
	*pending = (struct pending) { .not_object_at = NULL };
	if (texts_get(&x->reader.texts, key, &node->unique_id) < 0)
		return jscan_fail(&x->reader.scan, key.at, "not JSON: no valid string");
	if (jscan_peek(&x->reader.scan) != '{') {
		pending->not_object_at = x->reader.scan.at;
		rc = jscan_skip(&x->reader.scan, NULL);
	} else {
		rc = read_node(x, maps[map].resource_type, node, pending);
	}
	if (rc < 0)
		return -1;
	rows->n++;
	return 1;
}

static int skip_value(struct index *x, size_t map)
{
	(void)map;
	return jscan_skip(&x->reader.scan, NULL);
}

static int skip_member(struct index *x, size_t map)
{
	struct jslice key;
	int rc = jscan_key(&x->reader.scan, &key);

	(void)map;
	return rc > 0 && jscan_skip(&x->reader.scan, NULL) < 0 ? -1 : rc;
}

/* An object is passed member by member: most of a file can be in one (the macros). */
static int skip_map(struct index *x)
{
	int rc;

	if (jscan_peek(&x->reader.scan) != '{')
		return take(x, skip_value, 0);
	rc = jscan_enter(&x->reader.scan);
	while (rc >= 0 && (rc = take(x, skip_member, 0)) > 0)
		;
	return rc;
}

/* Room for as many nodes as the file may be thought to have, which spares most of the growing and
 * of the page faults. */
static void reserve_rows(const struct index *x, struct rows *rows)
{
	size_t n = window_left(&x->window, &x->reader.scan) / BYTES_PER_NODE;

	if (rows->nodes || n * sizeof(*rows->nodes) < LARGE)
		return;
	rows->nodes = mem_large(n * sizeof(*rows->nodes));
	rows->nodes_cap = n;
}

/* Of two maps with one name the last counts. */
static int read_map(struct index *x, size_t map)
{
	int rc;

	x->maps[map].n = 0;
	x->maps[map].is_object = jscan_peek(&x->reader.scan) == '{';
	if (!x->maps[map].is_object)
		return take(x, skip_value, 0);
	reserve_rows(x, &x->maps[map]);
	rc = jscan_enter(&x->reader.scan);
	while (rc >= 0 && (rc = take(x, read_entry, map)) > 0)
		;
	return rc;
}

static int read_metadata(struct index *x, size_t unused)
{
	struct manifest *manifest = x->manifest;
	const struct {
		const char *key;
		const char **text;
	} rows[] = {
		{ "adapter_type", &manifest->adapter_type },
		{ "dbt_version", &manifest->dbt_version },
		{ "project_name", &manifest->project_name },
		{ "invocation_id", &manifest->invocation_id },
	};
	struct jslice key, value;
	int rc;

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		*rows[i].text = "";
	if (jscan_peek(&x->reader.scan) != '{')
		return jscan_skip(&x->reader.scan, NULL);
	rc = jscan_enter(&x->reader.scan);
	while (rc >= 0 && (rc = jscan_key(&x->reader.scan, &key)) > 0) {
		rc = jscan_skip(&x->reader.scan, &value);
		for (size_t i = 0; rc == 0 && i < ARRAY_LEN(rows); i++)
			if (jslice_is_key(key, rows[i].key, strlen(rows[i].key)) &&
			    texts_get(&x->reader.texts, value, rows[i].text) < 0)
				rc = jscan_fail(&x->reader.scan, value.at,
						"not JSON: no valid string");
	}
	return rc;
}

static int read_parent_map(struct index *x, size_t unused)
{
	struct jslice map;

	(void)unused;
	if (jscan_skip(&x->reader.scan, &map) < 0)
		return -1;
	x->manifest->parent_map = texts_keep(&x->reader.texts, map);
	return 0;
}

static size_t find_map(struct jslice key)
{
	for (size_t i = 0; i < MAP_COUNT; i++)
		if (jslice_is_key(key, maps[i].key, strlen(maps[i].key)))
			return i;
	if (jslice_is_key(key, "metadata", strlen("metadata")))
		return METADATA;
	return jslice_is_key(key, "parent_map", strlen("parent_map")) ? PARENT_MAP : NO_MAP;
}

/* The name of a member of the whole, and where its value begins. */
static int read_name(struct index *x, size_t unused)
{
	struct jslice key;
	int rc = jscan_key(&x->reader.scan, &key);

	(void)unused;
	if (rc <= 0)
		return rc;
	x->map = find_map(key);
	if (jscan_peek(&x->reader.scan) == '\0')
		return jscan_skip(&x->reader.scan, NULL);
	return 1;
}

static int read_root(struct index *x)
{
	struct jscan *scan = &x->reader.scan;
	int rc = jscan_peek(scan) == '[' ? jscan_fail(scan, scan->at, no_nodes) : jscan_enter(scan);

	while (rc >= 0 && (rc = take(x, read_name, 0)) > 0) {
		if (x->map < MAP_COUNT)
			rc = read_map(x, x->map);
		else if (x->map == METADATA)
			rc = take(x, read_metadata, 0);
		else if (x->map == PARENT_MAP)
			rc = take(x, read_parent_map, 0);
		else
			rc = skip_map(x);
	}
	while (rc == 0 && (rc = jscan_finish(scan)) == 0 && window_more(&x->window, scan, scan))
		;
	return rc;
}

static void table_init(struct manifest *manifest, size_t n)
{
	struct id_table *table = &manifest->ids;
	size_t size = 16;

	while (size < 2 * n)
		size *= 2;
	table->slots = arena_alloc(&manifest->arena, size * sizeof(*table->slots));
	table->size = size;
}

static void table_fill(struct manifest *manifest)
{
	memset(manifest->ids.slots, 0, manifest->ids.size * sizeof(*manifest->ids.slots));
	for (size_t i = 0; i < manifest->n; i++) {
		const char *id = manifest->nodes[i].unique_id;
		uint32_t *slot = id_slot(&manifest->ids, manifest->nodes, id, strlen(id));

		if (!*slot)
			*slot = (uint32_t)(i + 1);
	}
}

/* The rows of a map behind those that are there. A later one with the same unique_id takes the
 * place of the one before it in that map. True: one of another map has the same as well. */
static bool append_rows(struct manifest *manifest, const struct rows *rows)
{
	size_t first = manifest->n;
	bool is_twice = false;

	for (size_t i = 0; i < rows->n; i++) {
		const char *id = rows->nodes[i].unique_id;
		uint32_t *slot = id_slot(&manifest->ids, manifest->nodes, id, strlen(id));
		size_t at = *slot > first ? *slot - 1 : manifest->n;

		manifest->nodes[at] = rows->nodes[i];
		manifest->pending[at] = rows->pending[i];
		manifest->n += at == manifest->n;
		is_twice = is_twice || (*slot && *slot <= first);
		*slot = (uint32_t)(at + 1);
	}
	return is_twice;
}

static int leave_out(struct index *x)
{
	struct manifest *manifest = x->manifest;
	size_t n = 0;

	for (size_t i = 0; i < manifest->n; i++) {
		if (manifest->pending[i].not_object_at)
			return jscan_fail(&x->reader.scan,
					  x->window.file ? x->reader.scan.at
							 : manifest->pending[i].not_object_at,
					  "a node that is no object");
		if (manifest->pending[i].is_left_out)
			continue;
		manifest->nodes[n] = manifest->nodes[i];
		manifest->pending[n++] = manifest->pending[i];
	}
	if (n < manifest->n) {
		manifest->n = n;
		table_fill(manifest);
	}
	return 0;
}

/* The array of the first map, by far the largest, becomes that of all. */
static int join_maps(struct index *x)
{
	struct manifest *manifest = x->manifest;
	struct rows first = x->maps[0];
	bool is_twice = false;
	size_t room = 1;

	for (size_t i = 0; i < MAP_COUNT; i++)
		room += x->maps[i].is_object ? x->maps[i].n : 0;
	manifest->nodes = mem_realloc(first.nodes, room, sizeof(*manifest->nodes));
	manifest->pending = mem_realloc(first.pending, room, sizeof(*manifest->pending));
	first.nodes = manifest->nodes;
	first.pending = manifest->pending;
	x->maps[0] = (struct rows) { .is_object = first.is_object };
	table_init(manifest, room);
	append_rows(manifest, &first);
	for (size_t i = 1; i < MAP_COUNT; i++)
		if (x->maps[i].is_object && append_rows(manifest, &x->maps[i]))
			is_twice = true;
	if (is_twice)
		table_fill(manifest);
	return leave_out(x);
}

static int refuse_empty(const char *text, size_t len, const char *name, struct err *err)
{
	for (size_t i = 0; i < len; i++)
		if (!memchr(" \t\r\n", text[i], 4))
			return 0;
	return err_set(err, ERR_MANIFEST_INVALID, "%s:1:1: the file is empty", name);
}

static struct index *new_index(struct manifest *manifest)
{
	struct index *x = mem_alloc(sizeof(*x));

	x->manifest = manifest;
	reader_init(&x->reader, &manifest->arena);
	return x;
}

/* Frees the index. */
static int make_index(struct index *x, struct err *err)
{
	int rc = read_root(x);

	if (rc == 0 && !x->maps[0].is_object)
		rc = jscan_fail(&x->reader.scan, x->reader.scan.start, no_nodes);
	if (rc == 0)
		rc = join_maps(x);
	if (rc < 0)
		jscan_error(&x->reader.scan, x->manifest->file, ERR_MANIFEST_INVALID, err);
	for (size_t i = 0; i < MAP_COUNT; i++) {
		free(x->maps[i].nodes);
		free(x->maps[i].pending);
	}
	buf_release(&x->reader.texts.decoded);
	window_release(&x->window);
	free(x);
	return rc;
}

int manifest_index(struct manifest *manifest, const char *text, size_t len, struct err *err)
{
	struct index *x;

	if (refuse_empty(text, len, manifest->file, err) < 0)
		return -1;
	x = new_index(manifest);
	jscan_init(&x->reader.scan, text, len);
	return make_index(x, err);
}

int manifest_index_file(struct manifest *manifest, struct fs_pieces *file, struct err *err)
{
	struct index *x = new_index(manifest);

	window_of_file(&x->window, &x->reader.scan, file);
	return make_index(x, err);
}
