#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "airlock/deploy/mirror_text.h"

static const struct manifest_node orders = { .source_name = "shop", .name = "orders" };
static const struct manifest_node odd = { .source_name = "it's", .name = "a-b" };
static const struct mirror_pair pairs[] = { { &orders, "raw_shop__orders" } };

static void is_diff(const char *text, size_t replaced, const char *expected)
{
	CLEANUP(buf_release) struct buf out = BUF_INIT;

	assert_int_equal(mirror_write_diff("m/a.sql", text, pairs, ARRAY_LEN(pairs), &out),
			 replaced);
	assert_string_equal(buf_cstr(&out), expected);
}

static void a_call_becomes_a_ref(void **state)
{
	(void)state;
	is_diff("select 1\nfrom {{ source('shop', 'orders') }} o\n", 1,
		"--- a/m/a.sql\n+++ b/m/a.sql\n@@ -1,2 +1,2 @@\n select 1\n"
		"-from {{ source('shop', 'orders') }} o\n"
		"+from {{ ref('raw_shop__orders') }} o\n");
	is_diff("{{source( \"shop\" , \"orders\" )}}, {{ source('shop','orders') }}", 2,
		"--- a/m/a.sql\n+++ b/m/a.sql\n@@ -1,1 +1,1 @@\n"
		"-{{source( \"shop\" , \"orders\" )}}, {{ source('shop','orders') }}\n"
		"\\ No newline at end of file\n"
		"+{{ref('raw_shop__orders')}}, {{ ref('raw_shop__orders') }}\n"
		"\\ No newline at end of file\n");
}

static void what_is_no_call_of_a_known_source_stays(void **state)
{
	(void)state;
	is_diff("", 0, "");
	is_diff("{{ source('shop', 'payments') }}", 0, "");
	is_diff("{{ my_source('shop', 'orders') }}", 0, "");
	is_diff("{{ source('shop',\n 'orders') }}", 0, "");
	is_diff("{{ source('shop', name) }} source source(", 0, "");
	is_diff("source('shop', 'orders\")", 0, "");
}

static void far_changes_are_hunks_of_their_own(void **state)
{
	(void)state;
	is_diff("source('shop','orders')\n1\n2\n3\n4\n5\n6\n7\nsource('shop','orders')\n", 2,
		"--- a/m/a.sql\n+++ b/m/a.sql\n@@ -1,4 +1,4 @@\n-source('shop','orders')\n"
		"+ref('raw_shop__orders')\n 1\n 2\n 3\n@@ -6,4 +6,4 @@\n 5\n 6\n 7\n"
		"-source('shop','orders')\n+ref('raw_shop__orders')\n");
	is_diff("source('shop','orders')\n1\n2\n3\n4\n5\nsource('shop','orders')\n", 2,
		"--- a/m/a.sql\n+++ b/m/a.sql\n@@ -1,7 +1,7 @@\n-source('shop','orders')\n"
		"+ref('raw_shop__orders')\n 1\n 2\n 3\n 4\n 5\n-source('shop','orders')\n"
		"+ref('raw_shop__orders')\n");
}

static void a_model_is_named_and_quoted(void **state)
{
	CLEANUP(mem_free_string) char *name = mirror_model_name(&odd);
	CLEANUP(buf_release) struct buf model = BUF_INIT;

	(void)state;
	assert_string_equal(name, "raw_it_s__a_b");
	mirror_write_model(&odd, &model);
	assert_string_equal(buf_cstr(&model),
			    "{{ config(materialized='table', schema='raw', tags=['raw']) }}\n\n"
			    "select * from {{ source('it\\'s', 'a-b') }}\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_becomes_a_ref),
		cmocka_unit_test(what_is_no_call_of_a_known_source_stays),
		cmocka_unit_test(far_changes_are_hunks_of_their_own),
		cmocka_unit_test(a_model_is_named_and_quoted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
