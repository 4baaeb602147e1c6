# one_by_one: what holds of wac on every engine where tables change one at a time. One warehouse for
# a whole file: each test begins with whatever the ones before it published. `standin_address`, which the
# file defines, prints where the stand-in listens.
#
# shellcheck disable=SC2154 # bats sets $output and $stderr

setup_file() {
  begin_file shop
  deploy
  assert_status 0
}

setup() {
  cd "$WORK/project" || return
}

teardown_file() {
  end_file
}

# One more row in what `customers` is made of.
add_customer() { # add_customer ID
  echo "$1,Customer $1,DE,retail" >>seeds/raw_customers.csv
}

fault() { # fault PATTERN KIND [SECONDS]
  curl -sS --fail -X POST -H 'Content-Type: application/json' \
    -d "{\"pattern\": \"$1\", \"kind\": \"$2\", \"seconds\": ${3-1}}" \
    "$(standin_address)/standin/fault" >/dev/null
}

rows_of() { # rows_of SCHEMA.TABLE
  sql "select count(*) from $1"
}

failing_test_leaves_production() {
  before=$(rows_of mart.customers)
  add_customer 102
  add_customer 102
  deploy
  assert_status 1
  assert_says 'production was not changed'
  [ "$(rows_of mart.customers)" -eq "$before" ]
  sed -i '/^102,/d' seeds/raw_customers.csv
}

stops_and_is_resumed_elsewhere() { # stops_and_is_resumed_elsewhere PATTERN KIND: of customers, behind its parents
  add_customer 103
  customers=$(rows_of mart.customers)
  fault "$1" "$2"
  deploy
  assert_status 70
  assert_says '3 of 6 relations are published' 'airlock resume'
  [ "$(rows_of mart.customers)" -eq "$customers" ]
  deploy
  assert_status 71
  assert_says 'died while it published' 'airlock abort'
  cp -R "$WORK/project" "$BATS_TEST_TMPDIR/elsewhere"
  cd "$BATS_TEST_TMPDIR/elsewhere" || return
  rm -rf target
  run airlock resume
  assert_status 0
  assert_says 'published 6 relations'
  [ "$(rows_of mart.customers)" -ne "$customers" ]
  [ "$(stages)" -eq 0 ]
  # The restore point is what was there before the first of the two began.
  run airlock rollback --yes
  assert_status 0
  [ "$(rows_of mart.customers)" -eq "$customers" ]
}

# As many rows as were tested, and others: also said the second time.
what_others_wrote_is_kept() { # what_others_wrote_is_kept PATTERN KIND: of customers, behind its parents
  add_customer 105
  fault "$1" "$2"
  deploy
  assert_status 70
  sql "update mart.orders set status = 'by hand' where order_id = 1"
  for _ in 1 2; do
    run airlock abort
    assert_status 70
    assert_says 'was changed by somebody else' '--force'
  done
  [ "$(sql "select count(*) from mart.orders where status = 'by hand'")" -eq 1 ]
  run airlock abort --force
  assert_status 0
  [ "$(sql "select count(*) from mart.orders where status = 'by hand'")" -eq 0 ]
  sed -i '/^105,/d' seeds/raw_customers.csv
  deploy
  assert_status 0
}

# Killed on its way back as well, and without a project that could be built: what it takes is in its record.
stops_and_is_aborted_elsewhere() { # stops_and_is_aborted_elsewhere PATTERN KIND: of customers, behind its parents
  add_customer 104
  echo '990,1,2025-02-16,completed,EUR' >>seeds/raw_orders.csv
  customers=$(rows_of mart.customers)
  orders=$(rows_of mart.orders)
  fault "$1" "$2"
  deploy
  assert_status 70
  assert_says '3 of 6 relations are published' 'airlock abort'
  id=$(sed -n "s/.*airlock resume \([0-9a-f_]*\).*/\1/p" <<<"$output$stderr" | head -n 1)
  [ "$(rows_of mart.orders)" -eq $((orders + 1)) ]
  cp -R "$WORK/project" "$BATS_TEST_TMPDIR/elsewhere"
  cd "$BATS_TEST_TMPDIR/elsewhere" || return
  rm -rf target
  AIRLOCK_FAULT=publish:before:crash run airlock abort
  assert_status 137
  run airlock resume "$id"
  assert_status 125
  assert_says 'while it published' "airlock abort $id"
  run airlock abort
  assert_status 0
  assert_says "deployment '$id'" 'production is what it was before it'
  [ "$(rows_of mart.orders)" -eq "$orders" ]
  [ "$(rows_of mart.customers)" -eq "$customers" ]
  [ "$(stages)" -eq 0 ]
  run --separate-stderr airlock history --json
  assert_json "next(one['outcome'] for one in d['deployments'] if one['id'] == '$id')" aborted
  run airlock abort "$id"
  assert_status 0
  cd "$WORK/project" || return
  deploy
  assert_status 0
  [ "$(rows_of mart.orders)" -eq $((orders + 1)) ]
}
