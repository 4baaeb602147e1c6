#include "airlock/dbt/manifest.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "airlock/base/fs.h"
#include "airlock/format/json.h"

#define MAX_BYTES ((size_t)1 << 30)

struct manifest {
	struct arena arena;
	const char *file;
	const char *adapter_type;
	const char *dbt_version;
	const char *project_name;
	const char *invocation_id;
	struct manifest_node *nodes;
	size_t n;
	const struct manifest_node **sorted; /* by unique_id */
};

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

static enum manifest_type type_of(const char *resource_type)
{
	static const char *const names[] = {
		[MANIFEST_MODEL] = "model",         [MANIFEST_SEED] = "seed",
		[MANIFEST_SNAPSHOT] = "snapshot",   [MANIFEST_TEST] = "test",
		[MANIFEST_UNIT_TEST] = "unit_test", [MANIFEST_SOURCE] = "source",
	};

	for (size_t i = 1; i < ARRAY_LEN(names); i++)
		if (strcmp(names[i], resource_type) == 0)
			return (enum manifest_type)i;
	return MANIFEST_OTHER;
}

/* The value of a key, "" when there is none. */
static const char *text(struct manifest *manifest, const json_t *object, const char *key)
{
	const char *s = js_get_string(object, key);

	return s ? arena_strdup(&manifest->arena, s) : "";
}

static const char *text_or_null(struct manifest *manifest, const json_t *object, const char *key)
{
	return arena_strdup(&manifest->arena, js_get_string(object, key));
}

/* The strings of an array, or the one string in its place. */
static const char *const *texts(struct manifest *manifest, const json_t *value, size_t *ret_n)
{
	size_t size = json_is_string(value) ? 1 : json_array_size(value);
	const char **v = arena_alloc(&manifest->arena, (size + 1) * sizeof(*v));
	size_t n = 0;

	for (size_t i = 0; i < size; i++) {
		const json_t *item = json_is_string(value) ? value : json_array_get(value, i);
		if (json_is_string(item))
			v[n++] = arena_strdup(&manifest->arena, json_string_value(item));
	}
	*ret_n = n;
	return v;
}

/* A version is a number or a name: as Python's str() writes it. */
static const char *version_text(struct manifest *manifest, const json_t *value)
{
	char number[64];

	if (json_is_string(value))
		return arena_strdup(&manifest->arena, json_string_value(value));
	if (json_is_integer(value))
		return arena_printf(&manifest->arena, "%" JSON_INTEGER_FORMAT,
				    json_integer_value(value));
	if (!json_is_real(value))
		return NULL;
	snprintf(number, sizeof(number), "%.15g", json_real_value(value));
	return arena_printf(&manifest->arena, strpbrk(number, ".en") ? "%s" : "%s.0", number);
}

static const char *behind_scheme(const char *path)
{
	const char *scheme = path ? strstr(path, "://") : NULL;

	return scheme ? scheme + 3 : path;
}

