#!/usr/bin/env bats
# blue-green with real dbt-snowflake against the stand-in: databases change places. One warehouse for
# the whole file: each test begins with whatever the ones before it published.
# bats file_tags=exhaustive

load ../support/common.bash

SIDES=(--from blue_green --to prod)

blue_green() { # blue_green [OPTION...], into $status and $output
  run airlock deploy blue-green "${SIDES[@]}" --prepare clone --yes "$@"
}

setup_file() {
  begin_file shop
  sed -i "s/^    tags: \['mart', 'utils'\]/    state_database: shop_airlock/" dbt_project.yml
  sql 'create database shop_green'
  sql 'create database shop_airlock'
  sql "comment on database shop is 'the shop'"
  # The first load, in production.
  dbt build --target prod --quiet
}

setup() {
  cd "$WORK/project" || return
}

teardown_file() {
  end_file
}

last_id() {
  airlock history "${SIDES[@]}" --json 2>/dev/null |
    "$PYTHON" -c 'import json, sys; print(json.load(sys.stdin)["deployments"][0]["id"])'
}

comment_of() { # comment_of DATABASE
  sql "select comment from shop_airlock.information_schema.databases where database_name = '$1'"
}

assert_swapped_by() { # assert_swapped_by ID
  [ "$(comment_of SHOP)" = "the shop [airlock: published $1]" ] || fail "$(comment_of SHOP)" || return
  [ "$(comment_of "SHOP__airlock_$1")" = "the shop [airlock: demoted by $1]" ] || return
  [ "$(comment_of SHOP_GREEN)" = "[airlock: emptied by $1]" ] || return
  assert_sql 'select count(*) from shop_green.information_schema.tables' 0
}

# The incremental model has the days of all orders.
assert_nothing_is_missing() {
  assert_sql "select count(*) from (select ordered_on, count(*) as n from shop.mart.orders
    where status <> 'returned' group by ordered_on) o full join shop.mart.revenue_by_day r
    on r.ordered_on = o.ordered_on and r.orders = o.n where r.ordered_on is null or o.ordered_on is null" 0
}

fault() { # fault PATTERN KIND [SECONDS]
  curl -sS --fail -X POST -H 'Content-Type: application/json' \
    -d "{\"pattern\": \"$1\", \"kind\": \"$2\", \"seconds\": ${3-1}}" \
    "http://127.0.0.1:$SHOP_SF_PORT/standin/fault" >/dev/null
}

running() {
  sql "select count(*) from table(information_schema.query_history_by_user())
    where execution_status = 'RUNNING' and query_tag like 'airlock:%'"
}

# What another machine has: the project, and nothing that airlock or dbt wrote there.
go_elsewhere() {
  cp -R "$WORK/project" "$BATS_TEST_TMPDIR/elsewhere"
  cd "$BATS_TEST_TMPDIR/elsewhere" || return
  rm -rf target
}

@test "without a database of its own for the records nothing begins, and the cure is said" {
  cp dbt_project.yml "$BATS_TEST_TMPDIR/with.yml"
  sed -i '/^    state_database: /d' dbt_project.yml
  run airlock plan blue-green "${SIDES[@]}" --prepare clone
  cp "$BATS_TEST_TMPDIR/with.yml" dbt_project.yml
  assert_status 125
  assert_says "'SHOP' changes places with 'SHOP_GREEN'" 'state_database: SHOP_AIRLOCK'
}

@test "a database that is replicated to other accounts is left where it is" {
  sql 'alter database shop enable replication to accounts org.other'
  run airlock plan blue-green "${SIDES[@]}" --prepare clone
  sql 'alter database shop disable replication'
  assert_status 125
  assert_says "'SHOP' cannot be exchanged: the new database would not have: replication to ORG.OTHER of SHOP" \
    'production-rollback'
}

