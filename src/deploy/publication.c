#include "airlock/deploy/publication.h"

#include <stdlib.h>
#include <string.h>

#include "airlock/format/json.h"

static bool is_one_database(const struct routes *routes)
{
	return routes->container_count == 1 && !*routes->containers[0].to.schema;
}

void publication_init(struct publication *w, const struct strategy_input *input, struct plan *plan)
{
	*w = (struct publication) {
		.in = input,
		.plan = plan,
		.set = { .by_content = input->builds_nothing || input->reuses ||
				       config_is(input->config, OPTION_CONFLICT, "content"),
			 .is_reused = input->reuses,
			 .user = input->observed->user,
			 .lock_attempt_ms = 300,
			 .timeout_ms = config_number(input->config, OPTION_PUBLISH_TIMEOUT) * 1000,
			 .keep_for_s = config_number(input->config, OPTION_KEEP_FOR) },
	};
	plan->atomic = input->dialect->changes_set_atomically;
	plan->conflict = w->set.by_content ? "content" : "identity";
	plan->conflict_unseen = w->set.by_content ? input->dialect->unseen_by_content
						  : input->dialect->unseen_by_identity;
	state_init(&w->state, input->dialect, input->database, input->routes);
	if (input->dialect->changes_set_atomically)
		return;
	state_hold_production(&w->state);
	if (input->routes->container_count > 0 && input->dialect->templates[DIALECT_OBSERVE_TAGS] &&
	    !input->routes->carries_tags)
		strv_push(&plan->warnings,
			  "container_tags: ignore: tags of what changes places are "
			  "not compared");
	if (is_one_database(input->routes))
		strv_push(
			&plan->warnings,
			"readers see all tables change at once, and views as they were until they "
			"are made again right behind that; future grants, policies and tags are "
			"compared after the build, streams elsewhere are not");
	else if (input->routes->container_count > 0)
		strv_push(
			&plan->warnings,
			"readers may see some schemas new and some old while they change places "
			"one "
			"at a time, and views as they were until they are made again right behind "
			"that; future grants, policies and tags are compared after the build, "
			"streams elsewhere are not");
	else
		strv_take(
			&plan->warnings,
			mem_printf("readers may see some tables new and some old while they "
				   "change one at a time%s%s%s",
				   input->dialect->not_compared ? "; " : "",
				   input->dialect->not_compared ? input->dialect->not_compared : "",
				   input->dialect->not_compared
					   ? " of production's tables are not compared"
					   : ""));
	publication_warn_undeclared(w);
}

void publication_release(struct publication *w)
{
	state_release(&w->state);
}

static int compare_tables(const void *a, const void *b, const void *dialect)
{
	const struct publish_table *x = a;
	const struct publish_table *y = b;

	return relation_compare(dialect, x->to, y->to);
}

void publication_sort(struct publication *w)
{
	mem_sort(w->set.tables, w->set.n, sizeof(*w->set.tables), compare_tables, w->in->dialect);
	w->plan->tables = arena_alloc(&w->plan->arena, (w->set.n + 1) * sizeof(*w->plan->tables));
	w->plan->table_count = w->set.n;
}

/* plan->tables was made in the order of the set, which was sorted after the routes were read. */
void publication_link_routes(struct publication *w)
{
	for (size_t i = 0; i < w->set.n; i++)
		for (size_t k = 0; k < w->in->routes->n; k++)
			if (&w->in->routes->items[k].to == w->set.tables[i].to)
				w->plan->tables[i].route = &w->in->routes->items[k];
	for (size_t i = 0; i < w->set.n; i++)
		for (size_t k = 0; k < w->in->routes->orphan_count; k++)
			if (&w->in->routes->orphans[k].to == w->set.tables[i].to)
				w->plan->tables[i].route = &w->in->routes->orphans[k];
}

static bool is_one_by_one(const struct publication *w)
{
	return w->in->dialect->transaction == DIALECT_TRANSACTION_NONE;
}

