-- observe_session
select to_json_string(struct(session_user() as `user`, @@project_id as `database`, 'BigQuery' as `version`));

-- observe_schemas
declare found array<string> default []; begin set found = array_concat(found, array(select to_json_string(struct(w.d as `database`, w.s as `schema`)) from (select distinct w.d, w.s from unnest(array<struct<d string, s string, i string>>[('Wh', 'ma"rt', 'it\'s {{ all }} $$'), ('Wh', 'mart', 'orders')]) as w) as w cross join (select count(*) as n from `Wh`.`ma"rt`.INFORMATION_SCHEMA.TABLES) as t where w.d = 'Wh' and w.s = 'ma"rt')); exception when error then if strpos(@@error.message, 'Not found: Dataset') = 0 then raise using message = @@error.message; end if; end; begin set found = array_concat(found, array(select to_json_string(struct(w.d as `database`, w.s as `schema`)) from (select distinct w.d, w.s from unnest(array<struct<d string, s string, i string>>[('Wh', 'ma"rt', 'it\'s {{ all }} $$'), ('Wh', 'mart', 'orders')]) as w) as w cross join (select count(*) as n from `Wh`.`mart`.INFORMATION_SCHEMA.TABLES) as t where w.d = 'Wh' and w.s = 'mart')); exception when error then if strpos(@@error.message, 'Not found: Dataset') = 0 then raise using message = @@error.message; end if; end; select f from unnest(found) as f;

-- observe_relations
declare found array<string> default []; begin set found = array_concat(found, array(select to_json_string(struct(
    t.table_catalog as `database`, t.table_schema as `schema`, t.table_name as `identifier`,
    case when t.table_type in ('BASE TABLE', 'CLONE') then 'table' else lower(t.table_type) end as `kind`,
    case t.table_type when 'VIEW' then to_hex(md5(v.view_definition))
        else cast(unix_millis(t.creation_time) as string) end as `object`,
    cast(m.last_modified_time as string) as `modified`,
    case t.table_type when 'VIEW' then 'as ' || v.view_definition end as `definition`,
    array_to_string([regexp_extract(t.ddl, '(?m)^(PARTITION BY .*?);?$'), regexp_extract(t.ddl, '(?m)^(CLUSTER BY .*?);?$')], ' ') as `layout`,
    (select string_agg(o.option_name || ' = ' || o.option_value, ', ' order by o.option_name)
        from `Wh`.`ma"rt`.INFORMATION_SCHEMA.TABLE_OPTIONS as o
        where o.table_name = t.table_name
            and o.option_name in ('expiration_timestamp', 'partition_expiration_days', 'labels')) as `options`,
    (select json_value(o.option_value) from `Wh`.`ma"rt`.INFORMATION_SCHEMA.TABLE_OPTIONS as o
        where o.table_name = t.table_name and o.option_name = 'description') as `comment`,
    array(select f.field_path from `Wh`.`ma"rt`.INFORMATION_SCHEMA.COLUMN_FIELD_PATHS as f
        where f.table_name = t.table_name order by f.field_path) as `fields`,
    array(select as struct f.field_path as `name`, f.data_type as `type`, nullif(f.description, '') as `comment`,
            nullif(array_to_string(array(select p from unnest(f.policy_tags) as p order by p), ','), '') as `tags`
        from `Wh`.`ma"rt`.INFORMATION_SCHEMA.COLUMN_FIELD_PATHS as f
        where f.table_name = t.table_name
            and (coalesce(f.description, '') != '' or array_length(f.policy_tags) > 0)
        order by f.field_path) as `columns`,
    true as `owned`,
    array(select 'its change history is on' from unnest([1]) where t.is_change_history_enabled = 'YES') as `refuses`))
from unnest(array<struct<d string, s string, i string>>[('Wh', 'ma"rt', 'it\'s {{ all }} $$'), ('Wh', 'mart', 'orders')]) as w
inner join `Wh`.`ma"rt`.INFORMATION_SCHEMA.TABLES as t
    on t.table_catalog = w.d and t.table_schema = w.s and t.table_name = w.i
left join `Wh`.`ma"rt`.__TABLES__ as m on m.table_id = t.table_name
left join `Wh`.`ma"rt`.INFORMATION_SCHEMA.VIEWS as v
    on v.table_schema = t.table_schema and v.table_name = t.table_name));
