/*
 * What a deployment that failed leaves that is good: which nodes of its scope it built and tested,
 * behind no failure, and what they are in staging. The end of the deployment records it, so that
 * another one can publish just that, or what `dbt retry` makes of the rest.
 */
#include <stdlib.h>
#include <string.h>

#include "airlock/base/fs.h"
#include "airlock/base/host.h"
#include "airlock/deploy/build_commands.h"
#include "airlock/deploy/history.h"
#include "airlock/deploy/observe.h"
#include "airlock/deploy/record.h"
#include "airlock/deploy/strategy_rows.h"
#include "airlock/format/json.h"
#include "deploy_parts.h"

static bool counts(const struct route *route)
{
	return route->in_scope || route->is_ancestor;
}

/* A node that failed has no relation: what there is decides what is counted. */
static int observe_rest(struct deploy *deploy, struct observed *ret_observed, struct err *err)
{
	struct strv queries CLEANUP(strv_release) = STRV_INIT;
	struct strv counted CLEANUP(strv_release) = STRV_INIT;
	struct ops_reply reply CLEANUP(ops_reply_release) = { 0 };
	struct ops_reply rows CLEANUP(ops_reply_release) = { 0 };
	struct observed there = { 0 };

	if (observe_push_queries(&deploy->routes, &deploy->observed, OBSERVE_NO_ROWS, &queries,
				 err) < 0 ||
	    executor_run_queries(&deploy->executor, &queries, &reply, err) < 0)
		return -1;
	json_t *picture CLEANUP(js_free) = observe_collect(reply.rows, reply.n, false, err);

	if (deploy_picture(deploy, picture, &there, err) < 0)
		return -1;
	int result = observe_push_tables(&deploy->routes, &there, true, true, &counted, err);

	observed_release(&there);
	if (result < 0 || executor_run_queries(&deploy->executor, &counted, &rows, err) < 0)
		return -1;
	for (size_t i = 0; i < rows.n; i++)
		json_array_extend(json_object_get(picture, "rows"), rows.rows[i]);
	return deploy_picture(deploy, picture, ret_observed, err);
}

static char *results_copy(const struct deploy *deploy, const char *id)
{
	char *name CLEANUP(mem_free_string) = mem_printf("deployments/%s/run_results.json", id);

	return fs_join(deploy->sides.home, name);
}

/* Where one of the two pictures does not have it, it says nothing. */
static bool may_be_same(const char *a, const char *b)
{
	return !a || !b || strcmp(a, b) == 0;
}

static bool is_unchanged(const struct table *then, const struct table *now)
{
	return table_same_object(then, now) &&
	       (!then || (then->rows == now->rows && may_be_same(then->content, now->content) &&
			  may_be_same(then->version, now->version)));
}

/* What was copied from production at the beginning lacks what somebody has written there since; and
 * nobody could see it later, for production is remembered as it is now. */
static bool production_is_as_copied(const struct deploy *deploy, const struct observed *now)
{
	for (size_t i = 0; i < deploy->plan.copy_count; i++) {
		const struct route *route = deploy->plan.copies[i].route;
		const struct dialect *dialect = deploy->routes.dialect;

		if (route->in_scope &&
		    !is_unchanged(observed_table(&deploy->observed, dialect, &route->to),
				  observed_table(now, dialect, &route->to)))
			return false;
	}
	return true;
}

/* What is exchanged whole goes without what failed only where nothing of it did. */
static bool is_something_left(const struct deploy *deploy)
{
	for (size_t i = 0; deploy->strategy->swaps && i < deploy->routes.n; i++) {
		const struct route *route = &deploy->routes.items[i];

		if (route->in_scope &&
		    !strv_contains(&deploy->audit.passed, route->node->unique_id))
			return false;
	}
	/* Skips without a cause, which a retry may take away, name nothing to leave out. */
	return deploy->audit.passed.n > 0 && deploy->audit.causes.n > 0;
}

/* Never a reason for another failure: then it is not recorded, and not offered. */
void deploy_note_rest(struct deploy *deploy)
{
	struct observed picture = { 0 };
	struct err ignored CLEANUP(err_release) = ERR_INIT;
	char *from CLEANUP(mem_free_string) = sides_build_path(&deploy->sides, "run_results.json");
	char *to CLEANUP(mem_free_string) = results_copy(deploy, deploy->id);

	/* Those of a retry are there, merged. */
	if (deploy->request.builds_nothing || deploy->audit.failure_count == 0 ||
	    (!deploy->retries && fs_copy(from, to, &ignored) < 0) ||
	    observe_rest(deploy, &picture, &ignored) < 0)
		return;
	if (!production_is_as_copied(deploy, &picture)) {
		observed_release(&picture);
		return;
	}
	deploy->rest = json_array();
	for (size_t i = 0; i < deploy->routes.n; i++) {
		const struct route *route = &deploy->routes.items[i];
		json_t *table;

		if (!counts(route))
			continue;
		table = deploy_tested_table(deploy, route, &picture);
		json_object_set_new(
			table, "passed",
			json_boolean(strv_contains(&deploy->audit.passed, route->node->unique_id)));
		json_array_append_new(deploy->rest, table);
	}
	observed_release(&picture);
	deploy->result.rest = &deploy->audit.causes;
	deploy->result.can_publish = is_something_left(deploy);
	deploy->result.can_retry = build_commands(deploy->request.config)->n == 0;
}

