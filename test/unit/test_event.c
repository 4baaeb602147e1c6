#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "airlock/base/fs.h"
#include "airlock/base/strv.h"
#include "airlock/dbt/event.h"
#include "airlock/format/jsonl.h"

#define FIXTURE AIRLOCK_SOURCE_DIR "/test/unit/data/log_build.jsonl"

static const char *kind_name(enum event_kind kind)
{
	static const char *const names[] = {
		[EVENT_OTHER] = "other",        [EVENT_TEXT] = "text",
		[EVENT_PRINT] = "print",        [EVENT_NODE_START] = "start",
		[EVENT_NODE_RESULT] = "result", [EVENT_ERROR] = "error",
		[EVENT_WARNING] = "warning",
	};

	return names[kind];
}

/* An event as one string: kind, name, node, status, index/total, message. */
static void collect(void *context, const struct event *event)
{
	struct strv *lines = context;

	strv_pushf(lines, "%s|%s|%s|%s|%lld/%lld|%s", kind_name(event->kind), event->name,
		   event->unique_id, event->status, event->index, event->total, event->message);
}

static void parse_line(void *context, const char *line, size_t len)
{
	event_parse(line, len, collect, context);
}

static void assert_event(const char *line, const char *expected)
{
	CLEANUP(strv_release) struct strv lines = STRV_INIT;

	event_parse(line, strlen(line), collect, &lines);
	assert_int_equal(lines.n, 1);
	assert_string_equal(lines.v[0], expected);
}

static void read_fixture(struct strv *lines)
{
	CLEANUP(buf_release) struct buf log = BUF_INIT;
	struct jsonl jsonl;
	struct err err = ERR_INIT;

	assert_int_equal(fs_read(FIXTURE, 1 << 20, &log, &err), 0);
	jsonl_init(&jsonl, 1 << 20);
	jsonl_feed(&jsonl, log.data, log.len, parse_line, lines);
	jsonl_end(&jsonl, parse_line, lines);
	jsonl_release(&jsonl);
}

static void a_build_is_read_as_typed_events(void **state)
{
	static const char *const expected[] = {
		"other|MainReportVersion|||0/0|Running with dbt=1.11.16",
		"print|PrintEvent|||0/0|hello from print",
		"start|LogStartLine|model.helper.h_stg|started|1/26|START sql view model "
		"main.h_stg",
		"result|LogModelResult|model.helper.h_stg|success|1/26|"
		"OK created sql view model main.h_stg",
		"result|LogSeedResult|seed.shop.raw_orders|success|5/26|"
		"OK loaded seed file main_raw.raw_orders",
		"result|LogModelResult|model.shop.bad|error|9/26|"
		"ERROR creating sql table model main.bad",
		"result|SkippingDetails|model.shop.below|skipped|14/26|SKIP relation main.below",
		"result|LogTestResult|unit_test.shop.customers.sums_v1|pass|13/26|"
		"PASS customers::sums_v1",
		"result|LogTestResult|test.shop.not_null_orders_customer.f2265fc97b|fail|23/26|"
		"FAIL 1 not_null_orders_customer",
		"result|LogTestResult|test.shop.customer_warns.91acfb7a26|warn|21/26|"
		"WARN 1 customer_warns",
		"result|LogNodeNoOpResult|exposure.shop.dash|no-op|20/26|NO-OP exposure dash",
		"other|RunResultFailure|model.shop.bad||0/0|Failure in model bad "
		"(models/marts/bad.sql)",
		"error|RunResultError|model.shop.bad||0/0|Runtime Error in model bad "
		"(models/marts/bad.sql)\n  Conversion Error: Could not convert string 'x' to INT32",
		"error|RunResultError|test.shop.not_null_orders_customer.f2265fc97b||0/0|"
		"test not_null_orders_customer: Got 1 result, configured to fail if != 0",
		"warning|RunResultWarningMessage|test.shop.customer_warns.91acfb7a26||0/0|"
		"test customer_warns: Got 1 result, configured to warn if != 0",
		"warning|AdapterEventWarning|model.shop.orders|executing|0/0|"
		"DuckDB adapter: Grants for relations are not supported by DuckDB",
	};
	CLEANUP(strv_release) struct strv lines = STRV_INIT;

	(void)state;
	read_fixture(&lines);
	for (size_t i = 0; i < ARRAY_LEN(expected); i++)
		if (!strv_contains(&lines, expected[i]))
			fail_msg("missing: %s", expected[i]);
}

