/*
 * scope_build: a build of the scope alone: which nodes it makes in staging, and what it reads and
 * does not make. Pure: marks the routes.
 *
 * What is made is the scope, and each view that has to show it: one that reads the scope, directly
 * or through other views, and that a node of the build or one of its tests reads. Left to
 * production such a view would show production's rows. Where parents are copied (`parents: copy`)
 * every view that is read is made, over the copies of what it reads.
 * Errors: what has no answer is added to the conflicts of the routes.
 */
#ifndef AIRLOCK_DEPLOY_SCOPE_BUILD_H
#define AIRLOCK_DEPLOY_SCOPE_BUILD_H

#include <stdbool.h>

#include "airlock/base/strv.h"
#include "airlock/dbt/manifest.h"
#include "airlock/deploy/config.h"
#include "airlock/deploy/route.h"

/* Whether the strategy builds the scope alone. */
bool scope_build_is_wanted(const struct config *config);

/* Sets is_built and is_read. `wanted`: sorted unique_ids that the option `build` selects; NULL:
 * it was not given. `from` is the manifest that the routes were made of. */
void scope_build_choose(const struct config *config, const struct manifest *from,
			const struct strv *wanted, struct routes *routes);

/* Selection words for dbt that are exactly what is_built says. */
void scope_build_push_words(const struct routes *routes, struct strv *words);

/* The same for the nodes that `selected` has (sorted unique_ids), without the raw layer. */
void scope_build_push_besides_raw(const struct routes *routes, const struct strv *selected,
				  struct strv *words);

/* Whether the build makes its relation from nothing, whatever staging holds. */
bool scope_build_recreates(const struct manifest_node *node, bool full_refresh);

#endif
