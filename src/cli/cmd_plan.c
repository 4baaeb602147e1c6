#include <string.h>

#include "airlock/cli/arguments.h"
#include "airlock/dbt/secret.h"
#include "airlock/format/json.h"
#include "columns.h"
#include "command_internal.h"

static const char *meaning_of(const char *state)
{
	if (strcmp(state, "dead") == 0)
		return ", which is dead: a deployment takes it over";
	if (strcmp(state, "expired") == 0)
		return ", which was not heard of since: a deployment takes it over";
	return "";
}

static int show(struct invocation *invocation, struct deploy *deploy, struct err *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	const struct plan *plan;
	const struct routes *routes;

	if (deploy_plan(deploy, &plan, &routes, err) < 0)
		return -1;
	json_t *document = plan_json(plan, routes);
	const json_t *locks = deploy_locks(deploy);

	plan_write_text(plan, routes, &text);
	for (size_t i = 0; i < json_array_size(locks); i++) {
		const json_t *lock = json_array_get(locks, i);

		buf_printf(&text, "note: '%s' is held by %s%s\n", js_get_string(lock, "container"),
			   js_get_string(lock, "holder"), meaning_of(js_get_string(lock, "state")));
	}
	json_object_set(document, "locks", (json_t *)(uintptr_t)locks);
	return command_finish(invocation, &text, document, err);
}

/* --- without a strategy: which ones fit --- */

/* 'x', with the quotes in it doubled: a string of YAML whatever it holds. */
static void add_yaml(struct buf *out, const char *text)
{
	buf_add_char(out, '\'');
	for (; *text; text++) {
		if (*text == '\'')
			buf_add_char(out, '\'');
		buf_add_char(out, *text);
	}
	buf_add_char(out, '\'');
}

static void add_side(const struct config *config, enum option_id side, const char *key,
		     struct buf *out)
{
	CLEANUP(strv_release) struct strv environment = STRV_INIT;
	const char *target = config_text(config, side);

	if (!target)
		return;
	config_side_environment(config, side, &environment);
	buf_printf(out, "    %s: ", key);
	if (!environment.n) {
		buf_printf(out, "%s\n", target);
		return;
	}
	buf_printf(out, "{target: %s, env: {", target);
	for (size_t i = 0; i < environment.n; i++) {
		CLEANUP(mem_free_string) char *pair = secret_shown_pair(environment.v[i]);
		size_t len = strcspn(pair, "=");

		buf_printf(out, "%s%.*s: ", i ? ", " : "", (int)len, pair);
		add_yaml(out, pair + len + 1);
	}
	buf_add_str(out, "}}\n");
}

static void add_block(const struct config *config, const char *strategy, struct buf *out)
{
	const struct strv *tags = config_list(config, OPTION_TAGS);
	CLEANUP(mem_free_string) char *listed = strv_join(tags, ", ");

	buf_add_str(out, "vars:\n  airlock:\n");
	add_side(config, OPTION_FROM, "from", out);
	add_side(config, OPTION_TO, "to", out);
	if (tags->n)
		buf_printf(out, "    tags: [%s]\n", listed);
	buf_printf(out, "    deployments:\n      main: {strategy: %s}\n", strategy);
}

struct fitting {
	struct columns columns;
	json_t *strategies;
	struct buf block; /* of the first that fits */
};

static int try_plan(const struct deploy_request *request, const char *name, struct fitting *fitting,
		    struct err *err)
{
	struct deploy *deploy = deploy_open(request, err);
	const struct routes *routes;
	const struct plan *plan;
	int rc = deploy ? deploy_plan(deploy, &plan, &routes, err) : -1;

	if (rc == 0) {
		columns_add(&fitting->columns, "fits: %zu relations in scope", plan->table_count);
		if (!fitting->block.len)
			add_block(request->config, name, &fitting->block);
	}
	deploy_close(deploy);
	return rc;
}

/* With the choices of the command line, read once more: each plan has a configuration of its own.
 */
static int try_strategy(struct invocation *invocation, const char *name, struct fitting *fitting,
			struct err *err)
{
	CLEANUP(arguments_release) struct arguments arguments = { 0 };
	CLEANUP(err_release) struct err refused = ERR_INIT;
	struct invocation with = *invocation;
	int rc;

	if (arguments_parse(invocation->command, invocation->words, &arguments, err) < 0)
		return -1;
	with.arguments = &arguments;
	struct deploy_request request = command_request(&with);

	request.what = name;
	report_notice(invocation->report, "whether '%s' fits", name);
	columns_add(&fitting->columns, "%s", name);
	rc = try_plan(&request, name, fitting, &refused);
	if (rc < 0 && refused.code == ERR_INTERRUPTED)
		return err_set(err, ERR_INTERRUPTED, "interrupted");
	if (rc < 0)
		columns_add(&fitting->columns, "no: %s", refused.message);
	columns_end_row(&fitting->columns);
	json_array_append_new(
		fitting->strategies,
		json_pack("{s:s, s:b, s:o, s:o}", "strategy", name, "fits", rc == 0, "reason",
			  rc < 0 ? report_string_json(refused.message) : json_null(), "hint",
			  rc < 0 && refused.hint ? report_string_json(refused.hint) : json_null()));
	return 0;
}

static int finish_fitting(struct invocation *invocation, struct fitting *fitting, struct err *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	bool fits = fitting->block.len > 0;

	columns_write(&fitting->columns, "  ", &text);
	if (fits)
		buf_printf(
			&text,
			"\nput this into dbt_project.yml, then say '%s plan' and '%s deploy':\n%s",
			invocation->program, invocation->program, buf_cstr(&fitting->block));
	if (command_finish(
		    invocation, &text,
		    json_pack("{s:i, s:O, s:o}", "version", 1, "strategies", fitting->strategies,
			      "block",
			      fits ? report_string_json(buf_cstr(&fitting->block)) : json_null()),
		    err) < 0)
		return -1;
	return fits ? 0 : err_set(err, ERR_UNSUPPORTED, "no strategy fits this project as it is");
}

static int suggest(struct invocation *invocation, struct err *err)
{
	struct fitting fitting = {
		.columns = COLUMNS_INIT,
		.strategies = json_array(),
		.block = BUF_INIT,
	};
	int rc = 0;

	for (const char *const *name = config_strategies(); *name && rc == 0; name++)
		rc = try_strategy(invocation, *name, &fitting, err);
	if (rc == 0)
		rc = finish_fitting(invocation, &fitting, err);
	columns_release(&fitting.columns);
	json_decref(fitting.strategies);
	buf_release(&fitting.block);
	return rc;
}

static int run(struct invocation *invocation, struct deploy *deploy, struct err *err)
{
	return command_has_name(invocation) ? show(invocation, deploy, err) : 0;
}

int cmd_plan(struct invocation *invocation, struct err *err)
{
	int rc = command_with_deploy(invocation, run, err);

	return rc < 0 || command_has_name(invocation) ? rc : suggest(invocation, err);
}
