/*
 * publication: what every strategy that publishes tables has in common: the set, its restore
 * points, and the steps lock, build, audit, publish and finish of its plan. Pure.
 *
 * Life cycle: publication_init(), publication_choose_tables() (or fill set.tables from the plan's
 *             arena, publication_sort(), publication_link_routes()), publication_plan_*(),
 *             publication_release().
 */
#ifndef AIRLOCK_DEPLOY_PUBLICATION_H
#define AIRLOCK_DEPLOY_PUBLICATION_H

#include <stdbool.h>

#include "airlock/deploy/state.h"
#include "airlock/deploy/strategy.h"
#include "airlock/warehouse/dialect.h"

struct publication {
	const struct strategy_input *in;
	struct plan *plan;
	struct state state;
	struct publish_set set;
	struct publish_set copies; /* from production into staging */
	/* Dropped in the transaction, behind the publish. */
	const struct relation *spent;
	size_t spent_count;
	bool rebuilds; /* the transaction keeps what there is, and dbt makes production anew */
};

void publication_init(struct publication *w, const struct strategy_input *input, struct plan *plan);
void publication_release(struct publication *w);

/* The tables of the scope: how each gets its new rows, where the old ones go, what is lost.
 * ERR_UNSUPPORTED, ERR_RELATION_MISSING or ERR_SHRUNK for what cannot be published. */
int publication_choose_tables(struct publication *w, struct err *err);

/* publication_orphans.c: those that are dropped, as tables of the set; what stays is warned of, as
 * all are that nobody drops. */
void publication_add_orphans(struct publication *w);
bool publication_is_orphan(const struct publication *w, const struct relation *relation);
void publication_name_orphans(const struct routes *routes, struct plan *plan);

/* The same for one table, without choosing a way. */
int publication_add_table(struct publication *w, const struct route *route, struct err *err);
/* When set.tables is filled: ways, restore points, warnings, views, privileges. */
int publication_settle_tables(struct publication *w, struct err *err);
int publication_push_spent(const struct publication *w, struct strv *statements, struct err *err);
int publication_check_shrinks(const struct publication *w, struct err *err);

/* Of a swap: the containers of the routes with what is known of them, and what each route's
 * relation becomes; ERR_UNSUPPORTED, ERR_CONFLICT for what would be lost. */
int publication_choose_containers(struct publication *w, struct err *err);
void publication_swap_tables(struct publication *w, const char *reason);
/* Whether the step `prepare` makes any of staging's as a clone of production's. */
bool publication_begins_as_clone(const struct publication *w);
/* Records the containers that were put aside and which objects in them deployments made. */
int publication_push_asides(struct publication *w, const struct state *state,
			    struct strv *statements, struct err *err);

/* By where they are published; makes plan->tables for them. */
void publication_sort(struct publication *w);
void publication_link_routes(struct publication *w);
/* Where the rows go that a table of production has now; `number` must be set. */
void publication_choose_restore(const struct publication *w, struct publish_table *t, bool keep);

/* Creates it unless the picture shows that it exists. */
int publication_push_schema(struct publication *w, const struct relation *schema,
			    struct strv *statements, struct err *err);

/* Whether the route's view can be made: its SQL, which must not name what only staging has. */
int publication_take_view(struct publication *w, const struct route *route, const char **ret_view,
			  struct err *err);
/* When ways are chosen: which views of others have to be made again, and the order of all. */
int publication_order_views(struct publication *w, struct err *err);

/* Of a swap where views follow objects: which materialized views outside, which no statement
 * replaces in place, have to be made again, and what reads those. ERR_UNSUPPORTED for what would be
 * lost. */
int publication_find_bound(struct publication *w, struct err *err);

int publication_plan_lock(struct publication *w, struct err *err);
/* What the session that publishes may not do, as far as its picture says: ERR_PRIVILEGE_MISSING
 * with the statements that grant it. */
int publication_check_privileges(const struct publication *w, struct err *err);
int publication_lacks(const char *user, const char *grants, struct err *err);
/* Warns of what is new to production and can be read by its owner alone. */
void publication_warn_unreadable(struct publication *w, const struct publish_table *t);
/* Warns of indexes and constraints that a table made anew cannot take along. */
void publication_warn_lost(struct publication *w, const struct publish_table *t);
/* Warns of permissions of a relation itself that the session cannot read. */
void publication_warn_unread(struct publication *w, const struct publish_table *t);
/* Warns of a table that is dropped before the new one has its name. */
void publication_warn_missed(const struct publication *w, const struct publish_table *t);

/* publication_declared.c: what the project says of row access policies and authorized views, where
 * no statement reads them. Whether its names are nodes, and the warehouse one that has these:
 * ERR_CONFIG_INVALID. */
int publication_check_declared(const struct publication *w, struct err *err);
/* When a way is chosen: ERR_UNSUPPORTED for what would lose them. */
int publication_refuse_declared(struct publication *w, const struct publish_table *t,
				const struct manifest_node *node, struct err *err);
/* Of what the project does not say. A new reference; NULL: nothing. */
void publication_warn_undeclared(struct publication *w);
json_t *publication_not_checked(const struct publication *w);

/* `defer`: dbt's options that say where parents that are not built are read; NULL-ended. */
void publication_plan_build(struct publication *w, const char *reason, const char *const *defer);
void publication_plan_audit(struct publication *w);
/*
 * The user's own commands: `before_publish` and `after_publish` stand around the step publish,
 * `after_failure` behind finish. Each plan step has the name of its option; without the option
 * there is none. ERR_CONFIG_INVALID for a `run-operation` that cannot be read.
 */
int publication_plan_hook(struct publication *w, enum option_id id, struct err *err);

/*
 * publication_copies.c: tables of production that staging begins with. _begin_copies() before the
 * others; of a swap the containers are known. Then what staging has in their place and production
 * has not is removed, so that the build begins anew there too. ERR_UNSUPPORTED for what cannot be.
 */
void publication_begin_copies(struct publication *w);
int publication_add_copy(struct publication *w, const struct route *route, bool full_refresh,
			 struct err *err);
int publication_push_copies(struct publication *w, struct strv *statements, struct err *err);

/* What the history keeps of it, a new reference; NULL before the build. */
json_t *publication_detail(const struct publication *w);
/* publication_file.c: `record`, `link` and `publish` of files that change places. */
int publication_plan_file(struct publication *w, const char *reason, struct err *err);
/* The copies, into the file of staging; through production's connection. */
int publication_push_file_copies(struct publication *w, struct strv *statements, struct err *err);
/* publication_quota.c: of the statements of a publish, and a warning of what is too many at once.
 */
void publication_count_updates(struct publication *w, const struct strv *statements);
int publication_plan_publish(struct publication *w, const char *reason, struct err *err);
/* publication_rebuild.c: of strategy wap. The whole of its restore points; the steps `rebuild`,
 * `grants` and `verify`. */
int publication_keep_tables(struct publication *w, struct strv *statements, struct err *err);
int publication_plan_rebuild(struct publication *w, struct err *err);
int publication_plan_finish(struct publication *w, struct err *err);

#endif
