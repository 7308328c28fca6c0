#!/usr/bin/env bash
# Makes a Debian 12 or newer machine ready to build and test Satchel: packages from the machine's own
# mirror, and a libfuse that knows passthrough. Run as root, any number of times; once all is there it
# needs no network and changes nothing.
#
#   packaging/setup.sh [--full]     --full: also what the tests labelled `full` run
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
deps=$root/build/deps
. "$root/packaging/debian_source.sh"

build_packages=(
  cmake ninja-build g++ ccache pkgconf python3
  librocksdb-dev libssl-dev libboost-filesystem-dev libcli11-dev doctest-dev libzstd-dev
  libspdlog-dev libfmt-dev libexpected-dev nlohmann-json3-dev libarchive-dev
)
# Tests look at a mount through these, and the man pages are made by scdoc.
test_packages=(fuse3 acl attr e2fsprogs git gnupg openssh-client rsync scdoc strace)
full_test_packages=(dbench fio libnfs-utils mmdebstrap nfs-ganesha nfs-ganesha-vfs stress-ng)
# Without the headers of liburing and libnuma, libfuse silently leaves its io_uring transport out.
libfuse_build_packages=(
  build-essential dpkg-dev debian-archive-keyring meson ninja-build liburing-dev libnuma-dev
)
readonly libfuse_min=3.17        # passthrough
readonly libfuse_uring_min=3.18.3  # the io_uring transport, with its use-after-free fixes

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

# Prints nothing for a package that is not installed.
installed_version() {
  { dpkg-query -W -f '${db:Status-Status} ${Version}\n' "$1" 2>/dev/null || true; } |
    sed -n 's/^installed //p'
}
at_least() { dpkg --compare-versions "$1" ge "$2"; }

lists_are_fresh=no
refresh_lists() {
  [ "$lists_are_fresh" = yes ] && return
  say "apt-get update"
  apt-get update -qq
  lists_are_fresh=yes
}

install_missing() {
  local missing=() package
  for package in "$@"; do
    [ -n "$(installed_version "$package")" ] || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return
  refresh_lists
  say "apt-get install ${missing[*]}"
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
}

build_libfuse() {
  install_missing "${libfuse_build_packages[@]}"
  refresh_lists
  local work version
  work=$(mktemp -d)
  trap "rm -rf '$work'" EXIT
  if version=$(debian_source sid fuse3 "$libfuse_uring_min" "$work/sid"); then
    cd "$work/sid/source"
  elif version=$(debian_source trixie fuse3 "$libfuse_min" "$work/trixie"); then
    cd "$work/trixie/source"
  else
    fail "found no libfuse $libfuse_min or newer: is the mirror reachable?"
  fi
  say "building libfuse $version into build/deps"
  # No utils: a fusermount3 without the setuid bit in this prefix would break mounts by users.
  meson setup build --prefix="$deps" --libdir=lib --buildtype=release --sysconfdir=/etc \
    -Dexamples=false -Dtests=false -Dutils=false -Duseroot=false -Dudevrulesdir= -Dinitscriptdir= \
    > "$work/build.log" 2>&1 || { cat "$work/build.log" >&2; fail "libfuse does not configure"; }
  if at_least "$version" "$libfuse_uring_min"; then
    grep -q '^#define HAVE_URING' build/fuse_config.h || fail "libfuse was configured without io_uring"
  else
    say "this libfuse has no io_uring transport: metadata operations will be slower"
  fi
  ninja -C build install > "$work/build.log" 2>&1 || { cat "$work/build.log" >&2; fail "libfuse does not build"; }
  printf '%s\n' "$version" > "$deps/libfuse-version"
  cd "$root"
}

provide_libfuse() {
  local version
  version=$(installed_version libfuse3-dev)
  if [ -n "$version" ] && at_least "$version" "$libfuse_min"; then
    say "libfuse: the system's $version"
    return
  fi
  if [ -s "$deps/libfuse-version" ] && [ -e "$deps/lib/pkgconfig/fuse3.pc" ]; then
    say "libfuse: $(cat "$deps/libfuse-version") in build/deps"
    return
  fi
  refresh_lists
  version=$(apt-cache policy libfuse3-dev | sed -n 's/^ *Candidate: //p')
  if [ -n "$version" ] && [ "$version" != "(none)" ] && at_least "$version" "$libfuse_min"; then
    install_missing libfuse3-dev
    say "libfuse: the system's $version"
    return
  fi
  build_libfuse
  say "libfuse: $(cat "$deps/libfuse-version") in build/deps"
}

case "${1-}" in
  '') ;;
  --full) test_packages+=("${full_test_packages[@]}") ;;
  *) fail "usage: packaging/setup.sh [--full]" ;;
esac
[ "$(id -u)" -eq 0 ] || fail "run this as root: it installs packages"
command -v apt-get > /dev/null || fail "this is for Debian 12 and newer"
mkdir -p "$deps"
exec 9> "$root/build/setup.lock"
flock 9  # two at once would both build libfuse
install_missing "${build_packages[@]}" "${test_packages[@]}"
provide_libfuse
say "ready"
