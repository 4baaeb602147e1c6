#include "airlock/deploy/build_commands.h"

#include <string.h>

#include "airlock/dbt/cmdline.h"

static const struct {
	const char *verb;
	enum manifest_type type; /* what it makes */
} verbs[] = {
	{ "run", MANIFEST_MODEL },
	{ "seed", MANIFEST_SEED },
	{ "snapshot", MANIFEST_SNAPSHOT },
	{ "test", MANIFEST_TEST },
};

static const struct strv none = STRV_INIT;

static bool is_verb(const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (strcmp(verbs[i].verb, word) == 0)
			return true;
	return false;
}

static bool are_commands(const struct strv *words)
{
	for (size_t i = 0; i < words->n; i++)
		if (!is_verb(words->v[i]))
			return false;
	return words->n > 0;
}

const struct strv *build_commands(const struct config *config)
{
	const struct strv *words = config_list(config, OPTION_BUILD);

	return are_commands(words) ? words : &none;
}

const struct strv *build_selection(const struct config *config)
{
	const struct strv *words = config_list(config, OPTION_BUILD);

	return are_commands(words) ? &none : words;
}

/* Tests behind everything that is built, so that no result is of what is built again. */
static int check_order(const struct strv *commands, const char *shown, struct err *err)
{
	for (size_t i = 0; i < commands->n; i++)
		for (size_t k = 0; k < i; k++)
			if (strcmp(commands->v[i], commands->v[k]) == 0)
				return err_set(err, ERR_CONFIG_INVALID,
					       "build: [%s]: '%s' stands there twice", shown,
					       commands->v[i]);
	if (strcmp(commands->v[commands->n - 1], "test") == 0)
		return 0;
	err_set(err, ERR_CONFIG_INVALID,
		"build: [%s]: the last command has to be 'test', so that all that was built is "
		"tested",
		shown);
	return err_hint(err, "build: [seed, run, test]; a selection is told from commands by "
			     "another word: path:models/run");
}

static const char *verb_of(const struct manifest_node *node)
{
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (verbs[i].type == node->type)
			return verbs[i].verb;
	return NULL;
}

int build_commands_check(const struct config *config, const struct routes *routes,
			 const struct strv *options, struct err *err)
{
	const struct strv *commands = build_commands(config);
	char *shown CLEANUP(mem_free_string) = strv_join(commands, ", ");
	const char *idle;

	if (commands->n == 0)
		return 0;
	if (check_order(commands, shown, err) < 0)
		return -1;
	for (size_t i = 0; i < routes->n; i++) {
		const struct manifest_node *node = routes->items[i].node;
		const char *verb = verb_of(node);

		if (!routes->items[i].in_scope || (verb && strv_contains(commands, verb)))
			continue;
		err_set(err, ERR_CONFIG_INVALID,
			"build: [%s]: nothing builds '%s', which is to be published", shown,
			node->unique_id);
		return verb ? err_hint(err, "add '%s'", verb) : -1;
	}
	idle = cmdline_find_idle(options, commands);
	if (idle)
		return err_set(err, ERR_DBT_OPTION,
			       "build: [%s]: '%s' is an option of none of these commands", shown,
			       idle);
	return 0;
}
