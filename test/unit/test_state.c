#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "airlock/deploy/state.h"
#include "airlock/format/json.h"
#include "made.h"

static const struct made_node staging[] = {
	{ .name = "a", .schema = "stage" },
	{ .name = "b", .schema = "other" },
	{ .name = "c", .schema = "STAGE" },
	{ .name = "s", .schema = "shared" },
};
static const struct made_node prod[] = {
	{ .name = "a", .database = "prod", .schema = "z_mart" },
	{ .name = "b", .database = "prod", .schema = "a.mart" },
	{ .name = "c", .database = "db", .schema = "Stage" },
	{ .name = "s", .schema = "shared" },
};

struct world {
	struct config config;
	struct manifest *from, *to;
	struct routes routes;
	struct state state;
	struct strv sql;
	struct err err;
};

#define WORLD CLEANUP(world_release) struct world w = { .from = NULL }

static void world_release(struct world *w)
{
	strv_release(&w->sql);
	state_release(&w->state);
	routes_release(&w->routes);
	manifest_free(w->from);
	manifest_free(w->to);
	config_release(&w->config);
	err_release(&w->err);
}

static void make(struct world *w, const char *adapter)
{
	made_config(&w->config, "--from staging --to prod");
	w->from = made_manifest(adapter, staging, ARRAY_LEN(staging));
	w->to = made_manifest(adapter, prod, ARRAY_LEN(prod));
	if (routes_resolve(&w->config, dialect_find(adapter), w->from, w->to, NULL, NULL, NULL,
			   &w->routes, &w->err) < 0)
		fail_msg("%s", w->err.message);
	state_init(&w->state, dialect_find(adapter), w->routes.items[0].to.database, &w->routes);
}

static void containers_are(const struct state *state, const char *expected)
{
	CLEANUP(buf_release) struct buf names = BUF_INIT;

	for (size_t i = 0; i < state->n; i++)
		buf_printf(&names, "%s%s ", state->containers[i].is_production ? "*" : "",
			   state->containers[i].name);
	assert_string_equal(buf_cstr(&names), expected);
}

static void containers_are_staging_then_production_each_in_name_order(void **state)
{
	WORLD;

	(void)state;
	make(&w, "postgres");
	containers_are(&w.state, "db.STAGE db.other db.shared db.stage *db.Stage *prod.\"a.mart\" "
				 "*prod.z_mart ");
	assert_int_equal(w.state.staging_count, 4);
}

/* A schema that is written by both has one lock, that of staging. */
static void one_schema_is_what_the_warehouse_takes_for_one(void **state)
{
	WORLD;

	(void)state;
	make(&w, "duckdb");
	containers_are(&w.state, "db.other db.shared db.stage *prod.\"a.mart\" *prod.z_mart ");
	assert_int_equal(w.state.staging_count, 3);
}

static void tables_of_state_stand_in_productions_database(void **state)
{
	WORLD;

	(void)state;
	make(&w, "postgres");
	assert_string_equal(w.state.log.database, "prod");
	assert_string_equal(w.state.log.schema, "airlock");
	assert_string_equal(w.state.log.identifier, "airlock_log");
	for (size_t i = 0; i < w.state.n; i++) {
		const struct relation *lock = &w.state.containers[i].lock;

		assert_string_equal(lock->schema, "airlock");
		assert_true(strncmp(lock->identifier, "airlock_lock_", 13) == 0);
		assert_int_equal(strlen(lock->identifier), 29);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(lock->identifier,
						w.state.containers[k].lock.identifier);
	}
}

static size_t holding(const struct strv *sql, const char *text)
{
	size_t n = 0;

	for (size_t i = 0; i < sql->n; i++)
		n += strstr(sql->v[i], text) != NULL;
	return n;
}

