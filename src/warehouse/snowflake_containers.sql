select to_json(object_construct(
    'database', n.catalog_name, 'schema', n.schema_name, 'side', w.i,
    'object', date_part(epoch_microsecond, n.created)::varchar,
    'owner', n.schema_owner, 'owned', is_role_in_session(n.schema_owner), 'comment', n.comment,
    'transient', n.is_transient = 'YES', 'managed', n.is_managed_access = 'YES', 'retention', n.retention_time,
    'objects', coalesce(o.found, array_construct()), 'seen', coalesce(o.seen, md5('')),
    'grants', coalesce(g.found, array_construct())))
from (values {names:names}) as w (d, s, i)
join {catalog}.information_schema.schemata n on n.catalog_name = w.d and n.schema_name = w.s
left join (
    select m.d, m.s, array_agg(object_construct('kind', m.k, 'name', m.n, 'object', m.c)) as found,
        md5(listagg(m.n || coalesce('/' || m.c, ''), ' ') within group (order by m.n, m.k)) as seen
    from (
        select t.table_catalog as d, t.table_schema as s,
            case t.table_type when 'BASE TABLE' then 'table' else lower(t.table_type) end as k,
            t.table_name as n, date_part(epoch_microsecond, t.created)::varchar as c
        from {catalog}.information_schema.tables t
        union all
        select p.object_catalog, p.object_schema, lower(p.object_type), p.object_name, null
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
