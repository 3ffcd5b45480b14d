#!/usr/bin/env bash
# Runs the tests that need no server as a 32-bit program. Where the kernel runs no such programs it says so, and runs nothing.
#
#   scripts/test32.sh [flag of go test ...]
set -euo pipefail
cd "$(dirname "$0")/.."
go=${GO:-go}
export CGO_ENABLED=0 BINDERY_TEST_ON=sqlite

if [ "$($go env GOHOSTOS)/$($go env GOHOSTARCH)" != linux/amd64 ]; then
  echo "32-bit tests: NOT RUN: only Linux on amd64 runs them"
  exit 0
fi
probe=$(mktemp)
trap 'rm -f "$probe"' EXIT
GOARCH=386 $go test -c -o "$probe" ./internal/ctxend
if ! why=$("$probe" -test.run '^$' 2>&1); then
  echo "32-bit tests: NOT RUN: this machine runs no 32-bit programs (${why##*: })"
  exit 0
fi
set -x
GOARCH=386 $go test -shuffle=on "$@" ./binds ./router/... ./manager ./models/...
