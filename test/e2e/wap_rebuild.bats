#!/usr/bin/env bats
# What dbt has made anew in production: who may read it on PostgreSQL, and what becomes of it when it
# stops on its way or its tests fail there. Wap by rebuild, with test/support/direct in dbt's place.

load ../support/common.bash

OWN_SCHEMAS+=,unaudited,staging,intermediate

setup_file() {
  begin_file shop
  export AIRLOCK_DBT=$ROOT/test/support/direct/dbt
  wap
  assert_status 0
  [ "$ENGINE" = duckdb ] ||
    sql 'create role owner nologin; create role reader nologin; create role clerk nologin; create role anybody nologin'
  freeze
}

setup() {
  thaw
  export AIRLOCK_DBT=$ROOT/test/support/direct/dbt
  [ "$ENGINE" = duckdb ] || give
  sed -i 's/^4,Dario Rossi,IT/4,Dario Rossi,CH/' seeds/raw_customers.csv
}

give() {
  sql 'grant usage, create on schema mart to owner'
  sql 'grant select on mart.orders to reader with grant option'
  sql 'grant select (customer_id, country), update (country) on mart.customers to clerk'
  sql 'grant select on mart.open_orders to clerk'
  sql 'alter table mart.orders owner to owner'
  # what dbt makes is everybody's, until it is said who may read it
  sql 'alter default privileges in schema mart grant select on tables to anybody'
}

teardown_file() {
  end_file
}

wap() { # into $status and $output
  run airlock deploy wap --from prod_audit --to prod --tags mart --stale-ok "*" --yes "$@"
}

newest() {
  sql "select id from airlock.airlock_log where event = 'begun' order by logged_at desc limit 1"
}

privileges() {
  [ "$ENGINE" = postgres ] || return 0
  sql "select c.relname, pg_get_userbyid(c.relowner) as owner, x.col,
      case x.grantee when 0 then 'public' else pg_get_userbyid(x.grantee) end as who,
      x.privilege_type, x.is_grantable
    from pg_class c join pg_namespace n on n.oid = c.relnamespace and n.nspname = 'mart', lateral (
      select '' as col, a.* from aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) a
      union all select a.attname, x.* from pg_attribute a, aclexplode(a.attacl) x
      where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) x
    where c.relkind in ('r', 'v') order by 1, 2, 3, 4, 5"
}

# bats test_tags=engine:postgres
@test "owner, privileges of the table and of its columns are what they were, no more and no fewer" {
  before=$(privileges)
  wap
  assert_status 0
  assert_sql 'select country from mart.customers where customer_id = 4' CH
  [ "$(privileges)" = "$before" ] || fail "$before" 'is now:' "$(privileges)"
}

# bats test_tags=engine:postgres
@test "what was rebuilt before a model failed has them too, and rollback keeps them" {
  before=$(privileges)
  fake_dbt run "export DIRECT_SCENARIO='{\"results\": {\"model.shop.revenue_by_day\": {\"status\": \"error\"}}}'"
  wap
  assert_status 70
  [ "$(privileges)" = "$before" ] || fail "$before" 'is now:' "$(privileges)"
  run airlock rollback --from prod_audit --to prod --yes
  assert_status 0
  assert_sql 'select country from mart.customers where customer_id = 4' IT
  [ "$(privileges)" = "$before" ] || fail "$before" 'is now:' "$(privileges)"
}

@test "killed behind dbt: abort puts production back, whole, and the next deployment makes it new" {
  sql 'create index by_hand on mart.orders (customer_id)'
  before=$(privileges)
  remember_production
  AIRLOCK_FAULT=rebuild:after:crash wap
  assert_status 137
  [ "$ENGINE" = duckdb ] || [ "$(privileges)" != "$before" ]
  id=$(newest)
  run --separate-stderr airlock abort --from prod_audit --to prod --json
  assert_status 0
  assert_json 'd["id"], d["outcome"], d["production_changed"]' "[\"$id\", \"aborted\", false]"
  assert_production_unchanged
  run airlock abort "$id" --from prod_audit --to prod
  assert_status 0
  assert_says 'production is what it was before it'
  assert_production_unchanged
  run --separate-stderr airlock history --from prod_audit --to prod --json
  assert_json '[(d["strategy"], d["outcome"], "taken_back_by" in d) for d in d["deployments"][:2]]' \
    '[["rollback", "published", false], ["wap", "aborted", true]]'
  AIRLOCK_FAULT=rebuild:after:crash wap
  assert_status 137
  wap
  assert_status 0
  [ "$(privileges)" = "$before" ] || fail "$before" 'is now:' "$(privileges)"
}

