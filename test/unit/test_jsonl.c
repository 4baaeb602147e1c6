#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "airlock/base/strv.h"
#include "airlock/format/jsonl.h"

static void collect(void *context, const char *line, size_t len)
{
	struct strv *lines = context;

	if (line)
		assert_int_equal(strlen(line), len);
	strv_push(lines, line ? line : "(too long)");
}

/* The lines of `text` when it arrives in pieces of `step` bytes. */
static char *lines_of(const char *text, size_t step, size_t limit)
{
	struct strv lines = STRV_INIT;
	struct jsonl jsonl;
	size_t len = strlen(text);
	char *joined;

	jsonl_init(&jsonl, limit);
	for (size_t i = 0; i < len; i += step)
		jsonl_feed(&jsonl, text + i, len - i < step ? len - i : step, collect, &lines);
	jsonl_end(&jsonl, collect, &lines);
	jsonl_release(&jsonl);
	joined = lines.n ? strv_join(&lines, "|") : mem_strdup("");
	strv_release(&lines);
	return joined;
}

static void assert_lines(const char *text, size_t limit, const char *expected)
{
	for (size_t step = 1; step < 12; step++) {
		char *lines = lines_of(text, step, limit);

		assert_string_equal(lines, expected);
		free(lines);
	}
}

static void pieces_of_any_size_give_the_same_lines(void **state)
{
	(void)state;
	assert_lines("one\ntwo\n\nthree\n", 100, "one|two||three");
}

static void a_last_line_needs_no_newline(void **state)
{
	(void)state;
	assert_lines("one\ntwo", 100, "one|two");
	assert_lines("", 100, "");
}

static void a_line_that_is_too_long_is_reported_once_and_skipped(void **state)
{
	(void)state;
	assert_lines("abc\nabcd\nabcdefghijk\nx\n", 3, "abc|(too long)|(too long)|x");
	assert_lines("abcdefghijk", 3, "(too long)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_of_any_size_give_the_same_lines),
		cmocka_unit_test(a_last_line_needs_no_newline),
		cmocka_unit_test(a_line_that_is_too_long_is_reported_once_and_skipped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
