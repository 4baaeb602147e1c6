#!/usr/bin/env bats
# What has to stop a deployment, and does: production is compared as a whole before and after. What dbt
# itself has to say is said by real dbt, the rest by a stand-in.

load ../support/common.bash

setup_file() {
  begin_published
  # what a deployment must not lose, made by hand
  sql "comment on table mart.orders is 'one row per order'"
  sql "comment on column mart.orders.status is 'as the shop says'"
  sql 'create index orders_by_customer on mart.orders (customer_id)'
  sql 'create schema reports'
  sql 'create view reports.big_orders as select * from mart.orders where amount_eur > 100'
  if [ "$ENGINE" = postgres ]; then
    sql 'create role analyst'
    sql 'grant usage on schema mart to analyst; grant select on mart.orders to analyst'
    sql 'grant select (customer_id, country) on mart.customers to analyst'
    sql 'alter default privileges in schema mart grant select on tables to analyst'
  fi
  # a change that is ready to be published
  sed -i 's/^4,Dario Rossi,IT/4,Dario Rossi,CH/' seeds/raw_customers.csv
  freeze
}

setup() {
  thaw
  remember_production
}

teardown_file() {
  end_file
}

assert_stopped() { # assert_stopped STATUS TEXT...
  assert_status "$1"
  shift
  assert_says "$@"
  assert_production_unchanged
}

@test "a failing test: dbt's 1, and the last lines say which, why and where" {
  deploy -- --vars '{break_orders: true}'
  assert_stopped 1
  output=$(tail -n 8 <<<"$output")
  assert_says unique_orders_order_id 'Got 1 result' \
    target/airlock unique_orders_order_id.sql 'production was not changed'
}

# bats test_tags=default:duckdb,exhaustive
@test "a failing test, as JSON" {
  AIRLOCK_DBT=$DIRECT
  break_orders
  run --separate-stderr airlock deploy wac --yes --json
  assert_stopped 1
  assert_json 'd["outcome"]' blocked
  assert_json 'd["production_changed"]' false
  assert_json 'd["exit"]' 1
  assert_json '[f["unique_id"].split(".")[2] for f in d["failures"]]' '["unique_orders_order_id"]'
  assert_json '"Got 1 result" in d["failures"][0]["message"]' true
  path=$(json 'd["failures"][0]["compiled_path"]')
  [ -f "$path" ] || fail "no such file: $path"
}

# bats test_tags=default:duckdb,exhaustive
@test "a failing test is stopped when variables silence dbt" {
  export DBT_PRINT=false DBT_LOG_LEVEL=none DBT_ENGINE_LOG_LEVEL=none DBT_QUIET=true
  deploy -- --vars '{break_orders: true}'
  assert_stopped 1 unique_orders_order_id
}

# bats test_tags=default:duckdb
@test "a failing model" {
  echo 'select 1 / nothing' >>models/mart/customers.sql
  deploy
  assert_stopped 1 customers 'production was not changed'
}

# bats test_tags=default:duckdb
@test "a failing model outside the scope, and the scope skipped behind it" {
  AIRLOCK_DBT=$DIRECT
  scenario '{"results": {"model.shop.stg_payments": {"status": "error", "message": "no such column"}}}'
  deploy
  assert_stopped 1 stg_payments
}

# bats test_tags=default:duckdb,exhaustive
@test "a failing unit test" {
  sed -i 's/revenue_eur: 10.55/revenue_eur: 10.56/' models/mart/_mart.yml
  deploy
  assert_stopped 1 returned_orders_bring_no_revenue
}

# bats test_tags=default:duckdb
@test "a dbt that dies by a signal during the build" {
  AIRLOCK_DBT=$DIRECT
  fake_dbt build 'kill -KILL $$'
  deploy
  [ "$status" -ne 0 ]
  assert_stopped "$status" 'production was not changed'
  [ "$status" -eq 137 ] || [ "$status" -eq 125 ] || fail "exit status $status"
}

# bats test_tags=default:duckdb
@test "a dbt that says 0 and built nothing, beside the results of an earlier run" {
  AIRLOCK_DBT=$DIRECT
  fake_dbt build 'exit 0'
  deploy
  [ "$status" -ne 0 ]
  assert_production_unchanged
}

# bats test_tags=default:duckdb
@test "a dbt that says 0 and hands in the results of an earlier run" {
  AIRLOCK_DBT=$DIRECT
  results=$(find target/airlock -name run_results.json | head -n 1)
  [ -n "$results" ]
  cp "$results" "$BATS_TEST_TMPDIR/old.json"
  fake_dbt build "find target/airlock -name run_results.json -exec cp '$BATS_TEST_TMPDIR/old.json' {} \\; ; exit 0"
  deploy
  [ "$status" -ne 0 ]
  assert_production_unchanged
}

# bats test_tags=default:duckdb
@test "a build of empty tables: DBT_EMPTY, --empty" {
  AIRLOCK_DBT=$DIRECT
  DBT_EMPTY=1 deploy
  assert_stopped 125 DBT_EMPTY
  deploy -- --empty
  assert_stopped 125 --empty
}

# bats test_tags=default:duckdb
@test "a build that would not run the tests: DBT_INDIRECT_SELECTION=empty" {
  AIRLOCK_DBT=$DIRECT
  DBT_INDIRECT_SELECTION=empty deploy
  assert_stopped 125 DBT_INDIRECT_SELECTION
}

# bats test_tags=default:duckdb
@test "a build into production: -- --target prod" {
  AIRLOCK_DBT=$DIRECT
  deploy -- --target prod
  assert_stopped 125 --target --from
}

@test "an answer of the warehouse that got lost is an error" {
  AIRLOCK_DBT=$DIRECT
  fake_dbt run-operation '"$DIRECT" "$@" >/dev/null; exit 0'
  deploy
  [ "$status" -ne 0 ]
  assert_production_unchanged
}

@test "an error of the database in the middle of the publish" {
  AIRLOCK_DBT=$DIRECT
  sql 'alter table mart.customers alter column last_ordered_on set not null'
  remember_production
  echo '9,Ines Novak,HR,retail' >>seeds/raw_customers.csv
  deploy
  [ "$status" -ne 0 ]
  assert_stopped "$status" last_ordered_on
  # and the next one works
  sed -i '/^9,/d' seeds/raw_customers.csv
  deploy
  assert_status 0
  assert_sql 'select country from mart.customers where customer_id = 4' CH
}