@test "aborted behind a model that failed, and behind another one: all of it goes back" {
  remember_production
  fake_dbt run "export DIRECT_SCENARIO='{\"results\": {\"model.shop.revenue_by_day\": {\"status\": \"error\"}}}'"
  wap
  assert_status 70
  assert_says 'airlock abort'
  sed -i 's/^4,Dario Rossi,CH/4,Dario Rossi,AT/' seeds/raw_customers.csv
  wap
  assert_status 70
  assert_production_changed
  run airlock abort --from prod_audit --to prod
  assert_status 0
  assert_production_unchanged
  run airlock abort --from prod_audit --to prod
  assert_says 'no deployment is unfinished'
}

# In front of its rollback, in it, and behind it.
# bats test_tags=exhaustive
@test "an abort that is killed on its way is gone on with by the next one, and by resume" {
  remember_production
  for fault in lock:before lock:after publish:before publish:after; do
    for verb in abort resume; do
      AIRLOCK_FAULT=rebuild:after:crash wap
      assert_status 137
      id=$(newest)
      AIRLOCK_FAULT=$fault:crash run airlock abort --from prod_audit --to prod
      assert_status 137
      case $fault:$verb in
      lock:before:* | publish:after:*) run airlock abort "$id" --from prod_audit --to prod ;;
      *) run airlock $verb --from prod_audit --to prod ;;
      esac
      assert_status 0
      assert_production_unchanged
      thaw
      setup
    done
  done
}

@test "abort of one that another deployment ended, and died before it had all of its locks" {
  remember_production
  AIRLOCK_FAULT=rebuild:after:crash wap
  assert_status 137
  id=$(newest)
  DIRECT_TRACE=$BATS_TEST_TMPDIR/trace DIRECT_FAULT=run-operation/2.1:after:crash-airlock wap
  assert_status 137
  assert_sql "select count(*) from airlock.airlock_log where id = '$id' and event = 'finished'" 1
  run airlock abort "$id" --from prod_audit --to prod
  assert_status 0
  assert_says 'production is what it was before it'
  assert_production_unchanged
  wap
  assert_status 0
}

@test "abort is refused where somebody else has written, or dropped a restore point, but for --force" {
  AIRLOCK_FAULT=rebuild:after:crash wap
  assert_status 137
  sql 'insert into mart.customers (customer_id, country) values (99, $$XX$$)'
  run --separate-stderr airlock abort --from prod_audit --to prod --json
  assert_status 70
  assert_says "mart.customers' (production) was changed by somebody else" 'say --force' '"production_changed": true'
  assert_sql 'select country from mart.customers where customer_id = 99' XX
  assert_sql 'select country from mart.customers where customer_id = 4' CH
  run airlock abort --from prod_audit --to prod --force
  assert_status 0
  assert_sql 'select country from mart.customers where customer_id = 4' IT
  thaw
  AIRLOCK_FAULT=rebuild:after:crash wap
  assert_status 137
  sql "drop table airlock_restore.$(sql "select max(table_name) from information_schema.tables where table_schema = 'airlock_restore'")"
  run airlock abort --from prod_audit --to prod
  assert_status 70
  assert_says 'the restore point' 'is gone'
}

# bats test_tags=engine:postgres
@test "killed behind dbt: resume gives them back as well" {
  before=$(privileges)
  AIRLOCK_FAULT=rebuild:after:crash wap
  assert_status 137
  [ "$(privileges)" != "$before" ]
  run airlock resume --from prod_audit --to prod
  assert_status 0
  assert_sql 'select country from mart.customers where customer_id = 4' CH
  [ "$(privileges)" = "$before" ] || fail "$before" 'is now:' "$(privileges)"
}

# bats test_tags=engine:postgres
@test "killed behind dbt: a resume that may not go on says that production is changed, and gives them back" {
  before=$(privileges)
  AIRLOCK_FAULT=rebuild:after:crash wap
  assert_status 137
  sql "update unaudited.orders set status = 'x' where order_id = 101"
  run --separate-stderr airlock resume --from prod_audit --to prod --json
  assert_status 70
  assert_says 'staging changed after the tests' '"production_changed": true' 'production was changed'
  [ "$(privileges)" = "$before" ] || fail "$before" 'is now:' "$(privileges)"
  run airlock rollback --from prod_audit --to prod --yes
  assert_status 0
  assert_sql 'select country from mart.customers where customer_id = 4' IT
  [ "$(privileges)" = "$before" ] || fail "$before" 'is now:' "$(privileges)"
}

