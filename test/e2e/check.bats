#!/usr/bin/env bats
# What is found before a commit.

load ../support/common.bash

setup_file() {
  begin_file shop
  freeze
}

setup() {
  thaw
}

checks() { # of the JSON: "check file" each
  airlock check --json "$@" 2>/dev/null |
    "$PYTHON" -c 'import json, sys
for f in json.load(sys.stdin)["findings"]: print(f["check"], f["file"], f["line"])' | sort
}

@test "check: without a parse it says how to make one; afterwards no dbt is needed" {
  run airlock check
  assert_status 125
  assert_says "airlock check --parse"
  run airlock check --parse
  assert_status 0
  AIRLOCK_DBT=/nonexistent run airlock check models/mart/orders.sql
  assert_status 0
}

@test "check: the manifests of a plan are as good as those of a parse" {
  airlock plan wac >/dev/null 2>&1
  run airlock check
  assert_status 0
  [ "$output" = '' ] || fail "$output"
}

@test "check: names in SQL, with their line; not in Jinja, comments and strings" {
  airlock check --parse >/dev/null 2>&1 || :
  cat >models/mart/orders.sql <<'SQL'
-- from mart.orders
select 'mart.orders' as x, o.* /* mart.orders */
from {{ ref('stg_orders') }} o
join "Warehouse"."MART"."customers" c on c.id = o.id
join stage.stg_orders using (id)
SQL
  run checks models/mart/orders.sql
  [ "$output" = 'hard-coded-name models/mart/orders.sql 4
hard-coded-name models/mart/orders.sql 5' ] || fail "$output"
  run airlock check models/mart/orders.sql
  assert_status 1
  assert_says 'models/mart/orders.sql:4:' "'mart.customers'" '2 findings'
  run checks models/mart/customers.sql README.md
  [ "$output" = '' ]
  (cd models && run checks mart/orders.sql && [ "${#lines[@]}" = 2 ])
}

# bats test_tags=exhaustive
@test "check: tags and keys of every deployment" {
  sed -i 's/^    tags: .*/    tags: [mart, marts]/' dbt_project.yml
  line=$(grep -n '^    tags: ' dbt_project.yml)
  run airlock check --parse
  assert_status 1
  assert_says "dbt_project.yml:${line%%:*}: no node has the tag 'marts'" "did you mean 'mart'?" '1 finding'
  run checks models/mart/orders.sql
  [ "$output" = "scope-empty dbt_project.yml ${line%%:*}" ] || fail "$output"
  sed -i 's/^    tags: .*/    tagz: [mart]/' dbt_project.yml
  run airlock check
  assert_status 125
  assert_says "did you mean 'tags'?"
  sed -i 's/^    tagz: .*/    deployments: {a: {strategy: wac, tags: [mart]}, b: {strategy: wac, tags: [none]}}/' \
    dbt_project.yml
  echo 'select * from mart.orders' >models/mart/customers.sql
  run airlock check --parse models/mart/customers.sql
  assert_status 1
  assert_says "deployment 'b': no node has the tag 'none'" 'models/mart/customers.sql:1:' '2 findings'
}

@test "check: what a strategy makes of a node" {
  sed -i 's/^    tags: .*/    views: skip\n    deployments: {a: {strategy: wac, tags: [mart]}}/' dbt_project.yml
  echo 'select 1 as id' >models/mart/extra.sql
  airlock check --parse >/dev/null 2>&1 || :
  run checks models/mart/extra.sql
  [ "$output" = 'untested models/mart/extra.sql 0' ] || fail "$output"
  run checks
  [[ $output = *'view-not-published models/mart/open_orders.sql 0'* ]] || fail "$output"
  run checks models/mart/orders.sql
  [ "$output" = '' ] || fail "$output"
}

with_mirror() {
  sed -i "s/^vars:/vars:\n  mirror: true/; s/\"{{ var('mirror', false) }}\"/true/" dbt_project.yml
  sed -i "s/^  airlock:/&\n    mirror: {raw: 'tag:raw'}/" dbt_project.yml
}

@test "check: what reads a source past the mirror" {
  with_mirror
  sed -i "s/{{ ref('mirror_orders' .*/{{ source('shop', 'orders') }}/" models/staging/stg_orders.sql
  airlock check --parse >/dev/null 2>&1 || :
  run checks models/staging/stg_orders.sql models/staging/stg_customers.sql
  [ "$output" = 'source-past-mirror models/staging/stg_orders.sql 0' ] || fail "$output"
  run airlock check models/staging/stg_orders.sql
  assert_status 1
  assert_says "reads the source 'shop.orders' past the mirror" 'let it read the raw model by ref()'
}

# What pre-commit says of the project as it has become, with the words of the finding.
hook_fails() { # hook_fails WORDS...
  airlock check --parse >/dev/null 2>&1 || :
  git add -A
  run "$BATS_TEST_TMPDIR/venv/bin/pre-commit" run --all-files
  assert_status 1
  assert_says "$@"
  git reset -q --hard
}

# bats test_tags=exhaustive
@test "check: as a hook of pre-commit, from .pre-commit-hooks.yaml" {
  python3 -m venv "$BATS_TEST_TMPDIR/venv"
  "$BATS_TEST_TMPDIR/venv/bin/pip" -q install pre-commit
  export PRE_COMMIT_HOME=$BATS_TEST_TMPDIR/home HOME=$BATS_TEST_TMPDIR
  export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
  mkdir "$BATS_TEST_TMPDIR/hooks"
  (cd "$ROOT" && git ls-files -z -- . ':!.cache' | tar --null -T - -cf -) | tar -C "$BATS_TEST_TMPDIR/hooks" -xf -
  (cd "$BATS_TEST_TMPDIR/hooks" && git init -q && git add -A && git commit -qm hooks)
  cat >.pre-commit-config.yaml <<YAML
repos:
  - repo: $BATS_TEST_TMPDIR/hooks
    rev: $(git -C "$BATS_TEST_TMPDIR/hooks" rev-parse HEAD)
    hooks: [{id: airlock-check}]
YAML
  printf 'target/\nlogs/\n*.duckdb\n' >.gitignore
  git init -q
  git add -A
  git commit -qm shop
  airlock check --parse >/dev/null 2>&1 || :
  run "$BATS_TEST_TMPDIR/venv/bin/pre-commit" run --all-files
  assert_status 0
  assert_says Passed
  echo 'select * from mart.orders' >models/mart/orders.sql
  hook_fails 'models/mart/orders.sql:1' "'mart.orders' is written out" "use {{ ref('...') }}"
  echo 'select 1 as id' >models/mart/extra.sql
  hook_fails models/mart/extra.sql 'it is published, and has no test' 'add one'
  sed -i 's/^    tags: .*/    tags: [mart, marts]/' dbt_project.yml
  hook_fails dbt_project.yml "no node has the tag 'marts'" "did you mean 'mart'?"
  sed -i 's/^    tags: .*/    tagz: [mart]/' dbt_project.yml
  hook_fails dbt_project.yml "did you mean 'tags'?"
  sed -i 's/^    tags: .*/&\n    views: skip/' dbt_project.yml
  hook_fails models/mart/open_orders.sql 'which wac leaves out here' 'make it a table'
  sed -i "s/^    tags: .*/    deployments: {a: {strategy: blue-green}}/; s/^    to: .*/    to: prod/" dbt_project.yml
  hook_fails models/mart/revenue_by_day.sql 'those of two deployments ago' production-rollback
  sed -i "s/'staging' -%}/'nothing' -%}/" macros/generate_schema_name.sql
  hook_fails models/mart/orders.sql 'on both sides' generate_schema_name
  with_mirror
  sed -i "s/{{ ref('mirror_orders' .*/{{ source('shop', 'orders') }}/" models/staging/stg_orders.sql
  hook_fails models/staging/stg_orders.sql 'past the mirror' 'airlock mirror generate'
}
