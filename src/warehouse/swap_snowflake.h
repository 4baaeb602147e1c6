/*
 * swap_snowflake: what the exchange of containers on Snowflake and what the new one gets from
 * production before it (swap_snowflake_carry.c) have in common. Not for others.
 */
#ifndef AIRLOCK_WAREHOUSE_SWAP_SNOWFLAKE_H
#define AIRLOCK_WAREHOUSE_SWAP_SNOWFLAKE_H

#include <string.h>

#include "publish_snowflake.h"

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

#endif
