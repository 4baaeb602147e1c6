#include <string.h>

#include "airlock/deploy/restore.h"
#include "airlock/format/json.h"
#include "columns.h"
#include "command_internal.h"

static void add_line(struct columns *columns, const json_t *deployment, const char *key)
{
	const char *text = js_get_string(deployment, key);

	if (!text || !*text)
		return;
	columns_add(columns, "%s", key);
	columns_add(columns, "%s%s", text,
		    strcmp(key, "commit") == 0 && js_get_bool(deployment, "dirty", false)
			    ? ", with changes that are not committed"
			    : "");
	columns_end_row(columns);
}

static void add_counts(struct columns *columns, const json_t *deployment, const char *key)
{
	CLEANUP(buf_release) struct buf line = BUF_INIT;
	const char *name;
	json_t *value;

	json_object_foreach(js_get_object(deployment, key), name, value)
	{
		buf_printf(&line, "%s%lld %s", line.len ? ", " : "",
			   (long long)json_integer_value(value), name);
	}
	if (line.len == 0)
		return;
	columns_add(columns, "%s", key);
	columns_add(columns, "%s", buf_cstr(&line));
	columns_end_row(columns);
}

static void add_number(struct columns *columns, const json_t *deployment, const char *key)
{
	json_int_t number = js_get_integer(deployment, key, -1);

	if (number < 0)
		return;
	columns_add(columns, "%s", key);
	columns_add(columns, "%lld", (long long)number);
	columns_end_row(columns);
}

/* What was asked for: the scope is among it. */
static void add_options(struct columns *columns, const json_t *deployment)
{
	CLEANUP(buf_release) struct buf line = BUF_INIT;
	const char *name;
	json_t *value;

	json_object_foreach(js_get_object(deployment, "options"), name, value)
	{
		buf_printf(&line, "%s%s:", line.len ? "; " : "", name);
		if (json_is_string(value))
			buf_printf(&line, " %s", json_string_value(value));
		for (size_t i = 0; i < json_array_size(value); i++)
			buf_printf(&line, " %s", json_string_value(json_array_get(value, i)));
	}
	if (line.len == 0)
		return;
	columns_add(columns, "options");
	columns_add(columns, "%s", buf_cstr(&line));
	columns_end_row(columns);
}

static void add_not_checked(struct columns *columns, const json_t *deployment)
{
	const json_t *list = js_get_array(deployment, "not_checked");
	CLEANUP(buf_release) struct buf line = BUF_INIT;

	for (size_t i = 0; i < json_array_size(list); i++)
		buf_printf(&line, "%s%s", i ? ", " : "",
			   json_string_value(json_array_get(list, i)));
	if (line.len == 0)
		return;
	columns_add(columns, "not_checked");
	columns_add(columns, "%s", buf_cstr(&line));
	columns_end_row(columns);
}

static void write_stay(const json_t *restore, struct buf *line)
{
	const char *dropped = js_get_string(restore, "dropped_at");
	const char *expires = js_get_string(restore, "expires_at");

	buf_add_str(line, ", ");
	restore_write_size(line, js_get_integer(restore, "bytes", 0));
	if (dropped)
		buf_printf(line, ", dropped %.19s", dropped);
	else if (expires)
		buf_printf(line, ", stays until %.19s and while fewer than %lld are newer", expires,
			   (long long)js_get_integer(restore, "keep", 1));
}

/* What was put aside whole: a schema, a file. */
static void write_asides(const json_t *deployment, struct buf *out)
{
	const json_t *restores = js_get_array(deployment, "restores");

	for (size_t i = 0; i < json_array_size(restores); i++) {
		const json_t *restore = json_array_get(restores, i);
		const char *name = js_get_string(restore, "schema");

		if (!name)
			continue;
		buf_printf(out, "  restore point %s", name);
		write_stay(restore, out);
		buf_add_char(out, '\n');
	}
}

/* Of one table: its name, size, and until when it stays. */
static void add_restore(struct columns *columns, const json_t *deployment, json_int_t number)
{
	CLEANUP(buf_release) struct buf line = BUF_INIT;
	const json_t *restores = js_get_array(deployment, "restores");

	buf_printf(&line, "restore point airlock_restore.r_%s_%lld",
		   js_get_string(deployment, "id"), (long long)number);
	for (size_t i = 0; i < json_array_size(restores); i++) {
		const json_t *restore = json_array_get(restores, i);

		if (js_get_integer(restore, "number", 0) == number)
			write_stay(restore, &line);
	}
	columns_add(columns, "%s", buf_cstr(&line));
}

/* Those of a view are not counted: -1. */
static void add_rows(struct columns *columns, json_int_t rows, json_int_t before)
{
	if (rows < 0)
		columns_add(columns, "-");
	else if (before < 0)
		columns_add(columns, "%lld rows, before none", (long long)rows);
	else
		columns_add(columns, "%lld rows, before %lld", (long long)rows, (long long)before);
}

static void write_tables(const json_t *deployment, struct buf *out)
{
	CLEANUP(columns_release) struct columns columns = COLUMNS_INIT;
	const json_t *tables = js_get_array(deployment, "tables");

	for (size_t i = 0; i < json_array_size(tables); i++) {
		const json_t *table = json_array_get(tables, i);
		json_int_t restore = js_get_integer(table, "restore", 0);

		columns_add(&columns, "%s", js_get_string(table, "to"));
		columns_add(&columns, "%s", js_get_string(table, "way"));
		add_rows(&columns, js_get_integer(table, "rows", -1),
			 js_get_integer(table, "rows_before", -1));
		if (restore > 0)
			add_restore(&columns, deployment, restore);
		columns_end_row(&columns);
	}
	columns_write(&columns, "  ", out);
}

static void write_text(const json_t *deployment, struct buf *out)
{
	static const char *const keys[] = { "id",         "name",        "strategy", "outcome",
					    "from",       "to",          "user",     "host",
					    "started_at", "finished_at", "commit",   "message" };
	CLEANUP(columns_release) struct columns columns = COLUMNS_INIT;
	const json_t *events = js_get_array(deployment, "events");

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		add_line(&columns, deployment, keys[i]);
	add_counts(&columns, deployment, "nodes");
	add_counts(&columns, deployment, "tests");
	add_counts(&columns, deployment, "phases_ms");
	add_number(&columns, deployment, "dbt_starts");
	add_number(&columns, deployment, "exit");
	add_options(&columns, deployment);
	add_not_checked(&columns, deployment);
	columns_write(&columns, "", out);
	write_tables(deployment, out);
	write_asides(deployment, out);
	for (size_t i = 0; i < json_array_size(events); i++)
		buf_printf(out, "%s %s\n", js_get_string(json_array_get(events, i), "at"),
			   js_get_string(json_array_get(events, i), "event"));
}

static int run(struct invocation *invocation, struct deploy *deploy, struct err *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	CLEANUP(js_free)
	json_t *deployments = deploy_history(deploy, invocation->arguments->what, err);

	if (!deployments)
		return -1;
	if (json_array_size(deployments) == 0)
		return err_set(err, ERR_DEPLOYMENT_UNKNOWN, "nothing was deployed yet");
	json_t *newest = json_array_get(deployments, 0);

	write_text(newest, &text);
	return command_finish(invocation, &text,
			      json_pack("{s:i, s:O}", "version", 1, "deployment", newest), err);
}

int cmd_inspect(struct invocation *invocation, struct err *err)
{
	return command_with_deploy(invocation, run, err);
}
