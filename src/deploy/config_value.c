#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "airlock/base/buf.h"

#include "config_internal.h"

enum {
	COUNT_MAX = 1000,
	DURATION_MAX = 3650 * 86400,
	SECONDS_MAX = 86400,
};

static const char *const prefixes[] = { "AIRLOCK_", "DBT_AIRLOCK_" };

/* Variables of airlock that are no options. */
static const char *const other_variables[] = {
	"BREAK_GLASS", "DBT",     "DEPTH", "FAULT",   "EXIT",
	"FORK_SERVER", "HOOK",    "ID",    "OUTCOME", "PRODUCTION_CHANGED",
	"STARTED_BY",  "STRATEGY"
};

/* What was read of one value, before anybody decides whether it counts. */
struct reading {
	char *text;
	struct strv list;
};

static void reading_release(struct reading *reading)
{
	free(reading->text);
	strv_release(&reading->list);
	*reading = (struct reading) { .text = NULL };
}

/*
 * The parsers of values. Each takes the pieces that the source is made of (one, or the items of
 * a YAML list) and says what is wrong with them.
 */

int option_no_value(const struct option_place *place, const struct option_row *row, struct err *err)
{
	err_set(err, ERR_CONFIG_INVALID, "%s: '%s' has no value", place->name, row->key);
	return err_hint(err, "give it one, or leave '%s' out", row->key);
}

static int read_string(const struct option_place *place, const struct option_row *row,
		       const struct strv *pieces, struct reading *reading, struct err *err)
{
	if (!*pieces->v[0])
		return option_no_value(place, row, err);
	reading->text = mem_strdup(pieces->v[0]);
	return 0;
}

static int read_enum(const struct option_place *place, const struct option_row *row,
		     const struct strv *pieces, struct reading *reading, struct err *err)
{
	CLEANUP(buf_release) struct buf allowed = BUF_INIT;
	size_t n = 0;

	while (row->values[n])
		n++;
	if (option_is_among(pieces->v[0], row->values, n)) {
		reading->text = mem_strdup(pieces->v[0]);
		return 0;
	}
	for (size_t i = 0; i < n; i++)
		buf_printf(&allowed, "%s'%s'", !i ? "" : i + 1 < n ? ", " : " or ", row->values[i]);
	return err_set(err, ERR_CONFIG_INVALID, "%s: '%s' is '%s'; it can be %s", place->name,
		       row->key, pieces->v[0], buf_cstr(&allowed));
}

static int read_bool(const struct option_place *place, const struct option_row *row,
		     const struct strv *pieces, struct reading *reading, struct err *err)
{
	static const char *const words[] = { "false", "true", "no", "yes", "off", "on",
					     "n",     "y",    "f",  "t",   "0",   "1" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcasecmp(pieces->v[0], words[i]) != 0)
			continue;
		reading->text = mem_strdup(i % 2 ? "true" : "false");
		return 0;
	}
	return err_set(err, ERR_CONFIG_INVALID, "%s: '%s' is '%s'; it can be 'true' or 'false'",
		       place->name, row->key, pieces->v[0]);
}

static int read_number(const struct option_place *place, const struct option_row *row,
		       const struct strv *pieces, struct reading *reading, intmax_t least,
		       intmax_t most, struct err *err)
{
	const char *text = pieces->v[0];
	size_t digits = strspn(text, "0123456789");
	intmax_t number = digits && digits < 10 && !text[digits] ? strtoimax(text, NULL, 10) : -1;

	if (number < least || number > most)
		return err_set(err, ERR_CONFIG_INVALID,
			       "%s: '%s' is '%s'; it can be a whole number, %" PRIdMAX
			       " to %" PRIdMAX,
			       place->name, row->key, text, least, most);
	reading->text = mem_printf("%" PRIdMAX, number);
	return 0;
}

static int read_seconds(const struct option_place *place, const struct option_row *row,
			const struct strv *pieces, struct reading *reading, struct err *err)
{
	return read_number(place, row, pieces, reading, 1, SECONDS_MAX, err);
}

static int read_percent(const struct option_place *place, const struct option_row *row,
			const struct strv *pieces, struct reading *reading, struct err *err)
{
	return read_number(place, row, pieces, reading, 0, 100, err);
}

