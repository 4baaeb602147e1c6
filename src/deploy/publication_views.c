/* The views of a publication: their text, the views of others over what they replace, and the
 * order in which all of them are made. */
#include <stdlib.h>
#include <string.h>

#include "airlock/deploy/publication.h"
#include "airlock/deploy/route_check.h"
#include "airlock/format/json.h"
#include "airlock/warehouse/view_text.h"

/* What only staging has must not be shown by production. */
static const struct route *staging_in(const struct routes *routes, const struct view_text *text)
{
	for (size_t i = 0; i < routes->n; i++) {
		const struct route *route = &routes->items[i];

		if (!route->is_shared && view_text_names(routes->dialect, text, &route->from))
			return route;
	}
	return NULL;
}

int publication_take_view(struct publication *w, const struct route *route, const char **ret_view,
			  struct err *err)
{
	const char *sql = js_get_string(w->in->compiled, route->node->unique_id);
	struct view_text text CLEANUP(view_text_release) = { .n = 0 };

	if (!sql || !*sql)
		return err_set(err, ERR_NO_ANSWER, "dbt compiled no SQL of the view '%s'",
			       route->node->unique_id);
	if (strchr(sql, SQL_BIND_MARK))
		return err_set(err, ERR_NAME_UNUSABLE,
			       "the SQL of '%s' has the control character U+0001, which cannot be "
			       "published",
			       route->node->unique_id);
	view_text_read(w->in->dialect, sql, route->to.database, &text);

	const struct route *staging = staging_in(w->in->routes, &text);

	if (staging) {
		char *name CLEANUP(mem_free_string) = relation_display(&staging->from);

		err_set(err, ERR_ROUTE_CONFLICT,
			"the SQL of the view '%s' names '%s', which is staging's ('%s'), also when "
			"it is compiled for '%s'",
			route->node->unique_id, name, staging->node->unique_id,
			config_text(w->in->config, OPTION_TO));
		return err_hint(err, "let it use ref(), or leave the view out with --exclude");
	}
	*ret_view = arena_printf(&w->plan->arena, "as (\n%s\n)", sql);
	return 0;
}

static bool is_in_set(const struct publication *w, const struct relation *relation)
{
	for (size_t i = 0; i < w->set.n; i++)
		if (relation_equal(w->in->dialect, w->set.tables[i].to, relation))
			return true;
	return false;
}

static bool is_dependent(const struct publication *w, const struct table *view)
{
	for (size_t i = 0; i < w->set.dependent_count; i++)
		if (w->set.dependents[i].view == view)
			return true;
	return false;
}

/* What the view reads that another object takes the place of. */
static const struct relation *moved_behind(const struct publication *w, const struct table *view)
{
	struct view_text text CLEANUP(view_text_release) = { .n = 0 };

	view_text_read(w->in->dialect, view->definition, view->relation.database, &text);
	for (size_t i = 0; i < w->set.n; i++) {
		const struct publish_table *t = &w->set.tables[i];

		if (t->to_table && publish_way_moves(t->way) && t->way != PUBLISH_REMOVE &&
		    view_text_names(w->in->dialect, &text, t->to))
			return t->to;
	}
	for (size_t i = 0; i < w->set.dependent_count; i++)
		if (view_text_names(w->in->dialect, &text, &w->set.dependents[i].view->relation))
			return &w->set.dependents[i].view->relation;
	return NULL;
}

static int refuse_dependent(const struct table *view, const struct relation *moved, struct err *err)
{
	char *name CLEANUP(mem_free_string) = relation_display(&view->relation);
	char *behind CLEANUP(mem_free_string) = relation_display(moved);
	const struct strv lists[] = {
		{ .v = (char **)(uintptr_t)view->refuses, .n = view->refuse_count },
		{ .v = (char **)(uintptr_t)view->refuses_exchange,
		  .n = view->refuse_exchange_count },
	};
	struct strv lost CLEANUP(strv_release) = STRV_INIT;

	strv_push_all(&lost, &lists[0]);
	strv_push_all(&lost, &lists[1]);
	if (!view->owned)
		strv_pushf(&lost, "it belongs to '%s', and this session may not act as its owner",
			   view->owner ? view->owner : "?");
	if (lost.n == 0)
		return 0;
	char *words CLEANUP(mem_free_string) = strv_join(&lost, ", ");

	err_set(err, ERR_UNSUPPORTED,
		"another object takes the place of '%s', so the %s '%s' that reads it has to be "
		"made again, which cannot be done: %s",
		behind, view->kind, name, words);
	return err_hint(err, "drop it, deploy, and create it again");
}

