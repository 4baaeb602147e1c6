/*
 * offline: routes from manifests that are there, without starting dbt: those that the last parse
 * of each side left in the project, or files that were given by name, outside any project.
 *
 * Life cycle: offline_open() reads, selects and resolves; offline_routes(); offline_close().
 * Errors:     those of route.h; ERR_UNSUPPORTED for a selection that only dbt can answer;
 *             ERR_FILE naming what to run when a side was never parsed. A manifest that is older
 *             than its project is used, and the reporter is told so.
 */
#ifndef AIRLOCK_DEPLOY_OFFLINE_H
#define AIRLOCK_DEPLOY_OFFLINE_H

#include "airlock/base/err.h"
#include "airlock/deploy/deploy.h"
#include "airlock/deploy/route.h"

struct offline;

/* Whether the command line asks for this. */
bool offline_is_wanted(const struct config *config);

struct offline *offline_open(const struct deploy_request *request, struct err *err); /* or NULL */
void offline_close(struct offline *offline);
const struct routes *offline_routes(const struct offline *offline);

#endif
