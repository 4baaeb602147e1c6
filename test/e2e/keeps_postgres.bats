#!/usr/bin/env bats
# What PostgreSQL has beyond tables and columns: carried over a publish, or refused by name. On the
# direct runner, where nothing of the project changes.

load ../support/common.bash

setup_file() {
  begin_published
  sql 'create role analyst login'
  sed -i 's/^4,Dario Rossi,IT/4,Dario Rossi,CH/' seeds/raw_customers.csv
  freeze
}

setup() {
  thaw
  AIRLOCK_DBT=$DIRECT
}

teardown_file() {
  end_file
}

shape() {
  production | grep -v '^row '
}

# Published with nothing lost, or refused with the object named and nothing changed at all.
assert_carried_or_refused() { # assert_carried_or_refused NAME...
  remember_production
  shape >"$BATS_TEST_TMPDIR/shape.before"
  deploy
  if [ "$status" -eq 0 ]; then
    shape >"$BATS_TEST_TMPDIR/shape.after"
    diff "$BATS_TEST_TMPDIR"/shape.{before,after}
    assert_sql 'select country from mart.customers where customer_id = 4' CH
  else
    assert_says "$@"
    assert_production_unchanged
  fi
}

# The same, when the columns change too and the table has to be made anew.
change_columns() {
  scenario '{"columns": {"model.shop.customers": "1 as weight"}}'
}

assert_exchanged_or_refused() {
  change_columns
  remember_production
  grants >"$BATS_TEST_TMPDIR/grants.before"
  deploy
  if [ "$status" -eq 0 ]; then
    grants >"$BATS_TEST_TMPDIR/grants.after"
    diff "$BATS_TEST_TMPDIR"/grants.{before,after}
    assert_sql 'select sum(weight) from mart.customers' 8
  else
    assert_says "$@"
    assert_production_unchanged
  fi
}

grants() {
  production | grep -E '^(grant|column grant|policy|publication|index|constraint|trigger|schema) ' || true
}

@test "grants: table, column, schema, default privileges" {
  AIRLOCK_DBT=$REAL
  sql 'grant usage on schema mart to analyst; grant select on mart.orders to analyst'
  sql 'grant select (customer_id, country) on mart.customers to analyst'
  sql 'alter default privileges in schema mart grant select on tables to analyst'
  remember_production
  shape >"$BATS_TEST_TMPDIR/shape.before"
  deploy
  assert_status 0
  shape >"$BATS_TEST_TMPDIR/shape.after"
  diff "$BATS_TEST_TMPDIR"/shape.{before,after}
  [ "$(SHOP_PG_USER=analyst sql 'select country from mart.customers where customer_id = 4')" = CH ]
}

@test "grants of a node: those and no others; what is new and nobody may read is warned of" {
  AIRLOCK_DBT=$REAL
  sql 'create role clerk; grant select on mart.orders to analyst; grant select (order_id) on mart.orders to analyst'
  sed -i "1i {{ config(grants={'select': ['clerk']}) }}" models/mart/orders.sql
  echo 'select 1 as id' >models/mart/fresh.sql
  deploy
  assert_status 0
  assert_says "mart.fresh' is new to production, and nobody but"
  assert_sql "select has_table_privilege('clerk', 'mart.orders', 'select')" t
  assert_sql "select has_table_privilege('analyst', 'mart.orders', 'select')" f
}

@test "row security and its policies" {
  sql 'grant usage on schema mart to analyst; grant select on mart.customers to analyst'
  sql 'alter table mart.customers enable row level security'
  sql "create policy french on mart.customers to analyst using (country = 'FR')"
  assert_carried_or_refused mart.customers french
  [ "$(SHOP_PG_USER=analyst sql 'select count(*) from mart.customers')" = 2 ]
}

@test "a publication" {
  sql 'create publication feed for table mart.customers'
  assert_carried_or_refused mart.customers
}

@test "a trigger" {
  sql "create function mart.noted() returns trigger language plpgsql as 'begin return new; end'"
  sql 'create trigger noted before insert on mart.customers for each row execute function mart.noted()'
  assert_carried_or_refused mart.customers trigger
}

@test "a foreign key that references a published table" {
  sql 'alter table mart.customers add primary key (customer_id)'
  sql 'create table mart.by_hand (customer_id int references mart.customers)'
  sql 'insert into mart.by_hand values (4)'
  assert_carried_or_refused mart.customers
}

