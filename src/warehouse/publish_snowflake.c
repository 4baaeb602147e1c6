/*
 * Publishing on Snowflake: statement by statement, since DDL commits by itself. What is published
 * is frozen first as clones of our own, so that a statement which the service still has when its
 * client is gone reads what was tested, or nothing once they are dropped. Nothing is changed before
 * every restore point is there. All of it can be done again from its beginning: what is there
 * already stays, and a table that holds what was frozen counts as unchanged.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "airlock/warehouse/marker.h"
#include "assigned_snowflake.h"

#define RAISE_UNLESS SNOWFLAKE_RAISE_UNLESS
#define TABLE_IS SNOWFLAKE_TABLE_IS
#define VIEW_IS SNOWFLAKE_VIEW_IS

#define NOTHING_IS                                                                                 \
	"(select count(*) from {catalog:ident}.information_schema.tables t "                       \
	"where t.table_schema = {schema:literal} and t.table_name = {identifier:literal}) = 0"

#define HOLDS_THE_STAGE                                                                            \
	"(select count(*)::varchar || '/' || hash_agg(*)::varchar from {to}) "                     \
	"= (select count(*)::varchar || '/' || hash_agg(*)::varchar from {stage})"

#define COUNTS_THE_STAGE "(select count(*) from {stage}) = (select count(*) from {to})"

/* "002003 (42S02): .."; the class 08 is the connector's own, of a connection that was lost. */
bool snowflake_is_answer(const char *message)
{
	static const char letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

	for (const char *p = strchr(message, '('); p; p = strchr(p + 1, '('))
		if (strspn(p + 1, letters) == 5 && p[6] == ')' && p[7] == ':' &&
		    strncmp(p + 1, "08", 2) != 0)
			return true;
	return false;
}

/* --- which way --- */

int snowflake_check_transience(const struct publish_table *table, const char *what, struct err *err)
{
	const struct table *from = table->from_table;

	if (table->view || !from || !table->to_table || table_is_view(table->to_table) ||
	    !from->is_transient || table->to_table->is_transient)
		return 0;
	return publish_refuse(
		table, what,
		"say 'transient: false' for the model, or drop the table in production once", err);
}

/* No clause keeps it: who owned it could neither read it nor deploy it again. The way back is not
 * barred. */
static int check_owner(const struct publish_table *table, struct err *err)
{
	const struct table *to = table->to_table;

	if (!to || !to->owned_by_another || !table->runs || table->is_exact)
		return 0;
	char *why CLEANUP(mem_free_string) =
		mem_printf("it belongs to '%s' in production, and what replaces it would belong "
			   "to the role of this target",
			   to->owner ? to->owner : "");

	return publish_refuse(
		table, why,
		"publish as that role, or give it to this one ('grant ownership on .. "
		"to role .. copy current grants')",
		err);
}

static int check_staging(const struct publish_table *table, struct err *err)
{
	const struct table *from = table->from_table;

	if (check_owner(table, err) < 0)
		return -1;
	if (!table->decided || !from)
		return snowflake_check_assigned(table, err);
	if (from->refuse_count > 0) {
		char *what CLEANUP(mem_free_string) =
			publish_list(from->refuses, from->refuse_count);
		char *why CLEANUP(mem_free_string) = mem_printf("in staging %s", what);

		return publish_refuse(table, why, "take the node out of the scope with --exclude",
				      err);
	}
	if (snowflake_check_assigned(table, err) < 0)
		return -1;
	return snowflake_check_transience(
		table,
		"it is permanent in production and transient in staging, and a transient "
		"table cannot be cloned to a permanent one",
		err);
}

/* --- statements --- */

/* In front of the word `table`; not known before staging is built. */
static struct sql_arg transience(const char *name, const struct table *table, bool decided)
{
	return (struct sql_arg) {
		.name = name,
		.kind = SQL_STATEMENT,
		.text = table && table->is_transient ? "transient " : "",
		.undecided = decided ? NULL : "transient, if it is in staging",
	};
}

