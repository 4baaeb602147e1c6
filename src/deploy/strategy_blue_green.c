/*
 * blue-green: everything in the containers is built from nothing in staging and tested, then the
 * containers of staging and production change places. The old one is the restore point and is
 * never built into: on top of it the next incremental build would lose what this one added. With
 * `prepare: clone` what is not built from nothing begins as a copy of what production has now, and
 * with `foreign_objects: clone` everything does, with what no node makes.
 */
#include <string.h>

#include "airlock/deploy/publication.h"
#include "airlock/deploy/scope_build.h"
#include "airlock/deploy/strategy_rows.h"

struct texts {
	const char *table;
	const char *marks;
	const char *publish;
};

static const struct texts of_files = {
	.table = "its file takes the place of production's",
	.publish = "the file of staging takes the place of production's",
};
static const struct texts of_schemas = {
	.table = "its schema takes the place of production's",
	.marks = "the schemas of staging say whose build they are",
	.publish = "the schemas of staging and production change places, all or none",
};
static const struct texts of_schemas_one_by_one = {
	.table = "its schema takes the place of production's",
	.marks = "the schemas of staging say whose build they are",
	.publish = "the schemas of staging and production change places, one pair at a time; then "
		   "views get the names of production, and what was production its restore name",
};
static const struct texts of_databases = {
	.table = "its database takes the place of production's",
	.marks = "the database of staging says whose build it is",
	.publish = "the databases of staging and production change places, each pair in one "
		   "statement; then views get the names of production, and what was production "
		   "its restore name",
};

static const struct texts *texts(const struct publication *w)
{
	if (w->in->dialect->swaps_files)
		return &of_files;
	if (w->in->dialect->changes_set_atomically)
		return &of_schemas;
	for (size_t i = 0; i < w->in->routes->container_count; i++)
		if (*w->in->routes->containers[i].to.schema)
			return &of_schemas_one_by_one;
	return &of_databases;
}

static int refuse_node(const struct manifest_node *node, const char *what, struct err *err)
{
	err_set(err, ERR_UNSUPPORTED,
		"'%s' %s: what production gathered is not in the new schema and would be lost",
		node->unique_id, what);
	return err_hint(err, "say --prepare clone, which copies it from production first; or use "
			     "production-rollback, or give the node a schema of its own");
}

static int check_node(const struct manifest_node *node, bool full_refresh, struct err *err)
{
	if (node->type == MANIFEST_SNAPSHOT)
		return refuse_node(node, "is a snapshot and is never built from nothing", err);
	if (scope_build_recreates(node, full_refresh))
		return 0;
	if (strcmp(node->materialized, "incremental") != 0)
		return refuse_node(node, "has a materialization that may keep rows", err);
	if (strcmp(node->full_refresh, "false") == 0)
		return refuse_node(node, "says full_refresh: false and keeps its rows", err);
	refuse_node(node, "is incremental and --full-refresh is not given", err);
	return err_hint(err, "say '-- --full-refresh' to build it from nothing; or --prepare clone "
			     "or production-rollback, which go on from production's rows");
}

static int check_options(const struct strategy_input *input, struct err *err)
{
	if (!input->dialect->swaps_schemas && !input->dialect->swaps_files) {
		err_set(err, ERR_UNSUPPORTED,
			"blue-green exchanges whole schemas, which cannot be done on %s in this "
			"version",
			input->dialect->title);
		return err_hint(err, "use wac, or production-rollback where incremental models or "
				     "snapshots are published");
	}
	if (input->routes->clones_containers && !input->dialect->clones_containers) {
		err_set(err, ERR_UNSUPPORTED,
			"%s has no clone of a whole schema or database, which 'foreign_objects: "
			"clone' asks for",
			input->dialect->title);
		return err_hint(err, "move what no node makes elsewhere, or name what production "
				     "may lose: foreign_objects: {ignore: [schema.name]}");
	}
	if (!config_bool(input->config, OPTION_RESTORE_POINT))
		return err_set(err, ERR_UNSUPPORTED,
			       "blue-green keeps the old schema as it is: 'restore_point: false' "
			       "has nothing to leave out");
	if (strv_contains(input->build_options, "--defer")) {
		err_set(err, ERR_DBT_OPTION,
			"with --defer views of staging would read the tables of production that "
			"are about to be exchanged");
		return err_hint(err, "leave it out: everything in the schemas is built");
	}
	return 0;
}

