/*
 * secret: what is neither printed nor kept where others read it. dbt calls a variable a secret by
 * its name, DBT_ENV_SECRET...; the other names only look like one (password, token, ...).
 */
#ifndef AIRLOCK_DBT_SECRET_H
#define AIRLOCK_DBT_SECRET_H

#include <stdbool.h>

#include "airlock/base/strv.h"

bool secret_is_named(const char *name);

/* NAME=VALUE as it may be printed: NAME=*** of a secret; free() it. */
char *secret_shown_pair(const char *pair);

/*
 * The text of --vars as it may be printed and kept: as it is, or with *** for each value that has
 * the name of a secret, or holds the value of one of dbt's in the environment. True when something
 * is hidden, and so when it cannot be read at all. free() *ret_shown.
 */
bool secret_show_vars(const char *text, const struct strv *environment, char **ret_shown);

#endif
