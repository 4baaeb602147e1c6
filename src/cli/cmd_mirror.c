/* `airlock mirror VERB`: the raw layer below the strategies. A verb is a row. */
#include <string.h>

#include "airlock/deploy/mirror.h"
#include "airlock/format/json.h"
#include "columns.h"
#include "command_internal.h"

/* --- generate --- */

static void write_generated(const json_t *document, struct buf *out)
{
	const json_t *written = js_get_array(document, "written");
	const json_t *left = js_get_array(document, "left");

	for (size_t i = 0; i < json_array_size(written); i++)
		buf_printf(out, "wrote %s\n", json_string_value(json_array_get(written, i)));
	if (json_array_size(written) == 0)
		buf_printf(out, "nothing was written: %zu sources have their raw model\n",
			   json_array_size(js_get_array(document, "mirrored")));
	for (size_t i = 0; i < json_array_size(left); i++)
		buf_printf(out, "left alone %s: %s\n",
			   js_get_string(json_array_get(left, i), "path"),
			   js_get_string(json_array_get(left, i), "why"));
	buf_add_str(out, js_get_string(document, "diff"));
}

static int generate(struct invocation *invocation, struct deploy *deploy, struct err *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	json_t *document;

	if (deploy_mirror_generate(deploy, &document, err) < 0)
		return -1;
	json_object_set_new(document, "version", json_integer(1));
	write_generated(document, &text);
	return command_finish(invocation, &text, document, err);
}

/* --- refresh --- */

static json_t *refreshed_json(const struct deploy_result *result)
{
	json_t *list = json_array();

	for (size_t i = 0; i < result->published_count; i++) {
		const struct deploy_published *one = &result->published[i];
		CLEANUP(mem_free_string) char *to = relation_display(&one->route->to);
		CLEANUP(mem_free_string) char *source = mirror_source_name(one->route->node);

		json_array_append_new(
			list,
			json_pack("{s:o, s:o, s:o, s:s, s:I, s:o}", "unique_id",
				  report_string_json(one->route->node->unique_id), "relation",
				  report_string_json(to), "source", report_string_json(source),
				  "way", one->way, "rows", (json_int_t)one->rows, "restore_point",
				  one->restore ? report_string_json(one->restore) : json_null()));
	}
	return list;
}

static json_t *refresh_json(const struct deploy_result *result, const struct err *err)
{
	return json_pack(
		"{s:i, s:s, s:s, s:b, s:i, s:o, s:o, s:o, s:o, s:I, s:I}", "version", 1, "id",
		result->id, "outcome", deploy_outcome_name(result->outcome), "raw_changed",
		(int)result->production_changed, "exit", err_is_set(err) ? err_exit_status(err) : 0,
		"refreshed", refreshed_json(result), "kept",
		result->refreshed ? plan_kept_json(result->refreshed) : json_array(), "error",
		err_is_set(err) ? report_error_json(err) : json_null(), "skipped",
		result->skipped ? report_string_json(result->skipped) : json_null(), "dbt_starts",
		(json_int_t)result->dbt_starts, "elapsed_ms", (json_int_t)(result->seconds * 1000));
}

static void write_refreshed(const struct deploy_result *result, struct buf *out)
{
	CLEANUP(columns_release) struct columns columns = COLUMNS_INIT;

	for (size_t i = 0; i < result->published_count; i++) {
		const struct deploy_published *one = &result->published[i];
		CLEANUP(mem_free_string) char *to = relation_display(&one->route->to);

		columns_add(&columns, "%s", to);
		columns_add(&columns, "refreshed");
		columns_add(&columns, "%lld row%s", one->rows, one->rows == 1 ? "" : "s");
		columns_end_row(&columns);
	}
	for (size_t i = 0; result->refreshed && i < result->refreshed->kept_count; i++) {
		const struct plan_kept *kept = &result->refreshed->kept[i];
		CLEANUP(mem_free_string) char *to = relation_display(&kept->route->to);

		columns_add(&columns, "%s", to);
		columns_add(&columns, "kept");
		columns_add(&columns, "%s: %.*s", kept->state, (int)strcspn(kept->why, "\n"),
			    kept->why);
		columns_end_row(&columns);
	}
	columns_write(&columns, "", out);
}

static int refresh(struct invocation *invocation, struct deploy *deploy, struct err *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	CLEANUP(err_release) struct err ignored = ERR_INIT;
	const struct deploy_result *result;
	int rc = deploy_mirror_refresh(deploy, &result, err);

	if (result->skipped)
		buf_printf(&text, "skipped: %s\nnothing was done\n", result->skipped);
	write_refreshed(result, &text);
	json_t *document = command_wants_json(invocation) ? refresh_json(result, err) : NULL;

	return command_finish(invocation, &text, document, rc < 0 ? &ignored : err) < 0 ? -1 : rc;
}

/* --- status --- */

static void add_number(struct columns *columns, const json_t *value, const char *word)
{
	if (json_is_integer(value))
		columns_add(columns, "%lld %s%s", (long long)json_integer_value(value), word,
			    json_integer_value(value) == 1 ? "" : "s");
	else
		columns_add(columns, "-");
}

static void write_status(const json_t *document, struct buf *out)
{
	CLEANUP(columns_release) struct columns columns = COLUMNS_INIT;
	const json_t *list = js_get_array(document, "mirror");

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *one = json_array_get(list, i);
		const char *why = js_get_string(one, "why");
		CLEANUP(buf_release) struct buf age = BUF_INIT;

		if (json_is_integer(json_object_get(one, "age_s")))
			mirror_write_age(js_get_integer(one, "age_s", 0), &age);
		columns_add(&columns, "%s", js_get_string(one, "relation"));
		columns_add(&columns, "%s%s", age.len ? buf_cstr(&age) : "never refreshed",
			    age.len ? " old" : "");
		add_number(&columns, json_object_get(one, "rows"), "row");
		columns_add(&columns, "%s", js_get_string(one, "source"));
		add_number(&columns, json_object_get(one, "source_rows"), "row");
		columns_add(&columns, "%s%s%.*s", js_get_string(one, "state"), why ? ": " : "",
			    why ? (int)strcspn(why, "\n") : 0, why ? why : "");
		columns_end_row(&columns);
	}
	columns_write(&columns, "", out);
}

static int status(struct invocation *invocation, struct deploy *deploy, struct err *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	json_t *document;

	if (deploy_mirror_status(deploy, &document, err) < 0)
		return -1;
	write_status(document, &text);
	return command_finish(invocation, &text, document, err);
}

static const struct {
	const char *name;
	command_fn *run;
} verbs[] = {
	{ "generate", generate },
	{ "refresh", refresh },
	{ "status", status },
};

int cmd_mirror(struct invocation *invocation, struct err *err)
{
	const char *what = invocation->arguments->what;
	const char *names[ARRAY_LEN(verbs)];
	const char *nearest;

	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		if (what && strcmp(verbs[i].name, what) == 0)
			return command_with_deploy(invocation, verbs[i].run, err);
		names[i] = verbs[i].name;
	}
	if (!what)
		err_set(err, ERR_USAGE, "what about the mirror?");
	else
		err_set(err, ERR_USAGE, "'mirror' does not know '%s'", what);
	nearest = what ? strv_nearest(what, names, ARRAY_LEN(names)) : NULL;
	if (nearest)
		return err_hint(err, "did you mean '%s'?", nearest);
	return err_hint(err, "usage: %s mirror %s", invocation->program,
			invocation->command->usage);
}
