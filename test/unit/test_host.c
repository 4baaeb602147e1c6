#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "airlock/base/host.h"
#include "airlock/base/mem.h"

static void time_is_utc_with_milliseconds(void **state)
{
	char text[HOST_TIME_SIZE];
	struct tm parts = { 0 };
	time_t before = time(NULL), read;
	const char *rest;

	(void)state;
	setenv("TZ", "Asia/Tokyo", 1);
	tzset();
	host_time_utc(text);
	unsetenv("TZ");
	tzset();
	assert_int_equal(strlen(text), HOST_TIME_SIZE - 1);
	rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);
	assert_non_null(rest);
	assert_true(rest[0] == '.' && isdigit((unsigned char)rest[1]) &&
		    isdigit((unsigned char)rest[2]) && isdigit((unsigned char)rest[3]));
	assert_string_equal(rest + 4, "Z");
	read = timegm(&parts);
	/* time() may be a tick behind the clock that it rounds */
	assert_true(read >= before && read <= time(NULL) + 1);
}

static void monotonic_time_goes_on(void **state)
{
	struct timespec pause = { .tv_nsec = 20000000 };
	int64_t before = host_monotonic_ms();

	(void)state;
	nanosleep(&pause, NULL);
	assert_true(host_monotonic_ms() - before >= 19);
}

static void random_hex_has_the_length_asked_for(void **state)
{
	static const size_t sizes[] = { 0, 1, 16, 256, 257, 1000 };
	char hex[2001];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		memset(hex, 'x', sizeof(hex));
		host_random_hex(hex, sizes[i]);
		assert_int_equal(strlen(hex), 2 * sizes[i]);
		assert_int_equal(strspn(hex, "0123456789abcdef"), 2 * sizes[i]);
	}
}

static void random_hex_differs(void **state)
{
	char a[33], b[33], chunks[2 * 512 + 1];

	(void)state;
	host_random_hex(a, 16);
	host_random_hex(b, 16);
	assert_string_not_equal(a, b);
	host_random_hex(chunks, 512);
	assert_memory_not_equal(chunks, chunks + 512, 512);
}

static void the_host_has_a_name(void **state)
{
	CLEANUP(mem_free_string) char *name = host_name();

	(void)state;
	assert_true(strlen(name) > 0);
}

static void the_user_comes_from_the_environment(void **state)
{
	char *user, *logname, *neither;
	char *expected = mem_printf("uid %u", (unsigned)getuid());

	(void)state;
	setenv("USER", "ann", 1);
	setenv("LOGNAME", "bob", 1);
	user = host_user();
	setenv("USER", "", 1);
	logname = host_user();
	unsetenv("USER");
	unsetenv("LOGNAME");
	neither = host_user();
	assert_string_equal(user, "ann");
	assert_string_equal(logname, "bob");
	assert_string_equal(neither, expected);
	free(user);
	free(logname);
	free(neither);
	free(expected);
}

static void a_process_is_known_by_its_start(void **state)
{
	uint64_t start = host_process_start(getpid());

	(void)state;
	assert_true(start > 0);
	assert_int_equal(host_process_start(getpid()), start);
	assert_true(host_process_is_alive(getpid(), start));
	assert_false(host_process_is_alive(getpid(), start + 1));
	/* Without a start time it may be the one: better not to take its lock away. */
	assert_true(host_process_is_alive(getpid(), 0));
}

static void no_process_has_a_pid_below_one(void **state)
{
	(void)state;
	assert_int_equal(host_process_start(0), 0);
	assert_int_equal(host_process_start(-1), 0);
	assert_false(host_process_is_alive(0, 0));
	assert_false(host_process_is_alive(-1, 0));
}

static void a_name_that_looks_like_fields_misleads_nobody(void **state)
{
	uint64_t start = host_process_start(getpid());
	char name[16];

	(void)state;
	prctl(PR_GET_NAME, name);
	prctl(PR_SET_NAME, "a) Z 1 (b) Z 2");
	assert_int_equal(host_process_start(getpid()), start);
	assert_true(host_process_is_alive(getpid(), start));
	prctl(PR_SET_NAME, name);
}

static void a_zombie_is_not_alive(void **state)
{
	pid_t pid = fork();
	siginfo_t info;
	uint64_t start;

	(void)state;
	if (pid == 0)
		_exit(0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	start = host_process_start(pid);
	assert_true(start > 0);
	assert_false(host_process_is_alive(pid, start));
	assert_false(host_process_is_alive(pid, 0));
	waitpid(pid, NULL, 0);
	assert_int_equal(host_process_start(pid), 0);
	assert_false(host_process_is_alive(pid, start));
}

static void the_boot_id_stays(void **state)
{
	CLEANUP(mem_free_string) char *first = host_boot_id();
	CLEANUP(mem_free_string) char *second = host_boot_id();

	(void)state;
	assert_string_equal(first, second);
	assert_int_equal(strspn(first, "0123456789abcdef-"), strlen(first));
	assert_true(strlen(first) == 36 || strlen(first) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(time_is_utc_with_milliseconds),
		cmocka_unit_test(monotonic_time_goes_on),
		cmocka_unit_test(random_hex_has_the_length_asked_for),
		cmocka_unit_test(random_hex_differs),
		cmocka_unit_test(the_host_has_a_name),
		cmocka_unit_test(the_user_comes_from_the_environment),
		cmocka_unit_test(a_process_is_known_by_its_start),
		cmocka_unit_test(no_process_has_a_pid_below_one),
		cmocka_unit_test(a_name_that_looks_like_fields_misleads_nobody),
		cmocka_unit_test(a_zombie_is_not_alive),
		cmocka_unit_test(the_boot_id_stays),
	};

	return cmocka_run_group_tests_name("host", tests, NULL, NULL);
}
