/*
 * Staging that begins as a clone of production on Snowflake, so that what no node makes is in it
 * too: made before the build, looked at once more before the exchange, since what somebody writes
 * to the original meanwhile would be lost with it, and set going again behind it: a clone of a
 * dynamic table is suspended, and so is the automatic clustering of a table.
 */
#include <stdlib.h>
#include <string.h>

#include "airlock/warehouse/marker.h"
#include "snowflake_aside.h"
#include "swap_snowflake.h"

#define NOTHING_HIDDEN                                                                             \
	"(select count(*) from " ASIDE_MAKERS("{catalog:ident}.",                                  \
					      "'SCHEMA'") "m where m.s = {schema:literal}) = 0"

#define NOTHING_HIDDEN_IN_DATABASE                                                                 \
	"(select count(*) from " ASIDE_MAKERS("{catalog:ident}.", "'SCHEMA', 'DATABASE'") "m) = 0"

#define NOT_ALTERED SNOWFLAKE_ALTERED("{schema:literal}") " = {seen:literal}"

/* The whole of staging is as old as its clone; what is in it may say when its original was made. */
#define CLONED_AT                                                                                  \
	"(select n.created from {from_catalog:ident}.information_schema.schemata n "               \
	"where n.schema_name = {from_schema:literal})"

#define DATABASE_CLONED_AT                                                                         \
	"(select n.created from {from_catalog:ident}.information_schema.databases n "              \
	"where n.database_name = {from_database:literal})"

#define RAISE_WITH_NAMES(BEHIND)                                                                   \
	"select to_number(case when q.n = 0 then '1' else '" DIALECT_RAISED_CONFLICT " ' "         \
	"|| q.names || {message:literal} end) from (select count(*) as n, "                        \
	"listagg(w.s || '.' || w.i, ', ') as names from (values {names:names}) as w (d, s, i) "    \
	"" BEHIND ") q"

#define TABLES_WRITTEN(SINCE)                                                                      \
	RAISE_WITH_NAMES("join {catalog:ident}.information_schema.tables t "                       \
			 "on t.table_schema = w.s and t.table_name = w.i "                         \
			 "where t.last_altered > " SINCE)

#define OTHERS_REPLACED(SINCE)                                                                     \
	RAISE_WITH_NAMES("join {catalog:ident}.information_schema.object_privileges p "            \
			 "on p.object_schema = w.s and p.object_name = w.i "                       \
			 "and lower(p.object_type) = w.d and p.privilege_type = 'OWNERSHIP' "      \
			 "where p.created > " SINCE)

/* The clone would hand out numbers that the original has handed out. */
#define SEQUENCES_USED                                                                             \
	RAISE_WITH_NAMES(                                                                          \
		"join {catalog:ident}.information_schema.sequences t "                             \
		"on t.sequence_schema = w.s and t.sequence_name = w.i "                            \
		"join {from_catalog:ident}.information_schema.sequences f "                        \
		"on f.sequence_schema = case {from_schema:literal} when '' then w.s "              \
		"else {from_schema:literal} end and f.sequence_name = w.i "                        \
		"where w.d = 'sequence' and (t.next_value::number(38, 0) - "                       \
		"f.next_value::number(38, 0)) * sign(t.\"INCREMENT\"::number(38, 0)) > 0")

/* --- before the build --- */

static int check_replaced(const struct push *p, const struct publish_container *c)
{
	const struct snowflake_check from = { .seen = c->from_seen->seen, .is_now = true };
	bool marked = marker_is_ours(c->from_seen->comment);

	if (snowflake_push_check(
		    p, &c->from, &from, "got or lost something after it was looked at",
		    snowflake_either(&c->from, SNOWFLAKE_CONTAINER_IS, SNOWFLAKE_DATABASE_IS)) < 0)
		return -1;
	if (marked)
		return 0;
	return snowflake_push_check(
		p, &c->from, &from,
		"may hold what another role made, which this role does not see, and would be "
		"replaced: drop it once",
		snowflake_either(&c->from,
				 SNOWFLAKE_RAISE_UNLESS(NOTHING_HIDDEN, DIALECT_RAISED_CONFLICT),
				 SNOWFLAKE_RAISE_UNLESS(NOTHING_HIDDEN_IN_DATABASE,
							DIALECT_RAISED_CONFLICT)));
}

static struct relation place_in(const struct relation *container,
				const struct container_object *object)
{
	return (struct relation) { container->database,
				   snowflake_is_database(container) ? object->schema
								    : container->schema,
				   object->identifier };
}

static int push_object(const struct push *p, const struct relation *container,
		       const struct container_object *object, const char *text)
{
	const struct relation place = place_in(container, object);
	const struct sql_arg args[] = {
		SQL_ARG_STATEMENT("kind", object->kind),
		SQL_ARG_RELATION("it", &place),
	};

	return dialect_push_text(p->statements, p->dialect, text, args, ARRAY_LEN(args), p->err);
}

