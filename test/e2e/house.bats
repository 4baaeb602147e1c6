#!/usr/bin/env bats
# The checks check: each finds what it is there to find.

load ../support/common.bash

count() { # count STATUS, TAP on stdin
  {
    printf '<testsuite><testcase name="t" status="%s"><system-out>' "$1"
    sed 's/&/\&amp;/g; s/</\&lt;/g'
    printf '</system-out></testcase></testsuite>'
  } >"$BATS_TEST_TMPDIR/junit.xml"
  "$PYTHON" "$ROOT/test/support/count_tap.py" "$BATS_TEST_TMPDIR/junit.xml" 2>/dev/null
}

@test "count: passed, failed, skipped, no plan, too few, crashed" {
  [ "$(printf '1..2\nok 1 a\nok 2 b\n' | count run)" = '2 0' ]
  [ "$(printf '1..2\nok 1 a\nnot ok 2 b\n' | count fail)" = '1 1' ]
  [ "$(printf '1..2\nok 1 a\nok 2 b # skip no time\n' | count run)" = '1 1' ]
  [ "$(printf 'ok 1 a\n' | count run)" = '1 1' ]
  [ "$(printf '1..3\nok 1 a\n' | count run)" = '1 1' ]
  [ "$(printf '1..1\nok 1 a\nSegmentation fault\n' | count fail)" = '1 1' ]
  [ "$(printf '' | count notrun)" = '0 1' ]
}

# A tree with a pure library made of C, beside the checker.
tree() {
  cd "$BATS_TEST_TMPDIR"
  mkdir -p scripts src/deploy src/base include/airlock/base build/src/deploy/airlock_deploy_pure.dir
  cp "$ROOT/scripts/check-layers" scripts
  cat >src/deploy/pure.c
  cc -c -Iinclude src/deploy/pure.c -o build/src/deploy/airlock_deploy_pure.dir/pure.c.o
}

@test "layers: a pure object that only computes passes" {
  tree <<<'#include <string.h>
size_t decide(const char *s) { return strlen(s); }'
  run scripts/check-layers
  assert_status 0
}

@test "layers: the environment, a clock, a file through a module of ours" {
  tree <<<'#include <stdlib.h>
#include <time.h>
int fs_read(void);
long decide(void) { return getenv("X") ? time(NULL) : fs_read(); }'
  run scripts/check-layers
  assert_status 1
  assert_says getenv time fs_read
}

@test "layers: an include of a layer above, and one that leaves its folder" {
  tree <<<'int decide(void) { return 0; }'
  printf '#include "airlock/deploy/plan.h"\n' >src/base/low.c
  printf '\n#include "../cli/x.h"\n' >src/base/out.c
  run scripts/check-layers
  assert_status 1
  assert_says 'src/base/low.c:1: base may not use deploy' 'src/base/out.c:2: leaves its folder'
}

@test "layers: no objects to look at is not a pass" {
  tree <<<'int decide(void) { return 0; }'
  rm -r build
  mkdir build
  run scripts/check-layers
  assert_status 1
}

@test "README: every option of every command is in it" {
  for command in deploy plan routes rollback history inspect unlock; do
    for option in $(airlock help "$command" | grep -oE -- '--(\[no-\])?[a-z-]+' | sort -u); do
      [ "$option" = -- ] || grep -qF -- "$option" "$ROOT/README.md" || fail "README.md lacks $option"
    done
  done
}
