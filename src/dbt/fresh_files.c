#include "fresh_internal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "airlock/base/env.h"

enum {
	MAX_FILES = 100000,
	MAX_LEVELS = 32,
};

static bool is_jinja(const char *text)
{
	return strstr(text, "{{") || strstr(text, "{%");
}

/* A file counts as absent as well: it may appear. */
static void add_file(struct fresh *fresh, const char *path)
{
	struct fs_stamp stamp;

	if (json_object_size(fresh->files) >= MAX_FILES) {
		fresh_doubt(fresh, "the project has more than %d files", MAX_FILES);
		return;
	}
	json_object_set_new_nocheck(
		fresh->files, path,
		fs_stamp(path, &stamp)
			? json_pack("[I, I]", (json_int_t)stamp.size, (json_int_t)stamp.mtime_ns)
			: json_array());
}

static void add_tree(struct fresh *fresh, const char *directory, int level)
{
	CLEANUP(strv_release) struct strv names = STRV_INIT;
	CLEANUP(err_release) struct err ignored = ERR_INIT;

	if (level > MAX_LEVELS)
		fresh_doubt(fresh, "'%s' is nested deeper than %d levels", directory, MAX_LEVELS);
	if (fresh->doubt || fs_list(directory, &names, &ignored) < 0)
		return;
	for (size_t i = 0; i < names.n && !fresh->doubt; i++) {
		CLEANUP(mem_free_string) char *path = fs_join(directory, names.v[i]);

		if (strcmp(names.v[i], ".git") == 0 || strcmp(names.v[i], "__pycache__") == 0)
			continue;
		if (fs_is_directory(path))
			add_tree(fresh, path, level + 1);
		else
			add_file(fresh, path);
	}
}

static void add_below(struct fresh *fresh, const struct fresh_input *input, const char *name)
{
	CLEANUP(mem_free_string) char *path = NULL;

	if (is_jinja(name)) {
		fresh_doubt(fresh, "a path of the project is '%s'", name);
		return;
	}
	path = fs_join(input->project->directory, name);
	add_tree(fresh, path, 0);
}

/* `model-paths: [models]` of the project, or what dbt takes without. */
static void add_paths(struct fresh *fresh, const struct fresh_input *input, const char *key,
		      const char *fallback)
{
	const struct yaml_node *node = yaml_get(input->project->document.root, key);

	if (!node || node->kind == YAML_KIND_NULL) {
		if (*fallback)
			add_below(fresh, input, fallback);
		return;
	}
	if (yaml_string(node))
		add_below(fresh, input, yaml_string(node));
	for (size_t i = 0; node->kind == YAML_KIND_SEQUENCE && i < node->n; i++)
		if (yaml_string(node->items[i]))
			add_below(fresh, input, yaml_string(node->items[i]));
}

static void add_project(struct fresh *fresh, const struct fresh_input *input)
{
	static const char *const files[] = { "dbt_project.yml",  "packages.yml",
					     "dependencies.yml", "package-lock.yml",
					     "selectors.yml",    "vars.yml",
					     ".dbtignore",       ".env" };
	static const struct {
		const char *key, *fallback;
	} paths[] = {
		{ "model-paths", "models" },
		{ "seed-paths", "seeds" },
		{ "test-paths", "tests" },
		{ "snapshot-paths", "snapshots" },
		{ "analysis-paths", "analyses" },
		{ "macro-paths", "macros" },
		{ "function-paths", "functions" },
		{ "docs-paths", "" },
		{ "packages-install-path", "dbt_packages" },
	};

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		CLEANUP(mem_free_string) char *path = fs_join(input->project->directory, files[i]);
		add_file(fresh, path);
	}
	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		add_paths(fresh, input, paths[i].key, paths[i].fallback);
}

static const char *option_value(const struct strv *options, const char *name)
{
	size_t len = strlen(name);
	const char *value = NULL;

	for (size_t i = 0; i < options->n; i++) {
		if (strcmp(options->v[i], name) == 0 && i + 1 < options->n)
			value = options->v[i + 1];
		else if (strncmp(options->v[i], name, len) == 0 && options->v[i][len] == '=')
			value = options->v[i] + len + 1;
	}
	return value;
}

