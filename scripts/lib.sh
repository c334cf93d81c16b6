# Shared by the scripts here; sourced, never run.

# The repository's top directory.
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '\n== %s\n' "$*"; }
die() {
  printf '%s: %s\n' "$(basename "$0")" "$1" >&2
  exit "${2:-1}"
}

# as_root COMMAND…: runs it as root: at once, or through sudo.
as_root() {
  if [[ $(id -u) == 0 ]]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo -- "$@"
  else
    die "'$1' needs root here, and there is no sudo: run this as root" 77
  fi
}

need_root() {
  [[ $(id -u) == 0 ]] || die "run this as root: $1" 77
}

# A path with links resolved: the toolchain's own directory, the one with usr/bin/swift in it.
swift_toolchain() {
  local swift
  swift=$(command -v swift) || die "no swift in PATH: install Swift 6.2 or newer from https://www.swift.org/install" 69
  dirname "$(dirname "$(dirname "$(readlink -f "$swift")")")"
}

# The Debian mirror this machine installs from, out of apt's own configuration.
debian_mirror() {
  local codename mirror
  codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
  [[ $(. /etc/os-release && echo "$ID") == debian ]] || die "this is not Debian, so apt has no Debian mirror to ask" 69
  mirror=$(apt-get indextargets --format '$(RELEASE) $(SITE)' 'Created-By: Packages' |
    awk -v suite="$codename" '$1 == suite { print $2; exit }')
  [[ $mirror ]] || die "apt knows no mirror for $codename" 69
  echo "$mirror"
}
