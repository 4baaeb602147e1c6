#include "airlock/deploy/deploy.h"

#include <stdlib.h>
#include <string.h>

#include "airlock/base/proc.h"
#include "airlock/deploy/build_commands.h"
#include "airlock/deploy/observe.h"
#include "airlock/deploy/orphan.h"
#include "airlock/deploy/route_check.h"
#include "airlock/deploy/scope_build.h"
#include "airlock/deploy/selection.h"
#include "airlock/format/json.h"
#include "deploy_parts.h"

/* What `publish` is asked must make sense without a build. */
static int check_publishes_alone(const struct deploy *deploy, struct err *err)
{
	static const char *const of_builds[] = { "--full-refresh", "--event-time-start",
						 "--event-time-end" };
	const struct strv *options = &deploy->sides.build;

	if (!deploy->strategy->publishes_alone) {
		err_set(err, ERR_UNSUPPORTED,
			"%s publishes only what its own deployment has prepared and built",
			deploy->strategy->name);
		return err_hint(err, "deploy it: airlock deploy %s", deploy->strategy->name);
	}
	for (size_t i = 0; i < ARRAY_LEN(of_builds); i++)
		if (strv_contains(options, of_builds[i]))
			return err_set(err, ERR_DBT_OPTION,
				       "'%s' is for a build, and 'publish' builds nothing",
				       of_builds[i]);
	return 0;
}

struct deploy *deploy_open(const struct deploy_request *request, struct err *err)
{
	struct deploy *deploy = mem_alloc(sizeof(*deploy));
	const struct sides_request sides = {
		.what = request->what,
		.config = request->config,
		.cmdline = request->cmdline,
		.environment = request->environment,
		.self = request->self,
		.is_recorded = request->is_recorded,
	};

	deploy->request = *request;
	deploy->project_lock = (struct fs_lock)FS_LOCK_FREE;
	deploy->from_lock = deploy->to_lock = (struct fs_lock)FS_LOCK_FREE;
	deploy->compiling.folder = (struct fs_lock)FS_LOCK_FREE;
	deploy->journal = (struct journal)JOURNAL_CLOSED;
	arena_init(&deploy->arena);
	if (sides_open(&sides, &deploy->sides, err) < 0)
		goto fail;
	deploy->strategy = strategy_find(request->config->strategy);
	if (!deploy->strategy) {
		err_set(err, ERR_UNSUPPORTED, "no strategy '%s'", request->config->strategy);
		goto fail;
	}
	deploy->result.strategy = deploy->strategy->name;
	if (request->builds_nothing && check_publishes_alone(deploy, err) < 0)
		goto fail;
	deploy_watch_signals(deploy);
	return deploy;
fail:
	deploy_close(deploy);
	return NULL;
}

void deploy_close(struct deploy *deploy)
{
	if (!deploy)
		return;
	proc_watch_signals(NULL, NULL);
	deploy_close(deploy->again);
	config_release(&deploy->again_config);
	cmdline_release(&deploy->again_cmdline);
	plan_release(&deploy->plan);
	plan_release(&deploy->final_plan);
	audit_release(&deploy->audit);
	observed_release(&deploy->observed);
	observed_release(&deploy->built);
	state_release(&deploy->state);
	routes_release(&deploy->routes);
	strv_release(&deploy->build_select);
	deploy_compile_release(deploy);
	strv_release(&deploy->retried);
	json_decref(deploy->compiled);
	mirror_release(&deploy->mirror);
	json_decref(deploy->finish);
	json_decref(deploy->earlier);
	json_decref(deploy->hooks);
	json_decref(deploy->rebuilt);
	json_decref(deploy->held);
	json_decref(deploy->phases);
	json_decref(deploy->rolled_back);
	json_decref(deploy->resumed);
	json_decref(deploy->rest);
	json_decref(deploy->basis);
	free(deploy->commit);
	journal_close(&deploy->journal);
	fs_lock_release(&deploy->project_lock);
	sides_close(&deploy->sides);
	arena_release(&deploy->arena);
	free(deploy);
}

