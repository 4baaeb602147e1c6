#include "airlock/deploy/history.h"

#include <string.h>

#include "airlock/deploy/state.h"
#include "airlock/format/json.h"

json_t *history_find(const json_t *deployments, const char *id)
{
	for (size_t i = 0; i < json_array_size(deployments); i++) {
		json_t *deployment = json_array_get(deployments, i);

		if (js_text_is(deployment, "id", id))
			return deployment;
	}
	return NULL;
}

bool history_is_published(const json_t *deployment)
{
	return js_text_is(deployment, "outcome", STATE_PUBLISHED);
}

bool history_has_ended(const json_t *deployment)
{
	return js_get_bool(deployment, "ended", false);
}

static json_t *find_or_make(json_t *deployments, const char *id)
{
	json_t *found = history_find(deployments, id);

	if (found)
		return found;
	found = json_pack("{s:s, s:s, s:[]}", "id", id, "outcome", "unfinished", "events");
	json_array_append_new(deployments, found);
	return found;
}

/* What was exchanged whole is there whole, under another name. */
static json_t *demoted(const char *id, const json_t *containers)
{
	json_t *schemas = json_array();

	for (size_t i = 0; i < json_array_size(containers); i++) {
		const char *to = js_get_string(json_array_get(containers, i), "to");

		if (to)
			json_array_append_new(schemas,
					      json_sprintf("%s" STATE_DEMOTED "%s", to, id));
	}
	const char *first = json_string_value(json_array_get(schemas, 0));

	return json_pack("{s:s?, s:o}", "schema", first, "schemas", schemas);
}

/* A restore point is r_<id>_<number> of the table's row. */
static json_t *restore_point(const char *id, const json_t *tables, const json_t *containers)
{
	if (containers)
		return demoted(id, containers);
	json_t *relations = json_array();

	for (size_t i = 0; i < json_array_size(tables); i++) {
		json_int_t number = js_get_integer(json_array_get(tables, i), "restore", 0);
		char *name CLEANUP(mem_free_string) =
			mem_printf(STATE_RESTORE_SCHEMA ".r_%s_%lld", id, (long long)number);

		if (number > 0)
			json_array_append_new(relations, json_string(name));
	}
	if (json_array_size(relations) == 0) {
		json_decref(relations);
		return json_null();
	}
	return json_pack("{s:s, s:o}", "schema", STATE_RESTORE_SCHEMA, "relations", relations);
}

static void add_published(json_t *deployment, const char *at, const json_t *detail)
{
	json_t *tables = js_get_array(detail, "tables");

	/* Where dbt rebuilds production behind it, its end says how that went. */
	json_object_set_new(
		deployment, "outcome",
		json_string(js_get_bool(detail, "rebuilds", false) ? "unfinished" : "published"));
	json_object_set_new(deployment, "finished_at", json_string(at));
	json_object_set_new(deployment, "published",
			    json_integer((json_int_t)json_array_size(tables)));
	json_object_set(deployment, "tables", tables);
	json_object_set_new(deployment, "restore_point",
			    restore_point(js_get_string(deployment, "id"), tables,
					  js_get_array(detail, "containers")));
	json_object_update_missing(deployment, (json_t *)(uintptr_t)detail);
}

/* A restore point went: when, and who dropped it. */
static void add_expired(json_t *deployment, const char *at, const json_t *detail)
{
	json_t *restores = js_get_array(deployment, "restores");
	json_int_t number = js_get_integer(detail, "number", 0);

	for (size_t i = 0; i < json_array_size(restores); i++) {
		json_t *restore = json_array_get(restores, i);

		if (js_get_integer(restore, "number", -1) != number)
			continue;
		json_object_set_new(restore, "dropped_at", json_string(at));
		json_object_set(restore, "dropped_by", json_object_get(detail, "by"));
	}
}

/* Aborted means that production was not changed: before a rebuild only what there was is kept. */
static void forget_rebuild(json_t *deployment)
{
	if (!js_get_bool(deployment, "rebuilds", false))
		return;
	json_object_del(deployment, "rebuilds");
	json_object_del(deployment, "restore_point");
	json_object_set_new(deployment, "published", json_integer(0));
}

static void add_event(json_t *deployment, const char *event, const char *at, const json_t *detail)
{
	json_t *listed = json_pack("{s:s, s:s}", "at", at, "event", event);

	json_array_append_new(js_get_array(deployment, "events"), listed);
	if (strcmp(event, STATE_PUBLISHED) == 0) {
		add_published(deployment, at, detail);
	} else if (strcmp(event, "objects") == 0) {
		json_object_set(deployment, "objects", (json_t *)(uintptr_t)detail);
	} else if (strcmp(event, "expired") == 0) {
		add_expired(deployment, at, detail);
	} else if (strcmp(event, "altered") == 0) {
		if (!json_object_get(deployment, "altered"))
			json_object_set_new(deployment, "altered", json_array());
		json_array_append(json_object_get(deployment, "altered"),
				  (json_t *)(uintptr_t)detail);
	} else if (strcmp(event, "restores") == 0) {
		json_object_set(deployment, "restores", (json_t *)(uintptr_t)detail);
	} else if (strcmp(event, STATE_GRANTS) == 0 || strcmp(event, STATE_GRANTED) == 0) {
		json_object_set(deployment, event, (json_t *)(uintptr_t)detail);
	} else if (strcmp(event, STATE_INTENT) == 0) {
		json_t *copy CLEANUP(js_free) = json_copy((json_t *)(uintptr_t)detail);

		json_object_set(deployment, "intended", json_object_get(detail, "tables"));
		json_object_del(copy, "tables");
		json_object_update_missing(deployment, copy);
	} else if (strcmp(event, STATE_BEGUN) == 0) {
		json_object_update_missing(deployment, (json_t *)(uintptr_t)detail);
	} else if (strcmp(event, STATE_RESUMED) == 0) {
		json_object_set(deployment, "resumed_by", (json_t *)(uintptr_t)detail);
	} else {
		const char *outcome = js_get_string(detail, "outcome");

		json_object_set_new(deployment, "finished_at", json_string(at));
		json_object_set_new(deployment, "ended", json_true());
		if (!json_object_get(deployment, "published") ||
		    js_get_bool(deployment, "rebuilds", false))
			json_object_set_new(deployment, "outcome",
					    json_string(outcome ? outcome : "failed"));
		json_object_update_missing(deployment, (json_t *)(uintptr_t)detail);
		if (strcmp(event, STATE_ABORTED) == 0)
			forget_rebuild(deployment);
	}
}

