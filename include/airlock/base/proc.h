/*
 * proc: the only spawner. Runs children under supervision in one single-threaded poll loop; who
 * has started them, this process or a forker on its behalf, makes no difference.
 *
 * Each child has its own process group, the signal mask and dispositions that airlock was
 * started with (but INT, TERM and CHLD by default: it has to end when asked to), stdin from
 * `input` or /dev/null, a parent-death signal, nothing open but 0, 1 and 2, and in its environment
 * AIRLOCK_STARTED_BY, which says who has started it (and what it starts in turn).
 * INT, TERM and HUP that reach airlock while children run are passed to each child's group
 * exactly once, as SIGINT (what makes dbt cancel its queries); `grace_ms` later SIGTERM, at most
 * 2 s after that SIGKILL; a second signal goes straight to SIGKILL. A child that was asked to end
 * has ended when its whole group has. With `hold_signals` the children have INT, TERM and HUP
 * blocked and airlock only notes the signal until they have ended; their time limit is SIGKILL. A
 * signal that airlock was started with as ignored (nohup) stays ignored by airlock.
 * After a child's exit its pipes are drained for 200 ms more (a grandchild may hold them).
 *
 * Life cycle: proc_supervise() once, before the first proc_run(): opens descriptors 0 to 2 if
 *             closed, sets SIGCHLD to its default, remembers mask and dispositions. From then on
 *             INT, TERM and HUP do not end airlock: ask proc_interrupted().
 * Ownership:  everything in the spec is borrowed until proc_run() returns.
 * Errors:     -1 only when airlock itself fails (ERR_INTERNAL, ERR_FILE); what became of the
 *             child is in the result.
 */
#ifndef AIRLOCK_BASE_PROC_H
#define AIRLOCK_BASE_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "airlock/base/err.h"

struct forker;

/* Bytes as they arrive, in pieces of any size. */
typedef void proc_output_fn(void *context, const char *data, size_t len);

/* Called once the child runs, before any of its output. */
typedef void proc_started_fn(void *context, pid_t pid);

/* Called between two polls. False: the child is ended as at the end of its time. It may run other
 * children meanwhile; the output of this one waits. */
typedef bool proc_beat_fn(void *context);

struct proc_spec {
	char *const *argv; /* argv[0] is the path that is executed, relative to cwd */
	char *const *envp;
	const char *cwd;       /* NULL: ours */
	struct forker *forker; /* may start it sooner (forker.h); NULL: none */
	const char *input;     /* bytes that become stdin; NULL: /dev/null */
	size_t input_len;
	bool hold_signals;
	int64_t timeout_ms;        /* 0: none; at the end INT, grace, TERM, KILL */
	int64_t grace_ms;          /* 0: 25,000 */
	int64_t beat_ms;           /* between two calls of on_beat */
	proc_beat_fn *on_beat;     /* NULL: none */
	proc_started_fn *on_start; /* may be NULL */
	proc_output_fn *on_stdout; /* NULL: discarded */
	proc_output_fn *on_stderr;
	void *context;
};

enum proc_end {
	PROC_NOT_STARTED = 0, /* start_errno says why */
	PROC_EXITED,
	PROC_SIGNALLED,
};

struct proc_result {
	enum proc_end end;
	int exit_status; /* PROC_EXITED */
	int signal;      /* PROC_SIGNALLED */
	int start_errno;
	bool timed_out;
	bool stopped;       /* because on_beat said so */
	int interrupted_by; /* the signal airlock received while it ran, or 0 */
	int64_t elapsed_ms;
};

void proc_supervise(void);
int proc_run(const struct proc_spec *spec, struct proc_result *ret_result, struct err *err);

/* Several side by side; each result is written. */
int proc_run_all(const struct proc_spec *specs, size_t n, struct proc_result *ret_results,
		 struct err *err);

/* The signal that was noted since proc_supervise() (first one), or 0. */
int proc_interrupted(void);

/* Told of each signal that arrives while children run, behind its passing on; `count` is the
 * how-manieth it is, and those that come together count once. NULL: nobody is told. */
typedef void proc_signal_fn(void *context, int number, unsigned count);
void proc_watch_signals(proc_signal_fn *fn, void *context);

/* Sleeps, and no longer than until a signal arrives. */
void proc_sleep(int ms);

/* Replaces this process (pass-through). Returns only on failure, with errno set. */
void proc_exec(const char *path, char *const *argv, char *const *envp);

/*
 * Ends every process of a group whose leader is known by pid and start time (host.h): TERM,
 * grace, KILL. Returns true when none is left. Where the leader is gone, those left in the group
 * are taken for its own if they started after it. Start 0: nobody is killed.
 */
bool proc_end_group(pid_t leader, uint64_t start, int64_t grace_ms);

/*
 * Ends in the same way what an airlock that is gone has started on this host, directly or not,
 * whatever group it is in. False: some of it cannot be ended, or that airlock is alive. Whom /proc
 * does not show, or without their environment, are not found; our own group is left alone.
 */
bool proc_end_started_by(pid_t starter, uint64_t start, int64_t grace_ms);
/* The same, of whoever has started `pid`. False also where that was no airlock. */
bool proc_end_orphan(pid_t pid, int64_t grace_ms);

#endif
