#include "airlock/dbt/manifest.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "airlock/base/fs.h"
#include "airlock/warehouse/dialect.h"
#include "manifest_internal.h"

#define MAX_BYTES ((size_t)1 << 30)
#define NOT_FOUND SIZE_MAX

static size_t find(const struct manifest *manifest, const char *id, size_t len)
{
	uint32_t slot = *id_slot(&manifest->ids, manifest->nodes, id, len);

	return slot ? slot - 1 : NOT_FOUND;
}

/* The nodes that parents are looked up for, and what has been found. */
struct links {
	struct manifest *manifest;
	struct buf decoded;
	const struct manifest_node **found;
	size_t n;
	size_t cap;
	size_t *last_child; /* position + 1 of the child that named a node last */
};

static int add_parent(struct links *links, size_t child, struct jslice id)
{
	struct manifest *manifest = links->manifest;
	const char *text = id.at + 1;
	size_t len = id.len - 2;
	size_t at;

	if (!jslice_is_plain(id)) {
		if (jscan_decode(id, &links->decoded) < 0)
			return -1;
		text = buf_cstr(&links->decoded);
		len = links->decoded.len;
	}
	at = find(manifest, text, len);
	/* An edge that is listed twice counts once. */
	if (at == NOT_FOUND || links->last_child[at] == child + 1)
		return 0;
	links->last_child[at] = child + 1;
	mem_grow((void **)&links->found, &links->cap, links->n + 1, sizeof(*links->found));
	links->found[links->n++] = &manifest->nodes[at];
	manifest->nodes[at].child_count++;
	return 0;
}

static int link_parents(struct links *links, size_t child, struct err *err)
{
	struct manifest *manifest = links->manifest;
	struct manifest_node *node = &manifest->nodes[child];
	struct jslice ids = manifest->pending[child].parents;
	struct jslice id;
	struct jscan scan;
	int rc = 0;

	links->n = 0;
	if (!ids.at || *ids.at != '[' || jslice_equals(ids, "[]"))
		return 0;
	jscan_init(&scan, ids.at, ids.len);
	jscan_enter(&scan);
	while (rc >= 0 && (rc = jscan_item(&scan)) > 0) {
		rc = jscan_skip(&scan, &id);
		if (rc == 0 && jslice_is_string(id))
			rc = add_parent(links, child, id);
	}
	if (rc < 0)
		return err_set(err, ERR_MANIFEST_INVALID, "%s: not JSON: depends_on of '%s'",
			       manifest->file, node->unique_id);
	node->parents = arena_alloc(&manifest->arena, (links->n + 1) * sizeof(*node->parents));
	for (size_t i = 0; i < links->n; i++)
		node->parents[i] = links->found[i];
	node->parent_count = links->n;
	return 0;
}

