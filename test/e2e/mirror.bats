#!/usr/bin/env bats
# The mirror: the raw layer of the shop copies its sources, and a build reads the copies.

load ../support/common.bash
load ../support/changes.bash

setup_file() {
  begin_file shop
  directly mirror_sources
  freeze
}

setup() {
  thaw
}

teardown_file() {
  end_file
}

# bats test_tags=default:duckdb
@test "generate writes the raw models that are missing, and says what reads a source" {
  mv models/raw/_raw.yml models/staging/_sources.yml
  rm models/raw/mirror_orders.sql
  sed -i "s/{{ ref('mirror_orders' .*/{{ source('shop', 'orders') }}/" models/staging/stg_orders.sql
  sed -i "s/{{ ref('mirror_customers' .*/{{ source('shop', 'customers') }} as c/" models/staging/stg_customers.sql
  run --separate-stderr airlock mirror generate
  assert_status 0
  assert_says 'wrote models/raw/raw_shop__orders.sql' "-from {{ source('shop', 'customers') }} as c"
  grep -qF "select * from {{ source('shop', 'orders') }}" models/raw/raw_shop__orders.sql
  diff models/raw/_raw.yml - <<'YAML'
version: 2

models:
  - name: raw_shop__orders
    description: >-
      The last good copy of shop.orders; 'airlock mirror refresh' fills it.
YAML
  echo '# mine' >models/raw/_raw.yml
  rm models/raw/raw_shop__orders.sql
  run --separate-stderr airlock mirror generate
  assert_status 0
  patch -p1 <<<"$output"
  grep -qF "from {{ ref('mirror_customers') }} as c" models/staging/stg_customers.sql
  dbt ls --quiet --select stg_orders,raw_shop__orders+1 stg_customers,mirror_customers+1 |
    grep -qxF shop.staging.stg_orders
  # The schema file was there, and stays what it was.
  assert_says 'left alone models/raw/_raw.yml: the file is there'
  [ "$(cat models/raw/_raw.yml)" = '# mine' ]
  run airlock mirror generate
  assert_status 0
  assert_says 'nothing was written: 3 sources have their raw model'
  run airlock mirror generat
  assert_status 125
  assert_says "did you mean 'generate'?"
}

rows() { # rows of the raw layer, as customers|orders|payments
  sql 'select (select count(*) from raw.customers), (select count(*) from raw.orders),
    (select count(*) from raw.payments)'
}

copies() {
  sql "select count(*) from information_schema.tables where table_name like 'mirror%'"
}

# bats test_tags=default:postgres
@test "refresh: what is missing, empty or shrunk keeps its last good copy" {
  run airlock mirror refresh
  assert_status 0
  [ "$(rows)" = '8|12|12' ]
  sql 'drop table shop_source.orders'
  sql 'delete from shop_source.customers'
  sql 'delete from shop_source.payments where id < (select max(id) from shop_source.payments)'
  run --separate-stderr airlock mirror refresh --json --accept mirror_payments
  assert_status 75
  assert_json '[(k["unique_id"], k["state"]) for k in d["kept"]]' \
    '[["model.shop.mirror_customers", "empty"], ["model.shop.mirror_orders", "missing"]]'
  assert_json '[(r["source"], r["rows"]) for r in d["refreshed"]]' '[["shop.payments", 1]]'
  assert_json 'd["error"]["code"]' mirror-kept
  [ "$(rows)" = '8|12|1' ]
  [ "$(copies)" = 0 ]
  run airlock mirror status
  assert_status 0
  assert_says 'shop.customers  0 rows  empty: the source is empty' '1 row   good' \
    'missing: the source does not exist'
}

