#include "airlock/dbt/cmdline.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "airlock/base/env.h"
#include "airlock/base/mem.h"

#include "cmdline_internal.h"

/*
 * dbt/cli/params.py and main.py of 1.11, hidden options included. Aliases have rows of their
 * own. -s of `dbt init` is left out: behind -- it always means --select.
 */
static const struct cmdline_option options[] = {
	{ "--add-package", NULL, NULL, 1, CMDLINE_ELSEWHERE, NULL },
	{ "--args", NULL, NULL, 1, CMDLINE_ELSEWHERE, NULL },
	{ "--browser", NULL, "--no-browser", 0, CMDLINE_ELSEWHERE, NULL },
	{ "--cache-selected-only", NULL, "--no-cache-selected-only", 0, CMDLINE_BUILD, NULL },
	{ "--clean-project-files-only", NULL, "--no-clean-project-files-only", 0, CMDLINE_ELSEWHERE,
	  NULL },
	{ "--compile", NULL, "--no-compile", 0, CMDLINE_ELSEWHERE, NULL },
	{ "--config-dir", NULL, NULL, 0, CMDLINE_ELSEWHERE, NULL },
	{ "--connection", NULL, NULL, 0, CMDLINE_ELSEWHERE, NULL },
	{ "--debug", "-d", "--no-debug", 0, CMDLINE_OWN, NULL },
	{ "--defer", NULL, "--no-defer", 0, CMDLINE_BUILD, NULL },
	{ "--defer-state", NULL, NULL, 1, CMDLINE_BUILD, NULL },
	{ "--deprecated-defer", NULL, NULL, 1, CMDLINE_ELSEWHERE, NULL },
	{ "--deprecated-favor-state", NULL, NULL, 1, CMDLINE_ELSEWHERE, NULL },
	{ "--deprecated-print", NULL, "--deprecated-no-print", 0, CMDLINE_OWN, NULL },
	{ "--deprecated-state", NULL, NULL, 1, CMDLINE_ELSEWHERE, NULL },
	{ "--empty", NULL, "--no-empty", 0, CMDLINE_UNREAL, "build relations without rows" },
	{ "--empty-catalog", NULL, NULL, 0, CMDLINE_ELSEWHERE, NULL },
	{ "--event-time-end", NULL, NULL, 1, CMDLINE_BUILD, NULL },
	{ "--event-time-start", NULL, NULL, 1, CMDLINE_BUILD, NULL },
	{ "--exclude", NULL, NULL, -1, CMDLINE_AIRLOCK, "--exclude" },
	{ "--exclude-resource-type", NULL, NULL, -1, CMDLINE_AIRLOCK, "--build" },
	{ "--exclude-resource-types", NULL, NULL, -1, CMDLINE_AIRLOCK, "--build" },
	{ "--export-saved-queries", NULL, "--no-export-saved-queries", 0, CMDLINE_BUILD, NULL },
	{ "--fail-fast", "-x", "--no-fail-fast", 0, CMDLINE_BUILD, NULL },
	{ "--favor-state", NULL, "--no-favor-state", 0, CMDLINE_BUILD, NULL },
	{ "--full-refresh", "-f", NULL, 0, CMDLINE_BUILD, NULL },
	{ "--help", "-h", NULL, 0, CMDLINE_ELSEWHERE, NULL },
	{ "--host", NULL, NULL, 1, CMDLINE_ELSEWHERE, NULL },
	{ "--include-saved-query", NULL, "--no-include-saved-query", 0, CMDLINE_BUILD, NULL },
	{ "--indirect-selection", NULL, NULL, 1, CMDLINE_OWN, NULL },
	{ "--inject-ephemeral-ctes", NULL, "--no-inject-ephemeral-ctes", 0, CMDLINE_ELSEWHERE,
	  NULL },
	{ "--inline", NULL, NULL, 1, CMDLINE_ELSEWHERE, NULL },
	{ "--inline-direct", NULL, NULL, 1, CMDLINE_ELSEWHERE, NULL },
	{ "--introspect", NULL, "--no-introspect", 0, CMDLINE_ELSEWHERE, NULL },
	{ "--limit", NULL, NULL, 1, CMDLINE_ELSEWHERE, NULL },
	{ "--lock", NULL, NULL, 0, CMDLINE_ELSEWHERE, NULL },
	{ "--log-cache-events", NULL, "--no-log-cache-events", 0, CMDLINE_OWN, NULL },
	{ "--log-file-max-bytes", NULL, NULL, 1, CMDLINE_OWN, NULL },
	{ "--log-format", NULL, NULL, 1, CMDLINE_OWN, NULL },
	{ "--log-format-file", NULL, NULL, 1, CMDLINE_OWN, NULL },
	{ "--log-level", NULL, NULL, 1, CMDLINE_OWN, NULL },
	{ "--log-level-file", NULL, NULL, 1, CMDLINE_OWN, NULL },
	{ "--log-path", NULL, NULL, 1, CMDLINE_OWN, NULL },
	{ "--macro-debugging", NULL, "--no-macro-debugging", 0, CMDLINE_OWN, NULL },
	{ "--model", NULL, NULL, -1, CMDLINE_AIRLOCK, "--select" },
	{ "--models", "-m", NULL, -1, CMDLINE_AIRLOCK, "--select" },
	{ "--output", "-o", NULL, 1, CMDLINE_ELSEWHERE, NULL },
	{ "--output-keys", NULL, NULL, -1, CMDLINE_ELSEWHERE, NULL },
	{ "--partial-parse", NULL, "--no-partial-parse", 0, CMDLINE_EVERY_START, NULL },
	{ "--partial-parse-file-diff", NULL, "--no-partial-parse-file-diff", 0, CMDLINE_EVERY_START,
	  NULL },
	/* Each side and the operations need a file of their own. */
	{ "--partial-parse-file-path", NULL, NULL, 1, CMDLINE_OWN, NULL },
	{ "--populate-cache", NULL, "--no-populate-cache", 0, CMDLINE_BUILD, NULL },
	{ "--port", NULL, NULL, 1, CMDLINE_ELSEWHERE, NULL },
	{ "--print", NULL, "--no-print", 0, CMDLINE_OWN, NULL },
	{ "--printer-width", NULL, NULL, 1, CMDLINE_OWN, NULL },
	{ "--profile", NULL, NULL, 1, CMDLINE_EVERY_START, NULL },
	{ "--profiles-dir", NULL, NULL, 1, CMDLINE_EVERY_START, NULL },
	{ "--project-dir", NULL, NULL, 1, CMDLINE_EVERY_START, NULL },
	{ "--quiet", "-q", "--no-quiet", 0, CMDLINE_OWN, NULL },
	{ "--record-timing-info", "-r", NULL, 1, CMDLINE_BUILD, NULL },
	{ "--resource-type", NULL, NULL, -1, CMDLINE_AIRLOCK, "--build" },
	{ "--resource-types", NULL, NULL, -1, CMDLINE_AIRLOCK, "--build" },
	{ "--sample", NULL, NULL, 1, CMDLINE_UNREAL, "build from a sample of the rows" },
	{ "--select", "-s", NULL, -1, CMDLINE_AIRLOCK, "--select" },
	{ "--selector", NULL, NULL, 1, CMDLINE_AIRLOCK, "--selector" },
	{ "--send-anonymous-usage-stats", NULL, "--no-send-anonymous-usage-stats", 0,
	  CMDLINE_EVERY_START, NULL },
	{ "--show", NULL, NULL, 0, CMDLINE_BUILD, NULL },
	{ "--show-all-deprecations", NULL, "--no-show-all-deprecations", 0, CMDLINE_BUILD, NULL },
	{ "--show-resource-report", NULL, "--no-show-resource-report", 0, CMDLINE_ELSEWHERE, NULL },
	{ "--single-threaded", NULL, "--no-single-threaded", 0, CMDLINE_BUILD, NULL },
	{ "--skip-profile-setup", NULL, NULL, 0, CMDLINE_ELSEWHERE, NULL },
	{ "--source", NULL, NULL, 1, CMDLINE_ELSEWHERE, NULL },
	{ "--sqlparse", NULL, NULL, 1, CMDLINE_BUILD, NULL },
	{ "--state", NULL, NULL, 1, CMDLINE_BUILD, NULL },
	{ "--static", NULL, NULL, 0, CMDLINE_ELSEWHERE, NULL },
	{ "--static-parser", NULL, "--no-static-parser", 0, CMDLINE_EVERY_START, NULL },
	{ "--store-failures", NULL, NULL, 0, CMDLINE_BUILD, NULL },
	{ "--target", "-t", NULL, 1, CMDLINE_AIRLOCK, "--from" },
	{ "--target-path", NULL, NULL, 1, CMDLINE_OWN, NULL },
	{ "--threads", NULL, NULL, 1, CMDLINE_BUILD, NULL },
	{ "--upgrade", NULL, NULL, 0, CMDLINE_ELSEWHERE, NULL },
	{ "--upload-to-artifacts-ingest-api", NULL, "--no-upload-to-artifacts-ingest-api", 0,
	  CMDLINE_BUILD, NULL },
	{ "--use-colors", NULL, "--no-use-colors", 0, CMDLINE_OWN, NULL },
	{ "--use-colors-file", NULL, "--no-use-colors-file", 0, CMDLINE_OWN, NULL },
	{ "--use-experimental-parser", NULL, "--no-use-experimental-parser", 0, CMDLINE_EVERY_START,
	  NULL },
	{ "--use-fast-test-edges", NULL, "--no-use-fast-test-edges", 0, CMDLINE_BUILD, NULL },
	{ "--vars", NULL, NULL, 1, CMDLINE_EVERY_START, NULL },
	{ "--version", "-v", NULL, 0, CMDLINE_ELSEWHERE, NULL },
	{ "--version-check", NULL, "--no-version-check", 0, CMDLINE_EVERY_START, NULL },
	{ "--warn-error", NULL, NULL, 0, CMDLINE_BUILD, NULL },
	{ "--warn-error-options", NULL, NULL, 1, CMDLINE_BUILD, NULL },
	{ "--write-json", NULL, "--no-write-json", 0, CMDLINE_OWN, NULL },
};

