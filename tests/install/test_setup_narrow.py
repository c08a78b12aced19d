"""pip looks at no file of the index that no lock names, and otherwise works as it would."""

import subprocess
import sys
from pathlib import Path

import installation
import narrow
import pytest
import wheel_index
from hypothesis import given
from hypothesis import strategies as st

DIGEST = "ab" * 32


@pytest.mark.parametrize("form", ["html", "json", "bare"])
def test_only_what_the_lock_names_is_looked_at(form: str, index: wheel_index.Index, tmp_path: Path) -> None:
    index.form = form
    line = index.add("small", *wheel_index.wheel("small", "1.0", {"small.py": ""}))
    for number in range(2, 30):
        index.add("small", *wheel_index.wheel("small", f"{number}.0", {"small.py": ""}))
    lock = tmp_path / "lock.txt"
    lock.write_text(line)
    pip = installation.Pip(installation.children({"PATH": "/usr/bin:/bin"}), None, retries=0, timeout=20)
    place = installation.first_pip(pip)
    command = installation.command(Path(sys.executable), place, lock)
    words = ["download", "-vvv", "--no-deps", "--require-hashes", "-r", str(lock), "-d", str(tmp_path), "-i", index.url]
    code, output = pip.run([*command, *words, "--no-cache-dir"])
    assert code == 0, output
    assert output.count("Found link") == 1
    assert (tmp_path / "small-1.0-py3-none-any.whl").exists()


def test_nothing_beside_pip_can_be_imported(tmp_path: Path) -> None:
    (tmp_path / "pip").mkdir()
    (tmp_path / "pip" / "__init__.py").write_text("")
    (tmp_path / "pip" / "__main__.py").write_text("import sys; print(sys.argv); import beside")
    (tmp_path / "beside.py").write_text("print('imported')")
    (tmp_path / "lock.txt").write_text("")
    command = [sys.executable, "-I", narrow.__file__, str(tmp_path), str(tmp_path / "lock.txt"), "list"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.strip().endswith("'list']") and "imported" not in done.stdout
    assert "No module named 'beside'" in done.stderr, "and a pip without the modules that are narrowed runs as it is"


@pytest.mark.parametrize(
    ("told", "identity"),
    [
        ({"filename": "a-1.whl", "hashes": {"sha256": DIGEST}}, ("a-1.whl", DIGEST)),
        ({"filename": "a-1.whl", "hashes": {"md5": "x"}}, ("a-1.whl", "")),
        ({"hashes": None}, ("", "")),
        ({}, ("", "")),
    ],
)
def test_what_an_index_tells_of_a_file_in_json(told: dict[str, object], identity: tuple[str, str]) -> None:
    assert narrow.of_json(told) == identity


@pytest.mark.parametrize(
    ("link", "identity"),
    [
        (f"../a-1.whl#sha256={DIGEST}", ("a-1.whl", DIGEST)),
        (f"https://index.example/x/a-1%2B2.whl#egg=a&sha256={DIGEST}", ("a-1+2.whl", DIGEST)),
        ("a-1.whl#md5=0123", ("a-1.whl", "")),
        (f"a-1.whl?sha256={DIGEST}", ("a-1.whl", "")),
        ("a-1.whl#sha256=short", ("a-1.whl", "")),
        (None, ("", "")),
    ],
)
def test_what_a_link_tells_of_a_file(link: str | None, identity: tuple[str, str]) -> None:
    assert narrow.of_element({"href": link}) == identity
    assert narrow.of_element({}) == ("", "")


@given(st.lists(st.binary(min_size=32, max_size=32).map(bytes.hex)))
def test_all_hashes_of_a_lock_are_known(digests: list[str]) -> None:
    text = "a==1 \\\n" + " \\\n".join(f"    --hash=sha256:{digest}" for digest in digests) + "\n    # via b\n"
    lock = narrow.Lock(text)
    assert all(lock.names("", digest) and lock.names("", digest.upper()) for digest in digests)
    assert not lock.names("", "") and not lock.names("b-1.whl", DIGEST[:-1] + "x")


@pytest.mark.parametrize(
    ("file", "named"),
    [
        ("some_package-1.10-cp311-cp311-manylinux_2_17_x86_64.whl", True),
        ("Some.Package-1.10.tar.gz", True),
        ("some-package-1.10.zip", True),
        ("some_package-1.10.1-py3-none-any.whl", True),  # one too many costs nothing
        ("some_package-1.1-py3-none-any.whl", False),
        ("some_package-11.10-py3-none-any.whl", False),
        ("package-1.10-py3-none-any.whl", False),
        ("awesome_package-1.10.tar.gz", False),
    ],
)
def test_a_file_of_a_locked_version_is_known_by_its_name(file: str, named: bool) -> None:
    lock = narrow.Lock("other==2 \\\nsome-package==1.10 ; python_version < '3.13' \\\n    --hash=sha256:00\n")
    assert lock.names(file, "") is named
