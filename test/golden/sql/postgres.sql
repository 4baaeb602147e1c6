-- observe_session
select json_build_object('user', current_user, 'database', current_database(), 'version', current_setting('server_version'), 'default_readers', exists (select 1 from pg_default_acl f, aclexplode(f.defaclacl) x where f.defaclrole = current_user::regrole and f.defaclobjtype = 'r' and f.defaclnamespace in (0, 0) and x.privilege_type = 'SELECT' and x.grantee <> f.defaclrole))::text;

-- observe_schemas
select distinct jsonb_build_object('database', w.d, 'schema', n.nspname, 'grant_usage', case when not has_schema_privilege(n.oid, 'usage') then format('grant usage on schema %I to %I', n.nspname, current_user) end, 'grant_create', case when not has_schema_privilege(n.oid, 'create') then format('grant usage, create on schema %I to %I', n.nspname, current_user) end, 'default_readers', exists (select 1 from pg_default_acl f, aclexplode(f.defaclacl) x where f.defaclrole = current_user::regrole and f.defaclobjtype = 'r' and f.defaclnamespace in (0, n.oid) and x.privilege_type = 'SELECT' and x.grantee <> f.defaclrole))::text from (values ('Wh', 'ma"rt', 'it''s {{ all }} $$'), ('Wh', 'mart', 'orders')) as w (d, s, i) join pg_namespace n on n.nspname = w.s;

-- observe_relations
-- What is asked for, and every view that reads it. Without a search path all names come whole.
with recursive p as materialized (select set_config('search_path', 'pg_catalog', true) as path),
found (d, oid) as (
    select distinct w.d, c.oid
    from (values ('Wh', 'ma"rt', 'it''s {{ all }} $$'), ('Wh', 'mart', 'orders')) as w (d, s, i)
    join pg_namespace n on n.nspname = w.s
    join pg_class c on c.relnamespace = n.oid and c.relname = w.i
    union
    select f.d, r.ev_class
    from found f
    join pg_depend d on d.refclassid = 'pg_class'::regclass and d.refobjid = f.oid
        and d.classid = 'pg_rewrite'::regclass
    join pg_rewrite r on r.oid = d.objid
)
select json_build_object(
    'database', w.d, 'schema', n.nspname, 'identifier', c.relname,
    'kind', case c.relkind when 'r' then 'table' when 'v' then 'view'
        when 'm' then 'materialized view' when 'p' then 'partitioned table'
        when 'f' then 'foreign table' else c.relkind::text end,
    'object', c.oid::text || '/' || case when c.relkind in ('v', 'm')
        then md5(pg_get_viewdef(c.oid)) else c.relfilenode::text end,
    'definition', case when c.relkind in ('v', 'm')
        then 'AS ' || rtrim(pg_get_viewdef(c.oid), ';') end,
    'owner', pg_get_userbyid(c.relowner),
    'owned', pg_has_role(c.relowner, 'usage'),
    'grant_select', case when not has_table_privilege(c.oid, 'select') then
        format('grant select on %I.%I to %I', n.nspname, c.relname, current_user) end,
    'grant_owner', case when c.relowner <> current_user::regrole
        and not has_schema_privilege(c.relowner, n.oid, 'create') then
        format('grant create on schema %I to %I', n.nspname, pg_get_userbyid(c.relowner)) end,
    'comment', obj_description(c.oid, 'pg_class'),
    'options', (select string_agg(format('%I = %L', o.option_name, o.option_value), ', ')
        from pg_options_to_table(c.reloptions) o),
    'columns', (
        select json_agg(json_build_object(
            'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod),
            'not_null', a.attnotnull, 'default', pg_get_expr(d.adbin, d.adrelid),
            'comment', col_description(c.oid, a.attnum)) order by a.attnum)
        from pg_attribute a
        left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped),
    'indexes', (
        select json_agg(json_build_object(
            'name', ic.relname, 'unique', x.indisunique,
            'comment', obj_description(x.indexrelid, 'pg_class'),
            'definition', substring(pg_get_indexdef(x.indexrelid) from
                '^CREATE (?:UNIQUE )?INDEX (?:"(?:[^"]|"")*"|[^" ]+) ON (?:ONLY )?'
                || '(?:(?:"(?:[^"]|"")*"|[^". ]+)\.)?(?:"(?:[^"]|"")*"|[^". ]+) (USING .*)$'),
            'columns', (select json_agg(distinct a.attname) from pg_depend d
                join pg_attribute a on a.attrelid = c.oid and a.attnum = d.refobjsubid
                where d.classid = 'pg_class'::regclass and d.objid = x.indexrelid
                and d.refclassid = 'pg_class'::regclass and d.refobjid = c.oid
                and d.refobjsubid > 0)) order by ic.relname)
        from pg_index x
        join pg_class ic on ic.oid = x.indexrelid
        where x.indrelid = c.oid
        and not exists (select 1 from pg_constraint k where k.conindid = x.indexrelid
            and k.conrelid = c.oid and k.contype in ('p', 'u', 'x'))),
    'constraints', (
        select json_agg(json_build_object(
            'name', k.conname, 'definition', pg_get_constraintdef(k.oid),
            'owns_index', k.contype in ('p', 'u', 'x'),
            'comment', obj_description(k.oid, 'pg_constraint'),
            'columns', (select json_agg(a.attname order by a.attnum) from pg_attribute a
                where a.attrelid = c.oid and a.attnum = any (k.conkey))) order by k.conname)
        from pg_constraint k
        where k.conrelid = c.oid and k.contype in ('p', 'u', 'x', 'c', 'f')),
    'refuses', (
        select json_agg(what order by what) from (
            select 'trigger ' || t.tgname as what from pg_trigger t
                where t.tgrelid = c.oid and not t.tgisinternal
            union all select 'row security' where c.relrowsecurity
            union all select 'policy ' || p.polname from pg_policy p where p.polrelid = c.oid
            union all select 'rule ' || r.rulename from pg_rewrite r
                where r.ev_class = c.oid and r.rulename <> '_RETURN'
            union all select 'it is a partition' where c.relispartition
            union all select 'inheritance with ' || i.other::regclass::text from (
                select inhparent as other from pg_inherits where inhrelid = c.oid
                union select inhrelid from pg_inherits where inhparent = c.oid) i
                where not c.relispartition
            union all select 'foreign key ' || k.conname || ' of ' || k.conrelid::regclass::text
                from pg_constraint k where k.confrelid = c.oid and k.contype = 'f'
            union all select 'generated column ' || a.attname from pg_attribute a
                where a.attrelid = c.oid and a.attgenerated <> '' and not a.attisdropped
            union all select 'identity column ' || a.attname from pg_attribute a
                where a.attrelid = c.oid and a.attidentity <> '' and not a.attisdropped
            union all select 'publication ' || p.pubname || ' without a replica identity'
                from pg_publication_tables t join pg_publication p on p.pubname = t.pubname
                where t.schemaname = n.nspname and t.tablename = c.relname
                and (p.pubdelete or p.pubupdate)
                and (c.relreplident = 'n' or c.relreplident = 'd' and not exists (
                    select 1 from pg_index x where x.indrelid = c.oid and x.indisprimary))
        ) f),
    'refuses_exchange', (
        select json_agg(distinct what) from (
            select 'rule of ' || v.oid::regclass::text as what
                from pg_depend d join pg_rewrite r on r.oid = d.objid
                join pg_class v on v.oid = r.ev_class
                where d.classid = 'pg_rewrite'::regclass and d.refclassid = 'pg_class'::regclass
                and d.refobjid = c.oid and v.oid <> c.oid and v.relkind not in ('v', 'm')
            union all select 'tablespace' where c.relkind = 'm' and c.reltablespace <> 0
            union all select 'access method ' || m.amname from pg_am m
                where c.relkind = 'm' and m.oid = c.relam
                and m.amname <> current_setting('default_table_access_method')
            union all select 'default of column ' || a.attname from pg_attribute a
                where a.attrelid = c.oid and a.atthasdef and c.relkind = 'v'
            union all select 'function ' || d.objid::regprocedure::text
                from pg_depend d
                where d.classid = 'pg_proc'::regclass and (
                    d.refclassid = 'pg_class'::regclass and d.refobjid = c.oid
                    or d.refclassid = 'pg_type'::regclass and d.refobjid = c.reltype)
            union all select 'column ' || a.attname || ' of ' || a.attrelid::regclass::text
                from pg_depend d join pg_attribute a on a.attrelid = d.objid and a.attnum = d.objsubid
                where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_type'::regclass
                and d.refobjid = c.reltype
            union all select 'publication ' || t.pubname from pg_publication_tables t
                where t.schemaname = n.nspname and t.tablename = c.relname
            union all select 'sequence behind column ' || a.attname
                from pg_depend d join pg_attribute a on a.attrelid = c.oid and a.attnum = d.refobjsubid
                join pg_class s on s.oid = d.objid and s.relkind = 'S'
                where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass
                and d.refobjid = c.oid and d.deptype in ('a', 'i')
            union all select 'statistics ' || s.stxname from pg_statistic_ext s
                where s.stxrelid = c.oid
            union all select 'replica identity' where c.relreplident <> 'd'
                and c.relkind <> 'v'
            union all select 'clustered on ' || x.indexrelid::regclass::text from pg_index x
                where x.indrelid = c.oid and x.indisclustered
            union all select 'statistics of column ' || a.attname from pg_attribute a
                where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
                and (coalesce(a.attstattarget, -1) <> -1 or a.attoptions is not null)
            union all select 'storage of column ' || a.attname from pg_attribute a
                join pg_type t on t.oid = a.atttypid
                where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
                and a.attstorage <> t.typstorage
            union all select 'security label of ' || l.provider from pg_seclabel l
                where l.objoid = c.oid and l.classoid = 'pg_class'::regclass
        ) f),
    'settings', (
        select json_agg(what order by what) from (
            select 'collation ' || l.collname || ' of column ' || a.attname as what
                from pg_attribute a join pg_type t on t.oid = a.atttypid
                join pg_collation l on l.oid = a.attcollation
                where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
                and a.attcollation <> t.typcollation
            union all select 'compression of column ' || a.attname from pg_attribute a
                where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
                and to_jsonb(a) ->> 'attcompression' <> ''
            union all select 'storage options of its long values' from pg_class b
                where b.oid = c.reltoastrelid and b.reloptions is not null
            union all select 'tablespace ' || b.spcname from pg_tablespace b
                where b.oid = c.reltablespace
                and b.spcname <> current_setting('default_tablespace')
            union all select 'tablespace ' || b.spcname || ' of index ' || i.relname
                from pg_index x join pg_class i on i.oid = x.indexrelid
                join pg_tablespace b on b.oid = i.reltablespace
                where x.indrelid = c.oid and b.spcname <> current_setting('default_tablespace')
            union all select 'access method ' || m.amname from pg_am m
                where m.oid = c.relam and m.amname <> current_setting('default_table_access_method')
            union all select 'unlogged' where c.relpersistence = 'u'
        ) f where c.relkind in ('r', 'p'))
)::text
from p, found w
join pg_class c on c.oid = w.oid
join pg_namespace n on n.oid = c.relnamespace
where p.path is not null and c.relkind in ('r', 'v', 'm', 'p', 'f')
order by n.nspname, c.relname
;

