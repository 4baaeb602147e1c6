/*
 * rollback: every table that a deployment published is put back as it was, from its restore
 * point, and from the picture of it that the history kept. A deployment itself: what it replaces
 * goes to restore points of its own. Not a row of the table of strategies: `airlock rollback`.
 *
 * A route of it leads from the restore point to production; where production had no table, both
 * ends are the table that is removed.
 */
#include <stdlib.h>
#include <string.h>

#include "airlock/deploy/publication.h"
#include "airlock/deploy/strategy_rows.h"
#include "airlock/format/json.h"
#include "airlock/warehouse/marker.h"

struct past {
	const json_t *record;   /* the deployment that is taken back, as history.h shapes it */
	struct observed before; /* what production was before it */
};

static const char *part_of(const json_t *table, size_t i)
{
	return json_string_value(json_array_get(js_get_array(table, "relation"), i));
}

/* By the relation: a node that had another one before has two. */
static const json_t *find_record(const struct past *past, const struct route *route)
{
	const json_t *tables = js_get_array(past->record, "tables");

	for (size_t i = 0; i < json_array_size(tables); i++) {
		const json_t *table = json_array_get(tables, i);

		if (js_text_is(table, "unique_id", route->node->unique_id) &&
		    strcmp(part_of(table, 1), route->to.schema) == 0 &&
		    strcmp(part_of(table, 2), route->to.identifier) == 0)
			return table;
	}
	return NULL;
}

static int read_past(const struct strategy_input *input, struct past *ret_past, struct err *err)
{
	ret_past->record = input->rolled_back;
	return observed_parse_before(js_get_array(input->rolled_back, "tables"), &ret_past->before,
				     err);
}

static void past_release(struct past *past)
{
	observed_release(&past->before);
}

static int changed_since(const struct past *past, const struct relation *relation, const char *how,
			 struct err *err)
{
	char *name CLEANUP(mem_free_string) = relation_display(relation);

	err_set(err, ERR_CONFLICT, "'%s' %s since deployment '%s' published it", name, how,
		js_get_string(past->record, "id"));
	return err_hint(err, "to lose that change all the same, say --force");
}

/* What the list `key` of the record says of it; NULL: nothing. */
static const json_t *recorded(const struct past *past, const char *key,
			      const struct dialect *dialect, const struct relation *relation)
{
	const json_t *objects = js_get_array(past->record, key);

	for (size_t i = 0; i < json_array_size(objects); i++) {
		const json_t *object = json_array_get(objects, i);
		const struct relation one = { js_get_string(object, "database"),
					      js_get_string(object, "schema"),
					      js_get_string(object, "identifier") };

		if (relation_equal(dialect, &one, relation))
			return object;
	}
	return NULL;
}

static bool differs(const char *recorded, const char *found)
{
	return recorded && found && strcmp(recorded, found) != 0;
}

static bool has_rows(const json_t *identity, const struct table *table)
{
	return js_get_integer(identity, "rows", -1) == table->rows &&
	       !differs(js_get_string(identity, "content"), table->content);
}

/* What a rebuild or a publish had come to by then has the rows that were tested, and the rest those
 * that it had. What dbt gave an incremental model nobody has counted. */
static int check_half_done(const struct past *past, const struct publish_table *t,
			   const struct manifest_node *node, struct err *err)
{
	const json_t *intended = js_get_array(past->record, "intended");
	char *name CLEANUP(mem_free_string) = relation_display(t->to);

	if (!t->to_table || table_is_view(t->to_table) ||
	    (strcmp(node->materialized, "incremental") == 0 &&
	     !js_get_bool(past->record, "stopped", false)))
		return 0;
	for (size_t i = 0; i < json_array_size(intended); i++) {
		const json_t *then = json_array_get(intended, i);

		if (!js_text_is(then, "to", name) ||
		    has_rows(js_get_object(then, "tested"), t->to_table) ||
		    has_rows(js_get_object(then, "replaces"), t->to_table))
			continue;
		err_set(err, ERR_CONFLICT,
			"'%s' (production) was changed by somebody else: its rows are neither "
			"those "
			"that were there nor those that were tested",
			name);
		return err_hint(err, "to lose that change all the same, say --force");
	}
	return 0;
}

