/*
 * The publish of a run, and what became of it. Production changes here only, in one transaction
 * whose own record says that it was committed; whatever dbt says of its end, that record is read
 * back before anything is claimed.
 */
#include <stdlib.h>
#include <string.h>

#include "airlock/base/host.h"
#include "airlock/base/md5.h"
#include "airlock/deploy/observe.h"
#include "airlock/deploy/record.h"
#include "airlock/format/json.h"
#include "deploy_parts.h"

enum { TRANSIENT_LIMIT_MS = 15000 };

static int observe_counted(struct deploy *deploy, const char *phase, struct observed *ret_observed,
			   struct err *err)
{
	struct strv queries CLEANUP(strv_release) = STRV_INIT;
	struct ops ops CLEANUP(ops_release) = OPS_INIT;
	struct ops_reply reply CLEANUP(ops_reply_release) = { 0 };
	bool asks = deploy->rolled_back;
	size_t first;

	/* First, so that nothing is counted for one whose lock is lost. */
	if (deploy_add_phase(deploy, phase, &ops, err) < 0 ||
	    observe_push_queries(&deploy->routes, &deploy->observed,
				 deploy_compares_content(deploy) ? OBSERVE_CONTENT : OBSERVE_COUNTS,
				 &queries, err) < 0 ||
	    (asks && state_push_history(&deploy->state, NULL, &queries, err) < 0) ||
	    state_push_restore_list(&deploy->state, &queries, err) < 0)
		return -1;
	first = ops.n;
	if (executor_add_statements(&deploy->executor, &queries, true, &ops, err) < 0)
		return -1;
	if (executor_run_ops(&deploy->executor, &ops, false, &reply, err) < 0) {
		deploy_name_raised(err, "the deployment was stopped");
		return -1;
	}
	json_t *picture CLEANUP(js_free) =
		observe_collect(reply.rows + first, reply.n - first - 1 - asks, true, err);

	if (asks && deploy_check_newest(deploy, reply.rows[reply.n - 2], err) < 0)
		return -1;
	deploy_see_files(reply.rows[reply.n - 1]);
	if (picture)
		json_object_set(picture, "restores", reply.rows[reply.n - 1]);
	return deploy_picture(deploy, picture, ret_observed, err);
}

int deploy_observe_counted(struct deploy *deploy, struct err *err)
{
	return observe_counted(deploy, "audit", &deploy->built, err);
}

int deploy_look_again(struct deploy *deploy, struct err *err)
{
	struct observed now = { 0 };
	int result = observe_counted(deploy, "publish", &now, err);

	if (result == 0)
		result = deploy_check_rebuilt(deploy, &now, err);
	observed_release(&now);
	return result;
}

/* What was not built here is known by its rows alone: an object and a count stay what they were
 * when somebody updates it. */
bool deploy_compares_content(const struct deploy *deploy)
{
	return deploy->request.builds_nothing || deploy->basis ||
	       config_is(deploy->request.config, OPTION_CONFLICT, "content");
}

static bool minds_age(const struct deploy *deploy)
{
	return mirror_is_configured(deploy->request.config) &&
	       config_is_set(deploy->request.config, OPTION_MIRROR_MAX_AGE);
}

/* A raw layer that nobody has refreshed for long is said, or stops the deployment. */
static int judge_age(struct deploy *deploy, const json_t *rows, struct err *err)
{
	json_t *ages CLEANUP(js_free) = mirror_ages(rows);
	char *old CLEANUP(mem_free_string) =
		mirror_old(deploy->request.config, &deploy->routes, ages);
	char *text CLEANUP(mem_free_string) =
		mem_printf("the mirror is older than max_age: %s", old ? old : "");

	if (!old)
		return 0;
	if (config_is(deploy->request.config, OPTION_MIRROR_IF_OLD, "stop"))
		return err_set(err, ERR_MIRROR_OLD, "%s", text);
	deploy->request.reporter->warning(deploy->request.reporter, text);
	return 0;
}

