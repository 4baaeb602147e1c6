#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "airlock/base/env.h"
#include "airlock/base/fs.h"
#include "airlock/base/mem.h"
#include "airlock/dbt/ops.h"
#include "airlock/format/json.h"

extern char **environ;

/* A connection to fake_dbt.py, which says what it was called with in `record`. */
struct world {
	char directory[32];
	char *operations;
	char *record;
	struct strv options;
	struct strv environment;
	struct ops_connection connection;
	struct ops ops;
	struct ops_reply reply;
	struct err err;
};

static int setup(void **state)
{
	struct world *world = mem_alloc(sizeof(*world));

	strcpy(world->directory, "/tmp/airlock-ops.XXXXXX");
	if (!mkdtemp(world->directory))
		return -1;
	world->operations = fs_join(world->directory, "ops");
	world->record = fs_join(world->directory, "record.json");
	env_copy(&world->environment, environ);
	env_set(&world->environment, "FAKE_DBT_RECORD", world->record);
	world->connection = (struct ops_connection) {
		.directory = world->operations,
		.profile = "shop",
		.target = "prod",
		.options = &world->options,
		.environment = &world->environment,
		.runner = runner_plain(AIRLOCK_SOURCE_DIR "/test/unit/fake_dbt.py"),
	};
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;
	char *command CLEANUP(mem_free_string) = mem_printf("rm -rf '%s'", world->directory);
	int rc = system(command);

	runner_free(world->connection.runner);
	ops_reply_release(&world->reply);
	ops_release(&world->ops);
	err_release(&world->err);
	strv_release(&world->options);
	strv_release(&world->environment);
	free(world->operations);
	free(world->record);
	free(world);
	return rc;
}

/* Runs what is in world->ops against a dbt that behaves as `mode` says. */
static int run(struct world *world, const char *mode)
{
	env_set(&world->environment, "FAKE_DBT", mode);
	ops_reply_release(&world->reply);
	return ops_run(&world->connection, &world->ops, false, NULL, NULL, &world->reply,
		       &world->err);
}

static void add_three_calls(struct world *world)
{
	char *big CLEANUP(mem_free_string) = mem_alloc(100001);

	memset(big, 'x', 100000);
	ops_add_query(&world->ops, "select 1");
	ops_add(&world->ops, "select 'not wanted'");
	ops_add_query(&world->ops, big);
}

static void fails(struct world *world, const char *mode, enum err_code code, size_t calls_done)
{
	assert_int_equal(run(world, mode), -1);
	if (world->err.code != code)
		fail_msg("%s: %s", mode, world->err.message);
	assert_int_equal(world->reply.calls_done, calls_done);
	assert_int_equal(world->reply.n, world->ops.n);
	err_release(&world->err);
	world->err = (struct err)ERR_INIT;
}

static json_t *read_record(struct world *world)
{
	json_t *record = js_read_file(world->record, 1 << 20, ERR_FILE, &world->err);

	assert_non_null(record);
	return record;
}

/* The words that dbt was called with, joined by spaces. */
static char *called_with(struct world *world)
{
	json_t *record CLEANUP(js_free) = read_record(world);
	json_t *argv = js_get_array(record, "argv");
	struct strv words CLEANUP(strv_release) = STRV_INIT;

	for (size_t i = 0; i < json_array_size(argv); i++)
		strv_push(&words, json_string_value(json_array_get(argv, i)));
	return strv_join(&words, " ");
}

static bool file_exists(struct world *world, const char *name)
{
	char *path CLEANUP(mem_free_string) = fs_join(world->operations, name);

	return fs_exists(path);
}

static const char nasty[] =
	"{{ x }} {% if %} {# #} {%- endmacro -%} {% raw %} \\ \\n \" ' '' \n \r \r\n \t "
	"\x01\x1f\x7f "
	"\xc3\xa9 \xf0\x9f\x98\x80 \xe2\x80\xa8 %s %% ; -- /* */ @VALUES@ \\u0041 }} %} #}";

static void rows_come_back_as_the_warehouse_gave_them(void **state)
{
	struct world *world = *state;
	size_t call;

	add_three_calls(world);
	call = ops_add_query(&world->ops, nasty);
	assert_int_equal(run(world, "good"), 0);
	assert_true(world->reply.finished);
	assert_int_equal(world->reply.calls_done, 4);
	assert_null(world->reply.rows[1]);
	assert_int_equal(strlen(js_get_string(json_array_get(world->reply.rows[2], 0), "sql")),
			 100000);
	assert_string_equal(js_get_string(json_array_get(world->reply.rows[call], 0), "sql"),
			    nasty);
	assert_int_equal(world->connection.runner->starts, 1);
}