void publication_warn_missed(const struct publication *w, const struct publish_table *t)
{
	char *name CLEANUP(mem_free_string) = relation_display(t->to);

	strv_pushf(
		&w->plan->warnings,
		"readers find no table '%s' for a moment: its partitioning or clustering changes",
		name);
}

/* It has the schema of what it will be called. */
static void choose_side(const struct publication *w, struct publish_table *t, const char *suffix)
{
	char *name CLEANUP(mem_free_string) = sql_bind_mark("airlock_", "id", suffix);

	if (t->way != PUBLISH_EXCHANGE)
		return;
	t->side = (struct relation) { t->to->database, t->to->schema,
				      arena_strdup(&w->plan->arena, name) };
	publication_warn_missed(w, t);
}

/* Where there is no transaction the new rows are frozen before the first statement. */
static void choose_stage(const struct publication *w, struct publish_table *t)
{
	char *suffix CLEANUP(mem_free_string) = mem_printf("_%zu", t->number);
	char *name CLEANUP(mem_free_string) = sql_bind_mark(STATE_STAGE, "id", suffix);

	if (!is_one_by_one(w) || w->rebuilds || t->view || !t->from)
		return;
	t->stage = (struct relation) {
		.database = w->state.schema.database,
		.schema = STATE_SCHEMA,
		.identifier = arena_strdup(&w->plan->arena, name),
	};
	t->stage.database = arena_strdup(&w->plan->arena, t->stage.database);
	choose_side(w, t, suffix);
}

/* How many snapshots the service has made within a day by then, is known behind the build. */
static void choose_snapshot(const struct publication *w, struct publish_table *t)
{
	size_t most = w->in->dialect->snapshots_a_day;
	size_t n = restore_snapshots(js_get_array(w->in->observed->json, "restores"),
				     w->in->dialect, t->to);

	if (most == 0 || 2 * n < most)
		return;
	t->restore_is_open = !t->decided;
	t->restore_is_copy = n >= most;
	char *name CLEANUP(mem_free_string) = relation_display(t->to);

	if (t->restore_is_copy)
		strv_pushf(&w->plan->warnings,
			   "the restore point of '%s' is a copy, and takes the storage of one: %zu "
			   "snapshots of it were made within a day, and the service makes %zu",
			   name, n, most);
}

void publication_choose_restore(const struct publication *w, struct publish_table *t, bool keep)
{
	struct arena *arena = &w->plan->arena;
	char *suffix CLEANUP(mem_free_string) = mem_printf("_%zu", t->number);
	char *name CLEANUP(mem_free_string) = sql_bind_mark("r_", "id", suffix);

	choose_stage(w, t);
	if (!keep || !t->to_table || table_is_view(t->to_table))
		return;
	t->restore = (struct relation) {
		.database = arena_strdup(arena, w->state.schema.database),
		.schema = STATE_RESTORE_SCHEMA,
		.identifier = arena_strdup(arena, name),
	};
	choose_snapshot(w, t);
}

int publication_plan_lock(struct publication *w, struct err *err)
{
	struct step *step = plan_add_step(w->plan, "lock", "observe", STEP_OPERATION,
					  state_lock_reason(&w->state));

	if (w->in->begun)
		state_set_begun(&w->state, w->in->begun);
	step->idempotent = true;
	step->undo = "release the lock";
	if (state_push_begin(&w->state, &step->sql, err) < 0)
		return -1;
	return state_push_read(&w->state, &step->sql, err);
}

void publication_plan_audit(struct publication *w)
{
	struct step *step = plan_add_step(
		w->plan, "audit", "audit", STEP_CHECK,
		w->in->builds_nothing
			? "every test of the scope ran and passed, and staging is what was tested"
			: "every node of the scope was built and every test of it passed, and "
			  "staging is what was tested");

	step->idempotent = true;
	step->undo = "nothing";
}

