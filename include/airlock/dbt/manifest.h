/*
 * manifest: what airlock needs of a manifest.json, found in one pass over the file, of which only a
 * window is in memory. What a node's config says stays as it is until manifest_json() is asked.
 *
 * Fields are keyed on presence, not on the schema version: missing or null is NULL or empty.
 *
 * Life cycle: manifest_read() (or manifest_parse() for bytes, which must live as long), read-only,
 *             manifest_free().
 * Ownership:  every pointer below belongs to the manifest.
 * Errors:     ERR_MANIFEST_INVALID with file, line and column; ERR_FILE, also for a file that
 *             changes while it is read. Limits: 1 GiB, depth 2,048, names of 64 KiB, 1,000,000
 *             nodes.
 * Source:     https://schemas.getdbt.com/dbt/manifest/v12.json
 */
#ifndef AIRLOCK_DBT_MANIFEST_H
#define AIRLOCK_DBT_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "airlock/base/err.h"
#include "airlock/base/strv.h"
#include "airlock/format/jscan.h"
#include "airlock/warehouse/relation.h"

enum manifest_type {
	MANIFEST_OTHER = 0, /* operation, analysis, exposure, ... */
	MANIFEST_MODEL,
	MANIFEST_SEED,
	MANIFEST_SNAPSHOT,
	MANIFEST_TEST, /* data test, generic or singular */
	MANIFEST_UNIT_TEST,
	MANIFEST_SOURCE,
};

struct manifest_node {
	const char *unique_id;
	enum manifest_type type;
	const char *resource_type; /* as written: "model", "unit_test", ... */
	const char *name;
	const char *package;
	const char *path;          /* original_file_path, relative to its project */
	const char *patch_path;    /* of the yml that describes it, without "package://"; or NULL */
	const char *compiled_path; /* of a compiled node, as dbt wrote it; NULL otherwise */
	const char *materialized;  /* "" when it has none */
	struct relation relation;  /* database, schema, alias; identifier for sources */
	const char *relation_name; /* as rendered by dbt; NULL for ephemeral models and tests */
	const char *const *tags;
	size_t tag_count;
	const char *const *fqn;
	size_t fqn_count;
	const struct manifest_node **parents; /* depends_on.nodes that exist in this manifest */
	size_t parent_count;
	const struct manifest_node **children; /* the reverse edges, tests included */
	size_t child_count;
	bool versioned;
	const char *version; /* "2"; NULL when not versioned */
	const char *latest_version;
	const char *group;       /* config.group; "" without */
	const char *access;      /* of a model: "protected", ...; "" otherwise */
	const char *source_name; /* of a source; "" otherwise */
	const char *test_name;   /* of a generic test: "unique"; NULL for a singular one */
	const char
		*operation_sql; /* of a hook of the project (on-run-start): its SQL; "" otherwise */
	const char *const *hooks; /* sql of config.pre-hook and config.post-hook */
	size_t hook_count;
	const char *const *grants; /* "privilege", "grantee" pairs of config.grants */
	size_t grant_count;        /* number of pairs */
	bool sets_grants;          /* config.grants says something, be it that nobody may read */
	const char *severity;      /* of a test: "error", "warn"; "" otherwise */
	const char *full_refresh;  /* config.full_refresh: "true", "false"; "" when it is not set */
	/* Of a snapshot: the column that tells its rows apart, "dbt_scd_id" or what
	 * config.snapshot_meta_column_names calls it; NULL otherwise. */
	const char *snapshot_key;
	struct jslice config;    /* as it stands in the file: for manifest_json() */
	struct jslice freshness; /* of a source, the same way */
	struct jslice json;      /* the whole node, of a manifest that is there as a whole */
};

struct manifest;

int manifest_read(const char *path, struct manifest **ret_manifest, struct err *err);
/* Bytes of the window, which grows where one node has more. A test makes it smaller. */
extern size_t manifest_window;
/* With the whole file kept, for what is asked of a node's `json`. */
int manifest_read_whole(const char *path, struct manifest **ret_manifest, struct err *err);
int manifest_parse(const char *text, size_t len, const char *name, struct manifest **ret_manifest,
		   struct err *err);
void manifest_free(struct manifest *manifest);

const char *manifest_adapter_type(const struct manifest *manifest); /* "" when absent */
const char *manifest_dbt_version(const struct manifest *manifest);
const char *manifest_project_name(const struct manifest *manifest); /* "" when absent */
const char *manifest_invocation_id(const struct manifest *manifest);
const char *manifest_file(const struct manifest *manifest); /* as errors name it */

/* In the order of the file: nodes, sources, unit_tests, then what else takes part in the graph
 * (exposures, metrics, semantic models, saved queries, functions) as MANIFEST_OTHER. Enabled ones
 * only (dbt leaves disabled ones out of these maps). */
size_t manifest_count(const struct manifest *manifest);
const struct manifest_node *manifest_node(const struct manifest *manifest, size_t i);
const struct manifest_node *manifest_find(const struct manifest *manifest, const char *unique_id);

/* Calls the database of its nodes, where it is `from`, by another name; sources stay. `to` has to
 * live as long. */
void manifest_rename_database(struct manifest *manifest, const char *from, const char *to);

/* By its name or its unique_id, as options name nodes and tests. */
bool manifest_is_named(const struct manifest_node *node, const struct strv *names);

/* From 0, as manifest_node() counts. */
size_t manifest_position(const struct manifest *manifest, const struct manifest_node *node);

/* What stands in a slice of this manifest, a new reference; NULL with *err set. */
json_t *manifest_json(const struct manifest *manifest, struct jslice slice, struct err *err);

bool manifest_has_tag(const struct manifest_node *node, const char *tag);
/* A node that dbt makes as an object of the warehouse: model but not ephemeral, seed, snapshot. */
bool manifest_makes_relation(const struct manifest_node *node);
bool manifest_is_ephemeral(const struct manifest_node *node); /* a model that makes none */
/* Its relation holds rows: table, incremental, seed, snapshot (and unknown materializations). */
bool manifest_is_table(const struct manifest_node *node);
bool manifest_is_test(const struct manifest_node *node); /* data or unit test */

#endif
