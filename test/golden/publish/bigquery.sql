-- new
create table if not exists `SHOP`.`airlock`.`airlock_stage_x_1` clone `SHOP`.`STAGE`.`ORDERS` options (expiration_timestamp = null);
select if((select count(*) from `SHOP`.`STAGE`.__TABLES__ as t where t.table_id = 'ORDERS' and cast(t.creation_time as string) || '/' || cast(t.last_modified_time as string) = '1/2') = 1, 1, error('airlock-conflict: ' || 'SHOP.STAGE.ORDERS (staging) changed after its tests'));
select if((select count(*) from `SHOP`.`MART`.INFORMATION_SCHEMA.TABLES as t where t.table_name = 'ORDERS') = 0, 1, error('airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else'));
select 'the lock is held' union all select if((select count(*) from `SHOP`.`MART`.INFORMATION_SCHEMA.TABLES as t where t.table_name = 'ORDERS') = 0, 1, error('airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else'));
create table if not exists `SHOP`.`MART`.`ORDERS` copy `SHOP`.`airlock`.`airlock_stage_x_1` options (expiration_timestamp = null);
alter table `SHOP`.`MART`.`ORDERS` set options (expiration_timestamp = null);
grant `roles/bigquery.dataViewer` on table `SHOP`.`MART`.`ORDERS` to 'user:eve@example.org';
select if((select count(*) from `SHOP`.`airlock`.`airlock_stage_x_1`) = (select count(*) from `SHOP`.`MART`.`ORDERS`), 1, error('airlock-count: ' || 'SHOP.MART.ORDERS does not hold what was tested'));

-- new_resumed
create table if not exists `SHOP`.`airlock`.`airlock_stage_x_1` clone `SHOP`.`STAGE`.`ORDERS` options (expiration_timestamp = null);
select if((select count(*) from `SHOP`.`STAGE`.__TABLES__ as t where t.table_id = 'ORDERS' and cast(t.creation_time as string) || '/' || cast(t.last_modified_time as string) = '5/6') = 1, 1, error('airlock-conflict: ' || 'SHOP.STAGE.ORDERS (staging) changed after its tests'));
select 'the lock is held';
create table if not exists `SHOP`.`MART`.`ORDERS` copy `SHOP`.`airlock`.`airlock_stage_x_1` options (expiration_timestamp = null);
alter table `SHOP`.`MART`.`ORDERS` set options (expiration_timestamp = null);
grant `roles/bigquery.dataViewer` on table `SHOP`.`MART`.`ORDERS` to 'user:eve@example.org';
select if((select cast(count(*) as string) || '/' || cast(coalesce(sum(cast(farm_fingerprint(to_json_string(x)) as numeric)), 0) as string) from `SHOP`.`MART`.`ORDERS` as x) = (select cast(count(*) as string) || '/' || cast(coalesce(sum(cast(farm_fingerprint(to_json_string(x)) as numeric)), 0) as string) from `SHOP`.`airlock`.`airlock_stage_x_1` as x), 1, error('airlock-count: ' || 'SHOP.MART.ORDERS does not hold what was tested'));

-- replace
create table if not exists `SHOP`.`airlock`.`airlock_stage_x_1` clone `SHOP`.`STAGE`.`ORDERS` options (expiration_timestamp = null);
select if((select count(*) from `SHOP`.`STAGE`.__TABLES__ as t where t.table_id = 'ORDERS' and cast(t.creation_time as string) || '/' || cast(t.last_modified_time as string) = '1/2') = 1, 1, error('airlock-conflict: ' || 'SHOP.STAGE.ORDERS (staging) changed after its tests'));
select if((select count(*) from `SHOP`.`MART`.__TABLES__ as t where t.table_id = 'ORDERS' and cast(t.creation_time as string) || '/' || cast(t.last_modified_time as string) = '1/2') = 1, 1, error('airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else'));
create snapshot table if not exists `SHOP`.`airlock_restore`.`r_x_1` clone `SHOP`.`MART`.`ORDERS` options (expiration_timestamp = timestamp_add(current_timestamp(), interval 2592000 second), description = 'airlock: restore point of deployment <id>, table 1: SHOP.MART.ORDERS');
select 'the lock is held' union all select if((select count(*) from `SHOP`.`MART`.__TABLES__ as t where t.table_id = 'ORDERS' and cast(t.creation_time as string) || '/' || cast(t.last_modified_time as string) = '1/2') = 1, 1, error('airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else'));
create or replace table `SHOP`.`MART`.`ORDERS` copy `SHOP`.`airlock`.`airlock_stage_x_1` options (expiration_timestamp = null);
alter table `SHOP`.`MART`.`ORDERS` set options (expiration_timestamp = null);
grant `roles/bigquery.dataViewer` on table `SHOP`.`MART`.`ORDERS` to 'user:eve@example.org';
select if((select count(*) from `SHOP`.`airlock`.`airlock_stage_x_1`) = (select count(*) from `SHOP`.`MART`.`ORDERS`), 1, error('airlock-count: ' || 'SHOP.MART.ORDERS does not hold what was tested'));

