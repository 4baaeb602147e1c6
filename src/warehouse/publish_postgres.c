/*
 * Publishing on PostgreSQL: every table of the set in one transaction.
 *
 * Order, and why: (1) all tables are locked against writers, in name order, so that nobody's rows
 * are lost between the comparison and the commit; readers pass. (2) Staging and production are
 * compared with what the tests and the plan saw. (3) Rows are copied: in place (rewrite), or into
 * a new table built aside (exchange). (4) Only then are the tables to be exchanged locked against
 * readers, for as long as a few renames take. (5) Counts are compared, and the transaction commits.
 *
 * Locks are tried in attempts of `lock_attempt_ms` in all (lock_timeout counts per table, so what
 * is left of the attempt is set before each), released, and tried again after a pause: a reader
 * that comes behind a waiting lock waits no longer than one attempt.
 */
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "airlock/warehouse/marker.h"
#include "publish_postgres.h"

#define LOCK_BODY                                                                                  \
	"do declare names text[] := array[{names:statement}]; "                                    \
	"modes text[] := array[{modes:statement}]; n int; attempt timestamptz; holders text; "     \
	"pause float := 0.1; "                                                                     \
	"deadline timestamptz := clock_timestamp() + {timeout:number} * interval '1 ms'; "         \
	"begin loop begin attempt := clock_timestamp(); n := 0; "                                  \
	"while n < cardinality(names) loop n := n + 1; "                                           \
	"perform set_config('lock_timeout', greatest(1, {budget:number} - extract(epoch from "     \
	"clock_timestamp() - attempt) * 1000)::int || 'ms', true); "                               \
	"execute format('lock table %s in %s mode', names[n], modes[n]); end loop; "               \
	"perform set_config('lock_timeout', '{timeout:number}ms', true); exit; "                   \
	"exception when lock_not_available or deadlock_detected then "                             \
	"if clock_timestamp() > deadline then "                                                    \
	"select string_agg(distinct format('pid %s (%s) in \"%s\"', a.pid, "                       \
	"concat_ws(', ', a.usename, a.state), left(a.query, 120)), ', ') into holders "            \
	"from pg_locks l join pg_stat_activity a on a.pid = l.pid "                                \
	"where l.relation = names[n]::regclass and l.granted and l.pid <> pg_backend_pid() "       \
	"and l.database = (select oid from pg_database where datname = current_database()) "       \
	"and case modes[n] when 'access share' then l.mode = 'AccessExclusiveLock' "               \
	"when 'access exclusive' then true "                                                       \
	"else l.mode not in ('AccessShareLock', 'RowShareLock') end; "                             \
	"raise exception '" DIALECT_RAISED_LOCK " no % lock on % within {timeout:number} ms; "     \
	"held by %', modes[n], names[n], coalesce(holders, 'somebody who has gone'); "             \
	"end if; end; "                                                                            \
	"perform pg_sleep(pause); pause := least(pause * 2, 1); end loop; end"

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

