#!/usr/bin/env bats
# Restore points: what marks them, who may use them, when they go. On the direct runner.

load ../support/common.bash

setup_file() {
  export AIRLOCK_DBT=$BATS_TEST_DIRNAME/../support/direct/dbt
  begin_published
  sql "comment on table mart.customers is 'by hand'"
  sed -i 's/^4,Dario Rossi,IT/4,Dario Rossi,CH/' seeds/raw_customers.csv
  freeze
}

setup() {
  thaw
}

teardown_file() {
  end_file
}

newest() {
  run --separate-stderr airlock history --json
  assert_status 0
  json 'd["deployments"][0]["id"]'
}

# The comment of a restore point: marker NUMBER
marker() {
  if [ "$ENGINE" = duckdb ]; then
    sql "select comment from duckdb_tables() where table_name = 'r_${id}_$1'"
  else
    sql "select obj_description('airlock_restore.r_${id}_$1'::regclass)"
  fi
}

refused() { # refused WORDS...: a rollback stops, and --force goes on
  remember_production
  run airlock rollback --yes
  assert_status 73
  assert_says "airlock_restore.r_${id}_1" 'is not the restore point of' --force "$@"
  assert_production_unchanged
  run airlock rollback --yes --force
  assert_status 0
}

@test "a restore point says of which deployment and table it is" {
  deploy
  assert_status 0
  id=$(newest)
  marker 1 >"$BATS_TEST_TMPDIR/marker"
  grep -qE "^airlock: restore point of deployment $id, table 1: [a-z]+\.mart\.customers$" \
    "$BATS_TEST_TMPDIR/marker"
}

@test "the comment of a replaced table comes back, and is not in the way of its marker" {
  sed -i 's/^  c.segment,$/  c.segment, 1 as weight,/' models/mart/customers.sql
  export DIRECT_SCENARIO='{"columns": {"model.shop.customers": "1 as weight"}}'
  remember_production
  deploy
  assert_status 0
  assert_sql 'select sum(weight) from mart.customers' 8
  id=$(newest)
  [[ $(marker 1) == "airlock: restore point of deployment $id, "* ]]
  run airlock rollback --yes
  assert_status 0
  assert_production_unchanged
}

@test "a restore point with another comment is not used, unless it is forced" {
  deploy
  assert_status 0
  id=$(newest)
  sql "comment on table airlock_restore.r_${id}_1 is 'mine now'"
  refused 'its comment, which says what it is, is another'
}

@test "a restore point whose rows were changed is not used, unless it is forced" {
  deploy
  assert_status 0
  id=$(newest)
  sql "delete from airlock_restore.r_${id}_1 where customer_id = 1"
  refused 'its rows were changed'
  assert_sql 'select count(*) from mart.customers' 7
}

@test "a table put in the place of a restore point is not used, unless it is forced" {
  deploy
  assert_status 0
  id=$(newest)
  comment=$(marker 1)
  sql "create table airlock_restore.other as select * from airlock_restore.r_${id}_1;
       drop table airlock_restore.r_${id}_1;
       alter table airlock_restore.other rename to r_${id}_1;
       comment on table airlock_restore.r_${id}_1 is '$comment'"
  # DuckDB tells tables by their rows alone.
  [ "$ENGINE" != duckdb ] || sql "update airlock_restore.r_${id}_1 set country = 'XX'"
  refused
}

# During the build: the rows change, their number does not.
change_by_hand() {
  fake_dbt build "env -u AIRLOCK_DBT '$PYTHON' '$ROOT/test/support/sql.py' \\
    \"update mart.customers set country = 'XX' where customer_id = 1\""
}

@test "conflict: content sees an update that keeps the number of rows; identity says it does not" {
  run airlock plan wac --from staging --to prod --tags mart,utils
  assert_status 0
  assert_says 'conflict: identity; not seen: '
  run airlock plan wac --from staging --to prod --tags mart,utils --conflict content
  assert_status 0
  assert_says 'conflict: content; not seen: '
  refute_says 'an update that leaves the number of rows'
  change_by_hand
  deploy --conflict content
  assert_status 73
  assert_says mart.customers 'production was not changed'
  assert_sql 'select country from mart.customers where customer_id = 1' XX
  [ "$ENGINE" = postgres ] || return 0
  run airlock plan wac --from staging --to prod --tags mart,utils
  assert_says 'not seen: an update that leaves the number of rows as it was'
  deploy
  assert_status 0
  assert_sql 'select country from mart.customers where customer_id = 1' DE
}