/* What dbt made behind the record was counted only where its tests ran. */
static int check_rebuilt(const struct publication *w, const struct past *past,
			 const struct publish_table *t, const struct manifest_node *node,
			 struct err *err)
{
	const json_t *was = recorded(past, "rebuilt", w->in->dialect, t->to);

	if (!was)
		return check_half_done(past, t, node, err);
	if (!t->to_table)
		return changed_since(past, t->to, "was dropped", err);
	if (js_get_string(was, "object") && *js_get_string(was, "object") &&
	    differs(js_get_string(was, "object"), t->to_table->object))
		return changed_since(past, t->to, "was replaced", err);
	if (js_get_integer(was, "rows", -1) != t->to_table->rows ||
	    differs(js_get_string(was, "content"), t->to_table->content))
		return changed_since(past, t->to, "was changed", err);
	return 0;
}

/* Production must still be what that deployment made of it. */
static int check_unchanged(const struct publication *w, const struct past *past,
			   const struct publish_table *t, const struct manifest_node *node,
			   const json_t *record, struct err *err)
{
	bool removed = js_text_is(record, "way", publish_way_name(PUBLISH_REMOVE));

	if (!t->decided || config_bool(w->in->config, OPTION_FORCE))
		return 0;
	if (js_get_bool(past->record, "rebuilds", false))
		return check_rebuilt(w, past, t, node, err);
	if (removed)
		return t->to_table ? changed_since(past, t->to, "was created", err) : 0;
	if (!t->to_table)
		return changed_since(past, t->to, "was dropped", err);
	if (differs(js_get_string(recorded(past, "objects", w->in->dialect, t->to), "object"),
		    t->to_table->object))
		return changed_since(past, t->to, "was replaced", err);
	if (js_get_integer(record, "rows", -1) != t->to_table->rows ||
	    differs(js_get_string(record, "content"), t->to_table->content))
		return changed_since(past, t->to, "was changed", err);
	return 0;
}

static int not_the_restore_point(const struct past *past, const struct publish_table *t,
				 const char *how, struct err *err)
{
	char *name CLEANUP(mem_free_string) = relation_display(t->from);
	char *of CLEANUP(mem_free_string) = relation_display(t->to);

	err_set(err, ERR_CONFLICT,
		"'%s' is not the restore point of '%s' that deployment '%s' kept: %s", name, of,
		js_get_string(past->record, "id"), how);
	return err_hint(err, "look at it; to put '%s' back to what it holds now, say --force", of);
}

/* What the history says of the restore point; NULL when it says nothing. */
static const json_t *find_restore(const struct past *past, json_int_t number)
{
	const json_t *restores = js_get_array(past->record, "restores");

	for (size_t i = 0; i < json_array_size(restores); i++)
		if (js_get_integer(json_array_get(restores, i), "number", 0) == number)
			return json_array_get(restores, i);
	return NULL;
}

/* Its comment, the object and the rows must be those that were recorded. */
static int check_restore(const struct publication *w, const struct past *past,
			 const struct publish_table *t, const struct table *seen, json_int_t number,
			 struct err *err)
{
	const char *id = js_get_string(past->record, "id");
	char *marker CLEANUP(mem_free_string) = marker_restore(id, (size_t)number, t->to);
	const json_t *restore = find_restore(past, number);

	if (config_bool(w->in->config, OPTION_FORCE))
		return 0;
	if (!seen->comment || strcmp(seen->comment, marker) != 0)
		return not_the_restore_point(past, t,
					     "its comment, which says what it is, is another", err);
	if (!restore)
		return not_the_restore_point(past, t, "the history does not know it", err);
	if (differs(js_get_string(restore, "object"), seen->object))
		return not_the_restore_point(past, t, "it is another table of that name", err);
	if (!t->decided)
		return 0;
	if (js_get_integer(restore, "rows", -1) != seen->rows ||
	    differs(js_get_string(restore, "content"), seen->content))
		return not_the_restore_point(past, t, "its rows were changed", err);
	return 0;
}

