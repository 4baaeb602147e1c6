/*
 * deploy_if: whether a deployment is wanted here at all: deploy_only_if, --only-from. Nothing is
 * started for it but git.
 */
#ifndef AIRLOCK_CLI_DEPLOY_IF_H
#define AIRLOCK_CLI_DEPLOY_IF_H

#include "command_internal.h"

/* 0 when all of deploy_only_if holds; the config is complete. */
int deploy_if_holds(const struct invocation *invocation, struct err *err);

/* 1: --only-from names another target than dbt would work on; it was said. 0: go on. */
int deploy_if_elsewhere(struct invocation *invocation, struct err *err);

#endif
