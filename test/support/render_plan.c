/*
 * render_plan: the SQL of a deployment as JSON, for tests that run it in a real warehouse.
 *
 *   render_plan queries FROM TO BEFORE [OPTION...]      those that make a picture of the warehouse;
 *                                                       with counts when BEFORE is a picture
 *   render_plan plan FROM TO PICTURE ID [OPTION...]     the calls of each step, bound; those of
 *                                                       a transaction when staging is built
 *
 * FROM and TO are manifests, TO and BEFORE may be "-". What was refused is {"error": {...}}.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "airlock/dbt/ops.h"
#include "airlock/deploy/observe.h"
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
	    observe_push_queries(&p->routes, &p->observed, before, &statements, err) < 0) {
		json_decref(list);
		return -1;
	}
	for (size_t i = 0; i < statements.n; i++)
		json_array_append_new(list, json_string(statements.v[i]));
	print(json_pack("{s:o}", "queries", list));
	return 0;
}

static int bind_step(const struct planned *p, const struct step *step, const char *id,
		     struct ops *ops, struct err *err)
{
	char *nonce CLEANUP(mem_free_string) = mem_printf("nonce-%s", id);
	struct strv bound CLEANUP(strv_release) = STRV_INIT;
	const struct sql_binding bindings[] = {
		{ "id", id },         { "name", "wac" },
		{ "user", "tester" }, { "host", "here" },
		{ "boot", "once" },   { "pid", "7" },
		{ "start", "8" },     { "since", "2026-01-02T03:04:05Z" },
		{ "nonce", nonce },
	};

	for (size_t i = 0; i < step->sql.n; i++) {
		struct buf sql = BUF_INIT;

		if (sql_bind(&sql, step->sql.v[i], bindings, ARRAY_LEN(bindings), err) < 0) {
			buf_release(&sql);
			return -1;
		}
		strv_take(&bound, buf_take(&sql));
	}
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

	p->runs = true;
	if (planned_all(p, arguments[0], path_or_null(arguments[1]), arguments[2], arguments + 4,
			err) < 0)
		goto fail;
	for (size_t i = 0; i < p->plan.step_count; i++) {
		struct ops ops CLEANUP(ops_release) = OPS_INIT;
		json_t *calls = json_array();

		json_object_set_new(steps, p->plan.steps[i]->id, calls);
		if (!p->observed.built && p->plan.steps[i]->kind == STEP_TRANSACTION)
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
	else
		err_set(&err, ERR_USAGE, "render_plan queries|plan ...");
	if (result == 0)
		return 0;
	print(json_pack("{s:{s:s, s:s, s:s}}", "error", "code", err_row(err.code)->name, "message",
			err.message, "hint", err.hint ? err.hint : err_row(err.code)->hint));
	return 0;
}
