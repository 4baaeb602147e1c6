/*
 * Runs one dbt command through a runner, for tests that compare them: every event on stdout, how it
 * ended on stderr. usage: run_dbt plain|server DBT ARGUMENT...
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "airlock/base/buf.h"
#include "airlock/base/env.h"
#include "airlock/base/fs.h"
#include "airlock/dbt/server.h"

extern char **environ;

static void on_event(void *context, const struct event *event)
{
	(void)context;
	printf("%s|%s|%s|%s|%s\n", event->name, event->level, event->unique_id, event->status,
	       event->message);
}

/* Field 4 of /proc/PID/stat, behind the name in parentheses. */
static void on_start(void *context, pid_t pid)
{
	char *path CLEANUP(mem_free_string) = mem_printf("/proc/%ld/stat", (long)pid);
	struct err ignored CLEANUP(err_release) = ERR_INIT;
	struct buf stat CLEANUP(buf_release) = BUF_INIT;
	long *parent = context;
	const char *at;

	if (fs_read(path, 4096, &stat, &ignored) == 0 && (at = strrchr(buf_cstr(&stat), ')')))
		sscanf(at, ") %*c %ld", parent);
}

static int run(struct runner *runner, char **words)
{
	struct strv arguments CLEANUP(strv_release) = STRV_INIT;
	struct strv environment CLEANUP(strv_release) = STRV_INIT;
	struct runner_result result CLEANUP(runner_result_release) = { 0 };
	struct err err CLEANUP(err_release) = ERR_INIT;
	long parent = 0;
	const struct runner_command command = {
		.arguments = &arguments,
		.environment = &environment,
		.on_event = on_event,
		.on_start = on_start,
		.context = &parent,
	};

	env_copy(&environment, environ);
	for (; *words; words++)
		strv_push(&arguments, *words);
	if (runner_run(runner, &command, &result, &err) < 0) {
		fprintf(stderr, "%s\n", err.message);
		return 1;
	}
	char *how CLEANUP(mem_free_string) = runner_describe(&result);

	fprintf(stderr, "%s: %s\n%s\n", parent == getpid() ? "plain" : "served", how,
		result.first_error ? result.first_error : "no error");
	return 0;
}

int main(int argc, char **argv)
{
	struct strv environment CLEANUP(strv_release) = STRV_INIT;
	struct runner *runner;
	int status;

	if (argc < 3)
		return 2;
	env_copy(&environment, environ);
	runner = strcmp(argv[1], "server") ? runner_plain(argv[2])
					   : runner_server(argv[2], &environment);
	status = run(runner, argv + 3);
	runner_free(runner);
	return status;
}
