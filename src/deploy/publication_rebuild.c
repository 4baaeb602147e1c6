/* What a publication by rebuild has instead of new tables: the restore points alone in the
 * transaction, and behind it the commands of dbt. */
#include <string.h>

#include "airlock/dbt/runner.h"
#include "airlock/deploy/audit.h"
#include "airlock/deploy/publication.h"
#include "airlock/format/json.h"

/* dbt makes another object of what there is, which has what the project says. */
static int keep_grants(struct publication *w, struct strv *statements, struct err *err)
{
	json_t *configured CLEANUP(js_free) = json_array();
	struct relation *relations =
		arena_alloc(&w->plan->arena, (w->set.n + 1) * sizeof(*relations));

	for (size_t i = 0; i < w->set.n; i++) {
		const struct relation *to = w->set.tables[i].to;

		relations[i] = *to;
		if (w->plan->tables[i].route->to_node->sets_grants)
			json_array_append_new(configured,
					      json_pack("[s, s]", to->schema, to->identifier));
	}
	return state_push_grants_keep(&w->state, relations, w->set.n, configured, statements, err);
}

int publication_keep_tables(struct publication *w, struct strv *statements, struct err *err)
{
	return keep_grants(w, statements, err) < 0
		       ? -1
		       : w->in->dialect->keep(w->in->dialect, &w->set, statements, err);
}

static void push_scope(const struct publication *w, struct strv *command)
{
	strv_push(command, "--select");
	for (size_t i = 0; i < w->in->routes->n; i++) {
		const struct route *route = &w->in->routes->items[i];
		struct buf word CLEANUP(buf_release) = BUF_INIT;

		if (!route->in_scope)
			continue;
		for (size_t k = 0; k < route->to_node->fqn_count; k++)
			buf_printf(&word, "%s%s", k ? "." : "", route->to_node->fqn[k]);
		strv_push(command, buf_cstr(&word));
	}
}

/* Of the user's options of the build, those that concern how models are made. */
static void push_options(const struct publication *w, bool runs, struct strv *command)
{
	static const struct {
		const char *name;
		bool has_value, of_runs;
	} kept[] = {
		{ "--threads", true, false },
		{ "--full-refresh", false, true },
		{ "-f", false, true },
		{ "--event-time-start", true, true },
		{ "--event-time-end", true, true },
		{ "--warn-error", false, false },
		{ "--warn-error-options", true, false },
	};
	const struct strv *options = w->in->build_options;

	for (size_t i = 0; i < options->n; i++)
		for (size_t k = 0; k < ARRAY_LEN(kept); k++) {
			size_t len = strlen(kept[k].name);

			if ((kept[k].of_runs && !runs) ||
			    strncmp(options->v[i], kept[k].name, len) != 0 ||
			    !strchr("=", options->v[i][len]))
				continue;
			strv_push(command, options->v[i]);
			if (kept[k].has_value && !options->v[i][len] && i + 1 < options->n)
				strv_push(command, options->v[++i]);
			break;
		}
	if (w->in->options)
		strv_push_all(command, w->in->options);
	runner_push_log_options(command);
}

static void push_command(const struct publication *w, const char *verb, const char *folder,
			 struct strv *command)
{
	const char *to = config_text(w->in->config, OPTION_TO);
	char *name CLEANUP(mem_free_string) = config_side_name(w->in->config, OPTION_TO);

	strv_push(command, verb);
	strv_push(command, "--target");
	strv_push(command, to);
	strv_push(command, "--target-path");
	strv_pushf(command, "target/airlock/%s/%s", folder, name);
	strv_push(command, "--write-json");
	strv_push(command, "--no-defer");
	push_scope(w, command);
	if (strcmp(verb, "test") == 0)
		audit_push_excluded(w->in->config, w->in->routes, NULL, command);
}

static void plan_verify(struct publication *w)
{
	struct step *step;

	if (config_is(w->in->config, OPTION_VERIFY, "none"))
		return;
	if (config_is(w->in->config, OPTION_VERIFY, "counts")) {
		step = plan_add_step(w->plan, "verify", "publish", STEP_CHECK,
				     "production has as many rows as what was audited");
	} else {
		step = plan_add_step(w->plan, "verify", "publish", STEP_DBT,
				     "the tests of the scope run once more, on production");
		push_command(w, "test", "verify", &step->command);
		strv_push(&step->command, "--indirect-selection");
		strv_push(&step->command, "eager");
		push_options(w, false, &step->command);
	}
	step->idempotent = true;
	step->undo = "nothing";
}

static int push_given_back(struct publication *w, struct strv *statements, struct err *err)
{
	if (w->in->dialect->give_back)
		return w->in->dialect->give_back(w->in->dialect, &w->set, statements, err);
	return state_push_grants_back(&w->state, NULL, statements, err);
}

/* Also where the rebuild failed on its way. */
static int plan_grants(struct publication *w, struct err *err)
{
	struct strv statements CLEANUP(strv_release) = STRV_INIT;
	struct step *step;

	if (push_given_back(w, &statements, err) < 0)
		return -1;
	if (statements.n == 0)
		return 0;
	step = w->in->dialect->give_back
		       ? plan_add_step(w->plan, "grants", "publish", STEP_OPERATION,
				       "what dbt made anew gets back what it had and the project "
				       "does not say, and its permissions are compared")
		       : plan_add_step(w->plan, "grants", "publish", STEP_TRANSACTION,
				       "owners and privileges as they were before: what dbt made "
				       "anew gets them back, no more and no fewer");
	step->changes_production = true;
	step->idempotent = true;
	step->undo = "nothing";
	if (state_push_phase(&w->state, "publish", &step->sql, err) < 0)
		return -1;
	strv_push_all(&step->sql, &statements);
	return 0;
}

int publication_plan_rebuild(struct publication *w, struct err *err)
{
	struct step *step = plan_add_step(w->plan, "rebuild", "publish", STEP_DBT,
					  "production changes here: dbt builds the scope again");

	step->changes_production = true;
	step->idempotent = true;
	step->undo = "airlock rollback: what was there before is in " STATE_RESTORE_SCHEMA;
	if (!config_bool(w->in->config, OPTION_RESTORE_POINT)) {
		step->undo = "nothing: no restore point is kept";
		strv_push(&w->plan->warnings,
			  "no restore point is kept: what dbt has begun to make "
			  "anew in production cannot be put back");
	}
	push_command(w, "run", "rebuild", &step->command);
	push_options(w, true, &step->command);
	if (plan_grants(w, err) < 0)
		return -1;
	plan_verify(w);
	return 0;
}
