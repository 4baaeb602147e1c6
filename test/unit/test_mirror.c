#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "airlock/deploy/mirror.h"
#include "airlock/format/json.h"

static const struct manifest_node source = { .type = MANIFEST_SOURCE,
					     .source_name = "shop",
					     .name = "orders" };
static const struct manifest_node *parents[] = { &source };
static const struct manifest_node raw = {
	.unique_id = "model.shop.raw_orders",
	.type = MANIFEST_MODEL,
	.name = "raw_orders",
	.materialized = "table",
	.parents = parents,
	.parent_count = 1,
};

static const char *judged(int64_t now, int64_t before, const char *option, const char *value)
{
	CLEANUP(config_release) struct config config = { .strategy = NULL };
	CLEANUP(err_release) struct err err = ERR_INIT;
	const struct table copy = { .rows = now }, last = { .rows = before };
	struct arena arena;
	const char *why = "";

	config_init(&config);
	if (option)
		assert_int_equal(config_set_argument(&config, option_find(option, &(bool) { 0 }),
						     false, value, &err),
				 0);
	arena_init(&arena);
	const char *state =
		mirror_judge(&config, &raw, &copy, before < 0 ? NULL : &last, &arena, &why);

	assert_int_equal(state != NULL, strlen(why) > 0);
	arena_release(&arena);
	return state;
}

static void a_copy_that_is_empty_or_too_small_does_not_replace(void **state)
{
	(void)state;
	assert_null(judged(10, -1, NULL, NULL));
	assert_null(judged(10, 10, NULL, NULL));
	assert_null(judged(11, 10, NULL, NULL));
	assert_null(judged(5, 10, NULL, NULL));
	assert_string_equal(judged(4, 10, NULL, NULL), "shrunk");
	assert_null(judged(4, 10, "--mirror-max-shrink", "60"));
	assert_string_equal(judged(9, 10, "--mirror-max-shrink", "0"), "shrunk");
	assert_string_equal(judged(0, 10, "--mirror-max-shrink", "100"), "empty");
	assert_string_equal(judged(0, -1, NULL, NULL), "empty");
	assert_null(judged(0, 0, NULL, NULL));
	assert_null(judged(0, 10, "--accept", "raw_orders"));
	assert_null(judged(4, 10, "--accept", "shop.orders"));
	assert_string_equal(judged(0, 10, "--accept", "raw_payments"), "empty");
	assert_string_equal(judged(0, 10, "--accept", "*"), "empty");
}

#define DETAIL(STRATEGY, OF)                                                                       \
	"{\"strategy\": \"" STRATEGY "\", \"of\": " OF                                             \
	", \"tables\": [{\"unique_id\": \"model.shop.raw_orders\", \"rows\": 7}]}"

static json_t *row(const char *id, int age, const char *event, const char *detail)
{
	return json_pack("{s:s, s:s, s:i, s:s, s:s}", "id", id, "at", "2026-01-01T00:00:00.000Z",
			 "age", age, "event", event, "detail", detail);
}

static void the_age_is_that_of_the_last_refresh_that_was_not_taken_back(void **state)
{
	CLEANUP(js_free) json_t *rows = json_array();
	CLEANUP(config_release) struct config config = { .strategy = NULL };
	CLEANUP(err_release) struct err err = ERR_INIT;
	struct route items[] = { { .node = &raw, .is_mirror = true } };
	const struct routes routes = { .items = items, .n = 1 };
	bool negated;

	(void)state;
	json_array_append_new(rows, row("a", 90000, "published", DETAIL("mirror", "null")));
	json_array_append_new(rows, row("b", 50, "published", DETAIL("mirror", "null")));
	json_array_append_new(rows, row("c", 40, "published", DETAIL("rollback", "\"b\"")));
	json_array_append_new(rows, row("d", 30, "published", DETAIL("wac", "null")));
	json_array_append_new(rows, row("e", 20, "finished", DETAIL("mirror", "null")));
	CLEANUP(js_free) json_t *ages = mirror_ages(rows);
	const json_t *last = js_get_object(ages, "model.shop.raw_orders");

	assert_true(js_text_is(last, "id", "a"));
	assert_int_equal(js_get_integer(last, "age", 0), 90000);
	config_init(&config);
	assert_null(mirror_old(&config, &routes, ages));
	config_set_argument(&config, option_find("--mirror-max-age", &negated), false, "1d", &err);
	CLEANUP(mem_free_string) char *old = mirror_old(&config, &routes, ages);
	CLEANUP(mem_free_string) char *never = mirror_old(&config, &routes, NULL);

	assert_string_equal(old, "raw_orders (25 hours)");
	assert_string_equal(never, "raw_orders (never refreshed)");
	config_set_argument(&config, option_find("--mirror-max-age", &negated), false, "2d", &err);
	assert_null(mirror_old(&config, &routes, ages));
}

static void a_raw_model_is_a_table_of_one_source(void **state)
{
	static const struct manifest_node *two[] = { &source, &raw };
	CLEANUP(err_release) struct err err = ERR_INIT;
	struct manifest_node view = raw, of_two = raw;

	(void)state;
	assert_int_equal(mirror_check_model(&raw, &err), 0);
	view.materialized = "view";
	assert_int_equal(mirror_check_model(&view, &err), -1);
	of_two.parents = two;
	of_two.parent_count = 2;
	assert_int_equal(mirror_check_model(&of_two, &err), -1);
	assert_non_null(strstr(err.message, "reads 2 nodes"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_copy_that_is_empty_or_too_small_does_not_replace),
		cmocka_unit_test(the_age_is_that_of_the_last_refresh_that_was_not_taken_back),
		cmocka_unit_test(a_raw_model_is_a_table_of_one_source),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
