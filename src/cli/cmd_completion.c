#include <string.h>

#include "airlock/base/fs.h"
#include "airlock/cli/help.h"
#include "airlock/dbt/manifest.h"
#include "airlock/dbt/targets.h"
#include "command_internal.h"

/* What an option or operand is called in help, and what the shell offers for it. */
static const struct {
	const char *argument;
	const char *offer;
} offers[] = {
	{ "TARGET", "$(\"${COMP_WORDS[0]}\" completion targets 2>/dev/null)" },
	{ "TAG,...", "$(\"${COMP_WORDS[0]}\" completion tags 2>/dev/null)" },
	{ "DIR", "$(compgen -d -- \"$word\")" },
	{ "FILE", "$(compgen -f -- \"$word\")" },
};

static void write_values(const char *const *values, struct buf *out)
{
	for (size_t i = 0; values[i]; i++)
		buf_printf(out, "%s%s", i ? " " : "", values[i]);
}

/* One arm of the case over the word in front: what the option takes. */
static void write_option_arm(const struct option_row *row, struct buf *out)
{
	CLEANUP(mem_free_string) char *flag = option_flag(row);
	const char *offer = NULL;

	if (row->type == OPTION_BOOL || row->type == OPTION_FLAG || row->project_only)
		return;
	for (size_t i = 0; i < ARRAY_LEN(offers); i++)
		if (strcmp(row->argument, offers[i].argument) == 0)
			offer = offers[i].offer;
	if (!row->values && !offer)
		return;
	buf_printf(out, "    %s) offer=\"", flag);
	if (row->values)
		write_values(row->values, out);
	else
		buf_add_str(out, offer);
	buf_add_str(out, "\" ;;\n");
}

static void write_operand(const struct command *command, struct buf *out)
{
	size_t n;

	if (!command->operand)
		return;
	if (strstr(command->operand, "STRATEGY")) {
		write_values(config_strategies(), out);
		buf_add_str(out, " $(\"${COMP_WORDS[0]}\" completion deployments 2>/dev/null)");
	} else if (strcmp(command->name, "help") == 0) {
		const struct command *commands = command_all(&n);

		for (size_t i = 0; i < n; i++)
			buf_printf(out, "%s ", commands[i].name);

		const struct help_topic *topics = help_topics(&n);

		for (size_t i = 0; i < n; i++)
			buf_printf(out, "%s ", topics[i].name);
		buf_add_str(out, "man");
	} else if (command->takes_verb) {
		for (const char *s = command->operand; *s; s++)
			buf_add_char(out, (char)(*s == '|' ? ' ' : *s));
	}
}

/* One arm of the case over the verb: its options, else its operand. */
static void write_command_arm(const struct command *command, struct buf *out)
{
	buf_printf(out, "    %s)\n      if [[ $word = -* ]]; then offer=\"--help", command->name);
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct option_row *row = option_row((enum option_id)i);
		CLEANUP(mem_free_string) char *flag = option_flag(row);

		if (!command_takes(command, row->id))
			continue;
		buf_printf(out, " %s", flag);
		if (row->type == OPTION_BOOL)
			buf_printf(out, " --no-%s", flag + 2);
	}
	buf_add_str(out, "\"\n      else offer=\"");
	write_operand(command, out);
	buf_add_str(out, "\"; fi ;;\n");
}

static void write_script(struct buf *out)
{
	size_t n;
	const struct command *commands = command_all(&n);

	buf_add_str(out,
		    "_airlock() {\n"
		    "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
		    "  local offer='' verb=''\n"
		    "  (( COMP_CWORD > 1 )) && verb=${COMP_WORDS[1]}\n"
		    "  case $before in\n");
	for (size_t i = 0; i < OPTION_COUNT; i++)
		write_option_arm(option_row((enum option_id)i), out);
	buf_add_str(out, "  esac\n"
			 "  if [[ -z $offer ]]; then case $verb in\n"
			 "    '') offer=\"");
	for (size_t i = 0; i < n; i++)
		buf_printf(out, "%s ", commands[i].name);
	buf_add_str(out, "dbt --help --version\" ;;\n");
	for (size_t i = 0; i < n; i++)
		write_command_arm(&commands[i], out);
	buf_add_str(out, "  esac; fi\n"
			 "  COMPREPLY=($(compgen -W \"$offer\" -- \"$word\")) || :\n"
			 "}\n"
			 "complete -o default -F _airlock airlock\n");
}

