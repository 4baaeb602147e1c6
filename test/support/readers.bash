# A reader of production in the background, while deployments go on.
# shellcheck shell=bash
# shellcheck disable=SC2034 # those that load this read them

# Orders and what customers spent: equal in any one state of production.
ORDERS_AND_CUSTOMERS="select (select sum(amount_eur) from mart.orders where status <> 'returned'),
                             (select sum(revenue_eur) from mart.customers)"

begin_reading() { # begin_reading QUERY, of two values that are equal in any one state
  "$PYTHON" "$ROOT/test/support/reader.py" "$1" >"$BATS_TEST_TMPDIR/seen.json" 3>&- &
  reader=$!
}

# Between two states a reader of a file has its turn.
let_read() {
  [ "$ENGINE" != duckdb ] || sleep 0.5
}

assert_read() { # assert_read STATES: each of them was seen, whole, and nothing else
  stop_reading
  output=$(cat "$BATS_TEST_TMPDIR/seen.json")
  assert_json 'd["torn"]' 0
  assert_json 'd["errors"]' '[]'
  assert_json 'd["states"]' "$1"
  assert_json 'd["longest_ms"] < 1000' true
}

stop_reading() {
  [ -n "${reader-}" ] || return 0
  kill "$reader" 2>/dev/null || true
  wait "$reader" || true
  reader=
}
