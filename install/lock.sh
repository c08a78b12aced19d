#!/bin/sh
# Renews the three locks from their .in files. Needs `uv`; run it, read the difference, commit both.
set -eu
cd "$(dirname "$0")"
for name in build runtime dev; do
  excludes=''
  [ "$name" != runtime ] || excludes='--excludes unneeded.in'
  # shellcheck disable=SC2086 # words
  uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
    --no-emit-index-url --allow-unsafe $excludes "$@" "$name.in" --output-file "$name.txt"
done
