/* `airlock mirror generate`: the files of a raw layer, one model for each source of the project. */
#include <string.h>

#include "airlock/base/fs.h"
#include "airlock/deploy/mirror_text.h"
#include "airlock/format/json.h"
#include "deploy_parts.h"

enum { FILE_LIMIT = 16 << 20 };

struct generate {
	struct deploy *deploy;
	const struct manifest *manifest;
	struct strv raw;    /* unique_ids of what is the raw layer already */
	const char *folder; /* relative to the project */
	struct mirror_pair *pairs;
	size_t n;
	size_t made; /* of them, first in `pairs` */
	json_t *written, *left, *mirrored;
	struct buf diff;
};

static void generate_release(struct generate *g)
{
	strv_release(&g->raw);
	json_decref(g->written);
	json_decref(g->left);
	json_decref(g->mirrored);
	buf_release(&g->diff);
}

static bool is_own(const struct generate *g, const struct manifest_node *node)
{
	return strcmp(node->package, manifest_project_name(g->manifest)) == 0;
}

static bool is_raw(const struct generate *g, const struct manifest_node *node)
{
	return node->type == MANIFEST_MODEL && strv_contains(&g->raw, node->unique_id);
}

/* Before the key `mirror` is written, the tag that this command gives. */
static int find_raw(struct generate *g, struct err *err)
{
	const struct strv *words = config_list(g->deploy->request.config, OPTION_MIRROR_RAW);

	if (words->n > 0)
		return sides_select_words(&g->deploy->sides, words, &g->raw, err);
	for (size_t i = 0; i < manifest_count(g->manifest); i++)
		if (manifest_has_tag(manifest_node(g->manifest, i), "raw"))
			strv_push(&g->raw, manifest_node(g->manifest, i)->unique_id);
	return 0;
}

/* The model that copies it already; NULL when there is none. */
static const struct manifest_node *copy_of(const struct generate *g,
					   const struct manifest_node *source)
{
	for (size_t i = 0; i < source->child_count; i++)
		if (is_raw(g, source->children[i]) && source->children[i]->parent_count == 1)
			return source->children[i];
	return NULL;
}

static void leave(struct generate *g, const char *path, const char *why)
{
	json_array_append_new(g->left, json_pack("{s:s, s:s}", "path", path, "why", why));
}

/* Never over a file that is there. */
static int write_file(struct generate *g, const char *path, const struct buf *text, struct err *err)
{
	char *whole CLEANUP(mem_free_string) = fs_join(g->deploy->sides.project.directory, path);
	char *folder CLEANUP(mem_free_string) = fs_parent(whole);

	if (fs_exists(whole)) {
		leave(g, path, "the file is there");
		return 0;
	}
	if (fs_make_directories(folder, err) < 0 ||
	    fs_write_atomic(whole, buf_cstr(text), text->len, 0644, err) < 0)
		return -1;
	json_array_append_new(g->written, json_string(path));
	return 0;
}

static bool has_model(const struct generate *g, const char *name)
{
	for (size_t i = 0; i < manifest_count(g->manifest); i++) {
		const struct manifest_node *node = manifest_node(g->manifest, i);

		if (manifest_makes_relation(node) && is_own(g, node) &&
		    strcmp(node->name, name) == 0)
			return true;
	}
	return false;
}

static int make_model(struct generate *g, const struct manifest_node *source, struct err *err)
{
	char *name CLEANUP(mem_free_string) = mirror_model_name(source);
	char *path CLEANUP(mem_free_string) = mem_printf("%s/%s.sql", g->folder, name);
	struct buf text CLEANUP(buf_release) = BUF_INIT;

	if (has_model(g, name)) {
		leave(g, path, "another node of the project has the name");
		return 0;
	}
	g->pairs[g->n++] = (struct mirror_pair) { source, arena_strdup(&g->deploy->arena, name) };
	mirror_write_model(source, &text);
	return write_file(g, path, &text, err);
}

