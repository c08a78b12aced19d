#!/bin/sh
# Finds a Python (3.11 or newer) and lets environment.py find or make the program's own environment with it.
#
#   sh install/setup.sh [PYTHON] [--dev] [--print-key]
#
# PYTHON, else INPUT_PYTHON, is a path or a name on PATH; without either the newest usable Python on PATH is taken, then one
# of the runner's tool cache. The first line on stderr says which; the only line on stdout is the path of the environment's
# python. Codes: 0 ready, 2 a setting is wrong or Python is missing, 5 the package index was not reachable, 1 anything else.
# POSIX sh without bashisms: action.yml starts it with bash, people start it with dash.
set -eu

# What could load foreign code into the children, or write down their TLS keys, goes. LD_LIBRARY_PATH stays: a Python that
# setup-python has put into another folder than it was built for does not start without it.
unset BASH_ENV ENV CDPATH LD_PRELOAD LD_AUDIT SSLKEYLOGFILE PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONINSPECT \
  PYTHONUSERBASE PYTHONBREAKPOINT PYTHONWARNINGS PYTHONEXECUTABLE PYTHONPLATLIBDIR

ADVICE="install one (Debian, Ubuntu: apt-get install python3 python3-venv) or name one with the input 'python'"
QUESTION='import os, sys
os.write(1, b"%d.%d.%d " % sys.version_info[:3] + os.fsencode(sys.executable or ""))
sys.exit(sys.version_info < (3, 11))'
OLD_QUESTION='import sys; sys.stdout.write("%d.%d.%d" % sys.version_info[:3])'

# What came from outside must not start a line of its own, nor carry the runner's old command mark.
plain() {
  case $1 in
    *[!A-Za-z0-9/._+@=,:\ -]*) printf '%s' "$1" | LC_ALL=C tr '\001-\037\177' '?' | sed 's/##\[/# #[/g' ;;
    *) printf '%s' "$1" ;;
  esac
}

fail() {
  sentence=$(plain "$1")
  if [ "${GITHUB_ACTIONS:-}" = true ]; then
    sentence="::error title=oss-backup set-up::$(printf '%s' "$sentence" | sed 's/%/%25/g')"
  else
    sentence="oss-backup set-up: $sentence"
  fi
  printf '%s\n' "$sentence" >&2
  [ -z "${GITHUB_OUTPUT:-}" ] || printf 'status=usage\nexit-code=2\n' >>"$GITHUB_OUTPUT"
  exit 2
}

is_version() {
  case $1 in
    *[!0-9.]*) return 1 ;;
    [0-9]*.[0-9]*.[0-9]*) return 0 ;;
    *) return 1 ;;
  esac
}

# Sets `version` and `python` from the interpreter $1; fails when it is too old (then `version` is known) or no Python at all.
probe() {
  version='' python=''
  answer=$("$1" -I -S -c "$QUESTION" 2>/dev/null </dev/null) && new_enough=yes || new_enough=''
  case $answer in
    *' '*) version=${answer%% *} python=${answer#* } ;;
  esac
  is_version "$version" || version=''
  [ -n "$python" ] || python=$1
  [ -n "$version" ] && [ -n "$new_enough" ]
}

# The first usable file called $1 in PATH's folders of one kind: `plain`, or `shims`. A version manager's shim costs 0.1 to 0.2 s and
# often only says that another version is chosen, so shims come last. Relative folders are never searched: the working
# directory belongs to the repository that is backed up.
on_path() {
  left=${PATH:-}:
  while [ -n "$left" ]; do
    folder=${left%%:*} left=${left#*:}
    case $folder in
      */shims) kind=shims ;;
      /*) kind=plain ;;
      *) continue ;;
    esac
    if [ "$kind" = "$2" ] && [ -f "$folder/$1" ] && [ -x "$folder/$1" ] && probe "$folder/$1"; then
      return 0
    fi
  done
  return 1
}

given() {
  case $1 in
    */*)
      found=$1
      [ -e "$found" ] || fail "there is no Python at '$1' (input 'python'); $ADVICE."
      ;;
    *)
      found=$(command -v -- "$1" 2>/dev/null) || found=''
      case $found in
        /*) ;;
        *) fail "there is no command '$1' on PATH (input 'python'); $ADVICE." ;;
      esac
      ;;
  esac
  if [ ! -f "$found" ] || [ ! -x "$found" ]; then
    fail "'$found' (input 'python') is not an executable file; name the interpreter itself, such as /usr/bin/python3."
  fi
  probe "$found" && return 0
  # Python 2 knows no -I, so it is asked once more, for the sentence only.
  [ -n "$version" ] || version=$("$found" -E -s -c "$OLD_QUESTION" 2>/dev/null </dev/null) || version=''
  if is_version "$version"; then
    fail "'$found' (input 'python') is Python $version, and 3.11 or newer is needed; $ADVICE."
  fi
  fail "'$found' (input 'python') did not answer as a Python does; $ADVICE."
}

search() {
  for kind_wanted in plain shims; do
    for name in python3.14 python3.13 python3.12 python3.11 python3; do
      if on_path "$name" "$kind_wanted"; then return 0; fi
    done
  done
  if [ -n "${RUNNER_TOOL_CACHE:-}" ]; then
    for name in "$RUNNER_TOOL_CACHE"/Python/3.1[1-9]*/*/bin/python3; do
      if [ -x "$name" ] && probe "$name"; then return 0; fi
    done
  fi
  fail "no Python 3.11 or newer was found on PATH; $ADVICE."
}

wanted=''
case ${1:-} in
  --*) ;;
  *) wanted=${1:-}; [ $# -eq 0 ] || shift ;;
esac
wanted=${wanted:-${INPUT_PYTHON:-}}
if [ -n "$wanted" ]; then given "$wanted"; else search; fi
printf 'oss-backup set-up: Python %s, %s\n' "$version" "$(plain "$python")" >&2
case $0 in
  */*) here=${0%/*} ;;
  *) here=. ;;
esac
exec "$python" -I -S "$here/environment.py" "$@"
