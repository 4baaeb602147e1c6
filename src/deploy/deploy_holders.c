/* What a plan is made of, and who holds the locks beside it: read in one operation, and no lock
 * is taken for it. Before the first deployment there is no log, and of some schemas no lock: that
 * ends the operation behind the picture, which serves. */
#include <string.h>

#include "airlock/deploy/observe.h"
#include "airlock/format/json.h"
#include "deploy_parts.h"

static const char *state_of(const struct deploy *deploy, const struct state_lock *lock)
{
	if (deploy_holder_is_dead(deploy, lock))
		return "dead";
	return lock->expired ? "expired" : "held";
}

static void add_holder(struct deploy *deploy, const json_t *rows)
{
	const json_t *row = json_array_get(rows, 0);
	struct state_lock lock;

	state_lock_of(row, &lock);
	if (!*lock.nonce)
		return;
	char *holder CLEANUP(mem_free_string) = state_holder(&lock);

	json_array_append_new(deploy->held,
			      json_pack("{s:s?, s:s, s:s, s:s, s:s, s:I, s:s, s:s, s:s?, s:s, s:s}",
					"container", js_get_string(row, "container"), "id", lock.id,
					"name", lock.name, "user", lock.user, "host", lock.host,
					"pid", lock.pid, "since", lock.since, "phase", lock.phase,
					"expires", js_get_string(row, "expires"), "state",
					state_of(deploy, &lock), "holder", holder));
}

static bool is_among(const json_t *names, const char *name)
{
	for (size_t i = 0; i < json_array_size(names); i++) {
		const char *other = js_get_string(json_array_get(names, i), "identifier");

		if (other && strcmp(other, name) == 0)
			return true;
	}
	return false;
}

/* Of some schemas there is a lock already, of others there is none. */
static int read_listed(struct deploy *deploy, const struct state *state, struct err *err)
{
	struct strv list CLEANUP(strv_release) = STRV_INIT;
	struct strv queries CLEANUP(strv_release) = STRV_INIT;
	struct ops ops CLEANUP(ops_release) = OPS_INIT;
	struct ops_reply listed CLEANUP(ops_reply_release) = { 0 };
	struct ops_reply reply CLEANUP(ops_reply_release) = { 0 };
	json_t **names;

	if (state_push_list(state, &list, err) < 0 || state_push_read(state, &queries, err) < 0 ||
	    deploy_look(deploy, &list, &listed, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < queries.n; i++)
		if (is_among(names[0], state->containers[i].lock.identifier))
			ops_add_query(&ops, queries.v[i]);
	if (ops_run(&deploy->sides.connection, &ops, false, NULL, NULL, &reply, err) < 0)
		return -1;
	for (size_t i = 0; i < reply.n; i++)
		add_holder(deploy, reply.rows[i]);
	return 0;
}

/* The picture comes first: it is whole whatever of the rest is missing. */
static int push_queries(const struct deploy *deploy, const struct state *state,
			struct strv *queries, size_t *ret_picture, struct err *err)
{
	if (observe_push_queries(&deploy->routes, NULL, OBSERVE_NO_ROWS, queries, err) < 0)
		return -1;
	*ret_picture = queries->n;
	if (state_push_restore_list(state, queries, err) < 0 ||
	    (deploy_asks_orphans(deploy) && deploy_push_published(deploy, state, queries, err) < 0))
		return -1;
	return state_push_read(state, queries, err);
}

int deploy_look(const struct deploy *deploy, const struct strv *queries,
		struct ops_reply *ret_reply, json_t ***ret_rows, struct err *err)
{
	struct ops ops CLEANUP(ops_release) = OPS_INIT;
	const char *setting = deploy->locked ? NULL : deploy->sides.dialect->look_setting;

	if (setting)
		ops_add(&ops, setting);
	for (size_t i = 0; i < queries->n; i++)
		ops_add_query(&ops, queries->v[i]);
	int ran = ops_run(&deploy->sides.connection, &ops, false, NULL, NULL, ret_reply, err);

	*ret_rows = ret_reply->rows + (ops.n - queries->n);
	return ran;
}

static bool is_lock_missing(const struct err *err)
{
	return err->code == ERR_WAREHOUSE && strstr(err->message, "airlock_lock_") &&
	       strstr(err->message, "does not exist");
}

static int look(struct deploy *deploy, const struct state *state, struct err *err)
{
	struct strv queries CLEANUP(strv_release) = STRV_INIT;
	struct ops_reply reply CLEANUP(ops_reply_release) = { 0 };
	bool asks = deploy_asks_orphans(deploy);
	json_t **rows;
	size_t n;

	json_array_clear(deploy->held);
	if (push_queries(deploy, state, &queries, &n, err) < 0)
		return -1;
	int looked = deploy_look(deploy, &queries, &reply, &rows, err);
	bool has_log = looked == 0 || !deploy_is_log_missing(err);

	if (looked < 0 && has_log && !is_lock_missing(err))
		return -1;
	if (looked < 0)
		err_release(err);
	json_t *picture CLEANUP(js_free) = observe_collect(rows, n, false, err);

	if (has_log)
		deploy_see_files(rows[n]);
	if (picture && has_log)
		json_object_set(picture, "restores", rows[n]);
	if (deploy_picture(deploy, picture, &deploy->observed, err) < 0)
		return -1;
	if (!has_log)
		return 0;
	for (size_t i = n + 1 + asks; looked == 0 && i < queries.n; i++)
		add_holder(deploy, rows[i]);
	if (looked < 0 && read_listed(deploy, state, err) < 0)
		return -1;
	return asks ? deploy_find_orphans(deploy, rows[n + 1], err) : 0;
}

/* It made way for somebody, whose transaction may have ended by now. */
static bool may_look_again(const struct deploy *deploy, struct backoff *backoff, struct err *err)
{
	if (deploy_may_look_again(deploy, backoff, err))
		return true;
	if (deploy_gave_way(deploy, err))
		err_hint(
			err,
			"a build, or somebody else, keeps a table that a view of production reads");
	return false;
}

int deploy_observe_for_plan(struct deploy *deploy, struct err *err)
{
	struct state state CLEANUP(state_release) = { 0 };
	struct backoff backoff;

	deploy_begin_looking(&backoff);
	deploy->request.reporter->note(deploy->request.reporter, "looking at the warehouse");
	deploy_identify(deploy);
	json_decref(deploy->held);
	deploy->held = json_array();
	state_init(&state, deploy->sides.dialect, deploy_database(deploy), &deploy->routes);
	if (deploy_holds_production(deploy))
		state_hold_production(&state);
	while (look(deploy, &state, err) < 0) {
		if (!may_look_again(deploy, &backoff, err))
			return -1;
		err_release(err);
	}
	return 0;
}

const json_t *deploy_locks(const struct deploy *deploy)
{
	return deploy->held;
}
