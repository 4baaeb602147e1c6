/*
 * What the new side of an exchange on Snowflake gets from production before it: an exchange leaves
 * to each side its own privileges and settings. Who could read before can read after, and nobody
 * more.
 */
#include <stdlib.h>

#include "swap_snowflake.h"

#define KEEPS_TABLES "use production-rollback or wac, which keep the tables"

int snowflake_refuse_swap(const struct push *p, const struct relation *container, const char *what,
			  const char *hint)
{
	char *name CLEANUP(mem_free_string) = snowflake_is_database(container)
						      ? mem_strdup(container->database)
						      : relation_display(container);

	err_set(p->err, ERR_UNSUPPORTED, "'%s' cannot be exchanged: %s", name, what);
	return err_hint(p->err, "%s", hint);
}

/* --- privileges --- */

static bool is_on(const struct container_grant *grant, const char *kind)
{
	return strcmp(grant->on, kind) == 0;
}

/* A table of production may be a view in staging: their names are of one kind. */
static bool same_object(const struct container_grant *a, const struct container_grant *b)
{
	if (is_on(a, "database") || is_on(b, "database"))
		return is_on(a, "database") && is_on(b, "database");
	if (is_on(a, "schema") != is_on(b, "schema"))
		return false;
	/* Of two schemas that change places the names differ. */
	return is_on(a, "schema") || strcmp(a->name, b->name) == 0;
}

static bool same_grant(const struct container_grant *a, const struct container_grant *b,
		       bool in_database)
{
	return same_object(a, b) && (!in_database || strcmp(a->schema, b->schema) == 0) &&
	       strcmp(a->privilege, b->privilege) == 0 && strcmp(a->to, b->to) == 0 &&
	       strcmp(a->grantee, b->grantee) == 0 && a->with_option == b->with_option;
}

static bool has_grant(const struct container *container, const struct container_grant *grant)
{
	for (size_t i = 0; container && i < container->grant_count; i++)
		if (same_grant(&container->grants[i], grant, !*container->schema.schema))
			return true;
	return false;
}

/* Where it will stand in staging. */
static struct relation place_of(const struct publish_container *c,
				const struct container_grant *grant)
{
	const char *schema = snowflake_is_database(&c->from) ? grant->schema : c->from.schema;

	return (struct relation) { c->from.database, is_on(grant, "database") ? "" : schema,
				   grant->name };
}

static const struct publish_table *table_at(const struct push *p, const struct relation *place)
{
	for (size_t i = 0; i < p->set->n; i++) {
		const struct publish_table *t = &p->set->tables[i];

		if (t->from && relation_equal(p->dialect, t->from, place))
			return t;
	}
	return NULL;
}

static bool has_schema(const struct push *p, const struct publish_container *c,
		       const struct relation *place)
{
	if (!snowflake_is_database(&c->from) || container_schema(c->from_seen, place->schema))
		return true;
	for (size_t i = 0; i < p->set->n; i++)
		if (p->set->tables[i].from &&
		    relation_same_schema(p->dialect, p->set->tables[i].from, place))
			return true;
	return false;
}

/* NULL: it is on nothing that is exchanged. */
static const char *object_of(const struct push *p, const struct publish_container *c,
			     const struct container_grant *grant, const struct relation *place)
{
	if (is_on(grant, "database"))
		return "database {schema}";
	if (is_on(grant, "schema"))
		return has_schema(p, c, place) ? "schema {schema}" : NULL;
	const struct publish_table *t = table_at(p, place);

	return !t ? NULL : snowflake_is_view(t) ? "view {object}" : "table {object}";
}

/* A word of the catalog's goes into a statement as it is. */
static bool is_word(const char *text)
{
	return *text && text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ ")] == '\0';
}

/* A database role is in the database that is exchanged. */
static bool can_be_given(const struct publish_container *c, const struct container_grant *grant)
{
	bool of_database = strncmp(grant->to, "DATABASE", strlen("DATABASE")) == 0;

	return is_word(grant->privilege) && (strcmp(grant->to, "ROLE") == 0 ||
					     (of_database && !snowflake_is_database(&c->from)));
}

static int push_grant(const struct push *p, const struct publish_container *c,
		      const struct container_grant *grant, bool gives)
{
	const struct relation place = place_of(c, grant);
	const char *object = object_of(p, c, grant, &place);
	bool of_role = strcmp(grant->to, "ROLE") == 0;
	struct buf text CLEANUP(buf_release) = BUF_INIT;

	if (!object)
		return 0;
	if (!can_be_given(c, grant)) {
		char *what CLEANUP(mem_free_string) = mem_printf(
			"%s on %s is granted to the %s '%s', which an exchange would take it from",
			grant->privilege, grant->name, grant->to, grant->grantee);

		return snowflake_refuse_swap(p, &c->to, what, KEEPS_TABLES);
	}
	const struct sql_arg args[] = {
		SQL_ARG_STATEMENT("privilege", grant->privilege),
		SQL_ARG_SCHEMA("schema", &place),
		SQL_ARG_RELATION("object", &place),
		SQL_ARG_IDENT("database", c->from.database),
		SQL_ARG_IDENT("grantee", grant->grantee),
	};

	buf_printf(&text, "%s {privilege:statement} on %s %s %s{grantee}%s",
		   gives ? "grant" : "revoke", object, gives ? "to" : "from",
		   of_role ? "role " : "database role {database}.",
		   gives && grant->with_option ? " with grant option" : "");
	return dialect_push_text(p->statements, p->dialect, buf_cstr(&text), args, ARRAY_LEN(args),
				 p->err);
}

