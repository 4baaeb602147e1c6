/*
 * One deployment from lock to unlock. Production changes in publish() only, in one transaction
 * whose own record says that it was committed; whatever dbt says of its end, that record is read
 * back before anything is claimed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "airlock/base/env.h"
#include "airlock/base/host.h"
#include "airlock/base/proc.h"
#include "airlock/deploy/observe.h"
#include "airlock/deploy/record.h"
#include "airlock/format/json.h"
#include "deploy_parts.h"

/* Binds stand inside quotes in the statements: what else a user or host name may hold is "_". */
static const char *plain_value(struct deploy *deploy, char *owned)
{
	for (char *p = owned; *p; p++)
		if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:-",
			    *p))
			*p = '_';
	char *value = arena_strdup(&deploy->arena, owned);

	free(owned);
	return value;
}

static void identify(struct deploy *deploy)
{
	char now[HOST_TIME_SIZE];
	char random[7];
	char nonce[33];
	size_t n = 0;

	host_time_utc(now);
	host_random_hex(random, 3);
	host_random_hex(nonce, 16);
	for (const char *p = now; *p && *p != '.'; p++)
		if (*p >= '0' && *p <= '9')
			deploy->id[n++] = *p;
	snprintf(deploy->id + n, sizeof(deploy->id) - n, "_%s", random);
	const struct sql_binding bindings[DEPLOY_BIND_COUNT] = {
		[DEPLOY_BIND_ID] = { "id", deploy->id },
		{ "name", plain_value(deploy, mem_strdup(deploy->strategy->name)) },
		{ "user", plain_value(deploy, host_user()) },
		{ "host", plain_value(deploy, host_name()) },
		{ "boot", plain_value(deploy, host_boot_id()) },
		{ "pid", plain_value(deploy, mem_printf("%lld", (long long)getpid())) },
		{ "start",
		  plain_value(deploy, mem_printf("%llu", (unsigned long long)host_process_start(
								 getpid()))) },
		{ "since", plain_value(deploy, mem_strdup(now)) },
		{ "phase", "begin" },
		[DEPLOY_BIND_NONCE] = { "nonce", plain_value(deploy, mem_strdup(nonce)) },
	};

	memcpy(deploy->bindings, bindings, sizeof(bindings));
	memcpy(deploy->result.id, deploy->id, sizeof(deploy->result.id));
}

static const char *bound(const struct deploy *deploy, const char *name)
{
	for (size_t i = 0; i < DEPLOY_BIND_COUNT; i++)
		if (strcmp(deploy->bindings[i].name, name) == 0)
			return deploy->bindings[i].value;
	return "";
}

static int project_locked(const char *holder_file, struct err *err)
{
	struct err ignored CLEANUP(err_release) = ERR_INIT;
	json_t *holder CLEANUP(js_free) = js_read_file(holder_file, 65536, ERR_FILE, &ignored);
	const char *id = js_get_string(holder, "id");

	if (!id)
		return err_set(err, ERR_LOCKED, "another deployment of this project is running");
	return err_set(err, ERR_LOCKED,
		       "this project is held by deployment '%s' of %s on %s, process %s, since %s",
		       id, js_get_string(holder, "user"), js_get_string(holder, "host"),
		       js_get_string(holder, "pid"), js_get_string(holder, "since"));
}

static int write_holder(const struct deploy *deploy, const char *holder_file, struct err *err)
{
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	json_t *holder CLEANUP(js_free) =
		json_pack("{s:s, s:s, s:s, s:s, s:s}", "id", deploy->id, "user",
			  bound(deploy, "user"), "host", bound(deploy, "host"), "pid",
			  bound(deploy, "pid"), "since", bound(deploy, "since"));

	js_write_pretty(holder, &text);
	return fs_write_atomic(holder_file, text.data, text.len, 0644, err);
}

/* Where one process at a time can open the database, a lock inside it could only be seen by
 * disturbing its holder: the project file decides, and nobody who waits opens the database. */
