#!/usr/bin/env bats
# production-rollback: production to staging, rebuild the scope there, back to production. The first
# test is on real dbt, and the exhaustive ones.

load ../support/common.bash

# Production was built in place, has a row that no build makes again, and its seeds have changed.
setup_file() {
  begin_file shop
  AIRLOCK_DBT=$DIRECT
  dbt build --target prod
  sql "insert into mart.revenue_by_day values (date '2024-12-31', 0, 0)"
  sql 'create unique index one_day on mart.revenue_by_day (ordered_on)'
  sed -i 's/^4,Dario Rossi,IT/4,Dario Rossi,CH/' seeds/raw_customers.csv
  echo '113,3,2025-01-20,placed,EUR' >>seeds/raw_orders.csv
  dbt seed --target prod
  freeze
}

setup() {
  thaw
  AIRLOCK_DBT=$DIRECT
}

teardown_file() {
  end_file
}

SCOPE=(--from staging --to prod --tags 'mart,utils,history')

roll() { # roll [OPTION...], into $status and $output
  run airlock deploy production-rollback "${SCOPE[@]}" --yes "$@"
}

# The rows of the scope, without the times at which a snapshot was taken.
rows() {
  local table
  for table in mart.orders mart.customers mart.revenue_by_day utils.calendar utils.currencies; do
    echo "$table"
    sql "select * from $table" | sort
  done
  sql 'select customer_id, customer_name, country, segment, dbt_valid_to is null
       from history.customers_history order by 1, 3'
}

# The same build in production itself, there.
build_in_copy() {
  in_copy dbt build --quiet --target prod --target-path "$BATS_TEST_TMPDIR/target" \
    --select tag:mart tag:utils tag:history "$@" >&2
}

in_place() {
  copy_warehouse
  build_in_copy "$@"
  in_copy rows
}

assert_as_in_place() {
  rows >"$BATS_TEST_TMPDIR/deployed"
  diff "$BATS_TEST_TMPDIR/in_place.rows" "$BATS_TEST_TMPDIR/deployed"
}

# bats test_tags=default:duckdb
@test "rows of production are kept and new ones added, as by building in place; and once more" {
  AIRLOCK_DBT=$REAL
  (in_place) >"$BATS_TEST_TMPDIR/in_place.rows"
  roll
  assert_status 0
  assert_says 'mart.revenue_by_day' 'history.customers_history'
  assert_as_in_place
  assert_sql "select count(*) from mart.revenue_by_day where ordered_on = date '2024-12-31'" 1
  assert_sql "select orders from mart.revenue_by_day where ordered_on = date '2025-01-20'" 1
  assert_sql 'select count(*) from history.customers_history where customer_id = 4' 2
  AIRLOCK_DBT=$DIRECT
  roll
  assert_status 0
  assert_as_in_place
}

# bats test_tags=default:duckdb
@test "a failing test leaves production untouched, and so does what was copied" {
  remember_production
  break_orders
  roll
  assert_status 1
  assert_says unique_orders_order_id 'production was not changed' '--defer --favor-state --state'
  assert_production_unchanged
}

# bats test_tags=exhaustive
@test "--full-refresh makes the incremental model anew, as in place, and the snapshot goes on" {
  AIRLOCK_DBT=$REAL
  (in_place --full-refresh) >"$BATS_TEST_TMPDIR/in_place.rows"
  roll -- --full-refresh
  assert_status 0
  assert_as_in_place
  assert_sql "select count(*) from mart.revenue_by_day where ordered_on = date '2024-12-31'" 0
  assert_sql 'select count(*) from history.customers_history where customer_id = 4' 2
}

# bats test_tags=exhaustive
@test "on_schema_change: columns come and go as in place, and the rows of production stay" {
  for change in append_new_columns sync_all_columns; do
    thaw
    AIRLOCK_DBT=$REAL
    [ "$ENGINE" != duckdb ] || sql 'drop index mart.one_day' # no table that has one takes a column there
    sed -i "s/unique_key='ordered_on'/unique_key='ordered_on', on_schema_change='$change'/
      s/^  count(\*) as orders,/&\n  min(order_id) as first_order,/" models/mart/revenue_by_day.sql
    [ "$change" = append_new_columns ] || sed -i '/revenue_eur/d; s/first_order,/first_order/' models/mart/revenue_by_day.sql
    (in_place) >"$BATS_TEST_TMPDIR/in_place.rows"
    roll
    assert_status 0
    assert_as_in_place
    assert_sql "select count(*) from mart.revenue_by_day where ordered_on = date '2024-12-31' and first_order is null" 1
    roll
    assert_status 0
    assert_as_in_place
  done
  assert_sql "select count(*) from information_schema.columns where table_schema = 'mart'
    and table_name = 'revenue_by_day' and column_name in ('revenue_eur', 'first_order')" 1
}

@test "what is not selected is read from production, whatever staging holds" {
  sql 'create schema stage'
  sql 'create view stage.int_orders_in_euros as select * from intermediate.int_orders_in_euros where 1 = 0'
  roll -s orders revenue_by_day
  assert_status 0
  assert_sql 'select count(*) from mart.orders' 13
  assert_sql "select country from mart.customers where customer_id = 4" IT
}

# bats test_tags=default:duckdb
@test "parents: copy fills staging with them and builds on the copies" {
  (in_place) >"$BATS_TEST_TMPDIR/in_place.rows"
  roll --parents copy
  assert_status 0
  assert_as_in_place
  assert_sql 'select count(*) from stage.raw_orders' 13
  assert_sql 'select count(*) from stage.stg_orders' 13
}

