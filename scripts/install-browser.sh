#!/usr/bin/env bash
# Installs the browser in which `make page` looks at the status page, where none is found: Chromium, on Debian and Ubuntu through apt, as root or with sudo.
set -euo pipefail

for name in chromium chromium-browser google-chrome; do
  if command -v "$name" >/dev/null; then
    exit
  fi
done
if ! command -v apt-get >/dev/null; then
  echo "install-browser: install Chromium, so that chromium is found in PATH" >&2
  exit 1
fi
sudo=
if [ "$(id -u)" != 0 ]; then
  sudo=sudo
fi
$sudo apt-get update -q
$sudo apt-get install -y -q --no-install-recommends chromium
