#include "select_internal.h"

#include <stdlib.h>
#include <string.h>

#include "airlock/base/buf.h"
#include "airlock/base/fs.h"
#include "airlock/format/glob.h"

/* A dotted name, and from its first part with a wildcard on as a pattern. */
struct dotted {
	const char *value;
	struct glob *rest;
	size_t dots;
};

static size_t count_dots(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += *s == '.';
	return n;
}

static bool part_is_pattern(const char *part)
{
	return strcspn(part, "*?[]") < strcspn(part, ".");
}

static struct dotted dotted_new(const char *value)
{
	struct dotted dotted = { .value = value, .dots = count_dots(value) };
	const char *part = value;

	while (part && !part_is_pattern(part)) {
		const char *dot = strchr(part, '.');

		part = dot ? dot + 1 : NULL;
	}
	if (part)
		dotted.rest = glob_new(part);
	return dotted;
}

/* Part by part; `name` may go on where the selector ends. */
static bool parts_match(const char *name, const struct dotted *dotted)
{
	const char *value = dotted->value;

	if (count_dots(name) < dotted->dots)
		return false;
	while (!part_is_pattern(value)) {
		size_t len = strcspn(value, ".");
		if (strcspn(name, ".") != len || memcmp(name, value, len) != 0)
			return false;
		if (value[len] == '\0')
			return true;
		value += len + 1;
		name += len + 1;
	}
	return glob_matches(dotted->rest, name);
}

/* `customers.v2` and `customers_v2` both name version 2. */
static bool versioned_tail_matches(const char *const *fqn, size_t n, const char *value)
{
	CLEANUP(mem_free_string) char *tail = mem_printf("%s_%s", fqn[n - 2], fqn[n - 1]);
	CLEANUP(mem_free_string) char *copy = mem_strdup(value);
	char *dot = strrchr(copy, '.');
	char *before;

	if (!dot)
		return strcmp(copy, tail) == 0;
	*dot = '\0';
	before = strrchr(copy, '.');
	*dot = '_';
	return strcmp(before ? before + 1 : copy, tail) == 0;
}

/* is_selected_node() of dbt/graph/selector_methods.py. */
static bool name_matches(const struct manifest_node *node, size_t skip, const char *joined,
			 const struct dotted *dotted)
{
	const char *const *fqn = node->fqn + skip;
	size_t n = node->fqn_count - skip;

	if (node->versioned && n >= 2) {
		if (strcmp(fqn[n - 2], dotted->value) == 0 ||
		    versioned_tail_matches(fqn, n, dotted->value))
			return true;
	} else if (strcmp(fqn[n - 1], dotted->value) == 0) {
		return true;
	}
	return parts_match(joined, dotted);
}

static bool leaf_matches(struct selection *s, const struct manifest_node *node,
			 const struct dotted *dotted)
{
	size_t n = node->fqn_count;
	const char *leaf = node->versioned && n >= 2 ? node->fqn[n - 2] : node->fqn[n - 1];

	if (!dotted->rest || dotted->dots > 0 || s->leaf_rule == LEAF_IGNORED ||
	    !glob_matches(dotted->rest, leaf))
		return false;
	s->uncertain |= s->leaf_rule == LEAF_UNSURE;
	return true;
}

static bool fqn_matches(struct selection *s, const struct manifest_node *node,
			const struct dotted *dotted)
{
	CLEANUP(buf_release) struct buf joined = BUF_INIT;
	size_t first;

	if (node->fqn_count == 0)
		return false;
	for (size_t i = 0; i < node->fqn_count; i++)
		buf_printf(&joined, "%s%s", i ? "." : "", node->fqn[i]);
	if (name_matches(node, 0, buf_cstr(&joined), dotted))
		return true;
	first = strlen(node->fqn[0]) + 1;
	if (node->fqn_count > 1 && name_matches(node, 1, buf_cstr(&joined) + first, dotted))
		return true;
	return leaf_matches(s, node, dotted);
}

void match_fqn(struct selection *s, const char *value, bool *set)
{
	struct dotted dotted = dotted_new(value);

	/* dbt 2 compares wildcards with names and unique ids as well, but for the one of all. */
	if (s->major >= 2 && dotted.rest && strcmp(value, "*") != 0)
		s->uncertain = true;
	for (size_t i = 0; i < s->n; i++) {
		const struct manifest_node *node = manifest_node(s->manifest, i);
		set[i] = node->type != MANIFEST_SOURCE && fqn_matches(s, node, &dotted);
	}
	glob_free(dotted.rest);
}

/* Parts of a path; pathlib sees neither empty ones nor dots. */
static void split_path(struct strv *parts, const char *path)
{
	struct strv all = STRV_INIT;

	strv_split(&all, path, "/");
	for (size_t i = 0; i < all.n; i++)
		if (strcmp(all.v[i], ".") != 0)
			strv_push(parts, all.v[i]);
	strv_release(&all);
}

/* "" for the directory of the project itself. */
static char *join_prefix(const struct strv *parts, size_t n)
{
	struct strv prefix = { .v = parts->v, .n = n };

	return n ? strv_join(&prefix, "/") : mem_strdup("");
}

struct path_pattern {
	struct strv parts;
	struct glob **globs; /* NULL for `**` */
};

