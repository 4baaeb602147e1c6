/*
 * production-rollback: production to staging, rebuild the scope, back to production. What the
 * build would not make from nothing (incremental models, snapshots) is copied from production into
 * staging first, so that it goes on from there; what the scope reads besides is read from
 * production, or copied too; what was rebuilt and tested is published.
 */
#include <stdlib.h>
#include <string.h>

#include "airlock/deploy/publication.h"
#include "airlock/deploy/scope_build.h"
#include "airlock/deploy/strategy_rows.h"

struct rollback_plan {
	struct publication w;
	bool full_refresh;
	bool copies_parents;
	bool reads; /* from production */
};

static const struct table *production_of(const struct rollback_plan *r, const struct route *route)
{
	return observed_table(r->w.in->observed, r->w.in->dialect, &route->to);
}

/* Where production is read, it has to be there. */
static int check_read(const struct rollback_plan *r, const struct route *route, struct err *err)
{
	char *name CLEANUP(mem_free_string) = relation_display(&route->to);

	if (r->w.in->observed->built || production_of(r, route))
		return 0;
	err_set(err, ERR_RELATION_MISSING,
		"'%s' ('%s') is read by the build and does not exist in production", name,
		route->node->unique_id);
	return err_hint(err,
			"build it there once (dbt build --target %s --select %s), or let this "
			"deployment build it with --build",
			config_text(r->w.in->config, OPTION_TO), route->node->name);
}

static void add_read(struct rollback_plan *r, const struct route *route)
{
	struct plan *plan = r->w.plan;

	plan->reads[plan->read_count++] = route;
	r->reads = r->reads || !route->is_shared;
}

static int choose_route(struct rollback_plan *r, const struct route *route, struct err *err)
{
	if (route->is_built && route->has_to && !route->is_shared &&
	    !scope_build_recreates(route->node, r->full_refresh))
		return publication_add_copy(&r->w, route, r->full_refresh, err);
	if (!route->is_read)
		return 0;
	if (check_read(r, route, err) < 0)
		return -1;
	if (r->copies_parents && !route->is_shared)
		return publication_add_copy(&r->w, route, r->full_refresh, err);
	add_read(r, route);
	return 0;
}

static int choose_copies(struct rollback_plan *r, struct err *err)
{
	const struct routes *routes = r->w.in->routes;
	struct plan *plan = r->w.plan;
	size_t n = routes->n + 1;

	publication_begin_copies(&r->w);
	plan->reads = arena_alloc(&plan->arena, n * sizeof(*plan->reads));
	for (size_t i = 0; i < routes->n; i++)
		if (choose_route(r, &routes->items[i], err) < 0)
			return -1;
	return 0;
}

/* What would be read besides production, or instead of it, is not the user's to say here. */
static int check_options(const struct strategy_input *in, struct err *err)
{
	static const char *const own[] = { "--defer",       "--no-defer",       "--defer-state",
					   "--favor-state", "--no-favor-state", "--state" };

	for (size_t i = 0; i < ARRAY_LEN(own); i++) {
		if (!strv_contains(in->build_options, own[i]))
			continue;
		err_set(err, ERR_DBT_OPTION, "'%s' is set by production-rollback itself", own[i]);
		return err_hint(err, "parents: defer (read from production) or copy");
	}
	return 0;
}

static int plan_prepare(struct rollback_plan *r, struct err *err)
{
	struct step *step;

	if (r->w.copies.n == 0)
		return 0;
	step = plan_add_step(r->w.plan, "prepare", "prepare",
			     r->w.in->dialect->transaction == DIALECT_TRANSACTION_NONE
				     ? STEP_OPERATION
				     : STEP_TRANSACTION,
			     "staging gets from production what the build does not make anew");
	step->idempotent = true;
	step->undo = "nothing: staging is filled anew by the next deployment";
	return publication_push_copies(&r->w, &step->sql, err);
}

static void plan_build(struct rollback_plan *r)
{
	char *from CLEANUP(mem_free_string) = config_side_name(r->w.in->config, OPTION_FROM);
	char *state CLEANUP(mem_free_string) = mem_printf("target/airlock/state/%s", from);
	const char *const defer[] = { "--defer", "--favor-state", "--state", state, NULL };
	const char *const no_defer[] = { "--no-defer", NULL };

	publication_plan_build(&r->w,
			       r->reads ? "build and test the scope in staging, on production's "
					  "rows; production is not touched"
					: "build and test the scope in staging; production is not "
					  "touched",
			       r->reads ? defer : no_defer);
}

static int plan_steps(struct rollback_plan *r, struct err *err)
{
	if (publication_plan_lock(&r->w, err) < 0 || (!r->w.in->reuses && plan_prepare(r, err) < 0))
		return -1;
	plan_build(r);
	publication_plan_audit(&r->w);
	if (publication_plan_publish(
		    &r->w,
		    r->w.in->dialect->changes_set_atomically
			    ? "the tested tables go back to production, all or none"
			    : "the tested tables go back to production, one at a "
			      "time; what is left is resumed",
		    err) < 0)
		return -1;
	return publication_plan_finish(&r->w, err);
}

static void rollback_plan_release(struct rollback_plan *r)
{
	publication_release(&r->w);
}

static int production_rollback_plan(const struct strategy_input *input, struct plan *plan,
				    struct err *err)
{
	struct rollback_plan r CLEANUP(rollback_plan_release) = {
		.full_refresh = strv_contains(input->build_options, "--full-refresh"),
		.copies_parents = config_is(input->config, OPTION_PARENTS, "copy"),
	};

	publication_init(&r.w, input, plan);
	state_hold_production(&r.w.state);
	if (check_options(input, err) < 0 || publication_choose_tables(&r.w, err) < 0 ||
	    choose_copies(&r, err) < 0)
		return -1;
	return plan_steps(&r, err);
}

static const char *const one_by_one[] = { "snowflake", "bigquery", NULL };

const struct strategy strategy_production_rollback = {
	.name = "production-rollback",
	.summary = "copy production to staging, rebuild and test the scope, put it back",
	.builds_scope = true,
	.holds_production = true,
	.one_by_one = one_by_one,
	.plan = production_rollback_plan,
};
