#include <string.h>

#include "airlock/base/env.h"
#include "airlock/base/mem.h"

#include "cmdline_internal.h"

/* Options of dbt 1.12 and 2.x that take a value; flags need no row. */
static const char *const later_options[] = {
	"--compute",         "--invocation-id",  "--maximum-seed-size-mib",
	"--metadata-dir",    "--otel-file-name", "--packages-install-path",
	"--phase",           "--run-cache-mode", "--sql",
	"--static-analysis",
};

struct reading {
	struct cmdline_words words;
	const char *const *verbs;
	struct cmdline_given *given;
};

static bool is_option(const char *word)
{
	return word[0] == '-';
}

static bool is_verb(const struct reading *reading, const char *word)
{
	for (const char *const *verb = reading->verbs; *verb; verb++)
		if (strcmp(*verb, word) == 0)
			return true;
	return false;
}

static void keep(struct reading *reading, const char *name, const char *value)
{
	struct cmdline_given *given = reading->given;
	const struct {
		const char *name;
		const char **value;
	} kept[] = {
		{ "--log-format", &given->log_format },
		{ "--profile", &given->profile },
		{ "--profiles-dir", &given->profiles_dir },
		{ "--project-dir", &given->project_dir },
		{ "--selector", &given->selector },
		{ "--state", &given->state },
		{ "--target", given->verb ? &given->target : &given->target_before },
		{ "--target-path", &given->target_path },
	};

	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		if (strcmp(kept[i].name, name) == 0)
			*kept[i].value = value;
}

static const char *peek(const struct cmdline_words *words)
{
	return words->next < words->n ? words->v[words->next] : NULL;
}

static struct strv *list_of(struct cmdline_given *given, const struct cmdline_option *option)
{
	if (option->use != CMDLINE_AIRLOCK)
		return NULL;
	return strcmp(option->instead, "--select") == 0    ? &given->select
	       : strcmp(option->instead, "--exclude") == 0 ? &given->exclude
							   : NULL;
}

/* Words of a selection may stand in one argument. */
static void take_values(struct reading *reading, struct strv *into)
{
	struct cmdline_words *words = &reading->words;
	const char *word = cmdline_next_word(words); /* even one that begins with a dash */

	while (word) {
		if (into)
			strv_split(into, word, " ");
		word = peek(words) && !is_option(peek(words)) ? cmdline_next_word(words) : NULL;
	}
}

/* What may belong to an option that is not known: up to the next option, or the verb. */
static void skip_values(struct reading *reading)
{
	struct cmdline_words *words = &reading->words;

	if (words->attached)
		return;
	while (peek(words) && !is_option(peek(words))) {
		if (!reading->given->verb && is_verb(reading, peek(words)))
			return;
		strv_push(&reading->given->loose, peek(words));
		words->next++;
	}
}

