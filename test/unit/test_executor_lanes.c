/* What of a publish may run side by side, with fake_dbt.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "airlock/base/env.h"
#include "airlock/base/fs.h"
#include "airlock/base/mem.h"
#include "airlock/deploy/executor.h"
#include "airlock/warehouse/dialect.h"

extern char **environ;

static void say_nothing(struct reporter *reporter, const char *text)
{
	(void)reporter;
	(void)text;
}

struct world {
	char directory[32];
	char *operations, *log;
	struct strv options, environment;
	struct ops_connection connection;
	struct reporter reporter;
	struct journal journal;
	struct executor executor;
	struct ops ops;
	struct ops_reply reply;
	struct err err;
};

static int setup(void **state)
{
	struct world *world = mem_alloc(sizeof(*world));

	strcpy(world->directory, "/tmp/airlock-lanes.XXXXXX");
	if (!mkdtemp(world->directory))
		return -1;
	world->operations = fs_join(world->directory, "ops");
	world->log = fs_join(world->directory, "log");
	env_copy(&world->environment, environ);
	env_set(&world->environment, "FAKE_DBT", "good");
	env_set(&world->environment, "FAKE_DBT_LOG", world->log);
	world->connection = (struct ops_connection) {
		.directory = world->operations,
		.target = "prod",
		.options = &world->options,
		.environment = &world->environment,
		.runner = runner_plain(AIRLOCK_SOURCE_DIR "/test/unit/fake_dbt.py"),
	};
	world->reporter = (struct reporter) { .note = say_nothing, .warning = say_nothing };
	world->journal = (struct journal)JOURNAL_CLOSED;
	if (journal_open(world->directory, "x", &world->journal, &world->err) < 0)
		return -1;
	world->executor = (struct executor) {
		.journal = &world->journal,
		.reporter = &world->reporter,
		.connection = &world->connection,
		.dialect = dialect_find("bigquery"),
		.lanes = 4,
	};
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;
	char *command CLEANUP(mem_free_string) = mem_printf("rm -rf '%s'", world->directory);
	int rc = system(command);

	journal_close(&world->journal);
	runner_free(world->connection.runner);
	ops_reply_release(&world->reply);
	ops_release(&world->ops);
	err_release(&world->err);
	strv_release(&world->options);
	strv_release(&world->environment);
	free(world->operations);
	free(world->log);
	free(world);
	return rc;
}

static void alone(struct world *world, const char *sql, bool is_of_session)
{
	ops_add(&world->ops, sql);
	world->ops.calls[world->ops.n - 1].is_of_session = is_of_session;
}

/* "<sql> <chain>.<nth>" */
static void chain(struct world *world, size_t group, size_t number, const char *sql)
{
	for (unsigned i = 0; i < 2; i++) {
		char *text CLEANUP(mem_free_string) = mem_printf("%s %zu.%u", sql, number, i);

		ops_add(&world->ops, text);
		world->ops.calls[world->ops.n - 1].group = group;
		world->ops.calls[world->ops.n - 1].chain = number;
	}
}

static int run(struct world *world)
{
	return executor_run_ops(&world->executor, &world->ops, true, &world->reply, &world->err);
}

static char *read_log(struct world *world)
{
	struct buf content = BUF_INIT;

	assert_int_equal(fs_read(world->log, 1 << 20, &content, &world->err), 0);
	return buf_take(&content);
}

static size_t times(const char *log, const char *sql)
{
	char *line CLEANUP(mem_free_string) = mem_printf(" %s\n", sql);
	size_t n = 0;

	for (const char *at = log; (at = strstr(at, line)); at++)
		n++;
	return n;
}

static void assert_before(const char *log, const char *first, const char *second)
{
	const char *a = strstr(log, first), *b = strstr(log, second);

	if (!a || !b || a > b)
		fail_msg("'%s' is not before '%s' in:\n%s", first, second, log);
}

