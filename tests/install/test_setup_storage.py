"""The promises of storage.py, with a maker that takes no time; real files, real locks, real processes."""

import fcntl
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import storage

KEY = "run-cpython-311-0123"
DAY = 86400


class Maker:
    """Makes an environment that holds just a python; counts how often, and does more on demand."""

    def __init__(self, also: Callable[[Path], object] = lambda folder: None) -> None:
        self.made: list[Path] = []
        self.also = also

    def __call__(self, folder: Path, lock: int | None) -> None:
        assert list(folder.iterdir()) == [], "the maker gets an empty folder"
        self.made.append(folder)
        (folder / "bin").mkdir()
        (folder / "bin" / "python").symlink_to(sys.executable)
        self.also(folder)


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "temporary").mkdir()
    return {"RUNNER_TOOL_CACHE": str(tmp_path / "tools"), "RUNNER_TEMP": str(tmp_path / "temporary")}


@pytest.fixture
def cache(environ: dict[str, str]) -> Path:
    return storage.cache_folder(environ)


@contextmanager
def locked(path: Path, kind: int) -> Iterator[None]:
    with path.open("a") as file:
        fcntl.flock(file, kind)
        yield


def test_it_is_made_once_and_found_afterwards(environ: dict[str, str], cache: Path) -> None:
    maker = Maker()
    assert storage.shared(KEY, environ, maker) == cache / KEY
    assert storage.shared(KEY, environ, maker) == cache / KEY
    assert maker.made == [cache / KEY]
    assert (cache / KEY / storage.MARKER).read_text() == KEY


def test_the_marker_comes_last(environ: dict[str, str]) -> None:
    seen = []
    storage.shared(KEY, environ, Maker(lambda folder: seen.append((folder / storage.MARKER).exists())))
    assert seen == [False]


def test_a_half_made_one_is_made_anew(environ: dict[str, str], cache: Path) -> None:
    (cache / KEY / "lib").mkdir(parents=True)
    (cache / KEY / "lib" / "half").write_text("")
    maker = Maker()
    assert storage.shared(KEY, environ, maker) == cache / KEY
    assert maker.made and not (cache / KEY / "lib").exists()


@pytest.mark.parametrize("damage", ["empty marker", "other marker", "no python"])
def test_a_damaged_one_is_made_anew(damage: str, environ: dict[str, str], cache: Path) -> None:
    storage.shared(KEY, environ, Maker())
    if damage == "no python":
        (cache / KEY / "bin" / "python").unlink()
    else:
        (cache / KEY / storage.MARKER).write_text("" if damage == "empty marker" else "run-other")
    maker = Maker()
    storage.shared(KEY, environ, maker)
    assert len(maker.made) == 1


def test_a_failed_one_leaves_nothing_and_the_error_goes_on(environ: dict[str, str], cache: Path) -> None:
    def fail(folder: Path) -> None:
        raise SystemExit(143)

    for place in (storage.shared, storage.fresh):
        with pytest.raises(SystemExit, match="143"):
            place(KEY, environ, Maker(fail))
    assert not (cache / KEY).exists()
    assert list(Path(environ["RUNNER_TEMP"]).iterdir()) == []
    assert storage.shared(KEY, environ, Maker()) == cache / KEY


def test_many_processes_at_once_make_it_once(environ: dict[str, str], cache: Path) -> None:
    """All of them have seen that it is not there before the first may begin."""
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import os, pathlib, storage, time\n"
        "def make(folder, lock):\n"
        "    print('made'); time.sleep(0.2); (folder / 'bin').mkdir()\n"
        "    (folder / 'bin' / 'python').symlink_to(sys.executable)\n"
        f"print(storage.shared({KEY!r}, os.environ, make))\n"
    )
    command = [sys.executable, "-I", "-c", program, str(Path(storage.__file__).parent)]
    cache.mkdir(parents=True)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with locked(cache / f"{KEY}.lock", fcntl.LOCK_SH):
        jobs = [subprocess.Popen(command, env=environ, **pipes) for _ in range(5)]
        for job in jobs:
            assert job.stderr and "waiting for it" in job.stderr.readline()
    printed = [job.communicate()[0].split() for job in jobs]
    assert sorted(printed) == sorted([["made", str(cache / KEY)]] + [[str(cache / KEY)]] * 4)


def test_the_lock_is_held_while_it_is_made_and_handed_to_the_maker(environ: dict[str, str], cache: Path) -> None:
    def make(folder: Path, lock: int | None) -> None:
        assert lock is not None
        assert os.fstat(lock).st_ino == (cache / f"{KEY}.lock").stat().st_ino
        with (cache / f"{KEY}.lock").open() as other, pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_SH | fcntl.LOCK_NB)
        Maker()(folder, lock)

    assert storage.shared(KEY, environ, make)


