#!/usr/bin/env bash
# How fast is the view, beside a plain directory, kernel overlayfs and fuse-overlayfs? One table.
#
#   test/bench/mount.sh [mount_table.py's options]        as root
#
# Builds the preset release and the bench programs, installs what the workloads call, gets the source of zlib for the workload `build`, and runs test/bench/mount_table.py.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. packaging/debian_source.sh
packaging/setup.sh
DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends git fuse-overlayfs make gcc dpkg-dev debian-archive-keyring >/dev/null
cmake --workflow --preset release >/dev/null
cmake --build build/release --target bench_file_calls bench_memory_filesystem >/dev/null
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
debian_source "$(. /etc/os-release && echo "$VERSION_CODENAME")" zlib 0 "$work" >/dev/null
tar -C "$work" -czf "$work/zlib.tar.gz" source
python3 test/bench/mount_table.py build/release/satchel build/release/bench/file_calls --memory build/release/bench/memory_filesystem --source "$work/zlib.tar.gz" "$@"
