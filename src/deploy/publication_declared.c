/* Row access policies and authorized views: no statement reads them, and a replace loses them. The
 * project says which nodes have some, or nobody knows. */
#include <string.h>

#include "airlock/deploy/publication.h"

static const struct {
	enum option_id option;
	const char *what;
} declared[] = {
	{ OPTION_ROW_ACCESS_POLICIES, "row access policies" },
	{ OPTION_AUTHORIZED_VIEWS, "authorized views" },
};

static bool is_node(const struct routes *routes, const char *name)
{
	for (size_t i = 0; i < routes->n; i++)
		if (strcmp(routes->items[i].node->name, name) == 0 ||
		    strcmp(routes->items[i].node->unique_id, name) == 0)
			return true;
	return false;
}

static int check_names(const struct publication *w, enum option_id option, struct err *err)
{
	const struct strv *names = config_list(w->in->config, option);
	const char *key = option_row(option)->key;

	for (size_t i = 0; i < names->n; i++) {
		if (strcmp(names->v[i], "none") == 0) {
			if (names->n > 1)
				return err_set(err, ERR_CONFIG_INVALID,
					       "'%s' says 'none', and other names beside it", key);
			continue;
		}
		/* Of a rollback there are no other nodes than those of what it takes back. */
		if (w->in->rolled_back || is_node(w->in->routes, names->v[i]))
			continue;
		err_set(err, ERR_CONFIG_INVALID, "'%s' names '%s', which no node is", key,
			names->v[i]);
		return err_hint(err, "name nodes as dbt does, or say 'none'");
	}
	return 0;
}

int publication_check_declared(const struct publication *w, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(declared); i++) {
		if (!config_is_set(w->in->config, declared[i].option))
			continue;
		if (!w->in->dialect->hides_policies)
			return err_set(err, ERR_CONFIG_INVALID,
				       "'%s' is for BigQuery, and this is %s",
				       option_row(declared[i].option)->key, w->in->dialect->title);
		if (check_names(w, declared[i].option, err) < 0)
			return -1;
	}
	return 0;
}

static bool is_undeclared(const struct publication *w, size_t i)
{
	return w->in->dialect->hides_policies && !config_is_set(w->in->config, declared[i].option);
}

void publication_warn_undeclared(struct publication *w)
{
	for (size_t i = 0; i < ARRAY_LEN(declared); i++)
		if (is_undeclared(w, i))
			strv_pushf(&w->plan->warnings,
				   "%s are not checked: no statement reads them; say which nodes "
				   "have some, or 'none', in '%s'",
				   declared[i].what, option_row(declared[i].option)->key);
}

json_t *publication_not_checked(const struct publication *w)
{
	json_t *list = NULL;

	for (size_t i = 0; i < ARRAY_LEN(declared); i++) {
		if (!is_undeclared(w, i))
			continue;
		if (!list)
			list = json_array();
		json_array_append_new(list, json_string(declared[i].what));
	}
	return list;
}

static int refuse(const struct publish_table *t, enum option_id option, const char *why,
		  struct err *err)
{
	char *name CLEANUP(mem_free_string) = relation_display(t->to);
	const char *key = option_row(option)->key;

	err_set(err, ERR_UNSUPPORTED, "'%s' cannot be published: %s ('%s')", name, why, key);
	return err_hint(err,
			"leave it out with --exclude and let it be written in place; or take them "
			"away, and the node out of '%s'",
			key);
}

int publication_refuse_declared(struct publication *w, const struct publish_table *t,
				const struct manifest_node *node, struct err *err)
{
	bool is_view = t->to_table && table_is_view(t->to_table);

	if (t->way == PUBLISH_KEEP || t->way == PUBLISH_REMOVE ||
	    (w->in->rolled_back && config_bool(w->in->config, OPTION_FORCE)))
		return 0;
	if (is_view && manifest_is_named(node, config_list(w->in->config, OPTION_AUTHORIZED_VIEWS)))
		return refuse(t, OPTION_AUTHORIZED_VIEWS,
			      "it is an authorized view, and another text in its place would show "
			      "its readers something else, or nothing",
			      err);
	if (is_view ||
	    !manifest_is_named(node, config_list(w->in->config, OPTION_ROW_ACCESS_POLICIES)))
		return 0;
	if (t->to_table)
		return refuse(t, OPTION_ROW_ACCESS_POLICIES,
			      "it has row access policies, and what takes its place has none: its "
			      "readers would see every row",
			      err);
	char *name CLEANUP(mem_free_string) = relation_display(t->to);

	strv_pushf(&w->plan->warnings,
		   "'%s' is new to production, and has none of the row access policies that "
		   "'%s' speaks of",
		   name, option_row(OPTION_ROW_ACCESS_POLICIES)->key);
	return 0;
}
