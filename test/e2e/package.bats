#!/usr/bin/env bats
# What users are given, from scratch: wheel, sdist, tarball, cmake --install. Minutes; all exhaustive.
# bats file_tags=exhaustive

load ../support/common.bash

setup_file() {
  begin_file shop
  export DIST=$BATS_FILE_TMPDIR/dist SOURCE_DATE_EPOCH=1700000000
  "$ROOT/scripts/package" --out "$DIST" >&2
}

setup() {
  cd "$BATS_TEST_TMPDIR"
  unset AIRLOCK_DBT
  SYSTEM=/usr/bin:/bin:/usr/sbin:/sbin
}

# The files of this checkout, committed or not, at another place.
copy_of_the_sources() { # copy_of_the_sources DIRECTORY
  mkdir -p "$1"
  (cd "$ROOT" && git ls-files -z --cached --others --exclude-standard -- ':!.cache' |
    tar --null -T - -cf - --ignore-failed-read) | tar -C "$1" -xf -
}

# Airlock as it was put into DIRECTORY/bin publishes the sample project with the dbt it finds there.
deploys_the_sample() { # deploys_the_sample DIRECTORY
  cp -R "$ROOT/test/projects/shop" project
  cd project
  export PATH=$1/bin:$SYSTEM SHOP_DUCKDB=$PWD/warehouse.duckdb
  [ "$(type -P airlock)" = "$1/bin/airlock" ]
  run command airlock plan wac --from staging --to prod --tags mart,utils
  assert_status 0
  assert_says 'warehouse.mart.orders'
  run command airlock deploy wac --from staging --to prod --tags mart,utils --yes
  assert_status 0
  assert_says 'published 6 relations'
  assert_sql 'select count(*) from mart.orders' 12
}

@test "package: made again, elsewhere, they are the same bytes" {
  copy_of_the_sources other/place
  ln -s "$ROOT/.cache" other/place/.cache
  (umask 077 && PYTHONHASHSEED=7 other/place/scripts/package --out "$PWD/again") >&2
  [ "$(ls again)" = "$(ls "$DIST")" ]
  [ "$(find again -type f | wc -l)" -eq 3 ]
  diff -r "$DIST" again
}

@test "package: the wheel, in a fresh environment beside dbt, plans and deploys" {
  python3 -m venv fresh
  fresh/bin/pip -q install -r "$ROOT/test/requirements/dbt.txt" "$DIST"/*.whl
  file fresh/bin/airlock | grep 'static-pie linked'
  deploys_the_sample "$BATS_TEST_TMPDIR/fresh"
}

@test "package: the sdist is compiled with the libraries of the system" {
  python3 -m venv fresh
  fresh/bin/pip -q install "$DIST"/dbt_airlock-*.tar.gz
  ldd fresh/bin/airlock >libraries
  for library in libyaml libjansson libpcre2; do grep "$library" libraries; done
  ln -s "$ROOT/.cache/dbt/bin/dbt" fresh/bin/dbt
  deploys_the_sample "$BATS_TEST_TMPDIR/fresh"
}

@test "package: the tarball runs where it is unpacked" {
  tar -xzf "$DIST"/airlock-*-linux-*.tar.gz
  cd airlock-*
  [[ $(bin/airlock --version) = 'airlock '* ]]
  bash -n share/bash-completion/completions/airlock
  grep -qx '#compdef airlock' share/zsh/site-functions/_airlock
  grep -q '^\.TH AIRLOCK 1' share/man/man1/airlock.1
  for file in README.md CHANGELOG.md LICENSE NOTICE THIRD-PARTY; do [ -s "share/doc/airlock/$file" ]; done
}

@test "package: cmake --install puts the program, its completions and its manual where the system looks" {
  copy_of_the_sources sources
  cmake -S sources -B made -DCMAKE_BUILD_TYPE=Release -DAIRLOCK_TESTS=OFF -DCMAKE_INSTALL_PREFIX=/usr >&2
  cmake --build made >&2
  DESTDIR=$PWD/root cmake --install made >&2
  [[ $(root/usr/bin/airlock --version) = 'airlock '* ]]
  # shellcheck source=/dev/null
  source root/usr/share/bash-completion/completions/airlock
  complete -p airlock
  [ -s root/usr/share/zsh/site-functions/_airlock ]
  [ -s root/usr/share/man/man1/airlock.1 ]
  [ -s root/usr/share/doc/airlock/LICENSE ]
  [ ! -e root/usr/share/doc/airlock/THIRD-PARTY ]
}

@test "package: pip finds the wheel for systems with the GNU C library and with musl" {
  mkdir -p simple/dbt-airlock
  cp "$DIST"/*.whl simple/dbt-airlock
  (cd simple/dbt-airlock && for file in *.whl; do echo "<a href=\"$file\">$file</a>"; done >index.html)
  for platform in musllinux_1_1 musllinux_1_2 manylinux2014 manylinux_2_17; do
    pip download -q --index-url "file://$PWD/simple" --only-binary :all: --no-deps --dest "$platform" \
      --platform "${platform}_$(uname -m)" dbt-airlock
    cmp "$platform"/*.whl "$DIST"/*.whl
  done
  run ! pip download -q --index-url "file://$PWD/simple" --only-binary :all: --no-deps --dest other \
    --platform win_amd64 dbt-airlock
}

@test "package: the program of the wheel runs where there is musl and a busybox, and nothing else" {
  for package in musl busybox-static; do
    (mkdir "$package" && cd "$package" && apt-get download "$package" >&2 && dpkg -x ./*.deb ../root)
  done
  python3 -m zipfile -e "$DIST"/*.whl wheel
  install -m 755 wheel/*.data/scripts/airlock root/bin/airlock
  ln -s busybox root/bin/sh
  printf '#!/bin/sh\necho "dbt $*"\n' >root/bin/dbt
  chmod +x root/bin/dbt
  mkdir root/project
  printf 'name: x\nprofile: x\nvars: {airlock: {protect: [prod]}}\n' >root/project/dbt_project.yml
  inside() {
    chroot root /bin/sh -c "cd /project && PATH=/bin $1"
  }
  run inside 'airlock --version'
  [[ $output = 'airlock '* ]]
  run inside 'airlock run --target dev'
  [ "$output" = 'dbt run --target dev' ]
  run inside 'airlock run --target prod'
  assert_status 125
  run inside 'airlock help protect'
  assert_status 0
}