const struct cmdline_option *cmdline_options(size_t *ret_n)
{
	*ret_n = ARRAY_LEN(options);
	return options;
}

const char *cmdline_next_word(struct cmdline_words *words)
{
	const char *word = words->attached;

	if (word) {
		words->attached = NULL;
		return word;
	}
	return words->next < words->n ? words->v[words->next++] : NULL;
}

const struct cmdline_option *cmdline_find_long(const char *name, size_t len, bool *ret_negated)
{
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		const char *names[] = { options[i].name, options[i].negated };

		for (size_t j = 0; j < ARRAY_LEN(names); j++) {
			if (!names[j] || strncmp(names[j], name, len) || names[j][len])
				continue;
			*ret_negated = j == 1;
			return &options[i];
		}
	}
	return NULL;
}

const struct cmdline_option *cmdline_find_short(char letter)
{
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		if (options[i].short_name && options[i].short_name[1] == letter)
			return &options[i];
	}
	return NULL;
}

static int refuse_unknown(const char *word, size_t len, struct err *err)
{
	char *name CLEANUP(mem_free_string) = mem_strndup(word, len);
	const char *names[2 * ARRAY_LEN(options)];
	const char *nearest;
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		names[n++] = options[i].name;
		if (options[i].negated)
			names[n++] = options[i].negated;
	}
	nearest = strv_nearest(name, names, n);
	if (nearest)
		return err_set(err, ERR_DBT_OPTION, "dbt has no option '%s'; the nearest is '%s'",
			       name, nearest);
	return err_set(err, ERR_DBT_OPTION, "dbt has no option '%s' that airlock knows", name);
}