static int read_count(const struct option_place *place, const struct option_row *row,
		      const struct strv *pieces, struct reading *reading, struct err *err)
{
	return read_number(place, row, pieces, reading, 1, COUNT_MAX, err);
}

static const struct {
	char unit;
	int64_t seconds;
} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }, { 'w', 604800 } };

/* Of a text that was read: the number, times its unit where it has one. */
int64_t option_number(const char *text)
{
	char *end;
	int64_t number = strtoimax(text, &end, 10);

	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (*end == units[i].unit)
			return number * units[i].seconds;
	return number;
}

static int read_duration(const struct option_place *place, const struct option_row *row,
			 const struct strv *pieces, struct reading *reading, struct err *err)
{
	const char *text = pieces->v[0];
	size_t digits = strspn(text, "0123456789");
	bool has_unit = text[digits] && strchr("smhdw", text[digits]) && !text[digits + 1];
	bool fits = digits && digits < 10 && (has_unit || strcmp(text, "0") == 0) &&
		    option_number(text) <= DURATION_MAX;

	if (!fits)
		return err_set(err, ERR_CONFIG_INVALID,
			       "%s: '%s' is '%s'; it can be a whole number with s, m, h, d or w "
			       "behind it, as 12h or 7d, at most 3650d, or 0",
			       place->name, row->key, text);
	reading->text = mem_strdup(text);
	return 0;
}

/* Splits and leaves out the blanks around each part. */
static void split(struct strv *parts, const char *text, const char *separators)
{
	CLEANUP(strv_release) struct strv raw = STRV_INIT;

	strv_split(&raw, text, separators);
	for (size_t i = 0; i < raw.n; i++) {
		const char *start = raw.v[i] + strspn(raw.v[i], " \t\r\n");
		size_t len = strlen(start);

		while (len && strchr(" \t\r\n", start[len - 1]))
			len--;
		if (len)
			strv_take(parts, mem_strndup(start, len));
	}
}

static int read_list(const struct option_place *place, const struct option_row *row,
		     const struct strv *pieces, struct reading *reading, struct err *err)
{
	for (size_t i = 0; i < pieces->n; i++) {
		if (!place->items)
			split(&reading->list, pieces->v[i], ",");
		else if (*pieces->v[i])
			strv_push(&reading->list, pieces->v[i]);
		else
			return option_no_value(place, row, err);
	}
	if (!reading->list.n)
		return option_no_value(place, row, err);
	if (!row->none || !strv_contains(&reading->list, row->none))
		return 0;
	if (reading->list.n > 1)
		return err_set(err, ERR_CONFIG_INVALID, "%s: '%s' is '%s', or a list without it",
			       place->name, row->key, row->none);
	strv_release(&reading->list);
	return 0;
}

static int read_words(const struct option_place *place, const struct option_row *row,
		      const struct strv *pieces, struct reading *reading, struct err *err)
{
	/* As dbt: blanks inside a word make several of it. */
	for (size_t i = 0; i < pieces->n; i++)
		strv_split(&reading->list, pieces->v[i], " \t\r\n");
	return reading->list.n ? 0 : option_no_value(place, row, err);
}

static int read_map(const struct option_place *place, const struct option_row *row,
		    const struct strv *pieces, struct reading *reading, struct err *err)
{
	if (read_list(place, row, pieces, reading, err) < 0)
		return -1;
	for (size_t i = 0; i < reading->list.n; i++) {
		const char *pair = reading->list.v[i];
		const char *equals = strchr(pair, '=');

		if (!equals || equals == pair || !equals[1] || strchr(equals + 1, '='))
			return err_set(err, ERR_CONFIG_INVALID, "%s: '%s' holds '%s'; it takes %s",
				       place->name, row->key, pair, row->argument);
	}
	return 0;
}

static bool is_pair(const char *text)
{
	size_t len = strcspn(text, "=");
	size_t plain = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"
				    "0123456789");

	return len > 0 && text[len] && plain >= len && !(text[0] >= '0' && text[0] <= '9');
}

/* What airlock or dbt read before any side is known would not be heard there. */
static bool is_heard(const char *pair)
{
	static const char *const others[] = {
		"AIRLOCK_",         "DBT_AIRLOCK_",
		"DBT_PROFILE=",     "DBT_ENGINE_PROFILE=",
		"DBT_PROJECT_DIR=", "DBT_ENGINE_PROJECT_DIR=",
		"DBT_TARGET=",      "DBT_ENGINE_TARGET=",
		"DBT_TARGET_PATH=", "DBT_ENGINE_TARGET_PATH=",
	};

	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (strncmp(pair, others[i], strlen(others[i])) == 0)
			return false;
	return true;
}

