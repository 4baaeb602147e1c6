#include "airlock/cli/help.h"

#include <string.h>

#include "airlock/cli/manual.h"
#include "command_internal.h"

static int refuse(const struct invocation *invocation, const char *word, struct err *err)
{
	CLEANUP(strv_release) struct strv names = STRV_INIT;
	size_t n;
	const struct command *commands = command_all(&n);
	const struct help_topic *topics;
	const char *nearest;

	for (size_t i = 0; i < n; i++)
		strv_push(&names, commands[i].name);
	topics = help_topics(&n);
	for (size_t i = 0; i < n; i++)
		strv_push(&names, topics[i].name);
	nearest = strv_nearest(word, (const char *const *)strv_argv(&names), names.n);
	err_set(err, ERR_USAGE, "there is no help about '%s'", word);
	if (nearest)
		return err_hint(err, "did you mean '%s'?", nearest);
	return err_hint(err, "'%s help' lists commands and topics; for dbt's own: dbt %s --help",
			invocation->program, word);
}

/* A word may be both: then the topic follows the command. */
int cmd_help(struct invocation *invocation, struct err *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	const char *word = invocation->arguments->what;
	const struct command *command = word ? command_find(word) : NULL;
	const struct help_topic *topic = word ? help_topic(word) : NULL;

	if (word && strcmp(word, "man") == 0) {
		manual_write(&text);
		return command_finish(invocation, &text, NULL, err);
	}
	if (!word)
		help_write_overview(invocation->program, &text);
	else if (!command && !topic)
		return refuse(invocation, word, err);
	if (command)
		help_write_command(invocation->program, command, &text);
	if (command && topic)
		buf_add_char(&text, '\n');
	if (topic)
		help_write_topic(topic, &text);
	return command_finish(invocation, &text, NULL, err);
}
