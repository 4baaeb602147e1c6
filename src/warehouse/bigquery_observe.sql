{each}select to_json_string(struct(
    t.table_catalog as `database`, t.table_schema as `schema`, t.table_name as `identifier`,
    case when t.table_type in ('BASE TABLE', 'CLONE') then 'table' else lower(t.table_type) end as `kind`,
    case t.table_type when 'VIEW' then to_hex(md5(v.view_definition))
        else cast(unix_millis(t.creation_time) as string) end as `object`,
    case t.table_type when 'VIEW' then 'as ' || v.view_definition end as `definition`,
    array_to_string([regexp_extract(t.ddl, '(?m)^(PARTITION BY .*?);?$'), regexp_extract(t.ddl, '(?m)^(CLUSTER BY .*?);?$')], ' ') as `layout`,
    (select string_agg(o.option_name || ' = ' || o.option_value, ', ' order by o.option_name)
        from {dataset}.INFORMATION_SCHEMA.TABLE_OPTIONS as o
        where o.table_name = t.table_name
            and o.option_name in ('expiration_timestamp', 'partition_expiration_days', 'labels')) as `options`,
    array(select 'its change history is on' from unnest([1]) where t.is_change_history_enabled = 'YES') as `refuses`))
from unnest(array<struct<d string, s string, i string>>[{names:names}]) as w
inner join {dataset}.INFORMATION_SCHEMA.TABLES as t
    on t.table_catalog = w.d and t.table_schema = w.s and t.table_name = w.i
left join {dataset}.INFORMATION_SCHEMA.VIEWS as v
    on v.table_schema = t.table_schema and v.table_name = t.table_name{end}
