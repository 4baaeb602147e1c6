#include "airlock/deploy/plan.h"

#include <stdlib.h>
#include <string.h>

#include "airlock/format/json.h"
#include "airlock/warehouse/sql.h"

void plan_init(struct plan *plan)
{
	*plan = (struct plan) { 0 };
	arena_init(&plan->arena);
}

void plan_release(struct plan *plan)
{
	for (size_t i = 0; i < plan->step_count; i++) {
		strv_release(&plan->steps[i]->command);
		strv_release(&plan->steps[i]->sql);
		free(plan->steps[i]->chains.items);
	}
	free(plan->steps);
	strv_release(&plan->warnings);
	strv_release(&plan->disarms);
	restore_release(&plan->restores);
	arena_release(&plan->arena);
	*plan = (struct plan) { 0 };
}

struct step *plan_add_step(struct plan *plan, const char *id, const char *phase,
			   enum step_kind kind, const char *reason)
{
	struct step *step = arena_alloc(&plan->arena, sizeof(*step));

	step->id = arena_strdup(&plan->arena, id);
	step->phase = arena_strdup(&plan->arena, phase);
	step->kind = kind;
	step->reason = arena_strdup(&plan->arena, reason);
	mem_grow((void **)&plan->steps, &plan->step_cap, plan->step_count + 1,
		 sizeof(struct step *));
	plan->steps[plan->step_count++] = step;
	return step;
}

const struct step *plan_step(const struct plan *plan, const char *id)
{
	for (size_t i = 0; i < plan->step_count; i++)
		if (strcmp(plan->steps[i]->id, id) == 0)
			return plan->steps[i];
	return NULL;
}

const char *step_kind_name(enum step_kind kind)
{
	switch (kind) {
	case STEP_OPERATION:
		return "operation";
	case STEP_TRANSACTION:
		return "transaction";
	case STEP_DBT:
		return "dbt";
	case STEP_CHECK:
		return "check";
	case STEP_HOOK:
		return "hook";
	case STEP_FILE:
		return "file";
	}
	return "";
}

/* Whether `text` is `pattern` with something in the place of each undecided value: the first
 * piece at its beginning, the last at its end, the others in order between them. */
static bool matches_undecided(const char *pattern, const char *text)
{
	const char *mark = strstr(pattern, "\x01?");
	size_t len = mark ? (size_t)(mark - pattern) : 0;

	if (!mark)
		return strcmp(pattern, text) == 0;
	if (strncmp(pattern, text, len) != 0)
		return false;
	for (text += len; mark;) {
		const char *end = strchr(mark + 1, SQL_BIND_MARK);

		if (!end)
			return false;
		pattern = end + 1;
		mark = strstr(pattern, "\x01?");
		len = mark ? (size_t)(mark - pattern) : strlen(pattern);
		if (!mark)
			return strlen(text) >= len &&
			       strcmp(text + strlen(text) - len, pattern) == 0;
		text = memmem(text, strlen(text), pattern, len);
		if (!text)
			return false;
		text += len;
	}
	return false;
}

static char *show(const char *sql)
{
	struct buf out = BUF_INIT;

	sql_show(&out, sql);
	return buf_take(&out);
}

bool plan_same_sql(const struct step *before, const struct step *after, char **ret_difference)
{
	*ret_difference = NULL;
	for (size_t i = 0; i < before->sql.n || i < after->sql.n; i++) {
		const char *was = i < before->sql.n ? before->sql.v[i] : "nothing";
		const char *is = i < after->sql.n ? after->sql.v[i] : "nothing";

		if (matches_undecided(was, is))
			continue;
		char *was_shown CLEANUP(mem_free_string) = show(was);
		char *is_shown CLEANUP(mem_free_string) = show(is);

		*ret_difference = mem_printf("was: %s\n  is: %s", was_shown, is_shown);
		return false;
	}
	return true;
}

