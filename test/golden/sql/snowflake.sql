-- observe_session
select to_json(object_construct('user', current_user(), 'database', current_database(), 'version', current_version()));

-- observe_schemas
select distinct to_json(object_construct('database', n.catalog_name, 'schema', n.schema_name)) from (values ('Wh', 'ma"rt', 'it''s {{ all }} $$'), ('Wh', 'mart', 'orders')) as w (d, s, i) join "Wh".information_schema.schemata n on n.catalog_name = w.d and n.schema_name = w.s;

-- observe_relations
select to_json(object_construct(
    'database', t.table_catalog, 'schema', t.table_schema, 'identifier', t.table_name,
    'kind', case t.table_type when 'BASE TABLE' then 'table' when 'VIEW' then 'view' else lower(t.table_type) end,
    'object', case t.table_type when 'VIEW' then md5(v.view_definition)
        else date_part(epoch_microsecond, t.created)::varchar end,
    'text', v.view_definition, 'owner', t.table_owner, 'owned', is_role_in_session(t.table_owner),
    'owned_by_another', t.table_owner != current_role(),
    'comment', t.comment, 'layout', 'cluster by ' || nullif(regexp_replace(t.clustering_key, '^LINEAR', ''), ''),
    'transient', t.is_transient = 'YES', 'clusters', t.auto_clustering_on = 'YES',
    'refuses', array_construct_compact(
        case when t.is_iceberg = 'YES' then 'it is an Iceberg table' end,
        case when t.is_dynamic = 'YES' then 'it is a dynamic table' end,
        case when t.is_hybrid = 'YES' then 'it is a hybrid table' end,
        case when t.is_temporary = 'YES' then 'it is temporary' end,
        case when t.table_type = 'VIEW' and coalesce(v.view_definition, '') = ''
            then 'its text is not shown to this role, which does not own it' end,
        case when v.is_secure = 'YES' then 'it is a secure view' end)))
from (values ('Wh', 'ma"rt', 'it''s {{ all }} $$'), ('Wh', 'mart', 'orders')) as w (d, s, i)
join "Wh".information_schema.tables t
    on t.table_catalog = w.d and t.table_schema = w.s and t.table_name = w.i
left join "Wh".information_schema.views v
    on v.table_catalog = t.table_catalog and v.table_schema = t.table_schema and v.table_name = t.table_name
;

-- observe_content
select to_json(object_construct('database', t.table_catalog, 'schema', t.table_schema, 'identifier', t.table_name, 'object', date_part(epoch_microsecond, t.created)::varchar, 'version', date_part(epoch_microsecond, t.last_altered)::varchar, 'rows', q.n, 'content', q.h)) from (values ('Wh', 'ma"rt', 'it''s {{ all }} $$')) as w (d, s, i) join "Wh".information_schema.tables t on t.table_catalog = w.d and t.table_schema = w.s and t.table_name = w.i cross join (select count(*) as n, hash_agg(*)::varchar as h from "Wh"."ma""rt"."it's {{ all }} $$") q;

-- observe_rows
select to_json(object_construct('database', t.table_catalog, 'schema', t.table_schema, 'identifier', t.table_name, 'object', date_part(epoch_microsecond, t.created)::varchar, 'version', date_part(epoch_microsecond, t.last_altered)::varchar, 'rows', q.n)) from (values ('Wh', 'ma"rt', 'it''s {{ all }} $$')) as w (d, s, i) join "Wh".information_schema.tables t on t.table_catalog = w.d and t.table_schema = w.s and t.table_name = w.i cross join (select count(*) as n from "Wh"."ma""rt"."it's {{ all }} $$") q;

-- observe_history
select to_json(object_construct('database', 'Wh', 'schema', 'mart', 'identifier', 'r_20260102030405_abcdef_1', 'lost', count(*))) from "Wh"."mart"."orders" as t where not exists (select 1 from "Wh"."ma""rt"."it's {{ all }} $$" as f where f."dbt_scd_id" = t."dbt_scd_id");

-- observe_ddl
select to_json(object_construct('database', 'Wh', 'schema', 'mart', 'identifier', 'r_20260102030405_abcdef_1', 'ddl', get_ddl('table', '"Wh."."it''s"."r"', true)));

