#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "airlock/base/fs.h"
#include "airlock/dbt/project.h"

static char *directory;

static int enter_directory(void **state)
{
	const char *tmp = getenv("TMPDIR");
	struct err err = ERR_INIT;
	char *made = mem_printf("%s/airlock-test.XXXXXX", tmp ? tmp : "/tmp");

	(void)state;
	if (!mkdtemp(made))
		return -1;
	directory = fs_real(made);
	free(made);
	return chdir(directory) == 0 && fs_make_directories("empty/deeper", &err) == 0 ? 0 : -1;
}

static int leave_directory(void **state)
{
	(void)state;
	if (chdir(directory) < 0)
		return -1;
	unlink("dbt_project.yml");
	rmdir("empty/deeper");
	rmdir("empty");
	rmdir(directory);
	free(directory);
	return 0;
}

static void write_project(const char *text)
{
	struct err err = ERR_INIT;

	assert_int_equal(chdir(directory), 0);
	assert_int_equal(fs_write_atomic("dbt_project.yml", text, strlen(text), 0600, &err), 0);
}

static void assert_refused(const char *text, enum err_code code, const char *behind_file)
{
	struct project project;
	struct err err = ERR_INIT;
	CLEANUP(mem_free_string) char *expected = NULL;

	write_project(text);
	assert_int_equal(project_open(NULL, NULL, &project, &err), -1);
	assert_int_equal(err.code, code);
	expected = mem_printf("%s/dbt_project.yml%s", directory, behind_file);
	assert_string_equal(err.message, expected);
	err_release(&err);
}

static void the_nearest_file_above_is_found(void **state)
{
	struct project project;
	struct err err = ERR_INIT;

	(void)state;
	write_project("name: shop\nprofile: shop_profile\n");
	assert_int_equal(chdir("empty/deeper"), 0);
	assert_int_equal(project_open(NULL, "", &project, &err), 0);
	assert_string_equal(project.directory, directory);
	assert_string_equal(project.name, "shop");
	assert_string_equal(project.profile, "shop_profile");
	project_release(&project);
}

static void no_file_anywhere_is_an_error_with_the_place(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(chdir("/"), 0);
	assert_null(project_find(NULL, NULL, &err));
	assert_int_equal(err.code, ERR_PROJECT_NOT_FOUND);
	assert_string_equal(err.message, "there is no dbt_project.yml in '/' or above it");
	err_release(&err);
}

static void a_named_directory_is_the_only_one_looked_at(void **state)
{
	CLEANUP(mem_free_string)
	char *expected =
		mem_printf("there is no dbt_project.yml in '%s/empty' (--project-dir)", directory);
	CLEANUP(mem_free_string)
	char *missing = mem_printf("there is no directory '%s/nope' (DBT_PROJECT_DIR)", directory);
	CLEANUP(mem_free_string) char *found = NULL;
	struct err err = ERR_INIT;

	(void)state;
	write_project("name: shop\n");
	assert_null(project_find("empty", ".", &err));
	assert_string_equal(err.message, expected);
	err_release(&err);
	assert_null(project_find(NULL, "nope", &err));
	assert_string_equal(err.message, missing);
	err_release(&err);
	assert_int_equal(chdir("empty"), 0);
	found = project_find(NULL, directory, &err);
	assert_string_equal(found, directory);
}

static void names_that_only_jinja_can_tell_are_unknown(void **state)
{
	struct project project;
	struct err err = ERR_INIT;

	(void)state;
	write_project("name: \"{{ env_var('N') }}\"\nvars: {a: 1}\n");
	assert_int_equal(project_open(directory, NULL, &project, &err), 0);
	assert_null(project.name);
	assert_null(project.profile);
	assert_string_equal(yaml_string(project_var(&project, "a")), "1");
	project_release(&project);
}

static void vars_of_the_project_come_before_vars_of_all(void **state)
{
	struct project project;
	struct err err = ERR_INIT;

	(void)state;
	write_project("name: shop\nvars:\n  a: all\n  b: all\n  shop: {a: own, n: ~}\n"
		      "  other: {c: not ours}\n  n: all\n");
	assert_int_equal(project_open(directory, NULL, &project, &err), 0);
	assert_string_equal(yaml_string(project_var(&project, "a")), "own");
	assert_string_equal(yaml_string(project_var(&project, "b")), "all");
	assert_int_equal(project_var(&project, "n")->kind, YAML_KIND_NULL);
	assert_null(project_var(&project, "c"));
	project_release(&project);
}

static void a_project_without_vars_has_none(void **state)
{
	struct project project;
	struct err err = ERR_INIT;

	(void)state;
	write_project("name: shop\n");
	assert_int_equal(project_open(directory, NULL, &project, &err), 0);
	assert_null(project_var(&project, "a"));
	project_release(&project);
}

static void mistakes_are_reported_with_their_place(void **state)
{
	(void)state;
	assert_refused("", ERR_PROJECT_INVALID,
		       ":1:1: a dbt project is a mapping of keys such as 'name'");
	assert_refused("# here\nversion: 2\n", ERR_PROJECT_INVALID,
		       ":2:1: the project has no 'name'");
	assert_refused("name: [a]\n", ERR_PROJECT_INVALID, ":1:7: 'name' must be a name");
	assert_refused("name: a\nprofile: {b: c}\n", ERR_PROJECT_INVALID,
		       ":2:10: 'profile' must be a name");
	assert_refused("name: a\nname: b\n", ERR_PROJECT_INVALID,
		       ":2:1: key 'name' is given twice, first at line 1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_nearest_file_above_is_found),
		cmocka_unit_test(no_file_anywhere_is_an_error_with_the_place),
		cmocka_unit_test(a_named_directory_is_the_only_one_looked_at),
		cmocka_unit_test(names_that_only_jinja_can_tell_are_unknown),
		cmocka_unit_test(vars_of_the_project_come_before_vars_of_all),
		cmocka_unit_test(a_project_without_vars_has_none),
		cmocka_unit_test(mistakes_are_reported_with_their_place),
	};

	return cmocka_run_group_tests(tests, enter_directory, leave_directory);
}
