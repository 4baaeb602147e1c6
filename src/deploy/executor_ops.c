/* Operations, and when one is run again. */
#include <stdlib.h>
#include <string.h>

#include "airlock/base/backoff.h"
#include "airlock/base/proc.h"
#include "airlock/deploy/executor.h"
#include "airlock/format/json.h"

enum {
	FIRST_WAIT_MS = 200,
	LONGEST_WAIT_MS = 4000,
	ORPHAN_GRACE_MS = 5000,
	WAIT_LIMIT_MS = 15000, /* for what passes by itself or not at all */
};

static bool holds_any(const char *message, const char *const *parts)
{
	for (size_t i = 0; message && parts[i]; i++)
		if (strstr(message, parts[i]))
			return true;
	return false;
}

bool executor_is_unreachable(const struct executor *executor, const char *message)
{
	return holds_any(message, executor->dialect->unreachable);
}

bool executor_sent_nothing(const struct executor *executor, const struct ops_reply *reply,
			   const struct err *err)
{
	return reply->calls_done == 0 && executor_is_unreachable(executor, err->message);
}

bool executor_is_transient(const struct executor *executor, const struct err *err)
{
	return err->code == ERR_WAREHOUSE && holds_any(err->message, executor->dialect->transient);
}

bool executor_is_undone(const struct executor *executor, const struct ops *ops,
			const struct ops_reply *reply, const struct err *err)
{
	return executor->dialect->transaction != DIALECT_TRANSACTION_NONE &&
	       reply->calls_done < ops->n && ops->calls[reply->calls_done].in_transaction &&
	       executor_is_transient(executor, err);
}

int executor_try_ops(struct executor *executor, const struct ops *ops, int64_t timeout_ms,
		     struct ops_reply *ret_reply, struct err *err)
{
	struct ops_connection connection = *executor->connection;

	connection.timeout_ms = timeout_ms;
	connection.on_beat = NULL;
	return ops_run(&connection, ops, executor->holds_signals, executor_started, executor,
		       ret_reply, err);
}

/* Operations on their way. */
struct running {
	struct executor *executor;
	const struct ops *ops;
	bool hold_signals;
	struct ops_reply *reply;
	bool sent_nothing; /* the last try did not open a session */
};

/* The calls that are not answered yet, behind what guards them; their answers take their places
 * among the others. */
static int run_rest(struct running *running, struct err *err)
{
	struct ops_reply *reply = running->reply;
	size_t done = ops_guard(running->ops, reply->calls_done);
	const struct ops rest = { .calls = running->ops->calls + done,
				  .n = running->ops->n - done };
	struct ops_reply part = { 0 };
	int rc;

	running->executor->holds_signals = running->hold_signals;
	rc = ops_run(running->executor->connection, &rest, running->hold_signals, executor_started,
		     running->executor, &part, err);
	running->executor->holds_signals = false;
	for (size_t i = 0; i < part.n; i++) {
		json_decref(reply->rows[done + i]);
		reply->rows[done + i] = part.rows[i];
		part.rows[i] = NULL;
	}
	running->sent_nothing = rc < 0 && executor_sent_nothing(running->executor, &part, err);
	reply->calls_done = done + part.calls_done;
	reply->finished = part.finished;
	ops_reply_release(&part);
	return rc;
}

/* "(PID n)" */
static pid_t process_in(const char *message)
{
	const char *at = message ? strstr(message, "(PID ") : NULL;

	return at ? (pid_t)strtol(at + strlen("(PID "), NULL, 10) : 0;
}

bool executor_ends_orphan(const struct executor *executor, const char *message)
{
	pid_t pid = process_in(message);

	if (!executor->dialect->one_writer || !executor_is_unreachable(executor, message) ||
	    !proc_end_orphan(pid, ORPHAN_GRACE_MS))
		return false;
	char *text CLEANUP(mem_free_string) = mem_printf(
		"process %lld had the database open, left by a deployment that died: it is ended",
		(long long)pid);

	executor->reporter->note(executor->reporter, text);
	return true;
}

static bool may_run_again(const struct running *running, const struct err *err)
{
	size_t failed = running->reply->calls_done;

	if (running->sent_nothing)
		return true;
	return failed < running->ops->n && !running->ops->calls[failed].in_transaction &&
	       executor_is_transient(running->executor, err);
}

void executor_begin_waiting(const struct executor *executor, bool hold_signals,
			    struct backoff *ret_backoff)
{
	int64_t limit = WAIT_LIMIT_MS;

	if (executor->dialect->one_writer && (!hold_signals || executor->open_wait_ms < limit))
		limit = executor->open_wait_ms;
	backoff_init(ret_backoff, FIRST_WAIT_MS, LONGEST_WAIT_MS, limit);
	ret_backoff->is_deaf = hold_signals;
}

