/*
 * Schemas that change places on PostgreSQL, all in one transaction.
 *
 * Order, and why: (1) tables of both sides are locked against writers and compared with what the
 * tests and the plan saw. (2) Indexes, constraints and NOT NULL that production's tables have and
 * the new ones lack are made while readers still read. (3) Everything readable in production is
 * locked against readers: without it a statement over two tables could see one of each set. (4)
 * Nothing was created in, dropped from or bound to the schemas since. (5) Owners, privileges and
 * comments are brought to the new side, and the schemas are renamed. (6) Defaults and foreign keys,
 * which name objects, and what stands outside and is bound to objects are made again over the new
 * ones.
 */
#include <stdlib.h>
#include <string.h>

#include "publish_postgres.h"

/* Runs every command that the query answers with. */
#define COMMANDS_BODY(QUERY)                                                                       \
	"do declare r record; begin for r in " QUERY " loop execute r.command; end loop; end"

/* Relations of the new schema n beside those of the same name in production, o. */
#define PAIRS                                                                                      \
	"pg_class n join pg_namespace g on g.oid = n.relnamespace and g.nspname = {from:literal} " \
	"join pg_namespace p on p.nspname = {to:literal} "                                         \
	"join pg_class o on o.relname = n.relname and o.relnamespace = p.oid "                     \
	"and o.relkind in ('r', 'v', 'm', 'p', 'f', 'S') "                                         \
	"and n.relkind in ('r', 'v', 'm', 'p', 'f', 'S') "

#define FUNCTION_PAIRS                                                                             \
	"pg_proc n join pg_namespace g on g.oid = n.pronamespace and g.nspname = {from:literal} "  \
	"join pg_namespace p on p.nspname = {to:literal} "                                         \
	"join pg_proc o on o.proname = n.proname and o.pronamespace = p.oid "                      \
	"and o.proargtypes = n.proargtypes "

#define SCHEMA_PAIR                                                                                \
	"pg_namespace n join pg_namespace o on n.nspname = {from:literal} "                        \
	"and o.nspname = {to:literal} "

#define OWNERS_BODY                                                                                \
	COMMANDS_BODY(                                                                             \
		"select format('alter schema %I owner to %I', n.nspname, "                         \
		"pg_get_userbyid(o.nspowner)) as command from " SCHEMA_PAIR                        \
		"where n.nspowner <> o.nspowner "                                                  \
		"union all select format('alter table %s owner to %I', n.oid::regclass, "          \
		"pg_get_userbyid(o.relowner)) from " PAIRS                                         \
		"where n.relowner <> o.relowner and (n.relkind <> 'S' or not exists "              \
		"(select 1 from pg_depend d where d.classid = 'pg_class'::regclass "               \
		"and d.objid = n.oid and d.refclassid = d.classid and d.deptype in ('a', 'i'))) "  \
		"union all select format('alter routine %s owner to %I', n.oid::regprocedure, "    \
		"pg_get_userbyid(o.proowner)) from " FUNCTION_PAIRS                                \
		"where n.proowner <> o.proowner")

#define KIND_OF_ACL(CLASS) "case " CLASS ".relkind when 'S' then 's'::\"char\" else 'r' end"

/* Who may do what: production's, and where production has no such relation what its schema gives
 * by default. `turn` 1 takes away what nobody had, 2 gives what was missing. */
