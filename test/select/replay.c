/*
 * replay: what dbt answered when it was asked (record.py wrote it down), compared with what select
 * answers from the manifest of the same dbt. One TAP case for each project and dbt.
 *
 * usage: replay DIRECTORY
 *
 * A question that select leaves to dbt counts as asked; how many may be is part of known[], and so
 * is every question whose answer differs, with the reason. Both must be exact.
 */
#include <ftw.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "airlock/base/fs.h"
#include "airlock/dbt/select.h"
#include "airlock/format/json.h"

#include "known.h"

struct question {
	struct strv select;
	struct strv exclude;
	struct strv types;
	struct strv unwanted_types;
	struct select_request request;
};

struct counts {
	size_t same;
	size_t asked;
	size_t refused; /* by both */
	size_t different;
	size_t unexpected;
};

static int case_number;

static void push_strings(struct strv *strv, const json_t *list)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		strv_push(strv, json_string_value(json_array_get(list, i)));
}

static enum select_indirect indirect_of(const char *name)
{
	static const char *const names[] = { "eager", "cautious", "buildable", "empty" };

	for (size_t i = 0; name && i < ARRAY_LEN(names); i++)
		if (strcmp(names[i], name) == 0)
			return (enum select_indirect)i;
	return SELECT_EAGER;
}

static void question_read(const json_t *json, const struct selectors *selectors, struct question *q)
{
	*q = (struct question) { .request = { .selectors = selectors } };
	push_strings(&q->select, json_object_get(json, "select"));
	push_strings(&q->exclude, json_object_get(json, "exclude"));
	push_strings(&q->types, json_object_get(json, "resource_types"));
	push_strings(&q->unwanted_types, json_object_get(json, "exclude_resource_types"));
	q->request.select = &q->select;
	q->request.exclude = &q->exclude;
	q->request.resource_types = &q->types;
	q->request.exclude_resource_types = &q->unwanted_types;
	q->request.selector = js_get_string(json, "selector");
	q->request.indirect = indirect_of(js_get_string(json, "indirect"));
}

static void question_release(struct question *q)
{
	strv_release(&q->select);
	strv_release(&q->exclude);
	strv_release(&q->types);
	strv_release(&q->unwanted_types);
}

/* The answer as words: "ASK", "REFUSED", or the ids. */
static char *ours(const struct manifest *manifest, const struct question *q)
{
	CLEANUP(strv_release) struct strv ids = STRV_INIT;
	enum select_answer answer;
	struct err err = ERR_INIT;

	if (select_run(manifest, &q->request, &ids, &answer, &err) < 0) {
		err_release(&err);
		return mem_strdup("REFUSED");
	}
	if (answer == SELECT_ASK_DBT)
		return mem_strdup("ASK");
	return ids.n ? strv_join(&ids, " ") : mem_strdup("");
}

static char *theirs(const json_t *answer, const json_t *ids)
{
	CLEANUP(strv_release) struct strv words = STRV_INIT;

	if (!json_is_array(answer))
		return mem_strdup("REFUSED");
	for (size_t i = 0; i < json_array_size(answer); i++) {
		size_t at = (size_t)json_integer_value(json_array_get(answer, i));
		strv_push(&words, json_string_value(json_array_get(ids, at)));
	}
	strv_sort(&words);
	return words.n ? strv_join(&words, " ") : mem_strdup("");
}

static const struct known *known_of(const char *project, const char *version, const char *question)
{
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (strcmp(known[i].question, question) == 0 &&
		    strcmp(known[i].project, project) == 0 &&
		    strncmp(version, known[i].version, strlen(known[i].version)) == 0)
			return &known[i];
	return NULL;
}

static void tell(const char *question, const char *answer, const char *expected)
{
	printf("# %s\n#   ours: %s\n#   dbt:  %s\n", question, answer, expected);
}

/* One project as one dbt reads it. */
struct subject {
	const char *project;
	const char *version;
	const char *tree;
	const struct manifest *manifest;
	const struct selectors *selectors;
};

static void compare_one(const struct subject *subject, const json_t *json, const char *expected,
			struct counts *counts)
{
	char *question = json_dumps(json, JSON_COMPACT);
	const struct known *row = known_of(subject->project, subject->version, question);
	struct question q;
	CLEANUP(mem_free_string) char *answer = NULL;
	bool differs;

	question_read(json, subject->selectors, &q);
	q.request.project_directory = subject->tree;
	answer = ours(subject->manifest, &q);
	differs = strcmp(answer, "ASK") != 0 && strcmp(answer, expected) != 0;
	if (strcmp(answer, "ASK") == 0) {
		counts->asked++;
		if (getenv("SELECT_SHOW_ASKED"))
			tell(question, answer, expected);
	} else if (differs) {
		counts->different++;
	} else if (strcmp(answer, "REFUSED") == 0) {
		counts->refused++;
	} else {
		counts->same++;
	}
	if (differs != (row != NULL)) {
		counts->unexpected++;
		tell(question, answer, expected);
	}
	question_release(&q);
	free(question);
}

