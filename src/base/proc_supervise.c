/* The signals of this process: how it was started, what has arrived since, and what it leaves. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/signalfd.h>
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
 * The signals are blocked for good and read from a descriptor: none is lost between two polls,
 * and no handler runs. A SIGCHLD inherited as ignored would make the kernel drop exit statuses.
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
	sigprocmask(SIG_BLOCK, &watched, NULL);
	supervision.signal_fd = signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
	if (supervision.signal_fd < 0)
		abort();
	supervision.is_on = true;
}

/* SIGCHLD only ends the poll: who has ended is asked for each child. */
void proc_note_signals(void)
{
	struct signalfd_siginfo info;
	bool any = false;

	if (!supervision.is_on)
		return;
	for (;;) {
		ssize_t n = read(supervision.signal_fd, &info, sizeof(info));

		if (n < 0 && errno == EINTR)
			continue;
		if (n != sizeof(info))
			break;
		if (info.ssi_signo == SIGCHLD)
			continue;
		supervision.last_noted = (int)info.ssi_signo;
		if (!supervision.first_noted)
			supervision.first_noted = supervision.last_noted;
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
	execve(path, argv, envp);
	reason = errno;
	sigprocmask(SIG_SETMASK, &ours.mask, NULL);
	proc_origin_restore_actions(&ours);
	errno = reason;
}