#define PRIVILEGES_BODY                                                                            \
	COMMANDS_BODY(                                                                             \
		"with pairs as (select 'schema ' || quote_ident(n.nspname) as target, '' as col, " \
		"coalesce(o.nspacl, acldefault('n', o.nspowner)) as wanted, "                      \
		"coalesce(n.nspacl, acldefault('n', n.nspowner)) as given from " SCHEMA_PAIR       \
		"union all select case n.relkind when 'S' then 'sequence ' else 'table ' end "     \
		"|| n.oid::regclass, '', "                                                         \
		"coalesce(o.relacl, acldefault(" KIND_OF_ACL(                                      \
			"o") ", o.relowner)), "                                                    \
			     "coalesce(n.relacl, acldefault(" KIND_OF_ACL(                         \
				     "n") ", n.relowner)) from " PAIRS                             \
					  "union all select 'table ' || n.oid::regclass, '(' || "  \
					  "quote_ident(a.attname) "                                \
					  "|| ')', b.attacl, a.attacl from " PAIRS                 \
					  "join pg_attribute b on b.attrelid = o.oid and not "     \
					  "b.attisdropped "                                        \
					  "join pg_attribute a on a.attrelid = n.oid and "         \
					  "a.attname = b.attname "                                 \
					  "where n.relkind <> 'S' and (a.attacl is not null or "   \
					  "b.attacl is not null) "                                 \
					  "union all select 'routine ' || n.oid::regprocedure, "   \
					  "'', "                                                   \
					  "coalesce(o.proacl, acldefault('f', o.proowner)), "      \
					  "coalesce(n.proacl, acldefault('f', n.proowner)) "       \
					  "from " FUNCTION_PAIRS                                   \
					  "union all select case n.relkind when 'S' then "         \
					  "'sequence ' else 'table ' end "                         \
					  "|| n.oid::regclass, '', "                               \
					  "coalesce((select d.defaclacl from pg_default_acl d "    \
					  "where d.defaclnamespace = 0 "                           \
					  "and d.defaclrole = n.relowner and d.defaclobjtype = "   \
					  "case n.relkind when 'S' then 'S'::\"char\" else 'r' "   \
					  "end), "                                                 \
					  "acldefault(" KIND_OF_ACL(                               \
						  "n") ", n.relowner)) "                           \
						       "|| coalesce((select d.defaclacl from "     \
						       "pg_default_acl d "                         \
						       "join pg_namespace p on p.oid = "           \
						       "d.defaclnamespace and p.nspname = "        \
						       "{to:literal} "                             \
						       "where d.defaclrole = n.relowner and "      \
						       "d.defaclobjtype = "                        \
						       "case n.relkind when 'S' then "             \
						       "'S'::\"char\" else 'r' end), '{{}'), "     \
						       "coalesce(n.relacl, "                       \
						       "acldefault(" KIND_OF_ACL(                  \
							       "n") ", n.relowner)) "              \
								    "from pg_class n join "        \
								    "pg_namespace g on g.oid = "   \
								    "n.relnamespace "              \
								    "and g.nspname = "             \
								    "{from:literal} where "        \
								    "n.relkind in ('r', 'v', "     \
								    "'m', 'p', 'f', 'S') "         \
								    "and not exists (select 1 "    \
								    "from pg_class o join "        \
								    "pg_namespace p "              \
								    "on p.oid = o.relnamespace "   \
								    "and p.nspname = "             \
								    "{to:literal} "                \
								    "where o.relname = "           \
								    "n.relname)), "                \
								    "o as (select target, col, "   \
								    "x.grantee, "                  \
								    "x.privilege_type, "           \
								    "x.is_grantable "              \
								    "from pairs, "                 \
								    "aclexplode(wanted) x), "      \
								    "n as (select target, col, "   \
								    "x.grantee, "                  \
								    "x.privilege_type, "           \
								    "x.is_grantable "              \
								    "from pairs, "                 \
								    "aclexplode(given) x) "        \
								    "select format(e.text, "       \
								    "e.privilege_type || e.col, "  \
								    "e.target, case e.grantee "    \
								    "when 0 then 'public' else "   \
								    "quote_ident(pg_get_userbyid(" \
								    "e.grantee)) end) as command " \
								    "from (select 1 as turn, "     \
								    "'revoke %s on %s from %s' "   \
								    "as text, q.* "                \
								    "from (select * from n "       \
								    "except select * from o) q "   \
								    "union all select 2, 'grant "  \
								    "%s on %s to %s' || case "     \
								    "when q.is_grantable "         \
								    "then ' with grant option' "   \
								    "else '' end, q.* "            \
								    "from (select * from o "       \
								    "except select * from n) q) "  \
								    "e order by e.turn")

