#include "airlock/cli/arguments.h"

#include <stdlib.h>
#include <string.h>

#include "airlock/dbt/secret.h"

/* The words while they are read. */
struct words {
	const struct command *command;
	char *const *next;
	const struct option_row *before; /* the option that took the last word; NULL: none */
};

bool command_takes(const struct command *command, enum option_id id)
{
	return command->options >> id & 1;
}

static bool is_option(const char *word)
{
	return word[0] == '-' && word[1];
}

static bool is_alone(const struct option_row *row)
{
	return row->type == OPTION_FLAG || row->type == OPTION_BOOL;
}

static const struct cmdline_option *find_dbt_option(const char *name)
{
	size_t n;
	const struct cmdline_option *options = cmdline_options(&n);

	for (size_t i = 0; i < n; i++)
		if (strcmp(options[i].name, name) == 0 ||
		    (options[i].short_name && strcmp(options[i].short_name, name) == 0) ||
		    (options[i].negated && strcmp(options[i].negated, name) == 0))
			return &options[i];
	return NULL;
}

static int refuse_dbt_option(const struct command *command, const struct cmdline_option *option,
			     const char *name, struct err *err)
{
	err_set(err, ERR_USAGE, "'%s' is an option of dbt", name);
	switch (option->use) {
	case CMDLINE_EVERY_START:
	case CMDLINE_BUILD:
		if (!command->takes_dbt_options)
			return err_hint(err, "'%s' takes no options of dbt", command->name);
		return err_hint(err, "put it behind --: ... -- %s%s", name,
				option->value_count ? " VALUE" : "");
	case CMDLINE_AIRLOCK:
		return err_hint(err, "use '%s'", option->instead);
	case CMDLINE_UNREAL:
		return err_hint(err, "leave it out: dbt would %s", option->instead);
	case CMDLINE_OWN:
		return err_hint(err, "leave it out: airlock decides it");
	case CMDLINE_ELSEWHERE:
		break;
	}
	return err_hint(err, "leave it out: 'dbt build' does not have it");
}

static char *nearest_option(const struct command *command, const char *name)
{
	CLEANUP(strv_release) struct strv names = STRV_INIT;
	const char *nearest;

	/* Without the dashes: what all have in common would make all seem near. */
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct option_row *row = option_row((enum option_id)i);
		CLEANUP(mem_free_string) char *flag = option_flag(row);

		if (!command_takes(command, row->id))
			continue;
		strv_push(&names, flag + 2);
		if (row->type == OPTION_BOOL)
			strv_pushf(&names, "no-%s", flag + 2);
	}
	nearest = strv_nearest(name + strspn(name, "-"), (const char *const *)strv_argv(&names),
			       names.n);
	return nearest ? mem_printf("--%s", nearest) : NULL;
}

static int refuse_option(const struct command *command, const char *name, struct err *err)
{
	const struct cmdline_option *dbt_option = find_dbt_option(name);
	CLEANUP(mem_free_string) char *nearest = nearest_option(command, name);

	if (dbt_option)
		return refuse_dbt_option(command, dbt_option, name, err);
	err_set(err, ERR_USAGE, "'%s' has no option '%s'", command->name, name);
	if (nearest)
		return err_hint(err, "did you mean '%s'?", nearest);
	return err_hint(err, "'airlock help %s' lists its options", command->name);
}

/* The value in a word of its own. One that begins with a dash is the next option: nothing that
 * airlock takes begins so, and a forgotten value is then told as such. */
static const char *take_value(struct words *words)
{
	if (!*words->next || is_option(*words->next))
		return NULL;
	return *words->next++;
}

static int set_words(struct words *words, struct config *config, const struct option_row *row,
		     const char *attached, struct err *err)
{
	const char *word = attached ? attached : take_value(words);

	do {
		if (config_set_argument(config, row, false, word, err) < 0)
			return -1;
		word = take_value(words);
	} while (word);
	return 0;
}

