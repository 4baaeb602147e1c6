/* What a publication exchanges whole, and what in it or around it stands in the way. */
#include <stdlib.h>
#include <string.h>

#include "airlock/deploy/publication.h"
#include "airlock/deploy/route_check.h"
#include "airlock/deploy/scope_build.h"
#include "airlock/format/json.h"
#include "airlock/warehouse/marker.h"
#include "publication_foreign.h"

static int refuse_name(const char *name, struct err *err)
{
	err_set(err, ERR_NAME_UNUSABLE,
		"'%s' is too long: what it is called as a restore point, '%s" STATE_DEMOTED
		"<id>', "
		"does not fit",
		name, name);
	return err_hint(err, "use wac or production-rollback, which give nothing another name");
}

static int add_container(struct publication *w, const struct route_container *route,
			 struct err *err)
{
	struct arena *arena = &w->plan->arena;
	bool is_database = w->in->dialect->swaps_databases && !*route->to.schema;
	const char *name = *route->to.schema ? route->to.schema : route->to.database;
	char *prefix CLEANUP(mem_free_string) = mem_printf("%s" STATE_DEMOTED, name);
	char *restore CLEANUP(mem_free_string) = sql_bind_mark(prefix, "id", "");

	if (strlen(prefix) + STATE_ID_SIZE > w->in->dialect->identifier_max)
		return refuse_name(name, err);
	w->set.containers[w->set.container_count++] = (struct publish_container) {
		.from = route->from,
		.to = route->to,
		.restore = is_database
				   ? (struct relation) { arena_strdup(arena, restore), "", NULL }
				   : (struct relation) { route->to.database,
							 arena_strdup(arena, restore), NULL },
		.from_seen = observed_container(w->in->observed, w->in->dialect, &route->from),
		.to_seen = observed_container(w->in->observed, w->in->dialect, &route->to),
	};
	struct publish_container *c = &w->set.containers[w->set.container_count - 1];

	c->is_cloned = w->in->routes->clones_containers && c->to_seen;
	if (c->is_cloned)
		foreign_choose(w, c);
	return 0;
}

/* Before the build it is what an earlier clone brought, and is replaced with it. */
static bool is_of_clone(const struct publication *w, const struct publish_container *c,
			const struct container_object *object)
{
	return c->is_cloned && container_has(c->to_seen, object) &&
	       (w->in->observed->built || marker_is_ours(c->from_seen->comment));
}

/* Nothing but what was built and tested may become production. */
static int check_extra(struct publication *w, const struct publish_container *c, struct err *err)
{
	struct buf list CLEANUP(buf_release) = BUF_INIT;
	const struct container *seen = c->from_seen;

	for (size_t i = 0; seen && i < seen->object_count; i++)
		if (!foreign_is_made(w, &c->from, false, &seen->objects[i]) &&
		    !is_of_clone(w, c, &seen->objects[i]) &&
		    strcmp(seen->objects[i].kind, "index") != 0 &&
		    strcmp(seen->objects[i].kind, "schema") != 0 &&
		    strcmp(seen->objects[i].kind, "function") != 0)
			foreign_add(&list, seen->objects[i].kind, seen->objects[i].name);
	return foreign_refuse_list(seen, &list, "it holds what no node of this deployment builds",
				   "it is staging: drop it there, then deploy again", err);
}

/* A hook may make it in staging again, and a copy of production brings some of it. */
static bool may_come(const struct publication *w, const struct publish_container *c,
		     const struct container_given *given)
{
	const struct routes *routes = w->in->routes;
	const struct relation relation = { c->to.database, c->to.schema, given->relation };
	bool full_refresh = strv_contains(w->in->build_options, "--full-refresh");

	if (w->in->observed->built || w->in->rolled_back)
		return false;
	for (size_t i = 0; i < routes->n; i++) {
		const struct route *route = &routes->items[i];

		if (route->in_scope && relation_equal(w->in->dialect, &route->to, &relation))
			return routes->has_hooks || route->node->hook_count > 0 ||
			       (config_clones(w->in->config) &&
				!scope_build_recreates(route->node, full_refresh));
	}
	return false;
}

static int check_given(const struct publication *w, const struct publish_container *c,
		       struct err *err)
{
	struct buf lost CLEANUP(buf_release) = BUF_INIT;