@test "what a full load left and the next ones added is in production, whole" {
  # T was the first load. T+1: a day more, on top of what production has.
  echo '113,2,2025-01-31,placed,EUR' >>seeds/raw_orders.csv
  blue_green
  assert_status 0
  assert_swapped_by "$(last_id)"
  assert_sql 'select count(*) from shop.mart.orders' 13
  assert_nothing_is_missing
  # T+2 goes on from that, and not from the side that was demoted.
  echo '114,2,2025-02-01,placed,EUR' >>seeds/raw_orders.csv
  blue_green
  assert_status 0
  assert_swapped_by "$(last_id)"
  assert_sql 'select count(*) from shop.mart.orders' 14
  assert_nothing_is_missing
}

@test "no view of production names staging, and they read the new rows" {
  assert_sql "select count(*) from shop.information_schema.views where view_definition ilike '%green%'" 0
  assert_sql "select count(*) > 0 from shop.information_schema.views where view_definition ilike '%shop.%'" t
  assert_sql 'select count(*) from shop.staging.stg_orders' 14
}

privileges() {
  sql "select object_type, object_schema, object_name, privilege_type, grantee, is_grantable
    from shop.information_schema.object_privileges order by 1, 2, 3, 4, 5"
}

future() {
  "$PYTHON" - <<'END'
import sys
sys.path.insert(0, f"{__import__('os').environ['ROOT']}/test/support")
import warehouse
cursor = warehouse.connect().cursor()
for where in ("database shop", "schema shop.mart", "schema shop.utils"):
    for row in cursor.execute(f"show future grants in {where}").fetchall():
        print(where, *row[1:])
END
}

remember_future() {
  future >"$BATS_TEST_TMPDIR/future"
  [ "$(wc -l <"$BATS_TEST_TMPDIR/future")" -eq 2 ]
}

assert_future_is_what_it_was() {
  future | diff "$BATS_TEST_TMPDIR/future" -
}

@test "who could do what before can do it after, and nobody more" {
  sql 'grant usage on database shop to role analyst'
  sql 'grant usage on schema shop.mart to role analyst with grant option'
  sql 'grant select on table shop.mart.orders to role analyst'
  sql 'grant select on view shop.mart.open_orders to role analyst'
  sql 'grant usage on database shop_green to role builder'
  sql 'grant select on future tables in schema shop.mart to role analyst'
  sql 'grant select on future views in database shop to role analyst'
  sql 'grant insert on future tables in database shop_green to role builder'
  sql "comment on schema shop.mart is 'the marts'"
  sql 'alter schema shop.utils set data_retention_time_in_days = 4'
  privileges >"$BATS_TEST_TMPDIR/before"
  remember_future
  blue_green
  assert_status 0
  privileges >"$BATS_TEST_TMPDIR/after"
  diff "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
  assert_future_is_what_it_was
  assert_sql "select comment from shop.information_schema.schemata where schema_name = 'MART'" 'the marts'
  assert_sql "select retention_time from shop.information_schema.schemata where schema_name = 'UTILS'" 4
}

@test "what no node makes is named, with its schema, and nothing is exchanged" {
  sql 'create table shop.public.by_hand as select 1 as a'
  sql 'create schema shop.reports'
  blue_green
  assert_status 125
  assert_says 'table PUBLIC.BY_HAND' 'schema REPORTS' 'production was not changed'
  sql 'drop schema shop.reports'
  blue_green --foreign-objects PUBLIC.BY_HAND
  assert_status 0
  assert_says "table 'PUBLIC.BY_HAND' is made by no node and leaves production with the old database"
  assert_sql "select count(*) from \"SHOP__airlock_$(last_id)\".public.by_hand" 1
  last_id >"$WORK/by_hand"
}

