#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <string.h>

#include "airlock/base/fs.h"
#include "airlock/base/host.h"
#include "airlock/deploy/config.h"
#include "airlock/deploy/sides.h"
#include "fs_support.h"
#include "proc_support.h"

/* A lock that another airlock of this checkout holds. */
struct ground {
	struct config config;
	struct sides sides;
	struct fs_lock theirs;
	struct err err;
};

static bool is_made(struct ground *ground)
{
	bool negated;
	const struct option_row *row = option_find("--lock-timeout", &negated);

	*ground = (struct ground) { .theirs = FS_LOCK_FREE };
	ground->err = (struct err)ERR_INIT;
	config_init(&ground->config);
	ground->sides.config = &ground->config;
	return config_set_argument(&ground->config, row, negated, "1", &ground->err) == 0 &&
	       fs_touch("lock", &ground->err) == 0 &&
	       fs_lock_try("lock", &ground->theirs, &ground->err) == 0;
}

static int wait_for_it(struct ground *ground)
{
	struct fs_lock ours CLEANUP(fs_lock_release) = FS_LOCK_FREE;

	return sides_wait_for(&ground->sides, "lock", "compiles", &ours, &ground->err);
}

static void clear(struct ground *ground)
{
	fs_lock_release(&ground->theirs);
	config_release(&ground->config);
	err_release(&ground->err);
}

static int wait_scenario(void)
{
	struct ground ground;
	int64_t begun = host_monotonic_ms();

	CHECK(is_made(&ground));
	CHECK(wait_for_it(&ground) < 0);
	CHECK(host_monotonic_ms() - begun >= 1000);
	CHECK(ground.err.code == ERR_LOCKED);
	CHECK(strcmp(ground.err.message, "another airlock compiles, for longer than 1 seconds") ==
	      0);
	fs_lock_release(&ground.theirs);
	CHECK(wait_for_it(&ground) == 0);
	clear(&ground);
	return 0;
}

static void a_lock_of_this_checkout_is_waited_for_and_not_for_ever(void **state)
{
	(void)state;
	assert_holds(wait_scenario);
}

static int signal_scenario(void)
{
	struct ground ground;

	proc_supervise();
	CHECK(is_made(&ground));
	CHECK(raise(SIGINT) == 0);
	CHECK(wait_for_it(&ground) < 0);
	CHECK(ground.err.code == ERR_INTERRUPTED);
	CHECK(strcmp(ground.err.message, "interrupted while another airlock compiles") == 0);
	clear(&ground);
	return 0;
}

static void a_signal_ends_the_wait_and_is_what_is_told(void **state)
{
	(void)state;
	assert_holds(signal_scenario);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		IN_DIRECTORY(a_lock_of_this_checkout_is_waited_for_and_not_for_ever),
		IN_DIRECTORY(a_signal_ends_the_wait_and_is_what_is_told),
	};

	support_init(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
