#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "airlock/base/env.h"
#include "airlock/cli/passthrough.h"

/* `line` is argv, separated by blanks; `words` is what is handed on. */
static void decides(const char *line, bool to_dbt, const char *words, const char *program)
{
	CLEANUP(strv_release) struct strv argv = STRV_INIT;
	CLEANUP(strv_release) struct strv rest = STRV_INIT;
	CLEANUP(mem_free_string) char *joined = NULL;
	struct passthrough passthrough;

	strv_split(&argv, line, " ");
	passthrough_decide(strv_argv(&argv), &passthrough);
	for (char *const *word = passthrough.words; *word; word++)
		strv_push(&rest, *word);
	joined = strv_join(&rest, " ");
	if (passthrough.to_dbt != to_dbt)
		fail_msg("'%s' goes %s", line, to_dbt ? "to airlock" : "to dbt");
	assert_string_equal(joined, words);
	assert_string_equal(passthrough.program, program);
}

static void as_airlock_our_verbs_are_ours(void **state)
{
	(void)state;
	decides("airlock deploy wac --yes", false, "deploy wac --yes", "airlock");
	decides("/opt/bin/airlock plan", false, "plan", "airlock");
	decides("airlock routes", false, "routes", "airlock");
	decides("airlock config", false, "config", "airlock");
	decides("airlock help", false, "help", "airlock");
	decides("airlock", false, "", "airlock");
	decides("airlock -h", false, "-h", "airlock");
	decides("airlock --help", false, "--help", "airlock");
	decides("airlock --version", false, "--version", "airlock");
	decides("./renamed deploy", false, "deploy", "airlock");
}

static void as_airlock_everything_else_is_dbt_s(void **state)
{
	(void)state;
	decides("airlock run --select a", true, "run --select a", "airlock");
	decides("airlock --no-use-colors build", true, "--no-use-colors build", "airlock");
	decides("airlock -v", true, "-v", "airlock");
	decides("airlock deplo", true, "deplo", "airlock");
	decides("airlock Deploy", true, "Deploy", "airlock");
	decides("airlock build deploy", true, "build deploy", "airlock");
	decides("airlock airlock", true, "airlock", "airlock");
}

static void the_word_dbt_always_means_dbt(void **state)
{
	(void)state;
	decides("airlock dbt deploy plan", true, "deploy plan", "airlock");
	decides("airlock dbt", true, "", "airlock");
	decides("airlock dbt dbt", true, "dbt", "airlock");
	decides("dbt airlock dbt deploy", true, "deploy", "dbt airlock");
}

static void as_dbt_everything_is_dbt_s_but_the_word_airlock(void **state)
{
	(void)state;
	decides("dbt deploy", true, "deploy", "dbt airlock");
	decides("dbt help", true, "help", "dbt airlock");
	decides("/usr/bin/dbt --version", true, "--version", "dbt airlock");
	decides("dbt", true, "", "dbt airlock");
	decides("dbt dbt", true, "dbt", "dbt airlock");
	decides("dbt run airlock", true, "run airlock", "dbt airlock");
	decides("dbt airlock deploy wac", false, "deploy wac", "dbt airlock");
	decides("dbt airlock run", false, "run", "dbt airlock");
	decides("dbt airlock", false, "", "dbt airlock");
}

static void an_empty_argv_is_survived(void **state)
{
	(void)state;
	decides("", false, "", "airlock");
}

static void deepens(const char *before, const char *after)
{
	CLEANUP(strv_release) struct strv environment = STRV_INIT;
	CLEANUP(err_release) struct err err = ERR_INIT;

	if (before)
		env_set(&environment, PASSTHROUGH_DEPTH, before);
	assert_int_equal(passthrough_deepen(&environment, &err), after ? 0 : -1);
	if (after)
		assert_string_equal(env_get(&environment, PASSTHROUGH_DEPTH), after);
	else
		assert_int_equal(err_exit_status(&err), 125);
}

static void a_loop_ends(void **state)
{
	(void)state;
	deepens(NULL, "1");
	deepens("1", "2");
	deepens("8", "9");
	deepens("9", NULL);
	deepens("99999999999999999999999", NULL);
	deepens("", "1");
	deepens("-5", "1");
	deepens("3x", "1");
}

static void without_dbt_the_status_is_a_shell_s(void **state)
{
	static const struct {
		const char *variable;
		int status;
	} cases[] = {
		{ "AIRLOCK_DBT=/nonexistent/dbt", 127 },
		{ "PATH=/nonexistent", 127 },
		{ "AIRLOCK_DBT=/etc/passwd", 126 },
		{ "AIRLOCK_DBT=/", 126 },
	};
	char *const words[] = { (char[]) { "run" }, NULL };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(strv_release) struct strv environment = STRV_INIT;
		CLEANUP(err_release) struct err err = ERR_INIT;

		strv_push(&environment, cases[i].variable);
		assert_int_equal(passthrough_exec(words, &environment, "/proc/self/exe", &err), -1);
		assert_int_equal(err_exit_status(&err), cases[i].status);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_airlock_our_verbs_are_ours),
		cmocka_unit_test(as_airlock_everything_else_is_dbt_s),
		cmocka_unit_test(the_word_dbt_always_means_dbt),
		cmocka_unit_test(as_dbt_everything_is_dbt_s_but_the_word_airlock),
		cmocka_unit_test(an_empty_argv_is_survived),
		cmocka_unit_test(a_loop_ends),
		cmocka_unit_test(without_dbt_the_status_is_a_shell_s),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
