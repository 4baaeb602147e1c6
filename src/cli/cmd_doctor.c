#include <inttypes.h>
#include <string.h>

#include "airlock/base/fs.h"
#include "airlock/dbt/find.h"
#include "airlock/dbt/targets.h"
#include "airlock/format/json.h"
#include "columns.h"
#include "command_internal.h"

enum {
	LITTLE_DISK = 100 << 20,
};

struct doctor {
	struct invocation *invocation;
	struct columns columns;
	json_t *checks;
};

/* state: "ok", "note" or "fails". */
static void tell(struct doctor *doctor, const char *check, const char *state, const char *message,
		 const char *hint)
{
	columns_add(&doctor->columns, "%s", state);
	columns_add(&doctor->columns, "%s", check);
	columns_add(&doctor->columns, "%.*s", (int)strcspn(message, "\n"), message);
	columns_end_row(&doctor->columns);
	if (hint && *hint) {
		columns_add(&doctor->columns, "%s", "");
		columns_add(&doctor->columns, "%s", "");
		columns_add(&doctor->columns, "  %s", hint);
		columns_end_row(&doctor->columns);
	}
	json_array_append_new(doctor->checks,
			      json_pack("{s:s, s:s, s:o, s:o}", "check", check, "state", state,
					"message", report_string_json(message), "hint",
					hint && *hint ? report_string_json(hint) : json_null()));
}

static int fails(struct doctor *doctor, const char *check, const struct err *err)
{
	tell(doctor, check, "fails", err->message,
	     err->hint ? err->hint : err_row(err->code)->hint);
	return -1;
}

/* Which dbt is called, and which one is started behind it. */
static int check_dbt(struct doctor *doctor, struct err *err)
{
	const struct invocation *invocation = doctor->invocation;
	char *const *environment = strv_argv(invocation->environment);
	CLEANUP(strv_release) struct strv paths = STRV_INIT;
	CLEANUP(mem_free_string) char *real = find_dbt(environment, invocation->self, err);
	CLEANUP(mem_free_string) char *message = NULL;

	if (!real)
		return fails(doctor, "dbt", err);
	tell(doctor, "dbt", "ok", real, NULL);
	find_all(environment, &paths);
	if (!paths.n)
		return 0;
	message = mem_printf("'dbt' on PATH is %s", paths.v[0]);
	if (find_is_airlock(paths.v[0], invocation->self))
		tell(doctor, "shim", "ok", message, NULL);
	else
		tell(doctor, "shim", "note", message,
		     "it is not airlock: protect does not hold for it ('airlock help shim')");
	return 0;
}

static void check_targets(struct doctor *doctor)
{
	const struct invocation *invocation = doctor->invocation;
	const struct cmdline *cmdline = &invocation->arguments->cmdline;
	const struct cmdline_given given = { .profile = cmdline->profile,
					     .profiles_dir = cmdline->profiles_dir };
	CLEANUP(err_release) struct err err = ERR_INIT;
	CLEANUP(project_release) struct project project = { .name = NULL };
	CLEANUP(strv_release) struct strv names = STRV_INIT;
	CLEANUP(mem_free_string) char *profile = NULL;
	CLEANUP(mem_free_string) char *joined = NULL;
	CLEANUP(mem_free_string) char *message = NULL;

	if (command_open_project(invocation, &project, &err) < 0)
		return; /* told by what comes next */
	if (targets_list(&given, &project, invocation->environment, &names, &profile, &err) < 0) {
		tell(doctor, "targets", "note", err.message, "only dbt can tell");
		return;
	}
	joined = strv_join(&names, ", ");
	message = mem_printf("profile '%s' has %s", profile, joined);
	tell(doctor, "targets", "ok", message, NULL);
}

static void tell_about(struct doctor *doctor, const struct deploy *deploy)
{
	CLEANUP(js_free) json_t *about = deploy_about(deploy);
	const char *to = js_get_string(about, "to");
	CLEANUP(mem_free_string) char *message = NULL;

	message = mem_printf("dbt %s, %s", js_get_string(about, "dbt_version"),
			     js_get_string(about, "adapter"));
	tell(doctor, "version", "ok", message, NULL);
	mem_free_string(&message);
	message = mem_printf("%s, from '%s' to %s%s%s, %" PRId64 " nodes",
			     js_get_string(about, "strategy"), js_get_string(about, "from"),
			     to ? "'" : "", to ? to : "the schemas of tags", to ? "'" : "",
			     (int64_t)js_get_integer(about, "scope", 0));
	tell(doctor, "sides", "ok", message, NULL);
}

