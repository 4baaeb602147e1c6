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

# One that makes PostgreSQL exchange the table. The stand-in dbt is told the same.
add_column() {
  sed -i 's/^  c.segment,$/  c.segment, 1 as weight,/' models/mart/customers.sql
  export DIRECT_SCENARIO='{"columns": {"model.shop.customers": "1 as weight"}}'
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

# bats test_tags=default:duckdb
@test "a restore point says of which deployment and table it is" {
  deploy
  assert_status 0
  id=$(newest)
  marker 1 >"$BATS_TEST_TMPDIR/marker"
  grep -qE "^airlock: restore point of deployment $id, table 1: [a-z]+\.mart\.customers$" \
    "$BATS_TEST_TMPDIR/marker"
}

# bats test_tags=exhaustive
@test "the comment of a replaced table comes back, and is not in the way of its marker" {
  add_column
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

# bats test_tags=default:duckdb
@test "a restore point with another comment is not used, unless it is forced" {
  deploy
  assert_status 0
  id=$(newest)
  sql "comment on table airlock_restore.r_${id}_1 is 'mine now'"
  refused 'its comment, which says what it is, is another'
}

# bats test_tags=exhaustive
@test "a restore point whose rows were changed is not used, unless it is forced" {
  deploy
  assert_status 0
  id=$(newest)
  sql "delete from airlock_restore.r_${id}_1 where customer_id = 1"
  refused 'its rows were changed'
  assert_sql 'select count(*) from mart.customers' 7
}

# bats test_tags=exhaustive
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

# bats test_tags=default:duckdb,exhaustive
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

# --- how long they stay

# Names in the restore schema, one a line.
restore_points() {
  sql "select table_name from information_schema.tables where table_schema = 'airlock_restore' order by 1"
}

# bats test_tags=default:duckdb,exhaustive
@test "restore points that are expired go with the next good deployment, the newest never" {
  deploy --keep-for 0
  assert_status 0
  refute_says 'dropped'
  first=$(restore_points)
  [ "$(wc -l <<<"$first")" -eq 5 ]
  run airlock plan wac --from staging --to prod --tags mart,utils
  assert_says 'restore points: 5 stay (' '0 expire ('
  run airlock plan wac --from staging --to prod --tags mart,utils --keep-for 0
  assert_says 'restore points: 0 stay (0 bytes), 5 expire (' 'expire (finish, operation)'
  deploy --keep-for 0 --keep 2
  assert_status 0
  refute_says 'dropped'
  [ "$(restore_points | wc -l)" -eq 10 ]
  run --separate-stderr airlock deploy wac --from staging --to prod --tags mart,utils --yes --json --keep-for 0
  assert_status 0
  assert_json 'd["restore_points_dropped"]' 10
  [ "$(restore_points | wc -l)" -eq 5 ]
  remember_production
  run airlock rollback --yes
  assert_status 0
}

# bats test_tags=exhaustive
@test "inspect tells the options, the phases, and the restore points with size and expiry" {
  deploy --keep-for 12h
  assert_status 0
  id=$(newest)
  run airlock inspect
  assert_status 0
  assert_says 'tags: mart utils' 'dbt_starts' ' parse' ' build' 'keep_for: 12h' \
    "restore point airlock_restore.r_${id}_1, " ', stays until ' 'and while fewer than 1 are newer'
  refute_says '-1 rows' # of a view
  run --separate-stderr airlock inspect --json
  assert_json '[(r["number"], r["of"][1:], r["rows"], r["bytes"] > 0) for r in d["deployment"]["restores"]][0]' \
    '[1, ["mart", "customers"], 8, true]'
  deploy --keep-for 0
  assert_status 0
  assert_says 'dropped 5 expired'
  run airlock inspect "$id"
  assert_status 0
  assert_says ', dropped 20'
}

# bats test_tags=default:postgres
@test "gc lists what is expired, and drops it with --yes only" {
  deploy
  assert_status 0
  deploy
  assert_status 0
  sql 'create table airlock_restore.mine as select 1 as one'
  run airlock gc
  assert_status 0
  assert_says '0 restore points (0 bytes) and 0 directories are expired' airlock_restore.mine \
    'left alone: no deployment in the history has made it'
  run airlock gc --keep-for 0
  assert_status 0
  assert_says '5 restore points (' "'airlock gc --yes' drops them"
  [ "$(restore_points | wc -l)" -eq 11 ]
  remember_production
  run --separate-stderr airlock gc --keep-for 0 --yes --json
  assert_status 0
  assert_json '(d["dropped"], d["failed"], d["error"])' '[5, 0, null]'
  [ "$(restore_points | wc -l)" -eq 6 ]
  assert_production_unchanged
  run airlock gc --keep-for 0 --yes
  assert_status 0
  assert_says 'dropped 0 restore points and 0 directories; 0 failed'
  run airlock rollback --yes
  assert_status 0
}

# bats test_tags=default:duckdb,exhaustive
@test "gc drops nothing whose comment is another, and nothing while a lock is held" {
  deploy
  assert_status 0
  id=$(newest)
  deploy
  assert_status 0
  sql "comment on table airlock_restore.r_${id}_1 is 'mine now'"
  lock=$(sql "select table_name from information_schema.tables
              where table_schema = 'airlock' and table_name like 'airlock_lock_%' order by 1 limit 1")
  sql "update airlock.$lock set nonce = 'x', id = 'somebody', username = 'u', host = 'h', since = 's'"
  run airlock gc --keep-for 0 --yes
  assert_status 72
  assert_says "deployment 'somebody' of u on h since s"
  [ "$(restore_points | wc -l)" -eq 10 ]
  sql "update airlock.$lock set nonce = ''"
  run airlock gc --keep-for 0 --yes
  assert_status 0
  assert_says 'dropped 4 restore points'
  [ "$(restore_points | wc -l)" -eq 6 ]
  sql "select * from airlock_restore.r_${id}_1" >/dev/null
}

# bats test_tags=default:duckdb,exhaustive
@test "what cannot be dropped is a warning after a deployment, and an error of gc" {
  [ "$ENGINE" = postgres ] || return 0 # on DuckDB no view holds a table
  deploy
  assert_status 0
  id=$(newest)
  sql "create view public.holds as select * from airlock_restore.r_${id}_1"
  deploy --keep-for 0
  assert_status 0
  assert_says "airlock_restore.r_${id}_1' was not dropped" 'view holds depends on' 'dropped 4 expired'
  run --separate-stderr airlock gc --keep-for 0 --yes --json
  assert_status 125
  assert_json '(d["dropped"], d["failed"], d["error"]["code"])' '[0, 1, "gc-failed"]'
  sql 'drop view public.holds'
  run airlock gc --keep-for 0 --yes
  assert_status 0
  assert_says 'dropped 1 restore points'
}

# bats test_tags=default:duckdb
# bats test_tags=exhaustive
@test "gc removes the directories of deployments that ended long ago, and keeps the newest" {
  local home=target/airlock/deployments number
  for number in $(seq 10 39); do
    mkdir -p "$home/202001010000${number}_00000a"
    touch -d '30 days ago' "$home/202001010000${number}_00000a/journal.jsonl"
  done
  mkdir "$home/mine"
  before=$(find "$home" -mindepth 1 -maxdepth 1 | wc -l)
  run airlock gc
  assert_status 0
  assert_says "$((before - 20)) directories are expired"
  run airlock gc --yes
  assert_status 0
  assert_says "and $((before - 20)) directories; 0 failed"
  [ -d "$home/mine" ]
  [ "$(find "$home" -mindepth 1 -maxdepth 1 | wc -l)" -eq 20 ]
}

# bats test_tags=exhaustive
@test "rounds of deploy and rollback, then gc: the warehouse is as it was" {
  sql "create index customers_by_country on mart.customers (country);
       comment on column mart.customers.country is 'ISO 3166'"
  add_column
  remember_production
  own="select table_name from information_schema.tables where table_schema = 'airlock' order by 1"
  for round in $(seq 10); do
    deploy
    assert_status 0
    run airlock rollback --yes
    assert_status 0
    # The log and the locks: a rollback has one of its own.
    [ "$round" -gt 1 ] || sql "$own" >"$BATS_TEST_TMPDIR/own"
  done
  run --separate-stderr airlock gc --keep-for 0 --yes --json
  assert_status 0
  assert_production_unchanged
  sql "$own" | diff "$BATS_TEST_TMPDIR/own" -
  # The newest restore point of each table.
  [ "$(restore_points | wc -l)" -eq 5 ]
  [ "$(restore_points | sed 's/_[0-9]*$//' | sort -u | wc -l)" -eq 1 ]
}