static int push_grants(const struct push *p, const struct publish_container *c)
{
	const struct container *from = c->from_seen;
	const struct container *to = c->to_seen;

	for (size_t i = 0; from && i < from->grant_count; i++)
		if (!has_grant(to, &from->grants[i]) &&
		    push_grant(p, c, &from->grants[i], false) < 0)
			return -1;
	for (size_t i = 0; to && i < to->grant_count; i++)
		if (!has_grant(from, &to->grants[i]) && push_grant(p, c, &to->grants[i], true) < 0)
			return -1;
	return 0;
}

/* --- settings --- */

static int refuse_transience(const struct push *p, const struct relation *container,
			     bool of_production)
{
	return snowflake_refuse_swap(p, container,
				     of_production ? "it is permanent, and production is transient"
						   : "it is transient, and production is permanent",
				     snowflake_is_database(container)
					     ? "create it in staging like production's"
					     : "drop it in staging: it is made like production's "
					       "then");
}

static int check_owner(const struct push *p, const struct relation *container, const char *from,
		       const char *to)
{
	if (!from || !to || strcmp(from, to) == 0)
		return 0;
	char *what CLEANUP(mem_free_string) =
		mem_printf("it belongs to '%s' in staging and to '%s' in production", from, to);

	return snowflake_refuse_swap(
		p, container, what,
		"let one role own both: 'grant ownership on .. to role .. copy "
		"current grants'");
}

static int push_retention(const struct push *p, const struct relation *container, int64_t from,
			  int64_t to)
{
	const struct sql_arg args[] = {
		SQL_ARG_STATEMENT("kind", snowflake_is_database(container) ? "database" : "schema"),
		SQL_ARG_SCHEMA("it", container),
		SQL_ARG_NUMBER("days", to),
	};

	if (from == to)
		return 0;
	return dialect_push_text(p->statements, p->dialect,
				 "alter {kind:statement} {it} set data_retention_time_in_days = "
				 "{days:number}",
				 args, ARRAY_LEN(args), p->err);
}

static int push_schema(const struct push *p, const struct relation *schema,
		       const struct container_schema *from, const struct container_schema *to)
{
	if (from->is_transient != to->is_transient)
		return refuse_transience(p, schema, to->is_transient);
	if (from->is_managed != to->is_managed &&
	    snowflake_push_container(p, schema, NULL, NULL,
				     to->is_managed
					     ? "alter schema {it} enable managed access"
					     : "alter schema {it} disable managed access") < 0)
		return -1;
	/* Of a schema that is exchanged the mark is in it (push_end). */
	if (to->comment && *to->comment && (!from->comment || !*from->comment) &&
	    snowflake_push_container(p, schema, to->comment, NULL,
				     "comment on schema {it} is {comment:literal}") < 0)
		return -1;
	if (check_owner(p, schema, from->owner, to->owner) < 0)
		return -1;
	return push_retention(p, schema, from->retention_days, to->retention_days);
}

static struct container_schema as_schema(const struct container *container)
{
	return (struct container_schema) {
		.owner = container->owner,
		.is_transient = container->is_transient,
		.is_managed = container->is_managed,
		.retention_days = container->retention_days,
	};
}

static int push_database(const struct push *p, const struct publish_container *c)
{
	const struct container *from = c->from_seen;
	const struct container *to = c->to_seen;

	if (from->is_transient != to->is_transient)
		return refuse_transience(p, &c->from, to->is_transient);
	if (check_owner(p, &c->from, from->owner, to->owner) < 0 ||
	    push_retention(p, &c->from, from->retention_days, to->retention_days) < 0)
		return -1;
	for (size_t i = 0; i < to->schema_count; i++) {
		const struct container_schema *own = container_schema(from, to->schemas[i].name);
		const struct relation schema = { c->from.database, to->schemas[i].name, NULL };

		if (own && push_schema(p, &schema, own, &to->schemas[i]) < 0)
			return -1;
	}
	return 0;
}

static int push_settings(const struct push *p, const struct publish_container *c)
{
	if (!c->from_seen || !c->to_seen)
		return 0;
	if (snowflake_is_database(&c->from))
		return push_database(p, c);
	const struct container_schema from = as_schema(c->from_seen);
	const struct container_schema to = as_schema(c->to_seen);

	return push_schema(p, &c->from, &from, &to);
}

int snowflake_carry(const struct push *p, const struct publish_container *c)
{
	if (snowflake_is_swapped(c))
		return 0;
	return push_settings(p, c) < 0 ? -1 : push_grants(p, c);
}
