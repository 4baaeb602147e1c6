/*
 * history: the events of the log put together, one object for each deployment, newest first.
 * Pure: rows of DIALECT_LOG_READ in, JSON out.
 *
 *   {"id", "name", "strategy", "outcome", "started_at", "finished_at", "user", "host", "commit",
 *    "dirty", "from", "to", "published", "restore_point": {"schema", "relations": [..]} | null,
 *    "exit", "message", "nodes", "tests", "tables": [..], "events": [{"at", "event"}, ..]}
 *
 * Of its beginning: "options" (of airlock), "dbt" (words), "locks" (containers), "of" (a
 * rollback's), "boot", "pid", "start" of its process; of its intent: "intended" (tables, with the
 * identity of what was tested and of what it replaces). "ended" is true when an end was recorded.
 *
 * Outcome: published, blocked, failed, aborted, or unfinished (no end was recorded).
 * "taken_back_by" is the rollback behind which production is what it was before the deployment.
 */
#ifndef AIRLOCK_DEPLOY_HISTORY_H
#define AIRLOCK_DEPLOY_HISTORY_H

#include <jansson.h>
#include <stdbool.h>

#include "airlock/base/err.h"

/* A new reference to an array; NULL with *err set when a row is not what the log holds. */
json_t *history_of(const json_t *rows, struct err *err);

/* Borrowed; NULL when there is none of that id. */
json_t *history_find(const json_t *deployments, const char *id);
bool history_is_published(const json_t *deployment);
bool history_has_ended(const json_t *deployment);
/* Its restore points are recorded, and dbt may have begun to make production anew. */
bool history_rebuilds(const json_t *deployment);
/* Of those: not dbt was at it, the publish itself stopped between two tables, and is aborted. */
bool history_is_stopped(const json_t *deployment);
bool history_changed_production(const json_t *deployment);
bool history_is_taken_back(const json_t *deployment);
/* A row of `tables` whose rows nothing keeps: it had some, and has no restore point. */
bool history_lacks_restore_point(const json_t *table);
/* The first of those, as it is displayed; NULL when production can be put back. */
const char *history_not_kept(const json_t *deployment);
/* A rebuild that stopped on its way, and has left production so. */
bool history_is_half_done(const json_t *deployment);
/* The newest that changed production, or some of these tables of it (NULL: any), if it is that. */
json_t *history_find_half_done(const json_t *deployments, const json_t *tables);

#endif
