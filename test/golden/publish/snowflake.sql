-- new
create table if not exists "SHOP"."airlock"."airlock_stage_x_1" clone "SHOP"."STAGE"."ORDERS";
select to_number(case when (select count(*) from "SHOP".information_schema.tables t where t.table_schema = 'STAGE' and t.table_name = 'ORDERS' and date_part(epoch_microsecond, t.created)::varchar || '/' || date_part(epoch_microsecond, t.last_altered)::varchar = '1/2') = 1 then '1' else 'airlock-conflict: ' || 'SHOP.STAGE.ORDERS (staging) changed after its tests' end);
select to_number(case when (select count(*) from "SHOP".information_schema.tables t where t.table_schema = 'MART' and t.table_name = 'ORDERS') = 0 then '1' else 'airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else' end);
select 'the lock is held' union all select to_number(case when (select count(*) from "SHOP".information_schema.tables t where t.table_schema = 'MART' and t.table_name = 'ORDERS') = 0 then '1' else 'airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else' end);
create table "SHOP"."MART"."ORDERS" clone "SHOP"."airlock"."airlock_stage_x_1";
grant select on table "SHOP"."MART"."ORDERS" to role "ANALYST";
select to_number(case when (select count(*) from "SHOP"."airlock"."airlock_stage_x_1") = (select count(*) from "SHOP"."MART"."ORDERS") then '1' else 'airlock-count: ' || 'SHOP.MART.ORDERS does not hold what was tested' end);

-- new_transient_resumed
create transient table if not exists "SHOP"."airlock"."airlock_stage_x_1" clone "SHOP"."STAGE"."ORDERS";
select to_number(case when (select count(*) from "SHOP".information_schema.tables t where t.table_schema = 'STAGE' and t.table_name = 'ORDERS' and date_part(epoch_microsecond, t.created)::varchar || '/' || date_part(epoch_microsecond, t.last_altered)::varchar = '3/4') = 1 then '1' else 'airlock-conflict: ' || 'SHOP.STAGE.ORDERS (staging) changed after its tests' end);
select 'the lock is held';
create transient table if not exists "SHOP"."MART"."ORDERS" clone "SHOP"."airlock"."airlock_stage_x_1";
grant select on table "SHOP"."MART"."ORDERS" to role "ANALYST";
select to_number(case when (select count(*)::varchar || '/' || hash_agg(*)::varchar from "SHOP"."MART"."ORDERS") = (select count(*)::varchar || '/' || hash_agg(*)::varchar from "SHOP"."airlock"."airlock_stage_x_1") then '1' else 'airlock-count: ' || 'SHOP.MART.ORDERS does not hold what was tested' end);

-- replace
create table if not exists "SHOP"."airlock"."airlock_stage_x_1" clone "SHOP"."STAGE"."ORDERS";
select to_number(case when (select count(*) from "SHOP".information_schema.tables t where t.table_schema = 'STAGE' and t.table_name = 'ORDERS' and date_part(epoch_microsecond, t.created)::varchar || '/' || date_part(epoch_microsecond, t.last_altered)::varchar = '1/2') = 1 then '1' else 'airlock-conflict: ' || 'SHOP.STAGE.ORDERS (staging) changed after its tests' end);
select to_number(case when (select count(*) from "SHOP".information_schema.tables t where t.table_schema = 'MART' and t.table_name = 'ORDERS' and date_part(epoch_microsecond, t.created)::varchar || '/' || date_part(epoch_microsecond, t.last_altered)::varchar = '1/2') = 1 then '1' else 'airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else' end);
create table if not exists "SHOP"."airlock_restore"."r_x_1" clone "SHOP"."MART"."ORDERS";
comment on table "SHOP"."airlock_restore"."r_x_1" is 'airlock: restore point of deployment <id>, table 1: SHOP.MART.ORDERS';
select 'the lock is held' union all select to_number(case when (select count(*) from "SHOP".information_schema.tables t where t.table_schema = 'MART' and t.table_name = 'ORDERS' and date_part(epoch_microsecond, t.created)::varchar || '/' || date_part(epoch_microsecond, t.last_altered)::varchar = '1/2') = 1 then '1' else 'airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else' end);
create or replace table "SHOP"."MART"."ORDERS" clone "SHOP"."airlock"."airlock_stage_x_1" copy grants;
grant select on table "SHOP"."MART"."ORDERS" to role "ANALYST";
select to_number(case when (select count(*) from "SHOP"."airlock"."airlock_stage_x_1") = (select count(*) from "SHOP"."MART"."ORDERS") then '1' else 'airlock-count: ' || 'SHOP.MART.ORDERS does not hold what was tested' end);

