/*
 * render_plan: the SQL of a deployment as JSON, for tests that run it in a real warehouse.
 *
 *   render_plan queries FROM TO BEFORE [OPTION...]      those that make a picture of the warehouse;
 *                                                       with counts when BEFORE is a picture
 *   render_plan plan FROM TO PICTURE ID [OPTION...]     the calls of each step, bound; those of
 *                                                       a transaction when staging is built
 *   render_plan state FROM TO - ID DEAD FENCE           what is done with the first lock of
 * staging, and how deployment ID takes it from DEAD
 *
 * FROM and TO are manifests, TO and BEFORE may be "-". What was refused is {"error": {...}}.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "airlock/dbt/ops.h"
#include "airlock/deploy/observe.h"
#include "airlock/deploy/state.h"
#include "airlock/format/json.h"
#include "planned.h"

static const char *path_or_null(const char *argument)
{
	return strcmp(argument, "-") == 0 ? NULL : argument;
}

static void print(json_t *json)
{
	struct buf out CLEANUP(buf_release) = BUF_INIT;

	js_write_pretty(json, &out);
	fputs(buf_cstr(&out), stdout);
	json_decref(json);
}

static int queries(struct planned *p, char *const *arguments, struct err *err)
{
	const char *before = path_or_null(arguments[2]);
	struct strv statements CLEANUP(strv_release) = STRV_INIT;
	json_t *list = json_array();

	if (planned_options(p, arguments + 3, err) < 0 ||
	    planned_manifests(p, arguments[0], path_or_null(arguments[1]), err) < 0 ||
	    planned_routes(p, err) < 0 || (before && planned_observe(p, before, err) < 0) ||
	    observe_push_queries(&p->routes, &p->observed,
				 before ? OBSERVE_COUNTS : OBSERVE_NO_ROWS, &statements, err) < 0) {
		json_decref(list);
		return -1;
	}
	for (size_t i = 0; i < statements.n; i++)
		json_array_append_new(list, json_string(statements.v[i]));
	print(json_pack("{s:o}", "queries", list));
	return 0;
}

static int bind(const struct strv *statements, const char *id, struct strv *ret_bound,
		struct err *err)
{
	char *nonce CLEANUP(mem_free_string) = mem_printf("nonce-%s", id);
	const struct sql_binding bindings[] = {
		{ "id", id },         { "name", "wac" },
		{ "user", "tester" }, { "host", "here" },
		{ "boot", "once" },   { "pid", "7" },
		{ "start", "8" },     { "since", "2026-01-02T03:04:05Z" },
		{ "nonce", nonce },   { "phase", "build" },
		{ "lease", "600" },
	};

	for (size_t i = 0; i < statements->n; i++) {
		struct buf sql = BUF_INIT;

		if (sql_bind(&sql, statements->v[i], bindings, ARRAY_LEN(bindings), err) < 0) {
			buf_release(&sql);
			return -1;
		}
		strv_take(ret_bound, buf_take(&sql));
	}
	return 0;
}

static int bind_step(const struct planned *p, const struct step *step, const char *id,
		     struct ops *ops, struct err *err)
{
	struct strv bound CLEANUP(strv_release) = STRV_INIT;

	if (bind(&step->sql, id, &bound, err) < 0)
		return -1;
	if (step->kind == STEP_TRANSACTION)
		ops_add_transaction(ops, p->dialect, &bound);
	for (size_t i = 0; step->kind != STEP_TRANSACTION && i < bound.n; i++)
		ops_add(ops, bound.v[i]);
	return 0;
}

static json_t *tables_json(const struct plan *plan)
{
	json_t *list = json_array();

	for (size_t i = 0; i < plan->table_count; i++)
		json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "unique_id",
						      plan->tables[i].route->node->unique_id, "way",
						      publish_way_name(plan->tables[i].way),
						      "reason", plan->tables[i].reason));
	return list;
}

static int plan(struct planned *p, char *const *arguments, struct err *err)
{
	json_t *steps = json_object();
	json_t *warnings = json_array();

	json_t *finish CLEANUP(js_free) = json_pack("{s:s}", "name", "");

	p->runs = true;
	p->finish = finish;
	if (planned_all(p, arguments[0], path_or_null(arguments[1]), arguments[2], arguments + 4,
			err) < 0)
		goto fail;
	for (size_t i = 0; i < p->plan.step_count; i++) {
		struct ops ops CLEANUP(ops_release) = OPS_INIT;
		json_t *calls = json_array();

		json_object_set_new(steps, p->plan.steps[i]->id, calls);
		if (!p->observed.built && (p->plan.steps[i]->kind == STEP_TRANSACTION ||
					   p->plan.steps[i]->changes_production))
			continue;
		if (bind_step(p, p->plan.steps[i], arguments[3], &ops, err) < 0)
			goto fail;
		for (size_t k = 0; k < ops.n; k++)
			json_array_append_new(calls, json_string(ops.calls[k].sql));
	}
	for (size_t i = 0; i < p->plan.warnings.n; i++)
		json_array_append_new(warnings, json_string(p->plan.warnings.v[i]));
	print(json_pack("{s:o, s:o, s:o}", "steps", steps, "tables", tables_json(&p->plan),
			"warnings", warnings));
	return 0;
fail:
	json_decref(steps);
	json_decref(warnings);
	return -1;
}

static int add_list(json_t *lists, const char *name, int result, struct strv *statements,
		    const char *id, struct err *err)
{
	struct strv bound CLEANUP(strv_release) = STRV_INIT;
	json_t *list = json_array();

	json_object_set_new(lists, name, list);
	if (result < 0 || bind(statements, id, &bound, err) < 0)
		return -1;
	for (size_t i = 0; i < bound.n; i++)
		json_array_append_new(list, json_string(bound.v[i]));
	strv_release(statements);
	return 0;
}

static int add_lists(const struct state *state, char *const *arguments, json_t *lists,
		     struct err *err)
{
	const char *id = arguments[3];
	char *holder CLEANUP(mem_free_string) = mem_printf("nonce-%s", arguments[4]);
	const struct state_lock seen = { .container = &state->containers[0],
					 .id = arguments[4],
					 .nonce = holder,
					 .fence = strtoll(arguments[5], NULL, 10) };
	struct strv sql CLEANUP(strv_release) = STRV_INIT;
	json_t *detail CLEANUP(js_free) = json_pack("{s:s}", "by", id);

	if (add_list(lists, "read", state_push_read(state, &sql, err), &sql, id, err) < 0 ||
	    add_list(lists, "take", state_push_take(state, &seen, true, detail, &sql, err), &sql,
		     id, err) < 0 ||
	    add_list(lists, "raise", state_push_raise(state, &sql, err), &sql, id, err) < 0 ||
	    add_list(lists, "probe", state_push_probe(state, &sql, err), &sql, id, err) < 0)
		return -1;
	return add_list(lists, "release", state_push_release(state, &sql, err), &sql, id, err);
}

static int state(struct planned *p, char *const *arguments, struct err *err)
{
	struct state state CLEANUP(state_release) = { .n = 0 };
	json_t *lists = json_object();

	if (planned_options(p, arguments + 6, err) < 0 ||
	    planned_manifests(p, arguments[0], path_or_null(arguments[1]), err) < 0 ||
	    planned_routes(p, err) < 0)
		goto fail;
	state_init(&state, p->dialect, manifest_node(p->from, 0)->relation.database, &p->routes);
	json_t *begun CLEANUP(js_free) = json_pack("{s:s}", "name", "");

	state_set_begun(&state, begun);
	if (add_lists(&state, arguments, lists, err) < 0)
		goto fail;
	print(json_pack("{s:o}", "steps", lists));
	return 0;
fail:
	json_decref(lists);
	return -1;
}

int main(int argc, char **argv)
{
	struct planned planned CLEANUP(planned_release);
	struct err err CLEANUP(err_release) = ERR_INIT;
	int result = -1;

	planned_init(&planned);
	if (argc >= 5 && strcmp(argv[1], "queries") == 0)
		result = queries(&planned, argv + 2, &err);
	else if (argc >= 6 && strcmp(argv[1], "plan") == 0)
		result = plan(&planned, argv + 2, &err);
	else if (argc >= 8 && strcmp(argv[1], "state") == 0)
		result = state(&planned, argv + 2, &err);
	else
		err_set(&err, ERR_USAGE, "render_plan queries|plan|state ...");
	if (result == 0)
		return 0;
	print(json_pack("{s:{s:s, s:s, s:s}}", "error", "code", err_row(err.code)->name, "message",
			err.message, "hint", err.hint ? err.hint : err_row(err.code)->hint));
	return 0;
}
