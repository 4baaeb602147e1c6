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
#include <stdint.h>
#include <stdlib.h>
#include <strings.h>

#include "airlock/warehouse/dialect_rows.h"

#define LOCK_BODY                                                                                \
	"do declare command text; attempt timestamptz; pause float := 0.1; holders text; "       \
	"deadline timestamptz := clock_timestamp() + {timeout:number} * interval '1 ms'; "       \
	"begin loop begin attempt := clock_timestamp(); "                                        \
	"foreach command in array array[{commands:statement}] loop "                             \
	"perform set_config('lock_timeout', greatest(1, {budget:number} - extract(epoch from "   \
	"clock_timestamp() - attempt) * 1000)::int || 'ms', true); "                             \
	"execute command; end loop; "                                                            \
	"perform set_config('lock_timeout', '{timeout:number}ms', true); exit; "                 \
	"exception when lock_not_available or deadlock_detected then "                           \
	"if clock_timestamp() > deadline then "                                                  \
	"select string_agg(distinct format('pid %s (%s, %s) in \"%s\"', a.pid, a.usename, "      \
	"a.state, left(a.query, 120)), ', ') into holders "                                      \
	"from pg_locks l join pg_stat_activity a on a.pid = l.pid "                              \
	"where l.relation = any (array[{names:statement}]::regclass[]::oid[]) "                  \
	"and l.granted and l.pid <> pg_backend_pid(); "                                          \
	"raise exception '" DIALECT_RAISED_LOCK " no lock on % within {timeout:number} ms; "     \
	"held by %', command, coalesce(holders, 'somebody who has gone'); end if; end; "         \
	"perform pg_sleep(pause); pause := least(pause * 2, 1); end loop; end"

#define ASSERT_BODY                                                                              \
	"do declare found text; begin "                                                          \
	"select c.oid::text || '/' || c.relfilenode::text || '/' "                               \
	"|| (select count(*) from {relation:relation}) into found "                              \
	"from pg_class c join pg_namespace n on n.oid = c.relnamespace "                         \
	"where n.nspname = {schema:literal} and c.relname = {identifier:literal}; "              \
	"if found is distinct from {identity:literal} then "                                     \
	"raise exception '" DIALECT_RAISED_CONFLICT " %', {message:literal}; end if; end"

#define COUNT_BODY                                                                               \
	"do begin if (select count(*) from {from:relation}) <> "                                 \
	"(select count(*) from {to:relation}) then "                                             \
	"raise exception '" DIALECT_RAISED_COUNT " % does not have as many rows as %', "         \
	"{to_name:literal}, {from_name:literal}; end if; end"

#define INSERT_TEXT                                                                              \
	"insert into {to:relation} ({columns:idents}) select {columns:idents} "                  \
	"from {from:relation}"

/* Privileges of the replaced table, no more and no fewer, whatever default privileges gave. */
#define GRANTS_BODY                                                                              \
	"do declare r record; begin "                                                            \
	"for r in with o as (select x.grantee, x.privilege_type, x.is_grantable from pg_class c, " \
	"aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) x "                         \
	"where c.oid = {old_name:literal}::regclass), "                                          \
	"n as (select x.grantee, x.privilege_type, x.is_grantable from pg_class c, "             \
	"aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) x "                         \
	"where c.oid = {new_name:literal}::regclass) "                                           \
	"select 1 as turn, 'revoke %s on table %s from %s' as command, e.* "                     \
	"from (select * from n except select * from o) e "                                       \
	"union all select 2, 'grant %s on table %s to %s' || case when e.is_grantable "          \
	"then ' with grant option' else '' end, e.* "                                            \
	"from (select * from o except select * from n) e order by 1 loop "                       \
	"execute format(r.command, r.privilege_type, {new_name:literal}::regclass, "             \
	"case r.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(r.grantee)) end); " \
	"end loop; end"

