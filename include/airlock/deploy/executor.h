/*
 * executor: does one step after the other and records it. It knows no strategy.
 *
 * Each step: reported, recorded as begun (synced to disk), done, recorded as done or failed.
 * In builds with fault points AIRLOCK_FAULT=<step>:<before|after>:<crash|error|int|term|full> kills
 * the process there, fails, sends it that signal, or lets no file grow from there on.
 */
#ifndef AIRLOCK_DEPLOY_EXECUTOR_H
#define AIRLOCK_DEPLOY_EXECUTOR_H

#include "airlock/base/err.h"
#include "airlock/dbt/ops.h"
#include "airlock/dbt/runner.h"
#include "airlock/deploy/journal.h"
#include "airlock/deploy/plan.h"
#include "airlock/deploy/report.h"
#include "airlock/warehouse/sql.h"

struct executor {
	struct journal *journal;
	struct reporter *reporter;
	const struct ops_connection *connection;
	const struct dialect *dialect;
	const struct sql_binding *bindings;
	size_t binding_count;
	const char *fault;        /* text of AIRLOCK_FAULT, or NULL */
	int64_t build_timeout_ms; /* 0: none */
	size_t lanes;             /* sessions side by side for what may; 0 and 1: one */
	const struct step *step;  /* that is being done; NULL between two */
	bool holds_signals;       /* an operation runs that must not be interrupted */
	int64_t open_wait_ms; /* how long a database that another process has open is waited for */
	/* Called every beat_ms while executor_run_dbt() runs (NULL: not); -1 with *err set ends it.
	 */
	int (*beat)(void *context, struct err *err);
	void *beat_context;
	int64_t beat_ms;
	struct err *beat_err;
	bool saw_node; /* the dbt that runs has begun a node */
};

/* Around the doing of a step: `if (executor_begin(x, step, err) < 0) ...; result = ...;
 * return executor_end(x, step, result, err);`. No step begins after a signal. */
int executor_begin(struct executor *executor, const struct step *step, struct err *err);
int executor_end(struct executor *executor, const struct step *step, int result, struct err *err);

/* Bound statements of a step appended to `ops`, shown and recorded first. */
int executor_add(struct executor *executor, const struct step *step, struct ops *ops,
		 struct err *err);
/* Shows and records bound statements of the step named. */
int executor_show(struct executor *executor, const char *step, const struct strv *statements,
		  struct err *err);
/* Bound statements that are neither shown nor recorded; queries want rows. */
int executor_add_statements(struct executor *executor, const struct strv *statements,
			    bool are_queries, struct ops *ops, struct err *err);

/*
 * Runs them, and what failed again where that is safe and promises something, with growing waits
 * that are recorded: the session that could not be opened, from its first call on; the statement
 * that the warehouse says it undid (lock timeout, deadlock, serialization), from it on. Never one
 * whose outcome is not known, and nothing that began in a transaction.
 * ERR_LOCKED when another process has the database open for longer than open_wait_ms.
 */
int executor_run_ops(struct executor *executor, const struct ops *ops, bool hold_signals,
		     struct ops_reply *ret_reply, struct err *err);
/* Bound queries alone, as an operation that changes nothing. */
int executor_run_queries(struct executor *executor, const struct strv *queries,
			 struct ops_reply *ret_reply, struct err *err);
/* ERR_INTERRUPTED naming what was about to begin, and 128 + the signal, when one was received. */
int executor_check_interrupted(const char *before, struct err *err);
/* Once, in at most timeout_ms. */
int executor_try_ops(struct executor *executor, const struct ops *ops, int64_t timeout_ms,
		     struct ops_reply *ret_reply, struct err *err);
/* The session was never opened: nothing of the ops was run. */
bool executor_sent_nothing(const struct executor *executor, const struct ops_reply *reply,
			   const struct err *err);
/* The failed statement was undone by the warehouse and may be run again. */
bool executor_is_transient(const struct executor *executor, const struct err *err);
/* The warehouse says itself that the statement failed: it is not at work any more. */
bool executor_has_answer(const struct executor *executor, const struct err *err);
/* It was in a transaction, of which the warehouse has undone everything: that may begin again. */
bool executor_is_undone(const struct executor *executor, const struct ops *ops,
			const struct ops_reply *reply, const struct err *err);
/* And begins again for a while. */
int executor_run_undone(struct executor *executor, const struct ops *ops, bool hold_signals,
			struct ops_reply *ret_reply, struct err *err);
/* Where one process at a time can open the database: whoever the message says has it was left by an
 * airlock that is dead, and is ended now. */
bool executor_ends_orphan(const struct executor *executor, const char *message);
/* What a dbt command said of its end is that it could open no session. */
bool executor_is_unreachable(const struct executor *executor, const char *message);
struct backoff;
/* Of what cannot be opened: how long it is tried. */
void executor_begin_waiting(const struct executor *executor, bool hold_signals,
			    struct backoff *ret_backoff);
int executor_record_wait(struct executor *executor, const struct backoff *backoff,
			 const char *message, struct err *err);
/* A dbt command that has begun nothing: 1 when it could not open the database, after a pause and
 * with the result released; 0 when its result stands. */
int executor_opens_again(struct executor *executor, struct backoff *backoff,
			 struct runner_result *result, struct err *err);
void executor_started(void *context, pid_t pid); /* records the process; context: the executor */
/* 1 when it could not open the database, has begun nothing, and is to be run again. */
int executor_try_dbt(struct executor *executor, const struct step *step,
		     const struct strv *environment, struct backoff *backoff,
		     struct runner_result *ret_result, struct err *err);
/* Again while the database cannot be opened and nothing was begun, as executor_run_ops(). */
int executor_run_dbt(struct executor *executor, const struct step *step,
		     const struct strv *environment, struct runner_result *ret_result,
		     struct err *err);

#endif
