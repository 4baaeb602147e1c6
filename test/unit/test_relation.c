#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "airlock/warehouse/dialect.h"
#include "airlock/warehouse/relation.h"

static void displays(struct relation relation, const char *expected)
{
	CLEANUP(mem_free_string) char *text = relation_display(&relation);

	assert_string_equal(text, expected);
}

static void people_see_quotes_only_where_they_are_needed(void **state)
{
	(void)state;
	displays((struct relation) { "shop", "mart", "orders_1$" }, "shop.mart.orders_1$");
	displays((struct relation) { "shop", "Mart", "1st" }, "shop.Mart.\"1st\"");
	displays((struct relation) { "a.b", "it's", "q\"q" }, "\"a.b\".\"it's\".\"q\"\"q\"");
	displays((struct relation) { "größe", "", "x" }, "\"größe\".\"\".x");
	displays((struct relation) { NULL, "mart", "orders" }, "mart.orders");
	displays((struct relation) { "shop", "mart", NULL }, "shop.mart");
}

static bool equal(const char *dialect, const char *a, const char *b)
{
	const struct relation x = { "db", "s", a };
	const struct relation y = { "db", "s", b };

	return relation_equal(dialect_find(dialect), &x, &y);
}

static void names_are_compared_as_the_warehouse_does(void **state)
{
	(void)state;
	assert_true(equal("duckdb", "Orders", "ORDERS"));
	assert_false(equal("postgres", "Orders", "orders"));
	assert_true(equal("postgres", "Orders", "Orders"));
	assert_false(equal("duckdb", "É", "é"));
	assert_false(equal("duckdb", "a", "ab"));
}

static void a_schema_is_a_database_and_a_name(void **state)
{
	const struct dialect *duckdb = dialect_find("duckdb");
	const struct relation a = { "One", "mart", "x" };
	const struct relation b = { "one", "MART", "y" };
	const struct relation c = { "two", "mart", "x" };

	(void)state;
	assert_true(relation_same_schema(duckdb, &a, &b));
	assert_false(relation_same_schema(dialect_find("postgres"), &a, &b));
	assert_false(relation_same_schema(duckdb, &a, &c));
}

static void the_order_is_database_schema_identifier(void **state)
{
	const struct dialect *postgres = dialect_find("postgres");
	const struct relation a = { "a", "z", "z" };
	const struct relation b = { "b", "a", "a" };
	const struct relation c = { "b", "a", "b" };
	const struct relation none = { NULL, "a", "b" };

	(void)state;
	assert_true(relation_compare(postgres, &a, &b) < 0);
	assert_true(relation_compare(postgres, &b, &c) < 0);
	assert_true(relation_compare(postgres, &c, &a) > 0);
	assert_true(relation_compare(postgres, &none, &a) < 0);
	assert_int_equal(relation_compare(postgres, &c, &c), 0);
}

static void checks(const char *dialect, struct relation relation, const char *message)
{
	CLEANUP(err_release) struct err err = ERR_INIT;
	int result = relation_check(dialect_find(dialect), &relation, &err);

	if (!message) {
		if (result < 0)
			fail_msg("%s", err.message);
		return;
	}
	assert_int_equal(result, -1);
	assert_int_equal(err.code, ERR_NAME_UNUSABLE);
	assert_string_equal(err.message, message);
}

static void what_cannot_be_a_name_is_refused(void **state)
{
	(void)state;
	checks("postgres", (struct relation) { "db", "s", "o'r\"d\\e{}rs ☃" }, NULL);
	checks("postgres", (struct relation) { "db", "", "x" },
	       "relation 'db.\"\".x' has no schema");
	checks("postgres", (struct relation) { NULL, "s", "x" }, "relation 's.x' has no database");
	checks("postgres", (struct relation) { "db", "s", NULL },
	       "relation 'db.s' has no identifier");
	checks("duckdb", (struct relation) { "db", "s", "a\1b" },
	       "the identifier of relation 'db.s.\"a\1b\"' holds a control character");
	checks("duckdb", (struct relation) { "db", "s\n", "a" },
	       "the schema of relation 'db.\"s\n\".a' holds a control character");
}

#define TEN "abcdefghij"
#define SIXTY TEN TEN TEN TEN TEN TEN

static void a_name_may_be_as_long_as_the_warehouse_keeps(void **state)
{
	(void)state;
	checks("postgres", (struct relation) { "db", "s", SIXTY "abc" }, NULL);
	checks("postgres", (struct relation) { "db", "s", SIXTY "abcd" },
	       "the identifier of relation 'db.s." SIXTY "abcd' has 64 bytes; PostgreSQL keeps at "
	       "most 63");
	/* Bytes, not letters. */
	checks("postgres", (struct relation) { "db", SIXTY "éé", "x" },
	       "the schema of relation 'db.\"" SIXTY "éé\".x' has 64 bytes; PostgreSQL keeps at "
	       "most 63");
	checks("duckdb", (struct relation) { "db", "s", SIXTY SIXTY }, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(people_see_quotes_only_where_they_are_needed),
		cmocka_unit_test(names_are_compared_as_the_warehouse_does),
		cmocka_unit_test(a_schema_is_a_database_and_a_name),
		cmocka_unit_test(the_order_is_database_schema_identifier),
		cmocka_unit_test(what_cannot_be_a_name_is_refused),
		cmocka_unit_test(a_name_may_be_as_long_as_the_warehouse_keeps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
