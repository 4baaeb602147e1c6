/*
 * Snowflake, through dbt-snowflake; run against a stand-in only (test/support/snowflake).
 *
 * DDL commits by itself, so there is no transaction of a publish: each statement stands alone, and
 * production's lock is held. A raise is a text that is no number: to_number() is asked of the whole
 * case expression, which does not hang on which branches are computed first. Times are UTC without
 * a zone, whatever the session's. Unquoted names are stored in capitals; ours are quoted.
 */
#include "airlock/warehouse/dialect_rows.h"
#include "airlock/warehouse/marker.h"
#include "snowflake_aside.h"

extern const char snowflake_containers_sql[];
extern const char snowflake_observe_sql[];

#define UTC SNOWFLAKE_UTC

#define OBJECT "date_part(epoch_microsecond, t.created)::varchar"

#define LEASE "dateadd(second, {lease:bind}, sysdate())"
/* A quarter of it: what begins behind such a look has ended, or can be found, before others may
 * take the lock. */
#define LEASE_ENDS "dateadd(millisecond, {lease:bind} * 250, sysdate())"

#define HOLDER_COLUMNS                                                                             \
	"fence = fence + 1, nonce = '{nonce:bind}', id = '{id:bind}', name = '{name:bind}', "      \
	"username = '{user:bind}', host = '{host:bind}', boot = '{boot:bind}', "                   \
	"pid = {pid:bind}, began = '{start:bind}', since = '{since:bind}', "                       \
	"phase = '{phase:bind}', expires = " LEASE

#define HOLDER                                                                                     \
	"'deployment ''' || id || ''' (' || name || ') of ' || username || ' on ' || host "        \
	"|| ', process ' || pid::varchar || ', since ' || since || ', phase ' || phase"

#define DEAD                                                                                       \
	" where nonce = {holder:literal} and fence = {seen:number} "                               \
	"and ({dead_for_sure:number} = 1 or expires < sysdate())"

/* The two times are those of the table that was counted. */
#define OBSERVE_ROWS(CONTENT)                                                                      \
	"select to_json(object_construct('database', t.table_catalog, "                            \
	"'schema', t.table_schema, 'identifier', t.table_name, 'object', " OBJECT ", "             \
	"'version', date_part(epoch_microsecond, t.last_altered)::varchar, "                       \
	"'rows', q.n" CONTENT ")) "                                                                \
	"from (values {names:names}) as w (d, s, i) "                                              \
	"join {catalog}.information_schema.tables t on t.table_catalog = w.d "                     \
	"and t.table_schema = w.s and t.table_name = w.i "