	for (size_t i = 0; i < c->to_seen->given_count; i++) {
		const struct container_given *given = &c->to_seen->given[i];

		if (container_has_given(c->from_seen, given) || may_come(w, c, given))
			continue;
		char *what CLEANUP(mem_free_string) =
			mem_printf("%s of %s", given->what, given->relation);

		foreign_add(&lost, "", what);
	}
	return foreign_refuse_list(
		c->to_seen, &lost,
		*c->to.schema ? "the new schema would not have" : "the new database would not have",
		"remove it, or use wac or production-rollback, which keep the tables", err);
}

static int check_around(const struct publication *w, const struct container *seen, struct err *err)
{
	struct buf bound CLEANUP(buf_release) = BUF_INIT;

	for (size_t i = 0; i < seen->dependent_count; i++)
		if (!seen->dependents[i].makes &&
		    !publish_makes_again(w->in->dialect, &w->set, &seen->dependents[i]))
			foreign_add(&bound, "", seen->dependents[i].what);
	return foreign_refuse_list(
		seen, &bound,
		"it stays bound to the old tables and cannot be made again over the new ones",
		"drop it and create it again after the deployment, or use wac or "
		"production-rollback, which keep the tables",
		err);
}

static int check_owned(const struct publication *w, const struct container *seen, struct err *err)
{
	char *what CLEANUP(mem_free_string) = NULL;

	if (!seen || seen->owned)
		return 0;
	what = mem_printf("this session may not rename it: it belongs to '%s'", seen->owner);
	if (w->in->runs)
		return foreign_refuse(
			seen, what,
			*seen->schema.schema
				? "let the user of this target own it, and give the user "
				  "CREATE on the database"
				: "let the role of this target own it ('grant ownership on "
				  "database .. to role .. copy current grants'), and give the "
				  "role CREATE DATABASE on the account",
			err);
	strv_pushf(&w->plan->warnings, "'%s' cannot be exchanged by this session: %s",
		   foreign_shown(seen), what);
	return 0;
}

static int check_container(struct publication *w, const struct publish_container *c,
			   struct err *err)
{
	if (check_owned(w, c->to_seen, err) < 0 || check_owned(w, c->from_seen, err) < 0 ||
	    (c->to_seen && (check_given(w, c, err) < 0 || check_around(w, c->to_seen, err) < 0)) ||
	    foreign_check(w, c, err) < 0)
		return -1;
	/* A rollback brings back whatever the old side held. */
	return w->in->rolled_back ? 0 : check_extra(w, c, err);
}

/* Restore points are looked for in one database, that of the records. */
static int refuse_other_home(const struct publication *w, const struct publish_container *c,
			     struct err *err)
{
	for (size_t i = 0; i < w->set.container_count; i++) {
		const struct relation *other = &w->set.containers[i].to;

		if (strcmp(other->database, c->to.database) == 0)
			continue;
		err_set(err, ERR_UNSUPPORTED,
			"'%s' and '%s' are in the databases '%s' and '%s', and schemas change "
			"places in one database",
			c->to.schema, *other->schema ? other->schema : other->database,
			c->to.database, other->database);
		return err_hint(err, "use wac or production-rollback, which publish table by table "
				     "in any number of databases");
	}
	err_set(err, ERR_UNSUPPORTED,
		"'%s' is in '%s', and the records of its restore points would be in '%s'",
		c->to.schema, c->to.database, w->in->database);
	return err_hint(err, config_text(w->in->config, OPTION_STATE_DATABASE)
				     ? "leave out state_database, or use wac or production-rollback"
				     : "use wac or production-rollback");
}

/* Locks, history and restore points must neither change places with a database nor lose sight of
 * the schemas that are put aside. */
static int check_home(const struct publication *w, const struct publish_container *c,
		      struct err *err)
{
	const char *home = w->in->database;
	bool is_home = strcmp(home, c->to.database) == 0 || strcmp(home, c->from.database) == 0;

	if (!w->in->dialect->swaps_databases || is_home == (*c->to.schema != '\0'))
		return 0;
	if (*c->to.schema)
		return refuse_other_home(w, c, err);
	err_set(err, ERR_UNSUPPORTED,
		"'%s' changes places with '%s', and locks and history would go with it",
		c->to.database, c->from.database);
	return err_hint(err,
			"create a database for them once, 'create database %s_AIRLOCK', and say "
			"'state_database: %s_AIRLOCK' under 'vars: airlock:', so that every "
			"deployment of this project keeps them there",
			c->to.database, c->to.database);
}