static void what_is_printed_as_it_is_is_read_too(void **state)
{
	struct world *world = *state;
	size_t call;

	add_three_calls(world);
	call = ops_add_query(&world->ops, nasty);
	for (int spaced = 0; spaced < 2; spaced++) {
		assert_int_equal(run(world, "plain"), 0);
		assert_true(world->reply.finished);
		assert_string_equal(
			js_get_string(json_array_get(world->reply.rows[call], 0), "sql"), nasty);
		env_set(&world->environment, "DBT_ENV_SECRET_WORD", "select");
	}
}

static void guarded_calls_run_only_behind_a_row(void **state)
{
	struct world *world = *state;

	ops_add_query(&world->ops, "select a row");
	ops_add_query(&world->ops, "select 1");
	ops_add_query(&world->ops, "select 2");
	ops_guard_from(&world->ops, 1);
	ops_add_query(&world->ops, "select nothing");
	ops_add_query(&world->ops, "select 3");
	ops_add_query(&world->ops, "select 4");
	ops_guard_from(&world->ops, 4);
	assert_int_equal(ops_guard(&world->ops, 0), 0);
	assert_int_equal(ops_guard(&world->ops, 2), 0);
	assert_int_equal(ops_guard(&world->ops, 3), 3);
	assert_int_equal(ops_guard(&world->ops, 5), 3);
	assert_int_equal(run(world, "good"), 0);
	assert_true(world->reply.finished);
	assert_int_equal(world->reply.calls_done, 6);
	assert_int_equal(json_array_size(world->reply.rows[2]), 1);
	assert_int_equal(json_array_size(world->reply.rows[3]), 0);
	assert_null(world->reply.rows[4]);
	assert_null(world->reply.rows[5]);
}

static void a_call_that_was_left_out_unasked_is_no_success(void **state)
{
	struct world *world = *state;

	add_three_calls(world);
	fails(world, "skips", ERR_NO_ANSWER, 1);
	ops_release(&world->ops);
	ops_add_query(&world->ops, "select a row");
	ops_add_query(&world->ops, "select 1");
	ops_guard_from(&world->ops, 1);
	fails(world, "skips", ERR_NO_ANSWER, 1);
}

static void an_operation_without_calls_starts_nothing(void **state)
{
	struct world *world = *state;

	assert_int_equal(run(world, "good"), 0);
	assert_true(world->reply.finished);
	assert_int_equal(world->connection.runner->starts, 0);
	assert_false(fs_exists(world->operations));
}

static void a_lost_answer_is_never_success(void **state)
{
	struct world *world = *state;

	add_three_calls(world);
	fails(world, "silent", ERR_NO_ANSWER, 0);
	fails(world, "wrong-nonce", ERR_NO_ANSWER, 0);
	fails(world, "short-check", ERR_NO_ANSWER, 0);
	fails(world, "missing-piece", ERR_NO_ANSWER, 2);
	fails(world, "wrong-order", ERR_NO_ANSWER, 2);
	fails(world, "lost-done", ERR_NO_ANSWER, 1);
	fails(world, "scrubbed", ERR_NO_ANSWER, 0);
	fails(world, "not-json", ERR_NO_ANSWER, 0);
	fails(world, "wrong-count", ERR_NO_ANSWER, 0);
	fails(world, "no-end", ERR_NO_ANSWER, 3);
	assert_false(world->reply.finished);
	fails(world, "twice", ERR_NO_ANSWER, 3);
}

static void a_statement_that_fails_is_named_in_the_database_s_words(void **state)
{
	struct world *world = *state;

	add_three_calls(world);
	assert_int_equal(run(world, "sql-error"), -1);
	assert_int_equal(world->err.code, ERR_WAREHOUSE);
	assert_string_equal(world->err.message, "statement 2 of 3: relation \"t\" does not exist\n"
						"LINE 1: select * from t");
	assert_int_equal(world->reply.calls_done, 1);
	assert_non_null(world->reply.rows[0]);
	assert_false(world->reply.finished);
}

static void a_second_dbt_s_errors_are_the_database_s_words_too(void **state)
{
	struct world *world = *state;

	add_three_calls(world);
	assert_int_equal(run(world, "second-error"), -1);
	assert_int_equal(world->err.code, ERR_WAREHOUSE);
	assert_string_equal(world->err.message, "statement 2 of 3: Catalog Error: no table t\n\n"
						"LINE 1: select * from t");
	assert_int_equal(world->reply.calls_done, 1);
}