int publication_push_schema(struct publication *w, const struct relation *schema,
			    struct strv *statements, struct err *err)
{
	const struct sql_arg args[] = {
		SQL_ARG_SCHEMA("schema", schema),
		SQL_ARG_LITERAL("name", schema->schema),
	};

	if (observed_has_schema(w->in->observed, w->in->dialect, schema))
		return 0;
	return dialect_push(statements, w->in->dialect, DIALECT_SCHEMA_CREATE, args,
			    ARRAY_LEN(args), err);
}

static int push_schemas(struct publication *w, struct strv *statements, struct err *err)
{
	const struct relation *last = NULL;
	const struct relation *restore = NULL;

	for (size_t i = 0; i < w->set.n; i++) {
		const struct publish_table *t = &w->set.tables[i];

		/* Sorted: tables of one schema are neighbours. */
		if ((!last || !relation_same_schema(w->in->dialect, last, t->to)) &&
		    publication_push_schema(w, t->to, statements, err) < 0)
			return -1;
		last = t->to;
		if (t->restore.identifier)
			restore = &t->restore;
	}
	return restore ? publication_push_schema(w, restore, statements, err) : 0;
}

static bool is_view_of(const struct publish_table *t, const struct route *route)
{
	return t->view || t->way == PUBLISH_KEEP || route->is_view ||
	       (route->is_orphan && table_is_view(t->to_table));
}

static json_t *table_detail(const struct publication *w, size_t i)
{
	const struct publish_table *t = &w->set.tables[i];
	char *from CLEANUP(mem_free_string) = t->from ? relation_display(t->from) : NULL;
	char *to CLEANUP(mem_free_string) = relation_display(t->to);

	return json_pack("{s:s, s:s?, s:s, s:[s, s, s], s:s, s:s, s:I, s:s?, s:o, s:I, s:O?}",
			 "unique_id", w->plan->tables[i].route->node->unique_id, "from", from, "to",
			 to, "relation", t->to->database, t->to->schema, t->to->identifier, "kind",
			 is_view_of(t, w->plan->tables[i].route) ? "view" : "table", "way",
			 publish_way_name(t->way), "rows",
			 (json_int_t)(t->from_table ? t->from_table->rows : -1), "content",
			 t->from_table ? t->from_table->content : NULL, "restore",
			 t->restore.identifier ? json_integer((json_int_t)t->number) : json_null(),
			 "rows_before", (json_int_t)(t->to_table ? t->to_table->rows : -1),
			 "before", t->to_table ? t->to_table->json : NULL);
}

/* What the history keeps, enough to put everything back. A restore point is r_<id>_<restore> in
 * the restore schema. NULL before the build. */
json_t *publication_detail(const struct publication *w)
{
	if (!w->in->observed->built)
		return NULL;
	json_t *tables = json_array();

	for (size_t i = 0; i < w->set.n; i++)
		json_array_append_new(tables, table_detail(w, i));
	json_t *detail = json_pack("{s:s, s:s?, s:s, s:s?, s:o}", "strategy", w->plan->strategy,
				   "of", js_get_string(w->in->rolled_back, "id"), "from",
				   config_text(w->in->config, OPTION_FROM), "to",
				   config_text(w->in->config, OPTION_TO), "tables", tables);

	for (size_t i = 0; i < w->set.container_count; i++) {
		const struct publish_container *c = &w->set.containers[i];

		if (i == 0)
			json_object_set_new(detail, "containers", json_array());
		json_array_append_new(
			json_object_get(detail, "containers"),
			json_pack("{s:s, s:s, s:s, s:b, s:b}", "database", c->to.database, "from",
				  c->from.schema, "to",
				  *c->to.schema ? c->to.schema : c->to.database, "is_file",
				  !*c->to.schema && w->in->dialect->swaps_files, "is_database",
				  !*c->to.schema && w->in->dialect->swaps_databases));
	}
	json_t *not_checked = publication_not_checked(w);

	if (not_checked)
		json_object_set_new(detail, "not_checked", not_checked);
	if (w->plan->kept_count > 0)
		json_object_set_new(detail, "kept", plan_kept_json(w->plan));
	if (w->rebuilds)
		json_object_set_new(detail, "rebuilds", json_true());
	return detail;
}

