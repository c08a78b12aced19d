"""setup.sh finds a Python, says which, and refuses what is none. The interpreters are small shell scripts."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "install" / "setup.sh"
SHELLS = [shell for shell in ("dash", "bash", "busybox") if shutil.which(shell)]


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder for PATH that has what the script itself calls, and no Python."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for name in ("sh", "tr", "sed", "cat"):
        found = shutil.which(name)
        assert found
        (folder / name).symlink_to(found)
    return folder


def interpreter(path: Path, version: str) -> Path:
    """A script that answers setup.sh's question as that version would, and says how it was started otherwise."""
    fails = 1 if tuple(map(int, version.split("."))) < (3, 11) else 0
    return script(
        path,
        f'if [ "$3" = -c ]; then printf "%s %s" {version} "$0"; exit {fails}; fi\nprintf "%s\\n" "$0" "$@"',
    )


def script(path: Path, body: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def run(
    *arguments: str, path: str, shell: str = "sh", cwd: Path | None = None, **more: str
) -> subprocess.CompletedProcess[str]:
    command = [shell, "sh"] if shell == "busybox" else [shell]
    return subprocess.run(
        [shutil.which(command[0]) or "", *command[1:], str(SCRIPT), *arguments],
        env={"PATH": path, **more},
        cwd=cwd,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    """The one sentence of a refused run."""
    assert (done.returncode, done.stdout) == (2, "")
    lines = done.stderr.splitlines()
    assert len(lines) == 1, lines
    return lines[0]


def taken(done: subprocess.CompletedProcess[str]) -> str:
    """The interpreter that was started, as it says itself."""
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[0]


@pytest.mark.parametrize("shell", SHELLS)
def test_the_first_line_says_which_python_and_the_rest_is_passed_on(shell: str, tools: Path, tmp_path: Path) -> None:
    python = interpreter(tmp_path / "my python", "3.12.9")
    done = run(str(python), "--dev", "--print-key", path=str(tools), shell=shell)
    assert done.stderr.splitlines()[0] == f"oss-backup set-up: Python 3.12.9, {python}"
    assert done.stdout.splitlines() == [
        str(python), "-I", "-S", str(SCRIPT.parent / "environment.py"), "--dev", "--print-key"
    ]  # fmt: skip


@pytest.mark.parametrize("shell", SHELLS)
def test_no_python_at_all_names_the_package_to_install(shell: str, tools: Path) -> None:
    sentence = refusal(run(path=str(tools), shell=shell))
    assert "apt-get install python3 python3-venv" in sentence
    assert "3.11" in sentence


@pytest.mark.parametrize("version", ["3.10.13", "3.1.5", "2.7.18"])
def test_too_old(version: str, tools: Path, tmp_path: Path) -> None:
    python = interpreter(tmp_path / "python", version)
    sentence = refusal(run(path=str(tools), INPUT_PYTHON=str(python)))
    assert f"is Python {version}, and 3.11 or newer is needed" in sentence
    assert str(python) in sentence


def test_a_python_2_that_knows_no_isolated_mode_is_too_old_and_not_unknown(tools: Path, tmp_path: Path) -> None:
    python = script(tmp_path / "python2", 'case $1 in -I) echo "Unknown option: -I" >&2; exit 2 ;; esac; printf 2.7.18')
    assert "is Python 2.7.18" in refusal(run(str(python), path=str(tools)))


@pytest.mark.parametrize(
    "body", ["exit 0", "exit 7", "echo hello; exit 0", "printf 'abc def'", "printf '3.12.1x /bin/sh'"]
)
def test_what_does_not_answer_as_a_python(body: str, tools: Path, tmp_path: Path) -> None:
    program = script(tmp_path / "program", body)
    assert "did not answer as a Python does" in refusal(run(str(program), path=str(tools)))


def test_not_executable(tools: Path, tmp_path: Path) -> None:
    python = interpreter(tmp_path / "python", "3.12.1")
    python.chmod(stat.S_IRUSR | stat.S_IWUSR)
    assert "is not an executable file" in refusal(run(str(python), path=str(tools)))
    assert "is not an executable file" in refusal(run(str(tmp_path), path=str(tools)))


@pytest.mark.parametrize("given", ["/nowhere/python3", "./python3", "python3.12", "-c", "cd", "3.12"])
def test_missing(given: str, tools: Path, tmp_path: Path) -> None:
    sentence = refusal(run(path=str(tools), cwd=tmp_path, INPUT_PYTHON=given))
    assert f"'{given}'" in sentence
    assert "input 'python'" in sentence


def test_the_argument_wins_over_the_input_and_a_name_is_looked_up(tools: Path, tmp_path: Path) -> None:
    one, other = interpreter(tools / "one", "3.11.0"), interpreter(tmp_path / "other", "3.11.0")
    assert taken(run("one", path=str(tools), INPUT_PYTHON=str(other))) == str(one)
    assert taken(run("", path=str(tools), INPUT_PYTHON="one")) == str(one)
    assert taken(run("--dev", path=str(tools), INPUT_PYTHON="one")) == str(one)


def test_the_newest_name_on_the_path_is_taken_and_an_old_or_broken_one_passed_over(tools: Path) -> None:
    interpreter(tools / "python3", "3.11.4")
    interpreter(tools / "python3.12", "3.12.4")
    script(tools / "python3.14", "exit 127")
    interpreter(tools / "python3.13", "3.10.1")
    assert taken(run(path=str(tools))) == str(tools / "python3.12")


def test_an_old_python3_does_not_hide_a_later_one(tools: Path, tmp_path: Path) -> None:
    interpreter(tools / "python3", "3.9.2")
    good = interpreter(tmp_path / "later" / "python3", "3.11.4")
    assert taken(run(path=f"{tools}:{good.parent}")) == str(good)


def test_shims_come_last(tools: Path, tmp_path: Path) -> None:
    shim = interpreter(tmp_path / "shims" / "python3.14", "3.14.0")
    assert taken(run(path=f"{shim.parent}:{tools}")) == str(shim)
    plain = interpreter(tools / "python3", "3.11.4")
    assert taken(run(path=f"{shim.parent}:{tools}")) == str(plain)


@pytest.mark.parametrize("entry", [".", "", "here"])
def test_a_python_in_the_working_directory_is_never_taken(entry: str, tools: Path, tmp_path: Path) -> None:
    interpreter(tmp_path / "python3", "3.14.0")
    interpreter(tmp_path / "here" / "python3", "3.14.0")
    assert "no Python 3.11 or newer" in refusal(run(path=f"{entry}:{tools}", cwd=tmp_path))
    assert "no command 'python3'" in refusal(run("python3", path=f"{entry}:{tools}", cwd=tmp_path))


def test_the_tool_cache_of_the_runner_is_the_last_resort(tools: Path, tmp_path: Path) -> None:
    cached = interpreter(tmp_path / "tool cache" / "Python" / "3.12.7" / "x64" / "bin" / "python3", "3.12.7")
    interpreter(tmp_path / "tool cache" / "Python" / "3.10.7" / "x64" / "bin" / "python3", "3.10.7")
    environ = {"RUNNER_TOOL_CACHE": str(tmp_path / "tool cache")}
    assert taken(run(path=str(tools), **environ)) == str(cached)
    on_path = interpreter(tools / "python3", "3.11.2")
    assert taken(run(path=str(tools), **environ)) == str(on_path)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_hostile_name_cannot_give_the_runner_a_command(shell: str, tools: Path) -> None:
    given = "/x\n::add-mask::a\r##[error]b %0A"
    sentence = refusal(run(path=str(tools), shell=shell, INPUT_PYTHON=given, GITHUB_ACTIONS="true"))
    assert sentence.startswith(
        "::error title=oss-backup set-up::there is no Python at '/x?::add-mask::a?# #[error]b %250A'"
    )


def test_a_hostile_answer_is_not_printed_as_lines(tools: Path, tmp_path: Path) -> None:
    python = script(tmp_path / "python", 'printf "3.12.1 /x\\n::error::boo\\n##[error]boo"')
    done = run(str(python), path=str(tools))
    assert done.returncode != 0
    assert done.stderr.splitlines()[0] == "oss-backup set-up: Python 3.12.1, /x?::error::boo?# #[error]boo"
    assert not any(line.lstrip().startswith("::") or "##[" in line for line in done.stderr.splitlines()[:1])


def test_variables_that_load_foreign_code_do_not_reach_the_interpreter(tools: Path, tmp_path: Path) -> None:
    names = ("PYTHONPATH", "PYTHONHOME", "SSLKEYLOGFILE", "BASH_ENV", "ENV", "PYTHONSTARTUP", "LD_AUDIT")
    told = " ".join(f'"${{{name}-unset}}"' for name in names)
    python = script(
        tmp_path / "python",
        f'if [ "$3" = -c ]; then printf "3.12.1 %s" "$0"; exit 0; fi; printf "%s\\n" {told} "$KEPT"',
    )
    done = run(str(python), path=str(tools), KEPT="kept", **dict.fromkeys(names, "/nowhere"))
    assert done.stdout.split() == ["unset"] * len(names) + ["kept"]


def test_a_real_python_from_another_folder_under_its_relative_name(tmp_path: Path) -> None:
    done = subprocess.run(
        ["sh", "setup.sh", sys.executable, "--print-key"],
        env={"PATH": os.defpath},
        cwd=SCRIPT.parent,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert done.stdout.startswith("run-")
