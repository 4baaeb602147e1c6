#include "airlock/cli/command.h"

#include <string.h>

#include "airlock/deploy/state.h"
#include "command_internal.h"

#define BIT(id) ((command_options)1 << OPTION_##id)
#define OF_CHECK BIT(PARSE)
#define OF_PUBLISH BIT(ONLY_FROM)
#define OF_RESULT (BIT(LOG_FORMAT) | BIT(MARKDOWN))
#define OF_ROUTES (BIT(MANIFEST) | BIT(MANIFEST_TO) | BIT(OFFLINE))
#define OF_GUARD (BIT(ON_PROTECTED) | BIT(PROTECT) | BIT(PROTECT_OPERATIONS))
#define ALL                                                                                        \
	((((command_options)1 << OPTION_COUNT) - 1) &                                              \
	 ~(OF_CHECK | OF_PUBLISH | OF_RESULT | OF_ROUTES | OF_GUARD | BIT(FORCE) | BIT(RETRY)))

_Static_assert(OPTION_COUNT < 128, "the options of a command are bits of one number");

/* What says which warehouse a command looks into. */
#define WHERE                                                                                      \
	(BIT(FROM) | BIT(FROM_ENV) | BIT(TO) | BIT(TO_ENV) | BIT(PROJECT_DIR) | BIT(JSON) |        \
	 BIT(OPERATION_TIMEOUT))

/* Commands of the user's that a deployment runs. */
#define HOOKS (BIT(AFTER_FAILURE) | BIT(AFTER_PUBLISH) | BIT(BEFORE_PUBLISH) | BIT(HOOK_TIMEOUT))

#define USAGE_OF_DEPLOYMENTS "[STRATEGY|DEPLOYMENT] [OPTION...] [-- DBT-OPTION...]"

