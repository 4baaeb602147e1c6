/*
 * orphan: what a deployment of this project has published in a schema of production, and no node
 * makes any more: its model was deleted, disabled, made ephemeral, or has another name by now.
 * Pure: rows of DIALECT_OBSERVE_PUBLISHED in, routes->orphans out, sorted by relation.
 *
 * Only what the same project published to the same target counts (without a `to`: from the same
 * target), and only in schemas that it still publishes to. A deployment of a selection drops none.
 *
 * Ownership: an orphan is a route of its own, in the routes' arena; both its ends are the relation,
 *            and its node has no more than a unique_id.
 */
#ifndef AIRLOCK_DEPLOY_ORPHAN_H
#define AIRLOCK_DEPLOY_ORPHAN_H

#include <jansson.h>
#include <stdbool.h>

#include "airlock/base/err.h"
#include "airlock/deploy/route.h"

/* ERR_UNSUPPORTED where they are to be dropped and that cannot be. */
int orphans_check(const struct config *config, const struct dialect *dialect, struct err *err);
bool orphans_are_asked(const struct config *config, const struct dialect *dialect);

/* What stands for "every relation of production" in the question: `n` of them. free() it. */
struct relation *orphans_known(const struct routes *routes, size_t *ret_n);

/* Replaces those of an earlier answer. `to` is NULL when routed by tag; `project` may be NULL. */
void orphans_find(const struct config *config, const char *project, const struct manifest *from,
		  const struct manifest *to, const json_t *published, struct routes *routes);

#endif
