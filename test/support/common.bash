# Shared by the end-to-end tests: one project and one warehouse per file, as they were at the
# file's beginning for each test.
#
#   setup_file()    { begin_file shop; deploy...; freeze; }
#   setup()         { thaw; }
#   teardown_file() { end_file; }
#
# ENGINE is duckdb, postgres, snowflake or bigquery (stand-ins) or none. Tests run in the
# project; the project's profile is that of the engine. Every variable that dbt or airlock would
# read is gone, but for AIRLOCK_DBT.
# shellcheck shell=bash
# shellcheck disable=SC2154,SC2119,SC2120 # `run` sets status, output and stderr; tests pass arguments

bats_require_minimum_version 1.5.0

ROOT=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd -P)
: "${AIRLOCK_BIN:=$ROOT/build/airlock}" "${ENGINE:=duckdb}"
VENV=$ROOT/.cache/dbt
case $ENGINE in snowflake | bigquery) VENV=$ROOT/.cache/$ENGINE ;; esac
PYTHON=$VENV/bin/python
for name in $(compgen -e | grep -E '^(DBT|AIRLOCK)_' | grep -vxE 'AIRLOCK_(BIN|FORK_SERVER|TEST_ALL)'); do
  unset "$name"
done
REAL=$VENV/bin/dbt
DIRECT=$ROOT/test/support/direct/dbt
export AIRLOCK_BIN ENGINE AIRLOCK_DBT=$REAL DIRECT

# What only the staging side and airlock itself write.
OWN_SCHEMAS=stage,airlock,airlock_restore

airlock() {
  "$AIRLOCK_BIN" "$@"
}

dbt() {
  "$AIRLOCK_DBT" "$@"
}

# One command with the stand-in for dbt, which answers in a tenth of the time: what is not about dbt,
# of a project whose models are the recorded ones.
directly() {
  AIRLOCK_DBT=$DIRECT "$@"
}

# Until the stand-in has met its fault in a deployment that runs beside, $first.
await_fault() { # await_fault FILE: what that deployment says
  until grep -qs '"fault"' "$DIRECT_TRACE"; do
    kill -0 "$first" || fail "$(cat "$1")"
    sleep 0.1
  done
}

# Tells the stand-in what a change of a model, or a failing test, would do.
scenario() { # scenario JSON
  export DIRECT_SCENARIO=$1
}

break_orders() {
  scenario '{"results": {"test.shop.unique_orders_order_id.fed79b3a6e": {"status": "fail", "failures": 1,
    "message": "Got 1 result, configured to fail if != 0"}}}'
}

sql() {
  "$PYTHON" "$ROOT/test/support/sql.py" "$1"
}

pg() {
  "$ROOT/test/support/pg" "$@"
}

standin() {
  STANDIN_OWNER=$$ "$ROOT/test/support/standin" "$@"
}

# The same as a command for a hook of a deployment.
by_hand() { # by_hand SQL
  printf "'%s' '%s' '%s'" "$PYTHON" "$ROOT/test/support/sql.py" "$1"
}

begin_file() { # begin_file PROJECT
  export ROOT WORK=$BATS_FILE_TMPDIR/work
  export SHOP_DUCKDB=$WORK/warehouse.duckdb
  mkdir -p "$WORK"
  cp -R "$ROOT/test/projects/$1" "$WORK/project"
  cd "$WORK/project" || return
  case $ENGINE in
  postgres) eval "$(pg start $$)" ;;
  snowflake) eval "$(standin start snowflake --database SHOP)" ;;
  bigquery)
    eval "$(standin start bigquery)"
    export SHOP_BQ_ENDPOINT=http://127.0.0.1:$SHOP_BQ_PORT
    ;;
  esac
  # A load there takes plain types only.
  [ "$ENGINE" != bigquery ] || [ ! -e seeds/_seeds.yml ] ||
    sed -Ei 's/varchar\([0-9]+\)/string/g; s/"numeric\([0-9,]+\)"/numeric/g' seeds/_seeds.yml
  case $ENGINE in postgres | snowflake | bigquery) sed -i "s/^profile: .*/&_$ENGINE/" dbt_project.yml ;; esac
}

# The same, and the shop published once: what most files begin with.
begin_published() {
  begin_file shop
  # A view whose text PostgreSQL prints alike however often it has read it.
  sed -i "s/^where o.status in .*/where o.status = 'placed' or o.status = 'shipped'/" \
    models/mart/open_orders.sql
  deploy
  assert_status 0
}

# The raw layer of the shop copies sources, which are there.
mirror_sources() {
  local name
  export DIRECT_RECORDED=${DIRECT%/dbt}/recorded/mirror
  sed -i "s/^vars:/vars:\n  mirror: true/; s/\"{{ var('mirror', false) }}\"/true/" dbt_project.yml
  dbt seed --quiet --target prod
  sql 'create schema shop_source'
  for name in customers orders payments; do
    sql "create table shop_source.$name as select * from staging.raw_$name"
  done
  sed -i "s/^  airlock:/&\n    mirror: {raw: 'tag:raw'}/" dbt_project.yml
}

