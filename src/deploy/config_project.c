#include <stdlib.h>
#include <string.h>

#include "airlock/base/buf.h"
#include "airlock/format/yaml.h"

#include "config_internal.h"

#define MIRROR "mirror"

/* A variable that was found, and the document it stands in. */
struct variable {
	const struct yaml_document *document;
	const struct yaml_node *node; /* NULL: there is none */
};

/* `vars: airlock:` while it is read. */
struct reading {
	struct config *config;
	const struct yaml_document *document;
	const struct yaml_node *deployments; /* NULL: none */
};

static bool is_mapping(const struct yaml_node *node)
{
	return node && node->kind == YAML_KIND_MAPPING;
}

static bool is_empty(const struct yaml_node *node)
{
	return !node || node->kind == YAML_KIND_NULL;
}

static bool has_jinja(const struct yaml_node *node)
{
	const char *text = yaml_string(node);

	return text && (strstr(text, "{{") || strstr(text, "{%"));
}

static int refuse_jinja(const struct yaml_document *document, const struct yaml_node *node,
			const struct option_row *row, struct err *err)
{
	CLEANUP(mem_free_string) char *variable = option_variable(row);

	yaml_error(document, node, ERR_CONFIG_INVALID, err,
		   "'%s' holds Jinja, but airlock takes its values literally", row->key);
	return err_hint(err,
			"write the value itself, or take '%s' out and set %s in the environment",
			row->key, variable);
}

static int add_piece(const struct yaml_document *document, const struct yaml_node *node,
		     const struct option_row *row, struct strv *pieces, struct err *err)
{
	if (has_jinja(node))
		return refuse_jinja(document, node, row, err);
	if (!yaml_string(node))
		return yaml_error(document, node, ERR_CONFIG_INVALID, err,
				  "'%s' takes plain values only", row->key);
	strv_push(pieces, node->value);
	return 0;
}

static int add_pair(const struct yaml_document *document, const struct yaml_node *key,
		    const struct yaml_node *value, const struct option_row *row,
		    struct strv *pieces, struct err *err)
{
	CLEANUP(strv_release) struct strv pair = STRV_INIT;

	if (add_piece(document, key, row, &pair, err) < 0 ||
	    add_piece(document, value, row, &pair, err) < 0)
		return -1;
	strv_pushf(pieces, "%s=%s", pair.v[0], pair.v[1]);
	return 0;
}

static int collect(const struct yaml_document *document, const struct yaml_node *node,
		   const struct option_row *row, struct strv *pieces, struct err *err)
{
	bool takes_sequence = row->type == OPTION_LIST || row->type == OPTION_WORDS;
	bool takes_mapping = row->type == OPTION_MAP || row->type == OPTION_ENVIRONMENT;

	switch (node->kind) {
	case YAML_KIND_NULL:
		return 0;
	case YAML_KIND_SCALAR:
		return add_piece(document, node, row, pieces, err);
	case YAML_KIND_SEQUENCE:
		for (size_t i = 0; takes_sequence && i < node->n; i++)
			if (add_piece(document, node->items[i], row, pieces, err) < 0)
				return -1;
		break;
	case YAML_KIND_MAPPING:
		for (size_t i = 0; takes_mapping && i < node->n; i++)
			if (add_pair(document, node->keys[i], node->items[i], row, pieces, err) < 0)
				return -1;
		break;
	}
	if (node->kind == (takes_mapping ? YAML_KIND_MAPPING : YAML_KIND_SEQUENCE) &&
	    (takes_sequence || takes_mapping))
		return 0;
	return yaml_error(document, node, ERR_CONFIG_INVALID, err, "'%s' takes %s", row->key,
			  row->type == OPTION_ENVIRONMENT ? "a mapping of variables to values"
			  : takes_mapping                 ? "a mapping of tags to schemas"
			  : takes_sequence                ? "a value or a list"
							  : "one value");
}

/* config NULL: only checked. */
static int set_node(struct config *config, enum option_source source,
		    const struct yaml_document *document, const struct yaml_node *node,
		    const struct option_row *row, struct err *err)
{
	const char *slash = strrchr(document->name, '/');
	CLEANUP(mem_free_string)
	char *name = mem_printf("%s:%zu:%zu", document->name, node->line, node->column);
	CLEANUP(strv_release) struct strv pieces = STRV_INIT;
	const struct option_place place = {
		.source = source,
		.name = name,
		.origin = slash ? name + (slash - document->name) + 1 : name,
		.items = node->kind != YAML_KIND_SCALAR,
	};

	if (collect(document, node, row, &pieces, err) < 0)
		return -1;
	if (!pieces.n)
		return option_no_value(&place, row, err);
	return option_set(config, &place, row, &pieces, err);
}

