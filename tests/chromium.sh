#!/bin/sh
# Print where Chromium is, which the tests of pages need; where there is none, install it first (Debian, Ubuntu).
where() { command -v chromium || command -v chromium-browser || command -v google-chrome; }
where && exit
root=
[ "$(id -u)" -eq 0 ] || root="sudo -n"
{ $root apt-get update -qq && $root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium; } >&2 || exit 1
where
