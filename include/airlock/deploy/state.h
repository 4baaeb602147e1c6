/*
 * state: lock, fence and history as tables of the warehouse. This file decides what they mean;
 * it makes statements and reads answers, and runs nothing.
 *
 * In the schema `airlock` of the database that publishes: `airlock_log` (id, logged_at, event,
 * detail) and one table `airlock_lock_<hash>` per container (a schema that the build writes or the
 * publish changes), with one row: fence, nonce of the holder ('' when free), who that is, what it
 * does (begin, build, audit, publish) and, by the clock of the warehouse, until when it is to be
 * left alone. A lock is held if one row exists and holds our nonce when read back by a later
 * statement. One lock after the other is taken, each only behind the one before it, so that of two
 * that want the same ones somebody always gets on.
 *
 * Events of the log: begun (with the locks: who, and what it takes to do the same again), intent
 * (before production changes: what was tested), published and objects (in the publishing
 * transaction), finished, aborted (production was not changed); resumed, by whom, as often as that
 * happened.
 *
 * Life cycle: state_init(), state_push_*(), state_release().
 */
#ifndef AIRLOCK_DEPLOY_STATE_H
#define AIRLOCK_DEPLOY_STATE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "airlock/base/err.h"
#include "airlock/base/mem.h"
#include "airlock/base/strv.h"
#include "airlock/deploy/route.h"
#include "airlock/warehouse/dialect.h"

#define STATE_SCHEMA "airlock"
#define STATE_RESTORE_SCHEMA "airlock_restore"
#define STATE_STAGE "airlock_stage_" /* <id>_<number>, in the schema of the state */
#define STATE_BEGUN "begun"
#define STATE_INTENT "intent"
#define STATE_RESUMED "resumed"
#define STATE_PUBLISHED "published"
#define STATE_FINISHED "finished"
#define STATE_ABORTED "aborted"
#define STATE_GRANTS "grants"            /* what dbt will take away is recorded */
#define STATE_GRANTED "granted"          /* and given back */
#define STATE_EXPIRED_BY_DEPLOY "deploy" /* who dropped a restore point */

/* A schema that a swap took out of production: <schema>__airlock_<id>. */
#define STATE_DEMOTED "__airlock_"
#define STATE_ID_SIZE 21

struct state_container {
	const char *name; /* database.schema, for people */
	bool is_production;
	struct relation lock;
};

struct state {
	struct arena arena;
	const struct dialect *dialect;
	struct relation schema; /* database and schema of the state tables */
	struct relation log;
	struct state_container *containers; /* sorted by name: staging first, then production */
	size_t n;
	size_t staging_count;
	size_t held_count; /* of them, those that are held from begin to finish */
	const char *begun; /* JSON; NULL: not known yet, printed as <what 'begun' records> */
};

/* Without routes there are no containers: the log alone. */
void state_init(struct state *state, const struct dialect *dialect, const char *database,
		const struct routes *routes);
/* Production is held from the beginning too: of a strategy that copies it. */
void state_hold_production(struct state *state);
/* Of a deployment of which the log says what it held: those containers, as staging. */
void state_init_names(struct state *state, const struct dialect *dialect, const char *database,
		      const json_t *names);
void state_release(struct state *state);

/* What the event `begun` says. */
void state_set_begun(struct state *state, const json_t *detail);
/* The containers that are held, by name. A new reference. */
/* Why its locks are taken, for a plan. */
const char *state_lock_reason(const struct state *state);
json_t *state_lock_names(const struct state *state);

/* The tables, where they are missing, and our names in the free ones that are held. */
int state_push_begin(const struct state *state, struct strv *statements, struct err *err);
/* One query for each lock that is held. */
int state_push_read(const struct state *state, struct strv *queries, struct err *err);
/* A query that brings a row while they are held, for guarded ones behind it (ops.h): each is taken
 * behind the one before it, so the last speaks for all. */
int state_push_held(const struct state *state, struct strv *queries, struct err *err);
/* The lock tables that there are, of whatever deployments. */
int state_push_list(const struct state *state, struct strv *queries, struct err *err);
/* What each staging lock says of its holder's doing, and a new lease; an error if it is lost. */
int state_push_phase(const struct state *state, const char *phase, struct strv *statements,
		     struct err *err);
/* First in the publishing transaction. */
int state_push_fences(const struct state *state, struct strv *statements, struct err *err);
/* Without a transaction, in front of each change: one query that raises unless they are held. */
int state_push_guard(const struct state *state, struct strv *statements, struct err *err);
/* `detail` NULL: not known yet, printed as <what the event records>. */
int state_push_log(const struct state *state, const char *event, const json_t *detail,
		   struct strv *statements, struct err *err);
