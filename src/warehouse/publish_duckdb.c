/*
 * Publishing on DuckDB: every table of the set in one transaction, which is one string.
 *
 * A table is created anew, since delete and insert of the same keys in one transaction would
 * meet its own unique indexes; what `create or replace` loses (constraints, defaults, comments,
 * indexes) is made again from the catalog. Views keep the name of what they read and follow.
 */
#include <string.h>

#include "airlock/base/md5.h"

#include "airlock/warehouse/dialect_rows.h"
#include "airlock/warehouse/marker.h"

/* hash(t) would be that of the column t where there is one. */
#define ASSERT_TEXT                                                                                \
	"select case when (select count(*)::varchar || '/' || "                                    \
	"coalesce(sum(hash(*columns(*))::hugeint), 0)::varchar from {relation:relation}) "         \
	"= {identity:literal} then 'unchanged' "                                                   \
	"else error('" DIALECT_RAISED_CONFLICT " ' || {message:literal}) end"

#define COUNT_TEXT                                                                                 \
	"select case when (select count(*) from {from:relation}) "                                 \
	"= (select count(*) from {to:relation}) then 'equal' "                                     \
	"else error('" DIALECT_RAISED_COUNT " ' || {message:literal}) end"

#define SAME_NAME(COLUMN, NAME) DUCKDB_FOLD(COLUMN) " = " DUCKDB_FOLD(NAME)
#define SAME_DATABASE SAME_NAME("v.database_name", "{database:literal}")
#define SAME_SCHEMA SAME_NAME("v.schema_name", "{schema:literal}")
#define SAME_IDENTIFIER SAME_NAME("v.view_name", "{identifier:literal}")

/* There is one or none. */
#define ASSERT_VIEW_TEXT                                                                           \
	"select case when (select coalesce(max(md5(v.sql)), '') from duckdb_views() v "            \
	"where " SAME_DATABASE " and " SAME_SCHEMA " and " SAME_IDENTIFIER ") "                    \
	"= {identity:literal} then 'unchanged' "                                                   \
	"else error('" DIALECT_RAISED_CONFLICT " ' || {message:literal}) end"

static int choose_view(const struct publish_table *table, enum publish_way *ret_way,
		       const char **ret_reason)
{
	if (!table->to_table) {
		*ret_way = PUBLISH_NEW;
		*ret_reason = "production has no such view yet";
	} else if (table_is_view(table->to_table)) {
		*ret_way = PUBLISH_VIEW;
		*ret_reason = "the view gets its new text";
	} else {
		*ret_way = PUBLISH_REMAKE;
		*ret_reason = "the table makes room for the view";
	}
	return 0;
}

int duckdb_choose_way(const struct publish_table *table, enum publish_way *ret_way,
		      const char **ret_reason, struct err *err)
{
	if (publish_check(table, err) < 0)
		return -1;
	if (table->view)
		return choose_view(table, ret_way, ret_reason);
	if (table->to_table) {
		*ret_way = PUBLISH_REPLACE;
		*ret_reason = table_is_view(table->to_table) ? "the view makes room for a table"
							     : "the table is created anew with its "
							       "constraints, comments and indexes";
	} else {
		*ret_way = PUBLISH_NEW;
		*ret_reason = "production has no such table yet";
	}
	return 0;
}

static int push_assert(struct strv *statements, const struct dialect *dialect,
		       const struct relation *relation, const struct table *table, bool decided,
		       const char *what, struct err *err)
{
	char *display CLEANUP(mem_free_string) = relation_display(relation);
	char *message CLEANUP(mem_free_string) = mem_printf("%s %s", display, what);
	char *identity CLEANUP(mem_free_string) =
		decided ? mem_printf("%lld/%s", (long long)table->rows, table->content) : NULL;
	char *undecided CLEANUP(mem_free_string) = mem_printf("identity of %s", display);
	const struct sql_arg args[] = {
		SQL_ARG_RELATION("relation", relation),
		{ .name = "identity",
		  .kind = SQL_LITERAL,
		  .text = identity,
		  .undecided = decided ? NULL : undecided },
		SQL_ARG_LITERAL("message", message),
	};

	return dialect_push_text(statements, dialect, ASSERT_TEXT, args, ARRAY_LEN(args), err);
}