-- observe_restores
select to_json(object_construct('identifier', t.table_name, 'object', date_part(epoch_microsecond, t.created)::varchar, 'comment', t.comment, 'bytes', t.bytes, 'id', r.id, 'at', to_varchar(r.logged_at::timestamp_ntz, 'YYYY-MM-DD') || 'T' || to_varchar(r.logged_at::timestamp_ntz, 'HH24:MI:SS.FF3') || 'Z', 'age', datediff(second, r.logged_at, sysdate()), 'restore', r.e)) from "Wh".information_schema.tables t left join (select l.id, l.logged_at, e.value as e from "Wh"."airlock"."airlock_log" l, lateral flatten(input => parse_json(l.detail)) e where l.event = 'restores') r on t.table_name = 'r_' || r.id || '_' || r.e:number::varchar where t.table_schema = 'airlock_restore' union all select to_json(object_construct('schema', n.schema_name, 'object', date_part(epoch_microsecond, n.created)::varchar, 'comment', n.comment, 'bytes', coalesce(b.bytes, 0), 'id', r.id, 'at', to_varchar(r.logged_at::timestamp_ntz, 'YYYY-MM-DD') || 'T' || to_varchar(r.logged_at::timestamp_ntz, 'HH24:MI:SS.FF3') || 'Z', 'age', datediff(second, r.logged_at, sysdate()), 'others', o.names, 'restore', r.e)) from "Wh".information_schema.schemata n left join (select l.id, l.logged_at, e.value as e from "Wh"."airlock"."airlock_log" l, lateral flatten(input => parse_json(l.detail)) e where l.event = 'restores') r on r.e:schema::varchar = n.schema_name left join (select u.s as table_schema, listagg(u.n, ', ') within group (order by u.n) as names from (select t.s as s, t.n as n from (select t.table_catalog as d, t.table_schema as s, case when t.is_dynamic = 'YES' then 'dynamic table' when t.is_hybrid = 'YES' then 'hybrid table' when t.is_iceberg = 'YES' then 'iceberg table' when t.table_type = 'BASE TABLE' then 'table' else lower(t.table_type) end as k, t.table_name as n, date_part(epoch_microsecond, t.created)::varchar as c from "Wh".information_schema.tables t union all select p.object_catalog, p.object_schema, lower(p.object_type), p.object_name, null from "Wh".information_schema.object_privileges p where p.privilege_type = 'OWNERSHIP' and p.object_schema is not null and p.object_type not in ('TABLE', 'VIEW', 'MATERIALIZED VIEW', 'EXTERNAL TABLE', 'DYNAMIC TABLE', 'EVENT TABLE', 'HYBRID TABLE', 'ICEBERG TABLE', 'SCHEMA')) t left join (select r.e:schema::varchar as s, to_json(r.e:objects) as made from (select l.id, l.logged_at, e.value as e from "Wh"."airlock"."airlock_log" l, lateral flatten(input => parse_json(l.detail)) e where l.event = 'restores') r ) m on m.s = t.s where contains(t.s, '__airlock_') and not contains(coalesce(m.made, ''), to_json(to_variant(t.k || ' ' || t.n || coalesce('/' || t.c, '')))) union all select distinct m.s, 'perhaps what ' || m.n || ' made, which this role may not see' from (select p.object_name as s, p.grantee as n from "Wh".information_schema.object_privileges p where p.object_type in ('SCHEMA') and startswith(p.privilege_type, 'CREATE ') and not is_role_in_session(p.grantee)) m where contains(m.s, '__airlock_')) u group by u.s) o on o.table_schema = n.schema_name left join (select t.table_schema, sum(t.bytes) as bytes from "Wh".information_schema.tables t group by t.table_schema) b on b.table_schema = n.schema_name where regexp_like(n.schema_name, '.*__airlock_[0-9]{14}_[0-9a-f]{6}') union all select to_json(object_construct('aside', n.database_name, 'object', date_part(epoch_microsecond, n.created)::varchar, 'comment', n.comment, 'bytes', coalesce(r.e:bytes::bigint, 0), 'id', r.id, 'at', to_varchar(r.logged_at::timestamp_ntz, 'YYYY-MM-DD') || 'T' || to_varchar(r.logged_at::timestamp_ntz, 'HH24:MI:SS.FF3') || 'Z', 'age', datediff(second, r.logged_at, sysdate()), 'restore', r.e)) from "Wh".information_schema.databases n join (select l.id, l.logged_at, e.value as e from "Wh"."airlock"."airlock_log" l, lateral flatten(input => parse_json(l.detail)) e where l.event = 'restores') r on r.e:database::varchar = n.database_name;

-- observe_existing
select to_json(object_construct('database', w.d, 'schema', w.s, 'identifier', w.i)) from (values ('Wh', 'ma"rt', 'it''s {{ all }} $$'), ('Wh', 'mart', 'orders')) as w (d, s, i) join "Wh".information_schema.tables t on t.table_catalog = w.d and t.table_schema = w.s and t.table_name = w.i;

