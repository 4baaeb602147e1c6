#!/usr/bin/env bats
# plan and routes: what would happen, without doing it.

load ../support/common.bash

setup_file() {
  begin_published
  freeze
}

setup() {
  thaw
}

teardown_file() {
  end_file
}

plan() {
  run --separate-stderr airlock plan wac --from staging --to prod --tags mart,utils "$@"
}

# Everything, airlock's own schemas and staging included.
everything() {
  OWN_SCHEMAS='' production
}

@test "routes says where each node is built and published" {
  run --separate-stderr airlock routes --from staging --to prod --tags mart,utils --json
  assert_status 0
  assert_json 'd["version"]' 1
  assert_json 'sorted(r["to"]["schema"] + "." + r["to"]["identifier"] for r in d["routes"] if r["in_scope"] and r["materialized"] != "view")' \
    '["mart.customers", "mart.orders", "mart.revenue_by_day", "utils.calendar", "utils.currencies"]'
  assert_json '{r["from"]["schema"] for r in d["routes"]} == {"stage"}' true
  assert_json 'sorted(d["routes"][0])' \
    '["from", "in_scope", "materialized", "reason", "resource_type", "tags", "to", "unique_id"]'
  assert_json 'd["conflicts"]' '[]'
}

# bats test_tags=default:duckdb
@test "routes for people names both relations" {
  run airlock routes --from staging --to prod --tags mart,utils
  assert_status 0
  assert_says 'stage.orders' 'mart.orders' 'utils.calendar'
}

@test "plan prints every phase, the same text twice, and writes nothing" {
  AIRLOCK_DBT=$DIRECT
  everything >"$BATS_TEST_TMPDIR/before"
  plan
  assert_status 0
  assert_says build audit publish mart.orders utils.currencies
  first=$output
  plan
  [ "$output" = "$first" ]
  everything >"$BATS_TEST_TMPDIR/after"
  diff "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
}

@test "plan needs no right to write" {
  AIRLOCK_DBT=$DIRECT
  [ "$ENGINE" = postgres ] || {
    # the file itself refuses
    chmod a-w "$SHOP_DUCKDB" "$WORK"
    plan
    chmod u+w "$SHOP_DUCKDB" "$WORK"
    assert_status 0
    return
  }
  sql 'create role looker login'
  for schema in $(sql "select nspname from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema'"); do
    sql "grant usage on schema $schema to looker; grant select on all tables in schema $schema to looker"
  done
  sql 'alter role looker set default_transaction_read_only = on'
  SHOP_PG_USER=looker plan
  status_of_plan=$status
  sql 'drop owned by looker; drop role looker'
  [ "$status_of_plan" -eq 0 ] || fail "$output" "$stderr"
}

@test "plan --json has the shape that scripts rely on, and deploy runs what it says" {
  plan --json
  assert_status 0
  assert_json 'd["version"]' 1
  assert_json 'd["strategy"]' wac
  assert_json 'd["adapter"]' "$ENGINE"
  assert_json 'd["atomic"]' true
  assert_json 'all(set(s) >= {"id", "phase", "kind", "reason", "command", "sql"} for s in d["steps"])' true
  assert_json 'len({s["id"] for s in d["steps"]}) == len(d["steps"])' true
  assert_json 'any("view" in q and "open_orders" in q for s in d["steps"] for q in s["sql"])' true
  printf '%s' "$output" >"$BATS_TEST_TMPDIR/plan.json"
  deploy
  assert_status 0
  printf '%s' "$output" >"$BATS_TEST_TMPDIR/deploy.txt"
  "$PYTHON" "$ROOT/test/support/plan_equals_run.py" "$BATS_TEST_TMPDIR"/{plan.json,deploy.txt}
}

# bats test_tags=default:duckdb
@test "plan without a strategy says which fit, why the others do not, and what to write" {
  AIRLOCK_DBT=$DIRECT
  everything >"$BATS_TEST_TMPDIR/before"
  run --separate-stderr airlock plan --from staging --to prod --tags mart,utils --json
  assert_status 0
  assert_json '{s["strategy"]: s["fits"] for s in d["strategies"]}["wac"]' true
  assert_json '[s["strategy"] for s in d["strategies"] if s["fits"] == bool(s["reason"])]' '[]'
  assert_json '{s["strategy"]: s["fits"] for s in d["strategies"]}["blue-green"]' false
  json 'd["block"]' >block
  everything >"$BATS_TEST_TMPDIR/after"
  diff "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
  # what it says to write is a deployment
  sed -i '/^vars:/,/^    tags:/d' dbt_project.yml
  cat block >>dbt_project.yml
  run airlock plan
  assert_status 0
  assert_says 'utils.currencies'
}

# bats test_tags=default:duckdb
@test "plan without a strategy tells no secret of a side's environment" {
  AIRLOCK_DBT=$DIRECT
  run airlock plan --from staging --to prod --tags mart,utils --from-env DBT_ENV_SECRET_KEY=opensesame
  assert_status 0
  assert_says 'DBT_ENV_SECRET_KEY: '
  refute_says opensesame
}

# bats test_tags=default:duckdb
@test "plan without a strategy where none fits is an error" {
  AIRLOCK_DBT=$DIRECT
  run airlock plan --from staging --to prod --tags marts
  assert_status 125
  assert_says 'no strategy fits' wac blue-green
}
