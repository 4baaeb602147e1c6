#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "airlock/base/env.h"
#include "airlock/base/fs.h"
#include "airlock/base/mem.h"
#include "airlock/dbt/runner.h"

extern char **environ;

struct seen {
	size_t events;
	size_t starts;
	pid_t pid;
	char *last_text;
};

static void on_event(void *context, const struct event *event)
{
	struct seen *seen = context;

	seen->events++;
	if (event->kind == EVENT_TEXT) {
		free(seen->last_text);
		seen->last_text = mem_strdup(event->message);
	}
}

static void on_start(void *context, pid_t pid)
{
	struct seen *seen = context;

	seen->starts++;
	seen->pid = pid;
}

static void seen_release(struct seen *seen)
{
	free(seen->last_text);
}

static void runner_release(struct runner **runner)
{
	runner_free(*runner);
}

/* Runs `sh -c script`, so that the script is what dbt does. */
static void run(const char *script, int64_t timeout_ms, struct seen *seen,
		struct runner_result *result)
{
	struct runner *runner CLEANUP(runner_release) = runner_plain("/bin/sh");
	struct strv arguments CLEANUP(strv_release) = STRV_INIT;
	struct strv environment CLEANUP(strv_release) = STRV_INIT;
	struct runner_command command = {
		.arguments = &arguments,
		.environment = &environment,
		.timeout_ms = timeout_ms,
		.on_event = on_event,
		.on_start = on_start,
		.context = seen,
	};
	struct err err = ERR_INIT;

	strv_push(&arguments, "-c");
	strv_push(&arguments, script);
	env_copy(&environment, environ);
	assert_int_equal(runner_run(runner, &command, result, &err), 0);
	assert_int_equal(runner->starts, 1);
}

#define LOG(NAME, LEVEL, MESSAGE)                                                                  \
	"echo '{\"info\": {\"name\": \"" NAME "\", \"code\": \"X\", \"level\": \"" LEVEL           \
	"\", \"msg\": \"" MESSAGE "\", \"invocation_id\": \"id-1\"}, \"data\": {}}';"

static void events_arrive_in_order_and_the_invocation_is_known(void **state)
{
	struct seen seen CLEANUP(seen_release) = { 0 };
	struct runner_result result CLEANUP(runner_result_release);

	(void)state;
	run("echo 'no json'; " LOG("A", "info", "one") LOG("B", "warn", "two") "printf 'tail'", 0,
	    &seen, &result);
	assert_true(runner_succeeded(&result));
	assert_int_equal(seen.starts, 1);
	assert_true(seen.pid > 1);
	assert_int_equal(seen.events, 4);
	assert_string_equal(seen.last_text, "tail");
	assert_string_equal(result.invocation_id, "id-1");
	assert_null(result.first_error);
}

static void the_first_error_is_the_reason(void **state)
{
	struct seen seen CLEANUP(seen_release) = { 0 };
	struct runner_result result CLEANUP(runner_result_release);
	struct err err CLEANUP(err_release) = ERR_INIT;

	(void)state;
	run(LOG("A", "error", "") LOG("B", "error", "first") LOG("C", "error", "second") "exit 1",
	    0, &seen, &result);
	assert_string_equal(result.first_error, "first");
	assert_int_equal(runner_error(&result, "'dbt build'", &err), -1);
	assert_int_equal(err.code, ERR_DBT_FAILED);
	assert_int_equal(err_exit_status(&err), 1);
	assert_string_equal(err.message, "'dbt build' exited with 1: first");
}

static void dbt_s_own_exit_status_is_kept(void **state)
{
	struct seen seen CLEANUP(seen_release) = { 0 };
	struct runner_result result CLEANUP(runner_result_release);
	struct err err CLEANUP(err_release) = ERR_INIT;

	(void)state;
	run("exit 2", 0, &seen, &result);
	assert_false(runner_succeeded(&result));
	runner_error(&result, "'dbt parse'", &err);
	assert_int_equal(err_exit_status(&err), 2);
	assert_string_equal(err.message, "'dbt parse' exited with 2");
}

static void without_an_error_event_the_end_of_stderr_is_the_reason(void **state)
{
	struct seen seen CLEANUP(seen_release) = { 0 };
	struct runner_result result CLEANUP(runner_result_release);

	(void)state;
	run("echo 'Error: No such option' >&2; exit 2", 0, &seen, &result);
	assert_string_equal(result.first_error, "Error: No such option");
	runner_result_release(&result);
	/* Much of it: whole last lines. */
	run("i=0; while [ $i -lt 2000 ]; do echo \"line $i\" >&2; i=$((i + 1)); done; exit 1", 0,
	    &seen, &result);
	assert_true(strlen(result.first_error) <= 4096);
	assert_true(!strncmp(result.first_error, "line ", 5));
	assert_non_null(strstr(result.first_error, "line 1999"));
}

