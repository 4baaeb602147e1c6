#!/usr/bin/env bats
# airlock publish: nothing is built, what staging holds is tested and published.

load ../support/common.bash

setup_file() {
  begin_published
  sed -i 's/^4,Dario Rossi,IT/4,Dario Rossi,CH/' seeds/raw_customers.csv
  dbt --quiet build --target staging
  freeze
}

setup() {
  thaw
}

teardown_file() {
  end_file
}

publish() { # publish [OPTION...], into $status, $output and $stderr
  run --separate-stderr airlock publish wac --yes "$@"
}

country() {
  sql 'select country from mart.customers where customer_id = 4'
}

@test "what staging holds is tested and published; nothing is built" {
  sql "update stage.customers set country = 'LI' where customer_id = 4"
  publish --json
  assert_status 0
  assert_json 'd["outcome"]' published
  assert_json 'd["nodes"]["built"]' 0
  assert_json 'd["tests"]["passed"] > 10' true
  assert_json 'len(d["published"])' 6
  [ "$(country)" = LI ]
}

# bats test_tags=default:duckdb,exhaustive
@test "a selector of the project publishes its part" {
  printf 'selectors:\n  - name: people\n    definition: {method: fqn, value: customers}\n' >selectors.yml
  publish --selector people
  assert_status 0
  [ "$(country)" = CH ]
  assert_says 'published 1 relation'
  refute_says 'built '
}

@test "what fails its tests is not published, whatever an earlier run said" {
  AIRLOCK_DBT=$DIRECT
  remember_production
  sql 'insert into stage.orders select * from stage.orders where order_id = 101'
  publish
  assert_status 1
  assert_says unique_orders_order_id 'production was not changed'
  assert_production_unchanged
}

# bats test_tags=default:duckdb
@test "nothing to do is an error that says why" {
  AIRLOCK_DBT=$DIRECT
  remember_production
  publish -s stg_orders
  assert_status 125
  assert_says 'production was not changed'
  publish --exclude tag:mart tag:utils --json
  assert_status 125
  assert_json 'd["error"]["code"]' scope-empty
  publish --tags no_such_tag
  assert_status 125
  assert_says no_such_tag
  assert_production_unchanged
}

# bats test_tags=default:duckdb
@test "a relation that staging does not have" {
  AIRLOCK_DBT=$DIRECT
  remember_production
  sql 'drop table stage.calendar'
  publish
  assert_status 125
  assert_says stage.calendar "'publish' builds nothing"
  assert_production_unchanged
}

@test "staging that is changed while it is tested" {
  AIRLOCK_DBT=$DIRECT
  remember_production
  fake_dbt test "$PYTHON $ROOT/test/support/sql.py \"update stage.customers set country = 'XX'\""
  publish
  assert_status 73
  assert_says 'stage.customers' 'while it was tested'
  assert_production_unchanged
}

# bats test_tags=default:duckdb
@test "options of a build are refused" {
  AIRLOCK_DBT=$DIRECT
  publish -- --full-refresh
  assert_status 125
  assert_says full-refresh 'builds nothing'
}

# bats test_tags=default:duckdb
@test "skip_tests and block_on: what may fail, and what may not even warn" {
  sql "insert into stage.currencies select * from stage.currencies where currency = 'SEK'"
  directly publish -s currencies
  assert_status 1
  directly publish -s currencies --skip-tests unique_currencies_currency --json
  assert_status 0
  assert_json 'd["skip_tests"]' '["unique_currencies_currency"]'
  assert_says "the test 'unique_currencies_currency' is not run"
  assert_sql "select count(*) from utils.currencies where currency = 'SEK'" 2
  sed -i 's/- unique$/- unique: {config: {severity: warn}}/' models/utils/_utils.yml
  sed -i 's/\[unique, /[{unique: {config: {severity: warn}}}, /' models/utils/_utils.yml
  publish -s currencies --block-on warn
  assert_status 1
  publish -s currencies
  assert_status 0
}

# bats test_tags=default:duckdb,exhaustive
@test "what was published is kept for the --state of slim CI" {
  publish
  assert_status 0
  echo '-- changed' >>models/utils/currencies.sql
  run dbt --quiet ls --target prod --select state:modified --state target/airlock/published \
    --resource-type model --output name
  [ "$output" = currencies ]
}
