/*
 * Where tables change one by one a publish may stop in the middle. What it began with is in its
 * intent: with that the rest is published as if nothing had changed, and what did change is what
 * was tested, or somebody else's (publish_snowflake.c).
 */
#include <stdlib.h>
#include <string.h>

#include "airlock/deploy/history.h"
#include "airlock/deploy/observe.h"
#include "airlock/format/json.h"
#include "deploy_parts.h"

enum {
	JOB_FIRST_WAIT_MS = 500,
	JOB_LONGEST_WAIT_MS = 4000,
	JOB_CANCEL_LIMIT_MS = 15000,
};

static bool is_one_by_one(const struct deploy *deploy)
{
	return deploy->sides.dialect->transaction == DIALECT_TRANSACTION_NONE;
}

/* It may have begun to change production, and has not ended. */
static bool has_begun(const json_t *record)
{
	return json_array_size(js_get_array(record, "intended")) > 0 &&
	       !history_is_published(record) && !history_has_ended(record) &&
	       !history_is_stopped(record);
}

/* The record first: before a project could be read there is neither one nor a dialect. */
bool deploy_may_be_partly(const struct deploy *deploy, const json_t *record)
{
	return has_begun(record) && is_one_by_one(deploy);
}

bool deploy_goes_on(const struct deploy *deploy)
{
	return deploy_may_be_partly(deploy, deploy->resumed);
}

/* Enough to put it back, for who has neither the project nor staging. */
static void note_way(const struct plan_table *t, size_t number, const struct table *before,
		     json_t *intended)
{
	json_object_set_new(intended, "way", json_string(publish_way_name(t->way)));
	json_object_set_new(intended, "relation",
			    json_pack("[s, s, s]", t->route->to.database, t->route->to.schema,
				      t->route->to.identifier));
	json_object_set(intended, "before", before ? before->json : json_null());
	if (t->view)
		json_object_set_new(intended, "view", json_string(t->view));
	if (!t->restore.identifier)
		return;
	json_object_set_new(intended, "restore", json_integer((json_int_t)number));
	if (t->restore_is_copy)
		json_object_set_new(intended, "copy", json_true());
}

void deploy_note_before(const struct deploy *deploy, size_t i, json_t *intended)
{
	const struct plan_table *t = &deploy->final_plan.tables[i];
	const struct dialect *dialect = deploy->routes.dialect;
	const struct table *from = observed_table(&deploy->built, dialect, &t->route->from);

	if (!is_one_by_one(deploy))
		return;
	note_way(t, i + 1, observed_table(&deploy->built, dialect, &t->route->to), intended);
	if (deploy->routes.container_count > 0 && from)
		json_object_set(intended, "built", from->json);
}

void deploy_note_set(const struct deploy *deploy, json_t *detail)
{
	const struct config *config = deploy->request.config;

	if (!is_one_by_one(deploy))
		return;
	json_object_set_new(detail, "policy",
			    json_pack("{s:I, s:I}", "keep",
				      (json_int_t)config_number(config, OPTION_KEEP), "keep_for",
				      (json_int_t)config_number(config, OPTION_KEEP_FOR)));
	if (deploy->routes.container_count > 0)
		json_object_set(detail, "pictures", js_get_array(deploy->built.json, "containers"));
}

static bool is_of(const json_t *row, const json_t *relation)
{
	static const char *const keys[] = { "database", "schema", "identifier" };

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (!json_equal(json_object_get(row, keys[i]), json_array_get(relation, i)))
			return false;
	return true;
}

/* All but what is said of the relation. */
static json_t *without(const json_t *rows, const json_t *relation)
{
	json_t *rest = json_array();

	for (size_t i = 0; i < json_array_size(rows); i++)
		if (!is_of(json_array_get(rows, i), relation))
			json_array_append(rest, json_array_get(rows, i));
	return rest;
}

static json_t *counted(const json_t *relation, const json_t *identity)
{
	json_t *row =
		json_pack("{s:O, s:O, s:O}", "database", json_array_get(relation, 0), "schema",
			  json_array_get(relation, 1), "identifier", json_array_get(relation, 2));

	json_object_update_missing(row, (json_t *)(uintptr_t)identity);
	return row;
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = text ? strlen(text) : 0;

	return *end && len >= strlen(end) && strcmp(text + len - strlen(end), end) == 0;
}

