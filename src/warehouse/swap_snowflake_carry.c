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

/* Of what it will be on: "table"; NULL: it is on something that is there. */
static const char *future_of(const struct container_grant *grant)
{
	static const char prefix[] = "future ";

	return strncmp(grant->on, prefix, strlen(prefix)) == 0 ? grant->on + strlen(prefix) : NULL;
}

/* A table of production may be a view in staging: their names are of one kind. */
static bool same_object(const struct container_grant *a, const struct container_grant *b)
{
	if (future_of(a) || future_of(b))
		return strcmp(a->on, b->on) == 0 && !*a->schema == !*b->schema;
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

/* "future tables in schema {schema}": a kind of the catalog's in its plural. */
static void add_future(const char *kind, const struct relation *place, struct buf *out)
{
	size_t len = strlen(kind);
	bool in_y = len > 1 && kind[len - 1] == 'y';

	buf_add_str(out, "future ");
	for (size_t i = 0; i < len - (in_y ? 1 : 0); i++)
		buf_add_char(out, kind[i] == '_' ? ' ' : kind[i]);
	buf_printf(out, "%s in %s {schema}", in_y ? "ies" : "s",
		   *place->schema ? "schema" : "database");
}

/* What no node makes and a clone brought; a dynamic table is granted like a table. */
static const struct container_object *foreign_of(const struct publish_container *c,
						 const struct container_grant *grant)
{
	for (size_t i = 0; i < c->foreign_count; i++) {
		const struct container_object *one = c->foreign[i];

		if (one->identifier && strcmp(one->identifier, grant->name) == 0 &&
		    strcmp(one->schema,
			   snowflake_is_database(&c->to) ? grant->schema : c->to.schema) == 0 &&
		    (strcmp(one->kind, grant->on) == 0 ||
		     (strstr(one->kind, "table") && strstr(grant->on, "table"))))
			return one;
	}
	return NULL;
}

/* Nothing: it is on nothing that is exchanged. */
static void add_object(const struct push *p, const struct publish_container *c,
		       const struct container_grant *grant, const struct relation *place,
		       struct buf *out)
{
	const char *kind = future_of(grant);
	const struct publish_table *t = kind ? NULL : table_at(p, place);

	if (kind && (!*place->schema || has_schema(p, c, place)))
		add_future(kind, place, out);
	else if (is_on(grant, "database"))
		buf_add_str(out, "database {schema}");
	else if (is_on(grant, "schema") && has_schema(p, c, place))
		buf_add_str(out, "schema {schema}");
	else if (t)
		buf_add_str(out, snowflake_is_view(t) ? "view {object}" : "table {object}");
	else if (!kind && foreign_of(c, grant))
		buf_printf(out, "%s {object}", grant->on);
}

/* A word of the catalog's goes into a statement as it is. */
static bool is_word(const char *text)
{
	return *text && text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ "
					  "abcdefghijklmnopqrstuvwxyz_")] == '\0';
}

/* A database role is in the database that is exchanged. The catalog's name of a function is not all
 * that a statement has to say. */
static bool can_be_given(const struct publish_container *c, const struct container_grant *grant)
{
	bool of_database = strncmp(grant->to, "DATABASE", strlen("DATABASE")) == 0;

	return is_word(grant->privilege) && is_word(grant->on) && !is_on(grant, "function") &&
	       !is_on(grant, "procedure") &&
	       (strcmp(grant->to, "ROLE") == 0 ||
		(of_database && !snowflake_is_database(&c->from)));
}

/* Both schemas are in the database, and it stays. */
static bool is_around(const struct publish_container *c, const struct container_grant *grant)
{
	return future_of(grant) && !*grant->schema && !snowflake_is_database(&c->to);
}

static int push_grant(const struct push *p, const struct publish_container *c,
		      const struct container_grant *grant, bool gives)
{
	const struct relation place = place_of(c, grant);
	bool of_role = strcmp(grant->to, "ROLE") == 0;
	struct buf object CLEANUP(buf_release) = BUF_INIT;
	struct buf text CLEANUP(buf_release) = BUF_INIT;

	if (is_around(c, grant))
		return 0;
	add_object(p, c, grant, &place, &object);
	if (object.len == 0)
		return 0;
	if (!can_be_given(c, grant)) {
		char *what CLEANUP(mem_free_string) = mem_printf(
			"%s on %s is granted to the %s '%s', which an exchange would take it from",
			grant->privilege, *grant->name ? grant->name : grant->on, grant->to,
			grant->grantee);

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
		   gives ? "grant" : "revoke", buf_cstr(&object), gives ? "to" : "from",
		   of_role ? "role " : "database role {database}.",
		   gives && grant->with_option ? " with grant option" : "");
	return dialect_push_text(p->statements, p->dialect, buf_cstr(&text), args, ARRAY_LEN(args),
				 p->err);
}

/* Those of a schema stand instead of those of its database. */
static bool has_future(const struct container *production, const char *on, const char *schema)
{
	for (size_t i = 0; i < production->grant_count; i++)
		if (strcmp(production->grants[i].on, on) == 0 &&
		    strcmp(production->grants[i].schema, schema) == 0)
			return true;
	return false;
}

