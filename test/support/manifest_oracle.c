#include "manifest_oracle.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "airlock/format/json.h"

#define MAX_BYTES ((size_t)1 << 30)

struct oracle {
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
static const char *text(struct oracle *oracle, const json_t *object, const char *key)
{
	const char *s = js_get_string(object, key);

	return s ? arena_strdup(&oracle->arena, s) : "";
}

static const char *text_or_null(struct oracle *oracle, const json_t *object, const char *key)
{
	const char *s = js_get_string(object, key);

	return s && *s ? arena_strdup(&oracle->arena, s) : NULL;
}

/* The strings of an array, or the one string in its place. */
static const char *const *texts(struct oracle *oracle, const json_t *value, size_t *ret_n)
{
	size_t size = json_is_string(value) ? 1 : json_array_size(value);
	const char **v = arena_alloc(&oracle->arena, (size + 1) * sizeof(*v));
	size_t n = 0;

	for (size_t i = 0; i < size; i++) {
		const json_t *item = json_is_string(value) ? value : json_array_get(value, i);
		if (json_is_string(item))
			v[n++] = strlen(json_string_value(item)) == json_string_length(item)
					 ? arena_strdup(&oracle->arena, json_string_value(item))
					 : "";
	}
	*ret_n = n;
	return v;
}

/* A version is a number or a name: as Python's str() writes it. */
static const char *version_text(struct oracle *oracle, const json_t *value)
{
	char number[64];

	if (json_is_string(value))
		return strlen(json_string_value(value)) == json_string_length(value)
			       ? arena_strdup(&oracle->arena, json_string_value(value))
			       : "";
	if (json_is_integer(value))
		return arena_printf(&oracle->arena, "%" JSON_INTEGER_FORMAT,
				    json_integer_value(value));
	if (!json_is_real(value))
		return NULL;
	snprintf(number, sizeof(number), "%.15g", json_real_value(value));
	return arena_printf(&oracle->arena, strpbrk(number, ".en") ? "%s" : "%s.0", number);
}

static const char *behind_scheme(const char *path)
{
	const char *scheme = path ? strstr(path, "://") : NULL;

	return scheme ? scheme + 3 : path;
}

static const char *lower(struct oracle *oracle, const char *s)
{
	char *copy = arena_strdup(&oracle->arena, s);

	for (char *p = copy; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return copy;
}

static const char *hook_sql(const json_t *hook)
{
	if (!json_is_string(hook))
		return js_get_string(hook, "sql");
	return strlen(json_string_value(hook)) == json_string_length(hook) ? json_string_value(hook)
									   : NULL;
}

static void read_hooks(struct oracle *oracle, struct manifest_node *node, const json_t *config)
{
	static const char *const keys[] = { "pre-hook", "post-hook", "pre_hook", "post_hook" };
	const char **v;
	size_t room = 0;
	size_t n = 0;

	for (size_t k = 0; k < ARRAY_LEN(keys); k++)
		room += json_array_size(json_object_get(config, keys[k]));
	v = arena_alloc(&oracle->arena, (room + 1) * sizeof(*v));
	for (size_t k = 0; k < ARRAY_LEN(keys); k++) {
		const json_t *hooks = json_object_get(config, keys[k]);
		for (size_t i = 0; i < json_array_size(hooks); i++) {
			const char *sql = hook_sql(json_array_get(hooks, i));
			if (sql && *sql)
				v[n++] = arena_strdup(&oracle->arena, sql);
		}
	}
	node->hooks = v;
	node->hook_count = n;
}

static void read_grants(struct oracle *oracle, struct manifest_node *node, const json_t *config)
{
	json_t *grants = js_get_object(config, "grants");
	const char **v;
	size_t room = 0;
	size_t n = 0;
	const char *privilege;
	json_t *grantees;

	json_object_foreach(grants, privilege, grantees) room +=
		json_is_string(grantees) ? 1 : json_array_size(grantees);
	v = arena_alloc(&oracle->arena, (2 * room + 1) * sizeof(*v));
	json_object_foreach(grants, privilege, grantees)
	{
		size_t count;
		const char *const *names = texts(oracle, grantees, &count);
		for (size_t i = 0; i < count; i++) {
			v[n++] = arena_strdup(&oracle->arena, privilege);
			v[n++] = names[i];
		}
	}
	node->grants = v;
	node->grant_count = n / 2;
}

static void read_names(struct oracle *oracle, struct manifest_node *node, const json_t *json)
{
	const char *identifier_key = node->type == MANIFEST_SOURCE ? "identifier" : "alias";

	node->name = text(oracle, json, "name");
	node->package = text(oracle, json, "package_name");
	node->path = text(oracle, json, "original_file_path");
	node->compiled_path = text_or_null(oracle, json, "compiled_path");
	node->patch_path = behind_scheme(text_or_null(oracle, json, "patch_path"));
	node->relation.database = text(oracle, json, "database");
	node->relation.schema = text(oracle, json, "schema");
	node->relation.identifier = text(oracle, json, identifier_key);
	if (!*node->relation.identifier)
		node->relation.identifier = node->name;
	node->relation_name = text_or_null(oracle, json, "relation_name");
	if (node->relation_name && !*node->relation_name)
		node->relation_name = NULL;
	node->fqn = texts(oracle, json_object_get(json, "fqn"), &node->fqn_count);
}

static void read_node(struct oracle *oracle, struct manifest_node *node, const char *unique_id,
		      const char *resource_type, const json_t *json)
{
	const json_t *config = js_get_object(json, "config");
	const json_t *tags = js_get_array(json, "tags");

	node->unique_id = arena_strdup(&oracle->arena, unique_id);
	node->resource_type = resource_type ? resource_type : text(oracle, json, "resource_type");
	node->type = type_of(node->resource_type);
	read_names(oracle, node, json);
	/* dbt 2 leaves `tags` of a node out and writes those of its config only. */
	node->tags = texts(oracle, tags ? tags : json_object_get(config, "tags"), &node->tag_count);
	node->materialized = text(oracle, config, "materialized");
	node->severity =
		node->type == MANIFEST_TEST ? lower(oracle, text(oracle, config, "severity")) : "";
	node->group = text(oracle, config, "group");
	if (node->type == MANIFEST_SNAPSHOT) {
		const json_t *columns = js_get_object(config, "snapshot_meta_column_names");

		node->snapshot_key = text(oracle, columns, "dbt_scd_id");
		if (!*node->snapshot_key)
			node->snapshot_key = "dbt_scd_id";
	}
	node->source_name = text(oracle, json, "source_name");
	node->access = "";
	node->operation_sql = "";
	if (node->type == MANIFEST_TEST && js_get_object(json, "test_metadata"))
		node->test_name = text(oracle, js_get_object(json, "test_metadata"), "name");
	if (strcmp(node->resource_type, "operation") == 0)
		node->operation_sql = text(
			oracle, json, json_object_get(json, "raw_code") ? "raw_code" : "raw_sql");
	if (node->type == MANIFEST_MODEL) {
		node->access = text(oracle, json, "access");
		node->version = version_text(oracle, json_object_get(json, "version"));
		node->latest_version =
			version_text(oracle, json_object_get(json, "latest_version"));
	}
	node->versioned = node->version != NULL;
	read_hooks(oracle, node, config);
	read_grants(oracle, node, config);
}

static bool is_enabled(const json_t *json)
{
	return js_get_bool(js_get_object(json, "config"), "enabled", true);
}

static int read_map(struct oracle *oracle, size_t map, const json_t *root, const json_t **sources,
		    struct err *err)
{
	json_t *object = js_get_object(root, maps[map].key);
	const char *unique_id;
	json_t *value;

	json_object_foreach(object, unique_id, value)
	{
		if (!json_is_object(value))
			return err_set(err, ERR_MANIFEST_INVALID, "%s: '%s' in '%s' is no object",
				       oracle->file, unique_id, maps[map].key);
		if (!is_enabled(value))
			continue;
		sources[oracle->n] = value;
		read_node(oracle, &oracle->nodes[oracle->n++], unique_id, maps[map].resource_type,
			  value);
	}
	return 0;
}

static int compare_ids(const void *a, const void *b)
{
	const struct manifest_node *const *x = a;
	const struct manifest_node *const *y = b;

	return strcmp((*x)->unique_id, (*y)->unique_id);
}

static void sort_nodes(struct oracle *oracle)
{
	oracle->sorted = arena_alloc(&oracle->arena, (oracle->n + 1) * sizeof(*oracle->sorted));
	for (size_t i = 0; i < oracle->n; i++)
		oracle->sorted[i] = &oracle->nodes[i];
	qsort(oracle->sorted, oracle->n, sizeof(*oracle->sorted), compare_ids);
}

static const struct manifest_node *oracle_find(const struct oracle *oracle, const char *unique_id);

/* Seeds have a depends_on without `nodes`. */
static void read_parents(struct oracle *oracle, size_t node, const json_t *json,
			 const json_t *parent_map, size_t *last_child)
{
	const json_t *ids = js_get_array(js_get_object(json, "depends_on"), "nodes");
	struct manifest_node *child = &oracle->nodes[node];

	if (!json_object_get(json, "depends_on") && child->type != MANIFEST_SOURCE)
		ids = js_get_array(parent_map, child->unique_id);

	child->parents =
		arena_alloc(&oracle->arena, (json_array_size(ids) + 1) * sizeof(*child->parents));
	for (size_t i = 0; i < json_array_size(ids); i++) {
		const char *id = json_string_value(json_array_get(ids, i));
		const struct manifest_node *parent = id ? oracle_find(oracle, id) : NULL;
		size_t at = parent ? (size_t)(parent - oracle->nodes) : 0;

		/* An edge that is listed twice counts once. */
		if (!parent || last_child[at] == node + 1)
			continue;
		last_child[at] = node + 1;
		child->parents[child->parent_count++] = parent;
		oracle->nodes[at].child_count++;
	}
}

static void link_children(struct oracle *oracle)
{
	for (size_t i = 0; i < oracle->n; i++) {
		struct manifest_node *node = &oracle->nodes[i];
		node->children = arena_alloc(&oracle->arena,
					     (node->child_count + 1) * sizeof(*node->children));
		node->child_count = 0;
	}
	for (size_t i = 0; i < oracle->n; i++) {
		const struct manifest_node *child = &oracle->nodes[i];
		for (size_t k = 0; k < child->parent_count; k++) {
			size_t at = (size_t)(child->parents[k] - oracle->nodes);
			struct manifest_node *parent = &oracle->nodes[at];
			parent->children[parent->child_count++] = child;
		}
	}
}

static int read_nodes(struct oracle *oracle, const json_t *root, struct err *err)
{
	size_t room = 1;
	const json_t **sources;
	size_t *last_child;
	int status = 0;

	for (size_t i = 0; i < ARRAY_LEN(maps); i++)
		room += json_object_size(js_get_object(root, maps[i].key));
	oracle->nodes = arena_alloc(&oracle->arena, room * sizeof(*oracle->nodes));
	sources = mem_alloc(room * sizeof(*sources));
	last_child = mem_alloc(room * sizeof(*last_child));
	for (size_t i = 0; i < ARRAY_LEN(maps) && status == 0; i++)
		status = read_map(oracle, i, root, sources, err);
	if (status == 0) {
		sort_nodes(oracle);
		for (size_t i = 0; i < oracle->n; i++)
			read_parents(oracle, i, sources[i], js_get_object(root, "parent_map"),
				     last_child);
		link_children(oracle);
	}
	free(sources);
	free(last_child);
	return status;
}

static int read_root(struct oracle *oracle, const json_t *root, struct err *err)
{
	const json_t *metadata = js_get_object(root, "metadata");

	if (!js_get_object(root, "nodes"))
		return err_set(err, ERR_MANIFEST_INVALID,
			       "%s:1:1: no oracle of dbt: it has no 'nodes'", oracle->file);
	oracle->adapter_type = text(oracle, metadata, "adapter_type");
	oracle->dbt_version = text(oracle, metadata, "dbt_version");
	oracle->project_name = text(oracle, metadata, "project_name");
	oracle->invocation_id = text(oracle, metadata, "invocation_id");
	return read_nodes(oracle, root, err);
}

int oracle_parse(const char *content, size_t len, const char *name, struct oracle **ret_oracle,
		 struct err *err)
{
	CLEANUP(js_free) json_t *root = NULL;
	struct oracle *oracle;

	if (len > MAX_BYTES)
		return err_set(err, ERR_MANIFEST_INVALID, "%s: larger than %zu bytes", name,
			       MAX_BYTES);
	/* jansson loses a NUL that follows a number or a word: what it puts back into its buffer
	 * it takes for the end of that. No JSON, and refused by us. */
	if (memchr(content, '\0', len))
		return err_set(err, ERR_MANIFEST_INVALID, "%s: a NUL", name);
	root = js_parse(content, len, name, ERR_MANIFEST_INVALID, err);
	if (!root)
		return -1;
	oracle = mem_alloc(sizeof(*oracle));
	arena_init(&oracle->arena);
	oracle->file = arena_strdup(&oracle->arena, name);
	if (read_root(oracle, root, err) < 0) {
		oracle_free(oracle);
		return -1;
	}
	*ret_oracle = oracle;
	return 0;
}

void oracle_free(struct oracle *oracle)
{
	if (!oracle)
		return;
	arena_release(&oracle->arena);
	free(oracle);
}

static int compare_id(const void *unique_id, const void *element)
{
	const struct manifest_node *const *node = element;

	return strcmp(unique_id, (*node)->unique_id);
}

static const struct manifest_node *oracle_find(const struct oracle *oracle, const char *unique_id)
{
	const struct manifest_node **found =
		bsearch(unique_id, oracle->sorted, oracle->n, sizeof(*oracle->sorted), compare_id);

	return found ? *found : NULL;
}

static bool same(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static char *compare_texts(const struct manifest_node *a, const struct manifest_node *b)
{
	const struct {
		const char *what, *a, *b;
	} rows[] = {
		{ "unique_id", a->unique_id, b->unique_id },
		{ "resource_type", a->resource_type, b->resource_type },
		{ "name", a->name, b->name },
		{ "package", a->package, b->package },
		{ "path", a->path, b->path },
		{ "patch_path", a->patch_path, b->patch_path },
		{ "compiled_path", a->compiled_path, b->compiled_path },
		{ "materialized", a->materialized, b->materialized },
		{ "database", a->relation.database, b->relation.database },
		{ "schema", a->relation.schema, b->relation.schema },
		{ "identifier", a->relation.identifier, b->relation.identifier },
		{ "relation_name", a->relation_name, b->relation_name },
		{ "version", a->version, b->version },
		{ "latest_version", a->latest_version, b->latest_version },
		{ "group", a->group, b->group },
		{ "access", a->access, b->access },
		{ "source_name", a->source_name, b->source_name },
		{ "test_name", a->test_name, b->test_name },
		{ "operation_sql", a->operation_sql, b->operation_sql },
		{ "severity", a->severity, b->severity },
		{ "snapshot_key", a->snapshot_key, b->snapshot_key },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (!same(rows[i].a, rows[i].b))
			return mem_printf("%s of '%s': '%s', not '%s'", rows[i].what, a->unique_id,
					  rows[i].b ? rows[i].b : "(null)",
					  rows[i].a ? rows[i].a : "(null)");
	return NULL;
}

static bool same_list(const char *const *a, size_t n, const char *const *b, size_t m)
{
	for (size_t i = 0; i < n && n == m; i++)
		if (strcmp(a[i], b[i]) != 0)
			return false;
	return n == m;
}

static bool same_edges(const struct manifest_node *const *a, size_t n,
		       const struct manifest_node *const *b, size_t m)
{
	for (size_t i = 0; i < n && n == m; i++)
		if (strcmp(a[i]->unique_id, b[i]->unique_id) != 0)
			return false;
	return n == m;
}

static char *compare_nodes(const struct manifest_node *a, const struct manifest_node *b)
{
	const char *what = NULL;
	char *difference = compare_texts(a, b);

	if (difference)
		return difference;
	if (a->type != b->type || a->versioned != b->versioned)
		what = "type or versioned";
	else if (!same_list(a->tags, a->tag_count, b->tags, b->tag_count))
		what = "tags";
	else if (!same_list(a->fqn, a->fqn_count, b->fqn, b->fqn_count))
		what = "fqn";
	else if (!same_list(a->hooks, a->hook_count, b->hooks, b->hook_count))
		what = "hooks";
	else if (!same_list(a->grants, 2 * a->grant_count, b->grants, 2 * b->grant_count))
		what = "grants";
	else if (!same_edges(a->parents, a->parent_count, b->parents, b->parent_count))
		what = "parents";
	else if (!same_edges(a->children, a->child_count, b->children, b->child_count))
		what = "children";
	return what ? mem_printf("%s of '%s'", what, a->unique_id) : NULL;
}

char *oracle_compare(const struct oracle *oracle, const struct manifest *manifest)
{
	char *difference = NULL;

	if (!same(oracle->adapter_type, manifest_adapter_type(manifest)) ||
	    !same(oracle->dbt_version, manifest_dbt_version(manifest)) ||
	    !same(oracle->project_name, manifest_project_name(manifest)) ||
	    !same(oracle->invocation_id, manifest_invocation_id(manifest)))
		return mem_strdup("metadata");
	if (oracle->n != manifest_count(manifest))
		return mem_printf("%zu nodes, not %zu", manifest_count(manifest), oracle->n);
	for (size_t i = 0; i < oracle->n && !difference; i++)
		difference = compare_nodes(&oracle->nodes[i], manifest_node(manifest, i));
	return difference;
}
