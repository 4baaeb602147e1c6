/*
 * planned: what a plan is made of, read from files, for tests.
 *
 * Life cycle: planned_init(), the others in this order, planned_release().
 * Ownership:  everything belongs to the struct.
 * Errors:     those of what it calls.
 */
#ifndef AIRLOCK_TEST_PLANNED_H
#define AIRLOCK_TEST_PLANNED_H

#include "airlock/deploy/config.h"
#include "airlock/deploy/observed.h"
#include "airlock/deploy/plan.h"
#include "airlock/deploy/route.h"

struct planned {
	json_t *compiled; /* SQL of the views, by unique_id; NULL */
	struct config config;
	struct manifest *from;
	struct manifest *to; /* NULL: routed by tag */
	const struct dialect *dialect;
	struct routes routes;
	struct observed observed;
	struct plan plan;
	bool runs;
	bool builds_nothing; /* of `publish` */ /* as a deployment, not only shown */
	const json_t *finish; /* what beginning and end record; NULL: not known yet */
	struct strv build_options;
	struct strv build_select;
};

void planned_init(struct planned *planned);
void planned_release(struct planned *planned);

/* Options of the command line, NULL-ended; the first word may be the strategy (else wac). */
int planned_options(struct planned *planned, char *const *words, struct err *err);
int planned_manifests(struct planned *planned, const char *from, const char *to, struct err *err);
int planned_routes(struct planned *planned, struct err *err); /* checked */
int planned_observe(struct planned *planned, const char *picture, struct err *err);
int planned_plan(struct planned *planned, struct err *err);

/* From options to plan. `to` is NULL where the options have none. */
int planned_all(struct planned *planned, const char *from, const char *to, const char *picture,
		char *const *options, struct err *err);

#endif
