"""The inputs that the set-up reads, its arguments and its output."""

import os
from pathlib import Path

import environment
import pytest
import storage
from messages import SetupError
from small_checkout import Checkout


@pytest.mark.parametrize("given", [None, "", "true", "TRUE", " true "])
def test_the_cache_is_wanted(given: str | None) -> None:
    assert environment.wants_cache({} if given is None else {"INPUT_CACHE": given}) is True


@pytest.mark.parametrize("given", ["false", "False", "0", "no"])
def test_the_cache_is_not_wanted(given: str) -> None:
    assert environment.wants_cache({"INPUT_CACHE": given}) is False


@pytest.mark.parametrize("given", ["1", "yes", "off", "tru", "false;", "真"])
def test_any_other_cache_is_refused(given: str) -> None:
    with pytest.raises(SetupError, match="'cache'") as caught:
        environment.wants_cache({"INPUT_CACHE": given})
    assert caught.value.code == 2


@pytest.mark.parametrize(
    "given",
    [
        "",
        "https://mirror.example/simple",
        "https://mirror.example:8443/simple/",
        "https://user:word@mirror.example/simple",
        "http://127.0.0.1:8080/simple",
        "http://127.8.9.1/simple",
        "http://localhost/simple",
        "http://[::1]:8080/simple",
    ],
)
def test_an_index_by_https_or_on_loopback(given: str) -> None:
    assert environment.index_url({"INPUT_INDEX_URL": f" {given}\n"}) == given


@pytest.mark.parametrize(
    "given",
    [
        "http://mirror.example/simple",
        "http://secret@mirror.example/simple",
        "http://127.0.0.1.example/simple",
        "http://localhost.example/simple",
        "http://localhost:secret@mirror.example/simple",
        "http://localhost\\@mirror.example/simple",
        "http://10.0.0.1/simple",
        "http://2130706433/simple",
        "ftp://localhost/simple",
        "file:///srv/simple",
        "mirror.example/simple",
        "https://",
        "https:///simple",
        "https://mirror.example:port/simple",
        "https://mirror.example/simple --pre",
        "https://mirror.example/\n--extra-index-url=https://other.example",
        "https://镜像.example/simple",
        "-i https://mirror.example",
    ],
)
def test_any_other_index_is_refused_and_not_repeated(given: str) -> None:
    with pytest.raises(SetupError, match="'index-url'") as caught:
        environment.index_url({"INPUT_INDEX_URL": given})
    assert caught.value.code == 2
    assert "secret" not in str(caught.value)


def test_bad_settings_make_nothing_and_say_so_in_one_sentence(checkout: Checkout) -> None:
    for more in (
        {"INPUT_CACHE": "perhaps"},
        {"INPUT_INDEX_URL": "http://mirror.example/simple"},
        {"RUNNER_TOOL_CACHE": "tools"},
        {"RUNNER_TOOL_CACHE": "/tools\nx"},
        {"HOME": "home"},
        {"INPUT_CACHE": "false", "RUNNER_TEMP": "temporary"},
    ):
        done = checkout.run("--dev", environ=checkout.environ(**more))
        assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 2), done.stderr
    assert not checkout.cache.exists()
    assert checkout.index and checkout.index.asked == []


def test_an_unknown_argument_is_refused(checkout: Checkout) -> None:
    done = checkout.run("--dev", "--prod")
    assert done.returncode == 2
    assert "'--prod'" in done.stderr and "usage:" in done.stderr


def test_a_lock_that_is_missing_is_one_sentence(checkout: Checkout) -> None:
    (checkout.folder / "install" / "runtime.txt").unlink()
    done = checkout.run()
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 2)
    assert "runtime.txt" in done.stderr


def test_where_environments_lie(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path)}
    assert storage.cache_folder(home) == tmp_path / ".cache/oss-backup"
    assert storage.cache_folder(home | {"XDG_CACHE_HOME": "/x"}) == Path("/x/oss-backup")
    assert storage.cache_folder(home | {"XDG_CACHE_HOME": "relative"}) == tmp_path / ".cache/oss-backup"
    assert storage.cache_folder(home | {"XDG_CACHE_HOME": "/x", "RUNNER_TOOL_CACHE": "/t"}) == Path("/t/oss-backup")
    assert storage.cache_folder({"HOME": ""}).is_absolute()


@pytest.mark.parametrize("name", ["plain", "with space", "k<<end=v", "中文", os.fsdecode(b"\xff")])
def test_the_output_is_read_back_as_the_runner_does(
    name: str, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    python, file = tmp_path / name / "bin/python", tmp_path / "output"
    file.write_bytes(b"earlier=1\n")
    environment.publish(python, {"GITHUB_OUTPUT": str(file)})
    first, head, value, end = file.read_bytes().splitlines()
    assert (first, head.split(b"<<", 1)) == (b"earlier=1", [b"python", end])
    assert value == os.fsencode(python) and len(end) > 20
    assert capfdbinary.readouterr().out == os.fsencode(python) + b"\n"


def test_the_output_delimiter_is_never_the_same(tmp_path: Path) -> None:
    file = tmp_path / "output"
    for _ in range(2):
        environment.publish(tmp_path, {"GITHUB_OUTPUT": str(file)})
    assert len({line for line in file.read_bytes().splitlines() if line.startswith(b"end-")}) == 2
