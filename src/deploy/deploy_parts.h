/*
 * deploy_parts: what deploy.c and deploy_run.c share. Not for others.
 */
#ifndef AIRLOCK_DEPLOY_DEPLOY_PARTS_H
#define AIRLOCK_DEPLOY_DEPLOY_PARTS_H

#include "airlock/base/backoff.h"
#include "airlock/base/fs.h"
#include "airlock/dbt/results.h"
#include "airlock/deploy/deploy.h"
#include "airlock/deploy/executor.h"
#include "airlock/deploy/journal.h"
#include "airlock/deploy/mirror.h"
#include "airlock/deploy/sides.h"
#include "airlock/deploy/state.h"
#include "airlock/deploy/strategy.h"

/* Who runs a deployment, as values of binds. */
enum { DEPLOY_BIND_ID, DEPLOY_BIND_NONCE = 9, DEPLOY_BIND_COUNT = 11 };

/* The compilation that runs beside an operation. */
struct deploy_compiling {
	struct fs_lock folder; /* that it writes into; free when another deployment has it */
	struct strv arguments;
	struct runner_beside beside;
};

struct deploy {
	struct deploy_request request;
	const struct strategy *strategy;
	struct sides sides;
	struct routes routes; /* n is 0 before deploy_routes() */
	struct strv build_select;
	struct observed observed;
	struct plan plan;

	/* Of a run. */
	struct arena arena;
	char id[32];
	struct sql_binding bindings[DEPLOY_BIND_COUNT];
	struct state state;
	struct fs_lock project_lock;
	struct journal journal;
	struct executor executor;
	bool is_run;     /* not a look at what one would do */
	bool unlocks;    /* somebody's lock is broken: it waits for nobody */
	json_t *held;    /* rows of the locks that others hold; NULL: not asked for */
	bool holds_lock; /* rows of the lock tables may hold our nonce */
	bool locked;     /* all of them were read back */
	char *commit;    /* of the project; NULL before a run */
	struct deploy_compiling compiling;
	json_t *compiled;       /* SQL of the views of the scope, by unique_id; NULL without */
	json_t *rolled_back;    /* of a rollback: the deployment that is taken back */
	bool aborts;            /* that one, or `resumed`, is aborted */
	json_t *rebuilt;        /* rows of production when dbt had made it anew; NULL: not read */
	bool failed_verify;     /* and its tests fail there */
	json_t *hooks;          /* what those that ran came to; NULL: none ran */
	bool machine_is_gone;   /* that of the deployment that is resumed: somebody says so */
	json_t *resumed;        /* the record of the deployment that is resumed; NULL: a new one */
	json_t *rest;           /* what a failed build leaves that is good; NULL */
	json_t *basis;          /* the deployment whose build this one publishes; NULL: its own */
	bool retries;           /* what of it failed is built once more */
	struct strv retried;    /* unique_ids of what dbt ran for that */
	char invocation_id[64]; /* of the build */
	size_t command;         /* of several that are the build: which one runs */
	json_t *earlier;        /* rows of the results of those that ran; NULL: none did */
	json_t *phases;         /* name: milliseconds it took; NULL before the first */
	bool mirrors;           /* the raw layer is refreshed, and nothing deployed */
	struct mirror mirror;   /* of that */
	json_t *finish;         /* what the end of this run records; NULL before the audit */
	struct audit audit;
	bool audited;
	const char *from_file; /* that change places: real paths; NULL: none do */
	const char *to_file;
	const char *file_database; /* as dbt calls both */
	struct fs_lock from_lock;  /* held while they do */
	struct fs_lock to_lock;
	struct fs_identity from_identity; /* when they were compared */
	struct fs_identity to_identity;
	int64_t written_ns;    /* when dbt had written its last into them */
	struct observed built; /* the picture that was published */
	struct plan final_plan;
	struct deploy_result result;

	/* Of a resume: the deploy that goes on, with the recorded options. NULL: none. */
	struct deploy *again;
	struct config again_config;
	struct cmdline again_cmdline;
};

/* A picture taken through the connection that publishes; `built` counts rows too. */
int deploy_picture(struct deploy *deploy, const json_t *picture, struct observed *ret_observed,
		   struct err *err);
