"""Fills an environment: a virtual environment, the locked packages, our own code, and nothing else.

Every package is checked against the hash in its lock. So the index need not be trusted, and pip's own configuration
(pip.conf, PIP_*, proxies, certificates) stays in force as the machine has it; only what would put packages elsewhere is
kept out. The pip is the machine's own; neither it nor anything that builds is put into the environment. What the index
has as source only becomes a wheel without being run: backend/ says how.

An environment for development is another matter: it has pip and setuptools, locked too, and builds as setup.py says.
The children get a few variables and no secret of the job.
"""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import messages
from messages import SetupError
from recipe import Recipe

OLDEST_PIP = (22, 3)  # of October 2022
HERE = Path(__file__).resolve().parent
DEBIAN_WHEELS = Path("/usr/share/python-wheels")
DETAIL_LINES = 15
LARGEST = 5  # packages that are told by name

_KEPT = re.compile(
    r"PATH|HOME|USER|LOGNAME|LANG|LC_\w+|TZ|TMPDIR|NETRC|XDG_(CACHE|CONFIG)_HOME|XDG_CONFIG_DIRS|LD_LIBRARY_PATH"
    r"|CC|CXX|CFLAGS|CPPFLAGS|LDFLAGS"
    r"|(HTTPS?|ALL|NO)_PROXY|(https?|all|no)_proxy|SSL_CERT_FILE|SSL_CERT_DIR|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE"
    r"|PIP_(CONFIG_FILE|INDEX_URL|EXTRA_INDEX_URL|FIND_LINKS|NO_INDEX|TRUSTED_HOST|CERT|CLIENT_CERT|PROXY"
    r"|KEYRING_PROVIDER|CACHE_DIR|NO_CACHE_DIR|USE_FEATURE|USE_DEPRECATED)"
)
_SIZE = re.compile(r",(\d+)$", re.MULTILINE)  # in a line of a package's RECORD
_INDEX_CHOICES = ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX")

# Says where pip lies, and which it is.
_WHERE = (
    "import os, pip; print(pip.__version__); print(os.path.dirname(os.path.dirname(os.path.abspath(pip.__file__))))"
)

# Imports all that the program imports, at its start or later: that proves it whole, and leaves bytecode of just that.
_PROOF = """import importlib, pkgutil, backup_action
for found in pkgutil.walk_packages(backup_action.__path__, "backup_action."):
    if not found.name.startswith("backup_action.sandbox") and not found.name.endswith((".__main__", ".unpack")):
        importlib.import_module(found.name)
for name in getattr(backup_action, "IMPORTED_LATER", ()):
    importlib.import_module(name)
print("ready")"""

_NOT_THERE = re.compile(r"No matching distribution found")
_NETWORK = re.compile(
    r"Retrying \(Retry\(|Max retries exceeded|ConnectTimeout|ReadTimeout|Read timed out|NewConnectionError"
    r"|NameResolutionError|ProxyError|Connection ?(aborted|broken|reset)|IncompleteRead|ProtocolError|SSLError"
    r"|HTTP error 5\d\d|\b5\d\d Server Error",
    re.IGNORECASE,
)


class Pip:
    """Runs pip; it waits `timeout` seconds for an answer of the index and asks `retries` times more.

    `lock` is a descriptor that every child inherits: if this process is killed, the lock is held until the child ends.
    """

    def __init__(self, environ: Mapping[str, str], lock: int | None, *, retries: int, timeout: int) -> None:
        self.environ = dict(environ)
        self._inherited = () if lock is None else (lock,)
        self._options = ("--retries", str(retries), "--timeout", str(timeout), "--progress-bar", "off")

    def install(self, command: Sequence[str], what: str, *arguments: str) -> None:
        """Runs `pip install`; `what` names the things to install, for the sentence when it fails."""
        code, output = self.run([*command, "install", "--no-input", "--no-color", *self._options, *arguments])
        if code != 0:
            raise failure(what, output)

    def ask(self, command: Sequence[str], *arguments: str) -> str:
        """What a command prints, or an empty text when it fails; for probing."""
        code, output = self.run([*command, *arguments])
        return output if code == 0 else ""

    def run(self, command: Sequence[str]) -> tuple[int, str]:
        """Exit code and output, stdout and stderr as they came."""
        child = subprocess.Popen(  # noqa: S603 - no shell; each word is ours or a path
            command,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=self._inherited,
            process_group=0,  # what builds is a child of pip: both are stopped
        )
        try:
            output, _ = child.communicate()
        except BaseException:  # we are told to stop
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            raise
        return child.returncode, output.decode("utf-8", "backslashreplace")


