#include "select_internal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "airlock/base/buf.h"
#include "airlock/base/fs.h"
#include "airlock/format/glob.h"
#include "airlock/format/json.h"

/* Whether one node is meant; the glob is made of the whole value. */
typedef bool match_fn(const struct manifest_node *node, const struct glob *glob);

static bool is_of_type(const struct manifest_node *node, const char *resource_type)
{
	return strcmp(node->resource_type, resource_type) == 0;
}

/* Up to 1.8 only fqn: and saved_query: know of saved queries. */
static bool is_hidden(const struct selection *s, const struct manifest_node *node)
{
	return s->major == 1 && s->minor <= 8 && is_of_type(node, "saved_query");
}

static void match_each(struct selection *s, const char *value, match_fn *matches, bool *set)
{
	struct glob *glob = glob_new(value);

	for (size_t i = 0; i < s->n; i++) {
		const struct manifest_node *node = manifest_node(s->manifest, i);

		set[i] = !is_hidden(s, node) && matches(node, glob);
	}
	glob_free(glob);
}

static bool tag_matches(const struct manifest_node *node, const struct glob *glob)
{
	for (size_t i = 0; i < node->tag_count; i++)
		if (glob_matches(glob, node->tags[i]))
			return true;
	return false;
}

static bool package_matches(const struct manifest_node *node, const struct glob *glob)
{
	return glob_matches(glob, node->package);
}

/* The name of its file, with or without the suffix. */
static bool file_matches(const struct manifest_node *node, const struct glob *glob)
{
	const char *name = fs_basename(node->path);
	const char *dot = strrchr(name, '.');

	if (glob_matches(glob, name))
		return true;
	if (!dot || dot == name)
		return false;
	CLEANUP(mem_free_string) char *stem = mem_strndup(name, (size_t)(dot - name));

	return glob_matches(glob, stem);
}

static bool is_of_nodes(const struct manifest_node *node)
{
	return node->type != MANIFEST_SOURCE && node->type != MANIFEST_UNIT_TEST &&
	       (node->type != MANIFEST_OTHER || is_of_type(node, "analysis") ||
		is_of_type(node, "operation"));
}

static bool group_matches(const struct manifest_node *node, const struct glob *glob)
{
	return *node->group && (is_of_nodes(node) || is_of_type(node, "metric")) &&
	       glob_matches(glob, node->group);
}

static bool test_name_matches(const struct manifest_node *node, const struct glob *glob)
{
	if (node->type == MANIFEST_UNIT_TEST)
		return glob_matches(glob, node->name);
	return node->type == MANIFEST_TEST && node->test_name &&
	       glob_matches(glob, node->test_name);
}

/* `[package.]name`, and for sources `[[package.]source.]table`. */
struct dotted_name {
	struct glob *package;
	struct glob *source;
	struct glob *name;
};

static void dotted_name_release(struct dotted_name *dotted)
{
	glob_free(dotted->package);
	glob_free(dotted->source);
	glob_free(dotted->name);
}

/* Python's split("."): as many parts as dots and one more. */
static size_t split_dots(char *value, char *parts[4])
{
	size_t n = 0;

	for (char *part = value; part && n < 4; n++) {
		parts[n] = part;
		part = strchr(part, '.');
		if (part)
			*part++ = '\0';
	}
	return n;
}

static int match_dotted(struct selection *s, const struct criterion *c, const char *resource_type,
			bool *set, struct err *err)
{
	CLEANUP(dotted_name_release) struct dotted_name dotted = { 0 };
	CLEANUP(mem_free_string) char *copy = mem_strdup(c->value);
	bool is_source = strcmp(resource_type, "source") == 0;
	char *parts[4];
	size_t n = split_dots(copy, parts);

	if (n > (is_source ? 3U : 2U) && s->major >= 2) {
		/* It refuses what names a source, where there is one. */
		s->uncertain |= is_source;
		return 0;
	}
	if (n > (is_source ? 3U : 2U))
		return err_set(err, ERR_SELECTOR_INVALID, "'%s' names no %s: it has %zu parts",
			       c->value, resource_type, n);
	if (is_source) {
		dotted.source = glob_new(n == 1 ? parts[0] : parts[n - 2]);
		dotted.name = glob_new(n == 1 ? "*" : parts[n - 1]);
		dotted.package = glob_new(n == 3 ? parts[0] : "*");
	} else {
		dotted.name = glob_new(parts[n - 1]);
		dotted.package = glob_new(n == 2 ? parts[0] : "*");
	}
	for (size_t i = 0; i < s->n; i++) {
		const struct manifest_node *node = manifest_node(s->manifest, i);

		set[i] = is_of_type(node, resource_type) &&
			 glob_matches(dotted.package, node->package) &&
			 (!is_source || glob_matches(dotted.source, node->source_name)) &&
			 glob_matches(dotted.name, node->name);
	}
	return 0;
}