static int lock_project(struct deploy *deploy, struct err *err)
{
	char *holder_file CLEANUP(mem_free_string) = fs_join(deploy->sides.home, "holder.json");
	int held;

	if (!deploy->sides.dialect->one_writer)
		return 0;
	held = fs_lock_try(deploy->sides.project.file, &deploy->project_lock, err);
	if (held > 0)
		return project_locked(holder_file, err);
	return held < 0 ? -1 : write_holder(deploy, holder_file, err);
}

static int start(struct deploy *deploy, struct err *err)
{
	char *directory CLEANUP(mem_free_string) = fs_join(deploy->sides.home, "deployments");
	json_t *who CLEANUP(js_free) = NULL;

	identify(deploy);
	if (lock_project(deploy, err) < 0 ||
	    journal_open(directory, deploy->id, &deploy->journal, err) < 0)
		return -1;
	deploy->commit =
		record_commit(deploy->sides.project.directory, deploy->request.environment);
	state_init(&deploy->state, deploy->sides.dialect, deploy_database(deploy), &deploy->routes);
	deploy->executor = (struct executor) {
		.journal = &deploy->journal,
		.reporter = deploy->request.reporter,
		.connection = &deploy->sides.connection,
		.dialect = deploy->sides.dialect,
		.bindings = deploy->bindings,
		.binding_count = DEPLOY_BIND_COUNT,
		.fault = env_get(deploy->request.environment, "AIRLOCK_FAULT"),
	};
	who = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s?, s:s, s:s}", "id", deploy->id, "version",
			AIRLOCK_VERSION, "strategy", deploy->strategy->name, "from",
			deploy->sides.from, "user", bound(deploy, "user"), "to", deploy->sides.to,
			"host", bound(deploy, "host"), "pid", bound(deploy, "pid"));
	return journal_write(&deploy->journal, "deployment", NULL, who, err);
}

static bool holder_is_dead(const struct deploy *deploy, const struct state_lock *lock)
{
	return strcmp(lock->host, bound(deploy, "host")) == 0 &&
	       (strcmp(lock->boot, bound(deploy, "boot")) != 0 ||
		!host_process_is_alive((pid_t)lock->pid, strtoull(lock->start, NULL, 10)));
}

/*
 * The lock of a dead holder: taken exactly as it was seen, so that of two who try only one
 * succeeds. The update waits for a publish of the dead one that the server may still be ending;
 * whether that published is read afterwards, and recorded.
 */
static int take_over(struct deploy *deploy, const struct state_lock *seen, struct err *err)
{
	struct strv take CLEANUP(strv_release) = STRV_INIT;
	struct strv probe CLEANUP(strv_release) = STRV_INIT;
	struct strv record CLEANUP(strv_release) = STRV_INIT;
	struct ops ops CLEANUP(ops_release) = OPS_INIT;
	struct ops settle CLEANUP(ops_release) = OPS_INIT;
	struct ops_reply reply CLEANUP(ops_reply_release) = { 0 };
	struct ops_reply settled CLEANUP(ops_reply_release) = { 0 };
	struct sql_binding of_dead[] = { { "id", seen->id } };
	struct executor dead = deploy->executor;
	json_t *detail CLEANUP(js_free) = json_pack("{s:s}", "by", deploy->id);

	dead.bindings = of_dead;
	dead.binding_count = 1;
	if (state_push_take(&deploy->state, seen, &take, err) < 0 ||
	    state_push_probe(&deploy->state, &probe, err) < 0 ||
	    executor_add_statements(&deploy->executor, &take, false, &ops, err) < 0 ||
	    executor_add_statements(&dead, &probe, true, &ops, err) < 0 ||
	    executor_run_ops(&deploy->executor, &ops, false, &reply, err) < 0)
		return -1;
	bool published = js_get_bool(json_array_get(reply.rows[take.n], 0), "published", false);

	if (state_push_log(&deploy->state, published ? "finished" : "aborted", detail, &record,
			   err) < 0 ||
	    executor_add_statements(&dead, &record, false, &settle, err) < 0 ||
	    executor_run_ops(&deploy->executor, &settle, false, &settled, err) < 0)
		return -1;
	char *text CLEANUP(mem_free_string) =
		mem_printf("deployment '%s' died and is settled: it had %s", seen->id,
			   published ? "published" : "not changed production");

	deploy->request.reporter->note(deploy->request.reporter, text);
	return 0;
}

