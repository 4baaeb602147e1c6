#include "airlock/deploy/observed.h"

#include <string.h>

#include "airlock/format/json.h"
#include "airlock/warehouse/view_text.h"

/* Every list of the picture is an array or null. */
static size_t list_of(const json_t *object, const char *key, const json_t **ret_list)
{
	*ret_list = js_get_array(object, key);
	return *ret_list ? json_array_size(*ret_list) : 0;
}

static const char *copy(struct observed *o, const json_t *object, const char *key)
{
	return arena_strdup(&o->arena, js_get_string(object, key));
}

static struct relation relation_of(struct observed *o, const json_t *object)
{
	return (struct relation) {
		.database = copy(o, object, "database"),
		.schema = copy(o, object, "schema"),
		.identifier = copy(o, object, "identifier"),
	};
}

static const char *const *strings_of(struct observed *o, const json_t *object, const char *key,
				     size_t *ret_n)
{
	const json_t *list;
	size_t n = list_of(object, key, &list);
	const char **strings = arena_alloc(&o->arena, (n + 1) * sizeof(*strings));

	for (size_t i = 0; i < n; i++) {
		const char *s = json_string_value(json_array_get(list, i));

		strings[i] = arena_strdup(&o->arena, s ? s : "");
	}
	*ret_n = n;
	return strings;
}

static void read_columns(struct observed *o, const json_t *object, struct table *table)
{
	const json_t *list;
	size_t n = list_of(object, "columns", &list);

	table->columns = arena_alloc(&o->arena, (n + 1) * sizeof(*table->columns));
	table->column_count = n;
	for (size_t i = 0; i < n; i++) {
		const json_t *column = json_array_get(list, i);

		table->columns[i] = (struct table_column) {
			.name = copy(o, column, "name"),
			.type = copy(o, column, "type"),
			.not_null = js_get_bool(column, "not_null", false),
			.value = copy(o, column, "default"),
			.comment = copy(o, column, "comment"),
			.tags = copy(o, column, "tags"),
		};
	}
}

static struct table_part *read_parts(struct observed *o, const json_t *object, const char *key,
				     size_t *ret_n)
{
	const json_t *list;
	size_t n = list_of(object, key, &list);
	struct table_part *parts = arena_alloc(&o->arena, (n + 1) * sizeof(*parts));

	for (size_t i = 0; i < n; i++) {
		const json_t *part = json_array_get(list, i);

		parts[i].name = copy(o, part, "name");
		parts[i].definition = copy(o, part, "definition");
		parts[i].unique = js_get_bool(part, "unique", false);
		parts[i].owns_index = js_get_bool(part, "owns_index", false);
		parts[i].comment = copy(o, part, "comment");
		parts[i].columns = strings_of(o, part, "columns", &parts[i].column_count);
	}
	*ret_n = n;
	return parts;
}

static int check_table(const struct table *table, struct err *err)
{
	bool whole = table->relation.schema && table->relation.identifier && table->kind;

	for (size_t i = 0; whole && i < table->column_count; i++)
		whole = table->columns[i].name && table->columns[i].type;
	for (size_t i = 0; whole && i < table->index_count; i++)
		whole = table->indexes[i].name && table->indexes[i].definition;
	for (size_t i = 0; whole && i < table->constraint_count; i++)
		whole = table->constraints[i].name && table->constraints[i].definition;
	if (!whole)
		return err_set(err, ERR_NO_ANSWER, "the catalog's answer about '%s' is not whole",
			       table->relation.identifier ? table->relation.identifier : "?");
	return 0;
}

static bool is_marked(const char *text)
{
	return text && strchr(text, SQL_BIND_MARK);
}

static bool has_marked_part(const struct table_part *parts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (is_marked(parts[i].name) || is_marked(parts[i].definition) ||
		    is_marked(parts[i].comment))
			return true;
	return false;
}

/* What stands for a value that is only known when it runs must not come from anywhere else. */
static int check_marks(const struct table *table, struct err *err)
{
	bool marked = is_marked(table->comment) || is_marked(table->options) ||
		      is_marked(table->layout) || is_marked(table->definition) ||
		      is_marked(table->owner) ||
		      has_marked_part(table->indexes, table->index_count) ||
		      has_marked_part(table->constraints, table->constraint_count);

	for (size_t i = 0; i < table->column_count; i++) {
		const struct table_column *column = &table->columns[i];

		marked = marked || is_marked(column->name) || is_marked(column->type) ||
			 is_marked(column->value) || is_marked(column->comment) ||
			 is_marked(column->tags);
	}
	if (!marked)
		return 0;
	char *name CLEANUP(mem_free_string) = relation_display(&table->relation);

	return err_set(err, ERR_NAME_UNUSABLE,
		       "'%s' has a name, comment, default or constraint with the control character "
		       "U+0001, which cannot be published",
		       name);
}

/* Some catalogs keep the whole statement that made a view. */
static const char *definition_of(struct observed *o, const json_t *object)
{
	const char *text = js_get_string(object, "text");
	char *definition CLEANUP(mem_free_string) = text ? view_text_definition(text) : NULL;

	return definition ? arena_strdup(&o->arena, definition) : copy(o, object, "definition");
}

