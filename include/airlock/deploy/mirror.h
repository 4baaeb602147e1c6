/*
 * mirror: the raw layer, 1:1 copies of the sources that are refreshed on their own. Pure.
 *
 * A refresh makes a side copy of each source (mirror_<id>_<n> in the state schema, with a comment
 * that says so), compares it with the last good copy, and exchanges the two in one transaction. A
 * source that cannot be read, is stale, fails its tests, is empty or has lost too many rows keeps
 * the last good copy.
 */
#ifndef AIRLOCK_DEPLOY_MIRROR_H
#define AIRLOCK_DEPLOY_MIRROR_H

#include <jansson.h>
#include <stdbool.h>

#include "airlock/base/buf.h"
#include "airlock/base/err.h"
#include "airlock/base/mem.h"
#include "airlock/base/strv.h"
#include "airlock/deploy/config.h"
#include "airlock/deploy/route.h"
#include "airlock/warehouse/dialect.h"

/* What a refresh knows besides its routes. */
struct mirror {
	const char *id;       /* of the refresh: in the names of its side copies */
	struct strv fresh;    /* selection words of the sources whose freshness is configured */
	struct strv tests;    /* names of the tests that read one of the sources */
	struct strv left;     /* names of side copies that refreshes left that died */
	struct strv laid_out; /* raw models that configure partitioning or clustering */
	/* Of raw models that keep their last good copy: {unique_id: {"state", "why"}} */
	json_t *found;
};

void mirror_release(struct mirror *mirror);

/* The source that a raw model copies. */
const struct manifest_node *mirror_source(const struct manifest_node *raw);
char *mirror_source_name(const struct manifest_node *raw); /* "shop.orders"; free() it */

/* A test that reads a source is run by a refresh, and by no deployment of a project that has a
 * mirror. */
bool mirror_is_configured(const struct config *config);
bool mirror_leaves_test(const struct config *config, const struct manifest_node *test);

/* Whether --accept names it, or its source. */
bool mirror_accepts(const struct config *config, const struct manifest_node *raw);

/*
 * When each raw table was refreshed last, by the rows of the history (oldest first): {unique_id:
 * {"id", "at", "age" (seconds), "rows"}}, a new reference. What a rollback took back does not
 * count.
 */
json_t *mirror_ages(const json_t *rows);
/* The raw tables that are older than max_age, in words ("raw_orders (2 days)", ..); NULL: none, or
 * any age will do. free() it. */
char *mirror_old(const struct config *config, const struct routes *routes, const json_t *ages);
void mirror_write_age(int64_t seconds, struct buf *out); /* "3 hours" */

/* From the side copy to the raw table; `number` from 1. */
void mirror_route(struct routes *routes, const struct manifest_node *raw, const char *database,
		  const char *id, size_t number, struct route *ret_route);

/* The names of its tests, its selection word if its freshness is configured, and whether its
 * partitioning or clustering is. */
int mirror_add_checks(struct mirror *mirror, const struct manifest *manifest,
		      const struct manifest_node *raw, struct err *err);

/* ERR_UNSUPPORTED for a raw model that is no copy of one source. */
int mirror_check_model(const struct manifest_node *raw, struct err *err);

/* Statements that commit together: the side copy of a route, by the SQL of its model. `last` is
 * what it will replace; NULL: nothing. `goes_on`: a copy that is there already stays. */
struct mirror_copy {
	const struct dialect *dialect;
	const struct route *route;
	const struct table *last;
	const char *sql;
	const char *id;
	bool goes_on;
};
int mirror_push_copy(const struct mirror_copy *copy, struct strv *statements, struct err *err);

/*
 * Why the side copy does not take the place of the last good one: "empty" or "shrunk", and in
 * words; NULL: it does. `last` NULL: there is none.
 */
const char *mirror_judge(const struct config *config, const struct manifest_node *raw,
			 const struct table *copy, const struct table *last, struct arena *arena,
			 const char **ret_why);

#endif
