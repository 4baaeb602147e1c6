/*
 * option: the one table of airlock's options, and the values they have.
 *
 * The command line, the keys under `vars: airlock:` (and under `deployments: NAME:`), the
 * environment names (AIRLOCK_X, DBT_AIRLOCK_X), the help and `airlock config` all come from it.
 * Precedence: command line > environment > the deployment's block > vars: airlock: > default.
 * Under `mirror:` stand the keys that begin with "mirror_", without that.
 * In the configuration values are literal: "{{" is an error that names the variable to use.
 *
 * Life cycle: config_init(), config_set_*() from the weakest source to the strongest or in any
 *             order (a weaker source never replaces a stronger one), config_release().
 * Errors:     ERR_CONFIG_INVALID with file:line:column (or the name of the variable or option);
 *             unknown keys are refused with the nearest known one.
 */
#ifndef AIRLOCK_DEPLOY_OPTION_H
#define AIRLOCK_DEPLOY_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "airlock/base/err.h"
#include "airlock/base/strv.h"
#include "airlock/dbt/project.h"

enum option_id {
	OPTION_ACCEPT,         /* list of names or unique_ids that may shrink */
	OPTION_AFTER_FAILURE,  /* a command of the shell */
	OPTION_AFTER_PUBLISH,  /* the same, or run-operation MACRO [--args YAML] */
	OPTION_ALLOW_HOOKS,    /* list of unique_ids or names; "*" for all */
	OPTION_ALLOW_SHARED,   /* selection words */
	OPTION_ALLOW_UNTESTED, /* list of test names */
	OPTION_BEFORE_PUBLISH, /* a command of the shell */
	OPTION_BLOCK_ON,       /* error | warn; default error */
	OPTION_BUILD, /* selection words of the build; empty: everything, or +scope with select */
	OPTION_BUILD_TIMEOUT,      /* seconds; no limit by default */
	OPTION_CONFLICT,           /* identity | content; the default is the strategy's */
	OPTION_DEPLOY_ONLY_IF,     /* list: clean, branch:NAME, env:NAME=VALUE */
	OPTION_EXCLUDE,            /* selection words */
	OPTION_FORCE,              /* flag; command line only */
	OPTION_FOREIGN_OBJECTS,    /* list of patterns of schema.name */
	OPTION_FROM,               /* target of the staging side */
	OPTION_FROM_ENV,           /* what its starts of dbt have in their environment */
	OPTION_HOOK_TIMEOUT,       /* seconds; default 600 */
	OPTION_IF_LOCKED,          /* wait | fail | skip; default wait */
	OPTION_JSON,               /* flag; command line only */
	OPTION_KEEP,               /* restore points of a relation; default 1 */
	OPTION_KEEP_FOR,           /* duration; default 7d */
	OPTION_LEASE,              /* seconds; default 600 */
	OPTION_LOCK_TIMEOUT,       /* seconds; default 60 */
	OPTION_LOG_FORMAT,         /* text | json; command line only; default as DBT_LOG_FORMAT */
	OPTION_MANIFEST,           /* a file; command line only */
	OPTION_MANIFEST_TO,        /* that of the other side; command line only */
	OPTION_MARKDOWN,           /* a file; command line only; default GITHUB_STEP_SUMMARY */
	OPTION_MAX_SHRINK,         /* percent of the rows; default 10 */
	OPTION_MIRROR_ALLOW,       /* list of unique_ids or names; "*" for all */
	OPTION_MIRROR_IF_OLD,      /* warn | stop; default warn */
	OPTION_MIRROR_MAX_AGE,     /* duration; no limit by default */
	OPTION_MIRROR_MAX_SHRINK,  /* percent of the rows; default 50 */
	OPTION_MIRROR_RAW,         /* selection words; empty: there is no mirror */
	OPTION_NOT_REFRESHED,      /* list of names or unique_ids; "*" for all */
	OPTION_OFFLINE,            /* flag; command line only */
	OPTION_ON_PROTECTED,       /* stop | warn | deploy; project only */
	OPTION_ON_UNFINISHED,      /* auto | ask | fail; default ask on a terminal, else auto */
	OPTION_ONLY_FROM,          /* a target; command line only */
	OPTION_OPERATION_TIMEOUT,  /* seconds, for each start of dbt but the build; no limit by
				      default */
	OPTION_PARENTS,            /* defer | copy; default defer */
	OPTION_PARSE,              /* flag; command line only */
	OPTION_PROJECT_DIR,        /* command line only (DBT_PROJECT_DIR is dbt's own) */
	OPTION_PROTECT,            /* list of targets; project only */
	OPTION_PROTECT_OPERATIONS, /* list of macros; project only */
	OPTION_PUBLISH_BY,         /* rebuild | copy | clone; of wap; default rebuild */
	OPTION_PUBLISH_TIMEOUT,    /* seconds; default 30 */
	OPTION_REQUIRE_TESTS,      /* some | each | none; default some */
	OPTION_RESTORE_POINT,      /* bool; --no-restore-point; default true */
	OPTION_RETRY,              /* id of a deployment; command line only */
	OPTION_ROUTE,              /* target | tag; default: target with `to`, else tag */
	OPTION_ROUTES, /* map of tag to schema: `routes: {mart: analytics}`, --routes mart=analytics
			*/
	OPTION_SELECT, /* -s, selection words */
	OPTION_SELECTOR,   /* a name of selectors.yml, instead of select and exclude */
	OPTION_SHARED,     /* list | refuse; default list */
	OPTION_SKIP_TESTS, /* list of test names */
	OPTION_STALE_OK,   /* list */
	OPTION_TAGS,       /* list */
	OPTION_TO,         /* target of the production side */
	OPTION_TO_ENV,     /* as from_env */
	OPTION_VERIFY,     /* none | counts | test; default test */
	OPTION_VIEWS,      /* rebuild | skip | refuse; rebuild with `to`, else skip */
	OPTION_YES,        /* -y, flag; command line only */
	OPTION_COUNT,
};

