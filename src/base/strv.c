#include "airlock/base/strv.h"

#include <stdlib.h>
#include <string.h>

#include "airlock/base/buf.h"

void strv_release(struct strv *strv)
{
	for (size_t i = 0; i < strv->n; i++)
		free(strv->v[i]);
	free(strv->v);
	*strv = (struct strv)STRV_INIT;
}

void strv_push(struct strv *strv, const char *s)
{
	strv_take(strv, mem_strdup(s));
}

void strv_take(struct strv *strv, char *s)
{
	mem_grow((void **)&strv->v, &strv->cap, strv->n + 2, sizeof(*strv->v));
	strv->v[strv->n++] = s;
	strv->v[strv->n] = NULL;
}

void strv_pushf(struct strv *strv, const char *format, ...)
{
	va_list ap;
	char *s;

	va_start(ap, format);
	s = mem_vprintf(format, ap);
	va_end(ap);
	strv_take(strv, s);
}

void strv_push_all(struct strv *strv, const struct strv *from)
{
	size_t n = from->n; /* from may be strv itself */

	for (size_t i = 0; i < n; i++)
		strv_push(strv, from->v[i]);
}

char *const *strv_argv(const struct strv *strv)
{
	static char *const none[] = { NULL };

	return strv->v ? strv->v : none;
}

bool strv_contains(const struct strv *strv, const char *s)
{
	for (size_t i = 0; i < strv->n; i++)
		if (strcmp(strv->v[i], s) == 0)
			return true;
	return false;
}

static int compare(const void *a, const void *b)
{
	char *const *left = a;
	char *const *right = b;

	return strcmp(*left, *right);
}

void strv_sort(struct strv *strv)
{
	if (strv->n > 1)
		qsort(strv->v, strv->n, sizeof(*strv->v), compare);
}

void strv_dedup(struct strv *strv)
{
	size_t kept = 0;

	if (strv->n < 2)
		return;
	for (size_t i = 1; i < strv->n; i++) {
		if (strcmp(strv->v[kept], strv->v[i]) == 0)
			free(strv->v[i]);
		else
			strv->v[++kept] = strv->v[i];
	}
	strv->n = kept + 1;
	strv->v[strv->n] = NULL;
}

void strv_split(struct strv *strv, const char *s, const char *separators)
{
	while (*(s += strspn(s, separators))) {
		size_t len = strcspn(s, separators);

		strv_take(strv, mem_strndup(s, len));
		s += len;
	}
}

char *strv_join(const struct strv *strv, const char *separator)
{
	struct buf joined = BUF_INIT;

	for (size_t i = 0; i < strv->n; i++) {
		if (i)
			buf_add_str(&joined, separator);
		buf_add_str(&joined, strv->v[i]);
	}
	return buf_take(&joined);
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/*
 * Insertions, deletions, replacements and swaps of neighbours. Three rows of the usual matrix:
 * the row before the last one is what a swap refers to.
 */
static size_t edit_distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t width = b_len + 1;
	size_t *rows = mem_realloc(NULL, 3 * width, sizeof(*rows));
	size_t *two_before = rows, *before = rows + width, *now = rows + 2 * width;
	size_t distance;

	for (size_t j = 0; j < width; j++)
		now[j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		size_t *free_row = two_before;

		two_before = before;
		before = now;
		now = free_row;
		now[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			now[j] = before[j - 1] + (a[i - 1] != b[j - 1]);
			now[j] = least(now[j], least(before[j], now[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = least(now[j], two_before[j - 2] + 1);
		}
	}
	distance = now[b_len];
	free(rows);
	return distance;
}

const char *strv_nearest(const char *word, const char *const *candidates, size_t n)
{
	size_t len = strlen(word);
	size_t near = least(len / 3, 3);
	const char *best = NULL;

	for (size_t i = 0; i < n; i++) {
		size_t other = strlen(candidates[i]);
		size_t distance;

		/* The distance is at least the difference in length. */
		if ((other > len ? other - len : len - other) > near)
			continue;
		distance = edit_distance(word, len, candidates[i], other);
		if (distance < near || (distance == near && !best)) {
			near = distance;
			best = candidates[i];
		}
	}
	return best;
}

/* One word; NULL when a quote is not closed. */
static const char *take_word(const char *text, struct buf *word)
{
	char quote = '\0';

	for (; *text && (quote || !strchr(" \t\r\n", *text)); text++) {
		bool escapes = *text == '\\' && text[1] &&
			       (!quote || (quote == '"' && strchr("\\\"$`", text[1])));

		if (escapes)
			buf_add_char(word, *++text);
		else if (quote ? *text == quote : *text == '\'' || *text == '"')
			quote = quote ? '\0' : *text;
		else
			buf_add_char(word, *text);
	}
	return quote ? NULL : text;
}

bool strv_split_shell(struct strv *strv, const char *text)
{
	for (;;) {
		struct buf word = BUF_INIT;

		text += strspn(text, " \t\r\n");
		if (!*text)
			return true;
		text = take_word(text, &word);
		if (!text) {
			buf_release(&word);
			return false;
		}
		strv_take(strv, buf_take(&word));
	}
}
