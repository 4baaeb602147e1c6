/*
 * `airlock mirror refresh`: the phases of a deployment without a build of dbt's. Side copies are
 * made one by one, each in a transaction of its own; what a statement failed for is left out, and
 * the others go on. Nothing of the raw layer changes before the publish.
 */
#include <string.h>

#include "airlock/base/host.h"
#include "airlock/deploy/observe.h"
#include "airlock/deploy/record.h"
#include "airlock/deploy/strategy_rows.h"
#include "airlock/format/json.h"
#include "deploy_parts.h"

static const struct manifest *manifest_of(const struct deploy *deploy)
{
	return deploy->sides.to_manifest ? deploy->sides.to_manifest : deploy->sides.from_manifest;
}

static int select_raw(struct deploy *deploy, struct strv *ret_raw, struct err *err)
{
	const struct strv *words = config_list(deploy->request.config, OPTION_MIRROR_RAW);
	char *shown CLEANUP(mem_free_string) = strv_join(words, " ");

	if (words->n == 0) {
		err_set(err, ERR_CONFIG_INVALID, "no mirror is configured");
		return err_hint(err,
				"set mirror: {raw: 'tag:raw'} under 'vars: airlock:'; 'airlock "
				"mirror generate' writes the models");
	}
	if (sides_select_words(&deploy->sides, words, ret_raw, err) < 0)
		return -1;
	if (ret_raw->n > 0)
		return 0;
	err_set(err, ERR_SCOPE_EMPTY, "'mirror: raw' (%s) selects no model", shown);
	return err_hint(err, "'airlock mirror generate' writes the models");
}

/* What the command line says; a selection of the project's is that of its deployments. */
static int narrow(struct deploy *deploy, struct strv *raw, struct err *err)
{
	const struct strv *words = config_list(deploy->request.config, OPTION_SELECT);
	struct strv selected CLEANUP(strv_release) = STRV_INIT;
	struct strv left = STRV_INIT;
	char *shown CLEANUP(mem_free_string) = strv_join(words, " ");

	if (words->n == 0)
		return 0;
	if (sides_select_words(&deploy->sides, words, &selected, err) < 0)
		return -1;
	for (size_t i = 0; i < raw->n; i++)
		if (strv_contains(&selected, raw->v[i]))
			strv_push(&left, raw->v[i]);
	strv_release(raw);
	*raw = left;
	return left.n > 0 ? 0
			  : err_set(err, ERR_SCOPE_EMPTY,
				    "the selection (%s) leaves nothing of the raw layer", shown);
}

static int add_route(struct deploy *deploy, const char *unique_id, struct err *err)
{
	struct routes *routes = &deploy->routes;
	const struct manifest_node *raw = manifest_find(manifest_of(deploy), unique_id);

	if (!raw)
		return err_set(err, ERR_SCOPE_EMPTY, "'%s' is not in the manifest of '%s'",
			       unique_id, deploy->sides.to);
	if (mirror_check_model(raw, err) < 0 ||
	    mirror_add_checks(&deploy->mirror, manifest_of(deploy), raw, err) < 0)
		return -1;
	mirror_route(routes, raw, deploy_database(deploy), deploy->id, routes->n + 1,
		     &routes->items[routes->n]);
	routes->n++;
	routes->scope_count++;
	return 0;
}

int deploy_mirror_prepare(struct deploy *deploy, struct err *err)
{
	struct strv raw CLEANUP(strv_release) = STRV_INIT;
	struct routes *routes = &deploy->routes;
	struct strv *tests = &deploy->mirror.tests;

	deploy->request.reporter->note(deploy->request.reporter, "reading the project with dbt");
	if (sides_parse(&deploy->sides, err) < 0 || select_raw(deploy, &raw, err) < 0 ||
	    narrow(deploy, &raw, err) < 0)
		return -1;
	if (strategy_check_dialect(&strategy_mirror, deploy->sides.dialect, err) < 0)
		return -1;
	deploy->strategy = &strategy_mirror;
	deploy->mirrors = true;
	deploy_identify(deploy);
	deploy->mirror.id = deploy->id;
	deploy->mirror.found = json_object();
	arena_init(&routes->arena);
	routes->dialect = deploy->sides.dialect;
	routes->items = arena_alloc(&routes->arena, (raw.n + 1) * sizeof(*routes->items));
	for (size_t i = 0; i < raw.n; i++)
		if (add_route(deploy, raw.v[i], err) < 0)
			return -1;
	strv_sort(tests);
	strv_dedup(tests);
	return 0;
}

