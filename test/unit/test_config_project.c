#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "config_support.h"

static void tags_to_clone_are_tags_where_there_are_none(void **state)
{
	CLEANUP(config_release) struct config recipe, vars, own, block;

	(void)state;
	accepts(&(struct input) { .project = "  tags_to_clone: ['mart', 'utils']\n" }, &recipe);
	holds(&recipe, OPTION_TAGS, "mart|utils", "dbt_project.yml:3:18 (tags_to_clone)");
	assert_int_equal(recipe.values[OPTION_TAGS].source, OPTION_BY_PROJECT);
	accepts(&(struct input) { .project = "  tags_to_clone: ['mart']\n",
				  .vars = "{\"tags_to_clone\": [\"x\"]}" },
		&vars);
	holds(&vars, OPTION_TAGS, "x", "--vars:1:19 (tags_to_clone)");
	accepts(&(struct input) { .project = "  tags_to_clone: ['mart']\n  airlock: {tags: y}\n" },
		&own);
	holds(&own, OPTION_TAGS, "y", "dbt_project.yml:4:19");
	accepts(&(struct input) { .project = "  tags_to_clone: ['mart']\n  airlock:\n"
					     "    deployments: {z: {strategy: wac, tags: z}}\n" },
		&block);
	holds(&block, OPTION_TAGS, "z", "dbt_project.yml:5:44");
	assert_string_equal(block.deployment, "z");
}

static void any_deployment_will_do_where_all_publish_to_one_side(void **state)
{
	CLEANUP(config_release) struct config one;

	(void)state;
	accepts(&(struct input) { .project = "  airlock:\n    deployments:\n"
					     "      a: {strategy: wac, from: x, to: prod}\n"
					     "      b: {strategy: wac, from: y, to: prod}\n",
				  .what = CONFIG_ANY_DEPLOYMENT },
		&one);
	assert_string_equal(config_text(&one, OPTION_TO), "prod");
	refuses(&(struct input) { .project = "  airlock:\n    deployments:\n"
					     "      a: {strategy: wac, from: x, to: prod}\n"
					     "      b: {strategy: wac, from: x, to: other}\n",
				  .what = CONFIG_ANY_DEPLOYMENT },
		ERR_USAGE, "the deployments 'a' and 'b' of the project publish to different sides",
		"say which one is meant: --from TARGET --to TARGET");
}

static void unknown_keys_are_refused_with_the_nearest(void **state)
{
	(void)state;
	refuses(&(struct input) { .project = "  airlock:\n    from: a\n    tgas: [x]\n" },
		ERR_CONFIG_INVALID, "/p/dbt_project.yml:5:5: there is no key 'tgas' here",
		"did you mean 'tags'?");
	refuses(&(struct input) { .project = "  airlock:\n    deployment: {}\n" },
		ERR_CONFIG_INVALID, "/p/dbt_project.yml:4:5: there is no key 'deployment' here",
		"did you mean 'deployments'?");
	refuses(
		&(struct input) {
			.project = "  airlock: {deployments: {x: {strategy: wac, form: y}}}\n",
			.what = "wac" },
		ERR_CONFIG_INVALID, "/p/dbt_project.yml:3:46: there is no key 'form' here",
		"did you mean 'from'?");
	refuses(&(struct input) { .project = "  airlock: {zebra: 1}\n" }, ERR_CONFIG_INVALID,
		"/p/dbt_project.yml:3:13: there is no key 'zebra' here", "");
	refuses(&(struct input) { .project = "  airlock: {yes: true}\n" }, ERR_CONFIG_INVALID,
		"/p/dbt_project.yml:3:13: 'yes' can only be given on the command line",
		"say '--yes' there");
	refuses(&(struct input) { .vars = "{airlock: {frmo: a}}" }, ERR_CONFIG_INVALID,
		"--vars:1:12: there is no key 'frmo' here", "did you mean 'from'?");
}

static void jinja_is_refused_with_the_variable_to_use(void **state)
{
	(void)state;
	refuses(&(struct input) { .project = "  airlock: {from: \"{{ env_var('X') }}\"}\n",
				  .arguments = "--from a" },
		ERR_CONFIG_INVALID,
		"/p/dbt_project.yml:3:19: 'from' holds Jinja, but airlock takes its values "
		"literally",
		"write the value itself, or take 'from' out and set AIRLOCK_FROM in the "
		"environment");
	refuses(&(struct input) { .project = "  airlock: {tags: [a, \"{{ b }}\"]}\n" },
		ERR_CONFIG_INVALID,
		"/p/dbt_project.yml:3:23: 'tags' holds Jinja, but airlock takes its values "
		"literally",
		NULL);
	refuses(&(struct input) { .project = "  airlock: {routes: {a: \"{{ b }}\"}}\n" },
		ERR_CONFIG_INVALID,
		"/p/dbt_project.yml:3:25: 'routes' holds Jinja, but airlock takes its values "
		"literally",
		NULL);
	refuses(&(struct input) { .project = "  tags_to_clone: \"{{ b }}\"\n" }, ERR_CONFIG_INVALID,
		"tags_to_clone: /p/dbt_project.yml:3:18: 'tags' holds Jinja, but airlock takes its "
		"values literally",
		NULL);
}

