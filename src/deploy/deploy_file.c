/*
 * A publish by the rename of a file (DuckDB). No statement does it and no transaction holds it, so
 * the order is what makes it safe: both files are whole on the disk and nobody writes them; the old
 * one has its second name; one rename, which is atomic; only then the end is recorded, in the new
 * file. Whether it happened is read from the file that has production's name, and nowhere else.
 */
#include <stdlib.h>
#include <string.h>

#include "airlock/base/fs.h"
#include "airlock/base/host.h"
#include "airlock/format/json.h"
#include "deploy_parts.h"

#define LAYOUT                                                                                     \
	"blue-green needs two files of one name on one file system, as dev/shop.duckdb and "       \
	"prod/shop.duckdb; wac and production-rollback publish within one file"

static const char path_query[] =
	"select json_object('path', path, 'database', database_name, 'type', type)::varchar "
	"from duckdb_databases() where database_name = current_database()";

struct file {
	char *path; /* real */
	char *database;
};

static void file_release(struct file *file)
{
	free(file->path);
	free(file->database);
}

static int refuse(const char *target, const char *what, struct err *err)
{
	err_set(err, ERR_UNSUPPORTED, "blue-green cannot exchange the database of '%s': %s", target,
		what);
	return err_hint(err, LAYOUT);
}

static int read_file(const json_t *row, const char *target, struct file *ret_file, struct err *err)
{
	const char *path = js_get_string(row, "path");
	const char *database = js_get_string(row, "database");
	const char *type = js_get_string(row, "type");

	if (!database || !type)
		return err_set(err, ERR_NO_ANSWER, "the database of '%s' has no name", target);
	if (strcmp(type, "duckdb") != 0)
		return refuse(target, "it is no file of DuckDB's own", err);
	if (!path || !fs_is_regular(path))
		return refuse(target, "it is in memory or elsewhere, and no file", err);
	ret_file->path = fs_real(path);
	ret_file->database = mem_strdup(database);
	return 0;
}

/* Another process may have it open: it is waited for like any other lock. */
static int ask(struct deploy *deploy, const struct ops_connection *connection,
	       struct file *ret_file, struct err *err)
{
	struct ops ops CLEANUP(ops_release) = OPS_INIT;
	struct backoff backoff;

	backoff_init(&backoff, 200, 4000,
		     config_number(deploy->request.config, OPTION_LOCK_TIMEOUT) * 1000);
	ops_add_query(&ops, path_query);
	for (;;) {
		struct ops_reply reply CLEANUP(ops_reply_release) = { 0 };

		if (ops_run(connection, &ops, false, NULL, NULL, &reply, err) == 0)
			return read_file(json_array_get(reply.rows[0], 0), connection->target,
					 ret_file, err);
		if (!strstr(err->message, deploy->sides.dialect->unreachable[0]))
			return -1;
		if (!backoff_wait(&backoff)) {
			char *message CLEANUP(mem_free_string) = mem_strdup(err->message);

			return err_set(err, ERR_LOCKED, "another process has the database open: %s",
				       message);
		}
		err_release(err);
	}
}

static struct ops_connection of_staging(const struct deploy *deploy)
{
	struct ops_connection connection = deploy->sides.connection;

	connection.target = deploy->sides.from;
	connection.folder = deploy->sides.from_side.name;
	connection.environment = &deploy->sides.from_side.environment;
	return connection;
}

static int check_pair(const struct deploy *deploy, const struct file *from, const struct file *to,
		      struct err *err)
{
	struct fs_identity a;
	struct fs_identity b;

	if (!fs_identify(from->path, &a) || !fs_identify(to->path, &b))
		return err_set(err, ERR_FILE, "'%s' or '%s' is gone", from->path, to->path);
	if (fs_identity_equal(&a, &b))
		return refuse(deploy->sides.from, "it is the file of production", err);
	if (strcmp(from->database, to->database) != 0)
		return refuse(deploy->sides.from,
			      "its name is not that of production's file, by which views name "
			      "what they read",
			      err);
	if (a.device != b.device)
		return refuse(deploy->sides.from, "it is on another file system than production",
			      err);
	return 0;
}

/* Each statement from here on may read staging's file. */
static int attach(struct deploy *deploy, const char *path, struct err *err)
{
	const struct sql_arg arg = SQL_ARG_LITERAL("path", path);
	struct strv text CLEANUP(strv_release) = STRV_INIT;

	if (dialect_push_text(&text, deploy->sides.dialect,
			      "attach if not exists {path:literal} as " DIALECT_STAGING_FILE
			      " (read_only)",
			      &arg, 1, err) < 0)
		return -1;
	deploy->sides.connection.prologue = arena_strdup(&deploy->arena, text.v[0]);
	deploy->sides.connection.prologue_file = path;
	return 0;
}

