/*
 * From the start of a run to its lock, and the way out: who we are, the journal, the lock tables,
 * the end that is recorded.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "airlock/base/env.h"
#include "airlock/base/host.h"
#include "airlock/deploy/observe.h"
#include "airlock/deploy/record.h"
#include "airlock/format/json.h"
#include "deploy_parts.h"

/* Binds stand inside quotes in the statements: what else a user or host name may hold is "_". */
static const char *plain_value(struct deploy *deploy, char *owned)
{
	for (char *p = owned; *p; p++)
		if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:-",
			    *p))
			*p = '_';
	char *value = arena_strdup(&deploy->arena, owned);

	free(owned);
	return value;
}

static void identify(struct deploy *deploy)
{
	char now[HOST_TIME_SIZE];
	char random[7];
	char nonce[33];
	size_t n = 0;

	host_time_utc(now);
	host_random_hex(random, 3);
	host_random_hex(nonce, 16);
	for (const char *p = now; *p && *p != '.'; p++)
		if (*p >= '0' && *p <= '9')
			deploy->id[n++] = *p;
	snprintf(deploy->id + n, sizeof(deploy->id) - n, "_%s", random);
	const struct sql_binding bindings[DEPLOY_BIND_COUNT] = {
		[DEPLOY_BIND_ID] = { "id", deploy->id },
		{ "name", plain_value(deploy, mem_strdup(deploy->strategy->name)) },
		{ "user", plain_value(deploy, host_user()) },
		{ "host", plain_value(deploy, host_name()) },
		{ "boot", plain_value(deploy, host_boot_id()) },
		{ "pid", plain_value(deploy, mem_printf("%lld", (long long)getpid())) },
		{ "start",
		  plain_value(deploy, mem_printf("%llu", (unsigned long long)host_process_start(
								 getpid()))) },
		{ "since", plain_value(deploy, mem_strdup(now)) },
		{ "phase", "begin" },
		[DEPLOY_BIND_NONCE] = { "nonce", plain_value(deploy, mem_strdup(nonce)) },
	};

	memcpy(deploy->bindings, bindings, sizeof(bindings));
	memcpy(deploy->result.id, deploy->id, sizeof(deploy->result.id));
}

const char *deploy_bound(const struct deploy *deploy, const char *name)
{
	for (size_t i = 0; i < DEPLOY_BIND_COUNT; i++)
		if (strcmp(deploy->bindings[i].name, name) == 0)
			return deploy->bindings[i].value;
	return "";
}

static int project_locked(const char *holder_file, struct err *err)
{
	struct err ignored CLEANUP(err_release) = ERR_INIT;
	json_t *holder CLEANUP(js_free) = js_read_file(holder_file, 65536, ERR_FILE, &ignored);
	const char *id = js_get_string(holder, "id");

	if (!id)
		return err_set(err, ERR_LOCKED, "another deployment of this project is running");
	return err_set(err, ERR_LOCKED,
		       "this project is held by deployment '%s' of %s on %s, process %s, since %s",
		       id, js_get_string(holder, "user"), js_get_string(holder, "host"),
		       js_get_string(holder, "pid"), js_get_string(holder, "since"));
}

static int write_holder(const struct deploy *deploy, const char *holder_file, struct err *err)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	json_t *holder CLEANUP(js_free) =
		json_pack("{s:s, s:s, s:s, s:s, s:s}", "id", deploy->id, "user",
			  deploy_bound(deploy, "user"), "host", deploy_bound(deploy, "host"), "pid",
			  deploy_bound(deploy, "pid"), "since", deploy_bound(deploy, "since"));

	js_write_pretty(holder, &text);
	return fs_write_atomic(holder_file, text.data, text.len, 0644, err);
}

/* Where one process at a time can open the database, a lock inside it could only be seen by
 * disturbing its holder: the project file decides, and nobody who waits opens the database. */
static int lock_project(struct deploy *deploy, struct err *err)
{
	char *holder_file CLEANUP(mem_free_string) = fs_join(deploy->sides.home, "holder.json");
	int held;

	if (!deploy->sides.dialect->one_writer)
		return 0;
	held = fs_lock_try(deploy->sides.project.file, &deploy->project_lock, err);
	if (held > 0)
		return project_locked(holder_file, err);
	return held < 0 ? -1 : write_holder(deploy, holder_file, err);
}