static int set_option(struct words *words, struct config *config, const struct option_row *row,
		      bool negated, const char *attached, struct err *err)
{
	if (is_alone(row))
		return config_set_argument(config, row, negated, attached, err);
	if (row->type == OPTION_WORDS)
		return set_words(words, config, row, attached, err);
	words->before = row;
	return config_set_argument(config, row, false, attached ? attached : take_value(words),
				   err);
}

/* -sVALUE: what an option of one letter takes may stand in the same word. */
static const struct option_row *find_short(const char *word, const char **ret_attached)
{
	const char name[] = { word[0], word[1], '\0' };
	bool negated;
	const struct option_row *row = word[1] == '-' ? NULL : option_find(name, &negated);

	if (!row || is_alone(row))
		return NULL;
	*ret_attached = word + 2;
	return row;
}

static int take_option(struct words *words, struct config *config, const char *word,
		       struct err *err)
{
	size_t len = strcspn(word, "=");
	CLEANUP(mem_free_string) char *name = mem_strndup(word, len);
	const char *attached = word[len] ? word + len + 1 : NULL;
	bool negated = false;
	const struct option_row *row = option_find(name, &negated);

	if (!row)
		row = find_short(word, &attached);
	if (!row)
		return refuse_option(words->command, name, err);
	if (!command_takes(words->command, row->id)) {
		err_set(err, ERR_USAGE, "'%s' does not take '%s'", words->command->name, name);
		return err_hint(err, "leave it out");
	}
	return set_option(words, config, row, negated, attached, err);
}

static int take_operand(struct words *words, struct arguments *arguments, const char *word,
			struct err *err)
{
	const struct option_row *before = words->before;

	if (words->command->operand && !arguments->what && *word) {
		arguments->what = mem_strdup(word);
		return 0;
	}
	if (words->command->takes_more && *word) {
		strv_push(&arguments->more, word);
		return 0;
	}
	err_set(err, ERR_USAGE, "'%s' does not know what to do with '%s'", words->command->name,
		word);
	if (before && (before->type == OPTION_LIST || before->type == OPTION_MAP)) {
		CLEANUP(mem_free_string) char *flag = option_flag(before);

		return err_hint(err, "separate the values of '%s' by commas", flag);
	}
	return err_hint(err, "usage: airlock %s %s", words->command->name, words->command->usage);
}

static int take_word(struct words *words, struct arguments *arguments, struct err *err)
{
	const char *word = *words->next++;

	if (strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0) {
		arguments->wants_help = true;
		return 0;
	}
	if (!is_option(word))
		return take_operand(words, arguments, word, err);
	words->before = NULL;
	return take_option(words, &arguments->config, word, err);
}

static int take_dbt_words(const struct command *command, struct arguments *arguments,
			  char *const *words, struct err *err)
{
	const struct strv *dbt_words = &arguments->dbt_words;

	for (; *words; words++)
		strv_push(&arguments->dbt_words, *words);
	if (dbt_words->n && !command->takes_dbt_options) {
		err_set(err, ERR_USAGE, "'%s' takes no options of dbt", command->name);
		return err_hint(err, "leave out what is behind '--'");
	}
	return cmdline_sort((const char *const *)strv_argv(dbt_words), dbt_words->n,
			    &arguments->cmdline, err);
}

int arguments_parse(const struct command *command, char *const *words,
		    struct arguments *ret_arguments, struct err *err)
{
	struct words rest = { .command = command, .next = words };
	struct arguments arguments = { .what = NULL };
	int rc = 0;

	config_init(&arguments.config);
	while (!rc && *rest.next && strcmp(*rest.next, "--") != 0)
		rc = take_word(&rest, &arguments, err);
	if (!rc && *rest.next)
		rc = take_dbt_words(command, &arguments, rest.next + 1, err);
	if (rc < 0) {
		arguments_release(&arguments);
		return -1;
	}
	*ret_arguments = arguments;
	return 0;
}

void arguments_release(struct arguments *arguments)
{
	config_release(&arguments->config);
	cmdline_release(&arguments->cmdline);
	strv_release(&arguments->dbt_words);
	strv_release(&arguments->more);
	free(arguments->what);
	*arguments = (struct arguments) { .what = NULL };
}

bool arguments_want_json(char *const *words)
{
	for (; *words && strcmp(*words, "--") != 0; words++)
		if (strcmp(*words, "--json") == 0)
			return true;
	return false;
}