static const json_t *find_container(const json_t *containers, const struct relation *container)
{
	for (size_t i = 0; i < json_array_size(containers); i++) {
		const json_t *row = json_array_get(containers, i);

		if (js_text_is(row, "database", container->database) &&
		    js_text_is(row, "schema", container->schema))
			return row;
	}
	return NULL;
}

/* A database leaves an empty one in its place. */
static bool is_aside(const struct deploy *deploy, const json_t *from)
{
	char *emptied CLEANUP(mem_free_string) =
		mem_printf("[airlock: emptied by %s]", js_get_string(deploy->resumed, "id"));

	return !from || ends_with(js_get_string(from, "comment"), emptied);
}

/* How far it came is in the comment of production's, which came with it. */
static void judge_container(const struct deploy *deploy, const struct route_container *c,
			    const json_t *now, json_t *was)
{
	const char *begun = js_get_string(was, "comment");
	const char *to = js_get_string(find_container(now, &c->to), "comment");
	char *ended CLEANUP(mem_free_string) =
		mem_printf("[airlock: published %s]", js_get_string(deploy->resumed, "id"));

	if (!ends_with(to, begun ? begun : "") && !ends_with(to, ended))
		return;
	json_object_set_new(was, "swapped", json_true());
	if (is_aside(deploy, find_container(now, &c->from)))
		json_object_set_new(was, "aside", json_true());
}

/* The containers as they were before the publish, and how far each has come since. */
static void put_containers_back(const struct deploy *deploy, json_t *picture)
{
	const struct routes *routes = &deploy->routes;
	const json_t *pictures = js_get_array(deploy->resumed, "pictures");
	json_t *then CLEANUP(js_free) = json_deep_copy(pictures);

	if (!then || js_get_bool(picture, "put_back", false))
		return;
	for (size_t i = 0; i < routes->container_count; i++) {
		const struct route_container *c = &routes->containers[i];
		const json_t *was = find_container(then, &c->from);

		if (was)
			judge_container(deploy, c, js_get_array(picture, "containers"),
					(json_t *)(uintptr_t)was);
	}
	json_object_set(picture, "containers", then);
	json_object_set_new(picture, "put_back", json_true());
}

/* A database or a schema that holds it. */
static const json_t *container_of(const json_t *containers, const json_t *built)
{
	const struct relation schema = { js_get_string(built, "database"),
					 js_get_string(built, "schema"), NULL };
	const struct relation database = { schema.database, "", NULL };
	const json_t *found = find_container(containers, &schema);

	return found ? found : find_container(containers, &database);
}

/* What was built, where it stood; it may be in production by now. */
static void put_built_back(json_t *picture, const json_t *intended, json_t *gone)
{
	json_t *built = js_get_object(intended, "built");

	if (!built)
		return;
	json_t *relation CLEANUP(js_free) =
		json_pack("[O, O, O]", json_object_get(built, "database"),
			  json_object_get(built, "schema"), json_object_get(built, "identifier"));
	json_t *relations = without(js_get_array(picture, "relations"), relation);
	json_t *rows = without(js_get_array(picture, "rows"), relation);
	const json_t *container = container_of(js_get_array(picture, "containers"), built);

	json_array_append(relations, built);
	json_array_append_new(rows, counted(relation, js_get_object(intended, "tested")));
	json_object_set_new(picture, "relations", relations);
	json_object_set_new(picture, "rows", rows);
	if (js_get_bool(container, "swapped", false))
		json_array_append(gone, built);
}

static void put_back(json_t *picture, const json_t *intended, json_t *gone)
{
	const json_t *relation = js_get_array(intended, "relation");
	json_t *before = js_get_object(intended, "before");
	const json_t *seen = js_get_array(picture, "relations");
	json_t *relations = without(seen, relation);
	json_t *rows = without(js_get_array(picture, "rows"), relation);

	if (before) {
		if (json_array_size(relations) == json_array_size(seen))
			json_array_append(gone, before);
		json_array_append(relations, before);
		json_array_append_new(rows, counted(relation, js_get_object(intended, "replaces")));
	}
	json_object_set_new(picture, "relations", relations);
	json_object_set_new(picture, "rows", rows);
}

