/*
 * server: the runner that imports dbt 1.x once. dbt's own interpreter is started on server.py,
 * imports dbt while airlock still reads the project, and forks for each command (base/forker.h).
 * A command runs as one that was started by itself: same output, result, signals, environment.
 *
 * It is a runner_plain() where that is not certain: dbt is no script that an installer wrote for a
 * Python interpreter (dbt 2.x, the shims of version managers, wrappers), AIRLOCK_FORK_SERVER is 0,
 * the interpreter cannot import or not fork; and for the single command whose environment differs
 * in what the imports went by.
 *
 * Life cycle: runner_server() returns at once; runner_free() ends the server.
 */
#ifndef AIRLOCK_DBT_SERVER_H
#define AIRLOCK_DBT_SERVER_H

#include "airlock/base/strv.h"
#include "airlock/dbt/runner.h"

/* The environment is that of the commands to come, but for variables that they have or lack. */
struct runner *runner_server(const char *dbt_path, const struct strv *environment);

/*
 * What the first lines of a script say: the interpreter and its option, NULL without one; free()
 * both. `#!/interpreter [option]`, or the form for paths that are too long for that:
 *
 *     #!/bin/sh
 *     '''exec' "/interpreter" "$0" "$@"
 *     ' '''
 *
 * False when it is neither of them, or the interpreter no absolute path to a Python.
 */
bool server_find_interpreter(const char *script, char **ret_interpreter, char **ret_option);

#endif
