#include "airlock/warehouse/container.h"

#include <string.h>

/* Kinds whose names are relations'. */
static bool is_relation(const char *kind)
{
	static const char *const kinds[] = { "table",          "view",          "materialized view",
					     "foreign table",  "sequence",      "index",
					     "composite type", "dynamic table", "hybrid table",
					     "iceberg table",  "external table" };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (strcmp(kinds[i], kind) == 0)
			return true;
	return false;
}

const struct container_object *container_find(const struct container *container,
					      const struct container_object *like)
{
	for (size_t i = 0; container && i < container->object_count; i++) {
		const struct container_object *own = &container->objects[i];

		if (strcmp(own->name, like->name) == 0 &&
		    (strcmp(own->kind, like->kind) == 0 ||
		     (is_relation(own->kind) && is_relation(like->kind))))
			return own;
	}
	return NULL;
}

bool container_has(const struct container *container, const struct container_object *object)
{
	return container_find(container, object) != NULL;
}

bool container_has_relation(const struct container *container, const char *name)
{
	const struct container_object object = { .kind = "table", .name = name };

	return container_has(container, &object);
}

bool container_has_given(const struct container *container, const struct container_given *given)
{
	for (size_t i = 0; container && i < container->given_count; i++)
		if (strcmp(container->given[i].relation, given->relation) == 0 &&
		    strcmp(container->given[i].what, given->what) == 0)
			return true;
	return false;
}

const struct container_schema *container_schema(const struct container *container, const char *name)
{
	for (size_t i = 0; container && i < container->schema_count; i++)
		if (strcmp(container->schemas[i].name, name) == 0)
			return &container->schemas[i];
	return NULL;
}
