#include "airlock/deploy/audit.h"

#include <string.h>

#include "airlock/deploy/build_commands.h"
#include "airlock/deploy/mirror.h"
#include "airlock/format/json.h"

bool audit_skips(const struct config *config, const struct manifest_node *test)
{
	return manifest_is_named(test, config_list(config, OPTION_SKIP_TESTS)) ||
	       mirror_leaves_test(config, test);
}

/* The name in test.PACKAGE.NAME.HASH, by which dbt selects. */
static char *selected_name(const char *text)
{
	const char *name = strncmp(text, "test.", strlen("test.")) == 0 ? text : NULL;

	for (int parts = 2; name && parts; parts--) {
		name = strchr(name, '.');
		name = name ? name + 1 : NULL;
	}
	return name ? mem_strndup(name, strcspn(name, ".")) : mem_strdup(text);
}

void audit_push_excluded(const struct config *config, const struct routes *routes,
			 const struct strv *besides, struct strv *command)
{
	const struct strv *skipped = config_list(config, OPTION_SKIP_TESTS);

	if (skipped->n + routes->left_tests.n + (besides ? besides->n : 0) > 0)
		strv_push(command, "--exclude");
	if (besides)
		strv_push_all(command, besides);
	strv_push_all(command, &routes->left_tests);
	for (size_t i = 0; i < skipped->n; i++)
		strv_take(command, selected_name(skipped->v[i]));
}

/* A name that is no test's is a slip, and perhaps that of a test which has to run. */
static int check_skipped(const struct config *config, const struct manifest *from, struct err *err)
{
	const struct strv *skipped = config_list(config, OPTION_SKIP_TESTS);

	for (size_t i = 0; i < skipped->n; i++) {
		const struct strv one = { .v = &skipped->v[i], .n = 1 };
		bool found = false;

		for (size_t k = 0; k < manifest_count(from) && !found; k++)
			found = manifest_is_test(manifest_node(from, k)) &&
				manifest_is_named(manifest_node(from, k), &one);
		if (!found)
			return err_set(err, ERR_CONFIG_INVALID,
				       "skip_tests: there is no test '%s' in '%s'", skipped->v[i],
				       config_text(config, OPTION_FROM));
	}
	return 0;
}

static size_t count_tests(const struct config *config, const struct manifest_node *node)
{
	size_t n = 0;

	for (size_t i = 0; i < node->child_count; i++)
		if (manifest_is_test(node->children[i]) && !audit_skips(config, node->children[i]))
			n++;
	return n;
}

/* A test that is enabled only where production is would never run before the publish. */
static int check_tests_of_to(const struct config *config, const struct route *route,
			     const struct manifest *from, struct err *err)
{
	const struct strv *allowed = config_list(config, OPTION_ALLOW_UNTESTED);

	for (size_t i = 0; route->to_node && i < route->to_node->child_count; i++) {
		const struct manifest_node *test = route->to_node->children[i];

		if (!manifest_is_test(test) || manifest_find(from, test->unique_id) ||
		    manifest_is_named(test, allowed) || audit_skips(config, test))
			continue;
		err_set(err, ERR_UNTESTED,
			"the test '%s' of '%s' exists for '%s' only, so staging would be "
			"published without it",
			test->name, route->node->unique_id, config_text(config, OPTION_TO));
		return err_hint(err, "enable it for '%s' too, or name it in allow_untested",
				config_text(config, OPTION_FROM));
	}
	return 0;
}

int audit_check_tests(const struct config *config, const struct routes *routes,
		      const struct manifest *from, const struct manifest *to, struct err *err)
{
	bool each = config_is(config, OPTION_REQUIRE_TESTS, "each");
	size_t total = 0;

	if (check_skipped(config, from, err) < 0)
		return -1;
	for (size_t i = 0; i < routes->n; i++) {
		const struct route *route = &routes->items[i];
		size_t n = route->in_scope ? count_tests(config, route->node) : 0;

		total += n;
		if (!route->in_scope)
			continue;
		if (each && n == 0)
			return err_set(err, ERR_UNTESTED,
				       "'%s' has no test, and 'require_tests: each' is set",
				       route->node->unique_id);
		if (to && check_tests_of_to(config, route, from, err) < 0)
			return -1;
	}
	if (total == 0 && !config_is(config, OPTION_REQUIRE_TESTS, "none"))
		return err_set(err, ERR_UNTESTED, "no node of the scope has a test");
	return 0;
}

