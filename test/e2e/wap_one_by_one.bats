#!/usr/bin/env bats
# wap where tables change one at a time, with the real adapters against the stand-ins, in a project that
# has the recipe's generate_schema_name and nothing else. One warehouse for the whole file: each test
# begins with whatever the ones before it published.
# bats file_tags=exhaustive

load ../support/common.bash
load ../support/one_by_one.bash

standin_address() {
  echo "$SHOP_BQ_ENDPOINT"
}

setup_file() {
  begin_file classic
  dbt --quiet build --target prod
  sed -i 's/^5,prices,31/5,prices,41/' seeds/raw_visits.csv
}

wap() { # wap [OPTION...], into $status and $output
  run --separate-stderr airlock deploy wap --from prod_audit --to prod --tags mart --yes "$@"
}

mart() {
  sql "select page, visits, seconds from mart.pages order by page"
}

prices_take() { # prices_take SECONDS
  assert_sql "select count(*) from mart.pages where page = 'prices' and seconds = $1" 1
}

@test "copy: the project as it stands is built aside, tested, and published; rollback puts it back" {
  before=$(mart)
  wap --publish-by copy
  assert_status 0
  assert_says "('seed.classic.raw_visits') is shared by both sides"
  prices_take 89
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
  assert_says "('model.classic.stg_visits') is a view that both sides share" generate_schema_name
  [ "$(mart)" = "$before" ]
}

# bats test_tags=engine:snowflake
@test "by rebuild it is refused where privileges would be lost, and what there is instead is named" {
  wap
  assert_status 125
  assert_says 'wap by rebuild on Snowflake' 'publish_by: copy' 'production was not changed'
}

# bats test_tags=engine:bigquery
@test "rebuild: dbt makes the marts again in production, and rollback puts the rows back" {
  before=$(mart)
  sed -i 's/^5,prices,.*/5,prices,51/' seeds/raw_visits.csv
  wap
  assert_status 0
  prices_take 99
  run airlock rollback --from prod_audit --to prod --yes
  assert_status 0
  [ "$(mart)" = "$before" ]
}

# bats test_tags=engine:bigquery
@test "rebuild: a model that fails in production is 70, and abort puts back what was there" {
  before=$(mart)
  cp models/mart/pages.sql pages.sql
  sed -i 's/^5,prices,.*/5,prices,61/' seeds/raw_visits.csv
  echo "union all select {% if target.name == 'prod' %}'x', cast('x' as numeric), 1{% else %}'x', 1, 1{% endif %}" \
    >>models/mart/pages.sql
  wap
  mv pages.sql models/mart/
  assert_status 70
  assert_says model.classic.pages 'while production was rebuilt' 'airlock abort'
  assert_sql 'select seconds from mart.visits where visit_id = 5' 61
  AIRLOCK_FAULT=publish:before:crash run airlock abort --from prod_audit --to prod
  assert_status 137
  run airlock abort --from prod_audit --to prod
  assert_status 0
  [ "$(mart)" = "$before" ]
}

# bats test_tags=engine:bigquery
@test "rebuild: a test that fails in production only puts production back, 74" {
  before=$(mart)
  mkdir -p tests
  echo "select 1 as one from {{ ref('pages') }} where '{{ target.name }}' = 'prod'" >tests/only_in_prod.sql
  sed -i 's/^5,prices,.*/5,prices,71/' seeds/raw_visits.csv
  wap
  rm tests/only_in_prod.sql
  assert_status 74
  assert_says only_in_prod 'fails there' 'production is as it was before'
  [ "$(mart)" = "$before" ]
}

# bats test_tags=engine:bigquery
@test "rebuild: killed behind dbt, it is resumed to its end in another directory" {
  sed -i 's/^5,prices,.*/5,prices,81/' seeds/raw_visits.csv
  AIRLOCK_FAULT=rebuild:after:crash wap
  assert_status 137
  cp -R "$WORK/project" "$BATS_TEST_TMPDIR/elsewhere"
  cd "$BATS_TEST_TMPDIR/elsewhere" || return
  rm -rf target
  run airlock resume --from prod_audit --to prod
  assert_status 0
  prices_take 129
}