#define DEFAULTS_BODY                                                                              \
	COMMANDS_BODY(                                                                             \
		"with given as (select s.nspname as side, d.defaclrole as role, "                  \
		"d.defaclobjtype as kind, x.grantee, x.privilege_type, x.is_grantable "            \
		"from pg_default_acl d join pg_namespace s on s.oid = d.defaclnamespace, "         \
		"aclexplode(d.defaclacl) x "                                                       \
		"where s.nspname in ({from:literal}, {to:literal})), "                             \
		"o as (select role, kind, grantee, privilege_type, is_grantable from given "       \
		"where side = {to:literal}), "                                                     \
		"n as (select role, kind, grantee, privilege_type, is_grantable from given "       \
		"where side = {from:literal}) "                                                    \
		"select format('alter default privileges for role %I in schema %I ' || e.text, "   \
		"pg_get_userbyid(e.role), {from:literal}, e.privilege_type, case e.kind "          \
		"when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions' "      \
		"when 'T' then 'types' else 'schemas' end, case e.grantee when 0 then 'public' "   \
		"else quote_ident(pg_get_userbyid(e.grantee)) end) as command "                    \
		"from (select 1 as turn, 'revoke %s on %s from %s' as text, q.* "                  \
		"from (select * from n except select * from o) q "                                 \
		"union all select 2, 'grant %s on %s to %s' || case when q.is_grantable "          \
		"then ' with grant option' else '' end, q.* "                                      \
		"from (select * from o except select * from n) q) e order by e.turn")

/* Comments and storage options that production has and the build did not set. */
#define COMMENTS_BODY                                                                              \
	COMMANDS_BODY(                                                                             \
		"select format('comment on %s %s is %L', case n.relkind when 'v' then 'view' "     \
		"when 'm' then 'materialized view' when 'S' then 'sequence' "                      \
		"when 'f' then 'foreign table' else 'table' end, n.oid::regclass, "                \
		"obj_description(o.oid, 'pg_class')) as command from " PAIRS                       \
		"where obj_description(o.oid, 'pg_class') is not null "                            \
		"and obj_description(n.oid, 'pg_class') is null "                                  \
		"union all select format('comment on column %s.%I is %L', n.oid::regclass, "       \
		"a.attname, col_description(o.oid, b.attnum)) from " PAIRS                         \
		"join pg_attribute b on b.attrelid = o.oid and b.attnum > 0 "                      \
		"and not b.attisdropped "                                                          \
		"join pg_attribute a on a.attrelid = n.oid and a.attname = b.attname "             \
		"where n.relkind <> 'S' and col_description(o.oid, b.attnum) is not null "         \
		"and col_description(n.oid, a.attnum) is null "                                    \
		"union all select format('comment on routine %s is %L', n.oid::regprocedure, "     \
		"obj_description(o.oid, 'pg_proc')) from " FUNCTION_PAIRS                          \
		"where obj_description(o.oid, 'pg_proc') is not null "                             \
		"and obj_description(n.oid, 'pg_proc') is null "                                   \
		"union all select format('alter table %s set (%I = %L)', n.oid::regclass, "        \
		"x.option_name, x.option_value) from " PAIRS                                       \
		"cross join lateral pg_options_to_table(o.reloptions) x "                          \
		"where o.relkind = n.relkind and n.relkind in ('r', 'v', 'm') "                    \
		"and not exists (select 1 from pg_options_to_table(n.reloptions) y "               \
		"where y.option_name = x.option_name)")

