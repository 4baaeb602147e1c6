/*
 * Schemas that change places on Snowflake, one pair at a time: an exchange is one statement and
 * commits by itself. On which side of it a schema is its own comment says, which goes with it.
 *
 * Order, and why: (1) both sides are what the tests and the plan saw. (2) The new side gets the
 * privileges of production, for it keeps its own. (3) The schemas change places. Views of the new
 * side still name staging's schemas, where what was production is by now, whole: so (4) they are
 * made again, by the SQL compiled for production, before (5) anything of the old side is touched,
 * and nothing in production names staging any more; then it gets the name of a restore point.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "publish_snowflake.h"
#include "snowflake_aside.h"

#define MARK_BEGINS "[airlock: "
#define MARK_ENDS "]"

#define SEEN_IS                                                                                    \
	"(select md5(coalesce(listagg(m.n || coalesce('/' || m.c, ''), ' ') within group "         \
	"(order by m.n, m.k), '')) from " SNOWFLAKE_MEMBERS(                                       \
		"{catalog:ident}.") "m where m.s = {schema:literal}) = {seen:literal}"

#define MARK_IS                                                                                    \
	"(select count(*) from {catalog:ident}.information_schema.schemata n "                     \
	"where n.schema_name = {schema:literal} and endswith(coalesce(n.comment, ''), "            \
	"{mark:literal})) = 1"

#define NAMES_NO_STAGING                                                                           \
	"(select count(*) from {catalog:ident}.information_schema.views v "                        \
	"where v.table_schema = {schema:literal} and regexp_count(upper(replace("                  \
	"v.view_definition, '\"', '')), {names:literal}) > 0) = 0"

#define MADE_IS                                                                                    \
	"(select count(*) from {catalog:ident}.information_schema.tables t "                       \
	"where t.table_schema = {schema:literal} and t.table_name = {identifier:literal} "         \
	"and date_part(epoch_microsecond, t.created)::varchar = {identity:literal}) = 1"

#define SAYS_SO                                                                                    \
	"(select count(*) from {catalog:ident}.information_schema.views v "                        \
	"where v.table_schema = {schema:literal} and v.table_name = {identifier:literal} "         \
	"and contains(v.view_definition, {view:literal})) = 1"

static bool is_return(const struct publish_set *set)
{
	return set->n > 0 && set->tables[0].is_exact;
}

static bool is_decided(const struct publish_set *set)
{
	return set->n == 0 || set->tables[0].decided;
}

/* --- comments of schemas --- */

/* What people wrote, without the mark behind it. free() it. */
static char *words_of(const struct container *container)
{
	const char *comment = container && container->comment ? container->comment : "";
	const char *mark = NULL;
	size_t len = strlen(comment);

	for (const char *p = strstr(comment, MARK_BEGINS); p; p = strstr(p + 1, MARK_BEGINS))
		mark = p;
	if (!mark || comment[len - 1] != ']')
		return mem_strdup(comment);
	len = (size_t)(mark - comment);
	while (len > 0 && comment[len - 1] == ' ')
		len--;
	return mem_printf("%.*s", (int)len, comment);
}

/* "words [airlock: <what><id>]" */
static char *marked(const char *words, const char *what)
{
	char *prefix CLEANUP(mem_free_string) =
		mem_printf("%s%s" MARK_BEGINS "%s", words, *words ? " " : "", what);

	return sql_bind_mark(prefix, "id", MARK_ENDS);
}

static int push_schema(struct strv *statements, const struct dialect *dialect,
		       const struct relation *schema, const char *comment, const char *name,
		       const char *text, struct err *err)
{
	const struct sql_arg args[] = {
		SQL_ARG_SCHEMA("schema", schema),
		SQL_ARG_LITERAL("comment", comment),
		SQL_ARG_IDENT("database", schema->database),
		SQL_ARG_IDENT("name", name ? name : schema->schema),
	};

	return dialect_push_text(statements, dialect, text, args, ARRAY_LEN(args), err);
}

int snowflake_mark(const struct dialect *dialect, const struct publish_set *set,
		   struct strv *statements, struct err *err)
{
	char *comment CLEANUP(mem_free_string) = marked("", "building ");

