#!/usr/bin/env bats
# The mirror: the raw layer of the shop copies its sources, and a build reads the copies.

load ../support/common.bash

setup_file() {
  begin_file shop
  sed -i "s/^vars:/vars:\n  mirror: true/; s/\"{{ var('mirror', false) }}\"/true/" dbt_project.yml
  freeze
}

setup() {
  thaw
}

teardown_file() {
  end_file
}

# bats test_tags=engine:any
@test "generate writes the raw models that are missing, and says what reads a source" {
  rm models/raw/mirror_orders.sql
  sed -i "s/{{ ref('mirror_orders' .*/{{ source('shop', 'orders') }}/" models/staging/stg_orders.sql
  sed -i "s/{{ ref('mirror_customers' .*/{{ source('shop', 'customers') }} as c/" models/staging/stg_customers.sql
  run --separate-stderr airlock mirror generate
  assert_status 0
  assert_says 'wrote models/raw/raw_shop__orders.sql' "-from {{ source('shop', 'customers') }} as c"
  grep -qF "select * from {{ source('shop', 'orders') }}" models/raw/raw_shop__orders.sql
  patch -p1 <<<"$output"
  grep -qF "from {{ ref('mirror_customers') }} as c" models/staging/stg_customers.sql
  dbt ls --quiet --select stg_orders,raw_shop__orders+1 stg_customers,mirror_customers+1 |
    grep -qxF shop.staging.stg_orders
  # The schema file was there, and stays what it was.
  assert_says 'left alone models/raw/_raw.yml: the file is there'
  run airlock mirror generate
  assert_status 0
  assert_says 'nothing was written: 3 sources have their raw model'
  run airlock mirror generat
  assert_status 125
  assert_says "did you mean 'generate'?"
}
