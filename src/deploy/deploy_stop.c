/*
 * A publish that stopped between two tables is aborted. Nothing of it goes on, what of production
 * is new by then is recorded, and that goes back to its restore points like what a rebuild has left
 * half done (deploy_put_back.c). All of it from its intent: neither the project nor what staging
 * holds by now has a say in it.
 */
#include <stdlib.h>
#include <string.h>

#include "airlock/deploy/history.h"
#include "airlock/format/json.h"
#include "deploy_parts.h"

/* How production was found, and what of it goes back. */
struct stop {
	json_t *compared; /* rows of production's tables that hold what was to be published */
	json_t *rebuilt;  /* of these, what is that still */
	json_t *tables;
	json_t *restores;
	struct observed now;
};

static void stop_release(struct stop *stop)
{
	json_decref(stop->compared);
	json_decref(stop->rebuilt);
	json_decref(stop->tables);
	json_decref(stop->restores);
	observed_release(&stop->now);
}

static const char *part(const json_t *intended, size_t i)
{
	return json_string_value(json_array_get(js_get_array(intended, "relation"), i));
}

static struct relation relation_of(const json_t *intended)
{
	return (struct relation) { part(intended, 0), part(intended, 1), part(intended, 2) };
}

/* Of another version, or an exchange of containers: there is no restore point of a table. */
static int check_intent(const struct deploy *deploy, struct err *err)
{
	const json_t *tables = js_get_array(deploy->resumed, "intended");
	bool can_stop = json_is_object(js_get_object(deploy->resumed, "policy")) &&
			!js_get_array(deploy->resumed, "pictures");

	for (size_t i = 0; i < json_array_size(tables); i++)
		can_stop =
			can_stop && js_get_string(json_array_get(tables, i), "way") &&
			json_array_size(js_get_array(json_array_get(tables, i), "relation")) == 3;
	return can_stop ? 0 : deploy_refuse_partly(deploy, deploy->resumed, err);
}

/* What the publish takes its rows from. */
static int push_drop(const struct deploy *deploy, const struct relation *own,
		     struct strv *statements, struct err *err)
{
	const struct sql_arg arg = SQL_ARG_RELATION("own", own);

	return dialect_push_text(statements, deploy->sides.dialect, "drop table if exists {own}",
				 &arg, 1, err);
}

static int push_drops(const struct deploy *deploy, const json_t *intended, size_t number,
		      struct strv *statements, struct err *err)
{
	char *stage CLEANUP(mem_free_string) = mem_printf(STATE_STAGE "%s_%zu", deploy->id, number);
	char *side CLEANUP(mem_free_string) = mem_printf("airlock_%s_%zu", deploy->id, number);
	const struct relation to = relation_of(intended);
	const struct relation of_stage = { deploy->state.schema.database, STATE_SCHEMA, stage };
	const struct relation of_side = { to.database, to.schema, side };
	bool has_side = js_text_is(intended, "way", publish_way_name(PUBLISH_EXCHANGE));

	if (push_drop(deploy, &of_stage, statements, err) < 0)
		return -1;
	return has_side ? push_drop(deploy, &of_side, statements, err) : 0;
}

/* Behind these no statement that is on its way finds what it publishes. */
static int disarm(struct deploy *deploy, struct err *err)
{
	const json_t *tables = js_get_array(deploy->resumed, "intended");
	struct strv statements CLEANUP(strv_release) = STRV_INIT;
	struct ops ops CLEANUP(ops_release) = OPS_INIT;
	struct ops_reply reply CLEANUP(ops_reply_release) = { 0 };

	for (size_t i = 0; i < json_array_size(tables); i++)
		if (push_drops(deploy, json_array_get(tables, i), i + 1, &statements, err) < 0)
			return -1;
	if (executor_add_statements(&deploy->executor, &statements, false, &ops, err) < 0)
		return -1;
	return executor_run_ops(&deploy->executor, &ops, true, &reply, err);
}

static void add_route(struct deploy *deploy, const struct relation *to, const char *schema,
		      const char *name, size_t number)
{
	struct routes *routes = &deploy->routes;
	struct route *route = &routes->items[routes->n++];

	route->from = (struct relation) {
		arena_strdup(&routes->arena, deploy->state.schema.database),
		schema,
		arena_printf(&routes->arena, "%s_%s_%zu", name, deploy->id, number),
	};
	route->to = (struct relation) { arena_strdup(&routes->arena, to->database),
					arena_strdup(&routes->arena, to->schema),
					arena_strdup(&routes->arena, to->identifier) };
	route->has_to = route->in_scope = true;
	routes->scope_count = routes->n;
}

/* The relations that are looked at: what was to be published and where, and behind all of these
 * the restore points. */
