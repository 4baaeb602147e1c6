#include "publish_one_by_one.h"

#include <string.h>

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

static int verify(const struct push *p, const struct publish_table *t)
{
	bool resumed = p->set->is_resumed && p->how->holds_the_stage;

	if (t->view)
		return p->how->push(p, t, "select 1 from {to} limit 0");
	if (!has_rows(t))
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

void one_by_one_guards(const struct push *p)
{
	if (p->set->guards)
		strv_push_all(p->statements, p->set->guards);
}

static int push_table(const struct push *p, const struct publish_table *t)
{
	if (t->view || t->way == PUBLISH_KEEP)
		return 0;
	one_by_one_guards(p);
	return p->how->table(p, t);
}

static int push_views(const struct push *p)
{
	for (size_t turn = 1; turn < p->set->turns; turn++) {
		for (size_t i = 0; i < p->set->n; i++) {
			if (p->set->tables[i].turn != turn)
				continue;
			one_by_one_guards(p);
			if (p->how->view(p, &p->set->tables[i]) < 0)
				return -1;
		}
	}
	return 0;
}

static int push_each(const struct push *p, push_fn *fn)
{
	for (size_t i = 0; i < p->set->n; i++)
		if (fn(p, &p->set->tables[i]) < 0)
			return -1;
	return 0;
}

int one_by_one_publish(const struct push *p)
{
	static push_fn *const of_tables[] = { freeze, check_from, one_by_one_check_to, restore,
					      push_table };

	for (size_t i = 0; i < ARRAY_LEN(of_tables); i++)
		if (push_each(p, of_tables[i]) < 0)
			return -1;
	if (push_views(p) < 0 || push_each(p, verify) < 0)
		return -1;
	return p->how->kept ? push_each(p, p->how->kept) : 0;
}

int one_by_one_keep(const struct push *p)
{
	return push_each(p, one_by_one_check_to) < 0 ? -1 : push_each(p, restore);
}
