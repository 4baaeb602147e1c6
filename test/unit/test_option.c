#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "airlock/base/env.h"
#include "airlock/deploy/option.h"

/* A configuration made of everything that may speak. NULL: that source is silent. */
struct input {
	const char *project;   /* what stands under `vars:`, indented by two */
	const char *vars;      /* the text of --vars */
	const char *variables; /* NAME=VALUE, separated by spaces */
	const char *arguments; /* --name value, separated by spaces; flags have no value */
	const char *what;
};

static void open_project(const char *vars, struct project *ret_project)
{
	CLEANUP(err_release) struct err err = ERR_INIT;
	CLEANUP(mem_free_string)
	char *text = mem_printf("name: shop\nvars:\n%s", vars ? vars : "  other: 1\n");

	*ret_project = (struct project) { .name = NULL };
	if (yaml_parse(text, strlen(text), "/p/dbt_project.yml", &ret_project->document, &err) < 0)
		fail_msg("%s", err.message);
	ret_project->name = "shop";
}

static int set_arguments(struct config *config, const char *arguments, struct err *err)
{
	CLEANUP(strv_release) struct strv words = STRV_INIT;

	strv_split(&words, arguments, " ");
	for (size_t i = 0; i < words.n; i++) {
		bool negated;
		const struct option_row *row = option_find(words.v[i], &negated);
		bool alone;

		assert_non_null(row);
		alone = row->type == OPTION_FLAG || row->type == OPTION_BOOL;
		if (config_set_argument(config, row, negated,
					alone || i + 1 == words.n ? NULL : words.v[++i], err) < 0)
			return -1;
	}
	return 0;
}

static int configure(const struct input *input, struct config *config, struct err *err)
{
	CLEANUP(strv_release) struct strv variables = STRV_INIT;
	CLEANUP(project_release) struct project project;
	int rc = 0;

	open_project(input->project, &project);
	config_init(config);
	if (input->variables)
		strv_split(&variables, input->variables, " ");
	/* From the strongest to the weakest: the order must not matter. */
	if (input->arguments)
		rc = set_arguments(config, input->arguments, err);
	if (!rc)
		rc = config_set_environment(config, &variables, err);
	if (!rc)
		rc = config_set_project(config, &project, input->vars, input->what, err);
	return rc;
}

static void accepts(const struct input *input, struct config *config)
{
	CLEANUP(err_release) struct err err = ERR_INIT;

	if (configure(input, config, &err) < 0)
		fail_msg("refused: %s", err.message);
}

static void refuses(const struct input *input, enum err_code code, const char *message,
		    const char *hint)
{
	CLEANUP(err_release) struct err err = ERR_INIT;
	CLEANUP(config_release) struct config config;

	if (configure(input, &config, &err) == 0)
		fail_msg("accepted: %s", message);
	assert_string_equal(err.message, message);
	assert_int_equal(err.code, code);
	if (hint)
		assert_string_equal(err.hint ? err.hint : "", hint);
}

static void holds(const struct config *config, enum option_id id, const char *joined,
		  const char *origin)
{
	CLEANUP(mem_free_string) char *text = strv_join(config_list(config, id), "|");

	assert_string_equal(text, joined);
	assert_string_equal(config->values[id].origin, origin);
}

static void the_table_is_sorted_and_documented(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct option_row *row = option_row((enum option_id)i);
		bool alone = row->type == OPTION_FLAG || row->type == OPTION_BOOL;

		assert_int_equal(row->id, i);
		assert_non_null(row->help);
		assert_in_range(strlen(row->help), 10, 90);
		assert_true(row->type >= OPTION_STRING && row->type <= OPTION_DURATION);
		assert_non_null(row->fallback);
		assert_true((row->argument == NULL) == alone);
		assert_true((row->values != NULL) == (row->type == OPTION_ENUM));
		assert_true(row->type != OPTION_FLAG || row->command_line_only);
		if (i)
			assert_true(strcmp(option_row((enum option_id)(i - 1))->key, row->key) < 0);
	}
}

