/*
 * mem: allocation that never returns NULL, and an arena.
 *
 * Life cycle: arena_init(), arena_alloc() and friends, arena_release() frees all at once.
 * Ownership:  what mem_* returns is freed with free(); arena memory belongs to the arena.
 * Errors:     out of memory aborts the process.
 */
#ifndef AIRLOCK_BASE_MEM_H
#define AIRLOCK_BASE_MEM_H

#include <stdarg.h>
#include <stddef.h>

#define CLEANUP(function) __attribute__((cleanup(function)))
#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

void *mem_alloc(size_t size);                          /* zeroed */
void *mem_realloc(void *p, size_t count, size_t size); /* checked count * size */

/* qsort_r(3), which not every system has, nor with its arguments in one order; and stable. */
typedef int mem_compare_fn(const void *a, const void *b, const void *context);
void mem_sort(void *array, size_t n, size_t size, mem_compare_fn *compare, const void *context);

/* Not zeroed, for what will be written whole. Where it is megabytes it is in huge pages, if the
 * system has them, and its pages are there at once, if it can: the faults would cost more than the
 * use. */
void *mem_large(size_t size);
char *mem_strdup(const char *s);
char *mem_strndup(const char *s, size_t n);
char *mem_printf(const char *format, ...) PRINTF_LIKE(1, 2);
char *mem_vprintf(const char *format, va_list ap) PRINTF_LIKE(1, 0);
char *mem_lower(char *s); /* the ASCII letters, in place; gives s */
char *mem_upper(char *s);

/* Cleanup attribute for a `char *` that free() releases: CLEANUP(mem_free_string). */
void mem_free_string(char **s);

/*
 * Room for one more element in a growing array: `mem_grow(&v, &cap, n + 1, sizeof(*v))`,
 * with v passed as void **.
 */
void mem_grow(void **array, size_t *cap, size_t need, size_t size);

struct arena_block;

struct arena {
	struct arena_block *head;
};

void arena_init(struct arena *arena);
void arena_release(struct arena *arena);
void *arena_alloc(struct arena *arena, size_t size);    /* zeroed, aligned for any type */
char *arena_strdup(struct arena *arena, const char *s); /* NULL gives NULL */
char *arena_strndup(struct arena *arena, const char *s, size_t n);
char *arena_printf(struct arena *arena, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
