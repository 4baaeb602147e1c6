/*
 * swap_snowflake: what the exchange of containers on Snowflake and what the new one gets from
 * production before it (swap_snowflake_carry.c) have in common. Not for others.
 */
#ifndef AIRLOCK_WAREHOUSE_SWAP_SNOWFLAKE_H
#define AIRLOCK_WAREHOUSE_SWAP_SNOWFLAKE_H

#include <string.h>

#include "publish_snowflake.h"
#include "snowflake_aside.h"

#define SNOWFLAKE_SEEN_IS                                                                          \
	"(select md5(coalesce(listagg(m.n || coalesce('/' || m.c, ''), ' ') within group "         \
	"(order by m.n, m.k), '')) from " SNOWFLAKE_MEMBERS(                                       \
		"{catalog:ident}.") "m where m.s = {schema:literal}) = {seen:literal}"

#define SNOWFLAKE_SEEN_IN_DATABASE                                                                 \
	"(select md5(coalesce(listagg(m.s || '.' || m.n || coalesce('/' || m.c, ''), ' ') within " \
	"group (order by m.s || '.' || m.n, m.k), '')) from " SNOWFLAKE_MEMBERS(                   \
		"{catalog:ident}.") "m where m.d = {database:literal} "                            \
				    "and m.s <> 'INFORMATION_SCHEMA') = {seen:literal}"

#define SNOWFLAKE_CONTAINER_IS SNOWFLAKE_RAISE_UNLESS(SNOWFLAKE_SEEN_IS, DIALECT_RAISED_CONFLICT)
#define SNOWFLAKE_DATABASE_IS                                                                      \
	SNOWFLAKE_RAISE_UNLESS(SNOWFLAKE_SEEN_IN_DATABASE, DIALECT_RAISED_CONFLICT)

static inline bool snowflake_is_database(const struct relation *container)
{
	return !*container->schema;
}

/* It has changed places before this process took over. */
static inline bool snowflake_is_swapped(const struct publish_container *c)
{
	return c->from_seen && c->from_seen->is_swapped;
}

static inline bool snowflake_is_view(const struct publish_table *t)
{
	return t->view || t->is_view;
}

static inline bool snowflake_holds(const struct dialect *dialect, const struct relation *container,
				   const struct relation *relation)
{
	return snowflake_is_database(container)
		       ? strcmp(container->database, relation->database) == 0
		       : relation_same_schema(dialect, container, relation);
}

/* The text for a schema, or that for a database. */
static inline const char *snowflake_either(const struct relation *container, const char *of_schema,
					   const char *of_database)
{
	return snowflake_is_database(container) ? of_database : of_schema;
}

/* Staging is built, and what is said of it is so. */
bool snowflake_is_decided(const struct publish_set *set);

struct snowflake_check {
	const char *seen;
	const char *mark;
	const char *pattern;
	bool is_now; /* `seen` is decided before the build */
};

/* Raises "CONTAINER WHAT" unless it is as the check says. */
int snowflake_push_check(const struct push *p, const struct relation *container,
			 const struct snowflake_check *check, const char *what, const char *text);

/* A statement about one, with {kind:statement}, {it}, {name}, {comment:literal}. */
int snowflake_push_container(const struct push *p, const struct relation *container,
			     const char *comment, const struct relation *name, const char *text);
/* "'it' cannot be exchanged: what". Returns -1. */
int snowflake_refuse_swap(const struct push *p, const struct relation *container, const char *what,
			  const char *hint);

/* One role owns it on both sides, and it is one of this session's. */
int snowflake_check_owner(const struct push *p, const struct relation *it, const char *from,
			  const char *to);
int snowflake_check_owned(const struct push *p, const struct relation *it, const char *owner,
			  bool owned);

typedef int container_fn(const struct push *p, const struct publish_container *c);

/* Privileges and settings of production's, on staging's. */
int snowflake_carry(const struct push *p, const struct publish_container *c);

/* swap_snowflake_clone.c */
int snowflake_push_clone(const struct push *p, const struct publish_container *c);
int snowflake_settle_clone(const struct push *p, const struct publish_container *c);
int snowflake_check_clone(const struct push *p, const struct publish_container *c);
int snowflake_resume_clone(const struct push *p, const struct publish_container *c);
bool snowflake_has_kind(const struct publish_container *c, const char *kind);

#endif
