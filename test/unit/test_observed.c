#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "airlock/deploy/observed.h"
#include "airlock/format/json.h"
#include "made.h"

#define SEEN CLEANUP(observed_release) struct observed seen

static void refuses(const char *text, enum err_code code, const char *message)
{
	SEEN;
	CLEANUP(err_release) struct err err = ERR_INIT;
	CLEANUP(js_free)
	json_t *picture = js_parse(text, strlen(text), "picture", ERR_NO_ANSWER, &err);

	assert_non_null(picture);
	if (observed_parse(picture, &seen, &err) == 0)
		fail_msg("accepted: %s", message);
	seen = (struct observed) { .user = NULL };
	assert_int_equal(err.code, code);
	assert_string_equal(err.message, message);
}

static const struct table *find(const struct observed *seen, const char *dialect,
				const char *schema, const char *identifier)
{
	const struct relation relation = { "db", schema, identifier };

	return observed_table(seen, dialect_find(dialect), &relation);
}

static void an_empty_picture_is_empty(void **state)
{
	SEEN;

	(void)state;
	made_picture(&seen, "{}");
	assert_null(seen.database);
	assert_int_equal(seen.table_count + seen.schema_count, 0);
	assert_false(seen.built);
	assert_null(find(&seen, "postgres", "mart", "orders"));
}

static void everything_is_read(void **state)
{
	SEEN;
	const struct table *t;

	(void)state;
	made_picture(&seen,
		     "{'session': {'user': 'u', 'database': 'db', 'version': '15'}, 'built': true,"
		     " 'schemas': [{'database': 'db', 'schema': 'mart'}],"
		     " 'relations': [{'database': 'db', 'schema': 'mart', 'identifier': 'orders',"
		     "  'kind': 'table', 'object': '1/2', 'owner': 'o', 'owned': false,"
		     "  'comment': 'all', 'options': 'fillfactor = 70',"
		     "  'columns': [{'name': 'id', 'type': 'int', 'not_null': true, 'default': '1',"
		     "   'comment': 'key'}, {'name': 'n', 'type': 'text', 'default': null}],"
		     "  'indexes': [{'name': 'i', 'unique': true, 'definition': '(id)',"
		     "   'comment': 'fast', 'columns': ['id']}],"
		     "  'constraints': [{'name': 'c', 'definition': 'CHECK (id > 0)',"
		     "   'owns_index': true, 'columns': null}],"
		     "  'refuses': ['trigger t'], 'refuses_exchange': ['view v', 'view w']}],"
		     " 'rows': [{'database': 'db', 'schema': 'mart', 'identifier': 'orders',"
		     "  'object': '1/3', 'rows': 42, 'content': 'hash'}]}");
	assert_string_equal(seen.user, "u");
	assert_string_equal(seen.version, "15");
	assert_true(seen.built);
	t = find(&seen, "postgres", "mart", "orders");
	assert_non_null(t);
	assert_string_equal(t->kind, "table");
	assert_string_equal(t->object, "1/3");
	assert_false(t->owned);
	assert_string_equal(t->options, "fillfactor = 70");
	assert_int_equal(t->column_count, 2);
	assert_true(t->columns[0].not_null);
	assert_string_equal(t->columns[0].value, "1");
	assert_string_equal(t->columns[0].comment, "key");
	assert_null(t->columns[1].value);
	assert_true(t->indexes[0].unique);
	assert_string_equal(t->indexes[0].comment, "fast");
	assert_string_equal(t->indexes[0].columns[0], "id");
	assert_true(t->constraints[0].owns_index);
	assert_int_equal(t->constraints[0].column_count, 0);
	assert_string_equal(t->refuses[0], "trigger t");
	assert_int_equal(t->refuse_exchange_count, 2);
	assert_int_equal(t->rows, 42);
	assert_string_equal(t->content, "hash");
}

#define TABLE(SCHEMA, NAME)                                                                        \
	"{'database': 'db', 'schema': '" SCHEMA "', 'identifier': '" NAME "', 'kind': 'table'}"

static void rows_belong_to_the_table_that_was_counted(void **state)
{
	SEEN;

	(void)state;
	made_picture(
		&seen,
		"{'relations': [" TABLE("a", "t") "," TABLE(
			"b",
			"t") "],"
			     " 'rows': [{'database': 'db', 'schema': 'b', 'identifier': 't',"
			     "  'object': '', 'rows': 7}, {'schema': 'b'}, {'database': 'other',"
			     "  'schema': 'a', 'identifier': 't', 'rows': 9}]}");
	assert_int_equal(find(&seen, "postgres", "a", "t")->rows, -1);
	assert_int_equal(find(&seen, "postgres", "b", "t")->rows, 7);
	assert_null(find(&seen, "postgres", "b", "t")->object);
}

