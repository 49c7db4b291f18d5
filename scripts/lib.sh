# Shared by the scripts beside it; source it from the repository's root.
# shellcheck shell=bash

# say TEXT: one line of progress, on stderr so that output stays clean.
say() {
  if [ -t 2 ]; then printf '\033[1m==> %s\033[0m\n' "$*" >&2; else printf '==> %s\n' "$*" >&2; fi
}

die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# quietly LOG COMMAND...: runs COMMAND with its output in LOG; on failure shows
# the log's end and returns the command's status.
quietly() {
  local log=$1 status=0
  shift
  "$@" >"$log" 2>&1 </dev/null || status=$?
  if [ "$status" -ne 0 ]; then
    tail -n 40 "$log" >&2
    printf '%s: "%s" failed with status %s; the whole log is in %s\n' "${0##*/}" "$*" "$status" "$log" >&2
  fi
  return "$status"
}

# configure PRESET: runs CMake where the build tree is new; ninja re-runs it by
# itself after that.
configure() {
  local dir=build
  [ "$1" = release ] || dir=build-$1
  if [ ! -f "$dir/build.ninja" ]; then
    mkdir -p "$dir"
    quietly "$dir/configure.log" cmake --preset "$1"
  fi
}
