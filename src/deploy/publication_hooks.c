/* The steps that are the user's own commands. */
#include <string.h>

#include "airlock/dbt/runner.h"
#include "airlock/deploy/hook.h"
#include "airlock/deploy/publication.h"

static const char *reason_of(enum option_id id)
{
	switch ((int)id) {
	case OPTION_BEFORE_PUBLISH:
		return "when it fails nothing is published";
	case OPTION_AFTER_PUBLISH:
		return "production has the new tables; when it fails they stay";
	default:
		return "only when the deployment fails";
	}
}

static int refuse_operation(const char *key, struct err *err)
{
	err_set(err, ERR_CONFIG_INVALID, "%s: 'run-operation' takes MACRO and --args ARGS", key);
	return err_hint(err,
			"say '%s: run-operation MACRO --args \"{name: value}\"'; airlock gives "
			"target, profile and vars itself",
			key);
}

static bool is_whole_operation(const struct strv *words)
{
	if (words->n == 2)
		return words->v[1][0] != '-';
	return words->n == 4 && words->v[1][0] != '-' && strcmp(words->v[2], "--args") == 0;
}

/* A macro of the project, run where the tables were published. */
static int plan_operation(const struct publication *w, const char *key, const char *text,
			  struct strv *command, struct err *err)
{
	const struct config *config = w->in->config;
	enum option_id side = config_text(config, OPTION_TO) ? OPTION_TO : OPTION_FROM;
	char *name CLEANUP(mem_free_string) = config_side_name(config, side);

	if (!strv_split_shell(command, text) || !is_whole_operation(command))
		return refuse_operation(key, err);
	strv_push(command, "--target");
	strv_push(command, config_text(config, side));
	strv_push(command, "--target-path");
	strv_pushf(command, "target/airlock/hook/%s", name);
	if (w->in->options)
		strv_push_all(command, w->in->options);
	runner_push_log_options(command);
	return 0;
}

int publication_plan_hook(struct publication *w, enum option_id id, struct err *err)
{
	const char *key = option_row(id)->key;
	const char *text = config_text(w->in->config, id);
	bool uses_dbt = text && id == OPTION_AFTER_PUBLISH && hook_is_operation(text);
	struct step *step;

	if (!text)
		return 0;
	step = plan_add_step(w->plan, key, id == OPTION_AFTER_FAILURE ? "finish" : "publish",
			     uses_dbt ? STEP_DBT : STEP_HOOK, reason_of(id));
	step->undo = "nothing";
	if (uses_dbt)
		return plan_operation(w, key, text, &step->command, err);
	hook_push_command(text, &step->command);
	return 0;
}

bool hook_is_operation(const char *text)
{
	static const char verb[] = "run-operation";

	return strncmp(text, verb, strlen(verb)) == 0 && strchr(" \t\n", text[strlen(verb)]);
}

void hook_push_command(const char *text, struct strv *command)
{
	strv_push(command, "/bin/sh");
	strv_push(command, "-c");
	strv_push(command, text);
}
