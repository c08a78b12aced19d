"""The whole set-up, as a process, against a package index on loopback: what is installed, when, and what stops it."""

import contextlib
import fcntl
import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import installation
import messages
import pytest
import recipe
import wheel_index
from small_checkout import ROOT, Checkout

SEES = """
import json, os
open('seen.py', 'w').write('variables = ' + repr(sorted(os.environ)))
"""


def ask(python: str, code: str) -> str:
    return subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def problem(done: subprocess.CompletedProcess[str], code: int) -> str:
    """The last line of a run that failed: its sentence."""
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    return done.stderr.splitlines()[-1]


Whole = tuple[Checkout, subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    """A checkout whose lock has a wheel and a source distribution, set up once, in an environment full of traps."""
    with wheel_index.serving() as index:
        made = Checkout(tmp_path_factory.mktemp("whole"), index)
        small = index.add("small", *wheel_index.wheel("small", "1.0", {"small.py": "size = 1\n"}))
        runs = f"open({str(made.home / 'ran')!r}, 'w')\n"
        seen = index.add("seen", *wheel_index.source("seen", "1.0", runs, is_package=True))
        made.lock(build="", packages=small + seen)
        traps = {
            "PYTHONPATH": str(made.home),
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "secret",
            "INPUT_DINGTALK_SECRET": "secret",
            "SSLKEYLOGFILE": str(made.home / "keys"),
            "PIP_TARGET": str(made.home / "target"),
            "PIP_USER": "1",
            "GITHUB_OUTPUT": str(made.home / "output"),
        }
        (made.home / "venv.py").write_text("raise SystemExit('the working directory was imported')")
        before = sorted(path for path in made.folder.rglob("*"))
        done = made.run(environ=made.environ(**traps))
        assert done.returncode == 0, done.stderr
        assert sorted(path for path in made.folder.rglob("*")) == before, "the checkout was written to"
        yield made, done


@pytest.fixture(scope="module")
def developed(tmp_path_factory: pytest.TempPathFactory, wheels: dict[str, tuple[str, bytes]]) -> Iterator[Whole]:
    """The same for development, where a source distribution is built as its setup.py says."""
    with wheel_index.serving() as index:
        made = Checkout(tmp_path_factory.mktemp("developed"), index)
        build = [index.add(project, *wheels[project]) for project in ("pip", "setuptools")]
        index.add("other", *wheel_index.wheel("other", "1.0", {"other.py": ""}))
        seen = index.add("seen", *wheel_index.source("seen", "1.0", SEES))
        made.lock(build="".join(build), packages=seen)
        secrets = {"PYTHONPATH": "/x", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "secret", "INPUT_DINGTALK_SECRET": "secret"}
        done = made.run("--dev", environ=made.environ(**secrets, SSLKEYLOGFILE=str(made.home / "keys")))
        assert done.returncode == 0, done.stderr
        yield made, done


def test_the_python_is_the_only_line_on_stdout_and_the_output(
    whole: Whole,
) -> None:
    made, done = whole
    (python,) = done.stdout.splitlines()
    assert python == f"{made.cache}/{made.environments()[0]}/bin/python"
    assert (made.home / "output").read_text().splitlines()[1] == python
    assert done.stderr.splitlines()[0].startswith("oss-backup set-up: Python 3.")


def test_the_packages_and_our_code_are_installed(whole: Whole) -> None:
    made, done = whole
    python = done.stdout.strip()
    assert ask(python, "import small, seen, backup_action; print(small.size, backup_action.answer)") == "1 42"
    assert ask(python, "import backup_action; print(backup_action.__file__)").startswith(str(made.cache))
    command = Path(python).with_name("oss-backup").read_text()
    assert command.startswith("#!/bin/sh\n") and f"{python} -I -m backup_action" in command
    assert not (made.home / "target").exists() and not (made.home / "keys").exists()


def test_there_is_nothing_else_in_it_and_its_size_is_told(whole: Whole) -> None:
    _, done = whole
    python = done.stdout.strip()
    site = Path(ask(python, "import small, os; print(os.path.dirname(small.__file__))"))
    packages = {"small.py", "small-1.0.dist-info", "seen", "seen-1.0.dist-info", "backup_action"}
    assert {path.name for path in site.iterdir()} - {"__pycache__"} == packages
    assert re.search(
        r"set-up: 2 packages and the program are installed, \d+\.\d MB; the largest are \w+ 0\.0", done.stderr
    )


def test_a_source_becomes_a_wheel_without_being_run(whole: Whole) -> None:
    made, done = whole
    told = (
        "import seen, importlib.metadata as m; d = m.distribution('seen'); print(seen.built, d.version, len(d.files))"
    )
    assert ask(done.stdout.strip(), told).split()[:2] == ["True", "1.0"]
    assert not (made.home / "ran").exists()


def test_bytecode_is_made_of_what_the_program_imports_and_of_nothing_else(checkout: Checkout) -> None:
    done = checkout.run()
    assert done.returncode == 0, done.stderr
    found = {path.name.split(".")[0] for path in Path(done.stdout.strip()).parents[1].rglob("*.pyc")}
    assert "__init__" in found and "small" not in found


def test_a_build_sees_no_secret_of_the_job(developed: Whole) -> None:
    seen = ask(developed[1].stdout.strip(), "import seen, json; print(json.dumps(seen.variables))")
    names = set(json.loads(seen))
    assert {"PATH", "HOME", "PIP_INDEX_URL"} <= names
    assert not names & {"PYTHONPATH", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "INPUT_DINGTALK_SECRET", "SSLKEYLOGFILE"}
    assert not {name for name in names if name.startswith(("INPUT_", "ACTIONS_", "GITHUB_", "RUNNER_"))}


def test_a_warm_set_up_asks_no_index_and_starts_no_pip(
    whole: Whole,
) -> None:
    made, first = whole
    assert made.index
    asked = len(made.index.asked)
    again = made.run(environ=made.environ(INPUT_INDEX_URL="", TMPDIR="/nowhere"))
    assert (again.returncode, again.stdout) == (0, first.stdout)
    assert len(again.stderr.splitlines()) == 1, "which Python; nothing is installed"
    assert len(made.index.asked) == asked


def test_the_printed_key_is_the_name_of_the_environment(
    whole: Whole,
) -> None:
    made, _ = whole
    assert made.run("--print-key").stdout.split() == made.environments()
    assert made.run("--dev", "--print-key").stdout.split() != made.environments()


def test_no_cache_and_no_index_make_a_fresh_one_from_where_the_machine_says(checkout: Checkout) -> None:
    assert checkout.index
    (checkout.home / "pip.conf").write_text(f"[global]\nindex-url = {checkout.index.url}\n[install]\nuser = true\n")
    given = {"PIP_CONFIG_FILE": str(checkout.home / "pip.conf"), "INPUT_INDEX_URL": "", "INPUT_CACHE": "false"}
    done = checkout.run("--dev", environ=checkout.environ(**given))
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).parents[2] == checkout.temporary
    assert not checkout.cache.exists()
    assert ask(done.stdout.strip(), "import small; print(small.size)") == "1"


