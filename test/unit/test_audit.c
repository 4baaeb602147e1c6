#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "airlock/base/fs.h"
#include "airlock/deploy/audit.h"
#include "airlock/format/json.h"
#include "made.h"

static const struct made_node staging[] = {
	{ .name = "orders" },
	{ .name = "days" },
	{ .name = "base", .schema = "shared" },
	{ .name = "lines", .materialized = "ephemeral" },
	{ .name = "orders_unique",
	  .type = "test",
	  .parents = "model.shop.orders",
	  .compiled_path = "compiled/orders_unique.sql" },
	{ .name = "orders_sum", .type = "unit_test", .parents = "model.shop.orders" },
	{ .name = "days_unique", .type = "test", .parents = "model.shop.days" },
	{ .name = "base_unique", .type = "test", .parents = "model.shop.base" },
	{ .name = "on-run-end-0", .type = "operation" },
};

static const struct made_node prod[] = {
	{ .name = "orders", .schema = "mart" },
	{ .name = "days", .schema = "mart" },
	{ .name = "base", .schema = "shared" },
	{ .name = "orders_unique", .type = "test", .parents = "model.shop.orders" },
};

static const struct made_node prod_with_more[] = {
	{ .name = "orders", .schema = "mart" },
	{ .name = "days", .schema = "mart" },
	{ .name = "only_here", .type = "test", .parents = "model.shop.days" },
};

struct world {
	struct config config;
	struct manifest *from, *to, *built;
	struct routes routes;
	struct results *results;
	struct audit audit;
	struct err err;
	bool tests_alone;
};

#define WORLD CLEANUP(world_release) struct world w = { .from = NULL }

static void world_release(struct world *w)
{
	audit_release(&w->audit);
	results_free(w->results);
	routes_release(&w->routes);
	manifest_free(w->from);
	manifest_free(w->to);
	manifest_free(w->built);
	config_release(&w->config);
	err_release(&w->err);
}

static void resolve(struct world *w, const char *options, const struct made_node *from,
		    size_t from_count, const struct made_node *to, size_t to_count)
{
	char *all CLEANUP(mem_free_string) = mem_printf("--from staging --to prod %s", options);

	made_config(&w->config, all);
	w->from = made_manifest("postgres", from, from_count);
	w->to = made_manifest("postgres", to, to_count);
	if (routes_resolve(&w->config, dialect_find("postgres"), w->from, w->to, NULL, NULL, NULL,
			   &w->routes, &w->err) < 0)
		fail_msg("%s", w->err.message);
}

/* What dbt wrote: "unique_id=status" with spaces between; messages are "what <id> says". */
static void write_results(struct world *w, const char *statuses)
{
	char path[] = "/tmp/airlock-audit.XXXXXX";
	int fd = mkstemp(path);
	struct strv list CLEANUP(strv_release) = STRV_INIT;
	struct buf text CLEANUP(buf_release) = BUF_INIT;
	json_t *rows = json_array();
	json_t *root CLEANUP(js_free) =
		json_pack("{s:{}, s:{}, s:o}", "metadata", "args", "results", rows);
	const struct results_expect expect = { .which = NULL };

	strv_split(&list, statuses, " ");
	for (size_t i = 0; i < list.n; i++) {
		char *equals = strchr(list.v[i], '=');
		char *message CLEANUP(mem_free_string) = NULL;

		*equals = '\0';
		message = mem_printf("what %s says", list.v[i]);
		json_array_append_new(rows, json_pack("{s:s, s:s, s:s, s:n, s:f}", "unique_id",
						      list.v[i], "status", equals + 1, "message",
						      message, "failures", "execution_time", 0.1));
	}
	js_write_pretty(root, &text);
	assert_true(fd >= 0 && close(fd) == 0);
	if (fs_write_atomic(path, text.data, text.len, 0600, &w->err) < 0 ||
	    results_read(path, &expect, &w->results, &w->err) < 0)
		fail_msg("%s", w->err.message);
	unlink(path);
}

#define GOOD_NODES "model.shop.orders=success model.shop.days=success model.shop.base=success "
#define GOOD_TESTS                                                                                 \
	"test.shop.orders_unique=pass unit_test.shop.orders_sum=pass test.shop.days_unique=pass "  \
	"test.shop.base_unique=pass "

