/*
 * project: dbt_project.yml, found and read as dbt does. Literal values only: Jinja in a value
 * that airlock needs is an error naming the variable to use instead.
 *
 * Search (dbt/cli/resolvers.py): --project-dir, DBT_PROJECT_DIR (both must hold the file), else
 * the nearest of the cwd and its parents.
 *
 * Life cycle: project_open(), project_release().
 * Errors:     ERR_PROJECT_NOT_FOUND, ERR_PROJECT_INVALID with file:line:column.
 */
#ifndef AIRLOCK_DBT_PROJECT_H
#define AIRLOCK_DBT_PROJECT_H

#include "airlock/base/err.h"
#include "airlock/format/yaml.h"

struct project {
	char *directory; /* absolute */
	char *file;      /* directory/dbt_project.yml */
	struct yaml_document document;
	const char *name;    /* borrowed from the document; NULL when it holds Jinja */
	const char *profile; /* likewise; NULL when missing */
};

/* `directory` is --project-dir, or NULL. `environment_directory` is DBT_PROJECT_DIR or NULL. */
int project_open(const char *directory, const char *environment_directory,
		 struct project *ret_project, struct err *err);
void project_release(struct project *project);

/* Where the file is, without reading it: directory (free() it) or NULL with *err set. */
char *project_find(const char *directory, const char *environment_directory, struct err *err);

/*
 * A variable as dbt resolves it for the root project: `vars: <project>: name` before
 * `vars: name`. NULL when there is none. (--vars is the caller's: it comes before both.)
 */
const struct yaml_node *project_var(const struct project *project, const char *name);

#endif
