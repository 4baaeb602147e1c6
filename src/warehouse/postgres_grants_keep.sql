-- Owner and privileges of what dbt is about to make anew. Where a deployment died before it gave
-- back what it had kept of an object that is gone by now, that still counts: also of a view that went
-- with its table, and is made again.
insert into {log:relation} (id, logged_at, event, detail)
with wanted as (
    select c.oid, w.d, w.s, w.i
    from (values {names:names}) as w (d, s, i)
    left join pg_namespace n on n.nspname = w.s
    left join pg_class c on c.relnamespace = n.oid and c.relname = w.i
),
lost as (
    select q.e
    from (
        select distinct on (e ->> 'schema', e ->> 'identifier') l.id, e
        from {log:relation} l, jsonb_array_elements(l.detail::jsonb) e
        where l.event = 'grants'
        order by e ->> 'schema', e ->> 'identifier', l.logged_at desc
    ) q
    where not exists (
        select 1 from {log:relation} b where b.id = q.id and b.event = 'granted')
)
select '{id:bind}', (
    select greatest(clock_timestamp(), max(logged_at) + interval '1 us') from {log:relation}
), 'grants', coalesce(json_agg(json_build_object(
    'database', w.d, 'schema', w.s, 'identifier', w.i, 'object', c.oid::text,
    'by_node', {configured:literal}::jsonb @> jsonb_build_array(jsonb_build_array(w.s, w.i)),
    'owner', coalesce(p.e ->> 'owner', pg_get_userbyid(c.relowner)),
    'privileges', coalesce(p.e -> 'privileges', (
        select jsonb_agg(jsonb_build_object('column', q.col, 'grantee',
            case q.grantee when 0 then null else pg_get_userbyid(q.grantee) end,
            'privilege', q.privilege_type, 'grantable', q.is_grantable))
        from (
            select null::name as col, x.grantee, x.privilege_type, x.is_grantable
            from aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) x
            union all
            select a.attname, x.grantee, x.privilege_type, x.is_grantable
            from pg_attribute a, aclexplode(a.attacl) x
            where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        ) q), '[]')))::text, '[]')
from wanted w
left join pg_class c on c.oid = w.oid
left join lost p on p.e ->> 'schema' = w.s and p.e ->> 'identifier' = w.i
    and p.e ->> 'object' is distinct from c.oid::text
where c.oid is not null or p.e is not null
