#include <string.h>

#include "airlock/deploy/offline.h"
#include "columns.h"
#include "command_internal.h"

static json_t *conflicts_json(const struct routes *routes)
{
	json_t *list = json_array();

	for (size_t i = 0; i < routes->conflict_count; i++) {
		const struct route_conflict *conflict = &routes->conflicts[i];
		const char *hint = conflict->hint ? conflict->hint : err_row(conflict->code)->hint;

		json_array_append_new(
			list,
			json_pack("{s:s, s:o, s:o, s:o}", "code", err_row(conflict->code)->name,
				  "unique_id",
				  conflict->unique_id ? report_string_json(conflict->unique_id)
						      : json_null(),
				  "message", report_string_json(conflict->message), "hint",
				  *hint ? report_string_json(hint) : json_null()));
	}
	return list;
}

static json_t *shared_json(const struct routes *routes)
{
	json_t *list = json_array();

	for (size_t i = 0; i < routes->n; i++)
		if (routes->items[i].is_shared)
			json_array_append_new(list,
					      report_string_json(routes->items[i].node->unique_id));
	return list;
}

static void add_route(struct columns *columns, const struct route *route)
{
	CLEANUP(mem_free_string) char *from = relation_display(&route->from);
	CLEANUP(mem_free_string)
	char *to = route->has_to ? relation_display(&route->to) : mem_strdup("-");

	columns_add(columns, "%s", route->node->unique_id);
	columns_add(columns, "%s", route->node->materialized);
	columns_add(columns, "%s", from);
	columns_add(columns, "%s", to);
	columns_add(columns, "%s", route->in_scope ? "yes" : "no");
	columns_add(columns, "%s%s", route->is_shared ? "shared; " : "", route->reason);
	columns_end_row(columns);
}

static void add_heading(struct columns *columns)
{
	static const char *const titles[] = { "NODE",         "KIND",  "BUILT AS",
					      "PUBLISHED AS", "SCOPE", "WHY" };

	for (size_t i = 0; i < ARRAY_LEN(titles); i++)
		columns_add(columns, "%s", titles[i]);
	columns_end_row(columns);
}

/* What the deployment would publish comes first. */
static void write_text(const struct routes *routes, struct buf *out)
{
	CLEANUP(columns_release) struct columns columns = COLUMNS_INIT;

	add_heading(&columns);
	for (size_t i = 0; i < routes->n; i++)
		if (routes->items[i].in_scope)
			add_route(&columns, &routes->items[i]);
	for (size_t i = 0; i < routes->n; i++)
		if (!routes->items[i].in_scope)
			add_route(&columns, &routes->items[i]);
	columns_write(&columns, "", out);
	for (size_t i = 0; i < routes->warnings.n; i++)
		buf_printf(out, "warning: %s\n", routes->warnings.v[i]);
	for (size_t i = 0; i < routes->conflict_count; i++) {
		const struct route_conflict *conflict = &routes->conflicts[i];
		const char *hint = conflict->hint ? conflict->hint : err_row(conflict->code)->hint;

		buf_printf(out, "conflict: %s\n", conflict->message);
		if (*hint)
			buf_printf(out, "  hint: %s\n", hint);
	}
}

static int finish(struct invocation *invocation, const struct routes *routes, struct err *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	if (!command_wants_json(invocation)) {
		write_text(routes, &text);
		return command_finish(invocation, &text, NULL, err);
	}
	return command_finish(invocation, &text,
			      json_pack("{s:i, s:o, s:o, s:o}", "version", 1, "routes",
					routes_json(routes), "conflicts", conflicts_json(routes),
					"shared", shared_json(routes)),
			      err);
}

static int run(struct invocation *invocation, struct deploy *deploy, struct err *err)
{
	const struct routes *routes;

	if (deploy_routes(deploy, &routes, err) < 0)
		return -1;
	return finish(invocation, routes, err);
}

static int run_offline(struct invocation *invocation, const struct deploy_request *request,
		       struct err *err)
{
	struct offline *offline = offline_open(request, err);
	int rc;

	if (!offline)
		return -1;
	rc = finish(invocation, offline_routes(offline), err);
	offline_close(offline);
	return rc;
}

int cmd_routes(struct invocation *invocation, struct err *err)
{
	struct deploy_request request = command_request(invocation);

	if (offline_is_wanted(request.config))
		return run_offline(invocation, &request, err);
	return command_with_deploy(invocation, run, err);
}