@test "what no node makes comes along in a clone, and a rollback does not lose what is written to it" {
  sql 'create table shop.public.by_hand as select 1 as a'
  sql 'create view shop.public.read_by_hand as select a from shop.public.by_hand'
  sql 'grant select on view shop.public.read_by_hand to role analyst'
  sql 'create sequence shop.public.numbers'
  sql "create dynamic table shop.public.hourly target_lag = '1 hour' warehouse = wh as select 1 as a"
  sql 'alter table shop.public.by_hand cluster by (a)'
  sed -i 's/^4,Dario Rossi,../4,Dario Rossi,BE/' seeds/raw_customers.csv
  run airlock plan blue-green "${SIDES[@]}" --prepare clone --foreign-objects clone
  assert_status 0
  assert_says 'cloned with production: table SHOP.PUBLIC.BY_HAND -> SHOP_GREEN, suspended' \
    "the clone of the dynamic table 'PUBLIC.HOURLY' is suspended and resumed behind the exchange" \
    'create or replace database "SHOP_GREEN" clone "SHOP"'
  blue_green --foreign-objects clone
  assert_status 0
  assert_swapped_by "$(last_id)"
  assert_nothing_is_missing
  assert_sql 'select country from shop.mart.customers where customer_id = 4' BE
  assert_sql 'select a from shop.public.read_by_hand' 1
  assert_sql "select auto_clustering_on from shop.information_schema.tables where table_name = 'BY_HAND'" YES
  assert_sql "select count(*) from shop.information_schema.object_privileges where grantee = 'ANALYST'
    and object_name = 'READ_BY_HAND'" 1
  sql 'insert into shop.public.by_hand values (2)'
  run airlock rollback "${SIDES[@]}" --yes
  assert_status 73
  assert_says "something in 'SHOP' was written or changed since deployment" '--force'
  assert_sql 'select count(*) from shop.public.by_hand' 2
  for what in 'view shop.public.read_by_hand' 'sequence shop.public.numbers' 'table shop.public.hourly' \
    'table shop.public.by_hand'; do
    sql "drop $what"
  done
  sed -i 's/^4,Dario Rossi,../4,Dario Rossi,IT/' seeds/raw_customers.csv
}

# The build, or the one behind it, finds that what it works in is another one: production is old, or new and whole.
@test "a clone of the database whose reply was lost, or that runs late, is not taken for what was built" {
  local kind country=BE
  for kind in lost late; do
    before=$(sql 'select country from shop.mart.customers where customer_id = 4')
    country=$([ "$country" = BE ] && echo NO || echo BE)
    sed -i "s/^4,Dario Rossi,../4,Dario Rossi,$country/" seeds/raw_customers.csv
    fault 'create or replace database .SHOP_GREEN. clone' $kind 20
    for _ in 1 2 3; do
      blue_green --foreign-objects clone
      [ "$status" -ne 0 ] || break
      assert_says 'production was not changed'
      assert_sql 'select country from shop.mart.customers where customer_id = 4' "$before"
    done
    assert_status 0
    assert_sql 'select country from shop.mart.customers where customer_id = 4' "$country"
    assert_nothing_is_missing
  done
  sed -i 's/^4,Dario Rossi,../4,Dario Rossi,IT/' seeds/raw_customers.csv
}

@test "a failing test leaves production as it is" {
  echo '4,Dario Rossi,AT,retail' >>seeds/raw_customers.csv
  blue_green
  sed -i '$d' seeds/raw_customers.csv
  assert_status 1
  assert_says 'production was not changed'
  assert_sql "select count(*) from shop.mart.customers where country = 'AT'" 0
}

@test "a swap whose reply was lost is known, and goes on elsewhere" {
  sed -i 's/^4,Dario Rossi,IT/4,Dario Rossi,FR/' seeds/raw_customers.csv
  fault 'alter database .SHOP. swap' lost
  blue_green
  assert_status 70
  assert_says 'airlock resume'
  assert_sql 'select country from shop.mart.customers where customer_id = 4' FR
  # Its views read what was production, which is whole.
  assert_sql 'select count(*) from shop.staging.stg_orders' 14
  go_elsewhere
  run airlock resume "${SIDES[@]}"
  assert_status 0
  assert_swapped_by "$(last_id)"
  assert_nothing_is_missing
}