# bats test_tags=exhaustive
@test "refresh: what is stale, unreadable, fails its test or has shrunk keeps its last good copy" {
  directly airlock mirror refresh
  sed -i "s/^      - name: orders/&\n        config: {freshness: {error_after: {count: 1, period: day}}, \
loaded_at_field: cast(ordered_on as timestamp)}/" models/raw/_raw.yml
  sql 'alter table shop_source.payments rename to all_payments'
  sql "create view shop_source.payments as select * from shop_source.all_payments$(
    [ "$ENGINE" = duckdb ] || echo ' where 1 / (id - id) > 0')"
  [ "$ENGINE" = postgres ] || sql 'alter table shop_source.all_payments rename to gone'
  sql "insert into shop_source.customers (name) values ('nobody')"
  run --separate-stderr airlock mirror refresh --json
  assert_status 75
  assert_json '[(k["unique_id"], k["state"]) for k in d["kept"]]' \
    '[["model.shop.mirror_customers", "failing"], ["model.shop.mirror_orders", "stale"], ["model.shop.mirror_payments", "unreadable"]]'
  assert_json 'd["refreshed"]' '[]'
  [ "$(rows)" = '8|12|12' ]
  sql 'drop view shop_source.payments'
  sql 'create table shop_source.payments as select * from raw.payments where id < 1004'
  run airlock mirror refresh --accept mirror_customers --accept shop.orders
  assert_status 75
  assert_says 'more than 50 % are gone' '--accept'
  [ "$(rows)" = '9|12|12' ]
  [ "$(copies)" = 0 ]
}

# What people gave a raw table is not a column of its source.
@test "refresh: columns change as the source's do, and what people gave a raw table stays" {
  AIRLOCK_DBT=$DIRECT
  run airlock mirror refresh
  assert_status 0
  sql 'alter table raw.customers alter column name set not null'
  sql "comment on table raw.customers is 'by hand'"
  sql "comment on column raw.customers.country is 'ISO 3166'"
  sql 'create index customers_by_country on raw.customers (country)'
  sql 'create schema reports'
  sql 'create view reports.countries as select country, count(*) as n from raw.customers group by 1'
  if [ "$ENGINE" = postgres ]; then
    sql 'create role reader; grant select on raw.customers to reader with grant option'
    sql 'grant select (id) on raw.customers to reader'
  fi
  shape | grep -v shop_source >"$BATS_TEST_TMPDIR/shape.before"
  remember_production
  sql "insert into shop_source.customers select 90, name, 'CH', segment from shop_source.customers where id = 1"
  run airlock mirror refresh
  assert_status 0
  shape | grep -v shop_source >"$BATS_TEST_TMPDIR/shape.after"
  diff "$BATS_TEST_TMPDIR"/shape.{before,after}
  assert_sql "select n from reports.countries where country = 'CH'" 1
  sql 'delete from shop_source.customers where id = 90'
  run airlock mirror refresh
  assert_status 0
  assert_production_unchanged
  sql 'alter table shop_source.customers drop column segment'
  sql 'alter table shop_source.customers alter column name type text'
  sql 'alter table shop_source.customers alter column id type bigint'
  sql 'alter table shop_source.customers add column note text'
  remember_production
  run --separate-stderr airlock mirror refresh --json
  assert_status 0
  [ "$(columns raw.customers)" = "$(columns shop_source.customers)" ]
  assert_sql 'select sum(n) from reports.countries' 8
  run airlock rollback "$(json 'd["id"]')" --yes
  assert_status 0
  assert_production_unchanged
}

@test "refresh: a raw table whose model is gone stays, and one whose source is gone is missing" {
  AIRLOCK_DBT=$DIRECT
  run airlock mirror refresh
  assert_status 0
  sql 'delete from shop_source.payments where id > 1004'
  sql 'drop table shop_source.orders'
  export DIRECT_WITHOUT='model.shop.mirror_payments model.shop.stg_payments'
  run --separate-stderr airlock mirror refresh --json
  assert_status 75
  assert_json '[r["source"] for r in d["refreshed"]]' '["shop.customers"]'
  assert_json '[(k["unique_id"], k["state"]) for k in d["kept"]]' '[["model.shop.mirror_orders", "missing"]]'
  [ "$(rows)" = '8|12|12' ]
}

# bats test_tags=exhaustive
@test "refresh: a view where the raw table is to be makes room, and who reads it reads the copy" {
  AIRLOCK_DBT=$DIRECT
  airlock mirror refresh
  sql 'create schema aside'
  sql 'create table aside.customers as select * from raw.customers where id > 3'
  sql 'drop table raw.customers'
  sql 'create view raw.customers as select * from aside.customers'
  sql 'create view aside.countries as select country, count(*) as n from raw.customers group by 1'
  run airlock mirror refresh
  assert_status 0
  [ "$(rows)" = '8|12|12' ]
  assert_sql "select table_type from information_schema.tables where table_schema = 'raw' and table_name = 'customers'" 'BASE TABLE'
  assert_sql 'select sum(n) from aside.countries' 8
  run airlock mirror status
  assert_says 'shop.customers  8 rows   good'
}