/* What the table says of itself behind its clone; that of a restore point is not production's. */
static const char *comment_of(const struct publish_table *t)
{
	const struct table *table = t->is_exact ? t->from_table : t->to_table;

	return table && table->comment ? table->comment : "";
}

int snowflake_push(const struct push *p, const struct publish_table *t, const char *text)
{
	char *marker CLEANUP(mem_free_string) = marker_restore(NULL, t->number, t->to);
	/* What is there decides; what is new is as it was made in staging. */
	const struct table *kind = t->to_table ? t->to_table : t->from_table;
	const struct sql_arg args[] = {
		SQL_ARG_RELATION("to", t->to),
		SQL_ARG_RELATION("from", t->from ? t->from : t->to),
		SQL_ARG_RELATION("stage", &t->stage),
		SQL_ARG_RELATION("restore", &t->restore),
		SQL_ARG_LITERAL("marker", marker),
		SQL_ARG_QUERY("query", t->view ? t->view : ""),
		transience("transient", kind, t->decided || t->to_table),
		transience("from_transient", t->from_table, t->decided || t->is_copy),
		SQL_ARG_LITERAL("comment", comment_of(t)),
	};

	return dialect_push_text(p->statements, p->dialect, text, args, ARRAY_LEN(args), p->err);
}

/* What replaces a table is a clone of this, policies and tags included, in one statement. */
static int push_frozen(const struct push *p, const struct publish_table *t)
{
	return snowflake_check_assigned(t, p->err) < 0 ? -1
						       : snowflake_push_assigned(p, t, &t->stage);
}

static int push_restore(const struct push *p, const struct publish_table *t)
{
	if (snowflake_push(p, t,
			   "create {transient:statement}table if not exists {restore} clone {to}") <
	    0)
		return -1;
	return snowflake_push(p, t, "comment on table {restore} is {marker:literal}");
}

static bool is_privilege(const char *word)
{
	static const char *const privileges[] = { "select",    "insert",       "update",  "delete",
						  "truncate",  "references",   "rebuild", "all",
						  "ownership", "evolve schema" };

	for (size_t i = 0; i < ARRAY_LEN(privileges); i++)
		if (strcasecmp(privileges[i], word) == 0)
			return true;
	return false;
}

/* dbt writes a role as it stands in the configuration: a plain name is stored in capitals. */
static char *role_name(const char *written)
{
	size_t len = strlen(written);
	char *name = mem_strdup(written);

	if (len > 1 && written[0] == '"' && written[len - 1] == '"') {
		memmove(name, name + 1, len - 2);
		name[len - 2] = '\0';
		return name;
	}
	for (char *p = name; *p; p++)
		*p = (char)toupper((unsigned char)*p);
	return name;
}

static int push_grant(const struct push *p, const struct publish_table *t, const char *privilege,
		      const char *grantee)
{
	char *role CLEANUP(mem_free_string) = role_name(grantee);
	const struct sql_arg args[] = {
		SQL_ARG_STATEMENT("privilege", privilege),
		SQL_ARG_RELATION("to", t->to),
		SQL_ARG_IDENT("role", role),
	};

	if (!is_privilege(privilege))
		return err_set(p->err, ERR_CONFIG_INVALID,
			       "'%s' is no privilege of a table (grants of '%s')", privilege,
			       t->to->identifier);
	return dialect_push_text(p->statements, p->dialect,
				 t->view ? "grant {privilege:statement} on view {to} to role {role}"
					 : "grant {privilege:statement} on table {to} to role "
					   "{role}",
				 args, ARRAY_LEN(args), p->err);
}

/* `grants:` of the node, as dbt gives them; what was granted by hand stays. */
static int push_grants(const struct push *p, const struct publish_table *t)
{
	for (size_t i = 0; i < t->grant_count; i++)
		if (push_grant(p, t, t->grants[2 * i], t->grants[2 * i + 1]) < 0)
			return -1;
	return 0;
}

/* A clone brings the comment of what it is a clone of; without one production's stays. Of a
 * restore point it is the marker, and a view that is made anew has none. */
