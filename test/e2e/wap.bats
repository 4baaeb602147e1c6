#!/usr/bin/env bats
# airlock deploy wap, with real dbt: an audit target beside production, in a project that has the
# recipe's generate_schema_name and nothing else.

load ../support/common.bash

OWN_SCHEMAS+=,unaudited,staging,intermediate # what a build may change at any time

setup_file() {
  begin_file classic
  dbt --quiet build --target prod
  sed -i 's/^5,prices,31/5,prices,41/' seeds/raw_visits.csv
  freeze
}

setup() {
  thaw
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

@test "copy: the project as it stands is built aside, tested, and published" {
  wap --publish-by copy --json
  assert_status 0
  assert_json 'd["strategy"]' wap
  assert_json 'sorted(p["unique_id"] for p in d["published"])' \
    '["model.classic.pages", "model.classic.visits"]'
  [ "$(mart)" = "$(sql 'select page, visits, seconds from unaudited.pages order by page')" ]
  assert_sql "select seconds from mart.pages where page = 'prices'" 89
}

# bats test_tags=exhaustive
@test "publish: what the audit side holds is tested there, and then copied or made anew" {
  for way in copy rebuild; do
    thaw
    dbt --quiet build --target prod_audit
    run --separate-stderr airlock publish wap --from prod_audit --to prod --tags mart --publish-by $way --yes --json
    assert_status 0
    refute_says 'build: build and test'
    assert_json '(d["tests"]["passed"], len(d["published"]))' '[4, 2]'
    [ "$(mart)" = "$(sql 'select page, visits, seconds from unaudited.pages order by page')" ]
    assert_sql "select seconds from mart.pages where page = 'prices'" 89
  done
}

# bats test_tags=default:duckdb
@test "the plan lists the shared layer" {
  run airlock plan wap --from prod_audit --to prod --tags mart --publish-by copy
  assert_status 0
  assert_says "staging.raw_visits' ('seed.classic.raw_visits') is shared by both sides" \
    "staging.stg_visits' ('model.classic.stg_visits') is shared by both sides" \
    "intermediate.int_visits' ('model.classic.int_visits') is shared by both sides"
}

# bats test_tags=exhaustive
@test "copy: a failing test keeps the marts as they were, and the next run gets through" {
  remember_production
  cp seeds/raw_visits.csv good.csv
  echo '5,prices,1' >>seeds/raw_visits.csv
  wap --publish-by copy
  assert_status 1
  assert_says unique_visits_visit_id 'production was not changed'
  assert_production_unchanged
  mv good.csv seeds/raw_visits.csv
  wap --publish-by copy
  assert_status 0
  assert_sql "select seconds from mart.pages where page = 'prices'" 89
  run airlock rollback --from prod_audit --to prod --yes
  assert_status 0
  assert_production_unchanged
}

# bats test_tags=default:duckdb
@test "refused: a shared view that reads what only the audit side has" {
  remember_production
  sed -i '/^seeds:/,/^models:/s/+schema: .*/+schema: raw/' dbt_project.yml
  wap --publish-by copy
  assert_status 125
  assert_says "staging.stg_visits' ('model.classic.stg_visits') is a view that both sides share" \
    'unaudited.raw_visits' generate_schema_name
  assert_production_unchanged
}

# bats test_tags=default:duckdb
@test "refused: a model without a schema of its own that the audit would overwrite" {
  remember_production
  sed -i 's/schema: unaudited/schema: analytics/' profiles.yml
  echo 'select 1 as day' >models/calendar.sql
  wap --publish-by copy
  assert_status 125
  assert_says "'model.classic.calendar' has no schema of its own" analytics.calendar allow_shared
  assert_production_unchanged
  run airlock plan wap --from prod_audit --to prod --tags mart --publish-by copy --allow-shared path:models/calendar.sql
  assert_status 0
  assert_says "analytics.calendar' ('model.classic.calendar') is shared by both sides"
}

# bats test_tags=default:duckdb,exhaustive
@test "refused: a test that only production has, unless allow_untested names it" {
  remember_production
  mkdir -p tests
  echo "{{ config(enabled=(target.name == 'prod')) }} select 1 as n from {{ ref('pages') }} where 1 = 0" >tests/only_in_prod.sql
  wap --publish-by copy
  assert_status 125
  assert_says "the test 'only_in_prod' of 'model.classic.pages' exists for 'prod' only" allow_untested
  assert_production_unchanged
  run airlock plan wap --from prod_audit --to prod --tags mart --publish-by copy --allow-untested only_in_prod
  assert_status 0
}

# bats test_tags=default:duckdb
@test "refused: wap without a production side" {
  run airlock deploy wap --from prod_audit --tags mart --yes
  assert_status 125
  assert_says "wap needs 'to'" --to
}

# bats test_tags=default:duckdb
@test "rebuild: built and tested aside, then once more in production, and tested there" {
  wap --json
  assert_status 0
  assert_json 'd["outcome"]' published
  assert_json 'sorted(p["way"] for p in d["published"])' '["rebuild", "rebuild"]'
  assert_sql "select seconds from mart.pages where page = 'prices'" 89
  assert_says 'rebuild: production changes here' 'verify: the tests of the scope run once more'
  run airlock history --from prod_audit --to prod
  assert_says published
}

# bats test_tags=default:duckdb,exhaustive
@test "rebuild: a model that fails in production is 70, and rollback puts back what was there" {
  remember_production
  echo "union all select {% if target.name == 'prod' %}'x', cast('x' as integer), 1{% else %}'x', 1, 1{% endif %}" \
    >>models/mart/pages.sql
  wap
  assert_status 70
  assert_says model.classic.pages 'while production was rebuilt' 'airlock abort'
  assert_sql 'select seconds from mart.visits where visit_id = 5' 41
  run airlock rollback --from prod_audit --to prod --yes
  assert_status 0
  assert_production_unchanged
}

# bats test_tags=exhaustive
@test "rebuild: a rollback brings back what was made by hand, and dbt made anew without" {
  sql "create index by_hand on mart.visits (page);
    comment on table mart.visits is 'by hand';
    comment on column mart.visits.page is 'as the web server has it';
    alter table mart.pages alter column page set not null;
    alter table mart.pages alter column visits set default 0"
  remember_production
  wap
  assert_status 0
  assert_says "index 'by_hand'" 'stays only if the project configures it'
  assert_sql 'select seconds from mart.visits where visit_id = 5' 41
  run airlock rollback --from prod_audit --to prod --yes
  assert_status 0
  assert_production_unchanged
}

# bats test_tags=default:duckdb
@test "rebuild: a test that fails in production only puts production back, 74" {
  echo "select {% if target.name == 'prod' %}1{% else %}2{% endif %} as n, page from {{ ref('int_visits') }}" \
    >models/mart/sides.sql
  echo "select 1 from {{ ref('sides') }} where n = 1" >tests_of_sides.sql
  mkdir -p tests && mv tests_of_sides.sql tests/
  before=$(mart)
  wap
  assert_status 74
  assert_says tests_of_sides 'fails there' 'production is as it was before'
  [ "$(mart)" = "$before" ]
  wap --verify none
  assert_status 0
}

# bats test_tags=default:duckdb
@test "rebuild: refused where production would be made of what was not audited" {
  remember_production
  cat >models/intermediate/top.sql <<<"{{ config(schema='other', materialized='table') }} select 1 as n"
  echo "select n from {{ ref('top') }}" >models/mart/reads_top.sql
  echo "{{ config(materialized='view', tags=[], schema='other') }} select page from {{ ref('pages') }}" \
    >models/intermediate/over.sql
  wap
  assert_status 125
  assert_says "'model.classic.reads_top' would be rebuilt from" other.top \
    "'model.classic.over' is a view of 'model.classic.pages' that stays on" unaudited.over stale_ok
  wap --publish-by copy
  assert_status 0
}

# bats test_tags=default:duckdb
@test "rebuild: a seed of the scope is refused" {
  sed -i '/^seeds:/,/^models:/s/+schema: .*/+schema: mart\n    +tags: [mart]/' dbt_project.yml
  wap
  assert_status 125
  assert_says "'seed.classic.raw_visits' is a seed, and only models can be rebuilt"
}

# bats test_tags=default:duckdb,exhaustive
@test "rebuild: what stops it before its first model leaves production as it is, and says so" {
  before=$(mart)
  AIRLOCK_FAULT=publish:after:error wap --json
  assert_status 125
  assert_json 'd["production_changed"], d["published"], d["outcome"]' '[false, [], "failed"]'
  assert_says 'production was not changed'
  [ "$(mart)" = "$before" ]
  run airlock abort "$(json 'd["id"]')" --from prod_audit --to prod
  assert_status 0
  assert_says 'had ended already; production was not changed by it'
  run airlock rollback --from prod_audit --to prod --yes
  assert_says 'there is no deployment to roll back'
}

# bats test_tags=default:duckdb,exhaustive
@test "rebuild: killed on the way, it is resumed to its end, or aborted" {
  before=$(mart)
  AIRLOCK_FAULT=rebuild:after:crash wap
  assert_status 137
  assert_sql "select seconds from mart.pages where page = 'prices'" 89
  run airlock abort --from prod_audit --to prod
  assert_status 0
  assert_says 'is aborted; production is what it was before it'
  [ "$(mart)" = "$before" ]
  AIRLOCK_FAULT=rebuild:before:crash wap
  assert_status 137
  [ "$(mart)" = "$before" ]
  run airlock resume --from prod_audit --to prod
  assert_status 0
  assert_sql "select seconds from mart.pages where page = 'prices'" 89
  run airlock rollback --from prod_audit --to prod --yes
  assert_status 0
  [ "$(mart)" = "$before" ]
}
