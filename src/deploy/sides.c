#include "airlock/deploy/sides.h"

#include <stdlib.h>
#include <string.h>

#include "airlock/base/env.h"
#include "airlock/base/fs.h"
#include "airlock/dbt/find.h"
#include "airlock/dbt/server.h"
#include "airlock/deploy/scope_build.h"
#include "airlock/deploy/selection.h"
#include "airlock/format/json.h"

static bool is_one_side(const struct config *config)
{
	char *from CLEANUP(mem_free_string) = config_side_name(config, OPTION_FROM);
	char *to CLEANUP(mem_free_string) = config_side_name(config, OPTION_TO);

	return to && strcmp(from, to) == 0;
}

int sides_check_targets(const struct config *config, struct err *err)
{
	const char *from = config_text(config, OPTION_FROM);
	const char *to = config_text(config, OPTION_TO);

	if (!from) {
		err_set(err, ERR_CONFIG_INVALID, "no 'from': which target is staging?");
		return err_hint(err, "give --from TARGET, or set it under 'vars: airlock:'");
	}
	if (!to && scope_build_is_wanted(config)) {
		err_set(err, ERR_CONFIG_INVALID, "no 'to': which target is production?");
		return err_hint(err, "give --to TARGET: %s copies production and publishes to it",
				config->strategy);
	}
	if (is_one_side(config)) {
		err_set(err, ERR_CONFIG_INVALID, "'from' and 'to' are both '%s'", from);
		return err_hint(err, "name two targets, or give one of them an environment: "
				     "--from-env NAME=VALUE");
	}
	if (strchr(from, '/') || from[0] == '.')
		return err_set(err, ERR_CONFIG_INVALID, "'%s' is no name of a target", from);
	return 0;
}

static int take_targets(struct sides *sides, struct err *err)
{
	const char *to = config_text(sides->config, OPTION_TO);

	if (sides_check_targets(sides->config, err) < 0)
		return -1;
	sides->from = mem_strdup(config_text(sides->config, OPTION_FROM));
	sides->to = to ? mem_strdup(to) : NULL;
	return 0;
}

void sides_push_given(const struct cmdline *cmdline, struct strv *options)
{
	for (size_t i = 0; i < cmdline->every.n; i++) {
		const char *word = cmdline->every.v[i];

		if (strcmp(word, "--project-dir") == 0)
			i++;
		else if (strncmp(word, "--project-dir=", strlen("--project-dir=")) != 0)
			strv_push(options, word);
	}
}

/* --project-dir is not for the generated project of an operation. */
static void sort_options(struct sides *sides, const struct cmdline *cmdline)
{
	sides_push_given(cmdline, &sides->for_ops);
	if (config_text(sides->config, OPTION_PROJECT_DIR) || cmdline->project_dir) {
		strv_push(&sides->every, "--project-dir");
		strv_push(&sides->every, sides->project.directory);
	}
	strv_push_all(&sides->every, &sides->for_ops);
	strv_push_all(&sides->build, &sides->every);
	strv_push_all(&sides->build, &cmdline->build);
}

static int find_profile(struct sides *sides, const struct sides_request *request, struct err *err)
{
	const char *profile = request->cmdline->profile;

	if (!profile)
		profile = env_get(request->environment, "DBT_ENGINE_PROFILE");
	if (!profile)
		profile = env_get(request->environment, "DBT_PROFILE");
	if (!profile)
		profile = sides->project.profile;
	if (!profile) {
		err_set(err, ERR_PROJECT_INVALID, "%s: no literal 'profile'", sides->project.file);
		return err_hint(err, "give it behind --: -- --profile NAME");
	}
	sides->profile = mem_strdup(profile);
	return 0;
}

static int open_project(struct sides *sides, const struct sides_request *request, struct err *err)
{
	const char *directory = config_text(request->config, OPTION_PROJECT_DIR);
	const char *variable = cmdline_variable(request->environment, "PROJECT_DIR");

	if (!directory)
		directory = request->cmdline->project_dir;
	return project_open(directory, variable, &sides->project, err);
}

static void connect(struct sides *sides)
{
	sides->connection = (struct ops_connection) {
		.profile = sides->profile,
		.target = sides->to ? sides->to : sides->from,
		.options = &sides->for_ops,
		.folder = sides->to_side.name,
		.environment = &sides->to_side.environment,
		.runner = sides->runner,
	};
}

