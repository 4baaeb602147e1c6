/* What production has of earlier deployments and the project no longer makes: asked for in the
 * operation that takes the first picture. Only where some of it is to go is another picture taken,
 * with that in it. */
#include <stdlib.h>

#include "airlock/deploy/observe.h"
#include "airlock/deploy/orphan.h"
#include "airlock/format/json.h"
#include "deploy_parts.h"

bool deploy_asks_orphans(const struct deploy *deploy)
{
	return !deploy->rolled_back && !deploy->mirrors &&
	       orphans_are_asked(deploy->request.config, deploy->sides.dialect);
}

int deploy_push_published(const struct deploy *deploy, const struct state *state,
			  struct strv *queries, struct err *err)
{
	size_t n;
	struct relation *known = orphans_known(&deploy->routes, &n);
	const struct sql_arg args[] = {
		SQL_ARG_RELATION("log", &state->log),
		SQL_ARG_NAMES("names", known, n),
	};
	int result = dialect_push(queries, deploy->sides.dialect, DIALECT_OBSERVE_PUBLISHED, args,
				  ARRAY_LEN(args), err);

	free(known);
	return result;
}

int deploy_find_orphans(struct deploy *deploy, const json_t *published, struct err *err)
{
	struct strv queries CLEANUP(strv_release) = STRV_INIT;
	struct ops_reply reply CLEANUP(ops_reply_release) = { 0 };
	struct observed observed = { 0 };
	json_t **rows;

	orphans_find(deploy->request.config, deploy->sides.project.name,
		     deploy->sides.from_manifest, deploy->sides.to_manifest, published,
		     &deploy->routes);
	if (!deploy->routes.drops_orphans)
		return 0;
	if (observe_push_queries(&deploy->routes, NULL, OBSERVE_NO_ROWS, &queries, err) < 0 ||
	    deploy_look(deploy, &queries, &reply, &rows, err) < 0)
		return -1;
	json_t *picture CLEANUP(js_free) = observe_collect(rows, queries.n, false, err);

	if (picture && js_get_array(deploy->observed.json, "restores"))
		json_object_set(picture, "restores",
				js_get_array(deploy->observed.json, "restores"));
	if (deploy_picture(deploy, picture, &observed, err) < 0)
		return -1;
	observed_release(&deploy->observed);
	deploy->observed = observed;
	return 0;
}
