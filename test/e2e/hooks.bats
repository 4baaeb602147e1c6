#!/usr/bin/env bats
# Commands of the user's around the publish, with test/support/direct in dbt's place; the macro is run
# by real dbt.

load ../support/common.bash

setup_file() {
  begin_file shop
  export AIRLOCK_DBT=$ROOT/test/support/direct/dbt
  deploy
  assert_status 0
  sed -i 's/^4,Dario Rossi,IT/4,Dario Rossi,CH/' seeds/raw_customers.csv
  freeze
}

setup() {
  thaw
  remember_production
  export AIRLOCK_DBT=$ROOT/test/support/direct/dbt SAW=$BATS_TEST_TMPDIR/saw
}

teardown_file() {
  end_file
}

hooks_of_history() { # of the newest deployment
  run --separate-stderr airlock inspect --json --to prod --from staging
  assert_status 0
  json '[h["hook"] + " " + str(h["exit"]) for h in d["deployment"]["hooks"]]'
}

@test "before_publish reads what was tested, and what it prints is told" {
  deploy --before-publish 'cat >"$SAW"; env | grep ^AIRLOCK_ >>"$SAW.env"; echo looks good; echo and better >&2'
  assert_status 0
  assert_says 'before_publish: looks good' 'before_publish: and better' 'published 6 relations'
  output=$(cat "$SAW")
  assert_json 'd["outcome"]' unfinished
  assert_json 'd["production_changed"]' false
  assert_json 'd["published"], [t["relation"].split(".", 1)[1] for t in d["publishing"]]' \
    '[[], ["mart.customers", "mart.open_orders", "mart.orders", "mart.revenue_by_day", "utils.calendar", "utils.currencies"]]'
  assert_json 'd["tests"]["failed"], d["tests"]["scope"] > 0' '[0, true]'
  output=$(cat "$SAW.env") stderr=''
  assert_says AIRLOCK_HOOK=before_publish AIRLOCK_ID=2 AIRLOCK_STRATEGY=wac AIRLOCK_FROM=staging \
    AIRLOCK_TO=prod AIRLOCK_OUTCOME=unfinished AIRLOCK_PRODUCTION_CHANGED=false
  [ "$(hooks_of_history)" = '["before_publish 0"]' ]
}

