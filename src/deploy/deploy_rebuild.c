/*
 * Production made anew by dbt, one model at a time: the publish of wap by rebuild, behind the
 * transaction that kept what was there. From the first model on production has changed, whatever
 * comes; the restore points are the way back.
 */
#include <stdlib.h>
#include <string.h>

#include "airlock/base/fs.h"
#include "airlock/deploy/observe.h"
#include "airlock/format/json.h"
#include "deploy_parts.h"

static char *results_path(const struct deploy *deploy, const char *folder)
{
	char *name CLEANUP(mem_free_string) =
		mem_printf("%s/%s/run_results.json", folder, deploy->sides.to_side.name);

	return fs_join(deploy->sides.home, name);
}

static void hint_way_back(const struct deploy *deploy, struct err *err)
{
	if (!config_bool(deploy->request.config, OPTION_RESTORE_POINT)) {
		err_hint(err, "no restore point was kept: remove the cause and deploy again");
		return;
	}
	err_hint(err,
		 "'airlock abort %s' puts back what was there before; or remove the cause and "
		 "deploy again",
		 deploy->id);
}

static bool has_run(const struct results_row *row)
{
	return row->status != RESULTS_SKIPPED;
}

/* What dbt says of its end counts only beside what it says of each model. */
static int judge_models(struct deploy *deploy, const struct results *results, struct err *err)
{
	const struct routes *routes = &deploy->routes;

	for (size_t i = 0; i < results_count(results); i++)
		if (has_run(results_row(results, i)))
			deploy->result.production_changed = true;
	for (size_t i = 0; i < routes->n; i++) {
		const char *unique_id = routes->items[i].node->unique_id;
		const struct results_row *row = results_find(results, unique_id);

		if (!routes->items[i].in_scope || (row && row->status == RESULTS_SUCCESS))
			continue;
		if (row && !has_run(row))
			continue; /* behind the one that failed */
		/* One that was interrupted says nothing of what it was at. */
		deploy->result.production_changed = true;
		return err_set(err, ERR_BUILD_FAILED,
			       "'%s' failed while production was rebuilt: %s", unique_id,
			       !row            ? "dbt did not run it"
			       : *row->message ? row->message
					       : row->status_text);
	}
	return 0;
}

static int count_skipped(const struct deploy *deploy, const struct results *results,
			 struct err *err)
{
	for (size_t i = 0; i < deploy->routes.n; i++) {
		const struct route *route = &deploy->routes.items[i];
		const struct results_row *row = results_find(results, route->node->unique_id);

		if (route->in_scope && (!row || row->status != RESULTS_SUCCESS))
			return err_set(err, ERR_BUILD_FAILED,
				       "'%s' was skipped while production was rebuilt",
				       route->node->unique_id);
	}
	return 0;
}

static int read_results(const struct deploy *deploy, const char *folder, const char *which,
			const struct runner_result *ran, struct results **ret_results,
			struct err *err)
{
	char *path CLEANUP(mem_free_string) = results_path(deploy, folder);
	const struct results_expect expect = {
		.invocation_id = ran->invocation_id,
		.which = which,
		.target = deploy->sides.to,
	};

	return results_read(path, &expect, ret_results, err);
}

/* Without results of this very run some of it may have been built all the same. */
static int judge(struct deploy *deploy, const struct runner_result *ran, struct err *err)
{
	struct results *results = NULL;
	int result = read_results(deploy, "rebuild", "run", ran, &results, err);

	if (result < 0)
		deploy->result.production_changed = true;
	else if (judge_models(deploy, results, err) < 0 || count_skipped(deploy, results, err) < 0)
		result = -1;
	results_free(results);
	return result;
}

static int rebuild(struct deploy *deploy, struct err *err)
{
	const struct step *step = plan_step(&deploy->final_plan, "rebuild");
	struct executor *x = &deploy->executor;
	struct runner_result ran = { 0 };
	struct err of_models CLEANUP(err_release) = ERR_INIT;
	struct backoff backoff = { 0 };
	int result;

	executor_begin_waiting(x, false, &backoff);
	while ((result = executor_try_dbt(x, step, &deploy->sides.to_side.environment, &backoff,
					  &ran, err)) > 0)
		/* Whoever had the database open may have written. */
		if (deploy_look_again(deploy, err) < 0)
			return -1;
	if (result == 0 && !runner_succeeded(&ran))
		result = runner_error(&ran, "dbt run", err);
	/* A signal or a limit of time stays the reason; a model that failed is a better one. */
	if (judge(deploy, &ran, &of_models) < 0 &&
	    (result == 0 || (err->code == ERR_DBT_FAILED && of_models.code == ERR_BUILD_FAILED)))
		result = err_set(err, of_models.code, "%s", of_models.message);
	runner_result_release(&ran);
	if (result < 0 && deploy->result.production_changed)
		hint_way_back(deploy, err);
	return result;
}

