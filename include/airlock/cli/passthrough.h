/*
 * passthrough: whose command this is, decided from the arguments alone and before any process
 * state is touched; and the way to dbt, which replaces this process.
 *
 * Called as `dbt`: everything is dbt's but for `dbt airlock VERB`, so that a verb that dbt gets
 * one day is never taken from it. Called by any other name: our verbs, no arguments at all, -h,
 * --help and --version are ours, `airlock dbt ARGS...` and everything else is dbt's.
 */
#ifndef AIRLOCK_CLI_PASSTHROUGH_H
#define AIRLOCK_CLI_PASSTHROUGH_H

#include <stdbool.h>

#include "airlock/base/err.h"
#include "airlock/base/strv.h"

/* Counts how often airlock was started inside airlock; a driven dbt gets it too. */
#define PASSTHROUGH_DEPTH "AIRLOCK_DEPTH"

struct passthrough {
	bool to_dbt;
	const char *program; /* what the user types before a verb: "airlock", "dbt airlock" */
	char *const *words;  /* dbt's arguments, or ours: the verb (if any) and what follows it */
};

/* `argv` ends in NULL and may be empty; words is borrowed from it. */
void passthrough_decide(char *const *argv, struct passthrough *ret_passthrough);

/* Sets AIRLOCK_DEPTH to one more. ERR_CONFIG_INVALID when dbt leads back to airlock for ever. */
int passthrough_deepen(struct strv *environment, struct err *err);

/* Returns only when dbt cannot be started: -1, with the exit status that a shell would give. */
int passthrough_exec(char *const *words, const struct strv *environment, const char *self,
		     struct err *err);

#endif