@test "before_publish says no: exit code 1, production as it was, and it is recorded" {
  deploy --before-publish 'echo nobody approved; exit 3'
  assert_status 1
  assert_says 'before_publish: nobody approved' "the hook 'before_publish' exited with 3" \
    'production was not changed'
  assert_production_unchanged
  [ "$(hooks_of_history)" = '["before_publish 3"]' ]
  grep -q '"event": *"hook"' target/airlock/deployments/*/journal.jsonl
  deploy
  assert_status 0
}

# bats test_tags=default:duckdb
# The identities that were taken behind the audit, and those of production from the begin.
@test "what somebody changes between the tests and the publish, on either side: 73" {
  edited='{"columns": {"model.shop.customers": "1 as weight"}}'
  deploy --before-publish "DIRECT_SCENARIO='$edited' '$AIRLOCK_DBT' run --target staging --select customers"
  assert_status 73
  assert_says 'stage.customers' 'production was not changed'
  assert_production_unchanged
  deploy --before-publish "$(by_hand 'insert into utils.calendar select * from utils.calendar limit 1')"
  assert_status 73
  assert_says 'utils.calendar' 'production was not changed'
  assert_sql 'select country from mart.customers where customer_id = 4' IT
}

@test "before_publish takes too long: 124" {
  deploy --hook-timeout 1 --before-publish 'sleep 77; exit 0'
  assert_status 124
  assert_says "the hook 'before_publish' ran out of time after 1 s" hook_timeout \
    'production was not changed'
  assert_production_unchanged
}

@test "after_publish sees what was published, before the end is recorded" {
  deploy --after-publish 'cat >"$SAW"; echo "$AIRLOCK_OUTCOME $AIRLOCK_PRODUCTION_CHANGED"'
  assert_status 0
  assert_says 'after_publish: published true' 'finish: record the end'
  output=$(cat "$SAW")
  assert_json 'd["outcome"], d["production_changed"], len(d["published"])' '["published", true, 6]'
  [ "$(hooks_of_history)" = '["after_publish 0"]' ]
}

@test "after_publish fails: 70, the data stays, the lock is free" {
  run --separate-stderr airlock deploy wac --yes --json --after-publish 'exit 9'
  assert_status 70
  assert_says "published, but the hook 'after_publish' exited with 9" 'production was changed'
  assert_json 'd["outcome"], d["production_changed"], d["exit"]' '["published", true, 70]'
  assert_json 'd["next"] == ["airlock rollback " + d["id"] + " --yes"]' true
  assert_sql 'select country from mart.customers where customer_id = 4' CH
  [ "$(hooks_of_history)" = '["after_publish 9"]' ]
  run --separate-stderr airlock inspect --json
  assert_json 'd["deployment"]["outcome"], d["deployment"]["exit"]' '["published", 70]'
  deploy
  assert_status 0
}

@test "after_failure is told what happened, and changes nothing of it" {
  deploy --before-publish false --after-failure \
    'cat >"$SAW"; echo "$AIRLOCK_OUTCOME $AIRLOCK_EXIT $AIRLOCK_PRODUCTION_CHANGED"; exit 5'
  assert_status 1
  assert_says 'after_failure: blocked 1 false' "warning: the hook 'after_failure' exited with 5"
  output=$(cat "$SAW")
  assert_json 'd["error"]["code"], d["exit"]' '["hook-failed", 1]'
  [ "$(hooks_of_history)" = '["before_publish 1", "after_failure 5"]' ]
}

# bats test_tags=default:duckdb
@test "after_failure: before there is a deployment, too; not when all is well" {
  deploy --tags nothing_has_it --after-failure 'echo "exit $AIRLOCK_EXIT ${AIRLOCK_ID-none}"'
  assert_status 125
  assert_says 'after_failure: exit 125 none'
  deploy --after-failure 'touch "$SAW"'
  assert_status 0
  [ ! -e "$SAW" ]
}

@test "a rollback runs them as well" {
  deploy
  run airlock rollback --yes --before-publish 'echo "$AIRLOCK_STRATEGY"; exit 1'
  assert_status 1
  assert_says 'before_publish: rollback'
  assert_sql 'select country from mart.customers where customer_id = 4' CH
  run airlock rollback --yes --after-publish 'echo back'
  assert_status 0
  assert_says 'after_publish: back'
  assert_sql 'select country from mart.customers where customer_id = 4' IT
}

# bats test_tags=default:duckdb
@test "the plan lists them with their commands" {
  run --separate-stderr airlock plan wac --json --before-publish './approve --all' \
    --after-publish 'run-operation tidy --args "{a: 1}"' --after-failure 'tell them'
  assert_status 0
  assert_json '[s["id"] for s in d["steps"]]' \
    '["lock", "build", "audit", "before_publish", "publish", "after_publish", "finish", "after_failure"]'
  assert_json 'd["steps"][3]["kind"], d["steps"][3]["command"]' \
    '["hook", ["/bin/sh", "-c", "./approve --all"]]'
  assert_json 'd["steps"][5]["kind"], d["steps"][5]["command"][:6]' \
    '["dbt", ["run-operation", "tidy", "--args", "{a: 1}", "--target", "prod"]]'
  deploy --after-publish 'run-operation tidy --target staging'
  assert_status 125
  assert_says "'run-operation' takes MACRO and --args"
  assert_production_unchanged
}

@test "after_publish: a macro of the project, run by dbt on the production side" {
  export AIRLOCK_DBT=$ROOT/.cache/dbt/bin/dbt
  mkdir -p macros
  cat >macros/tidy.sql <<'SQL'
{% macro tidy(name) %}
  {% do run_query("create table " ~ target.schema ~ "_" ~ name ~ " as select 1 as one") %}
  {% do log("tidied " ~ target.name, info=true) %}
{% endmacro %}
SQL
  deploy --after-publish "run-operation tidy --args '{name: up}'"
  assert_status 0
  assert_says 'after_publish: tidied prod'
  sql "select table_name from information_schema.tables where table_name like '%_up'" | grep -q _up
}
