#!/usr/bin/env bats
# What stands in the way of a deployment.

load ../support/common.bash
export AIRLOCK_DBT=$ROOT/test/support/direct/dbt

setup_file() {
  begin_file shop
}

setup() {
  cd "$WORK/project"
}

@test "doctor: a project that could be deployed, and nothing is written" {
  run --separate-stderr airlock doctor
  assert_status 0
  assert_output_has() { [[ $output = *"$1"* ]] || fail "no '$1' in:" "$output"; }
  assert_output_has "$AIRLOCK_DBT"
  assert_output_has "profile 'shop' has staging, prod"
  assert_output_has "wac, from 'staging' to 'prod', 6 nodes"
  assert_output_has 'duckdb'
  assert_output_has 'free'
  assert_output_has 'no table airlock.airlock_log yet'
  [ ! -e "$WORK/warehouse.duckdb" ] || [ "$(relations)" = '' ]
}

@test "doctor: what fails is named, with what to do, and decides the exit code" {
  run --separate-stderr airlock doctor --to nowhere
  [ "$status" -ne 0 ]
  run --separate-stderr airlock doctor --tags nothing --json
  assert_status 125
  assert_json 'd["ready"], d["checks"][-1]["state"]' '[false, "fails"]'
  AIRLOCK_DBT=/nonexistent run --separate-stderr -127 airlock doctor --json
  assert_json '[(c["check"], c["state"]) for c in d["checks"]]' '[["dbt", "fails"]]'
}

@test "doctor: the tables of airlock itself" {
  deploy
  assert_status 0
  deploy
  assert_status 0
  run --separate-stderr airlock doctor
  assert_status 0
  assert_says 'airlock.airlock_log, 5 tables in restore points'
}

@test "deploy_only_if: every condition holds, or nothing is done" {
  git init -qb main . && git add -A
  git -c user.name=a -c user.email=a@b commit -qm all
  run airlock deploy wac --deploy-only-if branch:main,clean,env:STAGE=live --yes
  assert_status 125
  assert_says "'env:STAGE=live' does not hold here"
  run airlock deploy wac --deploy-only-if branch:other --yes
  assert_status 125
  run airlock deploy wac --deploy-only-if monday --yes
  assert_status 125
  assert_says 'is no condition'
  STAGE=live run airlock deploy wac --deploy-only-if branch:main,env:STAGE=live --yes
  assert_status 0
  echo >>dbt_project.yml
  run airlock deploy wac --deploy-only-if clean --yes
  assert_status 125
  rm -rf .git
}

@test "publish --only-from skips on another target" {
  DBT_TARGET=prod AIRLOCK_DBT=/nonexistent run airlock publish wac --only-from staging --yes
  assert_status 0
  assert_says "skipped: the target is 'prod', not 'staging'"
  DBT_TARGET=prod run --separate-stderr airlock publish wac --only-from staging --json
  assert_json 'd["outcome"]' skipped
  run airlock publish wac --only-from staging --tags nothing --yes
  assert_status 125
}
