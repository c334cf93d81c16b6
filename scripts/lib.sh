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