def install(
    folder: Path,
    recipe: Recipe,
    environ: Mapping[str, str],
    *,
    index: str = "",
    lock: int | None = None,
    retries: int = 5,
    timeout: int = 60,
) -> None:
    """Fills the empty folder, from the index at the URL `index` or else from where the machine's pip takes packages.

    Raises SetupError: code 5 when no index answered, else 1.
    """
    _create(folder)
    python = folder / "bin" / "python"
    pip = Pip(children(environ), lock, retries=retries, timeout=timeout)
    place = first_pip(pip)
    if index:
        pip.environ = only_index(pip, command(python, place, recipe.lock), index)
    messages.say(f"installing the packages of {recipe.lock.name}; later runs find them ready")
    if recipe.editable:
        build = ("--require-hashes", "--no-deps", "--only-binary", ":all:", "-r", str(recipe.build_lock))
        pip.install(command(python, place, recipe.build_lock), "The build requirements", *build)
        install_packages(pip, python, place, recipe.lock)
        _link(folder, recipe.source)
    else:
        # For what builds, in a folder that is not ours to write to; pip itself looks at neither.
        pip.environ |= {"PYTHONPATH": str(HERE / "backend"), "PYTHONDONTWRITEBYTECODE": "1"}
        install_packages(pip, python, place, recipe.lock, "--use-pep517", "--no-compile")
        _copy_own_code(folder, recipe.source)
    _prove(pip, python)
    messages.say(contents(folder))


def command(python: Path, place: Path, lock: Path) -> list[str]:
    """The pip of that place, run by the environment's Python, for what the lock names."""
    return [str(python), "-I", str(HERE / "narrow.py"), str(place), str(lock)]


def install_packages(pip: Pip, python: Path, place: Path, lock: Path, *more: str) -> None:
    """Installs what the lock names; sources are built with what the environment, or PYTHONPATH, has."""
    arguments = ("--require-hashes", "--no-deps", "--no-build-isolation", *more, "-r", str(lock))
    pip.install(command(python, place, lock), "The locked packages", *arguments)


def contents(folder: Path) -> str:
    """How many packages an environment has, of what size, and which are the largest, as a sentence."""
    records = {path.parent.name.split("-")[0]: path for path in Path(_site(folder)).glob("*.dist-info/RECORD")}
    sizes = {name: sum(map(int, _SIZE.findall(path.read_text("utf-8")))) for name, path in records.items()}
    whole = sum(os.lstat(Path(above, name)).st_size for above, _, names in os.walk(folder) for name in names)
    largest = sorted(sizes, key=lambda name: -sizes[name])[:LARGEST]
    told = ", ".join(f"{name} {sizes[name] / 1e6:.1f}" for name in largest)
    return (
        f"{len(sizes)} packages and the program are installed, {whole / 1e6:.1f} MB; the largest are {told or 'none'}"
    )


