/*
 * proc_internal: what the files of proc share.
 *
 * spawn: fork and exec, with the signals airlock was started with. group: who is left in a
 * process group.
 */
#ifndef AIRLOCK_BASE_PROC_INTERNAL_H
#define AIRLOCK_BASE_PROC_INTERNAL_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#include "airlock/base/err.h"
#include "airlock/base/proc.h"

/* The mask and dispositions at the start of airlock, for children and pass-through. */
struct proc_origin {
	sigset_t mask;
	struct sigaction actions[NSIG];
	bool known[NSIG]; /* the C library keeps some signals to itself */
};

void proc_origin_remember(struct proc_origin *ret_origin);
void proc_origin_restore_actions(const struct proc_origin *origin); /* async-signal-safe */

struct proc_spawned {
	pid_t pid; /* also its process group; 0: not started */
	int start_errno;
	int output[2]; /* non-blocking read ends of stdout and stderr, -1: discarded */
};

/* 0 also when the program could not be executed; -1 when airlock could not get that far. */
int proc_spawn(const struct proc_spec *spec, const struct proc_origin *origin,
	       struct proc_spawned *ret_spawned, struct err *err);

/* Zombies do not count. */
bool proc_group_is_empty(pid_t group);

#endif
