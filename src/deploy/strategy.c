#include "airlock/deploy/strategy.h"

#include <string.h>

#include "airlock/deploy/publication.h"
#include "airlock/deploy/strategy_rows.h"

static const struct strategy *const strategies[] = {
	&strategy_blue_green,
	&strategy_production_rollback,
	&strategy_wac,
	&strategy_wap,
};

const struct strategy *const *strategy_all(size_t *ret_n)
{
	*ret_n = ARRAY_LEN(strategies);
	return strategies;
}

const struct strategy *strategy_find(const char *name)
{
	for (size_t i = 0; name && i < ARRAY_LEN(strategies); i++)
		if (strcmp(strategies[i]->name, name) == 0)
			return strategies[i];
	return NULL;
}

static bool works_on(const struct strategy *strategy, const struct dialect *dialect)
{
	if (dialect->changes_set_atomically)
		return true;
	for (const char *const *name = strategy->one_by_one; name && *name; name++)
		if (strcmp(*name, dialect->name) == 0)
			return true;
	return false;
}

static int refuse_dialect(const struct strategy *strategy, const struct dialect *dialect,
			  struct err *err)
{
	CLEANUP(strv_release) struct strv names = STRV_INIT;
	CLEANUP(mem_free_string) char *list = NULL;

	for (size_t i = 0; i < ARRAY_LEN(strategies); i++)
		if (works_on(strategies[i], dialect))
			strv_push(&names, strategies[i]->name);
	list = strv_join(&names, ", ");
	if (strategy->swaps && !dialect->swaps_schemas && !dialect->swaps_files)
		return err_set(
			err, ERR_UNSUPPORTED,
			"there is no %s on %s, where nothing can be swapped whole; there is: %s",
			strategy->name, dialect->title, list);
	return err_set(err, ERR_UNSUPPORTED, "%s on %s is not in this version; there is: %s",
		       strategy->name, dialect->title, list);
}

int strategy_check_dialect(const struct strategy *strategy, const struct dialect *dialect,
			   struct err *err)
{
	return works_on(strategy, dialect) ? 0 : refuse_dialect(strategy, dialect, err);
}

int strategy_plan(const struct strategy *strategy, const struct strategy_input *input,
		  struct plan *ret_plan, struct err *err)
{
	struct plan plan;

	if (strategy_check_dialect(strategy, input->dialect, err) < 0)
		return -1;
	plan_init(&plan);
	plan.strategy = strategy->name;
	plan.dialect = input->dialect;
	plan.from = arena_strdup(&plan.arena, config_text(input->config, OPTION_FROM));
	plan.to = arena_strdup(&plan.arena, config_text(input->config, OPTION_TO));
	char *from_env CLEANUP(mem_free_string) = config_side_words(input->config, OPTION_FROM);
	char *to_env CLEANUP(mem_free_string) = config_side_words(input->config, OPTION_TO);

	plan.from_env = arena_strdup(&plan.arena, from_env);
	plan.to_env = arena_strdup(&plan.arena, to_env);
	strv_push_all(&plan.warnings, &input->routes->warnings);
	publication_name_orphans(input->routes, &plan);
	if (strategy->plan(input, &plan, err) < 0) {
		plan_release(&plan);
		return -1;
	}
	*ret_plan = plan;
	return 0;
}
