/*
 * Permissions of a table or a view itself. What a replace may lose is given again, one statement
 * for each role, and compared behind it.
 */
#include <string.h>

#include "publish_bigquery.h"

/* A role, and all whom it is given to: each is a change of the table's metadata. */
static int push_role(const struct push *p, const struct publish_table *t, const char *role,
		     const struct buf *whom)
{
	const struct sql_arg args[] = {
		SQL_ARG_IDENT("role", role),
		SQL_ARG_RELATION("to", t->to),
		SQL_ARG_STATEMENT("whom", buf_cstr(whom)),
	};

	if (strpbrk(role, p->dialect->never_in_names))
		return err_set(p->err, ERR_CONFIG_INVALID, "'%s' is no role (grants of '%s')", role,
			       t->to->identifier);
	return dialect_push_text(p->statements, p->dialect,
				 t->view || t->is_view
					 ? "grant {role:ident} on view {to} to {whom:statement}"
					 : "grant {role:ident} on table {to} to {whom:statement}",
				 args, ARRAY_LEN(args), p->err);
}

/* `grants:` of the node, as dbt gives them, else what was given to the table that is replaced; of
 * a rollback that could not read that, what the history has. */
static void wanted_privileges(const struct publish_table *t, bool with_others, struct strv *lines)
{
	const char *before = t->to_table ? t->to_table->privileges : NULL;

	if (!before && t->is_exact && t->way == PUBLISH_EXCHANGE)
		before = t->from_table->privileges;
	for (size_t i = 0; i < t->grant_count; i++)
		strv_pushf(lines, "%s %s", t->grants[2 * i], t->grants[2 * i + 1]);
	if (before && *before && (with_others || !t->sets_grants))
		strv_split(lines, before, "\n");
	strv_sort(lines);
	strv_dedup(lines);
}

int bigquery_push_grants(const struct push *p, const struct publish_table *t)
{
	struct strv lines CLEANUP(strv_release) = STRV_INIT;
	struct buf whom CLEANUP(buf_release) = BUF_INIT;

	wanted_privileges(t, false, &lines);
	for (size_t i = 0; i < lines.n; i++) {
		size_t len = strcspn(lines.v[i], " ");
		const struct sql_arg arg = SQL_ARG_LITERAL("whom", lines.v[i] + len + 1);
		char *role CLEANUP(mem_free_string) = mem_strndup(lines.v[i], len);
		bool ends = i + 1 == lines.n || strncmp(lines.v[i], lines.v[i + 1], len + 1) != 0;

		if (whom.len > 0)
			buf_add_str(&whom, ", ");
		if (sql_render(&whom, p->dialect, "{whom:literal}", &arg, 1, p->err) < 0 ||
		    (ends && push_role(p, t, role, &whom) < 0))
			return -1;
		if (ends)
			buf_clear(&whom);
	}
	return 0;
}

/* Who could read before can read after, and nobody more than that and `grants:` says. */
int bigquery_push_privileges_check(const struct push *p, const struct publish_table *t)
{
	struct strv lines CLEANUP(strv_release) = STRV_INIT;
	char *region CLEANUP(mem_free_string) = DIALECT_REGION_OF(t->to);
	char *display CLEANUP(mem_free_string) = relation_display(t->to);

	if (!t->to_table || !t->to_table->privileges || t->way == PUBLISH_REMOVE ||
	    t->way == PUBLISH_KEEP)
		return 0;
	/* dbt takes away what `grants:` does not say. */
	wanted_privileges(t, t->way != PUBLISH_REBUILD, &lines);
	char *wanted CLEANUP(mem_free_string) = strv_join(&lines, "\n");
	char *message CLEANUP(mem_free_string) =
		mem_printf("the permissions of %s are not those that it had: ", display);
	const struct sql_arg args[] = {
		SQL_ARG_LITERAL("in_schema", t->to->schema),
		SQL_ARG_LITERAL("identifier", t->to->identifier),
		SQL_ARG_IDENT("project", t->to->database),
		SQL_ARG_IDENT("region", region),
		SQL_ARG_LITERAL("wanted", wanted),
		SQL_ARG_LITERAL("message", message),
	};

	return dialect_push_text(p->statements, p->dialect,
				 "declare located string; set located = " BIGQUERY_PRIVILEGES "; "
				 "select if(located = {wanted:literal}, 1, "
				 "error('" DIALECT_RAISED_COUNT
				 " ' || {message:literal} || located))",
				 args, ARRAY_LEN(args), p->err);
}
