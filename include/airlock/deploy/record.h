/*
 * record: what the events of the history say of a deployment, besides its tables: who and from
 * where, with which options, of which commit, and how it went. JSON objects, new references.
 */
#ifndef AIRLOCK_DEPLOY_RECORD_H
#define AIRLOCK_DEPLOY_RECORD_H

#include <jansson.h>

#include "airlock/base/err.h"
#include "airlock/base/strv.h"
#include "airlock/dbt/cmdline.h"
#include "airlock/deploy/audit.h"
#include "airlock/deploy/config.h"

struct record_who {
	const char *project; /* NULL when its name is not known */
	const char *strategy;
	const char *name; /* of the deployment's block; "" without */
	const char *from;
	const char *to; /* NULL without */
	const char *user;
	const char *host;
	const char *started_at; /* UTC, host.h */
	const char *commit;     /* "" when unknown; "-dirty" behind it when files are changed */
};

json_t *record_who(const struct record_who *who);
/* Options that were set, by key: what `resume` needs to go on elsewhere. `force` too, which no
 * configuration can set. */
json_t *record_options(const struct config *config);
/* Adds "dbt": its options as words; the directories of this machine are left out. Of --vars that
 * hold a secret (secret.h) what may be shown, and as "hidden_vars" a hash of the text. */
void record_dbt_options(const struct cmdline *cmdline, const struct strv *environment,
			const char *id, json_t *record);
/* ERR_NOT_RESUMABLE when --vars were hidden and are not given here as they were. `vars` may be
 * NULL. */
int record_check_vars(const json_t *record, const char *vars, struct err *err);
/* {"from": {NAME: hash}, "to": {..}}: values may be secrets, and are never recorded. */
json_t *record_environment(const struct config *config, const char *id);
/* ERR_NOT_RESUMABLE unless the configuration has just those. */
int record_check_environment(const json_t *record, const struct config *config, const char *id,
			     struct err *err);
/* The other way: as if the command line had said it. */
int record_read_options(const json_t *options, struct config *config, struct err *err);
/* Adds "outcome", "exit", "nodes", "tests" (audit may be NULL) and, of an error, its code and
 * message. */
void record_end(json_t *record, const char *outcome, const struct audit *audit,
		const struct err *err);

/* What was found there by record_end(): the figures of the audit, not its lists. */
void record_read_audit(const json_t *record, struct audit *audit);

/* The commit of the directory's git work tree, as record_who wants it; free() it. */
char *record_commit(const char *directory, const struct strv *environment);
/* The branch that is checked out there; "" without one. free() it. */
char *record_branch(const char *directory, const struct strv *environment);

#endif
