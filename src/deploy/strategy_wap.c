/*
 * wap, write-audit-publish: everything is built and tested in an audit target whose upper layer
 * is routed aside, and shares the layers below with production; then the scope is published.
 */
#include "airlock/deploy/strategy_rows.h"

static int wap_plan(const struct strategy_input *input, struct plan *plan, struct err *err)
{
	if (config_rebuilds(input->config)) {
		err_set(err, ERR_UNSUPPORTED, "'publish_by: rebuild' is not in this version");
		return err_hint(err, "say --publish-by copy: the audited tables are published "
				     "themselves");
	}
	return strategy_wac.plan(input, plan, err);
}

const struct strategy strategy_wap = {
	.name = "wap",
	.summary = "write-audit-publish: build and test beside production, then publish the scope",
	.publishes_alone = true,
	.plan = wap_plan,
};
