#!/usr/bin/env bats
# A deployment of another machine or container: its process cannot be seen from here. "Another
# machine" is another name of the host (and another checkout); a container has pids of its own.

load ../support/common.bash
export AIRLOCK_DBT=$ROOT/test/support/direct/dbt

setup_file() {
  begin_file shop
  deploy
  assert_status 0
  sed -i 's/^4,Dario Rossi,IT/4,Dario Rossi,CH/' seeds/raw_customers.csv
  freeze
}

setup() {
  export DIRECT_TRACE=$BATS_TEST_TMPDIR/trace
  thaw
}

teardown() {
  [ -z "${first-}" ] || { kill -KILL "$first" && wait "$first"; } 2>/dev/null || true
}

teardown_file() {
  end_file
}

# A checkout on another machine, with nothing of what a deployment leaves in one; it becomes the
# directory that the test is in.
elsewhere() {
  cp -R . "$BATS_TEST_TMPDIR/other"
  cd "$BATS_TEST_TMPDIR/other"
  rm -rf target logs
}

on_other_machine() {
  unshare --uts sh -c 'hostname other-machine && exec "$@"' sh "$@"
}

in_container() {
  unshare --pid --fork --mount-proc sh -c '"$@"; exit "$?"' sh "$@" # nothing kills its first process
}

newest() {
  sql "select id from airlock.airlock_log where event = 'begun' order by logged_at desc limit 1"
}

# One that died in its build, $id.
died() { # died [OPTION...]
  AIRLOCK_FAULT=build:after:crash deploy "$@"
  assert_status 137
  id=$(newest)
}

resume() { # resume [OPTION...]
  run on_other_machine "$AIRLOCK_BIN" resume "$id" --from staging --to prod "$@"
}

country() {
  sql 'select country from mart.customers where customer_id = 4'
}

@test "a machine lost for good: another one resumes when its lease has ended, and rolls back" {
  [ "$ENGINE" = postgres ] || return 0 # the others have no lease
  died --lease 4
  elsewhere
  resume
  assert_status 72
  assert_says "deployment '$id'" 'its lease ends'
  sleep 4
  resume
  assert_status 0
  [ "$(country)" = CH ]
  run on_other_machine "$AIRLOCK_BIN" rollback --from staging --to prod --yes
  assert_status 0
  [ "$(country)" = IT ]
}

@test "a machine lost for good: --force says so" {
  died
  elsewhere
  resume
  assert_status 72
  assert_says "deployment '$id'" --force
  [ "$(country)" = IT ]
  resume --force
  assert_status 0
  [ "$(country)" = CH ]
  run on_other_machine "$AIRLOCK_BIN" rollback --from staging --to prod --yes
  assert_status 0
  [ "$(country)" = IT ]
}

# bats test_tags=default:duckdb
@test "a machine lost for good: abort --force" {
  died
  elsewhere
  run on_other_machine "$AIRLOCK_BIN" abort "$id" --from staging --to prod --force
  assert_status 0
  [ "$(country)" = IT ]
  run on_other_machine "$AIRLOCK_BIN" history --from staging --to prod
  assert_says "$id"
  deploy
  assert_status 0
  [ "$(country)" = CH ]
}

# Where a publish commits, VERB/NTH.CALL: as one does that runs to its end.
find_commit() {
  deploy
  assert_status 0
  commit=$("$PYTHON" - "$DIRECT_TRACE" <<'PY'
import json, sys
print(*(f"{line['verb']}/{line['nth']}.{call}" for line in map(json.loads, open(sys.argv[1]))
        for call, sql in enumerate(line.get("calls", []), 1) if sql.rstrip(";\n ").endswith("commit")))
PY
)
  rm "$DIRECT_TRACE"
  thaw
}

# One that died right before or behind its commit, on a machine that is lost, $id. Production then.
died_publishing() { # died_publishing before|after
  thaw
  rm -f "$DIRECT_TRACE"
  remember_production
  DIRECT_FAULT=$commit:$1:crash-airlock deploy
  assert_status 137
  id=$(newest)
  rm -rf "$BATS_TEST_TMPDIR/other"
  elsewhere
}

settle() { # settle resume|abort [OPTION...]
  run on_other_machine "$AIRLOCK_BIN" "$1" "$id" --from staging --to prod "${@:2}"
}

assert_settled() { # assert_settled OUTCOME
  run --separate-stderr on_other_machine "$AIRLOCK_BIN" history --from staging --to prod --json
  assert_status 0
  assert_json '[d["deployments"][0][key] for key in ("id", "outcome")]' "[\"$id\", \"$1\"]"
  assert_sql "select count(*) from airlock.airlock_lock_$(lock_of stage) where nonce <> ''" 0
  assert_sql "select count(*) from airlock.airlock_lock_$(lock_of mart) where nonce <> ''" 0
  run on_other_machine "$AIRLOCK_BIN" gc --from staging --to prod --yes
  assert_status 0
}