/* What the history says the table was, with the identity of the restore point that has its rows. */
static int choose_source(const struct publication *w, const struct past *past,
			 struct publish_table *t, const json_t *record, struct err *err)
{
	const struct table *before = observed_table(&past->before, w->in->dialect, t->to);
	const struct table *seen = observed_table(w->in->observed, w->in->dialect, t->from);
	struct table *source = arena_alloc(&w->plan->arena, sizeof(*source));

	if (!before || !seen) {
		char *name CLEANUP(mem_free_string) = relation_display(t->from);

		return err_set(err, ERR_RELATION_MISSING,
			       seen ? "the history does not say what '%s' was"
				    : "the restore point '%s' is gone",
			       name);
	}
	if (check_restore(w, past, t, seen, js_get_integer(record, "restore", 0), err) < 0)
		return -1;
	*source = *before;
	source->object = seen->object;
	source->version = seen->version;
	source->rows = seen->rows;
	source->content = seen->content;
	source->ddl = seen->ddl;
	t->from_table = source;
	return 0;
}

/* Its text is what the history has of it; no relation holds it. */
static int choose_view(const struct publication *w, struct publish_table *t,
		       const struct table *before, const char **ret_reason, struct err *err)
{
	if (!before->definition) {
		char *name CLEANUP(mem_free_string) = relation_display(t->to);

		return err_set(err, ERR_RELATION_MISSING,
			       "the history does not have the text of '%s'", name);
	}
	t->view = before->definition;
	t->from = NULL;
	t->from_table = before;
	if (w->in->dialect->choose_way(t, &t->way, ret_reason, err) < 0)
		return -1;
	*ret_reason = "the view gets back the text it had";
	return 0;
}

/* dbt made another object of it, unless it did not come that far, or only added rows. */
static void choose_rebuilt(const struct dialect *dialect, const struct table *before,
			   struct publish_table *t, const char **ret_reason)
{
	bool stayed = t->to_table && table_same_object(before, t->to_table) &&
		      table_same_columns(dialect, before, t->to_table);

	t->way = stayed ? PUBLISH_REWRITE : PUBLISH_EXCHANGE;
	*ret_reason = stayed ? "the table stayed, and gets back the rows it had"
			     : "the table is built as it was before dbt rebuilt it";
}

static int choose_way(const struct publication *w, const struct past *past, struct publish_table *t,
		      const json_t *record, const char **ret_reason, struct err *err)
{
	const char *way = js_get_string(record, "way");
	bool moves = w->in->dialect->moves_objects;

	if (strcmp(way, publish_way_name(PUBLISH_NEW)) == 0) {
		t->way = PUBLISH_REMOVE;
		t->from = NULL;
		*ret_reason = "production had no such relation before";
		return 0;
	}
	const struct table *before = observed_table(&past->before, w->in->dialect, t->to);

	if (before && table_is_view(before))
		return choose_view(w, t, before, ret_reason, err);
	if (choose_source(w, past, t, record, err) < 0)
		return -1;
	if (!moves) {
		t->way = !t->to_table ? PUBLISH_NEW
			 : w->in->dialect->replaces_layout ||
					 table_same_layout(t->from_table, t->to_table)
				 ? PUBLISH_REPLACE
				 : PUBLISH_EXCHANGE;
		*ret_reason = "the table is created as it was, with the rows it had";
	} else if (strcmp(way, publish_way_name(PUBLISH_REBUILD)) == 0) {
		choose_rebuilt(w->in->dialect, before, t, ret_reason);
	} else if (strcmp(way, publish_way_name(PUBLISH_REWRITE)) == 0) {
		t->way = PUBLISH_REWRITE;
		*ret_reason = "the table stayed, and gets back the rows it had";
		if (t->to_table && !table_same_columns(w->in->dialect, t->from_table, t->to_table))
			return changed_since(past, t->to, "got other columns", err);
	} else {
		t->way = PUBLISH_RETURN;
		*ret_reason = "the table that was moved away comes back";
	}
	return 0;
}

static int add_table(struct publication *w, const struct past *past, const struct route *route,
		     struct err *err)
{
	const json_t *record = find_record(past, route);
	struct publish_table *t = &w->set.tables[w->set.n];