# bats test_tags=default:duckdb
@test "somebody who writes meanwhile stops the publish, and keeps what was written" {
  fake_dbt build "sql() { '$PYTHON' '$ROOT/test/support/sql.py' \"\$1\"; }
    sql \"update mart.revenue_by_day set revenue_eur = 1 where ordered_on = date '2024-12-31'\""
  roll
  assert_status 73
  assert_says revenue_by_day
  assert_sql "select count(*) from mart.revenue_by_day where revenue_eur = 1" 1
  assert_sql 'select count(*) from mart.orders' 12
}

# bats test_tags=default:duckdb
@test "killed in its publish, resume publishes what was tested" {
  export DIRECT_TRACE=$BATS_TEST_TMPDIR/trace
  roll
  assert_status 0
  expected=$(rows)
  published=$("$PYTHON" -c 'import json, sys
for line in map(json.loads, sys.stdin):
    for number, sql in enumerate(line.get("calls", []), 1):
        if "insert into" in sql and "airlock_log" in sql and chr(39) + "published" in sql:
            print(line["nth"], number, sep=".")' <"$DIRECT_TRACE")
  thaw
  rm -rf target/airlock "$DIRECT_TRACE"
  DIRECT_FAULT=run-operation/$published:before:crash-airlock roll
  assert_status 137
  assert_sql 'select count(*) from mart.orders' 12
  run airlock resume --from staging --to prod
  assert_status 0
  assert_says 'nothing is built: it died behind its tests'
  [ "$(rows)" = "$expected" ]
}

# bats test_tags=default:duckdb
@test "what production does not have begins anew, whatever staging holds" {
  sql 'drop table mart.revenue_by_day'
  sql 'create schema stage'
  sql "create table stage.revenue_by_day as select date '2031-01-01' as ordered_on, 1 as orders, 1 as revenue_eur"
  if [ "$ENGINE" = postgres ]; then
    sql 'create view stage.by_hand as select * from stage.revenue_by_day'
    roll
    assert_status 125
    assert_says 'shop.stage.revenue_by_day (staging) has to be made anew and is used by' by_hand
    sql 'drop view stage.by_hand'
  fi
  roll
  assert_status 0
  assert_says 'mart.revenue_by_day'
  assert_sql 'select count(*), max(orders) from mart.revenue_by_day' '9|2'
}

# bats test_tags=default:duckdb
@test "refused before anything is built: a parent that production lacks, options of its own" {
  sql 'drop view mart.open_orders'
  sql 'drop table mart.customers; drop table mart.orders'
  sql 'drop view intermediate.int_orders_in_euros'
  run airlock plan production-rollback "${SCOPE[@]}"
  assert_status 125
  assert_says "intermediate.int_orders_in_euros' ('model.shop.int_orders_in_euros') is read by the build" \
    'dbt build --target prod --select int_orders_in_euros'
  run airlock plan production-rollback "${SCOPE[@]}" -- --defer --state x
  assert_status 125
  assert_says "'--defer' is set by production-rollback itself"
  sed -i '/^    to: prod/d' dbt_project.yml
  run airlock plan production-rollback --from staging
  assert_status 125
  assert_says "no 'to'"
}

# A day's orders, where both sides read them.
another_day() { # another_day NUMBER
  echo "$((200 + $1)),$((1 + $1 % 6)),2025-01-$((19 + $1)),placed,EUR" >>seeds/raw_orders.csv
  sed -i "s/^4,Dario Rossi,../4,Dario Rossi,$(printf '%02d' "$1")/" seeds/raw_customers.csv
  seed_both
}

seed_both() {
  dbt seed --target prod
  in_copy dbt seed --target prod --target-path "$BATS_TEST_TMPDIR/target"
}

# bats test_tags=engine:postgres
@test "what a dead one sent and the server commits late does not stop the next" {
  (in_place) >"$BATS_TEST_TMPDIR/in_place.rows"
  sql 'create schema stage'
  sql 'begin; create table stage.revenue_by_day (late integer); select pg_sleep(4); commit' >/dev/null &
  sleep 0.5
  roll
  assert_status 0
  assert_says 'trying again for a while'
  assert_as_in_place
}

# bats test_tags=exhaustive
@test "ten in a row, one that fails and one with another writer among them, as by building in place" {
  written="update mart.revenue_by_day set revenue_eur = 7 where ordered_on = date '2024-12-31'"
  copy_warehouse
  for number in {1..10}; do
    another_day "$number"
    if [ "$number" = 5 ]; then
      before=$(rows)
      echo '101,1,2025-01-03,completed,EUR' >>seeds/raw_orders.csv
      seed_both
      roll
      assert_status 1
      [ "$(rows)" = "$before" ]
      sed -i '$d' seeds/raw_orders.csv
      seed_both
    elif [ "$number" = 8 ]; then
      fake_dbt build "'$PYTHON' '$ROOT/test/support/sql.py' \"$written\""
      roll
      assert_status 73
      AIRLOCK_DBT=$DIRECT
      in_copy sql "$written"
      assert_sql "select count(*) from mart.revenue_by_day where revenue_eur = 7" 1
    fi
    build_in_copy
    in_copy rows >"$BATS_TEST_TMPDIR/in_place.rows"
    roll
    assert_status 0
    assert_as_in_place
  done
  assert_sql 'select count(*) from history.customers_history where customer_id = 4' 11 # and the one before
}
