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

# Runs a line of shell; target/ is a file system of its own there, as `find_disk` has it. $deploy in it is
# the command.
with_target() { # with_target 'OPTION... WHAT' LINE
  mkdir -p target
  # shellcheck disable=SC2086
  if [ -n "$MOUNT" ]; then
    deploy="${DEPLOY[*]@Q}" run $MOUNT --propagation private sh -c "mount $1 target && $2"
  else # who meets the limit is not to be killed for it
    deploy="${DEPLOY[*]@Q}" run sh -c "trap '' XFSZ; $2"
  fi
}

assert_journals_whole() {
  "$PYTHON" - target/airlock/deployments/*/journal.jsonl <<'PY'
import json, sys
for name in sys.argv[1:]:
    for line in open(name):
        json.loads(line)
PY
}

# How a file system is mounted that only the command sees, in $MOUNT: as root, or as one's own root.
find_mount() {
  for MOUNT in 'unshare --mount' 'unshare --user --map-root-user --mount'; do
    # shellcheck disable=SC2086
    ! $MOUNT --propagation private mount -t tmpfs none /mnt 2>/dev/null || return 0
  done
  MOUNT=
}

# How it is filled, and what is said then: $fill PROCESS and $drain PROCESS. Where nobody may mount anything,
# as in some containers, no file of that process and of those that it starts can grow.
find_disk() {
  export fill=$BATS_TEST_TMPDIR/fill drain=$BATS_TEST_TMPDIR/drain hook='sh "$fill" $PPID'
  find_mount
  if [ -n "$MOUNT" ]; then
    FULL='No space left on device'
    echo 'cat /dev/zero >target/filler 2>/dev/null; true' >"$fill"
    echo 'rm target/filler' >"$drain"
  else
    FULL='File too large'
    echo 'prlimit --fsize=0:unlimited --pid "$1"' >"$fill"
    echo 'prlimit --fsize=unlimited --pid "$1"' >"$drain"
  fi
}

# bats test_tags=default:duckdb
@test "a disk that is full from the beginning, and is not any more" {
  find_disk
  with_target '-t tmpfs -o size=10m none' \
    'sh "$fill" $$; eval "$deploy"; echo "ended with $?"; sh "$drain" $$; eval "$deploy"; echo "then with $?"'
  assert_says "$FULL" 'production was not changed' 'then with 0'
  refute_says 'ended with 0'
  [ "$(country)" = CH ]
}

# bats test_tags=default:duckdb
@test "a disk that is full in the middle of the build" {
  find_disk
  fake_dbt build 'sh "$fill" $PPID; trap "" XFSZ; sh "$fill" $$'
  with_target '-t tmpfs -o size=50m none' \
    'eval "$deploy"; echo "ended with $?"; sh "$drain" $$
     export AIRLOCK_DBT=$DIRECT; eval "$deploy"; echo "then with $?"'
  assert_says "$FULL" 'production was not changed' 'then with 0'
  refute_says 'ended with 0'
  [ "$(country)" = CH ]
}

@test "a disk that is full right before the publish: nothing is done that is not written down" {
  find_disk
  with_target '-t tmpfs -o size=50m none' \
    'eval "$deploy --before-publish \"\$hook\""; echo "ended with $?"; sh "$drain" $$; eval "$deploy"; echo "then with $?"'
  assert_says 'cannot write' target/airlock/ "$FULL" 'production was not changed' 'ended with 125' 'then with 0'
  [ "$(country)" = CH ]
}

@test "a disk that is full right behind the publish: it is published, and that is said" {
  find_disk
  with_target '-t tmpfs -o size=50m none' \
    'eval "$deploy --after-publish \"\$hook\""; echo "ended with $?"; sh "$drain" $$; eval "$deploy"; echo "then with $?"'
  assert_says "$FULL" 'production was changed' 'ended with 70' 'then with 0'
  [ "$(country)" = CH ]
}

# bats test_tags=default:duckdb
@test "a target/ that cannot be written to" {
  remember_production
  find_mount
  local refuse='mount -o remount,bind,ro target' refused='Read-only file system' as=
  if [ -z "$MOUNT" ]; then
    refuse='chmod -R a-w target' refused='Permission denied'
    [ "$(id -u)" -ne 0 ] || as='setpriv --inh-caps -all --bounding-set -all '
  fi
  with_target '--bind target' "$refuse; eval \"$as\$deploy\"; echo \"ended with \$?\"
     $as\"\$AIRLOCK_BIN\" history --from staging --to prod; echo \"history ended with \$?\""
  chmod -R u+w target
  assert_says "$refused" target/airlock 'production was not changed' \
    'ended with 2' 'history ended with 2'
  assert_production_unchanged
  assert_next_works
}

# bats test_tags=default:duckdb
@test "SIGCHLD inherited as ignored" {
  run env --ignore-signal=CHLD "${DEPLOY[@]}" --after-publish 'exit 9'
  assert_status 70
  [ "$(country)" = CH ]
  DIRECT_TRACE=$BATS_TEST_TMPDIR/trace DIRECT_FAULT=build/1.5:before:error \
    run env --ignore-signal=CHLD "${DEPLOY[@]}"
  assert_status 2
}

# bats test_tags=default:duckdb
@test "SIGHUP inherited as ignored: it goes on when the terminal has gone" {
  run env --ignore-signal=HUP "${DEPLOY[@]}" --before-publish 'kill -HUP $PPID; sleep 0.2'
  assert_status 0
  [ "$(country)" = CH ]
}

# bats test_tags=default:duckdb
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

# bats test_tags=default:duckdb
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

# bats test_tags=default:duckdb
@test "a journal cut in the publish: resume publishes what was tested" {
  killed run-operation/4.1
  truncate -s -25 "$journal"
  run airlock resume "$id" --from staging --to prod
  assert_status 0
  [ "$(country)" = CH ]
}

# bats test_tags=default:duckdb
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

# bats test_tags=default:duckdb
@test "descriptors 0 to 2 closed: to its end, and nothing of what it says is in a file" {
  deploy_closed '1>&-' '0<&- 1>&- 2>&-'
  read_closed '0<&- 1>&- 2>&-'
}

# bats test_tags=default:duckdb,exhaustive
@test "descriptors 0 to 2 closed, in every combination" {
  local all=('0<&-' '1>&-' '2>&-' '0<&- 1>&-' '0<&- 2>&-' '1>&- 2>&-' '0<&- 1>&- 2>&-')
  deploy_closed "${all[@]}"
  read_closed "${all[@]}"
}