enum option_type {
	OPTION_STRING = 1,
	OPTION_LIST,  /* comma or YAML list; repeated options add up */
	OPTION_WORDS, /* selection words: up to the next option; YAML string or list */
	OPTION_BOOL,  /* --x, --no-x */
	OPTION_FLAG,  /* --x, command line only */
	OPTION_ENUM,
	OPTION_MAP,         /* a=b pairs */
	OPTION_ENVIRONMENT, /* NAME=VALUE, one in a word, a YAML mapping, lines of a variable */
	OPTION_SECONDS,     /* a whole number, 1 to 86400 */
	OPTION_PERCENT,     /* a whole number, 0 to 100 */
	OPTION_NUMBER,      /* a whole number, 1 to 1000 */
	OPTION_DURATION,    /* a whole number with s, m, h, d or w behind it, or 0; at most 3650d */
};

enum option_source {
	OPTION_BY_DEFAULT = 0,
	OPTION_BY_PROJECT,    /* vars: airlock: */
	OPTION_BY_DEPLOYMENT, /* vars: airlock: deployments: NAME: */
	OPTION_BY_ENVIRONMENT,
	OPTION_BY_COMMAND_LINE,
};

struct option_row {
	enum option_id id;
	const char *key;        /* "publish_timeout"; the option is --publish-timeout */
	const char *short_name; /* "-s" or NULL */
	enum option_type type;
	const char *const *values; /* OPTION_ENUM: NULL-ended */
	const char *fallback;      /* the default as text; "" for none */
	bool command_line_only;
	bool project_only;    /* at the top of `vars: airlock:`, and nowhere else */
	const char *argument; /* in help: "TARGET", "TAG,..." */
	const char *help;     /* one line */
};

const struct option_row *option_row(enum option_id id);
/* The row of "--name", "--no-name", "-n" (NULL: none); *ret_negated for the --no form. */
const struct option_row *option_find(const char *flag, bool *ret_negated);

