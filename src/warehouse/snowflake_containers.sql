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
    select t.table_catalog, t.table_schema,
        array_agg(object_construct('kind', case t.table_type when 'BASE TABLE' then 'table' else lower(t.table_type) end,
            'name', t.table_name, 'object', date_part(epoch_microsecond, t.created)::varchar)) as found,
        md5(listagg(t.table_name || '/' || date_part(epoch_microsecond, t.created)::varchar, ' ')
            within group (order by t.table_name)) as seen
    from {catalog}.information_schema.tables t group by t.table_catalog, t.table_schema
) o on o.table_catalog = w.d and o.table_schema = w.s
left join (
    select p.object_catalog, coalesce(p.object_schema, p.object_name) as place,
        array_agg(object_construct('on', lower(p.object_type), 'name', p.object_name, 'privilege', p.privilege_type,
            'to', p.granted_to, 'grantee', p.grantee, 'option', p.is_grantable = 'YES')) as found
    from {catalog}.information_schema.object_privileges p
    where p.privilege_type <> 'OWNERSHIP' and p.object_type <> 'DATABASE'
    group by p.object_catalog, coalesce(p.object_schema, p.object_name)
) g on g.object_catalog = w.d and g.place = w.s
