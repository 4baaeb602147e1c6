#include "airlock/dbt/targets.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "airlock/base/buf.h"
#include "airlock/base/env.h"
#include "airlock/base/fs.h"
#include "airlock/format/json.h"

enum {
	ENV_FILE_LIMIT = 1 << 20,
	RESULTS_LIMIT = 256 << 20,
};

struct search {
	const struct cmdline_given *given;
	const char *profile; /* of the run that is tried again; NULL: none was given */
	const struct project *project;
	const struct strv *environment;
	struct targets *targets;
};

static void not_resolved(struct search *search, char *why)
{
	free(search->targets->unresolved);
	search->targets->unresolved = why;
}

static const char *skip_blanks(const char *s)
{
	return s + strspn(s, " \t\n");
}

/* 'text' or "text" without backslashes. NULL: it is not one. */
static char *take_quoted(const char **s)
{
	char quote = **s;
	const char *end = quote == '\'' || quote == '"' ? strchr(*s + 1, quote) : NULL;
	char *text;

	if (!end || memchr(*s, '\\', (size_t)(end - *s)))
		return NULL;
	text = mem_strndup(*s + 1, (size_t)(end - *s) - 1);
	*s = skip_blanks(end + 1);
	return text;
}

/* env_var('NAME') or env_var('NAME', 'default'), and nothing else. NULL: something else, or a
 * variable that is not set. */
static char *render_expression(const char *s, const struct strv *environment)
{
	CLEANUP(mem_free_string) char *name = NULL;
	CLEANUP(mem_free_string) char *fallback = NULL;
	const char *value;

	s = skip_blanks(s);
	if (strncmp(s, "env_var", 7) != 0)
		return NULL;
	s = skip_blanks(s + 7);
	if (*s != '(')
		return NULL;
	s = skip_blanks(s + 1);
	name = take_quoted(&s);
	if (name && *s == ',') {
		s = skip_blanks(s + 1);
		fallback = take_quoted(&s);
		if (!fallback)
			return NULL;
	}
	if (!name || *s != ')' || *skip_blanks(s + 1))
		return NULL;
	value = env_get(environment, name); /* an empty one is set */
	if (!value)
		value = fallback;
	return value ? mem_strdup(value) : NULL;
}

static char *render(const char *text, const struct strv *environment)
{
	CLEANUP(buf_release) struct buf out = BUF_INIT;

	while (*text) {
		const char *open = strstr(text, "{{");
		const char *close = open ? strstr(open, "}}") : NULL;
		CLEANUP(mem_free_string) char *expression = NULL;
		CLEANUP(mem_free_string) char *value = NULL;

		if (!open && !strstr(text, "{%") && !strstr(text, "{#")) {
			buf_add_str(&out, text);
			break;
		}
		if (!open || !close || memchr(text, '{', (size_t)(open - text)))
			return NULL;
		buf_add(&out, text, (size_t)(open - text));
		expression = mem_strndup(open + 2, (size_t)(close - open) - 2);
		value = render_expression(expression, environment);
		if (!value)
			return NULL;
		buf_add_str(&out, value);
		text = close + 2;
	}
	return mem_strdup(buf_cstr(&out));
}

static char *profile_name(struct search *search)
{
	const struct yaml_node *node = yaml_get(search->project->document.root, "profile");
	const char *given = search->given->profile;
	char *name;

	if (!given)
		given = search->profile;
	if (!given)
		given = cmdline_variable(search->environment, "PROFILE");
	if (given)
		return mem_strdup(given);
	name = yaml_string(node) ? render(node->value, search->environment) : NULL;
	if (!name)
		not_resolved(search, mem_strdup("the 'profile' of dbt_project.yml is not a name"));
	return name;
}

static char *profiles_file(struct search *search)
{
	const char *directory = search->given->profiles_dir;
	const char *home = env_get(search->environment, "HOME");

	if (!directory)
		directory = cmdline_variable(search->environment, "PROFILES_DIR");
	if (directory)
		return fs_join(directory, "profiles.yml");
	if (fs_exists("profiles.yml"))
		return mem_strdup("profiles.yml");
	if (home && *home)
		return mem_printf("%s/.dbt/profiles.yml", home);
	not_resolved(search, mem_strdup("there is no profiles.yml here, and HOME is not set"));
	return NULL;
}

static void take_default(struct search *search, const struct yaml_document *profiles,
			 const char *file, const char *profile)
{
	const struct yaml_node *node = yaml_get(profiles->root, profile);
	const struct yaml_node *target = yaml_get(node, "target");
	char *name;

	if (!node || node->kind != YAML_KIND_MAPPING) {
		not_resolved(search, mem_printf("'%s' has no profile '%s'", file, profile));
		return;
	}
	name = !target               ? mem_strdup("default")
	       : yaml_string(target) ? render(target->value, search->environment)
				     : NULL;
	if (name && *name)
		strv_push(&search->targets->names, name);
	else
		not_resolved(search, mem_printf("%s:%zu: only dbt can tell the target", file,
						target ? target->line : 0));
	free(name);
}