-- replace_partitioned
create table if not exists `SHOP`.`airlock`.`airlock_stage_x_1` clone `SHOP`.`STAGE`.`ORDERS` options (expiration_timestamp = null);
select if((select count(*) from `SHOP`.`STAGE`.__TABLES__ as t where t.table_id = 'ORDERS' and cast(t.creation_time as string) || '/' || cast(t.last_modified_time as string) = '5/6') = 1, 1, error('airlock-conflict: ' || 'SHOP.STAGE.ORDERS (staging) changed after its tests'));
select if((select count(*) from `SHOP`.`MART`.__TABLES__ as t where t.table_id = 'ORDERS' and cast(t.creation_time as string) || '/' || cast(t.last_modified_time as string) = '5/6') = 1, 1, error('airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else'));
create snapshot table if not exists `SHOP`.`airlock_restore`.`r_x_1` clone `SHOP`.`MART`.`ORDERS` options (expiration_timestamp = timestamp_add(current_timestamp(), interval 2592000 second), description = 'airlock: restore point of deployment <id>, table 1: SHOP.MART.ORDERS');
select 'the lock is held' union all select if((select count(*) from `SHOP`.`MART`.__TABLES__ as t where t.table_id = 'ORDERS' and cast(t.creation_time as string) || '/' || cast(t.last_modified_time as string) = '5/6') = 1, 1, error('airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else'));
create or replace table `SHOP`.`MART`.`ORDERS` copy `SHOP`.`airlock`.`airlock_stage_x_1` options (partition_expiration_days = 3.0, expiration_timestamp = null);
alter table `SHOP`.`MART`.`ORDERS` set options (expiration_timestamp = null);
grant `roles/bigquery.dataViewer` on table `SHOP`.`MART`.`ORDERS` to 'user:eve@example.org';
select if((select count(*) from `SHOP`.`airlock`.`airlock_stage_x_1`) = (select count(*) from `SHOP`.`MART`.`ORDERS`), 1, error('airlock-count: ' || 'SHOP.MART.ORDERS does not hold what was tested'));

-- replace_and_keep_a_copy
create table if not exists `SHOP`.`airlock`.`airlock_stage_x_1` clone `SHOP`.`STAGE`.`ORDERS` options (expiration_timestamp = null);
select if((select count(*) from `SHOP`.`STAGE`.__TABLES__ as t where t.table_id = 'ORDERS' and cast(t.creation_time as string) || '/' || cast(t.last_modified_time as string) = '5/6') = 1, 1, error('airlock-conflict: ' || 'SHOP.STAGE.ORDERS (staging) changed after its tests'));
select if((select count(*) from `SHOP`.`MART`.__TABLES__ as t where t.table_id = 'ORDERS' and cast(t.creation_time as string) || '/' || cast(t.last_modified_time as string) = '5/6') = 1, 1, error('airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else'));
create table if not exists `SHOP`.`airlock_restore`.`r_x_1` copy `SHOP`.`MART`.`ORDERS` options (expiration_timestamp = timestamp_add(current_timestamp(), interval 2592000 second), description = 'airlock: restore point of deployment <id>, table 1: SHOP.MART.ORDERS', partition_expiration_days = null);
alter table `SHOP`.`airlock_restore`.`r_x_1` set options (partition_expiration_days = null);
select 'the lock is held' union all select if((select count(*) from `SHOP`.`MART`.__TABLES__ as t where t.table_id = 'ORDERS' and cast(t.creation_time as string) || '/' || cast(t.last_modified_time as string) = '5/6') = 1, 1, error('airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else'));
create or replace table `SHOP`.`MART`.`ORDERS` copy `SHOP`.`airlock`.`airlock_stage_x_1` options (partition_expiration_days = 3.0, expiration_timestamp = null);
alter table `SHOP`.`MART`.`ORDERS` set options (expiration_timestamp = null);
grant `roles/bigquery.dataViewer` on table `SHOP`.`MART`.`ORDERS` to 'user:eve@example.org';
select if((select count(*) from `SHOP`.`airlock`.`airlock_stage_x_1`) = (select count(*) from `SHOP`.`MART`.`ORDERS`), 1, error('airlock-count: ' || 'SHOP.MART.ORDERS does not hold what was tested'));

