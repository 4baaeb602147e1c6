/*
 * strv: a vector of owned strings that always ends in NULL (fit for execve).
 *
 * Life cycle: STRV_INIT, strv_push*(), strv_release(). CLEANUP(strv_release).
 * Ownership:  strv_push() copies, strv_take() takes the string over.
 */
#ifndef AIRLOCK_BASE_STRV_H
#define AIRLOCK_BASE_STRV_H

#include <stdbool.h>
#include <stddef.h>

#include "airlock/base/mem.h"

struct strv {
	char **v; /* NULL while empty: use strv_argv() to pass it on */
	size_t n;
	size_t cap;
};

#define STRV_INIT                                                                                  \
	{                                                                                          \
		0                                                                                  \
	}

void strv_release(struct strv *strv);
void strv_push(struct strv *strv, const char *s);
void strv_take(struct strv *strv, char *s);
void strv_pushf(struct strv *strv, const char *format, ...) PRINTF_LIKE(2, 3);
void strv_push_all(struct strv *strv, const struct strv *from);
char *const *strv_argv(const struct strv *strv); /* never NULL */
bool strv_contains(const struct strv *strv, const char *s);
void strv_sort(struct strv *strv);  /* by bytes */
void strv_dedup(struct strv *strv); /* removes equal neighbours: sort first */

/* Splits at any of `separators`, leaving empty parts out. */
void strv_split(struct strv *strv, const char *s, const char *separators);
/* As a shell splits: quotes and backslashes, nothing else. False when a quote is not closed. */
bool strv_split_shell(struct strv *strv, const char *text);
char *strv_join(const struct strv *strv, const char *separator); /* free() it */

/*
 * The nearest of `candidates` by edit distance when it is near enough to be a misspelling of
 * `word` (at most a third of its length, and at most 3), else NULL. Borrowed from candidates.
 */
const char *strv_nearest(const char *word, const char *const *candidates, size_t n);

#endif
