#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "airlock/base/env.h"
#include "proc_internal.h"

enum {
	FIRST_PRIVATE = STDERR_FILENO + 1,
	EXIT_NOT_STARTED = 127, /* nobody reads it: the reason goes through the pipe */
};

/* Everything the child needs, made before the fork: it may not allocate any more. */
struct launch {
	const struct proc_spec *spec;
	const struct proc_origin *origin;
	sigset_t mask;
	pid_t parent;
	int standard[3]; /* what becomes 0, 1 and 2 */
	int output[2];   /* our ends */
	int null;
	int reason_read;
	int reason_write;
};

void proc_origin_remember(struct proc_origin *ret_origin)
{
	*ret_origin = (struct proc_origin) { 0 };
	sigprocmask(SIG_SETMASK, NULL, &ret_origin->mask);
	for (int number = 1; number < NSIG; number++)
		ret_origin->known[number] =
			sigaction(number, NULL, &ret_origin->actions[number]) == 0;
}

void proc_origin_restore_actions(const struct proc_origin *origin)
{
	for (int number = 1; number < NSIG; number++)
		if (origin->known[number] && number != SIGKILL && number != SIGSTOP)
			sigaction(number, &origin->actions[number], NULL);
}

int proc_memory_file(const char *data, size_t len)
{
	int fd = proc_unnamed_file();
	size_t done = 0;

	while (fd >= 0 && done < len) {
		ssize_t n = write(fd, data + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			close(fd);
			return -1;
		}
		done += (size_t)n;
	}
	if (fd >= 0)
		lseek(fd, 0, SEEK_SET);
	return fd;
}

