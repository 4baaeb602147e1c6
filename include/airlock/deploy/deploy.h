/*
 * deploy: the phases of one deployment, from the parse of both sides to the unlocked end.
 *
 * Life cycle: deploy_open() reads the project and the configuration and finds dbt;
 *             deploy_routes(), deploy_plan() or deploy_run() as often as once; deploy_close().
 * Errors:     *err carries what became of production (err->production) and the exit status.
 */
#ifndef AIRLOCK_DEPLOY_DEPLOY_H
#define AIRLOCK_DEPLOY_DEPLOY_H

#include <jansson.h>
#include <stdbool.h>

#include "airlock/base/err.h"
#include "airlock/dbt/cmdline.h"
#include "airlock/deploy/audit.h"
#include "airlock/deploy/config.h"
#include "airlock/deploy/observed.h"
#include "airlock/deploy/plan.h"
#include "airlock/deploy/report.h"
#include "airlock/deploy/route.h"

struct deploy;
struct deploy_result;

/* What hooks read of the deployment so far; a new reference. `err` may not be set. */
typedef json_t *deploy_document_fn(const void *context, const struct deploy_result *result,
				   const struct err *err);

/* What the command line says: all borrowed for the life of the deploy. */
struct deploy_request {
	const char *what;      /* the word behind the verb: strategy or deployment; NULL */
	struct config *config; /* holds the command line's values; completed by deploy_open() */
	const struct cmdline *cmdline;  /* dbt's options from behind `--` */
	const struct strv *environment; /* as airlock was started with */
	const char *self;               /* path of this program */
	struct reporter *reporter;
	deploy_document_fn *document; /* NULL: hooks read an empty object */
	const void *document_context;
	bool replaces_build;   /* of dbt: what it leaves out must be accepted (not_refreshed) */
	const char *artifacts; /* where such a build leaves what it wrote; NULL: nowhere */
	bool ask;              /* ask before anything is built */
	bool builds_nothing;   /* test what staging holds, and publish it */
	bool is_recorded;      /* the config is whole: neither environment nor project add to it */
};

struct deploy *deploy_open(const struct deploy_request *request, struct err *err); /* or NULL */
void deploy_close(struct deploy *deploy);

/* Parses the sides and resolves. The result belongs to the deploy. */
int deploy_routes(struct deploy *deploy, const struct routes **ret_routes, struct err *err);

/* What is known so far, for people: {"project", "dbt", "from", "to", "profile", "strategy",
 * "dbt_version", "adapter", "scope", "user", "database", "warehouse", "restores"}; a new reference.
 * `restores` are the restore points of the history: null until a deployment made it, or when not
 * asked for. */
json_t *deploy_about(const struct deploy *deploy);

/* Reads the warehouse too; writes nothing to it. */
int deploy_plan(struct deploy *deploy, const struct plan **ret_plan,
		const struct routes **ret_routes, struct err *err);

enum deploy_outcome {
	DEPLOY_FAILED = 0, /* before the publish: production untouched */
	DEPLOY_BLOCKED,    /* by a test or a failing node: production untouched */
	DEPLOY_PUBLISHED,
	DEPLOY_UNKNOWN,
	DEPLOY_SKIPPED, /* somebody else holds the lock, and if_locked is skip: nothing was done */
	DEPLOY_UNFINISHED,  /* it still runs: what before_publish sees */
	DEPLOY_ABORTED,     /* by deploy_abort(): production untouched, or put back */
	DEPLOY_ROLLED_BACK, /* published, found to be bad, and put back: production as it was */
};

struct deploy_published {
	const struct route *route;
	const char *way; /* publish_way_name() */
	bool is_view;
	long long rows;
	const char *restore; /* display of the restore relation; NULL: none */
};

struct deploy_result {
	char id[32];
	const char *strategy; /* of what was deployed: of a resume or of `publish ID` the recorded
				 one */
	enum deploy_outcome outcome;
	bool production_changed;
	const char *skipped;         /* why, in words; NULL unless the outcome is that */
	const struct audit *audit;   /* NULL before the audit */
	const struct routes *routes; /* NULL before the parse */
	const struct deploy_published *published;
	size_t published_count;
	const struct deploy_published *publishing; /* while `before_publish` runs: what is to be */
	size_t publishing_count;
	size_t restores_dropped;      /* restore points that were expired */
	const struct plan *refreshed; /* of the raw layer: what kept its copy; NULL: no refresh */
	const struct strv
		*rest;       /* names to exclude from a publish of what is good; NULL: none is */
	bool can_publish;    /* what is good alone is more than nothing */
	bool can_retry;      /* and dbt retry can build the others */
	bool is_partly;      /* it stopped between two tables, and is resumed */
	bool can_abort;      /* or put back, from its restore points */
	const char *settled; /* what a resume or abort found and did, in words; NULL: a run */
	unsigned dbt_starts;
	double seconds;
};

const char *deploy_outcome_name(enum deploy_outcome outcome);

/* *ret_result is written on success and on failure alike; it belongs to the deploy. */
int deploy_run(struct deploy *deploy, const struct deploy_result **ret_result, struct err *err);

