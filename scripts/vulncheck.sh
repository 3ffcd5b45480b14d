#!/usr/bin/env bash
# Looks for known vulnerabilities that the code of a module, its tests included, calls: govulncheck, for each module given.
#
#   scripts/vulncheck.sh . bench integration/river
#
# Where the vulnerability database (GOVULNDB, else https://vuln.go.dev) cannot be reached it says so, and succeeds: whoever works without a
# network is not stopped. Whatever is found makes it fail, and so does any other error. It takes VULNTIME (300) seconds at most;
# what was not looked at by then it says, too.
set -euo pipefail
cd "$(dirname "$0")/.."
go=${GO:-go}
db=${GOVULNDB:-https://vuln.go.dev}
deadline=$((SECONDS + ${VULNTIME:-300}))

not_run() {
  echo "govulncheck: NOT RUN on $1: $2"
  exit 0
}

if [[ $db == http* ]] && command -v curl >/dev/null; then # before minutes of building and reading
  curl -fsS -m 15 -o /dev/null "${db%/}/index/modules.json.gz" 2>/dev/null || not_run "$*" "$db cannot be reached"
fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$go" build -modfile=tools/go.mod -o "$folder/govulncheck" golang.org/x/vuln/cmd/govulncheck

while (($#)); do
  "$folder/govulncheck" -C "$1" -test -db "$db" ./... >"$folder/out" 2>&1 &
  running=$!
  while kill -0 "$running" 2>/dev/null; do
    if ((SECONDS >= deadline)); then
      kill "$running" 2>/dev/null || true
      not_run "$*" "no answer within ${VULNTIME:-300} seconds"
    fi
    sleep 1
  done
  code=0
  wait "$running" || code=$?
  if ((code != 0)) && grep -q '^govulncheck: fetching vulnerabilities: ' "$folder/out"; then
    not_run "$*" "$(sed -n 's/^govulncheck: fetching vulnerabilities: //p' "$folder/out")"
  fi
  echo "govulncheck $1:"
  cat "$folder/out"
  ((code == 0)) || exit "$code"
  shift
done
