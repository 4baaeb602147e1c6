#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "airlock/base/env.h"
#include "airlock/base/mem.h"
#include "airlock/dbt/cmdline.h"

/* Words are separated by '|' so that values may hold spaces. */
static void words_of(const char *text, struct strv *words)
{
	*words = (struct strv)STRV_INIT;
	while (*text) {
		size_t len = strcspn(text, "|");

		strv_take(words, mem_strndup(text, len));
		text += len + (text[len] == '|');
	}
}

static int sort(const char *text, struct cmdline *cmdline, struct err *err)
{
	struct strv words CLEANUP(strv_release);

	words_of(text, &words);
	return cmdline_sort((const char *const *)strv_argv(&words), words.n, cmdline, err);
}

static void accepts(const char *text, const char *every, const char *build)
{
	struct err err CLEANUP(err_release) = ERR_INIT;
	struct cmdline cmdline CLEANUP(cmdline_release) = { 0 };
	char *got CLEANUP(mem_free_string) = NULL;
	char *got_build CLEANUP(mem_free_string) = NULL;

	if (sort(text, &cmdline, &err) < 0)
		fail_msg("'%s': %s", text, err.message);
	got = strv_join(&cmdline.every, "|");
	got_build = strv_join(&cmdline.build, "|");
	assert_string_equal(got, every);
	assert_string_equal(got_build, build);
}

static void refuses(const char *text, const char *part)
{
	struct err err CLEANUP(err_release) = ERR_INIT;
	struct cmdline cmdline = { 0 };

	if (!sort(text, &cmdline, &err))
		fail_msg("'%s' was accepted", text);
	assert_int_equal(err.code, ERR_DBT_OPTION);
	if (!strstr(err.message, part))
		fail_msg("'%s': '%s' is not in: %s", text, part, err.message);
}

static void the_table_is_sorted_and_unique(void **state)
{
	size_t n;
	const struct cmdline_option *options = cmdline_options(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		const struct cmdline_option *option = &options[i];
		bool explained = option->use == CMDLINE_AIRLOCK || option->use == CMDLINE_UNREAL;

		assert_true(!strncmp(option->name, "--", 2));
		assert_true(!i || strcmp(options[i - 1].name, option->name) < 0);
		assert_true(option->value_count >= -1 && option->value_count <= 1);
		assert_true(!option->negated || option->value_count == 0);
		assert_int_equal(explained, option->instead != NULL);
		/* What a build may get is normalised by pairs of words. */
		if (option->use == CMDLINE_BUILD || option->use == CMDLINE_EVERY_START)
			assert_true(option->value_count >= 0);
		for (size_t j = 0; option->short_name && j < i; j++)
			assert_true(!options[j].short_name ||
				    strcmp(options[j].short_name, option->short_name));
	}
}

static void options_go_where_they_belong(void **state)
{
	(void)state;
	accepts("", "", "");
	accepts("--full-refresh|--threads|4", "", "--full-refresh|--threads|4");
	accepts("--vars|{a: 1}|--fail-fast|--profiles-dir|p", "--vars|{a: 1}|--profiles-dir|p",
		"--fail-fast");
	accepts("--defer|--state|old|--no-favor-state", "", "--defer|--state|old|--no-favor-state");
	accepts("--no-partial-parse|--no-version-check", "--no-partial-parse|--no-version-check",
		"");
}

static void values_are_split_off_as_dbt_does_it(void **state)
{
	(void)state;
	accepts("--threads=4|--vars={a: b=c}", "--vars|{a: b=c}", "--threads|4");
	accepts("--vars=", "--vars|", "");
	accepts("-xf", "", "--fail-fast|--full-refresh");
	accepts("-fr/tmp/t", "", "--full-refresh|--record-timing-info|/tmp/t");
	accepts("-r|t", "", "--record-timing-info|t");
	/* The next word is the value even when it looks like an option. */
	accepts("--state|--defer", "", "--state|--defer");
	accepts("--warn-error-options|{error: all}", "", "--warn-error-options|{error: all}");
}