/* `from: {target: prod, env: {NAME: VALUE}}`, which is `from` and `from_env`. */
static int set_side(struct config *config, enum option_source source,
		    const struct yaml_document *document, const struct yaml_node *node,
		    const struct option_row *row, struct err *err)
{
	for (size_t i = 0; i < node->n; i++) {
		bool is_target = strcmp(node->keys[i]->value, "target") == 0;

		if (!is_target && strcmp(node->keys[i]->value, "env") != 0) {
			yaml_error(document, node->keys[i], ERR_CONFIG_INVALID, err,
				   "a side has no key '%s'", node->keys[i]->value);
			return err_hint(err, "write '%s: {target: NAME, env: {VARIABLE: value}}'",
					row->key);
		}
		if (set_node(config, source, document, node->items[i],
			     is_target ? row : option_row(option_environment_of(row->id)), err) < 0)
			return -1;
	}
	if (yaml_get(node, "target"))
		return 0;
	yaml_error(document, node, ERR_CONFIG_INVALID, err, "'%s' has no target", row->key);
	return err_hint(err, "write '%s: {target: NAME, env: {VARIABLE: value}}'", row->key);
}

/* `foreign_objects: {ignore: [PATTERN]}`, which is the list. */
static int set_listed(struct config *config, enum option_source source,
		      const struct yaml_document *document, const struct yaml_node *node,
		      const struct option_row *row, struct err *err)
{
	const struct yaml_node *list = yaml_get(node, row->listed);

	if (list && node->n == 1)
		return set_node(config, source, document, list, row, err);
	yaml_error(document, node, ERR_CONFIG_INVALID, err, "'%s' has another key than '%s'",
		   row->key, row->listed);
	return err_hint(err, "write '%s: %s' or '%s: {%s: [...]}'", row->key, row->none, row->key,
			row->listed);
}

static bool is_side(const struct option_row *row)
{
	return row->id == OPTION_FROM || row->id == OPTION_TO;
}

typedef int set_fn(struct config *config, enum option_source source,
		   const struct yaml_document *document, const struct yaml_node *node,
		   const struct option_row *row, struct err *err);

static set_fn *setter_of(const struct option_row *row, const struct yaml_node *node)
{
	if (!is_mapping(node))
		return set_node;
	return is_side(row) ? set_side : row->listed ? set_listed : set_node;
}

static int refuse_key(const struct yaml_document *document, const struct yaml_node *key,
		      const char *further_key, struct err *err)
{
	const char *known[OPTION_COUNT + 2] = { further_key, MIRROR };
	size_t n = 2;
	const char *nearest;

	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (!option_row((enum option_id)i)->command_line_only)
			known[n++] = option_row((enum option_id)i)->key;
	nearest = strv_nearest(key->value, known, n);
	yaml_error(document, key, ERR_CONFIG_INVALID, err, "there is no key '%s' here", key->value);
	return nearest ? err_hint(err, "did you mean '%s'?", nearest) : -1;
}

/* `mirror: {raw: 'tag:raw', max_age: 1d}`, which is `mirror_raw` and `mirror_max_age`. */
static int set_mirror(struct config *config, enum option_source source,
		      const struct yaml_document *document, const struct yaml_node *node,
		      struct err *err)
{
	if (is_empty(node))
		return 0;
	if (!is_mapping(node)) {
		yaml_error(document, node, ERR_CONFIG_INVALID, err,
			   "'" MIRROR "' must be a mapping of options");
		return err_hint(err, "for example " MIRROR ": {raw: 'tag:raw', max_age: 1d}");
	}
	for (size_t i = 0; i < node->n; i++) {
		CLEANUP(mem_free_string)
		char *name = mem_printf(MIRROR "_%s", node->keys[i]->value);
		const struct option_row *row = option_find_key(name);

		if (!row) {
			yaml_error(document, node->keys[i], ERR_CONFIG_INVALID, err,
				   "'" MIRROR "' has no key '%s'", node->keys[i]->value);
			return err_hint(err, "its keys are raw, allow, if_old, max_age and "
					     "max_shrink");
		}
		if (set_node(config, source, document, node->items[i], row, err) < 0)
			return -1;
	}
	return 0;
}

