/*
 * build_commands: a build that is not one `dbt build` but a job's commands, one after another:
 * `build: [seed, run, test]`. Pure.
 *
 * What the option `build` says is commands where each of its words is one of seed, snapshot, run
 * and test; otherwise it is a selection. All commands take the selection of the build, and the
 * results of all of them are what was built and tested.
 */
#ifndef AIRLOCK_DEPLOY_BUILD_COMMANDS_H
#define AIRLOCK_DEPLOY_BUILD_COMMANDS_H

#include "airlock/base/err.h"
#include "airlock/base/strv.h"
#include "airlock/deploy/config.h"
#include "airlock/deploy/route.h"

const struct strv *build_commands(const struct config *config);  /* empty: one `dbt build` */
const struct strv *build_selection(const struct config *config); /* words; empty: not given */

/*
 * ERR_CONFIG_INVALID for commands that would leave something untested (test is missing, is not the
 * last, or a command stands there twice) or unbuilt (no command for a node of the scope).
 * `options`: the user's for the build; one that no command takes is ERR_DBT_OPTION.
 */
int build_commands_check(const struct config *config, const struct routes *routes,
			 const struct strv *options, struct err *err);

#endif