int deploy_count_tables(struct deploy *deploy, struct err *err)
{
	struct strv queries CLEANUP(strv_release) = STRV_INIT;
	struct ops_reply reply CLEANUP(ops_reply_release) = { 0 };
	json_t *picture CLEANUP(js_free) = json_copy(deploy->observed.json);
	json_t *rows = json_array();
	struct observed counted = { 0 };

	json_object_set_new(picture, "rows", rows);
	if (observe_push_tables(&deploy->routes, &deploy->observed,
				deploy->request.builds_nothing || deploy->basis,
				deploy_compares_content(deploy), &queries, err) < 0 ||
	    state_push_restore_list(&deploy->state, &queries, err) < 0)
		return -1;
	size_t restores = queries.n - 1;

	if ((minds_age(deploy) && state_push_history(&deploy->state, NULL, &queries, err) < 0) ||
	    executor_run_queries(&deploy->executor, &queries, &reply, err) < 0)
		return -1;
	for (size_t i = 0; i < restores; i++)
		json_array_extend(rows, reply.rows[i]);
	deploy_see_files(reply.rows[restores]);
	json_object_set(picture, "restores", reply.rows[restores]);
	if (restores + 1 < reply.n && judge_age(deploy, reply.rows[restores + 1], err) < 0)
		return -1;
	if (deploy_picture(deploy, picture, &counted, err) < 0)
		return -1;
	observed_release(&deploy->observed);
	deploy->observed = counted;
	return 0;
}

void deploy_name_raised(struct err *err, const char *what)
{
	static const struct {
		const char *begins;
		enum err_code code;
	} raised[] = {
		{ DIALECT_RAISED_CONFLICT, ERR_CONFLICT },
		{ DIALECT_RAISED_FENCE, ERR_LOCK_LOST },
		{ DIALECT_RAISED_HELD, ERR_LOCKED },
		{ DIALECT_RAISED_LOCK, ERR_PUBLISH_FAILED },
		{ DIALECT_RAISED_COUNT, ERR_PUBLISH_FAILED },
		{ DIALECT_RAISED_VIEW, ERR_PUBLISH_FAILED },
		{ DIALECT_RAISED_DEPENDENT, ERR_PUBLISH_FAILED },
	};
	char *message CLEANUP(mem_free_string) = mem_strdup(err->message);

	for (size_t i = 0; i < ARRAY_LEN(raised); i++) {
		const char *at = strstr(message, raised[i].begins);

		if (!at)
			continue;
		at += strlen(raised[i].begins);
		int len = (int)strcspn(at, "\n");

		err_set(err, raised[i].code, "%s:%.*s", what, len, at);
		return;
	}
}

void deploy_name_publish_failure(struct err *err)
{
	deploy_name_raised(err, "the publish was stopped");
	if (err->code != ERR_WAREHOUSE)
		return;
	char *message CLEANUP(mem_free_string) = mem_strdup(err->message);

	err_set(err, ERR_PUBLISH_FAILED, "the publish failed: %s", message);
}

/* After a publish whose end is not known: waits for the transaction if it still runs, makes the
 * fence useless for it, and reads whether its record is there. 1 published, 0 not, -1 unknown. */
static int probe(struct deploy *deploy, struct err *err)
{
	struct strv raise CLEANUP(strv_release) = STRV_INIT;
	struct strv query CLEANUP(strv_release) = STRV_INIT;
	struct ops ops CLEANUP(ops_release) = OPS_INIT;
	struct ops_reply reply CLEANUP(ops_reply_release) = { 0 };

	if (state_push_raise(&deploy->state, &raise, err) < 0 ||
	    state_push_probe(&deploy->state, &query, err) < 0 ||
	    executor_add_statements(&deploy->executor, &raise, false, &ops, err) < 0 ||
	    executor_add_statements(&deploy->executor, &query, true, &ops, err) < 0 ||
	    executor_run_ops(&deploy->executor, &ops, true, &reply, err) < 0)
		return -1;
	return js_get_bool(json_array_get(reply.rows[raise.n], 0), "published", false);
}

/* For somebody who holds production, and for what passes by itself. */
struct publish_waits {
	struct deploy_wait held;
	struct backoff transient;
};

static void publish_waits_init(const struct deploy *deploy, struct publish_waits *waits)
{
	deploy_wait_init(deploy, &waits->held);
	backoff_init(&waits->transient, 500, 4000, TRANSIENT_LIMIT_MS);
}

