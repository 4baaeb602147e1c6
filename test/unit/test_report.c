#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "airlock/base/env.h"
#include "airlock/cli/report.h"
#include "airlock/format/json.h"

struct screen {
	struct report report;
	int read_end;
};

static void open_screen(struct screen *screen)
{
	struct strv environment = STRV_INIT;
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	report_init(&screen->report, &environment);
	screen->report.out = ends[1];
	screen->report.progress = ends[1];
	screen->report.is_live = false;
	screen->read_end = ends[0];
}

static void close_screen(struct screen *screen)
{
	close(screen->report.out);
	close(screen->read_end);
}

static void shows(struct screen *screen, const char *expected)
{
	char text[4096];
	ssize_t n = read(screen->read_end, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	assert_string_equal(text, expected);
}

static void notices_never_hold_the_words_of_a_failed_dbt(void **state)
{
	CLEANUP(close_screen) struct screen screen;
	struct reporter *reporter = &screen.report.reporter;

	(void)state;
	open_screen(&screen);
	reporter->note(reporter, "Database Error, Error\nDone. PASS=3");
	shows(&screen, "airlock: Database error, error\n  done. PASS=3\n");
	reporter->warning(reporter, "Runtime Error");
	shows(&screen, "airlock: warning: Runtime error\n");
}

static void reads(struct screen *screen, const char *level, const char *message)
{
	char text[4096];
	ssize_t n = read(screen->read_end, text, sizeof(text) - 1);
	CLEANUP(err_release) struct err err = ERR_INIT;
	CLEANUP(js_free) json_t *event = NULL;
	const json_t *info;

	assert_true(n > 0);
	assert_int_equal(text[n - 1], '\n');
	event = js_parse(text, (size_t)n, "event", ERR_FILE, &err);
	assert_non_null(event);
	info = js_get_object(event, "info");
	assert_string_equal(js_get_string(info, "level"), level);
	assert_string_equal(js_get_string(info, "msg"), message);
	assert_int_equal(strlen(js_get_string(info, "invocation_id")), 36);
	assert_non_null(js_get_string(info, "ts"));
	assert_string_equal(js_get_string(js_get_object(event, "data"), "msg"), message);
}

static void as_json_each_line_is_an_event_of_dbt_s_shape(void **state)
{
	CLEANUP(close_screen) struct screen screen;
	CLEANUP(err_release) struct err err = ERR_INIT;
	struct reporter *reporter = &screen.report.reporter;

	(void)state;
	open_screen(&screen);
	report_set_format(&screen.report, "json");
	screen.report.results_are_events = true;
	reporter->note(reporter, "Database Error\nhere");
	reads(&screen, "info", "Database error\nhere");
	reporter->warning(reporter, "old");
	reads(&screen, "warn", "warning: old");
	reporter->statement(reporter, "select 'Error'");
	reads(&screen, "debug", "select 'Error';");
	assert_int_equal(report_text(&screen.report, "published 1\n", 12, &err), 0);
	reads(&screen, "info", "published 1");
	err_set(&err, ERR_USAGE, "no");
	err_hint(&err, "yes");
	report_error(&screen.report, &err);
	reads(&screen, "error", "no\nhint: yes");
}

static void statements_are_shown_as_they_are_sent(void **state)
{
	CLEANUP(close_screen) struct screen screen;
	struct reporter *reporter = &screen.report.reporter;

	(void)state;
	open_screen(&screen);
	reporter->statement(reporter, "select 'Error'\n  , 1");
	shows(&screen, "  select 'Error'\n  , 1;\n");
}

static void only_what_did_not_go_well_is_a_line(void **state)
{
	CLEANUP(close_screen) struct screen screen;
	struct reporter *reporter = &screen.report.reporter;
	struct event event = {
		.kind = EVENT_NODE_START,
		.unique_id = "model.shop.orders",
		.status = "started",
		.message = "",
		.index = 3,
		.total = 31,
	};

	(void)state;
	open_screen(&screen);
	reporter->event(reporter, &event);
	event.kind = EVENT_NODE_RESULT;
	event.status = "success";
	reporter->event(reporter, &event);
	event.status = "error";
	reporter->event(reporter, &event);
	shows(&screen, "airlock:   error orders\n");
}

static void a_live_line_is_written_over(void **state)
{
	CLEANUP(close_screen) struct screen screen;
	struct reporter *reporter = &screen.report.reporter;
	const struct event event = {
		.kind = EVENT_NODE_START,
		.unique_id = "model.shop.orders",
		.status = "started",
		.index = 3,
		.total = 31,
	};

	(void)state;
	open_screen(&screen);
	screen.report.is_live = true;
	reporter->event(reporter, &event);
	reporter->note(reporter, "next");
	shows(&screen, "[3/31] orders\r\033[Kairlock: next\n");
}

static void an_error_is_told_with_its_hint(void **state)
{
	CLEANUP(close_screen) struct screen screen;
	CLEANUP(err_release) struct err err = ERR_INIT;

	(void)state;
	open_screen(&screen);
	err_set(&err, ERR_LOCKED, "held by 'x'\nsince noon");
	report_error(&screen.report, &err);
	shows(&screen, "airlock: held by 'x'\n  since noon\n"
		       "airlock: hint: wait until it has ended (--lock-timeout); 'airlock unlock "
		       "ID' if its machine is gone\n");
	err_set(&err, ERR_UNSUPPORTED, "no");
	report_error(&screen.report, &err);
	shows(&screen, "airlock: no\nairlock: hint: see 'airlock help strategies'\n");
	err_hint(&err, "do this");
	report_error(&screen.report, &err);
	shows(&screen, "airlock: no\nairlock: hint: do this\n");
	err_set(&err, ERR_FILE, "cannot open");
	report_error(&screen.report, &err);
	shows(&screen, "airlock: cannot open\n");
}

static void a_result_that_cannot_be_written_is_an_error(void **state)
{
	CLEANUP(close_screen) struct screen screen;
	CLEANUP(err_release) struct err err = ERR_INIT;
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	(void)state;
	open_screen(&screen);
	assert_int_equal(report_result(&screen.report, "text", 4, &err), 0);
	shows(&screen, "text");
	assert_true(full >= 0);
	close(screen.report.out);
	screen.report.out = full;
	assert_int_equal(report_result(&screen.report, "text", 4, &err), -1);
	assert_int_equal(err.code, ERR_FILE);
}

static void a_string_of_any_bytes_is_a_json_string(void **state)
{
	json_t *whole = report_string_json("gr\xc3\xbc\xc3\x9f");
	json_t *broken = report_string_json("a\xff"
					    "b");

	(void)state;
	assert_string_equal(json_string_value(whole), "gr\xc3\xbc\xc3\x9f");
	assert_string_equal(json_string_value(broken), "a?b");
	json_decref(whole);
	json_decref(broken);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(notices_never_hold_the_words_of_a_failed_dbt),
		cmocka_unit_test(as_json_each_line_is_an_event_of_dbt_s_shape),
		cmocka_unit_test(statements_are_shown_as_they_are_sent),
		cmocka_unit_test(only_what_did_not_go_well_is_a_line),
		cmocka_unit_test(a_live_line_is_written_over),
		cmocka_unit_test(an_error_is_told_with_its_hint),
		cmocka_unit_test(a_result_that_cannot_be_written_is_an_error),
		cmocka_unit_test(a_string_of_any_bytes_is_a_json_string),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