/* What production does not have yet gets what would be granted on it if it were made there. */
static bool is_of_new(const struct publish_container *c, const struct publish_table *t,
		      const struct container_grant *future)
{
	const char *kind = future_of(future);
	const char *schema = has_future(c->to_seen, future->on, t->to->schema) ? t->to->schema : "";

	return kind && strcmp(kind, snowflake_is_view(t) ? "view" : "table") == 0 &&
	       strcmp(future->schema, schema) == 0 && strcmp(future->privilege, "OWNERSHIP") != 0;
}

static struct container_grant on_new(const struct publish_table *t,
				     const struct container_grant *future)
{
	struct container_grant own = *future;

	own.on = future_of(future);
	own.schema = t->to->schema;
	own.name = t->from->identifier;
	return own;
}

/* The build made it in a database that grants it on what is new in production's schema too. */
static bool is_given_anew(const struct push *p, const struct publish_container *c,
			  const struct container_grant *grant)
{
	const struct relation place = place_of(c, grant);
	const struct publish_table *t =
		is_on(grant, "table") || is_on(grant, "view") ? table_at(p, &place) : NULL;

	for (size_t i = 0; t && !t->to_table && c->to_seen && i < c->to_seen->grant_count; i++) {
		const struct container_grant *future = &c->to_seen->grants[i];

		if (!is_of_new(c, t, future))
			continue;
		const struct container_grant own = on_new(t, future);

		if (same_grant(&own, grant, snowflake_is_database(&c->to)))
			return true;
	}
	return false;
}

static int push_new(const struct push *p, const struct publish_container *c,
		    const struct publish_table *t)
{
	for (size_t i = 0; i < c->to_seen->grant_count; i++) {
		const struct container_grant *future = &c->to_seen->grants[i];

		if (!is_of_new(c, t, future))
			continue;
		const struct container_grant own = on_new(t, future);

		if (!has_grant(c->from_seen, &own) && push_grant(p, c, &own, true) < 0)
			return -1;
	}
	return 0;
}

static int push_all_new(const struct push *p, const struct publish_container *c)
{
	for (size_t i = 0; c->to_seen && i < p->set->n; i++) {
		const struct publish_table *t = &p->set->tables[i];

		if (t->from && !t->to_table && snowflake_holds(p->dialect, &c->from, t->from) &&
		    push_new(p, c, t) < 0)
			return -1;
	}
	return 0;
}

static int push_grants(const struct push *p, const struct publish_container *c)
{
	const struct container *from = c->from_seen;
	const struct container *to = c->to_seen;

	for (size_t i = 0; from && i < from->grant_count; i++)
		if (!has_grant(to, &from->grants[i]) && !is_given_anew(p, c, &from->grants[i]) &&
		    push_grant(p, c, &from->grants[i], false) < 0)
			return -1;
	for (size_t i = 0; to && i < to->grant_count; i++)
		if (!has_grant(from, &to->grants[i]) && push_grant(p, c, &to->grants[i], true) < 0)
			return -1;
	return push_all_new(p, c);
}

/* --- tags --- */

static bool is_within(const struct push *p, const struct relation *container,
		      const struct relation *tag)
{
	return snowflake_holds(p->dialect, container, tag);
}

/* What a clone of the container brought along is the same one as production's. */
static bool same_tag(const struct push *p, const struct publish_container *c,
		     const struct container_tag *from, const struct container_tag *to)
{
	bool of_database = snowflake_is_database(&c->to);

	if ((of_database && strcmp(from->schema, to->schema) != 0) ||
	    strcmp(from->tag.identifier, to->tag.identifier) != 0)
		return false;
	if (is_within(p, &c->to, &to->tag) && is_within(p, &c->from, &from->tag))
		return !of_database || strcmp(from->tag.schema, to->tag.schema) == 0;
	return strcmp(from->tag.schema, to->tag.schema) == 0 &&
	       strcmp(from->tag.database, to->tag.database) == 0;
}

static const struct container_tag *find_tag(const struct push *p, const struct publish_container *c,
					    const struct container_tag *one, bool of_production)
{
	const struct container *other = of_production ? c->from_seen : c->to_seen;

	for (size_t i = 0; other && i < other->tag_count; i++)
		if (of_production ? same_tag(p, c, &other->tags[i], one)
				  : same_tag(p, c, one, &other->tags[i]))
			return &other->tags[i];
	return NULL;
}

/* It would be another one under its name, and go with the restore point. */
static int refuse_tag_within(const struct push *p, const struct publish_container *c,
			     const struct container_tag *one)
{
	char *name CLEANUP(mem_free_string) = relation_display(&one->tag);
	char *what CLEANUP(mem_free_string) =
		mem_printf("the tag %s is set on it, and is itself in what is exchanged", name);
	bool is_inside = false;

	for (size_t i = 0; i < p->set->container_count; i++)
		is_inside = is_inside || is_within(p, &p->set->containers[i].to, &one->tag);
	return is_inside ? snowflake_refuse_swap(
				   p, &c->to, what,
				   "move the tag to a schema or database of its own, or say "
				   "container_tags: ignore")
			 : 0;
}

