#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "airlock/base/fs.h"
#include "airlock/dbt/results.h"
#include "airlock/format/json.h"

#define FIXTURE AIRLOCK_SOURCE_DIR "/test/unit/data/run_results.json"
#define INVOCATION "35a6db3a-81d9-45aa-8eb3-1b5a5494d546"

static char *changed; /* a copy of the fixture that a test may change */

static int make_file(void **state)
{
	const char *tmp = getenv("TMPDIR");
	int fd;

	(void)state;
	changed = mem_printf("%s/airlock-test.XXXXXX", tmp ? tmp : "/tmp");
	fd = mkstemp(changed);
	return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
	(void)state;
	unlink(changed);
	free(changed);
	return 0;
}

/* Writes the fixture with args[key] set to `value` (taken over). */
static void write_with(const char *key, json_t *value)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	struct err err = ERR_INIT;
	CLEANUP(js_free) json_t *root = js_read_file(FIXTURE, 1 << 20, ERR_FILE, &err);

	assert_non_null(root);
	json_object_set_new(js_get_object(root, "args"), key, value);
	js_write_pretty(root, &text);
	assert_int_equal(fs_write_atomic(changed, text.data, text.len, 0600, &err), 0);
}

static void write_text(const char *text)
{
	struct err err = ERR_INIT;

	assert_int_equal(fs_write_atomic(changed, text, strlen(text), 0600, &err), 0);
}

static struct results *read_good(const char *path, const struct results_expect *expect)
{
	struct results *results;
	struct err err = ERR_INIT;

	if (results_read(path, expect, &results, &err) < 0)
		fail_msg("%s", err.message);
	return results;
}

/* `expected` is what follows the path. */
static void assert_refused(const char *path, const struct results_expect *expect,
			   enum err_code code, const char *expected)
{
	struct results *results;
	struct err err = ERR_INIT;
	CLEANUP(mem_free_string) char *message = mem_printf("%s%s", path, expected);

	assert_int_equal(results_read(path, expect, &results, &err), -1);
	assert_int_equal(err.code, code);
	assert_string_equal(err.message, message);
	err_release(&err);
}

static void assert_row(const struct results *results, const char *unique_id,
		       enum results_status status, const char *message)
{
	const struct results_row *row = results_find(results, unique_id);

	if (!row)
		fail_msg("no %s", unique_id);
	assert_int_equal(row->status, status);
	assert_string_equal(row->message, message);
}

static void rows_say_how_each_node_ended(void **state)
{
	const struct results_expect expect = { .invocation_id = INVOCATION,
					       .which = "build",
					       .target = "dev" };
	struct results *results = read_good(FIXTURE, &expect);
	const struct results_row *row;

	(void)state;
	assert_int_equal(results_count(results), 27);
	assert_string_equal(results_row(results, 0)->unique_id,
			    "operation.shop.shop-on-run-start-0");
	assert_row(results, "model.shop.orders", RESULTS_SUCCESS, "OK");
	assert_row(results, "test.shop.no_negative", RESULTS_SUCCESS, "");
	assert_row(results, "model.shop.bad", RESULTS_ERROR,
		   "Runtime Error in model bad (models/marts/bad.sql)\n"
		   "  Conversion Error: Could not convert string 'x' to INT32");
	assert_row(results, "model.shop.below", RESULTS_SKIPPED, "");
	assert_row(results, "test.shop.not_null_orders_customer.f2265fc97b", RESULTS_FAIL,
		   "Got 1 result, configured to fail if != 0");
	assert_row(results, "test.shop.customer_warns.91acfb7a26", RESULTS_WARN,
		   "Got 1 result, configured to warn if != 0");
	assert_row(results, "exposure.shop.dash", RESULTS_NO_OP, "NO-OP");
	row = results_find(results, "test.shop.not_null_orders_customer.f2265fc97b");
	assert_int_equal(row->failures, 1);
	assert_true(row->seconds > 0);
	assert_string_equal(row->status_text, "fail");
	assert_int_equal(results_find(results, "model.shop.orders")->failures, -1);
	assert_null(results_find(results, "model.shop.nope"));
	results_free(results);
}

static void messages_have_no_blank_lines_around_them(void **state)
{
	const struct results_expect expect = { 0 };
	struct results *results = read_good(FIXTURE, &expect);

	(void)state;
	assert_row(results, "unit_test.shop.customers.wrong_sums_v2", RESULTS_FAIL,
		   "actual differs from expected:\n\n@@,customer,amount\n"
		   "\xe2\x86\x92 ,a       ,2\xe2\x86\x92"
		   "1");
	results_free(results);
}

static void a_test_says_how_many_rows_it_found_where_dbt_does_not(void **state)
{
	const struct results_expect expect = { 0 };
	struct results *results;

	(void)state;
	write_text("{\"results\": [{\"unique_id\": \"a\", \"status\": \"fail\", \"failures\": 2,"
		   " \"message\": \"Error\"}]}");
	results = read_good(changed, &expect);
	assert_row(results, "a", RESULTS_FAIL, "got 2 results");
	results_free(results);
}

