/* Documents are trees whose nodes know where they stand, or errors that say where. */
#include <stdlib.h>
#include <string.h>

#include "airlock/format/yaml.h"
#include "fuzz.h"

static void walk(const struct yaml_document *document, const struct yaml_node *node, int depth)
{
	struct err err = ERR_INIT;
	bool ignored;

	if (depth > 64 || node->line == 0 || node->column == 0)
		abort();
	yaml_bool(node, &ignored);
	yaml_error(document, node, ERR_PROJECT_INVALID, &err, "here");
	err_release(&err);
	for (size_t i = 0; i < node->n; i++) {
		if (node->kind == YAML_KIND_MAPPING)
			walk(document, node->keys[i], depth + 1);
		walk(document, node->items[i], depth + 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct yaml_document document;
	struct err err = ERR_INIT;

	if (yaml_parse((const char *)data, size, "f.yml", &document, &err) < 0) {
		if (strncmp(err.message, "f.yml:", 6) != 0)
			abort();
		err_release(&err);
		return 0;
	}
	if (document.root->kind != YAML_KIND_NULL)
		walk(&document, document.root, 0);
	yaml_release(&document);
	return 0;
}
