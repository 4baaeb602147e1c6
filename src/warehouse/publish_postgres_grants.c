/* Who may do what with a table or view that a publish made on PostgreSQL: what the replaced one
 * had, and what the project says. */
#include <string.h>
#include <strings.h>

#include "airlock/format/json.h"
#include "publish_postgres.h"

/* Privileges of the replaced table and of its columns, no more and no fewer, whatever default
 * privileges gave. To revoke from a table takes away from its columns too, so what columns have is
 * granted in any case. */
#define GRANTS_BODY                                                                                \
	"do declare o constant oid := {old_name:literal}::regclass; "                              \
	"n constant oid := {new_name:literal}::regclass; r record; begin "                         \
	"for r in with acl as (select c.oid as relation, null::name as col, x.grantee, "           \
	"x.privilege_type, x.is_grantable from pg_class c, "                                       \
	"aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) x where c.oid in (o, n) "     \
	"union all select a.attrelid, a.attname, x.grantee, x.privilege_type, x.is_grantable "     \
	"from pg_attribute a, aclexplode(a.attacl) x "                                             \
	"where a.attrelid in (o, n) and not a.attisdropped), "                                     \
	"old as (select col, grantee, privilege_type, is_grantable from acl where relation = o "   \
	"and (col is null or exists (select 1 from pg_attribute a where a.attrelid = n "           \
	"and a.attname = col and not a.attisdropped))), "                                          \
	"new as (select col, grantee, privilege_type, is_grantable from acl where relation = n) "  \
	"select 1 as turn, 'revoke %s on table %s from %s' as command, e.* "                       \
	"from (select * from new except select * from old) e "                                     \
	"union all select 2, 'grant %s on table %s to %s' || case when e.is_grantable "            \
	"then ' with grant option' else '' end, e.* "                                              \
	"from (select * from old except select * from new "                                        \
	"union select * from old where col is not null) e order by turn loop "                     \
	"execute format(r.command, r.privilege_type || coalesce('(' || quote_ident(r.col) "        \
	"|| ')', ''), n::regclass, "                                                               \
	"case r.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(r.grantee)) end); "  \
	"end loop; end"

int postgres_push_of_two(struct strv *statements, const struct dialect *dialect, const char *body,
			 const struct relation *old, const struct relation *new, struct err *err)
{
	char *old_name CLEANUP(mem_free_string) = postgres_relation_text(dialect, old, err);
	char *new_name CLEANUP(mem_free_string) = postgres_relation_text(dialect, new, err);

	if (!old_name || !new_name)
		return -1;
	const struct sql_arg args[] = {
		SQL_ARG_LITERAL("old_name", old_name),
		SQL_ARG_LITERAL("new_name", new_name),
	};

	return dialect_push_text(statements, dialect, body, args, ARRAY_LEN(args), err);
}

int postgres_push_grants_of(struct strv *statements, const struct dialect *dialect,
			    const struct relation *old, const struct relation *new, struct err *err)
{
	return postgres_push_of_two(statements, dialect, GRANTS_BODY, old, new, err);
}

/* As dbt compares them: what the owner or this session gave to others, whatever privilege it is. To
 * grant "all" asks for each of them. */
#define OTHERS_BODY                                                                                \
	"do declare t constant oid := {name:literal}::regclass; r record; begin "                  \
	"for r in select x.privilege_type, case x.grantee when 0 then 'public' "                   \
	"else quote_ident(pg_get_userbyid(x.grantee)) end as grantee from pg_class c, "            \
	"aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) x where c.oid = t "           \
	"and x.grantor in (c.relowner, current_user::regrole) "                                    \
	"and x.grantee not in (c.relowner, current_user::regrole) "                                \
	"and not exists (select 1 from jsonb_array_elements({wanted:literal}::jsonb) w "           \
	"where lower(w ->> 0) in (lower(x.privilege_type), 'all', 'all privileges') "              \
	"and w ->> 1 = case x.grantee when 0 then 'public' "                                       \
	"else pg_get_userbyid(x.grantee) end) loop "                                               \
	"execute format('revoke %s on table %s from %s', r.privilege_type, t::regclass, "          \
	"r.grantee); end loop; end"

