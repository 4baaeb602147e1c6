#include "made.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "airlock/base/buf.h"
#include "airlock/base/fs.h"
#include "airlock/format/json.h"

static void give_up(const char *what, const struct err *err)
{
	fprintf(stderr, "%s: %s\n", what, err->message);
	abort();
}

static const char *or_else(const char *text, const char *fallback)
{
	return text ? text : fallback;
}

static json_t *words(const char *text)
{
	struct strv list CLEANUP(strv_release) = STRV_INIT;
	json_t *json = json_array();

	strv_split(&list, or_else(text, ""), ",");
	for (size_t i = 0; i < list.n; i++)
		json_array_append_new(json, json_string(list.v[i]));
	return json;
}

static json_t *grants_json(const char *text)
{
	struct strv list CLEANUP(strv_release) = STRV_INIT;
	json_t *json = json_object();

	strv_split(&list, or_else(text, ""), ",");
	for (size_t i = 0; i < list.n; i++) {
		char *equals = strchr(list.v[i], '=');

		*equals = '\0';
		json_object_set_new(json, list.v[i], json_pack("[s]", equals + 1));
	}
	return json;
}

static bool is_of(const struct made_node *node, const char *type)
{
	return strcmp(or_else(node->type, "model"), type) == 0;
}

static json_t *node_json(const struct made_node *node, const char *unique_id)
{
	bool operation = is_of(node, "operation");
	json_t *hooks = json_array();
	json_t *json;

	if (node->hooks && !operation)
		json_array_append_new(hooks, json_pack("{s:s}", "sql", node->hooks));
	json = json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:n, s:o, s:[s, s], s:{s:o},"
		" s:{s:s, s:o, s:o, s:b}}",
		"unique_id", unique_id, "resource_type", or_else(node->type, "model"), "name",
		node->name, "package_name", "shop", "original_file_path", "models/x.sql",
		"database", or_else(node->database, "db"), "schema", or_else(node->schema, "stage"),
		"alias", or_else(node->alias, node->name), "raw_code",
		operation ? or_else(node->hooks, "") : "", "relation_name", "tags",
		words(node->tags), "fqn", "shop", node->name, "depends_on", "nodes",
		words(node->parents), "config", "materialized",
		or_else(node->materialized,
			is_of(node, "model") ? "table" : or_else(node->type, "")),
		"post-hook", hooks, "grants", grants_json(node->grants), "enabled", 1);
	if (is_of(node, "source"))
		json_object_set(json, "identifier", json_object_get(json, "alias"));
	if (node->has_no_schema)
		json_object_set_new(json_object_get(json, "config"), "schema", json_null());
	if (node->full_refresh)
		json_object_set_new(json_object_get(json, "config"), "full_refresh",
				    json_boolean(strcmp(node->full_refresh, "true") == 0));
	if (node->compiled_path)
		json_object_set_new(json, "compiled_path", json_string(node->compiled_path));
	return json;
}

struct manifest *made_manifest(const char *adapter, const struct made_node *nodes, size_t n)
{
	json_t *all = json_object();
	json_t *unit_tests = json_object();
	json_t *sources = json_object();
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	struct err err = ERR_INIT;
	struct manifest *manifest;
	char path[] = "/tmp/airlock-made.XXXXXX";

	for (size_t i = 0; i < n; i++) {
		char *id CLEANUP(mem_free_string) =
			mem_printf("%s.shop.%s", or_else(nodes[i].type, "model"), nodes[i].name);

		json_object_set_new(is_of(&nodes[i], "unit_test") ? unit_tests
				    : is_of(&nodes[i], "source")  ? sources
								  : all,
				    id, node_json(&nodes[i], id));
	}
	json_t *root CLEANUP(js_free) = json_pack(
		"{s:{s:s, s:s}, s:o, s:o, s:o}", "metadata", "adapter_type", adapter,
		"project_name", "shop", "nodes", all, "sources", sources, "unit_tests", unit_tests);

	js_write_line(root, &text);
	/* By way of a file, so that the manifest owns the text that its slices point into. */
	int fd = mkstemp(path);

	if (fd < 0 || close(fd) != 0)
		abort();
	if (fs_write_atomic(path, text.data, text.len, 0600, &err) < 0 ||
	    manifest_read(path, &manifest, &err) < 0)
		give_up("made_manifest", &err);
	unlink(path);
	return manifest;
}

void made_config(struct config *config, const char *options)
{
	struct strv list CLEANUP(strv_release) = STRV_INIT;
	struct err err = ERR_INIT;

	config_init(config);
	strv_split(&list, options, " ");
	bool named = list.n > 0 && *list.v[0] != '-';

	config_set_strategy(config, named ? list.v[0] : "wac");
	for (size_t i = named; i < list.n; i++) {
		bool negated;
		const struct option_row *row = option_find(list.v[i], &negated);
		bool alone = !row || row->type == OPTION_FLAG || row->type == OPTION_BOOL;

		if (!row)
			abort();
		if (config_set_argument(config, row, negated, alone ? NULL : list.v[++i], &err) < 0)
			give_up("made_config", &err);
	}
}

void made_picture(struct observed *observed, const char *text)
{
	char *json CLEANUP(mem_free_string) = mem_strdup(text);
	struct err err = ERR_INIT;

	for (char *p = json; *p; p++)
		if (*p == '\'')
			*p = '"';
	json_t *picture CLEANUP(js_free) =
		js_parse(json, strlen(json), "picture", ERR_NO_ANSWER, &err);

	if (!picture || observed_parse(picture, observed, &err) < 0)
		give_up("made_picture", &err);
}
