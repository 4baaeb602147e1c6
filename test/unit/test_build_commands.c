#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "airlock/deploy/build_commands.h"
#include "made.h"

static const struct made_node staging[] = {
	{ .name = "orders" },
	{ .name = "countries", .type = "seed", .materialized = "seed" },
	{ .name = "history", .type = "snapshot", .materialized = "snapshot" },
};

static const struct made_node prod[] = {
	{ .name = "orders", .schema = "mart" },
	{ .name = "countries", .type = "seed", .schema = "mart", .materialized = "seed" },
	{ .name = "history", .type = "snapshot", .schema = "mart", .materialized = "snapshot" },
};

/* `build`: words with blanks between. */
static void make_config(struct config *config, const char *build)
{
	CLEANUP(strv_release) struct strv words = STRV_INIT;
	CLEANUP(mem_free_string) char *joined = NULL;
	CLEANUP(mem_free_string) char *options = NULL;

	strv_split(&words, build, " ");
	joined = strv_join(&words, " --build ");
	options = mem_printf("--from staging --to prod --build %s", joined);
	made_config(config, options);
}

/* The message that stops it, for the first `n` nodes; NULL: none. */
static void is_refused(const char *build, size_t n, const char *given, const char *message)
{
	CLEANUP(config_release) struct config config;
	CLEANUP(routes_release) struct routes routes = { 0 };
	CLEANUP(strv_release) struct strv dbt_options = STRV_INIT;
	CLEANUP(err_release) struct err err = ERR_INIT;
	struct manifest *from = made_manifest("postgres", staging, n);
	struct manifest *to = made_manifest("postgres", prod, n);

	strv_split(&dbt_options, given, " ");
	make_config(&config, build);
	if (routes_resolve(&config, dialect_find("postgres"), from, to, NULL, NULL, NULL, &routes,
			   &err) < 0)
		fail_msg("%s", err.message);
	int result = build_commands_check(&config, &routes, &dbt_options, &err);

	if (!message && result < 0)
		fail_msg("%s", err.message);
	if (message) {
		assert_int_equal(result, -1);
		assert_string_equal(err.message, message);
	}
	manifest_free(from);
	manifest_free(to);
}

static void commands_are_told_from_a_selection(void **state)
{
	static const struct {
		const char *build;
		size_t commands;
		size_t selection;
	} cases[] = {
		{ "seed run test", 3, 0 }, { "run test", 2, 0 },        { "test", 1, 0 },
		{ "seed orders", 0, 2 },   { "path:models/run", 0, 1 }, { "+orders", 0, 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(config_release) struct config config;

		make_config(&config, cases[i].build);
		assert_int_equal(build_commands(&config)->n, cases[i].commands);
		assert_int_equal(build_selection(&config)->n, cases[i].selection);
	}
}

static void what_would_stay_untested_or_unbuilt_is_refused(void **state)
{
	(void)state;
	is_refused("seed snapshot run test", 3, "", NULL);
	is_refused("run test", 1, "--full-refresh --store-failures --threads 4", NULL);
	is_refused("seed orders", 3, "--export-saved-queries", NULL);
	is_refused("seed run", 1, "",
		   "build: [seed, run]: the last command has to be 'test', so that all that was "
		   "built is tested");
	is_refused("run test run", 1, "", "build: [run, test, run]: 'run' stands there twice");
	is_refused("test run", 1, "",
		   "build: [test, run]: the last command has to be 'test', so that all that was "
		   "built is tested");
	is_refused("run test", 2, "",
		   "build: [run, test]: nothing builds 'seed.shop.countries', which is to be "
		   "published");
	is_refused("seed run test", 3, "",
		   "build: [seed, run, test]: nothing builds 'snapshot.shop.history', which is to "
		   "be published");
	is_refused("run test", 1, "--threads 4 --export-saved-queries",
		   "build: [run, test]: '--export-saved-queries' is an option of none of these "
		   "commands");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_are_told_from_a_selection),
		cmocka_unit_test(what_would_stay_untested_or_unbuilt_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