static void add_lines(const struct strv *names, struct buf *out)
{
	for (size_t i = 0; i < names->n; i++)
		buf_printf(out, "%s\n", names->v[i]);
}

static int write_deployments(const struct project *project, struct buf *out, struct err *err)
{
	CLEANUP(strv_release) struct strv names = STRV_INIT;

	if (config_deployments(project, &names, err) < 0)
		return -1;
	add_lines(&names, out);
	return 0;
}

static int write_targets(const struct invocation *invocation, const struct project *project,
			 struct buf *out, struct err *err)
{
	const struct cmdline_given given = { .verb = NULL };
	CLEANUP(strv_release) struct strv names = STRV_INIT;
	CLEANUP(mem_free_string) char *profile = NULL;

	if (targets_list(&given, project, invocation->environment, &names, &profile, err) < 0)
		return -1;
	add_lines(&names, out);
	return 0;
}

/* Of the manifest that dbt wrote last. */
static int write_tags(const struct invocation *invocation, const struct project *project,
		      struct buf *out, struct err *err)
{
	const struct cmdline_given given = { .verb = NULL };
	CLEANUP(mem_free_string)
	char *path = targets_path(&given, project, invocation->environment);
	CLEANUP(mem_free_string) char *file = fs_join(path ? path : "target", "manifest.json");
	CLEANUP(strv_release) struct strv tags = STRV_INIT;
	struct manifest *manifest = NULL;

	if (manifest_read(file, &manifest, err) < 0)
		return -1;
	for (size_t i = 0; i < manifest_count(manifest); i++) {
		const struct manifest_node *node = manifest_node(manifest, i);

		for (size_t k = 0; manifest_makes_relation(node) && k < node->tag_count; k++)
			strv_push(&tags, node->tags[k]);
	}
	manifest_free(manifest);
	strv_sort(&tags);
	strv_dedup(&tags);
	add_lines(&tags, out);
	return 0;
}

static int write_names(const struct invocation *invocation, const char *what, struct buf *out,
		       struct err *err)
{
	CLEANUP(project_release) struct project project = { .name = NULL };

	if (command_open_project(invocation, &project, err) < 0)
		return -1;
	if (strcmp(what, "deployments") == 0)
		return write_deployments(&project, out, err);
	if (strcmp(what, "targets") == 0)
		return write_targets(invocation, &project, out, err);
	return write_tags(invocation, &project, out, err);
}

int cmd_completion(struct invocation *invocation, struct err *err)
{
	const char *what = invocation->arguments->what ? invocation->arguments->what : "";
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	bool is_zsh = strcmp(what, "zsh") == 0;

	if (is_zsh)
		buf_add_str(&text,
			    "#compdef airlock\nautoload -U +X bashcompinit && bashcompinit\n");
	if (is_zsh || strcmp(what, "bash") == 0) {
		write_script(&text);
		/* From a directory of fpath it is loaded when it is first wanted. */
		if (is_zsh)
			buf_add_str(&text, "[[ ${funcstack[1]-} != _airlock ]] || "
					   "_bash_complete -o default -F _airlock\n");
	} else if (strcmp(what, "deployments") != 0 && strcmp(what, "tags") != 0 &&
		   strcmp(what, "targets") != 0) {
		err_set(err, ERR_USAGE, "'completion' takes %s", invocation->command->operand);
		return err_hint(err, "for example: eval \"$(airlock completion bash)\"");
	} else if (write_names(invocation, what, &text, err) < 0) {
		return -1;
	}
	return report_result(invocation->report, buf_cstr(&text), text.len, err);
}
