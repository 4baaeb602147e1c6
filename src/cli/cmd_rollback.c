#include "command_internal.h"

static int run(struct invocation *invocation, struct deploy *deploy, struct err *err)
{
	const struct deploy_result *result = NULL;

	deploy_rollback(deploy, invocation->arguments->what, &result, err);
	return cmd_deploy_end(invocation, result, err);
}

int cmd_rollback(struct invocation *invocation, struct err *err)
{
	return command_with_deploy(invocation, run, err);
}
