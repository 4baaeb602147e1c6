#!/usr/bin/env bats
# Somebody else holds what the publish needs: nothing changes, and the message says who. On the
# direct runner, whose errors are those of the same drivers.

load ../support/common.bash

setup_file() {
  directly begin_published
  sed -i 's/^4,Dario Rossi,IT/4,Dario Rossi,CH/' seeds/raw_customers.csv
  freeze
}

setup() {
  thaw
  AIRLOCK_DBT=$DIRECT
  remember_production
}

teardown() {
  [ -z "${waiting-}" ] || kill "$waiting" 2>/dev/null || true
  let_go
}

teardown_file() {
  end_file
}

# Holds a connection open after running SQL in it, until let_go; $holder is what it is known by.
hold() { # hold SQL
  local ready=$BATS_TEST_TMPDIR/ready
  "$PYTHON" - "$1" "$ready" 3>&- <<'PY' &
import os, signal, sys
sys.path.insert(0, os.path.join(os.environ["ROOT"], "test/support"))
import warehouse
connection = warehouse.connect(read_only=False)
holder = os.getpid()
if warehouse.engine() == "postgres":
    connection.autocommit = False
    holder = warehouse.rows(connection, "select pg_backend_pid()")[0][0]
warehouse.rows(connection, sys.argv[1])
with open(sys.argv[2] + ".new", "w") as file:
    file.write(str(holder))
os.rename(sys.argv[2] + ".new", sys.argv[2])
signal.pause()
PY
  holding=$!
  until [ -e "$ready" ]; do kill -0 "$holding" && sleep 0.1; done
  holder=$(cat "$ready")
}

let_go() {
  [ -n "${holding-}" ] || return 0
  kill "$holding" || true
  wait "$holding" 2>/dev/null || true
  holding=
}

# Once a deployment says in its journal that it tries again.
when_tried_again() { # when_tried_again COMMAND...: $waiting
  {
    until grep -qs '"event": *"retry"' target/airlock/deployments/*/journal.jsonl; do sleep 0.1; done
    exec "$@"
  } >/dev/null 2>&1 3>&- &
  waiting=$!
}

fault() { # fault PLACE: a deployment that meets it
  rm -f "$BATS_TEST_TMPDIR/trace"
  DIRECT_TRACE=$BATS_TEST_TMPDIR/trace DIRECT_FAULT=$1 deploy
}

@test "a writer keeps a published table locked for longer than the timeout" {
  if [ "$ENGINE" = duckdb ]; then
    hold 'select 1' # the file itself is locked
  else
    hold "update mart.customers set country = 'XX' where customer_id = 1"
  fi
  deploy --publish-timeout 3 --lock-timeout 2
  [ "$status" -ne 0 ]
  assert_says "$holder"
  let_go
  assert_production_unchanged
  deploy
  assert_status 0
  assert_sql 'select country from mart.customers where customer_id = 4' CH
}

@test "a reader keeps a table that has to be exchanged for longer than the timeout" {
  if [ "$ENGINE" = duckdb ]; then
    hold 'select count(*) from mart.customers'
  else
    scenario '{"columns": {"model.shop.customers": "1 as weight"}}'
    hold 'select count(*) from mart.customers'
  fi
  deploy --publish-timeout 3 --lock-timeout 2
  [ "$status" -ne 0 ]
  assert_says "$holder"
  let_go
  assert_production_unchanged
}

@test "who took the lock of a dead deployment and failed then gives it back" {
  fault run-operation/4.3:before:crash-airlock
  assert_status 137
  fault run-operation/3.1:before:error
  assert_status 125
  assert_says 'died and is settled'
  local lock
  for lock in $(sql "select table_name from information_schema.tables where table_name like 'airlock_lock_%'"); do
    assert_sql "select count(*) from airlock.$lock where nonce <> ''" 0
  done
  assert_production_unchanged
}

@test "a file that another process has open is waited for, before the lock and before the publish" {
  [ "$ENGINE" = duckdb ] || return 0 # many may have the others open
  hold 'select 1'
  (sleep 2 && kill "$holding") 3>&- &
  deploy --lock-timeout 60
  assert_status 0
  assert_says 'waiting, at most 60 seconds: another process has the database open'
  holding=
  sed -i 's/^4,Dario Rossi,CH/4,Dario Rossi,DE/' seeds/raw_customers.csv
  rm -r target/airlock/deployments
  cat >"$BATS_TEST_TMPDIR/hold.py" <<'PY'
import glob, os, sys, time
sys.path.insert(0, os.path.join(os.environ["ROOT"], "test/support"))
import warehouse
connection = warehouse.connect(read_only=False)
open(sys.argv[1], "w").close()
while not any('"retry"' in open(name).read() for name in glob.glob("target/airlock/deployments/*/journal.jsonl")):
    time.sleep(0.1)
PY
  deploy --before-publish "'$PYTHON' '$BATS_TEST_TMPDIR/hold.py' '$BATS_TEST_TMPDIR/open' >/dev/null 2>&1 &
    until [ -e '$BATS_TEST_TMPDIR/open' ]; do sleep 0.1; done"
  assert_status 0
  assert_says 'trying again for a while: ' 'Could not set lock on file'
  grep -q '"event": *"retry"' target/airlock/deployments/*/journal.jsonl
  assert_sql 'select country from mart.customers where customer_id = 4' DE
}

# A server that begins to listen when it is asked for in vain, before the real one.
@test "a connection that is refused at first is tried again, and recorded" {
  [ "$ENGINE" = postgres ] || return 0 # the others are no servers
  cat >"$BATS_TEST_TMPDIR/listen.py" <<'PY'
import socket, sys, threading
def pass_on(source, target):
    while data := source.recv(65536):
        target.sendall(data)
    target.shutdown(socket.SHUT_WR)
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    ends = server.accept()[0], socket.create_connection(("127.0.0.1", int(sys.argv[2])))
    for pair in (ends, ends[::-1]):
        threading.Thread(target=pass_on, args=pair, daemon=True).start()
PY
  port=$("$PYTHON" -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
  rm -r target/airlock/deployments
  when_tried_again "$PYTHON" "$BATS_TEST_TMPDIR/listen.py" "$port" "$SHOP_PG_PORT"
  SHOP_PG_PORT=$port deploy
  assert_status 0
  assert_says 'trying again for a while: ' 'Connection refused'
  assert_sql 'select country from mart.customers where customer_id = 4' CH
}