char *option_flag(const struct option_row *row);     /* "--publish-timeout"; free() it */
char *option_variable(const struct option_row *row); /* "AIRLOCK_PUBLISH_TIMEOUT"; free() it */

struct option_value {
	enum option_source source;
	char *origin;     /* "dbt_project.yml:12:5", "AIRLOCK_FROM", "--from"; NULL by default */
	char *text;       /* STRING, ENUM, SECONDS, BOOL ("true", "false"); NULL when not set */
	struct strv list; /* LIST, WORDS; MAP as "a=b" */
};

struct config {
	struct option_value values[OPTION_COUNT];
	char *strategy;   /* "wac", "wap" */
	char *deployment; /* name of the block, "" without */
};

void config_init(struct config *config);
void config_release(struct config *config);

/* One option of the command line. `text` is its argument (NULL for flags). Words and lists add
 * up when given again on the command line. */
int config_set_argument(struct config *config, const struct option_row *row, bool negated,
			const char *text, struct err *err);
int config_set_environment(struct config *config, const struct strv *env, struct err *err);

#define CONFIG_ANY_DEPLOYMENT "*"

/*
 * `vars: airlock:` of the project, or of the text of --vars (NULL: none), which comes before it.
 * Of the two the first that holds the key counts as a whole, as dbt resolves variables.
 * `what` is the word behind the verb: the name of a strategy or of a deployment. NULL: the only
 * deployment there is, an error that lists them where there are several, wac where there is none.
 * CONFIG_ANY_DEPLOYMENT: of several the first, if all of them publish to one side; strategy and
 * name are then of no meaning.
 * `vars: tags_to_clone` is the tags of wac where `tags` is not set. Sets strategy and deployment.
 */
int config_set_project(struct config *config, const struct project *project, const char *vars_text,
		       const char *what, struct err *err);

/*
 * What guards the targets of the project: the top of `vars: airlock:`, in which everything is
 * checked, and nothing else: what keeps accidents away is not lifted by --vars or a variable.
 */
int config_set_guard(struct config *config, const struct project *project, struct err *err);
/* The names under `deployments:`. */
int config_deployments(const struct project *project, struct strv *ret_names, struct err *err);
/* What publishes to a target, as `airlock deploy` takes it: deployments, or a strategy where the
 * project names the target but no deployment. */
int config_publishing_to(const struct project *project, const char *target, struct strv *ret_names,
			 struct err *err);

/* Its name; and the defaults that are its own, of options that were not set. */
void config_set_strategy(struct config *config, const char *name);

/* NULL when not set; `route` and `views` always have a value, which follows from `to`. */
const char *config_text(const struct config *config, enum option_id id);
bool config_bool(const struct config *config, enum option_id id);
/* SECONDS, PERCENT, NUMBER; seconds of a DURATION */
int64_t config_number(const struct config *config, enum option_id id);
const struct strv *config_list(const struct config *config, enum option_id id);
bool config_is(const struct config *config, enum option_id id, const char *value);
/* The schema that `routes` gives a tag, else the tag itself. */
const char *config_route(const struct config *config, const char *tag);
/* Of strategy wap: production is built anew by dbt, after the audit. */
bool config_rebuilds(const struct config *config);
bool config_is_set(const struct config *config, enum option_id id);

/*
 * A side (OPTION_FROM or OPTION_TO) is a target and an environment, which counts unless a stronger
 * source has named the target. Its name is the target, with a hash of the environment where there
 * is one: folders of the side are called so. NULL without a target; free() it.
 */
char *config_side_name(const struct config *config, enum option_id side);
char *config_side_words(const struct config *config, enum option_id side); /* "A, B"; free() it */
/* Adds its variables to an environment (env.h). */
void config_side_environment(const struct config *config, enum option_id side,
			     struct strv *environment);
/* Strategies this version deploys, for messages and checks. NULL-ended. */
const char *const *config_strategies(void);

#endif