/* The same if the lock is still ours, and unless the end, or just this, was recorded. */
int state_push_log_held(const struct state *state, const char *event, const json_t *detail,
			struct strv *statements, struct err *err);
/* Which objects stand under these names, as the event `objects`. */
int state_push_objects(const struct state *state, const struct relation *relations, size_t n,
		       struct strv *statements, struct err *err);
/* Owners and privileges of what stands under these names, as the event `grants`; of those in
 * `configured` ([["schema", "identifier"], ..]) the project sets the privileges of the whole. Then
 * what deployment `of` (NULL: this one) recorded, given back. Nothing where there are none. */
int state_push_grants_keep(const struct state *state, const struct relation *relations, size_t n,
			   const json_t *configured, struct strv *statements, struct err *err);
int state_push_grants_back(const struct state *state, const char *of, struct strv *statements,
			   struct err *err);
/* When what is in a container was last written, as an event `altered`. */
int state_push_altered(const struct state *state, const struct relation *container,
		       struct strv *statements, struct err *err);
/* What the restore points are, as the event `restores`; `detail` NULL: not known yet. */
int state_push_asides(const struct state *state, const json_t *detail, struct strv *statements,
		      struct err *err); /* the same of what an exchange puts aside */
int state_push_restores(const struct state *state, const json_t *detail, struct strv *statements,
			struct err *err);
/* The events of one deployment, or of all (NULL), oldest first. */
int state_push_history(const struct state *state, const char *id, struct strv *queries,
		       struct err *err);
/* Every table in the restore schema, with what the history says of it. */
int state_push_restore_list(const struct state *state, struct strv *queries, struct err *err);
/* What crashed deployments may have left: lock tables, side tables, deployments without an end. */
int state_push_left(const struct state *state, struct strv *queries, struct err *err);
/* Lock tables by name, as containers of production: of whatever project they are. */
void state_add_locks(struct state *state, const struct strv *names);
int state_push_read_all(const struct state *state, struct strv *queries, struct err *err);
int state_push_release(const struct state *state, struct strv *statements, struct err *err);
/* The locks of production that are not held from the beginning, where they have our name. */
int state_push_release_production(const struct state *state, struct strv *statements,
				  struct err *err);
/* Waits for a publish that may still run, then raises the fence. */
int state_push_raise(const struct state *state, struct strv *statements, struct err *err);
/* Nothing where the dialect has no tags. */
int state_push_tag(const struct state *state, struct strv *statements, struct err *err);
int state_push_running(const struct state *state, struct strv *queries, struct err *err);
int state_push_cancel(const struct state *state, const char *job, struct strv *statements,
		      struct err *err);
int state_push_probe(const struct state *state, struct strv *queries, struct err *err);

/* A lock as it was read back. Strings belong to the answer. */
struct state_lock {
	const struct state_container *container;
	json_int_t fence;
	const char *nonce; /* "" free */
	const char *id, *name, *user, *host, *boot, *start, *since, *phase;
	const char *expires; /* of its lease; "" without one */
	json_int_t pid;
	bool expired;
	bool published; /* the holder's deployment has published */
};

/* What the row says of the holder; `container` stays NULL. */
void state_lock_of(const json_t *row, struct state_lock *ret_lock);
char *state_holder(const struct state_lock *lock); /* in words, for messages; free() it */

int state_read_lock(const struct state *state, size_t i, const json_t *rows,
		    struct state_lock *ret_lock, struct err *err);
/* Statement that takes the lock of a holder that is dead, exactly as it was seen, and records the
 * end of its deployment: finished if it has published, else aborted. Not `dead_for_sure`: only if
 * its lease has still ended. */
int state_push_take(const struct state *state, const struct state_lock *seen, bool dead_for_sure,
		    const json_t *detail, struct strv *statements, struct err *err);
/* The same for the same deployment, by binds with another nonce; nothing is recorded. It waits for
 * a publish that the server may still be ending. */
int state_push_resume(const struct state *state, const struct state_lock *seen, bool dead_for_sure,
		      struct strv *statements, struct err *err);
/* Takes the lock i if it is free. */
int state_push_acquire(const struct state *state, size_t i, struct strv *statements,
		       struct err *err);
/* ERR_LOCKED that names the holder. Returns -1. */
int state_locked_error(const struct state_lock *lock, struct err *err);

#endif
