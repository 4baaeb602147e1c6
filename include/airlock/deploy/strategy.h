/*
 * strategy: one file and one row each: a pure function to a plan.
 */
#ifndef AIRLOCK_DEPLOY_STRATEGY_H
#define AIRLOCK_DEPLOY_STRATEGY_H

#include <jansson.h>

#include "airlock/base/err.h"
#include "airlock/deploy/config.h"
#include "airlock/deploy/observed.h"
#include "airlock/deploy/plan.h"
#include "airlock/deploy/route.h"

struct mirror;

/* What a plan is a function of. */
struct strategy_input {
	const struct config *config;
	const struct routes *routes;
	const struct dialect *dialect;
	const struct observed *observed;
	bool builds_nothing; /* staging is tested as it is */
	const char *reuses;  /* the deployment that built what is published; NULL: this one does */
	bool retries;        /* what failed of it is built once more */
	bool runs;           /* a deployment makes it to run it; otherwise it is only shown */
	const struct strv *build_options; /* the user's dbt options for the build */
	const struct strv *build_select;  /* selection words of the build; empty: everything */
	const struct strv *options;       /* the user's dbt options for every start; NULL: none */
	const char *database;             /* where the state tables are */
	const json_t *rolled_back; /* of a rollback: the deployment, as history.h shapes it */
	bool is_resumed;           /* another process had begun to publish */
	const json_t *begun;       /* what the beginning records; NULL: printed as <...> */
	/* Of each view of the scope its SQL, by unique_id, as dbt compiled it for `to`; NULL
	 * without. */
	const json_t *compiled;
	const struct mirror *mirror; /* of a refresh of the raw layer; NULL: a deployment */
	const json_t *finish;        /* what the end records; NULL before the audit */
};

struct strategy {
	const char *name;
	const char *summary;   /* one line for help */
	bool builds_scope;     /* not what the scope reads (scope_build.h) */
	bool holds_production; /* its lock, from the beginning: it copies or exchanges all of it */
	bool may_rebuild;      /* production by dbt: then its lock is held too */
	bool publishes_alone;  /* what staging holds, without a build of its own */
	/* The dialects without a transaction for all tables where it is tried and works; NULL-ended
	 * names, NULL: none. */
	const char *const *one_by_one;
	bool swaps; /* whole containers: views are published too */
	int (*plan)(const struct strategy_input *input, struct plan *plan, struct err *err);
};

const struct strategy *strategy_find(const char *name); /* NULL: none, or no name */
const struct strategy *const *strategy_all(size_t *ret_n);

/* ERR_UNSUPPORTED where it was not tried. */
int strategy_check_dialect(const struct strategy *strategy, const struct dialect *dialect,
			   struct err *err);

/* strategy->plan() on an initialised plan. */
int strategy_plan(const struct strategy *strategy, const struct strategy_input *input,
		  struct plan *ret_plan, struct err *err);

#endif
