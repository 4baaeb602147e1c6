/*
 * guard: what stands between a command of dbt and a target that the project protects
 * (`vars: airlock: protect`), decided from files alone; dbt is not started for it.
 *
 * The project file is read for the verbs that can be guarded and for no other. What only dbt
 * could tell (the target, an option that is not known) counts as protected. Inside a deployment
 * (AIRLOCK_DEPTH is set) nothing is guarded: what runs there is what was planned.
 *
 * Errors: ERR_TARGET_PROTECTED with what to say instead; those of the project and of its
 *         configuration, where it speaks of airlock.
 */
#ifndef AIRLOCK_CLI_GUARD_H
#define AIRLOCK_CLI_GUARD_H

#include "airlock/base/err.h"
#include "airlock/base/strv.h"

/* The reason for which one command passes; recorded. DBT_AIRLOCK_BREAK_GLASS too. */
#define GUARD_BREAK_GLASS "AIRLOCK_BREAK_GLASS"

struct guard {
	const char *log_format; /* of the command line; NULL: none; borrowed from the words */
	char *notice;           /* to be said before dbt is started; NULL: nothing */
	struct strv words;      /* not dbt's: the deployment that comes in the place of the build */
	char *artifacts; /* where that leaves manifest.json and run_results.json; NULL: nowhere */
};

/* `words` are dbt's arguments. 0: the command goes to dbt, or is one of ours instead. */
int guard_check(const char *program, char *const *words, const struct strv *environment,
		struct guard *ret_guard, struct err *err);
void guard_release(struct guard *guard);

/* The verbs that can be guarded, ended by NULL. */
const char *const *guard_verbs(void);

#endif