static void colours_are_taken_out_of_messages(void **state)
{
	const struct results_expect expect = { 0 };
	struct results *results;

	(void)state;
	write_text(
		"{\"results\": [{\"unique_id\": \"a\", \"status\": \"fail\","
		" \"message\": \"\\u001b[31mred\\u001b[0m and\\u001b[1;32m green\\u001b[0m\"}]}");
	results = read_good(changed, &expect);
	assert_row(results, "a", RESULTS_FAIL, "red and green");
	results_free(results);
}

static void an_unknown_status_is_an_error(void **state)
{
	static const char *const words[] = { "partial success", "runtime error", "Success", "" };
	const struct results_expect expect = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		CLEANUP(mem_free_string)
		char *text = mem_printf(
			"{\"results\": [{\"unique_id\": \"a\", \"status\": \"%s\"}]}", words[i]);
		struct results *results;

		write_text(text);
		results = read_good(changed, &expect);
		assert_int_equal(results_row(results, 0)->status, RESULTS_ERROR);
		results_free(results);
	}
}

static void results_of_another_invocation_are_not_believed(void **state)
{
	const struct results_expect expect = { .invocation_id = "x" };

	(void)state;
	assert_refused(FIXTURE, &expect, ERR_BUILD_INCOMPLETE,
		       ": of invocation '" INVOCATION
		       "', not of 'x': dbt ended before it wrote its results");
}

static void another_command_or_target_is_refused(void **state)
{
	const struct results_expect run = { .which = "run" };
	const struct results_expect prod = { .which = "build", .target = "prod" };

	(void)state;
	assert_refused(FIXTURE, &run, ERR_BUILD_INCOMPLETE,
		       ": dbt ran with which 'build' where 'run' was asked for");
	assert_refused(FIXTURE, &prod, ERR_BUILD_INCOMPLETE,
		       ": dbt ran with target 'dev' where 'prod' was asked for");
}

static void unreal_data_is_refused(void **state)
{
	const struct results_expect expect = { .which = "build" };

	(void)state;
	write_with("empty", json_true());
	assert_refused(changed, &expect, ERR_BUILD_INCOMPLETE,
		       ": dbt ran with --empty: this is not the real data");
	write_with("sample", json_pack("{s:s}", "start", "2026-01-01"));
	assert_refused(changed, &expect, ERR_BUILD_INCOMPLETE,
		       ": dbt ran with --sample: this is not the real data");
	write_with("sample", json_null());
	results_free(read_good(changed, &expect));
}

static void the_selection_may_be_in_any_order(void **state)
{
	CLEANUP(strv_release) struct strv words = STRV_INIT;
	const struct results_expect expect = { .select = &words };

	(void)state;
	strv_split(&words, "tag:a,b c+ d", ";");
	write_with("select", json_pack("[s, s]", "d", "c+ tag:a,b"));
	results_free(read_good(changed, &expect));
	write_with("select", json_pack("[s]", "d"));
	assert_refused(changed, &expect, ERR_BUILD_INCOMPLETE,
		       ": dbt selected 'd' where 'c+ d tag:a,b' was asked for");
}

static void arguments_that_are_not_there_are_not_compared(void **state)
{
	CLEANUP(strv_release) struct strv words = STRV_INIT;
	const struct results_expect expect = { .which = "build",
					       .target = "prod",
					       .select = &words };

	(void)state;
	strv_push(&words, "a");
	write_text("{\"results\": [], \"args\": {}}");
	results_free(read_good(changed, &expect));
}

static void a_missing_or_broken_file_is_an_error(void **state)
{
	const struct results_expect expect = { 0 };
	struct results *results;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(results_read("/nonexistent/r.json", &expect, &results, &err), -1);
	assert_int_equal(err.code, ERR_BUILD_INCOMPLETE);
	assert_string_equal(err.message, "dbt wrote no results to '/nonexistent/r.json'");
	err_release(&err);
	write_text("{\"results\": [");
	assert_refused(changed, &expect, ERR_MANIFEST_INVALID,
		       ":1:13: the file ends in the middle of a value");
	write_text("{}");
	assert_refused(changed, &expect, ERR_MANIFEST_INVALID,
		       ":1:1: no run results of dbt: it has no 'results'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_say_how_each_node_ended),
		cmocka_unit_test(messages_have_no_blank_lines_around_them),
		cmocka_unit_test(a_test_says_how_many_rows_it_found_where_dbt_does_not),
		cmocka_unit_test(colours_are_taken_out_of_messages),
		cmocka_unit_test(an_unknown_status_is_an_error),
		cmocka_unit_test(results_of_another_invocation_are_not_believed),
		cmocka_unit_test(another_command_or_target_is_refused),
		cmocka_unit_test(unreal_data_is_refused),
		cmocka_unit_test(the_selection_may_be_in_any_order),
		cmocka_unit_test(arguments_that_are_not_there_are_not_compared),
		cmocka_unit_test(a_missing_or_broken_file_is_an_error),
	};

	return cmocka_run_group_tests(tests, make_file, remove_file);
}
