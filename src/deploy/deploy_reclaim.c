/*
 * What a deployment that did not come to its end left: its record, its processes, its locks.
 *
 * The order is what makes it safe: whether its process still lives; then its dbt is ended; then
 * its locks are taken with a higher fence, which waits for a publish that the server is still
 * ending; only then its events are read again, and what they say is final.
 */
#include <stdlib.h>
#include <string.h>

#include "airlock/base/host.h"
#include "airlock/deploy/history.h"
#include "airlock/format/json.h"
#include "deploy_parts.h"

/* What is to be aborted may also be a rebuild that has ended on its way. */
static json_t *only_unfinished(json_t *deployments, bool aborts, struct err *err)
{
	struct buf names CLEANUP(buf_release) = BUF_INIT;
	json_t *found = NULL;
	size_t n = 0;

	for (size_t i = 0; i < json_array_size(deployments); i++) {
		json_t *deployment = json_array_get(deployments, i);

		if (history_has_ended(deployment))
			continue;
		found = deployment;
		buf_printf(&names, "%s'%s'", n++ ? ", " : "", js_get_string(deployment, "id"));
	}
	if (n == 1)
		return found;
	if (n == 0) {
		found = aborts ? history_find_half_done(deployments, NULL) : NULL;
		if (!found)
			err_set(err, ERR_DEPLOYMENT_UNKNOWN, "no deployment is unfinished");
		return found;
	}
	err_set(err, ERR_USAGE, "several deployments are unfinished: %s", buf_cstr(&names));
	err_hint(err, "name one of them behind the command");
	return NULL;
}

/* The rollback of an abort that died is that abort. */
static json_t *aborted_by(json_t *deployments, json_t *found)
{
	const char *of = js_get_string(found, "of");
	json_t *taken = of && !history_has_ended(found) ? history_find(deployments, of) : NULL;

	return taken && history_is_half_done(taken) ? taken : found;
}

static json_t *find_record(json_t *deployments, const char *id, bool aborts, struct err *err)
{
	json_t *found =
		id ? history_find(deployments, id) : only_unfinished(deployments, aborts, err);

	if (!found && id)
		err_set(err, ERR_DEPLOYMENT_UNKNOWN, "there is no deployment '%s'", id);
	return found && aborts ? aborted_by(deployments, found) : found;
}

static json_t *read_history(struct deploy *deploy, struct err *err)
{
	struct executor executor = { .reporter = deploy->request.reporter,
				     .dialect = deploy->sides.dialect };
	json_t *deployments;

	while (!(deployments = deploy_history(deploy, NULL, err)) &&
	       executor_ends_orphan(&executor, err->message))
		err_release(err);
	return deployments;
}

/* The history is read behind the lock of the project: to look disturbs a holder on DuckDB. */
int deploy_read_record(struct deploy *deploy, const char *id, struct err *err)
{
	if (deploy->request.cmdline->build.n > 0) {
		err_set(err, ERR_USAGE, "'%s' is for a build, and those are in the record",
			deploy->request.cmdline->build.v[0]);
		return err_hint(err, "leave it out");
	}
	if (sides_parse(&deploy->sides, err) < 0 || deploy_lock_project(deploy, err) < 0)
		return -1;
	json_t *deployments CLEANUP(js_free) = read_history(deploy, err);
	json_t *record = deployments ? find_record(deployments, id, deploy->aborts, err) : NULL;

	if (!record)
		return -1;
	id = js_get_string(record, "id");
	if (strlen(id) >= sizeof(deploy->id))
		return err_set(err, ERR_NO_ANSWER, "the history of '%s' is not whole", id);
	if (!history_has_ended(record) && json_array_size(js_get_array(record, "locks")) == 0) {
		err_set(err, ERR_NOT_RESUMABLE,
			"the history does not say how deployment '%s' began: it is of another "
			"version of airlock",
			id);
		return err_hint(err, "deploy again: that settles it");
	}
	deploy->machine_is_gone = config_bool(deploy->request.config, OPTION_FORCE);
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

/* For a deployment whose lock is gone: `unlock`, or a lock table that somebody dropped. */
static bool lives_here(const struct deploy *deploy, const json_t *record)
{
	const char *host = js_get_string(record, "host");
	const char *boot = js_get_string(record, "boot");
	const char *pid = js_get_string(record, "pid");
	const char *start = js_get_string(record, "start");

	return host && boot && pid && start && deploy_can_see(deploy, host, boot) &&
	       strcmp(pid, deploy_bound(deploy, "pid")) != 0 &&
	       host_process_is_alive((pid_t)strtoll(pid, NULL, 10), strtoull(start, NULL, 10));
}

static int read_locks(struct deploy *deploy, struct ops_reply *ret_reply, struct err *err)
{
	struct strv queries CLEANUP(strv_release) = STRV_INIT;

	if (state_push_read(&deploy->state, &queries, err) < 0)
		return -1;
	return executor_run_queries(&deploy->executor, &queries, ret_reply, err);
}

/* Of its own lock, which is taken if nobody can still be at work behind it. */
static int push_own(struct deploy *deploy, const struct state_lock *lock, struct strv *takes,
		    struct err *err)
{
	bool dead = deploy_holder_is_dead(deploy, lock);

	if (!dead && deploy->machine_is_gone) {
		if (deploy_holder_is_alive_here(deploy, lock))
			return deploy_refuse_running(lock, err);
		dead = true;
	}
	if (!dead && !lock->expired) {
		state_locked_error(lock, err);
		return err_hint(err, "wait until it has ended; if its machine is gone: the same "
				     "with --force");
	}
	if (dead && deploy_end_started(deploy, lock, err) < 0)
		return -1;
	return state_push_resume(&deploy->state, lock, dead, takes, err);
}

/* Statements that take what the deployment holds, and what nobody does. Of what others hold: the
 * error. Nothing is taken of one that has ended but what it still holds. */
static int push_takes(struct deploy *deploy, json_t *const *rows, struct strv *takes,
		      struct err *err)
{
	for (size_t i = 0; i < deploy->state.held_count; i++) {
		struct state_lock lock;
		bool ended = history_has_ended(deploy->resumed);

		if (state_read_lock(&deploy->state, i, rows[i], &lock, err) < 0)
			return -1;
		if (*lock.nonce && strcmp(lock.id, deploy->id) == 0) {
			if (push_own(deploy, &lock, takes, err) < 0)
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
		if (!history_has_ended(deploy->resumed) &&
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
int deploy_reclaim(struct deploy *deploy, bool is_resumed, struct err *err)
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
	if (history_has_ended(deploy->resumed) && takes.n == 0)
		return 0;
	if (lives_here(deploy, deploy->resumed))
		return still_running(deploy->resumed, err);
	if (deploy_end_recorded(deploy, deploy->id, err) < 0 ||
	    take(deploy, &takes, is_resumed, err) < 0)
		return -1;
	if (history_is_published(deploy->resumed)) {
		deploy->result.production_changed = true;
		deploy->result.outcome = DEPLOY_PUBLISHED;
	}
	return 0;
}