static int push_comment(const struct push *p, const struct publish_table *t)
{
	if (!t->decided || !t->from_table)
		return 0;
	if (!t->is_marked &&
	    (!t->is_exact ? t->from_table->comment || !*comment_of(t) : t->view && !*comment_of(t)))
		return 0;
	return snowflake_push(p, t,
			      t->view ? "comment on view {to} is {comment:literal}"
				      : "comment on table {to} is {comment:literal}");
}

/* What is or was a clone is not clustered by the service any more. */
static int push_clustering(const struct push *p, const struct publish_table *t)
{
	bool resumes = t->decided && !t->view && t->to_table && t->to_table->clusters &&
		       t->from_table && t->from_table->layout;

	return resumes ? snowflake_push(p, t, "alter table {to} resume recluster") : 0;
}

int snowflake_push_kept(const struct push *p, const struct publish_table *t)
{
	if (push_grants(p, t) < 0 || push_comment(p, t) < 0)
		return -1;
	return push_clustering(p, t);
}

/* What somebody wrote behind its restore point would be nowhere: it is looked at once more. */
static int push_table(const struct push *p, const struct publish_table *t)
{
	if (one_by_one_check_held(p, t) < 0)
		return -1;
	if (t->way == PUBLISH_REMOVE)
		return one_by_one_remove(p, t);
	if (snowflake_push(p, t,
			   t->to_table ? "create or replace {transient:statement}table {to} "
					 "clone {stage} copy grants"
			   : p->set->is_resumed
				   ? "create {transient:statement}table if not exists {to} "
				     "clone {stage}"
				   : "create {transient:statement}table {to} clone {stage}") < 0)
		return -1;
	return snowflake_push_kept(p, t);
}

/* A text of the catalog's says `copy grants` itself where it has a list of columns. */
static int push_view(const struct push *p, const struct publish_table *t)
{
	bool has_columns = strncasecmp(t->view, "as", 2) != 0;

	if (snowflake_push(p, t,
			   !t->to_table && !p->set->is_resumed ? "create view {to} {query:query}"
			   : has_columns
				   ? "create or replace view {to} {query:query}"
				   : "create or replace view {to} copy grants {query:query}") < 0)
		return -1;
	return snowflake_push_kept(p, t);
}

static const struct one_by_one how = {
	ONE_BY_ONE_CHECKS,
	.own_view = " or contains(v.view_definition, {view:literal})",
	.view_reason = "the view gets its new text and keeps its grants",
	.table_reason =
		"replaced by a clone of the tested table, with the grants, policies and tags "
		"that it had",
	.check = check_staging,
	.push = snowflake_push,
	.freeze = "create {from_transient:statement}table if not exists {stage} clone {from}",
	.frozen = push_frozen,
	.restore = push_restore,
	.table = push_table,
	.view = push_view,
};

int snowflake_choose_way(const struct publish_table *table, enum publish_way *ret_way,
			 const char **ret_reason, struct err *err)
{
	return one_by_one_choose_way(&how, table, ret_way, ret_reason, err);
}

int snowflake_publish(const struct dialect *dialect, const struct publish_set *set,
		      struct strv *statements, struct err *err)
{
	const struct push p = { statements, dialect, set, &how, err };

	return set->container_count > 0 ? snowflake_swap(&p) : one_by_one_publish(&p);
}

/* --- the other direction --- */

static int push_copy(const struct push *p, const struct publish_table *t)
{
	if (t->to_table && (table_is_view(t->to_table) || t->way == PUBLISH_REMOVE) &&
	    one_by_one_remove(p, t) < 0)
		return -1;
	if (t->way == PUBLISH_REMOVE)
		return 0;
	return snowflake_push(
		p, t, "create or replace {from_transient:statement}table {to} clone {from}");
}

int snowflake_copy(const struct dialect *dialect, const struct publish_set *set,
		   struct strv *statements, struct err *err)
{
	const struct push p = { statements, dialect, set, &how, err };

	for (size_t i = 0; i < set->n; i++)
		if (push_copy(&p, &set->tables[i]) < 0)
			return -1;
	return 0;
}
