#include "airlock/dbt/selectors.h"

#include <stdlib.h>

#include "airlock/base/fs.h"

struct selectors {
	struct yaml_document document;
	const struct yaml_node *list;
};

static struct selectors *keep(struct yaml_document *document)
{
	struct selectors *selectors = mem_alloc(sizeof(*selectors));

	selectors->document = *document;
	selectors->list = yaml_get(document->root, "selectors");
	return selectors;
}

int selectors_parse(const char *text, size_t len, const char *name,
		    struct selectors **ret_selectors, struct err *err)
{
	struct yaml_document document;

	if (yaml_parse(text, len, name, &document, err) < 0)
		return -1;
	*ret_selectors = keep(&document);
	return 0;
}

int selectors_read(const char *project_directory, struct selectors **ret_selectors, struct err *err)
{
	CLEANUP(mem_free_string) char *path = fs_join(project_directory, "selectors.yml");
	struct yaml_document document;

	if (!fs_exists(path)) {
		*ret_selectors = NULL;
		return 0;
	}
	if (yaml_read(path, &document, err) < 0)
		return -1;
	*ret_selectors = keep(&document);
	return 0;
}

void selectors_free(struct selectors *selectors)
{
	if (!selectors)
		return;
	yaml_release(&selectors->document);
	free(selectors);
}

size_t selectors_count(const struct selectors *selectors)
{
	const struct yaml_node *list = selectors ? selectors->list : NULL;

	return list && list->kind == YAML_KIND_SEQUENCE ? list->n : 0;
}

const char *selectors_name(const struct selectors *selectors, size_t i)
{
	const char *name = yaml_string(yaml_get(selectors->list->items[i], "name"));

	return name ? name : "";
}

const struct yaml_node *selectors_definition(const struct selectors *selectors, size_t i)
{
	return yaml_get(selectors->list->items[i], "definition");
}

const char *selectors_default(const struct selectors *selectors)
{
	for (size_t i = 0; i < selectors_count(selectors); i++) {
		bool is_default = false;
		const struct yaml_node *node = yaml_get(selectors->list->items[i], "default");

		if (node && yaml_bool(node, &is_default) == 0 && is_default)
			return selectors_name(selectors, i);
	}
	return NULL;
}
