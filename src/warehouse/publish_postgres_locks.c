/*
 * The locks of a publish on PostgreSQL.
 *
 * Locks are tried in attempts of `lock_attempt_ms` in all (lock_timeout counts per table, so what
 * is left of the attempt is set before each), released, and tried again after a pause: a reader
 * that comes behind a waiting lock waits no longer than one attempt.
 *
 * `lock table` would lock everything behind a view too. A view is locked by giving it the owner
 * that it has, which changes nothing and waits for its readers.
 */
#include <string.h>

#include "publish_postgres.h"

#define LOCK_BODY                                                                                  \
	"do declare names text[] := array[{names:statement}]; "                                    \
	"modes text[] := array[{modes:statement}]; n int; attempt timestamptz; holders text; "     \
	"pause float := 0.1; "                                                                     \
	"deadline timestamptz := clock_timestamp() + {timeout:number} * interval '1 ms'; "         \
	"begin loop begin attempt := clock_timestamp(); n := 0; "                                  \
	"while n < cardinality(names) loop n := n + 1; "                                           \
	"perform set_config('lock_timeout', greatest(1, {budget:number} - extract(epoch from "     \
	"clock_timestamp() - attempt) * 1000)::int || 'ms', true); "                               \
	"execute case modes[n] when 'view' then format('alter table %s owner to %I', names[n], "   \
	"(select pg_get_userbyid(c.relowner) from pg_class c where c.oid = names[n]::regclass)) "  \
	"else format('lock table %s in %s mode', names[n], modes[n]) end; end loop; "              \
	"perform set_config('lock_timeout', '{timeout:number}ms', true); exit; "                   \
	"exception when lock_not_available or deadlock_detected then "                             \
	"if clock_timestamp() > deadline then "                                                    \
	"select string_agg(distinct format('pid %s (%s) in \"%s\"', a.pid, "                       \
	"concat_ws(', ', a.usename, a.state), left(a.query, 120)), ', ') into holders "            \
	"from pg_locks l join pg_stat_activity a on a.pid = l.pid "                                \
	"where l.relation = names[n]::regclass and l.granted and l.pid <> pg_backend_pid() "       \
	"and l.database = (select oid from pg_database where datname = current_database()) "       \
	"and case modes[n] when 'access share' then l.mode = 'AccessExclusiveLock' "               \
	"when 'access exclusive' then true when 'view' then true "                                 \
	"else l.mode not in ('AccessShareLock', 'RowShareLock') end; "                             \
	"raise exception '" DIALECT_RAISED_LOCK " no % lock on % within {timeout:number} ms; "     \
	"held by %', modes[n], names[n], coalesce(holders, 'somebody who has gone'); "             \
	"end if; end; "                                                                            \
	"perform pg_sleep(pause); pause := least(pause * 2, 1); end loop; end"

static int add_literal(struct buf *list, const struct dialect *dialect, const char *text,
		       struct err *err)
{
	const struct sql_arg arg = SQL_ARG_LITERAL("t", text);

	if (list->len > 0)
		buf_add_str(list, ", ");
	return sql_render(list, dialect, "{t}", &arg, 1, err);
}

struct locks {
	struct buf names;
	struct buf modes;
};

static void locks_release(struct locks *locks)
{
	buf_release(&locks->names);
	buf_release(&locks->modes);
}

static int add_lock(struct locks *locks, const struct dialect *dialect,
		    const struct relation *relation, const char *mode, struct err *err)
{
	char *name CLEANUP(mem_free_string) = postgres_relation_text(dialect, relation, err);

	if (!name || add_literal(&locks->names, dialect, name, err) < 0)
		return -1;
	return add_literal(&locks->modes, dialect, mode, err);
}

static int push_locks(struct strv *statements, const struct dialect *dialect,
		      const struct publish_set *set, const struct locks *locks, struct err *err)
{
	const struct sql_arg args[] = {
		SQL_ARG_STATEMENT("names", buf_cstr(&locks->names)),
		SQL_ARG_STATEMENT("modes", buf_cstr(&locks->modes)),
		SQL_ARG_NUMBER("budget", set->lock_attempt_ms),
		SQL_ARG_NUMBER("timeout", set->timeout_ms),
	};

	if (locks->names.len == 0)
		return 0;
	return dialect_push_text(statements, dialect, LOCK_BODY, args, ARRAY_LEN(args), err);
}

/* Against writers of production and against anything that would replace a table of staging. */
int postgres_push_writer_locks(struct strv *statements, const struct dialect *dialect,
			       const struct publish_set *set, struct err *err)
{
	struct locks locks CLEANUP(locks_release) = { BUF_INIT, BUF_INIT };

	for (size_t i = 0; i < set->n; i++) {
		const struct publish_table *t = &set->tables[i];

		if (t->from && !t->view && !t->is_view &&
		    add_lock(&locks, dialect, t->from, "access share", err) < 0)
			return -1;
		if (t->to_table && strcmp(t->to_table->kind, "table") == 0 &&
		    add_lock(&locks, dialect, t->to, "share row exclusive", err) < 0)
			return -1;
	}
	return push_locks(statements, dialect, set, &locks, err);
}

/* Everything that can be read in a schema that is exchanged, whoever made it. */
static int add_container_locks(struct locks *locks, const struct dialect *dialect,
			       const struct container *container, struct err *err)
{
	for (size_t i = 0; container && i < container->object_count; i++) {
		const struct container_object *object = &container->objects[i];
		const struct relation relation = { container->schema.database,
						   container->schema.schema, object->name };
		bool is_table = strcmp(object->kind, "table") == 0;

		if (!is_table && strcmp(object->kind, "view") != 0 &&
		    strcmp(object->kind, "materialized view") != 0)
			continue;
		if (add_lock(locks, dialect, &relation, is_table ? "access exclusive" : "view",
			     err) < 0)
			return -1;
	}
	return 0;
}

int postgres_push_reader_locks(struct strv *statements, const struct dialect *dialect,
			       const struct publish_set *set, struct err *err)
{
	struct locks locks CLEANUP(locks_release) = { BUF_INIT, BUF_INIT };

	for (size_t i = 0; i < set->n; i++) {
		const struct publish_table *t = &set->tables[i];
		bool is_view = t->to_table && table_is_view(t->to_table);

		if (t->to_table && set->container_count == 0 &&
		    (is_view || publish_way_moves(t->way)) &&
		    add_lock(&locks, dialect, t->to, is_view ? "view" : "access exclusive", err) <
			    0)
			return -1;
	}
	for (size_t i = 0; i < set->container_count; i++)
		if (add_container_locks(&locks, dialect, set->containers[i].to_seen, err) < 0)
			return -1;
	for (size_t i = 0; i < set->dependent_count; i++)
		if (add_lock(&locks, dialect, &set->dependents[i].view->relation, "view", err) < 0)
			return -1;
	return push_locks(statements, dialect, set, &locks, err);
}
