# What the files about blue-green share. The one that loads this sets SIDES.

blue_green() { # blue_green [OPTION...]
  run airlock deploy blue-green "${SIDES[@]}" --yes "$@" -- --full-refresh
}

setup() {
  thaw
  export AIRLOCK_DBT=$BATS_TEST_DIRNAME/../support/direct/dbt
}

teardown() {
  if [ -n "${reader-}" ]; then kill "$reader" 2>/dev/null || true; fi
}

teardown_file() {
  end_file
}
