#!/usr/bin/env bats
# blue-green with real dbt-snowflake against the stand-in: schemas change places. One warehouse for
# the whole file: each test begins with whatever the ones before it published.
# bats file_tags=exhaustive

load ../support/common.bash

SIDES=(--from green --to prod --exclude customers_history)

blue_green() { # into $status and $output
  run airlock deploy blue-green "${SIDES[@]}" --yes -- --full-refresh
}

setup_file() {
  begin_file shop
  sed -i "/^    tags: \['mart', 'utils'\]/d" dbt_project.yml
  blue_green
  assert_status 0
}

setup() {
  cd "$WORK/project" || return
}

teardown_file() {
  end_file
}

last_id() {
  airlock history --from green --to prod --json 2>/dev/null |
    "$PYTHON" -c 'import json, sys; print(json.load(sys.stdin)["deployments"][0]["id"])'
}

green_is_gone() { # but for the schema of the snapshot, which is built and not published
  assert_sql "select listagg(schema_name, ' ') from information_schema.schemata
               where schema_name like 'GREEN%'" GREEN_HISTORY
}

granted_on() { # granted_on TABLE
  sql "select listagg(privilege_type || ' ' || grantee, ', ') from information_schema.object_privileges
    where object_schema = 'MART' and object_name = '$1' and privilege_type <> 'OWNERSHIP'"
}

comment_of() { # comment_of SCHEMA
  sql "select comment from information_schema.schemata where schema_name = '$1'"
}

@test "the schemas that were built and tested are production, and say so" {
  id=$(last_id)
  [ "$(comment_of MART)" = "[airlock: published $id]" ]
  [ "$(comment_of "MART__airlock_$id")" = "[airlock: demoted by $id]" ]
  green_is_gone
  assert_sql 'select count(*) from mart.orders' 12
  assert_sql 'select count(*) from mart.open_orders' 5
  assert_sql "select count(*) from information_schema.views where view_definition ilike '%green_%'" 0
}

@test "the next one keeps privileges, comments and words, and its views read the new rows" {
  sql 'grant usage on schema mart to role analyst'
  sql 'grant select on table mart.orders to role analyst'
  sql 'grant select on view mart.open_orders to role analyst'
  sql "comment on schema mart is 'the marts [airlock: published x]'"
  sql "comment on table mart.customers is 'who buys'"
  sql 'alter schema mart set data_retention_time_in_days = 3'
  sed -i "s/'placed', 'shipped'/'placed'/" models/mart/open_orders.sql
  sed -i 's/^4,Dario Rossi,IT/4,Dario Rossi,CH/' seeds/raw_customers.csv
  blue_green
  assert_status 0
  assert_sql 'select country from mart.customers where customer_id = 4' CH
  assert_sql "select count(*) from mart.open_orders where status = 'shipped'" 0
  assert_sql "select count(*) from information_schema.object_privileges where grantee = 'ANALYST'
               and coalesce(object_schema, object_name) = 'MART'" 3
  [ "$(comment_of MART)" = "the marts [airlock: published $(last_id)]" ]
  assert_sql "select comment from information_schema.tables where table_schema = 'MART'
               and table_name = 'CUSTOMERS'" 'who buys'
  assert_sql "select retention_time from information_schema.schemata where schema_name = 'MART'" 3
}

@test "production's tags stay, and container_tags: ignore does not ask for them" {
  sql 'create schema if not exists gov'
  sql 'create tag if not exists gov.team'
  sql "alter schema mart set tag gov.team = 'it''s sales'"
  blue_green
  assert_status 0
  assert_says "set tag \"SHOP\".\"GOV\".\"TEAM\" = 'it''s sales'"
  assert_sql "select tag_value from table(shop.information_schema.tag_references('MART', 'schema'))" "it's sales"
  run airlock plan blue-green "${SIDES[@]}" --container-tags ignore -- --full-refresh
  assert_status 0
  assert_says 'tags of what changes places are not compared'
  sql 'alter schema mart unset tag gov.team'
}

