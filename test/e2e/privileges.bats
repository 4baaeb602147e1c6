#!/usr/bin/env bats
# A role that may do what README says under "What to grant" and no more, with test/support/direct in
# dbt's place.

load ../support/common.bash

setup_file() {
  begin_file shop
  export AIRLOCK_DBT=$ROOT/test/support/direct/dbt
  deploy
  assert_status 0
  sql 'create role owner nologin'
  sql 'create role publisher login'
  sql "do \$\$ declare r record; begin
    for r in select table_schema s, table_name t from information_schema.tables
    where table_schema in ('mart', 'utils')
    loop execute format('alter table %I.%I owner to owner', r.s, r.t); end loop; end \$\$"
  sql 'alter schema mart owner to owner'
  sql 'alter schema utils owner to owner'
  sql 'drop schema airlock cascade'
  sed -i 's/^4,Dario Rossi,IT/4,Dario Rossi,CH/' seeds/raw_customers.csv
  freeze
}

setup() {
  thaw
  export AIRLOCK_DBT=$BATS_TEST_TMPDIR/dbt DIRECT_TRACE=$BATS_TEST_TMPDIR/trace
  # what publishes is somebody else than what builds
  cat >"$AIRLOCK_DBT" <<SH
#!/bin/sh
[ "\$1" != run-operation ] || export SHOP_PG_USER=publisher
exec "$ROOT/test/support/direct/dbt" "\$@"
SH
  chmod +x "$AIRLOCK_DBT"
  sql 'grant create on database shop to publisher'
  sql 'grant owner to publisher'
  sql 'grant usage on schema stage to publisher'
  sql 'grant select on all tables in schema stage to publisher'
  sql 'alter default privileges in schema stage grant select on tables to publisher'
}

teardown_file() {
  end_file
}

assert_lacks() { # assert_lacks TEXT...: said before anything is built
  assert_status 125
  assert_says "$@" 'production was not changed'
  ! grep -q '"verb": "build"' "$DIRECT_TRACE" || fail 'it was built'
}

@test "the role that README describes deploys and rolls back" {
  deploy
  assert_status 0
  assert_sql 'select country from mart.customers where customer_id = 4' CH
  run airlock rollback --yes
  assert_status 0
  assert_sql 'select country from mart.customers where customer_id = 4' IT
  run airlock history
  assert_status 0
}

@test "each privilege that is missing is named with its GRANT before the build" {
  sql 'revoke create on database shop from publisher'
  deploy
  assert_lacks 'permission denied for database shop' 'grant create on database shop to'
  sql 'grant create on database shop to publisher'
  sql 'revoke usage on schema stage from publisher'
  deploy
  assert_lacks 'grant usage on schema stage to publisher;'
  sql 'grant usage on schema stage to publisher'
  sql 'revoke select on stage.orders from publisher'
  deploy
  assert_lacks "'publisher'" 'grant select on stage.orders to publisher;'
  sql 'grant select on stage.orders to publisher'
  sql 'grant usage, create on schema mart, utils to publisher'
  sql 'grant select on all tables in schema mart, utils to publisher'
  sql 'revoke owner from publisher'
  deploy
  assert_lacks "belongs to 'owner'" "grant the role 'owner' to"
}

@test "a built table that the publishing user cannot read: the GRANT is in the message" {
  sql 'alter default privileges in schema stage revoke select on tables from publisher'
  deploy
  assert_status 125
  assert_says 'permission denied for table' 'grant select on' 'production was not changed'
}
