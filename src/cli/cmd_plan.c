#include <string.h>

#include "airlock/format/json.h"
#include "command_internal.h"

static const char *meaning_of(const char *state)
{
	if (strcmp(state, "dead") == 0)
		return ", which is dead: a deployment takes it over";
	if (strcmp(state, "expired") == 0)
		return ", which was not heard of since: a deployment takes it over";
	return "";
}

static int run(struct invocation *invocation, struct deploy *deploy, struct err *err)
{
	CLEANUP(buf_release) struct buf text = BUF_INIT;
	const struct plan *plan;
	const struct routes *routes;

	if (command_need_name(invocation, err) < 0 || deploy_plan(deploy, &plan, &routes, err) < 0)
		return -1;
	json_t *document = plan_json(plan, routes);
	const json_t *locks = deploy_locks(deploy);

	plan_write_text(plan, routes, &text);
	for (size_t i = 0; i < json_array_size(locks); i++) {
		const json_t *lock = json_array_get(locks, i);

		buf_printf(&text, "note: '%s' is held by %s%s\n", js_get_string(lock, "container"),
			   js_get_string(lock, "holder"), meaning_of(js_get_string(lock, "state")));
	}
	json_object_set(document, "locks", (json_t *)(uintptr_t)locks);
	return command_finish(invocation, &text, document, err);
}

int cmd_plan(struct invocation *invocation, struct err *err)
{
	return command_with_deploy(invocation, run, err);
}
