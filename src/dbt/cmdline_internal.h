/*
 * cmdline_internal: what cmdline.c (the table, and what stands behind --) and cmdline_read.c (a
 * whole command line of dbt) share.
 */
#ifndef AIRLOCK_DBT_CMDLINE_INTERNAL_H
#define AIRLOCK_DBT_CMDLINE_INTERNAL_H

#include "airlock/dbt/cmdline.h"

/* Words while they are read. `attached` is what stood behind a `=` or a short option in the same
 * word; click treats it as the next word. */
struct cmdline_words {
	const char *const *v;
	size_t n;
	size_t next;
	const char *attached;
};

const char *cmdline_next_word(struct cmdline_words *words); /* NULL: none is left */

/* Names are compared whole: click takes no abbreviations. */
const struct cmdline_option *cmdline_find_long(const char *name, size_t len, bool *ret_negated);
const struct cmdline_option *cmdline_find_short(char letter);

#endif
