#!/usr/bin/env bats
# A deployment that failed in its build: what of it is good is published without another build, or
# what failed is built once more by `dbt retry`.

load ../support/common.bash

setup_file() {
  begin_published
  sed -i 's/^1001,101,card,.*/1001,101,card,59.90/' seeds/raw_payments.csv
  cp models/mart/customers.sql "$BATS_FILE_TMPDIR/customers.sql"
  echo 'select no_such_column from {{ ref("orders") }}' >models/mart/customers.sql
  run --separate-stderr airlock deploy wac --from staging --to prod --tags mart,utils --yes --json
  assert_status 1
  assert_json 'd["error"]["code"]' audit-failed
  json '"\n".join(d["next"])' >"$BATS_FILE_TMPDIR/next"
  json 'd["id"]' >"$BATS_FILE_TMPDIR/id"
  freeze
}

setup() {
  thaw
  id=$(cat "$BATS_FILE_TMPDIR/id")
  WHERE=(--from staging --to prod --yes)
}

teardown_file() {
  end_file
}

amount() {
  sql "select amount_eur from mart.orders where order_id = 101"
}

offered() { # offered WORD: the line of `next` with it, run
  local line
  line=$(grep -F -- "$1" "$BATS_FILE_TMPDIR/next")
  run --separate-stderr bash -c "$(declare -f airlock); $line --json"
}

@test "what passed is published as it is offered, and what failed stays what it was" {
  customers=$(sql 'select count(*), sum(revenue_eur) from mart.customers')
  run directly airlock publish "$id" "${WHERE[@]}"
  assert_status 125
  assert_says "'model.shop.customers' was not built and tested" "--exclude 'customers+'"
  offered 'airlock publish'
  assert_status 0
  assert_json 'd["outcome"]' published
  assert_json 'd["nodes"]["built"]' 0
  assert_json '[p["unique_id"] for p in d["published"] if "customers" in p["unique_id"]]' '[]'
  [ "$(amount)" = 59.90 ]
  [ "$(sql 'select count(*), sum(revenue_eur) from mart.customers')" = "$customers" ]
  run directly airlock publish "$id" --exclude customers+ "${WHERE[@]}"
  assert_status 73
  assert_says '(production) was changed by somebody else since the tests'
  run directly airlock rollback --from staging --to prod --yes
  assert_status 0
  [ "$(amount)" = 49.90 ]
}

# bats test_tags=engine:any
@test "what failed is built again by dbt retry, and all of it is published" {
  remember_production
  offered 'deploy --retry'
  assert_status 1
  assert_json 'd["production_changed"]' false
  assert_production_unchanged
  cp "$BATS_FILE_TMPDIR/customers.sql" models/mart/customers.sql
  run --separate-stderr airlock deploy --retry "$(json 'd["id"]')" "${WHERE[@]}" --json
  assert_status 0
  assert_json 'd["outcome"]' published
  assert_json 'any("customers" in p["unique_id"] for p in d["published"])' true
  assert_json 'd["tests"]["passed"] > 10 and d["tests"]["failed"] == 0' true
  [ "$(amount)" = 59.90 ]
  run directly airlock deploy wac --retry "$id" "${WHERE[@]}"
  assert_status 125
  assert_says "--retry goes on with deployment '$id', and takes no 'wac'"
}

# bats test_tags=engine:any
@test "staging or production that changed since is not published" {
  AIRLOCK_DBT=$DIRECT
  sql "update stage.orders set amount_eur = 1 where order_id = 101" || true
  remember_production
  for way in "publish $id --exclude customers+" "deploy --retry $id"; do
    # shellcheck disable=SC2086
    run airlock $way "${WHERE[@]}"
    assert_status 73
    assert_says 'staging changed after the tests'
  done
  assert_production_unchanged
  run airlock publish 20200101000000_abcdef "${WHERE[@]}"
  assert_status 125
  assert_says "there is no deployment '20200101000000_abcdef'"
}

# bats test_tags=engine:any
@test "production-rollback: what passed goes back without another copy of production" {
  AIRLOCK_DBT=$DIRECT
  scenario '{"results": {"model.shop.customers": {"status": "error", "message": "no such column"}}}'
  dbt -q build --target prod -s +stg_customers +revenue_by_day --exclude orders revenue_by_day
  run --separate-stderr airlock deploy production-rollback --from staging --to prod \
    -s customers orders revenue_by_day --yes --json
  assert_status 1
  id=$(json 'd["id"]')
  run --separate-stderr airlock publish "$id" --exclude customers+ "${WHERE[@]}" --json
  assert_status 0
  refute_says 'prepare:'
  assert_json 'sorted(p["unique_id"] for p in d["published"])' \
    '["model.shop.orders", "model.shop.revenue_by_day"]'
}

# bats test_tags=engine:any
@test "production-rollback: what somebody wrote behind the copy is not lost with what passed" {
  AIRLOCK_DBT=$DIRECT
  scenario '{"results": {"model.shop.customers": {"status": "error", "message": "no such column"}}}'
  dbt -q build --target prod -s +stg_customers +revenue_by_day --exclude orders revenue_by_day
  fake_dbt build "'$PYTHON' '$ROOT/test/support/sql.py' \"insert into mart.revenue_by_day
    select * from mart.revenue_by_day where ordered_on = '2025-01-03'\""
  run --separate-stderr airlock deploy production-rollback --from staging --to prod \
    -s customers orders revenue_by_day --yes --json
  assert_status 1
  assert_json 'any("airlock publish" in n or "--retry" in n for n in d["next"])' false
  id=$(json 'd["id"]')
  AIRLOCK_DBT=$DIRECT
  for way in "publish $id --exclude customers+" "deploy --retry $id"; do
    # shellcheck disable=SC2086
    run airlock $way "${WHERE[@]}"
    assert_status 125
  done
  assert_sql "select count(*) from mart.revenue_by_day where ordered_on = '2025-01-03'" 2
}