/* Where it stands, or is to, on the new side. */
static struct relation tag_place(const struct publish_container *c, const struct container_tag *one)
{
	return (struct relation) { c->from.database,
				   snowflake_is_database(&c->from) ? one->schema : c->from.schema,
				   NULL };
}

static int push_tag(const struct push *p, const struct publish_container *c,
		    const struct container_tag *one, const char *text)
{
	const struct relation place = tag_place(c, one);
	const struct sql_arg args[] = {
		SQL_ARG_STATEMENT("kind", *place.schema ? "schema" : "database"),
		SQL_ARG_SCHEMA("it", &place),
		SQL_ARG_RELATION("tag", &one->tag),
		SQL_ARG_LITERAL("value", one->value),
	};

	return dialect_push_text(p->statements, p->dialect, text, args, ARRAY_LEN(args), p->err);
}

/* Production's, on a place that the new side has too; where that has the same one already it may
 * have come along with a clone. */
static int push_own_tag(const struct push *p, const struct publish_container *c,
			const struct container_tag *one)
{
	const struct relation place = tag_place(c, one);
	const struct container_tag *own = find_tag(p, c, one, true);
	struct container_tag given = *one;

	if (*place.schema && !has_schema(p, c, &place))
		return 0;
	if (own)
		given.tag = own->tag;
	if (refuse_tag_within(p, c, &given) < 0)
		return -1;
	if (own && strcmp(own->value, given.value) == 0)
		return 0;
	return push_tag(p, c, &given,
			"alter {kind:statement} {it} set tag {tag} = {value:literal}");
}

/* Policies may hang on tags: what production has not goes as well. */
static int push_tags(const struct push *p, const struct publish_container *c)
{
	const struct container *from = c->from_seen;
	const struct container *to = c->to_seen;

	for (size_t i = 0; from && i < from->tag_count; i++)
		if (!find_tag(p, c, &from->tags[i], false) &&
		    push_tag(p, c, &from->tags[i], "alter {kind:statement} {it} unset tag {tag}") <
			    0)
			return -1;
	for (size_t i = 0; to && i < to->tag_count; i++)
		if (push_own_tag(p, c, &to->tags[i]) < 0)
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

/* Whoever owns it sees all that is granted on it, and others may not. */
static int refuse_unseen(const struct push *p, const struct relation *it, const char *owner)
{
	char *what CLEANUP(mem_free_string) = mem_printf(
		"it belongs to '%s', and this session, which is not of that role, may not see all "
		"that is granted on it",
		owner ? owner : "nobody");

	return snowflake_refuse_swap(p, it, what, "grant that role to the role of this target");
}

int snowflake_check_owner(const struct push *p, const struct relation *it, const char *from,
			  const char *to)
{
	if (!from || !to || strcmp(from, to) == 0)
		return 0;
	char *what CLEANUP(mem_free_string) =
		mem_printf("it belongs to '%s' in staging and to '%s' in production", from, to);

	return snowflake_refuse_swap(
		p, it, what,
		"let one role build and own both ('grant ownership on .. to role .. copy current "
		"grants'), or use production-rollback or wac");
}

int snowflake_check_owned(const struct push *p, const struct relation *it, const char *owner,
			  bool owned)
{
	bool runs = p->set->n > 0 && p->set->tables[0].runs;

	return owned || !runs ? 0 : refuse_unseen(p, it, owner);
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
	if (snowflake_check_owned(p, schema, to->owner, to->owned) < 0 ||
	    snowflake_check_owner(p, schema, from->owner, to->owner) < 0)
		return -1;
	return push_retention(p, schema, from->retention_days, to->retention_days);
}

static struct container_schema as_schema(const struct container *container)
{
	return (struct container_schema) {
		.owner = container->owner,
		.owned = true, /* publication_choose_containers() */
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
	if (snowflake_check_owner(p, &c->from, from->owner, to->owner) < 0 ||
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

/* The service gives the clone of an object the owner of the original, or the role that cloned it.
 */
static int check_owners(const struct push *p, const struct publish_container *c)
{
	for (size_t i = 0; snowflake_is_decided(p->set) && i < c->foreign_count; i++) {
		const struct container_object *to = c->foreign[i];
		const struct container_object *from = container_find(c->from_seen, to);
		const struct relation place = { c->to.database, to->schema, to->identifier };

		if (from && snowflake_check_owner(p, &place, from->owner, to->owner) < 0)
			return -1;
	}
	return 0;
}

int snowflake_carry(const struct push *p, const struct publish_container *c)
{
	if (snowflake_is_swapped(c))
		return 0;
	if (push_settings(p, c) < 0 || push_tags(p, c) < 0 || check_owners(p, c) < 0)
		return -1;
	return push_grants(p, c);
}
