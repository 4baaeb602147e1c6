#!/usr/bin/env bats
# routes from manifests that are there, and what is not parsed again.

load ../support/common.bash

setup_file() {
  begin_file shop
  airlock routes --from staging --to prod --tags mart,utils >/dev/null
  freeze
}

setup() {
  thaw
}

teardown_file() {
  end_file
}

routes() {
  run --separate-stderr airlock routes --tags mart,utils "$@"
}

sides() {
  routes --from staging --to prod "$@"
}

# A dbt that must not be started.
no_dbt() {
  export AIRLOCK_DBT=/nonexistent/dbt
}

@test "routes --offline says what dbt's own parse says, without dbt" {
  sides --json
  assert_status 0
  online=$output
  no_dbt
  sides --offline --json
  assert_status 0
  [ "$output" = "$online" ]
}

@test "routes --offline selects as the project's selectors.yml says" {
  printf 'selectors: [{name: money, definition: {tag: utils}}]\n' >selectors.yml
  no_dbt
  sides --offline --selector money --json
  assert_status 0
  assert_json 'sorted(r["unique_id"] for r in d["routes"] if r["in_scope"])' \
    '["model.shop.calendar", "model.shop.currencies"]'
  sides --offline --selector mony
  assert_status 125
  [[ $stderr == *"selectors.yml has no selector 'mony'"*"did you mean 'money'"* ]]
}

@test "routes --offline names what it cannot answer" {
  no_dbt
  sides --offline -s state:modified
  assert_status 125
  [[ $stderr == *'only dbt can say what this selection means'* ]]
  rm -r target/airlock/parse/prod
  sides --offline
  assert_status 125
  [[ $stderr == *"'prod' was never parsed"*'without --offline once'* ]]
}

@test "routes --manifest lists the relations of a file outside any project" {
  cp target/airlock/parse/prod/manifest.json "$BATS_TEST_TMPDIR/m.json"
  cd "$BATS_TEST_TMPDIR"
  no_dbt
  run --separate-stderr airlock routes --manifest m.json -s tag:utils --json
  assert_status 0
  assert_json '[(r["unique_id"], r["from"]["schema"], r["to"]) for r in d["routes"]]' \
    '[["model.shop.calendar", "utils", null], ["model.shop.currencies", "utils", null]]'
  run --separate-stderr airlock routes --manifest m.json -s tag:nope
  assert_status 125
  [[ $stderr == *'the selection leaves no model, seed or snapshot'* ]]
}

@test "routes --manifest --manifest-to joins two files" {
  sides --json
  online=$output
  cp target/airlock/parse/staging/manifest.json "$BATS_TEST_TMPDIR/from.json"
  cp target/airlock/parse/prod/manifest.json "$BATS_TEST_TMPDIR/to.json"
  cd "$BATS_TEST_TMPDIR"
  no_dbt
  routes --manifest from.json --manifest-to to.json --json
  assert_status 0
  assert_json 'd["routes"]' "$(python3 -c 'import json, sys; print(json.dumps(json.load(sys.stdin)["routes"]))' <<<"$online")"
}

@test "routes --manifest refuses what is no manifest, with the place" {
  no_dbt
  head -c 5000 target/airlock/parse/prod/manifest.json >cut.json
  routes --manifest cut.json
  assert_status 125
  [[ $stderr == *'cut.json:1:5001: the file ends in the middle of a value'* ]]
  routes --manifest .
  assert_status 125
  [[ $stderr == *"'.' is a directory where a manifest.json is expected"* ]]
  routes --manifest-to cut.json
  assert_status 125
  routes --manifest cut.json --offline
  assert_status 125
}

# Which parse wrote the manifests.
parses() {
  cat target/airlock/parse/{staging,prod}/manifest.json | grep -o '"invocation_id": "[^"]*"' | sort -u
}

assert_parsed_again() {
  local before
  before=$(parses)
  sides "$@"
  assert_status 0
  [ "$(parses)" != "$before" ] || fail 'nothing was parsed'
}

refute_parsed_again() {
  local before
  before=$(parses)
  sides
  assert_status 0
  [ "$(parses)" = "$before" ] || fail 'it was parsed again'
}

@test "what did not change is not parsed again" {
  refute_parsed_again
  touch models/mart/orders.sql dbt_project.yml profiles.yml
  refute_parsed_again
  sed -i 's/^select/SELECT/' models/mart/orders.sql # as many bytes
  assert_parsed_again
  refute_parsed_again
  assert_parsed_again -- --vars '{a: 1}'
}

@test "what an env_var names counts, and what dbt itself reads" {
  echo '{% macro x() %}{{ env_var("SHOP_LABEL", "") }}{% endmacro %}' >macros/x.sql
  assert_parsed_again
  OTHER=1 refute_parsed_again
  SHOP_LABEL=1 assert_parsed_again
  SHOP_LABEL=1 refute_parsed_again
  DBT_WARN_ERROR=0 SHOP_LABEL=1 assert_parsed_again
}

@test "a stale manifest is never used silently" {
  no_dbt
  sides --offline
  assert_status 0
  refute_says 'out of date'
  echo 'select 1 as id' >models/mart/another.sql
  sides --offline
  assert_status 0
  [[ $stderr == *"the manifest of 'staging' may be out of date: '"*"models/mart/another.sql' is new"* ]]
  [[ $stderr == *"the manifest of 'prod' may be out of date"* ]]
}