static void keep(struct deploy *deploy, const struct manifest_node *raw, const char *state,
		 const char *why)
{
	json_object_set_new(deploy->mirror.found, raw->unique_id,
			    json_pack("{s:s, s:s}", "state", state, "why", why));
}

void deploy_mirror_note(struct deploy *deploy, const struct manifest_node *raw, const char *state,
			const char *why)
{
	struct reporter *reporter = deploy->request.reporter;
	bool can_copy = strcmp(state, "missing") != 0 && strcmp(state, "unreadable") != 0;
	bool accepted = can_copy && mirror_accepts(deploy->request.config, raw);
	char *source CLEANUP(mem_free_string) = mirror_source_name(raw);
	char *text CLEANUP(mem_free_string) = mem_printf("the source %s is %s%s: %s", source, state,
							 accepted ? " and was accepted" : "", why);

	reporter->warning(reporter, text);
	if (!accepted)
		keep(deploy, raw, state, why);
}

bool deploy_mirror_keeps(const struct deploy *deploy, const struct manifest_node *raw)
{
	return json_object_get(deploy->mirror.found, raw->unique_id) != NULL;
}

int deploy_mirror_push_existing(struct deploy *deploy, struct strv *queries, struct err *err)
{
	const struct routes *routes = &deploy->routes;
	struct relation *names = arena_alloc(&deploy->arena, (routes->n + 1) * sizeof(*names));

	for (size_t i = 0; i < routes->n; i++)
		names[i] = mirror_source(routes->items[i].node)->relation;
	const struct sql_arg arg = SQL_ARG_NAMES("names", names, routes->n);

	return dialect_push(queries, routes->dialect, DIALECT_OBSERVE_EXISTING, &arg, 1, err);
}

bool deploy_mirror_is_there(const json_t *existing, const struct manifest_node *raw)
{
	const struct relation *source = &mirror_source(raw)->relation;

	for (size_t i = 0; i < json_array_size(existing); i++) {
		const json_t *row = json_array_get(existing, i);

		if (js_text_is(row, "schema", source->schema) &&
		    js_text_is(row, "identifier", source->identifier) &&
		    js_text_is(row, "database", source->database))
			return true;
	}
	return false;
}

/* --- the side copies --- */

struct copying {
	struct deploy *deploy;
	const struct step *step;
	size_t *behind; /* of each route the number of calls up to its last one */
	size_t asked;   /* the number of the query which sources there are */
	struct backoff waits;
	size_t undone; /* the number of the route that is waited for */
};

static int add_copy(struct copying *c, const struct route *route, struct ops *ops, struct err *err)
{
	struct deploy *deploy = c->deploy;
	const struct mirror_copy copy = {
		.dialect = deploy->sides.dialect,
		.route = route,
		.last = observed_table(&deploy->observed, deploy->sides.dialect, &route->to),
		.sql = js_get_string(deploy->compiled, route->node->unique_id),
		.id = deploy->id,
		.goes_on = deploy_goes_on(deploy),
	};
	struct strv statements CLEANUP(strv_release) = STRV_INIT;

	if (mirror_push_copy(&copy, &statements, err) < 0)
		return -1;
	ops_add_transaction(ops, deploy->sides.dialect, &statements);
	return 0;
}

static int add_existing(struct copying *c, struct ops *ops, struct err *err)
{
	struct deploy *deploy = c->deploy;
	struct strv queries CLEANUP(strv_release) = STRV_INIT;

	c->asked = ops->n;
	if (deploy_mirror_push_existing(deploy, &queries, err) < 0 ||
	    state_push_left(&deploy->state, &queries, err) < 0)
		return -1;
	return executor_add_statements(&deploy->executor, &queries, true, ops, err);
}

static int add_copies(struct copying *c, size_t first, struct ops *ops, struct err *err)
{
	const struct routes *routes = &c->deploy->routes;

	if (deploy_add_phase(c->deploy, "build", ops, err) < 0 || add_existing(c, ops, err) < 0)
		return -1;
	for (size_t i = first; i < routes->n; i++) {
		if (!deploy_mirror_keeps(c->deploy, routes->items[i].node) &&
		    add_copy(c, &routes->items[i], ops, err) < 0)
			return -1;
		c->behind[i] = ops->n;
	}
	return 0;
}

