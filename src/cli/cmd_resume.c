/* The two ways out of a deployment that did not come to its end. */
#include "command_internal.h"

static int run_resume(struct invocation *invocation, struct deploy *deploy, struct err *err)
{
	const struct deploy_result *result = NULL;

	deploy_resume(deploy, invocation->arguments->what, &result, err);
	return cmd_deploy_end(invocation, result, err);
}

static int run_abort(struct invocation *invocation, struct deploy *deploy, struct err *err)
{
	const struct deploy_result *result = NULL;

	deploy_abort(deploy, invocation->arguments->what, &result, err);
	return cmd_deploy_end(invocation, result, err);
}

int cmd_resume(struct invocation *invocation, struct err *err)
{
	return command_with_deploy(invocation, run_resume, err);
}

int cmd_abort(struct invocation *invocation, struct err *err)
{
	return command_with_deploy(invocation, run_abort, err);
}