static int refuse(const struct cmdline_option *option, const char *spelling, struct err *err)
{
	switch (option->use) {
	case CMDLINE_AIRLOCK:
		return err_set(err, ERR_DBT_OPTION,
			       "'%s' cannot stand behind '--': use airlock's own '%s', before it",
			       spelling, option->instead);
	case CMDLINE_UNREAL:
		return err_set(err, ERR_DBT_OPTION,
			       "'%s' cannot be used in a deployment: dbt would %s", spelling,
			       option->instead);
	case CMDLINE_OWN:
		return err_set(err, ERR_DBT_OPTION,
			       "'%s' cannot be used in a deployment: airlock decides it", spelling);
	case CMDLINE_ELSEWHERE:
		return err_set(err, ERR_DBT_OPTION, "'%s' is no option of 'dbt build'", spelling);
	case CMDLINE_EVERY_START:
	case CMDLINE_BUILD:
		break;
	}
	return err_set(err, ERR_INTERNAL, "'%s' was refused without a reason", spelling);
}

static bool takes_value(const struct strv *strv, size_t i)
{
	bool negated;
	const struct cmdline_option *option =
		cmdline_find_long(strv->v[i], strlen(strv->v[i]), &negated);

	return option && option->value_count == 1;
}

/* Leaves out what an earlier word said about the same option. */
static void forget(struct strv *strv, const struct cmdline_option *option)
{
	struct strv kept = STRV_INIT;

	for (size_t i = 0; i < strv->n;) {
		size_t words = takes_value(strv, i) ? 2 : 1;
		bool same = !strcmp(strv->v[i], option->name) ||
			    (option->negated && !strcmp(strv->v[i], option->negated));

		for (size_t j = i; !same && j < i + words; j++)
			strv_push(&kept, strv->v[j]);
		i += words;
	}
	strv_release(strv);
	*strv = kept;
}

