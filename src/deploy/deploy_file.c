/*
 * The two files that change places (DuckDB), asked for through the targets that name them. A run
 * asks behind the lock of the project: to open a file disturbs whoever else has it.
 */
#include <stdlib.h>
#include <string.h>

#include "airlock/base/fs.h"
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

static int run_through(const struct deploy *deploy, const struct ops_connection *connection,
		       const struct ops *ops, struct ops_reply *ret_reply, struct err *err)
{
	struct executor executor = deploy->executor;

	if (!deploy->is_run)
		return ops_run(connection, ops, false, NULL, NULL, ret_reply, err);
	executor.connection = connection;
	return executor_run_ops(&executor, ops, false, ret_reply, err);
}

/* Another process may have it open: it is waited for like any other lock. */
static int ask(struct deploy *deploy, const struct ops_connection *connection,
	       struct file *ret_file, struct err *err)
{
	struct ops ops CLEANUP(ops_release) = OPS_INIT;
	struct deploy_wait wait CLEANUP(deploy_wait_release);

	deploy_wait_init(deploy, &wait);
	ops_add_query(&ops, path_query);
	for (;;) {
		struct ops_reply reply CLEANUP(ops_reply_release) = { 0 };

		if (run_through(deploy, connection, &ops, &reply, err) == 0)
			return read_file(json_array_get(reply.rows[0], 0), connection->target,
					 ret_file, err);
		if (err->code != ERR_LOCKED || !deploy_wait(deploy, &wait, err))
			return -1;
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
	if ((deploy->is_run && deploy_start(deploy, err) < 0) ||
	    ask(deploy, &deploy->sides.connection, &to, err) < 0 ||
	    ask(deploy, &staging, &from, err) < 0 || check_pair(deploy, &from, &to, err) < 0)
		return -1;
	deploy->to_file = arena_strdup(&deploy->arena, to.path);
	deploy->from_file = arena_strdup(&deploy->arena, from.path);
	deploy->file_database = arena_strdup(&deploy->arena, from.database);
	manifest_rename_database(deploy->sides.from_manifest, from.database, DIALECT_STAGING_FILE);
	return attach(deploy, deploy->from_file, err);
}

char *deploy_aside_path(const char *file, const char *id)
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

	if (deploy_start(deploy, err) < 0 || ask(deploy, &deploy->sides.connection, &to, err) < 0)
		return -1;
	aside = deploy_aside_path(to.path, id);
	if (!fs_is_regular(aside))
		return err_set(err, ERR_RELATION_MISSING, "the restore point '%s' is gone", aside);
	deploy->to_file = arena_strdup(&deploy->arena, to.path);
	deploy->from_file = arena_strdup(&deploy->arena, aside);
	return attach(deploy, deploy->from_file, err);
}
