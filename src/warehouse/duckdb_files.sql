-- The files that are exchanged whole; i says of which side each is. What airlock has in them is not
-- listed. The comment of its log says what a file is.
with w as (
    select d, i as side, b.database_oid as oid, b.path
    from (values {names:names}) as names (d, s, i)
    join duckdb_databases() b on lower(b.database_name) = lower(d)
),
o as (
    select database_oid, schema_name, 'table' as kind, table_name as name, sql as text from duckdb_tables()
    where not internal
    union all
    select database_oid, schema_name, 'view', view_name, sql from duckdb_views() where not internal
    union all
    select database_oid, schema_name, 'index', index_name, sql from duckdb_indexes()
    union all
    select database_oid, schema_name, 'sequence', sequence_name, sql from duckdb_sequences()
    union all
    select database_oid, schema_name, 'type', type_name, '' from duckdb_types() where not internal
    union all
    select database_oid, schema_name, 'function', function_name, coalesce(macro_definition, '')
    from duckdb_functions() where not internal
),
n as (
    select w.oid, o.kind, o.schema_name || '.' || o.name as name, o.text
    from w join o on o.database_oid = w.oid
    where o.schema_name not in ('airlock', 'airlock_restore')
)
select json_object(
    'side', w.side, 'database', w.d, 'schema', '', 'object', w.path, 'owner', null, 'owned', true,
    'comment', (select l.comment from duckdb_tables() l where l.database_oid = w.oid
        and l.schema_name = 'airlock' and l.table_name = 'airlock_log'),
    'objects', coalesce((select to_json(list(json_object('kind', n.kind, 'name', n.name)
        order by n.kind, n.name)) from n where n.oid = w.oid), '[]'::json),
    'seen', (select md5(coalesce(string_agg(n.kind || ' ' || n.name || ' ' || n.text, chr(10)
        order by n.kind, n.name, n.text), '')) from n where n.oid = w.oid)
    )::varchar
from w