static int push_view_assert(struct strv *statements, const struct dialect *dialect,
			    const struct relation *relation, const struct table *view, bool decided,
			    const char *what, struct err *err)
{
	char *display CLEANUP(mem_free_string) = relation_display(relation);
	char *message CLEANUP(mem_free_string) = mem_printf("%s %s", display, what);
	char *undecided CLEANUP(mem_free_string) = mem_printf("identity of %s", display);
	const struct sql_arg args[] = {
		SQL_ARG_LITERAL("database", relation->database),
		SQL_ARG_LITERAL("schema", relation->schema),
		SQL_ARG_LITERAL("identifier", relation->identifier),
		{ .name = "identity",
		  .kind = SQL_LITERAL,
		  .text = decided ? view->object : NULL,
		  .undecided = decided ? NULL : undecided },
		SQL_ARG_LITERAL("message", message),
	};

	return dialect_push_text(statements, dialect, ASSERT_VIEW_TEXT, args, ARRAY_LEN(args), err);
}

static int push_restore(struct strv *statements, const struct dialect *dialect,
			const struct publish_table *t, struct err *err)
{
	char *marker CLEANUP(mem_free_string) = marker_restore(NULL, t->number, t->to);
	const struct sql_arg args[] = {
		SQL_ARG_RELATION("restore", &t->restore),
		SQL_ARG_RELATION("to", t->to),
		SQL_ARG_LITERAL("marker", marker),
	};

	if (!t->to_table || !t->restore.identifier || table_is_view(t->to_table))
		return 0;
	if (dialect_push_text(statements, dialect, "create table {restore} as from {to}", args,
			      ARRAY_LEN(args), err) < 0)
		return -1;
	return dialect_push_text(statements, dialect,
				 "comment on table {restore} is {marker:literal}", args,
				 ARRAY_LEN(args), err);
}

static int add_column(struct buf *list, const struct dialect *dialect,
		      const struct table_column *column, const struct table_column *old,
		      struct err *err)
{
	const char *value = column->value ? column->value : old ? old->value : NULL;
	const struct sql_arg args[] = {
		SQL_ARG_IDENT("name", column->name),
		SQL_ARG_CATALOG("type", column->type),
		SQL_ARG_CATALOG("value", value ? value : ""),
	};

	if (list->len > 0)
		buf_add_str(list, ", ");
	if (sql_render(list, dialect, value ? "{name} {type} default ({value})" : "{name} {type}",
		       args, ARRAY_LEN(args), err) < 0)
		return -1;
	if (column->not_null || (old && old->not_null))
		buf_add_str(list, " not null");
	return 0;
}

static void add_constraint(struct buf *list, const struct table_part *constraint)
{
	buf_add_str(list, ", ");
	buf_add_str(list, constraint->definition);
}

/* Columns of staging; defaults, not null and constraints of both, as far as the columns exist. A
 * foreign key of staging points into staging. */
