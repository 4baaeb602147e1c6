#!/usr/bin/env bats
# The mirror where tables change one at a time, with the real adapters against the stand-ins. One warehouse for
# the whole file: each test begins with whatever the ones before it published.
# bats file_tags=exhaustive

load ../support/common.bash
load ../support/one_by_one.bash

is_snowflake() {
  [ "$ENGINE" = snowflake ]
}

standin_address() {
  if is_snowflake; then echo "http://127.0.0.1:$SHOP_SF_PORT"; else echo "$SHOP_BQ_ENDPOINT"; fi
}

setup_file() {
  begin_file shop
  sed -i "s/^vars:/vars:\n  mirror: true/; s/\"{{ var('mirror', false) }}\"/true/" dbt_project.yml
  dbt seed --quiet --target prod
  dbt run-operation --quiet make_sources --target prod
  sed -i "s/^  airlock:/&\n    mirror: {raw: 'tag:raw'}/" dbt_project.yml
}

left() { # of a refresh: its copies, and what it froze
  if is_snowflake; then
    sql "select count(*) from information_schema.tables where table_schema = 'airlock'
      and (startswith(table_name, 'mirror_') or startswith(table_name, 'airlock_stage_'))"
    return
  fi
  sql "select count(*) from airlock.INFORMATION_SCHEMA.TABLES
        where starts_with(table_name, 'mirror_') or starts_with(table_name, 'airlock_stage_')"
}

rows() { # of the raw layer, as customers|orders|payments
  sql 'select (select count(*) from raw.customers), (select count(*) from raw.orders),
    (select count(*) from raw.payments)'
}

refresh() { # refresh [OPTION...], into $status and $output
  run --separate-stderr airlock mirror refresh "$@"
}

add_order() { # add_order ID: in the source
  sql "insert into shop_source.orders select $1, customer_id, ordered_on, status, currency
    from shop_source.orders where id = 101"
}

raw_says() { # raw_says TABLE OPTION
  sql "select option_value from raw.INFORMATION_SCHEMA.TABLE_OPTIONS
        where table_name = '$1' and option_name = '$2'"
}

layout_of() { # layout_of TABLE
  sql "select regexp_replace(ddl, '(?s)^.*[)]|;', '') from raw.INFORMATION_SCHEMA.TABLES
        where table_name = '$1'"
}

@test "generate has nothing to write where each source has its raw model" {
  run airlock mirror generate
  assert_status 0
  assert_says 'nothing was written: 3 sources have their raw model'
}

@test "the first refresh makes the raw layer, without a mark of the copies that it was made of" {
  refresh
  assert_status 0
  assert_says 'one at a time'
  [ "$(rows)" = '8|12|12' ]
  [ "$(left)" = 0 ]
  if is_snowflake; then
    assert_sql "select comment from information_schema.tables where table_schema = 'RAW' and table_name = 'ORDERS'" ''
  else
    [ -z "$(raw_says orders description)" ]
  fi
}

@test "what is missing, empty or shrunk keeps its last good copy" {
  sql 'create or replace table shop_source.kept as select * from shop_source.orders'
  sql 'create or replace table shop_source.kept_customers as select * from shop_source.customers'
  sql 'create or replace table shop_source.kept_payments as select * from shop_source.payments'
  sql 'drop table shop_source.orders'
  sql 'delete from shop_source.customers where true'
  sql 'delete from shop_source.payments where id < (select max(id) from shop_source.payments)'
  refresh --json --accept mirror_payments
  assert_status 75
  assert_json '[(k["unique_id"], k["state"]) for k in d["kept"]]' \
    '[["model.shop.mirror_customers", "empty"], ["model.shop.mirror_orders", "missing"]]'
  assert_json '[(r["source"], r["rows"]) for r in d["refreshed"]]' '[["shop.payments", 1]]'
  [ "$(rows)" = '8|12|1' ]
  [ "$(left)" = 0 ]
  run airlock mirror status
  assert_status 0
  assert_says 'shop.customers  0 rows  empty: the source is empty' '1 row   good' \
    'missing: the source does not exist'
  sql 'create table shop_source.orders as select * from shop_source.kept'
  sql 'create or replace table shop_source.customers as select * from shop_source.kept_customers'
  sql 'create or replace table shop_source.payments as select * from shop_source.kept_payments'
}

# bats test_tags=engine:bigquery
@test "a refresh keeps partitioning, clustering, labels and description of the raw table" {
  sql 'drop table raw.orders'
  sql "create table raw.orders partition by ordered_on cluster by status
    options (labels = [('team', 'sales')], description = 'the orders')
    as select id, customer_id, cast(ordered_on as date) as ordered_on, status, currency from shop_source.orders"
  refresh -s mirror_orders
  assert_status 0
  [ "$(layout_of orders)" = $'\nPARTITION BY ordered_on\nCLUSTER BY status' ]
  [ "$(raw_says orders labels)" = '[STRUCT("team", "sales")]' ]
  [ "$(raw_says orders description)" = '"the orders"' ]
  [ "$(left)" = 0 ]
}

