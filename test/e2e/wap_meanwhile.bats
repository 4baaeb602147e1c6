#!/usr/bin/env bats
# Wap by rebuild, and somebody else who writes production's tables between the look at them and the dbt
# that makes them anew: what airlock can see is not overwritten. With test/support/direct in dbt's place.

load ../support/common.bash

setup_file() {
  begin_file shop
  export AIRLOCK_DBT=$DIRECT
  wap
  assert_status 0
  sed -i 's/^4,Dario Rossi,IT/4,Dario Rossi,CH/' seeds/raw_customers.csv
  freeze
}

setup() {
  thaw
  export AIRLOCK_DBT=$DIRECT
  WRITE='insert into mart.customers (customer_id, country) values (99, $$XX$$)'
}

teardown_file() {
  end_file
}

wap() { # wap [OPTION...], into $status and $output
  run --separate-stderr airlock deploy wap --from prod_audit --to prod --tags mart --stale-ok "*" --yes "$@"
}

assert_kept() {
  assert_sql 'select country from mart.customers where customer_id = 99' XX
  assert_sql 'select country from mart.customers where customer_id = 4' IT
}

@test "a rebuild that is resumed looks at production once more behind before_publish" {
  AIRLOCK_FAULT=rebuild:before:crash wap --before-publish "test ! -e write || $(by_hand "$WRITE")"
  assert_status 137
  touch write
  run --separate-stderr airlock resume --from prod_audit --to prod --json
  assert_status 70
  assert_says "mart.customers' (production) was changed by somebody else" 'airlock abort'
  assert_kept
}

# What dbt then waits for may have written: another process that has the file open, a server that is
# started again.
@test "a dbt that could not open the database does not rebuild what was written meanwhile" {
  if [ "$ENGINE" = postgres ]; then
    refuse="$(by_hand "$WRITE"); rm write; export SHOP_PG_PORT=1"
  else
    refuse="rm write; '$PYTHON' -c \"import sys, time, duckdb
c = duckdb.connect('$SHOP_DUCKDB'); c.execute(sys.argv[1]); print(flush=True); time.sleep(2)\" '$WRITE' |
      { read -r _; exec '$DIRECT' \"\$@\"; }; exit"
  fi
  fake_dbt run "[ ! -e write ] || { $refuse; }"
  touch write
  wap --json
  assert_status 73
  assert_says 'trying again for a while: ' "mart.customers' (production) was changed by somebody else" \
    '"production_changed": false' '"outcome": "failed"' 'production was not changed'
  assert_kept
  wap --json
  assert_status 0
  assert_sql 'select country from mart.customers where customer_id = 4' CH
}
