#!/usr/bin/env bats
# wac with real dbt-bigquery against the stand-in. One warehouse for the whole file: each test begins
# with whatever the ones before it published.
# bats file_tags=exhaustive

load ../support/common.bash
load ../support/one_by_one.bash

standin_address() {
  echo "$SHOP_BQ_ENDPOINT"
}

stages() {
  sql "select count(*) from airlock.INFORMATION_SCHEMA.TABLES where starts_with(table_name, 'airlock_stage_')"
}

left_beside() {
  sql "select count(*) from mart.INFORMATION_SCHEMA.TABLES where starts_with(table_name, 'airlock_')"
}

option_of() { # option_of DATASET.TABLE OPTION
  sql "select option_value from ${1%.*}.INFORMATION_SCHEMA.TABLE_OPTIONS
        where table_name = '${1#*.}' and option_name = '$2'"
}

copy_of() { # copy_of TABLE: the pattern of its copy
  echo "table .*mart.*$1.* copy "
}

@test "the first deployment makes production, and leaves no stage behind" {
  [ "$(rows_of mart.customers)" -eq 8 ]
  [ "$(rows_of utils.calendar)" -eq 31 ]
  assert_sql "select count(*) > 0 from mart.open_orders" t
  [ "$(stages)" -eq 0 ]
}

@test "a deployment keeps labels, expiration, description and grants, and makes views anew" {
  sql "alter table mart.customers set options (labels = [('team', 'sales')], description = 'it\\'s the report\\'s')"
  sql "alter view mart.open_orders set options (labels = [('team', 'ops')], description = 'on their way')"
  sql "alter table utils.currencies set options (expiration_timestamp = timestamp '2099-01-01 00:00:00 UTC')"
  sql "grant \`roles/bigquery.dataViewer\` on table mart.customers to 'group:analysts@example.org'"
  sql "alter table stage.currencies set options (expiration_timestamp = timestamp '2098-01-01 00:00:00 UTC')"
  sed -i "s/'placed', 'shipped'/'placed'/" models/mart/open_orders.sql
  add_customer 101
  deploy
  assert_status 0
  assert_says 'published 6 relations' 'row access policies'
  [ "$(rows_of mart.customers)" -eq 9 ]
  [ "$(option_of mart.customers labels)" = '[STRUCT("team", "sales")]' ]
  [ "$(option_of mart.customers description)" = "\"it's the report's\"" ]
  [ "$(option_of utils.currencies expiration_timestamp)" = 'TIMESTAMP "2099-01-01T00:00:00.000Z"' ]
  [ -z "$(option_of mart.customers expiration_timestamp)" ]
  [ "$(option_of mart.open_orders labels)" = '[STRUCT("team", "ops")]' ]
  [ "$(option_of mart.open_orders description)" = '"on their way"' ]
  assert_sql "select grantee from \`region-eu\`.INFORMATION_SCHEMA.OBJECT_PRIVILEGES
               where object_schema = 'mart' and object_name = 'customers'" group:analysts@example.org
  assert_sql "select count(*) from mart.open_orders where status = 'shipped'" 0
  assert_sql "select count(*) from airlock_restore.INFORMATION_SCHEMA.TABLES where table_type = 'SNAPSHOT'" 5
  [ "$(stages)" -eq 0 ]
}

@test "a copy that loses the permissions of a table gets them again" {
  fault "$(copy_of customers)" forget
  deploy
  assert_status 0
  assert_says 'grant `roles/bigquery.dataViewer` on table `shop-eu`.`mart`.`customers`'
  assert_sql "select grantee from \`region-eu\`.INFORMATION_SCHEMA.OBJECT_PRIVILEGES
               where object_schema = 'mart' and object_name = 'customers'" group:analysts@example.org
  run airlock rollback --yes
  assert_status 0
  assert_sql "select count(*) from \`region-eu\`.INFORMATION_SCHEMA.OBJECT_PRIVILEGES
               where object_schema = 'mart' and object_name = 'customers'" 1
}

@test "permissions that the publish does not bring about stop it by name" {
  fault 'set located = coalesce.*mart.*customers.*select if' more
  deploy
  assert_status 70
  assert_says 'the permissions of "shop-eu".mart.customers are not those that it had' \
    'roles/bigquery.dataEditor user:eve@example.org' 'airlock resume'
  sql "revoke \`roles/bigquery.dataEditor\` on table mart.customers from 'user:eve@example.org'"
  run airlock resume
  assert_status 0
  run airlock rollback --yes
  assert_status 0
}

@test "permissions that cannot be read are not checked, and that is said" {
  fault OBJECT_PRIVILEGES unreadable
  run airlock plan wac --from staging --to prod --tags mart
  assert_status 0
  assert_says 'itself cannot be read, and are not checked'
}