int postgres_choose_way(const struct publish_table *table, enum publish_way *ret_way,
			const char **ret_reason, struct err *err)
{
	const struct table *to = table->to_table;

	if (publish_check(table, err) < 0)
		return -1;
	if (!to) {
		*ret_way = PUBLISH_NEW;
		*ret_reason = "production has no such table yet";
		return 0;
	}
	if (!table->from_table || table_same_columns(&dialect_postgres, table->from_table, to)) {
		*ret_way = PUBLISH_REWRITE;
		*ret_reason = table->from_table ? "the columns are equal: the table stays and its "
						  "rows are replaced"
						: "if the columns are equal, the table stays and "
						  "its rows are replaced";
		return 0;
	}
	if (to->refuse_exchange_count > 0 && table->decided) {
		char *display CLEANUP(mem_free_string) = relation_display(table->to);

		char *lost CLEANUP(mem_free_string) =
			publish_list(to->refuses_exchange, to->refuse_exchange_count);

		err_set(err, ERR_UNSUPPORTED,
			"the columns of '%s' changed, so a new table has to take its place, and "
			"that would lose: %s",
			display, lost);
		return err_hint(err, "drop it, deploy, and create it again");
	}
	*ret_way = PUBLISH_EXCHANGE;
	*ret_reason = "the columns changed: a new table built aside takes the name";
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

static int add_literal(struct buf *list, const struct dialect *dialect, const char *text,
		       struct err *err)
{
	const struct sql_arg arg = SQL_ARG_LITERAL("t", text);

	if (list->len > 0)
		buf_add_str(list, ", ");
	return sql_render(list, dialect, "{t}", &arg, 1, err);
}

struct locks {
	struct buf names;
	struct buf modes;
};

static void locks_release(struct locks *locks)
{
	buf_release(&locks->names);
	buf_release(&locks->modes);
}

static int add_lock(struct locks *locks, const struct dialect *dialect,
		    const struct relation *relation, const char *mode, struct err *err)
{
	char *name CLEANUP(mem_free_string) = postgres_relation_text(dialect, relation, err);

	if (!name || add_literal(&locks->names, dialect, name, err) < 0)
		return -1;
	return add_literal(&locks->modes, dialect, mode, err);
}

static int push_locks(struct strv *statements, const struct dialect *dialect,
		      const struct publish_set *set, const struct locks *locks, struct err *err)
{
	const struct sql_arg args[] = {
		SQL_ARG_STATEMENT("names", buf_cstr(&locks->names)),
		SQL_ARG_STATEMENT("modes", buf_cstr(&locks->modes)),
		SQL_ARG_NUMBER("budget", set->lock_attempt_ms),
		SQL_ARG_NUMBER("timeout", set->timeout_ms),
	};

	if (locks->names.len == 0)
		return 0;
	return dialect_push_text(statements, dialect, LOCK_BODY, args, ARRAY_LEN(args), err);
}

/* Against writers of production and against anything that would replace a table of staging. */
static int push_writer_locks(struct strv *statements, const struct dialect *dialect,
			     const struct publish_set *set, struct err *err)
{
	struct locks locks CLEANUP(locks_release) = { BUF_INIT, BUF_INIT };

	for (size_t i = 0; i < set->n; i++) {
		const struct publish_table *t = &set->tables[i];

		if (t->from && add_lock(&locks, dialect, t->from, "access share", err) < 0)
			return -1;
		if (t->to_table && add_lock(&locks, dialect, t->to, "share row exclusive", err) < 0)
			return -1;
	}
	return push_locks(statements, dialect, set, &locks, err);
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

static int push_asserts(struct strv *statements, const struct dialect *dialect,
			const struct publish_set *set, struct err *err)
{
	for (size_t i = 0; i < set->n; i++) {
		const struct publish_table *t = &set->tables[i];

		if (t->from && push_assert(statements, dialect, t->from, t->from_table, t->decided,
					   set->by_content,
					   t->is_exact ? "(the restore point) changed"
						       : "(staging) changed after its tests",
					   err) < 0)
			return -1;
		if (t->to_table &&
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

static bool same_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
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
		    !same_text(words.text, is ? is->comment : NULL) &&
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
	    (has == t->from_table || !same_text(words.text, has->comment)) &&
	    postgres_push_on(statements, dialect, on, "comment on table {table} is {text:literal}",
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
	if (postgres_push_pair(statements, dialect, "create table {a} (like {b} including all)",
			       t->to, t->from, err) < 0 ||
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

static bool moves_object(const struct publish_table *t)
{
	return t->way == PUBLISH_EXCHANGE || t->way == PUBLISH_RETURN || t->way == PUBLISH_REMOVE;
}

static int push_move(struct strv *statements, const struct dialect *dialect,
		     const struct publish_table *t, struct err *err)
{
	switch (t->way) {
	case PUBLISH_EXCHANGE:
		return postgres_push_exchange(statements, dialect, t, err);
	case PUBLISH_RETURN:
		return postgres_push_return(statements, dialect, t, err);
	case PUBLISH_REMOVE:
		return postgres_push_removal(statements, dialect, t, err);
	case PUBLISH_NEW:
	case PUBLISH_REWRITE:
	case PUBLISH_REPLACE:
		break;
	}
	return 0;
}

static int push_reader_locks(struct strv *statements, const struct dialect *dialect,
			     const struct publish_set *set, struct err *err)
{
	struct locks locks CLEANUP(locks_release) = { BUF_INIT, BUF_INIT };

	for (size_t i = 0; i < set->n; i++)
		if (moves_object(&set->tables[i]) && set->tables[i].to_table &&
		    add_lock(&locks, dialect, set->tables[i].to, "access exclusive", err) < 0)
			return -1;
	return push_locks(statements, dialect, set, &locks, err);
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

static bool is_privilege(const char *word)
{
	static const char *const privileges[] = {
		"select",     "insert",  "update",   "delete", "truncate",
		"references", "trigger", "maintain", "all",    "all privileges",
	};

	for (size_t i = 0; i < ARRAY_LEN(privileges); i++)
		if (strcasecmp(privileges[i], word) == 0)
			return true;
	return false;
}

/* dbt writes a grantee as it stands in the configuration: a plain name is folded by the server,
 * one in quotes is not. */
static char *grantee_name(const char *written)
{
	size_t len = strlen(written);
	char *name = mem_strdup(written);
	size_t n = 0;

	if (len > 1 && written[0] == '"' && written[len - 1] == '"') {
		for (size_t i = 1; i < len - 1; i++) {
			name[n++] = written[i];
			if (written[i] == '"' && written[i + 1] == '"' && i + 1 < len - 1)
				i++;
		}
		name[n] = '\0';
		return name;
	}
	for (; name[n]; n++)
		name[n] = (char)tolower((unsigned char)name[n]);
	return name;
}

/* `grants:` of the node, as dbt gives them; what was granted by hand stays. */
static int push_grants(struct strv *statements, const struct dialect *dialect,
		       const struct publish_table *t, struct err *err)
{
	for (size_t i = 0; i < t->grant_count; i++) {
		const char *privilege = t->grants[2 * i];
		char *grantee CLEANUP(mem_free_string) = grantee_name(t->grants[2 * i + 1]);
		const struct sql_arg args[] = {
			SQL_ARG_STATEMENT("privilege", privilege),
			SQL_ARG_RELATION("to", t->to),
			SQL_ARG_IDENT("grantee", grantee),
		};

		if (!is_privilege(privilege))
			return err_set(err, ERR_CONFIG_INVALID,
				       "'%s' is no privilege of a table (grants of '%s')",
				       privilege, t->to->identifier);
		if (dialect_push_text(statements, dialect,
				      strcmp(t->grants[2 * i + 1], "public") == 0
					      ? "grant {privilege:statement} on {to} to public"
					      : "grant {privilege:statement} on {to} to {grantee}",
				      args, ARRAY_LEN(args), err) < 0)
			return -1;
	}
	return 0;
}

static int push_rows(struct strv *statements, const struct dialect *dialect,
		     const struct publish_table *t, struct err *err)
{
	switch (t->way) {
	case PUBLISH_NEW:
		return push_new(statements, dialect, t, err);
	case PUBLISH_REWRITE:
		return push_rewrite(statements, dialect, t, err);
	case PUBLISH_EXCHANGE:
		return postgres_push_aside(statements, dialect, t, err);
	case PUBLISH_RETURN:
	case PUBLISH_REMOVE:
		return 0; /* moved once the readers are locked out */
	case PUBLISH_REPLACE:
		break;
	}
	return err_set(err, ERR_INTERNAL, "no such way to publish on PostgreSQL");
}

int postgres_publish(const struct dialect *dialect, const struct publish_set *set,
		     struct strv *statements, struct err *err)
{
	if (push_writer_locks(statements, dialect, set, err) < 0 ||
	    push_asserts(statements, dialect, set, err) < 0)
		return -1;
	for (size_t i = 0; i < set->n; i++)
		if (push_rows(statements, dialect, &set->tables[i], err) < 0)
			return -1;
	if (push_reader_locks(statements, dialect, set, err) < 0)
		return -1;
	for (size_t i = 0; i < set->n; i++)
		if (push_move(statements, dialect, &set->tables[i], err) < 0)
			return -1;
	for (size_t i = 0; i < set->n; i++)
		if (push_grants(statements, dialect, &set->tables[i], err) < 0)
			return -1;
	for (size_t i = 0; i < set->n; i++)
		if (set->tables[i].way != PUBLISH_RETURN && set->tables[i].way != PUBLISH_REMOVE &&
		    push_count(statements, dialect, &set->tables[i], err) < 0)
			return -1;
	return 0;
}
