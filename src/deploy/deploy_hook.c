/* The hooks of a run: what they are told, what their failure means, and where it is recorded. */
#include <string.h>

#include "airlock/base/env.h"
#include "airlock/base/proc.h"
#include "airlock/deploy/hook.h"
#include "airlock/format/json.h"
#include "deploy_parts.h"

/* Whoever sends a signal soon sends the one that cannot be answered; the lock comes first. */
enum { TIMEOUT_WHEN_INTERRUPTED_MS = 3000 };

static void set_or_unset(struct strv *environment, const char *name, const char *value)
{
	if (value && *value)
		env_set(environment, name, value);
	else
		env_unset(environment, name);
}

static void describe(const struct deploy *deploy, const char *name, const struct err *failure,
		     struct strv *environment)
{
	bool failed = failure && err_is_set(failure);
	bool unknown = deploy->result.outcome == DEPLOY_UNKNOWN;
	char exit_status[16];

	snprintf(exit_status, sizeof(exit_status), "%d", failed ? err_exit_status(failure) : 0);
	set_or_unset(environment, "AIRLOCK_HOOK", name);
	set_or_unset(environment, "AIRLOCK_ID", deploy->id);
	set_or_unset(environment, "AIRLOCK_STRATEGY", deploy->strategy->name);
	set_or_unset(environment, "AIRLOCK_FROM", deploy->sides.from);
	set_or_unset(environment, "AIRLOCK_TO", deploy->sides.to);
	set_or_unset(environment, "AIRLOCK_OUTCOME", deploy_outcome_name(deploy->result.outcome));
	set_or_unset(environment, "AIRLOCK_PRODUCTION_CHANGED",
		     unknown                             ? "unknown"
		     : deploy->result.production_changed ? "true"
							 : "false");
	set_or_unset(environment, "AIRLOCK_EXIT", exit_status);
}

static json_t *document_of(const struct deploy *deploy, const struct err *failure)
{
	const struct deploy_request *request = &deploy->request;
	struct err none CLEANUP(err_release) = ERR_INIT;

	if (!request->document)
		return json_object();
	return request->document(request->document_context, &deploy->result,
				 failure ? failure : &none);
}

/* Kept for the history, and written to the journal where there is one. */
static void keep_record(struct deploy *deploy, const char *name, json_t *record)
{
	struct err ignored CLEANUP(err_release) = ERR_INIT;

	if (!deploy->hooks)
		deploy->hooks = json_array();
	json_array_append_new(deploy->hooks, record);
	if (deploy->finish)
		json_object_set(deploy->finish, "hooks", deploy->hooks);
	if (*deploy->id)
		journal_write(&deploy->journal, "hook", name, record, &ignored);
}

static int run(struct deploy *deploy, const char *name, const struct strv *command, bool is_dbt,
	       const struct err *failure, struct err *err)
{
	struct strv environment CLEANUP(strv_release) = STRV_INIT;
	json_t *document CLEANUP(js_free) = document_of(deploy, failure);
	int64_t seconds = config_number(deploy->request.config, OPTION_HOOK_TIMEOUT);
	const struct hook hook = {
		.name = name,
		.command = command,
		.environment = &environment,
		.directory = deploy->sides.project.directory,
		.document = document,
		.timeout_ms = proc_interrupted() ? TIMEOUT_WHEN_INTERRUPTED_MS : seconds * 1000,
		.runner = is_dbt ? deploy->sides.runner : NULL,
		.reporter = deploy->request.reporter,
	};
	json_t *record;
	int rc;

	env_copy(&environment, strv_argv(is_dbt ? &deploy->sides.to_side.environment
						: deploy->request.environment));
	describe(deploy, name, failure, &environment);
	rc = hook_run(&hook, &record, err);
	if (rc < 0)
		json_object_set_new(record, "message", json_string(err->message));
	keep_record(deploy, name, record);
	return rc;
}

