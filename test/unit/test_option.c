#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "airlock/base/mem.h"
#include "airlock/deploy/option.h"

static void the_table_is_sorted_and_documented(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct option_row *row = option_row((enum option_id)i);
		bool alone = row->type == OPTION_FLAG || row->type == OPTION_BOOL;

		assert_int_equal(row->id, i);
		assert_non_null(row->help);
		assert_in_range(strlen(row->help), 10, 90);
		assert_true(row->type >= OPTION_STRING && row->type <= OPTION_DURATION);
		assert_non_null(row->fallback);
		assert_true((row->argument == NULL) == alone);
		assert_true((row->values != NULL) == (row->type == OPTION_ENUM));
		assert_true(row->type != OPTION_FLAG || row->command_line_only);
		if (i)
			assert_true(strcmp(option_row((enum option_id)(i - 1))->key, row->key) < 0);
	}
}

static void options_are_found_by_their_names(void **state)
{
	bool negated = true;

	(void)state;
	assert_ptr_equal(option_find("--publish-timeout", &negated),
			 option_row(OPTION_PUBLISH_TIMEOUT));
	assert_false(negated);
	assert_ptr_equal(option_find("-s", &negated), option_row(OPTION_SELECT));
	assert_ptr_equal(option_find("-y", &negated), option_row(OPTION_YES));
	assert_ptr_equal(option_find("--no-restore-point", &negated),
			 option_row(OPTION_RESTORE_POINT));
	assert_true(negated);
	assert_null(option_find("--no-json", &negated));
	assert_null(option_find("--no-from", &negated));
	assert_null(option_find("--publish_timeout", &negated));
	assert_null(option_find("--fro", &negated));
	assert_null(option_find("from", &negated));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_is_sorted_and_documented),
		cmocka_unit_test(options_are_found_by_their_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
