#include "airlock/deploy/check.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "airlock/base/buf.h"
#include "airlock/deploy/route_check.h"

static void add(json_t *findings, const char *check, const char *file, size_t line,
		const char *unique_id, const char *message, const char *hint)
{
	json_t *finding = json_pack("{s:s, s:s?, s:I, s:s?, s:s, s:s}", "check", check, "file",
				    file, "line", (json_int_t)line, "unique_id", unique_id,
				    "message", message, "hint", hint);

	for (size_t i = 0; i < json_array_size(findings); i++)
		if (json_equal(json_array_get(findings, i), finding)) {
			json_decref(finding);
			return;
		}
	json_array_append_new(findings, finding);
}

/* "dbt_project.yml:12:5" -> 12 */
static size_t line_of(const char *origin)
{
	const char *colon = origin ? strchr(origin, ':') : NULL;

	return colon ? strtoul(colon + 1, NULL, 10) : 0;
}

void check_scope(const struct config *config, const char *deployment, const struct err *err,
		 json_t *findings)
{
	const struct option_value *tags = &config->values[OPTION_TAGS];
	bool in_file = tags->source == OPTION_BY_PROJECT || tags->source == OPTION_BY_DEPLOYMENT;
	char *message CLEANUP(mem_free_string) =
		deployment ? mem_printf("deployment '%s': %s", deployment, err->message)
			   : mem_strdup(err->message);

	add(findings, err_row(err->code)->name, "dbt_project.yml",
	    in_file ? line_of(tags->origin) : 0, NULL, message,
	    err->hint ? err->hint : err_row(err->code)->hint);
}

void check_names(const struct routes *routes, struct strv *ret_names)
{
	for (size_t i = 0; i < routes->n; i++) {
		const struct route *route = &routes->items[i];
		const struct relation *sides[] = { &route->from, &route->to };

		for (size_t k = 0; k < (route->has_to ? 2U : 1U); k++) {
			char *name CLEANUP(mem_free_string) =
				mem_printf("%s.%s", sides[k]->schema, sides[k]->identifier);

			strv_take(ret_names, mem_lower(mem_strdup(name)));
		}
	}
	strv_sort(ret_names);
	strv_dedup(ret_names);
}

static int compare_name(const void *a, const void *b)
{
	return strcmp(a, *(char *const *)b);
}

static bool has_name(const struct strv *names, const char *name)
{
	return names->n && bsearch(name, names->v, names->n, sizeof(*names->v), compare_name);
}

/* SQL while it is read. */
struct text {
	const char *at;
	size_t line;
};

static void advance(struct text *text, size_t n)
{
	for (; n && *text->at; n--)
		text->line += *text->at++ == '\n';
}

/* Behind the end mark, or to the end. */
static void skip_past(struct text *text, size_t open, const char *close)
{
	const char *end;

	advance(text, open);
	end = strstr(text->at, close);
	advance(text, end ? (size_t)(end - text->at) + strlen(close) : strlen(text->at));
}

/* What holds no name of a relation. */
static bool skip_other(struct text *text)
{
	static const struct {
		const char *open, *close;
	} skipped[] = { { "{{", "}}" }, { "{%", "%}" }, { "{#", "#}" },
			{ "--", "\n" }, { "/*", "*/" }, { "'", "'" } };

	for (size_t i = 0; i < ARRAY_LEN(skipped); i++) {
		size_t len = strlen(skipped[i].open);

		if (strncmp(text->at, skipped[i].open, len) != 0)
			continue;
		skip_past(text, len, skipped[i].close);
		return true;
	}
	return false;
}

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

/* One part of a name, in lower case; NULL: none begins here. */
static char *take_part(struct text *text)
{
	char quote = *text->at;
	const char *end;
	size_t len = 0;
	char *part;

	if (quote == '"' || quote == '`') {
		end = strchr(text->at + 1, quote);
		if (!end)
			return NULL;
		len = (size_t)(end - text->at) - 1;
		part = mem_strndup(text->at + 1, len);
		advance(text, len + 2);
	} else {
		while (is_word(text->at[len]))
			len++;
		if (!len)
			return NULL;
		part = mem_strndup(text->at, len);
		advance(text, len);
	}
	return mem_lower(part);
}

