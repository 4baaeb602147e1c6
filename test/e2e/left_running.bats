#!/usr/bin/env bats
# airlock was killed, and its dbt lives on: a wrapper that does not exec is all that hears of that
# death. Whoever settles the deployment ends what it left on this host first.

load ../support/common.bash

setup_file() {
  begin_file shop
  directly deploy
  assert_status 0
  sed -i 's/^4,Dario Rossi,IT/4,Dario Rossi,CH/' seeds/raw_customers.csv
  cat >"$BATS_FILE_TMPDIR/wrapper" <<END
#!/bin/sh
"$DIRECT" "\$@"
exit \$?
END
  chmod +x "$BATS_FILE_TMPDIR/wrapper"
  freeze
}

setup() {
  export AIRLOCK_DBT=$BATS_FILE_TMPDIR/wrapper DIRECT_TRACE=$BATS_TEST_TMPDIR/trace
  thaw
  left_running
}

teardown() {
  for pid in ${left-} ${bystander-}; do kill -KILL "$pid" 2>/dev/null || true; done
}

teardown_file() {
  end_file
}

# A deployment that died in its build, $id, and the dbt of it that did not, $left. Beside it a process
# as airlock starts them, of an airlock with the same pid that is older: $bystander.
left_running() {
  local first starter
  rm -f "$DIRECT_TRACE"
  [ -z "${bystander-}" ] || kill -KILL "$bystander"
  DIRECT_FAULT=build/1.5:before:hang "$AIRLOCK_BIN" deploy wac \
    --from staging --to prod --tags mart,utils --yes >"$BATS_TEST_TMPDIR/first" 2>&1 3>&- &
  first=$!
  await_fault "$BATS_TEST_TMPDIR/first"
  left=$(sed -n 's/.*"verb": "build".*"pid": \([0-9]*\),.*/\1/p' "$DIRECT_TRACE")
  starter=$(tr '\0' '\n' <"/proc/$left/environ" | sed -n 's/^AIRLOCK_STARTED_BY=//p')
  [[ $starter == "$first":* ]] || fail "it is said to be started by '$starter'"
  AIRLOCK_STARTED_BY=$first:1:${starter#*:*:} sleep 60 >/dev/null 2>&1 3>&- &
  bystander=$!
  disown "$bystander"
  { kill -KILL "$first" && wait "$first"; } 2>/dev/null || true
  lives "$left" || fail 'its dbt died with it'
  id=$(grep -lE "\"pid\": ?\"$first\"" target/airlock/deployments/*/journal.jsonl)
  id=$(basename "${id%/journal.jsonl}")
}

lives() {
  [ -e "/proc/$1/stat" ] && ! grep -q '^State:.[ZX]' "/proc/$1/status"
}

# Nothing is left of it, and the other lives.
assert_ended() {
  local environ
  ! lives "$left" || fail "process $left lives" "$output"
  for environ in /proc/[0-9]*/environ; do
    ! tr '\0' '\n' 2>/dev/null <"$environ" | grep -qx "DIRECT_TRACE=$DIRECT_TRACE" ||
      [ "$environ" = "/proc/$bystander/environ" ] || [[ $environ == /proc/@($$|$BASHPID)/* ]] ||
      fail "${environ%/environ} lives: $(tr '\0' ' ' <"${environ%environ}cmdline")"
  done
  lives "$bystander"
}

country() {
  sql 'select country from mart.customers where customer_id = 4'
}

elsewhere() {
  cp -R . "$BATS_TEST_TMPDIR/other"
  cd "$BATS_TEST_TMPDIR/other"
  rm -rf target logs
}

@test "its dbt lives on: the next deployment ends it and publishes" {
  deploy
  assert_status 0
  assert_ended
  assert_says "deployment '$id' died and is settled: it had not changed production"
  [ "$(country)" = CH ]
}

@test "its dbt lives on: unlock ends it" {
  run airlock unlock "$id" --from staging --to prod --yes
  assert_status 0
  assert_ended
  [ "$(country)" = IT ]
  deploy
  assert_status 0
  [ "$(country)" = CH ]
}

@test "its dbt lives on: resume ends it and publishes" {
  run airlock resume "$id" --from staging --to prod
  assert_status 0
  assert_ended
  [ "$(country)" = CH ]
}

@test "its dbt lives on: abort ends it" {
  run airlock abort "$id" --from staging --to prod
  assert_status 0
  assert_ended
  [ "$(country)" = IT ]
}

@test "its dbt lives on: from another checkout, which has no journal of it" {
  elsewhere
  run airlock resume "$id" --from staging --to prod
  assert_status 0
  assert_ended
  [ "$(country)" = CH ]
}

# bats test_tags=exhaustive
@test "its dbt lives on: unlock, abort and the next deployment, from another checkout" {
  elsewhere
  run airlock unlock "$id" --from staging --to prod --yes
  assert_status 0
  assert_ended
  left_running
  run airlock abort "$id" --from staging --to prod
  assert_status 0
  assert_ended
  [ "$(country)" = IT ]
  left_running
  deploy
  assert_status 0
  assert_ended
  [ "$(country)" = CH ]
}