-- replace_transient
create transient table if not exists "SHOP"."airlock"."airlock_stage_x_1" clone "SHOP"."STAGE"."ORDERS";
select to_number(case when (select count(*) from "SHOP".information_schema.tables t where t.table_schema = 'STAGE' and t.table_name = 'ORDERS' and date_part(epoch_microsecond, t.created)::varchar || '/' || date_part(epoch_microsecond, t.last_altered)::varchar = '3/4') = 1 then '1' else 'airlock-conflict: ' || 'SHOP.STAGE.ORDERS (staging) changed after its tests' end);
select to_number(case when (select count(*) from "SHOP".information_schema.tables t where t.table_schema = 'MART' and t.table_name = 'ORDERS' and date_part(epoch_microsecond, t.created)::varchar || '/' || date_part(epoch_microsecond, t.last_altered)::varchar = '3/4') = 1 then '1' else 'airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else' end);
create transient table if not exists "SHOP"."airlock_restore"."r_x_1" clone "SHOP"."MART"."ORDERS";
comment on table "SHOP"."airlock_restore"."r_x_1" is 'airlock: restore point of deployment <id>, table 1: SHOP.MART.ORDERS';
select 'the lock is held' union all select to_number(case when (select count(*) from "SHOP".information_schema.tables t where t.table_schema = 'MART' and t.table_name = 'ORDERS' and date_part(epoch_microsecond, t.created)::varchar || '/' || date_part(epoch_microsecond, t.last_altered)::varchar = '3/4') = 1 then '1' else 'airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else' end);
create or replace transient table "SHOP"."MART"."ORDERS" clone "SHOP"."airlock"."airlock_stage_x_1" copy grants;
grant select on table "SHOP"."MART"."ORDERS" to role "ANALYST";
alter table "SHOP"."MART"."ORDERS" resume recluster;
select to_number(case when (select count(*) from "SHOP"."airlock"."airlock_stage_x_1") = (select count(*) from "SHOP"."MART"."ORDERS") then '1' else 'airlock-count: ' || 'SHOP.MART.ORDERS does not hold what was tested' end);

-- replace_resumed
create table if not exists "SHOP"."airlock"."airlock_stage_x_1" clone "SHOP"."STAGE"."ORDERS";
select to_number(case when (select count(*) from "SHOP".information_schema.tables t where t.table_schema = 'STAGE' and t.table_name = 'ORDERS' and date_part(epoch_microsecond, t.created)::varchar || '/' || date_part(epoch_microsecond, t.last_altered)::varchar = '1/2') = 1 then '1' else 'airlock-conflict: ' || 'SHOP.STAGE.ORDERS (staging) changed after its tests' end);
select to_number(case when (select count(*) from "SHOP".information_schema.tables t where t.table_schema = 'MART' and t.table_name = 'ORDERS' and date_part(epoch_microsecond, t.created)::varchar || '/' || date_part(epoch_microsecond, t.last_altered)::varchar = '1/2') = 1 or (select count(*)::varchar || '/' || hash_agg(*)::varchar from "SHOP"."MART"."ORDERS") = (select count(*)::varchar || '/' || hash_agg(*)::varchar from "SHOP"."airlock"."airlock_stage_x_1") then '1' else 'airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else' end);
create table if not exists "SHOP"."airlock_restore"."r_x_1" clone "SHOP"."MART"."ORDERS";
comment on table "SHOP"."airlock_restore"."r_x_1" is 'airlock: restore point of deployment <id>, table 1: SHOP.MART.ORDERS';
select 'the lock is held' union all select to_number(case when (select count(*) from "SHOP".information_schema.tables t where t.table_schema = 'MART' and t.table_name = 'ORDERS' and date_part(epoch_microsecond, t.created)::varchar || '/' || date_part(epoch_microsecond, t.last_altered)::varchar = '1/2') = 1 or (select count(*)::varchar || '/' || hash_agg(*)::varchar from "SHOP"."MART"."ORDERS") = (select count(*)::varchar || '/' || hash_agg(*)::varchar from "SHOP"."airlock"."airlock_stage_x_1") then '1' else 'airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else' end);
create or replace table "SHOP"."MART"."ORDERS" clone "SHOP"."airlock"."airlock_stage_x_1" copy grants;
grant select on table "SHOP"."MART"."ORDERS" to role "ANALYST";
select to_number(case when (select count(*)::varchar || '/' || hash_agg(*)::varchar from "SHOP"."MART"."ORDERS") = (select count(*)::varchar || '/' || hash_agg(*)::varchar from "SHOP"."airlock"."airlock_stage_x_1") then '1' else 'airlock-count: ' || 'SHOP.MART.ORDERS does not hold what was tested' end);

