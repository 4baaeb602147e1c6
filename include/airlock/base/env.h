/*
 * env: a copy of an environment that can be changed before it is handed to a child.
 * A strv of NAME=VALUE strings; the process's own environment is never modified.
 */
#ifndef AIRLOCK_BASE_ENV_H
#define AIRLOCK_BASE_ENV_H

#include <stdbool.h>

#include "airlock/base/strv.h"

void env_copy(struct strv *ret_env, char *const *environment);
void env_set(struct strv *env, const char *name, const char *value);
void env_unset(struct strv *env, const char *name);
const char *env_get(const struct strv *env, const char *name); /* NULL when not set; borrowed */

#endif
