#include "airlock/deploy/restore.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "airlock/format/json.h"
#include "airlock/warehouse/marker.h"

static const char *copy(struct restore_list *list, const char *text)
{
	return text ? arena_strdup(&list->arena, text) : NULL;
}

/* An oid stays when the table is written anew, as by a vacuum in full; the file does not. */
static bool same_object(const char *recorded, const char *found)
{
	size_t len = recorded ? strcspn(recorded, "/") : 0;

	return !recorded || !found ||
	       (strncmp(recorded, found, len) == 0 && (!found[len] || found[len] == '/'));
}

static char *marker_of(const struct restore_point *point)
{
	if (point->is_schema)
		return marker_demoted(point->id);
	return marker_restore(point->id, (size_t)point->number, &point->of);
}

/* What people wrote before it stays. */
static bool ends_with(const char *text, const char *end)
{
	size_t len = text ? strlen(text) : 0;

	return len >= strlen(end) && strcmp(text + len - strlen(end), end) == 0;
}

static const char *why_foreign_schema(struct restore_list *list, const struct restore_point *point,
				      const json_t *row, const json_t *restore)
{
	const char *others = js_get_string(row, "others");
	const char *object = js_get_string(row, "object");

	if (!point->id || !point->of.schema)
		return "no deployment in the history has made it";
	char *marker CLEANUP(mem_free_string) = marker_of(point);

	if (!ends_with(js_get_string(row, "comment"), marker))
		return "its comment, which says what it is, is another";
	if (!object || !js_text_is(restore, "object", object))
		return "it is another one of that name";
	if (others)
		return arena_printf(&list->arena, "it holds what no deployment made: %s", others);
	return NULL;
}

static const char *why_foreign(const struct restore_point *point, const json_t *row,
			       const json_t *restore)
{
	const char *comment = js_get_string(row, "comment");

	if (!point->id || !point->of.schema || !point->of.identifier)
		return "no deployment in the history has made it";
	char *marker CLEANUP(mem_free_string) = marker_of(point);

	if (!comment || strcmp(comment, marker) != 0)
		return "its comment, which says what it is, is another";
	if (!same_object(js_get_string(restore, "object"), js_get_string(row, "object")))
		return "it is another table of that name";
	return NULL;
}

static const char *part_of(struct restore_list *list, const json_t *restore, size_t i)
{
	return copy(list, json_string_value(json_array_get(js_get_array(restore, "of"), i)));
}

static int read_point(struct restore_list *list, const json_t *row, const char *database,
		      struct restore_point *point, struct err *err)
{
	const json_t *restore = js_get_object(row, "restore");

	*point = (struct restore_point) {
		.relation = { copy(list, database), STATE_RESTORE_SCHEMA,
			      copy(list, js_get_string(row, "identifier")) },
		.state = RESTORE_KEPT,
		.id = copy(list, js_get_string(row, "id")),
		.number = js_get_integer(restore, "number", 0),
		.of = { part_of(list, restore, 0), part_of(list, restore, 1),
			part_of(list, restore, 2) },
		.at = copy(list, js_get_string(row, "at")),
		.age_s = js_get_integer(row, "age", 0),
		.rows = js_get_integer(restore, "rows", -1),
		.bytes = js_get_integer(row, "bytes", 0),
		.is_snapshot = js_get_bool(row, "snapshot", false),
		.keep = js_get_integer(restore, "keep", 1),
		.keep_for_s = js_get_integer(restore, "keep_for", 0),
	};
	if (js_get_string(row, "file")) {
		point->is_schema = true;
		point->file = copy(list, js_get_string(row, "file"));
		point->relation.schema = copy(list, js_get_string(row, "schema"));
		point->why = point->id && point->of.schema
				     ? NULL
				     : "no deployment in the history has made it";
	} else if (js_get_string(row, "aside")) {
		point->is_schema = true;
		point->relation =
			(struct relation) { copy(list, js_get_string(row, "aside")), "", NULL };
		point->why = why_foreign_schema(list, point, row, restore);
	} else if (js_get_string(row, "schema")) {
		point->is_schema = true;
		point->relation.schema = copy(list, js_get_string(row, "schema"));
		point->why = why_foreign_schema(list, point, row, restore);
	} else if (point->relation.identifier) {
		point->why = why_foreign(point, row, restore);
	} else {
		return err_set(err, ERR_NO_ANSWER, "the list of restore points is not whole");
	}
	if (!point->why && !point->at)
		point->why = "the history does not say when it was made";
	if (point->why)
		point->state = RESTORE_FOREIGN;
	return 0;
}

