/*
 * wap, write-audit-publish: everything is built and tested in an audit target whose upper layer
 * is routed aside, and shares the layers below with production; then the scope is built once more
 * in production (publish_by: rebuild), or the audited tables are published as wac does it.
 */
#include <stdint.h>
#include <string.h>

#include "airlock/deploy/publication.h"
#include "airlock/deploy/strategy_rows.h"
#include "airlock/format/json.h"
#include "airlock/warehouse/view_text.h"

static bool is_in_set(const struct publication *w, const struct relation *relation)
{
	for (size_t i = 0; i < w->set.n; i++)
		if (relation_equal(w->in->dialect, w->set.tables[i].to, relation))
			return true;
	return false;
}

static bool is_staging(const struct publication *w, const struct relation *relation)
{
	for (size_t i = 0; i < w->in->routes->n; i++)
		if (relation_equal(w->in->dialect, &w->in->routes->items[i].from, relation))
			return true;
	return false;
}

static int refuse_dropped(const struct table *view, const struct relation *read, struct err *err)
{
	char *name CLEANUP(mem_free_string) = relation_display(&view->relation);
	char *of CLEANUP(mem_free_string) = relation_display(read);

	err_set(err, ERR_UNSUPPORTED,
		"dbt would drop the %s '%s', which reads '%s', when it rebuilds that table",
		view->kind, name, of);
	return err_hint(err, "take it into the scope if it is a model of this project, or say "
			     "publish_by: copy, which keeps it");
}

/* Where a view is bound to the object that it reads, dbt drops it with the table it replaces. */
static int check_dependents(const struct publication *w, struct err *err)
{
	const struct observed *observed = w->in->observed;

	for (size_t i = 0; i < observed->table_count && !w->in->dialect->views_follow_names; i++) {
		const struct table *view = &observed->tables[i];
		struct view_text text CLEANUP(view_text_release) = { .n = 0 };

		if (!view->definition || is_in_set(w, &view->relation) ||
		    is_staging(w, &view->relation))
			continue;
		view_text_read(w->in->dialect, view->definition, view->relation.database, &text);
		for (size_t k = 0; k < w->set.n; k++)
			if (view_text_names(w->in->dialect, &text, w->set.tables[k].to))
				return refuse_dropped(view, w->set.tables[k].to, err);
	}
	return 0;
}

static void warn_of_lost(struct publication *w, const struct publish_table *t)
{
	char *name CLEANUP(mem_free_string) = relation_display(t->to);

	for (size_t i = 0; i < t->to_table->index_count; i++)
		strv_pushf(&w->plan->warnings,
			   "index '%s' of '%s' stays only if the project configures it",
			   t->to_table->indexes[i].name, name);
	for (size_t i = 0; i < t->to_table->constraint_count; i++)
		strv_pushf(&w->plan->warnings,
			   "constraint '%s' of '%s' stays only if the project configures it",
			   t->to_table->constraints[i].name, name);
}

/* dbt keeps the object of an incremental model that it only adds to. */
static bool is_made_anew(const struct publication *w, const struct manifest_node *node,
			 const struct table *was)
{
	const struct strv *options = w->in->build_options;

	return strcmp(node->materialized, "incremental") != 0 || table_is_view(was) ||
	       strcmp(node->full_refresh, "true") == 0 ||
	       (strcmp(node->full_refresh, "false") != 0 &&
		strv_contains(options, "--full-refresh"));
}

/* What the object has that another one made by dbt would not, and nobody could give back. */
static int check_lost(const struct publication *w, const struct publish_table *t, struct err *err)
{
	const struct table *was = t->to_table;
	const char *grant = js_get_string(was->json, "grant_owner");
	char *name CLEANUP(mem_free_string) = relation_display(t->to);
	const struct strv lists[] = {
		{ .v = (char **)(uintptr_t)was->refuses, .n = was->refuse_count },
		{ .v = (char **)(uintptr_t)was->refuses_exchange, .n = was->refuse_exchange_count },
	};
	struct strv lost CLEANUP(strv_release) = STRV_INIT;

	strv_push_all(&lost, &lists[0]);
	strv_push_all(&lost, &lists[1]);
	if (t->decided && t->from_table)
		table_list_lost(w->plan->dialect, was, t->from_table, &lost);
	if (lost.n > 0) {
		char *words CLEANUP(mem_free_string) = strv_join(&lost, ", ");

		err_set(err, ERR_UNSUPPORTED, "dbt would make '%s' anew, and that would lose: %s",
			name, words);
		return err_hint(err, "drop that, deploy, and create it again; or say publish_by: "
				     "copy, which keeps it where the columns stay");
	}
	if (!grant || !w->in->runs)
		return 0;
	err_set(err, ERR_PRIVILEGE_MISSING,
		"'%s' could not be given back to its owner '%s' when dbt has made it anew", name,
		was->owner);
	return err_hint(err, "%s;", grant);
}

