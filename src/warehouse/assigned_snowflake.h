/*
 * assigned_snowflake: the policies and tags of a table or view and of its columns, as GET_DDL says
 * them. Whoever may not see which policy or tag it is reads "#UNKNOWN_POLICY" or "#UNKNOWN_TAG".
 *
 * Life cycle: assigned_from_ddl(), then read-only; assigned_release().
 * Errors:     ERR_NO_ANSWER for a text that is not understood.
 */
#ifndef AIRLOCK_WAREHOUSE_ASSIGNED_SNOWFLAKE_H
#define AIRLOCK_WAREHOUSE_ASSIGNED_SNOWFLAKE_H

#include "publish_snowflake.h"

struct assignment {
	char *kind;   /* "MASKING POLICY", "ROW ACCESS POLICY", .., "TAG" */
	char *column; /* as it is stored; NULL: of the whole table */
	char *name;   /* SQL: GOV.POLICIES."hide"; NULL: this role may not see it */
	char *with;   /* "USING (A, B)", "ON (A)" or ""; of a tag its value */
};

struct assigned {
	struct assignment *items;
	size_t n;
	size_t cap;
	struct strv columns;
};

int assigned_from_ddl(const char *ddl, struct assigned *ret_assigned, struct err *err);
void assigned_release(struct assigned *assigned);

/* The schema that it is in; a relation without identifier. free() both. */
struct relation assignment_schema(const struct assignment *one);

/* What production's has and the new one can be given, or has already; refused by name otherwise. */
int snowflake_check_assigned(const struct publish_table *table, struct err *err);
/* Gives `on`, the new table or a clone of it, what production's has and it has not. */
int snowflake_push_assigned(const struct push *p, const struct publish_table *t,
			    const struct relation *on);

#endif
