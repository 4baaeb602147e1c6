/*
 * A publish by the rename of a file (DuckDB). No statement does it and no transaction holds it, so
 * the order is what makes it safe: both files are whole on the disk and nobody writes them; the old
 * one has its second name; one rename, which is atomic; only then the end is recorded, in the new
 * file. Whether it happened is read from the file that has production's name, and nowhere else.
 *
 * Between the end of dbt and our locks another program may write. Nothing of that is lost: a file
 * that was written later than dbt's last statement is not exchanged.
 */
#include <stdlib.h>
#include <string.h>

#include "airlock/base/fs.h"
#include "airlock/base/host.h"
#include "airlock/format/json.h"
#include "deploy_parts.h"

enum { PROOF_LIMIT_MS = 15000 };

#define LET_IT_END "let it end, then deploy again; production is as that process left it"

/* By the clock that stamps the files; the database has them open for writing while it is read. */
static const char clock_query[] =
	"select json_object('at', epoch_ns(get_current_timestamp()))::varchar";

static int push_intent(struct deploy *deploy, struct ops *ops, struct err *err)
{
	json_t *detail CLEANUP(js_free) = deploy_intent(deploy);
	struct strv intent CLEANUP(strv_release) = STRV_INIT;

	if (deploy_add_phase(deploy, "publish", ops, err) < 0 ||
	    state_push_log_held(&deploy->state, STATE_INTENT, detail, &intent, err) < 0)
		return -1;
	return executor_add_statements(&deploy->executor, &intent, false, ops, err);
}

static int write_record(struct deploy *deploy, struct err *err)
{
	const struct step *step = plan_step(&deploy->final_plan, "record");
	struct ops ops CLEANUP(ops_release) = OPS_INIT;
	struct ops_reply reply CLEANUP(ops_reply_release) = { 0 };

	if (!fs_identify(deploy->from_file, &deploy->from_identity) ||
	    !fs_identify(deploy->to_file, &deploy->to_identity))
		return err_set(err, ERR_FILE, "'%s' or '%s' is gone", deploy->from_file,
			       deploy->to_file);
	if (push_intent(deploy, &ops, err) < 0 ||
	    executor_add(&deploy->executor, step, &ops, err) < 0)
		return -1;
	ops_add_query(&ops, clock_query);
	if (executor_run_ops(&deploy->executor, &ops, true, &reply, err) < 0) {
		deploy_name_publish_failure(err);
		return -1;
	}
	deploy->written_ns = js_get_integer(json_array_get(reply.rows[ops.n - 1], 0), "at", 0);
	return 0;
}

static int lock_file(const char *path, struct fs_lock *ret_lock, struct err *err)
{
	char *wal CLEANUP(mem_free_string) = mem_printf("%s.wal", path);
	int held = fs_keep_writers_out(path, ret_lock, err);

	if (held < 0)
		return -1;
	if (held > 0) {
		err_set(err, ERR_CONFLICT, "another process writes '%s'", path);
		return err_hint(err, LET_IT_END);
	}
	if (!fs_exists(wal))
		return fs_sync_locked(ret_lock, path, err);
	err_set(err, ERR_CONFLICT,
		"'%s' is there: a process that wrote this database was killed, and what it wrote "
		"is not in the file yet",
		wal);
	return err_hint(err, "open the database once, which takes it in, then deploy again");
}

/* Second names of production itself, which publishes that died before their rename left. */
static int remove_left(const struct deploy *deploy, struct err *err)
{
	char *directory CLEANUP(mem_free_string) = fs_parent(deploy->to_file);
	char *sample CLEANUP(mem_free_string) = deploy_aside_path(deploy->to_file, "");
	const char *prefix = fs_basename(sample);
	size_t len = (size_t)(strstr(prefix, STATE_DEMOTED) - prefix) + strlen(STATE_DEMOTED);
	struct strv names CLEANUP(strv_release) = STRV_INIT;
	struct fs_identity own;

	if (fs_list(directory, &names, err) < 0 || !fs_identify(deploy->to_file, &own))
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		char *path CLEANUP(mem_free_string) = fs_join(directory, names.v[i]);
		struct fs_identity other;

		if (strncmp(names.v[i], prefix, len) == 0 && fs_identify(path, &other) &&
		    fs_identity_equal(&own, &other) && fs_remove(path, err) < 0)
			return -1;
	}
	return 0;
}

static bool is_file(const char *path, const struct fs_identity *identity)
{
	struct fs_identity now;

	return fs_identify(path, &now) && fs_identity_equal(&now, identity);
}

/* Neither written nor replaced since dbt's last statement. */
static int check_unwritten(const struct deploy *deploy, const char *path,
			   const struct fs_identity *identity, struct err *err)
{
	struct fs_stamp stamp;

	if (is_file(path, identity) && fs_stamp(path, &stamp) &&
	    stamp.mtime_ns <= deploy->written_ns)
		return 0;
	err_set(err, ERR_CONFLICT, "another process wrote '%s' after it was compared", path);
	return err_hint(err, LET_IT_END);
}