/* The raw layer of a project with a mirror; a selection of nothing is a slip. */
static int select_raw(struct deploy *deploy, struct strv *ret_raw, struct err *err)
{
	const struct strv *words = config_list(deploy->request.config, OPTION_MIRROR_RAW);
	char *shown CLEANUP(mem_free_string) = strv_join(words, " ");

	if (words->n == 0)
		return 0;
	if (sides_select_words(&deploy->sides, words, ret_raw, err) < 0)
		return -1;
	return ret_raw->n > 0 ? 0
			      : err_set(err, ERR_SCOPE_EMPTY, "'mirror: raw' (%s) selects no model",
					shown);
}

static int select_shared(struct deploy *deploy, struct strv *ret_selected, struct err *err)
{
	const struct strv *words = config_list(deploy->request.config, OPTION_ALLOW_SHARED);

	if (words->n == 0)
		return 0;
	return sides_select_words(&deploy->sides, words, ret_selected, err);
}

/* The scope alone, or what the user says; what else it reads follows from that. */
static int choose_scope_build(struct deploy *deploy, struct err *err)
{
	const struct config *config = deploy->request.config;
	const struct strv *words = build_selection(config);
	struct strv wanted CLEANUP(strv_release) = STRV_INIT;

	if (words->n > 0 && sides_select_words(&deploy->sides, words, &wanted, err) < 0)
		return -1;
	scope_build_choose(config, deploy->sides.from_manifest, words->n > 0 ? &wanted : NULL,
			   &deploy->routes);
	if (words->n > 0)
		strv_push_all(&deploy->build_select, words);
	else
		scope_build_push_words(&deploy->routes, &deploy->build_select);
	return 0;
}

/* Each node of the scope as a selection word, behind an operator of the selection. */
static void push_scope(struct deploy *deploy, const char *operator)
{
	for (size_t i = 0; i < deploy->routes.n; i++) {
		const struct manifest_node *node = deploy->routes.items[i].node;
		struct buf word CLEANUP(buf_release) = BUF_INIT;

		if (!deploy->routes.items[i].in_scope)
			continue;
		for (size_t k = 0; k < node->fqn_count; k++)
			buf_printf(&word, "%s%s", k ? "." : operator, node->fqn[k]);
		strv_push(&deploy->build_select, buf_cstr(&word));
	}
}

/* With a selection the build is the scope and all that it reads. */
static void choose_build(struct deploy *deploy)
{
	const struct config *config = deploy->request.config;

	if (deploy->request.builds_nothing) {
		push_scope(deploy, "");
		return;
	}
	strv_push_all(&deploy->build_select, build_selection(config));
	if (deploy->build_select.n > 0 ||
	    (!config_is_set(config, OPTION_SELECT) && !config_is_set(config, OPTION_SELECTOR)))
		return;
	push_scope(deploy, "+");
}

/* Nothing of the raw layer is built: words that select some of it are replaced by all that they
 * select besides. And what is built reads the mirror. */
static int keep_mirror_out(struct deploy *deploy, struct err *err)
{
	struct strv built CLEANUP(strv_release) = STRV_INIT;
	struct strv *words = &deploy->build_select;
	bool selects_raw = false;

	if (!mirror_is_configured(deploy->request.config) || deploy->request.builds_nothing)
		return 0;
	if (words->n > 0 && sides_select_words(&deploy->sides, words, &built, err) < 0)
		return -1;
	route_check_built(deploy->request.config, words->n > 0 ? &built : NULL, &deploy->routes);
	for (size_t i = 0; i < deploy->routes.n; i++) {
		const struct route *route = &deploy->routes.items[i];

		selects_raw |= route->is_mirror && strv_contains(&built, route->node->unique_id);
	}
	if (!selects_raw)
		return 0;
	strv_release(words);
	scope_build_push_besides_raw(&deploy->routes, &built, words);
	return 0;
}