static int judge(struct world *w, const char *options, const char *statuses)
{
	resolve(w, options, staging, ARRAY_LEN(staging), prod, ARRAY_LEN(prod));
	w->built = made_manifest("postgres", staging, ARRAY_LEN(staging));
	write_results(w, statuses);
	return audit_judge(&w->config, &w->routes, w->built, w->results, w->tests_alone, &w->audit,
			   &w->err);
}

static void passes(struct world *w, const char *options, const char *statuses)
{
	if (judge(w, options, statuses) < 0)
		fail_msg("%s", w->err.message);
}

static void blocks(const char *options, const char *statuses, enum err_code code,
		   const char *message)
{
	WORLD;

	if (judge(&w, options, statuses) == 0)
		fail_msg("passed: %s", message);
	assert_string_equal(w.err.message, message);
	assert_int_equal(w.err.code, code);
}

static void good_results_pass_and_are_counted(void **state)
{
	WORLD;

	(void)state;
	passes(&w, "", GOOD_NODES GOOD_TESTS "operation.shop.on-run-end-0=success");
	assert_int_equal(w.audit.nodes_built, 4);
	assert_int_equal(w.audit.tests_passed, 4);
	assert_int_equal(w.audit.scope_tests, 3);
	assert_int_equal(w.audit.failure_count, 0);
}

static void an_ephemeral_model_that_dbt_2_lists_is_nothing(void **state)
{
	WORLD;

	(void)state;
	passes(&w, "", GOOD_NODES GOOD_TESTS "model.shop.lines=skipped");
	assert_int_equal(w.audit.nodes_built, 3);
	assert_int_equal(w.audit.nodes_skipped, 0);
	blocks("", GOOD_NODES GOOD_TESTS "model.shop.lines=error", ERR_BUILD_FAILED,
	       "'model.shop.lines' failed: what model.shop.lines says");
}

static void a_warning_passes_and_is_told(void **state)
{
	WORLD;

	(void)state;
	passes(&w, "",
	       GOOD_NODES "test.shop.orders_unique=warn unit_test.shop.orders_sum=pass "
			  "test.shop.days_unique=pass");
	assert_int_equal(w.audit.tests_warned, 1);
	assert_int_equal(w.audit.warnings.n, 1);
	assert_string_equal(w.audit.warnings.v[0], "the test 'test.shop.orders_unique' warns: what "
						   "test.shop.orders_unique says");
}

static void a_failing_test_blocks(void **state)
{
	WORLD;

	(void)state;
	blocks("", GOOD_NODES "test.shop.orders_unique=fail", ERR_AUDIT_FAILED,
	       "'test.shop.orders_unique' failed: what test.shop.orders_unique says");
	blocks("", GOOD_NODES "unit_test.shop.orders_sum=error", ERR_AUDIT_FAILED,
	       "'unit_test.shop.orders_sum' failed: what unit_test.shop.orders_sum says");
	/* Of the build, not only of the scope. */
	blocks("", GOOD_NODES GOOD_TESTS "test.shop.base_unique=fail", ERR_AUDIT_FAILED,
	       "'test.shop.base_unique' failed: what test.shop.base_unique says");
	judge(&w, "", GOOD_NODES "test.shop.orders_unique=fail");
	assert_int_equal(w.audit.tests_failed, 1);
	assert_int_equal(w.audit.failure_count, 1);
	assert_string_equal(w.audit.failures[0].status, "fail");
	assert_string_equal(w.audit.failures[0].path, "compiled/orders_unique.sql");
}

static void a_failing_node_blocks(void **state)
{
	static const char *const statuses[] = { "error", "runtime error", "partial success",
						"something new" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
		char *text CLEANUP(mem_free_string) = mem_strdup(statuses[i]);
		char *all CLEANUP(mem_free_string) = NULL;

		for (char *p = text; *p; p++)
			if (*p == ' ')
				*p = '-';
		all = mem_printf("model.shop.orders=%s", text);
		blocks("", all, ERR_BUILD_FAILED,
		       "'model.shop.orders' failed: what model.shop.orders says");
	}
	blocks("", GOOD_NODES GOOD_TESTS "operation.shop.on-run-end-0=error", ERR_BUILD_FAILED,
	       "'operation.shop.on-run-end-0' failed: what operation.shop.on-run-end-0 says");
}