static struct path_pattern path_pattern_new(const char *value)
{
	struct path_pattern pattern = { .globs = NULL };

	split_path(&pattern.parts, value);
	pattern.globs = mem_alloc((pattern.parts.n + 1) * sizeof(*pattern.globs));
	for (size_t i = 0; i < pattern.parts.n; i++)
		if (strcmp(pattern.parts.v[i], "**") != 0)
			pattern.globs[i] = glob_new(pattern.parts.v[i]);
	return pattern;
}

static void path_pattern_release(struct path_pattern *pattern)
{
	for (size_t i = 0; i < pattern->parts.n; i++)
		glob_free(pattern->globs[i]);
	free(pattern->globs);
	strv_release(&pattern->parts);
}

/* `**` takes any number of directories; the last one that was met is the only one to go back to. */
static bool prefix_matches(const struct path_pattern *pattern, const struct strv *path, size_t n)
{
	size_t m = pattern->parts.n;
	size_t p = 0;
	size_t t = 0;
	size_t deep = SIZE_MAX;
	size_t taken = 0;

	while (t < n) {
		if (p < m && !pattern->globs[p]) {
			deep = p++;
			taken = t;
		} else if (p < m && glob_matches(pattern->globs[p], path->v[t])) {
			p++;
			t++;
		} else if (deep != SIZE_MAX) {
			p = deep + 1;
			t = ++taken;
		} else {
			return false;
		}
	}
	while (p < m && !pattern->globs[p])
		p++;
	return p == m;
}

static void add_prefixes(struct strv *paths, const char *path)
{
	struct strv parts = STRV_INIT;

	if (!path)
		return;
	split_path(&parts, path);
	for (size_t i = 0; i <= parts.n; i++)
		strv_take(paths, join_prefix(&parts, i));
	strv_release(&parts);
}

static bool is_in_root(const struct selection *s, const struct manifest_node *node)
{
	return strcmp(node->package, manifest_project_name(s->manifest)) == 0;
}

static int compare_strings(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool root_has(struct selection *s, const char *path)
{
	if (s->root_paths.n == 0) {
		for (size_t i = 0; i < s->n; i++) {
			const struct manifest_node *node = manifest_node(s->manifest, i);
			if (!is_in_root(s, node))
				continue;
			add_prefixes(&s->root_paths, node->path);
			add_prefixes(&s->root_paths, node->patch_path);
		}
		strv_sort(&s->root_paths);
		strv_dedup(&s->root_paths);
	}
	return s->root_paths.n > 0 && bsearch(&path, s->root_paths.v, s->root_paths.n,
					      sizeof(*s->root_paths.v), compare_strings);
}

/*
 * dbt looks the pattern up in the file system of the root project and compares what it found
 * with the paths of all nodes, those of packages too. A path of a package is therefore only
 * certain to match when the root project is known to have the same path.
 */
static bool path_prefix_counts(struct selection *s, const struct manifest_node *node,
			       const struct strv *parts, size_t n, bool *maybe)
{
	CLEANUP(mem_free_string) char *prefix = NULL;

	if (is_in_root(s, node))
		return true;
	prefix = join_prefix(parts, n);
	if (root_has(s, prefix))
		return true;
	if (s->request->project_directory) {
		CLEANUP(mem_free_string)
		char *path = fs_join(s->request->project_directory, prefix);
		return fs_exists(path);
	}
	*maybe = true;
	return false;
}

/* The file that describes a node counts, but not the directories that it is in. */
static bool path_matches(struct selection *s, const struct manifest_node *node, const char *path,
			 bool with_directories, const struct path_pattern *pattern, bool *maybe)
{
	CLEANUP(strv_release) struct strv parts = STRV_INIT;
	bool ends_deep = pattern->parts.n > 0 && !pattern->globs[pattern->parts.n - 1];

	split_path(&parts, path);
	for (size_t i = with_directories ? 0 : parts.n; i <= parts.n; i++) {
		if (i == parts.n && ends_deep)
			continue;
		if (prefix_matches(pattern, &parts, i) &&
		    path_prefix_counts(s, node, &parts, i, maybe))
			return true;
	}
	return false;
}

/* Up to 1.8 no path is one of a saved query; in dbt 2 those of packages begin elsewhere, and
 * generic tests are where they are made. */
static bool path_counts(const struct selection *s, const struct manifest_node *node)
{
	if (s->major >= 2)
		return is_in_root(s, node) && !node->test_name;
	return s->major != 1 || s->minor > 8 || strcmp(node->resource_type, "saved_query") != 0;
}

void match_path(struct selection *s, const char *value, bool *set)
{
	struct path_pattern pattern = path_pattern_new(value);

	/* dbt 2 compares strings, in rules of its own where there are wildcards. */
	if (!*manifest_project_name(s->manifest) || (s->major >= 2 && glob_is_pattern(value)))
		s->uncertain = true;
	for (size_t i = 0; i < s->n; i++) {
		const struct manifest_node *node = manifest_node(s->manifest, i);
		bool maybe = false;

		if (!path_counts(s, node))
			continue;

		set[i] = path_matches(s, node, node->path, true, &pattern, &maybe) ||
			 (node->patch_path &&
			  path_matches(s, node, node->patch_path, false, &pattern, &maybe));
		s->uncertain |= maybe && !set[i];
	}
	path_pattern_release(&pattern);
}
