#!/usr/bin/env bats
# What is refused before anything is built, whatever the engine, and how it is said. Nothing reaches
# production. With a stand-in for dbt where the project is the recorded one.

load ../support/common.bash

setup_file() {
  begin_file shop
  freeze
}

setup() {
  thaw
  AIRLOCK_DBT=$DIRECT
}

teardown() {
  if [ -e "$SHOP_DUCKDB" ]; then
    [ -z "$(relations)" ]
  fi
}

teardown_file() {
  end_file
}

refused() { # refused TEXT...: by airlock itself
  assert_status 125
  assert_says "$@"
}

tags_to_clone_only() {
  sed -i '/^  airlock:/,/^$/d' dbt_project.yml
}

@test "who looks at what was deployed makes no database" {
  [ ! -e "$SHOP_DUCKDB" ]
  for command in history inspect gc; do
    run airlock "$command" --from staging --to prod
    [ "$command" = inspect ] || assert_status 0
    [ ! -e "$SHOP_DUCKDB" ] || fail "$command has made it"
  done
}

# --- the scope

@test "an empty scope names what cut it" {
  deploy -s no_such_model
  refused no_such_model
  deploy --exclude tag:mart tag:utils
  refused exclude
}

@test "an empty scope, whatever the strategy" {
  mkdir -p green
  for way in 'deploy wac --from staging' 'deploy production-rollback --from staging' \
    'deploy blue-green --from blue_green' 'deploy wap --from prod_audit --publish-by copy' \
    'deploy wap --from prod_audit --publish-by rebuild' 'publish wac --from staging'; do
    # shellcheck disable=SC2086
    run --separate-stderr airlock $way --to prod --tags mart --exclude tag:mart --yes --json
    refused 'production was not changed'
    assert_json 'd["error"]["code"], d["outcome"]' '["scope-empty", "failed"]'
  done
}

@test "an unknown tag" {
  run airlock deploy wac --from staging --to prod --tags mart,martt --yes
  refused martt
}

@test "a tag that only views have" {
  AIRLOCK_DBT=$REAL
  sed -i "s/materialized='view'/materialized='view', tags=['screens']/" models/mart/open_orders.sql
  run airlock deploy wac --from staging --to prod --tags screens --views skip --yes
  refused screens view
}

@test "views: refuse names the view" {
  deploy --views refuse
  refused open_orders
}

# --- the routes

@test "staging and production are one target" {
  run airlock deploy wac --from prod --to prod --tags mart,utils --yes
  refused prod
}

@test "a project whose sides are not apart: both relations, and the lines that cure it" {
  AIRLOCK_DBT=$REAL
  cp -R "$ROOT/test/projects/classic" "$WORK/classic"
  cd "$WORK/classic"
  run airlock deploy wac --from staging --to prod --tags mart --yes
  refused mart.visits mart.pages generate_schema_name target.schema
}

@test "a model with both tags, routed by tag" {
  AIRLOCK_DBT=$REAL
  tags_to_clone_only
  sed -i "1i {{ config(tags=['utils']) }}" models/mart/orders.sql
  run airlock deploy wac --from staging --yes
  refused orders mart utils
}

@test "two models routed to one relation" {
  AIRLOCK_DBT=$REAL
  tags_to_clone_only
  printf "{{ config(schema='raw', alias='orders', tags=['mart'], materialized='table') }}\nselect 1 as x\n" \
    >models/staging/other_orders.sql
  run airlock deploy wac --from staging --yes
  refused other_orders mart.orders
}

# --- the configuration

@test "broken YAML: file, line, column" {
  printf 'vars:\n  airlock: {from: [}\n' >>dbt_project.yml
  line=$(wc -l <dbt_project.yml)
  deploy
  refused "dbt_project.yml:$line:"
}

@test "a key given twice" {
  printf '\nname: shop\n' >>dbt_project.yml
  deploy
  refused "dbt_project.yml:$(wc -l <dbt_project.yml):1" name
}

