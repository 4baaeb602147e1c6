#include "select_internal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* selector_methods.MethodName of dbt-core 1.11. */
static const struct {
	const char *name;
	enum method method;
} methods[] = {
	{ "access", METHOD_ASK },
	{ "config", METHOD_ASK },
	{ "exposure", METHOD_ASK },
	{ "file", METHOD_ASK },
	{ "fqn", METHOD_FQN },
	{ "group", METHOD_ASK },
	{ "metric", METHOD_ASK },
	{ "package", METHOD_ASK },
	{ "path", METHOD_PATH },
	{ "resource_type", METHOD_ASK },
	{ "result", METHOD_ASK },
	{ "saved_query", METHOD_ASK },
	{ "semantic_model", METHOD_ASK },
	{ "source", METHOD_ASK },
	{ "source_status", METHOD_ASK },
	{ "state", METHOD_ASK },
	{ "tag", METHOD_TAG },
	{ "test_name", METHOD_ASK },
	{ "test_type", METHOD_ASK },
	{ "unit_test", METHOD_ASK },
	{ "version", METHOD_ASK },
};

static void criterion_release(struct criterion *c)
{
	free(c->value);
	free(c->method_name);
}

static bool is_ascii_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_method_char(char c)
{
	return is_ascii_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
	       c == '.';
}

/* Digits that stand before or behind a plus; none means without a limit. */
static size_t read_depth(const char *digits, size_t n)
{
	size_t depth = 0;

	if (n == 0)
		return SELECT_NO_LIMIT;
	for (size_t i = 0; i < n; i++) {
		size_t digit = (size_t)(digits[i] - '0');
		if (depth > (SELECT_NO_LIMIT - digit) / 10)
			return SELECT_NO_LIMIT;
		depth = depth * 10 + digit;
	}
	return depth;
}

static const char *read_parents(struct criterion *c, const char *s)
{
	size_t digits = 0;

	while (is_ascii_digit(s[digits]))
		digits++;
	if (s[digits] != '+')
		return s;
	c->parents = read_depth(s, digits);
	return s + digits + 1;
}

/* Returns how much of `s` is left before the suffix. */
static size_t read_children(struct criterion *c, const char *s)
{
	size_t end = strlen(s);
	size_t digits = 0;

	while (digits < end && is_ascii_digit(s[end - digits - 1]))
		digits++;
	if (digits == end || s[end - digits - 1] != '+')
		return end;
	c->children = read_depth(s + end - digits, digits);
	return end - digits - 1;
}

static const char *read_method(struct criterion *c, const char *s)
{
	size_t len = 0;

	while (is_method_char(s[len]))
		len++;
	if (len == 0 || s[len] != ':')
		return s;
	c->method_name = mem_strndup(s, len);
	return s + len + 1;
}

static bool ends_like_a_file(const char *value)
{
	static const char *const suffixes[] = { ".sql", ".py", ".csv" };
	size_t len = strlen(value);

	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		size_t n = strlen(suffixes[i]);
		if (len >= n && strcasecmp(value + len - n, suffixes[i]) == 0)
			return true;
	}
	return false;
}

static void decide_method(struct criterion *c)
{
	if (!c->method_name) {
		if (strchr(c->value, '/'))
			c->method = METHOD_PATH;
		else
			c->method = ends_like_a_file(c->value) ? METHOD_ASK : METHOD_FQN;
		return;
	}
	c->is_refused = true;
	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		size_t len = strlen(methods[i].name);
		if (strncmp(methods[i].name, c->method_name, len) != 0)
			continue;
		if (c->method_name[len] != '\0' && c->method_name[len] != '.')
			continue;
		c->is_refused = false;
		c->method = c->method_name[len] ? METHOD_ASK : methods[i].method;
	}
}

/* Digits and bytes beyond ASCII only, with one of the latter: Python might read it as a number. */
static bool may_be_number(const char *s, size_t n)
{
	bool beyond = false;

	for (size_t i = 0; i < n; i++) {
		if (!is_ascii_digit(s[i]) && (unsigned char)s[i] < 0x80)
			return false;
		beyond |= (unsigned char)s[i] >= 0x80;
	}
	return beyond;
}

