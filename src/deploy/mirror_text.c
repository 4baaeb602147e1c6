#include "airlock/deploy/mirror_text.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { CONTEXT_LINES = 3 };

char *mirror_model_name(const struct manifest_node *source)
{
	char *name = mem_printf("raw_%s__%s", source->source_name, source->name);

	for (char *p = name; *p; p++)
		if (!isalnum((unsigned char)*p))
			*p = '_';
	return name;
}

/* Inside single quotes of Jinja. */
static void add_quoted(struct buf *out, const char *text)
{
	buf_add_char(out, '\'');
	for (; *text; text++) {
		if (*text == '\'' || *text == '\\')
			buf_add_char(out, '\\');
		buf_add_char(out, *text);
	}
	buf_add_char(out, '\'');
}

void mirror_write_model(const struct manifest_node *source, struct buf *out)
{
	buf_add_str(out, "{{ config(materialized='table', schema='raw', tags=['raw']) }}\n\n"
			 "select * from {{ source(");
	add_quoted(out, source->source_name);
	buf_add_str(out, ", ");
	add_quoted(out, source->name);
	buf_add_str(out, ") }}\n");
}

void mirror_write_schema(const struct mirror_pair *pairs, size_t n, struct buf *out)
{
	buf_add_str(out, "version: 2\n\nmodels:\n");
	for (size_t i = 0; i < n; i++) {
		buf_printf(out, "  - name: %s\n    description: >-\n", pairs[i].model);
		buf_printf(
			out,
			"      The last good copy of %s.%s; 'airlock mirror refresh' fills it.\n",
			pairs[i].source->source_name, pairs[i].source->name);
	}
}

/* --- source('name', 'table') in a text --- */

static const char *skip_blanks(const char *p)
{
	while (*p == ' ' || *p == '\t')
		p++;
	return p;
}

/* A quoted word without escapes; NULL when there is none. */
static const char *read_quoted(const char *p, const char **ret_word, size_t *ret_len)
{
	char quote = *p;
	size_t len;

	if (quote != '\'' && quote != '"')
		return NULL;
	len = strcspn(p + 1, "'\"\\\n");
	if (p[1 + len] != quote)
		return NULL;
	*ret_word = p + 1;
	*ret_len = len;
	return p + len + 2;
}

static bool is_word(const char *word, size_t len, const char *text)
{
	return strlen(text) == len && strncmp(word, text, len) == 0;
}

static const struct mirror_pair *find_pair(const struct mirror_pair *pairs, size_t n,
					   const char *name, size_t name_len, const char *table,
					   size_t table_len)
{
	for (size_t i = 0; i < n; i++)
		if (is_word(name, name_len, pairs[i].source->source_name) &&
		    is_word(table, table_len, pairs[i].source->name))
			return &pairs[i];
	return NULL;
}

/* Behind a call at `p`, and which pair it names; NULL when it is none. */
static const char *read_call(const char *p, const struct mirror_pair *pairs, size_t n,
			     const struct mirror_pair **ret_pair)
{
	const char *name, *table;
	size_t name_len, table_len;

	if (strncmp(p, "source", strlen("source")) != 0)
		return NULL;
	p = skip_blanks(p + strlen("source"));
	if (*p != '(')
		return NULL;
	p = read_quoted(skip_blanks(p + 1), &name, &name_len);
	p = p ? skip_blanks(p) : NULL;
	if (!p || *p != ',')
		return NULL;
	p = read_quoted(skip_blanks(p + 1), &table, &table_len);
	p = p ? skip_blanks(p) : NULL;
	if (!p || *p != ')')
		return NULL;
	*ret_pair = find_pair(pairs, n, name, name_len, table, table_len);
	return *ret_pair ? p + 1 : NULL;
}

static size_t replace_line(const char *line, size_t len, const struct mirror_pair *pairs, size_t n,
			   struct buf *out)
{
	char *text CLEANUP(mem_free_string) = mem_strndup(line, len);
	size_t replaced = 0;

	for (const char *p = text; *p;) {
		bool begins = p == text || !(isalnum((unsigned char)p[-1]) || p[-1] == '_');
		const struct mirror_pair *pair;
		const char *behind = begins ? read_call(p, pairs, n, &pair) : NULL;

		if (!behind) {
			buf_add_char(out, *p++);
			continue;
		}
		buf_add_str(out, "ref(");
		add_quoted(out, pair->model);
		buf_add_char(out, ')');
		replaced++;
		p = behind;
	}
	return replaced;
}

/* --- the diff: a line becomes a line --- */

struct line {
	const char *at;
	size_t len;
	bool ends; /* in a newline */
	char *now; /* NULL: as it is */
};

struct lines {
	struct line *v;
	size_t n;
};

static void lines_release(struct lines *lines)
{
	for (size_t i = 0; i < lines->n; i++)
		free(lines->v[i].now);
	free(lines->v);
}

static size_t count_lines(const char *text)
{
	size_t n = 1;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static size_t read_lines(const char *text, const struct mirror_pair *pairs, size_t n,
			 struct lines *lines)
{
	size_t replaced = 0;

	lines->v = mem_alloc(count_lines(text) * sizeof(*lines->v));
	while (*text) {
		size_t len = strcspn(text, "\n");
		struct line *line = &lines->v[lines->n++];
		struct buf now = BUF_INIT;
		size_t here = replace_line(text, len, pairs, n, &now);

		*line = (struct line) { text, len, text[len] == '\n', NULL };
		if (here > 0)
			line->now = buf_take(&now);
		else
			buf_release(&now);
		replaced += here;
		text += len + line->ends;
	}
	return replaced;
}

static void add_line(struct buf *out, char sign, const char *text, size_t len, bool ends)
{
	buf_add_char(out, sign);
	buf_add(out, text, len);
	buf_add_str(out, ends ? "\n" : "\n\\ No newline at end of file\n");
}

static void write_hunk(const struct lines *lines, size_t first, size_t end, struct buf *out)
{
	buf_printf(out, "@@ -%zu,%zu +%zu,%zu @@\n", first + 1, end - first, first + 1,
		   end - first);
	for (size_t i = first; i < end; i++) {
		const struct line *line = &lines->v[i];

		add_line(out, line->now ? '-' : ' ', line->at, line->len, line->ends);
		if (line->now)
			add_line(out, '+', line->now, strlen(line->now), line->ends);
	}
}

/* Behind the last change that is near enough to `i` to be in its hunk. */
static size_t end_of_hunk(const struct lines *lines, size_t i)
{
	size_t last = i;

	for (size_t k = i; k < lines->n && k <= last + 2 * CONTEXT_LINES; k++)
		if (lines->v[k].now)
			last = k;
	return last + 1;
}

size_t mirror_write_diff(const char *path, const char *text, const struct mirror_pair *pairs,
			 size_t n, struct buf *out)
{
	struct lines lines CLEANUP(lines_release) = { 0 };
	size_t replaced = read_lines(text, pairs, n, &lines);

	if (replaced == 0)
		return 0;
	buf_printf(out, "--- a/%s\n+++ b/%s\n", path, path);
	for (size_t i = 0; i < lines.n; i++) {
		if (!lines.v[i].now)
			continue;
		size_t end = end_of_hunk(&lines, i);
		size_t first = i > CONTEXT_LINES ? i - CONTEXT_LINES : 0;
		size_t last = end + CONTEXT_LINES < lines.n ? end + CONTEXT_LINES : lines.n;

		write_hunk(&lines, first, last, out);
		i = end - 1;
	}
	return replaced;
}