-- observe_left
select to_json(object_construct('lock', table_name)) from "Wh".information_schema.tables where table_schema = 'airlock' and startswith(table_name, 'airlock_lock_') union all select to_json(object_construct('side', table_schema || '.' || table_name)) from "Wh".information_schema.tables where table_schema = 'airlock' and startswith(table_name, 'airlock_stage_') union all select to_json(object_construct('copy', table_name)) from "Wh".information_schema.tables where table_schema = 'airlock' and startswith(table_name, 'mirror_') and startswith(comment, 'airlock: side copy of refresh ') union all select to_json(object_construct('unfinished', id)) from "Wh"."airlock"."airlock_log" group by id having count_if(event = 'intent') > 0 and count_if(event in ('finished', 'aborted')) = 0;

-- restore_check
select to_number(case when (select count(*) from "Wh".information_schema.tables t cross join (select l.id, e.value as e from "Wh"."airlock"."airlock_log" l, lateral flatten(input => parse_json(l.detail)) e where l.event = 'restores' and l.id = '20260102030405_abcdef') r where t.table_schema = 'airlock_restore' and t.table_name = 'r_20260102030405_abcdef_1' and t.comment = 'airlock: it''s ours' and 'r_' || r.id || '_' || r.e:number::varchar = t.table_name) > 0 then '1' else 'airlock-conflict: ' || 'Wh.airlock_restore.r' || ' is no longer what the history says' end);

-- restore_drop
drop table "Wh"."airlock_restore"."r_20260102030405_abcdef_1";

-- restore_dropped
insert into "Wh"."airlock"."airlock_log" (id, logged_at, event, detail) select '20260102030405_abcdef', sysdate(), 'expired', '{"a":"it''s \\"b\\""}';

-- observe_containers
select to_json(object_construct(
    'database', n.catalog_name, 'schema', n.schema_name, 'side', w.i,
    'object', date_part(epoch_microsecond, n.created)::varchar,
    'owner', n.schema_owner, 'owned', is_role_in_session(n.schema_owner), 'comment', n.comment,
    'transient', n.is_transient = 'YES', 'managed', n.is_managed_access = 'YES', 'retention', n.retention_time,
    'objects', coalesce(o.found, array_construct()), 'seen', coalesce(o.seen, md5('')),
    'altered', coalesce(o.altered, md5('')), 'grants', coalesce(g.found, array_construct())))
from (values ('Wh', 'ma"rt', 'it''s {{ all }} $$'), ('Wh', 'mart', 'orders')) as w (d, s, i)
join "Wh".information_schema.schemata n on n.catalog_name = w.d and n.schema_name = w.s
left join (
    select m.d, m.s, array_agg(object_construct('kind', m.k, 'name', m.n, 'object', m.c, 'schema', m.s,
            'identifier', m.n, 'owner', m.o, 'clusters', m.r)) as found,
        md5(listagg(m.n || coalesce('/' || m.c, ''), ' ') within group (order by m.n, m.k)) as seen,
        md5(listagg(m.n || '/' || m.a, ' ') within group (order by m.n, m.k)) as altered
    from (
        select t.table_catalog as d, t.table_schema as s,
            case when t.is_dynamic = 'YES' then 'dynamic table' when t.is_hybrid = 'YES' then 'hybrid table'
                when t.is_iceberg = 'YES' then 'iceberg table' when t.table_type = 'BASE TABLE' then 'table'
                else lower(t.table_type) end as k,
            t.table_name as n, date_part(epoch_microsecond, t.created)::varchar as c,
            t.table_owner as o, t.auto_clustering_on = 'YES' as r,
            date_part(epoch_microsecond, t.last_altered)::varchar as a
        from "Wh".information_schema.tables t
        union all
        select p.object_catalog, p.object_schema, lower(p.object_type), p.object_name, null, p.grantee, false, null
        from "Wh".information_schema.object_privileges p
        where p.privilege_type = 'OWNERSHIP' and p.object_schema is not null and p.object_type not in ('TABLE', 'VIEW',
            'MATERIALIZED VIEW', 'EXTERNAL TABLE', 'DYNAMIC TABLE', 'EVENT TABLE', 'HYBRID TABLE', 'ICEBERG TABLE', 'SCHEMA')
    ) m group by m.d, m.s
) o on o.d = w.d and o.s = w.s
left join (
    select p.object_catalog, coalesce(p.object_schema, p.object_name) as place,
        array_agg(object_construct('on', lower(p.object_type), 'name', p.object_name, 'privilege', p.privilege_type,
            'to', p.granted_to, 'grantee', p.grantee, 'option', p.is_grantable = 'YES')) as found
    from "Wh".information_schema.object_privileges p
    where p.privilege_type <> 'OWNERSHIP' and p.object_type <> 'DATABASE'
    group by p.object_catalog, coalesce(p.object_schema, p.object_name)
) g on g.object_catalog = w.d and g.place = w.s
union all
select to_json(object_construct(
    'database', n.database_name, 'schema', '', 'side', w.i,
    'owner', n.database_owner, 'owned', is_role_in_session(n.database_owner), 'comment', n.comment,
    'transient', n.is_transient = 'YES', 'retention', n.retention_time,
    'given', array_construct_compact(case when r.accounts is not null
        then object_construct('relation', n.database_name, 'what', 'replication to ' || r.accounts) end),
    'objects', coalesce(o.found, array_construct()), 'seen', coalesce(o.seen, md5('')),
    'altered', coalesce(o.altered, md5('')), 'bytes', coalesce(o.bytes, 0),
    'schemas', coalesce(s.found, array_construct()), 'grants', coalesce(g.found, array_construct())))
