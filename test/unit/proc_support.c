#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "airlock/base/fs.h"
#include "airlock/base/host.h"
#include "airlock/base/strv.h"
#include "proc_support.h"

int support_failures = STDERR_FILENO;

pid_t fork_scenario(int (*scenario)(void))
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(scenario());
	return pid;
}

int wait_status(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

void assert_holds(int (*scenario)(void))
{
	assert_int_equal(wait_status(fork_scenario(scenario)), 0);
}

static void on_start(void *context, pid_t pid)
{
	struct watch *watch = context;

	watch->pid = pid;
	watch->out_len_at_start = watch->out.len;
}

static void on_stdout(void *context, const char *data, size_t len)
{
	struct watch *watch = context;

	buf_add(&watch->out, data, len);
	if (watch->trigger && strstr(buf_cstr(&watch->out), watch->trigger)) {
		watch->trigger = NULL;
		kill(getpid(), watch->send);
	}
	if (watch->second_trigger && strstr(buf_cstr(&watch->out), watch->second_trigger)) {
		watch->second_trigger = NULL;
		kill(getpid(), watch->second_send);
	}
	if (watch->asks_interrupted)
		proc_interrupted();
}

static void on_stderr(void *context, const char *data, size_t len)
{
	struct watch *watch = context;

	buf_add(&watch->error, data, len);
}

struct proc_spec spec_of(char *const *argv, struct watch *watch)
{
	return (struct proc_spec) {
		.argv = argv,
		.envp = environ,
		.on_start = on_start,
		.on_stdout = on_stdout,
		.on_stderr = on_stderr,
		.context = watch,
	};
}

const char *self(void)
{
	static char *path;

	if (!path)
		path = fs_real("/proc/self/exe");
	return path;
}

static char *const *command(const char *program, const char *option, const char *argument)
{
	struct strv argv = STRV_INIT;

	strv_push(&argv, program);
	strv_push(&argv, option);
	strv_push(&argv, argument);
	return strv_argv(&argv);
}

char *const *shell(const char *script)
{
	return command("/bin/sh", "-c", script);
}

char *const *role(const char *name)
{
	return command(self(), "--role", name);
}

bool prints(const struct watch *watch, const char *expected)
{
	return strcmp(buf_cstr(&watch->out), expected) == 0;
}

bool waits_for_end(pid_t pid, uint64_t start)
{
	for (int i = 0; i < 500; i++) {
		if (!host_process_is_alive(pid, start))
			return true;
		poll(NULL, 0, 10);
	}
	return false;
}

/* Roles: what the children do that a shell cannot do or say. */

static volatile sig_atomic_t may_exit_on_int;

static void say(const char *text)
{
	(void)!write(STDOUT_FILENO, text, strlen(text));
}

static void on_signal(int number)
{
	struct timespec pause = { .tv_nsec = 200000000 };

	say(number == SIGINT ? "INT\n" : "TERM\n");
	if (!may_exit_on_int)
		return;
	/* Long enough for a second copy of the signal to show. */
	if (number == SIGINT) {
		struct sigaction same = { .sa_handler = on_signal, .sa_flags = SA_NODEFER };

		may_exit_on_int = 0;
		sigaction(SIGINT, &same, NULL);
		nanosleep(&pause, NULL);
		_exit(130);
	}
}

static int wait_for_signals(bool is_polite)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_NODEFER };

	may_exit_on_int = is_polite;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	say("ready\n");
	for (int i = 0; i < 600; i++)
		poll(NULL, 0, 100);
	return 1;
}

static int wait_politely(void)
{
	return wait_for_signals(true);
}

static int wait_stubbornly(void)
{
	return wait_for_signals(false);
}

static int wait_for_death(void)
{
	say("ready\n");
	poll(NULL, 0, 60000);
	return 1;
}

/* A leader that dies of the first signal, and a worker in its group. */
static int wrap(int (*worker)(void))
{
	pid_t pid = fork();

	if (pid == 0) {
		dprintf(STDERR_FILENO, "worker %d\n", getpid());
		return worker();
	}
	poll(NULL, 0, 60000);
	return 1;
}

static int wrap_polite(void)
{
	return wrap(wait_politely);
}

static int wrap_stubborn(void)
{
	return wrap(wait_stubbornly);
}

static int wrap_mortal(void)
{
	return wrap(wait_for_death);
}

static int polite_pair(void)
{
	pid_t pid = fork();

	wait_for_signals(true);
	return pid < 0;
}

static int print_ids(void)
{
	printf("pid %d group %d parent %d\n", getpid(), getpgrp(), getppid());
	return 0;
}

static int print_signals(void)
{
	struct sigaction action;
	sigset_t mask;

	sigprocmask(SIG_SETMASK, NULL, &mask);
	printf("blocked");
	for (int number = 1; number < NSIG; number++)
		if (sigismember(&mask, number) == 1)
			printf(" %d", number);
	printf(" ignored");
	for (int number = 1; number < NSIG; number++)
		if (sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
			printf(" %d", number);
	printf("\n");
	return 0;
}

static int print_descriptors(void)
{
	const char *separator = "";

	for (int fd = 0; fd < 1024; fd++) {
		if (fcntl(fd, F_GETFD) < 0)
			continue;
		printf("%s%d", separator, fd);
		separator = " ";
	}
	printf("\n");
	return 0;
}

static int is_pristine(void)
{
	struct sigaction action;
	sigset_t mask;

	sigprocmask(SIG_SETMASK, NULL, &mask);
	for (int number = 1; number < NSIG; number++)
		if (sigismember(&mask, number) == 1)
			return 1;
	for (int fd = 3; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			return 2;
	return sigaction(SIGCHLD, NULL, &action) == 0 && action.sa_handler == SIG_DFL ? 42 : 3;
}

struct role_row {
	const char *name;
	int (*play)(void);
};

static const struct role_row role_rows[] = {
	{ "ids", print_ids },
	{ "signals", print_signals },
	{ "descriptors", print_descriptors },
	{ "is-pristine", is_pristine },
	{ "polite", wait_politely },
	{ "stubborn", wait_stubbornly },
	{ "polite-pair", polite_pair },
	{ "polite-worker", wrap_polite },
	{ "stubborn-worker", wrap_stubborn },
	{ "mortal-worker", wrap_mortal },
};

void support_init(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "--role") == 0)
		for (size_t i = 0; i < ARRAY_LEN(role_rows); i++)
			if (strcmp(role_rows[i].name, argv[2]) == 0)
				exit(role_rows[i].play());
	support_failures = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 100);
	unsetenv("USER");
}
