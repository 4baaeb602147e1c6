/*
 * cmdline: dbt's own option grammar (dbt/cli/params.py of 1.11) as one table, for what stands
 * behind `--` of an airlock command and for the environment that a driven dbt must not see.
 *
 * Errors: ERR_DBT_OPTION naming the option and what to use instead; ERR_DBT_ENVIRONMENT.
 */
#ifndef AIRLOCK_DBT_CMDLINE_H
#define AIRLOCK_DBT_CMDLINE_H

#include <stdbool.h>
#include <stddef.h>

#include "airlock/base/err.h"
#include "airlock/base/strv.h"

/* Where an option behind `--` goes. */
enum cmdline_use {
	CMDLINE_EVERY_START = 1, /* --vars, --profiles-dir, --profile, --project-dir, ... */
	CMDLINE_BUILD,           /* --full-refresh, --threads, --fail-fast, ... */
	CMDLINE_AIRLOCK,         /* refused: airlock has an option of its own for it */
	CMDLINE_UNREAL,          /* refused: the result would not be the real data */
	CMDLINE_OWN,             /* refused: airlock sets it itself (log format, print, ...) */
	CMDLINE_ELSEWHERE,       /* refused: no option of `dbt build` (--args, --inline, ...) */
};

struct cmdline_option {
	const char *name;       /* "--vars" */
	const char *short_name; /* "-t", or NULL */
	const char *negated;    /* "--no-fail-fast", or NULL */
	int value_count;        /* 0 flag, 1 one value, -1 words up to the next option */
	enum cmdline_use use;
	const char *instead; /* CMDLINE_AIRLOCK: "--from"; CMDLINE_UNREAL: what dbt would do */
};

const struct cmdline_option *cmdline_options(size_t *ret_n); /* sorted by name */

/*
 * The user's options sorted, each as "--name" and, as a word of its own, its value. An option
 * that was given twice is there once, with its last value: dbt 1.x takes the last, 2.x refuses.
 */
struct cmdline {
	struct strv every; /* to be put behind the verb of every start */
	struct strv build; /* behind `build`, after `every` */
	char *project_dir; /* these four are in `every` too; NULL when not given */
	char *profiles_dir;
	char *profile;
	char *vars; /* the text of --vars */
};

int cmdline_sort(const char *const *arguments, size_t n, struct cmdline *ret_cmdline,
		 struct err *err);
void cmdline_release(struct cmdline *cmdline);

/* Of options for `dbt build`, as cmdline_sort() leaves them, those that `verb` (seed, run,
 * snapshot, test) takes too, with their values. */
void cmdline_push_for_verb(const struct strv *options, const char *verb, struct strv *words);
/* The first that none of the verbs takes; NULL: none. Borrowed from `options`. */
const char *cmdline_find_idle(const struct strv *options, const struct strv *verbs);

/*
 * A whole command line of dbt as somebody typed it. All is borrowed from the words; NULL what is
 * not there. Of an option that is repeated the last one counts, as in dbt.
 */
struct cmdline_given {
	const char *verb;    /* "run" */
	const char *operand; /* the first word behind it that belongs to no option */
	const char *target;
	const char *target_before; /* that in front of the verb, where there is one behind it too */
	const char *profile;
	const char *profiles_dir;
	const char *project_dir;
	const char *state;
	const char *target_path;
	const char *log_format;
	const char *selector;
	struct strv select; /* these are copies */
	struct strv exclude;
	bool wants_help;     /* --help, --version: dbt does nothing else */
	const char *unknown; /* the first option that is not in the table: what stands behind
				it is read as its values */
	struct strv behind;  /* options that a driven build can have, as they may stand behind -- */
	const char *no_build; /* the first that it cannot have; NULL: none */
	struct strv loose;    /* words that may be values of such an option, or operands */
};

/* `verbs` ends in NULL: what is taken for the verb behind an unknown option. Reads everything:
 * what is wrong is left to dbt. */
void cmdline_read(char *const *words, const char *const *verbs, struct cmdline_given *ret_given);
void cmdline_given_release(struct cmdline_given *given);

/* DBT_ENGINE_X before DBT_X, as dbt looks them up: an empty one is not set. NULL: neither. */
const char *cmdline_variable(const struct strv *env, const char *name);

/* Refuses an environment under which dbt would not build the real data (DBT_EMPTY, DBT_SAMPLE,
 * DBT_DEFER, DBT_INDIRECT_SELECTION, ... and their DBT_ENGINE_ spellings) when set to something
 * other than its default. Needs no project. */
int cmdline_check_environment(const struct strv *env, struct err *err);

/* Takes out of `env` every variable that could lose or change what a driven dbt reports
 * (DBT_PRINT, DBT_LOG_LEVEL, DBT_LOG_FORMAT, DBT_QUIET, DBT_TARGET, DBT_TARGET_PATH, ... in both
 * spellings): airlock passes these as options. DBT_PROFILES_DIR, DBT_PROJECT_DIR, DBT_PROFILE
 * and the user's own variables stay. */
void cmdline_clean_environment(struct strv *env);

#endif