from (values ('Wh', 'ma"rt', 'it''s {{ all }} $$'), ('Wh', 'mart', 'orders')) as w (d, s, i)
join "Wh".information_schema.databases n
    on n.database_name = w.d and n.database_name = 'Wh' and w.s = ''
left join (
    select p.database_name as d, max(coalesce(nullif(p.replication_allowed_to_accounts, ''), 'other accounts')) as accounts
    from "Wh".information_schema.replication_databases p
    where p.account_name = current_account_name() group by p.database_name
) r on r.d = n.database_name
cross join (
    select array_agg(object_construct('kind', m.k, 'name', m.n, 'object', m.c, 'schema', m.s,
            'identifier', m.i, 'owner', m.o, 'clusters', m.r)) as found, sum(m.b) as bytes,
        md5(listagg(case m.k when 'schema' then null else m.n || coalesce('/' || m.c, '') end, ' ')
            within group (order by m.n, m.k)) as seen,
        md5(listagg(m.n || '/' || m.a, ' ') within group (order by m.n, m.k)) as altered
    from (
        select case when t.is_dynamic = 'YES' then 'dynamic table' when t.is_hybrid = 'YES' then 'hybrid table'
                when t.is_iceberg = 'YES' then 'iceberg table' when t.table_type = 'BASE TABLE' then 'table'
                else lower(t.table_type) end as k,
            t.table_schema || '.' || t.table_name as n, date_part(epoch_microsecond, t.created)::varchar as c, t.bytes as b,
            t.table_schema as s, t.table_name as i, t.table_owner as o, t.auto_clustering_on = 'YES' as r,
            date_part(epoch_microsecond, t.last_altered)::varchar as a
        from "Wh".information_schema.tables t where t.table_schema <> 'INFORMATION_SCHEMA'
        union all
        select lower(p.object_type), p.object_schema || '.' || p.object_name, null, 0,
            p.object_schema, p.object_name, p.grantee, false, null
        from "Wh".information_schema.object_privileges p
        where p.privilege_type = 'OWNERSHIP' and p.object_catalog = 'Wh'
            and p.object_schema <> 'INFORMATION_SCHEMA' and p.object_type not in ('TABLE', 'VIEW',
            'MATERIALIZED VIEW', 'EXTERNAL TABLE', 'DYNAMIC TABLE', 'EVENT TABLE', 'HYBRID TABLE', 'ICEBERG TABLE', 'SCHEMA')
        union all
        select 'schema', h.schema_name, null, 0, h.schema_name, null, null, false, null
        from "Wh".information_schema.schemata h where h.schema_name <> 'INFORMATION_SCHEMA'
    ) m
) o
cross join (
    select array_agg(object_construct('name', h.schema_name, 'owner', h.schema_owner, 'owned', is_role_in_session(h.schema_owner),
        'comment', h.comment,
        'transient', h.is_transient = 'YES', 'managed', h.is_managed_access = 'YES', 'retention', h.retention_time)) as found
    from "Wh".information_schema.schemata h where h.schema_name <> 'INFORMATION_SCHEMA'
) s
cross join (
    select array_agg(object_construct('on', lower(p.object_type), 'schema', coalesce(p.object_schema,
        case p.object_type when 'SCHEMA' then p.object_name else '' end), 'name', p.object_name,
        'privilege', p.privilege_type, 'to', p.granted_to, 'grantee', p.grantee, 'option', p.is_grantable = 'YES')) as found
    from "Wh".information_schema.object_privileges p
    where p.privilege_type <> 'OWNERSHIP' and p.object_catalog = 'Wh'
) g
;

-- observe_future
show future grants in schema "Wh"."ma""rt"; select to_json(object_construct('future_of', '20260102030405_abcdef', 'database', 'Wh', 'schema', 'r_20260102030405_abcdef_1', 'grants', coalesce(array_agg(object_construct('on', 'future ' || lower("grant_on"), 'schema', 'r_20260102030405_abcdef_1', 'name', '', 'privilege', "privilege", 'to', "grant_to", 'grantee', "grantee_name", 'option', "grant_option" = 'true')), array_construct()))) from table(result_scan(last_query_id()));

