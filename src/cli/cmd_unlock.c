#include "command_internal.h"

/* Whether the holder runs elsewhere cannot be seen from here: the user says so. */
static int confirm(const struct invocation *invocation, const struct deploy_unlock *unlock,
		   struct err *err)
{
	bool yes = config_bool(&invocation->arguments->config, OPTION_YES);
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	if (yes || unlock->n == 0 || (unlock->is_certain && !invocation->report->can_ask))
		return 0;
	if (!invocation->report->can_ask) {
		err_set(err, ERR_USAGE, "whether it still runs cannot be seen from here: %s",
			unlock->holder);
		return err_hint(err, "say --yes if it does not; if it does, it will not publish");
	}
	buf_printf(
		&text, "%s\n%s\n", unlock->holder,
		unlock->is_certain
			? "It is dead, or was not heard of for its whole lease."
			: "Whether it still runs cannot be seen from here; it will not publish.");
	if (report_ask(invocation->report, &text, "Release its lock?"))
		return 0;
	err_set(err, ERR_INTERRUPTED, "not confirmed");
	return err_hint(err, "answer yes, or give --yes");
}

static json_t *document(const char *id, const struct deploy_unlock *unlock)
{
	json_t *released = json_array();

	for (size_t i = 0; i < unlock->n; i++)
		json_array_append_new(released, report_string_json(unlock->containers[i]));
	return json_pack("{s:i, s:o, s:o, s:s?}", "version", 1, "id", report_string_json(id),
			 "released", released, "outcome", unlock->outcome);
}

static int run(struct invocation *invocation, struct deploy *deploy, struct err *err)
{
	const char *id = invocation->arguments->what;
	struct deploy_unlock unlock = { 0 };
	CLEANUP(buf_release) struct buf text = BUF_INIT;

	if (!id) {
		err_set(err, ERR_USAGE, "no deployment was named");
		return err_hint(err, "a held lock names it, and so does 'airlock plan'");
	}
	if (deploy_unlock_find(deploy, id, &unlock, err) < 0 ||
	    confirm(invocation, &unlock, err) < 0)
		return -1;
	if (unlock.n > 0 && deploy_unlock(deploy, id, &unlock, err) < 0)
		return -1;
	if (unlock.n == 0)
		buf_printf(&text, "deployment '%s' holds no lock\n", id);
	for (size_t i = 0; i < unlock.n; i++)
		buf_printf(&text, "released '%s'\n", unlock.containers[i]);
	if (unlock.n > 0)
		buf_printf(&text, "deployment '%s' is settled: %s\n", id, unlock.outcome);
	return command_finish(invocation, &text, document(id, &unlock), err);
}

int cmd_unlock(struct invocation *invocation, struct err *err)
{
	return command_with_deploy(invocation, run, err);
}
