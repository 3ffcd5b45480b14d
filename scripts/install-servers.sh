#!/usr/bin/env bash
# Installs the PostgreSQL and MariaDB servers that the integration tests start, where they are
# missing: on Debian and Ubuntu through apt, as root or with sudo. Elsewhere it says what to install.
#
# A server is there if its programs make a data directory. The script makes one of each server in a
# temporary folder, and removes it: a program that those need may be missing where they are not.
#
# It installs programs only. No service is created or started, no database cluster is made, and
# none that exists is touched. No package is removed for what it installs.
#
#   scripts/install-servers.sh           install what is missing
#   scripts/install-servers.sh --check   only say what is found; exit 1 if something is missing
#   scripts/install-servers.sh --dry-run print the apt command instead of running it
#
# BINDERY_PG_BIN and BINDERY_MARIADB_BIN replace the search, as they do in package integration.
set -euo pipefail

# The same places, in the same order, as integration/binaries.go. Patterns: what they match changes
# when something is installed.
postgres_places='
  /usr/lib/postgresql/*/bin
  /usr/pgsql-*/bin
  /usr/local/pgsql/bin
  /opt/homebrew/opt/postgresql*/bin
  /usr/local/opt/postgresql*/bin
  /opt/local/lib/postgresql*/bin'
mariadb_places='
  /usr/sbin /usr/bin /usr/libexec /usr/local/sbin /usr/local/bin
  /usr/local/mariadb/bin /usr/local/mariadb/scripts
  /usr/local/mysql/bin /usr/local/mysql/scripts
  /opt/homebrew/opt/mariadb*/bin
  /usr/local/opt/mariadb*/bin
  /opt/local/lib/mariadb*/bin'

say() { printf 'install-servers: %s\n' "$*"; }
fail() { say "$@" >&2; exit 1; }

# search SETTING PLACES prints the directories to search, one a line.
search() {
  local setting=$1 places=$2
  if [ -n "${!setting:-}" ]; then
    tr : '\n' <<<"${!setting}"
  else
    tr : '\n' <<<"$PATH"
    # shellcheck disable=SC2086 # to be split and expanded
    printf '%s\n' $places
  fi
}

program() { [ -f "$1" ] && [ -x "$1" ]; }

# find_postgres prints the directory that holds both initdb, its links resolved, and postgres.
find_postgres() {
  local dir initdb
  while IFS= read -r dir; do
    program "$dir/initdb" || continue
    initdb=$(resolve "$dir/initdb")
    if program "${initdb%/*}/postgres"; then
      echo "${initdb%/*}"
      return
    elif program "$dir/postgres"; then
      echo "$dir"
      return
    fi
  done < <(search BINDERY_PG_BIN "$postgres_places")
  return 1
}

# resolve follows symbolic links; macOS before 12.3 has no readlink -f.
resolve() {
  readlink -f "$1" 2>/dev/null || echo "$1"
}

# find_mariadb NAME prints the path of a program of MariaDB, its links resolved.
find_mariadb() {
  local name=$1 dir
  while IFS= read -r dir; do
    if program "$dir/$name"; then
      resolve "$dir/$name"
      return
    fi
  done < <(search BINDERY_MARIADB_BIN "$mariadb_places")
  return 1
}

# look sets postgres and mariadb to where the servers are found, and postgres_wrong and mariadb_wrong
# to what keeps them from making a data directory: nothing if they make one.
look() {
  postgres_wrong='' mariadb_wrong=''
  if postgres=$(find_postgres); then
    try_postgres "$postgres"
  else
    postgres_wrong='no directory has both initdb and postgres'
  fi
  if ! mariadb=$(find_mariadb mariadbd); then
    mariadb_wrong='mariadbd is missing'
  elif ! installer=$(find_mariadb mariadb-install-db); then
    mariadb_wrong='mariadb-install-db is missing'
  else
    try_mariadb "$mariadb" "$installer"
  fi
}

# try_postgres BIN and try_mariadb SERVER INSTALLER make the data directory in the way of package integration.
try_postgres() {
  local output dir=$work/postgres
  if ! output=$(as_server "postgres nobody" "$dir" "$1/initdb" --pgdata="$dir/data" --username=admin \
    --auth=trust --encoding=UTF8 --locale=C --no-sync 2>&1); then
    postgres_wrong=$(explain initdb "$output")
  fi
}