static bool keeps_any(const struct publication *w)
{
	for (size_t i = 0; i < w->set.n; i++)
		if (w->set.tables[i].restore.identifier)
			return true;
	return false;
}

static json_t *restore_detail(const struct publication *w, const struct publish_table *t)
{
	json_t *detail = json_pack(
		"{s:I, s:[s, s, s], s:I, s:s?, s:I, s:I}", "number", (json_int_t)t->number, "of",
		t->to->database, t->to->schema, t->to->identifier, "rows",
		(json_int_t)t->to_table->rows, "content", t->to_table->content, "keep",
		(json_int_t)config_number(w->in->config, OPTION_KEEP), "keep_for",
		(json_int_t)config_number(w->in->config, OPTION_KEEP_FOR));

	if (t->restore_is_copy)
		json_object_set_new(detail, "copy", json_true());
	return detail;
}

/* The restore points one by one; the warehouse adds object and size. NULL before the build. */
static json_t *restores_detail(const struct publication *w)
{
	if (!w->in->observed->built)
		return NULL;
	json_t *restores = json_array();

	for (size_t i = 0; i < w->set.n; i++)
		if (w->set.tables[i].restore.identifier)
			json_array_append_new(restores, restore_detail(w, &w->set.tables[i]));
	return restores;
}

static int push_record(struct publication *w, struct strv *statements, struct err *err)
{
	json_t *detail CLEANUP(js_free) = publication_detail(w);
	json_t *restores CLEANUP(js_free) = restores_detail(w);
	struct relation *relations =
		arena_alloc(&w->plan->arena, (w->set.n + 1) * sizeof(*relations));

	for (size_t i = 0; i < w->set.n; i++)
		relations[i] = *w->set.tables[i].to;
	if (state_push_log(&w->state, STATE_PUBLISHED, detail, statements, err) < 0)
		return -1;
	if (state_push_objects(&w->state, relations, w->set.n, statements, err) < 0)
		return -1;
	if (w->set.container_count > 0)
		return publication_push_asides(w, &w->state, statements, err);
	return keeps_any(w) ? state_push_restores(&w->state, restores, statements, err) : 0;
}

/* Rows have a transaction everywhere: what is recorded is recorded together. */
static int push_record_whole(struct publication *w, struct strv *statements, struct err *err)
{
	struct strv rows CLEANUP(strv_release) = STRV_INIT;
	struct buf whole CLEANUP(buf_release) = BUF_INIT;

	if (!is_one_by_one(w))
		return push_record(w, statements, err);
	if (push_record(w, &rows, err) < 0)
		return -1;
	buf_add_str(&whole, "begin;\n");
	for (size_t i = 0; i < rows.n; i++)
		buf_printf(&whole, "%s;\n", rows.v[i]);
	buf_add_str(&whole, "commit");
	strv_push(statements, buf_cstr(&whole));
	return 0;
}

int publication_push_spent(const struct publication *w, struct strv *statements, struct err *err)
{
	for (size_t i = 0; i < w->spent_count; i++) {
		const struct sql_arg arg = SQL_ARG_RELATION("spent", &w->spent[i]);

		if (dialect_push_text(statements, w->in->dialect, "drop table if exists {spent}",
				      &arg, 1, err) < 0)
			return -1;
	}
	return 0;
}

/* Of what dbt made anew, or dropped, and a rollback made as it was. */
static int push_given_back(const struct publication *w, struct strv *statements, struct err *err)
{
	if (!js_get_bool(w->in->rolled_back, "rebuilds", false))
		return 0;
	return state_push_grants_back(&w->state, js_get_string(w->in->rolled_back, "id"),
				      statements, err);
}

