#!/usr/bin/env bats
# airlock deploy blue-green with `prepare: clone`: green begins as production's copy, so that what
# gathers rows goes on from them. On the direct runner.

load ../support/common.bash
load ../support/blue_green.bash

setup_file() {
  begin_file shop
  sed -i "s/^    tags: \['mart', 'utils'\]/    prepare: clone/" dbt_project.yml
  # It compares with all orders, which are not delivered again.
  sed -i "s/^    prepare: clone/&\n    skip_tests: [every_order_counts_once]/" dbt_project.yml
  if [ "$ENGINE" = duckdb ]; then
    mkdir ../green
    export SHOP_DUCKDB_GREEN=$WORK/green/warehouse.duckdb
  fi
  AIRLOCK_DBT=$ROOT/test/support/direct/dbt
  choose_sides
  blue_green
  assert_status 0
  # No build makes this one again.
  sql "insert into mart.revenue_by_day values (date '2024-12-31', 0, 0)"
  freeze
}

choose_sides() {
  SIDES=(--from green --to prod)
  [ "$ENGINE" = postgres ] || SIDES=(--from blue_green --to prod)
}

choose_sides

incremental() { # incremental [OPTION...]
  run airlock deploy blue-green "${SIDES[@]}" --yes "$@"
}

# At T+1 the sources have only what is new: the orders of T are not delivered again.
next_order() { # next_order NUMBER DAY
  sed -i '2,$d' seeds/raw_orders.csv seeds/raw_payments.csv
  echo "$1,3,$2,placed,EUR" >>seeds/raw_orders.csv
  echo "1$1,$1,card,10.00" >>seeds/raw_payments.csv
}

# Production alone: neither staging nor what was put aside.
production() {
  local aside
  [ "$ENGINE" = duckdb ] ||
    aside=$(sql "select string_agg(nspname, ',') from pg_namespace where nspname ~ '^green_|__airlock_'")
  "$PYTHON" "$ROOT/test/support/snapshot.py" --skip "$OWN_SCHEMAS${aside:+,$aside}" |
    sed -E 's/ ?\[airlock: [^]]*\]$//'
}

days() {
  sql "select ordered_on from mart.revenue_by_day order by 1"
}

history() {
  sql "select country, dbt_valid_to is null from history.customers_history where customer_id = 4 order by 2, 1"
}

@test "T a full load, T+1 and T+2 incremental ones: nothing of T is missing" {
  days_of_T=$(days)
  [ "$(wc -l <<<"$days_of_T")" -gt 5 ]
  next_order 113 2025-01-20
  sed -i 's/^4,Dario Rossi,IT/4,Dario Rossi,CH/' seeds/raw_customers.csv
  incremental
  assert_status 0
  [ "$(days)" = "$days_of_T"$'\n'2025-01-20 ] || fail "$(days)"
  had=$(history)
  [ "$(wc -l <<<"$had")" = 2 ] || fail "$had"
  next_order 114 2025-01-21
  incremental
  assert_status 0
  [ "$(days)" = "$days_of_T"$'\n'2025-01-20$'\n'2025-01-21 ] || fail "$(days)"
  [ "$(history)" = "$had" ]
  run airlock rollback "${SIDES[@]}" --yes
  assert_status 0
  [ "$(days)" = "$days_of_T"$'\n'2025-01-20 ] || fail "$(days)"
}

# bats test_tags=exhaustive
@test "with the real dbt: a full load at T and an incremental one at T+1" {
  export AIRLOCK_DBT=$REAL
  days_of_T=$(days)
  next_order 113 2025-01-20
  sed -i 's/^4,Dario Rossi,IT/4,Dario Rossi,CH/' seeds/raw_customers.csv
  incremental
  assert_status 0
  [ "$(days)" = "$days_of_T"$'\n'2025-01-20 ] || fail "$(days)"
  [ "$(history | wc -l)" = 2 ] || fail "$(history)"
  run airlock rollback "${SIDES[@]}" --yes
  assert_status 0
  [ "$(days)" = "$days_of_T" ] || fail "$(days)"
}

