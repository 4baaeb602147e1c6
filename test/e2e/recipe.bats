#!/usr/bin/env bats
# The write-audit-clone recipe's own project on BigQuery: its generate_schema_name, tags and
# `tags_to_clone`, and nothing of ours. With the real adapter against the stand-in; each test begins with
# whatever the ones before it published.
# bats file_tags=exhaustive

load ../support/common.bash

setup_file() {
  begin_file classic
  mkdir -p models/utils
  echo "{{ config(materialized='table', tags=['utils']) }} select 31 as days, 'january' as month" \
    >models/utils/months.sql
  cat >models/utils/_utils.yml <<'YML'
version: 2

models:
  - name: months
    columns:
      - name: month
        data_tests: [unique]
YML
  printf "vars:\n  tags_to_clone: ['mart', 'utils']\n" >>dbt_project.yml
}

setup() {
  cd "$WORK/project" || return
}

teardown_file() {
  end_file
}

wac() { # into $status and $output
  run --separate-stderr airlock deploy wac --from prod_audit --yes
}

tables_of() { # tables_of DATASET
  sql "select string_agg(table_name, ' ' order by table_name) from $1.INFORMATION_SCHEMA.TABLES"
}

@test "the tables of each tag are published into the dataset that is named like it" {
  wac
  assert_status 0
  [ "$(tables_of mart)" = 'pages visits' ]
  [ "$(tables_of utils)" = months ]
  assert_sql 'select (select count(*) from mart.visits) = (select count(*) from unaudited.visits)' t
  assert_sql 'select days from utils.months' 31
}

@test "a failing test keeps both datasets as they were" {
  cp seeds/raw_visits.csv good.csv
  echo '5,prices,1' >>seeds/raw_visits.csv
  before=$(sql 'select count(*) from mart.visits')
  wac
  mv good.csv seeds/raw_visits.csv
  assert_status 1
  assert_says unique_visits_visit_id 'production was not changed'
  assert_sql 'select count(*) from mart.visits' "$before"
}

@test "the next one replaces what is there, and a rollback puts both datasets back" {
  sed -i 's/^5,prices,.*/5,prices,41/' seeds/raw_visits.csv
  sed -i 's/31 as days/30 as days/' models/utils/months.sql
  before=$(sql 'select sum(seconds) from mart.visits')
  wac
  assert_status 0
  assert_sql 'select days from utils.months' 30
  [ "$(sql 'select sum(seconds) from mart.visits')" != "$before" ]
  run airlock rollback --from prod_audit --yes
  assert_status 0
  assert_sql 'select days from utils.months' 31
  [ "$(sql 'select sum(seconds) from mart.visits')" = "$before" ]
}
