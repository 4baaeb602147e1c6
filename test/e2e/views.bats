#!/usr/bin/env bats
# Views of the scope: made in production from the SQL that dbt compiles for it, with their tables.

load ../support/common.bash

setup_file() {
  begin_published
  sql 'create schema days'
  sql 'create view days.off as select day from utils.calendar where is_weekend'
  sql "comment on view mart.open_orders is 'by hand'"
  sql 'create schema reports'
  sql 'create view reports.spent as select customer_id, revenue_eur from mart.customers'
  sql 'create view reports.most as select max(revenue_eur) as most from reports.spent'
  if [ "$ENGINE" = postgres ]; then
    sql 'create role viewer'
    sql 'grant select on mart.open_orders, reports.spent to viewer'
    sql "comment on column reports.spent.revenue_eur is 'in euros'"
    sql 'alter view reports.spent set (security_barrier = true)'
  fi
  freeze
}

setup() {
  thaw
}

teardown_file() {
  end_file
}

rollback() {
  run directly airlock rollback --yes
}

add_column() { # to a table that views read
  sed -i 's/^  c.segment,$/  c.segment, 1 as weight,/; s/c.segment$/c.segment/' models/mart/customers.sql
}

change_view() { # change_view COLUMNS
  sed -i "s/^  c.customer_name$/  $1/" models/mart/open_orders.sql
}

@test "a view gets its new text with its tables, and the old one back by a rollback" {
  change_view 'c.customer_name, c.country'
  add_column
  remember_production
  deploy
  assert_status 0
  assert_sql 'select count(*) from mart.open_orders where country is not null' \
    "$(sql 'select count(*) from stage.open_orders')"
  assert_sql 'select sum(weight) from mart.customers' 8
  assert_sql 'select count(*) from reports.spent' 8
  rollback
  assert_status 0
  assert_production_unchanged
}

# bats test_tags=default:postgres
@test "a view whose columns change is made anew, with all that others gave it" {
  change_view 'c.country'
  remember_production
  deploy
  assert_status 0
  assert_sql "select count(*) from mart.open_orders where country = 'x'" 0
  if [ "$ENGINE" = postgres ]; then
    assert_sql "select has_table_privilege('viewer', 'mart.open_orders', 'select')" t
    assert_sql "select obj_description('mart.open_orders'::regclass)" 'by hand'
  fi
  rollback
  assert_status 0
  assert_production_unchanged
}

# bats test_tags=default:duckdb
@test "a view whose SQL dbt asks the warehouse for" {
  {
    echo "{% set found = run_query('select max(country) from ' ~ ref('customers')) if execute %}"
    cat models/mart/open_orders.sql
    echo "{% if execute %}and c.country <= '{{ found.rows[0][0] }}'{% endif %}"
  } >asks.sql
  mv asks.sql models/mart/open_orders.sql
  deploy
  assert_status 0
  assert_sql 'select count(*) from mart.open_orders' "$(sql 'select count(*) from stage.open_orders')"
}

# bats test_tags=default:duckdb,exhaustive
@test "a deployment of this checkout that compiles for the same target is waited for" {
  change_view 'c.customer_name, c.country'
  # Held until the first operation of the deployment, beside which it would be compiled, is done.
  done_before=$(grep -ls '"done"' target/airlock/deployments/*/journal.jsonl | wc -l)
  flock target/airlock/compile/prod sh -c "echo held
    until [ \"\$(grep -ls '\"done\"' target/airlock/deployments/*/journal.jsonl | wc -l)\" -gt $done_before ]
    do sleep 0.2; done" >held 3>&- &
  until [ -s held ]; do sleep 0.1; done
  deploy
  assert_status 0
  wait
  assert_says 'compiling the views of the scope'
  assert_sql 'select count(*) from mart.open_orders where country is not null' \
    "$(sql 'select count(*) from stage.open_orders')"
  rollback
  assert_status 0
}

# bats test_tags=default:duckdb,exhaustive
@test "a failing test keeps the new text of a view from production" {
  change_view 'c.customer_name, c.country'
  remember_production
  deploy -- --vars '{break_orders: true}'
  assert_status 1
  assert_production_unchanged
}

# bats test_tags=default:duckdb
@test "a view becomes a table and a table a view, and a rollback turns both back" {
  sed -i "s/materialized='view'/materialized='table'/" models/mart/open_orders.sql
  sed -i "1i {{ config(materialized='view') }}" models/utils/calendar.sql
  remember_production
  deploy
  assert_status 0
  assert_sql "select count(*) from information_schema.tables where
    (table_name, table_type) in (('open_orders', 'BASE TABLE'), ('calendar', 'VIEW'))
    and table_schema in ('mart', 'utils')" 2
  [ "$ENGINE" = duckdb ] || assert_sql "select obj_description('utils.calendar'::regclass)" ''
  assert_sql 'select count(*) from days.off' 8
  rollback
  assert_status 0
  assert_production_unchanged
}

# bats test_tags=default:duckdb
@test "a view that names staging, or reads what is not published, stops the deployment by name" {
  remember_production
  sed -i 's/^where .*/where o.order_id in (select order_id from stage.orders)/' models/mart/open_orders.sql
  deploy
  assert_status 125
  assert_says open_orders stage.orders
  thaw
  deploy --exclude customers
  assert_status 125
  assert_says open_orders 'model.shop.customers' stale_ok
  assert_production_unchanged
}

# bats test_tags=default:duckdb
@test "views: skip starts no dbt for them and leaves them as they are" {
  change_view 'c.customer_name, c.country'
  deploy --views skip
  assert_status 0
  assert_says 'open_orders' 'is not published'
  run sql 'select country from mart.open_orders'
  [ "$status" -ne 0 ]
}
