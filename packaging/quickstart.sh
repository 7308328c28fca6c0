#!/usr/bin/env bash
# Satchel's main job on a real Debian tree, from nothing: build, import, compose, mount, work, sync, go on elsewhere.
#
#   sudo packaging/quickstart.sh [--keep] [--plant-difference]
#
# Needs Debian 12 or newer, root, /dev/fuse and a Debian mirror as apt is set up to use it. The Debian tree is made once
# and kept under /var/cache/satchel-quickstart. --keep leaves mounts and stores for a look; --plant-difference changes one byte
# on one side before the verdict, which must then fail. Stops at the first failed step and says why.
set -Eeuo pipefail

here=$(cd "$(dirname "$0")/.." && pwd)
cache=/var/cache/satchel-quickstart
keep=0 plant=0
for argument in "$@"; do
  case $argument in
    --keep) keep=1 ;;
    --plant-difference) plant=1 ;;
    *) sed -n '2,8p' "$0"; exit 2 ;;
  esac
done

step='starting'
say() { step=$*; printf '\n== %s\n' "$*"; }
run() { printf '$ %s\n' "$*"; "$@"; }
fail() { printf '\nquickstart: FAILED at: %s\n%s\n' "$step" "${1:-}" >&2; exit 1; }
trap 'fail "line $LINENO: $BASH_COMMAND (exit $?)"' ERR

[ "$(id -u)" = 0 ] || fail 'run it as root: it makes mounts and a chroot'
[ -c /dev/fuse ] || fail '/dev/fuse is missing: load the fuse module first'

say 'Install what the build needs, and build'
"$here/packaging/setup.sh"
packages=''
for package in mmdebstrap rsync attr jq; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || packages="$packages $package"
done
# shellcheck disable=SC2086 # a list of words
[ -z "$packages" ] || DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $packages
(cd "$here" && cmake --workflow --preset release >"/tmp/satchel-quickstart-build.$$.log" 2>&1) ||
  { tail -30 "/tmp/satchel-quickstart-build.$$.log"; fail 'the build failed'; }
rm -f "/tmp/satchel-quickstart-build.$$.log"
satchel=$here/build/release/satchel
run "$satchel" --version

work=$(mktemp -d /var/tmp/satchel-quickstart.XXXXXX)
repo=$work/repo store1=$work/device1 store2=$work/device2 view1=$work/view1 view2=$work/view2
mkdir "$view1" "$view2"

clean_up() {
  [ "$keep" = 0 ] || { printf '\nkept: %s\n' "$work"; return; }
  for view in "$view1" "$view2"; do
    umount "$view/proc" 2>/dev/null || true
    mountpoint -q "$view" && { "$satchel" umount "$view" >/dev/null 2>&1 || umount -l "$view" 2>/dev/null || true; }
  done
  umount "$work/merged/proc" "$work/merged" 2>/dev/null || true
  umount "$work/overlay" 2>/dev/null || true
  mountpoint -q "$view1" || mountpoint -q "$view2" || mountpoint -q "$work/merged" || rm -rf "$work"
}
trap clean_up EXIT

say 'A real Debian tree (made once), and a package set really installed on top of it'
run "$here/packaging/debian_tree.sh"

