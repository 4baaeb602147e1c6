#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "airlock/format/jscan.h"

/* "" when the whole text is one value and nothing else, else the error. */
static char *skip_all(const char *text, size_t len)
{
	char *copy = mem_realloc(NULL, len, 1);
	struct err err = ERR_INIT;
	struct jslice value;
	struct jscan scan;
	char *message;

	memcpy(copy, text, len);
	jscan_init(&scan, copy, len);
	if (jscan_skip(&scan, &value) == 0 && jscan_finish(&scan) == 0) {
		free(copy);
		return mem_strdup("");
	}
	jscan_error(&scan, "x", ERR_FILE, &err);
	message = mem_strdup(err.message);
	err_release(&err);
	free(copy);
	return message;
}

static void assert_skips(const char *text, const char *expected)
{
	char *answer CLEANUP(mem_free_string) = skip_all(text, strlen(text));

	if (strcmp(answer, expected) != 0)
		fail_msg("'%.80s': '%s'", text, answer);
}

static void values_are_passed_over(void **state)
{
	(void)state;
	assert_skips("[]", "");
	assert_skips(" {\"a\": [1, -2.5e+3, true, null, \"x\"]} ", "");
	assert_skips("\"\"", "");
	assert_skips("\"a\\\\\"", "");
	assert_skips("[\"}]\", \"\\\"]\", \"\\\\\"]", "");
	assert_skips("{\"a\": \"<<<<<<< HEAD\"}", "");
}

static void what_is_wrong_is_named_with_its_place(void **state)
{
	(void)state;
	assert_skips("[1,\n \"\xc3\xa9\", {", "x:2:8: the file ends in the middle of a value");
	assert_skips("\"abc", "x:1:5: the file ends in the middle of a value");
	assert_skips("\"abc\\\1\"", "x:1:6: not JSON: a control character in a string");
	assert_skips("\"abc\\", "x:1:6: the file ends in the middle of a value");
	assert_skips("[]\n []", "x:2:2: something follows the end of the document");
	assert_skips("[\"a\nb\"]", "x:1:4: not JSON: a control character in a string");
	assert_skips("\"a\tb\"", "x:1:3: not JSON: a control character in a string");
	assert_skips("[1]\n<<<<<<< HEAD\n", "x:2:1: a merge conflict marker instead of JSON");
	assert_skips("[1,\n<<<<<<< HEAD\n2]", "x:2:1: a merge conflict marker instead of JSON");
	assert_skips("[1 > 2]", "x:1:4: not JSON: no value begins like this");
	assert_skips("@", "x:1:1: not JSON: a value was expected");
	assert_skips("", "x:1:1: the file ends in the middle of a value");
}

static void depth_has_a_limit(void **state)
{
	char text[2 * JSCAN_MAX_DEPTH + 3];

	(void)state;
	memset(text, '[', JSCAN_MAX_DEPTH);
	memset(text + JSCAN_MAX_DEPTH, ']', JSCAN_MAX_DEPTH);
	text[2 * JSCAN_MAX_DEPTH] = '\0';
	assert_skips(text, "");
	memset(text, '[', JSCAN_MAX_DEPTH + 1);
	memset(text + JSCAN_MAX_DEPTH + 1, ']', JSCAN_MAX_DEPTH + 1);
	text[2 * JSCAN_MAX_DEPTH + 2] = '\0';
	assert_skips(text, "x:1:2049: values are nested deeper than 2048 levels");
}

/* Strings with backslashes at every place of a block, and brackets behind them. */
static void blocks_have_no_seams(void **state)
{
	(void)state;
	for (size_t before = 0; before < 140; before++) {
		for (size_t slashes = 0; slashes < 9; slashes++) {
			CLEANUP(buf_release) struct buf text = BUF_INIT;
			char *answer CLEANUP(mem_free_string) = NULL;
			json_t *json;

			buf_add_str(&text, "[[\"");
			for (size_t i = 0; i < before; i++)
				buf_add_char(&text, i % 7 ? 'x' : ']');
			for (size_t i = 0; i < slashes; i++)
				buf_add_char(&text, '\\');
			buf_add_str(&text, "\"], {\"a\": \"{\"}]");
			json = json_loadb(buf_cstr(&text), text.len, 0, NULL);
			answer = skip_all(buf_cstr(&text), text.len);
			if ((json != NULL) != (*answer == '\0'))
				fail_msg("%s: '%s'", buf_cstr(&text), answer);
			json_decref(json);
		}
	}
}

