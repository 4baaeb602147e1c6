/*
 * event: one line of dbt's JSON log as a typed event. Lines that are not JSON are EVENT_TEXT.
 * Names and codes: dbt/events/types.py, dbt_common/events/types.py (1.11).
 */
#ifndef AIRLOCK_DBT_EVENT_H
#define AIRLOCK_DBT_EVENT_H

#include <stddef.h>

#include "airlock/base/buf.h"

enum event_kind {
	EVENT_OTHER = 0,
	EVENT_TEXT,        /* not JSON: message is the line */
	EVENT_PRINT,       /* print(): Z052, message is what was printed */
	EVENT_NODE_START,  /* LogStartLine Q011 */
	EVENT_NODE_RESULT, /* Log*Result, SkippingDetails */
	EVENT_ERROR,       /* level error and none of the above */
	EVENT_WARNING,     /* level warn and none of the above */
};

struct event {
	enum event_kind kind;
	const char *name; /* info.name; "" for text */
	const char *level;
	/* For people: without colours, counters and dots; of an error the reason, with the name of
	 * its node. Of a print exactly what was printed. */
	const char *message;
	const char *invocation_id;
	const char *unique_id; /* data.node_info.unique_id, "" without */
	const char *status;    /* data.node_info.node_status, "" without */
	long long index;       /* data.index and data.total, 0 without */
	long long total;
	double seconds; /* data.execution_time */
};

typedef void event_fn(void *context, const struct event *event);

/* The event and its strings live until `fn` returns. */
void event_parse(const char *line, size_t len, event_fn *fn, void *context);

/* A text of dbt without colours (some keep them under --no-use-colors) and with plain newlines. */
void event_add_plain(struct buf *out, const char *s);

#endif
