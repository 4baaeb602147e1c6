-- What is asked for, and every view that reads it. Without a search path all names come whole.
with recursive p as materialized (select set_config('search_path', 'pg_catalog', true) as path),
found (d, oid) as (
    select distinct w.d, c.oid
    from (values {names:names}) as w (d, s, i)
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