-- observe_content
select json_build_object('database', w.d, 'schema', w.s, 'identifier', w.i, 'object', c.oid::text || '/' || c.relfilenode::text, 'content', (select coalesce(sum(hashtextextended(row(x.*)::text, 0)::numeric), 0)::text from "ma""rt"."it's {{ all }} $$" x), 'rows', q.n, 'version', q.v)::text from (values ('Wh', 'ma"rt', 'it''s {{ all }} $$')) as w (d, s, i) join pg_namespace n on n.nspname = w.s join pg_class c on c.relnamespace = n.oid and c.relname = w.i cross join (select null::tid as ctid, null::xid as xmin) none cross join lateral (select count(*) as n, coalesce(sum(r.h), 0)::text as v from (select hashtextextended(ctid::text || ' ' || xmin::text, 0) as h from "ma""rt"."it's {{ all }} $$") r) q;

-- observe_rows
select json_build_object('database', w.d, 'schema', w.s, 'identifier', w.i, 'object', c.oid::text || '/' || c.relfilenode::text, 'rows', q.n, 'version', q.v)::text from (values ('Wh', 'ma"rt', 'it''s {{ all }} $$')) as w (d, s, i) join pg_namespace n on n.nspname = w.s join pg_class c on c.relnamespace = n.oid and c.relname = w.i cross join (select null::tid as ctid, null::xid as xmin) none cross join lateral (select count(*) as n, coalesce(sum(r.h), 0)::text as v from (select hashtextextended(ctid::text || ' ' || xmin::text, 0) as h from "ma""rt"."it's {{ all }} $$") r) q;

