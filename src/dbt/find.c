#include "airlock/dbt/find.h"

#include <string.h>

#include "airlock/base/fs.h"
#include "airlock/base/mem.h"

/* What the search came across, for the error when it ends with nothing. */
struct search {
	const char *name;
	const char *self; /* NULL: airlock is one of them */
	bool saw_self;
	char *not_executable; /* the first one */
};

/* The first one of several equal names counts, as getenv() has it. An empty value is none. */
static const char *environment_value(char *const *environment, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; environment && environment[i]; i++) {
		if (!strncmp(environment[i], name, len) && environment[i][len] == '=')
			return environment[i] + len + 1;
	}
	return NULL;
}

bool find_is_airlock(const char *path, const char *self)
{
	struct fs_identity ours, its;

	if (self && fs_identify(self, &ours) && fs_identify(path, &its) &&
	    fs_identity_equal(&ours, &its))
		return true;
	return find_has_note(path);
}

/* One element of PATH; an empty one is the cwd. NULL unless it holds a dbt that can be run. */
static char *try_directory(struct search *search, const char *dir, size_t len)
{
	char *path = len ? mem_printf("%.*s%s%s", (int)len, dir, dir[len - 1] == '/' ? "" : "/",
				      search->name)
			 : mem_printf("./%s", search->name);

	if (!fs_is_regular(path)) {
		mem_free_string(&path);
		return NULL;
	}
	if (search->self && find_is_airlock(path, search->self)) {
		search->saw_self = true;
		mem_free_string(&path);
		return NULL;
	}
	if (fs_is_executable(path))
		return path;
	if (search->not_executable)
		mem_free_string(&path);
	else
		search->not_executable = path;
	return NULL;
}

static char *search_path(struct search *search, char *const *environment)
{
	const char *path = environment_value(environment, "PATH");

	if (!path)
		path = "/bin:/usr/bin"; /* as execvp() */
	for (;;) {
		size_t len = strcspn(path, ":");
		char *found = try_directory(search, path, len);

		if (found)
			return found;
		if (!path[len])
			return NULL;
		path += len + 1;
	}
}

static char *search_failed(struct search *search, const char *setting, struct err *err)
{
	if (search->not_executable)
		err_set(err, ERR_DBT_NOT_EXECUTABLE, "'%s' is not executable",
			search->not_executable);
	else if (search->saw_self)
		err_set(err, ERR_DBT_NOT_FOUND, "the only '%s' on PATH is airlock itself",
			search->name);
	else if (setting)
		err_set(err, ERR_DBT_NOT_FOUND, "%s: no '%s' on PATH", setting, search->name);
	else
		err_set(err, ERR_DBT_NOT_FOUND, "no '%s' on PATH", search->name);
	mem_free_string(&search->not_executable);
	return NULL;
}

/* AIRLOCK_DBT names one file, and nothing else is tried when it cannot be run. */
static char *check_setting(const struct search *search, const char *setting, const char *path,
			   struct err *err)
{
	if (!fs_exists(path)) {
		err_set(err, ERR_DBT_NOT_FOUND, "%s: '%s' does not exist", setting, path);
		return NULL;
	}
	if (search->self && find_is_airlock(path, search->self)) {
		err_set(err, ERR_DBT_NOT_FOUND, "%s: '%s' is airlock itself", setting, path);
		return NULL;
	}
	if (!fs_is_executable(path)) {
		err_set(err, ERR_DBT_NOT_EXECUTABLE, "%s: '%s' is not %s", setting, path,
			fs_is_directory(path) ? "a file" : "executable");
		return NULL;
	}
	return mem_strdup(path);
}

char *find_dbt(char *const *environment, const char *self, struct err *err)
{
	static const char *const settings[] = { "AIRLOCK_DBT", "DBT_AIRLOCK_DBT" };
	struct search search = { .name = "dbt", .self = self };
	const char *setting = NULL;
	char *found;

	for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
		const char *value = environment_value(environment, settings[i]);

		if (!value || !*value)
			continue;
		if (strchr(value, '/'))
			return check_setting(&search, settings[i], value, err);
		setting = settings[i]; /* a bare name is looked up, as a shell would */
		search.name = value;
		break;
	}
	found = search_path(&search, environment);
	if (!found)
		return search_failed(&search, setting, err);
	mem_free_string(&search.not_executable);
	return found;
}

void find_all(char *const *environment, struct strv *ret_paths)
{
	const char *path = environment_value(environment, "PATH");
	struct search search = { .name = "dbt" };

	for (path = path ? path : ""; *path;) {
		size_t len = strcspn(path, ":");
		char *found = try_directory(&search, path, len);

		if (found && !strv_contains(ret_paths, found))
			strv_push(ret_paths, found);
		mem_free_string(&found);
		mem_free_string(&search.not_executable);
		path += len + (path[len] == ':');
	}
}
