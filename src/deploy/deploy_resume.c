/*
 * A deployment that did not come to its end is resumed under its own id, or aborted.
 *
 * The order is what makes it safe: whether its process still lives; then its dbt is ended; then
 * its locks are taken with a higher fence, which waits for a publish that the server is still
 * ending; only then its events are read again, and what they say is final.
 */
#include <stdlib.h>
#include <string.h>

#include "airlock/base/host.h"
#include "airlock/base/proc.h"
#include "airlock/deploy/history.h"
#include "airlock/deploy/record.h"
#include "airlock/deploy/strategy_rows.h"
#include "airlock/format/json.h"
#include "deploy_parts.h"

enum {
	GRACE_MS = 5000,
};

static bool is_published(const json_t *deployment)
{
	return strcmp(js_get_string(deployment, "outcome"), STATE_PUBLISHED) == 0;
}

/* Its restore points are recorded, and dbt may have begun to make production anew. */
static bool rebuilds(const json_t *deployment)
{
	return js_get_bool(deployment, "rebuilds", false);
}

static bool has_ended(const json_t *deployment)
{
	return js_get_bool(deployment, "ended", false);
}

static json_t *only_unfinished(json_t *deployments, struct err *err)
{
	struct buf names CLEANUP(buf_release) = BUF_INIT;
	json_t *found = NULL;
	size_t n = 0;

	for (size_t i = 0; i < json_array_size(deployments); i++) {
		json_t *deployment = json_array_get(deployments, i);

		if (has_ended(deployment))
			continue;
		found = deployment;
		buf_printf(&names, "%s'%s'", n++ ? ", " : "", js_get_string(deployment, "id"));
	}
	if (n == 1)
		return found;
	if (n == 0) {
		err_set(err, ERR_DEPLOYMENT_UNKNOWN, "no deployment is unfinished");
		return NULL;
	}
	err_set(err, ERR_USAGE, "several deployments are unfinished: %s", buf_cstr(&names));
	err_hint(err, "name one of them behind the command");
	return NULL;
}

static json_t *find_record(json_t *deployments, const char *id, struct err *err)
{
	if (!id)
		return only_unfinished(deployments, err);
	for (size_t i = 0; i < json_array_size(deployments); i++) {
		json_t *deployment = json_array_get(deployments, i);

		if (strcmp(js_get_string(deployment, "id"), id) == 0)
			return deployment;
	}
	err_set(err, ERR_DEPLOYMENT_UNKNOWN, "there is no deployment '%s'", id);
	return NULL;
}

/* The history is read behind the lock of the project: to look disturbs a holder on DuckDB. */
static int read_record(struct deploy *deploy, const char *id, struct err *err)
{
	if (deploy->request.cmdline->build.n > 0) {
		err_set(err, ERR_USAGE, "'%s' is for a build, and those are in the record",
			deploy->request.cmdline->build.v[0]);
		return err_hint(err, "leave it out");
	}
	if (sides_parse(&deploy->sides, err) < 0 || deploy_lock_project(deploy, err) < 0)
		return -1;
	json_t *deployments CLEANUP(js_free) = deploy_history(deploy, NULL, err);
	json_t *record = deployments ? find_record(deployments, id, err) : NULL;

	if (!record)
		return -1;
	id = js_get_string(record, "id");
	if (strlen(id) >= sizeof(deploy->id))
		return err_set(err, ERR_NO_ANSWER, "the history of '%s' is not whole", id);
	if (!has_ended(record) && json_array_size(js_get_array(record, "locks")) == 0) {
		err_set(err, ERR_NOT_RESUMABLE,
			"the history does not say how deployment '%s' began: it is of another "
			"version of airlock",
			id);
		return err_hint(err, "deploy again: that settles it");
	}
	deploy->resumed = json_incref(record);
	strcpy(deploy->id, id);
	strcpy(deploy->result.id, id);
	return 0;
}

static int still_running(const json_t *record, struct err *err)
{
	err_set(err, ERR_LOCKED, "deployment '%s' of %s on %s, process %s, is still running",
		js_get_string(record, "id"), js_get_string(record, "user"),
		js_get_string(record, "host"), js_get_string(record, "pid"));
	return err_hint(err, "wait for it, or end that process first");
}

