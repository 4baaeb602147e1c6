/*
 * jsonl: bytes in pieces of any size in, whole lines out. A line longer than the limit is
 * reported once as too long (line NULL) and skipped to its end.
 */
#ifndef AIRLOCK_FORMAT_JSONL_H
#define AIRLOCK_FORMAT_JSONL_H

#include <stddef.h>

#include "airlock/base/buf.h"

/* `line` is NUL-terminated without its newline; NULL for one that was too long. */
typedef void jsonl_line_fn(void *context, const char *line, size_t len);

struct jsonl {
	struct buf pending;
	size_t limit;
	int skipping;
};

void jsonl_init(struct jsonl *jsonl, size_t line_limit);
void jsonl_release(struct jsonl *jsonl);
void jsonl_feed(struct jsonl *jsonl, const char *data, size_t len, jsonl_line_fn *fn,
		void *context);
void jsonl_end(struct jsonl *jsonl, jsonl_line_fn *fn, void *context); /* a last line without \n */

#endif
