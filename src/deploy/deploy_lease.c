/*
 * What the lock says of its holder while it is held: the phase, and until when it is to be left
 * alone. While dbt builds, and while tables change one at a time, a second session renews the
 * lease, where the warehouse allows one.
 */
#include <stdlib.h>
#include <string.h>

#include "airlock/base/fs.h"
#include "airlock/base/proc.h"
#include "airlock/format/json.h"
#include "deploy_parts.h"

enum { RENEWALS_PER_LEASE = 3, LONGEST_RENEWAL_MS = 30000 };

int deploy_write_holder(const struct deploy *deploy, const char *phase, struct err *err)
{
	char *file CLEANUP(mem_free_string) = fs_join(deploy->sides.home, "holder.json");
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	json_t *holder CLEANUP(js_free) = NULL;

	if (!deploy->sides.dialect->one_writer)
		return 0;
	holder = json_pack("{s:s, s:s, s:s, s:s, s:I, s:s, s:s}", "id", deploy->id, "name",
			   deploy_bound(deploy, "name"), "user", deploy_bound(deploy, "user"),
			   "host", deploy_bound(deploy, "host"), "pid",
			   (json_int_t)strtoll(deploy_bound(deploy, "pid"), NULL, 10), "since",
			   deploy_bound(deploy, "since"), "phase", phase);
	js_write_pretty(holder, &text);
	return fs_write_atomic(file, text.data, text.len, 0644, err);
}

int deploy_add_phase(struct deploy *deploy, const char *phase, struct ops *ops, struct err *err)
{
	struct strv statements CLEANUP(strv_release) = STRV_INIT;

	if (deploy_write_holder(deploy, phase, err) < 0 ||
	    state_push_phase(&deploy->state, phase, &statements, err) < 0)
		return -1;
	return executor_add_statements(&deploy->executor, &statements, false, ops, err);
}

/* A renewal that fails for another reason than a lost lock is made up for by the next one; what
 * counts in the end is the fence. */
static int renew(struct deploy *deploy, const char *phase, struct err *err)
{
	struct reporter *reporter = deploy->request.reporter;
	struct ops ops CLEANUP(ops_release) = OPS_INIT;
	struct ops_reply reply CLEANUP(ops_reply_release) = { 0 };
	struct err failure CLEANUP(err_release) = ERR_INIT;

	if (deploy_add_phase(deploy, phase, &ops, &failure) == 0 &&
	    executor_try_ops(&deploy->executor, &ops, LONGEST_RENEWAL_MS, &reply, &failure) == 0)
		return 0;
	deploy_name_raised(&failure, "the deployment was stopped");
	if (failure.code == ERR_LOCK_LOST) {
		*err = failure;
		failure = (struct err)ERR_INIT;
		return -1;
	}
	char *text CLEANUP(mem_free_string) =
		mem_printf("the lease of the lock could not be renewed: %s", failure.message);

	reporter->warning(reporter, text);
	return 0;
}

static int renew_build(void *context, struct err *err)
{
	return renew(context, "build", err);
}

/* One that is lost is met by the query in front of the next change; and behind the last one it was
 * given back. */
static void renew_publish(void *context)
{
	struct err lost CLEANUP(err_release) = ERR_INIT;

	renew(context, "publish", &lost);
}

static int64_t renewal_ms(const struct deploy *deploy)
{
	return config_number(deploy->request.config, OPTION_LEASE) * 1000 / RENEWALS_PER_LEASE;
}

int deploy_run_publish(struct deploy *deploy, const struct ops *ops, struct ops_reply *ret_reply,
		       struct err *err)
{
	struct executor *executor = &deploy->executor;
	const struct ops_connection *plain = executor->connection;
	struct ops_connection beating = *plain;
	int rc;

	if (executor->dialect->transaction == DIALECT_TRANSACTION_NONE) {
		beating.on_beat = renew_publish;
		beating.beat_context = deploy;
		beating.beat_ms = renewal_ms(deploy);
	}
	executor->connection = &beating;
	rc = executor_run_ops(executor, ops, true, ret_reply, err);
	executor->connection = plain;
	return rc;
}

int deploy_begin_build(struct deploy *deploy, struct err *err)
{
	struct executor *executor = &deploy->executor;
	struct ops ops CLEANUP(ops_release) = OPS_INIT;
	struct ops_reply reply CLEANUP(ops_reply_release) = { 0 };

	if (!deploy->sides.dialect->one_writer) {
		executor->beat = renew_build;
		executor->beat_context = deploy;
		executor->beat_ms = renewal_ms(deploy);
	}
	/* Who was asked may have taken a while to answer. Else the lock was taken a moment ago. */
	if (!deploy->request.ask)
		return deploy_write_holder(deploy, "build", err);
	if (deploy_add_phase(deploy, "build", &ops, err) < 0 ||
	    executor_run_ops(executor, &ops, false, &reply, err) < 0) {
		deploy_name_raised(err, "the deployment was stopped");
		return -1;
	}
	return 0;
}

/* Up to the name in brackets: phases and leases change, and are no news. */
static bool names_another(const char *said, const char *message)
{
	size_t len = strcspn(message, "(\n");

	return !said || strncmp(said, message, len) != 0;
}

void deploy_wait_init(const struct deploy *deploy, struct deploy_wait *wait)
{
	const struct config *config = deploy->request.config;
	int64_t limit = config_is(config, OPTION_IF_LOCKED, "wait") && !deploy->unlocks
				? config_number(config, OPTION_LOCK_TIMEOUT) * 1000
				: 0;

	*wait = (struct deploy_wait) { .said = NULL };
	/* Each try costs a start of dbt, but for the project's own lock. */
	backoff_init(&wait->backoff, 500, 8000, limit);
}

void deploy_wait_release(struct deploy_wait *wait)
{
	mem_free_string(&wait->said);
}

bool deploy_wait(struct deploy *deploy, struct deploy_wait *wait, struct err *err)
{
	struct reporter *reporter = deploy->request.reporter;
	const struct config *config = deploy->request.config;

	if (backoff_has_time(&wait->backoff) && names_another(wait->said, err->message)) {
		char *text CLEANUP(mem_free_string) =
			mem_printf("waiting, at most %lld seconds: %.*s",
				   (long long)config_number(config, OPTION_LOCK_TIMEOUT),
				   (int)strcspn(err->message, "\n"), err->message);

		reporter->note(reporter, text);
		mem_free_string(&wait->said);
		wait->said = mem_strdup(err->message);
	}
	if (backoff_wait(&wait->backoff)) {
		err_release(err);
		return true;
	}
	if (proc_interrupted()) {
		char *message CLEANUP(mem_free_string) = mem_strdup(err->message);

		err_set(err, ERR_INTERRUPTED, "interrupted while waiting: %s", message);
		err->exit_status = 128 + proc_interrupted();
	}
	return false;
}
