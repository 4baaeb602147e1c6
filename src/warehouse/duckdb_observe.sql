select json_object(
    'database', w.d, 'schema', w.s, 'identifier', w.i,
    'kind', case when t.table_oid is null then 'view' else 'table' end,
    'object', coalesce(t.table_oid, v.view_oid)::varchar,
    'owned', not b.readonly,
    'comment', coalesce(t.comment, v.comment),
    'columns', (
        select to_json(list(json_object(
            'name', c.column_name, 'type', c.data_type, 'not_null', not c.is_nullable,
            'default', c.column_default, 'comment', c.comment) order by c.column_index))
        from duckdb_columns() c
        where lower(c.database_name) = lower(w.d) and lower(c.schema_name) = lower(w.s)
        and lower(c.table_name) = lower(w.i)),
    'indexes', (
        select to_json(list(json_object(
            'name', x.index_name, 'unique', x.is_unique, 'definition', regexp_extract(x.sql,
            '^CREATE (?:UNIQUE )?INDEX (?:"(?:[^"]|"")*"|[^" ]+) ON '
            || '(?:(?:"(?:[^"]|"")*"|[^".( ]+)\.)*(?:"(?:[^"]|"")*"|[^".( ]+) ?(\(.*\)[^;]*);?$', 1),
            'columns', (select to_json(list(c.column_name)) from duckdb_columns() c
                where c.table_oid = t.table_oid and c.database_oid = t.database_oid
                and list_contains(string_split(replace(trim(x.expressions, '[]'), '"', ''), ', '),
                    c.column_name)))
            order by x.index_name))
        from duckdb_indexes() x
        where x.database_oid = t.database_oid and x.table_oid = t.table_oid),
    'constraints', (
        select to_json(list(json_object(
            'name', k.constraint_name, 'definition', k.constraint_text,
            'columns', k.constraint_column_names) order by k.constraint_index))
        from duckdb_constraints() k
        where k.database_oid = t.database_oid and k.table_oid = t.table_oid
        and k.constraint_type <> 'NOT NULL'),
    'refuses', (
        select to_json(list(f.what order by f.what)) from (
            select 'foreign key of ' || k.schema_name || '.' || k.table_name as what
            from duckdb_constraints() k
            where k.constraint_type = 'FOREIGN KEY' and lower(k.database_name) = lower(w.d)
            and lower(k.schema_name) = lower(w.s) and lower(k.referenced_table) = lower(w.i)
            union all select 'generated column' where t.sql ilike '% GENERATED ALWAYS AS%'
            union all select 'it is temporary' where t.temporary
        ) f),
    'refuses_exchange', []
)::varchar
from (values {names:names}) as w (d, s, i)
join duckdb_databases() b on lower(b.database_name) = lower(w.d)
left join duckdb_tables() t on lower(t.database_name) = lower(w.d)
    and lower(t.schema_name) = lower(w.s) and lower(t.table_name) = lower(w.i)
left join duckdb_views() v on lower(v.database_name) = lower(w.d)
    and lower(v.schema_name) = lower(w.s) and lower(v.view_name) = lower(w.i)
where t.table_oid is not null or v.view_oid is not null
order by w.d, w.s, w.i