-- rollback
create table if not exists "SHOP"."airlock"."airlock_stage_x_1" clone "SHOP"."STAGE"."ORDERS";
select to_number(case when (select count(*) from "SHOP".information_schema.tables t where t.table_schema = 'STAGE' and t.table_name = 'ORDERS' and date_part(epoch_microsecond, t.created)::varchar || '/' || date_part(epoch_microsecond, t.last_altered)::varchar = '1/2') = 1 then '1' else 'airlock-conflict: ' || 'SHOP.STAGE.ORDERS (the restore point) changed' end);
select to_number(case when (select count(*) from "SHOP".information_schema.tables t where t.table_schema = 'MART' and t.table_name = 'ORDERS' and date_part(epoch_microsecond, t.created)::varchar || '/' || date_part(epoch_microsecond, t.last_altered)::varchar = '3/4') = 1 then '1' else 'airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else' end);
create transient table if not exists "SHOP"."airlock_restore"."r_x_1" clone "SHOP"."MART"."ORDERS";
comment on table "SHOP"."airlock_restore"."r_x_1" is 'airlock: restore point of deployment <id>, table 1: SHOP.MART.ORDERS';
select 'the lock is held' union all select to_number(case when (select count(*) from "SHOP".information_schema.tables t where t.table_schema = 'MART' and t.table_name = 'ORDERS' and date_part(epoch_microsecond, t.created)::varchar || '/' || date_part(epoch_microsecond, t.last_altered)::varchar = '3/4') = 1 then '1' else 'airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else' end);
create or replace transient table "SHOP"."MART"."ORDERS" clone "SHOP"."airlock"."airlock_stage_x_1" copy grants;
comment on table "SHOP"."MART"."ORDERS" is '';
select to_number(case when (select count(*) from "SHOP"."airlock"."airlock_stage_x_1") = (select count(*) from "SHOP"."MART"."ORDERS") then '1' else 'airlock-count: ' || 'SHOP.MART.ORDERS does not hold what was tested' end);

-- remove
select to_number(case when (select count(*) from "SHOP".information_schema.tables t where t.table_schema = 'MART' and t.table_name = 'ORDERS' and date_part(epoch_microsecond, t.created)::varchar || '/' || date_part(epoch_microsecond, t.last_altered)::varchar = '1/2') = 1 then '1' else 'airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else' end);
create table if not exists "SHOP"."airlock_restore"."r_x_1" clone "SHOP"."MART"."ORDERS";
comment on table "SHOP"."airlock_restore"."r_x_1" is 'airlock: restore point of deployment <id>, table 1: SHOP.MART.ORDERS';
select 'the lock is held' union all select to_number(case when (select count(*) from "SHOP".information_schema.tables t where t.table_schema = 'MART' and t.table_name = 'ORDERS' and date_part(epoch_microsecond, t.created)::varchar || '/' || date_part(epoch_microsecond, t.last_altered)::varchar = '1/2') = 1 then '1' else 'airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else' end);
drop table if exists "SHOP"."MART"."ORDERS";

