#include <string.h>

#include "airlock/deploy/observed.h"
#include "airlock/format/json.h"
#include "airlock/warehouse/sql.h"

static const char *copy(struct observed *o, const json_t *object, const char *key)
{
	return arena_strdup(&o->arena, js_get_string(object, key));
}

static void read_objects(struct observed *o, const json_t *object, struct container *container)
{
	const json_t *list = js_get_array(object, "objects");
	size_t n = json_array_size(list);

	container->objects = arena_alloc(&o->arena, (n + 1) * sizeof(*container->objects));
	for (size_t i = 0; i < n; i++) {
		const json_t *item = json_array_get(list, i);
		struct container_object one = {
			.kind = copy(o, item, "kind"),
			.name = copy(o, item, "name"),
			.object = copy(o, item, "object"),
			.schema = copy(o, item, "schema"),
			.identifier = copy(o, item, "identifier"),
			.owner = copy(o, item, "owner"),
			.clusters = js_get_bool(item, "clusters", false),
			.runs_nth = (size_t)js_get_integer(item, "runs_nth", 0),
		};

		if (one.kind && one.name)
			container->objects[container->object_count++] = one;
	}
}

static void read_dependents(struct observed *o, const json_t *object, struct container *container)
{
	const json_t *list = js_get_array(object, "dependents");
	size_t n = json_array_size(list);

	container->dependents = arena_alloc(&o->arena, (n + 1) * sizeof(*container->dependents));
	for (size_t i = 0; i < n; i++) {
		const json_t *item = json_array_get(list, i);

		container->dependents[i] = (struct container_dependent) {
			.what = copy(o, item, "what"),
			.view = { NULL, copy(o, item, "schema"), copy(o, item, "identifier") },
			.removes = copy(o, item, "removes"),
			.makes = copy(o, item, "makes"),
		};
	}
	container->dependent_count = n;
}

static void read_grants(struct observed *o, const json_t *object, struct container *container)
{
	const json_t *list = js_get_array(object, "grants");
	size_t n = json_array_size(list);

	container->grants = arena_alloc(&o->arena, (n + 1) * sizeof(*container->grants));
	for (size_t i = 0; i < n; i++) {
		const json_t *item = json_array_get(list, i);
		struct container_grant one = {
			.on = copy(o, item, "on"),
			.schema = copy(o, item, "schema"),
			.name = copy(o, item, "name"),
			.privilege = copy(o, item, "privilege"),
			.to = copy(o, item, "to"),
			.grantee = copy(o, item, "grantee"),
			.with_option = js_get_bool(item, "option", false),
		};

		if (!one.schema)
			one.schema = container->schema.schema;
		if (one.on && one.name && one.privilege && one.to && one.grantee)
			container->grants[container->grant_count++] = one;
	}
}

static void read_tags(struct observed *o, const json_t *object, struct container *container)
{
	const json_t *list = js_get_array(object, "tags");
	size_t n = json_array_size(list);

	container->tags = arena_alloc(&o->arena, (n + 1) * sizeof(*container->tags));
	for (size_t i = 0; i < n; i++) {
		const json_t *item = json_array_get(list, i);
		const json_t *name = js_get_array(item, "tag");
		const char *parts[3];
		struct container_tag one = { .schema = copy(o, item, "schema"),
					     .value = copy(o, item, "value") };

		for (size_t k = 0; k < ARRAY_LEN(parts); k++)
			parts[k] =
				arena_strdup(&o->arena, json_string_value(json_array_get(name, k)));
		one.tag = (struct relation) { parts[0], parts[1], parts[2] };
		if (one.schema && one.value && parts[0] && parts[1] && parts[2])
			container->tags[container->tag_count++] = one;
	}
}

static void read_schemas(struct observed *o, const json_t *object, struct container *container)
{
	const json_t *list = js_get_array(object, "schemas");
	size_t n = json_array_size(list);

	container->schemas = arena_alloc(&o->arena, (n + 1) * sizeof(*container->schemas));
	for (size_t i = 0; i < n; i++) {
		const json_t *item = json_array_get(list, i);
		struct container_schema one = {
			.name = copy(o, item, "name"),
			.owner = copy(o, item, "owner"),
			.comment = copy(o, item, "comment"),
			.owned = js_get_bool(item, "owned", true),
			.is_transient = js_get_bool(item, "transient", false),
			.is_managed = js_get_bool(item, "managed", false),
			.retention_days = js_get_integer(item, "retention", 0),
		};

		if (one.name)
			container->schemas[container->schema_count++] = one;
	}
}

