#include "airlock/cli/guard.h"

#include <stdlib.h>
#include <string.h>

#include "airlock/base/buf.h"
#include "airlock/base/env.h"
#include "airlock/base/fs.h"
#include "airlock/cli/passthrough.h"
#include "airlock/dbt/cmdline.h"
#include "airlock/dbt/project.h"
#include "airlock/dbt/targets.h"
#include "airlock/deploy/config.h"
#include "guard_internal.h"

enum {
	PROJECT_LIMIT = 16 << 20,
};

static const char *const verbs[] = { "build",         "clone", "retry",    "run",
				     "run-operation", "seed",  "snapshot", NULL };

struct question {
	const char *program;
	const struct strv *environment;
	struct cmdline_given given;
	struct project project;
	struct config config;
	struct targets targets;
};

const char *const *guard_verbs(void)
{
	return verbs;
}

static bool is_among(const char *word, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(*words, word) == 0)
			return true;
	return false;
}

static bool can_be_guarded(const struct cmdline_given *given)
{
	return given->verb && !given->wants_help && is_among(given->verb, verbs);
}

static bool is_inside(const struct strv *environment)
{
	const char *depth = env_get(environment, PASSTHROUGH_DEPTH);

	/* 1 is our own, set for what we are about to start. */
	return depth && strcmp(depth, "1") != 0;
}

static bool mentions_airlock(const char *file)
{
	CLEANUP(err_release) struct err ignored = ERR_INIT;
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	return fs_read(file, PROJECT_LIMIT, &text, &ignored) == 0 &&
	       strstr(buf_cstr(&text), "airlock");
}

/* 1: there is one. 0: dbt is to say what is wrong with it. */
static int open_project(struct question *question, struct err *err)
{
	const struct cmdline_given *given = &question->given;
	const char *variable = cmdline_variable(question->environment, "PROJECT_DIR");
	CLEANUP(err_release) struct err reason = ERR_INIT;
	CLEANUP(mem_free_string) char *directory = NULL;
	CLEANUP(mem_free_string) char *file = NULL;

	directory = project_find(given->project_dir, variable, &reason);
	if (!directory)
		return 0;
	if (project_open(given->project_dir, variable, &question->project, &reason) == 0)
		return 1;
	file = fs_join(directory, "dbt_project.yml");
	if (!mentions_airlock(file))
		return 0;
	err_set(err, reason.code, "%s", reason.message);
	return err_hint(err, "airlock cannot tell whether 'dbt %s' may run: mend the file",
			given->verb);
}

/* `package.macro` is the macro too. */
static bool names_operation(const struct strv *macros, const char *word)
{
	const char *dot = strrchr(word, '.');

	return strv_contains(macros, word) || (dot && strv_contains(macros, dot + 1));
}

static bool is_guarded_operation(const struct question *question)
{
	const struct strv *macros = config_list(&question->config, OPTION_PROTECT_OPERATIONS);
	const struct cmdline_given *given = &question->given;

	if (given->operand && names_operation(macros, given->operand))
		return true;
	for (size_t i = 0; i < given->loose.n; i++)
		if (names_operation(macros, given->loose.v[i]))
			return true;
	return false;
}

/* The protected one of the targets it may be; NULL: none is. */
static const char *protected_target(const struct question *question)
{
	const struct strv *protected = config_list(&question->config, OPTION_PROTECT);

	for (size_t i = 0; i < question->targets.names.n; i++)
		if (strv_contains(protected, question->targets.names.v[i]))
			return question->targets.names.v[i];
	return NULL;
}

static void write_selection(const struct cmdline_given *given, struct buf *out)
{
	const struct {
		const char *option;
		const struct strv *words;
	} selections[] = { { "--select", &given->select }, { "--exclude", &given->exclude } };

	for (size_t i = 0; i < ARRAY_LEN(selections); i++) {
		if (selections[i].words->n)
			buf_printf(out, " %s", selections[i].option);
		for (size_t j = 0; j < selections[i].words->n; j++) {
			buf_add_char(out, ' ');
			buf_add_shell_word(out, selections[i].words->v[j]);
		}
	}
	if (given->selector) {
		buf_add_str(out, " --selector ");
		buf_add_shell_word(out, given->selector);
	}
}

/* What to say instead. */
static int advise(const struct question *question, const char *target, struct err *err)
{
	const struct cmdline_given *given = &question->given;
	CLEANUP(err_release) struct err ignored = ERR_INIT;
	CLEANUP(strv_release) struct strv names = STRV_INIT;
	CLEANUP(mem_free_string) char *joined = NULL;
	CLEANUP(buf_release) struct buf selection = BUF_INIT;

	if (strcmp(given->verb, "run-operation") == 0)
		return err_hint(err, "run it on another target, or as a hook of a deployment: "
				     "'airlock help hooks'");
	if (strcmp(given->verb, "retry") == 0)
		return err_hint(err,
				"goes on with a deployment: '%s deploy --retry ID', or '%s "
				"resume'",
				question->program, question->program);
	if (config_publishing_to(&question->project, target, &names, &ignored) < 0 || !names.n)
		strv_push(&names, "STRATEGY --from STAGING");
	joined = strv_join(&names, "|");
	write_selection(given, &selection);
	return err_hint(err,
			"build in staging, and publish what passes its tests: '%s deploy %s%s'",
			question->program, joined, buf_cstr(&selection));
}