static int add_dependent(struct publication *w, const struct table *view,
			 const struct relation *moved, bool checks, struct err *err)
{
	char *name CLEANUP(mem_free_string) = relation_display(&view->relation);
	char *behind CLEANUP(mem_free_string) = relation_display(moved);

	if (checks && refuse_dependent(view, moved, err) < 0)
		return -1;
	w->set.dependents[w->set.dependent_count] = (struct publish_dependent) {
		.view = view,
		.number = w->set.dependent_count + 1,
	};
	w->set.dependent_count++;
	strv_pushf(
		&w->plan->warnings,
		"the %s '%s' reads '%s', which another object takes the place of: it is made "
		"again with its text, owner, options, comments and privileges%s",
		view->kind, name, behind,
		table_is_materialized(view)
			? ", its indexes, and the rows that it then reads: readers wait meanwhile"
			: "");
	return 0;
}

/* Followed through views: a round finds what reads the finds of the last one. */
static int find_dependents(struct publication *w, struct err *err)
{
	const struct observed *observed = w->in->observed;
	bool again = !w->in->dialect->views_follow_names;

	w->set.dependents = arena_alloc(&w->plan->arena,
					(observed->table_count + 1) * sizeof(*w->set.dependents));
	while (again) {
		again = false;
		for (size_t i = 0; i < observed->table_count; i++) {
			const struct table *view = &observed->tables[i];

			if (!view->definition || is_dependent(w, view) ||
			    is_in_set(w, &view->relation))
				continue;
			const struct relation *moved = moved_behind(w, view);

			if (moved && add_dependent(w, view, moved, observed->built, err) < 0)
				return -1;
			again = again || moved;
		}
	}
	return 0;
}

/* It reads a table that stays, and is no part of the publish. */
static void warn_of_materialized(struct publication *w)
{
	const struct observed *observed = w->in->observed;

	for (size_t i = 0; i < observed->table_count; i++) {
		const struct table *view = &observed->tables[i];
		struct view_text text CLEANUP(view_text_release) = { .n = 0 };
		char *name CLEANUP(mem_free_string) = relation_display(&view->relation);

		if (!view->definition || !table_is_materialized(view) || is_dependent(w, view))
			continue;
		view_text_read(w->in->dialect, view->definition, view->relation.database, &text);
		for (size_t k = 0; k < w->set.n; k++) {
			const struct publish_table *t = &w->set.tables[k];
			char *of CLEANUP(mem_free_string) = relation_display(t->to);

			if (t->way == PUBLISH_REWRITE &&
			    view_text_names(w->in->dialect, &text, t->to))
				strv_pushf(&w->plan->warnings,
					   "the materialized view '%s' reads '%s', and shows its "
					   "old rows until somebody refreshes it",
					   name, of);
		}
	}
}

/* One view on its way to its turn. */
struct turning {
	const struct relation *name;
	struct view_text text;
	size_t *turn;
};

static bool reads_waiting(const struct dialect *dialect, const struct turning *one,
			  const struct turning *all, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (&all[i] != one && *all[i].turn == 0 &&
		    view_text_names(dialect, &one->text, all[i].name))
			return true;
	return false;
}

/* From 1; views that seem to read each other in a circle keep their order. Returns the next. */
static size_t take_turns(const struct dialect *dialect, struct turning *all, size_t n)
{
	size_t turn = 1;
	bool strict = true;

	while (turn <= n) {
		size_t before = turn;

		for (size_t i = 0; i < n; i++) {
			if (*all[i].turn > 0 || (strict && reads_waiting(dialect, &all[i], all, n)))
				continue;
			*all[i].turn = turn++;
			if (!strict)
				break;
		}
		strict = turn > before;
	}
	return turn;
}

static void add_turning(const struct publication *w, struct turning *turning,
			const struct relation *name, const char *text, size_t *turn)
{
	turning->name = name;
	turning->turn = turn;
	view_text_read(w->in->dialect, text, name->database, &turning->text);
}

static size_t order(struct publication *w, bool old)
{
	size_t most = w->set.n + w->set.dependent_count;
	struct turning *all = mem_alloc((most + 1) * sizeof(*all));
	size_t n = 0;

	for (size_t i = 0; i < w->set.n; i++) {
		struct publish_table *t = &w->set.tables[i];
		const char *text = !old ? t->view : t->to_table ? t->to_table->definition : NULL;

		if (text)
			add_turning(w, &all[n++], t->to, text, old ? &t->old_turn : &t->turn);
	}
	for (size_t i = 0; i < w->set.dependent_count; i++) {
		struct publish_dependent *d = &w->set.dependents[i];

		add_turning(w, &all[n++], &d->view->relation, d->view->definition,
			    old ? &d->old_turn : &d->turn);
	}
	size_t turns = take_turns(w->in->dialect, all, n);

	for (size_t i = 0; i < n; i++)
		view_text_release(&all[i].text);
	free(all);
	return turns;
}