static void a_changed_text_is_not_run(void **state)
{
	struct world *world = *state;

	add_three_calls(world);
	assert_int_equal(run(world, "mismatch"), -1);
	assert_int_equal(world->err.code, ERR_INTERNAL);
	assert_non_null(strstr(world->err.message, "nothing was run"));
	assert_int_equal(world->reply.calls_done, 0);
}

static void what_is_known_survives_a_killed_dbt(void **state)
{
	struct world *world = *state;

	add_three_calls(world);
	assert_int_equal(run(world, "killed"), -1);
	assert_int_equal(world->err.code, ERR_DBT_FAILED);
	assert_int_equal(err_exit_status(&world->err), 128 + SIGKILL);
	assert_int_equal(world->reply.calls_done, 2);
	assert_non_null(world->reply.rows[0]);
	assert_false(world->reply.finished);
}

static void a_dbt_that_fails_behind_the_end_is_an_error_with_a_whole_reply(void **state)
{
	struct world *world = *state;

	add_three_calls(world);
	assert_int_equal(run(world, "fails-after"), -1);
	assert_int_equal(world->err.code, ERR_DBT_FAILED);
	assert_int_equal(err_exit_status(&world->err), 2);
	assert_true(world->reply.finished);
	assert_int_equal(world->reply.calls_done, 3);
}

static void a_dbt_that_does_not_come_to_the_macro_is_dbt_s_failure(void **state)
{
	struct world *world = *state;

	ops_add(&world->ops, "select 1");
	assert_int_equal(run(world, "usage"), -1);
	assert_int_equal(world->err.code, ERR_DBT_FAILED);
	assert_int_equal(err_exit_status(&world->err), 2);
	assert_non_null(strstr(world->err.message, "No such option '--nope'"));
	err_release(&world->err);
	world->err = (struct err)ERR_INIT;
	assert_int_equal(run(world, "profile"), -1);
	assert_non_null(strstr(world->err.message, "no target 'x'"));
}

static void the_command_is_the_user_s_but_for_the_project(void **state)
{
	struct world *world = *state;
	const char *directory = world->operations;
	char *expected CLEANUP(mem_free_string) =
		mem_printf("run-operation airlock_run --profiles-dir p --project-dir %s/0 "
			   "--target-path %s/0/target/prod --log-path %s/0/logs "
			   "--no-write-json --target prod --log-format json --log-level info "
			   "--print --no-quiet --no-use-colors "
			   "--log-level-file none",
			   directory, directory, directory);
	char *got CLEANUP(mem_free_string) = NULL;

	strv_push(&world->options, "--project-dir");
	strv_push(&world->options, "theirs");
	strv_push(&world->options, "--profiles-dir");
	strv_push(&world->options, "p");
	strv_push(&world->options, "--project-dir=theirs");
	ops_add(&world->ops, "select 1");
	assert_int_equal(run(world, "good"), 0);
	got = called_with(world);
	assert_string_equal(got, expected);
}

static void the_environment_cannot_lose_the_answer(void **state)
{
	struct world *world = *state;
	json_t *record CLEANUP(js_free) = NULL;
	json_t *env;

	env_set(&world->environment, "DBT_NO_PRINT", "1");
	env_set(&world->environment, "DBT_ENGINE_LOG_LEVEL", "none");
	env_set(&world->environment, "DBT_WARN_ERROR", "1");
	env_set(&world->environment, "DBT_ENGINE_SEND_ANONYMOUS_USAGE_STATS", "true");
	env_set(&world->environment, "DBT_PROFILES_DIR", "p");
	ops_add(&world->ops, "select 1");
	assert_int_equal(run(world, "good"), 0);
	record = read_record(world);
	env = js_get_object(record, "env");
	assert_null(js_get_string(env, "DBT_NO_PRINT"));
	assert_null(js_get_string(env, "DBT_ENGINE_LOG_LEVEL"));
	assert_null(js_get_string(env, "DBT_WARN_ERROR"));
	assert_null(js_get_string(env, "DBT_ENGINE_SEND_ANONYMOUS_USAGE_STATS"));
	assert_string_equal(js_get_string(env, "DBT_SEND_ANONYMOUS_USAGE_STATS"), "false");
	assert_string_equal(js_get_string(env, "DBT_PROFILES_DIR"), "p");
	assert_string_equal(env_get(&world->environment, "DBT_NO_PRINT"), "1");
}

