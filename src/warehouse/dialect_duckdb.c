/*
 * DuckDB 1.5 and later, through dbt-duckdb. Sources: its duckdb_*() table functions; what is
 * atomic and what a replace loses was measured on 2.0.
 *
 * A transaction is one string: it rolls back on an error, a raise and a kill alike. error() in a
 * case expression is evaluated only when its branch is taken.
 */
#include "airlock/warehouse/dialect_rows.h"
#include "airlock/warehouse/marker.h"

extern const char duckdb_files_sql[];
extern const char duckdb_observe_sql[];
extern const char duckdb_published_sql[];

#define FOLD(NAME) DUCKDB_FOLD(NAME)

#define ROW_WIDTH                                                                                  \
	"(select sum(case when c.data_type in ('BOOLEAN', 'TINYINT', 'UTINYINT') then 1 "          \
	"when c.data_type in ('SMALLINT', 'USMALLINT') then 2 "                                    \
	"when c.data_type in ('INTEGER', 'UINTEGER', 'DATE', 'FLOAT') then 4 "                     \
	"when c.data_type in ('BIGINT', 'UBIGINT', 'DOUBLE', 'TIME', 'TIMESTAMP', "                \
	"'TIMESTAMP WITH TIME ZONE') then 8 else 16 end)::bigint from duckdb_columns() c "         \
	"where c.database_oid = t.database_oid and c.table_oid = t.table_oid)"

#define HOLDER_COLUMNS                                                                             \
	"fence = fence + 1, nonce = '{nonce:bind}', id = '{id:bind}', name = '{name:bind}', "      \
	"username = '{user:bind}', host = '{host:bind}', boot = '{boot:bind}', "                   \
	"pid = {pid:bind}, start = '{start:bind}', since = '{since:bind}', phase = '{phase:bind}'"

/* No lease: while dbt builds nobody else can open the file, so it could not be renewed. */
#define HOLDER                                                                                     \
	"'deployment ''' || id || ''' (' || name || ') of ' || username || ' on ' || host "        \
	"|| ', process ' || pid || ', since ' || since || ', phase ' || phase"

/* Nothing else identifies a table. */
#define OBSERVE_ROWS                                                                               \
	"select json_object('database', w.d, 'schema', w.s, 'identifier', w.i, "                   \
	"'object', '', 'rows', q.n, 'content', q.h)::varchar "                                     \
	"from (values {names:names}) as w (d, s, i), "                                             \
	"(select count(*) as n, coalesce(sum(hash(*columns(*))::hugeint), 0)::varchar as h "       \
	"from {relation:relation}) q"

/*
 * Files that were put aside. The history says which; whether one is there is seen in its folder,
 * which no statement lists beside a table. What it is says the comment of the log in it.
 */
#define FILES_OBSERVE                                                                              \
	"select json_object('schema', e.value ->> 'schema', 'file', (select path "                 \
	"from duckdb_databases() where database_name = current_database()), 'bytes', 0, "          \
	"'id', l.id, 'at', strftime(l.logged_at at time zone 'UTC', '%Y-%m-%dT%H:%M:%S.%gZ'), "    \
	"'age', date_diff('second', l.logged_at, now()), 'restore', e.value)::varchar "            \
	"from {log:relation} l, json_each(l.detail::json) e where l.event = 'restores' "           \
	"and (e.value ->> 'file') is not null"

#define FILE_CHECK                                                                                 \
	"attach if not exists {file:literal} as {alias:ident} (read_only); "                       \
	"select case when exists (select 1 from duckdb_tables() t, {log:relation} l "              \
	"where l.id = {maker:literal} and l.event = 'restores' "                                   \
	"and t.database_name = {identifier:literal} and t.schema_name = 'airlock' "                \
	"and t.table_name = 'airlock_log' and t.comment = {marker:literal}) then 'ours' "          \
	"else error('" DIALECT_RAISED_CONFLICT                                                     \
	" ' || {shown:literal} || ' is no longer what the history says') end"

#define FILE_LOG                                                                                   \
	"insert into {log:relation} (id, logged_at, event, detail) "                               \
	"select '{id:bind}', now(), 'restores', "                                                  \
	"coalesce(to_json(list(json_merge_patch(e.value, json_object('made', null, "               \
	"'prefix', null, 'was', null, 'file', true, 'schema', (e.value ->> 'prefix') || "          \
	"'{id:bind}', "                                                                            \
	"'bytes', (select s.block_size * s.total_blocks from pragma_database_size() s "            \
	"where s.database_name = current_database()), 'expires_at', "                              \
	"strftime((now() + to_seconds((e.value ->> 'keep_for')::bigint)) "                         \
	"at time zone 'UTC', '%Y-%m-%dT%H:%M:%S.%gZ')))))::varchar, '[]') "                        \
	"from json_each({detail:literal}::json) e"