static bool is_privilege(const char *word)
{
	static const char *const privileges[] = {
		"select",     "insert",  "update",   "delete", "truncate",
		"references", "trigger", "maintain", "all",    "all privileges",
	};

	for (size_t i = 0; i < ARRAY_LEN(privileges); i++)
		if (strcasecmp(privileges[i], word) == 0)
			return true;
	return false;
}

/* dbt writes a grantee as it stands in the configuration: a plain name is folded by the server,
 * one in quotes is not. */
static char *grantee_name(const char *written)
{
	size_t len = strlen(written);
	char *name = mem_strdup(written);
	size_t n = 0;

	if (len > 1 && written[0] == '"' && written[len - 1] == '"') {
		for (size_t i = 1; i < len - 1; i++) {
			name[n++] = written[i];
			if (written[i] == '"' && written[i + 1] == '"' && i + 1 < len - 1)
				i++;
		}
		name[n] = '\0';
		return name;
	}
	return mem_lower(name);
}

/* What production has and the node does not name goes, as under dbt. */
static int push_revokes(struct strv *statements, const struct dialect *dialect,
			const struct publish_table *t, struct err *err)
{
	char *name CLEANUP(mem_free_string) = postgres_relation_text(dialect, t->to, err);
	json_t *wanted CLEANUP(js_free) = json_array();
	struct buf text CLEANUP(buf_release) = BUF_INIT;

	if (!name)
		return -1;
	for (size_t i = 0; i < t->grant_count; i++) {
		char *grantee CLEANUP(mem_free_string) = grantee_name(t->grants[2 * i + 1]);

		json_array_append_new(wanted, json_pack("[s, s]", t->grants[2 * i], grantee));
	}
	js_write_line(wanted, &text);
	while (text.len > 0 && text.data[text.len - 1] == '\n')
		text.data[--text.len] = '\0';
	const struct sql_arg args[] = {
		SQL_ARG_LITERAL("name", name),
		SQL_ARG_LITERAL("wanted", buf_cstr(&text)),
	};

	return dialect_push_text(statements, dialect, OTHERS_BODY, args, ARRAY_LEN(args), err);
}

/* `grants:` of the node. */
static int push_grants(struct strv *statements, const struct dialect *dialect,
		       const struct publish_table *t, struct err *err)
{
	for (size_t i = 0; i < t->grant_count; i++) {
		const char *privilege = t->grants[2 * i];
		char *grantee CLEANUP(mem_free_string) = grantee_name(t->grants[2 * i + 1]);
		const struct sql_arg args[] = {
			SQL_ARG_STATEMENT("privilege", privilege),
			SQL_ARG_RELATION("to", t->to),
			SQL_ARG_IDENT("grantee", grantee),
		};

		if (!is_privilege(privilege))
			return err_set(err, ERR_CONFIG_INVALID,
				       "'%s' is no privilege of a table (grants of '%s')",
				       privilege, t->to->identifier);
		if (dialect_push_text(statements, dialect,
				      strcmp(t->grants[2 * i + 1], "public") == 0
					      ? "grant {privilege:statement} on {to} to public"
					      : "grant {privilege:statement} on {to} to {grantee}",
				      args, ARRAY_LEN(args), err) < 0)
			return -1;
	}
	return 0;
}

int postgres_push_node_grants(struct strv *statements, const struct dialect *dialect,
			      const struct publish_set *set, struct err *err)
{
	for (size_t i = 0; i < set->n; i++)
		if (push_grants(statements, dialect, &set->tables[i], err) < 0 ||
		    (set->tables[i].sets_grants && set->tables[i].to_table &&
		     push_revokes(statements, dialect, &set->tables[i], err) < 0))
			return -1;
	return 0;
}
