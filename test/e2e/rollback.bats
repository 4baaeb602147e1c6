#!/usr/bin/env bats
# The way back, and what the warehouse remembers of the deployments. On the direct runner, but for
# one of each with the real dbt.

load ../support/common.bash

setup_file() {
  begin_published
  sql "comment on table mart.customers is 'by hand'"
  sql 'alter table mart.customers alter column customer_name set not null'
  sql 'create index customers_by_country on mart.customers (country)'
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

rollback() {
  run airlock rollback --yes "$@"
}

add_column() {
  sed -i 's/^  c.segment,$/  c.segment, 1 as weight,/; s/c.segment$/c.segment/' models/mart/customers.sql
  export DIRECT_SCENARIO='{"columns": {"model.shop.customers": "1 as weight"}}'
}

holders() { # who is in a lock
  local table
  for table in $(sql "select table_name from information_schema.tables
      where table_schema = 'airlock' and table_name like 'airlock_lock%'"); do
    sql "select id from airlock.$table where nonce <> ''"
  done
}

newest() {
  run --separate-stderr airlock history --json
  assert_status 0
  json 'd["deployments"][0]["id"]'
}

# bats test_tags=default:postgres
@test "a rollback puts back rows, indexes, comments and constraints" {
  AIRLOCK_DBT=$REAL
  remember_production
  deploy
  assert_status 0
  assert_production_changed
  rollback
  assert_status 0
  assert_says 'put back 6 relations'
  assert_production_unchanged
}

@test "a rollback puts back columns that the deployment changed" {
  add_column
  remember_production
  deploy
  assert_status 0
  assert_sql 'select sum(weight) from mart.customers' 8
  rollback
  assert_status 0
  assert_production_unchanged
}

# bats test_tags=default:duckdb,exhaustive
@test "two generations, one after the other; before the first there was nothing" {
  production >"$BATS_TEST_TMPDIR/first"
  deploy
  assert_status 0
  rollback
  assert_status 0
  production | diff "$BATS_TEST_TMPDIR/first" -
  rollback
  assert_status 0
  [ -z "$(relations)" ]
  rollback
  assert_status 125
  assert_says 'no deployment to roll back'
}

@test "production that somebody changed since is not rolled back, unless it is forced" {
  deploy
  assert_status 0
  sql "insert into mart.orders select * from mart.orders limit 1"
  remember_production
  rollback
  assert_status 73
  assert_says mart.orders 'was changed' --force
  assert_production_unchanged
  rollback --force
  assert_status 0
  assert_sql 'select country from mart.customers where customer_id = 4' IT
}

# bats test_tags=default:duckdb
@test "an older deployment is rolled back after the newer one only" {
  first=$(newest)
  deploy
  assert_status 0
  remember_production
  rollback "$first"
  assert_status 73
  assert_says 'published' 'since' '--force'
  assert_production_unchanged
  rollback no_such_deployment
  assert_status 125
  assert_says "no deployment 'no_such_deployment'" 'airlock history'
}

# bats test_tags=default:duckdb
@test "without a restore point there is no way back, and that is said" {
  deploy --no-restore-point
  assert_status 0
  remember_production
  rollback
  assert_status 125
  assert_says 'kept no restore point'
  assert_production_unchanged
}

# bats test_tags=default:duckdb
@test "a restore point that somebody dropped is missed before anything changes" {
  deploy
  assert_status 0
  sql "drop table airlock_restore.r_$(newest)_1"
  remember_production
  rollback
  assert_status 125
  assert_says 'is gone'
  assert_production_unchanged
}

@test "killed before or after its publish, a rollback leaves production old or new" {
  for moment in before after; do
    thaw
    production >"$BATS_TEST_TMPDIR/old"
    deploy
    assert_status 0
    production >"$BATS_TEST_TMPDIR/new"
    AIRLOCK_FAULT=publish:$moment:crash rollback
    assert_status 137
    if [ "$moment" = before ]; then
      production | diff "$BATS_TEST_TMPDIR/new" -
    else
      production | diff "$BATS_TEST_TMPDIR/old" -
    fi
    deploy
    assert_status 0
    [ -z "$(holders)" ] || fail "$moment: held by" "$(holders)"
  done
}

# bats test_tags=default:duckdb
@test "a lock that a deployment with an end still has is given back by gc" {
  deploy
  assert_status 0
  table=$(sql "select min(table_name) from information_schema.tables
    where table_schema = 'airlock' and table_name like 'airlock_lock%'")
  sql "update airlock.$table set nonce = 'left', id = '$(newest)'"
  run airlock gc --from staging --to prod --yes
  assert_status 0
  assert_says 'released 1 lock'
  [ -z "$(holders)" ]
  # Of one that died as it took the lock there is no history, and nothing to settle.
  AIRLOCK_FAULT=lock:after:crash deploy
  assert_status 137
  run airlock gc --from staging --to prod --yes
  assert_status 72
  sql "delete from airlock.airlock_log where id = '$(newest)'"
  run airlock gc --from staging --to prod --yes
  assert_status 0
  assert_says 'released 1 lock of deployments that have ended, or never began'
  [ -z "$(holders)" ]
  sql "update airlock.$table set nonce = 'held', id = 'somebody'"
  run airlock gc --from staging --to prod --yes
  assert_status 72
  [ "$(holders)" = somebody ]
}

@test "history and inspect tell who, when, which tables, and how a deployment ended" {
  break_orders
  deploy
  assert_status 1
  run --separate-stderr airlock history --json
  assert_status 0
  assert_json 'd["version"]' 1
  assert_json '[x["outcome"] for x in d["deployments"]]' '["blocked", "published"]'
  assert_json '[x["published"] for x in d["deployments"]]' '[0, 6]'
  assert_json 'd["deployments"][0]["restore_point"]' null
  assert_json 'd["deployments"][0]["exit"]' 1
  AIRLOCK_DBT=$REAL run airlock history
  assert_status 0
  assert_says 'blocked' 'published' 'unique_orders_order_id'
  run airlock inspect
  assert_status 0
  assert_says 'blocked' '1 failed'
  run --separate-stderr airlock inspect --json
  assert_status 0
  assert_json 'd["deployment"]["tests"]["failed"]' 1
  run airlock inspect no_such_deployment
  assert_status 125
}

# bats test_tags=default:duckdb
@test "history and inspect tell by whom, where, of which commit, and how many rows there were before" {
  printf '%s\n' target/ logs/ >.gitignore
  git init -q .
  git add -A
  git -c user.name=a -c user.email=a@b commit -qm all
  commit=$(git rev-parse HEAD)
  echo '113,3,2025-01-20,placed,EUR' >>seeds/raw_orders.csv # what is there now
  git -c user.name=a -c user.email=a@b commit -qam more
  newer=$(git rev-parse HEAD)
  git checkout -q "$commit"
  USER=somebody deploy
  assert_status 0
  git checkout -q "$newer"
  sed -i 's/^4,Dario Rossi,CH/4,Dario Rossi,DE/' seeds/raw_customers.csv
  USER=other deploy
  assert_status 0
  run --separate-stderr airlock history --json
  assert_json '[[x["user"], x["host"], x["commit"], x["published"]] for x in d["deployments"][:2]]' \
    "[[\"other\", \"$(hostname)\", \"$newer\", 6], [\"somebody\", \"$(hostname)\", \"$commit\", 6]]"
  assert_json 'all(x["started_at"] < x["finished_at"] for x in d["deployments"])' true
  run airlock history
  [[ $output =~ other\ +"${newer:0:10}+" ]] || fail "$output"
  [[ $output =~ somebody\ +"${commit:0:10}"\ +- ]] || fail "$output"
  run --separate-stderr airlock inspect --json
  assert_json '[d["deployment"][key] for key in ("user", "host", "commit", "dirty")]' \
    "[\"other\", \"$(hostname)\", \"$newer\", true]"
  assert_json '{t["to"].split(".")[-1]: [t["rows_before"], t["rows"]] for t in d["deployment"]["tables"]
    if t["to"].endswith((".orders", ".customers"))}' '{"customers": [8, 8], "orders": [12, 13]}'
  assert_json '{"parse", "observe", "build"} <= d["deployment"]["phases_ms"].keys()' true
  assert_json 'd["deployment"]["dbt_starts"] > 2 and d["deployment"]["tests"]["passed"] > 0' true
  run airlock inspect
  assert_says "$newer, with changes that are not committed" '13 rows, before 12' other "$(hostname)"
  rm -rf .git
  deploy
  assert_status 0
  run --separate-stderr airlock history --json
  assert_json 'd["deployments"][0]["commit"]' null
}
