#!/usr/bin/env bats
# airlock deploy wac: good deployments, with real dbt where the way of building matters.

load ../support/common.bash

setup_file() {
  begin_file shop
  airlock deploy wac --from staging --to prod --tags mart,utils --yes --json \
    >"$WORK/first.json" 2>"$WORK/first.err" && echo 0 >"$WORK/first.status" ||
    echo $? >"$WORK/first.status"
  freeze
}

setup() {
  thaw
}

teardown_file() {
  end_file
}

first_deployment() {
  output=$(cat "$WORK/first.json")
  stderr=$(cat "$WORK/first.err")
  status=$(cat "$WORK/first.status")
}

@test "publishes exactly what has the tags, into an empty production" {
  first_deployment
  assert_status 0
  [ "$(relations)" = 'mart.customers
mart.open_orders
mart.orders
mart.revenue_by_day
utils.calendar
utils.currencies' ] || fail "$(relations)"
  assert_sql 'select count(*) from mart.orders' 12
  assert_sql 'select count(*) from utils.calendar' 31
  assert_sql 'select sum(revenue_eur) from mart.customers' \
    "$(sql 'select sum(revenue_eur) from stage.customers')"
}

@test "the view of the scope reads production" {
  assert_sql 'select count(*) from mart.open_orders' "$(sql 'select count(*) from stage.open_orders')"
}

@test "--json says what was published" {
  first_deployment
  assert_json 'd["version"]' 1
  assert_json 'd["strategy"]' wac
  assert_json 'd["outcome"]' published
  assert_json 'd["production_changed"]' true
  assert_json 'd["exit"]' 0
  assert_json 'len(d["published"])' 6
  assert_json 'd["failures"]' '[]'
  assert_json 'all(key in d for key in ("id", "nodes", "tests", "next"))' true
}

# bats test_tags=default:duckdb
@test "a second run publishes again, and a changed seed shows up in production" {
  sed -i 's/^4,Dario Rossi,IT/4,Dario Rossi,CH/' seeds/raw_customers.csv
  assert_sql 'select country from mart.customers where customer_id = 4' IT
  deploy
  assert_status 0
  assert_sql 'select country from mart.customers where customer_id = 4' CH
  assert_sql 'select count(*) from mart.customers' 8
}

# bats test_tags=default:duckdb
@test "the incremental model keeps what it had and adds what is new" {
  echo '113,3,2025-01-20,placed,EUR' >>seeds/raw_orders.csv
  deploy
  assert_status 0
  assert_sql "select orders from mart.revenue_by_day where ordered_on = date '2025-01-20'" 1
  assert_sql 'select sum(orders) from mart.revenue_by_day' 12
}

# bats test_tags=default:duckdb
@test "what the project file says needs no options" {
  AIRLOCK_DBT=$DIRECT
  run airlock deploy wac --yes
  assert_status 0
  assert_says mart.orders
}

@test "tags_to_clone alone: into schemas named after the tags, created when missing" {
  AIRLOCK_DBT=$DIRECT
  sed -i '/^  airlock:/,/^$/d' dbt_project.yml
  sql 'drop schema mart cascade'
  sql 'drop schema utils cascade'
  run airlock deploy wac --from staging --yes
  assert_status 0
  [ "$(relations)" = 'mart.customers
mart.orders
mart.revenue_by_day
utils.calendar
utils.currencies' ] || fail "$(relations)"
  assert_sql 'select count(*) from utils.currencies' 3
  printf '  airlock:\n    routes: {mart: analytics}\n' >"$BATS_TEST_TMPDIR/routes"
  sed -i "/^  tags_to_clone:/r $BATS_TEST_TMPDIR/routes" dbt_project.yml
  sql 'drop schema mart cascade'
  run airlock deploy wac --from staging --yes
  assert_status 0
  assert_sql 'select count(*) from analytics.orders' 12
  assert_sql "select count(*) from information_schema.tables where table_schema = 'mart'" 0
}

@test "an incremental model that lost more rows than max_shrink is not published" {
  AIRLOCK_DBT=$DIRECT
  sql "insert into mart.revenue_by_day values (date '2024-12-30', 0, 0), (date '2024-12-31', 0, 0)"
  remember_production
  deploy
  assert_status 125
  assert_says "'model.shop.revenue_by_day' has 8 rows in staging and 10 in production" 'production was not changed'
  assert_production_unchanged
  sed -i 's/^    to: prod/&\n    max_shrink: 20/' dbt_project.yml
  deploy
  assert_status 0
  assert_sql 'select count(*) from mart.revenue_by_day' 8
}

# bats test_tags=default:duckdb,exhaustive
@test "a selection publishes its part and leaves the rest" {
  AIRLOCK_DBT=$DIRECT
  sed -i 's/^4,Dario Rossi,IT/4,Dario Rossi,CH/; ' seeds/raw_customers.csv
  sed -i 's/^SEK,Swedish krona,/SEK,Krona,/' seeds/raw_currencies.csv
  deploy -s customers
  assert_status 0
  assert_sql 'select country from mart.customers where customer_id = 4' CH
  assert_sql "select currency_name from utils.currencies where currency = 'SEK'" 'Swedish krona'
  deploy --exclude tag:mart
  assert_status 0
  assert_sql "select currency_name from utils.currencies where currency = 'SEK'" Krona
}

# bats test_tags=default:duckdb
@test "a new column arrives, and the rest of the table with it" {
  sed -i 's/^  payments,$/  payments, payments * 2 as twice,/' models/mart/orders.sql
  deploy
  assert_status 0
  assert_sql 'select count(*), sum(twice) from mart.orders' '12|24'
}

# bats test_tags=default:duckdb,exhaustive
@test "dbt's own options behind -- reach it: --profile, --vars" {
  profile=$(sed -n 's/^profile: //p' dbt_project.yml)
  sed -i 's/^profile: .*/profile: none_such/' dbt_project.yml
  deploy -- --profile "$profile" --vars '{unused: 1}'
  assert_status 0
}

# bats test_tags=default:duckdb,exhaustive
@test "variables that silence dbt change nothing: a good deployment publishes" {
  sed -i 's/^4,Dario Rossi,IT/4,Dario Rossi,CH/' seeds/raw_customers.csv
  export DBT_PRINT=false DBT_LOG_LEVEL=none DBT_ENGINE_LOG_LEVEL=none DBT_QUIET=true
  deploy
  assert_status 0
  assert_sql 'select country from mart.customers where customer_id = 4' CH
}

@test "what was replaced is kept as a restore point" {
  AIRLOCK_DBT=$DIRECT
  sed -i 's/^4,Dario Rossi,IT/4,Dario Rossi,CH/' seeds/raw_customers.csv
  deploy
  assert_status 0
  restored=$(sql "select table_name from information_schema.columns
                   where table_schema = 'airlock_restore' and column_name = 'customer_name'")
  assert_sql "select country from airlock_restore.\"$restored\" where customer_id = 4" IT
}

# bats test_tags=default:postgres
@test "names with spaces and capitals, and of 63 bytes" {
  long=$(printf 'n%.0s' $(seq 63))
  sed -i "s/unique_key=/alias='Revenue of the Day', unique_key=/" models/mart/revenue_by_day.sql
  sed -i "1i {{ config(alias='$long') }}" models/utils/calendar.sql
  for _ in first second; do
    deploy
    assert_status 0
    assert_sql 'select count(*) from mart."Revenue of the Day"' 8
    assert_sql "select count(*) from utils.$long" 31
  done
}