static bool is_ours(const struct deploy *deploy, const struct state_lock *lock)
{
	return strcmp(lock->nonce, bound(deploy, "nonce")) == 0;
}

/* Reads the locks back; those of dead holders are taken over and read once more. */
static int check_locks(struct deploy *deploy, json_t *const *rows, bool may_take, bool *ret_again,
		       struct err *err)
{
	*ret_again = false;
	for (size_t i = 0; i < deploy->state.staging_count; i++) {
		struct state_lock lock;

		if (state_read_lock(&deploy->state, i, rows[i], &lock, err) < 0)
			return -1;
		if (is_ours(deploy, &lock))
			continue;
		if (!may_take || !holder_is_dead(deploy, &lock))
			return state_locked_error(&lock, err);
		if (take_over(deploy, &lock, err) < 0)
			return -1;
		*ret_again = true;
	}
	return 0;
}

static int read_locks_again(struct deploy *deploy, struct err *err)
{
	struct strv queries CLEANUP(strv_release) = STRV_INIT;
	struct ops ops CLEANUP(ops_release) = OPS_INIT;
	struct ops_reply reply CLEANUP(ops_reply_release) = { 0 };
	bool again;

	if (state_push_read(&deploy->state, &queries, err) < 0 ||
	    executor_add_statements(&deploy->executor, &queries, true, &ops, err) < 0 ||
	    executor_run_ops(&deploy->executor, &ops, false, &reply, err) < 0)
		return -1;
	return check_locks(deploy, reply.rows, false, &again, err);
}

/* Takes the lock and looks at the warehouse, in one operation. */
static int lock_and_observe(struct deploy *deploy, struct err *err)
{
	struct strv begin CLEANUP(strv_release) = STRV_INIT;
	struct strv reads CLEANUP(strv_release) = STRV_INIT;
	struct strv queries CLEANUP(strv_release) = STRV_INIT;
	struct ops ops CLEANUP(ops_release) = OPS_INIT;
	struct ops_reply reply CLEANUP(ops_reply_release) = { 0 };
	size_t locks = deploy->state.staging_count;
	bool again;

	if (state_push_begin(&deploy->state, &begin, err) < 0 ||
	    state_push_read(&deploy->state, &reads, err) < 0 ||
	    observe_push_queries(&deploy->routes, NULL, false, &queries, err) < 0 ||
	    executor_show(&deploy->executor, "lock", &begin, err) < 0 ||
	    executor_show(&deploy->executor, "lock", &reads, err) < 0 ||
	    executor_add_statements(&deploy->executor, &begin, false, &ops, err) < 0 ||
	    executor_add_statements(&deploy->executor, &reads, true, &ops, err) < 0 ||
	    executor_add_statements(&deploy->executor, &queries, true, &ops, err) < 0)
		return -1;
	deploy->holds_lock = true;
	if (executor_run_ops(&deploy->executor, &ops, false, &reply, err) < 0) {
		/* A statement failed before the first that takes a lock. */
		if (err->code == ERR_LOCKED ||
		    (err->code == ERR_WAREHOUSE && reply.calls_done < begin.n - locks))
			deploy->holds_lock = false;
		return -1;
	}
	if (check_locks(deploy, reply.rows + begin.n, true, &again, err) < 0 ||
	    (again && read_locks_again(deploy, err) < 0))
		return -1;
	deploy->locked = true;
	json_t *picture CLEANUP(js_free) = observe_collect(reply.rows + begin.n + locks,
							   reply.n - begin.n - locks, false, err);

	return deploy_picture(picture, &deploy->observed, err);
}

static int do_lock(struct deploy *deploy, struct err *err)
{
	/* The step is part of a plan that needs its answer: shown from a plan of its own. */
	const struct step step = { .id = "lock",
				   .phase = "observe",
				   .kind = STEP_OPERATION,
				   .reason = "one deployment at a time writes this staging" };

	if (executor_begin(&deploy->executor, &step, err) < 0)
		return -1;
	return executor_end(&deploy->executor, &step, lock_and_observe(deploy, err), err);
}

