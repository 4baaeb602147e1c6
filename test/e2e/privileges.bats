#!/usr/bin/env bats
# A role that may do what README says under "What to grant" and no more, with test/support/direct in
# dbt's place.

load ../support/common.bash

# Production is of a role that both of these may act as: what builds, and what publishes.
setup_file() {
  begin_file shop
  export AIRLOCK_DBT=$ROOT/test/support/direct/dbt
  dbt build --quiet --target prod
  sed -i 's/^4,Dario Rossi,IT/4,Dario Rossi,CH/' seeds/raw_customers.csv
  dbt seed --quiet --target prod
  sql 'create role owner nologin; create role builder login; create role publisher login;
    grant owner to builder; grant create on database shop to builder;
    create schema stage authorization builder; create schema unaudited authorization builder'
  sql "do \$\$ declare r record; begin
    for r in select nspname as s from pg_namespace where nspname in ('staging', 'intermediate', 'mart', 'utils', 'history')
    loop execute format('alter schema %I owner to owner', r.s); end loop;
    for r in select schemaname as s, relname as t from pg_stat_user_tables
      union all select schemaname, viewname from pg_views where schemaname in ('staging', 'intermediate', 'mart')
    loop execute format('alter table %I.%I owner to owner', r.s, r.t); end loop; end \$\$"
  SHOP_PG_USER=builder dbt build --quiet --target staging
  freeze
}

setup() {
  thaw
  export AIRLOCK_DBT=$BATS_TEST_TMPDIR/dbt DIRECT_TRACE=$BATS_TEST_TMPDIR/trace
  cat >"$AIRLOCK_DBT" <<SH
#!/bin/sh
case "\$*" in *"--target prod "*) SHOP_PG_USER=publisher ;; *) SHOP_PG_USER=builder ;; esac
export SHOP_PG_USER
exec "$ROOT/test/support/direct/dbt" "\$@"
SH
  chmod +x "$AIRLOCK_DBT"
  sql 'grant create on database shop to publisher, builder'
  sql 'grant owner to publisher'
  sql 'grant usage on schema stage to publisher'
  sql 'grant select on all tables in schema stage to publisher'
  sql 'alter default privileges for role builder in schema stage grant select on tables to publisher'
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
  assert_country CH
  run airlock rollback --yes
  assert_status 0
  assert_country IT
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
  sql 'alter default privileges for role builder in schema stage revoke select on tables from publisher'
  deploy
  assert_status 125
  assert_says 'permission denied for table' 'grant select on' 'production was not changed'
}

newest() { # the id of the newest deployment
  run --separate-stderr airlock history --json
  json 'd["deployments"][0]["id"]'
}

assert_country() { # assert_country COUNTRY: of the customer that changed since
  assert_sql 'select country from mart.customers where customer_id = 4' "$1"
}

@test "the same role does production-rollback, wap by copy, resume, abort, unlock and gc" {
  run airlock deploy production-rollback --yes
  assert_status 0
  assert_country CH
  run airlock rollback --yes
  assert_status 0
  AIRLOCK_FAULT=publish:before:crash deploy
  assert_status 137
  run airlock unlock "$(newest)" --yes
  assert_status 0
  AIRLOCK_FAULT=publish:before:crash deploy
  assert_status 137
  run airlock abort
  assert_status 0
  assert_country IT
  AIRLOCK_FAULT=publish:after:crash deploy
  assert_status 137
  run airlock resume "$(newest)"
  assert_status 0
  assert_country CH
  sql 'grant usage on schema unaudited to publisher'
  sql 'alter default privileges for role builder in schema unaudited grant select on tables to publisher'
  run airlock deploy wap --from prod_audit --tags mart --publish-by copy --keep-for 0 --yes
  assert_status 0
  run airlock gc --keep-for 0 --yes
  assert_status 0
}

blue_green() { # blue_green [OPTION...], into $status and $output
  sed -i "/^    tags: \['mart', 'utils'\]/d; s/^    from: staging/    from: green/" dbt_project.yml
  run airlock deploy blue-green --exclude customers_history --yes "$@" -- --full-refresh
}

@test "blue-green: who acts as the owners of both sides exchanges them, rolls back and collects what expired" {
  sql 'grant builder to publisher'
  blue_green
  assert_status 0
  assert_country CH
  assert_sql "select distinct tableowner from pg_tables where schemaname = 'mart'" owner
  run airlock rollback --yes
  assert_status 0
  assert_country IT
  blue_green --keep-for 0
  assert_status 0
  run airlock gc --keep-for 0 --yes
  assert_status 0
}

@test "blue-green: each privilege that is missing is named with its GRANT before the build" {
  sql 'revoke builder from publisher'
  blue_green
  assert_lacks 'grant builder to publisher;'
  sql 'grant builder to publisher'
  sql 'revoke owner from publisher, builder'
  sql 'grant usage, create on schema staging, intermediate, mart, utils to publisher'
  sql 'grant select on all tables in schema staging, intermediate, mart, utils to publisher'
  sql 'alter table mart.orders owner to postgres'
  blue_green
  assert_lacks 'grant owner to publisher; grant postgres to publisher;'
  sql 'grant owner to publisher, builder'
  sql 'alter table mart.orders owner to owner'
  sql 'revoke create on database shop from publisher, builder'
  blue_green
  assert_lacks 'grant create on database shop to publisher;'
}
