/*
 * A guard: a process that knows the groups of the children that run, and kills them when airlock is
 * gone. It hears of them through a pipe whose end tells it of the death: pid for a new one, -pid
 * for one that has ended.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "airlock/base/mem.h"
#include "proc_internal.h"

enum {
	WATCHED_MOST = 256, /* children side by side */
	LAST_GUESS = 1024,  /* what airlock may have inherited besides 0 to 2 */
};

static struct {
	pid_t of; /* the process that has started it */
	int end;  /* where that writes */
} guard = { .end = -1 };

static void note(pid_t groups[WATCHED_MOST], pid_t pid)
{
	pid_t from = pid > 0 ? 0 : -pid;

	for (size_t i = 0; i < WATCHED_MOST; i++)
		if (groups[i] == from) {
			groups[i] = pid > 0 ? pid : 0;
			return;
		}
}

static _Noreturn void watch(int fd)
{
	pid_t groups[WATCHED_MOST] = { 0 };
	pid_t pid;
	ssize_t n;

	while ((n = read(fd, &pid, sizeof(pid))) != 0) {
		if (n == sizeof(pid))
			note(groups, pid);
		else if (n > 0 || errno != EINTR)
			break;
	}
	for (size_t i = 0; i < WATCHED_MOST; i++)
		if (groups[i] > 0)
			kill(-groups[i], SIGKILL);
	_exit(0);
}

/* All signals are blocked. Nothing of airlock's stays open in it, else a reader of its output would
 * wait for the guard too. */
static _Noreturn void become_guard(int end)
{
	int fd = STDERR_FILENO + 1;

	setpgid(0, 0);
	if (chdir("/") || dup2(end, fd) < 0)
		_exit(1);
	for (int i = 0; i < LAST_GUESS; i++)
		if (i != fd)
			close(i);
	watch(fd);
}

int proc_death_prepare(void)
{
	sigset_t all, before;
	int ends[2], status = 0;
	pid_t pid, self = getpid();

	if (guard.end >= 0 && guard.of == self)
		return 0;
	if (guard.end >= 0)
		close(guard.end);
	guard.end = -1;
	if (proc_pipe(ends))
		return -1;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid = fork();
	/* No child of airlock's, so that what waits for any child never meets it. */
	if (pid == 0 && (pid = fork()) == 0)
		become_guard(ends[0]);
	if (getpid() != self)
		_exit(pid < 0);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	sigprocmask(SIG_SETMASK, &before, NULL);
	/* Its own end stays open here: without a guard a write must not end in SIGPIPE. */
	guard.end = ends[1];
	guard.of = self;
	fcntl(guard.end, F_SETFL, O_NONBLOCK);
	return pid < 0 || status ? -1 : 0;
}

static bool tell(pid_t pid)
{
	ssize_t n;

	do
		n = write(guard.end, &pid, sizeof(pid));
	while (n < 0 && errno == EINTR);
	return n == sizeof(pid);
}

bool proc_death_follow(pid_t parent)
{
	return tell(getpid()) && getppid() == parent;
}

void proc_death_forget(pid_t pid)
{
	tell(-pid);
}
