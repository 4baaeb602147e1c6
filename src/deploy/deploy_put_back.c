/*
 * A rebuild, or a publish, that stopped on its way is aborted: production goes back to the restore
 * points that it took before its first model. That is a rollback like any other, with an id and a
 * record of its own, behind the end of what it takes back; where one has died on its way, it is
 * gone on with. What that found may be what an earlier one left half done: that is aborted too.
 */
#include <string.h>

#include "airlock/deploy/history.h"
#include "airlock/deploy/strategy_rows.h"
#include "airlock/format/json.h"
#include "deploy_parts.h"

/* Whoever looks on finds it ended, and the lock free, which the rollback takes. One that another
 * deployment ended may have its locks still: that one died as well. */
static void end(struct deploy *deploy)
{
	struct err cause CLEANUP(err_release) = ERR_INIT;

	err_set(&cause, ERR_INTERRUPTED,
		history_is_stopped(deploy->resumed) ? "aborted between two of its tables"
						    : "aborted while production was rebuilt");
	cause.production = ERR_PRODUCTION_CHANGED;
	deploy_give_grants_back(deploy);
	deploy_leave(deploy, &cause);
	deploy->holds_lock = false;
}

static json_t *unfinished_rollback(const json_t *deployments, const char *of)
{
	for (size_t i = 0; i < json_array_size(deployments); i++) {
		json_t *one = json_array_get(deployments, i);

		if (js_text_is(one, "strategy", strategy_rollback.name) &&
		    js_text_is(one, "of", of) && !history_has_ended(one))
			return one;
	}
	return NULL;
}

static int put_back(struct deploy *deploy, const json_t *deployments, const char *id,
		    struct err *err)
{
	const char *unfinished = js_get_string(unfinished_rollback(deployments, id), "id");
	const struct deploy_result *result;
	struct deploy *again;

	deploy_close(deploy->again);
	deploy->again = NULL;
	again = deploy_open_rollback(deploy, err);
	if (!again)
		return -1;
	if (unfinished)
		return deploy_resume(again, unfinished, &result, err);
	again->aborts = true;
	return deploy_rollback(again, id, &result, err);
}

/* One after the other, each behind what came of the one before it. */
static int put_all_back(struct deploy *deploy, const json_t *first, json_t **deployments,
			struct err *err)
{
	const json_t *tables = js_get_array(first, "tables");
	const char *id = deploy->id;

	while (id) {
		if (put_back(deploy, *deployments, id, err) < 0)
			return -1;
		json_t *now = deploy_history(deploy, NULL, err);

		if (!now)
			return -1;
		json_decref(*deployments);
		*deployments = now;
		id = js_get_string(history_find_half_done(now, tables), "id");
		if (id)
			id = arena_strdup(&deploy->arena, id);
	}
	return 0;
}

static void say(struct deploy *deploy, const json_t *record, bool was_ended)
{
	deploy->result.settled = arena_printf(
		&deploy->arena,
		"deployment '%s' %s; production is what it was before it (rollback '%s')",
		deploy->id,
		!was_ended                            ? "is aborted"
		: history_is_stopped(deploy->resumed) ? "had stopped between two of its tables"
						      : "had ended while it rebuilt production",
		js_get_string(record, "taken_back_by"));
}

int deploy_put_back(struct deploy *deploy, struct err *err)
{
	bool was_ended = history_has_ended(deploy->resumed);
	json_t *first CLEANUP(js_free) = json_incref(deploy->resumed);

	deploy->result.production_changed = true;
	deploy->result.outcome = DEPLOY_FAILED;
	if (deploy->holds_lock)
		end(deploy);
	json_t *deployments CLEANUP(js_free) = deploy_history(deploy, NULL, err);

	if (!deployments)
		return -1;
	if (!history_is_taken_back(history_find(deployments, deploy->id)) &&
	    put_all_back(deploy, first, &deployments, err) < 0)
		return -1;
	deploy->result.production_changed = false;
	deploy->result.outcome = DEPLOY_ABORTED;
	say(deploy, history_find(deployments, deploy->id), was_ended);
	return 0;
}