static void write_word(struct buf *out, const char *word)
{
	buf_add_char(out, ' ');
	buf_add_shell_word(out, word);
}

static void write_option(const struct option_row *row, const struct option_value *value,
			 struct buf *out)
{
	CLEANUP(mem_free_string) char *flag = option_flag(row);
	CLEANUP(mem_free_string) char *joined = strv_join(&value->list, ",");

	if (is_alone(row)) {
		bool on = value->text && strcmp(value->text, "true") == 0;

		buf_printf(out, " --%s%s", on ? "" : "no-", flag + 2);
		return;
	}
	for (size_t i = 0; row->type == OPTION_ENVIRONMENT && i < value->list.n; i++) {
		CLEANUP(mem_free_string) char *pair = secret_shown_pair(value->list.v[i]);

		write_word(out, flag);
		write_word(out, pair);
	}
	if (row->type == OPTION_ENVIRONMENT)
		return;
	write_word(out, flag);
	if (value->text)
		write_word(out, value->text);
	else if (row->type != OPTION_WORDS)
		write_word(out, joined);
	for (size_t i = 0; row->type == OPTION_WORDS && i < value->list.n; i++)
		write_word(out, value->list.v[i]);
}

/* --vars TEXT, --vars=TEXT */
static void write_dbt_word(const struct arguments *arguments, const char *word,
			   const struct strv *environment, struct buf *out)
{
	static const char flag[] = "--vars=";
	bool is_joined = strncmp(word, flag, strlen(flag)) == 0;
	const char *text = is_joined ? word + strlen(flag) : word;
	CLEANUP(mem_free_string) char *shown = NULL;
	CLEANUP(mem_free_string) char *joined = NULL;

	if (!arguments->cmdline.vars || strcmp(text, arguments->cmdline.vars) != 0 ||
	    !secret_show_vars(text, environment, &shown)) {
		write_word(out, word);
		return;
	}
	joined = mem_printf("%s%s", is_joined ? flag : "", shown);
	write_word(out, joined);
}

void arguments_write_dbt(const struct arguments *arguments, const struct strv *words,
			 const struct strv *environment, struct buf *out)
{
	for (size_t i = 0; i < words->n; i++)
		write_dbt_word(arguments, words->v[i], environment, out);
}

void arguments_write(const struct arguments *arguments, const char *program,
		     const struct command *command, const struct strv *environment, struct buf *out)
{
	buf_printf(out, "%s %s", program, command->name);
	if (command->operand && arguments->what)
		write_word(out, arguments->what);
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct option_row *row = option_row((enum option_id)i);
		const struct option_value *value = &arguments->config.values[i];

		if (value->source == OPTION_BY_COMMAND_LINE && row->id != OPTION_JSON &&
		    command_takes(command, row->id))
			write_option(row, value, out);
	}
	if (!command->takes_dbt_options || !arguments->dbt_words.n)
		return;
	buf_add_str(out, " --");
	arguments_write_dbt(arguments, &arguments->dbt_words, environment, out);
}

void arguments_write_where(const struct arguments *arguments, bool asks, struct buf *out)
{
	static const enum option_id where[] = { OPTION_FROM, OPTION_FROM_ENV, OPTION_PROJECT_DIR,
						OPTION_TO,   OPTION_TO_ENV,   OPTION_YES };
	const struct strv *words = &arguments->cmdline.every;
	bool is_first = true;

	for (size_t i = 0; i < ARRAY_LEN(where); i++)
		if ((asks || where[i] != OPTION_YES) &&
		    arguments->config.values[where[i]].source == OPTION_BY_COMMAND_LINE)
			write_option(option_row(where[i]), &arguments->config.values[where[i]],
				     out);
	/* The record has the others. */
	for (size_t i = 0; i + 1 < words->n; i++) {
		if (strcmp(words->v[i], "--profiles-dir") != 0)
			continue;
		buf_add_str(out, is_first ? " --" : "");
		is_first = false;
		write_word(out, words->v[i]);
		write_word(out, words->v[i + 1]);
	}
}