	*t = (struct publish_table) {
		.from = &route->from,
		.to = &route->to,
		.to_table = observed_table(w->in->observed, w->in->dialect, &route->to),
		.decided = w->in->observed->built,
		.runs = w->in->runs,
		.is_exact = true,
	};
	/* A rebuild that failed may not have come to it. */
	if (!t->to_table && js_get_bool(past->record, "rebuilds", false) &&
	    js_text_is(record, "way", publish_way_name(PUBLISH_NEW)))
		return 0;
	w->set.n++;
	return check_unchanged(w, past, t, route->node, record, err);
}

/* What is dropped takes along what nobody could read; they are read under the lock. */
static int check_unread(const struct publication *w, const struct publish_table *t, struct err *err)
{
	if (!w->in->dialect->templates[DIALECT_OBSERVE_PRIVILEGES] || !t->decided ||
	    t->way != PUBLISH_EXCHANGE || !t->to_table || t->to_table->privileges ||
	    config_bool(w->in->config, OPTION_FORCE))
		return 0;
	char *name CLEANUP(mem_free_string) = relation_display(t->to);

	err_set(err, ERR_UNSUPPORTED,
		"'%s' had another partitioning or clustering before, for which it is dropped, and "
		"the permissions that go with it cannot be read",
		name);
	return err_hint(err, "let the user of this target read them; --force drops it all the "
			     "same, and gives it those that the history has");
}

static int choose_ways(struct publication *w, const struct past *past, struct err *err)
{
	publication_sort(w);
	publication_link_routes(w);
	for (size_t i = 0; i < w->set.n; i++) {
		struct publish_table *t = &w->set.tables[i];
		struct plan_table *row = &w->plan->tables[i];

		t->number = i + 1;
		if (choose_way(w, past, t, find_record(past, row->route), &row->reason, err) < 0 ||
		    check_unread(w, t, err) < 0 ||
		    publication_refuse_declared(w, t, row->route->node, err) < 0)
			return -1;
		if (t->decided && t->way != PUBLISH_REMOVE)
			publication_warn_unread(w, t);
		publication_choose_restore(w, t, true);
		row->way = t->way;
		row->replaces = t->to_table != NULL;
		row->restore = t->restore;
		row->restore_is_copy = t->restore_is_copy;
	}
	return 0;
}

/* --- of a deployment that exchanged containers --- */

static int gone(const struct relation *relation, struct err *err)
{
	char *name CLEANUP(mem_free_string) = relation_display(relation);

	return err_set(err, ERR_RELATION_MISSING, "the restore point '%s' is gone", name);
}

/* The schema that was put aside says so itself. */
static int check_demoted(const struct publication *w, const struct past *past,
			 const struct relation *schema, struct err *err)
{
	const struct container *seen = observed_container(w->in->observed, w->in->dialect, schema);
	const char *id = js_get_string(past->record, "id");
	char *marker CLEANUP(mem_free_string) = marker_demoted(id);

	if (!seen)
		return gone(schema, err);
	if (config_bool(w->in->config, OPTION_FORCE) ||
	    (seen->comment && strstr(seen->comment, marker)))
		return 0;
	err_set(err, ERR_CONFLICT,
		"'%s' is not what deployment '%s' put aside: its comment, which says what it is, "
		"is another",
		schema->schema, id);
	return err_hint(err, "look at it; to make it production all the same, say --force");
}

/* The text of a view names the schemas of what it reads, which have other names by now. */
static bool is_another(const char *recorded, const char *found, bool is_view)
{
	size_t len = recorded && is_view ? strcspn(recorded, "/") + 1 : 0;

	if (!recorded || !found)
		return false;
	return is_view ? strncmp(recorded, found, len) != 0 : strcmp(recorded, found) != 0;
}

/* What is in it, as far as it was recorded, is what it was. */
static int choose_demoted(const struct publication *w, const struct past *past,
			  struct publish_table *t, const json_t *record, struct err *err)
{
	const json_t *before = js_get_object(record, "before");
	const struct table *seen = observed_table(w->in->observed, w->in->dialect, t->from);

	if (!before) {
		t->from = NULL;
		return 0;
	}
	if (!seen)
		return gone(t->from, err);
	t->from_table = seen;
	t->is_view = strcmp(seen->kind, "table") != 0;
	if (config_bool(w->in->config, OPTION_FORCE))
		return 0;
	if (is_another(js_get_string(before, "object"), seen->object, t->is_view))
		return not_the_restore_point(past, t, "it is another object of that name", err);
	if (t->decided && !t->is_view && js_get_integer(record, "rows_before", -1) != seen->rows)
		return not_the_restore_point(past, t, "its rows were changed", err);
	return 0;
}

