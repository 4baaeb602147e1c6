#include "airlock/warehouse/view_text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "airlock/base/buf.h"
#include "airlock/warehouse/dialect.h"

/* database.schema.identifier.column */
enum { PARTS_MAX = 4 };

struct reader {
	const struct dialect *dialect;
	const char *database;
	const char *at;
	struct view_text *text;
};

static bool begins_name(char c)
{
	return isalpha((unsigned char)c) || c == '_' || (c & 0x80);
}

static bool continues_name(char c)
{
	return begins_name(c) || isdigit((unsigned char)c) || c == '$';
}

static const char *skip_line(const char *p)
{
	return p + strcspn(p, "\n");
}

/* They nest, but not in GoogleSQL. */
static const char *skip_comment(const char *p, bool nests)
{
	size_t depth = 0;

	while (*p) {
		if (p[0] == '/' && p[1] == '*' && (nests || depth == 0)) {
			depth++;
			p += 2;
		} else if (p[0] == '*' && p[1] == '/') {
			p += 2;
			if (--depth == 0)
				return p;
		} else {
			p++;
		}
	}
	return p;
}

static const char *skip_string(const char *p, bool escapes)
{
	for (p++; *p; p++) {
		if (escapes && *p == '\\' && p[1])
			p++;
		else if (*p == '\'' && p[1] == '\'')
			p++;
		else if (*p == '\'')
			return p + 1;
	}
	return p;
}

/* 'text', "text", and both with three quotes. In a raw one a backslash keeps a quote from ending it
 * as well. */
static const char *skip_google_string(const char *p)
{
	char quote = *p;
	bool is_long = p[1] == quote && p[2] == quote;

	for (p += is_long ? 3 : 1; *p; p++) {
		if (*p == '\\' && p[1])
			p++;
		else if (*p == quote && !is_long)
			return p + 1;
		else if (*p == quote && p[1] == quote && p[2] == quote)
			return p + 3;
	}
	return p;
}

/* $$ ... $$ or $tag$ ... $tag$; a dollar that opens nothing is skipped alone. */
static const char *skip_dollar(const char *p)
{
	const char *tag_end = p + 1;

	if (begins_name(*tag_end))
		while (*tag_end != '$' && continues_name(*tag_end))
			tag_end++;
	if (*tag_end != '$')
		return p + 1;
	size_t len = (size_t)(tag_end + 1 - p);
	const char *end = memmem(p + len, strlen(p + len), p, len);

	return end ? end + len : p + strlen(p);
}

static const char *skip_blank(const char *p, bool nests)
{
	for (;;) {
		if (isspace((unsigned char)*p))
			p++;
		else if (p[0] == '-' && p[1] == '-')
			p = skip_line(p);
		else if (p[0] == '/' && p[1] == '*')
			p = skip_comment(p, nests);
		else
			return p;
	}
}

static const char *quoted_name(struct reader *r)
{
	struct buf name CLEANUP(buf_release) = BUF_INIT;
	const char *p = r->at + 1;

	for (; *p; p++) {
		if (*p == r->dialect->quote && *++p != r->dialect->quote)
			break;
		buf_add_char(&name, *p);
	}
	r->at = p;
	return arena_strdup(&r->text->arena, buf_cstr(&name));
}

/* PostgreSQL stores what is not quoted in small letters, Snowflake in capitals, BigQuery as it is;
 * DuckDB compares without case anyway. */
static const char *plain_name(struct reader *r)
{
	struct buf name CLEANUP(buf_release) = BUF_INIT;
	bool upper = r->dialect->folds_upper;

	for (; continues_name(*r->at); r->at++) {
		int c = (unsigned char)*r->at;

		if (!r->dialect->is_google_sql)
			c = upper ? toupper(c) : tolower(c);
		buf_add_char(&name, (char)c);
	}
	return arena_strdup(&r->text->arena, buf_cstr(&name));
}

static const char *one_name(struct reader *r)
{
	return *r->at == r->dialect->quote ? quoted_name(r) : plain_name(r);
}

static void add(struct reader *r, const char *database, const char *schema, const char *identifier)
{
	struct view_text *text = r->text;

	mem_grow((void **)&text->names, &text->cap, text->n + 1, sizeof(*text->names));
	text->names[text->n++] = (struct relation) { database, schema, identifier };
}

/* `a.b` in one pair of quotes is two names. */
static size_t split_name(struct reader *r, const char *name, const char **parts, size_t n)
{
	for (;;) {
		size_t len = r->dialect->is_google_sql ? strcspn(name, ".") : strlen(name);

		if (n < PARTS_MAX)
			parts[n++] = arena_printf(&r->text->arena, "%.*s", (int)len, name);
		if (!name[len])
			return n;
		name += len + 1;
	}
}

/* a-b.c.d may be a project with a hyphen, or a difference: it is both. */
static const char *hyphened(struct reader *r)
{
	const char *p = r->at;

	while (continues_name(*p) || (*p == '-' && continues_name(p[1])))
		p++;
	if (!r->dialect->is_google_sql || *p != '.' || !memchr(r->at, '-', (size_t)(p - r->at)))
		return NULL;
	return arena_printf(&r->text->arena, "%.*s", (int)(p - r->at), r->at);
}

static void read_hyphened(const struct reader *r, const char *project)
{
	const char *parts[PARTS_MAX] = { project };
	struct reader rest = *r;
	size_t n = 1;

	rest.at += strlen(project);
	while (*rest.at == '.' && n < 3) {
		rest.at++;
		if (*rest.at != r->dialect->quote && !begins_name(*rest.at))
			break;
		n = split_name(&rest, one_name(&rest), parts, n);
	}
	if (n > 2)
		add(&rest, parts[0], parts[1], parts[2]);
}

