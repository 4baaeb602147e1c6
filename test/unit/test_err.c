#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "airlock/base/err.h"

static void names_are_sorted_and_unique(void **state)
{
	(void)state;
	for (int code = 1; code + 1 < ERR_CODE_COUNT; code++) {
		const char *name = err_row((enum err_code)code)->name;
		const char *next = err_row((enum err_code)(code + 1))->name;

		assert_true(strcmp(name, next) < 0);
	}
}

static void names_are_lower_case_with_hyphens(void **state)
{
	(void)state;
	for (int code = 1; code < ERR_CODE_COUNT; code++) {
		const char *name = err_row((enum err_code)code)->name;

		assert_true(strlen(name) > 0);
		assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz-"), strlen(name));
	}
}

static void exit_statuses_are_those_of_the_manual(void **state)
{
	static const int known[] = { 1, 70, 71, 72, 73, 74, 75, 124, 125, 126, 127, 130 };

	(void)state;
	for (int code = 1; code < ERR_CODE_COUNT; code++) {
		int exit_status = err_row((enum err_code)code)->exit_status;
		bool is_known = false;

		for (size_t i = 0; i < ARRAY_LEN(known); i++)
			is_known |= known[i] == exit_status;
		assert_true(is_known);
	}
}

static void hints_and_topics_follow_the_rules(void **state)
{
	(void)state;
	for (int code = 1; code < ERR_CODE_COUNT; code++) {
		const struct err_row *row = err_row((enum err_code)code);
		size_t len = strlen(row->hint);

		assert_true(len == 0 || row->hint[len - 1] != '.');
		assert_true(len == 0 || row->hint[0] < 'A' || row->hint[0] > 'Z');
		assert_int_equal(strspn(row->topic, "abcdefghijklmnopqrstuvwxyz-"),
				 strlen(row->topic));
	}
}

static void success_has_no_error(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	assert_false(err_is_set(&err));
	assert_int_equal(err_exit_status(&err), 0);
	assert_string_equal(err_row(ERR_NONE)->name, "");
	err_release(&err);
}

static void set_holds_code_and_message(void **state)
{
	CLEANUP(err_release) struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(err_set(&err, ERR_SCOPE_EMPTY, "no node matches '%s'", "tag:x"), -1);
	assert_true(err_is_set(&err));
	assert_int_equal(err.code, ERR_SCOPE_EMPTY);
	assert_string_equal(err.message, "no node matches 'tag:x'");
	assert_null(err.hint);
	assert_string_equal(err_row(err.code)->name, "scope-empty");
}

static void a_second_set_replaces_the_first(void **state)
{
	CLEANUP(err_release) struct err err = ERR_INIT;

	(void)state;
	err_set(&err, ERR_DBT_FAILED, "dbt ended with 2");
	err_hint(&err, "look there");
	err.exit_status = 2;
	err_set(&err, ERR_FILE, "after '%s'", err.message);
	assert_int_equal(err.code, ERR_FILE);
	assert_string_equal(err.message, "after 'dbt ended with 2'");
	assert_null(err.hint);
	assert_int_equal(err_exit_status(&err), 125);
}

static void what_is_known_of_production_outlives_a_second_set(void **state)
{
	CLEANUP(err_release) struct err err = ERR_INIT;

	(void)state;
	err.production = ERR_PRODUCTION_UNKNOWN;
	err_set(&err, ERR_PUBLISH_FAILED, "no answer");
	err_set(&err, ERR_FILE, "cannot write the journal");
	assert_int_equal(err.production, ERR_PRODUCTION_UNKNOWN);
	assert_int_equal(err_exit_status(&err), 71);
	err_release(&err);
	assert_int_equal(err.production, ERR_PRODUCTION_UNCHANGED);
}

