#!/usr/bin/env bats
# airlock deploy blue-green on DuckDB: the file of staging takes the place of production's. On the
# direct runner; the first deployment of the file is the real dbt's.

load ../support/common.bash
load ../support/blue_green.bash
load ../support/changes.bash
load ../support/readers.bash

setup_file() {
  begin_file shop
  sed -i "/^    tags: \['mart', 'utils'\]/d" dbt_project.yml
  rm -r snapshots
  mkdir ../green
  export SHOP_DUCKDB_GREEN=$WORK/green/warehouse.duckdb DIRECT_WITHOUT=snapshot.shop.customers_history
  blue_green
  assert_status 0
  freeze
}

SIDES=(--from blue_green --to prod)
FROM=blue_green
STRATEGY=(blue-green "${SIDES[@]}")
OF_DBT=(-- --full-refresh)

change_data() {
  sed -i 's/^4,Dario Rossi,IT/4,Dario Rossi,CH/' seeds/raw_customers.csv
}

assert_country() { # assert_country COUNTRY: of the customer that change_data changes
  assert_sql 'select country from mart.customers where customer_id = 4' "$1"
}

kept() { # how many files were put aside
  find .. -maxdepth 1 -name 'warehouse__airlock_*.duckdb' | wc -l
}

with_real_dbt() {
  export AIRLOCK_DBT=$ROOT/.cache/dbt/bin/dbt
}

refused() { # refused WORDS...: nothing happened
  assert_status 125
  assert_says "$@"
  assert_production_unchanged
}

@test "the file that was built and tested is production, and the old one is kept" {
  [ ! -e "$SHOP_DUCKDB_GREEN" ]
  [ "$(kept)" = 1 ]
  assert_sql 'select count(*) from mart.orders' 12
  assert_sql 'select count(*) from mart.open_orders' 5
  assert_sql "select count(*) from airlock.airlock_log where event = 'published'" 1
  assert_sql "select count(*) from airlock.airlock_log where event = 'finished'" 1
}

@test "the next one is built anew, and rollback brings back the whole of production" {
  remember_production
  change_data
  blue_green
  assert_status 0
  assert_country CH
  run airlock rollback "${SIDES[@]}" --yes
  assert_status 0
  assert_country IT
  assert_production_unchanged
  run --separate-stderr airlock history "${SIDES[@]}" --json
  assert_status 0
  assert_json 'len(d["deployments"])' 3
}

@test "a rollback is refused when production was changed since" {
  change_data
  blue_green
  assert_status 0
  sql "delete from mart.orders where order_id = 101"
  remember_production
  run airlock rollback "${SIDES[@]}" --yes
  assert_status 73
  assert_production_unchanged
}

@test "a failing test leaves production alone, and the next deployment is as good as the first" {
  echo '101,1,2025-01-03,completed,EUR' >>seeds/raw_orders.csv
  remember_production
  blue_green
  assert_status 1
  assert_production_unchanged
  sed -i '$d' seeds/raw_orders.csv
  change_data
  blue_green
  assert_status 0
  assert_country CH
}

@test "what dbt did not make is refused by name, and may be left behind" {
  sql "create table mart.by_hand (x int)"
  remember_production
  blue_green
  refused mart.by_hand foreign_objects
  blue_green --foreign-objects mart.by_hand
  assert_status 0
  assert_sql "select count(*) from duckdb_tables() where table_name = 'by_hand'" 0
}

# bats test_tags=exhaustive
@test "a relation whose node was deleted goes with the old file, where that is said" {
  rm models/mart/open_orders.sql
  export DIRECT_WITHOUT="$DIRECT_WITHOUT model.shop.open_orders"
  remember_production
  blue_green
  refused mart.open_orders 'orphans: drop'
  blue_green --orphans drop
  assert_status 0
  assert_sql "select count(*) from duckdb_views() where view_name = 'open_orders'" 0
  run airlock rollback "${SIDES[@]}" --yes
  assert_status 0
  assert_production_unchanged
}