/* What the build does not make from nothing begins as production's. */
static int choose_copies(struct publication *w, bool full_refresh, struct err *err)
{
	const struct routes *routes = w->in->routes;

	publication_begin_copies(w);
	for (size_t i = 0; i < routes->n; i++)
		if (routes->items[i].in_scope &&
		    !scope_build_recreates(routes->items[i].node, full_refresh) &&
		    publication_add_copy(w, &routes->items[i], full_refresh, err) < 0)
			return -1;
	return 0;
}

static int choose_tables(struct publication *w, struct err *err)
{
	const struct routes *routes = w->in->routes;
	bool full_refresh = strv_contains(w->in->build_options, "--full-refresh");
	bool clones = config_clones(w->in->config);

	w->set.tables =
		arena_alloc(&w->plan->arena, (routes->scope_count + 1) * sizeof(*w->set.tables));
	for (size_t i = 0; i < routes->n; i++) {
		const struct route *route = &routes->items[i];

		if (!route->in_scope)
			continue;
		if ((!clones && check_node(route->node, full_refresh, err) < 0) ||
		    publication_add_table(w, route, err) < 0)
			return -1;
		w->set.tables[w->set.n - 1].is_view = !manifest_is_table(route->node);
	}
	publication_sort(w);
	if (publication_choose_containers(w, err) < 0)
		return -1;
	publication_swap_tables(w, texts(w)->table);
	for (size_t i = 0; i < w->set.n; i++)
		if (w->set.tables[i].decided && w->set.tables[i].to_table)
			publication_warn_lost(w, &w->set.tables[i]);
	publication_link_routes(w);
	if (w->in->dialect->remakes_views && publication_order_views(w, err) < 0)
		return -1;
	if (clones && choose_copies(w, full_refresh, err) < 0)
		return -1;
	return publication_check_shrinks(w, err);
}

static int plan_prepare(struct publication *w, struct err *err)
{
	bool marks = w->in->dialect->mark != NULL;
	bool copies = w->copies.n > 0 && !w->in->reuses;
	bool clones = publication_begins_as_clone(w);
	struct step *step;

	if (!marks && !copies)
		return 0;
	step = plan_add_step(w->plan, "prepare", "prepare",
			     marks && w->in->dialect->transaction != DIALECT_TRANSACTION_NONE
				     ? STEP_TRANSACTION
				     : STEP_OPERATION,
			     clones   ? "staging begins as a clone of production, and says whose "
					"build it is"
			     : copies ? "staging gets from production what the build does not make "
					"anew"
				      : texts(w)->marks);
	step->idempotent = true;
	step->undo = copies || clones ? "nothing: staging is filled anew by the next deployment"
				      : "nothing: the next deployment marks them anew";
	if (marks && w->in->dialect->mark(w->in->dialect, &w->set, &step->sql, err) < 0)
		return -1;
	if (!copies)
		return 0;
	return w->in->dialect->swaps_files ? publication_push_file_copies(w, &step->sql, err)
					   : publication_push_copies(w, &step->sql, err);
}

static int plan_steps(struct publication *w, struct err *err)
{
	static const char *const no_defer[] = { "--no-defer", NULL };

	if (publication_plan_lock(w, err) < 0 || plan_prepare(w, err) < 0)
		return -1;
	publication_plan_build(w, "build and test in staging; production is not touched", no_defer);
	publication_plan_audit(w);
	if (publication_plan_publish(w, texts(w)->publish, err) < 0)
		return -1;
	return publication_plan_finish(w, err);
}

static int blue_green_plan(const struct strategy_input *input, struct plan *plan, struct err *err)
{
	struct publication w CLEANUP(publication_release) = { 0 };

	publication_init(&w, input, plan);
	state_hold_production(&w.state);
	if (check_options(input, err) < 0 || choose_tables(&w, err) < 0)
		return -1;
	return plan_steps(&w, err);
}

static const char *const one_by_one[] = { "snowflake", NULL };

const struct strategy strategy_blue_green = {
	.name = "blue-green",
	.summary = "build everything in staging and test it, then exchange the schemas whole",
	.swaps = true,
	.one_by_one = one_by_one,
	.holds_production = true,
	.plan = blue_green_plan,
};