json_t *deploy_picture_before(const struct deploy *deploy, const json_t *picture)
{
	const json_t *intended = js_get_array(deploy->resumed, "intended");
	json_t *before = json_copy((json_t *)(uintptr_t)picture);
	json_t *gone CLEANUP(js_free) = json_array();

	for (size_t i = 0; deploy_goes_on(deploy) && i < json_array_size(intended); i++)
		put_back(before, json_array_get(intended, i), gone);
	if (deploy_goes_on(deploy))
		put_containers_back(deploy, before);
	for (size_t i = 0; deploy_goes_on(deploy) && i < json_array_size(intended); i++)
		put_built_back(before, json_array_get(intended, i), gone);
	/* Where it was put back before, that has said what is gone. */
	if (json_array_size(gone) > 0 && !js_get_array(picture, "gone"))
		json_object_set(before, "gone", gone);
	return before;
}

int deploy_take_picture(struct deploy *deploy, struct observed *ret_observed, struct err *err)
{
	struct strv queries CLEANUP(strv_release) = STRV_INIT;
	struct ops_reply reply CLEANUP(ops_reply_release) = { 0 };

	if (observe_push_queries(&deploy->routes, NULL, OBSERVE_NO_ROWS, &queries, err) < 0 ||
	    executor_run_queries(&deploy->executor, &queries, &reply, err) < 0)
		return -1;
	json_t *picture CLEANUP(js_free) = observe_collect(reply.rows, reply.n, false, err);

	return picture ? observed_parse(picture, ret_observed, err) : -1;
}

/* A statement whose reply was lost may still be on its way. */
static int disarm(struct deploy *deploy, struct err *err)
{
	struct ops ops CLEANUP(ops_release) = OPS_INIT;
	struct ops_reply reply CLEANUP(ops_reply_release) = { 0 };

	if (deploy->final_plan.disarms.n == 0)
		return 0;
	if (executor_add_statements(&deploy->executor, &deploy->final_plan.disarms, false, &ops,
				    err) < 0)
		return -1;
	return executor_run_ops(&deploy->executor, &ops, true, &reply, err);
}

/* A warehouse may keep the time when a table was made first: then that of its last change says it.
 */
bool deploy_is_same(const struct table *a, const struct table *b)
{
	return table_same_object(a, b) &&
	       (!a || table_same_text(js_get_string(a->json, "modified"),
				      js_get_string(b->json, "modified")));
}

/* ? how many statements of the deployment the service still has; -1: it cannot be asked. */
static int ask_running(struct deploy *deploy, const struct strv *queries, json_int_t *ret_running,
		       json_t **ret_jobs, struct err *err)
{
	struct ops_reply reply CLEANUP(ops_reply_release) = { 0 };

	if (executor_run_queries(&deploy->executor, queries, &reply, err) < 0)
		return -1;
	const json_t *row = json_array_get(reply.rows[0], 0);

	*ret_running = json_is_null(json_object_get(row, "running"))
			       ? -1
			       : js_get_integer(row, "running", 1);
	*ret_jobs = json_incref(js_get_array(row, "jobs"));
	return 0;
}

static int cancel(struct deploy *deploy, const json_t *jobs, struct err *err)
{
	struct strv statements CLEANUP(strv_release) = STRV_INIT;
	struct ops ops CLEANUP(ops_release) = OPS_INIT;
	struct ops_reply reply CLEANUP(ops_reply_release) = { 0 };

	for (size_t i = 0; i < json_array_size(jobs); i++)
		if (state_push_cancel(&deploy->state, json_string_value(json_array_get(jobs, i)),
				      &statements, err) < 0)
			return -1;
	if (executor_add_statements(&deploy->executor, &statements, false, &ops, err) < 0)
		return -1;
	return executor_run_ops(&deploy->executor, &ops, true, &reply, err);
}

/* What can be cancelled is waited for first, then cancelled, and its end waited for. */
static int settle_jobs(struct deploy *deploy, const struct strv *queries, json_int_t *ret_running,
		       struct err *err)
{
	int64_t limit = config_number(deploy->request.config, OPTION_PUBLISH_TIMEOUT) * 1000;
	struct reporter *reporter = deploy->request.reporter;
	bool is_cancelled = false;
	struct backoff backoff;

