#!/usr/bin/env bats
# airlock deploy blue-green on PostgreSQL: schemas change places. The first deployment of the file
# is the real dbt's, the others are on the direct runner.

load ../support/common.bash
load ../support/blue_green.bash
load ../support/changes.bash
load ../support/readers.bash

setup_file() {
  begin_file shop
  sed -i "/^    tags: \['mart', 'utils'\]/d" dbt_project.yml
  blue_green
  assert_status 0
  freeze
}

SIDES=(--from green --to prod --exclude customers_history)
FROM=green
STRATEGY=(blue-green "${SIDES[@]}")
OF_DBT=(-- --full-refresh)

# Production alone: neither staging nor what was put aside, and without the names of deployments.
production() {
  local aside
  aside=$(sql "select string_agg(nspname, ',') from pg_namespace where nspname ~ '^green_|__airlock_'")
  "$PYTHON" "$ROOT/test/support/snapshot.py" --skip "$OWN_SCHEMAS${aside:+,$aside}" |
    sed -E 's/ ?\[airlock: [^]]*\]$//'
}

change_data() {
  sed -i 's/^4,Dario Rossi,IT/4,Dario Rossi,CH/' seeds/raw_customers.csv
}

assert_country() { # assert_country COUNTRY: of the customer that change_data changes
  assert_sql 'select country from mart.customers where customer_id = 4' "$1"
}

refused() { # refused WORDS...: nothing happened
  assert_status 125
  assert_says "$@"
  assert_production_unchanged
}

@test "the schemas that were built and tested are production, and say so" {
  id=$(airlock history --from green --to prod --json 2>/dev/null |
    "$PYTHON" -c 'import json, sys; print(json.load(sys.stdin)["deployments"][0]["id"])')
  assert_sql "select count(*) from pg_namespace where nspname in ('mart', 'utils', 'staging')" 3
  assert_sql "select obj_description('mart'::regnamespace)" "[airlock: published $id]"
  assert_sql "select obj_description('mart__airlock_$id'::regnamespace)" "[airlock: demoted by $id]"
  assert_sql "select count(*) from pg_namespace where nspname = 'green_mart'" 0
  assert_sql 'select count(*) from mart.orders' 12
  assert_sql 'select count(*) from mart.open_orders' 5
}

@test "the next one is built anew, and rollback brings back the whole of production" {
  remember_production
  change_data
  blue_green
  assert_status 0
  assert_country CH
  run airlock rollback --from green --to prod --yes
  assert_status 0
  assert_country IT
  assert_production_unchanged
}

@test "privileges, owners, comments, indexes, constraints and dependents stay" {
  sql "create role reader; create role analyst; create role keeper;
    grant usage on schema mart to reader with grant option; grant usage, create on schema mart to keeper;
    grant select on mart.orders to reader with grant option; grant select on mart.open_orders to public;
    grant select (customer_id, country) on mart.customers to analyst;
    alter default privileges in schema mart grant select on tables to analyst;
    comment on schema mart is 'the marts [really]';
    comment on table mart.orders is 'it''s orders'; comment on column mart.orders.status is 'where';
    alter table mart.customers owner to keeper;
    create index orders_by_day on mart.orders (ordered_on desc) where status <> 'returned';
    alter table mart.customers add constraint customers_pk primary key (customer_id);
    alter table mart.orders add constraint orders_customer foreign key (customer_id) references mart.customers;
    alter table mart.orders set (fillfactor = 70);
    create schema reports;
    create view reports.big with (security_barrier) as
      select o.order_id, c.country from mart.orders o join mart.customers c using (customer_id);
    comment on view reports.big is 'big'; grant select on reports.big to reader;
    create view reports.over_view as select * from reports.big;
    create table reports.notes (customer_id int references mart.customers (customer_id));
    create function reports.n() returns bigint language sql begin atomic select count(*) from mart.orders; end"
  remember_production
  shape >"$BATS_TEST_TMPDIR/shape.before"
  defaults="select d.defaclobjtype, d.defaclacl from pg_default_acl d where d.defaclnamespace = 'mart'::regnamespace"
  had=$(sql "$defaults")
  change_data
  blue_green
  assert_status 0
  shape >"$BATS_TEST_TMPDIR/shape.after"
  diff "$BATS_TEST_TMPDIR"/shape.{before,after}
  assert_sql "$defaults" "$had"
  assert_sql "select reloptions from pg_class where oid = 'mart.orders'::regclass" "$(sql "select array['fillfactor=70']")"
  assert_sql "select count(*) from reports.over_view where country = 'CH'" \
    "$(sql "select count(*) from mart.orders join mart.customers using (customer_id) where country = 'CH'")"
  assert_sql 'select reports.n()' 12
  assert_taken_back
  assert_sql "$defaults" "$had"
}

