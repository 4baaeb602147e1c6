/*
 * command_internal: what the cmd_*.c files give to the table in command.c.
 */
#ifndef AIRLOCK_CLI_COMMAND_INTERNAL_H
#define AIRLOCK_CLI_COMMAND_INTERNAL_H

#include "airlock/cli/arguments.h"
#include "airlock/cli/command.h"
#include "airlock/cli/report.h"
#include "airlock/deploy/deploy.h"

int cmd_abort(struct invocation *invocation, struct err *err);
int cmd_check(struct invocation *invocation, struct err *err);
int cmd_completion(struct invocation *invocation, struct err *err);
int cmd_config(struct invocation *invocation, struct err *err);
int cmd_deploy(struct invocation *invocation, struct err *err);
int cmd_doctor(struct invocation *invocation, struct err *err);
int cmd_gc(struct invocation *invocation, struct err *err);
int cmd_help(struct invocation *invocation, struct err *err);
int cmd_history(struct invocation *invocation, struct err *err);
int cmd_inspect(struct invocation *invocation, struct err *err);
int cmd_mirror(struct invocation *invocation, struct err *err);
int cmd_plan(struct invocation *invocation, struct err *err);
int cmd_resume(struct invocation *invocation, struct err *err);
int cmd_rollback(struct invocation *invocation, struct err *err);
int cmd_routes(struct invocation *invocation, struct err *err);
int cmd_shim(struct invocation *invocation, struct err *err);
int cmd_unlock(struct invocation *invocation, struct err *err);

/* The report of a deployment, or of what took one back; *err says whether it failed. Returns 0 or
 * -1. */
int cmd_deploy_end(struct invocation *invocation, const struct deploy_result *result,
		   struct err *err);
/* A deploy_document_fn; the context is the invocation. */
json_t *cmd_deploy_document(const void *context, const struct deploy_result *result,
			    const struct err *err);
json_t *cmd_deploy_failure(const struct invocation *invocation, const struct err *err);
json_t *command_failure(const struct invocation *invocation, const struct err *err);

/* What a deploy is asked for; borrows from the invocation. */
struct deploy_request command_request(const struct invocation *invocation);

/* Opens what the command works on, runs `fn` and closes it. */
typedef int command_fn(struct invocation *invocation, struct deploy *deploy, struct err *err);
int command_with_deploy(struct invocation *invocation, command_fn *fn, struct err *err);

/* The project that the options and the environment name. */
int command_open_project(const struct invocation *invocation, struct project *ret_project,
			 struct err *err);

/* Whether a strategy or a deployment was named, or the project has just one deployment. */
bool command_has_name(const struct invocation *invocation);
/* ERR_USAGE when neither a strategy nor a deployment was named: what is about to be done must
 * not depend on what a version takes for the default. */
int command_need_name(const struct invocation *invocation, struct err *err);

/* Text or document to stdout, by --json. Takes the document over (NULL: there is none). */
int command_finish(struct invocation *invocation, const struct buf *text, json_t *document,
		   struct err *err);
/* Of a deployment that goes on with what another one built: that one's. NULL: none. */
const char *command_id(const struct invocation *invocation);
bool command_wants_json(const struct invocation *invocation);

#endif
