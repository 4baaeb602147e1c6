/*
 * Views on PostgreSQL. A view reads objects and not names: one that reads what gives its place to
 * another object has to be made again.
 *
 * Order, and why: the old views step aside under names of their own, so that their privileges can
 * still be read; the tables change places; views are made in the order in which they read each
 * other; then the old ones go in the opposite order, never with `cascade`.
 */
#include <stdlib.h>
#include <string.h>

#include "publish_postgres.h"

/* Names come whole, so the text is compared without a search path. */
#define ASSERT_VIEW_BODY                                                                           \
	"do declare found text; path constant text := current_setting('search_path'); begin "      \
	"perform set_config('search_path', 'pg_catalog', true); "                                  \
	"select c.oid::text || '/' || md5(pg_get_viewdef(c.oid)) into found "                      \
	"from pg_class c join pg_namespace n on n.oid = c.relnamespace "                           \
	"where n.nspname = {schema:literal} and c.relname = {identifier:literal} "                 \
	"and c.relkind in ('v', 'm'); "                                                            \
	"perform set_config('search_path', path, true); "                                          \
	"if found is distinct from {identity:literal} then "                                       \
	"raise exception '" DIALECT_RAISED_CONFLICT " %', {message:literal}; end if; end"

/*
 * What a new view has of the old one besides its text: owner, options and comments. A table that
 * made room for it is a restore point by now, whose comment says so.
 */
#define LIKE_BODY                                                                                  \
	"do declare o constant oid := {old_name:literal}::regclass; "                              \
	"n constant regclass := {new_name:literal}::regclass; "                                    \
	"k constant text := (select case c.relkind when 'm' then 'materialized view' "             \
	"else 'view' end from pg_class c where c.oid = n); r record; begin for r in "              \
	"select format('alter %s %s set (%s)', k, n, string_agg(format('%I = %L', "                \
	"x.option_name, x.option_value), ', ')) as command "                                       \
	"from pg_class c, pg_options_to_table(c.reloptions) x "                                    \
	"where c.oid = o and c.relkind in ('v', 'm') having count(*) > 0 "                         \
	"union all select format('comment on %s %s is %L', k, n, obj_description(o, 'pg_class')) " \
	"from pg_class c where c.oid = o and c.relkind in ('v', 'm') "                             \
	"and obj_description(o, 'pg_class') is not null "                                          \
	"union all select format('comment on column %s.%I is %L', n, a.attname, "                  \
	"col_description(o, a.attnum)) from pg_attribute a join pg_attribute b "                   \
	"on b.attrelid = n and b.attname = a.attname where a.attrelid = o and a.attnum > 0 "       \
	"and not a.attisdropped and col_description(o, a.attnum) is not null "                     \
	"union all select format('alter %s %s owner to %I', k, n, pg_get_userbyid(c.relowner)) "   \
	"from pg_class c where c.oid = o "                                                         \
	"loop execute r.command; end loop; end"

#define AGAIN_BODY(ROWS)                                                                           \
	"do begin execute {create:literal}" ROWS "; exception when others then "                   \
	"raise exception '" DIALECT_RAISED_VIEW " the view % cannot be made again over what it "   \
	"reads now: %', {shown:literal}, sqlerrm; end"

/* One that nobody has filled stays empty. */
#define ROWS_OF_OLD                                                                                \
	" || case when (select c.relispopulated from pg_class c "                                  \
	"where c.oid = {old_name:literal}::regclass) then ' with data' else ' with no data' end"

static int refuse_remake(const struct publish_table *table, struct err *err)
{
	const struct table *to = table->to_table;
	bool refuses = to->refuse_count > 0;
	char *display CLEANUP(mem_free_string) = relation_display(table->to);
	char *lost CLEANUP(mem_free_string) =
		refuses ? publish_list(to->refuses, to->refuse_count)
			: publish_list(to->refuses_exchange, to->refuse_exchange_count);

	err_set(err, ERR_UNSUPPORTED,
		"the columns of '%s' changed, so a new view has to take its place, and that would "
		"lose: %s",
		display, lost);
	return err_hint(err, "drop it, deploy, and create it again");
}

