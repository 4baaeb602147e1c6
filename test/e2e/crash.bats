#!/usr/bin/env bats
# Killed before and after every step of the plan: production is the old or the new set, never a
# mixture, and the next deployment works.

load ../support/common.bash

setup_file() {
  begin_published
  # one change that reaches two tables
  sed -i 's/^1001,101,card,.*/1001,101,card,59.90/' seeds/raw_payments.csv
  freeze
}

setup() {
  thaw
}

teardown_file() {
  end_file
}

state() {
  sql "select (select amount_eur from mart.orders where order_id = 101),
              (select revenue_eur from mart.customers where customer_id = 1)"
}

steps() {
  airlock plan wac --from staging --to prod --tags mart,utils --json |
    "$PYTHON" -c 'import json, sys; print("\n".join(s["id"] for s in json.load(sys.stdin)["steps"]))'
}

survives() { # survives STEP before|after crash|error
  AIRLOCK_FAULT=$1:$2:$3 deploy
  [ "$status" -ne 0 ] || fail "the fault $1:$2:$3 was not met"
  case $(state) in
  '49.90|49.90' | '59.90|59.90') ;;
  *) fail "after $1:$2:$3 production is $(state)" ;;
  esac
  deploy
  assert_status 0
  [ "$(state)" = '59.90|59.90' ] || fail "after $1:$2:$3 and another deployment: $(state)"
}

@test "killed before and after the publish" {
  survives publish before crash
  thaw
  survives publish after crash
}

@test "the publish step fails" {
  survives publish before error
}

# bats test_tags=exhaustive
@test "killed before and after every step, and each step failing" {
  for step in $(steps); do
    for when in before after; do
      for what in crash error; do
        thaw
        survives "$step" "$when" "$what"
      done
    done
  done
}

@test "dbt killed in the middle of the publish" {
  # the third and later operations publish; kill each in turn, a moment after it began
  fake_dbt run-operation 'echo x >>"$COUNT"
    if [ "$(wc -l <"$COUNT")" -eq "$KILL_AT" ]; then
      "$ROOT/.cache/dbt/bin/dbt" "$@" & sleep "$AFTER"; kill -KILL $!; kill -KILL $$
    fi'
  export COUNT=$BATS_TEST_TMPDIR/count KILL_AT AFTER
  for KILL_AT in 2 3; do
    for AFTER in 2.2 2.6; do
      thaw
      : >"$COUNT"
      deploy
      case $(state) in
      '49.90|49.90' | '59.90|59.90') ;;
      *) fail "killed in operation $KILL_AT after $AFTER s: $(state)" ;;
      esac
      deploy
      assert_status 0
      [ "$(state)" = '59.90|59.90' ]
    done
  done
}