/* The options of a mapping. The one key that is no option is the caller's. */
static int set_mapping(const struct reading *reading, struct config *config,
		       enum option_source source, const struct yaml_node *mapping,
		       const char *further_key, struct err *err)
{
	for (size_t i = 0; i < mapping->n; i++) {
		const struct yaml_node *key = mapping->keys[i];
		const struct option_row *row = option_find_key(key->value);

		if (!row && strcmp(key->value, further_key) == 0)
			continue;
		if (!row && strcmp(key->value, MIRROR) == 0) {
			if (set_mirror(config, source, reading->document, mapping->items[i], err) <
			    0)
				return -1;
			continue;
		}
		if (!row)
			return refuse_key(reading->document, key, further_key, err);
		if (row->command_line_only ||
		    (row->project_only && source == OPTION_BY_DEPLOYMENT)) {
			CLEANUP(mem_free_string)
			char *where = mem_printf("%s:%zu:%zu", reading->document->name, key->line,
						 key->column);

			return (row->project_only
					? option_refuse_project_only
					: option_refuse_command_line_only)(row, where, err);
		}
		if (setter_of(row, mapping->items[i])(config, source, reading->document,
						      mapping->items[i], row, err) < 0)
			return -1;
	}
	return 0;
}

static int check_strategy(const struct reading *reading, const struct yaml_node *name,
			  const struct yaml_node *block, struct err *err)
{
	const struct yaml_node *strategy = yaml_get(block, "strategy");
	const char *text = yaml_string(strategy);
	const char *nearest;

	if (!strategy) {
		yaml_error(reading->document, name, ERR_CONFIG_INVALID, err,
			   "deployment '%s' has no strategy", name->value);
		return err_hint(err, "add 'strategy: wac' to it");
	}
	if (text && (option_is_strategy(text) || option_is_later_strategy(text)))
		return 0;
	if (!text || has_jinja(strategy)) {
		yaml_error(reading->document, strategy, ERR_CONFIG_INVALID, err,
			   "'strategy' must be the name of a strategy");
		return err_hint(err, "write 'strategy: wac'");
	}
	nearest = option_nearest_strategy(text);
	yaml_error(reading->document, strategy, ERR_CONFIG_INVALID, err,
		   "there is no strategy '%s'", text);
	return err_hint(err, "%s '%s'%s", nearest ? "did you mean" : "write",
			nearest ? nearest : "strategy: wac", nearest ? "?" : "");
}

static int check_deployment(const struct reading *reading, const struct yaml_node *name,
			    const struct yaml_node *block, struct err *err)
{
	if (option_is_strategy(name->value) || option_is_later_strategy(name->value)) {
		yaml_error(reading->document, name, ERR_CONFIG_INVALID, err,
			   "deployment '%s' has the name of a strategy", name->value);
		return err_hint(err, "give it another name");
	}
	if (!*name->value || *name->value == '-' || has_jinja(name))
		return yaml_error(reading->document, name, ERR_CONFIG_INVALID, err,
				  "'%s' cannot be the name of a deployment", name->value);
	if (!is_mapping(block)) {
		yaml_error(reading->document, block, ERR_CONFIG_INVALID, err,
			   "deployment '%s' must be a mapping", name->value);
		return err_hint(err, "for example '%s: {strategy: wac, from: staging, to: prod}'",
				name->value);
	}
	if (check_strategy(reading, name, block, err) < 0)
		return -1;
	return set_mapping(reading, NULL, OPTION_BY_DEPLOYMENT, block, "strategy", err);
}

/* All of it is checked, also the deployments that are not the one that was asked for. */
static int read_airlock(struct reading *reading, const struct variable *airlock, struct err *err)
{
	const struct yaml_node *deployments;

	if (is_empty(airlock->node))
		return 0;
	reading->document = airlock->document;
	if (!is_mapping(airlock->node)) {
		yaml_error(airlock->document, airlock->node, ERR_CONFIG_INVALID, err,
			   "'airlock' must be a mapping of options");
		return err_hint(err, "for example 'airlock: {from: staging, to: prod}'");
	}
	if (set_mapping(reading, reading->config, OPTION_BY_PROJECT, airlock->node, "deployments",
			err) < 0)
		return -1;
	deployments = yaml_get(airlock->node, "deployments");
	if (is_empty(deployments))
		return 0;
	if (!is_mapping(deployments))
		return yaml_error(airlock->document, deployments, ERR_CONFIG_INVALID, err,
				  "'deployments' must be a mapping of names to options");
	for (size_t i = 0; i < deployments->n; i++)
		if (check_deployment(reading, deployments->keys[i], deployments->items[i], err) < 0)
			return -1;
	reading->deployments = deployments;
	return 0;
}

static size_t deployment_count(const struct reading *reading)
{
	return reading->deployments ? reading->deployments->n : 0;
}

