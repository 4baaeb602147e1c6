#include "airlock/cli/manual.h"

#include <string.h>

#include "airlock/base/mem.h"
#include "airlock/cli/command.h"
#include "airlock/cli/help.h"
#include "airlock/deploy/option.h"

/* Nothing of the text is a request or an escape, and a hyphen is the one that can be copied. */
static void add_text(const char *text, struct buf *out)
{
	for (bool begins = true; *text; begins = *text++ == '\n') {
		if (begins && (*text == '.' || *text == '\''))
			buf_add_str(out, "\\&");
		if (*text == '\\')
			buf_add_str(out, "\\e");
		else if (*text == '-')
			buf_add_str(out, "\\-");
		else if (*text == '\'')
			buf_add_str(out, "\\(aq");
		else
			buf_add_char(out, *text);
	}
}

/* As it stands. */
static void add_lines(const char *text, struct buf *out)
{
	buf_add_str(out, ".PP\n.nf\n");
	add_text(text, out);
	buf_add_str(out, ".fi\n");
}

static void add_command(const struct command *command, struct buf *out)
{
	buf_add_str(out, ".SS ");
	add_text(command->name, out);
	buf_add_str(out, "\n.B airlock ");
	add_text(command->name, out);
	buf_add_char(out, ' ');
	add_text(command->usage, out);
	buf_add_str(out, "\n.PP\n");
	add_text(command->summary, out);
	buf_add_str(out, "\n");
	if (*command->details)
		add_lines(command->details, out);
}

static void add_option(const struct option_row *row, struct buf *out)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	help_write_option(row, &text);
	buf_add_str(out, ".TP\n.B ");
	for (const char *line = buf_cstr(&text); *line;) {
		size_t len = strcspn(line, "\n");
		CLEANUP(mem_free_string) char *words = mem_strndup(line, len);

		add_text(words + strspn(words, " "), out);
		buf_add_char(out, '\n');
		line += len + 1;
	}
}

static void add_topic(const struct help_topic *topic, struct buf *out)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	buf_add_str(out, ".SS ");
	add_text(topic->name, out);
	buf_add_char(out, '\n');
	help_write_topic(topic, &text);
	add_lines(buf_cstr(&text), out);
}

void manual_write(struct buf *out)
{
	size_t n;
	const struct command *commands = command_all(&n);
	const struct help_topic *topics;

	buf_add_str(out, ".TH AIRLOCK 1 \"\" \"airlock " AIRLOCK_VERSION "\"\n"
			 ".SH NAME\nairlock \\- deploy with dbt: build in staging, test there, "
			 "publish what passed\n"
			 ".SH SYNOPSIS\n.B airlock\n.I COMMAND\n[\\fIOPTION\\fR...]\n.br\n"
			 ".B airlock\n.I DBT\\-COMMAND\n[\\fIOPTION\\fR...]\n"
			 ".SH COMMANDS\nEvery other word goes to dbt as it is.\n");
	for (size_t i = 0; i < n; i++)
		add_command(&commands[i], out);
	buf_add_str(out,
		    ".SH OPTIONS\n\\(aqairlock help COMMAND\\(aq says which a command takes.\n");
	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (!option_row((enum option_id)i)->project_only)
			add_option(option_row((enum option_id)i), out);
	buf_add_str(out, ".SH TOPICS\n");
	topics = help_topics(&n);
	for (size_t i = 0; i < n; i++)
		add_topic(&topics[i], out);
}