-- replace_resumed
create table if not exists `SHOP`.`airlock`.`airlock_stage_x_1` clone `SHOP`.`STAGE`.`ORDERS` options (expiration_timestamp = null);
select if((select count(*) from `SHOP`.`STAGE`.__TABLES__ as t where t.table_id = 'ORDERS' and cast(t.creation_time as string) || '/' || cast(t.last_modified_time as string) = '1/2') = 1, 1, error('airlock-conflict: ' || 'SHOP.STAGE.ORDERS (staging) changed after its tests'));
select if((select count(*) from `SHOP`.`MART`.__TABLES__ as t where t.table_id = 'ORDERS' and cast(t.creation_time as string) || '/' || cast(t.last_modified_time as string) = '1/2') = 1 or (select cast(count(*) as string) || '/' || cast(coalesce(sum(cast(farm_fingerprint(to_json_string(x)) as numeric)), 0) as string) from `SHOP`.`MART`.`ORDERS` as x) = (select cast(count(*) as string) || '/' || cast(coalesce(sum(cast(farm_fingerprint(to_json_string(x)) as numeric)), 0) as string) from `SHOP`.`airlock`.`airlock_stage_x_1` as x), 1, error('airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else'));
create snapshot table if not exists `SHOP`.`airlock_restore`.`r_x_1` clone `SHOP`.`MART`.`ORDERS` options (expiration_timestamp = timestamp_add(current_timestamp(), interval 2592000 second), description = 'airlock: restore point of deployment <id>, table 1: SHOP.MART.ORDERS');
select 'the lock is held' union all select if((select count(*) from `SHOP`.`MART`.__TABLES__ as t where t.table_id = 'ORDERS' and cast(t.creation_time as string) || '/' || cast(t.last_modified_time as string) = '1/2') = 1 or (select cast(count(*) as string) || '/' || cast(coalesce(sum(cast(farm_fingerprint(to_json_string(x)) as numeric)), 0) as string) from `SHOP`.`MART`.`ORDERS` as x) = (select cast(count(*) as string) || '/' || cast(coalesce(sum(cast(farm_fingerprint(to_json_string(x)) as numeric)), 0) as string) from `SHOP`.`airlock`.`airlock_stage_x_1` as x), 1, error('airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else'));
create or replace table `SHOP`.`MART`.`ORDERS` copy `SHOP`.`airlock`.`airlock_stage_x_1` options (expiration_timestamp = null);
alter table `SHOP`.`MART`.`ORDERS` set options (expiration_timestamp = null);
grant `roles/bigquery.dataViewer` on table `SHOP`.`MART`.`ORDERS` to 'user:eve@example.org';
select if((select cast(count(*) as string) || '/' || cast(coalesce(sum(cast(farm_fingerprint(to_json_string(x)) as numeric)), 0) as string) from `SHOP`.`MART`.`ORDERS` as x) = (select cast(count(*) as string) || '/' || cast(coalesce(sum(cast(farm_fingerprint(to_json_string(x)) as numeric)), 0) as string) from `SHOP`.`airlock`.`airlock_stage_x_1` as x), 1, error('airlock-count: ' || 'SHOP.MART.ORDERS does not hold what was tested'));

