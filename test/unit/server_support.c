#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "airlock/base/env.h"
#include "airlock/base/fs.h"
#include "proc_support.h"
#include "server_support.h"

struct world world;

/* The interpreter itself, since python3 on PATH may be a shim. */
static char *find_python(void)
{
	char path[4096] = "";
	FILE *out = popen("python3 -c 'import sys; print(sys.executable, end=\"\")'", "r");

	if (out && !fgets(path, sizeof(path), out))
		path[0] = '\0';
	if (out)
		pclose(out);
	return mem_strdup(path);
}

void world_write_dbt(const char *first_lines, const char *body)
{
	struct err err = ERR_INIT;
	char *text CLEANUP(mem_free_string) = mem_printf("%s\n%s", first_lines, body);

	assert_int_equal(fs_write_atomic(world.dbt, text, strlen(text), 0755, &err), 0);
}

int world_setup(void **state)
{
	(void)state;
	/* A job in the background has it ignored, and hands that on. */
	signal(SIGINT, SIG_DFL);
	strcpy(world.directory, "/tmp/airlock-server.XXXXXX");
	if (!mkdtemp(world.directory))
		return -1;
	world.dbt = fs_join(world.directory, "dbt");
	world.python = find_python();
	env_copy(&world.environment, environ);
	env_unset(&world.environment, "AIRLOCK_FORK_SERVER");
	env_set(&world.environment, "PYTHONPATH", FAKE_PACKAGE);
	env_set(&world.environment, "PYTHONDONTWRITEBYTECODE", "1");
	char *line CLEANUP(mem_free_string) = mem_printf("#!%s", world.python);

	world_write_dbt(line, FAKE_BODY);
	return 0;
}

int world_teardown(void **state)
{
	char *command CLEANUP(mem_free_string) = mem_printf("rm -rf '%s'", world.directory);
	int rc = system(command);

	(void)state;
	free(world.dbt);
	free(world.python);
	strv_release(&world.environment);
	return rc;
}

void said_release(struct said *said)
{
	buf_release(&said->text);
	runner_result_release(&said->result);
}

static void on_event(void *context, const struct event *event)
{
	struct said *said = context;
	long pid, server;

	buf_printf(&said->text, "%s\n", event->message);
	if (sscanf(event->message, "pid %ld server %ld", &pid, &server) == 2)
		said->server = (pid_t)server;
	if (said->kill_server_at)
		kill(said->server, SIGKILL);
	if (said->send_again && strcmp(event->message, "INT") == 0)
		kill(getpid(), said->send_again);
	if (said->send)
		kill(getpid(), said->send);
	said->send = 0;
}

static void on_start(void *context, pid_t pid)
{
	struct said *said = context;

	said->pid = pid;
}

struct runner_command command_of(const struct strv *arguments, struct said *said)
{
	return (struct runner_command) {
		.arguments = arguments,
		.environment = &world.environment,
		.on_event = on_event,
		.on_start = on_start,
		.context = said,
	};
}

int tell(struct runner *runner, const char *verb, const char *argument, struct said *said)
{
	struct strv arguments CLEANUP(strv_release) = STRV_INIT;
	struct runner_command command = command_of(&arguments, said);
	struct err err CLEANUP(err_release) = ERR_INIT;

	strv_push(&arguments, verb);
	if (argument)
		strv_push(&arguments, argument);
	return runner_run(runner, &command, &said->result, &err);
}

struct runner *serve(void)
{
	return runner_server(world.dbt, &world.environment);
}

void runner_release(struct runner **runner)
{
	runner_free(*runner);
}

bool is_served(struct runner *runner)
{
	struct said said CLEANUP(said_release) = { 0 };

	if (tell(runner, "who", NULL, &said) < 0 || !runner_succeeded(&said.result))
		return false;
	return strcmp(buf_cstr(&said.text), "served\n") == 0;
}

bool is_plain(struct runner *runner)
{
	struct said said CLEANUP(said_release) = { 0 };

	if (tell(runner, "who", NULL, &said) < 0 || !runner_succeeded(&said.result))
		return false;
	return strcmp(buf_cstr(&said.text), "plain\n") == 0;
}
