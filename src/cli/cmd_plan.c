#include "command_internal.h"

static int run(struct invocation *invocation, struct deploy *deploy, struct err *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	const struct plan *plan;
	const struct routes *routes;

	if (command_need_name(invocation, err) < 0 || deploy_plan(deploy, &plan, &routes, err) < 0)
		return -1;
	plan_write_text(plan, routes, &text);
	return command_finish(invocation, &text, plan_json(plan, routes), err);
}

int cmd_plan(struct invocation *invocation, struct err *err)
{
	return command_with_deploy(invocation, run, err);
}
