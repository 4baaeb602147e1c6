/* Deployments that died: who of them is dead, and what becomes of what they left. */
#include <stdlib.h>
#include <string.h>

#include "airlock/base/host.h"
#include "airlock/deploy/history.h"
#include "airlock/format/json.h"
#include "deploy_parts.h"

bool deploy_can_see(const struct deploy *deploy, const char *host, const char *boot)
{
	return strcmp(host, deploy_bound(deploy, "host")) == 0 &&
	       host_is_pid_space(boot, deploy_bound(deploy, "boot"));
}

static bool is_alive(const struct state_lock *lock)
{
	return host_process_is_alive((pid_t)lock->pid, strtoull(lock->start, NULL, 10));
}

bool deploy_holder_is_dead(const struct deploy *deploy, const struct state_lock *lock)
{
	if (deploy_can_see(deploy, lock->host, lock->boot))
		return !is_alive(lock);
	return strcmp(lock->host, deploy_bound(deploy, "host")) == 0 &&
	       host_pid_space_is_gone(lock->boot, deploy_bound(deploy, "boot"));
}

bool deploy_holder_is_alive_here(const struct deploy *deploy, const struct state_lock *lock)
{
	return deploy_can_see(deploy, lock->host, lock->boot) && is_alive(lock);
}

/* What `on_unfinished` says of it. */
static int may_settle(const struct deploy *deploy, const struct state_lock *seen, struct err *err)
{
	const struct config *config = deploy->request.config;
	struct reporter *reporter = deploy->request.reporter;
	const char *mode = config_text(config, OPTION_ON_UNFINISHED);
	char *question CLEANUP(mem_free_string) =
		mem_printf("Deployment '%s' of %s, since %s, did not come to its end. Settle it "
			   "and go on?",
			   seen->id, seen->user, seen->since);

	if (!mode)
		mode = deploy->request.ask ? "ask" : "auto";
	if (strcmp(mode, "auto") == 0)
		return 0;
	if (strcmp(mode, "ask") == 0 &&
	    (config_bool(config, OPTION_YES) ||
	     (deploy->request.ask && reporter->ask(reporter, question))))
		return 0;
	err_set(err, ERR_UNFINISHED, "deployment '%s' of %s on %s, since %s, is unfinished",
		seen->id, seen->user, seen->host, seen->since);
	return err_hint(err, "'airlock resume %s' brings it to its end, 'airlock abort %s' ends it",
			seen->id, seen->id);
}

/* How it is known that it does not go on. */
static const char *ending(const struct deploy *deploy, const struct state_lock *seen)
{
	if (deploy_holder_is_dead(deploy, seen))
		return "died";
	return seen->expired ? "did not renew the lease of its lock" : "was given up";
}

/* One that died between two of its tables cannot be ended by somebody who does not go on with it;
 * `airlock unlock` leaves production as it is, and says so. */
static int check_partly(struct deploy *deploy, const struct state_lock *seen, bool *ret_partly,
			struct err *err)
{
	struct strv queries CLEANUP(strv_release) = STRV_INIT;
	struct ops_reply reply CLEANUP(ops_reply_release) = { 0 };

	*ret_partly = false;
	if (deploy->sides.dialect->transaction != DIALECT_TRANSACTION_NONE)
		return 0;
	if (state_push_history(&deploy->state, seen->id, &queries, err) < 0 ||
	    executor_run_queries(&deploy->executor, &queries, &reply, err) < 0)
		return -1;
	json_t *deployments CLEANUP(js_free) = history_of(reply.rows[0], err);

	if (!deployments)
		return -1;
	*ret_partly = deploy_may_be_partly(deploy, json_array_get(deployments, 0));
	return deploy->unlocks ? 0
			       : deploy_refuse_partly(deploy, json_array_get(deployments, 0), err);
}

static bool knows(const struct state *state, const char *name)
{
	for (size_t i = 0; i < state->n; i++)
		if (strcmp(state->containers[i].name, name) == 0)
			return true;
	return false;
}

/* What else the dead one holds, of a staging or of restore points that are none of ours: with its
 * end recorded that is nobody's. Where this fails gc finds it. */
static void release_others(struct deploy *deploy, const struct state_lock *seen, const json_t *rows)
{
	struct err ignored CLEANUP(err_release) = ERR_INIT;
	json_t *deployments CLEANUP(js_free) = history_of(rows, &ignored);
	const json_t *names = js_get_array(json_array_get(deployments, 0), "locks");
	struct state others CLEANUP(state_release) = { 0 };
	struct strv statements CLEANUP(strv_release) = STRV_INIT;
	struct ops ops CLEANUP(ops_release) = OPS_INIT;
	struct ops_reply reply CLEANUP(ops_reply_release) = { 0 };
	struct sql_binding of_dead[] = { { "nonce", seen->nonce } };
	struct executor dead = deploy->executor;
	size_t n = 0;

	state_init_names(&others, deploy->sides.dialect, deploy_database(deploy), names);
	for (size_t i = 0; i < others.n; i++)
		if (!knows(&deploy->state, others.containers[i].name))
			others.containers[n++] = others.containers[i];
	others.n = others.held_count = n;
	dead.bindings = of_dead;
	dead.binding_count = 1;
	if (n > 0 && state_push_release(&others, &statements, &ignored) == 0 &&
	    executor_add_statements(&dead, &statements, false, &ops, &ignored) == 0)
		executor_run_ops(&deploy->executor, &ops, true, &reply, &ignored);
}