try_mariadb() {
  local output dir=$work/mariadb
  local -a options=(--no-defaults "--datadir=$dir/data" --auth-root-authentication-method=normal --skip-test-db
    --skip-name-resolve --innodb-log-file-size=16M --innodb-flush-log-at-trx-commit=0
    --innodb-flush-method=nosync --innodb-doublewrite=0)
  case $1 in
    /usr/bin/* | /usr/sbin/* | /usr/libexec/*) ;;
    *) options+=("--basedir=${1%/*/*}") ;; # else it would look for its programs in /usr
  esac
  if ! output=$(as_server "mysql nobody" "$dir" "$2" "${options[@]}" 2>&1); then
    mariadb_wrong=$(explain mariadb-install-db "$output")
  fi
}

# as_server USERS DIR COMMAND... makes the folder anew and runs the command in it. Servers refuse root:
# if we are root, it runs as the first of the users that exists.
as_server() {
  local users=$1 dir=$2 user
  local -a switch=(env)
  shift 2
  rm -rf "$dir"
  mkdir "$dir"
  if [ "$(id -u)" = 0 ]; then
    for user in $users ''; do
      [ -n "$user" ] || { echo "a server must not run as root, and none of the users $users exists"; return 1; }
      ! id "$user" >/dev/null 2>&1 || break
    done
    chown "$user" "$dir"
    if command -v setpriv >/dev/null; then
      switch=(setpriv "--reuid=$user" "--regid=$(id -g "$user")" --clear-groups env)
    else
      switch=(sudo -u "$user" env)
    fi
  fi
  cd "$dir"
  "${switch[@]}" HOME="$dir" TMPDIR="$dir" LC_ALL=C "$@" </dev/null
}

# explain PROGRAM OUTPUT says why it failed: which program or library is missing, else what it wrote.
explain() {
  local missing
  missing=$(sed -n -e 's/.*FATAL ERROR: Could not find \([^ ]*\).*/\1/p' -e 's/.*program "\([^"]*\)" is needed by.*/\1/p' \
    -e 's/.*error while loading shared libraries: \([^:]*\):.*/\1/p' <<<"$2" | head -n 1)
  if [ -n "$missing" ]; then
    echo "$1 needs ${missing##*/}, which is missing"
  else
    echo "$1 fails:"
    grep -E 'ERROR|error|FATAL' <<<"$2" || tail -n 8 <<<"$2"
  fi
}

# instructions prints what to type on systems where we do not install.
instructions() {
  cat >&2 <<'TEXT'
install-servers: install these servers by hand; none has to be started:
  Debian, Ubuntu   sudo apt-get install postgresql mariadb-server-core mariadb-client-core
  Ubuntu 22.04     sudo apt-get install postgresql mariadb-server-core-10.6 mariadb-client-core-10.6
  Fedora, RHEL     sudo dnf install postgresql-server mariadb-server
  macOS            brew install postgresql@17 mariadb
Where they are in an unusual place, set BINDERY_PG_BIN and BINDERY_MARIADB_BIN to their directories.
TEXT
  exit 1
}

# privileged runs a command as root.
privileged() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  else
    sudo -n "$@"
  fi
}

can_be_root() {
  [ "$(id -u)" = 0 ] || { command -v sudo >/dev/null && sudo -n true 2>/dev/null; }
}

