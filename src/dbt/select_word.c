#include "select_internal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* selector_methods.MethodName of dbt-core 1.11. */
static const struct {
	const char *name;
	enum method method;
} methods[] = {
	{ "access", METHOD_ACCESS },
	{ "config", METHOD_CONFIG },
	{ "exposure", METHOD_EXPOSURE },
	{ "file", METHOD_FILE },
	{ "fqn", METHOD_FQN },
	{ "group", METHOD_GROUP },
	{ "metric", METHOD_METRIC },
	{ "package", METHOD_PACKAGE },
	{ "path", METHOD_PATH },
	{ "resource_type", METHOD_RESOURCE_TYPE },
	{ "result", METHOD_ASK },
	{ "saved_query", METHOD_SAVED_QUERY },
	{ "semantic_model", METHOD_SEMANTIC_MODEL },
	{ "source", METHOD_SOURCE },
	{ "source_status", METHOD_ASK },
	{ "state", METHOD_ASK },
	{ "tag", METHOD_TAG },
	{ "test_name", METHOD_TEST_NAME },
	{ "test_type", METHOD_TEST_TYPE },
	{ "unit_test", METHOD_UNIT_TEST },
	{ "version", METHOD_VERSION },
};

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
	c->has_parents = true;
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
	c->has_children = true;
	c->children = read_depth(s + end - digits, digits);
	return end - digits - 1;
}

static const char *read_method(struct selection *selection, const char *s, const char **ret_name)
{
	size_t len = 0;

	while (is_method_char(s[len]))
		len++;
	if (len == 0 || s[len] != ':')
		return s;
	*ret_name = arena_strndup(&selection->arena, s, len);
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

static enum method default_method(const char *value)
{
	if (strchr(value, '/'))
		return METHOD_PATH;
	return ends_like_a_file(value) ? METHOD_FILE : METHOD_FQN;
}

void criterion_set_method(struct selection *s, struct criterion *c, const char *name)
{
	size_t len = strcspn(name, ".");

	c->method_name = name;
	c->method = METHOD_ASK;
	c->arguments = arena_strdup(&s->arena, name[len] ? name + len + 1 : "");
	c->is_refused = true;
	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		if (strlen(methods[i].name) != len || strncmp(methods[i].name, name, len) != 0)
			continue;
		c->is_refused = false;
		c->method = methods[i].method;
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

	if (strchr(word, '\n'))
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
struct spec *spec_of_word(struct selection *s, const char *text, size_t len)
{
	struct spec *spec = spec_new(s, SPEC_CRITERION, s->request->indirect);
	struct criterion *c = &spec->criterion;
	const char *word = arena_strndup(&s->arena, text, len);
	const char *name = NULL;
	const char *rest = word;

	c->value = word;
	c->arguments = "";
	if (is_odd(word))
		return spec;
	c->childrens_parents = *rest == '@';
	rest = read_parents(c, rest + c->childrens_parents);
	rest = read_method(s, rest, &name);
	c->value = arena_strndup(&s->arena, rest, read_children(c, rest));
	if (name)
		criterion_set_method(s, c, name);
	else
		c->method = default_method(c->value);
	if (c->method == METHOD_PATH && is_odd_path(c->value))
		c->method = METHOD_ASK;
	return spec;
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

static struct spec *intersection_of(struct selection *s, const char *text, size_t len)
{
	struct spec *spec = spec_new(s, SPEC_INTERSECTION, s->request->indirect);
	const char *cursor = text;
	const char *part;
	size_t n;

	while (next_part(&cursor, ',', text + len, &part, &n))
		spec_add(s, spec, spec_of_word(s, part, n));
	return spec;
}

struct spec *spec_of_words(struct selection *s, const struct strv *words)
{
	struct spec *spec = spec_new(s, SPEC_UNION, s->request->indirect);

	for (size_t i = 0; words && i < words->n; i++) {
		const char *cursor = words->v[i];
		const char *end = cursor + strlen(cursor);
		const char *text;
		size_t len;

		while (next_part(&cursor, ' ', end, &text, &len))
			spec_add(s, spec, intersection_of(s, text, len));
	}
	return spec;
}

static int refuse_method(const struct criterion *c, struct err *err)
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

int spec_check(struct selection *s, const struct spec *spec, struct err *err)
{
	const struct criterion *c = &spec->criterion;

	for (size_t i = 0; i < spec->n; i++)
		if (spec_check(s, spec->parts[i], err) < 0)
			return -1;
	if (spec->kind != SPEC_CRITERION)
		return 0;
	if (c->childrens_parents && c->has_children)
		return err_set(err, ERR_SELECTOR_INVALID,
			       "'@' before and '+' behind '%s' exclude each other", c->value);
	if (s->major >= 2 && !*c->value &&
	    (c->method_name || c->has_parents || c->has_children || c->childrens_parents))
		return err_set(err, ERR_SELECTOR_INVALID, "a selector names nothing");
	if (c->is_refused && s->refuses_unknown)
		return refuse_method(c, err);
	/* `@` of dbt 2 takes another way. */
	s->uncertain |= c->method == METHOD_ASK || (s->major >= 2 && c->childrens_parents);
	return 0;
}
