/* What dbt itself knows of the sources of a refresh: their freshness and their tests. Neither
 * stops the refresh: a source that is not good keeps its last good copy. */
#include <string.h>

#include "airlock/base/fs.h"
#include "airlock/format/json.h"
#include "deploy_parts.h"

enum { MAX_BYTES = 64 << 20 };

static char *path_of(const struct deploy *deploy, const char *file)
{
	char *name CLEANUP(mem_free_string) =
		mem_printf("mirror/%s/%s", deploy->sides.to_side.name, file);

	return fs_join(deploy->sides.home, name);
}

static bool reads(const struct manifest_node *node, const char *unique_id)
{
	for (size_t i = 0; i < node->parent_count; i++)
		if (strcmp(node->parents[i]->unique_id, unique_id) == 0)
			return true;
	return false;
}

/* Every raw model of the refresh that copies the source. */
static void note(struct deploy *deploy, const char *source, const char *state, const char *why)
{
	for (size_t i = 0; i < deploy->routes.n; i++) {
		const struct manifest_node *raw = deploy->routes.items[i].node;

		if (reads(raw, source) && !deploy_mirror_keeps(deploy, raw))
			deploy_mirror_note(deploy, raw, state, why);
	}
}

static void warn(struct deploy *deploy, const char *what, const char *why)
{
	char *text CLEANUP(mem_free_string) = mem_printf("%s warns: %s", what, why);

	deploy->request.reporter->warning(deploy->request.reporter, text);
}

/* --- freshness --- */

static void judge_freshness(struct deploy *deploy, const json_t *row)
{
	const char *source = js_get_string(row, "unique_id");
	const char *status = js_get_string(row, "status");
	const char *loaded = js_get_string(row, "max_loaded_at");
	const char *error = js_get_string(row, "error");
	char *age CLEANUP(mem_free_string) =
		loaded ? mem_printf("its newest row is of %.19s", loaded) : mem_strdup("too old");

	if (!source || !status || strcmp(status, "pass") == 0)
		return;
	if (strcmp(status, "warn") == 0)
		warn(deploy, source, age);
	else if (strcmp(status, "error") == 0)
		note(deploy, source, "stale", age);
	else
		note(deploy, source, "unreadable", error ? error : status);
}

static int read_freshness(struct deploy *deploy, const struct runner_result *ran, struct err *err)
{
	char *path CLEANUP(mem_free_string) = path_of(deploy, "sources.json");
	struct err of_file CLEANUP(err_release) = ERR_INIT;
	json_t *document CLEANUP(js_free) =
		js_read_file(path, MAX_BYTES, ERR_MANIFEST_INVALID, &of_file);
	const json_t *rows = js_get_array(document, "results");

	if (!js_text_is(js_get_object(document, "metadata"), "invocation_id", ran->invocation_id)) {
		if (!runner_succeeded(ran))
			return runner_error(ran, "dbt source freshness", err);
		return err_set(err, ERR_NO_ANSWER,
			       "'%s' was not written by this 'dbt source freshness'", path);
	}
	for (size_t i = 0; i < json_array_size(rows); i++)
		judge_freshness(deploy, json_array_get(rows, i));
	return 0;
}

/* --- tests --- */

static void judge_test(struct deploy *deploy, const struct manifest *manifest,
		       const struct results_row *row)
{
	const struct manifest_node *test = manifest_find(manifest, row->unique_id);
	char *why CLEANUP(mem_free_string) =
		mem_printf("its test '%s': %s", test ? test->name : row->unique_id,
			   *row->message ? row->message : row->status_text);

	if (row->status == RESULTS_SUCCESS || row->status == RESULTS_NO_OP)
		return;
	if (row->status == RESULTS_WARN) {
		warn(deploy, row->unique_id, row->message);
		return;
	}
	for (size_t i = 0; test && i < test->parent_count; i++)
		if (test->parents[i]->type == MANIFEST_SOURCE)
			note(deploy, test->parents[i]->unique_id, "failing", why);
}

/* A test without a result has not passed. */
static void judge_absent(struct deploy *deploy, const struct manifest *manifest,
			 const struct results *results)
{
	for (size_t i = 0; i < deploy->routes.n; i++) {
		const struct manifest_node *raw = deploy->routes.items[i].node;
		const struct manifest_node *source =
			manifest_find(manifest, mirror_source(raw)->unique_id);

		for (size_t k = 0; source && k < source->child_count; k++)
			if (source->children[k]->type == MANIFEST_TEST &&
			    !results_find(results, source->children[k]->unique_id))
				note(deploy, source->unique_id, "failing",
				     "one of its tests did not run");
	}
}

static int read_tests(struct deploy *deploy, const struct runner_result *ran, struct err *err)
{
	char *path CLEANUP(mem_free_string) = path_of(deploy, "run_results.json");
	const struct sides *sides = &deploy->sides;
	const struct manifest *manifest =
		sides->to_manifest ? sides->to_manifest : sides->from_manifest;
	const struct results_expect expect = {
		.invocation_id = ran->invocation_id,
		.which = "test",
		.target = sides->to ? sides->to : sides->from,
		.select = &deploy->mirror.tests,
	};
	struct results *results;

	if (results_read(path, &expect, &results, err) < 0)
		return runner_succeeded(ran) ? -1 : runner_error(ran, "dbt test", err);
	for (size_t i = 0; i < results_count(results); i++)
		judge_test(deploy, manifest, results_row(results, i));
	judge_absent(deploy, manifest, results);
	results_free(results);
	return 0;
}

typedef int read_fn(struct deploy *deploy, const struct runner_result *ran, struct err *err);

/* dbt ends with 1 where a source is not good; what it wrote says which. */
static int run(struct deploy *deploy, const char *id, read_fn *read, struct err *err)
{
	struct runner_result ran = { 0 };
	int result = executor_run_dbt(&deploy->executor, plan_step(&deploy->plan, id),
				      &deploy->sides.to_side.environment, &ran, err);

	if (result == 0)
		result = read(deploy, &ran, err);
	runner_result_release(&ran);
	return result;
}

static int freshness(struct deploy *deploy, struct err *err)
{
	return run(deploy, "freshness", read_freshness, err);
}

static int test(struct deploy *deploy, struct err *err)
{
	return run(deploy, "test", read_tests, err);
}

int deploy_mirror_check(struct deploy *deploy, struct err *err)
{
	static const struct {
		const char *id;
		deploy_phase_fn *fn;
	} checks[] = { { "freshness", freshness }, { "test", test } };
	char *parse CLEANUP(mem_free_string) = path_of(deploy, SIDES_PARTIAL_PARSE);

	sides_warm_up(&deploy->sides, &deploy->sides.to_side, parse);
	for (size_t i = 0; i < ARRAY_LEN(checks); i++)
		if (plan_step(&deploy->plan, checks[i].id) &&
		    deploy_step(deploy, &deploy->plan, checks[i].id, checks[i].fn, err) < 0)
			return -1;
	return 0;
}