exception when error then if strpos(@@error.message, 'Not found: Dataset') = 0 then raise using message = @@error.message; end if; end; begin set found = array_concat(found, array(select to_json_string(struct(
    t.table_catalog as `database`, t.table_schema as `schema`, t.table_name as `identifier`,
    case when t.table_type in ('BASE TABLE', 'CLONE') then 'table' else lower(t.table_type) end as `kind`,
    case t.table_type when 'VIEW' then to_hex(md5(v.view_definition))
        else cast(unix_millis(t.creation_time) as string) end as `object`,
    cast(m.last_modified_time as string) as `modified`,
    case t.table_type when 'VIEW' then 'as ' || v.view_definition end as `definition`,
    array_to_string([regexp_extract(t.ddl, '(?m)^(PARTITION BY .*?);?$'), regexp_extract(t.ddl, '(?m)^(CLUSTER BY .*?);?$')], ' ') as `layout`,
    (select string_agg(o.option_name || ' = ' || o.option_value, ', ' order by o.option_name)
        from `Wh`.`mart`.INFORMATION_SCHEMA.TABLE_OPTIONS as o
        where o.table_name = t.table_name
            and o.option_name in ('expiration_timestamp', 'partition_expiration_days', 'labels')) as `options`,
    (select json_value(o.option_value) from `Wh`.`mart`.INFORMATION_SCHEMA.TABLE_OPTIONS as o
        where o.table_name = t.table_name and o.option_name = 'description') as `comment`,
    array(select f.field_path from `Wh`.`mart`.INFORMATION_SCHEMA.COLUMN_FIELD_PATHS as f
        where f.table_name = t.table_name order by f.field_path) as `fields`,
    array(select as struct f.field_path as `name`, f.data_type as `type`, nullif(f.description, '') as `comment`,
            nullif(array_to_string(array(select p from unnest(f.policy_tags) as p order by p), ','), '') as `tags`
        from `Wh`.`mart`.INFORMATION_SCHEMA.COLUMN_FIELD_PATHS as f
        where f.table_name = t.table_name
            and (coalesce(f.description, '') != '' or array_length(f.policy_tags) > 0)
        order by f.field_path) as `columns`,
    true as `owned`,
    array(select 'its change history is on' from unnest([1]) where t.is_change_history_enabled = 'YES') as `refuses`))
from unnest(array<struct<d string, s string, i string>>[('Wh', 'ma"rt', 'it\'s {{ all }} $$'), ('Wh', 'mart', 'orders')]) as w
inner join `Wh`.`mart`.INFORMATION_SCHEMA.TABLES as t
    on t.table_catalog = w.d and t.table_schema = w.s and t.table_name = w.i
left join `Wh`.`mart`.__TABLES__ as m on m.table_id = t.table_name
left join `Wh`.`mart`.INFORMATION_SCHEMA.VIEWS as v
    on v.table_schema = t.table_schema and v.table_name = t.table_name));
exception when error then if strpos(@@error.message, 'Not found: Dataset') = 0 then raise using message = @@error.message; end if; end; select f from unnest(found) as f
;

