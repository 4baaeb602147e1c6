#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "airlock/base/fs.h"
#include "airlock/dbt/manifest.h"
#include "fs_support.h"
#include "manifest_oracle.h"

#define FIXTURE AIRLOCK_SOURCE_DIR "/test/unit/data/manifest.json"
#define TIMES 300

static const size_t sizes[] = { 1, 64, 1000, (size_t)16 << 10, (size_t)128 << 10 };
static struct buf content;
static uint64_t seed = UINT64_C(0x853c49e6748fea9b);

static size_t below(size_t limit)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (size_t)(seed >> 33) % limit;
}

static int enter(void **state)
{
	struct err err = ERR_INIT;

	if (enter_directory(state) || fs_read(FIXTURE, (size_t)1 << 26, &content, &err) < 0)
		return -1;
	return 0;
}

static int leave(void **state)
{
	buf_release(&content);
	manifest_window = sizes[4];
	return leave_directory(state);
}

static void put_bytes(const char *data, size_t len)
{
	FILE *file = fopen("m.json", "w");

	assert_non_null(file);
	assert_int_equal(fwrite(data, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

/* Without having been read as a whole in the end. */
static void reads_through_the_window(const char *text, size_t len)
{
	struct manifest *manifest;
	struct oracle *oracle;
	struct err err = ERR_INIT;
	char *difference;

	put_bytes(text, len);
	assert_int_equal(oracle_parse(text, len, "m.json", &oracle, &err), 0);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		manifest_window = sizes[i];
		if (manifest_read("m.json", &manifest, &err) < 0)
			fail_msg("%s", err.message);
		assert_true(manifest_count(manifest) > 0);
		assert_null(manifest_node(manifest, 0)->json.at);
		difference = oracle_compare(oracle, manifest);
		if (difference)
			fail_msg("%zu bytes: %s", sizes[i], difference);
		manifest_free(manifest);
	}
	oracle_free(oracle);
}

static void a_window_of_any_size_says_what_the_whole_document_says(void **state)
{
	(void)state;
	reads_through_the_window(buf_cstr(&content), content.len);
}

static void what_is_larger_than_the_window_makes_it_grow(void **state)
{
	struct buf text = BUF_INIT;

	(void)state;
	buf_printf(&text, "{\"macros\": {\"macro.a.b\": {\"sql\": \"%01000000d\"}}, \"nodes\": {",
		   0);
	for (int i = 0; i < 40; i++)
		buf_printf(
			&text,
			"%s\"model.a.m%d\": {\"name\": \"m%d\", \"raw_code\": \"%0*d\", \"tags\": "
			"[\"t\"], \"resource_type\": \"model\", \"config\": {\"tags\": [%*s]}, "
			"\"depends_on\": {\"nodes\": [\"model.a.m0\"]}}",
			i ? ", " : "", i, i, 1 + i * 20000, i, 1 + i * 100, "");
	buf_printf(&text, "},%*s\"parent_map\": {}, \"disabled\": [1", 600000, "");
	for (int i = 0; i < 300000; i++)
		buf_add_str(&text, ",1");
	buf_printf(&text, "], \"docs\": null}%*s", 600000, "");
	reads_through_the_window(buf_cstr(&text), text.len);
	buf_release(&text);
}

static void parse_and_read(const char *text, size_t len, char **ret_parsed, char **ret_read)
{
	char **const messages[] = { ret_parsed, ret_read };

	put_bytes(text, len);
	for (size_t i = 0; i < 2; i++) {
		struct manifest *manifest = NULL;
		struct err err = ERR_INIT;
		int rc = i ? manifest_read("m.json", &manifest, &err)
			   : manifest_parse(text, len, "m.json", &manifest, &err);

		*messages[i] = rc < 0 ? mem_strdup(err.message)
				      : mem_printf("%zu nodes", manifest_count(manifest));
		err_release(&err);
		manifest_free(manifest);
	}
}

static void a_damaged_file_is_refused_with_the_place_as_a_whole_one_is(void **state)
{
	(void)state;
	for (int i = 0; i < TIMES; i++) {
		size_t at = below(content.len - 1) + 1;
		char *parsed, *read;
		char was = content.data[at];

		manifest_window = sizes[below(4)];
		content.data[at] ^= (char)(1 << below(8));
		parse_and_read(content.data, i % 2 ? content.len : at, &parsed, &read);
		assert_string_equal(parsed, read);
		content.data[at] = was;
		free(parsed);
		free(read);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_window_of_any_size_says_what_the_whole_document_says, enter, leave),
		cmocka_unit_test_setup_teardown(what_is_larger_than_the_window_makes_it_grow, enter,
						leave),
		cmocka_unit_test_setup_teardown(
			a_damaged_file_is_refused_with_the_place_as_a_whole_one_is, enter, leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