@test "changed columns: grants, indexes and comments come along" {
  sql 'grant usage on schema mart to analyst; grant select on mart.customers to analyst'
  sql 'create index customers_by_country on mart.customers (country)'
  sql "comment on table mart.customers is 'by hand'"
  change_columns
  grants >"$BATS_TEST_TMPDIR/grants.before"
  deploy
  assert_status 0
  grants >"$BATS_TEST_TMPDIR/grants.after"
  diff "$BATS_TEST_TMPDIR"/grants.{before,after}
  production | grep -q 'by hand'
  assert_sql 'select sum(weight) from mart.customers' 8
  [ "$(SHOP_PG_USER=analyst sql 'select country from mart.customers where customer_id = 4')" = CH ]
}

@test "changed columns with a column grant: it comes along" {
  sql 'grant usage on schema mart to analyst'
  sql 'grant select (customer_id, country) on mart.customers to analyst'
  assert_exchanged_or_refused mart.customers
  assert_status 0
  [ "$(SHOP_PG_USER=analyst sql 'select country from mart.customers where customer_id = 4')" = CH ]
}

@test "changed columns with row security, a publication, a trigger: carried or refused" {
  sql 'alter table mart.customers enable row level security'
  assert_exchanged_or_refused mart.customers
  thaw
  sql 'create publication feed for table mart.customers'
  assert_exchanged_or_refused mart.customers
  thaw
  sql "create function mart.noted() returns trigger language plpgsql as 'begin return new; end'"
  sql 'create trigger noted before insert on mart.customers for each row execute function mart.noted()'
  assert_exchanged_or_refused mart.customers
}

@test "changed columns of a table that has what a new one would not: refused by name" {
  sql 'alter role current_user set allow_in_place_tablespaces = on'
  sql "create tablespace fast location ''"
  sql 'create access method other type table handler heap_tableam_handler'
  sql 'alter table mart.customers set access method other;
    create index customers_by_name on mart.customers (customer_name) tablespace fast;
    alter table mart.customers alter column country type text collate "C";
    alter table mart.customers alter column segment set compression pglz;
    alter table mart.customers set (toast.autovacuum_enabled = off)'
  change_columns
  remember_production
  deploy
  assert_status 125
  assert_says "the columns of 'shop.mart.customers' changed" 'access method other' \
    'collation C of column country' 'compression of column segment' \
    'storage options of its long values' 'tablespace fast of index customers_by_name'
  assert_production_unchanged
  sql 'alter table mart.customers set access method heap;
    drop index mart.customers_by_name;
    alter table mart.customers alter column country type text collate "default";
    alter table mart.customers alter column segment set compression default;
    alter table mart.customers reset (toast.autovacuum_enabled);
    alter table mart.customers set tablespace fast'
  deploy
  assert_status 125
  assert_says 'that would lose: tablespace fast'
  # What the project does to staging's table the new one has not.
  sql 'alter table mart.customers set tablespace pg_default; alter table mart.customers set access method other'
  fake_dbt build "'$DIRECT' \"\$@\" || exit
    $(by_hand 'alter table stage.customers set access method other'); exit"
  deploy
  assert_status 125
  assert_says 'that would lose: access method other'
  assert_sql "select amname from pg_class c join pg_am a on a.oid = c.relam where c.oid = 'stage.customers'::regclass" other
  sql 'alter table mart.customers set access method heap'
  AIRLOCK_DBT=$DIRECT
  deploy
  assert_status 0
  sql 'drop tablespace fast'
}

@test "changed columns: a collation that staging has as well is there afterwards" {
  scenario '{"columns": {"model.shop.customers": "country collate \"C\" as place"}}'
  deploy
  assert_status 0
  scenario '{"columns": {"model.shop.customers": "country collate \"C\" as place, 1 as weight"}}'
  deploy
  assert_status 0
  assert_sql "select collation_name from information_schema.columns
    where table_schema = 'mart' and table_name = 'customers' and column_name = 'place'" C
}

