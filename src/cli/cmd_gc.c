#include <string.h>

#include "airlock/deploy/restore.h"
#include "airlock/format/json.h"
#include "columns.h"
#include "command_internal.h"

static void add_restore(struct columns *columns, const json_t *point)
{
	CLEANUP(buf_release) struct buf size = BUF_INIT;
	const char *of = js_get_string(point, "of");
	const char *why = js_get_string(point, "why");
	json_int_t rows = js_get_integer(point, "rows", -1);

	restore_write_size(&size, js_get_integer(point, "bytes", 0));
	columns_add(columns, "%s", js_get_string(point, "state"));
	columns_add(columns, "%s", js_get_string(point, "relation"));
	columns_add(columns, "%s", buf_cstr(&size));
	if (why)
		columns_add(columns, "left alone: %s", why);
	else if (rows < 0)
		columns_add(columns, "of %s, made %.19s", of ? of : "?",
			    js_get_string(point, "at"));
	else
		columns_add(columns, "of %s, made %.19s, %lld rows", of ? of : "?",
			    js_get_string(point, "at"), (long long)rows);
	columns_end_row(columns);
}

static void write_names(const json_t *document, const char *key, const char *what, struct buf *out)
{
	const json_t *names = js_get_array(document, key);

	for (size_t i = 0; i < json_array_size(names); i++)
		buf_printf(out, "%s %s\n", what, json_string_value(json_array_get(names, i)));
}

static void write_found(const json_t *document, struct buf *out)
{
	CLEANUP(columns_release) struct columns columns = COLUMNS_INIT;
	const json_t *points = js_get_array(document, "restore_points");
	const char *holder = js_get_string(document, "held_by");

	for (size_t i = 0; i < json_array_size(points); i++)
		add_restore(&columns, json_array_get(points, i));
	columns_write(&columns, "", out);
	write_names(document, "side_tables", "left alone, a table that no history knows:", out);
	write_names(document, "side_copies", "expired, a side copy of a source:", out);
	write_names(document, "unfinished",
		    "no end is recorded of deployment; the next one settles it:", out);
	write_names(document, "spent_locks",
		    "expired, the lock of a deployment that has ended, or never began:", out);
	write_names(document, "directories", "expired", out);
	if (holder)
		buf_printf(out, "nothing is dropped while a lock is held: %s\n", holder);
}

static bool may_drop(void *context, const json_t *document)
{
	struct invocation *invocation = context;
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	if (config_bool(&invocation->arguments->config, OPTION_YES))
		return true;
	if (!invocation->report->can_ask || js_get_string(document, "held_by") ||
	    (js_get_integer(document, "expired", 0) == 0 &&
	     json_array_size(js_get_array(document, "side_copies")) == 0 &&
	     json_array_size(js_get_array(document, "spent_locks")) == 0 &&
	     json_array_size(js_get_array(document, "directories")) == 0))
		return false;
	write_found(document, &text);
	return report_ask(invocation->report, &text, "Drop what is expired?");
}

static void write_failed(const json_t *document, struct buf *out)
{
	const json_t *outcome = js_get_array(document, "outcome");

	for (size_t i = 0; i < json_array_size(outcome); i++) {
		const json_t *one = json_array_get(outcome, i);
		const char *name = js_get_string(one, "relation");

		if (js_get_string(one, "message"))
			buf_printf(out, "not dropped: %s: %s\n",
				   name ? name : js_get_string(one, "directory"),
				   js_get_string(one, "message"));
	}
}

static void write_text(const json_t *document, struct buf *out)
{
	size_t directories = json_array_size(js_get_array(document, "directories"));
	json_int_t expired = js_get_integer(document, "expired", 0);

	if (json_object_get(document, "dropped")) {
		json_int_t released = js_get_integer(document, "released", 0);

		write_failed(document, out);
		if (released > 0)
			buf_printf(out,
				   "released %lld lock%s of deployments that have ended, or never "
				   "began\n",
				   (long long)released, released == 1 ? "" : "s");
		buf_printf(out, "dropped %lld restore points and %lld directories; %lld failed\n",
			   (long long)js_get_integer(document, "dropped", 0),
			   (long long)js_get_integer(document, "removed", 0),
			   (long long)js_get_integer(document, "failed", 0));
		return;
	}
	write_found(document, out);
	buf_printf(out, "%lld restore points (", (long long)expired);
	restore_write_size(out, js_get_integer(document, "expired_bytes", 0));
	buf_printf(out, ") and %zu directories are expired", directories);
	buf_add_str(out, expired || directories ? "; 'airlock gc --yes' drops them\n" : "\n");
}

static int run(struct invocation *invocation, struct deploy *deploy, struct err *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	CLEANUP(err_release) struct err ignored = ERR_INIT;
	json_t *document;
	int rc = deploy_gc(deploy, may_drop, invocation, &document, err);

	if (!document)
		return -1;
	json_object_set_new(document, "version", json_integer(1));
	json_object_set_new(document, "exit", json_integer(rc < 0 ? err_exit_status(err) : 0));
	json_object_set_new(document, "error", rc < 0 ? report_error_json(err) : json_null());
	write_text(document, &text);
	return command_finish(invocation, &text, document, rc < 0 ? &ignored : err) < 0 ? -1 : rc;
}

int cmd_gc(struct invocation *invocation, struct err *err)
{
	return command_with_deploy(invocation, run, err);
}