int snowflake_push_clone(const struct push *p, const struct publish_container *c)
{
	if (c->from_seen && check_replaced(p, c) < 0)
		return -1;
	return snowflake_push_container(
		p, &c->from, NULL, &c->to,
		c->to_seen->is_transient
			? "create or replace transient {kind:statement} {it} clone {name}"
			: "create or replace {kind:statement} {it} clone {name}");
}

/* When it says whose it is: what stops here is replaced by the next deployment. */
int snowflake_settle_clone(const struct push *p, const struct publish_container *c)
{
	const struct snowflake_check to = { .seen = c->to_seen->altered, .is_now = true };

	for (size_t i = 0; i < c->left_out_count; i++)
		if (push_object(p, &c->from, c->left_out[i],
				"drop {kind:statement} if exists {it}") < 0)
			return -1;
	return snowflake_push_check(p, &c->to, &to,
				    "was changed by somebody else while it was cloned",
				    SNOWFLAKE_RAISE_UNLESS(NOT_ALTERED, DIALECT_RAISED_CONFLICT));
}

/* --- before the exchange --- */

static bool is_in_tables(const struct container_object *object)
{
	return strstr(object->kind, "table") || strstr(object->kind, "view");
}

/* Of the tables and views among them, or of the others: kind, schema, name. */
static size_t list(const struct publish_container *c, bool of_tables, struct relation *names)
{
	size_t n = 0;

	for (size_t i = 0; i < c->foreign_count; i++) {
		const struct container_object *object = c->foreign[i];

		if (object->identifier && is_in_tables(object) == of_tables)
			names[n++] = (struct relation) { object->kind, object->schema,
							 object->identifier };
	}
	return n;
}

static int push_unchanged(const struct push *p, const struct publish_container *c,
			  const struct relation *names, size_t n, const char *message,
			  const char *text)
{
	const struct sql_arg args[] = {
		SQL_ARG_NAMES("names", names, n),
		SQL_ARG_IDENT("catalog", c->to.database),
		SQL_ARG_IDENT("from_catalog", c->from.database),
		SQL_ARG_LITERAL("from_database", c->from.database),
		SQL_ARG_LITERAL("from_schema", c->from.schema),
		SQL_ARG_LITERAL("message", message),
	};

	return n == 0 ? 0
		      : dialect_push_text(p->statements, p->dialect, text, args, ARRAY_LEN(args),
					  p->err);
}

int snowflake_check_clone(const struct push *p, const struct publish_container *c)
{
	const struct snowflake_check to = { .seen = c->altered, .is_now = true };

	static const char changed[] = " (production) was changed after it was cloned into staging";
	struct relation *names = mem_alloc((c->foreign_count + 1) * sizeof(*names));
	size_t n = list(c, true, names);
	int result = 0;

	if (c->altered && !snowflake_is_swapped(c))
		result = snowflake_push_check(
			p, &c->to, &to, "was written or changed after it was looked at",
			SNOWFLAKE_RAISE_UNLESS(NOT_ALTERED, DIALECT_RAISED_CONFLICT));
	if (result == 0 && c->is_cloned && !snowflake_is_swapped(c)) {
		result = push_unchanged(p, c, names, n, changed,
					snowflake_either(&c->to, TABLES_WRITTEN(CLONED_AT),
							 TABLES_WRITTEN(DATABASE_CLONED_AT)));
		n = list(c, false, names);
		if (result == 0)
			result = push_unchanged(
				p, c, names, n, changed,
				snowflake_either(&c->to, OTHERS_REPLACED(CLONED_AT),
						 OTHERS_REPLACED(DATABASE_CLONED_AT)));
		if (result == 0 && snowflake_has_kind(c, "sequence"))
			result = push_unchanged(
				p, c, names, n,
				" (production) was used after it was cloned into staging",
				SEQUENCES_USED);
	}
	free(names);
	return result;
}

bool snowflake_has_kind(const struct publish_container *c, const char *kind)
{
	for (size_t i = 0; i < c->foreign_count; i++)
		if (strcmp(c->foreign[i]->kind, kind) == 0)
			return true;
	return false;
}

/* --- behind the exchange --- */

/* One that reads another is younger than that, and goes on only when that does. */
static int resume_dynamic(const struct push *p, const struct publish_container *c)
{
	size_t last = 0;

	for (size_t i = 0; i < c->foreign_count; i++)
		if (c->foreign[i]->runs_nth > last)
			last = c->foreign[i]->runs_nth;
	for (size_t nth = 1; nth <= last; nth++)
		for (size_t i = 0; i < c->foreign_count; i++)
			if (c->foreign[i]->runs_nth == nth &&
			    push_object(p, &c->to, c->foreign[i],
					"alter dynamic table {it} resume") < 0)
				return -1;
	return 0;
}

int snowflake_resume_clone(const struct push *p, const struct publish_container *c)
{
	for (size_t i = 0; c->is_cloned && i < c->foreign_count; i++)
		if (c->foreign[i]->clusters &&
		    push_object(p, &c->to, c->foreign[i], "alter table {it} resume recluster") < 0)
			return -1;
	return c->is_cloned ? resume_dynamic(p, c) : 0;
}
