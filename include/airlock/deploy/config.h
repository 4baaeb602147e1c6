/*
 * config: the values that the options of option.h have in one run, and where each comes from.
 *
 * Precedence: command line > environment > the deployment's block > vars: airlock: > default.
 * Under `mirror:` stand the keys that begin with "mirror_", without that.
 * In the configuration values are literal: "{{" is an error that names the variable to use.
 *
 * Life cycle: config_init(), config_set_*() from the weakest source to the strongest or in any
 *             order (a weaker source never replaces a stronger one), config_release().
 * Errors:     ERR_CONFIG_INVALID with file:line:column (or the name of the variable or option);
 *             unknown keys are refused with the nearest known one.
 */
#ifndef AIRLOCK_DEPLOY_CONFIG_H
#define AIRLOCK_DEPLOY_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "airlock/base/err.h"
#include "airlock/base/strv.h"
#include "airlock/dbt/project.h"
#include "airlock/deploy/option.h"

enum option_source {
	OPTION_BY_DEFAULT = 0,
	OPTION_BY_PROJECT,    /* vars: airlock: */
	OPTION_BY_DEPLOYMENT, /* vars: airlock: deployments: NAME: */
	OPTION_BY_ENVIRONMENT,
	OPTION_BY_COMMAND_LINE,
};

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
/* Of strategy blue-green: what is not built from nothing is copied from production. */
bool config_clones(const struct config *config);
/* And whether all of it begins as a clone, with what no node makes. */
#define CONFIG_CLONE "clone"
bool config_clones_containers(const struct config *config);
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

#endif