static bool text_is(const json_t *record, const char *key, const char *text)
{
	const char *own = js_get_string(record, key);

	return own && strcmp(own, text) == 0;
}

/* For a deployment whose lock is gone: `unlock`, or a lock table that somebody dropped. */
static bool lives_here(const struct deploy *deploy, const json_t *record)
{
	const char *pid = js_get_string(record, "pid");
	const char *start = js_get_string(record, "start");

	return pid && start && text_is(record, "host", deploy_bound(deploy, "host")) &&
	       text_is(record, "boot", deploy_bound(deploy, "boot")) &&
	       strcmp(pid, deploy_bound(deploy, "pid")) != 0 &&
	       host_process_is_alive((pid_t)strtoll(pid, NULL, 10), strtoull(start, NULL, 10));
}

static int read_locks(struct deploy *deploy, struct ops_reply *ret_reply, struct err *err)
{
	struct strv queries CLEANUP(strv_release) = STRV_INIT;
	struct ops ops CLEANUP(ops_release) = OPS_INIT;

	if (state_push_read(&deploy->state, &queries, err) < 0 ||
	    executor_add_statements(&deploy->executor, &queries, true, &ops, err) < 0)
		return -1;
	return executor_run_ops(&deploy->executor, &ops, false, ret_reply, err);
}

/* Statements that take what the deployment holds, and what nobody does. Of what others hold: the
 * error. Nothing is taken of one that has ended but what it still holds. */
static int push_takes(struct deploy *deploy, json_t *const *rows, struct strv *takes,
		      struct err *err)
{
	for (size_t i = 0; i < deploy->state.held_count; i++) {
		struct state_lock lock;
		bool ended = has_ended(deploy->resumed);

		if (state_read_lock(&deploy->state, i, rows[i], &lock, err) < 0)
			return -1;
		if (*lock.nonce && strcmp(lock.id, deploy->id) == 0) {
			bool dead = deploy_holder_is_dead(deploy, &lock);

			if (!dead && !lock.expired)
				return state_locked_error(&lock, err);
			if (state_push_resume(&deploy->state, &lock, dead, takes, err) < 0)
				return -1;
		} else if (*lock.nonce && !ended) {
			return state_locked_error(&lock, err);
		} else if (!*lock.nonce && !ended &&
			   state_push_acquire(&deploy->state, i, takes, err) < 0) {
			return -1;
		}
	}
	return 0;
}

static int end_processes(struct deploy *deploy, struct err *err)
{
	struct journal_processes left CLEANUP(journal_processes_release) = { 0 };
	char *directory CLEANUP(mem_free_string) = fs_join(deploy->sides.home, "deployments");

	if (journal_read_processes(directory, deploy->id, deploy_bound(deploy, "host"),
				   deploy_bound(deploy, "boot"), &left, err) < 0)
		return -1;
	if (left.is_newer)
		deploy->request.reporter->warning(
			deploy->request.reporter,
			"the journal is of a newer airlock: no process that it names is ended");
	for (size_t i = 0; i < left.n; i++)
		if (!proc_end_group(left.items[i].pid, left.items[i].start, GRACE_MS))
			return err_set(err, ERR_LOCKED,
				       "process %lld of deployment '%s' cannot be ended",
				       (long long)left.items[i].pid, deploy->id);
	return 0;
}

static json_t *resumer(const struct deploy *deploy)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s}", "user", deploy_bound(deploy, "user"), "host",
			 deploy_bound(deploy, "host"), "boot", deploy_bound(deploy, "boot"), "pid",
			 deploy_bound(deploy, "pid"), "since", deploy_bound(deploy, "since"));
}