/* By relation, the newest first; what is not ours last. */
static int compare_points(const void *a, const void *b, const void *dialect)
{
	const struct restore_point *x = a;
	const struct restore_point *y = b;
	int of;

	if ((x->state == RESTORE_FOREIGN) != (y->state == RESTORE_FOREIGN))
		return x->state == RESTORE_FOREIGN ? 1 : -1;
	if (x->state == RESTORE_FOREIGN)
		return relation_compare(dialect, &x->relation, &y->relation);
	of = relation_compare(dialect, &x->of, &y->of);
	if (of != 0)
		return of;
	if (x->age_s != y->age_s)
		return x->age_s < y->age_s ? -1 : 1;
	return strcmp(y->at, x->at) ? strcmp(y->at, x->at) : strcmp(y->id, x->id);
}

int restore_parse(const json_t *rows, const struct dialect *dialect, const char *database,
		  struct restore_list *ret_list, struct err *err)
{
	struct restore_list list = { .n = json_array_size(rows) };

	arena_init(&list.arena);
	list.v = arena_alloc(&list.arena, (list.n + 1) * sizeof(*list.v));
	for (size_t i = 0; i < list.n; i++) {
		if (read_point(&list, json_array_get(rows, i), database, &list.v[i], err) < 0) {
			restore_release(&list);
			return -1;
		}
	}
	mem_sort(list.v, list.n, sizeof(*list.v), compare_points, dialect);
	*ret_list = list;
	return 0;
}

/* Each row of the table says the same; its newest restore point is always there. */
size_t restore_snapshots(const json_t *rows, const struct dialect *dialect,
			 const struct relation *of)
{
	for (size_t i = 0; i < json_array_size(rows); i++) {
		const json_t *row = json_array_get(rows, i);
		const json_t *made_of = js_get_array(js_get_object(row, "restore"), "of");
		const struct relation one = {
			json_string_value(json_array_get(made_of, 0)),
			json_string_value(json_array_get(made_of, 1)),
			json_string_value(json_array_get(made_of, 2)),
		};

		if (one.identifier && relation_equal(dialect, &one, of))
			return (size_t)js_get_integer(row, "snapshots", 0);
	}
	return 0;
}

void restore_release(struct restore_list *list)
{
	arena_release(&list->arena);
	*list = (struct restore_list) { .n = 0 };
}

static int64_t made_now(const struct dialect *dialect, const struct relation *of,
			const struct relation *made, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (relation_equal(dialect, of, &made[i]))
			return 1;
	return 0;
}

/* Schemas that one exchange put aside may read each other, are put back together, and go as one:
 * one that is still the newest of its name keeps the others. */
static bool is_kept_with(const struct restore_list *list, const struct restore_point *point)
{
	for (size_t i = 0; point->is_schema && i < list->n; i++) {
		const struct restore_point *other = &list->v[i];

		if (other->is_schema && other->state == RESTORE_KEPT &&
		    strcmp(other->id, point->id) == 0)
			return true;
	}
	return false;
}

static const char *going_with(struct restore_list *list, const struct restore_point *point)
{
	json_t *names CLEANUP(js_free) = json_array();

	for (size_t i = 0; i < list->n; i++) {
		const struct restore_point *other = &list->v[i];

		if (other != point && other->state == RESTORE_EXPIRED && other->is_schema &&
		    strcmp(other->id, point->id) == 0)
			json_array_append_new(names, json_string(other->relation.schema));
	}
	char *text CLEANUP(mem_free_string) = json_dumps(names, JSON_COMPACT);

	return copy(list, text);
}

