#!/usr/bin/env bats
# Every command that is dbt's goes to dbt as it is.

load ../support/common.bash

setup_file() {
  begin_file shop
}

setup() {
  cd "$WORK/project"
}

# A dbt that says what it was given.
echo_dbt() {
  cat >"$BATS_TEST_TMPDIR/dbt" <<'SH'
#!/usr/bin/env bash
printf 'argument:%s\n' "$@"
printf 'cwd:%s\n' "$PWD"
cat
echo 'on stderr' >&2
ls /proc/self/fd | tr '\n' ' '
exit "${EXIT_WITH-0}"
SH
  chmod +x "$BATS_TEST_TMPDIR/dbt"
  export AIRLOCK_DBT=$BATS_TEST_TMPDIR/dbt
}

@test "arguments, stdin, stdout, stderr, cwd and exit status are dbt's" {
  echo_dbt
  for exit_with in 0 1 2 99; do
    export EXIT_WITH=$exit_with
    for program in "$AIRLOCK_DBT" "$AIRLOCK_BIN"; do
      name=$([ "$program" = "$AIRLOCK_BIN" ] && echo airlock || echo dbt)
      printf 'in\0put\n' | { "$program" run --select 'a b' '' --vars '{"x": "*"}' -- --yes \
        >"$BATS_TEST_TMPDIR/$name.out" 2>"$BATS_TEST_TMPDIR/$name.err" && echo 0 || echo $?; } \
        >"$BATS_TEST_TMPDIR/$name.status"
    done
    for what in out err status; do
      cmp "$BATS_TEST_TMPDIR/dbt.$what" "$BATS_TEST_TMPDIR/airlock.$what"
    done
  done
}

# All but the time of day.
said() {
  local status=0
  "$@" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" || status=$?
  echo "$status"
  sed -E 's/[0-9]{2}:[0-9]{2}:[0-9]{2}/TIME/' "$BATS_TEST_TMPDIR"/{out,err}
}

@test "real dbt: help, a usage error and a project error are the same bytes" {
  for arguments in 'run --help' 'run --no-such-option' 'parse --project-dir /nowhere'; do
    # shellcheck disable=SC2086 # words
    diff <(said dbt $arguments) <(said airlock $arguments)
  done
  diff <(said dbt --version) <(said airlock dbt --version)
}

@test "'airlock dbt ARGS' means dbt's ARGS" {
  echo_dbt
  run airlock dbt deploy plan </dev/null
  [ "${lines[0]}" = 'argument:deploy' ]
  [ "${lines[1]}" = 'argument:plan' ]
}

@test "what airlock says of itself names what was typed" {
  run "$AIRLOCK_BIN" help no-such-topic
  [ "$status" -eq 125 ]
  [[ $output = *"'airlock help' lists"* ]]
  ln -s "$AIRLOCK_BIN" "$BATS_TEST_TMPDIR/dbt"
  run "$BATS_TEST_TMPDIR/dbt" airlock help no-such-topic
  [[ $output = *"'dbt airlock help' lists"* ]]
}