int postgres_choose_view(const struct publish_table *table, enum publish_way *ret_way,
			 const char **ret_reason, struct err *err)
{
	const struct table *to = table->to_table;

	if (!to) {
		*ret_way = PUBLISH_NEW;
		*ret_reason = "production has no such view yet";
		return 0;
	}
	if (table_is_view(to) &&
	    (!table->decided || table_extends_columns(to, table->from_table))) {
		*ret_way = PUBLISH_VIEW;
		*ret_reason = table->decided
				      ? "the view stays and gets its new text"
				      : "if its columns stay, the view stays and gets its new text";
		return 0;
	}
	if (table->decided && (to->refuse_count > 0 || to->refuse_exchange_count > 0))
		return refuse_remake(table, err);
	*ret_way = PUBLISH_REMAKE;
	*ret_reason = table_is_view(to) ? "the columns changed: a new view takes the name"
					: "the table makes room for the view";
	return 0;
}

int postgres_push_view_assert(struct strv *statements, const struct dialect *dialect,
			      const struct relation *relation, const struct table *view,
			      const char *what, struct err *err)
{
	char *display CLEANUP(mem_free_string) = relation_display(relation);
	char *message CLEANUP(mem_free_string) = mem_printf("%s %s", display, what);
	char *undecided CLEANUP(mem_free_string) = mem_printf("identity of %s", display);
	const struct sql_arg args[] = {
		SQL_ARG_LITERAL("schema", relation->schema),
		SQL_ARG_LITERAL("identifier", relation->identifier),
		{ .name = "identity",
		  .kind = SQL_LITERAL,
		  .text = view ? view->object : NULL,
		  .undecided = view ? NULL : undecided },
		SQL_ARG_LITERAL("message", message),
	};

	return dialect_push_text(statements, dialect, ASSERT_VIEW_BODY, args, ARRAY_LEN(args), err);
}

struct relation postgres_aside(const struct relation *relation, char **ret_name, const char *prefix,
			       size_t number)
{
	char *suffix CLEANUP(mem_free_string) = mem_printf("_%zu", number);

	*ret_name = sql_bind_mark(prefix, "id", suffix);
	return (struct relation) { relation->database, relation->schema, *ret_name };
}

int postgres_push_view_aside(struct strv *statements, const struct dialect *dialect,
			     const struct relation *view, const char *prefix, size_t number,
			     struct err *err)
{
	char *name CLEANUP(mem_free_string) = NULL;
	struct relation aside = postgres_aside(view, &name, prefix, number);
	const struct postgres_words words = { .name = aside.identifier };

	return postgres_push_on(statements, dialect, view, "alter view {table} rename to {name}",
				&words, err);
}

static int push_dependent_aside(struct strv *statements, const struct dialect *dialect,
				const struct publish_dependent *d, struct err *err)
{
	char *name CLEANUP(mem_free_string) = NULL;
	const struct relation *view = &d->view->relation;
	struct relation aside = postgres_aside(view, &name, "airlock_d_", d->number);
	const struct postgres_words words = { .name = aside.identifier };

	return postgres_push_on(statements, dialect, view,
				table_is_materialized(d->view)
					? "alter materialized view {table} rename to {name}"
					: "alter view {table} rename to {name}",
				&words, err);
}

static int push_create(struct strv *statements, const struct dialect *dialect,
		       const struct publish_table *t, struct err *err)
{
	const struct table *like = t->is_exact ? t->from_table : t->to_table;
	const char *options = like && table_is_view(like) ? like->options : NULL;
	const struct sql_arg args[] = {
		SQL_ARG_RELATION("to", t->to),
		SQL_ARG_CATALOG("options", options),
		SQL_ARG_QUERY("query", t->view),
	};
	const char *text = t->way == PUBLISH_VIEW
				   ? options ? "create or replace view {to} with "
					       "({options:catalog}) {query:query}"
					     : "create or replace view {to} {query:query}"
			   : options ? "create view {to} with ({options:catalog}) {query:query}"
				     : "create view {to} {query:query}";

	return dialect_push_text(statements, dialect, text, args, ARRAY_LEN(args), err);
}