@test "what is new in production has what its database grants, and the next one keeps it" {
  sql 'grant select on table mart.orders to role analyst'
  sql 'grant select on future tables in database shop to role auditor'
  sql 'grant select on future views in schema mart to role loader'
  echo 'select 1 as order_id' >models/mart/returns.sql
  blue_green
  rm models/mart/returns.sql
  assert_status 0
  [ "$(granted_on RETURNS)" = 'SELECT AUDITOR' ]
  # It was there before the grant: what is granted on it is what was.
  [ "$(granted_on ORDERS)" = 'SELECT ANALYST' ]
  assert_sql "select count(*) from information_schema.object_privileges where grantee = 'LOADER'" 0
  sql 'revoke select on future tables in database shop from role auditor'
  sql 'revoke select on future views in schema mart from role loader'
  sql 'drop table mart.returns'
}

@test "a table that is permanent in production stays so, beside others that are not" {
  echo "select 1 as a" >models/mart/lasting.sql
  blue_green
  assert_status 0
  sql 'create or replace table mart.lasting as select 1 as a'
  blue_green
  assert_status 125
  assert_says SHOP.MART.LASTING 'permanent in production and transient in staging' 'production was not changed'
  sed -i "1i {{ config(transient=false) }}" models/mart/lasting.sql
  blue_green
  assert_status 0
  assert_sql "select listagg(table_name || ' ' || is_transient, ', ') within group (order by table_name)
    from information_schema.tables where table_schema = 'MART' and table_name in ('LASTING', 'ORDERS')" 'LASTING NO, ORDERS YES'
  rm models/mart/lasting.sql
  sql 'drop table mart.lasting'
}

@test "of two at once one publishes, and the other waits or is told who has the lock" {
  "$AIRLOCK_BIN" deploy blue-green "${SIDES[@]}" --yes -- --full-refresh >first 2>&1 3>&- &
  first=$!
  for _ in $(seq 600); do
    [ "$(sql "select count(*) from airlock.airlock_log where event = 'begun'")" = \
      "$(sql "select count(distinct id) from airlock.airlock_log where event in ('finished', 'aborted')")" ] || break
    sleep 0.1
  done
  run airlock deploy blue-green "${SIDES[@]}" --if-locked fail --yes -- --full-refresh
  assert_status 72
  assert_says 'is held by'
  wait "$first"
  assert_sql "select count(*) from information_schema.schemata where schema_name in ('MART', 'UTILS')" 2
  [ "$(comment_of MART)" = "[airlock: published $(last_id)]" ]
}

@test "a failing test leaves production as it is" {
  echo '4,Dario Rossi,AT,retail' >>seeds/raw_customers.csv
  blue_green
  assert_status 1
  assert_says 'production was not changed'
  sed -i '$d' seeds/raw_customers.csv
  assert_sql 'select country from mart.customers where customer_id = 4' CH
}

@test "what no node makes is named, and nothing is exchanged" {
  sql 'create table mart.by_hand as select 1 as a'
  blue_green
  assert_status 125
  assert_says 'BY_HAND' 'production was not changed'
  sql 'drop table mart.by_hand'
}

fault() { # fault PATTERN KIND [SECONDS]
  curl -sS --fail -X POST -H 'Content-Type: application/json' \
    -d "{\"pattern\": \"$1\", \"kind\": \"$2\", \"seconds\": ${3-1}}" \
    "http://127.0.0.1:$SHOP_SF_PORT/standin/fault" >/dev/null
}

@test "its reply lost between two schemas, it is resumed from another directory" {
  sed -i 's/^4,Dario Rossi,CH/4,Dario Rossi,FR/' seeds/raw_customers.csv
  fault 'alter schema .*MART. swap' lost
  blue_green
  assert_status 70
  assert_says 'airlock resume'
  assert_sql 'select country from mart.customers where customer_id = 4' FR
  # Its views read what was production, which is whole.
  assert_sql 'select count(*) > 0 from mart.open_orders' t
  run airlock abort --from green --to prod
  assert_status 71
  cp -R "$WORK/project" "$BATS_TEST_TMPDIR/elsewhere"
  cd "$BATS_TEST_TMPDIR/elsewhere" || return
  rm -rf target
  run airlock resume --from green --to prod
  assert_status 0
  green_is_gone
  [ "$(comment_of UTILS)" = "[airlock: published $(last_id)]" ]
  run airlock rollback --from green --to prod --yes
  assert_status 0
  assert_sql 'select country from mart.customers where customer_id = 4' CH
  sed -i 's/^4,Dario Rossi,FR/4,Dario Rossi,CH/' "$WORK/project/seeds/raw_customers.csv"
}

