"""`python -m backup_action` and `oss-backup`: makes the process safe, then opens the door (`cli`).

What the environment could do to a run before any of our code is asked is undone here, before the first import
that would notice: TLS keys written to a file, an SDK's debug output, core files with keys in them.
"""

from __future__ import annotations

import os
import resource
import sys

_DROPPED = ("SSLKEYLOGFILE", "DEBUG", "NETRC", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")


def main() -> int:
    """The program; gives its exit code."""
    for name in _DROPPED:
        os.environ.pop(name, None)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most if most != resource.RLIM_INFINITY else 65_536, most))
    if sys.argv[1:2] == ["sandbox"]:
        from backup_action.sandbox import serve

        return serve.main(sys.argv[2:])
    from backup_action import cli

    return cli.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