static void search_profile(struct search *search)
{
	CLEANUP(err_release) struct err ignored = ERR_INIT;
	CLEANUP(mem_free_string) char *profile = profile_name(search);
	CLEANUP(mem_free_string) char *file = profile ? profiles_file(search) : NULL;
	struct yaml_document profiles = { .root = NULL };

	if (!file)
		return;
	if (yaml_read(file, &profiles, &ignored) < 0) {
		not_resolved(search, mem_strdup(ignored.message));
		return;
	}
	take_default(search, &profiles, file, profile);
	yaml_release(&profiles);
}

static void search_in(struct search *search, const struct strv *environment)
{
	const char *variable = cmdline_variable(environment, "TARGET");

	search->environment = environment;
	if (variable)
		strv_push(&search->targets->names, variable);
	else
		search_profile(search);
}

/* One line of a .env file, as python-dotenv and dotenvy both read a plain one. */
static void take_env_line(struct strv *environment, const char *line)
{
	const char *equals = strchr(line, '=');
	CLEANUP(mem_free_string) char *name = NULL;
	CLEANUP(mem_free_string) char *value = NULL;
	size_t len;

	line = skip_blanks(line);
	if (strncmp(line, "export ", 7) == 0)
		line = skip_blanks(line + 7);
	if (!equals || *line == '#' || equals < line)
		return;
	len = (size_t)(equals - line);
	while (len && (line[len - 1] == ' ' || line[len - 1] == '\t'))
		len--;
	name = mem_strndup(line, len);
	equals = skip_blanks(equals + 1);
	value = take_quoted(&equals);
	if (!value) {
		const char *comment = strstr(equals, " #");

		len = comment ? (size_t)(comment - equals) : strlen(equals);
		while (len && strchr(" \t\r", equals[len - 1]))
			len--;
		value = mem_strndup(equals, len);
	}
	if (*name && !env_get(environment, name))
		env_set(environment, name, value);
}

/* The nearest .env of the cwd and its parents. */
static char *env_file(void)
{
	CLEANUP(err_release) struct err ignored = ERR_INIT;
	char *directory = fs_cwd(&ignored);

	while (directory) {
		char *file = fs_join(directory, ".env");
		char *parent = fs_parent(directory);
		bool at_root = strcmp(parent, directory) == 0;

		free(directory);
		directory = parent;
		if (fs_is_regular(file)) {
			free(directory);
			return file;
		}
		free(file);
		if (at_root)
			break;
	}
	free(directory);
	return NULL;
}

/* What holds a reference to another variable is not what the file says it is. */
static bool is_plain(const char *name)
{
	return !strpbrk(name, "$\\\"'`");
}

static void search_env_file(struct search *search, const struct strv *environment)
{
	CLEANUP(err_release) struct err ignored = ERR_INIT;
	CLEANUP(mem_free_string) char *file = env_file();
	CLEANUP(buf_release) struct buf content = BUF_INIT;
	CLEANUP(strv_release) struct strv lines = STRV_INIT;
	CLEANUP(strv_release) struct strv with_file = STRV_INIT;
	struct strv *names = &search->targets->names;
	size_t before = names->n;

	if (!file)
		return;
	if (fs_read(file, ENV_FILE_LIMIT, &content, &ignored) < 0) {
		not_resolved(search, mem_strdup(ignored.message));
		return;
	}
	strv_push_all(&with_file, environment);
	strv_split(&lines, buf_cstr(&content), "\n");
	for (size_t i = 0; i < lines.n; i++)
		take_env_line(&with_file, lines.v[i]);
	search_in(search, &with_file);
	if (names->n > before && !is_plain(names->v[names->n - 1]))
		not_resolved(search, mem_printf("only dbt can tell the target in '%s'", file));
}

char *targets_path(const struct cmdline_given *given, const struct project *project,
		   const struct strv *environment)
{
	const struct yaml_node *node = yaml_get(project->document.root, "target-path");
	CLEANUP(mem_free_string) char *rendered = NULL;
	const char *path = given->target_path;

	if (!path)
		path = cmdline_variable(environment, "TARGET_PATH");
	if (!path && node) {
		rendered = yaml_string(node) ? render(node->value, environment) : NULL;
		if (!rendered)
			return NULL;
		path = rendered;
	}
	return fs_join(project->directory, path ? path : "target");
}