struct judge {
	const struct manifest *built;
	const struct results *results;
	bool tests_alone;
	bool blocks_warnings;
	struct audit *audit;
};

static void add_failure(struct judge *j, const struct results_row *row)
{
	struct audit *audit = j->audit;
	const struct manifest_node *node = manifest_find(j->built, row->unique_id);
	struct audit_failure *failure = &audit->failures[audit->failure_count++];

	*failure = (struct audit_failure) {
		.unique_id = arena_strdup(&audit->arena, row->unique_id),
		.status = arena_strdup(&audit->arena, row->status_text),
		.message = arena_strdup(&audit->arena, row->message),
		.path = arena_strdup(&audit->arena,
				     node && node->compiled_path ? node->compiled_path : ""),
	};
}

static void count_test(struct judge *j, const struct results_row *row)
{
	struct audit *audit = j->audit;

	switch (row->status) {
	case RESULTS_SUCCESS:
	case RESULTS_NO_OP:
		audit->tests_passed++;
		return;
	case RESULTS_WARN:
		audit->tests_warned++;
		strv_pushf(&audit->warnings, "the test '%s' warns: %s", row->unique_id,
			   row->message);
		if (!j->blocks_warnings)
			return;
		break;
	case RESULTS_SKIPPED:
		audit->tests_skipped++;
		break;
	case RESULTS_FAIL:
	case RESULTS_ERROR:
		audit->tests_failed++;
		break;
	}
	add_failure(j, row);
}

static void count_node(struct judge *j, const struct results_row *row)
{
	struct audit *audit = j->audit;

	switch (row->status) {
	case RESULTS_SUCCESS:
	case RESULTS_WARN:
	case RESULTS_NO_OP:
		audit->nodes_built++;
		return;
	case RESULTS_SKIPPED:
		audit->nodes_skipped++;
		break;
	case RESULTS_FAIL:
	case RESULTS_ERROR:
		audit->nodes_failed++;
		break;
	}
	add_failure(j, row);
}

/* dbt 2.x lists what there is nothing to build of; what is made of it has a row of its own. */
static bool is_passed_by(const struct manifest_node *node, const struct results_row *row)
{
	return manifest_is_ephemeral(node) && row->status == RESULTS_SKIPPED;
}

static bool is_good_test(const struct results_row *row)
{
	return row && (row->status == RESULTS_SUCCESS || row->status == RESULTS_WARN);
}

static int check_node(struct judge *j, const struct config *config, const struct route *route,
		      struct err *err)
{
	const struct manifest_node *node = manifest_find(j->built, route->node->unique_id);
	const struct results_row *row = results_find(j->results, route->node->unique_id);
	const struct strv *allowed = config_list(config, OPTION_ALLOW_UNTESTED);

	if (!node || !relation_equal(&(const struct dialect) { .folds_case = false },
				     &node->relation, &route->from))
		return err_set(err, ERR_PROJECT_CHANGED,
			       "'%s' is built elsewhere than the plan says: the project changed "
			       "while it was deployed",
			       route->node->unique_id);
	if (!j->tests_alone && (!row || row->status != RESULTS_SUCCESS))
		return err_set(err, ERR_BUILD_INCOMPLETE,
			       "'%s' was not built by this deployment (%s)", route->node->unique_id,
			       row ? row->status_text : "not selected");
	for (size_t i = 0; i < node->child_count; i++) {
		const struct manifest_node *test = node->children[i];

		if (!manifest_is_test(test) || manifest_is_named(test, allowed) ||
		    audit_skips(config, test))
			continue;
		j->audit->scope_tests++;
		if (!is_good_test(results_find(j->results, test->unique_id)))
			return err_set(err, ERR_BUILD_INCOMPLETE,
				       "the test '%s' of '%s' did not run in this deployment",
				       test->unique_id, node->unique_id);
	}
	return 0;
}

