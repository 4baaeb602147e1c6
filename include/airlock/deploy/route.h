/*
 * route: where each node is built and where it is published, what is in scope and why, and what
 * stands in the way. Pure: two manifests, the configuration and the dialect in, a value out.
 *
 * Life cycle: routes_resolve(), read-only, routes_release().
 * Ownership:  strings belong to the manifests or to the arena in `routes`; the manifests must
 *             live as long.
 * Errors:     ERR_SCOPE_EMPTY, ERR_SELECTOR_INVALID for a question that has no answer. What would
 *             make a deployment unsafe is listed in `conflicts` (routes_check() makes it the
 *             error), so that `airlock routes` can show all of it.
 */
#ifndef AIRLOCK_DEPLOY_ROUTE_H
#define AIRLOCK_DEPLOY_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

#include "airlock/base/err.h"
#include "airlock/base/mem.h"
#include "airlock/base/strv.h"
#include "airlock/dbt/manifest.h"
#include "airlock/deploy/config.h"
#include "airlock/warehouse/dialect.h"

struct route {
	const struct manifest_node *node;    /* of the manifest of `from` */
	const struct manifest_node *to_node; /* of the manifest of `to`; NULL when routed by tag */
	struct relation from;
	struct relation to;
	bool has_to;
	bool in_scope;
	bool is_shared;   /* both sides are one relation */
	bool is_ancestor; /* shared, and what production is rebuilt from: it must be built first */
	bool is_built;    /* scope_build.h: by a build of the scope alone */
	bool is_read;     /* scope_build.h: by that build, which does not make it */
	bool is_view;     /* published as a view, from the SQL compiled for `to` */
	bool is_mirror;   /* of the raw layer: no deployment builds or publishes it */
	bool is_orphan;   /* orphan.h */
	bool lacks_from;  /* mirror: there is no side copy to look at */
	/* Of the longest line of parents behind it; 0 where all tables change at once. */
	size_t depth;
	const char *reason; /* why it is in or out of scope */
};

struct route_conflict {
	enum err_code code;
	const char *unique_id;
	const char *message;
	const char *hint;
};

/* Exchanged whole: what is in the one takes the place of what is in the other. */
struct route_container {
	struct relation from; /* without identifier */
	struct relation to;
};

/* What may read an orphan, where the picture does not have it. */
struct route_reader {
	struct relation view;
	const char *text;
};

struct routes {
	struct arena arena;
	const struct dialect *dialect;
	struct route *items; /* every node that makes a relation, sorted by unique_id */
	size_t n;
	size_t scope_count;
	size_t view_count;                  /* of the scope */
	struct route_container *containers; /* of a strategy that exchanges them; sorted by to */
	size_t container_count;
	bool clones_containers; /* these begin in staging as clones of production's */
	bool carries_tags;      /* production's get to these */
	bool has_hooks;         /* the project, beside those of nodes */
	bool is_rollback;       /* `from` is what was put aside, and may lack a relation */
	struct route_conflict *conflicts;
	size_t conflict_count;
	struct route *orphans; /* orphan.h: both ends are what production has; no node makes it */
	size_t orphan_count;
	bool drops_orphans;
	struct route_reader *readers;
	size_t reader_count;
	struct strv warnings;
	struct strv left_tests; /* names of those that a refresh of the raw layer runs */
};

/*
 * `selected`: sorted unique_ids that the selection leaves (NULL: no selection given).
 * `allowed_shared`: unique_ids that allow_shared covers (NULL: none).
 * `raw`: sorted unique_ids of the raw layer (NULL: no mirror).
 * `to` is NULL when routed by tag.
 */
int routes_resolve(const struct config *config, const struct dialect *dialect,
		   const struct manifest *from, const struct manifest *to,
		   const struct strv *selected, const struct strv *allowed_shared,
		   const struct strv *raw, struct routes *ret_routes, struct err *err);
/*
 * What one manifest says by itself: the relations of what is selected (NULL: of everything), and
 * no other side. Without a dialect (an adapter that is not known) names are not compared.
 */
int routes_of_one(const struct dialect *dialect, const struct manifest *manifest,
		  const struct strv *selected, struct routes *ret_routes, struct err *err);
void routes_release(struct routes *routes);

/* How deep each route is in this manifest, where tables change one at a time. */
void routes_measure(const struct manifest *manifest, struct routes *routes);

/* The first conflict as the error, the others in its message. */
int routes_check(const struct routes *routes, struct err *err);

const struct route *routes_find(const struct routes *routes, const char *unique_id);

#endif
