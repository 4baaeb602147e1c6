/*
 * publish_bigquery: what the files of publishing on BigQuery share. Not for others.
 *
 * All return 0, or -1 with *err set.
 */
#ifndef AIRLOCK_WAREHOUSE_PUBLISH_BIGQUERY_H
#define AIRLOCK_WAREHOUSE_PUBLISH_BIGQUERY_H

#include "publish_one_by_one.h"

/* ERR_UNSUPPORTED for a column that would lose its policy tags: no statement sets them. */
int bigquery_check_columns(const struct publish_table *t, struct err *err);
/* What was frozen gets the descriptions that production alone has, a view those of the project too;
 * ERR_UNSUPPORTED for that of a field inside a column, which no statement sets. */
int bigquery_push_descriptions(const struct push *p, const struct publish_table *t);
/* Raises unless `relation` has the policy tags that the published table has. */
int bigquery_push_tags_check(const struct push *p, const struct publish_table *t,
			     const struct relation *relation);
/* Raises unless production has the descriptions that it had and got. */
int bigquery_push_descriptions_check(const struct push *p, const struct publish_table *t);

/* `grants:` of the node, else what production had, is given again; and raises unless that is so. */
int bigquery_push_grants(const struct push *p, const struct publish_table *t);
int bigquery_push_privileges_check(const struct push *p, const struct publish_table *t);

#endif