static int judge(struct deploy *deploy, const struct runner_result *built, struct err *err)
{
	char *results_path CLEANUP(mem_free_string) =
		sides_build_path(&deploy->sides, "run_results.json");
	char *manifest_path CLEANUP(mem_free_string) =
		sides_build_path(&deploy->sides, "manifest.json");
	const struct results_expect expect = {
		.invocation_id = built->invocation_id,
		.which = "build",
		.target = deploy->sides.from,
		.select = deploy->build_select.n > 0 ? &deploy->build_select : NULL,
	};
	struct manifest *manifest = NULL;
	struct results *results = NULL;
	int result = -1;

	if (results_read(results_path, &expect, &results, err) == 0 &&
	    manifest_read(manifest_path, &manifest, err) == 0) {
		deploy->audited = true;
		result = audit_judge(deploy->request.config, &deploy->routes, manifest, results,
				     &deploy->audit, err);
		deploy->result.audit = &deploy->audit;
	}
	manifest_free(manifest);
	results_free(results);
	return result;
}

/* A failing dbt is the reason to stop even where its results are missing or look good. */
static int judge_failure(struct deploy *deploy, const struct runner_result *built, struct err *err)
{
	struct err of_results CLEANUP(err_release) = ERR_INIT;

	runner_error(built, "dbt build", err);
	int status = err->exit_status;

	if (err->code == ERR_DBT_FAILED && judge(deploy, built, &of_results) < 0 &&
	    deploy->audited) {
		err_set(err, of_results.code, "%s", of_results.message);
		err->exit_status = status;
		deploy->result.outcome = DEPLOY_BLOCKED;
	}
	return -1;
}

/* The parse of this project a moment ago, so that the build need not do it again. */
static void warm_up(const struct deploy *deploy)
{
	char *name CLEANUP(mem_free_string) =
		mem_printf("parse/%s/partial_parse.msgpack", deploy->sides.from);
	char *from CLEANUP(mem_free_string) = fs_join(deploy->sides.home, name);
	char *to CLEANUP(mem_free_string) =
		sides_build_path(&deploy->sides, "partial_parse.msgpack");
	char *directory CLEANUP(mem_free_string) = fs_parent(to);
	struct err ignored CLEANUP(err_release) = ERR_INIT;

	if (fs_make_directories(directory, &ignored) == 0)
		fs_copy(from, to, &ignored);
}

static int build(struct deploy *deploy, struct err *err)
{
	const struct step *step = plan_step(&deploy->plan, "build");
	struct runner_result built = { 0 };
	int result;

	warm_up(deploy);
	result = executor_run_dbt(&deploy->executor, step, &deploy->sides.environment, &built, err);
	if (result == 0 && !runner_succeeded(&built))
		result = judge_failure(deploy, &built, err);
	else if (result == 0)
		result = judge(deploy, &built, err);
	runner_result_release(&built);
	return result;
}

static json_t *who(const struct deploy *deploy)
{
	const struct config *config = deploy->request.config;

	return record_who(&(struct record_who) {
		.strategy = deploy->strategy->name,
		.name = config->deployment ? config->deployment : "",
		.from = deploy->sides.from,
		.to = deploy->sides.to,
		.user = bound(deploy, "user"),
		.host = bound(deploy, "host"),
		.started_at = bound(deploy, "since"),
		.commit = deploy->commit,
	});
}

static json_t *intent_detail(const struct deploy *deploy)
{
	json_t *tables = json_array();
	json_t *detail = who(deploy);

	for (size_t i = 0; i < deploy->plan.table_count; i++) {
		const struct route *route = deploy->plan.tables[i].route;
		char *to CLEANUP(mem_free_string) = relation_display(&route->to);

		json_array_append_new(tables, json_pack("{s:s, s:s}", "unique_id",
							route->node->unique_id, "to", to));
	}
	json_object_set_new(detail, "tables", tables);
	json_object_set_new(detail, "options", record_options(deploy->request.config));
	return detail;
}

