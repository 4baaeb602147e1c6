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

enum { MOST_PASSES = 20 };

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

static const char *name_of(const struct deploy *deploy)
{
	const char *name = deploy->request.config->deployment;

	return name && *name ? name : deploy->strategy->name;
}

void deploy_identify(struct deploy *deploy)
{
	char now[HOST_TIME_SIZE];
	char random[7];
	char nonce[33];
	size_t n = 0;

	host_time_utc(now);
	host_random_hex(random, 3);
	host_random_hex(nonce, 16);
	/* One that is resumed has its id. */
	if (!*deploy->id) {
		for (const char *p = now; *p && *p != '.'; p++)
			if (*p >= '0' && *p <= '9')
				deploy->id[n++] = *p;
		snprintf(deploy->id + n, sizeof(deploy->id) - n, "_%s", random);
	}
	const struct sql_binding bindings[DEPLOY_BIND_COUNT] = {
		[DEPLOY_BIND_ID] = { "id", deploy->id },
		{ "name", plain_value(deploy, mem_strdup(name_of(deploy))) },
		{ "user", plain_value(deploy, host_user()) },
		{ "host", plain_value(deploy, host_name()) },
		{ "boot", plain_value(deploy, host_pid_space()) },
		{ "pid", plain_value(deploy, mem_printf("%lld", (long long)getpid())) },
		{ "start",
		  plain_value(deploy, mem_printf("%llu", (unsigned long long)host_process_start(
								 getpid()))) },
		{ "since", plain_value(deploy, mem_strdup(now)) },
		{ "phase", deploy->request.ask || deploy->rolled_back ? "begin" : "build" },
		[DEPLOY_BIND_NONCE] = { "nonce", plain_value(deploy, mem_strdup(nonce)) },
		{ "lease", plain_value(deploy, mem_strdup(config_text(deploy->request.config,
								      OPTION_LEASE))) },
	};

	if (deploy->sides.dialect && deploy->sides.dialect->labels_jobs)
		deploy->sides.connection.job_label =
			arena_printf(&deploy->arena, "{\"airlock\": \"%s\"}", deploy->id);
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

static int project_locked(const struct deploy *deploy, const char *holder_file, struct err *err)
{
	struct err ignored CLEANUP(err_release) = ERR_INIT;
	json_t *holder CLEANUP(js_free) = js_read_file(holder_file, 65536, ERR_FILE, &ignored);
	struct state_lock lock;

	state_lock_of(holder, &lock);
	if (!*lock.id)
		return err_set(err, ERR_LOCKED, "another deployment of this project is running");
	if (deploy->unlocks)
		return deploy_refuse_running(&lock, err);
	char *words CLEANUP(mem_free_string) = state_holder(&lock);

	return err_set(err, ERR_LOCKED, "this project is held by %s", words);
}

/* Where one process at a time can open the database, a lock inside it could only be seen by
 * disturbing its holder: the project file decides, and nobody who waits opens the database. */
int deploy_lock_project(struct deploy *deploy, struct err *err)
{
	char *holder_file CLEANUP(mem_free_string) = fs_join(deploy->sides.home, "holder.json");
	struct deploy_wait wait CLEANUP(deploy_wait_release);
	int held;

	deploy_wait_init(deploy, &wait);
	wait.backoff.next_ms = 100;
	wait.backoff.longest_ms = 1000;
	if (!deploy->sides.dialect->one_writer || deploy->project_lock.fd >= 0)
		return 0;
	for (;;) {
		held = fs_lock_try(deploy->sides.project.file, &deploy->project_lock, err);
		if (held == 0)
			return 0;
		if (held < 0)
			return -1;
		project_locked(deploy, holder_file, err);
		if (!deploy_wait(deploy, &wait, err))
			return -1;
	}
}

static int begin_journal(struct deploy *deploy, struct err *err)
{
	char *directory CLEANUP(mem_free_string) = fs_join(deploy->sides.home, "deployments");
	json_t *who CLEANUP(js_free) = json_pack(
		"{s:i, s:s, s:s, s:s, s:s, s:s, s:s?, s:s, s:s, s:s}", "journal", JOURNAL_VERSION,
		"id", deploy->id, "version", AIRLOCK_VERSION, "strategy", deploy->strategy->name,
		"from", deploy->sides.from, "user", deploy_bound(deploy, "user"), "to",
		deploy->sides.to, "host", deploy_bound(deploy, "host"), "boot",
		deploy_bound(deploy, "boot"), "pid", deploy_bound(deploy, "pid"));

	if (journal_open(directory, deploy->id, &deploy->journal, err) < 0)
		return -1;
	return journal_write(&deploy->journal, "deployment", NULL, who, err);
}

void deploy_init_state(struct deploy *deploy)
{
	state_init(&deploy->state, deploy->sides.dialect, deploy_database(deploy), &deploy->routes);
	if (deploy_holds_production(deploy))
		state_hold_production(&deploy->state);
}

int deploy_start(struct deploy *deploy, struct err *err)
{
	/* Of one that is resumed it was done. */
	if (deploy->executor.journal)
		return 0;
	deploy_identify(deploy);
	if (deploy_lock_project(deploy, err) < 0 || deploy_write_holder(deploy, "begin", err) < 0)
		return -1;
	deploy->commit =
		record_commit(deploy->sides.project.directory, deploy->request.environment);
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
		.lanes = (size_t)config_number(deploy->request.config, OPTION_LANES),
	};
	return begin_journal(deploy, err);
}

