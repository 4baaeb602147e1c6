#!/usr/bin/env bats
# Incremental models, by merge and by insert_overwrite, over many deployments with real dbt-bigquery
# against the stand-in. In another project of it the same is built in place, day by day.
# bats file_tags=exhaustive

load ../support/common.bash
load ../support/readers.bash

setup_file() {
  begin_file shop
  cat >models/mart/orders_by_status.sql <<'EOT'
{{ config(materialized='incremental', incremental_strategy='insert_overwrite', cluster_by='status',
          partition_by={'field': 'ordered_on', 'data_type': 'date'}, partition_expiration_days=36500) }}

select
  ordered_on,
  status,
  count(*) as orders,
  sum(amount_eur) as amount_eur
from {{ ref('orders') }}
{% if is_incremental() %}
where ordered_on >= (select max(t.ordered_on) from {{ this }} as t)
{% endif %}
group by ordered_on, status
EOT
  dbt --quiet build --target prod
  in_place dbt --quiet build --target prod --target-path "$WORK/in_place"
  # What no build makes again.
  both "insert into mart.revenue_by_day values (date '2024-12-31', 0, 0)"
  both "insert into mart.orders_by_status values (date '2024-12-31', 'placed', 1, 0)"
}

setup() {
  cd "$WORK/project" || return
}

teardown() {
  stop_reading
}

teardown_file() {
  end_file
}

in_place() {
  SHOP_BQ_PROJECT=in-place "$@"
}

both() { # both SQL
  sql "$1"
  in_place sql "$1"
}

TABLES=(mart.orders mart.customers mart.open_orders mart.revenue_by_day mart.orders_by_status
  utils.calendar utils.currencies)

# Two values that differ when a table has no rows; one that is missing is an error.
begin_reading_all() {
  local table query=true
  for table in "${TABLES[@]}"; do
    query+=" and (select count(*) from $table) > 0"
  done
  begin_reading "select true, $query"
}

rows() {
  local table
  for table in "${TABLES[@]}"; do
    echo "$table"
    sql "select * from $table" | sort
  done
}

# The last day goes on growing, and another one begins.
another_day() { # another_day NUMBER
  echo "$((200 + $1)),$((1 + $1 % 6)),$(date -d "2025-01-15 + $(($1 - 1)) days" +%F),shipped,EUR" >>seeds/raw_orders.csv
  echo "$((300 + $1)),$((1 + $1 % 7)),$(date -d "2025-01-15 + $1 days" +%F),placed,SEK" >>seeds/raw_orders.csv
}

days_as_in_place() { # days_as_in_place FIRST LAST COMMAND...: deploys
  local number
  begin_reading_all
  for number in $(seq "$1" "$2"); do
    another_day "$number"
    in_place dbt --quiet build --target prod --target-path "$WORK/in_place"
    "${@:3}"
    assert_status 0
    in_place rows >"$BATS_TEST_TMPDIR/in_place"
    rows >"$BATS_TEST_TMPDIR/deployed"
    diff "$BATS_TEST_TMPDIR/in_place" "$BATS_TEST_TMPDIR/deployed" || fail "day $number"
  done
  stop_reading
  output=$(cat "$BATS_TEST_TMPDIR/seen.json")
  assert_json 'd["errors"]' '[]'
  assert_json 'd["torn"]' 0
  assert_json 'd["reads"] > 100' true
  assert_sql "select count(*) from mart.revenue_by_day where ordered_on = date '2024-12-31'" 1
  assert_sql "select count(*) from mart.orders_by_status where ordered_on = date '2024-12-31'" 1
  assert_sql "select count(*) from mart.INFORMATION_SCHEMA.TABLES where table_name = 'orders_by_status'
               and strpos(ddl, 'PARTITION BY ordered_on') > 0 and strpos(ddl, 'CLUSTER BY status') > 0" 1
  assert_sql "select cast(option_value as float64) from mart.INFORMATION_SCHEMA.TABLE_OPTIONS
               where table_name = 'orders_by_status' and option_name = 'partition_expiration_days'" 36500.0
}

seed_and_roll() {
  dbt --quiet seed --target prod
  run airlock deploy production-rollback --from staging --to prod --tags mart,utils --parents defer --yes
}

@test "ten in a row by production-rollback, which read production's seeds: as by building in place" {
  days_as_in_place 1 10 seed_and_roll
  assert_sql "select count(*) from stage.INFORMATION_SCHEMA.TABLES where starts_with(table_name, 'raw_')" 0
}

@test "ten in a row by wac, whose staging goes on from its own: as by building in place" {
  days_as_in_place 11 20 deploy
  assert_sql "select (select count(*) from stage.raw_orders) = (select count(*) from mart.orders)" t
}
