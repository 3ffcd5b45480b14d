#!/usr/bin/env bash
# Installs the PostgreSQL and MariaDB servers that the integration tests start, where they are
# missing: on Debian and Ubuntu through apt, as root or with sudo. Elsewhere it says what to install.
#
# It installs programs only. No service is created or started, no database cluster is made, and
# none that exists is touched.
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

# find_mariadb prints the path of mariadbd if mariadb-install-db is there, too.
find_mariadb() {
  local name dir found server=
  for name in mariadbd mariadb-install-db; do
    found=
    while IFS= read -r dir; do
      if program "$dir/$name"; then
        found=$dir/$name
        break
      fi
    done < <(search BINDERY_MARIADB_BIN "$mariadb_places")
    [ -n "$found" ] || return 1
    server=${server:-$found}
  done
  echo "$server"
}

# instructions prints what to type on systems where we do not install.
instructions() {
  cat >&2 <<'TEXT'
install-servers: install these servers by hand; none has to be started:
  Debian, Ubuntu   sudo apt-get install postgresql mariadb-server-core   (Ubuntu 22.04: mariadb-server-core-10.6)
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

# mariadb_package prints the package that holds the programs without a service.
mariadb_package() {
  local name
  for name in mariadb-server-core $(apt-cache search --names-only '^mariadb-server-core-[0-9.]+$' | sed 's/ .*//' | sort -rV); do
    if installable "$name"; then
      echo "$name"
      return
    fi
  done
  return 1
}

# missing_packages prints the packages to install.
missing_packages() {
  if [ -z "$postgres" ]; then postgres_package || return 1; fi
  if [ -z "$mariadb" ]; then mariadb_package || return 1; fi
}

# Files put in place for the time of the installation only, to be removed or restored after it.
policy=/usr/sbin/policy-rc.d
no_cluster=/etc/postgresql-common/createcluster.d/99-bindery-tests.conf
made_policy= saved_policy= made_no_cluster=
made_dirs=()

# hold_back keeps the packages from making a cluster and from starting anything.
hold_back() {
  local dir
  trap 'give_back' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  for dir in /etc/postgresql-common "${no_cluster%/*}"; do
    if [ ! -d "$dir" ]; then
      privileged mkdir "$dir"
      made_dirs=("$dir" "${made_dirs[@]}")
    fi
  done
  made_no_cluster=1
  printf 'create_main_cluster = false\nstart_conf = manual\n' | privileged tee "$no_cluster" >/dev/null
  if [ -e "$policy" ] || [ -L "$policy" ]; then
    privileged mv "$policy" "$policy.before-bindery"
    saved_policy=1
  fi
  made_policy=1
  printf '#!/bin/sh\nexit 101\n' | privileged tee "$policy" >/dev/null
  privileged chmod 755 "$policy"
}

give_back() {
  local dir
  [ -z "$made_policy" ] || privileged rm -f "$policy"
  [ -z "$saved_policy" ] || privileged mv "$policy.before-bindery" "$policy"
  [ -z "$made_no_cluster" ] || privileged rm -f "$no_cluster"
  for dir in "${made_dirs[@]}"; do
    privileged rmdir "$dir" 2>/dev/null || true # the packages may have put something there
  done
}

install_with_apt() {
  local packages
  local -a list
  if ! packages=$(missing_packages); then
    [ -z "$dry_run" ] || fail "apt knows no package of the missing server: run apt-get update"
    say "the package lists are old or empty: apt-get update"
    privileged apt-get update -q
    packages=$(missing_packages) || fail "apt knows no package of the missing server"
  fi
  mapfile -t list <<<"$packages"
  if [ -n "$dry_run" ]; then
    echo "apt-get install --yes --no-install-recommends ${list[*]}"
    return
  fi
  say "installing ${list[*]}"
  hold_back
  apt_install "${list[@]}" || {
    say "again, after apt-get update"
    privileged apt-get update -q
    apt_install "${list[@]}"
  }
}

apt_install() {
  privileged env DEBIAN_FRONTEND=noninteractive \
    apt-get install --yes --quiet --no-install-recommends -o DPkg::Lock::Timeout=120 "$@"
}

dry_run= check=
case "${1:-}" in
  '') ;;
  --check) check=1 ;;
  --dry-run) dry_run=1 ;;
  *) fail "unknown option $1 (have --check, --dry-run)" ;;
esac

postgres=$(find_postgres || true)
mariadb=$(find_mariadb || true)
if [ -n "$check" ]; then
  say "PostgreSQL: ${postgres:-not found}"
  say "MariaDB: ${mariadb:-not found}"
fi
if [ -n "$postgres" ] && [ -n "$mariadb" ]; then
  exit 0
fi
[ -z "$check" ] || exit 1

[ -n "$postgres" ] || say "no PostgreSQL server found"
[ -n "$mariadb" ] || say "no MariaDB server found"
command -v apt-get >/dev/null || instructions
if [ -z "$dry_run" ] && ! can_be_root; then
  say "not root, and sudo asks for a password"
  instructions
fi
install_with_apt
if [ -z "$dry_run" ]; then
  find_postgres >/dev/null || fail "PostgreSQL is installed but was not found (is BINDERY_PG_BIN right?)"
  find_mariadb >/dev/null || fail "MariaDB is installed but was not found (is BINDERY_MARIADB_BIN right?)"
  say "done"
fi
