/*
 * select: dbt's node selection, answered from a manifest where that is certainly right.
 *
 * Known here: methods tag, path, fqn (names, dotted fqns, wildcards), `+` with depths before and
 * after, union (space), intersection (comma), exclude. Everything else (state:, result:,
 * config., selectors.yml, file:, @, ...) answers SELECT_ASK_DBT; the caller asks `dbt ls`.
 * Tests are not part of the result: airlock selects nodes that make relations.
 *
 * Source: dbt/graph/selector_spec.py, selector_methods.py of dbt-core 1.11.
 */
#ifndef AIRLOCK_DBT_SELECT_H
#define AIRLOCK_DBT_SELECT_H

#include <stdbool.h>
#include <stddef.h>

#include "airlock/base/err.h"
#include "airlock/base/strv.h"
#include "airlock/dbt/manifest.h"

enum select_answer {
	SELECT_ANSWERED = 0,
	SELECT_ASK_DBT,
};

/*
 * The unique_ids of the models, seeds and snapshots that `--select` words minus `--exclude`
 * words select, sorted. An empty `select` means every node.
 * ERR_SELECTOR_INVALID for what dbt would refuse too.
 */
int select_nodes(const struct manifest *manifest, const struct strv *select,
		 const struct strv *exclude, struct strv *ret_unique_ids,
		 enum select_answer *ret_answer, struct err *err);

/* Whether all words can be answered here; needs no manifest. */
bool select_is_known(const struct strv *words);

#endif