static int plan_transaction(struct publication *w, const char *reason, struct err *err)
{
	struct step *step =
		plan_add_step(w->plan, "publish", "publish",
			      is_one_by_one(w) ? STEP_OPERATION : STEP_TRANSACTION, reason);
	struct strv probe CLEANUP(strv_release) = STRV_INIT;
	struct strv guard CLEANUP(strv_release) = STRV_INIT;

	step->changes_production = !w->rebuilds;
	step->undo = w->set.container_count > 0
			     ? "what was production is called <name>" STATE_DEMOTED "<id>"
			     : "rows that were replaced are in " STATE_RESTORE_SCHEMA;
	if (state_push_probe(&w->state, &probe, err) < 0)
		return -1;
	step->probe = arena_strdup(&w->plan->arena, probe.v[0]);
	if (is_one_by_one(w) && state_push_guard(&w->state, &guard, err) < 0)
		return -1;
	w->set.guard = guard.n > 0 ? guard.v[0] : NULL;
	w->set.is_resumed = w->in->is_resumed;
	if (state_push_tag(&w->state, &step->sql, err) < 0)
		return -1;
	step->of_session = step->sql.n;
	w->set.chains = &step->chains;
	if (state_push_fences(&w->state, &step->sql, err) < 0 ||
	    push_schemas(w, &step->sql, err) < 0 ||
	    (w->rebuilds ? publication_keep_tables(w, &step->sql, err)
			 : w->in->dialect->publish(w->in->dialect, &w->set, &step->sql, err)) < 0 ||
	    push_given_back(w, &step->sql, err) < 0)
		return -1;
	w->set.guard = NULL;
	w->set.chains = NULL;
	publication_count_updates(w, &step->sql);
	/* Without a transaction they are there for who goes on, until nothing is left to do. */
	if (is_one_by_one(w))
		return push_record_whole(w, &step->sql, err) < 0
			       ? -1
			       : publication_push_spent(w, &step->sql, err);
	return publication_push_spent(w, &step->sql, err) < 0
		       ? -1
		       : push_record_whole(w, &step->sql, err);
}

int publication_plan_publish(struct publication *w, const char *reason, struct err *err)
{
	bool is_file = w->set.container_count > 0 && w->in->dialect->swaps_files;

	if (publication_plan_hook(w, OPTION_BEFORE_PUBLISH, err) < 0 ||
	    (is_file ? publication_plan_file(w, reason, err) : plan_transaction(w, reason, err)) <
		    0)
		return -1;
	if (w->rebuilds && publication_plan_rebuild(w, err) < 0)
		return -1;
	return publication_plan_hook(w, OPTION_AFTER_PUBLISH, err);
}

/* Of a schema or file of this exchange, and not the one that comes back. */
static bool concerns_swap(const struct publication *w, const struct restore_point *point)
{
	const struct dialect *dialect = w->in->dialect;
	bool is_of_set = false;

	if (point->file && js_text_is(w->in->rolled_back, "id", point->id))
		return false;
	for (size_t i = 0; i < w->set.container_count; i++) {
		const struct publish_container *c = &w->set.containers[i];

		if (relation_same_schema(dialect, &point->relation, &c->from))
			return false;
		is_of_set = is_of_set || relation_same_schema(dialect, &point->of, &c->to);
	}
	return is_of_set;
}

static bool concerns(const struct publication *w, const struct restore_point *point)
{
	const struct dialect *dialect = w->in->dialect;
	bool is_of_set = false;

	if (point->is_schema)
		return concerns_swap(w, point);
	for (size_t i = 0; i < w->set.n; i++) {
		const struct publish_table *t = &w->set.tables[i];

		if (t->from && relation_equal(dialect, &point->relation, t->from))
			return false;
		is_of_set = is_of_set || relation_equal(dialect, &point->of, t->to);
	}
	return is_of_set;
}