-- observe_content
select to_json_string(struct(t.table_catalog as `database`, t.table_schema as `schema`, t.table_name as `identifier`, cast(unix_millis(t.creation_time) as string) as `object`, cast(m.last_modified_time as string) as `version`, q.n as `rows`, q.h as `content`)) from unnest(array<struct<d string, s string, i string>>[('Wh', 'ma"rt', 'it\'s {{ all }} $$')]) as w inner join `Wh`.`ma"rt`.INFORMATION_SCHEMA.TABLES as t on t.table_schema = w.s and t.table_name = w.i inner join `Wh`.`ma"rt`.__TABLES__ as m on m.table_id = t.table_name cross join (select count(*) as n, cast(coalesce(sum(cast(farm_fingerprint(to_json_string(x)) as numeric)), 0) as string) as h from `Wh`.`ma"rt`.`it's {{ all }} $$` as x) as q;

-- observe_rows
select to_json_string(struct(t.table_catalog as `database`, t.table_schema as `schema`, t.table_name as `identifier`, cast(unix_millis(t.creation_time) as string) as `object`, cast(m.last_modified_time as string) as `version`, q.n as `rows`)) from unnest(array<struct<d string, s string, i string>>[('Wh', 'ma"rt', 'it\'s {{ all }} $$')]) as w inner join `Wh`.`ma"rt`.INFORMATION_SCHEMA.TABLES as t on t.table_schema = w.s and t.table_name = w.i inner join `Wh`.`ma"rt`.__TABLES__ as m on m.table_id = t.table_name cross join (select count(*) as n from `Wh`.`ma"rt`.`it's {{ all }} $$`) as q;

-- observe_history
select to_json_string(struct('Wh' as `database`, 'mart' as `schema`, 'r_20260102030405_abcdef_1' as `identifier`, count(*) as `lost`)) from `Wh`.`mart`.`orders` as t where not exists (select 1 from `Wh`.`ma"rt`.`it's {{ all }} $$` as f where f.`dbt_scd_id` = t.`dbt_scd_id`);

-- observe_privileges
declare located string; begin set located = coalesce((select string_agg(g, '\n' order by g) from (select distinct privilege_type || ' ' || grantee as g from `Wh`.`region-of Wh.mart`.INFORMATION_SCHEMA.OBJECT_PRIVILEGES where object_schema = 'mart' and object_name = 'r_20260102030405_abcdef_1')), ''); exception when error then set located = null; end; select to_json_string(struct('Wh' as `database`, 'mart' as `schema`, 'r_20260102030405_abcdef_1' as `identifier`, located as `privileges`));

-- observe_restores
declare found array<string> default []; begin set found = array_concat(found, array(select to_json_string(struct(t.table_name as `identifier`, cast(unix_millis(t.creation_time) as string) as `object`, json_value(o.option_value) as `comment`, m.size_bytes as `bytes`, r.id as `id`, format_timestamp('%Y-%m-%dT%H:%M:%E3SZ', r.logged_at) as `at`, timestamp_diff(current_timestamp(), r.logged_at, second) as `age`, parse_json(r.e) as `restore`, t.table_type = 'SNAPSHOT' as `snapshot`, s.n as `snapshots`)) from `Wh`.`airlock_restore`.INFORMATION_SCHEMA.TABLES as t inner join `Wh`.`airlock_restore`.__TABLES__ as m on m.table_id = t.table_name left join `Wh`.`airlock_restore`.INFORMATION_SCHEMA.TABLE_OPTIONS as o on o.table_name = t.table_name and o.option_name = 'description' left join (select l.id, l.logged_at, e from `Wh`.`airlock`.`airlock_log` as l, unnest(json_query_array(l.detail)) as e where l.event = 'restores') as r on t.table_name = 'r_' || r.id || '_' || json_value(r.e, '$.number') left join (select d.made_of, count(*) as n from (select l.logged_at, json_query(e, '$.of') as made_of, json_value(e, '$.copy') as is_copy from `Wh`.`airlock`.`airlock_log` as l, unnest(json_query_array(l.detail)) as e where l.event = 'restores') as d where d.is_copy is null and d.logged_at > timestamp_sub(current_timestamp(), interval 1 day) group by d.made_of) as s on s.made_of = json_query(r.e, '$.of') where t.table_schema = 'airlock_restore' order by t.table_name)); exception when error then if strpos(@@error.message, 'Not found: Dataset') = 0 then raise using message = @@error.message; end if; end; select f from unnest(found) as f;

