/*
 * Schemas, or databases, that change places on Snowflake, one pair at a time: an exchange is one
 * statement and commits by itself. On which side of it one is its own comment says, which goes with
 * it.
 *
 * Order, and why: (1) both sides are what the tests and the plan saw. (2) The new side gets the
 * privileges of production, for it keeps its own (swap_snowflake_carry.c). (3) They change places.
 * Views of the new side still name staging's, where what was production is by now, whole: so (4)
 * they are made again, by the SQL compiled for production, before (5) anything of the old side is
 * touched, and nothing in production names staging any more; then it gets the name of a restore
 * point. A database leaves an empty one under its name, in one statement: dbt has somewhere to
 * connect to, and everything that is asked of both sides has an answer at any moment.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "airlock/warehouse/marker.h"
#include "assigned_snowflake.h"
#include "snowflake_aside.h"
#include "swap_snowflake.h"

#define MARK_ENDS "]"

#define MARK_OF_DATABASE_IS                                                                        \
	"(select count(*) from {catalog:ident}.information_schema.databases n "                    \
	"where n.database_name = {database:literal} and endswith(coalesce(n.comment, ''), "        \
	"{mark:literal})) = 1"

#define NAMES_NO_STAGING_DATABASE                                                                  \
	"(select count(*) from {catalog:ident}.information_schema.views v "                        \
	"where v.table_schema <> 'INFORMATION_SCHEMA' and regexp_count(upper(replace("             \
	"v.view_definition, '\"', '')), {names:literal}) > 0) = 0"

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

bool snowflake_is_decided(const struct publish_set *set)
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

	for (const char *p = strstr(comment, MARKER_BEGINS); p; p = strstr(p + 1, MARKER_BEGINS))
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
		mem_printf("%s%s" MARKER_BEGINS "%s", words, *words ? " " : "", what);

	return sql_bind_mark(prefix, "id", MARK_ENDS);
}

int snowflake_push_container(const struct push *p, const struct relation *container,
			     const char *comment, const struct relation *name, const char *text)
{
	const struct sql_arg args[] = {
		SQL_ARG_STATEMENT("kind", snowflake_is_database(container) ? "database" : "schema"),
		SQL_ARG_SCHEMA("it", container),
		SQL_ARG_LITERAL("comment", comment),
		SQL_ARG_SCHEMA("name", name ? name : container),
	};

	return dialect_push_text(p->statements, p->dialect, text, args, ARRAY_LEN(args), p->err);
}

static int push_comment(const struct push *p, const struct relation *container, const char *comment)
{
	return snowflake_push_container(p, container, comment, NULL,
					"comment on {kind:statement} {it} is {comment:literal}");
}

/* A database is there: dbt connects to it. What dbt makes in it is permanent unless it is there. */
static int push_transient_schemas(const struct push *p, const struct publish_container *c)
{
	for (size_t i = 0; c->to_seen && i < c->to_seen->schema_count; i++) {
		const struct container_schema *s = &c->to_seen->schemas[i];
		const struct relation schema = { c->from.database, s->name, NULL };

		if (s->is_transient && !c->to_seen->is_transient &&
		    !container_schema(c->from_seen, s->name) &&
		    snowflake_push_container(p, &schema, NULL, NULL,
					     "create transient schema if not exists {it}") < 0)
			return -1;
	}
	return 0;
}

static bool begins_as_clone(const struct push *p, const struct publish_container *c)
{
	return c->is_cloned && !p->set->is_reused;
}

static int push_green(const struct push *p, const struct publish_container *c)
{
	bool transient = c->to_seen && c->to_seen->is_transient;

	if (begins_as_clone(p, c))
		return snowflake_push_clone(p, c);
	if (snowflake_is_database(&c->from))
		return push_transient_schemas(p, c);
	return snowflake_push_container(p, &c->from, NULL, NULL,
					transient ? "create transient schema if not exists {it}"
						  : "create schema if not exists {it}");
}

int snowflake_mark(const struct dialect *dialect, const struct publish_set *set,
		   struct strv *statements, struct err *err)
{
	const struct push p = { statements, dialect, set, NULL, err };
	char *comment CLEANUP(mem_free_string) = marked("", "building ");

