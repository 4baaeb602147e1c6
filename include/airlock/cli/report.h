/*
 * report: the terminal. Progress and notices on stderr as plain lines, results on stdout; besides
 * main nothing else writes to either. Implements struct reporter.
 *
 * On a terminal, and not under CI or PRE_COMMIT, one line that is written over shows what is
 * being built; elsewhere only what is worth a line of a log: steps, statements, nodes that did
 * not go well. Notices never hold the words by which log watchers know a failed dbt.
 *
 * Life cycle: report_init(), then as struct reporter; report_clear() before anything else writes
 *             to the terminal.
 * Errors:     what cannot be written to stderr is lost; report_result() says so of stdout.
 */
#ifndef AIRLOCK_CLI_REPORT_H
#define AIRLOCK_CLI_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "airlock/base/buf.h"
#include "airlock/base/err.h"
#include "airlock/base/strv.h"
#include "airlock/deploy/report.h"

struct report {
	struct reporter reporter; /* first */
	int out;                  /* descriptors; 1 and 2 but in tests */
	int progress;
	bool is_live; /* there is a line to write over */
	bool is_line_open;
	bool is_json;            /* each line is an event, as dbt has them with --log-format json */
	bool results_are_events; /* on stdout too, but for the document of --json */
	char invocation_id[37];  /* of these events */
	bool can_ask;            /* stdin and stderr are terminals */
};

void report_init(struct report *report, const struct strv *environment);
/* `format` is what --log-format says; NULL: what DBT_LOG_FORMAT says holds. */
void report_set_format(struct report *report, const char *format);
void report_clear(struct report *report);

/* A line on stderr, "airlock: " in front of it. */
void report_notice(struct report *report, const char *format, ...) PRINTF_LIKE(2, 3);

/* Shows the text with the question behind it; whether the answer was yes. */
bool report_ask(struct report *report, struct buf *text, const char *question);

/* The error as main prints it: message, hint. */
void report_error(struct report *report, const struct err *err);

/* What the error says of production, in words. */
const char *report_production(const struct err *err);

/* The result for people: text, or events where the command's results are such. */
int report_text(struct report *report, const char *text, size_t len, struct err *err);
/* Bytes of the result to stdout. */
int report_result(struct report *report, const char *text, size_t len, struct err *err);
/* The document of --json; takes the reference over. */
int report_document(struct report *report, json_t *document, struct err *err);

/* A JSON string of any bytes: where they are not UTF-8, question marks. A new reference. */
json_t *report_string_json(const char *s);
/* {"code", "message", "hint", "exit"}, a new reference. */
json_t *report_error_json(const struct err *err);

#endif
