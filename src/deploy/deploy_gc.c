/*
 * gc: what deployments left and nobody needs. It looks, and drops what it is told to drop: restore
 * points whose comment and history say that they are ours, in transactions that fail while anybody
 * holds a lock, and directories of deployments that ended. Locks of those are given back, and so
 * are those of who died before it began.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "airlock/deploy/history.h"
#include "airlock/deploy/restore.h"
#include "airlock/format/json.h"
#include "deploy_parts.h"

/* Directories of target/airlock/deployments that stay, whatever their age, and how long others do.
 */
enum { DIRECTORIES_KEPT = 20, DIRECTORY_AGE_S = 7 * 86400 };

struct gc {
	struct deploy *deploy;
	struct state state;
	struct restore_list restores;
	struct strv unfinished;
	struct strv sides;
	struct strv copies;      /* side copies of sources */
	struct strv directories; /* that may go */
	struct strv spent;       /* locks that nobody needs any more */
	struct strv releases;    /* statements */
	char *holder;            /* who holds a lock; NULL nobody */
};

static void gc_release(struct gc *gc)
{
	state_release(&gc->state);
	restore_release(&gc->restores);
	strv_release(&gc->unfinished);
	strv_release(&gc->sides);
	strv_release(&gc->copies);
	strv_release(&gc->directories);
	strv_release(&gc->spent);
	strv_release(&gc->releases);
	free(gc->holder);
}

/* Nobody may open the database while another process has it. */
static int lock_project(struct deploy *deploy, struct err *err)
{
	if (!deploy->sides.dialect->one_writer)
		return 0;
	int held = fs_lock_try(deploy->sides.project.file, &deploy->project_lock, err);

	if (held > 0)
		return err_set(err, ERR_LOCKED, "a deployment of this project is running");
	return held;
}

static void sort_left(struct gc *gc, const json_t *rows, struct strv *locks)
{
	for (size_t i = 0; i < json_array_size(rows); i++) {
		const json_t *row = json_array_get(rows, i);

		if (js_get_string(row, "lock"))
			strv_push(locks, js_get_string(row, "lock"));
		else if (js_get_string(row, "side"))
			strv_push(&gc->sides, js_get_string(row, "side"));
		else if (js_get_string(row, "copy"))
			strv_push(&gc->copies, js_get_string(row, "copy"));
		else if (js_get_string(row, "unfinished"))
			strv_push(&gc->unfinished, js_get_string(row, "unfinished"));
	}
}

static int ask(struct gc *gc, const struct strv *queries, struct ops_reply *reply, struct err *err)
{
	struct ops ops CLEANUP(ops_release) = OPS_INIT;

	for (size_t i = 0; i < queries->n; i++)
		ops_add_query(&ops, queries->v[i]);
	return ops_run(&gc->deploy->sides.connection, &ops, false, NULL, NULL, reply, err);
}

static int push_release(struct gc *gc, size_t i, const struct state_lock *lock, struct err *err)
{
	const struct sql_binding nonce[] = { { "nonce", lock->nonce } };
	struct strv release CLEANUP(strv_release) = STRV_INIT;
	struct state one = gc->state;
	struct buf bound = BUF_INIT;

	one.containers += i;
	one.held_count = 1;
	if (state_push_release(&one, &release, err) < 0 ||
	    sql_bind(&bound, release.v[0], nonce, 1, err) < 0)
		return -1;
	strv_take(&gc->releases, buf_take(&bound));
	strv_push(&gc->spent, gc->state.containers[i].name);
	return 0;
}

/* One that has ended publishes nothing any more, whoever recorded its end: it holds nobody up. Nor
 * does one that died as it took its lock, which the warehouse may have written after its death. */
static bool is_spent(const struct gc *gc, const struct state_lock *lock, const json_t *deployments)
{
	const json_t *deployment = history_find(deployments, lock->id);

	return deployment ? history_has_ended(deployment) : deploy_holder_is_dead(gc->deploy, lock);
}

