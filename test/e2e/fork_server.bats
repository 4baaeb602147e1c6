#!/usr/bin/env bats
# The fork server against the plain command line: a dbt command is the same in both ways, and the
# death of the server is an error of the step that it served.

load ../support/common.bash

setup_file() {
  begin_file shop
  # the order of sets is another one in every dbt
  export PYTHONHASHSEED=0
  freeze
}

setup() {
  thaw
  unset AIRLOCK_FORK_SERVER
}

teardown_file() {
  end_file
}

# Times, durations and identities differ between any two runs, and the order in which nodes that wait
# for the same one are begun.
normalised() {
  sed -E 's/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}/ID/g
    s/[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.]+Z?/TIME/g; s/[0-9]+\.[0-9]+ ?s(econds)?\b/TIME/g
    s/\b([0-9]+ hours, )?([0-9]+ minutes and )?TIME/TIME/g; s/[0-9]{2}:[0-9]{2}:[0-9]{2}/TIME/g; s/0x[0-9a-f]+/ADDRESS/g
    /"(execution_time|elapsed_time|created_at|thread_id)"|^ResourceReport|^CommandCompleted/d' |
    sort
}

artifacts() {
  local file
  for file in manifest run_results; do
    [ ! -e "target/$file.json" ] || "$PYTHON" -m json.tool "target/$file.json" | normalised
  done
}

in_one_way() { # in_one_way plain|server DBT-ARGUMENT...
  local out=$BATS_TEST_TMPDIR/$1
  thaw
  "${AIRLOCK_BIN%/*}/test/support/run_dbt" "$1" "$AIRLOCK_DBT" "${@:2}" >"$out.raw" 2>"$out.end"
  normalised <"$out.raw" >"$out.log"
  normalised <"$out.end" >>"$out.log"
  artifacts >"$out.artifacts"
}

assert_same_in_both_ways() { # assert_same_in_both_ways EXPECTED-END DBT-ARGUMENT...
  local file
  in_one_way plain "${@:2}"
  in_one_way server "${@:2}"
  cd "$BATS_TEST_TMPDIR" || return
  grep -qx "plain: $1" plain.end || fail "$(cat plain.end)" || return
  grep -qx "served: $1" server.end || fail "$(cat server.end)" || return
  sed -i 's/^plain: /served: /' plain.log
  for file in log artifacts; do
    diff "plain.$file" "server.$file" >differences ||
      fail "not the same $file: ${*:2}" "$(head -n 20 differences)" || return
  done
}

as_json=(--log-format json --log-level info --no-use-colors --threads 1)

# bats test_tags=default:duckdb,exhaustive
@test "a build: the same log, manifest and results" {
  assert_same_in_both_ways 'exited with 0' build "${as_json[@]}"
  grep -q 'unique_orders_order_id.*|pass' server.log
  [ -s server.artifacts ]
}

# bats test_tags=default:duckdb,exhaustive
@test "a failing test, a missing macro, a bad target, a bad option: the same error" {
  assert_same_in_both_ways 'exited with 1' build "${as_json[@]}" --vars '{break_orders: true}'
  assert_same_in_both_ways 'exited with 2' run-operation no_such_macro
  assert_same_in_both_ways 'exited with 2' parse --target no_such_target
  assert_same_in_both_ways 'exited with 2' parse --no-such-option
}

# bats test_tags=default:duckdb
@test "descriptors, signals, name and variables are the same while dbt works" {
  cat >"$BATS_FILE_TMPDIR/frozen/project/macros/look.sql" <<'EOF'
{% macro look() %}
  {% set sql %}
    select string_agg(line, '; ') from (
      select unnest(string_split(content, chr(10))) as line from read_text('/proc/self/status'))
    where regexp_matches(line, '^(Name|Umask|SigBlk|SigIgn|SigCgt):')
    union all
    select string_agg(file, ' ' order by file) from glob('/proc/self/fd/*')
  {% endset %}
  {% for row in run_query(sql).rows %}{% do print(row[0]) %}{% endfor %}
  {% do print(env_var('LOOKED_AT') ~ ' ' ~ invocation_args_dict) %}
{% endmacro %}
EOF
  export LOOKED_AT=$'a value,\ntwo lines'
  assert_same_in_both_ways 'exited with 0' run-operation look "${as_json[@]}"
  grep -q 'Name:.dbt;' server.log
  grep -q '/proc/self/fd/' server.log
}

