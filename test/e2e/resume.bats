#!/usr/bin/env bats
# The ways out of a deployment that was killed: one of them with real dbt, the others with a stand-in,
# as test/fault does it at every place.

load ../support/common.bash

setup_file() {
  directly begin_published
  # one change that reaches two tables
  sed -i 's/^1001,101,card,.*/1001,101,card,59.90/' seeds/raw_payments.csv
  freeze
}

setup() {
  thaw
  AIRLOCK_DBT=$DIRECT
}

teardown_file() {
  end_file
}

amount() {
  sql "select amount_eur from mart.orders where order_id = 101"
}

killed() { # killed STEP before|after
  AIRLOCK_FAULT=$1:$2:crash deploy
  assert_status 137
}

settle() { # settle resume|abort [OPTION...]
  run --separate-stderr airlock "$1" --from staging --to prod --json "${@:2}"
}

newest() {
  "$PYTHON" -c 'import json, sys; print(json.loads(sys.argv[1])["deployments"][0]["id"])' \
    "$(airlock history --from staging --to prod --json 2>/dev/null)"
}

@test "what becomes of a publish whose answer is lost, and which nobody can ask for: unknown, and why" {
  DIRECT_TRACE=$BATS_TEST_TMPDIR/trace \
    DIRECT_FAULT='run-operation/4.0:after:crash run-operation/5.0:before:error=nobody_is_there' deploy
  assert_status 71
  assert_says 'whether it was committed cannot be read (' 'nobody is there' 'airlock resume'
  settle resume "$(newest)"
  assert_status 0
  assert_json 'd["outcome"]' published
  [ "$(amount)" = 59.90 ]
}

# bats test_tags=default:duckdb
@test "killed in the build: resume runs it again under its id, and twice is the same as once" {
  AIRLOCK_DBT=$REAL
  killed build after
  id=$(directly newest)
  settle resume
  assert_status 0
  assert_json 'd["id"]' "$id"
  assert_json 'd["outcome"]' published
  [ "$(amount)" = 59.90 ]
  AIRLOCK_DBT=$DIRECT
  settle resume "$id"
  assert_status 0
  settle abort "$id"
  assert_status 70
  assert_json 'd["error"]["code"]' already-published
  settle resume
  assert_status 125
  assert_json 'd["error"]["code"]' deployment-unknown
}

# bats test_tags=default:duckdb
@test "killed in the build: abort leaves production, and there is nothing left to resume" {
  killed build before
  id=$(newest)
  settle abort
  assert_status 0
  assert_json 'd["outcome"]' aborted
  assert_json 'd["production_changed"]' false
  settle abort "$id"
  assert_status 0
  settle resume "$id"
  assert_status 125
  assert_json 'd["error"]["code"]' not-resumable
  [ "$(amount)" = 49.90 ]
  deploy
  assert_status 0
  [ "$(amount)" = 59.90 ]
}

# bats test_tags=default:duckdb
@test "killed behind the publish: its end is recorded; it is too late to abort" {
  killed publish after
  id=$(newest)
  settle abort "$id"
  assert_status 70
  [ "$(amount)" = 59.90 ]
  AIRLOCK_DBT=$DIRECT
  settle resume "$id"
  assert_status 0
  assert_json 'd["production_changed"]' true
}

# bats test_tags=default:duckdb
@test "another checkout without anything in target resumes it, with the options it was started with" {
  AIRLOCK_FAULT=build:after:crash deploy --max-shrink 50 -- --vars '{a_variable: 1}'
  assert_status 137
  id=$(newest)
  other=$BATS_TEST_TMPDIR/other
  cp -r . "$other"
  rm -rf "$other/target" "$other/logs" target/airlock
  cd "$other"
  settle resume
  assert_status 0
  assert_json 'd["id"]' "$id"
  [ "$(amount)" = 59.90 ]
  run --separate-stderr airlock inspect "$id" --from staging --to prod --json
  assert_json 'd["deployment"]["options"]["max_shrink"]' 50
  assert_json 'd["deployment"]["dbt"]' '["--vars", "{a_variable: 1}"]'
}

# bats test_tags=default:duckdb
@test "on_unfinished fail names what died and both commands" {
  killed build before
  id=$(newest)
  deploy --on-unfinished fail
  assert_status 125
  assert_says "$id" "airlock resume $id" "airlock abort $id"
  deploy
  assert_status 0
  [ "$(amount)" = 59.90 ]
}

asked() { # asked ANSWERS [OPTION...]: a deployment on a terminal
  run env -u CI TERM=dumb "$PYTHON" "$ROOT/test/support/on_terminal.py" "$1" "$AIRLOCK_BIN" deploy wac \
    --from staging --to prod --tags mart,utils "${@:2}"
}

# bats test_tags=default:duckdb
@test "on_unfinished ask, which a terminal has by default: only yes settles what died" {
  killed build before
  id=$(newest)
  question="Deployment '$id' of "
  run airlock deploy wac --from staging --to prod --tags mart,utils --on-unfinished ask
  assert_status 125
  assert_says "$id" "airlock resume $id" "airlock abort $id"
  for answer in no '' Yes; do
    asked "$answer"
    assert_status 125
    assert_says "$question" 'did not come to its end. Settle it and go on?' "airlock abort $id"
    run --separate-stderr airlock history --from staging --to prod --json
    assert_json 'd["deployments"][0]["id"], d["deployments"][0]["outcome"]' "[\"$id\", \"unfinished\"]"
  done
  asked yes,no # the second question is that of the plan
  assert_says "$question" "deployment '$id' died and is settled" 'Go on with this plan?'
  [ "$status" -ne 0 ]
  [ "$(amount)" = 49.90 ]
  killed build before
  asked yes,yes
  assert_status 0
  [ "$(amount)" = 59.90 ]
}

# bats test_tags=default:duckdb
@test "on_unfinished ask: --yes is the answer, and auto does not ask" {
  for options in '--on-unfinished ask --yes' '--on-unfinished auto --yes'; do
    thaw
    killed build before
    # shellcheck disable=SC2086
    asked '' $options
    assert_status 0
    refute_says 'Settle it and go on?'
    [ "$(amount)" = 59.90 ]
  done
}