/* Keys that scripts rely on are there even where nothing is known. */
static void complete(json_t *deployment)
{
	static const char *const nullable[] = { "strategy", "name", "started_at", "finished_at",
						"user",     "host", "commit",     "restore_point" };

	for (size_t i = 0; i < ARRAY_LEN(nullable); i++)
		if (!json_object_get(deployment, nullable[i]))
			json_object_set_new(deployment, nullable[i], json_null());
	if (!json_object_get(deployment, "published"))
		json_object_set_new(deployment, "published", json_integer(0));
}

bool history_rebuilds(const json_t *deployment)
{
	return js_get_bool(deployment, "rebuilds", false);
}

bool history_is_stopped(const json_t *deployment)
{
	return js_get_bool(deployment, "stopped", false);
}

bool history_changed_production(const json_t *deployment)
{
	return history_is_published(deployment) || history_rebuilds(deployment);
}

bool history_is_taken_back(const json_t *deployment)
{
	return json_object_get(deployment, "taken_back_by") != NULL;
}

bool history_lacks_restore_point(const json_t *table)
{
	const json_t *before = js_get_object(table, "before");

	return before && !js_text_is(before, "kind", "view") &&
	       js_get_integer(table, "restore", 0) <= 0;
}

const char *history_not_kept(const json_t *deployment)
{
	const json_t *tables = js_get_array(deployment, "tables");

	for (size_t i = 0; i < json_array_size(tables); i++)
		if (history_lacks_restore_point(json_array_get(tables, i)))
			return js_get_string(json_array_get(tables, i), "to");
	return NULL;
}

bool history_is_half_done(const json_t *deployment)
{
	return history_rebuilds(deployment) && history_has_ended(deployment) &&
	       !history_is_published(deployment) && !history_is_taken_back(deployment);
}

static bool shares(const json_t *tables, const json_t *others)
{
	for (size_t i = 0; i < json_array_size(tables); i++)
		for (size_t k = 0; k < json_array_size(others); k++)
			if (json_equal(json_object_get(json_array_get(tables, i), "to"),
				       json_object_get(json_array_get(others, k), "to")))
				return true;
	return false;
}

json_t *history_find_half_done(const json_t *deployments, const json_t *tables)
{
	for (size_t i = 0; i < json_array_size(deployments); i++) {
		json_t *one = json_array_get(deployments, i);

		if (!history_changed_production(one) || history_is_taken_back(one) ||
		    js_text_is(one, "strategy", "rollback") ||
		    (tables && !shares(tables, js_get_array(one, "tables"))))
			continue;
		return history_is_half_done(one) ? one : NULL;
	}
	return NULL;
}

/* By a rollback, in the order in which they happened: what a rollback of that one brings back is
 * not taken back any more. */
static void take_back(const json_t *deployments, const json_t *rollback)
{
	const char *id = js_get_string(rollback, "id");
	const char *of = js_get_string(rollback, "of");
	json_t *taken = of ? history_find(deployments, of) : NULL;

	if (!taken || !history_is_published(rollback))
		return;
	json_object_set_new(taken, "taken_back_by", json_string(id));
	if (js_get_bool(rollback, "aborts", false) && !history_is_published(taken))
		json_object_set_new(taken, "outcome", json_string("aborted"));
	const char *before = js_get_string(taken, "of");
	json_t *again = before ? history_find(deployments, before) : NULL;

	if (again && js_text_is(again, "taken_back_by", of))
		json_object_del(again, "taken_back_by");
}

json_t *history_of(const json_t *rows, struct err *err)
{
	json_t *deployments CLEANUP(js_free) = json_array();
	json_t *newest_first = json_array();

	for (size_t i = 0; i < json_array_size(rows); i++) {
		const json_t *row = json_array_get(rows, i);
		const char *id = js_get_string(row, "id");
		const char *event = js_get_string(row, "event");
		const char *at = js_get_string(row, "at");
		const char *text = js_get_string(row, "detail");
		json_t *detail CLEANUP(js_free) =
			text ? js_parse(text, strlen(text), "airlock_log", ERR_NO_ANSWER, err)
			     : NULL;

		if (!id || !event || !at || !detail) {
			json_decref(newest_first);
			if (!err_is_set(err))
				err_set(err, ERR_NO_ANSWER, "a row of the history is not whole");
			return NULL;
		}
		add_event(find_or_make(deployments, id), event, at, detail);
	}
	for (size_t i = 0; i < json_array_size(deployments); i++)
		take_back(deployments, json_array_get(deployments, i));
	for (size_t i = json_array_size(deployments); i-- > 0;) {
		complete(json_array_get(deployments, i));
		json_array_append(newest_first, json_array_get(deployments, i));
	}
	return newest_first;
}
