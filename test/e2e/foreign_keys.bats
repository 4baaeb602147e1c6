#!/usr/bin/env bats
# Foreign keys of production's tables: what a publish brings is checked before it commits. With
# test/support/direct in dbt's place.

load ../support/common.bash

setup_file() {
  export AIRLOCK_DBT=$ROOT/test/support/direct/dbt
  begin_published
  sql 'create table public.countries as select distinct country as code from mart.customers'
  sql 'alter table public.countries add primary key (code)'
  sql 'alter table mart.customers add constraint customers_country foreign key (country) references public.countries'
  sed -i 's/^4,Dario Rossi,IT/4,Dario Rossi,CH/' seeds/raw_customers.csv
  freeze
}

setup() {
  thaw
  export AIRLOCK_DBT=$ROOT/test/support/direct/dbt
}

teardown_file() {
  end_file
}

assert_checked() { # and published once the row it points to is there
  remember_production
  deploy
  assert_status 125
  assert_says customers_country 'production was not changed'
  assert_production_unchanged
  sql "insert into public.countries values ('CH')"
  deploy
  assert_status 0
  assert_sql 'select country from mart.customers where customer_id = 4' CH
  run sql "delete from public.countries where code = 'CH'"
  assert_says customers_country
}

# bats test_tags=exhaustive
@test "rows that break a foreign key of a table that stays: nothing is published" {
  assert_checked
}

@test "one that is checked at the commit only: nothing is published" {
  sql 'alter table mart.customers alter constraint customers_country deferrable initially deferred'
  assert_checked
}

@test "the same where another table takes the place: the key comes along, and is checked" {
  sql 'drop view mart.open_orders'
  export DIRECT_SCENARIO='{"columns": {"model.shop.customers": "1 as weight"}}'
  assert_checked
}

@test "refused by name: a key of somebody else's table that references a published one" {
  sql 'alter table mart.customers add primary key (customer_id)'
  sql 'create table public.calls (customer_id int references mart.customers)'
  deploy
  assert_status 125
  assert_says mart.customers 'foreign key calls_customer_id_fkey of public.calls' 'production was not changed'
}