# bats test_tags=exhaustive
@test "refresh: a raw model with another name fills the same table, with another alias a new one" {
  AIRLOCK_DBT=$DIRECT airlock mirror refresh
  mv models/raw/mirror_customers.sql models/raw/mirror_clients.sql
  sed -i 's/mirror_customers/mirror_clients/' models/*/*.yml models/*/*.sql
  sql "insert into shop_source.customers select 90, name, 'CH', segment from shop_source.customers where id = 1"
  run --separate-stderr airlock mirror refresh --json
  assert_status 0
  assert_json 'sorted(r["unique_id"] for r in d["refreshed"])[0]' model.shop.mirror_clients
  [ "$(rows)" = '9|12|12' ]
  sed -i "s/alias='customers'/alias='clients'/" models/raw/mirror_clients.sql
  run airlock mirror refresh
  assert_status 0
  assert_sql 'select count(*) from raw.clients' 9
  [ "$(rows)" = '9|12|12' ] # what no model makes any more is nobody's to drop
}

# bats test_tags=default:duckdb,exhaustive
@test "status: age and rows of each copy, and how its source is now" {
  run --separate-stderr airlock mirror status --json
  assert_status 0
  assert_json '[(m["source"], m["rows"], m["age_s"], m["source_rows"], m["state"]) for m in d["mirror"]]' \
    '[["shop.customers", null, null, 8, "good"], ["shop.orders", null, null, 12, "good"], ["shop.payments", null, null, 12, "good"]]'
  run airlock mirror refresh
  assert_status 0
  sql 'drop table shop_source.orders'
  sql 'delete from shop_source.customers'
  run --separate-stderr airlock mirror status --json
  assert_status 0
  assert_json '[(m["unique_id"], m["rows"], m["age_s"] < 600, m["source_rows"], m["state"]) for m in d["mirror"]]' \
    '[["model.shop.mirror_customers", 8, true, 0, "empty"], ["model.shop.mirror_orders", 12, true, null, "missing"], ["model.shop.mirror_payments", 12, true, 12, "good"]]'
  run airlock mirror status -s mirror_orders
  assert_status 0
  assert_says 'raw.orders' '12 rows' 'missing: the source does not exist'
  [ "$(rows)" = '8|12|12' ]
  run --separate-stderr airlock mirror status -s no_such_model --json
  assert_status 125
  assert_json 'd["next"]' '["airlock routes --select no_such_model", "airlock mirror status --select no_such_model"]'
}

killed() { # killed ROWS: how many orders the raw layer has, before and behind
  sql "insert into shop_source.orders select 900, customer_id, ordered_on, status, currency
    from shop_source.orders where id = 101"
  AIRLOCK_FAULT=copy:after:crash run airlock mirror refresh
  assert_status 137
  [ "$(rows)" = "8|$1|12" ]
  [ "$(copies)" = 3 ]
}

# bats test_tags=default:duckdb
@test "refresh: killed in the middle, the raw layer is what it was, and resume goes on" {
  run airlock mirror refresh
  assert_status 0
  killed 12
  run airlock resume
  assert_status 0
  [ "$(rows)" = '8|13|12' ]
  [ "$(copies)" = 0 ]
  run airlock resume
  assert_says 'no deployment is unfinished'
}

# bats test_tags=exhaustive
@test "refresh: killed in the middle, the next one drops what it left" {
  run airlock mirror refresh
  assert_status 0
  killed 12
  run airlock mirror refresh -s mirror_orders
  assert_status 0
  [ "$(rows)" = '8|13|12' ]
  [ "$(copies)" = 0 ]
  killed 13
  run airlock abort
  assert_status 0
  [ "$(copies)" = 3 ]
  run airlock gc --yes
  assert_status 0
  [ "$(copies)" = 0 ]
}