void restore_judge(struct restore_list *list, const struct dialect *dialect,
		   const struct restore_policy *policy, const struct relation *made, size_t n)
{
	struct restore_policy told = { 1, 0 };
	const struct restore_point *before = NULL;

	for (size_t i = 0; i < list->n; i++) {
		struct restore_point *point = &list->v[i];

		if (point->state == RESTORE_FOREIGN)
			break;
		bool first = !before || !relation_equal(dialect, &before->of, &point->of);

		if (first)
			told = policy ? *policy
				      : (struct restore_policy) { point->keep, point->keep_for_s };
		point->newer = first ? made_now(dialect, &point->of, made, n) : before->newer + 1;
		point->state = point->newer >= told.keep && point->age_s >= told.keep_for_s
				       ? RESTORE_EXPIRED
				       : RESTORE_KEPT;
		before = point;
	}
	for (size_t i = 0; i < list->n; i++)
		if (list->v[i].state == RESTORE_EXPIRED && is_kept_with(list, &list->v[i]))
			list->v[i].state = RESTORE_KEPT;
	for (size_t i = 0; i < list->n; i++)
		if (list->v[i].state == RESTORE_EXPIRED && list->v[i].is_schema)
			list->v[i].going = going_with(list, &list->v[i]);
}

const char *restore_state_name(enum restore_state state)
{
	switch (state) {
	case RESTORE_KEPT:
		return "kept";
	case RESTORE_EXPIRED:
		return "expired";
	case RESTORE_FOREIGN:
		return "foreign";
	}
	return "";
}

static char *display(const struct restore_point *point)
{
	const struct relation database = { point->relation.database, NULL, NULL };

	return point->file
		       ? mem_strdup(point->file)
		       : relation_display(*point->relation.schema ? &point->relation : &database);
}

/* A file has no schema. */
static char *display_of(const struct restore_point *point)
{
	const struct relation of = { point->of.database,
				     *point->of.schema && !point->file ? point->of.schema : NULL,
				     point->of.identifier };

	return relation_display(&of);
}

json_t *restore_json(const struct restore_point *point)
{
	char *name CLEANUP(mem_free_string) = display(point);
	char *of CLEANUP(mem_free_string) = point->of.schema ? display_of(point) : NULL;

	return json_pack("{s:s, s:s, s:s?, s:s?, s:s?, s:s?, s:o, s:I}", "relation", name, "state",
			 restore_state_name(point->state), "why", point->why, "deployment",
			 point->id, "of", of, "at", point->at, "rows",
			 point->rows < 0 ? json_null() : json_integer(point->rows), "bytes",
			 (json_int_t)point->bytes);
}

void restore_write_size(struct buf *out, int64_t bytes)
{
	static const char *const units[] = { "bytes", "kB", "MB", "GB", "TB" };
	size_t unit = 0;

	for (; bytes >= 10240 && unit + 1 < ARRAY_LEN(units); unit++)
		bytes = (bytes + 512) / 1024;
	buf_printf(out, "%" PRId64 " %s", bytes, units[unit]);
}

static size_t count(const struct restore_list *list, enum restore_state state, int64_t *ret_bytes)
{
	size_t n = 0;

	*ret_bytes = 0;
	for (size_t i = 0; i < list->n; i++) {
		if (list->v[i].state != state)
			continue;
		n++;
		*ret_bytes += list->v[i].bytes;
	}
	return n;
}

