#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "airlock/cli/arguments.h"

/* Words are separated by '|' so that they may hold blanks. The first is the verb. */
static int parse(const char *line, struct arguments *arguments, struct err *err)
{
	CLEANUP(strv_release) struct strv words = STRV_INIT;
	const struct command *command;

	while (*line) {
		size_t len = strcspn(line, "|");

		strv_take(&words, mem_strndup(line, len));
		line += len + (line[len] == '|');
	}
	command = command_find(words.v[0]);
	assert_non_null(command);
	return arguments_parse(command, strv_argv(&words) + 1, arguments, err);
}

static void accepts(const char *line, struct arguments *arguments)
{
	CLEANUP(err_release) struct err err = ERR_INIT;

	if (parse(line, arguments, &err) < 0)
		fail_msg("%s: %s", line, err.message);
}

static void refuses(const char *line, enum err_code code, const char *message, const char *hint)
{
	CLEANUP(err_release) struct err err = ERR_INIT;
	struct arguments arguments;

	if (parse(line, &arguments, &err) == 0)
		fail_msg("accepted: %s", line);
	assert_string_equal(err.message, message);
	assert_string_equal(err.hint ? err.hint : "", hint);
	assert_int_equal(err.code, code);
}

static void list_is(const struct arguments *arguments, enum option_id id, const char *expected)
{
	CLEANUP(mem_free_string) char *joined = strv_join(config_list(&arguments->config, id), "|");

	assert_string_equal(joined, expected);
}

static void options_are_read_in_every_form(void **state)
{
	CLEANUP(arguments_release) struct arguments arguments = { 0 };

	(void)state;
	accepts("deploy|wac|--from|staging|--to=prod|--tags|mart,utils|--tags=x|--no-restore-point|"
		"-y|--publish-timeout|5|--routes|mart=analytics",
		&arguments);
	assert_string_equal(arguments.what, "wac");
	assert_string_equal(config_text(&arguments.config, OPTION_FROM), "staging");
	assert_string_equal(config_text(&arguments.config, OPTION_TO), "prod");
	list_is(&arguments, OPTION_TAGS, "mart|utils|x");
	assert_false(config_bool(&arguments.config, OPTION_RESTORE_POINT));
	assert_true(config_bool(&arguments.config, OPTION_YES));
	assert_int_equal(config_number(&arguments.config, OPTION_PUBLISH_TIMEOUT), 5);
	assert_string_equal(config_route(&arguments.config, "mart"), "analytics");
	assert_false(arguments.wants_help);
}

static void selections_go_on_to_the_next_option(void **state)
{
	CLEANUP(arguments_release) struct arguments arguments = { 0 };

	(void)state;
	accepts("deploy|wac|-s|a|+b|tag:c d|--exclude|e|f|--from|staging|--select=g|h|-si|--",
		&arguments);
	list_is(&arguments, OPTION_SELECT, "a|+b|tag:c|d|g|h|i");
	list_is(&arguments, OPTION_EXCLUDE, "e|f");
	assert_int_equal(arguments.dbt_words.n, 0);
}

static void what_follows_two_dashes_is_dbt_s(void **state)
{
	CLEANUP(arguments_release) struct arguments arguments = { 0 };

	(void)state;
	accepts("deploy|wac|-s|a|--|--vars|{x: 1}|--full-refresh|--profiles-dir|ci", &arguments);
	list_is(&arguments, OPTION_SELECT, "a");
	assert_string_equal(arguments.cmdline.vars, "{x: 1}");
	assert_string_equal(arguments.cmdline.profiles_dir, "ci");
	assert_true(strv_contains(&arguments.cmdline.build, "--full-refresh"));
	assert_int_equal(arguments.dbt_words.n, 5);
	refuses("deploy|wac|--|--target|prod", ERR_DBT_OPTION,
		"'--target' cannot stand behind '--': use airlock's own '--from', before it", "");
}

static void an_option_of_dbt_is_told_where_it_belongs(void **state)
{
	(void)state;
	refuses("deploy|wac|--vars|{}", ERR_USAGE, "'--vars' is an option of dbt",
		"put it behind --: ... -- --vars VALUE");
	refuses("deploy|wac|-x", ERR_USAGE, "'-x' is an option of dbt",
		"put it behind --: ... -- -x");
	refuses("plan|wac|--no-fail-fast", ERR_USAGE, "'--no-fail-fast' is an option of dbt",
		"put it behind --: ... -- --no-fail-fast");
	refuses("deploy|wac|--target=prod", ERR_USAGE, "'--target' is an option of dbt",
		"use '--from'");
	refuses("deploy|wac|--resource-type|x", ERR_USAGE, "'--resource-type' is an option of dbt",
		"use '--build'");
	refuses("deploy|wac|--empty", ERR_USAGE, "'--empty' is an option of dbt",
		"leave it out: dbt would build relations without rows");
	refuses("deploy|wac|--printer-width|80", ERR_USAGE, "'--printer-width' is an option of dbt",
		"leave it out: airlock decides it");
	refuses("deploy|wac|--inline|x", ERR_USAGE, "'--inline' is an option of dbt",
		"leave it out: 'dbt build' does not have it");
	refuses("help|--vars", ERR_USAGE, "'--vars' is an option of dbt",
		"'help' takes no options of dbt");
	refuses("help|--|--vars|{}", ERR_USAGE, "'help' takes no options of dbt",
		"leave out what is behind '--'");
}

