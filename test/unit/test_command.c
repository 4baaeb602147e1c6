#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "airlock/cli/arguments.h"
#include "airlock/cli/command.h"
#include "airlock/cli/help.h"
#include "airlock/cli/manual.h"
#include "airlock/cli/report.h"
#include "airlock/deploy/strategy.h"
#include "airlock/format/json.h"

static void commands_are_sorted_unique_and_documented(void **state)
{
	size_t n;
	const struct command *commands = command_all(&n);

	(void)state;
	assert_true(n > 0);
	for (size_t i = 0; i < n; i++) {
		const struct command *command = &commands[i];

		assert_in_range(strlen(command->summary), 10, 72);
		assert_non_null(command->usage);
		assert_non_null(command->details);
		assert_non_null(command->run);
		assert_non_null(command->failure);
		assert_true(!command->operand || strstr(command->usage, command->operand));
		assert_true(!*command->details ||
			    command->details[strlen(command->details) - 1] == '\n');
		assert_true(!command->publishes || command->starts_dbt);
		assert_ptr_equal(command_find(command->name), command);
		if (i)
			assert_true(strcmp(commands[i - 1].name, command->name) < 0);
	}
	assert_null(command_find("run"));
	assert_null(command_find(""));
}

static void every_option_is_taken_and_explained_by_a_command(void **state)
{
	size_t n;
	const struct command *commands = command_all(&n);

	(void)state;
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct option_row *row = option_row((enum option_id)i);
		CLEANUP(mem_free_string) char *flag = option_flag(row);
		size_t takers = 0;

		for (size_t c = 0; c < n; c++) {
			CLEANUP(buf_release) struct buf text = BUF_INIT;

			if (!command_takes(&commands[c], row->id))
				continue;
			takers++;
			help_write_command("airlock", &commands[c], &text);
			assert_non_null(strstr(buf_cstr(&text), flag + 2));
			assert_non_null(strstr(buf_cstr(&text), row->help));
		}
		assert_int_equal(takers > 0, !row->project_only);
	}
}

static void topics_are_sorted_and_have_a_text(void **state)
{
	size_t n;
	const struct help_topic *topics = help_topics(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		assert_in_range(strlen(topics[i].summary), 10, 72);
		assert_true(strlen(topics[i].text) > 200);
		assert_int_equal(topics[i].text[strlen(topics[i].text) - 1], '\n');
		if (i)
			assert_true(strcmp(topics[i - 1].name, topics[i].name) < 0);
	}
	assert_null(help_topic("no-such-topic"));
}

static void fits(const struct buf *text)
{
	for (const char *line = buf_cstr(text); *line; line += strcspn(line, "\n") + 1)
		if (strcspn(line, "\n") > 100)
			fail_msg("%.*s", (int)strcspn(line, "\n"), line);
}

static void help_fits_100_columns(void **state)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	size_t n;
	const struct command *commands = command_all(&n);
	const struct help_topic *topics;

	(void)state;
	help_write_overview("dbt airlock", &text);
	for (size_t i = 0; i < n; i++)
		help_write_command("dbt airlock", &commands[i], &text);
	topics = help_topics(&n);
	for (size_t i = 0; i < n; i++)
		help_write_topic(&topics[i], &text);
	fits(&text);
}

/* "airlock WORD" in a text must be something that airlock knows. */
static void check_mentions(const char *text)
{
	static const char name[] = "'airlock ";

	while ((text = strstr(text, name))) {
		char word[32] = "";
		bool of_help = strncmp(text + strlen(name), "help ", 5) == 0;
		const char *start = text + strlen(name) + (of_help ? 5 : 0);
		size_t len = strcspn(start, " '");

		assert_true(len < sizeof(word));
		memcpy(word, start, len);
		if (!command_find(word) && (!of_help || !help_topic(word)) &&
		    strcmp(word, "dbt") != 0)
			fail_msg("there is no '%s' to point to", word);
		text = start;
	}
}

static void the_manual_has_every_command_option_and_topic(void **state)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	size_t n, commands_n;
	const struct command *commands = command_all(&commands_n);
	const struct help_topic *topics = help_topics(&n);

	(void)state;
	manual_write(&text);
	/* As roff has them: a hyphen is an escape. */
	assert_non_null(strstr(buf_cstr(&text), "\n.SS exit\\-codes\n"));
	assert_non_null(strstr(buf_cstr(&text), "\n.B \\-\\-max\\-shrink PERCENT\n"));
	for (size_t i = 0; i < n + commands_n; i++) {
		const char *name = i < n ? topics[i].name : commands[i - n].name;
		CLEANUP(mem_free_string) char *line = mem_printf("\n.SS %s\n", name);

		if (!strchr(name, '-'))
			assert_non_null(strstr(buf_cstr(&text), line));
	}
	/* A dot that begins a line, or a backslash of a text, would be an order to roff. */
	for (const char *line = buf_cstr(&text); *line; line += strcspn(line, "\n") + 1)
		if (line[0] == '.')
			assert_true(strchr("TSBPInfb", line[1]) && line[1] != '\0');
}

