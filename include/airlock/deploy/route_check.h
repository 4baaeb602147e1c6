/*
 * route_check: what would make the routes unsafe, added to their conflicts and warnings: sides
 * that are not apart, relations that two nodes (or a source) share, names the warehouse cannot
 * keep, shared relations that production shows before their tests, what a published view
 * reads and is not published with it, hooks that reach into
 * production. Pure.
 */
#ifndef AIRLOCK_DEPLOY_ROUTE_CHECK_H
#define AIRLOCK_DEPLOY_ROUTE_CHECK_H

#include "airlock/deploy/route.h"

void route_check_all(const struct config *config, const struct manifest *from,
		     const struct manifest *to, const struct strv *allowed_shared,
		     struct routes *routes);

/* Of one manifest by itself: relations that two nodes share. */
void route_check_one(struct routes *routes);

/* The part of them about views. */
void route_check_views(const struct config *config, const struct manifest *to,
		       const struct strv *allowed_shared, struct routes *routes);

/*
 * What a build beside a shared layer would do to production before its tests (route_audit.c): a
 * shared view that would read a relation which only `from` has; under wap a model that both sides
 * share because it has no schema of its own. Where dbt rebuilds production, what it would be made
 * of that was not audited, and a view over the scope that would be left.
 */
void route_check_audit(const struct config *config, const struct manifest *from,
		       const struct strv *allowed_shared, struct routes *routes);

/* route_mirror.c: a raw layer that is not one relation on every side; the tests that are left to a
 * refresh. */
void route_check_mirror(const struct config *config, const struct manifest *from,
			struct routes *routes);
/* The source that the node of a project with a mirror reads past it; NULL: none, or allowed. */
const struct manifest_node *route_past_mirror(const struct config *config,
					      const struct route *route);
#define ROUTE_PAST_MIRROR_HINT                                                                     \
	"let it read the raw model by ref() ('airlock mirror generate' shows how), or name it in " \
	"mirror: allow"
/* What is built and reads a source past the mirror. `built`: sorted unique_ids; NULL: everything.
 */
void route_check_built(const struct config *config, const struct strv *built,
		       struct routes *routes);

/* route_container.c: which containers are exchanged, and what in them would be lost or would go
 * along unbuilt. */
void route_check_containers(const struct config *config, const struct manifest *to,
			    struct routes *routes);

/* A file holds all schemas: its container has none. */
bool route_container_holds(const struct dialect *dialect, const struct relation *container,
			   const struct relation *relation);

/* Adds a conflict; text is copied. `hint` may be NULL (that of the code). */
void route_conflict(struct routes *routes, enum err_code code, const char *unique_id,
		    const char *hint, const char *format, ...) PRINTF_LIKE(5, 6);

/* The lines of generate_schema_name that keep target `from` to itself; belongs to the routes. */
const char *route_cure(struct routes *routes, const char *from);

#endif
