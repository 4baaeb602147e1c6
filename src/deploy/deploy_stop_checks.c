/*
 * Before an abort puts a table back: what has it changed since the publish began? What holds what
 * was to be published is the publish's own; anything else is somebody's work, and not lost without
 * a word. It is asked as long as what was to be published is there (deploy_stop.c drops it).
 */
#include <string.h>

#include "airlock/deploy/observe.h"
#include "airlock/format/json.h"
#include "airlock/warehouse/marker.h"
#include "deploy_parts.h"

/* Not known: what was to be published is gone, as behind an abort that died. */
enum whose { WHOSE_UNKNOWN, WHOSE_OURS, WHOSE_OTHERS };

struct judgement {
	struct observed before;
	struct observed now;
	struct strv queries; /* the rows of both, for each of `asked` */
	json_t *asked;       /* the intended whose rows are to be compared */
	size_t ours, unknown, others;
	const char *first; /* of others, by name */
};

static void judgement_release(struct judgement *j)
{
	observed_release(&j->before);
	observed_release(&j->now);
	strv_release(&j->queries);
	json_decref(j->asked);
}

static void count(struct judgement *j, enum whose whose, const json_t *intended)
{
	if (whose == WHOSE_OURS)
		j->ours++;
	else if (whose == WHOSE_UNKNOWN)
		j->unknown++;
	else if (j->others++ == 0)
		j->first = js_get_string(intended, "to");
}

static bool is_way(const json_t *intended, enum publish_way way)
{
	return js_text_is(intended, "way", publish_way_name(way));
}

/* A service may keep more of a text than a view was given, or less. */
static bool says_the_same(const char *catalog, const char *given)
{
	if (strncmp(catalog, "as ", strlen("as ")) == 0)
		catalog += strlen("as ");
	return strstr(given, catalog) || strstr(catalog, given);
}

static enum whose whose_view(const json_t *intended, const struct table *now)
{
	const char *given = js_get_string(intended, "view");

	if (!table_is_view(now) || !now->definition)
		return WHOSE_OTHERS;
	return says_the_same(now->definition, given) ? WHOSE_OURS : WHOSE_OTHERS;
}

/* As far as the catalog says it; *ret_asks: the rows do. */
static enum whose whose(const json_t *intended, const struct table *stage, const struct table *now,
			bool *ret_asks)
{
	if (!now)
		return is_way(intended, PUBLISH_REMOVE) || is_way(intended, PUBLISH_EXCHANGE)
			       ? WHOSE_OURS
			       : WHOSE_UNKNOWN;
	if (is_way(intended, PUBLISH_REMOVE))
		return WHOSE_OTHERS;
	if (js_get_string(intended, "view"))
		return whose_view(intended, now);
	if (table_is_view(now))
		return WHOSE_OTHERS;
	*ret_asks = stage != NULL;
	return WHOSE_UNKNOWN;
}

static int judge(struct deploy *deploy, struct judgement *j, size_t i, const json_t *intended,
		 struct err *err)
{
	const struct dialect *dialect = deploy->sides.dialect;
	const struct route *route = &deploy->routes.items[i];
	const struct table *now = observed_table(&j->now, dialect, &route->to);
	bool asks = false;

	if (deploy_is_same(observed_table(&j->before, dialect, &route->to), now))
		return 0;
	enum whose found =
		whose(intended, observed_table(&j->now, dialect, &route->from), now, &asks);

	if (!asks) {
		count(j, found, intended);
		return 0;
	}
	json_array_append(j->asked, (json_t *)(uintptr_t)intended);
	if (observe_push_rows(&deploy->routes, &route->from, true, &j->queries, err) < 0)
		return -1;
	return observe_push_rows(&deploy->routes, &route->to, true, &j->queries, err);
}

static bool has_equal(const json_t *a, const json_t *b, const char *key)
{
	return json_equal(json_object_get(a, key), json_object_get(b, key));
}