static void write_table(const struct plan_table *table, struct buf *out)
{
	char *from CLEANUP(mem_free_string) = relation_display(&table->route->from);
	char *to CLEANUP(mem_free_string) = relation_display(&table->route->to);

	if (table->route->is_orphan) {
		buf_printf(out, "  removed from production: %s\n      %s (%s): %s\n", to,
			   table->route->node->unique_id, table->route->reason, table->reason);
		return;
	}
	buf_printf(out, "  %s (%s)\n      %s -> %s\n      %s: %s\n", table->route->node->unique_id,
		   table->route->reason, from, to, publish_way_name(table->way), table->reason);
}

static void write_copies(const struct plan *plan, struct buf *out)
{
	for (size_t i = 0; i < plan->copy_count; i++) {
		const struct plan_copy *copy = &plan->copies[i];
		char *from CLEANUP(mem_free_string) = relation_display(&copy->route->to);
		char *to CLEANUP(mem_free_string) = relation_display(&copy->route->from);

		if (copy->way == PUBLISH_REMOVE)
			buf_printf(out, "  removed from staging before the build: %s\n", to);
		else
			buf_printf(out, "  copied before the build: %s -> %s\n", from, to);
		buf_printf(out, "      %s: %s\n", copy->route->node->unique_id, copy->reason);
	}
	for (size_t i = 0; i < plan->read_count; i++) {
		char *name CLEANUP(mem_free_string) = relation_display(&plan->reads[i]->to);

		buf_printf(out, "  read from production: %s (%s)\n", name,
			   plan->reads[i]->node->unique_id);
	}
}

static void write_cloned(const struct plan *plan, struct buf *out)
{
	for (size_t i = 0; i < plan->cloned_count; i++) {
		const struct plan_cloned *one = &plan->cloned[i];

		buf_printf(out, "  cloned with production: %s %s.%s -> %s%s\n", one->kind,
			   one->from, one->name, one->to,
			   one->is_suspended ? ", suspended until it is production" : "");
	}
}

static void write_kept(const struct plan *plan, struct buf *out)
{
	for (size_t i = 0; i < plan->kept_count; i++) {
		char *to CLEANUP(mem_free_string) = relation_display(&plan->kept[i].route->to);

		buf_printf(out, "  %s keeps its last good copy (%s)\n      %s: %s\n", to,
			   plan->kept[i].route->reason, plan->kept[i].state, plan->kept[i].why);
	}
}

static void write_step(const struct step *step, size_t number, struct buf *out)
{
	buf_printf(out, "%zu. %s (%s, %s): %s\n", number, step->id, step->phase,
		   step_kind_name(step->kind), step->reason);
	if (step->command.n > 0)
		buf_add_str(out, step->kind == STEP_DBT ? "      dbt" : "     ");
	for (size_t i = 0; i < step->command.n; i++) {
		buf_add_char(out, ' ');
		if (step->kind == STEP_FILE)
			sql_show(out, step->command.v[i]);
		else
			buf_add_shell_word(out, step->command.v[i]);
	}
	if (step->command.n > 0)
		buf_add_char(out, '\n');
	if (step->kind == STEP_TRANSACTION)
		buf_add_str(out, "      begin;\n");
	for (size_t i = 0; i < step->sql.n; i++) {
		buf_add_str(out, "      ");
		sql_show(out, step->sql.v[i]);
		buf_add_str(out, ";\n");
	}
	if (step->kind == STEP_TRANSACTION)
		buf_add_str(out, "      commit;\n");
}

static void write_side(const char *target, const char *variables, struct buf *out)
{
	buf_printf(out, "'%s'", target);
	if (variables && *variables)
		buf_printf(out, " with %s", variables);
}

static void write_updates(const struct plan *plan, struct buf *out)
{
	const struct plan_update *most = plan->updates;
	size_t n = 0;

	if (plan->update_count == 0)
		return;
	for (size_t i = 0; i < plan->update_count; i++) {
		n += plan->updates[i].n;
		if (plan->updates[i].n > most->n)
			most = &plan->updates[i];
	}
	buf_printf(
		out,
		"metadata updates: %zu, most of '%s': %zu; the service takes %zu of one table or "
		"dataset in %zu seconds, and %zu of a table in a day\n",
		n, most->of, most->n, plan->dialect->updates_at_once,
		plan->dialect->updates_within_s, plan->dialect->updates_a_day);
}