@test "an alias that contains itself" {
  printf '\nx-loop: &loop [*loop]\n' >>dbt_project.yml
  deploy
  refused "dbt_project.yml:$(wc -l <dbt_project.yml):"
}

@test "a misspelt key: place and the right one" {
  sed -i "s/^    tags: /    tagz: /" dbt_project.yml
  deploy
  refused "dbt_project.yml:$(grep -n tagz: dbt_project.yml | cut -d: -f1):5" tagz tags
}

@test "a value that waits for Jinja names the variable to use" {
  sed -i "s/^    from: staging/    from: \"{{ env_var('SIDE') }}\"/" dbt_project.yml
  run airlock deploy wac --to prod --yes
  refused "dbt_project.yml:$(grep -n SIDE dbt_project.yml | cut -d: -f1):" AIRLOCK_FROM
}

@test "an option that does not exist" {
  deploy --tagz mart
  refused tagz tags
}

@test "dbt options that would break the promise, or that nobody knows" {
  for option in '--select orders' '--exclude orders' '--selector x' '--target-path x' '--sample 1' \
    '--no-write-json' '--no-such-thing'; do
    # shellcheck disable=SC2086 # words
    deploy -- $option
    refused "${option%% *}"
  done
}

@test "variables that would break the promise" {
  for variable in DBT_SAMPLE=1 DBT_EMPTY=true DBT_DEFER=1 DBT_ENGINE_EMPTY=true \
    DBT_INDIRECT_SELECTION=cautious; do
    run env "$variable" "$AIRLOCK_BIN" deploy wac --yes
    refused "${variable%%=*}"
  done
}

# --- dbt and its files

@test "not in a project" {
  cd "$BATS_TEST_TMPDIR"
  deploy
  refused dbt_project.yml
}

@test "no profiles.yml" {
  AIRLOCK_DBT=$REAL
  mv profiles.yml elsewhere.yml
  HOME=$BATS_TEST_TMPDIR deploy
  [ "$status" -ne 0 ]
  assert_says profiles
}

@test "a target that does not exist" {
  AIRLOCK_DBT=$REAL
  run airlock deploy wac --from stagin --to prod --tags mart --yes
  [ "$status" -ne 0 ]
  assert_says stagin
}

@test "a secret that only one side needs, and that is missing" {
  AIRLOCK_DBT=$REAL
  "$PYTHON" - <<'PY'
text = open("profiles.yml").read()
text = text.replace("schema: analytics", "schema: \"{{ env_var('PROD_SCHEMA') }}\"")
open("profiles.yml", "w").write(text)
PY
  deploy
  [ "$status" -ne 0 ]
  assert_says PROD_SCHEMA prod
}

# spoiled_manifest COMMAND: every manifest that dbt writes goes through COMMAND FILE
spoiled_manifest() {
  cat >"$BATS_TEST_TMPDIR/dbt" <<EOF
#!/usr/bin/env bash
"$DIRECT" "\$@"
status=\$?
while [ \$# -gt 1 ]; do
  if [ "\$1" = --target-path ] && [ -f "\$2/manifest.json" ]; then $1 "\$2/manifest.json"; fi
  shift
done
exit \$status
EOF
  chmod +x "$BATS_TEST_TMPDIR/dbt"
  AIRLOCK_DBT=$BATS_TEST_TMPDIR/dbt
}

@test "a truncated manifest, and one that is a merge conflict" {
  spoiled_manifest 'truncate -s 5000'
  deploy
  refused manifest.json
  thaw
  spoiled_manifest "sed -i '1i <<<<<<< HEAD'"
  deploy
  refused manifest.json:1
}

@test "no dbt at all is 127, one that cannot be run is 126" {
  unset AIRLOCK_DBT
  PATH=/nonexistent run -127 "$AIRLOCK_BIN" deploy wac --yes
  : >"$BATS_TEST_TMPDIR/not-executable"
  AIRLOCK_DBT=$BATS_TEST_TMPDIR/not-executable deploy
  assert_status 126
  assert_says "$BATS_TEST_TMPDIR/not-executable"
}
