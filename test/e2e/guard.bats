#!/usr/bin/env bats
# Targets that only a deployment may write (protect). What is decided is a unit test's; here is what
# a user sees of it.

load ../support/common.bash

setup_file() {
  export AIRLOCK_DBT=$ROOT/test/support/direct/dbt
  begin_file shop
  sed -i "s/^    from: staging/    protect: [prod]\n&/" dbt_project.yml
  freeze
}

setup() {
  thaw
  # Called by the name dbt, in front of one that says what it was given.
  mkdir "$BATS_TEST_TMPDIR/bin"
  ln -s "$AIRLOCK_BIN" "$BATS_TEST_TMPDIR/bin/dbt"
  printf '#!/bin/sh\necho "dbt $*"\n' >"$BATS_TEST_TMPDIR/real"
  chmod +x "$BATS_TEST_TMPDIR/real"
  PATH=$BATS_TEST_TMPDIR/bin:$PATH
}

shim() {
  AIRLOCK_DBT=$BATS_TEST_TMPDIR/real command dbt "$@"
}

@test "on a protected target dbt is not started, and the command to use is said" {
  run --separate-stderr shim run -t prod --select orders
  assert_status 125
  [ "$output" = '' ]
  [[ $stderr = *"'dbt run' would write to target 'prod'"* ]]
  [[ $stderr = *"'dbt airlock deploy wac --select orders'"* ]]
  AIRLOCK_DBT=$BATS_TEST_TMPDIR/real run airlock seed --target=prod
  assert_status 125
}

@test "other targets and other verbs pass as they are, and nothing is said" {
  run shim run -t staging
  [ "$output" = 'dbt run -t staging' ]
  run shim test -t prod
  [ "$output" = 'dbt test -t prod' ]
  run shim run-operation anything -t prod
  [ "$output" = 'dbt run-operation anything -t prod' ]
}

# bats test_tags=exhaustive
@test "a deployment to a protected target is not stopped, and a reason is in the history" {
  AIRLOCK_BREAK_GLASS='ticket 7' run --separate-stderr shim seed --target prod
  assert_status 0
  [ "$output" = 'dbt seed --target prod' ]
  [[ $stderr = *"'dbt seed' may write to the protected target (prod)"*'ticket 7'* ]]
  deploy
  assert_status 0
  run airlock history
  assert_says 'Past the guard' 'dbt seed' 'ticket 7'
  run --separate-stderr airlock history --json
  assert_json '[[x["verb"], x["target"], x["reason"]] for x in d["unguarded"]]' \
    '[["seed", "prod", "ticket 7"]]'
}

@test "on_protected: deploy makes a build the deployment of what it selects" {
  sed -i 's/^    protect: .*/&\n    on_protected: deploy/' dbt_project.yml
  run airlock build --target prod
  assert_status 125
  assert_says 'does not publish: int_orders' 'not_refreshed: [int_orders'
  [ "$(relations | grep -c '^mart')" = 0 ]
  sed -i "s/^    protect: .*/&\n    not_refreshed: ['*']/" dbt_project.yml
  GITHUB_STEP_SUMMARY=$BATS_TEST_TMPDIR/page run airlock build --target prod --log-format json
  assert_status 0
  printf '%s\n' "${lines[@]}" | "$PYTHON" -c 'import json, sys
for line in sys.stdin: json.loads(line)["info"]["msg"]'
  grep -q '^### airlock deploy: published' "$BATS_TEST_TMPDIR/page"
  assert_says "becomes 'airlock deploy wac'" 'published 6 relations'
  [ "$(relations | grep '^mart')" != '' ]
  "$PYTHON" -c 'import json; print(len(json.load(open("target/run_results.json"))["results"]))'
}
