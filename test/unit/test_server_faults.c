#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "airlock/base/env.h"
#include "airlock/base/fs.h"
#include "airlock/base/host.h"
#include "proc_support.h"
#include "server_support.h"

/* Each scenario in a process of its own. */

static int interrupted_scenario(void)
{
	struct runner *server = serve();
	struct said said = { .send = SIGTERM };

	CHECK(tell(server, "pause", "9", &said) == 0);
	CHECK(said.server != getpid());
	CHECK(said.result.process.exit_status == 9);
	CHECK(said.result.process.interrupted_by == SIGTERM);
	CHECK(strstr(buf_cstr(&said.text), "interrupted\n"));
	CHECK(is_served(server));
	runner_free(server);
	CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
	return 0;
}

static void a_signal_reaches_the_command_as_sigint(void **state)
{
	(void)state;
	assert_holds(interrupted_scenario);
}

static int second_signal_scenario(void)
{
	struct runner *server = serve();
	struct said said = { .send = SIGINT, .send_again = SIGINT };

	CHECK(tell(server, "stay", NULL, &said) == 0);
	CHECK(said.server != getpid());
	CHECK(said.result.process.end == PROC_SIGNALLED);
	CHECK(said.result.process.signal == SIGKILL);
	CHECK(is_served(server));
	return 0;
}

static void a_second_signal_kills_the_command_and_not_the_server(void **state)
{
	(void)state;
	assert_holds(second_signal_scenario);
}

static int timeout_scenario(void)
{
	struct runner *server = serve();
	struct strv arguments = STRV_INIT;
	struct said said = { 0 };
	struct runner_command command = command_of(&arguments, &said);
	struct err err = ERR_INIT;

	strv_push(&arguments, "pause");
	strv_push(&arguments, "9");
	command.timeout_ms = 500;
	CHECK(runner_run(server, &command, &said.result, &err) == 0);
	CHECK(said.result.process.timed_out && said.result.process.exit_status == 9);
	return 0;
}

static void a_command_may_run_out_of_time(void **state)
{
	(void)state;
	assert_holds(timeout_scenario);
}

static int killed_server_scenario(void)
{
	struct runner *server = serve();
	struct said said = { .kill_server_at = 1 };
	uint64_t start;

	CHECK(is_served(server));
	CHECK(tell(server, "pause", "0", &said) == 0);
	start = host_process_start(said.pid);
	CHECK(said.result.process.end == PROC_SIGNALLED);
	CHECK(said.result.process.signal == SIGKILL);
	CHECK(start == 0 || !host_process_is_alive(said.pid, start));
	CHECK(is_plain(server));
	runner_free(server);
	CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
	return 0;
}

static void a_killed_server_is_a_killed_command(void **state)
{
	(void)state;
	assert_holds(killed_server_scenario);
}

static int killed_between_scenario(void)
{
	struct runner *server = serve();
	struct said said = { .send = SIGINT };

	CHECK(tell(server, "pause", "3", &said) == 0);
	CHECK(kill(said.server, SIGKILL) == 0);
	CHECK(is_plain(server));
	return 0;
}

static void a_server_killed_between_commands_is_not_missed(void **state)
{
	(void)state;
	assert_holds(killed_between_scenario);
}

static int interrupted_import_scenario(void)
{
	struct runner *server;
	int64_t before = host_monotonic_ms();
	struct said said = { 0 };

	env_set(&world.environment, "FAKE_IMPORT", "slow");
	server = serve();
	proc_supervise();
	kill(getpid(), SIGINT);
	CHECK(tell(server, "who", NULL, &said) == 0);
	CHECK(strcmp(buf_cstr(&said.text), "plain\n") == 0);
	/* The command has slept for 3 s, and nobody before it. */
	CHECK(host_monotonic_ms() - before < 5500);
	runner_free(server);
	return 0;
}

static void an_interruption_does_not_wait_for_the_import(void **state)
{
	(void)state;
	assert_holds(interrupted_import_scenario);
}