static int make_models(struct generate *g, struct err *err)
{
	size_t sources = 0;

	g->pairs = arena_alloc(&g->deploy->arena,
			       (manifest_count(g->manifest) + 1) * sizeof(*g->pairs));
	for (size_t i = 0; i < manifest_count(g->manifest); i++) {
		const struct manifest_node *source = manifest_node(g->manifest, i);

		if (source->type != MANIFEST_SOURCE || !is_own(g, source))
			continue;
		sources++;
		if (!copy_of(g, source) && make_model(g, source, err) < 0)
			return -1;
	}
	g->made = g->n;
	if (sources > 0)
		return 0;
	err_set(err, ERR_SCOPE_EMPTY, "the project has no sources: there is nothing to mirror");
	return err_hint(err, "describe them in a schema file, under 'sources:'");
}

/* What is copied already is read by ref() too. */
static void add_mirrored(struct generate *g)
{
	for (size_t i = 0; i < manifest_count(g->manifest); i++) {
		const struct manifest_node *source = manifest_node(g->manifest, i);
		const struct manifest_node *copy =
			source->type == MANIFEST_SOURCE && is_own(g, source) ? copy_of(g, source)
									     : NULL;

		if (!copy)
			continue;
		g->pairs[g->n++] = (struct mirror_pair) { source, copy->name };
		json_array_append_new(g->mirrored,
				      json_pack("{s:s, s:s}", "source", source->unique_id, "model",
						copy->unique_id));
	}
}

static int make_schema(struct generate *g, struct err *err)
{
	char *path CLEANUP(mem_free_string) = mem_printf("%s/_raw.yml", g->folder);
	struct buf text CLEANUP(buf_release) = BUF_INIT;

	if (g->made == 0)
		return 0;
	mirror_write_schema(g->pairs, g->made, &text);
	return write_file(g, path, &text, err);
}

static bool reads_source(const struct manifest_node *node)
{
	for (size_t i = 0; i < node->parent_count; i++)
		if (node->parents[i]->type == MANIFEST_SOURCE)
			return true;
	return false;
}

static int diff_node(struct generate *g, const struct manifest_node *node, struct err *err)
{
	char *whole CLEANUP(mem_free_string) =
		fs_join(g->deploy->sides.project.directory, node->path);
	struct buf text CLEANUP(buf_release) = BUF_INIT;

	if (fs_read(whole, FILE_LIMIT, &text, err) < 0)
		return -1;
	if (mirror_write_diff(node->path, buf_cstr(&text), g->pairs, g->n, &g->diff) == 0)
		leave(g, node->path, "it reads a source in a way that has to be changed by hand");
	return 0;
}

static int diff_nodes(struct generate *g, struct err *err)
{
	for (size_t i = 0; i < manifest_count(g->manifest); i++) {
		const struct manifest_node *node = manifest_node(g->manifest, i);

		if ((node->type == MANIFEST_MODEL || node->type == MANIFEST_SNAPSHOT) &&
		    is_own(g, node) && !is_raw(g, node) && reads_source(node) &&
		    diff_node(g, node, err) < 0)
			return -1;
	}
	return 0;
}

/* The first of model-paths; where Jinja makes it, what it is by default. */
static const char *model_folder(const struct generate *g)
{
	const struct yaml_node *paths =
		yaml_get(g->deploy->sides.project.document.root, "model-paths");
	const char *first = paths && paths->kind == YAML_KIND_SEQUENCE && paths->n > 0
				    ? yaml_string(paths->items[0])
				    : NULL;

	if (!first || strstr(first, "{{"))
		first = "models";
	return arena_printf(&g->deploy->arena, "%s/raw", first);
}

int deploy_mirror_generate(struct deploy *deploy, json_t **ret_document, struct err *err)
{
	struct generate g CLEANUP(generate_release) = {
		.deploy = deploy,
		.written = json_array(),
		.left = json_array(),
		.mirrored = json_array(),
	};

	deploy->request.reporter->note(deploy->request.reporter, "reading the project with dbt");
	if (sides_parse(&deploy->sides, err) < 0)
		return -1;
	g.manifest = deploy->sides.from_manifest;
	g.folder = model_folder(&g);
	if (find_raw(&g, err) < 0 || make_models(&g, err) < 0 || make_schema(&g, err) < 0)
		return -1;
	add_mirrored(&g);
	if (diff_nodes(&g, err) < 0)
		return -1;
	*ret_document = json_pack("{s:O, s:O, s:O, s:s}", "written", g.written, "left", g.left,
				  "mirrored", g.mirrored, "diff", buf_cstr(&g.diff));
	return 0;
}
