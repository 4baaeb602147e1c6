/*
 * option: the one table of airlock's options.
 *
 * The command line, the keys under `vars: airlock:` (and under `deployments: NAME:`), the
 * environment names (AIRLOCK_X, DBT_AIRLOCK_X), the help and `airlock config` all come from it.
 * The values they have are a `struct config` (config.h).
 */
#ifndef AIRLOCK_DEPLOY_OPTION_H
#define AIRLOCK_DEPLOY_OPTION_H

#include <stdbool.h>
#include <stddef.h>

enum option_id {
	OPTION_ACCEPT,           /* list of names or unique_ids that may shrink */
	OPTION_AFTER_FAILURE,    /* a command of the shell */
	OPTION_AFTER_PUBLISH,    /* the same, or run-operation MACRO [--args YAML] */
	OPTION_ALLOW_HOOKS,      /* list of unique_ids or names; "*" for all */
	OPTION_ALLOW_SHARED,     /* selection words */
	OPTION_ALLOW_UNTESTED,   /* list of test names */
	OPTION_AUTHORIZED_VIEWS, /* list of unique_ids or names, or "none" */
	OPTION_BEFORE_PUBLISH,   /* a command of the shell */
	OPTION_BLOCK_ON,         /* error | warn; default error */
	OPTION_BUILD, /* selection words of the build; empty: everything, or +scope with select */
	OPTION_BUILD_TIMEOUT,      /* seconds; no limit by default */
	OPTION_CONFLICT,           /* identity | content; the default is the strategy's */
	OPTION_CONTAINER_TAGS,     /* carry | ignore */
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
	OPTION_LANES,              /* tables copied side by side; default 4 */
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
	OPTION_ON_FAILURE,         /* stop: the only one there is */
	OPTION_ON_PROTECTED,       /* stop | warn | deploy; project only */
	OPTION_ON_SPEC_CHANGE,     /* refuse | replace; default refuse */
	OPTION_ON_UNFINISHED,      /* auto | ask | fail; default ask on a terminal, else auto */
	OPTION_ONLY_FROM,          /* a target; command line only */
	OPTION_OPERATION_TIMEOUT,  /* seconds, for each start of dbt but the build; no limit by
				      default */
	OPTION_ORPHANS,            /* list | drop | keep; default list */
	OPTION_PARENTS,            /* defer | copy; default defer */
	OPTION_PARSE,              /* flag; command line only */
	OPTION_PREPARE,            /* none | clone; of blue-green; default none */
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
	OPTION_ROW_ACCESS_POLICIES, /* list of unique_ids or names, or "none" */
	OPTION_SELECT,              /* -s, selection words */
	OPTION_SELECTOR,            /* a name of selectors.yml, instead of select and exclude */
	OPTION_SHARED,              /* list | refuse; default list */
	OPTION_SKIP_TESTS,          /* list of test names */
	OPTION_STALE_OK,            /* list */
	OPTION_STATE_DATABASE,      /* where the records are; default: production's */
	OPTION_TAGS,                /* list */
	OPTION_TO,                  /* target of the production side */
	OPTION_TO_ENV,              /* as from_env */
	OPTION_VERIFY,              /* none | counts | test; default test */
	OPTION_VIEWS,               /* rebuild | skip | refuse; rebuild with `to`, else skip */
	OPTION_YES,                 /* -y, flag; command line only */
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

struct option_row {
	enum option_id id;
	const char *key;        /* "publish_timeout"; the option is --publish-timeout */
	const char *short_name; /* "-s" or NULL */
	enum option_type type;
	const char *const *values; /* OPTION_ENUM: NULL-ended */
	const char *fallback;      /* the default as text; "" for none */
	bool command_line_only;
	bool project_only;    /* at the top of `vars: airlock:`, and nowhere else */
	const char *none;     /* of OPTION_LIST: the word that stands for an empty list; or NULL */
	const char *listed;   /* the key of a mapping whose value is the list; or NULL */
	const char *argument; /* in help: "TARGET", "TAG,..." */
	const char *help;     /* one line */
};

const struct option_row *option_row(enum option_id id);
/* The row of "--name", "--no-name", "-n" (NULL: none); *ret_negated for the --no form. */
const struct option_row *option_find(const char *flag, bool *ret_negated);

char *option_flag(const struct option_row *row);     /* "--publish-timeout"; free() it */
char *option_variable(const struct option_row *row); /* "AIRLOCK_PUBLISH_TIMEOUT"; free() it */

/* Strategies this version deploys, for messages and checks. NULL-ended. */
const char *const *config_strategies(void);

#endif
