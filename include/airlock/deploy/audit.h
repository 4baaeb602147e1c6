/*
 * audit: whether what was built may be published. Pure: manifests, routes and results in,
 * a verdict out.
 */
#ifndef AIRLOCK_DEPLOY_AUDIT_H
#define AIRLOCK_DEPLOY_AUDIT_H

#include <stdbool.h>
#include <stddef.h>

#include "airlock/base/err.h"
#include "airlock/base/mem.h"
#include "airlock/base/strv.h"
#include "airlock/dbt/manifest.h"
#include "airlock/dbt/results.h"
#include "airlock/deploy/config.h"
#include "airlock/deploy/route.h"

struct audit_failure {
	const char *unique_id;
	const char *status; /* as dbt wrote it */
	const char *message;
	const char *path; /* compiled file, relative to the target path; "" when there is none */
};

struct audit {
	struct arena arena;
	size_t nodes_built, nodes_failed, nodes_skipped;
	size_t tests_passed, tests_warned, tests_failed, tests_skipped;
	size_t scope_tests; /* tests attached to the scope */
	struct audit_failure *failures;
	size_t failure_count;
	struct strv warnings;
	struct strv
		passed; /* unique_ids of the scope that are built, tested, and behind no failure */
	struct strv causes; /* names of the nodes that failed, or a test of which did */
};

/* Whether skip_tests names it, or it is left to a refresh of the raw layer: it is not run, and
 * stops nothing. */
bool audit_skips(const struct config *config, const struct manifest_node *test);
/* dbt's --exclude for those, and for selection words `besides` (NULL: none); nothing without. */
void audit_push_excluded(const struct config *config, const struct routes *routes,
			 const struct strv *besides, struct strv *command);

/* Before the build: what skip_tests names and is no test, tests that only `to` has, a scope without
 * tests where some are required. */
int audit_check_tests(const struct config *config, const struct routes *routes,
		      const struct manifest *from, const struct manifest *to, struct err *err);

/*
 * After it. `tests_alone`: nothing was to be built, so that nodes need no result. Fills *ret_audit
 * in either case (release it); ERR_AUDIT_FAILED when a test failed, ERR_BUILD_FAILED when a node
 * did, ERR_BUILD_INCOMPLETE when a scope node was not built with success by this invocation or a
 * test of the scope has no result.
 */
int audit_judge(const struct config *config, const struct routes *routes,
		const struct manifest *built, const struct results *results, bool tests_alone,
		struct audit *ret_audit, struct err *err);
/* Tests that must have passed before the scope is published. */
size_t audit_scope_tests(const struct config *config, const struct routes *routes,
			 const struct manifest *from);
void audit_release(struct audit *audit);

#endif