void deploy_add_rest(const struct deploy *deploy, json_t *record)
{
	if (!deploy->rest)
		return;
	json_object_set(record, "staging", deploy->rest);
	json_object_set_new(record, "invocation_id", json_string(deploy->invocation_id));
}

static bool passed(const json_t *table)
{
	return js_get_bool(table, "passed", false);
}

static int not_good(const struct deploy *deploy, const struct route *route, struct err *err)
{
	err_set(err, ERR_BUILD_INCOMPLETE,
		"'%s' was not built and tested with success by deployment '%s', or is behind what "
		"failed",
		route->node->unique_id, js_get_string(deploy->basis, "id"));
	return err_hint(err, "leave it and what is made of it out: --exclude '%s+'",
			route->node->name);
}

/* Built again by this deployment, and so judged by it. */
static bool is_retried(const struct deploy *deploy, const struct route *route)
{
	return strv_contains(&deploy->retried, route->node->unique_id);
}

/*
 * Before a retry all of staging must be what the failed deployment left, but for the SQL of what
 * is built again; behind it what was not built again must be that still, and its SQL too.
 */
static int check_route(const struct deploy *deploy, const struct route *route,
		       const struct observed *picture, struct err *err)
{
	const json_t *then =
		deploy_find_table(js_get_array(deploy->basis, "staging"), route->node->unique_id);

	if (!then || (!deploy->retries && !passed(then)))
		return not_good(deploy, route, err);
	if (is_retried(deploy, route))
		return 0;
	json_t *now CLEANUP(js_free) = deploy_tested_table(deploy, route, picture);

	if (picture == &deploy->observed && !passed(then))
		json_object_set(now, "text", json_object_get(then, "text"));
	return deploy_compare_tested(then, now, err);
}

int deploy_check_rest(const struct deploy *deploy, const struct observed *picture, struct err *err)
{
	for (size_t i = 0; i < deploy->routes.n; i++)
		if (counts(&deploy->routes.items[i]) &&
		    check_route(deploy, &deploy->routes.items[i], picture, err) < 0)
			return -1;
	return 0;
}

/* What was tested of what is published now. */
void deploy_count_rest(struct deploy *deploy)
{
	size_t n = audit_scope_tests(deploy->request.config, &deploy->routes,
				     deploy->sides.from_manifest);

	deploy->audit.tests_passed = deploy->audit.scope_tests = n;
}

int deploy_restore_results(const struct deploy *deploy, struct err *err)
{
	const char *id = js_get_string(deploy->basis, "id");
	char *from CLEANUP(mem_free_string) = results_copy(deploy, id);
	char *to CLEANUP(mem_free_string) = sides_build_path(&deploy->sides, "run_results.json");

	if (fs_exists(from))
		return fs_copy(from, to, err);
	err_set(err, ERR_NOT_RESUMABLE,
		"the results of deployment '%s' are not in this checkout ('%s')", id, from);
	return err_hint(err, "retry it where it failed, or deploy again");
}

enum { MAX_RESULTS = 1 << 30 };

/* The rows of `now`, and of `then` those that it does not have. */
static int write_merged(const struct deploy *deploy, const char *now, const char *then,
			const char *to, struct err *err)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	json_t *later CLEANUP(js_free) = js_read_file(now, MAX_RESULTS, ERR_FILE, err);
	json_t *earlier CLEANUP(js_free) =
		later ? js_read_file(then, MAX_RESULTS, ERR_FILE, err) : NULL;
	const json_t *rows = js_get_array(earlier, "results");

	if (!earlier)
		return -1;
	for (size_t i = 0; i < json_array_size(rows); i++) {
		json_t *row = json_array_get(rows, i);

		if (!strv_contains(&deploy->retried, js_get_string(row, "unique_id")))
			json_array_append(json_object_get(later, "results"), row);
	}
	js_write_line(later, &text);
	return fs_write_atomic(to, buf_cstr(&text), text.len, 0600, err);
}

/* The results of a retry are of what it ran alone. With those that it goes on from they are of the
 * whole build, as which they are judged, and kept: it can be retried too. */