@test "a table without a log: as the model says, and one of production's alone is refused by name" {
  persistence() {
    assert_sql "select relpersistence from pg_class where oid = 'mart.customers'::regclass" "$1"
  }
  fake_dbt build "'$DIRECT' \"\$@\" || exit
    $(by_hand 'alter table stage.customers set unlogged'); exit"
  deploy
  assert_status 0
  persistence p
  change_columns
  deploy
  assert_status 0
  persistence u
  run airlock rollback --from staging --to prod --yes
  assert_status 0
  persistence p
  sql 'drop table mart.customers cascade'
  deploy
  assert_status 0
  persistence u
  scenario '{"columns": {"model.shop.customers": "2 as weight, 3 as height"}}'
  AIRLOCK_DBT=$DIRECT
  remember_production
  deploy
  assert_status 125
  assert_says "the columns of 'shop.mart.customers' changed" 'that would lose: unlogged'
  assert_production_unchanged
}

@test "changed columns with a view elsewhere that reads the table: the view goes on, over the new one" {
  sql 'create schema reports'
  sql 'create view reports.countries as select country, customer_id from mart.customers'
  sql 'grant select on reports.countries to public'
  change_columns
  deploy
  assert_status 0
  assert_sql 'select count(*) from reports.countries' "$(sql 'select count(*) from mart.customers')"
  assert_sql "select has_table_privilege('public', 'reports.countries', 'select')" t
}

@test "changed columns with materialized views that read the table: made again over the new one, with what they had" {
  sql 'create schema reports; create role owner; grant usage, create on schema reports to owner;
    grant usage on schema mart to owner; grant select on mart.customers to owner'
  sql 'create materialized view reports.countries with (fillfactor = 70) as
    select country, count(*) as n from mart.customers group by 1'
  sql 'create unique index countries_once on reports.countries (country)'
  sql "comment on index reports.countries_once is 'for refresh'; comment on materialized view reports.countries is 'by hand';
    comment on column reports.countries.n is 'how many'; grant select on reports.countries to analyst;
    alter materialized view reports.countries owner to owner"
  sql 'create view reports.most as select max(n) as most from reports.countries'
  OWN_SCHEMAS=$OWN_SCHEMAS,unfilled # which nobody can read
  sql 'create schema unfilled; create materialized view unfilled.most as select * from reports.most with no data'
  shape | grep reports >"$BATS_TEST_TMPDIR/shape.before"
  remember_production
  change_columns
  deploy
  assert_status 0
  assert_says "the materialized view 'shop.reports.countries' reads 'shop.mart.customers'" 'readers wait meanwhile'
  shape | grep reports >"$BATS_TEST_TMPDIR/shape.after"
  diff "$BATS_TEST_TMPDIR"/shape.{before,after}
  assert_sql "select n from reports.countries where country = 'CH'" 1
  assert_sql "select reloptions, pg_get_userbyid(relowner) from pg_class where oid = 'reports.countries'::regclass" \
    "$(sql "select array['fillfactor=70'], 'owner'::name")"
  assert_sql "select has_table_privilege('analyst', 'reports.countries', 'select')" t
  assert_sql "select relispopulated from pg_class where oid = 'unfilled.most'::regclass" f
  sql 'refresh materialized view concurrently reports.countries'
  run airlock rollback --yes
  assert_status 0
  assert_production_unchanged
  sql 'alter materialized view reports.countries cluster on countries_once'
  remember_production
  deploy
  assert_status 125
  assert_says "the materialized view 'shop.reports.countries' that reads it" 'clustered on reports.countries_once'
  assert_production_unchanged
}

@test "a materialized view over a column that goes: nothing is published" {
  sql 'alter table mart.customers add column note text'
  sql 'create materialized view public.notes as select note from mart.customers'
  remember_production
  deploy
  assert_status 125
  assert_says 'the view shop.public.notes cannot be made again over what it reads now' 'production was not changed'
  assert_production_unchanged
}

@test "a partitioned production table" {
  sql 'drop view mart.open_orders'
  sql 'drop table mart.customers cascade'
  sql 'create table mart.customers (customer_id integer, customer_name varchar(80),
         country varchar(2), segment varchar(20), orders bigint, revenue_eur numeric,
         last_ordered_on date) partition by list (segment)'
  sql "create table mart.customers_retail partition of mart.customers for values in ('retail')"
  sql 'create table mart.customers_rest partition of mart.customers default'
  assert_carried_or_refused mart.customers
}

@test "a name of more bytes than PostgreSQL keeps is refused" {
  AIRLOCK_DBT=$REAL
  remember_production
  name=$(printf 'n%.0s' $(seq 64))
  sed -i "1i {{ config(alias='$name') }}" models/mart/orders.sql
  deploy
  [ "$status" -ne 0 ]
  assert_says "$name"
  assert_production_unchanged
}