static void list_deployments(const struct reading *reading, struct buf *out)
{
	for (size_t i = 0; i < deployment_count(reading); i++)
		buf_printf(out, "%s'%s'", i ? ", " : "", reading->deployments->keys[i]->value);
}

static int refuse_unknown(const struct reading *reading, const char *what, struct err *err)
{
	CLEANUP(buf_release) struct buf names = BUF_INIT;
	const char *nearest = option_nearest_strategy(what);
	size_t n = deployment_count(reading);
	const char **candidates = mem_alloc((n + 1) * sizeof(*candidates));

	for (size_t i = 0; i < n; i++)
		candidates[i] = reading->deployments->keys[i]->value;
	if (nearest)
		candidates[n++] = nearest;
	nearest = strv_nearest(what, candidates, n);
	err_set(err, ERR_USAGE, "there is no strategy or deployment '%s'", what);
	if (nearest) {
		err_hint(err, "did you mean '%s'?", nearest);
	} else {
		list_deployments(reading, &names);
		err_hint(err,
			 "the strategies are 'wac', 'wap', 'production-rollback' and "
			 "'blue-green'%s%s",
			 names.len ? "; the deployments are " : "", buf_cstr(&names));
	}
	free(candidates);
	return -1;
}

static int choose_strategy(struct config *config, const char *name, struct err *err)
{
	if (!option_is_strategy(name)) {
		err_set(err, ERR_UNSUPPORTED,
			"'%s' is a layer below the strategies, and not "
			"deployed",
			name);
		return err_hint(err, "say 'airlock mirror refresh'; 'airlock help mirror' says "
				     "more");
	}
	config_set_strategy(config, name);
	return 0;
}

static int choose_deployment(struct reading *reading, const struct yaml_node *name,
			     const struct yaml_node *block, struct err *err)
{
	struct config *config = reading->config;

	if (choose_strategy(config, yaml_string(yaml_get(block, "strategy")), err) < 0)
		return err_wrap(err, "deployment '%s'", name->value);
	free(config->deployment);
	config->deployment = mem_strdup(name->value);
	return set_mapping(reading, config, OPTION_BY_DEPLOYMENT, block, "strategy", err);
}

/* What a block says of production, with what all of them have in common. */
static char *production_of(const struct reading *reading, const struct yaml_node *block,
			   struct err *err)
{
	struct config config CLEANUP(config_release) = { .strategy = NULL };
	struct reading of_block = *reading;

	of_block.config = &config;
	config_init(&config);
	if (set_mapping(&of_block, &config, OPTION_BY_DEPLOYMENT, block, "strategy", err) < 0)
		return NULL;
	char *name = config_side_name(&config, OPTION_TO);

	return name ? name : mem_strdup("");
}

/* For commands that look at what deployments did: which one is meant matters only where they
 * publish to different places. */
static int choose_any(struct reading *reading, struct err *err)
{
	const struct yaml_node *deployments = reading->deployments;
	char *first CLEANUP(mem_free_string) = production_of(reading, deployments->items[0], err);
	bool is_said = reading->config->values[OPTION_TO].source > OPTION_BY_DEPLOYMENT;

	for (size_t i = 1; first && !is_said && i < deployments->n; i++) {
		char *other CLEANUP(mem_free_string) =
			production_of(reading, deployments->items[i], err);

		if (other && strcmp(first, other) == 0)
			continue;
		if (!other)
			return -1;
		err_set(err, ERR_USAGE,
			"the deployments '%s' and '%s' of the project publish to different sides",
			deployments->keys[0]->value, deployments->keys[i]->value);
		return err_hint(err, "say which one is meant: --from TARGET --to TARGET");
	}
	return first ? choose_deployment(reading, deployments->keys[0], deployments->items[0], err)
		     : -1;
}

static int choose(struct reading *reading, const char *what, struct err *err)
{
	const struct yaml_node *deployments = reading->deployments;
	size_t n = deployment_count(reading);

	if (what && strcmp(what, CONFIG_ANY_DEPLOYMENT) == 0) {
		if (n > 1)
			return choose_any(reading, err);
		what = NULL;
	}
	if (!what && n > 1) {
		CLEANUP(buf_release) struct buf names = BUF_INIT;

		list_deployments(reading, &names);
		err_set(err, ERR_USAGE, "the project has several deployments: %s",
			buf_cstr(&names));
		return err_hint(err, "name one of them behind the command");
	}
	for (size_t i = 0; i < n; i++)
		if (!what || strcmp(deployments->keys[i]->value, what) == 0)
			return choose_deployment(reading, deployments->keys[i],
						 deployments->items[i], err);
	if (what && !option_is_strategy(what) && !option_is_later_strategy(what))
		return refuse_unknown(reading, what, err);
	free(reading->config->deployment);
	reading->config->deployment = mem_strdup("");
	return choose_strategy(reading->config, what ? what : *config_strategies(), err);
}

