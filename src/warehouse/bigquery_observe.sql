declare found array<string> default []; {each}begin set found = array_concat(found, array(select to_json_string(struct(
    t.table_catalog as `database`, t.table_schema as `schema`, t.table_name as `identifier`,
    case when t.table_type in ('BASE TABLE', 'CLONE') then 'table' else lower(t.table_type) end as `kind`,
    case t.table_type when 'VIEW' then to_hex(md5(v.view_definition))
        else cast(unix_millis(t.creation_time) as string) end as `object`,
    cast(m.last_modified_time as string) as `modified`,
    case t.table_type when 'VIEW' then 'as ' || v.view_definition end as `definition`,
    array_to_string([regexp_extract(t.ddl, '(?m)^(PARTITION BY .*?);?$'), regexp_extract(t.ddl, '(?m)^(CLUSTER BY .*?);?$')], ' ') as `layout`,
    (select string_agg(o.option_name || ' = ' || o.option_value, ', ' order by o.option_name)
        from {dataset}.INFORMATION_SCHEMA.TABLE_OPTIONS as o
        where o.table_name = t.table_name
            and o.option_name in ('expiration_timestamp', 'partition_expiration_days', 'labels')) as `options`,
    (select json_value(o.option_value) from {dataset}.INFORMATION_SCHEMA.TABLE_OPTIONS as o
        where o.table_name = t.table_name and o.option_name = 'description') as `comment`,
    array(select f.field_path from {dataset}.INFORMATION_SCHEMA.COLUMN_FIELD_PATHS as f
        where f.table_name = t.table_name order by f.field_path) as `fields`,
    array(select as struct f.field_path as `name`, f.data_type as `type`, nullif(f.description, '') as `comment`,
            nullif(array_to_string(array(select p from unnest(f.policy_tags) as p order by p), ','), '') as `tags`
        from {dataset}.INFORMATION_SCHEMA.COLUMN_FIELD_PATHS as f
        where f.table_name = t.table_name
            and (coalesce(f.description, '') != '' or array_length(f.policy_tags) > 0)
        order by f.field_path) as `columns`,
    true as `owned`,
    array(select 'its change history is on' from unnest([1]) where t.is_change_history_enabled = 'YES') as `refuses`))
from unnest(array<struct<d string, s string, i string>>[{names:names}]) as w
inner join {dataset}.INFORMATION_SCHEMA.TABLES as t
    on t.table_catalog = w.d and t.table_schema = w.s and t.table_name = w.i
left join {dataset}.__TABLES__ as m on m.table_id = t.table_name
left join {dataset}.INFORMATION_SCHEMA.VIEWS as v
    on v.table_schema = t.table_schema and v.table_name = t.table_name));
exception when error then if strpos(@@error.message, 'Not found: Dataset') = 0 then raise using message = @@error.message; end if; end; {end}select f from unnest(found) as f
