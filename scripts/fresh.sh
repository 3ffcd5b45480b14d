#!/usr/bin/env bash
# Plays what a new user does: a fresh clone on a bare Debian 12, make demo, make test. Once as root, and
# once more, from the bare system again, as a user who has sudo.
#
# The bare system is what debootstrap calls minbase, with git, make, gcc and ca-certificates. It lives in
# a chroot; Go is this machine's, mounted read-only; the clone is of the commit that is checked out here.
# The plays run in namespaces of their own: their mounts and processes end with them, however they end.
# They use the network of the machine.
#
#   scripts/fresh.sh                    as root, on Linux with debootstrap
#
#   FRESH_USERS="root user"             who plays
#   FRESH_TARGETS="demo test"           which targets of make
#   FRESH_CACHE=DIR                     where the bare system is kept for a week, and the plays live;
#                                       else bindery/fresh in root's cache. A play needs some 5 GB.
#   TIMEOUT=30m                         how long the tests of a package may take, as for make test
#   QUICK=1m                            how long the quick part of the matrix may start suites, as for make test
#   FRESH_MIRROR=URL                    Debian's archive; else the one that this machine's apt has
#
# It takes over what this machine needs to reach the archive and Go's modules: apt's settings for that, the
# proxies in the environment, certificates, and Go's. Modules that this machine has are not fetched again.
set -euo pipefail
cd "$(dirname "$0")/.."

release=bookworm
packages='git make gcc ca-certificates'
read -ra users <<<"${FRESH_USERS:-root user}"
read -ra targets <<<"${FRESH_TARGETS:-demo test}"
cache=${FRESH_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/bindery/fresh}
root=$cache/play # the chroot
results=$cache/results
go=${GO:-go}

say() { printf 'fresh: %s\n' "$*"; }
fail() { say "$@" >&2; exit 1; }

# archives prints what this machine's apt knows of the release: addresses and suites.
archives() {
  [ -z "${FRESH_MIRROR:-}" ] || { echo "${FRESH_MIRROR%/} $release"; return; }
  # shellcheck disable=SC2016 # apt expands them
  apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
    awk -v release="^$release" '$1 ~ /\/debian(-security)?\/?$/ && $2 ~ release && $3 == "main" { sub("/$", "", $1); print $1, $2 }' |
    sort -u
}

sources() { awk '{ print "deb", $1, $2, "main" }' <<<"$archives"; }

mirror() { awk -v release="$release" '$2 == release { print $1; exit }' <<<"$archives"; }

# apt_settings prints those of this machine's apt that say how to reach an archive and what to believe of it.
apt_settings() {
  apt-config dump | grep -E '^Acquire::(https?::(Proxy|CaInfo|Verify|No-Cache|Pipeline|Timeout)|Check-|Retries|Force|Allow)' |
    grep -v 'Auto-Detect' || true # a program of this machine
}

# adapt gives the chroot what the network demands here.
adapt() {
  local file bundle=${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}
  for file in /etc/resolv.conf /etc/hosts; do
    [ ! -f "$file" ] || cp -L --remove-destination "$file" "$root$file"
  done
  while IFS= read -r file; do
    [ ! -f "$file" ] || install -D -m 644 "$file" "$root$file"
  done < <(apt_settings | sed -n 's/.*::CaInfo "\(.*\)";$/\1/p')
  if [ -f "$bundle" ]; then
    install -D -m 644 "$bundle" "$root/etc/ssl/certs/ca-certificates.crt"
  fi
}

# proxies prints the settings of the environment, as "name=value".
proxies() { env | grep -iE '^(http|https|ftp|all|no)_proxy=' || true; }

# inside runs a command in the chroot, as root. The descriptor 9 is our lock.
inside() {
  local -a settings
  mapfile -t settings < <(proxies)
  chroot "$root" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
    DEBIAN_FRONTEND=noninteractive "${settings[@]}" "$@" 9>&-
}

mount_system() {
  mount -t proc proc "$root/proc"
  mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts "$root/dev/pts"
  mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$root/dev/shm"
}

