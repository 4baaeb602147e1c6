#!/usr/bin/env bats
# `publish ID` and `deploy --retry ID` of a wap by copy that failed in its build, with
# test/support/direct in dbt's place.

load ../support/common.bash

setup_file() {
  begin_file shop
  export AIRLOCK_DBT=$ROOT/test/support/direct/dbt
  wap --publish-by copy
  assert_status 0
  sed -i 's/^4,Dario Rossi,IT/4,Dario Rossi,CH/' seeds/raw_customers.csv
  DIRECT_SCENARIO='{"results": {"test.shop.not_null_revenue_by_day_ordered_on.e0ea8a0e40": {"status": "fail", "failures": 1, "message": "Got 1 result"}}}' \
    wap --publish-by copy --json
  assert_status 1
  json 'd["id"]' >"$BATS_FILE_TMPDIR/id"
  json '"\n".join(d["next"])' >"$BATS_FILE_TMPDIR/next"
  freeze
}

setup() {
  thaw
  export AIRLOCK_DBT=$ROOT/test/support/direct/dbt
  id=$(cat "$BATS_FILE_TMPDIR/id")
  WHERE=(--from prod_audit --to prod --yes)
}

teardown_file() {
  end_file
}

wap() { # wap OPTION..., into $status and $output
  run --separate-stderr airlock deploy wap --from prod_audit --to prod --tags mart --yes "$@"
}

country() {
  sql 'select country from mart.customers where customer_id = 4'
}

@test "wap by copy: what passed is published without another build, and rollback takes it back" {
  grep -F "airlock publish $id --exclude" "$BATS_FILE_TMPDIR/next"
  [ "$(country)" = IT ]
  run --separate-stderr airlock publish "$id" --exclude 'revenue_by_day+' "${WHERE[@]}" --json
  assert_status 0
  assert_json 'd["strategy"], d["nodes"]["built"]' '["wap", 0]'
  assert_json '[p["unique_id"] for p in d["published"]]' \
    '["model.shop.customers", "model.shop.open_orders", "model.shop.orders"]'
  [ "$(country)" = CH ]
  run airlock rollback "${WHERE[@]}"
  assert_status 0
  [ "$(country)" = IT ]
}

# bats test_tags=exhaustive
@test "wap by copy: what failed is built again by the real dbt retry, tested, and published" {
  AIRLOCK_DBT=$REAL
  cp models/mart/customers.sql "$BATS_TEST_TMPDIR/"
  echo 'select no_such_column from {{ ref("orders") }}' >models/mart/customers.sql
  wap --publish-by copy --json
  assert_status 1
  [ "$(country)" = IT ]
  cp "$BATS_TEST_TMPDIR/customers.sql" models/mart/
  run --separate-stderr airlock deploy --retry "$(json 'd["id"]')" "${WHERE[@]}" --json
  assert_status 0
  assert_json 'd["strategy"], len(d["published"])' '["wap", 4]'
  assert_json 'd["tests"]["passed"] > 10 and d["tests"]["failed"] == 0' true
  [ "$(country)" = CH ]
}

# bats test_tags=default:duckdb
@test "wap by copy: staging that somebody wrote since is not published" {
  sql "update unaudited.customers set country = 'XX'"
  run airlock publish "$id" --exclude 'revenue_by_day+' "${WHERE[@]}"
  assert_status 73
  assert_says 'unaudited.customers' 'production was not changed'
  [ "$(country)" = IT ]
}
