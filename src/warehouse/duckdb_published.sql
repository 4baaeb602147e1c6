-- What deployments published in the schemas of the names, and is still there. Nothing identifies a
-- table: one that a later deployment took away, and that is there again, was made by others.
with letters as (select 'ABCDEFGHIJKLMNOPQRSTUVWXYZ' as upper, 'abcdefghijklmnopqrstuvwxyz' as lower),
wanted as materialized (
  select translate(w.s, upper, lower) as s, translate(w.i, upper, lower) as i
  from (values {names:names}) as w (d, s, i), letters),
published as materialized (
  select l.id, l.rowid as number, e.value as e,
    translate(e.value ->> '$.relation[0]', upper, lower) as d,
    translate(e.value ->> '$.relation[1]', upper, lower) as s,
    translate(e.value ->> '$.relation[2]', upper, lower) as i
  from {log:relation} l, json_each(l.detail::json, '$.tables') e, letters
  where l.event = 'published'
  qualify row_number() over (partition by d, s, i order by number desc) = 1),
recorded as materialized (
  select l.id, e.value ->> 'object' as object,
    translate(e.value ->> 'schema', upper, lower) as s,
    translate(e.value ->> 'identifier', upper, lower) as i
  from {log:relation} l, json_each(l.detail::json) e, letters where l.event = 'objects'),
there as (
  select database_name, schema_name, table_name as name, 'table' as kind, null::varchar as object
  from duckdb_tables()
  union all select database_name, schema_name, view_name, 'view', md5(sql) from duckdb_views())
select json_object('database', t.database_name, 'schema', t.schema_name, 'identifier', t.name,
  'unique_id', p.e ->> 'unique_id', 'id', p.id, 'project', b.detail::json ->> 'project',
  'from', b.detail::json ->> 'from', 'to', b.detail::json ->> 'to', 'views', (
    select to_json(list(json_object('database', v.database_name, 'schema', v.schema_name,
      'identifier', v.view_name, 'text', v.sql)))
    from duckdb_views() v where not v.internal and contains(lower(v.sql), lower(t.name))))::varchar
from letters, published p join there t on translate(t.database_name, upper, lower) = p.d
  and translate(t.schema_name, upper, lower) = p.s and translate(t.name, upper, lower) = p.i
join {log:relation} b on b.id = p.id and b.event = 'begun'
left join recorded r on r.id = p.id and r.s = p.s and r.i = p.i
where p.s in (select s from wanted) and (p.e ->> 'way') <> 'remove'
  and ((p.e ->> 'way') = 'swap' or t.kind = (p.e ->> 'kind'))
  and (r.object is null or r.object = t.object)
  and not exists (select 1 from wanted w where w.s = p.s and w.i = p.i)
order by t.schema_name, t.name