static void the_error_names_what_it_is_about(void **state)
{
	(void)state;
	blocks("", "test.shop.base_unique=fail model.shop.orders=skipped model.shop.days=error",
	       ERR_BUILD_FAILED, "'model.shop.days' failed: what model.shop.days says");
	blocks("", "model.shop.orders=skipped test.shop.base_unique=fail", ERR_AUDIT_FAILED,
	       "'test.shop.base_unique' failed: what test.shop.base_unique says");
	blocks("", "test.shop.orders_unique=skipped model.shop.orders=skipped", ERR_BUILD_FAILED,
	       "'model.shop.orders' was skipped: what model.shop.orders says");
	blocks("", GOOD_NODES "test.shop.orders_unique=skipped", ERR_AUDIT_FAILED,
	       "'test.shop.orders_unique' was skipped: what test.shop.orders_unique says");
}

static void what_was_not_built_is_not_published(void **state)
{
	(void)state;
	blocks("", "model.shop.days=success " GOOD_TESTS, ERR_BUILD_INCOMPLETE,
	       "'model.shop.orders' was not built by this deployment (not selected)");
	blocks("", "model.shop.orders=no-op model.shop.days=success " GOOD_TESTS,
	       ERR_BUILD_INCOMPLETE,
	       "'model.shop.orders' was not built by this deployment (no-op)");
	blocks("", "model.shop.orders=reused model.shop.days=success " GOOD_TESTS,
	       ERR_BUILD_INCOMPLETE,
	       "'model.shop.orders' was not built by this deployment (reused)");
	blocks("", "", ERR_BUILD_INCOMPLETE,
	       "'model.shop.days' was not built by this deployment (not selected)");
}

static void a_test_that_did_not_run_blocks(void **state)
{
	WORLD;

	(void)state;
	blocks("", GOOD_NODES "test.shop.days_unique=pass test.shop.orders_unique=pass",
	       ERR_BUILD_INCOMPLETE,
	       "the test 'unit_test.shop.orders_sum' of 'model.shop.orders' did not run in this "
	       "deployment");
	blocks("",
	       GOOD_NODES "test.shop.days_unique=no-op test.shop.orders_unique=pass "
			  "unit_test.shop.orders_sum=pass",
	       ERR_BUILD_INCOMPLETE,
	       "the test 'test.shop.days_unique' of 'model.shop.days' did not run in this "
	       "deployment");
	passes(&w, "--allow-untested orders_sum",
	       GOOD_NODES "test.shop.days_unique=pass test.shop.orders_unique=pass");
}

static void warnings_block_where_that_is_asked(void **state)
{
	(void)state;
	blocks("--block-on warn",
	       GOOD_NODES "test.shop.orders_unique=warn unit_test.shop.orders_sum=pass "
			  "test.shop.days_unique=pass test.shop.base_unique=pass",
	       ERR_AUDIT_FAILED,
	       "'test.shop.orders_unique' failed: what test.shop.orders_unique says");
}

static void a_skipped_test_is_left_out_and_must_exist(void **state)
{
	CLEANUP(strv_release) struct strv command = STRV_INIT;
	CLEANUP(mem_free_string) char *line = NULL;
	WORLD;
	CLEANUP(world_release) struct world v = { .from = NULL };

	(void)state;
	passes(&w, "--skip-tests orders_unique",
	       GOOD_NODES "unit_test.shop.orders_sum=pass test.shop.days_unique=pass "
			  "test.shop.base_unique=pass");
	assert_int_equal(w.audit.scope_tests, 2);
	resolve(&v, "--skip-tests orders_unique,no_such", staging, ARRAY_LEN(staging), prod,
		ARRAY_LEN(prod));
	assert_int_equal(audit_check_tests(&v.config, &v.routes, v.from, v.to, &v.err), -1);
	assert_string_equal(v.err.message, "skip_tests: there is no test 'no_such' in 'staging'");
	strv_push(&command, "build");
	audit_push_excluded(&v.config, &v.routes, NULL, &command);
	line = strv_join(&command, " ");
	assert_string_equal(line, "build --exclude orders_unique no_such");
}

