#!/usr/bin/env bash
# A Debian 12 minbase tree, from the mirror that this machine's apt takes Debian from. Made once and kept; prints its path.
# Nobody may change it: it is the golden tree of the quick start and of tests.
#
#   packaging/debian_tree.sh
set -euo pipefail

cache=/var/cache/satchel-quickstart
fail() { printf 'debian_tree: %s\n' "$*" >&2; exit 1; }

[ "$(id -u)" = 0 ] || fail 'run it as root: the tree holds files of several owners'
mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9  # two at once would both make it
if [ ! -e "$cache/debian12.complete" ]; then
  command -v mmdebstrap >/dev/null || fail 'mmdebstrap is missing: apt-get install mmdebstrap'
  mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' | awk '$2=="bookworm"{print $1; exit}')
  [ -n "$mirror" ] || mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | head -1)
  [ -n "$mirror" ] || fail 'apt has no package lists: run apt-get update'
  rm -rf "$cache/debian12"
  mmdebstrap --quiet --variant=minbase --include=ca-certificates bookworm "$cache/debian12" "deb $mirror bookworm main" >&2
  touch "$cache/debian12.complete"
fi
printf '%s\n' "$cache/debian12"
