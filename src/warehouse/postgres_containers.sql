-- The schemas that are exchanged whole; i says of which side each is. Without a search path all
-- names come whole.
with p as materialized (select set_config('search_path', 'pg_catalog', true) as path),
s as (
    select w.d, w.s, w.i as side, n.oid, n.nspowner
    from (values {names:names}) as w (d, s, i) join pg_namespace n on n.nspname = w.s
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