-- remove_resumed
select to_number(case when (select count(*) from "SHOP".information_schema.tables t where t.table_schema = 'MART' and t.table_name = 'ORDERS' and date_part(epoch_microsecond, t.created)::varchar || '/' || date_part(epoch_microsecond, t.last_altered)::varchar = '1/2') = 1 or (select count(*) from "SHOP".information_schema.tables t where t.table_schema = 'MART' and t.table_name = 'ORDERS') = 0 then '1' else 'airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else' end);
create table if not exists "SHOP"."airlock_restore"."r_x_1" clone "SHOP"."MART"."ORDERS";
comment on table "SHOP"."airlock_restore"."r_x_1" is 'airlock: restore point of deployment <id>, table 1: SHOP.MART.ORDERS';
select 'the lock is held' union all select to_number(case when (select count(*) from "SHOP".information_schema.tables t where t.table_schema = 'MART' and t.table_name = 'ORDERS' and date_part(epoch_microsecond, t.created)::varchar || '/' || date_part(epoch_microsecond, t.last_altered)::varchar = '1/2') = 1 or (select count(*) from "SHOP".information_schema.tables t where t.table_schema = 'MART' and t.table_name = 'ORDERS') = 0 then '1' else 'airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else' end);
drop table if exists "SHOP"."MART"."ORDERS";

-- view_new
select to_number(case when (select count(*) from "SHOP".information_schema.views v where v.table_schema = 'STAGE' and v.table_name = 'ORDERS' and (md5(v.view_definition) = '9')) = 1 then '1' else 'airlock-conflict: ' || 'SHOP.STAGE.ORDERS (staging) changed after its tests' end);
select to_number(case when (select count(*) from "SHOP".information_schema.tables t where t.table_schema = 'MART' and t.table_name = 'ORDERS') = 0 then '1' else 'airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else' end);
select 'the lock is held' union all select to_number(case when (select count(*) from "SHOP".information_schema.tables t where t.table_schema = 'MART' and t.table_name = 'ORDERS') = 0 then '1' else 'airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else' end);
create view "SHOP"."MART"."ORDERS" as select 1 as n;
grant select on view "SHOP"."MART"."ORDERS" to role "ANALYST";
select 1 from "SHOP"."MART"."ORDERS" limit 0;

-- view_replace
select to_number(case when (select count(*) from "SHOP".information_schema.views v where v.table_schema = 'STAGE' and v.table_name = 'ORDERS' and (md5(v.view_definition) = '9')) = 1 then '1' else 'airlock-conflict: ' || 'SHOP.STAGE.ORDERS (staging) changed after its tests' end);
select to_number(case when (select count(*) from "SHOP".information_schema.views v where v.table_schema = 'MART' and v.table_name = 'ORDERS' and (md5(v.view_definition) = '9')) = 1 then '1' else 'airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else' end);
select 'the lock is held' union all select to_number(case when (select count(*) from "SHOP".information_schema.views v where v.table_schema = 'MART' and v.table_name = 'ORDERS' and (md5(v.view_definition) = '9')) = 1 then '1' else 'airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else' end);
create or replace view "SHOP"."MART"."ORDERS" copy grants as select 1 as n;
grant select on view "SHOP"."MART"."ORDERS" to role "ANALYST";
select 1 from "SHOP"."MART"."ORDERS" limit 0;

-- view_of_a_list
select to_number(case when (select count(*) from "SHOP".information_schema.views v where v.table_schema = 'STAGE' and v.table_name = 'ORDERS' and (md5(v.view_definition) = '10')) = 1 then '1' else 'airlock-conflict: ' || 'SHOP.STAGE.ORDERS (staging) changed after its tests' end);
select to_number(case when (select count(*) from "SHOP".information_schema.views v where v.table_schema = 'MART' and v.table_name = 'ORDERS' and (md5(v.view_definition) = '9')) = 1 then '1' else 'airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else' end);
select 'the lock is held' union all select to_number(case when (select count(*) from "SHOP".information_schema.views v where v.table_schema = 'MART' and v.table_name = 'ORDERS' and (md5(v.view_definition) = '9')) = 1 then '1' else 'airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else' end);
create or replace view "SHOP"."MART"."ORDERS" ("N") as select 1 as n;
grant select on view "SHOP"."MART"."ORDERS" to role "ANALYST";
comment on view "SHOP"."MART"."ORDERS" is 'it''s ours';
select 1 from "SHOP"."MART"."ORDERS" limit 0;