static int judge_lock(struct gc *gc, size_t i, const json_t *rows, const json_t *deployments,
		      struct err *err)
{
	struct state_lock lock;

	if (state_read_lock(&gc->state, i, rows, &lock, err) < 0)
		return -1;
	if (!*lock.nonce)
		return 0;
	if (is_spent(gc, &lock, deployments))
		return push_release(gc, i, &lock, err);
	if (!gc->holder)
		gc->holder = mem_printf("deployment '%s' of %s on %s since %s", lock.id, lock.user,
					lock.host, lock.since);
	return 0;
}

static int read_locks(struct gc *gc, struct err *err)
{
	struct strv queries CLEANUP(strv_release) = STRV_INIT;
	struct ops_reply reply CLEANUP(ops_reply_release) = { 0 };

	if (gc->state.n == 0)
		return 0;
	if (state_push_read_all(&gc->state, &queries, err) < 0 ||
	    state_push_history(&gc->state, NULL, &queries, err) < 0 ||
	    ask(gc, &queries, &reply, err) < 0)
		return -1;
	json_t *deployments CLEANUP(js_free) = history_of(reply.rows[gc->state.n], err);

	if (!deployments)
		return -1;
	for (size_t i = 0; i < gc->state.n; i++)
		if (judge_lock(gc, i, reply.rows[i], deployments, err) < 0)
			return -1;
	return 0;
}

/* What the command line says of all of them, else what each deployment was told. */
static void judge(struct gc *gc)
{
	const struct config *config = gc->deploy->request.config;
	bool told = config->values[OPTION_KEEP].source >= OPTION_BY_ENVIRONMENT ||
		    config->values[OPTION_KEEP_FOR].source >= OPTION_BY_ENVIRONMENT;
	const struct restore_policy policy = {
		.keep = config_number(config, OPTION_KEEP),
		.keep_for_s = config_number(config, OPTION_KEEP_FOR),
	};

	restore_judge(&gc->restores, gc->state.dialect, told ? &policy : NULL, NULL, 0);
}

static int look(struct gc *gc, struct err *err)
{
	struct strv queries CLEANUP(strv_release) = STRV_INIT;
	struct strv locks CLEANUP(strv_release) = STRV_INIT;
	struct ops_reply reply CLEANUP(ops_reply_release) = { 0 };

	if (deploy_is_file_missing(gc->deploy))
		return 0;
	if (state_push_restore_list(&gc->state, &queries, err) < 0 ||
	    state_push_left(&gc->state, &queries, err) < 0)
		return -1;
	if (ask(gc, &queries, &reply, err) < 0) {
		if (!deploy_is_log_missing(err))
			return -1;
		err_release(err);
		return 0;
	}
	sort_left(gc, reply.rows[1], &locks);
	state_add_locks(&gc->state, &locks);
	deploy_see_files(reply.rows[0]);
	if (restore_parse(reply.rows[0], gc->state.dialect, gc->state.schema.database,
			  &gc->restores, err) < 0)
		return -1;
	judge(gc);
	return read_locks(gc, err);
}

/* 20261124235621_47e851 */
static bool is_id(const char *name)
{
	return strspn(name, "0123456789") == 14 && name[14] == '_' &&
	       strspn(name + 15, "0123456789abcdef") == 6 && !name[21];
}

/* Sorted by name is sorted by time: the newest are the last. */
static int look_for_directories(struct gc *gc, const char *home, struct err *err)
{
	struct strv names CLEANUP(strv_release) = STRV_INIT;
	int64_t now_s = (int64_t)time(NULL);

	if (!fs_is_directory(home))
		return 0;
	if (fs_list(home, &names, err) < 0)
		return -1;
	for (size_t i = 0; i + DIRECTORIES_KEPT < names.n; i++) {
		char *journal CLEANUP(mem_free_string) =
			mem_printf("%s/%s/journal.jsonl", home, names.v[i]);
		struct fs_stamp stamp;

		if (is_id(names.v[i]) && !strv_contains(&gc->unfinished, names.v[i]) &&
		    fs_stamp(journal, &stamp) &&
		    now_s - stamp.mtime_ns / 1000000000 > DIRECTORY_AGE_S)
			strv_take(&gc->directories, fs_join(home, names.v[i]));
	}
	return 0;
}

