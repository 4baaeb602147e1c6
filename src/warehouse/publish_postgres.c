/*
 * Publishing on PostgreSQL: every table of the set in one transaction.
 *
 * Order, and why: (1) all tables are locked against writers, in name order, so that nobody's rows
 * are lost between the comparison and the commit; readers pass. (2) Staging and production are
 * compared with what the tests and the plan saw. (3) Rows are copied: in place (rewrite), or into
 * a new table built aside (exchange). (4) Only then are the tables to be exchanged locked against
 * readers, for as long as a few renames take. (5) Counts are compared, and the transaction commits.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "airlock/warehouse/marker.h"
#include "publish_postgres.h"

#define ASSERT_BODY(CONTENT, ALIAS)                                                                \
	"do declare found text; begin "                                                            \
	"select c.oid::text || '/' || c.relfilenode::text || '/' "                                 \
	"|| (select count(*)" CONTENT " from {relation:relation}" ALIAS ") into found "            \
	"from pg_class c join pg_namespace n on n.oid = c.relnamespace "                           \
	"where n.nspname = {schema:literal} and c.relname = {identifier:literal}; "                \
	"if found is distinct from {identity:literal} then "                                       \
	"raise exception '" DIALECT_RAISED_CONFLICT " %', {message:literal}; end if; end"

#define COUNT_BODY                                                                                 \
	"do begin if (select count(*) from {from:relation}) <> "                                   \
	"(select count(*) from {to:relation}) then "                                               \
	"raise exception '" DIALECT_RAISED_COUNT " % does not have as many rows as %', "           \
	"{to_name:literal}, {from_name:literal}; end if; end"

#define INSERT_TEXT                                                                                \
	"insert into {to:relation} ({columns:idents}) select {columns:idents} "                    \
	"from {from:relation}"

/* From staging's table; the other settings are of production's alone. */
static bool comes_along(const char *setting)
{
	static const char *const begins[] = { "collation ", "compression ", "unlogged" };

	for (size_t i = 0; i < ARRAY_LEN(begins); i++)
		if (strncmp(setting, begins[i], strlen(begins[i])) == 0)
			return true;
	return false;
}

static int check_exchange(const struct publish_table *table, struct err *err)
{
	const struct table *to = table->to_table;
	struct strv lost CLEANUP(strv_release) = STRV_INIT;

	for (size_t i = 0; i < to->refuse_exchange_count; i++)
		strv_push(&lost, to->refuses_exchange[i]);
	for (size_t i = 0; i < to->setting_count; i++)
		if (!comes_along(to->settings[i]))
			strv_push(&lost, to->settings[i]);
	if (table->from_table)
		table_list_lost(&dialect_postgres, to, table->from_table, &lost);
	if (lost.n == 0)
		return 0;
	strv_sort(&lost);
	strv_dedup(&lost);
	char *display CLEANUP(mem_free_string) = relation_display(table->to);
	char *words CLEANUP(mem_free_string) = strv_join(&lost, ", ");

	err_set(err, ERR_UNSUPPORTED,
		"%s '%s'%s, so a new table has to take its place, and that would lose: %s",
		table_is_view(to) ? "production has the view" : "the columns of", display,
		table_is_view(to) ? "" : " changed", words);
	return err_hint(err, "drop it, deploy, and create it again");
}

int postgres_choose_way(const struct publish_table *table, enum publish_way *ret_way,
			const char **ret_reason, struct err *err)
{
	const struct table *to = table->to_table;

	if (publish_check(table, err) < 0)
		return -1;
	if (table->view)
		return postgres_choose_view(table, ret_way, ret_reason, err);
	if (!to) {
		*ret_way = PUBLISH_NEW;
		*ret_reason = "production has no such table yet";
		return 0;
	}
	if (!table_is_view(to) &&
	    (!table->from_table || table_same_columns(&dialect_postgres, table->from_table, to))) {
		*ret_way = PUBLISH_REWRITE;
		*ret_reason = table->from_table ? "the columns are equal: the table stays and its "
						  "rows are replaced"
						: "if the columns are equal, the table stays and "
						  "its rows are replaced";
		return 0;
	}
	if (table->decided && check_exchange(table, err) < 0)
		return -1;
	*ret_way = PUBLISH_EXCHANGE;
	*ret_reason = table_is_view(to) ? "the view makes room for a table built aside"
					: "the columns changed: a new table built aside takes the "
					  "name";
	return 0;
}

