# shellcheck shell=bash disable=SC1090,SC2164
# Runs one workload in the current directory and prints what it left: lib.sh SCRIPT. Sourced scripts define workload().
set -u
export LC_ALL=C.UTF-8 TZ=UTC

# A program that is not installed, or a fact that is not given, skips the whole script.
needs() {
  for program in "$@"; do
    command -v "$program" >/dev/null 2>&1 || { echo "skip: $program is not installed"; exit 77; }
  done
}
skip() { echo "skip: $*"; exit 77; }

# One line a file below $1: kind, mode, size of files, hash of the content or target of the link, name.
manifest() {
  find "$1" -mindepth 1 \( -name '*.pyc' -o -name __pycache__ \) -prune -o -mindepth 1 -print0 | sort -z | while IFS= read -r -d '' path; do
    if [ -L "$path" ]; then echo "link $(readlink "$path") $path"
    elif [ -f "$path" ]; then echo "file $(stat -c '%a %s' "$path") $(md5sum < "$path" | cut -c1-12) $path"
    else echo "$(stat -c '%F %a' "$path") $path"; fi
  done
}

# Waits until the command succeeds, at most $1 tenths of a second.
wait_until() {
  local left=$1; shift
  until "$@" >/dev/null 2>&1; do
    left=$((left - 1))
    [ "$left" -gt 0 ] || { echo "never true: $*"; return 1; }
    sleep 0.1
  done
}

script=$1
. "$script"
if [ "${2:-}" = needs ]; then exit 0; fi
mkdir -p "$HOME" files
cd files
workload
status=$?
echo "workload status $status"
if ! type leaves_nothing_to_compare >/dev/null 2>&1; then manifest .; fi
