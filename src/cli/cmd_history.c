#include <string.h>

#include "airlock/format/json.h"
#include "columns.h"
#include "command_internal.h"
#include "guard_internal.h"

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = js_get_string(object, key);

	return text && *text ? text : "-";
}

static void add_heading(struct columns *columns)
{
	static const char *const titles[] = { "DEPLOYMENT", "STARTED", "STRATEGY", "OUTCOME",
					      "TABLES",     "USER",    "COMMIT",   "WHY" };

	for (size_t i = 0; i < ARRAY_LEN(titles); i++)
		columns_add(columns, "%s", titles[i]);
	columns_end_row(columns);
}

static void add_row(struct columns *columns, const json_t *deployment)
{
	const char *message = text_of(deployment, "message");

	columns_add(columns, "%s", text_of(deployment, "id"));
	columns_add(columns, "%.19s", text_of(deployment, "started_at"));
	columns_add(columns, "%s", text_of(deployment, "strategy"));
	columns_add(columns, "%s", text_of(deployment, "outcome"));
	columns_add(columns, "%lld", (long long)js_get_integer(deployment, "published", 0));
	columns_add(columns, "%s", text_of(deployment, "user"));
	columns_add(columns, "%.10s%s", text_of(deployment, "commit"),
		    js_get_bool(deployment, "dirty", false) ? "+" : "");
	columns_add(columns, "%.*s", (int)strcspn(message, "\n"), message);
	columns_end_row(columns);
}

/* The shape that scripts rely on; `inspect` has the rest. */
static json_t *short_of(json_t *deployment)
{
	static const char *const long_keys[] = { "tables", "objects", "events",   "options",
						 "dbt",    "locks",   "intended", "restores" };
	json_t *copy = json_copy(deployment);

	for (size_t i = 0; i < ARRAY_LEN(long_keys); i++)
		json_object_del(copy, long_keys[i]);
	return copy;
}

/* Commands of dbt that passed the guard of this checkout for a reason. */
static json_t *add_unguarded(const struct invocation *invocation, struct buf *out)
{
	CLEANUP(err_release) struct err ignored = ERR_INIT;
	CLEANUP(project_release) struct project project = { .name = NULL };
	CLEANUP(columns_release) struct columns columns = COLUMNS_INIT;
	json_t *list;

	if (command_open_project(invocation, &project, &ignored) < 0)
		return json_array();
	list = guard_log_read(&project);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *line = json_array_get(list, i);

		columns_add(&columns, "%.19s", text_of(line, "at"));
		columns_add(&columns, "dbt %s", text_of(line, "verb"));
		columns_add(&columns, "%s", text_of(line, "target"));
		columns_add(&columns, "%s", text_of(line, "user"));
		columns_add(&columns, "%s", text_of(line, "reason"));
		columns_end_row(&columns);
	}
	if (json_array_size(list) > 0) {
		buf_add_str(out, "\nPast the guard, from this checkout:\n");
		columns_write(&columns, "  ", out);
	}
	return list;
}

static int run(struct invocation *invocation, struct deploy *deploy, struct err *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	CLEANUP(columns_release) struct columns columns = COLUMNS_INIT;
	CLEANUP(js_free) json_t *deployments = deploy_history(deploy, NULL, err);
	json_t *list = json_array();

	if (!deployments) {
		json_decref(list);
		return -1;
	}
	add_heading(&columns);
	for (size_t i = 0; i < json_array_size(deployments); i++) {
		add_row(&columns, json_array_get(deployments, i));
		json_array_append_new(list, short_of(json_array_get(deployments, i)));
	}
	if (json_array_size(deployments) > 0)
		columns_write(&columns, "", &text);
	else
		buf_add_str(&text, "nothing was deployed yet\n");
	return command_finish(invocation, &text,
			      json_pack("{s:i, s:o, s:o}", "version", 1, "deployments", list,
					"unguarded", add_unguarded(invocation, &text)),
			      err);
}

int cmd_history(struct invocation *invocation, struct err *err)
{
	return command_with_deploy(invocation, run, err);
}
