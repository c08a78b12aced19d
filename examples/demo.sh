#!/bin/sh
# Shows the action at work on this machine, with no cloud account: `sh examples/demo.sh`
# It makes the action's own environment, serves stand-ins for GitHub, STS, OSS and DingTalk on loopback, and runs
# action.yml's own steps twice, as a runner does. It leaves nothing behind but the environment in the cache folder.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
python=$(sh "$here/install/setup.sh")
exec "$python" -I "$here/examples/demo.py" "$here"
