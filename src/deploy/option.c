#include "airlock/deploy/config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "config_internal.h"

static const char *const block_on_values[] = { "error", "warn", NULL };
static const char *const conflict_values[] = { "identity", "content", NULL };
static const char *const container_tags_values[] = { "carry", "ignore", NULL };
static const char *const if_locked_values[] = { "wait", "fail", "skip", NULL };
static const char *const log_format_values[] = { "text", "json", NULL };
static const char *const mirror_if_old_values[] = { "warn", "stop", NULL };
static const char *const on_failure_values[] = { "stop", NULL };
static const char *const on_protected_values[] = { "stop", "warn", "deploy", NULL };
static const char *const on_spec_change_values[] = { "refuse", "replace", NULL };
static const char *const on_unfinished_values[] = { "auto", "ask", "fail", NULL };
static const char *const orphans_values[] = { "list", "drop", "keep", NULL };
static const char *const parents_values[] = { "defer", "copy", NULL };
static const char *const prepare_values[] = { "none", "clone", NULL };
static const char *const publish_by_values[] = { "rebuild", "copy", "clone", NULL };
static const char *const require_tests_values[] = { "some", "each", "none", NULL };
static const char *const route_values[] = { "target", "tag", NULL };
static const char *const shared_values[] = { "list", "refuse", NULL };
static const char *const verify_values[] = { "none", "counts", "test", NULL };
static const char *const views_values[] = { "rebuild", "skip", "refuse", NULL };

