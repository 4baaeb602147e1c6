#!/usr/bin/env bats
# wac and production-rollback with real dbt-snowflake against the stand-in. One warehouse for the
# whole file: each test begins with whatever the ones before it published.
# bats file_tags=exhaustive

load ../support/common.bash
load ../support/one_by_one.bash

standin_address() {
  echo "http://127.0.0.1:$SHOP_SF_PORT"
}

# How many tables were frozen for a publish so far.
frozen() {
  curl -sS --fail "$(standin_address)/standin/statements" | grep -o 'not exists [^ ]*airlock_stage_' | wc -l
}

stages() {
  sql "select count(*) from information_schema.tables where table_schema = 'airlock'
        and startswith(table_name, 'airlock_stage_')"
}

@test "the first deployment makes production, and leaves no stage behind" {
  [ "$(rows_of mart.customers)" -eq 8 ]
  [ "$(rows_of utils.calendar)" -eq 31 ]
  assert_sql "select count(*) > 0 from mart.open_orders" t
  [ "$(stages)" -eq 0 ]
  assert_sql "select is_transient from information_schema.tables
               where table_schema = 'MART' and table_name = 'ORDERS'" YES
}

@test "a deployment keeps grants, comments and what is permanent, and makes views anew" {
  sql 'create or replace table utils.currencies as select * from utils.currencies'
  sql 'grant select on table mart.customers to role analyst'
  sql 'grant select on view mart.open_orders to role analyst'
  sql "comment on table mart.orders is 'it''s the report''s'"
  sed -i "s/'placed', 'shipped'/'placed'/" models/mart/open_orders.sql
  add_customer 101
  # It is permanent in production now, and what staging builds is transient.
  deploy
  assert_status 125
  assert_says SHOP.UTILS.CURRENCIES 'permanent in production and transient in staging' 'production was not changed'
  [ "$(rows_of mart.customers)" -eq 8 ]
  sed -i '1i {{ config(transient=false) }}' models/utils/currencies.sql
  deploy
  assert_status 0
  assert_says 'published 6 relations'
  [ "$(rows_of mart.customers)" -eq 9 ]
  assert_sql "select grantee from information_schema.object_privileges where object_schema = 'MART'
               and object_name = 'CUSTOMERS' and privilege_type = 'SELECT'" ANALYST
  assert_sql "select grantee from information_schema.object_privileges where object_schema = 'MART'
               and object_name = 'OPEN_ORDERS' and privilege_type = 'SELECT'" ANALYST
  assert_sql "select comment from information_schema.tables where table_schema = 'MART'
               and table_name = 'ORDERS'" "it's the report's"
  assert_sql "select is_transient from information_schema.tables where table_schema = 'UTILS'
               and table_name = 'CURRENCIES'" NO
  assert_sql "select count(*) from mart.open_orders where status = 'shipped'" 0
  [ "$(stages)" -eq 0 ]
}

govern() { # once
  sql 'create schema if not exists gov'
  sql 'create masking policy gov.hide as (v varchar) returns varchar -> null'
  sql 'create masking policy gov.show as (v varchar) returns varchar -> v'
  sql 'create row access policy gov.own as (v int) returns boolean -> true'
  sql 'create tag gov.pii'
}

ddl_of() { # ddl_of TABLE
  sql "select get_ddl('table', 'shop.$1', true)"
}

