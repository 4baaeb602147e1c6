/*
 * What containers that are exchanged hold and no node makes: refused by name, left behind where the
 * project says so, or brought along by a clone with which staging begins.
 */
#include "publication_foreign.h"

#include <stdlib.h>
#include <string.h>

#include "airlock/deploy/route_check.h"
#include "airlock/format/glob.h"

/* A file by its path. */
const char *foreign_shown(const struct container *container)
{
	if (*container->schema.schema)
		return container->schema.schema;
	return container->object ? container->object : container->schema.database;
}

int foreign_refuse(const struct container *container, const char *what, const char *hint,
		   struct err *err)
{
	err_set(err, ERR_UNSUPPORTED, "'%s' cannot be exchanged: %s", foreign_shown(container),
		what);
	return err_hint(err, "%s", hint);
}

int foreign_refuse_list(const struct container *container, struct buf *list, const char *format,
			const char *hint, struct err *err)
{
	char *what CLEANUP(mem_free_string) = NULL;

	if (list->len == 0)
		return 0;
	what = mem_printf("%s: %s", format, buf_cstr(list));
	return foreign_refuse(container, what, hint, err);
}

void foreign_add(struct buf *list, const char *kind, const char *name)
{
	buf_printf(list, "%s%s%s%s", list->len > 0 ? ", " : "", kind, *kind ? " " : "", name);
}

/* A file has no schema of its own: what is in it has that in its name. free() it. */
static char *name_in(const char *schema, const char *name)
{
	return mem_printf("%s%s%s", schema, *schema ? "." : "", name);
}

static bool is_among(const char *kind, const char *const *kinds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(kind, kinds[i]) == 0)
			return true;
	return false;
}

/* Of a warehouse that says the parts of a name these are compared, and no name is put together. */
static bool is_named(const struct relation *schema, const struct container_object *object,
		     const struct relation *relation)
{
	const struct container one = {
		.objects = (struct container_object *)(uintptr_t)object,
		.object_count = 1,
	};

	if (object->identifier)
		return strcmp(object->identifier, relation->identifier) == 0 &&
		       strcmp(object->schema, relation->schema) == 0 &&
		       container_has_relation(&one, object->name);
	char *name CLEANUP(mem_free_string) =
		name_in(*schema->schema ? "" : relation->schema, relation->identifier);

	return container_has_relation(&one, name);
}

bool foreign_is_made(const struct publication *w, const struct relation *schema, bool in_production,
		     const struct container_object *object)
{
	for (size_t i = 0; i < w->set.n; i++) {
		const struct publish_table *t = &w->set.tables[i];
		const struct relation *relation = in_production ? t->to : t->from;

		if (relation && route_container_holds(w->in->dialect, schema, relation) &&
		    is_named(schema, object, relation))
			return true;
	}
	return false;
}

/* As it is written, or as the warehouse stores what is written without quotes. */
static bool is_like(const struct dialect *dialect, const char *pattern, const char *name)
{
	if (glob_match_once(pattern, name))
		return true;
	if (!dialect->folds_upper)
		return false;
	char *folded CLEANUP(mem_free_string) = mem_upper(mem_strdup(pattern));

	return glob_match_once(folded, name);
}

static bool is_accepted(const struct publication *w, const struct container *container,
			const struct container_object *object)
{
	const struct strv *patterns = config_list(w->in->config, OPTION_FOREIGN_OBJECTS);
	char *name CLEANUP(mem_free_string) = name_in(container->schema.schema, object->name);

	for (size_t i = 0; i < patterns->n; i++)
		if (strcmp(patterns->v[i], CONFIG_CLONE) != 0 &&
		    is_like(w->in->dialect, patterns->v[i], name))
			return true;
	return false;
}

/* In a database: dbt makes it for what it builds there. */
static bool is_schema_of_build(const struct publication *w, const struct publish_container *c,
			       const struct container_object *object)
{
	const struct relation schema = { c->to.database, object->name, NULL };

	for (size_t i = 0; strcmp(object->kind, "schema") == 0 && i < w->set.n; i++)
		if (w->set.tables[i].from &&
		    relation_same_schema(w->in->dialect, &schema, w->set.tables[i].to))
			return true;
	return false;
}

/* What staging held before it begins as a clone says nothing. */
static bool is_in_staging(const struct publication *w, const struct publish_container *c,
			  const struct container_object *object)
{
	return (!c->is_cloned || w->in->observed->built) && container_has(c->from_seen, object);
}