static int write_definition(struct buf *list, const struct dialect *dialect,
			    const struct publish_table *t, struct err *err)
{
	const struct table *from = t->from_table;
	const struct table *to = t->is_exact ? NULL : t->to_table;

	for (size_t i = 0; i < from->column_count; i++) {
		const struct table_column *column = &from->columns[i];

		if (add_column(list, dialect, column,
			       to ? table_column(dialect, to, column->name) : NULL, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < from->constraint_count; i++)
		if ((t->is_exact && !t->is_copy) || !table_is_foreign_key(&from->constraints[i]))
			add_constraint(list, &from->constraints[i]);
	for (size_t i = 0; to && i < to->constraint_count; i++)
		if (!table_has_constraint(from, &to->constraints[i]) &&
		    !table_loses_constraint(dialect, from, &to->constraints[i]))
			add_constraint(list, &to->constraints[i]);
	return 0;
}

static int push_table(struct strv *statements, const struct dialect *dialect,
		      const struct publish_table *t, struct err *err)
{
	char *display CLEANUP(mem_free_string) = relation_display(t->from);
	char *columns_of CLEANUP(mem_free_string) = mem_printf("columns of %s", display);
	char *definition_of CLEANUP(mem_free_string) = mem_printf(
		"columns of %s, with the constraints of production that they still allow", display);
	struct buf definition CLEANUP(buf_release) = BUF_INIT;
	struct strv names CLEANUP(strv_release) = STRV_INIT;

	if (t->decided && write_definition(&definition, dialect, t, err) < 0)
		return -1;
	for (size_t i = 0; t->decided && i < t->from_table->column_count; i++)
		strv_push(&names, t->from_table->columns[i].name);
	const struct sql_arg args[] = {
		SQL_ARG_RELATION("to", t->to),
		SQL_ARG_RELATION("from", t->from),
		{ .name = "definition",
		  .kind = SQL_STATEMENT,
		  .text = buf_cstr(&definition),
		  .undecided = t->decided ? NULL : definition_of },
		{ .name = "columns",
		  .kind = SQL_IDENTS,
		  .idents = (const char *const *)strv_argv(&names),
		  .n = names.n,
		  .undecided = t->decided ? NULL : columns_of },
	};
	const char *create = t->to_table && !table_is_view(t->to_table)
				     ? "create or replace table {to} ({definition:statement})"
				     : "create table {to} ({definition:statement})";

	if (dialect_push_text(statements, dialect, create, args, ARRAY_LEN(args), err) < 0)
		return -1;
	return dialect_push_text(statements, dialect,
				 "insert into {to} ({columns:idents}) "
				 "select {columns:idents} from {from}",
				 args, ARRAY_LEN(args), err);
}

int duckdb_push_index(struct strv *statements, const struct dialect *dialect,
		      const struct relation *on, const struct table_part *index, const char *name,
		      struct err *err)
{
	const struct relation qualified = { on->database, on->schema, name };
	const struct sql_arg args[] = {
		SQL_ARG_RELATION("to", on),
		SQL_ARG_RELATION("index", &qualified),
		SQL_ARG_IDENT("name", name),
		SQL_ARG_CATALOG("definition", index->definition),
		SQL_ARG_LITERAL("comment", index->comment),
	};

	if (dialect_push_text(statements, dialect,
			      index->unique ? "create unique index {name} on {to} {definition}"
					    : "create index {name} on {to} {definition}",
			      args, ARRAY_LEN(args), err) < 0)
		return -1;
	if (!index->comment)
		return 0;
	return dialect_push_text(statements, dialect,
				 "comment on index {index} is {comment:literal}", args,
				 ARRAY_LEN(args), err);
}

static bool has_index_named(const struct dialect *dialect, const struct table *table,
			    const char *name)
{
	const struct relation wanted = { NULL, NULL, name };

	for (size_t i = 0; table && i < table->index_count; i++) {
		const struct relation one = { NULL, NULL, table->indexes[i].name };

		if (relation_equal(dialect, &one, &wanted))
			return true;
	}
	return false;
}

/* Names of indexes are one per schema: whether staging's name for one meets another there. */
static bool is_taken(const struct dialect *dialect, const struct publish_set *set,
		     const struct publish_table *t, const char *name)
{
	if (relation_same_schema(dialect, t->from, t->to))
		return true;
	for (size_t i = 0; i < set->n; i++) {
		const struct publish_table *other = &set->tables[i];

		if (relation_same_schema(dialect, other->to, t->to) &&
		    (has_index_named(dialect, other->to_table, name) ||
		     (other->number < t->number &&
		      has_index_named(dialect, other->from_table, name))))
			return true;
	}
	return false;
}

static int push_index_of_staging(struct strv *statements, const struct dialect *dialect,
				 const struct publish_set *set, const struct publish_table *t,
				 const struct table_part *index, struct err *err)
{
	char *numbered CLEANUP(mem_free_string) = mem_printf("%s_%zu", index->name, t->number);
	bool taken = is_taken(dialect, set, t, index->name);

	return duckdb_push_index(statements, dialect, t->to, index, taken ? numbered : index->name,
				 err);
}

static int push_indexes(struct strv *statements, const struct dialect *dialect,
			const struct publish_set *set, const struct publish_table *t,
			struct err *err)
{
	const struct table *from = t->from_table;
	const struct table *to = t->to_table;

	for (size_t i = 0; t->is_exact && i < from->index_count; i++)
		if (duckdb_push_index(statements, dialect, t->to, &from->indexes[i],
				      from->indexes[i].name, err) < 0)
			return -1;
	if (t->is_exact)
		return 0;
	for (size_t i = 0; to && i < to->index_count; i++)
		if (!(from && table_loses_index(dialect, from, &to->indexes[i])) &&
		    duckdb_push_index(statements, dialect, t->to, &to->indexes[i],
				      to->indexes[i].name, err) < 0)
			return -1;
	for (size_t i = 0; from && i < from->index_count; i++)
		if (!(to && table_has_index(to, &from->indexes[i])) &&
		    push_index_of_staging(statements, dialect, set, t, &from->indexes[i], err) < 0)
			return -1;
	return 0;
}

int duckdb_push_comment(struct strv *statements, const struct dialect *dialect,
			const struct relation *relation, bool is_view, const char *column,
			const char *comment, struct err *err)
{
	const struct sql_arg args[] = {
		SQL_ARG_RELATION("to", relation),
		SQL_ARG_IDENT("column", column ? column : ""),
		SQL_ARG_LITERAL("comment", comment),
	};

	return dialect_push_text(statements, dialect,
				 column    ? "comment on column {to}.{column} is {comment:literal}"
				 : is_view ? "comment on view {to} is {comment:literal}"
					   : "comment on table {to} is {comment:literal}",
				 args, ARRAY_LEN(args), err);
}

static int push_comment(struct strv *statements, const struct dialect *dialect,
			const struct publish_table *t, const char *column, const char *comment,
			struct err *err)
{
	return duckdb_push_comment(statements, dialect, t->to, t->view, column, comment, err);
}

/* Staging's comment (dbt's persist_docs) where it has one, else the one production had. */
static int push_comments(struct strv *statements, const struct dialect *dialect,
			 const struct publish_table *t, struct err *err)
{
	const struct table *from = t->from_table;
	const struct table *to = t->is_exact ? NULL : t->to_table;

	if (!from)
		return 0;
	const char *comment = from->comment ? from->comment : to ? to->comment : NULL;

	if (comment && push_comment(statements, dialect, t, NULL, comment, err) < 0)
		return -1;
	for (size_t i = 0; i < from->column_count; i++) {
		const struct table_column *old =
			to ? table_column(dialect, to, from->columns[i].name) : NULL;

		comment = from->columns[i].comment ? from->columns[i].comment
			  : old                    ? old->comment
						   : NULL;
		if (comment &&
		    push_comment(statements, dialect, t, from->columns[i].name, comment, err) < 0)
			return -1;
	}
	return 0;
}

static int push_count(struct strv *statements, const struct dialect *dialect,
		      const struct publish_table *t, struct err *err)
{
	char *from CLEANUP(mem_free_string) = relation_display(t->from);
	char *to CLEANUP(mem_free_string) = relation_display(t->to);
	char *message CLEANUP(mem_free_string) =
		mem_printf("%s does not have as many rows as %s", to, from);
	const struct sql_arg args[] = {
		SQL_ARG_RELATION("from", t->from),
		SQL_ARG_RELATION("to", t->to),
		SQL_ARG_LITERAL("message", message),
	};

	return dialect_push_text(statements, dialect, COUNT_TEXT, args, ARRAY_LEN(args), err);
}

/* Its columns are resolved once more, by a query that reads no row. */
static int push_view_check(struct strv *statements, const struct dialect *dialect,
			   const struct publish_table *t, struct err *err)
{
	const struct sql_arg args[] = { SQL_ARG_RELATION("to", t->to) };

	return dialect_push_text(statements, dialect, "select 1 from {to} limit 0", args, 1, err);
}

static int push_removal(struct strv *statements, const struct dialect *dialect,
			const struct publish_table *t, struct err *err)
{
	const struct sql_arg args[] = { SQL_ARG_RELATION("to", t->to) };

	return dialect_push_text(statements, dialect,
				 table_is_view(t->to_table) ? "drop view {to}" : "drop table {to}",
				 args, 1, err);
}

static int push_view(struct strv *statements, const struct dialect *dialect,
		     const struct publish_table *t, struct err *err)
{
	const struct sql_arg args[] = {
		SQL_ARG_RELATION("to", t->to),
		SQL_ARG_QUERY("query", t->view),
	};

	if (dialect_push_text(statements, dialect,
			      t->way == PUBLISH_VIEW ? "create or replace view {to} {query:query}"
						     : "create view {to} {query:query}",
			      args, ARRAY_LEN(args), err) < 0)
		return -1;
	return push_comments(statements, dialect, t, err);
}

/* Behind the tables, each behind the views that it reads. */
static int push_views(struct strv *statements, const struct dialect *dialect,
		      const struct publish_set *set, struct err *err)
{
	for (size_t turn = 1; turn < set->turns; turn++)
		for (size_t i = 0; i < set->n; i++)
			if (set->tables[i].turn == turn &&
			    push_view(statements, dialect, &set->tables[i], err) < 0)
				return -1;
	return 0;
}

/* A view that reads another one may be dropped after it: views follow names here. */
static bool makes_room(const struct publish_table *t)
{
	if (!t->to_table)
		return false;
	return t->way == PUBLISH_REMOVE || t->way == PUBLISH_REMAKE ||
	       (t->way == PUBLISH_REPLACE && table_is_view(t->to_table));
}

static int push_change(struct strv *statements, const struct dialect *dialect,
		       const struct publish_set *set, const struct publish_table *t,
		       struct err *err)
{
	if (push_restore(statements, dialect, t, err) < 0)
		return -1;
	if (makes_room(t) && push_removal(statements, dialect, t, err) < 0)
		return -1;
	if (t->way == PUBLISH_REMOVE || t->way == PUBLISH_KEEP || t->view)
		return 0;
	if (push_table(statements, dialect, t, err) < 0 ||
	    push_indexes(statements, dialect, set, t, err) < 0)
		return -1;
	return push_comments(statements, dialect, t, err);
}

static int push_assert_of(struct strv *statements, const struct dialect *dialect,
			  const struct relation *relation, const struct table *table, bool is_view,
			  bool decided, const char *what, struct err *err)
{
	if (is_view)
		return push_view_assert(statements, dialect, relation, table, decided, what, err);
	return push_assert(statements, dialect, relation, table, decided, what, err);
}

static int push_asserts(struct strv *statements, const struct dialect *dialect,
			const struct publish_table *t, struct err *err)
{
	if (t->from && push_assert_of(statements, dialect, t->from, t->from_table,
				      t->view || (t->way == PUBLISH_SWAP && t->is_view), t->decided,
				      t->is_exact ? "(the restore point) changed"
						  : "(staging) changed after its tests",
				      err) < 0)
		return -1;
	if (!t->to_table)
		return 0;
	return push_assert_of(statements, dialect, t->to, t->to_table, table_is_view(t->to_table),
			      t->decided, "(production) was changed by somebody else", err);
}

static int push_verify(struct strv *statements, const struct dialect *dialect,
		       const struct publish_table *t, struct err *err)
{
	if (t->view)
		return push_view_check(statements, dialect, t, err);
	return t->from ? push_count(statements, dialect, t, err) : 0;
}

int duckdb_push_asserts(const struct dialect *dialect, const struct publish_set *set,
			struct strv *statements, struct err *err)
{
	for (size_t i = 0; i < set->n; i++)
		if (push_asserts(statements, dialect, &set->tables[i], err) < 0)
			return -1;
	return 0;
}

int duckdb_publish(const struct dialect *dialect, const struct publish_set *set,
		   struct strv *statements, struct err *err)
{
	if (set->container_count > 0)
		return duckdb_check_files(dialect, set, statements, err);
	if (duckdb_push_asserts(dialect, set, statements, err) < 0)
		return -1;
	for (size_t i = 0; i < set->n; i++)
		if (push_change(statements, dialect, set, &set->tables[i], err) < 0)
			return -1;
	if (push_views(statements, dialect, set, err) < 0)
		return -1;
	for (size_t i = 0; i < set->n; i++)
		if (push_verify(statements, dialect, &set->tables[i], err) < 0)
			return -1;
	return 0;
}

/* Names of indexes are one per schema, and staging may be one schema for many of production's:
 * the table's name makes them different there. */
static int push_copied_index(struct strv *statements, const struct dialect *dialect,
			     const struct publish_table *t, const struct table_part *index,
			     struct err *err)
{
	char *whole CLEANUP(mem_free_string) = mem_printf("%s.%s", t->to->identifier, index->name);
	char name[2 + MD5_HEX_SIZE] = "i_";

	md5_hex(whole, strlen(whole), name + 2);
	return duckdb_push_index(statements, dialect, t->to, index, name, err);
}

static int push_copy(struct strv *statements, const struct dialect *dialect,
		     const struct publish_table *t, struct err *err)
{
	const struct sql_arg args[] = { SQL_ARG_RELATION("to", t->to) };

	/* `create or replace table` does not replace a view. */
	if (t->to_table && strcmp(t->to_table->kind, "table") != 0 &&
	    dialect_push_text(statements, dialect, "drop view {to}", args, 1, err) < 0)
		return -1;
	if (t->way == PUBLISH_REMOVE)
		return strcmp(t->to_table->kind, "table") == 0
			       ? push_removal(statements, dialect, t, err)
			       : 0;
	if (push_table(statements, dialect, t, err) < 0)
		return -1;
	for (size_t i = 0; i < t->from_table->index_count; i++)
		if (push_copied_index(statements, dialect, t, &t->from_table->indexes[i], err) < 0)
			return -1;
	return 0;
}

/* Views of staging keep the name of what they read and follow it. */
int duckdb_copy(const struct dialect *dialect, const struct publish_set *set,
		struct strv *statements, struct err *err)
{
	for (size_t i = 0; i < set->n; i++)
		if (push_copy(statements, dialect, &set->tables[i], err) < 0)
			return -1;
	return 0;
}
