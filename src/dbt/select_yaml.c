#include "select_internal.h"

#include <stdlib.h>
#include <string.h>

/* Where a definition is: references lead to earlier selectors only. */
struct place {
	struct selection *selection;
	size_t selector;
	size_t depth;
};

static struct spec *parse_definition(struct place place, const struct yaml_node *node);

static bool is_jinja(const char *text)
{
	return strstr(text, "{{") || strstr(text, "{%") || strstr(text, "{#");
}

/* A scalar that YAML reads as text: neither number nor date nor boolean, and not rendered. */
static const char *text_of(const struct yaml_node *node)
{
	const char *text = yaml_string(node);
	bool ignored;

	if (!text || is_jinja(text))
		return NULL;
	if (node->quoted)
		return text;
	if (!*text || yaml_bool(node, &ignored) == 0 || strchr("0123456789+-.~=<", *text))
		return NULL;
	return text;
}

/* Python's bool() of a value. -1: not certain. */
static int truth_of(const struct yaml_node *node)
{
	bool value;

	if (!node || node->kind == YAML_KIND_NULL)
		return 0;
	if (yaml_bool(node, &value) == 0)
		return value;
	return text_of(node) ? *text_of(node) != '\0' : -1;
}

/* Not given: no limit. */
static bool read_depth(const struct yaml_node *node, size_t *ret_depth)
{
	const char *text = yaml_string(node);
	size_t depth = 0;

	*ret_depth = SELECT_NO_LIMIT;
	if (!node || node->kind == YAML_KIND_NULL)
		return true;
	if (!text || !*text || strlen(text) > 9)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		depth = depth * 10 + (size_t)(*text - '0');
	}
	/* dbt takes an unquoted 0 for no depth at all, and no depth for no limit. */
	*ret_depth = depth || node->quoted ? depth : SELECT_NO_LIMIT;
	return true;
}

static bool read_indirect(const struct yaml_node *node, enum select_indirect *indirect)
{
	static const char *const names[] = { "eager", "cautious", "buildable", "empty" };
	const char *text = yaml_string(node);

	if (!node)
		return true;
	for (size_t i = 0; text && i < ARRAY_LEN(names); i++) {
		if (strcmp(names[i], text) != 0)
			continue;
		*indirect = (enum select_indirect)i;
		return true;
	}
	return false;
}

static bool read_pluses(const struct yaml_node *node, struct criterion *c)
{
	int at = truth_of(yaml_get(node, "childrens_parents"));
	int up = truth_of(yaml_get(node, "parents"));
	int down = truth_of(yaml_get(node, "children"));

	if (at < 0 || up < 0 || down < 0 ||
	    !read_depth(yaml_get(node, "parents_depth"), &c->parents) ||
	    !read_depth(yaml_get(node, "children_depth"), &c->children))
		return false;
	c->childrens_parents = at > 0;
	c->has_parents = up > 0;
	c->has_children = down > 0;
	return true;
}

static struct spec *criterion_of(struct place place, const char *method,
				 const struct yaml_node *value)
{
	struct selection *s = place.selection;
	struct spec *spec = spec_new(s, SPEC_CRITERION, s->request->indirect);
	const char *text = text_of(value);
	bool truth;

	if (!text && value && !value->quoted && yaml_bool(value, &truth) == 0) {
		text = truth ? "true" : "false";
		spec->criterion.is_boolean = true;
	}
	if (!text || !method)
		return NULL;
	spec->criterion.value = text;
	criterion_set_method(s, &spec->criterion, method);
	if (spec->criterion.is_boolean && spec->criterion.method != METHOD_CONFIG)
		return NULL;
	return spec;
}

/* A list of definitions as one: itself where there is one. *ret_spec is NULL for none. */
static bool exclusions_of(struct place place, const struct yaml_node *list, struct spec **ret_spec)
{
	struct spec *all = spec_new(place.selection, SPEC_UNION, SELECT_EAGER);

	if (!list || list->kind != YAML_KIND_SEQUENCE)
		return false;
	for (size_t i = 0; i < list->n; i++) {
		struct spec *one = parse_definition(place, list->items[i]);

		if (!one)
			return false;
		spec_add(place.selection, all, one);
	}
	*ret_spec = all->n == 0 ? NULL : all->n == 1 ? all->parts[0] : all;
	return true;
}

