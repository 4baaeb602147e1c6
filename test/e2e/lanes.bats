#!/usr/bin/env bats
# Tables side by side where each statement stands alone, with the real adapters against the stand-ins.
# One warehouse for the whole file: each test begins with whatever the ones before it published.
# bats file_tags=exhaustive

load ../support/common.bash
load ../support/one_by_one.bash

standin_address() {
  if [ "$ENGINE" = snowflake ]; then echo "http://127.0.0.1:$SHOP_SF_PORT"; else echo "$SHOP_BQ_ENDPOINT"; fi
}

copy_of() { # copy_of TABLE: the pattern of its copy
  if [ "$ENGINE" = snowflake ]; then echo "create or replace .*mart.*$1.* clone"; else echo "table .*mart.*$1.* copy "; fi
}

# Twelve tables of two depths, and a view.
setup_file() {
  local i
  begin_file shop
  for i in 1 2 3 4 5 6; do
    echo "select $i as n, {{ var('version', 1) }} as version" >"models/mart/left_$i.sql"
    echo "select n, version from {{ ref('left_$i') }}" >"models/mart/right_$i.sql"
  done
  cat >models/mart/_many.yml <<'YAML'
version: 2
models:
  - name: left_1
    columns: [{name: n, data_tests: [not_null]}]
YAML
  many
  assert_status 0
}

many() { # many [OPTION...], into $status and $output
  run --separate-stderr airlock deploy wac --from staging --to prod -s '*left_*' '*right_*' --yes --json "$@"
}

versions() { # how many of the twelve are of which
  local name
  for name in left right; do
    for i in 1 2 3 4 5 6; do sql "select version from mart.${name}_$i"; done
  done | sort | uniq -c | awk '{printf "%s%s of %s", sep, $1, $2; sep = ", "}'
}

starts() {
  json 'd["dbt_starts"]'
}

@test "more sessions for many tables, and the same result" {
  many --lanes 1 -- --vars '{version: 2}'
  assert_status 0
  [ "$(versions)" = '12 of 2' ]
  one=$(starts)
  many --lanes 4 -- --vars '{version: 3}'
  assert_status 0
  [ "$(versions)" = '12 of 3' ]
  # The front, stages, checks, restore points, two depths, the rest: 2 lanes for 6 tables, 4 for 12.
  [ "$(starts)" -gt "$((one + 8))" ]
  assert_json 'len(d["published"])' 12
  run airlock rollback --from staging --to prod --yes
  assert_status 0
  [ "$(versions)" = '12 of 2' ]
}

# Of the first depth, so that nothing of the second one begins; what is behind it in its session does not.
@test "a copy that fails stops the publish behind its depth, and resume publishes the rest" {
  before=$(versions)
  fault "$(copy_of left_3)" error
  many -- --vars '{version: 4}'
  assert_status 70
  assert_says '4 of 12 relations are published' 'airlock resume'
  assert_json 'd["next"] == ["airlock %s %s --from staging --to prod" % (c, d["id"]) for c in ("resume", "abort")]' true
  [ "$(versions)" = "8 of ${before#12 of }, 4 of 4" ]
  run airlock resume --from staging --to prod
  assert_status 0
  [ "$(versions)" = '12 of 4' ]
}

@test "killed while several copy at once: all of them are ended, and resume publishes the rest" {
  before=$(versions)
  fault "$(copy_of left_2)" "$([ "$ENGINE" = snowflake ] && echo long || echo slow)" 60
  "$AIRLOCK_BIN" deploy wac --from staging --to prod -s '*left_*' '*right_*' --yes -- --vars '{version: 5}' >out 2>&1 &
  airlock=$!
  for _ in $(seq 900); do
    [ "$(versions)" = "$before" ] || break
    sleep 0.2
  done
  kill -9 "$airlock"
  wait "$airlock" || true
  [ "$(versions)" != "$before" ]
  [ "$(versions)" != '12 of 5' ]
  run airlock resume --from staging --to prod
  assert_status 0
  [ "$(versions)" = '12 of 5' ]
  assert_sql "select count(*) from airlock.airlock_log where event = 'finished'" \
    "$(sql "select count(*) from airlock.airlock_log where event = 'begun'")"
}
