/*
 * selectors: selectors.yml of a project. What a definition means is select's; here is only which
 * there are.
 *
 * Life cycle: selectors_read(), read-only, selectors_free().
 * Errors:     ERR_PROJECT_INVALID with file:line:column when it is no YAML.
 */
#ifndef AIRLOCK_DBT_SELECTORS_H
#define AIRLOCK_DBT_SELECTORS_H

#include <stddef.h>

#include "airlock/base/err.h"
#include "airlock/format/yaml.h"

struct selectors;

/* *ret_selectors is NULL where the project has no such file. */
int selectors_read(const char *project_directory, struct selectors **ret_selectors,
		   struct err *err);
int selectors_parse(const char *text, size_t len, const char *name,
		    struct selectors **ret_selectors, struct err *err);
void selectors_free(struct selectors *selectors);

size_t selectors_count(const struct selectors *selectors);
/* "" for an entry that has none. */
const char *selectors_name(const struct selectors *selectors, size_t i);
const struct yaml_node *selectors_definition(const struct selectors *selectors, size_t i);
/* Of the one with `default: true`, NULL without one (or without a file). */
const char *selectors_default(const struct selectors *selectors);

#endif