/* Says the pids of a command and of its server, then waits to be killed. */
static void die_with_me(void *context, const struct event *event)
{
	int *fd = context;

	dprintf(*fd, "%s\n", event->message);
}

static int dead_airlock_scenario(int out)
{
	struct runner *server = serve();
	struct strv arguments = STRV_INIT;
	struct runner_command command = {
		.arguments = &arguments,
		.environment = &world.environment,
		.on_event = die_with_me,
		.context = &out,
	};
	struct runner_result result;
	struct err err = ERR_INIT;

	strv_push(&arguments, "stay");
	runner_run(server, &command, &result, &err);
	return 0;
}

static void a_dead_airlock_leaves_neither_server_nor_command(void **state)
{
	char line[128] = "";
	long command, server;
	int ends[2];
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0)
		_exit(dead_airlock_scenario(ends[1]));
	assert_true(read(ends[0], line, sizeof(line) - 1) > 0);
	assert_int_equal(sscanf(line, "pid %ld server %ld", &command, &server), 2);
	assert_int_not_equal(server, pid);
	uint64_t command_start = host_process_start((pid_t)command);
	uint64_t server_start = host_process_start((pid_t)server);

	kill(pid, SIGKILL);
	wait_status(pid);
	assert_true(waits_for_end((pid_t)command, command_start));
	assert_true(waits_for_end((pid_t)server, server_start));
	close(ends[0]);
	close(ends[1]);
}

static pid_t server_of(struct runner *server)
{
	struct said said = { .send = SIGINT };

	return tell(server, "pause", "3", &said) == 0 ? said.server : 0;
}

/* A process that kills another after a while; wait_status() for it. */
static pid_t kill_later(pid_t pid, int after_us)
{
	pid_t killer = fork();

	if (killer == 0) {
		usleep((useconds_t)after_us);
		_exit(kill(pid, SIGKILL) ? 1 : 0);
	}
	return killer;
}

/* What a command has done stands in a file: "begun" and "done", in this order and once. */
static int kill_after_us;

static int killed_server_at_scenario(void)
{
	struct runner *server = serve();
	char *file = fs_join(world.directory, "work");
	pid_t pid = server_of(server);
	struct said said = { 0 };
	struct buf work = BUF_INIT;
	struct err err = ERR_INIT;
	pid_t killer;

	CHECK(pid > 1 && pid != getpid());
	CHECK(fs_remove(file, &err) == 0 && fs_touch(file, &err) == 0);
	killer = kill_later(pid, kill_after_us);
	CHECK(tell(server, "work", file, &said) == 0);
	CHECK(fs_read(file, 1024, &work, &err) == 0);
	if (runner_succeeded(&said.result))
		CHECK(strcmp(buf_cstr(&work), "begun\ndone\n") == 0);
	else
		CHECK(said.result.process.signal == SIGKILL && strlen(buf_cstr(&work)) <= 11);
	CHECK(proc_end_group(said.pid, host_process_start(said.pid), 0));
	CHECK(wait_status(killer) == 0);
	CHECK(is_plain(server));
	runner_free(server);
	CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
	return 0;
}

static void a_server_killed_at_any_time_is_never_success(void **state)
{
	(void)state;
	for (kill_after_us = 0; kill_after_us < 80000; kill_after_us += 4000)
		assert_holds(killed_server_at_scenario);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		WORLD_CASE(a_signal_reaches_the_command_as_sigint),
		WORLD_CASE(a_second_signal_kills_the_command_and_not_the_server),
		WORLD_CASE(a_command_may_run_out_of_time),
		WORLD_CASE(a_killed_server_is_a_killed_command),
		WORLD_CASE(a_server_killed_between_commands_is_not_missed),
		WORLD_CASE(an_interruption_does_not_wait_for_the_import),
		WORLD_CASE(a_dead_airlock_leaves_neither_server_nor_command),
		WORLD_CASE(a_server_killed_at_any_time_is_never_success),
	};

	support_init(argc, argv);
	return cmocka_run_group_tests_name("server_faults", tests, NULL, NULL);
}
