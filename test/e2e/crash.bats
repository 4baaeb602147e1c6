#!/usr/bin/env bats
# Killed around the publish by real dbt: production is the old or the new set, never a mixture,
# and the next deployment works. test/fault does the same at every place, with a stand-in for dbt.

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

survives() { # survives STEP before|after crash|error
  AIRLOCK_FAULT=$1:$2:$3 deploy
  [ "$status" -ne 0 ] || fail "the fault $1:$2:$3 was not met"
  case $(state) in
  '49.90|49.90' | '59.90|59.90') ;;
  *) fail "after $1:$2:$3 production is $(state)" ;;
  esac
  directly deploy
  assert_status 0
  [ "$(state)" = '59.90|59.90' ] || fail "after $1:$2:$3 and another deployment: $(state)"
}

# bats test_tags=default:duckdb
@test "killed before and after the publish" {
  survives publish before crash
  thaw
  survives publish after crash
}

# bats test_tags=default:duckdb
@test "the publish step fails" {
  survives publish before error
}
