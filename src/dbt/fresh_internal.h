/*
 * The parts of fresh: what is looked at (fresh_files.c), and the picture of it (fresh.c).
 */
#ifndef AIRLOCK_DBT_FRESH_INTERNAL_H
#define AIRLOCK_DBT_FRESH_INTERNAL_H

#include <jansson.h>
#include <stdbool.h>

#include "airlock/base/buf.h"
#include "airlock/base/fs.h"
#include "airlock/base/md5.h"
#include "airlock/dbt/fresh.h"

#define FRESH_MAX_CONTENT ((size_t)16 << 20)

struct fresh {
	json_t *files;    /* path: [size, time in ns] */
	json_t *sums;     /* fresh_read(): path: digest of its content; NULL: not read */
	json_t *identity; /* what must be equal as a whole: target, options, dbt, ... */
	struct strv environment;
	int64_t taken_ns;
	char *doubt; /* why no answer can be "fresh"; NULL: none */
};

void fresh_doubt(struct fresh *fresh, const char *format, ...) PRINTF_LIKE(2, 3);

/* Fills files and what of the identity is found in the file system. */
void fresh_look(struct fresh *fresh, const struct fresh_input *input);

/* The names of the variables that a file asks for; false when one is not a literal. */
bool fresh_variables(const struct buf *content, struct strv *names);

#endif