static void an_option_given_twice_is_passed_once(void **state)
{
	struct err err = ERR_INIT;
	struct cmdline cmdline CLEANUP(cmdline_release) = { 0 };

	(void)state;
	accepts("--threads|4|--fail-fast|--threads|8", "", "--fail-fast|--threads|8");
	accepts("--fail-fast|--no-fail-fast", "", "--no-fail-fast");
	accepts("--vars|--threads|--vars|{}", "--vars|{}", "");
	assert_int_equal(sort("--vars|{a: 1}|--vars={b: 2}|--profile|p", &cmdline, &err), 0);
	assert_string_equal(cmdline.vars, "{b: 2}");
	assert_string_equal(cmdline.profile, "p");
	assert_null(cmdline.project_dir);
	assert_null(cmdline.profiles_dir);
}

static void directories_are_known_on_their_own(void **state)
{
	struct err err = ERR_INIT;
	struct cmdline cmdline CLEANUP(cmdline_release) = { 0 };

	(void)state;
	assert_int_equal(sort("--project-dir=x/y|--profiles-dir|z", &cmdline, &err), 0);
	assert_string_equal(cmdline.project_dir, "x/y");
	assert_string_equal(cmdline.profiles_dir, "z");
}

static void refusals_name_the_option_and_the_cure(void **state)
{
	(void)state;
	refuses("--target|prod", "'--target' cannot stand behind '--': use airlock's own '--from'");
	refuses("-tprod", "'-t'");
	refuses("--select|a|b", "'--select'");
	refuses("-s|a", "airlock's own '--select'");
	refuses("--models=a", "airlock's own '--select'");
	refuses("--exclude|a", "airlock's own '--exclude'");
	refuses("--selector|a", "airlock's own '--selector'");
	refuses("--resource-type|model", "airlock's own '--build'");
	refuses("--empty", "without rows");
	refuses("--sample=3 days", "sample of the rows");
	refuses("--no-write-json", "'--no-write-json'");
	refuses("--target-path|t", "airlock decides it");
	refuses("--log-format|text", "airlock decides it");
	refuses("-q", "airlock decides it");
	refuses("--indirect-selection|empty", "airlock decides it");
	refuses("--args|{}", "'--args' is no option of 'dbt build'");
	refuses("--inline|select 1", "no option of 'dbt build'");
	refuses("--version", "no option of 'dbt build'");
}

static void unknown_words_are_refused(void **state)
{
	(void)state;
	/* click takes no abbreviations. */
	refuses("--full-refres", "the nearest is '--full-refresh'");
	refuses("--nonsense", "no option '--nonsense'");
	refuses("--thread=4", "the nearest is '--threads'");
	refuses("-z", "no option '-z'");
	refuses("-fz", "no option '-z'");
	refuses("my_model", "'my_model' behind '--' is no option");
	refuses("-", "'-'");
	refuses("--", "'--'");
	refuses("--threads", "'--threads' needs a value");
	refuses("-r", "'-r' needs a value");
	refuses("--full-refresh=true", "'--full-refresh' takes no value");
	refuses("--fail-fast=", "'--fail-fast' takes no value");
}

static void what_says_only_what_is_wanted_is_accepted(void **state)
{
	(void)state;
	accepts("--no-empty", "", "--no-empty");
}

static void environment_allows(const char *entry, bool allowed)
{
	struct err err CLEANUP(err_release) = ERR_INIT;
	struct strv env CLEANUP(strv_release) = STRV_INIT;
	char *name CLEANUP(mem_free_string) = mem_strndup(entry, strcspn(entry, "="));
	char *quoted CLEANUP(mem_free_string) = mem_printf("'%s'", name);

	strv_push(&env, "PATH=/bin");
	strv_push(&env, entry);
	if ((cmdline_check_environment(&env, &err) == 0) != allowed)
		fail_msg("%s", entry);
	if (allowed)
		return;
	assert_int_equal(err.code, ERR_DBT_ENVIRONMENT);
	assert_non_null(strstr(err.message, quoted));
}