static void errors_point_to_what_exists(void **state)
{
	(void)state;
	for (int code = ERR_NONE + 1; code < ERR_CODE_COUNT; code++) {
		const struct err_row *row = err_row((enum err_code)code);

		if (*row->topic && !help_topic(row->topic))
			fail_msg("%s: there is no topic '%s'", row->name, row->topic);
		check_mentions(row->hint);
	}
}

static void topics_point_to_what_exists(void **state)
{
	size_t n;
	const struct help_topic *topics = help_topics(&n);

	(void)state;
	for (size_t i = 0; i < n; i++)
		check_mentions(topics[i].text);
}

static void the_overview_names_every_command_and_topic(void **state)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	size_t n;
	const struct command *commands = command_all(&n);
	const struct help_topic *topics;

	(void)state;
	help_write_overview("airlock", &text);
	for (size_t i = 0; i < n; i++)
		assert_non_null(strstr(buf_cstr(&text), commands[i].summary));
	topics = help_topics(&n);
	for (size_t i = 0; i < n; i++)
		assert_non_null(strstr(buf_cstr(&text), topics[i].summary));
}

static void the_tables_are_in_the_topics(void **state)
{
	CLEANUP(buf_release) struct buf errors = BUF_INIT, keys = BUF_INIT, ways = BUF_INIT;
	size_t n;
	const struct strategy *const *strategies = strategy_all(&n);

	(void)state;
	help_write_topic(help_topic("exit-codes"), &errors);
	for (int code = ERR_NONE + 1; code < ERR_CODE_COUNT; code++)
		assert_non_null(strstr(buf_cstr(&errors), err_row((enum err_code)code)->name));
	help_write_topic(help_topic("config"), &keys);
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct option_row *row = option_row((enum option_id)i);
		CLEANUP(mem_free_string) char *variable = option_variable(row);

		if (!row->command_line_only && !row->project_only)
			assert_non_null(strstr(buf_cstr(&keys), variable));
	}
	help_write_topic(help_topic("strategies"), &ways);
	for (size_t i = 0; i < n; i++)
		assert_non_null(strstr(buf_cstr(&ways), strategies[i]->summary));
}

/* Everything that is deployed has a strategy of that name, and the other way round. */
static void option_and_strategy_know_the_same_names(void **state)
{
	size_t n;
	const char *const *names = config_strategies();

	(void)state;
	strategy_all(&n);
	for (size_t i = 0; names[i]; i++)
		assert_non_null(strategy_find(names[i]));
	for (size_t i = 0; names[i]; i++)
		n--;
	assert_int_equal(n, 0);
}

static void what_replaces_an_option_of_dbt_exists(void **state)
{
	size_t n;
	const struct cmdline_option *options = cmdline_options(&n);
	bool negated;

	(void)state;
	for (size_t i = 0; i < n; i++)
		if (options[i].use == CMDLINE_AIRLOCK)
			assert_non_null(option_find(options[i].instead, &negated));
}

static void a_failure_of_any_command_is_a_document(void **state)
{
	static const char *const of_deploy[] = {
		"id",       "strategy", "outcome", "production_changed",
		"exit",     "nodes",    "tests",   "published",
		"failures", "next",     "error"
	};
	size_t n;
	const struct command *commands = command_all(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		CLEANUP(err_release) struct err err = ERR_INIT;
		CLEANUP(js_free) json_t *document = NULL;
		const struct invocation invocation = { .program = "airlock",
						       .command = &commands[i] };

		err_set(&err, ERR_LOCKED, "held by \xff");
		document = commands[i].failure(&invocation, &err);
		assert_non_null(document);
		assert_int_equal(js_get_integer(document, "version", 0), 1);
		assert_string_equal(js_get_string(js_get_object(document, "error"), "code"),
				    "locked");
		for (size_t k = 0; commands[i].publishes && k < ARRAY_LEN(of_deploy); k++)
			assert_non_null(json_object_get(document, of_deploy[k]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_are_sorted_unique_and_documented),
		cmocka_unit_test(every_option_is_taken_and_explained_by_a_command),
		cmocka_unit_test(topics_are_sorted_and_have_a_text),
		cmocka_unit_test(help_fits_100_columns),
		cmocka_unit_test(the_manual_has_every_command_option_and_topic),
		cmocka_unit_test(errors_point_to_what_exists),
		cmocka_unit_test(topics_point_to_what_exists),
		cmocka_unit_test(the_overview_names_every_command_and_topic),
		cmocka_unit_test(the_tables_are_in_the_topics),
		cmocka_unit_test(option_and_strategy_know_the_same_names),
		cmocka_unit_test(what_replaces_an_option_of_dbt_exists),
		cmocka_unit_test(a_failure_of_any_command_is_a_document),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
