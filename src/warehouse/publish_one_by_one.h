/*
 * publish_one_by_one: a publish where each statement stands alone: the order of it, and what is
 * checked. What is published is frozen first as clones of our own, every restore point is there
 * before the first change, and views come behind all tables. Not for others than the dialects.
 *
 * All append statements and return 0, or -1 with *err set.
 */
#ifndef AIRLOCK_WAREHOUSE_PUBLISH_ONE_BY_ONE_H
#define AIRLOCK_WAREHOUSE_PUBLISH_ONE_BY_ONE_H

#include "airlock/warehouse/dialect_rows.h"

struct one_by_one;

/* One publish on its way to its statements. */
struct push {
	struct strv *statements;
	const struct dialect *dialect;
	const struct publish_set *set;
	const struct one_by_one *how;
	struct err *err;
};

typedef int push_fn(const struct push *p, const struct publish_table *t);

/*
 * What a dialect says. The checks raise {message:literal} unless they hold; they may name
 * {catalog}, {schema:literal} and {identifier:literal} (or {dataset:schema}) of the relation, its
 * {identity:literal}, {to} and {stage}, and with `own_view` {or:statement}.
 */
struct one_by_one {
	const char *table_is;
	const char *view_is;
	const char *nothing_is;
	const char *counts_the_stage;
	/* Of a publish that is resumed; NULL: as above. */
	const char *table_is_or_holds;
	const char *table_is_or_gone; /* of one that is removed */
	const char *view_is_or_gone;
	const char *holds_the_stage;
	const char *own_view; /* the text of production's view is {view:literal} already; or NULL */

	const char *view_reason; /* what becomes of a view that is there, and of a table */
	const char *table_reason;
	int (*check)(const struct publish_table *table, struct err *err);

	int (*push)(const struct push *p, const struct publish_table *t, const char *text);
	const char *freeze; /* a clone {stage} of {from} */
	push_fn *frozen;    /* behind it; NULL: nothing */
	push_fn *restore;   /* a restore point */
	push_fn *table;     /* a table replaced or made */
	push_fn *view;
	push_fn *kept; /* raises unless it kept what it shall; NULL: nothing is compared */
};

/* The checks of a dialect that says RAISE_UNLESS(condition, message) and these conditions:
 * TABLE_IS, VIEW_IS, NOTHING_IS, COUNTS_THE_STAGE, HOLDS_THE_STAGE. */
#define ONE_BY_ONE_CHECKS                                                                          \
	.table_is = RAISE_UNLESS(TABLE_IS, DIALECT_RAISED_CONFLICT),                               \
	.view_is = RAISE_UNLESS(VIEW_IS, DIALECT_RAISED_CONFLICT),                                 \
	.nothing_is = RAISE_UNLESS(NOTHING_IS, DIALECT_RAISED_CONFLICT),                           \
	.table_is_or_gone = RAISE_UNLESS(TABLE_IS " or " NOTHING_IS, DIALECT_RAISED_CONFLICT),     \
	.view_is_or_gone = RAISE_UNLESS(VIEW_IS " or " NOTHING_IS, DIALECT_RAISED_CONFLICT),       \
	.counts_the_stage = RAISE_UNLESS(COUNTS_THE_STAGE, DIALECT_RAISED_COUNT),                  \
	.table_is_or_holds =                                                                       \
		RAISE_UNLESS(TABLE_IS " or " HOLDS_THE_STAGE, DIALECT_RAISED_CONFLICT),            \
	.holds_the_stage = RAISE_UNLESS(HOLDS_THE_STAGE, DIALECT_RAISED_COUNT)

#define ONE_BY_ONE_DROP_IT "drop it in production once, then deploy again"

int one_by_one_choose_way(const struct one_by_one *how, const struct publish_table *table,
			  enum publish_way *ret_way, const char **ret_reason, struct err *err);
int one_by_one_publish(const struct push *push);
int one_by_one_keep(const struct push *push);

/* One of the texts above, about `relation`, which is `table` (NULL: there is none). */
int one_by_one_check(const struct push *p, const struct publish_table *t,
		     const struct relation *relation, const struct table *table, const char *text,
		     const char *what);
/* The locks are ours still: in front of each change. */
void one_by_one_guard(const struct push *p);
/* Production is what it was when it was looked at. */
int one_by_one_check_to(const struct push *p, const struct publish_table *t);
/* Both, in one statement: in front of the change of a table or a view. */
int one_by_one_check_held(const struct push *p, const struct publish_table *t);
int one_by_one_remove(const struct push *p, const struct publish_table *t);

#endif
