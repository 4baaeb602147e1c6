#include "publish_one_by_one.h"

#include <stdint.h>
#include <string.h>

enum { CHECKS_AT_ONCE = 10 };

/* What concerns one table each; from OF_TABLES on one group for each depth. */
enum group { ALONE, OF_STAGES, OF_RESTORES, OF_TABLES };

/* --- which way --- */

static int check_kind(const struct publish_table *table, struct err *err)
{
	if (!table->to_table || table_is_view(table->to_table) == (table->view != NULL))
		return 0;
	return publish_refuse(
		table,
		table->view ? "it is a table in production, which no statement replaces by a view"
			    : "it is a view in production, which no statement replaces by a table",
		ONE_BY_ONE_DROP_IT, err);
}

int one_by_one_choose_way(const struct one_by_one *how, const struct publish_table *table,
			  enum publish_way *ret_way, const char **ret_reason, struct err *err)
{
	if (publish_check(table, err) < 0 || check_kind(table, err) < 0 ||
	    how->check(table, err) < 0)
		return -1;
	if (!table->to_table) {
		*ret_way = PUBLISH_NEW;
		*ret_reason = table->view ? "production has no such view yet"
					  : "production has no such table yet";
	} else if (table->view) {
		*ret_way = PUBLISH_VIEW;
		*ret_reason = how->view_reason;
	} else {
		*ret_way = PUBLISH_REPLACE;
		*ret_reason = how->table_reason;
	}
	return 0;
}

/* --- checks --- */

static char *identity_of(const struct table *table)
{
	if (table_is_view(table))
		return mem_strdup(table->object ? table->object : "");
	return mem_printf("%s/%s", table->object ? table->object : "",
			  table->version ? table->version : "");
}

/* A view that another process has made anew says what ours says. */
static int add_own_text(const struct push *p, const struct publish_table *t, struct buf *or_it)
{
	const struct sql_arg view = SQL_ARG_LITERAL("view", t->view);

	if (!t->view || !p->set->is_resumed || !p->how->own_view)
		return 0;
	return sql_render(or_it, p->dialect, p->how->own_view, &view, 1, p->err);
}

int one_by_one_check(const struct push *p, const struct publish_table *t,
		     const struct relation *relation, const struct table *table, const char *text,
		     const char *what)
{
	char *display CLEANUP(mem_free_string) = relation_display(relation);
	char *message CLEANUP(mem_free_string) = mem_printf("%s %s", display, what);
	char *undecided CLEANUP(mem_free_string) = mem_printf("identity of %s", display);
	char *identity CLEANUP(mem_free_string) =
		t->decided && table ? identity_of(table) : mem_strdup("");
	struct buf or_it CLEANUP(buf_release) = BUF_INIT;

	if (relation == t->to && add_own_text(p, t, &or_it) < 0)
		return -1;
	const struct sql_arg args[] = {
		SQL_ARG_IDENT("catalog", relation->database),
		SQL_ARG_SCHEMA("dataset", relation),
		SQL_ARG_LITERAL("schema", relation->schema),
		SQL_ARG_LITERAL("identifier", relation->identifier),
		{ .name = "identity",
		  .kind = SQL_LITERAL,
		  .text = identity,
		  .undecided = t->decided ? NULL : undecided },
		SQL_ARG_LITERAL("message", message),
		SQL_ARG_RELATION("to", t->to),
		SQL_ARG_RELATION("stage", &t->stage),
		SQL_ARG_STATEMENT("or", buf_cstr(&or_it)),
	};

	return dialect_push_text(p->statements, p->dialect, text, args, ARRAY_LEN(args), p->err);
}

static bool has_rows(const struct publish_table *t)
{
	return t->stage.identifier != NULL;
}

static int check_from(const struct push *p, const struct publish_table *t)
{
	if (!t->from)
		return 0;
	return one_by_one_check(
		p, t, t->from, t->from_table, t->view ? p->how->view_is : p->how->table_is,
		t->is_exact ? "(the restore point) changed" : "(staging) changed after its tests");
}

int one_by_one_check_to(const struct push *p, const struct publish_table *t)
{
	static const char what[] = "(production) was changed by somebody else";
	bool may_be_done = p->set->is_resumed && has_rows(t) && p->how->table_is_or_holds;

	if (!t->to_table && p->set->is_resumed)
		return 0;
	if (!t->to_table)
		return one_by_one_check(p, t, t->to, NULL, p->how->nothing_is, what);
	if (t->way == PUBLISH_REMOVE && p->set->is_resumed)
		return one_by_one_check(p, t, t->to, t->to_table,
					table_is_view(t->to_table) ? p->how->view_is_or_gone
								   : p->how->table_is_or_gone,
					what);
	if (table_is_view(t->to_table))
		return one_by_one_check(p, t, t->to, t->to_table, p->how->view_is, what);
	/* Between the drop and the rename. */
	if (t->to_table->is_gone)
		return one_by_one_check(p, t, t->to, NULL, p->how->nothing_is, what);
	return one_by_one_check(p, t, t->to, t->to_table,
				may_be_done ? p->how->table_is_or_holds : p->how->table_is, what);
}

/* Each is a query of one number: so many of them become one. */
static void push_joined(const struct strv *checks, size_t at_once, struct strv *statements)
{
	for (size_t i = 0; i < checks->n; i += at_once) {
		size_t left = checks->n - i;
		const struct strv some = { .v = checks->v + i,
					   .n = left < at_once ? left : at_once };

		strv_take(statements, strv_join(&some, " union all "));
	}
}