int deploy_make_plan(struct deploy *deploy, const struct observed *observed, struct plan *ret_plan,
		     struct err *err);
int deploy_check(struct deploy *deploy, struct err *err);
/* deploy_compile.c. The SQL of the views of the scope; no dbt is started when there are none.
 * _beside() lets it begin with the next operation, _collect() takes what came of it then: who goes
 * on waiting must not keep the folder from others. */
void deploy_compile_beside(struct deploy *deploy);
void deploy_compile_collect(struct deploy *deploy);
int deploy_compile(struct deploy *deploy, struct err *err);
void deploy_compile_release(struct deploy *deploy);
/* deploy_lock.c. Where that takes it, the lock of the project; nothing if it is held already. */
int deploy_lock_project(struct deploy *deploy, struct err *err);
void deploy_init_state(struct deploy *deploy); /* by the routes: what is locked */
/* Who we are: the values of the binds. */
void deploy_identify(struct deploy *deploy);
/* The routes must be known: they say what is locked. */
int deploy_start(struct deploy *deploy, struct err *err); /* id, journal, project lock */
int deploy_lock(struct deploy *deploy, struct err *err);  /* and the first picture, `observed` */
/* Whatever stopped it: the end is recorded and the lock released. `failure` NULL: nothing did. */
void deploy_leave(struct deploy *deploy, const struct err *failure);
const char *deploy_bound(const struct deploy *deploy, const char *name); /* value of a bind */
json_t *deploy_who(const struct deploy *deploy); /* for the history; a new reference */

/* deploy_settle.c. Whether a pid of that host, since that boot, in that namespace, is one here. */
bool deploy_can_see(const struct deploy *deploy, const char *host, const char *boot);
/* Whether the process that holds the lock is known to be gone. */
bool deploy_holder_is_dead(const struct deploy *deploy, const struct state_lock *lock);
bool deploy_holder_is_alive_here(const struct deploy *deploy, const struct state_lock *lock);
/* Takes the lock of a dead holder over, and records how its deployment ended. */
int deploy_take_over(struct deploy *deploy, const struct state_lock *seen, struct err *err);
/* Dead holders of production's locks, which a publish asks for only in its transaction: settled,
 * and the locks given back. */
int deploy_settle_production(struct deploy *deploy, bool *ret_settled, struct err *err);

/* deploy_processes.c. Of a dead deployment, what the journal here knows that it started; and what
 * a dead holder of its lock started on this host, from whatever checkout. */
int deploy_end_recorded(const struct deploy *deploy, const char *id, struct err *err);
int deploy_end_started(const struct deploy *deploy, const struct state_lock *lock, struct err *err);

/* deploy_reclaim.c. Of a deployment that may not have come to its end: `id`, or (NULL) the only one
 * that did not. Into `resumed`, and `id`. */
int deploy_read_record(struct deploy *deploy, const char *id, struct err *err);
/* Whether it still runs; ends its processes, takes its locks and reads `resumed` again. From here
 * on nobody but this process can change what the deployment is. Whoever fails before that leaves it
 * as it was: unfinished. `is_resumed`: the log says by whom. */
int deploy_reclaim(struct deploy *deploy, bool is_resumed, struct err *err);

/* deploy_orphans.c. Whether a picture is asked for them too; the question; and its answer: into
 * `routes`, and `observed` is a picture with those that are to go. */
bool deploy_asks_orphans(const struct deploy *deploy);
int deploy_push_published(const struct deploy *deploy, const struct state *state,
			  struct strv *queries, struct err *err);
int deploy_find_orphans(struct deploy *deploy, const json_t *published, struct err *err);

/* deploy_holders.c. The picture of a plan, and in the same operation who holds the locks. */
int deploy_observe_for_plan(struct deploy *deploy, struct err *err);
/* The answers of queries about the catalog, in their order: they belong to the reply. NULL, when it
 * failed, of those that were not reached. Without a lock nothing is waited for. */
int deploy_look(const struct deploy *deploy, const struct strv *queries,
		struct ops_reply *ret_reply, json_t ***ret_rows, struct err *err);

/* deploy_unlock.c. ERR_LOCKED that says how to end the holder, which is alive here. Returns -1. */
int deploy_refuse_running(const struct state_lock *lock, struct err *err);