/* Wherever dbt might find one; the cwd matters to .env too. */
static void add_profiles(struct fresh *fresh, const struct fresh_input *input)
{
	CLEANUP(err_release) struct err ignored = ERR_INIT;
	CLEANUP(mem_free_string) char *cwd = fs_cwd(&ignored);
	const char *home = env_get(input->environment, "HOME");
	CLEANUP(mem_free_string) char *at_home = fs_join(home ? home : "", ".dbt");
	const char *directories[] = {
		option_value(input->options, "--profiles-dir"),
		env_get(input->environment, "DBT_ENGINE_PROFILES_DIR"),
		env_get(input->environment, "DBT_PROFILES_DIR"),
		cwd,
		at_home,
	};

	for (size_t i = 0; i < ARRAY_LEN(directories); i++) {
		if (!directories[i] || !*directories[i])
			continue;
		CLEANUP(mem_free_string) char *path = fs_join(directories[i], "profiles.yml");
		add_file(fresh, path);
	}
	if (cwd) {
		CLEANUP(mem_free_string) char *path = fs_join(cwd, ".env");
		add_file(fresh, path);
		json_object_set_new_nocheck(fresh->identity, "cwd", json_string_nocheck(cwd));
	}
}

/* dbt, its adapters and what they are made of, by the names and times of their packages. */
static bool add_packages(struct fresh *fresh, const char *interpreter)
{
	CLEANUP(mem_free_string) char *bin = fs_parent(interpreter);
	CLEANUP(mem_free_string) char *prefix = fs_parent(bin);
	CLEANUP(mem_free_string) char *lib = fs_join(prefix, "lib");
	CLEANUP(strv_release) struct strv pythons = STRV_INIT;
	CLEANUP(err_release) struct err ignored = ERR_INIT;
	json_t *packages = json_array();
	bool has_core = false;

	if (fs_list(lib, &pythons, &ignored) < 0)
		pythons.n = 0;
	for (size_t i = 0; i < pythons.n; i++) {
		CLEANUP(mem_free_string)
		char *site = mem_printf("%s/%s/site-packages", lib, pythons.v[i]);
		CLEANUP(strv_release) struct strv names = STRV_INIT;

		if (strncmp(pythons.v[i], "python", 6) != 0 || fs_list(site, &names, &ignored) < 0)
			continue;
		for (size_t k = 0; k < names.n; k++) {
			CLEANUP(mem_free_string) char *path = fs_join(site, names.v[k]);
			struct fs_stamp stamp = { 0 };

			if (strncmp(names.v[k], "dbt", 3) != 0 &&
			    strncmp(names.v[k], "__editable__", 12) != 0)
				continue;
			has_core |= strncmp(names.v[k], "dbt_core-", 9) == 0;
			fs_stamp(path, &stamp);
			json_array_append_new(
				packages, json_pack("[s, I]", path, (json_int_t)stamp.mtime_ns));
		}
	}
	json_object_set_new_nocheck(fresh->identity, "packages", packages);
	return has_core;
}

static void add_dbt(struct fresh *fresh, const struct fresh_input *input)
{
	CLEANUP(mem_free_string) char *real = fs_real(input->dbt);
	CLEANUP(buf_release) struct buf first = BUF_INIT;
	CLEANUP(err_release) struct err ignored = ERR_INIT;
	struct fs_stamp stamp;

	if (!real || !fs_stamp(real, &stamp)) {
		fresh_doubt(fresh, "'%s' cannot be looked at", input->dbt);
		return;
	}
	if (json_object_set_new_nocheck(fresh->identity, "dbt",
					json_pack("[s, I, I]", real, (json_int_t)stamp.size,
						  (json_int_t)stamp.mtime_ns)) < 0)
		fresh_doubt(fresh, "the path of dbt is no UTF-8");
	/* A native program is all of it; a script is what its interpreter imports. */
	if (fs_read(real, (size_t)64 << 10, &first, &ignored) < 0 || first.len < 2 ||
	    memcmp(first.data, "#!", 2) != 0)
		return;
	first.data[strcspn(first.data, " \n")] = '\0';
	if (strncmp(first.data + 2, "/usr/bin/env", 12) == 0 ||
	    !add_packages(fresh, first.data + 2))
		fresh_doubt(fresh, "the packages of '%s' cannot be seen", real);
}

void fresh_look(struct fresh *fresh, const struct fresh_input *input)
{
	if (input->dbt)
		add_dbt(fresh, input);
	add_profiles(fresh, input);
	add_project(fresh, input);
}

static const char *skip_blanks(const char *s)
{
	while (isspace((unsigned char)*s))
		s++;
	return s;
}

/* env_var('NAME') or env_var("NAME", ...); anything else could be any variable. */
bool fresh_variables(const struct buf *content, struct strv *names)
{
	static const char word[] = "env_var";
	const char *at = buf_cstr(content);

	while ((at = strstr(at, word))) {
		const char *s = skip_blanks(at + strlen(word));
		const char *end;

		at += strlen(word);
		if (*s != '(')
			continue;
		s = skip_blanks(s + 1);
		if (*s != '\'' && *s != '"')
			return false;
		end = strchr(s + 1, *s);
		if (!end || !strchr(",)", *skip_blanks(end + 1)) || !*skip_blanks(end + 1))
			return false;
		strv_take(names, mem_strndup(s + 1, (size_t)(end - s - 1)));
	}
	return true;
}