static void read_given(struct observed *o, const json_t *object, struct container *container)
{
	const json_t *list = js_get_array(object, "given");
	size_t n = json_array_size(list);

	container->given = arena_alloc(&o->arena, (n + 1) * sizeof(*container->given));
	for (size_t i = 0; i < n; i++) {
		const json_t *item = json_array_get(list, i);
		struct container_given one = { copy(o, item, "relation"), copy(o, item, "what") };

		if (one.relation && one.what)
			container->given[container->given_count++] = one;
	}
}

static bool is_marked(const char *text)
{
	return text && strchr(text, SQL_BIND_MARK);
}

/* All texts go into statements: one with the mark of a bind must not. */
static int check_container(const struct container *container, struct err *err)
{
	bool whole = container->schema.schema && container->seen;
	bool marked = is_marked(container->schema.schema);

	for (size_t i = 0; i < container->dependent_count; i++) {
		const struct container_dependent *d = &container->dependents[i];

		whole = whole && d->what;
		marked = marked || is_marked(d->what) || is_marked(d->makes) ||
			 is_marked(d->removes);
	}
	for (size_t i = 0; i < container->object_count; i++)
		marked = marked || is_marked(container->objects[i].name);
	for (size_t i = 0; i < container->grant_count; i++)
		marked = marked || is_marked(container->grants[i].grantee) ||
			 is_marked(container->grants[i].name) ||
			 is_marked(container->grants[i].schema);
	for (size_t i = 0; i < container->tag_count; i++)
		marked = marked || is_marked(container->tags[i].tag.database) ||
			 is_marked(container->tags[i].tag.schema) ||
			 is_marked(container->tags[i].tag.identifier) ||
			 is_marked(container->tags[i].value);
	for (size_t i = 0; i < container->schema_count; i++)
		marked = marked || is_marked(container->schemas[i].name) ||
			 is_marked(container->schemas[i].comment);
	marked = marked || is_marked(container->comment);
	if (!whole)
		return err_set(err, ERR_NO_ANSWER, "the catalog's answer about '%s' is not whole",
			       container->schema.schema ? container->schema.schema : "?");
	if (marked)
		return err_set(err, ERR_NAME_UNUSABLE,
			       "something in or around '%s' has the control character U+0001 in "
			       "its name or definition",
			       container->schema.schema);
	return 0;
}

int observed_read_containers(struct observed *o, const json_t *picture, struct err *err)
{
	const json_t *list = js_get_array(picture, "containers");
	size_t n = json_array_size(list);

	o->containers = arena_alloc(&o->arena, (n + 1) * sizeof(*o->containers));
	for (size_t i = 0; i < n; i++) {
		const json_t *object = json_array_get(list, i);
		struct container *container = &o->containers[i];
		const char *side = js_get_string(object, "side");

		*container = (struct container) {
			.schema = { copy(o, object, "database"), copy(o, object, "schema"), NULL },
			.is_production = side && strcmp(side, "to") == 0,
			.object = copy(o, object, "object"),
			.owner = copy(o, object, "owner"),
			.owned = js_get_bool(object, "owned", true),
			.comment = copy(o, object, "comment"),
			.seen = copy(o, object, "seen"),
			.altered = copy(o, object, "altered"),
			.is_swapped = js_get_bool(object, "swapped", false),
			.is_aside = js_get_bool(object, "aside", false),
			.is_transient = js_get_bool(object, "transient", false),
			.is_managed = js_get_bool(object, "managed", false),
			.retention_days = js_get_integer(object, "retention", 0),
			.bytes = js_get_integer(object, "bytes", 0),
		};
		read_grants(o, object, container);
		read_tags(o, object, container);
		read_schemas(o, object, container);
		read_objects(o, object, container);
		read_dependents(o, object, container);
		read_given(o, object, container);
		if (check_container(container, err) < 0)
			return -1;
	}
	o->container_count = n;
	return 0;
}

const struct container *observed_container(const struct observed *observed,
					   const struct dialect *dialect,
					   const struct relation *schema)
{
	for (size_t i = 0; i < observed->container_count; i++)
		if (relation_same_schema(dialect, &observed->containers[i].schema, schema))
			return &observed->containers[i];
	return NULL;
}
