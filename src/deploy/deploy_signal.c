/* What is said of a signal: what it does, what state things are in, and what to do next. */
#include <signal.h>
#include <string.h>

#include "airlock/base/host.h"
#include "airlock/base/proc.h"
#include "deploy_parts.h"

static const char *production(const struct deploy *deploy)
{
	if (deploy->result.production_changed)
		return "production was changed";
	if (deploy->executor.step && deploy->executor.step->changes_production)
		return "production is being changed, all of it or nothing";
	return "production was not changed";
}

static const char *phase(const struct deploy *deploy)
{
	if (deploy->executor.step)
		return deploy->executor.step->phase;
	return deploy->holds_lock ? "finish" : "observe";
}

static const char *effect(const struct deploy *deploy, bool again)
{
	if (!deploy->executor.holds_signals && deploy->executor.step &&
	    deploy->executor.step->kind == STEP_HOOK)
		return again ? "the hook is killed" : "the hook was asked to end";
	if (!deploy->executor.holds_signals)
		return again ? "dbt is killed" : "dbt was asked to end";
	return again ? "still held until the warehouse has answered"
		     : "held until the warehouse has answered";
}

static const char *next(const struct deploy *deploy)
{
	if (deploy->executor.holds_signals)
		return "wait for it; if it never answers, kill -9 this process and deploy again: "
		       "the record in the warehouse says whether it was published";
	return "nothing has to be cleared away: run it again when you want to";
}

static void on_signal(void *context, int number, unsigned count)
{
	struct deploy *deploy = context;
	struct reporter *reporter = deploy->request.reporter;
	bool again = count > 1;
	char *text CLEANUP(mem_free_string) =
		mem_printf("%s%s in phase '%s': %s; %s%s%s", host_signal_name(number),
			   again ? " again" : "", phase(deploy), effect(deploy, again),
			   production(deploy), again ? "\n" : "", again ? next(deploy) : "");

	reporter->note(reporter, text);
}

void deploy_watch_signals(struct deploy *deploy)
{
	proc_watch_signals(on_signal, deploy);
}
