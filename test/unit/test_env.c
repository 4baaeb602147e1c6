#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "airlock/base/env.h"

extern char **environ;

static void a_copy_does_not_change_the_original(void **state)
{
	char first[] = "A=1", second[] = "B=2";
	char *original[] = { first, second, NULL };
	CLEANUP(strv_release) struct strv env;

	(void)state;
	env_copy(&env, original);
	env_set(&env, "A", "changed");
	env_unset(&env, "B");
	assert_string_equal(original[0], "A=1");
	assert_string_equal(original[1], "B=2");
	assert_string_equal(env_get(&env, "A"), "changed");
	assert_null(env_get(&env, "B"));
}

static void the_own_environment_can_be_copied(void **state)
{
	CLEANUP(strv_release) struct strv env;
	size_t n = 0;

	(void)state;
	while (environ[n])
		n++;
	env_copy(&env, environ);
	assert_int_equal(env.n, n);
	assert_null(strv_argv(&env)[n]);
}

static void no_environment_is_an_empty_one(void **state)
{
	CLEANUP(strv_release) struct strv env;

	(void)state;
	env_copy(&env, NULL);
	assert_null(strv_argv(&env)[0]);
	assert_null(env_get(&env, "A"));
	env_unset(&env, "A");
	env_set(&env, "A", "");
	assert_string_equal(env_get(&env, "A"), "");
}

static void names_are_compared_as_a_whole(void **state)
{
	CLEANUP(strv_release) struct strv env = STRV_INIT;

	(void)state;
	strv_push(&env, "DBT_TARGET=prod");
	strv_push(&env, "DBT");
	strv_push(&env, "DBT_TARGET_PATH=target=x");
	assert_null(env_get(&env, "DBT"));
	assert_null(env_get(&env, "dbt_target"));
	assert_string_equal(env_get(&env, "DBT_TARGET_PATH"), "target=x");
	env_unset(&env, "DBT_TARGET");
	assert_int_equal(env.n, 2);
	assert_string_equal(env.v[0], "DBT");
}

static void a_name_that_is_there_twice_is_there_once_afterwards(void **state)
{
	CLEANUP(strv_release) struct strv env = STRV_INIT;

	(void)state;
	strv_push(&env, "A=1");
	strv_push(&env, "B=2");
	strv_push(&env, "A=3");
	assert_string_equal(env_get(&env, "A"), "1");
	env_set(&env, "A", "4");
	assert_int_equal(env.n, 2);
	assert_string_equal(env_get(&env, "A"), "4");
	env_unset(&env, "A");
	assert_null(env_get(&env, "A"));
	assert_null(env.v[env.n]);
}

static void a_value_may_come_from_the_same_environment(void **state)
{
	CLEANUP(strv_release) struct strv env = STRV_INIT;

	(void)state;
	env_set(&env, "A", "value");
	env_set(&env, "A", env_get(&env, "A") + 1);
	assert_string_equal(env_get(&env, "A"), "alue");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_copy_does_not_change_the_original),
		cmocka_unit_test(the_own_environment_can_be_copied),
		cmocka_unit_test(no_environment_is_an_empty_one),
		cmocka_unit_test(names_are_compared_as_a_whole),
		cmocka_unit_test(a_name_that_is_there_twice_is_there_once_afterwards),
		cmocka_unit_test(a_value_may_come_from_the_same_environment),
	};

	return cmocka_run_group_tests_name("env", tests, NULL, NULL);
}