/* What production is rebuilt from must be what was tested. */
static int check_ancestor(const struct judge *j, const struct route *route, struct err *err)
{
	const struct results_row *row = results_find(j->results, route->node->unique_id);

	if (j->tests_alone || (row && row->status == RESULTS_SUCCESS))
		return 0;
	err_set(err, ERR_BUILD_INCOMPLETE,
		"production would be rebuilt from '%s', which was not built by this deployment "
		"(%s)",
		route->node->unique_id, row ? row->status_text : "not selected");
	return err_hint(err, "let --build cover it, or name it in stale_ok");
}

static bool is_skipped(const struct audit_failure *failure)
{
	return strcmp(failure->status, "skipped") == 0;
}

/* What fails comes before what it made dbt skip, a node before a test. */
static int first_failure(const struct judge *j, struct err *err)
{
	const struct audit_failure *first = &j->audit->failures[0];
	bool first_is_test = false;

	for (size_t i = 0; i < j->audit->failure_count; i++) {
		const struct audit_failure *failure = &j->audit->failures[i];
		const struct manifest_node *node = manifest_find(j->built, failure->unique_id);
		bool is_test = node && manifest_is_test(node);

		if (i > 0 &&
		    (is_skipped(failure) > is_skipped(first) ||
		     (is_skipped(failure) == is_skipped(first) && is_test >= first_is_test)))
			continue;
		first = failure;
		first_is_test = is_test;
	}
	return err_set(err, first_is_test ? ERR_AUDIT_FAILED : ERR_BUILD_FAILED, "'%s' %s: %s",
		       first->unique_id, is_skipped(first) ? "was skipped" : "failed",
		       *first->message ? first->message : first->status);
}

/* The node that fails, or those that a test is of. */
static void mark_bad(struct judge *j, const struct manifest_node *node, json_t *bad)
{
	if (manifest_is_test(node)) {
		for (size_t i = 0; i < node->parent_count; i++)
			mark_bad(j, node->parents[i], bad);
		return;
	}
	if (json_object_get(bad, node->unique_id))
		return;
	json_object_set_new(bad, node->unique_id, json_true());
	strv_push(&j->audit->causes, node->name);
}

static bool is_untested_by(const struct judge *j, const struct config *config,
			   const struct manifest_node *test)
{
	return manifest_is_test(test) && !audit_skips(config, test) &&
	       !manifest_is_named(test, config_list(config, OPTION_ALLOW_UNTESTED)) &&
	       !is_good_test(results_find(j->results, test->unique_id));
}

static void mark_if_untested(const struct judge *j, const struct config *config,
			     const struct manifest_node *node, json_t *bad)
{
	for (size_t k = 0; k < node->child_count; k++)
		if (is_untested_by(j, config, node->children[k]))
			json_object_set_new(bad, node->unique_id, json_true());
}

/* `dbt build` goes on behind a node, or a source, when its tests have passed; commands that build
 * everything first do not: what is there and not tested is no ground for what is made of it. */
static void mark_untested(struct judge *j, const struct config *config, json_t *bad)
{
	for (size_t i = 0; i < results_count(j->results); i++) {
		const struct manifest_node *node =
			manifest_find(j->built, results_row(j->results, i)->unique_id);

		if (!node || manifest_is_test(node))
			continue;
		mark_if_untested(j, config, node, bad);
		for (size_t k = 0; k < node->parent_count; k++)
			if (node->parents[k]->type == MANIFEST_SOURCE)
				mark_if_untested(j, config, node->parents[k], bad);
	}
}