/* Which restore points of these tables there are, and which are expired once this is published. */
static int read_restores(struct publication *w, struct err *err)
{
	struct restore_list *list = &w->plan->restores;
	const json_t *rows = js_get_array(w->in->observed->json, "restores");
	struct relation *made = arena_alloc(
		&w->plan->arena, (w->set.n + w->set.container_count + 1) * sizeof(*made));
	const struct restore_policy policy = {
		.keep = config_number(w->in->config, OPTION_KEEP),
		.keep_for_s = config_number(w->in->config, OPTION_KEEP_FOR),
	};
	size_t made_count = 0;
	size_t n = 0;

	if (!rows)
		return 0;
	if (restore_parse(rows, w->in->dialect, w->in->database, list, err) < 0)
		return -1;
	for (size_t i = 0; i < list->n; i++)
		if (list->v[i].state != RESTORE_FOREIGN && concerns(w, &list->v[i]))
			list->v[n++] = list->v[i];
	list->n = n;
	for (size_t i = 0; i < w->set.n; i++)
		if (w->set.tables[i].restore.identifier)
			made[made_count++] = *w->set.tables[i].to;
	for (size_t i = 0; i < w->set.container_count; i++)
		made[made_count++] = w->set.containers[i].to;
	restore_judge(list, w->in->dialect, &policy, made, made_count);
	return 0;
}

static int plan_expiry(struct publication *w, struct err *err)
{
	const struct restore_list *list = &w->plan->restores;
	struct step *step = NULL;

	for (size_t i = 0; i < list->n; i++) {
		if (list->v[i].state != RESTORE_EXPIRED)
			continue;
		if (!step) {
			step = plan_add_step(w->plan, "expire", "finish", STEP_OPERATION,
					     "expired restore points go, each in a transaction of "
					     "its own");
			step->idempotent = true;
			step->undo = "nothing";
		}
		if (restore_push_drop(&w->state, &list->v[i], STATE_EXPIRED_BY_DEPLOY, &step->sql,
				      err) < 0)
			return -1;
	}
	return 0;
}

/* A statement that comes late finds nothing to publish. */
static int push_stage_drops(struct publication *w, struct strv *statements, struct err *err)
{
	for (size_t i = 0; i < w->set.n; i++) {
		const struct relation *own[] = { &w->set.tables[i].side, &w->set.tables[i].stage };

		for (size_t k = 0; k < ARRAY_LEN(own); k++) {
			const struct sql_arg arg = SQL_ARG_RELATION("own", own[k]);

			if (own[k]->identifier &&
			    dialect_push_text(&w->plan->disarms, w->in->dialect,
					      "drop table if exists {own}", &arg, 1, err) < 0)
				return -1;
		}
	}
	strv_push_all(statements, &w->plan->disarms);
	return 0;
}

/* What a rollback left under the name of the restore point, so that it could be asked about. */
static int push_emptied_drops(struct publication *w, struct strv *statements, struct err *err)
{
	for (size_t i = 0; w->in->rolled_back && i < w->set.container_count; i++) {
		const struct publish_container *c = &w->set.containers[i];
		const struct sql_arg arg = SQL_ARG_SCHEMA("it", &c->from);

		if (w->in->dialect->swaps_databases && !*c->from.schema &&
		    dialect_push_text(statements, w->in->dialect, "drop database if exists {it}",
				      &arg, 1, err) < 0)
			return -1;
	}
	return 0;
}

int publication_plan_finish(struct publication *w, struct err *err)
{
	struct step *step = plan_add_step(w->plan, "finish", "finish", STEP_OPERATION,
					  "record the end, release the lock");

	step->idempotent = true;
	step->undo = "nothing";
	if (read_restores(w, err) < 0 ||
	    state_push_log_held(&w->state, STATE_FINISHED, w->in->finish, &step->sql, err) < 0 ||
	    push_stage_drops(w, &step->sql, err) < 0 ||
	    push_emptied_drops(w, &step->sql, err) < 0 ||
	    state_push_release(&w->state, &step->sql, err) < 0 || plan_expiry(w, err) < 0)
		return -1;
	return publication_plan_hook(w, OPTION_AFTER_FAILURE, err);
}
