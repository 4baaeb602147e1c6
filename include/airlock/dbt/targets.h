/*
 * targets: on which target a command line of dbt would work, as dbt finds it out: --target, the
 * variables DBT_ENGINE_TARGET and DBT_TARGET, the `target` of the profile with env_var() in it.
 *
 * Where versions of dbt differ there are several: a .env file counts from 1.12 on, and `retry`
 * takes the target of the run before. What only dbt itself can tell is said in `unresolved`.
 *
 * Life cycle: targets_find(), targets_release().
 */
#ifndef AIRLOCK_DBT_TARGETS_H
#define AIRLOCK_DBT_TARGETS_H

#include "airlock/base/strv.h"
#include "airlock/dbt/cmdline.h"
#include "airlock/dbt/project.h"

struct targets {
	struct strv names;
	char *unresolved; /* why it may be another one; NULL: it is one of the names */
};

void targets_find(const struct cmdline_given *given, const struct project *project,
		  const struct strv *environment, struct targets *ret_targets);
/* The target path of the command, as dbt finds it; absolute. NULL: only dbt can tell. free() it */
char *targets_path(const struct cmdline_given *given, const struct project *project,
		   const struct strv *environment);
/* All targets of the profile, and its name (free() it). Errors: ERR_PROJECT_INVALID. */
int targets_list(const struct cmdline_given *given, const struct project *project,
		 const struct strv *environment, struct strv *ret_names, char **ret_profile,
		 struct err *err);
/* What the profile says of a target. NULL: nothing, or only dbt can tell. free() it */
char *targets_output(const struct cmdline_given *given, const struct project *project,
		     const struct strv *environment, const char *target, const char *key);
void targets_release(struct targets *targets);

#endif
