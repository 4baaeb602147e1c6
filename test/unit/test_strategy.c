/* What of the strategies is on which dialect. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "airlock/deploy/strategy.h"
#include "airlock/deploy/strategy_rows.h"

static void refused(const struct strategy *strategy, const char *dialect, const char *message)
{
	const struct strategy_input input = { .dialect = dialect_find(dialect) };
	CLEANUP(err_release) struct err err = ERR_INIT;
	struct plan plan;

	assert_int_equal(strategy_plan(strategy, &input, &plan, &err), -1);
	assert_int_equal(err.code, ERR_UNSUPPORTED);
	assert_string_equal(err.message, message);
}

static void what_was_not_tried_on_a_dialect_is_refused(void **state)
{
	static const char *const none[] = { NULL };
	struct strategy untried = strategy_mirror;

	(void)state;
	untried.one_by_one = none;
	refused(&untried, "snowflake",
		"mirror on Snowflake is not in this version; there is: blue-green, "
		"production-rollback, wac, wap");
}

static void bigquery_swaps_nothing(void **state)
{
	(void)state;
	refused(strategy_find("blue-green"), "bigquery",
		"there is no blue-green on BigQuery, where nothing can be swapped whole; there is: "
		"production-rollback, wac, wap");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_not_tried_on_a_dialect_is_refused),
		cmocka_unit_test(bigquery_swaps_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