static void begin_makes_all_tables_and_takes_the_locks_of_staging(void **state)
{
	WORLD;

	(void)state;
	make(&w, "duckdb");
	assert_int_equal(state_push_begin(&w.state, &w.sql, &w.err), 0);
	assert_int_equal(w.sql.n, 2 + 5 + 3 + 1);
	assert_non_null(strstr(w.sql.v[0], "create schema if not exists \"prod\".\"airlock\""));
	assert_non_null(strstr(w.sql.v[1], "\"airlock_log\""));
	for (size_t i = 2; i < 7; i++)
		assert_non_null(
			strstr(w.sql.v[i], "create table if not exists \"prod\".\"airlock\""));
	for (size_t i = 7; i < 10; i++)
		assert_non_null(strstr(w.sql.v[i], "where nonce = ''"));
	/* The beginning is recorded behind the last of them. */
	assert_non_null(strstr(w.sql.v[10], "'begun'"));
	assert_non_null(strstr(w.sql.v[10], w.state.containers[2].lock.identifier));
}

static void who_resumes_locks_what_the_history_says_was_locked(void **state)
{
	WORLD;

	(void)state;
	make(&w, "postgres");
	CLEANUP(js_free) json_t *names = state_lock_names(&w.state);
	CLEANUP(state_release) struct state again = { .n = 0 };

	state_init_names(&again, dialect_find("postgres"), "prod", names);
	assert_int_equal(again.n, w.state.held_count);
	assert_int_equal(again.held_count, again.n);
	for (size_t i = 0; i < again.n; i++)
		assert_string_equal(again.containers[i].lock.identifier,
				    w.state.containers[i].lock.identifier);
	const struct state_lock seen = {
		.container = &again.containers[0], .fence = 41, .nonce = "n1", .id = "dead"
	};

	assert_int_equal(state_push_resume(&again, &seen, true, &w.sql, &w.err), 0);
	assert_int_equal(w.sql.n, 1);
	assert_non_null(strstr(w.sql.v[0], "where nonce = 'n1' and fence = 41"));
	assert_null(strstr(w.sql.v[0], "aborted"));
}

static void the_fences_guard_what_is_ours_and_what_must_be_free(void **state)
{
	WORLD;

	(void)state;
	make(&w, "duckdb");
	assert_int_equal(state_push_fences(&w.state, &w.sql, &w.err), 0);
	assert_int_equal(w.sql.n, 5);
	assert_int_equal(holding(&w.sql, DIALECT_RAISED_FENCE), 3);
	assert_int_equal(holding(&w.sql, DIALECT_RAISED_HELD), 2);
	assert_non_null(strstr(w.sql.v[3], DIALECT_RAISED_HELD " ' || 'prod.\"a.mart\"'"));
}

static void every_other_list_is_about_the_locks_of_staging(void **state)
{
	int (*const push[])(const struct state *, struct strv *, struct err *) = {
		state_push_read,
		state_push_release,
		state_push_raise,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(push); i++) {
		WORLD;

		make(&w, "postgres");
		assert_int_equal(push[i](&w.state, &w.sql, &w.err), 0);
		assert_int_equal(w.sql.n, 4);
	}
}

static void a_log_entry_is_one_line_of_json(void **state)
{
	WORLD;
	CLEANUP(js_free) json_t *detail = json_pack("{s:s, s:i}", "it", "it's \"so\"\n", "n", 1);

	(void)state;
	make(&w, "postgres");
	assert_int_equal(state_push_log(&w.state, "intent", detail, &w.sql, &w.err), 0);
	assert_int_equal(w.sql.n, 1);
	assert_non_null(
		strstr(w.sql.v[0], "'intent', '{\"it\":\"it''s \\\"so\\\"\\n\",\"n\":1}')"));
	assert_non_null(strstr(w.sql.v[0], "'\1id\1'"));
}

