#include "airlock/deploy/hook.h"

#include <string.h>

#include "airlock/base/buf.h"
#include "airlock/base/proc.h"
#include "airlock/format/json.h"
#include "airlock/format/jsonl.h"

enum { LINE_LIMIT = 64 * 1024 };

/* A hook while it runs: its two outputs are told as they come, line by line. */
struct listener {
	const struct hook *hook;
	struct jsonl out;
	struct jsonl err;
};

static void tell(const struct hook *hook, const char *line)
{
	char *text CLEANUP(mem_free_string) = mem_printf("%s: %s", hook->name, line);

	hook->reporter->note(hook->reporter, text);
}

static void on_line(void *context, const char *line, size_t len)
{
	const struct listener *listener = context;

	(void)len;
	tell(listener->hook, line ? line : "(a line that is too long)");
}

static void on_stdout(void *context, const char *data, size_t len)
{
	struct listener *listener = context;

	jsonl_feed(&listener->out, data, len, on_line, listener);
}

static void on_stderr(void *context, const char *data, size_t len)
{
	struct listener *listener = context;

	jsonl_feed(&listener->err, data, len, on_line, listener);
}

static void on_event(void *context, const struct event *event)
{
	const struct hook *hook = context;

	if (event->message && *event->message)
		tell(hook, event->message);
}

static int run_program(const struct hook *hook, struct runner_result *result, struct err *err)
{
	struct listener listener = { .hook = hook };
	struct buf input CLEANUP(buf_release) = BUF_INIT;
	struct proc_spec spec = {
		.argv = strv_argv(hook->command),
		.envp = strv_argv(hook->environment),
		.cwd = hook->directory,
		.timeout_ms = hook->timeout_ms,
		.on_stdout = on_stdout,
		.on_stderr = on_stderr,
		.context = &listener,
	};
	int rc;

	js_write_line(hook->document, &input);
	spec.input = input.data;
	spec.input_len = input.len;
	jsonl_init(&listener.out, LINE_LIMIT);
	jsonl_init(&listener.err, LINE_LIMIT);
	rc = proc_run(&spec, &result->process, err);
	jsonl_end(&listener.out, on_line, &listener);
	jsonl_end(&listener.err, on_line, &listener);
	jsonl_release(&listener.out);
	jsonl_release(&listener.err);
	return rc;
}

static int run_dbt(const struct hook *hook, struct runner_result *result, struct err *err)
{
	const struct runner_command command = {
		.arguments = hook->command,
		.environment = hook->environment,
		.timeout_ms = hook->timeout_ms,
		.on_event = on_event,
		.context = (void *)(uintptr_t)hook,
	};

	return runner_run(hook->runner, &command, result, err);
}

static int judge(const struct hook *hook, const struct runner_result *result, struct err *err)
{
	char *how CLEANUP(mem_free_string) = runner_describe(result);

	if (runner_succeeded(result) && !result->process.timed_out &&
	    !result->process.interrupted_by)
		return 0;
	if (result->process.timed_out || result->process.interrupted_by) {
		char *what CLEANUP(mem_free_string) = mem_printf("the hook '%s'", hook->name);

		runner_error(result, what, err);
		if (result->process.timed_out)
			err_hint(err, "hook_timeout limits it");
		return -1;
	}
	if (result->first_error)
		return err_set(err, ERR_HOOK_FAILED, "the hook '%s' %s: %s", hook->name, how,
			       result->first_error);
	return err_set(err, ERR_HOOK_FAILED, "the hook '%s' %s", hook->name, how);
}

static json_t *record_of(const struct hook *hook, const struct runner_result *result)
{
	const struct strv *command = hook->command;
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	bool exited = result->process.end == PROC_EXITED && !result->process.timed_out;

	for (size_t i = 0; i < command->n; i++) {
		if (i > 0)
			buf_add_char(&text, ' ');
		buf_add_shell_word(&text, command->v[i]);
	}
	return json_pack("{s:s, s:s, s:o, s:I}", "hook", hook->name, "command", buf_cstr(&text),
			 "exit", exited ? json_integer(result->process.exit_status) : json_null(),
			 "elapsed_ms", (json_int_t)result->process.elapsed_ms);
}

int hook_run(const struct hook *hook, json_t **ret_record, struct err *err)
{
	struct runner_result result = { 0 };
	int rc = hook->runner ? run_dbt(hook, &result, err) : run_program(hook, &result, err);

	*ret_record = record_of(hook, &result);
	if (rc == 0)
		rc = judge(hook, &result, err);
	runner_result_release(&result);
	return rc;
}