int deploy_find_files(struct deploy *deploy, struct err *err)
{
	struct file from CLEANUP(file_release) = { 0 };
	struct file to CLEANUP(file_release) = { 0 };
	const struct ops_connection staging = of_staging(deploy);

	if (!deploy->strategy->swaps || !deploy->sides.dialect->swaps_files)
		return 0;
	if (ask(deploy, &deploy->sides.connection, &to, err) < 0 ||
	    ask(deploy, &staging, &from, err) < 0 || check_pair(deploy, &from, &to, err) < 0)
		return -1;
	deploy->to_file = arena_strdup(&deploy->arena, to.path);
	deploy->from_file = arena_strdup(&deploy->arena, from.path);
	deploy->file_database = arena_strdup(&deploy->arena, from.database);
	manifest_rename_database(deploy->sides.from_manifest, from.database, DIALECT_STAGING_FILE);
	return attach(deploy, deploy->from_file, err);
}

/* <directory>/<stem>__airlock_<id>.duckdb */
static char *aside_path(const char *file, const char *id)
{
	char *directory CLEANUP(mem_free_string) = fs_parent(file);
	const char *name = fs_basename(file);
	size_t stem = strcspn(name, ".");

	return mem_printf("%s/%.*s" STATE_DEMOTED "%s%s", directory, (int)stem, name, id,
			  name + stem);
}

int deploy_find_aside(struct deploy *deploy, const char *id, struct err *err)
{
	struct file to CLEANUP(file_release) = { 0 };
	char *aside CLEANUP(mem_free_string) = NULL;

	if (ask(deploy, &deploy->sides.connection, &to, err) < 0)
		return -1;
	aside = aside_path(to.path, id);
	if (!fs_is_regular(aside))
		return err_set(err, ERR_RELATION_MISSING, "the restore point '%s' is gone", aside);
	deploy->to_file = arena_strdup(&deploy->arena, to.path);
	deploy->from_file = arena_strdup(&deploy->arena, aside);
	return attach(deploy, deploy->from_file, err);
}

/* --- the publish --- */

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

	if (push_intent(deploy, &ops, err) < 0 ||
	    executor_add(&deploy->executor, step, &ops, err) < 0)
		return -1;
	if (executor_run_ops(&deploy->executor, &ops, true, &reply, err) == 0)
		return 0;
	deploy_name_publish_failure(err);
	return -1;
}

static int lock_file(const char *path, struct fs_lock *ret_lock, struct err *err)
{
	char *wal CLEANUP(mem_free_string) = mem_printf("%s.wal", path);
	int held = fs_keep_writers_out(path, ret_lock, err);

	if (held < 0)
		return -1;
	if (held > 0) {
		err_set(err, ERR_CONFLICT, "another process writes '%s'", path);
		return err_hint(err, "let it end, then deploy again; production is unchanged");
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
	char *sample CLEANUP(mem_free_string) = aside_path(deploy->to_file, "");
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

static int link_production(struct deploy *deploy, struct err *err)
{
	char *aside CLEANUP(mem_free_string) = aside_path(deploy->to_file, deploy->id);

	if (lock_file(deploy->from_file, &deploy->from_lock, err) < 0 ||
	    lock_file(deploy->to_file, &deploy->to_lock, err) < 0 || remove_left(deploy, err) < 0)
		return -1;
	return fs_link(deploy->to_file, aside, err);
}

static int rename_staging(struct deploy *deploy, struct err *err)
{
	struct err late CLEANUP(err_release) = ERR_INIT;

	if (fs_rename(deploy->from_file, deploy->to_file, err) < 0)
		return -1;
	deploy->result.production_changed = true;
	deploy->result.outcome = DEPLOY_PUBLISHED;
	if (fs_sync_rename(deploy->from_file, deploy->to_file, &late) < 0)
		deploy->request.reporter->warning(deploy->request.reporter, late.message);
	return 0;
}

static void unlock_files(struct deploy *deploy)
{
	fs_lock_release(&deploy->from_lock);
	fs_lock_release(&deploy->to_lock);
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
	if (executor_run_ops(&deploy->executor, &ops, true, &reply, err) < 0) {
		/* The rename was done; deploy_leave() tries the rest again. */
		deploy->request.reporter->warning(deploy->request.reporter, err->message);
		err_release(err);
		return 0;
	}
	if (!js_get_bool(json_array_get(reply.rows[0], 0), "published", false)) {
		deploy->result.outcome = DEPLOY_UNKNOWN;
		err_set(err, ERR_OUTCOME_UNKNOWN,
			"'%s' was exchanged, and is not what was put there", deploy->to_file);
		err->production = ERR_PRODUCTION_UNKNOWN;
		return -1;
	}
	if (finishes)
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
	if (deploy->result.production_changed)
		deploy_list_published(deploy);
	if (rc < 0)
		return -1;
	return read_outcome(deploy, err);
}