-- observe_existing
declare found array<string> default []; begin set found = array_concat(found, array(select to_json_string(struct(w.d as `database`, w.s as `schema`, w.i as `identifier`)) from unnest(array<struct<d string, s string, i string>>[('Wh', 'ma"rt', 'it\'s {{ all }} $$'), ('Wh', 'mart', 'orders')]) as w inner join `Wh`.`ma"rt`.INFORMATION_SCHEMA.TABLES as t on t.table_schema = w.s and t.table_name = w.i)); exception when error then if strpos(@@error.message, 'Not found: Dataset') = 0 then raise using message = @@error.message; end if; end; begin set found = array_concat(found, array(select to_json_string(struct(w.d as `database`, w.s as `schema`, w.i as `identifier`)) from unnest(array<struct<d string, s string, i string>>[('Wh', 'ma"rt', 'it\'s {{ all }} $$'), ('Wh', 'mart', 'orders')]) as w inner join `Wh`.`mart`.INFORMATION_SCHEMA.TABLES as t on t.table_schema = w.s and t.table_name = w.i)); exception when error then if strpos(@@error.message, 'Not found: Dataset') = 0 then raise using message = @@error.message; end if; end; select f from unnest(found) as f;

-- observe_left
declare found array<string> default []; begin set found = array_concat(found, array(select to_json_string(struct(table_name as `lock`)) from `Wh`.`airlock`.INFORMATION_SCHEMA.TABLES where starts_with(table_name, 'airlock_lock_') union all select to_json_string(struct(table_schema || '.' || table_name as `side`)) from `Wh`.`airlock`.INFORMATION_SCHEMA.TABLES where starts_with(table_name, 'airlock_stage_') union all select to_json_string(struct(o.table_name as `copy`)) from `Wh`.`airlock`.INFORMATION_SCHEMA.TABLE_OPTIONS as o where o.option_name = 'description' and starts_with(o.table_name, 'mirror_') and starts_with(json_value(o.option_value), 'airlock: side copy of refresh ') union all select to_json_string(struct(id as `unfinished`)) from `Wh`.`airlock`.`airlock_log` group by id having countif(event = 'intent') > 0 and countif(event in ('finished', 'aborted')) = 0)); exception when error then if strpos(@@error.message, 'Not found: Dataset') = 0 then raise using message = @@error.message; end if; end; select f from unnest(found) as f;

-- restore_check
select if((select count(*) from `Wh`.`airlock_restore`.INFORMATION_SCHEMA.TABLE_OPTIONS as o cross join (select l.id, l.logged_at, e from `Wh`.`airlock`.`airlock_log` as l, unnest(json_query_array(l.detail)) as e where l.event = 'restores' and l.id = '20260102030405_abcdef') as r where o.table_schema = 'airlock_restore' and o.table_name = 'r_20260102030405_abcdef_1' and o.option_name = 'description' and json_value(o.option_value) = 'airlock: it\'s ours' and 'r_' || r.id || '_' || json_value(r.e, '$.number') = o.table_name) > 0, 1, error('airlock-conflict: ' || 'Wh.airlock_restore.r' || ' is no longer what the history says'));

-- restore_drop
drop snapshot table `Wh`.`airlock_restore`.`r_20260102030405_abcdef_1`;

-- restore_dropped
insert into `Wh`.`airlock`.`airlock_log` (id, logged_at, event, detail) select '20260102030405_abcdef', current_timestamp(), 'expired', '{"a":"it\'s \\"b\\""}';

