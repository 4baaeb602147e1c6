/*
 * Production that dbt rebuilt and whose tests fail there goes back to its restore points, unless
 * somebody else has written it meanwhile. That is a rollback like any other, with an id and a
 * record of its own, behind the end of the deployment that failed.
 */
#include <string.h>

#include "airlock/deploy/observe.h"
#include "airlock/format/json.h"
#include "deploy_parts.h"

int deploy_read_rebuilt(struct deploy *deploy, json_t **ret_rows, struct err *err)
{
	const struct routes *routes = &deploy->routes;
	struct strv queries CLEANUP(strv_release) = STRV_INIT;
	struct ops_reply reply CLEANUP(ops_reply_release) = { 0 };

	for (size_t i = 0; i < routes->n; i++)
		if (routes->items[i].in_scope && !routes->items[i].is_view &&
		    observe_push_rows(routes, &routes->items[i].to, false, &queries, err) < 0)
			return -1;
	if (executor_run_queries(&deploy->executor, &queries, &reply, err) < 0)
		return -1;
	*ret_rows = json_array();
	for (size_t i = 0; i < reply.n; i++)
		json_array_extend(*ret_rows, reply.rows[i]);
	return 0;
}

static bool may_take_back(struct deploy *deploy)
{
	struct err err CLEANUP(err_release) = ERR_INIT;
	json_t *now CLEANUP(js_free) = NULL;

	if (!deploy->failed_verify || !config_bool(deploy->request.config, OPTION_RESTORE_POINT))
		return false;
	if (deploy_read_rebuilt(deploy, &now, &err) == 0 && json_equal(now, deploy->rebuilt))
		return true;
	deploy->request.reporter->warning(
		deploy->request.reporter,
		"production is not rolled back: somebody else has written it since it was rebuilt");
	return false;
}

/* With the options of this one, which are whole. */
struct deploy *deploy_open_rollback(struct deploy *deploy, struct err *err)
{
	struct deploy_request request = deploy->request;

	request.is_recorded = true;
	request.builds_nothing = false;
	request.ask = false;
	deploy->again = deploy_open(&request, err);
	if (!deploy->again)
		return NULL;
	deploy->again->project_lock = deploy->project_lock;
	deploy->project_lock = (struct fs_lock)FS_LOCK_FREE;
	return deploy->again;
}

static void tell(const char *rollback, struct err *err)
{
	char *message CLEANUP(mem_free_string) = mem_strdup(err->message);

	err_set(err, ERR_VERIFY_FAILED, "%s; production is as it was before (rollback %s)", message,
		rollback);
	err_hint(err, "remove the cause and deploy again; the tests passed in staging, so it is "
		      "something that only production has");
}

void deploy_take_back(struct deploy *deploy, struct err *err)
{
	struct err failure CLEANUP(err_release) = ERR_INIT;
	const struct deploy_result *result;
	struct deploy *again;

	if (!may_take_back(deploy))
		return;
	/* Its end is recorded and the lock released, as whoever waits for it expects. */
	err->production = ERR_PRODUCTION_CHANGED;
	deploy_leave(deploy, err);
	deploy->holds_lock = false;
	again = deploy_open_rollback(deploy, &failure);
	if (again && deploy_rollback(again, deploy->id, &result, &failure) == 0) {
		deploy->result.outcome = DEPLOY_ROLLED_BACK;
		deploy->result.production_changed = false;
		deploy->result.published_count = 0;
		err->production = ERR_PRODUCTION_UNCHANGED;
		tell(result->id, err);
		return;
	}
	char *text CLEANUP(mem_free_string) =
		mem_printf("production could not be rolled back: %s", failure.message);

	deploy->request.reporter->warning(deploy->request.reporter, text);
}
