/*
 * guard_internal: what guard.c (the decision) leaves to guard_log.c (the record of the commands
 * that passed all the same).
 */
#ifndef AIRLOCK_CLI_GUARD_INTERNAL_H
#define AIRLOCK_CLI_GUARD_INTERNAL_H

#include <jansson.h>

#include "airlock/dbt/project.h"

/* One line in the project's target/airlock/unguarded.jsonl: {"at", "user", "host", "verb",
 * "target", "reason"}. What else the command said may be secret. */
int guard_log(const struct project *project, const char *verb, const char *target,
	      const char *reason, struct err *err);
/* The lines, oldest first: a new reference. What is torn or of no use is left out. */
json_t *guard_log_read(const struct project *project);

#endif
