#include "airlock/base/buf.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
	DEFAULT_LIMIT = 1024 * 1024 * 1024,
	FIRST_CAP = 64,
};

static size_t room(const struct buf *buf)
{
	size_t limit = buf->limit ? buf->limit : DEFAULT_LIMIT;

	return buf->overflowed || buf->len >= limit ? 0 : limit - buf->len;
}

static void reserve(struct buf *buf, size_t more)
{
	size_t need, cap;

	if (__builtin_add_overflow(buf->len, more, &need) || need == SIZE_MAX)
		abort();
	need++;
	if (need <= buf->cap)
		return;
	cap = buf->cap ? buf->cap : FIRST_CAP;
	while (cap < need)
		cap = cap > SIZE_MAX / 2 ? need : cap * 2;
	buf->data = mem_realloc(buf->data, cap, 1);
	buf->cap = cap;
}

void buf_init_limit(struct buf *buf, size_t limit)
{
	*buf = (struct buf) { .limit = limit };
}

void buf_release(struct buf *buf)
{
	free(buf->data);
	*buf = (struct buf) { .limit = buf->limit };
}

void buf_clear(struct buf *buf)
{
	buf->len = 0;
	buf->overflowed = false;
	if (buf->data)
		buf->data[0] = '\0';
}

const char *buf_cstr(const struct buf *buf)
{
	return buf->data ? buf->data : "";
}

char *buf_take(struct buf *buf)
{
	char *data = buf->data ? buf->data : mem_strdup("");

	*buf = (struct buf) { .limit = buf->limit };
	return data;
}

/* What fits is kept: the content is a prefix of what was fed, however it was cut up. */
void buf_add(struct buf *buf, const void *data, size_t len)
{
	size_t fits = room(buf);

	if (len > fits) {
		buf->overflowed = true;
		len = fits;
	}
	reserve(buf, len);
	if (len)
		memcpy(buf->data + buf->len, data, len);
	buf->len += len;
	buf->data[buf->len] = '\0';
}

void buf_add_char(struct buf *buf, char c)
{
	buf_add(buf, &c, 1);
}

void buf_add_str(struct buf *buf, const char *s)
{
	buf_add(buf, s, strlen(s));
}

void buf_add_shell_word(struct buf *buf, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_-+=:,./@%^";

	if (*word && strspn(word, plain) == strlen(word)) {
		buf_add_str(buf, word);
		return;
	}
	buf_add_char(buf, '\'');
	for (; *word; word++) {
		if (*word == '\'')
			buf_add_str(buf, "'\\''");
		else
			buf_add_char(buf, *word);
	}
	buf_add_char(buf, '\'');
}

void buf_printf(struct buf *buf, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	buf_vprintf(buf, format, ap);
	va_end(ap);
}

void buf_vprintf(struct buf *buf, const char *format, va_list ap)
{
	char *text = mem_vprintf(format, ap);

	buf_add_str(buf, text);
	free(text);
}

void buf_remove_front(struct buf *buf, size_t n)
{
	if (n >= buf->len)
		n = buf->len;
	if (!n)
		return;
	memmove(buf->data, buf->data + n, buf->len - n + 1);
	buf->len -= n;
}