static bool is_ours(const struct deploy *deploy, const struct state_lock *lock)
{
	return strcmp(lock->nonce, deploy_bound(deploy, "nonce")) == 0;
}

/*
 * Reads the locks back and takes over those of dead holders. Each is taken behind the one before
 * it: what became free only now, or is behind a dead one, has to be asked for again.
 */
static int check_locks(struct deploy *deploy, json_t *const *rows, bool *ret_again, struct err *err)
{
	*ret_again = false;
	deploy->holds_lock = false;
	for (size_t i = 0; i < deploy->state.held_count; i++) {
		struct state_lock lock;

		if (state_read_lock(&deploy->state, i, rows[i], &lock, err) < 0)
			return -1;
		if (is_ours(deploy, &lock)) {
			deploy->holds_lock = true;
			continue;
		}
		*ret_again = true;
		if (!*lock.nonce)
			continue;
		if (!lock.expired && !deploy_holder_is_dead(deploy, &lock))
			return state_locked_error(&lock, err);
		deploy->holds_lock = true;
		if (deploy_take_over(deploy, &lock, err) < 0)
			return -1;
	}
	return 0;
}

/* What the history says from the moment of the lock on: enough to do the same again elsewhere, and
 * to tell whether this process still lives. */
static void set_begun(struct deploy *deploy)
{
	json_t *detail CLEANUP(js_free) = deploy_who(deploy);

	json_object_set_new(detail, "options", record_options(deploy->request.config));
	json_object_set_new(detail, "environment",
			    record_environment(deploy->request.config, deploy->id));
	record_dbt_options(deploy->request.cmdline, deploy->request.environment, deploy->id,
			   detail);
	json_object_set_new(detail, "locks", state_lock_names(&deploy->state));
	json_object_set_new(detail, "boot", json_string(deploy_bound(deploy, "boot")));
	json_object_set_new(detail, "pid", json_string(deploy_bound(deploy, "pid")));
	json_object_set_new(detail, "start", json_string(deploy_bound(deploy, "start")));
	json_object_set_new(detail, "builds_nothing", json_boolean(deploy->request.builds_nothing));
	state_set_begun(&deploy->state, detail);
}

/*
 * Takes the lock and looks at the warehouse, in one operation. Who did not get the lock looks at
 * nothing: the text of a view locks what it reads, and so does the holder's build, in an order of
 * its own.
 */
static int lock_and_observe(struct deploy *deploy, bool *ret_again, struct err *err)
{
	struct strv begin CLEANUP(strv_release) = STRV_INIT;
	struct strv reads CLEANUP(strv_release) = STRV_INIT;
	struct strv queries CLEANUP(strv_release) = STRV_INIT;
	struct ops ops CLEANUP(ops_release) = OPS_INIT;
	struct ops_reply reply CLEANUP(ops_reply_release) = { 0 };
	size_t locks = deploy->state.held_count;
	bool asks = deploy_asks_orphans(deploy);
	bool had_some = deploy->holds_lock; /* taken over from who is dead */
	size_t picture_at;
	int ran;

	if (state_push_begin(&deploy->state, &begin, err) < 0 ||
	    state_push_read(&deploy->state, &reads, err) < 0 ||
	    state_push_held(&deploy->state, &reads, err) < 0 ||
	    observe_push_queries(&deploy->routes, NULL, OBSERVE_NO_ROWS, &queries, err) < 0 ||
	    (asks && deploy_push_published(deploy, &deploy->state, &queries, err) < 0) ||
	    executor_add_statements(&deploy->executor, &begin, false, &ops, err) < 0 ||
	    executor_add_statements(&deploy->executor, &reads, true, &ops, err) < 0)
		return -1;
	picture_at = ops.n;
	if (executor_add_statements(&deploy->executor, &queries, true, &ops, err) < 0)
		return -1;
	ops_guard_from(&ops, picture_at);
	deploy->holds_lock = true;
	ran = executor_run_ops(&deploy->executor, &ops, false, &reply, err);
	deploy_compile_collect(deploy);
	if (ran < 0) {
		/* A statement failed before the first that takes a lock; behind those is what
		 * records the beginning. */
		if (executor_sent_nothing(&deploy->executor, &reply, err) ||
		    (err->code == ERR_WAREHOUSE && reply.calls_done < begin.n - locks - 1))
			deploy->holds_lock = had_some;
		return -1;
	}
	if (check_locks(deploy, reply.rows + begin.n, ret_again, err) < 0)
		return -1;
	if (*ret_again)
		return 0;
	deploy->locked = true;
	json_t *picture CLEANUP(js_free) =
		observe_collect(reply.rows + picture_at, queries.n - asks, false, err);

	if (deploy_picture(deploy, picture, &deploy->observed, err) < 0)
		return -1;
	return asks ? deploy_find_orphans(deploy, reply.rows[reply.n - 1], err) : 0;
}

