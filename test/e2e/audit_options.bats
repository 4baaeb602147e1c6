#!/usr/bin/env bats
# What must have been tested, and what is checked in production afterwards, as options say it; with
# test/support/direct in dbt's place.

load ../support/common.bash

OWN_SCHEMAS+=,unaudited,staging,intermediate

setup_file() {
  begin_file shop
  export AIRLOCK_DBT=$ROOT/test/support/direct/dbt
  wap --tags mart --publish-by copy
  assert_status 0
  freeze
}

setup() {
  thaw
  export AIRLOCK_DBT=$ROOT/test/support/direct/dbt
  sed -i 's/^4,Dario Rossi,IT/4,Dario Rossi,CH/' seeds/raw_customers.csv
  remember_production
}

teardown_file() {
  end_file
}

wap() { # wap OPTION..., into $status and $output
  run --separate-stderr airlock deploy wap --from prod_audit --to prod --stale-ok "*" --yes "$@"
}

@test "verify: counts: production has as many rows as what was audited, else it is put back" {
  wap --tags mart --publish-by rebuild --verify counts
  assert_status 0
  assert_says 'verify: production has as many rows as what was audited'
  assert_sql 'select country from mart.customers where customer_id = 4' CH
  thaw
  fake_dbt run "'$PYTHON' '$ROOT/test/support/sql.py' \"insert into staging.raw_customers (id, name) values (99, 'Zoe')\""
  wap --tags mart --publish-by rebuild --verify counts --json
  assert_status 74
  assert_says "mart.customers' has 9 rows where 8 were audited" 'production is as it was before'
  assert_json 'd["outcome"], d["production_changed"]' '["rolled_back", false]'
  assert_production_unchanged
}

@test "require_tests: some node of the scope must have a test that runs, or each, or none" {
  local untested=(--skip-tests 'unique_calendar_day,not_null_calendar_day')
  wap --publish-by copy -s calendar "${untested[@]}"
  assert_status 125
  assert_says 'no node of the scope has a test'
  wap --publish-by copy "${untested[@]}" --require-tests each
  assert_status 125
  assert_says "model.shop.calendar' has no test, and 'require_tests: each' is set"
  assert_production_unchanged
  wap --publish-by copy -s calendar "${untested[@]}" --require-tests none
  assert_status 0
}

@test "wap publishes what a path selects, and clone is copy where nothing can be cloned" {
  wap --publish-by clone -s path:models/mart --json
  assert_status 0
  assert_json 'sorted({p["unique_id"] for p in d["published"]} & {"model.shop.customers", "model.shop.currencies"})' \
    '["model.shop.customers"]'
  assert_sql 'select country from mart.customers where customer_id = 4' CH
}
