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
	CHAINS_PER_LANE = 3,   /* fewer are done before another session is there */
	MOST_LANES = 32,
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

bool executor_has_answer(const struct executor *executor, const struct err *err)
{
	return err->code == ERR_WAREHOUSE && executor->dialect->is_answer(err->message);
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
	size_t next;       /* all calls before it are answered */
	bool *is_answered; /* of a group those behind it may be as well */
	bool sent_nothing; /* the last try did not open a session */
};

/* Some of the calls in their order, which are one operation. */
struct part {
	struct ops ops;  /* the texts are not its own */
	size_t *of;      /* which call each is */
	size_t repeated; /* so many at its front were answered before */
};

static void part_init(struct part *part, const struct ops *ops, size_t first)
{
	part->ops.calls = mem_alloc((ops->n + 1) * sizeof(*part->ops.calls));
	part->of = mem_alloc((ops->n + 1) * sizeof(*part->of));
	for (size_t i = 0; i < first; i++)
		if (ops->calls[i].is_of_session)
			part->ops.calls[part->ops.n++] = ops->calls[i];
	part->repeated = part->ops.n;
}

static void part_add(struct part *part, const struct ops *ops, size_t call)
{
	part->of[part->ops.n] = call;
	part->ops.calls[part->ops.n++] = ops->calls[call];
}

static void part_release(struct part *part)
{
	free(part->ops.calls);
	free(part->of);
}

/* The answers take their places among the others. */
static void part_answered(const struct part *part, struct ops_reply *reply, struct running *running)
{
	for (size_t i = part->repeated; i < part->ops.n; i++) {
		json_t **row = &running->reply->rows[part->of[i]];

		json_decref(*row);
		*row = reply->rows[i];
		reply->rows[i] = NULL;
		running->is_answered[part->of[i]] = i < reply->calls_done;
	}
}

static size_t group_end(const struct ops *ops, size_t first)
{
	size_t end = first;

	while (end < ops->n && ops->calls[end].group == ops->calls[first].group)
		end++;
	return end;
}

/* 1 where it is not worth the sessions. */
static size_t lanes_of(const struct running *running, size_t first)
{
	const struct ops *ops = running->ops;
	size_t most = running->executor->lanes < MOST_LANES ? running->executor->lanes : MOST_LANES;
	size_t chains = 0, lanes;

	if (!ops->calls[first].group)
		return 1;
	for (size_t i = first; i < group_end(ops, first); i++)
		chains += i == first || ops->calls[i].chain != ops->calls[i - 1].chain;
	lanes = chains / CHAINS_PER_LANE;
	return lanes < most ? lanes : most;
}

static int run_in_turn(struct running *running, struct err *err)
{
	const struct ops *ops = running->ops;
	size_t first = ops_guard(ops, running->next), end = running->next;
	struct part part = { .of = NULL };
	struct ops_reply reply = { 0 };
	int rc;

	part_init(&part, ops, first);
	for (; end < ops->n; end = group_end(ops, end))
		if (lanes_of(running, end) > 1)
			break;
	for (size_t i = first; i < end; i++)
		part_add(&part, ops, i);
	rc = ops_run(running->executor->connection, &part.ops, running->hold_signals,
		     executor_started, running->executor, &reply, err);
	part_answered(&part, &reply, running);
	running->sent_nothing = rc < 0 && executor_sent_nothing(running->executor, &reply, err);
	running->next = first;
	while (running->next < end && running->is_answered[running->next])
		running->next++;
	running->reply->calls_done = running->next;
	running->reply->finished = end == ops->n && reply.finished;
	ops_reply_release(&reply);
	part_release(&part);
	return rc;
}

/* What is left of each chain. */
static size_t share(const struct running *running, size_t end, size_t lanes, struct part *parts)
{
	const struct ops *ops = running->ops;
	size_t chain = 0, n = 0;

	for (size_t i = 0; i < lanes; i++)
		part_init(&parts[i], ops, running->next);
	for (size_t i = running->next; i < end; i++) {
		if (i > running->next && ops->calls[i].chain != ops->calls[i - 1].chain)
			chain++;
		if (!running->is_answered[i])
			part_add(&parts[chain % lanes], ops, i);
	}
	for (size_t i = 0; i < lanes; i++) {
		struct part part = parts[i];

		if (part.ops.n == part.repeated)
			continue;
		parts[i] = parts[n];
		parts[n++] = part;
	}
	return n;
}

enum failure { NONE, SENT_NOTHING, TRANSIENT, ANSWERED, UNKNOWN };

