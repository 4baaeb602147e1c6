#include "airlock/dbt/results.h"

#include <stdlib.h>
#include <string.h>

#include "airlock/base/buf.h"
#include "airlock/base/fs.h"
#include "airlock/dbt/event.h"
#include "airlock/format/json.h"

#define MAX_BYTES ((size_t)1 << 30)

struct results {
	struct arena arena;
	struct results_row *rows;
	size_t n;
	const struct results_row **sorted; /* by unique_id */
};

/* Whatever is not here is an error: a status that a later dbt adds must not pass for success. */
static const struct {
	const char *text;
	enum results_status status;
} statuses[] = {
	{ "success", RESULTS_SUCCESS }, { "pass", RESULTS_SUCCESS },    { "warn", RESULTS_WARN },
	{ "fail", RESULTS_FAIL },       { "skipped", RESULTS_SKIPPED }, { "no-op", RESULTS_NO_OP },
	{ "reused", RESULTS_NO_OP },
};

static enum results_status status_of(const char *text)
{
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
		if (strcmp(statuses[i].text, text) == 0)
			return statuses[i].status;
	return RESULTS_ERROR;
}

static int check_invocation(const json_t *root, const char *path, const char *expected,
			    struct err *err)
{
	const char *id = js_get_string(js_get_object(root, "metadata"), "invocation_id");

	if (expected && (!id || strcmp(id, expected) != 0))
		return err_set(err, ERR_BUILD_INCOMPLETE,
			       "%s: of invocation '%s', not of '%s': dbt ended before it wrote its "
			       "results",
			       path, id ? id : "", expected);
	return 0;
}

/* dbt 2 writes fewer arguments: only what is there can be compared. */
static int check_word(const json_t *args, const char *key, const char *expected, const char *path,
		      struct err *err)
{
	const char *value = js_get_string(args, key);

	if (expected && value && strcmp(value, expected) != 0)
		return err_set(err, ERR_BUILD_INCOMPLETE,
			       "%s: dbt ran with %s '%s' where '%s' was asked for", path, key,
			       value, expected);
	return 0;
}

static void add_words(struct strv *words, const json_t *value)
{
	size_t n = json_is_string(value) ? 1 : json_array_size(value);

	for (size_t i = 0; i < n; i++) {
		const json_t *item = json_is_string(value) ? value : json_array_get(value, i);
		if (json_is_string(item))
			strv_split(words, json_string_value(item), " ");
	}
	strv_sort(words);
	strv_dedup(words);
}

static int check_select(const json_t *args, const struct strv *expected, const char *path,
			struct err *err)
{
	CLEANUP(strv_release) struct strv had = STRV_INIT;
	CLEANUP(strv_release) struct strv want = STRV_INIT;
	CLEANUP(mem_free_string) char *had_text = NULL;
	CLEANUP(mem_free_string) char *want_text = NULL;
	const json_t *value = json_object_get(args, "select");

	if (!expected || !value)
		return 0;
	add_words(&had, value);
	for (size_t i = 0; i < expected->n; i++)
		strv_split(&want, expected->v[i], " ");
	strv_sort(&want);
	strv_dedup(&want);
	had_text = strv_join(&had, " ");
	want_text = strv_join(&want, " ");
	if (strcmp(had_text, want_text) == 0)
		return 0;
	return err_set(err, ERR_BUILD_INCOMPLETE, "%s: dbt selected '%s' where '%s' was asked for",
		       path, had_text, want_text);
}

static int check_real(const json_t *args, const char *path, struct err *err)
{
	const json_t *sample = json_object_get(args, "sample");
	const char *what = NULL;

	if (js_get_bool(args, "empty", false))
		what = "--empty";
	else if (sample && !json_is_null(sample) && !json_is_false(sample))
		what = "--sample";
	if (!what)
		return 0;
	err_set(err, ERR_BUILD_INCOMPLETE, "%s: dbt ran with %s: this is not the real data", path,
		what);
	return err_hint(err, "unset %s for this job",
			strcmp(what, "--empty") == 0 ? "DBT_EMPTY" : "DBT_SAMPLE");
}

