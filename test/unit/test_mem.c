#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "airlock/base/mem.h"

static void allocated_memory_is_zero(void **state)
{
	unsigned char *bytes = mem_alloc(1000);

	(void)state;
	for (size_t i = 0; i < 1000; i++)
		assert_int_equal(bytes[i], 0);
	free(bytes);
}

static void letters_of_ascii_become_small_and_capital(void **state)
{
	char text[] = "Ab_\xc3\x84 [Z]@9";

	(void)state;
	assert_ptr_equal(mem_lower(text), text);
	assert_string_equal(text, "ab_\xc3\x84 [z]@9");
	assert_ptr_equal(mem_upper(text), text);
	assert_string_equal(text, "AB_\xc3\x84 [Z]@9");
}

static void nothing_can_be_allocated(void **state)
{
	void *p = mem_alloc(0);
	void *q = mem_realloc(NULL, 0, 16);

	(void)state;
	assert_non_null(p);
	assert_non_null(q);
	free(p);
	free(q);
}

static void ask_for_too_much(void)
{
	free(mem_realloc(NULL, SIZE_MAX / 2, 3));
}

static void grow_too_much(void)
{
	void *array = NULL;
	size_t cap = 0;

	mem_grow(&array, &cap, SIZE_MAX, 1);
}

static void ask_arena_for_too_much(void)
{
	struct arena arena;

	arena_init(&arena);
	arena_alloc(&arena, SIZE_MAX - 4);
}

static int signal_of(void (*action)(void))
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		close(STDERR_FILENO);
		action();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void a_size_that_overflows_aborts(void **state)
{
	(void)state;
	assert_int_equal(signal_of(ask_for_too_much), SIGABRT);
	assert_int_equal(signal_of(grow_too_much), SIGABRT);
	assert_int_equal(signal_of(ask_arena_for_too_much), SIGABRT);
}

static void strings_are_copied(void **state)
{
	char text[] = "airlock";
	char *copy = mem_strdup(text);
	char *part = mem_strndup(text, 3);
	char *all = mem_strndup(text, 100);

	(void)state;
	text[0] = 'X';
	assert_string_equal(copy, "airlock");
	assert_string_equal(part, "air");
	assert_string_equal(all, "airlock");
	free(copy);
	free(part);
	free(all);
}

static void strndup_reads_no_further_than_told(void **state)
{
	char *unterminated = mem_alloc(4);
	char *copy;

	(void)state;
	memcpy(unterminated, "abcd", 4);
	copy = mem_strndup(unterminated, 4);
	assert_string_equal(copy, "abcd");
	free(copy);
	free(unterminated);
}

static void printf_makes_room_for_any_length(void **state)
{
	char *text = mem_printf("%0*d|%s", 5000, 7, "end");

	(void)state;
	assert_int_equal(strlen(text), 5004);
	assert_string_equal(text + 4999, "7|end");
	free(text);
}

static void free_string_forgets_the_pointer(void **state)
{
	char *text = mem_strdup("x");

	(void)state;
	mem_free_string(&text);
	assert_null(text);
	mem_free_string(&text);
}

static void a_growing_array_keeps_its_elements(void **state)
{
	int *numbers = NULL;
	size_t cap = 0, grown = 0;

	(void)state;
	for (size_t n = 0; n < 10000; n++) {
		size_t before = cap;

		mem_grow((void **)&numbers, &cap, n + 1, sizeof(*numbers));
		assert_true(cap >= n + 1);
		grown += cap != before;
		numbers[n] = (int)n;
	}
	for (size_t n = 0; n < 10000; n++)
		assert_int_equal(numbers[n], n);
	assert_true(grown < 20);
	free(numbers);
}

static void arena_memory_is_zero_and_aligned(void **state)
{
	struct arena arena;

	(void)state;
	arena_init(&arena);
	for (size_t size = 0; size < 500; size++) {
		unsigned char *p = arena_alloc(&arena, size);

		assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
		for (size_t i = 0; i < size; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xff, size);
	}
	arena_release(&arena);
	assert_null(arena.head);
}

static void arena_holds_elements_larger_than_a_block(void **state)
{
	struct arena arena;
	char *small, *next;

	(void)state;
	arena_init(&arena);
	memset(arena_alloc(&arena, 1000000), 1, 1000000);
	small = arena_strdup(&arena, "small");
	memset(arena_alloc(&arena, 1000000), 2, 1000000);
	next = arena_strdup(&arena, "next");
	/* The room that is left in a block is used on. */
	assert_true(next > small && next - small < 100);
	assert_string_equal(small, "small");
	arena_release(&arena);
}

static void arena_strings_are_copied(void **state)
{
	struct arena arena;

	(void)state;
	arena_init(&arena);
	assert_null(arena_strdup(&arena, NULL));
	assert_string_equal(arena_strdup(&arena, ""), "");
	assert_string_equal(arena_strndup(&arena, "airlock", 3), "air");
	assert_string_equal(arena_printf(&arena, "%s-%d", "a", 1), "a-1");
	arena_release(&arena);
	arena_release(&arena);
}

struct pair {
	int key, place;
};

static int compare_keys(const void *a, const void *b, const void *context)
{
	const struct pair *x = a, *y = b;

	return (x->key % *(const int *)context) - (y->key % *(const int *)context);
}

static void sorting_keeps_the_order_of_equals(void **state)
{
	const int rest = 7;
	struct pair pairs[200];

	(void)state;
	for (int n = 0; n < 200; n++) {
		for (int i = 0; i < n; i++)
			pairs[i] = (struct pair) { .key = i * 31 % 101, .place = i };
		mem_sort(pairs, (size_t)n, sizeof(*pairs), compare_keys, &rest);
		for (int i = 1; i < n; i++) {
			int order = compare_keys(&pairs[i - 1], &pairs[i], &rest);

			assert_true(order < 0 ||
				    (order == 0 && pairs[i - 1].place < pairs[i].place));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(allocated_memory_is_zero),
		cmocka_unit_test(nothing_can_be_allocated),
		cmocka_unit_test(letters_of_ascii_become_small_and_capital),
		cmocka_unit_test(a_size_that_overflows_aborts),
		cmocka_unit_test(strings_are_copied),
		cmocka_unit_test(strndup_reads_no_further_than_told),
		cmocka_unit_test(printf_makes_room_for_any_length),
		cmocka_unit_test(free_string_forgets_the_pointer),
		cmocka_unit_test(a_growing_array_keeps_its_elements),
		cmocka_unit_test(arena_memory_is_zero_and_aligned),
		cmocka_unit_test(arena_holds_elements_larger_than_a_block),
		cmocka_unit_test(arena_strings_are_copied),
		cmocka_unit_test(sorting_keeps_the_order_of_equals),
	};

	return cmocka_run_group_tests_name("mem", tests, NULL, NULL);
}