static void match_access(struct selection *s, const char *value, bool *set)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct manifest_node *node = manifest_node(s->manifest, i);

		set[i] = node->type == MANIFEST_MODEL && strcmp(node->access, value) == 0;
	}
}

static int match_resource_type(struct selection *s, const char *value, bool *set, struct err *err)
{
	static const char *const known[] = {
		"model",          "analysis",  "test",          "snapshot",
		"operation",      "seed",      "rpc",           "doc",
		"source",         "macro",     "exposure",      "metric",
		"group",          "fixture",   "function",      "saved_query",
		"semantic_model", "unit_test", "sql_operation",
	};
	bool is_known = false;

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		is_known |= strcmp(known[i], value) == 0;
	if (!is_known && s->refuses_unknown)
		return err_set(err, ERR_SELECTOR_INVALID, "'%s' is no resource type of dbt", value);
	/* Some dbt may know it, and `function` is an error of those before 1.11. */
	s->uncertain |=
		!is_known || (strcmp(value, "function") == 0 && s->major == 1 && s->minor < 11);
	for (size_t i = 0; i < s->n; i++)
		set[i] = is_of_type(manifest_node(s->manifest, i), value) &&
			 !is_hidden(s, manifest_node(s->manifest, i));
	return 0;
}

/* dbt asks whether the word is part of these names, not whether it is one of them. */
static int match_test_type(struct selection *s, const char *value, bool *set, struct err *err)
{
	bool generic = strcmp(value, "generic") == 0 || strcmp(value, "schema") == 0;
	bool data = !generic && strstr("data", value);
	bool singular = !generic && !data && strstr("singular", value);
	bool unit = !generic && !data && !singular && strstr("unit", value);

	/* dbt 2 knows whole words only, and takes any other one for the name of no type. */
	if (s->major >= 2 && strcmp(value, "generic") != 0 && strcmp(value, "data") != 0 &&
	    strcmp(value, "singular") != 0 && strcmp(value, "unit") != 0)
		return 0;
	if (!generic && !data && !singular && !unit)
		return err_set(err, ERR_SELECTOR_INVALID,
			       "'%s' is no type of tests: generic, singular, unit and data are",
			       value);
	for (size_t i = 0; i < s->n; i++) {
		const struct manifest_node *node = manifest_node(s->manifest, i);
		bool is_generic = node->type == MANIFEST_TEST && node->test_name;
		bool is_singular = node->type == MANIFEST_TEST && !node->test_name;

		set[i] = (is_generic && (generic || data)) || (is_singular && (singular || data)) ||
			 (unit && node->type == MANIFEST_UNIT_TEST);
	}
	return 0;
}

static bool number_of(const char *text, double *ret_number)
{
	char *end;

	*ret_number = strtod(text, &end);
	return *text && !*end;
}

/* Versions compare as numbers where both are, else as text. */
static int compare_versions(const char *a, const char *b)
{
	double x, y;

	if (!number_of(a, &x) || !number_of(b, &y))
		return strcmp(a, b);
	return (x > y) - (x < y);
}

static bool version_matches(const struct manifest_node *node, const char *value)
{
	bool has_both = node->version && node->latest_version && strcmp(node->version, "0") != 0 &&
			strcmp(node->latest_version, "0") != 0;

	if (node->type != MANIFEST_MODEL)
		return false;
	if (strcmp(value, "none") == 0)
		return !node->version;
	if (strcmp(value, "latest") == 0)
		return node->version && node->latest_version &&
		       strcmp(node->version, node->latest_version) == 0;
	if (strcmp(value, "prerelease") == 0)
		return has_both && compare_versions(node->version, node->latest_version) > 0;
	return has_both && compare_versions(node->version, node->latest_version) < 0;
}

static int match_version(struct selection *s, const char *value, bool *set, struct err *err)
{
	static const char *const known[] = { "latest", "prerelease", "old", "none" };
	bool is_known = false;

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		is_known |= strcmp(known[i], value) == 0;
	if (!is_known)
		return err_set(err, ERR_SELECTOR_INVALID,
			       "'%s' is no kind of version: latest, prerelease, old and none are",
			       value);
	/* What dbt 2 takes for a model without versions is not in the manifest. */
	s->uncertain |= s->major >= 2 && strcmp(value, "none") == 0;
	for (size_t i = 0; i < s->n; i++)
		set[i] = version_matches(manifest_node(s->manifest, i), value);
	return 0;
}

static bool is_value(const json_t *json, const struct criterion *c, bool in_list)
{
	const char *text = json_string_value(json);
	bool is_true = strcasecmp(c->value, "true") == 0;
	bool is_false = strcasecmp(c->value, "false") == 0;

	if (text && !c->is_boolean)
		return strcmp(c->arguments, "severity") == 0 ? strcasecmp(text, c->value) == 0
							     : strcmp(text, c->value) == 0;
	if (json_is_boolean(json))
		return json_is_true(json) ? is_true : is_false;
	/* In Python 1 is True, where values are compared and not asked what they are. */
	if (json_is_number(json) && (in_list || c->is_boolean))
		return (is_true && json_number_value(json) == 1) ||
		       (is_false && json_number_value(json) == 0);
	return false;
}

