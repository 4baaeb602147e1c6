/* Production back to the restore points of a deployment; the phases are those of a deployment
 * without a build. */
#include <stdlib.h>
#include <string.h>

#include "airlock/base/host.h"
#include "airlock/deploy/history.h"
#include "airlock/deploy/route_check.h"
#include "airlock/deploy/strategy_rows.h"
#include "airlock/format/json.h"
#include "deploy_parts.h"

static bool is_rollback(const json_t *deployment)
{
	return js_text_is(deployment, "strategy", strategy_rollback.name);
}

/* Without an id production is put back, and not the copies that it is built from. */
static bool is_refresh(const json_t *deployment)
{
	return js_text_is(deployment, "strategy", strategy_mirror.name);
}

/* The newest that is still what production shows. */
static json_t *choose(json_t *deployments, const char *id, struct err *err)
{
	for (size_t i = 0; i < json_array_size(deployments); i++) {
		json_t *deployment = json_array_get(deployments, i);
		const char *own = js_get_string(deployment, "id");

		if (id ? strcmp(own, id) != 0
		       : !history_changed_production(deployment) || is_rollback(deployment) ||
				    is_refresh(deployment) || history_is_taken_back(deployment))
			continue;
		if (!history_changed_production(deployment)) {
			err_set(err, ERR_UNSUPPORTED, "deployment '%s' changed nothing (%s)", own,
				js_get_string(deployment, "outcome"));
			return NULL;
		}
		return deployment;
	}
	if (id)
		err_set(err, ERR_DEPLOYMENT_UNKNOWN, "there is no deployment '%s'", id);
	else
		err_set(err, ERR_DEPLOYMENT_UNKNOWN, "there is no deployment to roll back");
	return NULL;
}

static bool publishes(const json_t *deployment, const char *to)
{
	const json_t *tables = js_get_array(deployment, "tables");

	for (size_t i = 0; i < json_array_size(tables); i++) {
		const char *other = js_get_string(json_array_get(tables, i), "to");

		if (other && strcmp(other, to) == 0)
			return true;
	}
	return false;
}

/* What was published over it since would be lost without a word. */
static int check_newest(const json_t *deployments, const json_t *chosen, struct err *err)
{
	const json_t *tables = js_get_array(chosen, "tables");
	const char *id = js_get_string(chosen, "id");

	for (size_t i = 0; i < json_array_size(deployments); i++) {
		const json_t *later = json_array_get(deployments, i);

		if (js_text_is(later, "id", id))
			return 0;
		if (!history_changed_production(later) || history_is_taken_back(later) ||
		    (js_get_string(later, "of") && is_rollback(later)))
			continue;
		for (size_t k = 0; k < json_array_size(tables); k++) {
			const char *to = js_get_string(json_array_get(tables, k), "to");

			if (!publishes(later, to))
				continue;
			err_set(err, ERR_CONFLICT, "deployment '%s' published '%s' since",
				js_get_string(later, "id"), to);
			return err_hint(err, "roll that one back first, or say --force");
		}
	}
	return 0;
}

/* Somebody may have done so while the lock was waited for. */
int deploy_check_newest(const struct deploy *deploy, const json_t *events, struct err *err)
{
	json_t *deployments CLEANUP(js_free) = history_of(events, err);

	if (!deployments)
		return -1;
	return config_bool(deploy->request.config, OPTION_FORCE)
		       ? 0
		       : check_newest(deployments, deploy->rolled_back, err);
}

static bool is_same_relation(const json_t *a, const json_t *b)
{
	static const char *const keys[] = { "database", "schema", "identifier" };

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (!json_equal(json_object_get(a, keys[i]), json_object_get(b, keys[i])))
			return false;
	return true;
}

static void take_over(const json_t *later, const json_t *objects)
{
	for (size_t i = 0; i < json_array_size(objects); i++)
		for (size_t k = 0; k < json_array_size(later); k++) {
			json_t *own = json_array_get(objects, i);
			const json_t *new = json_array_get(later, k);

			if (is_same_relation(own, new))
				json_object_set(own, "object", json_object_get(new, "object"));
		}
}

/* What a later one replaced and a rollback put back is another object where none can be moved, and
 * what that deployment left all the same. */
