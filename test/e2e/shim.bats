#!/usr/bin/env bats
# The name dbt for airlock, and what a shell completes.

load ../support/common.bash

setup_file() {
  begin_file shop
}

setup() {
  cd "$WORK/project"
  mkdir "$BATS_TEST_TMPDIR"/{front,real,other}
  printf '#!/bin/sh\necho "dbt $*"\n' >"$BATS_TEST_TMPDIR/real/dbt"
  chmod +x "$BATS_TEST_TMPDIR/real/dbt"
  unset AIRLOCK_DBT
  PATH=$BATS_TEST_TMPDIR/front:$BATS_TEST_TMPDIR/real:/usr/bin:/bin
}

@test "shim: install links, status says what is called, remove takes it back" {
  run airlock shim status
  assert_status 125
  assert_says "'dbt' is not airlock" "$BATS_TEST_TMPDIR/real/dbt"
  run airlock shim install "$BATS_TEST_TMPDIR/front"
  assert_status 0
  assert_says "the real one is '$BATS_TEST_TMPDIR/real/dbt'"
  [ "$(readlink -f "$BATS_TEST_TMPDIR/front/dbt")" = "$(readlink -f "$AIRLOCK_BIN")" ]
  [ "$("$BATS_TEST_TMPDIR/front/dbt" run x)" = 'dbt run x' ]
  run airlock shim install "$BATS_TEST_TMPDIR/front"
  assert_status 0
  run airlock shim remove "$BATS_TEST_TMPDIR/front"
  assert_status 0
  [ -z "$(ls "$BATS_TEST_TMPDIR/front")" ]
}

@test "shim: another dbt is neither replaced nor removed, and the order of PATH is checked" {
  run airlock shim install "$BATS_TEST_TMPDIR/real"
  assert_status 125
  assert_says 'is another dbt'
  run airlock shim remove "$BATS_TEST_TMPDIR/real"
  assert_status 125
  [ "$("$BATS_TEST_TMPDIR/real/dbt" x)" = 'dbt x' ]
  run airlock shim install "$BATS_TEST_TMPDIR/other"
  assert_status 125
  assert_says "put the directory of the link in front of PATH: export PATH=$BATS_TEST_TMPDIR/other:"
  run airlock shim install "$BATS_TEST_TMPDIR/none"
  assert_status 125
  rm "$BATS_TEST_TMPDIR/real/dbt"
  run -127 airlock shim install "$BATS_TEST_TMPDIR/front"
}

completes() { # completes EXPECTED WORD...
  local expected=$1
  shift
  COMP_WORDS=("$AIRLOCK_BIN" "$@") COMP_CWORD=$#
  _airlock
  [ "${COMPREPLY[*]}" = "$expected" ] || fail "expected: $expected" "got: ${COMPREPLY[*]}"
}

@test "completion: verbs, options, values, targets, tags and deployments" {
  eval "$(airlock completion bash)"
  completes 'deploy' dep
  completes '--max-shrink' deploy --max-s
  completes '' rollback --max-s
  completes 'error warn' deploy --block-on ''
  completes 'production-rollback' deploy pro
  completes 'safety' help sa
  completes 'man' help man
  completes 'prod prod_audit' deploy --to prod
  sed -i 's/^    from: staging/&\n    deployments: {nightly: {strategy: wac}}/' dbt_project.yml
  completes 'nightly' plan ni
  mkdir -p target
  cp "$ROOT/test/unit/data/manifest.json" target/
  run airlock completion tags
  assert_status 0
  [ -n "$output" ]
  [ "$(airlock completion zsh | sed '1,2d;$d')" = "$(airlock completion bash)" ]
  [ "$(airlock completion zsh | head -n 1)" = '#compdef airlock' ]
  run airlock completion fish
  assert_status 125
}
