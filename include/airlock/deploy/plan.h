/*
 * plan: the ordered steps of one deployment and the reason for each; what is printed is what
 * is run.
 *
 * Life cycle: plan_init(), plan_add_step() and friends, then read-only; plan_release().
 * Ownership:  text is copied into the plan.
 * Binds:      statements hold binds and undecided values (sql.h); plan_show() prints them.
 */
#ifndef AIRLOCK_DEPLOY_PLAN_H
#define AIRLOCK_DEPLOY_PLAN_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "airlock/base/buf.h"
#include "airlock/base/mem.h"
#include "airlock/base/strv.h"
#include "airlock/deploy/restore.h"
#include "airlock/deploy/route.h"

enum step_kind {
	STEP_OPERATION = 1, /* statements, each committed on its own */
	STEP_TRANSACTION,   /* statements that commit together */
	STEP_DBT,           /* a dbt command */
	STEP_CHECK,         /* something airlock judges itself */
	STEP_HOOK,          /* a command of the user's */
	STEP_FILE,          /* what airlock does with a file itself; `command` shows it */
};

struct step {
	const char *id;    /* "lock", "build", "audit", "publish", "finish": unique, stable */
	const char *phase; /* observe, prepare, build, audit, publish, finish */
	enum step_kind kind;
	const char *reason;
	struct strv command; /* STEP_DBT: arguments without dbt's own path; STEP_HOOK: all of it */
	struct strv sql;     /* statements */
	size_t of_session;   /* so many of them, at the front, set something of the session */
	struct statement_chains chains; /* of the statements, what may run side by side */
	bool changes_production;
	bool idempotent;   /* may be done again when its outcome is not known */
	const char *probe; /* a statement that answers {"published": bool}; NULL */
	const char *undo;  /* in words: what takes it back */
};

/* How one table of the scope is published. */
struct plan_table {
	const struct route *route;
	enum publish_way way;
	const char *reason;
	bool replaces;           /* production has one */
	struct relation restore; /* where the replaced rows go; identifier NULL: nowhere */
	bool restore_is_copy;
	const char *view; /* the text that it gets; NULL: it is no view, or is removed */
};

/* What staging gets from production before the build. */
struct plan_copy {
	const struct route *route;
	enum publish_way way;
	const char *reason;
};

/* What no node makes and staging has from the clone with which it begins. */
struct plan_cloned {
	const char *kind;
	const char *name;  /* "schema.name" */
	const char *from;  /* the database it is in */
	const char *to;    /* the container that begins as a clone */
	bool is_suspended; /* until it is production */
};

/* What keeps its last good copy, and why. */
struct plan_kept {
	const struct route *route;
	const char *state; /* missing, unreadable, stale, failing, empty, shrunk */
	const char *why;
};

/* How often a publish changes the metadata of one table or dataset of production. */
struct plan_update {
	const char *of; /* as messages name it */
	size_t n;
};

struct plan {
	struct arena arena;
	const char *strategy;
	const char *from;
	const char *to;       /* NULL without */
	const char *from_env; /* names of the variables that a side has of its own: "A, B" */
	const char *to_env;
	const struct dialect *dialect;
	const char *conflict;        /* how changes by others are noticed, before the publish */
	const char *conflict_unseen; /* which are not */
	bool atomic;                 /* readers see the old set or the new set */
	struct step **steps;
	size_t step_count;
	size_t step_cap;
	struct plan_table *tables; /* sorted by where they are published */
	size_t table_count;
	struct plan_copy *copies;
	size_t copy_count;
	struct plan_cloned *cloned; /* NULL: staging does not begin as a clone */
	size_t cloned_count;
	struct plan_kept *kept; /* NULL: it is no refresh */
	size_t kept_count;
	const struct route **reads; /* from production, by the build */
	size_t read_count;
	struct restore_list
		restores;            /* those of its relations, judged; what it uses is not in it */
	struct plan_update *updates; /* where the service limits them; NULL elsewhere */
	size_t update_count;
	struct strv warnings;
	struct strv disarms; /* behind these no statement of the publish finds what it publishes */
};

void plan_init(struct plan *plan);
void plan_release(struct plan *plan);
struct step *plan_add_step(struct plan *plan, const char *id, const char *phase,
			   enum step_kind kind, const char *reason);
const struct step *plan_step(const struct plan *plan, const char *id); /* NULL: none */
const char *step_kind_name(enum step_kind kind);

/* The same statements in the same order, undecided values matching anything. `ret_difference`
 * names the first difference (free() it), NULL when there is none. */
bool plan_same_sql(const struct step *before, const struct step *after, char **ret_difference);

void plan_write_text(const struct plan *plan, const struct routes *routes, struct buf *out);
json_t *plan_json(const struct plan *plan, const struct routes *routes); /* new reference */
json_t *plan_kept_json(const struct plan *plan);  /* of a refresh; a new reference */
json_t *routes_json(const struct routes *routes); /* the array of section "routes" */

#endif
