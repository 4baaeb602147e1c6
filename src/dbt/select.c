#include "airlock/dbt/select.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "select_internal.h"

struct spec *spec_new(struct selection *s, enum spec_kind kind, enum select_indirect indirect)
{
	struct spec *spec = arena_alloc(&s->arena, sizeof(*spec));

	spec->kind = kind;
	spec->indirect = indirect;
	s->spec_count++;
	return spec;
}

void spec_add(struct selection *s, struct spec *spec, struct spec *part)
{
	if (spec->n == spec->cap) {
		size_t cap = spec->cap ? 2 * spec->cap : 4;
		struct spec **grown = arena_alloc(&s->arena, cap * sizeof(*grown));

		for (size_t i = 0; i < spec->n; i++)
			grown[i] = spec->parts[i];
		spec->parts = grown;
		spec->cap = cap;
	}
	spec->parts[spec->n++] = part;
}

static void read_version(struct selection *s)
{
	unsigned patch = 0;

	if (sscanf(manifest_dbt_version(s->manifest), "%u.%u.%u", &s->major, &s->minor, &patch) < 2)
		return;
	s->refuses_unknown = s->major < 1 || (s->major == 1 && s->minor <= 11);
	/* Read in the sources of 1.8.10, 1.9.10, 1.10.23, 1.11.14, 1.11.16 and 1.12.6. */
	if (s->major == 1 && ((s->minor == 11 && patch >= 16) || (s->minor == 12 && patch >= 6)))
		s->leaf_rule = LEAF_MATCHES;
	else if (s->major == 1 && (s->minor < 10 || (s->minor == 10 && patch <= 23) ||
				   (s->minor == 11 && patch <= 14)))
		s->leaf_rule = LEAF_IGNORED;
}

static void selection_init(struct selection *s, const struct manifest *manifest,
			   const struct select_request *request)
{
	*s = (struct selection) { .manifest = manifest,
				  .request = request,
				  .n = manifest_count(manifest) };
	arena_init(&s->arena);
	read_version(s);
}

static void selection_release(struct selection *s)
{
	strv_release(&s->root_paths);
	arena_release(&s->arena);
}

static bool is_given(const struct strv *words)
{
	return words && words->n > 0;
}

/* dbt/graph/cli.py: parse_difference(). */
static struct spec *spec_of_options(struct selection *s)
{
	static const char *const everything[] = { "fqn:*", "source:*", "exposure:*", "metric:*",
						  "semantic_model:*" };
	CLEANUP(strv_release) struct strv defaults = STRV_INIT;
	struct spec *spec = spec_new(s, SPEC_DIFFERENCE, SELECT_EAGER);

	for (size_t i = 0; i < ARRAY_LEN(everything); i++)
		strv_push(&defaults, everything[i]);
	spec_add(s, spec,
		 spec_of_words(s, is_given(s->request->select) ? s->request->select : &defaults));
	spec_add(s, spec, spec_of_words(s, s->request->exclude));
	return spec;
}

static int refuse_selector(const struct selectors *selectors, const char *name, struct err *err)
{
	CLEANUP(strv_release) struct strv names = STRV_INIT;
	const char *nearest;

	for (size_t i = 0; i < selectors_count(selectors); i++)
		strv_push(&names, selectors_name(selectors, i));
	nearest = strv_nearest(name, (const char *const *)names.v, names.n);
	err_set(err, ERR_SELECTOR_INVALID, "selectors.yml has no selector '%s'", name);
	return nearest ? err_hint(err, "did you mean '%s'?", nearest) : -1;
}

static bool has_selector(const struct selectors *selectors, const char *name)
{
	for (size_t i = 0; i < selectors_count(selectors); i++)
		if (strcmp(selectors_name(selectors, i), name) == 0)
			return true;
	return false;
}

/* NULL with *err set, or where dbt has to be asked. */
static struct spec *choose_spec(struct selection *s, struct err *err)
{
	const struct select_request *request = s->request;
	const char *name = request->selector;

	if (!name && !is_given(request->select) && !is_given(request->exclude))
		name = selectors_default(request->selectors);
	if (!name)
		return spec_of_options(s);
	if (!has_selector(request->selectors, name)) {
		refuse_selector(request->selectors, name, err);
		return NULL;
	}
	return spec_of_selector(s, name);
}

/* What `dbt ls` lists when it is not told otherwise; analyses only when it is. */
static const char *const listed[] = { "model",          "snapshot",  "seed",    "test",
				      "source",         "exposure",  "metric",  "saved_query",
				      "semantic_model", "unit_test", "function" };

static bool is_listed(const char *type)
{
	for (size_t i = 0; i < ARRAY_LEN(listed); i++)
		if (strcmp(listed[i], type) == 0)
			return true;
	return false;
}

static int add_type(struct strv *types, const char *word, struct err *err)
{
	bool all = strcmp(word, "all") == 0;

	if (all || strcmp(word, "default") == 0) {
		for (size_t i = 0; i < ARRAY_LEN(listed); i++)
			strv_push(types, listed[i]);
		if (all)
			strv_push(types, "analysis");
		return 0;
	}
	if (strcmp(word, "analysis") == 0 || is_listed(word)) {
		strv_push(types, word);
		return 0;
	}
	return err_set(err, ERR_SELECTOR_INVALID, "'%s' is no resource type that dbt lists", word);
}

