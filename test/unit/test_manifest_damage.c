#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "airlock/base/fs.h"
#include "airlock/dbt/manifest.h"
#include "manifest_oracle.h"

#define FIXTURE AIRLOCK_SOURCE_DIR "/test/unit/data/manifest.json"
#define TIMES 1000

static struct buf content;
static uint64_t seed = UINT64_C(0x853c49e6748fea9b);

static int read_fixture(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	return fs_read(FIXTURE, (size_t)1 << 26, &content, &err);
}

static int free_fixture(void **state)
{
	(void)state;
	buf_release(&content);
	return 0;
}

static size_t below(size_t limit)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (size_t)(seed >> 33) % limit;
}

/* Reads a copy of exactly that many bytes, so that a sanitizer sees one byte too far. */
static bool agrees(const char *text, size_t len, bool *ret_is_json)
{
	char *copy = mem_realloc(NULL, len, 1);
	struct manifest *manifest = NULL;
	struct oracle *oracle = NULL;
	struct err err = ERR_INIT;
	struct err refused = ERR_INIT;
	char *difference = NULL;

	memcpy(copy, text, len);
	*ret_is_json = oracle_parse(copy, len, "m.json", &oracle, &refused) == 0;
	if (manifest_parse(copy, len, "m.json", &manifest, &err) < 0 && *ret_is_json)
		difference = mem_strdup(err.message);
	else if (oracle && manifest)
		difference = oracle_compare(oracle, manifest);
	if (difference)
		print_error("%s\n", difference);
	err_release(&err);
	err_release(&refused);
	manifest_free(manifest);
	oracle_free(oracle);
	free(copy);
	free(difference);
	return !difference;
}

static void the_index_says_what_the_whole_document_says(void **state)
{
	bool is_json;

	(void)state;
	assert_true(agrees(buf_cstr(&content), content.len, &is_json));
	assert_true(is_json);
}

static void a_truncated_manifest_is_an_error(void **state)
{
	(void)state;
	for (int i = 0; i < TIMES; i++) {
		struct manifest *manifest = NULL;
		struct err err = ERR_INIT;
		size_t len = below(content.len - 1);
		char *copy = mem_strndup(buf_cstr(&content), len);

		assert_int_equal(manifest_parse(copy, len, "m.json", &manifest, &err), -1);
		assert_int_equal(err.code, ERR_MANIFEST_INVALID);
		assert_non_null(strstr(err.message, len ? "the file ends in the middle" : "empty"));
		err_release(&err);
		free(copy);
	}
}

static void a_flipped_byte_is_an_error_or_read_as_it_stands(void **state)
{
	char *copy = mem_strndup(buf_cstr(&content), content.len);
	size_t still_json = 0;

	(void)state;
	for (int i = 0; i < TIMES; i++) {
		size_t at = below(content.len);
		bool is_json;

		copy[at] ^= (char)(1 << below(8));
		assert_true(agrees(copy, content.len, &is_json));
		still_json += is_json;
		copy[at] = buf_cstr(&content)[at];
	}
	assert_in_range(still_json, 1, TIMES - 1);
	free(copy);
}

static void a_lost_or_doubled_piece_is_an_error_or_read_as_it_stands(void **state)
{
	(void)state;
	for (int i = 0; i < TIMES; i++) {
		CLEANUP(buf_release) struct buf text = BUF_INIT;
		size_t from = below(content.len);
		size_t to = below(content.len);
		bool is_json;

		buf_add(&text, buf_cstr(&content), from);
		buf_add(&text, buf_cstr(&content) + to, content.len - to);
		assert_true(agrees(buf_cstr(&text), text.len, &is_json));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_index_says_what_the_whole_document_says),
		cmocka_unit_test(a_truncated_manifest_is_an_error),
		cmocka_unit_test(a_flipped_byte_is_an_error_or_read_as_it_stands),
		cmocka_unit_test(a_lost_or_doubled_piece_is_an_error_or_read_as_it_stands),
	};

	return cmocka_run_group_tests(tests, read_fixture, free_fixture);
}
