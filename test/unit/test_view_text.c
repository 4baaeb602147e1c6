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

static void a_name_without_quotes_is_stored_in_capitals_on_snowflake(void **state)
{
	const struct relation capitals = { "DB", "STAGE", "ORDERS" };
	const struct relation small = { "DB", "STAGE", "orders" };

	(void)state;
	assert_true(names_in("snowflake", "select * from db.stage.orders", &capitals));
	assert_false(names_in("snowflake", "select * from db.stage.orders", &small));
	assert_true(names_in("snowflake", "select * from db.Stage.\"orders\"", &small));
	assert_false(names_in("snowflake", "select 'a\\' db.stage.orders'", &capitals));
}

static void names_are_found_in_google_sql(void **state)
{
	const struct relation orders = { "shop-eu", "stage", "orders" };
	const struct relation capital = { "shop-eu", "Stage", "orders" };
	static const char *const found[] = {
		"select * from `shop-eu`.`stage`.`orders`",
		"select * from `shop-eu.stage.orders`",
		"select * from `shop-eu`.`stage.orders` as o",
		"select * from shop-eu.stage.orders",
		"select * from shop-eu.stage.`orders`",
		"select \"it's\" from `shop-eu.stage.orders`",
		"select \"\"\"it's \" \"\"\" from shop-eu.stage.orders",
		"select /* /* */ 1 from shop-eu.stage.orders",
		"select 1 # it's\nfrom shop-eu.stage.orders",
	};
	static const char *const none[] = {
		"select \"shop-eu.stage.orders\"",    "select '\\' shop-eu.stage.orders'",
		"select 1 # shop-eu.stage.orders",    "select * from `shop-eu.stage.orders_by_day`",
		"select * from shop-eu.other.orders",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(found); i++)
		if (!names_in("bigquery", found[i], &orders))
			fail_msg("not found: %s", found[i]);
	for (size_t i = 0; i < ARRAY_LEN(none); i++)
		if (names_in("bigquery", none[i], &orders))
			fail_msg("found: %s", none[i]);
	assert_true(names_in("bigquery", "select * from shop-eu.Stage.orders", &capital));
	assert_false(names_in("bigquery", "select * from shop-eu.stage.orders", &capital));
}

static void defines(const char *create, const char *expected)
{
	CLEANUP(mem_free_string) char *definition = view_text_definition(create);

	if (!expected)
		assert_null(definition);
	else
		assert_string_equal(definition, expected);
}

static void the_text_of_a_view_is_what_stands_behind_its_name(void **state)
{
	(void)state;
	defines("create or replace   view db.s.v\n  \n  as (\n select 1\n);\n",
		"as (\n select 1\n)");
	defines("CREATE VIEW IF NOT EXISTS \"a.\"\"b\" . v COPY GRANTS COMMENT = 'it''s as' AS "
		"select 2",
		"AS select 2");
	defines("create view v (a, \"as)\" comment 'x)', c) copy grants as select 3",
		"(a, \"as)\" comment 'x)', c) copy grants as select 3");
	/* What would be lost is not understood. */
	defines("create secure view v as select 1", NULL);
	defines("create view v with row access policy p on (a) as select 1", NULL);
	defines("select 1", NULL);
	defines("", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_is_found_however_it_is_written),
		cmocka_unit_test(a_name_in_a_string_or_a_comment_is_none),
		cmocka_unit_test(names_are_compared_as_the_warehouse_compares_them),
		cmocka_unit_test(a_name_without_quotes_is_stored_in_capitals_on_snowflake),
		cmocka_unit_test(names_are_found_in_google_sql),
		cmocka_unit_test(the_text_of_a_view_is_what_stands_behind_its_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