/* deploy_lease.c. What the lock says of the phase, with a new lease, where the ops begin. */
int deploy_add_phase(struct deploy *deploy, const char *phase, struct ops *ops, struct err *err);
/* The same in a file beside the project, where nobody else can read the database meanwhile. */
int deploy_write_holder(const struct deploy *deploy, const char *phase, struct err *err);
int deploy_begin_build(struct deploy *deploy, struct err *err);
/* executor_run_ops() of a publish, whose lease is renewed meanwhile where it takes its time. */
int deploy_run_publish(struct deploy *deploy, const struct ops *ops, struct ops_reply *ret_reply,
		       struct err *err);

/* Waits for somebody else's lock, as the configuration has it, and says for whom. */
struct deploy_wait {
	struct backoff backoff;
	char *said;
};

void deploy_wait_init(const struct deploy *deploy, struct deploy_wait *wait);
void deploy_wait_release(struct deploy_wait *wait);
/* True: try again, and *err is released. False: it stays, or says that a signal came. */
bool deploy_wait(struct deploy *deploy, struct deploy_wait *wait, struct err *err);

/* deploy_publish.c. What the statements of airlock raised gets its own code; `what` stopped. */
void deploy_name_raised(struct err *err, const char *what);
/* A step of a plan around its doing. */
typedef int deploy_phase_fn(struct deploy *deploy, struct err *err);
int deploy_step(struct deploy *deploy, const struct plan *plan, const char *id, deploy_phase_fn *fn,
		struct err *err);
/* How long a phase took that began at `began` (host_monotonic_ms()); phases add up. */
void deploy_note_phase(struct deploy *deploy, const char *name, int64_t began);
/* Adds "phases_ms" and "dbt_starts" (those so far and `coming` more) to an end that is recorded. */
void deploy_add_figures(const struct deploy *deploy, unsigned coming, json_t *record);
/* The rows of production as they were at the beginning, into `observed`. */
int deploy_count_tables(struct deploy *deploy, struct err *err);
bool deploy_compares_content(const struct deploy *deploy);
/* deploy_prepare.c: the step prepare, and what the build needs besides. */
int deploy_prepare(struct deploy *deploy, struct err *err);
/* deploy_build.c. The steps of the plan that build and test in staging, or test alone. */
int deploy_build(struct deploy *deploy, struct err *err);
/* deploy_artifacts.c. */
int deploy_write_state(struct deploy *deploy, struct err *err); /* for --state of the build */
void deploy_write_artifacts(struct deploy *deploy);             /* for who asked for a dbt build */
void deploy_write_published(struct deploy *deploy);             /* for slim CI */
/* Takes the picture `built`, rows counted. */
int deploy_observe_counted(struct deploy *deploy, struct err *err);
/* Right before dbt rebuilds production: ERR_CONFLICT as deploy_check_rebuilt(). */
int deploy_look_again(struct deploy *deploy, struct err *err);
/* deploy_tested.c. A relation that was tested and the one it replaces, as a picture shows them. */
json_t *deploy_tested_table(const struct deploy *deploy, const struct route *route,
			    const struct observed *picture);
json_t *deploy_intent(const struct deploy *deploy); /* of `final_plan`; a new reference */
const json_t *deploy_find_table(const json_t *tables, const char *unique_id);
/* ERR_CONFLICT naming what is no longer what it was. `recorded` NULL: it was not tested. */
int deploy_compare_tested(const json_t *recorded, const json_t *now, struct err *err);
/* deploy_partly.c, of engines where tables change one by one. Whether this run goes on with a
 * publish that another one began; the picture as that one began with it (a new reference). */
bool deploy_goes_on(const struct deploy *deploy);
bool deploy_may_be_partly(const struct deploy *deploy, const json_t *record);
json_t *deploy_picture_before(const struct deploy *deploy, const json_t *picture);
/* What the intent says for that. */
int deploy_check_at_rest(struct deploy *deploy, struct err *err);
void deploy_note_set(const struct deploy *deploy, json_t *detail);
void deploy_note_before(const struct deploy *deploy, size_t i, json_t *intended); /* plan table i */
/* The relations of the routes as they are, without their rows. */
int deploy_take_picture(struct deploy *deploy, struct observed *ret_observed, struct err *err);
/* Neither replaced nor changed between two pictures; NULL: there is none. */
bool deploy_is_same(const struct table *before, const struct table *now);
/* Of a publish that failed and has no record: says how much of it is done, and leaves it to a
 * resume if that is anything. -1: that cannot be known yet, `unread` says why. */