/* Takes, reads back, and reads the events as they are from now on. */
static int take(struct deploy *deploy, const struct strv *takes, bool is_resumed, struct err *err)
{
	struct strv noted CLEANUP(strv_release) = STRV_INIT;
	struct strv queries CLEANUP(strv_release) = STRV_INIT;
	struct ops ops CLEANUP(ops_release) = OPS_INIT;
	struct ops_reply reply CLEANUP(ops_reply_release) = { 0 };
	json_t *who CLEANUP(js_free) = resumer(deploy);

	if ((is_resumed &&
	     state_push_log_held(&deploy->state, STATE_RESUMED, who, &noted, err) < 0) ||
	    state_push_read(&deploy->state, &queries, err) < 0 ||
	    state_push_history(&deploy->state, deploy->id, &queries, err) < 0 ||
	    executor_add_statements(&deploy->executor, takes, false, &ops, err) < 0 ||
	    executor_add_statements(&deploy->executor, &noted, false, &ops, err) < 0 ||
	    executor_add_statements(&deploy->executor, &queries, true, &ops, err) < 0 ||
	    executor_run_ops(&deploy->executor, &ops, false, &reply, err) < 0)
		return -1;
	json_t *const *rows = reply.rows + takes->n + noted.n;

	for (size_t i = 0; i < deploy->state.held_count; i++) {
		struct state_lock lock;

		if (state_read_lock(&deploy->state, i, rows[i], &lock, err) < 0)
			return -1;
		if (!has_ended(deploy->resumed) &&
		    strcmp(lock.nonce, deploy_bound(deploy, "nonce")) != 0)
			return state_locked_error(&lock, err);
	}
	json_t *now CLEANUP(js_free) = history_of(rows[deploy->state.held_count], err);

	if (!now)
		return -1;
	json_decref(deploy->resumed);
	deploy->resumed = json_incref(json_array_get(now, 0));
	deploy->holds_lock = true;
	return 0;
}

/*
 * From here on nobody but this process can change what the deployment is. Whoever fails before
 * that leaves it as it was: unfinished.
 */
static int settle(struct deploy *deploy, bool is_resumed, struct err *err)
{
	struct ops_reply locks CLEANUP(ops_reply_release) = { 0 };
	struct strv takes CLEANUP(strv_release) = STRV_INIT;
	const json_t *names = js_get_array(deploy->resumed, "locks");

	if (json_array_size(names) == 0)
		return 0;
	state_release(&deploy->state);
	state_init_names(&deploy->state, deploy->sides.dialect, deploy_database(deploy), names);
	state_set_begun(&deploy->state, deploy->resumed);
	if (deploy_start(deploy, err) < 0 || read_locks(deploy, &locks, err) < 0 ||
	    push_takes(deploy, locks.rows, &takes, err) < 0)
		return -1;
	if (has_ended(deploy->resumed) && takes.n == 0)
		return 0;
	if (lives_here(deploy, deploy->resumed))
		return still_running(deploy->resumed, err);
	if (end_processes(deploy, err) < 0 || take(deploy, &takes, is_resumed, err) < 0)
		return -1;
	if (is_published(deploy->resumed)) {
		deploy->result.production_changed = true;
		deploy->result.outcome = DEPLOY_PUBLISHED;
	}
	return 0;
}

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

static int cannot_resume(const struct deploy *deploy, struct err *err)
{
	const char *why = js_get_string(deploy->resumed, "message");

	if (rebuilds(deploy->resumed)) {
		err_set(err, ERR_NOT_RESUMABLE,
			"deployment '%s' has ended (%s) while it rebuilt production%s%s",
			deploy->id, js_get_string(deploy->resumed, "outcome"), why ? ": " : "",
			why ? why : "");
		return err_hint(err,
				"deploy again, or 'airlock rollback %s' puts back what was there "
				"before",
				deploy->id);
	}
	err_set(err, ERR_NOT_RESUMABLE, "deployment '%s' has ended (%s), production unchanged%s%s",
		deploy->id, js_get_string(deploy->resumed, "outcome"), why ? ": " : "",
		why ? why : "");
	return err_hint(err, "deploy again");
}

/* What was published only lacks its end. */
static int end_published(struct deploy *deploy)
{
	bool was_ended = has_ended(deploy->resumed);

	deploy->result.production_changed = true;
	deploy->result.outcome = DEPLOY_PUBLISHED;
	leave(deploy);
	say(deploy, was_ended ? "was published, and its end is recorded: nothing is left to do"
			      : "had published; its end is recorded now, and its lock released");
	return 0;
}