# Processes that a deployment of this file has left.
left() {
  find /proc/[0-9]*/cwd -lname "$WORK/*" 2>/dev/null | sed 's/[^0-9]//g' | grep -vxF "$$" |
    while read -r pid; do
      # this shell's own helpers are no dbt
      tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -E 'dbt|airlock ' || true
    done
}

assert_none_left() {
  local i
  for i in $(seq 50); do
    [ -n "$(left)" ] || return 0
    sleep 0.1
  done
  fail "left behind: $(left)"
}

@test "a deployment publishes, and leaves no process" {
  deploy
  assert_status 0
  assert_sql 'select count(*) from mart.orders' 12
  assert_none_left
}

# bats test_tags=default:duckdb,exhaustive
@test "AIRLOCK_FORK_SERVER=0: the same production" {
  deploy
  assert_status 0
  production >"$BATS_TEST_TMPDIR/served"
  thaw
  AIRLOCK_FORK_SERVER=0 deploy
  assert_status 0
  production >"$BATS_TEST_TMPDIR/plain"
  diff "$BATS_TEST_TMPDIR/served" "$BATS_TEST_TMPDIR/plain"
}

make_slow() {
  case $ENGINE in
  postgres) echo 'select 1 as one from pg_sleep(60)' ;;
  *) echo 'select count(*) as n from range(20000) a, range(20000) b, range(2000) c
            where a.range + b.range + c.range < 0' ;;
  esac >models/utils/slow.sql
}

# A deployment in the background; its words in `said`.
begin_deployment() {
  "$AIRLOCK_BIN" deploy wac --from staging --to prod --tags mart,utils --yes >said 2>&1 3>&- &
  deployment=$!
}

wait_until_said() {
  local i
  for i in $(seq 600); do
    grep -q "$1" said && return 0
    sleep 0.1
  done
  fail "never said: $1" "$(cat said)"
}

end_deployment() {
  status=0
  wait "$deployment" || status=$?
  output=$(cat said)
}

server() {
  pgrep -P "$deployment" -f 'import os; exec'
}

# bats test_tags=default:duckdb,exhaustive
@test "the server killed during the build: that build is an error, production unchanged" {
  directly deploy
  assert_status 0
  remember_production
  make_slow
  begin_deployment
  wait_until_said 'build:'
  sleep 2
  kill -KILL "$(server)"
  end_deployment
  assert_status 137
  assert_says 'was killed by SIGKILL' 'production was not changed'
  assert_production_unchanged
  assert_none_left
  rm models/utils/slow.sql
  directly deploy
  assert_status 0
}

@test "the server killed during the publish: all or nothing, and the exit status says which" {
  directly deploy
  assert_status 0
  remember_production
  sed -i 's/^4,Dario Rossi,IT/4,Dario Rossi,CH/' seeds/raw_customers.csv
  begin_deployment
  wait_until_said 'build:'
  pid=$(server)
  wait_until_said 'publish:'
  # on a fast machine the deployment may have ended well before this is reached
  kill -KILL "$pid" || true
  end_deployment
  if [ "$status" -eq 0 ]; then
    assert_sql 'select country from mart.customers where customer_id = 4' CH
  else
    assert_production_unchanged
  fi
  assert_none_left
}

# bats test_tags=default:duckdb,exhaustive
@test "a signal during the build ends it in the same way" {
  make_slow
  for AIRLOCK_FORK_SERVER in 0 1; do
    export AIRLOCK_FORK_SERVER
    begin_deployment
    wait_until_said 'build:'
    sleep 4
    kill -TERM "$deployment"
    end_deployment
    assert_status 143
    assert_says 'interrupted by SIGTERM'
    assert_none_left
  done
}

# bats test_tags=exhaustive
@test "200 deployments leave no process" {
  for _ in $(seq 200); do
    deploy
    assert_status 0
    assert_none_left
  done
}