static const struct command commands[] = {
	{
		.name = "abort",
		.summary = "end a deployment that did not publish; production is what it was",
		.operand = "ID",
		.takes_id = true,
		.usage = "[ID] [OPTION...] [-- DBT-OPTION...]",
		.details = "Without an id the only one that is unfinished, or the newest rebuild "
			   "(wap) "
			   "that has\nfailed: what that had made new is put back. One that has "
			   "published "
			   "cannot be aborted:\n'rollback' takes it back.\n",
		.options = OF_RESULT | WHERE | BIT(FORCE),
		.takes_dbt_options = true,
		.starts_dbt = true,
		.publishes = true,
		.run = cmd_abort,
		.failure = cmd_deploy_failure,
	},
	{
		.name = "check",
		.summary = "look through files before a commit, for every deployment",
		.operand = "FILE...",
		.takes_more = true,
		.takes_verb = true,
		.usage = "[FILE...] [OPTION...]",
		.details =
			"Without files all of the project. Names of production or staging written "
			"out in SQL, routing\nconflicts, published nodes without a test, tagged "
			"views that wac leaves out, incremental models\nunder blue-green, sources "
			"read past the mirror, tags that no node has. Answers from what the\n"
			"last parse left; --parse lets dbt make that anew. Exit code 1 when "
			"something is found.\n",
		.options = BIT(JSON) | BIT(PARSE) | BIT(PROJECT_DIR),
		.starts_dbt = true,
		.run = cmd_check,
		.failure = command_failure,
	},
	{
		.name = "completion",
		.summary = "print what makes a shell complete airlock's command lines",
		.operand = "bash|zsh|deployments|tags|targets",
		.takes_verb = true,
		.usage = "bash|zsh|deployments|tags|targets",
		.details = "For bash or zsh, in the file that it reads at the start:\n"
			   "  eval \"$(airlock completion bash)\"\n"
			   "The other words print the names that the script offers in a project, "
			   "one in a line; dbt is\nnot started.\n",
		.run = cmd_completion,
		.failure = command_failure,
	},
	{
		.name = "config",
		.summary = "show every option, its value and where the value comes from",
		.operand = "STRATEGY|DEPLOYMENT",
		.usage = USAGE_OF_DEPLOYMENTS,
		.details = "Reads dbt_project.yml and the environment; dbt is not started.\n",
		.options = ALL & ~BIT(YES),
		.takes_dbt_options = true,
		.run = cmd_config,
		.failure = command_failure,
	},
	{
		.name = "deploy",
		.summary = "build in staging, test there, publish to production what passed",
		.operand = "STRATEGY|DEPLOYMENT",
		.usage = USAGE_OF_DEPLOYMENTS,
		.details = "On a terminal it shows the plan and asks before anything is built.\n",
		.options = OF_RESULT | ALL | BIT(RETRY),
		.takes_dbt_options = true,
		.starts_dbt = true,
		.publishes = true,
		.run = cmd_deploy,
		.failure = cmd_deploy_failure,
	},
	{
		.name = "doctor",
		.summary = "check whether a deployment could run, and say what is missing",
		.operand = "STRATEGY|DEPLOYMENT",
		.usage = USAGE_OF_DEPLOYMENTS,
		.details = "Which dbt is called and which is the real one, versions, profile and "
			   "targets, the sides, the\nwarehouse, privileges (as GRANT statements), "
			   "airlock's own tables, locks, disk. Reads the\nwarehouse, and writes "
			   "nothing "
			   "to it. The exit code is 0 when nothing stands in the way.\n",
		.options = ALL & ~BIT(YES),
		.takes_dbt_options = true,
		.starts_dbt = true,
		.run = cmd_doctor,
		.failure = command_failure,
	},
	{
		.name = "gc",
		.summary = "list what deployments left, and drop what is expired",
		.usage = "[OPTION...] [-- DBT-OPTION...]",
		.details =
			"A restore point is expired when `keep` newer ones of its table exist and "
			"it is older than\n`keep_for`: as the deployment that made it was told, or "
			"as given here. Only what the\nhistory and the comment say is ours is "
			"dropped. Without --yes it asks on a terminal, and\nonly lists "
			"elsewhere.\n",
		.options = WHERE | BIT(KEEP) | BIT(KEEP_FOR) | BIT(YES),
		.takes_dbt_options = true,
		.starts_dbt = true,
		.run = cmd_gc,
		.failure = command_failure,
	},
	{
		.name = "help",
		.summary = "explain a command or a topic",
		.operand = "COMMAND|TOPIC",
		.usage = "[COMMAND|TOPIC|man]",
		.details = "All of it as a manual page: airlock help man | man -l -\n",
		.run = cmd_help,
		.failure = command_failure,
	},
	{
		.name = "history",
		.summary = "list the deployments that the warehouse remembers, newest first",
		.usage = "[OPTION...] [-- DBT-OPTION...]",
		.details = "Reads the warehouse, and writes nothing to it.\n",
		.options = WHERE,
		.takes_dbt_options = true,
		.starts_dbt = true,
		.run = cmd_history,
		.failure = command_failure,
	},
	{
		.name = "inspect",
		.summary = "show one deployment whole: tables, rows, tests, restore points",
		.operand = "ID",
		.takes_id = true,
		.usage = "[ID] [OPTION...] [-- DBT-OPTION...]",
		.details =
			"Without an id the newest one. Reads the warehouse, and writes nothing to "
			"it.\n",
		.options = WHERE,
		.takes_dbt_options = true,
		.starts_dbt = true,
		.run = cmd_inspect,
		.failure = command_failure,
	},
	{
		.name = "mirror",
		.summary = "the raw layer: copies of the sources, refreshed on their own",
		.operand = "generate|refresh|status",
		.takes_verb = true,
		.usage = "generate|refresh|status [OPTION...] [-- DBT-OPTION...]",
		.details = "generate writes a raw model for each source that has none, and a "
			   "schema file; no file is\noverwritten. It prints as a diff what the "
			   "models above would change from source() to\nref(). refresh copies "
			   "each source; a copy takes the place of the last good one unless it\nis "
			   "empty or too small. status says how old each copy is, and how its "
			   "source is now. 'help\nmirror' says more.\n",
		.options = WHERE | HOOKS | BIT(ACCEPT) | BIT(BUILD_TIMEOUT) | BIT(IF_LOCKED) |
			   BIT(KEEP) | BIT(KEEP_FOR) | BIT(LEASE) | BIT(LOCK_TIMEOUT) |
			   BIT(MIRROR_MAX_SHRINK) | BIT(MIRROR_RAW) | BIT(ON_UNFINISHED) |
			   BIT(PUBLISH_TIMEOUT) | BIT(RESTORE_POINT) | BIT(SELECT),
		.takes_dbt_options = true,
		.starts_dbt = true,
		.publishes = true,
		.run = cmd_mirror,
		.failure = cmd_deploy_failure,
	},
	{
		.name = "plan",
		.summary = "print every step and statement of a deployment; change nothing",
		.operand = "STRATEGY|DEPLOYMENT",
		.usage = USAGE_OF_DEPLOYMENTS,
		.details = "Reads the warehouse, and writes nothing to it. What only the build "
			   "decides is\nprinted as <...>. Without a strategy or deployment it says "
			   "which strategies fit, and what to\nput into dbt_project.yml.\n",
		.options = ALL & ~BIT(YES),
		.takes_dbt_options = true,
		.starts_dbt = true,
		.run = cmd_plan,
		.failure = command_failure,
	},
	{
		.name = "publish",
		.summary = "test what staging holds and publish what passed; build nothing",
		.operand = "STRATEGY|DEPLOYMENT|ID",
		.usage = "[STRATEGY|DEPLOYMENT|ID] [OPTION...] [-- DBT-OPTION...]",
		.details = "Every relation of the scope must be in staging. Its tests run now, "
			   "under the "
			   "lock: no\nresult of an earlier run is believed. With the ID of a "
			   "deployment that "
			   "failed in its\nbuild: what of it is good is published as staging "
			   "holds it, with its options; leave the\nrest out with --exclude.\n",
		.options = OF_RESULT | OF_PUBLISH | (ALL & ~BIT(BUILD)),
		.takes_dbt_options = true,
		.starts_dbt = true,
		.publishes = true,
		.builds_nothing = true,
		.run = cmd_deploy,
		.failure = cmd_deploy_failure,
	},
	{
		.name = "resume",
		.summary = "bring a deployment that died to its end",
		.operand = "ID",
		.takes_id = true,
		.usage = "[ID] [OPTION...] [-- DBT-OPTION...]",
		.details = "Without an id the only one that is unfinished. What was tested is "
			   "published if staging\nstill holds just that; what was not is built "
			   "again, with the options it was started\nwith. From any checkout of the "
			   "project.\n",
		.options = OF_RESULT | WHERE | BIT(FORCE),
		.takes_dbt_options = true,
		.starts_dbt = true,
		.publishes = true,
		.run = cmd_resume,
		.failure = cmd_deploy_failure,
	},
	{
		.name = "rollback",
		.summary = "put production back to the restore points of a deployment",
		.operand = "ID",
		.takes_id = true,
		.usage = "[ID] [OPTION...] [-- DBT-OPTION...]",
		.details = "Without an id the newest deployment that was not taken back. It is a "
			   "deployment itself:\nrecorded, and with restore points of its own.\n",
		.options = OF_RESULT | WHERE | HOOKS | BIT(YES) | BIT(FORCE) | BIT(IF_LOCKED) |
			   BIT(LEASE) | BIT(LOCK_TIMEOUT) | BIT(ON_UNFINISHED) |
			   BIT(PUBLISH_TIMEOUT),
		.takes_dbt_options = true,
		.starts_dbt = true,
		.publishes = true,
		.run = cmd_rollback,
		.failure = cmd_deploy_failure,
	},
	{
		.name = "routes",
		.summary = "show where each node is built, where it is published, and why",
		.operand = "STRATEGY|DEPLOYMENT",
		.usage = USAGE_OF_DEPLOYMENTS,
		.details =
			"Both sides are parsed by dbt; the warehouse is not asked. --offline and "
			"--manifest\nread manifests that are there, and start nothing.\n",
		.options = OF_ROUTES |
			   (ALL &
			    ~(HOOKS | BIT(ACCEPT) | BIT(ALLOW_UNTESTED) | BIT(BLOCK_ON) |
			      BIT(SKIP_TESTS) | BIT(BUILD) | BIT(BUILD_TIMEOUT) | BIT(IF_LOCKED) |
			      BIT(LEASE) | BIT(LOCK_TIMEOUT) | BIT(MAX_SHRINK) | BIT(ON_FAILURE) |
			      BIT(ON_UNFINISHED) | BIT(ORPHANS) | BIT(PUBLISH_TIMEOUT) |
			      BIT(REQUIRE_TESTS) | BIT(RESTORE_POINT) | BIT(VERIFY) | BIT(YES))),
		.takes_dbt_options = true,
		.starts_dbt = true,
		.run = cmd_routes,
		.failure = command_failure,
	},
	{
		.name = "shim",
		.summary = "make, remove or check the name dbt for airlock in a directory",
		.operand = "install|remove|status",
		.takes_more = true,
		.takes_verb = true,
		.usage = "install|remove|status [DIR]",
		.details =
			"What is called dbt then passes through airlock, so that `protect` "
			"holds. 'install DIR' links\nDIR/dbt to this program; DIR must stand on "
			"PATH before the real dbt, and no other dbt in it\nis replaced. 'status' "
			"lists each dbt on PATH; it is an error when the real one is called "
			"first,\nor when there is none.\n",
		.run = cmd_shim,
		.failure = command_failure,
	},
	{
		.name = "unlock",
		.summary = "release the lock of a deployment that will not give it back",
		.operand = "ID",
		.takes_id = true,
		.usage = "ID [OPTION...] [-- DBT-OPTION...]",
		.details = "Refused while its process is alive on this machine. What it did is "
			   "settled in the\nhistory; should it still run elsewhere, it will not "
			   "publish.\n",
		.options = WHERE | BIT(YES),
		.takes_dbt_options = true,
		.starts_dbt = true,
		.run = cmd_unlock,
		.failure = command_failure,
	},
};