int one_by_one_check_held(const struct push *p, const struct publish_table *t)
{
	struct strv checks CLEANUP(strv_release) = STRV_INIT;
	struct push q = *p;

	q.statements = &checks;
	one_by_one_guard(&q);
	if (one_by_one_check_to(&q, t) < 0)
		return -1;
	push_joined(&checks, CHECKS_AT_ONCE, p->statements);
	return 0;
}

static int verify_view(const struct push *p, const struct publish_table *t)
{
	return t->view ? p->how->push(p, t, "select 1 from {to} limit 0") : 0;
}

static int verify_rows(const struct push *p, const struct publish_table *t)
{
	bool resumed = p->set->is_resumed && p->how->holds_the_stage;

	if (t->view || !has_rows(t))
		return 0;
	return one_by_one_check(p, t, t->to, NULL,
				resumed ? p->how->holds_the_stage : p->how->counts_the_stage,
				"does not hold what was tested");
}

/* --- the order --- */

static int freeze(const struct push *p, const struct publish_table *t)
{
	if (!has_rows(t))
		return 0;
	if (p->how->push(p, t, p->how->freeze) < 0)
		return -1;
	return p->how->frozen ? p->how->frozen(p, t) : 0;
}

static int restore(const struct push *p, const struct publish_table *t)
{
	if (!t->to_table || t->to_table->is_gone || !t->restore.identifier ||
	    table_is_view(t->to_table))
		return 0;
	return p->how->restore(p, t);
}

int one_by_one_remove(const struct push *p, const struct publish_table *t)
{
	return p->how->push(p, t,
			    table_is_view(t->to_table) ? "drop view if exists {to}"
						       : "drop table if exists {to}");
}

void one_by_one_guard(const struct push *p)
{
	if (p->set->guard)
		strv_push(p->statements, p->set->guard);
}

static bool is_table(const struct publish_table *t)
{
	return !t->view && t->way != PUBLISH_KEEP && t->way != PUBLISH_REMOVE;
}

/* A chain of its group. */
static int push_one(const struct push *p, size_t group, const struct publish_table *t, push_fn *fn)
{
	struct statement_chains *chains = p->set->chains;
	size_t first = p->statements->n;
	void *items;

	if (fn(p, t) < 0)
		return -1;
	if (group == ALONE || !chains || p->statements->n == first)
		return 0;
	items = chains->items;
	mem_grow(&items, &chains->cap, chains->n + 1, sizeof(*chains->items));
	chains->items = items;
	chains->items[chains->n++] =
		(struct statement_chain) { group, first, p->statements->n - first };
	return 0;
}

/* Those of one depth, and the next one there is; SIZE_MAX: none. */
static int push_depth(const struct push *p, size_t depth, size_t *ret_next)
{
	*ret_next = SIZE_MAX;
	for (size_t i = 0; i < p->set->n; i++) {
		const struct publish_table *t = &p->set->tables[i];

		if (t->depth > depth && t->depth < *ret_next)
			*ret_next = t->depth;
		if (t->depth == depth && is_table(t) &&
		    push_one(p, OF_TABLES + depth, t, p->how->table) < 0)
			return -1;
	}
	return 0;
}

/* Parents first: a publish that stops leaves no table in front of what it was made of. */
static int push_tables(const struct push *p)
{
	for (size_t depth = 0; depth != SIZE_MAX;)
		if (push_depth(p, depth, &depth) < 0)
			return -1;
	return 0;
}

/* Views read them until they have their new text. */
static int push_removed(const struct push *p)
{
	for (int tables = 0; tables < 2; tables++) {
		for (size_t i = 0; i < p->set->n; i++) {
			const struct publish_table *t = &p->set->tables[i];

			if (t->way == PUBLISH_REMOVE &&
			    table_is_view(t->to_table) != (tables > 0) && p->how->table(p, t) < 0)
				return -1;
		}
	}
	return 0;
}

static int push_views(const struct push *p)
{
	for (size_t turn = 1; turn < p->set->turns; turn++) {
		for (size_t i = 0; i < p->set->n; i++) {
			if (p->set->tables[i].turn != turn)
				continue;
			if (one_by_one_check_held(p, &p->set->tables[i]) < 0 ||
			    p->how->view(p, &p->set->tables[i]) < 0)
				return -1;
		}
	}
	return 0;
}

static int push_each(const struct push *p, enum group group, push_fn *fn)
{
	for (size_t i = 0; i < p->set->n; i++)
		if (push_one(p, group, &p->set->tables[i], fn) < 0)
			return -1;
	return 0;
}

/* Queries of the catalog and counts alone, and so cheap together. Those of a publish that is
 * resumed may read all rows of two tables each. */
static int push_checks(const struct push *p, push_fn *fn)
{
	struct strv checks CLEANUP(strv_release) = STRV_INIT;
	struct push q = *p;

	q.statements = &checks;
	if (push_each(&q, ALONE, fn) < 0)
		return -1;
	push_joined(&checks, p->set->is_resumed ? 1 : CHECKS_AT_ONCE, p->statements);
	return 0;
}

int one_by_one_publish(const struct push *p)
{
	if (push_each(p, OF_STAGES, freeze) < 0 || push_checks(p, check_from) < 0 ||
	    push_checks(p, one_by_one_check_to) < 0 || push_each(p, OF_RESTORES, restore) < 0 ||
	    push_tables(p) < 0 || push_views(p) < 0 || push_removed(p) < 0 ||
	    push_checks(p, verify_rows) < 0 || push_each(p, ALONE, verify_view) < 0)
		return -1;
	return p->how->kept ? push_each(p, ALONE, p->how->kept) : 0;
}

int one_by_one_keep(const struct push *p)
{
	return push_checks(p, one_by_one_check_to) < 0 ? -1 : push_each(p, OF_RESTORES, restore);
}