static const char *lower(struct manifest *manifest, const char *s)
{
	char *copy = arena_strdup(&manifest->arena, s);

	for (char *p = copy; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return copy;
}

static const char *hook_sql(const json_t *hook)
{
	return json_is_string(hook) ? json_string_value(hook) : js_get_string(hook, "sql");
}

static void read_hooks(struct manifest *manifest, struct manifest_node *node, const json_t *config)
{
	static const char *const keys[] = { "pre-hook", "post-hook", "pre_hook", "post_hook" };
	const char **v;
	size_t room = 0;
	size_t n = 0;

	for (size_t k = 0; k < ARRAY_LEN(keys); k++)
		room += json_array_size(json_object_get(config, keys[k]));
	v = arena_alloc(&manifest->arena, (room + 1) * sizeof(*v));
	for (size_t k = 0; k < ARRAY_LEN(keys); k++) {
		const json_t *hooks = json_object_get(config, keys[k]);
		for (size_t i = 0; i < json_array_size(hooks); i++) {
			const char *sql = hook_sql(json_array_get(hooks, i));
			if (sql && *sql)
				v[n++] = arena_strdup(&manifest->arena, sql);
		}
	}
	node->hooks = v;
	node->hook_count = n;
}

static void read_grants(struct manifest *manifest, struct manifest_node *node, const json_t *config)
{
	json_t *grants = js_get_object(config, "grants");
	const char **v;
	size_t room = 0;
	size_t n = 0;
	const char *privilege;
	json_t *grantees;

	json_object_foreach(grants, privilege, grantees) room +=
		json_is_string(grantees) ? 1 : json_array_size(grantees);
	v = arena_alloc(&manifest->arena, (2 * room + 1) * sizeof(*v));
	json_object_foreach(grants, privilege, grantees)
	{
		size_t count;
		const char *const *names = texts(manifest, grantees, &count);
		for (size_t i = 0; i < count; i++) {
			v[n++] = arena_strdup(&manifest->arena, privilege);
			v[n++] = names[i];
		}
	}
	node->grants = v;
	node->grant_count = n / 2;
}

static void read_names(struct manifest *manifest, struct manifest_node *node, const json_t *json)
{
	const char *identifier_key = node->type == MANIFEST_SOURCE ? "identifier" : "alias";

	node->name = text(manifest, json, "name");
	node->package = text(manifest, json, "package_name");
	node->path = text(manifest, json, "original_file_path");
	node->compiled_path = text_or_null(manifest, json, "compiled_path");
	node->patch_path = behind_scheme(text_or_null(manifest, json, "patch_path"));
	node->relation.database = text(manifest, json, "database");
	node->relation.schema = text(manifest, json, "schema");
	node->relation.identifier = text(manifest, json, identifier_key);
	if (!*node->relation.identifier)
		node->relation.identifier = node->name;
	node->relation_name = text_or_null(manifest, json, "relation_name");
	if (node->relation_name && !*node->relation_name)
		node->relation_name = NULL;
	node->fqn = texts(manifest, json_object_get(json, "fqn"), &node->fqn_count);
}

static void read_node(struct manifest *manifest, struct manifest_node *node, const char *unique_id,
		      const char *resource_type, const json_t *json)
{
	const json_t *config = js_get_object(json, "config");
	const json_t *tags = js_get_array(json, "tags");

	node->unique_id = arena_strdup(&manifest->arena, unique_id);
	node->resource_type = resource_type ? resource_type : text(manifest, json, "resource_type");
	node->type = type_of(node->resource_type);
	read_names(manifest, node, json);
	/* dbt 2 leaves `tags` of a node out and writes those of its config only. */
	node->tags =
		texts(manifest, tags ? tags : json_object_get(config, "tags"), &node->tag_count);
	node->materialized = text(manifest, config, "materialized");
	node->severity = node->type == MANIFEST_TEST
				 ? lower(manifest, text(manifest, config, "severity"))
				 : "";
	node->raw_code = text(manifest, json, "raw_code");
	if (!*node->raw_code)
		node->raw_code = text(manifest, json, "raw_sql");
	if (node->type == MANIFEST_MODEL) {
		node->version = version_text(manifest, json_object_get(json, "version"));
		node->latest_version =
			version_text(manifest, json_object_get(json, "latest_version"));
	}
	node->versioned = node->version != NULL;
	read_hooks(manifest, node, config);
	read_grants(manifest, node, config);
}

static bool is_enabled(const json_t *json)
{
	return js_get_bool(js_get_object(json, "config"), "enabled", true);
}

static int read_map(struct manifest *manifest, size_t map, const json_t *root,
		    const json_t **sources, struct err *err)
{
	json_t *object = js_get_object(root, maps[map].key);
	const char *unique_id;
	json_t *value;

	json_object_foreach(object, unique_id, value)
	{
		if (!json_is_object(value))
			return err_set(err, ERR_MANIFEST_INVALID, "%s: '%s' in '%s' is no object",
				       manifest->file, unique_id, maps[map].key);
		if (!is_enabled(value))
			continue;
		sources[manifest->n] = value;
		read_node(manifest, &manifest->nodes[manifest->n++], unique_id,
			  maps[map].resource_type, value);
	}
	return 0;
}

static int compare_ids(const void *a, const void *b)
{
	const struct manifest_node *const *x = a;
	const struct manifest_node *const *y = b;

	return strcmp((*x)->unique_id, (*y)->unique_id);
}

static void sort_nodes(struct manifest *manifest)
{
	manifest->sorted =
		arena_alloc(&manifest->arena, (manifest->n + 1) * sizeof(*manifest->sorted));
	for (size_t i = 0; i < manifest->n; i++)
		manifest->sorted[i] = &manifest->nodes[i];
	qsort(manifest->sorted, manifest->n, sizeof(*manifest->sorted), compare_ids);
}

/* Seeds have a depends_on without `nodes`. */
static void read_parents(struct manifest *manifest, size_t node, const json_t *json,
			 size_t *last_child)
{
	const json_t *ids = js_get_array(js_get_object(json, "depends_on"), "nodes");
	struct manifest_node *child = &manifest->nodes[node];

	child->parents =
		arena_alloc(&manifest->arena, (json_array_size(ids) + 1) * sizeof(*child->parents));
	for (size_t i = 0; i < json_array_size(ids); i++) {
		const char *id = json_string_value(json_array_get(ids, i));
		const struct manifest_node *parent = id ? manifest_find(manifest, id) : NULL;
		size_t at = parent ? (size_t)(parent - manifest->nodes) : 0;

		/* An edge that is listed twice counts once. */
		if (!parent || last_child[at] == node + 1)
			continue;
		last_child[at] = node + 1;
		child->parents[child->parent_count++] = parent;
		manifest->nodes[at].child_count++;
	}
}

static void link_children(struct manifest *manifest)
{
	for (size_t i = 0; i < manifest->n; i++) {
		struct manifest_node *node = &manifest->nodes[i];
		node->children = arena_alloc(&manifest->arena,
					     (node->child_count + 1) * sizeof(*node->children));
		node->child_count = 0;
	}
	for (size_t i = 0; i < manifest->n; i++) {
		const struct manifest_node *child = &manifest->nodes[i];
		for (size_t k = 0; k < child->parent_count; k++) {
			size_t at = (size_t)(child->parents[k] - manifest->nodes);
			struct manifest_node *parent = &manifest->nodes[at];
			parent->children[parent->child_count++] = child;
		}
	}
}

static int read_nodes(struct manifest *manifest, const json_t *root, struct err *err)
{
	size_t room = 1;
	const json_t **sources;
	size_t *last_child;
	int status = 0;

	for (size_t i = 0; i < ARRAY_LEN(maps); i++)
		room += json_object_size(js_get_object(root, maps[i].key));
	manifest->nodes = arena_alloc(&manifest->arena, room * sizeof(*manifest->nodes));
	sources = mem_alloc(room * sizeof(*sources));
	last_child = mem_alloc(room * sizeof(*last_child));
	for (size_t i = 0; i < ARRAY_LEN(maps) && status == 0; i++)
		status = read_map(manifest, i, root, sources, err);
	if (status == 0) {
		sort_nodes(manifest);
		for (size_t i = 0; i < manifest->n; i++)
			read_parents(manifest, i, sources[i], last_child);
		link_children(manifest);
	}
	free(sources);
	free(last_child);
	return status;
}

static int read_root(struct manifest *manifest, const json_t *root, struct err *err)
{
	const json_t *metadata = js_get_object(root, "metadata");

	if (!js_get_object(root, "nodes"))
		return err_set(err, ERR_MANIFEST_INVALID,
			       "%s:1:1: no manifest of dbt: it has no 'nodes'", manifest->file);
	manifest->adapter_type = text(manifest, metadata, "adapter_type");
	manifest->dbt_version = text(manifest, metadata, "dbt_version");
	manifest->project_name = text(manifest, metadata, "project_name");
	manifest->invocation_id = text(manifest, metadata, "invocation_id");
	return read_nodes(manifest, root, err);
}

int manifest_parse(const char *content, size_t len, const char *name,
		   struct manifest **ret_manifest, struct err *err)
{
	CLEANUP(js_free) json_t *root = NULL;
	struct manifest *manifest;

	if (len > MAX_BYTES)
		return err_set(err, ERR_MANIFEST_INVALID, "%s: larger than %zu bytes", name,
			       MAX_BYTES);
	root = js_parse(content, len, name, ERR_MANIFEST_INVALID, err);
	if (!root)
		return -1;
	manifest = mem_alloc(sizeof(*manifest));
	arena_init(&manifest->arena);
	manifest->file = arena_strdup(&manifest->arena, name);
	if (read_root(manifest, root, err) < 0) {
		manifest_free(manifest);
		return -1;
	}
	*ret_manifest = manifest;
	return 0;
}

int manifest_read(const char *path, struct manifest **ret_manifest, struct err *err)
{
	CLEANUP(buf_release) struct buf content = BUF_INIT;

	if (fs_is_directory(path))
		return err_set(err, ERR_MANIFEST_INVALID,
			       "'%s' is a directory where a manifest.json is expected", path);
	if (fs_read(path, MAX_BYTES, &content, err) < 0)
		return -1;
	return manifest_parse(buf_cstr(&content), content.len, path, ret_manifest, err);
}

void manifest_free(struct manifest *manifest)
{
	if (!manifest)
		return;
	arena_release(&manifest->arena);
	free(manifest);
}

const char *manifest_adapter_type(const struct manifest *manifest)
{
	return manifest->adapter_type;
}

const char *manifest_dbt_version(const struct manifest *manifest)
{
	return manifest->dbt_version;
}

const char *manifest_project_name(const struct manifest *manifest)
{
	return manifest->project_name;
}

const char *manifest_invocation_id(const struct manifest *manifest)
{
	return manifest->invocation_id;
}

const char *manifest_file(const struct manifest *manifest)
{
	return manifest->file;
}

size_t manifest_count(const struct manifest *manifest)
{
	return manifest->n;
}

const struct manifest_node *manifest_node(const struct manifest *manifest, size_t i)
{
	return &manifest->nodes[i];
}

static int compare_id(const void *unique_id, const void *element)
{
	const struct manifest_node *const *node = element;

	return strcmp(unique_id, (*node)->unique_id);
}

const struct manifest_node *manifest_find(const struct manifest *manifest, const char *unique_id)
{
	const struct manifest_node **found = bsearch(unique_id, manifest->sorted, manifest->n,
						     sizeof(*manifest->sorted), compare_id);

	return found ? *found : NULL;
}

bool manifest_has_tag(const struct manifest_node *node, const char *tag)
{
	for (size_t i = 0; i < node->tag_count; i++)
		if (strcmp(node->tags[i], tag) == 0)
			return true;
	return false;
}

bool manifest_makes_relation(const struct manifest_node *node)
{
	switch (node->type) {
	case MANIFEST_MODEL:
		return strcmp(node->materialized, "ephemeral") != 0;
	case MANIFEST_SEED:
	case MANIFEST_SNAPSHOT:
		return true;
	case MANIFEST_OTHER:
	case MANIFEST_TEST:
	case MANIFEST_UNIT_TEST:
	case MANIFEST_SOURCE:
		return false;
	}
	return false;
}

bool manifest_is_table(const struct manifest_node *node)
{
	return manifest_makes_relation(node) && strcmp(node->materialized, "view") != 0;
}

bool manifest_is_test(const struct manifest_node *node)
{
	return node->type == MANIFEST_TEST || node->type == MANIFEST_UNIT_TEST;
}