	for (size_t i = 0; i < set->container_count; i++)
		if (push_green(&p, &set->containers[i]) < 0 ||
		    push_comment(&p, &set->containers[i].from, comment) < 0 ||
		    (begins_as_clone(&p, &set->containers[i]) &&
		     snowflake_settle_clone(&p, &set->containers[i]) < 0))
			return -1;
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

int snowflake_push_check(const struct push *p, const struct relation *schema,
			 const struct snowflake_check *check, const char *what, const char *text)
{
	char *name CLEANUP(mem_free_string) = relation_display(schema);
	char *message CLEANUP(mem_free_string) = mem_printf("%s %s", name, what);
	char *undecided CLEANUP(mem_free_string) =
		mem_printf("what %s holds after the build", name);
	const struct sql_arg args[] = {
		SQL_ARG_IDENT("catalog", schema->database),
		SQL_ARG_LITERAL("schema", schema->schema),
		SQL_ARG_LITERAL("database", schema->database),
		{ .name = "seen",
		  .kind = SQL_LITERAL,
		  .text = check->seen,
		  .undecided = check->is_now || snowflake_is_decided(p->set) ? NULL : undecided },
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

/* Right before it changes places too: a statement of another process may still come. */
static int check_mark(const struct push *p, const struct publish_container *c)
{
	char *mark CLEANUP(mem_free_string) = mark_before(p, c);
	const struct snowflake_check from = { .mark = mark };

	return snowflake_push_check(
		p, &c->from, &from, "is not the one that this deployment began to build",
		snowflake_either(
			&c->from, SNOWFLAKE_RAISE_UNLESS(MARK_IS, DIALECT_RAISED_CONFLICT),
			SNOWFLAKE_RAISE_UNLESS(MARK_OF_DATABASE_IS, DIALECT_RAISED_CONFLICT)));
}

static int check_container(const struct push *p, const struct publish_container *c)
{
	static const char changed[] = "got or lost something after it was looked at";
	const struct snowflake_check from = { .seen = seen_of(c->from_seen) };
	const struct snowflake_check to = { .seen = seen_of(c->to_seen) };
	const char *text = snowflake_either(&c->to, SNOWFLAKE_CONTAINER_IS, SNOWFLAKE_DATABASE_IS);

	if (snowflake_is_swapped(c))
		return 0;
	if (check_mark(p, c) < 0 || snowflake_push_check(p, &c->from, &from, changed, text) < 0)
		return -1;
	return snowflake_push_check(p, &c->to, &to, changed, text);
}

/* Its container has changed places before this process took over. */
static bool is_there(const struct push *p, const struct publish_table *t)
{
	for (size_t i = 0; i < p->set->container_count; i++)
		if (snowflake_holds(p->dialect, &p->set->containers[i].to, t->to))
			return snowflake_is_swapped(&p->set->containers[i]);
	return false;
}

static int check_from(const struct push *p, const struct publish_table *t)
{
	if (!t->from || is_there(p, t))
		return 0;
	return one_by_one_check(
		p, t, t->from, t->from_table,
		snowflake_is_view(t)
			? SNOWFLAKE_RAISE_UNLESS(SNOWFLAKE_VIEW_IS, DIALECT_RAISED_CONFLICT)
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

static int names_none(const struct push *p, const struct relation *in,
		      const struct relation *staging)
{
	const char *name = snowflake_is_database(staging) ? staging->database : staging->schema;
	char *pattern CLEANUP(mem_free_string) = pattern_of(name);
	char *what CLEANUP(mem_free_string) = mem_printf("has a view that names %s", name);
	const struct snowflake_check check = { .pattern = pattern };

	return snowflake_push_check(
		p, in, &check, what,
		snowflake_either(
			in, SNOWFLAKE_RAISE_UNLESS(NAMES_NO_STAGING, DIALECT_RAISED_VIEW),
			SNOWFLAKE_RAISE_UNLESS(NAMES_NO_STAGING_DATABASE, DIALECT_RAISED_VIEW)));
}

static int names_no_staging(const struct push *p)
{
	for (size_t i = 0; i < p->set->container_count; i++)
		for (size_t k = 0; k < p->set->container_count; k++)
			if (names_none(p, &p->set->containers[i].to, &p->set->containers[k].from) <
			    0)
				return -1;
	return 0;
}

/* --- the exchange --- */

static int check_both(const struct push *p, const struct publish_table *t)
{
	const struct table *from = t->from_table;
	const struct table *to = t->to_table;

	if (!t->decided || !from || !to)
		return 0;
	if (!t->is_exact && snowflake_check_transience(
				    t,
				    "it is permanent in production and transient in staging, and "
				    "would be without fail-safe",
				    p->err) < 0)
		return -1;
	if (snowflake_check_owned(p, t->to, to->owner, to->owned) < 0 ||
	    snowflake_check_owned(p, t->from, from->owner, from->owned) < 0)
		return -1;
	return snowflake_check_owner(p, t->to, from->owner, to->owner);
}

/* It would be another one under its name, and go with the restore point. */
static int check_place(const struct push *p, const struct publish_table *t,
		       const struct assignment *one)
{
	struct relation in = assignment_schema(one);
	bool is_inside = false;

	for (size_t i = 0; i < p->set->container_count; i++)
		is_inside =
			is_inside || snowflake_holds(p->dialect, &p->set->containers[i].to, &in);
	free((char *)(uintptr_t)in.database);
	free((char *)(uintptr_t)in.schema);
	if (!is_inside)
		return 0;
	char *what CLEANUP(mem_free_string) =
		mem_printf("%s is set on it, and is itself in what is exchanged", one->name);

	return publish_refuse(t, what,
			      "move it to a schema or database of its own, or use "
			      "production-rollback or wac, which keep the tables",
			      p->err);
}

static int check_assigned(const struct push *p, const struct publish_table *t)
{
	struct assigned to CLEANUP(assigned_release) = { .columns = STRV_INIT };

	if (t->is_exact)
		return 0;
	if (snowflake_check_assigned(t, p->err) < 0)
		return -1;
	if (!t->to_table || !t->to_table->ddl)
		return 0;
	if (assigned_from_ddl(t->to_table->ddl, &to, p->err) < 0)
		return -1;
	for (size_t i = 0; i < to.n; i++)
		if (to.items[i].name && check_place(p, t, &to.items[i]) < 0)
			return -1;
	return 0;
}

static int push_assigned(const struct push *p, const struct publish_table *t)
{
	return t->from && !is_there(p, t) ? snowflake_push_assigned(p, t, t->from) : 0;
}

static int push_exchange(const struct push *p, const struct publish_container *c)
{
	if (snowflake_is_swapped(c))
		return 0;
	one_by_one_guard(p);
	if (check_mark(p, c) < 0)
		return -1;
	return snowflake_push_container(p, &c->to, NULL, &c->from,
					"alter {kind:statement} {it} swap with {name}");
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

/* An empty one takes its name in the statement that gives it its own. */
static int push_database_aside(const struct push *p, const struct publish_container *c)
{
	char *emptied CLEANUP(mem_free_string) = marked("", "emptied by ");
	bool transient = c->to_seen && c->to_seen->is_transient;

	if (snowflake_push_container(p, &c->restore, NULL, NULL,
				     transient ? "create transient database if not exists {it}"
					       : "create database if not exists {it}") < 0 ||
	    push_comment(p, &c->restore, emptied) < 0)
		return -1;
	return snowflake_push_container(p, &c->from, NULL, &c->restore,
					"alter database {it} swap with {name}");
}

/* The old side last: until here it has the name that views may still read. */
static int push_end(const struct push *p, const struct publish_container *c)
{
	char *words CLEANUP(mem_free_string) = words_of(c->to_seen);
	char *published CLEANUP(mem_free_string) = marked(words, "published ");
	char *demoted CLEANUP(mem_free_string) = marked(words, "demoted by ");

	one_by_one_guard(p);
	if (push_comment(p, &c->to, published) < 0)
		return -1;
	if (c->from_seen && c->from_seen->is_aside)
		return 0;
	if (push_comment(p, &c->from, demoted) < 0)
		return -1;
	if (snowflake_is_database(&c->from))
		return push_database_aside(p, c);
	return snowflake_push_container(p, &c->from, NULL, &c->restore,
					"alter schema {it} rename to {name}");
}

static int each_table(const struct push *p, push_fn *fn)
{
	for (size_t i = 0; i < p->set->n; i++)
		if (fn(p, &p->set->tables[i]) < 0)
			return -1;
	return 0;
}

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

	if (each_table(p, check_both) < 0 || each_table(p, check_assigned) < 0 ||
	    each_container(p, check_container) < 0 || each_table(p, check_from) < 0 ||
	    each_table(p, check_to) < 0 || each_container(p, snowflake_check_clone) < 0)
		return -1;
	if (!returns &&
	    (each_container(p, snowflake_carry) < 0 || each_table(p, push_assigned) < 0))
		return -1;
	if (each_container(p, push_exchange) < 0)
		return -1;
	if (!returns && (push_views(p) < 0 || each_table(p, snowflake_push_kept) < 0 ||
			 each_container(p, snowflake_resume_clone) < 0 || names_no_staging(p) < 0))
		return -1;
	return each_table(p, verify) < 0 ? -1 : each_container(p, push_end);
}
