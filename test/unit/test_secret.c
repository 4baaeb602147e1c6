#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "airlock/base/env.h"
#include "airlock/dbt/secret.h"

static void names_that_look_like_secrets(void **state)
{
	static const char *const secrets[] = {
		"DBT_ENV_SECRET_X",   "DBT_ENGINE_ENV_SECRET", "api_token",
		"SNOWFLAKE_PASSWORD", "clientSecret",          "aws_access_key_id",
		"PGPASSWORD",         "private_key",           "ApiKey"
	};
	static const char *const plain[] = { "", "region", "DBT_DB", "key", "start_date", "keys" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(secrets); i++)
		assert_true(secret_is_named(secrets[i]));
	for (size_t i = 0; i < ARRAY_LEN(plain); i++)
		assert_false(secret_is_named(plain[i]));
}

static void assert_pair(const char *pair, const char *expected)
{
	CLEANUP(mem_free_string) char *shown = secret_shown_pair(pair);

	assert_string_equal(shown, expected);
}

static void a_pair_is_shown_by_its_name(void **state)
{
	(void)state;
	assert_pair("DBT_ENV_SECRET_X=hunter2", "DBT_ENV_SECRET_X=***");
	assert_pair("DBT_DB=token", "DBT_DB=token");
	assert_pair("TOKEN=", "TOKEN=***");
}

static void vars_are_shown_without_their_secrets(void **state)
{
	static const struct {
		const char *text;
		const char *shown; /* NULL: as it is */
	} cases[] = {
		{ "{day: 2026-01-31, n: 1}", NULL },
		{ "", NULL },
		{ "{api_token: abc, day: 2026-01-31}",
		  "{\"api_token\":\"***\",\"day\":\"2026-01-31\"}" },
		{ "{a: {password: [1, 2], n: null}}", "{\"a\":{\"password\":\"***\",\"n\":null}}" },
		{ "{a: ['x', 'the hunter2 of it']}", "{\"a\":[\"x\",\"***\"]}" },
		{ "{credentials: {user: ann}}", "{\"credentials\":\"***\"}" },
		{ "{not: [yaml", "***" },
	};
	CLEANUP(strv_release) struct strv environment = STRV_INIT;

	(void)state;
	env_set(&environment, "DBT_ENV_SECRET_X", "hunter2");
	env_set(&environment, "DBT_ENV_SECRET_EMPTY", "");
	env_set(&environment, "OTHER", "2026");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(mem_free_string) char *shown = NULL;
		bool hides = secret_show_vars(cases[i].text, &environment, &shown);

		assert_int_equal(hides, cases[i].shown != NULL);
		assert_string_equal(shown, hides ? cases[i].shown : cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_that_look_like_secrets),
		cmocka_unit_test(a_pair_is_shown_by_its_name),
		cmocka_unit_test(vars_are_shown_without_their_secrets),
	};

	return cmocka_run_group_tests_name("secret", tests, NULL, NULL);
}