static int read_table(struct observed *o, const json_t *object, struct table *table,
		      struct err *err)
{
	table->json = (json_t *)(uintptr_t)object;
	table->relation = relation_of(o, object);
	table->kind = copy(o, object, "kind");
	table->object = copy(o, object, "object");
	table->owner = copy(o, object, "owner");
	table->owned = js_get_bool(object, "owned", true);
	table->owned_by_another = js_get_bool(object, "owned_by_another", false);
	table->is_transient = js_get_bool(object, "transient", false);
	table->clusters = js_get_bool(object, "clusters", false);
	table->comment = copy(o, object, "comment");
	table->options = copy(o, object, "options");
	table->layout = copy(o, object, "layout");
	table->privileges = copy(o, object, "privileges");
	table->ddl = copy(o, object, "ddl");
	table->definition = definition_of(o, object);
	table->rows = -1;
	table->lost = -1;
	read_columns(o, object, table);
	table->fields = strings_of(o, object, "fields", &table->field_count);
	table->indexes = read_parts(o, object, "indexes", &table->index_count);
	table->constraints = read_parts(o, object, "constraints", &table->constraint_count);
	table->refuses = strings_of(o, object, "refuses", &table->refuse_count);
	table->refuses_exchange =
		strings_of(o, object, "refuses_exchange", &table->refuse_exchange_count);
	table->settings = strings_of(o, object, "settings", &table->setting_count);
	if (check_table(table, err) < 0)
		return -1;
	return check_marks(table, err);
}

static bool same_name(const struct relation *a, const struct relation *b)
{
	return strcmp(a->schema, b->schema) == 0 && strcmp(a->identifier, b->identifier) == 0 &&
	       (!a->database || !b->database || strcmp(a->database, b->database) == 0);
}

/* Of what was put back into the picture of a publish that is resumed. */
static void read_gone(struct observed *o, const json_t *object)
{
	struct relation relation = relation_of(o, object);

	if (!relation.schema || !relation.identifier)
		return;
	for (size_t i = 0; i < o->table_count; i++)
		if (same_name(&o->tables[i].relation, &relation))
			o->tables[i].is_gone = true;
}

/* They come by a query of their own too, and belong to what the history keeps of the relation. */
static void read_privileges(struct observed *o, const json_t *object, struct table *table)
{
	table->privileges = copy(o, object, "privileges");
	json_object_set(table->json, "privileges", json_object_get(object, "privileges"));
}

/* Counts come by a query of their own; the object they were counted of is the one compared. */
static void read_rows(struct observed *o, const json_t *object)
{
	struct relation relation = relation_of(o, object);

	if (!relation.schema || !relation.identifier)
		return;
	for (size_t i = 0; i < o->table_count; i++) {
		struct table *table = &o->tables[i];

		if (!same_name(&table->relation, &relation))
			continue;
		if (json_object_get(object, "privileges")) {
			read_privileges(o, object, table);
			continue;
		}
		if (json_object_get(object, "lost")) {
			table->lost = js_get_integer(object, "lost", -1);
			continue;
		}
		if (js_get_string(object, "ddl")) {
			table->ddl = copy(o, object, "ddl");
			continue;
		}
		table->rows = js_get_integer(object, "rows", -1);
		table->content = copy(o, object, "content");
		table->version = copy(o, object, "version");
		if (js_get_string(object, "object") && *js_get_string(object, "object"))
			table->object = copy(o, object, "object");
	}
}

int observed_parse(const json_t *picture, struct observed *ret_observed, struct err *err)
{
	struct observed o = { 0 };
	const json_t *session = js_get_object(picture, "session");
	const json_t *list;

	arena_init(&o.arena);
	o.json = json_incref((json_t *)(uintptr_t)picture);
	o.user = copy(&o, session, "user");
	o.database = copy(&o, session, "database");
	o.version = copy(&o, session, "version");
	o.built = js_get_bool(picture, "built", false);
	o.schema_count = list_of(picture, "schemas", &list);
	o.schemas = arena_alloc(&o.arena, (o.schema_count + 1) * sizeof(*o.schemas));
	for (size_t i = 0; i < o.schema_count; i++)
		o.schemas[i] = relation_of(&o, json_array_get(list, i));
	o.table_count = list_of(picture, "relations", &list);
	o.tables = arena_alloc(&o.arena, (o.table_count + 1) * sizeof(*o.tables));
	for (size_t i = 0; i < o.table_count; i++) {
		if (read_table(&o, json_array_get(list, i), &o.tables[i], err) < 0) {
			observed_release(&o);
			return -1;
		}
	}
	if (observed_read_containers(&o, picture, err) < 0) {
		observed_release(&o);
		return -1;
	}
	size_t counted = list_of(picture, "rows", &list);

	for (size_t i = 0; i < counted; i++)
		read_rows(&o, json_array_get(list, i));
	size_t gone = list_of(picture, "gone", &list);

	for (size_t i = 0; i < gone; i++)
		read_gone(&o, json_array_get(list, i));
	*ret_observed = o;
	return 0;
}

int observed_parse_before(const json_t *tables, struct observed *ret_before, struct err *err)
{
	json_t *relations = json_array();

	for (size_t i = 0; i < json_array_size(tables); i++) {
		json_t *before = js_get_object(json_array_get(tables, i), "before");

		if (before)
			json_array_append(relations, before);
	}
	json_t *picture CLEANUP(js_free) = json_pack("{s:o}", "relations", relations);

	return observed_parse(picture, ret_before, err);
}

void observed_release(struct observed *observed)
{
	arena_release(&observed->arena);
	json_decref(observed->json);
	*observed = (struct observed) { 0 };
}

const struct table *observed_table(const struct observed *observed, const struct dialect *dialect,
				   const struct relation *relation)
{
	for (size_t i = 0; i < observed->table_count; i++)
		if (relation_equal(dialect, &observed->tables[i].relation, relation))
			return &observed->tables[i];
	return NULL;
}

bool observed_has_schema(const struct observed *observed, const struct dialect *dialect,
			 const struct relation *relation)
{
	for (size_t i = 0; i < observed->schema_count; i++)
		if (relation_same_schema(dialect, &observed->schemas[i], relation))
			return true;
	return false;
}