static void unknown_options_are_refused_with_the_nearest(void **state)
{
	(void)state;
	refuses("deploy|wac|--tagz|mart", ERR_USAGE, "'deploy' has no option '--tagz'",
		"did you mean '--tags'?");
	refuses("deploy|wac|--no-restore-pint", ERR_USAGE,
		"'deploy' has no option '--no-restore-pint'", "did you mean '--no-restore-point'?");
	refuses("deploy|wac|--no-such-thing=1", ERR_USAGE,
		"'deploy' has no option '--no-such-thing'",
		"'airlock help deploy' lists its options");
	refuses("plan|wac|--yes", ERR_USAGE, "'plan' does not take '--yes'", "leave it out");
	refuses("routes|--publish-timeout|3", ERR_USAGE,
		"'routes' does not take '--publish-timeout'", "leave it out");
}

static void values_are_neither_missing_nor_too_many(void **state)
{
	(void)state;
	refuses("deploy|wac|--from", ERR_USAGE, "'--from' needs a value: TARGET", "");
	refuses("deploy|wac|--from|--to|prod", ERR_USAGE, "'--from' needs a value: TARGET", "");
	refuses("deploy|wac|--select|--to|prod", ERR_USAGE,
		"'--select' needs a value: SELECTION...", "");
	refuses("deploy|wac|--json=1", ERR_USAGE, "'--json' takes no value", "");
	refuses("deploy|wac|--from=", ERR_CONFIG_INVALID, "--from: 'from' has no value",
		"give it one, or leave 'from' out");
	refuses("deploy|wac|--tags|mart|utils", ERR_USAGE,
		"'deploy' does not know what to do with 'utils'",
		"separate the values of '--tags' by commas");
	refuses("deploy|wac|nightly", ERR_USAGE, "'deploy' does not know what to do with 'nightly'",
		"usage: airlock deploy [STRATEGY|DEPLOYMENT] [OPTION...] [-- DBT-OPTION...]");
	refuses("deploy||--yes", ERR_USAGE, "'deploy' does not know what to do with ''",
		"usage: airlock deploy [STRATEGY|DEPLOYMENT] [OPTION...] [-- DBT-OPTION...]");
}

static void help_is_asked_for_anywhere(void **state)
{
	CLEANUP(arguments_release) struct arguments one = { 0 }, two = { 0 };

	(void)state;
	accepts("deploy|--help", &one);
	assert_true(one.wants_help);
	accepts("deploy|wac|-s|a|-h", &two);
	assert_true(two.wants_help);
}

static void json_is_known_before_the_words_are_right(void **state)
{
	char *const with[] = { (char[]) { "--tagz" }, (char[]) { "--json" }, NULL };
	char *const behind[] = { (char[]) { "--" }, (char[]) { "--json" }, NULL };

	(void)state;
	assert_true(arguments_want_json(with));
	assert_false(arguments_want_json(behind));
}

/* What is written is read back as the same choices. */
static void a_command_line_can_be_pasted(void **state)
{
	static const struct {
		const char *line;
		const char *as;
		const char *written;
	} cases[] = {
		{ "deploy|wac|--yes|--json|--tags|mart,it's|-s|a b|c|--|--vars|{x: \"1\"}",
		  "deploy",
		  "airlock deploy wac --select a b c --tags 'mart,it'\\''s' --yes -- --vars "
		  "'{x: \"1\"}'" },
		{ "deploy|wac|--yes|--no-restore-point|--from|staging", "routes",
		  "airlock routes wac --from staging" },
		{ "deploy|nightly|--no-restore-point|--routes|a=b", "plan",
		  "airlock plan nightly --no-restore-point --routes a=b" },
		{ "deploy|--|-x", "help", "airlock help" },
		{ "deploy|--|--vars|{a_token: abc, b: [1, c]}", "deploy",
		  "airlock deploy -- --vars '{\"a_token\":\"***\",\"b\":[\"1\",\"c\"]}'" },
		{ "deploy|--|--vars={b: it is s3cret}", "deploy",
		  "airlock deploy -- '--vars={\"b\":\"***\"}'" },
	};

	CLEANUP(strv_release) struct strv environment = STRV_INIT;

	(void)state;
	strv_push(&environment, "DBT_ENV_SECRET_X=s3cret");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(arguments_release) struct arguments arguments = { 0 };
		CLEANUP(buf_release) struct buf text = BUF_INIT;

		accepts(cases[i].line, &arguments);
		arguments_write(&arguments, "airlock", command_find(cases[i].as), &environment,
				&text);
		assert_string_equal(buf_cstr(&text), cases[i].written);
	}
}

static void words_are_quoted_as_a_shell_reads_them(void **state)
{
	static const char *const cases[][2] = {
		{ "plain", "plain" }, { "", "''" },       { "a b", "'a b'" },   { "*", "'*'" },
		{ "~x", "'~x'" },     { "a$b", "'a$b'" }, { "'", "''\\'''" },   { "a=b", "a=b" },
		{ "a\nb", "'a\nb'" }, { "#x", "'#x'" },   { "tag:x", "tag:x" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(buf_release) struct buf quoted = BUF_INIT;

		buf_add_shell_word(&quoted, cases[i][0]);
		assert_string_equal(buf_cstr(&quoted), cases[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_are_read_in_every_form),
		cmocka_unit_test(selections_go_on_to_the_next_option),
		cmocka_unit_test(what_follows_two_dashes_is_dbt_s),
		cmocka_unit_test(an_option_of_dbt_is_told_where_it_belongs),
		cmocka_unit_test(unknown_options_are_refused_with_the_nearest),
		cmocka_unit_test(values_are_neither_missing_nor_too_many),
		cmocka_unit_test(help_is_asked_for_anywhere),
		cmocka_unit_test(json_is_known_before_the_words_are_right),
		cmocka_unit_test(a_command_line_can_be_pasted),
		cmocka_unit_test(words_are_quoted_as_a_shell_reads_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