/* Words that only Python's own regular expression can take apart with certainty. */
static bool is_odd(const char *word)
{
	const char *first = strchr(word, '+');
	const char *last = strrchr(word, '+');
	const char *colon = strchr(word, ':');

	if (*word == '@' || strchr(word, '\n'))
		return true;
	for (const char *p = word; colon && p < colon; p++)
		if ((unsigned char)*p >= 0x80)
			return true;
	return first && (may_be_number(word, (size_t)(first - word)) ||
			 may_be_number(last + 1, strlen(last + 1)));
}

/* Paths that pathlib refuses or that lead out of the project. */
static bool is_odd_path(const char *path)
{
	CLEANUP(strv_release) struct strv parts = STRV_INIT;
	size_t real = 0;

	strv_split(&parts, path, "/");
	for (size_t i = 0; i < parts.n; i++) {
		if (strcmp(parts.v[i], "..") == 0)
			return true;
		if (strstr(parts.v[i], "**") && strcmp(parts.v[i], "**") != 0)
			return true;
		real += strcmp(parts.v[i], ".") != 0;
	}
	return real == 0 || *path == '/';
}

/* RAW_SELECTOR_PATTERN of dbt/graph/selector_spec.py. */
static void parse_criterion(const char *s, size_t len, struct criterion *ret_criterion)
{
	struct criterion c = { .value = NULL };
	CLEANUP(mem_free_string) char *word = mem_strndup(s, len);
	const char *rest = word;

	if (is_odd(word)) {
		c.value = mem_strdup(word);
		*ret_criterion = c;
		return;
	}
	rest = read_parents(&c, rest);
	rest = read_method(&c, rest);
	c.value = mem_strndup(rest, read_children(&c, rest));
	decide_method(&c);
	if (c.method == METHOD_PATH && is_odd_path(c.value))
		c.method = METHOD_ASK;
	*ret_criterion = c;
}

/* Python's str.split(): every part between two separators, empty ones too. */
static bool next_part(const char **cursor, char separator, const char *end, const char **ret_part,
		      size_t *ret_len)
{
	const char *part = *cursor;
	const char *stop;

	if (!part)
		return false;
	stop = memchr(part, separator, (size_t)(end - part));
	*ret_part = part;
	*ret_len = (size_t)((stop ? stop : end) - part);
	*cursor = stop ? stop + 1 : NULL;
	return true;
}

static void parse_intersection(const char *spec, size_t len, struct criteria *criteria)
{
	const char *cursor = spec;
	const char *part;
	size_t n;

	while (next_part(&cursor, ',', spec + len, &part, &n)) {
		struct criterion *c;

		mem_grow((void **)&criteria->v, &criteria->cap, criteria->n + 1,
			 sizeof(*criteria->v));
		c = &criteria->v[criteria->n++];
		parse_criterion(part, n, c);
		c->ends_intersection = !cursor;
	}
}

void criteria_parse(const struct strv *words, struct criteria *ret_criteria)
{
	struct criteria criteria = { 0 };

	for (size_t i = 0; words && i < words->n; i++) {
		const char *cursor = words->v[i];
		const char *end = cursor + strlen(cursor);
		const char *spec;
		size_t len;

		while (next_part(&cursor, ' ', end, &spec, &len))
			parse_intersection(spec, len, &criteria);
	}
	*ret_criteria = criteria;
}

void criteria_release(struct criteria *criteria)
{
	for (size_t i = 0; i < criteria->n; i++)
		criterion_release(&criteria->v[i]);
	free(criteria->v);
	*criteria = (struct criteria) { 0 };
}

int criterion_refuse(const struct criterion *c, struct err *err)
{
	const char *names[ARRAY_LEN(methods)];
	CLEANUP(mem_free_string)
	char *name = mem_strndup(c->method_name, strcspn(c->method_name, "."));
	const char *nearest;

	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		names[i] = methods[i].name;
	nearest = strv_nearest(name, names, ARRAY_LEN(names));
	err_set(err, ERR_SELECTOR_INVALID, "'%s' in '%s:%s' is not a selection method of dbt", name,
		c->method_name, c->value);
	if (nearest)
		return err_hint(err, "did you mean '%s:%s'?", nearest, c->value);
	return -1;
}