static int link_production(struct deploy *deploy, struct err *err)
{
	char *aside CLEANUP(mem_free_string) = deploy_aside_path(deploy->to_file, deploy->id);

	if (lock_file(deploy->from_file, &deploy->from_lock, err) < 0 ||
	    lock_file(deploy->to_file, &deploy->to_lock, err) < 0 ||
	    check_unwritten(deploy, deploy->from_file, &deploy->from_identity, err) < 0 ||
	    check_unwritten(deploy, deploy->to_file, &deploy->to_identity, err) < 0 ||
	    remove_left(deploy, err) < 0 ||
	    fs_give_mode(&deploy->to_lock, &deploy->from_lock, deploy->from_file, err) < 0)
		return -1;
	return fs_link(deploy->to_file, aside, err);
}

static int not_known(struct deploy *deploy, const char *why, struct err *err)
{
	deploy->result.production_changed = false;
	err_set(err, ERR_OUTCOME_UNKNOWN, "'%s' was exchanged, and %s", deploy->to_file, why);
	return deploy_leave_unknown(deploy, err);
}

static int rename_staging(struct deploy *deploy, struct err *err)
{
	char *aside CLEANUP(mem_free_string) = deploy_aside_path(deploy->to_file, deploy->id);
	struct err late CLEANUP(err_release) = ERR_INIT;

	/* What the name leads to now must be what has the second one. */
	if (!is_file(aside, &deploy->to_identity) ||
	    check_unwritten(deploy, deploy->to_file, &deploy->to_identity, err) < 0)
		return err_is_set(err)
			       ? -1
			       : err_set(err, ERR_CONFLICT, "'%s' is not production's file", aside);
	if (fs_rename(deploy->from_file, deploy->to_file, err) < 0)
		return -1;
	deploy->result.production_changed = true;
	deploy->result.outcome = DEPLOY_PUBLISHED;
	if (fs_sync_rename(deploy->from_file, deploy->to_file, &late) < 0)
		deploy->request.reporter->warning(deploy->request.reporter, late.message);
	if (is_file(deploy->to_file, &deploy->from_identity))
		return 0;
	return not_known(deploy, "another program has put another file there", err);
}

static void unlock_files(struct deploy *deploy)
{
	fs_lock_release(&deploy->from_lock);
	fs_lock_release(&deploy->to_lock);
}

/* Until the first answer, for a while; what fails behind it is tried again by deploy_leave(). */
static int run_proof(struct deploy *deploy, const struct ops *ops, struct ops_reply *ret_reply,
		     struct err *err)
{
	struct executor *x = &deploy->executor;
	int64_t limit = config_number(deploy->request.config, OPTION_LOCK_TIMEOUT) * 1000;
	struct backoff backoff;

	backoff_init(&backoff, 500, 4000, limit < PROOF_LIMIT_MS ? limit : PROOF_LIMIT_MS);
	while (executor_run_ops(x, ops, true, ret_reply, err) < 0) {
		char *message CLEANUP(mem_free_string) = mem_strdup(err->message);

		if (ret_reply->calls_done > 0)
			break;
		if (!backoff_wait(&backoff))
			return -1;
		err_release(err);
		if (executor_record_wait(x, &backoff, message, err) < 0)
			return -1;
		ops_reply_release(ret_reply);
	}
	return 0;
}

/* What has production's name now says whether it is published. */
static int read_outcome(struct deploy *deploy, struct err *err)
{
	struct strv query CLEANUP(strv_release) = STRV_INIT;
	struct ops ops CLEANUP(ops_release) = OPS_INIT;
	struct ops_reply reply CLEANUP(ops_reply_release) = { 0 };
	const struct step *finish = plan_step(&deploy->final_plan, "finish");
	bool finishes = !plan_step(&deploy->final_plan, "after_publish");

	/* What was staging is not there any more. */
	deploy->sides.connection.prologue = NULL;
	if (state_push_probe(&deploy->state, &query, err) < 0 ||
	    executor_add_statements(&deploy->executor, &query, true, &ops, err) < 0 ||
	    (finishes && executor_add(&deploy->executor, finish, &ops, err) < 0))
		return -1;
	if (run_proof(deploy, &ops, &reply, err) < 0) {
		char *why CLEANUP(mem_free_string) =
			mem_printf("what is there cannot be read: %s", err->message);

		return not_known(deploy, why, err);
	}
	if (!js_get_bool(json_array_get(reply.rows[0], 0), "published", false))
		return not_known(deploy, "is not what was put there", err);
	err_release(err);
	if (finishes && reply.finished)
		deploy->holds_lock = false;
	return 0;
}

int deploy_publish_file(struct deploy *deploy, struct err *err)
{
	const struct plan *plan = &deploy->final_plan;
	int rc = -1;

	if (deploy_step(deploy, plan, "record", write_record, err) == 0 &&
	    deploy_step(deploy, plan, "link", link_production, err) == 0)
		rc = deploy_step(deploy, plan, "publish", rename_staging, err);
	unlock_files(deploy);
	if (rc == 0)
		rc = read_outcome(deploy, err);
	if (deploy->result.production_changed)
		deploy_list_published(deploy);
	return rc;
}