@test "nobody gets more: what staging grants does not come along" {
  sql "create role stranger; create schema green_mart;
    alter default privileges in schema green_mart grant select on tables to stranger"
  shape >"$BATS_TEST_TMPDIR/before"
  blue_green
  assert_status 0
  shape >"$BATS_TEST_TMPDIR/after"
  diff "$BATS_TEST_TMPDIR"/{before,after}
  assert_sql "select has_table_privilege('stranger', 'mart.orders', 'select')" "$(sql 'select false')"
}

@test "what dbt did not make is refused by name, and may be left behind" {
  sql "create table mart.by_hand (x int); create function mart.f(int) returns int language sql as 'select 1'"
  remember_production
  blue_green
  refused by_hand foreign_objects
  blue_green --foreign-objects mart.by_hand
  refused 'f(integer)' foreign_objects
  blue_green --foreign-objects 'mart.*'
  assert_status 0
  assert_sql "select count(*) from pg_tables where schemaname = 'mart' and tablename = 'by_hand'" 0
  assert_sql "select count(*) from pg_tables where schemaname ~ '^mart__airlock_' and tablename = 'by_hand'" 1
}

@test "a relation whose node was deleted goes with the schema that was put aside" {
  export DIRECT_WITHOUT='model.shop.open_orders test.shop.not_null_open_orders_order_id.d01fe14abf'
  remember_production
  blue_green
  refused open_orders 'orphans: drop'
  blue_green --orphans drop
  assert_status 0
  assert_says "view 'mart.open_orders' is made by no node any more and leaves production with the old schema"
  sql "create table mart.by_hand (x int)"
  unset DIRECT_WITHOUT
  blue_green --foreign-objects mart.by_hand
  assert_status 0
  blue_green
  assert_status 0
  run --separate-stderr airlock gc --from green --to prod --keep-for 0 --yes --json
  assert_status 0
  assert_json '[p["why"] for p in d["restore_points"] if p["why"]]' \
    '["it holds what no deployment made: table by_hand"]'
  assert_sql "select count(*) from pg_views where viewname = 'open_orders' and schemaname ~ '^mart__airlock'" 1
}

@test "what would stay bound to the old tables is refused by name" {
  sql 'create publication feed for table mart.orders'
  remember_production
  blue_green
  refused 'publication feed'
}

@test "materialized views outside are made again over the new tables, with what they had, while readers wait" {
  sql "create role looker; create role holder; create schema reports; grant usage, create on schema reports to holder;
    grant usage on schema mart to holder; grant select on mart.customers to holder;
    create view reports.plain as select country, customer_id from mart.customers;
    grant select on reports.plain to holder;
    create materialized view reports.countries with (fillfactor = 70) as
      select country, count(*) as n from reports.plain group by 1;
    create unique index countries_once on reports.countries (country);
    comment on index reports.countries_once is 'for refresh'; comment on materialized view reports.countries is 'by hand';
    grant select on reports.countries to looker; alter materialized view reports.countries owner to holder;
    create view reports.both as select n, o.order_id from reports.countries, mart.orders o;
    create materialized view reports.unfilled as select count(*) as n from mart.orders with no data"
  OWN_SCHEMAS=$OWN_SCHEMAS,unfilled
  sql "create schema unfilled; alter materialized view reports.unfilled set schema unfilled"
  shape >"$BATS_TEST_TMPDIR/shape.before"
  remember_production
  change_data
  begin_reading "select (select coalesce(sum(n), 0)::int from reports.countries where country = 'CH'),
    (select count(*)::int from mart.customers where country = 'CH')"
  blue_green
  assert_status 0
  assert_says "the materialized view 'shop.reports.countries' reads" 'readers wait meanwhile'
  stop_reading
  output=$(cat "$BATS_TEST_TMPDIR/seen.json")
  assert_json '[d["torn"], d["states"], d["errors"]]' '[0, 2, []]'
  shape >"$BATS_TEST_TMPDIR/shape.after"
  diff "$BATS_TEST_TMPDIR"/shape.{before,after}
  assert_sql "select n from reports.countries where country = 'CH'" 1
  assert_sql "select reloptions, pg_get_userbyid(relowner) from pg_class where oid = 'reports.countries'::regclass" \
    "$(sql "select array['fillfactor=70'], 'holder'::name")"
  assert_sql "select relispopulated from pg_class where oid = 'unfilled.unfilled'::regclass" f
  sql 'refresh materialized view concurrently reports.countries'
  run airlock rollback --from green --to prod --yes
  assert_status 0
  assert_production_unchanged
  sql 'alter materialized view reports.countries cluster on countries_once'
  remember_production
  blue_green
  refused "the materialized view 'shop.reports.countries' that reads it" 'clustered on reports.countries_once'
  refute_says 'build: build and test'
}

