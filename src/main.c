#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "airlock/base/env.h"
#include "airlock/base/host.h"
#include "airlock/base/proc.h"
#include "airlock/cli/arguments.h"
#include "airlock/cli/command.h"
#include "airlock/cli/guard.h"
#include "airlock/cli/help.h"
#include "airlock/cli/passthrough.h"
#include "airlock/cli/report.h"

static int write_help(const struct invocation *invocation, struct err *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	if (invocation->command)
		help_write_command(invocation->program, invocation->command, &text);
	else
		help_write_overview(invocation->program, &text);
	return report_result(invocation->report, buf_cstr(&text), text.len, err);
}

static int run_command(struct invocation *invocation, char *const *words,
		       struct arguments *arguments, struct err *err)
{
	const struct command *command = invocation->command;

	if (arguments_parse(command, words, arguments, err) < 0)
		return -1;
	report_set_format(invocation->report, config_text(&arguments->config, OPTION_LOG_FORMAT));
	invocation->report->results_are_events = command->publishes;
	if (arguments->wants_help)
		return write_help(invocation, err);
	invocation->words = words;
	invocation->arguments = arguments;
	if (command->starts_dbt)
		proc_supervise();
	/* After proc_supervise(), which remembers for the children what it was: a reader of our
	 * output that goes away must not end a deployment in the middle. */
	if (command->publishes)
		signal(SIGPIPE, SIG_IGN);
	return command->run(invocation, err);
}

static int refuse_unknown(const struct invocation *invocation, const char *word, struct err *err)
{
	const char *names[32];
	size_t n;
	const struct command *commands = command_all(&n);
	const char *nearest;

	for (size_t i = 0; i < n && i < ARRAY_LEN(names); i++)
		names[i] = commands[i].name;
	nearest = strv_nearest(word, names, n < ARRAY_LEN(names) ? n : ARRAY_LEN(names));
	err_set(err, ERR_USAGE, "airlock has no command '%s'", word);
	if (nearest)
		err_hint(err, "did you mean '%s %s'?", invocation->program, nearest);
	return -1;
}

static int run_own(struct invocation *invocation, char *const *words, struct arguments *arguments,
		   struct err *err)
{
	static const char version[] = "airlock " AIRLOCK_VERSION "\n";
	const char *word = words[0];

	if (!word || strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0)
		return write_help(invocation, err);
	if (strcmp(word, "--version") == 0)
		return report_result(invocation->report, version, sizeof(version) - 1, err);
	invocation->command = command_find(word);
	if (!invocation->command)
		return refuse_unknown(invocation, word, err);
	return run_command(invocation, words + 1, arguments, err);
}

/* The one place where an error is printed. */
static int tell(struct invocation *invocation, char *const *words, const struct err *err)
{
	const struct command *command = invocation->command;

	if (command && !invocation->has_written && arguments_want_json(words)) {
		CLEANUP(err_release) struct err ignored = ERR_INIT;

		report_document(invocation->report, command->failure(invocation, err), &ignored);
	}
	report_error(invocation->report, err);
	if (command && command->publishes && !invocation->has_told_production)
		report_notice(invocation->report, "%s", report_production(err));
	return err_exit_status(err);
}

/* 0: it is a command of ours after all. -1 when dbt cannot be started, or must not be. */
static int hand_over(struct invocation *invocation, struct passthrough *passthrough,
		     struct guard *guard, struct err *err)
{
	const struct strv *environment = invocation->environment;

	int rc = guard_check(passthrough->program, passthrough->words, environment, guard, err);

	report_set_format(invocation->report, guard->log_format);
	if (rc < 0)
		return -1;
	if (guard->notice)
		report_notice(invocation->report, "%s", guard->notice);
	if (!guard->words.n)
		return passthrough_exec(passthrough->words, environment, invocation->self, err);
	passthrough->words = strv_argv(&guard->words);
	invocation->replaces_build = true;
	invocation->artifacts = guard->artifacts;
	return 0;
}

int main(int argc, char **argv)
{
	CLEANUP(strv_release) struct strv environment = STRV_INIT;
	CLEANUP(err_release) struct err err = ERR_INIT;
	CLEANUP(arguments_release) struct arguments arguments = { .what = NULL };
	CLEANUP(guard_release) struct guard guard = { .notice = NULL };
	struct passthrough passthrough;
	struct report report;
	CLEANUP(mem_free_string) char *self = host_self(argv[0]);
	struct invocation invocation = { .self = self };
	int rc;

	(void)argc;
	passthrough_decide(argv, &passthrough);
	env_copy(&environment, environ);
	rc = passthrough_deepen(&environment, &err);
	report_init(&report, &environment);
	invocation.program = passthrough.program;
	invocation.environment = &environment;
	invocation.report = &report;
	if (!rc && passthrough.to_dbt)
		rc = hand_over(&invocation, &passthrough, &guard, &err);
	if (!rc)
		rc = run_own(&invocation, passthrough.words, &arguments, &err);
	return rc < 0 ? tell(&invocation, passthrough.words, &err) : 0;
}