/* On a table of the set: it is made again there, or its column is gone. */
static bool is_index_of_set(const struct publication *w, const struct container_object *object)
{
	for (size_t i = 0; strcmp(object->kind, "index") == 0 && i < w->set.n; i++) {
		const struct publish_table *t = &w->set.tables[i];

		for (size_t k = 0; t->to_table && k < t->to_table->index_count; k++) {
			char *name CLEANUP(mem_free_string) =
				name_in(t->to->schema, t->to_table->indexes[k].name);

			if (strcmp(name, object->name) == 0)
				return true;
		}
	}
	return false;
}

/* The build makes it again: a node, or a hook, as of a function; or it is in the clone. */
static bool is_of_build(const struct publication *w, const struct publish_container *c,
			const struct container_object *object)
{
	return foreign_is_made(w, &c->to, true, object) || is_schema_of_build(w, c, object) ||
	       is_index_of_set(w, object) || is_in_staging(w, c, object);
}

/* It would run on beside the new production, over the old one. */
static bool goes_on(const struct container_object *object)
{
	static const char *const kinds[] = { "task", "alert", "pipe" };

	return is_among(object->kind, kinds, ARRAY_LEN(kinds));
}

static bool is_stream(const struct container_object *object)
{
	return strcmp(object->kind, "stream") == 0;
}

/* A clone of a schema or database has it too, whole. */
static bool is_carried(const struct container_object *object)
{
	static const char *const kinds[] = {
		"schema",
		"table",
		"view",
		"dynamic table",
		"sequence",
		"function",
		"procedure",
		"file format",
		"stage",
		"masking policy",
		"row access policy",
		"tag",
	};

	return is_among(object->kind, kinds, ARRAY_LEN(kinds));
}

/* What it is called in its schema; of a file `name` has the schema in front. */
static bool is_orphan(const struct publication *w, const struct publish_container *c,
		      const struct container_object *object)
{
	const char *dot = *c->to.schema ? NULL : strchr(object->name, '.');
	char *schema CLEANUP(mem_free_string) =
		dot ? mem_strndup(object->name, (size_t)(dot - object->name)) : NULL;
	const struct relation relation = { c->to.database, dot ? schema : c->to.schema,
					   dot ? dot + 1 : object->name };
	const struct relation parts = { c->to.database, object->schema, object->identifier };

	return publication_is_orphan(w, object->identifier ? &parts : &relation);
}

bool foreign_is_known(const struct publication *w, const struct publish_container *c,
		      const struct container_object *object)
{
	return is_of_build(w, c, object) || is_orphan(w, c, object);
}

/* --- what a clone brings --- */

static void name_suspended(struct publication *w, const struct container_object *object,
			   const char *name)
{
	if (object->runs_nth > 0)
		strv_pushf(
			&w->plan->warnings,
			"the clone of the dynamic table '%s' is suspended and resumed behind the "
			"exchange; the original goes on refreshing in what was production, until "
			"that is dropped",
			name);
	if (object->clusters)
		strv_pushf(&w->plan->warnings,
			   "automatic clustering of the clone of '%s' is suspended and resumed "
			   "behind the exchange",
			   name);
}

static void add_cloned(struct publication *w, struct publish_container *c,
		       const struct container_object *object)
{
	char *name CLEANUP(mem_free_string) = name_in(c->to.schema, object->name);
	struct plan_cloned *row = &w->plan->cloned[w->plan->cloned_count++];

	c->foreign[c->foreign_count++] = object;
	*row = (struct plan_cloned) {
		.kind = object->kind,
		.name = arena_strdup(&w->plan->arena, name),
		.from = c->to.database,
		.to = arena_printf(&w->plan->arena, "%s%s%s", c->from.database,
				   *c->from.schema ? "." : "", c->from.schema),
		.is_suspended = object->runs_nth > 0 || object->clusters,
	};
	name_suspended(w, object, name);
}

