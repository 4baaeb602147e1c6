/*
 * PostgreSQL 12 and later. Sources: the catalogs chapter of its manual; what a publish keeps and
 * how long readers wait was measured on 15.
 *
 * Statements of a transaction are calls of their own: a string that holds them all would be
 * committed by the server even after the client was killed.
 */
#include "airlock/warehouse/dialect_rows.h"
#include "airlock/warehouse/marker.h"
#include "postgres_aside.h"

extern const char postgres_containers_sql[];
extern const char postgres_grants_back_sql[];
extern const char postgres_grants_keep_sql[];
extern const char postgres_observe_sql[];

/* Whether the privileges that objects of this session get by default let anybody else read. */
#define DEFAULT_READERS(SCHEMA)                                                                    \
	"exists (select 1 from pg_default_acl f, aclexplode(f.defaclacl) x "                       \
	"where f.defaclrole = current_user::regrole and f.defaclobjtype = 'r' "                    \
	"and f.defaclnamespace in (0, " SCHEMA ") "                                                \
	"and x.privilege_type = 'SELECT' and x.grantee <> f.defaclrole)"

#define HOLDER_COLUMNS                                                                             \
	"fence = fence + 1, nonce = '{nonce:bind}', id = '{id:bind}', name = '{name:bind}', "      \
	"username = '{user:bind}', host = '{host:bind}', boot = '{boot:bind}', "                   \
	"pid = {pid:bind}, start = '{start:bind}', since = '{since:bind}', phase = "               \
	"'{phase:bind}', "                                                                         \
	"expires = " LEASE

/* By the clock of the server: those of the holders may differ. */
#define LEASE "clock_timestamp() + interval '{lease:bind} seconds'"

#define HOLDER                                                                                     \
	"format('deployment ''%s'' (%s) of %s on %s, process %s, since %s, phase %s, "             \
	"its lease ends %s', id, name, username, host, pid, since, phase, " UTC("expires") ")"

#define UTC(TIME) "to_char(" TIME " at time zone 'utc', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"

/* The version: which transaction wrote each row, and where it stands. A view has neither. */
#define OBSERVE_ROWS(CONTENT)                                                                      \
	"select json_build_object('database', w.d, 'schema', w.s, 'identifier', w.i, "             \
	"'object', c.oid::text || '/' || c.relfilenode::text, " CONTENT                            \
	"'rows', q.n, 'version', q.v)::text "                                                      \
	"from (values {names:names}) as w (d, s, i) "                                              \
	"join pg_namespace n on n.nspname = w.s "                                                  \
	"join pg_class c on c.relnamespace = n.oid and c.relname = w.i "                           \
	"cross join (select null::tid as ctid, null::xid as xmin) none cross join lateral "        \
	"(select count(*) as n, coalesce(sum(r.h), 0)::text as v from (select "                    \
	"hashtextextended(ctid::text || ' ' || xmin::text, 0) as h "                               \
	"from {relation:relation}) r) q"

