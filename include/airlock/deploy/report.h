/*
 * report: what a deployment tells whoever watches it, as it goes. Implemented by the command
 * line (cli/report) and by tests.
 */
#ifndef AIRLOCK_DEPLOY_REPORT_H
#define AIRLOCK_DEPLOY_REPORT_H

#include <stdbool.h>

#include "airlock/dbt/event.h"
#include "airlock/deploy/plan.h"

struct reporter {
	void (*note)(struct reporter *reporter, const char *text); /* one line of progress */
	void (*warning)(struct reporter *reporter, const char *text);
	void (*event)(struct reporter *reporter, const struct event *event); /* of the build */
	void (*step)(struct reporter *reporter, const struct step *step);    /* it begins */
	void (*statement)(struct reporter *reporter, const char *sql);       /* before it runs */
	/* A question of one line; false where nobody can be asked. */
	bool (*ask)(struct reporter *reporter, const char *question);
	/* Whether to go on with this plan. Only called when the user is to be asked. */
	bool (*confirm)(struct reporter *reporter, const struct plan *plan,
			const struct routes *routes);
};

#endif