# bats test_tags=default:duckdb
@test "a deployment builds what is above the raw layer, whether the sources are there or not" {
  run airlock mirror refresh
  assert_status 0
  sql 'drop table shop_source.orders'
  echo 'select * from {{ ref("stg_orders") }} where order_id not in (select id from {{ ref("mirror_orders") }})' \
    >tests/spans.sql
  AIRLOCK_MIRROR_MAX_AGE=0 run airlock deploy wac --yes
  assert_status 0
  assert_says "the test 'source_not_null_shop_customers_id' reads a source and is left to 'airlock mirror refresh'" \
    'the mirror is older than max_age: mirror_customers' 'published 6 relations' '26 tests passed'
  [ "$(rows)" = '8|12|12' ]
  AIRLOCK_MIRROR_MAX_AGE=0 run airlock deploy wac --yes --mirror-if-old stop -s 'staging.*+'
  assert_status 125
  assert_says 'the mirror is older than max_age'
}

# bats test_tags=default:duckdb,exhaustive
@test "the recipe's selection builds over a mirror whose sources are gone" {
  directly airlock mirror refresh
  directly dbt seed --quiet --target staging
  sql 'drop table shop_source.orders'
  run airlock deploy wac --tags mart --build 'staging.*+' --yes
  assert_status 0
  assert_says 'published 4 relations'
  [ "$(rows)" = '8|12|12' ]
  run airlock deploy wac -s 'staging.*+' --yes
  assert_status 0
  assert_says 'published 4 relations'
  assert_sql 'select count(*) from mart.orders' 12
}

# bats test_tags=default:duckdb
@test "production-rollback over a mirror: the next rows of a source come in, and the raw layer is not built" {
  AIRLOCK_DBT=$DIRECT
  airlock mirror refresh
  dbt build --quiet --target prod
  sql "insert into shop_source.orders select 900, customer_id, cast('2025-02-01' as date), status, currency
    from shop_source.orders where id = 101"
  run airlock deploy production-rollback --yes
  assert_status 0
  assert_sql 'select count(*) from mart.orders' 12
  airlock mirror refresh
  run airlock deploy production-rollback --yes
  assert_status 0
  assert_sql 'select (select count(*) from mart.orders), (select count(*) from mart.revenue_by_day)' '13|9'
  [ "$(rows)" = '8|13|12' ]
}

# bats test_tags=exhaustive
@test "wap over a mirror: what was audited over the copies is published, whether the sources are there or not" {
  OWN_SCHEMAS+=,unaudited
  directly airlock mirror refresh
  dbt build --quiet --target prod --exclude tag:raw
  sql "insert into shop_source.orders select 900, customer_id, cast('2025-02-01' as date), status, currency
    from shop_source.orders where id = 101"
  directly airlock mirror refresh
  sql 'drop table shop_source.orders'
  for way in copy rebuild; do
    sql 'delete from mart.orders where order_id = 900'
    run airlock deploy wap --from prod_audit --to prod --tags mart --stale-ok '*' --publish-by $way --yes
    assert_status 0
    [ "$(rows)" = '8|13|12' ]
    assert_sql 'select count(*) from mart.orders' 13
    assert_sql 'select max(ordered_on) from mart.revenue_by_day' 2025-02-01
  done
}

# bats test_tags=exhaustive
@test "blue-green over a mirror: schemas change places, the raw layer stays; a file would take it along" {
  airlock mirror refresh
  if [ "$ENGINE" = duckdb ]; then
    mkdir -p green
    run airlock plan blue-green --from blue_green --to prod --exclude customers_history -- --full-refresh
    assert_status 125
    assert_says "'model.shop.mirror_orders' is in the raw layer, and blue-green exchanges the whole file" 'with wac'
    refute_says generate_schema_name
    return
  fi
  raw=$(sql "select 'raw'::regnamespace::oid")
  for customers in 8 9; do
    run airlock deploy blue-green --from green --to prod --exclude customers_history --yes -- --full-refresh
    assert_status 0
    assert_sql 'select count(*) from mart.customers' $customers
    sql "insert into shop_source.customers select * from shop_source.customers where id = 1"
    sql "update shop_source.customers set id = 900 where ctid = (select max(ctid) from shop_source.customers)"
    airlock mirror refresh
    assert_sql "select 'raw'::regnamespace::oid" "$raw"
  done
  run airlock rollback --from green --to prod --yes
  assert_status 0
  assert_sql 'select count(*) from mart.customers' 8
  [ "$(rows)" = '10|12|12' ]
}

