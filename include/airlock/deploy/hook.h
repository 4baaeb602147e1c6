/*
 * hook: a command of the user's as a step of a deployment: an approval, a notice, a macro.
 *
 * It runs in the project's directory with the result so far as JSON on stdin and AIRLOCK_HOOK, _ID,
 * _STRATEGY, _FROM, _TO, _OUTCOME, _PRODUCTION_CHANGED and _EXIT in its environment, for at most
 * the time that it is given; then, or on a signal, it is ended as dbt is. What it writes is told
 * line by line.
 *
 * Errors: ERR_HOOK_FAILED with its exit status, ERR_TIMED_OUT, ERR_INTERRUPTED; what became of
 *         production is the caller's to add.
 */
#ifndef AIRLOCK_DEPLOY_HOOK_H
#define AIRLOCK_DEPLOY_HOOK_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "airlock/base/err.h"
#include "airlock/base/strv.h"
#include "airlock/dbt/runner.h"
#include "airlock/deploy/report.h"

struct hook {
	const char *name;
	const struct strv *command;
	const struct strv *environment;
	const char *directory;
	const json_t *document;
	int64_t timeout_ms;
	struct runner *runner; /* of a command that is dbt's; NULL: it is a program */
	struct reporter *reporter;
};

/* *ret_record is written in either case, for journal and history: {"hook", "command", "exit" (null
 * when it did not end by itself), "elapsed_ms"}; a new reference. */
int hook_run(const struct hook *hook, json_t **ret_record, struct err *err);

/* Pure, in publication_hooks.c: whether the text is dbt's `run-operation`; the words of a shell
 * that runs it. */
bool hook_is_operation(const char *text);
void hook_push_command(const char *text, struct strv *command);

#endif