static void the_keys_of_the_mirror_stand_in_a_mapping(void **state)
{
	CLEANUP(config_release) struct config config;

	(void)state;
	accepts(&(struct input) { .project = "  airlock:\n    mirror:\n      raw: 'tag:raw'\n"
					     "      max_age: 2d\n      max_shrink: 20\n",
				  .variables = "AIRLOCK_MIRROR_MAX_SHRINK=30" },
		&config);
	assert_string_equal(config_list(&config, OPTION_MIRROR_RAW)->v[0], "tag:raw");
	assert_int_equal(config_number(&config, OPTION_MIRROR_MAX_AGE), 2 * 86400);
	assert_int_equal(config_number(&config, OPTION_MIRROR_MAX_SHRINK), 30);
	assert_true(config_is(&config, OPTION_MIRROR_IF_OLD, "warn"));
	refuses(&(struct input) { .project = "  airlock:\n    mirror: {row: 'tag:raw'}\n" },
		ERR_CONFIG_INVALID, "/p/dbt_project.yml:4:14: 'mirror' has no key 'row'",
		"its keys are raw, allow, if_old, max_age and max_shrink");
	refuses(&(struct input) { .project = "  airlock:\n    mirror: tag:raw\n" },
		ERR_CONFIG_INVALID,
		"/p/dbt_project.yml:4:13: 'mirror' must be a mapping of options",
		"for example mirror: {raw: 'tag:raw', max_age: 1d}");
}

static void foreign_objects_are_refused_or_ignored_by_pattern(void **state)
{
	CLEANUP(config_release) struct config config;
	CLEANUP(config_release) struct config list;
	CLEANUP(config_release) struct config refused;
	CLEANUP(config_release) struct config cloned;

	(void)state;
	accepts(&(struct input) { .project = "  airlock:\n    foreign_objects: "
					     "{ignore: ['mart.tmp_*', 'x.y']}\n" },
		&config);
	holds(&config, OPTION_FOREIGN_OBJECTS, "mart.tmp_*|x.y", "dbt_project.yml:4:31");
	accepts(&(struct input) { .project = "  airlock:\n    foreign_objects: ['mart.tmp_*']\n" },
		&list);
	holds(&list, OPTION_FOREIGN_OBJECTS, "mart.tmp_*", "dbt_project.yml:4:22");
	accepts(&(struct input) { .project = "  airlock:\n    foreign_objects: ['mart.tmp_*']\n",
				  .variables = "AIRLOCK_FOREIGN_OBJECTS=refuse" },
		&refused);
	holds(&refused, OPTION_FOREIGN_OBJECTS, "", "AIRLOCK_FOREIGN_OBJECTS");
	accepts(&(struct input) { .arguments = "--foreign-objects clone,x.y" }, &cloned);
	holds(&cloned, OPTION_FOREIGN_OBJECTS, "clone|x.y", "--foreign-objects");
	refuses(&(struct input) { .project = "  airlock:\n    foreign_objects: {allow: [a.b]}\n" },
		ERR_CONFIG_INVALID,
		"/p/dbt_project.yml:4:22: 'foreign_objects' has another key than 'ignore'",
		"write 'foreign_objects: refuse' or 'foreign_objects: {ignore: [...]}'");
	refuses(&(struct input) { .arguments = "--foreign-objects refuse,a.b" }, ERR_CONFIG_INVALID,
		"--foreign-objects: 'foreign_objects' is 'refuse', or a list without it", NULL);
}

#define TWO_DEPLOYMENTS                                                                            \
	"  airlock:\n    deployments:\n      hourly: {strategy: wac}\n"                            \
	"      nightly: {strategy: production-rollback, from: x}\n"

