/* The build and its tests in staging, as steps: one of dbt's, or the commands of the user's. */
#include <string.h>

#include "airlock/dbt/cmdline.h"
#include "airlock/dbt/runner.h"
#include "airlock/deploy/audit.h"
#include "airlock/deploy/build_commands.h"
#include "airlock/deploy/mirror.h"
#include "airlock/deploy/publication.h"

static const char built_anew[] = "nothing: staging is built anew by the next deployment";

static void warn_of_skipped(struct publication *w)
{
	const struct strv *skipped = config_list(w->in->config, OPTION_SKIP_TESTS);

	for (size_t i = 0; i < skipped->n; i++)
		strv_pushf(&w->plan->warnings,
			   "the test '%s' is not run and stops nothing: skip_tests", skipped->v[i]);
}

/* Which side a dbt command of the build sees, and where it leaves its artifacts. */
static void push_staging(const struct publication *w, struct step *step)
{
	char *name CLEANUP(mem_free_string) = config_side_name(w->in->config, OPTION_FROM);

	strv_push(&step->command, "--target");
	strv_push(&step->command, config_text(w->in->config, OPTION_FROM));
	strv_push(&step->command, "--target-path");
	strv_pushf(&step->command, "target/airlock/build/%s", name);
}

/* What another deployment built is taken as it is, or what failed of it is built once more. */
static void plan_reuse(struct publication *w)
{
	struct step *step;

	if (!w->in->retries) {
		step = plan_add_step(
			w->plan, "build", "build", STEP_CHECK,
			arena_printf(&w->plan->arena,
				     "nothing is built: deployment %s built and tested "
				     "it",
				     w->in->reuses));
		step->idempotent = true;
		step->undo = "nothing";
		return;
	}
	step = plan_add_step(w->plan, "build", "build", STEP_DBT,
			     arena_printf(&w->plan->arena,
					  "build and test what failed or was skipped in deployment "
					  "%s; production is not touched",
					  w->in->reuses));
	step->idempotent = true;
	step->undo = built_anew;
	strv_push(&step->command, "retry");
	push_staging(w, step);
	strv_push(&step->command, "--write-json");
	if (w->in->options)
		strv_push_all(&step->command, w->in->options);
	runner_push_log_options(&step->command);
}

/* What the build leaves out besides the tests that are not run. NULL: nothing. */
static const struct strv *raw_left_out(const struct publication *w)
{
	return w->in->build_select->n == 0 && mirror_is_configured(w->in->config)
		       ? config_list(w->in->config, OPTION_MIRROR_RAW)
		       : NULL;
}

/* One command of dbt that takes the selection of the build; `defer` is NULL or NULL-ended. */
static void push_command(const struct publication *w, struct step *step, const char *verb,
			 const char *const *defer)
{
	const struct strv *raw = raw_left_out(w);

	step->idempotent = true;
	strv_push(&step->command, verb);
	push_staging(w, step);
	strv_push(&step->command, "--indirect-selection");
	/* Only so does dbt leave a test alone that reads the raw layer and something else besides:
	 * where everything is selected, every test is. */
	strv_push(&step->command, raw ? "cautious" : "eager");
	strv_push(&step->command, "--write-json");
	for (; defer && *defer; defer++)
		strv_push(&step->command, *defer);
	if (w->in->build_select->n > 0)
		strv_push(&step->command, "--select");
	strv_push_all(&step->command, w->in->build_select);
	audit_push_excluded(w->in->config, w->in->routes, raw, &step->command);
	cmdline_push_for_verb(w->in->build_options, verb, &step->command);
	runner_push_log_options(&step->command);
}

/* As the user's job has them, one after another; the first that fails is the last that runs. */
static void plan_commands(struct publication *w, const struct strv *commands, const char *reason,
			  const char *const *defer)
{
	for (size_t i = 0; i < commands->n; i++) {
		char *why CLEANUP(mem_free_string) = mem_printf(
			"command %zu of %zu of the build: %s", i + 1, commands->n, reason);
		struct step *step = plan_add_step(w->plan, commands->v[i], "build", STEP_DBT, why);

		step->undo = built_anew;
		push_command(w, step, commands->v[i], defer);
	}
}

void publication_plan_build(struct publication *w, const char *reason, const char *const *defer)
{
	const struct strv *commands = build_commands(w->in->config);
	struct step *step;

	if (w->in->reuses) {
		plan_reuse(w);
		return;
	}
	warn_of_skipped(w);
	if (w->in->builds_nothing) {
		step = plan_add_step(w->plan, "test", "audit", STEP_DBT,
				     "test what staging holds; nothing is built");
		step->undo = "nothing";
		push_command(w, step, "test", defer);
	} else if (commands->n > 0) {
		plan_commands(w, commands, reason, defer);
	} else {
		step = plan_add_step(w->plan, "build", "build", STEP_DBT, reason);
		step->undo = built_anew;
		push_command(w, step, "build", defer);
	}
}
