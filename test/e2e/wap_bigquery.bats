#!/usr/bin/env bats
# wap with real dbt-bigquery against the stand-in, in a project that has the recipe's
# generate_schema_name and nothing else. One warehouse for the whole file: each test begins with
# whatever the ones before it published.
# bats file_tags=exhaustive

load ../support/common.bash

setup_file() {
  begin_file classic
  dbt --quiet build --target prod
  sed -i 's/^5,prices,31/5,prices,41/' seeds/raw_visits.csv
}

setup() {
  cd "$WORK/project" || return
}

teardown_file() {
  end_file
}

wap() { # wap [OPTION...], into $status and $output
  run --separate-stderr airlock deploy wap --from prod_audit --to prod --tags mart --yes "$@"
}

mart() {
  sql "select page, visits, seconds from mart.pages order by page"
}

@test "copy: the project as it stands is built aside, tested, and published; rollback puts it back" {
  before=$(mart)
  wap --publish-by copy
  assert_status 0
  assert_says "staging.raw_visits' ('seed.classic.raw_visits') is shared by both sides"
  assert_sql "select seconds from mart.pages where page = 'prices'" 89
  [ "$(mart)" = "$(sql 'select page, visits, seconds from unaudited.pages order by page')" ]
  run airlock rollback --from prod_audit --to prod --yes
  assert_status 0
  [ "$(mart)" = "$before" ]
}

@test "copy: a failing test keeps the marts as they were" {
  before=$(mart)
  cp seeds/raw_visits.csv good.csv
  echo '5,prices,1' >>seeds/raw_visits.csv
  wap --publish-by copy
  assert_status 1
  assert_says unique_visits_visit_id 'production was not changed'
  [ "$(mart)" = "$before" ]
  mv good.csv seeds/raw_visits.csv
}

@test "refused: a shared view that reads what only the audit side has" {
  before=$(mart)
  sed -i '/^seeds:/,/^models:/s/+schema: .*/+schema: raw/' dbt_project.yml
  wap --publish-by copy
  sed -i '/^seeds:/,/^models:/s/+schema: .*/+schema: staging/' dbt_project.yml
  assert_status 125
  assert_says "staging.stg_visits' ('model.classic.stg_visits') is a view that both sides share" \
    'unaudited.raw_visits' generate_schema_name
  [ "$(mart)" = "$before" ]
}

@test "by rebuild it is refused, and what there is instead is named" {
  wap
  assert_status 125
  assert_says 'wap by rebuild on BigQuery is not in this version' 'publish_by: copy' 'production was not changed'
}