static int stop(const struct question *question, const char *target, struct err *err)
{
	const struct option_value *by = &question->config.values[OPTION_PROTECT];
	const char *verb = question->given.verb;

	if (target) {
		err_set(err, ERR_TARGET_PROTECTED,
			"'dbt %s' would write to target '%s', which is protected (%s)", verb,
			target, by->origin);
		return advise(question, target, err);
	}
	err_set(err, ERR_TARGET_PROTECTED,
		"'dbt %s' may write to a target that is protected (%s): %s", verb, by->origin,
		question->targets.unresolved);
	if (strcmp(verb, "retry") == 0)
		return advise(question, NULL, err);
	return err_hint(err, "say which target is meant: --target NAME");
}

/*
 * The deployment of the same selection, with dbt's options. What cannot be said of a deployment
 * stops, like a choice between several.
 */
static int replace(const struct question *question, const char *target, struct guard *ret_guard,
		   struct err *err)
{
	const struct cmdline_given *given = &question->given;
	CLEANUP(strv_release) struct strv names = STRV_INIT;

	if (config_publishing_to(&question->project, target, &names, err) < 0)
		return -1;
	if (names.n != 1 || given->no_build || given->operand) {
		stop(question, target, err);
		if (given->no_build)
			return err_hint(err,
					"no deployment can be made of it with '%s': leave that "
					"out",
					given->no_build);
		return -1;
	}
	strv_push(&ret_guard->words, "deploy");
	if (given->log_format)
		strv_pushf(&ret_guard->words, "--log-format=%s",
			   strcmp(given->log_format, "json") == 0 ? "json" : "text");
	strv_push(&ret_guard->words, names.v[0]);
	for (size_t i = 0; i < given->select.n; i++)
		strv_pushf(&ret_guard->words, "--select=%s", given->select.v[i]);
	for (size_t i = 0; i < given->exclude.n; i++)
		strv_pushf(&ret_guard->words, "--exclude=%s", given->exclude.v[i]);
	if (given->selector)
		strv_pushf(&ret_guard->words, "--selector=%s", given->selector);
	if (given->behind.n)
		strv_push(&ret_guard->words, "--");
	strv_push_all(&ret_guard->words, &given->behind);
	ret_guard->artifacts = targets_path(given, &question->project, question->environment);
	ret_guard->notice = mem_printf("'dbt build' on the protected target '%s' becomes "
				       "'%s deploy %s': built and tested in staging first",
				       target, question->program, names.v[0]);
	return 0;
}

/* NULL: it is not set. */
static const char *reason_of(const struct strv *environment)
{
	const char *reason = env_get(environment, GUARD_BREAK_GLASS);

	return reason ? reason : env_get(environment, "DBT_" GUARD_BREAK_GLASS);
}

static bool is_blank(const char *text)
{
	return !text[strspn(text, " \t\n")];
}

static int break_glass(const struct question *question, const char *target, const char *reason,
		       struct guard *ret_guard, struct err *err)
{
	const char *verb = question->given.verb;
	const char *shown = target ? target : "one that only dbt knows";

	if (is_blank(reason)) {
		err_set(err, ERR_TARGET_PROTECTED, "%s is set, but says no reason",
			GUARD_BREAK_GLASS);
		return err_hint(err, "say why: %s='the reason'", GUARD_BREAK_GLASS);
	}
	if (guard_log(&question->project, verb, shown, reason, err) < 0)
		return err_wrap(err,
				"the reason for 'dbt %s' on a protected target must be "
				"recorded",
				verb);
	ret_guard->notice = mem_printf(
		"'dbt %s' may write to the protected target (%s), untested and with no way back: "
		"%s; the reason is in target/airlock/unguarded.jsonl",
		verb, shown, reason);
	return 0;
}

static int decide(const struct question *question, struct guard *ret_guard, struct err *err)
{
	const char *target = protected_target(question);
	const char *reason = reason_of(question->environment);

	if (!target && !question->targets.unresolved)
		return 0;
	if (reason)
		return break_glass(question, target, reason, ret_guard, err);
	if (target && config_is(&question->config, OPTION_ON_PROTECTED, "deploy") &&
	    strcmp(question->given.verb, "build") == 0)
		return replace(question, target, ret_guard, err);
	if (!config_is(&question->config, OPTION_ON_PROTECTED, "warn"))
		return stop(question, target, err);
	ret_guard->notice = mem_printf(
		"'dbt %s' may write to the protected target (%s), untested and with no way back",
		question->given.verb, target ? target : question->targets.unresolved);
	return 0;
}

static int ask(struct question *question, struct guard *ret_guard, struct err *err)
{
	const struct cmdline_given *given = &question->given;
	int opened = open_project(question, err);

	if (opened <= 0)
		return opened;
	if (config_set_guard(&question->config, &question->project, err) < 0)
		return -1;
	if (!config_list(&question->config, OPTION_PROTECT)->n)
		return 0;
	if (strcmp(given->verb, "run-operation") == 0 && !is_guarded_operation(question))
		return 0;
	targets_find(given, &question->project, question->environment, &question->targets);
	return decide(question, ret_guard, err);
}

int guard_check(const char *program, char *const *words, const struct strv *environment,
		struct guard *ret_guard, struct err *err)
{
	struct question question = { .program = program, .environment = environment };
	int rc = 0;

	*ret_guard = (struct guard) { .notice = NULL };
	if (is_inside(environment))
		return 0;
	cmdline_read(words, verbs, &question.given);
	config_init(&question.config);
	ret_guard->log_format = question.given.log_format;
	if (can_be_guarded(&question.given))
		rc = ask(&question, ret_guard, err);
	targets_release(&question.targets);
	config_release(&question.config);
	project_release(&question.project);
	cmdline_given_release(&question.given);
	return rc;
}

void guard_release(struct guard *guard)
{
	free(guard->notice);
	free(guard->artifacts);
	strv_release(&guard->words);
	*guard = (struct guard) { .notice = NULL };
}
