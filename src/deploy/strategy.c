#include "airlock/deploy/strategy.h"

#include <string.h>

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

int strategy_plan(const struct strategy *strategy, const struct strategy_input *input,
		  struct plan *ret_plan, struct err *err)
{
	struct plan plan;

	if (!input->dialect->changes_set_atomically && !strategy->one_by_one)
		return err_set(err, ERR_UNSUPPORTED,
			       "%s on %s is not in this version; wac and "
			       "production-rollback are",
			       strategy->name, input->dialect->title);
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
	if (strategy->plan(input, &plan, err) < 0) {
		plan_release(&plan);
		return -1;
	}
	*ret_plan = plan;
	return 0;
}
