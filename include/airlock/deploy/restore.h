/*
 * restore: the restore points that stand in the warehouse, and which of them are expired. Pure.
 *
 * One is ours if the history recorded it (event `restores`), and it is still that table: its
 * comment is the marker that it was given, and its object the one that was recorded. It is expired
 * when at least `keep` of ours are newer for the same relation and it is older than `keep_for`.
 * So the newest one of a relation never is. What is not ours is listed and left alone; so is a
 * schema that was put aside and holds what no deployment made.
 *
 * Life cycle: restore_parse() from the rows of DIALECT_OBSERVE_RESTORES, restore_judge(),
 *             restore_release().
 * Ownership:  texts belong to the list's arena.
 */
#ifndef AIRLOCK_DEPLOY_RESTORE_H
#define AIRLOCK_DEPLOY_RESTORE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "airlock/base/buf.h"
#include "airlock/base/err.h"
#include "airlock/base/mem.h"
#include "airlock/base/strv.h"
#include "airlock/deploy/state.h"

enum restore_state {
	RESTORE_KEPT = 1,
	RESTORE_EXPIRED,
	RESTORE_FOREIGN, /* not ours, see `why` */
};

struct restore_point {
	struct relation relation; /* r_<id>_<number> of the restore schema, or a schema */
	bool is_schema;           /* put aside whole: neither relation nor of have an identifier */
	bool is_snapshot;         /* a kind of its own, which a statement of its own drops */
	const char *file;         /* the same of a file: its path; NULL */
	enum restore_state state;
	const char *going;  /* EXPIRED schema: a list, as JSON, of what expires with it */
	const char *why;    /* FOREIGN: in words */
	const char *id;     /* the deployment; NULL unknown, and so is all that follows */
	int64_t number;     /* of its table */
	struct relation of; /* what it was */
	const char *at;     /* when it was made, UTC */
	int64_t age_s;      /* by the warehouse's clock */
	int64_t rows;
	int64_t bytes;            /* known of every one; an estimate on DuckDB */
	int64_t keep, keep_for_s; /* as the deployment that made it was told */
	int64_t newer;            /* how many of ours the relation has that are newer */
};

struct restore_list {
	struct arena arena;
	struct restore_point *v;
	size_t n;
};

/* NULL in restore_judge(): of each relation what the deployment of its newest one was told. */
struct restore_policy {
	int64_t keep;
	int64_t keep_for_s;
};

int restore_parse(const json_t *rows, const struct dialect *dialect, const char *database,
		  struct restore_list *ret_list, struct err *err);
void restore_release(struct restore_list *list);
/* How many snapshots of a table were made within a day; `rows` may be NULL. */
size_t restore_snapshots(const json_t *rows, const struct dialect *dialect,
			 const struct relation *of);

/* `made`: relations that get a newer one right now, n of them. */
void restore_judge(struct restore_list *list, const struct dialect *dialect,
		   const struct restore_policy *policy, const struct relation *made, size_t n);

/* What is kept and what goes, as a line or two of a plan and in its JSON (a new reference). */
void restore_write_summary(const struct restore_list *list, struct buf *out);
json_t *restore_summary(const struct restore_list *list);

const char *restore_state_name(enum restore_state state);
json_t *restore_json(const struct restore_point *point); /* a new reference */

/* One statement, or a few that commit together: drops it and says so in the history, unless it is
 * no longer what it was. `by` is who did it. A file is removed behind them by who runs them. */
int restore_push_drop(const struct state *state, const struct restore_point *point, const char *by,
		      struct strv *statements, struct err *err);

void restore_write_size(struct buf *out, int64_t bytes); /* "12 kB" */

#endif
