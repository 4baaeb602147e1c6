#!/usr/bin/env bats
# Limits of time and signals, with test/support/direct in dbt's place: what is said, how it ends, and
# that the next deployment works.

load ../support/common.bash

setup_file() {
  begin_file shop
  export AIRLOCK_DBT=$ROOT/test/support/direct/dbt
  deploy
  assert_status 0
  sed -i 's/^4,Dario Rossi,IT/4,Dario Rossi,CH/' seeds/raw_customers.csv
  freeze
}

setup() {
  thaw
  remember_production
  export AIRLOCK_DBT=$ROOT/test/support/direct/dbt DIRECT_TRACE=$BATS_TEST_TMPDIR/trace
}

teardown_file() {
  end_file
}

assert_next_works() {
  unset DIRECT_FAULT DIRECT_TRACE
  export AIRLOCK_DBT=$ROOT/test/support/direct/dbt
  deploy
  assert_status 0
  assert_sql 'select country from mart.customers where customer_id = 4' CH
}

# Deploys in the background, and sends the signals when they are due: [TEXT SIGNAL]... A fake dbt
# says in the same file when it has set its trap.
deploy_and_signal() {
  local pid
  status=0
  rm -f "$BATS_TEST_TMPDIR/said"
  "$AIRLOCK_BIN" deploy wac --from staging --to prod --tags mart,utils --yes \
    >>"$BATS_TEST_TMPDIR/said" 2>&1 3>&- &
  pid=$!
  while [ $# -gt 0 ]; do
    for _ in $(seq 1200); do
      grep -qF -- "$1" "$BATS_TEST_TMPDIR/said" && break
      sleep 0.05
    done
    kill -s "$2" "$pid"
    shift 2
  done
  wait "$pid" || status=$?
  output=$(cat "$BATS_TEST_TMPDIR/said")
}

@test "build_timeout: 124, the phase, and production as it was" {
  DIRECT_FAULT=build/1.0:before:hang deploy --build-timeout 1
  assert_status 124
  assert_says "phase 'build': dbt build ran out of time after 1 s" build_timeout \
    'production was not changed'
  assert_production_unchanged
  assert_next_works
}

@test "operation_timeout: while the lock is taken" {
  DIRECT_FAULT=run-operation/1.3:before:hang deploy --operation-timeout 3
  assert_status 124
  assert_says "phase 'observe'" 'ran out of time' operation_timeout 'production was not changed'
  assert_production_unchanged
  assert_next_works
}

# bats test_tags=default:duckdb
@test "operation_timeout: the parse" {
  rm -r target
  DIRECT_FAULT=parse/1.0:before:hang deploy --operation-timeout 3
  assert_status 124
  assert_says 'dbt parse --target' 'ran out of time' 'production was not changed'
  assert_production_unchanged
}

# bats test_tags=default:duckdb
@test "operation_timeout does not limit the build" {
  fake_dbt build 'sleep 4'
  deploy --operation-timeout 3
  assert_status 0
}

@test "a limit in the publish: what became of it is read before anything is said" {
  DIRECT_FAULT=run-operation/4.1:before:hang deploy --operation-timeout 3
  assert_status 124
  assert_says "phase 'publish'" 'production was not changed'
  assert_production_unchanged
  assert_next_works
}

@test "a limit behind the commit of the publish: it is published" {
  DIRECT_FAULT=run-operation/4.0:after:hang deploy --operation-timeout 3
  assert_status 0
  assert_says 'its record is committed' 'published 6 relations'
  assert_sql 'select country from mart.customers where customer_id = 4' CH
}

# bats test_tags=default:postgres
@test "TERM during the build reaches dbt as INT; it says what is so; 143" {
  fake_dbt build 'trap "echo got INT >>\"$DIRECT_TRACE\".int; exit 2" INT
    echo "its trap is set" >>"$BATS_TEST_TMPDIR/said"; sleep 20 & wait'
  deploy_and_signal 'its trap is set' TERM
  assert_status 143
  assert_says "SIGTERM in phase 'build': dbt was asked to end; production was not changed"
  [ "$(cat "$DIRECT_TRACE.int")" = 'got INT' ]
  assert_production_unchanged
  assert_next_works
}

@test "a second signal kills a build that does not end, and says what to do next" {
  fake_dbt build 'trap "" INT TERM; echo "its trap is set" >>"$BATS_TEST_TMPDIR/said"; sleep 20'
  deploy_and_signal 'its trap is set' TERM 'dbt was asked to end' TERM
  assert_status 143
  assert_says "SIGTERM again in phase 'build': dbt is killed; production was not changed" \
    'run it again'
  assert_production_unchanged
  assert_next_works
}

@test "two signals in the publish: it ends as it would have, and 0" {
  DIRECT_FAULT='run-operation/4.1:before:term run-operation/4.1:after:term' deploy
  assert_status 0
  assert_says "SIGTERM in phase 'publish': held until the warehouse has answered" \
    "SIGTERM again in phase 'publish': still held" 'kill -9' 'published 6 relations'
  assert_sql 'select country from mart.customers where customer_id = 4' CH
}