static void follow_rollbacks(const json_t *deployments, json_t *chosen)
{
	size_t i = 0;

	if (history_is_taken_back(chosen))
		return;
	while (json_array_get(deployments, i) != chosen)
		i++;
	while (i-- > 0) {
		const json_t *later = json_array_get(deployments, i);
		const json_t *objects = js_get_array(later, "objects");

		if (!is_rollback(later) || !history_changed_production(later))
			continue;
		take_over(objects, js_get_array(chosen, "objects"));
		take_over(objects, js_get_array(chosen, "rebuilt"));
	}
}

static const struct manifest_node *node_of(struct deploy *deploy, const char *unique_id)
{
	const struct manifest_node *node = manifest_find(deploy->sides.from_manifest, unique_id);
	struct manifest_node *gone;

	if (node)
		return node;
	/* A model that has been deleted since still has a name. */
	gone = arena_alloc(&deploy->routes.arena, sizeof(*gone));
	gone->unique_id = arena_strdup(&deploy->routes.arena, unique_id);
	gone->resource_type = gone->name = gone->materialized = "";
	return gone;
}

static bool was_view(const json_t *table)
{
	const char *kind = js_get_string(js_get_object(table, "before"), "kind");

	return kind && strcmp(kind, "view") == 0;
}

static const struct route_container *container_of(const struct routes *routes,
						  const struct route *route)
{
	for (size_t i = 0; i < routes->container_count; i++)
		if (route_container_holds(routes->dialect, &routes->containers[i].to, &route->to))
			return &routes->containers[i];
	return &routes->containers[0];
}

/* What a swap put aside, with everything in it. */
static int add_demoted_route(struct deploy *deploy, struct route *route)
{
	const struct route_container *c = container_of(&deploy->routes, route);

	if (*c->from.schema)
		route->from.schema = c->from.schema;
	else
		route->from.database = c->from.database;
	deploy->routes.n++;
	deploy->routes.scope_count++;
	return 0;
}

static bool is_database(const json_t *container)
{
	return js_get_bool(container, "is_database", false);
}

static void add_containers(struct deploy *deploy, const json_t *containers, const char *id)
{
	struct routes *routes = &deploy->routes;
	struct arena *arena = &routes->arena;
	size_t n = json_array_size(containers);

	routes->containers = arena_alloc(arena, (n + 1) * sizeof(*routes->containers));
	for (size_t i = 0; i < n; i++) {
		const json_t *container = json_array_get(containers, i);
		const char *to = js_get_string(container, "to");
		const char *database = js_get_string(container, "database");

		if (!to || !database)
			continue;
		if (js_get_bool(container, "is_file", false)) {
			routes->containers[routes->container_count++] = (struct route_container) {
				.from = { DIALECT_STAGING_FILE, "", NULL },
				.to = { arena_strdup(arena, database), "", NULL },
			};
			continue;
		}
		if (is_database(container)) {
			routes->containers[routes->container_count++] = (struct route_container) {
				.from = { arena_printf(arena, "%s" STATE_DEMOTED "%s", to, id), "",
					  NULL },
				.to = { arena_strdup(arena, to), "", NULL },
			};
			continue;
		}
		routes->containers[routes->container_count++] = (struct route_container) {
			.from = { arena_strdup(arena, database),
				  arena_printf(arena, "%s" STATE_DEMOTED "%s", to, id), NULL },
			.to = { arena_strdup(arena, database), arena_strdup(arena, to), NULL },
		};
	}
}

static int add_route(struct deploy *deploy, const json_t *table, const char *id, struct err *err)
{
	struct routes *routes = &deploy->routes;
	struct route *route = &routes->items[routes->n];
	const json_t *relation = js_get_array(table, "relation");
	json_int_t restore = js_get_integer(table, "restore", 0);
	struct arena *arena = &routes->arena;

	*route = (struct route) {
		.node = node_of(deploy, js_get_string(table, "unique_id")),
		.to = { arena_strdup(arena, json_string_value(json_array_get(relation, 0))),
			arena_strdup(arena, json_string_value(json_array_get(relation, 1))),
			arena_strdup(arena, json_string_value(json_array_get(relation, 2))) },
		.has_to = true,
		.in_scope = true,
		.is_view = was_view(table),
		.reason = arena_printf(arena, "published by %s", id),
	};
	route->from = route->to;
	if (!route->to.schema || !route->to.identifier)
		return err_set(err, ERR_NO_ANSWER, "the history of '%s' is not whole", id);
	if (routes->container_count > 0)
		return add_demoted_route(deploy, route);
	if (restore > 0) {
		route->from.database = arena_strdup(arena, deploy_database(deploy));
		route->from.schema = STATE_RESTORE_SCHEMA;
		route->from.identifier = arena_printf(arena, "r_%s_%lld", id, (long long)restore);
	} else if (history_lacks_restore_point(table)) {
		return err_set(err, ERR_UNSUPPORTED,
			       "deployment '%s' kept no restore point of '%s'", id,
			       js_get_string(table, "to"));
	}
	routes->n++;
	routes->scope_count++;
	return 0;
}

