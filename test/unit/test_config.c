#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "config_support.h"

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
	accepts(
		&(struct input) {
			.variables = "AIRLOCK_DBT=/x AIRLOCK_DEPTH=1 AIRLOCK_FAULT=a:b "
				     "DBT_AIRLOCK_DBT=/y AIRLOCK_SOMETHING=1 "
				     "AIRLOCK_FROM= MY_AIRLOCK_FORM=a AIRLOCK_STARTED_BY=1:2:3" },
		&config);
	assert_false(config_is_set(&config, OPTION_FROM));
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_hold_where_nobody_speaks),
		cmocka_unit_test(the_stronger_source_wins),
		cmocka_unit_test(lists_come_from_commas_and_yaml),
		cmocka_unit_test(lists_add_up_on_the_command_line_only),
		cmocka_unit_test(routing_follows_to_unless_it_is_said),
		cmocka_unit_test(booleans_are_yaml_s),
		cmocka_unit_test(a_side_is_a_target_and_an_environment),
		cmocka_unit_test(values_are_checked_and_the_message_says_where),
		cmocka_unit_test(misspelt_variables_are_refused),
		cmocka_unit_test(production_rollback_has_defaults_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