@test "a rollback puts back rows and the text of views" {
  run airlock rollback --yes
  assert_status 0
  [ "$(rows_of mart.customers)" -eq 8 ]
  assert_sql "select count(*) > 0 from mart.open_orders where status = 'shipped'" t
  [ "$(option_of mart.customers labels)" = '[STRUCT("team", "sales")]' ]
  [ "$(option_of mart.customers description)" = "\"it's the report's\"" ]
  [ -z "$(option_of mart.orders description)" ]
  run --separate-stderr airlock history --json
  assert_json 'd["deployments"][0]["strategy"]' rollback
}

@test "a failing test leaves production as it is" {
  failing_test_leaves_production
}

@test "a publish that stops between two tables is resumed from another directory" {
  stops_and_is_resumed_elsewhere "$(copy_of customers)" denied
}

@test "a publish that stops between two tables is aborted from another directory" {
  stops_and_is_aborted_elsewhere "$(copy_of customers)" denied
}

@test "what somebody else wrote between stop and abort is not lost without a word" {
  what_others_wrote_is_kept "$(copy_of customers)" denied
}

@test "a copy whose reply was lost, or that runs late, is neither lost nor done twice" {
  local id=110 kind
  for kind in lost late; do
    add_customer $id
    fault "$(copy_of orders)" $kind 3
    deploy
    assert_status 70
    assert_says 'of 6 relations are published' 'airlock resume'
    sleep 4
    run airlock resume
    assert_status 0
    assert_sql "select count(*) from mart.customers where customer_id = $id" 1
    assert_sql "select (select count(*) from mart.orders) = (select count(*) from stage.orders)" t
    [ "$(stages)" -eq 0 ]
    id=$((id + 1))
  done
}