# installable NAME succeeds if apt knows a version of the package to install.
installable() {
  local policy
  policy=$(apt-cache policy "$1" 2>/dev/null)
  [[ $policy == *"Candidate: "[!\(]* ]]
}

# postgres_package prints the newest server package: postgresql-17. The metapackage "postgresql"
# would do, but not tell which version it needs.
postgres_package() {
  local version
  for version in $(apt-cache search --names-only '^postgresql-[0-9]+$' | sed -n 's/^postgresql-\([0-9]*\) .*/\1/p' | sort -rn); do
    if installable "postgresql-$version"; then
      echo "postgresql-$version"
      return
    fi
  done
  return 1
}

# mariadb_packages prints the packages that hold the programs without a service. The client's has
# my_print_defaults, which mariadb-install-db runs.
mariadb_packages() {
  local version # "-10.6" where the names have one
  for version in '' $(apt-cache search --names-only '^mariadb-server-core-[0-9.]+$' | sed 's/^mariadb-server-core\([^ ]*\) .*/\1/' | sort -rV); do
    if installable "mariadb-server-core$version" && installable "mariadb-client-core$version"; then
      printf '%s\n' "mariadb-server-core$version" "mariadb-client-core$version"
      return
    fi
  done
  return 1
}

# missing_packages prints the packages to install.
missing_packages() {
  if [ -n "$postgres_wrong" ]; then postgres_package || return 1; fi
  if [ -n "$mariadb_wrong" ]; then mariadb_packages || return 1; fi
}

# lists_are_old succeeds if apt has no package lists, or has not updated them for a day. The lists
# themselves bear the archive's times; the folders tell when apt was there.
lists_are_old() {
  local lists=/var/lib/apt/lists
  ! compgen -G "$lists/*_Packages*" >/dev/null || [ -z "$(find "$lists" "$lists/partial" -maxdepth 0 -mtime -1 2>/dev/null)" ]
}

update_lists() {
  say "$1: apt-get update"
  privileged apt-get update -q -o DPkg::Lock::Timeout=120 || say "apt-get update has failed: going on with the lists that are there"
}

# Files put in place for the time of the installation only, to be removed or restored after it.
# BINDERY_INSTALL_ROOT is where a test has these files instead.
root=${BINDERY_INSTALL_ROOT:-}
policy=$root/usr/sbin/policy-rc.d
no_cluster=$root/etc/postgresql-common/createcluster.d/99-bindery-tests.conf
held_back=''

# What is put in place, and what was there before, stands on the disk before it is done: also a run that was killed is undone, by
# the next one. The folder is root's, as they are. A file in it says what to do: that the policy was made here, that the other
# file was, which folders were.
state=$root/var/lib/bindery-install-servers
saved_policy=$policy.before-bindery
our_policy=$'#!/bin/sh\nexit 101'

# hold_back keeps the packages from making a cluster and from starting anything.
hold_back() {
  local dir
  held_back=1
  privileged mkdir -p "$state"
  for dir in "$root/etc/postgresql-common" "${no_cluster%/*}"; do
    if [ ! -d "$dir" ]; then
      privileged touch "$state/made-${dir##*/}"
      privileged mkdir "$dir"
    fi
  done
  privileged touch "$state/made-no-cluster"
  printf 'create_main_cluster = false\nstart_conf = manual\n' | privileged tee "$no_cluster" >/dev/null
  if [ -e "$policy" ] || [ -L "$policy" ]; then
    privileged mv "$policy" "$saved_policy"
  fi
  privileged touch "$state/made-policy"
  printf '%s\n' "$our_policy" | privileged tee "$policy" >/dev/null
  privileged chmod 755 "$policy"
}

# give_back undoes hold_back, of this run or of one that was killed, from whatever step it had come to. It may itself be killed, and
# run again.
give_back() {
  local dir
  if [ -e "$policy" ] && [ "$(cat "$policy")" != "$our_policy" ] && [ -n "$(cat "$policy")" ]; then
    [ ! -e "$saved_policy" ] || say "$policy is another one by now: what it was is left in $saved_policy" >&2
  elif [ -e "$saved_policy" ] || [ -L "$saved_policy" ]; then
    privileged mv -f "$saved_policy" "$policy" # in one step, over what was made here
  elif [ -e "$state/made-policy" ]; then
    privileged rm -f "$policy"
  fi
  privileged rm -f "$state/made-policy"
  if [ -e "$state/made-no-cluster" ]; then
    privileged rm -f "$no_cluster" "$state/made-no-cluster"
  fi
  for dir in "${no_cluster%/*}" "$root/etc/postgresql-common"; do
    if [ -e "$state/made-${dir##*/}" ]; then
      privileged rmdir "$dir" 2>/dev/null || true # the packages may have put something there
      privileged rm -f "$state/made-${dir##*/}"
    fi
  done
  privileged rmdir "$state" 2>/dev/null || true
}

# left_over succeeds if a run that was killed has left something to undo.
left_over() { [ -d "$state" ] || [ -e "$saved_policy" ] || [ -L "$saved_policy" ]; }

packages='' # the names of what is installed, one a line

install_with_apt() {
  local -a list
  if [ -z "$dry_run" ] && lists_are_old; then
    update_lists "the package lists are old or empty"
  fi
  if ! packages=$(missing_packages); then
    [ -z "$dry_run" ] || fail "apt knows no package of the missing server: run apt-get update"
    update_lists "the package lists lack the missing server"
    packages=$(missing_packages) || fail "apt knows no package of the missing server"
  fi
  mapfile -t list <<<"$packages"
  if [ -n "$dry_run" ]; then
    echo "apt-get install --yes --no-install-recommends --no-remove ${list[*]}"
    return
  fi
  say "installing ${list[*]}"
  hold_back
  apt_install "${list[@]}" || {
    update_lists "again, with new package lists"
    apt_install "${list[@]}" || fail "the servers could not be installed; to see why: sudo apt-get install ${list[*]}"
  }
}

apt_install() {
  privileged env DEBIAN_FRONTEND=noninteractive \
    apt-get install --yes --quiet --no-install-recommends --no-remove -o DPkg::Lock::Timeout=120 "$@"
}

# report NAME PLACE WRONG says whether a server is there.
report() {
  local name=$1 place=$2 wrong=$3
  if [ -z "$wrong" ]; then
    [ -z "$check" ] || say "$name: $place"
  elif [ -z "$place" ]; then
    say "$name: not found: $wrong"
  else
    say "$name: $place does not work: $wrong"
  fi
}

dry_run='' check=''
case "${1:-}" in
  '') ;;
  --check) check=1 ;;
  --dry-run) dry_run=1 ;;
  *) fail "unknown option $1 (have --check, --dry-run)" ;;