static const char *const templates[DIALECT_TEMPLATE_COUNT] = {
	[DIALECT_OBSERVE_SESSION] =
		"select json_build_object('user', current_user, 'database', current_database(), "
		"'version', current_setting('server_version'), 'default_readers', " DEFAULT_READERS(
			"0") ")::text",
	[DIALECT_OBSERVE_SCHEMAS] =
		"select distinct jsonb_build_object('database', w.d, 'schema', n.nspname, "
		"'grant_usage', case when not has_schema_privilege(n.oid, 'usage') then "
		"format('grant usage on schema %I to %I', n.nspname, current_user) end, "
		"'grant_create', case when not has_schema_privilege(n.oid, 'create') then "
		"format('grant usage, create on schema %I to %I', n.nspname, current_user) "
		"end, 'default_readers', " DEFAULT_READERS(
			"n.oid") ")::text "
				 "from (values {names:names}) as w (d, s, i) "
				 "join pg_namespace n on n.nspname = w.s",
	[DIALECT_OBSERVE_CONTAINERS] = postgres_containers_sql,
	[DIALECT_ASIDE_CHECK] = ASIDE_CHECK,
	[DIALECT_ASIDE_DROP] = ASIDE_DROP,
	[DIALECT_GRANTS_KEEP] = postgres_grants_keep_sql,
	[DIALECT_GRANTS_BACK] = postgres_grants_back_sql,
	[DIALECT_LOG_ASIDE] = ASIDE_LOG,
	[DIALECT_OBSERVE_RELATIONS] = postgres_observe_sql,
	[DIALECT_OBSERVE_CONTENT] = OBSERVE_ROWS("'content', (select " POSTGRES_CONTENT
						 " from {relation:relation} x), "),
	[DIALECT_OBSERVE_ROWS] = OBSERVE_ROWS(""),
	[DIALECT_OBSERVE_HISTORY] =
		"select json_build_object('database', {database:literal}, "
		"'schema', {in_schema:literal}, 'identifier', {identifier:literal}, "
		"'lost', count(*))::text "
		"from {to:relation} as t where not exists "
		"(select 1 from {from:relation} as f where f.{key:ident} = t.{key:ident})",
	[DIALECT_OBSERVE_RESTORES] =
		"select q from (select json_build_object('identifier', c.relname, "
		"'object', c.oid::text || '/' || c.relfilenode::text, "
		"'comment', obj_description(c.oid, 'pg_class'), "
		"'bytes', pg_total_relation_size(c.oid), 'id', r.id, "
		"'at', to_char(r.logged_at at time zone 'utc', "
		"'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), "
		"'age', floor(extract(epoch from clock_timestamp() - r.logged_at))::bigint, "
		"'restore', r.e)::text as q, c.relname as name "
		"from pg_class c join pg_namespace n on n.oid = c.relnamespace "
		"left join (select l.id, l.logged_at, e from {log:relation} l, "
		"jsonb_array_elements(l.detail::jsonb) e where l.event = 'restores' "
		"and l.id in (select substring(relname from '^r_(.*)_[0-9]+$') from pg_class)) r "
		"on c.relname = 'r_' || r.id || '_' || (r.e ->> 'number') "
		"where n.nspname = {restore_schema:literal} and c.relkind in ('r', 'p', 'v', 'm', "
		"'f') union all " ASIDE_OBSERVE ") f order by name",
	[DIALECT_OBSERVE_EXISTING] =
		"select json_build_object('database', w.d, 'schema', w.s, 'identifier', w.i)::text "
		"from (values {names:names}) as w (d, s, i) "
		"join pg_namespace n on n.nspname = w.s join pg_class c on c.relnamespace = n.oid "
		"and c.relname = w.i and c.relkind in ('r', 'v', 'm', 'p', 'f')",
	/* An object is known by its oid, which no later one of the name has. */
	[DIALECT_OBSERVE_PUBLISHED] =
		"with w as materialized (select s, i from (values {names:names}) as w (d, s, i)), "
		"p as materialized (select distinct on (e ->> 'schema', e ->> 'identifier') l.id, "
		"e from {log:relation} l, jsonb_array_elements(l.detail::jsonb) e "
		"where l.event = 'objects' "
		"order by e ->> 'schema', e ->> 'identifier', l.logged_at desc), "
		"o as materialized (select p.id, n.nspname as s, c.relname as i "
		"from p join pg_namespace n on n.nspname = p.e ->> 'schema' "
		"join pg_class c on c.relnamespace = n.oid and c.relname = p.e ->> 'identifier' "
		"and c.relkind in ('r', 'p', 'v') "
		"where c.oid::text = split_part(p.e ->> 'object', '/', 1) "
		"and n.nspname in (select s from w) "
		"and (n.nspname, c.relname) not in (select s, i from w)) "
		"select jsonb_build_object('database', current_database(), 'schema', o.s, "
		"'identifier', o.i, 'unique_id', t.e ->> 'unique_id', 'id', o.id, 'project', "
		"b.detail::jsonb ->> 'project', 'from', b.detail::jsonb ->> 'from', 'to', "
		"b.detail::jsonb ->> 'to')::text "
		"from o join {log:relation} b on b.id = o.id and b.event = 'begun' "
		"cross join lateral (select e from {log:relation} l, "
		"jsonb_array_elements(l.detail::jsonb -> 'tables') e where l.id = o.id "
		"and l.event = 'published' and e -> 'relation' ->> 1 = o.s "
		"and e -> 'relation' ->> 2 = o.i limit 1) t order by o.s, o.i",
	[DIALECT_OBSERVE_LEFT] =
		"select json_build_object('lock', c.relname)::text "
		"from pg_class c join pg_namespace n on n.oid = c.relnamespace "
		"where n.nspname = 'airlock' and c.relname ~ '^airlock_lock_[0-9a-f]+$' "
		"union all select json_build_object('side', n.nspname || '.' || c.relname)::text "
		"from pg_class c join pg_namespace n on n.oid = c.relnamespace "
		"where c.relkind = 'r' and n.nspname <> 'airlock' "
		"and c.relname ~ '^airlock_[0-9]{{14}_[0-9a-f]{{6}_[0-9]+$' "
		"union all select json_build_object('copy', c.relname)::text "
		"from pg_class c join pg_namespace n on n.oid = c.relnamespace "
		"where c.relkind = 'r' and n.nspname = 'airlock' "
		"and starts_with(c.relname, 'mirror_') "
		"and starts_with(obj_description(c.oid, 'pg_class'), '" MARKER_MIRROR "') "
		"union all select json_build_object('unfinished', id)::text from {log:relation} "
		"group by id having bool_or(event = 'intent') "
		"and not bool_or(event in ('finished', 'aborted'))",
	[DIALECT_RESTORE_CHECK] =
		"do begin perform set_config('lock_timeout', '3s', true); "
		"if not exists (select 1 from pg_class c "
		"join pg_namespace n on n.oid = c.relnamespace "
		"join {log:relation} l on l.id = {maker:literal} and l.event = 'restores', "
		"jsonb_array_elements(l.detail::jsonb) e "
		"where n.nspname = {restore_schema:literal} and c.relname = {identifier:literal} "
		"and c.relkind = 'r' and obj_description(c.oid, 'pg_class') = {marker:literal} "
		"and 'r_' || l.id || '_' || (e ->> 'number') = c.relname "
		"and split_part(e ->> 'object', '/', 1) = c.oid::text) then "
		"raise exception '" DIALECT_RAISED_CONFLICT
		" % is no longer what the history says', {shown:literal}; end if; end",
	[DIALECT_RESTORE_DROP] = "drop table {restore:relation}",
	[DIALECT_RESTORE_DROPPED] =
		"insert into {log:relation} (id, logged_at, event, detail) "
		"values ({maker:literal}, " LOG_NOW ", 'expired', {detail:literal})",
	[DIALECT_SCHEMA_CREATE] =
		"do begin "
		"if not exists (select 1 from pg_namespace where nspname = {name:literal}) then "
		"create schema {schema:schema}; end if; "
		"exception when duplicate_schema or unique_violation then null; end",
	[DIALECT_LOG_CREATE] =
		"do begin "
		"create table if not exists {log:relation} (id text not null, "
		"logged_at timestamptz not null, event text not null, detail text not null); "
		"exception when duplicate_table or duplicate_object or unique_violation then null; "
		"end",
	[DIALECT_LOCK_CREATE] =
		"do begin "
		"create table if not exists {lock:relation} as select 0::bigint as fence, "
		"''::text as nonce, ''::text as id, ''::text as name, ''::text as username, "
		"''::text as host, ''::text as boot, 0::bigint as pid, ''::text as start, "
		"''::text as since, ''::text as phase, null::timestamptz as expires, "
		"{container:literal}::text as container; "
		"exception when duplicate_table or duplicate_object or unique_violation then null; "
		"end",
	[DIALECT_LOCK_ACQUIRE] = "update {lock:relation} set " HOLDER_COLUMNS " where nonce = ''",
	[DIALECT_LOCK_ACQUIRE_NEXT] =
		"update {lock:relation} set " HOLDER_COLUMNS " where nonce = '' and exists "
		"(select 1 from {previous:relation} p where p.nonce = '{nonce:bind}')",
	/* The update waits for a publish of the dead one; the statements behind it see its end. */
	[DIALECT_LOCK_TAKE] =
		"do begin update {lock:relation} set " HOLDER_COLUMNS
		" where nonce = {holder:literal} and fence = {seen:number} "
		"and ({dead_for_sure:number} = 1 or expires < clock_timestamp()); "
		"if found and not exists (select 1 from {log:relation} where id = {dead:literal} "
		"and event in ('finished', 'aborted')) then "
		"insert into {log:relation} (id, logged_at, event, detail) "
		"values ({dead:literal}, " LOG_NOW ", case when exists (select 1 "
		"from {log:relation} where id = {dead:literal} and event = 'published') "
		"then 'finished' else 'aborted' end, {detail:literal}); end if; end",
	[DIALECT_LOCK_RESUME] = "update {lock:relation} set " HOLDER_COLUMNS
				" where nonce = {holder:literal} and fence = {seen:number} "
				"and ({dead_for_sure:number} = 1 or expires < clock_timestamp())",
	[DIALECT_LOCK_READ] =
		"select json_build_object('container', l.container, "
		"'rows', (select count(*) from {lock:relation}), 'fence', l.fence, "
		"'nonce', l.nonce, 'id', l.id, 'name', l.name, 'user', l.username, "
		"'host', l.host, 'boot', l.boot, 'pid', l.pid, 'start', l.start, "
		"'since', l.since, 'phase', l.phase, 'expires', " UTC(
			"l.expires") ", "
				     "'expired', coalesce(l.expires < clock_timestamp(), false), "
				     "'published', exists (select 1 "
				     "from {log:relation} g where g.id = l.id and g.event = "
				     "'published'))::text "
				     "from {lock:relation} l",
	[DIALECT_LOCK_HELD] = "select json_build_object('fence', fence)::text from {lock:relation} "
			      "where nonce = '{nonce:bind}'",
	[DIALECT_LOCK_LIST] =
		"select json_build_object('identifier', c.relname)::text from pg_class c "
		"join pg_namespace n on n.oid = c.relnamespace "
		"where n.nspname = {state:literal} and c.relkind = 'r' "
		"and starts_with(c.relname, 'airlock_lock_') order by c.relname",
	[DIALECT_LOCK_RELEASE] = "update {lock:relation} set nonce = '', phase = 'free' where "
				 "nonce = '{nonce:bind}'",
	[DIALECT_FENCE_RAISE] =
		"update {lock:relation} set fence = fence + 1 where nonce = '{nonce:bind}'",
	[DIALECT_FENCE_CHECK] =
		"do declare n bigint; holder text; begin "
		"update {lock:relation} set phase = {doing:literal}, expires = " LEASE
		" where nonce = '{nonce:bind}'; "
		"get diagnostics n = row_count; "
		"if n <> 1 then select case nonce when '' then 'nobody' else " HOLDER " end "
		"into holder from {lock:relation}; raise exception '" DIALECT_RAISED_FENCE
		" the lock of % was taken from this deployment and is held by %', "
		"{container:literal}, holder; end if; end",
	[DIALECT_FENCE_PRODUCTION] =
		"do declare n bigint; holder text; begin "
		"update {lock:relation} set fence = fence + 1 "
		"where nonce in ('', '{nonce:bind}'); "
		"get diagnostics n = row_count; "
		"if n <> 1 then select " HOLDER
		" into holder from {lock:relation}; raise exception '" DIALECT_RAISED_HELD
		" % is held by %', {container:literal}, holder; end if; end",
	[DIALECT_LOG_INSERT] =
		"insert into {log:relation} (id, logged_at, event, detail) "
		"values ('{id:bind}', " LOG_NOW ", {event:literal}, {detail:literal})",
	/* The share makes it wait for somebody who is taking the lock, and see that. */
	[DIALECT_LOG_BEGUN] =
		"insert into {log:relation} (id, logged_at, event, detail) "
		"select '{id:bind}', " LOG_NOW ", 'begun', left({detail:literal}, "
		"length({detail:literal}) - 1) || ',\"fence\":' || l.fence || '}' "
		"from {lock:relation} l where l.nonce = '{nonce:bind}' and not exists (select 1 "
		"from {log:relation} g where g.id = '{id:bind}' and g.event in ('begun', "
		"'finished', 'aborted')) for share of l",
	[DIALECT_LOG_HELD] =
		"insert into {log:relation} (id, logged_at, event, detail) "
		"select '{id:bind}', " LOG_NOW ", {event:literal}, {detail:literal} "
		"from {lock:relation} l where l.nonce = '{nonce:bind}' and not exists (select 1 "
		"from {log:relation} g where g.id = '{id:bind}' and (g.event in ('finished', "
		"'aborted') or g.event = {event:literal} and g.detail = {detail:literal})) for "
		"share of l",
	[DIALECT_LOG_OBJECTS] =
		"insert into {log:relation} (id, logged_at, event, detail) "
		"with p as materialized (select set_config('search_path', 'pg_catalog', true) as "
		"path) select '{id:bind}', " LOG_NOW ", 'objects', "
		"coalesce(json_agg(json_build_object('database', w.d, 'schema', n.nspname, "
		"'identifier', c.relname, 'object', "
		"c.oid::text || '/' || case c.relkind when 'v' then md5(pg_get_viewdef(c.oid)) "
		"else c.relfilenode::text end))::text, '[]') "
		"from p, (values {names:names}) as w (d, s, i) "
		"join pg_namespace n on n.nspname = w.s "
		"join pg_class c on c.relnamespace = n.oid and c.relname = w.i "
		"where p.path is not null",
	[DIALECT_LOG_RESTORES] =
		"insert into {log:relation} (id, logged_at, event, detail) "
		"select '{id:bind}', " LOG_NOW ", 'restores', "
		"coalesce(json_agg(e || jsonb_build_object('object', "
		"c.oid::text || '/' || c.relfilenode::text, "
		"'bytes', pg_total_relation_size(c.oid), 'expires_at', "
		"to_char((clock_timestamp() + (e ->> 'keep_for')::bigint * interval '1 s') "
		"at time zone 'utc', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')))::text, '[]') "
		"from jsonb_array_elements({detail:literal}::jsonb) e "
		"join pg_class c on c.relname = 'r_{id:bind}_' || (e ->> 'number') "
		"join pg_namespace n on n.oid = c.relnamespace and n.nspname = "
		"{restore_schema:literal}",
	[DIALECT_LOG_READ] =
		"select json_build_object('id', id, 'at', to_char(logged_at at time zone 'utc', "
		"'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), 'event', event, 'detail', detail, "
		"'age', extract(epoch from clock_timestamp() - logged_at)::bigint)::text "
		"from {log:relation} where {only:literal} in ('', id) order by logged_at",
	[DIALECT_LOG_PROBE] =
		"select json_build_object('published', exists (select 1 from {log:relation} "
		"where id = '{id:bind}' and event = 'published'))::text",
};

