/*
 * The parts of select: words (select_word.c), which nodes a criterion names (select_match.c), and
 * the sets and the graph (select.c).
 */
#ifndef AIRLOCK_DBT_SELECT_INTERNAL_H
#define AIRLOCK_DBT_SELECT_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "airlock/base/err.h"
#include "airlock/base/strv.h"
#include "airlock/dbt/manifest.h"

#define SELECT_NO_LIMIT SIZE_MAX

enum method {
	METHOD_ASK = 0, /* one that dbt has to answer */
	METHOD_TAG,
	METHOD_FQN,
	METHOD_PATH,
};

/* One criterion: `2+tag:nightly+`. */
struct criterion {
	char *value;
	char *method_name; /* NULL: none was written */
	enum method method;
	bool is_refused; /* dbt 1.11 refuses it */
	size_t parents;  /* how far to go up; 0 not at all */
	size_t children;
	bool ends_intersection; /* the last of those that a comma joins */
};

struct criteria {
	struct criterion *v;
	size_t n;
	size_t cap;
};

void criteria_parse(const struct strv *words, struct criteria *ret_criteria); /* words or NULL */
void criteria_release(struct criteria *criteria);
int criterion_refuse(const struct criterion *c, struct err *err); /* -1 */

/* What behaves differently from one dbt to the next. */
enum leaf_rule {
	LEAF_UNSURE = 0,
	LEAF_MATCHES, /* a wildcard without a dot is also compared with the name alone */
	LEAF_IGNORED,
};

struct position {
	const struct manifest_node *node;
	size_t at;
};

struct selection {
	const struct manifest *manifest;
	size_t n;
	struct position *positions; /* by address */
	enum leaf_rule leaf_rule;
	unsigned major;
	bool refuses_unknown;   /* no method was added up to this dbt */
	struct strv root_paths; /* files and directories that the root project certainly has */
	bool uncertain;         /* dbt has to be asked after all */
};

/* Marks in `set` the nodes that the criterion names by itself, without its pluses. */
void criterion_match(struct selection *s, const struct criterion *c, bool *set);

#endif