static void options_are_found_by_their_names(void **state)
{
	bool negated = true;

	(void)state;
	assert_ptr_equal(option_find("--publish-timeout", &negated),
			 option_row(OPTION_PUBLISH_TIMEOUT));
	assert_false(negated);
	assert_ptr_equal(option_find("-s", &negated), option_row(OPTION_SELECT));
	assert_ptr_equal(option_find("-y", &negated), option_row(OPTION_YES));
	assert_ptr_equal(option_find("--no-restore-point", &negated),
			 option_row(OPTION_RESTORE_POINT));
	assert_true(negated);
	assert_null(option_find("--no-json", &negated));
	assert_null(option_find("--no-from", &negated));
	assert_null(option_find("--publish_timeout", &negated));
	assert_null(option_find("--fro", &negated));
	assert_null(option_find("from", &negated));
}

static void defaults_hold_where_nobody_speaks(void **state)
{
	CLEANUP(config_release) struct config config;

	(void)state;
	accepts(&(struct input) { .what = "wac" }, &config);
	assert_null(config_text(&config, OPTION_FROM));
	assert_int_equal(config_number(&config, OPTION_PUBLISH_TIMEOUT), 30);
	assert_true(config_bool(&config, OPTION_RESTORE_POINT));
	assert_false(config_bool(&config, OPTION_YES));
	assert_true(config_is(&config, OPTION_VIEWS, "skip"));
	assert_true(config_is(&config, OPTION_REQUIRE_TESTS, "some"));
	assert_true(config_is(&config, OPTION_ROUTE, "tag"));
	assert_int_equal(config_list(&config, OPTION_TAGS)->n, 0);
	assert_false(config_is_set(&config, OPTION_VIEWS));
	assert_string_equal(config.strategy, "wac");
	assert_string_equal(config.deployment, "");
}