	for (size_t i = 0; i < set->container_count; i++) {
		const struct publish_container *c = &set->containers[i];
		bool transient = c->to_seen && c->to_seen->is_transient;

		if (push_schema(statements, dialect, &c->from, NULL, NULL,
				transient ? "create transient schema if not exists {schema}"
					  : "create schema if not exists {schema}",
				err) < 0 ||
		    push_schema(statements, dialect, &c->from, comment, NULL,
				"comment on schema {schema} is {comment:literal}", err) < 0)
			return -1;
	}
	return 0;
}

/* --- checks --- */

/* The name in a text in capitals and without quotes, in front of a dot. free() it. */
static char *pattern_of(const char *schema)
{
	struct buf out = BUF_INIT;

	buf_add_str(&out, "(^|[^A-Z0-9_$])");
	for (const char *p = schema; *p; p++)
		buf_printf(&out, strchr(".^$*+?()[]{}|\\", *p) ? "[%c]" : "%c",
			   toupper((unsigned char)*p));
	buf_add_str(&out, " *[.]");
	return buf_take(&out);
}

struct check {
	const char *seen;
	const char *mark;
	const char *pattern;
};

static int push_check(const struct push *p, const struct relation *schema,
		      const struct check *check, const char *what, const char *text)
{
	char *name CLEANUP(mem_free_string) = relation_display(schema);
	char *message CLEANUP(mem_free_string) = mem_printf("%s %s", name, what);
	char *undecided CLEANUP(mem_free_string) =
		mem_printf("what %s holds after the build", name);
	const struct sql_arg args[] = {
		SQL_ARG_IDENT("catalog", schema->database),
		SQL_ARG_LITERAL("schema", schema->schema),
		{ .name = "seen",
		  .kind = SQL_LITERAL,
		  .text = check->seen,
		  .undecided = is_decided(p->set) ? NULL : undecided },
		SQL_ARG_LITERAL("mark", check->mark),
		SQL_ARG_LITERAL("names", check->pattern),
		SQL_ARG_LITERAL("message", message),
	};

	return dialect_push_text(p->statements, p->dialect, text, args, ARRAY_LEN(args), p->err);
}

#define NOTHING_SEEN "d41d8cd98f00b204e9800998ecf8427e" /* md5('') */

static const char *seen_of(const struct container *container)
{
	return container ? container->seen : NOTHING_SEEN;
}

/* Of a return it says who put it aside. free() it. */
static char *mark_before(const struct push *p, const struct publish_container *c)
{
	if (is_return(p->set))
		return mem_strdup(c->from_seen && c->from_seen->comment ? c->from_seen->comment
									: "");
	return marked("", "building ");
}

static bool is_swapped(const struct publish_container *c)
{
	return c->from_seen && c->from_seen->is_swapped;
}

/* Right before it changes places too: a statement of another process may still come. */
static int check_mark(const struct push *p, const struct publish_container *c)
{
	char *mark CLEANUP(mem_free_string) = mark_before(p, c);
	const struct check from = { .mark = mark };

	return push_check(p, &c->from, &from,
			  "is not the schema that this deployment began to build",
			  SNOWFLAKE_RAISE_UNLESS(MARK_IS, DIALECT_RAISED_CONFLICT));
}

static int check_container(const struct push *p, const struct publish_container *c)
{
	static const char changed[] = "got or lost something after it was looked at";
	const struct check from = { .seen = seen_of(c->from_seen) };
	const struct check to = { .seen = seen_of(c->to_seen) };

	if (is_swapped(c))
		return 0;
	if (check_mark(p, c) < 0 ||
	    push_check(p, &c->from, &from, changed,
		       SNOWFLAKE_RAISE_UNLESS(SEEN_IS, DIALECT_RAISED_CONFLICT)) < 0)
		return -1;
	return push_check(p, &c->to, &to, changed,
			  SNOWFLAKE_RAISE_UNLESS(SEEN_IS, DIALECT_RAISED_CONFLICT));
}