/* What was tested, and production as it is now, counted; the intent is recorded with it. */
static int observe_built(struct deploy *deploy, struct err *err)
{
	struct strv intent CLEANUP(strv_release) = STRV_INIT;
	struct strv queries CLEANUP(strv_release) = STRV_INIT;
	struct ops ops CLEANUP(ops_release) = OPS_INIT;
	struct ops_reply reply CLEANUP(ops_reply_release) = { 0 };
	json_t *detail CLEANUP(js_free) = intent_detail(deploy);

	if (state_push_log(&deploy->state, "intent", detail, &intent, err) < 0 ||
	    observe_push_queries(&deploy->routes, &deploy->observed, true, &queries, err) < 0 ||
	    executor_add_statements(&deploy->executor, &intent, false, &ops, err) < 0 ||
	    executor_add_statements(&deploy->executor, &queries, true, &ops, err) < 0 ||
	    executor_run_ops(&deploy->executor, &ops, false, &reply, err) < 0)
		return -1;
	json_t *picture CLEANUP(js_free) =
		observe_collect(reply.rows + intent.n, reply.n - intent.n, true, err);

	return deploy_picture(picture, &deploy->built, err);
}

static bool same_object(const struct table *a, const struct table *b)
{
	if (!a || !b)
		return a == b;
	return strcmp(a->object ? a->object : "", b->object ? b->object : "") == 0;
}

/* Production must be what the first picture showed: the object, not yet its rows. */
static int check_production(const struct deploy *deploy, struct err *err)
{
	const struct routes *routes = &deploy->routes;

	for (size_t i = 0; i < routes->n; i++) {
		const struct relation *to = &routes->items[i].to;

		if (!routes->items[i].in_scope ||
		    same_object(observed_table(&deploy->observed, routes->dialect, to),
				observed_table(&deploy->built, routes->dialect, to)))
			continue;
		char *name CLEANUP(mem_free_string) = relation_display(to);

		return err_set(err, ERR_CONFLICT,
			       "'%s' (production) was replaced, created or dropped by somebody "
			       "else during the deployment",
			       name);
	}
	return 0;
}

static int audit(struct deploy *deploy, struct err *err)
{
	char *difference CLEANUP(mem_free_string) = NULL;

	deploy->finish = who(deploy);
	record_end(deploy->finish, deploy_outcome_name(DEPLOY_PUBLISHED), &deploy->audit, NULL);
	if (observe_built(deploy, err) < 0 || check_production(deploy, err) < 0 ||
	    deploy_make_plan(deploy, &deploy->built, &deploy->final_plan, err) < 0)
		return -1;
	if (plan_same_sql(plan_step(&deploy->plan, "publish"),
			  plan_step(&deploy->final_plan, "publish"), &difference))
		return 0;
	char *text CLEANUP(mem_free_string) =
		mem_printf("the build changed the plan of the publish\n  %s", difference);

	deploy->request.reporter->note(deploy->request.reporter, text);
	return 0;
}

static void name_raised(struct err *err)
{
	static const struct {
		const char *begins;
		enum err_code code;
	} raised[] = {
		{ DIALECT_RAISED_CONFLICT, ERR_CONFLICT },
		{ DIALECT_RAISED_FENCE, ERR_LOCKED },
		{ DIALECT_RAISED_HELD, ERR_LOCKED },
		{ DIALECT_RAISED_LOCK, ERR_PUBLISH_FAILED },
		{ DIALECT_RAISED_COUNT, ERR_PUBLISH_FAILED },
	};
	char *message CLEANUP(mem_free_string) = mem_strdup(err->message);

	for (size_t i = 0; i < ARRAY_LEN(raised); i++) {
		const char *at = strstr(message, raised[i].begins);

		if (!at)
			continue;
		at += strlen(raised[i].begins);
		int len = (int)strcspn(at, "\n");

		err_set(err, raised[i].code, "the publish was stopped:%.*s", len, at);
		return;
	}
	if (err->code == ERR_WAREHOUSE)
		err_set(err, ERR_PUBLISH_FAILED, "the publish failed: %s", message);
}