static void warnings_of_a_good_end_are_no_error(void **state)
{
	struct seen seen CLEANUP(seen_release) = { 0 };
	struct runner_result result CLEANUP(runner_result_release);

	(void)state;
	run("echo warning >&2", 0, &seen, &result);
	assert_null(result.first_error);
}

static void a_signal_is_128_and_its_number(void **state)
{
	struct seen seen CLEANUP(seen_release) = { 0 };
	struct runner_result result CLEANUP(runner_result_release);
	struct err err CLEANUP(err_release) = ERR_INIT;

	(void)state;
	run("echo noise >&2; kill -KILL $$", 0, &seen, &result);
	runner_error(&result, "'dbt build'", &err);
	assert_int_equal(err.code, ERR_DBT_FAILED);
	assert_int_equal(err_exit_status(&err), 128 + SIGKILL);
	assert_string_equal(err.message, "'dbt build' was killed by SIGKILL");
}

static void a_time_out_is_an_error_of_its_own(void **state)
{
	struct seen seen CLEANUP(seen_release) = { 0 };
	struct runner_result result CLEANUP(runner_result_release);
	struct err err CLEANUP(err_release) = ERR_INIT;
	char *how CLEANUP(mem_free_string) = NULL;

	(void)state;
	run("exec sleep 60", 300, &seen, &result);
	how = runner_describe(&result);
	assert_string_equal(how, "ran out of time");
	runner_error(&result, "'dbt build'", &err);
	assert_int_equal(err.code, ERR_TIMED_OUT);
	assert_int_equal(err_exit_status(&err), 124);
}

static void an_interruption_is_an_error_of_its_own(void **state)
{
	struct runner_result result = {
		.process = { .end = PROC_EXITED, .exit_status = 2, .interrupted_by = SIGTERM },
	};
	struct err err CLEANUP(err_release) = ERR_INIT;

	(void)state;
	runner_error(&result, "'dbt build'", &err);
	assert_int_equal(err.code, ERR_INTERRUPTED);
	assert_int_equal(err_exit_status(&err), 128 + SIGTERM);
}

static void a_dbt_that_does_not_start_is_126_or_127(void **state)
{
	static const struct {
		int start_errno;
		enum err_code code;
	} cases[] = {
		{ ENOENT, ERR_DBT_NOT_FOUND },
		{ EACCES, ERR_DBT_NOT_EXECUTABLE },
		{ ENOEXEC, ERR_DBT_NOT_EXECUTABLE },
		{ ENOMEM, ERR_DBT_FAILED },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct runner_result result = { .process.start_errno = cases[i].start_errno };
		struct err err CLEANUP(err_release) = ERR_INIT;

		runner_error(&result, "'dbt build'", &err);
		assert_int_equal(err.code, cases[i].code);
	}
}

static void several_commands_run_side_by_side(void **state)
{
	struct runner *runner CLEANUP(runner_release) = runner_plain("/bin/sh");
	struct strv environment CLEANUP(strv_release) = STRV_INIT;
	struct strv arguments[3] = { STRV_INIT, STRV_INIT, STRV_INIT };
	struct runner_command commands[3];
	struct runner_result results[3];
	struct seen seen[3] = { 0 };
	struct err err = ERR_INIT;

	(void)state;
	env_copy(&environment, environ);
	for (size_t i = 0; i < 3; i++) {
		strv_push(&arguments[i], "-c");
		strv_pushf(&arguments[i], "echo text-%zu; exit %zu", i, i);
		commands[i] = (struct runner_command) { .arguments = &arguments[i],
							.environment = &environment,
							.on_event = on_event,
							.context = &seen[i] };
	}
	assert_int_equal(runner_run_all(runner, commands, 3, results, &err), 0);
	assert_int_equal(runner->starts, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(results[i].process.exit_status, i);
		assert_int_equal(seen[i].last_text[5], '0' + (int)i);
		runner_result_release(&results[i]);
		seen_release(&seen[i]);
		strv_release(&arguments[i]);
	}
}

