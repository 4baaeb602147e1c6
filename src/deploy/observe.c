#include "airlock/deploy/observe.h"

#include <stdlib.h>
#include <string.h>

#include "airlock/deploy/state.h"
#include "airlock/format/json.h"

enum { DDLS_AT_ONCE = 50 };

/* The first three queries; counts follow. */
enum { QUERY_SESSION, QUERY_SCHEMAS, QUERY_RELATIONS, QUERY_ROWS };

static size_t relations_of(const struct routes *routes, struct relation **ret_relations)
{
	struct relation *relations =
		mem_alloc((2 * routes->n + routes->orphan_count + 1) * sizeof(*relations));
	size_t n = 0;

	size_t last = 0;

	for (size_t i = 0; i < routes->n; i++) {
		const struct route *route = &routes->items[i];

		if (!route->in_scope && !((route->is_built || route->is_read) && route->has_to))
			continue;
		relations[n++] = route->from;
		relations[n++] = route->to;
		if (route->in_scope)
			last = n - 1;
	}
	for (size_t i = 0; routes->drops_orphans && i < routes->orphan_count; i++)
		relations[n++] = routes->orphans[i].to;
	/* The schema for restore points is looked up like those of production. */
	relations[n] = relations[last];
	relations[n].schema = STATE_RESTORE_SCHEMA;
	*ret_relations = relations;
	return n;
}

/* One relation of each schema: of a thousand models these are few, and their list is parsed too. */
static size_t schemas_of(const struct routes *routes, const struct relation *relations, size_t n,
			 struct relation **ret_schemas)
{
	struct relation *schemas = mem_alloc((n + 1) * sizeof(*schemas));
	size_t found = 0;

	for (size_t i = 0; i < n; i++) {
		size_t k = 0;

		while (k < found &&
		       !relation_same_schema(routes->dialect, &schemas[k], &relations[i]))
			k++;
		if (k == found)
			schemas[found++] = relations[i];
	}
	*ret_schemas = schemas;
	return found;
}

static int push_containers(const struct routes *routes, struct strv *queries, struct err *err)
{
	size_t n = routes->container_count;
	struct relation *names = mem_alloc((2 * n + 1) * sizeof(*names));

	for (size_t i = 0; i < n; i++) {
		names[2 * i] = routes->containers[i].from;
		names[2 * i].identifier = "from";
		names[2 * i + 1] = routes->containers[i].to;
		names[2 * i + 1].identifier = "to";
	}
	const struct sql_arg of_both = SQL_ARG_NAMES("names", names, 2 * n);
	int result = n == 0 ? 0
			    : dialect_push(queries, routes->dialect, DIALECT_OBSERVE_CONTAINERS,
					   &of_both, 1, err);

	free(names);
	return result;
}

static int push_future_of(const struct routes *routes, const struct relation *of, const char *side,
			  struct strv *queries, struct err *err)
{
	const struct sql_arg args[] = {
		SQL_ARG_LITERAL("of", side),
		SQL_ARG_LITERAL("database", of->database),
		SQL_ARG_LITERAL("identifier", of->schema),
		SQL_ARG_STATEMENT("kind", *of->schema ? "schema" : "database"),
		SQL_ARG_SCHEMA("schema", of),
	};

	return dialect_push(queries, routes->dialect, DIALECT_OBSERVE_FUTURE, args, ARRAY_LEN(args),
			    err);
}

static int push_tags_of(const struct routes *routes, const struct relation *of, const char *side,
			struct strv *queries, struct err *err)
{
	const struct sql_arg it = SQL_ARG_SCHEMA("it", of);
	struct buf name CLEANUP(buf_release) = BUF_INIT;

	if (!routes->carries_tags || !routes->dialect->templates[DIALECT_OBSERVE_TAGS])
		return 0;
	if (sql_render(&name, routes->dialect, "{it}", &it, 1, err) < 0)
		return -1;
	const struct sql_arg args[] = {
		SQL_ARG_LITERAL("of", side),
		SQL_ARG_IDENT("catalog", of->database),
		SQL_ARG_LITERAL("database", of->database),
		SQL_ARG_LITERAL("identifier", of->schema),
		SQL_ARG_LITERAL("type", *of->schema ? "schema" : "database"),
		SQL_ARG_LITERAL("it", buf_cstr(&name)),
	};

	return dialect_push(queries, routes->dialect, DIALECT_OBSERVE_TAGS, args, ARRAY_LEN(args),
			    err);
}