int deploy_merge_results(struct deploy *deploy, const struct results_expect *expect,
			 struct results **results, struct err *err)
{
	char *now CLEANUP(mem_free_string) = sides_build_path(&deploy->sides, "run_results.json");
	char *then CLEANUP(mem_free_string) =
		results_copy(deploy, js_get_string(deploy->basis, "id"));
	char *own CLEANUP(mem_free_string) = results_copy(deploy, deploy->id);
	const struct results_expect of_basis = {
		.invocation_id = js_get_string(deploy->basis, "invocation_id"),
		.which = "build",
	};
	struct results *earlier = NULL;

	if (results_read(then, &of_basis, &earlier, err) < 0)
		return -1;
	results_free(earlier);
	for (size_t i = 0; i < results_count(*results); i++)
		strv_push(&deploy->retried, results_row(*results, i)->unique_id);
	if (write_merged(deploy, now, then, own, err) < 0)
		return -1;
	results_free(*results);
	*results = NULL;
	return results_read(own, expect, results, err);
}

static int read_basis(struct deploy *deploy, const char *id, struct err *err)
{
	if (sides_parse(&deploy->sides, err) < 0 || deploy_lock_project(deploy, err) < 0)
		return -1;
	json_t *deployments CLEANUP(js_free) = deploy_history(deploy, id, err);
	json_t *record = json_array_get(deployments, 0);

	if (!record)
		return -1;
	const char *outcome = js_get_string(record, "outcome");

	if (!history_has_ended(record)) {
		err_set(err, ERR_NOT_RESUMABLE, "deployment '%s' has not ended", id);
		return err_hint(err, "'airlock resume %s' brings it to its end", id);
	}
	if (history_is_published(record))
		return err_set(err, ERR_ALREADY_PUBLISHED,
			       "deployment '%s' has published: nothing of it is left", id);
	if (!js_get_array(record, "staging")) {
		err_set(err, ERR_NOT_RESUMABLE,
			"deployment '%s' (%s) did not fail in its build: the history does not say "
			"what of staging is good",
			id, outcome);
		return err_hint(err,
				"deploy again, or publish what staging holds: airlock publish");
	}
	deploy->resumed = json_incref(record);
	return 0;
}

/* What the command line says now goes over what was recorded; lists add up. */
static int overlay(const struct config *now, struct config *config, struct err *err)
{
	for (enum option_id id = 0; id < OPTION_COUNT; id++) {
		const struct option_row *row = option_row(id);
		const struct option_value *value = &now->values[id];
		bool is_alone = row->type == OPTION_BOOL || row->type == OPTION_FLAG;

		if (value->source != OPTION_BY_COMMAND_LINE || row->type == OPTION_ENVIRONMENT)
			continue;
		if (value->text &&
		    config_set_argument(config, row, is_alone && strcmp(value->text, "false") == 0,
					is_alone ? NULL : value->text, err) < 0)
			return -1;
		for (size_t i = 0; i < value->list.n; i++)
			if (config_set_argument(config, row, false, value->list.v[i], err) < 0)
				return -1;
	}
	return 0;
}

static int run(struct deploy *again, struct err *err)
{
	const struct routes *routes;

	again->is_run = true;
	if (deploy_routes(again, &routes, err) < 0)
		return -1;
	again->result.routes = routes;
	return deploy_check(again, err) < 0 ? -1 : deploy_phases(again, err);
}

int deploy_rest(struct deploy *deploy, const char *id, bool retries,
		const struct deploy_result **ret_result, struct err *err)
{
	int64_t began = host_monotonic_ms();
	struct deploy *again;
	int result;

	*ret_result = &deploy->result;
	if (read_basis(deploy, id, err) < 0)
		return -1;
	again = deploy_open_again(deploy, err);
	if (!again)
		return -1;
	deploy->again = again;
	*ret_result = &again->result;
	if (config_rebuilds(&deploy->again_config)) {
		err_set(err, ERR_UNSUPPORTED,
			"by rebuild production is made of the project as it is now, not of what "
			"deployment '%s' tested",
			id);
		return err_hint(err, "deploy again, or publish by copy");
	}
	if (retries && build_commands(&deploy->again_config)->n > 0) {
		err_set(err, ERR_UNSUPPORTED,
			"deployment '%s' was built by several commands, and dbt retry goes on with "
			"the last of them alone",
			id);
		return err_hint(err, "deploy again");
	}
	again->request.ask = deploy->request.ask;
	again->basis = json_incref(deploy->resumed);
	again->retries = retries;
	again->project_lock = deploy->project_lock;
	deploy->project_lock = (struct fs_lock)FS_LOCK_FREE;
	result = overlay(deploy->request.config, &deploy->again_config, err);
	if (result == 0)
		result = run(again, err);
	result = deploy_end(again, began, result, err);
	again->result.dbt_starts += deploy->sides.runner->starts;
	return result;
}