char *postgres_relation_text(const struct dialect *dialect, const struct relation *relation,
			     struct err *err)
{
	struct buf out = BUF_INIT;
	const struct sql_arg arg = SQL_ARG_RELATION("r", relation);

	if (sql_render(&out, dialect, "{r}", &arg, 1, err) < 0) {
		buf_release(&out);
		return NULL;
	}
	return buf_take(&out);
}

static int push_assert(struct strv *statements, const struct dialect *dialect,
		       const struct relation *relation, const struct table *table, bool decided,
		       bool by_content, const char *format, struct err *err)
{
	char *display CLEANUP(mem_free_string) = relation_display(relation);
	char *message CLEANUP(mem_free_string) = mem_printf("%s %s", display, format);
	const char *content = by_content && decided && table->content ? table->content : "";
	char *identity CLEANUP(mem_free_string) =
		decided ? mem_printf("%s/%lld%s%s", table->object, (long long)table->rows,
				     by_content ? "/" : "", content)
			: NULL;
	char *undecided CLEANUP(mem_free_string) = mem_printf("identity of %s", display);
	const struct sql_arg args[] = {
		SQL_ARG_RELATION("relation", relation),
		SQL_ARG_LITERAL("schema", relation->schema),
		SQL_ARG_LITERAL("identifier", relation->identifier),
		{ .name = "identity",
		  .kind = SQL_LITERAL,
		  .text = identity,
		  .undecided = decided ? NULL : undecided },
		SQL_ARG_LITERAL("message", message),
	};

	return dialect_push_text(statements, dialect,
				 by_content ? ASSERT_BODY(" || '/' || " POSTGRES_CONTENT, " x")
					    : ASSERT_BODY("", ""),
				 args, ARRAY_LEN(args), err);
}

static int push_staging_assert(struct strv *statements, const struct dialect *dialect,
			       const struct publish_set *set, const struct publish_table *t,
			       struct err *err)
{
	if (t->is_view)
		return 0;
	if (t->view)
		return postgres_push_view_assert(statements, dialect, t->from,
						 t->decided ? t->from_table : NULL,
						 "(staging) changed after its tests", err);
	return push_assert(statements, dialect, t->from, t->from_table, t->decided, set->by_content,
			   t->is_exact ? "(the restore point) changed"
				       : "(staging) changed after its tests",
			   err);
}

static int push_asserts(struct strv *statements, const struct dialect *dialect,
			const struct publish_set *set, struct err *err)
{
	for (size_t i = 0; i < set->n; i++) {
		const struct publish_table *t = &set->tables[i];

		if (t->from && push_staging_assert(statements, dialect, set, t, err) < 0)
			return -1;
		if (t->to_table && !table_is_view(t->to_table) &&
		    strcmp(t->to_table->kind, "materialized view") != 0 &&
		    push_assert(statements, dialect, t->to, t->to_table, t->decided,
				set->by_content, "(production) was changed by somebody else",
				err) < 0)
			return -1;
	}
	return 0;
}

int postgres_push_insert(struct strv *statements, const struct dialect *dialect,
			 const struct publish_table *t, const struct relation *into,
			 struct err *err)
{
	char *display CLEANUP(mem_free_string) = relation_display(t->from);
	char *undecided CLEANUP(mem_free_string) = mem_printf("columns of %s", display);
	struct strv names CLEANUP(strv_release) = STRV_INIT;

	for (size_t i = 0; t->decided && i < t->from_table->column_count; i++)
		strv_push(&names, t->from_table->columns[i].name);
	const struct sql_arg args[] = {
		SQL_ARG_RELATION("to", into),
		SQL_ARG_RELATION("from", t->from),
		{ .name = "columns",
		  .kind = SQL_IDENTS,
		  .idents = (const char *const *)strv_argv(&names),
		  .n = names.n,
		  .undecided = t->decided ? NULL : undecided },
	};

