#!/usr/bin/env bats
# A clock that is set back, of this machine and of the server: nobody gets a lock early, none is held for
# ever, and the history is in the order in which it was written. With test/support/direct in dbt's place.

load ../support/common.bash

DAYS_400=34560000

setup_file() {
  # The server is another user.
  CLOCK=$(mktemp -d)
  chmod 755 "$CLOCK"
  cc -shared -fPIC -O1 -o "$CLOCK/clock.so" "$ROOT/test/support/clock.c"
  export CLOCK CLOCK_AHEAD=$CLOCK/ahead AIRLOCK_DBT=$DIRECT
  head -c 8 /dev/zero >"$CLOCK_AHEAD"
  # A binary with AddressSanitizer wants its runtime to come first.
  export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0
  export LD_PRELOAD=$CLOCK/clock.so
  set_clock "$DAYS_400"
  begin_file shop
  deploy
  assert_status 0
  freeze
}

setup() {
  set_clock "$DAYS_400"
  thaw
  AIRLOCK_DBT=$DIRECT
  WHERE=(--from staging --to prod)
}

teardown_file() {
  end_file
  unset LD_PRELOAD
  rm -r "$CLOCK"
}

set_clock() { # set_clock SECONDS: ahead of what it is
  "$PYTHON" -c 'import struct, sys; open(sys.argv[1], "r+b").write(struct.pack("q", int(sys.argv[2])))' \
    "$CLOCK_AHEAD" "$1"
}

moves_to() { # moves_to COUNTRY: a customer, in the seed
  sed -i "s/^4,Dario Rossi,../4,Dario Rossi,$1/" seeds/raw_customers.csv
}

country() {
  sql 'select country from mart.customers where customer_id = 4'
}

year() { # by the clock of the database
  case $ENGINE in
  postgres) sql 'select extract(year from clock_timestamp())::int' ;;
  *) sql "select strftime(now() at time zone 'UTC', '%Y')" ;;
  esac
}

@test "between two deployments: the history is in their order, and the last one is rolled back" {
  then=$(year)
  moves_to CH
  deploy
  assert_status 0
  set_clock 0
  [ "$(year)" -lt "$then" ]
  moves_to DE
  deploy --keep 5
  assert_status 0
  run --separate-stderr airlock history "${WHERE[@]}" --json
  assert_json '[(d["outcome"], d["started_at"][:4]) for d in d["deployments"]]' \
    "[[\"published\", \"$(year)\"], [\"published\", \"$then\"], [\"published\", \"$then\"]]"
  run airlock rollback "${WHERE[@]}" --yes
  assert_status 0
  [ "$(country)" = CH ]
  run airlock gc "${WHERE[@]}" --yes
  assert_status 0
  run airlock rollback "${WHERE[@]}" --yes
  assert_status 0
  [ "$(country)" = IT ]
}

@test "during a deployment: the lock stays its own, and it comes to its end" {
  moves_to CH
  cat >hook <<SH
'$PYTHON' -c 'import struct; open("$CLOCK_AHEAD", "r+b").write(struct.pack("q", 0))'
'$AIRLOCK_BIN' deploy wac ${WHERE[*]} --tags mart,utils --yes --if-locked fail
echo "another one ended with \$?"
SH
  deploy --before-publish 'sh hook'
  assert_status 0
  assert_says 'another one ended with 72'
  [ "$(country)" = CH ]
  moves_to DE
  deploy
  assert_status 0
  [ "$(country)" = DE ]
  run --separate-stderr airlock history "${WHERE[@]}" --json
  assert_json '[d["outcome"] for d in d["deployments"]]' '["published", "published", "published"]'
}

@test "behind one that died: its lock is taken over as ever" {
  moves_to CH
  AIRLOCK_FAULT=audit:after:crash deploy
  assert_status 137
  set_clock 0
  deploy
  assert_status 0
  [ "$(country)" = CH ]
  run --separate-stderr airlock history "${WHERE[@]}" --json
  assert_json '[d["outcome"] for d in d["deployments"]]' '["published", "failed", "published"]'
}

# Whether it is dead cannot be seen, and its lease ends by the clock of the server.
# bats test_tags=engine:postgres
@test "behind one on another machine that died: its lock stays until its lease ends, or is unlocked" {
  moves_to CH
  AIRLOCK_FAULT=audit:after:crash deploy
  assert_status 137
  id=$(sql "select id from airlock.airlock_log where event = 'begun' order by logged_at desc limit 1")
  sql "update airlock.airlock_lock_$(lock_of stage) set host = 'other-machine' where nonce <> ''"
  deploy --if-locked fail
  assert_status 72
  set_clock 0
  deploy --if-locked fail
  assert_status 72
  assert_says "deployment '$id'" 'its lease ends 20' 'airlock unlock'
  run airlock unlock "$id" "${WHERE[@]}" --yes
  assert_status 0
  deploy
  assert_status 0
  [ "$(country)" = CH ]
}
