#include <string.h>

#include "airlock/base/env.h"
#include "airlock/base/fs.h"
#include "airlock/dbt/secret.h"
#include "airlock/deploy/scope_build.h"
#include "airlock/warehouse/relation.h"
#include "columns.h"
#include "command_internal.h"
#include "deploy_if.h"

enum {
	FAILURES_SHOWN = 20,
};

static size_t cause_count(const struct audit *audit)
{
	size_t n = 0;

	for (size_t i = 0; i < audit->failure_count; i++)
		n += strcmp(audit->failures[i].status, "skipped") != 0;
	return n;
}

/*
 * What is behind a failed node was skipped because of it: it is counted, and not listed among the
 * causes. Where nothing but skips is known, they are what there is to list.
 */
static bool is_cause(const struct audit *audit, const struct audit_failure *failure)
{
	return strcmp(failure->status, "skipped") != 0 || cause_count(audit) == 0;
}

/* model.shop.orders, test.shop.unique_orders.0a1b, unit_test.shop.orders.adds_up: the part that
 * dbt selects by. */
static char *node_name(const char *unique_id)
{
	size_t part = strncmp(unique_id, "unit_test.", strlen("unit_test.")) == 0 ? 3 : 2;
	const char *name = unique_id;

	for (; part && name; part--) {
		name = strchr(name, '.');
		name = name ? name + 1 : NULL;
	}
	return name ? mem_strndup(name, strcspn(name, ".")) : mem_strdup(unique_id);
}

/* The failed nodes once more, in staging. */
static void add_rebuild(const struct invocation *invocation, const struct audit *audit,
			struct strv *next)
{
	const struct arguments *arguments = invocation->arguments;
	const char *from = config_text(&arguments->config, OPTION_FROM);
	CLEANUP(strv_release) struct strv environment = STRV_INIT;
	CLEANUP(mem_free_string)
	char *name_of_side = config_side_name(&arguments->config, OPTION_FROM);
	CLEANUP(buf_release) struct buf line = BUF_INIT;

	if (!from || cause_count(audit) > FAILURES_SHOWN)
		return;
	config_side_environment(&arguments->config, OPTION_FROM, &environment);
	for (size_t i = 0; i < environment.n; i++) {
		CLEANUP(mem_free_string) char *pair = secret_shown_pair(environment.v[i]);

		buf_add_str(&line, i == 0 ? "env " : "");
		buf_add_shell_word(&line, pair);
		buf_add_char(&line, ' ');
	}
	buf_printf(&line, "%s build --target ",
		   strcmp(invocation->program, "airlock") == 0 ? "airlock" : "dbt");
	buf_add_shell_word(&line, from);
	buf_add_str(&line, " --select");
	for (size_t i = 0; i < audit->failure_count; i++) {
		CLEANUP(mem_free_string) char *name = node_name(audit->failures[i].unique_id);

		if (!is_cause(audit, &audit->failures[i]))
			continue;
		buf_add_char(&line, ' ');
		buf_add_shell_word(&line, name);
	}
	if (scope_build_is_wanted(&arguments->config) &&
	    config_is(&arguments->config, OPTION_PARENTS, "defer")) {
		buf_add_str(&line, " --defer --favor-state --state target/airlock/state/");
		buf_add_shell_word(&line, name_of_side);
	}
	arguments_write_dbt(arguments, &arguments->cmdline.every, invocation->environment, &line);
	strv_push(next, buf_cstr(&line));
}

/* What is no strategy and no deployment's name means something to its own command only. */
static void add_command(const struct invocation *invocation, const char *name, struct strv *next)
{
	const struct command *command = command_find(name);
	struct arguments arguments = *invocation->arguments; /* borrowed, all of it */
	CLEANUP(buf_release) struct buf line = BUF_INIT;

	if (command != invocation->command &&
	    (invocation->command->takes_verb || command_id(invocation)))
		arguments.what = NULL;
	arguments_write(&arguments, invocation->program, command, invocation->environment, &line);
	strv_push(next, buf_cstr(&line));
}

