#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <pwd.h>
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
	char *user, *logname;

	(void)state;
	setenv("USER", "ann", 1);
	setenv("LOGNAME", "bob", 1);
	user = host_user();
	setenv("USER", "", 1);
	logname = host_user();
	assert_string_equal(user, "ann");
	assert_string_equal(logname, "bob");
	free(user);
	free(logname);
}

static void without_it_from_etc_passwd(void **state)
{
	const struct passwd *known = getpwuid(getuid());
	CLEANUP(mem_free_string)
	char *expected =
		known ? mem_strdup(known->pw_name) : mem_printf("uid %u", (unsigned)getuid());

	(void)state;
	unsetenv("USER");
	unsetenv("LOGNAME");
	CLEANUP(mem_free_string) char *user = host_user();

	assert_string_equal(user, expected);
}

static void assert_named(const char *text, uid_t uid, const char *expected)
{
	CLEANUP(mem_free_string) char *name = host_passwd_name(text, uid);

	if (expected)
		assert_string_equal(name, expected);
	else
		assert_null(name);
}

static void a_line_of_passwd_is_found_by_its_uid(void **state)
{
	const char *text = "root:x:0:0:root:/root:/bin/sh\n"
			   "\n"
			   "# x:y:7:\n"
			   "ann:x:1001:100::/home/ann:\n"
			   "ann2:x:1001:100::/home/ann:\n"
			   ":x:1002:0:::\n"
			   "short:x\n"
			   "cut:x:1003";

	(void)state;
	assert_named(text, 0, "root");
	assert_named(text, 1001, "ann");
	assert_named(text, 100, NULL);
	assert_named(text, 1002, NULL);
	assert_named(text, 1003, NULL);
	assert_named("+::::::\nx:*::0:::\n", 0, NULL);
	assert_named("", 0, NULL);
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

static void a_pid_means_something_in_one_place(void **state)
{
	CLEANUP(mem_free_string) char *first = host_pid_space();
	CLEANUP(mem_free_string) char *second = host_pid_space();

	(void)state;
	assert_string_equal(first, second);
	assert_int_equal(strspn(first, "0123456789abcdef-:"), strlen(first));
	assert_true(*first == '\0' || first[36] == ':');
	assert_true(*first == '\0' || host_is_pid_space(first, second));
	assert_false(host_pid_space_is_gone(first, second));
}

static void a_pid_of_elsewhere_says_nothing(void **state)
{
	(void)state;
	assert_true(host_is_pid_space("b1:4026531836:m", "b1:4026531836:m"));
	assert_false(host_is_pid_space("b1:4026531836:m", "b2:4026531836:m"));
	assert_false(host_is_pid_space("b1:4026532178:m", "b1:4026531836:m"));
	assert_false(host_is_pid_space("b1:4026531836:m", "b1:4026531836:n"));
	assert_false(host_is_pid_space("", ""));
	assert_false(host_is_pid_space("b1", "b1:4026531836:m"));
}

static void what_ran_before_a_reboot_is_gone(void **state)
{
	(void)state;
	assert_true(host_pid_space_is_gone("b1:4026531836:m", "b2:4026531836:m"));
	assert_false(host_pid_space_is_gone("b2:4026531836:m", "b2:4026531836:m"));
	/* Another machine of the same name, and a container of the same image on another one. */
	assert_false(host_pid_space_is_gone("b1:4026531836:n", "b2:4026531836:m"));
	assert_false(host_pid_space_is_gone("b1:4026532178:m", "b2:4026532178:m"));
	assert_false(host_pid_space_is_gone("b1:4026532178:m", "b2:4026531836:m"));
	assert_false(host_pid_space_is_gone("b1:4026531836:", "b2:4026531836:"));
	assert_false(host_pid_space_is_gone("", "b2:4026531836:m"));
	assert_false(host_pid_space_is_gone("b1", "b2:4026531836:m"));
	assert_false(host_pid_space_is_gone("b1", ""));
	assert_false(host_pid_space_is_gone("", ""));
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
		cmocka_unit_test(without_it_from_etc_passwd),
		cmocka_unit_test(a_line_of_passwd_is_found_by_its_uid),
		cmocka_unit_test(a_process_is_known_by_its_start),
		cmocka_unit_test(no_process_has_a_pid_below_one),
		cmocka_unit_test(a_name_that_looks_like_fields_misleads_nobody),
		cmocka_unit_test(a_zombie_is_not_alive),
		cmocka_unit_test(a_pid_means_something_in_one_place),
		cmocka_unit_test(a_pid_of_elsewhere_says_nothing),
		cmocka_unit_test(what_ran_before_a_reboot_is_gone),
	};

	return cmocka_run_group_tests_name("host", tests, NULL, NULL);
}