static int compare_rows(struct deploy *deploy, struct judgement *j, json_t *compared,
			struct err *err)
{
	struct ops_reply reply CLEANUP(ops_reply_release) = { 0 };

	if (j->queries.n == 0)
		return 0;
	if (executor_run_queries(&deploy->executor, &j->queries, &reply, err) < 0)
		return -1;
	for (size_t i = 0; i < json_array_size(j->asked); i++) {
		const json_t *stage = json_array_get(reply.rows[2 * i], 0);
		json_t *to = json_array_get(reply.rows[2 * i + 1], 0);
		bool same = stage && to && has_equal(stage, to, "rows") &&
			    has_equal(stage, to, "content");

		count(j, same ? WHOSE_OURS : WHOSE_OTHERS, json_array_get(j->asked, i));
		if (same)
			json_array_append(compared, to);
	}
	return 0;
}

/* All restore points come before the first change. */
static bool has_begun(const struct deploy *deploy, const struct judgement *j)
{
	const json_t *intended = js_get_array(deploy->resumed, "intended");
	size_t n = json_array_size(intended);
	size_t planned = 0;

	for (size_t i = 0; i < n; i++) {
		if (!json_object_get(json_array_get(intended, i), "restore"))
			continue;
		planned++;
		if (observed_table(&j->now, deploy->sides.dialect,
				   &deploy->routes.items[n + i].from))
			return true;
	}
	return planned == 0 || j->ours + j->unknown > 0;
}

static int refuse(struct deploy *deploy, const struct judgement *j, struct err *err)
{
	deploy->result.production_changed = true;
	err_set(err, ERR_CONFLICT,
		"'%s' (production) was changed by somebody else: it is neither what it was nor "
		"what deployment '%s' was to make of it",
		j->first, deploy->id);
	return err_hint(err,
			"to lose that change all the same, say --force: what is replaced is kept "
			"in a restore point; 'airlock unlock %s' leaves production as it is",
			deploy->id);
}

int deploy_stop_check(struct deploy *deploy, json_t *compared, bool *ret_begun, struct err *err)
{
	const json_t *intended = js_get_array(deploy->resumed, "intended");
	struct judgement j CLEANUP(judgement_release) = { .asked = json_array() };

	if (observed_parse_before(intended, &j.before, err) < 0 ||
	    deploy_take_picture(deploy, &j.now, err) < 0)
		return -1;
	for (size_t i = 0; i < json_array_size(intended); i++)
		if (judge(deploy, &j, i, json_array_get(intended, i), err) < 0)
			return -1;
	if (compare_rows(deploy, &j, compared, err) < 0)
		return -1;
	*ret_begun = has_begun(deploy, &j);
	if (j.others == 0 || !*ret_begun || config_bool(deploy->request.config, OPTION_FORCE))
		return 0;
	return refuse(deploy, &j, err);
}

static const struct route *restore_of(const struct deploy *deploy, json_int_t number)
{
	size_t n = json_array_size(js_get_array(deploy->resumed, "intended"));

	return &deploy->routes.items[n + (size_t)number - 1];
}

int deploy_stop_check_restores(struct deploy *deploy, const json_t *tables,
			       const struct observed *now, struct err *err)
{
	for (size_t i = 0; i < json_array_size(tables); i++) {
		const json_t *table = json_array_get(tables, i);
		json_int_t number = js_get_integer(table, "restore", 0);

		if (number <= 0)
			continue;
		const struct route *route = restore_of(deploy, number);
		char *marker CLEANUP(mem_free_string) =
			marker_restore(deploy->id, (size_t)number, &route->to);
		const struct table *seen = observed_table(now, deploy->sides.dialect, &route->from);

		if (seen && seen->comment && strcmp(seen->comment, marker) == 0)
			continue;
		deploy->result.production_changed = true;
		err_set(err, ERR_NOT_RESUMABLE,
			"the restore point of '%s' is gone: production cannot be put back",
			js_get_string(table, "to"));
		return err_hint(err, "'airlock resume %s' publishes the rest", deploy->id);
	}
	return 0;
}