def children(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables for pip and the build scripts: where things are, proxies, certificates, pip's choice of index.

    A list of what is kept, not of what is dropped: build scripts are foreign code, and a job's variables hold secrets.
    """
    kept = {name: value for name, value in environ.items() if _KEPT.fullmatch(name)}
    # PIP_USER=0 answers a pip.conf with `user = true`, which would fail in a virtual environment.
    return kept | {"PYTHONNOUSERSITE": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_USER": "0"}


def only_index(pip: Pip, command: Sequence[str], index: str) -> dict[str, str]:
    """The variables with which pip asks this index and no other; pip.conf's certificates and proxy are carried over.

    pip.conf may name more indexes, and an empty variable does not unset them, so no configuration file is read at all.
    The URL is in a variable since anybody on the machine can read a command line, and it may hold a password.
    """
    carried: dict[str, str] = {}
    listed = pip.ask(command, "config", "list")
    for section in ("global", "install"):  # pip's order, and in each the later file wins
        for name, value in re.findall(rf"^{section}\.(cert|client-cert|proxy)='(.*)'$", listed, re.MULTILINE):
            carried["PIP_" + name.upper().replace("-", "_")] = value
    kept = {name: value for name, value in pip.environ.items() if name not in _INDEX_CHOICES}
    return carried | kept | {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": index}


def first_pip(pip: Pip) -> Path:
    """The folder, or the wheel, in which this machine has a pip.

    Raises SetupError with the package to install when this interpreter comes without any.
    """
    version, _, place = pip.ask([sys.executable, "-I", "-c", _WHERE]).strip().partition("\n")
    numbers = re.match(r"(\d+)\.(\d+)", version)
    if numbers and (int(numbers[1]), int(numbers[2])) >= OLDEST_PIP:
        return Path(place)
    for wheel in _pip_wheels():
        if pip.ask([sys.executable, "-I", str(HERE / "narrow.py"), str(wheel), os.devnull, "--version"]):
            return wheel
    raise SetupError(
        1, f"{sys.executable} comes without pip; install it (Debian, Ubuntu: apt-get install python3-venv)."
    )


def _pip_wheels() -> Iterator[Path]:
    # Not by importing ensurepip: Debian leaves the module out, and other systems only its wheels.
    yield from sorted(Path(sysconfig.get_path("stdlib"), "ensurepip", "_bundled").glob("pip-*.whl"))
    yield from sorted(DEBIAN_WHEELS.glob("pip-*.whl"))


def _create(folder: Path) -> None:
    try:
        venv.EnvBuilder(symlinks=True, with_pip=False).create(folder)
    except (OSError, ValueError, subprocess.CalledProcessError) as error:  # ValueError: a path with a colon
        raise SetupError(1, f"No virtual environment can be made in {folder}: {error}. Use another folder.") from error


def _site(folder: Path) -> str:
    return sysconfig.get_path("purelib", "venv", {"base": str(folder), "platbase": str(folder)})


def _link(folder: Path, source: Path) -> None:
    Path(_site(folder), "oss-backup-checkout.pth").write_bytes(os.fsencode(source) + b"\n")


def _copy_own_code(folder: Path, source: Path) -> None:
    """Puts the program into the environment, and the command `oss-backup` beside its python."""
    unwanted = shutil.ignore_patterns("__pycache__", "*.pyc")
    shutil.copytree(source / "backup_action", Path(_site(folder), "backup_action"), ignore=unwanted)
    script = folder / "bin" / "oss-backup"
    python = shlex.quote(os.fsdecode(folder / "bin" / "python"))
    script.write_bytes(os.fsencode(f'#!/bin/sh\nexec {python} -I -m backup_action "$@"\n'))
    script.chmod(0o755)


def _prove(pip: Pip, python: Path) -> None:
    code, output = pip.run([str(python), "-I", "-c", _PROOF])
    if code != 0:
        sentence = f"The environment was made, but {python} cannot import all of the program. Please report it."
        raise SetupError(1, sentence, "\n".join(output.splitlines()[-DETAIL_LINES:]))


def failure(what: str, output: str) -> SetupError:
    """The error for a failed pip, with the last lines that it printed. Code 5 when the network was the reason.

    A retry counts only where nothing was found in the end: pip prints one for each hiccup that it got over, too.
    """
    lines = [line for line in output.splitlines() if "neither a file nor a directory" not in line]
    conclusion = [line for line in lines if line.startswith(("ERROR:", "error:"))] + lines[-1:]
    network = _NETWORK.search(output if _NOT_THERE.search(output) else "\n".join(conclusion))
    code = 1
    if "DO NOT MATCH THE HASHES" in output:
        advice = "a file of the index is not the one that the lock names; use another index, and tell who runs this one"
    elif "No space left" in output or "Disk quota" in output:
        advice = "the disk is full; free about 300 MB"
    elif network:
        code = 5
        advice = (
            "the package index was not reachable; look at network and proxy, or set the input 'index-url' to another"
        )
    elif _NOT_THERE.search(output):
        advice = "the package index does not have it; set the input 'index-url' to a complete one"
    else:
        advice = "see pip's last lines above"
    return SetupError(code, f"{what} could not be installed: {advice}.", "\n".join(lines[-DETAIL_LINES:]))