static bool is_there(const struct copying *c, const struct ops_reply *reply,
		     const struct manifest_node *raw)
{
	return c->asked < reply->n && deploy_mirror_is_there(reply->rows[c->asked], raw);
}

static void note_left(struct copying *c, const struct ops_reply *reply)
{
	struct deploy *deploy = c->deploy;
	const json_t *rows = c->asked + 1 < reply->n ? reply->rows[c->asked + 1] : NULL;
	char *own CLEANUP(mem_free_string) = mem_printf("mirror_%s_", deploy->id);

	for (size_t i = 0; i < json_array_size(rows); i++) {
		const char *name = js_get_string(json_array_get(rows, i), "copy");

		if (name && strncmp(name, own, strlen(own)) != 0 &&
		    !strv_contains(&deploy->mirror.left, name))
			strv_push(&deploy->mirror.left, name);
	}
}

/* Of which source the statement was that failed; the number of sources: of none. */
static size_t failed_one(const struct copying *c, size_t first, const struct ops_reply *reply,
			 const struct err *err)
{
	const struct routes *routes = &c->deploy->routes;

	if (err->code != ERR_WAREHOUSE || reply->calls_done <= c->asked + 1)
		return routes->n;
	while (first < routes->n && reply->calls_done >= c->behind[first])
		first++;
	return first;
}

/* What the warehouse undid says nothing of the source: it is copied again, with those behind it. */
static int wait_again(struct copying *c, struct err *err)
{
	struct err cause CLEANUP(err_release) = *err;

	*err = (struct err)ERR_INIT;
	return executor_record_wait(&c->deploy->executor, &c->waits, cause.message, err);
}

static void note_failed(struct copying *c, const struct ops_reply *reply,
			const struct manifest_node *raw, struct err *err)
{
	deploy_mirror_note(c->deploy, raw, is_there(c, reply, raw) ? "unreadable" : "missing",
			   err->message);
	err_release(err);
}

static int copy_from(struct copying *c, size_t first, size_t *ret_next, struct err *err)
{
	struct executor *x = &c->deploy->executor;
	struct ops ops CLEANUP(ops_release) = OPS_INIT;
	struct ops_reply reply CLEANUP(ops_reply_release) = { 0 };

	if (add_copies(c, first, &ops, err) < 0)
		return -1;
	int result = executor_run_ops(x, &ops, false, &reply, err);
	size_t n = c->deploy->routes.n;

	note_left(c, &reply);
	if (result == 0) {
		*ret_next = n;
		return 0;
	}
	size_t failed = failed_one(c, first, &reply, err);

	if (failed == n) {
		deploy_name_raised(err, "the refresh was stopped");
		return -1;
	}
	*ret_next = failed;
	if (failed != c->undone)
		executor_begin_waiting(x, false, &c->waits);
	c->undone = failed;
	if (executor_is_undone(x, &ops, &reply, err) && backoff_wait(&c->waits))
		return wait_again(c, err);
	note_failed(c, &reply, c->deploy->routes.items[failed].node, err);
	*ret_next = failed + 1;
	return 0;
}

static int copy(struct deploy *deploy, struct err *err)
{
	const struct routes *routes = &deploy->routes;
	struct copying c = {
		.deploy = deploy,
		.behind = arena_alloc(&deploy->arena, (routes->n + 1) * sizeof(*c.behind)),
		.undone = routes->n,
	};
	size_t next = 0;

	if (executor_show(&deploy->executor, "copy", &plan_step(&deploy->plan, "copy")->sql, err) <
	    0)
		return -1;
	while (next < routes->n)
		if (copy_from(&c, next, &next, err) < 0)
			return -1;
	for (size_t i = 0; i < routes->n; i++)
		deploy->routes.items[i].lacks_from =
			deploy_mirror_keeps(deploy, routes->items[i].node);
	return 0;
}

/* --- compare, exchange --- */

