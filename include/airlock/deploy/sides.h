/*
 * sides: the dbt project as both of its targets see it. Each side is parsed once, by dbt, into a
 * target path of its own (which keeps partial parsing warm); names are read from its manifest and
 * never computed.
 *
 * Life cycle: sides_open() reads the project and completes the configuration, sides_parse(),
 *             sides_select(), sides_close().
 */
#ifndef AIRLOCK_DEPLOY_SIDES_H
#define AIRLOCK_DEPLOY_SIDES_H

#include "airlock/base/err.h"
#include "airlock/base/fs.h"
#include "airlock/base/strv.h"
#include "airlock/dbt/cmdline.h"
#include "airlock/dbt/fresh.h"
#include "airlock/dbt/manifest.h"
#include "airlock/dbt/ops.h"
#include "airlock/dbt/project.h"
#include "airlock/dbt/runner.h"
#include "airlock/deploy/config.h"
#include "airlock/warehouse/dialect.h"

/* What the starts of dbt of one side have of their own. */
struct sides_side {
	char *name; /* of its folders: config_side_name() */
	struct strv environment;
};

struct sides {
	struct config *config; /* borrowed */
	struct project project;
	char *from; /* target names */
	char *to;   /* NULL without */
	char *home; /* <project>/target/airlock */
	struct sides_side from_side;
	struct sides_side to_side; /* that of `from` without `to`: of the connection too */
	struct strv environment;   /* of dbt, before a side adds its own */
	struct strv every;         /* options for every start */
	struct strv for_ops;       /* the same without --project-dir */
	struct strv build;         /* options for the build, `every` included */
	char *profile;
	char *dbt; /* path of the real one */
	struct runner *runner;
	struct manifest *from_manifest; /* after sides_parse() */
	struct manifest *to_manifest;   /* NULL without `to` */
	const struct dialect *dialect;
	char *state_database;             /* as the catalog has it; NULL: production's */
	struct ops_connection connection; /* of the side that publishes */
};

struct sides_request {
	const char *what; /* strategy or deployment; NULL */
	struct config *config;
	const struct cmdline *cmdline;
	const struct strv *environment;
	const char *self;
	bool is_recorded; /* the config is whole */
};

int sides_open(const struct sides_request *request, struct sides *ret_sides, struct err *err);
void sides_close(struct sides *sides);

/* Both side by side; a side whose last parse is known to be what a parse would write now is read
 * and not parsed again. ERR_DBT_FAILED with dbt's exit status and words. */
int sides_parse(struct sides *sides, struct err *err);

/* What dbt reads of the project on the side that builds, as it is now. fresh_free() it. */
struct fresh *sides_picture(const struct sides *sides);

/* Sorted unique_ids of the models, seeds and snapshots that the configuration selects, or the
 * words; asks `dbt ls` for what select.h does not know. */
int sides_select(struct sides *sides, struct strv *ret_unique_ids, struct err *err);
int sides_select_words(struct sides *sides, const struct strv *words, struct strv *ret_unique_ids,
		       struct err *err);

/* The options of the command line that every start of dbt gets, but for --project-dir. */
void sides_push_given(const struct cmdline *cmdline, struct strv *options);

/* Options that make dbt see one side, into the target path that its name gives. */
void sides_push_target(const struct sides *sides, const char *target, const char *name,
		       struct strv *arguments);

/* What dbt sees on a side of an environment that airlock was started with. */
int sides_environment(const struct config *config, enum option_id side,
		      const struct strv *environment, struct strv *ret_environment,
		      struct err *err);

/* What must be right of them whether dbt is started or not. */
int sides_check_targets(const struct config *config, struct err *err);
int sides_check_adapters(const struct config *config, const struct manifest *from,
			 const struct manifest *to, const struct dialect **ret_dialect,
			 struct err *err);

/* Takes a lock that another airlock of this checkout holds while it does something ("reads this
 * project"); waits as long as --lock-timeout says. ERR_LOCKED, ERR_INTERRUPTED. */
int sides_wait_for(const struct sides *sides, const char *path, const char *doing,
		   struct fs_lock *ret_lock, struct err *err);

/* Waits until no other airlock writes or reads what the parses of this project leave. */
int sides_lock_parses(const struct sides *sides, struct fs_lock *ret_lock, struct err *err);

/* Where the parse of a side is kept, or a file of it (NULL: the directory); free() it. */
char *sides_parse_path(const char *project_directory, const char *name, const char *file);
char *sides_build_path(const struct sides *sides, const char *file); /* free() it */

/* dbt's own record of a parse, in a target path. */
#define SIDES_PARTIAL_PARSE "partial_parse.msgpack"

/* That of the side's parse a moment ago is copied to this path, so that the start of dbt which has
 * it in its target path need not parse again. */
void sides_warm_up(const struct sides *sides, const struct sides_side *side, const char *to);

#endif
