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
from (values {names:names}) as w (d, s, i)
join {catalog}.information_schema.tables t
    on t.table_catalog = w.d and t.table_schema = w.s and t.table_name = w.i
left join {catalog}.information_schema.views v
    on v.table_catalog = t.table_catalog and v.table_schema = t.table_schema and v.table_name = t.table_name