/* A value is taken as it is, commas and blanks too; in a variable each has a line. */
static int read_environment(const struct option_place *place, const struct option_row *row,
			    const struct strv *pieces, struct reading *reading, struct err *err)
{
	for (size_t i = 0; i < pieces->n; i++) {
		if (place->source == OPTION_BY_ENVIRONMENT)
			strv_split(&reading->list, pieces->v[i], "\n");
		else
			strv_push(&reading->list, pieces->v[i]);
	}
	if (!reading->list.n)
		return option_no_value(place, row, err);
	for (size_t i = 0; i < reading->list.n; i++) {
		const char *pair = reading->list.v[i];
		int len = (int)strcspn(pair, "=");

		if (!is_pair(pair))
			return err_set(err, ERR_CONFIG_INVALID,
				       "%s: '%s' takes NAME=VALUE, and '%.*s' is not the name of a "
				       "variable with a value",
				       place->name, row->key, len, pair);
		if (is_heard(pair))
			continue;
		err_set(err, ERR_CONFIG_INVALID,
			"%s: '%s' cannot set '%.*s': it says something "
			"of both sides",
			place->name, row->key, len, pair);
		return err_hint(err, "set it in the environment of airlock, or use the option");
	}
	return 0;
}

typedef int read_fn(const struct option_place *place, const struct option_row *row,
		    const struct strv *pieces, struct reading *reading, struct err *err);

static read_fn *const readers[] = {
	[OPTION_STRING] = read_string,     [OPTION_LIST] = read_list,
	[OPTION_WORDS] = read_words,       [OPTION_BOOL] = read_bool,
	[OPTION_FLAG] = read_bool,         [OPTION_ENUM] = read_enum,
	[OPTION_MAP] = read_map,           [OPTION_SECONDS] = read_seconds,
	[OPTION_PERCENT] = read_percent,   [OPTION_NUMBER] = read_count,
	[OPTION_DURATION] = read_duration, [OPTION_ENVIRONMENT] = read_environment,
};

static bool holds_list(const struct option_row *row)
{
	return row->type == OPTION_LIST || row->type == OPTION_WORDS || row->type == OPTION_MAP ||
	       row->type == OPTION_ENVIRONMENT;
}

/* A weaker source never replaces a stronger one. Empties `reading`. */
static void keep(struct config *config, const struct option_place *place,
		 const struct option_row *row, struct reading *reading)
{
	struct option_value *value = &config->values[row->id];
	bool adds = place->source == OPTION_BY_COMMAND_LINE && value->source == place->source &&
		    holds_list(row);

	if (value->source > place->source)
		return;
	if (!adds)
		strv_release(&value->list);
	strv_push_all(&value->list, &reading->list);
	free(value->text);
	value->text = reading->text;
	reading->text = NULL;
	free(value->origin);
	value->origin = mem_strdup(place->origin);
	value->source = place->source;
}

int option_set(struct config *config, const struct option_place *place,
	       const struct option_row *row, const struct strv *pieces, struct err *err)
{
	CLEANUP(reading_release) struct reading reading = { .text = NULL };

	if (readers[row->type](place, row, pieces, &reading, err) < 0)
		return -1;
	if (config)
		keep(config, place, row, &reading);
	return 0;
}

static int set_text(struct config *config, const struct option_place *place,
		    const struct option_row *row, const char *text, struct err *err)
{
	CLEANUP(strv_release) struct strv pieces = STRV_INIT;

	strv_push(&pieces, text);
	return option_set(config, place, row, &pieces, err);
}

int config_set_argument(struct config *config, const struct option_row *row, bool negated,
			const char *text, struct err *err)
{
	CLEANUP(mem_free_string) char *flag = option_flag(row);
	CLEANUP(mem_free_string) char *no_flag = mem_printf("--no-%s", flag + 2);
	const char *name = negated ? no_flag : flag;
	const struct option_place place = {
		.source = OPTION_BY_COMMAND_LINE,
		.name = name,
		.origin = name,
	};
	bool alone = row->type == OPTION_FLAG || row->type == OPTION_BOOL;

	if (alone && text)
		return err_set(err, ERR_USAGE, "'%s' takes no value", name);
	if (!alone && !text)
		return err_set(err, ERR_USAGE, "'%s' needs a value: %s", name, row->argument);
	if (!text)
		text = negated ? "false" : "true";
	return set_text(config, &place, row, text, err);
}