/* Up to 1.8 listing nothing but tests lists unit tests too. */
static bool lists_tests_only(const struct selection *s)
{
	const struct strv *types = s->request->resource_types;

	return s->major == 1 && s->minor <= 8 && types->n == 1 && strcmp(types->v[0], "test") == 0;
}

/* Of the names that dbt 1 takes dbt 2 takes these, as far as is known. */
static bool are_certain(const struct selection *s, const struct strv *types)
{
	static const char *const certain[] = { "model", "seed", "snapshot", "source", "test" };
	bool all = true;

	for (size_t i = 0; s->major >= 2 && types && i < types->n; i++) {
		bool found = false;

		for (size_t k = 0; k < ARRAY_LEN(certain); k++)
			found |= strcmp(certain[k], types->v[i]) == 0;
		all &= found;
	}
	return all;
}

static int filter_types(struct selection *s, bool *set, struct err *err)
{
	const struct strv *wanted = s->request->resource_types;
	const struct strv *unwanted = s->request->exclude_resource_types;
	CLEANUP(strv_release) struct strv in = STRV_INIT;
	CLEANUP(strv_release) struct strv out = STRV_INIT;

	s->uncertain |= !are_certain(s, wanted) || !are_certain(s, unwanted);
	for (size_t i = 0; is_given(wanted) && i < wanted->n; i++)
		if (add_type(&in, wanted->v[i], err) < 0)
			return -1;
	for (size_t i = 0; is_given(unwanted) && i < unwanted->n; i++)
		if (add_type(&out, unwanted->v[i], err) < 0)
			return -1;
	if (!is_given(wanted))
		add_type(&in, s->major >= 2 ? "all" : "default", err);
	else if (lists_tests_only(s))
		strv_push(&in, "unit_test");
	for (size_t i = 0; i < s->n; i++) {
		const char *type = manifest_node(s->manifest, i)->resource_type;

		set[i] = set[i] && strv_contains(&in, type) && !strv_contains(&out, type);
	}
	return 0;
}

/* dbt 2 reads the others its own way, and all of them where selectors.yml is involved. */
static bool is_certain_mode(const struct select_request *request)
{
	if (request->indirect == SELECT_EAGER)
		return true;
	return !request->selector && is_given(request->select) &&
	       request->indirect != SELECT_BUILDABLE;
}

static int answer_here(struct selection *s, struct strv *ret_unique_ids, struct err *err)
{
	struct spec *spec = choose_spec(s, err);
	bool *set;
	int rc;

	if (!spec) {
		s->uncertain = true;
		return err_is_set(err) ? -1 : 0;
	}
	if (spec_check(s, spec, err) < 0)
		return -1;
	s->uncertain |= s->major >= 2 && !is_certain_mode(s->request);
	if (s->uncertain)
		return 0;
	set = mem_alloc(s->n + 1);
	rc = spec_evaluate(s, spec, set, err);
	if (rc == 0)
		rc = filter_types(s, set, err);
	for (size_t i = 0; i < s->n && rc == 0 && !s->uncertain; i++)
		if (set[i])
			strv_push(ret_unique_ids, manifest_node(s->manifest, i)->unique_id);
	strv_sort(ret_unique_ids);
	free(set);
	return rc;
}

int select_run(const struct manifest *manifest, const struct select_request *request,
	       struct strv *ret_unique_ids, enum select_answer *ret_answer, struct err *err)
{
	CLEANUP(selection_release) struct selection s;
	CLEANUP(strv_release) struct strv ids = STRV_INIT;

	selection_init(&s, manifest, request);
	if (answer_here(&s, &ids, err) < 0)
		return -1;
	strv_push_all(ret_unique_ids, &ids);
	*ret_answer = s.uncertain ? SELECT_ASK_DBT : SELECT_ANSWERED;
	return 0;
}

static int run_for_relations(const struct manifest *manifest, struct select_request *request,
			     struct strv *ret_unique_ids, enum select_answer *ret_answer,
			     struct err *err)
{
	static const char *const types[] = { "model", "seed", "snapshot" };
	CLEANUP(strv_release) struct strv wanted = STRV_INIT;

	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		strv_push(&wanted, types[i]);
	request->resource_types = &wanted;
	return select_run(manifest, request, ret_unique_ids, ret_answer, err);
}

int select_nodes(const struct manifest *manifest, const struct strv *select,
		 const struct strv *exclude, const char *project_directory,
		 struct strv *ret_unique_ids, enum select_answer *ret_answer, struct err *err)
{
	struct select_request request = {
		.select = select,
		.exclude = exclude,
		.project_directory = project_directory,
	};

	return run_for_relations(manifest, &request, ret_unique_ids, ret_answer, err);
}

int select_selector(const struct manifest *manifest, const struct selectors *selectors,
		    const char *name, const char *project_directory, struct strv *ret_unique_ids,
		    enum select_answer *ret_answer, struct err *err)
{
	struct select_request request = {
		.selector = name,
		.selectors = selectors,
		.project_directory = project_directory,
	};

	return run_for_relations(manifest, &request, ret_unique_ids, ret_answer, err);
}
