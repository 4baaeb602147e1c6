#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "airlock/warehouse/dialect.h"
#include "airlock/warehouse/sql.h"

static const struct relation plain = { "db", "mart", "orders" };
static const struct relation awkward = { "d\"b", "it's", "{a}%s\\\"" };

static void renders_for(const char *dialect, const char *template_text, const struct sql_arg *args,
			size_t n, const char *expected)
{
	CLEANUP(buf_release) struct buf out = BUF_INIT;
	CLEANUP(err_release) struct err err = ERR_INIT;

	if (sql_render(&out, dialect_find(dialect), template_text, args, n, &err) < 0)
		fail_msg("%s", err.message);
	assert_string_equal(buf_cstr(&out), expected);
}

static void renders(const char *template_text, struct sql_arg arg, const char *expected)
{
	renders_for("duckdb", template_text, &arg, 1, expected);
}

static void refuses(const char *template_text, struct sql_arg arg, const char *message)
{
	CLEANUP(buf_release) struct buf out = BUF_INIT;
	CLEANUP(err_release) struct err err = ERR_INIT;

	assert_int_equal(sql_render(&out, dialect_find("duckdb"), template_text, &arg, 1, &err),
			 -1);
	assert_int_equal(err.code, ERR_INTERNAL);
	assert_string_equal(err.message, message);
}

static void every_kind_is_written_as_it_must(void **state)
{
	static const char *const idents[] = { "a", "b \"c\"" };
	static const struct relation two[] = { { "d", "s", "i" }, { "d", "s", "it's" } };

	(void)state;
	renders("{x}", (struct sql_arg)SQL_ARG_RELATION("x", &plain), "\"db\".\"mart\".\"orders\"");
	renders("{x}", (struct sql_arg)SQL_ARG_SCHEMA("x", &plain), "\"db\".\"mart\"");
	renders("{x}", (struct sql_arg)SQL_ARG_IDENT("x", "a\"b"), "\"a\"\"b\"");
	renders("{x}", (struct sql_arg)SQL_ARG_IDENTS("x", idents, 2), "\"a\", \"b \"\"c\"\"\"");
	renders("{x}", (struct sql_arg)SQL_ARG_RELATIONS("x", two, 2),
		"\"d\".\"s\".\"i\", \"d\".\"s\".\"it's\"");
	renders("{x}", (struct sql_arg)SQL_ARG_NAMES("x", two, 2),
		"('d', 's', 'i'), ('d', 's', 'it''s')");
	renders("{x}", (struct sql_arg)SQL_ARG_LITERAL("x", "it's"), "'it''s'");
	renders("{x}", (struct sql_arg)SQL_ARG_LITERAL("x", NULL), "null");
	renders("{x}", (struct sql_arg)SQL_ARG_LITERAL("x", ""), "''");
	renders("{x}", (struct sql_arg)SQL_ARG_NUMBER("x", INT64_MIN), "-9223372036854775808");
	renders("{x}", (struct sql_arg)SQL_ARG_CATALOG("x", "numeric(10,2)"), "numeric(10,2)");
	renders("{x}", (struct sql_arg)SQL_ARG_STATEMENT("x", "select '{y}'"), "select '{y}'");
}

static void the_database_is_named_where_statements_can(void **state)
{
	const struct sql_arg args[] = { SQL_ARG_RELATION("r", &plain),
					SQL_ARG_SCHEMA("s", &plain) };
	const struct relation nowhere = { NULL, "s", "i" };

	(void)state;
	renders_for("postgres", "{r} {s}", args, 2, "\"mart\".\"orders\" \"mart\"");
	renders("{x}", (struct sql_arg)SQL_ARG_RELATION("x", &nowhere), "\"s\".\"i\"");
}

static void a_backslash_is_doubled_where_it_escapes(void **state)
{
	const struct sql_arg arg = SQL_ARG_LITERAL("l", "a\\'b");

	(void)state;
	renders_for("duckdb", "{l}", &arg, 1, "'a\\''b'");
	renders_for("snowflake", "{l}", &arg, 1, "'a\\\\''b'");
}

static void a_literal_of_google_sql_stays_on_one_line(void **state)
{
	const struct sql_arg args[] = { SQL_ARG_LITERAL("l", "a\\'b\nc"),
					SQL_ARG_RELATION("r", &plain) };

	(void)state;
	renders_for("bigquery", "{l} {r}", args, 2, "'a\\\\\\'b\\nc' `db`.`mart`.`orders`");
}

static void what_stands_around_each_is_said_once(void **state)
{
	const struct relation two[] = { { "A", "s", "t" }, { "A", "r", "t" }, { "A", "s", "u" } };
	const struct sql_arg arg = SQL_ARG_NAMES("names", two, 3);
	CLEANUP(strv_release) struct strv sql = STRV_INIT;
	CLEANUP(err_release) struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(dialect_push_text(&sql, dialect_find("bigquery"),
					   "( {each}select {dataset}.x{end} )", &arg, 1, &err),
			 0);
	assert_string_equal(sql.v[0], "( select `A`.`s`.x union all select `A`.`r`.x )");
}

static void a_catalog_is_asked_in_each_database_of_the_names(void **state)
{
	const struct relation two[] = { { "A", "s", "t" }, { "B", "s", "t" }, { "A", "s", "u" } };
	const struct sql_arg arg = SQL_ARG_NAMES("names", two, 3);
	CLEANUP(strv_release) struct strv sql = STRV_INIT;
	CLEANUP(err_release) struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(dialect_push_text(&sql, dialect_find("snowflake"),
					   "select {catalog}.x from {names:names}", &arg, 1, &err),
			 0);
	assert_string_equal(
		sql.v[0], "select \"A\".x from ('A', 's', 't'), ('B', 's', 't'), ('A', 's', 'u') "
			  "union all "
			  "select \"B\".x from ('A', 's', 't'), ('B', 's', 't'), ('A', 's', 'u')");
}

