/* One deployment: lock, build in staging, judge, publish. */
#include <stdlib.h>
#include <string.h>

#include "airlock/base/fs.h"
#include "airlock/base/host.h"
#include "airlock/deploy/record.h"
#include "airlock/format/json.h"
#include "deploy_parts.h"

static bool is_unchanged(const struct table *a, const struct table *b)
{
	return table_same_object(a, b) &&
	       (!a || (a->rows == b->rows && table_same_text(a->content, b->content)));
}

static int check_table(const struct deploy *deploy, const struct relation *relation,
		       const char *side, const char *meanwhile, struct err *err)
{
	const struct dialect *dialect = deploy->sides.dialect;

	if (is_unchanged(observed_table(&deploy->observed, dialect, relation),
			 observed_table(&deploy->built, dialect, relation)))
		return 0;
	char *name CLEANUP(mem_free_string) = relation_display(relation);

	return err_set(err, ERR_CONFLICT,
		       "'%s' (%s) was changed, created or dropped by somebody else %s", name, side,
		       meanwhile);
}

/* Production must be what the first picture showed, and staging too where it was not built. */
static int check_tables(const struct deploy *deploy, struct err *err)
{
	const struct routes *routes = &deploy->routes;

	for (size_t i = 0; i < routes->n; i++) {
		const struct route *route = &routes->items[i];

		if (!route->in_scope)
			continue;
		if (check_table(deploy, &route->to, "production", "during the deployment", err) < 0)
			return -1;
		if (deploy->request.builds_nothing &&
		    check_table(deploy, &route->from, "staging", "while it was tested", err) < 0)
			return -1;
	}
	for (size_t i = 0; routes->drops_orphans && i < routes->orphan_count; i++)
		if (check_table(deploy, &routes->orphans[i].to, "production",
				"during the deployment", err) < 0)
			return -1;
	return 0;
}

/* What only the build decided, such as that a table gives its place to another one. */
static void warn_of_more(const struct deploy *deploy)
{
	struct reporter *reporter = deploy->request.reporter;

	for (size_t i = 0; i < deploy->final_plan.warnings.n; i++)
		if (!strv_contains(&deploy->plan.warnings, deploy->final_plan.warnings.v[i]))
			reporter->warning(reporter, deploy->final_plan.warnings.v[i]);
}

static int audit(struct deploy *deploy, struct err *err)
{
	char *difference CLEANUP(mem_free_string) = NULL;

	deploy->finish = deploy_who(deploy);
	record_end(deploy->finish, deploy_outcome_name(DEPLOY_PUBLISHED), &deploy->audit, NULL);
	deploy_add_figures(deploy, 2, deploy->finish);
	if (deploy_observe_counted(deploy, err) < 0 || check_tables(deploy, err) < 0 ||
	    deploy_make_plan(deploy, &deploy->built, &deploy->final_plan, err) < 0)
		return -1;
	if (deploy->basis && deploy_check_rest(deploy, &deploy->built, err) < 0)
		return -1;
	warn_of_more(deploy);
	if (plan_same_sql(plan_step(&deploy->plan, "publish"),
			  plan_step(&deploy->final_plan, "publish"), &difference))
		return 0;
	char *text CLEANUP(mem_free_string) =
		mem_printf("the build changed the plan of the publish\n  %s", difference);

	deploy->request.reporter->note(deploy->request.reporter, text);
	return 0;
}

/* It died behind its tests: staging is published as it was tested, or not at all. */
static bool is_tested(const struct deploy *deploy)
{
	return json_array_size(js_get_array(deploy->resumed, "intended")) > 0 ||
	       (deploy->basis && !deploy->retries);
}

static int audit_tested(struct deploy *deploy, struct err *err)
{
	deploy->result.audit = &deploy->audit;
	if (deploy->basis) {
		deploy_count_rest(deploy);
		return audit(deploy, err);
	}
	record_read_audit(deploy->resumed, &deploy->audit);
	deploy->request.reporter->note(deploy->request.reporter,
				       "nothing is built: it died behind its tests");
	return audit(deploy, err) < 0 ? -1 : deploy_check_tested(deploy, err);
}

/* Behind deploy_check_rest() for what another deployment left: its staging is this one's now. */
static int prepare(struct deploy *deploy, struct err *err)
{
	if (!plan_step(&deploy->plan, "prepare"))
		return 0;
	return deploy_step(deploy, &deploy->plan, "prepare", deploy_prepare, err);
}