static int show_lock(struct deploy *deploy, struct err *err)
{
	struct strv statements CLEANUP(strv_release) = STRV_INIT;

	if (state_push_begin(&deploy->state, &statements, err) < 0 ||
	    state_push_read(&deploy->state, &statements, err) < 0 ||
	    state_push_held(&deploy->state, &statements, err) < 0)
		return -1;
	return executor_show(&deploy->executor, "lock", &statements, err);
}

/* Who waits holds nothing. */
static int give_back(struct deploy *deploy, struct err *err)
{
	struct strv statements CLEANUP(strv_release) = STRV_INIT;
	struct ops ops CLEANUP(ops_release) = OPS_INIT;
	struct ops_reply reply CLEANUP(ops_reply_release) = { 0 };

	if (!deploy->holds_lock)
		return 0;
	if (state_push_release(&deploy->state, &statements, err) < 0 ||
	    executor_add_statements(&deploy->executor, &statements, false, &ops, err) < 0 ||
	    executor_run_ops(&deploy->executor, &ops, false, &reply, err) < 0)
		return -1;
	deploy->holds_lock = false;
	return 0;
}

static int wait_for_lock(struct deploy *deploy, struct deploy_wait *wait, struct err *err)
{
	struct err failure CLEANUP(err_release) = ERR_INIT;

	if (give_back(deploy, &failure) < 0) {
		err_release(err);
		*err = failure;
		failure = (struct err)ERR_INIT;
		return -1;
	}
	return deploy_wait(deploy, wait, err) ? 0 : -1;
}

static int lock_when_free(struct deploy *deploy, struct err *err)
{
	struct deploy_wait wait CLEANUP(deploy_wait_release);
	bool again = true;

	deploy_wait_init(deploy, &wait);
	set_begun(deploy);
	/* It is waited for here, like any other lock. */
	deploy->executor.open_wait_ms = 0;
	if (show_lock(deploy, err) < 0)
		return -1;
	for (unsigned passes = 0; again; passes++) {
		if (lock_and_observe(deploy, &again, err) == 0) {
			if (again && passes > MOST_PASSES)
				return err_set(err, ERR_NO_ANSWER,
					       "the lock is free and cannot be taken");
			continue;
		}
		if (err->code != ERR_LOCKED || wait_for_lock(deploy, &wait, err) < 0)
			return -1;
		again = true;
		passes = 0;
	}
	deploy->executor.open_wait_ms =
		config_number(deploy->request.config, OPTION_LOCK_TIMEOUT) * 1000;
	return 0;
}

int deploy_lock(struct deploy *deploy, struct err *err)
{
	if (deploy->state.n == 0)
		deploy_init_state(deploy);
	/* The step is part of a plan that needs its answer: shown from a plan of its own. */
	const struct step step = { .id = "lock",
				   .phase = "observe",
				   .kind = STEP_OPERATION,
				   .reason = state_lock_reason(&deploy->state) };

	if (executor_begin(&deploy->executor, &step, err) < 0)
		return -1;
	return executor_end(&deploy->executor, &step, lock_when_free(deploy, err), err);
}

json_t *deploy_who(const struct deploy *deploy)
{
	const struct config *config = deploy->request.config;

	json_t *who = record_who(&(struct record_who) {
		.project = deploy->sides.project.name,
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
	if (deploy->rolled_back && deploy->aborts)
		json_object_set_new(who, "aborts", json_true());
	return who;
}

static int push_end(struct deploy *deploy, const struct err *failure, struct strv *statements,
		    struct err *err)
{
	json_t *detail CLEANUP(js_free) = deploy_who(deploy);
	bool published = deploy->result.production_changed;

	record_end(detail, deploy_outcome_name(deploy->result.outcome), deploy->result.audit,
		   failure);
	if (deploy->hooks)
		json_object_set(detail, "hooks", deploy->hooks);
	if (deploy->rebuilt)
		json_object_set(detail, "rebuilt", deploy->rebuilt);
	deploy_add_figures(deploy, 1, detail);
	if (!published)
		deploy_add_rest(deploy, detail);
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