-- observe_tags
select to_json(object_construct('tags_of', '20260102030405_abcdef', 'database', 'Wh', 'schema', 'r_20260102030405_abcdef_1', 'tags', coalesce(array_agg(object_construct('schema', 'r_20260102030405_abcdef_1', 'tag', array_construct(tag_database, tag_schema, tag_name), 'value', tag_value)) within group (order by tag_database, tag_schema, tag_name), array_construct()))) from table("Wh".information_schema.tag_references('"Wh."."it''s"."r"', 'table')) where level = upper('table');

-- observe_dynamic
show dynamic tables in schema "Wh"."ma""rt"; select to_json(object_construct('refreshes', 'Wh', 'schema', 'r_20260102030405_abcdef_1', 'dynamic', coalesce(array_agg(object_construct('schema', "schema_name", 'name', "name")) within group (order by "created_on"), array_construct()))) from table(result_scan(last_query_id())) where lower("scheduling_state") <> 'suspended';

-- aside_check
select to_number(case when (select count(*) from "Wh".information_schema.schemata n join (select l.id, l.logged_at, e.value as e from "Wh"."airlock"."airlock_log" l, lateral flatten(input => parse_json(l.detail)) e where l.event = 'restores') r on r.e:schema::varchar = n.schema_name and r.id = '20260102030405_abcdef' and r.e:object::varchar = date_part(epoch_microsecond, n.created)::varchar where n.schema_name = 'r_20260102030405_abcdef_1' and endswith(coalesce(n.comment, ''), 'airlock: it''s ours')) > 0 and (select count(*) from (select u.s as table_schema, listagg(u.n, ', ') within group (order by u.n) as names from (select t.s as s, t.n as n from (select t.table_catalog as d, t.table_schema as s, case when t.is_dynamic = 'YES' then 'dynamic table' when t.is_hybrid = 'YES' then 'hybrid table' when t.is_iceberg = 'YES' then 'iceberg table' when t.table_type = 'BASE TABLE' then 'table' else lower(t.table_type) end as k, t.table_name as n, date_part(epoch_microsecond, t.created)::varchar as c from "Wh".information_schema.tables t union all select p.object_catalog, p.object_schema, lower(p.object_type), p.object_name, null from "Wh".information_schema.object_privileges p where p.privilege_type = 'OWNERSHIP' and p.object_schema is not null and p.object_type not in ('TABLE', 'VIEW', 'MATERIALIZED VIEW', 'EXTERNAL TABLE', 'DYNAMIC TABLE', 'EVENT TABLE', 'HYBRID TABLE', 'ICEBERG TABLE', 'SCHEMA')) t left join (select r.e:schema::varchar as s, to_json(r.e:objects) as made from (select l.id, l.logged_at, e.value as e from "Wh"."airlock"."airlock_log" l, lateral flatten(input => parse_json(l.detail)) e where l.event = 'restores') r ) m on m.s = t.s where contains(t.s, '__airlock_') and not contains(coalesce(m.made, ''), to_json(to_variant(t.k || ' ' || t.n || coalesce('/' || t.c, '')))) union all select distinct m.s, 'perhaps what ' || m.n || ' made, which this role may not see' from (select p.object_name as s, p.grantee as n from "Wh".information_schema.object_privileges p where p.object_type in ('SCHEMA') and startswith(p.privilege_type, 'CREATE ') and not is_role_in_session(p.grantee)) m where contains(m.s, '__airlock_')) u group by u.s) o where o.table_schema = 'r_20260102030405_abcdef_1') = 0 then '1' else 'airlock-conflict: ' || 'Wh.airlock_restore.r' || ' is no longer what the history says' end);

-- aside_drop
drop schema "Wh"."airlock_restore";