static bool is_a_view(const struct publish_table *t)
{
	return t->view || t->is_view;
}

/* Its container has changed places before this process took over. */
static bool is_there(const struct push *p, const struct publish_table *t)
{
	for (size_t i = 0; i < p->set->container_count; i++)
		if (relation_same_schema(p->dialect, &p->set->containers[i].to, t->to))
			return is_swapped(&p->set->containers[i]);
	return false;
}

static int check_from(const struct push *p, const struct publish_table *t)
{
	if (!t->from || is_there(p, t))
		return 0;
	return one_by_one_check(
		p, t, t->from, t->from_table,
		is_a_view(t) ? SNOWFLAKE_RAISE_UNLESS(SNOWFLAKE_VIEW_IS, DIALECT_RAISED_CONFLICT)
			     : SNOWFLAKE_RAISE_UNLESS(SNOWFLAKE_TABLE_IS, DIALECT_RAISED_CONFLICT),
		t->is_exact ? "(the restore point) changed" : "(staging) changed after its tests");
}

static int check_to(const struct push *p, const struct publish_table *t)
{
	return t->to_table && !is_there(p, t) ? one_by_one_check_to(p, t) : 0;
}

/* A table by its creation, which an exchange leaves alone; a view by what it says. */
static int verify(const struct push *p, const struct publish_table *t)
{
	char *name CLEANUP(mem_free_string) = relation_display(t->to);
	char *message CLEANUP(mem_free_string) =
		mem_printf("%s does not say what was compiled for it", name);
	struct table made = { .kind = "view",
			      .object = t->from_table ? t->from_table->object : NULL };
	const struct sql_arg args[] = {
		SQL_ARG_IDENT("catalog", t->to->database),
		SQL_ARG_LITERAL("schema", t->to->schema),
		SQL_ARG_LITERAL("identifier", t->to->identifier),
		SQL_ARG_LITERAL("view", t->view),
		SQL_ARG_LITERAL("message", message),
	};

	if (!t->from || (t->is_view && !t->view))
		return 0;
	if (!t->view)
		return one_by_one_check(p, t, t->to, &made,
					SNOWFLAKE_RAISE_UNLESS(MADE_IS, DIALECT_RAISED_COUNT),
					"is not the table that was tested");
	if (snowflake_push(p, t, "select 1 from {to} limit 0") < 0)
		return -1;
	return dialect_push_text(p->statements, p->dialect,
				 SNOWFLAKE_RAISE_UNLESS(SAYS_SO, DIALECT_RAISED_VIEW), args,
				 ARRAY_LEN(args), p->err);
}

static int names_no_staging(const struct push *p)
{
	for (size_t i = 0; i < p->set->container_count; i++) {
		for (size_t k = 0; k < p->set->container_count; k++) {
			const struct publish_container *from = &p->set->containers[k];
			char *pattern CLEANUP(mem_free_string) = pattern_of(from->from.schema);
			char *what CLEANUP(mem_free_string) =
				mem_printf("has a view that names %s", from->from.schema);
			const struct check check = { .pattern = pattern };

			if (push_check(p, &p->set->containers[i].to, &check, what,
				       SNOWFLAKE_RAISE_UNLESS(NAMES_NO_STAGING,
							      DIALECT_RAISED_VIEW)) < 0)
				return -1;
		}
	}
	return 0;
}

/* --- what the new side gets from production --- */

static int refuse(const struct push *p, const struct relation *schema, const char *what,
		  const char *hint)
{
	char *name CLEANUP(mem_free_string) = relation_display(schema);

	err_set(p->err, ERR_UNSUPPORTED, "'%s' cannot be exchanged: %s", name, what);
	return err_hint(p->err, "%s", hint);
}

static bool same_grant(const struct container_grant *a, const struct container_grant *b)
{
	bool of_schema = strcmp(a->on, "schema") == 0;

	return of_schema == (strcmp(b->on, "schema") == 0) &&
	       (of_schema || strcmp(a->name, b->name) == 0) &&
	       strcmp(a->privilege, b->privilege) == 0 && strcmp(a->to, b->to) == 0 &&
	       strcmp(a->grantee, b->grantee) == 0 && a->with_option == b->with_option;
}