	return dialect_push_text(statements, dialect, INSERT_TEXT, args, ARRAY_LEN(args), err);
}

int postgres_push_pair(struct strv *statements, const struct dialect *dialect,
		       const char *statement, const struct relation *a, const struct relation *b,
		       struct err *err)
{
	const struct sql_arg args[] = { SQL_ARG_RELATION("a", a), SQL_ARG_RELATION("b", b) };

	return dialect_push_text(statements, dialect, statement, args, ARRAY_LEN(args), err);
}

int postgres_push_like(struct strv *statements, const struct dialect *dialect,
		       const struct publish_table *t, const struct relation *table, const char *but,
		       struct err *err)
{
	const struct table *from = t->from_table;
	const bool is_unlogged =
		from && table_lists(from->settings, from->setting_count, "unlogged");
	char *text CLEANUP(mem_free_string) =
		mem_printf("create %stable {a} (like {b} including all%s)",
			   is_unlogged ? "unlogged " : "", but);

	return postgres_push_pair(statements, dialect, text, table, t->from, err);
}

int postgres_push_on(struct strv *statements, const struct dialect *dialect,
		     const struct relation *table, const char *statement,
		     const struct postgres_words *words, struct err *err)
{
	const struct sql_arg args[] = {
		SQL_ARG_RELATION("table", table),
		SQL_ARG_IDENT("name", words->name),
		SQL_ARG_CATALOG("definition", words->definition),
		SQL_ARG_LITERAL("text", words->text),
	};

	return dialect_push_text(statements, dialect, statement, args, ARRAY_LEN(args), err);
}

static int push_column_comments(struct strv *statements, const struct dialect *dialect,
				const struct publish_table *t, const struct relation *on,
				const struct table *has, struct err *err)
{
	for (size_t i = 0; i < t->from_table->column_count; i++) {
		const struct table_column *column = &t->from_table->columns[i];
		const struct table_column *old =
			t->to_table && !t->is_exact
				? table_column(dialect, t->to_table, column->name)
				: NULL;
		const struct table_column *is = table_column(dialect, has, column->name);
		const struct postgres_words words = {
			.name = column->name,
			.text = column->comment ? column->comment
				: old           ? old->comment
						: NULL,
		};

		if ((words.text || t->is_exact) &&
		    !table_same_text(words.text, is ? is->comment : NULL) &&
		    postgres_push_on(statements, dialect, on,
				     "comment on column {table}.{name} is {text:literal}", &words,
				     err) < 0)
			return -1;
	}
	return 0;
}

int postgres_push_comments(struct strv *statements, const struct dialect *dialect,
			   const struct publish_table *t, const struct relation *on,
			   const struct table *has, struct err *err)
{
	struct postgres_words words = {
		.text = t->to_table && !t->is_exact ? t->to_table->comment : NULL,
	};

	if (!t->from_table)
		return 0;
	if (t->from_table->comment)
		words.text = t->from_table->comment;
	/* `like` copies the comments of columns only. */
	if ((words.text || t->is_exact) &&
	    (has == t->from_table || !table_same_text(words.text, has->comment)) &&
	    postgres_push_on(statements, dialect, on,
			     t->view ? "comment on view {table} is {text:literal}"
				     : "comment on table {table} is {text:literal}",
			     &words, err) < 0)
		return -1;
	return push_column_comments(statements, dialect, t, on, has, err);
}

int postgres_push_marker(struct strv *statements, const struct dialect *dialect,
			 const struct publish_table *t, struct err *err)
{
	char *marker CLEANUP(mem_free_string) = marker_restore(NULL, t->number, t->to);
	const struct postgres_words words = { .text = marker };

	return postgres_push_on(statements, dialect, &t->restore,
				"comment on table {table} is {text:literal}", &words, err);
}

static int push_new(struct strv *statements, const struct dialect *dialect,
		    const struct publish_table *t, struct err *err)
{
	if (postgres_push_like(statements, dialect, t, t->to, "", err) < 0 ||
	    postgres_push_insert(statements, dialect, t, t->to, err) < 0)
		return -1;
	return postgres_push_comments(statements, dialect, t, t->to, t->from_table, err);
}

