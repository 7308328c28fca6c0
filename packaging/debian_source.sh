# To be sourced: source packages from the mirror that this machine takes Debian from.

# The mirror that this machine takes Debian itself from.
debian_mirror() {
  apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' |
    sort -u | head -n 1
}

# debian_source SUITE PACKAGE VERSION_MIN FOLDER: unpacks the suite's newest source of that version or
# newer into FOLDER/source and prints its version. Its package lists stay in FOLDER, so that the machine's
# own apt never sees the suite. Needs dpkg-dev and debian-archive-keyring.
debian_source() {
  local suite=$1 package=$2 version_min=$3 folder=$4 mirror version
  mirror=$(debian_mirror)
  [ -n "$mirror" ] || { echo "apt knows no Debian mirror; is /etc/apt/sources.list.d empty?" >&2; return 1; }
  mkdir -p "$folder/lists/partial" "$folder/archives/partial"
  printf 'deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n' \
    "$mirror" "$suite" > "$folder/sources.list"
  local options=(
    -o "Dir::Etc::sourcelist=$folder/sources.list" -o Dir::Etc::sourceparts=/dev/null
    -o "Dir::State::Lists=$folder/lists" -o "Dir::Cache::archives=$folder/archives"
    -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o APT::Sandbox::User=root
  )
  apt-get "${options[@]}" update -qq >&2 || return 1
  version=$(apt-cache "${options[@]}" showsrc --only-source "$package" | sed -n 's/^Version: //p' | sort -V | tail -n 1)
  [ -n "$version" ] && dpkg --compare-versions "$version" ge "$version_min" || return 1
  (cd "$folder" && apt-get "${options[@]}" source -qq --only-source "$package=$version" >&2) || return 1
  mv "$folder/$package"-*/ "$folder/source" || return 1
  printf '%s\n' "$version"
}