const struct command *command_all(size_t *ret_n)
{
	*ret_n = ARRAY_LEN(commands);
	return commands;
}

const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

json_t *command_failure(const struct invocation *invocation, const struct err *err)
{
	(void)invocation;
	return json_pack("{s:i, s:o}", "version", 1, "error", report_error_json(err));
}

bool command_wants_json(const struct invocation *invocation)
{
	return config_bool(&invocation->arguments->config, OPTION_JSON);
}

static bool is_id(const char *word)
{
	size_t digits = strspn(word, "0123456789");

	return digits == 14 && word[digits] == '_' &&
	       strspn(word + digits + 1, "0123456789abcdef") == strlen(word) - digits - 1 &&
	       strlen(word) == STATE_ID_SIZE;
}

const char *command_id(const struct invocation *invocation)
{
	const struct arguments *arguments = invocation->arguments;

	if (invocation->command->builds_nothing)
		return arguments->what && is_id(arguments->what) ? arguments->what : NULL;
	return config_text(&arguments->config, OPTION_RETRY);
}

/* Only what is deployed has a name; others look at what deployments did. */
static const char *what_of(const struct invocation *invocation)
{
	const struct command *command = invocation->command;

	return command->operand && !command->takes_id && !command->takes_verb &&
			       !command_id(invocation)
		       ? invocation->arguments->what
		       : CONFIG_ANY_DEPLOYMENT;
}