@test "what the service still has of a dead client is waited for, or cancelled, before anything is decided" {
  local id=115
  add_customer $id
  fault "$(copy_of orders)" slow 20
  "$AIRLOCK_BIN" deploy wac --from staging --to prod --tags mart,utils --yes >"$BATS_TEST_TMPDIR/log" 2>&1 3>&- &
  for _ in $(seq 300); do
    [ "$(sql "select count(*) from \`region-eu\`.INFORMATION_SCHEMA.JOBS_BY_USER where state = 'PENDING'")" = 0 ] || break
    sleep 0.5
  done
  kill -9 $!
  run airlock resume
  assert_status 0
  assert_says 'waiting for what the service still has of it'
  assert_sql "select count(*) from mart.customers where customer_id = $id" 1
  add_customer $((id + 1))
  fault "$(copy_of orders)" late 600
  deploy --publish-timeout 1
  assert_status 70
  assert_says 'cancelling what the service still has of it' 'airlock resume'
  run airlock resume
  assert_status 0
  assert_sql "select count(*) from mart.customers where customer_id = $((id + 1))" 1
  [ "$(stages)" -eq 0 ]
}

@test "a rate limit between two tables is waited out" {
  add_customer 120
  fault "$(copy_of orders)" rate
  deploy
  assert_status 0
  assert_says 'published 6 relations'
  assert_sql "select count(*) from mart.customers where customer_id = 120" 1
  [ "$(stages)" -eq 0 ]
}

@test "a publish that takes longer than its lease renews it" {
  fault "$(copy_of orders)" slow 45
  AIRLOCK_LEASE=30 run airlock rollback --yes
  assert_status 0
  assert_says 'put back 6 relations'
  [ "$(stages)" -eq 0 ]
}

@test "what somebody else wrote meanwhile stops the publish before it changes anything" {
  before=$(rows_of utils.calendar)
  cat >>dbt_project.yml <<'EOT'
on-run-end: "{% if target.name == 'staging' %}insert into mart.customers select * from mart.customers limit 1{% endif %}"
EOT
  deploy --allow-hooks '*'
  sed -i '/^on-run-end/d' dbt_project.yml
  assert_status 73
  assert_says 'mart.customers' 'by somebody else' 'production was not changed'
  [ "$(rows_of utils.calendar)" -eq "$before" ]
}

@test "another partitioning is refused by name before anything changes" {
  sed -i '1i {{ config(partition_by={"field": "ordered_on", "data_type": "date"}) }}' models/mart/orders.sql
  before=$(rows_of mart.customers)
  deploy
  sed -i 1d models/mart/orders.sql
  assert_status 125
  assert_says 'mart.orders' 'PARTITION BY ordered_on' 'on_spec_change: replace' 'production was not changed'
  [ "$(rows_of mart.customers)" -eq "$before" ]
}

@test "another partitioning is published through a table beside it where that is said, and rolled back" {
  sed -i '1i {{ config(partition_by={"field": "ordered_on", "data_type": "date"}) }}' models/mart/orders.sql
  sql "alter table mart.orders set options (labels = [('team', 'sales')], description = 'the orders')"
  before=$(rows_of mart.orders)
  add_customer 130
  deploy --on-spec-change replace
  assert_status 0
  assert_says "readers find no table '\"shop-eu\".mart.orders' for a moment"
  assert_sql "select count(*) from mart.INFORMATION_SCHEMA.TABLES
               where table_name = 'orders' and strpos(ddl, 'PARTITION BY ordered_on') > 0" 1
  [ "$(option_of mart.orders labels)" = '[STRUCT("team", "sales")]' ]
  [ "$(option_of mart.orders description)" = '"the orders"' ]
  [ "$(left_beside)" -eq 0 ]
  fault "OBJECT_PRIVILEGES.*object_name = 'orders'" unreadable
  run airlock rollback --yes
  assert_status 125
  assert_says 'mart.orders' 'the permissions that go with it cannot be read' '--force'
  run airlock rollback --yes
  assert_status 0
  [ "$(rows_of mart.orders)" -eq "$before" ]
  assert_sql "select count(*) from mart.INFORMATION_SCHEMA.TABLES
               where table_name = 'orders' and strpos(ddl, 'PARTITION BY') > 0" 0
  [ "$(option_of mart.orders description)" = '"the orders"' ]
  [ "$(left_beside)" -eq 0 ]
}

@test "stopped between the drop and the rename it says so, and resume puts the table there" {
  fault 'drop table if exists .*mart.*orders.*rename' half
  deploy --on-spec-change replace
  assert_status 70
  assert_says "and '\"shop-eu\".mart.orders' is not there until it is resumed" 'airlock resume'
  assert_sql "select count(*) from mart.INFORMATION_SCHEMA.TABLES where table_name = 'orders'" 0
  run airlock resume
  assert_status 0
  sed -i 1d models/mart/orders.sql
  assert_sql "select (select count(*) from mart.orders) = (select count(*) from stage.orders)" t
  assert_sql "select count(*) from mart.INFORMATION_SCHEMA.TABLES
               where table_name = 'orders' and strpos(ddl, 'PARTITION BY ordered_on') > 0" 1
  [ "$(option_of mart.orders description)" = '"the orders"' ]
  [ "$(left_beside)" -eq 0 ]
  [ "$(stages)" -eq 0 ]
  run airlock rollback --yes
  assert_status 0
  assert_sql "select count(*) from mart.INFORMATION_SCHEMA.TABLES
               where table_name = 'orders' and strpos(ddl, 'PARTITION BY') > 0" 0
}

@test "production-rollback keeps the rows that no build makes again" {
  dbt build --quiet --target prod
  sql "insert into mart.revenue_by_day values (date '2024-12-31', 0, 0)"
  run airlock deploy production-rollback --from staging --to prod --tags mart,utils --yes
  assert_status 0
  assert_says 'published 5 relations'
  assert_sql "select count(*) from mart.revenue_by_day where ordered_on = date '2024-12-31'" 1
  assert_sql "select count(*) from stage.revenue_by_day where ordered_on = date '2024-12-31'" 1
  [ "$(stages)" -eq 0 ]
}

column_says() { # column_says DATASET.TABLE COLUMN: its description|its policy tags
  sql "select description, array_to_string(policy_tags, ',')
        from ${1%.*}.INFORMATION_SCHEMA.COLUMN_FIELD_PATHS
        where table_name = '${1#*.}' and field_path = '$2'"
}

@test "descriptions of columns stay, and a column that loses its policy tags stops a publish" {
  local tag=projects/shop-eu/locations/eu/taxonomies/1/policyTags/2
  "$PYTHON" "$ROOT/test/support/bigquery/tag.py" "$SHOP_BQ_ENDPOINT" shop-eu.mart.customers country "$tag"
  sql "alter table mart.customers alter column segment set options (description = 'it\\'s by hand')"
  before=$(rows_of mart.customers)
  add_customer 140
  deploy
  assert_status 125
  assert_says "its column 'country' has the policy tags '$tag' in production" persist_docs \
    'production was not changed'
  [ "$(rows_of mart.customers)" -eq "$before" ]
  sed -i "/name: customers/,/name: revenue/s|^    columns:|&\n      - {name: country, policy_tags: ['$tag']}|" \
    models/mart/_mart.yml
  sed -i "1i {{ config(persist_docs={'columns': true}) }}" models/mart/customers.sql
  fault "$(copy_of customers)" untag
  deploy
  assert_status 70
  assert_says 'the policy tags of columns of "shop-eu".mart.customers are not those' 'airlock resume'
  run airlock resume
  assert_status 0
  [ "$(rows_of mart.customers)" -gt "$before" ]
  [ "$(column_says mart.customers country)" = "|$tag" ]
  [ "$(column_says mart.customers segment)" = "it's by hand|" ]
  run airlock rollback --yes
  assert_status 0
  [ "$(rows_of mart.customers)" -eq "$before" ]
  [ "$(column_says mart.customers country)" = "|$tag" ]
  [ "$(column_says mart.customers segment)" = "it's by hand|" ]
}

@test "columns of a view keep the descriptions of the project, and production's own" {
  sed -i "1s/.*/{{ config(materialized='view', persist_docs={'columns': true}) }}/" models/mart/open_orders.sql
  sed -i '/name: open_orders/,/not_null/s/- name: order_id/&\n        description: of the shop/' models/mart/_mart.yml
  sql "alter view mart.open_orders alter column status set options (description = 'it\\'s by hand')"
  sed -i "s/^where o.status in .*/where o.status = 'placed'/" models/mart/open_orders.sql
  before=$(column_says mart.open_orders order_id)
  deploy
  assert_status 0
  [ "$(column_says mart.open_orders status)" = "it's by hand|" ]
  [ "$(column_says mart.open_orders order_id)" = 'of the shop|' ]
  run airlock rollback --yes
  assert_status 0
  [ "$(column_says mart.open_orders status)" = "it's by hand|" ]
  [ "$(column_says mart.open_orders order_id)" = "$before" ]
}

@test "declared row access policies stop a replace, and what nobody declares is recorded as not checked" {
  before=$(rows_of mart.customers)
  add_customer 150
  deploy --row-access-policies customers
  assert_status 125
  assert_says "'\"shop-eu\".mart.customers' cannot be published: it has row access policies" \
    'production was not changed'
  deploy --row-access-policies none --authorized-views open_orders
  assert_status 125
  assert_says 'it is an authorized view' 'production was not changed'
  [ "$(rows_of mart.customers)" -eq "$before" ]
  deploy
  assert_status 0
  assert_says 'row access policies are not checked' 'authorized views are not checked'
  run --separate-stderr airlock inspect --json
  assert_json 'd["deployment"]["not_checked"]' '["row access policies", "authorized views"]'
  run airlock inspect
  assert_says 'not_checked  row access policies, authorized views'
  AIRLOCK_ROW_ACCESS_POLICIES=customers run airlock rollback --yes
  assert_status 125
  assert_says 'it has row access policies' 'production was not changed'
  run airlock rollback --yes
  assert_status 0
  [ "$(rows_of mart.customers)" -eq "$before" ]
}

@test "behind the snapshots that the service makes in a day a restore point is a copy" {
  sql "insert into airlock.airlock_log (id, logged_at, event, detail)
       select 'another' || n, current_timestamp(), 'restores',
         '[{\"number\":1,\"of\":[\"shop-eu\",\"mart\",\"customers\"]}]' from unnest(generate_array(1, 50)) as n"
  before=$(rows_of mart.customers)
  add_customer 160
  run airlock plan wac --from staging --to prod --tags mart,utils
  assert_status 0
  assert_says "the restore point of '\"shop-eu\".mart.customers' is a copy" \
    'create <snapshot of "shop-eu".mart.customers, or a copy where the service makes no more today>'
  deploy
  assert_status 0
  assert_says "the restore point of '\"shop-eu\".mart.customers' is a copy"
  local made="select i.table_type, o.option_value from airlock_restore.INFORMATION_SCHEMA.TABLES as i
    inner join airlock_restore.INFORMATION_SCHEMA.TABLE_OPTIONS as d on d.table_name = i.table_name
      and d.option_name = 'description' and strpos(d.option_value, 'mart.NAME') > 0
    inner join airlock_restore.INFORMATION_SCHEMA.TABLE_OPTIONS as o on o.table_name = i.table_name
      and o.option_name = 'expiration_timestamp' order by i.creation_time desc limit 1"
  [[ $(sql "${made/NAME/customers}") = 'BASE TABLE|TIMESTAMP '* ]] || fail "$(sql "${made/NAME/customers}")"
  [[ $(sql "${made/NAME/orders}") = 'SNAPSHOT|TIMESTAMP '* ]]
  run airlock rollback --yes
  assert_status 0
  [ "$(rows_of mart.customers)" -eq "$before" ]
}

@test "gc lists the restore points and drops the expired ones" {
  run --separate-stderr airlock gc --keep 1 --keep-for 0s --yes --json
  assert_status 0
  assert_json 'd["failed"]' 0
  assert_json 'd["dropped"] > 0' true
  # The newest of each table stays, be it a copy.
  assert_sql "select count(*) from (select distinct option_value from airlock_restore.INFORMATION_SCHEMA.TABLE_OPTIONS
               where option_name = 'description' and strpos(option_value, 'mart.customers') > 0) as d" 1
}
