with letters as (select 'ABCDEFGHIJKLMNOPQRSTUVWXYZ' as upper, 'abcdefghijklmnopqrstuvwxyz' as lower),
w as (
    select d, s, i, translate(d, upper, lower) as fd, translate(s, upper, lower) as fs,
        translate(i, upper, lower) as fi
    from (values {names:names}) as names (d, s, i), letters
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
