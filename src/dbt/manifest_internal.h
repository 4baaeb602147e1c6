/*
 * The parts of manifest: texts (manifest_text.c), the file as it is walked (manifest_window.c), its
 * index (manifest_index.c), the members of one node (manifest_keys.c) and what they say
 * (manifest_node.c), the graph and the questions (manifest.c).
 */
#ifndef AIRLOCK_DBT_MANIFEST_INTERNAL_H
#define AIRLOCK_DBT_MANIFEST_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "airlock/base/buf.h"
#include "airlock/base/fs.h"
#include "airlock/base/mem.h"
#include "airlock/dbt/manifest.h"
#include "airlock/format/jscan.h"

#define TEXT_RECENT 1024

/* The strings of a manifest, kept once where they come again soon. */
struct texts {
	struct arena *arena;
	char *at;
	size_t left;
	struct buf decoded;
	struct {
		const char *text;
		size_t len;
	} recent[TEXT_RECENT];
};

/* The same bytes, as long as the manifest lives. */
struct jslice texts_keep(struct texts *texts, struct jslice slice);
/* "" when the slice is no string (or holds a NUL). -1: a string that is not JSON. */
int texts_get(struct texts *texts, struct jslice slice, const char **ret_text);
/* The strings of an array, or the one string in its place. */
int texts_list(struct texts *texts, struct jscan *scan, struct jslice slice,
	       const char *const **ret_list, size_t *ret_n);

/* The values that are looked for, each where its key puts it. */
enum slot {
	SLOT_NAME,
	SLOT_PACKAGE,
	SLOT_RESOURCE_TYPE,
	SLOT_DATABASE,
	SLOT_SCHEMA,
	SLOT_ALIAS,
	SLOT_IDENTIFIER,
	SLOT_RELATION_NAME,
	SLOT_PATH,
	SLOT_PATCH_PATH,
	SLOT_COMPILED_PATH,
	SLOT_FQN,
	SLOT_TAGS,
	SLOT_VERSION,
	SLOT_LATEST_VERSION,
	SLOT_ACCESS,
	SLOT_SOURCE_NAME,
	SLOT_FRESHNESS,
	SLOT_RAW_CODE,
	SLOT_RAW_SQL,
	SLOT_CONFIG,
	SLOT_DEPENDS_ON,
	SLOT_TEST_METADATA,
	SLOT_CONFIG_TAGS,
	SLOT_CONFIG_ENABLED,
	SLOT_CONFIG_FULL_REFRESH,
	SLOT_CONFIG_GRANTS,
	SLOT_CONFIG_GROUP,
	SLOT_CONFIG_MATERIALIZED,
	SLOT_CONFIG_SEVERITY,
	SLOT_CONFIG_SNAPSHOT_COLUMNS,
	SLOT_CONFIG_PRE_HOOK,
	SLOT_CONFIG_POST_HOOK,
	SLOT_CONFIG_PRE_HOOK_2,
	SLOT_CONFIG_POST_HOOK_2,
	SLOT_DEPENDS_ON_NODES,
	SLOT_TEST_METADATA_NAME,
	SLOT_COUNT,
};

/*
 * The configs that were read last, kept, and the values in them. Many nodes have the same one, byte
 * for byte: it is not looked into again, nor kept twice.
 */
struct configs {
	struct known_config {
		struct jslice json;
		struct jslice slots[SLOT_COUNT];
	} recent[64];
	size_t n;
	size_t kept;    /* in all */
	size_t current; /* that of the node at hand */
};

enum {
	KEY_SETS = 4, /* a node, and three objects in it */
	KEY_BITS = 7,
	KEY_ROWS = 23, /* of the largest set */
};

/* Of one set of names: rows + 1 by bucket, and what follows in the same one; 0 ends. */
struct key_buckets {
	unsigned char first[1 << KEY_BITS];
	unsigned char next[KEY_ROWS];
	uint64_t heads[KEY_ROWS];
};

/* What values are read with. Where one is wrong, the scan has failed. */
struct reader {
	struct jscan scan;
	struct texts texts;
	struct key_buckets buckets[KEY_SETS];
	struct jslice slots[SLOT_COUNT];
	struct configs configs;
};

/* One that is zeroed; the scan is the caller's to begin. */
void reader_init(struct reader *reader, struct arena *arena);
/* Past the object at hand, with the slots of a node filled from it. */
int reader_read_node(struct reader *reader);
/* The fields of a node whose values the slots hold. */
int manifest_fill_node(struct reader *reader, const char *resource_type,
		       struct manifest_node *node);

/* From unique_ids to positions: open addressing, a power of two. */
struct id_table {
	uint32_t *slots; /* position + 1 */
	size_t size;
};

/* What is only needed until the graph is linked; one beside each node. */
struct pending {
	struct jslice parents;
	const char *not_object_at; /* a value that is no node; NULL */
	bool has_depends_on;
	bool is_left_out; /* disabled */
};

struct manifest {
	struct arena arena;
	struct buf content; /* of a manifest that is kept as a whole, unless the caller holds it */
	const char *file;
	const char *adapter_type;
	const char *dbt_version;
	const char *project_name;
	const char *invocation_id;
	struct manifest_node *nodes;
	struct pending *pending;
	size_t n;
	struct jslice parent_map;
	struct id_table ids;
};

/*
 * The text that is walked: all of it, or a window that goes along a file, so that what was passed
 * takes neither memory nor time. Slices last until the window goes on; what is kept is copied.
 */
struct window {
	struct fs_pieces *file; /* NULL: the text is there as a whole */
	char *data;             /* of a file */
	size_t cap;
};

void window_of_file(struct window *window, struct jscan *scan, struct fs_pieces *file);
void window_release(struct window *window);
/* With more of the file behind what is left at `from`, a state of this scan, which goes on from
 * there. False: there is no more. */
bool window_more(struct window *window, struct jscan *scan, const struct jscan *from);
/* Bytes that were not passed yet, also of what is not read yet. */
size_t window_left(const struct window *window, const struct jscan *scan);

/* An error in a file that is read in pieces has no place: read it as a whole to find that. */
int manifest_index(struct manifest *manifest, const char *text, size_t len, struct err *err);
int manifest_index_file(struct manifest *manifest, struct fs_pieces *file, struct err *err);

size_t id_hash(const char *id, size_t len);
/* The slot of an id: empty, or that of the node. */
uint32_t *id_slot(const struct id_table *table, const struct manifest_node *nodes, const char *id,
		  size_t len);

#endif
