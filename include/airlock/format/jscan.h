/*
 * jscan: one pass over a JSON text that finds where values are, without reading them.
 *
 * What is passed over is only checked for strings, brackets and depth. What is used is decoded:
 * by jscan_decode(), or by jansson from the slice, so that it is valid or an error. Of a text
 * that jansson accepts every answer is jansson's; of another one it is an error or what a lenient
 * reader would make of it.
 *
 * Life cycle: jscan_init(), then walk: jscan_enter(), jscan_key() or jscan_item(), jscan_skip().
 * Ownership:  slices borrow from the text. Nothing is allocated.
 * Errors:     -1; jscan_error() says where and why. Limits: depth 2,048, keys of 64 KiB.
 */
#ifndef AIRLOCK_FORMAT_JSCAN_H
#define AIRLOCK_FORMAT_JSCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "airlock/base/buf.h"
#include "airlock/base/err.h"

#define JSCAN_MAX_DEPTH 2048 /* jansson's own */
#define JSCAN_MAX_KEY ((size_t)64 * 1024)

/* A value as it stands, with its quotes or brackets. `at` is NULL where there is none. */
struct jslice {
	const char *at;
	size_t len;
};

struct jscan {
	const char *start;
	const char *at;
	const char *end;
	size_t depth;          /* containers that were entered */
	bool is_plain_key;     /* the last key is known to have no escapes */
	bool is_wide;          /* the processor has AVX2 */
	bool is_first;         /* behind an opening bracket: no comma yet */
	const char *failed_at; /* NULL: nothing failed */
	const char *message;
};

void jscan_init(struct jscan *scan, const char *text, size_t len);

/* The first byte of the value to come; '\0' at the end of the text. */
char jscan_peek(struct jscan *scan);

/* Into the object or array to come. */
int jscan_enter(struct jscan *scan);
/* 1: at the value of the next member, with its key; 0: the object was left; -1. */
int jscan_key(struct jscan *scan, struct jslice *ret_key);
/* 1: at the next item; 0: the array was left; -1. */
int jscan_item(struct jscan *scan);
/* Past the value to come. ret_value may be NULL. */
int jscan_skip(struct jscan *scan, struct jslice *ret_value);
/* Nothing but blanks may follow. */
int jscan_finish(struct jscan *scan);

/* -1 with the scan failed at this place of its text. */
int jscan_fail(struct jscan *scan, const char *at, const char *message);
/* "NAME:LINE:COLUMN: message", columns counted in characters from 1. Returns -1. */
int jscan_error(const struct jscan *scan, const char *name, enum err_code code, struct err *err);

bool jslice_is_string(struct jslice slice);
bool jslice_equals(struct jslice slice, const char *literal); /* byte by byte: "null", "[]" */

/*
 * The text between the quotes where it stands for itself: printable ASCII without a backslash.
 * False for any other string: then jscan_decode().
 */
bool jslice_is_plain(struct jslice string);
/* The value of a string (cleared first). -1 for one that jansson refuses. */
int jscan_decode(struct jslice string, struct buf *ret_text);
/* Whether a key, whatever its escapes, is this name. */
bool jslice_is_key(struct jslice key, const char *name, size_t len);

#endif