	backoff_init(&backoff, JOB_FIRST_WAIT_MS, JOB_LONGEST_WAIT_MS, limit);
	backoff.is_deaf = true;
	for (;;) {
		json_t *jobs CLEANUP(js_free) = NULL;

		if (ask_running(deploy, queries, ret_running, &jobs, err) < 0)
			return -1;
		if (*ret_running <= 0 || !deploy->sides.dialect->templates[DIALECT_CANCEL])
			return 0;
		if (backoff.tries == 0 && !is_cancelled)
			reporter->note(reporter, "waiting for what the service still has of it");
		if (backoff_wait(&backoff))
			continue;
		if (is_cancelled)
			return 0;
		reporter->note(reporter, "cancelling what the service still has of it");
		if (cancel(deploy, jobs, err) < 0)
			return -1;
		is_cancelled = true;
		backoff_init(&backoff, JOB_FIRST_WAIT_MS, JOB_LONGEST_WAIT_MS, JOB_CANCEL_LIMIT_MS);
		backoff.is_deaf = true;
	}
}

/* What comes late does again what a resume does, and undoes what an abort does. */
static int cannot_ask(struct deploy *deploy, struct err *err)
{
	static const char why[] = "whether the service still has statements of this deployment "
				  "cannot be read (bigquery.jobs.list)";

	if (!deploy->aborts || config_bool(deploy->request.config, OPTION_FORCE)) {
		deploy->request.reporter->warning(deploy->request.reporter, why);
		return 0;
	}
	err->production = ERR_PRODUCTION_UNKNOWN;
	err_set(err, ERR_OUTCOME_UNKNOWN, "%s", why);
	return err_hint(err, "let the user of this target list jobs; --force goes on without");
}

/* A swap that it still has may change production after any look at it, and so may a copy that has
 * begun; a clone finds nothing to clone (disarm), but the statements around it do. */
int deploy_check_at_rest(struct deploy *deploy, struct err *err)
{
	struct strv queries CLEANUP(strv_release) = STRV_INIT;
	bool labels = deploy->sides.dialect->labels_jobs;
	json_int_t running;

	if ((deploy->routes.container_count > 0 || labels || deploy->aborts) &&
	    state_push_running(&deploy->state, &queries, err) < 0)
		return -1;
	if (queries.n == 0)
		return 0;
	if (settle_jobs(deploy, &queries, &running, err) < 0)
		return -1;
	if (running < 0)
		return cannot_ask(deploy, err);
	if (running == 0)
		return 0;
	err->production = ERR_PRODUCTION_UNKNOWN;
	err_set(err, ERR_OUTCOME_UNKNOWN,
		"the service still has %lld statement(s) of deployment '%s'", (long long)running,
		deploy->id);
	return err_hint(err,
			"wait until they have ended, or cancel them (their %s '%s'); then 'airlock "
			"%s %s'",
			labels ? "label 'airlock' is" : "query tag is",
			arena_printf(&deploy->arena, labels ? "%s" : "airlock:%s", deploy->id),
			deploy->aborts ? "abort" : "resume", deploy->id);
}

/* It was to be published under its name, and has none: it stopped between the two. */
static void note_gone(const struct plan_table *t, const struct table *before,
		      const struct table *now, struct strv *gone)
{
	char *display CLEANUP(mem_free_string) = relation_display(&t->route->to);

	if (before && !now && t->way == PUBLISH_EXCHANGE)
		strv_pushf(gone, "'%s'", display);
}

/* Replaced by another object, made, or removed, since the picture that was to be published; `gone`
 * is added to. */
static int count_changed(struct deploy *deploy, size_t *ret_n, struct strv *gone, struct err *err)
{
	const struct dialect *dialect = deploy->sides.dialect;
	const struct plan *plan = &deploy->final_plan;
	struct observed now = { 0 };
	size_t n = 0;

	if (disarm(deploy, err) < 0 || deploy_check_at_rest(deploy, err) < 0 ||
	    deploy_take_picture(deploy, &now, err) < 0)
		return -1;
	for (size_t i = 0; i < plan->table_count; i++) {
		const struct relation *to = &plan->tables[i].route->to;
		const struct table *before = observed_table(&deploy->built, dialect, to);
		const struct table *seen = observed_table(&now, dialect, to);

		n += !deploy_is_same(before, seen);
		note_gone(&plan->tables[i], before, seen, gone);
	}
	observed_release(&now);
	*ret_n = n - gone->n;
	return 0;
}