-- exchange
create table if not exists `SHOP`.`airlock`.`airlock_stage_x_1` clone `SHOP`.`STAGE`.`ORDERS` options (expiration_timestamp = null);
select if((select count(*) from `SHOP`.`STAGE`.__TABLES__ as t where t.table_id = 'ORDERS' and cast(t.creation_time as string) || '/' || cast(t.last_modified_time as string) = '5/6') = 1, 1, error('airlock-conflict: ' || 'SHOP.STAGE.ORDERS (staging) changed after its tests'));
select if((select count(*) from `SHOP`.`MART`.__TABLES__ as t where t.table_id = 'ORDERS' and cast(t.creation_time as string) || '/' || cast(t.last_modified_time as string) = '7/8') = 1, 1, error('airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else'));
create snapshot table if not exists `SHOP`.`airlock_restore`.`r_x_1` clone `SHOP`.`MART`.`ORDERS` options (expiration_timestamp = timestamp_add(current_timestamp(), interval 2592000 second), description = 'airlock: restore point of deployment <id>, table 1: SHOP.MART.ORDERS');
select 'the lock is held';
create table if not exists `SHOP`.`MART`.`airlock_x_1` copy `SHOP`.`airlock`.`airlock_stage_x_1` options (labels = [STRUCT("team", "x")], expiration_timestamp = null, partition_expiration_days = null);
alter table `SHOP`.`MART`.`airlock_x_1` set options (expiration_timestamp = null);
grant `roles/bigquery.dataViewer` on table `SHOP`.`MART`.`airlock_x_1` to 'user:eve@example.org';
select 'the lock is held' union all select if((select count(*) from `SHOP`.`MART`.__TABLES__ as t where t.table_id = 'ORDERS' and cast(t.creation_time as string) || '/' || cast(t.last_modified_time as string) = '7/8') = 1, 1, error('airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else'));
select if((select count(*) from `SHOP`.`MART`.INFORMATION_SCHEMA.TABLES as t where t.table_name = 'airlock_x_1') = 1, 1, error('airlock-conflict: ' || 'what was to become SHOP.MART.ORDERS is gone')); drop table if exists `SHOP`.`MART`.`ORDERS`; alter table `SHOP`.`MART`.`airlock_x_1` rename to `ORDERS`;
select if((select count(*) from `SHOP`.`airlock`.`airlock_stage_x_1`) = (select count(*) from `SHOP`.`MART`.`ORDERS`), 1, error('airlock-count: ' || 'SHOP.MART.ORDERS does not hold what was tested'));
declare located string; set located = coalesce((select string_agg(g, '\n' order by g) from (select distinct privilege_type || ' ' || grantee as g from `SHOP`.`region-of SHOP.MART`.INFORMATION_SCHEMA.OBJECT_PRIVILEGES where object_schema = 'MART' and object_name = 'ORDERS')), ''); select if(located = 'roles/bigquery.dataViewer user:eve@example.org', 1, error('airlock-count: ' || 'the permissions of SHOP.MART.ORDERS are not those that it had: ' || located));

