#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "airlock/base/fs.h"
#include "airlock/base/mem.h"
#include "airlock/dbt/find.h"

/* a/ b/ c/ below a directory of its own, which is the cwd of each test. */
static char directory[] = "/tmp/airlock-find.XXXXXX";

static void put_text(const char *path, const char *text, mode_t mode)
{
	struct err err = ERR_INIT;

	assert_int_equal(fs_write_atomic(path, text, strlen(text), mode, &err), 0);
}

static void put(const char *path, mode_t mode)
{
	put_text(path, "#!/bin/sh\n", mode);
}

static int setup(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/airlock-find.XXXXXX");
	return !mkdtemp(directory) || chdir(directory) || mkdir("a", 0755) || mkdir("b", 0755) ||
	       mkdir("c", 0755);
}

static int teardown(void **state)
{
	char *command CLEANUP(mem_free_string) = mem_printf("rm -rf '%s'", directory);

	(void)state;
	return chdir("/") || system(command);
}

/* `self` is c/airlock. NULL in `expected` means that nothing must be found. */
static void check(const char *path, const char *setting, const char *expected,
		  enum err_code expected_code)
{
	struct err err CLEANUP(err_release) = ERR_INIT;
	char *path_entry CLEANUP(mem_free_string) = path ? mem_printf("PATH=%s", path) : NULL;
	char *setting_copy CLEANUP(mem_free_string) = setting ? mem_strdup(setting) : NULL;
	char *environment[] = { path_entry ? path_entry : setting_copy,
				path_entry ? setting_copy : NULL, NULL };
	char *found CLEANUP(mem_free_string) = find_dbt(environment, "c/airlock", &err);

	assert_int_equal(err.code, expected_code);
	if (expected)
		assert_string_equal(found, expected);
	else
		assert_null(found);
}

static void the_first_dbt_on_path_is_taken(void **state)
{
	(void)state;
	put("a/dbt", 0755);
	put("b/dbt", 0755);
	check("a:b", NULL, "a/dbt", ERR_NONE);
	check("c:b/:a", NULL, "b/dbt", ERR_NONE);
	check("/nonexistent:b", NULL, "b/dbt", ERR_NONE);
}

static void airlock_is_never_its_own_dbt(void **state)
{
	(void)state;
	put("c/airlock", 0755);
	put("b/dbt", 0755);
	assert_int_equal(symlink("../c/airlock", "a/dbt"), 0);
	check("a:b", NULL, "b/dbt", ERR_NONE);
	assert_int_equal(link("c/airlock", "c/dbt"), 0);
	check("a:c:b", NULL, "b/dbt", ERR_NONE);
	check("a:c", NULL, NULL, ERR_DBT_NOT_FOUND);
	check("b", "AIRLOCK_DBT=a/dbt", NULL, ERR_DBT_NOT_FOUND);
}

static void nor_is_another_copy_of_airlock(void **state)
{
	(void)state;
	put_text("a/dbt", "\177ELF " FIND_NOTE, 0755);
	check("a", NULL, NULL, ERR_DBT_NOT_FOUND);
	check("a", "AIRLOCK_DBT=a/dbt", NULL, ERR_DBT_NOT_FOUND);
	put("b/dbt", 0755);
	check("a:b", NULL, "b/dbt", ERR_NONE);
}

static void a_directory_named_dbt_is_passed_over(void **state)
{
	(void)state;
	put("b/dbt", 0755);
	assert_int_equal(mkdir("a/dbt", 0755), 0);
	check("a:b", NULL, "b/dbt", ERR_NONE);
	check("a", NULL, NULL, ERR_DBT_NOT_FOUND);
}

static void a_dbt_that_cannot_be_run_is_named_when_there_is_no_other(void **state)
{
	(void)state;
	put("a/dbt", 0644);
	check("a", NULL, NULL, ERR_DBT_NOT_EXECUTABLE);
	put("b/dbt", 0755);
	check("a:b", NULL, "b/dbt", ERR_NONE);
}

static void an_empty_element_of_path_is_the_cwd(void **state)
{
	(void)state;
	put("dbt", 0755);
	check("", NULL, "./dbt", ERR_NONE);
	check("a:", NULL, "./dbt", ERR_NONE);
	check(":a", NULL, "./dbt", ERR_NONE);
	check("a::b", NULL, "./dbt", ERR_NONE);
	check("a:b", NULL, NULL, ERR_DBT_NOT_FOUND);
}

static void without_path_the_default_of_execvp_is_searched(void **state)
{
	(void)state;
	put("dbt", 0755);
	check(NULL, "AIRLOCK_DBT=sh", "/bin/sh", ERR_NONE);
}

static void the_setting_is_the_only_candidate(void **state)
{
	(void)state;
	put("a/dbt", 0755);
	put("b/dbt-1.11", 0755);
	put("c/dbt", 0644);
	check("a", "AIRLOCK_DBT=b/dbt-1.11", "b/dbt-1.11", ERR_NONE);
	check("a", "DBT_AIRLOCK_DBT=b/dbt-1.11", "b/dbt-1.11", ERR_NONE);
	check("a:b", "AIRLOCK_DBT=dbt-1.11", "b/dbt-1.11", ERR_NONE);
	check("a", "AIRLOCK_DBT=dbt-1.11", NULL, ERR_DBT_NOT_FOUND);
	check("a", "AIRLOCK_DBT=b/nothing", NULL, ERR_DBT_NOT_FOUND);
	check("a", "AIRLOCK_DBT=c/dbt", NULL, ERR_DBT_NOT_EXECUTABLE);
	check("a", "AIRLOCK_DBT=./b", NULL, ERR_DBT_NOT_EXECUTABLE);
	check("a", "AIRLOCK_DBT=", "a/dbt", ERR_NONE);
}

static void airlock_s_own_name_of_the_setting_wins(void **state)
{
	char *environment[] = { mem_strdup("DBT_AIRLOCK_DBT=b/dbt"),
				mem_strdup("AIRLOCK_DBT=a/dbt"), NULL };
	struct err err = ERR_INIT;
	char *found CLEANUP(mem_free_string) = NULL;

	(void)state;
	put("a/dbt", 0755);
	put("b/dbt", 0755);
	found = find_dbt(environment, NULL, &err);
	assert_string_equal(found, "a/dbt");
	free(environment[0]);
	free(environment[1]);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(the_first_dbt_on_path_is_taken),
		CASE(airlock_is_never_its_own_dbt),
		CASE(nor_is_another_copy_of_airlock),
		CASE(a_directory_named_dbt_is_passed_over),
		CASE(a_dbt_that_cannot_be_run_is_named_when_there_is_no_other),
		CASE(an_empty_element_of_path_is_the_cwd),
		CASE(without_path_the_default_of_execvp_is_searched),
		CASE(the_setting_is_the_only_candidate),
		CASE(airlock_s_own_name_of_the_setting_wins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
