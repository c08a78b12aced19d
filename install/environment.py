"""Finds or makes the virtual environment that the program runs in, and prints its python's path.

recipe.py says what it is made of and how it is named, storage.py where it lies and who may make it, installation.py
fills it. A ready one is taken without asking any index. Nothing is written into the action's folder.

Run by setup.sh as `python -I -S environment.py [--dev] [--print-key]`. Settings are variables: INPUT_CACHE,
INPUT_INDEX_URL, RUNNER_TOOL_CACHE, RUNNER_TEMP, XDG_CACHE_HOME, HOME. Standard library only, and little of it, since a
warm start pays for each import; installation.py is imported when it is needed.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

sys.dont_write_bytecode = True  # -I says nothing about bytecode, and the action's folder is not ours to write to
sys.path.insert(0, str(Path(__file__).resolve().parent))  # -I leaves the script's own folder out

import messages  # noqa: E402 - the two lines above must come first
import storage  # noqa: E402
from messages import SetupError  # noqa: E402
from recipe import Recipe, key, of_checkout  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
STATUSES = {2: "usage", 5: "unreachable"}  # output `status` by exit code, as the program's own
USAGE = "usage: sh install/setup.sh [PYTHON] [--dev] [--print-key]"


def wants_cache(environ: Mapping[str, str]) -> bool:
    """The input `cache`: true when empty. Anything but true, false, 0 and no is code 2."""
    given = environ.get("INPUT_CACHE", "").strip().lower()
    if given in ("", "true"):
        return True
    if given in ("false", "0", "no"):
        return False
    raise SetupError(2, f"The input 'cache' is {given!r}; give true, false, or nothing (which means true).")


def index_url(environ: Mapping[str, str]) -> str:
    """The input `index-url`, or an empty text. Code 2 unless it is https, or http on loopback.

    It may hold a password, so no sentence repeats it.
    """
    given = environ.get("INPUT_INDEX_URL", "").strip()
    if given and not _is_safe_url(given):
        raise SetupError(
            2,
            "The input 'index-url' is not the address of a package index; give one that begins with https:// "
            "(http:// is taken on loopback only) and ends with /simple or the like.",
        )
    return given


def _is_safe_url(given: str) -> bool:
    import ipaddress
    from urllib.parse import urlsplit

    if not given.isascii() or not given.isprintable() or any(mark in given for mark in " \\\"'<>"):
        return False
    try:
        parts = urlsplit(given)
        host, _ = parts.hostname or "", parts.port  # a malformed port raises
        if parts.scheme == "http":
            return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
    return parts.scheme == "https" and bool(host)


def prepare(recipe: Recipe, environ: Mapping[str, str]) -> Path:
    """The python of a ready environment for the recipe, found or made. Raises SetupError."""
    index, name = index_url(environ), key(recipe)

    def make(folder: Path, lock: int | None) -> None:
        import installation

        installation.install(folder, recipe, environ, index=index, lock=lock)

    folder = storage.shared(name, environ, make) if wants_cache(environ) else None
    if folder is None:
        folder = storage.fresh(name, environ, make)
    return folder / "bin" / "python"


def publish(python: Path, environ: Mapping[str, str]) -> None:
    """Prints the path, and appends the output `python` to GITHUB_OUTPUT where there is one."""
    text = os.fsencode(python)
    if environ.get("GITHUB_OUTPUT"):
        end = f"end-{os.urandom(16).hex()}".encode()  # random, so that no path can end the value early
        with Path(environ["GITHUB_OUTPUT"]).open("ab") as file:
            file.write(b"python<<" + end + b"\n" + text + b"\n" + end + b"\n")
    sys.stdout.buffer.write(text + b"\n")
    sys.stdout.flush()


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Runs the command and returns its exit code; every ending but a bug is one sentence."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    os.umask(0o022)  # what others may write to, others may run as us
    try:
        _run(arguments, environ)
    except OSError as error:
        sentence = f"A file could not be used: {error}. Look at its rights and at the free space."
        return _fail(SetupError(1, sentence), environ)
    except SetupError as error:
        return _fail(error, environ)
    return 0


def _fail(error: SetupError, environ: Mapping[str, str]) -> int:
    """Tells why, and sets the outputs of a run that could not even begin."""
    messages.explain(error)
    if environ.get("GITHUB_OUTPUT"):
        with contextlib.suppress(OSError), Path(environ["GITHUB_OUTPUT"]).open("a") as file:
            file.write(f"status={STATUSES.get(error.code, 'bug')}\nexit-code={error.code}\n")
    return error.code


def _run(arguments: Sequence[str], environ: Mapping[str, str]) -> None:
    for argument in arguments:
        if argument not in ("--dev", "--print-key"):
            raise SetupError(2, f"The argument {argument!r} is not known; {USAGE}.")
    recipe = of_checkout(ROOT, dev="--dev" in arguments)
    if "--print-key" in arguments:
        sys.stdout.write(key(recipe) + "\n")
    else:
        publish(prepare(recipe, environ), environ)


def _stop(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)  # unwinds: pip is stopped, and the half-made environment removed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