@test "a publication of the schema, which would go on with the old one, is refused by name" {
  sql 'create publication feed for tables in schema mart'
  remember_production
  blue_green
  refused 'publication of schema mart in publication feed'
}

@test "gc drops the schemas that were put aside when newer ones are, and what others did keeps them" {
  for country in CH AT; do
    sed -i "s/^4,Dario Rossi,../4,Dario Rossi,$country/" seeds/raw_customers.csv
    blue_green --keep-for 1d
    assert_status 0
  done
  aside=$(sql "select nspname from pg_namespace where nspname ~ '^mart__airlock_' order by 1 desc")
  read -r newest middle oldest <<<"${aside//$'\n'/ }"
  assert_sql "select count(*) from pg_namespace where nspname ~ '__airlock_'" 12
  run --separate-stderr airlock gc --from green --to prod --json
  assert_status 0
  assert_json '[d["expired"], *{p["state"] for p in d["restore_points"]}]' '[0, "kept"]'
  assert_json 'sorted({p["of"].split(".")[1] for p in d["restore_points"]})' '["intermediate", "mart", "staging", "utils"]'
  remember_production
  sql "create view reports_of_old as select count(*) from \"$middle\".orders;
    create table \"$oldest\".mine as select 1 as x; create schema mart__airlock_20200101000000_abcdef"
  run --separate-stderr airlock gc --from green --to prod --keep-for 0 --yes --json
  assert_status 125
  assert_json '[p["why"] for p in d["restore_points"] if "'"$oldest"'" in p["relation"]]' \
    '["it holds what no deployment made: table mine"]'
  assert_json '[p["why"] for p in d["restore_points"] if "abcdef" in p["relation"]]' \
    '["no deployment in the history has made it"]'
  assert_json '[d["failed"], d["dropped"], d["error"]["code"]]' '[1, 6, "gc-failed"]'
  assert_says reports_of_old
  sql "drop view reports_of_old; drop table \"$oldest\".mine; drop schema mart__airlock_20200101000000_abcdef"
  run --separate-stderr airlock gc --from green --to prod --keep-for 0 --yes --json
  assert_status 0
  assert_json '[d["failed"], d["dropped"]]' '[0, 2]'
  assert_sql "select nspname from pg_namespace where nspname ~ '^mart__airlock_'" "$newest"
  assert_production_unchanged
  run airlock rollback --from green --to prod --yes
  assert_status 0
  assert_country CH
}

# bats test_tags=exhaustive
@test "a deployment drops what is expired behind its publish" {
  for round in 1 2; do
    blue_green --keep-for 0
    assert_status 0
  done
  assert_says 'dropped 4 expired restore points'
  assert_sql "select count(*) from pg_namespace where nspname ~ '__airlock_'" 4
}

@test "a view outside that does not fit the new columns stops the publish" {
  export DIRECT_SCENARIO='{"columns": {"model.shop.customers": "1 as weight"}}'
  blue_green
  assert_status 0
  sql "create schema reports; create view reports.days as select weight from mart.customers"
  remember_production
  unset DIRECT_SCENARIO
  blue_green
  assert_status 125
  assert_says 'view reports.days cannot be made again over the new tables' weight
  assert_production_unchanged
}

