#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "airlock/base/backoff.h"
#include "airlock/base/host.h"
#include "airlock/base/proc.h"

/* A deadlock comes to those that have run for long. */
static void the_time_counts_from_the_first_failure(void **state)
{
	struct backoff backoff;
	int64_t began;

	(void)state;
	backoff_init(&backoff, 5, 20, 50);
	proc_sleep(100);
	assert_true(backoff_has_time(&backoff));
	began = host_monotonic_ms();
	assert_true(backoff_wait(&backoff));
	while (backoff_wait(&backoff))
		;
	assert_true(host_monotonic_ms() - began >= 50);
	assert_true(backoff.tries > 1);
	assert_false(backoff_has_time(&backoff));
}

static void no_time_is_no_wait(void **state)
{
	struct backoff backoff;

	(void)state;
	backoff_init(&backoff, 500, 4000, 0);
	assert_false(backoff_has_time(&backoff));
	assert_false(backoff_wait(&backoff));
	assert_int_equal(backoff.tries, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_time_counts_from_the_first_failure),
		cmocka_unit_test(no_time_is_no_wait),
	};

	return cmocka_run_group_tests_name("backoff", tests, NULL, NULL);
}