@test "killed while the service has the swap, it is resumed when that has ended" {
  sed -i 's/^4,Dario Rossi,FR/4,Dario Rossi,NL/' seeds/raw_customers.csv
  fault 'alter database .SHOP. swap' long 40
  "$AIRLOCK_BIN" deploy blue-green "${SIDES[@]}" --prepare clone --yes >/dev/null 2>&1 3>&- &
  pid=$!
  for _ in $(seq 600); do
    [ "$(running)" = 0 ] || break
    sleep 0.2
  done
  kill -9 "$pid"
  go_elsewhere
  run airlock resume "${SIDES[@]}"
  if [ "$status" -eq 71 ]; then
    assert_says 'the service still has 1 statement'
    for _ in $(seq 300); do
      [ "$(running)" != 0 ] || break
      sleep 0.2
    done
    run airlock resume "${SIDES[@]}"
  fi
  assert_status 0
  assert_swapped_by "$(last_id)"
  assert_sql 'select country from shop.mart.customers where customer_id = 4' NL
}

@test "stopped behind the swap that puts the old database aside, it is resumed" {
  sed -i 's/^4,Dario Rossi,NL/4,Dario Rossi,SE/' seeds/raw_customers.csv
  fault 'alter database .SHOP_GREEN. swap' lost
  blue_green
  assert_status 70
  go_elsewhere
  run airlock resume "${SIDES[@]}"
  assert_status 0
  assert_swapped_by "$(last_id)"
  assert_sql 'select country from shop.mart.customers where customer_id = 4' SE
}

@test "a rollback swaps back, and gc drops what was put aside" {
  of=$(last_id)
  country=$(sql "select country from \"SHOP__airlock_$of\".mart.customers where customer_id = 4")
  orders=$(sql "select count(*) from \"SHOP__airlock_$of\".staging.raw_orders")
  run airlock rollback "${SIDES[@]}" --yes
  assert_status 0
  assert_sql 'select country from shop.mart.customers where customer_id = 4' "$country"
  assert_sql "select count(*) from shop.information_schema.views where view_definition ilike '%airlock%'" 0
  assert_sql 'select count(*) from shop.staging.stg_orders' "$orders"
  [ "$(comment_of SHOP)" = "the shop [airlock: published $(last_id)]" ]
  # Nothing stays under the name of the restore point.
  [ "$(comment_of "SHOP__airlock_$of")" = '' ]
  assert_sql "select count(*) from shop_airlock.information_schema.databases
    where database_name = 'SHOP__airlock_$of'" 0
  oldest=$(sql "select min(database_name) from shop_airlock.information_schema.databases
    where contains(database_name, '__airlock_')")
  sql "create table \"$oldest\".mart.notes as select 1 as a"
  run --separate-stderr airlock gc "${SIDES[@]}" --keep 1 --keep-for 0s --yes --json
  [ "$status" -ne 0 ] || fail 'what somebody made in a restore point was dropped' || return
  # And the one with what had been made by hand in production.
  assert_json 'd["failed"]' 2
  assert_sql "select count(*) from \"$oldest\".mart.notes" 1
  sql "drop table \"$oldest\".mart.notes"
  sql "drop table \"SHOP__airlock_$(cat "$WORK/by_hand")\".public.by_hand"
  run --separate-stderr airlock gc "${SIDES[@]}" --keep 1 --keep-for 0s --yes --json
  assert_status 0
  assert_json 'd["failed"]' 0
  assert_sql "select count(*) from shop_airlock.information_schema.databases
    where contains(database_name, '__airlock_')" 1
  assert_sql 'select count(*) > 0 from shop.mart.orders' t
}

@test "table by table, from one database into another, with restore points in a third" {
  before=$(sql 'select country from shop.mart.customers where customer_id = 4')
  sed -i 's/^4,Dario Rossi,../4,Dario Rossi,PT/' seeds/raw_customers.csv
  run airlock deploy wac "${SIDES[@]}" --tags mart --yes
  assert_status 0
  assert_sql 'select country from shop.mart.customers where customer_id = 4' PT
  assert_sql "select count(*) from shop.information_schema.schemata where schema_name ilike 'airlock%'" 0
  assert_sql "select count(*) > 0 from shop_airlock.information_schema.tables
    where table_schema = 'airlock_restore'" t
  run airlock rollback "${SIDES[@]}" --yes
  assert_status 0
  assert_sql 'select country from shop.mart.customers where customer_id = 4' "$before"
}
