/*
 * Files that change places on DuckDB. The exchange itself is a rename of the file system, which no
 * statement does: here is what is compared before it, and what production's file has that the new
 * one gets: comments, indexes and what `alter table` gives a table. Anything else is refused.
 */
#include <stdlib.h>
#include <string.h>

#include "airlock/warehouse/dialect_rows.h"

/* Each side by itself, in the order of their names. */
#define SEEN_TEXT                                                                                  \
	"select case when (select coalesce(string_agg((f.j ->> 'side') || ':' || (f.j ->> "        \
	"'seen'), "                                                                                \
	"' ' order by f.j ->> 'side'), '') from (select q.j::json as j from ({query:query}) q "    \
	"(j)) f) "                                                                                 \
	"= {seen:literal} then 'unchanged' else error('" DIALECT_RAISED_CONFLICT                   \
	" something was created in or dropped from one of the files') end"

static char *seen_text(const struct publish_container *c)
{
	return mem_printf("%s%s%s%s%s", c->from_seen ? "from:" : "",
			  c->from_seen ? c->from_seen->seen : "",
			  c->from_seen && c->to_seen ? " " : "", c->to_seen ? "to:" : "",
			  c->to_seen ? c->to_seen->seen : "");
}

static int push_seen(struct strv *statements, const struct dialect *dialect,
		     const struct publish_container *c, bool decided, struct err *err)
{
	const struct relation names[] = { { c->from.database, "", "from" },
					  { c->to.database, "", "to" } };
	const struct sql_arg of_both = SQL_ARG_NAMES("names", names, 2);
	struct buf query CLEANUP(buf_release) = BUF_INIT;
	char *seen CLEANUP(mem_free_string) = seen_text(c);

	if (dialect_render(&query, dialect, DIALECT_OBSERVE_CONTAINERS, &of_both, 1, err) < 0)
		return -1;
	const struct sql_arg args[] = {
		SQL_ARG_QUERY("query", buf_cstr(&query)),
		{ .name = "seen",
		  .kind = SQL_LITERAL,
		  .text = seen,
		  .undecided = decided ? NULL : "what both files hold after the build" },
	};

	return dialect_push_text(statements, dialect, SEEN_TEXT, args, ARRAY_LEN(args), err);
}

int duckdb_check_files(const struct dialect *dialect, const struct publish_set *set,
		       struct strv *statements, struct err *err)
{
	bool decided = set->n == 0 || set->tables[0].decided;

	if (duckdb_push_asserts(dialect, set, statements, err) < 0)
		return -1;
	for (size_t i = 0; i < set->container_count; i++)
		if (push_seen(statements, dialect, &set->containers[i], decided, err) < 0)
			return -1;
	return 0;
}

static int carry_column(struct strv *statements, const struct dialect *dialect,
			const struct publish_table *t, const struct table_column *column,
			struct err *err)
{
	const struct table_column *old = table_column(dialect, t->to_table, column->name);

	if (column->comment || !old || !old->comment)
		return 0;
	return duckdb_push_comment(statements, dialect, t->from, table_is_view(t->from_table),
				   column->name, old->comment, err);
}

/* The comments that somebody wrote; those of the build (persist_docs) are its own. */
static int carry_comments(struct strv *statements, const struct dialect *dialect,
			  const struct publish_table *t, struct err *err)
{
	const struct table *from = t->from_table;

	if (!from->comment && t->to_table->comment &&
	    duckdb_push_comment(statements, dialect, t->from, table_is_view(from), NULL,
				t->to_table->comment, err) < 0)
		return -1;
	for (size_t i = 0; i < from->column_count; i++)
		if (carry_column(statements, dialect, t, &from->columns[i], err) < 0)
			return -1;
	return 0;
}

static int push_on(struct strv *statements, const struct dialect *dialect, const char *text,
		   const struct relation *on, const char *name, const char *catalog,
		   struct err *err)
{
	const struct sql_arg args[] = {
		SQL_ARG_RELATION("on", on),
		SQL_ARG_IDENT("name", name),
		SQL_ARG_CATALOG("catalog", catalog),
	};

	return dialect_push_text(statements, dialect, text, args, ARRAY_LEN(args), err);
}

static int carry_columns(struct strv *defaults, struct strv *alters, const struct dialect *dialect,
			 const struct publish_table *t, struct err *err)
{
	for (size_t i = 0; i < t->from_table->column_count; i++) {
		const struct table_column *new = &t->from_table->columns[i];
		const struct table_column *old = table_column(dialect, t->to_table, new->name);

		if (!old)
			continue;
		if (old->value && !new->value &&
		    push_on(defaults, dialect,
			    "alter table {on} alter column {name} set default ({catalog})", t->from,
			    new->name, old->value, err) < 0)
			return -1;
		if (old->not_null && !new->not_null &&
		    push_on(alters, dialect, "alter table {on} alter column {name} set not null",
			    t->from, new->name, NULL, err) < 0)
			return -1;
	}
	return 0;
}