/* What `dbt build` takes and not every command that does a part of it. */
static const struct {
	const char *option;
	const char *verbs; /* the parts that take it, each with a blank behind it */
} of_some_verbs[] = {
	{ "--event-time-end", "run " },     { "--event-time-start", "run " },
	{ "--export-saved-queries", "" },   { "--full-refresh", "seed run " },
	{ "--include-saved-query", "" },    { "--no-export-saved-queries", "" },
	{ "--no-include-saved-query", "" }, { "--show", "seed " },
	{ "--store-failures", "test " },
};

static bool verb_takes(const char *verb, const char *option)
{
	char *word CLEANUP(mem_free_string) = mem_printf("%s ", verb);

	if (strcmp(verb, "build") == 0)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(of_some_verbs); i++)
		if (strcmp(of_some_verbs[i].option, option) == 0)
			return strstr(of_some_verbs[i].verbs, word) != NULL;
	return true;
}

void cmdline_push_for_verb(const struct strv *given, const char *verb, struct strv *words)
{
	for (size_t i = 0; i < given->n;) {
		size_t n = takes_value(given, i) ? 2 : 1;

		for (size_t k = i; k < i + n && verb_takes(verb, given->v[i]); k++)
			strv_push(words, given->v[k]);
		i += n;
	}
}

const char *cmdline_find_idle(const struct strv *given, const struct strv *verbs)
{
	for (size_t i = 0; i < given->n; i += takes_value(given, i) ? 2 : 1) {
		bool taken = false;

		for (size_t k = 0; k < verbs->n && !taken; k++)
			taken = verb_takes(verbs->v[k], given->v[i]);
		if (!taken)
			return given->v[i];
	}
	return NULL;
}

static void keep_value(struct cmdline *cmdline, const char *name, const char *value)
{
	const struct {
		const char *name;
		char **value;
	} kept[] = {
		{ "--profile", &cmdline->profile },
		{ "--profiles-dir", &cmdline->profiles_dir },
		{ "--project-dir", &cmdline->project_dir },
		{ "--vars", &cmdline->vars },
	};

	for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
		if (strcmp(kept[i].name, name))
			continue;
		free(*kept[i].value);
		*kept[i].value = mem_strdup(value);
	}
}

