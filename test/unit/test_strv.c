#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "airlock/base/strv.h"

static void an_empty_vector_is_fit_for_execve(void **state)
{
	struct strv strv = STRV_INIT;

	(void)state;
	assert_non_null(strv_argv(&strv));
	assert_null(strv_argv(&strv)[0]);
	strv_sort(&strv);
	strv_dedup(&strv);
	assert_false(strv_contains(&strv, ""));
	strv_release(&strv);
}

static void it_always_ends_in_null(void **state)
{
	CLEANUP(strv_release) struct strv strv = STRV_INIT;

	(void)state;
	for (size_t i = 0; i < 100; i++) {
		strv_pushf(&strv, "%zu", i);
		assert_int_equal(strv.n, i + 1);
		assert_null(strv.v[strv.n]);
		assert_ptr_equal(strv_argv(&strv), strv.v);
	}
	assert_string_equal(strv.v[99], "99");
}

static void push_copies_and_take_takes_over(void **state)
{
	CLEANUP(strv_release) struct strv strv = STRV_INIT;
	char text[] = "copied";
	char *owned = mem_strdup("taken");

	(void)state;
	strv_push(&strv, text);
	strv_take(&strv, owned);
	text[0] = 'X';
	assert_string_equal(strv.v[0], "copied");
	assert_ptr_equal(strv.v[1], owned);
	assert_true(strv_contains(&strv, "taken"));
	assert_false(strv_contains(&strv, "take"));
}

static void push_all_appends_even_itself(void **state)
{
	CLEANUP(strv_release) struct strv strv = STRV_INIT;
	CLEANUP(mem_free_string) char *joined = NULL;

	(void)state;
	strv_split(&strv, "a b c", " ");
	strv_push_all(&strv, &strv);
	joined = strv_join(&strv, "");
	assert_string_equal(joined, "abcabc");
}

static void sort_is_by_bytes(void **state)
{
	CLEANUP(strv_release) struct strv strv = STRV_INIT;
	CLEANUP(mem_free_string) char *joined = NULL;

	(void)state;
	strv_split(&strv, "b|\xc3\xa4|a|B|_|aa", "|");
	strv_sort(&strv);
	joined = strv_join(&strv, " ");
	assert_string_equal(joined, "B _ a aa b \xc3\xa4");
}

static void dedup_removes_equal_neighbours(void **state)
{
	CLEANUP(strv_release) struct strv strv = STRV_INIT;
	CLEANUP(mem_free_string) char *joined = NULL;

	(void)state;
	strv_split(&strv, "a a b c c c a", " ");
	strv_dedup(&strv);
	joined = strv_join(&strv, " ");
	assert_string_equal(joined, "a b c a");
	assert_int_equal(strv.n, 4);
	assert_null(strv.v[4]);
}

static void split_leaves_empty_parts_out(void **state)
{
	CLEANUP(strv_release) struct strv strv = STRV_INIT;

	(void)state;
	strv_split(&strv, "", ",");
	strv_split(&strv, ",, ,", ", ");
	assert_int_equal(strv.n, 0);
	strv_split(&strv, ",one,, two ,", ", ");
	assert_int_equal(strv.n, 2);
	assert_string_equal(strv.v[0], "one");
	assert_string_equal(strv.v[1], "two");
}

static void join_puts_the_separator_between(void **state)
{
	CLEANUP(strv_release) struct strv strv = STRV_INIT;
	char *none = strv_join(&strv, ", ");
	char *two;

	(void)state;
	strv_push(&strv, "a");
	strv_push(&strv, "b");
	two = strv_join(&strv, ", ");
	assert_string_equal(none, "");
	assert_string_equal(two, "a, b");
	free(none);
	free(two);
}

static const char *nearest(const char *word)
{
	static const char *const candidates[] = {
		"abort", "deploy", "plan", "resume", "rollback", "routes", "status",
	};

	return strv_nearest(word, candidates, ARRAY_LEN(candidates));
}

static void a_misspelling_finds_its_word(void **state)
{
	(void)state;
	assert_string_equal(nearest("deploy"), "deploy");
	assert_string_equal(nearest("depoly"), "deploy");
	assert_string_equal(nearest("deply"), "deploy");
	assert_string_equal(nearest("ddeploy"), "deploy");
	assert_string_equal(nearest("plna"), "plan");
	assert_string_equal(nearest("rolback"), "rollback");
	assert_string_equal(nearest("rolebakc"), "rollback");
	assert_string_equal(nearest("route"), "routes");
	assert_string_equal(nearest("statsu"), "status");
}

static void another_word_finds_nothing(void **state)
{
	(void)state;
	assert_null(nearest(""));
	assert_null(nearest("p"));
	assert_null(nearest("pl"));
	assert_null(nearest("run"));
	assert_null(nearest("build"));
	assert_null(nearest("a-very-long-word-that-is-none-of-them"));
	assert_null(strv_nearest("plan", NULL, 0));
}

static void the_nearest_of_several_wins(void **state)
{
	static const char *const candidates[] = { "customerz", "customer_", "customers", "custom" };

	(void)state;
	assert_string_equal(strv_nearest("customerss", candidates, 4), "customers");
	/* Of equals, the first. */
	assert_string_equal(strv_nearest("customer", candidates, 4), "customerz");
}

static void a_command_is_split_as_a_shell_does(void **state)
{
	struct strv words = STRV_INIT;

	(void)state;
	assert_true(strv_split_shell(&words, " run  'a b' \"c \\\" 'd'\" e\\ f '' g'h'"));
	assert_int_equal(words.n, 6);
	assert_string_equal(words.v[0], "run");
	assert_string_equal(words.v[1], "a b");
	assert_string_equal(words.v[2], "c \" 'd'");
	assert_string_equal(words.v[3], "e f");
	assert_string_equal(words.v[4], "");
	assert_string_equal(words.v[5], "gh");
	assert_false(strv_split_shell(&words, "run 'a b"));
	assert_int_equal(words.n, 7);
	strv_release(&words);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_vector_is_fit_for_execve),
		cmocka_unit_test(it_always_ends_in_null),
		cmocka_unit_test(push_copies_and_take_takes_over),
		cmocka_unit_test(push_all_appends_even_itself),
		cmocka_unit_test(sort_is_by_bytes),
		cmocka_unit_test(dedup_removes_equal_neighbours),
		cmocka_unit_test(split_leaves_empty_parts_out),
		cmocka_unit_test(a_command_is_split_as_a_shell_does),
		cmocka_unit_test(join_puts_the_separator_between),
		cmocka_unit_test(a_misspelling_finds_its_word),
		cmocka_unit_test(another_word_finds_nothing),
		cmocka_unit_test(the_nearest_of_several_wins),
	};

	return cmocka_run_group_tests_name("strv", tests, NULL, NULL);
}
