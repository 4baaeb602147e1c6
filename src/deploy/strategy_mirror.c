/*
 * mirror: each raw table gets the rows of the side copy that was made of its source, where that is
 * good; the others keep their last good copy. Not a row of the table of strategies: `airlock
 * mirror refresh`.
 */
#include <string.h>

#include "airlock/dbt/runner.h"
#include "airlock/deploy/mirror.h"
#include "airlock/deploy/publication.h"
#include "airlock/deploy/strategy_rows.h"
#include "airlock/format/json.h"

static void keep(struct publication *w, const struct route *route, const char *state,
		 const char *why)
{
	struct arena *arena = &w->plan->arena;

	w->plan->kept[w->plan->kept_count++] =
		(struct plan_kept) { route, arena_strdup(arena, state), arena_strdup(arena, why) };
}

/* The comment of a side copy says what it is, and is not the raw table's. */
static int add_table(struct publication *w, const struct route *route, struct err *err)
{
	if (publication_add_table(w, route, err) < 0)
		return -1;
	struct publish_table *t = &w->set.tables[w->set.n - 1];

	t->is_marked = true;
	if (t->from_table) {
		struct table *plain = arena_alloc(&w->plan->arena, sizeof(*plain));

		*plain = *t->from_table;
		plain->comment = NULL;
		t->from_table = plain;
	}
	return 0;
}

/* A copy is laid out as the one that it replaces: there is none to ask. */
static int check_layout(const struct publication *w, const struct route *route,
			const struct table *last, struct err *err)
{
	if (last || !w->in->dialect->side_copy ||
	    !strv_contains(&w->in->mirror->laid_out, route->node->unique_id))
		return 0;
	err_set(err, ERR_UNSUPPORTED,
		"'%s' configures its partitioning or clustering, and there is no copy yet from "
		"which a refresh would take it",
		route->node->unique_id);
	return err_hint(
		err, "let dbt make it once: 'dbt run --select %s --target %s'", route->node->name,
		config_text(w->in->config,
			    config_text(w->in->config, OPTION_TO) ? OPTION_TO : OPTION_FROM));
}

/* Before anything was copied, all of them are. */
static int choose_route(struct publication *w, const struct route *route, struct err *err)
{
	const struct strategy_input *in = w->in;
	const json_t *found = js_get_object(in->mirror->found, route->node->unique_id);
	const struct table *copy = observed_table(in->observed, in->dialect, &route->from);
	const struct table *last = observed_table(in->observed, in->dialect, &route->to);
	const char *why = NULL;
	const char *state;

	if (check_layout(w, route, last, err) < 0)
		return -1;
	if (found) {
		keep(w, route, js_get_string(found, "state"), js_get_string(found, "why"));
		return 0;
	}
	if (!in->observed->built)
		return add_table(w, route, err);
	if (!copy) {
		keep(w, route, "missing", "its side copy is gone");
		return 0;
	}
	/* It was good when this refresh began to publish, and readers may have it. */
	if (in->is_resumed)
		return add_table(w, route, err);
	state = mirror_judge(in->config, route->node, copy, last, &w->plan->arena, &why);
	if (!state)
		return add_table(w, route, err);
	keep(w, route, state, why);
	return 0;
}

/* What is dropped with the exchange: the side copies, and those of refreshes that died. */
static void list_spent(struct publication *w)
{
	const struct routes *routes = w->in->routes;
	const struct strv *left = &w->in->mirror->left;
	struct relation *spent =
		arena_alloc(&w->plan->arena, (routes->n + left->n + 1) * sizeof(*spent));

	for (size_t i = 0; i < routes->n; i++)
		if (!routes->items[i].lacks_from)
			spent[w->spent_count++] = routes->items[i].from;
	for (size_t i = 0; i < left->n; i++)
		spent[w->spent_count++] =
			(struct relation) { w->state.schema.database, STATE_SCHEMA,
					    arena_strdup(&w->plan->arena, left->v[i]) };
	w->spent = spent;
}

static int choose_tables(struct publication *w, struct err *err)
{
	const struct routes *routes = w->in->routes;
	struct arena *arena = &w->plan->arena;

	w->set.tables = arena_alloc(arena, (routes->n + 1) * sizeof(*w->set.tables));
	w->plan->kept = arena_alloc(arena, (routes->n + 1) * sizeof(*w->plan->kept));
	for (size_t i = 0; i < routes->n; i++)
		if (choose_route(w, &routes->items[i], err) < 0)
			return -1;
	list_spent(w);
	return publication_settle_tables(w, err);
}