static int run_step(struct deploy *deploy, const struct step *step, struct err *err)
{
	int rc;

	if (executor_begin(&deploy->executor, step, err) < 0)
		return -1;
	rc = run(deploy, step->id, &step->command, step->kind == STEP_DBT, NULL, err);
	return executor_end(&deploy->executor, step, rc, err);
}

/* The end that is recorded names the hooks that ran. */
static int plan_again(struct deploy *deploy, struct err *err)
{
	plan_release(&deploy->final_plan);
	return deploy_make_plan(deploy, &deploy->built, &deploy->final_plan, err);
}

static int before_publish(struct deploy *deploy, struct err *err)
{
	const struct step *step = plan_step(&deploy->final_plan, "before_publish");
	int rc;

	if (!step)
		return 0;
	deploy->result.outcome = DEPLOY_UNFINISHED;
	deploy->result.publishing = deploy_list_tables(deploy);
	deploy->result.publishing_count = deploy->final_plan.table_count;
	rc = run_step(deploy, step, err);
	/* Routes of the plan that is made again. */
	deploy->result.publishing_count = 0;
	if (rc < 0) {
		deploy->result.outcome =
			err->code == ERR_HOOK_FAILED ? DEPLOY_BLOCKED : DEPLOY_FAILED;
		return -1;
	}
	deploy->result.outcome = DEPLOY_FAILED;
	return plan_again(deploy, err);
}

static int finish(struct deploy *deploy, struct err *err)
{
	const struct step *step = plan_step(&deploy->final_plan, "finish");
	struct ops ops CLEANUP(ops_release) = OPS_INIT;
	struct ops_reply reply CLEANUP(ops_reply_release) = { 0 };

	if (executor_add(&deploy->executor, step, &ops, err) < 0 ||
	    executor_run_ops(&deploy->executor, &ops, true, &reply, err) < 0)
		return -1;
	deploy->holds_lock = false;
	return 0;
}

/* The data is published, whatever becomes of the hook. */
static int after_publish(struct deploy *deploy, struct err *err)
{
	const struct step *step = plan_step(&deploy->final_plan, "after_publish");

	if (!step)
		return 0;
	if (run_step(deploy, step, err) < 0) {
		char *message CLEANUP(mem_free_string) = mem_strdup(err->message);

		err_set(err, ERR_HOOK_FAILED, "published, but %s", message);
		err_hint(err, "the data is in production and stays; do by hand what the hook "
			      "was to do, or roll back");
		return -1;
	}
	if (plan_again(deploy, err) < 0)
		return -1;
	return deploy_step(deploy, &deploy->final_plan, "finish", finish, err);
}

int deploy_publish_with_hooks(struct deploy *deploy, struct err *err)
{
	const struct plan *plan = &deploy->final_plan;

	if (before_publish(deploy, err) < 0 ||
	    (deploy->to_file ? deploy_publish_file(deploy, err)
			     : deploy_step(deploy, plan, "publish", deploy_publish, err)) < 0)
		return -1;
	bool rebuilds = plan_step(plan, "rebuild");

	if (rebuilds && deploy_rebuild(deploy, err) < 0)
		return -1;
	if (rebuilds && !plan_step(plan, "after_publish")) {
		if (deploy_step(deploy, plan, "finish", finish, err) == 0)
			return 0;
	} else if (after_publish(deploy, err) == 0) {
		return 0;
	}
	err->production = ERR_PRODUCTION_CHANGED;
	return -1;
}

void deploy_after_failure(struct deploy *deploy, const struct err *failure)
{
	const char *text = config_text(deploy->request.config, OPTION_AFTER_FAILURE);
	const char *name = option_row(OPTION_AFTER_FAILURE)->key;
	struct strv command CLEANUP(strv_release) = STRV_INIT;
	struct err err CLEANUP(err_release) = ERR_INIT;

	/* Whoever was asked and said no knows. */
	if (!text || (failure->code == ERR_INTERRUPTED && !proc_interrupted()))
		return;
	hook_push_command(text, &command);
	if (run(deploy, name, &command, false, failure, &err) < 0)
		deploy->request.reporter->warning(deploy->request.reporter, err.message);
}
