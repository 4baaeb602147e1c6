/*
 * check: what a reviewer would say of a change before anything is built: from the manifests and
 * the text of the files, and of the files that were named only. Pure.
 *
 * Findings are objects {"check", "file", "line", "unique_id", "message", "hint"}, appended to the
 * list that is handed in; file is relative to the project, line 0 where none is meant.
 */
#ifndef AIRLOCK_DEPLOY_CHECK_H
#define AIRLOCK_DEPLOY_CHECK_H

#include <jansson.h>

#include "airlock/base/strv.h"
#include "airlock/deploy/config.h"
#include "airlock/deploy/route.h"

/* That a deployment (NULL: the project) publishes nothing, as the error ERR_SCOPE_EMPTY says. */
void check_scope(const struct config *config, const char *deployment, const struct err *err,
		 json_t *findings);

/* "schema.identifier" in lower case of each relation of either side, sorted. */
void check_names(const struct routes *routes, struct strv *ret_names);

/* Names of relations that are written out in SQL: neither Jinja, nor comments, nor strings. */
void check_sql(const char *text, const char *file, const struct strv *names, json_t *findings);

/* `files` are relative to the project, sorted; NULL: all. */
void check_routes(const struct config *config, const struct routes *routes,
		  const struct strv *files, json_t *findings);

#endif