static enum option_id side_of(const struct config *config)
{
	return config_text(config, OPTION_TO) ? OPTION_TO : OPTION_FROM;
}

/* dbt on the side that publishes, into a target path of its own. */
static void plan_check(struct publication *w, const char *id, const char *const *verb,
		       const struct strv *words, const char *reason)
{
	const struct config *config = w->in->config;
	char *name CLEANUP(mem_free_string) = config_side_name(config, side_of(config));
	struct step *step;

	if (words->n == 0)
		return;
	step = plan_add_step(w->plan, id, "prepare", STEP_DBT, reason);
	step->idempotent = true;
	step->undo = "nothing";
	for (; *verb; verb++)
		strv_push(&step->command, *verb);
	strv_push(&step->command, "--select");
	strv_push_all(&step->command, words);
	strv_push(&step->command, "--target");
	strv_push(&step->command, config_text(config, side_of(config)));
	strv_push(&step->command, "--target-path");
	strv_pushf(&step->command, "target/airlock/mirror/%s", name);
	strv_push(&step->command, "--write-json");
	if (w->in->options)
		strv_push_all(&step->command, w->in->options);
	runner_push_log_options(&step->command);
}

static int plan_copies(struct publication *w, struct err *err)
{
	const struct routes *routes = w->in->routes;
	struct step *step = plan_add_step(
		w->plan, "copy", "prepare", STEP_OPERATION,
		w->in->dialect->changes_set_atomically
			? "a side copy of each source, each in a transaction of its own; one that "
			  "fails leaves the others"
			: "a side copy of each source; one that fails leaves the others");

	step->idempotent = true;
	step->undo = "the next refresh, or 'airlock gc', drops what is left of them";
	for (size_t i = 0; i < routes->n; i++) {
		const struct route *route = &routes->items[i];
		const struct mirror_copy copy = {
			.dialect = w->in->dialect,
			.route = route,
			.last = observed_table(w->in->observed, w->in->dialect, &route->to),
			.sql = js_get_string(w->in->compiled, route->node->unique_id),
			.id = w->in->mirror->id,
			.goes_on = w->in->is_resumed,
		};

		if (!js_get_object(w->in->mirror->found, route->node->unique_id) &&
		    mirror_push_copy(&copy, &step->sql, err) < 0)
			return -1;
	}
	return 0;
}

/* Of a refresh that exchanges nothing. */
static int plan_tidy(struct publication *w, struct err *err)
{
	struct step *step = plan_add_step(w->plan, "tidy", "finish", STEP_OPERATION,
					  "no copy is good: the side copies go");

	step->idempotent = true;
	step->undo = "nothing";
	return publication_push_spent(w, &step->sql, err);
}

static int plan_steps(struct publication *w, struct err *err)
{
	static const char *const freshness[] = { "source", "freshness", NULL };
	static const char *const test[] = { "test", "--indirect-selection", "empty", NULL };
	struct step *step;

	if (publication_plan_lock(w, err) < 0)
		return -1;
	plan_check(w, "freshness", freshness, &w->in->mirror->fresh,
		   "a source that is too old keeps its last good copy");
	plan_check(w, "test", test, &w->in->mirror->tests,
		   "a source that fails its tests keeps its last good copy");
	if (plan_copies(w, err) < 0)
		return -1;
	step = plan_add_step(w->plan, "audit", "audit", STEP_CHECK,
			     "each side copy is compared with the last good copy: none that is "
			     "empty or has lost too many rows replaces it");
	step->idempotent = true;
	step->undo = "nothing";
	if (w->set.n == 0)
		return plan_tidy(w, err);
	if (publication_plan_publish(
		    w,
		    w->in->dialect->changes_set_atomically
			    ? "the good copies take their place in the raw layer, all or none"
			    : "the good copies take their place in the raw layer, one at a time; "
			      "what is left is resumed",
		    err) < 0)
		return -1;
	return publication_plan_finish(w, err);
}

static int mirror_plan(const struct strategy_input *input, struct plan *plan, struct err *err)
{
	struct publication w CLEANUP(publication_release) = { 0 };

	publication_init(&w, input, plan);
	state_hold_production(&w.state);
	if (choose_tables(&w, err) < 0)
		return -1;
	return plan_steps(&w, err);
}

static const char *const one_by_one[] = { "bigquery", "snowflake", NULL };

const struct strategy strategy_mirror = {
	.name = "mirror",
	.summary = "copy the sources into the raw layer",
	.holds_production = true,
	.one_by_one = one_by_one,
	.plan = mirror_plan,
};