static bool has_grant(const struct container *container, const struct container_grant *grant)
{
	for (size_t i = 0; container && i < container->grant_count; i++)
		if (same_grant(&container->grants[i], grant))
			return true;
	return false;
}

static const struct publish_table *table_of(const struct push *p, const struct relation *schema,
					    const struct container_grant *grant)
{
	for (size_t i = 0; i < p->set->n; i++) {
		const struct publish_table *t = &p->set->tables[i];

		if (t->from && relation_same_schema(p->dialect, t->from, schema) &&
		    strcmp(t->from->identifier, grant->name) == 0)
			return t;
	}
	return NULL;
}

/* A word of the catalog's goes into a statement as it is. */
static bool is_word(const char *text)
{
	return *text && text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ ")] == '\0';
}

static int push_grant(const struct push *p, const struct publish_container *c,
		      const struct container_grant *grant, bool gives)
{
	bool of_schema = strcmp(grant->on, "schema") == 0;
	const struct publish_table *t = of_schema ? NULL : table_of(p, &c->from, grant);
	bool of_database = strncmp(grant->to, "DATABASE", strlen("DATABASE")) == 0;
	const struct relation object = { c->from.database, c->from.schema, grant->name };
	struct buf text CLEANUP(buf_release) = BUF_INIT;

	if (!of_schema && !t)
		return 0;
	if ((strcmp(grant->to, "ROLE") != 0 && !of_database) || !is_word(grant->privilege)) {
		char *what CLEANUP(mem_free_string) =
			mem_printf("%s on %s is granted to the %s '%s', which an exchange would "
				   "take it from",
				   grant->privilege, grant->name, grant->to, grant->grantee);

		return refuse(p, &c->to, what,
			      "use production-rollback or wac, which keep the tables");
	}
	const struct sql_arg args[] = {
		SQL_ARG_STATEMENT("privilege", grant->privilege),
		SQL_ARG_SCHEMA("schema", &c->from),
		SQL_ARG_RELATION("object", &object),
		SQL_ARG_IDENT("database", c->from.database),
		SQL_ARG_IDENT("grantee", grant->grantee),
	};

	buf_printf(&text, "%s {privilege:statement} on %s %s %s{grantee}%s",
		   gives ? "grant" : "revoke",
		   of_schema      ? "schema {schema}"
		   : is_a_view(t) ? "view {object}"
				  : "table {object}",
		   gives ? "to" : "from", of_database ? "database role {database}." : "role ",
		   gives && grant->with_option ? " with grant option" : "");
	return dialect_push_text(p->statements, p->dialect, buf_cstr(&text), args, ARRAY_LEN(args),
				 p->err);
}

/* Who could read before can read after, and nobody more. */
static int push_grants(const struct push *p, const struct publish_container *c)
{
	const struct container *from = c->from_seen;
	const struct container *to = c->to_seen;

	if (is_swapped(c))
		return 0;
	for (size_t i = 0; from && i < from->grant_count; i++)
		if (!has_grant(to, &from->grants[i]) &&
		    push_grant(p, c, &from->grants[i], false) < 0)
			return -1;
	for (size_t i = 0; to && i < to->grant_count; i++)
		if (!has_grant(from, &to->grants[i]) && push_grant(p, c, &to->grants[i], true) < 0)
			return -1;
	return 0;
}

static int push_settings(const struct push *p, const struct publish_container *c)
{
	const struct container *from = c->from_seen;
	const struct container *to = c->to_seen;

	if (!from || !to || is_swapped(c))
		return 0;
	if (from->is_transient != to->is_transient)
		return refuse(p, &c->from,
			      to->is_transient ? "it is permanent, and production is transient"
					       : "it is transient, and production is permanent",
			      "drop it in staging: it is made like production's then");
	if (from->is_managed != to->is_managed &&
	    push_schema(p->statements, p->dialect, &c->from, NULL, NULL,
			to->is_managed ? "alter schema {schema} enable managed access"
				       : "alter schema {schema} disable managed access",
			p->err) < 0)
		return -1;
	if (from->retention_days == to->retention_days)
		return 0;
	const struct sql_arg args[] = {
		SQL_ARG_SCHEMA("schema", &c->from),
		SQL_ARG_NUMBER("days", to->retention_days),
	};

	return dialect_push_text(p->statements, p->dialect,
				 "alter schema {schema} set data_retention_time_in_days = "
				 "{days:number}",
				 args, ARRAY_LEN(args), p->err);
}