static void an_environment_without_the_real_data_is_refused(void **state)
{
	static const char *const refused[] = {
		"DBT_EMPTY=true",
		"DBT_ENGINE_EMPTY=1",
		"DBT_EMPTY=maybe",
		"DBT_SAMPLE=3 days",
		"DBT_ENGINE_SAMPLE=3 days",
		"DBT_DEFER=1",
		"DBT_ENGINE_DEFER=on",
		"DBT_DEFER_TO_STATE=1",
		"DBT_FAVOR_STATE=t",
		"DBT_INDIRECT_SELECTION=empty",
		"DBT_ENGINE_INDIRECT_SELECTION=cautious",
		"DBT_RESOURCE_TYPES=model",
		"DBT_EXCLUDE_RESOURCE_TYPES=test",
		"DBT_FULL_REFRESH=yes",
		"DBT_EVENT_TIME_START=2026-01-01",
		"DBT_ENGINE_RECORDER_MODE=replay",
	};
	static const char *const allowed[] = {
		"DBT_EMPTY=",    "DBT_EMPTY=False", "DBT_EMPTY= off ",
		"DBT_DEFER=0",   "DBT_SAMPLE=",     "DBT_INDIRECT_SELECTION=Eager",
		"DBT_STATE=old", "DBT_THREADS=4",   "EMPTY=1",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		environment_allows(refused[i], false);
	for (size_t i = 0; i < ARRAY_LEN(allowed); i++)
		environment_allows(allowed[i], true);
}

static void an_option_that_replaces_the_variable_is_in_the_hint(void **state)
{
	struct err err CLEANUP(err_release) = ERR_INIT;
	struct strv env CLEANUP(strv_release) = STRV_INIT;

	(void)state;
	strv_push(&env, "DBT_FULL_REFRESH=1");
	assert_int_equal(cmdline_check_environment(&env, &err), -1);
	assert_non_null(strstr(err.hint, "'--full-refresh' behind '--'"));
}

static void the_environment_of_a_driven_dbt_keeps_what_is_the_user_s(void **state)
{
	static const char *const gone[] = {
		"DBT_PRINT",       "DBT_NO_PRINT",       "DBT_ENGINE_PRINT",       "DBT_LOG_LEVEL",
		"DBT_LOG_FORMAT",  "DBT_QUIET",          "DBT_ENGINE_LOG_LEVEL",   "DBT_TARGET",
		"DBT_TARGET_PATH", "DBT_ENGINE_TARGET",  "DBT_WRITE_JSON",         "DBT_DEBUG",
		"DBT_USE_COLORS",  "DBT_LOG_LEVEL_FILE", "DBT_INDIRECT_SELECTION",
	};
	static const char *const kept[] = {
		"PATH",         "DBT_PROFILES_DIR", "DBT_PROJECT_DIR",     "DBT_PROFILE",
		"DBT_PASSWORD", "DBT_ENV_SECRET_X", "DBT_TARGET_DATABASE", "DBT_STATE",
	};
	struct strv env CLEANUP(strv_release) = STRV_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(gone); i++)
		env_set(&env, gone[i], "1");
	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		env_set(&env, kept[i], "1");
	cmdline_clean_environment(&env);
	for (size_t i = 0; i < ARRAY_LEN(gone); i++)
		assert_null(env_get(&env, gone[i]));
	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		assert_non_null(env_get(&env, kept[i]));
}

static void each_command_gets_the_options_that_it_takes(void **state)
{
	static const struct {
		const char *verb;
		const char *words;
	} cases[] = {
		{ "build",
		  "--full-refresh --store-failures --event-time-start --show --fail-fast" },
		{ "run", "--full-refresh --event-time-start --show --fail-fast" },
		{ "seed", "--full-refresh --fail-fast" },
		{ "snapshot", "--fail-fast" },
		{ "test", "--store-failures --fail-fast" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(strv_release) struct strv given = STRV_INIT;
		CLEANUP(strv_release) struct strv words = STRV_INIT;

		/* The value of --event-time-start is an option's name too. */
		strv_split(&given,
			   "--full-refresh --store-failures --event-time-start --show --fail-fast",
			   " ");
		cmdline_push_for_verb(&given, cases[i].verb, &words);
		CLEANUP(mem_free_string) char *joined = strv_join(&words, " ");

		assert_string_equal(joined, cases[i].words);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_is_sorted_and_unique),
		cmocka_unit_test(options_go_where_they_belong),
		cmocka_unit_test(values_are_split_off_as_dbt_does_it),
		cmocka_unit_test(an_option_given_twice_is_passed_once),
		cmocka_unit_test(directories_are_known_on_their_own),
		cmocka_unit_test(refusals_name_the_option_and_the_cure),
		cmocka_unit_test(unknown_words_are_refused),
		cmocka_unit_test(what_says_only_what_is_wanted_is_accepted),
		cmocka_unit_test(an_environment_without_the_real_data_is_refused),
		cmocka_unit_test(an_option_that_replaces_the_variable_is_in_the_hint),
		cmocka_unit_test(the_environment_of_a_driven_dbt_keeps_what_is_the_user_s),
		cmocka_unit_test(each_command_gets_the_options_that_it_takes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