static const struct option_row rows[OPTION_COUNT] = {
	{ .id = OPTION_ACCEPT,
	  .key = "accept",
	  .type = OPTION_LIST,
	  .fallback = "",
	  .argument = "NODE,...",
	  .help = "incremental models and snapshots that may lose rows (* for all), raw ones that "
		  "may "
		  "shrink" },
	{ .id = OPTION_AFTER_FAILURE,
	  .key = "after_failure",
	  .type = OPTION_STRING,
	  .fallback = "",
	  .argument = "COMMAND",
	  .help = "run when a deployment fails, with its result as JSON on stdin" },
	{ .id = OPTION_AFTER_PUBLISH,
	  .key = "after_publish",
	  .type = OPTION_STRING,
	  .fallback = "",
	  .argument = "COMMAND",
	  .help = "run behind the publish: a command, or run-operation MACRO [--args ARGS] on "
		  "`to`" },
	{ .id = OPTION_ALLOW_HOOKS,
	  .key = "allow_hooks",
	  .type = OPTION_LIST,
	  .fallback = "",
	  .argument = "NODE,...",
	  .help = "nodes whose hooks may run in staging although they name production; * for all" },
	{ .id = OPTION_ALLOW_SHARED,
	  .key = "allow_shared",
	  .type = OPTION_WORDS,
	  .fallback = "",
	  .argument = "SELECTION...",
	  .help = "relations that both sides share and production views may read" },
	{ .id = OPTION_ALLOW_UNTESTED,
	  .key = "allow_untested",
	  .type = OPTION_LIST,
	  .fallback = "",
	  .argument = "TEST,...",
	  .help = "tests that only the production side has and that may go without running" },
	{ .id = OPTION_AUTHORIZED_VIEWS,
	  .key = "authorized_views",
	  .type = OPTION_LIST,
	  .fallback = "",
	  .argument = "NODE,...",
	  .help = "BigQuery: published views that datasets let read, or none: they are not "
		  "replaced" },
	{ .id = OPTION_BEFORE_PUBLISH,
	  .key = "before_publish",
	  .type = OPTION_STRING,
	  .fallback = "",
	  .argument = "COMMAND",
	  .help = "run before the publish; when it fails nothing is published" },
	{ .id = OPTION_BLOCK_ON,
	  .key = "block_on",
	  .type = OPTION_ENUM,
	  .values = block_on_values,
	  .fallback = "error",
	  .argument = "error|warn",
	  .help = "whether a test that only warns stops a publish too" },
	{ .id = OPTION_BUILD,
	  .key = "build",
	  .type = OPTION_WORDS,
	  .fallback = "",
	  .argument = "SELECTION...",
	  .help = "what is built in staging (default everything, or +scope); or commands: seed run "
		  "test" },
	{ .id = OPTION_BUILD_TIMEOUT,
	  .key = "build_timeout",
	  .type = OPTION_SECONDS,
	  .fallback = "",
	  .argument = "SECONDS",
	  .help = "how long the build and its tests may take; without it no limit" },
	{ .id = OPTION_CONFLICT,
	  .key = "conflict",
	  .type = OPTION_ENUM,
	  .values = conflict_values,
	  .fallback = "identity",
	  .argument = "identity|content",
	  .help = "how changes by others are noticed: table and row count, or each row" },
	{ .id = OPTION_CONTAINER_TAGS,
	  .key = "container_tags",
	  .type = OPTION_ENUM,
	  .values = container_tags_values,
	  .fallback = "carry",
	  .argument = "carry|ignore",
	  .help = "of schemas and databases that change places (Snowflake); ignore: not read" },
	{ .id = OPTION_DEPLOY_ONLY_IF,
	  .key = "deploy_only_if",
	  .type = OPTION_LIST,
	  .fallback = "",
	  .argument = "CONDITION,...",
	  .help = "clean, branch:NAME, env:NAME=VALUE: refuse to deploy unless all hold" },
	{ .id = OPTION_EXCLUDE,
	  .key = "exclude",
	  .type = OPTION_WORDS,
	  .fallback = "",
	  .argument = "SELECTION...",
	  .help = "nodes that are not published" },
	{ .id = OPTION_FORCE,
	  .key = "force",
	  .type = OPTION_FLAG,
	  .fallback = "",
	  .command_line_only = true,
	  .help = "roll back over changes; resume, abort: the machine is gone" },
	{ .id = OPTION_FOREIGN_OBJECTS,
	  .key = "foreign_objects",
	  .type = OPTION_LIST,
	  .fallback = "",
	  .none = "refuse",
	  .listed = "ignore",
	  .argument = "refuse|clone|PATTERN,...",
	  .help = "of what dbt did not make: clone it first; schema.name of what may stay behind" },
	{ .id = OPTION_FROM,
	  .key = "from",
	  .type = OPTION_STRING,
	  .fallback = "",
	  .argument = "TARGET",
	  .help = "dbt target of the staging side, where the build and its tests run" },
	{ .id = OPTION_FROM_ENV,
	  .key = "from_env",
	  .type = OPTION_ENVIRONMENT,
	  .fallback = "",
	  .argument = "NAME=VALUE",
	  .help = "environment variable that dbt sees on the staging side; may be repeated" },
	{ .id = OPTION_HOOK_TIMEOUT,
	  .key = "hook_timeout",
	  .type = OPTION_SECONDS,
	  .fallback = "600",
	  .argument = "SECONDS",
	  .help = "how long each of these commands may take" },
	{ .id = OPTION_IF_LOCKED,
	  .key = "if_locked",
	  .type = OPTION_ENUM,
	  .values = if_locked_values,
	  .fallback = "wait",
	  .argument = "wait|fail|skip",
	  .help = "when another deployment holds the lock; skip: exit code 0, nothing is done" },
	{ .id = OPTION_JSON,
	  .key = "json",
	  .type = OPTION_FLAG,
	  .fallback = "false",
	  .command_line_only = true,
	  .help = "one JSON document on stdout, on failure too" },
	{ .id = OPTION_KEEP,
	  .key = "keep",
	  .type = OPTION_NUMBER,
	  .fallback = "1",
	  .argument = "NUMBER",
	  .help = "newest restore points of a table that stay, however old they are" },
	{ .id = OPTION_KEEP_FOR,
	  .key = "keep_for",
	  .type = OPTION_DURATION,
	  .fallback = "7d",
	  .argument = "DURATION",
	  .help = "how long the other restore points stay: 7d, 12h, 90m; 0 for not at all" },
	{ .id = OPTION_LANES,
	  .key = "lanes",
	  .type = OPTION_NUMBER,
	  .fallback = "4",
	  .argument = "NUMBER",
	  .help = "tables copied at once where each statement stands alone (Snowflake, "
		  "BigQuery)" },
	{ .id = OPTION_LEASE,
	  .key = "lease",
	  .type = OPTION_SECONDS,
	  .fallback = "600",
	  .argument = "SECONDS",
	  .help = "after which the lock of a deployment that is not heard of may be taken over" },
	{ .id = OPTION_LOCK_TIMEOUT,
	  .key = "lock_timeout",
	  .type = OPTION_SECONDS,
	  .fallback = "60",
	  .argument = "SECONDS",
	  .help = "how long a lock that another deployment holds is waited for" },
	{ .id = OPTION_LOG_FORMAT,
	  .key = "log_format",
	  .type = OPTION_ENUM,
	  .values = log_format_values,
	  .fallback = "",
	  .command_line_only = true,
	  .argument = "text|json",
	  .help = "lines of text, or JSON events as dbt writes them (default as DBT_LOG_FORMAT)" },
	{ .id = OPTION_MANIFEST,
	  .key = "manifest",
	  .type = OPTION_STRING,
	  .fallback = "",
	  .command_line_only = true,
	  .argument = "FILE",
	  .help = "answer from this manifest.json, without dbt and outside any project" },
	{ .id = OPTION_MANIFEST_TO,
	  .key = "manifest_to",
	  .type = OPTION_STRING,
	  .fallback = "",
	  .command_line_only = true,
	  .argument = "FILE",
	  .help = "the manifest.json of the production side, beside --manifest" },
	{ .id = OPTION_MARKDOWN,
	  .key = "markdown",
	  .type = OPTION_STRING,
	  .fallback = "",
	  .command_line_only = true,
	  .argument = "FILE",
	  .help = "add the result to this file, as Markdown (default GITHUB_STEP_SUMMARY)" },
	{ .id = OPTION_MAX_SHRINK,
	  .key = "max_shrink",
	  .type = OPTION_PERCENT,
	  .fallback = "10",
	  .argument = "PERCENT",
	  .help = "rows that an incremental model may lose in a publish; a snapshot none" },
	{ .id = OPTION_MIRROR_ALLOW,
	  .key = "mirror_allow",
	  .type = OPTION_LIST,
	  .fallback = "",
	  .argument = "NODE,...",
	  .help = "nodes above the raw layer that may read a source; * for all" },
	{ .id = OPTION_MIRROR_IF_OLD,
	  .key = "mirror_if_old",
	  .type = OPTION_ENUM,
	  .values = mirror_if_old_values,
	  .fallback = "warn",
	  .argument = "warn|stop",
	  .help = "what a deployment does about a raw layer older than mirror_max_age" },
	{ .id = OPTION_MIRROR_MAX_AGE,
	  .key = "mirror_max_age",
	  .type = OPTION_DURATION,
	  .fallback = "",
	  .argument = "DURATION",
	  .help = "how old a copy of the raw layer may be: 7d, 12h, 90m; without it any age" },
	{ .id = OPTION_MIRROR_MAX_SHRINK,
	  .key = "mirror_max_shrink",
	  .type = OPTION_PERCENT,
	  .fallback = "50",
	  .argument = "PERCENT",
	  .help = "rows that a source may have lost since its last good copy" },
	{ .id = OPTION_MIRROR_RAW,
	  .key = "mirror_raw",
	  .type = OPTION_WORDS,
	  .fallback = "",
	  .argument = "SELECTION...",
	  .help = "the raw layer, which 'airlock mirror refresh' fills and no deployment builds" },
	{ .id = OPTION_NOT_REFRESHED,
	  .key = "not_refreshed",
	  .type = OPTION_LIST,
	  .fallback = "",
	  .argument = "NODE,...",
	  .help = "what a dbt build wrote in production and its deployment does not; * for all" },
	{ .id = OPTION_OFFLINE,
	  .key = "offline",
	  .type = OPTION_FLAG,
	  .fallback = "false",
	  .command_line_only = true,
	  .help = "answer from what the last parse left, without starting dbt" },
	{ .id = OPTION_ON_FAILURE,
	  .key = "on_failure",
	  .type = OPTION_ENUM,
	  .values = on_failure_values,
	  .fallback = "stop",
	  .argument = "stop",
	  .help = "a failing node or test keeps all from production; 'publish ID' has the rest" },
	{ .id = OPTION_ON_PROTECTED,
	  .key = "on_protected",
	  .type = OPTION_ENUM,
	  .values = on_protected_values,
	  .fallback = "stop",
	  .project_only = true,
	  .argument = "stop|warn|deploy",
	  .help = "what becomes of a dbt command that would write to a protected target" },
	{ .id = OPTION_ON_SPEC_CHANGE,
	  .key = "on_spec_change",
	  .type = OPTION_ENUM,
	  .values = on_spec_change_values,
	  .fallback = "refuse",
	  .argument = "refuse|replace",
	  .help = "other partitioning or clustering; replace: readers find no table for a moment" },
	{ .id = OPTION_ON_UNFINISHED,
	  .key = "on_unfinished",
	  .type = OPTION_ENUM,
	  .values = on_unfinished_values,
	  .fallback = "",
	  .argument = "auto|ask|fail",
	  .help = "whether one that died is settled first: auto, but asked about on a terminal" },
	{ .id = OPTION_ONLY_FROM,
	  .key = "only_from",
	  .type = OPTION_STRING,
	  .fallback = "",
	  .command_line_only = true,
	  .argument = "TARGET",
	  .help = "elsewhere than on this target of dbt's: say 'skipped', exit code 0, do "
		  "nothing" },
	{ .id = OPTION_OPERATION_TIMEOUT,
	  .key = "operation_timeout",
	  .type = OPTION_SECONDS,
	  .fallback = "",
	  .argument = "SECONDS",
	  .help = "how long any other start of dbt may take; without it no limit" },
	{ .id = OPTION_ORPHANS,
	  .key = "orphans",
	  .type = OPTION_ENUM,
	  .values = orphans_values,
	  .fallback = "list",
	  .argument = "list|drop|keep",
	  .help = "of what was published and the project no longer has: name, drop or ignore it" },
	{ .id = OPTION_PARENTS,
	  .key = "parents",
	  .type = OPTION_ENUM,
	  .values = parents_values,
	  .fallback = "defer",
	  .argument = "defer|copy",
	  .help = "of production-rollback: read what is not built from production, or copy it" },
	{ .id = OPTION_PARSE,
	  .key = "parse",
	  .type = OPTION_FLAG,
	  .fallback = "false",
	  .command_line_only = true,
	  .help = "let dbt read the project anew where it has changed since" },
	{ .id = OPTION_PREPARE,
	  .key = "prepare",
	  .type = OPTION_ENUM,
	  .values = prepare_values,
	  .fallback = "none",
	  .argument = "none|clone",
	  .help = "blue-green: what a build does not make anew begins as production's copy" },
	{ .id = OPTION_PROJECT_DIR,
	  .key = "project_dir",
	  .type = OPTION_STRING,
	  .fallback = "",
	  .command_line_only = true,
	  .argument = "DIR",
	  .help = "directory of dbt_project.yml, when it is neither here nor above" },
	{ .id = OPTION_PROTECT,
	  .key = "protect",
	  .type = OPTION_LIST,
	  .fallback = "",
	  .project_only = true,
	  .argument = "TARGET,...",
	  .help = "targets that only a deployment may write: 'airlock help protect'" },
	{ .id = OPTION_PROTECT_OPERATIONS,
	  .key = "protect_operations",
	  .type = OPTION_LIST,
	  .fallback = "",
	  .project_only = true,
	  .argument = "MACRO,...",
	  .help = "macros that 'dbt run-operation' may not run on a protected target" },
	{ .id = OPTION_PUBLISH_BY,
	  .key = "publish_by",
	  .type = OPTION_ENUM,
	  .values = publish_by_values,
	  .fallback = "rebuild",
	  .argument = "rebuild|copy|clone",
	  .help = "wap: build production anew by dbt, or publish the audited tables themselves" },
	{ .id = OPTION_PUBLISH_TIMEOUT,
	  .key = "publish_timeout",
	  .type = OPTION_SECONDS,
	  .fallback = "30",
	  .argument = "SECONDS",
	  .help = "how long a publish waits for the locks of production's tables" },
	{ .id = OPTION_REQUIRE_TESTS,
	  .key = "require_tests",
	  .type = OPTION_ENUM,
	  .values = require_tests_values,
	  .fallback = "some",
	  .argument = "some|each|none",
	  .help = "whether some node, each node or no node of the scope must have a test" },
	{ .id = OPTION_RESTORE_POINT,
	  .key = "restore_point",
	  .type = OPTION_BOOL,
	  .fallback = "true",
	  .help = "keep the rows that a publish replaces" },
	{ .id = OPTION_RETRY,
	  .key = "retry",
	  .type = OPTION_STRING,
	  .fallback = "",
	  .command_line_only = true,
	  .argument = "ID",
	  .help = "dbt retry of what failed or was skipped in deployment ID, then publish all of "
		  "it" },
	{ .id = OPTION_ROUTE,
	  .key = "route",
	  .type = OPTION_ENUM,
	  .values = route_values,
	  .fallback = "",
	  .argument = "target|tag",
	  .help = "where production is: as target `to` has it, or the schema named by the tag" },
	{ .id = OPTION_ROUTES,
	  .key = "routes",
	  .type = OPTION_MAP,
	  .fallback = "",
	  .argument = "TAG=SCHEMA,...",
	  .help = "schemas of tags where they are not named alike" },
	{ .id = OPTION_ROW_ACCESS_POLICIES,
	  .key = "row_access_policies",
	  .type = OPTION_LIST,
	  .fallback = "",
	  .argument = "NODE,...",
	  .help = "BigQuery: published tables that have some, or none: they are not replaced" },
	{ .id = OPTION_SELECT,
	  .key = "select",
	  .short_name = "-s",
	  .type = OPTION_WORDS,
	  .fallback = "",
	  .argument = "SELECTION...",
	  .help = "nodes that are published, within the scope of the tags" },
	{ .id = OPTION_SELECTOR,
	  .key = "selector",
	  .type = OPTION_STRING,
	  .fallback = "",
	  .argument = "NAME",
	  .help = "a selector of selectors.yml, instead of --select and --exclude" },
	{ .id = OPTION_SHARED,
	  .key = "shared",
	  .type = OPTION_ENUM,
	  .values = shared_values,
	  .fallback = "list",
	  .argument = "list|refuse",
	  .help = "what to do about relations that both sides share" },
	{ .id = OPTION_SKIP_TESTS,
	  .key = "skip_tests",
	  .type = OPTION_LIST,
	  .fallback = "",
	  .argument = "TEST,...",
	  .help = "tests that are not run and do not stop a publish; listed in plan and result" },
	{ .id = OPTION_STALE_OK,
	  .key = "stale_ok",
	  .type = OPTION_LIST,
	  .fallback = "",
	  .argument = "NODE,...",
	  .help = "what a published view may read although it is not published; * for all" },
	{ .id = OPTION_STATE_DATABASE,
	  .key = "state_database",
	  .type = OPTION_STRING,
	  .fallback = "",
	  .argument = "NAME",
	  .help = "Snowflake: the database of locks, history and restore points (default "
		  "production's)" },
	{ .id = OPTION_TAGS,
	  .key = "tags",
	  .type = OPTION_LIST,
	  .fallback = "",
	  .argument = "TAG,...",
	  .help = "tags of the nodes that are published" },
	{ .id = OPTION_TO,
	  .key = "to",
	  .type = OPTION_STRING,
	  .fallback = "",
	  .argument = "TARGET",
	  .help = "dbt target of the production side; none when routed by tag" },
	{ .id = OPTION_TO_ENV,
	  .key = "to_env",
	  .type = OPTION_ENVIRONMENT,
	  .fallback = "",
	  .argument = "NAME=VALUE",
	  .help = "environment variable that dbt sees on the production side; may be repeated" },
	{ .id = OPTION_VERIFY,
	  .key = "verify",
	  .type = OPTION_ENUM,
	  .values = verify_values,
	  .fallback = "test",
	  .argument = "none|counts|test",
	  .help = "wap by rebuild: run the tests of the scope in production, or compare counts" },
	{ .id = OPTION_VIEWS,
	  .key = "views",
	  .type = OPTION_ENUM,
	  .values = views_values,
	  .fallback = "",
	  .argument = "rebuild|skip|refuse",
	  .help = "views of the scope: made with the SQL of `to` (default with one), left out, or "
		  "stop" },
	{ .id = OPTION_YES,
	  .key = "yes",
	  .short_name = "-y",
	  .type = OPTION_FLAG,
	  .fallback = "false",
	  .command_line_only = true,
	  .help = "do not ask before anything is built" },
};