static int check_owner(const struct push *p, const struct publish_table *t)
{
	const struct table *from = t->from_table;
	const struct table *to = t->to_table;

	if (!t->decided || !from || !to || !from->owner || !to->owner ||
	    strcmp(from->owner, to->owner) == 0)
		return 0;
	char *what CLEANUP(mem_free_string) = mem_printf(
		"it belongs to '%s' in staging and to '%s' in production", from->owner, to->owner);

	return refuse(p, t->to, what,
		      "let one role build and own both, or use production-rollback or wac");
}

/* --- the exchange --- */

static int push_exchange(const struct push *p, const struct publish_container *c)
{
	const struct sql_arg args[] = {
		SQL_ARG_SCHEMA("to", &c->to),
		SQL_ARG_SCHEMA("from", &c->from),
	};

	if (is_swapped(c))
		return 0;
	one_by_one_guards(p);
	if (check_mark(p, c) < 0)
		return -1;
	return dialect_push_text(p->statements, p->dialect, "alter schema {to} swap with {from}",
				 args, ARRAY_LEN(args), p->err);
}

static int push_views(const struct push *p)
{
	for (size_t turn = 1; turn < p->set->turns; turn++)
		for (size_t i = 0; i < p->set->n; i++)
			if (p->set->tables[i].turn == turn && p->set->tables[i].view &&
			    snowflake_push(
				    p, &p->set->tables[i],
				    "create or replace view {to} copy grants {query:query}") < 0)
				return -1;
	return 0;
}

/* The old side last: until here it has the name that views may still read. */
static int push_end(const struct push *p, const struct publish_container *c)
{
	char *words CLEANUP(mem_free_string) = words_of(c->to_seen);
	char *published CLEANUP(mem_free_string) = marked(words, "published ");
	char *demoted CLEANUP(mem_free_string) = marked(words, "demoted by ");
	static const char comment[] = "comment on schema {schema} is {comment:literal}";

	one_by_one_guards(p);
	if (push_schema(p->statements, p->dialect, &c->to, published, NULL, comment, p->err) < 0)
		return -1;
	if (c->from_seen && c->from_seen->is_aside)
		return 0;
	if (push_schema(p->statements, p->dialect, &c->from, demoted, NULL, comment, p->err) < 0)
		return -1;
	return push_schema(p->statements, p->dialect, &c->from, NULL, c->restore.schema,
			   "alter schema {schema} rename to {database}.{name}", p->err);
}

static int each_table(const struct push *p, push_fn *fn)
{
	for (size_t i = 0; i < p->set->n; i++)
		if (fn(p, &p->set->tables[i]) < 0)
			return -1;
	return 0;
}

typedef int container_fn(const struct push *p, const struct publish_container *c);

static int each_container(const struct push *p, container_fn *fn)
{
	for (size_t i = 0; i < p->set->container_count; i++)
		if (fn(p, &p->set->containers[i]) < 0)
			return -1;
	return 0;
}

int snowflake_swap(const struct push *p)
{
	bool returns = is_return(p->set);

	if (each_table(p, check_owner) < 0 || each_container(p, check_container) < 0 ||
	    each_table(p, check_from) < 0 || each_table(p, check_to) < 0)
		return -1;
	if (!returns &&
	    (each_container(p, push_settings) < 0 || each_container(p, push_grants) < 0))
		return -1;
	if (each_container(p, push_exchange) < 0)
		return -1;
	if (!returns && (push_views(p) < 0 || each_table(p, snowflake_push_kept) < 0 ||
			 names_no_staging(p) < 0))
		return -1;
	return each_table(p, verify) < 0 ? -1 : each_container(p, push_end);
}