-- aside_database_check
select to_number(case when (select count(*) from "Wh".information_schema.databases n join (select l.id, l.logged_at, e.value as e from "Wh"."airlock"."airlock_log" l, lateral flatten(input => parse_json(l.detail)) e where l.event = 'restores') r on r.e:database::varchar = n.database_name and r.id = '20260102030405_abcdef' and r.e:object::varchar = date_part(epoch_microsecond, n.created)::varchar where n.database_name = 'r_20260102030405_abcdef_1' and endswith(coalesce(n.comment, ''), 'airlock: it''s ours')) > 0 and (select count(*) from (select t.table_catalog as d, t.table_schema as s, case when t.is_dynamic = 'YES' then 'dynamic table' when t.is_hybrid = 'YES' then 'hybrid table' when t.is_iceberg = 'YES' then 'iceberg table' when t.table_type = 'BASE TABLE' then 'table' else lower(t.table_type) end as k, t.table_name as n, date_part(epoch_microsecond, t.created)::varchar as c from "Wh".information_schema.tables t union all select p.object_catalog, p.object_schema, lower(p.object_type), p.object_name, null from "Wh".information_schema.object_privileges p where p.privilege_type = 'OWNERSHIP' and p.object_schema is not null and p.object_type not in ('TABLE', 'VIEW', 'MATERIALIZED VIEW', 'EXTERNAL TABLE', 'DYNAMIC TABLE', 'EVENT TABLE', 'HYBRID TABLE', 'ICEBERG TABLE', 'SCHEMA')) t cross join (select to_json(r.e:objects) as made from (select l.id, l.logged_at, e.value as e from "Wh"."airlock"."airlock_log" l, lateral flatten(input => parse_json(l.detail)) e where l.event = 'restores') r where r.id = '20260102030405_abcdef' and r.e:database::varchar = 'r_20260102030405_abcdef_1') m where t.d = 'r_20260102030405_abcdef_1' and t.s <> 'INFORMATION_SCHEMA' and not contains(m.made, to_json(to_variant(t.k || ' ' || t.s || '.' || t.n || coalesce('/' || t.c, ''))))) = 0 and (select count(*) from (select p.object_name as s, p.grantee as n from "Wh".information_schema.object_privileges p where p.object_type in ('SCHEMA', 'DATABASE') and startswith(p.privilege_type, 'CREATE ') and not is_role_in_session(p.grantee)) m) = 0 then '1' else 'airlock-conflict: ' || 'Wh.airlock_restore.r' || ' is no longer what the history says, or holds what this role may not see' end);

-- aside_database_drop
drop database "Wh"."airlock_restore";

-- tag
alter session set query_tag = 'airlock:<id>';

-- running
select to_json(object_construct('running', q.n)) from (select count(*) as n from table(information_schema.query_history_by_user(result_limit => 10000)) where query_tag = 'airlock:<id>' and execution_status in ('RUNNING', 'QUEUED', 'BLOCKED', 'RESUMING_WAREHOUSE')) q;

-- log_altered
insert into "Wh"."airlock"."airlock_log" (id, logged_at, event, detail) select '<id>', sysdate(), 'altered', to_json(object_construct('database', 'Wh', 'schema', 'mart', 'altered', (select coalesce(md5(listagg(case 'mart' when '' then t.table_schema || '.' else '' end || t.table_name || '/' || date_part(epoch_microsecond, t.last_altered)::varchar, ' ') within group (order by case 'mart' when '' then t.table_schema || '.' else '' end || t.table_name)), md5('')) from "Wh".information_schema.tables t where t.table_schema <> 'INFORMATION_SCHEMA' and 'mart' in ('', t.table_schema))));

-- log_aside
insert into "Wh"."airlock"."airlock_log" (id, logged_at, event, detail) select '<id>', sysdate(), 'restores', coalesce(to_json(array_agg(object_construct('number', e.value:number, 'of', e.value:of, 'keep', e.value:keep, 'keep_for', e.value:keep_for, 'schema', n.s, 'database', n.d, 'object', date_part(epoch_microsecond, n.created)::varchar, 'objects', e.value:made, 'bytes', coalesce(b.bytes, e.value:bytes::bigint, 0), 'expires_at', to_varchar(dateadd(second, e.value:keep_for::bigint, sysdate())::timestamp_ntz, 'YYYY-MM-DD') || 'T' || to_varchar(dateadd(second, e.value:keep_for::bigint, sysdate())::timestamp_ntz, 'HH24:MI:SS.FF3') || 'Z'))), '[]') from (select parse_json('{"a":"it''s \\"b\\""}') as j) d, lateral flatten(input => d.j) e join (select 'schema' as kind, schema_name as n, schema_name as s, null as d, created from "Wh".information_schema.schemata union all select 'database', database_name, null, database_name, created from "Wh".information_schema.databases) n on n.kind = e.value:kind::varchar and n.n = e.value:prefix::varchar || '<id>' left join (select t.table_schema, sum(t.bytes) as bytes from "Wh".information_schema.tables t group by t.table_schema) b on b.table_schema = n.s;

-- schema_create
create schema if not exists "Wh"."ma""rt";

-- log_create
create table if not exists "Wh"."airlock"."airlock_log" (id varchar not null, logged_at timestamp_ntz not null, event varchar not null, detail varchar not null);

-- lock_create
create table if not exists "Wh"."airlock"."airlock_lock_0123456789abcdef" as select 0::bigint as fence, ''::varchar as nonce, ''::varchar as id, ''::varchar as name, ''::varchar as username, ''::varchar as host, ''::varchar as boot, 0::bigint as pid, ''::varchar as began, ''::varchar as since, ''::varchar as phase, null::timestamp_ntz as expires, 'Wh."it''s"'::varchar as container;

-- lock_acquire
update "Wh"."airlock"."airlock_lock_0123456789abcdef" set fence = fence + 1, nonce = '<nonce>', id = '<id>', name = '<name>', username = '<user>', host = '<host>', boot = '<boot>', pid = <pid>, began = '<start>', since = '<since>', phase = '<phase>', expires = dateadd(second, <lease>, sysdate()) where nonce = '';

