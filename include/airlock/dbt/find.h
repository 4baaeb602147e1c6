/*
 * find: the real dbt. AIRLOCK_DBT, DBT_AIRLOCK_DBT, else the first `dbt` on PATH that is not
 * this program (device and inode of the file, links followed).
 *
 * Errors: ERR_DBT_NOT_FOUND (127), ERR_DBT_NOT_EXECUTABLE (126).
 */
#ifndef AIRLOCK_DBT_FIND_H
#define AIRLOCK_DBT_FIND_H

#include "airlock/base/err.h"
#include "airlock/base/strv.h"

/* Touches no process state: fit for the pass-through. `self` is our own path (/proc/self/exe).
 * The path is absolute unless PATH or the setting is relative; free() it. NULL on error. */
char *find_dbt(char *const *environment, const char *self, struct err *err);

/* Every `dbt` on PATH that can be run, in its order; this program among them. */
void find_all(char *const *environment, struct strv *ret_paths);

#endif
