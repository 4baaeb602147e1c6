#!/usr/bin/env bats
# airlock deploy wac with each version of dbt that setup installs: VERSION is the environment's name.
# What a version says differently is tried here; the rest is tested with the one that all other files use.

load ../support/common.bash

AIRLOCK_DBT=$ROOT/.cache/${VERSION:=dbt}/bin/dbt
# dbt 2.x would download it.
export LD_LIBRARY_PATH=$ROOT/.cache/$VERSION/node_modules/@duckdb/node-bindings-linux-x64

setup_file() {
  begin_file shop
  # Before dbt 1.10 the arguments of a test stand directly under its name.
  [ "$VERSION" != dbt-1.8 ] || find models -name '*.yml' -exec sed -i '/^ *arguments:$/d' {} +
}

setup() {
  cd "$WORK/project"
}

teardown_file() {
  end_file
}

# Each goes on where the one before it ended.

@test "versions: a deployment publishes what was tested" {
  deploy --json
  assert_status 0
  output=$(sed -n '/^{/,$p' <<<"$output")
  assert_json 'd["outcome"]' published
  assert_json 'len(d["published"])' 6
  assert_json 'd["tests"]["passed"] > 20' true
  assert_sql 'select count(*) from mart.orders' 12
  assert_sql 'select count(*) from utils.calendar' 31
}

@test "versions: a failing test leaves production as it is, and names the test" {
  remember_production
  sed -i 's/^4,Dario Rossi,IT/4,Dario Rossi,CH/' seeds/raw_customers.csv
  deploy -- --vars '{break_orders: true}'
  assert_status 1
  assert_says 'fail test.shop.unique_orders_order_id.fed79b3a6e' 'production was not changed'
  assert_production_unchanged
}

@test "versions: the next deployment publishes, and rollback takes it back" {
  remember_production
  deploy
  assert_status 0
  assert_production_changed
  assert_sql "select country from mart.customers where customer_name = 'Dario Rossi'" CH
  run airlock rollback --yes
  assert_status 0
  assert_production_unchanged
  run airlock history
  assert_status 0
  assert_says rollback blocked published
}