# bats test_tags=engine:bigquery
@test "a raw model that configures a partitioning is not made without it" {
  sed -i "s/alias='payments'/&, cluster_by='id'/" models/raw/mirror_payments.sql
  sql 'create or replace table shop_source.kept as select * from raw.payments'
  sql 'drop table raw.payments'
  refresh
  sed -i "s/, cluster_by='id'//" models/raw/mirror_payments.sql
  sql 'create table raw.payments as select * from shop_source.kept'
  assert_status 125
  assert_says "'model.shop.mirror_payments' configures its partitioning" 'dbt run --select mirror_payments' \
    'production was not changed'
}

# bats test_tags=engine:snowflake
@test "a refresh keeps grants, policies and the comment of the raw table, and is as transient as it is" {
  sql 'create schema if not exists raw'
  sql 'create masking policy shop_source.hide as (v varchar) returns varchar -> null'
  sql 'create or replace transient table raw.orders as select * from shop_source.orders'
  sql 'alter table raw.orders modify column status set masking policy shop_source.hide'
  sql 'grant select on table raw.orders to role analyst'
  sql "comment on table raw.orders is 'the orders'"
  before=$(sql "select get_ddl('table', 'raw.orders', true)")
  refresh -s mirror_orders
  assert_status 0
  [ "$(sql "select get_ddl('table', 'raw.orders', true)")" = "$before" ]
  assert_sql "select comment, is_transient from information_schema.tables where table_schema = 'RAW'
    and table_name = 'ORDERS'" 'the orders|YES'
  assert_sql "select grantee from information_schema.object_privileges where object_schema = 'RAW'
    and object_name = 'ORDERS' and privilege_type = 'SELECT'" ANALYST
  [ "$(left)" = 0 ]
}

@test "killed before the exchange, the raw layer is what it was, and resume goes on" {
  before=$(rows)
  add_order 900
  AIRLOCK_FAULT=copy:after:crash refresh
  assert_status 137
  [ "$(rows)" = "$before" ]
  [ "$(left)" = 3 ]
  run airlock resume
  assert_status 0
  assert_sql 'select (select count(*) from raw.orders where id = 900), (select count(*) from raw.payments)' '1|12'
  [ "$(left)" = 0 ]
}

@test "an exchange that stops between two tables is resumed with the copies that it began with" {
  IFS='|' read -r customers orders payments <<<"$(rows)"
  add_order 901
  sql "insert into shop_source.customers select 90, name, country, segment from shop_source.customers where id = 1"
  if is_snowflake; then fault 'replace .*RAW.*ORDERS.* clone' error; else fault 'table .*raw.*orders.* copy ' denied; fi
  refresh
  assert_status 70
  assert_says '1 of 3 relations are published' 'airlock resume'
  [ "$(rows)" = "$((customers + 1))|$orders|$payments" ]
  add_order 902
  cp -R "$WORK/project" "$BATS_TEST_TMPDIR/elsewhere"
  cd "$BATS_TEST_TMPDIR/elsewhere" || return
  rm -rf target
  run --separate-stderr airlock resume --json
  assert_status 0
  # What came into the source since then is for the next refresh.
  [ "$(rows)" = "$((customers + 1))|$((orders + 1))|$payments" ]
  [ "$(left)" = 0 ]
  run airlock rollback "$(json 'd["id"]')" --yes
  assert_status 0
  [ "$(rows)" = "$customers|$orders|$payments" ]
  refresh
  assert_status 0
  [ "$(rows)" = "$((customers + 1))|$((orders + 2))|$payments" ]
}

@test "an exchange that stops between two tables is aborted: the raw layer is what it was" {
  before=$(rows)
  add_order 903
  sql "insert into shop_source.customers select 91, name, country, segment from shop_source.customers where id = 1"
  if is_snowflake; then fault 'replace .*RAW.*ORDERS.* clone' error; else fault 'table .*raw.*orders.* copy ' denied; fi
  refresh
  assert_status 70
  assert_says '1 of 3 relations are published' 'airlock abort'
  [ "$(rows)" != "$before" ]
  run airlock abort
  assert_status 0
  assert_says 'production is what it was before it'
  [ "$(rows)" = "$before" ]
  refresh
  assert_status 0
  [ "$(left)" = 0 ]
}

@test "what a dead refresh left is dropped by the next one, or by gc" {
  AIRLOCK_FAULT=copy:after:crash refresh
  assert_status 137
  refresh -s mirror_orders
  assert_status 0
  [ "$(left)" = 0 ]
  AIRLOCK_FAULT=copy:after:crash refresh
  assert_status 137
  run airlock abort
  assert_status 0
  [ "$(left)" = 3 ]
  run airlock gc --yes
  assert_status 0
  [ "$(left)" = 0 ]
}
