#include "airlock/dbt/runner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "airlock/base/buf.h"
#include "airlock/base/host.h"
#include "airlock/base/mem.h"
#include "airlock/format/jsonl.h"
#include "runner_internal.h"

#define LINE_LIMIT ((size_t)64 << 20)
#define STDERR_KEPT 4096

struct plain {
	struct runner base;
	char *dbt_path;
	struct forker *forker; /* NULL: every command is executed */
	bool is_second;        /* dbt 2.x, which has other log options */
};

/* One command while it runs: what it says is split, typed and passed on. */
struct listener {
	const struct runner_command *command;
	struct runner_result *result;
	struct jsonl lines;
	struct buf last_stderr;
};

static void on_start(void *context, pid_t pid)
{
	struct listener *listener = context;

	if (listener->command->on_start)
		listener->command->on_start(listener->command->context, pid);
}

static bool on_beat(void *context)
{
	struct listener *listener = context;

	return listener->command->on_beat(listener->command->context);
}

static void on_event(void *context, const struct event *event)
{
	struct listener *listener = context;
	struct runner_result *result = listener->result;
	size_t len = event->invocation_id ? strlen(event->invocation_id) : 0;

	if (len && len < sizeof(result->invocation_id))
		memcpy(result->invocation_id, event->invocation_id, len + 1);
	if (event->kind == EVENT_ERROR && !result->first_error && event->message && *event->message)
		result->first_error = mem_strdup(event->message);
	if (listener->command->on_event)
		listener->command->on_event(listener->command->context, event);
}

static void on_line(void *context, const char *line, size_t len)
{
	/* What a line over the limit said is lost here; who needs it misses it and says so. */
	if (line)
		event_parse(line, len, on_event, context);
}

static void on_stdout(void *context, const char *data, size_t len)
{
	struct listener *listener = context;

	jsonl_feed(&listener->lines, data, len, on_line, listener);
}

static void on_stderr(void *context, const char *data, size_t len)
{
	struct listener *listener = context;
	struct buf *last = &listener->last_stderr;

	if (len > STDERR_KEPT) {
		data += len - STDERR_KEPT;
		len = STDERR_KEPT;
	}
	buf_add(last, data, len);
	if (last->len > STDERR_KEPT)
		buf_remove_front(last, last->len - STDERR_KEPT);
}

/* Whole lines only, without the space around them. */
static char *last_lines(const struct buf *last)
{
	const char *text = buf_cstr(last);
	size_t len = strlen(text);
	const char *newline = last->len < STDERR_KEPT ? NULL : strchr(text, '\n');

	if (newline) {
		len -= (size_t)(newline + 1 - text);
		text = newline + 1;
	}
	while (len && strchr(" \t\r\n", text[len - 1]))
		len--;
	while (len && strchr(" \t\r\n", *text)) {
		text++;
		len--;
	}
	return len ? mem_strndup(text, len) : NULL;
}

static void listener_init(struct listener *listener, const struct runner_command *command,
			  struct runner_result *result)
{
	*listener = (struct listener) { .command = command, .result = result };
	*result = (struct runner_result) { 0 };
	jsonl_init(&listener->lines, LINE_LIMIT);
}

static void listener_end(struct listener *listener, const struct proc_result *process)
{
	struct runner_result *result = listener->result;

	jsonl_end(&listener->lines, on_line, listener);
	result->process = *process;
	/* A dbt that ended well may have warned there, and what a killed one leaves is noise. */
	if (!result->first_error && process->end == PROC_EXITED && process->exit_status)
		result->first_error = last_lines(&listener->last_stderr);
	jsonl_release(&listener->lines);
	buf_release(&listener->last_stderr);
}

/* What runner_push_log_options() says, as dbt 2.x has it: it calls one value otherwise, and warns
 * of two options that do nothing there, which DBT_WARN_ERROR would make an error. */