static void members_are_walked(void **state)
{
	static const char text[] = "{\"a\": 1, \"b\": {\"c\": []}, \"d\" : \"e\"}";
	static const char *const keys[] = { "\"a\"", "\"b\"", "\"d\"" };
	static const char *const values[] = { "1", "{\"c\": []}", "\"e\"" };
	struct jslice key, value;
	struct jscan scan;
	size_t n = 0;

	(void)state;
	jscan_init(&scan, text, sizeof(text) - 1);
	assert_int_equal(jscan_enter(&scan), 0);
	while (jscan_key(&scan, &key) > 0) {
		assert_int_equal(jscan_skip(&scan, &value), 0);
		assert_true(jslice_equals(key, keys[n]));
		assert_true(jslice_equals(value, values[n++]));
	}
	assert_null(scan.failed_at);
	assert_int_equal(n, 3);
	assert_int_equal(jscan_finish(&scan), 0);
}

static void commas_and_colons_are_checked(void **state)
{
	static const char *const wrong[] = { "{\"a\" 1}",  "{\"a\": 1,}",
					     "{,}",        "{\"a\": 1 \"b\": 2}",
					     "{\"a\": 1]", "{1: 2}",
					     "{\"a\"",     "{\"a\": }" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct jslice key;
		struct jscan scan;
		int rc;

		jscan_init(&scan, wrong[i], strlen(wrong[i]));
		rc = jscan_enter(&scan);
		while (rc >= 0 && (rc = jscan_key(&scan, &key)) > 0)
			rc = jscan_skip(&scan, NULL);
		if (rc != -1)
			fail_msg("%s", wrong[i]);
	}
}

static void strings_are_decoded_as_jansson_does(void **state)
{
	static const char *const strings[] = {
		"\"\"",
		"\"abc\"",
		"\"\\\"a\\\\\\/\\b\\f\\n\\r\\t\"",
		"\"\xc3\xa9\"",
		"\"\\u00e9\"",
		"\"\\ud83d\\ude00\"",
		"\"a\\u0000b\"",
		/* refused */
		"\"\\ud83d\"",
		"\"\xff\"",
		"\"\\x\"",
		"\"\\u12\"",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(strings); i++) {
		struct jslice slice = { strings[i], strlen(strings[i]) };
		CLEANUP(buf_release) struct buf text = BUF_INIT;
		json_t *json =
			json_loadb(slice.at, slice.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

		assert_int_equal(jscan_decode(slice, &text), json ? 0 : -1);
		if (json) {
			assert_int_equal(text.len, json_string_length(json));
			assert_memory_equal(buf_cstr(&text), json_string_value(json), text.len);
		}
		assert_int_equal(jslice_is_plain(slice), i < 2);
		json_decref(json);
	}
}

static void a_key_may_be_written_with_escapes(void **state)
{
	static const char key[] = "\"n\\u006fdes\"";

	(void)state;
	assert_true(jslice_is_key((struct jslice) { key, sizeof(key) - 1 }, "nodes", 5));
	assert_false(jslice_is_key((struct jslice) { key, sizeof(key) - 1 }, "notes", 5));
	assert_false(jslice_is_key((struct jslice) { "\"node\"", 6 }, "nodes", 5));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_passed_over),
		cmocka_unit_test(what_is_wrong_is_named_with_its_place),
		cmocka_unit_test(depth_has_a_limit),
		cmocka_unit_test(blocks_have_no_seams),
		cmocka_unit_test(members_are_walked),
		cmocka_unit_test(commas_and_colons_are_checked),
		cmocka_unit_test(strings_are_decoded_as_jansson_does),
		cmocka_unit_test(a_key_may_be_written_with_escapes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