/* Owner, options, comments and privileges of what it replaces. */
static int push_like(struct strv *statements, const struct dialect *dialect,
		     const struct relation *old, const struct relation *new, struct err *err)
{
	if (postgres_push_of_two(statements, dialect, LIKE_BODY, old, new, err) < 0)
		return -1;
	return postgres_push_grants_of(statements, dialect, old, new, err);
}

static int push_remade(struct strv *statements, const struct dialect *dialect,
		       const struct publish_table *t, struct err *err)
{
	char *name CLEANUP(mem_free_string) = NULL;
	bool was_view = table_is_view(t->to_table);
	struct relation old =
		postgres_aside(t->to, &name, was_view ? "airlock_o_" : "r_", t->number);

	if (!was_view && t->restore.identifier)
		old = t->restore;
	return push_like(statements, dialect, &old, t->to, err);
}

static int push_view(struct strv *statements, const struct dialect *dialect,
		     const struct publish_table *t, struct err *err)
{
	static const struct table nothing = { .kind = "view" };
	const struct postgres_words owner = { .name = t->from_table ? t->from_table->owner : NULL };

	if (push_create(statements, dialect, t, err) < 0 ||
	    (t->way == PUBLISH_REMAKE && push_remade(statements, dialect, t, err) < 0) ||
	    postgres_push_comments(statements, dialect, t, t->to,
				   t->way == PUBLISH_VIEW ? t->to_table : &nothing, err) < 0)
		return -1;
	if (!t->is_exact || t->way == PUBLISH_VIEW || !owner.name)
		return 0;
	return postgres_push_on(statements, dialect, t->to, "alter view {table} owner to {name}",
				&owner, err);
}

static int push_again(struct strv *statements, const struct dialect *dialect,
		      const struct publish_dependent *d, const struct relation *old,
		      struct err *err)
{
	const struct relation *view = &d->view->relation;
	bool has_rows = table_is_materialized(d->view);
	char *display CLEANUP(mem_free_string) = relation_display(view);
	char *old_name CLEANUP(mem_free_string) = postgres_relation_text(dialect, old, err);
	struct buf create CLEANUP(buf_release) = BUF_INIT;
	const struct sql_arg args[] = {
		SQL_ARG_RELATION("to", view),
		SQL_ARG_QUERY("query", d->view->definition),
	};

	if (!old_name || sql_render(&create, dialect,
				    has_rows ? "create materialized view {to} {query:query}"
					     : "create view {to} {query:query}",
				    args, ARRAY_LEN(args), err) < 0)
		return -1;
	const struct sql_arg again[] = {
		SQL_ARG_LITERAL("create", buf_cstr(&create)),
		SQL_ARG_LITERAL("shown", display),
		SQL_ARG_LITERAL("old_name", old_name),
	};

	return dialect_push_text(statements, dialect,
				 has_rows ? AGAIN_BODY(ROWS_OF_OLD) : AGAIN_BODY(""), again,
				 ARRAY_LEN(again), err);
}

static int push_dependent(struct strv *statements, const struct dialect *dialect,
			  const struct publish_dependent *d, struct err *err)
{
	char *name CLEANUP(mem_free_string) = NULL;
	struct relation old = postgres_aside(&d->view->relation, &name, "airlock_d_", d->number);

	if (push_again(statements, dialect, d, &old, err) < 0)
		return -1;
	return push_like(statements, dialect, &old, &d->view->relation, err);
}