static int check(const json_t *root, const char *path, const struct results_expect *expect,
		 struct err *err)
{
	const json_t *args = js_get_object(root, "args");

	if (!js_get_array(root, "results"))
		return err_set(err, ERR_MANIFEST_INVALID,
			       "%s:1:1: no run results of dbt: it has no 'results'", path);
	if (check_invocation(root, path, expect->invocation_id, err) < 0 ||
	    check_word(args, "which", expect->which, path, err) < 0 ||
	    check_word(args, "target", expect->target, path, err) < 0 ||
	    check_real(args, path, err) < 0)
		return -1;
	return check_select(args, expect->select, path, err);
}

static const char *clean_message(struct results *results, const char *message)
{
	CLEANUP(buf_release) struct buf plain = BUF_INIT;
	const char *start;
	size_t len;

	event_add_plain(&plain, message ? message : "");
	start = buf_cstr(&plain) + strspn(buf_cstr(&plain), " \n");
	len = strlen(start);
	while (len > 0 && strchr(" \n", start[len - 1]))
		len--;
	return arena_strndup(&results->arena, start, len);
}

static void read_row(struct results *results, struct results_row *row, const json_t *json)
{
	const char *unique_id = js_get_string(json, "unique_id");
	const char *status = js_get_string(json, "status");

	row->unique_id = arena_strdup(&results->arena, unique_id ? unique_id : "");
	row->status_text = arena_strdup(&results->arena, status ? status : "");
	row->status = status_of(row->status_text);
	row->message = clean_message(results, js_get_string(json, "message"));
	row->failures = js_get_integer(json, "failures", -1);
	/* All that dbt 2.x says of a test that fails. */
	if (row->status == RESULTS_FAIL && row->failures > 0 && !strcmp(row->message, "Error"))
		row->message = arena_printf(&results->arena, "got %lld result%s", row->failures,
					    row->failures == 1 ? "" : "s");
	row->seconds = json_number_value(json_object_get(json, "execution_time"));
}

static int compare_rows(const void *a, const void *b)
{
	const struct results_row *const *x = a;
	const struct results_row *const *y = b;

	return strcmp((*x)->unique_id, (*y)->unique_id);
}

static struct results *read_rows(const json_t *list)
{
	struct results *results = mem_alloc(sizeof(*results));

	arena_init(&results->arena);
	results->n = json_array_size(list);
	results->rows = arena_alloc(&results->arena, (results->n + 1) * sizeof(*results->rows));
	results->sorted = arena_alloc(&results->arena, (results->n + 1) * sizeof(*results->sorted));
	for (size_t i = 0; i < results->n; i++) {
		read_row(results, &results->rows[i], json_array_get(list, i));
		results->sorted[i] = &results->rows[i];
	}
	qsort(results->sorted, results->n, sizeof(*results->sorted), compare_rows);
	return results;
}

int results_read(const char *path, const struct results_expect *expect,
		 struct results **ret_results, struct err *err)
{
	CLEANUP(js_free) json_t *root = NULL;

	if (!fs_exists(path))
		return err_set(err, ERR_BUILD_INCOMPLETE, "dbt wrote no results to '%s'", path);
	root = js_read_file(path, MAX_BYTES, ERR_MANIFEST_INVALID, err);
	if (!root || check(root, path, expect, err) < 0)
		return -1;
	*ret_results = read_rows(js_get_array(root, "results"));
	return 0;
}

void results_free(struct results *results)
{
	if (!results)
		return;
	arena_release(&results->arena);
	free(results);
}

size_t results_count(const struct results *results)
{
	return results->n;
}

const struct results_row *results_row(const struct results *results, size_t i)
{
	return &results->rows[i];
}

static int compare_id(const void *unique_id, const void *element)
{
	const struct results_row *const *row = element;

	return strcmp(unique_id, (*row)->unique_id);
}

const struct results_row *results_find(const struct results *results, const char *unique_id)
{
	const struct results_row **found = bsearch(unique_id, results->sorted, results->n,
						   sizeof(*results->sorted), compare_id);

	return found ? *found : NULL;
}