@test "an incremental build without --full-refresh and a selection are refused" {
  remember_production
  run airlock deploy blue-green "${SIDES[@]}" --yes
  refused model.shop.revenue_by_day incremental --full-refresh production-rollback
  blue_green -s mart.orders
  refused model.shop.customers production-rollback
}

@test "two targets in one file, and files of different names, are refused" {
  remember_production
  run airlock deploy blue-green --from staging --to prod --yes -- --full-refresh
  refused 'the file of production' wac
  SHOP_DUCKDB_GREEN=:memory: run airlock deploy blue-green "${SIDES[@]}" --yes -- --full-refresh
  refused 'no file' wac
  SHOP_DUCKDB_GREEN=$WORK/green/other.duckdb blue_green
  refused 'its name is not that of production'
}

@test "a file on another file system is refused" {
  remember_production
  for folder in /tmp /dev/shm "$ROOT/build"; do
    [ "$(stat -c %d "$folder")" != "$(stat -c %d "$WORK")" ] || continue
    other=$(mktemp -d -p "$folder")
    SHOP_DUCKDB_GREEN=$other/warehouse.duckdb blue_green
    rm -r "$other"
    refused 'another file system'
  done
}

@test "a model that says full_refresh: false is refused by name" {
  cp -r "$ROOT/test/support/direct/recorded" "$BATS_TEST_TMPDIR"
  sed -i 's/"materialized": *"incremental"/&, "full_refresh": false/' "$BATS_TEST_TMPDIR"/recorded/duckdb-*.json
  export DIRECT_RECORDED=$BATS_TEST_TMPDIR/recorded
  remember_production
  blue_green
  refused model.shop.revenue_by_day 'full_refresh: false' '--prepare clone'
}

@test "a .wal that another process left beside production stops the publish" {
  remember_production
  # shellcheck disable=SC2016
  fake_dbt run-operation '"'"$AIRLOCK_DBT"'" "$@"; code=$?
    if grep -q "checkpoint airlock_staging" "$WORK"/project/target/airlock/ops/*/macros/*.sql; then
      touch "$SHOP_DUCKDB.wal"; fi
    exit $code'
  blue_green
  assert_status 73
  assert_says "$SHOP_DUCKDB.wal" 'is there'
  rm -f "$SHOP_DUCKDB.wal" # unless what released the lock took it in
  assert_production_unchanged
}

@test "killed before the rename: resume publishes, abort does not" {
  change_data
  faults="link:after"
  [ -z "${AIRLOCK_TEST_ALL-}" ] || faults="record:after link:before link:after publish:before"
  for fault in $faults; do
    for way in resume abort; do
      thaw
      change_data
      remember_production
      AIRLOCK_FAULT=$fault:crash run airlock deploy blue-green "${SIDES[@]}" --yes -- --full-refresh
      assert_status 137
      assert_production_unchanged
      run airlock "$way" "${SIDES[@]}"
      assert_status 0
      if [ "$way" = resume ]; then assert_country CH; else assert_production_unchanged; fi
      blue_green
      assert_status 0
      assert_country CH
    done
  done
}

@test "killed after the rename: it is published, whoever asks" {
  for way in resume abort; do
    thaw
    change_data
    AIRLOCK_FAULT=publish:after:crash run airlock deploy blue-green "${SIDES[@]}" --yes -- --full-refresh
    assert_status 137
    assert_country CH
    run airlock "$way" "${SIDES[@]}"
    assert_country CH
    assert_sql "select count(*) from airlock.airlock_log where event = 'aborted'" 0
    assert_sql "select count(*) from airlock.airlock_log where event = 'finished'" 2
    blue_green
    assert_status 0
  done
}

@test "a reader that opens, reads and closes never sees a mixed set" {
  begin_reading "$ORDERS_AND_CUSTOMERS"
  let_read
  for round in 1 2 3; do
    sed -i "s/^1001,101,card,.*/1001,101,card,$((50 + round)).25/" seeds/raw_payments.csv
    blue_green
    assert_status 0
    let_read
  done
  assert_read 4
}