/* What is good without another build, and what failed once more. */
static void add_rest(const struct invocation *invocation, const struct deploy_result *result,
		     struct strv *next)
{
	CLEANUP(buf_release) struct buf publish = BUF_INIT;
	CLEANUP(buf_release) struct buf retry = BUF_INIT;

	buf_printf(&publish, "%s publish %s --exclude", invocation->program, result->id);
	for (size_t i = 0; i < result->rest->n; i++) {
		CLEANUP(mem_free_string) char *word = mem_printf("%s+", result->rest->v[i]);

		buf_add_char(&publish, ' ');
		buf_add_shell_word(&publish, word);
	}
	buf_printf(&retry, "%s deploy --retry %s", invocation->program, result->id);
	arguments_write_where(invocation->arguments, true, &publish);
	arguments_write_where(invocation->arguments, true, &retry);
	if (result->can_publish)
		strv_push(next, buf_cstr(&publish));
	if (result->can_retry)
		strv_push(next, buf_cstr(&retry));
}

/* What to look at first, by the topic that explains the error. */
static void add_inspection(const struct invocation *invocation, const struct err *err,
			   struct strv *next)
{
	static const struct {
		const char *topic;
		const char *command;
	} inspections[] = {
		{ "config", "config" },
		{ "routing", "routes" },
		{ "scope", "routes" },
	};

	for (size_t i = 0; i < ARRAY_LEN(inspections); i++)
		if (strcmp(inspections[i].topic, err_row(err->code)->topic) == 0)
			add_command(invocation, inspections[i].command, next);
}

static void add_of_id(const struct invocation *invocation, const char *command, bool asks,
		      const char *id, struct strv *next)
{
	CLEANUP(buf_release) struct buf line = BUF_INIT;

	buf_printf(&line, "%s %s %s", invocation->program, command, id);
	arguments_write_where(invocation->arguments, asks, &line);
	strv_push(next, buf_cstr(&line));
}

/* Command lines that can be pasted, in the order in which they make sense. */
static void find_next(const struct invocation *invocation, const struct deploy_result *result,
		      const struct err *err, struct strv *next)
{
	if (!err_is_set(err) || err->code == ERR_USAGE || err->code == ERR_UNSUPPORTED ||
	    !invocation->arguments)
		return;
	/* What the hook was to do is done by hand: the same again would publish again. */
	if (result && result->production_changed && err->code == ERR_HOOK_FAILED) {
		add_of_id(invocation, "rollback", true, result->id, next);
		return;
	}
	if (result && result->is_partly) {
		add_of_id(invocation, "resume", false, result->id, next);
		if (result->can_abort)
			add_of_id(invocation, "abort", false, result->id, next);
		return;
	}
	if (result && result->audit && result->audit->failure_count)
		add_rebuild(invocation, result->audit, next);
	if (result && result->rest && cause_count(result->audit) <= FAILURES_SHOWN)
		add_rest(invocation, result, next);
	add_inspection(invocation, err, next);
	if (!command_id(invocation))
		add_command(invocation, invocation->command->name, next);
}

static json_t *nodes_json(const struct audit *audit)
{
	return json_pack("{s:I, s:I, s:I}", "built", (json_int_t)(audit ? audit->nodes_built : 0),
			 "failed", (json_int_t)(audit ? audit->nodes_failed : 0), "skipped",
			 (json_int_t)(audit ? audit->nodes_skipped : 0));
}

static json_t *tests_json(const struct audit *audit)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I}", "passed",
			 (json_int_t)(audit ? audit->tests_passed : 0), "warned",
			 (json_int_t)(audit ? audit->tests_warned : 0), "failed",
			 (json_int_t)(audit ? audit->tests_failed : 0), "skipped",
			 (json_int_t)(audit ? audit->tests_skipped : 0), "scope",
			 (json_int_t)(audit ? audit->scope_tests : 0));
}

