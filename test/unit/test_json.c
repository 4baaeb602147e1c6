#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "airlock/base/fs.h"
#include "airlock/format/json.h"

static char *message_for(const char *text)
{
	struct err err = ERR_INIT;
	char *message;

	assert_null(js_parse(text, strlen(text), "m.json", ERR_MANIFEST_INVALID, &err));
	assert_int_equal(err.code, ERR_MANIFEST_INVALID);
	message = mem_strdup(err.message);
	err_release(&err);
	return message;
}

static void assert_refused(const char *text, const char *expected)
{
	char *message = message_for(text);

	assert_string_equal(message, expected);
	free(message);
}

static void an_error_says_where(void **state)
{
	(void)state;
	assert_refused("{\"a\": 1,\n \"b\": x}", "m.json:2:7: not JSON: invalid token near 'x'");
	assert_refused("[1,]", "m.json:1:4: not JSON: unexpected token near ']'");
}

static void a_conflict_marker_is_called_one(void **state)
{
	(void)state;
	assert_refused("<<<<<<< HEAD\n{}\n=======\n{}\n>>>>>>> x\n",
		       "m.json:1:1: a merge conflict marker instead of JSON");
	assert_refused("{\"a\": 1,\n<<<<<<< HEAD\n\"b\": 2\n",
		       "m.json:2:1: a merge conflict marker instead of JSON");
	assert_refused("{\"a\": 1\n=======\n}",
		       "m.json:2:1: a merge conflict marker instead of JSON");
}

static void a_torn_file_is_called_torn(void **state)
{
	(void)state;
	assert_refused("{\"a\": {\"b\": 1", "m.json:1:13: the file ends in the middle of a value");
	assert_refused("{\"a\":\n \"b", "m.json:2:3: the file ends in the middle of a value");
}

static void an_empty_file_is_called_empty(void **state)
{
	(void)state;
	assert_refused("", "m.json:1:1: the file is empty");
	assert_refused(" \n\t", "m.json:1:1: the file is empty");
}

static void a_second_document_is_refused(void **state)
{
	(void)state;
	assert_refused("{}\n{}", "m.json:2:1: something follows the end of the document");
}

static void deep_nesting_is_refused(void **state)
{
	char text[5000];

	(void)state;
	memset(text, '[', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_refused(text, "m.json:1:2049: values are nested deeper than 2048 levels");
}

static void bytes_that_are_not_utf8_are_refused(void **state)
{
	char *message = message_for("{\"a\": \"\xff\"}");

	(void)state;
	assert_non_null(strstr(message, "m.json:1:"));
	assert_non_null(strstr(message, "0xff"));
	free(message);
}

static void a_directory_and_a_missing_file_are_errors(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	assert_null(js_read_file("/", 100, ERR_MANIFEST_INVALID, &err));
	assert_int_equal(err.code, ERR_MANIFEST_INVALID);
	assert_string_equal(err.message, "'/' is a directory where a JSON file is expected");
	err_release(&err);
	assert_null(js_read_file("/nonexistent/m.json", 100, ERR_MANIFEST_INVALID, &err));
	assert_int_equal(err.code, ERR_FILE);
	err_release(&err);
}

static void values_of_another_type_read_as_missing(void **state)
{
	static const char text[] =
		"{\"s\": \"x\", \"n\": null, \"i\": 7, \"t\": true, \"z\": \"a\\u0000b\","
		" \"o\": {}, \"a\": []}";
	struct err err = ERR_INIT;
	CLEANUP(js_free)
	json_t *json = js_parse(text, strlen(text), "x", ERR_MANIFEST_INVALID, &err);

	(void)state;
	assert_non_null(json);
	assert_string_equal(js_get_string(json, "s"), "x");
	assert_null(js_get_string(json, "n"));
	assert_null(js_get_string(json, "i"));
	assert_null(js_get_string(json, "missing"));
	assert_null(js_get_string(json, "z"));
	assert_null(js_get_string(NULL, "s"));
	assert_true(js_text_is(json, "s", "x"));
	assert_false(js_text_is(json, "s", "xy"));
	assert_false(js_text_is(json, "i", "7"));
	assert_false(js_text_is(json, "missing", ""));
	assert_false(js_text_is(NULL, "s", "x"));
	assert_int_equal(js_get_integer(json, "i", -1), 7);
	assert_int_equal(js_get_integer(json, "s", -1), -1);
	assert_true(js_get_bool(json, "t", false));
	assert_true(js_get_bool(json, "s", true));
	assert_non_null(js_get_object(json, "o"));
	assert_null(js_get_object(json, "a"));
	assert_non_null(js_get_array(json, "a"));
	assert_null(js_get_array(json, "o"));
}

static void documents_are_written_in_the_order_of_their_keys(void **state)
{
	CLEANUP(buf_release) struct buf pretty = BUF_INIT;
	CLEANUP(buf_release) struct buf line = BUF_INIT;
	CLEANUP(js_free)
	json_t *json = json_pack("{s:i, s:[s], s:o}", "z", 1, "a", "\xc3\xa9", "n",
				 js_string_or_null(NULL));

	(void)state;
	js_write_pretty(json, &pretty);
	assert_string_equal(
		buf_cstr(&pretty),
		"{\n  \"z\": 1,\n  \"a\": [\n    \"\xc3\xa9\"\n  ],\n  \"n\": null\n}\n");
	js_write_line(json, &line);
	assert_string_equal(buf_cstr(&line), "{\"z\":1,\"a\":[\"\xc3\xa9\"],\"n\":null}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_error_says_where),
		cmocka_unit_test(a_conflict_marker_is_called_one),
		cmocka_unit_test(a_torn_file_is_called_torn),
		cmocka_unit_test(an_empty_file_is_called_empty),
		cmocka_unit_test(a_second_document_is_refused),
		cmocka_unit_test(deep_nesting_is_refused),
		cmocka_unit_test(bytes_that_are_not_utf8_are_refused),
		cmocka_unit_test(a_directory_and_a_missing_file_are_errors),
		cmocka_unit_test(values_of_another_type_read_as_missing),
		cmocka_unit_test(documents_are_written_in_the_order_of_their_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
