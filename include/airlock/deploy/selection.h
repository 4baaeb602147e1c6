/*
 * selection: the models, seeds and snapshots that --select, --exclude or --selector choose, from
 * a manifest where that is certain.
 *
 * Errors: ERR_SELECTOR_INVALID; ERR_CONFIG_INVALID when a selector stands beside a selection;
 *         ERR_PROJECT_INVALID for a selectors.yml that is no YAML.
 */
#ifndef AIRLOCK_DEPLOY_SELECTION_H
#define AIRLOCK_DEPLOY_SELECTION_H

#include <stdbool.h>

#include "airlock/base/err.h"
#include "airlock/base/strv.h"
#include "airlock/dbt/manifest.h"
#include "airlock/dbt/select.h"
#include "airlock/deploy/config.h"

bool selection_is_given(const struct config *config);

/* Sorted unique_ids. `project_directory` is NULL outside a project. */
int selection_answer(const struct config *config, const struct manifest *manifest,
		     const char *project_directory, struct strv *ret_unique_ids,
		     enum select_answer *ret_answer, struct err *err);

/* The same as options of dbt. */
void selection_push_options(const struct config *config, struct strv *arguments);

#endif