/* row_security off: a statement that a policy would filter fails instead of losing rows. jit off:
 * to compile a query of the catalog takes up to a second, which readers wait behind the locks. The
 * check interval (server 14 and later) makes the server notice a dead client and roll back. */
static const char *const transaction_settings[] = {
	"set local standard_conforming_strings = on",
	"set local row_security = off",
	"set local jit = off",
	"set local lock_timeout = '30s'",
	"select set_config(name, '500ms', true) from pg_settings "
	"where name = 'client_connection_check_interval'",
	NULL,
};

/* The server takes several times as long to compile a query of the catalog as to run it. */
static const char query_setting[] = "set local jit = off";

/*
 * The text of a view locks what the view reads until the statement ends, and a build takes locks in
 * an order of its own. A session that has waited for deadlock_timeout (1 s) looks for a deadlock
 * and, if there is one, is ended itself: who looks gives up long before that, so that a build that
 * has to wait for it finds nothing.
 */
static const char look_setting[] = "set lock_timeout = '100ms'";

/* The statement was undone by the server, and may meet better luck. What was dropped in front of it
 * and exists all the same was made meanwhile, as by a late statement of a dead deployment. */
static const char *const transient[] = {
	"\" already exists",
	"_nsp_index\"", /* the same, told by the catalog's own key */
	"canceling statement due to lock timeout",
	"could not open relation with OID", /* dropped while the catalog was read */
	"could not serialize access",
	"deadlock detected",
	"tuple concurrently",
	NULL,
};