static int carry_keys(struct strv *alters, const struct dialect *dialect,
		      const struct publish_table *t, struct err *err)
{
	for (size_t i = 0; i < t->to_table->constraint_count; i++) {
		const struct table_part *constraint = &t->to_table->constraints[i];

		if (table_is_primary_key(constraint) &&
		    !table_has_constraint(t->from_table, constraint) &&
		    !table_loses_constraint(dialect, t->from_table, constraint) &&
		    push_on(alters, dialect, "alter table {on} add {catalog}", t->from, NULL,
			    constraint->definition, err) < 0)
			return -1;
	}
	return 0;
}

static bool has_named(const struct table *table, const struct table_part *index)
{
	for (size_t i = 0; i < table->index_count; i++)
		if (strcmp(table->indexes[i].name, index->name) == 0 &&
		    table_has_index(table, index))
			return true;
	return false;
}

static bool lacks_index(const struct dialect *dialect, const struct publish_table *t)
{
	for (size_t i = 0; i < t->to_table->index_count; i++)
		if (!table_loses_index(dialect, t->from_table, &t->to_table->indexes[i]) &&
		    !has_named(t->from_table, &t->to_table->indexes[i]))
			return true;
	return false;
}

static int push_index_drops(struct strv *statements, const struct dialect *dialect,
			    const struct publish_table *t, struct err *err)
{
	for (size_t i = 0; i < t->from_table->index_count; i++) {
		const struct relation index = { t->from->database, t->from->schema,
						t->from_table->indexes[i].name };

		if (push_on(statements, dialect, "drop index {on}", &index, NULL, NULL, err) < 0)
			return -1;
	}
	return 0;
}

/* Production's, by their names, and what only staging has: a copy has them under other names. */
static int push_indexes(struct strv *statements, const struct dialect *dialect,
			const struct publish_table *t, struct err *err)
{
	const struct table *from = t->from_table;
	const struct table *to = t->to_table;

	for (size_t i = 0; i < to->index_count; i++)
		if (!table_loses_index(dialect, from, &to->indexes[i]) &&
		    duckdb_push_index(statements, dialect, t->from, &to->indexes[i],
				      to->indexes[i].name, err) < 0)
			return -1;
	for (size_t i = 0; i < from->index_count; i++)
		if (!table_has_index(to, &from->indexes[i]) &&
		    duckdb_push_index(statements, dialect, t->from, &from->indexes[i],
				      from->indexes[i].name, err) < 0)
			return -1;
	return 0;
}

/* Indexes stand in the way of NOT NULL and of a key. */
static int carry_parts(struct strv *statements, const struct dialect *dialect,
		       const struct publish_table *t, struct err *err)
{
	struct strv alters CLEANUP(strv_release) = STRV_INIT;

	if (carry_columns(statements, &alters, dialect, t, err) < 0 ||
	    carry_keys(&alters, dialect, t, err) < 0)
		return -1;
	if (alters.n == 0 && !lacks_index(dialect, t))
		return 0;
	if (push_index_drops(statements, dialect, t, err) < 0)
		return -1;
	strv_push_all(statements, &alters);
	return push_indexes(statements, dialect, t, err);
}

/* What production's table has and no statement gives to one that is there. */
static int check_lost(const struct dialect *dialect, const struct publish_table *t, struct err *err)
{
	const struct table *from = t->from_table;
	const struct table *to = t->to_table;
	struct strv lost CLEANUP(strv_release) = STRV_INIT;

	for (size_t i = 0; i < to->constraint_count; i++)
		if (!table_is_primary_key(&to->constraints[i]) &&
		    !table_has_constraint(from, &to->constraints[i]) &&
		    !table_loses_index(dialect, from, &to->constraints[i]))
			strv_push(&lost, to->constraints[i].definition);
	for (size_t i = 0; i < to->refuse_count; i++)
		if (!table_lists(from->refuses, from->refuse_count, to->refuses[i]))
			strv_push(&lost, to->refuses[i]);
	if (lost.n == 0)
		return 0;
	char *words CLEANUP(mem_free_string) = strv_join(&lost, ", ");
	char *what CLEANUP(mem_free_string) = mem_printf("the new file would not have %s", words);

	return publish_refuse(t, what,
			      "remove it, or use wac or production-rollback, which keep it", err);
}

static int carry(struct strv *statements, const struct dialect *dialect,
		 const struct publish_table *t, struct err *err)
{
	if (!table_is_view(t->from_table) && !table_is_view(t->to_table) && t->decided &&
	    (check_lost(dialect, t, err) < 0 || carry_parts(statements, dialect, t, err) < 0))
		return -1;
	return carry_comments(statements, dialect, t, err);
}

int duckdb_carry(const struct dialect *dialect, const struct publish_set *set,
		 struct strv *statements, struct err *err)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->tables[i].from_table && set->tables[i].to_table &&
		    carry(statements, dialect, &set->tables[i], err) < 0)
			return -1;
	return 0;
}