/* `spelling` is what the user wrote, without a value. */
static int take_option(struct cmdline *cmdline, const struct cmdline_option *option, bool negated,
		       const char *spelling, struct cmdline_words *words, struct err *err)
{
	/* --no-empty only says what is wanted anyway. */
	bool harmless = option->use == CMDLINE_UNREAL && negated;
	struct strv *into = option->use == CMDLINE_EVERY_START ? &cmdline->every : &cmdline->build;
	const char *value = NULL;

	if (option->use != CMDLINE_EVERY_START && option->use != CMDLINE_BUILD && !harmless)
		return refuse(option, spelling, err);
	if (option->value_count == 1) {
		value = cmdline_next_word(words); /* even one that begins with a dash, as in dbt */
		if (!value)
			return err_set(err, ERR_DBT_OPTION, "'%s' needs a value", spelling);
	} else if (words->attached && spelling[1] == '-') {
		return err_set(err, ERR_DBT_OPTION, "'%s' takes no value", spelling);
	}
	forget(into, option);
	strv_push(into, negated ? option->negated : option->name);
	if (value) {
		strv_push(into, value);
		keep_value(cmdline, option->name, value);
	}
	return 0;
}

/* -xf, -rFILE: flags may be joined; a value may follow in the same word. */
static int take_short(struct cmdline *cmdline, const char *word, struct cmdline_words *words,
		      struct err *err)
{
	for (size_t i = 1; word[i]; i++) {
		const char spelling[] = { '-', word[i], '\0' };
		const struct cmdline_option *option = cmdline_find_short(word[i]);

		if (!option)
			return refuse_unknown(spelling, 2, err);
		if (option->value_count && word[i + 1])
			words->attached = word + i + 1;
		if (take_option(cmdline, option, false, spelling, words, err) < 0)
			return -1;
		if (option->value_count)
			return 0;
	}
	return 0;
}

static int take_long(struct cmdline *cmdline, const char *word, struct cmdline_words *words,
		     struct err *err)
{
	size_t len = strcspn(word, "=");
	char *spelling CLEANUP(mem_free_string) = mem_strndup(word, len);
	bool negated = false;
	const struct cmdline_option *option = cmdline_find_long(word, len, &negated);

	if (!option)
		return refuse_unknown(word, len, err);
	words->attached = word[len] ? word + len + 1 : NULL;
	return take_option(cmdline, option, negated, spelling, words, err);
}

int cmdline_sort(const char *const *arguments, size_t n, struct cmdline *ret_cmdline,
		 struct err *err)
{
	struct cmdline cmdline = { 0 };
	struct cmdline_words words = { .v = arguments, .n = n };
	const char *word;
	int rc = 0;

	while (!rc && (word = cmdline_next_word(&words))) {
		if (word[0] != '-' || !word[1])
			rc = err_set(err, ERR_DBT_OPTION,
				     "'%s' behind '--' is no option of dbt; to choose nodes use "
				     "airlock's own '--select', before it",
				     word);
		else if (word[1] != '-')
			rc = take_short(&cmdline, word, &words, err);
		else
			rc = take_long(&cmdline, word, &words, err);
	}
	if (rc < 0) {
		cmdline_release(&cmdline);
		return -1;
	}
	*ret_cmdline = cmdline;
	return 0;
}

void cmdline_release(struct cmdline *cmdline)
{
	strv_release(&cmdline->every);
	strv_release(&cmdline->build);
	free(cmdline->project_dir);
	free(cmdline->profiles_dir);
	free(cmdline->profile);
	free(cmdline->vars);
	*cmdline = (struct cmdline) { 0 };
}

/* What a variable must be for the build to be of the real data. */
enum must {
	MUST_BE_FALSE = 1,
	MUST_BE_EAGER,
	MUST_BE_UNSET,
};

struct variable {
	const char *name; /* behind DBT_ or DBT_ENGINE_ */
	enum must must;
	const char *effect; /* "dbt would ..." */
	const char *option; /* to be put behind -- instead, or NULL */
};

