/* Privileges that the session which publishes lacks, found before anything is built. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "airlock/deploy/publication.h"
#include "airlock/format/json.h"

static struct relation relation_of(const json_t *object)
{
	return (struct relation) { js_get_string(object, "database"),
				   js_get_string(object, "schema"),
				   js_get_string(object, "identifier") };
}

static void add(const char *grant, struct strv *grants)
{
	if (grant && !strv_contains(grants, grant))
		strv_push(grants, grant);
}

static void need(const json_t *object, const char *grant, struct strv *grants)
{
	add(js_get_string(object, grant), grants);
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

/* What changes places with its name, and whatever is in it. */
static void check_containers(const struct publication *w, struct strv *grants)
{
	const json_t *containers = js_get_array(w->in->observed->json, "containers");

	for (size_t i = 0; w->set.container_count > 0 && i < json_array_size(containers); i++) {
		const json_t *list = js_get_array(json_array_get(containers, i), "grants");

		for (size_t k = 0; k < json_array_size(list); k++)
			add(json_string_value(json_array_get(list, k)), grants);
	}
}

int publication_lacks(const char *user, const char *grants, struct err *err)
{
	err_set(err, ERR_PRIVILEGE_MISSING, "the user that publishes, '%s', may not do all of it",
		user ? user : "");
	return err_hint(err, "%s;", grants);
}

int publication_check_privileges(const struct publication *w, struct err *err)
{
	struct strv grants CLEANUP(strv_release) = STRV_INIT;

	for (size_t i = 0; i < w->set.n; i++) {
		check_schemas(w, &w->set.tables[i], &grants);
		check_staging(w, &w->set.tables[i], &grants);
	}
	check_containers(w, &grants);
	if (grants.n == 0)
		return 0;
	char *list CLEANUP(mem_free_string) = strv_join(&grants, "; ");

	return publication_lacks(w->in->observed->user, list, err);
}

static bool names_readers(const struct publish_table *t)
{
	for (size_t i = 0; i < t->grant_count; i++)
		if (strcasecmp(t->grants[2 * i], "select") == 0 ||
		    strncasecmp(t->grants[2 * i], "all", strlen("all")) == 0)
			return true;
	return false;
}

/* NULL where the warehouse does not say. */
static const json_t *default_readers(const struct publication *w, const struct relation *relation)
{
	const json_t *schemas = js_get_array(w->in->observed->json, "schemas");

	for (size_t i = 0; i < json_array_size(schemas); i++) {
		const struct relation schema = relation_of(json_array_get(schemas, i));

		if (relation_same_schema(w->in->dialect, &schema, relation))
			return json_object_get(json_array_get(schemas, i), "default_readers");
	}
	return json_object_get(js_get_object(w->in->observed->json, "session"), "default_readers");
}

void publication_warn_unreadable(struct publication *w, const struct publish_table *t)
{
	char *name CLEANUP(mem_free_string) = relation_display(t->to);

	if (t->to_table || names_readers(t) || !json_is_false(default_readers(w, t->to)))
		return;
	strv_pushf(
		&w->plan->warnings,
		"'%s' is new to production, and nobody but '%s' will be able to read it: neither "
		"'grants:' of the node nor default privileges of its schema name anybody",
		name, w->in->observed->user ? w->in->observed->user : "its owner");
}

void publication_warn_unread(struct publication *w, const struct publish_table *t)
{
	char *name CLEANUP(mem_free_string) = relation_display(t->to);

	if (w->in->dialect->templates[DIALECT_OBSERVE_PRIVILEGES] && t->to_table &&
	    !t->to_table->privileges)
		strv_pushf(
			&w->plan->warnings,
			"the permissions that were given for '%s' itself cannot be read, and are "
			"not checked",
			name);
}
