/* runner_internal: the runner of processes, for those who only differ in how they start. */
#ifndef AIRLOCK_DBT_RUNNER_INTERNAL_H
#define AIRLOCK_DBT_RUNNER_INTERNAL_H

#include "airlock/base/forker.h"
#include "airlock/dbt/runner.h"

/* The name is static, the path copied, the forker (NULL: none) taken over. */
struct runner *runner_make(const char *name, const char *dbt_path, struct forker *forker);

#endif
