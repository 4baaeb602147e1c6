/*
 * view_text: the relations that the text of a view may name. It knows names in quotes, strings,
 * dollar quotes and comments, and nothing of grammar: `a.b` may be a relation or a column, so a
 * text that names nothing names nothing for certain, and not the other way round.
 *
 * Life cycle: view_text_read(), read-only, view_text_release().
 */
#ifndef AIRLOCK_WAREHOUSE_VIEW_TEXT_H
#define AIRLOCK_WAREHOUSE_VIEW_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "airlock/base/mem.h"
#include "airlock/warehouse/relation.h"

struct view_text {
	struct arena arena;
	struct relation *names; /* everything with a dot in it, database included */
	size_t n;
	size_t cap;
};

/* `database` is that of a name without one. */
void view_text_read(const struct dialect *dialect, const char *text, const char *database,
		    struct view_text *ret_text);
void view_text_release(struct view_text *text);

/* Of a whole `create view` as Snowflake keeps it: what stands behind the name, with `copy grants`
 * where a list of columns comes first. NULL: it says more than can be said again. free() it. */
char *view_text_definition(const char *create);

bool view_text_names(const struct dialect *dialect, const struct view_text *text,
		     const struct relation *relation);

#endif
