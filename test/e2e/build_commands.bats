#!/usr/bin/env bats
# A build of several commands, as the recipe's job has them: build: [seed, run, test].

load ../support/common.bash

setup_file() {
  begin_file shop
  freeze
}

setup() {
  thaw
  export AIRLOCK_DBT=$ROOT/test/support/direct/dbt
  sed -i "s/^    to: prod/&\n    build: [seed, run, test]/" dbt_project.yml
}

teardown_file() {
  end_file
}

commands() { # the dbt commands of the deployment, as its journal has them begun and ended
  "$PYTHON" - target/airlock/deployments/*/journal.jsonl <<'EOF'
import json, sys
lines = [json.loads(line) for line in open(sys.argv[-1], encoding="utf-8")]
print(" ".join(f"{line['step']}:{line['event']}" for line in lines
               if line.get("step") in ("seed", "run", "test", "build") and line["event"] != "statement"))
EOF
}

@test "the commands run one after another, and what all of them made and tested is published" {
  run --separate-stderr airlock deploy wac --yes --json
  assert_status 0
  assert_json 'd["outcome"]' published
  assert_json 'd["nodes"]["built"] > 5 and d["tests"]["passed"] > 0' true
  [ "$(commands)" = 'seed:begin seed:done run:begin run:done test:begin test:done' ] || fail "$(commands)"
  remember_production
  # What slim CI compares with has the results of all of them.
  kinds=$("$PYTHON" -c 'import json
rows = json.load(open("target/airlock/published/run_results.json"))["results"]
print(*sorted({row["unique_id"].split(".")[0] for row in rows}))')
  [ "$kinds" = 'model seed test' ] || [ "$kinds" = 'model seed test unit_test' ] || fail "$kinds"
  sed -i '/    build: /d' dbt_project.yml
  run airlock deploy wac --yes
  assert_status 0
  assert_production_unchanged
}

# bats test_tags=default:duckdb
@test "a command that fails is the last one, and nothing is published" {
  run airlock deploy wac --yes
  assert_status 0
  remember_production
  scenario='{"results": {"model.shop.orders": {"status": "error", "message": "no"}}}'
  DIRECT_SCENARIO=$scenario run --separate-stderr airlock deploy wac --yes --json
  assert_status 1
  assert_json 'd["error"]["code"]' build-failed
  assert_json 'd["production_changed"]' false
  assert_json '[line for line in d["next"] if "--retry" in line]' '[]'
  [ "$(commands)" = 'seed:begin seed:done run:begin run:failed' ] || fail "$(commands)"
  run airlock deploy --retry "$(json 'd["id"]')" --yes
  assert_status 125
  assert_says 'was built by several commands, and dbt retry goes on with the last of them alone'
  assert_production_unchanged
}

# bats test_tags=default:duckdb
@test "a failing test stops it, and what is behind it is not published apart" {
  run airlock deploy wac --yes
  assert_status 0
  remember_production
  test=$("$PYTHON" -c 'import json
nodes = json.load(open("target/airlock/published/manifest.json"))["nodes"]
print(next(name for name in sorted(nodes) if name.startswith("test.shop.unique_orders_")))')
  scenario="{\"results\": {\"$test\": {\"status\": \"fail\", \"failures\": 1, \"message\": \"Got 1\"}}}"
  DIRECT_SCENARIO=$scenario run --separate-stderr airlock deploy wac --yes --json
  assert_status 1
  assert_json 'd["error"]["code"]' audit-failed
  assert_json '"unique_orders" in d["failures"][0]["unique_id"]' true
  id=$(json 'd["id"]')
  [ "$(commands)" = 'seed:begin seed:done run:begin run:done test:begin test:failed' ] || fail "$(commands)"
  run airlock publish "$id" --yes
  assert_status 125
  assert_says "was not built and tested with success by deployment '$id', or is behind what failed"
  assert_production_unchanged
}

# bats test_tags=default:duckdb
@test "commands that would leave something untested are refused before anything runs" {
  run airlock deploy wac --build seed run --yes
  assert_status 125
  assert_says "the last command has to be 'test'"
  run airlock plan wac --build run test run
  assert_status 125
  assert_says "'run' stands there twice"
}

# bats test_tags=default:duckdb
@test "what is edited between two commands is not published by the tests of the later one" {
  run airlock deploy wac --yes
  assert_status 0
  remember_production
  fake_dbt test "echo '-- another' >>models/mart/orders.sql"
  run airlock deploy wac --yes
  assert_status 125
  assert_says 'models/mart/orders.sql' 'was written between the commands of the build'
  assert_production_unchanged
}

# bats test_tags=default:duckdb
@test "what is only touched between two commands is what was built" {
  fake_dbt test "touch models/mart/orders.sql dbt_project.yml"
  run airlock deploy wac --yes
  assert_status 0
}

# bats test_tags=default:duckdb
@test "what is edited for one command and put back before the next is not published" {
  run airlock deploy wac --yes
  assert_status 0
  remember_production
  cp models/mart/orders.sql kept
  fake_dbt run "sed -i '1s/^/-- another\n/' models/mart/orders.sql"
  fake_dbt test "cp kept models/mart/orders.sql"
  run airlock deploy wac --yes
  assert_status 125
  assert_says 'models/mart/orders.sql' 'was written between the commands of the build'
  assert_production_unchanged
}

# bats test_tags=exhaustive
@test "with the real dbt too: options go to the commands that take them" {
  export AIRLOCK_DBT=$ROOT/.cache/dbt/bin/dbt
  run --separate-stderr airlock deploy wac --yes --json -- --full-refresh --store-failures --fail-fast
  assert_status 0
  assert_json 'd["outcome"]' published
  run --separate-stderr airlock deploy wac -s customers --yes --json
  assert_status 0
  run airlock deploy wac --yes -- --export-saved-queries
  assert_status 125
  assert_says "'--export-saved-queries' is an option of none of these commands"
}

# bats test_tags=exhaustive
@test "other strategies: what the commands made and tested is published" {
  sed -i '/    build: /d' dbt_project.yml
  airlock deploy wac --yes
  airlock deploy wap --from prod_audit --tags mart --publish-by copy --yes
  for country in CH AT; do
    sed -Ei "s/^4,Dario Rossi,[A-Z]+/4,Dario Rossi,$country/" seeds/raw_customers.csv
    case $country in
    CH) run airlock deploy wap --from prod_audit --tags mart --publish-by copy --build seed run test --yes ;;
    AT) run airlock deploy wap --from prod_audit --tags mart --stale-ok '*' --build seed run test --yes ;;
    esac
    assert_status 0
    assert_says 'seed: command 1 of 3' 'run: command 2 of 3' 'test: command 3 of 3'
    assert_sql 'select country from mart.customers where customer_id = 4' $country
  done
  run airlock deploy production-rollback --build seed run test --yes
  assert_status 0
  assert_says 'test: command 3 of 3'
}
