/*
 * results: run_results.json of one invocation, believed only if it is that invocation's.
 *
 * Life cycle: results_read(), read-only, results_free().
 * Errors:     ERR_BUILD_INCOMPLETE when the file is missing, of another invocation_id, or its
 *             args say it was not the real data or not the selection that was asked for (empty,
 *             sample, another target, which); ERR_MANIFEST_INVALID when it is not JSON.
 * Source:     https://schemas.getdbt.com/dbt/run-results/v6.json
 */
#ifndef AIRLOCK_DBT_RESULTS_H
#define AIRLOCK_DBT_RESULTS_H

#include <stdbool.h>
#include <stddef.h>

#include "airlock/base/err.h"
#include "airlock/base/strv.h"

enum results_status {
	RESULTS_SUCCESS = 0, /* success, pass */
	RESULTS_WARN,
	RESULTS_FAIL,  /* a test */
	RESULTS_ERROR, /* error, runtime error, partial success, anything unknown */
	RESULTS_SKIPPED,
	RESULTS_NO_OP, /* no-op, reused: nothing was built */
};

struct results_row {
	const char *unique_id;
	enum results_status status;
	const char *status_text; /* as written */
	const char *message;     /* "" when there is none */
	long long failures;      /* -1 when there is none */
	double seconds;
};

struct results;

/* What the invocation must have been. NULL fields are not checked. */
struct results_expect {
	const char *invocation_id;
	const char *which;         /* args.which: "build" */
	const char *target;        /* args.target */
	const struct strv *select; /* args.select, same words in any order; NULL: not checked */
};

int results_read(const char *path, const struct results_expect *expect,
		 struct results **ret_results, struct err *err);
void results_free(struct results *results);
size_t results_count(const struct results *results);
const struct results_row *results_row(const struct results *results, size_t i);
const struct results_row *results_find(const struct results *results, const char *unique_id);

#endif