static bool is_accepted(const struct config *config, const struct manifest_node *node)
{
	const struct strv *accepted = config_list(config, OPTION_NOT_REFRESHED);

	return strv_contains(accepted, "*") || manifest_is_named(node, accepted);
}

/* `selected`: NULL for everything. */
static int check_refreshed(const struct deploy *deploy, const struct strv *selected,
			   struct err *err)
{
	struct strv missing CLEANUP(strv_release) = STRV_INIT;

	for (size_t i = 0; i < deploy->routes.n; i++) {
		const struct route *route = &deploy->routes.items[i];

		if (!route->in_scope && !route->is_shared && !route->is_mirror &&
		    (!selected || strv_contains(selected, route->node->unique_id)) &&
		    !is_accepted(deploy->request.config, route->node))
			strv_push(&missing, route->node->name);
	}
	if (!missing.n)
		return 0;
	char *names CLEANUP(mem_free_string) = strv_join(&missing, ", ");

	err_set(err, ERR_TARGET_PROTECTED,
		"dbt build refreshed in production what its deployment does not publish: %s",
		names);
	return err_hint(err,
			"publish it too (airlock help scope), or accept under 'vars: airlock:' of "
			"dbt_project.yml that it stays as it is: not_refreshed: [%s]",
			names);
}

int deploy_routes(struct deploy *deploy, const struct routes **ret_routes, struct err *err)
{
	const struct config *config = deploy->request.config;
	struct sides *sides = &deploy->sides;
	struct strv selected CLEANUP(strv_release) = STRV_INIT;
	struct strv shared CLEANUP(strv_release) = STRV_INIT;
	struct strv raw CLEANUP(strv_release) = STRV_INIT;
	bool selects = selection_is_given(config);

	if (deploy->routes.n == 0) {
		deploy->request.reporter->note(deploy->request.reporter,
					       "reading the project with dbt");
		if (sides_parse(sides, err) < 0 || deploy_find_files(deploy, err) < 0 ||
		    (selects && sides_select(sides, &selected, err) < 0) ||
		    select_shared(deploy, &shared, err) < 0 || select_raw(deploy, &raw, err) < 0 ||
		    routes_resolve(config, sides->dialect, sides->from_manifest, sides->to_manifest,
				   selects ? &selected : NULL, &shared, raw.n > 0 ? &raw : NULL,
				   &deploy->routes, err) < 0)
			return -1;
		if (deploy->request.replaces_build &&
		    check_refreshed(deploy, selects ? &selected : NULL, err) < 0)
			return -1;
		if (!deploy->strategy->builds_scope)
			choose_build(deploy);
		else if (choose_scope_build(deploy, err) < 0)
			return -1;
		if (keep_mirror_out(deploy, err) < 0)
			return -1;
	}
	*ret_routes = &deploy->routes;
	return 0;
}

int deploy_check(struct deploy *deploy, struct err *err)
{
	if (routes_check(&deploy->routes, err) < 0 ||
	    orphans_check(deploy->request.config, deploy->sides.dialect, err) < 0)
		return -1;
	if (!deploy->request.builds_nothing && !deploy->basis &&
	    build_commands_check(deploy->request.config, &deploy->routes, &deploy->sides.build,
				 err) < 0)
		return -1;
	return audit_check_tests(deploy->request.config, &deploy->routes,
				 deploy->sides.from_manifest, deploy->sides.to_manifest, err);
}

int deploy_picture(struct deploy *deploy, const json_t *picture, struct observed *ret_observed,
		   struct err *err)
{
	if (!picture)
		return -1;
	json_t *before CLEANUP(js_free) = deploy_picture_before(deploy, picture);

	return observed_parse(before, ret_observed, err);
}

bool deploy_holds_production(const struct deploy *deploy)
{
	return deploy->strategy->holds_production ||
	       !deploy->sides.dialect->changes_set_atomically ||
	       (deploy->strategy->may_rebuild && config_rebuilds(deploy->request.config));
}

