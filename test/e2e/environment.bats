#!/usr/bin/env bats
# Sides that are one target with two environments, in a project whose place comes from variables
# alone: DuckDB by file, PostgreSQL by schema. Nothing works where one of them does not arrive.

load ../support/common.bash

setup_file() {
  begin_file byenv
  if [ "$ENGINE" = postgres ]; then
    cat >>dbt_project.yml <<'YAML'

vars:
  airlock:
    from: {target: prod, env: {DBT_SCHEMA: staging}}
    deployments:
      hourly: {strategy: wac, to: {target: prod, env: {DBT_SCHEMA: production}}}
      nightly: {strategy: wac, to: {target: prod, env: {DBT_SCHEMA: production}}}
YAML
  else
    cat >>dbt_project.yml <<'YAML'

vars:
  airlock:
    from: {target: prod, env: {DBT_DB: staging.duckdb, DBT_OTHER_DB: production.duckdb}}
    deployments:
      hourly: {strategy: wac, to: &to {target: prod, env: {DBT_DB: production.duckdb, DBT_OTHER_DB: staging.duckdb}}}
      nightly: {strategy: wac, to: *to}
YAML
  fi
  run airlock deploy hourly --yes
  assert_status 0
  freeze
}

setup() {
  thaw
  if [ "$ENGINE" = postgres ]; then
    TO=(--to prod --to-env DBT_SCHEMA=production)
    NAME=DBT_SCHEMA OTHER=DBT_SCHEMA=elsewhere
  else
    TO=(--to prod --to-env DBT_DB=production.duckdb --to-env DBT_OTHER_DB=staging.duckdb)
    NAME=DBT_DB OTHER=DBT_DB=elsewhere.duckdb
  fi
}

teardown_file() {
  end_file
}

# Of production: sides differ by file or by schema.
pages() {
  if [ "$ENGINE" = postgres ]; then
    sql 'select page, visits from production.pages order by page'
  else
    SHOP_DUCKDB=production.duckdb sql 'select page, visits from main.pages order by page'
  fi
}

@test "each start of dbt sees its side: what was built on one is published on the other" {
  [[ $(pages) = *home?2*prices?1* ]]
  echo '4,prices,3' >>seeds/raw_visits.csv
  run airlock plan hourly
  assert_status 0
  assert_says "from 'prod' with $NAME" "to 'prod' with $NAME"
  AIRLOCK_FORK_SERVER=0 run airlock deploy hourly --yes
  assert_status 0
  [[ $(pages) = *prices?2* ]]
  # looking is not deploying: of two deployments that publish to one side neither is named
  run --separate-stderr airlock history --json
  assert_status 0
  assert_json 'len(d["deployments"])' 2
  run airlock rollback --yes
  assert_status 0
  [[ $(pages) = *prices?1* ]]
}

# bats test_tags=default:duckdb,exhaustive
@test "a side is parsed again when its environment changes, and the other is not" {
  run --separate-stderr airlock routes hourly --json
  [ "$(json 'd["routes"][0]["to"] != d["routes"][0]["from"]')" = true ]
  was=$(json 'd["routes"][0]["to"]["relation_name"]')
  run --separate-stderr airlock routes wac --to prod --to-env "$OTHER" \
    --to-env DBT_OTHER_DB=staging.duckdb --json
  assert_status 0
  [ "$(json 'd["routes"][0]["to"]["relation_name"]')" != "$was" ]
  [ "$(find target/airlock/parse -mindepth 1 -maxdepth 1 | wc -l)" = 3 ]
  run --separate-stderr airlock routes hourly --offline --json
  assert_status 0
  refute_says 'out of date'
  [ "$(json 'd["routes"][0]["to"]["relation_name"]')" = "$was" ]
}

# bats test_tags=default:duckdb,exhaustive
@test "what fails is offered again with the environment, and a secret is not told" {
  run airlock deploy hourly --yes --to prod "${TO[@]:2}" --to-env DBT_ENV_SECRET_X=hunter2 \
    -- --vars '{break_pages: true}'
  assert_status 1
  assert_says 'next: env DBT_' 'build --target prod --select' "--to-env 'DBT_ENV_SECRET_X=***'"
  refute_says hunter2
  run airlock config hourly --to prod --to-env DBT_ENV_SECRET_X=hunter2
  assert_says 'DBT_ENV_SECRET_X=***'
  refute_says hunter2
  run ! grep -rqa hunter2 .
}

