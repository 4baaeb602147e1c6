/*
 * json: jansson with our errors and limits, under the prefix js_ (json_ is jansson's own).
 *
 * Ownership: js_parse() gives a new reference (json_decref, or CLEANUP(js_free)); js_get_*()
 *            borrow from the value.
 * Errors:    the code given by the caller; the message names the document, line and column.
 */
#ifndef AIRLOCK_FORMAT_JSON_H
#define AIRLOCK_FORMAT_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "airlock/base/buf.h"
#include "airlock/base/err.h"

void js_free(json_t **json);

/* One whole document; anything behind it, merge conflict markers and bytes that are not UTF-8
 * are errors. NULL on error. `name` is what the message calls it (a path). */
json_t *js_parse(const char *text, size_t len, const char *name, enum err_code code,
		 struct err *err);
json_t *js_read_file(const char *path, size_t limit, enum err_code code, struct err *err);

/* NULL, `fallback` or false when the key is missing, null or of another type. */
const char *js_get_string(const json_t *object, const char *key);
json_int_t js_get_integer(const json_t *object, const char *key, json_int_t fallback);
bool js_get_bool(const json_t *object, const char *key, bool fallback);
/* Whether the key is there, and is this text. */
bool js_text_is(const json_t *object, const char *key, const char *text);
json_t *js_get_object(const json_t *object, const char *key);
json_t *js_get_array(const json_t *object, const char *key);

/* Keys in the order they were set, two-space indent and a last newline, or one line without. */
void js_write_pretty(const json_t *json, struct buf *out);
void js_write_line(const json_t *json, struct buf *out);

/* A string value, or null for NULL. */
json_t *js_string_or_null(const char *s);

#endif