-- exchange_resumed
create table if not exists `SHOP`.`airlock`.`airlock_stage_x_1` clone `SHOP`.`STAGE`.`ORDERS` options (expiration_timestamp = null);
select if((select count(*) from `SHOP`.`STAGE`.__TABLES__ as t where t.table_id = 'ORDERS' and cast(t.creation_time as string) || '/' || cast(t.last_modified_time as string) = '5/6') = 1, 1, error('airlock-conflict: ' || 'SHOP.STAGE.ORDERS (staging) changed after its tests'));
select if((select count(*) from `SHOP`.`MART`.__TABLES__ as t where t.table_id = 'ORDERS' and cast(t.creation_time as string) || '/' || cast(t.last_modified_time as string) = '7/8') = 1 or (select cast(count(*) as string) || '/' || cast(coalesce(sum(cast(farm_fingerprint(to_json_string(x)) as numeric)), 0) as string) from `SHOP`.`MART`.`ORDERS` as x) = (select cast(count(*) as string) || '/' || cast(coalesce(sum(cast(farm_fingerprint(to_json_string(x)) as numeric)), 0) as string) from `SHOP`.`airlock`.`airlock_stage_x_1` as x), 1, error('airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else'));
create snapshot table if not exists `SHOP`.`airlock_restore`.`r_x_1` clone `SHOP`.`MART`.`ORDERS` options (expiration_timestamp = timestamp_add(current_timestamp(), interval 2592000 second), description = 'airlock: restore point of deployment <id>, table 1: SHOP.MART.ORDERS');
select 'the lock is held';
create table if not exists `SHOP`.`MART`.`airlock_x_1` copy `SHOP`.`airlock`.`airlock_stage_x_1` options (labels = [STRUCT("team", "x")], expiration_timestamp = null, partition_expiration_days = null);
alter table `SHOP`.`MART`.`airlock_x_1` set options (expiration_timestamp = null);
grant `roles/bigquery.dataViewer` on table `SHOP`.`MART`.`airlock_x_1` to 'user:eve@example.org';
select 'the lock is held' union all select if((select count(*) from `SHOP`.`MART`.__TABLES__ as t where t.table_id = 'ORDERS' and cast(t.creation_time as string) || '/' || cast(t.last_modified_time as string) = '7/8') = 1 or (select cast(count(*) as string) || '/' || cast(coalesce(sum(cast(farm_fingerprint(to_json_string(x)) as numeric)), 0) as string) from `SHOP`.`MART`.`ORDERS` as x) = (select cast(count(*) as string) || '/' || cast(coalesce(sum(cast(farm_fingerprint(to_json_string(x)) as numeric)), 0) as string) from `SHOP`.`airlock`.`airlock_stage_x_1` as x), 1, error('airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else'));
select if((select count(*) from `SHOP`.`MART`.INFORMATION_SCHEMA.TABLES as t where t.table_name = 'airlock_x_1') = 1, 1, error('airlock-conflict: ' || 'what was to become SHOP.MART.ORDERS is gone')); drop table if exists `SHOP`.`MART`.`ORDERS`; alter table `SHOP`.`MART`.`airlock_x_1` rename to `ORDERS`;
select if((select cast(count(*) as string) || '/' || cast(coalesce(sum(cast(farm_fingerprint(to_json_string(x)) as numeric)), 0) as string) from `SHOP`.`MART`.`ORDERS` as x) = (select cast(count(*) as string) || '/' || cast(coalesce(sum(cast(farm_fingerprint(to_json_string(x)) as numeric)), 0) as string) from `SHOP`.`airlock`.`airlock_stage_x_1` as x), 1, error('airlock-count: ' || 'SHOP.MART.ORDERS does not hold what was tested'));
declare located string; set located = coalesce((select string_agg(g, '\n' order by g) from (select distinct privilege_type || ' ' || grantee as g from `SHOP`.`region-of SHOP.MART`.INFORMATION_SCHEMA.OBJECT_PRIVILEGES where object_schema = 'MART' and object_name = 'ORDERS')), ''); select if(located = 'roles/bigquery.dataViewer user:eve@example.org', 1, error('airlock-count: ' || 'the permissions of SHOP.MART.ORDERS are not those that it had: ' || located));

-- rollback
create table if not exists `SHOP`.`airlock`.`airlock_stage_x_1` clone `SHOP`.`STAGE`.`ORDERS` options (expiration_timestamp = null);
select if((select count(*) from `SHOP`.`STAGE`.__TABLES__ as t where t.table_id = 'ORDERS' and cast(t.creation_time as string) || '/' || cast(t.last_modified_time as string) = '1/2') = 1, 1, error('airlock-conflict: ' || 'SHOP.STAGE.ORDERS (the restore point) changed'));
select if((select count(*) from `SHOP`.`MART`.__TABLES__ as t where t.table_id = 'ORDERS' and cast(t.creation_time as string) || '/' || cast(t.last_modified_time as string) = '7/8') = 1, 1, error('airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else'));
create snapshot table if not exists `SHOP`.`airlock_restore`.`r_x_1` clone `SHOP`.`MART`.`ORDERS` options (expiration_timestamp = timestamp_add(current_timestamp(), interval 2592000 second), description = 'airlock: restore point of deployment <id>, table 1: SHOP.MART.ORDERS');
select 'the lock is held';
create table if not exists `SHOP`.`MART`.`airlock_x_1` copy `SHOP`.`airlock`.`airlock_stage_x_1` options (expiration_timestamp = null);
alter table `SHOP`.`MART`.`airlock_x_1` set options (expiration_timestamp = null);
alter table `SHOP`.`MART`.`airlock_x_1` set options (description = null);
grant `roles/bigquery.dataViewer` on table `SHOP`.`MART`.`airlock_x_1` to 'user:eve@example.org';
select 'the lock is held' union all select if((select count(*) from `SHOP`.`MART`.__TABLES__ as t where t.table_id = 'ORDERS' and cast(t.creation_time as string) || '/' || cast(t.last_modified_time as string) = '7/8') = 1, 1, error('airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else'));
select if((select count(*) from `SHOP`.`MART`.INFORMATION_SCHEMA.TABLES as t where t.table_name = 'airlock_x_1') = 1, 1, error('airlock-conflict: ' || 'what was to become SHOP.MART.ORDERS is gone')); drop table if exists `SHOP`.`MART`.`ORDERS`; alter table `SHOP`.`MART`.`airlock_x_1` rename to `ORDERS`;
select if((select count(*) from `SHOP`.`airlock`.`airlock_stage_x_1`) = (select count(*) from `SHOP`.`MART`.`ORDERS`), 1, error('airlock-count: ' || 'SHOP.MART.ORDERS does not hold what was tested'));
declare located string; set located = coalesce((select string_agg(g, '\n' order by g) from (select distinct privilege_type || ' ' || grantee as g from `SHOP`.`region-of SHOP.MART`.INFORMATION_SCHEMA.OBJECT_PRIVILEGES where object_schema = 'MART' and object_name = 'ORDERS')), ''); select if(located = 'roles/bigquery.dataViewer user:eve@example.org', 1, error('airlock-count: ' || 'the permissions of SHOP.MART.ORDERS are not those that it had: ' || located));

