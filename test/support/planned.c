#include "planned.h"

#include <stdlib.h>
#include <string.h>

#include "airlock/base/fs.h"
#include "airlock/deploy/orphan.h"
#include "airlock/deploy/scope_build.h"
#include "airlock/deploy/strategy.h"
#include "airlock/format/json.h"

#define PICTURE_MAX (64 << 20)

void planned_init(struct planned *planned)
{
	*planned = (struct planned) { .from = NULL };
	config_init(&planned->config);
	config_set_strategy(&planned->config, "wac");
}

void planned_release(struct planned *planned)
{
	plan_release(&planned->plan);
	observed_release(&planned->observed);
	routes_release(&planned->routes);
	manifest_free(planned->from);
	manifest_free(planned->to);
	json_decref(planned->compiled);
	strv_release(&planned->build_options);
	strv_release(&planned->build_select);
	config_release(&planned->config);
}

int planned_options(struct planned *planned, char *const *words, struct err *err)
{
	if (*words && **words != '-') {
		config_set_strategy(&planned->config, *words++);
	}
	for (; *words; words++) {
		bool negated;
		const struct option_row *row = option_find(*words, &negated);
		bool alone;

		if (!row)
			return err_set(err, ERR_USAGE, "no option '%s'", *words);
		alone = row->type == OPTION_FLAG || row->type == OPTION_BOOL;
		if (!alone && !words[1])
			return err_set(err, ERR_USAGE, "'%s' needs a value", *words);
		if (!alone)
			words++;
		if (config_set_argument(&planned->config, row, negated, alone ? NULL : *words,
					err) < 0)
			return -1;
	}
	return 0;
}

int planned_manifests(struct planned *planned, const char *from, const char *to, struct err *err)
{
	if (manifest_read(from, &planned->from, err) < 0 ||
	    (to && manifest_read(to, &planned->to, err) < 0))
		return -1;
	planned->dialect = dialect_find(manifest_adapter_type(planned->from));
	if (!planned->dialect)
		return err_set(err, ERR_UNSUPPORTED, "no dialect '%s'",
			       manifest_adapter_type(planned->from));
	return 0;
}

int planned_routes(struct planned *planned, struct err *err)
{
	if (routes_resolve(&planned->config, planned->dialect, planned->from, planned->to, NULL,
			   NULL, NULL, &planned->routes, err) < 0)
		return -1;
	if (scope_build_is_wanted(&planned->config)) {
		scope_build_choose(&planned->config, planned->from, NULL, &planned->routes);
		scope_build_push_words(&planned->routes, &planned->build_select);
	}
	return routes_check(&planned->routes, err);
}

int planned_observe(struct planned *planned, const char *picture, struct err *err)
{
	json_t *json CLEANUP(js_free) = js_read_file(picture, PICTURE_MAX, ERR_NO_ANSWER, err);

	if (!json)
		return -1;
	orphans_find(&planned->config, "shop", planned->from, planned->to,
		     js_get_array(json, "published"), &planned->routes);
	return observed_parse(json, &planned->observed, err);
}

/* compiled.json beside the manifest of `to`. */
static int read_compiled(struct planned *planned, const char *to, struct err *err)
{
	char *folder CLEANUP(mem_free_string) = fs_parent(to ? to : "");
	char *path CLEANUP(mem_free_string) = fs_join(folder, "compiled.json");

	if (planned->routes.view_count == 0)
		return 0;
	planned->compiled = js_read_file(path, PICTURE_MAX, ERR_NO_ANSWER, err);
	return planned->compiled ? 0 : -1;
}

int planned_plan(struct planned *planned, struct err *err)
{
	const char *home = config_text(&planned->config, OPTION_STATE_DATABASE);
	const struct strategy_input input = {
		.config = &planned->config,
		.routes = &planned->routes,
		.dialect = planned->dialect,
		.observed = &planned->observed,
		.runs = planned->runs,
		.builds_nothing = planned->builds_nothing,
		.begun = planned->finish,
		.finish = planned->finish,
		.compiled = planned->compiled,
		.build_options = &planned->build_options,
		.build_select = &planned->build_select,
		.database = home && *home ? home : planned->routes.items[0].to.database,
	};

	return strategy_plan(strategy_find(planned->config.strategy), &input, &planned->plan, err);
}

int planned_all(struct planned *planned, const char *from, const char *to, const char *picture,
		char *const *options, struct err *err)
{
	if (planned_options(planned, options, err) < 0 ||
	    planned_manifests(planned, from, to, err) < 0 || planned_routes(planned, err) < 0 ||
	    planned_observe(planned, picture, err) < 0 || read_compiled(planned, to, err) < 0)
		return -1;
	return planned_plan(planned, err);
}
