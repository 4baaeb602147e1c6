#include "deploy_if.h"

#include <string.h>

#include "airlock/base/env.h"
#include "airlock/dbt/targets.h"
#include "airlock/deploy/record.h"

static const char *behind(const char *text, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncmp(text, prefix, len) == 0 ? text + len : NULL;
}

static bool has_variable(const struct strv *environment, const char *pair)
{
	size_t len = strcspn(pair, "=");
	CLEANUP(mem_free_string) char *name = mem_strndup(pair, len);
	const char *value = env_get(environment, name);

	return value && pair[len] && strcmp(value, pair + len + 1) == 0;
}

static bool is_clean(const char *commit)
{
	return *commit && !strstr(commit, "-dirty");
}

/* 1 or 0; -1 for no condition at all. */
static int holds(const struct invocation *invocation, const char *directory, const char *condition)
{
	const char *name = behind(condition, "branch:");
	const char *pair = behind(condition, "env:");

	if (pair)
		return strchr(pair, '=') ? has_variable(invocation->environment, pair) : -1;
	if (name) {
		CLEANUP(mem_free_string)
		char *branch = record_branch(directory, invocation->environment);

		return strcmp(branch, name) == 0;
	}
	if (strcmp(condition, "clean") == 0) {
		CLEANUP(mem_free_string)
		char *commit = record_commit(directory, invocation->environment);

		return is_clean(commit);
	}
	return -1;
}

int deploy_if_holds(const struct invocation *invocation, struct err *err)
{
	const struct config *config = &invocation->arguments->config;
	const struct strv *conditions = config_list(config, OPTION_DEPLOY_ONLY_IF);
	CLEANUP(project_release) struct project project = { .name = NULL };

	if (!conditions->n)
		return 0;
	if (command_open_project(invocation, &project, err) < 0)
		return -1;
	for (size_t i = 0; i < conditions->n; i++) {
		int result = holds(invocation, project.directory, conditions->v[i]);

		if (result > 0)
			continue;
		if (result < 0)
			err_set(err, ERR_CONFIG_INVALID, "deploy_only_if: '%s' is no condition",
				conditions->v[i]);
		else
			err_set(err, ERR_CONDITION, "deploy_only_if: '%s' does not hold here",
				conditions->v[i]);
		return result < 0 ? err_hint(err, "write clean, branch:NAME or env:NAME=VALUE")
				  : -1;
	}
	return 0;
}

static int skip(struct invocation *invocation, const char *target, const char *wanted,
		struct err *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	buf_printf(&text, "skipped: the target is '%s', not '%s'; nothing was done\n", target,
		   wanted);
	if (command_finish(invocation, &text,
			   json_pack("{s:i, s:s, s:b, s:i, s:o}", "version", 1, "outcome",
				     "skipped", "production_changed", 0, "exit", 0, "target",
				     report_string_json(target)),
			   err) < 0)
		return -1;
	return 1;
}

int deploy_if_elsewhere(struct invocation *invocation, struct err *err)
{
	const struct cmdline *cmdline = &invocation->arguments->cmdline;
	const struct cmdline_given given = { .profile = cmdline->profile,
					     .profiles_dir = cmdline->profiles_dir };
	const char *wanted = config_text(&invocation->arguments->config, OPTION_ONLY_FROM);
	CLEANUP(project_release) struct project project = { .name = NULL };
	CLEANUP(targets_release) struct targets targets = { .unresolved = NULL };

	if (!wanted)
		return 0;
	if (command_open_project(invocation, &project, err) < 0)
		return -1;
	targets_find(&given, &project, invocation->environment, &targets);
	for (size_t i = 0; !targets.unresolved && i < targets.names.n; i++)
		if (strcmp(targets.names.v[i], wanted) != 0)
			return skip(invocation, targets.names.v[i], wanted, err);
	if (!targets.unresolved)
		return 0;
	err_set(err, ERR_CONDITION, "--only-from: only dbt can tell the target: %s",
		targets.unresolved);
	return err_hint(err, "set DBT_TARGET for this job");
}