static size_t allowed_questions(const char *project, const char *version)
{
	for (size_t i = 0; i < ARRAY_LEN(left_to_dbt); i++)
		if (strcmp(left_to_dbt[i].project, project) == 0 &&
		    strncmp(version, left_to_dbt[i].version, strlen(left_to_dbt[i].version)) == 0)
			return left_to_dbt[i].questions;
	return 0;
}

static void compare_all(const char *project, const char *tree, const json_t *recorded,
			const json_t *expressions, const struct selectors *selectors)
{
	const char *version = js_get_string(recorded, "dbt");
	char *text = json_dumps(json_object_get(recorded, "manifest"), JSON_COMPACT);
	const json_t *answers = json_object_get(recorded, "answers");
	struct counts counts = { 0 };
	struct err err = ERR_INIT;
	struct manifest *manifest;
	bool good;

	if (manifest_parse(text, strlen(text), "manifest.json", &manifest, &err) < 0) {
		printf("not ok %d - %s %s: %s\n", ++case_number, project, version, err.message);
		err_release(&err);
		free(text);
		return;
	}
	const struct subject subject = { project, version, tree, manifest, selectors };

	for (size_t i = 0; i < json_array_size(expressions); i++) {
		CLEANUP(mem_free_string)
		char *expected =
			theirs(json_array_get(answers, i), json_object_get(recorded, "ids"));
		compare_one(&subject, json_array_get(expressions, i), expected, &counts);
	}
	good = counts.unexpected == 0 && counts.asked == allowed_questions(project, version) &&
	       json_array_size(answers) == json_array_size(expressions);
	printf("%sok %d - %s of dbt %s: %zu the same, %zu refused, %zu left to dbt, %zu known to "
	       "differ\n",
	       good ? "" : "not ", ++case_number, project, version, counts.same, counts.refused,
	       counts.asked, counts.different);
	manifest_free(manifest);
	free(text);
}

static json_t *read_json(const char *directory, const char *project, const char *name)
{
	CLEANUP(mem_free_string) char *path = mem_printf("%s/%s/%s", directory, project, name);
	struct err err = ERR_INIT;
	json_t *json = js_read_file(path, (size_t)64 << 20, ERR_FILE, &err);

	if (!json) {
		printf("not ok %d - %s\n", ++case_number, err.message);
		err_release(&err);
	}
	return json;
}

/* The files of the project, empty, in a directory of their own; it goes when we end. */
static void make_tree(const char *directory, const char *project, char *tree)
{
	json_t *files = read_json(directory, project, "files.json");
	struct err err = ERR_INIT;

	if (!mkdtemp(tree))
		abort();
	for (size_t i = 0; i < json_array_size(files); i++) {
		CLEANUP(mem_free_string)
		char *path = fs_join(tree, json_string_value(json_array_get(files, i)));
		CLEANUP(mem_free_string) char *folder = fs_parent(path);

		if (fs_make_directories(folder, &err) < 0 || fs_touch(path, &err) < 0)
			abort();
	}
	json_decref(files);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static void replay(const char *directory, const char *project)
{
	char tree[] = "/tmp/airlock-replay-XXXXXX";

	static const char *const versions[] = { "1.8.json", "1.10.json", "1.11.json",
						"2.0.0a4.json" };
	CLEANUP(mem_free_string) char *path = mem_printf("%s/%s", directory, project);
	json_t *expressions = read_json(directory, project, "expressions.json");
	struct selectors *selectors = NULL;
	struct err err = ERR_INIT;

	make_tree(directory, project, tree);
	if (selectors_read(path, &selectors, &err) < 0)
		printf("# %s\n", err.message);
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		json_t *recorded = read_json(directory, project, versions[i]);

		if (recorded && expressions)
			compare_all(project, tree, recorded, expressions, selectors);
		json_decref(recorded);
	}
	nftw(tree, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	selectors_free(selectors);
	json_decref(expressions);
	err_release(&err);
}

int main(int argc, char **argv)
{
	static const char *const projects[] = { "shop", "crm", "odd" };

	if (argc != 2) {
		fprintf(stderr, "usage: replay DIRECTORY\n");
		return 2;
	}
	printf("1..%zu\n", 4 * ARRAY_LEN(projects));
	for (size_t i = 0; i < ARRAY_LEN(projects); i++)
		replay(argv[1], projects[i]);
	return 0;
}
