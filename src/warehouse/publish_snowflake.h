/*
 * publish_snowflake: what publishing table by table and exchanging schemas have in common on
 * Snowflake. Not for others.
 */
#ifndef AIRLOCK_WAREHOUSE_PUBLISH_SNOWFLAKE_H
#define AIRLOCK_WAREHOUSE_PUBLISH_SNOWFLAKE_H

#include "publish_one_by_one.h"

#define SNOWFLAKE_RAISE_UNLESS(CONDITION, BEGINS)                                                  \
	"select to_number(case when " CONDITION " then '1' else '" BEGINS                          \
	" ' || {message:literal} end)"

#define SNOWFLAKE_TABLE_IS                                                                         \
	"(select count(*) from {catalog:ident}.information_schema.tables t "                       \
	"where t.table_schema = {schema:literal} and t.table_name = {identifier:literal} "         \
	"and date_part(epoch_microsecond, t.created)::varchar || '/' "                             \
	"|| date_part(epoch_microsecond, t.last_altered)::varchar = {identity:literal}) = 1"

#define SNOWFLAKE_VIEW_IS                                                                          \
	"(select count(*) from {catalog:ident}.information_schema.views v "                        \
	"where v.table_schema = {schema:literal} and v.table_name = {identifier:literal} "         \
	"and (md5(v.view_definition) = {identity:literal}{or:statement})) = 1"

/* A transient table does not take the place of a permanent one: `what` says why. */
int snowflake_check_transience(const struct publish_table *table, const char *what,
			       struct err *err);
/* A statement about one table, with the arguments of a publish. */
int snowflake_push(const struct push *p, const struct publish_table *t, const char *text);
/* `grants:` of the node, and the comment that production's has; of {to}. */
int snowflake_push_kept(const struct push *p, const struct publish_table *t);
/* Of the set: its containers change places. */
int snowflake_swap(const struct push *p);

#endif