# bats test_tags=default:duckdb,exhaustive
@test "a killed deployment is resumed with the same values only: they are not recorded" {
  echo '4,prices,3' >>seeds/raw_visits.csv
  AIRLOCK_FAULT=build:after:crash run airlock deploy wac --yes "${TO[@]}" --to-env EXTRA=one
  assert_status 137
  run airlock resume "${TO[@]}"
  assert_status 125
  assert_says "the variable 'EXTRA' on the side 'to'" 'not given here' '--to-env EXTRA=VALUE'
  run airlock resume "${TO[@]}" --to-env EXTRA=two
  assert_status 125
  assert_says 'another value'
  run airlock resume "${TO[@]}" --to-env EXTRA=one
  assert_status 0
  [[ $(pages) = *prices?2* ]]
}

# bats test_tags=default:duckdb
@test "what would not be heard on a side alone, and what is no pair, is refused" {
  run airlock config hourly --from-env DBT_TARGET=dev
  assert_status 125
  assert_says "'from_env' cannot set 'DBT_TARGET'"
  run airlock config hourly --to-env NOTHING
  assert_status 125
  assert_says "'to_env' takes NAME=VALUE"
  run airlock deploy hourly --yes --from-env DBT_EMPTY=true
  assert_status 125
  assert_says DBT_EMPTY
  sed -i "s/env: {DBT_/envs: {DBT_/" dbt_project.yml
  run airlock config hourly
  assert_status 125
  assert_says "a side has no key 'envs'"
}

# bats test_tags=exhaustive
@test "production-rollback: production's rows come to the other environment, and what is built there goes back" {
  echo '4,prices,3' >>seeds/raw_visits.csv
  run airlock deploy production-rollback --yes "${TO[@]}" --select pages --build raw_visits+
  assert_status 0
  [[ $(pages) = *prices?2* ]]
  run airlock deploy production-rollback --yes "${TO[@]}" --select pages -- --vars '{break_pages: true}'
  assert_status 1
  [[ $(pages) = *prices?2* ]]
  run airlock rollback --yes "${TO[@]}"
  assert_status 0
  [[ $(pages) = *prices?1* ]]
}

# bats test_tags=exhaustive
@test "wap by copy: audited in one environment, published in the other; a rebuild would read what was not audited" {
  before=$(pages)
  echo '4,prices,3' >>seeds/raw_visits.csv
  run airlock deploy wap --yes "${TO[@]}" --select pages
  assert_status 125
  assert_says "'model.byenv.pages' would be rebuilt from" 'which is not what was audited'
  run airlock deploy wap --yes "${TO[@]}" --publish-by copy --select pages -- --vars '{break_pages: true}'
  assert_status 1
  [ "$(pages)" = "$before" ]
  run airlock deploy wap --yes "${TO[@]}" --publish-by copy --select pages
  assert_status 0
  [[ $(pages) = *prices?2* ]]
  run airlock rollback --yes "${TO[@]}"
  assert_status 0
  [ "$(pages)" = "$before" ]
}

# bats test_tags=engine:postgres,exhaustive
@test "blue-green: the schema of one environment takes the place of the other's" {
  before=$(pages)
  echo '4,prices,3' >>seeds/raw_visits.csv
  run airlock deploy blue-green --yes "${TO[@]}" -- --full-refresh --vars '{break_pages: true}'
  assert_status 1
  [ "$(pages)" = "$before" ]
  run airlock deploy blue-green --yes "${TO[@]}" -- --full-refresh
  assert_status 0
  [[ $(pages) = *prices?2* ]]
  assert_sql "select count(*) from pg_namespace where nspname ~ '^production__airlock_'" 1
  run airlock rollback --yes "${TO[@]}"
  assert_status 0
  [ "$(pages)" = "$before" ]
}