@test "an error of the database while production is copied: production stays, and the next one is whole" {
  trace=$BATS_TEST_TMPDIR/trace
  DIRECT_TRACE=$trace incremental
  assert_status 0
  copied=$("$PYTHON" -c 'import json, sys
print(next(str(line["nth"]) + "." + str(number) for line in map(json.loads, sys.stdin)
    for number, sql in enumerate(line.get("calls", []), 1)
    if "insert into" in sql and "revenue_by_day" in sql and "airlock_log" not in sql))' <"$trace")
  thaw
  rm -rf target/airlock "$trace"
  remember_production
  days_of_T=$(days)
  next_order 113 2025-01-20
  DIRECT_TRACE=$trace DIRECT_FAULT="run-operation/$copied:before:error=no_space_left" incremental
  assert_status 125
  assert_says 'no space left' 'production was not changed'
  refute_says 'build: build and test'
  assert_production_unchanged
  incremental
  assert_status 0
  [ "$(days)" = "$days_of_T"$'\n'2025-01-20 ] || fail "$(days)"
}

@test "what is copied is in the plan; without the clone it is refused by name" {
  run --separate-stderr airlock plan blue-green "${SIDES[@]}" --json
  assert_status 0
  assert_json 'sorted(c["unique_id"] for c in d["copies"])' \
    '["model.shop.revenue_by_day", "snapshot.shop.customers_history"]'
  remember_production
  incremental --prepare none
  assert_status 125
  assert_says 'model.shop.revenue_by_day' '--prepare clone'
  assert_production_unchanged
  run --separate-stderr airlock plan blue-green "${SIDES[@]}" --json -- --full-refresh
  assert_json '[c["unique_id"] for c in d["copies"]]' '["snapshot.shop.customers_history"]'
}

# bats test_tags=engine:postgres
@test "a column that a copy would not keep is named before anything is built" {
  sql 'alter table mart.revenue_by_day add column doubled numeric generated always as (revenue_eur * 2) stored'
  remember_production
  incremental
  assert_status 125
  assert_says "a copy of 'shop.mart.revenue_by_day' would not keep this: generated column doubled"
  assert_production_unchanged
}

# bats test_tags=engine:postgres
@test "a partitioned table is not begun anew without its rows" {
  sql 'alter table mart.revenue_by_day rename to was;
    create table mart.revenue_by_day (like mart.was) partition by range (ordered_on);
    create table mart.all_days partition of mart.revenue_by_day default;
    insert into mart.revenue_by_day select * from mart.was; drop table mart.was'
  remember_production
  incremental --foreign-objects mart.all_days
  assert_status 125
  assert_says "'shop.mart.revenue_by_day' is a partitioned table in production"
  run airlock deploy production-rollback -s revenue_by_day "${SIDES[@]}" --yes
  assert_status 125
  refute_says 'build: build and test'
  assert_production_unchanged
}

@test "rows that somebody else writes behind the copy stop it" {
  incremental --before-publish "'$PYTHON' '$ROOT/test/support/sql.py' 'update mart.revenue_by_day set orders = orders + 1'"
  assert_status 73
  assert_sql "select orders from mart.revenue_by_day where ordered_on = date '2024-12-31'" 1
}

@test "killed behind the copy, and a failing test: production stays, and the next one is whole" {
  remember_production
  days_of_T=$(days)
  next_order 113 2025-01-20
  AIRLOCK_FAULT=prepare:after:crash incremental
  assert_status 137
  assert_production_unchanged
  echo '113,3,2025-01-20,placed,EUR' >>seeds/raw_orders.csv
  incremental
  assert_status 1
  assert_production_unchanged
  sed -i '$d' seeds/raw_orders.csv
  incremental
  assert_status 0
  [ "$(days)" = "$days_of_T"$'\n'2025-01-20 ] || fail "$(days)"
}

# bats test_tags=engine:postgres
@test "a rollback that died in its publish is settled by the next deployment, and keeps no lock" {
  next_order 201 2025-02-01
  incremental
  assert_status 0
  export DIRECT_TRACE=$BATS_TEST_TMPDIR/trace
  DIRECT_FAULT=run-operation/4.0:before:crash-airlock run -137 airlock rollback "${SIDES[@]}" --yes
  rm "$DIRECT_TRACE"
  incremental
  assert_status 0
  assert_says 'died and is settled: it had not changed production'
  for lock in $(sql "select table_name from information_schema.tables where table_name like 'airlock_lock_%'"); do
    assert_sql "select count(*) from airlock.$lock where nonce <> ''" 0
  done
}
