/* A deployment that did not come to its end is resumed under its own id, or aborted. */
#include <stdlib.h>
#include <string.h>

#include "airlock/base/host.h"
#include "airlock/deploy/history.h"
#include "airlock/deploy/record.h"
#include "airlock/deploy/strategy_rows.h"
#include "airlock/format/json.h"
#include "deploy_parts.h"

static void say(struct deploy *deploy, const char *what)
{
	deploy->result.settled =
		arena_printf(&deploy->arena, "deployment '%s' %s", deploy->id, what);
}

/* The end as it is, where it is not recorded yet, and the locks. */
static void leave(struct deploy *deploy)
{
	deploy_leave(deploy, NULL);
	deploy->holds_lock = false;
}

/* Somebody ended it who did not go on with it. */
static int ended_unknown(struct deploy *deploy, struct err *err)
{
	deploy->result.outcome = DEPLOY_UNKNOWN;
	err->production = ERR_PRODUCTION_UNKNOWN;
	err_set(err, ERR_OUTCOME_UNKNOWN,
		"deployment '%s' was ended while it published: some of production may be new",
		deploy->id);
	return err_hint(err,
			"deploy again: that publishes all of it; what it had replaced is in "
			"" STATE_RESTORE_SCHEMA " (r_%s_<number>)",
			deploy->id);
}

static int cannot_resume(struct deploy *deploy, struct err *err)
{
	const char *why = js_get_string(deploy->resumed, "message");

	if (history_rebuilds(deploy->resumed)) {
		err_set(err, ERR_NOT_RESUMABLE, "deployment '%s' has ended (%s) while it %s%s%s",
			deploy->id, js_get_string(deploy->resumed, "outcome"),
			history_is_stopped(deploy->resumed) ? "published" : "rebuilt production",
			why ? ": " : "", why ? why : "");
		return history_not_kept(deploy->resumed)
			       ? err_hint(err, "deploy again")
			       : err_hint(err,
					  "deploy again, or 'airlock abort %s' puts back what was "
					  "there before",
					  deploy->id);
	}
	if (js_text_is(deploy->resumed, "outcome", "unknown"))
		return ended_unknown(deploy, err);
	err_set(err, ERR_NOT_RESUMABLE, "deployment '%s' has ended (%s), production unchanged%s%s",
		deploy->id, js_get_string(deploy->resumed, "outcome"), why ? ": " : "",
		why ? why : "");
	return err_hint(err, "deploy again");
}

/* What was published only lacks its end. */
static int end_published(struct deploy *deploy)
{
	bool was_ended = history_has_ended(deploy->resumed);

	deploy->result.production_changed = true;
	deploy->result.outcome = DEPLOY_PUBLISHED;
	leave(deploy);
	say(deploy, was_ended ? "was published, and its end is recorded: nothing is left to do"
			      : "had published; its end is recorded now, and its lock released");
	return 0;
}

static int copy_pairs(const struct config *from, enum option_id id, struct config *config,
		      struct err *err)
{
	const struct option_value *value = &from->values[id];

	for (size_t i = 0; value->source == OPTION_BY_COMMAND_LINE && i < value->list.n; i++)
		if (config_set_argument(config, option_row(id), false, value->list.v[i], err) < 0)
			return -1;
	return 0;
}

/* Values of an environment are not recorded: as the command line, the environment and the block of
 * the deployment have them now. What was recorded says whether they are the same. */
static int find_environment(const struct deploy *deploy, const char *what, struct config *config,
			    struct err *err)
{
	static const enum option_id sides[] = { OPTION_FROM, OPTION_TO };
	static const enum option_id pairs[] = { OPTION_FROM_ENV, OPTION_TO_ENV };
	const json_t *recorded = js_get_object(deploy->resumed, "environment");
	struct config now CLEANUP(config_release) = { .strategy = NULL };
	int result = 0;