-- remove
select if((select count(*) from `SHOP`.`MART`.__TABLES__ as t where t.table_id = 'ORDERS' and cast(t.creation_time as string) || '/' || cast(t.last_modified_time as string) = '1/2') = 1, 1, error('airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else'));
create snapshot table if not exists `SHOP`.`airlock_restore`.`r_x_1` clone `SHOP`.`MART`.`ORDERS` options (expiration_timestamp = timestamp_add(current_timestamp(), interval 2592000 second), description = 'airlock: restore point of deployment <id>, table 1: SHOP.MART.ORDERS');
select 'the lock is held' union all select if((select count(*) from `SHOP`.`MART`.__TABLES__ as t where t.table_id = 'ORDERS' and cast(t.creation_time as string) || '/' || cast(t.last_modified_time as string) = '1/2') = 1, 1, error('airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else'));
drop table if exists `SHOP`.`MART`.`ORDERS`;

-- remove_resumed
select if((select count(*) from `SHOP`.`MART`.__TABLES__ as t where t.table_id = 'ORDERS' and cast(t.creation_time as string) || '/' || cast(t.last_modified_time as string) = '1/2') = 1 or (select count(*) from `SHOP`.`MART`.INFORMATION_SCHEMA.TABLES as t where t.table_name = 'ORDERS') = 0, 1, error('airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else'));
create snapshot table if not exists `SHOP`.`airlock_restore`.`r_x_1` clone `SHOP`.`MART`.`ORDERS` options (expiration_timestamp = timestamp_add(current_timestamp(), interval 2592000 second), description = 'airlock: restore point of deployment <id>, table 1: SHOP.MART.ORDERS');
select 'the lock is held' union all select if((select count(*) from `SHOP`.`MART`.__TABLES__ as t where t.table_id = 'ORDERS' and cast(t.creation_time as string) || '/' || cast(t.last_modified_time as string) = '1/2') = 1 or (select count(*) from `SHOP`.`MART`.INFORMATION_SCHEMA.TABLES as t where t.table_name = 'ORDERS') = 0, 1, error('airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else'));
drop table if exists `SHOP`.`MART`.`ORDERS`;

-- view_new
select if((select count(*) from `SHOP`.`STAGE`.INFORMATION_SCHEMA.VIEWS as v where v.table_name = 'ORDERS' and (to_hex(md5(v.view_definition)) = '9')) = 1, 1, error('airlock-conflict: ' || 'SHOP.STAGE.ORDERS (staging) changed after its tests'));
select if((select count(*) from `SHOP`.`MART`.INFORMATION_SCHEMA.TABLES as t where t.table_name = 'ORDERS') = 0, 1, error('airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else'));
select 'the lock is held' union all select if((select count(*) from `SHOP`.`MART`.INFORMATION_SCHEMA.TABLES as t where t.table_name = 'ORDERS') = 0, 1, error('airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else'));
create view `SHOP`.`MART`.`ORDERS` options (labels = [STRUCT("team", "x")], description = 'it\'s ours') as select 1 as n;
grant `roles/bigquery.dataViewer` on view `SHOP`.`MART`.`ORDERS` to 'user:eve@example.org';
select 1 from `SHOP`.`MART`.`ORDERS` limit 0;