static void hint_rest(const struct deploy *deploy, struct err *err)
{
	if (deploy->result.can_abort)
		err_hint(err,
			 "'airlock resume %s' publishes the rest, 'airlock abort %s' puts back "
			 "what was there before",
			 deploy->id, deploy->id);
	else
		err_hint(err, "'airlock resume %s' publishes the rest", deploy->id);
}

int deploy_settle_partly(struct deploy *deploy, bool *ret_partly, struct err *err,
			 struct err *unread)
{
	/* One without an answer may be at work still, also where production is what it was. */
	bool ended = is_one_by_one(deploy) && executor_has_answer(&deploy->executor, err);
	struct err ignored CLEANUP(err_release) = ERR_INIT;
	size_t of = deploy->final_plan.table_count;
	struct strv gone CLEANUP(strv_release) = STRV_INIT;
	size_t n = 0;

	*ret_partly = false;
	if (!is_one_by_one(deploy))
		return 0;
	if (count_changed(deploy, &n, &gone, unread) < 0)
		return -1;
	if (n + gone.n == 0 && !deploy_goes_on(deploy)) {
		if (ended)
			return 0;
		return err_set(unread, ERR_OUTCOME_UNKNOWN,
			       "nothing of it is there yet, and the service did not answer");
	}
	deploy_name_publish_failure(err);
	char *why CLEANUP(mem_free_string) = mem_strdup(err->message);

	*ret_partly = true;
	/* Neither ended nor given back: who resumes it has the lock, and its intent. */
	deploy->holds_lock = false;
	deploy->result.production_changed = true;
	deploy->result.is_partly = true;
	deploy->result.can_abort = deploy->routes.container_count == 0 &&
				   config_bool(deploy->request.config, OPTION_RESTORE_POINT);
	char *names CLEANUP(mem_free_string) = strv_join(&gone, ", ");

	err_set(err, err->code, "%s; %zu of %zu relations are published%s%s%s", why, n, of,
		gone.n ? ", and " : "", names, gone.n ? " is not there until it is resumed" : "");
	err->production = ERR_PRODUCTION_CHANGED;
	json_t *fields CLEANUP(js_free) =
		json_pack("{s:I, s:I}", "published", (json_int_t)n, "of", (json_int_t)of);

	journal_write(&deploy->journal, "partly", "publish", fields, &ignored);
	hint_rest(deploy, err);
	return 0;
}

/* Nobody but who goes on with it ends it. What was exchanged whole comes back whole, by a rollback.
 */
static int hint_partly(const char *id, bool exchanges, struct err *err)
{
	if (exchanges)
		return err_hint(
			err,
			"'airlock resume %s' publishes the rest, and 'airlock rollback %s' "
			"then takes it back; 'airlock unlock %s' leaves production as it is",
			id, id, id);
	return err_hint(err,
			"'airlock resume %s' publishes the rest, 'airlock abort %s' puts back what "
			"was there before; 'airlock unlock %s' leaves production as it is",
			id, id, id);
}

int deploy_refuse_partly(const struct deploy *deploy, const json_t *record, struct err *err)
{
	const char *id = js_get_string(record, "id");

	if (!deploy_may_be_partly(deploy, record))
		return 0;
	err->production = ERR_PRODUCTION_UNKNOWN;
	err_set(err, ERR_OUTCOME_UNKNOWN,
		"deployment '%s' died while it published: some of production may be new", id);
	return hint_partly(id, js_get_array(record, "pictures"), err);
}

/* Its lock is left to whoever finds out. */
int deploy_leave_unknown(struct deploy *deploy, struct err *err)
{
	deploy->result.outcome = DEPLOY_UNKNOWN;
	deploy->holds_lock = false;
	err->production = ERR_PRODUCTION_UNKNOWN;
	if (is_one_by_one(deploy))
		return hint_partly(deploy->id, deploy->routes.container_count > 0, err);
	return err_hint(err,
			"'airlock resume %s' finds out and ends it, 'airlock abort %s' takes it "
			"back if it was not; so does the next deployment",
			deploy->id, deploy->id);
}