@test "an exchange whose outcome cannot be read at once is read again, and is not taken for done" {
  change_data
  # After the rename the file of staging is not there: from then on dbt fails, for a while.
  # shellcheck disable=SC2016
  fake_dbt run-operation '[ ! -e "$SHOP_DUCKDB_GREEN" ] || touch "$BATS_TEST_TMPDIR/built"
    if [ -e "$BATS_TEST_TMPDIR/built" ] && [ ! -e "$SHOP_DUCKDB_GREEN" ] &&
      [ "$(cat "$BATS_TEST_TMPDIR/left" 2>/dev/null || echo 0)" -gt 0 ]; then
      echo "$(($(cat "$BATS_TEST_TMPDIR/left") - 1))" >"$BATS_TEST_TMPDIR/left"; exit 1; fi'
  echo 1 >"$BATS_TEST_TMPDIR/left"
  blue_green
  assert_status 0
  assert_country CH
  refute_says 'the lock could not be released'
  rm "$BATS_TEST_TMPDIR/built"
  echo 99 >"$BATS_TEST_TMPDIR/left"
  run --separate-stderr airlock deploy blue-green "${SIDES[@]}" --yes --lock-timeout 1 --json -- --full-refresh
  assert_status 71
  assert_says 'cannot be read' 'airlock resume'
  assert_json '(d["outcome"], d["production_changed"], d["published"])' '["unknown", false, []]'
  echo 0 >"$BATS_TEST_TMPDIR/left"
  run airlock resume "${SIDES[@]}"
  assert_status 0
  assert_says 'had published'
}

@test "what somebody changes in the staging file between the tests and the exchange: 73" {
  change_data
  remember_production
  blue_green --before-publish \
    "SHOP_DUCKDB='$SHOP_DUCKDB_GREEN' $(by_hand 'insert into mart.orders select * from mart.orders limit 1')"
  assert_status 73
  assert_says mart.orders 'production was not changed'
  assert_production_unchanged
  blue_green
  assert_status 0
  assert_country CH
  assert_sql 'select count(*) from mart.orders' 12
}

