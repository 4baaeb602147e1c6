/*
 * The SQL of the scope's views, or of the raw models of a refresh, as dbt compiles it for `to`:
 * only so are its names those of production. One start of dbt, of these alone and into a target
 * path of its own, so that what the parses left stays what they were. It runs beside the first
 * operation, which leaves it no connection; only views that need one are compiled again behind it.
 */
#include <stdlib.h>
#include <string.h>

#include "airlock/base/fs.h"
#include "airlock/format/json.h"
#include "deploy_parts.h"

static char *compile_path(const struct sides *sides, const char *file)
{
	char *name CLEANUP(mem_free_string) = mem_printf("compile/%s%s%s", sides->to_side.name,
							 file ? "/" : "", file ? file : "");

	return fs_join(sides->home, name);
}

/* Deployments with other stagings may run in this checkout, and compile for the same `to`. NULL: it
 * cannot be made. */
static char *make_folder(const struct deploy *deploy, struct err *err)
{
	char *directory = compile_path(&deploy->sides, NULL);

	if (fs_make_directories(directory, err) == 0)
		return directory;
	free(directory);
	return NULL;
}

static bool take_folder(struct deploy *deploy)
{
	struct err ignored CLEANUP(err_release) = ERR_INIT;

	if (deploy->compiling.folder.fd >= 0)
		return true;
	char *directory CLEANUP(mem_free_string) = make_folder(deploy, &ignored);

	return directory && fs_lock_try(directory, &deploy->compiling.folder, &ignored) == 0;
}

static int wait_for_folder(struct deploy *deploy, struct err *err)
{
	if (deploy->compiling.folder.fd >= 0)
		return 0;
	char *directory CLEANUP(mem_free_string) = make_folder(deploy, err);

	return directory ? sides_wait_for(&deploy->sides, directory, "compiles for this target",
					  &deploy->compiling.folder, err)
			 : -1;
}

static void warm_up(const struct deploy *deploy)
{
	char *parse CLEANUP(mem_free_string) = compile_path(&deploy->sides, SIDES_PARTIAL_PARSE);

	sides_warm_up(&deploy->sides, &deploy->sides.to_side, parse);
}

/* A view of the scope; of the raw layer what it copies. */
static bool is_compiled(const struct deploy *deploy, const struct route *route)
{
	return route->in_scope && (route->is_view || deploy->mirrors);
}

static void push_views(const struct deploy *deploy, struct strv *arguments)
{
	const struct routes *routes = &deploy->routes;

	strv_push(arguments, "--select");
	for (size_t i = 0; i < routes->n; i++) {
		const struct manifest_node *node = routes->items[i].to_node;
		struct buf word CLEANUP(buf_release) = BUF_INIT;

		if (!is_compiled(deploy, &routes->items[i]))
			continue;
		for (size_t k = 0; k < node->fqn_count; k++)
			buf_printf(&word, "%s%s", k ? "." : "", node->fqn[k]);
		strv_push(arguments, buf_cstr(&word));
	}
}

/* As it is asked for first: without a connection. A view whose SQL depends on what the warehouse
 * answers is an error then. */
static void push_arguments(const struct deploy *deploy, bool asks_warehouse, struct strv *arguments)
{
	const struct sides *sides = &deploy->sides;
	char *path CLEANUP(mem_free_string) = compile_path(sides, NULL);

	strv_push(arguments, "compile");
	push_views(deploy, arguments);
	strv_push(arguments, "--indirect-selection");
	strv_push(arguments, "empty");
	strv_push(arguments, "--target");
	strv_push(arguments, sides->to ? sides->to : sides->from);
	strv_push(arguments, "--target-path");
	strv_push(arguments, path);
	strv_push(arguments, "--write-json");
	strv_push_all(arguments, &sides->every);
	if (!asks_warehouse) {
		strv_push(arguments, "--no-introspect");
		strv_push(arguments, "--no-populate-cache");
	}
	runner_push_log_options(arguments);
}

static int take_sql(const struct manifest *manifest, const struct route *route, json_t *compiled,
		    struct err *err)
{
	const struct manifest_node *node = manifest_find(manifest, route->node->unique_id);
	json_t *document CLEANUP(js_free) = node ? manifest_json(manifest, node->json, err) : NULL;
	const char *sql = js_get_string(document, "compiled_code");

	if (!sql && err_is_set(err))
		return -1;
	if (!sql)
		return err_set(err, ERR_NO_ANSWER, "dbt compiled no SQL of '%s'",
			       route->node->unique_id);
	json_object_set_new(compiled, route->node->unique_id, json_string(sql));
	return 0;
}

