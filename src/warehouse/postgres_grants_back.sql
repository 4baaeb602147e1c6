do declare t record; r record; begin
for t in select c.oid::regclass as name, c.oid, pg_get_userbyid(c.relowner) as owner, e as kept
    from {log:relation} l, jsonb_array_elements(l.detail::jsonb) e
    join pg_namespace n on n.nspname = e ->> 'schema'
    join pg_class c on c.relnamespace = n.oid and c.relname = e ->> 'identifier'
    where l.id = {of:literal} and l.event = 'grants'
loop
    if t.owner <> t.kept ->> 'owner'
        and exists (select 1 from pg_roles o where o.rolname = t.kept ->> 'owner') then
        execute format('alter table %s owner to %I', t.name, t.kept ->> 'owner');
    end if;
    for r in with old as (
        select x ->> 'column' as col, x ->> 'grantee' as grantee, x ->> 'privilege' as privilege,
            (x ->> 'grantable')::boolean as grantable
        from jsonb_array_elements(t.kept -> 'privileges') x
        where not (t.kept ->> 'by_node')::boolean
        and ((x ->> 'column') is null or (x ->> 'column') in (select a.attname from pg_attribute a
                where a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped))
        and ((x ->> 'grantee') is null
            or exists (select 1 from pg_roles o where o.rolname = x ->> 'grantee'))),
    new as (
        select null as col, case x.grantee when 0 then null else pg_get_userbyid(x.grantee)::text
            end as grantee, x.privilege_type as privilege, x.is_grantable as grantable
        from pg_class c, aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) x
        where c.oid = t.oid and not (t.kept ->> 'by_node')::boolean
        union all
        select a.attname::text, case x.grantee when 0 then null
            else pg_get_userbyid(x.grantee)::text end, x.privilege_type, x.is_grantable
        from pg_attribute a, aclexplode(a.attacl) x
        where a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped)
    select 1 as turn, 'revoke %s on table %s from %s' as command, q.*
    from (select * from new except select * from old) q
    union all
    select 2, 'grant %s on table %s to %s' || case when q.grantable then ' with grant option'
        else '' end, q.*
    from (select * from old except select * from new union select * from old where col is not null) q
    order by turn loop
        execute format(r.command, r.privilege || coalesce('(' || quote_ident(r.col) || ')', ''), t.name,
            coalesce(quote_ident(r.grantee), 'public'));
    end loop;
end loop;
insert into {log:relation} (id, logged_at, event, detail)
select {of:literal}, (
    select greatest(clock_timestamp(), max(logged_at) + interval '1 us') from {log:relation}
), 'granted', '{{}'
where not exists (
    select 1 from {log:relation} l, jsonb_array_elements(l.detail::jsonb) e
    where l.id = {of:literal} and l.event = 'grants' and not exists (
        select 1 from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname = e ->> 'schema' and c.relname = e ->> 'identifier'));
end