-- lock_acquire_next
update "Wh"."airlock"."airlock_lock_0123456789abcdef" set fence = fence + 1, nonce = '<nonce>', id = '<id>', name = '<name>', username = '<user>', host = '<host>', boot = '<boot>', pid = <pid>, began = '<start>', since = '<since>', phase = '<phase>', expires = dateadd(second, <lease>, sysdate()) where nonce = '' and exists (select 1 from "Wh"."airlock"."airlock_lock_0123456789abcdef" p where p.nonce = '<nonce>');

-- lock_take
begin; update "Wh"."airlock"."airlock_lock_0123456789abcdef" set fence = fence + 1, nonce = '<nonce>', id = '<id>', name = '<name>', username = '<user>', host = '<host>', boot = '<boot>', pid = <pid>, began = '<start>', since = '<since>', phase = '<phase>', expires = dateadd(second, <lease>, sysdate()) where nonce = '0011223344556677' and fence = 41 and (0 = 1 or expires < sysdate()); insert into "Wh"."airlock"."airlock_log" (id, logged_at, event, detail) select '20260102030405_abcdef', sysdate(), case when (select count(*) from "Wh"."airlock"."airlock_log" where id = '20260102030405_abcdef' and event = 'published') > 0 then 'finished' else 'aborted' end, '{"a":"it''s \\"b\\""}' from "Wh"."airlock"."airlock_lock_0123456789abcdef" where nonce = '<nonce>' and not exists (select 1 from "Wh"."airlock"."airlock_log" where id = '20260102030405_abcdef' and event in ('finished', 'aborted')); commit;

-- lock_resume
update "Wh"."airlock"."airlock_lock_0123456789abcdef" set fence = fence + 1, nonce = '<nonce>', id = '<id>', name = '<name>', username = '<user>', host = '<host>', boot = '<boot>', pid = <pid>, began = '<start>', since = '<since>', phase = '<phase>', expires = dateadd(second, <lease>, sysdate()) where nonce = '0011223344556677' and fence = 41 and (0 = 1 or expires < sysdate());

-- lock_read
select to_json(object_construct('container', l.container, 'rows', (select count(*) from "Wh"."airlock"."airlock_lock_0123456789abcdef"), 'fence', l.fence, 'nonce', l.nonce, 'id', l.id, 'name', l.name, 'user', l.username, 'host', l.host, 'boot', l.boot, 'pid', l.pid, 'start', l.began, 'since', l.since, 'phase', l.phase, 'expires', to_varchar(l.expires::timestamp_ntz, 'YYYY-MM-DD') || 'T' || to_varchar(l.expires::timestamp_ntz, 'HH24:MI:SS.FF3') || 'Z', 'expired', coalesce(l.expires < sysdate(), false), 'published', g.n is not null)) from "Wh"."airlock"."airlock_lock_0123456789abcdef" l left join (select id, count(*) as n from "Wh"."airlock"."airlock_log" where event = 'published' group by id) g on g.id = l.id;

-- lock_held
select to_json(object_construct('fence', fence)) from "Wh"."airlock"."airlock_lock_0123456789abcdef" where nonce = '<nonce>';

-- lock_list
select to_json(object_construct('identifier', table_name)) from "Wh".information_schema.tables where table_catalog = 'Wh' and table_schema = 'airlock' and startswith(table_name, 'airlock_lock_') order by table_name;

-- lock_release
update "Wh"."airlock"."airlock_lock_0123456789abcdef" set nonce = '', phase = 'free' where nonce = '<nonce>';

-- fence_raise
update "Wh"."airlock"."airlock_lock_0123456789abcdef" set fence = fence + 1 where nonce = '<nonce>';