static int compare_routes(const void *a, const void *b)
{
	return strcmp(((const struct route *)a)->node->unique_id,
		      ((const struct route *)b)->node->unique_id);
}

static int make_routes(struct deploy *deploy, const json_t *chosen, struct err *err)
{
	const json_t *tables = js_get_array(chosen, "tables");
	struct routes *routes = &deploy->routes;

	arena_init(&routes->arena);
	routes->dialect = deploy->sides.dialect;
	routes->is_rollback = true;
	routes->items =
		arena_alloc(&routes->arena, (json_array_size(tables) + 1) * sizeof(*routes->items));
	add_containers(deploy, js_get_array(chosen, "containers"), js_get_string(chosen, "id"));
	for (size_t i = 0; i < json_array_size(tables); i++)
		if (add_route(deploy, json_array_get(tables, i), js_get_string(chosen, "id"), err) <
		    0)
			return -1;
	qsort(routes->items, routes->n, sizeof(*routes->items), compare_routes);
	routes_measure(deploy->sides.from_manifest, routes);
	if (routes->n == 0)
		return err_set(err, ERR_UNSUPPORTED, "deployment '%s' published nothing",
			       js_get_string(chosen, "id"));
	return 0;
}

static int check(struct deploy *deploy, struct err *err)
{
	deploy->finish = deploy_who(deploy);
	json_object_set_new(deploy->finish, "outcome", json_string("published"));
	json_object_set_new(deploy->finish, "exit", json_integer(0));
	deploy_add_figures(deploy, 2, deploy->finish);
	if (deploy_observe_counted(deploy, err) < 0)
		return -1;
	return deploy_make_plan(deploy, &deploy->built, &deploy->final_plan, err);
}

int deploy_rollback_phases(struct deploy *deploy, struct err *err)
{
	struct reporter *reporter = deploy->request.reporter;

	if (deploy_start(deploy, err) < 0 || deploy_lock(deploy, err) < 0 ||
	    deploy_make_plan(deploy, &deploy->observed, &deploy->plan, err) < 0)
		return -1;
	if (deploy->request.ask && !reporter->confirm(reporter, &deploy->plan, &deploy->routes)) {
		err_set(err, ERR_INTERRUPTED, "not confirmed");
		return err_hint(err, "answer yes, or give --yes");
	}
	if (deploy_step(deploy, &deploy->plan, "audit", check, err) < 0)
		return -1;
	return deploy_publish_with_hooks(deploy, err);
}

int deploy_rollback_prepare(struct deploy *deploy, const char *id, struct err *err)
{
	json_t *deployments CLEANUP(js_free) = deploy_history(deploy, NULL, err);
	json_t *chosen;

	if (!deployments)
		return -1;
	chosen = choose(deployments, id, err);
	if (!chosen)
		return -1;
	if (!config_bool(deploy->request.config, OPTION_FORCE) &&
	    check_newest(deployments, chosen, err) < 0)
		return -1;
	follow_rollbacks(deployments, chosen);
	deploy->rolled_back = json_incref(chosen);
	deploy->strategy = &strategy_rollback;
	if (js_get_bool(json_array_get(js_get_array(chosen, "containers"), 0), "is_file", false) &&
	    deploy_find_aside(deploy, js_get_string(chosen, "id"), err) < 0)
		return -1;
	return make_routes(deploy, chosen, err);
}

int deploy_rollback(struct deploy *deploy, const char *id, const struct deploy_result **ret_result,
		    struct err *err)
{
	int64_t began = host_monotonic_ms();
	int result;

	*ret_result = &deploy->result;
	deploy->is_run = true;
	result = deploy_rollback_prepare(deploy, id, err);
	if (result == 0) {
		deploy->result.routes = &deploy->routes;
		result = deploy_rollback_phases(deploy, err);
	}
	return deploy_end(deploy, began, result, err);
}