static void push_as_second(struct strv *argv, const struct strv *arguments)
{
	for (size_t i = 0; i < arguments->n; i++) {
		const char *argument = arguments->v[i];

		if (!strcmp(argument, "--print") || !strcmp(argument, "--no-use-colors"))
			continue;
		if (i > 0 && !strcmp(arguments->v[i - 1], "--log-level-file"))
			argument = "off";
		strv_push(argv, argument);
	}
}

static void command_line(struct strv *argv, const struct plain *plain, const struct strv *arguments)
{
	*argv = (struct strv)STRV_INIT;
	strv_push(argv, plain->dbt_path);
	if (plain->is_second)
		push_as_second(argv, arguments);
	else
		strv_push_all(argv, arguments);
}

static int run_commands(struct plain *plain, const struct runner_command *commands, size_t n,
			struct runner_result *ret_results, struct err *err)
{
	struct listener *listeners = mem_alloc((n + 1) * sizeof(*listeners));
	struct proc_spec *specs = mem_alloc((n + 1) * sizeof(*specs));
	struct proc_result *processes = mem_alloc((n + 1) * sizeof(*processes));
	struct strv *lines = mem_alloc((n + 1) * sizeof(*lines));
	int rc;

	for (size_t i = 0; i < n; i++) {
		listener_init(&listeners[i], &commands[i], &ret_results[i]);
		command_line(&lines[i], plain, commands[i].arguments);
		specs[i] = (struct proc_spec) {
			.argv = strv_argv(&lines[i]),
			.envp = strv_argv(commands[i].environment),
			.forker = plain->forker,
			.hold_signals = commands[i].hold_signals,
			.timeout_ms = commands[i].timeout_ms ? commands[i].timeout_ms
							     : plain->base.timeout_ms,
			.beat_ms = commands[i].beat_ms,
			.on_beat = commands[i].on_beat ? on_beat : NULL,
			.on_start = on_start,
			.on_stdout = on_stdout,
			.on_stderr = on_stderr,
			.context = &listeners[i],
		};
	}
	rc = proc_run_all(specs, n, processes, err);
	for (size_t i = 0; i < n; i++) {
		listener_end(&listeners[i], &processes[i]);
		strv_release(&lines[i]);
		if (rc < 0)
			runner_result_release(&ret_results[i]);
	}
	free(lines);
	free(processes);
	free(specs);
	free(listeners);
	return rc;
}

/* dbt 2.x looks at its whole command line before it does anything. */
static bool is_refused_by_second(const struct runner_result *result)
{
	return result->process.end == PROC_EXITED && result->process.exit_status == 2 &&
	       result->first_error && strstr(result->first_error, "'none' for '--log-level-file");
}

/* Nothing tells the two apart before one is started: either can stand behind a script. */
static int plain_run(struct runner *runner, const struct runner_command *commands, size_t n,
		     struct runner_result *ret_results, struct err *err)
{
	struct plain *plain = (struct plain *)runner;
	int rc = run_commands(plain, commands, n, ret_results, err);

	if (rc < 0 || plain->is_second || !n || !is_refused_by_second(&ret_results[0]))
		return rc;
	for (size_t i = 0; i < n; i++)
		runner_result_release(&ret_results[i]);
	plain->is_second = true;
	return run_commands(plain, commands, n, ret_results, err);
}

static void plain_release(struct runner *runner)
{
	struct plain *plain = (struct plain *)runner;

	forker_free(plain->forker);
	free(plain->dbt_path);
	free(plain);
}

struct runner *runner_make(const char *name, const char *dbt_path, struct forker *forker)
{
	struct plain *plain = mem_alloc(sizeof(*plain));

	plain->base.name = name;
	plain->base.run = plain_run;
	plain->base.release = plain_release;
	plain->dbt_path = mem_strdup(dbt_path);
	plain->forker = forker;
	return &plain->base;
}

struct runner *runner_plain(const char *dbt_path)
{
	return runner_make("plain", dbt_path, NULL);
}

int runner_run(struct runner *runner, const struct runner_command *command,
	       struct runner_result *ret_result, struct err *err)
{
	return runner_run_all(runner, command, 1, ret_result, err);
}

