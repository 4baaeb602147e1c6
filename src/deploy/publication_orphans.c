/* Orphans of production that a publication takes away with it, and why some of them stay. */
#include <string.h>

#include "airlock/deploy/publication.h"
#include "airlock/warehouse/view_text.h"

struct orphan {
	const struct route *route;
	const struct table *table;
	bool stays;
};

struct orphans {
	struct orphan *v;
	size_t n;
};

static bool is_going(const struct publication *w, const struct orphans *orphans,
		     const struct relation *relation)
{
	for (size_t i = 0; i < orphans->n; i++)
		if (!orphans->v[i].stays &&
		    relation_equal(w->in->dialect, &orphans->v[i].route->to, relation))
			return true;
	return false;
}

static const struct publish_table *in_set(const struct publication *w,
					  const struct relation *relation)
{
	for (size_t i = 0; i < w->set.n; i++)
		if (relation_equal(w->in->dialect, w->set.tables[i].to, relation))
			return &w->set.tables[i];
	return NULL;
}

static bool names(const struct publication *w, const char *text, const struct relation *in,
		  const struct relation *wanted)
{
	struct view_text words CLEANUP(view_text_release) = { .n = 0 };

	view_text_read(w->in->dialect, text, in->database, &words);
	return view_text_names(w->in->dialect, &words, wanted);
}

static bool reads(const struct publication *w, const struct orphans *orphans,
		  const struct relation *view, const char *text, const struct relation *orphan)
{
	return text && !in_set(w, view) && !is_going(w, orphans, view) &&
	       !relation_equal(w->in->dialect, view, orphan) && names(w, text, view, orphan);
}

/* A view that will still be there, by the text that it will have. */
static const struct relation *reader(const struct publication *w, const struct orphans *orphans,
				     const struct orphan *orphan)
{
	const struct observed *observed = w->in->observed;
	const struct relation *to = &orphan->route->to;

	for (size_t i = 0; i < w->set.n; i++)
		if (w->set.tables[i].view &&
		    names(w, w->set.tables[i].view, w->set.tables[i].to, to))
			return w->set.tables[i].to;
	for (size_t i = 0; i < observed->table_count; i++)
		if (reads(w, orphans, &observed->tables[i].relation, observed->tables[i].definition,
			  to))
			return &observed->tables[i].relation;
	for (size_t i = 0; i < w->in->routes->reader_count; i++)
		if (reads(w, orphans, &w->in->routes->readers[i].view,
			  w->in->routes->readers[i].text, to))
			return &w->in->routes->readers[i].view;
	return NULL;
}

static char *why_it_stays(const struct publication *w, const struct orphans *orphans,
			  const struct orphan *orphan)
{
	const struct table *table = orphan->table;
	const struct relation *read_by = reader(w, orphans, orphan);

	if (read_by) {
		char *name CLEANUP(mem_free_string) = relation_display(read_by);

		return mem_printf("the view '%s' reads it", name);
	}
	if (!table->owned)
		return mem_printf("it belongs to '%s'",
				  table->owner ? table->owner : "a database that is only read");
	if (table->refuse_count > 0)
		return mem_printf("it has a %s", table->refuses[0]);
	if (table->refuse_exchange_count > 0)
		return mem_printf("it would take with it: %s", table->refuses_exchange[0]);
	return NULL;
}

/* What stays may keep others: a round finds those that the last one left without a reason. */
static void choose(struct publication *w, struct orphans *orphans)
{
	bool again = true;

	while (again) {
		again = false;
		for (size_t i = 0; i < orphans->n; i++) {
			struct orphan *orphan = &orphans->v[i];
			char *why CLEANUP(mem_free_string) =
				orphan->stays ? NULL : why_it_stays(w, orphans, orphan);
			char *name CLEANUP(mem_free_string) = relation_display(&orphan->route->to);

			if (!why)
				continue;
			orphan->stays = again = true;
			strv_pushf(&w->plan->warnings,
				   "'%s' is no longer in the project, and stays in production: %s",
				   name, why);
		}
	}
}

void publication_add_orphans(struct publication *w)
{
	const struct routes *routes = w->in->routes;
	struct orphans orphans = { .n = 0 };

	if (!routes->drops_orphans)
		return;
	orphans.v = arena_alloc(&w->plan->arena, (routes->orphan_count + 1) * sizeof(*orphans.v));
	for (size_t i = 0; i < routes->orphan_count; i++) {
		const struct route *route = &routes->orphans[i];
		const struct table *table =
			observed_table(w->in->observed, w->in->dialect, &route->to);

		if (table)
			orphans.v[orphans.n++] = (struct orphan) { route, table, false };
	}
	choose(w, &orphans);
	for (size_t i = 0; i < orphans.n; i++) {
		if (orphans.v[i].stays)
			continue;
		w->set.tables[w->set.n++] = (struct publish_table) {
			.to = &orphans.v[i].route->to,
			.to_table = orphans.v[i].table,
			.decided = w->in->observed->built,
			.runs = w->in->runs,
			.way = PUBLISH_REMOVE,
		};
	}
}

bool publication_is_orphan(const struct publication *w, const struct relation *relation)
{
	const struct routes *routes = w->in->routes;

	for (size_t i = 0; routes->drops_orphans && i < routes->orphan_count; i++)
		if (relation_equal(w->in->dialect, &routes->orphans[i].to, relation))
			return true;
	return false;
}

void publication_name_orphans(const struct routes *routes, struct plan *plan)
{
	for (size_t i = 0; !routes->drops_orphans && i < routes->orphan_count; i++) {
		const struct route *orphan = &routes->orphans[i];
		char *name CLEANUP(mem_free_string) = relation_display(&orphan->to);

		strv_pushf(&plan->warnings,
			   "'%s' (%s) was %s: it stays in production; with 'orphans: drop' a "
			   "deployment of everything takes it to a restore point",
			   name, orphan->node->unique_id, orphan->reason);
	}
}