running() {
  sql "select count(*) from table(information_schema.query_history_by_user())
    where execution_status = 'RUNNING' and query_tag like 'airlock:%'"
}

@test "killed between two schemas, it is resumed from another directory when the swap has ended" {
  sed -i 's/^4,Dario Rossi,CH/4,Dario Rossi,SE/' seeds/raw_customers.csv
  fault 'alter schema .*UTILS. swap' long 40
  "$AIRLOCK_BIN" deploy blue-green "${SIDES[@]}" --yes -- --full-refresh >/dev/null 2>&1 3>&- &
  pid=$!
  for _ in $(seq 1000); do
    [ "$(running)" = 0 ] || break
    sleep 0.2
  done
  kill -9 "$pid"
  assert_sql 'select country from mart.customers where customer_id = 4' SE
  cp -R "$WORK/project" "$BATS_TEST_TMPDIR/elsewhere"
  cd "$BATS_TEST_TMPDIR/elsewhere" || return
  rm -rf target
  run airlock resume --from green --to prod
  if [ "$status" -eq 71 ]; then
    assert_says 'the service still has 1 statement'
    for _ in $(seq 1000); do
      [ "$(running)" != 0 ] || break
      sleep 0.2
    done
    run airlock resume --from green --to prod
  fi
  assert_status 0
  green_is_gone
  [ "$(comment_of UTILS)" = "[airlock: published $(last_id)]" ]
  run airlock rollback --from green --to prod --yes
  assert_status 0
  assert_sql 'select country from mart.customers where customer_id = 4' CH
  sed -i 's/^4,Dario Rossi,SE/4,Dario Rossi,CH/' "$WORK/project/seeds/raw_customers.csv"
}

@test "a swap that runs late is waited for, and not done again" {
  sed -i 's/^4,Dario Rossi,CH/4,Dario Rossi,NL/' seeds/raw_customers.csv
  fault 'alter schema .*MART. swap' late 90
  blue_green
  assert_status 71
  assert_says 'airlock resume' 'airlock unlock'
  run airlock resume --from green --to prod
  # Either the service still has it, or it has come.
  if [ "$status" -eq 71 ]; then
    assert_says 'the service still has 1 statement'
    sleep 90
    run airlock resume --from green --to prod
  fi
  assert_status 0
  assert_sql 'select country from mart.customers where customer_id = 4' NL
  run airlock rollback --from green --to prod --yes
  assert_status 0
  assert_sql 'select country from mart.customers where customer_id = 4' CH
  sed -i 's/^4,Dario Rossi,NL/4,Dario Rossi,CH/' seeds/raw_customers.csv
}

@test "rollback brings back the whole of production, and gc drops what was put aside" {
  run airlock rollback --from green --to prod --yes
  assert_status 0
  assert_sql 'select country from mart.customers where customer_id = 4' IT
  assert_sql "select count(*) > 0 from mart.open_orders where status = 'shipped'" t
  # What another role made there may be hidden from the one that asks.
  oldest=$(sql "select min(schema_name) from information_schema.schemata where startswith(schema_name, 'MART__airlock_')")
  sql "grant create table on schema \"$oldest\" to role analyst"
  SHOP_SF_ROLE=ETL run airlock gc --from green --to prod --keep 1 --keep-for 0s
  assert_says 'it holds what no deployment made: perhaps what ANALYST made, which this role may not see'
  run --separate-stderr airlock gc --from green --to prod --keep 1 --keep-for 0s --yes --json
  assert_status 0
  assert_json 'd["failed"]' 0
  assert_json 'd["dropped"] > 0' true
}
