/* What was tested and what it replaces, as the history keeps it, and compared with what is there.
 */
#include <stdlib.h>
#include <string.h>

#include "airlock/base/md5.h"
#include "airlock/deploy/record.h"
#include "airlock/deploy/scope_build.h"
#include "airlock/format/json.h"
#include "deploy_parts.h"

static json_t *identity(const struct table *table)
{
	if (!table)
		return json_null();
	return json_pack("{s:s?, s:I, s:s?, s:s?}", "object", table->object, "rows",
			 (json_int_t)table->rows, "content", table->content, "version",
			 table->version);
}

json_t *deploy_tested_table(const struct deploy *deploy, const struct route *route,
			    const struct observed *picture)
{
	const struct dialect *dialect = deploy->routes.dialect;
	char *from CLEANUP(mem_free_string) = relation_display(&route->from);
	char *to CLEANUP(mem_free_string) = relation_display(&route->to);
	const char *sql = js_get_string(deploy->compiled, route->node->unique_id);
	char hash[MD5_HEX_SIZE] = "";

	/* Of a view it is the text that was tested. */
	if (sql)
		md5_hex(sql, strlen(sql), hash);
	return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o}", "unique_id", route->node->unique_id,
			 "from", from, "to", to, "text", hash, "tested",
			 identity(observed_table(picture, dialect, &route->from)), "replaces",
			 identity(observed_table(picture, dialect, &route->to)));
}

static json_t *tested_tables(const struct deploy *deploy, const struct observed *picture)
{
	const struct plan *plan = &deploy->final_plan;
	json_t *tables = json_array();

	for (size_t i = 0; i < plan->table_count; i++)
		json_array_append_new(tables,
				      deploy_tested_table(deploy, plan->tables[i].route, picture));
	return tables;
}

/* What was tested, and what is to be replaced by it: with this another process can publish it. */
json_t *deploy_intent(const struct deploy *deploy)
{
	const struct plan *plan = &deploy->final_plan;
	json_t *tables = tested_tables(deploy, &deploy->built);
	json_t *detail = deploy_who(deploy);

	record_end(detail, deploy_outcome_name(DEPLOY_PUBLISHED), deploy->result.audit, NULL);
	json_object_del(detail, "outcome");
	json_object_del(detail, "exit");
	for (size_t i = 0; i < plan->table_count; i++)
		deploy_note_before(deploy, i, json_array_get(tables, i));
	json_object_set_new(detail, "tables", tables);
	deploy_note_set(deploy, detail);
	return detail;
}

static bool differ(const json_t *recorded, const json_t *found)
{
	static const char *const keys[] = { "object", "rows", "content", "version" };

	if (!json_is_object(recorded) || !json_is_object(found))
		return json_is_object(recorded) != json_is_object(found);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (!json_equal(json_object_get(recorded, keys[i]),
				json_object_get(found, keys[i])))
			return true;
	return false;
}

const json_t *deploy_find_table(const json_t *tables, const char *unique_id)
{
	for (size_t i = 0; i < json_array_size(tables); i++) {
		const json_t *table = json_array_get(tables, i);

		if (js_text_is(table, "unique_id", unique_id))
			return table;
	}
	return NULL;
}

/* All but what production had. */
static int compare_tested(const json_t *recorded, const json_t *now, struct err *err)
{
	const char *name = js_get_string(now, "unique_id");
	static const char *const sides[] = { "from", "to" };

	if (!recorded)
		return err_set(err, ERR_CONFLICT, "'%s' is not among the tables that were tested",
			       name);
	for (size_t i = 0; i < ARRAY_LEN(sides); i++)
		if (!json_equal(json_object_get(recorded, sides[i]),
				json_object_get(now, sides[i])))
			return err_set(err, ERR_CONFLICT,
				       "'%s' was tested as '%s' for '%s', and this project has "
				       "'%s' for '%s'",
				       name, js_get_string(recorded, "from"),
				       js_get_string(recorded, "to"), js_get_string(now, "from"),
				       js_get_string(now, "to"));
	if (!json_equal(json_object_get(recorded, "text"), json_object_get(now, "text")))
		return err_set(err, ERR_CONFLICT, "'%s': its SQL is not the one that was tested",
			       name);
	if (differ(json_object_get(recorded, "tested"), json_object_get(now, "tested")))
		return err_set(err, ERR_CONFLICT, "'%s': staging changed after the tests",
			       js_get_string(now, "from"));
	return 0;
}