static void read_name(struct reader *r)
{
	bool nests = !r->dialect->is_google_sql;
	const char *parts[PARTS_MAX];
	const char *project = hyphened(r);
	size_t n;

	if (project)
		read_hyphened(r, project);
	n = split_name(r, one_name(r), parts, 0);
	for (;;) {
		const char *dot = skip_blank(r->at, nests);
		const char *next = *dot == '.' ? skip_blank(dot + 1, nests) : dot;

		if (*dot != '.' || (*next != r->dialect->quote && !begins_name(*next)))
			break;
		r->at = next;
		n = split_name(r, one_name(r), parts, n);
	}
	if (n > 1)
		add(r, r->database, parts[0], parts[1]);
	if (n > 2)
		add(r, parts[0], parts[1], parts[2]);
	/* DuckDB finds database.identifier in the schema `main`. */
	if (n > 1 && r->dialect->names_database)
		add(r, parts[0], "main", parts[1]);
}

static bool is_escape_prefix(const char *p)
{
	return (*p == 'e' || *p == 'E') && p[1] == '\'';
}

static bool is_number(const char *p)
{
	return isdigit((unsigned char)*p);
}

static void read_token(struct reader *r)
{
	const char *p = r->at;

	if (r->dialect->is_google_sql && (*p == '\'' || *p == '"'))
		r->at = skip_google_string(p);
	else if (*p == '\'')
		r->at = skip_string(p, r->dialect->escapes_backslash);
	else if (!r->dialect->is_google_sql && is_escape_prefix(p))
		r->at = skip_string(p + 1, true);
	else if (*p == '#' && r->dialect->is_google_sql)
		r->at = skip_line(p);
	else if (*p == '$' && !r->dialect->is_google_sql)
		r->at = skip_dollar(p);
	else if (*p == r->dialect->quote || begins_name(*p))
		read_name(r);
	else if (is_number(p))
		while (continues_name(*r->at) || *r->at == '.')
			r->at++;
	else
		r->at++;
}

void view_text_read(const struct dialect *dialect, const char *text, const char *database,
		    struct view_text *ret_text)
{
	struct reader r = { dialect, database, text, ret_text };

	*ret_text = (struct view_text) { .n = 0 };
	arena_init(&ret_text->arena);
	for (;;) {
		r.at = skip_blank(r.at, !dialect->is_google_sql);
		if (!*r.at)
			break;
		read_token(&r);
	}
}

void view_text_release(struct view_text *text)
{
	free(text->names);
	arena_release(&text->arena);
	*text = (struct view_text) { .n = 0 };
}

bool view_text_names(const struct dialect *dialect, const struct view_text *text,
		     const struct relation *relation)
{
	for (size_t i = 0; i < text->n; i++)
		if (relation_equal(dialect, &text->names[i], relation))
			return true;
	return false;
}

static bool take_word(const char **at, const char *word)
{
	const char *p = skip_blank(*at, true);
	size_t len = strlen(word);

	if (strncasecmp(p, word, len) != 0 || continues_name(p[len]))
		return false;
	*at = p + len;
	return true;
}

/* Behind what begins with an opening bracket at p. */
static const char *skip_brackets(const char *p)
{
	size_t depth = 0;

	for (;;) {
		p = skip_blank(p, true);
		if (!*p)
			return p;
		if (*p == '\'') {
			p = skip_string(p, true);
			continue;
		}
		if (*p == '$') {
			p = skip_dollar(p);
			continue;
		}
		if (*p == '"') {
			const char *end = strchr(p + 1, '"');

			p = end ? end + 1 : p + strlen(p);
			continue;
		}
		depth += *p == '(';
		depth -= *p == ')';
		p++;
		if (depth == 0)
			return p;
	}
}

static const char *skip_view_name(const char *p)
{
	for (;;) {
		p = skip_blank(p, true);
		if (*p == '"') {
			for (p++; *p; p++)
				if (*p == '"' && *++p != '"')
					break;
		} else {
			while (continues_name(*p))
				p++;
		}
		const char *dot = skip_blank(p, true);

		if (*dot != '.')
			return p;
		p = dot + 1;
	}
}

/* Between the columns and the query. A comment is set by a statement of its own. */
static bool skip_options(const char **at)
{
	for (;;) {
		if (take_word(at, "copy") && !take_word(at, "grants"))
			return false;
		if (take_word(at, "comment")) {
			const char *p = skip_blank(*at, true);

			p = *p == '=' ? skip_blank(p + 1, true) : p;
			if (*p != '\'')
				return false;
			*at = skip_string(p, true);
			continue;
		}
		const char *p = skip_blank(*at, true);

		*at = p;
		return take_word(&p, "as");
	}
}

char *view_text_definition(const char *create)
{
	const char *p = create;
	const char *columns, *columns_end;

	if (!take_word(&p, "create"))
		return NULL;
	if (take_word(&p, "or") && !take_word(&p, "replace"))
		return NULL;
	if (!take_word(&p, "view"))
		return NULL;
	if (take_word(&p, "if") && !(take_word(&p, "not") && take_word(&p, "exists")))
		return NULL;
	columns = columns_end = skip_blank(skip_view_name(p), true);
	if (*columns == '(')
		columns_end = skip_brackets(columns);
	p = columns_end;
	if (!skip_options(&p))
		return NULL;
	size_t len = strlen(p);

	while (len > 0 && (isspace((unsigned char)p[len - 1]) || p[len - 1] == ';'))
		len--;
	if (columns == columns_end)
		return mem_printf("%.*s", (int)len, p);
	return mem_printf("%.*s copy grants %.*s", (int)(columns_end - columns), columns, (int)len,
			  p);
}