static void without_a_build_the_tests_alone_count(void **state)
{
	WORLD;
	CLEANUP(world_release) struct world v = { .tests_alone = true };

	(void)state;
	w.tests_alone = true;
	passes(&w, "", GOOD_TESTS);
	assert_int_equal(w.audit.scope_tests, 3);
	assert_int_equal(w.audit.nodes_built, 0);
	assert_int_equal(judge(&v, "", "test.shop.orders_unique=pass test.shop.days_unique=pass"),
			 -1);
	assert_int_equal(v.err.code, ERR_BUILD_INCOMPLETE);
	assert_non_null(strstr(v.err.message, "the test 'unit_test.shop.orders_sum'"));
}

static void an_allowed_test_that_fails_still_blocks(void **state)
{
	(void)state;
	blocks("--allow-untested orders_unique", GOOD_NODES "test.shop.orders_unique=fail",
	       ERR_AUDIT_FAILED,
	       "'test.shop.orders_unique' failed: what test.shop.orders_unique says");
}

static void a_project_that_changed_meanwhile_is_noticed(void **state)
{
	static const struct made_node moved[] = {
		{ .name = "orders", .alias = "orders_2" },
		{ .name = "days" },
	};
	WORLD;

	(void)state;
	resolve(&w, "", staging, ARRAY_LEN(staging), prod, ARRAY_LEN(prod));
	w.built = made_manifest("postgres", moved, ARRAY_LEN(moved));
	write_results(&w, GOOD_NODES GOOD_TESTS);
	assert_int_equal(
		audit_judge(&w.config, &w.routes, w.built, w.results, false, &w.audit, &w.err), -1);
	assert_int_equal(w.err.code, ERR_PROJECT_CHANGED);
	assert_non_null(strstr(w.err.message, "'model.shop.orders' is built elsewhere"));
}

static void checks_tests(const char *options, const struct made_node *to, size_t to_count,
			 const char *message)
{
	WORLD;
	int result;

	resolve(&w, options, staging, ARRAY_LEN(staging), to, to_count);
	result = audit_check_tests(&w.config, &w.routes, w.from, w.to, &w.err);
	if (!message) {
		if (result < 0)
			fail_msg("%s", w.err.message);
		return;
	}
	assert_int_equal(result, -1);
	assert_int_equal(w.err.code, ERR_UNTESTED);
	assert_string_equal(w.err.message, message);
}

static void a_test_that_only_production_has_is_refused(void **state)
{
	(void)state;
	checks_tests("", prod, ARRAY_LEN(prod), NULL);
	checks_tests("", prod_with_more, ARRAY_LEN(prod_with_more),
		     "the test 'only_here' of 'model.shop.days' exists for 'prod' only, so staging "
		     "would be published without it");
	checks_tests("--allow-untested only_here", prod_with_more, ARRAY_LEN(prod_with_more), NULL);
	checks_tests("--allow-untested test.shop.only_here", prod_with_more,
		     ARRAY_LEN(prod_with_more), NULL);
}

static void checks_untested(const char *options, const char *message)
{
	static const struct made_node from[] = {
		{ .name = "orders" },
		{ .name = "days" },
		{ .name = "days_unique", .type = "test", .parents = "model.shop.days" },
	};
	WORLD;
	int result;

	resolve(&w, options, from, ARRAY_LEN(from), prod, ARRAY_LEN(prod));
	result = audit_check_tests(&w.config, &w.routes, w.from, NULL, &w.err);
	assert_int_equal(result, message ? -1 : 0);
	if (message)
		assert_string_equal(w.err.message, message);
}

static void how_many_tests_there_must_be(void **state)
{
	(void)state;
	checks_untested("", NULL);
	checks_untested("--require-tests each",
			"'model.shop.orders' has no test, and 'require_tests: each' is set");
}