static void values_are_never_read_as_templates(void **state)
{
	(void)state;
	renders("{x}", (struct sql_arg)SQL_ARG_RELATION("x", &awkward),
		"\"d\"\"b\".\"it's\".\"{a}%s\\\"\"\"");
	renders("'{x}'", (struct sql_arg)SQL_ARG_CATALOG("x", "{x}{{"), "'{x}{{'");
}

static void braces_that_are_no_placeholder(void **state)
{
	(void)state;
	renders("{{x}} {x} }", (struct sql_arg)SQL_ARG_NUMBER("x", 1), "{x}} 1 }");
	renders("{{{x}", (struct sql_arg)SQL_ARG_NUMBER("x", 1), "{1");
	renders("", (struct sql_arg)SQL_ARG_NUMBER("x", 1), "");
}

static void a_template_that_does_not_fit_is_a_defect(void **state)
{
	struct sql_arg x = SQL_ARG_NUMBER("x", 1);

	(void)state;
	refuses("{y}", x, "the SQL template has no value for 'y}'");
	refuses("{x", x, "the SQL template has no value for 'x'");
	refuses("{xx}", x, "the SQL template has no value for 'xx}'");
	refuses("{}", x, "the SQL template has no value for '}'");
	refuses("{x:ident}", x, "the SQL template wants 'x:ident' and got a number");
	refuses("{x:numbers}", x, "the SQL template wants 'x:numbers' and got a number");
	refuses("{x:}", x, "the SQL template wants 'x:' and got a number");
}

static void shows(const char *sql, const char *expected)
{
	CLEANUP(buf_release) struct buf out = BUF_INIT;

	sql_show(&out, sql);
	assert_string_equal(buf_cstr(&out), expected);
}

static void binds_to(const char *sql, const char *expected)
{
	static const struct sql_binding bindings[] = { { "id", "20260102_ab" }, { "pid", "7" } };
	CLEANUP(buf_release) struct buf out = BUF_INIT;
	CLEANUP(err_release) struct err err = ERR_INIT;

	if (sql_bind(&out, sql, bindings, ARRAY_LEN(bindings), &err) < 0) {
		assert_int_equal(err.code, ERR_INTERNAL);
		assert_string_equal(err.message, expected);
		return;
	}
	assert_string_equal(buf_cstr(&out), expected);
}

static void a_bind_waits_inside_quotes(void **state)
{
	CLEANUP(mem_free_string) char *name = sql_bind_mark("r_", "id", "_1");
	const struct sql_arg args[] = { SQL_ARG_BIND("id"), SQL_ARG_IDENT("name", name),
					SQL_ARG_BIND("pid") };
	CLEANUP(buf_release) struct buf sql = BUF_INIT;
	CLEANUP(err_release) struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(sql_render(&sql, dialect_find("postgres"),
				    "select '{id:bind}', {pid:bind} from {name}", args, 3, &err),
			 0);
	shows(buf_cstr(&sql), "select '<id>', <pid> from \"r_<id>_1\"");
	binds_to(buf_cstr(&sql), "select '20260102_ab', 7 from \"r_20260102_ab_1\"");
}

static void a_value_that_could_end_a_quote_is_not_bound(void **state)
{
	static const struct sql_binding bad[] = { { "id", "a'b" } };
	CLEANUP(buf_release) struct buf out = BUF_INIT;
	CLEANUP(err_release) struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(sql_bind(&out, "'\1id\1'", bad, 1, &err), -1);
	assert_string_equal(err.message, "no usable value for 'id'");
	binds_to("\1other\1", "no usable value for 'other'");
	binds_to("\1i\1", "no usable value for 'i'");
	binds_to("plain", "plain");
}

static void what_is_undecided_is_shown_and_cannot_run(void **state)
{
	const struct sql_arg args[] = { SQL_ARG_UNDECIDED("columns", "columns of a.b") };
	CLEANUP(buf_release) struct buf sql = BUF_INIT;
	CLEANUP(err_release) struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(sql_render(&sql, dialect_find("duckdb"), "select {columns:idents} from t",
				    args, 1, &err),
			 0);
	shows(buf_cstr(&sql), "select <columns of a.b> from t");
	binds_to(buf_cstr(&sql), "'columns of a.b' is not decided yet");
	binds_to("\1id", "'' is not decided yet");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_is_written_as_it_must),
		cmocka_unit_test(the_database_is_named_where_statements_can),
		cmocka_unit_test(a_backslash_is_doubled_where_it_escapes),
		cmocka_unit_test(a_literal_of_google_sql_stays_on_one_line),
		cmocka_unit_test(what_stands_around_each_is_said_once),
		cmocka_unit_test(a_catalog_is_asked_in_each_database_of_the_names),
		cmocka_unit_test(values_are_never_read_as_templates),
		cmocka_unit_test(braces_that_are_no_placeholder),
		cmocka_unit_test(a_template_that_does_not_fit_is_a_defect),
		cmocka_unit_test(a_bind_waits_inside_quotes),
		cmocka_unit_test(a_value_that_could_end_a_quote_is_not_bound),
		cmocka_unit_test(what_is_undecided_is_shown_and_cannot_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
