select to_json(object_construct(
    'database', n.catalog_name, 'schema', n.schema_name, 'side', w.i,
    'object', date_part(epoch_microsecond, n.created)::varchar,
    'owner', n.schema_owner, 'owned', is_role_in_session(n.schema_owner), 'comment', n.comment,
    'transient', n.is_transient = 'YES', 'managed', n.is_managed_access = 'YES', 'retention', n.retention_time,
    'objects', coalesce(o.found, array_construct()), 'seen', coalesce(o.seen, md5('')),
    'altered', coalesce(o.altered, md5('')), 'grants', coalesce(g.found, array_construct())))
from (values {names:names}) as w (d, s, i)
join {catalog}.information_schema.schemata n on n.catalog_name = w.d and n.schema_name = w.s
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
        from {catalog}.information_schema.tables t
        union all
        select p.object_catalog, p.object_schema, lower(p.object_type), p.object_name, null, p.grantee, false, null
        from {catalog}.information_schema.object_privileges p
        where p.privilege_type = 'OWNERSHIP' and p.object_schema is not null and p.object_type not in ('TABLE', 'VIEW',
            'MATERIALIZED VIEW', 'EXTERNAL TABLE', 'DYNAMIC TABLE', 'EVENT TABLE', 'HYBRID TABLE', 'ICEBERG TABLE', 'SCHEMA')
    ) m group by m.d, m.s
) o on o.d = w.d and o.s = w.s
left join (
    select p.object_catalog, coalesce(p.object_schema, p.object_name) as place,
        array_agg(object_construct('on', lower(p.object_type), 'name', p.object_name, 'privilege', p.privilege_type,
            'to', p.granted_to, 'grantee', p.grantee, 'option', p.is_grantable = 'YES')) as found
    from {catalog}.information_schema.object_privileges p
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
from (values {names:names}) as w (d, s, i)
join {catalog}.information_schema.databases n
    on n.database_name = w.d and n.database_name = {dataset_of:literal} and w.s = ''
left join (
    select p.database_name as d, max(coalesce(nullif(p.replication_allowed_to_accounts, ''), 'other accounts')) as accounts
    from {catalog}.information_schema.replication_databases p
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
        from {catalog}.information_schema.tables t where t.table_schema <> 'INFORMATION_SCHEMA'
        union all
        select lower(p.object_type), p.object_schema || '.' || p.object_name, null, 0,
            p.object_schema, p.object_name, p.grantee, false, null
        from {catalog}.information_schema.object_privileges p
        where p.privilege_type = 'OWNERSHIP' and p.object_catalog = {dataset_of:literal}
            and p.object_schema <> 'INFORMATION_SCHEMA' and p.object_type not in ('TABLE', 'VIEW',
            'MATERIALIZED VIEW', 'EXTERNAL TABLE', 'DYNAMIC TABLE', 'EVENT TABLE', 'HYBRID TABLE', 'ICEBERG TABLE', 'SCHEMA')
        union all
        select 'schema', h.schema_name, null, 0, h.schema_name, null, null, false, null
        from {catalog}.information_schema.schemata h where h.schema_name <> 'INFORMATION_SCHEMA'
    ) m
) o
cross join (
    select array_agg(object_construct('name', h.schema_name, 'owner', h.schema_owner, 'owned', is_role_in_session(h.schema_owner),
        'comment', h.comment,
        'transient', h.is_transient = 'YES', 'managed', h.is_managed_access = 'YES', 'retention', h.retention_time)) as found
    from {catalog}.information_schema.schemata h where h.schema_name <> 'INFORMATION_SCHEMA'
) s
cross join (
    select array_agg(object_construct('on', lower(p.object_type), 'schema', coalesce(p.object_schema,
        case p.object_type when 'SCHEMA' then p.object_name else '' end), 'name', p.object_name,
        'privilege', p.privilege_type, 'to', p.granted_to, 'grantee', p.grantee, 'option', p.is_grantable = 'YES')) as found
    from {catalog}.information_schema.object_privileges p
    where p.privilege_type <> 'OWNERSHIP' and p.object_catalog = {dataset_of:literal}
) g