static int read_compiled(struct deploy *deploy, const char *invocation_id, struct err *err)
{
	char *path CLEANUP(mem_free_string) = compile_path(&deploy->sides, "manifest.json");
	const struct routes *routes = &deploy->routes;
	struct manifest *manifest = NULL;
	int result = 0;

	if (manifest_read_whole(path, &manifest, err) < 0)
		return -1;
	if (strcmp(manifest_invocation_id(manifest), invocation_id) != 0)
		result = err_set(err, ERR_NO_ANSWER, "'%s' was not written by this 'dbt compile'",
				 path);
	deploy->compiled = json_object();
	for (size_t i = 0; i < routes->n && result == 0; i++)
		if (is_compiled(deploy, &routes->items[i]))
			result = take_sql(manifest, &routes->items[i], deploy->compiled, err);
	manifest_free(manifest);
	return result;
}

/* A plan has no journal, and waits for nobody. */
static int run_compile(struct deploy *deploy, const struct runner_command *command,
		       struct runner_result *ret_result, struct err *err)
{
	struct executor *executor = &deploy->executor;
	struct backoff backoff = { 0 };
	int again = 1;

	if (executor->journal)
		executor_begin_waiting(executor, false, &backoff);
	while (again > 0) {
		if (runner_run(deploy->sides.runner, command, ret_result, err) < 0)
			return -1;
		again = executor->journal
				? executor_opens_again(executor, &backoff, ret_result, err)
				: 0;
	}
	return again;
}

static bool is_wanted(const struct deploy *deploy)
{
	return (deploy->routes.view_count > 0 || deploy->mirrors) && !deploy->compiled &&
	       !config_rebuilds(deploy->request.config);
}

void deploy_compile_beside(struct deploy *deploy)
{
	struct deploy_compiling *compiling = &deploy->compiling;

	if (!is_wanted(deploy) || !take_folder(deploy))
		return;
	warm_up(deploy);
	push_arguments(deploy, false, &compiling->arguments);
	compiling->beside.command = (struct runner_command) {
		.arguments = &compiling->arguments,
		.environment = &deploy->sides.to_side.environment,
	};
	deploy->sides.runner->beside = &compiling->beside;
}

void deploy_compile_release(struct deploy *deploy)
{
	struct deploy_compiling *compiling = &deploy->compiling;

	if (deploy->sides.runner && deploy->sides.runner->beside == &compiling->beside)
		deploy->sides.runner->beside = NULL;
	runner_result_release(&compiling->beside.result);
	strv_release(&compiling->arguments);
	fs_lock_release(&compiling->folder);
}

void deploy_compile_collect(struct deploy *deploy)
{
	struct deploy_compiling *compiling = &deploy->compiling;
	struct err ignored CLEANUP(err_release) = ERR_INIT;

	if (!compiling->beside.has_run)
		return;
	if (!deploy->compiled && runner_succeeded(&compiling->beside.result) &&
	    read_compiled(deploy, compiling->beside.result.invocation_id, &ignored) < 0) {
		json_decref(deploy->compiled);
		deploy->compiled = NULL;
	}
	compiling->beside.has_run = false;
	fs_lock_release(&compiling->folder);
}

static int compile_again(struct deploy *deploy, struct err *err)
{
	struct strv arguments CLEANUP(strv_release) = STRV_INIT;
	struct runner_result result = { 0 };
	const struct runner_command command = {
		.arguments = &arguments,
		.environment = &deploy->sides.to_side.environment,
	};

	deploy->request.reporter->note(deploy->request.reporter,
				       deploy->mirrors ? "compiling the raw layer"
						       : "compiling the views of the scope");
	warm_up(deploy);
	push_arguments(deploy, true, &arguments);
	int ran = run_compile(deploy, &command, &result, err);

	if (ran == 0 && !runner_succeeded(&result))
		ran = runner_error(&result, "dbt compile", err);
	if (ran == 0)
		ran = read_compiled(deploy, result.invocation_id, err);
	runner_result_release(&result);
	return ran;
}

int deploy_compile(struct deploy *deploy, struct err *err)
{
	int result;

	deploy_compile_collect(deploy);
	if (!is_wanted(deploy))
		return 0;
	result = wait_for_folder(deploy, err) < 0 ? -1 : compile_again(deploy, err);
	fs_lock_release(&deploy->compiling.folder);
	return result;
}