void foreign_choose(struct publication *w, struct publish_container *c)
{
	const struct container *seen = c->to_seen;
	size_t size = (seen->object_count + 1) * sizeof(*c->foreign);
	size_t cap = w->plan->cloned_count + seen->object_count + 1;

	c->foreign = arena_alloc(&w->plan->arena, size);
	c->left_out = arena_alloc(&w->plan->arena, size);
	struct plan_cloned *rows = arena_alloc(&w->plan->arena, cap * sizeof(*rows));

	if (w->plan->cloned_count > 0)
		memcpy(rows, w->plan->cloned, w->plan->cloned_count * sizeof(*rows));
	w->plan->cloned = rows;
	for (size_t i = 0; i < seen->object_count; i++) {
		const struct container_object *object = &seen->objects[i];

		if (strcmp(object->kind, "schema") == 0 || foreign_is_made(w, &c->to, true, object))
			continue;
		if (is_orphan(w, c, object) || (is_stream(object) && is_accepted(w, seen, object)))
			c->left_out[c->left_out_count++] = object;
		else if (is_carried(object))
			add_cloned(w, c, object);
	}
}

/* --- what is refused --- */

struct lists {
	struct buf running, streams, uncloned, lost;
};

static void lists_release(struct lists *lists)
{
	buf_release(&lists->running);
	buf_release(&lists->streams);
	buf_release(&lists->uncloned);
	buf_release(&lists->lost);
}

static void warn_left(struct publication *w, const struct publish_container *c,
		      const struct container_object *object)
{
	char *name CLEANUP(mem_free_string) = name_in(c->to.schema, object->name);

	strv_pushf(&w->plan->warnings,
		   "%s '%s' is made by no node%s and leaves production with the old %s",
		   object->kind, name, is_orphan(w, c, object) ? " any more" : "",
		   *c->to.schema                     ? "schema"
		   : w->in->dialect->swaps_databases ? "database"
						     : "file");
}

/* What a hook made on both sides comes again, unless a clone has brought it. */
static bool stays(const struct publication *w, const struct publish_container *c,
		  const struct container_object *object)
{
	bool may_return = !w->in->observed->built && strcmp(object->kind, "function") == 0;

	if (c->is_cloned && goes_on(object))
		return false;
	return may_return || is_of_build(w, c, object);
}

static void judge(struct publication *w, const struct publish_container *c,
		  const struct container_object *object, struct lists *lists)
{
	if (stays(w, c, object))
		return;
	if (goes_on(object))
		foreign_add(&lists->running, object->kind, object->name);
	else if (c->is_cloned && !w->in->observed->built && is_carried(object) &&
		 !is_orphan(w, c, object))
		return;
	else if (is_orphan(w, c, object) || is_accepted(w, c->to_seen, object))
		warn_left(w, c, object);
	else if (c->is_cloned && is_stream(object))
		foreign_add(&lists->streams, object->kind, object->name);
	else if (c->is_cloned)
		foreign_add(&lists->uncloned, object->kind, object->name);
	else
		foreign_add(&lists->lost, object->kind, object->name);
}

int foreign_check(struct publication *w, const struct publish_container *c, struct err *err)
{
	struct lists lists CLEANUP(lists_release) = { BUF_INIT, BUF_INIT, BUF_INIT, BUF_INIT };
	const struct container *seen = c->to_seen;

	for (size_t i = 0; seen && i < seen->object_count; i++)
		judge(w, c, &seen->objects[i], &lists);
	if (foreign_refuse_list(seen, &lists.running, "it would go on, with what was production",
				"move it elsewhere, or use production-rollback or wac, which keep "
				"the tables that it works on",
				err) < 0 ||
	    foreign_refuse_list(seen, &lists.streams,
				"the clone of a stream has lost what was not read from it",
				"name it in foreign_objects if production may lose it, or use "
				"production-rollback or wac, which keep it",
				err) < 0 ||
	    foreign_refuse_list(seen, &lists.uncloned, "a clone does not have",
				"move it elsewhere, or name it in foreign_objects (patterns of "
				"schema.name) if production may lose it",
				err) < 0)
		return -1;
	return foreign_refuse_list(
		seen, &lists.lost, "production would lose what no node makes (any more)",
		w->in->dialect->clones_containers
			? "move it elsewhere, say foreign_objects: clone to let staging begin as a "
			  "clone of production, or name it there (patterns of schema.name) if "
			  "production may lose it; what an earlier deployment published goes with "
			  "orphans: drop"
			: "move it elsewhere, or name it in foreign_objects (patterns of "
			  "schema.name) if production may lose it; what an earlier deployment "
			  "published goes with orphans: drop",
		err);
}