/* Where the results of the run before are. NULL: only dbt can tell. */
static char *results_file(const struct search *search)
{
	const char *state = search->given->state;
	CLEANUP(mem_free_string) char *directory = NULL;

	if (!state)
		state = cmdline_variable(search->environment, "STATE");
	directory = state ? fs_join(search->project->directory, state)
			  : targets_path(search->given, search->project, search->environment);
	return directory ? fs_join(directory, "run_results.json") : NULL;
}

/* Of `retry`: what the run before was told counts, and not what this one is. */
static json_t *search_results(struct search *search)
{
	CLEANUP(err_release) struct err ignored = ERR_INIT;
	CLEANUP(mem_free_string) char *file = results_file(search);
	json_t *results = file ? js_read_file(file, RESULTS_LIMIT, ERR_FILE, &ignored) : NULL;
	const json_t *args = js_get_object(results, "args");
	const char *target = js_get_string(args, "target");

	if (target)
		strv_push(&search->targets->names, target);
	search->profile = js_get_string(args, "profile");
	if (!results)
		not_resolved(search, mem_strdup("there is no run_results.json of a run to retry"));
	return results;
}

void targets_find(const struct cmdline_given *given, const struct project *project,
		  const struct strv *environment, struct targets *ret_targets)
{
	struct search search = { .given = given,
				 .project = project,
				 .environment = environment,
				 .targets = ret_targets };
	json_t *results CLEANUP(js_free) = NULL;

	*ret_targets = (struct targets) { .unresolved = NULL };
	if (given->verb && strcmp(given->verb, "retry") == 0)
		results = search_results(&search);
	if (given->target) {
		strv_push(&ret_targets->names, given->target);
		/* dbt refuses both; whichever it is. */
		if (given->target_before)
			strv_push(&ret_targets->names, given->target_before);
		if (!*given->target)
			not_resolved(&search, mem_strdup("'--target' is empty"));
		return;
	}
	search_in(&search, environment);
	search_env_file(&search, environment);
}

void targets_release(struct targets *targets)
{
	strv_release(&targets->names);
	free(targets->unresolved);
	*targets = (struct targets) { .unresolved = NULL };
}

/* Takes over what the search could not tell. */
static int untold(struct search *search, struct err *err)
{
	return err_set(err, ERR_PROJECT_INVALID, "%s",
		       search->targets->unresolved ? search->targets->unresolved : "no profile");
}

/* The targets of the profile, borrowed from `ret_profiles`, which is read for it. */
static int read_outputs(struct search *search, struct yaml_document *ret_profiles,
			const struct yaml_node **ret_outputs, char **ret_profile, struct err *err)
{
	CLEANUP(mem_free_string) char *profile = profile_name(search);
	CLEANUP(mem_free_string) char *file = profile ? profiles_file(search) : NULL;
	const struct yaml_node *outputs;

	if (!file)
		return untold(search, err);
	if (yaml_read(file, ret_profiles, err) < 0)
		return -1;
	outputs = yaml_get(yaml_get(ret_profiles->root, profile), "outputs");
	if (!outputs || !outputs->keys || !outputs->n)
		return err_set(err, ERR_PROJECT_INVALID, "'%s' has no profile '%s' with targets",
			       file, profile);
	*ret_outputs = outputs;
	*ret_profile = mem_strdup(profile);
	return 0;
}

int targets_list(const struct cmdline_given *given, const struct project *project,
		 const struct strv *environment, struct strv *ret_names, char **ret_profile,
		 struct err *err)
{
	struct targets targets CLEANUP(targets_release) = { .unresolved = NULL };
	struct search search = {
		.given = given, .project = project, .environment = environment, .targets = &targets
	};
	struct yaml_document profiles = { .root = NULL };
	const struct yaml_node *outputs = NULL;
	int result = read_outputs(&search, &profiles, &outputs, ret_profile, err);

	for (size_t i = 0; outputs && i < outputs->n; i++)
		strv_push(ret_names, outputs->keys[i]->value);
	yaml_release(&profiles);
	return result;
}

char *targets_output(const struct cmdline_given *given, const struct project *project,
		     const struct strv *environment, const char *target, const char *key)
{
	struct targets targets CLEANUP(targets_release) = { .unresolved = NULL };
	struct search search = {
		.given = given, .project = project, .environment = environment, .targets = &targets
	};
	struct err ignored CLEANUP(err_release) = ERR_INIT;
	CLEANUP(mem_free_string) char *profile = NULL;
	struct yaml_document profiles = { .root = NULL };
	const struct yaml_node *outputs = NULL;
	const struct yaml_node *value = NULL;
	char *text = NULL;

	if (read_outputs(&search, &profiles, &outputs, &profile, &ignored) == 0)
		value = yaml_get(yaml_get(outputs, target), key);
	if (yaml_string(value))
		text = render(value->value, environment);
	yaml_release(&profiles);
	return text;
}
