#include "airlock/dbt/project.h"

#include <stdlib.h>
#include <string.h>

#include "airlock/base/fs.h"

#define FILE_NAME "dbt_project.yml"

static bool holds_project(const char *directory)
{
	CLEANUP(mem_free_string) char *file = fs_join(directory, FILE_NAME);

	return fs_exists(file);
}

/* One that was named: no other is looked for. */
static char *find_named(const char *directory, const char *named_by, struct err *err)
{
	char *absolute = fs_absolute(directory);

	if (holds_project(absolute))
		return absolute;
	if (fs_is_directory(absolute))
		err_set(err, ERR_PROJECT_NOT_FOUND, "there is no " FILE_NAME " in '%s' (%s)",
			absolute, named_by);
	else
		err_set(err, ERR_PROJECT_NOT_FOUND, "there is no directory '%s' (%s)", absolute,
			named_by);
	err_hint(err, "let %s name the directory that holds " FILE_NAME, named_by);
	free(absolute);
	return NULL;
}

static char *find_upwards(struct err *err)
{
	CLEANUP(mem_free_string) char *cwd = fs_cwd(err);
	char *directory;

	if (!cwd)
		return NULL;
	directory = mem_strdup(cwd);
	while (!holds_project(directory)) {
		char *parent = fs_parent(directory);
		bool at_root = strcmp(parent, directory) == 0;

		free(directory);
		directory = parent;
		if (!at_root)
			continue;
		free(directory);
		err_set(err, ERR_PROJECT_NOT_FOUND, "there is no " FILE_NAME " in '%s' or above it",
			cwd);
		return NULL;
	}
	return directory;
}

char *project_find(const char *directory, const char *environment_directory, struct err *err)
{
	if (directory)
		return find_named(directory, "--project-dir", err);
	/* dbt takes an empty variable for one that is not set. */
	if (environment_directory && *environment_directory)
		return find_named(environment_directory, "DBT_PROJECT_DIR", err);
	return find_upwards(err);
}

static bool has_jinja(const char *s)
{
	return strstr(s, "{{") || strstr(s, "{%");
}

/* NULL for a missing value and for one that only Jinja can tell. */
static int read_name(const struct project *project, const char *key, const char **ret_value,
		     struct err *err)
{
	const struct yaml_node *node = yaml_get(project->document.root, key);
	const char *value = yaml_string(node);

	if (node && node->kind != YAML_KIND_NULL && !value)
		return yaml_error(&project->document, node, ERR_PROJECT_INVALID, err,
				  "'%s' must be a name", key);
	*ret_value = value && !has_jinja(value) ? value : NULL;
	return 0;
}

static int read_document(struct project *project, struct err *err)
{
	const struct yaml_node *root;

	if (yaml_read(project->file, &project->document, err) < 0)
		return -1;
	root = project->document.root;
	if (root->kind != YAML_KIND_MAPPING)
		return yaml_error(&project->document, root, ERR_PROJECT_INVALID, err,
				  "a dbt project is a mapping of keys such as 'name'");
	if (read_name(project, "name", &project->name, err) < 0 ||
	    read_name(project, "profile", &project->profile, err) < 0)
		return -1;
	if (yaml_string(yaml_get(root, "name")))
		return 0;
	yaml_error(&project->document, root, ERR_PROJECT_INVALID, err, "the project has no 'name'");
	return err_hint(err, "add 'name: <project>': dbt needs it too");
}

int project_open(const char *directory, const char *environment_directory,
		 struct project *ret_project, struct err *err)
{
	struct project project = { .name = NULL };

	project.directory = project_find(directory, environment_directory, err);
	if (!project.directory)
		return -1;
	project.file = fs_join(project.directory, FILE_NAME);
	if (read_document(&project, err) < 0) {
		project_release(&project);
		return -1;
	}
	*ret_project = project;
	return 0;
}

void project_release(struct project *project)
{
	yaml_release(&project->document);
	free(project->directory);
	free(project->file);
	*project = (struct project) { .name = NULL };
}

const struct yaml_node *project_var(const struct project *project, const char *name)
{
	const struct yaml_node *vars = yaml_get(project->document.root, "vars");
	const struct yaml_node *own = project->name ? yaml_get(vars, project->name) : NULL;
	const struct yaml_node *value = yaml_get(own, name);

	return value ? value : yaml_get(vars, name);
}
