#!/usr/bin/env bats
# The comparison of production that the other tests rest on sees every kind of change.

load ../support/common.bash

setup_file() {
  begin_file shop
}

teardown_file() {
  end_file
}

assert_sees_each_change() { # one statement per line, on stdin
  local before after change
  before=$(production)
  while read -r change; do
    sql "$change"
    after=$(production)
    [ "$after" != "$before" ] || fail "not seen: $change" || return
    before=$after
  done
  [ "$(production)" = "$before" ]
}

@test "what both engines have" {
  sql 'create table both_have (a int, b int default 1)'
  assert_sees_each_change <<'SQL'
insert into both_have values (1, 2)
update both_have set b = 3
create table twice as select 1 as a
insert into twice values (1)
comment on column both_have.a is 'x'
comment on table both_have is 'x'
alter table twice add d text
alter table twice alter a type bigint
alter table both_have alter b set default 2
alter table both_have alter b set not null
create index i on both_have (a)
comment on index i is 'x'
create view v as select a from both_have
create sequence q
create schema more
drop index i
SQL
}

@test "what PostgreSQL has besides" {
  [ "$ENGINE" = postgres ] || return 0
  sql 'create table t (a int, b int, long text)'
  sql 'create role reader; create role other; create access method heap2 type table handler heap_tableam_handler'
  sql "create function f() returns trigger language plpgsql as 'begin return new; end'"
  assert_sees_each_change <<'SQL'
comment on function f() is 'x'
revoke execute on function f() from public
alter function f() owner to reader
alter table t set (toast.autovacuum_enabled = off)
alter table t set access method heap2
grant select on t to reader
grant select (a) on t to other
grant usage on schema public to reader
alter default privileges in schema public grant select on tables to reader
comment on schema public is 'x'
alter table t add constraint c check (a > 0)
comment on constraint c on t is 'x'
alter table t alter a set statistics 7
alter table t enable row level security
alter table t force row level security
create policy p on t to reader using (a = 1)
create trigger g before insert on t for each row execute function f()
alter table t disable trigger g
create rule r as on delete to t do instead nothing
create publication u for table t
create statistics s on a, b from t
alter table t set (fillfactor = 50)
alter table t owner to reader
alter table t replica identity full
SQL
}
