/*
 * What comes between the lock and the build of a strategy that has it: staging is filled from
 * production, exactly as the first picture shows it. Only staging is written.
 */
#include <stdlib.h>
#include <string.h>

#include "airlock/base/backoff.h"
#include "airlock/base/fs.h"
#include "airlock/deploy/observe.h"
#include "airlock/deploy/publication.h"
#include "airlock/format/json.h"
#include "deploy_parts.h"

/* A table of the scope. What goes on from another build has its copies from there. */
static bool is_made(const struct deploy *deploy, const struct plan_copy *copy)
{
	return !deploy->basis && copy->way != PUBLISH_REMOVE && copy->route->in_scope;
}

static int push_queries(const struct deploy *deploy, struct strv *queries, struct err *err)
{
	for (size_t i = 0; i < deploy->plan.copy_count; i++) {
		const struct plan_copy *copy = &deploy->plan.copies[i];

		if (is_made(deploy, copy) &&
		    observe_push_rows(&deploy->routes, &copy->route->from,
				      deploy_compares_content(deploy), queries, err) < 0)
			return -1;
	}
	return 0;
}

static bool is_like(const json_t *copy, const struct table *table)
{
	const char *content = js_get_string(copy, "content");

	return js_get_integer(copy, "rows", -1) == table->rows &&
	       (!content || !table->content || strcmp(content, table->content) == 0);
}

/* What was copied is what production was at the beginning, which the publish compares again. */
static int check_copies(const struct deploy *deploy, json_t *const *answers, struct err *err)
{
	size_t n = 0;

	for (size_t i = 0; i < deploy->plan.copy_count; i++) {
		const struct plan_copy *copy = &deploy->plan.copies[i];
		const struct relation *from = &copy->route->to;
		const struct table *table =
			observed_table(&deploy->observed, deploy->routes.dialect, from);

		if (!is_made(deploy, copy))
			continue;
		if (is_like(json_array_get(answers[n++], 0), table))
			continue;
		char *name CLEANUP(mem_free_string) = relation_display(from);

		return err_set(err, ERR_CONFLICT,
			       "'%s' (production) was changed by somebody else while it was copied",
			       name);
	}
	return 0;
}

static void name_failure(const char *from, bool copies, const char *user, struct err *err)
{
	char *message CLEANUP(mem_free_string) = mem_strdup(err->message);
	const char *used = strstr(message, DIALECT_RAISED_USED);
	char *grant = strstr(message, DIALECT_RAISED_PRIVILEGE);

	deploy_name_raised(err, "the prepare was stopped");
	if (err->code == ERR_CONFLICT)
		return;
	if (used) {
		used += strlen(DIALECT_RAISED_USED);
		err_set(err, ERR_UNSUPPORTED, "the prepare was stopped:%.*s",
			(int)strcspn(used, "\n"), used);
		err_hint(err, "drop what uses it, or let it be built by this project");
	} else if (grant) {
		grant += strlen(DIALECT_RAISED_PRIVILEGE " ");
		grant[strcspn(grant, "\n")] = '\0';
		publication_lacks(user, grant, err);
	} else if (err->code == ERR_WAREHOUSE) {
		err_set(err, ERR_WAREHOUSE, "staging could not be %s: %s",
			copies ? "filled from production" : "prepared", message);
		err_hint(err, "the target '%s' has to %swrite staging; production was not touched",
			 from, copies ? "read production and " : "");
	}
}

/* Through the connection of staging, whose tables they become; where the sides are two files
 * through production's, to which staging's is attached. */
int deploy_prepare(struct deploy *deploy, struct err *err)
{
	struct ops_connection connection = deploy->sides.connection;
	struct executor x = deploy->executor;
	struct strv queries CLEANUP(strv_release) = STRV_INIT;
	struct ops ops CLEANUP(ops_release) = OPS_INIT;
	struct ops_reply reply CLEANUP(ops_reply_release) = { 0 };

	if (!deploy->from_file) {
		connection.target = deploy->sides.from;
		connection.folder = deploy->sides.from_side.name;
		connection.environment = &deploy->sides.from_side.environment;
	}
	x.connection = &connection;
	if (executor_add(&x, plan_step(&deploy->plan, "prepare"), &ops, err) < 0 ||
	    push_queries(deploy, &queries, err) < 0)
		return -1;
	size_t statements = ops.n;

	if (executor_add_statements(&x, &queries, true, &ops, err) < 0)
		return -1;
	if (executor_run_undone(&x, &ops, false, &reply, err) < 0) {
		name_failure(deploy->sides.from, deploy->plan.copy_count > 0, deploy->observed.user,
			     err);
		return -1;
	}
	return check_copies(deploy, reply.rows + statements, err);
}
