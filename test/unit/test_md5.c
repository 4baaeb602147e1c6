#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "airlock/base/md5.h"
#include "airlock/base/mem.h"

struct text_case {
	const char *text;
	const char *digest;
};

static void the_test_suite_of_rfc_1321_passes(void **state)
{
	static const struct text_case cases[] = {
		{ "", "d41d8cd98f00b204e9800998ecf8427e" },
		{ "a", "0cc175b9c0f1b6a831c399e269772661" },
		{ "abc", "900150983cd24fb0d6963f7d28e17f72" },
		{ "message digest", "f96b697d7cb7938d525a2f31aaf161d0" },
		{ "abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b" },
		{ "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
		  "d174ab98d277d9f5a5611c2c9f419d9f" },
		{ "1234567890123456789012345678901234567890"
		  "1234567890123456789012345678901234567890",
		  "57edf4a22be3c955ac49da2e2107b67a" },
	};
	char digest[MD5_HEX_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		md5_hex(cases[i].text, strlen(cases[i].text), digest);
		assert_string_equal(digest, cases[i].digest);
	}
}

struct length_case {
	size_t len;
	const char *digest;
};

/* Of so many letters 'a', computed by Python's hashlib. */
static void lengths_around_a_block_are_right(void **state)
{
	static const struct length_case cases[] = {
		{ 0, "d41d8cd98f00b204e9800998ecf8427e" },
		{ 1, "0cc175b9c0f1b6a831c399e269772661" },
		{ 55, "ef1772b6dff9a122358552954ad0df65" },
		{ 56, "3b0c8ac703f828b04c6c197006d17218" },
		{ 57, "652b906d60af96844ebd21b674f35e93" },
		{ 63, "b06521f39153d618550606be297466d5" },
		{ 64, "014842d480b571495a4a0363793f7367" },
		{ 65, "c743a45e0d2e6a95cb859adae0248435" },
		{ 119, "8a7bd0732ed6a28ce75f6dabc90e1613" },
		{ 120, "5f61c0ccad4cac44c75ff505e1f1e537" },
		{ 127, "020406e1d05cdc2aa287641f7ae2cc39" },
		{ 128, "e510683b3f5ffe4093d021808bc6ff70" },
		{ 129, "b325dc1c6f5e7a2b7cf465b9feab7948" },
		{ 1000, "cabe45dcc9ae5b66ba86600cca6b8ba8" },
		{ 1000000, "7707d6ae4e027c70eea2a935c2296f21" },
	};
	char digest[MD5_HEX_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *text = mem_alloc(cases[i].len);

		memset(text, 'a', cases[i].len);
		md5_hex(text, cases[i].len, digest);
		assert_string_equal(digest, cases[i].digest);
		free(text);
	}
}

static void bytes_of_any_value_are_taken(void **state)
{
	char digest[MD5_HEX_SIZE];

	(void)state;
	md5_hex("\0\xff\x80\n", 4, digest);
	assert_string_equal(digest, "1f6d00cbabcca8fc08047742afdf6cf0");
	md5_hex(NULL, 0, digest);
	assert_string_equal(digest, "d41d8cd98f00b204e9800998ecf8427e");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_test_suite_of_rfc_1321_passes),
		cmocka_unit_test(lengths_around_a_block_are_right),
		cmocka_unit_test(bytes_of_any_value_are_taken),
	};

	return cmocka_run_group_tests_name("md5", tests, NULL, NULL);
}