static void the_answer_is_spaced_where_dbt_hides_secrets(void **state)
{
	struct world *world = *state;
	struct buf macro CLEANUP(buf_release) = BUF_INIT;
	char *path CLEANUP(mem_free_string) =
		fs_join(world->operations, "0/macros/airlock_ops.sql");

	env_set(&world->environment, "DBT_ENV_SECRET_X", "x");
	add_three_calls(world);
	ops_add_query(&world->ops, nasty);
	ops_add_query(&world->ops, "~~ ~");
	assert_int_equal(run(world, "good"), 0);
	assert_int_equal(world->reply.calls_done, 5);
	assert_string_equal(js_get_string(json_array_get(world->reply.rows[3], 0), "sql"), nasty);
	assert_string_equal(js_get_string(json_array_get(world->reply.rows[4], 0), "sql"), "~~ ~");
	assert_int_equal(fs_read(path, 1 << 20, &macro, &world->err), 0);
	assert_non_null(strstr(buf_cstr(&macro), "set gap = \"~\""));
}

static void a_profile_name_is_quoted(void **state)
{
	struct world *world = *state;
	struct buf project CLEANUP(buf_release) = BUF_INIT;
	char *path CLEANUP(mem_free_string) = fs_join(world->operations, "0/dbt_project.yml");

	world->connection.profile = "my: \"shop\"";
	ops_add(&world->ops, "select 1");
	assert_int_equal(run(world, "good"), 0);
	assert_int_equal(fs_read(path, 1 << 20, &project, &world->err), 0);
	assert_string_equal(buf_cstr(&project),
			    "name: airlock_ops\nversion: \"1.0\"\nconfig-version: 2\n"
			    "profile: \"my: \\\"shop\\\"\"\n");
}

/* In the environment, so that the project is the same for each deployment. */
static void statements_are_labelled_where_the_service_keeps_that(void **state)
{
	struct world *world = *state;
	struct buf project CLEANUP(buf_release) = BUF_INIT;
	char *path CLEANUP(mem_free_string) = fs_join(world->operations, "0/dbt_project.yml");

	world->connection.job_label = "{\"airlock\": \"x1\"}";
	ops_add_query(&world->ops, "select 1");
	assert_int_equal(run(world, "good"), 0);
	assert_int_equal(fs_read(path, 4096, &project, &world->err), 0);
	assert_non_null(strstr(buf_cstr(&project),
			       "query-comment:\n  comment: \"{{ env_var('AIRLOCK_JOB_LABEL', "
			       "'{}') }}\"\n  job-label: true\n"));

	json_t *record CLEANUP(js_free) = read_record(world);
	const json_t *environment = js_get_object(record, "env");

	assert_string_equal(js_get_string(environment, "AIRLOCK_JOB_LABEL"),
			    "{\"airlock\": \"x1\"}");
}

static void a_target_that_is_no_file_name_has_a_directory_all_the_same(void **state)
{
	struct world *world = *state;
	char *got CLEANUP(mem_free_string) = NULL;

	world->connection.target = "../up";
	ops_add(&world->ops, "select 1");
	assert_int_equal(run(world, "good"), 0);
	got = called_with(world);
	assert_null(strstr(got, "target/.."));
	assert_non_null(strstr(got, "--target ../up"));
}

static void two_users_never_share_a_macro_file(void **state)
{
	struct world *world = *state;
	struct fs_lock lock = FS_LOCK_FREE;
	char *first CLEANUP(mem_free_string) = fs_join(world->operations, "0/lock");

	ops_add(&world->ops, "select 1");
	assert_int_equal(run(world, "good"), 0);
	assert_false(file_exists(world, "1"));
	assert_int_equal(fs_lock_try(first, &lock, &world->err), 0);
	assert_int_equal(run(world, "good"), 0);
	assert_true(file_exists(world, "1/macros/airlock_ops.sql"));
	fs_lock_release(&lock);
	assert_int_equal(run(world, "good"), 0);
	assert_false(file_exists(world, "2"));
}

static void text_that_dbt_could_not_read_is_refused(void **state)
{
	struct world *world = *state;

	ops_add(&world->ops, "select '\xff'");
	fails(world, "good", ERR_WAREHOUSE, 0);
	assert_int_equal(world->connection.runner->starts, 0);
}

static void literal(const char *text, const char *expected)
{
	struct buf out CLEANUP(buf_release) = BUF_INIT;

	ops_jinja_literal(&out, text);
	assert_string_equal(buf_cstr(&out), expected);
}

