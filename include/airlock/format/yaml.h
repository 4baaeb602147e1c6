/*
 * yaml: one YAML document as a tree in which every node knows its line and column.
 *
 * Refused, because libyaml accepts them silently: duplicate keys, an alias inside its own
 * anchor, several documents, and documents beyond the limits (16 MiB, depth 64, 200,000 nodes
 * with aliases counted as often as they are used). Merge keys (<<) are resolved as PyYAML does.
 *
 * Life cycle: yaml_read() or yaml_parse(), yaml_release(). One arena per document.
 * Ownership:  nodes and strings belong to the document.
 * Errors:     ERR_PROJECT_INVALID "FILE:LINE:COLUMN: ..."
 */
#ifndef AIRLOCK_FORMAT_YAML_H
#define AIRLOCK_FORMAT_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "airlock/base/err.h"
#include "airlock/base/mem.h"

enum yaml_kind {
	YAML_KIND_NULL = 0, /* empty, ~, null */
	YAML_KIND_SCALAR,
	YAML_KIND_SEQUENCE,
	YAML_KIND_MAPPING,
};

struct yaml_node {
	enum yaml_kind kind;
	bool quoted;       /* the scalar was quoted or a block: never a bool or a number */
	const char *value; /* scalar text; NULL otherwise */
	const struct yaml_node **items; /* sequence: items; mapping: values */
	const struct yaml_node **keys;  /* mapping only, scalars */
	size_t n;
	size_t line;   /* from 1 */
	size_t column; /* from 1 */
};

struct yaml_document {
	struct arena arena;
	const char *name;             /* the file, as errors name it */
	const struct yaml_node *root; /* kind NULL for an empty document */
};

int yaml_read(const char *path, struct yaml_document *ret_document, struct err *err);
int yaml_parse(const char *text, size_t len, const char *name, struct yaml_document *ret_document,
	       struct err *err);
void yaml_release(struct yaml_document *document);

/* The value of a key, NULL when the node is no mapping or has no such key. */
const struct yaml_node *yaml_get(const struct yaml_node *mapping, const char *key);
const char *yaml_string(const struct yaml_node *node); /* NULL unless a scalar */
/* YAML 1.1 booleans, as PyYAML reads them: true/yes/on in any case. 0 or -1 when neither. */
int yaml_bool(const struct yaml_node *node, bool *ret_value);

/* err_set with "FILE:LINE:COLUMN: " in front. Returns -1. */
int yaml_error(const struct yaml_document *document, const struct yaml_node *node,
	       enum err_code code, struct err *err, const char *format, ...) PRINTF_LIKE(5, 6);

#endif