@test "the process becomes dbt: one pid, signals and dispositions as they were" {
  cat >"$BATS_TEST_TMPDIR/dbt" <<'SH'
#!/bin/sh
echo "$$"
exec grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status
SH
  chmod +x "$BATS_TEST_TMPDIR/dbt"
  export AIRLOCK_DBT=$BATS_TEST_TMPDIR/dbt
  run bash -c 'trap "" HUP; "$AIRLOCK_DBT" run | tail -n +2; "$AIRLOCK_BIN" run | tail -n +2'
  [ "$status" -eq 0 ]
  half=$((${#lines[@]} / 2))
  [ "$half" -ge 2 ]
  [ "${lines[*]:0:half}" = "${lines[*]:half}" ]
  run bash -c 'echo $$; exec "$AIRLOCK_BIN" run'
  [ "${lines[0]}" = "${lines[1]}" ]
}

@test "a dbt that dies by a signal is seen to die by that signal" {
  printf '#!/bin/sh\nkill -TERM $$\n' >"$BATS_TEST_TMPDIR/dbt"
  chmod +x "$BATS_TEST_TMPDIR/dbt"
  AIRLOCK_DBT=$BATS_TEST_TMPDIR/dbt run airlock run
  assert_status 143
}

@test "nothing is written" {
  echo_dbt
  mkdir "$BATS_TEST_TMPDIR/empty"
  cp dbt_project.yml "$BATS_TEST_TMPDIR/empty"
  cd "$BATS_TEST_TMPDIR/empty"
  airlock run </dev/null >/dev/null 2>&1
  [ "$(find . -mindepth 1)" = ./dbt_project.yml ]
}

@test "a project file that cannot be read does not stop a dbt command" {
  echo_dbt
  mkdir "$BATS_TEST_TMPDIR/broken"
  cd "$BATS_TEST_TMPDIR/broken"
  printf 'name: [\n' >dbt_project.yml
  run airlock debug </dev/null
  assert_status 0
}

@test "no dbt on PATH is 127, one that cannot be run is 126" {
  unset AIRLOCK_DBT
  PATH=/nonexistent run -127 "$AIRLOCK_BIN" run
  assert_says 'dbt'
  : >"$BATS_TEST_TMPDIR/not-executable"
  AIRLOCK_DBT=$BATS_TEST_TMPDIR/not-executable run airlock run
  assert_status 126
  assert_says "$BATS_TEST_TMPDIR/not-executable"
}

@test "a dbt on PATH that is airlock itself is never started" {
  unset AIRLOCK_DBT
  mkdir "$BATS_TEST_TMPDIR/bin"
  ln -s "$AIRLOCK_BIN" "$BATS_TEST_TMPDIR/bin/dbt"
  PATH=$BATS_TEST_TMPDIR/bin run -127 timeout 10 "$AIRLOCK_BIN" run
}

@test "copies of airlock that are all called dbt find the real one behind them" {
  echo_dbt
  unset AIRLOCK_DBT
  mkdir "$BATS_TEST_TMPDIR"/{one,two}
  for copy in one two; do
    cp "$AIRLOCK_BIN" "$BATS_TEST_TMPDIR/$copy/dbt"
    strip "$BATS_TEST_TMPDIR/$copy/dbt"
  done
  PATH=$BATS_TEST_TMPDIR/one:$BATS_TEST_TMPDIR/two:$BATS_TEST_TMPDIR:/usr/bin:/bin run command dbt run </dev/null
  assert_status 0
  [ "${lines[0]}" = 'argument:run' ]
}

@test "a dbt that asks each dbt on PATH for its distribution is not asked by itself without end" {
  mkdir "$BATS_TEST_TMPDIR"/{front,real}
  ln -s "$AIRLOCK_BIN" "$BATS_TEST_TMPDIR/front/dbt"
  cat >"$BATS_TEST_TMPDIR/real/dbt" <<'SH'
#!/bin/sh
echo "$*" >>"$ASKED"
[ "$1" = --version ] && exec echo 2.0.0
dbt internal get-distribution-info 2>/dev/null || dbt --version
SH
  chmod +x "$BATS_TEST_TMPDIR/real/dbt"
  unset AIRLOCK_DBT
  export ASKED=$BATS_TEST_TMPDIR/asked
  PATH=$BATS_TEST_TMPDIR/front:$BATS_TEST_TMPDIR/real:/usr/bin:/bin run command dbt parse
  [ "$output" = 2.0.0 ]
  diff "$ASKED" <(printf 'parse\n--version\n')
}

@test "a native dbt is called by its name, as a shell does" {
  mkdir "$BATS_TEST_TMPDIR/bin"
  printf '#include <stdio.h>\nint main(int n, char **a) { (void)n; puts(a[0]); return 0; }\n' |
    cc -x c -o "$BATS_TEST_TMPDIR/bin/dbt" -
  unset AIRLOCK_DBT
  PATH=$BATS_TEST_TMPDIR/bin:/usr/bin:/bin run "$AIRLOCK_BIN" run
  [ "$output" = dbt ]
}

@test "help calls the program as it was called" {
  mkdir "$BATS_TEST_TMPDIR/bin"
  ln -s "$AIRLOCK_BIN" "$BATS_TEST_TMPDIR/bin/dbt"
  run airlock help
  [ "${lines[0]}" = 'usage: airlock COMMAND [OPTION...]' ]
  run "$BATS_TEST_TMPDIR/bin/dbt" airlock help
  [ "${lines[0]}" = 'usage: dbt airlock COMMAND [OPTION...]' ]
}
