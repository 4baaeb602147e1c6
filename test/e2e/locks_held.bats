#!/usr/bin/env bats
# Another deployment holds the lock: who waits, who is overtaken, and who says what. The dbt is
# the stand-in, which hangs where it is told to.

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
  remember_production
}

teardown() {
  [ -z "${locker-}" ] || { kill -KILL "$locker" && wait "$locker"; } 2>/dev/null || true
  [ -z "${first-}" ] || { kill -KILL "$first" && wait "$first"; } 2>/dev/null || true
}

teardown_file() {
  end_file
}

# A deployment that hangs in its build, $first: its output is in $said.
hanging() { # hanging [OPTION...]
  local directory before
  before=$(printf '%s\n' target/airlock/deployments/*)
  said=$BATS_TEST_TMPDIR/first
  DIRECT_FAULT=build/1.5:before:hang "$AIRLOCK_BIN" deploy wac \
    --from staging --to prod --tags mart,utils --yes --json "$@" >"$said.json" 2>"$said" 3>&- &
  first=$!
  await_fault "$said"
  # Ids of one second are in no order.
  for directory in target/airlock/deployments/*; do
    [[ $before == *"$directory"* ]] || first_id=${directory##*/}
  done
}

# A transaction that stays open for a minute, or SECONDS and then does more, as one of dbt's may:
# $locker.
locking() { # locking STATEMENT [SECONDS MORE]
  sql "begin; $1; select pg_sleep(${2-60})${3-}" >/dev/null 2>&1 3>&- &
  locker=$!
  until [ "$(sql "select count(*) > 0 from pg_stat_activity where wait_event = 'PgSleep'")" = t ]; do
    kill -0 "$locker" || fail "no transaction: $1"
    sleep 0.1
  done
}

ends() { # ends STATUS: of the first
  local ended=0
  wait "$first" || ended=$?
  first=
  [ "$ended" -eq "$1" ] || fail "the first ended with $ended" "$(cat "$said" "$said.json")"
}

@test "a held lock: fail names the holder, skip is no failure, wait waits" {
  hanging
  deploy --if-locked fail
  assert_status 72
  assert_says "deployment '$first_id' (wac) of " ", process $first, since 20" ', phase build'
  [ "$ENGINE" = duckdb ] || assert_says ', its lease ends 20'
  run --separate-stderr airlock deploy wac --from staging --to prod --tags mart,utils --yes --json --if-locked skip
  assert_status 0
  assert_json 'd["outcome"]' skipped
  assert_json 'd["exit"]' 0
  assert_json 'd["production_changed"]' false
  assert_json "'$first_id' in d['skipped']" true
  deploy --lock-timeout 2
  assert_status 72
  assert_says 'waiting, at most 2 seconds: ' "deployment '$first_id'"
  [ "$ENGINE" = duckdb ] || assert_production_unchanged # dbt has the file open
  (sleep 1 && kill -TERM "$first") 3>&- &
  deploy --lock-timeout 60
  assert_status 0
  assert_sql 'select country from mart.customers where customer_id = 4' CH
  ends 143
}

@test "a holder that was stopped: overtaken where there is a lease, and nothing of it shows" {
  hanging --lease 3
  kill -STOP "$first"
  if [ "$ENGINE" = duckdb ]; then
    deploy --lock-timeout 5
    assert_status 72
    assert_says "deployment '$first_id' (wac) of "
    kill -KILL "$first"
    ends 137
    assert_production_unchanged
    deploy
    assert_status 0
    return
  fi
  sed -i 's/^4,Dario Rossi,CH/4,Dario Rossi,DE/' seeds/raw_customers.csv
  deploy --lock-timeout 60
  assert_status 0
  assert_says "waiting, at most 60 seconds: " "deployment '$first_id'"
  production >"$BATS_TEST_TMPDIR/of_second"
  kill -CONT "$first"
  ends 72
  grep -qF 'lock-lost' "$said.json" || fail "$(cat "$said" "$said.json")"
  grep -qF 'was taken from this deployment' "$said"
  production | diff "$BATS_TEST_TMPDIR/of_second" -
  assert_sql "select count(*) from airlock.airlock_lock_$(lock_of stage) where nonce <> ''" 0
}

@test "a lease is renewed while dbt builds" {
  [ "$ENGINE" = postgres ] || return 0 # the others have none
  hanging --lease 3
  sleep 5
  deploy --if-locked fail
  assert_status 72
  kill -TERM "$first"
  ends 143
}

@test "unlock: not of who is alive here, nor of nobody; once it is dead it is settled, twice is once" {
  hanging
  run airlock unlock "$first_id" --from staging --to prod --yes
  assert_status 72
  assert_says "process $first" "kill -TERM $first"
  run airlock unlock 20200101000000_abcdef --from staging --to prod --yes
  [ "$status" -ne 0 ]
  [ "$ENGINE" = duckdb ] || assert_says "there is no deployment '20200101000000_abcdef'"
  kill -KILL "$first"
  ends 137
  run --separate-stderr airlock unlock "$first_id" --from staging --to prod --json
  assert_status 0
  assert_json 'len(d["released"]) > 0 and d["id"]' "$first_id"
  assert_json 'd["outcome"]' failed
  assert_sql "select event from airlock.airlock_log where id = '$first_id' and event = 'aborted'" aborted
  run airlock unlock "$first_id" --from staging --to prod
  assert_status 0
  assert_says "deployment '$first_id' holds no lock"
  assert_production_unchanged
}