/* The comment says which generation a schema is; what people wrote before it stays. */
#define MARK_BODY                                                                                  \
	COMMANDS_BODY("select format('comment on schema %I is %L', n.nspname, "                    \
		      "ltrim(coalesce(regexp_replace(obj_description(w.oid, 'pg_namespace'), "     \
		      "'\\s*\\[airlock: [^]]*\\]$', ''), '') || ' [airlock: ' || {what:literal} "  \
		      "|| ']')) "                                                                  \
		      "as command from pg_namespace n join pg_namespace w on w.nspname = "         \
		      "{words:literal} "                                                           \
		      "where n.nspname = {schema:literal}")

/* Through the connection that builds: what it makes belongs to it, and the other one has to rename
 * it and give it away. */
#define BUILDER_BODY                                                                               \
	"do begin if not pg_has_role({user:literal}, current_user, 'usage') then "                 \
	"raise exception '" DIALECT_RAISED_PRIVILEGE " grant % to %', "                            \
	"quote_ident(current_user), quote_ident({user:literal}); end if; end"

#define BUILDING_BODY                                                                              \
	"do begin if coalesce(obj_description(to_regnamespace({schema:literal}), "                 \
	"'pg_namespace'), '') not like '%[airlock: ' || {what:literal} || ']' then "               \
	"raise exception '" DIALECT_RAISED_CONFLICT                                                \
	" % (staging) is not the schema that this deployment began to build', {shown:literal}; "   \
	"end if; end"

#define SEEN_BODY                                                                                  \
	"do declare found text; begin "                                                            \
	"select string_agg(concat_ws(':', q.j::json ->> 'side', q.j::json ->> 'schema', "          \
	"q.j::json ->> 'seen'), ' ' order by q.j::json ->> 'side', q.j::json ->> 'schema') "       \
	"into found from ({query:statement}) q(j); "                                               \
	"if found is distinct from {seen:literal} then raise exception '" DIALECT_RAISED_CONFLICT  \
	" something was created in, dropped from, changed of or bound to % after it was "          \
	"looked at', "                                                                             \
	"{shown:literal}; end if; end"

#define DEPENDENT_BODY                                                                             \
	"do begin execute {text:literal}; exception when others then "                             \
	"raise exception '" DIALECT_RAISED_DEPENDENT " % cannot be made again over the new "       \
	"tables: %', {what:literal}, sqlerrm; end"

static int push_between(struct strv *statements, const struct dialect *dialect, const char *body,
			const struct publish_container *c, struct err *err)
{
	const struct sql_arg args[] = {
		SQL_ARG_LITERAL("from", c->from.schema),
		SQL_ARG_LITERAL("to", c->to.schema),
	};

	return dialect_push_text(statements, dialect, body, args, ARRAY_LEN(args), err);
}

static int push_mark(struct strv *statements, const struct dialect *dialect,
		     const struct relation *schema, const struct relation *words, const char *what,
		     struct err *err)
{
	char *marker CLEANUP(mem_free_string) = sql_bind_mark(what, "id", "");
	const struct sql_arg args[] = {
		SQL_ARG_LITERAL("schema", schema->schema),
		SQL_ARG_LITERAL("words", words->schema),
		SQL_ARG_LITERAL("what", marker),
	};

	return dialect_push_text(statements, dialect, MARK_BODY, args, ARRAY_LEN(args), err);
}

int postgres_mark(const struct dialect *dialect, const struct publish_set *set,
		  struct strv *statements, struct err *err)
{
	const struct sql_arg user = SQL_ARG_LITERAL("user", set->user);

	if (set->user && dialect_push_text(statements, dialect, BUILDER_BODY, &user, 1, err) < 0)
		return -1;
	for (size_t i = 0; i < set->container_count; i++) {
		const struct relation *from = &set->containers[i].from;
		const struct sql_arg args[] = {
			SQL_ARG_SCHEMA("schema", from),
			SQL_ARG_LITERAL("name", from->schema),
		};

		if (dialect_push(statements, dialect, DIALECT_SCHEMA_CREATE, args, ARRAY_LEN(args),
				 err) < 0 ||
		    push_mark(statements, dialect, from, from, "building ", err) < 0)
			return -1;
	}
	return 0;
}

