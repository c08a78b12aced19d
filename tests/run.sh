#!/bin/sh
# Lint, types and tests, with everything they need installed first; stops at the first that fails.
#
#   sh tests/run.sh [arguments for pytest, paths from the root of the checkout]
#
# Tests run in as many processes as there are cores, at most four; `-n 0` runs them in one, where -s and --pdb work.
# Works from any folder and for a checkout that cannot be written: each tool's cache is in the environment's own folder.
set -eu
cd "$(dirname "$0")/.."

heading() { printf '\n== %s\n' "$*"; }

heading 'environment'
python=$(sh install/setup.sh --dev)
tools=${python%/*}
caches=${tools%/*}/caches
export RUFF_CACHE_DIR="$caches/ruff" HYPOTHESIS_STORAGE_DIRECTORY="$caches/hypothesis"
printf '%s\n' "$python"

heading 'ruff check'
"$tools/ruff" check .

heading 'ruff format'
"$tools/ruff" format --check .

heading 'mypy'
"$python" -I -m mypy --cache-dir "$caches/mypy"
for folder in install benchmarks; do # scripts beside each other, no packages
  "$python" -I -m mypy --cache-dir "$caches/mypy" "$folder"/*.py
done

heading 'shellcheck'
find . -name .git -prune -o -name '*.sh' -exec "$tools/shellcheck" {} +
"$tools/shellcheck" .ci/run

set_of_actions=''
[ ! -f action.yml ] || set_of_actions=action.yml
[ ! -d .github/workflows ] || set_of_actions="$set_of_actions .github/workflows"
for example in examples/*.yml; do
  [ ! -f "$example" ] || set_of_actions="$set_of_actions $example"
done
if [ -n "$set_of_actions" ]; then
  heading 'zizmor'
  # shellcheck disable=SC2086 # words are paths
  "$tools/zizmor" --offline --no-progress --persona pedantic $set_of_actions
fi

heading 'pytest'
exec "$python" -I -X pycache_prefix="$caches/bytecode" -m pytest -o cache_dir="$caches/pytest" \
  -n auto --maxprocesses 4 --dist worksteal "$@"