static const char *const templates[DIALECT_TEMPLATE_COUNT] = {
	[DIALECT_OBSERVE_SESSION] =
		"select json_object('user', current_user, 'database', current_database(), "
		"'version', version())::varchar",
	[DIALECT_OBSERVE_SCHEMAS] =
		"select distinct json_object('database', w.d, 'schema', w.s)::varchar "
		"from (values {names:names}) as w (d, s, i) "
		"join duckdb_schemas() n on " FOLD("n.database_name") " = " FOLD(
			"w.d") " "
			       "and " FOLD("n.schema_name") " = " FOLD("w.s"),
	[DIALECT_OBSERVE_RELATIONS] = duckdb_observe_sql,
	[DIALECT_OBSERVE_CONTAINERS] = duckdb_files_sql,
	[DIALECT_OBSERVE_CONTENT] = OBSERVE_ROWS,
	[DIALECT_OBSERVE_ROWS] = OBSERVE_ROWS,
	[DIALECT_OBSERVE_HISTORY] =
		"select json_object('database', {database:literal}, 'schema', {in_schema:literal}, "
		"'identifier', {identifier:literal}, 'lost', count(*))::varchar "
		"from {to:relation} as t where not exists "
		"(select 1 from {from:relation} as f where f.{key:ident} = t.{key:ident})",
	[DIALECT_OBSERVE_RESTORES] =
		"select json_object('identifier', t.table_name, 'object', null, "
		"'comment', t.comment, 'bytes', t.estimated_size * " ROW_WIDTH ", 'id', r.id, "
		"'at', strftime(r.logged_at at time zone 'UTC', '%Y-%m-%dT%H:%M:%S.%gZ'), "
		"'age', date_diff('second', r.logged_at, now()), 'restore', r.e)::varchar "
		"from duckdb_tables() t "
		"left join (select l.id, l.logged_at, e.value as e from {log:relation} l, "
		"json_each(l.detail::json) e where l.event = 'restores') r "
		"on t.table_name = 'r_' || r.id || '_' || (r.e ->> 'number') "
		"where t.database_name = current_database() "
		"and t.schema_name = {restore_schema:literal} union all " FILES_OBSERVE,
	[DIALECT_ASIDE_CHECK] = FILE_CHECK,
	[DIALECT_OBSERVE_EXISTING] =
		"select json_object('database', w.d, 'schema', w.s, 'identifier', w.i)::varchar "
		"from (values {names:names}) as w (d, s, i) "
		"join (select database_name, schema_name, table_name from duckdb_tables() "
		"union all select database_name, schema_name, view_name from duckdb_views()) t "
		"on " FOLD("t.database_name") " = " FOLD(
			"w.d") " "
			       "and " FOLD("t.schema_name") " = " FOLD(
				       "w.s") " "
					      "and " FOLD("t.table_name") " = " FOLD("w.i"),
	[DIALECT_OBSERVE_PUBLISHED] = duckdb_published_sql,
	[DIALECT_OBSERVE_LEFT] =
		"select json_object('lock', table_name)::varchar from duckdb_tables() "
		"where database_name = current_database() and schema_name = 'airlock' "
		"and regexp_matches(table_name, '^airlock_lock_[0-9a-f]+$') "
		"union all select json_object('side', schema_name || '.' || table_name)::varchar "
		"from duckdb_tables() where database_name = current_database() "
		"and schema_name <> 'airlock' "
		"and regexp_matches(table_name, '^airlock_[0-9]{{14}_[0-9a-f]{{6}_[0-9]+$') "
		"union all select json_object('copy', table_name)::varchar from duckdb_tables() "
		"where database_name = current_database() and schema_name = 'airlock' "
		"and starts_with(table_name, 'mirror_') "
		"and starts_with(comment, '" MARKER_MIRROR "') "
		"union all select json_object('unfinished', id)::varchar from {log:relation} "
		"group by id having bool_or(event = 'intent') "
		"and not bool_or(event in ('finished', 'aborted'))",
	[DIALECT_RESTORE_CHECK] =
		"select case when exists (select 1 from duckdb_tables() t, {log:relation} l, "
		"json_each(l.detail::json) e where l.id = {maker:literal} "
		"and l.event = 'restores' and t.database_name = current_database() "
		"and t.schema_name = {restore_schema:literal} "
		"and t.table_name = {identifier:literal} and t.comment = {marker:literal} "
		"and 'r_' || l.id || '_' || (e.value ->> 'number') = t.table_name) then 'ours' "
		"else error('" DIALECT_RAISED_CONFLICT " ' || {shown:literal} "
		"|| ' is no longer what the history says') end",
	[DIALECT_RESTORE_DROP] = "drop table {restore:relation}",
	[DIALECT_RESTORE_DROPPED] = "insert into {log:relation} (id, logged_at, event, detail) "
				    "values ({maker:literal}, now(), 'expired', {detail:literal})",
	[DIALECT_SCHEMA_CREATE] = "create schema if not exists {schema:schema}",
	[DIALECT_LOG_CREATE] =
		"create table if not exists {log:relation} (id varchar not null, "
		"logged_at timestamptz not null, event varchar not null, detail varchar not null)",
	[DIALECT_LOCK_CREATE] =
		"create table if not exists {lock:relation} as select 0::bigint as fence, "
		"''::varchar as nonce, ''::varchar as id, ''::varchar as name, "
		"''::varchar as username, ''::varchar as host, ''::varchar as boot, "
		"0::bigint as pid, ''::varchar as start, ''::varchar as since, "
		"''::varchar as phase, {container:literal}::varchar as container",
	[DIALECT_LOCK_ACQUIRE] = "update {lock:relation} set " HOLDER_COLUMNS " where nonce = ''",
	[DIALECT_LOCK_ACQUIRE_NEXT] =
		"update {lock:relation} set " HOLDER_COLUMNS " where nonce = '' and exists "
		"(select 1 from {previous:relation} p where p.nonce = '{nonce:bind}')",
	[DIALECT_LOCK_TAKE] =
		"begin; update {lock:relation} set " HOLDER_COLUMNS
		" where nonce = {holder:literal} and fence = {seen:number} "
		"and {dead_for_sure:number} = 1; "
		"insert into {log:relation} (id, logged_at, event, detail) "
		"select {dead:literal}, now(), case when exists (select 1 "
		"from {log:relation} where id = {dead:literal} and event = 'published') "
		"then 'finished' else 'aborted' end, {detail:literal} "
		"from {lock:relation} where nonce = '{nonce:bind}' and not exists (select 1 "
		"from {log:relation} where id = {dead:literal} and event in ('finished', "
		"'aborted')); "
		"commit",
	[DIALECT_LOCK_RESUME] = "update {lock:relation} set " HOLDER_COLUMNS
				" where nonce = {holder:literal} and fence = {seen:number} "
				"and {dead_for_sure:number} = 1",
	[DIALECT_LOCK_READ] =
		"select json_object('container', l.container, "
		"'rows', (select count(*) from {lock:relation}), 'fence', l.fence, "
		"'nonce', l.nonce, 'id', l.id, 'name', l.name, 'user', l.username, "
		"'host', l.host, 'boot', l.boot, 'pid', l.pid, 'start', l.start, "
		"'since', l.since, 'phase', l.phase, 'expired', false, 'published', exists (select "
		"1 "
		"from {log:relation} g where g.id = l.id and g.event = 'published'))::varchar "
		"from {lock:relation} l",
	[DIALECT_LOCK_HELD] = "select json_object('fence', fence)::varchar from {lock:relation} "
			      "where nonce = '{nonce:bind}'",
	[DIALECT_LOCK_LIST] =
		"select json_object('identifier', t.table_name)::varchar from duckdb_tables() t "
		"where " FOLD("t.database_name") " = " FOLD(
			"{database:literal}") " "
					      "and t.schema_name = {state:literal} "
					      "and starts_with(t.table_name, 'airlock_lock_') "
					      "order by t.table_name",
	[DIALECT_LOCK_RELEASE] = "update {lock:relation} set nonce = '', phase = 'free' where "
				 "nonce = '{nonce:bind}'",
	[DIALECT_FENCE_RAISE] =
		"update {lock:relation} set fence = fence + 1 where nonce = '{nonce:bind}'",
	[DIALECT_FENCE_CHECK] =
		"update {lock:relation} set phase = {doing:literal} where nonce = '{nonce:bind}'; "
		"select case when (select count(*) from {lock:relation} "
		"where nonce = '{nonce:bind}') = 1 then 'held' else error('" DIALECT_RAISED_FENCE
		" the lock of ' || {container:literal} "
		"|| ' was taken from this deployment and is held by ' || (select case nonce "
		"when '' then 'nobody' else " HOLDER " end from {lock:relation})) end",
	[DIALECT_FENCE_PRODUCTION] =
		"select case when (select count(*) from {lock:relation} "
		"where nonce in ('', '{nonce:bind}')) = 1 then 'free' "
		"else error('" DIALECT_RAISED_HELD " ' || {container:literal} "
		"|| ' is held by ' || (select " HOLDER " from {lock:relation})) end",
	[DIALECT_LOG_INSERT] = "insert into {log:relation} (id, logged_at, event, detail) "
			       "values ('{id:bind}', now(), {event:literal}, {detail:literal})",
	[DIALECT_LOG_BEGUN] =
		"insert into {log:relation} (id, logged_at, event, detail) "
		"select '{id:bind}', now(), 'begun', left({detail:literal}, "
		"length({detail:literal}) - 1) || ',\"fence\":' || l.fence || '}' "
		"from {lock:relation} l where l.nonce = '{nonce:bind}' and not exists (select 1 "
		"from {log:relation} g where g.id = '{id:bind}' and g.event in ('begun', "
		"'finished', 'aborted'))",
	[DIALECT_LOG_HELD] =
		"insert into {log:relation} (id, logged_at, event, detail) "
		"select '{id:bind}', now(), {event:literal}, {detail:literal} "
		"from {lock:relation} l where l.nonce = '{nonce:bind}' and not exists (select 1 "
		"from {log:relation} g where g.id = '{id:bind}' and (g.event in ('finished', "
		"'aborted') or g.event = {event:literal} and g.detail = {detail:literal}))",
	/* Nothing identifies a table: an oid is given anew whenever the file is opened. */
	[DIALECT_LOG_OBJECTS] =
		"insert into {log:relation} (id, logged_at, event, detail) "
		"select '{id:bind}', now(), 'objects', "
		"coalesce(to_json(list(json_object('database', w.d, 'schema', w.s, "
		"'identifier', w.i, 'object', t.object)))::varchar, '[]') "
		"from (values {names:names}) as w (d, s, i) "
		"join (select database_name, schema_name, table_name, null as object "
		"from duckdb_tables() union all select database_name, schema_name, view_name, "
		"md5(sql) from duckdb_views()) t on " FOLD("t.database_name") " = " FOLD(
			"w.d") " "
			       "and " FOLD("t.schema_name") " = " FOLD(
				       "w.s") " "
					      "and " FOLD("t.table_name") " = " FOLD("w.i"),
	/* The size is an estimate, of rows as they are in memory: blocks are given out later. */
	[DIALECT_LOG_RESTORES] =
		"insert into {log:relation} (id, logged_at, event, detail) "
		"select '{id:bind}', now(), 'restores', "
		"coalesce(to_json(list(json_merge_patch(e.value, json_object("
		"'bytes', (e.value ->> 'rows')::bigint * " ROW_WIDTH ", 'expires_at', "
		"strftime((now() + to_seconds((e.value ->> 'keep_for')::bigint)) "
		"at time zone 'UTC', '%Y-%m-%dT%H:%M:%S.%gZ')))))::varchar, '[]') "
		"from json_each({detail:literal}::json) e "
		"join duckdb_tables() t on t.database_name = current_database() "
		"and t.schema_name = {restore_schema:literal} "
		"and t.table_name = 'r_{id:bind}_' || (e.value ->> 'number')",
	[DIALECT_LOG_ASIDE] = FILE_LOG,
	/* As it was written: the clocks of the machines that did may differ, or be set back. */
	[DIALECT_LOG_READ] =
		"select json_object('id', id, 'at', strftime(logged_at at time zone 'UTC', "
		"'%Y-%m-%dT%H:%M:%S.%gZ'), 'event', event, 'detail', detail, "
		"'age', date_diff('second', logged_at, now()))::varchar "
		"from {log:relation} where {only:literal} in ('', id) order by rowid",
	[DIALECT_LOG_PROBE] =
		"select json_object('published', exists (select 1 from {log:relation} "
		"where id = '{id:bind}' and event = 'published'))::varchar",
};

static const char *const transaction_settings[] = { NULL };

static const char *const transient[] = { NULL };

/* The file was not opened: nothing was sent. */
static const char *const unreachable[] = { "Could not set lock on file", NULL };

const struct dialect dialect_duckdb = {
	.name = "duckdb",
	.title = "DuckDB",
	.quote = '"',
	.identifier_max = 1024, /* no limit found; a name longer than this is a mistake */
	.folds_case = true,     /* quoted names too */
	.names_database = true,
	.moves_objects = false,
	.views_follow_names = true,
	.one_writer = true,
	.swaps_files = true,
	.changes_set_atomically = true,
	.unseen_by_identity = "a change of comments, constraints or indexes",
	.unseen_by_content = "a change of comments, constraints or indexes",
	.transaction = DIALECT_TRANSACTION_STRING,
	.transaction_settings = transaction_settings,
	.transient = transient,
	.unreachable = unreachable,
	.templates = templates,
	.choose_way = duckdb_choose_way,
	.publish = duckdb_publish,
	.keep = publish_keep,
	.carry = duckdb_carry,
	.choose_copy = publish_choose_copy,
	.copy = duckdb_copy,
};