static void tell_about_warehouse(struct doctor *doctor, const struct deploy *deploy)
{
	CLEANUP(js_free) json_t *about = deploy_about(deploy);
	const char *user = js_get_string(about, "user");
	const char *version = js_get_string(about, "warehouse");
	CLEANUP(mem_free_string)
	char *message = mem_printf("'%s' as '%s' (%.*s)", js_get_string(about, "database"),
				   user ? user : "", version ? (int)strcspn(version, "(\n") : 0,
				   version ? version : "");

	tell(doctor, "warehouse", "ok", message, NULL);
	tell(doctor, "privileges", "ok", "the user that publishes may do all of it", NULL);
}

/* Of the warehouse whose history a plan was made beside. */
static void tell_about_state(struct doctor *doctor, const struct deploy *deploy)
{
	CLEANUP(js_free) json_t *about = deploy_about(deploy);
	const json_t *restores = json_object_get(about, "restores");
	CLEANUP(mem_free_string) char *message = NULL;

	if (!json_is_array(restores)) {
		tell(doctor, "state", "ok", "no table airlock.airlock_log yet",
		     "the first deployment makes it");
		return;
	}
	message = mem_printf("airlock.airlock_log, %zu tables in restore points",
			     json_array_size(restores));
	tell(doctor, "state", "ok", message, NULL);
}

static int check_locks(struct doctor *doctor, const struct deploy *deploy, struct err *err)
{
	const json_t *locks = deploy_locks(deploy);
	int rc = 0;

	for (size_t i = 0; i < json_array_size(locks); i++) {
		const json_t *lock = json_array_get(locks, i);
		bool is_held = js_text_is(lock, "state", "held");
		CLEANUP(mem_free_string)
		char *message = mem_printf("'%s' is held by %s", js_get_string(lock, "container"),
					   js_get_string(lock, "holder"));

		tell(doctor, "lock", is_held ? "fails" : "note", message,
		     is_held ? "wait until it has ended" : "a deployment takes it over");
		if (is_held)
			rc = err_set(err, ERR_LOCKED, "%s", message);
	}
	if (!json_array_size(locks))
		tell(doctor, "lock", "ok", "free", NULL);
	return rc;
}

static void check_disk(struct doctor *doctor, const struct deploy *deploy)
{
	CLEANUP(js_free) json_t *about = deploy_about(deploy);
	const char *project = js_get_string(about, "project");
	CLEANUP(mem_free_string) char *message = NULL;
	uint64_t bytes;

	if (!fs_free_bytes(project, &bytes))
		return;
	message = mem_printf("%" PRIu64 " MiB free where the project is", bytes >> 20);
	tell(doctor, "disk", bytes < LITTLE_DISK ? "note" : "ok", message,
	     bytes < LITTLE_DISK ? "dbt's files need room, and so do restore points of a local file"
				 : NULL);
}

static const char *check_of(enum err_code code)
{
	switch ((int)code) {
	case ERR_PRIVILEGE_MISSING:
		return "privileges";
	case ERR_ROUTE_CONFLICT:
	case ERR_DUPLICATE_RELATION:
	case ERR_NAME_UNUSABLE:
		return "sides";
	case ERR_UNTESTED:
		return "tests";
	case ERR_WAREHOUSE:
		return "warehouse";
	default:
		return "plan";
	}
}

static int examine(struct doctor *doctor, struct deploy *deploy, struct err *err)
{
	const struct routes *routes;
	const struct plan *plan;

	if (deploy_routes(deploy, &routes, err) < 0)
		return fails(doctor, "project", err);
	tell_about(doctor, deploy);
	check_disk(doctor, deploy);
	if (deploy_plan(deploy, &plan, &routes, err) < 0)
		return fails(doctor, check_of(err->code), err);
	tell_about_warehouse(doctor, deploy);
	tell_about_state(doctor, deploy);
	return check_locks(doctor, deploy, err);
}

static int check_all(struct doctor *doctor, struct err *err)
{
	struct deploy_request request = command_request(doctor->invocation);
	struct deploy *deploy;
	int rc;

	if (check_dbt(doctor, err) < 0)
		return -1;
	check_targets(doctor);
	deploy = deploy_open(&request, err);
	if (!deploy)
		return fails(doctor, "configuration", err);
	rc = examine(doctor, deploy, err);
	deploy_close(deploy);
	return rc;
}

int cmd_doctor(struct invocation *invocation, struct err *err)
{
	struct doctor doctor = {
		.invocation = invocation,
		.columns = COLUMNS_INIT,
		.checks = json_array(),
	};
	CLEANUP(err_release) struct err write_err = ERR_INIT;
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	int rc = check_all(&doctor, err);
	json_t *document = json_pack("{s:i, s:b, s:o}", "version", 1, "ready", rc == 0, "checks",
				     doctor.checks);

	columns_write(&doctor.columns, "", &text);
	columns_release(&doctor.columns);
	if (command_finish(invocation, &text, document, rc ? &write_err : err) < 0)
		return -1;
	return rc;
}
