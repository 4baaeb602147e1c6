/*
 * executor: does one step after the other and records it. It knows no strategy.
 *
 * Each step: reported, recorded as begun (synced to disk), done, recorded as done or failed.
 * In builds with fault points AIRLOCK_FAULT=<step>:<before|after>:<crash|error> kills the process
 * or fails there.
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
	const struct step *step;  /* that is being done; NULL between two */
	bool holds_signals;       /* an operation runs that must not be interrupted */
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

/* ERR_LOCKED when another process has the database open: then no statement was run, which
 * executor_could_not_open() says of the error. */
int executor_run_ops(struct executor *executor, const struct ops *ops, bool hold_signals,
		     struct ops_reply *ret_reply, struct err *err);
bool executor_could_not_open(const struct err *err);
/* ERR_INTERRUPTED naming what was about to begin, and 128 + the signal, when one was received. */
int executor_check_interrupted(const char *before, struct err *err);

int executor_run_dbt(struct executor *executor, const struct step *step,
		     const struct strv *environment, struct runner_result *ret_result,
		     struct err *err);

#endif