/* What an exchange leaves to each side. */
static int push_own(const struct routes *routes, const struct relation *of, const char *side,
		    struct strv *queries, struct err *err)
{
	return push_future_of(routes, of, side, queries, err) < 0
		       ? -1
		       : push_tags_of(routes, of, side, queries, err);
}

static int push_own_once(const struct routes *routes, const struct relation *from,
			 struct strv *done, struct strv *queries, struct err *err)
{
	if (strv_contains(done, from->schema))
		return 0;
	strv_push(done, from->schema);
	return push_own(routes, from, "from", queries, err);
}

/* Of a database those of its schemas too, on both sides: all but those that staging lacks. What it
 * began with as a clone may hold more than what is built. */
static int push_future_inside(const struct routes *routes, const struct route_container *c,
			      const struct container *from_seen, const struct container *to_seen,
			      struct strv *queries, struct err *err)
{
	struct strv done CLEANUP(strv_release) = STRV_INIT;

	for (size_t i = 0; i < to_seen->schema_count; i++) {
		const struct relation to = { c->to.database, to_seen->schemas[i].name, NULL };

		if (push_own(routes, &to, "to", queries, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < routes->n; i++) {
		const struct relation from = { c->from.database, routes->items[i].from.schema,
					       NULL };

		if (routes->items[i].in_scope &&
		    strcmp(from.database, routes->items[i].from.database) == 0 &&
		    push_own_once(routes, &from, &done, queries, err) < 0)
			return -1;
	}
	for (size_t i = 0; from_seen && i < from_seen->schema_count; i++) {
		const struct relation from = { c->from.database, from_seen->schemas[i].name, NULL };

		if (push_own_once(routes, &from, &done, queries, err) < 0)
			return -1;
	}
	return 0;
}

/* Both schemas are in it, so only what it says of production's is asked, and once. */
static int push_future_around(const struct routes *routes, const struct route_container *c,
			      struct strv *done, struct strv *queries, struct err *err)
{
	const struct relation database = { c->to.database, "", NULL };

	if (strv_contains(done, database.database))
		return 0;
	strv_push(done, database.database);
	return push_future_of(routes, &database, "to", queries, err);
}

/* Both sides have to be there: after the build, and before they change places. */
static int push_future(const struct routes *routes, const struct observed *before,
		       struct strv *queries, struct err *err)
{
	struct strv done CLEANUP(strv_release) = STRV_INIT;

	if (!before || routes->is_rollback || !routes->dialect->templates[DIALECT_OBSERVE_FUTURE])
		return 0;
	for (size_t i = 0; i < routes->container_count; i++) {
		const struct route_container *c = &routes->containers[i];
		const struct container *from =
			observed_container(before, routes->dialect, &c->from);
		const struct container *to = observed_container(before, routes->dialect, &c->to);

		if (!to || (from && from->is_swapped))
			continue;
		if (push_own(routes, &c->from, "from", queries, err) < 0 ||
		    push_own(routes, &c->to, "to", queries, err) < 0 ||
		    (*c->to.schema ? push_future_around(routes, c, &done, queries, err)
				   : push_future_inside(routes, c, from, to, queries, err)) < 0)
			return -1;
	}
	return 0;
}

static int push_dynamic(const struct routes *routes, struct strv *queries, struct err *err)
{
	bool asks = routes->clones_containers && routes->dialect->clones_containers;

	for (size_t i = 0; asks && i < routes->container_count; i++) {
		const struct relation *to = &routes->containers[i].to;
		const struct sql_arg args[] = {
			SQL_ARG_LITERAL("database", to->database),
			SQL_ARG_LITERAL("identifier", to->schema),
			SQL_ARG_STATEMENT("kind", *to->schema ? "schema" : "database"),
			SQL_ARG_SCHEMA("schema", to),
		};

		if (dialect_push(queries, routes->dialect, DIALECT_OBSERVE_DYNAMIC, args,
				 ARRAY_LEN(args), err) < 0)
			return -1;
	}
	return 0;
}

int observe_push_rows(const struct routes *routes, const struct relation *relation, bool content,
		      struct strv *queries, struct err *err)
{
	const struct sql_arg args[] = {
		SQL_ARG_NAMES("names", relation, 1),
		SQL_ARG_RELATION("relation", relation),
	};

	return dialect_push(queries, routes->dialect,
			    content ? DIALECT_OBSERVE_CONTENT : DIALECT_OBSERVE_ROWS, args,
			    ARRAY_LEN(args), err);
}

/* Of a table that is there. */
static int push_rows_of(const struct routes *routes, const struct relation *relation,
			const struct observed *before, bool content, struct strv *queries,
			struct err *err)
{
	const struct table *table = observed_table(before, routes->dialect, relation);

	if (!table || table->is_gone || strcmp(table->kind, "table") != 0)
		return 0;
	return observe_push_rows(routes, relation, content, queries, err);
}

static int push_orphans(const struct routes *routes, const struct observed *before, bool content,
			struct strv *queries, struct err *err)
{
	for (size_t i = 0; routes->drops_orphans && i < routes->orphan_count; i++)
		if (push_rows_of(routes, &routes->orphans[i].to, before, content, queries, err) < 0)
			return -1;
	return 0;
}

/* Of what is there; what is gone has those that were recorded. */
static int push_privileges_of(const struct routes *routes, const struct relation *relation,
			      const struct observed *before, struct strv *queries, struct err *err)
{
	const struct table *table = observed_table(before, routes->dialect, relation);
	char *region CLEANUP(mem_free_string) = DIALECT_REGION_OF(relation);
	const struct sql_arg args[] = {
		SQL_ARG_LITERAL("database", relation->database),
		SQL_ARG_LITERAL("in_schema", relation->schema),
		SQL_ARG_LITERAL("identifier", relation->identifier),
		SQL_ARG_IDENT("project", relation->database),
		SQL_ARG_IDENT("region", region),
	};

	if (!table || table->is_gone || !routes->dialect->templates[DIALECT_OBSERVE_PRIVILEGES])
		return 0;
	return dialect_push(queries, routes->dialect, DIALECT_OBSERVE_PRIVILEGES, args,
			    ARRAY_LEN(args), err);
}

/* A view has no rows of its own. What is about to be built is what the project says; what was put
 * aside is what it was. */
static bool counts_from(const struct routes *routes, const struct route *route,
			const struct observed *before)
{
	const struct table *from = observed_table(before, routes->dialect, &route->from);

	if (from && from->is_gone)
		return false;
	if (!routes->is_rollback)
		return manifest_is_table(route->node);
	return from && strcmp(from->kind, "table") == 0;
}

/* A view has none; of a rollback that removes one, both relations are the one that is there, or
 * was. */
static bool has_rows(const struct routes *routes, const struct route *route,
		     const struct observed *before)
{
	const struct table *to = observed_table(before, routes->dialect, &route->to);

	if (route->lacks_from)
		return false;
	if (routes->container_count > 0)
		return counts_from(routes, route, before);
	return !route->is_view && !(to && (to->is_gone || table_is_view(to)) &&
				    relation_equal(routes->dialect, &route->from, &route->to));
}

/* A snapshot of another history has as many rows and is yet another one. */
static int push_history(const struct routes *routes, const struct route *route,
			const struct observed *before, struct strv *queries, struct err *err)
{
	const struct table *to = observed_table(before, routes->dialect, &route->to);
	const struct table_column *key;

	if (routes->is_rollback || !route->node->snapshot_key || !to || to->is_gone ||
	    strcmp(to->kind, "table") != 0)
		return 0;
	key = table_column(routes->dialect, to, route->node->snapshot_key);
	if (!key)
		return 0;
	const struct sql_arg args[] = {
		SQL_ARG_RELATION("from", &route->from),
		SQL_ARG_RELATION("to", &route->to),
		SQL_ARG_IDENT("key", key->name),
		SQL_ARG_LITERAL("database", to->relation.database),
		SQL_ARG_LITERAL("in_schema", to->relation.schema),
		SQL_ARG_LITERAL("identifier", to->relation.identifier),
	};

	return dialect_push(queries, routes->dialect, DIALECT_OBSERVE_HISTORY, args,
			    ARRAY_LEN(args), err);
}

/* Its name is the argument of a function: a literal of what a statement would say. */
static int add_ddl_of(const struct routes *routes, const struct relation *relation, bool is_view,
		      struct strv *selects, struct err *err)
{
	const struct sql_arg it = SQL_ARG_RELATION("it", relation);
	struct buf name CLEANUP(buf_release) = BUF_INIT;

	if (sql_render(&name, routes->dialect, "{it}", &it, 1, err) < 0)
		return -1;
	const struct sql_arg args[] = {
		SQL_ARG_LITERAL("database", relation->database),
		SQL_ARG_LITERAL("in_schema", relation->schema),
		SQL_ARG_LITERAL("identifier", relation->identifier),
		SQL_ARG_LITERAL("type", is_view ? "view" : "table"),
		SQL_ARG_LITERAL("it", buf_cstr(&name)),
	};

	return dialect_push(selects, routes->dialect, DIALECT_OBSERVE_DDL, args, ARRAY_LEN(args),
			    err);
}

/* A view that was built, and that production gets anew. */
static bool is_built_view(const struct routes *routes, const struct route *route,
			  const struct observed *before)
{
	const struct table *from = observed_table(before, routes->dialect, &route->from);

	return route->is_view && !routes->is_rollback && !route->lacks_from &&
	       !(from && from->is_gone);
}

/* What staging will hold is not in a picture that was taken before. */
static int add_ddls_of(const struct routes *routes, const struct route *route,
		       const struct observed *before, bool staging, struct strv *selects,
		       struct err *err)
{
	const struct table *to = observed_table(before, routes->dialect, &route->to);

	if (to && !to->is_gone &&
	    add_ddl_of(routes, &route->to, table_is_view(to), selects, err) < 0)
		return -1;
	if (!staging)
		return 0;
	if (is_built_view(routes, route, before))
		return add_ddl_of(routes, &route->from, true, selects, err);
	return has_rows(routes, route, before)
		       ? add_ddl_of(routes, &route->from, false, selects, err)
		       : 0;
}

/* Of production's relations, and of those of staging; some in one statement. */
static int push_ddls(const struct routes *routes, const struct observed *before, bool staging,
		     struct strv *queries, struct err *err)
{
	struct strv selects CLEANUP(strv_release) = STRV_INIT;
	struct buf text CLEANUP(buf_release) = BUF_INIT;

	for (size_t i = 0; routes->dialect->templates[DIALECT_OBSERVE_DDL] && i < routes->n; i++)
		if (routes->items[i].in_scope &&
		    add_ddls_of(routes, &routes->items[i], before, staging, &selects, err) < 0)
			return -1;
	for (size_t i = 0; i < selects.n; i++) {
		buf_printf(&text, "%s%s", text.len ? "\nunion all " : "", selects.v[i]);
		if ((i + 1) % DDLS_AT_ONCE != 0 && i + 1 < selects.n)
			continue;
		strv_push(queries, buf_cstr(&text));
		buf_clear(&text);
	}
	return 0;
}

int observe_push_tables(const struct routes *routes, const struct observed *before, bool staging,
			bool content, struct strv *queries, struct err *err)
{
	for (size_t i = 0; i < routes->n; i++) {
		const struct route *route = &routes->items[i];

		if (route->in_scope &&
		    ((staging &&
		      push_rows_of(routes, &route->from, before, content, queries, err) < 0) ||
		     push_rows_of(routes, &route->to, before, content, queries, err) < 0 ||
		     push_privileges_of(routes, &route->to, before, queries, err) < 0))
			return -1;
	}
	return push_ddls(routes, before, false, queries, err) < 0
		       ? -1
		       : push_orphans(routes, before, content, queries, err);
}

static int push_counts(const struct routes *routes, const struct observed *before, bool content,
		       struct strv *queries, struct err *err)
{
	for (size_t i = 0; i < routes->n; i++) {
		const struct route *route = &routes->items[i];

		if (route->in_scope &&
		    ((has_rows(routes, route, before) &&
		      (observe_push_rows(routes, &route->from, content, queries, err) < 0 ||
		       push_history(routes, route, before, queries, err) < 0)) ||
		     push_rows_of(routes, &route->to, before, content, queries, err) < 0 ||
		     push_privileges_of(routes, &route->to, before, queries, err) < 0))
			return -1;
	}
	return push_ddls(routes, before, true, queries, err) < 0
		       ? -1
		       : push_orphans(routes, before, content, queries, err);
}

int observe_push_queries(const struct routes *routes, const struct observed *before,
			 enum observe_rows rows, struct strv *queries, struct err *err)
{
	struct relation *relations;
	struct relation *schemas;
	size_t n = relations_of(routes, &relations);
	size_t schema_count = schemas_of(routes, relations, n + 1, &schemas);
	const struct sql_arg of_scope = SQL_ARG_NAMES("names", relations, n);
	const struct sql_arg with_restore = SQL_ARG_NAMES("names", schemas, schema_count);
	int result = 0;

	if (dialect_push(queries, routes->dialect, DIALECT_OBSERVE_SESSION, NULL, 0, err) < 0 ||
	    dialect_push(queries, routes->dialect, DIALECT_OBSERVE_SCHEMAS, &with_restore, 1, err) <
		    0 ||
	    dialect_push(queries, routes->dialect, DIALECT_OBSERVE_RELATIONS, &of_scope, 1, err) <
		    0)
		result = -1;
	free(relations);
	free(schemas);
	if (result == 0)
		result = push_containers(routes, queries, err);
	if (result == 0)
		result = push_dynamic(routes, queries, err);
	if (result == 0 && rows != OBSERVE_NO_ROWS)
		result = push_future(routes, before, queries, err);
	if (result == 0 && rows != OBSERVE_NO_ROWS)
		result = push_counts(routes, before, rows == OBSERVE_CONTENT, queries, err);
	return result;
}

static void extend(json_t *container, const char *key, json_t *more)
{
	if (!json_object_get(container, key))
		json_object_set_new(container, key, json_array());
	json_array_extend(json_object_get(container, key), more);
}

/* Its container came before it. The future grants of a database are also of each schema exchanged
 * in it; its tags are its own. */
static void collect_own(const json_t *row, const char *side, const char *key, json_t *containers)
{
	bool of_database = js_text_is(row, "schema", "") && strcmp(key, "grants") == 0;

	for (size_t i = 0; i < json_array_size(containers); i++) {
		json_t *container = json_array_get(containers, i);
		const char *schema = js_get_string(container, "schema");

		if (!js_text_is(container, "side", side) ||
		    !js_text_is(row, "database", js_get_string(container, "database")) ||
		    (schema && *schema && !of_database && !js_text_is(row, "schema", schema)))
			continue;
		extend(container, key, json_object_get(row, key));
	}
}

static json_t *find_object(const json_t *container, const json_t *like)
{
	const json_t *objects = js_get_array(container, "objects");

	for (size_t i = 0; i < json_array_size(objects); i++) {
		json_t *object = json_array_get(objects, i);

		if (js_text_is(object, "schema", js_get_string(like, "schema")) &&
		    js_text_is(object, "identifier", js_get_string(like, "name")) &&
		    js_text_is(object, "kind", "dynamic table"))
			return object;
	}
	return NULL;
}

/* Of production's container, which came before it. */
static void collect_dynamic(const json_t *row, const json_t *containers)
{
	const json_t *dynamic = js_get_array(row, "dynamic");

	for (size_t i = 0; i < json_array_size(containers); i++) {
		const json_t *container = json_array_get(containers, i);

		if (!js_text_is(container, "side", "to") ||
		    !js_text_is(container, "database", js_get_string(row, "refreshes")) ||
		    !js_text_is(container, "schema", js_get_string(row, "schema")))
			continue;
		for (size_t k = 0; k < json_array_size(dynamic); k++) {
			json_t *object = find_object(container, json_array_get(dynamic, k));

			if (object)
				json_object_set_new(object, "runs_nth",
						    json_integer((json_int_t)k + 1));
		}
	}
}

/* All kinds of rows come behind the first answers; only a container has two sides. */
static void collect_row(json_t *row, json_t *rows, json_t *containers)
{
	if (json_object_get(row, "future_of")) {
		collect_own(row, js_get_string(row, "future_of"), "grants", containers);
		return;
	}
	if (json_object_get(row, "tags_of")) {
		collect_own(row, js_get_string(row, "tags_of"), "tags", containers);
		return;
	}
	if (json_object_get(row, "refreshes")) {
		collect_dynamic(row, containers);
		return;
	}
	json_array_append(json_object_get(row, "side") ? containers : rows, row);
}

json_t *observe_collect(json_t *const *answers, size_t n, bool counted, struct err *err)
{
	json_t *rows CLEANUP(js_free) = json_array();
	json_t *containers CLEANUP(js_free) = json_array();

	for (size_t i = 0; i < n; i++) {
		if (!answers[i]) {
			err_set(err, ERR_NO_ANSWER, "the catalog did not answer");
			return NULL;
		}
		for (size_t k = 0; i >= QUERY_ROWS && k < json_array_size(answers[i]); k++)
			collect_row(json_array_get(answers[i], k), rows, containers);
	}
	if (n < QUERY_ROWS || json_array_size(answers[QUERY_SESSION]) != 1) {
		err_set(err, ERR_NO_ANSWER, "the catalog did not say where it is connected to");
		return NULL;
	}
	return json_pack("{s:O, s:O, s:O, s:O, s:O, s:b}", "session",
			 json_array_get(answers[QUERY_SESSION], 0), "schemas",
			 answers[QUERY_SCHEMAS], "relations", answers[QUERY_RELATIONS], "rows",
			 rows, "containers", containers, "built", (int)counted);
}
