/* How old each copy of the raw layer is, and what state its source is in now. Only reads. */
#include <string.h>

#include "airlock/deploy/observe.h"
#include "airlock/format/json.h"
#include "deploy_parts.h"

struct status {
	struct deploy *deploy;
	struct state state;
	json_t *existing; /* of the sources, those that are there; NULL: not asked yet */
	json_t *ages;     /* mirror_ages() */
	int64_t *rows;    /* of each source; -1: not counted */
	const char **why; /* it cannot be read */
};

static void status_release(struct status *status)
{
	state_release(&status->state);
	json_decref(status->existing);
	json_decref(status->ages);
}

static const struct relation *source_of(const struct status *status, size_t i)
{
	return &mirror_source(status->deploy->routes.items[i].node)->relation;
}

/* Which sources there are, the rows of those from `first` on, and last the history, which need not
 * be there. */
static int ask(struct status *status, size_t first, struct ops_reply *reply, struct err *err)
{
	const struct routes *routes = &status->deploy->routes;
	struct strv queries CLEANUP(strv_release) = STRV_INIT;
	struct ops ops CLEANUP(ops_release) = OPS_INIT;

	if (deploy_mirror_push_existing(status->deploy, &queries, err) < 0)
		return -1;
	for (size_t i = first; i < routes->n; i++)
		if (observe_push_rows(routes, source_of(status, i), false, &queries, err) < 0)
			return -1;
	if (state_push_history(&status->state, NULL, &queries, err) < 0)
		return -1;
	for (size_t i = 0; i < queries.n; i++)
		ops_add_query(&ops, queries.v[i]);
	return ops_run(&status->deploy->sides.connection, &ops, false, NULL, NULL, reply, err);
}

/* What was answered. Returns the source whose count failed, or how many there are. */
static size_t take(struct status *status, size_t first, const struct ops_reply *reply,
		   const struct err *err)
{
	size_t n = status->deploy->routes.n;
	size_t last = 1 + n - first;

	if (reply->calls_done > 0 && !status->existing)
		status->existing = json_incref(reply->rows[0]);
	for (size_t i = first; i < n; i++) {
		size_t call = 1 + i - first;

		if (call >= reply->calls_done) {
			status->why[i] = arena_strdup(&status->deploy->arena, err->message);
			return i;
		}
		status->rows[i] = js_get_integer(json_array_get(reply->rows[call], 0), "rows", -1);
	}
	status->ages = reply->finished ? mirror_ages(reply->rows[last]) : json_object();
	return n;
}

static int look(struct status *status, struct err *err)
{
	size_t n = status->deploy->routes.n;
	size_t first = 0;

	while (!status->ages) {
		struct ops_reply reply CLEANUP(ops_reply_release) = { 0 };
		struct err failed CLEANUP(err_release) = ERR_INIT;
		int result = ask(status, first, &reply, &failed);

		if (result < 0 && (failed.code != ERR_WAREHOUSE || reply.calls_done == 0))
			return err_set(err, failed.code, "%s", failed.message);
		size_t at = take(status, first, &reply, &failed);

		if (at == n && result < 0 && !deploy_is_log_missing(&failed))
			return err_set(err, failed.code, "%s", failed.message);
		first = at + 1;
	}
	return 0;
}

/* As a refresh would judge it now, its freshness and its tests aside. */
static const char *judge(const struct status *status, size_t i, const json_t *last,
			 const char **ret_why)
{
	const struct manifest_node *raw = status->deploy->routes.items[i].node;
	const struct table copy = { .rows = status->rows[i] };
	const struct table before = { .rows = js_get_integer(last, "rows", -1) };
	const char *state;

	*ret_why = NULL;
	if (!deploy_mirror_is_there(status->existing, raw)) {
		*ret_why = "the source does not exist";
		return "missing";
	}
	if (status->why[i]) {
		*ret_why = status->why[i];
		return "unreadable";
	}
	state = mirror_judge(status->deploy->request.config, raw, &copy, last ? &before : NULL,
			     &status->deploy->arena, ret_why);
	return state ? state : "good";
}

static json_t *row_of(const struct status *status, size_t i)
{
	const struct route *route = &status->deploy->routes.items[i];
	const json_t *last = json_object_get(status->ages, route->node->unique_id);
	char *to CLEANUP(mem_free_string) = relation_display(&route->to);
	char *source CLEANUP(mem_free_string) = mirror_source_name(route->node);
	const char *why;
	const char *state = judge(status, i, last, &why);
	json_t *none CLEANUP(js_free) = json_null();

	return json_pack("{s:s, s:s, s:s, s:O, s:O, s:O, s:O, s:s, s:o, s:s?}", "unique_id",
			 route->node->unique_id, "relation", to, "source", source, "deployment",
			 last ? json_object_get(last, "id") : none, "refreshed_at",
			 last ? json_object_get(last, "at") : none, "age_s",
			 last ? json_object_get(last, "age") : none, "rows",
			 last ? json_object_get(last, "rows") : none, "state", state, "source_rows",
			 status->rows[i] < 0 ? json_null() : json_integer(status->rows[i]), "why",
			 why);
}

int deploy_mirror_status(struct deploy *deploy, json_t **ret_document, struct err *err)
{
	struct status status CLEANUP(status_release) = { .deploy = deploy };
	json_t *list;
	size_t n;

	if (deploy_mirror_prepare(deploy, err) < 0)
		return -1;
	n = deploy->routes.n;
	status.rows = arena_alloc(&deploy->arena, (n + 1) * sizeof(*status.rows));
	status.why = arena_alloc(&deploy->arena, (n + 1) * sizeof(*status.why));
	for (size_t i = 0; i < n; i++)
		status.rows[i] = -1;
	state_init(&status.state, deploy->sides.dialect, deploy_database(deploy), NULL);
	deploy->request.reporter->note(deploy->request.reporter, "looking at the sources");
	if (look(&status, err) < 0)
		return -1;
	list = json_array();
	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, row_of(&status, i));
	*ret_document = json_pack("{s:i, s:o}", "version", 1, "mirror", list);
	return 0;
}