/* There was no session: nothing was sent. */
static const char *const unreachable[] = {
	"Connection refused",
	"Temporary failure in name resolution",
	"remaining connection slots",
	"sorry, too many clients already",
	"the database system is shutting down",
	"the database system is starting up",
	NULL,
};

const struct dialect dialect_postgres = {
	.name = "postgres",
	.title = "PostgreSQL",
	.quote = '"',
	.identifier_max = 63, /* NAMEDATALEN - 1; the server cuts longer ones with a notice only */
	.folds_case = false,  /* dbt quotes every name: stored as written */
	.names_database = false,
	.moves_objects = true,
	.views_follow_names = false,
	.one_writer = false,
	.swaps_schemas = true,
	.changes_set_atomically = true,
	.unseen_by_identity = "an update that leaves the number of rows as it was, and a change of "
			      "comments or grants",
	.unseen_by_content = "a change of comments or grants",
	.transaction = DIALECT_TRANSACTION_CALLS,
	.transaction_settings = transaction_settings,
	.query_setting = query_setting,
	.look_setting = look_setting,
	.transient = transient,
	.unreachable = unreachable,
	.templates = templates,
	.choose_way = postgres_choose_way,
	.publish = postgres_publish,
	.keep = publish_keep,
	.mark = postgres_mark,
	.choose_copy = postgres_choose_copy,
	.copy = postgres_copy,
};