	if (json_object_size(js_get_object(recorded, "from")) == 0 &&
	    json_object_size(js_get_object(recorded, "to")) == 0)
		return 0;
	config_init(&now);
	for (size_t k = 0; k < ARRAY_LEN(pairs); k++)
		if (copy_pairs(deploy->request.config, pairs[k], &now, err) < 0)
			return -1;
	if (config_set_environment(&now, deploy->request.environment, err) < 0 ||
	    config_set_project(&now, &deploy->sides.project, deploy->request.cmdline->vars, what,
			       err) < 0)
		return -1;
	for (size_t k = 0; k < ARRAY_LEN(sides) && result == 0; k++) {
		struct strv environment CLEANUP(strv_release) = STRV_INIT;

		config_side_environment(&now, sides[k], &environment);
		for (size_t i = 0; i < environment.n && result == 0; i++)
			result = config_set_argument(config, option_row(pairs[k]), false,
						     environment.v[i], err);
	}
	return result < 0 ? -1 : record_check_environment(recorded, config, deploy->id, err);
}

static bool is_refresh(const struct deploy *deploy)
{
	return js_text_is(deploy->resumed, "strategy", strategy_mirror.name);
}

/* A deploy of its own, with the options of the record. */
struct deploy *deploy_open_again(struct deploy *deploy, struct err *err)
{
	struct deploy_request request = deploy->request;
	const json_t *words = js_get_array(deploy->resumed, "dbt");
	size_t n = json_array_size(words), own = deploy->request.cmdline->every.n;
	const char **all = arena_alloc(&deploy->arena, (n + own + 1) * sizeof(*all));
	const char *name = js_get_string(deploy->resumed, "name");
	const char *strategy = js_get_string(deploy->resumed, "strategy");
	const char *directory = config_text(deploy->request.config, OPTION_PROJECT_DIR);
	struct config *config = &deploy->again_config;

	for (size_t i = 0; i < n; i++)
		all[i] = json_string_value(json_array_get(words, i));
	for (size_t i = 0; i < own; i++)
		all[n + i] = deploy->request.cmdline->every.v[i];
	config_release(config);
	config_init(config);
	if (record_check_vars(deploy->resumed, deploy->request.cmdline->vars, err) < 0 ||
	    record_read_options(js_get_object(deploy->resumed, "options"), config, err) < 0 ||
	    (directory && config_set_argument(config, option_row(OPTION_PROJECT_DIR), false,
					      directory, err) < 0) ||
	    cmdline_sort(all, n + own, &deploy->again_cmdline, err) < 0)
		return NULL;
	if (strategy && (strcmp(strategy, strategy_rollback.name) == 0 || is_refresh(deploy)))
		strategy = deploy->strategy->name;
	/* With the defaults that are this strategy's own. */
	config_set_strategy(config, strategy ? strategy : "");
	config->deployment = mem_strdup(name ? name : "");
	if (find_environment(deploy, name && *name ? name : deploy->strategy->name, config, err) <
	    0)
		return NULL;
	request.config = config;
	request.cmdline = &deploy->again_cmdline;
	request.is_recorded = true;
	request.builds_nothing = js_get_bool(deploy->resumed, "builds_nothing", false);
	request.ask = false;
	return deploy_open(&request, err);
}

static bool holds(const struct state *state, const char *name)
{
	for (size_t i = 0; i < state->held_count; i++)
		if (strcmp(state->containers[i].name, name) == 0)
			return true;
	return false;
}

/* What is locked now must be what this project, as it stands here, would lock. */
static int check_locks(struct deploy *deploy, struct err *err)
{
	const json_t *names = js_get_array(deploy->resumed, "locks");

	deploy_init_state(deploy);
	for (size_t i = 0; i < json_array_size(names); i++) {
		const char *name = json_string_value(json_array_get(names, i));

		if (!name || holds(&deploy->state, name))
			continue;
		err_set(err, ERR_NOT_RESUMABLE,
			"deployment '%s' writes '%s', and the project as it is here does not",
			deploy->id, name);
		return err_hint(err,
				"resume it where the project is what it was, or say 'airlock "
				"abort %s'",
				deploy->id);
	}
	return 0;
}

