/*
 * buf: growing bytes with a ceiling, always NUL-terminated.
 *
 * Life cycle: BUF_INIT or buf_init_limit(), buf_add*(), buf_release(). CLEANUP(buf_release).
 * Ownership:  buf_take() hands the bytes over (free() them) and leaves an empty buf.
 * Errors:     at the ceiling nothing more is added (what is held is the beginning of what was
 *             fed) and `overflowed` stays true; whoever feeds outside input checks it. The
 *             default ceiling is 1 GiB.
 */
#ifndef AIRLOCK_BASE_BUF_H
#define AIRLOCK_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "airlock/base/mem.h"

struct buf {
	char *data; /* never NULL after the first buf_add; use buf_cstr() to read */
	size_t len;
	size_t cap;
	size_t limit; /* 0: the default */
	bool overflowed;
};

#define BUF_INIT                                                                                   \
	{                                                                                          \
		0                                                                                  \
	}

void buf_init_limit(struct buf *buf, size_t limit);
void buf_release(struct buf *buf);
void buf_clear(struct buf *buf);             /* keeps the memory, resets overflowed */
const char *buf_cstr(const struct buf *buf); /* "" for an empty one */
char *buf_take(struct buf *buf);

void buf_add(struct buf *buf, const void *data, size_t len);
void buf_add_char(struct buf *buf, char c);
void buf_add_str(struct buf *buf, const char *s);
/* One word as a POSIX shell reads it back. */
void buf_add_shell_word(struct buf *buf, const char *word);
void buf_printf(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);
void buf_vprintf(struct buf *buf, const char *format, va_list ap) PRINTF_LIKE(2, 0);
void buf_remove_front(struct buf *buf, size_t n);

#endif