static bool config_matches(const json_t *config, const struct criterion *c)
{
	CLEANUP(strv_release) struct strv keys = STRV_INIT;
	const json_t *value = config;

	strv_split(&keys, c->arguments, ".");
	for (size_t i = 0; i < keys.n && value; i++)
		value = json_object_get(value, keys.v[i]);
	if (!value || keys.n == 0)
		return false;
	if (!json_is_array(value))
		return is_value(value, c, false);
	for (size_t i = 0; i < json_array_size(value); i++)
		if (is_value(json_array_get(value, i), c, true))
			return true;
	return false;
}

/* The slice of a config holds the word or cannot match: most need not be parsed. */
static bool may_match(struct jslice config, const struct criterion *c)
{
	size_t len = strcspn(c->arguments, ".");

	return config.at && (memchr(config.at, '\\', config.len) ||
			     memmem(config.at, config.len, c->arguments, len));
}

static int match_config(struct selection *s, const struct criterion *c, bool *set, struct err *err)
{
	/* Elsewhere dbt 2 looks at more nodes and compares numbers as text. */
	s->uncertain |= s->major >= 2 && strcmp(c->arguments, "materialized") != 0 &&
			strcmp(c->arguments, "tags") != 0;
	for (size_t i = 0; i < s->n; i++) {
		const struct manifest_node *node = manifest_node(s->manifest, i);
		json_t *config;

		if ((!is_of_nodes(node) && node->type != MANIFEST_SOURCE) ||
		    !may_match(node->config, c))
			continue;
		config = manifest_json(s->manifest, node->config, err);
		if (!config)
			return -1;
		set[i] = config_matches(config, c);
		json_decref(config);
	}
	return 0;
}

static void match_group(struct selection *s, const char *value, bool *set)
{
	match_each(s, value, group_matches, set);
	/* dbt 2 has no wildcards here. */
	for (size_t i = 0; s->major >= 2 && i < s->n; i++)
		set[i] = set[i] && strcmp(manifest_node(s->manifest, i)->group, value) == 0;
}

/* dbt 2 takes the file that a generic test is made into, not the one that asks for it. */
static void match_file(struct selection *s, const char *value, bool *set)
{
	match_each(s, value, file_matches, set);
	s->uncertain |= s->major >= 2 && glob_is_pattern(value);
	for (size_t i = 0; s->major >= 2 && i < s->n; i++)
		set[i] = set[i] && !manifest_node(s->manifest, i)->test_name;
}

static void match_package(struct selection *s, const char *value, bool *set)
{
	const char *project = manifest_project_name(s->manifest);

	match_each(s, strcmp(value, "this") == 0 && *project ? project : value, package_matches,
		   set);
}

int criterion_match(struct selection *s, const struct criterion *c, bool *set, struct err *err)
{
	switch (c->method) {
	case METHOD_ACCESS:
		match_access(s, c->value, set);
		return 0;
	case METHOD_CONFIG:
		return match_config(s, c, set, err);
	case METHOD_EXPOSURE:
		return match_dotted(s, c, "exposure", set, err);
	case METHOD_FILE:
		match_file(s, c->value, set);
		return 0;
	case METHOD_FQN:
		match_fqn(s, c->value, set);
		return 0;
	case METHOD_GROUP:
		match_group(s, c->value, set);
		return 0;
	case METHOD_METRIC:
		return match_dotted(s, c, "metric", set, err);
	case METHOD_PACKAGE:
		match_package(s, c->value, set);
		return 0;
	case METHOD_PATH:
		match_path(s, c->value, set);
		return 0;
	case METHOD_RESOURCE_TYPE:
		return match_resource_type(s, c->value, set, err);
	case METHOD_SAVED_QUERY:
		return match_dotted(s, c, "saved_query", set, err);
	case METHOD_SEMANTIC_MODEL:
		return match_dotted(s, c, "semantic_model", set, err);
	case METHOD_SOURCE:
		return match_dotted(s, c, "source", set, err);
	case METHOD_TAG:
		match_each(s, c->value, tag_matches, set);
		return 0;
	case METHOD_TEST_NAME:
		match_each(s, c->value, test_name_matches, set);
		return 0;
	case METHOD_TEST_TYPE:
		return match_test_type(s, c->value, set, err);
	case METHOD_UNIT_TEST:
		return match_dotted(s, c, "unit_test", set, err);
	case METHOD_VERSION:
		return match_version(s, c->value, set, err);
	case METHOD_ASK:
		break;
	}
	s->uncertain = true;
	return 0;
}
