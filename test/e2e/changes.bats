#!/usr/bin/env bats
# Columns, kinds and names of models change between two deployments, and people give things to
# production: every strategy that publishes table by table. On the direct runner.

load ../support/common.bash
load ../support/changes.bash

FROM=staging
OWN_SCHEMAS=$OWN_SCHEMAS,unaudited

setup_file() {
  begin_file shop
  AIRLOCK_DBT=$DIRECT
  wac
  publish
  assert_status 0
  wap_by_copy # the layers that both of its sides share
  publish
  assert_status 0
  freeze
}

setup() {
  thaw
  AIRLOCK_DBT=$DIRECT
}

teardown_file() {
  end_file
}

wac() {
  STRATEGY=(wac --from staging --to prod --tags 'mart,utils')
}

publish_wac() {
  wac
  VERB=publish
}

production_rollback() {
  STRATEGY=(production-rollback --from staging --to prod --tags 'mart,utils' --build +tag:mart +tag:utils)
  OF_DBT=(-- --full-refresh) KINDS=1
}

wap_by_copy() {
  STRATEGY=(wap --from prod_audit --to prod --tags mart --publish-by copy)
}

wap_by_rebuild() {
  STRATEGY=(wap --from prod_audit --to prod --tags mart --stale-ok '*')
  OF_DBT=(-- --full-refresh)
}

stayed() { # what models_go left, named
  assert_says 'mart.open_orders' 'mart.revenue_by_day' 'and no longer in the project: it stays in production'
  assert_sql 'select count(*) from mart.revenue_by_day' 8
  assert_sql 'select count(*) from mart.open_orders' 5
  assert_taken_back
}

@test "wac: columns are added, removed and retyped" {
  wac && columns_change
}

# bats test_tags=exhaustive
@test "wac: a view becomes a table, and a table a view" {
  wac && kinds_change
}

# bats test_tags=exhaustive
@test "wac: a model is deleted, and one renamed" {
  wac && models_go && stayed
}

# bats test_tags=exhaustive
@test "wac: grants, comments, indexes, constraints and a view of others stay" {
  wac && what_people_gave_stays
}

# bats test_tags=exhaustive
@test "publish: columns are added, removed and retyped" {
  publish_wac && columns_change
}

# bats test_tags=exhaustive
@test "publish: a view becomes a table, and a table a view" {
  publish_wac && kinds_change
}

# bats test_tags=exhaustive
@test "publish: a model is deleted, and one renamed" {
  publish_wac && models_go && stayed
}

# bats test_tags=exhaustive
@test "publish: grants, comments, indexes, constraints and a view of others stay" {
  publish_wac && what_people_gave_stays
}

# bats test_tags=exhaustive
@test "production-rollback: columns are added, removed and retyped" {
  production_rollback && columns_change
}

# bats test_tags=exhaustive
@test "production-rollback: a view becomes a table, and views are left out" {
  production_rollback
  publish --views rebuild
  assert_status 125
  assert_says "'production-rollback' publishes no views" 'views: skip'
  kinds_change
}

# bats test_tags=exhaustive
@test "production-rollback: a model is deleted, and one renamed" {
  production_rollback && models_go && stayed
}

# bats test_tags=exhaustive
@test "production-rollback: grants, comments, indexes, constraints and a view of others stay" {
  production_rollback && what_people_gave_stays
}

# bats test_tags=exhaustive
@test "wap by copy: columns are added, removed and retyped" {
  wap_by_copy && columns_change
}

# bats test_tags=exhaustive
@test "wap by copy: a view becomes a table, and a table a view" {
  wap_by_copy && kinds_change
}

# bats test_tags=exhaustive
@test "wap by copy: a model is deleted, and one renamed" {
  wap_by_copy && models_go && stayed
}

# bats test_tags=exhaustive
@test "wap by copy: grants, comments, indexes, constraints and a view of others stay" {
  OWN_SCHEMAS+=,staging,intermediate # one relation on both sides
  wap_by_copy && what_people_gave_stays
}

# bats test_tags=default:duckdb
@test "wap by copy: what somebody changes between the tests and the publish, on either side: 73" {
  wap_by_copy
  sed -i 's/^4,Dario Rossi,IT/4,Dario Rossi,CH/' seeds/raw_customers.csv
  for changed in unaudited.customers mart.customers; do
    publish --before-publish "$(by_hand "insert into $changed select * from $changed where customer_id = 1")"
    assert_status 73
    assert_says "$changed" 'production was not changed'
    assert_sql 'select country from mart.customers where customer_id = 4' IT
  done
  assert_sql 'select count(*) from mart.customers' 9
  assert_published
  assert_sql 'select country from mart.customers where customer_id = 4' CH
  assert_sql 'select count(*) from mart.customers' 8
}

# bats test_tags=exhaustive
@test "wap by rebuild: columns are added, removed and retyped" {
  wap_by_rebuild && columns_change
}

# bats test_tags=exhaustive
@test "wap by rebuild: a view becomes a table, and a table a view" {
  wap_by_rebuild && kinds_change
}

# bats test_tags=exhaustive
@test "wap by rebuild: a model is deleted, and one renamed" {
  wap_by_rebuild
  # A view that nobody makes any more would go with what it reads, and stops it.
  [ "$ENGINE" = duckdb ] || sql 'drop view mart.open_orders'
  models_go
  assert_says 'mart.revenue_by_day' 'and no longer in the project: it stays in production'
  assert_sql 'select count(*) from mart.revenue_by_day' 8
  assert_taken_back
}

# What dbt makes anew has what the project says, and on PostgreSQL its owner and its privileges.
# bats test_tags=exhaustive
@test "wap by rebuild: what would be lost is named, grants stay, and so does a view that follows names" {
  wap_by_rebuild
  give_by_hand
  if [ "$ENGINE" = postgres ]; then
    publish
    assert_status 125
    assert_says "dbt would drop the view 'shop.reports.countries'"
    sql 'drop view reports.countries'
    granted=$(sql "select grantee, privilege_type, is_grantable from information_schema.role_table_grants
      where table_schema = 'mart' order by 1, 2, 3")
  fi
  assert_published
  assert_says "index 'customers_by_country'" 'stays only if the project configures it'
  if [ "$ENGINE" = postgres ]; then
    assert_sql "select grantee, privilege_type, is_grantable from information_schema.role_table_grants
      where table_schema = 'mart' order by 1, 2, 3" "$granted"
  else
    assert_sql 'select sum(n) from reports.countries' 8
  fi
}

# wac's is in keeps_postgres.bats, blue-green's in blue_green.bats.
# bats test_tags=engine:postgres,exhaustive
@test "grants of a node: those and no others, whatever the strategy" {
  for strategy in production_rollback wap_by_copy wap_by_rebuild; do
    OF_DBT=()
    $strategy
    grants_are_the_nodes
    thaw
  done
}