static enum failure failure_of(const struct executor *executor, const struct ops_reply *reply,
			       const struct err *err)
{
	if (!err_is_set(err))
		return NONE;
	if (executor_sent_nothing(executor, reply, err))
		return SENT_NOTHING;
	if (executor_is_transient(executor, err))
		return TRANSIENT;
	return executor_has_answer(executor, err) ? ANSWERED : UNKNOWN;
}

/* The worst of several is what became of them: one without an answer may be at work still. */
static enum failure name_failure(const struct executor *executor, const struct ops_reply *replies,
				 struct err *errs, size_t n, struct err *err)
{
	enum failure worst = NONE;
	size_t which = 0;

	for (size_t i = 0; i < n; i++) {
		enum failure failure = failure_of(executor, &replies[i], &errs[i]);

		if (failure <= worst)
			continue;
		worst = failure;
		which = i;
	}
	if (worst != NONE) {
		*err = errs[which];
		errs[which] = (struct err)ERR_INIT;
	}
	return worst;
}

/* The chains of a group over several sessions, all of which have ended when this returns. */
static int run_side_by_side(struct running *running, size_t lanes, struct err *err)
{
	size_t end = group_end(running->ops, running->next), answered = 0;
	struct part *parts = mem_alloc(lanes * sizeof(*parts));
	struct ops_reply *replies = mem_alloc(lanes * sizeof(*replies));
	struct ops *lists = mem_alloc(lanes * sizeof(*lists));
	struct err *errs = mem_alloc(lanes * sizeof(*errs));
	size_t n = share(running, end, lanes, parts);
	int rc;

	for (size_t i = 0; i < n; i++)
		lists[i] = parts[i].ops;
	rc = ops_run_all(running->executor->connection, lists, n, running->hold_signals,
			 executor_started, running->executor, replies, errs);
	for (size_t i = 0; i < n; i++)
		part_answered(&parts[i], &replies[i], running);
	running->sent_nothing =
		name_failure(running->executor, replies, errs, n, err) == SENT_NOTHING;
	for (size_t i = running->next; i < end; i++)
		answered += running->is_answered[i];
	running->reply->calls_done = running->next + answered;
	if (rc == 0)
		running->next = end;
	for (size_t i = 0; i < lanes; i++) {
		part_release(&parts[i]);
		ops_reply_release(&replies[i]);
		err_release(&errs[i]);
	}
	free(parts);
	free(replies);
	free(lists);
	free(errs);
	return rc;
}

/* The calls that are not answered yet, behind what guards them. */
static int run_rest(struct running *running, struct err *err)
{
	int rc = 0;

	running->executor->holds_signals = running->hold_signals;
	while (rc == 0 && running->next < running->ops->n) {
		size_t lanes = lanes_of(running, running->next);

		rc = lanes > 1 ? run_side_by_side(running, lanes, err) : run_in_turn(running, err);
	}
	running->executor->holds_signals = false;
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

static int run_waiting(struct running *running, struct err *err)
{
	struct backoff backoff = { 0 };
	size_t farthest = 0;

	while (run_rest(running, err) < 0) {
		struct err cause CLEANUP(err_release) = ERR_INIT;

		if (!may_run_again(running, err))
			return explain_permission(running->executor, err);
		if (running->sent_nothing &&
		    executor_ends_orphan(running->executor, err->message)) {
			err_release(err);
			continue;
		}
		if (backoff.tries == 0 || running->reply->calls_done > farthest) {
			executor_begin_waiting(running->executor, running->hold_signals, &backoff);
			farthest = running->reply->calls_done;
		}
		if (!backoff_wait(&backoff)) {
			if (proc_interrupted() && !running->hold_signals)
				return name_interruption(err);
			return name_open(running, err);
		}
		cause = *err;
		*err = (struct err)ERR_INIT;
		if (executor_record_wait(running->executor, &backoff, cause.message, err) < 0)
			return -1;
	}
	return 0;
}

int executor_run_ops(struct executor *executor, const struct ops *ops, bool hold_signals,
		     struct ops_reply *ret_reply, struct err *err)
{
	struct running running = {
		.executor = executor,
		.ops = ops,
		.hold_signals = hold_signals,
		.reply = ret_reply,
		.is_answered = mem_alloc(ops->n + 1),
	};
	int rc;

	*ret_reply = (struct ops_reply) {
		.rows = mem_alloc((ops->n + 1) * sizeof(json_t *)),
		.n = ops->n,
		.finished = ops->n == 0,
	};
	rc = run_waiting(&running, err);
	free(running.is_answered);
	return rc;
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