@test "a staging schema with something else in it is refused" {
  sql "create schema green_mart; create table green_mart.scratch (x int)"
  remember_production
  blue_green
  refused scratch 'no node of this deployment builds'
}

@test "a failing test leaves production alone, and the next deployment is as good as the first" {
  echo '101,1,2025-01-03,completed,EUR' >>seeds/raw_orders.csv
  remember_production
  blue_green
  assert_status 1
  assert_production_unchanged
  assert_sql "select obj_description('green_mart'::regnamespace) ~ '^.airlock: building [0-9]{14}_'" "$(sql 'select true')"
  sed -i '$d' seeds/raw_orders.csv
  change_data
  blue_green
  assert_status 0
  assert_country CH
}

# bats test_tags=exhaustive
@test "what failed is built once more on top of what is good, and the schemas change places" {
  change_data
  DIRECT_SCENARIO='{"results": {"model.shop.customers": {"status": "error", "message": "no such column"}}}' \
    blue_green --json
  assert_status 1
  refute_says 'airlock publish'
  id=$(airlock history --from green --to prod --json 2>/dev/null |
    "$PYTHON" -c 'import json, sys; print(json.load(sys.stdin)["deployments"][0]["id"])')
  run airlock deploy --retry "$id" --from green --to prod --yes
  assert_status 0
  assert_country CH
  run airlock rollback --from green --to prod --yes
  assert_status 0
  assert_country IT
}

# bats test_tags=exhaustive
@test "where only something else failed, what was built and tested is published without another build" {
  change_data
  remember_production
  DIRECT_SCENARIO='{"results": {"snapshot.shop.customers_history": {"status": "error", "message": "no"}}}' \
    blue_green --json
  assert_status 1
  assert_production_unchanged
  id=$(airlock history --from green --to prod --json 2>/dev/null |
    "$PYTHON" -c 'import json, sys; print(json.load(sys.stdin)["deployments"][0]["id"])')
  assert_says "airlock publish $id"
  run airlock publish "$id" --from green --to prod --yes
  assert_status 0
  assert_country CH
  assert_sql "select obj_description('mart'::regnamespace) ~ '^.airlock: published [0-9]{14}_'" "$(sql 'select true')"
  run airlock rollback --from green --to prod --yes
  assert_status 0
  assert_production_unchanged
}

# bats test_tags=exhaustive
@test "what is good of a failed build is not published when staging or production was written since" {
  change_data
  DIRECT_SCENARIO='{"results": {"snapshot.shop.customers_history": {"status": "error", "message": "no"}}}' \
    blue_green --json
  assert_status 1
  id=$(airlock history --from green --to prod --json 2>/dev/null |
    "$PYTHON" -c 'import json, sys; print(json.load(sys.stdin)["deployments"][0]["id"])')
  sql "update mart.orders set status = 'other' where order_id = 101"
  remember_production
  run airlock publish "$id" --from green --to prod --yes
  assert_status 73
  assert_production_unchanged
  sql "update green_mart.orders set status = 'other' where order_id = 102"
  run airlock publish "$id" --from green --to prod --yes
  assert_status 73
  assert_says 'staging changed after the tests'
  assert_production_unchanged
}

# The recipe: full load at T, incremental at T+1; the old side is one deployment behind.
@test "an incremental build on top of the demoted side is refused, and nothing of T is lost" {
  echo '113,3,2025-01-20,placed,EUR' >>seeds/raw_orders.csv
  blue_green
  assert_status 0
  assert_sql "select orders from mart.revenue_by_day where ordered_on = date '2025-01-20'" 1
  remember_production
  echo '114,3,2025-01-21,placed,EUR' >>seeds/raw_orders.csv
  run airlock deploy blue-green "${SIDES[@]}" --yes
  refused model.shop.revenue_by_day incremental --full-refresh production-rollback
  blue_green
  assert_status 0
  assert_sql "select orders from mart.revenue_by_day where ordered_on = date '2025-01-20'" 1
  assert_sql "select orders from mart.revenue_by_day where ordered_on = date '2025-01-21'" 1
}

