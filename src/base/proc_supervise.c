/* The signals of this process: how it was started, what has arrived since, and what it leaves. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "airlock/base/proc.h"
#include "proc_internal.h"

static struct proc_supervision supervision = { .signal_fd = -1 };

/* A program started without them would otherwise get a pipe or a file as its stdout. */
static void open_standard_descriptors(void)
{
	for (int fd = 0; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		/* The lowest free number is this one. */
		if (open("/dev/null", O_RDWR) != fd)
			abort();
	}
}

/* What was ignored at the start (nohup, a background job) stays ignored. */
static void watch_unless_ignored(sigset_t *watched, int number)
{
	if (supervision.origin.actions[number].sa_handler != SIG_IGN)
		sigaddset(watched, number);
}

/*
 * The signals are read from a descriptor: none is lost between two polls. A SIGCHLD inherited as
 * ignored would make the kernel drop exit statuses.
 */
void proc_supervise(void)
{
	struct sigaction by_default = { .sa_handler = SIG_DFL };
	sigset_t watched;

	open_standard_descriptors();
	if (supervision.is_on)
		return;
	proc_origin_remember(&supervision.origin);
	sigaction(SIGCHLD, &by_default, NULL);
	sigemptyset(&watched);
	sigaddset(&watched, SIGCHLD);
	watch_unless_ignored(&watched, SIGINT);
	watch_unless_ignored(&watched, SIGTERM);
	watch_unless_ignored(&watched, SIGHUP);
	supervision.signal_fd = proc_signals_open(&watched);
	if (supervision.signal_fd < 0)
		abort();
	supervision.is_on = true;
}

/* SIGCHLD only ends the poll: who has ended is asked for each child. */
void proc_note_signals(void)
{
	bool any = false;
	int number;

	if (!supervision.is_on)
		return;
	while ((number = proc_signals_next(supervision.signal_fd))) {
		if (number == SIGCHLD)
			continue;
		supervision.last_noted = number;
		if (!supervision.first_noted)
			supervision.first_noted = number;
		any = true;
	}
	if (any)
		supervision.noted++;
}

const struct proc_supervision *proc_supervision(void)
{
	return &supervision;
}

const struct proc_origin *proc_origin(void)
{
	return &supervision.origin;
}

int proc_interrupted(void)
{
	proc_note_signals();
	return supervision.first_noted;
}

void proc_watch_signals(proc_signal_fn *fn, void *context)
{
	supervision.watcher = fn;
	supervision.watcher_context = context;
}

void proc_sleep(int ms)
{
	struct pollfd signals = { .fd = supervision.signal_fd, .events = POLLIN };

	poll(&signals, 1, ms);
}

void proc_exec(const char *path, char *const *argv, char *const *envp)
{
	struct proc_origin ours;
	int reason;

	if (!supervision.is_on) {
		execve(path, argv, envp);
		return;
	}
	proc_origin_remember(&ours);
	proc_origin_restore_actions(&supervision.origin);
	sigprocmask(SIG_SETMASK, &supervision.origin.mask, NULL);
	proc_signals_give_back();
	execve(path, argv, envp);
	reason = errno;
	sigprocmask(SIG_SETMASK, &ours.mask, NULL);
	proc_origin_restore_actions(&ours);
	errno = reason;
}
