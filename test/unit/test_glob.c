#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "airlock/base/mem.h"
#include "airlock/format/glob.h"

/* Each row was answered by fnmatch.fnmatchcase() of Python 3.11. */
static const struct {
	const char *pattern;
	const char *text;
	bool matches;
} rows[] = {
	{ "", "", true },
	{ "", "a", false },
	{ "orders", "orders", true },
	{ "orders", "Orders", false },
	{ "*", "", true },
	{ "*", "a.b/c", true },
	{ "a*c", "a.b/c", true },
	{ "a*c", "a.b/cd", false },
	{ "?", "a", true },
	{ "?", "\xc3\xa9", true },
	{ "?", "", false },
	{ "?", "\n", true },
	{ "*a*b*", "xxaxxbxx", true },
	{ "*a*b*", "xxbxxaxx", false },
	{ "stg_*_v[12]", "stg_orders_v2", true },
	{ "stg_*_v[12]", "stg_orders_v3", false },
	{ "[!a]b", "cb", true },
	{ "[!a]b", "ab", false },
	{ "[^a]b", "ab", true },
	{ "[^a]b", "cb", false },
	{ "[]a]", "]", true },
	{ "[!]a]", "]", false },
	{ "[", "[", true },
	{ "[a", "[a", true },
	{ "[!", "[!", true },
	{ "[]", "[]", true },
	{ "a]", "a]", true },
	{ "[a-c]", "b", true },
	{ "[c-a]", "b", false },
	{ "[c-a]", "c", false },
	{ "[!c-a]", "b", true },
	{ "[a-]", "-", true },
	{ "[-a]", "-", true },
	{ "[a-c-e]", "-", true },
	{ "[a-c-e]", "d", false },
	{ "[c-a!b]", "b", false },
	{ "[c-a!b]", "x", true },
	{ "[b-a!-z]", "-", false },
	{ "[b-a!-z]", "q", true },
	{ "[\\]", "\\", true },
	{ "\\*", "\\x", true },
	{ "\\*", "*", false },
	{ "[[:alpha:]]", "a", false },
	{ "[[:alpha:]]", "a]", true },
	{ "[\xc3\xa9-\xc3\xab]", "\xc3\xaa", true },
	{ "[\xc3\xa9-\xc3\xab]", "\xc3\xac", false },
	{ "*[a*![c^]", "x!", true },
	{ "a.c", "abc", false },
	{ "(a|b)+$", "(a|b)+$", true },
	{ "{{*}}", "{{x}}", true },
};

static void patterns_mean_what_they_mean_in_python(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (glob_match_once(rows[i].pattern, rows[i].text) != rows[i].matches)
			fail_msg("'%s' on '%s' should be %d", rows[i].pattern, rows[i].text,
				 rows[i].matches);
}

static void one_glob_serves_many_texts(void **state)
{
	struct glob *glob = glob_new("*_daily");

	(void)state;
	assert_true(glob_matches(glob, "orders_daily"));
	assert_false(glob_matches(glob, "orders"));
	assert_true(glob_matches(glob, "_daily"));
	glob_free(glob);
	glob_free(NULL);
}

static void many_stars_take_no_exponential_time(void **state)
{
	char pattern[601];
	char text[4001];

	(void)state;
	for (size_t i = 0; i < 600; i += 2)
		memcpy(pattern + i, "*a", 2);
	pattern[599] = 'b';
	pattern[600] = '\0';
	memset(text, 'a', 4000);
	text[4000] = '\0';
	assert_false(glob_match_once(pattern, text));
}

static void bytes_that_are_not_utf8_match_nothing(void **state)
{
	(void)state;
	assert_false(glob_match_once("\xff*", "\xff"));
	assert_false(glob_match_once("\xc3*", "\xc3\xa9"));
	assert_false(glob_match_once("*", "\xff"));
}

static void only_four_characters_make_a_pattern(void **state)
{
	(void)state;
	assert_true(glob_is_pattern("a*"));
	assert_true(glob_is_pattern("a?"));
	assert_true(glob_is_pattern("[a"));
	assert_true(glob_is_pattern("a]"));
	assert_false(glob_is_pattern("a.b\\{}!-^"));
	assert_false(glob_is_pattern(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(patterns_mean_what_they_mean_in_python),
		cmocka_unit_test(one_glob_serves_many_texts),
		cmocka_unit_test(many_stars_take_no_exponential_time),
		cmocka_unit_test(bytes_that_are_not_utf8_match_nothing),
		cmocka_unit_test(only_four_characters_make_a_pattern),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