static const char *const strategies[] = { "wac", "wap", "production-rollback", "blue-green", NULL };

/* Later versions have these: no deployment may take their names. */
static const char *const later_strategies[] = { "mirror" };

const struct option_row *option_row(enum option_id id)
{
	if ((size_t)id >= ARRAY_LEN(rows))
		abort();
	return &rows[id];
}

char *option_flag(const struct option_row *row)
{
	char *flag = mem_printf("--%s", row->key);

	for (char *s = flag; *s; s++)
		if (*s == '_')
			*s = '-';
	return flag;
}

char *option_variable(const struct option_row *row)
{
	char *name = mem_printf("AIRLOCK_%s", row->key);

	for (char *s = name; *s; s++)
		if (*s >= 'a' && *s <= 'z')
			*s = (char)(*s - 'a' + 'A');
	return name;
}

const struct option_row *option_find(const char *flag, bool *ret_negated)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct option_row *row = &rows[i];
		CLEANUP(mem_free_string) char *name = option_flag(row);
		bool negated = row->type == OPTION_BOOL && strncmp(flag, "--no-", 5) == 0 &&
			       strcmp(flag + 5, name + 2) == 0;

		if (!negated && strcmp(flag, name) != 0 &&
		    (!row->short_name || strcmp(flag, row->short_name) != 0))
			continue;
		*ret_negated = negated;
		return row;
	}
	return NULL;
}

const struct option_row *option_find_key(const char *key)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(rows[i].key, key) == 0)
			return &rows[i];
	return NULL;
}

const char *const *config_strategies(void)
{
	return strategies;
}

bool option_is_among(const char *word, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(words[i], word) == 0)
			return true;
	return false;
}

bool option_is_strategy(const char *name)
{
	return option_is_among(name, strategies, ARRAY_LEN(strategies) - 1);
}

bool option_is_later_strategy(const char *name)
{
	return option_is_among(name, later_strategies, ARRAY_LEN(later_strategies));
}

const char *option_nearest_strategy(const char *word)
{
	const char *names[ARRAY_LEN(strategies) + ARRAY_LEN(later_strategies)];
	size_t n = 0;

	for (size_t i = 0; strategies[i]; i++)
		names[n++] = strategies[i];
	for (size_t i = 0; i < ARRAY_LEN(later_strategies); i++)
		names[n++] = later_strategies[i];
	return strv_nearest(word, names, n);
}