# What dbt had not made anew yet, and what it had.
@test "killed before or behind dbt: a row that somebody wrote meanwhile is not overwritten by resume" {
  for when in before after; do
    AIRLOCK_FAULT=rebuild:$when:crash wap
    assert_status 137
    sql 'insert into mart.customers (customer_id, country) values (99, $$XX$$)'
    run --separate-stderr airlock resume --from prod_audit --to prod --json
    assert_status 70
    assert_says "mart.customers' (production) was changed by somebody else" '"production_changed": true' 'airlock abort'
    assert_sql 'select country from mart.customers where customer_id = 99' XX
    thaw
  done
}

# bats test_tags=engine:postgres
@test "refused by name before the build: what cannot be given back" {
  remember_production
  sql 'revoke create on schema mart from owner'
  wap
  assert_status 125
  assert_says "could not be given back to its owner 'owner'" 'grant create on schema mart to owner;'
  sql 'grant create on schema mart to owner'
  sql 'create materialized view public.by_day as select count(*) from mart.orders'
  wap
  assert_status 125
  assert_says "dbt would drop the materialized view 'shop.public.by_day'" mart.orders
}

FAILS='{"results": {"test.shop.unique_orders_order_id.fed79b3a6e": {"status": "fail", "failures": 1, "message": "Got 1 result"}}}'

@test "a test that fails in production alone: production is put back, exit code 74" {
  before=$(privileges)
  fake_dbt test "export DIRECT_SCENARIO='$FAILS'"
  wap --json
  assert_status 74
  assert_says 'fails there' 'production is as it was before' '"outcome": "rolled_back"' \
    '"production_changed": false' '"published": []'
  assert_sql 'select country from mart.customers where customer_id = 4' IT
  [ "$(privileges)" = "$before" ] || fail "$before" 'is now:' "$(privileges)"
  run --separate-stderr airlock history --from prod_audit --to prod --json
  assert_json '[(d["strategy"], d["outcome"]) for d in d["deployments"][:2]]' \
    '[["rollback", "published"], ["wap", "failed"]]'
}

# dbt knows nothing of these, and so makes none of them.
@test "the same with what was made by hand: it comes back too, and production is what it was" {
  sql "alter table mart.orders alter column status set default 'placed'"
  sql 'alter table mart.customers alter column customer_id set not null'
  sql 'create index by_hand on mart.orders (customer_id)'
  [ "$ENGINE" = duckdb ] || sql "comment on index mart.by_hand is 'slow without';
    alter table mart.orders add constraint of_order check (order_id > 0);
    alter table mart.customers set (fillfactor = 70)"
  sql "comment on column mart.customers.country is 'ISO 3166'"
  remember_production
  fake_dbt test "export DIRECT_SCENARIO='$FAILS'"
  wap --json
  assert_status 74
  assert_says 'production is as it was before' '"outcome": "rolled_back"' '"production_changed": false'
  assert_production_unchanged
}

@test "without restore points nothing promises a way back, and what was killed is resumed" {
  run airlock plan wap --from prod_audit --to prod --tags mart --stale-ok '*' --no-restore-point
  assert_says 'no restore point is kept: what dbt has begun to make anew in production cannot be put back'
  fake_dbt test "export DIRECT_SCENARIO='$FAILS'"
  wap --no-restore-point
  assert_status 70
  assert_says 'fails there' 'no restore point was kept: remove the cause and deploy again'
  refute_says 'airlock abort'
  run airlock abort "$(newest)" --from prod_audit --to prod
  assert_status 70
  assert_says 'kept no restore point' 'deploy again'
  thaw
  setup
  AIRLOCK_FAULT=rebuild:after:crash wap --no-restore-point
  assert_status 137
  run airlock abort --from prod_audit --to prod
  assert_status 70
  assert_says 'production cannot be put back' "'airlock resume $(newest)' goes on to its end" 'production was changed'
  run airlock resume --from prod_audit --to prod
  assert_status 0
  assert_sql 'select country from mart.customers where customer_id = 4' CH
}

@test "the same when somebody else has written meanwhile: production stays, exit code 70" {
  fake_dbt test "'$PYTHON' '$ROOT/test/support/sql.py' \"update mart.customers set segment = 'x'\"
    export DIRECT_SCENARIO='$FAILS'"
  wap
  assert_status 70
  assert_says 'fails there' 'somebody else has written it' 'airlock abort'
  assert_sql 'select distinct segment from mart.customers' x
  # PostgreSQL's identity of a table does not see an update, and needs none.
  run airlock rollback --from prod_audit --to prod --yes --force
  assert_status 0
}