-- view_resumed
select to_number(case when (select count(*) from "SHOP".information_schema.views v where v.table_schema = 'STAGE' and v.table_name = 'ORDERS' and (md5(v.view_definition) = '9')) = 1 then '1' else 'airlock-conflict: ' || 'SHOP.STAGE.ORDERS (staging) changed after its tests' end);
select to_number(case when (select count(*) from "SHOP".information_schema.views v where v.table_schema = 'MART' and v.table_name = 'ORDERS' and (md5(v.view_definition) = '9' or contains(v.view_definition, 'as select 1 as n'))) = 1 then '1' else 'airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else' end);
select 'the lock is held' union all select to_number(case when (select count(*) from "SHOP".information_schema.views v where v.table_schema = 'MART' and v.table_name = 'ORDERS' and (md5(v.view_definition) = '9' or contains(v.view_definition, 'as select 1 as n'))) = 1 then '1' else 'airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else' end);
create or replace view "SHOP"."MART"."ORDERS" copy grants as select 1 as n;
grant select on view "SHOP"."MART"."ORDERS" to role "ANALYST";
select 1 from "SHOP"."MART"."ORDERS" limit 0;

-- view_rollback
select to_number(case when (select count(*) from "SHOP".information_schema.views v where v.table_schema = 'STAGE' and v.table_name = 'ORDERS' and (md5(v.view_definition) = '9')) = 1 then '1' else 'airlock-conflict: ' || 'SHOP.STAGE.ORDERS (the restore point) changed' end);
select to_number(case when (select count(*) from "SHOP".information_schema.views v where v.table_schema = 'MART' and v.table_name = 'ORDERS' and (md5(v.view_definition) = '10')) = 1 then '1' else 'airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else' end);
select 'the lock is held' union all select to_number(case when (select count(*) from "SHOP".information_schema.views v where v.table_schema = 'MART' and v.table_name = 'ORDERS' and (md5(v.view_definition) = '10')) = 1 then '1' else 'airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else' end);
create or replace view "SHOP"."MART"."ORDERS" copy grants as select 1 as n;
comment on view "SHOP"."MART"."ORDERS" is 'it''s ours';
select 1 from "SHOP"."MART"."ORDERS" limit 0;

-- view_remove
select to_number(case when (select count(*) from "SHOP".information_schema.views v where v.table_schema = 'MART' and v.table_name = 'ORDERS' and (md5(v.view_definition) = '9')) = 1 then '1' else 'airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else' end);
select 'the lock is held' union all select to_number(case when (select count(*) from "SHOP".information_schema.views v where v.table_schema = 'MART' and v.table_name = 'ORDERS' and (md5(v.view_definition) = '9')) = 1 then '1' else 'airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else' end);
drop view if exists "SHOP"."MART"."ORDERS";

-- view_remove_resumed
select to_number(case when (select count(*) from "SHOP".information_schema.views v where v.table_schema = 'MART' and v.table_name = 'ORDERS' and (md5(v.view_definition) = '9')) = 1 or (select count(*) from "SHOP".information_schema.tables t where t.table_schema = 'MART' and t.table_name = 'ORDERS') = 0 then '1' else 'airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else' end);
select 'the lock is held' union all select to_number(case when (select count(*) from "SHOP".information_schema.views v where v.table_schema = 'MART' and v.table_name = 'ORDERS' and (md5(v.view_definition) = '9')) = 1 or (select count(*) from "SHOP".information_schema.tables t where t.table_schema = 'MART' and t.table_name = 'ORDERS') = 0 then '1' else 'airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else' end);
drop view if exists "SHOP"."MART"."ORDERS";