static void make_routes(struct deploy *deploy)
{
	const json_t *tables = js_get_array(deploy->resumed, "intended");
	size_t n = json_array_size(tables);
	struct routes *routes = &deploy->routes;

	arena_init(&routes->arena);
	routes->dialect = deploy->sides.dialect;
	routes->items = arena_alloc(&routes->arena, (2 * n + 1) * sizeof(*routes->items));
	for (size_t i = 0; i < 2 * n; i++) {
		const struct relation to = relation_of(json_array_get(tables, i % n));

		add_route(deploy, &to, i < n ? STATE_SCHEMA : STATE_RESTORE_SCHEMA,
			  i < n ? STATE_STAGE : "r", i % n + 1);
	}
}

/* As the history keeps a table that was published (publication.c). */
static json_t *table_detail(const json_t *intended)
{
	const json_t *tested = js_get_object(intended, "tested");
	const json_t *replaces = js_get_object(intended, "replaces");
	json_t *before = js_get_object(intended, "before");

	return json_pack("{s:O, s:O?, s:O, s:O, s:s, s:O, s:I, s:O?, s:I, s:O?}", "unique_id",
			 json_object_get(intended, "unique_id"), "from",
			 json_object_get(intended, "from"), "to", json_object_get(intended, "to"),
			 "relation", json_object_get(intended, "relation"), "kind",
			 tested ? "table" : "view", "way", json_object_get(intended, "way"), "rows",
			 js_get_integer(tested, "rows", -1), "restore",
			 json_object_get(intended, "restore"), "rows_before",
			 js_get_integer(replaces, "rows", -1), "before", before);
}

static json_t *restore_detail(const struct deploy *deploy, const json_t *intended)
{
	const json_t *policy = js_get_object(deploy->resumed, "policy");
	const json_t *replaces = js_get_object(intended, "replaces");
	json_t *detail = json_pack(
		"{s:O, s:O, s:I, s:O?}", "number", json_object_get(intended, "restore"), "of",
		json_object_get(intended, "relation"), "rows", js_get_integer(replaces, "rows", -1),
		"content", json_object_get(replaces, "content"));

	json_object_update(detail, (json_t *)(uintptr_t)policy);
	if (js_get_bool(intended, "copy", false))
		json_object_set_new(detail, "copy", json_true());
	return detail;
}

/* Those that it replaced, made or removed, and the restore points of these. */
static void add_changed(const struct deploy *deploy, const struct observed *before,
			const struct observed *now, json_t *tables, json_t *restores)
{
	const json_t *intended = js_get_array(deploy->resumed, "intended");
	const struct dialect *dialect = deploy->sides.dialect;

	for (size_t i = 0; i < json_array_size(intended); i++) {
		const json_t *one = json_array_get(intended, i);
		const struct relation *to = &deploy->routes.items[i].to;

		if (deploy_is_same(observed_table(before, dialect, to),
				   observed_table(now, dialect, to)))
			continue;
		json_array_append_new(tables, table_detail(one));
		if (json_object_get(one, "restore"))
			json_array_append_new(restores, restore_detail(deploy, one));
	}
}

static bool is_used(const json_t *tables, size_t number)
{
	for (size_t i = 0; i < json_array_size(tables); i++)
		if (js_get_integer(json_array_get(tables, i), "restore", 0) == (json_int_t)number)
			return true;
	return false;
}

/* Of a table that is what it was. */
static int push_unused(const struct deploy *deploy, const struct observed *now,
		       const json_t *tables, struct strv *statements, struct err *err)
{
	const struct dialect *dialect = deploy->sides.dialect;
	size_t n = deploy->routes.n / 2;

	for (size_t i = 0; i < n; i++) {
		const struct relation *restore = &deploy->routes.items[n + i].from;
		const struct table *seen = observed_table(now, dialect, restore);
		bool is_snapshot = seen && strcmp(seen->kind, "snapshot") == 0;
		const struct sql_arg args[] = {
			SQL_ARG_RELATION("restore", restore),
			SQL_ARG_STATEMENT("snapshot", is_snapshot ? "snapshot " : ""),
		};

		if (seen && !is_used(tables, i + 1) &&
		    dialect_push(statements, dialect, DIALECT_RESTORE_DROP, args, ARRAY_LEN(args),
				 err) < 0)
			return -1;
	}
	return 0;
}

static int check_kept(struct deploy *deploy, const json_t *tables, struct err *err)
{
	for (size_t i = 0; i < json_array_size(tables); i++) {
		const json_t *table = json_array_get(tables, i);

		if (!history_lacks_restore_point(table))
			continue;
		deploy->result.production_changed = true;
		err_set(err, ERR_NOT_RESUMABLE,
			"deployment '%s' kept no restore point of '%s': production cannot be put "
			"back",
			deploy->id, js_get_string(table, "to"));
		return err_hint(err, "'airlock resume %s' publishes the rest", deploy->id);
	}
	return 0;
}

static bool is_same_row(const struct table *now, const json_t *row)
{
	const char *modified = now ? js_get_string(now->json, "modified") : NULL;

	return now && table_same_text(now->object, js_get_string(row, "object")) &&
	       (!modified || table_same_text(modified, js_get_string(row, "version")));
}

