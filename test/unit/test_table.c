#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "airlock/warehouse/dialect.h"
#include "airlock/warehouse/table.h"

#define COLUMNS(...)                                                                               \
	.columns = (struct table_column[]) { __VA_ARGS__ },                                        \
	.column_count = ARRAY_LEN(((struct table_column[]) { __VA_ARGS__ }))
#define CONSTRAINTS(...)                                                                           \
	.constraints = (struct table_part[]) { __VA_ARGS__ },                                      \
	.constraint_count = ARRAY_LEN(((struct table_part[]) { __VA_ARGS__ }))

#define COLUMN(NAME, TYPE)                                                                         \
	{                                                                                          \
		.name = (NAME), .type = (TYPE)                                                     \
	}
#define PART(NAME, DEFINITION)                                                                     \
	{                                                                                          \
		.name = (NAME), .definition = (DEFINITION)                                         \
	}

static const char *const id_column[] = { "id" };
static const char *const day_column[] = { "day" };

static bool same(const char *dialect, const struct table *a, const struct table *b)
{
	return table_same_columns(dialect_find(dialect), a, b);
}

static void the_same_columns_in_any_order(void **state)
{
	const struct table a = { COLUMNS(COLUMN("id", "integer"), COLUMN("day", "date")) };
	const struct table b = { COLUMNS(COLUMN("day", "date"), COLUMN("id", "integer")) };
	const struct table fewer = { COLUMNS(COLUMN("id", "integer")) };
	const struct table other_type = { COLUMNS(COLUMN("id", "bigint"), COLUMN("day", "date")) };
	const struct table other_name = { COLUMNS(COLUMN("id", "integer"),
						  COLUMN("days", "date")) };

	(void)state;
	assert_true(same("postgres", &a, &b));
	assert_false(same("postgres", &a, &fewer));
	assert_false(same("postgres", &fewer, &a));
	assert_false(same("postgres", &a, &other_type));
	assert_false(same("postgres", &a, &other_name));
}

static void columns_are_named_as_the_warehouse_does(void **state)
{
	const struct table a = { COLUMNS(COLUMN("ID", "integer")) };
	const struct table b = { COLUMNS(COLUMN("id", "integer")) };

	(void)state;
	assert_true(same("duckdb", &a, &b));
	assert_false(same("postgres", &a, &b));
	assert_non_null(table_column(dialect_find("duckdb"), &a, "Id"));
	assert_null(table_column(dialect_find("postgres"), &a, "Id"));
}

static void an_index_is_what_it_is_defined_as(void **state)
{
	struct table_part own[] = { { .name = "a", .definition = "USING btree (id)" } };
	const struct table table = { .indexes = own, .index_count = 1 };
	const struct table_part renamed = { .name = "b", .definition = "USING btree (id)" };
	const struct table_part unique = { .definition = "USING btree (id)", .unique = true };
	const struct table_part other = { .name = "a", .definition = "USING hash (id)" };

	(void)state;
	assert_true(table_has_index(&table, &renamed));
	assert_false(table_has_index(&table, &unique));
	assert_false(table_has_index(&table, &other));
	assert_false(table_has_constraint(&table, &renamed));
}

static void a_part_goes_with_its_column(void **state)
{
	const struct dialect *duckdb = dialect_find("duckdb");
	const struct dialect *postgres = dialect_find("postgres");
	const struct table from = { COLUMNS(COLUMN("ID", "integer")) };
	const struct table_part of_id = {
		.name = "i", .definition = "(id)", .columns = id_column, .column_count = 1
	};
	const struct table_part of_day = {
		.name = "d", .definition = "(day)", .columns = day_column, .column_count = 1
	};
	const struct table_part of_none = { .name = "n", .definition = "(1)" };

	(void)state;
	assert_false(table_loses_index(duckdb, &from, &of_id));
	assert_true(table_loses_index(postgres, &from, &of_id));
	assert_true(table_loses_index(duckdb, &from, &of_day));
	assert_true(table_loses_constraint(duckdb, &from, &of_day));
	assert_false(table_loses_index(postgres, &from, &of_none));
}

static bool loses(const struct table *from, const char *name, const char *definition)
{
	const struct table_part part = { .name = name, .definition = definition };

	return table_loses_constraint(dialect_find("postgres"), from, &part);
}

static void staging_has_the_last_word_on_a_constraint(void **state)
{
	const struct table from = { CONSTRAINTS(
		PART("pk", "PRIMARY KEY (id)"), PART("positive", "CHECK (id > 0)"),
		PART("parent", "FOREIGN KEY (id) REFERENCES stage.p(id)")) };

	(void)state;
	assert_false(loses(&from, "pk", "PRIMARY KEY (id)"));
	assert_true(loses(&from, "other_pk", "PRIMARY KEY (id, day)"));
	assert_false(loses(&from, "other_pk", "PRIMARY KEY (id)"));
	assert_true(loses(&from, "positive", "CHECK (id >= 0)"));
	assert_false(loses(&from, "by_hand", "CHECK (id >= 0)"));
	/* That of staging is never made in production. */
	assert_false(loses(&from, "parent", "FOREIGN KEY (id) REFERENCES mart.p(id)"));
}

static void what_another_table_lacks(void **state)
{
	const char *const had[] = { "collation C of column id", "compression of column gone",
				    "tablespace fast" };
	const char *const has[] = { "tablespace fast" };
	const struct table was = { COLUMNS(COLUMN("id", "text"), COLUMN("gone", "text")),
				   .settings = had, .setting_count = 3 };
	const struct table now = { COLUMNS(COLUMN("id", "text")), .settings = has,
				   .setting_count = 1 };
	struct strv lost CLEANUP(strv_release) = STRV_INIT;

	(void)state;
	table_list_lost(dialect_find("postgres"), &was, &now, &lost);
	assert_int_equal(lost.n, 1);
	assert_string_equal(lost.v[0], "collation C of column id");
}

static void a_foreign_key_is_known_by_its_definition(void **state)
{
	const struct table_part key = { .definition = "FOREIGN KEY (a) REFERENCES b(c)" };
	const struct table_part check = { .definition = "CHECK (x <> 'FOREIGN KEY')" };

	(void)state;
	assert_true(table_is_foreign_key(&key));
	assert_false(table_is_foreign_key(&check));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_columns_in_any_order),
		cmocka_unit_test(columns_are_named_as_the_warehouse_does),
		cmocka_unit_test(an_index_is_what_it_is_defined_as),
		cmocka_unit_test(a_part_goes_with_its_column),
		cmocka_unit_test(staging_has_the_last_word_on_a_constraint),
		cmocka_unit_test(what_another_table_lacks),
		cmocka_unit_test(a_foreign_key_is_known_by_its_definition),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
