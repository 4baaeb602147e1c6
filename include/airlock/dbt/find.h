/*
 * find: the real dbt. AIRLOCK_DBT, DBT_AIRLOCK_DBT, else the first `dbt` on PATH that is not
 * airlock: neither this file (device and inode, links followed) nor another copy of the program,
 * of whatever version, which the note in it says.
 *
 * Errors: ERR_DBT_NOT_FOUND (127), ERR_DBT_NOT_EXECUTABLE (126).
 */
#ifndef AIRLOCK_DBT_FIND_H
#define AIRLOCK_DBT_FIND_H

#include <stdbool.h>

#include "airlock/base/err.h"
#include "airlock/base/strv.h"

#define FIND_NOTE "airlock: stands in for dbt"

/* Touches no process state: fit for the pass-through. `self` is our own path (host_self()).
 * The path is absolute unless PATH or the setting is relative; free() it. NULL on error. */
char *find_dbt(char *const *environment, const char *self, struct err *err);

/* Whether the file is this program or another copy of it. */
bool find_is_airlock(const char *path, const char *self);

bool find_has_note(const char *path); /* note_linux.c, note_posix.c */

/* Every `dbt` on PATH that can be run, in its order; this program among them. */
void find_all(char *const *environment, struct strv *ret_paths);

#endif