/* After a publish whose end is not known: waits for the transaction if it still runs, makes the
 * fence useless for it, and reads whether its record is there. 1 published, 0 not, -1 unknown. */
static int probe(struct deploy *deploy)
{
	struct strv raise CLEANUP(strv_release) = STRV_INIT;
	struct strv query CLEANUP(strv_release) = STRV_INIT;
	struct ops ops CLEANUP(ops_release) = OPS_INIT;
	struct ops_reply reply CLEANUP(ops_reply_release) = { 0 };
	struct err ignored CLEANUP(err_release) = ERR_INIT;

	if (state_push_raise(&deploy->state, &raise, &ignored) < 0 ||
	    state_push_probe(&deploy->state, &query, &ignored) < 0 ||
	    executor_add_statements(&deploy->executor, &raise, false, &ops, &ignored) < 0 ||
	    executor_add_statements(&deploy->executor, &query, true, &ops, &ignored) < 0 ||
	    executor_run_ops(&deploy->executor, &ops, true, &reply, &ignored) < 0)
		return -1;
	return js_get_bool(json_array_get(reply.rows[raise.n], 0), "published", false);
}

static int settle_publish(struct deploy *deploy, struct err *err)
{
	if (executor_could_not_open(err))
		return -1;
	switch (probe(deploy)) {
	case 1:
		deploy->result.production_changed = true;
		deploy->result.outcome = DEPLOY_PUBLISHED;
		deploy->request.reporter->warning(
			deploy->request.reporter,
			"the publish was reported as failed, but its record is committed");
		err_release(err);
		return 0;
	case 0:
		name_raised(err);
		return -1;
	default:
		deploy->result.outcome = DEPLOY_UNKNOWN;
		err_set(err, ERR_OUTCOME_UNKNOWN,
			"the publish failed and whether it was committed cannot be read: %s",
			err->message);
		err_hint(err,
			 "look for an event 'published' of '%s' in the table airlock.airlock_log; "
			 "the lock is kept until the next deployment",
			 deploy->id);
		err->production = ERR_PRODUCTION_UNKNOWN;
		deploy->holds_lock = false;
		return -1;
	}
}

static void list_published(struct deploy *deploy)
{
	const struct plan *plan = &deploy->final_plan;
	struct deploy_published *rows =
		arena_alloc(&deploy->arena, (plan->table_count + 1) * sizeof(*rows));
	const struct sql_binding id[] = { { "id", deploy->id } };

	for (size_t i = 0; i < plan->table_count; i++) {
		const struct plan_table *t = &plan->tables[i];
		const struct table *built =
			observed_table(&deploy->built, plan->dialect, &t->route->from);
		struct buf restore CLEANUP(buf_release) = BUF_INIT;
		struct err ignored CLEANUP(err_release) = ERR_INIT;

		rows[i] = (struct deploy_published) { .route = t->route,
						      .way = publish_way_name(t->way),
						      .rows = built ? built->rows : -1 };
		if (t->restore.identifier &&
		    sql_bind(&restore, t->restore.identifier, id, 1, &ignored) == 0)
			rows[i].restore = arena_printf(&deploy->arena, "%s.%s", t->restore.schema,
						       buf_cstr(&restore));
	}
	deploy->result.published = rows;
	deploy->result.published_count = plan->table_count;
}

/* The transaction, and in the same operation the end: record and unlock. */
static int publish(struct deploy *deploy, struct err *err)
{
	struct executor *x = &deploy->executor;
	const struct step *step = plan_step(&deploy->final_plan, "publish");
	const struct step *finish = plan_step(&deploy->final_plan, "finish");
	struct ops ops CLEANUP(ops_release) = OPS_INIT;
	struct ops_reply reply CLEANUP(ops_reply_release) = { 0 };

	if (proc_interrupted())
		return err_set(err, ERR_INTERRUPTED, "interrupted before the publish");
	if (executor_add(x, step, &ops, err) < 0 || executor_add(x, finish, &ops, err) < 0)
		return -1;
	if (executor_run_ops(x, &ops, true, &reply, err) < 0 && settle_publish(deploy, err) < 0)
		return -1;
	deploy->result.production_changed = true;
	deploy->result.outcome = DEPLOY_PUBLISHED;
	if (reply.finished)
		deploy->holds_lock = false;
	list_published(deploy);
	return 0;
}