static int run_with(struct runner *runner, struct runner_beside *beside,
		    const struct runner_command *commands, size_t n,
		    struct runner_result *ret_results, struct err *err)
{
	struct runner_command *all = mem_alloc((n + 1) * sizeof(*all));
	struct runner_result *results = mem_alloc((n + 1) * sizeof(*results));
	int rc;

	memcpy(all, commands, n * sizeof(*all));
	all[n] = beside->command;
	rc = runner->run(runner, all, n + 1, results, err);
	memcpy(ret_results, results, n * sizeof(*results));
	beside->result = results[n];
	beside->has_run = rc == 0;
	free(all);
	free(results);
	return rc;
}

int runner_run_all(struct runner *runner, const struct runner_command *commands, size_t n,
		   struct runner_result *ret_results, struct err *err)
{
	struct runner_beside *beside = runner->beside;

	runner->beside = NULL;
	runner->starts += (unsigned)n + (beside ? 1 : 0);
	if (beside)
		return run_with(runner, beside, commands, n, ret_results, err);
	return runner->run(runner, commands, n, ret_results, err);
}

void runner_result_release(struct runner_result *result)
{
	free(result->first_error);
	*result = (struct runner_result) { 0 };
}

void runner_free(struct runner *runner)
{
	if (runner)
		runner->release(runner);
}

static char *signal_name(int signal)
{
	const char *name = host_signal_name(signal);

	return name ? mem_strdup(name) : mem_printf("signal %d", signal);
}

char *runner_describe(const struct runner_result *result)
{
	const struct proc_result *process = &result->process;
	char *name CLEANUP(mem_free_string) = NULL;

	if (process->timed_out)
		return mem_strdup("ran out of time");
	switch (process->end) {
	case PROC_NOT_STARTED:
		return mem_printf("could not be started: %s", strerror(process->start_errno));
	case PROC_EXITED:
		return mem_printf("exited with %d", process->exit_status);
	case PROC_SIGNALLED:
		name = signal_name(process->signal);
		return mem_printf("was killed by %s", name);
	}
	return mem_strdup("ended");
}

bool runner_succeeded(const struct runner_result *result)
{
	return result->process.end == PROC_EXITED && result->process.exit_status == 0;
}

static enum err_code start_error(int start_errno)
{
	if (start_errno == ENOENT || start_errno == ENOTDIR)
		return ERR_DBT_NOT_FOUND;
	if (start_errno == EACCES || start_errno == ENOEXEC)
		return ERR_DBT_NOT_EXECUTABLE;
	return ERR_DBT_FAILED;
}

int runner_error(const struct runner_result *result, const char *what, struct err *err)
{
	const struct proc_result *process = &result->process;
	char *how CLEANUP(mem_free_string) = runner_describe(result);
	char *name CLEANUP(mem_free_string) = NULL;

	if (process->timed_out)
		return err_set(err, ERR_TIMED_OUT, "%s ran out of time after %lld s", what,
			       (long long)(process->elapsed_ms / 1000));
	if (process->interrupted_by) {
		name = signal_name(process->interrupted_by);
		err_set(err, ERR_INTERRUPTED, "%s was interrupted by %s", what, name);
		err->exit_status = 128 + process->interrupted_by;
		return -1;
	}
	if (process->end == PROC_NOT_STARTED)
		return err_set(err, start_error(process->start_errno), "%s %s", what, how);
	if (result->first_error)
		err_set(err, ERR_DBT_FAILED, "%s %s: %s", what, how, result->first_error);
	else
		err_set(err, ERR_DBT_FAILED, "%s %s", what, how);
	err->exit_status =
		process->end == PROC_SIGNALLED ? 128 + process->signal : process->exit_status;
	return -1;
}

void runner_push_log_options(struct strv *arguments)
{
	static const char *const options[] = {
		"--log-format", "json",       "--log-level",     "info",
		"--print",      "--no-quiet", "--no-use-colors", "--log-level-file",
		"none",
	};

	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		strv_push(arguments, options[i]);
}
