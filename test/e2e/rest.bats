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

# bats test_tags=default:duckdb
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

# bats test_tags=default:duckdb
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

# bats test_tags=default:duckdb
@test "production-rollback: what passed goes back without another copy of production" {
  AIRLOCK_DBT=$DIRECT
  scenario '{"results": {"model.shop.customers": {"status": "error", "message": "no such column"}}}'
  dbt -q build --target prod -s +stg_customers +revenue_by_day --exclude orders revenue_by_day
  run --separate-stderr airlock deploy production-rollback --from staging --to prod \
    -s customers orders revenue_by_day --yes --json
  assert_status 1
  id=$(json 'd["id"]')
  kept=$(cksum target/airlock/published/*)
  run --separate-stderr airlock publish "$id" --exclude customers+ "${WHERE[@]}" --json
  assert_status 0
  refute_says 'prepare:'
  assert_says 'target/airlock/published stays what it was'
  [ "$(cksum target/airlock/published/*)" = "$kept" ]
  assert_json 'sorted(p["unique_id"] for p in d["published"])' \
    '["model.shop.orders", "model.shop.revenue_by_day"]'
}

# bats test_tags=default:duckdb
@test "production-rollback: --retry builds the rest over what is staged, without another copy of production" {
  AIRLOCK_DBT=$DIRECT
  scenario '{"results": {"model.shop.customers": {"status": "error", "message": "no such column"}}}'
  dbt -q build --target prod -s +stg_customers +revenue_by_day --exclude orders revenue_by_day
  remember_production
  run --separate-stderr airlock deploy production-rollback --from staging --to prod \
    -s customers orders revenue_by_day --yes --json
  assert_status 1
  assert_production_unchanged
  id=$(json 'd["id"]')
  unset DIRECT_SCENARIO
  kept=$(cksum target/airlock/published/*)
  run --separate-stderr airlock deploy --retry "$id" "${WHERE[@]}" --json
  assert_status 0
  refute_says 'prepare:'
  [ "$(cksum target/airlock/published/*)" != "$kept" ]
  [ ! -e target/airlock/published.coming ]
  assert_json 'sorted(p["unique_id"] for p in d["published"])' \
    '["model.shop.customers", "model.shop.orders", "model.shop.revenue_by_day"]'
  for table in customers orders revenue_by_day; do
    assert_sql "select count(*) from (select * from mart.$table except select * from stage.$table) x" 0
  done
}

# bats test_tags=default:duckdb
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

# A deployment whose model fails, with the stand-in: $id, and where the results of its build are kept.
failed_customers() {
  AIRLOCK_DBT=$DIRECT
  export DIRECT_TRACE=$BATS_TEST_TMPDIR/trace
  DIRECT_SCENARIO='{"results": {"model.shop.customers": {"status": "error", "message": "no such column"}}}' \
    run --separate-stderr airlock deploy wac --from staging --to prod --tags mart,utils --yes --json
  assert_status 1
  id=$(json 'd["id"]')
  kept=target/airlock/deployments/$id/run_results.json
}

# As if dbt had not come to these nodes.
forget() { # forget NODE...
  "$PYTHON" - "$kept" "$@" <<'PY'
import json, sys
name, *nodes = sys.argv[1:]
results = json.load(open(name))
left = [row for row in results["results"] if row["unique_id"] not in nodes]
assert len(left) == len(results["results"]) - len(nodes), [row["unique_id"] for row in results["results"]]
json.dump({**results, "results": left}, open(name, "w"))
PY
}

# bats test_tags=default:duckdb
@test "retry: every test that the failure had skipped has run before the publish" {
  failed_customers
  run --separate-stderr airlock deploy --retry "$id" "${WHERE[@]}" --json
  assert_status 0
  "$PYTHON" - "$DIRECT_TRACE" <<'PY'
import json, sys
nodes = json.load(open("target/airlock/parse/staging/manifest.json"))["nodes"]
tests = {name for name, node in nodes.items()
         if node["resource_type"] == "test" and "model.shop.customers" in node["depends_on"]["nodes"]}
ran = [line["calls"] for line in map(json.loads, open(sys.argv[1])) if line["verb"] == "retry" and "calls" in line]
assert tests and tests < set(ran[0]) and "model.shop.customers" in ran[0], (tests, ran)
PY
}

# As behind --fail-fast: what dbt never came to has no row, and dbt retry does not run it.
# bats test_tags=default:duckdb
@test "retry: what was not reached then, and is not now, keeps everything from production" {
  failed_customers
  remember_production
  test=$("$PYTHON" -c 'import json, sys
print(next(row["unique_id"] for row in json.load(open(sys.argv[1]))["results"]
           if row["status"] == "skipped" and row["unique_id"].startswith("test.") and "customers" in row["unique_id"]))' "$kept")
  forget "$test"
  run airlock deploy --retry "$id" "${WHERE[@]}"
  assert_status 125
  assert_says "the test '$test' of" 'did not run in this deployment' 'production was not changed'
  failed_customers
  forget model.shop.customers
  run airlock deploy --retry "$id" "${WHERE[@]}"
  assert_status 125
  assert_says "'model.shop.customers' was not built by this deployment" 'production was not changed'
  assert_production_unchanged
}

# bats test_tags=default:duckdb
@test "retry: a test that fails again, or fails now, keeps everything from production" {
  failed_customers
  remember_production
  test=$("$PYTHON" -c 'import json, sys
print(next(row["unique_id"] for row in json.load(open(sys.argv[1]))["results"]
           if row["status"] == "skipped" and row["unique_id"].startswith("test.")))' "$kept")
  scenario "{\"results\": {\"$test\": {\"status\": \"fail\", \"failures\": 1, \"message\": \"Got 1 result\"}}}"
  run --separate-stderr airlock deploy --retry "$id" "${WHERE[@]}" --json
  assert_status 1
  assert_json 'd["failures"][0]["unique_id"]' "$test"
  run --separate-stderr airlock deploy --retry "$(json 'd["id"]')" "${WHERE[@]}" --json
  assert_status 1
  assert_json 'd["failures"][0]["unique_id"]' "$test"
  assert_production_unchanged
}

# What passed is not built again: published is what was tested, or nothing.
# bats test_tags=default:duckdb,exhaustive
@test "retry: a view or a test that was edited in between keeps everything from production" {
  remember_production
  view="{{ config(materialized='view') }} select order_id from {{ ref('orders') }} where is_paid"
  echo "$view" >models/mart/paid_orders.sql
  run --separate-stderr airlock deploy wac --from staging --to prod --tags mart,utils --yes --json
  assert_status 1
  id=$(json 'd["id"]')
  cp "$BATS_FILE_TMPDIR/customers.sql" models/mart/customers.sql
  echo "$view or true" >models/mart/paid_orders.sql
  run airlock deploy --retry "$id" "${WHERE[@]}"
  assert_status 73
  assert_says paid_orders 'its SQL is not the one that was tested'
  echo "$view" >models/mart/paid_orders.sql
  sed -i '/name: ordered_on/i\      - {name: orders, data_tests: [not_null]}' models/mart/_mart.yml
  run airlock deploy --retry "$id" "${WHERE[@]}"
  assert_status 125
  assert_says not_null_revenue_by_day_orders 'did not run in this deployment'
  assert_production_unchanged
}