int sides_environment(const struct config *config, enum option_id side,
		      const struct strv *environment, struct strv *ret_environment, struct err *err)
{
	struct strv own CLEANUP(strv_release) = STRV_INIT;

	config_side_environment(config, side, &own);
	if (cmdline_check_environment(&own, err) < 0)
		return err_wrap(err, "%s", option_row(side)->key);
	env_copy(ret_environment, strv_argv(environment));
	config_side_environment(config, side, ret_environment);
	cmdline_clean_environment(ret_environment);
	return 0;
}

static int take_sides(struct sides *sides, const struct strv *environment, struct err *err)
{
	enum option_id production = sides->to ? OPTION_TO : OPTION_FROM;

	sides->from_side.name = config_side_name(sides->config, OPTION_FROM);
	sides->to_side.name = config_side_name(sides->config, production);
	env_copy(&sides->environment, strv_argv(environment));
	cmdline_clean_environment(&sides->environment);
	if (sides_environment(sides->config, OPTION_FROM, environment,
			      &sides->from_side.environment, err) < 0)
		return -1;
	return sides_environment(sides->config, production, environment,
				 &sides->to_side.environment, err);
}

static int complete(struct sides *sides, const struct sides_request *request, struct err *err)
{
	if (config_set_environment(request->config, request->environment, err) < 0)
		return -1;
	return config_set_project(request->config, &sides->project, request->cmdline->vars,
				  request->what, err);
}

static int open_all(struct sides *sides, const struct sides_request *request, struct err *err)
{
	if (cmdline_check_environment(request->environment, err) < 0 ||
	    open_project(sides, request, err) < 0 ||
	    (!request->is_recorded && complete(sides, request, err) < 0) ||
	    take_targets(sides, err) < 0 || find_profile(sides, request, err) < 0 ||
	    take_sides(sides, request->environment, err) < 0)
		return -1;
	char *dbt CLEANUP(mem_free_string) =
		find_dbt(strv_argv(request->environment), request->self, err);

	if (!dbt)
		return -1;
	sides->runner = runner_server(dbt, &sides->environment);
	sides->runner->timeout_ms = config_number(request->config, OPTION_OPERATION_TIMEOUT) * 1000;
	sides->dbt = mem_strdup(dbt);
	sides->home = fs_join(sides->project.directory, "target/airlock");
	sort_options(sides, request->cmdline);
	connect(sides);
	return 0;
}

int sides_open(const struct sides_request *request, struct sides *ret_sides, struct err *err)
{
	*ret_sides = (struct sides) { .config = request->config };
	if (open_all(ret_sides, request, err) < 0) {
		sides_close(ret_sides);
		return -1;
	}
	return 0;
}

static void side_release(struct sides_side *side)
{
	free(side->name);
	strv_release(&side->environment);
}

void sides_close(struct sides *sides)
{
	manifest_free(sides->from_manifest);
	manifest_free(sides->to_manifest);
	if (sides->runner)
		runner_free(sides->runner);
	project_release(&sides->project);
	side_release(&sides->from_side);
	side_release(&sides->to_side);
	strv_release(&sides->environment);
	strv_release(&sides->every);
	strv_release(&sides->for_ops);
	strv_release(&sides->build);
	free(sides->from);
	free(sides->to);
	free(sides->home);
	free(sides->dbt);
	free(sides->profile);
	free(sides->state_database);
	free((char *)(uintptr_t)sides->connection.directory);
	*sides = (struct sides) { 0 };
}

char *sides_parse_path(const char *project_directory, const char *name, const char *file)
{
	char *path CLEANUP(mem_free_string) =
		mem_printf("target/airlock/parse/%s%s%s", name, file ? "/" : "", file ? file : "");

	return fs_join(project_directory, path);
}

void sides_warm_up(const struct sides *sides, const struct sides_side *side, const char *to)
{
	char *from CLEANUP(mem_free_string) =
		sides_parse_path(sides->project.directory, side->name, SIDES_PARTIAL_PARSE);
	char *directory CLEANUP(mem_free_string) = fs_parent(to);
	struct err ignored CLEANUP(err_release) = ERR_INIT;

	if (fs_make_directories(directory, &ignored) == 0)
		fs_copy(from, to, &ignored);
}

char *sides_build_path(const struct sides *sides, const char *file)
{
	char *name CLEANUP(mem_free_string) =
		mem_printf("build/%s/%s", sides->from_side.name, file);

	return fs_join(sides->home, name);
}