static json_t *strings(const struct strv *list)
{
	json_t *array = json_array();

	for (size_t i = 0; i < list->n; i++)
		json_array_append_new(array, json_string(list->v[i]));
	return array;
}

static json_t *found(const struct gc *gc)
{
	json_t *restores = json_array();
	json_int_t expired = 0;
	json_int_t bytes = 0;

	for (size_t i = 0; i < gc->restores.n; i++) {
		const struct restore_point *point = &gc->restores.v[i];

		json_array_append_new(restores, restore_json(point));
		if (point->state != RESTORE_EXPIRED)
			continue;
		expired++;
		bytes += point->bytes;
	}
	return json_pack("{s:o, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:s?}", "restore_points",
			 restores, "expired", expired, "expired_bytes", bytes, "side_tables",
			 strings(&gc->sides), "side_copies", strings(&gc->copies), "unfinished",
			 strings(&gc->unfinished), "spent_locks", strings(&gc->spent),
			 "directories", strings(&gc->directories), "held_by", gc->holder);
}

/* In front of each drop: all lock tables are containers of production here, and each fence raises
 * while it is held. */
static int push_guards(struct gc *gc, struct strv *guards, struct err *err)
{
	static const struct sql_binding nonce[] = { { "nonce", "gc" } };
	struct strv fences CLEANUP(strv_release) = STRV_INIT;

	if (state_push_fences(&gc->state, &fences, err) < 0)
		return -1;
	for (size_t i = 0; i < fences.n; i++) {
		struct buf bound = BUF_INIT;

		if (sql_bind(&bound, fences.v[i], nonce, 1, err) < 0)
			return -1;
		strv_take(guards, buf_take(&bound));
	}
	return 0;
}

static int drop_copy(struct gc *gc, const struct strv *guards, const char *name, struct err *err)
{
	const struct relation copy = { gc->state.schema.database, STATE_SCHEMA, name };
	const struct sql_arg arg = SQL_ARG_RELATION("copy", &copy);
	struct strv statements CLEANUP(strv_release) = STRV_INIT;
	struct ops ops CLEANUP(ops_release) = OPS_INIT;
	struct ops_reply reply CLEANUP(ops_reply_release) = { 0 };

	strv_push_all(&statements, guards);
	if (dialect_push_text(&statements, gc->state.dialect, "drop table if exists {copy}", &arg,
			      1, err) < 0)
		return -1;
	ops_add_transaction(&ops, gc->state.dialect, &statements);
	return ops_run(&gc->deploy->sides.connection, &ops, true, NULL, NULL, &reply, err);
}

/* Side copies of sources, of refreshes that died. */
static void drop_copies(struct gc *gc, const struct strv *guards, json_t *outcome)
{
	for (size_t i = 0; i < gc->copies.n; i++) {
		struct err err CLEANUP(err_release) = ERR_INIT;
		char *name CLEANUP(mem_free_string) =
			mem_printf(STATE_SCHEMA ".%s", gc->copies.v[i]);
		bool done = drop_copy(gc, guards, gc->copies.v[i], &err) == 0;

		json_array_append_new(outcome, json_pack("{s:s, s:s?}", "relation", name, "message",
							 done ? NULL : err.message));
	}
}

static void drop_restores(struct gc *gc, const struct strv *guards, json_t *outcome)
{
	struct deploy_drops drops = { .guards = guards, .by = "gc" };

	drops.points = arena_alloc(&gc->deploy->arena,
				   (gc->restores.n + 1) * sizeof(struct restore_point *));
	for (size_t i = 0; i < gc->restores.n; i++)
		if (gc->restores.v[i].state == RESTORE_EXPIRED)
			drops.points[drops.n++] = &gc->restores.v[i];
	deploy_drop_restores(gc->deploy, &drops, outcome);
}

