#!/usr/bin/env bats
# Surroundings that are against it, with test/support/direct in dbt's place: what is said, that
# production is as it was, and that the next deployment works once the cause is gone.

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
  export AIRLOCK_DBT=$ROOT/test/support/direct/dbt
  DEPLOY=("$AIRLOCK_BIN" deploy wac --from staging --to prod --tags 'mart,utils' --yes)
}

teardown_file() {
  end_file
}

country() {
  sql 'select country from mart.customers where customer_id = 4'
}

assert_next_works() {
  deploy
  assert_status 0
  [ "$(country)" = CH ]
}

# Runs a line of shell where target/ is a file system of its own: with_target '-t tmpfs -o size=1m' LINE.
# $deploy in it is the command.
with_target() {
  mkdir -p target
  # shellcheck disable=SC2086
  deploy="${DEPLOY[*]@Q}" run $MOUNT --propagation private sh -c "mount $1 target && $2"
}

assert_journals_whole() {
  "$PYTHON" - target/airlock/deployments/*/journal.jsonl <<'PY'
import json, sys
for name in sys.argv[1:]:
    for line in open(name):
        json.loads(line)
PY
}

# How a file system is mounted that only the command sees, in $MOUNT: as root, or as one's own root. Where
# nobody may mount anything, as in some containers, the test says that it proved nothing.
find_mount() {
  for MOUNT in 'unshare --mount' 'unshare --user --map-root-user --mount'; do
    # shellcheck disable=SC2086
    ! $MOUNT --propagation private mount -t tmpfs none /mnt 2>/dev/null || return 0
  done
  echo "# not run, nobody may mount anything here: $BATS_TEST_DESCRIPTION" >&3
  return 1
}

# bats test_tags=engine:any
@test "a disk that is full from the beginning, and is not any more" {
  find_mount || return 0
  with_target '-t tmpfs -o size=16k none' \
    'cat /dev/zero >target/filler 2>/dev/null; eval "$deploy"; echo "ended with $?"
     mount -o remount,size=100m target; rm target/filler; eval "$deploy"; echo "then with $?"'
  assert_says 'No space left on device' 'production was not changed' 'ended with 2' 'then with 0'
  [ "$(country)" = CH ]
}

# bats test_tags=engine:any
@test "a disk that is full in the middle of the build" {
  find_mount || return 0
  fake_dbt build 'cat /dev/zero >target/filler 2>/dev/null'
  with_target '-t tmpfs -o size=50m none' \
    'eval "$deploy"; echo "ended with $?"; rm target/filler
     export AIRLOCK_DBT=$ROOT/test/support/direct/dbt; eval "$deploy"; echo "then with $?"'
  assert_says 'No space left on device' 'production was not changed' 'then with 0'
  refute_says 'ended with 0'
  [ "$(country)" = CH ]
}

@test "a disk that is full right before the publish: nothing is done that is not written down" {
  find_mount || return 0
  with_target '-t tmpfs -o size=50m none' \
    'eval "$deploy --before-publish \"cat /dev/zero >target/filler 2>/dev/null; true\""; echo "ended with $?"
     rm target/filler; eval "$deploy"; echo "then with $?"'
  assert_says 'cannot write' target/airlock/ 'No space left on device' 'make room there' \
    'production was not changed' 'ended with 125' 'then with 0'
  [ "$(country)" = CH ]
}

@test "a disk that is full right behind the publish: it is published, and that is said" {
  find_mount || return 0
  with_target '-t tmpfs -o size=50m none' \
    'eval "$deploy --after-publish \"cat /dev/zero >target/filler 2>/dev/null; true\""; echo "ended with $?"
     rm target/filler; eval "$deploy"; echo "then with $?"'
  assert_says 'No space left on device' 'production was changed' 'ended with 70' 'then with 0'
  [ "$(country)" = CH ]
}

# bats test_tags=engine:any
@test "a target/ that cannot be written to" {
  find_mount || return 0
  remember_production
  with_target '--bind target' \
    'mount -o remount,bind,ro target; eval "$deploy"; echo "ended with $?"
     "$AIRLOCK_BIN" history --from staging --to prod; echo "history ended with $?"'
  assert_says 'Read-only file system' target/airlock 'production was not changed' \
    'ended with 2' 'history ended with 2'
  assert_production_unchanged
  assert_next_works
}

@test "a clock that was ahead, and was set back" {
  deploy
  sql "update airlock.airlock_log set logged_at = logged_at + interval '400 days'"
  [ "$(country)" = CH ]
  sed -i 's/^4,Dario Rossi,CH/4,Dario Rossi,DE/' seeds/raw_customers.csv
  deploy
  assert_status 0
  [ "$(country)" = DE ]
  run airlock rollback --from staging --to prod --yes
  assert_status 0
  [ "$(country)" = CH ]
  run airlock gc --from staging --to prod
  assert_status 0
}

# bats test_tags=engine:any
@test "SIGCHLD inherited as ignored" {
  run env --ignore-signal=CHLD "${DEPLOY[@]}" --after-publish 'exit 9'
  assert_status 70
  [ "$(country)" = CH ]
  DIRECT_TRACE=$BATS_TEST_TMPDIR/trace DIRECT_FAULT=build/1.5:before:error \
    run env --ignore-signal=CHLD "${DEPLOY[@]}"
  assert_status 2
}

# bats test_tags=engine:any
@test "SIGHUP inherited as ignored: it goes on when the terminal has gone" {
  run env --ignore-signal=HUP "${DEPLOY[@]}" --before-publish 'kill -HUP $PPID; sleep 0.2'
  assert_status 0
  [ "$(country)" = CH ]
}

# bats test_tags=engine:any
@test "SIGHUP before the publish: ended, and production as it was" {
  run "${DEPLOY[@]}" --before-publish 'kill -HUP $PPID; sleep 0.2'
  assert_status 129
  assert_says 'production was not changed'
  [ "$(country)" = IT ]
  assert_next_works
}

# A deployment that is killed while CALL runs, $id, and its journal.
killed() { # killed CALL
  DIRECT_TRACE=$BATS_TEST_TMPDIR/trace DIRECT_FAULT=$1:before:crash-airlock deploy
  assert_status 137
  id=$(sql "select id from airlock.airlock_log where event = 'begun' order by logged_at desc limit 1")
  journal=target/airlock/deployments/$id/journal.jsonl
}

# bats test_tags=engine:any
@test "a journal cut anywhere: resume and history answer as they do with the whole one" {
  killed build/1.5
  cp -a "$WORK" "$BATS_TEST_TMPDIR/killed"
  size=$(stat -c %s "$journal")
  for cut in 0 $((size / 2)) $((size - 1)); do
    cd /
    rm -rf "$WORK"
    cp -a "$BATS_TEST_TMPDIR/killed" "$WORK"
    cd "$WORK/project"
    truncate -s "$cut" "$journal"
    run airlock abort "$id" --from staging --to prod
    assert_status 0
    [ "$(country)" = IT ]
    assert_sql "select event from airlock.airlock_log where id = '$id' order by rowid desc limit 1" aborted
  done
  run --separate-stderr airlock inspect "$id" --from staging --to prod --json
  assert_status 0
  assert_next_works
}

# bats test_tags=engine:any
@test "a journal cut in the publish: resume publishes what was tested" {
  killed run-operation/4.1
  truncate -s -25 "$journal"
  run airlock resume "$id" --from staging --to prod
  assert_status 0
  [ "$(country)" = CH ]
}

# bats test_tags=engine:any
@test "a journal of a newer version: named, and nothing is done" {
  killed build/1.5
  sed -i '1s/"journal": *1,/"journal": 2,/; 1s/"version": *"[^"]*"/"version": "9.1.0"/' "$journal"
  run airlock resume "$id" --from staging --to prod
  assert_status 125
  assert_says 'written by airlock 9.1.0' 'use that version' "target/airlock/deployments/$id"
  [ "$(country)" = IT ]
  rm -r "target/airlock/deployments/$id"
  run airlock resume "$id" --from staging --to prod
  assert_status 0
  [ "$(country)" = CH ]
}

# Deploys once for each argument: what is closed, as redirections. Country by country.
deploy_closed() {
  local closed ended countries=(CH DE FR HR IT NL SI SK) was=CH n=0
  for closed; do
    ended=0
    eval '"${DEPLOY[@]}" --before-publish "cat >/dev/null; echo asked; echo asked >&2" '"$closed" || ended=$?
    [ "$ended" = 0 ] || fail "$closed: $ended"
    [ "$(country)" = "$was" ] || fail "$closed: not published"
    n=$((n + 1))
    sed -i "s/^4,Dario Rossi,$was/4,Dario Rossi,${countries[n]}/" seeds/raw_customers.csv
    was=${countries[n]}
  done
  assert_journals_whole
}

# The same of what only reads.
read_closed() {
  local closed command ended
  for closed; do
    for command in 'history --from staging --to prod' 'plan wac --from staging --to prod --tags mart,utils'; do
      ended=0
      eval '"$AIRLOCK_BIN" '"$command $closed" >"$BATS_TEST_TMPDIR/said" || ended=$?
      [ "$ended" = 0 ] || fail "$command $closed: $ended"
    done
  done
}

# bats test_tags=engine:any
@test "descriptors 0 to 2 closed: to its end, and nothing of what it says is in a file" {
  deploy_closed '1>&-' '0<&- 1>&- 2>&-'
  read_closed '0<&- 1>&- 2>&-'
}

# bats test_tags=engine:any,exhaustive
@test "descriptors 0 to 2 closed, in every combination" {
  local all=('0<&-' '1>&-' '2>&-' '0<&- 1>&-' '0<&- 2>&-' '1>&- 2>&-' '0<&- 1>&- 2>&-')
  deploy_closed "${all[@]}"
  read_closed "${all[@]}"
}