void restore_write_summary(const struct restore_list *list, struct buf *out)
{
	int64_t kept_bytes;
	int64_t expired_bytes;
	size_t kept = count(list, RESTORE_KEPT, &kept_bytes);
	size_t expired = count(list, RESTORE_EXPIRED, &expired_bytes);

	if (kept + expired == 0)
		return;
	buf_printf(out, "restore points: %zu stay (", kept);
	restore_write_size(out, kept_bytes);
	buf_printf(out, "), %zu expire%s (", expired, expired == 1 ? "s" : "");
	restore_write_size(out, expired_bytes);
	buf_add_str(out, expired ? "):\n" : ")\n");
	for (size_t i = 0; i < list->n; i++) {
		const struct restore_point *point = &list->v[i];

		if (point->state != RESTORE_EXPIRED)
			continue;
		bool of_database = point->relation.schema && !*point->relation.schema;
		const struct relation own = {
			of_database ? point->relation.database : NULL,
			of_database ? NULL : point->relation.schema,
			point->relation.identifier,
		};
		char *name CLEANUP(mem_free_string) =
			point->file ? mem_strdup(point->file) : relation_display(&own);
		char *of CLEANUP(mem_free_string) = display_of(point);

		buf_printf(out, "  %s of %s, made %.19s\n", name, of, point->at);
	}
}

json_t *restore_summary(const struct restore_list *list)
{
	json_t *expired = json_array();
	int64_t kept_bytes;
	int64_t expired_bytes;
	size_t kept = count(list, RESTORE_KEPT, &kept_bytes);

	count(list, RESTORE_EXPIRED, &expired_bytes);
	for (size_t i = 0; i < list->n; i++)
		if (list->v[i].state == RESTORE_EXPIRED)
			json_array_append_new(expired, restore_json(&list->v[i]));
	return json_pack("{s:I, s:I, s:o, s:I}", "kept", (json_int_t)kept, "kept_bytes",
			 (json_int_t)kept_bytes, "expired", expired, "expired_bytes",
			 (json_int_t)expired_bytes);
}

int restore_push_drop(const struct state *state, const struct restore_point *point, const char *by,
		      struct strv *statements, struct err *err)
{
	bool whole = point->is_schema;
	bool of_database = whole && !*point->relation.schema;
	char *marker CLEANUP(mem_free_string) = marker_of(point);
	char *name CLEANUP(mem_free_string) = display(point);
	json_t *detail CLEANUP(js_free) =
		json_pack("{s:I, s:s, s:I}", "number", (json_int_t)point->number, "by", by, "bytes",
			  (json_int_t)point->bytes);
	char *text CLEANUP(mem_free_string) = json_dumps(detail, JSON_COMPACT);
	const struct sql_arg args[] = {
		SQL_ARG_RELATION("log", &state->log),
		SQL_ARG_RELATION("restore", &point->relation),
		SQL_ARG_SCHEMA("restores", &point->relation),
		SQL_ARG_SCHEMA("aside", &point->relation),
		SQL_ARG_IDENT("home", state->schema.database),
		SQL_ARG_LITERAL("restore_schema", STATE_RESTORE_SCHEMA),
		SQL_ARG_LITERAL("identifier", of_database ? point->relation.database
					      : whole     ? point->relation.schema
							  : point->relation.identifier),
		SQL_ARG_LITERAL("marker", marker),
		SQL_ARG_LITERAL("maker", point->id),
		SQL_ARG_LITERAL("going", point->going ? point->going : "[]"),
		SQL_ARG_LITERAL("shown", name),
		SQL_ARG_LITERAL("file", point->file ? point->file : ""),
		SQL_ARG_IDENT("alias", whole ? point->relation.schema : ""),
		SQL_ARG_IDENT("catalog", point->relation.database),
		SQL_ARG_LITERAL("detail", text),
		SQL_ARG_STATEMENT("snapshot", point->is_snapshot ? "snapshot " : ""),
	};

	if (dialect_push(statements, state->dialect,
			 of_database ? DIALECT_ASIDE_DATABASE_CHECK
			 : whole     ? DIALECT_ASIDE_CHECK
				     : DIALECT_RESTORE_CHECK,
			 args, ARRAY_LEN(args), err) < 0 ||
	    (!point->file && dialect_push(statements, state->dialect,
					  of_database ? DIALECT_ASIDE_DATABASE_DROP
					  : whole     ? DIALECT_ASIDE_DROP
						      : DIALECT_RESTORE_DROP,
					  args, ARRAY_LEN(args), err) < 0))
		return -1;
	return dialect_push(statements, state->dialect, DIALECT_RESTORE_DROPPED, args,
			    ARRAY_LEN(args), err);
}