/* Puts production back to the restore points of a deployment: `id`, or (NULL) the newest that was
 * not taken back. Errors: ERR_CONFLICT when production is no longer what that deployment left. */
int deploy_rollback(struct deploy *deploy, const char *id, const struct deploy_result **ret_result,
		    struct err *err);

/* Lists what deployments left, and drops what is expired when `confirm` says so of the list.
 * *ret_document (a new reference, NULL when nothing could be listed) is written on failure too:
 * {"restore_points", "expired", "expired_bytes", "side_tables", "side_copies", "unfinished",
 * "spent_locks", "directories", "held_by"}, and when it dropped "outcome", "dropped", "removed",
 * "released" and "failed".
 * Errors: ERR_LOCKED, ERR_GC_FAILED when one of them could not be dropped. */
typedef bool deploy_gc_confirm(void *context, const json_t *document);
int deploy_gc(struct deploy *deploy, deploy_gc_confirm *confirm, void *context,
	      json_t **ret_document, struct err *err);

/*
 * Side copies of the sources, each compared with the last good copy, and the good ones exchanged
 * with them in one transaction. ERR_MIRROR_KEPT when some kept theirs: result->refreshed names
 * them.
 */
int deploy_mirror_refresh(struct deploy *deploy, const struct deploy_result **ret_result,
			  struct err *err);

/*
 * The raw layer. Writes a model for each source of the project that has none, and a schema file;
 * no file is overwritten. *ret_document (a new reference): {"written": [path], "left": [{"path",
 * "why"}], "mirrored": [{"source", "model"}], "diff"}, the diff being what the models above would
 * change. ERR_SCOPE_EMPTY without sources.
 */
int deploy_mirror_generate(struct deploy *deploy, json_t **ret_document, struct err *err);

/*
 * Only reads. *ret_document (a new reference): {"version", "mirror": [{"unique_id", "relation",
 * "source", "deployment", "refreshed_at", "age_s", "rows" (of the last good copy; these four are
 * null without one), "state" ("good", or why a refresh would keep it), "source_rows" (or null),
 * "why"}]}.
 */
int deploy_mirror_status(struct deploy *deploy, json_t **ret_document, struct err *err);

/* A lock of a deployment that will not give it back. */
struct deploy_unlock {
	size_t n;           /* how many containers it holds */
	bool is_certain;    /* it is dead, or its lease has ended */
	const char *holder; /* in words; NULL when n is 0 */
	/* After deploy_unlock(): */
	const char *const *containers;
	const char *outcome; /* that of the deployment, as history.h has it */
};

/* What it holds. ERR_LOCKED when its process is alive here, ERR_DEPLOYMENT_UNKNOWN. */
int deploy_unlock_find(struct deploy *deploy, const char *id, struct deploy_unlock *ret_unlock,
		       struct err *err);
/* Settles the deployment that was found and releases what it holds. */
int deploy_unlock(struct deploy *deploy, const char *id, struct deploy_unlock *unlock,
		  struct err *err);

/* Who holds the staging locks that a plan was made beside: [{"container", "id", "name", "user",
 * "host", "pid", "since", "phase", "expires", "state": held | dead | expired, "holder": in words}].
 * Borrowed; after deploy_plan(). */
const json_t *deploy_locks(const struct deploy *deploy);

/*
 * A deployment that did not come to its end: `id`, or (NULL) the only one. What was published gets
 * its end; what was tested is published, if staging still holds just that; before that it is run
 * again with the recorded options, under the same id. That a deployment has ended is success if it
 * was published. Errors: ERR_LOCKED: it still runs; ERR_NOT_RESUMABLE: it ended without a publish;
 * ERR_CONFLICT: staging changed after the tests.
 */
int deploy_resume(struct deploy *deploy, const char *id, const struct deploy_result **ret_result,
		  struct err *err);

/* The other way out: its end is recorded, its lock released. ERR_ALREADY_PUBLISHED when it is too
 * late for that. A rebuild that stopped on its way, also one that has ended so (`id` NULL: the
 * newest), is rolled back: production is what it was before; errors as of deploy_rollback(). */
int deploy_abort(struct deploy *deploy, const char *id, const struct deploy_result **ret_result,
		 struct err *err);

/*
 * A deployment that failed behind a build: what of it was built, tested, and is behind no failure
 * is published as staging holds it; with `retries`, after `dbt retry` of the rest. It is a
 * deployment of its own, with the options that were recorded, over which go those that the command
 * line gives now. Errors: ERR_CONFLICT: staging or production changed since; ERR_BUILD_INCOMPLETE
 * names what of the scope is not good; ERR_NOT_RESUMABLE.
 */
int deploy_rest(struct deploy *deploy, const char *id, bool retries,
		const struct deploy_result **ret_result, struct err *err);

/* The deployments that the log of the warehouse holds, newest first, as history.h shapes them; of
 * one id: that one, or ERR_DEPLOYMENT_UNKNOWN. A new reference, NULL with *err set. */
json_t *deploy_history(struct deploy *deploy, const char *id, struct err *err);

#endif