/* Into staging, or what is there as it was tested. */
static int build(struct deploy *deploy, struct err *err)
{
	if (!is_tested(deploy))
		return prepare(deploy, err) < 0 || deploy_build(deploy, err) < 0
			       ? -1
			       : deploy_step(deploy, &deploy->plan, "audit", audit, err);
	if (deploy->basis && prepare(deploy, err) < 0)
		return -1;
	return deploy_step(deploy, &deploy->plan, "audit", audit_tested, err);
}

int deploy_phases(struct deploy *deploy, struct err *err)
{
	struct reporter *reporter = deploy->request.reporter;
	int64_t began = host_monotonic_ms();

	if (deploy_start(deploy, err) < 0)
		return -1;
	deploy_compile_beside(deploy);
	if (deploy_lock(deploy, err) < 0 || deploy_count_tables(deploy, err) < 0 ||
	    deploy_compile(deploy, err) < 0 ||
	    deploy_make_plan(deploy, &deploy->observed, &deploy->plan, err) < 0)
		return -1;
	/* What is no longer there is said before anything is built. */
	if (deploy->basis && deploy_check_rest(deploy, &deploy->observed, err) < 0)
		return -1;
	deploy_note_phase(deploy, "observe", began);
	for (size_t i = 0; i < deploy->plan.warnings.n; i++)
		reporter->warning(reporter, deploy->plan.warnings.v[i]);
	if (deploy->request.ask && !reporter->confirm(reporter, &deploy->plan, &deploy->routes)) {
		err_set(err, ERR_INTERRUPTED, "not confirmed");
		return err_hint(err, "answer yes, or give --yes");
	}
	if (build(deploy, err) < 0)
		return -1;
	return deploy_publish_with_hooks(deploy, err);
}

/* Held by others is no failure where the configuration says so. */
static bool is_skipped(const struct deploy *deploy, const struct err *err)
{
	return err->code == ERR_LOCKED && !deploy->result.production_changed &&
	       config_is(deploy->request.config, OPTION_IF_LOCKED, "skip");
}

/* Some of production is new since an earlier run of it: it has not ended, and its lock is what a
 * resume goes on with. */
static void leave_partly(struct deploy *deploy, struct err *err)
{
	deploy->holds_lock = false;
	if (err->production != ERR_PRODUCTION_CHANGED)
		err->production = ERR_PRODUCTION_UNKNOWN;
}

int deploy_end(struct deploy *deploy, int64_t began, int result, struct err *err)
{
	bool skipped = result < 0 && is_skipped(deploy, err);

	if (result < 0)
		deploy_take_back(deploy, err);
	if (result < 0 && deploy_goes_on(deploy) && deploy->result.outcome != DEPLOY_PUBLISHED)
		leave_partly(deploy, err);
	if (skipped)
		deploy->result.outcome = DEPLOY_SKIPPED;
	if (result < 0 && deploy->result.production_changed)
		err->production = ERR_PRODUCTION_CHANGED;
	if (result < 0 && !skipped)
		deploy_after_failure(deploy, err);
	if (deploy->state.n > 0)
		deploy_leave(deploy, result < 0 ? err : NULL);
	if (result == 0 && deploy->result.outcome == DEPLOY_PUBLISHED)
		deploy_write_published(deploy);
	if ((result == 0 || err->code == ERR_MIRROR_KEPT) &&
	    deploy->result.outcome == DEPLOY_PUBLISHED)
		deploy_expire(deploy);
	if (skipped) {
		deploy->result.skipped = arena_strdup(&deploy->arena, err->message);
		err_release(err);
		result = 0;
	}
	deploy->result.dbt_starts = deploy->sides.runner->starts;
	deploy->result.seconds = (double)(host_monotonic_ms() - began) / 1000.0;
	return result;
}

int deploy_run(struct deploy *deploy, const struct deploy_result **ret_result, struct err *err)
{
	int64_t began = host_monotonic_ms();
	const struct routes *routes;
	int result;

	*ret_result = &deploy->result;
	deploy->is_run = true;
	result = deploy_routes(deploy, &routes, err);
	if (result == 0) {
		deploy->result.routes = routes;
		result = deploy_check(deploy, err);
	}
	deploy_note_phase(deploy, "parse", began);
	if (result == 0)
		result = deploy_phases(deploy, err);
	return deploy_end(deploy, began, result, err);
}