static int kept(const struct deploy *deploy, struct err *err)
{
	const struct plan *plan = &deploy->final_plan;
	struct buf names CLEANUP(buf_release) = BUF_INIT;

	for (size_t i = 0; i < plan->kept_count; i++) {
		char *source CLEANUP(mem_free_string) =
			mirror_source_name(plan->kept[i].route->node);

		buf_printf(&names, "%s%s (%s)", i ? ", " : "", source, plan->kept[i].state);
	}
	return err_set(err, ERR_MIRROR_KEPT, "%zu of %zu sources kept their last good copy: %s",
		       plan->kept_count, deploy->routes.n, buf_cstr(&names));
}

/* The end that is recorded names what kept its copy, which the plan says first. */
static int audit(struct deploy *deploy, struct err *err)
{
	struct err of_kept CLEANUP(err_release) = ERR_INIT;

	if (deploy_observe_counted(deploy, err) < 0 ||
	    deploy_make_plan(deploy, &deploy->built, &deploy->final_plan, err) < 0)
		return -1;
	deploy->result.refreshed = &deploy->final_plan;
	deploy->finish = deploy_who(deploy);
	if (deploy->final_plan.kept_count > 0)
		kept(deploy, &of_kept);
	record_end(deploy->finish, deploy_outcome_name(DEPLOY_PUBLISHED), NULL, &of_kept);
	deploy_add_figures(deploy, 2, deploy->finish);
	plan_release(&deploy->final_plan);
	return deploy_make_plan(deploy, &deploy->built, &deploy->final_plan, err);
}

static int tidy(struct deploy *deploy, struct err *err)
{
	struct ops ops CLEANUP(ops_release) = OPS_INIT;
	struct ops_reply reply CLEANUP(ops_reply_release) = { 0 };

	deploy->result.outcome = DEPLOY_BLOCKED;
	if (executor_add(&deploy->executor, plan_step(&deploy->final_plan, "tidy"), &ops, err) < 0)
		return -1;
	return executor_run_ops(&deploy->executor, &ops, false, &reply, err);
}

/* Where a publish goes on, what it began with was judged then; the others keep their copy. */
static void judge_again(struct deploy *deploy)
{
	const json_t *intended = js_get_array(deploy->resumed, "intended");

	for (size_t i = 0; i < deploy->routes.n; i++) {
		const struct manifest_node *raw = deploy->routes.items[i].node;
		bool is_intended = false;

		for (size_t k = 0; k < json_array_size(intended); k++)
			is_intended |= js_text_is(json_array_get(intended, k), "unique_id",
						  raw->unique_id);
		if (!is_intended)
			keep(deploy, raw, "kept",
			     "it was not good when this refresh began to publish");
	}
}

int deploy_mirror_phases(struct deploy *deploy, struct err *err)
{
	struct plan *plan = &deploy->plan;
	const struct plan *final = &deploy->final_plan;

	if (deploy_start(deploy, err) < 0)
		return -1;
	deploy_compile_beside(deploy);
	if (deploy_lock(deploy, err) < 0 || deploy_compile(deploy, err) < 0 ||
	    deploy_make_plan(deploy, &deploy->observed, plan, err) < 0)
		return -1;
	for (size_t i = 0; i < plan->warnings.n; i++)
		deploy->request.reporter->warning(deploy->request.reporter, plan->warnings.v[i]);
	if (deploy_goes_on(deploy))
		judge_again(deploy);
	else if (deploy_mirror_check(deploy, err) < 0)
		return -1;
	if (deploy_step(deploy, plan, "copy", copy, err) < 0 ||
	    deploy_step(deploy, plan, "audit", audit, err) < 0)
		return -1;
	if ((plan_step(final, "tidy") ? deploy_step(deploy, final, "tidy", tidy, err)
				      : deploy_publish_with_hooks(deploy, err)) < 0)
		return -1;
	return final->kept_count > 0 ? kept(deploy, err) : 0;
}

int deploy_mirror_refresh(struct deploy *deploy, const struct deploy_result **ret_result,
			  struct err *err)
{
	struct option_value *select = &deploy->request.config->values[OPTION_SELECT];
	int64_t began = host_monotonic_ms();
	int result;

	deploy->is_run = true;
	if (select->source != OPTION_BY_COMMAND_LINE) {
		strv_release(&select->list);
		select->source = OPTION_BY_DEFAULT;
	}
	*ret_result = &deploy->result;
	result = deploy_mirror_prepare(deploy, err);
	deploy->result.routes = &deploy->routes;
	if (result == 0)
		result = deploy_mirror_phases(deploy, err);
	return deploy_end(deploy, began, result, err);
}
