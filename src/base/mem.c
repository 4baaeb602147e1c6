#include "airlock/base/mem.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mem_internal.h"

enum {
	ARENA_BLOCK_SIZE = 32 * 1024, /* of the first; later ones double up to a huge page */
	HUGE_PAGE = 2 * 1024 * 1024,
	GROW_FIRST = 8,
};

struct arena_block {
	struct arena_block *next;
	size_t size;
	size_t step; /* the size that is usual by now */
	size_t used;
	alignas(max_align_t) unsigned char data[];
};

/* The one message that bypasses the reporter: there may be no memory left to go through it. */
static _Noreturn void out_of_memory(void)
{
	static const char text[] = "airlock: out of memory\n";
	ssize_t written = write(STDERR_FILENO, text, sizeof(text) - 1);

	(void)written;
	abort();
}

void *mem_alloc(size_t size)
{
	void *p = calloc(1, size ? size : 1);

	if (!p)
		out_of_memory();
	return p;
}

void *mem_realloc(void *p, size_t count, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(count, size, &total))
		out_of_memory();
	p = realloc(p, total ? total : 1);
	if (!p)
		out_of_memory();
	return p;
}

void *mem_large(size_t size)
{
	size_t room = (size + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
	void *p;

	if (size < HUGE_PAGE) {
		p = mem_realloc(NULL, size, 1);
		mem_populate(p, size);
		return p;
	}
	if (room < size || posix_memalign(&p, HUGE_PAGE, room))
		out_of_memory();
	mem_prefer_huge_pages(p, room);
	return p;
}

char *mem_strdup(const char *s)
{
	return mem_strndup(s, strlen(s));
}

char *mem_strndup(const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *copy = mem_realloc(NULL, len + 1, 1);

	memcpy(copy, s, len);
	copy[len] = '\0';
	return copy;
}

char *mem_printf(const char *format, ...)
{
	va_list ap;
	char *s;

	va_start(ap, format);
	s = mem_vprintf(format, ap);
	va_end(ap);
	return s;
}

char *mem_vprintf(const char *format, va_list ap)
{
	char *s;

	if (vasprintf(&s, format, ap) < 0)
		out_of_memory();
	return s;
}

char *mem_lower(char *s)
{
	for (char *p = s; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	return s;
}

char *mem_upper(char *s)
{
	for (char *p = s; *p; p++)
		if (*p >= 'a' && *p <= 'z')
			*p = (char)(*p - 'a' + 'A');
	return s;
}

void mem_free_string(char **s)
{
	free(*s);
	*s = NULL;
}

/* The first of each two that are equal stays in front. */
static void merge(char *to, const char *left, size_t left_n, const char *right, size_t right_n,
		  size_t size, mem_compare_fn *compare, const void *context)
{
	while (left_n || right_n) {
		bool is_left = !right_n || (left_n && compare(left, right, context) <= 0);
		const char **from = is_left ? &left : &right;

		memcpy(to, *from, size);
		to += size;
		*from += size;
		*(is_left ? &left_n : &right_n) -= 1;
	}
}

void mem_sort(void *array, size_t n, size_t size, mem_compare_fn *compare, const void *context)
{
	char *spare = mem_realloc(NULL, n, size), *from = array, *to = spare;

	for (size_t width = 1; width < n; width *= 2) {
		char *sorted = to;

		for (size_t at = 0; at < n; at += 2 * width) {
			size_t left = n - at < width ? n - at : width;
			size_t right = n - at - left < width ? n - at - left : width;

			merge(to + at * size, from + at * size, left, from + (at + left) * size,
			      right, size, compare, context);
		}
		to = from;
		from = sorted;
	}
	if (from != array)
		memcpy(array, from, n * size);
	free(spare);
}

void mem_grow(void **array, size_t *cap, size_t need, size_t size)
{
	size_t next = *cap ? *cap : GROW_FIRST;
	void *p;

	if (need <= *cap)
		return;
	while (next < need) {
		if (next > SIZE_MAX / 2)
			out_of_memory();
		next *= 2;
	}
	/* Callers pass the address of a `struct x *` as `void **`: only its bytes may be touched,
	 * a load or store as `void *` would break the aliasing rules. */
	memcpy(&p, array, sizeof(p));
	p = mem_realloc(p, next, size);
	memcpy(array, &p, sizeof(p));
	*cap = next;
}

void arena_init(struct arena *arena)
{
	arena->head = NULL;
}

void arena_release(struct arena *arena)
{
	struct arena_block *block = arena->head;

	while (block) {
		struct arena_block *next = block->next;

		free(block);
		block = next;
	}
	arena->head = NULL;
}

static struct arena_block *new_block(size_t size)
{
	struct arena_block *block;

	if (size > SIZE_MAX - sizeof(*block))
		out_of_memory();
	if (sizeof(*block) + size < HUGE_PAGE) {
		block = mem_alloc(sizeof(*block) + size);
		if (size > ARENA_BLOCK_SIZE)
			mem_populate(block, sizeof(*block) + size);
	} else {
		block = mem_large(sizeof(*block) + size);
		memset(block, 0, sizeof(*block) + size);
	}
	block->size = size;
	return block;
}

/* An arena that has grown goes on growing. */
static size_t next_step(const struct arena_block *head)
{
	const size_t most = HUGE_PAGE - sizeof(*head);
	size_t step = head ? 2 * head->step : ARENA_BLOCK_SIZE;

	return step < most ? step : most;
}

/* A block made for one big element is full: the head that still has room stays first. */
static struct arena_block *add_big(struct arena *arena, size_t size)
{
	struct arena_block *block = new_block(size);

	if (!arena->head) {
		block->step = ARENA_BLOCK_SIZE / 2;
		arena->head = block;
		return block;
	}
	block->next = arena->head->next;
	arena->head->next = block;
	return block;
}

static struct arena_block *add_usual(struct arena *arena)
{
	size_t step = next_step(arena->head);
	struct arena_block *block = new_block(step);

	block->step = step;
	block->next = arena->head;
	arena->head = block;
	return block;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	struct arena_block *block = arena->head;
	size_t align = alignof(max_align_t);
	void *p;

	if (size > SIZE_MAX - align)
		out_of_memory();
	size = (size + align - 1) / align * align;
	if (size > ARENA_BLOCK_SIZE)
		block = add_big(arena, size);
	else if (!block || block->size - block->used < size)
		block = add_usual(arena);
	p = block->data + block->used;
	block->used += size;
	return p;
}

char *arena_strdup(struct arena *arena, const char *s)
{
	return s ? arena_strndup(arena, s, strlen(s)) : NULL;
}

char *arena_strndup(struct arena *arena, const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *copy = arena_alloc(arena, len + 1);

	memcpy(copy, s, len);
	return copy;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
	va_list ap;
	char *s, *copy;

	va_start(ap, format);
	s = mem_vprintf(format, ap);
	va_end(ap);
	copy = arena_strdup(arena, s);
	free(s);
	return copy;
}
