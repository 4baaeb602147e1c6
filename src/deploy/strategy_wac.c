/*
 * wac, write-audit-clone: build and test everything in staging, then put the tested tables of
 * the scope into their production schemas. Where the engine has a transaction for it, the whole
 * set changes in one.
 */
#include "airlock/deploy/publication.h"
#include "airlock/deploy/strategy_rows.h"

/* Parents that are not built are read from staging, unless the user says otherwise. */
static void plan_build(struct publication *w)
{
	static const char *const no_defer[] = { "--no-defer", NULL };
	bool defers = strv_contains(w->in->build_options, "--defer");
	bool shares = false;

	for (size_t i = 0; i < w->in->routes->n; i++)
		shares |= w->in->routes->items[i].is_shared && !w->in->routes->items[i].is_mirror;
	publication_plan_build(w,
			       shares ? "build and test in staging; of production only what both "
					"sides share is touched"
				      : "build and test in staging; production is not touched",
			       defers ? NULL : no_defer);
}

static int plan_steps(struct publication *w, struct err *err)
{
	if (publication_plan_lock(w, err) < 0)
		return -1;
	plan_build(w);
	publication_plan_audit(w);
	if (publication_plan_publish(
		    w,
		    w->in->dialect->changes_set_atomically
			    ? "the tested tables and the views over them take their place in "
			      "production, all or none"
			    : "the tested tables, and behind them the views over them, take their "
			      "place in production, one at a time; what is left is resumed",
		    err) < 0)
		return -1;
	return publication_plan_finish(w, err);
}

static int wac_plan(const struct strategy_input *input, struct plan *plan, struct err *err)
{
	struct publication w CLEANUP(publication_release) = { 0 };

	publication_init(&w, input, plan);
	if (publication_choose_tables(&w, err) < 0)
		return -1;
	return plan_steps(&w, err);
}

static const char *const one_by_one[] = { "snowflake", "bigquery", NULL };

const struct strategy strategy_wac = {
	.name = "wac",
	.summary = "write-audit-clone: build and test in staging, then publish the tested tables",
	.publishes_alone = true,
	.one_by_one = one_by_one,
	.plan = wac_plan,
};