end_file() {
  [ -z "${SHOP_PG_DIR-}" ] || pg stop "$SHOP_PG_DIR"
  [ -z "${SHOP_SF_PID-}" ] || standin stop "$SHOP_SF_PID"
  [ -z "${SHOP_BQ_PID-}" ] || standin stop "$SHOP_BQ_PID"
}

# What the file's tests begin with: the project with dbt's caches, and the warehouse.
freeze() {
  cd "$BATS_FILE_TMPDIR" || return # thaw removes the other
  cp -a "$WORK" "$BATS_FILE_TMPDIR/frozen"
  [ "$ENGINE" != postgres ] || SHOP_PG_DBNAME=postgres sql 'create database frozen template shop'
  of_standin freeze
}

of_standin() { # of_standin freeze|thaw
  case $ENGINE in
  snowflake) "$PYTHON" "$ROOT/test/support/thaw.py" "$1" "http://127.0.0.1:$SHOP_SF_PORT" ;;
  bigquery) "$PYTHON" "$ROOT/test/support/thaw.py" "$1" "$SHOP_BQ_ENDPOINT" ;;
  esac
}

thaw() {
  cd / || return
  rm -rf "$WORK"
  cp -a "$BATS_FILE_TMPDIR/frozen" "$WORK"
  if [ "$ENGINE" = postgres ]; then
    SHOP_PG_DBNAME=postgres sql 'drop database if exists shop with (force)'
    SHOP_PG_DBNAME=postgres sql 'create database shop template frozen'
  fi
  of_standin thaw
  cd "$WORK/project" || return
}

# A copy of the warehouse, and a command in it.
copy_warehouse() {
  if [ "$ENGINE" = postgres ]; then
    SHOP_PG_DBNAME=postgres sql 'drop database if exists in_place'
    SHOP_PG_DBNAME=postgres sql 'create database in_place template shop'
  else
    mkdir -p "$BATS_TEST_TMPDIR/in_place"
    cp "$SHOP_DUCKDB" "$BATS_TEST_TMPDIR/in_place/"
  fi
}

in_copy() {
  SHOP_PG_DBNAME=in_place SHOP_DUCKDB=$BATS_TEST_TMPDIR/in_place/${SHOP_DUCKDB##*/} "$@"
}

deploy() { # deploy [OPTION...], into $status and $output
  run airlock deploy wac --from staging --to prod --tags mart,utils --yes "$@"
}

# A dbt that answers one of its verbs differently: fake_dbt VERB SHELL-COMMANDS
fake_dbt() {
  local fake=$BATS_TEST_TMPDIR/dbt-$1
  cat >"$fake" <<EOF
#!/usr/bin/env bash
for word; do
  if [ "\$word" = $1 ]; then
    $2
  fi
done
exec "$AIRLOCK_DBT" "\$@"
EOF
  chmod +x "$fake"
  export AIRLOCK_DBT=$fake
}

# --- what production looks like

production() {
  "$PYTHON" "$ROOT/test/support/snapshot.py" --skip "$OWN_SCHEMAS"
}

remember_production() {
  production >"$BATS_TEST_TMPDIR/before"
}

assert_production_unchanged() {
  production >"$BATS_TEST_TMPDIR/after"
  diff "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after" || fail 'production is not what it was'
}

assert_production_changed() {
  production >"$BATS_TEST_TMPDIR/after"
  ! cmp -s "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after" || fail 'production did not change'
}

# The end of the name of the lock table of a schema.
lock_of() { # lock_of SCHEMA
  local database=shop
  [ "$ENGINE" = postgres ] || database=warehouse
  printf '%s.%s' "$database" "$1" | md5sum | cut -c1-16
}

# Relations outside the schemas that are our own, `schema.name`, sorted.
relations() {
  sql "select table_schema || '.' || table_name from information_schema.tables
        where table_schema not in ('${OWN_SCHEMAS//,/\', \'}', 'information_schema', 'pg_catalog')
        order by 1"
}

assert_sql() { # assert_sql SQL EXPECTED
  local actual
  actual=$(sql "$1") || return
  [ "$actual" = "$2" ] || fail "expected of: $1" "$2" 'got:' "$actual"
}

# --- what the last `run` did

fail() {
  printf '%s\n' "$@" >&2
  return 1
}

assert_status() {
  [ "$status" -eq "$1" ] || fail "exit status $status, expected $1; it said:" "$output" "${stderr-}"
}

assert_says() {
  local text
  for text; do
    grep -qF -- "$text" <<<"$output"$'\n'"${stderr-}" ||
      fail "expected to read: $text" 'it said:' "$output" "${stderr-}" || return
  done
}

refute_says() {
  ! grep -qF -- "$1" <<<"$output"$'\n'"${stderr-}" || fail "not to be read: $1" "$output" "${stderr-}"
}

# A value out of the JSON in $output: json 'd["outcome"]'
json() {
  "$PYTHON" -c 'import json, sys
d = json.load(sys.stdin)
value = eval(sys.argv[1])
print(value if isinstance(value, str) else json.dumps(value))' "$1" <<<"$output"
}

assert_json() { # assert_json EXPRESSION EXPECTED
  local actual
  actual=$(json "$1") || fail "not the JSON it should be:" "$output" "${stderr-}" || return
  [ "$actual" = "$2" ] || fail "expected of $1: $2" "got: $actual"
}
