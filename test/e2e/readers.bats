#!/usr/bin/env bats
# Readers of two published tables in one query, while deployments go on.

load ../support/common.bash

setup_file() {
  begin_published
  freeze
}

setup() {
  thaw
}

teardown() {
  if [ -n "${reader-}" ]; then kill "$reader" 2>/dev/null || true; fi
}

teardown_file() {
  end_file
}

# Orders and what customers spent: equal in any one state of production.
QUERY="select (select sum(amount_eur) from mart.orders where status <> 'returned'),
              (select sum(revenue_eur) from mart.customers)"

# publish_often TIMES [COMMAND...]: each round is another state, after COMMAND ROUND
publish_often() {
  local times=$1 round
  shift
  "$PYTHON" "$ROOT/test/support/reader.py" "$QUERY" >"$BATS_TEST_TMPDIR/seen.json" 3>&- &
  reader=$!
  for round in $(seq "$times"); do
    sed -i "s/^1001,101,card,.*/1001,101,card,$((50 + round)).25/" seeds/raw_payments.csv
    [ $# -eq 0 ] || "$@" "$round"
    deploy
    assert_status 0
  done
  kill "$reader"
  wait "$reader"
  reader=
  output=$(cat "$BATS_TEST_TMPDIR/seen.json")
  assert_json 'd["torn"]' 0
  assert_json 'd["errors"]' '[]'
  assert_json "d['states'] == $times + 1" true
  assert_json 'd["longest_ms"] < 1000' true
}

change_columns() {
  sed -i "s/ as is_paid.*/ as is_paid, $1 as v$1/" models/mart/orders.sql
}

change_columns_of_both() {
  change_columns "$1"
  sed -i "s/^  c.customer_name.*/  $1 as v$1, c.customer_name/" models/mart/open_orders.sql
}

# bats test_tags=exhaustive
@test "3 publishes: never one table new and one old, no error, no long wait" {
  publish_often 3
}

exchange() {
  scenario "{\"columns\": {\"model.shop.orders\": \"$1 as v$1\"}}"
}

@test "3 publishes that exchange a table whose columns changed" {
  AIRLOCK_DBT=$DIRECT
  publish_often 3 exchange
}

# The view is in the set: its text and its columns change with the tables that it reads.
@test "2 publishes of a view with its tables: never one old and one new, no error" {
  QUERY="select (select sum(o.amount_eur) from mart.orders o), (select sum(v.amount_eur) from mart.open_orders v)"
  sed -i 's/^  o.status,$/  o.status, o.amount_eur,/; /^where/d' models/mart/open_orders.sql
  deploy
  assert_status 0
  publish_often 2 change_columns_of_both
}

# bats test_tags=exhaustive
@test "50 publishes: never one table new and one old, no error, no long wait" {
  publish_often 50
}
