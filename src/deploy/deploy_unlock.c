/* The lock of a deployment that will not give it back: found wherever it is, and taken over, which
 * settles what that deployment did, only to be released. */
#include <string.h>

#include "airlock/base/host.h"
#include "airlock/deploy/history.h"
#include "airlock/format/json.h"
#include "deploy_parts.h"

/* Whatever it was that it deployed: all lock tables that there are. */
static int find_tables(struct deploy *deploy, const char *id, struct err *err)
{
	struct state *state = &deploy->state;
	struct strv query CLEANUP(strv_release) = STRV_INIT;
	struct ops_reply reply CLEANUP(ops_reply_release) = { 0 };

	if (state_push_list(state, &query, err) < 0 ||
	    executor_run_queries(&deploy->executor, &query, &reply, err) < 0)
		return -1;
	size_t n = json_array_size(reply.rows[0]);

	if (n == 0)
		return err_set(err, ERR_DEPLOYMENT_UNKNOWN,
			       "there is no deployment '%s': nothing was deployed yet", id);
	state->containers = arena_alloc(&state->arena, n * sizeof(*state->containers));
	state->n = state->staging_count = state->held_count = n;
	for (size_t i = 0; i < n; i++) {
		const char *name = js_get_string(json_array_get(reply.rows[0], i), "identifier");

		state->containers[i] = (struct state_container) {
			.name = arena_strdup(&state->arena, name),
			.lock = state->schema,
		};
		state->containers[i].lock.identifier = state->containers[i].name;
	}
	return 0;
}

int deploy_refuse_running(const struct state_lock *lock, struct err *err)
{
	char *holder CLEANUP(mem_free_string) = state_holder(lock);

	err_set(err, ERR_LOCKED, "its process is alive on this machine: %s", holder);
	return err_hint(err,
			"end it with 'kill -TERM %lld': it gives its lock back by itself; one that "
			"hangs or is stopped needs 'kill -KILL %lld'",
			(long long)lock->pid, (long long)lock->pid);
}

/* Keeps the containers that the deployment holds, and their rows in `held`. */
static int keep_held(struct deploy *deploy, const char *id, json_t *const *rows, struct err *err)
{
	struct state *state = &deploy->state;
	size_t kept = 0;

	deploy->held = json_array();
	for (size_t i = 0; i < state->n; i++) {
		struct state_lock lock;

		if (state_read_lock(state, i, rows[i], &lock, err) < 0)
			return -1;
		if (!*lock.nonce || strcmp(lock.id, id) != 0)
			continue;
		if (deploy_holder_is_alive_here(deploy, &lock))
			return deploy_refuse_running(&lock, err);
		const char *name = js_get_string(json_array_get(rows[i], 0), "container");

		json_array_append(deploy->held, rows[i]);
		state->containers[kept] = state->containers[i];
		state->containers[kept++].name = arena_strdup(&state->arena, name);
	}
	state->n = state->staging_count = state->held_count = kept;
	return 0;
}

static void describe(struct deploy *deploy, struct deploy_unlock *ret_unlock)
{
	*ret_unlock = (struct deploy_unlock) { .n = deploy->state.n };
	for (size_t i = 0; i < deploy->state.n; i++) {
		struct state_lock lock;

		state_lock_of(json_array_get(json_array_get(deploy->held, i), 0), &lock);
		char *holder CLEANUP(mem_free_string) = state_holder(&lock);

		ret_unlock->holder = arena_strdup(&deploy->arena, holder);
		ret_unlock->is_certain = lock.expired || deploy_holder_is_dead(deploy, &lock);
	}
}

int deploy_unlock_find(struct deploy *deploy, const char *id, struct deploy_unlock *ret_unlock,
		       struct err *err)
{
	struct strv queries CLEANUP(strv_release) = STRV_INIT;
	struct ops_reply reply CLEANUP(ops_reply_release) = { 0 };

	deploy->unlocks = true;
	if (sides_parse(&deploy->sides, err) < 0 || deploy_start(deploy, err) < 0)
		return -1;
	deploy_init_state(deploy);
	if (find_tables(deploy, id, err) < 0 ||
	    state_push_read(&deploy->state, &queries, err) < 0 ||
	    state_push_history(&deploy->state, id, &queries, err) < 0 ||
	    executor_run_queries(&deploy->executor, &queries, &reply, err) < 0 ||
	    keep_held(deploy, id, reply.rows, err) < 0)
		return -1;
	if (deploy->state.n == 0 && json_array_size(reply.rows[queries.n - 1]) == 0)
		return err_set(err, ERR_DEPLOYMENT_UNKNOWN, "there is no deployment '%s'", id);
	describe(deploy, ret_unlock);
	return 0;
}

static int release(struct deploy *deploy, const char *id, struct deploy_unlock *unlock,
		   struct err *err)
{
	const struct state *state = &deploy->state;
	struct strv queries CLEANUP(strv_release) = STRV_INIT;
	struct strv statements CLEANUP(strv_release) = STRV_INIT;
	struct ops ops CLEANUP(ops_release) = OPS_INIT;
	struct ops_reply reply CLEANUP(ops_reply_release) = { 0 };

	if (state_push_read(state, &queries, err) < 0 ||
	    state_push_history(state, id, &queries, err) < 0 ||
	    state_push_release(state, &statements, err) < 0 ||
	    executor_add_statements(&deploy->executor, &queries, true, &ops, err) < 0 ||
	    executor_add_statements(&deploy->executor, &statements, false, &ops, err) < 0 ||
	    executor_run_ops(&deploy->executor, &ops, true, &reply, err) < 0)
		return -1;
	for (size_t i = 0; i < state->n; i++) {
		struct state_lock lock;

		if (state_read_lock(state, i, reply.rows[i], &lock, err) < 0)
			return -1;
		if (strcmp(lock.nonce, deploy_bound(deploy, "nonce")) != 0)
			return err_set(err, ERR_LOCKED,
				       "the lock of '%s' has changed hands meanwhile",
				       state->containers[i].name);
	}
	json_t *deployments CLEANUP(js_free) = history_of(reply.rows[state->n], err);

	if (!deployments)
		return -1;
	const char *outcome = js_get_string(json_array_get(deployments, 0), "outcome");

	unlock->outcome = arena_strdup(&deploy->arena, outcome ? outcome : "failed");
	return 0;
}

int deploy_unlock(struct deploy *deploy, const char *id, struct deploy_unlock *unlock,
		  struct err *err)
{
	const char **names = arena_alloc(&deploy->arena, (unlock->n + 1) * sizeof(*names));

	for (size_t i = 0; i < unlock->n; i++) {
		struct state_lock lock;

		state_lock_of(json_array_get(json_array_get(deploy->held, i), 0), &lock);
		lock.container = &deploy->state.containers[i];
		names[i] = lock.container->name;
		if (deploy_take_over(deploy, &lock, err) < 0)
			return -1;
	}
	unlock->containers = names;
	return release(deploy, id, unlock, err);
}