@test "policies and tags of production stay, and what only staging has stops the publish by name" {
  govern
  sql 'alter table mart.customers modify column customer_name set masking policy gov.hide using (customer_name, country)'
  sql 'alter table mart.customers add row access policy gov.own on (customer_id)'
  sql "alter table mart.customers set tag gov.pii = 'it''s'"
  sql "alter table mart.customers modify column country set tag gov.pii = 'no'"
  before=$(ddl_of mart.customers)
  deploy
  assert_status 0
  [ "$(ddl_of mart.customers)" = "$before" ]
  sed -i '1i {{ config(post_hook="alter table {{ this }} modify column country set masking policy gov.show") }}' \
    models/mart/customers.sql
  deploy --allow-hooks '*'
  assert_status 125
  assert_says 'the masking policy SHOP.GOV.SHOW on column COUNTRY is staging' 'production was not changed'
  sed -i 1d models/mart/customers.sql
  [ "$(ddl_of mart.customers)" = "$before" ]
  # A view is made anew.
  sed -i '1i {{ config(post_hook="alter view {{ this }} modify column status set masking policy gov.hide") }}' \
    models/mart/open_orders.sql
  deploy --allow-hooks '*'
  assert_status 125
  assert_says 'the masking policy SHOP.GOV.HIDE on column STATUS is staging' 'production was not changed'
  sed -i 1d models/mart/open_orders.sql
  # What a table comes back with is what production has.
  run airlock rollback --yes
  assert_status 0
  [ "$(ddl_of mart.customers)" = "$before" ]
  sql 'alter table mart.customers drop all row access policies'
  sql 'alter table mart.customers modify column customer_name unset masking policy'
  sql 'alter table mart.customers unset tag gov.pii'
  sql 'alter table mart.customers modify column country unset tag gov.pii'
  deploy
  assert_status 0
}

@test "a rollback puts back rows and the text of views" {
  run airlock rollback --yes
  assert_status 0
  [ "$(rows_of mart.customers)" -eq 8 ]
  assert_sql "select count(*) > 0 from mart.open_orders where status = 'shipped'" t
  run --separate-stderr airlock history --json
  assert_json 'd["deployments"][0]["strategy"]' rollback
}

@test "a failing test leaves production as it is" {
  failing_test_leaves_production
}

@test "a publish that stops between two tables is resumed from another directory" {
  stops_and_is_resumed_elsewhere 'create or replace .*MART.*CUSTOMERS.* clone' error
}

@test "a publish that stops between two tables is aborted from another directory" {
  stops_and_is_aborted_elsewhere 'create or replace .*MART.*CUSTOMERS.* clone' error
}

@test "what somebody else wrote between stop and abort is not lost without a word" {
  what_others_wrote_is_kept 'create or replace .*MART.*CUSTOMERS.* clone' error
}

@test "one that stopped between two tables is not ended by a resume that cannot go on" {
  add_customer 120
  fault 'create or replace .*MART.*ORDERS.* clone' error
  deploy
  assert_status 70
  id=$(sed -n "s/.*airlock resume \([0-9a-f_]*\).*/\1/p" <<<"$output$stderr" | head -n 1)
  sql 'insert into stage.customers select * from stage.customers limit 1'
  run airlock resume
  assert_status 73
  refute_says 'production was not changed'
  deploy
  assert_status 71
  assert_says 'died while it published'
  run airlock unlock "$id" --yes
  assert_status 0
  assert_says 'some of production may be new'
  run airlock inspect "$id"
  assert_says unknown
  run airlock abort "$id"
  assert_status 71
  assert_says 'some of production may be new' 'deploy again'
}

@test "a clone whose reply was lost, or that runs late, is neither lost nor done twice" {
  local id=110 kind
  for kind in lost late; do
    add_customer $id
    customers=$(rows_of mart.customers)
    fault 'create or replace .*MART.*ORDERS.* clone' $kind 3
    deploy
    assert_status 70
    assert_says 'of 6 relations are published' 'airlock resume'
    sleep 4
    run airlock resume
    assert_status 0
    assert_sql "select count(*) from mart.customers where customer_id = $id" 1
    assert_sql "select (select count(*) from mart.orders) = (select count(*) from stage.orders)" t
    [ "$(stages)" -eq 0 ]
    id=$((id + 1))
  done
}