static void wrap_adds_context_in_front(void **state)
{
	CLEANUP(err_release) struct err err = ERR_INIT;

	(void)state;
	err_set(&err, ERR_FILE, "no such file");
	assert_int_equal(err_wrap(&err, "reading '%s'", "a.yml"), -1);
	err_wrap(&err, "loading (%s)", err.message);
	assert_string_equal(
		err.message,
		"loading (reading 'a.yml': no such file): reading 'a.yml': no such file");
	assert_int_equal(err.code, ERR_FILE);
}

static void wrap_without_an_error_is_a_defect(void **state)
{
	CLEANUP(err_release) struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(err_wrap(&err, "reading"), -1);
	assert_int_equal(err.code, ERR_INTERNAL);
	assert_true(strncmp(err.message, "reading: ", 9) == 0);
}

static void hint_replaces_the_one_of_the_code(void **state)
{
	CLEANUP(err_release) struct err err = ERR_INIT;

	(void)state;
	err_set(&err, ERR_USAGE, "unknown command 'depoly'");
	assert_int_equal(err_hint(&err, "did you mean '%s'?", "deploy"), -1);
	assert_int_equal(err_hint(&err, "%s!", err.hint), -1);
	assert_string_equal(err.hint, "did you mean 'deploy'?!");
}

struct exit_case {
	enum err_code code;
	int exit_status;
	enum err_production production;
	int expected;
};

static void the_exit_status_never_hides_a_change_of_production(void **state)
{
	static const struct exit_case cases[] = {
		{ ERR_DBT_FAILED, 0, ERR_PRODUCTION_UNCHANGED, 1 },
		{ ERR_DBT_FAILED, 2, ERR_PRODUCTION_UNCHANGED, 2 },
		{ ERR_DBT_FAILED, 2, ERR_PRODUCTION_CHANGED, 70 },
		{ ERR_DBT_FAILED, 0, ERR_PRODUCTION_UNKNOWN, 71 },
		{ ERR_FILE, 0, ERR_PRODUCTION_CHANGED, 70 },
		{ ERR_FILE, 0, ERR_PRODUCTION_UNKNOWN, 71 },
		{ ERR_VERIFY_FAILED, 0, ERR_PRODUCTION_CHANGED, 74 },
		{ ERR_VERIFY_FAILED, 1, ERR_PRODUCTION_CHANGED, 70 },
		{ ERR_OUTCOME_UNKNOWN, 0, ERR_PRODUCTION_UNKNOWN, 71 },
		{ ERR_CONFLICT, 0, ERR_PRODUCTION_UNCHANGED, 73 },
		{ ERR_CONFLICT, 0, ERR_PRODUCTION_CHANGED, 70 },
		{ ERR_INTERRUPTED, 0, ERR_PRODUCTION_CHANGED, 130 },
		{ ERR_INTERRUPTED, 143, ERR_PRODUCTION_UNCHANGED, 143 },
		{ ERR_TIMED_OUT, 0, ERR_PRODUCTION_UNCHANGED, 124 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(err_release) struct err err = ERR_INIT;

		err_set(&err, cases[i].code, "case %zu", i);
		err.exit_status = cases[i].exit_status;
		err.production = cases[i].production;
		assert_int_equal(err_exit_status(&err), cases[i].expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_sorted_and_unique),
		cmocka_unit_test(names_are_lower_case_with_hyphens),
		cmocka_unit_test(exit_statuses_are_those_of_the_manual),
		cmocka_unit_test(hints_and_topics_follow_the_rules),
		cmocka_unit_test(success_has_no_error),
		cmocka_unit_test(set_holds_code_and_message),
		cmocka_unit_test(a_second_set_replaces_the_first),
		cmocka_unit_test(what_is_known_of_production_outlives_a_second_set),
		cmocka_unit_test(wrap_adds_context_in_front),
		cmocka_unit_test(wrap_without_an_error_is_a_defect),
		cmocka_unit_test(hint_replaces_the_one_of_the_code),
		cmocka_unit_test(the_exit_status_never_hides_a_change_of_production),
	};

	return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