static int release_spent(struct gc *gc, json_t *document, struct err *err)
{
	struct ops ops CLEANUP(ops_release) = OPS_INIT;
	struct ops_reply reply CLEANUP(ops_reply_release) = { 0 };

	for (size_t i = 0; i < gc->releases.n; i++)
		ops_add(&ops, gc->releases.v[i]);
	if (ops.n > 0 &&
	    ops_run(&gc->deploy->sides.connection, &ops, true, NULL, NULL, &reply, err) < 0)
		return -1;
	json_object_set_new(document, "released", json_integer((json_int_t)ops.n));
	return 0;
}

static void remove_directories(const struct gc *gc, json_t *outcome)
{
	for (size_t i = 0; i < gc->directories.n; i++) {
		struct err err CLEANUP(err_release) = ERR_INIT;
		bool done = fs_remove_directory(gc->directories.v[i], &err) == 0;

		json_array_append_new(outcome,
				      json_pack("{s:s, s:s?}", "directory", gc->directories.v[i],
						"message", done ? NULL : err.message));
	}
}

/* Adds "outcome", "dropped", "removed" and "failed". */
static int judge_outcome(json_t *document, json_t *outcome, struct err *err)
{
	json_int_t dropped = 0;
	json_int_t removed = 0;
	json_int_t failed = 0;
	const char *first = NULL;

	for (size_t i = 0; i < json_array_size(outcome); i++) {
		const json_t *one = json_array_get(outcome, i);
		const char *message = js_get_string(one, "message");

		failed += message != NULL;
		dropped += !message && js_get_string(one, "relation");
		removed += !message && js_get_string(one, "directory");
		first = first ? first : message;
	}
	json_object_set(document, "outcome", outcome);
	json_object_set_new(document, "dropped", json_integer(dropped));
	json_object_set_new(document, "removed", json_integer(removed));
	json_object_set_new(document, "failed", json_integer(failed));
	if (!failed)
		return 0;
	return err_set(err, ERR_GC_FAILED, "%lld of %zu could not be dropped: %s",
		       (long long)failed, json_array_size(outcome), first);
}

static int clean(struct gc *gc, json_t *document, struct err *err)
{
	json_t *outcome CLEANUP(js_free) = json_array();
	struct strv guards CLEANUP(strv_release) = STRV_INIT;

	if (gc->holder)
		return err_set(err, ERR_LOCKED, "nothing is dropped while a lock is held: %s",
			       gc->holder);
	if (release_spent(gc, document, err) < 0 || push_guards(gc, &guards, err) < 0)
		return -1;
	drop_restores(gc, &guards, outcome);
	drop_copies(gc, &guards, outcome);
	remove_directories(gc, outcome);
	return judge_outcome(document, outcome, err);
}

int deploy_gc(struct deploy *deploy, deploy_gc_confirm *confirm, void *context,
	      json_t **ret_document, struct err *err)
{
	struct gc gc CLEANUP(gc_release) = { .deploy = deploy };
	char *home CLEANUP(mem_free_string) = fs_join(deploy->sides.home, "deployments");
	struct reporter *reporter = deploy->request.reporter;

	*ret_document = NULL;
	reporter->note(reporter, "reading the project with dbt");
	if (sides_parse(&deploy->sides, err) < 0 || lock_project(deploy, err) < 0)
		return -1;
	deploy_identify(deploy);
	state_init(&gc.state, deploy->sides.dialect, deploy_database(deploy), NULL);
	reporter->note(reporter, "looking for what deployments left");
	if (look(&gc, err) < 0 || look_for_directories(&gc, home, err) < 0)
		return -1;
	*ret_document = found(&gc);
	if (!confirm(context, *ret_document))
		return 0;
	return clean(&gc, *ret_document, err);
}
