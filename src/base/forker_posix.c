/* The helper rests on what Linux has (kinds of sockets, the death of a parent as a signal):
 * elsewhere there is none, and each child is executed. */
#include "airlock/base/forker.h"

#include <stddef.h>

#include "proc_internal.h"

struct forker *forker_start(char *const *argv, char *const *envp, const char *text, size_t len)
{
	(void)argv;
	(void)envp;
	(void)text;
	(void)len;
	return NULL;
}

void forker_free(struct forker *forker)
{
	(void)forker;
}

bool forker_fork(struct forker *forker, const struct proc_spec *spec, const int standard[3],
		 struct proc_spawned *spawned)
{
	(void)forker;
	(void)spec;
	(void)standard;
	(void)spawned;
	return false;
}

bool forker_reap(const struct proc_spawned *spawned, int *ret_status)
{
	(void)spawned;
	(void)ret_status;
	return false;
}
