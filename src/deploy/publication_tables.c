/* Which tables a publication has, how each gets its new rows, and what that loses. */
#include <stdlib.h>
#include <string.h>

#include "airlock/deploy/publication.h"

static int refuse_database(const struct publication *w, const struct relation *relation,
			   const char *here, struct err *err)
{
	char *name CLEANUP(mem_free_string) = relation_display(relation);

	err_set(err, ERR_UNSUPPORTED,
		"'%s' is in another database than the connection that publishes ('%s')", name,
		here);
	return err_hint(err, "%s",
			w->in->dialect->names_database
				? "one transaction writes one database: let the target that "
				  "publishes connect to the one of the published tables"
				: "let both targets name one database and differ in schemas");
}

/* The state, the restore points and the published tables change in one transaction. */
static int check_database(const struct publication *w, const struct route *route, struct err *err)
{
	const char *seen = w->in->observed->database;
	const struct relation here = { seen ? seen : w->in->database, "", "" };
	const struct relation from = { route->from.database, "", "" };
	const struct relation to = { route->to.database, "", "" };

	if (w->in->dialect->crosses_databases)
		return 0;
	if (!relation_equal(w->in->dialect, &to, &here))
		return refuse_database(w, &route->to, here.database, err);
	if (!w->in->dialect->names_database && !relation_equal(w->in->dialect, &from, &here))
		return refuse_database(w, &route->from, here.database, err);
	return 0;
}

static int missing(const struct publication *w, const struct route *route, struct err *err)
{
	char *name CLEANUP(mem_free_string) = relation_display(&route->from);

	if (w->in->builds_nothing && !w->in->observed->built) {
		err_set(err, ERR_RELATION_MISSING,
			"'%s' ('%s') is not there to be tested and published", name,
			route->node->unique_id);
		return err_hint(err, "'publish' builds nothing: deploy, or take the node out of "
				     "the scope");
	}
	err_set(err, ERR_RELATION_MISSING,
		"'%s' was built for '%s' but cannot be seen through the connection that publishes",
		name, route->node->unique_id);
	return err_hint(err, "let the target that publishes read it (on DuckDB: attach the file of "
			     "staging in the profile)");
}

/* Neither its rows nor its text can be put in the place of another one. */
static int refuse_materialized(const struct manifest_node *node, struct err *err)
{
	if (strcmp(node->materialized, "materialized_view") != 0)
		return 0;
	err_set(err, ERR_UNSUPPORTED,
		"'%s' is a materialized view, which cannot be published from staging",
		node->unique_id);
	return err_hint(err,
			"materialize it as a table; or leave it out with --exclude and let dbt "
			"build it in production, for blue-green in a schema of its own");
}

int publication_add_table(struct publication *w, const struct route *route, struct err *err)
{
	const struct strategy_input *in = w->in;
	struct publish_table *t = &w->set.tables[w->set.n];
	const struct manifest_node *node = route->to_node ? route->to_node : route->node;

	if ((!w->rebuilds && refuse_materialized(node, err) < 0) ||
	    check_database(w, route, err) < 0)
		return -1;
	*t = (struct publish_table) {
		.from = &route->from,
		.to = &route->to,
		.depth = route->depth,
		.from_table = observed_table(in->observed, in->dialect, &route->from),
		.to_table = observed_table(in->observed, in->dialect, &route->to),
		.decided = in->observed->built,
		.runs = in->runs,
		.may_be_missed = config_is(in->config, OPTION_ON_SPEC_CHANGE, "replace"),
		.grants = node->grants,
		.grant_count = node->grant_count,
		.sets_grants = node->sets_grants,
	};
	if (route->is_view && !w->rebuilds && publication_take_view(w, route, &t->view, err) < 0)
		return -1;
	if ((t->decided || in->builds_nothing) && !t->from_table)
		return missing(w, route, err);
	w->set.n++;
	return 0;
}

static void warn_of_part(struct publication *w, const struct publish_table *t, const char *what,
			 const struct table_part *part, const char *why)
{
	char *name CLEANUP(mem_free_string) = relation_display(t->to);

	strv_pushf(&w->plan->warnings, "%s '%s' of '%s' %s", what, part->name, name, why);
}

void publication_warn_lost(struct publication *w, const struct publish_table *t)
{
	const struct dialect *dialect = w->in->dialect;
	const struct table *to = t->to_table;
	const char *why = "goes: its column is gone, or staging has another in its place";

	for (size_t i = 0; i < to->index_count; i++)
		if (table_loses_index(dialect, t->from_table, &to->indexes[i]))
			warn_of_part(w, t, "index", &to->indexes[i], why);
	for (size_t i = 0; i < to->constraint_count; i++)
		if (table_loses_constraint(dialect, t->from_table, &to->constraints[i]))
			warn_of_part(w, t, "constraint", &to->constraints[i], why);
}

/* What staging has and production does not get: a foreign key points into staging, and to a table
 * that stays no constraint is added while readers use it. */
static void warn_of_left(struct publication *w, const struct publish_table *t)
{
	for (size_t i = 0; i < t->from_table->constraint_count; i++) {
		const struct table_part *constraint = &t->from_table->constraints[i];

		if (t->to_table && table_has_constraint(t->to_table, constraint))
			continue;
		if (table_is_foreign_key(constraint))
			warn_of_part(w, t, "foreign key", constraint,
				     "is staging's and is not published");
		else if (t->way == PUBLISH_REWRITE)
			warn_of_part(w, t, "constraint", constraint,
				     "is staging's and is not added to the table, which stays");
	}
}

