/*
 * marker: the comment of what airlock keeps: which deployment made it, and of what. The
 * statement that makes the table is followed by the comment in the same transaction; nothing is
 * put back or dropped whose comment is another.
 *
 * Ownership: returned strings are freed by the caller.
 */
#ifndef AIRLOCK_WAREHOUSE_MARKER_H
#define AIRLOCK_WAREHOUSE_MARKER_H

#include <stdbool.h>
#include <stddef.h>

#include "airlock/warehouse/relation.h"

/* Of the restore point r_<id>_<number>. `id` NULL: the bind of that name. */
char *marker_restore(const char *id, size_t number, const struct relation *of);
/* Of the side copy of a source that the refresh `id` made for a raw table. */
#define MARKER_MIRROR "airlock: side copy of refresh "
char *marker_mirror(const char *id, const struct relation *of);
/* Whose build a container is, behind what people wrote in its comment: "[airlock: published ..]".
 */
#define MARKER_BEGINS "[airlock: "
bool marker_is_ours(const char *comment);
/* The deployment that the comment of a schema names as the one that published it; NULL: none. */
char *marker_publisher(const char *comment);
/* How the comment of a schema ends that the exchange of `id` put aside. */
char *marker_demoted(const char *id);

#endif