static void literals_escape_what_jinja_would_change(void **state)
{
	(void)state;
	literal("", "\"\"");
	literal("a\"b\\c", "\"a\\\"b\\\\c\"");
	literal("\n\r\t\x01\x1f\x7f", "\"\\n\\r\\t\\u0001\\u001f\\u007f\"");
	literal("\xc3\xa9 {{ {% {# '", "\"\xc3\xa9 {{ {% {# '\"");
}

static void the_macro_holds_every_text_with_its_checksum(void **state)
{
	struct ops ops CLEANUP(ops_release) = OPS_INIT;
	struct buf macro CLEANUP(buf_release) = BUF_INIT;

	(void)state;
	assert_int_equal(ops_add_query(&ops, "select 1"), 0);
	ops_add(&ops, "select '@VALUES@'");
	ops_write_macro(&ops, "0123456789abcdef", &macro);
	assert_non_null(strstr(buf_cstr(&macro),
			       "{%- set nonce = \"0123456789abcdef\" -%}\n"
			       "{%- set gap = \"\" -%}\n"
			       "{%- set steps = [\n"
			       "\t{\"md5\": \"95adb6e77a0884d9e50232cb8c5c969d\", "
			       "\"rows\": true, \"guarded\": false, "
			       "\"sql\": \"select 1\"},\n"
			       "\t{\"md5\": \"491acb97b2b5f82f20f50bcf253b1559\", "
			       "\"rows\": false, \"guarded\": false, "
			       "\"sql\": \"select '@VALUES@'\"},\n"
			       "] -%}"));
	assert_non_null(strstr(buf_cstr(&macro), "{%- endmacro -%}"));
}

static void a_transaction_takes_the_form_of_the_dialect(void **state)
{
	static const char *const settings[] = { "set local x = 1", NULL };
	static const struct dialect calls = { .transaction = DIALECT_TRANSACTION_CALLS,
					      .transaction_settings = settings };
	static const struct dialect string = { .transaction = DIALECT_TRANSACTION_STRING };
	static const char *const expected[] = { "begin", "set local x = 1",
						"create view v as select 1 -- one", "drop table t;",
						"commit" };
	struct strv statements CLEANUP(strv_release) = STRV_INIT;
	struct ops ops CLEANUP(ops_release) = OPS_INIT;

	(void)state;
	ops_add_transaction(&ops, &calls, &statements);
	assert_int_equal(ops.n, 0);
	strv_push(&statements, "create view v as select 1 -- one");
	strv_push(&statements, "drop table t;");
	ops_add_transaction(&ops, &calls, &statements);
	assert_int_equal(ops.n, ARRAY_LEN(expected));
	for (size_t i = 0; i < ops.n; i++)
		assert_string_equal(ops.calls[i].sql, expected[i]);
	ops_add_transaction(&ops, &string, &statements);
	assert_int_equal(ops.n, ARRAY_LEN(expected) + 1);
	assert_string_equal(ops.calls[ops.n - 1].sql,
			    "begin;\ncreate view v as select 1 -- one\n;\ndrop table t;\ncommit;");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(rows_come_back_as_the_warehouse_gave_them),
		CASE(what_is_printed_as_it_is_is_read_too),
		CASE(guarded_calls_run_only_behind_a_row),
		CASE(a_call_that_was_left_out_unasked_is_no_success),
		CASE(an_operation_without_calls_starts_nothing),
		CASE(a_lost_answer_is_never_success),
		CASE(a_statement_that_fails_is_named_in_the_database_s_words),
		CASE(a_second_dbt_s_errors_are_the_database_s_words_too),
		CASE(a_changed_text_is_not_run),
		CASE(what_is_known_survives_a_killed_dbt),
		CASE(a_dbt_that_fails_behind_the_end_is_an_error_with_a_whole_reply),
		CASE(a_dbt_that_does_not_come_to_the_macro_is_dbt_s_failure),
		CASE(the_command_is_the_user_s_but_for_the_project),
		CASE(the_environment_cannot_lose_the_answer),
		CASE(the_answer_is_spaced_where_dbt_hides_secrets),
		CASE(a_profile_name_is_quoted),
		CASE(statements_are_labelled_where_the_service_keeps_that),
		CASE(a_target_that_is_no_file_name_has_a_directory_all_the_same),
		CASE(two_users_never_share_a_macro_file),
		CASE(text_that_dbt_could_not_read_is_refused),
		cmocka_unit_test(literals_escape_what_jinja_would_change),
		cmocka_unit_test(the_macro_holds_every_text_with_its_checksum),
		cmocka_unit_test(a_transaction_takes_the_form_of_the_dialect),
	};

	proc_supervise();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
