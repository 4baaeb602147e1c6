#include "airlock/format/jsonl.h"

#include <string.h>

void jsonl_init(struct jsonl *jsonl, size_t line_limit)
{
	*jsonl = (struct jsonl) { .limit = line_limit };
}

void jsonl_release(struct jsonl *jsonl)
{
	buf_release(&jsonl->pending);
	jsonl->skipping = 0;
}

static void add(struct jsonl *jsonl, const char *data, size_t len, jsonl_line_fn *fn, void *context)
{
	if (jsonl->skipping)
		return;
	if (len > jsonl->limit - jsonl->pending.len) {
		buf_clear(&jsonl->pending);
		jsonl->skipping = 1;
		fn(context, NULL, 0);
		return;
	}
	buf_add(&jsonl->pending, data, len);
}

static void finish(struct jsonl *jsonl, jsonl_line_fn *fn, void *context)
{
	if (!jsonl->skipping)
		fn(context, buf_cstr(&jsonl->pending), jsonl->pending.len);
	jsonl->skipping = 0;
	buf_clear(&jsonl->pending);
}

void jsonl_feed(struct jsonl *jsonl, const char *data, size_t len, jsonl_line_fn *fn, void *context)
{
	while (len > 0) {
		const char *newline = memchr(data, '\n', len);
		size_t n = newline ? (size_t)(newline - data) : len;

		add(jsonl, data, n, fn, context);
		if (!newline)
			return;
		finish(jsonl, fn, context);
		data += n + 1;
		len -= n + 1;
	}
}

void jsonl_end(struct jsonl *jsonl, jsonl_line_fn *fn, void *context)
{
	if (jsonl->pending.len > 0)
		finish(jsonl, fn, context);
	jsonl->skipping = 0;
}
