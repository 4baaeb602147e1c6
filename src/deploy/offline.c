#include "airlock/deploy/offline.h"

#include "airlock/deploy/mirror.h"

#include <stdlib.h>
#include <string.h>

#include "airlock/base/env.h"
#include "airlock/base/fs.h"
#include "airlock/dbt/fresh.h"
#include "airlock/deploy/selection.h"
#include "airlock/deploy/sides.h"
#include "airlock/deploy/strategy.h"

struct offline {
	const struct deploy_request *request;
	struct config *config;
	struct project project; /* directory is NULL outside of one */
	struct manifest *from;
	struct manifest *to;
	const struct dialect *dialect;
	struct strv selected;
	struct strv shared;
	struct strv raw;
	struct routes routes;
};

bool offline_is_wanted(const struct config *config)
{
	return config_bool(config, OPTION_OFFLINE) || config_text(config, OPTION_MANIFEST) ||
	       config_text(config, OPTION_MANIFEST_TO);
}

static int check_options(const struct deploy_request *request, struct err *err)
{
	const char *manifest = config_text(request->config, OPTION_MANIFEST);

	if (!manifest && config_text(request->config, OPTION_MANIFEST_TO))
		return err_set(err, ERR_USAGE,
			       "'--manifest-to' is the production side of '--manifest', which is "
			       "not given");
	if (!manifest)
		return 0;
	if (config_bool(request->config, OPTION_OFFLINE))
		return err_set(err, ERR_USAGE,
			       "'--offline' reads the manifests of the project, and '--manifest' "
			       "names another one: give one of them");
	if (request->what)
		return err_set(err, ERR_USAGE,
			       "'%s' would be looked up in a project, and '--manifest' names none",
			       request->what);
	return 0;
}

/* What messages call a side that has no target. */
static int name_side(struct config *config, enum option_id side, const char *path, struct err *err)
{
	if (!path || config_text(config, side))
		return 0;
	return config_set_argument(config, option_row(side), false, path, err);
}

/* No project is read, so there are no deployments either. */
static int name_strategy(struct offline *offline, struct err *err)
{
	const char *what = offline->request->what;

	if (what && !strategy_find(what))
		return err_set(err, ERR_USAGE,
			       "'%s' is no strategy, and with --manifest no project is read that "
			       "could have a deployment of this name",
			       what);
	config_set_strategy(offline->config, what ? what : *config_strategies());
	return 0;
}

static int read_files(struct offline *offline, struct err *err)
{
	struct config *config = offline->config;
	const char *from = config_text(config, OPTION_MANIFEST);
	const char *to = config_text(config, OPTION_MANIFEST_TO);

	if (name_strategy(offline, err) < 0 ||
	    config_set_environment(config, offline->request->environment, err) < 0 ||
	    name_side(config, OPTION_FROM, from, err) < 0 ||
	    name_side(config, OPTION_TO, to, err) < 0 ||
	    manifest_read(from, &offline->from, err) < 0)
		return -1;
	return to ? manifest_read(to, &offline->to, err) : 0;
}

static int open_project(struct offline *offline, struct err *err)
{
	const struct deploy_request *request = offline->request;
	const char *directory = config_text(offline->config, OPTION_PROJECT_DIR);
	const char *variable = cmdline_variable(request->environment, "PROJECT_DIR");

	if (!directory)
		directory = request->cmdline->project_dir;
	if (project_open(directory, variable, &offline->project, err) < 0)
		return -1;
	if (config_set_environment(offline->config, request->environment, err) < 0)
		return -1;
	return config_set_project(offline->config, &offline->project, request->cmdline->vars,
				  request->what, err);
}

/* A manifest that may be stale is used here, but never silently. */
static void warn_of_age(const struct offline *offline, enum option_id side, const char *directory)
{
	const struct deploy_request *request = offline->request;
	CLEANUP(strv_release) struct strv options = STRV_INIT;
	CLEANUP(strv_release) struct strv environment = STRV_INIT;
	CLEANUP(err_release) struct err ignored = ERR_INIT;
	const char *target = config_text(offline->config, side);
	CLEANUP(mem_free_string) char *reason = NULL;
	CLEANUP(mem_free_string) char *text = NULL;
	CLEANUP(mem_free_string) char *id = NULL;
	const struct fresh_input input = {
		.project = &offline->project,
		.target = target,
		.options = &options,
		.environment = &environment,
	};
	struct fresh *fresh;

	if (sides_environment(offline->config, side, request->environment, &environment, &ignored) <
	    0)
		return;
	sides_push_given(request->cmdline, &options);
	fresh = fresh_take(&input);
	reason = fresh_compare(fresh, directory, &id);
	fresh_free(fresh);
	if (!reason)
		return;
	text = mem_printf("the manifest of '%s' may be out of date: %s", target, reason);
	request->reporter->warning(request->reporter, text);
}

