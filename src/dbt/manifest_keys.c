#include "manifest_internal.h"

#include <assert.h>
#include <string.h>

/* Of one object. */
struct key_set {
	const struct key_row *rows;
	size_t n;
	enum key_set_id {
		KEYS_NODE,
		KEYS_CONFIG,
		KEYS_DEPENDS_ON,
		KEYS_TEST_METADATA,
		KEYS_COUNT
	} id;
};

struct key_row {
	const char *name;
	size_t len;
	enum slot slot;
	const struct key_set *nested;
};

#define KEY(name, slot, nested)                                                                    \
	{                                                                                          \
		name, sizeof(name) - 1, slot, nested                                               \
	}

static const struct key_row config_rows[] = {
	KEY("tags", SLOT_CONFIG_TAGS, NULL),
	KEY("group", SLOT_CONFIG_GROUP, NULL),
	KEY("grants", SLOT_CONFIG_GRANTS, NULL),
	KEY("enabled", SLOT_CONFIG_ENABLED, NULL),
	KEY("pre-hook", SLOT_CONFIG_PRE_HOOK, NULL),
	KEY("pre_hook", SLOT_CONFIG_PRE_HOOK_2, NULL),
	KEY("severity", SLOT_CONFIG_SEVERITY, NULL),
	KEY("post-hook", SLOT_CONFIG_POST_HOOK, NULL),
	KEY("post_hook", SLOT_CONFIG_POST_HOOK_2, NULL),
	KEY("full_refresh", SLOT_CONFIG_FULL_REFRESH, NULL),
	KEY("materialized", SLOT_CONFIG_MATERIALIZED, NULL),
	KEY("snapshot_meta_column_names", SLOT_CONFIG_SNAPSHOT_COLUMNS, NULL),
};
static const struct key_row depends_on_rows[] = { KEY("nodes", SLOT_DEPENDS_ON_NODES, NULL) };
static const struct key_row test_metadata_rows[] = { KEY("name", SLOT_TEST_METADATA_NAME, NULL) };

static const struct key_set config_keys = { config_rows, ARRAY_LEN(config_rows), KEYS_CONFIG };
static const struct key_set depends_on_keys = { depends_on_rows, ARRAY_LEN(depends_on_rows),
						KEYS_DEPENDS_ON };
static const struct key_set test_metadata_keys = { test_metadata_rows,
						   ARRAY_LEN(test_metadata_rows),
						   KEYS_TEST_METADATA };

static const struct key_row node_rows[] = {
	KEY("fqn", SLOT_FQN, NULL),
	KEY("name", SLOT_NAME, NULL),
	KEY("tags", SLOT_TAGS, NULL),
	KEY("alias", SLOT_ALIAS, NULL),
	KEY("access", SLOT_ACCESS, NULL),
	KEY("config", SLOT_CONFIG, &config_keys),
	KEY("schema", SLOT_SCHEMA, NULL),
	KEY("raw_sql", SLOT_RAW_SQL, NULL),
	KEY("version", SLOT_VERSION, NULL),
	KEY("database", SLOT_DATABASE, NULL),
	KEY("raw_code", SLOT_RAW_CODE, NULL),
	KEY("freshness", SLOT_FRESHNESS, NULL),
	KEY("depends_on", SLOT_DEPENDS_ON, &depends_on_keys),
	KEY("identifier", SLOT_IDENTIFIER, NULL),
	KEY("patch_path", SLOT_PATCH_PATH, NULL),
	KEY("source_name", SLOT_SOURCE_NAME, NULL),
	KEY("package_name", SLOT_PACKAGE, NULL),
	KEY("compiled_path", SLOT_COMPILED_PATH, NULL),
	KEY("relation_name", SLOT_RELATION_NAME, NULL),
	KEY("resource_type", SLOT_RESOURCE_TYPE, NULL),
	KEY("test_metadata", SLOT_TEST_METADATA, &test_metadata_keys),
	KEY("latest_version", SLOT_LATEST_VERSION, NULL),
	KEY("original_file_path", SLOT_PATH, NULL),
};
static const struct key_set node_keys = { node_rows, ARRAY_LEN(node_rows), KEYS_NODE };

enum {
	HEAD = sizeof(uint64_t),
};

static_assert((int)KEYS_COUNT == KEY_SETS && ARRAY_LEN(node_rows) == KEY_ROWS,
	      "room for each set and for the rows of the largest");

/* The first 8 bytes, zeros behind a shorter name: they tell nearly all names apart. */
static uint64_t head_of(const char *name, size_t len, const char *end)
{
	static const unsigned char mask_of[2 * HEAD] = { 0xff, 0xff, 0xff, 0xff,
							 0xff, 0xff, 0xff, 0xff };
	uint64_t head = 0;
	uint64_t mask;

	if (end - name < HEAD) {
		memcpy(&head, name, len < HEAD ? len : HEAD);
		return head;
	}
	memcpy(&head, name, HEAD);
	if (len >= HEAD)
		return head;
	memcpy(&mask, mask_of + HEAD - len, HEAD);
	return head & mask;
}