@test "who has the old file open goes on reading it when its name leads to the new one" {
  change_data
  cat >"$BATS_TEST_TMPDIR/hold.py" <<'EOF'
import os, sys, time
import duckdb
path, ready = sys.argv[1:]
connection = duckdb.connect(path, read_only=True)
old = os.stat(path).st_ino
ask = lambda: connection.execute("select country from mart.customers where customer_id = 4").fetchall()
before = ask()
open(ready, "w").close()
while os.stat(path).st_ino == old:
    time.sleep(0.02)
print(before == ask(), before[0][0], len(connection.execute("select * from mart.orders").fetchall()))
EOF
  # shellcheck disable=SC2016
  fake_dbt run-operation '"'"$AIRLOCK_DBT"'" "$@"; code=$?
    if grep -q "checkpoint airlock_staging" "$WORK"/project/target/airlock/ops/*/macros/*.sql &&
      [ ! -e "$BATS_TEST_TMPDIR/ready" ]; then
      setsid "$PYTHON" "$BATS_TEST_TMPDIR/hold.py" "$SHOP_DUCKDB" "$BATS_TEST_TMPDIR/ready" \
        >"$BATS_TEST_TMPDIR/held" 2>&1 </dev/null &
      for _ in $(seq 100); do [ ! -e "$BATS_TEST_TMPDIR/ready" ] || break; sleep 0.1; done; fi
    exit $code'
  export PYTHON
  blue_green
  assert_status 0
  assert_country CH
  [ -e "$BATS_TEST_TMPDIR/ready" ]
  for _ in $(seq 100); do [ ! -s "$BATS_TEST_TMPDIR/held" ] || break; sleep 0.1; done
  [ "$(cat "$BATS_TEST_TMPDIR/held")" = 'True IT 12' ] || fail "$(cat "$BATS_TEST_TMPDIR/held")"
}

@test "what another program writes between the comparison and the exchange is not lost" {
  change_data
  # shellcheck disable=SC2016
  fake_dbt run-operation '"'"$AIRLOCK_DBT"'" "$@"; code=$?
    if grep -q "checkpoint airlock_staging" "$WORK"/project/target/airlock/ops/*/macros/*.sql &&
      [ ! -e "$BATS_TEST_TMPDIR/written" ]; then
      "$PYTHON" "$ROOT/test/support/sql.py" "insert into mart.orders select * from mart.orders"
      touch "$BATS_TEST_TMPDIR/written"; fi
    exit $code'
  export PYTHON
  blue_green
  assert_status 73
  assert_says "$SHOP_DUCKDB" 'after it was compared'
  assert_sql 'select count(*) from mart.orders' 24
  [ "$(kept)" = 1 ]
}

@test "a deployment that waits opens neither file" {
  flock dbt_project.yml sleep 300 3>&- &
  reader=$!
  until ! flock -n dbt_project.yml true; do sleep 0.05; done
  # shellcheck disable=SC2016
  fake_dbt run-operation 'touch "$BATS_TEST_TMPDIR/opened"'
  blue_green --lock-timeout 1
  assert_status 72
  [ ! -e "$BATS_TEST_TMPDIR/opened" ]
  blue_green --if-locked skip
  assert_status 0
  [ ! -e "$BATS_TEST_TMPDIR/opened" ]
}

@test "comments that somebody wrote are in production's new file too, and who may read it is the same" {
  chmod 640 "$SHOP_DUCKDB"
  sql "comment on table mart.orders is 'ask Ann first'"
  sql "comment on column mart.orders.status is 'as the shop says it''s'"
  sql "comment on view mart.open_orders is 'for the shop window'"
  change_data
  blue_green
  assert_status 0
  assert_country CH
  assert_sql "select comment from duckdb_tables() where table_name = 'orders'" 'ask Ann first'
  assert_sql "select comment from duckdb_columns() where table_name = 'orders' and comment is not null" "as the shop says it's"
  assert_sql "select comment from duckdb_views() where view_name = 'open_orders'" 'for the shop window'
  [ "$(stat -c %a "$SHOP_DUCKDB")" = 640 ]
}

@test "what people gave to production stays" {
  give_by_hand
  sql 'drop schema reports cascade; alter table mart.orders add primary key (order_id)'
  shape >"$BATS_TEST_TMPDIR/shape.before"
  assert_published
  shape >"$BATS_TEST_TMPDIR/shape.after"
  diff "$BATS_TEST_TMPDIR"/shape.{before,after}
  run airlock rollback "${SIDES[@]}" --yes
  assert_status 0
  AIRLOCK_FAULT=link:after:crash run airlock deploy blue-green "${SIDES[@]}" --yes -- --full-refresh
  assert_status 137
  run airlock resume "${SIDES[@]}"
  assert_status 0
  shape >"$BATS_TEST_TMPDIR/shape.after"
  diff "$BATS_TEST_TMPDIR"/shape.{before,after}
}

@test "a constraint that no statement gives to a table that is there is refused by name" {
  sql "create table mart.was as from mart.customers; drop table mart.customers;
    create table mart.customers (customer_id integer, customer_name varchar, country varchar check (country <> ''),
      segment varchar, orders bigint, revenue_eur double, last_ordered_on date, unique (customer_id));
    insert into mart.customers by name from mart.was; drop table mart.was"
  remember_production
  blue_green
  refused "'warehouse.mart.customers' cannot be published" "CHECK((country != ''))" 'UNIQUE(customer_id)'
}

@test "an index whose column goes is named" {
  sql 'alter table mart.customers add column note varchar; create index by_note on mart.customers (note)'
  blue_green
  assert_status 0
  assert_says "index 'by_note' of 'warehouse.mart.customers' goes"
}

@test "files that were put aside are restore points: listed with their size, and they expire" {
  blue_green --keep-for 0
  assert_status 0
  [ "$(kept)" = 1 ]
  assert_says 'expire: ' warehouse__airlock_
  run airlock inspect "${SIDES[@]}"
  assert_says 'restore point warehouse__airlock_' ' kB' 'stays until'
  blue_green
  assert_status 0
  [ "$(kept)" = 2 ]
  run --separate-stderr airlock gc "${SIDES[@]}" --keep-for 0 --json
  assert_json '[(p["state"], p["of"], p["bytes"] > 10000) for p in d["restore_points"]]' \
    '[["kept", "warehouse", true], ["expired", "warehouse", true]]'
  oldest=$(json 'd["restore_points"][1]["relation"]')
  SHOP_DUCKDB=$oldest sql "comment on table airlock.airlock_log is 'mine'"
  run airlock gc "${SIDES[@]}" --keep-for 0 --yes
  assert_status 125
  assert_says "$oldest" 'is no longer what the history says'
  [ "$(kept)" = 2 ]
  SHOP_DUCKDB=$oldest sql "comment on table airlock.airlock_log is '[airlock: demoted by $(expr "$oldest" : '.*__airlock_\(.*\).duckdb')]'"
  run airlock gc "${SIDES[@]}" --keep-for 0 --yes
  assert_status 0
  [ ! -e "$oldest" ] && [ "$(kept)" = 1 ]
  run airlock rollback "${SIDES[@]}" --yes
  assert_status 0
}

# bats test_tags=exhaustive
@test "of a build that failed nothing is published alone, and --retry publishes all of it" {
  with_real_dbt
  change_data
  cp models/mart/customers.sql "$BATS_TEST_TMPDIR"
  echo 'select no_such_column from {{ ref("orders") }}' >models/mart/customers.sql
  remember_production
  blue_green
  assert_status 1
  run --separate-stderr airlock history "${SIDES[@]}" --json
  id=$(json 'd["deployments"][0]["id"]')
  run airlock publish "$id" "${SIDES[@]}" --yes
  refused "'model.shop.customers' was not built and tested"
  run airlock publish "$id" --exclude customers+ "${SIDES[@]}" --yes
  refused "'model.shop.customers' is in the file that is exchanged"
  cp "$BATS_TEST_TMPDIR/customers.sql" models/mart
  run airlock deploy --retry "$id" "${SIDES[@]}" --yes
  assert_status 0
  assert_country CH
  [ "$(kept)" = 2 ]
}

# bats test_tags=exhaustive
@test "where only a test of nothing failed, the file is exchanged without another build, unless it was written since" {
  with_real_dbt
  change_data
  mkdir -p tests
  echo 'select 1 as one' >tests/always_fails.sql
  remember_production
  blue_green
  assert_status 1
  assert_production_unchanged
  run --separate-stderr airlock history "${SIDES[@]}" --json
  id=$(json 'd["deployments"][0]["id"]')
  cp "$SHOP_DUCKDB_GREEN" kept.duckdb
  SHOP_DUCKDB=$SHOP_DUCKDB_GREEN sql "update mart.orders set status = 'other' where order_id = 101"
  run airlock publish "$id" "${SIDES[@]}" --yes
  assert_status 73
  assert_says 'staging changed after the tests'
  assert_production_unchanged
  cp kept.duckdb "$SHOP_DUCKDB_GREEN"
  run airlock publish "$id" "${SIDES[@]}" --yes
  assert_status 0
  assert_country CH
  [ "$(kept)" = 2 ]
  run airlock rollback "${SIDES[@]}" --yes
  assert_status 0
  assert_production_unchanged
}

# bats test_tags=exhaustive
@test "columns are added, removed and retyped" {
  columns_change
}

# bats test_tags=exhaustive
@test "a view becomes a table, and a table a view" {
  kinds_change --foreign-objects 'aside.*'
}

# bats test_tags=exhaustive
@test "a model is deleted, and one renamed: what they were leaves production, and comes back" {
  models_go --orphans drop
  assert_sql "select count(*) from information_schema.tables where table_schema = 'mart'
    and table_name in ('open_orders', 'revenue_by_day')" 0
  assert_taken_back
}