int deploy_settle_partly(struct deploy *deploy, bool *ret_partly, struct err *err,
			 struct err *unread);
/* deploy_stop.c. Of a publish that stopped between two tables, to be aborted: nothing of it goes
 * on, and what of production is new is recorded, in `resumed` too; nothing where nothing is. */
int deploy_stop(struct deploy *deploy, struct err *err);
/* deploy_stop_checks.c. ERR_CONFLICT when somebody else changed what the publish was to change;
 * `compared` gets the rows of what holds what was to be published, and *ret_begun whether the
 * publish can have changed anything. The routes are those of deploy_stop(): each table with what
 * was to become of it, and behind all of these each with its restore point. */
int deploy_stop_check(struct deploy *deploy, json_t *compared, bool *ret_begun, struct err *err);
/* Those of `tables` are there, and are what they are called. */
int deploy_stop_check_restores(struct deploy *deploy, const json_t *tables,
			       const struct observed *now, struct err *err);
/* ERR_OUTCOME_UNKNOWN when it may have changed production, and nobody can say that it did not. */
int deploy_refuse_partly(const struct deploy *deploy, const json_t *record, struct err *err);
/* deploy_rest.c. A failing build is judged: what of it is good, for the end of this deployment. */
void deploy_note_rest(struct deploy *deploy);
void deploy_add_rest(const struct deploy *deploy, json_t *record);
/* Of a deployment that goes on with what another one built: whether that is still there. */
int deploy_check_rest(const struct deploy *deploy, const struct observed *picture, struct err *err);
void deploy_count_rest(struct deploy *deploy);
/* The results that `dbt retry` goes on from, where it looks for them. */
int deploy_restore_results(const struct deploy *deploy, struct err *err);
int deploy_merge_results(struct deploy *deploy, const struct results_expect *expect,
			 struct results **results, struct err *err);
/* deploy_resume.c. A deploy of its own, with the options that `resumed` has recorded. */
struct deploy *deploy_open_again(struct deploy *deploy, struct err *err);
/* Owners and privileges of what a rebuild that died made anew; a failure is a warning. */
void deploy_give_grants_back(struct deploy *deploy);
/* Of a resumed one: `final_plan` publishes what was tested then, and nothing changed since. */
int deploy_check_tested(const struct deploy *deploy, struct err *err);
/* Production is what the restore points were made of, or what an earlier run of the rebuild made.
 */
int deploy_check_rebuilt(const struct deploy *deploy, const struct observed *now, struct err *err);
/* For an error that says that the outcome is not known. Returns -1. */
int deploy_leave_unknown(struct deploy *deploy, struct err *err);
/* deploy_file.c. The two files of a strategy that exchanges them: ERR_UNSUPPORTED for layouts that
 * cannot. Staging's is attached by its name in statements from here on. */
int deploy_find_files(struct deploy *deploy, struct err *err);
/* The same for the file that deployment `id` put aside. */
int deploy_find_aside(struct deploy *deploy, const char *id, struct err *err);
/* <directory>/<stem>__airlock_<id>.duckdb, of the file that is put aside. free() it. */
char *deploy_aside_path(const char *file, const char *id);
/* deploy_file_publish.c. The steps record, link and publish of `final_plan`, and the end. */
int deploy_publish_file(struct deploy *deploy, struct err *err);
/* deploy_publish.c, for it. */
void deploy_name_publish_failure(struct err *err);
const struct deploy_published *deploy_list_tables(struct deploy *deploy); /* of `final_plan` */
void deploy_list_published(struct deploy *deploy);
/* The step publish of `final_plan`, behind its intent, and finish in the same operation unless a
 * hook is to run between them. */
int deploy_publish(struct deploy *deploy, struct err *err);

/* deploy_hook.c. The step publish of `final_plan`, its hooks around it, and finish. */
int deploy_publish_with_hooks(struct deploy *deploy, struct err *err);
void deploy_after_failure(struct deploy *deploy, const struct err *failure);

