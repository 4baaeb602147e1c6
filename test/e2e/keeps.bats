#!/usr/bin/env bats
# What belongs to production and not to the build: still there after a publish.

load ../support/common.bash
load ../support/changes.bash

setup_file() {
  begin_published
  sed -i 's/^4,Dario Rossi,IT/4,Dario Rossi,CH/' seeds/raw_customers.csv
  freeze
}

setup() {
  thaw
}

teardown_file() {
  end_file
}

assert_keeps_shape() {
  shape >"$BATS_TEST_TMPDIR/shape.before"
  deploy
  assert_status 0
  shape >"$BATS_TEST_TMPDIR/shape.after"
  diff "$BATS_TEST_TMPDIR"/shape.{before,after}
  assert_sql 'select country from mart.customers where customer_id = 4' CH
}

@test "an index, comments, constraints, a view in another schema reading the new data" {
  sql 'alter table mart.customers alter column customer_name set not null'
  sql "comment on table mart.customers is 'by hand'"
  sql "comment on column mart.customers.country is 'ISO 3166'"
  sql 'create index customers_by_country on mart.customers (country)'
  sql 'create schema reports'
  sql 'create view reports.countries as select country, count(*) as n from mart.customers group by 1'
  assert_keeps_shape
  assert_sql "select n from reports.countries where country = 'CH'" 1
}

# bats test_tags=default:duckdb,exhaustive
@test "tables that nobody published, beside the published ones" {
  sql 'create table mart.by_hand as select 42 as answer'
  assert_keeps_shape
  assert_sql 'select answer from mart.by_hand' 42
}

# bats test_tags=default:duckdb,exhaustive
@test "the history of a snapshot does not give way to another one with as many rows" {
  history=(airlock deploy wac --from staging --to prod --tags 'mart,utils,history' --yes)
  run "${history[@]}"
  assert_status 0
  run "${history[@]}" # the same history goes on
  assert_status 0
  sql 'drop table stage.customers_history'
  remember_production
  run "${history[@]}"
  assert_status 125
  assert_says "'snapshot.shop.customers_history' has" "rows in production that staging's snapshot does not have" \
    --accept 'production was not changed'
  assert_production_unchanged
  run "${history[@]}" --accept customers_history
  assert_status 0
}