-- fence_check
update "Wh"."airlock"."airlock_lock_0123456789abcdef" set phase = 'build', expires = dateadd(second, <lease>, sysdate()) where nonce = '<nonce>'; select to_number(case when (select count(*) from "Wh"."airlock"."airlock_lock_0123456789abcdef" where nonce = '<nonce>') = 1 then '1' else 'airlock-fence: the lock of ' || 'Wh."it''s"' || ' was taken from this deployment and is held by ' || (select case nonce when '' then 'nobody' else 'deployment ''' || id || ''' (' || name || ') of ' || username || ' on ' || host || ', process ' || pid::varchar || ', since ' || since || ', phase ' || phase end from "Wh"."airlock"."airlock_lock_0123456789abcdef") end);

-- fence_held
select to_number(case when (select count(*) from "Wh"."airlock"."airlock_lock_0123456789abcdef" where nonce = '<nonce>' and expires > dateadd(millisecond, <lease> * 250, sysdate())) = 1 then '1' else 'airlock-fence: the lock of ' || 'Wh."it''s"' || (select case nonce when '<nonce>' then ' is not renewed, and its lease runs out' when '' then ' was taken from this deployment and is held by nobody' else ' was taken from this deployment and is held by ' || 'deployment ''' || id || ''' (' || name || ') of ' || username || ' on ' || host || ', process ' || pid::varchar || ', since ' || since || ', phase ' || phase end from "Wh"."airlock"."airlock_lock_0123456789abcdef") end);

-- fence_production
select to_number(case when (select count(*) from "Wh"."airlock"."airlock_lock_0123456789abcdef" where nonce in ('', '<nonce>')) = 1 then '1' else 'airlock-held: ' || 'Wh."it''s"' || ' is held by ' || (select 'deployment ''' || id || ''' (' || name || ') of ' || username || ' on ' || host || ', process ' || pid::varchar || ', since ' || since || ', phase ' || phase from "Wh"."airlock"."airlock_lock_0123456789abcdef") end);

-- log_insert
insert into "Wh"."airlock"."airlock_log" (id, logged_at, event, detail) select '<id>', sysdate(), 'intent', '{"a":"it''s \\"b\\""}';

-- log_begun
insert into "Wh"."airlock"."airlock_log" (id, logged_at, event, detail) select '<id>', sysdate(), 'begun', left('{"a":"it''s \\"b\\""}', length('{"a":"it''s \\"b\\""}') - 1) || ',"fence":' || l.fence || '}' from "Wh"."airlock"."airlock_lock_0123456789abcdef" l where l.nonce = '<nonce>' and not exists (select 1 from "Wh"."airlock"."airlock_log" g where g.id = '<id>' and g.event in ('begun', 'finished', 'aborted'));

-- log_held
insert into "Wh"."airlock"."airlock_log" (id, logged_at, event, detail) select '<id>', sysdate(), 'intent', '{"a":"it''s \\"b\\""}' from "Wh"."airlock"."airlock_lock_0123456789abcdef" l where l.nonce = '<nonce>' and not exists (select 1 from "Wh"."airlock"."airlock_log" g where g.id = '<id>' and (g.event in ('finished', 'aborted') or g.event = 'intent' and g.detail = '{"a":"it''s \\"b\\""}'));

-- log_objects
insert into "Wh"."airlock"."airlock_log" (id, logged_at, event, detail) select '<id>', sysdate(), 'objects', coalesce(to_json(array_agg(object_construct('database', q.d, 'schema', q.s, 'identifier', q.i, 'object', q.o))), '[]') from (select w.d, w.s, w.i, case t.table_type when 'VIEW' then md5(v.view_definition) else date_part(epoch_microsecond, t.created)::varchar end as o from (values ('Wh', 'ma"rt', 'it''s {{ all }} $$'), ('Wh', 'mart', 'orders')) as w (d, s, i) join "Wh".information_schema.tables t on t.table_catalog = w.d and t.table_schema = w.s and t.table_name = w.i left join "Wh".information_schema.views v on v.table_catalog = w.d and v.table_schema = w.s and v.table_name = w.i) q;

-- log_restores
insert into "Wh"."airlock"."airlock_log" (id, logged_at, event, detail) select '<id>', sysdate(), 'restores', coalesce(to_json(array_agg(object_construct('number', e.value:number, 'of', e.value:of, 'rows', e.value:rows, 'content', e.value:content, 'keep', e.value:keep, 'keep_for', e.value:keep_for, 'object', date_part(epoch_microsecond, t.created)::varchar, 'bytes', t.bytes, 'expires_at', to_varchar(dateadd(second, e.value:keep_for::bigint, sysdate())::timestamp_ntz, 'YYYY-MM-DD') || 'T' || to_varchar(dateadd(second, e.value:keep_for::bigint, sysdate())::timestamp_ntz, 'HH24:MI:SS.FF3') || 'Z'))), '[]') from (select parse_json('{"a":"it''s \\"b\\""}') as j) d, lateral flatten(input => d.j) e join "Wh".information_schema.tables t on t.table_schema = 'airlock_restore' and t.table_name = 'r_<id>_' || e.value:number::varchar;

-- log_probe
select to_json(object_construct('published', (select count(*) from "Wh"."airlock"."airlock_log" where id = '<id>' and event = 'published') > 0));

-- log_read
select to_json(object_construct('id', id, 'at', to_varchar(logged_at::timestamp_ntz, 'YYYY-MM-DD') || 'T' || to_varchar(logged_at::timestamp_ntz, 'HH24:MI:SS.FF3') || 'Z', 'event', event, 'detail', detail, 'age', datediff(second, logged_at, sysdate()))) from "Wh"."airlock"."airlock_log" where '' in ('', id) order by logged_at;