/* Where staging began as a clone the record says how it left production: what was written since to
 * what no node makes would be lost. */
static int check_altered(const struct publication *w, const struct past *past,
			 struct publish_container *c, struct err *err)
{
	const json_t *altered = js_get_array(past->record, "altered");

	if (config_bool(w->in->config, OPTION_FORCE) || !c->to_seen || !c->to_seen->altered)
		return 0;
	for (size_t i = 0; i < json_array_size(altered); i++) {
		const json_t *one = json_array_get(altered, i);

		if (!js_text_is(one, "database", c->to.database) ||
		    !js_text_is(one, "schema", c->to.schema))
			continue;
		c->altered = c->to_seen->altered;
		if (js_text_is(one, "altered", c->altered))
			return 0;
		err_set(err, ERR_CONFLICT,
			"something in '%s' was written or changed since deployment '%s' published "
			"it",
			*c->to.schema ? c->to.schema : c->to.database,
			js_get_string(past->record, "id"));
		return err_hint(err, "what was put aside has what no node makes as it was before "
				     "that deployment; to lose that change all the same, say "
				     "--force");
	}
	return 0;
}

static int choose_swap(struct publication *w, const struct past *past, struct err *err)
{
	const struct routes *routes = w->in->routes;

	for (size_t i = 0; i < routes->container_count; i++)
		if (check_demoted(w, past, &routes->containers[i].from, err) < 0)
			return -1;
	publication_sort(w);
	publication_link_routes(w);
	for (size_t i = 0; i < w->set.n; i++)
		if (choose_demoted(w, past, &w->set.tables[i],
				   find_record(past, w->plan->tables[i].route), err) < 0)
			return -1;
	if (publication_choose_containers(w, err) < 0)
		return -1;
	for (size_t i = 0; i < w->set.container_count; i++)
		if (check_altered(w, past, &w->set.containers[i], err) < 0)
			return -1;
	publication_swap_tables(w, "its schema as it was before takes the place of production's");
	return 0;
}

static int plan_steps(struct publication *w, struct err *err)
{
	struct step *check;

	if (publication_plan_lock(w, err) < 0)
		return -1;
	check = plan_add_step(w->plan, "audit", "audit", STEP_CHECK,
			      "the restore points are there, and production is what that "
			      "deployment left");
	check->idempotent = true;
	check->undo = "nothing";
	if (publication_plan_publish(w,
				     w->in->dialect->changes_set_atomically
					     ? "every table is put back as it was, all or none"
					     : "every table is put back as it was, one at a time",
				     err) < 0)
		return -1;
	return publication_plan_finish(w, err);
}

static int rollback_plan(const struct strategy_input *input, struct plan *plan, struct err *err)
{
	struct publication w CLEANUP(publication_release) = { 0 };
	struct past past CLEANUP(past_release) = { 0 };
	const struct routes *routes = input->routes;

	publication_init(&w, input, plan);
	state_hold_production(&w.state);
	if (publication_check_declared(&w, err) < 0)
		return -1;
	if (read_past(input, &past, err) < 0)
		return -1;
	w.set.tables = arena_alloc(&plan->arena, (routes->n + 1) * sizeof(*w.set.tables));
	for (size_t i = 0; i < routes->n; i++)
		if (add_table(&w, &past, &routes->items[i], err) < 0)
			return -1;
	if (routes->container_count > 0 ? choose_swap(&w, &past, err) < 0
					: choose_ways(&w, &past, err) < 0)
		return -1;
	if (publication_order_views(&w, err) < 0)
		return -1;
	return plan_steps(&w, err);
}

static const char *const one_by_one[] = { "snowflake", "bigquery", NULL };

const struct strategy strategy_rollback = {
	.name = "rollback",
	.summary = "put production back to the restore points of a deployment",
	.holds_production = true, /* nobody else locks what it publishes from */
	.one_by_one = one_by_one,
	.plan = rollback_plan,
};