/* A deploy of its own, with the options of the record. */
static struct deploy *open_again(struct deploy *deploy, struct err *err)
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
	if (record_read_options(js_get_object(deploy->resumed, "options"), config, err) < 0 ||
	    (directory && config_set_argument(config, option_row(OPTION_PROJECT_DIR), false,
					      directory, err) < 0) ||
	    cmdline_sort(all, n + own, &deploy->again_cmdline, err) < 0)
		return NULL;
	if (strategy && strcmp(strategy, strategy_rollback.name) == 0)
		strategy = deploy->strategy->name;
	config->strategy = mem_strdup(strategy);
	config->deployment = mem_strdup(name ? name : "");
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

	if (of ? deploy_rollback_prepare(again, of, err) < 0
	       : deploy_routes(again, &routes, err) < 0 || deploy_check(again, err) < 0)
		return -1;
	again->result.routes = &again->routes;
	return check_locks(again, err);
}

static int go_on(struct deploy *again, struct err *err)
{
	if (has_ended(again->resumed) && !is_published(again->resumed))
		return cannot_resume(again, err);
	if (is_published(again->resumed))
		return end_published(again);
	state_release(&again->state);
	deploy_init_state(again);
	if (again->rolled_back)
		return deploy_rollback_phases(again, err);
	return deploy_phases(again, err);
}

static int resume_again(struct deploy *deploy, int64_t began,
			const struct deploy_result **ret_result, struct err *err)
{
	struct deploy *again = open_again(deploy, err);
	int result;

	if (!again)
		return -1;
	deploy->again = again;
	*ret_result = &again->result;
	hand_over(deploy, again);
	result = prepare(again, err);
	if (result == 0)
		result = settle(again, true, err);
	if (result == 0)
		result = go_on(again, err);
	result = deploy_end(again, began, result, err);
	again->result.dbt_starts += deploy->sides.runner->starts;
	return result;
}

/* Released only by who holds it: what has ended may have left its lock behind. */
static int settle_ended(struct deploy *deploy, struct err *err)
{
	struct err ignored CLEANUP(err_release) = ERR_INIT;

	if (settle(deploy, false, &ignored) == 0)
		return 0;
	if (ignored.code == ERR_LOCKED)
		return err_set(err, ERR_LOCKED, "%s", ignored.message);
	return 0;
}

int deploy_resume(struct deploy *deploy, const char *id, const struct deploy_result **ret_result,
		  struct err *err)
{
	int64_t began = host_monotonic_ms();
	int result = read_record(deploy, id, err);

	*ret_result = &deploy->result;
	if (result == 0 && !has_ended(deploy->resumed) && !is_published(deploy->resumed))
		return resume_again(deploy, began, ret_result, err);
	if (result == 0)
		result = has_ended(deploy->resumed) ? settle_ended(deploy, err)
						    : settle(deploy, true, err);
	if (result == 0 && !is_published(deploy->resumed)) {
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

/* Some of it may be new: the end is recorded, and the way back is a rollback. */
static int cannot_abort_rebuild(struct deploy *deploy, struct err *err)
{
	deploy->result.production_changed = true;
	deploy->result.outcome = DEPLOY_FAILED;
	leave(deploy);
	err_set(err, ERR_ALREADY_PUBLISHED,
		"deployment '%s' had begun to rebuild production: it is ended, and some of "
		"production "
		"may be new",
		deploy->id);
	return err_hint(err, "'airlock rollback %s' puts back what was there before", deploy->id);
}

static int abort_settled(struct deploy *deploy, struct err *err)
{
	bool was_ended = has_ended(deploy->resumed);

	if (is_published(deploy->resumed))
		return cannot_abort(deploy, err);
	if (rebuilds(deploy->resumed))
		return cannot_abort_rebuild(deploy, err);
	deploy->result.outcome = DEPLOY_ABORTED;
	leave(deploy);
	say(deploy, was_ended ? "had ended already; production was not changed by it"
			      : "is aborted; production was not changed by it");
	return 0;
}

int deploy_abort(struct deploy *deploy, const char *id, const struct deploy_result **ret_result,
		 struct err *err)
{
	int64_t began = host_monotonic_ms();
	int result = read_record(deploy, id, err);

	*ret_result = &deploy->result;
	if (result == 0)
		result = has_ended(deploy->resumed) ? settle_ended(deploy, err)
						    : settle(deploy, false, err);
	if (result == 0)
		result = abort_settled(deploy, err);
	return deploy_end(deploy, began, result, err);
}