typedef int phase_fn(struct deploy *deploy, struct err *err);

static int run_step(struct deploy *deploy, const struct plan *plan, const char *id, phase_fn *fn,
		    struct err *err)
{
	const struct step *step = plan_step(plan, id);

	if (executor_begin(&deploy->executor, step, err) < 0)
		return -1;
	return executor_end(&deploy->executor, step, fn(deploy, err), err);
}

static int run_phases(struct deploy *deploy, struct err *err)
{
	struct reporter *reporter = deploy->request.reporter;

	if (start(deploy, err) < 0 || do_lock(deploy, err) < 0 ||
	    deploy_make_plan(deploy, &deploy->observed, &deploy->plan, err) < 0)
		return -1;
	for (size_t i = 0; i < deploy->plan.warnings.n; i++)
		reporter->warning(reporter, deploy->plan.warnings.v[i]);
	if (deploy->request.ask && !reporter->confirm(reporter, &deploy->plan, &deploy->routes)) {
		err_set(err, ERR_INTERRUPTED, "not confirmed");
		return err_hint(err, "answer yes, or give --yes");
	}
	if (run_step(deploy, &deploy->plan, "build", build, err) < 0 ||
	    run_step(deploy, &deploy->plan, "audit", audit, err) < 0)
		return -1;
	return run_step(deploy, &deploy->final_plan, "publish", publish, err);
}

static int push_end(struct deploy *deploy, const struct err *failure, struct strv *statements,
		    struct err *err)
{
	json_t *detail CLEANUP(js_free) = who(deploy);
	bool published = deploy->result.production_changed;

	if (!deploy->locked)
		return 0;
	record_end(detail, deploy_outcome_name(deploy->result.outcome), deploy->result.audit,
		   failure);
	return state_push_log(&deploy->state, published ? "finished" : "aborted", detail,
			      statements, err);
}

/* Whatever stopped the deployment: its end is recorded and its lock released. `failure` is NULL
 * when nothing did. */
static void leave(struct deploy *deploy, const struct err *failure)
{
	struct strv statements CLEANUP(strv_release) = STRV_INIT;
	struct ops ops CLEANUP(ops_release) = OPS_INIT;
	struct ops_reply reply CLEANUP(ops_reply_release) = { 0 };
	struct err ignored CLEANUP(err_release) = ERR_INIT;

	if (!deploy->holds_lock)
		return;
	if (state_push_release(&deploy->state, &statements, &ignored) < 0 ||
	    push_end(deploy, failure, &statements, &ignored) < 0 ||
	    executor_add_statements(&deploy->executor, &statements, false, &ops, &ignored) < 0 ||
	    executor_run_ops(&deploy->executor, &ops, true, &reply, &ignored) < 0)
		deploy->request.reporter->warning(
			deploy->request.reporter,
			"the lock could not be released; the next deployment takes it over");
}

int deploy_run(struct deploy *deploy, const struct deploy_result **ret_result, struct err *err)
{
	int64_t began = host_monotonic_ms();
	const struct routes *routes;
	int result;

	*ret_result = &deploy->result;
	result = deploy_routes(deploy, &routes, err);
	if (result == 0) {
		deploy->result.routes = routes;
		result = deploy_check(deploy, err);
	}
	if (result == 0)
		result = run_phases(deploy, err);
	if (deploy->state.n > 0)
		leave(deploy, result < 0 ? err : NULL);
	if (result < 0 && deploy->result.production_changed)
		err->production = ERR_PRODUCTION_CHANGED;
	deploy->result.dbt_starts = deploy->sides.runner->starts;
	deploy->result.seconds = (double)(host_monotonic_ms() - began) / 1000.0;
	return result;
}
