/*
 * The parts of select: words of the command line (select_word.c) and definitions of selectors.yml
 * (select_yaml.c) become a tree of specs; which nodes a criterion names (select_match.c for names
 * and paths, select_method.c for the other methods); sets and graph (select_graph.c); the whole
 * (select.c).
 */
#ifndef AIRLOCK_DBT_SELECT_INTERNAL_H
#define AIRLOCK_DBT_SELECT_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "airlock/base/err.h"
#include "airlock/base/strv.h"
#include "airlock/dbt/manifest.h"
#include "airlock/dbt/select.h"

#define SELECT_NO_LIMIT SIZE_MAX
#define SELECT_MAX_DEPTH 64
#define SELECT_MAX_SPECS 10000

enum method {
	METHOD_ASK = 0, /* one that dbt has to answer */
	METHOD_ACCESS,
	METHOD_CONFIG,
	METHOD_EXPOSURE,
	METHOD_FILE,
	METHOD_FQN,
	METHOD_GROUP,
	METHOD_METRIC,
	METHOD_PACKAGE,
	METHOD_PATH,
	METHOD_RESOURCE_TYPE,
	METHOD_SAVED_QUERY,
	METHOD_SEMANTIC_MODEL,
	METHOD_SOURCE,
	METHOD_TAG,
	METHOD_TEST_NAME,
	METHOD_TEST_TYPE,
	METHOD_UNIT_TEST,
	METHOD_VERSION,
};

/* One criterion: `2+tag:nightly+`. Strings belong to the arena of the selection. */
struct criterion {
	const char *value;
	const char *method_name; /* NULL: none was written */
	const char *arguments;   /* "meta.owner" of config.meta.owner; "" without */
	enum method method;
	bool is_refused; /* dbt 1.11 has no such method */
	bool is_boolean; /* `value: true` of a selectors.yml, not the word */
	bool childrens_parents;
	bool has_parents;
	bool has_children;
	size_t parents; /* how far to go up; 0 not at all */
	size_t children;
};

enum spec_kind {
	SPEC_CRITERION = 0,
	SPEC_UNION,
	SPEC_INTERSECTION,
	SPEC_DIFFERENCE, /* the first without the others */
};

struct spec {
	enum spec_kind kind;
	enum select_indirect indirect;
	struct criterion criterion;
	struct spec **parts;
	size_t n;
	size_t cap;
};

/* What behaves differently from one dbt to the next. */
enum leaf_rule {
	LEAF_UNSURE = 0,
	LEAF_MATCHES, /* a wildcard without a dot is also compared with the name alone */
	LEAF_IGNORED,
};

struct selection {
	struct arena arena;
	const struct manifest *manifest;
	const struct select_request *request;
	size_t n;
	enum leaf_rule leaf_rule;
	unsigned major;
	unsigned minor;
	bool refuses_unknown;   /* no method was added up to this dbt */
	struct strv root_paths; /* files and directories that the root project certainly has */
	size_t spec_count;
	bool uncertain; /* dbt has to be asked after all */
};

struct spec *spec_new(struct selection *s, enum spec_kind kind, enum select_indirect indirect);
void spec_add(struct selection *s, struct spec *spec, struct spec *part);

/* One spec of the command line, without spaces and commas. */
struct spec *spec_of_word(struct selection *s, const char *word, size_t len);
/* `--select` and `--exclude`: the union of the words, each an intersection. */
struct spec *spec_of_words(struct selection *s, const struct strv *words);
/* Finds the method of a name with arguments: "config.materialized". */
void criterion_set_method(struct selection *s, struct criterion *c, const char *name);
/* -1 with the error when dbt refuses a criterion of the tree. */
int spec_check(struct selection *s, const struct spec *spec, struct err *err);

/* The definition of a selector; NULL when dbt has to be asked. */
struct spec *spec_of_selector(struct selection *s, const char *name);

/* Marks in `set` the nodes that the criterion names by itself, without its pluses. */
int criterion_match(struct selection *s, const struct criterion *c, bool *set, struct err *err);
void match_fqn(struct selection *s, const char *value, bool *set);
void match_path(struct selection *s, const char *value, bool *set);

/* Marks in `set`, all false, what the spec selects. */
int spec_evaluate(struct selection *s, const struct spec *spec, bool *set, struct err *err);

#endif