static void link_children(struct manifest *manifest)
{
	for (size_t i = 0; i < manifest->n; i++) {
		struct manifest_node *node = &manifest->nodes[i];

		if (node->child_count == 0)
			continue;
		node->children =
			arena_alloc(&manifest->arena, node->child_count * sizeof(*node->children));
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

static bool lacks_depends_on(const struct manifest *manifest)
{
	for (size_t i = 0; i < manifest->n; i++)
		if (!manifest->pending[i].has_depends_on &&
		    manifest->nodes[i].type != MANIFEST_SOURCE)
			return true;
	return false;
}

/* parent_map says the same as depends_on; it is read only where the latter is missing. */
static int read_parent_map(struct links *links, struct err *err)
{
	struct manifest *manifest = links->manifest;
	struct jslice key, ids;
	struct jscan scan;
	int rc;

	if (!manifest->parent_map.at || *manifest->parent_map.at != '{' ||
	    !lacks_depends_on(manifest))
		return 0;
	jscan_init(&scan, manifest->parent_map.at, manifest->parent_map.len);
	rc = jscan_enter(&scan);
	while (rc >= 0 && (rc = jscan_key(&scan, &key)) > 0) {
		size_t at = NOT_FOUND;

		rc = jscan_decode(key, &links->decoded);
		if (rc == 0)
			rc = jscan_skip(&scan, &ids);
		if (rc == 0)
			at = find(manifest, buf_cstr(&links->decoded), links->decoded.len);
		if (at != NOT_FOUND && !manifest->pending[at].has_depends_on)
			manifest->pending[at].parents = ids;
	}
	if (rc < 0)
		return err_set(err, ERR_MANIFEST_INVALID, "%s: not JSON: 'parent_map'",
			       manifest->file);
	return 0;
}

static int link_nodes(struct manifest *manifest, struct err *err)
{
	struct links links = { .manifest = manifest };
	int rc = read_parent_map(&links, err);

	links.last_child = mem_alloc((manifest->n + 1) * sizeof(*links.last_child));
	for (size_t i = 0; rc == 0 && i < manifest->n; i++)
		rc = link_parents(&links, i, err);
	if (rc == 0)
		link_children(manifest);
	buf_release(&links.decoded);
	free(links.found);
	free(links.last_child);
	return rc;
}

/* Behind the part of a relation's name that begins at p. */
static const char *part_end(const char *p)
{
	if (*p != '"')
		return p + strcspn(p, ".");
	for (p++; *p; p++)
		if (*p == '"' && *++p != '"')
			break;
	return p;
}

/* Whether dbt writes the `number`th of its parts, from the last one, in quotes. */
static bool is_quoted(const char *relation_name, size_t number)
{
	const char *starts[3] = { NULL };
	size_t n = 0;

	for (const char *p = relation_name; n < ARRAY_LEN(starts); p++) {
		starts[n++] = p;
		p = part_end(p);
		if (*p != '.')
			break;
	}
	return number < n && *starts[n - 1 - number] == '"';
}

/* dbt puts quotes around what it is given: one in a name is written twice there, as in SQL. */
static const char *undouble(struct manifest *manifest, const char *part)
{
	char *out = arena_strdup(&manifest->arena, part);
	char *to = out;

	for (const char *p = part; *p; p++) {
		*to++ = *p;
		if (p[0] == '"' && p[1] == '"')
			p++;
	}
	*to = '\0';
	return out;
}

static const char *fold(struct manifest *manifest, const char *part)
{
	char *upper = arena_strdup(&manifest->arena, part);

	for (char *p = upper; *p; p++)
		*p = (char)toupper((unsigned char)*p);
	return upper;
}

static void store_part(struct manifest *manifest, const struct dialect *dialect, bool is_quoted,
		       const char **part)
{
	if (!*part)
		return;
	if (is_quoted && strstr(*part, "\"\""))
		*part = undouble(manifest, *part);
	else if (!is_quoted && dialect->folds_upper)
		*part = fold(manifest, *part);
}

/* Names as the warehouse stores them. */
static void store_names(struct manifest *manifest)
{
	const struct dialect *dialect = dialect_find(manifest->adapter_type);

	for (size_t i = 0; dialect && i < manifest->n; i++) {
		struct manifest_node *node = &manifest->nodes[i];
		const char *name = node->relation_name ? node->relation_name : "";

		store_part(manifest, dialect, is_quoted(name, 0), &node->relation.identifier);
		store_part(manifest, dialect, is_quoted(name, 1), &node->relation.schema);
		store_part(manifest, dialect, is_quoted(name, 2), &node->relation.database);
	}
}

static struct manifest *new_manifest(const char *name)
{
	struct manifest *manifest = mem_alloc(sizeof(*manifest));

	arena_init(&manifest->arena);
	manifest->file = arena_strdup(&manifest->arena, name);
	manifest->adapter_type = manifest->dbt_version = "";
	manifest->project_name = manifest->invocation_id = "";
	return manifest;
}

/* The manifest when its index is made (`rc` 0) and its graph is whole; it is freed otherwise. */
static int finish(struct manifest *manifest, int rc, struct manifest **ret_manifest,
		  struct err *err)
{
	if (rc < 0 || link_nodes(manifest, err) < 0) {
		manifest_free(manifest);
		return -1;
	}
	free(manifest->pending);
	manifest->pending = NULL;
	store_names(manifest);
	*ret_manifest = manifest;
	return 0;
}

int manifest_parse(const char *text, size_t len, const char *name, struct manifest **ret_manifest,
		   struct err *err)
{
	struct manifest *manifest;

	if (len > MAX_BYTES)
		return err_set(err, ERR_MANIFEST_INVALID, "%s: larger than %zu bytes", name,
			       MAX_BYTES);
	manifest = new_manifest(name);
	return finish(manifest, manifest_index(manifest, text, len, err), ret_manifest, err);
}

/* As long as nothing is wrong with the file, and nobody changes it. */
static int read_in_pieces(const char *path, struct manifest **ret_manifest)
{
	struct manifest *manifest = NULL;
	struct err err = ERR_INIT;
	struct fs_pieces file;
	int rc;

	if (fs_pieces_open(path, MAX_BYTES, &file) < 0)
		return -1;
	manifest = new_manifest(path);
	rc = finish(manifest, manifest_index_file(manifest, &file, &err), &manifest, &err);
	err_release(&err);
	if (!fs_pieces_close(&file) && rc == 0) {
		manifest_free(manifest);
		return -1;
	}
	if (rc == 0)
		*ret_manifest = manifest;
	return rc;
}

int manifest_read_whole(const char *path, struct manifest **ret_manifest, struct err *err)
{
	struct manifest *manifest = new_manifest(path);
	int rc = fs_read_steady(path, MAX_BYTES, &manifest->content, err);

	if (rc == 0)
		rc = manifest_index(manifest, buf_cstr(&manifest->content), manifest->content.len,
				    err);
	return finish(manifest, rc, ret_manifest, err);
}

int manifest_read(const char *path, struct manifest **ret_manifest, struct err *err)
{
	if (fs_is_directory(path))
		return err_set(err, ERR_MANIFEST_INVALID,
			       "'%s' is a directory where a manifest.json is expected", path);
	if (read_in_pieces(path, ret_manifest) == 0)
		return 0;
	/* Says what is wrong, and where; or the file was changed and is read once more. */
	return manifest_read_whole(path, ret_manifest, err);
}

void manifest_free(struct manifest *manifest)
{
	if (!manifest)
		return;
	arena_release(&manifest->arena);
	buf_release(&manifest->content);
	free(manifest->nodes);
	free(manifest->pending);
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

bool manifest_is_named(const struct manifest_node *node, const struct strv *names)
{
	return strv_contains(names, node->name) || strv_contains(names, node->unique_id);
}

const struct manifest_node *manifest_find(const struct manifest *manifest, const char *unique_id)
{
	size_t at = find(manifest, unique_id, strlen(unique_id));

	return at == NOT_FOUND ? NULL : &manifest->nodes[at];
}

void manifest_rename_database(struct manifest *manifest, const char *from, const char *to)
{
	for (size_t i = 0; i < manifest_count(manifest); i++) {
		struct manifest_node *node = &manifest->nodes[i];

		if (node->type != MANIFEST_SOURCE && node->relation.database &&
		    strcasecmp(node->relation.database, from) == 0)
			node->relation.database = to;
	}
}

size_t manifest_position(const struct manifest *manifest, const struct manifest_node *node)
{
	return (size_t)(node - manifest->nodes);
}

json_t *manifest_json(const struct manifest *manifest, struct jslice slice, struct err *err)
{
	json_error_t error;
	json_t *json = json_loadb(slice.at, slice.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);

	if (!json)
		err_set(err, ERR_MANIFEST_INVALID, "%s: not JSON: %s", manifest->file, error.text);
	return json;
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

bool manifest_is_ephemeral(const struct manifest_node *node)
{
	return node->type == MANIFEST_MODEL && !manifest_makes_relation(node);
}

bool manifest_is_table(const struct manifest_node *node)
{
	return manifest_makes_relation(node) && strcmp(node->materialized, "view") != 0;
}

bool manifest_is_test(const struct manifest_node *node)
{
	return node->type == MANIFEST_TEST || node->type == MANIFEST_UNIT_TEST;
}
