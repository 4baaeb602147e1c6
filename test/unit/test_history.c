/* What the events of the log come to: rebuilds that stopped on their way, and what took them back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "airlock/base/mem.h"
#include "airlock/deploy/history.h"
#include "airlock/format/json.h"

static void add(json_t *rows, const char *id, const char *event, const char *detail)
{
	json_array_append_new(rows, json_pack("{s:s, s:s, s:s, s:s}", "id", id, "event", event,
					      "at", "2026", "detail", detail));
}

static void add_rebuild(json_t *rows, const char *id, const char *table)
{
	CLEANUP(mem_free_string)
	char *kept = mem_printf("{\"rebuilds\": true, \"tables\": [{\"to\": \"%s\"}]}", table);

	add(rows, id, "begun", "{\"strategy\": \"wap\"}");
	add(rows, id, "published", kept);
}

static void add_rollback(json_t *rows, const char *id, const char *of, bool aborts)
{
	CLEANUP(mem_free_string)
	char *begun = mem_printf("{\"strategy\": \"rollback\", \"of\": \"%s\"%s}", of,
				 aborts ? ", \"aborts\": true" : "");

	add(rows, id, "begun", begun);
	add(rows, id, "published", "{\"tables\": []}");
	add(rows, id, "finished", "{\"outcome\": \"published\"}");
}

static json_t *history(const json_t *rows)
{
	CLEANUP(err_release) struct err err = ERR_INIT;
	json_t *deployments = history_of(rows, &err);

	assert_non_null(deployments);
	return deployments;
}

static void assert_outcome(const json_t *deployments, const char *id, const char *outcome,
			   bool is_half_done)
{
	const json_t *found = history_find(deployments, id);

	assert_string_equal(js_get_string(found, "outcome"), outcome);
	assert_int_equal(history_is_half_done(found), is_half_done);
}

static void a_rebuild_that_failed_is_half_done_until_it_is_taken_back(void **state)
{
	(void)state;
	CLEANUP(js_free) json_t *rows = json_array();

	add_rebuild(rows, "a", "mart.orders");
	CLEANUP(js_free) json_t *running = history(rows);

	assert_outcome(running, "a", "unfinished", false);
	add(rows, "a", "finished", "{\"outcome\": \"failed\"}");
	CLEANUP(js_free) json_t *failed = history(rows);

	assert_outcome(failed, "a", "failed", true);
	add_rollback(rows, "b", "a", false);
	CLEANUP(js_free) json_t *taken = history(rows);

	assert_outcome(taken, "a", "failed", false);
	assert_true(js_text_is(history_find(taken, "a"), "taken_back_by", "b"));
	add_rollback(rows, "c", "b", false);
	CLEANUP(js_free) json_t *again = history(rows);

	assert_outcome(again, "a", "failed", true);
	assert_true(history_is_taken_back(history_find(again, "b")));
}

static void one_that_is_taken_back_by_its_abort_is_aborted(void **state)
{
	(void)state;
	CLEANUP(js_free) json_t *rows = json_array();

	add_rebuild(rows, "a", "mart.orders");
	add(rows, "a", "finished", "{\"outcome\": \"failed\"}");
	add(rows, "b", "begun", "{\"strategy\": \"rollback\", \"of\": \"a\", \"aborts\": true}");
	CLEANUP(js_free) json_t *dead = history(rows);

	assert_outcome(dead, "a", "failed", true);
	add_rollback(rows, "c", "a", true);
	CLEANUP(js_free) json_t *taken = history(rows);

	assert_outcome(taken, "a", "aborted", false);
}

static void a_publish_that_is_stopped_is_half_done_like_a_rebuild(void **state)
{
	(void)state;
	CLEANUP(js_free) json_t *rows = json_array();

	add(rows, "a", "begun", "{\"strategy\": \"wac\"}");
	add(rows, "a", "intent", "{\"tables\": [{\"to\": \"mart.orders\"}, {\"to\": \"b\"}]}");
	add(rows, "a", "published",
	    "{\"rebuilds\": true, \"stopped\": true, \"tables\": [{\"to\": \"mart.orders\"}]}");
	CLEANUP(js_free) json_t *stopped = history(rows);

	assert_outcome(stopped, "a", "unfinished", false);
	assert_true(history_is_stopped(history_find(stopped, "a")));
	assert_false(history_is_published(history_find(stopped, "a")));
	add(rows, "a", "finished", "{\"outcome\": \"failed\"}");
	CLEANUP(js_free) json_t *ended = history(rows);

	assert_outcome(ended, "a", "failed", true);
	add_rollback(rows, "b", "a", true);
	CLEANUP(js_free) json_t *taken = history(rows);

	assert_outcome(taken, "a", "aborted", false);
}

static void the_newest_that_changed_those_tables_says_whether_they_are_half_done(void **state)
{
	(void)state;
	CLEANUP(js_free) json_t *rows = json_array();
	CLEANUP(js_free) json_t *orders = json_pack("[{s:s}]", "to", "mart.orders");

	add_rebuild(rows, "a", "mart.orders");
	add(rows, "a", "finished", "{\"outcome\": \"failed\"}");
	add(rows, "b", "published", "{\"tables\": [{\"to\": \"other.table\"}]}");
	CLEANUP(js_free) json_t *deployments = history(rows);

	assert_true(js_text_is(history_find_half_done(deployments, orders), "id", "a"));
	assert_null(history_find_half_done(deployments, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rebuild_that_failed_is_half_done_until_it_is_taken_back),
		cmocka_unit_test(one_that_is_taken_back_by_its_abort_is_aborted),
		cmocka_unit_test(a_publish_that_is_stopped_is_half_done_like_a_rebuild),
		cmocka_unit_test(
			the_newest_that_changed_those_tables_says_whether_they_are_half_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