/* What airlock decides itself for a driven dbt, and more than how it is told. */
static bool is_decisive(const char *name)
{
	static const char *const names[] = { "--indirect-selection", "--partial-parse-file-path" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

/* Whether a driven build can do what the option says. */
static void sort_out(struct reading *reading, const struct cmdline_option *option, bool negated,
		     const char *value)
{
	struct cmdline_given *given = reading->given;
	bool fits = true;

	switch (option->use) {
	case CMDLINE_EVERY_START:
	case CMDLINE_BUILD:
		strv_push(&given->behind, negated ? option->negated : option->name);
		if (value)
			strv_push(&given->behind, value);
		break;
	case CMDLINE_AIRLOCK:
		fits = strcmp(option->instead, "--build") != 0;
		break;
	case CMDLINE_UNREAL:
		fits = negated;
		break;
	case CMDLINE_OWN:
		fits = !is_decisive(option->name);
		break;
	case CMDLINE_ELSEWHERE:
		fits = false;
		break;
	}
	if (!fits && !given->no_build)
		given->no_build = option->name;
}

static void take_known(struct reading *reading, const struct cmdline_option *option, bool negated)
{
	const char *value = NULL;

	if (strcmp(option->name, "--help") == 0 || strcmp(option->name, "--version") == 0)
		reading->given->wants_help = true;
	if (option->value_count < 0) {
		take_values(reading, list_of(reading->given, option));
	} else if (option->value_count) {
		value = cmdline_next_word(&reading->words);
		if (value)
			keep(reading, option->name, value);
	}
	sort_out(reading, option, negated, value);
	reading->words.attached = NULL;
}

static bool is_later(const char *word, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(later_options); i++)
		if (strncmp(later_options[i], word, len) == 0 && !later_options[i][len])
			return true;
	return false;
}

static void take_unknown(struct reading *reading, const char *word)
{
	if (!reading->given->unknown)
		reading->given->unknown = word;
	if (!reading->given->no_build)
		reading->given->no_build = word;
	skip_values(reading);
}

static void take_later(struct reading *reading, const char *word)
{
	if (!reading->given->no_build)
		reading->given->no_build = word;
	cmdline_next_word(&reading->words);
}

static void take_long(struct reading *reading, const char *word)
{
	size_t len = strcspn(word, "=");
	bool negated = false;
	const struct cmdline_option *option = cmdline_find_long(word, len, &negated);

	reading->words.attached = word[len] ? word + len + 1 : NULL;
	if (option)
		take_known(reading, option, negated);
	else if (is_later(word, len))
		take_later(reading, word);
	else
		take_unknown(reading, word);
	reading->words.attached = NULL;
}

static void take_short(struct reading *reading, const char *word)
{
	for (size_t i = 1; word[i]; i++) {
		const struct cmdline_option *option = cmdline_find_short(word[i]);

		if (!option) {
			take_unknown(reading, word);
			return;
		}
		if (option->value_count && word[i + 1])
			reading->words.attached = word + i + 1;
		take_known(reading, option, false);
		if (option->value_count)
			return;
	}
}

static void take_word(struct reading *reading, const char *word)
{
	struct cmdline_given *given = reading->given;

	if (word[0] == '-' && word[1] == '-')
		take_long(reading, word);
	else if (is_option(word) && word[1])
		take_short(reading, word);
	else if (!given->verb)
		given->verb = word;
	else if (!given->operand)
		given->operand = word;
}

void cmdline_read(char *const *words, const char *const *verbs, struct cmdline_given *ret_given)
{
	struct reading reading = {
		.words = { .v = (const char *const *)words },
		.verbs = verbs,
		.given = ret_given,
	};
	const char *word;

	*ret_given = (struct cmdline_given) { .verb = NULL };
	while (words[reading.words.n])
		reading.words.n++;
	while ((word = cmdline_next_word(&reading.words))) {
		bool ends_options = strcmp(word, "--") == 0;

		if (ends_options && ret_given->verb)
			break;
		/* In front of the verb it ends only the options that stand there. */
		if (ends_options)
			ret_given->verb = cmdline_next_word(&reading.words);
		else
			take_word(&reading, word);
	}
	if (!ret_given->target) {
		ret_given->target = ret_given->target_before;
		ret_given->target_before = NULL;
	}
}

void cmdline_given_release(struct cmdline_given *given)
{
	strv_release(&given->behind);
	strv_release(&given->exclude);
	strv_release(&given->loose);
	strv_release(&given->select);
	*given = (struct cmdline_given) { .verb = NULL };
}

const char *cmdline_variable(const struct strv *env, const char *name)
{
	CLEANUP(mem_free_string) char *ours = mem_printf("DBT_ENGINE_%s", name);
	CLEANUP(mem_free_string) char *plain = mem_printf("DBT_%s", name);
	const char *value = env_get(env, ours);

	if (!value || !*value)
		value = env_get(env, plain);
	return value && *value ? value : NULL;
}