static void hand_over(struct deploy *deploy, struct deploy *again)
{
	again->resumed = json_incref(deploy->resumed);
	again->machine_is_gone = deploy->machine_is_gone;
	again->project_lock = deploy->project_lock;
	deploy->project_lock = (struct fs_lock)FS_LOCK_FREE;
	memcpy(again->id, deploy->id, sizeof(again->id));
	memcpy(again->result.id, deploy->id, sizeof(again->id));
}

/* Everything that can go wrong with the project goes wrong before the lock is touched. */
static int prepare(struct deploy *again, struct err *err)
{
	const char *of = js_get_string(again->resumed, "of");
	const struct routes *routes;

	again->is_run = true;
	if (is_refresh(again) ? deploy_mirror_prepare(again, err) < 0
	    : of              ? deploy_rollback_prepare(again, of, err) < 0
		 : deploy_routes(again, &routes, err) < 0 || deploy_check(again, err) < 0)
		return -1;
	again->result.routes = &again->routes;
	return check_locks(again, err);
}

/* Its abort has died: there is no way but back. */
static int refuse_stopped(const struct deploy *deploy, struct err *err)
{
	err_set(err, ERR_NOT_RESUMABLE, "deployment '%s' is being aborted", deploy->id);
	return err_hint(err, "'airlock abort %s' puts back what was there before it", deploy->id);
}

static int go_on(struct deploy *again, struct err *err)
{
	if (history_is_stopped(again->resumed) && !history_has_ended(again->resumed)) {
		again->holds_lock = false;
		again->result.production_changed = true;
		return refuse_stopped(again, err);
	}
	if (history_has_ended(again->resumed) && !history_is_published(again->resumed))
		return cannot_resume(again, err);
	if (history_is_published(again->resumed))
		return end_published(again);
	state_release(&again->state);
	deploy_init_state(again);
	if (again->mirrors)
		return deploy_mirror_phases(again, err);
	if (again->rolled_back)
		return deploy_rollback_phases(again, err);
	return deploy_phases(again, err);
}

/* It may have died before it did so itself. */
void deploy_give_grants_back(struct deploy *deploy)
{
	struct strv statements CLEANUP(strv_release) = STRV_INIT;
	struct ops ops CLEANUP(ops_release) = OPS_INIT;
	struct ops_reply reply CLEANUP(ops_reply_release) = { 0 };
	struct err err CLEANUP(err_release) = ERR_INIT;

	if (history_has_ended(deploy->resumed) || !json_object_get(deploy->resumed, STATE_GRANTS) ||
	    json_object_get(deploy->resumed, STATE_GRANTED))
		return;
	if (state_push_grants_back(&deploy->state, deploy->id, &statements, &err) == 0 &&
	    executor_add_statements(&deploy->executor, &statements, false, &ops, &err) == 0 &&
	    executor_run_ops(&deploy->executor, &ops, true, &reply, &err) == 0)
		return;
	deploy->request.reporter->warning(deploy->request.reporter, err.message);
}

/* What dbt had begun to make anew is not what it was, whatever becomes of the rest. */
static int go_on_rebuilding(struct deploy *again, struct err *err)
{
	again->result.production_changed = true;
	if (go_on(again, err) == 0)
		return 0;
	deploy_give_grants_back(again);
	return -1;
}

static int resume_again(struct deploy *deploy, int64_t began,
			const struct deploy_result **ret_result, struct err *err)
{
	struct deploy *again = deploy_open_again(deploy, err);
	int result;

	if (!again)
		return -1;
	deploy->again = again;
	*ret_result = &again->result;
	hand_over(deploy, again);
	again->result.production_changed = history_rebuilds(again->resumed);
	result = prepare(again, err);
	if (result == 0)
		result = deploy_reclaim(again, true, err);
	if (result == 0 && deploy_goes_on(again))
		result = deploy_check_at_rest(again, err);
	if (result == 0)
		result = history_rebuilds(again->resumed) ? go_on_rebuilding(again, err)
							  : go_on(again, err);
	result = deploy_end(again, began, result, err);
	again->result.dbt_starts += deploy->sides.runner->starts;
	return result;
}

