/*
 * select: dbt's node selection, answered from a manifest where that is certainly right.
 *
 * Known here: every method but state:, result: and source_status:, `+` with depths, `@`, union
 * (space), intersection (comma), exclude, selectors.yml without Jinja, the default selector, the
 * four kinds of indirect selection and resource types. Where the answer depends on what only dbt
 * knows (its version's own reading, files of the project that are not given) it is
 * SELECT_ASK_DBT: the caller asks `dbt ls`, and the user does not notice.
 *
 * Source: dbt/graph/{cli,selector,selector_spec,selector_methods}.py of dbt-core 1.8 to 1.11; dbt 2
 *         by its answers. test/select compares both.
 */
#ifndef AIRLOCK_DBT_SELECT_H
#define AIRLOCK_DBT_SELECT_H

#include <stdbool.h>
#include <stddef.h>

#include "airlock/base/err.h"
#include "airlock/base/strv.h"
#include "airlock/dbt/manifest.h"
#include "airlock/dbt/selectors.h"

enum select_answer {
	SELECT_ANSWERED = 0,
	SELECT_ASK_DBT,
};

/* Which tests come with the nodes that they test. */
enum select_indirect {
	SELECT_EAGER = 0,
	SELECT_CAUTIOUS,
	SELECT_BUILDABLE,
	SELECT_EMPTY,
};

/* What `dbt ls` was asked; all borrowed, NULL or empty where an option is not given. */
struct select_request {
	const struct strv *select;
	const struct strv *exclude;
	const char *selector;              /* comes before select and exclude */
	const struct selectors *selectors; /* NULL: the project has no selectors.yml */
	enum select_indirect indirect;
	const struct strv *resource_types;
	const struct strv *exclude_resource_types;
	const char *project_directory; /* where path: looks; NULL: only the manifest is known */
};

/* Sorted unique_ids of everything that is selected, tests too.
 * ERR_SELECTOR_INVALID for what dbt would refuse too. */
int select_run(const struct manifest *manifest, const struct select_request *request,
	       struct strv *ret_unique_ids, enum select_answer *ret_answer, struct err *err);

/*
 * The same for models, seeds and snapshots only. An empty `select` means every node, whatever the
 * default selector says.
 */
int select_nodes(const struct manifest *manifest, const struct strv *select,
		 const struct strv *exclude, const char *project_directory,
		 struct strv *ret_unique_ids, enum select_answer *ret_answer, struct err *err);

/* The same for a selector of selectors.yml. */
int select_selector(const struct manifest *manifest, const struct selectors *selectors,
		    const char *name, const char *project_directory, struct strv *ret_unique_ids,
		    enum select_answer *ret_answer, struct err *err);

#endif