/* What staging has and production lacks: `indexes:` that dbt's configuration gained. */
static int push_missing_indexes(struct strv *statements, const struct dialect *dialect,
				const struct publish_table *t, struct err *err)
{
	for (size_t i = 0; t->from_table && i < t->from_table->index_count; i++) {
		const struct table_part *index = &t->from_table->indexes[i];
		const struct sql_arg args[] = {
			SQL_ARG_RELATION("to", t->to),
			SQL_ARG_CATALOG("definition", index->definition),
		};

		if (table_has_index(t->to_table, index))
			continue;
		if (dialect_push_text(statements, dialect,
				      index->unique ? "create unique index on {to} {definition}"
						    : "create index on {to} {definition}",
				      args, ARRAY_LEN(args), err) < 0)
			return -1;
	}
	return 0;
}

/* What a publish added to a table that is put back as it was. */
static int push_extra_index_drops(struct strv *statements, const struct dialect *dialect,
				  const struct publish_table *t, struct err *err)
{
	for (size_t i = 0; i < t->to_table->index_count; i++) {
		const struct table_part *index = &t->to_table->indexes[i];
		const struct relation name = { t->to->database, t->to->schema, index->name };

		if (!table_has_index(t->from_table, index) &&
		    postgres_push_pair(statements, dialect, "drop index {a}", &name, &name, err) <
			    0)
			return -1;
	}
	return 0;
}

static int push_rewrite(struct strv *statements, const struct dialect *dialect,
			const struct publish_table *t, struct err *err)
{
	if (t->restore.identifier &&
	    (postgres_push_pair(statements, dialect, "create table {a} as table {b}", &t->restore,
				t->to, err) < 0 ||
	     postgres_push_marker(statements, dialect, t, err) < 0))
		return -1;
	if (postgres_push_pair(statements, dialect, "delete from {a}", t->to, t->to, err) < 0 ||
	    postgres_push_insert(statements, dialect, t, t->to, err) < 0)
		return -1;
	if (push_missing_indexes(statements, dialect, t, err) < 0 ||
	    (t->is_exact && push_extra_index_drops(statements, dialect, t, err) < 0))
		return -1;
	return postgres_push_comments(statements, dialect, t, t->to, t->to_table, err);
}

/* Once readers are locked out, and before anything has another name. */
static int push_checks(struct strv *statements, const struct dialect *dialect,
		       const struct publish_set *set, struct err *err)
{
	for (size_t i = 0; i < set->n; i++) {
		const struct publish_table *t = &set->tables[i];

		if (!t->to_table)
			continue;
		if (table_is_view(t->to_table) &&
		    postgres_push_view_assert(statements, dialect, t->to,
					      t->decided ? t->to_table : NULL,
					      "(production) was changed by somebody else", err) < 0)
			return -1;
		if (publish_way_moves(t->way) &&
		    postgres_push_unchanged(statements, dialect, set, t, err) < 0)
			return -1;
	}
	return 0;
}

static int push_move(struct strv *statements, const struct dialect *dialect,
		     const struct publish_table *t, struct err *err)
{
	switch (t->way) {
	case PUBLISH_EXCHANGE:
		return postgres_push_exchange(statements, dialect, t, err);
	case PUBLISH_RETURN:
		return postgres_push_return(statements, dialect, t, err);
	case PUBLISH_REMAKE:
		return postgres_push_room(statements, dialect, t, err);
	case PUBLISH_REMOVE:
		if (table_is_view(t->to_table))
			return 0; /* dropped when nothing reads it any more */
		return postgres_push_room(statements, dialect, t, err);
	case PUBLISH_NEW:
	case PUBLISH_REWRITE:
	case PUBLISH_REPLACE:
	case PUBLISH_SWAP:
	case PUBLISH_VIEW:
	case PUBLISH_KEEP:
	case PUBLISH_REBUILD:
		break;
	}
	return 0;
}