int deploy_start(struct deploy *deploy, struct err *err)
{
	char *directory CLEANUP(mem_free_string) = fs_join(deploy->sides.home, "deployments");
	json_t *who CLEANUP(js_free) = NULL;

	identify(deploy);
	if (lock_project(deploy, err) < 0 ||
	    journal_open(directory, deploy->id, &deploy->journal, err) < 0)
		return -1;
	deploy->commit =
		record_commit(deploy->sides.project.directory, deploy->request.environment);
	state_init(&deploy->state, deploy->sides.dialect, deploy_database(deploy), &deploy->routes);
	deploy->executor = (struct executor) {
		.journal = &deploy->journal,
		.reporter = deploy->request.reporter,
		.connection = &deploy->sides.connection,
		.dialect = deploy->sides.dialect,
		.bindings = deploy->bindings,
		.binding_count = DEPLOY_BIND_COUNT,
		.fault = env_get(deploy->request.environment, "AIRLOCK_FAULT"),
		.build_timeout_ms =
			config_number(deploy->request.config, OPTION_BUILD_TIMEOUT) * 1000,
	};
	who = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s?, s:s, s:s}", "id", deploy->id, "version",
			AIRLOCK_VERSION, "strategy", deploy->strategy->name, "from",
			deploy->sides.from, "user", deploy_bound(deploy, "user"), "to",
			deploy->sides.to, "host", deploy_bound(deploy, "host"), "pid",
			deploy_bound(deploy, "pid"));
	return journal_write(&deploy->journal, "deployment", NULL, who, err);
}

static bool is_ours(const struct deploy *deploy, const struct state_lock *lock)
{
	return strcmp(lock->nonce, deploy_bound(deploy, "nonce")) == 0;
}

/* Reads the locks back; those of dead holders are taken over and read once more. */
static int check_locks(struct deploy *deploy, json_t *const *rows, bool may_take, bool *ret_again,
		       struct err *err)
{
	*ret_again = false;
	for (size_t i = 0; i < deploy->state.staging_count; i++) {
		struct state_lock lock;

		if (state_read_lock(&deploy->state, i, rows[i], &lock, err) < 0)
			return -1;
		if (is_ours(deploy, &lock))
			continue;
		if (!may_take || !deploy_holder_is_dead(deploy, &lock))
			return state_locked_error(&lock, err);
		if (deploy_take_over(deploy, &lock, err) < 0)
			return -1;
		*ret_again = true;
	}
	return 0;
}

static int read_locks_again(struct deploy *deploy, struct err *err)
{
	struct strv queries CLEANUP(strv_release) = STRV_INIT;
	struct ops ops CLEANUP(ops_release) = OPS_INIT;
	struct ops_reply reply CLEANUP(ops_reply_release) = { 0 };
	bool again;

	if (state_push_read(&deploy->state, &queries, err) < 0 ||
	    executor_add_statements(&deploy->executor, &queries, true, &ops, err) < 0 ||
	    executor_run_ops(&deploy->executor, &ops, false, &reply, err) < 0)
		return -1;
	return check_locks(deploy, reply.rows, false, &again, err);
}

/* What the history says from the moment of the lock on: enough to do the same again elsewhere, and
 * to tell whether this process still lives. */
static void set_begun(struct deploy *deploy)
{
	json_t *detail CLEANUP(js_free) = deploy_who(deploy);

	json_object_set_new(detail, "options", record_options(deploy->request.config));
	json_object_set_new(detail, "dbt", record_dbt_options(deploy->request.cmdline));
	json_object_set_new(detail, "locks", state_lock_names(&deploy->state));
	json_object_set_new(detail, "boot", json_string(deploy_bound(deploy, "boot")));
	json_object_set_new(detail, "pid", json_string(deploy_bound(deploy, "pid")));
	json_object_set_new(detail, "start", json_string(deploy_bound(deploy, "start")));
	state_set_begun(&deploy->state, detail);
}

