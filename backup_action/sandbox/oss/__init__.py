"""A stand-in for Alibaba Cloud OSS on loopback, as strict as the real one as far as that is documented.

`application(world, store, allowed)` is a web application to serve on any address; `Store` holds its buckets. Clients
use it with path style (`http://127.0.0.1:PORT`) or virtual-hosted style (`http://BUCKET.localhost:PORT`). See `faults`
for the faults that `world` may ask for, `routes` for the operations and their kinds, `disk` for a state folder.

What the real OSS has and this has not: anonymous access (an ACL is kept and told, nobody gains a right by it), bucket
policies, CORS, callbacks, image processing, symbolic links, V2 signatures. Lifecycle rules are kept, not carried out.
"""

from __future__ import annotations

from aiohttp import web

from ..world import World
from .call import Allowed
from .server import Server
from .store import Store

__all__ = ["Allowed", "Store", "application"]


def application(world: World, store: Store, allowed: Allowed) -> web.Application:
    """The server; `allowed` is asked for every right that a request needs."""
    app = web.Application()
    app.router.add_route("*", r"/{target:[\s\S]*}", Server(world, store, allowed).handle)
    return app
