/* The log of dbt in pieces of any size: the first byte says how large they are. */
#include <stdlib.h>
#include <string.h>

#include "airlock/dbt/event.h"
#include "airlock/format/jsonl.h"
#include "fuzz.h"

static void on_event(void *context, const struct event *event)
{
	size_t *bytes = context;

	*bytes += strlen(event->name) + strlen(event->level) + strlen(event->message) +
		  strlen(event->invocation_id) + strlen(event->unique_id) + strlen(event->status);
}

static void on_line(void *context, const char *line, size_t len)
{
	if (!line)
		return;
	if (strlen(line) > len)
		abort();
	event_parse(line, len, on_event, context);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct jsonl jsonl;
	size_t piece = size ? data[0] + 1U : 1;
	size_t bytes = 0;

	jsonl_init(&jsonl, 4096);
	for (size_t at = 1; at < size; at += piece)
		jsonl_feed(&jsonl, (const char *)data + at, at + piece < size ? piece : size - at,
			   on_line, &bytes);
	jsonl_end(&jsonl, on_line, &bytes);
	jsonl_release(&jsonl);
	return 0;
}