/* Who may read a column that had no policy tag is not known. */
static void warn_of_tags(struct publication *w, const struct publish_table *t)
{
	char *name CLEANUP(mem_free_string) = relation_display(t->to);

	for (size_t i = 0; t->decided && t->to_table && i < t->from_table->column_count; i++) {
		const struct table_column *column = &t->from_table->columns[i];
		const struct table_column *was =
			table_column(w->in->dialect, t->to_table, column->name);

		if (column->tags && !(was && was->tags))
			strv_pushf(&w->plan->warnings,
				   "column '%s' of '%s' gets the policy tags '%s', and who may not "
				   "read what has these will not read it any more",
				   column->name, name, column->tags);
	}
}

static void warn_of_parts(struct publication *w, const struct publish_table *t)
{
	char *name CLEANUP(mem_free_string) = relation_display(t->to);

	if (t->to_table && (!t->to_table->owned || t->to_table->owned_by_another))
		strv_pushf(&w->plan->warnings,
			   "'%s' cannot be published by this session: it belongs to '%s'", name,
			   t->to_table->owner ? t->to_table->owner
					      : "a database that is only read");
	publication_warn_unreadable(w, t);
	publication_warn_unread(w, t);
	if (!t->from_table)
		return;
	if (t->way == PUBLISH_EXCHANGE || t->way == PUBLISH_REPLACE)
		publication_warn_lost(w, t);
	warn_of_left(w, t);
	warn_of_tags(w, t);
}

static int choose_ways(struct publication *w, struct err *err)
{
	bool keep = config_bool(w->in->config, OPTION_RESTORE_POINT);

	publication_sort(w);
	publication_link_routes(w);
	for (size_t i = 0; i < w->set.n; i++) {
		struct publish_table *t = &w->set.tables[i];
		struct plan_table *row = &w->plan->tables[i];

		t->number = i + 1;
		if (t->way == PUBLISH_REMOVE)
			row->reason = table_is_view(t->to_table)
					      ? "it is dropped, and the history keeps its text"
				      : keep ? "it is moved to a restore point"
					     : "it is dropped";
		else if (w->in->dialect->choose_way(t, &t->way, &row->reason, err) < 0)
			return -1;
		if (publication_refuse_declared(w, t, row->route->node, err) < 0)
			return -1;
		publication_choose_restore(w, t, keep);
		row->way = t->way;
		row->replaces = t->to_table != NULL;
		row->restore = t->restore;
		row->restore_is_copy = t->restore_is_copy;
		row->view = t->view;
		if (t->way != PUBLISH_REMOVE)
			warn_of_parts(w, t);
	}
	return 0;
}

/* A new staging knows nothing of what production gathered over time. Counts are known once
 * staging is built. */
static int check_shrink(const struct publication *w, const struct publish_table *t,
			const struct manifest_node *node, struct err *err)
{
	const struct strv *accepted = config_list(w->in->config, OPTION_ACCEPT);
	bool snapshot = node->type == MANIFEST_SNAPSHOT;
	int64_t percent = snapshot ? 0 : config_number(w->in->config, OPTION_MAX_SHRINK);

	if (!t->decided || !t->to_table ||
	    (!snapshot && strcmp(node->materialized, "incremental") != 0) ||
	    strv_contains(accepted, "*") || manifest_is_named(node, accepted))
		return 0;
	if (snapshot && t->to_table->lost > 0)
		return err_set(err, ERR_SHRUNK,
			       "'%s' has %lld rows in production that staging's snapshot does not "
			       "have: a publish would lose what production gathered",
			       node->unique_id, (long long)t->to_table->lost);
	if (t->from_table->rows >= t->to_table->rows ||
	    (t->to_table->rows - t->from_table->rows) * 100 <= t->to_table->rows * percent)
		return 0;
	return err_set(err, ERR_SHRUNK,
		       "'%s' has %lld rows in staging and %lld in production: a publish would lose "
		       "what production gathered",
		       node->unique_id, (long long)t->from_table->rows,
		       (long long)t->to_table->rows);
}

int publication_check_shrinks(const struct publication *w, struct err *err)
{
	for (size_t i = 0; i < w->set.n; i++)
		if (check_shrink(w, &w->set.tables[i], w->plan->tables[i].route->node, err) < 0)
			return -1;
	return 0;
}

int publication_choose_tables(struct publication *w, struct err *err)
{
	const struct routes *routes = w->in->routes;

	w->set.tables = arena_alloc(&w->plan->arena, (routes->scope_count + routes->orphan_count +
						      1) * sizeof(*w->set.tables));
	for (size_t i = 0; i < routes->n; i++)
		if (routes->items[i].in_scope &&
		    publication_add_table(w, &routes->items[i], err) < 0)
			return -1;
	publication_add_orphans(w);
	return publication_settle_tables(w, err);
}

int publication_settle_tables(struct publication *w, struct err *err)
{
	if (publication_check_declared(w, err) < 0 || choose_ways(w, err) < 0)
		return -1;
	if (w->in->runs && publication_check_privileges(w, err) < 0)
		return -1;
	if (publication_order_views(w, err) < 0)
		return -1;
	return publication_check_shrinks(w, err);
}