def test_an_unwritable_cache_is_a_warning_and_the_job_goes_on(checkout: Checkout, tmp_path: Path) -> None:
    (tmp_path / "tools").write_text("a file")
    done = checkout.run("--dev", environ=checkout.environ(RUNNER_TOOL_CACHE=str(tmp_path / "tools")))
    assert done.returncode == 0, done.stderr
    assert "warning: The folder for environments cannot be used" in done.stderr
    assert Path(done.stdout.strip()).parents[2] == checkout.temporary
    assert ask(done.stdout.strip(), "import small; print(small.size)") == "1"


def test_two_at_once_give_one_install(checkout: Checkout) -> None:
    jobs = [
        subprocess.Popen(checkout.command("--dev"), env=checkout.environ(), stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    printed = {job.communicate()[0] for job in jobs}
    assert [job.returncode for job in jobs] == [0, 0] and len(printed) == 1
    assert checkout.index
    assert len([path for path in checkout.index.asked if "/small-" in path]) == 1


def test_a_killed_set_up_keeps_others_out_until_its_pip_ends_and_is_then_repaired(checkout: Checkout) -> None:
    assert checkout.index
    checkout.index.held = "small-"
    first = subprocess.Popen(checkout.command("--dev"), env=checkout.environ(), stdout=subprocess.PIPE)
    assert checkout.index.reached.wait(60)
    first.kill()
    first.communicate()
    name = checkout.run("--dev", "--print-key").stdout.strip()
    assert (checkout.cache / name / "bin" / "python").exists() and checkout.environments() == []
    with (checkout.cache / f"{name}.lock").open() as lock, pytest.raises(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    checkout.index.release.set()
    done = checkout.run("--dev")
    assert done.returncode == 0 and "half-made" in done.stderr
    assert checkout.environments() == [name]
    assert ask(done.stdout.strip(), "import small; print(small.size)") == "1"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_cancelled_set_up_stops_at_once_and_leaves_nothing(number: signal.Signals, checkout: Checkout) -> None:
    assert checkout.index
    checkout.index.held = "pip-"
    job = subprocess.Popen(checkout.command("--dev"), env=checkout.environ(), stdout=subprocess.PIPE)
    assert checkout.index.reached.wait(60)
    assert len(processes_of(checkout)) == 1, "pip, run by the environment's Python"
    job.send_signal(number)
    assert job.communicate()[0] == b""
    assert job.returncode == 128 + number
    assert [path.suffix for path in checkout.cache.iterdir()] == [".lock"]
    for _ in range(100):
        if not processes_of(checkout):
            break
        time.sleep(0.05)  # a process that was killed is gone a moment later
    assert processes_of(checkout) == []


def processes_of(checkout: Checkout) -> list[str]:
    """The command lines of the processes that work on the checkout's environments."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(file.read_bytes().decode("utf-8", "replace"))
    return [line for line in found if str(checkout.cache) in line]


def test_a_build_requirement_that_is_not_the_locked_one_is_refused(checkout: Checkout) -> None:
    assert checkout.index
    files = checkout.index.files["pip"]
    name = next(iter(files))
    files[name] = wheel_index.wheel("pip", "1.0", {"pip/__init__.py": ""})[1]
    done = checkout.run("--dev")
    assert "not the one that the lock names" in problem(done, 1)
    assert hashlib.sha256(files[name]).hexdigest() in done.stderr
    assert checkout.environments() == []


@pytest.fixture
def packages(developed: Whole, tmp_path: Path) -> Callable[[str], str]:
    """Installs a lock's text into the environment that was made above; returns what is said when it is refused."""

    def install(text: str) -> str:
        made, done = developed
        (tmp_path / "lock.txt").write_text(text)
        pip = installation.Pip(
            installation.children(made.environ(PIP_INDEX_URL=made.index.url if made.index else "")),
            None,
            retries=0,
            timeout=20,
        )
        with pytest.raises(messages.SetupError) as caught:
            place = installation.first_pip(pip)
            installation.install_packages(pip, Path(done.stdout.strip()), place, tmp_path / "lock.txt")
        assert caught.value.code == 1
        messages.explain(caught.value)
        return caught.value.sentence

    return install


def test_a_package_that_is_not_the_locked_one_is_refused(packages: Callable[[str], str]) -> None:
    assert "not the one that the lock names" in packages(f"other==1.0 --hash=sha256:{'0' * 64}\n")


def test_a_package_without_a_hash_is_refused(packages: Callable[[str], str], capfd: pytest.CaptureFixture[str]) -> None:
    assert "could not be installed" in packages("other==1.0\n")
    assert "Hashes are required" in capfd.readouterr().err


def test_a_package_that_the_index_lacks(packages: Callable[[str], str]) -> None:
    assert "the package index does not have it" in packages(f"absent==1.0 --hash=sha256:{'0' * 64}\n")


def test_what_a_failing_build_prints_cannot_give_the_runner_a_command(
    packages: Callable[[str], str],
    developed: Whole,
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    assert developed[0].index
    hostile = (
        r"print('::add-mask::x\n  ::error::y\r::stop-commands::z\n##[error]w\x1b[31m', flush=True); raise SystemExit(9)"
    )
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    packages(developed[0].index.add("hostile", *wheel_index.source("hostile", "1.0", hostile)))
    said = capfdbinary.readouterr().err
    lines = re.split(b"[\r\n]", said.rstrip(b"\n"))
    assert [line for line in lines if line.lstrip().startswith(b"::")] == lines[-1:]
    assert lines[-1].startswith(b"::error title=oss-backup set-up::The locked packages could not be installed")
    assert b"::add-mask::x" in said and b"##[" not in said and b"\x1b" not in said


def test_a_build_requirement_without_a_hash_is_refused(checkout: Checkout) -> None:
    checkout.lock(build=(checkout.folder / "install" / "build.txt").read_text().split(" --hash")[0], packages="")
    done = checkout.run("--dev")
    assert "build requirements could not be installed" in problem(done, 1)
    assert "Hashes are required" in done.stderr


def test_build_requirements_are_never_built_themselves(checkout: Checkout, tmp_path: Path) -> None:
    """The trap would need nothing else: it is its own build backend."""
    assert checkout.index
    backend = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    code = f"open({str(tmp_path / 'ran')!r}, 'w')\n"
    trap = wheel_index.source("trap", "1.0", "", pyproject__toml=backend, backend__py=code)
    checkout.lock(build=checkout.index.add("trap", *trap), packages="")
    problem(checkout.run("--dev"), 1)
    assert not (tmp_path / "ran").exists()


def test_variables_that_only_begin_like_a_kept_one_are_not_kept() -> None:
    kept = {"PATH": "/bin", "LC_ALL": "C", "https_proxy": "http://proxy.example", "PIP_CERT": "/c", "CC": "gcc"}
    dropped = dict.fromkeys(("HOMEBREW_TOKEN", "CC_TOKEN", "PATHS", "MY_PATH", "PIP_TARGET", "PIP_PYTHON", "LC_"), "x")
    given = installation.children(kept | dropped)
    assert kept.items() <= given.items() and not dropped.keys() & given.keys()


def test_an_index_that_is_not_reachable_is_code_5_and_its_password_is_not_shown(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    checkout = Checkout(tmp_path, None)
    checkout.lock(build="pip==1.0 --hash=sha256:" + "0" * 64, packages="")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound but not listening: nobody else can take the port
        url = f"http://user:secret@127.0.0.1:{closed.getsockname()[1]}/simple"
        with pytest.raises(messages.SetupError) as caught:
            installation.install(
                tmp_path / "made",
                recipe.of_checkout(checkout.folder, dev=True),
                checkout.environ(),
                index=url,
                retries=1,
                timeout=5,
            )
    messages.explain(caught.value)
    said = capfd.readouterr().err
    assert caught.value.code == 5 and "not reachable" in said and "secret" not in said


def test_with_an_index_given_no_other_one_is_asked_and_an_editable_environment_reaches_the_checkout(
    checkout: Checkout,
) -> None:
    with wheel_index.serving() as other:
        other.files = checkout.index.files if checkout.index else {}
        (checkout.home / "pip.conf").write_text(f"[global]\nextra-index-url = {other.url}\nfind-links = {other.url}\n")
        environ = checkout.environ(
            PIP_CONFIG_FILE=str(checkout.home / "pip.conf"),
            PIP_EXTRA_INDEX_URL=other.url,
            PIP_FIND_LINKS=other.url,
            PIP_INDEX_URL=other.url,
            PIP_NO_INDEX="1",
        )
        done = checkout.run("--dev", environ=environ)
        assert done.returncode == 0, done.stderr
        assert other.asked == []
    python = done.stdout.strip()
    assert ask(python, "import backup_action; print(backup_action.answer)") == "42"
    (checkout.folder / "backup_action" / "__init__.py").write_text("answer = 4300\n")
    assert ask(python, "import backup_action; print(backup_action.answer)") == "4300"
    assert checkout.run("--dev").stdout.strip() == python


def test_certificates_and_proxy_of_the_configuration_are_carried_over(tmp_path: Path) -> None:
    (tmp_path / "pip.conf").write_text(
        "[global]\ncert = /etc/one.pem\nproxy = http://proxy.example:3128\ntimeout = 9\nextra-index-url = https://x.example\n"
    )
    environ = installation.children({"PATH": os.defpath, "PIP_CONFIG_FILE": str(tmp_path / "pip.conf")})
    pip = installation.Pip(environ, None, retries=0, timeout=1)
    given = installation.only_index(pip, [sys.executable, "-I", "-m", "pip"], "https://mirror.example/simple")
    assert given["PIP_CERT"] == "/etc/one.pem" and given["PIP_PROXY"] == "http://proxy.example:3128"
    assert given["PIP_INDEX_URL"] == "https://mirror.example/simple"
    assert "PIP_EXTRA_INDEX_URL" not in given and given["PIP_CONFIG_FILE"] == os.devnull


def test_an_environment_that_cannot_import_all_of_the_program_is_none(checkout: Checkout) -> None:
    (checkout.folder / "backup_action" / "later.py").write_text("import missing_package")
    done = checkout.run()
    assert "cannot import all of the program" in problem(done, 1)
    assert "  | ModuleNotFoundError: No module named 'missing_package'" in done.stderr
    (checkout.folder / "backup_action" / "later.py").unlink()
    (checkout.folder / "backup_action" / "__init__.py").write_text("IMPORTED_LATER = ('small', 'absent')\n")
    done = checkout.run()
    assert "cannot import all of the program" in problem(done, 1) and "named 'absent'" in done.stderr
    assert checkout.environments() == []


def test_a_python_without_pip_takes_the_wheel_that_the_system_has(checkout: Checkout, tmp_path: Path) -> None:
    """Seen by how the run ends: only a pip can say that it found no such package."""
    subprocess.run([sys.executable, "-I", "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True)
    checkout.lock(build=f"absent==1.0 --hash=sha256:{'0' * 64}\n", packages="")
    environ = checkout.environ(INPUT_INDEX_URL="", PIP_NO_INDEX="1")
    done = checkout.run(str(tmp_path / "bare" / "bin" / "python"), "--dev", environ=environ)
    bundled = Path(sysconfig.get_path("stdlib"), "ensurepip", "_bundled")
    if list(bundled.glob("pip-*.whl")) or list(installation.DEBIAN_WHEELS.glob("pip-*.whl")):
        assert "The build requirements could not be installed: the package index does not" in problem(done, 1)
    else:
        assert "apt-get install python3-venv" in problem(done, 1)


@pytest.mark.parametrize(
    ("output", "code", "said"),
    [
        ("WARNING: Retrying (Retry(total=0))\nERROR: No matching distribution found for x", 5, "reachable"),
        ("WARNING: Retrying (Retry(total=4)) after connection broken\nerror: Failed building wheel", 1, "last lines"),
        ("WARNING: Retrying (Retry(total=4))\nERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM", 1, "lock names"),
        ("ERROR: Exception:\nTraceback:\n  x\npip._vendor.urllib3.exceptions.ReadTimeoutError: x", 5, "reachable"),
        ("ERROR: HTTP error 503 while getting https://x/y.whl", 5, "reachable"),
        ("ERROR: No matching distribution found for x", 1, "does not have it"),
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", 1, "disk is full"),
        ("", 1, "last lines"),
    ],
)  # fmt: skip
def test_why_pip_failed(output: str, code: int, said: str) -> None:
    found = installation.failure("It", output)
    assert found.code == code and said in found.sentence


def test_only_the_last_lines_of_pip_are_kept() -> None:
    found = installation.failure("It", "".join(f"line {number}\n" for number in range(1000)))
    assert found.details.splitlines() == [f"line {number}" for number in range(985, 1000)]


@pytest.mark.slow
def test_the_real_locks_install_from_the_machines_own_index(tmp_path: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "HOME"))}
    environ |= {"PATH": os.defpath, "XDG_CACHE_HOME": str(tmp_path), "INPUT_PYTHON": sys.executable}
    done = subprocess.run(
        ["sh", str(ROOT / "install" / "setup.sh")], env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    code = "import backup_action, oss2, crcmod, Tea, aiohttp, msgspec; print('all')"
    assert ask(done.stdout.strip(), code) == "all"