/* No statement replaces a table by one of another layout: dbt drops it. */
static int check_layout(struct publication *w, const struct publish_table *t,
			const struct manifest_node *node, struct err *err)
{
	const struct table *was = t->to_table;

	if (!t->decided || !was || !t->from_table || table_same_layout(t->from_table, was) ||
	    !is_made_anew(w, node, was))
		return 0;
	publication_warn_missed(w, t);
	if (!was->privileges || !*was->privileges)
		return 0;
	struct strv lines CLEANUP(strv_release) = STRV_INIT;

	strv_split(&lines, was->privileges, "\n");
	char *given CLEANUP(mem_free_string) = strv_join(&lines, ", ");
	char *name CLEANUP(mem_free_string) = relation_display(t->to);

	err_set(err, ERR_UNSUPPORTED,
		"dbt would drop '%s', whose partitioning or clustering changes, and the "
		"permissions that were given for it itself: %s",
		name, given);
	return err_hint(err, "say publish_by: copy, which gives them again; or revoke them, "
			     "deploy, and give them again");
}

/* What cannot be replaced at all cannot be rebuilt either. */
static int choose_way(struct publication *w, struct publish_table *t, struct plan_table *row,
		      struct err *err)
{
	if (t->to_table && is_made_anew(w, row->route->to_node, t->to_table) &&
	    check_lost(w, t, err) < 0)
		return -1;
	if (!row->route->is_view && !(t->to_table && table_is_view(t->to_table)) &&
	    (w->in->dialect->choose_way(t, &t->way, &row->reason, err) < 0 ||
	     check_layout(w, t, row->route->to_node, err) < 0))
		return -1;
	t->way = t->to_table ? PUBLISH_REBUILD : PUBLISH_NEW;
	t->is_view = row->route->is_view;
	row->reason = t->to_table ? "dbt builds it again where it is"
				  : "production has none yet: dbt builds it";
	if (t->to_table && is_made_anew(w, row->route->to_node, t->to_table) &&
	    publication_refuse_declared(w, t, row->route->node, err) < 0)
		return -1;
	publication_choose_restore(w, t, config_bool(w->in->config, OPTION_RESTORE_POINT));
	row->way = t->way;
	row->replaces = t->to_table != NULL;
	row->restore = t->restore;
	row->restore_is_copy = t->restore_is_copy;
	publication_warn_unreadable(w, t);
	publication_warn_unread(w, t);
	if (t->to_table)
		warn_of_lost(w, t);
	return 0;
}

static int choose_tables(struct publication *w, struct err *err)
{
	const struct routes *routes = w->in->routes;

	w->set.tables =
		arena_alloc(&w->plan->arena, (routes->scope_count + 1) * sizeof(*w->set.tables));
	for (size_t i = 0; i < routes->n; i++)
		if (routes->items[i].in_scope &&
		    publication_add_table(w, &routes->items[i], err) < 0)
			return -1;
	publication_sort(w);
	publication_link_routes(w);
	if (publication_check_declared(w, err) < 0)
		return -1;
	for (size_t i = 0; i < w->set.n; i++) {
		w->set.tables[i].number = i + 1;
		if (choose_way(w, &w->set.tables[i], &w->plan->tables[i], err) < 0)
			return -1;
	}
	return check_dependents(w, err);
}

/* First of all, before whatever else the plan warns of. */
static void warn_first(const struct dialect *dialect, struct plan *plan)
{
	struct strv others CLEANUP(strv_release) = plan->warnings;

	plan->warnings = (struct strv)STRV_INIT;
	strv_push(&plan->warnings,
		  "production is not given the tested rows: dbt builds the scope once more, one "
		  "model at a time, and readers see old and new tables meanwhile; publish_by: copy "
		  "publishes the tested tables, all or none");
	if (!dialect->give_back)
		strv_push(&plan->warnings,
			  "indexes, comments and labels made by hand on a table that dbt rebuilds "
			  "are gone, as after any 'dbt run'");
	strv_push_all(&plan->warnings, &others);
}

static int plan_rebuild(const struct strategy_input *input, struct plan *plan, struct err *err)
{
	static const char *const no_defer[] = { "--no-defer", NULL };
	struct publication w CLEANUP(publication_release) = { 0 };

	publication_init(&w, input, plan);
	state_hold_production(&w.state);
	w.rebuilds = true;
	plan->atomic = false;
	plan->conflict_unseen =
		arena_printf(&plan->arena,
			     "%s, and what is written to a table between its restore point and the "
			     "moment at which dbt replaces it",
			     plan->conflict_unseen);
	warn_first(input->dialect, plan);
	if (choose_tables(&w, err) < 0 || publication_plan_lock(&w, err) < 0)
		return -1;
	publication_plan_build(&w,
			       "build and test beside production; of production only what both "
			       "sides share is touched",
			       strv_contains(input->build_options, "--defer") ? NULL : no_defer);
	publication_plan_audit(&w);
	if (publication_plan_publish(
		    &w, "what production has goes to restore points; nothing changes yet", err) < 0)
		return -1;
	return publication_plan_finish(&w, err);
}

static int wap_plan(const struct strategy_input *input, struct plan *plan, struct err *err)
{
	if (!config_rebuilds(input->config))
		return strategy_wac.plan(input, plan, err);
	if (input->dialect->keep)
		return plan_rebuild(input, plan, err);
	err_set(err, ERR_UNSUPPORTED,
		"wap by rebuild on %s is not in this version: what dbt makes anew there loses its "
		"privileges",
		input->dialect->title);
	return err_hint(err, "publish_by: copy publishes the tables that were tested");
}

static const char *const one_by_one[] = { "snowflake", "bigquery", NULL };

const struct strategy strategy_wap = {
	.name = "wap",
	.summary = "write-audit-publish: build and test beside production, then publish the scope",
	.may_rebuild = true,
	.publishes_alone = true,
	.one_by_one = one_by_one,
	.plan = wap_plan,
};