void plan_write_text(const struct plan *plan, const struct routes *routes, struct buf *out)
{
	size_t tables = routes->scope_count - routes->view_count;

	buf_printf(out, "%s from ", plan->strategy);
	write_side(plan->from, plan->from_env, out);
	if (plan->to) {
		buf_add_str(out, " to ");
		write_side(plan->to, plan->to_env, out);
	}
	buf_printf(out, " on %s: %zu table%s", plan->dialect->title, tables,
		   tables == 1 ? "" : "s");
	if (routes->view_count > 0)
		buf_printf(out, " and %zu view%s", routes->view_count,
			   routes->view_count == 1 ? "" : "s");
	buf_printf(out, "%s\n",
		   plan_step(plan, "link") ? ", by one rename"
		   : plan->atomic          ? ", in one transaction"
					   : ", one at a time");
	for (size_t i = 0; i < plan->table_count; i++)
		write_table(&plan->tables[i], out);
	write_copies(plan, out);
	write_cloned(plan, out);
	write_kept(plan, out);
	if (plan->conflict)
		buf_printf(out, "conflict: %s; not seen: %s\n", plan->conflict,
			   plan->conflict_unseen);
	write_updates(plan, out);
	restore_write_summary(&plan->restores, out);
	for (size_t i = 0; i < plan->warnings.n; i++)
		buf_printf(out, "warning: %s\n", plan->warnings.v[i]);
	for (size_t i = 0; i < plan->step_count; i++)
		write_step(plan->steps[i], i + 1, out);
	buf_printf(out, "<...> is decided when it runs; production changes in the step '%s' only\n",
		   plan_step(plan, "rebuild") ? "rebuild" : "publish");
}

static json_t *strings_json(const struct strv *strings, bool shown)
{
	json_t *list = json_array();

	for (size_t i = 0; i < strings->n; i++) {
		char *text CLEANUP(mem_free_string) =
			shown ? show(strings->v[i]) : mem_strdup(strings->v[i]);

		json_array_append_new(list, json_string(text));
	}
	return list;
}

static json_t *relation_json(const struct relation *relation, const char *relation_name)
{
	return json_pack("{s:s?, s:s?, s:s?, s:s?}", "database", relation->database, "schema",
			 relation->schema, "identifier", relation->identifier, "relation_name",
			 relation_name);
}

static json_t *route_json(const struct route *route, const struct dialect *dialect)
{
	json_t *tags = json_array();
	struct buf to_name CLEANUP(buf_release) = BUF_INIT;
	struct err ignored CLEANUP(err_release) = ERR_INIT;
	const struct sql_arg arg = SQL_ARG_RELATION("r", &route->to);
	const char *name = route->to_node ? route->to_node->relation_name : NULL;

	for (size_t i = 0; i < route->node->tag_count; i++)
		json_array_append_new(tags, json_string(route->node->tags[i]));
	if (route->has_to && !name && sql_render(&to_name, dialect, "{r}", &arg, 1, &ignored) == 0)
		name = buf_cstr(&to_name);
	return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:b, s:s}", "unique_id",
			 route->node->unique_id, "resource_type", route->node->resource_type,
			 "materialized", route->node->materialized, "tags", tags, "from",
			 relation_json(&route->from, route->node->relation_name), "to",
			 route->has_to ? relation_json(&route->to, name) : json_null(), "in_scope",
			 (int)route->in_scope, "reason", route->reason);
}

json_t *routes_json(const struct routes *routes)
{
	json_t *list = json_array();

	for (size_t i = 0; i < routes->n; i++)
		json_array_append_new(list, route_json(&routes->items[i], routes->dialect));
	return list;
}

static json_t *step_json(const struct step *step)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:b}", "id", step->id, "phase",
			 step->phase, "kind", step_kind_name(step->kind), "reason", step->reason,
			 "command",
			 step->command.n > 0 ? strings_json(&step->command, false) : json_null(),
			 "sql", strings_json(&step->sql, true), "changes_production",
			 (int)step->changes_production);
}

