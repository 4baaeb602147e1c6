#!/usr/bin/env bats
# Names that have to be quoted, in two databases, with real dbt-snowflake against the stand-in. One
# warehouse for the whole file: each test begins with whatever the ones before it published.
# bats file_tags=exhaustive

load ../support/common.bash

model() { # model NAME CONFIG SELECT
  echo "{{ config($2) }} $3" >"models/$1.sql"
}

setup_file() {
  begin_file shop
  rm -r models seeds snapshots tests
  sed -i 's/database: shop$/database: SHOP/; s/schema: stage$/schema: Stage/' profiles.yml
  cat >dbt_project.yml <<'END_OF_PROJECT'
name: shop
version: '1.0'
profile: shop_snowflake
flags: {send_anonymous_usage_stats: false}
quoting: {database: true, schema: true, identifier: true}
models: {shop: {+materialized: table, +schema: Mart, +tags: [mart]}}
END_OF_PROJECT
  mkdir models
  model orders "alias='Orders by day'" 'select 1 as id'
  model dotted "alias='v1.orders'" "select id from {{ ref('orders') }}"
  model said "alias='say \"\"hi\"\"'" "select id from {{ ref('orders') }}"
  model stock "database='Lager', alias='Stock level'" "select id from {{ ref('orders') }}"
  model overview "materialized='view', alias='Overview'" \
    "select d.id from {{ ref('dotted') }} d join {{ ref('said') }} s on s.id = d.id join {{ ref('stock') }} t on t.id = d.id"
  model levels "materialized='view', database='Lager', alias='All levels'" "select id from {{ ref('overview') }}"
  echo 'models: [{name: orders, columns: [{name: id, data_tests: [not_null]}]}]' >models/_models.yml
  sql 'create database "Lager"'
}

setup() {
  cd "$WORK/project" || return
}

teardown_file() {
  end_file
}

number() { # number N: what all models have from the next build on
  sed -i "s/select [0-9]* as id/select $1 as id/" models/orders.sql
}

PRODUCTION=('"Mart"."Orders by day"' '"Mart"."v1.orders"' '"Mart"."say ""hi"""' '"Mart"."Overview"'
  '"Lager"."Mart"."Stock level"' '"Lager"."Mart"."All levels"')

assert_production_is() { # assert_production_is NUMBER
  local each
  for each in "${PRODUCTION[@]}"; do
    assert_sql "select id from $each" "$1" || return
  done
}

readers() { # of production; what was put aside keeps its own
  local database
  for database in SHOP '"Lager"'; do
    sql "select object_name from $database.information_schema.object_privileges
      where object_schema = 'Mart' and grantee = 'ANALYST' order by 1"
  done
}

assert_no_view_names() { # assert_no_view_names SCHEMA
  local database
  for database in SHOP '"Lager"'; do
    assert_sql "select count(*) from $database.information_schema.views
      where table_schema = 'Mart' and contains(view_definition, '$1')" 0 || return
  done
}

@test "wac publishes names that are quoted, and puts them back" {
  run airlock deploy wac --from staging --to prod --tags mart --yes
  assert_status 0
  assert_says 'published 6 relations'
  assert_production_is 1
  assert_no_view_names Stage
  sql 'grant select on table "Mart"."say ""hi""" to role analyst'
  sql 'grant select on table "Lager"."Mart"."Stock level" to role analyst'
  sql 'grant select on view "Lager"."Mart"."All levels" to role analyst'
  readers >"$BATS_TEST_TMPDIR/readers"
  number 2
  run airlock deploy wac --from staging --to prod --tags mart --yes
  assert_status 0
  assert_production_is 2
  readers | diff "$BATS_TEST_TMPDIR/readers" -
  run airlock rollback --from staging --to prod --yes
  assert_status 0
  assert_production_is 1
  readers | diff "$BATS_TEST_TMPDIR/readers" -
}

@test "blue-green exchanges schemas of quoted names in one database, and of two says what does it" {
  run airlock plan blue-green --from staging --to prod
  assert_status 125
  assert_says "in the databases 'Lager' and 'SHOP'" 'use wac or production-rollback'
  sed -i "s/database='Lager', //" models/stock.sql models/levels.sql
  PRODUCTION=("${PRODUCTION[@]/'"Lager".'/}")
  number 3
  run airlock deploy blue-green --from staging --to prod --yes
  assert_status 0
  assert_says 'published 6 relations'
  assert_production_is 3
  assert_no_view_names Stage
  sql 'grant select on table "Mart"."Stock level" to role analyst'
  readers >"$BATS_TEST_TMPDIR/readers"
  number 4
  run airlock deploy blue-green --from staging --to prod --yes
  assert_status 0
  assert_production_is 4
  readers | diff "$BATS_TEST_TMPDIR/readers" -
  run airlock rollback --from staging --to prod --yes
  assert_status 0
  assert_production_is 3
  readers | diff "$BATS_TEST_TMPDIR/readers" -
}