struct deploy_request command_request(const struct invocation *invocation)
{
	struct arguments *arguments = invocation->arguments;

	return (struct deploy_request) {
		.what = what_of(invocation),
		.config = &arguments->config,
		.cmdline = &arguments->cmdline,
		.environment = invocation->environment,
		.self = invocation->self,
		.reporter = &invocation->report->reporter,
		.document = cmd_deploy_document,
		.document_context = invocation,
		.builds_nothing = invocation->command->builds_nothing && !command_id(invocation),
		.replaces_build = invocation->replaces_build,
		.artifacts = invocation->artifacts,
		.ask = invocation->report->can_ask && !config_bool(&arguments->config, OPTION_YES),
	};
}

int command_with_deploy(struct invocation *invocation, command_fn *fn, struct err *err)
{
	struct deploy_request request = command_request(invocation);
	struct deploy *deploy = deploy_open(&request, err);
	int rc;

	if (!deploy)
		return -1;
	rc = fn(invocation, deploy, err);
	deploy_close(deploy);
	return rc;
}

bool command_has_name(const struct invocation *invocation)
{
	const struct arguments *arguments = invocation->arguments;

	return arguments->what || (arguments->config.deployment && *arguments->config.deployment);
}

int command_need_name(const struct invocation *invocation, struct err *err)
{
	if (command_has_name(invocation))
		return 0;
	err_set(err, ERR_USAGE, "no strategy was named, and the project names no deployment");
	return err_hint(err, "say which: %s %s %s; '%s plan' says which fit", invocation->program,
			invocation->command->name, *config_strategies(), invocation->program);
}

int command_finish(struct invocation *invocation, const struct buf *text, json_t *document,
		   struct err *err)
{
	if (!command_wants_json(invocation)) {
		json_decref(document);
		return report_text(invocation->report, buf_cstr(text), text->len, err);
	}
	if (!document)
		return err_set(err, ERR_INTERNAL, "the document of --json could not be made");
	invocation->has_written = true;
	return report_document(invocation->report, document, err);
}