# make_base makes the archive of the bare system.
make_base() {
  say "making a bare $release: debootstrap, then $packages"
  debootstrap --variant=minbase --include=ca-certificates "$release" "$root" "$(mirror)" 9>&- >"$cache/debootstrap.log" ||
    { tail "$cache/debootstrap.log"; fail "debootstrap has failed; all it wrote is in $cache/debootstrap.log"; }
  adapt
  sources >"$root/etc/apt/sources.list"
  apt_settings >"$root/etc/apt/apt.conf.d/99machine"
  mount_system
  inside apt-get update -qq
  # shellcheck disable=SC2086 # a list
  inside apt-get install --yes -qq $packages >"$cache/packages.log" 2>&1 || { tail "$cache/packages.log"; fail "$packages cannot be installed"; }
  inside apt-get clean
  rm -rf "$root"/var/lib/apt/lists/*
  tar -C "$root" --numeric-owner --one-file-system -cf "$base.new" .
  mv "$base.new" "$base"
}

# go_settings prints Go's settings that say where modules come from and what to believe of them.
go_settings() {
  local name value
  for name in GOPROXY GOSUMDB GONOSUMDB GONOPROXY GOPRIVATE GOINSECURE; do
    value=$("$go" env "$name")
    if [ "$name" = GOPROXY ] && [ -d "$root/opt/modules" ]; then
      value=file:///opt/modules,$value
    fi
    [ -z "$value" ] || echo "$name=$value"
  done
  echo GOTOOLCHAIN=local
}

mount_read_only() {
  mkdir -p "$2"
  mount --bind "$1" "$2"
  mount -o remount,bind,ro "$2"
}

# as_player runs a command in the chroot as the play's user, in the user's home.
as_player() {
  local -a settings
  mapfile -t settings < <(proxies; go_settings)
  chroot --userspec="$user:$user" "$root" env -i --chdir="$home" HOME="$home" USER="$user" PATH="$path" ${TIMEOUT:+"TIMEOUT=$TIMEOUT"} ${QUICK:+"QUICK=$QUICK"} "${settings[@]}" "$@" 9>&-
}

# play lets a user do everything, from the bare system on.
play() {
  local target modules start end result
  user=$1 home=/root path=/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
  mkdir "$root"
  tar -C "$root" --numeric-owner -xpf "$base"
  { : >"$root/dev/null"; } 2>/dev/null || fail "no device works in $cache: its file system is mounted with nodev; set FRESH_CACHE"
  mount_system
  adapt
  if [ "$user" != root ]; then
    home=/home/$user path=/usr/local/go/bin:/usr/local/bin:/usr/bin:/bin
    inside useradd --create-home --shell /bin/bash "$user"
    inside apt-get update -qq
    inside apt-get install --yes -qq --no-install-recommends sudo >"$cache/packages.log" 2>&1 || { tail "$cache/packages.log"; fail "sudo cannot be installed"; }
    inside apt-get clean
    {
      echo "$user ALL=(ALL:ALL) NOPASSWD: ALL"
      echo 'Defaults env_keep += "http_proxy https_proxy ftp_proxy all_proxy no_proxy HTTP_PROXY HTTPS_PROXY FTP_PROXY ALL_PROXY NO_PROXY"'
    } >"$root/etc/sudoers.d/$user"
    # root finds no package lists, the user old ones.
    inside touch -d '3 days ago' /var/lib/apt/lists /var/lib/apt/lists/partial
  fi
  mount_read_only "$("$go" env GOROOT)" "$root/usr/local/go"
  modules=$("$go" env GOMODCACHE)/cache/download
  if [ -d "$modules" ]; then
    mount_read_only "$modules" "$root/opt/modules"
  fi
  cp "$cache/commit.bundle" "$root/opt/commit.bundle"
  as_player git -c advice.detachedHead=false clone --quiet /opt/commit.bundle bindery
  for target in "${targets[@]}"; do
    say "$user: make $target"
    start=$(date +%s)
    result=passed
    as_player make -C bindery "$target" </dev/null 2>&1 | tee "$cache/$user-$target.log" || result=FAILED
    end=$(date +%s)
    note "make $target" "$result" "$((end - start)) s"
  done
  result=passed
  left_behind >"$cache/$user-left.log" || result=FAILED
  cat "$cache/$user-left.log"
  note 'leaves nothing' "$result" ''
}

note() { printf '%-6s %-16s %-8s %8s\n' "$user" "$@" >>"$results"; }

# left_behind fails if it finds what make must not leave: processes, clusters, files of the installation or
# of servers.
left_behind() {
  local path process found=''
  for path in "$root"/etc/postgresql/*/* "$root"/var/lib/postgresql/*/* "$root"/var/lib/mysql/* "$root/usr/sbin/policy-rc.d" \
    "$root"/etc/postgresql-common/createcluster.d/*bindery* "$root"/tmp/bindery-* "$root"/tmp/install-servers-*; do
    if [ -e "$path" ] || [ -L "$path" ]; then
      say "$user: left behind: ${path#"$root"}"
      found=1
    fi
  done
  for process in "$root"/proc/[0-9]*; do
    if [ "$(readlink "$process/root")" = "$root" ]; then
      say "$user: still runs: $(tr '\0' ' ' <"$process/cmdline")"
      found=1
    fi
  done
  [ -z "$found" ]
}

for program in "$go" git; do
  command -v "$program" >/dev/null || fail "$program is not in PATH (with sudo: sudo env PATH=\"\$PATH\" make fresh)"
done
[ "$(uname -s)" = Linux ] || fail "it needs Linux: the plays are in a chroot"
[ "$(id -u)" = 0 ] || fail "only root can make a chroot: sudo env PATH=\"\$PATH\" make fresh"
for program in debootstrap:debootstrap apt-get:apt unshare:util-linux setpriv:util-linux flock:util-linux; do
  command -v "${program%:*}" >/dev/null || fail "${program%:*} is missing: apt-get install ${program#*:}"
done
[[ $cache == /* ]] || fail "FRESH_CACHE must be an absolute path"

archives=$(archives)
[ -n "$(mirror)" ] || fail "this machine's apt knows no archive of Debian's $release: run apt-get update, or set FRESH_MIRROR to an archive's address"
# What it is made of is in its name: other settings make another one.
base=$cache/base-$({ sources; apt_settings; echo "$packages"; uname -m; } | sha256sum | cut -c1-12).tar

case ${1:-} in # we call ourselves, see apart
  '') ;;
  --base) make_base; exit ;;
  --play) play "$2"; exit ;;
  *) fail "unknown option $1 (settings are in the environment: see the head of the script)" ;;
esac

# apart runs this script in namespaces of its own. All that is in them ends when the script there does, and
# that one ends when we do.
apart() {
  set -m # in a process group of its own: an interrupt reaches us alone
  setpriv --pdeathsig KILL unshare --mount --pid --ipc --fork --kill-child bash "$PWD/scripts/fresh.sh" "$@" </dev/null &
  child=$!
  set +m
  local status=0
  wait "$child" || status=$?
  child=''
  return "$status"
}

child=''

# shellcheck disable=SC2317 # the trap calls it
end() {
  local first
  trap '' INT TERM
  if [ -n "$child" ]; then
    # The first process in there takes all others with it, and is gone when they are.
    read -r first <"/proc/$child/task/$child/children" || true
    kill -KILL "${first:-$child}" 2>/dev/null || true
    wait "$child" 2>/dev/null || true
  fi
  rm -rf --one-file-system "$root" "$cache/commit.bundle" "$base.new"
}

mkdir -p "$cache"
chmod 700 "$cache"
exec 9>"$cache/lock"
flock --nonblock 9 || fail "another one runs: its plays are in $cache"
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
rm -rf --one-file-system "$root" # of a run that was killed

[ -z "$(git status --porcelain)" ] || say "there are changes that are not committed: the plays do not have them"
git bundle create --quiet "$cache/commit.bundle" HEAD

if [ -z "$(find "$base" -mtime -7 2>/dev/null)" ]; then
  rm -f "$cache"/base-*.tar
  apart --base
  rm -rf --one-file-system "$root"
fi

: >"$results"
status=0
for user in "${users[@]}"; do
  apart --play "$user" || note 'the play' FAILED ''
  rm -rf --one-file-system "$root"
done

say "$(git log -1 --format='%h of %cs') on a bare Debian $release:"
cat "$results"
if grep -q FAILED "$results"; then
  status=1
  say "what they wrote is in $cache"
fi
exit "$status"