/* The first of several entries of one name counts, as getenv() has it. */
static const char *variable_value(const struct strv *env, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < env->n; i++)
		if (strncmp(env->v[i], name, len) == 0 && env->v[i][len] == '=')
			return env->v[i] + len + 1;
	return NULL;
}

int option_refuse_command_line_only(const struct option_row *row, const char *where,
				    struct err *err)
{
	CLEANUP(mem_free_string) char *flag = option_flag(row);

	err_set(err, ERR_CONFIG_INVALID, "%s: '%s' can only be given on the command line", where,
		row->key);
	return err_hint(err, "say '%s' there", flag);
}

int option_refuse_project_only(const struct option_row *row, const char *where, struct err *err)
{
	err_set(err, ERR_CONFIG_INVALID, "%s: '%s' can only stand in dbt_project.yml", where,
		row->key);
	return err_hint(err, "write it there, right under 'vars: airlock:'");
}

/* A variable that begins as ours do: `rest` is what stands behind AIRLOCK_, up to the `=`. */
static int check_variable(const char *name, const char *rest, struct err *err)
{
	const char *keys[OPTION_COUNT];
	CLEANUP(mem_free_string) char *key = mem_strdup(rest);
	CLEANUP(mem_free_string) char *variable = NULL;
	const struct option_row *row;
	const char *nearest;

	if (option_is_among(rest, other_variables, ARRAY_LEN(other_variables)))
		return 0;
	for (char *s = key; *s; s++)
		if (*s >= 'A' && *s <= 'Z')
			*s = (char)(*s - 'A' + 'a');
	row = option_find_key(key);
	if (row && row->project_only)
		return option_refuse_project_only(row, name, err);
	if (row)
		return row->command_line_only ? option_refuse_command_line_only(row, name, err) : 0;
	for (size_t i = 0; i < OPTION_COUNT; i++)
		keys[i] = option_row((enum option_id)i)->key;
	nearest = strv_nearest(key, keys, ARRAY_LEN(keys));
	if (!nearest || option_find_key(nearest)->command_line_only ||
	    option_find_key(nearest)->project_only)
		return 0;
	variable = option_variable(option_find_key(nearest));
	err_set(err, ERR_CONFIG_INVALID, "%s: there is no such variable", name);
	return err_hint(err, "did you mean '%s'?", variable);
}

static int check_variables(const struct strv *env, struct err *err)
{
	for (size_t i = 0; i < env->n; i++) {
		CLEANUP(mem_free_string)
		char *name = mem_strndup(env->v[i], strcspn(env->v[i], "="));

		for (size_t j = 0; j < ARRAY_LEN(prefixes); j++) {
			size_t len = strlen(prefixes[j]);

			if (strncmp(name, prefixes[j], len) == 0 &&
			    check_variable(name, name + len, err) < 0)
				return -1;
		}
	}
	return 0;
}

static int set_from_variables(struct config *config, const struct option_row *row,
			      const struct strv *env, struct err *err)
{
	CLEANUP(mem_free_string) char *variable = option_variable(row);
	CLEANUP(mem_free_string) char *with_dbt = mem_printf("DBT_%s", variable);
	const char *const names[] = { variable, with_dbt };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const struct option_place place = {
			.source = OPTION_BY_ENVIRONMENT,
			.name = names[i],
			.origin = names[i],
		};
		const char *text = variable_value(env, names[i]);

		/* As dbt: an empty variable is one that is not set. */
		if (text && *text)
			return set_text(config, &place, row, text, err);
	}
	return 0;
}

int config_set_environment(struct config *config, const struct strv *env, struct err *err)
{
	if (check_variables(env, err) < 0)
		return -1;
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct option_row *row = option_row((enum option_id)i);

		if (!row->command_line_only && !row->project_only &&
		    set_from_variables(config, row, env, err) < 0)
			return -1;
	}
	return 0;
}