static int read_side(struct offline *offline, enum option_id side, struct manifest **ret_manifest,
		     struct err *err)
{
	const char *target = config_text(offline->config, side);
	CLEANUP(mem_free_string) char *name = config_side_name(offline->config, side);
	CLEANUP(mem_free_string)
	char *directory = sides_parse_path(offline->project.directory, name, NULL);
	CLEANUP(mem_free_string) char *path = fs_join(directory, "manifest.json");

	if (!fs_exists(path)) {
		err_set(err, ERR_FILE, "'%s' was never parsed: there is no '%s'", target, path);
		return err_hint(err, "run the same command without --offline once");
	}
	warn_of_age(offline, side, directory);
	return manifest_read(path, ret_manifest, err);
}

static int read_project(struct offline *offline, struct err *err)
{
	if (open_project(offline, err) < 0 || sides_check_targets(offline->config, err) < 0 ||
	    read_side(offline, OPTION_FROM, &offline->from, err) < 0)
		return -1;
	return config_text(offline->config, OPTION_TO)
		       ? read_side(offline, OPTION_TO, &offline->to, err)
		       : 0;
}

static int refuse_question(struct err *err)
{
	err_set(err, ERR_UNSUPPORTED, "only dbt can say what this selection means");
	return err_hint(err, "leave out --offline or --manifest, or name the nodes in another way");
}

static int select_words(struct offline *offline, const struct strv *words, struct strv *ret_ids,
			struct err *err)
{
	enum select_answer answer = SELECT_ANSWERED;

	if (words->n == 0)
		return 0;
	if (select_nodes(offline->from, words, NULL, offline->project.directory, ret_ids, &answer,
			 err) < 0)
		return -1;
	return answer == SELECT_ASK_DBT ? refuse_question(err) : 0;
}

static int choose(struct offline *offline, struct err *err)
{
	const struct strv *shared = config_list(offline->config, OPTION_ALLOW_SHARED);
	enum select_answer answer = SELECT_ANSWERED;

	if (selection_is_given(offline->config) &&
	    selection_answer(offline->config, offline->from, offline->project.directory,
			     &offline->selected, &answer, err) < 0)
		return -1;
	if (answer == SELECT_ASK_DBT)
		return refuse_question(err);
	if (select_words(offline, shared, &offline->shared, err) < 0)
		return -1;
	return select_words(offline, config_list(offline->config, OPTION_MIRROR_RAW), &offline->raw,
			    err);
}

static int resolve(struct offline *offline, struct err *err)
{
	const struct config *config = offline->config;
	const struct strv *selected = selection_is_given(config) ? &offline->selected : NULL;
	bool one = !offline->project.directory && !offline->to &&
		   config_list(config, OPTION_TAGS)->n == 0;

	offline->dialect = dialect_find(manifest_adapter_type(offline->from));
	if (one)
		return routes_of_one(offline->dialect, offline->from, selected, &offline->routes,
				     err);
	if (sides_check_adapters(config, offline->from, offline->to, &offline->dialect, err) < 0)
		return -1;
	return routes_resolve(config, offline->dialect, offline->from, offline->to, selected,
			      &offline->shared, mirror_is_configured(config) ? &offline->raw : NULL,
			      &offline->routes, err);
}

struct offline *offline_open(const struct deploy_request *request, struct err *err)
{
	struct offline *offline = mem_alloc(sizeof(*offline));
	int rc = check_options(request, err);

	offline->request = request;
	offline->config = request->config;
	if (rc == 0)
		rc = config_text(request->config, OPTION_MANIFEST) ? read_files(offline, err)
								   : read_project(offline, err);
	if (rc == 0)
		rc = choose(offline, err);
	if (rc == 0)
		rc = resolve(offline, err);
	if (rc == 0)
		return offline;
	offline_close(offline);
	return NULL;
}

void offline_close(struct offline *offline)
{
	if (!offline)
		return;
	routes_release(&offline->routes);
	strv_release(&offline->selected);
	strv_release(&offline->shared);
	strv_release(&offline->raw);
	manifest_free(offline->from);
	manifest_free(offline->to);
	project_release(&offline->project);
	free(offline);
}

const struct routes *offline_routes(const struct offline *offline)
{
	return &offline->routes;
}