static void the_word_behind_the_verb_is_a_strategy_or_a_deployment(void **state)
{
	CLEANUP(config_release) struct config config;

	(void)state;
	accepts(&(struct input) { .project = TWO_DEPLOYMENTS, .what = "hourly" }, &config);
	assert_string_equal(config.deployment, "hourly");
	assert_string_equal(config.strategy, "wac");
	refuses(&(struct input) { .project = TWO_DEPLOYMENTS }, ERR_USAGE,
		"the project has several deployments: 'hourly', 'nightly'",
		"name one of them behind the command");
	refuses(&(struct input) { .project = TWO_DEPLOYMENTS, .what = "hurly" }, ERR_USAGE,
		"there is no strategy or deployment 'hurly'", "did you mean 'hourly'?");
	refuses(&(struct input) { .project = TWO_DEPLOYMENTS, .what = "wca" }, ERR_USAGE,
		"there is no strategy or deployment 'wca'", "did you mean 'wac'?");
	refuses(&(struct input) { .project = TWO_DEPLOYMENTS, .what = "quux" }, ERR_USAGE,
		"there is no strategy or deployment 'quux'",
		"the strategies are 'wac', 'wap', 'production-rollback' and 'blue-green'; the "
		"deployments are "
		"'hourly', "
		"'nightly'");
}

static void the_mirror_is_no_strategy_that_is_deployed(void **state)
{
	static const char *const later[] = { "mirror" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(later); i++) {
		CLEANUP(mem_free_string)
		char *message = mem_printf("'%s' is a layer below the strategies, and not deployed",
					   later[i]);

		refuses(&(struct input) { .what = later[i] }, ERR_UNSUPPORTED, message, NULL);
	}
	refuses(&(struct input) { .project = "  airlock:\n    deployments:\n"
					     "      daily: {strategy: mirror}\n",
				  .what = "daily" },
		ERR_UNSUPPORTED,
		"deployment 'daily': 'mirror' is a layer below the strategies, and "
		"not deployed",
		NULL);
}

static void deployments_are_checked(void **state)
{
	static const struct {
		const char *block;
		const char *message;
		const char *hint;
	} cases[] = {
		{ "wac: {strategy: wac}", "deployment 'wac' has the name of a strategy",
		  "give it another name" },
		{ "wap: {strategy: wac}", "deployment 'wap' has the name of a strategy",
		  "give it another name" },
		{ "x: {from: a}", "deployment 'x' has no strategy", "add 'strategy: wac' to it" },
		{ "x: wac", "deployment 'x' must be a mapping",
		  "for example 'x: {strategy: wac, from: staging, to: prod}'" },
		{ "x: {strategy: wapp}", "there is no strategy 'wapp'", "did you mean 'wap'?" },
		{ "x: {strategy: other}", "there is no strategy 'other'", "write 'strategy: wac'" },
		{ "-x: {strategy: wac}", "'-x' cannot be the name of a deployment", NULL },
		{ "x: {strategy: \"{{ y }}\"}", "'strategy' must be the name of a strategy", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(mem_free_string)
		char *project = mem_printf(
			"  airlock:\n    deployments:\n      good: {strategy: wac}\n      %s\n",
			cases[i].block);
		CLEANUP(err_release) struct err err = ERR_INIT;
		CLEANUP(config_release) struct config config;

		assert_int_equal(configure(&(struct input) { .project = project, .what = "good" },
					   &config, &err),
				 -1);
		if (!strstr(err.message, cases[i].message))
			fail_msg("'%s' instead of '%s'", err.message, cases[i].message);
		assert_non_null(strstr(err.message, "/p/dbt_project.yml:6:"));
		if (cases[i].hint)
			assert_string_equal(err.hint, cases[i].hint);
	}
}

static void nothing_under_the_key_is_nothing_said(void **state)
{
	CLEANUP(config_release) struct config one, two;

	(void)state;
	accepts(&(struct input) { .project = "  airlock:\n" }, &one);
	accepts(&(struct input) { .project = "  airlock: {deployments: }\n", .vars = "" }, &two);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tags_to_clone_are_tags_where_there_are_none),
		cmocka_unit_test(any_deployment_will_do_where_all_publish_to_one_side),
		cmocka_unit_test(unknown_keys_are_refused_with_the_nearest),
		cmocka_unit_test(jinja_is_refused_with_the_variable_to_use),
		cmocka_unit_test(the_word_behind_the_verb_is_a_strategy_or_a_deployment),
		cmocka_unit_test(the_keys_of_the_mirror_stand_in_a_mapping),
		cmocka_unit_test(foreign_objects_are_refused_or_ignored_by_pattern),
		cmocka_unit_test(the_mirror_is_no_strategy_that_is_deployed),
		cmocka_unit_test(deployments_are_checked),
		cmocka_unit_test(nothing_under_the_key_is_nothing_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