static size_t bucket_of(uint64_t head, size_t len)
{
	return ((head ^ len) * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - KEY_BITS);
}

static void sort_keys(struct reader *x, const struct key_set *set)
{
	struct key_buckets *buckets = &x->buckets[set->id];

	for (size_t i = 0; i < set->n; i++) {
		const struct key_row *row = &set->rows[i];
		uint64_t head = head_of(row->name, row->len, row->name + row->len);
		size_t at = bucket_of(head, row->len);

		buckets->heads[i] = head;
		buckets->next[i] = buckets->first[at];
		buckets->first[at] = (unsigned char)(i + 1);
		if (row->nested)
			sort_keys(x, row->nested);
	}
}

static const struct key_row *find_key(const struct reader *x, const struct key_set *set,
				      struct jslice key)
{
	const struct key_buckets *buckets = &x->buckets[set->id];
	const char *name = key.at + 1;
	size_t len = key.len - 2;
	uint64_t head = head_of(name, len, x->scan.end);

	for (unsigned i = buckets->first[bucket_of(head, len)]; i; i = buckets->next[i - 1])
		if (buckets->heads[i - 1] == head && set->rows[i - 1].len == len &&
		    (len <= HEAD || memcmp(set->rows[i - 1].name, name, len) == 0))
			return &set->rows[i - 1];
	if (x->scan.is_plain_key || !memchr(name, '\\', len))
		return NULL;
	for (size_t i = 0; i < set->n; i++)
		if (jslice_is_key(key, set->rows[i].name, set->rows[i].len))
			return &set->rows[i];
	return NULL;
}

static int read_members(struct reader *x, const struct key_set *set);

/* Of two members with one name the last counts, with all that is in it. */
static void forget_values(struct reader *x, const struct key_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		x->slots[set->rows[i].slot] = (struct jslice) { NULL, 0 };
}

static void move_values(struct jslice *to, const struct jslice *from, const struct key_set *set,
			const char *to_object, const char *from_object)
{
	for (size_t i = 0; i < set->n; i++) {
		struct jslice value = from[set->rows[i].slot];

		if (value.at)
			value.at = to_object + (value.at - from_object);
		to[set->rows[i].slot] = value;
	}
}

static bool is_at(const struct jscan *scan, struct jslice json)
{
	size_t last = json.len - HEAD;

	/* The end of another config is hardly the same at the same distance. */
	return json.len > HEAD && (size_t)(scan->end - scan->at) >= json.len &&
	       memcmp(scan->at + last, json.at + last, HEAD) == 0 &&
	       memcmp(scan->at, json.at, json.len) == 0;
}

/* Past a config that was read before. */
static bool pass_known_config(struct reader *x)
{
	struct jscan *scan = &x->scan;
	struct configs *configs = &x->configs;

	for (size_t i = 0; i < configs->n; i++) {
		size_t at = (configs->current + i) % configs->n;
		const struct known_config *known = &configs->recent[at];

		if (!is_at(scan, known->json))
			continue;
		move_values(x->slots, known->slots, &config_keys, scan->at, known->json.at);
		scan->at += known->json.len;
		scan->is_first = false;
		configs->current = at;
		return true;
	}
	return false;
}

/* In the place of the one that has been there longest. */
static void keep_config(struct reader *x, struct jslice json)
{
	struct configs *configs = &x->configs;
	struct known_config *kept;

	configs->current = configs->kept++ % ARRAY_LEN(configs->recent);
	configs->n += configs->n < ARRAY_LEN(configs->recent);
	kept = &configs->recent[configs->current];
	kept->json = texts_keep(&x->texts, json);
	move_values(kept->slots, x->slots, &config_keys, kept->json.at, json.at);
}

/* Not deeper than the tables are. */
static int read_nested(struct reader *x, const struct key_row *row)
{
	struct jscan *scan = &x->scan;
	struct jslice *object = &x->slots[row->slot];
	bool is_config = row->nested == &config_keys;
	bool is_known;

	if (jscan_peek(scan) != '{') {
		forget_values(x, row->nested);
		return jscan_skip(scan, object);
	}
	object->at = scan->at;
	is_known = is_config && pass_known_config(x);
	if (!is_known) {
		forget_values(x, row->nested);
		if (read_members(x, row->nested) < 0)
			return -1;
	}
	object->len = (size_t)(scan->at - object->at);
	if (is_config && !is_known)
		keep_config(x, *object);
	return 0;
}

static int read_members(struct reader *x, const struct key_set *set)
{
	struct jslice key;
	int rc = jscan_enter(&x->scan);

	while (rc >= 0 && (rc = jscan_key(&x->scan, &key)) > 0) {
		const struct key_row *row = find_key(x, set, key);

		if (row && row->nested)
			rc = read_nested(x, row);
		else
			rc = jscan_skip(&x->scan, row ? &x->slots[row->slot] : NULL);
	}
	return rc;
}

int reader_read_node(struct reader *reader)
{
	memset(reader->slots, 0, sizeof(reader->slots));
	return read_members(reader, &node_keys);
}

void reader_init(struct reader *reader, struct arena *arena)
{
	reader->texts.arena = arena;
	sort_keys(reader, &node_keys);
}