static const struct variable checked[] = {
	{ "DEFER", MUST_BE_FALSE, "read parents from another place than staging", "--defer" },
	{ "DEFER_TO_STATE", MUST_BE_FALSE, "read parents from another place than staging",
	  "--defer" },
	{ "EMPTY", MUST_BE_FALSE, "build relations without rows", NULL },
	{ "EVENT_TIME_END", MUST_BE_UNSET, "build a part of the time only", "--event-time-end" },
	{ "EVENT_TIME_START", MUST_BE_UNSET, "build a part of the time only",
	  "--event-time-start" },
	{ "EXCLUDE_RESOURCE_TYPES", MUST_BE_UNSET, "leave nodes out of the build", NULL },
	{ "FAVOR_STATE", MUST_BE_FALSE, "read parents from another place than staging",
	  "--favor-state" },
	{ "FAVOR_STATE_MODE", MUST_BE_FALSE, "read parents from another place than staging",
	  "--favor-state" },
	{ "FULL_REFRESH", MUST_BE_FALSE, "rebuild what the plan takes for kept", "--full-refresh" },
	{ "INDIRECT_SELECTION", MUST_BE_EAGER, "leave out tests", NULL },
	{ "RECORDER_MODE", MUST_BE_UNSET, "record or replay answers of the warehouse", NULL },
	{ "RESOURCE_TYPES", MUST_BE_UNSET, "leave nodes out of the build", NULL },
	{ "SAMPLE", MUST_BE_UNSET, "build from a sample of the rows", NULL },
};

/* airlock passes these as options where they matter. DBT_NO_PRINT even beats --print. */
static const char *const cleaned[] = {
	"DEBUG",
	"INDIRECT_SELECTION",
	"LOG_CACHE_EVENTS",
	"LOG_FILE_MAX_BYTES",
	"LOG_FORMAT",
	"LOG_FORMAT_FILE",
	"LOG_LEVEL",
	"LOG_LEVEL_FILE",
	"LOG_PATH",
	"MACRO_DEBUGGING",
	"NO_PRINT",
	"PARTIAL_PARSE_FILE_PATH",
	"PRINT",
	"PRINTER_WIDTH",
	"QUIET",
	"TARGET",
	"TARGET_PATH",
	"USE_COLORS",
	"USE_COLORS_FILE",
	"WRITE_JSON",
};

/* dbt 1.11 reads both, the longer one first; 2.x as well. */
static const char *const prefixes[] = { "DBT_ENGINE_", "DBT_" };

static bool is_one_of(const char *value, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!strcasecmp(value, words[i]))
			return true;
	}
	return false;
}

/* click's booleans; it trims them, and takes an empty variable for one that is not set. */
static bool is_false(const char *value)
{
	static const char *const words[] = { "0", "f", "false", "n", "no", "off" };
	char *trimmed CLEANUP(mem_free_string) = mem_strdup(value + strspn(value, " \t\r\n"));

	for (size_t len = strlen(trimmed); len && strchr(" \t\r\n", trimmed[len - 1]); len--)
		trimmed[len - 1] = '\0';
	return is_one_of(trimmed, words, ARRAY_LEN(words));
}

static bool is_as_it_must(const struct variable *variable, const char *value)
{
	switch (variable->must) {
	case MUST_BE_FALSE:
		return is_false(value);
	case MUST_BE_EAGER:
		return !strcasecmp(value, "eager");
	case MUST_BE_UNSET:
		return false;
	}
	return false;
}

static int check_variable(const struct variable *variable, const struct strv *env, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
		char *name CLEANUP(mem_free_string) =
			mem_printf("%s%s", prefixes[i], variable->name);
		const char *value = env_get(env, name);

		if (!value || !*value || is_as_it_must(variable, value))
			continue;
		err_set(err, ERR_DBT_ENVIRONMENT, "'%s' is set to '%s': dbt would %s", name, value,
			variable->effect);
		if (variable->option)
			err_hint(err, "unset the variable for this job, or put '%s' behind '--'",
				 variable->option);
		return -1;
	}
	return 0;
}

int cmdline_check_environment(const struct strv *env, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(checked); i++) {
		if (check_variable(&checked[i], env, err) < 0)
			return -1;
	}
	return 0;
}

void cmdline_clean_environment(struct strv *env)
{
	for (size_t i = 0; i < ARRAY_LEN(cleaned); i++) {
		for (size_t j = 0; j < ARRAY_LEN(prefixes); j++) {
			char *name CLEANUP(mem_free_string) =
				mem_printf("%s%s", prefixes[j], cleaned[i]);

			env_unset(env, name);
		}
	}
}