static void take_name(struct text *text, char *first, const char *file, const struct strv *names,
		      json_t *findings)
{
	char *before CLEANUP(mem_free_string) = first;

	while (*text->at == '.') {
		size_t line = text->line;
		char *name CLEANUP(mem_free_string) = NULL;
		char *part;

		advance(text, 1);
		part = take_part(text);
		if (!part)
			return;
		name = mem_printf("%s.%s", before, part);
		free(before);
		before = part;
		if (!has_name(names, name))
			continue;
		char *message CLEANUP(mem_free_string) =
			mem_printf("'%s' is written out, so no side and no order of building "
				   "follows from it",
				   name);

		add(findings, "hard-coded-name", file, line, NULL, message, "use {{ ref('...') }}");
	}
}

void check_sql(const char *text, const char *file, const struct strv *names, json_t *findings)
{
	struct text rest = { .at = text, .line = 1 };

	while (*rest.at) {
		char *part;

		if (skip_other(&rest))
			continue;
		part = take_part(&rest);
		if (part)
			take_name(&rest, part, file, names, findings);
		else
			advance(&rest, 1);
	}
}

static bool is_meant(const struct strv *files, const struct manifest_node *node)
{
	return !files || (node->path && strv_contains(files, node->path)) ||
	       (node->patch_path && strv_contains(files, node->patch_path));
}

static bool has_test(const struct manifest_node *node)
{
	for (size_t i = 0; i < node->child_count; i++)
		if (manifest_is_test(node->children[i]))
			return true;
	return false;
}

static bool has_tag_of(const struct config *config, const struct manifest_node *node)
{
	const struct strv *tags = config_list(config, OPTION_TAGS);

	for (size_t i = 0; i < tags->n; i++)
		if (manifest_has_tag(node, tags->v[i]))
			return true;
	return false;
}

static void check_source(const struct config *config, const struct route *route, json_t *findings)
{
	const struct manifest_node *source = route_past_mirror(config, route);

	if (!source)
		return;
	char *message CLEANUP(mem_free_string) = mem_printf(
		"it reads the source '%s.%s' past the mirror", source->source_name, source->name);

	add(findings, "source-past-mirror", route->node->path, 0, route->node->unique_id, message,
	    ROUTE_PAST_MIRROR_HINT);
}

static void check_node(const struct config *config, const struct route *route, json_t *findings)
{
	const struct manifest_node *node = route->node;
	bool is_view = node->type == MANIFEST_MODEL && !manifest_is_table(node);

	if (route->in_scope && !has_test(node) && !config_is(config, OPTION_REQUIRE_TESTS, "none"))
		add(findings, "untested", node->path, 0, node->unique_id,
		    "it is published, and has no test", "add one, such as unique or not_null");
	if (!route->in_scope && is_view && strcmp(config->strategy, "wac") == 0 &&
	    has_tag_of(config, node))
		add(findings, "view-not-published", node->path, 0, node->unique_id,
		    "it has a tag that is published, but it is a view, which wac leaves out here",
		    "make it a table, or say views: rebuild with a 'to'");
	if (route->in_scope && strcmp(config->strategy, "blue-green") == 0 &&
	    (node->type == MANIFEST_SNAPSHOT || strcmp(node->materialized, "incremental") == 0))
		add(findings, "incremental-blue-green", node->path, 0, node->unique_id,
		    "it builds on the rows it has, and a blue-green exchange gives it those of two "
		    "deployments ago",
		    "deploy it by production-rollback or wac");
	check_source(config, route, findings);
}

static const struct manifest_node *node_of(const struct routes *routes, const char *unique_id)
{
	for (size_t i = 0; unique_id && i < routes->n; i++)
		if (strcmp(routes->items[i].node->unique_id, unique_id) == 0)
			return routes->items[i].node;
	return NULL;
}

static void check_conflicts(const struct routes *routes, const struct strv *files, json_t *findings)
{
	for (size_t i = 0; i < routes->conflict_count; i++) {
		const struct route_conflict *conflict = &routes->conflicts[i];
		const struct manifest_node *node = node_of(routes, conflict->unique_id);

		if (!node || is_meant(files, node))
			add(findings, err_row(conflict->code)->name, node ? node->path : NULL, 0,
			    conflict->unique_id, conflict->message,
			    conflict->hint ? conflict->hint : err_row(conflict->code)->hint);
	}
}

void check_routes(const struct config *config, const struct routes *routes,
		  const struct strv *files, json_t *findings)
{
	check_conflicts(routes, files, findings);
	for (size_t i = 0; i < routes->n; i++)
		if (is_meant(files, routes->items[i].node))
			check_node(config, &routes->items[i], findings);
}
