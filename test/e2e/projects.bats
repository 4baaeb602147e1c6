#!/usr/bin/env bats
# Projects of other kinds: `lending` has versions, groups, ephemeral models, a local package, a snapshot
# and schemas of its own macro. With the real dbt, each strategy that fits, compared with building in
# place.

load ../support/common.bash

setup_file() {
  begin_file lending
  dbt deps --quiet
  dbt build --quiet --target prod
  dbt build --quiet --target dev # whose snapshot goes on as well
  sed -i 's/^2,Ben,Basel/2,Ben,Bern/' seeds/members.csv
  echo '6,3,Walden,2025-03-15,21' >>seeds/loans.csv
  freeze
}

setup() {
  thaw
}

teardown_file() {
  end_file
}

# What both sides share is written by the build itself.
OWN_SCHEMAS=dev_source,dev_staging,dev_mart,dev_periods,dev_history,audit_mart,audit_periods,audit_history
OWN_SCHEMAS+=,source,staging,airlock,airlock_restore

LEFT_OUT=() # of the build

# The rows of what is published, without the times of the snapshot.
rows() {
  local table
  for table in mart.readers_v1 mart.readers_v2 mart.towns mart.loans_by_month periods.months; do
    echo "$table"
    sql "select * from $table" | sort
  done
  sql 'select member_id, town, dbt_valid_to is null from history.members_history order by 1, 2'
}

# What `dbt build` in production itself leaves there, in a copy of the warehouse.
in_place() {
  copy_warehouse
  in_copy dbt build --quiet --target prod --target-path "$BATS_TEST_TMPDIR/target" "${LEFT_OUT[@]}" >&2
  in_copy rows
}

# The test that fails leaves production alone; the same without it is what building in place gives.
both_ways() { # both_ways STRATEGY OPTION...
  remember_production
  run airlock deploy "$@" --tags published --to prod --yes -- --vars '{break_readers: true}'
  assert_status 1
  assert_says unique_readers_v2_member_id
  assert_production_unchanged
  in_place >"$BATS_TEST_TMPDIR/in_place.rows"
  run airlock deploy "$@" --tags published --to prod --yes
  assert_status 0
  rows | diff "$BATS_TEST_TMPDIR/in_place.rows" -
}

# Staging's snapshot is its own, and has none of the times that production's has.
@test "wac: versions, groups, a package and a snapshot are published" {
  remember_production
  run airlock deploy wac --from dev --to prod --tags published --yes
  assert_status 125
  assert_says "'snapshot.lending.members_history' has 3 rows in production that staging's snapshot does not have"
  assert_production_unchanged
  both_ways wac --from dev --accept members_history
}

@test "production-rollback: the snapshot goes on from production's, below it all is built" {
  both_ways production-rollback --from dev --build +tag:published
}

# The snapshot of the audit side has a history of its own, and none can be made once more.
@test "wap by copy and by rebuild: the audit side has source and staging in common with production" {
  LEFT_OUT=(--exclude resource_type:snapshot)
  both_ways wap --from audit --publish-by copy "${LEFT_OUT[@]}"
  sed -i 's/^2,Ben,Bern/2,Ben,Biel/' seeds/members.csv
  both_ways wap --from audit "${LEFT_OUT[@]}"
}

@test "what failed is built once more, and published with what was good" {
  cp models/mart/towns.sql "$BATS_TEST_TMPDIR/"
  echo "having cast('x' || town as integer) > 0" >>models/mart/towns.sql
  remember_production
  run --separate-stderr airlock deploy wac --from dev --to prod --tags published --accept members_history --yes --json
  assert_status 1
  assert_production_unchanged
  id=$(json 'd["id"]')
  mv "$BATS_TEST_TMPDIR/towns.sql" models/mart/
  in_place >"$BATS_TEST_TMPDIR/in_place.rows"
  run airlock deploy --retry "$id" --from dev --to prod --yes
  assert_status 0
  rows | diff "$BATS_TEST_TMPDIR/in_place.rows" -
}

# A snapshot is not made anew: its schema stays, and is no part of the exchange.
# bats test_tags=engine:postgres
@test "blue-green: schemas of versions, a group, a package and seeds change places" {
  LEFT_OUT=(--exclude resource_type:snapshot)
  OWN_SCHEMAS=airlock,airlock_restore,dev_history
  remember_production
  run airlock deploy blue-green --from dev --to prod "${LEFT_OUT[@]}" --yes -- --full-refresh --vars '{break_readers: true}'
  assert_status 1
  assert_says unique_readers_v2_member_id
  production | grep -v ' dev_' | diff - <(grep -v ' dev_' "$BATS_TEST_TMPDIR/before")
  in_place >"$BATS_TEST_TMPDIR/in_place.rows"
  run airlock deploy blue-green --from dev --to prod "${LEFT_OUT[@]}" --yes -- --full-refresh
  assert_status 0
  rows | diff "$BATS_TEST_TMPDIR/in_place.rows" -
  assert_sql "select count(*) from pg_namespace where nspname in ('dev_mart', 'dev_source', 'dev_staging', 'dev_periods')" 0
}