int publication_choose_containers(struct publication *w, struct err *err)
{
	const struct routes *routes = w->in->routes;

	w->set.containers = arena_alloc(&w->plan->arena,
					(routes->container_count + 1) * sizeof(*w->set.containers));
	for (size_t i = 0; i < routes->container_count; i++)
		if (add_container(w, &routes->containers[i], err) < 0)
			return -1;
	if (publication_find_bound(w, err) < 0 ||
	    (w->in->runs && publication_check_privileges(w, err) < 0))
		return -1;
	for (size_t i = 0; i < w->set.container_count; i++)
		if (check_home(w, &w->set.containers[i], err) < 0 ||
		    check_container(w, &w->set.containers[i], err) < 0)
			return -1;
	return 0;
}

bool publication_begins_as_clone(const struct publication *w)
{
	for (size_t i = 0; i < w->set.container_count; i++)
		if (w->set.containers[i].is_cloned && !w->set.is_reused)
			return true;
	return false;
}

/* In the schema that was put aside; of a file in the schema of that file. */
static struct relation restored(struct publication *w, const struct publish_table *t,
				const struct publish_container *c)
{
	const char *schema = c->restore.schema;

	if (!*schema)
		return (struct relation) { c->restore.database, t->to->schema, t->to->identifier };
	if (!*c->to.schema)
		schema = arena_printf(&w->plan->arena, "%s.%s", schema, t->to->schema);
	return (struct relation) { t->to->database, schema, t->to->identifier };
}

void publication_swap_tables(struct publication *w, const char *reason)
{
	for (size_t i = 0; i < w->set.n; i++) {
		struct publish_table *t = &w->set.tables[i];
		struct plan_table *row = &w->plan->tables[i];

		t->number = i + 1;
		t->way = PUBLISH_SWAP;
		row->way = t->way;
		row->reason = reason;
		row->replaces = t->to_table != NULL;
		for (size_t k = 0; t->to_table && k < w->set.container_count; k++)
			if (route_container_holds(w->in->dialect, &w->set.containers[k].to, t->to))
				row->restore = restored(w, t, &w->set.containers[k]);
	}
}

static json_t *made_names(const struct publication *w, const struct publish_container *c)
{
	json_t *made = json_array();

	/* One that production did not have was made empty, to be put aside. */
	for (size_t i = 0; c->to_seen && i < c->to_seen->object_count; i++) {
		const struct container_object *object = &c->to_seen->objects[i];

		if (foreign_is_known(w, c, object))
			json_array_append_new(made,
					      json_sprintf("%s %s%s%s", object->kind, object->name,
							   object->object ? "/" : "",
							   object->object ? object->object : ""));
	}
	return made;
}

int publication_push_asides(struct publication *w, const struct state *state,
			    struct strv *statements, struct err *err)
{
	json_t *detail CLEANUP(js_free) = w->in->observed->built ? json_array() : NULL;

	for (size_t i = 0; detail && i < w->set.container_count; i++) {
		const struct publish_container *c = &w->set.containers[i];
		char *prefix CLEANUP(mem_free_string) = mem_printf(
			"%s" STATE_DEMOTED, *c->to.schema ? c->to.schema : c->to.database);

		char *was CLEANUP(mem_free_string) =
			marker_publisher(c->to_seen ? c->to_seen->comment : NULL);

		json_array_append_new(
			detail,
			json_pack("{s:I, s:[s, s], s:s, s:s, s:I, s:o, s:s?, s:I, s:I}", "number",
				  (json_int_t)i + 1, "of", c->to.database, c->to.schema, "prefix",
				  prefix, "kind", *c->to.schema ? "schema" : "database", "bytes",
				  (json_int_t)(c->to_seen ? c->to_seen->bytes : 0), "made",
				  made_names(w, c), "was", was, "keep",
				  (json_int_t)config_number(w->in->config, OPTION_KEEP), "keep_for",
				  (json_int_t)config_number(w->in->config, OPTION_KEEP_FOR)));
	}
	for (size_t i = 0; i < w->set.container_count; i++)
		if (w->set.containers[i].is_cloned &&
		    state_push_altered(state, &w->set.containers[i].to, statements, err) < 0)
			return -1;
	return state_push_asides(state, detail, statements, err);
}