/* A name with quotes is for to_regnamespace(). */
static int push_building(struct strv *statements, const struct dialect *dialect,
			 const struct publish_container *c, struct err *err)
{
	struct buf name CLEANUP(buf_release) = BUF_INIT;
	char *marker CLEANUP(mem_free_string) = sql_bind_mark("building ", "id", "");
	const struct sql_arg ident = SQL_ARG_IDENT("n", c->from.schema);

	if (sql_render(&name, dialect, "{n}", &ident, 1, err) < 0)
		return -1;
	const struct sql_arg args[] = {
		SQL_ARG_LITERAL("schema", buf_cstr(&name)),
		SQL_ARG_LITERAL("what", marker),
		SQL_ARG_LITERAL("shown", c->from.schema),
	};

	return dialect_push_text(statements, dialect, BUILDING_BODY, args, ARRAY_LEN(args), err);
}

/* --- what the new tables lack --- */

int postgres_push_part(struct strv *statements, const struct dialect *dialect,
		       const struct relation *on, const struct table_part *part, bool is_constraint,
		       struct err *err)
{
	const struct postgres_words words = {
		.name = part->name,
		.definition = part->definition,
		.text = part->comment,
	};
	const struct relation index = { on->database, on->schema, part->name };

	if (postgres_push_on(statements, dialect, on,
			     is_constraint
				     ? "alter table {table} add constraint {name} {definition}"
			     : part->unique ? "create unique index {name} on {table} {definition}"
					    : "create index {name} on {table} {definition}",
			     &words, err) < 0)
		return -1;
	if (!part->comment)
		return 0;
	return postgres_push_on(statements, dialect, is_constraint ? on : &index,
				is_constraint ? "comment on constraint {name} on {table} is "
						"{text:literal}"
					      : "comment on index {table} is {text:literal}",
				&words, err);
}

/* A foreign key over the same columns is the same one: that of the build names its own side. */
static bool has_foreign_key(const struct table *table, const struct table_part *constraint)
{
	for (size_t i = 0; i < table->constraint_count; i++) {
		const struct table_part *own = &table->constraints[i];
		bool same =
			table_is_foreign_key(own) && own->column_count == constraint->column_count;

		for (size_t k = 0; same && k < own->column_count; k++)
			same = strcmp(own->columns[k], constraint->columns[k]) == 0;
		if (same)
			return true;
	}
	return false;
}

static int push_missing(struct strv *statements, const struct dialect *dialect,
			const struct publish_table *t, struct err *err)
{
	const struct table *from = t->from_table;
	const struct table *to = t->to_table;

	for (size_t i = 0; i < to->index_count; i++)
		if (!table_loses_index(dialect, from, &to->indexes[i]) &&
		    !table_has_index(from, &to->indexes[i]) &&
		    postgres_push_part(statements, dialect, t->from, &to->indexes[i], false, err) <
			    0)
			return -1;
	for (size_t i = 0; i < to->constraint_count; i++)
		if (!table_is_foreign_key(&to->constraints[i]) &&
		    !table_loses_constraint(dialect, from, &to->constraints[i]) &&
		    !table_has_constraint(from, &to->constraints[i]) &&
		    postgres_push_part(statements, dialect, t->from, &to->constraints[i], true,
				       err) < 0)
			return -1;
	return postgres_push_not_null(statements, dialect, t, t->from, err);
}

/* Behind the exchange: what they name has its name by then. */
static int push_named(struct strv *statements, const struct dialect *dialect,
		      const struct publish_table *t, struct err *err)
{
	if (postgres_push_defaults(statements, dialect, t, t->to, err) < 0)
		return -1;
	for (size_t i = 0; i < t->to_table->constraint_count; i++) {
		const struct table_part *constraint = &t->to_table->constraints[i];

		if (table_is_foreign_key(constraint) &&
		    !table_loses_index(dialect, t->from_table, constraint) &&
		    !has_foreign_key(t->from_table, constraint) &&
		    postgres_push_part(statements, dialect, t->to, constraint, true, err) < 0)
			return -1;
	}
	return 0;
}

