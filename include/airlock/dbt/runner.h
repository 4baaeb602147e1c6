/*
 * runner: THE door to dbt. A runner takes dbt commands and gives their events and results.
 *
 * Forms: runner_plain() starts a dbt process for each command (the reference); runner_server() of
 * server.h imports dbt once; tests have one of their own.
 *
 * Ownership: the command is borrowed until run() returns; runner_free() ends the runner.
 * Errors:    -1 when the command could not be run or its end not be known; how dbt ended is in
 *            the result, and is not an error here.
 */
#ifndef AIRLOCK_DBT_RUNNER_H
#define AIRLOCK_DBT_RUNNER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "airlock/base/err.h"
#include "airlock/base/proc.h"
#include "airlock/base/strv.h"
#include "airlock/dbt/event.h"

struct runner_command {
	const struct strv *arguments;               /* verb and options, without dbt's own path */
	const struct strv *environment;             /* cleaned: cmdline_clean_environment() */
	bool hold_signals;                          /* while a publish runs */
	int64_t timeout_ms;                         /* 0: that of the runner */
	int64_t beat_ms;                            /* between two calls of on_beat */
	bool (*on_beat)(void *context);             /* as in proc.h; NULL: none */
	event_fn *on_event;                         /* may be NULL */
	void (*on_start)(void *context, pid_t pid); /* may be NULL */
	void *context;
};

struct runner_result {
	struct proc_result process;
	char invocation_id[64]; /* of the last event that had one; "" without */
	/* Message of the first error event; for an exit other than 0 without one the last lines of
	 * stderr; else NULL. free() it. */
	char *first_error;
};

struct runner {
	const char *name;
	/* Several side by side; n results. */
	int (*run)(struct runner *runner, const struct runner_command *commands, size_t n,
		   struct runner_result *ret_results, struct err *err);
	void (*release)(struct runner *runner);
	unsigned starts;              /* dbt commands run so far */
	struct runner_beside *beside; /* starts with the next command; NULL: none */
	int64_t timeout_ms;           /* of commands without one of their own; 0: none */
};

/* One that starts together with whatever is run next, which ends when both have ended. The runner
 * forgets it then; the result is the caller's. */
struct runner_beside {
	struct runner_command command;
	struct runner_result result;
	bool has_run;
};

struct runner *runner_plain(const char *dbt_path); /* the path is copied */
int runner_run(struct runner *runner, const struct runner_command *command,
	       struct runner_result *ret_result, struct err *err);
int runner_run_all(struct runner *runner, const struct runner_command *commands, size_t n,
		   struct runner_result *ret_results, struct err *err);
void runner_result_release(struct runner_result *result);
void runner_free(struct runner *runner);

/* How the command ended, in words for a message ("exited with 2", "was killed by SIGKILL"). */
char *runner_describe(const struct runner_result *result); /* free() it */
bool runner_succeeded(const struct runner_result *result); /* exited with 0 */

/* Sets ERR_DBT_FAILED with dbt's own exit status (128+n for a signal), naming `what` and the
 * first error. A time-out is ERR_TIMED_OUT, an interruption ERR_INTERRUPTED. Returns -1. */
int runner_error(const struct runner_result *result, const char *what, struct err *err);

/* The options that make a driven dbt 1.x report everything as JSON on stdout, to be put behind
 * the verb: --log-format json --log-level info --print --no-quiet --no-use-colors
 * --log-level-file none. */
void runner_push_log_options(struct strv *arguments);

#endif