# Runs apt in a root directory, services kept from starting.
apt_in() {
  local root=$1 status=0
  shift
  mount -t proc proc "$root/proc"
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
  chmod 755 "$root/usr/sbin/policy-rc.d"
  chroot "$root" env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    apt-get -y -q -o Dpkg::Use-Pty=0 --no-install-recommends "$@" >"$work/apt.log" 2>&1 || status=$?
  rm -f "$root/usr/sbin/policy-rc.d"
  umount "$root/proc"
  [ "$status" = 0 ] || { tail -20 "$work/apt.log"; fail "apt-get $* in $root"; }
}
network_into() {  # the machine's own name resolution, as a chroot needs it
  cp -L /etc/resolv.conf "$1/etc/resolv.conf" 2>/dev/null || true
  cp /etc/hosts "$1/etc/hosts" 2>/dev/null || true
  mkdir -p "$1/etc/apt/apt.conf.d"
  apt-config dump | grep -E '^Acquire::(http|https)::Proxy ' >"$1/etc/apt/apt.conf.d/99quickstart-proxy" || true
}
if [ ! -e "$cache/office.complete" ]; then
  rm -rf "$cache/office"
  # overlayfs wants an upper of its own filesystem type that is not an overlay itself: a tmpfs is always right
  mkdir -p "$work/overlay" "$work/merged"
  mount -t tmpfs tmpfs "$work/overlay"
  mkdir "$work/overlay/upper" "$work/overlay/work"
  mount -t overlay overlay -o "lowerdir=$cache/debian12,upperdir=$work/overlay/upper,workdir=$work/overlay/work" "$work/merged"
  network_into "$work/merged"
  apt_in "$work/merged" update
  apt_in "$work/merged" install less nano sqlite3
  rsync -aHAX --compare-dest="$cache/debian12/" --prune-empty-dirs --exclude=/proc/ --exclude=/sys/ --exclude=/tmp/ --exclude=/var/lib/apt/lists/ \
    --exclude=/var/cache/ --exclude=/var/log/ --exclude=/etc/resolv.conf --exclude=/etc/hosts --exclude=/etc/apt/apt.conf.d/99quickstart-proxy \
    "$work/merged/" "$cache/office/"
  umount "$work/merged" "$work/overlay"
  touch "$cache/office.complete"
fi
run du -sh --apparent-size "$cache/debian12" "$cache/office"

say 'A repository with the two layers, an image of them, and a workspace for ada'
run "$satchel" init "$repo"
run "$satchel" import "$repo" os/debian12 --from "$cache/debian12"
run "$satchel" import "$repo" group/office --from "$cache/office"
run "$satchel" image create "$repo" lab --layer os/debian12@1 --layer group/office@1
run "$satchel" workspace create "$repo" ada --image lab@1

# What stays on a device or belongs to one machine, says the program itself.
differs_rightly() {
  case $("$satchel" --json explain "$1" | jq -r .data.action) in
    sync | image | deny) return 1 ;;
    machine | local | discard) return 0 ;;
    *) fail "explain says nothing of $1" ;;
  esac
}
# Same files, types, modes, owners, times, ACLs, xattrs, hard links and bytes, by rsync; only what travels. $2 is a view.
same() {
  local listing path what differences=''
  listing=$(rsync -naHAXc --delete --out-format='%i %n' "${@:3}" "$1/" "$2/") || fail "rsync could not compare $1 with $2"
  while read -r what path; do
    [ -n "$path" ] || continue
    differs_rightly "$2/${path#./}" || differences+="$what $path"$'\n'
  done <<<"$listing"
  [ -z "$differences" ] || { printf '%s' "$differences" | head -20; return 1; }
}

say 'Device 1: mount the workspace and look'
run env SATCHEL_DEVICE=desk SATCHEL_MACHINE_ID=desk "$satchel" mount --repo "$repo" --store "$store1" ada "$view1"
run findmnt -n -o FSTYPE,SOURCE "$view1"
printf 'verdict: the view is the Debian tree with the package set on it: '
mkdir -p "$work/expected"
cp -a "$cache/debian12/." "$work/expected/"
rsync -aHAX --omit-dir-times "$cache/office/" "$work/expected/"
same "$work/expected" "$view1" --omit-dir-times || fail 'the composed view differs from the trees it was made of'
echo equal
rm -rf "$work/expected"

say 'Programs run from the view'
run chroot "$view1" /usr/bin/sqlite3 :memory: "select 'sqlite runs from the view: ' || sqlite_version()"
run chroot "$view1" /usr/bin/dpkg --audit
run chroot "$view1" /bin/sh -c 'dpkg -l | grep -c ^ii'

say 'apt-get install inside the view'
network_into "$view1"
apt_in "$view1" update
apt_in "$view1" install tree bc
run chroot "$view1" /bin/sh -c 'echo "6 * 7" | bc && tree --version'
run chroot "$view1" /usr/bin/dpkg --audit