/* Both are tables, known, and the old one may have what the new one lacks. */
static bool is_completed(const struct publish_table *t)
{
	return !t->is_exact && !t->is_view && t->from_table && t->to_table &&
	       strcmp(t->to_table->kind, "table") == 0;
}

typedef int push_table_fn(struct strv *, const struct dialect *, const struct publish_table *,
			  struct err *);

static int push_completed(struct strv *statements, const struct dialect *dialect,
			  const struct publish_set *set, push_table_fn *push, struct err *err)
{
	for (size_t i = 0; i < set->n; i++)
		if (is_completed(&set->tables[i]) &&
		    push(statements, dialect, &set->tables[i], err) < 0)
			return -1;
	return 0;
}

/* --- the last look --- */

static void add_seen(struct buf *seen, const char *side, const struct container *container)
{
	if (container)
		buf_printf(seen, "%s%s:%s:%s", seen->len ? " " : "", side, container->schema.schema,
			   container->seen);
}

static int compare_containers(const void *a, const void *b)
{
	const struct publish_container *x = *(const struct publish_container *const *)a;
	const struct publish_container *y = *(const struct publish_container *const *)b;

	return strcmp(x->from.schema, y->from.schema);
}

/* As the block puts them together: the sides by name, each by the name of its schema. */
static char *seen_text(const struct publish_set *set, struct buf *shown)
{
	struct buf seen = BUF_INIT;
	size_t n = set->container_count;
	const struct publish_container **by_from = mem_alloc((n + 1) * sizeof(*by_from));

	for (size_t i = 0; i < n; i++)
		by_from[i] = &set->containers[i];
	qsort(by_from, n, sizeof(*by_from), compare_containers);
	for (size_t i = 0; i < n; i++)
		add_seen(&seen, "from", by_from[i]->from_seen);
	for (size_t i = 0; i < n; i++) {
		add_seen(&seen, "to", set->containers[i].to_seen);
		buf_printf(shown, "%s%s or %s", i ? ", " : "", set->containers[i].from.schema,
			   set->containers[i].to.schema);
	}
	free(by_from);
	return buf_take(&seen);
}

static int push_seen(struct strv *statements, const struct dialect *dialect,
		     const struct publish_set *set, struct err *err)
{
	struct buf query CLEANUP(buf_release) = BUF_INIT;
	struct buf shown CLEANUP(buf_release) = BUF_INIT;
	char *seen CLEANUP(mem_free_string) = seen_text(set, &shown);
	size_t n = set->container_count;
	size_t count = 0;
	struct relation *names = mem_alloc((2 * n + 1) * sizeof(*names));
	bool decided = set->n == 0 || set->tables[0].decided;

	for (size_t i = 0; i < n; i++) {
		names[count] = set->containers[i].from;
		names[count++].identifier = "from";
		/* One that this transaction made is not what was looked at. */
		if (!set->containers[i].to_seen)
			continue;
		names[count] = set->containers[i].to;
		names[count++].identifier = "to";
	}
	const struct sql_arg of_both = SQL_ARG_NAMES("names", names, count);
	int result = dialect_render(&query, dialect, DIALECT_OBSERVE_CONTAINERS, &of_both, 1, err);

	free(names);
	if (result < 0)
		return -1;
	const struct sql_arg args[] = {
		SQL_ARG_STATEMENT("query", buf_cstr(&query)),
		{ .name = "seen",
		  .kind = SQL_LITERAL,
		  .text = seen,
		  .undecided = decided ? NULL : "what both sides hold after the build" },
		SQL_ARG_LITERAL("shown", buf_cstr(&shown)),
	};

	return dialect_push_text(statements, dialect, SEEN_BODY, args, ARRAY_LEN(args), err);
}

/* --- the exchange --- */

