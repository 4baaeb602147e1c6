/*
 * observe: the catalog queries that make a picture of the warehouse (observed.h).
 *
 * Life cycle: observe_push_queries() puts them on a list, observe_collect() makes the picture of
 *             their answers, in the same order.
 */
#ifndef AIRLOCK_DEPLOY_OBSERVE_H
#define AIRLOCK_DEPLOY_OBSERVE_H

#include <jansson.h>
#include <stdbool.h>

#include "airlock/base/err.h"
#include "airlock/base/strv.h"
#include "airlock/deploy/observed.h"
#include "airlock/deploy/route.h"

enum observe_rows {
	OBSERVE_NO_ROWS = 0,
	OBSERVE_COUNTS,  /* what the dialect's identity needs */
	OBSERVE_CONTENT, /* and a hash of them */
};

/*
 * With rows: of both relations of every scope node; then `before` is an earlier picture that says
 * which of production's tables exist.
 */
int observe_push_queries(const struct routes *routes, const struct observed *before,
			 enum observe_rows rows, struct strv *queries, struct err *err);
/* The rows of production's tables: what others may change while staging is built; with `staging`
 * of those of staging too, which is not to change while it is tested. */
int observe_push_tables(const struct routes *routes, const struct observed *before, bool staging,
			bool content, struct strv *queries, struct err *err);

/* One more: the identity and the rows of a table that exists. */
int observe_push_rows(const struct routes *routes, const struct relation *relation, bool content,
		      struct strv *queries, struct err *err);

/* `answers` are the rows of those queries. A new reference, NULL with *err set. */
json_t *observe_collect(json_t *const *answers, size_t n, bool counted, struct err *err);

#endif