static int push_count(struct strv *statements, const struct dialect *dialect,
		      const struct publish_table *t, struct err *err)
{
	char *from CLEANUP(mem_free_string) = relation_display(t->from);
	char *to CLEANUP(mem_free_string) = relation_display(t->to);
	const struct sql_arg args[] = {
		SQL_ARG_RELATION("from", t->from),
		SQL_ARG_RELATION("to", t->to),
		SQL_ARG_LITERAL("from_name", from),
		SQL_ARG_LITERAL("to_name", to),
	};

	return dialect_push_text(statements, dialect, COUNT_BODY, args, ARRAY_LEN(args), err);
}

static int push_rows(struct strv *statements, const struct dialect *dialect,
		     const struct publish_table *t, struct err *err)
{
	if (t->view)
		return 0;
	switch (t->way) {
	case PUBLISH_NEW:
		return push_new(statements, dialect, t, err);
	case PUBLISH_REWRITE:
		return push_rewrite(statements, dialect, t, err);
	case PUBLISH_EXCHANGE:
		return postgres_push_aside(statements, dialect, t, err);
	case PUBLISH_KEEP:
	case PUBLISH_REBUILD:
	case PUBLISH_RETURN:
	case PUBLISH_REMOVE:
		return 0; /* moved once the readers are locked out */
	case PUBLISH_REPLACE:
	case PUBLISH_SWAP:
	case PUBLISH_VIEW:
	case PUBLISH_REMAKE:
		break;
	}
	return err_set(err, ERR_INTERNAL, "no such way to publish on PostgreSQL");
}

/* Everything that readers wait for. */
static int push_moves(struct strv *statements, const struct dialect *dialect,
		      const struct publish_set *set, struct err *err)
{
	if (push_checks(statements, dialect, set, err) < 0 ||
	    postgres_push_views_aside(statements, dialect, set, err) < 0)
		return -1;
	for (size_t i = 0; i < set->n; i++)
		if (push_move(statements, dialect, &set->tables[i], err) < 0)
			return -1;
	/* Behind all of them: what they point to has its name again. */
	for (size_t i = 0; i < set->n; i++)
		if (postgres_push_foreign_keys(statements, dialect, &set->tables[i], err) < 0)
			return -1;
	if (postgres_push_views(statements, dialect, set, err) < 0 ||
	    postgres_push_view_drops(statements, dialect, set, err) < 0)
		return -1;
	for (size_t i = 0; i < set->n; i++)
		if (set->tables[i].to_table && publish_way_moves(set->tables[i].way) &&
		    postgres_push_discard(statements, dialect, &set->tables[i], err) < 0)
			return -1;
	return 0;
}

static int push_verify(struct strv *statements, const struct dialect *dialect,
		       const struct publish_table *t, struct err *err)
{
	if (t->way == PUBLISH_REMOVE || t->way == PUBLISH_KEEP)
		return 0;
	if (t->view)
		return postgres_push_view_check(statements, dialect, t, err);
	return t->way == PUBLISH_RETURN ? 0 : push_count(statements, dialect, t, err);
}

int postgres_push_guards(struct strv *statements, const struct dialect *dialect,
			 const struct publish_set *set, struct err *err)
{
	if (postgres_push_writer_locks(statements, dialect, set, err) < 0)
		return -1;
	return push_asserts(statements, dialect, set, err);
}

int postgres_publish(const struct dialect *dialect, const struct publish_set *set,
		     struct strv *statements, struct err *err)
{
	if (set->container_count > 0)
		return postgres_swap(dialect, set, statements, err);
	if (postgres_push_guards(statements, dialect, set, err) < 0)
		return -1;
	for (size_t i = 0; i < set->n; i++)
		if (push_rows(statements, dialect, &set->tables[i], err) < 0)
			return -1;
	if (postgres_push_reader_locks(statements, dialect, set, err) < 0 ||
	    push_moves(statements, dialect, set, err) < 0)
		return -1;
	if (postgres_push_node_grants(statements, dialect, set, err) < 0)
		return -1;
	for (size_t i = 0; i < set->n; i++)
		if (push_verify(statements, dialect, &set->tables[i], err) < 0)
			return -1;
	return 0;
}