static json_t *published_json(const struct deploy_published *items, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		const struct deploy_published *published = &items[i];
		CLEANUP(mem_free_string) char *to = relation_display(&published->route->to);

		json_array_append_new(
			list,
			json_pack("{s:o, s:o, s:s, s:o, s:o}", "unique_id",
				  report_string_json(published->route->node->unique_id), "relation",
				  report_string_json(to), "way", published->way, "rows",
				  published->rows < 0 ? json_null() : json_integer(published->rows),
				  "restore_point",
				  published->restore ? report_string_json(published->restore)
						     : json_null()));
	}
	return list;
}

static json_t *failures_json(const struct audit *audit)
{
	json_t *list = json_array();

	for (size_t i = 0; audit && i < audit->failure_count; i++) {
		const struct audit_failure *failure = &audit->failures[i];

		if (!is_cause(audit, failure))
			continue;
		json_array_append_new(
			list, json_pack("{s:o, s:o, s:o, s:o}", "unique_id",
					report_string_json(failure->unique_id), "status",
					report_string_json(failure->status), "message",
					report_string_json(failure->message), "compiled_path",
					*failure->path ? report_string_json(failure->path)
						       : json_null()));
	}
	return list;
}

static json_t *strings_json(const struct strv *strings)
{
	json_t *list = json_array();

	for (size_t i = 0; i < strings->n; i++)
		json_array_append_new(list, report_string_json(strings->v[i]));
	return list;
}

static json_t *document_of(const struct invocation *invocation, const struct deploy_result *result,
			   const struct err *err)
{
	CLEANUP(strv_release) struct strv next = STRV_INIT;
	const struct arguments *arguments = invocation->arguments;
	const char *strategy = result && result->strategy ? result->strategy
			       : arguments                ? arguments->config.strategy
							  : NULL;
	bool failed = err_is_set(err);

	find_next(invocation, result, err, &next);
	return json_pack(
		"{s:i, s:o, s:o, s:s, s:b, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, "
		"s:I, s:I}",
		"version", 1, "id",
		result && *result->id ? report_string_json(result->id) : json_null(), "strategy",
		strategy ? report_string_json(strategy) : json_null(), "outcome",
		deploy_outcome_name(result ? result->outcome : DEPLOY_FAILED), "production_changed",
		result ? (int)result->production_changed : 0, "exit",
		failed ? err_exit_status(err) : 0, "nodes",
		nodes_json(result ? result->audit : NULL), "tests",
		tests_json(result ? result->audit : NULL), "published",
		published_json(result ? result->published : NULL,
			       result ? result->published_count : 0),
		"publishing",
		published_json(result ? result->publishing : NULL,
			       result ? result->publishing_count : 0),
		"failures", failures_json(result ? result->audit : NULL), "next",
		strings_json(&next), "error", failed ? report_error_json(err) : json_null(),
		"skipped",
		result && result->skipped ? report_string_json(result->skipped) : json_null(),
		"skip_tests",
		arguments ? strings_json(config_list(&arguments->config, OPTION_SKIP_TESTS))
			  : json_array(),
		"restore_points_dropped", (json_int_t)(result ? result->restores_dropped : 0),
		"dbt_starts", (json_int_t)(result ? result->dbt_starts : 0), "elapsed_ms",
		(json_int_t)(result ? result->seconds * 1000 : 0));
}

json_t *cmd_deploy_document(const void *context, const struct deploy_result *result,
			    const struct err *err)
{
	return document_of(context, result, err);
}

json_t *cmd_deploy_failure(const struct invocation *invocation, const struct err *err)
{
	return document_of(invocation, NULL, err);
}

