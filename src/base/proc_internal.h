/*
 * proc_internal: what the files of proc share.
 *
 * spawn: fork and exec, with the signals airlock was started with. group: who is left in a
 * process group. mark: who was started by whom. forker: children that a helper forks.
 */
#ifndef AIRLOCK_BASE_PROC_INTERNAL_H
#define AIRLOCK_BASE_PROC_INTERNAL_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "airlock/base/err.h"
#include "airlock/base/forker.h"
#include "airlock/base/proc.h"
#include "airlock/base/strv.h"

/* The mask and dispositions at the start of airlock, for children and pass-through. */
struct proc_origin {
	sigset_t mask;
	struct sigaction actions[NSIG];
	bool known[NSIG]; /* the C library keeps some signals to itself */
};

void proc_origin_remember(struct proc_origin *ret_origin);
void proc_origin_restore_actions(const struct proc_origin *origin); /* async-signal-safe */
const struct proc_origin *proc_origin(void);                        /* that of proc_supervise() */

/* supervise: what proc_supervise() set up, and the signals since. */
struct proc_supervision {
	bool is_on;
	struct proc_origin origin;
	int signal_fd;
	int first_noted;
	int last_noted;
	proc_signal_fn *watcher;
	void *watcher_context;
	unsigned noted; /* how often; signals that come together count once */
};

const struct proc_supervision *proc_supervision(void);
void proc_note_signals(void); /* reads what has arrived */

struct proc_spawned {
	pid_t pid; /* also its process group; 0: not started */
	int start_errno;
	int output[2];  /* non-blocking read ends of stdout and stderr, -1: discarded */
	int link;       /* to the forker, which has forked it; -1: our own child */
	uint64_t start; /* of a forked one, as host_process_start() */
};

/* 0 also when the program could not be executed; -1 when airlock could not get that far. What
 * becomes stdin is borrowed; -1: /dev/null. */
int proc_spawn(const struct proc_spec *spec, const struct proc_origin *origin, int input,
	       struct proc_spawned *ret_spawned, struct err *err);

/* Asks for a child with these as 0, 1 and 2; true when it runs. False: nothing has been run. */
bool forker_fork(struct forker *forker, const struct proc_spec *spec, const int standard[3],
		 struct proc_spawned *spawned);

/*
 * True once the child has ended, with its wait status. The pid stays its own until the link is
 * closed. If the helper is gone the child was killed with it, and that is made sure of.
 */
bool forker_reap(const struct proc_spawned *spawned, int *ret_status);

/* mark: says in the environment of a child that we have started it. */
void proc_mark(struct strv *environment);

/* Both ends close-on-exec. */
int proc_pipe(int ret_ends[2]);

/*
 * What differs by system, in a file for each: NAME_linux.c, and NAME_posix.c with what every system
 * has (cmake -DAIRLOCK_POSIX=ON).
 *
 * signals: they arrive through a descriptor, -1: there is none. The next number, 0: no more.
 */
int proc_signals_open(const sigset_t *watched);
int proc_signals_next(int fd);
void proc_signals_give_back(void); /* what has not been read arrives again, for another program */

/*
 * death: that of airlock is that of its children. Before the fork; in the child, which must not go
 * on when it is false; and once that is reaped.
 */
int proc_death_prepare(void);
bool proc_death_follow(pid_t parent); /* async-signal-safe */
void proc_death_forget(pid_t pid);

/*
 * descriptors: marked rather than closed, since the pipe that carries the reason must outlast this.
 * Not every number up to RLIMIT_NOFILE, which would take minutes where that is a billion.
 */
void proc_close_others_on_exec(void); /* async-signal-safe */

/* memory_file: empty, close-on-exec; -1 with errno set. */
int proc_unnamed_file(void);

/* The bytes as a file without a name, read from its beginning; -1 with errno set. */
int proc_memory_file(const char *data, size_t len);

/* Zombies do not count. */
bool proc_group_is_empty(pid_t group);

#endif