say 'Work in /home/ada'
chroot "$view1" /usr/sbin/useradd -m -s /bin/bash ada
chroot "$view1" /bin/su ada -c 'cd && mkdir -p Documents .config/editor src/.git &&
  echo "Dear diary" > Documents/diary.txt && seq 1 20000 > Documents/numbers.txt && echo "theme=dark" > .config/editor/settings &&
  ln Documents/diary.txt Documents/same-diary.txt && ln -s Documents papers && mkdir -p .cache/junk && echo scratch > .cache/junk/x'
run "$satchel" status "$view1"
run "$satchel" sync "$view1"
run "$satchel" explain "$view1/home/ada/Documents/diary.txt"

say "Device 2, with a store of its own and device 1's store out of reach"
run "$satchel" umount "$view1"
mv "$store1" "$store1.away"
run env SATCHEL_DEVICE=laptop SATCHEL_MACHINE_ID=laptop "$satchel" mount --repo "$repo" --store "$store2" ada "$view2"
run cat "$view2/home/ada/Documents/diary.txt"
run chroot "$view2" /bin/sh -c 'echo "2 ^ 10" | bc'
[ ! -e "$view2/home/ada/.cache/junk/x" ] || fail 'a cache file has travelled'
printf 'store of device 2 after this: '; du -sh "$store2" | cut -f1

say 'Edits on both devices, then both sync'
mv "$store1.away" "$store1"
run env SATCHEL_DEVICE=desk SATCHEL_MACHINE_ID=desk "$satchel" mount --repo "$repo" --store "$store1" ada "$view1"
echo 'written on the desk' >"$view1/home/ada/Documents/desk.txt"
sed -i 's/^10000$/ten thousand/' "$view1/home/ada/Documents/numbers.txt"
mkdir "$view2/home/ada/Pictures"
head -c 300000 /dev/urandom >"$view2/home/ada/Pictures/noise.raw"
mv "$view2/home/ada/src" "$view2/home/ada/projects"
run "$satchel" sync "$view1"
run "$satchel" sync "$view2"
run "$satchel" sync "$view1"
[ "$plant" = 0 ] || { say 'A planted difference: one byte on device 2'
  reference=$work/reference; touch -r "$view2/home/ada/Documents/desk.txt" "$reference"
  printf W | dd of="$view2/home/ada/Documents/desk.txt" bs=1 count=1 conv=notrunc status=none
  touch -r "$reference" "$view2/home/ada/Documents/desk.txt"; }
say 'Verdict: both devices show the same, by rsync'
same "$view1" "$view2" || fail 'the two devices differ in what travels'
same "$view2" "$view1" || fail 'the two devices differ in what travels'
[ -d "$view1/home/ada/projects/.git" ] && [ ! -e "$view1/home/ada/src" ] || fail 'the rename did not arrive'
[ "$(stat -c %h "$view2/home/ada/Documents/diary.txt")" = 2 ] || fail 'the hard link did not arrive'
echo 'verdict: equal'

say 'What it cost'
run "$satchel" log "$repo" ada
tree_bytes=$(du -sb --apparent-size "$cache/debian12" | cut -f1)
repo_bytes=$(du -sb "$repo" | cut -f1)
sent=$("$satchel" --json log "$repo" ada | jq '[.data[].bytes_new] | add')
awk -v t="$tree_bytes" -v r="$repo_bytes" -v s="$sent" 'BEGIN {
  printf "Debian tree %.1f MiB; repository with both layers and %s %.1f MiB (%.0f %% of the tree)\n", t/2^20, "every version", r/2^20, 100*r/t
  printf "sent by all syncs together %.2f MiB (%.2f %% of the tree)\n", s/2^20, 100*s/t }'
run "$satchel" fsck "$repo"
run "$satchel" umount "$view1"
run "$satchel" umount "$view2"
printf '\nquickstart: done. Everything above ran on this machine; nothing of it is left but %s\n' "$cache"