static void close_and_forget(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void launch_release(struct launch *launch)
{
	for (size_t i = 0; i < ARRAY_LEN(launch->output); i++) {
		if (launch->standard[i + 1] != launch->null)
			close_and_forget(&launch->standard[i + 1]);
		close_and_forget(&launch->output[i]);
	}
	close_and_forget(&launch->null);
	close_and_forget(&launch->reason_read);
	close_and_forget(&launch->reason_write);
}

/* Not in one call, which is not said everywhere: there is no other thread that could fork between.
 */
int proc_pipe(int ret_ends[2])
{
	if (pipe(ret_ends))
		return -1;
	for (size_t i = 0; i < 2; i++)
		fcntl(ret_ends[i], F_SETFD, FD_CLOEXEC);
	return 0;
}

static int open_pipe(int *ret_read, int *ret_write)
{
	int ends[2];

	if (proc_pipe(ends))
		return -1;
	*ret_read = ends[0];
	*ret_write = ends[1];
	return 0;
}

static int open_output(struct launch *launch, size_t which, bool wanted)
{
	if (!wanted) {
		launch->standard[which + 1] = launch->null;
		return 0;
	}
	if (open_pipe(&launch->output[which], &launch->standard[which + 1]))
		return -1;
	/* Only our end: the child expects writes that wait. */
	return fcntl(launch->output[which], F_SETFL, O_NONBLOCK);
}

static int launch_prepare(struct launch *launch, const struct proc_spec *spec,
			  const struct proc_origin *origin, int input)
{
	*launch = (struct launch) {
		.spec = spec,
		.origin = origin,
		.mask = origin->mask,
		.parent = getpid(),
		.standard = { -1, -1, -1 },
		.output = { -1, -1 },
		.null = open("/dev/null", O_RDWR | O_CLOEXEC),
		.reason_read = -1,
		.reason_write = -1,
	};
	if (spec->hold_signals) {
		sigaddset(&launch->mask, SIGINT);
		sigaddset(&launch->mask, SIGTERM);
		sigaddset(&launch->mask, SIGHUP);
	} else {
		sigdelset(&launch->mask, SIGINT);
		sigdelset(&launch->mask, SIGTERM);
	}
	launch->standard[0] = input >= 0 ? input : launch->null;
	if (launch->null < 0 || open_output(launch, 0, spec->on_stdout) ||
	    open_output(launch, 1, spec->on_stderr))
		return -1;
	return 0;
}

static _Noreturn void give_reason(const struct launch *launch)
{
	int reason = errno;
	ssize_t n;

	do
		n = write(launch->reason_write, &reason, sizeof(reason));
	while (n < 0 && errno == EINTR);
	_exit(EXIT_NOT_STARTED);
}

/*
 * A background job of a shell ignores SIGINT, and a careless parent SIGCHLD: a child that is driven
 * has to end when it is asked to, and to know how its own children ended.
 */
static void make_endable(void)
{
	struct sigaction by_default = { .sa_handler = SIG_DFL };

	sigaction(SIGINT, &by_default, NULL);
	sigaction(SIGTERM, &by_default, NULL);
	sigaction(SIGCHLD, &by_default, NULL);
}

/* In the child, until exec: async-signal-safe calls only. All signals are blocked. */
static _Noreturn void become_program(const struct launch *launch)
{
	if (setpgid(0, 0))
		give_reason(launch);
	if (!proc_death_follow(launch->parent))
		_exit(EXIT_NOT_STARTED);
	for (int fd = 0; fd < FIRST_PRIVATE; fd++)
		if (dup2(launch->standard[fd], fd) < 0)
			give_reason(launch);
	proc_close_others_on_exec();
	if (launch->spec->cwd && chdir(launch->spec->cwd))
		give_reason(launch);
	/* The mask last: what is pending must meet the dispositions the program would have. */
	proc_origin_restore_actions(launch->origin);
	make_endable();
	sigprocmask(SIG_SETMASK, &launch->mask, NULL);
	execve(launch->spec->argv[0], launch->spec->argv, launch->spec->envp);
	give_reason(launch);
}

static pid_t fork_child(const struct launch *launch)
{
	sigset_t all, before;
	pid_t pid;
	int reason;

	/* No handler may run in the child before it is a program of its own. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid = fork();
	if (pid == 0)
		become_program(launch);
	reason = errno;
	sigprocmask(SIG_SETMASK, &before, NULL);
	errno = reason;
	return pid;
}

/* Waits for the exec: nothing comes through the pipe, and exec closes it. */
static int read_reason(int fd)
{
	int reason = 0;
	ssize_t n;

	do
		n = read(fd, &reason, sizeof(reason));
	while (n < 0 && errno == EINTR);
	return n == sizeof(reason) ? reason : 0;
}

static void reap_unstarted(pid_t pid)
{
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	proc_death_forget(pid);
}

static int cannot_start(const struct proc_spec *spec, struct err *err)
{
	return err_set(err, ERR_FILE, "cannot start '%s': %s", spec->argv[0], strerror(errno));
}

/* Waits until the program runs or is known not to. */
static int execute(struct launch *launch, struct proc_spawned *spawned, struct err *err)
{
	pid_t pid = -1;

	if (proc_death_prepare() == 0 &&
	    open_pipe(&launch->reason_read, &launch->reason_write) == 0)
		pid = fork_child(launch);
	if (pid < 0)
		return cannot_start(launch->spec, err);
	/* In both, so that the group exists whoever comes first. Fails after the exec: then the
	 * child has done it. */
	setpgid(pid, pid);
	close_and_forget(&launch->reason_write);
	spawned->start_errno = read_reason(launch->reason_read);
	if (spawned->start_errno)
		reap_unstarted(pid);
	else
		spawned->pid = pid;
	return 0;
}

int proc_spawn(const struct proc_spec *given, const struct proc_origin *origin, int input,
	       struct proc_spawned *ret_spawned, struct err *err)
{
	struct strv environment CLEANUP(strv_release) = STRV_INIT;
	struct proc_spec marked = *given;
	const struct proc_spec *spec = &marked;
	struct launch launch;
	struct proc_spawned spawned = { .output = { -1, -1 }, .link = -1 };
	int result = 0;

	env_copy(&environment, given->envp);
	proc_mark(&environment);
	marked.envp = strv_argv(&environment);
	if (launch_prepare(&launch, spec, origin, input))
		result = cannot_start(spec, err);
	else if (!spec->forker || !forker_fork(spec->forker, spec, launch.standard, &spawned))
		result = execute(&launch, &spawned, err);
	if (spawned.pid) {
		memcpy(spawned.output, launch.output, sizeof(spawned.output));
		launch.output[0] = launch.output[1] = -1;
	}
	launch_release(&launch);
	if (result == 0)
		*ret_spawned = spawned;
	return result;
}