# What it rebuilds was recorded before: it is no publish that stopped between two tables.
# bats test_tags=engine:bigquery
@test "rebuild: killed behind dbt, it is aborted by what was recorded" {
  before=$(mart)
  sed -i 's/^5,prices,.*/5,prices,86/' seeds/raw_visits.csv
  AIRLOCK_FAULT=rebuild:after:crash wap
  assert_status 137
  [ "$(mart)" != "$before" ]
  run airlock abort --from prod_audit --to prod
  assert_status 0
  [ "$(mart)" = "$before" ]
  run --separate-stderr airlock history --json --from prod_audit --to prod
  run --separate-stderr airlock inspect "$(json 'd["deployments"][1]["id"]')" --json --from prod_audit --to prod
  assert_json 'd["outcome"]' aborted
  assert_json 'sum(e["event"] in ("published", "restores") for e in d["events"])' 2
}

pages_have() { # pages_have OPTION: its value
  sql "select option_value from mart.INFORMATION_SCHEMA.TABLE_OPTIONS where table_name = 'pages' and option_name = '$1'"
}

who_reads_pages() {
  sql "select grantee from \`region-eu\`.INFORMATION_SCHEMA.OBJECT_PRIVILEGES
        where object_schema = 'mart' and object_name = 'pages' order by 1"
}

# bats test_tags=engine:bigquery
@test "rebuild: what the project does not say stays, permissions are given again and compared" {
  sql "alter table mart.pages set options (labels = [('team', 'web')], description = 'it\\'s by hand')"
  sql "grant \`roles/bigquery.dataViewer\` on table mart.pages to 'group:analysts@example.org'"
  sed -i 's/^5,prices,.*/5,prices,85/' seeds/raw_visits.csv
  fault 'create or replace table `shop-eu`.`mart`.`pages`' forget
  wap
  assert_status 0
  prices_take 133
  [ "$(pages_have labels)" = '[STRUCT("team", "web")]' ]
  [ "$(pages_have description)" = "\"it's by hand\"" ]
  [ "$(who_reads_pages)" = group:analysts@example.org ]
  sed -i 's/^5,prices,.*/5,prices,86/' seeds/raw_visits.csv
  fault 'declare located .*pages.*select if' more
  wap
  assert_status 70
  assert_says 'the permissions of "shop-eu".mart.pages are not those that it had' user:eve@example.org \
    'airlock abort'
  prices_take 134
  sql "revoke \`roles/bigquery.dataEditor\` on table mart.pages from 'user:eve@example.org'"
  run airlock rollback --from prod_audit --to prod --yes
  assert_status 0
  prices_take 133
  sql "revoke \`roles/bigquery.dataViewer\` on table mart.pages from 'group:analysts@example.org'"
  sql "alter table mart.pages set options (labels = null, description = null)"
}

layout_of_pages() {
  sql "select regexp_replace(ddl, '(?s)^.*[)]|;|\n', '') from mart.INFORMATION_SCHEMA.TABLES
        where table_name = 'pages'"
}

# bats test_tags=engine:bigquery
@test "rebuild: another clustering follows on_spec_change, unless permissions would go with the table" {
  before=$(mart)
  sed -i "1i {{ config(cluster_by='page') }}" models/mart/pages.sql
  sed -i 's/^5,prices,.*/5,prices,91/' seeds/raw_visits.csv
  wap
  assert_status 125
  assert_says mart.pages 'CLUSTER BY page' 'on_spec_change: replace' 'production was not changed'
  sql "grant \`roles/bigquery.dataViewer\` on table mart.pages to 'group:analysts@example.org'"
  wap --on-spec-change replace
  assert_status 125
  assert_says "would drop '\"shop-eu\".mart.pages'" 'roles/bigquery.dataViewer group:analysts@example.org' \
    'publish_by: copy' 'production was not changed'
  [ "$(mart)" = "$before" ]
  [ -z "$(layout_of_pages)" ]
  sql "revoke \`roles/bigquery.dataViewer\` on table mart.pages from 'group:analysts@example.org'"
  wap --on-spec-change replace
  assert_status 0
  assert_says "readers find no table '\"shop-eu\".mart.pages' for a moment"
  [ "$(layout_of_pages)" = 'CLUSTER BY page' ]
  prices_take 139
  run airlock rollback --from prod_audit --to prod --yes
  sed -i 1d models/mart/pages.sql
  assert_status 0
  [ "$(mart)" = "$before" ]
  [ -z "$(layout_of_pages)" ]
}