static struct spec *without(struct place place, struct spec *spec, struct spec *excluded)
{
	struct spec *difference;

	if (!excluded)
		return spec;
	difference = spec_new(place.selection, SPEC_DIFFERENCE, SELECT_EAGER);
	spec_add(place.selection, difference, spec);
	spec_add(place.selection, difference, excluded);
	return difference;
}

static struct spec *group_of(struct place place, enum spec_kind kind, const struct yaml_node *list)
{
	struct spec *group = spec_new(place.selection, kind, SELECT_EAGER);
	struct spec *excluded = NULL;
	bool has_exclude = false;

	if (!list || list->kind != YAML_KIND_SEQUENCE)
		return NULL;
	for (size_t i = 0; i < list->n; i++) {
		const struct yaml_node *exclude = yaml_get(list->items[i], "exclude");
		struct spec *part;

		if (!exclude) {
			part = parse_definition(place, list->items[i]);
			if (!part)
				return NULL;
			spec_add(place.selection, group, part);
			continue;
		}
		/* Whatever else stands beside an exclude is not looked at. */
		if (has_exclude || !exclusions_of(place, exclude, &excluded))
			return NULL;
		has_exclude = true;
	}
	return without(place, group, excluded);
}

static size_t find_selector(const struct selectors *selectors, const char *name, size_t before)
{
	for (size_t i = before; i > 0; i--)
		if (strcmp(selectors_name(selectors, i - 1), name) == 0)
			return i - 1;
	return SIZE_MAX;
}

static struct spec *parse_selector(struct place place, size_t selector)
{
	const struct yaml_node *node =
		selectors_definition(place.selection->request->selectors, selector);
	bool is_group = yaml_get(node, "union") || yaml_get(node, "intersection");

	if (!node || (is_group && node->n > 1))
		return NULL;
	place.selector = selector;
	return parse_definition(place, node);
}

static struct spec *reference_of(struct place place, const struct yaml_node *node)
{
	const char *name = text_of(yaml_get(node, "value"));
	size_t found =
		name ? find_selector(place.selection->request->selectors, name, place.selector)
		     : SIZE_MAX;

	return found == SIZE_MAX ? NULL : parse_selector(place, found);
}

static struct spec *dictionary_of(struct place place, const struct yaml_node *node)
{
	const char *method = text_of(yaml_get(node, "method"));
	const struct yaml_node *exclude = yaml_get(node, "exclude");
	struct spec *excluded = NULL;
	struct spec *spec;

	if (node->n == 1)
		return criterion_of(place, text_of(node->keys[0]), node->items[0]);
	if (method && strcmp(method, "selector") == 0)
		return reference_of(place, node);
	spec = criterion_of(place, method, yaml_get(node, "value"));
	if (!spec || !read_pluses(node, &spec->criterion) ||
	    !read_indirect(yaml_get(node, "indirect_selection"), &spec->indirect) ||
	    (exclude && !exclusions_of(place, exclude, &excluded)))
		return NULL;
	return without(place, spec, excluded);
}

/* dbt/graph/cli.py: parse_from_definition(). NULL for all that is not understood. */
static struct spec *parse_definition(struct place place, const struct yaml_node *node)
{
	const char *word = node ? text_of(node) : NULL;

	if (!node || ++place.depth > SELECT_MAX_DEPTH ||
	    place.selection->spec_count > SELECT_MAX_SPECS)
		return NULL;
	if (word)
		return spec_of_word(place.selection, word, strlen(word));
	if (node->kind != YAML_KIND_MAPPING)
		return NULL;
	if (yaml_get(node, "union"))
		return group_of(place, SPEC_UNION, yaml_get(node, "union"));
	if (yaml_get(node, "intersection"))
		return group_of(place, SPEC_INTERSECTION, yaml_get(node, "intersection"));
	return dictionary_of(place, node);
}

struct spec *spec_of_selector(struct selection *s, const char *name)
{
	const struct selectors *selectors = s->request->selectors;
	struct place place = { .selection = s };
	size_t found = find_selector(selectors, name, selectors_count(selectors));

	return found == SIZE_MAX ? NULL : parse_selector(place, found);
}
