/* What staging gets from production before the build, so that the build goes on from it. */
#include <string.h>

#include "airlock/deploy/publication.h"
#include "airlock/deploy/route_check.h"
#include "airlock/deploy/scope_build.h"

static bool is_built(const struct publication *w, const struct route *route)
{
	return route->is_built || (w->set.container_count > 0 && route->in_scope);
}

static const char *copy_reason(const struct publication *w, const struct route *route,
			       const struct publish_table *t, bool full_refresh)
{
	const struct manifest_node *node = route->node;

	if (!t->from_table)
		return "production has none: the build begins anew";
	if (!is_built(w, route))
		return "the build reads it";
	if (node->type == MANIFEST_SNAPSHOT)
		return "a snapshot goes on from what it has";
	if (full_refresh && strcmp(node->full_refresh, "false") == 0)
		return "full_refresh: false keeps what it has";
	if (strcmp(node->materialized, "incremental") == 0)
		return "an incremental model goes on from what it has";
	return "its materialization may go on from what it has";
}

/* Its rows would not be in what the build goes on from. */
static int refuse_source(const struct publish_table *t, struct err *err)
{
	char *name CLEANUP(mem_free_string) = relation_display(t->from);

	err_set(err, ERR_UNSUPPORTED,
		"'%s' is a %s in production, of which no copy is made: the build would begin "
		"without its rows",
		name, t->from_table->kind);
	return err_hint(err, "leave its node out with --exclude, or let dbt make it a table");
}

static int check_kind(const struct publish_table *t, struct err *err)
{
	static const char *const kinds[] = { "table", "view", "materialized view" };

	for (size_t i = 0; t->to_table && i < ARRAY_LEN(kinds); i++)
		if (strcmp(t->to_table->kind, kinds[i]) == 0)
			return 0;
	if (!t->to_table)
		return 0;
	char *name CLEANUP(mem_free_string) = relation_display(t->to);

	err_set(err, ERR_UNSUPPORTED, "'%s' is a %s in staging and has to be made anew", name,
		t->to_table->kind);
	return err_hint(err, "drop it there");
}

/* A copy that takes the place of what it was made of would end these without a word. */
static int check_kept(const struct publish_table *t, struct err *err)
{
	static const char *const lost[] = { "generated column ", "identity column ",
					    "column with a collation", "it is a partition",
					    "inheritance with " };

	for (size_t i = 0; t->from_table && i < t->from_table->refuse_count; i++) {
		const char *what = t->from_table->refuses[i];

		for (size_t k = 0; k < ARRAY_LEN(lost); k++) {
			if (strncmp(what, lost[k], strlen(lost[k])) != 0)
				continue;
			char *name CLEANUP(mem_free_string) = relation_display(t->from);

			err_set(err, ERR_UNSUPPORTED, "a copy of '%s' would not keep this: %s",
				name, what);
			return err_hint(err, "production-rollback leaves the table in its place");
		}
	}
	return 0;
}

/* Views of staging that a copy may take along: dbt makes them again when they are built. */
static void list_views(struct publication *w)
{
	const struct routes *routes = w->in->routes;
	struct relation *views = arena_alloc(&w->plan->arena, (routes->n + 1) * sizeof(*views));

	for (size_t i = 0; i < routes->n; i++)
		if (!routes->items[i].is_shared && !manifest_is_table(routes->items[i].node))
			views[w->copies.view_count++] = routes->items[i].from;
	w->copies.views = views;
}

void publication_begin_copies(struct publication *w)
{
	size_t n = w->in->routes->n + 1;

	w->copies.tables = arena_alloc(&w->plan->arena, n * sizeof(*w->copies.tables));
	w->plan->copies = arena_alloc(&w->plan->arena, n * sizeof(*w->plan->copies));
	list_views(w);
}

/* All of it begins as a clone: what production does not have is not there then. */
static bool is_in_clone(const struct publication *w, const struct publish_table *t)
{
	for (size_t i = 0; i < w->set.container_count; i++)
		if (w->set.containers[i].is_cloned &&
		    route_container_holds(w->in->dialect, &w->set.containers[i].to, t->from))
			return true;
	return false;
}

int publication_add_copy(struct publication *w, const struct route *route, bool full_refresh,
			 struct err *err)
{
	struct publish_table *t = &w->copies.tables[w->copies.n];
	struct plan_copy *copy = &w->plan->copies[w->plan->copy_count];
	bool in_clone;

	*t = (struct publish_table) {
		.from = &route->to,
		.to = &route->from,
		.from_table = observed_table(w->in->observed, w->in->dialect, &route->to),
		.to_table = observed_table(w->in->observed, w->in->dialect, &route->from),
		.decided = true,
		.is_exact = true,
		.is_copy = true,
	};
	/* In its place dbt would make a table from nothing. */
	if (t->from_table && is_built(w, route) && strcmp(t->from_table->kind, "table") != 0) {
		if (!strstr(t->from_table->kind, "view"))
			return refuse_source(t, err);
		t->from_table = NULL;
	}
	in_clone = is_in_clone(w, t);
	if (in_clone)
		t->to_table = NULL;
	if (!t->from_table && !t->to_table)
		return 0;
	t->way = w->in->dialect->choose_copy(t);
	t->number = w->copies.n + 1;
	*copy = (struct plan_copy) { route, t->way, copy_reason(w, route, t, full_refresh) };
	/* Its rows are compared behind the step, as those of the others. */
	w->copies.n += in_clone ? 0 : 1;
	w->plan->copy_count++;
	if (w->set.container_count > 0 && check_kept(t, err) < 0)
		return -1;
	return check_kind(t, err);
}

int publication_push_copies(struct publication *w, struct strv *statements, struct err *err)
{
	for (size_t i = 0; i < w->copies.n; i++)
		if (publication_push_schema(w, w->copies.tables[i].to, statements, err) < 0)
			return -1;
	strv_dedup(statements);
	return w->in->dialect->copy(w->in->dialect, &w->copies, statements, err);
}