-- view_replace
select if((select count(*) from `SHOP`.`STAGE`.INFORMATION_SCHEMA.VIEWS as v where v.table_name = 'ORDERS' and (to_hex(md5(v.view_definition)) = '9')) = 1, 1, error('airlock-conflict: ' || 'SHOP.STAGE.ORDERS (staging) changed after its tests'));
select if((select count(*) from `SHOP`.`MART`.INFORMATION_SCHEMA.VIEWS as v where v.table_name = 'ORDERS' and (to_hex(md5(v.view_definition)) = '9')) = 1, 1, error('airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else'));
select 'the lock is held' union all select if((select count(*) from `SHOP`.`MART`.INFORMATION_SCHEMA.VIEWS as v where v.table_name = 'ORDERS' and (to_hex(md5(v.view_definition)) = '9')) = 1, 1, error('airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else'));
create or replace view `SHOP`.`MART`.`ORDERS` options (labels = [STRUCT("team", "x")], description = 'it\'s ours') as select 1 as n;
grant `roles/bigquery.dataViewer` on view `SHOP`.`MART`.`ORDERS` to 'user:eve@example.org';
select 1 from `SHOP`.`MART`.`ORDERS` limit 0;

-- view_resumed
select if((select count(*) from `SHOP`.`STAGE`.INFORMATION_SCHEMA.VIEWS as v where v.table_name = 'ORDERS' and (to_hex(md5(v.view_definition)) = '9')) = 1, 1, error('airlock-conflict: ' || 'SHOP.STAGE.ORDERS (staging) changed after its tests'));
select if((select count(*) from `SHOP`.`MART`.INFORMATION_SCHEMA.VIEWS as v where v.table_name = 'ORDERS' and (to_hex(md5(v.view_definition)) = '9' or strpos('as select 1 as n', v.view_definition) > 0)) = 1, 1, error('airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else'));
select 'the lock is held' union all select if((select count(*) from `SHOP`.`MART`.INFORMATION_SCHEMA.VIEWS as v where v.table_name = 'ORDERS' and (to_hex(md5(v.view_definition)) = '9' or strpos('as select 1 as n', v.view_definition) > 0)) = 1, 1, error('airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else'));
create or replace view `SHOP`.`MART`.`ORDERS` options (labels = [STRUCT("team", "x")], description = 'it\'s ours') as select 1 as n;
grant `roles/bigquery.dataViewer` on view `SHOP`.`MART`.`ORDERS` to 'user:eve@example.org';
select 1 from `SHOP`.`MART`.`ORDERS` limit 0;

-- view_rollback
select if((select count(*) from `SHOP`.`STAGE`.INFORMATION_SCHEMA.VIEWS as v where v.table_name = 'ORDERS' and (to_hex(md5(v.view_definition)) = '9')) = 1, 1, error('airlock-conflict: ' || 'SHOP.STAGE.ORDERS (the restore point) changed'));
select if((select count(*) from `SHOP`.`MART`.INFORMATION_SCHEMA.VIEWS as v where v.table_name = 'ORDERS' and (to_hex(md5(v.view_definition)) = '10')) = 1, 1, error('airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else'));
select 'the lock is held' union all select if((select count(*) from `SHOP`.`MART`.INFORMATION_SCHEMA.VIEWS as v where v.table_name = 'ORDERS' and (to_hex(md5(v.view_definition)) = '10')) = 1, 1, error('airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else'));
create or replace view `SHOP`.`MART`.`ORDERS` options (labels = [STRUCT("team", "x")], description = 'it\'s ours') as select 1 as n;
select 1 from `SHOP`.`MART`.`ORDERS` limit 0;

-- view_remove
select if((select count(*) from `SHOP`.`MART`.INFORMATION_SCHEMA.VIEWS as v where v.table_name = 'ORDERS' and (to_hex(md5(v.view_definition)) = '9')) = 1, 1, error('airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else'));
select 'the lock is held' union all select if((select count(*) from `SHOP`.`MART`.INFORMATION_SCHEMA.VIEWS as v where v.table_name = 'ORDERS' and (to_hex(md5(v.view_definition)) = '9')) = 1, 1, error('airlock-conflict: ' || 'SHOP.MART.ORDERS (production) was changed by somebody else'));
drop view if exists `SHOP`.`MART`.`ORDERS`;
