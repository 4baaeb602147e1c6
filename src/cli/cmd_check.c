#include <string.h>

#include "airlock/base/fs.h"
#include "airlock/deploy/check.h"
#include "airlock/deploy/offline.h"
#include "airlock/format/json.h"
#include "command_internal.h"

enum {
	SQL_LIMIT = 16 << 20,
};

struct check {
	struct invocation *invocation;
	struct project project;
	struct strv files; /* relative to the project, sorted */
	bool has_files;    /* some were named */
	json_t *findings;
};

/* NULL: it is not of this project. */
static char *relative(const struct check *check, const char *file)
{
	CLEANUP(mem_free_string) char *absolute = fs_absolute(file);
	CLEANUP(mem_free_string) char *real = fs_real(absolute);
	CLEANUP(mem_free_string) char *root = fs_real(check->project.directory);
	size_t len = root ? strlen(root) : 0;

	if (!real || !root || strncmp(real, root, len) != 0 || real[len] != '/')
		return NULL;
	return mem_strdup(real + len + 1);
}

static bool is_named(const char *file, const char *ending)
{
	size_t len = strlen(file), n = strlen(ending);

	return len > n && strcmp(file + len - n, ending) == 0;
}

/* A macro that makes names may know them. */
static void scan(struct check *check, const char *file, const struct strv *names)
{
	CLEANUP(err_release) struct err ignored = ERR_INIT;
	CLEANUP(mem_free_string) char *path = fs_join(check->project.directory, file);
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	if (!is_named(file, ".sql") || !fs_is_regular(path) ||
	    fs_read(path, SQL_LIMIT, &text, &ignored) < 0 || strstr(buf_cstr(&text), "endmacro"))
		return;
	check_sql(buf_cstr(&text), file, names, check->findings);
}

static void look(struct check *check, const struct config *config, const struct routes *routes)
{
	CLEANUP(strv_release) struct strv names = STRV_INIT;

	check_routes(config, routes, check->has_files ? &check->files : NULL, check->findings);
	check_names(routes, &names);
	for (size_t i = 0; i < check->files.n; i++)
		scan(check, check->files.v[i], &names);
	for (size_t i = 0; !check->has_files && i < routes->n; i++)
		scan(check, routes->items[i].node->path, &names);
}

/* Both sides by dbt, which leaves what it read for the next time. */
static int look_parsed(struct check *check, struct deploy_request *request, struct err *err)
{
	struct deploy *deploy = deploy_open(request, err);
	const struct routes *routes;
	int rc;

	if (!deploy)
		return -1;
	rc = deploy_routes(deploy, &routes, err);
	if (rc == 0)
		look(check, request->config, routes);
	deploy_close(deploy);
	return rc;
}

static int look_offline(struct check *check, struct deploy_request *request, struct err *err)
{
	struct offline *offline = offline_open(request, err);

	if (!offline) {
		if (err->code == ERR_FILE)
			err_hint(err, "let dbt make it: '%s check --parse'",
				 check->invocation->program);
		return -1;
	}
	look(check, request->config, offline_routes(offline));
	offline_close(offline);
	return 0;
}

/* One deployment; NULL: what the project says without any. */
static int look_at(struct check *check, const char *name, struct err *err)
{
	struct invocation *invocation = check->invocation;
	const struct config *given = &invocation->arguments->config;
	struct deploy_request request = command_request(invocation);
	CLEANUP(config_release) struct config config;
	int rc;

	config_init(&config);
	request.config = &config;
	request.what = name;
	if (config_set_argument(&config, option_row(OPTION_PROJECT_DIR), false,
				check->project.directory, err) < 0)
		return -1;
	rc = (config_bool(given, OPTION_PARSE) ? look_parsed : look_offline)(check, &request, err);
	if (rc == 0 || err->code != ERR_SCOPE_EMPTY)
		return rc;
	/* The other deployments are looked at all the same. */
	check_scope(&config, name, err, check->findings);
	err_release(err);
	return 0;
}

static int look_at_all(struct check *check, struct err *err)
{
	CLEANUP(strv_release) struct strv names = STRV_INIT;

	if (config_deployments(&check->project, &names, err) < 0)
		return -1;
	if (!names.n)
		return look_at(check, NULL, err);
	for (size_t i = 0; i < names.n; i++)
		if (look_at(check, names.v[i], err) < 0)
			return err_wrap(err, "deployment '%s'", names.v[i]);
	return 0;
}

static void take_files(struct check *check)
{
	const struct arguments *arguments = check->invocation->arguments;
	char *file;

	check->has_files = arguments->what != NULL;
	if (!check->has_files)
		return;
	file = relative(check, arguments->what);
	if (file)
		strv_take(&check->files, file);
	for (size_t i = 0; i < arguments->more.n; i++) {
		file = relative(check, arguments->more.v[i]);
		if (file)
			strv_take(&check->files, file);
	}
	strv_sort(&check->files);
	strv_dedup(&check->files);
}

static void write_finding(const json_t *finding, struct buf *out)
{
	const char *file = js_get_string(finding, "file");
	const char *unique_id = js_get_string(finding, "unique_id");
	json_int_t line = js_get_integer(finding, "line", 0);

	buf_add_str(out, file ? file : "dbt_project.yml");
	if (line)
		buf_printf(out, ":%lld", (long long)line);
	buf_printf(out, ": %s%s%s\n", unique_id ? unique_id : "", unique_id ? ": " : "",
		   js_get_string(finding, "message"));
	buf_printf(out, "  %s: %s\n", js_get_string(finding, "check"),
		   js_get_string(finding, "hint"));
}

static int finish(struct check *check, struct err *err)
{
	size_t n = json_array_size(check->findings);
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	for (size_t i = 0; i < n; i++)
		write_finding(json_array_get(check->findings, i), &text);
	if (command_finish(check->invocation, &text,
			   json_pack("{s:i, s:O}", "version", 1, "findings", check->findings),
			   err) < 0)
		return -1;
	return n ? err_set(err, ERR_CHECK_FAILED, "%zu finding%s", n, n > 1 ? "s" : "") : 0;
}

int cmd_check(struct invocation *invocation, struct err *err)
{
	struct check check = { .invocation = invocation, .findings = json_array() };
	int rc = command_open_project(invocation, &check.project, err);

	if (rc == 0) {
		take_files(&check);
		rc = look_at_all(&check, err);
	}
	if (rc == 0)
		rc = finish(&check, err);
	json_decref(check.findings);
	strv_release(&check.files);
	project_release(&check.project);
	return rc;
}