static int judge_tests(const struct deploy *deploy, const struct route *route,
		       const struct results *results, struct err *err)
{
	const struct strv *allowed = config_list(deploy->request.config, OPTION_ALLOW_UNTESTED);
	const struct manifest_node *node = route->to_node;

	for (size_t i = 0; i < node->child_count; i++) {
		const struct manifest_node *test = node->children[i];
		const struct results_row *row = results_find(results, test->unique_id);

		if (!manifest_is_test(test) || audit_skips(deploy->request.config, test) ||
		    manifest_is_named(test, allowed) ||
		    (row && (row->status == RESULTS_SUCCESS || row->status == RESULTS_WARN)))
			continue;
		return err_set(err, ERR_AUDIT_FAILED,
			       "production was rebuilt, and '%s' fails there: %s", test->unique_id,
			       !row            ? "it did not run"
			       : *row->message ? row->message
					       : row->status_text);
	}
	return 0;
}

static int run_tests(struct deploy *deploy, const struct step *step, struct err *err)
{
	struct runner_result ran = { 0 };
	struct results *results = NULL;
	int result = executor_run_dbt(&deploy->executor, step, &deploy->sides.to_side.environment,
				      &ran, err);

	if (result == 0)
		result = read_results(deploy, "verify", "test", &ran, &results, err);
	for (size_t i = 0; i < deploy->routes.n && result == 0; i++)
		if (deploy->routes.items[i].in_scope)
			result = judge_tests(deploy, &deploy->routes.items[i], results, err);
	if (result == 0 && !runner_succeeded(&ran))
		result = runner_error(&ran, "dbt test", err);
	results_free(results);
	runner_result_release(&ran);
	return result;
}

static int compare_count(const struct deploy *deploy, const struct route *route,
			 const json_t *answer, struct err *err)
{
	const struct table *built =
		observed_table(&deploy->built, deploy->routes.dialect, &route->from);
	json_int_t rows = js_get_integer(answer, "rows", -1);
	char *name CLEANUP(mem_free_string) = relation_display(&route->to);

	if (built && rows == built->rows)
		return 0;
	return err_set(err, ERR_AUDIT_FAILED,
		       "production was rebuilt, and '%s' has %lld rows where %lld were audited",
		       name, (long long)rows, (long long)(built ? built->rows : -1));
}

static int compare_counts(struct deploy *deploy, struct err *err)
{
	const struct routes *routes = &deploy->routes;
	size_t n = 0;

	for (size_t i = 0; i < routes->n; i++)
		if (routes->items[i].in_scope && !routes->items[i].is_view &&
		    compare_count(deploy, &routes->items[i], json_array_get(deploy->rebuilt, n++),
				  err) < 0)
			return -1;
	return 0;
}

static int verify(struct deploy *deploy, struct err *err)
{
	const struct step *step = plan_step(&deploy->final_plan, "verify");

	if (deploy_read_rebuilt(deploy, &deploy->rebuilt, err) == 0 &&
	    (step->kind == STEP_DBT ? run_tests(deploy, step, err) : compare_counts(deploy, err)) ==
		    0)
		return 0;
	deploy->failed_verify = err->code == ERR_AUDIT_FAILED;
	hint_way_back(deploy, err);
	return -1;
}

static int give_grants_back(struct deploy *deploy, struct err *err)
{
	const struct step *step = plan_step(&deploy->final_plan, "grants");
	struct ops ops CLEANUP(ops_release) = OPS_INIT;
	struct ops_reply reply CLEANUP(ops_reply_release) = { 0 };

	if (executor_add(&deploy->executor, step, &ops, err) < 0)
		return -1;
	if (executor_run_undone(&deploy->executor, &ops, true, &reply, err) == 0)
		return 0;
	if (deploy->result.production_changed)
		hint_way_back(deploy, err);
	return err_wrap(err, "giving back the owners and privileges of what was rebuilt");
}

/* Who could read before can read after, also what was rebuilt before a model failed: that failure
 * stays the reason. */
static int rebuild_with_grants(struct deploy *deploy, struct err *err)
{
	const struct plan *plan = &deploy->final_plan;
	struct err of_grants CLEANUP(err_release) = ERR_INIT;
	int result = deploy_step(deploy, plan, "rebuild", rebuild, err);

	if (!plan_step(plan, "grants"))
		return result;
	if (result == 0)
		return deploy_step(deploy, plan, "grants", give_grants_back, err);
	if (give_grants_back(deploy, &of_grants) < 0)
		deploy->request.reporter->warning(deploy->request.reporter, of_grants.message);
	return -1;
}

int deploy_rebuild(struct deploy *deploy, struct err *err)
{
	const struct plan *plan = &deploy->final_plan;
	int result = rebuild_with_grants(deploy, err);

	if (result == 0 && plan_step(plan, "verify"))
		result = deploy_step(deploy, plan, "verify", verify, err);
	if (deploy->result.production_changed)
		deploy_list_published(deploy);
	if (result == 0)
		deploy->result.outcome = DEPLOY_PUBLISHED;
	return result;
}
