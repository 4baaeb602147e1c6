/* The build of a deployment and its tests in staging: run, and judged by what dbt says of it. */
#include <stdlib.h>
#include <string.h>

#include "airlock/base/fs.h"
#include "airlock/base/host.h"
#include "airlock/deploy/build_commands.h"
#include "airlock/format/json.h"
#include "deploy_parts.h"

enum { MAX_RESULTS = 1 << 30 };

/* The command that runs: what its results have to say of themselves. */
static const char *verb(const struct deploy *deploy)
{
	const struct strv *commands = build_commands(deploy->request.config);

	if (deploy->request.builds_nothing)
		return "test";
	return commands->n > 0 && !deploy->retries ? commands->v[deploy->command] : "build";
}

static bool is_last(const struct deploy *deploy)
{
	const struct strv *commands = build_commands(deploy->request.config);

	return deploy->request.builds_nothing || deploy->retries ||
	       deploy->command + 1 >= commands->n;
}

/* Behind the first of several commands: the results of those before it belong to it too. */
static int add_earlier(struct deploy *deploy, const char *path, const struct results_expect *expect,
		       struct results **results, struct err *err)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	json_t *file CLEANUP(js_free) = js_read_file(path, MAX_RESULTS, ERR_FILE, err);

	if (!file)
		return -1;
	json_t *rows CLEANUP(js_free) = json_incref(json_object_get(file, "results"));

	if (deploy->earlier)
		json_array_extend(deploy->earlier, rows);
	else
		deploy->earlier = json_incref(rows);
	json_object_set(file, "results", deploy->earlier);
	js_write_line(file, &text);
	results_free(*results);
	*results = NULL;
	if (fs_write_atomic(path, buf_cstr(&text), text.len, 0600, err) < 0)
		return -1;
	return results_read(path, expect, results, err);
}

/* Those of this command, and of all before it. */
static int read_results(struct deploy *deploy, const struct runner_result *built,
			struct results **ret_results, struct err *err)
{
	char *path CLEANUP(mem_free_string) = sides_build_path(&deploy->sides, "run_results.json");
	const struct results_expect expect = {
		.invocation_id = built->invocation_id,
		.which = verb(deploy),
		.target = deploy->sides.from,
		.select = deploy->build_select.n > 0 && !deploy->retries ? &deploy->build_select
									 : NULL,
	};

	if (results_read(path, &expect, ret_results, err) < 0)
		return -1;
	if (deploy->retries)
		return deploy_merge_results(deploy, &expect, ret_results, err);
	if (build_commands(deploy->request.config)->n > 0 && !deploy->request.builds_nothing)
		return add_earlier(deploy, path, &expect, ret_results, err);
	return 0;
}

static int judge(struct deploy *deploy, const struct runner_result *built, struct err *err)
{
	char *manifest_path CLEANUP(mem_free_string) =
		sides_build_path(&deploy->sides, "manifest.json");
	struct manifest *manifest = NULL;
	struct results *results = NULL;
	int result = -1;

	if (read_results(deploy, built, &results, err) == 0 &&
	    manifest_read(manifest_path, &manifest, err) == 0) {
		if (deploy->from_file)
			manifest_rename_database(manifest, deploy->file_database,
						 DIALECT_STAGING_FILE);
		deploy->audited = true;
		result = audit_judge(deploy->request.config, &deploy->routes, manifest, results,
				     deploy->request.builds_nothing, &deploy->audit, err);
		deploy->result.audit = &deploy->audit;
	}
	manifest_free(manifest);
	results_free(results);
	return result;
}

/* A failing dbt is the reason to stop even where its results are missing or look good. */
static int judge_failure(struct deploy *deploy, const struct runner_result *built, struct err *err)
{
	struct err of_results CLEANUP(err_release) = ERR_INIT;

	char *what CLEANUP(mem_free_string) = mem_printf("dbt %s", verb(deploy));

	runner_error(built, what, err);
	int status = err->exit_status;

	if (err->code == ERR_DBT_FAILED && judge(deploy, built, &of_results) < 0 &&
	    deploy->audited) {
		err_set(err, of_results.code, "%s", of_results.message);
		err->exit_status = status;
		deploy->result.outcome = DEPLOY_BLOCKED;
	}
	return -1;
}

