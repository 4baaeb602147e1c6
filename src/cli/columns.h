/*
 * columns: text in aligned columns. The last cell of a row is not padded and may be of any length;
 * a row may be shorter than the others.
 *
 * Life cycle: COLUMNS_INIT, columns_add() cell by cell, columns_end_row(), columns_write(),
 *             columns_release().
 */
#ifndef AIRLOCK_CLI_COLUMNS_H
#define AIRLOCK_CLI_COLUMNS_H

#include <stddef.h>

#include "airlock/base/buf.h"
#include "airlock/base/strv.h"

#define COLUMNS_INIT                                                                               \
	{                                                                                          \
		.cells = STRV_INIT                                                                 \
	}

struct columns {
	struct strv cells;
	size_t *ends; /* for each row the number of cells up to its end */
	size_t n;
	size_t cap;
};

void columns_add(struct columns *columns, const char *format, ...) PRINTF_LIKE(2, 3);
void columns_end_row(struct columns *columns);
void columns_write(const struct columns *columns, const char *indent, struct buf *out);
void columns_release(struct columns *columns);

#endif