/* Where the state is: in a database of its own, or where most nodes of the side that publishes
 * are: dbt gives it to every node that does not ask for another. */
const char *deploy_database(const struct deploy *deploy)
{
	const struct manifest *manifest =
		deploy->sides.to_manifest ? deploy->sides.to_manifest : deploy->sides.from_manifest;
	const char *database = NULL;
	size_t lead = 0;

	if (deploy->sides.state_database)
		return deploy->sides.state_database;
	for (size_t i = 0; i < manifest_count(manifest); i++) {
		const struct manifest_node *node = manifest_node(manifest, i);

		if (!manifest_makes_relation(node))
			continue;
		if (lead == 0)
			database = node->relation.database;
		lead += strcmp(database, node->relation.database) == 0 ? 1 : (size_t)-1;
	}
	return database;
}

int deploy_make_plan(struct deploy *deploy, const struct observed *observed, struct plan *ret_plan,
		     struct err *err)
{
	const struct strategy_input input = {
		.config = deploy->request.config,
		.routes = &deploy->routes,
		.dialect = deploy->sides.dialect,
		.observed = observed,
		.builds_nothing = deploy->request.builds_nothing,
		.reuses = js_get_string(deploy->basis, "id"),
		.retries = deploy->retries,
		.is_resumed = deploy_goes_on(deploy),
		.runs = deploy->locked,
		.build_options = &deploy->sides.build,
		.build_select = &deploy->build_select,
		.options = &deploy->sides.every,
		.database = deploy_database(deploy),
		.compiled = deploy->compiled,
		.mirror = deploy->mirrors ? &deploy->mirror : NULL,
		.finish = deploy->finish,
		.rolled_back = deploy->rolled_back,
	};

	return strategy_plan(deploy->strategy, &input, ret_plan, err);
}

/* With `has_log` the restore points too, which only the history tells from other tables. */
int deploy_plan(struct deploy *deploy, const struct plan **ret_plan,
		const struct routes **ret_routes, struct err *err)
{
	if (deploy_routes(deploy, ret_routes, err) < 0 || deploy_check(deploy, err) < 0)
		return -1;
	deploy_compile_beside(deploy);
	if (deploy_observe_for_plan(deploy, err) < 0 || deploy_compile(deploy, err) < 0 ||
	    deploy_make_plan(deploy, &deploy->observed, &deploy->plan, err) < 0)
		return -1;
	*ret_plan = &deploy->plan;
	return 0;
}

json_t *deploy_about(const struct deploy *deploy)
{
	const struct sides *sides = &deploy->sides;
	const struct manifest *manifest = sides->from_manifest;
	const struct observed *observed = &deploy->observed;
	json_t *restores = observed->json ? json_object_get(observed->json, "restores") : NULL;

	return json_pack(
		"{s:s, s:s, s:s, s:s?, s:s?, s:s, s:s?, s:s?, s:i, s:s?, s:s?, s:s?, s:O?}",
		"project", sides->project.directory, "dbt", sides->dbt, "from", sides->from, "to",
		sides->to, "profile", sides->profile, "strategy", deploy->strategy->name,
		"dbt_version", manifest ? manifest_dbt_version(manifest) : NULL, "adapter",
		manifest ? manifest_adapter_type(manifest) : NULL, "scope",
		(int)deploy->routes.scope_count, "user", observed->user, "database",
		observed->database, "warehouse", observed->version, "restores", restores);
}

const char *deploy_outcome_name(enum deploy_outcome outcome)
{
	switch (outcome) {
	case DEPLOY_FAILED:
		return "failed";
	case DEPLOY_BLOCKED:
		return "blocked";
	case DEPLOY_PUBLISHED:
		return "published";
	case DEPLOY_UNKNOWN:
		return "unknown";
	case DEPLOY_SKIPPED:
		return "skipped";
	case DEPLOY_UNFINISHED:
		return "unfinished";
	case DEPLOY_ABORTED:
		return "aborted";
	case DEPLOY_ROLLED_BACK:
		return "rolled_back";
	}
	return "";
}