static void the_stronger_source_wins(void **state)
{
	static const struct {
		struct input input;
		const char *from;
		const char *origin;
	} cases[] = {
		{ { .project = "  airlock: {from: a}\n" }, "a", "dbt_project.yml:3:19" },
		{ { .project = "  airlock: {from: a}\n  shop:\n    airlock: {from: b}\n" },
		  "b",
		  "dbt_project.yml:5:21" },
		{ { .project = "  airlock: {from: a}\n", .vars = "{airlock: {from: c}}" },
		  "c",
		  "--vars:1:18" },
		{ { .project = "  airlock: {from: a, deployments: {x: {strategy: wac, from: d}}}\n",
		    .what = "x" },
		  "d",
		  "dbt_project.yml:3:61" },
		{ { .project = "  airlock: {from: a, deployments: {x: {strategy: wac, from: d}}}\n",
		    .what = "wac" },
		  "a",
		  "dbt_project.yml:3:19" },
		{ { .project = "  airlock: {deployments: {x: {strategy: wac, from: d}}}\n",
		    .variables = "DBT_AIRLOCK_FROM=e" },
		  "e",
		  "DBT_AIRLOCK_FROM" },
		{ { .variables = "DBT_AIRLOCK_FROM=e AIRLOCK_FROM=f" }, "f", "AIRLOCK_FROM" },
		{ { .variables = "AIRLOCK_FROM=f", .arguments = "--from g" }, "g", "--from" },
		{ { .arguments = "--from g --from h" }, "h", "--from" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(config_release) struct config config;

		accepts(&cases[i].input, &config);
		assert_string_equal(config_text(&config, OPTION_FROM), cases[i].from);
		assert_string_equal(config.values[OPTION_FROM].origin, cases[i].origin);
	}
}

static void lists_come_from_commas_and_yaml(void **state)
{
	CLEANUP(config_release) struct config config;

	(void)state;
	accepts(&(struct input) { .project = "  airlock:\n"
					     "    tags: [mart, 'a,b']\n"
					     "    select: 'tag:x +y'\n"
					     "    exclude: [a b, c]\n"
					     "    allow_untested: one, two\n"
					     "    routes: {mart: analytics, 'a,b': c}\n" },
		&config);
	holds(&config, OPTION_TAGS, "mart|a,b", "dbt_project.yml:4:11");
	holds(&config, OPTION_SELECT, "tag:x|+y", "dbt_project.yml:5:13");
	holds(&config, OPTION_EXCLUDE, "a|b|c", "dbt_project.yml:6:14");
	holds(&config, OPTION_ALLOW_UNTESTED, "one|two", "dbt_project.yml:7:21");
	holds(&config, OPTION_ROUTES, "mart=analytics|a,b=c", "dbt_project.yml:8:13");
	assert_string_equal(config_route(&config, "mart"), "analytics");
	assert_string_equal(config_route(&config, "mar"), "mar");
	assert_string_equal(config_route(&config, "utils"), "utils");
}

static void lists_add_up_on_the_command_line_only(void **state)
{
	CLEANUP(config_release) struct config config;

	(void)state;
	accepts(&(struct input) { .project = "  airlock: {tags: [a]}\n",
				  .variables = "AIRLOCK_TAGS=b AIRLOCK_ROUTES=x=1,y=2",
				  .arguments = "--tags c,d --tags e -s one -s two" },
		&config);
	holds(&config, OPTION_TAGS, "c|d|e", "--tags");
	holds(&config, OPTION_SELECT, "one|two", "--select");
	holds(&config, OPTION_ROUTES, "x=1|y=2", "AIRLOCK_ROUTES");
}

static void routing_follows_to_unless_it_is_said(void **state)
{
	CLEANUP(config_release) struct config by_target, by_tag;

	(void)state;
	accepts(&(struct input) { .arguments = "--to prod" }, &by_target);
	assert_true(config_is(&by_target, OPTION_ROUTE, "target"));
	assert_false(config_is_set(&by_target, OPTION_ROUTE));
	accepts(&(struct input) { .arguments = "--to prod --route tag" }, &by_tag);
	assert_true(config_is(&by_tag, OPTION_ROUTE, "tag"));
}

static void booleans_are_yaml_s(void **state)
{
	CLEANUP(config_release) struct config one, two, three;

	(void)state;
	accepts(&(struct input) { .project = "  airlock: {restore_point: no}\n" }, &one);
	assert_false(config_bool(&one, OPTION_RESTORE_POINT));
	accepts(&(struct input) { .variables = "AIRLOCK_RESTORE_POINT=False" }, &two);
	assert_false(config_bool(&two, OPTION_RESTORE_POINT));
	accepts(&(struct input) { .project = "  airlock: {restore_point: no}\n",
				  .arguments = "--restore-point" },
		&three);
	assert_true(config_bool(&three, OPTION_RESTORE_POINT));
}

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

static void a_side_is_a_target_and_an_environment(void **state)
{
	static const char project[] =
		"  airlock:\n    from: {target: prod, env: {DB: 'a, b=c'}}\n    to: prod\n";
	CLEANUP(config_release) struct config said, alone, overruled;

	(void)state;
	accepts(&(struct input) { .project = project }, &said);
	CLEANUP(mem_free_string) char *from = config_side_name(&said, OPTION_FROM);
	CLEANUP(mem_free_string) char *to = config_side_name(&said, OPTION_TO);
	CLEANUP(mem_free_string) char *words = config_side_words(&said, OPTION_FROM);

	holds(&said, OPTION_FROM_ENV, "DB=a, b=c", "dbt_project.yml:4:31");
	assert_string_equal(config_text(&said, OPTION_FROM), "prod");
	assert_int_equal(strncmp(from, "prod-", 5), 0);
	assert_string_equal(to, "prod");
	assert_string_equal(words, "DB");
	accepts(&(struct input) { .project = project, .arguments = "--from dev" }, &overruled);
	CLEANUP(mem_free_string) char *other = config_side_name(&overruled, OPTION_FROM);

	assert_string_equal(other, "dev");
	accepts(&(struct input) { .project = project,
				  .arguments = "--from-env DB=x --from-env B=y" },
		&alone);
	CLEANUP(mem_free_string) char *both = config_side_words(&alone, OPTION_FROM);

	assert_string_equal(both, "B, DB");
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

static void values_are_checked_and_the_message_says_where(void **state)
{
	static const struct {
		struct input input;
		const char *message;
	} cases[] = {
		{ { .project = "  airlock: {views: remake}\n" },
		  "/p/dbt_project.yml:3:20: 'views' is 'remake'; it can be 'rebuild', 'skip' or "
		  "'refuse'" },
		{ { .variables = "AIRLOCK_REQUIRE_TESTS=all" },
		  "AIRLOCK_REQUIRE_TESTS: 'require_tests' is 'all'; it can be 'some', 'each' or "
		  "'none'" },
		{ { .arguments = "--route both" },
		  "--route: 'route' is 'both'; it can be 'target' or 'tag'" },
		{ { .project = "  airlock: {restore_point: maybe}\n" },
		  "/p/dbt_project.yml:3:28: 'restore_point' is 'maybe'; it can be 'true' or "
		  "'false'" },
		{ { .arguments = "--publish-timeout 0" },
		  "--publish-timeout: 'publish_timeout' is '0'; it can be a whole number, 1 to "
		  "86400" },
		{ { .arguments = "--publish-timeout 86401" },
		  "--publish-timeout: 'publish_timeout' is '86401'; it can be a whole number, 1 to "
		  "86400" },
		{ { .arguments = "--publish-timeout 99999999999999999999" },
		  "--publish-timeout: 'publish_timeout' is '99999999999999999999'; it can be a "
		  "whole number, 1 to 86400" },
		{ { .variables = "AIRLOCK_PUBLISH_TIMEOUT=5m" },
		  "AIRLOCK_PUBLISH_TIMEOUT: 'publish_timeout' is '5m'; it can be a whole number, "
		  "1 to 86400" },
		{ { .arguments = "--keep 0" },
		  "--keep: 'keep' is '0'; it can be a whole number, 1 to 1000" },
		{ { .arguments = "--keep-for 7" },
		  "--keep-for: 'keep_for' is '7'; it can be a whole number with s, m, h, d or w "
		  "behind it, as 12h or 7d, at most 3650d, or 0" },
		{ { .variables = "AIRLOCK_KEEP_FOR=522w" },
		  "AIRLOCK_KEEP_FOR: 'keep_for' is '522w'; it can be a whole number with s, m, h, "
		  "d "
		  "or w behind it, as 12h or 7d, at most 3650d, or 0" },
		{ { .arguments = "--max-shrink 101" },
		  "--max-shrink: 'max_shrink' is '101'; it can be a whole number, 0 to 100" },
		{ { .arguments = "--routes mart" },
		  "--routes: 'routes' holds 'mart'; it takes TAG=SCHEMA,..." },
		{ { .project = "  airlock: {tags: []}\n" },
		  "/p/dbt_project.yml:3:19: 'tags' has no value" },
		{ { .project = "  airlock:\n    tags:\n    from: a\n" },
		  "/p/dbt_project.yml:4:10: 'tags' has no value" },
		{ { .project = "  airlock: {from: [a]}\n" },
		  "/p/dbt_project.yml:3:19: 'from' takes one value" },
		{ { .project = "  airlock: {tags: {a: b}}\n" },
		  "/p/dbt_project.yml:3:19: 'tags' takes a value or a list" },
		{ { .project = "  airlock: {routes: [a]}\n" },
		  "/p/dbt_project.yml:3:21: 'routes' takes a mapping of tags to schemas" },
		{ { .project = "  airlock: {tags: [[a]]}\n" },
		  "/p/dbt_project.yml:3:20: 'tags' takes plain values only" },
		{ { .project = "  airlock: [from]\n" },
		  "/p/dbt_project.yml:3:12: 'airlock' must be a mapping of options" },
		{ { .project = "  tags_to_clone: []\n" },
		  "tags_to_clone: /p/dbt_project.yml:3:18: 'tags' has no value" },
		{ { .vars = "from" }, "--vars must be a mapping, not 'from'" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		refuses(&cases[i].input, ERR_CONFIG_INVALID, cases[i].message, NULL);
	refuses(&(struct input) { .arguments = "--from" }, ERR_USAGE,
		"'--from' needs a value: TARGET", NULL);
}

static void misspelt_variables_are_refused(void **state)
{
	CLEANUP(config_release) struct config config;

	(void)state;
	refuses(&(struct input) { .variables = "AIRLOCK_FORM=a" }, ERR_CONFIG_INVALID,
		"AIRLOCK_FORM: there is no such variable", "did you mean 'AIRLOCK_FROM'?");
	refuses(&(struct input) { .variables = "DBT_AIRLOCK_TAG=a" }, ERR_CONFIG_INVALID,
		"DBT_AIRLOCK_TAG: there is no such variable", "did you mean 'AIRLOCK_TAGS'?");
	refuses(&(struct input) { .variables = "AIRLOCK_YES=1" }, ERR_CONFIG_INVALID,
		"AIRLOCK_YES: 'yes' can only be given on the command line", "say '--yes' there");
	accepts(&(struct input) { .variables = "AIRLOCK_DBT=/x AIRLOCK_DEPTH=1 AIRLOCK_FAULT=a:b "
					       "DBT_AIRLOCK_DBT=/y AIRLOCK_SOMETHING=1 "
					       "AIRLOCK_FROM= MY_AIRLOCK_FORM=a" },
		&config);
	assert_false(config_is_set(&config, OPTION_FROM));
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

static void production_rollback_has_defaults_of_its_own(void **state)
{
	CLEANUP(config_release) struct config wac, rollback, said;

	(void)state;
	accepts(&(struct input) { .project = "  tags_to_clone: [mart]\n", .what = "wac" }, &wac);
	assert_string_equal(config_text(&wac, OPTION_CONFLICT), "identity");
	assert_int_equal(config_list(&wac, OPTION_TAGS)->n, 1);
	accepts(&(struct input) { .project = "  tags_to_clone: [mart]\n",
				  .what = "production-rollback" },
		&rollback);
	assert_string_equal(config_text(&rollback, OPTION_CONFLICT), "content");
	assert_string_equal(config_text(&rollback, OPTION_PARENTS), "defer");
	assert_int_equal(config_list(&rollback, OPTION_TAGS)->n, 0);
	accepts(&(struct input) { .project = "  airlock: {conflict: identity}\n",
				  .what = "production-rollback" },
		&said);
	assert_string_equal(config_text(&said, OPTION_CONFLICT), "identity");
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
		cmocka_unit_test(the_table_is_sorted_and_documented),
		cmocka_unit_test(options_are_found_by_their_names),
		cmocka_unit_test(defaults_hold_where_nobody_speaks),
		cmocka_unit_test(the_stronger_source_wins),
		cmocka_unit_test(lists_come_from_commas_and_yaml),
		cmocka_unit_test(lists_add_up_on_the_command_line_only),
		cmocka_unit_test(routing_follows_to_unless_it_is_said),
		cmocka_unit_test(booleans_are_yaml_s),
		cmocka_unit_test(tags_to_clone_are_tags_where_there_are_none),
		cmocka_unit_test(a_side_is_a_target_and_an_environment),
		cmocka_unit_test(any_deployment_will_do_where_all_publish_to_one_side),
		cmocka_unit_test(unknown_keys_are_refused_with_the_nearest),
		cmocka_unit_test(jinja_is_refused_with_the_variable_to_use),
		cmocka_unit_test(values_are_checked_and_the_message_says_where),
		cmocka_unit_test(misspelt_variables_are_refused),
		cmocka_unit_test(the_word_behind_the_verb_is_a_strategy_or_a_deployment),
		cmocka_unit_test(the_keys_of_the_mirror_stand_in_a_mapping),
		cmocka_unit_test(the_mirror_is_no_strategy_that_is_deployed),
		cmocka_unit_test(production_rollback_has_defaults_of_its_own),
		cmocka_unit_test(deployments_are_checked),
		cmocka_unit_test(nothing_under_the_key_is_nothing_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
