#!/usr/bin/env bats
# What was published and the project no longer has: named, and taken away where that is said.

load ../support/common.bash

setup_file() {
  AIRLOCK_DBT=$DIRECT begin_published
  sql 'create index revenue_by_hand on mart.revenue_by_day (revenue_eur)'
  sql "comment on table mart.revenue_by_day is 'by hand'"
  rm models/mart/revenue_by_day.sql models/mart/open_orders.sql models/utils/calendar.sql
  freeze
}

setup() {
  thaw
  AIRLOCK_DBT=$DIRECT
  export DIRECT_WITHOUT='model.shop.revenue_by_day model.shop.open_orders model.shop.calendar'
}

teardown_file() {
  end_file
}

are_there() { # are_there RELATION...
  local name
  for name; do
    relations | grep -qxF "$name" || fail "$name is not there" "$(relations)"
  done
}

are_gone() {
  local name
  for name; do
    ! relations | grep -qxF "$name" || fail "$name is there"
  done
}

# bats test_tags=default:duckdb
@test "they are named by plan and deployment, go with orphans: drop, and come back by a rollback" {
  run airlock plan wac --from staging --to prod --tags mart,utils
  assert_status 0
  assert_says 'mart.revenue_by_day' 'model.shop.revenue_by_day' 'mart.open_orders' 'utils.calendar' \
    'stays in production'
  deploy
  assert_status 0
  assert_says 'mart.open_orders' 'and no longer in the project'
  are_there mart.revenue_by_day mart.open_orders utils.calendar
  remember_production
  AIRLOCK_DBT=$REAL deploy --orphans drop
  assert_status 0
  are_gone mart.revenue_by_day mart.open_orders utils.calendar
  are_there mart.orders utils.currencies
  deploy --orphans drop
  assert_status 0
  refute_says 'no longer in the project'
  run airlock rollback --yes
  assert_status 0
  run airlock rollback --yes
  assert_status 0
  assert_production_unchanged
}

# bats test_tags=exhaustive
@test "a renamed model leaves its former table, and a rollback undoes both" {
  AIRLOCK_DBT=$REAL
  mv models/utils/currencies.sql models/utils/currency_list.sql
  sed -i 's/- name: currencies/- name: currency_list/' models/utils/_utils.yml
  remember_production
  deploy --orphans drop
  assert_status 0
  are_gone utils.currencies
  are_there utils.currency_list
  sed -i "1i {{ config(alias='list_of_currencies') }}" models/utils/currency_list.sql
  deploy --orphans drop
  assert_status 0
  are_gone utils.currency_list
  are_there utils.list_of_currencies
  run airlock rollback --yes
  assert_status 0
  run airlock rollback --yes
  assert_status 0
  assert_production_unchanged
}

# bats test_tags=exhaustive
@test "a deployment of a selection drops none, orphans: keep does not look for them" {
  deploy --orphans drop -s customers
  assert_status 0
  assert_says 'mart.revenue_by_day' 'it stays in production'
  deploy --orphans keep
  assert_status 0
  refute_says 'no longer in the project'
  are_there mart.revenue_by_day mart.open_orders utils.calendar
}

# bats test_tags=exhaustive
@test "what others made, or read, or what another project or target published, stays" {
  sql 'create schema reports'
  sql 'create view reports.sums as select sum(revenue_eur) as s from mart.revenue_by_day'
  sql 'drop view mart.open_orders'
  sql 'create view mart.open_orders as select 1 as by_others'
  deploy --orphans drop
  assert_status 0
  assert_says "no longer in the project, and stays in production: the view '" 'reports.sums'
  refute_says 'open_orders'
  are_there mart.revenue_by_day mart.open_orders reports.sums
  are_gone utils.calendar
  sql "update airlock.airlock_log set detail = replace(detail, '\"project\":\"shop\"', '\"project\":\"other\"')"
  sql 'drop view reports.sums'
  deploy --orphans drop
  assert_status 0
  refute_says 'revenue_by_day'
  are_there mart.revenue_by_day
}

# bats test_tags=exhaustive
@test "without restore points they are dropped" {
  deploy --orphans drop --no-restore-point
  assert_status 0
  are_gone mart.revenue_by_day mart.open_orders utils.calendar
  run ! sql 'select count(*) from airlock_restore.nothing'
}

# bats test_tags=exhaustive
@test "production-rollback and wap by copy take them too; wap by rebuild refuses to" {
  run airlock deploy production-rollback --from staging --to prod --tags mart,utils --yes --orphans drop \
    --build +tag:mart +tag:utils
  assert_status 0
  are_gone mart.revenue_by_day mart.open_orders utils.calendar
  run airlock rollback --yes
  assert_status 0
  are_there mart.revenue_by_day mart.open_orders utils.calendar
  run airlock plan wap --from prod_audit --to prod --tags mart --orphans drop
  assert_status 125
  assert_says "'orphans: drop' needs a publish of the tested tables" 'publish_by: copy'
  run airlock deploy wap --from prod_audit --to prod --tags mart --publish-by copy --yes --orphans drop
  assert_status 0
  are_gone mart.revenue_by_day mart.open_orders
}