/* Of several commands one that ended well and is not the last: what it built is judged with what
 * the others do. */
static int keep_results(struct deploy *deploy, const struct runner_result *built, struct err *err)
{
	struct results *results = NULL;
	int result = read_results(deploy, built, &results, err);

	results_free(results);
	return result;
}

static int begin(struct deploy *deploy, const struct step *step, struct err *err)
{
	char *parse CLEANUP(mem_free_string) =
		sides_build_path(&deploy->sides, SIDES_PARTIAL_PARSE);

	if (deploy->command == 0)
		sides_warm_up(&deploy->sides, &deploy->sides.from_side, parse);
	if (deploy->retries && deploy_restore_results(deploy, err) < 0)
		return -1;
	if (deploy->strategy->builds_scope && !deploy->retries &&
	    strv_contains(&step->command, "--state") && deploy_write_state(deploy, err) < 0)
		return -1;
	return deploy_begin_build(deploy, err);
}

/* What the command took of the time that all of them have. */
static void spend(struct deploy *deploy, int64_t began)
{
	int64_t *left = &deploy->executor.build_timeout_ms;
	int64_t spent = host_monotonic_ms() - began;

	if (*left > 0)
		*left = *left > spent ? *left - spent : 1;
}

static int run_command(struct deploy *deploy, struct err *err)
{
	bool builds = !deploy->request.builds_nothing && !deploy->retries;
	const struct step *step = plan_step(&deploy->plan, verb(deploy));
	struct runner_result built = { 0 };
	int64_t began = host_monotonic_ms();
	int result;

	if (begin(deploy, step, err) < 0)
		return -1;
	result = executor_run_dbt(&deploy->executor, step, &deploy->sides.from_side.environment,
				  &built, err);
	if (result == 0 && !runner_succeeded(&built))
		result = judge_failure(deploy, &built, err);
	else if (result == 0)
		result = is_last(deploy) ? judge(deploy, &built, err)
					 : keep_results(deploy, &built, err);
	deploy_write_artifacts(deploy);
	if (builds)
		spend(deploy, began);
	if (result < 0 && err->code == ERR_AUDIT_FAILED)
		deploy->result.outcome = DEPLOY_BLOCKED;
	memcpy(deploy->invocation_id, built.invocation_id, sizeof(built.invocation_id));
	if (result < 0 && deploy->audited)
		deploy_note_rest(deploy);
	runner_result_release(&built);
	return result;
}

/* The tests of the last command are those of the project as it is then: what the others built has
 * to be of the same. */
static int check_unwritten(struct deploy *deploy, const struct fresh *before, struct err *err)
{
	struct fresh *after = sides_picture(&deploy->sides);
	const char *doubt;
	char *what CLEANUP(mem_free_string) = fresh_written(before, after, &doubt);

	if (!what && doubt && is_last(deploy)) {
		char *text CLEANUP(mem_free_string) =
			mem_printf("whether the project was edited between the commands of the "
				   "build is not known: %s",
				   doubt);

		deploy->request.reporter->warning(deploy->request.reporter, text);
	}
	fresh_free(after);
	if (!what)
		return 0;
	err_set(err, ERR_PROJECT_CHANGED,
		"%s between the commands of the build: the tests may not be those of what was "
		"built",
		what);
	return err_hint(err, "leave the project alone while it is deployed, and deploy again");
}

/* Looked at behind each of several commands: what was edited for one and put back for the next is
 * seen too. */
static int run_commands(struct deploy *deploy, const struct fresh *before, struct err *err)
{
	for (deploy->command = 0;; deploy->command++) {
		if (deploy_step(deploy, &deploy->plan, verb(deploy), run_command, err) < 0)
			return -1;
		if (before && check_unwritten(deploy, before, err) < 0)
			return -1;
		if (is_last(deploy))
			return 0;
	}
}

int deploy_build(struct deploy *deploy, struct err *err)
{
	struct fresh *before = is_last(deploy) ? NULL : sides_picture(&deploy->sides);
	int result;

	if (before)
		fresh_read(before);
	result = run_commands(deploy, before, err);
	fresh_free(before);
	return result;
}
