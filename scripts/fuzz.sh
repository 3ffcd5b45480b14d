#!/usr/bin/env bash
# Runs every fuzz target of the module for a while: go test fuzzes one at a time.
#   scripts/fuzz.sh 10s
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-10s}
go=${GO:-go}

found=0
for package in $("$go" list ./...); do
  dir=$("$go" list -f '{{.Dir}}' "$package")
  targets=$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$dir"/*_test.go 2>/dev/null || true)
  for target in $targets; do
    found=1
    "$go" test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$package"
  done
done
if [ "$found" = 0 ]; then
  echo "fuzz.sh: no fuzz target found" >&2
  exit 1
fi
