# What changes between two deployments, and what production keeps: the same for every strategy. Who
# loads this sets STRATEGY, the words behind `deploy`, OF_DBT, which comes last, and FROM, the target;
# VERB is `publish` where a plain build goes before.
# shellcheck shell=bash
# shellcheck disable=SC2154 # the one that loads this

VERB=deploy
STRATEGY=()
KINDS=2 # how many of the two get another kind: production-rollback publishes no views
OF_DBT=()

publish() { # publish [OPTION...], into $status and $output
  [ "$VERB" = deploy ] || dbt build --quiet --target "$FROM"
  run airlock "$VERB" "${STRATEGY[@]}" --yes "$@" "${OF_DBT[@]}"
}

columns() { # columns SCHEMA.TABLE: names and types, in their order
  sql "select column_name || ' ' || data_type from information_schema.columns
    where table_schema = '${1%.*}' and table_name = '${1#*.}' order by ordinal_position"
}

assert_published() { # assert_published [OPTION...]
  publish "$@"
  assert_status 0
}

assert_taken_back() { # by a rollback to what was remembered
  run airlock rollback --from "$FROM" --to prod --yes
  assert_status 0
  assert_production_unchanged
}

# Production differs from what is built as if the models had changed since: it lacks a column, has
# one more, and one of another type.
columns_change() {
  local built
  built=$(columns mart.revenue_by_day)
  sql 'alter table mart.revenue_by_day drop column orders'
  sql 'alter table mart.revenue_by_day add column note varchar'
  sql 'alter table mart.revenue_by_day alter column revenue_eur type double precision'
  [ "$(columns mart.revenue_by_day)" != "$built" ]
  remember_production
  assert_published "$@"
  diff <(columns mart.revenue_by_day) - <<<"$built"
  assert_sql 'select count(*) from mart.revenue_by_day where orders > 0' 8
  assert_taken_back
}

# Of what changes its kind: who owns it, who may do what with it and with its columns. Nothing on DuckDB.
given_to_kinds() {
  [ "$ENGINE" = postgres ] || return 0
  sql "select c.relname, pg_get_userbyid(c.relowner), array(select unnest(c.relacl)::text order by 1),
      (select string_agg(a.attname || a.attacl::text, ' ' order by 1) from pg_attribute a where a.attrelid = c.oid)
    from pg_class c where c.relnamespace = 'mart'::regnamespace
    and c.relname in ('open_orders', 'revenue_by_day') order by 1"
}

# A table where the model is a view, and a view where it is a table.
kinds_change() {
  local given
  sql 'create schema aside'
  sql 'create table aside.days as select * from mart.revenue_by_day'
  sql 'drop table mart.revenue_by_day'
  sql 'create view mart.revenue_by_day as select * from aside.days'
  sql 'create table aside.open as select * from mart.open_orders'
  sql 'drop view mart.open_orders'
  sql 'create table mart.open_orders as select * from aside.open'
  if [ "$ENGINE" = postgres ]; then
    sql 'drop role if exists reader'
    sql 'create role reader; grant usage on schema mart to reader;
      grant select on mart.open_orders to reader with grant option;
      grant select on mart.revenue_by_day to public;
      grant select (order_id) on mart.open_orders to public;
      grant select (ordered_on), update (ordered_on) on mart.revenue_by_day to reader'
  fi
  given=$(given_to_kinds)
  remember_production
  assert_published "$@"
  [ "$(given_to_kinds)" = "$given" ] || fail "$given" "is now:" "$(given_to_kinds)"
  assert_sql "select count(*) from information_schema.tables where table_schema = 'mart'
    and (table_name, table_type) in (('open_orders', 'VIEW'), ('revenue_by_day', 'BASE TABLE'))" "$KINDS"
  assert_sql 'select count(*) from mart.open_orders' 5
  assert_taken_back
}

# One model has another name, another one is gone: what they were stays, and is named.
models_go() {
  rm models/mart/open_orders.sql
  mv models/mart/revenue_by_day.sql models/mart/daily_revenue.sql
  export DIRECT_RENAMED='revenue_by_day=daily_revenue' DIRECT_WITHOUT="${DIRECT_WITHOUT-} model.shop.open_orders"
  remember_production
  assert_published "$@"
  assert_sql 'select count(*) from mart.daily_revenue' 8
}

# What people gave to production by hand. On DuckDB there are no privileges.
give_by_hand() {
  sql 'alter table mart.customers alter column customer_name set not null'
  sql "alter table mart.customers alter column country set default 'FR'"
  sql "comment on table mart.customers is 'by hand'"
  sql "comment on column mart.customers.country is 'ISO 3166'"
  sql 'create index customers_by_country on mart.customers (country)'
  sql 'create schema reports'
  sql 'create view reports.countries as select country, count(*) as n from mart.customers group by 1'
  [ "$ENGINE" = postgres ] || return 0
  sql 'alter table mart.orders add constraint orders_key primary key (order_id)'
  sql "comment on index mart.customers_by_country is 'slow without';
    comment on constraint orders_key on mart.orders is 'once'"
  sql 'drop role if exists reader'
  sql 'create role reader'
  sql 'grant select on mart.customers to reader with grant option'
  sql 'grant select (order_id) on mart.orders to reader'
}

shape() { # all but the rows, which are meant to change
  production | grep -v '^row '
}

what_people_gave_stays() {
  give_by_hand
  sed -i 's/^4,Dario Rossi,IT/4,Dario Rossi,CH/' seeds/raw_customers.csv
  remember_production
  shape >"$BATS_TEST_TMPDIR/shape.before"
  assert_published "$@"
  shape >"$BATS_TEST_TMPDIR/shape.after"
  diff "$BATS_TEST_TMPDIR"/shape.{before,after}
  assert_sql "select n from reports.countries where country = 'CH'" 1
  assert_taken_back
}

# `grants` of a node are its own, and no others; what has none keeps what production gave. With the
# real dbt, as they stand in the manifest.
grants_are_the_nodes() { # grants_are_the_nodes [OPTION...]
  export AIRLOCK_DBT=$REAL
  sql 'drop role if exists analyst; drop role if exists clerk'
  sql 'create role analyst; create role clerk;
    grant select on mart.orders, mart.customers to analyst; grant select (order_id) on mart.orders to analyst'
  sed -i "1i {{ config(grants={'select': ['clerk']}) }}" models/mart/orders.sql
  assert_published "$@"
  assert_sql "select has_table_privilege('clerk', 'mart.orders', 'select'), has_table_privilege('analyst', 'mart.orders', 'select'),
    has_column_privilege('analyst', 'mart.orders', 'order_id', 'select'),
    has_table_privilege('analyst', 'mart.customers', 'select'), has_table_privilege('clerk', 'mart.customers', 'select')" \
    't|f|f|t|f'
  sql 'drop owned by analyst; drop role analyst; drop owned by clerk; drop role clerk'
}