-- running
declare located array<string>; begin set located = array(select j.job_id from `Wh`.`region-of Wh.mart`.INFORMATION_SCHEMA.JOBS_BY_USER as j where j.state != 'DONE' and j.parent_job_id is null and j.job_id != @@script.job_id and exists (select 1 from unnest(j.labels) as l where l.key = 'airlock' and l.value = '<id>') order by j.job_id); exception when error then set located = null; end; select to_json_string(struct(array_length(located) as `running`, located as `jobs`));

-- cancel
call bq.jobs.cancel('it\'s-4711');

-- schema_create
create schema if not exists `Wh`.`ma"rt`;

-- log_create
create table if not exists `Wh`.`airlock`.`airlock_log` (id string not null, logged_at timestamp not null, event string not null, detail string not null);

-- lock_create
create table if not exists `Wh`.`airlock`.`airlock_lock_0123456789abcdef` as select 0 as fence, '' as nonce, '' as id, '' as name, '' as username, '' as host, '' as boot, 0 as pid, '' as began, '' as since, '' as phase, cast(null as timestamp) as expires, 'Wh."it\'s"' as container;

-- lock_acquire
update `Wh`.`airlock`.`airlock_lock_0123456789abcdef` set fence = fence + 1, nonce = '<nonce>', id = '<id>', name = '<name>', username = '<user>', host = '<host>', boot = '<boot>', pid = <pid>, began = '<start>', since = '<since>', phase = '<phase>', expires = timestamp_add(current_timestamp(), interval <lease> second) where nonce = '';

-- lock_acquire_next
update `Wh`.`airlock`.`airlock_lock_0123456789abcdef` set fence = fence + 1, nonce = '<nonce>', id = '<id>', name = '<name>', username = '<user>', host = '<host>', boot = '<boot>', pid = <pid>, began = '<start>', since = '<since>', phase = '<phase>', expires = timestamp_add(current_timestamp(), interval <lease> second) where nonce = '' and exists (select 1 from `Wh`.`airlock`.`airlock_lock_0123456789abcdef` as p where p.nonce = '<nonce>');

-- lock_take
begin transaction; update `Wh`.`airlock`.`airlock_lock_0123456789abcdef` set fence = fence + 1, nonce = '<nonce>', id = '<id>', name = '<name>', username = '<user>', host = '<host>', boot = '<boot>', pid = <pid>, began = '<start>', since = '<since>', phase = '<phase>', expires = timestamp_add(current_timestamp(), interval <lease> second) where nonce = '0011223344556677' and fence = 41 and (0 = 1 or expires < current_timestamp()); insert into `Wh`.`airlock`.`airlock_log` (id, logged_at, event, detail) select '20260102030405_abcdef', current_timestamp(), case when (select count(*) from `Wh`.`airlock`.`airlock_log` where id = '20260102030405_abcdef' and event = 'published') > 0 then 'finished' else 'aborted' end, '{"a":"it\'s \\"b\\""}' from `Wh`.`airlock`.`airlock_lock_0123456789abcdef` where nonce = '<nonce>' and not exists (select 1 from `Wh`.`airlock`.`airlock_log` where id = '20260102030405_abcdef' and event in ('finished', 'aborted')); commit transaction;

-- lock_resume
update `Wh`.`airlock`.`airlock_lock_0123456789abcdef` set fence = fence + 1, nonce = '<nonce>', id = '<id>', name = '<name>', username = '<user>', host = '<host>', boot = '<boot>', pid = <pid>, began = '<start>', since = '<since>', phase = '<phase>', expires = timestamp_add(current_timestamp(), interval <lease> second) where nonce = '0011223344556677' and fence = 41 and (0 = 1 or expires < current_timestamp());

