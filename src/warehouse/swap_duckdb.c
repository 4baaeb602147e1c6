/*
 * Files that change places on DuckDB. The exchange itself is a rename of the file system, which no
 * statement does: here is what is compared before it, and what production's file has that the new
 * one needs.
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

int duckdb_carry(const struct dialect *dialect, const struct publish_set *set,
		 struct strv *statements, struct err *err)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->tables[i].from_table && set->tables[i].to_table &&
		    carry_comments(statements, dialect, &set->tables[i], err) < 0)
			return -1;
	return 0;
}