@test "a machine lost in its publish: resume --force brings it to its end, and it can be rolled back" {
  find_commit
  for moment in before after; do
    died_publishing "$moment"
    if [ "$moment" = before ]; then assert_production_unchanged; else [ "$(country)" = CH ]; fi
    settle resume
    assert_status 72
    assert_says "deployment '$id'" --force
    settle resume --force
    assert_status 0
    [ "$(country)" = CH ]
    assert_settled published
    settle resume
    assert_status 0
    run on_other_machine "$AIRLOCK_BIN" rollback --from staging --to prod --yes
    assert_status 0
    assert_production_unchanged
  done
}

@test "a machine lost in its publish: abort --force ends it before its commit, and says behind it that it is late" {
  find_commit
  died_publishing before
  settle abort
  assert_status 72
  settle abort --force
  assert_status 0
  assert_production_unchanged
  assert_settled aborted
  deploy
  assert_status 0
  [ "$(country)" = CH ]
  died_publishing after
  settle abort --force
  assert_status 70
  assert_says 'nothing left to abort' "airlock rollback $id"
  [ "$(country)" = CH ]
  assert_settled published
  run on_other_machine "$AIRLOCK_BIN" rollback --from staging --to prod --yes
  assert_status 0
  assert_production_unchanged
}

# bats test_tags=default:duckdb
@test "a pid of a container is not looked up outside of it, nor the other way" {
  died
  run in_container "$AIRLOCK_BIN" resume "$id" --from staging --to prod
  assert_status 72
  run in_container "$AIRLOCK_BIN" deploy wac --from staging --to prod --tags mart,utils --yes --if-locked fail
  assert_status 72
  assert_says "deployment '$id'"
  run airlock abort "$id" --from staging --to prod
  assert_status 0
  AIRLOCK_FAULT=build:after:crash run in_container "$AIRLOCK_BIN" deploy wac \
    --from staging --to prod --tags mart,utils --yes
  assert_status 137
  deploy --if-locked fail
  assert_status 72
  [ "$(country)" = IT ]
}

@test "forced while it runs, on another machine: it will not publish" {
  [ "$ENGINE" = postgres ] || return 0 # the others have the file open meanwhile
  DIRECT_FAULT=build/1.5:before:hang "$AIRLOCK_BIN" deploy wac \
    --from staging --to prod --tags mart,utils --yes >"$BATS_TEST_TMPDIR/first" 2>&1 3>&- &
  first=$!
  await_fault "$BATS_TEST_TMPDIR/first"
  running=$(newest)
  run airlock resume "$running" --from staging --to prod --force
  assert_status 72
  assert_says 'alive on this machine'
  elsewhere
  run on_other_machine "$AIRLOCK_BIN" abort "$running" --from staging --to prod --force
  assert_status 0
  ended=0
  kill -TERM "$first"
  wait "$first" || ended=$?
  first=
  [ "$ended" -ne 0 ]
  [ "$(country)" = IT ]
  run airlock history --from staging --to prod --json
  assert_says '"outcome": "aborted"'
}

# bats test_tags=default:duckdb
@test "a secret in --vars is kept nowhere: resume wants it again" {
  died -- --vars '{a_token: hunter2, day: 2026-01-31}'
  elsewhere
  assert_sql "select count(*) from airlock.airlock_log where detail like '%hunter2%'" 0
  run ! grep -rqa hunter2 "$WORK/project/target/airlock/deployments"
  run --separate-stderr airlock inspect "$id" --from staging --to prod --json
  assert_json 'd["deployment"]["dbt"][1]' '{"a_token":"***","day":"2026-01-31"}'
  run airlock resume "$id" --from staging --to prod
  assert_status 125
  assert_says 'began with --vars that are not recorded' 'not given here'
  run airlock resume "$id" --from staging --to prod -- --vars '{a_token: hunter3, day: 2026-01-31}'
  assert_status 125
  assert_says 'others here'
  run airlock resume "$id" --from staging --to prod -- --vars '{a_token: hunter2, day: 2026-01-31}'
  assert_status 0
  [ "$(country)" = CH ]
}

# bats test_tags=default:duckdb
@test "what was tested is not resumed once staging, or production, has changed" {
  for changed in "update stage.orders set amount_eur = 1 where order_id = 101" \
    "update mart.orders set amount_eur = 1 where order_id = 101"; do
    thaw
    rm -f "$DIRECT_TRACE"
    DIRECT_FAULT=run-operation/4.3:before:crash-airlock deploy --conflict content
    assert_status 137
    id=$(newest)
    sql "$changed"
    remember_production
    resume --force
    assert_status 73
    assert_says 'changed'
    assert_production_unchanged
    assert_sql "select count(*) from airlock.airlock_log where id = '$id' and event = 'published'" 0
  done
}