-- lock_read
select to_json_string(struct(l.container as `container`, (select count(*) from `Wh`.`airlock`.`airlock_lock_0123456789abcdef`) as `rows`, l.fence as `fence`, l.nonce as `nonce`, l.id as `id`, l.name as `name`, l.username as `user`, l.host as `host`, l.boot as `boot`, l.pid as `pid`, l.began as `start`, l.since as `since`, l.phase as `phase`, format_timestamp('%Y-%m-%dT%H:%M:%E3SZ', l.expires) as `expires`, coalesce(l.expires < current_timestamp(), false) as `expired`, g.id is not null as `published`)) from `Wh`.`airlock`.`airlock_lock_0123456789abcdef` as l left join (select distinct id from `Wh`.`airlock`.`airlock_log` where event = 'published') as g on g.id = l.id;

-- lock_held
select to_json_string(struct(fence as `fence`)) from `Wh`.`airlock`.`airlock_lock_0123456789abcdef` where nonce = '<nonce>';

-- lock_list
declare found array<string> default []; begin set found = array_concat(found, array(select to_json_string(struct(table_name as `identifier`)) from `Wh`.`airlock`.INFORMATION_SCHEMA.TABLES where starts_with(table_name, 'airlock_lock_') order by table_name)); exception when error then if strpos(@@error.message, 'Not found: Dataset') = 0 then raise using message = @@error.message; end if; end; select f from unnest(found) as f;

-- lock_release
update `Wh`.`airlock`.`airlock_lock_0123456789abcdef` set nonce = '', phase = 'free' where nonce = '<nonce>';

-- fence_raise
update `Wh`.`airlock`.`airlock_lock_0123456789abcdef` set fence = fence + 1 where nonce = '<nonce>';

-- fence_check
update `Wh`.`airlock`.`airlock_lock_0123456789abcdef` set phase = 'build', expires = timestamp_add(current_timestamp(), interval <lease> second) where nonce = '<nonce>'; select if(@@row_count = 1, 1, error('airlock-fence: the lock of ' || 'Wh."it\'s"' || ' was taken from this deployment and is held by ' || (select if(nonce = '', 'nobody', 'deployment ' || id || ' (' || name || ') of ' || username || ' on ' || host || ', process ' || cast(pid as string) || ', since ' || since || ', phase ' || phase) from `Wh`.`airlock`.`airlock_lock_0123456789abcdef`)));

-- fence_held
select if((select count(*) from `Wh`.`airlock`.`airlock_lock_0123456789abcdef` where nonce = '<nonce>' and expires > timestamp_add(current_timestamp(), interval <lease> * 250 millisecond)) = 1, 1, error('airlock-fence: the lock of ' || 'Wh."it\'s"' || (select if(nonce = '<nonce>', ' is not renewed, and its lease runs out', ' was taken from this deployment and is held by ' || if(nonce = '', 'nobody', 'deployment ' || id || ' (' || name || ') of ' || username || ' on ' || host || ', process ' || cast(pid as string) || ', since ' || since || ', phase ' || phase)) from `Wh`.`airlock`.`airlock_lock_0123456789abcdef`)));

-- fence_production
select if((select count(*) from `Wh`.`airlock`.`airlock_lock_0123456789abcdef` where nonce in ('', '<nonce>')) = 1, 1, error('airlock-held: ' || 'Wh."it\'s"' || ' is held by ' || (select 'deployment ' || id || ' (' || name || ') of ' || username || ' on ' || host || ', process ' || cast(pid as string) || ', since ' || since || ', phase ' || phase from `Wh`.`airlock`.`airlock_lock_0123456789abcdef`)));

-- log_insert
insert into `Wh`.`airlock`.`airlock_log` (id, logged_at, event, detail) select '<id>', current_timestamp(), 'intent', '{"a":"it\'s \\"b\\""}';

-- log_begun
insert into `Wh`.`airlock`.`airlock_log` (id, logged_at, event, detail) select '<id>', current_timestamp(), 'begun', left('{"a":"it\'s \\"b\\""}', length('{"a":"it\'s \\"b\\""}') - 1) || ',"fence":' || cast(l.fence as string) || '}' from `Wh`.`airlock`.`airlock_lock_0123456789abcdef` as l where l.nonce = '<nonce>' and not exists (select 1 from `Wh`.`airlock`.`airlock_log` as g where g.id = '<id>' and g.event in ('begun', 'finished', 'aborted'));

