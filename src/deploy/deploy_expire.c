/* Restore points that go: each in a transaction of its own, which says so in the history. */
#include <stdlib.h>
#include <string.h>

#include "airlock/base/fs.h"
#include "airlock/base/proc.h"
#include "airlock/deploy/restore.h"
#include "airlock/format/json.h"
#include "deploy_parts.h"

static void add_outcome(json_t *outcome, const struct restore_point *point, const char *message)
{
	json_t *one = restore_json(point);

	json_object_set_new(one, "message", message ? json_string(message) : json_null());
	json_array_append_new(outcome, one);
}

/* The calls of one drop appended to `ops`. */
static int add_drop(struct deploy *deploy, const struct deploy_drops *drops,
		    const struct restore_point *point, const struct state *state, struct ops *ops,
		    struct err *err)
{
	struct strv statements CLEANUP(strv_release) = STRV_INIT;

	if (drops->guards)
		strv_push_all(&statements, drops->guards);
	if (restore_push_drop(state, point, drops->by, &statements, err) < 0)
		return -1;
	ops_add_transaction(ops, deploy->sides.dialect, &statements);
	return 0;
}

/* Each once, also where some are tried again in an operation of their own. */
static void show(struct deploy *deploy, const struct deploy_drops *drops, const struct state *state)
{
	struct reporter *reporter = deploy->request.reporter;
	struct err ignored CLEANUP(err_release) = ERR_INIT;

	for (size_t i = 0; i < drops->n; i++) {
		struct strv statements CLEANUP(strv_release) = STRV_INIT;

		restore_push_drop(state, drops->points[i], drops->by, &statements, &ignored);
		for (size_t k = 0; k < statements.n; k++)
			reporter->statement(reporter, statements.v[k]);
	}
}

static int run_ops(struct deploy *deploy, const struct ops *ops, struct ops_reply *reply,
		   struct err *err)
{
	if (deploy->executor.connection)
		return executor_run_ops(&deploy->executor, ops, true, reply, err);
	return ops_run(&deploy->sides.connection, ops, true, NULL, NULL, reply, err);
}

/* Drops from `first` on in one operation. Returns how many are settled: all, or up to and with the
 * first that failed. */
static size_t drop_from(struct deploy *deploy, const struct deploy_drops *drops,
			const struct state *state, size_t first, json_t *outcome)
{
	struct ops ops CLEANUP(ops_release) = OPS_INIT;
	struct ops_reply reply CLEANUP(ops_reply_release) = { 0 };
	struct err err CLEANUP(err_release) = ERR_INIT;
	size_t *ends = mem_alloc((drops->n + 1) * sizeof(*ends));
	int result = 0;
	size_t i;

	for (i = first; i < drops->n && result == 0; i++) {
		result = add_drop(deploy, drops, drops->points[i], state, &ops, &err);
		ends[i] = ops.n;
	}
	if (result == 0)
		result = run_ops(deploy, &ops, &reply, &err);
	for (i = first; i < drops->n; i++) {
		const char *file = drops->points[i]->file;
		bool done = result == 0 || ends[i] <= reply.calls_done;
		struct err kept CLEANUP(err_release) = ERR_INIT;

		if (done && file)
			fs_remove(file, &kept);
		add_outcome(outcome, drops->points[i], done ? kept.message : err.message);
		if (!done) {
			i++;
			break;
		}
	}
	free(ends);
	return i;
}

void deploy_see_files(json_t *rows)
{
	for (size_t i = json_array_size(rows); i-- > 0;) {
		json_t *row = json_array_get(rows, i);
		const char *production = js_get_string(row, "file");
		const char *id = js_get_string(row, "id");
		struct fs_stamp stamp;

		if (!production || !id)
			continue;
		char *real CLEANUP(mem_free_string) = fs_real(production);
		char *path CLEANUP(mem_free_string) = real ? deploy_aside_path(real, id) : NULL;

		if (!path || !fs_is_regular(path) || !fs_stamp(path, &stamp)) {
			json_array_remove(rows, i);
			continue;
		}
		json_object_set_new(row, "file", json_string(path));
		json_object_set_new(row, "bytes", json_integer((json_int_t)stamp.size));
	}
}

void deploy_drop_restores(struct deploy *deploy, const struct deploy_drops *drops, json_t *outcome)
{
	struct state state CLEANUP(state_release) = { 0 };
	size_t i = 0;

	state_init(&state, deploy->sides.dialect, deploy_database(deploy), NULL);
	show(deploy, drops, &state);
	while (i < drops->n) {
		if (proc_interrupted())
			add_outcome(outcome, drops->points[i++], "interrupted");
		else
			i = drop_from(deploy, drops, &state, i, outcome);
	}
}

static void tell(struct deploy *deploy, const json_t *outcome)
{
	struct reporter *reporter = deploy->request.reporter;

	for (size_t i = 0; i < json_array_size(outcome); i++) {
		const json_t *one = json_array_get(outcome, i);
		const char *message = js_get_string(one, "message");

		if (!message) {
			deploy->result.restores_dropped++;
			continue;
		}
		char *text CLEANUP(mem_free_string) =
			mem_printf("the expired restore point '%s' was not dropped: %s; 'airlock "
				   "gc' tries again",
				   js_get_string(one, "relation"), message);

		reporter->warning(reporter, text);
	}
}

static int expire(struct deploy *deploy, struct err *err)
{
	const struct restore_list *list = &deploy->final_plan.restores;
	struct deploy_drops drops = { .by = STATE_EXPIRED_BY_DEPLOY };
	json_t *outcome CLEANUP(js_free) = json_array();

	drops.points = arena_alloc(&deploy->arena, (list->n + 1) * sizeof(struct restore_point *));
	for (size_t i = 0; i < list->n; i++)
		if (list->v[i].state == RESTORE_EXPIRED)
			drops.points[drops.n++] = &list->v[i];
	(void)err;
	deploy_drop_restores(deploy, &drops, outcome);
	tell(deploy, outcome);
	return 0;
}

void deploy_expire(struct deploy *deploy)
{
	struct err err CLEANUP(err_release) = ERR_INIT;

	if (!plan_step(&deploy->final_plan, "expire") || proc_interrupted())
		return;
	if (deploy_step(deploy, &deploy->final_plan, "expire", expire, &err) < 0)
		deploy->request.reporter->warning(deploy->request.reporter, err.message);
}