/* Nothing may have begun to depend on the table since the plan was made. */
#define DEPENDENTS_BODY                                                                          \
	"do declare what text; begin "                                                           \
	"select string_agg(distinct r.ev_class::regclass::text, ', ') into what "                \
	"from pg_depend d join pg_rewrite r on r.oid = d.objid "                                 \
	"where d.classid = 'pg_rewrite'::regclass and d.refclassid = 'pg_class'::regclass "      \
	"and d.refobjid = {old_name:literal}::regclass "                                         \
	"and r.ev_class <> {old_name:literal}::regclass; "                                       \
	"if what is not null then raise exception '" DIALECT_RAISED_CONFLICT                     \
	" % now depends on %', what, {old_name:literal}; end if; end"

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
	if (!table->from_table || table_same_columns(table->from_table, to)) {
		*ret_way = PUBLISH_REWRITE;
		*ret_reason = table->from_table ? "the columns are equal: the table stays and its "
						  "rows are replaced"
						: "if the columns are equal, the table stays and "
						  "its rows are replaced";
		return 0;
	}
	if (to->refuse_exchange_count > 0 && table->decided) {
		char *display CLEANUP(mem_free_string) = relation_display(table->to);

		err_set(err, ERR_UNSUPPORTED,
			"the columns of '%s' changed, so a new table has to take its place, and "
			"that would lose: %s%s",
			display, to->refuses_exchange[0],
			to->refuse_exchange_count > 1 ? " (and more)" : "");
		return err_hint(err, "drop it, deploy, and create it again");
	}
	*ret_way = PUBLISH_EXCHANGE;
	*ret_reason = "the columns changed: a new table built aside takes the name";
	return 0;
}