/* What the recipe's own macro reads. */
static int set_tags_to_clone(struct config *config, const struct variable *tags, struct err *err)
{
	struct option_value *value = &config->values[OPTION_TAGS];
	char *origin;

	if (!tags->node || config_is_set(config, OPTION_TAGS) ||
	    strcmp(config->strategy, "wac") != 0)
		return 0;
	if (set_node(config, OPTION_BY_PROJECT, tags->document, tags->node, option_row(OPTION_TAGS),
		     err) < 0)
		return err_wrap(err, "tags_to_clone");
	origin = mem_printf("%s (tags_to_clone)", value->origin);
	free(value->origin);
	value->origin = origin;
	return 0;
}

static struct variable find_variable(const struct project *project,
				     const struct yaml_document *vars, const char *name)
{
	const struct yaml_node *node = yaml_get(vars->root, name);

	if (node)
		return (struct variable) { vars, node };
	return (struct variable) { &project->document, project_var(project, name) };
}

static int read_vars(const char *text, struct yaml_document *ret_vars, struct err *err)
{
	if (!text)
		return 0;
	if (yaml_parse(text, strlen(text), "--vars", ret_vars, err) < 0)
		return -1;
	if (is_empty(ret_vars->root) || is_mapping(ret_vars->root))
		return 0;
	err_set(err, ERR_CONFIG_INVALID, "--vars must be a mapping, not '%s'", text);
	return err_hint(err, "for example --vars '{name: value}'");
}

int config_set_project(struct config *config, const struct project *project, const char *vars_text,
		       const char *what, struct err *err)
{
	struct yaml_document vars = { .root = NULL };
	struct reading reading = { .config = config };
	struct variable airlock = { 0 }, tags = { 0 };
	int rc = read_vars(vars_text, &vars, err);

	if (!rc) {
		airlock = find_variable(project, &vars, "airlock");
		tags = find_variable(project, &vars, "tags_to_clone");
		rc = read_airlock(&reading, &airlock, err);
	}
	if (!rc)
		rc = choose(&reading, what, err);
	if (!rc)
		rc = set_tags_to_clone(config, &tags, err);
	yaml_release(&vars);
	return rc;
}

static struct variable guard_variable(const struct project *project)
{
	return (struct variable) { &project->document, project_var(project, "airlock") };
}

int config_set_guard(struct config *config, const struct project *project, struct err *err)
{
	struct reading reading = { .config = config };
	const struct variable airlock = guard_variable(project);

	return read_airlock(&reading, &airlock, err);
}

/* Where production is told from staging by tags, both are on one target. */
static bool publishes_to(const struct config *config, const char *target)
{
	const char *to = config_text(config, OPTION_TO);

	if (!to)
		to = config_text(config, OPTION_FROM);
	return to && strcmp(to, target) == 0;
}

int config_publishing_to(const struct project *project, const char *target, struct strv *ret_names,
			 struct err *err)
{
	struct config top CLEANUP(config_release) = { .strategy = NULL };
	struct reading reading = { .config = &top };
	const struct variable airlock = guard_variable(project);

	config_init(&top);
	if (read_airlock(&reading, &airlock, err) < 0)
		return -1;
	for (size_t i = 0; i < deployment_count(&reading); i++) {
		struct config config CLEANUP(config_release) = { .strategy = NULL };
		struct reading of_block = reading;

		config_init(&config);
		of_block.config = &config;
		if (read_airlock(&of_block, &airlock, err) < 0 ||
		    choose_deployment(&of_block, reading.deployments->keys[i],
				      reading.deployments->items[i], err) < 0)
			return -1;
		if (publishes_to(&config, target))
			strv_push(ret_names, config.deployment);
	}
	if (!deployment_count(&reading) && publishes_to(&top, target))
		strv_push(ret_names, *config_strategies());
	return 0;
}

int config_deployments(const struct project *project, struct strv *ret_names, struct err *err)
{
	struct config config CLEANUP(config_release) = { .strategy = NULL };
	struct reading reading = { .config = &config };
	const struct variable airlock = guard_variable(project);

	config_init(&config);
	if (read_airlock(&reading, &airlock, err) < 0)
		return -1;
	for (size_t i = 0; i < deployment_count(&reading); i++)
		strv_push(ret_names, reading.deployments->keys[i]->value);
	return 0;
}