-- observe_history
select json_build_object('database', 'Wh', 'schema', 'mart', 'identifier', 'r_20260102030405_abcdef_1', 'lost', count(*))::text from "mart"."orders" as t where not exists (select 1 from "ma""rt"."it's {{ all }} $$" as f where f."dbt_scd_id" = t."dbt_scd_id");

-- observe_restores
select q from (select json_build_object('identifier', c.relname, 'object', c.oid::text || '/' || c.relfilenode::text, 'comment', obj_description(c.oid, 'pg_class'), 'bytes', pg_total_relation_size(c.oid), 'id', r.id, 'at', to_char(r.logged_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'age', floor(extract(epoch from clock_timestamp() - r.logged_at))::bigint, 'restore', r.e)::text as q, c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace left join (select l.id, l.logged_at, e from "airlock"."airlock_log" l, jsonb_array_elements(l.detail::jsonb) e where l.event = 'restores' and l.id in (select substring(relname from '^r_(.*)_[0-9]+$') from pg_class)) r on c.relname = 'r_' || r.id || '_' || (r.e ->> 'number') where n.nspname = 'airlock_restore' and c.relkind in ('r', 'p', 'v', 'm', 'f') union all select json_build_object('schema', n.nspname, 'object', n.oid::text, 'comment', obj_description(n.oid, 'pg_namespace'), 'bytes', (select coalesce(sum(pg_total_relation_size(c.oid)), 0) from pg_class c where c.relnamespace = n.oid and c.relkind in ('r', 'm')), 'id', r.id, 'at', to_char(r.logged_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'age', floor(extract(epoch from clock_timestamp() - r.logged_at))::bigint, 'others', (select string_agg(o.type || ' ' || coalesce(o.name, substring(o.identity from length(quote_ident(n.nspname)) + 2)), ', ' order by o.identity) from pg_depend d cross join lateral pg_identify_object(d.classid, d.objid, d.objsubid) o where d.refclassid = 'pg_namespace'::regclass and d.refobjid = n.oid and d.deptype = 'n' and not exists (select 1 from pg_depend i where i.classid = d.classid and i.objid = d.objid and i.deptype in ('a', 'i') and i.refclassid <> 'pg_namespace'::regclass) and not coalesce(r.e -> 'objects' ? (d.classid::bigint || '/' || d.objid::bigint), false)), 'restore', r.e)::text, n.nspname from pg_namespace n left join (select l.id, l.logged_at, e from "airlock"."airlock_log" l, jsonb_array_elements(l.detail::jsonb) e where l.event = 'restores' and e ? 'schema') r on r.e ->> 'schema' = n.nspname where n.nspname ~ '__airlock_[0-9]{14}_[0-9a-f]{6}$') f order by name;

-- observe_existing
select json_build_object('database', w.d, 'schema', w.s, 'identifier', w.i)::text from (values ('Wh', 'ma"rt', 'it''s {{ all }} $$'), ('Wh', 'mart', 'orders')) as w (d, s, i) join pg_namespace n on n.nspname = w.s join pg_class c on c.relnamespace = n.oid and c.relname = w.i and c.relkind in ('r', 'v', 'm', 'p', 'f');

-- observe_published
with w as materialized (select s, i from (values ('Wh', 'ma"rt', 'it''s {{ all }} $$'), ('Wh', 'mart', 'orders')) as w (d, s, i)), p as materialized (select distinct on (e ->> 'schema', e ->> 'identifier') l.id, e from "airlock"."airlock_log" l, jsonb_array_elements(l.detail::jsonb) e where l.event = 'objects' order by e ->> 'schema', e ->> 'identifier', l.logged_at desc), o as materialized (select p.id, n.nspname as s, c.relname as i from p join pg_namespace n on n.nspname = p.e ->> 'schema' join pg_class c on c.relnamespace = n.oid and c.relname = p.e ->> 'identifier' and c.relkind in ('r', 'p', 'v') where c.oid::text = split_part(p.e ->> 'object', '/', 1) and n.nspname in (select s from w) and (n.nspname, c.relname) not in (select s, i from w)) select jsonb_build_object('database', current_database(), 'schema', o.s, 'identifier', o.i, 'unique_id', t.e ->> 'unique_id', 'id', o.id, 'project', b.detail::jsonb ->> 'project', 'from', b.detail::jsonb ->> 'from', 'to', b.detail::jsonb ->> 'to')::text from o join "airlock"."airlock_log" b on b.id = o.id and b.event = 'begun' cross join lateral (select e from "airlock"."airlock_log" l, jsonb_array_elements(l.detail::jsonb -> 'tables') e where l.id = o.id and l.event = 'published' and e -> 'relation' ->> 1 = o.s and e -> 'relation' ->> 2 = o.i limit 1) t order by o.s, o.i;

-- observe_left
select json_build_object('lock', c.relname)::text from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'airlock' and c.relname ~ '^airlock_lock_[0-9a-f]+$' union all select json_build_object('side', n.nspname || '.' || c.relname)::text from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relkind = 'r' and n.nspname <> 'airlock' and c.relname ~ '^airlock_[0-9]{14}_[0-9a-f]{6}_[0-9]+$' union all select json_build_object('copy', c.relname)::text from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relkind = 'r' and n.nspname = 'airlock' and starts_with(c.relname, 'mirror_') and starts_with(obj_description(c.oid, 'pg_class'), 'airlock: side copy of refresh ') union all select json_build_object('unfinished', id)::text from "airlock"."airlock_log" group by id having bool_or(event = 'intent') and not bool_or(event in ('finished', 'aborted'));

-- restore_check
do 'begin perform set_config(''lock_timeout'', ''3s'', true); if not exists (select 1 from pg_class c join pg_namespace n on n.oid = c.relnamespace join "airlock"."airlock_log" l on l.id = ''20260102030405_abcdef'' and l.event = ''restores'', jsonb_array_elements(l.detail::jsonb) e where n.nspname = ''airlock_restore'' and c.relname = ''r_20260102030405_abcdef_1'' and c.relkind = ''r'' and obj_description(c.oid, ''pg_class'') = ''airlock: it''''s ours'' and ''r_'' || l.id || ''_'' || (e ->> ''number'') = c.relname and split_part(e ->> ''object'', ''/'', 1) = c.oid::text) then raise exception ''airlock-conflict: % is no longer what the history says'', ''Wh.airlock_restore.r''; end if; end';

-- restore_drop
drop table "airlock_restore"."r_20260102030405_abcdef_1";

-- restore_dropped
insert into "airlock"."airlock_log" (id, logged_at, event, detail) values ('20260102030405_abcdef', (select greatest(clock_timestamp(), max(logged_at) + interval '1 us') from "airlock"."airlock_log"), 'expired', '{"a":"it''s \"b\""}');

-- observe_containers
-- The schemas that are exchanged whole; i says of which side each is. Without a search path all
-- names come whole.
with p as materialized (select set_config('search_path', 'pg_catalog', true) as path),
s as (
    select w.d, w.s, w.i as side, n.oid, n.nspowner
    from (values ('Wh', 'ma"rt', 'it''s {{ all }} $$'), ('Wh', 'mart', 'orders')) as w (d, s, i) join pg_namespace n on n.nspname = w.s
),
objects as (
    select s.oid as ns, o.type as kind,
        case when o.type in ('view', 'materialized view') then md5(pg_get_viewdef(d.objid)) end as text,
        coalesce(o.name, substring(o.identity from length(quote_ident(s.s)) + 2)) as name
    from p, s
    join pg_depend d on d.refclassid = 'pg_namespace'::regclass and d.refobjid = s.oid
        and d.deptype = 'n'
    cross join lateral pg_identify_object(d.classid, d.objid, d.objsubid) o
    where p.path is not null and not exists (select 1 from pg_depend i where i.classid = d.classid and i.objid = d.objid
        and i.deptype in ('a', 'i') and i.refclassid <> 'pg_namespace'::regclass)
),
members as (
    select s.oid as ns, 'pg_class'::regclass::oid as classid, c.oid
        from s join pg_class c on c.relnamespace = s.oid where s.side = 'to'
    union all select s.oid, 'pg_proc'::regclass, f.oid
        from s join pg_proc f on f.pronamespace = s.oid where s.side = 'to'
    union all select s.oid, 'pg_type'::regclass, t.oid
        from s join pg_type t on t.typnamespace = s.oid where s.side = 'to'
    union all select s.oid, 'pg_namespace'::regclass, s.oid from s where s.side = 'to'
),
used as (
    select m.ns, d.classid, d.objid, bool_or(m.classid = 'pg_type'::regclass) as by_type
    from members m join pg_depend d on d.refclassid = m.classid and d.refobjid = m.oid
    where d.deptype <> 'e' and (m.classid <> 'pg_namespace'::regclass
        or d.classid::regclass::text = 'pg_publication_namespace')
    group by 1, 2, 3
),
placed as (
    select u.*, k.contype, k.conname, k.conrelid, r.ev_class, c.relkind, c.relname, c.oid as relid,
        coalesce(c.relnamespace, f.pronamespace, t.typnamespace, e.stxnamespace) as place,
        coalesce(c.relowner, f.proowner) as owner, f.prokind
    from used u
    left join pg_rewrite r on u.classid = 'pg_rewrite'::regclass and r.oid = u.objid
    left join pg_constraint k on u.classid = 'pg_constraint'::regclass and k.oid = u.objid
    left join pg_attrdef a on u.classid = 'pg_attrdef'::regclass and a.oid = u.objid
    left join pg_trigger g on u.classid = 'pg_trigger'::regclass and g.oid = u.objid
    left join pg_policy y on u.classid = 'pg_policy'::regclass and y.oid = u.objid
    left join pg_proc f on u.classid = 'pg_proc'::regclass and f.oid = u.objid
    left join pg_type t on u.classid = 'pg_type'::regclass and t.oid = u.objid
    left join pg_statistic_ext e on u.classid = 'pg_statistic_ext'::regclass and e.oid = u.objid
    left join pg_class c on c.oid = coalesce(r.ev_class, nullif(k.conrelid, 0), a.adrelid, g.tgrelid,
        y.polrelid, case when u.classid = 'pg_class'::regclass then u.objid end)
    where c.relkind is distinct from 't' and not coalesce(g.tgisinternal, false)
),
outside as (
    select distinct on (ns, what) * from (
        select x.ns, x.place in (select s.oid from s where s.side = 'from') as in_staging,
            x.owner is null or pg_has_role(x.owner, 'usage') as owned, x.by_type,
            case when x.ev_class is not null then x.relname end as name,
            (select n.nspname from pg_namespace n where n.oid = x.place) as home,
            case when x.relkind = 'v' and x.ev_class is not null then 'view ' || x.relid::regclass::text
                when x.relkind = 'm' and x.ev_class is not null
                then 'materialized view ' || x.relid::regclass::text
                when x.contype = 'f' then 'foreign key ' || x.conname || ' of ' || x.relid::regclass::text
                else pg_describe_object(x.classid, x.objid, 0) end as what,
            case when x.contype = 'f' then format('alter table %s drop constraint %I',
                x.relid::regclass, x.conname) end as removes,
            case when x.relkind = 'v' and x.ev_class is not null
                then format('create or replace view %s%s as %s', x.relid::regclass,
                    (select ' with (' || string_agg(format('%I = %L', o.option_name, o.option_value),
                        ', ') || ')' from pg_class v, pg_options_to_table(v.reloptions) o
                        where v.oid = x.relid), rtrim(pg_get_viewdef(x.relid), ';'))
                when x.contype = 'f' then format('alter table %s add constraint %I %s',
                    x.relid::regclass, x.conname, pg_get_constraintdef(x.objid))
                when x.prokind in ('f', 'p') and not x.by_type then pg_get_functiondef(x.objid)
                end as makes
        from p, placed x
        where p.path is not null
        and (x.place is null or x.place not in (select s.oid from s where s.side = 'to'))
    ) f order by ns, what, by_type desc
),
given as (
    select s.oid as ns, c.relname as relation, f.what
    from p, s join pg_class c on c.relnamespace = s.oid and c.relkind in ('r', 'p', 'v', 'm', 'f')
    cross join lateral (
        select 'trigger ' || t.tgname as what from pg_trigger t
            where t.tgrelid = c.oid and not t.tgisinternal
        union all select 'row security' where c.relrowsecurity
        union all select 'policy ' || y.polname from pg_policy y where y.polrelid = c.oid
        union all select 'rule ' || r.rulename from pg_rewrite r
            where r.ev_class = c.oid and r.rulename <> '_RETURN'
        union all select 'security label of ' || l.provider from pg_seclabel l
            where l.objoid = c.oid and l.classoid = 'pg_class'::regclass
        union all select 'partitions' where c.relkind = 'p'
        union all select 'foreign server ' || v.srvname from pg_foreign_table e
            join pg_foreign_server v on v.oid = e.ftserver where e.ftrelid = c.oid
        union all select 'inheritance from ' || i.inhparent::regclass::text from pg_inherits i
            join pg_class b on b.oid = i.inhparent
            where i.inhrelid = c.oid and (b.relnamespace <> s.oid or not c.relispartition)
        union all select case when a.attgenerated <> '' then 'generated column '
                when a.attidentity <> '' then 'identity column '
                else 'default of column ' end || a.attname
            from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
            and (a.attgenerated <> '' or a.attidentity <> '' or a.atthasdef and c.relkind = 'v')
        union all select 'sequence behind column ' || a.attname from pg_depend d
            join pg_attribute a on a.attrelid = c.oid and a.attnum = d.refobjsubid
            join pg_class q on q.oid = d.objid and q.relkind = 'S'
            where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass
            and d.refobjid = c.oid and d.deptype = 'a'
        union all select 'statistics ' || e.stxname from pg_statistic_ext e where e.stxrelid = c.oid
        union all select 'replica identity' where c.relreplident <> 'd'
            and c.relkind in ('r', 'p', 'm')
        union all select 'clustered on ' || b.relname from pg_index x
            join pg_class b on b.oid = x.indexrelid where x.indrelid = c.oid and x.indisclustered
        union all select 'statistics of column ' || a.attname from pg_attribute a
            where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
            and (coalesce(a.attstattarget, -1) <> -1 or a.attoptions is not null)
        union all select 'storage of column ' || a.attname from pg_attribute a
            join pg_type t on t.oid = a.atttypid
            where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
            and c.relkind in ('r', 'p', 'm') and a.attstorage <> t.typstorage
        union all select 'storage options of its long values' from pg_class b
            where b.oid = c.reltoastrelid and b.reloptions is not null
        union all select 'compression of column ' || a.attname from pg_attribute a
            where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
            and to_jsonb(a) ->> 'attcompression' <> ''
        union all select 'collation ' || l.collname || ' of column ' || a.attname from pg_attribute a
            join pg_type t on t.oid = a.atttypid join pg_collation l on l.oid = a.attcollation
            where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
            and c.relkind in ('r', 'p', 'm') and a.attcollation <> t.typcollation
        union all select 'tablespace ' || b.spcname from pg_tablespace b where b.oid = c.reltablespace
        union all select 'tablespace ' || b.spcname || ' of index ' || i.relname from pg_index x
            join pg_class i on i.oid = x.indexrelid join pg_tablespace b on b.oid = i.reltablespace
            where x.indrelid = c.oid
        union all select 'access method ' || m.amname from pg_am m
            where m.oid = c.relam and m.amname <> current_setting('default_table_access_method')
        union all select 'forced row security' where c.relforcerowsecurity
        union all select 'unlogged' where c.relpersistence = 'u' and c.relkind in ('r', 'p')
    ) f where p.path is not null
),
-- What people may change of a table without making or dropping anything in the schema.
parts as (
    select s.oid as ns, md5(json_agg(f.part order by f.part)::text) as seen
    from p, s join pg_class c on c.relnamespace = s.oid and c.relkind in ('r', 'p', 'm', 'f')
    cross join lateral (
        select concat_ws(' ', c.relname, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod),
                a.attnotnull, pg_get_expr(d.adbin, d.adrelid)) as part
            from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
            where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        union all select pg_get_indexdef(x.indexrelid) from pg_index x where x.indrelid = c.oid
        union all select concat_ws(' ', c.relname, k.conname, pg_get_constraintdef(k.oid))
            from pg_constraint k where k.conrelid = c.oid and k.contype in ('p', 'u', 'x', 'c', 'f')
    ) f where p.path is not null and s.side = 'to' group by s.oid
),
found as (
    select s.d, s.s, s.side, json_build_object(
        'database', s.d, 'schema', s.s, 'side', s.side, 'object', s.oid::text,
        'owner', pg_get_userbyid(s.nspowner),
        'owned', pg_has_role(s.nspowner, 'usage')
            and has_database_privilege(current_database(), 'create'),
        'comment', obj_description(s.oid, 'pg_namespace'),
        'objects', (
            select json_agg(json_build_object('kind', o.kind, 'name', o.name, 'text', o.text)
                order by o.kind, o.name)
            from objects o where o.ns = s.oid),
        'dependents', (
            select json_agg(json_build_object('what', o.what, 'schema', o.home,
                'identifier', o.name, 'removes', o.removes,
                'makes', case when o.owned and not o.in_staging then o.makes end)
                order by o.what)
            from outside o where o.ns = s.oid),
        'given', (
            select json_agg(json_build_object('relation', g.relation, 'what', g.what)
                order by g.relation, g.what)
            from given g where g.ns = s.oid),
        'parts', (select t.seen from parts t where t.ns = s.oid)
    )::text as picture,
    (
        select json_agg(distinct g.statement) from (
            select format('grant %I to %I', pg_get_userbyid(o.owner), current_user) as statement
                from (
                    select s.nspowner as owner
                    union select c.relowner from pg_class c where c.relnamespace = s.oid
                    union select r.proowner from pg_proc r where r.pronamespace = s.oid
                ) o where not pg_has_role(o.owner, 'usage')
            union all select format('grant create on database %I to %I', current_database(), current_user)
                where not has_database_privilege(current_database(), 'create')
        ) g
    ) as grants
    from p, s where p.path is not null
)
select (f.picture::jsonb || jsonb_build_object('seen', md5(f.picture), 'grants', f.grants))::text from found f order by f.side, f.s
;

-- aside_check
do 'begin perform set_config(''lock_timeout'', ''3s'', true); if not exists (select 1 from pg_namespace n join "airlock"."airlock_log" l on l.id = ''20260102030405_abcdef'' and l.event = ''restores'', jsonb_array_elements(l.detail::jsonb) e where n.nspname = ''r_20260102030405_abcdef_1'' and e ->> ''schema'' = n.nspname and e ->> ''object'' = n.oid::text and right(obj_description(n.oid, ''pg_namespace''), length(''airlock: it''''s ours'')) = ''airlock: it''''s ours'') then raise exception ''airlock-conflict: % is no longer what the history says'', ''Wh.airlock_restore.r''; end if; end';

-- aside_drop
do 'declare ours jsonb; r record; tables text; why text; moved bool; begin select e -> ''objects'' into ours from pg_namespace n join "airlock"."airlock_log" l on l.id = ''20260102030405_abcdef'' and l.event = ''restores'', jsonb_array_elements(l.detail::jsonb) e where n.nspname = ''r_20260102030405_abcdef_1'' and e ->> ''schema'' = n.nspname and e ->> ''object'' = n.oid::text ; loop moved := false; why := null; select string_agg(o.identity, '', '') into tables from pg_namespace n, lateral (select o.type, o.identity from pg_depend d cross join lateral pg_identify_object(d.classid, d.objid, d.objsubid) o where d.refclassid = ''pg_namespace''::regclass and d.refobjid = n.oid and d.deptype = ''n'' and not exists (select 1 from pg_depend i where i.classid = d.classid and i.objid = d.objid and i.deptype in (''a'', ''i'') and i.refclassid <> ''pg_namespace''::regclass) and ours ? (d.classid::bigint || ''/'' || d.objid::bigint)) o where n.nspname = ''r_20260102030405_abcdef_1'' and o.type = ''table''; if tables is not null then begin execute ''drop table '' || tables; moved := true; exception when dependent_objects_still_exist then get stacked diagnostics why = pg_exception_detail; end; end if; for r in select o.type, o.identity from pg_namespace n, lateral (select o.type, o.identity from pg_depend d cross join lateral pg_identify_object(d.classid, d.objid, d.objsubid) o where d.refclassid = ''pg_namespace''::regclass and d.refobjid = n.oid and d.deptype = ''n'' and not exists (select 1 from pg_depend i where i.classid = d.classid and i.objid = d.objid and i.deptype in (''a'', ''i'') and i.refclassid <> ''pg_namespace''::regclass) and ours ? (d.classid::bigint || ''/'' || d.objid::bigint)) o where n.nspname = ''r_20260102030405_abcdef_1'' and o.type <> ''table'' order by o.type desc, o.identity loop begin execute format(''drop %s %s'', case r.type when ''composite type'' then ''type'' when ''statistics object'' then ''statistics'' else r.type end, r.identity); moved := true; exception when dependent_objects_still_exist then get stacked diagnostics why = pg_exception_detail; end; end loop; exit when why is null; if not moved then for r in select o.type, o.identity from pg_namespace n, lateral (select d.objid, o.type, o.identity from pg_depend d cross join lateral pg_identify_object(d.classid, d.objid, d.objsubid) o where d.refclassid = ''pg_namespace''::regclass and d.refobjid = n.oid and d.deptype = ''n'' and not exists (select 1 from pg_depend i where i.classid = d.classid and i.objid = d.objid and i.deptype in (''a'', ''i'') and i.refclassid <> ''pg_namespace''::regclass) and exists (select 1 from "airlock"."airlock_log" l, jsonb_array_elements(l.detail::jsonb) e where l.id = ''20260102030405_abcdef'' and l.event = ''restores'' and e ->> ''schema'' = n.nspname and e ->> ''object'' = n.oid::text and e -> ''objects'' ? (d.classid::bigint || ''/'' || d.objid::bigint))) o where ''["utils__airlock_20260102030405_abcdef"]''::jsonb ? n.nspname and o.type in (''view'', ''materialized view'') and exists (select 1 from pg_rewrite w join pg_depend b on b.classid = ''pg_rewrite''::regclass and b.objid = w.oid and b.refclassid = ''pg_class''::regclass join pg_class c on c.oid = b.refobjid where w.ev_class = o.objid and c.relnamespace = (select f.oid from pg_namespace f where f.nspname = ''r_20260102030405_abcdef_1'')) loop begin execute format(''drop %s %s'', r.type, r.identity); moved := true; exception when dependent_objects_still_exist then get stacked diagnostics why = pg_exception_detail; end; end loop; end if; if not moved then raise exception ''others use what is in it: %'', why; end if; end loop; execute ''drop schema '' || quote_ident(''r_20260102030405_abcdef_1''); end';

-- grants_keep
-- Owner and privileges of what dbt is about to make anew. Where a deployment died before it gave
-- back what it had kept of an object that is gone by now, that still counts: also of a view that went
-- with its table, and is made again.
insert into "airlock"."airlock_log" (id, logged_at, event, detail)
with wanted as (
    select c.oid, w.d, w.s, w.i
    from (values ('Wh', 'ma"rt', 'it''s {{ all }} $$'), ('Wh', 'mart', 'orders')) as w (d, s, i)
    left join pg_namespace n on n.nspname = w.s
    left join pg_class c on c.relnamespace = n.oid and c.relname = w.i
),
lost as (
    select q.e
    from (
        select distinct on (e ->> 'schema', e ->> 'identifier') l.id, e
        from "airlock"."airlock_log" l, jsonb_array_elements(l.detail::jsonb) e
        where l.event = 'grants'
        order by e ->> 'schema', e ->> 'identifier', l.logged_at desc
    ) q
    where not exists (
        select 1 from "airlock"."airlock_log" b where b.id = q.id and b.event = 'granted')
)
select '<id>', (
    select greatest(clock_timestamp(), max(logged_at) + interval '1 us') from "airlock"."airlock_log"
), 'grants', coalesce(json_agg(json_build_object(
    'database', w.d, 'schema', w.s, 'identifier', w.i, 'object', c.oid::text,
    'by_node', '[["mart","orders"]]'::jsonb @> jsonb_build_array(jsonb_build_array(w.s, w.i)),
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
;

-- grants_back
do 'declare t record; r record; begin
for t in select c.oid::regclass as name, c.oid, pg_get_userbyid(c.relowner) as owner, e as kept
    from "airlock"."airlock_log" l, jsonb_array_elements(l.detail::jsonb) e
    join pg_namespace n on n.nspname = e ->> ''schema''
    join pg_class c on c.relnamespace = n.oid and c.relname = e ->> ''identifier''
    where l.id = ''20260102030405_abcdef'' and l.event = ''grants''
loop
    if t.owner <> t.kept ->> ''owner''
        and exists (select 1 from pg_roles o where o.rolname = t.kept ->> ''owner'') then
        execute format(''alter table %s owner to %I'', t.name, t.kept ->> ''owner'');
    end if;
    for r in with old as (
        select x ->> ''column'' as col, x ->> ''grantee'' as grantee, x ->> ''privilege'' as privilege,
            (x ->> ''grantable'')::boolean as grantable
        from jsonb_array_elements(t.kept -> ''privileges'') x
        where not (t.kept ->> ''by_node'')::boolean
        and ((x ->> ''column'') is null or (x ->> ''column'') in (select a.attname from pg_attribute a
                where a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped))
        and ((x ->> ''grantee'') is null
            or exists (select 1 from pg_roles o where o.rolname = x ->> ''grantee''))),
    new as (
        select null as col, case x.grantee when 0 then null else pg_get_userbyid(x.grantee)::text
            end as grantee, x.privilege_type as privilege, x.is_grantable as grantable
        from pg_class c, aclexplode(coalesce(c.relacl, acldefault(''r'', c.relowner))) x
        where c.oid = t.oid and not (t.kept ->> ''by_node'')::boolean
        union all
        select a.attname::text, case x.grantee when 0 then null
            else pg_get_userbyid(x.grantee)::text end, x.privilege_type, x.is_grantable
        from pg_attribute a, aclexplode(a.attacl) x
        where a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped)
    select 1 as turn, ''revoke %s on table %s from %s'' as command, q.*
    from (select * from new except select * from old) q
    union all
    select 2, ''grant %s on table %s to %s'' || case when q.grantable then '' with grant option''
        else '''' end, q.*
    from (select * from old except select * from new union select * from old where col is not null) q
    order by turn loop
        execute format(r.command, r.privilege || coalesce(''('' || quote_ident(r.col) || '')'', ''''), t.name,
            coalesce(quote_ident(r.grantee), ''public''));
    end loop;
end loop;
insert into "airlock"."airlock_log" (id, logged_at, event, detail)
select ''20260102030405_abcdef'', (
    select greatest(clock_timestamp(), max(logged_at) + interval ''1 us'') from "airlock"."airlock_log"
), ''granted'', ''{}''
where not exists (
    select 1 from "airlock"."airlock_log" l, jsonb_array_elements(l.detail::jsonb) e
    where l.id = ''20260102030405_abcdef'' and l.event = ''grants'' and not exists (
        select 1 from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname = e ->> ''schema'' and c.relname = e ->> ''identifier''));
end
';

-- log_aside
insert into "airlock"."airlock_log" (id, logged_at, event, detail) select '<id>', (select greatest(clock_timestamp(), max(logged_at) + interval '1 us') from "airlock"."airlock_log"), 'restores', coalesce(json_agg((e - 'made' - 'prefix' - 'was') || jsonb_build_object('schema', n.nspname, 'object', n.oid::text, 'objects', (select coalesce(jsonb_agg(d.classid::bigint || '/' || d.objid::bigint), '[]') from pg_depend d cross join lateral pg_identify_object(d.classid, d.objid, d.objsubid) o where d.refclassid = 'pg_namespace'::regclass and d.refobjid = n.oid and d.deptype = 'n' and not exists (select 1 from pg_depend i where i.classid = d.classid and i.objid = d.objid and i.deptype in ('a', 'i') and i.refclassid <> 'pg_namespace'::regclass) and (e -> 'made' ? (o.type || ' ' || coalesce(o.name, substring(o.identity from length(quote_ident(n.nspname)) + 2))) or d.classid = 'pg_class'::regclass and exists (select 1 from "airlock"."airlock_log" l, jsonb_array_elements(l.detail::jsonb -> 'tables') t where l.id = e ->> 'was' and l.event = 'intent' and split_part(t -> 'tested' ->> 'object', '/', 1) = d.objid::text))), 'bytes', (select coalesce(sum(pg_total_relation_size(c.oid)), 0) from pg_class c where c.relnamespace = n.oid and c.relkind in ('r', 'm')), 'expires_at', to_char((clock_timestamp() + (e ->> 'keep_for')::bigint * interval '1 s') at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')))::text, '[]') from jsonb_array_elements('{"a":"it''s \"b\""}'::jsonb) e join pg_namespace n on n.nspname = (e ->> 'prefix') || '<id>';

-- schema_create
do 'begin if not exists (select 1 from pg_namespace where nspname = ''ma"rt'') then create schema "ma""rt"; end if; exception when duplicate_schema or unique_violation then null; end';

-- log_create
do 'begin create table if not exists "airlock"."airlock_log" (id text not null, logged_at timestamptz not null, event text not null, detail text not null); exception when duplicate_table or duplicate_object or unique_violation then null; end';

-- lock_create
do 'begin create table if not exists "airlock"."airlock_lock_0123456789abcdef" as select 0::bigint as fence, ''''::text as nonce, ''''::text as id, ''''::text as name, ''''::text as username, ''''::text as host, ''''::text as boot, 0::bigint as pid, ''''::text as start, ''''::text as since, ''''::text as phase, null::timestamptz as expires, ''Wh."it''''s"''::text as container; exception when duplicate_table or duplicate_object or unique_violation then null; end';

-- lock_acquire
update "airlock"."airlock_lock_0123456789abcdef" set fence = fence + 1, nonce = '<nonce>', id = '<id>', name = '<name>', username = '<user>', host = '<host>', boot = '<boot>', pid = <pid>, start = '<start>', since = '<since>', phase = '<phase>', expires = clock_timestamp() + interval '<lease> seconds' where nonce = '';

-- lock_acquire_next
update "airlock"."airlock_lock_0123456789abcdef" set fence = fence + 1, nonce = '<nonce>', id = '<id>', name = '<name>', username = '<user>', host = '<host>', boot = '<boot>', pid = <pid>, start = '<start>', since = '<since>', phase = '<phase>', expires = clock_timestamp() + interval '<lease> seconds' where nonce = '' and exists (select 1 from "airlock"."airlock_lock_0123456789abcdef" p where p.nonce = '<nonce>');

-- lock_take
do 'begin update "airlock"."airlock_lock_0123456789abcdef" set fence = fence + 1, nonce = ''<nonce>'', id = ''<id>'', name = ''<name>'', username = ''<user>'', host = ''<host>'', boot = ''<boot>'', pid = <pid>, start = ''<start>'', since = ''<since>'', phase = ''<phase>'', expires = clock_timestamp() + interval ''<lease> seconds'' where nonce = ''0011223344556677'' and fence = 41 and (0 = 1 or expires < clock_timestamp()); if found and not exists (select 1 from "airlock"."airlock_log" where id = ''20260102030405_abcdef'' and event in (''finished'', ''aborted'')) then insert into "airlock"."airlock_log" (id, logged_at, event, detail) values (''20260102030405_abcdef'', (select greatest(clock_timestamp(), max(logged_at) + interval ''1 us'') from "airlock"."airlock_log"), case when exists (select 1 from "airlock"."airlock_log" where id = ''20260102030405_abcdef'' and event = ''published'') then ''finished'' else ''aborted'' end, ''{"a":"it''''s \"b\""}''); end if; end';

-- lock_resume
update "airlock"."airlock_lock_0123456789abcdef" set fence = fence + 1, nonce = '<nonce>', id = '<id>', name = '<name>', username = '<user>', host = '<host>', boot = '<boot>', pid = <pid>, start = '<start>', since = '<since>', phase = '<phase>', expires = clock_timestamp() + interval '<lease> seconds' where nonce = '0011223344556677' and fence = 41 and (0 = 1 or expires < clock_timestamp());

-- lock_read
select json_build_object('container', l.container, 'rows', (select count(*) from "airlock"."airlock_lock_0123456789abcdef"), 'fence', l.fence, 'nonce', l.nonce, 'id', l.id, 'name', l.name, 'user', l.username, 'host', l.host, 'boot', l.boot, 'pid', l.pid, 'start', l.start, 'since', l.since, 'phase', l.phase, 'expires', to_char(l.expires at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'expired', coalesce(l.expires < clock_timestamp(), false), 'published', exists (select 1 from "airlock"."airlock_log" g where g.id = l.id and g.event = 'published'))::text from "airlock"."airlock_lock_0123456789abcdef" l;

-- lock_held
select json_build_object('fence', fence)::text from "airlock"."airlock_lock_0123456789abcdef" where nonce = '<nonce>';

-- lock_list
select json_build_object('identifier', c.relname)::text from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'airlock' and c.relkind = 'r' and starts_with(c.relname, 'airlock_lock_') order by c.relname;

-- lock_release
update "airlock"."airlock_lock_0123456789abcdef" set nonce = '', phase = 'free' where nonce = '<nonce>';

-- fence_raise
update "airlock"."airlock_lock_0123456789abcdef" set fence = fence + 1 where nonce = '<nonce>';

-- fence_check
do 'declare n bigint; holder text; begin update "airlock"."airlock_lock_0123456789abcdef" set phase = ''build'', expires = clock_timestamp() + interval ''<lease> seconds'' where nonce = ''<nonce>''; get diagnostics n = row_count; if n <> 1 then select case nonce when '''' then ''nobody'' else format(''deployment ''''%s'''' (%s) of %s on %s, process %s, since %s, phase %s, its lease ends %s'', id, name, username, host, pid, since, phase, to_char(expires at time zone ''utc'', ''YYYY-MM-DD"T"HH24:MI:SS"Z"'')) end into holder from "airlock"."airlock_lock_0123456789abcdef"; raise exception ''airlock-fence: the lock of % was taken from this deployment and is held by %'', ''Wh."it''''s"'', holder; end if; end';

-- fence_production
do 'declare n bigint; holder text; begin update "airlock"."airlock_lock_0123456789abcdef" set fence = fence + 1 where nonce in ('''', ''<nonce>''); get diagnostics n = row_count; if n <> 1 then select format(''deployment ''''%s'''' (%s) of %s on %s, process %s, since %s, phase %s, its lease ends %s'', id, name, username, host, pid, since, phase, to_char(expires at time zone ''utc'', ''YYYY-MM-DD"T"HH24:MI:SS"Z"'')) into holder from "airlock"."airlock_lock_0123456789abcdef"; raise exception ''airlock-held: % is held by %'', ''Wh."it''''s"'', holder; end if; end';

-- log_insert
insert into "airlock"."airlock_log" (id, logged_at, event, detail) values ('<id>', (select greatest(clock_timestamp(), max(logged_at) + interval '1 us') from "airlock"."airlock_log"), 'intent', '{"a":"it''s \"b\""}');

-- log_begun
insert into "airlock"."airlock_log" (id, logged_at, event, detail) select '<id>', (select greatest(clock_timestamp(), max(logged_at) + interval '1 us') from "airlock"."airlock_log"), 'begun', left('{"a":"it''s \"b\""}', length('{"a":"it''s \"b\""}') - 1) || ',"fence":' || l.fence || '}' from "airlock"."airlock_lock_0123456789abcdef" l where l.nonce = '<nonce>' and not exists (select 1 from "airlock"."airlock_log" g where g.id = '<id>' and g.event in ('begun', 'finished', 'aborted')) for share of l;

-- log_held
insert into "airlock"."airlock_log" (id, logged_at, event, detail) select '<id>', (select greatest(clock_timestamp(), max(logged_at) + interval '1 us') from "airlock"."airlock_log"), 'intent', '{"a":"it''s \"b\""}' from "airlock"."airlock_lock_0123456789abcdef" l where l.nonce = '<nonce>' and not exists (select 1 from "airlock"."airlock_log" g where g.id = '<id>' and (g.event in ('finished', 'aborted') or g.event = 'intent' and g.detail = '{"a":"it''s \"b\""}')) for share of l;

-- log_objects
insert into "airlock"."airlock_log" (id, logged_at, event, detail) with p as materialized (select set_config('search_path', 'pg_catalog', true) as path) select '<id>', (select greatest(clock_timestamp(), max(logged_at) + interval '1 us') from "airlock"."airlock_log"), 'objects', coalesce(json_agg(json_build_object('database', w.d, 'schema', n.nspname, 'identifier', c.relname, 'object', c.oid::text || '/' || case c.relkind when 'v' then md5(pg_get_viewdef(c.oid)) else c.relfilenode::text end))::text, '[]') from p, (values ('Wh', 'ma"rt', 'it''s {{ all }} $$'), ('Wh', 'mart', 'orders')) as w (d, s, i) join pg_namespace n on n.nspname = w.s join pg_class c on c.relnamespace = n.oid and c.relname = w.i where p.path is not null;

-- log_restores
insert into "airlock"."airlock_log" (id, logged_at, event, detail) select '<id>', (select greatest(clock_timestamp(), max(logged_at) + interval '1 us') from "airlock"."airlock_log"), 'restores', coalesce(json_agg(e || jsonb_build_object('object', c.oid::text || '/' || c.relfilenode::text, 'bytes', pg_total_relation_size(c.oid), 'expires_at', to_char((clock_timestamp() + (e ->> 'keep_for')::bigint * interval '1 s') at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')))::text, '[]') from jsonb_array_elements('{"a":"it''s \"b\""}'::jsonb) e join pg_class c on c.relname = 'r_<id>_' || (e ->> 'number') join pg_namespace n on n.oid = c.relnamespace and n.nspname = 'airlock_restore';

-- log_probe
select json_build_object('published', exists (select 1 from "airlock"."airlock_log" where id = '<id>' and event = 'published'))::text;

-- log_read
select json_build_object('id', id, 'at', to_char(logged_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'event', event, 'detail', detail, 'age', extract(epoch from clock_timestamp() - logged_at)::bigint)::text from "airlock"."airlock_log" where '' in ('', id) order by logged_at;
