#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "airlock/warehouse/dialect.h"
#include "airlock/warehouse/view_text.h"

static bool names_in(const char *dialect, const char *text, const struct relation *relation)
{
	CLEANUP(view_text_release) struct view_text names = { .n = 0 };

	view_text_read(dialect_find(dialect), text, "db", &names);
	return view_text_names(dialect_find(dialect), &names, relation);
}

static bool names(const char *text)
{
	const struct relation orders = { "db", "stage", "orders" };
	bool postgres = names_in("postgres", text, &orders);

	assert_int_equal(postgres, names_in("duckdb", text, &orders));
	return postgres;
}

static void a_name_is_found_however_it_is_written(void **state)
{
	static const char *const texts[] = {
		"select * from stage.orders",
		"select * from \"stage\".\"orders\" as o",
		"select * from db.stage.orders",
		"select * from \"db\" . stage /* here */ . -- and there\n \"orders\"",
		"select STAGE.Orders.id from STAGE.Orders",
		"select 1 where exists(select 1 from(stage.orders))",
		"select 1.5, 'it''s', $1 from stage.orders",
		"select e'\\' from ' from stage.orders",
		"/* one /* in */ other */ table stage.orders",
		"select $$ a $b$ c $$, x$y from stage.orders",
		"select '' from stage.orders--",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (!names(texts[i]))
			fail_msg("not found: %s", texts[i]);
}

static void a_name_in_a_string_or_a_comment_is_none(void **state)
{
	static const char *const texts[] = {
		"",
		"select * from orders",
		"select 'stage.orders' from mart.orders",
		"select * from mart.orders -- stage.orders",
		"select * from mart.orders /* /* */ stage.orders */",
		"select $$stage.orders$$, $tag$ $$ stage.orders $tag$ from mart.orders",
		"select * from \"stage.orders\"",
		"select * from \"stage\"\".orders\".x",
		"select e'\\'stage.orders' from mart.orders",
		"select * from other.stage.orders_by_day, stage.\"orders \"",
		"select * from mystage.orders, stage.orders_by_day",
		"select 'never ended stage.orders",
		"select \"never ended stage.orders",
		"select /* never ended stage.orders",
		"select $x$ never ended stage.orders",
		"select stage.",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (names(texts[i]))
			fail_msg("found: %s", texts[i]);
}

static void names_are_compared_as_the_warehouse_compares_them(void **state)
{
	const struct relation written = { "db", "Stage", "Orders" };
	const struct relation main_orders = { "db", "main", "orders" };
	const struct relation other = { "other", "stage", "orders" };

	(void)state;
	assert_false(names_in("postgres", "select * from Stage.Orders", &written));
	assert_true(names_in("postgres", "select * from \"Stage\".\"Orders\"", &written));
	assert_true(names_in("duckdb", "select * from stage.\"ORDERS\"", &written));
	assert_true(names_in("duckdb", "select * from db.orders", &main_orders));
	assert_false(names_in("postgres", "select * from db.orders", &main_orders));
	assert_true(names_in("duckdb", "select * from other.stage.orders", &other));
	assert_false(names_in("duckdb", "select * from stage.orders", &other));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_is_found_however_it_is_written),
		cmocka_unit_test(a_name_in_a_string_or_a_comment_is_none),
		cmocka_unit_test(names_are_compared_as_the_warehouse_compares_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