static void write_published(const struct deploy_result *result, struct buf *out)
{
	CLEANUP(columns_release) struct columns columns = COLUMNS_INIT;

	for (size_t i = 0; i < result->published_count; i++) {
		const struct deploy_published *published = &result->published[i];
		CLEANUP(mem_free_string) char *to = relation_display(&published->route->to);

		columns_add(&columns, "%s", to);
		columns_add(&columns, "%s", published->way);
		if (published->is_view)
			columns_add(&columns, "a view");
		else if (published->rows < 0)
			columns_add(&columns, "rows not counted");
		else
			columns_add(&columns, "%lld row%s", published->rows,
				    published->rows == 1 ? "" : "s");
		if (published->restore)
			columns_add(&columns, "restore point %s", published->restore);
		else if (strcmp(published->way, publish_way_name(PUBLISH_NEW)) == 0)
			columns_add(&columns, "nothing was replaced");
		else if (published->is_view)
			columns_add(&columns, "its old text is in the history");
		else
			columns_add(&columns, "no restore point");
		columns_end_row(&columns);
	}
	columns_write(&columns, "  ", out);
}

static void write_success(const struct invocation *invocation, const struct deploy_result *result,
			  struct buf *out)
{
	const struct audit *audit = result->audit;

	if (result->settled) {
		buf_printf(out, "%s\n", result->settled);
		return;
	}
	bool back = strcmp(invocation->command->name, "rollback") == 0;

	buf_printf(out, "%s %zu relation%s (deployment %s)\n", back ? "put back" : "published",
		   result->published_count, result->published_count == 1 ? "" : "s", result->id);
	write_published(result, out);
	if (audit && !invocation->command->builds_nothing)
		buf_printf(out, "built %zu node%s; ", audit->nodes_built,
			   audit->nodes_built == 1 ? "" : "s");
	if (audit)
		buf_printf(out,
			   "%zu test%s passed, %zu warned; %zu of them on what was "
			   "published\n",
			   audit->tests_passed, audit->tests_passed == 1 ? "" : "s",
			   audit->tests_warned, audit->scope_tests);
	if (result->restores_dropped)
		buf_printf(out, "dropped %zu expired restore point%s\n", result->restores_dropped,
			   result->restores_dropped == 1 ? "" : "s");
	const struct strv *skipped = config_list(&invocation->arguments->config, OPTION_SKIP_TESTS);

	for (size_t i = 0; i < skipped->n; i++)
		buf_printf(out, "%s%s", i ? ", " : "not run, and stopped nothing: ", skipped->v[i]);
	if (skipped->n)
		buf_add_char(out, '\n');
	buf_printf(out, "dbt was started %u times; %.1f seconds\n", result->dbt_starts,
		   result->seconds);
}

static void write_message(const char *message, struct buf *out)
{
	size_t len = strlen(message);

	while (len && strchr(" \r\n", message[len - 1]))
		len--;
	for (size_t i = 0; i < len; i++) {
		buf_add_char(out, message[i]);
		if (message[i] == '\n')
			buf_add_str(out, "    ");
	}
	buf_add_char(out, '\n');
}

static void write_failures(const struct audit *audit, struct buf *out)
{
	size_t causes = cause_count(audit);
	size_t shown = 0;

	if (causes && causes < audit->failure_count)
		buf_printf(out, "%zu skipped behind what failed\n", audit->failure_count - causes);
	for (size_t i = 0; i < audit->failure_count && shown < FAILURES_SHOWN; i++) {
		const struct audit_failure *failure = &audit->failures[i];

		if (!is_cause(audit, failure))
			continue;
		shown++;
		buf_printf(out, "%s %s%s", failure->status, failure->unique_id,
			   *failure->message ? ": " : "");
		write_message(failure->message, out);
		if (*failure->path)
			buf_printf(out, "  %s\n", failure->path);
	}
	if (causes > shown)
		buf_printf(out, "and %zu more; --json lists all of them\n", causes - shown);
}

