#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "airlock/base/env.h"
#include "airlock/base/fs.h"
#include "airlock/dbt/fresh.h"

/* A project with one model, parsed by a native dbt an hour ago. */
static char directory[] = "/tmp/airlock-fresh-XXXXXX";
static struct strv options;
static struct strv environment;

static void put(const char *path, const char *text)
{
	struct err err = ERR_INIT;
	CLEANUP(mem_free_string) char *parent = fs_parent(path);

	if (fs_make_directories(parent, &err) < 0 ||
	    fs_write_atomic(path, text, strlen(text), 0755, &err) < 0)
		fail_msg("%s", err.message);
}

static void set_age(const char *path, time_t seconds)
{
	struct timespec times[2] = { { .tv_sec = time(NULL) - seconds },
				     { .tv_sec = time(NULL) - seconds } };

	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static struct fresh *take(const char *target, const char *dbt)
{
	struct project project;
	struct err err = ERR_INIT;
	struct fresh_input input = { .project = &project,
				     .target = target,
				     .options = &options,
				     .environment = &environment,
				     .dbt = dbt };
	struct fresh *fresh;

	if (project_open(".", NULL, &project, &err) < 0)
		fail_msg("%s", err.message);
	fresh = fresh_take(&input);
	project_release(&project);
	return fresh;
}

/* "" when the kept manifest serves. */
static char *reason_for(const char *target, const char *dbt)
{
	struct fresh *fresh = take(target, dbt);
	char *id = NULL;
	char *reason = fresh_compare(fresh, "parse", &id);

	if (!reason)
		assert_string_equal(id, "the-id");
	fresh_free(fresh);
	free(id);
	return reason ? reason : mem_strdup("");
}

static void assert_reason(const char *expected)
{
	CLEANUP(mem_free_string) char *reason = reason_for("prod", "./dbt");

	if (*expected ? !strstr(reason, expected) : *reason != '\0')
		fail_msg("'%s', not '%s'", reason, expected);
}

static void keep(void)
{
	struct fresh *fresh = take("prod", "./dbt");
	struct err err = ERR_INIT;

	put("parse/manifest.json", "{}");
	assert_int_equal(fresh_keep(fresh, "parse", "the-id", &err), 0);
	fresh_free(fresh);
}

static int setup(void **state)
{
	static const char *const files[] = { "dbt_project.yml", "models/a.sql", "macros/m.sql" };

	(void)state;
	assert_non_null(mkdtemp(directory));
	assert_int_equal(chdir(directory), 0);
	put("dbt_project.yml", "name: x\nprofile: x\n");
	put("models/a.sql", "select {{ env_var('LABEL', 'x') }}");
	put("macros/m.sql", "{% macro m() %}{% endmacro %}");
	put("dbt", "\177ELF");
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		set_age(files[i], 3600);
	env_set(&environment, "HOME", directory);
	strv_push(&options, "--vars");
	strv_push(&options, "{}");
	keep();
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static int teardown(void **state)
{
	(void)state;
	assert_int_equal(chdir("/"), 0);
	nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	strcpy(directory + strlen(directory) - 6, "XXXXXX");
	strv_release(&options);
	strv_release(&environment);
	return 0;
}

static void nothing_changed(void **state)
{
	(void)state;
	assert_reason("");
	set_age("models/a.sql", 1000); /* another time, the same content */
	assert_reason("");
}

static void files_count_with_their_content(void **state)
{
	(void)state;
	put("models/a.sql", "SELECT {{ env_var('LABEL', 'x') }}");
	set_age("models/a.sql", 10);
	assert_reason("models/a.sql' changed");
	keep();
	put("models/b.sql", "select 1");
	assert_reason("models/b.sql' is new");
	keep();
	assert_int_equal(remove("models/b.sql"), 0);
	assert_reason("models/b.sql' is gone");
	put("packages.yml", "packages: []");
	assert_reason("packages.yml' came or went");
}

/* The same size and the same time, written within the tick of the clock: only the content tells. */
static void a_change_within_the_tick_of_the_clock_is_seen(void **state)
{
	struct stat st;

	(void)state;
	put("models/a.sql", "select 1");
	assert_int_equal(stat("models/a.sql", &st), 0);
	keep();
	put("models/a.sql", "select 2");
	assert_int_equal(utimensat(AT_FDCWD, "models/a.sql",
				   (struct timespec[]) { st.st_mtim, st.st_mtim }, 0),
			 0);
	assert_reason("models/a.sql' changed");
}

static void target_options_and_dbt_count(void **state)
{
	CLEANUP(mem_free_string) char *reason = reason_for("dev", "./dbt");

	(void)state;
	assert_string_equal(reason, "the target changed");
	strv_push(&options, "--profile");
	assert_reason("the options changed");
	strv_release(&options);
	strv_push(&options, "--vars");
	strv_push(&options, "{}");
	put("dbt", "\177ELF, a newer one");
	assert_reason("another dbt is used");
}

static void variables_that_files_name_count(void **state)
{
	(void)state;
	env_set(&environment, "UNNAMED", "1");
	assert_reason("");
	env_set(&environment, "LABEL", "1");
	assert_reason("the environment variable 'LABEL' changed");
	env_unset(&environment, "LABEL");
	env_set(&environment, "DBT_ANYTHING", "1");
	assert_reason("the environment variable 'DBT_ANYTHING' changed");
	env_unset(&environment, "DBT_ANYTHING");
	assert_reason("");
	put("macros/m.sql", "{{ env_var('PRE' ~ name) }}");
	set_age("macros/m.sql", 10);
	keep();
	env_set(&environment, "UNNAMED", "2");
	assert_reason("the environment variable 'UNNAMED' changed");
}

static void a_change_during_the_parse_is_not_kept(void **state)
{
	struct fresh *fresh = take("prod", "./dbt");
	struct err err = ERR_INIT;

	(void)state;
	fresh_forget("parse");
	put("models/a.sql", "select 3");
	put("parse/manifest.json", "{}");
	assert_int_equal(fresh_keep(fresh, "parse", "the-id", &err), 0);
	fresh_free(fresh);
	assert_reason("nothing is known of its parse");
}

static void another_manifest_is_not_the_one(void **state)
{
	(void)state;
	put("parse/manifest.json", "{ }");
	assert_reason("its manifest is another one");
	put("parse/airlock_inputs.json", "{\"invocation_id\": ");
	assert_reason("nothing is known of its parse");
}

static void in_doubt_it_is_not_fresh(void **state)
{
	(void)state;
	put("dbt", "#!/usr/bin/env python3\n");
	assert_reason("cannot be seen");
	put("dbt", "#!/nonexistent/bin/python3\n");
	assert_reason("cannot be seen");
	put("dbt", "\177ELF");
	put("dbt_project.yml", "name: x\nprofile: x\nmodel-paths: [\"{{ var('p') }}\"]\n");
	assert_reason("a path of the project is '{{");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing_changed, setup, teardown),
		cmocka_unit_test_setup_teardown(files_count_with_their_content, setup, teardown),
		cmocka_unit_test_setup_teardown(a_change_within_the_tick_of_the_clock_is_seen,
						setup, teardown),
		cmocka_unit_test_setup_teardown(target_options_and_dbt_count, setup, teardown),
		cmocka_unit_test_setup_teardown(variables_that_files_name_count, setup, teardown),
		cmocka_unit_test_setup_teardown(a_change_during_the_parse_is_not_kept, setup,
						teardown),
		cmocka_unit_test_setup_teardown(another_manifest_is_not_the_one, setup, teardown),
		cmocka_unit_test_setup_teardown(in_doubt_it_is_not_fresh, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