/* All of them before the first has another name: their texts name each other. */
int postgres_push_views_aside(struct strv *statements, const struct dialect *dialect,
			      const struct publish_set *set, struct err *err)
{
	for (size_t i = 0; i < set->dependent_count; i++)
		if (postgres_push_view_assert(
			    statements, dialect, &set->dependents[i].view->relation,
			    set->dependents[i].view,
			    "(a view of production) was changed by somebody else", err) < 0)
			return -1;
	for (size_t i = 0; i < set->dependent_count; i++)
		if (push_dependent_aside(statements, dialect, &set->dependents[i], err) < 0)
			return -1;
	return 0;
}

int postgres_push_views(struct strv *statements, const struct dialect *dialect,
			const struct publish_set *set, struct err *err)
{
	for (size_t turn = 1; turn < set->turns; turn++) {
		for (size_t i = 0; i < set->n; i++)
			if (set->tables[i].turn == turn &&
			    push_view(statements, dialect, &set->tables[i], err) < 0)
				return -1;
		for (size_t i = 0; i < set->dependent_count; i++)
			if (set->dependents[i].turn == turn &&
			    push_dependent(statements, dialect, &set->dependents[i], err) < 0)
				return -1;
	}
	return 0;
}

static int push_drop(struct strv *statements, const struct dialect *dialect,
		     const struct relation *view, const char *prefix, size_t number,
		     struct err *err)
{
	char *name CLEANUP(mem_free_string) = NULL;
	struct relation aside = postgres_aside(view, &name, prefix ? prefix : "", number);

	return postgres_push_pair(statements, dialect, "drop view {a}", prefix ? &aside : view,
				  view, err);
}

static int push_dependent_drop(struct strv *statements, const struct dialect *dialect,
			       const struct publish_dependent *d, struct err *err)
{
	char *name CLEANUP(mem_free_string) = NULL;
	struct relation old = postgres_aside(&d->view->relation, &name, "airlock_d_", d->number);

	return postgres_push_pair(statements, dialect,
				  table_is_materialized(d->view) ? "drop materialized view {a}"
								 : "drop view {a}",
				  &old, &old, err);
}

/* Names of indexes are one per schema: those of the old one are free by now. */
static int push_dependent_indexes(struct strv *statements, const struct dialect *dialect,
				  const struct publish_dependent *d, struct err *err)
{
	for (size_t i = 0; i < d->view->index_count; i++)
		if (postgres_push_part(statements, dialect, &d->view->relation,
				       &d->view->indexes[i], false, err) < 0)
			return -1;
	return 0;
}

/* The old views, whose privileges are no longer needed. */
int postgres_push_view_drops(struct strv *statements, const struct dialect *dialect,
			     const struct publish_set *set, struct err *err)
{
	for (size_t turn = set->turns; turn > 0; turn--) {
		for (size_t i = 0; i < set->n; i++) {
			const struct publish_table *t = &set->tables[i];

			if (t->old_turn == turn && t->to_table && table_is_view(t->to_table) &&
			    publish_way_moves(t->way) &&
			    push_drop(statements, dialect, t->to,
				      t->way == PUBLISH_REMOVE ? NULL : "airlock_o_", t->number,
				      err) < 0)
				return -1;
		}
		for (size_t i = 0; i < set->dependent_count; i++)
			if (set->dependents[i].old_turn == turn &&
			    push_dependent_drop(statements, dialect, &set->dependents[i], err) < 0)
				return -1;
	}
	for (size_t i = 0; i < set->dependent_count; i++)
		if (push_dependent_indexes(statements, dialect, &set->dependents[i], err) < 0)
			return -1;
	return 0;
}

/* A view is queried by nobody before readers are: its columns and privileges are tried. */
int postgres_push_view_check(struct strv *statements, const struct dialect *dialect,
			     const struct publish_table *t, struct err *err)
{
	return postgres_push_pair(statements, dialect, "select 1 from {a} limit 0", t->to, t->to,
				  err);
}