static const char *const templates[DIALECT_TEMPLATE_COUNT] = {
	[DIALECT_OBSERVE_SESSION] =
		"select to_json(object_construct('user', current_user(), 'database', "
		"current_database(), 'version', current_version()))",
	[DIALECT_OBSERVE_SCHEMAS] =
		"select distinct to_json(object_construct('database', n.catalog_name, "
		"'schema', n.schema_name)) from (values {names:names}) as w (d, s, i) "
		"join {catalog}.information_schema.schemata n "
		"on n.catalog_name = w.d and n.schema_name = w.s",
	[DIALECT_OBSERVE_RELATIONS] = snowflake_observe_sql,
	[DIALECT_OBSERVE_CONTAINERS] = snowflake_containers_sql,
	[DIALECT_OBSERVE_FUTURE] =
		"show future grants in {kind:statement} {schema:schema}; "
		"select to_json(object_construct('future_of', {of:literal}, 'database', "
		"{database:literal}, 'schema', {identifier:literal}, 'grants', coalesce(array_agg("
		"object_construct('on', 'future ' || lower(\"grant_on\"), 'schema', "
		"{identifier:literal}, "
		"'name', '', 'privilege', \"privilege\", 'to', \"grant_to\", 'grantee', "
		"\"grantee_name\", 'option', \"grant_option\" = 'true')), array_construct()))) "
		"from table(result_scan(last_query_id()))",
	/* Its own, and not those that it inherits (docs.snowflake.com, TAG_REFERENCES). */
	[DIALECT_OBSERVE_TAGS] =
		"select to_json(object_construct('tags_of', {of:literal}, 'database', "
		"{database:literal}, 'schema', {identifier:literal}, 'tags', coalesce(array_agg("
		"object_construct('schema', {identifier:literal}, 'tag', "
		"array_construct(tag_database, tag_schema, tag_name), 'value', tag_value)) "
		"within group (order by tag_database, tag_schema, tag_name), array_construct()))) "
		"from table({catalog:ident}.information_schema.tag_references({it:literal}, "
		"{type:literal})) where level = upper({type:literal})",
	[DIALECT_OBSERVE_DYNAMIC] =
		"show dynamic tables in {kind:statement} {schema:schema}; "
		"select to_json(object_construct('refreshes', {database:literal}, 'schema', "
		"{identifier:literal}, 'dynamic', coalesce(array_agg(object_construct('schema', "
		"\"schema_name\", 'name', \"name\")) within group (order by \"created_on\"), "
		"array_construct()))) from table(result_scan(last_query_id())) "
		"where lower(\"scheduling_state\") <> 'suspended'",
	[DIALECT_ASIDE_CHECK] = ASIDE_CHECK,
	[DIALECT_ASIDE_DROP] = "drop schema {aside:schema}",
	[DIALECT_ASIDE_DATABASE_CHECK] = ASIDE_DATABASE_CHECK,
	[DIALECT_ASIDE_DATABASE_DROP] = "drop database {aside:schema}",
	[DIALECT_LOG_ASIDE] = ASIDE_LOG,
	[DIALECT_LOG_ALTERED] =
		"insert into {log:relation} (id, logged_at, event, detail) "
		"select '{id:bind}', sysdate(), 'altered', to_json(object_construct('database', "
		"{database:literal}, 'schema', {in_schema:literal}, 'altered', " SNOWFLAKE_ALTERED(
			"{in_schema:literal}") "))",
	[DIALECT_TAG] = "alter session set query_tag = 'airlock:{id:bind}'",
	[DIALECT_RUNNING] =
		"select to_json(object_construct('running', q.n)) from (select count(*) as n from "
		"table(information_schema.query_history_by_user(result_limit => 10000)) "
		"where query_tag = 'airlock:{id:bind}' and execution_status in ('RUNNING', "
		"'QUEUED', 'BLOCKED', 'RESUMING_WAREHOUSE')) q",
	[DIALECT_OBSERVE_CONTENT] = OBSERVE_ROWS(
		", 'content', q.h") "cross join (select count(*) as n, hash_agg(*)::varchar as h "
				    "from {relation:relation}) q",
	[DIALECT_OBSERVE_ROWS] =
		OBSERVE_ROWS("") "cross join (select count(*) as n from {relation:relation}) q",
	[DIALECT_OBSERVE_HISTORY] =
		"select to_json(object_construct('database', {database:literal}, "
		"'schema', {in_schema:literal}, 'identifier', {identifier:literal}, "
		"'lost', count(*))) "
		"from {to:relation} as t where not exists "
		"(select 1 from {from:relation} as f where f.{key:ident} = t.{key:ident})",
	/* Policies that a role may not see it names as unknown (assigned_snowflake.h). */
	[DIALECT_OBSERVE_DDL] =
		"select to_json(object_construct('database', {database:literal}, 'schema', "
		"{in_schema:literal}, 'identifier', {identifier:literal}, 'ddl', "
		"get_ddl({type:literal}, {it:literal}, true)))",
	[DIALECT_OBSERVE_RESTORES] =
		"select to_json(object_construct('identifier', t.table_name, 'object', " OBJECT
		", 'comment', t.comment, 'bytes', t.bytes, 'id', r.id, 'at', " UTC(
			"r.logged_at") ", "
				       "'age', datediff(second, r.logged_at, sysdate()), "
				       "'restore', r.e)) from "
				       "{home:ident}.information_schema.tables t "
				       "left join (select l.id, l.logged_at, e.value as e from "
				       "{log:relation} l, lateral flatten(input => "
				       "parse_json(l.detail)) e where l.event = 'restores') r "
				       "on t.table_name = 'r_' || r.id || '_' || "
				       "r.e:number::varchar "
				       "where t.table_schema = {restore_schema:literal} "
				       "union all " ASIDE_OBSERVE
				       " union all " ASIDE_DATABASES_OBSERVE,
	[DIALECT_OBSERVE_EXISTING] =
		"select to_json(object_construct('database', w.d, 'schema', w.s, "
		"'identifier', w.i)) from (values {names:names}) as w (d, s, i) "
		"join {catalog}.information_schema.tables t on t.table_catalog = w.d "
		"and t.table_schema = w.s and t.table_name = w.i",
	[DIALECT_OBSERVE_LEFT] =
		"select to_json(object_construct('lock', table_name)) "
		"from {home:ident}.information_schema.tables where table_schema = 'airlock' "
		"and startswith(table_name, 'airlock_lock_') union all "
		"select to_json(object_construct('side', table_schema || '.' || table_name)) "
		"from {home:ident}.information_schema.tables where table_schema = 'airlock' "
		"and startswith(table_name, 'airlock_stage_') union all "
		"select to_json(object_construct('copy', table_name)) "
		"from {home:ident}.information_schema.tables where table_schema = 'airlock' "
		"and startswith(table_name, 'mirror_') "
		"and startswith(comment, '" MARKER_MIRROR "') union all "
		"select to_json(object_construct('unfinished', id)) from {log:relation} "
		"group by id having count_if(event = 'intent') > 0 "
		"and count_if(event in ('finished', 'aborted')) = 0",
	[DIALECT_RESTORE_CHECK] =
		"select to_number(case when (select count(*) from "
		"{home:ident}.information_schema.tables t "
		"cross join (select l.id, e.value as e from {log:relation} l, "
		"lateral flatten(input => parse_json(l.detail)) e where l.event = 'restores' "
		"and l.id = {maker:literal}) r "
		"where t.table_schema = {restore_schema:literal} "
		"and t.table_name = {identifier:literal} and t.comment = {marker:literal} "
		"and 'r_' || r.id || '_' || r.e:number::varchar = t.table_name) > 0 then '1' "
		"else '" DIALECT_RAISED_CONFLICT " ' || {shown:literal} "
		"|| ' is no longer what the history says' end)",
	[DIALECT_RESTORE_DROP] = "drop table {restore:relation}",
	[DIALECT_RESTORE_DROPPED] =
		"insert into {log:relation} (id, logged_at, event, detail) "
		"select {maker:literal}, sysdate(), 'expired', {detail:literal}",
	[DIALECT_SCHEMA_CREATE] = "create schema if not exists {schema:schema}",
	[DIALECT_LOG_CREATE] =
		"create table if not exists {log:relation} (id varchar not null, "
		"logged_at timestamp_ntz not null, event varchar not null, detail varchar not "
		"null)",
	/* One of two at once may hear that it exists: it is asked again (`transient`). */
	[DIALECT_LOCK_CREATE] =
		"create table if not exists {lock:relation} as select 0::bigint as fence, "
		"''::varchar as nonce, ''::varchar as id, ''::varchar as name, "
		"''::varchar as username, ''::varchar as host, ''::varchar as boot, "
		"0::bigint as pid, ''::varchar as began, ''::varchar as since, "
		"''::varchar as phase, null::timestamp_ntz as expires, "
		"{container:literal}::varchar as container",
	[DIALECT_LOCK_ACQUIRE] = "update {lock:relation} set " HOLDER_COLUMNS " where nonce = ''",
	[DIALECT_LOCK_ACQUIRE_NEXT] =
		"update {lock:relation} set " HOLDER_COLUMNS " where nonce = '' and exists "
		"(select 1 from {previous:relation} p where p.nonce = '{nonce:bind}')",
	/* Rows alone do have transactions. */
	[DIALECT_LOCK_TAKE] =
		"begin; update {lock:relation} set " HOLDER_COLUMNS DEAD "; "
		"insert into {log:relation} (id, logged_at, event, detail) "
		"select {dead:literal}, sysdate(), case when (select count(*) "
		"from {log:relation} where id = {dead:literal} and event = 'published') > 0 "
		"then 'finished' else 'aborted' end, {detail:literal} "
		"from {lock:relation} where nonce = '{nonce:bind}' and not exists (select 1 "
		"from {log:relation} where id = {dead:literal} and event in ('finished', "
		"'aborted')); commit",
	[DIALECT_LOCK_RESUME] = "update {lock:relation} set " HOLDER_COLUMNS DEAD,
	[DIALECT_LOCK_READ] =
		"select to_json(object_construct('container', l.container, 'rows', (select "
		"count(*) "
		"from {lock:relation}), 'fence', l.fence, 'nonce', l.nonce, 'id', l.id, "
		"'name', l.name, 'user', l.username, 'host', l.host, 'boot', l.boot, "
		"'pid', l.pid, 'start', l.began, 'since', l.since, 'phase', l.phase, "
		"'expires', " UTC("l.expires") ", 'expired', coalesce(l.expires < sysdate(), "
					       "false), "
					       "'published', g.n is not null)) "
					       "from {lock:relation} l left join (select id, "
					       "count(*) as n from {log:relation} "
					       "where event = 'published' group by id) g "
					       "on g.id = l.id",
	[DIALECT_LOCK_HELD] = "select to_json(object_construct('fence', fence)) "
			      "from {lock:relation} where nonce = '{nonce:bind}'",
	[DIALECT_LOCK_LIST] =
		"select to_json(object_construct('identifier', table_name)) "
		"from {home:ident}.information_schema.tables where table_catalog = "
		"{database:literal} "
		"and table_schema = {state:literal} and startswith(table_name, 'airlock_lock_') "
		"order by table_name",
	[DIALECT_LOCK_RELEASE] = "update {lock:relation} set nonce = '', phase = 'free' where "
				 "nonce = '{nonce:bind}'",
	[DIALECT_FENCE_RAISE] =
		"update {lock:relation} set fence = fence + 1 where nonce = '{nonce:bind}'",
	[DIALECT_FENCE_CHECK] =
		"update {lock:relation} set phase = {doing:literal}, expires = " LEASE
		" where nonce = '{nonce:bind}'; "
		"select to_number(case when (select count(*) from {lock:relation} "
		"where nonce = '{nonce:bind}') = 1 then '1' else '" DIALECT_RAISED_FENCE
		" the lock of ' || {container:literal} "
		"|| ' was taken from this deployment and is held by ' || (select case nonce "
		"when '' then 'nobody' else " HOLDER " end from {lock:relation}) end)",
	[DIALECT_FENCE_HELD] =
		"select to_number(case when (select count(*) from {lock:relation} "
		"where nonce = '{nonce:bind}' and expires > " LEASE_ENDS ") = 1 then '1' "
		"else '" DIALECT_RAISED_FENCE " the lock of ' || {container:literal} "
		"|| (select case nonce when '{nonce:bind}' "
		"then ' is not renewed, and its lease runs out' "
		"when '' then ' was taken from this deployment and is held by nobody' "
		"else ' was taken from this deployment and is held by ' || " HOLDER
		" end from {lock:relation}) end)",
	[DIALECT_FENCE_PRODUCTION] =
		"select to_number(case when (select count(*) from {lock:relation} "
		"where nonce in ('', '{nonce:bind}')) = 1 then '1' "
		"else '" DIALECT_RAISED_HELD " ' || {container:literal} "
		"|| ' is held by ' || (select " HOLDER " from {lock:relation}) end)",
	[DIALECT_LOG_INSERT] = "insert into {log:relation} (id, logged_at, event, detail) "
			       "select '{id:bind}', sysdate(), {event:literal}, {detail:literal}",
	[DIALECT_LOG_BEGUN] =
		"insert into {log:relation} (id, logged_at, event, detail) "
		"select '{id:bind}', sysdate(), 'begun', left({detail:literal}, "
		"length({detail:literal}) - 1) || ',\"fence\":' || l.fence || '}' "
		"from {lock:relation} l where l.nonce = '{nonce:bind}' and not exists (select 1 "
		"from {log:relation} g where g.id = '{id:bind}' and g.event in ('begun', "
		"'finished', 'aborted'))",
	[DIALECT_LOG_HELD] =
		"insert into {log:relation} (id, logged_at, event, detail) "
		"select '{id:bind}', sysdate(), {event:literal}, {detail:literal} "
		"from {lock:relation} l where l.nonce = '{nonce:bind}' and not exists (select 1 "
		"from {log:relation} g where g.id = '{id:bind}' and (g.event in ('finished', "
		"'aborted') or g.event = {event:literal} and g.detail = {detail:literal}))",
	[DIALECT_LOG_OBJECTS] =
		"insert into {log:relation} (id, logged_at, event, detail) "
		"select '{id:bind}', sysdate(), 'objects', coalesce(to_json(array_agg("
		"object_construct('database', q.d, 'schema', q.s, 'identifier', q.i, "
		"'object', q.o))), '[]') from ({each}select w.d, w.s, w.i, "
		"case t.table_type when 'VIEW' then md5(v.view_definition) else " OBJECT
		" end as o from (values {names:names}) as w (d, s, i) "
		"join {catalog}.information_schema.tables t on t.table_catalog = w.d "
		"and t.table_schema = w.s and t.table_name = w.i "
		"left join {catalog}.information_schema.views v on v.table_catalog = w.d "
		"and v.table_schema = w.s and v.table_name = w.i{end}) q",
	[DIALECT_LOG_RESTORES] =
		"insert into {log:relation} (id, logged_at, event, detail) "
		"select '{id:bind}', sysdate(), 'restores', "
		"coalesce(to_json(array_agg("
		"object_construct('number', e.value:number, 'of', e.value:of, "
		"'rows', e.value:rows, 'content', e.value:content, 'keep', "
		"e.value:keep, "
		"'keep_for', e.value:keep_for, 'object', " OBJECT ", 'bytes', t.bytes, "
		"'expires_at', " UTC("dateadd(second, e.value:keep_for::bigint, "
				     "sysdate())") "))), "
						   "'[]')"
						   " "
						   "from (select "
						   "parse_json({detail:literal}) "
						   "as j) d, "
						   "lateral flatten(input => d.j) "
						   "e join "
						   "{home:ident}.information_schema.tables t "
						   "on t.table_schema = "
						   "{restore_schema:literal} "
						   "and t.table_name = "
						   "'r_{id:bind}_' || "
						   "e.value:number::varchar",
	[DIALECT_LOG_READ] = "select to_json(object_construct('id', id, 'at', " UTC(
		"logged_at") ", "
			     "'event', event, 'detail', detail, "
			     "'age', datediff(second, logged_at, sysdate()))) "
			     "from {log:relation} where {only:literal} in ('', id) order by "
			     "logged_at",
	[DIALECT_LOG_PROBE] =
		"select to_json(object_construct('published', (select count(*) "
		"from {log:relation} where id = '{id:bind}' and event = 'published') > 0))",
};