@test "unlock: whether a holder on another machine still runs, the user has to say" {
  hanging
  kill -KILL "$first"
  ends 137
  sql "update airlock.airlock_lock_$(lock_of stage) set host = 'elsewhere'"
  deploy --if-locked fail
  assert_status 72
  assert_says ' on elsewhere, '
  run airlock unlock "$first_id" --from staging --to prod
  assert_status 125
  assert_says 'cannot be seen from here' --yes
  run airlock unlock "$first_id" --from staging --to prod --yes
  assert_status 0
  deploy
  assert_status 0
}

@test "plan takes no lock, and says who holds it" {
  if [ "$ENGINE" = postgres ]; then
    hanging
    run --separate-stderr airlock plan wac --from staging --to prod --tags mart,utils --json
    assert_status 0
    assert_json '[lock["id"] for lock in d["locks"]]' "[\"$first_id\"]"
    assert_json 'd["locks"][0]["phase"], d["locks"][0]["state"]' '["build", "held"]'
    kill -KILL "$first"
    ends 137
  else
    hanging
    kill -KILL "$first"
    ends 137
  fi
  run airlock plan wac --from staging --to prod --tags mart,utils
  assert_status 0
  assert_says "is held by deployment '$first_id' (wac) of " 'which is dead'
  run airlock unlock "$first_id" --from staging --to prod
  run --separate-stderr airlock plan wac --from staging --to prod --tags mart,utils --json
  assert_status 0
  assert_json 'd["locks"]' '[]'
}

looks() { # how often the warehouse was asked
  grep -c '"verb": "run-operation".*"began"' "$DIRECT_TRACE" || true
  rm "$DIRECT_TRACE"
}

@test "a plan looks once, before the first deployment too, and does not miss a lock for one that is not there" {
  plan() {
    rm -f "$DIRECT_TRACE"
    run --separate-stderr airlock plan wac --from staging --to prod --tags mart,utils --json
    assert_status 0
  }
  hanging
  kill -KILL "$first"
  ends 137
  plan
  [ "$(looks)" -eq 1 ]
  [ "$ENGINE" = duckdb ] || {
    sql "drop table airlock.airlock_lock_$(lock_of utils)"
    plan
    assert_json '[lock["id"] for lock in d["locks"]]' "[\"$first_id\"]"
  }
  sql 'drop schema airlock cascade'
  plan
  [ "$(looks)" -eq 1 ]
  assert_json 'd["locks"]' '[]'
}

@test "who has not got the lock looks at nothing that a build may want" {
  [ "$ENGINE" = postgres ] || return 0 # the others open no database then
  hanging
  locking 'lock table mart.open_orders, utils.calendar, stage.orders'
  deploy --if-locked fail --operation-timeout 10
  assert_status 72
  assert_says "deployment '$first_id'"
}

@test "plan makes way for a build instead of ending it in a deadlock" {
  [ "$ENGINE" = postgres ] || return 0
  # What a view reads, from both ends, a plan between them for longer than deadlock_timeout.
  locking 'lock table mart.customers' 5 '; lock table mart.orders; commit'
  run airlock plan wac --from staging --to prod --tags mart,utils
  assert_status 0
  wait "$locker" || fail 'the transaction was ended'
  locker=
}

@test "what the warehouse undid is tried again, and recorded" {
  [ "$ENGINE" = postgres ] || return 0 # the others undo nothing but transactions
  DIRECT_FAULT='run-operation/1.2:before:error=deadlock_detected' deploy
  assert_status 0
  assert_says 'trying again for a while: ' 'deadlock detected'
  grep -q '"event": *"retry"' target/airlock/deployments/*/journal.jsonl
}

@test "a publish is tried again only when it is known not to have happened" {
  [ "$ENGINE" = postgres ] || return 0
  deploy
  assert_status 0
  publish=$("$PYTHON" -c 'import json, sys
print(*[line["nth"] for line in map(json.loads, sys.stdin) if "commit" in line.get("calls", [])])' <"$DIRECT_TRACE")
  rm "$DIRECT_TRACE"
  DIRECT_FAULT="run-operation/$publish.9:before:error=could_not_serialize_access" deploy
  assert_status 0
  assert_says 'publishing again: '
  assert_sql "select count(*) from airlock.airlock_log where event = 'published'" 3
}

@test "an error that does not pass is not tried again" {
  DIRECT_FAULT='run-operation/1.2:before:error=no_such_thing' deploy
  assert_status 125
  refute_says 'again'
  assert_production_unchanged
}