void sides_push_target(const struct sides *sides, const char *target, const char *name,
		       struct strv *arguments)
{
	char *path CLEANUP(mem_free_string) =
		sides_parse_path(sides->project.directory, name, NULL);

	strv_push(arguments, "--target");
	strv_push(arguments, target);
	strv_push(arguments, "--target-path");
	strv_push(arguments, path);
	strv_push(arguments, "--write-json");
	strv_push_all(arguments, &sides->every);
	runner_push_log_options(arguments);
}

int sides_check_adapters(const struct config *config, const struct manifest *from,
			 const struct manifest *to, const struct dialect **ret_dialect,
			 struct err *err)
{
	const char *adapter = manifest_adapter_type(from);
	const struct dialect *dialect = dialect_find(adapter);

	if (to && strcmp(manifest_adapter_type(to), adapter) != 0)
		return err_set(err, ERR_UNSUPPORTED,
			       "'%s' is on %s and '%s' is on %s: both sides must be one warehouse",
			       config_text(config, OPTION_FROM), adapter,
			       config_text(config, OPTION_TO), manifest_adapter_type(to));
	if (!dialect)
		return err_set(
			err, ERR_UNSUPPORTED,
			"the adapter '%s' is not supported in this version: bigquery, duckdb, "
			"postgres and snowflake are",
			adapter);
	*ret_dialect = dialect;
	return 0;
}

static void on_list_line(void *context, const struct event *event)
{
	struct strv *unique_ids = context;
	struct err ignored CLEANUP(err_release) = ERR_INIT;

	if (event->message[0] != '{')
		return;
	json_t *row CLEANUP(js_free) =
		js_parse(event->message, strlen(event->message), "dbt ls", ERR_NO_ANSWER, &ignored);
	const char *unique_id = row ? js_get_string(row, "unique_id") : NULL;

	if (unique_id)
		strv_push(unique_ids, unique_id);
}

static int ask_dbt(struct sides *sides, const struct strv *options, struct strv *ret_unique_ids,
		   struct err *err)
{
	struct strv arguments CLEANUP(strv_release) = STRV_INIT;
	struct fs_lock lock CLEANUP(fs_lock_release) = FS_LOCK_FREE;
	struct runner_result result = { 0 };
	struct runner_command command = {
		.arguments = &arguments,
		.environment = &sides->from_side.environment,
		.on_event = on_list_line,
		.context = ret_unique_ids,
	};
	static const char *const fixed[] = {
		"ls",    "--output", "json",    "--output-keys", "unique_id", "--resource-types",
		"model", "seed",     "snapshot"
	};

	for (size_t i = 0; i < ARRAY_LEN(fixed); i++) {
		if (strcmp(fixed[i], "seed") == 0 || strcmp(fixed[i], "snapshot") == 0)
			strv_push(&arguments, "--resource-types");
		strv_push(&arguments, fixed[i]);
	}
	strv_push_all(&arguments, options);
	sides_push_target(sides, sides->from, sides->from_side.name, &arguments);
	if (sides_lock_parses(sides, &lock, err) < 0)
		return -1;
	int ran = runner_run(sides->runner, &command, &result, err);

	if (ran == 0 && !runner_succeeded(&result))
		ran = runner_error(&result, "dbt ls", err);
	runner_result_release(&result);
	strv_sort(ret_unique_ids);
	return ran;
}

int sides_select(struct sides *sides, struct strv *ret_unique_ids, struct err *err)
{
	struct strv options CLEANUP(strv_release) = STRV_INIT;
	enum select_answer answer;

	if (selection_answer(sides->config, sides->from_manifest, sides->project.directory,
			     ret_unique_ids, &answer, err) < 0)
		return -1;
	if (answer == SELECT_ANSWERED)
		return 0;
	selection_push_options(sides->config, &options);
	return ask_dbt(sides, &options, ret_unique_ids, err);
}

int sides_select_words(struct sides *sides, const struct strv *words, struct strv *ret_unique_ids,
		       struct err *err)
{
	struct strv options CLEANUP(strv_release) = STRV_INIT;
	enum select_answer answer;

	if (select_nodes(sides->from_manifest, words, NULL, sides->project.directory,
			 ret_unique_ids, &answer, err) < 0)
		return -1;
	if (answer == SELECT_ANSWERED)
		return 0;
	strv_push(&options, "--select");
	strv_push_all(&options, words);
	return ask_dbt(sides, &options, ret_unique_ids, err);
}