/* What was compared, as far as it is that still: the rollback finds it so. */
static json_t *still_there(const struct deploy *deploy, const json_t *compared,
			   const struct observed *now)
{
	json_t *there = json_array();

	for (size_t i = 0; i < json_array_size(compared); i++) {
		json_t *row = json_array_get(compared, i);
		const struct relation to = { js_get_string(row, "database"),
					     js_get_string(row, "schema"),
					     js_get_string(row, "identifier") };

		if (is_same_row(observed_table(now, deploy->sides.dialect, &to), row))
			json_array_append(there, row);
	}
	return there;
}

/* One statement: there with the restore points, or not at all. */
static int push_record(const struct deploy *deploy, const struct stop *stop,
		       struct strv *statements, struct err *err)
{
	struct strv rows CLEANUP(strv_release) = STRV_INIT;
	json_t *detail CLEANUP(js_free) =
		json_pack("{s:O, s:O, s:b, s:b}", "tables", stop->tables, "rebuilt", stop->rebuilt,
			  "rebuilds", true, "stopped", true);

	if (state_push_log_held(&deploy->state, STATE_PUBLISHED, detail, &rows, err) < 0 ||
	    (json_array_size(stop->restores) > 0 &&
	     state_push_restores(&deploy->state, stop->restores, &rows, err) < 0))
		return -1;
	char *all CLEANUP(mem_free_string) = strv_join(&rows, ";\n");

	strv_pushf(statements, "begin;\n%s;\ncommit", all);
	return 0;
}

static int record(struct deploy *deploy, const struct stop *stop, struct err *err)
{
	struct strv statements CLEANUP(strv_release) = STRV_INIT;
	struct strv query CLEANUP(strv_release) = STRV_INIT;
	struct ops ops CLEANUP(ops_release) = OPS_INIT;
	struct ops_reply reply CLEANUP(ops_reply_release) = { 0 };

	if (push_record(deploy, stop, &statements, err) < 0 ||
	    push_unused(deploy, &stop->now, stop->tables, &statements, err) < 0 ||
	    state_push_history(&deploy->state, deploy->id, &query, err) < 0 ||
	    executor_add_statements(&deploy->executor, &statements, false, &ops, err) < 0 ||
	    executor_add_statements(&deploy->executor, &query, true, &ops, err) < 0 ||
	    executor_run_ops(&deploy->executor, &ops, false, &reply, err) < 0)
		return -1;
	json_t *now CLEANUP(js_free) = history_of(reply.rows[statements.n], err);

	if (!now)
		return -1;
	if (!history_is_stopped(json_array_get(now, 0)))
		return err_set(err, ERR_LOCK_LOST, "deployment '%s' was taken over by somebody",
			       deploy->id);
	json_decref(deploy->resumed);
	deploy->resumed = json_incref(json_array_get(now, 0));
	return 0;
}

/* Production is what it was. */
static int leave_nothing(struct deploy *deploy, const struct stop *stop, struct err *err)
{
	struct strv statements CLEANUP(strv_release) = STRV_INIT;
	struct ops ops CLEANUP(ops_release) = OPS_INIT;
	struct ops_reply reply CLEANUP(ops_reply_release) = { 0 };

	if (push_unused(deploy, &stop->now, NULL, &statements, err) < 0)
		return -1;
	if (statements.n == 0)
		return 0;
	return executor_add_statements(&deploy->executor, &statements, false, &ops, err) < 0
		       ? -1
		       : executor_run_ops(&deploy->executor, &ops, false, &reply, err);
}

static int find_changed(struct deploy *deploy, bool has_begun, struct stop *stop, struct err *err)
{
	const json_t *intended = js_get_array(deploy->resumed, "intended");
	struct observed before CLEANUP(observed_release) = { 0 };

	if (observed_parse_before(intended, &before, err) < 0 ||
	    deploy_take_picture(deploy, &stop->now, err) < 0)
		return -1;
	if (!has_begun)
		return 0;
	add_changed(deploy, &before, &stop->now, stop->tables, stop->restores);
	if (check_kept(deploy, stop->tables, err) < 0 ||
	    deploy_stop_check_restores(deploy, stop->tables, &stop->now, err) < 0)
		return -1;
	stop->rebuilt = still_there(deploy, stop->compared, &stop->now);
	return 0;
}

int deploy_stop(struct deploy *deploy, struct err *err)
{
	struct stop stop CLEANUP(stop_release) = {
		.compared = json_array(),
		.tables = json_array(),
		.restores = json_array(),
	};
	bool has_begun;

	if (check_intent(deploy, err) < 0)
		return -1;
	make_routes(deploy);
	if (deploy_stop_check(deploy, stop.compared, &has_begun, err) < 0 ||
	    disarm(deploy, err) < 0 || deploy_check_at_rest(deploy, err) < 0 ||
	    find_changed(deploy, has_begun, &stop, err) < 0)
		return -1;
	return json_array_size(stop.tables) > 0 ? record(deploy, &stop, err)
						: leave_nothing(deploy, &stop, err);
}