static bool is_half_done(const json_t *rows)
{
	struct err ignored CLEANUP(err_release) = ERR_INIT;
	json_t *deployments CLEANUP(js_free) = history_of(rows, &ignored);

	return history_is_half_done(json_array_get(deployments, 0));
}

/*
 * The lock of a dead holder, behind the end of what that left running: taken exactly as it was
 * seen, so that of two who try only one succeeds. The update waits for a publish of the dead one
 * that the server may still be ending; whether that published is read afterwards, and recorded.
 */
int deploy_take_over(struct deploy *deploy, const struct state_lock *seen, struct err *err)
{
	struct strv take CLEANUP(strv_release) = STRV_INIT;
	struct strv probe CLEANUP(strv_release) = STRV_INIT;
	struct ops ops CLEANUP(ops_release) = OPS_INIT;
	struct ops_reply reply CLEANUP(ops_reply_release) = { 0 };
	struct sql_binding of_dead[] = { { "id", seen->id } };
	struct executor dead = deploy->executor;
	json_t *detail CLEANUP(js_free) = json_pack("{s:s}", "by", deploy->id);
	bool is_dead = deploy_holder_is_dead(deploy, seen);
	bool partly;

	dead.bindings = of_dead;
	dead.binding_count = 1;
	if (check_partly(deploy, seen, &partly, err) < 0 ||
	    (!deploy->unlocks && may_settle(deploy, seen, err) < 0) ||
	    (is_dead && (deploy_end_recorded(deploy, seen->id, err) < 0 ||
			 deploy_end_started(deploy, seen, err) < 0)))
		return -1;
	if (partly)
		json_object_set_new(detail, "outcome", json_string("unknown"));
	if (state_push_take(&deploy->state, seen, deploy->unlocks || is_dead, detail, &take, err) <
		    0 ||
	    state_push_probe(&deploy->state, &probe, err) < 0 ||
	    state_push_history(&deploy->state, seen->id, &probe, err) < 0 ||
	    executor_add_statements(&deploy->executor, &take, false, &ops, err) < 0 ||
	    executor_add_statements(&dead, &probe, true, &ops, err) < 0 ||
	    executor_run_ops(&deploy->executor, &ops, false, &reply, err) < 0)
		return -1;
	bool published = js_get_bool(json_array_get(reply.rows[take.n], 0), "published", false);
	bool half = is_half_done(reply.rows[take.n + 1]);
	char *text CLEANUP(mem_free_string) = mem_printf(
		"deployment '%s' %s and is settled: it had %s", seen->id, ending(deploy, seen),
		half        ? "begun to change production, and left it so"
		: published ? "published"
		: partly    ? "begun to publish: some of production may be new"
			    : "not changed production");

	deploy->request.reporter->note(deploy->request.reporter, text);
	if (!deploy->unlocks)
		release_others(deploy, seen, reply.rows[take.n + 1]);
	return 0;
}

static int give_production_back(struct deploy *deploy, struct err *err)
{
	struct strv statements CLEANUP(strv_release) = STRV_INIT;
	struct ops ops CLEANUP(ops_release) = OPS_INIT;
	struct ops_reply reply CLEANUP(ops_reply_release) = { 0 };

	if (state_push_release_production(&deploy->state, &statements, err) < 0 ||
	    executor_add_statements(&deploy->executor, &statements, false, &ops, err) < 0)
		return -1;
	return executor_run_ops(&deploy->executor, &ops, false, &reply, err);
}

int deploy_settle_production(struct deploy *deploy, bool *ret_settled, struct err *err)
{
	struct strv queries CLEANUP(strv_release) = STRV_INIT;
	struct ops_reply reply CLEANUP(ops_reply_release) = { 0 };

	*ret_settled = false;
	if (state_push_read_all(&deploy->state, &queries, err) < 0 ||
	    executor_run_queries(&deploy->executor, &queries, &reply, err) < 0)
		return -1;
	for (size_t i = deploy->state.held_count; i < deploy->state.n; i++) {
		struct state_lock lock;

		if (state_read_lock(&deploy->state, i, reply.rows[i], &lock, err) < 0)
			return -1;
		if (!*lock.nonce || (!lock.expired && !deploy_holder_is_dead(deploy, &lock)))
			continue;
		if (deploy_take_over(deploy, &lock, err) < 0)
			return -1;
		*ret_settled = true;
	}
	return *ret_settled ? give_production_back(deploy, err) : 0;
}