-- log_held
insert into `Wh`.`airlock`.`airlock_log` (id, logged_at, event, detail) select '<id>', current_timestamp(), 'intent', '{"a":"it\'s \\"b\\""}' from `Wh`.`airlock`.`airlock_lock_0123456789abcdef` as l where l.nonce = '<nonce>' and not exists (select 1 from `Wh`.`airlock`.`airlock_log` as g where g.id = '<id>' and (g.event in ('finished', 'aborted') or g.event = 'intent' and g.detail = '{"a":"it\'s \\"b\\""}'));

-- log_objects
insert into `Wh`.`airlock`.`airlock_log` (id, logged_at, event, detail) select '<id>', current_timestamp(), 'objects', '[' || coalesce(string_agg(o, ','), '') || ']' from (select to_json_string(struct(w.d as `database`, w.s as `schema`, w.i as `identifier`, case t.table_type when 'VIEW' then to_hex(md5(v.view_definition)) else cast(unix_millis(t.creation_time) as string) end as `object`)) as o from unnest(array<struct<d string, s string, i string>>[('Wh', 'ma"rt', 'it\'s {{ all }} $$'), ('Wh', 'mart', 'orders')]) as w inner join `Wh`.`ma"rt`.INFORMATION_SCHEMA.TABLES as t on t.table_schema = w.s and t.table_name = w.i left join `Wh`.`ma"rt`.INFORMATION_SCHEMA.VIEWS as v on v.table_schema = w.s and v.table_name = w.i union all select to_json_string(struct(w.d as `database`, w.s as `schema`, w.i as `identifier`, case t.table_type when 'VIEW' then to_hex(md5(v.view_definition)) else cast(unix_millis(t.creation_time) as string) end as `object`)) as o from unnest(array<struct<d string, s string, i string>>[('Wh', 'ma"rt', 'it\'s {{ all }} $$'), ('Wh', 'mart', 'orders')]) as w inner join `Wh`.`mart`.INFORMATION_SCHEMA.TABLES as t on t.table_schema = w.s and t.table_name = w.i left join `Wh`.`mart`.INFORMATION_SCHEMA.VIEWS as v on v.table_schema = w.s and v.table_name = w.i);

-- log_restores
insert into `Wh`.`airlock`.`airlock_log` (id, logged_at, event, detail) select '<id>', current_timestamp(), 'restores', '[' || coalesce(string_agg(left(e, length(e) - 1) || ',"object":"' || cast(unix_millis(t.creation_time) as string) || '","bytes":' || cast(m.size_bytes as string) || ',"expires_at":"' || format_timestamp('%Y-%m-%dT%H:%M:%E3SZ', timestamp_add(current_timestamp(), interval cast(json_value(e, '$.keep_for') as int64) second)) || '"}', ','), '') || ']' from unnest(json_query_array('{"a":"it\'s \\"b\\""}')) as e inner join `Wh`.`airlock_restore`.INFORMATION_SCHEMA.TABLES as t on t.table_schema = 'airlock_restore' and t.table_name = 'r_<id>_' || json_value(e, '$.number') inner join `Wh`.`airlock_restore`.__TABLES__ as m on m.table_id = t.table_name;

-- log_probe
select to_json_string(struct((select count(*) from `Wh`.`airlock`.`airlock_log` where id = '<id>' and event = 'published') > 0 as `published`));

-- log_read
select to_json_string(struct(id as `id`, format_timestamp('%Y-%m-%dT%H:%M:%E3SZ', logged_at) as `at`, event as `event`, detail as `detail`, timestamp_diff(current_timestamp(), logged_at, second) as `age`)) from `Wh`.`airlock`.`airlock_log` where '' in ('', id) order by logged_at;