static void publish_waits_release(struct publish_waits *waits)
{
	deploy_wait_release(&waits->held);
}

static int settle_publish(struct deploy *deploy, const struct ops_reply *reply, bool *ret_partly,
			  struct err *err)
{
	struct err unread CLEANUP(err_release) = ERR_INIT;

	*ret_partly = false;
	if (executor_sent_nothing(&deploy->executor, reply, err))
		return -1;
	int published = probe(deploy, &unread);

	if (published == 0 && deploy_settle_partly(deploy, ret_partly, err, &unread) < 0)
		published = -1;
	switch (published) {
	case 1:
		deploy->result.production_changed = true;
		deploy->result.outcome = DEPLOY_PUBLISHED;
		deploy->request.reporter->warning(
			deploy->request.reporter,
			"the publish was reported as failed, but its record is committed");
		err_release(err);
		return 0;
	case 0:
		if (!*ret_partly)
			deploy_name_publish_failure(err);
		return -1;
	default:
		err_set(err, ERR_OUTCOME_UNKNOWN,
			"the publish failed and whether it was committed cannot be read (%.*s): %s",
			(int)strcspn(unread.message, "\n"), unread.message, err->message);
		return deploy_leave_unknown(deploy, err);
	}
}

const struct deploy_published *deploy_list_tables(struct deploy *deploy)
{
	const struct plan *plan = &deploy->final_plan;
	struct deploy_published *rows =
		arena_alloc(&deploy->arena, (plan->table_count + 1) * sizeof(*rows));
	const struct sql_binding id[] = { { "id", deploy->id } };

	for (size_t i = 0; i < plan->table_count; i++) {
		const struct plan_table *t = &plan->tables[i];
		const struct table *built =
			observed_table(&deploy->built, plan->dialect, &t->route->from);
		struct buf schema CLEANUP(buf_release) = BUF_INIT;
		struct buf restore CLEANUP(buf_release) = BUF_INIT;
		struct err ignored CLEANUP(err_release) = ERR_INIT;

		rows[i] = (struct deploy_published) {
			.route = t->route,
			.way = publish_way_name(t->way),
			.is_view = t->route->is_view || (built && table_is_view(built)),
			.rows = built && t->way != PUBLISH_REBUILD ? built->rows : -1
		};
		if (t->restore.identifier &&
		    sql_bind(&schema, t->restore.schema, id, 1, &ignored) == 0 &&
		    sql_bind(&restore, t->restore.identifier, id, 1, &ignored) == 0)
			rows[i].restore = arena_printf(&deploy->arena, "%s.%s", buf_cstr(&schema),
						       buf_cstr(&restore));
	}
	return rows;
}

void deploy_list_published(struct deploy *deploy)
{
	deploy->result.published = deploy_list_tables(deploy);
	deploy->result.published_count = deploy->final_plan.table_count;
}

/* Production is held: by one that died, which is settled, or by one that is waited for. */
static bool settle_or_wait(struct deploy *deploy, struct publish_waits *waits, struct err *err)
{
	struct err failure = ERR_INIT;
	bool settled;

	if (deploy_settle_production(deploy, &settled, &failure) < 0) {
		err_release(err);
		*err = failure;
		return false;
	}
	if (!settled)
		return deploy_wait(deploy, &waits->held, err);
	err_release(err);
	return true;
}

/* A failed publish whose record is known to be missing: whether it is worth another try. */
static bool may_publish_again(struct deploy *deploy, struct publish_waits *waits, bool transient,
			      struct err *err)
{
	if (deploy->result.outcome == DEPLOY_UNKNOWN)
		return false;
	if (err->code == ERR_LOCKED)
		return settle_or_wait(deploy, waits, err);
	if (!transient || !backoff_wait(&waits->transient))
		return false;
	char *text CLEANUP(mem_free_string) = mem_printf(
		"publishing again: %.*s", (int)strcspn(err->message, "\n"), err->message);

	deploy->request.reporter->note(deploy->request.reporter, text);
	err_release(err);
	return true;
}