/* Released only by who holds it: what has ended may have left its lock behind. */
static int settle_ended(struct deploy *deploy, struct err *err)
{
	struct err ignored CLEANUP(err_release) = ERR_INIT;

	if (deploy_reclaim(deploy, false, &ignored) == 0)
		return 0;
	if (ignored.code == ERR_LOCKED)
		return err_set(err, ERR_LOCKED, "%s", ignored.message);
	return 0;
}

int deploy_resume(struct deploy *deploy, const char *id, const struct deploy_result **ret_result,
		  struct err *err)
{
	int64_t began = host_monotonic_ms();
	int result = deploy_read_record(deploy, id, err);

	*ret_result = &deploy->result;
	if (result == 0 && history_is_stopped(deploy->resumed) &&
	    !history_has_ended(deploy->resumed)) {
		deploy->result.production_changed = true;
		result = refuse_stopped(deploy, err);
	}
	if (result == 0 && !history_has_ended(deploy->resumed) &&
	    !history_is_published(deploy->resumed))
		return resume_again(deploy, began, ret_result, err);
	if (result == 0)
		result = history_has_ended(deploy->resumed) ? settle_ended(deploy, err)
							    : deploy_reclaim(deploy, true, err);
	if (result == 0 && !history_is_published(deploy->resumed)) {
		leave(deploy);
		result = cannot_resume(deploy, err);
	} else if (result == 0) {
		result = end_published(deploy);
	}
	return deploy_end(deploy, began, result, err);
}

static int cannot_abort(struct deploy *deploy, struct err *err)
{
	end_published(deploy);
	err_set(err, ERR_ALREADY_PUBLISHED,
		"deployment '%s' has published: there is nothing left to abort", deploy->id);
	return err_hint(err, "'airlock rollback %s' puts production back as it was before",
			deploy->id);
}

static int abort_settled(struct deploy *deploy, struct err *err)
{
	bool was_ended = history_has_ended(deploy->resumed);

	if (history_is_published(deploy->resumed))
		return cannot_abort(deploy, err);
	/* Where it fails the lock stays, for who goes on with either. What dbt rebuilds has its
	 * record by then. */
	if (!history_rebuilds(deploy->resumed) && deploy_may_be_partly(deploy, deploy->resumed) &&
	    deploy_stop(deploy, err) < 0) {
		deploy->holds_lock = false;
		return -1;
	}
	if (history_rebuilds(deploy->resumed))
		return deploy_put_back(deploy, err);
	if (js_text_is(deploy->resumed, "outcome", "unknown"))
		return ended_unknown(deploy, err);
	deploy->result.outcome = DEPLOY_ABORTED;
	leave(deploy);
	say(deploy, was_ended ? "had ended already; production was not changed by it"
			      : "is aborted; production was not changed by it");
	return 0;
}

/* What is half rebuilt can be resumed as long as it has not ended. */
static int check_way_back(struct deploy *deploy, struct err *err)
{
	const char *lost = history_not_kept(deploy->resumed);

	if (!history_rebuilds(deploy->resumed) || !lost)
		return 0;
	deploy->result.production_changed = true;
	deploy->result.outcome = DEPLOY_FAILED;
	err_set(err, ERR_NOT_RESUMABLE,
		"deployment '%s' kept no restore point of '%s': production cannot be put back",
		deploy->id, lost);
	return history_has_ended(deploy->resumed)
		       ? err_hint(err, "deploy again: that makes production anew")
		       : err_hint(err, "'airlock resume %s' goes on to its end", deploy->id);
}

int deploy_abort(struct deploy *deploy, const char *id, const struct deploy_result **ret_result,
		 struct err *err)
{
	int64_t began = host_monotonic_ms();
	int result;

	*ret_result = &deploy->result;
	deploy->aborts = true;
	result = deploy_read_record(deploy, id, err);
	if (result == 0)
		result = check_way_back(deploy, err);
	if (result == 0)
		result = history_has_ended(deploy->resumed) ? settle_ended(deploy, err)
							    : deploy_reclaim(deploy, false, err);
	if (result == 0)
		result = abort_settled(deploy, err);
	return deploy_end(deploy, began, result, err);
}