int deploy_compare_tested(const json_t *recorded, const json_t *now, struct err *err)
{
	if (compare_tested(recorded, now, err) < 0)
		return -1;
	if (differ(json_object_get(recorded, "replaces"), json_object_get(now, "replaces")))
		return err_set(err, ERR_CONFLICT,
			       "'%s' (production) was changed by somebody else since the tests",
			       js_get_string(now, "to"));
	return 0;
}

static bool has_rows_of(const json_t *table, const json_t *other)
{
	return json_equal(json_object_get(table, "rows"), json_object_get(other, "rows")) &&
	       json_equal(json_object_get(table, "content"), json_object_get(other, "content"));
}

/* Of a rebuild that had begun some of production is what dbt made of it by then: the rows that were
 * tested. What is neither that nor what was there has rows that nobody has kept, and that dbt would
 * make anew; to an incremental model it adds. */
static int compare_rebuilt(const struct deploy *deploy, const struct manifest_node *node,
			   const json_t *recorded, const json_t *now, struct err *err)
{
	const json_t *production = json_object_get(now, "replaces");
	bool full_refresh = strv_contains(&deploy->sides.build, "--full-refresh");
	bool is_added_to = strcmp(node->materialized, "incremental") == 0 &&
			   !scope_build_recreates(node, full_refresh);

	if (compare_tested(recorded, now, err) < 0)
		return -1;
	if (!json_is_object(production) || is_added_to ||
	    !differ(json_object_get(recorded, "replaces"), production) ||
	    has_rows_of(production, json_object_get(recorded, "tested")))
		return 0;
	err_set(err, ERR_CONFLICT,
		"'%s' (production) was changed by somebody else since the tests: its rows are "
		"neither those that were there nor those that were tested",
		js_get_string(now, "to"));
	if (!config_bool(deploy->request.config, OPTION_RESTORE_POINT))
		return err_hint(err, "look at who else writes there; deploying again makes all of "
				     "it anew");
	return err_hint(
		err,
		"look at who else writes there; 'airlock abort %s' puts back what was there "
		"before the rebuild, deploying again makes all of it anew",
		deploy->id);
}

/* A node that has another relation now, and the orphan that is its former one, are two. */
static const json_t *find_same(const json_t *tables, const json_t *wanted)
{
	for (size_t i = 0; i < json_array_size(tables); i++) {
		const json_t *table = json_array_get(tables, i);

		if (js_text_is(table, "unique_id", js_get_string(wanted, "unique_id")) &&
		    js_text_is(table, "to", js_get_string(wanted, "to")))
			return table;
	}
	return deploy_find_table(tables, js_get_string(wanted, "unique_id"));
}

static int check_tested(const struct deploy *deploy, const json_t *recorded,
			const struct observed *picture, struct err *err)
{
	json_t *tables CLEANUP(js_free) = tested_tables(deploy, picture);
	bool rebuilds = js_get_bool(deploy->resumed, "rebuilds", false);

	for (size_t i = 0; i < json_array_size(tables); i++) {
		const json_t *table = json_array_get(tables, i);
		const json_t *then = find_same(recorded, table);

		if ((rebuilds ? compare_rebuilt(deploy, deploy->final_plan.tables[i].route->node,
						then, table, err)
			      : deploy_compare_tested(then, table, err)) < 0)
			return -1;
	}
	if (json_array_size(tables) != json_array_size(recorded))
		return err_set(err, ERR_CONFLICT,
			       "%zu tables were tested, and this project publishes %zu",
			       json_array_size(recorded), json_array_size(tables));
	return 0;
}

int deploy_check_tested(const struct deploy *deploy, struct err *err)
{
	return check_tested(deploy, js_get_array(deploy->resumed, "intended"), &deploy->built, err);
}

int deploy_check_rebuilt(const struct deploy *deploy, const struct observed *now, struct err *err)
{
	if (js_get_bool(deploy->resumed, "rebuilds", false))
		return check_tested(deploy, js_get_array(deploy->resumed, "intended"), now, err);
	json_t *kept CLEANUP(js_free) = tested_tables(deploy, &deploy->built);

	return check_tested(deploy, kept, now, err);
}