static void the_reason_of_a_unit_test_begins_with_its_name(void **state)
{
	CLEANUP(strv_release) struct strv lines = STRV_INIT;

	(void)state;
	read_fixture(&lines);
	assert_true(strv_contains(
		&lines, "error|RunResultError|unit_test.shop.customers.wrong_sums_v2||0/0|"
			"unit_test wrong_sums_v2: actual differs from expected:\n\n"
			"@@,customer,amount\n\xe2\x86\x92 ,a       ,2\xe2\x86\x92"
			"1"));
}

static void check_invocation(void *context, const struct event *event)
{
	assert_string_equal(event->invocation_id, context);
	assert_true(event->seconds > 1.4 && event->seconds < 1.6);
}

static void an_event_names_its_invocation(void **state)
{
	static const char line[] = "{\"info\": {\"name\": \"X\", \"invocation_id\": \"i\"},"
				   " \"data\": {\"execution_time\": 1.5}}";
	char id[] = "i";

	(void)state;
	event_parse(line, strlen(line), check_invocation, id);
	assert_event(line, "other|X|||0/0|");
}

static void lines_that_are_no_events_are_text(void **state)
{
	(void)state;
	assert_event("Traceback (most recent call last):",
		     "text||||0/0|Traceback (most recent call last):");
	assert_event("", "text||||0/0|");
	assert_event("{\"info\": 1}", "text||||0/0|{\"info\": 1}");
	assert_event("{\"info\": {", "text||||0/0|{\"info\": {");
	assert_event("{}", "text||||0/0|{}");
}

static void a_print_is_passed_on_as_it_was_printed(void **state)
{
	(void)state;
	assert_event("{\"info\": {\"name\": \"PrintEvent\", \"msg\": \"other\"},"
		     " \"data\": {\"msg\": \" a\\u001b[0m \\n\"}}",
		     "print|PrintEvent|||0/0| a\033[0m \n");
}

static void an_error_without_a_node_gives_its_exception(void **state)
{
	(void)state;
	assert_event("{\"info\": {\"name\": \"MainEncounteredError\", \"level\": \"error\","
		     " \"msg\": \"Encountered an error:\\nRuntime Error\\n  x\"},"
		     " \"data\": {\"exc\": \"Runtime Error\\n  x\\n\"}}",
		     "error|MainEncounteredError|||0/0|Runtime Error\n  x");
	assert_event("{\"info\": {\"name\": \"RunResultFailure\", \"level\": \"error\","
		     " \"msg\": \"\\u001b[31mFailure in model x\\u001b[0m\"}, \"data\": {}}",
		     "error|RunResultFailure|||0/0|Failure in model x");
}

static void a_result_without_a_node_is_still_a_result(void **state)
{
	(void)state;
	assert_event("{\"info\": {\"name\": \"LogFreshnessResult\", \"level\": \"info\","
		     " \"msg\": \"1 of 2 PASS freshness of a.b ....... [PASS in 1.2s]\"},"
		     " \"data\": {\"status\": \"pass\", \"index\": 1, \"total\": 2}}",
		     "result|LogFreshnessResult||pass|1/2|PASS freshness of a.b");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_build_is_read_as_typed_events),
		cmocka_unit_test(the_reason_of_a_unit_test_begins_with_its_name),
		cmocka_unit_test(an_event_names_its_invocation),
		cmocka_unit_test(lines_that_are_no_events_are_text),
		cmocka_unit_test(a_print_is_passed_on_as_it_was_printed),
		cmocka_unit_test(an_error_without_a_node_gives_its_exception),
		cmocka_unit_test(a_result_without_a_node_is_still_a_result),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