/* deploy_signal.c. From here on each signal is answered with what state things are in. */
void deploy_watch_signals(struct deploy *deploy);

/* deploy_history.c. Whether the query failed because nothing was deployed yet, or not for us. */
bool deploy_is_log_missing(const struct err *err);
/* Whoever only looks, and was made to give way by the warehouse, looks again for a while. */
bool deploy_gave_way(const struct deploy *deploy, const struct err *err);
void deploy_begin_looking(struct backoff *backoff);
bool deploy_may_look_again(const struct deploy *deploy, struct backoff *backoff,
			   const struct err *err);
/* Whether production is a file that nobody has made yet. */
bool deploy_is_file_missing(const struct deploy *deploy);

/* deploy_expire.c. One try for each; what became of them is appended to `outcome`, an array of
 * {"relation", "deployment", "of", "bytes", "message" (NULL: dropped)}. */
struct deploy_drops {
	const struct restore_point **points;
	size_t n;
	const struct strv *guards; /* statements in front of each, bound; NULL: none */
	const char *by;
};

void deploy_drop_restores(struct deploy *deploy, const struct deploy_drops *drops, json_t *outcome);
/* Rows of DIALECT_OBSERVE_RESTORES: of the files those that are there, by their own path and size.
 */
void deploy_see_files(json_t *rows);
/* After a publish: what `final_plan` says is expired. Never fails; a warning says what could not
 * be dropped. */
void deploy_expire(struct deploy *deploy);

/* deploy_run.c, deploy_rollback.c. From the lock to the end of the publish. */
int deploy_phases(struct deploy *deploy, struct err *err);
int deploy_rollback_prepare(struct deploy *deploy, const char *id, struct err *err);
int deploy_rollback_phases(struct deploy *deploy, struct err *err);
/* `events`: those of the log, behind the lock. ERR_CONFLICT when somebody has published since. */
int deploy_check_newest(const struct deploy *deploy, const json_t *events, struct err *err);
/* deploy_put_back.c. Production as it was before the rebuild `resumed`, which is to be aborted, or
 * has stopped by itself. */
int deploy_put_back(struct deploy *deploy, struct err *err);

/* deploy_mirror.c. The routes of a refresh; from the lock to the end of the publish. */
int deploy_mirror_prepare(struct deploy *deploy, struct err *err);
int deploy_mirror_phases(struct deploy *deploy, struct err *err);
/* deploy_mirror_checks.c. The steps freshness and test: what is not good is noted. */
int deploy_mirror_check(struct deploy *deploy, struct err *err);
/* Keeps its last good copy, unless --accept names it. */
void deploy_mirror_note(struct deploy *deploy, const struct manifest_node *raw, const char *state,
			const char *why);
/* Whether something was noted. */
bool deploy_mirror_keeps(const struct deploy *deploy, const struct manifest_node *raw);
/* The query which of the sources there are, and whether that of a raw model is in its answer. */
int deploy_mirror_push_existing(struct deploy *deploy, struct strv *queries, struct err *err);
bool deploy_mirror_is_there(const json_t *existing, const struct manifest_node *raw);

/* The way out of a run, good or not: lock, end, figures. Returns `result`. */
int deploy_end(struct deploy *deploy, int64_t began, int result, struct err *err);

/* Whether production's lock is held from the beginning. */
bool deploy_holds_production(const struct deploy *deploy);
/* deploy_rebuild.c. Of strategy wap: production made anew by dbt, and what is checked of it. */
int deploy_rebuild(struct deploy *deploy, struct err *err);
/* deploy_take_back.c. The rows of what was rebuilt, a new reference. Where its tests failed (the
 * error in `err`): back to the restore points, and the error says so, unless somebody else has
 * written it. */
int deploy_read_rebuilt(struct deploy *deploy, json_t **ret_rows, struct err *err);
void deploy_take_back(struct deploy *deploy, struct err *err);
/* A deploy of its own, in `again`, for a rollback with the options of this one. */
struct deploy *deploy_open_rollback(struct deploy *deploy, struct err *err);

/* The database of the connection that publishes; borrowed. */
const char *deploy_database(const struct deploy *deploy);

#endif