int executor_record_wait(struct executor *executor, const struct backoff *backoff,
			 const char *message, struct err *err)
{
	json_t *fields CLEANUP(js_free) =
		json_pack("{s:i, s:s?}", "tries", (int)backoff->tries, "message", message);

	if (backoff->tries == 1) {
		char *text CLEANUP(mem_free_string) = mem_printf(
			"trying again for a while: %.*s", (int)strcspn(message, "\n"), message);

		executor->reporter->note(executor->reporter, text);
	}
	return journal_write(executor->journal, "retry", NULL, fields, err);
}

static int name_open(const struct running *running, struct err *err)
{
	char *message CLEANUP(mem_free_string) = mem_strdup(err->message);

	if (running->sent_nothing && running->executor->dialect->one_writer)
		return err_set(err, ERR_LOCKED, "another process has the database open: %s",
			       message);
	return -1;
}

static int name_interruption(struct err *err)
{
	char *message CLEANUP(mem_free_string) = mem_strdup(err->message);

	err_set(err, ERR_INTERRUPTED, "interrupted while trying again: %s", message);
	err->exit_status = 128 + proc_interrupted();
	return -1;
}

/* What PostgreSQL says of a privilege that is lacking, turned into the statement that grants it. */
static int explain_permission(const struct executor *executor, struct err *err)
{
	static const struct {
		const char *kind, *privileges;
	} kinds[] = {
		{ "database ", "create on database " },
		{ "schema ", "usage, create on schema " },
		{ "table ", "select on " },
		{ "view ", "select on " },
	};
	static const char denied[] = "permission denied for ";
	const char *at = err->message ? strstr(err->message, denied) : NULL;

	if (err->code != ERR_WAREHOUSE || !at)
		return -1;
	at += strlen(denied);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		size_t len = strlen(kinds[i].kind);

		if (strncmp(at, kinds[i].kind, len) != 0)
			continue;
		err_hint(err, "grant %s%.*s to <the user of target '%s'>; README, 'What to grant'",
			 kinds[i].privileges, (int)strcspn(at + len, " \n"), at + len,
			 executor->connection->target ? executor->connection->target : "");
	}
	return -1;
}

int executor_run_ops(struct executor *executor, const struct ops *ops, bool hold_signals,
		     struct ops_reply *ret_reply, struct err *err)
{
	struct running running = { executor, ops, hold_signals, ret_reply, false };
	struct backoff backoff = { 0 };
	size_t farthest = 0;

	*ret_reply = (struct ops_reply) {
		.rows = mem_alloc((ops->n + 1) * sizeof(json_t *)),
		.n = ops->n,
	};
	while (run_rest(&running, err) < 0) {
		struct err cause CLEANUP(err_release) = ERR_INIT;

		if (!may_run_again(&running, err))
			return explain_permission(executor, err);
		if (running.sent_nothing && executor_ends_orphan(executor, err->message)) {
			err_release(err);
			continue;
		}
		if (backoff.tries == 0 || ret_reply->calls_done > farthest) {
			executor_begin_waiting(executor, hold_signals, &backoff);
			farthest = ret_reply->calls_done;
		}
		if (!backoff_wait(&backoff)) {
			if (proc_interrupted() && !hold_signals)
				return name_interruption(err);
			return name_open(&running, err);
		}
		cause = *err;
		*err = (struct err)ERR_INIT;
		if (executor_record_wait(executor, &backoff, cause.message, err) < 0)
			return -1;
	}
	return 0;
}

int executor_run_queries(struct executor *executor, const struct strv *queries,
			 struct ops_reply *ret_reply, struct err *err)
{
	struct ops ops CLEANUP(ops_release) = OPS_INIT;

	if (executor_add_statements(executor, queries, true, &ops, err) < 0)
		return -1;
	return executor_run_ops(executor, &ops, false, ret_reply, err);
}

/* What failed outside of a transaction was tried again already. */
int executor_run_undone(struct executor *executor, const struct ops *ops, bool hold_signals,
			struct ops_reply *ret_reply, struct err *err)
{
	struct backoff backoff;

	executor_begin_waiting(executor, hold_signals, &backoff);
	while (executor_run_ops(executor, ops, hold_signals, ret_reply, err) < 0) {
		struct err cause CLEANUP(err_release) = ERR_INIT;

		if (!executor_is_undone(executor, ops, ret_reply, err) || !backoff_wait(&backoff))
			return -1;
		ops_reply_release(ret_reply);
		cause = *err;
		*err = (struct err)ERR_INIT;
		if (executor_record_wait(executor, &backoff, cause.message, err) < 0)
			return -1;
	}
	return 0;
}