/* "schema"."identifier", as the text that ::regclass reads. */
static char *relation_text(const struct dialect *dialect, const struct relation *relation,
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

static int add_lock(struct buf *commands, struct buf *names, const struct dialect *dialect,
		    const struct relation *relation, const char *mode, struct err *err)
{
	char *name CLEANUP(mem_free_string) = relation_text(dialect, relation, err);

	if (!name)
		return -1;
	char *command CLEANUP(mem_free_string) = mem_printf("lock table %s in %s mode", name, mode);

	if (add_literal(commands, dialect, command, err) < 0)
		return -1;
	return add_literal(names, dialect, name, err);
}

static int push_lock(struct strv *statements, const struct dialect *dialect,
		     const struct publish_set *set, const struct buf *commands,
		     const struct buf *names, struct err *err)
{
	const struct sql_arg args[] = {
		SQL_ARG_STATEMENT("commands", buf_cstr(commands)),
		SQL_ARG_STATEMENT("names", buf_cstr(names)),
		SQL_ARG_NUMBER("budget", set->lock_attempt_ms),
		SQL_ARG_NUMBER("timeout", set->timeout_ms),
	};

	if (commands->len == 0)
		return 0;
	return dialect_push_text(statements, dialect, LOCK_BODY, args, ARRAY_LEN(args), err);
}

/* Against writers of production and against anything that would replace a table of staging. */
static int push_writer_locks(struct strv *statements, const struct dialect *dialect,
			     const struct publish_set *set, struct err *err)
{
	struct buf commands CLEANUP(buf_release) = BUF_INIT;
	struct buf names CLEANUP(buf_release) = BUF_INIT;

	for (size_t i = 0; i < set->n; i++) {
		const struct publish_table *t = &set->tables[i];

		if (add_lock(&commands, &names, dialect, t->from, "access share", err) < 0)
			return -1;
		if (t->to_table && add_lock(&commands, &names, dialect, t->to,
					    "share row exclusive", err) < 0)
			return -1;
	}
	return push_lock(statements, dialect, set, &commands, &names, err);
}

static int push_assert(struct strv *statements, const struct dialect *dialect,
		       const struct relation *relation, const struct table *table, bool decided,
		       const char *format, struct err *err)
{
	char *display CLEANUP(mem_free_string) = relation_display(relation);
	char *message CLEANUP(mem_free_string) = mem_printf("%s %s", display, format);
	char *identity CLEANUP(mem_free_string) =
		decided ? mem_printf("%s/%lld", table->object, (long long)table->rows) : NULL;
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

	return dialect_push_text(statements, dialect, ASSERT_BODY, args, ARRAY_LEN(args), err);
}

static int push_asserts(struct strv *statements, const struct dialect *dialect,
			const struct publish_set *set, struct err *err)
{
	for (size_t i = 0; i < set->n; i++) {
		const struct publish_table *t = &set->tables[i];

		if (push_assert(statements, dialect, t->from, t->from_table, t->decided,
				"(staging) changed after its tests", err) < 0)
			return -1;
		if (t->to_table && push_assert(statements, dialect, t->to, t->to_table, t->decided,
					       "(production) was changed by somebody else", err) < 0)
			return -1;
	}
	return 0;
}

static int push_insert(struct strv *statements, const struct dialect *dialect,
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

static int push_pair(struct strv *statements, const struct dialect *dialect, const char *text,
		     const struct relation *a, const struct relation *b, struct err *err)
{
	const struct sql_arg args[] = { SQL_ARG_RELATION("a", a), SQL_ARG_RELATION("b", b) };

	return dialect_push_text(statements, dialect, text, args, ARRAY_LEN(args), err);
}

static int push_new(struct strv *statements, const struct dialect *dialect,
		    const struct publish_table *t, struct err *err)
{
	if (push_pair(statements, dialect, "create table {a} (like {b} including all)", t->to,
		      t->from, err) < 0)
		return -1;
	return push_insert(statements, dialect, t, t->to, err);
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

static int push_rewrite(struct strv *statements, const struct dialect *dialect,
			const struct publish_table *t, struct err *err)
{
	if (t->restore.identifier &&
	    push_pair(statements, dialect, "create table {a} as table {b}", &t->restore, t->to,
		      err) < 0)
		return -1;
	if (push_pair(statements, dialect, "delete from {a}", t->to, t->to, err) < 0 ||
	    push_insert(statements, dialect, t, t->to, err) < 0)
		return -1;
	return push_missing_indexes(statements, dialect, t, err);
}

/* Names that exist for the length of the transaction, or for good in the restore schema. */
static char *aside_name(const struct publish_table *t, const char *prefix, size_t part)
{
	char *suffix CLEANUP(mem_free_string) =
		part > 0 ? mem_printf("_%zu_%zu", t->number, part)
			 : mem_printf("_%zu", t->number);

	return sql_bind_mark(prefix, "id", suffix);
}

struct aside {
	struct relation table;
	char *name;
	char *text; /* for ::regclass */
	char *old_text;
};

static void aside_release(struct aside *aside)
{
	free(aside->name);
	free(aside->text);
	free(aside->old_text);
}

static int aside_init(struct aside *ret, const struct dialect *dialect,
		      const struct publish_table *t, struct err *err)
{
	ret->name = aside_name(t, "airlock_", 0);
	ret->table = *t->to;
	ret->table.identifier = ret->name;
	ret->text = relation_text(dialect, &ret->table, err);
	ret->old_text = relation_text(dialect, t->to, err);
	return ret->text && ret->old_text ? 0 : -1;
}

static int push_on_table(struct strv *statements, const struct dialect *dialect,
			 const struct relation *table, const char *text, const char *ident,
			 const char *catalog, const char *literal, struct err *err)
{
	const struct sql_arg args[] = {
		SQL_ARG_RELATION("table", table),
		SQL_ARG_IDENT("name", ident),
		SQL_ARG_CATALOG("definition", catalog),
		SQL_ARG_LITERAL("text", literal),
	};

	return dialect_push_text(statements, dialect, text, args, ARRAY_LEN(args), err);
}

static int push_column_settings(struct strv *statements, const struct dialect *dialect,
				const struct aside *aside, const struct publish_table *t,
				struct err *err)
{
	for (size_t i = 0; i < t->to_table->column_count; i++) {
		const struct table_column *old = &t->to_table->columns[i];
		const struct table_column *new = table_column(t->from_table, old->name);

		if (!new)
			continue;
		if (old->value && !new->value &&
		    push_on_table(statements, dialect, &aside->table,
				  "alter table {table} alter column {name} set default {definition}",
				  old->name, old->value, NULL, err) < 0)
			return -1;
		if (old->not_null && !new->not_null &&
		    push_on_table(statements, dialect, &aside->table,
				  "alter table {table} alter column {name} set not null", old->name,
				  "", NULL, err) < 0)
			return -1;
		if (old->comment && !new->comment &&
		    push_on_table(statements, dialect, &aside->table,
				  "comment on column {table}.{name} is {text:literal}", old->name,
				  "", old->comment, err) < 0)
			return -1;
	}
	return 0;
}

/* Indexes and constraints of the replaced table, as far as their columns still exist, under
 * names of their own until the old ones have moved away. */
static int push_parts(struct strv *statements, const struct dialect *dialect,
		      const struct aside *aside, const struct publish_table *t, bool constraints,
		      struct err *err)
{
	size_t n = constraints ? t->to_table->constraint_count : t->to_table->index_count;
	const struct table_part *parts =
		constraints ? t->to_table->constraints : t->to_table->indexes;

	for (size_t i = 0; i < n; i++) {
		char *name CLEANUP(mem_free_string) =
			aside_name(t, constraints ? "airlock_c_" : "airlock_i_", i + 1);
		const char *text = "create index {name} on {table} {definition}";

		if (!table_has_columns_of(t->from_table, &parts[i]))
			continue;
		if (constraints && table_has_constraint(t->from_table, &parts[i]))
			continue;
		if (!constraints && table_has_index(t->from_table, &parts[i]))
			continue;
		if (constraints)
			text = "alter table {table} add constraint {name} {definition}";
		else if (parts[i].unique)
			text = "create unique index {name} on {table} {definition}";
		if (push_on_table(statements, dialect, &aside->table, text, name,
				  parts[i].definition, NULL, err) < 0)
			return -1;
	}
	return 0;
}

static int push_aside(struct strv *statements, const struct dialect *dialect,
		      const struct publish_table *t, struct err *err)
{
	struct aside aside CLEANUP(aside_release) = { 0 };

	if (aside_init(&aside, dialect, t, err) < 0 ||
	    push_pair(statements, dialect, "create table {a} (like {b} including all)",
		      &aside.table, t->from, err) < 0 ||
	    push_insert(statements, dialect, t, &aside.table, err) < 0 ||
	    push_column_settings(statements, dialect, &aside, t, err) < 0 ||
	    push_parts(statements, dialect, &aside, t, false, err) < 0 ||
	    push_parts(statements, dialect, &aside, t, true, err) < 0)
		return -1;
	if (t->to_table->comment && !t->from_table->comment &&
	    push_on_table(statements, dialect, &aside.table,
			  "comment on table {table} is {text:literal}", "", "",
			  t->to_table->comment, err) < 0)
		return -1;
	if (t->to_table->owner &&
	    push_on_table(statements, dialect, &aside.table, "alter table {table} owner to {name}",
			  t->to_table->owner, "", NULL, err) < 0)
		return -1;
	const struct sql_arg args[] = {
		SQL_ARG_LITERAL("old_name", aside.old_text),
		SQL_ARG_LITERAL("new_name", aside.text),
	};

	return dialect_push_text(statements, dialect, GRANTS_BODY, args, ARRAY_LEN(args), err);
}

static int push_index_rename(struct strv *statements, const struct dialect *dialect,
			     const struct relation *in_schema, const char *from, const char *to,
			     struct err *err)
{
	const struct relation index = { in_schema->database, in_schema->schema, from };
	const struct sql_arg args[] = { SQL_ARG_RELATION("index", &index),
					SQL_ARG_IDENT("name", to) };

	return dialect_push_text(statements, dialect, "alter index {index} rename to {name}", args,
				 ARRAY_LEN(args), err);
}

static int push_constraint_rename(struct strv *statements, const struct dialect *dialect,
				  const struct relation *table, const char *from, const char *to,
				  struct err *err)
{
	const struct sql_arg args[] = { SQL_ARG_RELATION("table", table),
					SQL_ARG_IDENT("from", from), SQL_ARG_IDENT("to", to) };

	return dialect_push_text(statements, dialect,
				 "alter table {table} rename constraint {from} to {to}", args,
				 ARRAY_LEN(args), err);
}

/* Index names live in the schema: the old ones step aside before the table moves away. */
static int push_old_names(struct strv *statements, const struct dialect *dialect,
			  const struct publish_table *t, struct err *err)
{
	for (size_t i = 0; i < t->to_table->index_count; i++) {
		char *name CLEANUP(mem_free_string) = aside_name(t, "r_i_", i + 1);

		if (push_index_rename(statements, dialect, t->to, t->to_table->indexes[i].name,
				      name, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < t->to_table->constraint_count; i++) {
		char *name CLEANUP(mem_free_string) = aside_name(t, "r_c_", i + 1);

		if (push_constraint_rename(statements, dialect, t->to,
					   t->to_table->constraints[i].name, name, err) < 0)
			return -1;
	}
	return 0;
}

static int push_new_names(struct strv *statements, const struct dialect *dialect,
			  const struct publish_table *t, struct err *err)
{
	for (size_t i = 0; i < t->to_table->index_count; i++) {
		const struct table_part *index = &t->to_table->indexes[i];
		char *name CLEANUP(mem_free_string) = aside_name(t, "airlock_i_", i + 1);

		if (table_has_columns_of(t->from_table, index) &&
		    !table_has_index(t->from_table, index) &&
		    push_index_rename(statements, dialect, t->to, name, index->name, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < t->to_table->constraint_count; i++) {
		const struct table_part *constraint = &t->to_table->constraints[i];
		char *name CLEANUP(mem_free_string) = aside_name(t, "airlock_c_", i + 1);

		if (table_has_columns_of(t->from_table, constraint) &&
		    !table_has_constraint(t->from_table, constraint) &&
		    push_constraint_rename(statements, dialect, t->to, name, constraint->name,
					   err) < 0)
			return -1;
	}
	return 0;
}

static int push_exchange(struct strv *statements, const struct dialect *dialect,
			 const struct publish_table *t, struct err *err)
{
	struct aside aside CLEANUP(aside_release) = { 0 };
	char *old CLEANUP(mem_free_string) = aside_name(t, "r_", 0);

	if (aside_init(&aside, dialect, t, err) < 0)
		return -1;
	const struct sql_arg dependents[] = { SQL_ARG_LITERAL("old_name", aside.old_text) };

	if (dialect_push_text(statements, dialect, DEPENDENTS_BODY, dependents, 1, err) < 0)
		return -1;
	if (!t->restore.identifier) {
		if (push_pair(statements, dialect, "drop table {a}", t->to, t->to, err) < 0)
			return -1;
	} else {
		const struct relation moved = { t->to->database, t->to->schema, old };

		if (push_old_names(statements, dialect, t, err) < 0 ||
		    push_on_table(statements, dialect, t->to, "alter table {table} rename to {name}",
				  old, "", NULL, err) < 0 ||
		    push_on_table(statements, dialect, &moved,
				  "alter table {table} set schema {name}", t->restore.schema, "",
				  NULL, err) < 0)
			return -1;
	}
	if (push_on_table(statements, dialect, &aside.table, "alter table {table} rename to {name}",
			  t->to->identifier, "", NULL, err) < 0)
		return -1;
	return push_new_names(statements, dialect, t, err);
}

static int push_reader_locks(struct strv *statements, const struct dialect *dialect,
			     const struct publish_set *set, struct err *err)
{
	struct buf commands CLEANUP(buf_release) = BUF_INIT;
	struct buf names CLEANUP(buf_release) = BUF_INIT;

	for (size_t i = 0; i < set->n; i++)
		if (set->tables[i].way == PUBLISH_EXCHANGE &&
		    add_lock(&commands, &names, dialect, set->tables[i].to, "access exclusive",
			     err) < 0)
			return -1;
	return push_lock(statements, dialect, set, &commands, &names, err);
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
	static const char *const privileges[] = { "select",   "insert",     "update", "delete",
						  "truncate", "references", "trigger", "all" };

	for (size_t i = 0; i < ARRAY_LEN(privileges); i++)
		if (strcasecmp(privileges[i], word) == 0)
			return true;
	return false;
}

/* `grants:` of the node, as dbt gives them; what was granted by hand stays. */
static int push_grants(struct strv *statements, const struct dialect *dialect,
		       const struct publish_table *t, struct err *err)
{
	for (size_t i = 0; i < t->grant_count; i++) {
		const char *privilege = t->grants[2 * i];
		const char *grantee = t->grants[2 * i + 1];
		const struct sql_arg args[] = {
			SQL_ARG_STATEMENT("privilege", privilege),
			SQL_ARG_RELATION("to", t->to),
			SQL_ARG_IDENT("grantee", grantee),
		};

		if (!is_privilege(privilege))
			return err_set(err, ERR_CONFIG_INVALID,
				       "'%s' is no privilege of a table (grants of '%s')", privilege,
				       t->to->identifier);
		if (dialect_push_text(statements, dialect,
				      strcasecmp(grantee, "public") == 0
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
		return push_aside(statements, dialect, t, err);
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
		if (set->tables[i].way == PUBLISH_EXCHANGE &&
		    push_exchange(statements, dialect, &set->tables[i], err) < 0)
			return -1;
	for (size_t i = 0; i < set->n; i++)
		if (push_grants(statements, dialect, &set->tables[i], err) < 0)
			return -1;
	for (size_t i = 0; i < set->n; i++)
		if (push_count(statements, dialect, &set->tables[i], err) < 0)
			return -1;
	return 0;
}