/* One statement, so that none is there without its rows or its marker. Permanent: a clone of it may
 * be either. */
static const char *const side_copy[] = {
	"create table if not exists {copy}{layout:catalog} comment = {marker:literal} "
	"{query:query}",
	NULL,
};

static const char *const transaction_settings[] = { NULL };

/* Undone by the service, or of two that create one thing at once. */
static const char *const transient[] = {
	"has locked table",
	"already exists, but current role has no privileges on it",
	NULL,
};

/* There was no session: nothing was sent. */
static const char *const unreachable[] = {
	"Failed to connect to DB",
	"Could not connect to Snowflake backend",
	NULL,
};

const struct dialect dialect_snowflake = {
	.name = "snowflake",
	.title = "Snowflake",
	.quote = '"',
	.identifier_max = 255,
	.folds_case = false, /* as stored: the manifest's names are folded when it is read */
	.folds_upper = true,
	.escapes_backslash = true,
	.catalog_per_database = true,
	.names_database = true,
	.crosses_databases = true,
	.moves_objects = false,
	.views_follow_names = true,
	.one_writer = false,
	.changes_set_atomically = false,
	.replaces_layout = true,
	.swaps_schemas = true,
	.swaps_databases = true,
	.remakes_views = true,
	.clones_containers = true,
	.unseen_by_identity =
		"a change of grants or policies, and what is written to a table in the "
		"moments before it is replaced",
	.unseen_by_content = "a change of comments, grants or policies, and what is written to a "
			     "table in the moments before it is replaced",
	.not_compared = "streams",
	.transaction = DIALECT_TRANSACTION_NONE,
	.transaction_settings = transaction_settings,
	.transient = transient,
	.unreachable = unreachable,
	.is_answer = snowflake_is_answer,
	.side_copy = side_copy,
	.templates = templates,
	.choose_way = snowflake_choose_way,
	.publish = snowflake_publish,
	.mark = snowflake_mark,
	.choose_copy = publish_choose_copy,
	.copy = snowflake_copy,
};