static void write_failure(const struct invocation *invocation, const struct deploy_result *result,
			  const struct err *err, struct buf *out)
{
	CLEANUP(strv_release) struct strv next = STRV_INIT;

	write_failures(result->audit, out);
	buf_printf(out, "%s\n", report_production(err));
	find_next(invocation, result, err, &next);
	for (size_t i = 0; i < next.n; i++)
		buf_printf(out, "%s %s\n", i ? "     " : "next:", next.v[i]);
}

/* A failed deployment stays one, whether or not its result can be written. */
static int finish(struct invocation *invocation, const struct deploy_result *result,
		  const struct buf *text, struct err *err)
{
	bool failed = err_is_set(err);
	bool as_json = command_wants_json(invocation);
	json_t *document = as_json ? document_of(invocation, result, err) : NULL;
	CLEANUP(err_release) struct err ignored = ERR_INIT;
	int rc = command_finish(invocation, text, document, failed ? &ignored : err);

	if (failed) {
		invocation->has_told_production = !rc && !as_json && text->len;
		return -1;
	}
	if (rc < 0 && result->production_changed)
		err->production = ERR_PRODUCTION_CHANGED;
	return rc;
}

/* For the page that a job's run has. It does not decide about the deployment. */
static void write_markdown(const struct invocation *invocation, const struct deploy_result *result,
			   const struct buf *text, const struct err *err)
{
	const char *file = config_text(&invocation->arguments->config, OPTION_MARKDOWN);
	CLEANUP(err_release) struct err failed = ERR_INIT;
	CLEANUP(buf_release) struct buf page = BUF_INIT;
	struct fs_log log = FS_LOG_CLOSED;

	if (!file)
		file = env_get(invocation->environment, "GITHUB_STEP_SUMMARY");
	if (!file || !*file)
		return;
	buf_printf(&page, "### airlock %s: %s\n\n", invocation->command->name,
		   !err_is_set(err) ? result ? deploy_outcome_name(result->outcome) : "done"
				    : "failed");
	if (err_is_set(err))
		buf_printf(&page, "%s\n\n**%s**\n\n", err->message, report_production(err));
	if (text->len)
		buf_printf(&page, "````\n%s````\n\n", buf_cstr(text));
	if (fs_log_open(file, &log, &failed) < 0 ||
	    fs_log_append(&log, page.data, page.len, &failed) < 0)
		report_notice(invocation->report, "warning: %s", failed.message);
	fs_log_close(&log);
}

int cmd_deploy_end(struct invocation *invocation, const struct deploy_result *result,
		   struct err *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	if (!err_is_set(err) && result->skipped)
		buf_printf(&text, "skipped: %s\nnothing was done, production was not changed\n",
			   result->skipped);
	else if (!err_is_set(err))
		write_success(invocation, result, &text);
	else if (result && result->audit && result->audit->failure_count)
		write_failure(invocation, result, err, &text);
	write_markdown(invocation, result, &text, err);
	return finish(invocation, result, &text, err);
}

static int run(struct invocation *invocation, struct deploy *deploy, struct err *err)
{
	const struct deploy_result *result = NULL;

	const char *id = command_id(invocation);

	if (id && !invocation->command->builds_nothing && invocation->arguments->what) {
		err_set(err, ERR_USAGE, "--retry goes on with deployment '%s', and takes no '%s'",
			id, invocation->arguments->what);
		return err_hint(err, "leave '%s' out", invocation->arguments->what);
	}
	if (!id && command_need_name(invocation, err) < 0)
		return -1;
	if (deploy_if_holds(invocation, err) < 0)
		return -1;
	if (id)
		deploy_rest(deploy, id, !invocation->command->builds_nothing, &result, err);
	else
		deploy_run(deploy, &result, err);
	return cmd_deploy_end(invocation, result, err);
}

int cmd_deploy(struct invocation *invocation, struct err *err)
{
	int elsewhere = deploy_if_elsewhere(invocation, err);

	if (elsewhere)
		return elsewhere < 0 ? -1 : 0;
	return command_with_deploy(invocation, run, err);
}
