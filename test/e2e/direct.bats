#!/usr/bin/env bats
# test/support/direct, the stand-in dbt, does what the real one does: the same deployments through
# both leave the same production and the same report.

load ../support/common.bash

setup_file() {
  begin_file shop
  freeze
  thaw
  three_deployments real "$AIRLOCK_DBT"
  thaw
  three_deployments direct "$ROOT/test/support/direct/dbt"
}

teardown_file() {
  end_file
}

# What is left out differs between any two deployments.
report() {
  "$PYTHON" -c 'import json, sys
report = json.loads(sys.argv[1])
name = report["id"]
for key in "id", "elapsed_ms":
    del report[key]
print(json.dumps(report, indent=1).replace(name, "ID"))' "$output"
}

three_deployments() { # three_deployments NAME DBT
  local leg=$BATS_FILE_TMPDIR/$1 number=0
  export AIRLOCK_DBT=$2
  another() {
    number=$((number + 1))
    run --separate-stderr airlock deploy wac --from staging --to prod --tags mart,utils --yes --json "$@"
    report >"$leg.$number.json"
    production >"$leg.$number.production"
  }
  another
  echo '113,3,2025-01-20,placed,EUR' >>seeds/raw_orders.csv
  sed -i 's/^4,Dario Rossi,IT/4,Dario Rossi,CH/' seeds/raw_customers.csv
  another -s customers revenue_by_day
  echo '101,1,2025-01-03,completed,EUR' >>seeds/raw_orders.csv
  another
}

assert_same() { # assert_same NUMBER OUTCOME
  local real=$BATS_FILE_TMPDIR/real.$1 direct=$BATS_FILE_TMPDIR/direct.$1
  grep -q "\"outcome\": \"$2\"" "$real.json" || fail "$(cat "$real.json")"
  diff "$real.json" "$direct.json"
  diff "$real.production" "$direct.production"
}

@test "everything, into an empty production" {
  assert_same 1 published
}

@test "changed data, and a selection" {
  assert_same 2 published
  run ! cmp -s "$BATS_FILE_TMPDIR"/real.{1,2}.production
}

@test "a failing test, and what is skipped behind it" {
  assert_same 3 blocked
  cmp "$BATS_FILE_TMPDIR"/real.{2,3}.production
}
