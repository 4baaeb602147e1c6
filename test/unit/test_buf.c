#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "airlock/base/buf.h"

static void an_empty_buf_reads_as_an_empty_string(void **state)
{
	struct buf buf = BUF_INIT;

	(void)state;
	assert_string_equal(buf_cstr(&buf), "");
	buf_add(&buf, "", 0);
	assert_string_equal(buf_cstr(&buf), "");
	buf_release(&buf);
	assert_string_equal(buf_cstr(&buf), "");
}

static void bytes_are_appended_and_terminated(void **state)
{
	CLEANUP(buf_release) struct buf buf = BUF_INIT;

	(void)state;
	buf_add(&buf, "a\0b", 3);
	buf_add_char(&buf, 'c');
	buf_add_str(&buf, "de");
	buf_printf(&buf, "%d%s", 42, "!");
	assert_int_equal(buf.len, 9);
	assert_memory_equal(buf.data, "a\0bcde42!", 10);
}

static void many_small_pieces_add_up(void **state)
{
	CLEANUP(buf_release) struct buf buf = BUF_INIT;

	(void)state;
	for (int i = 0; i < 100000; i++)
		buf_add_char(&buf, (char)('a' + i % 26));
	assert_int_equal(buf.len, 100000);
	assert_int_equal(strlen(buf_cstr(&buf)), 100000);
	for (int i = 0; i < 100000; i++)
		assert_int_equal(buf.data[i], 'a' + i % 26);
	assert_false(buf.overflowed);
}

static void the_ceiling_is_reached_exactly(void **state)
{
	CLEANUP(buf_release) struct buf buf;

	(void)state;
	buf_init_limit(&buf, 5);
	buf_add_str(&buf, "12345");
	assert_false(buf.overflowed);
	buf_add(&buf, "", 0);
	assert_false(buf.overflowed);
	buf_add_char(&buf, '6');
	assert_true(buf.overflowed);
	assert_string_equal(buf_cstr(&buf), "12345");
}

static void what_is_held_is_the_beginning_of_what_was_fed(void **state)
{
	CLEANUP(buf_release) struct buf buf;

	(void)state;
	buf_init_limit(&buf, 5);
	buf_add_str(&buf, "123");
	buf_printf(&buf, "%s", "4567");
	assert_true(buf.overflowed);
	assert_string_equal(buf_cstr(&buf), "12345");
	buf_remove_front(&buf, 3);
	buf_add_str(&buf, "8");
	assert_string_equal(buf_cstr(&buf), "45");
	assert_true(buf.overflowed);
}

static void clear_makes_room_again(void **state)
{
	CLEANUP(buf_release) struct buf buf;

	(void)state;
	buf_init_limit(&buf, 3);
	buf_clear(&buf);
	buf_add_str(&buf, "1234");
	buf_clear(&buf);
	assert_false(buf.overflowed);
	assert_string_equal(buf_cstr(&buf), "");
	buf_add_str(&buf, "123");
	assert_string_equal(buf_cstr(&buf), "123");
	assert_false(buf.overflowed);
}

static void take_hands_the_bytes_over(void **state)
{
	CLEANUP(buf_release) struct buf buf;
	char *taken, *empty;

	(void)state;
	buf_init_limit(&buf, 3);
	buf_add_str(&buf, "1234");
	taken = buf_take(&buf);
	empty = buf_take(&buf);
	buf_add_str(&buf, "5678");
	assert_string_equal(taken, "123");
	assert_string_equal(empty, "");
	assert_string_equal(buf_cstr(&buf), "567");
	free(taken);
	free(empty);
}

static void the_front_can_be_removed(void **state)
{
	CLEANUP(buf_release) struct buf buf = BUF_INIT;

	(void)state;
	buf_remove_front(&buf, 10);
	buf_add_str(&buf, "abcdef");
	buf_remove_front(&buf, 0);
	assert_string_equal(buf_cstr(&buf), "abcdef");
	buf_remove_front(&buf, 2);
	assert_string_equal(buf_cstr(&buf), "cdef");
	buf_remove_front(&buf, 100);
	assert_string_equal(buf_cstr(&buf), "");
	assert_int_equal(buf.len, 0);
}

static void printf_of_any_length_fits(void **state)
{
	CLEANUP(buf_release) struct buf buf = BUF_INIT;

	(void)state;
	buf_printf(&buf, "%*s", 100000, "x");
	assert_int_equal(buf.len, 100000);
	assert_int_equal(buf.data[99999], 'x');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_buf_reads_as_an_empty_string),
		cmocka_unit_test(bytes_are_appended_and_terminated),
		cmocka_unit_test(many_small_pieces_add_up),
		cmocka_unit_test(the_ceiling_is_reached_exactly),
		cmocka_unit_test(what_is_held_is_the_beginning_of_what_was_fed),
		cmocka_unit_test(clear_makes_room_again),
		cmocka_unit_test(take_hands_the_bytes_over),
		cmocka_unit_test(the_front_can_be_removed),
		cmocka_unit_test(printf_of_any_length_fits),
	};

	return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
