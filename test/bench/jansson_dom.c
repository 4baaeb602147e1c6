/* What a C program without an index would do: a jansson tree of the whole manifest, and from it the
 * relations of one tag. usage: jansson_dom FILE TAG */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

static int has_tag(const json_t *node, const char *tag)
{
	const json_t *tags = json_object_get(node, "tags");

	for (size_t i = 0; i < json_array_size(tags); i++)
		if (strcmp(json_string_value(json_array_get(tags, i)), tag) == 0)
			return 1;
	return 0;
}

int main(int argc, char **argv)
{
	json_error_t error;
	json_t *manifest = argc == 3 ? json_load_file(argv[1], 0, &error) : NULL;
	const char *id;
	json_t *node;

	if (!manifest)
		return 1;
	json_object_foreach(json_object_get(manifest, "nodes"), id, node)
	{
		const char *type = json_string_value(json_object_get(node, "resource_type"));
		const char *relation = json_string_value(json_object_get(node, "relation_name"));

		if (type && strcmp(type, "model") == 0 && relation && has_tag(node, argv[2]))
			puts(relation);
	}
	json_decref(manifest);
	return 0;
}
