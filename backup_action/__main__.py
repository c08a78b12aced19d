"""`python -m backup_action` and `oss-backup`: makes the process safe, then opens the door (`cli`).

What the environment could do to a run before any of our code is asked is undone here, before the first import
that would notice: TLS keys written to a file, an SDK's debug output, core files with keys in them.
"""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import sys
from typing import NoReturn

_DROPPED = ("SSLKEYLOGFILE", "DEBUG", "NETRC", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")


def main() -> NoReturn:
    """The program. Ends the process at once: threads that wait for a neighbour are not waited for."""
    code = run()
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def run() -> int:
    """The program; gives its exit code."""
    for name in _DROPPED:
        os.environ.pop(name, None)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):  # macOS has a lower limit than it says
        resource.setrlimit(resource.RLIMIT_NOFILE, (most if most != resource.RLIM_INFINITY else 65_536, most))
    if sys.argv[1:2] == ["sandbox"]:
        from backup_action.sandbox import serve

        return serve.main(sys.argv[2:])
    gc.disable()  # until all is loaded that a command needs (`adapters/memory.py`): nothing of it is garbage
    from backup_action import cli

    return cli.main(sys.argv[1:])


if __name__ == "__main__":
    main()