static int try_publish(struct deploy *deploy, const struct ops *ops, struct publish_waits *waits,
		       bool *ret_again, bool *ret_finished, struct err *err)
{
	struct executor *x = &deploy->executor;
	struct ops_reply reply CLEANUP(ops_reply_release) = { 0 };
	bool transient, partly;

	*ret_again = false;
	if (deploy_run_publish(deploy, ops, &reply, err) == 0) {
		*ret_finished = reply.finished;
		return 0;
	}
	transient = executor_is_transient(x, err);
	if (settle_publish(deploy, &reply, &partly, err) == 0)
		return 0;
	if (partly)
		return -1;
	json_t *fields CLEANUP(js_free) = json_pack("{s:s?}", "message", err->message);
	struct err ignored CLEANUP(err_release) = ERR_INIT;

	if (!may_publish_again(deploy, waits, transient, err))
		return -1;
	journal_write(&deploy->journal, "retry", "publish", fields, &ignored);
	*ret_again = true;
	return 0;
}

/* The transaction, and in the same operation the end (record and unlock) unless a hook is to run
 * before that. */
int deploy_publish(struct deploy *deploy, struct err *err)
{
	struct executor *x = &deploy->executor;
	const struct step *step = plan_step(&deploy->final_plan, "publish");
	const struct step *finish = plan_step(&deploy->final_plan, "finish");
	bool rebuilds = plan_step(&deploy->final_plan, "rebuild");
	bool finishes = !plan_step(&deploy->final_plan, "after_publish") && !rebuilds;
	struct ops ops CLEANUP(ops_release) = OPS_INIT;
	struct publish_waits waits CLEANUP(publish_waits_release);
	bool again = true;
	bool finished = false;
	struct strv intent CLEANUP(strv_release) = STRV_INIT;
	json_t *detail CLEANUP(js_free) = deploy_intent(deploy);

	publish_waits_init(deploy, &waits);
	if (executor_check_interrupted("publish", err) < 0)
		return -1;
	/* Of a rebuild that is resumed: what was there before it is kept already, and some of it
	 * may be new. */
	if (js_get_bool(deploy->resumed, "rebuilds", false)) {
		deploy->result.production_changed = true;
		return deploy_look_again(deploy, err);
	}
	/* The phase is seen by others before the transaction that sets it as well has ended;
	 * without one it is seen at once. */
	if ((x->dialect->transaction != DIALECT_TRANSACTION_NONE &&
	     deploy_add_phase(deploy, "publish", &ops, err) < 0) ||
	    state_push_log_held(&deploy->state, STATE_INTENT, detail, &intent, err) < 0 ||
	    executor_add_statements(x, &intent, false, &ops, err) < 0 ||
	    executor_add(x, step, &ops, err) < 0 ||
	    (finishes && executor_add(x, finish, &ops, err) < 0))
		return -1;
	while (again)
		if (try_publish(deploy, &ops, &waits, &again, &finished, err) < 0)
			return -1;
	if (finished && finishes)
		deploy->holds_lock = false;
	/* In front of a rebuild the transaction only keeps what there is. */
	deploy->result.production_changed = !rebuilds;
	deploy->result.outcome = rebuilds ? DEPLOY_FAILED : DEPLOY_PUBLISHED;
	if (!rebuilds)
		deploy_list_published(deploy);
	return 0;
}

int deploy_step(struct deploy *deploy, const struct plan *plan, const char *id, deploy_phase_fn *fn,
		struct err *err)
{
	const struct step *step = plan_step(plan, id);
	int64_t began = host_monotonic_ms();

	if (executor_begin(&deploy->executor, step, err) < 0)
		return -1;
	int result = executor_end(&deploy->executor, step, fn(deploy, err), err);

	deploy_note_phase(deploy, id, began);
	return result;
}

void deploy_note_phase(struct deploy *deploy, const char *name, int64_t began)
{
	json_int_t before = js_get_integer(deploy->phases, name, 0);

	if (!deploy->phases)
		deploy->phases = json_object();
	json_object_set_new(deploy->phases, name,
			    json_integer(before + (json_int_t)(host_monotonic_ms() - began)));
}

void deploy_add_figures(const struct deploy *deploy, unsigned coming, json_t *record)
{
	if (deploy->phases)
		json_object_set_new(record, "phases_ms", json_copy(deploy->phases));
	json_object_set_new(record, "dbt_starts",
			    json_integer((json_int_t)(deploy->sides.runner->starts + coming)));
}
