#include "airlock/cli/help.h"

#include <string.h>

#include "airlock/base/err.h"
#include "airlock/cli/arguments.h"
#include "airlock/dbt/cmdline.h"
#include "airlock/deploy/option.h"
#include "airlock/deploy/strategy.h"
#include "columns.h"

extern const char help_audit[];
extern const char help_config[];
extern const char help_dbt[];
extern const char help_exit_codes[];
extern const char help_hooks[];
extern const char help_mirror[];
extern const char help_protect[];
extern const char help_routing[];
extern const char help_safety[];
extern const char help_scope[];
extern const char help_strategies[];

/* Two lines each: some take more than fits beside what they are called. */
void help_write_option(const struct option_row *row, struct buf *out)
{
	CLEANUP(mem_free_string) char *flag = option_flag(row);
	bool negatable = row->type == OPTION_BOOL;
	const char *fallback = row->fallback;

	buf_printf(out, "  %s%s%s%s", row->short_name ? row->short_name : "",
		   row->short_name ? ", " : "", negatable ? "--[no-]" : "--", flag + 2);
	if (row->argument)
		buf_printf(out, " %s", row->argument);
	buf_printf(out, "\n      %s", row->help);
	if (negatable)
		fallback = strcmp(fallback, "true") == 0 ? "yes" : "no";
	if (*fallback && row->type != OPTION_FLAG)
		buf_printf(out, " (default %s)", fallback);
	buf_add_char(out, '\n');
}

static void append_keys(struct buf *out)
{
	buf_add_str(out, "\nKeys and variables:\n");
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct option_row *row = option_row((enum option_id)i);
		CLEANUP(mem_free_string) char *variable = option_variable(row);

		if (!row->command_line_only)
			buf_printf(out, "  %s%s%s\n      %s\n", row->key,
				   row->project_only ? "" : ", ", row->project_only ? "" : variable,
				   row->help);
	}
}

/* --no-empty only says what is wanted anyway. */
static void write_dbt_option(const struct cmdline_option *option, struct buf *out)
{
	bool negatable = option->negated && option->use != CMDLINE_UNREAL;

	buf_printf(out, "  %s%s%s\n", option->name, negatable ? ", " : "",
		   negatable ? option->negated : "");
}

static void append_dbt_options(struct buf *out)
{
	size_t n;
	const struct cmdline_option *options = cmdline_options(&n);
	const struct {
		enum cmdline_use use;
		const char *title;
	} groups[] = {
		{ CMDLINE_EVERY_START, "For every start of dbt" },
		{ CMDLINE_BUILD, "For the build" },
		{ CMDLINE_UNREAL, "Refused, since the result would not be the real data" },
	};

	for (size_t group = 0; group < ARRAY_LEN(groups); group++) {
		buf_printf(out, "\n%s:\n", groups[group].title);
		for (size_t i = 0; i < n; i++)
			if (options[i].use == groups[group].use)
				write_dbt_option(&options[i], out);
	}
	buf_add_str(out, "\nRefused, since airlock has its own:\n");
	for (size_t i = 0; i < n; i++)
		if (options[i].use == CMDLINE_AIRLOCK)
			buf_printf(out, "  %s: use %s\n", options[i].name, options[i].instead);
}

static void append_errors(struct buf *out)
{
	CLEANUP(columns_release) struct columns columns = COLUMNS_INIT;

	buf_add_str(out, "\nErrors by name, as --json gives them, and their exit codes:\n");
	for (int code = ERR_NONE + 1; code < ERR_CODE_COUNT; code++) {
		const struct err_row *row = err_row((enum err_code)code);

		columns_add(&columns, "%s", row->name);
		columns_add(&columns, "%d", row->exit_status);
		columns_end_row(&columns);
	}
	columns_write(&columns, "  ", out);
}

static void append_strategies(struct buf *out)
{
	CLEANUP(columns_release) struct columns columns = COLUMNS_INIT;
	size_t n;
	const struct strategy *const *strategies = strategy_all(&n);

	buf_add_str(out, "\nIn this version:\n");
	for (size_t i = 0; i < n; i++) {
		columns_add(&columns, "%s", strategies[i]->name);
		columns_add(&columns, "%s", strategies[i]->summary);
		columns_end_row(&columns);
	}
	columns_write(&columns, "  ", out);
}

static const struct help_topic topics[] = {
	{ "audit", "which tests decide, and what stops a deployment", help_audit, NULL },
	{ "config", "dbt_project.yml, environment, and which of them counts", help_config,
	  append_keys },
	{ "dbt", "how dbt is found, and its options behind --", help_dbt, append_dbt_options },
	{ "exit-codes", "what the exit code says of production", help_exit_codes, append_errors },
	{ "hooks", "commands of your own around the publish", help_hooks, NULL },
	{ "mirror", "copies of the sources, so that a build does not depend on them", help_mirror,
	  NULL },
	{ "protect", "targets that only a deployment may write", help_protect, NULL },
	{ "routing", "where nodes are built and published; sides that are not apart", help_routing,
	  NULL },
	{ "safety", "locks, restore points, and what a crash leaves", help_safety, NULL },
	{ "scope", "what is published and what is built", help_scope, NULL },
	{ "strategies", "ways to deploy", help_strategies, append_strategies },
};

const struct help_topic *help_topics(size_t *ret_n)
{
	*ret_n = ARRAY_LEN(topics);
	return topics;
}

const struct help_topic *help_topic(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(topics); i++)
		if (strcmp(topics[i].name, name) == 0)
			return &topics[i];
	return NULL;
}

void help_write_overview(const char *program, struct buf *out)
{
	CLEANUP(columns_release) struct columns commands = COLUMNS_INIT;
	CLEANUP(columns_release) struct columns subjects = COLUMNS_INIT;
	size_t n;
	const struct command *command = command_all(&n);

	buf_printf(out,
		   "usage: %s COMMAND [OPTION...]\n"
		   "       %s DBT-COMMAND [OPTION...]   goes to dbt as it is\n\n"
		   "Builds in staging, tests there, and publishes to production what passed.\n\n"
		   "Commands:\n",
		   program, strcmp(program, "airlock") == 0 ? program : "dbt");
	for (size_t i = 0; i < n; i++) {
		columns_add(&commands, "%s", command[i].name);
		columns_add(&commands, "%s", command[i].summary);
		columns_end_row(&commands);
	}
	columns_write(&commands, "  ", out);
	buf_printf(out, "\n'%s help COMMAND' lists the options of one; '%s help TOPIC' explains:\n",
		   program, program);
	for (size_t i = 0; i < ARRAY_LEN(topics); i++) {
		columns_add(&subjects, "%s", topics[i].name);
		columns_add(&subjects, "%s", topics[i].summary);
		columns_end_row(&subjects);
	}
	columns_write(&subjects, "  ", out);
}

void help_write_command(const char *program, const struct command *command, struct buf *out)
{
	buf_printf(out, "usage: %s %s %s\n\n%s\n", program, command->name, command->usage,
		   command->summary);
	if (*command->details)
		buf_printf(out, "\n%s", command->details);
	if (command->options)
		buf_add_str(out, "\nOptions:\n");
	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (command_takes(command, (enum option_id)i))
			help_write_option(option_row((enum option_id)i), out);
	if (command->takes_dbt_options)
		buf_printf(out, "\nWhat follows -- goes to dbt: '%s help dbt'.\n", program);
}

void help_write_topic(const struct help_topic *topic, struct buf *out)
{
	buf_add_str(out, topic->text);
	if (topic->append)
		topic->append(out);
}
