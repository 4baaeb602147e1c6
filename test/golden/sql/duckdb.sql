-- observe_session
select json_object('user', current_user, 'database', current_database(), 'version', version())::varchar;

-- observe_schemas
select distinct json_object('database', w.d, 'schema', w.s)::varchar from (values ('Wh', 'ma"rt', 'it''s {{ all }} $$'), ('Wh', 'mart', 'orders')) as w (d, s, i) join duckdb_schemas() n on translate(n.database_name, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz') = translate(w.d, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz') and translate(n.schema_name, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz') = translate(w.s, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz');

-- observe_relations
with letters as (select 'ABCDEFGHIJKLMNOPQRSTUVWXYZ' as upper, 'abcdefghijklmnopqrstuvwxyz' as lower),
w as (
    select d, s, i, translate(d, upper, lower) as fd, translate(s, upper, lower) as fs,
        translate(i, upper, lower) as fi
    from (values ('Wh', 'ma"rt', 'it''s {{ all }} $$'), ('Wh', 'mart', 'orders')) as names (d, s, i), letters
),
b as (
    select translate(database_name, upper, lower) as fd, readonly
    from duckdb_databases(), letters
),
r as (
    select translate(database_name, upper, lower) as fd, translate(schema_name, upper, lower) as fs,
        translate(table_name, upper, lower) as fi, database_oid, schema_name, table_name,
        table_oid as oid, 'table' as kind, comment, sql, temporary, '' as view_sql
    from duckdb_tables(), letters
    union all
    select translate(database_name, upper, lower), translate(schema_name, upper, lower),
        translate(view_name, upper, lower), database_oid, schema_name, view_name, view_oid, 'view',
        comment, '', false, sql
    from duckdb_views(), letters
),
x as (
    select database_oid, table_oid, index_name, is_unique, comment,
        regexp_extract(sql, '^CREATE (?:UNIQUE )?INDEX (?:"(?:[^"]|"")*"|[^" ]+) ON '
            || '(?:(?:"(?:[^"]|"")*"|[^".( ]+)\.)*(?:"(?:[^"]|"")*"|[^".( ]+) ?(\((?s:.*)\)[^;]*);?$', 1)
            as definition
    from duckdb_indexes()
),
k as (
    select *, translate(database_name, upper, lower) as fd, translate(schema_name, upper, lower) as fs,
        translate(referenced_table, upper, lower) as references_fi
    from duckdb_constraints(), letters
),
g as ( -- the first versions have no triggers and no function that lists them
    from query(case when starts_with(version(), 'v1.')
        then 'select 0 as database_oid, '''' as schema_name, '''' as table_name, '''' as trigger_name where false'
        else 'select database_oid, schema_name, table_name, trigger_name from duckdb_triggers()' end)
)
-- a table has no object: an oid is given anew whenever the file is opened, and a replaced table keeps it
select json_object(
    'database', w.d, 'schema', w.s, 'identifier', w.i, 'kind', r.kind,
    'object', case when r.kind = 'view' then md5(r.view_sql) end,
    'definition', nullif(regexp_extract(r.view_sql,
        '^CREATE VIEW (?:(?:"(?:[^"]|"")*"|[^".( ]+)\.)*(?:"(?:[^"]|"")*"|[^".( ]+) ?((?:\([^()]*\) ?)?AS (?s:.*?));?\s*$', 1), ''),
    'owned', not b.readonly, 'comment', r.comment,
    'columns', (
        select to_json(list(json_object(
            'name', c.column_name, 'type', c.data_type, 'not_null', not c.is_nullable,
            'default', c.column_default, 'comment', c.comment) order by c.column_index))
        from duckdb_columns() c
        where c.database_oid = r.database_oid and c.table_oid = r.oid),
    'indexes', (
        select to_json(list(json_object(
            'name', x.index_name, 'unique', x.is_unique, 'comment', x.comment,
            'definition', x.definition,
            'columns', (
                select to_json(list(c.column_name order by c.column_index))
                from duckdb_columns() c
                where c.database_oid = r.database_oid and c.table_oid = r.oid
                and (contains(x.definition, '"' || replace(c.column_name, '"', '""') || '"')
                    or regexp_matches(x.definition,
                        '(^|[^a-zA-Z0-9_"])' || regexp_escape(c.column_name) || '($|[^a-zA-Z0-9_"])'))))
            order by x.index_name))
        from x
        where x.database_oid = r.database_oid and x.table_oid = r.oid),
    'constraints', (
        select to_json(list(json_object(
            'name', k.constraint_name, 'definition', k.constraint_text,
            'columns', k.constraint_column_names) order by k.constraint_index))
        from k
        where k.database_oid = r.database_oid and k.table_oid = r.oid
        and k.constraint_type <> 'NOT NULL'),
    'refuses', (
        select to_json(list(f.what order by f.what)) from (
            select 'foreign key of ' || k.schema_name || '.' || k.table_name as what from k
            where k.constraint_type = 'FOREIGN KEY' and k.fd = w.fd and k.fs = w.fs
            and k.references_fi = w.fi
            union all select 'generated column' where r.sql ilike '% GENERATED ALWAYS AS%'
            union all select 'column with a collation' where r.sql ilike '% COLLATE %'
            union all select 'index ' || x.index_name || ', whose definition is not understood' from x
            where x.database_oid = r.database_oid and x.table_oid = r.oid and x.definition = ''
            union all select 'it is temporary' where r.temporary
            union all select 'trigger ' || g.trigger_name from g
            where g.database_oid = r.database_oid and g.schema_name = r.schema_name
            and g.table_name = r.table_name
        ) f),
    'refuses_exchange', []
)::varchar
from w
join b on b.fd = w.fd
join r on r.fd = w.fd and r.fs = w.fs and r.fi = w.fi
order by w.d, w.s, w.i
;

-- observe_content
select json_object('database', w.d, 'schema', w.s, 'identifier', w.i, 'object', '', 'rows', q.n, 'content', q.h)::varchar from (values ('Wh', 'ma"rt', 'it''s {{ all }} $$')) as w (d, s, i), (select count(*) as n, coalesce(sum(hash(*columns(*))::hugeint), 0)::varchar as h from "Wh"."ma""rt"."it's {{ all }} $$") q;

-- observe_rows
select json_object('database', w.d, 'schema', w.s, 'identifier', w.i, 'object', '', 'rows', q.n, 'content', q.h)::varchar from (values ('Wh', 'ma"rt', 'it''s {{ all }} $$')) as w (d, s, i), (select count(*) as n, coalesce(sum(hash(*columns(*))::hugeint), 0)::varchar as h from "Wh"."ma""rt"."it's {{ all }} $$") q;

-- observe_history
select json_object('database', 'Wh', 'schema', 'mart', 'identifier', 'r_20260102030405_abcdef_1', 'lost', count(*))::varchar from "Wh"."mart"."orders" as t where not exists (select 1 from "Wh"."ma""rt"."it's {{ all }} $$" as f where f."dbt_scd_id" = t."dbt_scd_id");

-- observe_restores
select json_object('identifier', t.table_name, 'object', null, 'comment', t.comment, 'bytes', t.estimated_size * (select sum(case when c.data_type in ('BOOLEAN', 'TINYINT', 'UTINYINT') then 1 when c.data_type in ('SMALLINT', 'USMALLINT') then 2 when c.data_type in ('INTEGER', 'UINTEGER', 'DATE', 'FLOAT') then 4 when c.data_type in ('BIGINT', 'UBIGINT', 'DOUBLE', 'TIME', 'TIMESTAMP', 'TIMESTAMP WITH TIME ZONE') then 8 else 16 end)::bigint from duckdb_columns() c where c.database_oid = t.database_oid and c.table_oid = t.table_oid), 'id', r.id, 'at', strftime(r.logged_at at time zone 'UTC', '%Y-%m-%dT%H:%M:%S.%gZ'), 'age', date_diff('second', r.logged_at, now()), 'restore', r.e)::varchar from duckdb_tables() t left join (select l.id, l.logged_at, e.value as e from "Wh"."airlock"."airlock_log" l, json_each(l.detail::json) e where l.event = 'restores') r on t.table_name = 'r_' || r.id || '_' || (r.e ->> 'number') where t.database_name = current_database() and t.schema_name = 'airlock_restore' union all select json_object('schema', e.value ->> 'schema', 'file', (select path from duckdb_databases() where database_name = current_database()), 'bytes', 0, 'id', l.id, 'at', strftime(l.logged_at at time zone 'UTC', '%Y-%m-%dT%H:%M:%S.%gZ'), 'age', date_diff('second', l.logged_at, now()), 'restore', e.value)::varchar from "Wh"."airlock"."airlock_log" l, json_each(l.detail::json) e where l.event = 'restores' and (e.value ->> 'file') is not null;

-- observe_existing
select json_object('database', w.d, 'schema', w.s, 'identifier', w.i)::varchar from (values ('Wh', 'ma"rt', 'it''s {{ all }} $$'), ('Wh', 'mart', 'orders')) as w (d, s, i) join (select database_name, schema_name, table_name from duckdb_tables() union all select database_name, schema_name, view_name from duckdb_views()) t on translate(t.database_name, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz') = translate(w.d, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz') and translate(t.schema_name, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz') = translate(w.s, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz') and translate(t.table_name, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz') = translate(w.i, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz');

-- observe_published
-- What deployments published in the schemas of the names, and is still there. Nothing identifies a
-- table: one that a later deployment took away, and that is there again, was made by others.
with letters as (select 'ABCDEFGHIJKLMNOPQRSTUVWXYZ' as upper, 'abcdefghijklmnopqrstuvwxyz' as lower),
wanted as materialized (
  select translate(w.s, upper, lower) as s, translate(w.i, upper, lower) as i
  from (values ('Wh', 'ma"rt', 'it''s {{ all }} $$'), ('Wh', 'mart', 'orders')) as w (d, s, i), letters),
published as materialized (
  select l.id, l.rowid as number, e.value as e,
    translate(e.value ->> '$.relation[0]', upper, lower) as d,
    translate(e.value ->> '$.relation[1]', upper, lower) as s,
    translate(e.value ->> '$.relation[2]', upper, lower) as i
  from "Wh"."airlock"."airlock_log" l, json_each(l.detail::json, '$.tables') e, letters
  where l.event = 'published'
  qualify row_number() over (partition by d, s, i order by number desc) = 1),
recorded as materialized (
  select l.id, e.value ->> 'object' as object,
    translate(e.value ->> 'schema', upper, lower) as s,
    translate(e.value ->> 'identifier', upper, lower) as i
  from "Wh"."airlock"."airlock_log" l, json_each(l.detail::json) e, letters where l.event = 'objects'),
there as (
  select database_name, schema_name, table_name as name, 'table' as kind, null::varchar as object
  from duckdb_tables()
  union all select database_name, schema_name, view_name, 'view', md5(sql) from duckdb_views())
select json_object('database', t.database_name, 'schema', t.schema_name, 'identifier', t.name,
  'unique_id', p.e ->> 'unique_id', 'id', p.id, 'project', b.detail::json ->> 'project',
  'from', b.detail::json ->> 'from', 'to', b.detail::json ->> 'to', 'views', (
    select to_json(list(json_object('database', v.database_name, 'schema', v.schema_name,
      'identifier', v.view_name, 'text', v.sql)))
    from duckdb_views() v where not v.internal and contains(lower(v.sql), lower(t.name))))::varchar
from letters, published p join there t on translate(t.database_name, upper, lower) = p.d
  and translate(t.schema_name, upper, lower) = p.s and translate(t.name, upper, lower) = p.i
join "Wh"."airlock"."airlock_log" b on b.id = p.id and b.event = 'begun'
left join recorded r on r.id = p.id and r.s = p.s and r.i = p.i
where p.s in (select s from wanted) and (p.e ->> 'way') <> 'remove'
  and ((p.e ->> 'way') = 'swap' or t.kind = (p.e ->> 'kind'))
  and (r.object is null or r.object = t.object)
  and not exists (select 1 from wanted w where w.s = p.s and w.i = p.i)
order by t.schema_name, t.name
;

-- observe_left
select json_object('lock', table_name)::varchar from duckdb_tables() where database_name = current_database() and schema_name = 'airlock' and regexp_matches(table_name, '^airlock_lock_[0-9a-f]+$') union all select json_object('side', schema_name || '.' || table_name)::varchar from duckdb_tables() where database_name = current_database() and schema_name <> 'airlock' and regexp_matches(table_name, '^airlock_[0-9]{14}_[0-9a-f]{6}_[0-9]+$') union all select json_object('copy', table_name)::varchar from duckdb_tables() where database_name = current_database() and schema_name = 'airlock' and starts_with(table_name, 'mirror_') and starts_with(comment, 'airlock: side copy of refresh ') union all select json_object('unfinished', id)::varchar from "Wh"."airlock"."airlock_log" group by id having bool_or(event = 'intent') and not bool_or(event in ('finished', 'aborted'));

-- restore_check
select case when exists (select 1 from duckdb_tables() t, "Wh"."airlock"."airlock_log" l, json_each(l.detail::json) e where l.id = '20260102030405_abcdef' and l.event = 'restores' and t.database_name = current_database() and t.schema_name = 'airlock_restore' and t.table_name = 'r_20260102030405_abcdef_1' and t.comment = 'airlock: it''s ours' and 'r_' || l.id || '_' || (e.value ->> 'number') = t.table_name) then 'ours' else error('airlock-conflict: ' || 'Wh.airlock_restore.r' || ' is no longer what the history says') end;

-- restore_drop
drop table "Wh"."airlock_restore"."r_20260102030405_abcdef_1";

-- restore_dropped
insert into "Wh"."airlock"."airlock_log" (id, logged_at, event, detail) values ('20260102030405_abcdef', now(), 'expired', '{"a":"it''s \"b\""}');

-- schema_create
create schema if not exists "Wh"."ma""rt";

-- log_create
create table if not exists "Wh"."airlock"."airlock_log" (id varchar not null, logged_at timestamptz not null, event varchar not null, detail varchar not null);

-- lock_create
create table if not exists "Wh"."airlock"."airlock_lock_0123456789abcdef" as select 0::bigint as fence, ''::varchar as nonce, ''::varchar as id, ''::varchar as name, ''::varchar as username, ''::varchar as host, ''::varchar as boot, 0::bigint as pid, ''::varchar as start, ''::varchar as since, ''::varchar as phase, 'Wh."it''s"'::varchar as container;

-- lock_acquire
update "Wh"."airlock"."airlock_lock_0123456789abcdef" set fence = fence + 1, nonce = '<nonce>', id = '<id>', name = '<name>', username = '<user>', host = '<host>', boot = '<boot>', pid = <pid>, start = '<start>', since = '<since>', phase = '<phase>' where nonce = '';

-- lock_acquire_next
update "Wh"."airlock"."airlock_lock_0123456789abcdef" set fence = fence + 1, nonce = '<nonce>', id = '<id>', name = '<name>', username = '<user>', host = '<host>', boot = '<boot>', pid = <pid>, start = '<start>', since = '<since>', phase = '<phase>' where nonce = '' and exists (select 1 from "Wh"."airlock"."airlock_lock_0123456789abcdef" p where p.nonce = '<nonce>');

-- lock_take
begin; update "Wh"."airlock"."airlock_lock_0123456789abcdef" set fence = fence + 1, nonce = '<nonce>', id = '<id>', name = '<name>', username = '<user>', host = '<host>', boot = '<boot>', pid = <pid>, start = '<start>', since = '<since>', phase = '<phase>' where nonce = '0011223344556677' and fence = 41 and 0 = 1; insert into "Wh"."airlock"."airlock_log" (id, logged_at, event, detail) select '20260102030405_abcdef', now(), case when exists (select 1 from "Wh"."airlock"."airlock_log" where id = '20260102030405_abcdef' and event = 'published') then 'finished' else 'aborted' end, '{"a":"it''s \"b\""}' from "Wh"."airlock"."airlock_lock_0123456789abcdef" where nonce = '<nonce>' and not exists (select 1 from "Wh"."airlock"."airlock_log" where id = '20260102030405_abcdef' and event in ('finished', 'aborted')); commit;

-- lock_resume
update "Wh"."airlock"."airlock_lock_0123456789abcdef" set fence = fence + 1, nonce = '<nonce>', id = '<id>', name = '<name>', username = '<user>', host = '<host>', boot = '<boot>', pid = <pid>, start = '<start>', since = '<since>', phase = '<phase>' where nonce = '0011223344556677' and fence = 41 and 0 = 1;

-- lock_read
select json_object('container', l.container, 'rows', (select count(*) from "Wh"."airlock"."airlock_lock_0123456789abcdef"), 'fence', l.fence, 'nonce', l.nonce, 'id', l.id, 'name', l.name, 'user', l.username, 'host', l.host, 'boot', l.boot, 'pid', l.pid, 'start', l.start, 'since', l.since, 'phase', l.phase, 'expired', false, 'published', exists (select 1 from "Wh"."airlock"."airlock_log" g where g.id = l.id and g.event = 'published'))::varchar from "Wh"."airlock"."airlock_lock_0123456789abcdef" l;

-- lock_held
select json_object('fence', fence)::varchar from "Wh"."airlock"."airlock_lock_0123456789abcdef" where nonce = '<nonce>';

-- lock_list
select json_object('identifier', t.table_name)::varchar from duckdb_tables() t where translate(t.database_name, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz') = translate('Wh', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz') and t.schema_name = 'airlock' and starts_with(t.table_name, 'airlock_lock_') order by t.table_name;

-- lock_release
update "Wh"."airlock"."airlock_lock_0123456789abcdef" set nonce = '', phase = 'free' where nonce = '<nonce>';

-- fence_raise
update "Wh"."airlock"."airlock_lock_0123456789abcdef" set fence = fence + 1 where nonce = '<nonce>';

-- fence_check
update "Wh"."airlock"."airlock_lock_0123456789abcdef" set phase = 'build' where nonce = '<nonce>'; select case when (select count(*) from "Wh"."airlock"."airlock_lock_0123456789abcdef" where nonce = '<nonce>') = 1 then 'held' else error('airlock-fence: the lock of ' || 'Wh."it''s"' || ' was taken from this deployment and is held by ' || (select case nonce when '' then 'nobody' else 'deployment ''' || id || ''' (' || name || ') of ' || username || ' on ' || host || ', process ' || pid || ', since ' || since || ', phase ' || phase end from "Wh"."airlock"."airlock_lock_0123456789abcdef")) end;

-- fence_production
select case when (select count(*) from "Wh"."airlock"."airlock_lock_0123456789abcdef" where nonce in ('', '<nonce>')) = 1 then 'free' else error('airlock-held: ' || 'Wh."it''s"' || ' is held by ' || (select 'deployment ''' || id || ''' (' || name || ') of ' || username || ' on ' || host || ', process ' || pid || ', since ' || since || ', phase ' || phase from "Wh"."airlock"."airlock_lock_0123456789abcdef")) end;

-- log_insert
insert into "Wh"."airlock"."airlock_log" (id, logged_at, event, detail) values ('<id>', now(), 'intent', '{"a":"it''s \"b\""}');

-- log_begun
insert into "Wh"."airlock"."airlock_log" (id, logged_at, event, detail) select '<id>', now(), 'begun', left('{"a":"it''s \"b\""}', length('{"a":"it''s \"b\""}') - 1) || ',"fence":' || l.fence || '}' from "Wh"."airlock"."airlock_lock_0123456789abcdef" l where l.nonce = '<nonce>' and not exists (select 1 from "Wh"."airlock"."airlock_log" g where g.id = '<id>' and g.event in ('begun', 'finished', 'aborted'));

-- log_held
insert into "Wh"."airlock"."airlock_log" (id, logged_at, event, detail) select '<id>', now(), 'intent', '{"a":"it''s \"b\""}' from "Wh"."airlock"."airlock_lock_0123456789abcdef" l where l.nonce = '<nonce>' and not exists (select 1 from "Wh"."airlock"."airlock_log" g where g.id = '<id>' and (g.event in ('finished', 'aborted') or g.event = 'intent' and g.detail = '{"a":"it''s \"b\""}'));

-- log_objects
insert into "Wh"."airlock"."airlock_log" (id, logged_at, event, detail) select '<id>', now(), 'objects', coalesce(to_json(list(json_object('database', w.d, 'schema', w.s, 'identifier', w.i, 'object', t.object)))::varchar, '[]') from (values ('Wh', 'ma"rt', 'it''s {{ all }} $$'), ('Wh', 'mart', 'orders')) as w (d, s, i) join (select database_name, schema_name, table_name, null as object from duckdb_tables() union all select database_name, schema_name, view_name, md5(sql) from duckdb_views()) t on translate(t.database_name, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz') = translate(w.d, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz') and translate(t.schema_name, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz') = translate(w.s, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz') and translate(t.table_name, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz') = translate(w.i, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz');

-- log_restores
insert into "Wh"."airlock"."airlock_log" (id, logged_at, event, detail) select '<id>', now(), 'restores', coalesce(to_json(list(json_merge_patch(e.value, json_object('bytes', (e.value ->> 'rows')::bigint * (select sum(case when c.data_type in ('BOOLEAN', 'TINYINT', 'UTINYINT') then 1 when c.data_type in ('SMALLINT', 'USMALLINT') then 2 when c.data_type in ('INTEGER', 'UINTEGER', 'DATE', 'FLOAT') then 4 when c.data_type in ('BIGINT', 'UBIGINT', 'DOUBLE', 'TIME', 'TIMESTAMP', 'TIMESTAMP WITH TIME ZONE') then 8 else 16 end)::bigint from duckdb_columns() c where c.database_oid = t.database_oid and c.table_oid = t.table_oid), 'expires_at', strftime((now() + to_seconds((e.value ->> 'keep_for')::bigint)) at time zone 'UTC', '%Y-%m-%dT%H:%M:%S.%gZ')))))::varchar, '[]') from json_each('{"a":"it''s \"b\""}'::json) e join duckdb_tables() t on t.database_name = current_database() and t.schema_name = 'airlock_restore' and t.table_name = 'r_<id>_' || (e.value ->> 'number');

-- log_probe
select json_object('published', exists (select 1 from "Wh"."airlock"."airlock_log" where id = '<id>' and event = 'published'))::varchar;

-- log_read
select json_object('id', id, 'at', strftime(logged_at at time zone 'UTC', '%Y-%m-%dT%H:%M:%S.%gZ'), 'event', event, 'detail', detail, 'age', date_diff('second', logged_at, now()))::varchar from "Wh"."airlock"."airlock_log" where '' in ('', id) order by rowid;
