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

@test "nobody counts what was started while another one tells what it ran" {
  cat >tells.py <<'PY'
import fcntl, os, sys, time
sys.path.insert(0, sys.argv[1])
from trace import Trace
told = Trace("build", "staging")
with open(told.path, "a+", encoding="utf-8") as counting:
    fcntl.flock(counting, fcntl.LOCK_EX)
    if os.fork() == 0:
        told.add(calls=["select 1"])
        os._exit(0)
    time.sleep(0.5)
    counting.seek(0)
    assert len(counting.readlines()) == 1
    fcntl.flock(counting, fcntl.LOCK_UN)
assert os.wait()[1] == 0
assert Trace("build", "staging").nth == 2
assert len(open(told.path, encoding="utf-8").readlines()) == 3
PY
  DIRECT_TRACE=$BATS_TEST_TMPDIR/trace "$PYTHON" tells.py "$ROOT/test/support/direct"
}
