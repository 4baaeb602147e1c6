#!/usr/bin/env bats
# Readers of two published tables in one query, while deployments go on. Those of blue-green are in its
# own files.

load ../support/common.bash
load ../support/readers.bash

setup_file() {
  begin_published
  freeze
}

setup() {
  thaw
}

teardown() {
  stop_reading
}

teardown_file() {
  end_file
}

QUERY=$ORDERS_AND_CUSTOMERS

# publish_often TIMES DEPLOY [COMMAND...]: each round is another state, after COMMAND ROUND
publish_often() {
  local times=$1 deploy=$2 round
  shift 2
  begin_reading "$QUERY"
  let_read
  for round in $(seq "$times"); do
    sed -i "s/^1001,101,card,.*/1001,101,card,$((50 + round)).25/" seeds/raw_payments.csv
    [ $# -eq 0 ] || "$@" "$round"
    "$deploy"
    assert_status 0
    let_read
  done
  assert_read "$((times + 1))"
}

change_columns() {
  sed -i "s/ as is_paid.*/ as is_paid, $1 as v$1/" models/mart/orders.sql
}

change_columns_of_both() {
  change_columns "$1"
  sed -i "s/^  c.customer_name.*/  $1 as v$1, c.customer_name/" models/mart/open_orders.sql
}

# bats test_tags=exhaustive
@test "wac: 3 publishes, never one table new and one old, no error, no long wait" {
  publish_often 3 deploy
}

exchange() {
  scenario "{\"columns\": {\"model.shop.orders\": \"$1 as v$1\"}}"
}

@test "wac: 3 publishes that exchange a table whose columns changed" {
  AIRLOCK_DBT=$DIRECT
  publish_often 3 deploy exchange
}

# The view is in the set: its text and its columns change with the tables that it reads.
# bats test_tags=default:postgres
@test "wac: 2 publishes of a view with its tables, never one old and one new, no error" {
  QUERY="select (select sum(o.amount_eur) from mart.orders o), (select sum(v.amount_eur) from mart.open_orders v)"
  sed -i 's/^  o.status,$/  o.status, o.amount_eur,/; /^where/d' models/mart/open_orders.sql
  deploy
  assert_status 0
  publish_often 2 deploy change_columns_of_both
}

# bats test_tags=exhaustive
@test "wac: 50 publishes, never one table new and one old, no error, no long wait" {
  AIRLOCK_DBT=$DIRECT
  publish_often 50 deploy
}

# Who reads the file has it for a moment.
publish_built() {
  until dbt build --quiet --target staging 2>/dev/null; do
    sleep 0.1
  done
  run airlock publish wac --from staging --to prod --tags mart,utils --yes
}

# bats test_tags=exhaustive
@test "publish: 3 publishes, never one table new and one old, no error, no long wait" {
  AIRLOCK_DBT=$DIRECT
  publish_often 3 publish_built exchange
}

production_rollback() {
  run airlock deploy production-rollback --from staging --to prod --tags mart,utils --build +tag:mart +tag:utils \
    --yes -- --full-refresh
}

# bats test_tags=exhaustive
@test "production-rollback: 3 publishes, never one table new and one old, no error, no long wait" {
  AIRLOCK_DBT=$DIRECT
  publish_often 3 production_rollback exchange
}

wap_by_copy() {
  run airlock deploy wap --from prod_audit --to prod --tags mart --publish-by copy --yes
}

# bats test_tags=exhaustive
@test "wap by copy: 3 publishes, never one table new and one old, no error, no long wait" {
  AIRLOCK_DBT=$DIRECT
  wap_by_copy # the layers that both of its sides share
  assert_status 0
  publish_often 3 wap_by_copy exchange
}

wap_by_rebuild() {
  run airlock deploy wap --from prod_audit --to prod --tags mart --stale-ok '*' --yes -- --full-refresh
}

# bats test_tags=exhaustive
@test "wap by rebuild: 3 publishes, each table old or new, no error, no long wait" {
  QUERY='select sum(amount_eur), sum(amount_eur) from mart.orders'
  wap_by_rebuild
  assert_status 0
  publish_often 3 wap_by_rebuild
}

refresh() {
  run airlock mirror refresh
}

# One order more, and one payment; who reads the file meanwhile has it for a moment.
one_more_of_each() {
  until sql "begin;
    insert into shop_source.orders select 900 + $1, customer_id, ordered_on, status, currency
      from shop_source.orders where id = 101;
    insert into shop_source.payments select 9000 + $1, order_id, method, amount
      from shop_source.payments where id = 1001;
    commit" 2>/dev/null; do
    sleep 0.1
  done
}

# bats test_tags=exhaustive
@test "mirror refresh: 3 times, never one copy new and one old, no error, no long wait" {
  QUERY='select (select count(*) from raw.orders), (select count(*) from raw.payments)'
  mirror_sources
  refresh
  assert_status 0
  publish_often 3 refresh one_more_of_each
}