esac

# Another user may not enter root's temporary folder: package integration, too, turns to /tmp then.
work=''
clean_up() {
  [ -z "$held_back" ] || give_back
  [ -z "$work" ] || rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
if [ "$(id -u)" = 0 ]; then
  work=$(mktemp -d /tmp/install-servers-XXXXXX)
  chmod 711 "$work"
else
  work=$(mktemp -d "${TMPDIR:-/tmp}/install-servers-XXXXXX")
fi

# One run at a time: what another one has put in place is no left-over. Its lock is on the folder that holds the state, and ends with
# it and with what it has started, however it ends.
if [ -z "$check$dry_run" ] && [ -d "${state%/*}" ] && command -v flock >/dev/null; then
  exec 9<"${state%/*}"
  if ! flock -n 9; then
    say "another run is under way: waiting for its end, half an hour at most"
    flock -w 1800 9 || fail "another run does not end"
  fi
fi

if [ -z "$check$dry_run" ] && left_over && can_be_root; then
  say "a run before this one was killed: putting back what it had moved"
  give_back
fi

look
report PostgreSQL "$postgres" "$postgres_wrong"
report MariaDB "$mariadb" "$mariadb_wrong"
if [ -z "$postgres_wrong$mariadb_wrong" ]; then
  exit 0
fi
if [ -n "$check" ]; then
  say "make deps installs what is missing"
  exit 1
fi

command -v apt-get >/dev/null || instructions
if [ -z "$dry_run" ] && ! can_be_root; then
  say "not root, and sudo asks for a password or is missing"
  instructions
fi
install_with_apt
if [ -z "$dry_run" ]; then
  look
  report PostgreSQL "$postgres" "$postgres_wrong" >&2
  report MariaDB "$mariadb" "$mariadb_wrong" >&2
  cure="to mend it: sudo apt-get install --reinstall ${packages//$'\n'/ }"
  [ -z "$postgres_wrong" ] || fail "PostgreSQL is installed but does not work (is BINDERY_PG_BIN right?); $cure"
  [ -z "$mariadb_wrong" ] || fail "MariaDB is installed but does not work (is BINDERY_MARIADB_BIN right?); $cure"
  say "done"
fi