@test "a selection, a snapshot and schemas that do not map one to one are refused" {
  remember_production
  blue_green -s mart.orders
  refused model.shop.customers production-rollback
  run airlock deploy blue-green --from green --to prod --yes -- --full-refresh
  refused snapshot.shop.customers_history production-rollback
  run airlock deploy blue-green --from staging --to prod --exclude customers_history --yes -- --full-refresh
  refused 'its schema in staging already stands for another one' wac
}

@test "rollback is refused when what was put aside is not that any more" {
  change_data
  blue_green
  assert_status 0
  aside=$(sql "select nspname from pg_namespace where obj_description(oid) ~ 'demoted by' order by 1 desc limit 1")
  sql "comment on schema \"$aside\" is 'mine'"
  remember_production
  run airlock rollback --from green --to prod --yes
  assert_status 73
  assert_says "$aside" --force
  assert_production_unchanged
}

@test "what somebody changes between the tests and the publish, on either side: 73" {
  change_data
  blue_green --before-publish "$(by_hand 'insert into green_mart.orders select * from green_mart.orders limit 1')"
  assert_status 73
  assert_says green_mart.orders 'production was not changed'
  assert_country IT
  assert_sql 'select count(*) from mart.orders' 12
  blue_green --before-publish "$(by_hand 'insert into mart.orders select * from mart.orders limit 1')"
  assert_status 73
  assert_says mart.orders 'production was not changed'
  assert_country IT
  assert_sql 'select count(*) from mart.orders' 13
  blue_green
  assert_status 0
  assert_country CH
  assert_sql 'select count(*) from mart.orders' 12
}

@test "what somebody makes of a table between the last look and the exchange: 73" {
  change_data
  for change in 'alter column status set not null' 'alter column status set default current_user' 'add column note text' \
    'add constraint positive check (order_id > 0)'; do
    blue_green --before-publish "$(by_hand "alter table mart.orders $change")"
    assert_status 73
    assert_says 'changed of or bound to' 'production was not changed'
    assert_country IT
  done
  blue_green --before-publish "$(by_hand 'create index by_status on mart.orders (status)')"
  assert_status 73
  assert_country IT
  blue_green
  assert_status 0
  assert_country CH
  assert_sql "select count(*) from pg_indexes where schemaname = 'mart' and indexname = 'by_status'" 1
}

@test "readers of two tables in one query never see one of each set, and no error" {
  begin_reading "$ORDERS_AND_CUSTOMERS"
  for round in 1 2 3 4 5 6; do
    sed -i "s/^1001,101,card,.*/1001,101,card,$((50 + round)).25/" seeds/raw_payments.csv
    blue_green
    assert_status 0
  done
  assert_read 7
}

@test "what people gave to production stays" {
  what_people_gave_stays
}

@test "functions that both sides have keep production's owners, privileges and comments" {
  sql "create role librarian; create role visitor; grant create, usage on schema mart to librarian;
    grant librarian, visitor to current_user;
    create schema if not exists green_mart;
    create function mart.half(n int) returns int language sql as 'select n / 2';
    create function green_mart.half(n int) returns int language sql as 'select n / 2';
    alter function mart.half owner to librarian;
    revoke execute on function mart.half from public; grant execute on function mart.half to visitor with grant option;
    grant execute on function green_mart.half to visitor;
    comment on function mart.half is 'by hand';
    alter default privileges in schema mart revoke execute on functions from public;
    alter default privileges in schema mart grant execute on functions to visitor;
    alter default privileges in schema mart grant select on sequences to visitor;
    alter default privileges in schema mart grant usage on types to visitor;
    alter default privileges in schema green_mart grant select on tables to visitor"
  remember_production
  shape >"$BATS_TEST_TMPDIR/shape.before"
  change_data
  blue_green
  assert_status 0
  assert_country CH
  shape >"$BATS_TEST_TMPDIR/shape.after"
  diff "$BATS_TEST_TMPDIR"/shape.{before,after}
  run airlock rollback --from green --to prod --yes
  assert_status 0
  assert_production_unchanged
}