static void reads(const char *rows, const char *error)
{
	WORLD;
	struct state_lock lock;
	CLEANUP(js_free) json_t *json = NULL;

	make(&w, "postgres");
	json = js_parse(rows, strlen(rows), "rows", ERR_NO_ANSWER, &w.err);
	assert_non_null(json);
	if (!error) {
		if (state_read_lock(&w.state, 1, json, &lock, &w.err) < 0)
			fail_msg("%s", w.err.message);
		assert_ptr_equal(lock.container, &w.state.containers[1]);
		assert_int_equal(lock.fence, 3);
		assert_string_equal(lock.nonce, "abc");
		assert_string_equal(lock.host, "h");
		assert_int_equal(lock.pid, 12);
		assert_true(lock.published);
		return;
	}
	assert_int_equal(state_read_lock(&w.state, 1, json, &lock, &w.err), -1);
	assert_int_equal(w.err.code, ERR_NO_ANSWER);
	assert_string_equal(w.err.message, error);
}

static void a_lock_is_one_row_or_nothing_is_known(void **state)
{
	const char *error = "the lock table of 'db.other' does not hold exactly one row";

	(void)state;
	reads("[{\"rows\": 1, \"fence\": 3, \"nonce\": \"abc\", \"host\": \"h\", \"pid\": 12, "
	      "\"published\": true}]",
	      NULL);
	reads("[]", error);
	reads("[{\"rows\": 2, \"nonce\": \"a\"}]", error);
	reads("[{\"rows\": 1, \"nonce\": \"a\"}, {\"rows\": 1, \"nonce\": \"a\"}]", error);
	reads("[{\"rows\": 1}]", error);
	reads("[{\"nonce\": \"a\"}]", error);
}

static void a_dead_holder_is_replaced_only_as_it_was_seen(void **state)
{
	WORLD;

	(void)state;
	make(&w, "postgres");
	const struct state_lock seen = {
		.container = &w.state.containers[0], .fence = 41, .nonce = "it's", .id = "dead"
	};
	json_t *detail CLEANUP(js_free) = json_pack("{s:s}", "by", "d2");

	assert_int_equal(state_push_take(&w.state, &seen, true, detail, &w.sql, &w.err), 0);
	assert_int_equal(w.sql.n, 1);
	/* One block, so that lock and record change together. */
	assert_non_null(strstr(
		w.sql.v[0], "where nonce = ''it''''s'' and fence = 41 and (1 = 1 or expires < "));
	assert_non_null(strstr(w.sql.v[0], "fence = fence + 1, nonce = ''\1nonce\1''"));
	assert_non_null(strstr(w.sql.v[0], "values (''dead'', "));
	assert_non_null(strstr(w.sql.v[0], "''{\"by\":\"d2\"}''"));
}

static void who_holds_it_is_named(void **state)
{
	WORLD;

	(void)state;
	make(&w, "postgres");
	const struct state_lock lock = { .container = &w.state.containers[1],
					 .id = "d1",
					 .name = "wac",
					 .user = "ada",
					 .host = "h",
					 .since = "noon",
					 .phase = "build",
					 .expires = "one",
					 .pid = 7 };

	assert_int_equal(state_locked_error(&lock, &w.err), -1);
	assert_int_equal(w.err.code, ERR_LOCKED);
	assert_string_equal(w.err.message,
			    "'db.other' is held by deployment 'd1' (wac) of ada on "
			    "h, process 7, since noon, phase build, its lease ends one");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(containers_are_staging_then_production_each_in_name_order),
		cmocka_unit_test(one_schema_is_what_the_warehouse_takes_for_one),
		cmocka_unit_test(tables_of_state_stand_in_productions_database),
		cmocka_unit_test(begin_makes_all_tables_and_takes_the_locks_of_staging),
		cmocka_unit_test(who_resumes_locks_what_the_history_says_was_locked),
		cmocka_unit_test(the_fences_guard_what_is_ours_and_what_must_be_free),
		cmocka_unit_test(every_other_list_is_about_the_locks_of_staging),
		cmocka_unit_test(a_log_entry_is_one_line_of_json),
		cmocka_unit_test(a_lock_is_one_row_or_nothing_is_known),
		cmocka_unit_test(a_dead_holder_is_replaced_only_as_it_was_seen),
		cmocka_unit_test(who_holds_it_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