/* Keys that only a strategy with copies has. */
static void add_copies(const struct plan *plan, json_t *document)
{
	json_t *copies = json_array();
	json_t *reads = json_array();

	for (size_t i = 0; i < plan->copy_count; i++) {
		const struct plan_copy *copy = &plan->copies[i];
		char *from CLEANUP(mem_free_string) = relation_display(&copy->route->to);
		char *to CLEANUP(mem_free_string) = relation_display(&copy->route->from);

		json_array_append_new(copies,
				      json_pack("{s:s, s:s, s:s, s:s, s:s}", "unique_id",
						copy->route->node->unique_id, "from", from, "to",
						to, "way", publish_way_name(copy->way), "reason",
						copy->reason));
	}
	for (size_t i = 0; i < plan->read_count; i++) {
		char *name CLEANUP(mem_free_string) = relation_display(&plan->reads[i]->to);

		json_array_append_new(reads,
				      json_pack("{s:s, s:s}", "unique_id",
						plan->reads[i]->node->unique_id, "relation", name));
	}
	json_object_set_new(document, "copies", copies);
	json_object_set_new(document, "reads", reads);
}

static json_t *cloned_json(const struct plan *plan)
{
	json_t *cloned = json_array();

	for (size_t i = 0; i < plan->cloned_count; i++) {
		const struct plan_cloned *one = &plan->cloned[i];

		json_array_append_new(cloned,
				      json_pack("{s:s, s:s, s:s, s:s, s:b}", "kind", one->kind,
						"database", one->from, "name", one->name, "to",
						one->to, "suspended", (int)one->is_suspended));
	}
	return cloned;
}

json_t *plan_kept_json(const struct plan *plan)
{
	json_t *kept = json_array();

	for (size_t i = 0; i < plan->kept_count; i++) {
		const struct route *route = plan->kept[i].route;
		char *to CLEANUP(mem_free_string) = relation_display(&route->to);

		json_array_append_new(kept,
				      json_pack("{s:s, s:s, s:s, s:s}", "unique_id",
						route->node->unique_id, "relation", to, "state",
						plan->kept[i].state, "why", plan->kept[i].why));
	}
	return kept;
}

static json_t *orphans_json(const struct routes *routes)
{
	json_t *list = json_array();

	for (size_t i = 0; i < routes->orphan_count; i++) {
		const struct route *orphan = &routes->orphans[i];
		char *name CLEANUP(mem_free_string) = relation_display(&orphan->to);

		json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "unique_id",
						      orphan->node->unique_id, "relation", name,
						      "reason", orphan->reason));
	}
	return list;
}

static json_t *updates_json(const struct plan *plan)
{
	json_t *list = json_array();

	for (size_t i = 0; i < plan->update_count; i++)
		json_array_append_new(list, json_pack("{s:s, s:I}", "of", plan->updates[i].of,
						      "updates", (json_int_t)plan->updates[i].n));
	return list;
}

json_t *plan_json(const struct plan *plan, const struct routes *routes)
{
	json_t *steps = json_array();

	for (size_t i = 0; i < plan->step_count; i++)
		json_array_append_new(steps, step_json(plan->steps[i]));
	json_t *document = json_pack(
		"{s:i, s:s, s:s, s:s?, s:s, s:b, s:{s:s?, s:s?}, s:o, s:o, s:o, s:o}", "version", 1,
		"strategy", plan->strategy, "from", plan->from, "to", plan->to, "adapter",
		plan->dialect->name, "atomic", (int)plan->atomic, "conflict", "by", plan->conflict,
		"unseen", plan->conflict_unseen, "restore_points", restore_summary(&plan->restores),
		"routes", routes_json(routes), "steps", steps, "warnings",
		strings_json(&plan->warnings, false));

	if (plan->from_env && *plan->from_env)
		json_object_set_new(document, "from_env", json_string(plan->from_env));
	if (plan->to_env && *plan->to_env)
		json_object_set_new(document, "to_env", json_string(plan->to_env));
	if (routes->orphan_count > 0)
		json_object_set_new(document, "orphans", orphans_json(routes));
	if (plan->updates)
		json_object_set_new(document, "metadata_updates", updates_json(plan));
	if (plan->copies)
		add_copies(plan, document);
	if (plan->cloned)
		json_object_set_new(document, "cloned", cloned_json(plan));
	if (plan->kept)
		json_object_set_new(document, "kept", plan_kept_json(plan));
	return document;
}
