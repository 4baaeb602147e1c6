/* Privileges that the session which publishes lacks, found before anything is built. */
#include <stdlib.h>
#include <string.h>

#include "airlock/deploy/publication.h"
#include "airlock/format/json.h"

static struct relation relation_of(const json_t *object)
{
	return (struct relation) { js_get_string(object, "database"),
				   js_get_string(object, "schema"),
				   js_get_string(object, "identifier") };
}

static void need(const json_t *object, const char *grant, struct strv *grants)
{
	const char *text = js_get_string(object, grant);

	if (text && !strv_contains(grants, text))
		strv_push(grants, text);
}

static void check_schemas(const struct publication *w, const struct publish_table *t,
			  struct strv *grants)
{
	const json_t *schemas = js_get_array(w->in->observed->json, "schemas");

	for (size_t i = 0; i < json_array_size(schemas); i++) {
		const json_t *object = json_array_get(schemas, i);
		const struct relation schema = relation_of(object);

		if (t->from && relation_same_schema(w->in->dialect, &schema, t->from))
			need(object, "grant_usage", grants);
		if (relation_same_schema(w->in->dialect, &schema, t->to))
			need(object, "grant_create", grants);
	}
}

static void check_staging(const struct publication *w, const struct publish_table *t,
			  struct strv *grants)
{
	const json_t *relations = js_get_array(w->in->observed->json, "relations");

	for (size_t i = 0; i < json_array_size(relations); i++) {
		const json_t *object = json_array_get(relations, i);
		const struct relation relation = relation_of(object);

		if (t->from && relation_equal(w->in->dialect, &relation, t->from))
			need(object, "grant_select", grants);
	}
}

int publication_check_privileges(const struct publication *w, struct err *err)
{
	struct strv grants CLEANUP(strv_release) = STRV_INIT;

	for (size_t i = 0; i < w->set.n; i++) {
		check_schemas(w, &w->set.tables[i], &grants);
		check_staging(w, &w->set.tables[i], &grants);
	}
	if (grants.n == 0)
		return 0;
	char *list CLEANUP(mem_free_string) = strv_join(&grants, "; ");

	err_set(err, ERR_PRIVILEGE_MISSING, "the user that publishes, '%s', may not do all of it",
		w->in->observed->user ? w->in->observed->user : "");
	return err_hint(err, "%s;", list);
}