static void take_all_turns(struct publication *w)
{
	size_t turns = order(w, false);
	size_t old_turns = order(w, true);

	w->set.turns = turns > old_turns ? turns : old_turns;
}

static bool is_in_containers(const struct publication *w, const struct relation *relation)
{
	for (size_t i = 0; i < w->set.container_count; i++)
		if (route_container_holds(w->in->dialect, &w->set.containers[i].from, relation) ||
		    route_container_holds(w->in->dialect, &w->set.containers[i].to, relation))
			return true;
	return false;
}

/* Views outside that read what changes places, through each other or by themselves. */
struct bound {
	bool *shows; /* by their position in the picture */
	size_t n;
};

static const struct relation *swapped_behind(const struct publication *w, const struct bound *bound,
					     const struct view_text *text)
{
	const struct observed *observed = w->in->observed;

	for (size_t i = 0; i < w->set.n; i++)
		if (w->set.tables[i].to_table &&
		    view_text_names(w->in->dialect, text, w->set.tables[i].to))
			return w->set.tables[i].to;
	for (size_t i = 0; i < bound->n; i++)
		if (bound->shows[i] &&
		    view_text_names(w->in->dialect, text, &observed->tables[i].relation))
			return &observed->tables[i].relation;
	return NULL;
}

static const struct relation *dependent_behind(const struct publication *w,
					       const struct view_text *text)
{
	for (size_t i = 0; i < w->set.dependent_count; i++)
		if (view_text_names(w->in->dialect, text, &w->set.dependents[i].view->relation))
			return &w->set.dependents[i].view->relation;
	return NULL;
}

/* Whether it was found to be bound by something new. */
static int look_at_bound(struct publication *w, struct bound *bound, size_t i, bool *ret_new,
			 struct err *err)
{
	const struct table *view = &w->in->observed->tables[i];
	struct view_text text CLEANUP(view_text_release) = { .n = 0 };
	const struct relation *behind, *moved;

	if (!view->definition || is_dependent(w, view) || is_in_containers(w, &view->relation))
		return 0;
	view_text_read(w->in->dialect, view->definition, view->relation.database, &text);
	behind = swapped_behind(w, bound, &text);
	moved = dependent_behind(w, &text);
	if (!moved && table_is_materialized(view))
		moved = behind;
	if (moved) {
		bound->shows[i] = false;
		*ret_new = true;
		return add_dependent(w, view, moved, true, err);
	}
	*ret_new = *ret_new || (behind && !bound->shows[i]);
	bound->shows[i] = behind != NULL;
	return 0;
}

int publication_find_bound(struct publication *w, struct err *err)
{
	size_t n = w->in->observed->table_count;
	struct bound bound = { .shows = arena_alloc(&w->plan->arena, n + 1), .n = n };
	bool again = true;

	if (w->in->dialect->views_follow_names)
		return 0;
	w->set.dependents = arena_alloc(&w->plan->arena, (n + 1) * sizeof(*w->set.dependents));
	while (again) {
		again = false;
		for (size_t i = 0; i < n; i++)
			if (look_at_bound(w, &bound, i, &again, err) < 0)
				return -1;
	}
	take_all_turns(w);
	return 0;
}

/* A text that this session may not see is no text that it has seen before. */
static bool is_same_text(const struct table *then, const struct table *now)
{
	return then->object && now->object && strcmp(then->object, now->object) == 0;
}

/* Of a rollback: a text that was printed and read again may look different and say the same. */
static void keep_views(struct publication *w)
{
	for (size_t i = 0; i < w->set.n; i++) {
		struct publish_table *t = &w->set.tables[i];

		if (!t->is_exact || t->way != PUBLISH_VIEW ||
		    !is_same_text(t->from_table, t->to_table) || moved_behind(w, t->to_table))
			continue;
		t->way = PUBLISH_KEEP;
		t->view = NULL;
		w->plan->tables[i].way = PUBLISH_KEEP;
		w->plan->tables[i].reason = "the view is what it was";
	}
}

int publication_order_views(struct publication *w, struct err *err)
{
	/* Of a swap publication_find_bound() has done it. */
	if (w->set.container_count > 0 && !w->in->dialect->views_follow_names)
		return 0;
	if (find_dependents(w, err) < 0)
		return -1;
	warn_of_materialized(w);
	keep_views(w);
	take_all_turns(w);
	return 0;
}