static void a_scope_without_any_test_is_refused(void **state)
{
	static const struct made_node from[] = { { .name = "orders" }, { .name = "days" } };
	WORLD;
	CLEANUP(world_release) struct world v = { .from = NULL };

	(void)state;
	resolve(&w, "", from, ARRAY_LEN(from), prod, ARRAY_LEN(prod));
	assert_int_equal(audit_check_tests(&w.config, &w.routes, w.from, NULL, &w.err), -1);
	assert_string_equal(w.err.message, "no node of the scope has a test");
	resolve(&v, "--require-tests none", from, ARRAY_LEN(from), prod, ARRAY_LEN(prod));
	assert_int_equal(audit_check_tests(&v.config, &v.routes, v.from, NULL, &v.err), 0);
}

static void behind_commands_what_was_not_tested_is_no_ground_for_the_rest(void **state)
{
	static const struct made_node chain[] = {
		{ .name = "orders" },
		{ .name = "days", .parents = "model.shop.orders" },
		{ .name = "other" },
		{ .name = "orders_unique", .type = "test", .parents = "model.shop.orders" },
		{ .name = "other_unique", .type = "test", .parents = "model.shop.other" },
	};
	static const struct made_node to[] = {
		{ .name = "orders", .schema = "mart" },
		{ .name = "days", .schema = "mart" },
		{ .name = "other", .schema = "mart" },
	};
	WORLD;

	(void)state;
	resolve(&w, "--build run --build test", chain, ARRAY_LEN(chain), to, ARRAY_LEN(to));
	w.built = made_manifest("postgres", chain, ARRAY_LEN(chain));
	write_results(&w, "model.shop.orders=success model.shop.days=success "
			  "model.shop.other=success test.shop.other_unique=fail "
			  "test.shop.orders_unique=skipped");
	assert_int_equal(
		audit_judge(&w.config, &w.routes, w.built, w.results, false, &w.audit, &w.err), -1);
	assert_int_equal(w.audit.passed.n, 0);
}

static void behind_commands_a_source_that_was_not_tested_is_no_ground_either(void **state)
{
	static const struct made_node chain[] = {
		{ .name = "raw", .type = "source" },
		{ .name = "orders", .parents = "source.shop.raw" },
		{ .name = "other" },
		{ .name = "raw_unique", .type = "test", .parents = "source.shop.raw" },
		{ .name = "other_unique", .type = "test", .parents = "model.shop.other" },
	};
	static const struct made_node to[] = {
		{ .name = "orders", .schema = "mart" },
		{ .name = "other", .schema = "mart" },
	};
	WORLD;

	(void)state;
	resolve(&w, "--build run --build test", chain, ARRAY_LEN(chain), to, ARRAY_LEN(to));
	w.built = made_manifest("postgres", chain, ARRAY_LEN(chain));
	write_results(&w, "model.shop.orders=success model.shop.other=success "
			  "test.shop.other_unique=fail test.shop.raw_unique=skipped");
	assert_int_equal(
		audit_judge(&w.config, &w.routes, w.built, w.results, false, &w.audit, &w.err), -1);
	assert_int_equal(w.audit.passed.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_results_pass_and_are_counted),
		cmocka_unit_test(an_ephemeral_model_that_dbt_2_lists_is_nothing),
		cmocka_unit_test(a_warning_passes_and_is_told),
		cmocka_unit_test(a_failing_test_blocks),
		cmocka_unit_test(a_failing_node_blocks),
		cmocka_unit_test(the_error_names_what_it_is_about),
		cmocka_unit_test(what_was_not_built_is_not_published),
		cmocka_unit_test(a_test_that_did_not_run_blocks),
		cmocka_unit_test(warnings_block_where_that_is_asked),
		cmocka_unit_test(a_skipped_test_is_left_out_and_must_exist),
		cmocka_unit_test(without_a_build_the_tests_alone_count),
		cmocka_unit_test(an_allowed_test_that_fails_still_blocks),
		cmocka_unit_test(a_project_that_changed_meanwhile_is_noticed),
		cmocka_unit_test(a_test_that_only_production_has_is_refused),
		cmocka_unit_test(how_many_tests_there_must_be),
		cmocka_unit_test(a_scope_without_any_test_is_refused),
		cmocka_unit_test(behind_commands_what_was_not_tested_is_no_ground_for_the_rest),
		cmocka_unit_test(behind_commands_a_source_that_was_not_tested_is_no_ground_either),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