static int push_kept(struct strv *statements, const struct dialect *dialect,
		     const struct publish_container *c, struct err *err)
{
	if (push_between(statements, dialect, OWNERS_BODY, c, err) < 0 ||
	    push_between(statements, dialect, PRIVILEGES_BODY, c, err) < 0 ||
	    push_between(statements, dialect, DEFAULTS_BODY, c, err) < 0)
		return -1;
	return push_between(statements, dialect, COMMENTS_BODY, c, err);
}

static int push_rename(struct strv *statements, const struct dialect *dialect,
		       const struct relation *schema, const char *name, struct err *err)
{
	const struct sql_arg args[] = {
		SQL_ARG_SCHEMA("schema", schema),
		SQL_ARG_IDENT("name", name),
	};

	return dialect_push_text(statements, dialect, "alter schema {schema} rename to {name}",
				 args, ARRAY_LEN(args), err);
}

static int push_exchange(struct strv *statements, const struct dialect *dialect,
			 const struct publish_container *c, struct err *err)
{
	if (push_rename(statements, dialect, &c->to, c->restore.schema, err) < 0 ||
	    push_rename(statements, dialect, &c->from, c->to.schema, err) < 0 ||
	    push_mark(statements, dialect, &c->to, &c->restore, "published ", err) < 0)
		return -1;
	return push_mark(statements, dialect, &c->restore, &c->restore, "demoted by ", err);
}

/* What the catalog wrote stands in a literal, and is run as it is. */
static int push_dependent(struct strv *statements, const struct dialect *dialect,
			  const struct container_dependent *dependent, bool removes,
			  struct err *err)
{
	const struct sql_arg args[] = {
		SQL_ARG_LITERAL("text", removes ? dependent->removes : dependent->makes),
		SQL_ARG_LITERAL("what", dependent->what),
	};

	return dialect_push_text(statements, dialect, DEPENDENT_BODY, args, ARRAY_LEN(args), err);
}

static int push_dependents(struct strv *statements, const struct dialect *dialect,
			   const struct publish_set *set, bool removes, struct err *err)
{
	for (size_t i = 0; i < set->container_count; i++) {
		const struct container *seen = set->containers[i].to_seen;

		for (size_t k = 0; seen && k < seen->dependent_count; k++) {
			const struct container_dependent *d = &seen->dependents[k];

			if ((removes ? d->removes : d->makes) &&
			    !publish_makes_again(dialect, set, d) &&
			    push_dependent(statements, dialect, d, removes, err) < 0)
				return -1;
		}
	}
	return 0;
}

static bool is_return(const struct publish_set *set)
{
	return set->n > 0 && set->tables[0].is_exact;
}

int postgres_swap(const struct dialect *dialect, const struct publish_set *set,
		  struct strv *statements, struct err *err)
{
	if (postgres_push_guards(statements, dialect, set, err) < 0 ||
	    push_completed(statements, dialect, set, push_missing, err) < 0 ||
	    postgres_push_reader_locks(statements, dialect, set, err) < 0 ||
	    push_seen(statements, dialect, set, err) < 0 ||
	    postgres_push_views_aside(statements, dialect, set, err) < 0 ||
	    push_dependents(statements, dialect, set, true, err) < 0)
		return -1;
	for (size_t i = 0; !is_return(set) && i < set->container_count; i++)
		if (push_building(statements, dialect, &set->containers[i], err) < 0 ||
		    push_kept(statements, dialect, &set->containers[i], err) < 0)
			return -1;
	for (size_t i = 0; i < set->container_count; i++)
		if (push_exchange(statements, dialect, &set->containers[i], err) < 0)
			return -1;
	if (push_completed(statements, dialect, set, push_named, err) < 0 ||
	    push_dependents(statements, dialect, set, false, err) < 0 ||
	    postgres_push_views(statements, dialect, set, err) < 0 ||
	    postgres_push_view_drops(statements, dialect, set, err) < 0)
		return -1;
	return postgres_push_node_grants(statements, dialect, set, err);
}