def test_being_asked_for_renews_the_date_of_the_marker(environ: dict[str, str], cache: Path) -> None:
    storage.shared(KEY, environ, Maker())
    os.utime(cache / KEY / storage.MARKER, (1, 1))
    storage.shared(KEY, environ, Maker())
    assert time.time() - (cache / KEY / storage.MARKER).stat().st_mtime < DAY


def test_only_what_nobody_asked_for_in_thirty_days_is_removed(environ: dict[str, str], cache: Path) -> None:
    ages = {"old": 31, "older-half-made": 400, "young": 29, "in-use": 31}
    for name, days in ages.items():
        storage.shared(name, environ, Maker())
        when = time.time() - days * DAY
        os.utime(cache / name / storage.MARKER, (when, when))
        if name.endswith("half-made"):
            (cache / name / storage.MARKER).unlink()
            os.utime(cache / name, (when, when))
    (cache / "not-ours").mkdir()
    os.utime(cache / "not-ours", (1, 1))
    with locked(cache / "in-use.lock", fcntl.LOCK_SH):
        storage.shared(KEY, environ, Maker())
    assert {path.name for path in cache.iterdir() if path.is_dir()} == {"young", "in-use", "not-ours", KEY}


def test_a_users_own_cache_is_never_cleaned(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path)}
    old = storage.shared("old", environ, Maker())
    assert old
    os.utime(old / storage.MARKER, (1, 1))
    storage.shared(KEY, environ, Maker())
    assert (old / storage.MARKER).exists()


@pytest.mark.parametrize(
    "obstacle", ["a file in its place", "world-writable", "a link in the place of the environment"]
)
def test_an_unusable_cache_is_a_warning(
    obstacle: str, environ: dict[str, str], cache: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    if obstacle == "a file in its place":
        cache.parent.write_text("")
    elif obstacle == "world-writable":
        cache.mkdir(parents=True)
        cache.chmod(0o777)
    else:
        planted = storage.shared(KEY, environ | {"RUNNER_TOOL_CACHE": str(tmp_path / "elsewhere")}, Maker())
        cache.mkdir(parents=True)
        assert planted
        (cache / KEY).symlink_to(planted)
    maker = Maker()
    assert storage.shared(KEY, environ, maker) is None
    assert maker.made == []
    said = capfd.readouterr().err.splitlines()
    assert len(said) == 1 and "warning" in said[0] and str(cache.parent) in said[0]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
@pytest.mark.parametrize("whose", ["the cache", "the environment"])
def test_an_environment_that_another_user_could_have_written_is_not_used(
    whose: str, environ: dict[str, str], cache: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    storage.shared(KEY, environ, Maker())
    os.chown(cache if whose == "the cache" else cache / KEY, 65534, 65534)
    maker = Maker()
    assert storage.shared(KEY, environ, maker) is None
    assert maker.made == [] and "another user" in capfd.readouterr().err


def test_a_ready_one_in_a_cache_that_can_only_be_read_is_used() -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import os, storage\n"
        "os.geteuid() or os.seteuid(65534)\n"  # root may write everything
        f"print(storage.shared({KEY!r}, os.environ, None), storage.shared('other', os.environ, None))\n"
    )
    with tempfile.TemporaryDirectory() as name:  # not tmp_path: its parents are closed to other users
        environ = {"RUNNER_TOOL_CACHE": name}
        ready = storage.shared(KEY, environ, Maker())
        assert ready
        (ready / "bin" / "python").unlink()
        (ready / "bin" / "python").symlink_to("/bin/sh")
        Path(name).chmod(0o755)
        ready.parent.chmod(0o555)
        command = [sys.executable, "-I", "-c", program, str(Path(storage.__file__).parent)]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
        ready.parent.chmod(0o755)
    assert done.stdout.split() == [str(ready), "None"]
    assert done.stderr.count("cannot be used") == 1


def test_a_fresh_one_is_new_each_time_and_private(environ: dict[str, str], cache: Path) -> None:
    one, two = (storage.fresh(KEY, environ, Maker()) for _ in range(2))
    assert one != two
    assert one.parent == Path(environ["RUNNER_TEMP"])
    assert one.stat().st_mode & 0o077 == 0
    assert not cache.exists()


def test_a_temporary_folder_that_cannot_be_written_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    made = storage.fresh(KEY, {"RUNNER_TEMP": str(tmp_path / "file")}, Maker())
    try:
        assert (made / storage.MARKER).exists()
    finally:
        subprocess.run(["rm", "-r", str(made)], check=True)