static void chains_of_a_group_share_the_lanes_each_in_its_order(void **state)
{
	struct world *world = *state;

	alone(world, "session", true);
	alone(world, "first", false);
	for (size_t i = 0; i < 12; i++)
		chain(world, 1, i, "slow of");
	chain(world, 2, 12, "next");
	alone(world, "last", false);
	assert_int_equal(run(world), 0);
	char *log CLEANUP(mem_free_string) = read_log(world);

	/* The front, four lanes, the rest. */
	assert_int_equal(world->connection.runner->starts, 6);
	assert_int_equal(times(log, "session"), 6);
	assert_int_equal(times(log, "first"), 1);
	assert_int_equal(times(log, "last"), 1);
	for (unsigned i = 0; i < 12; i++) {
		char *one CLEANUP(mem_free_string) = mem_printf(" slow of %u.0\n", i);
		char *two CLEANUP(mem_free_string) = mem_printf(" slow of %u.1\n", i);

		assert_before(log, " first\n", one);
		assert_before(log, one, two);
		assert_before(log, two, " next 12.0\n");
	}
	assert_before(log, " next 12.1\n", " last\n");
	/* The second lane has begun before the first one had ended. */
	assert_before(log, " slow of 1.0\n", " slow of 8.1\n");
	assert_int_equal(world->reply.calls_done, world->ops.n);
	assert_true(world->reply.finished);
}

static void a_few_are_not_worth_another_session(void **state)
{
	struct world *world = *state;

	for (size_t i = 0; i < 5; i++)
		chain(world, 1, i, "of");
	alone(world, "last", false);
	assert_int_equal(run(world), 0);
	assert_int_equal(world->connection.runner->starts, 1);
}

static void what_passes_by_itself_is_tried_again_alone(void **state)
{
	struct world *world = *state;

	for (size_t i = 0; i < 6; i++)
		chain(world, 1, i, i == 2 ? "busy a" : i == 1 ? "shut b" : "of");
	alone(world, "last", false);
	assert_int_equal(run(world), 0);
	char *log CLEANUP(mem_free_string) = read_log(world);

	for (size_t i = 0; i < 6; i++)
		for (unsigned k = 0; k < 2; k++) {
			char *sql CLEANUP(mem_free_string) = mem_printf("%s %zu.%u",
									i == 2   ? "busy a"
									: i == 1 ? "shut b"
										 : "of",
									i, k);

			if (times(log, sql) != 1)
				fail_msg("'%s' was run %zu times:\n%s", sql, times(log, sql), log);
		}
	assert_int_equal(times(log, "last"), 1);
	assert_int_equal(world->reply.calls_done, world->ops.n);
}

static void where_one_fails_the_others_end_and_nothing_comes_behind(void **state)
{
	struct world *world = *state;

	for (size_t i = 0; i < 6; i++)
		chain(world, 1, i, i == 0 ? "broken" : i == 3 ? "busy a" : "slow");
	alone(world, "last", false);
	assert_int_equal(run(world), -1);
	char *log CLEANUP(mem_free_string) = read_log(world);

	assert_int_equal(world->err.code, ERR_WAREHOUSE);
	assert_non_null(strstr(world->err.message, "no such table"));
	assert_int_equal(world->connection.runner->starts, 2);
	assert_int_equal(times(log, "last"), 0);
	assert_int_equal(times(log, "slow 1.1"), 1);
	assert_int_equal(world->reply.calls_done, 2);
	assert_false(world->reply.finished);
	err_release(&world->err);
	world->err = (struct err)ERR_INIT;
}

static void one_without_an_answer_is_what_is_said_of_all(void **state)
{
	struct world *world = *state;

	for (size_t i = 0; i < 6; i++)
		chain(world, 1, i, i == 0 ? "broken" : i == 3 ? "lost" : "of");
	assert_int_equal(run(world), -1);
	assert_int_not_equal(world->err.code, ERR_WAREHOUSE);
	assert_false(executor_has_answer(&world->executor, &world->err));
	err_release(&world->err);
	world->err = (struct err)ERR_INIT;
}

static void a_lane_that_ran_is_not_a_session_that_was_not_opened(void **state)
{
	struct world *world = *state;

	for (size_t i = 0; i < 6; i++)
		chain(world, 1, i, i == 0 ? "broken" : "of");
	assert_int_equal(run(world), -1);
	char *log CLEANUP(mem_free_string) = read_log(world);

	assert_int_equal(times(log, "of 1.0"), 1);
	assert_int_equal(times(log, "of 5.1"), 1);
	assert_int_equal(world->reply.calls_done, 6);
	assert_false(executor_sent_nothing(&world->executor, &world->reply, &world->err));
	err_release(&world->err);
	world->err = (struct err)ERR_INIT;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(chains_of_a_group_share_the_lanes_each_in_its_order),
		TEST(a_few_are_not_worth_another_session),
		TEST(what_passes_by_itself_is_tried_again_alone),
		TEST(where_one_fails_the_others_end_and_nothing_comes_behind),
		TEST(one_without_an_answer_is_what_is_said_of_all),
		TEST(a_lane_that_ran_is_not_a_session_that_was_not_opened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