@test "what a new table would not have is named before anything is built" {
  sql 'alter role current_user set allow_in_place_tablespaces = on'
  sql "create tablespace fast location ''"
  sql 'create access method other type table handler heap_tableam_handler'
  sql 'alter table mart.customers set access method other'
  sql 'create index customers_by_name on mart.customers (customer_name) tablespace fast'
  sql 'alter table mart.customers alter column country type text collate "C"'
  sql 'alter table mart.orders set tablespace fast'
  sql "create function mart.noted() returns trigger language plpgsql as 'begin return new; end';
    create trigger noted before insert on mart.customers for each row execute function mart.noted();
    alter table mart.customers enable row level security;
    create policy french on mart.customers using (country = 'FR');
    create rule quiet as on delete to mart.customers do instead nothing;
    alter table mart.customers replica identity full;
    create statistics mart.both (dependencies) on country, segment from mart.customers;
    alter table mart.customers alter column country set statistics 500;
    alter table mart.customers alter column segment set storage external;
    alter table mart.customers set (toast.autovacuum_enabled = off);
    alter table mart.customers alter column segment set compression pglz;
    alter table mart.customers force row level security;
    create index customers_by_country on mart.customers (country);
    alter table mart.customers cluster on customers_by_country;
    alter table mart.customers add column number serial;
    alter table mart.customers add column always int generated always as (orders * 2) stored;
    create table public.every_customer (like mart.customers);
    alter table mart.customers inherit public.every_customer"
  remember_production
  blue_green
  refused 'access method other of customers' 'collation C of column country of customers' \
    'compression of column segment of customers' 'forced row security of customers' \
    'tablespace fast of index customers_by_name of customers' 'tablespace fast of orders' \
    'clustered on customers_by_country of customers' 'generated column always of customers' \
    'inheritance from public.every_customer of customers' 'policy french of customers' \
    'replica identity of customers' 'row security of customers' 'rule quiet of customers' \
    'sequence behind column number of customers' 'statistics both of customers' \
    'statistics of column country of customers' 'storage of column segment of customers' \
    'storage options of its long values of customers' 'trigger noted of customers'
  refute_says 'build: build and test'
}

# bats test_tags=exhaustive
@test "a model that is a materialized view is refused before the build, whatever the strategy" {
  AIRLOCK_DBT=$REAL
  echo "{{ config(materialized='materialized_view') }} select country, count(*) as n from {{ ref('customers') }} group by 1" \
    >models/mart/countries.sql
  remember_production
  blue_green
  refused "'model.shop.countries' is a materialized view"
  for strategy in wac production-rollback; do
    run airlock deploy "$strategy" --from staging --to prod --tags mart --yes
    refused "'model.shop.countries' is a materialized view" --exclude
    refute_says 'build: build and test'
  done
  run airlock publish wac --from staging --to prod --tags mart --yes
  refused "'model.shop.countries' is a materialized view"
}

# bats test_tags=exhaustive
@test "what a hook makes in staging again is not refused, and what it does not make is" {
  AIRLOCK_DBT=$REAL
  sed -i "1i {{ config(post_hook='alter table {{ this }} replica identity full') }}" models/mart/customers.sql
  blue_green
  assert_status 0
  shape >"$BATS_TEST_TMPDIR/before"
  blue_green
  assert_status 0
  shape >"$BATS_TEST_TMPDIR/after"
  diff "$BATS_TEST_TMPDIR"/{before,after}
  sql 'alter table mart.customers alter column country set statistics 500'
  remember_production
  blue_green
  assert_status 125
  assert_says 'statistics of column country of customers'
  assert_production_unchanged
}

# bats test_tags=exhaustive
@test "columns are added, removed and retyped" {
  columns_change
}

# bats test_tags=exhaustive
@test "a view becomes a table, and a table a view" {
  kinds_change
}

# bats test_tags=exhaustive
@test "a model is deleted, and one renamed: what they were leaves production, and comes back" {
  models_go --orphans drop
  assert_sql "select count(*) from information_schema.tables where table_schema = 'mart'
    and table_name in ('open_orders', 'revenue_by_day')" 0
  assert_taken_back
}

# bats test_tags=exhaustive
@test "grants of a node: those and no others" {
  grants_are_the_nodes
}
