/*
 * Filling staging from production on PostgreSQL, before the build goes on from there.
 *
 * A table of staging that is shaped like production's keeps its identity and gets the rows; any
 * other makes place for one that is made like production's: columns, defaults, constraints and
 * indexes, which dbt makes only when it creates a table, but no foreign keys (they would point into
 * production), no identities and no generated columns.
 */
#include <stdlib.h>
#include <string.h>

#include "publish_postgres.h"

/* `drop .. cascade` as dbt says it in staging, but only where nothing else goes along than views
 * that this project builds there. */
#define DROP_BODY                                                                                  \
	"do declare found text; begin "                                                            \
	"with recursive used (oid) as (select {text:literal}::regclass::oid "                      \
	"union select r.ev_class from used u join pg_depend d on d.refobjid = u.oid "              \
	"and d.refclassid = 'pg_class'::regclass and d.classid = 'pg_rewrite'::regclass "          \
	"join pg_rewrite r on r.oid = d.objid) "                                                   \
	"select string_agg(distinct what, ', ') into found from ("                                 \
	"select c.oid::regclass::text as what from used u join pg_class c on c.oid = u.oid "       \
	"join pg_namespace n on n.oid = c.relnamespace where c.oid <> {text:literal}::regclass "   \
	"and not exists (select 1 from (values {views:names}) as w (d, s, i) "                     \
	"where w.s = n.nspname and w.i = c.relname) "                                              \
	"union all select 'a foreign key of ' || k.conrelid::regclass::text from pg_constraint k " \
	"join used u on u.oid = k.confrelid where k.contype = 'f' and k.conrelid <> k.confrelid "  \
	"union all select d.objid::regprocedure::text from pg_depend d "                           \
	"join pg_class c on d.refclassid = 'pg_class'::regclass and d.refobjid = c.oid "           \
	"or d.refclassid = 'pg_type'::regclass and d.refobjid = c.reltype "                        \
	"join used u on u.oid = c.oid where d.classid = 'pg_proc'::regclass) f; "                  \
	"if found is not null then raise exception '" DIALECT_RAISED_USED                          \
	" % (staging) has to be made anew and is used by %', {shown:literal}, found; end if; "     \
	"drop {kind:statement} {table:relation} cascade; end"

static bool same_columns(const struct table *a, const struct table *b)
{
	if (a->column_count != b->column_count)
		return false;
	for (size_t i = 0; i < a->column_count; i++) {
		const struct table_column *x = &a->columns[i];
		const struct table_column *y = &b->columns[i];

		if (strcmp(x->name, y->name) != 0 || strcmp(x->type, y->type) != 0 ||
		    x->not_null != y->not_null || !table_same_text(x->value, y->value))
			return false;
	}
	return true;
}

static bool has_parts_of(const struct table *a, const struct table *b)
{
	for (size_t i = 0; i < b->index_count; i++)
		if (!table_has_index(a, &b->indexes[i]))
			return false;
	for (size_t i = 0; i < b->constraint_count; i++)
		if (!table_is_foreign_key(&b->constraints[i]) &&
		    !table_has_constraint(a, &b->constraints[i]))
			return false;
	return true;
}

static bool is_alike(const struct table *from, const struct table *to)
{
	return strcmp(to->kind, "table") == 0 && same_columns(from, to) && has_parts_of(from, to) &&
	       has_parts_of(to, from);
}

enum publish_way postgres_choose_copy(const struct publish_table *t)
{
	if (!t->from_table)
		return PUBLISH_REMOVE;
	if (!t->to_table)
		return PUBLISH_NEW;
	return is_alike(t->from_table, t->to_table) ? PUBLISH_REWRITE : PUBLISH_REPLACE;
}

static int push_drop(struct strv *statements, const struct dialect *dialect,
		     const struct publish_set *set, const struct publish_table *t, struct err *err)
{
	char *text CLEANUP(mem_free_string) = postgres_relation_text(dialect, t->to, err);
	char *shown CLEANUP(mem_free_string) = relation_display(t->to);

	if (!text)
		return -1;
	const struct sql_arg args[] = {
		SQL_ARG_RELATION("table", t->to),
		SQL_ARG_LITERAL("text", text),
		SQL_ARG_LITERAL("shown", shown),
		SQL_ARG_STATEMENT("kind", t->to_table->kind),
		SQL_ARG_NAMES("views", set->view_count > 0 ? set->views : t->to,
			      set->view_count > 0 ? set->view_count : 1),
	};

	return dialect_push_text(statements, dialect, DROP_BODY, args, ARRAY_LEN(args), err);
}

static int push_copy(struct strv *statements, const struct dialect *dialect,
		     const struct publish_set *set, const struct publish_table *t, struct err *err)
{
	if ((t->way == PUBLISH_REPLACE || t->way == PUBLISH_REMOVE) &&
	    push_drop(statements, dialect, set, t, err) < 0)
		return -1;
	if (t->way == PUBLISH_REMOVE)
		return 0;
	/* It was not there: what a dead deployment sent may have been executed since. */
	if (t->way == PUBLISH_NEW &&
	    postgres_push_pair(statements, dialect, "drop table if exists {a}", t->to, t->to, err) <
		    0)
		return -1;
	if (t->way == PUBLISH_REWRITE
		    ? postgres_push_pair(statements, dialect, "truncate {a}", t->to, t->to, err) < 0
		    : postgres_push_like(statements, dialect, t, t->to,
					 " excluding comments excluding identity "
					 "excluding generated",
					 err) < 0)
		return -1;
	return postgres_push_insert(statements, dialect, t, t->to, err);
}

int postgres_copy(const struct dialect *dialect, const struct publish_set *set,
		  struct strv *statements, struct err *err)
{
	for (size_t i = 0; i < set->n; i++)
		if (push_copy(statements, dialect, set, &set->tables[i], err) < 0)
			return -1;
	return 0;
}