/* Takes the lock and looks at the warehouse, in one operation. */
static int lock_and_observe(struct deploy *deploy, struct err *err)
{
	struct strv begin CLEANUP(strv_release) = STRV_INIT;
	struct strv reads CLEANUP(strv_release) = STRV_INIT;
	struct strv queries CLEANUP(strv_release) = STRV_INIT;
	struct ops ops CLEANUP(ops_release) = OPS_INIT;
	struct ops_reply reply CLEANUP(ops_reply_release) = { 0 };
	size_t locks = deploy->state.staging_count;
	bool again;

	set_begun(deploy);
	if (state_push_begin(&deploy->state, &begin, err) < 0 ||
	    state_push_read(&deploy->state, &reads, err) < 0 ||
	    observe_push_queries(&deploy->routes, NULL, OBSERVE_NO_ROWS, &queries, err) < 0 ||
	    executor_show(&deploy->executor, "lock", &begin, err) < 0 ||
	    executor_show(&deploy->executor, "lock", &reads, err) < 0 ||
	    executor_add_statements(&deploy->executor, &begin, false, &ops, err) < 0 ||
	    executor_add_statements(&deploy->executor, &reads, true, &ops, err) < 0 ||
	    executor_add_statements(&deploy->executor, &queries, true, &ops, err) < 0)
		return -1;
	deploy->holds_lock = true;
	if (executor_run_ops(&deploy->executor, &ops, false, &reply, err) < 0) {
		/* A statement failed before the first that takes a lock. */
		if (err->code == ERR_LOCKED ||
		    (err->code == ERR_WAREHOUSE && reply.calls_done < begin.n - locks))
			deploy->holds_lock = false;
		return -1;
	}
	if (check_locks(deploy, reply.rows + begin.n, true, &again, err) < 0 ||
	    (again && read_locks_again(deploy, err) < 0))
		return -1;
	deploy->locked = true;
	json_t *picture CLEANUP(js_free) = observe_collect(reply.rows + begin.n + locks,
							   reply.n - begin.n - locks, false, err);

	return deploy_picture(picture, &deploy->observed, err);
}

int deploy_lock(struct deploy *deploy, struct err *err)
{
	/* The step is part of a plan that needs its answer: shown from a plan of its own. */
	const struct step step = { .id = "lock",
				   .phase = "observe",
				   .kind = STEP_OPERATION,
				   .reason = "one deployment at a time writes this staging" };

	if (executor_begin(&deploy->executor, &step, err) < 0)
		return -1;
	return executor_end(&deploy->executor, &step, lock_and_observe(deploy, err), err);
}

json_t *deploy_who(const struct deploy *deploy)
{
	const struct config *config = deploy->request.config;

	json_t *who = record_who(&(struct record_who) {
		.strategy = deploy->strategy->name,
		.name = config->deployment ? config->deployment : "",
		.from = deploy->sides.from,
		.to = deploy->sides.to,
		.user = deploy_bound(deploy, "user"),
		.host = deploy_bound(deploy, "host"),
		.started_at = deploy_bound(deploy, "since"),
		.commit = deploy->commit,
	});

	if (deploy->rolled_back)
		json_object_set(who, "of", json_object_get(deploy->rolled_back, "id"));
	return who;
}

static int push_end(struct deploy *deploy, const struct err *failure, struct strv *statements,
		    struct err *err)
{
	json_t *detail CLEANUP(js_free) = deploy_who(deploy);
	bool published = deploy->result.production_changed;

	record_end(detail, deploy_outcome_name(deploy->result.outcome), deploy->result.audit,
		   failure);
	/* Nothing is written when the lock is no longer, or not yet, ours. */
	return state_push_log_held(&deploy->state, published ? STATE_FINISHED : STATE_ABORTED,
				   detail, statements, err);
}

/* Whatever stopped the deployment: its end is recorded and its lock released. `failure` is NULL
 * when nothing did. */
void deploy_leave(struct deploy *deploy, const struct err *failure)
{
	struct strv statements CLEANUP(strv_release) = STRV_INIT;
	struct ops ops CLEANUP(ops_release) = OPS_INIT;
	struct ops_reply reply CLEANUP(ops_reply_release) = { 0 };
	struct err ignored CLEANUP(err_release) = ERR_INIT;

	if (!deploy->holds_lock)
		return;
	/* The lock last: who stops between the two is settled by whoever takes it over. */
	if (push_end(deploy, failure, &statements, &ignored) < 0 ||
	    state_push_release(&deploy->state, &statements, &ignored) < 0 ||
	    executor_add_statements(&deploy->executor, &statements, false, &ops, &ignored) < 0 ||
	    executor_run_ops(&deploy->executor, &ops, true, &reply, &ignored) < 0)
		deploy->request.reporter->warning(
			deploy->request.reporter,
			"the lock could not be released; the next deployment takes it over");
}