static void mark_behind(const struct manifest *built, json_t *bad)
{
	size_t before;

	do {
		before = json_object_size(bad);
		for (size_t i = 0; i < manifest_count(built); i++) {
			const struct manifest_node *node = manifest_node(built, i);
			bool is_behind = false;

			for (size_t k = 0; k < node->parent_count && !is_behind; k++)
				is_behind = json_object_get(bad, node->parents[k]->unique_id);
			if (is_behind && !manifest_is_test(node))
				json_object_set_new(bad, node->unique_id, json_true());
		}
	} while (json_object_size(bad) > before);
}

/* What can be published although something else failed. */
static void find_passed(struct judge *j, const struct config *config, const struct routes *routes)
{
	json_t *bad CLEANUP(js_free) = json_object();

	for (size_t i = 0; i < j->audit->failure_count; i++) {
		const struct audit_failure *failure = &j->audit->failures[i];
		const struct manifest_node *node = manifest_find(j->built, failure->unique_id);

		if (node && strcmp(failure->status, "skipped") != 0)
			mark_bad(j, node, bad);
	}
	if (build_commands(config)->n > 0)
		mark_untested(j, config, bad);
	mark_behind(j->built, bad);
	for (size_t i = 0; i < routes->n; i++) {
		const struct route *route = &routes->items[i];
		struct err ignored CLEANUP(err_release) = ERR_INIT;

		if ((route->in_scope || route->is_ancestor) &&
		    !json_object_get(bad, route->node->unique_id) &&
		    check_node(j, config, route, &ignored) == 0)
			strv_push(&j->audit->passed, route->node->unique_id);
	}
	j->audit->scope_tests = 0; /* counted again where everything passed */
}

int audit_judge(const struct config *config, const struct routes *routes,
		const struct manifest *built, const struct results *results, bool tests_alone,
		struct audit *ret_audit, struct err *err)
{
	struct judge j = { built, results, tests_alone, config_is(config, OPTION_BLOCK_ON, "warn"),
			   ret_audit };
	size_t count = results_count(results);

	*ret_audit = (struct audit) { 0 };
	arena_init(&ret_audit->arena);
	ret_audit->failures =
		arena_alloc(&ret_audit->arena, (count + 1) * sizeof(*ret_audit->failures));
	for (size_t i = 0; i < count; i++) {
		const struct results_row *row = results_row(results, i);
		const struct manifest_node *node = manifest_find(built, row->unique_id);

		if (node && manifest_is_test(node))
			count_test(&j, row);
		else if (!node || !is_passed_by(node, row))
			count_node(&j, row);
	}
	if (ret_audit->failure_count > 0) {
		find_passed(&j, config, routes);
		return first_failure(&j, err);
	}
	for (size_t i = 0; i < routes->n; i++) {
		const struct route *route = &routes->items[i];

		if ((route->in_scope && check_node(&j, config, route, err) < 0) ||
		    (route->is_ancestor && check_ancestor(&j, route, err) < 0))
			return -1;
	}
	return 0;
}

size_t audit_scope_tests(const struct config *config, const struct routes *routes,
			 const struct manifest *from)
{
	const struct strv *allowed = config_list(config, OPTION_ALLOW_UNTESTED);
	size_t n = 0;

	for (size_t i = 0; i < manifest_count(from); i++) {
		const struct manifest_node *test = manifest_node(from, i);
		bool is_of_scope = false;

		if (!manifest_is_test(test) || manifest_is_named(test, allowed) ||
		    audit_skips(config, test))
			continue;
		for (size_t k = 0; k < test->parent_count && !is_of_scope; k++) {
			const struct route *route =
				routes_find(routes, test->parents[k]->unique_id);

			is_of_scope = route && route->in_scope;
		}
		n += is_of_scope;
	}
	return n;
}

void audit_release(struct audit *audit)
{
	strv_release(&audit->warnings);
	strv_release(&audit->passed);
	strv_release(&audit->causes);
	arena_release(&audit->arena);
	*audit = (struct audit) { 0 };
}