static void tables_and_schemas_are_found_as_the_warehouse_names_them(void **state)
{
	SEEN;
	const struct relation upper = { "DB", "MART", "ORDERS" };
	const struct relation lower = { "db", "mart", "orders" };
	const struct dialect *duckdb = dialect_find("duckdb");
	const struct dialect *postgres = dialect_find("postgres");

	(void)state;
	made_picture(
		&seen,
		"{'relations': [" TABLE(
			"mart", "orders") "],"
					  " 'schemas': [{'database': 'db', 'schema': 'mart'}]}");
	assert_non_null(observed_table(&seen, duckdb, &upper));
	assert_null(observed_table(&seen, postgres, &upper));
	assert_non_null(observed_table(&seen, postgres, &lower));
	assert_true(observed_has_schema(&seen, duckdb, &upper));
	assert_false(observed_has_schema(&seen, postgres, &upper));
	assert_true(observed_has_schema(&seen, postgres, &lower));
}

static void half_an_answer_is_no_answer(void **state)
{
	static const char *const halves[] = {
		"{\"relations\": [{\"schema\": \"s\", \"identifier\": \"t\"}]}",
		"{\"relations\": [{\"identifier\": \"t\", \"kind\": \"table\"}]}",
		"{\"relations\": [{\"schema\": \"s\", \"identifier\": \"t\", \"kind\": \"table\","
		" \"columns\": [{\"name\": \"a\"}]}]}",
		"{\"relations\": [{\"schema\": \"s\", \"identifier\": \"t\", \"kind\": \"table\","
		" \"indexes\": [{\"name\": \"a\"}]}]}",
		"{\"relations\": [{\"schema\": \"s\", \"identifier\": \"t\", \"kind\": \"table\","
		" \"constraints\": [{\"definition\": \"a\"}]}]}",
		"{\"relations\": [{\"schema\": \"s\", \"identifier\": \"t\", \"kind\": \"table\","
		" \"columns\": [7]}]}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(halves); i++)
		refuses(halves[i], ERR_NO_ANSWER, "the catalog's answer about 't' is not whole");
	refuses("{\"relations\": [{}]}", ERR_NO_ANSWER,
		"the catalog's answer about '?' is not whole");
	refuses("{\"relations\": [null]}", ERR_NO_ANSWER,
		"the catalog's answer about '?' is not whole");
}

/* It would be taken for a bind. */
static void a_mark_in_the_catalog_is_refused(void **state)
{
#define MARKED(REST)                                                                               \
	"{\"relations\": [{\"database\": \"db\", \"schema\": \"s\", \"identifier\": \"t\","        \
	" \"kind\": \"table\", " REST "}]}"
	static const char *const marked[] = {
		MARKED("\"comment\": \"a\\u0001id\\u0001\""),
		MARKED("\"options\": \"\\u0001\""),
		MARKED("\"owner\": \"\\u0001\""),
		MARKED("\"columns\": [{\"name\": \"\\u0001\", \"type\": \"int\"}]"),
		MARKED("\"columns\": [{\"name\": \"a\", \"type\": \"int\","
		       " \"default\": \"'\\u0001'\"}]"),
		MARKED("\"columns\": [{\"name\": \"a\", \"type\": \"int\","
		       " \"comment\": \"\\u0001\"}]"),
		MARKED("\"indexes\": [{\"name\": \"\\u0001\", \"definition\": \"(a)\"}]"),
		MARKED("\"constraints\": [{\"name\": \"c\","
		       " \"definition\": \"CHECK (a <> '\\u0001')\"}]"),
		MARKED("\"constraints\": [{\"name\": \"c\", \"definition\": \"CHECK (a)\","
		       " \"comment\": \"\\u0001\"}]"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(marked); i++)
		refuses(marked[i], ERR_NAME_UNUSABLE,
			"'db.s.t' has a name, comment, default or constraint with the control "
			"character U+0001, which cannot be published");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_picture_is_empty),
		cmocka_unit_test(everything_is_read),
		cmocka_unit_test(rows_belong_to_the_table_that_was_counted),
		cmocka_unit_test(tables_and_schemas_are_found_as_the_warehouse_names_them),
		cmocka_unit_test(half_an_answer_is_no_answer),
		cmocka_unit_test(a_mark_in_the_catalog_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