# bats test_tags=default:duckdb,exhaustive
@test "refused: a model that reads a source past the mirror, a raw layer of two relations" {
  echo "select * from {{ source('shop', 'orders') }}" >models/mart/open_orders.sql
  run airlock plan wac
  assert_status 125
  assert_says "'model.shop.open_orders' reads the source 'shop.orders' past the mirror"
  run airlock plan wac --mirror-allow open_orders
  assert_status 0
  sed -i "s/custom if custom == 'raw' else target/'stage_raw' if custom == 'raw' else target/" macros/generate_schema_name.sql
  run airlock plan wac --mirror-allow open_orders
  assert_status 125
  assert_says 'the raw layer is one relation on every side' "if custom_schema_name == 'raw'"
}

# For the faults of the stand-in.
traced() {
  export DIRECT_TRACE=$BATS_TEST_TMPDIR/trace DIRECT_RECORDED=$ROOT/test/support/direct/recorded/mirror
}

# SQL in front of the operation that exchanges what was copied and compared.
meanwhile() { # meanwhile SQL
  AIRLOCK_DBT=$DIRECT
  fake_dbt run-operation "if [ ! -e '$BATS_TEST_TMPDIR/meanwhile' ] &&
    grep -q airlock-count target/airlock/ops/*/macros/airlock_ops.sql; then
      touch '$BATS_TEST_TMPDIR/meanwhile'
      '$PYTHON' '$ROOT/test/support/sql.py' \"$1\"
    fi"
}

# bats test_tags=exhaustive
@test "refresh: what somebody changes between the comparison and the exchange, on either side: 73" {
  run airlock mirror refresh
  assert_status 0
  sql "insert into shop_source.orders select 900, customer_id, ordered_on, status, currency
    from shop_source.orders where id = 101"
  meanwhile 'insert into raw.orders select * from raw.orders where id = 101'
  run airlock mirror refresh
  assert_status 73
  assert_says 'raw.orders' 'changed by somebody else' 'production was not changed'
  [ "$(rows)" = '8|13|12' ]
  sql 'delete from raw.orders where id = 101'
  for copy in 'delete from' 'drop table'; do
    rm "$BATS_TEST_TMPDIR/meanwhile"
    meanwhile "$copy \$('$PYTHON' '$ROOT/test/support/sql.py' \"select 'airlock.' || max(table_name)
      from information_schema.tables where table_name like 'mirror%'\")"
    remember_production
    run airlock mirror refresh
    [ "$status" -ne 0 ] || fail "$output"
    [ -e "$BATS_TEST_TMPDIR/meanwhile" ]
    assert_production_unchanged
  done
  run airlock mirror refresh
  assert_status 0
  [ "$(rows)" = '8|13|12' ]
}

# bats test_tags=engine:postgres
@test "refresh: what the warehouse undid says nothing of a source, which is copied again" {
  run airlock mirror refresh
  assert_status 0
  sql 'update shop_source.orders set status = status'
  traced
  DIRECT_FAULT='run-operation/2.16:before:error=deadlock_detected' run --separate-stderr \
    directly airlock mirror refresh --json
  assert_status 0
  grep -q '"fault"' "$DIRECT_TRACE"
  assert_json '[len(d["refreshed"]), d["kept"]]' '[3, []]'
  assert_says 'trying again for a while: '
}

# bats test_tags=engine:postgres,exhaustive
@test "refresh: a copy that ran for longer than is waited is copied again as well" {
  run airlock mirror refresh
  assert_status 0
  sql 'update shop_source.orders set status = status'
  traced
  AIRLOCK_DBT=$DIRECT
  fake_dbt run-operation '[ "$(grep -c "\"run-operation\".*\"began\"" "$DIRECT_TRACE")" != 1 ] || sleep 16'
  DIRECT_FAULT='run-operation/2.16:before:error=deadlock_detected' run --separate-stderr \
    airlock mirror refresh --json
  assert_status 0
  assert_json '[len(d["refreshed"]), d["kept"]]' '[3, []]'
  assert_says 'trying again for a while: '
}
