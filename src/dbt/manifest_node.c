#include "manifest_internal.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "airlock/format/json.h"

static int get(struct reader *x, enum slot slot, const char **ret_text)
{
	if (texts_get(&x->texts, x->slots[slot], ret_text) < 0)
		return jscan_fail(&x->scan, x->slots[slot].at, "not JSON: no valid string");
	return 0;
}

static int get_or_null(struct reader *x, enum slot slot, const char **ret_text)
{
	if (get(x, slot, ret_text) < 0)
		return -1;
	if (!**ret_text)
		*ret_text = NULL;
	return 0;
}

/* By jansson, from its slice. */
static json_t *parse(struct reader *x, enum slot slot)
{
	const struct jslice *slice = &x->slots[slot];
	json_t *json = json_loadb(slice->at, slice->len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

	if (!json)
		jscan_fail(&x->scan, slice->at, "not JSON: no valid value");
	return json;
}

/* A version is a number or a name: as Python's str() writes it. */
static int get_version(struct reader *x, enum slot slot, const char **ret_text)
{
	struct arena *arena = x->texts.arena;
	struct jslice slice = x->slots[slot];
	char number[64];
	json_t *json;

	if (!slice.at || jslice_is_string(slice))
		return slice.at ? get(x, slot, ret_text) : 0;
	json = parse(x, slot);
	if (!json)
		return -1;
	if (json_is_integer(json))
		*ret_text = arena_printf(arena, "%" JSON_INTEGER_FORMAT, json_integer_value(json));
	if (json_is_real(json)) {
		snprintf(number, sizeof(number), "%.15g", json_real_value(json));
		*ret_text = arena_printf(arena, strpbrk(number, ".en") ? "%s" : "%s.0", number);
	}
	json_decref(json);
	return 0;
}

static const char *behind_scheme(const char *path)
{
	const char *scheme = path ? strstr(path, "://") : NULL;

	return scheme ? scheme + 3 : path;
}

static const char *lower(struct reader *x, const char *s)
{
	return mem_lower(arena_strdup(x->texts.arena, s));
}

static bool is_empty(struct jslice slice)
{
	return !slice.at || (*slice.at != '[' && *slice.at != '{') || jslice_equals(slice, "[]") ||
	       jslice_equals(slice, "{}");
}

/* "" for one with a NUL inside: what C sees of it is not the value. */
static const char *whole_string(const json_t *string)
{
	const char *s = json_string_value(string);

	return strlen(s) == json_string_length(string) ? s : "";
}

static int add_hooks(struct reader *x, struct manifest_node *node, enum slot slot)
{
	struct arena *arena = x->texts.arena;
	json_t *hooks;
	const char **v;
	size_t n = node->hook_count;

	if (is_empty(x->slots[slot]))
		return 0;
	hooks = parse(x, slot);
	if (!hooks)
		return -1;
	v = arena_alloc(arena, (n + json_array_size(hooks) + 1) * sizeof(*v));
	for (size_t i = 0; i < n; i++)
		v[i] = node->hooks[i];
	for (size_t i = 0; i < json_array_size(hooks); i++) {
		const json_t *hook = json_array_get(hooks, i);
		const char *sql =
			json_is_string(hook) ? whole_string(hook) : js_get_string(hook, "sql");
		if (sql && *sql)
			v[n++] = arena_strdup(arena, sql);
	}
	json_decref(hooks);
	node->hooks = v;
	node->hook_count = n;
	return 0;
}

static size_t grantee_count(const json_t *grantees)
{
	return json_is_string(grantees) ? 1 : json_array_size(grantees);
}

static int read_grants(struct reader *x, struct manifest_node *node)
{
	struct arena *arena = x->texts.arena;
	json_t *grants, *grantees;
	const char **v;
	size_t room = 0;
	size_t n = 0;
	const char *privilege;

	if (is_empty(x->slots[SLOT_CONFIG_GRANTS]))
		return 0;
	grants = parse(x, SLOT_CONFIG_GRANTS);
	if (!grants)
		return -1;
	node->sets_grants = json_object_size(grants) > 0;
	json_object_foreach(grants, privilege, grantees) room += grantee_count(grantees);
	v = arena_alloc(arena, (2 * room + 1) * sizeof(*v));
	json_object_foreach(grants, privilege, grantees)
	{
		for (size_t i = 0; i < grantee_count(grantees); i++) {
			const json_t *name =
				json_is_string(grantees) ? grantees : json_array_get(grantees, i);
			if (!json_is_string(name))
				continue;
			v[n++] = arena_strdup(arena, privilege);
			v[n++] = arena_strdup(arena, whole_string(name));
		}
	}
	json_decref(grants);
	node->grants = v;
	node->grant_count = n / 2;
	return 0;
}

static int read_snapshot_key(struct reader *x, struct manifest_node *node)
{
	json_t *columns CLEANUP(js_free) = NULL;
	const char *name;

	node->snapshot_key = "dbt_scd_id";
	if (is_empty(x->slots[SLOT_CONFIG_SNAPSHOT_COLUMNS]))
		return 0;
	columns = parse(x, SLOT_CONFIG_SNAPSHOT_COLUMNS);
	if (!columns)
		return -1;
	name = js_get_string(columns, "dbt_scd_id");
	if (name && *name)
		node->snapshot_key = arena_strdup(x->texts.arena, name);
	return 0;
}

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

static int read_names(struct reader *x, struct manifest_node *node)
{
	bool is_source = node->type == MANIFEST_SOURCE;

	if (get(x, SLOT_NAME, &node->name) < 0 || get(x, SLOT_PACKAGE, &node->package) < 0 ||
	    get(x, SLOT_PATH, &node->path) < 0 ||
	    get_or_null(x, SLOT_PATCH_PATH, &node->patch_path) < 0 ||
	    get_or_null(x, SLOT_COMPILED_PATH, &node->compiled_path) < 0 ||
	    get(x, SLOT_DATABASE, &node->relation.database) < 0 ||
	    get(x, SLOT_SCHEMA, &node->relation.schema) < 0 ||
	    get(x, is_source ? SLOT_IDENTIFIER : SLOT_ALIAS, &node->relation.identifier) < 0 ||
	    get_or_null(x, SLOT_RELATION_NAME, &node->relation_name) < 0 ||
	    get(x, SLOT_SOURCE_NAME, &node->source_name) < 0 ||
	    texts_list(&x->texts, &x->scan, x->slots[SLOT_FQN], &node->fqn, &node->fqn_count) < 0)
		return -1;
	node->patch_path = behind_scheme(node->patch_path);
	if (!*node->relation.identifier)
		node->relation.identifier = node->name;
	return 0;
}

static int read_config(struct reader *x, struct manifest_node *node)
{
	static const enum slot hooks[] = { SLOT_CONFIG_PRE_HOOK, SLOT_CONFIG_POST_HOOK,
					   SLOT_CONFIG_PRE_HOOK_2, SLOT_CONFIG_POST_HOOK_2 };
	struct jslice tags = x->slots[SLOT_TAGS];

	/* dbt 2 leaves `tags` of a node out and writes those of its config only. */
	if (!tags.at || *tags.at != '[')
		tags = x->slots[SLOT_CONFIG_TAGS];
	for (size_t i = 0; i < ARRAY_LEN(hooks); i++)
		if (add_hooks(x, node, hooks[i]) < 0)
			return -1;
	if (texts_list(&x->texts, &x->scan, tags, &node->tags, &node->tag_count) < 0 ||
	    get(x, SLOT_CONFIG_MATERIALIZED, &node->materialized) < 0 ||
	    get(x, SLOT_CONFIG_GROUP, &node->group) < 0 ||
	    get(x, SLOT_CONFIG_SEVERITY, &node->severity) < 0 || read_grants(x, node) < 0)
		return -1;
	node->severity = node->type == MANIFEST_TEST ? lower(x, node->severity) : "";
	node->full_refresh = jslice_equals(x->slots[SLOT_CONFIG_FULL_REFRESH], "true")    ? "true"
			     : jslice_equals(x->slots[SLOT_CONFIG_FULL_REFRESH], "false") ? "false"
											  : "";
	node->config = x->slots[SLOT_CONFIG].at && *x->slots[SLOT_CONFIG].at == '{'
			       ? x->configs.recent[x->configs.current].json
			       : texts_keep(&x->texts, x->slots[SLOT_CONFIG]);
	return 0;
}

/* What only one kind of node has. */
static int read_kind(struct reader *x, struct manifest_node *node)
{
	node->operation_sql = "";
	node->test_name = NULL;
	node->access = "";
	node->snapshot_key = NULL;
	if (node->type == MANIFEST_SNAPSHOT)
		return read_snapshot_key(x, node);
	if (node->type == MANIFEST_SOURCE)
		node->freshness = texts_keep(&x->texts, x->slots[SLOT_FRESHNESS]);
	if (node->type == MANIFEST_TEST && x->slots[SLOT_TEST_METADATA].at &&
	    *x->slots[SLOT_TEST_METADATA].at == '{')
		return get(x, SLOT_TEST_METADATA_NAME, &node->test_name);
	if (node->type == MANIFEST_OTHER && strcmp(node->resource_type, "operation") == 0)
		return get(x, x->slots[SLOT_RAW_CODE].at ? SLOT_RAW_CODE : SLOT_RAW_SQL,
			   &node->operation_sql);
	if (node->type != MANIFEST_MODEL)
		return 0;
	if (get(x, SLOT_ACCESS, &node->access) < 0 ||
	    get_version(x, SLOT_VERSION, &node->version) < 0 ||
	    get_version(x, SLOT_LATEST_VERSION, &node->latest_version) < 0)
		return -1;
	node->versioned = node->version != NULL;
	return 0;
}

int manifest_fill_node(struct reader *x, const char *resource_type, struct manifest_node *node)
{
	node->resource_type = resource_type;
	if (!resource_type && get(x, SLOT_RESOURCE_TYPE, &node->resource_type) < 0)
		return -1;
	node->type = type_of(node->resource_type);
	if (read_names(x, node) < 0 || read_config(x, node) < 0)
		return -1;
	return read_kind(x, node);
}