/* The shell stands for dbt 2.x, which refuses what dbt 1.x calls none before it does anything. */
static void a_second_dbt_gets_its_own_log_options_from_then_on(void **state)
{
	static const char script[] = "case \"$*\" in *none*) echo \"error: invalid value 'none' "
				     "for '--log-level-file <X>'\" "
				     ">&2; exit 2 ;; esac; echo \"$*\"";
	struct runner *runner CLEANUP(runner_release) = runner_plain("/bin/sh");
	struct strv environment CLEANUP(strv_release) = STRV_INIT;
	struct strv arguments CLEANUP(strv_release) = STRV_INIT;
	struct seen seen[2] = { 0 };
	struct runner_command commands[2];
	struct runner_result results[2];
	struct err err = ERR_INIT;

	(void)state;
	env_copy(&environment, environ);
	strv_push(&arguments, "-c");
	strv_push(&arguments, script);
	strv_push(&arguments, "dbt");
	runner_push_log_options(&arguments);
	for (size_t i = 0; i < 2; i++)
		commands[i] = (struct runner_command) { .arguments = &arguments,
							.environment = &environment,
							.on_event = on_event,
							.on_start = on_start,
							.context = &seen[i] };
	for (size_t again = 0; again < 2; again++) {
		assert_int_equal(runner_run_all(runner, commands, 2, results, &err), 0);
		for (size_t i = 0; i < 2; i++) {
			assert_true(runner_succeeded(&results[i]));
			assert_int_equal(seen[i].starts, 2 + again);
			assert_string_equal(seen[i].last_text,
					    "--log-format json --log-level info --no-quiet "
					    "--log-level-file off");
			runner_result_release(&results[i]);
		}
	}
	seen_release(&seen[0]);
	seen_release(&seen[1]);
}

static void one_beside_runs_with_the_next_and_no_other(void **state)
{
	struct runner *runner CLEANUP(runner_release) = runner_plain("/bin/sh");
	struct strv environment CLEANUP(strv_release) = STRV_INIT;
	struct strv good CLEANUP(strv_release) = STRV_INIT;
	struct strv bad CLEANUP(strv_release) = STRV_INIT;
	const struct runner_command command = { .arguments = &good, .environment = &environment };
	struct runner_beside beside = { .command = { .arguments = &bad,
						     .environment = &environment } };
	struct runner_result results[2];
	struct err err = ERR_INIT;

	(void)state;
	env_copy(&environment, environ);
	strv_push(&good, "-c");
	strv_push(&good, "exit 0");
	strv_push(&bad, "-c");
	strv_push(&bad, "exit 3");
	runner->beside = &beside;
	assert_int_equal(runner_run(runner, &command, &results[0], &err), 0);
	assert_int_equal(runner->starts, 2);
	assert_true(beside.has_run);
	assert_int_equal(beside.result.process.exit_status, 3);
	assert_int_equal(results[0].process.exit_status, 0);
	assert_int_equal(runner_run(runner, &command, &results[1], &err), 0);
	assert_int_equal(runner->starts, 3);
	runner_result_release(&results[0]);
	runner_result_release(&results[1]);
	runner_result_release(&beside.result);
}

static void the_log_options_ask_for_everything_as_json(void **state)
{
	struct strv arguments CLEANUP(strv_release) = STRV_INIT;
	char *text CLEANUP(mem_free_string) = NULL;

	(void)state;
	runner_push_log_options(&arguments);
	text = strv_join(&arguments, " ");
	assert_string_equal(text, "--log-format json --log-level info --print --no-quiet "
				  "--no-use-colors --log-level-file none");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_arrive_in_order_and_the_invocation_is_known),
		cmocka_unit_test(the_first_error_is_the_reason),
		cmocka_unit_test(dbt_s_own_exit_status_is_kept),
		cmocka_unit_test(without_an_error_event_the_end_of_stderr_is_the_reason),
		cmocka_unit_test(warnings_of_a_good_end_are_no_error),
		cmocka_unit_test(a_signal_is_128_and_its_number),
		cmocka_unit_test(a_time_out_is_an_error_of_its_own),
		cmocka_unit_test(an_interruption_is_an_error_of_its_own),
		cmocka_unit_test(a_dbt_that_does_not_start_is_126_or_127),
		cmocka_unit_test(several_commands_run_side_by_side),
		cmocka_unit_test(a_second_dbt_gets_its_own_log_options_from_then_on),
		cmocka_unit_test(one_beside_runs_with_the_next_and_no_other),
		cmocka_unit_test(the_log_options_ask_for_everything_as_json),
	};

	proc_supervise();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
