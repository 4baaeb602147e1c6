#include "columns.h"

#include <stdlib.h>

enum {
	COLUMNS_MAX = 16,
	GAP = 2,
};

void columns_add(struct columns *columns, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	strv_take(&columns->cells, mem_vprintf(format, ap));
	va_end(ap);
}

void columns_end_row(struct columns *columns)
{
	mem_grow((void **)&columns->ends, &columns->cap, columns->n + 1, sizeof(*columns->ends));
	columns->ends[columns->n++] = columns->cells.n;
}

/* Characters, not bytes: what follows the first byte of a UTF-8 character does not count. */
static size_t width_of(const char *s)
{
	size_t width = 0;

	for (; *s; s++)
		width += ((unsigned char)*s & 0xc0) != 0x80;
	return width;
}

static void measure(const struct columns *columns, size_t widths[COLUMNS_MAX])
{
	size_t cell = 0;

	for (size_t row = 0; row < columns->n; row++) {
		for (size_t i = 0; cell + 1 < columns->ends[row]; i++, cell++) {
			size_t width = width_of(columns->cells.v[cell]);

			if (i < COLUMNS_MAX && width > widths[i])
				widths[i] = width;
		}
		cell = columns->ends[row];
	}
}

void columns_write(const struct columns *columns, const char *indent, struct buf *out)
{
	size_t widths[COLUMNS_MAX] = { 0 };
	size_t cell = 0;

	measure(columns, widths);
	for (size_t row = 0; row < columns->n; row++) {
		buf_add_str(out, indent);
		for (size_t i = 0; cell < columns->ends[row]; i++, cell++) {
			const char *text = columns->cells.v[cell];
			size_t pad = 0;

			if (cell + 1 < columns->ends[row] && i < COLUMNS_MAX)
				pad = widths[i] - width_of(text) + GAP;
			buf_printf(out, "%s%*s", text, (int)pad, "");
		}
		while (out->len && out->data[out->len - 1] == ' ')
			out->data[--out->len] = '\0';
		buf_add_char(out, '\n');
	}
}

void columns_release(struct columns *columns)
{
	strv_release(&columns->cells);
	free(columns->ends);
	*columns = (struct columns)COLUMNS_INIT;
}