@test "a rollback that stopped behind a drop is resumed, and 71 names what leads out" {
  customers=$(rows_of mart.customers)
  for name in aaa_new bbb_new; do
    echo "select customer_id from {{ ref('customers') }}" >models/mart/$name.sql
  done
  add_customer 115
  deploy
  assert_status 0
  assert_says 'published 8 relations'
  fault 'drop table .*MART.*BBB_NEW' error
  run airlock rollback --yes
  assert_status 70
  assert_says '7 of 8 relations are published' 'airlock resume'
  assert_sql "select count(*) from information_schema.tables where table_name = 'AAA_NEW'
               and table_schema = 'MART'" 0
  run airlock resume
  assert_status 0
  [ "$(rows_of mart.customers)" -eq "$customers" ]
  # What a restore point says of itself stays there.
  assert_sql "select count(*) from information_schema.tables where table_schema in ('MART', 'UTILS')
               and comment like 'airlock%'" 0
  # Its first statement is not answered: nothing is new, and nobody knows.
  rm models/mart/aaa_new.sql models/mart/bbb_new.sql
  fault 'create or replace .*UTILS.*CALENDAR.* clone' late 60
  deploy
  assert_status 71
  assert_says 'airlock resume' 'airlock abort' 'airlock unlock'
  run airlock resume
  assert_status 0
  [ "$(rows_of mart.customers)" -eq $((customers + 1)) ]
  [ "$(stages)" -eq 0 ]
}

@test "what somebody else wrote meanwhile stops the publish before it changes anything" {
  before=$(rows_of utils.calendar)
  cat >>dbt_project.yml <<'EOF'
on-run-end: "{% if target.name == 'staging' %}insert into mart.customers select * from mart.customers limit 1{% endif %}"
EOF
  deploy --allow-hooks '*'
  sed -i '/^on-run-end/d' dbt_project.yml
  assert_status 73
  assert_says 'SHOP.MART.CUSTOMERS' 'by somebody else' 'production was not changed'
  [ "$(rows_of utils.calendar)" -eq "$before" ]
}

@test "of two at once one waits, or is told who has the lock" {
  airlock deploy wac --from staging --to prod --tags mart,utils --yes >"$BATS_TEST_TMPDIR/first" 2>&1 3>&- &
  first=$!
  for _ in $(seq 300); do
    [ -z "$(sql "select 1 from airlock.airlock_log where event = 'begun' and id not in
      (select id from airlock.airlock_log where event in ('finished', 'aborted'))" 2>/dev/null)" ] || break
    sleep 0.2
  done
  deploy --if-locked fail
  assert_status 72
  assert_says 'is held by deployment'
  wait "$first"
}

@test "killed while it publishes, a deployment is brought to its end elsewhere" {
  add_customer 104
  before=$(frozen)
  "$AIRLOCK_BIN" deploy wac --from staging --to prod --tags mart,utils --yes >"$BATS_TEST_TMPDIR/killed" 2>&1 3>&- &
  killed=$!
  until [ "$(frozen)" -gt "$before" ]; do
    kill -0 "$killed" || break
    sleep 0.1
  done
  kill -9 "$killed"
  wait "$killed" || true
  cp -R "$WORK/project" "$BATS_TEST_TMPDIR/elsewhere"
  cd "$BATS_TEST_TMPDIR/elsewhere" || return
  rm -rf target
  run airlock resume
  assert_status 0
  assert_sql "select count(*) from mart.customers where customer_id = 104" 1
  assert_sql "select (select count(*) from mart.customers) = (select count(*) from stage.customers)" t
  [ "$(stages)" -eq 0 ]
}

@test "production-rollback keeps the rows that no build makes again" {
  dbt build --quiet --target prod
  sql "insert into mart.revenue_by_day values ('2024-12-31'::date, 0, 0)"
  run airlock deploy production-rollback --from staging --to prod --tags mart,utils --yes
  assert_status 0
  assert_says 'published 5 relations'
  assert_sql "select count(*) from mart.revenue_by_day where ordered_on = '2024-12-31'::date" 1
  assert_sql "select count(*) from stage.revenue_by_day where ordered_on = '2024-12-31'::date" 1
}

@test "gc lists the restore points and drops the expired ones" {
  run --separate-stderr airlock gc --keep 1 --keep-for 0s --yes --json
  assert_status 0
  assert_json 'd["failed"]' 0
  assert_json 'd["dropped"] > 0' true
}
