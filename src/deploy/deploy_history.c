/* What the log of the warehouse holds; the warehouse is only read. */
#include <string.h>

#include "airlock/base/fs.h"
#include "airlock/dbt/targets.h"
#include "airlock/deploy/history.h"
#include "airlock/format/json.h"
#include "deploy_parts.h"

enum { FIRST_WAIT_MS = 200, LONGEST_WAIT_MS = 2000, WAIT_LIMIT_MS = 15000 };

/* The table is made by the first deployment. */
bool deploy_is_log_missing(const struct err *err)
{
	return err->code == ERR_WAREHOUSE && strstr(err->message, "airlock_log") &&
	       strstr(err->message, "does not exist");
}

static json_t *no_history(const char *id, struct err *err)
{
	err_release(err);
	if (!id)
		return json_array();
	err_set(err, ERR_DEPLOYMENT_UNKNOWN,
		"there is no deployment '%s': nothing was deployed yet", id);
	return NULL;
}

/* A file that is opened is made: what only looks leaves one alone that is not there. Where only dbt
 * can tell which file it is, it is opened. */
bool deploy_is_file_missing(const struct deploy *deploy)
{
	const struct sides *sides = &deploy->sides;
	const struct cmdline_given given = { .profile = sides->profile,
					     .profiles_dir =
						     deploy->request.cmdline->profiles_dir };

	if (!sides->dialect->one_writer)
		return false;
	char *path CLEANUP(mem_free_string) =
		targets_output(&given, &sides->project, &sides->to_side.environment,
			       sides->connection.target, "path");

	if (!path || !*path || strpbrk(path, ":~"))
		return false;
	char *in_project CLEANUP(mem_free_string) = fs_join(sides->project.directory, path);

	return !fs_exists(path) && !fs_exists(in_project);
}

bool deploy_gave_way(const struct deploy *deploy, const struct err *err)
{
	const struct executor executor = { .dialect = deploy->sides.dialect };

	return executor_is_transient(&executor, err);
}

void deploy_begin_looking(struct backoff *backoff)
{
	backoff_init(backoff, FIRST_WAIT_MS, LONGEST_WAIT_MS, WAIT_LIMIT_MS);
}

bool deploy_may_look_again(const struct deploy *deploy, struct backoff *backoff,
			   const struct err *err)
{
	return deploy_gave_way(deploy, err) && backoff_wait(backoff);
}

static int run(const struct deploy *deploy, const struct ops *ops, struct ops_reply *ret_reply,
	       struct err *err)
{
	struct backoff backoff;

	deploy_begin_looking(&backoff);
	while (ops_run(&deploy->sides.connection, ops, false, NULL, NULL, ret_reply, err) < 0) {
		if (!deploy_may_look_again(deploy, &backoff, err))
			return -1;
		ops_reply_release(ret_reply);
		err_release(err);
	}
	return 0;
}

static json_t *read_log(struct deploy *deploy, const char *id, struct err *err)
{
	struct state state CLEANUP(state_release) = { 0 };
	struct strv query CLEANUP(strv_release) = STRV_INIT;
	struct ops ops CLEANUP(ops_release) = OPS_INIT;
	struct ops_reply reply CLEANUP(ops_reply_release) = { 0 };

	if (deploy_is_file_missing(deploy))
		return no_history(id, err);
	state_init(&state, deploy->sides.dialect, deploy_database(deploy), NULL);
	if (state_push_history(&state, id, &query, err) < 0)
		return NULL;
	ops_add_query(&ops, query.v[0]);
	if (run(deploy, &ops, &reply, err) < 0)
		return deploy_is_log_missing(err) ? no_history(id, err) : NULL;
	return history_of(reply.rows[0], err);
}

json_t *deploy_history(struct deploy *deploy, const char *id, struct err *err)
{
	struct reporter *reporter = deploy->request.reporter;

	if (!deploy->sides.from_manifest) {
		reporter->note(reporter, "reading the project with dbt");
		if (sides_parse(&deploy->sides, err) < 0)
			return NULL;
	}
	reporter->note(reporter, "reading the history");
	json_t *deployments = read_log(deploy, id, err);

	if (!deployments || !id || json_array_size(deployments) > 0)
		return deployments;
	json_decref(deployments);
	err_set(err, ERR_DEPLOYMENT_UNKNOWN, "there is no deployment '%s'", id);
	return NULL;
}
