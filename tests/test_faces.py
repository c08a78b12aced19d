"""What exists twice is compared: the table of settings, action.yml, --help and the README; outputs; exit codes."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from backup_action import settings
from backup_action.cli import COMMANDS, taken_by
from backup_action.core.problem import EXIT_CODES, Kind, Status
from backup_action.core.report import Report, outputs
from backup_action.core.rights import policy
from backup_action.settings import SORTS, TABLE

ROOT = Path(__file__).parents[1]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
READMES = [ROOT / "README.md", ROOT / "README.zh-CN.md"]
SET_UP, RUN = ACTION["runs"]["steps"]
EMPTY = Report("backup", Status.OK, 0, "", "", 0.0)


def help_of(*command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-I", "-m", "backup_action", *command, "--help"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def rows(readme: Path, heading: str) -> list[list[str]]:
    """The cells of the first table below a heading."""
    text = readme.read_text().split(f"<!-- {heading} -->", 1)[1]
    lines = text[text.index("|") :].split("\n\n", 1)[0].splitlines()[2:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))] for line in lines]


def test_the_action_has_the_inputs_of_the_table_all_empty_by_default() -> None:
    assert list(ACTION["inputs"]) == list(TABLE)
    for name, told in ACTION["inputs"].items():
        assert told == {"description": TABLE[name].help, "required": False, "default": ""}, name


def test_every_input_reaches_its_program_by_the_environment_and_nothing_by_the_script() -> None:
    for step, is_set_up in ((SET_UP, True), (RUN, False)):
        given = {name: value for name, value in step["env"].items() if name.startswith("INPUT_")}
        wanted = {
            settings.variable(name, "INPUT_"): f"${{{{ inputs.{name} }}}}"
            for name, row in TABLE.items()
            if row.set_up is is_set_up
        }
        assert given == wanted
        assert "${{" not in step["run"]
    assert RUN["run"].startswith("exec ")


def test_the_action_has_the_outputs_of_a_report() -> None:
    told = outputs(EMPTY, title="", text="")
    assert list(ACTION["outputs"]) == list(told)
    for name, output in ACTION["outputs"].items():
        assert f"steps.run.outputs.{name}" in output["value"] and output["description"]


def test_the_action_can_stand_in_the_marketplace() -> None:
    assert ACTION["branding"] == {"icon": "upload-cloud", "color": "orange"}
    assert ACTION["name"] and len(ACTION["description"]) <= 125 + 20


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_every_flag_of_its_command(command: str) -> None:
    text = help_of(command)
    for name in TABLE:
        expected = name in taken_by(command)
        assert (re.search(rf"(?<!\S){settings.flag(name)}(?![\w-])", text) is not None) == expected, name


def test_help_names_every_command() -> None:
    assert all(command in help_of() for command in (*COMMANDS, "sandbox"))
    assert set(TABLE["command"].choices) == set(COMMANDS)


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.name)
def test_the_readme_has_the_table_of_inputs(readme: Path) -> None:
    told = {row[0].strip("`"): row for row in rows(readme, "inputs")}
    assert list(told) == list(TABLE)
    for name, row in told.items():
        default = settings.Settings.__dataclass_fields__[name.replace("-", "_")].default
        shown = "" if default in ("", ()) else f"`{str(default).lower() if isinstance(default, bool) else default}`"
        assert row[1] == shown, name
        if readme.name == "README.md":
            assert row[2] == TABLE[name].help, name


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.name)
def test_the_readme_has_the_outputs_and_the_exit_codes(readme: Path) -> None:
    assert [row[0].strip("`") for row in rows(readme, "outputs")] == list(ACTION["outputs"])
    told = {row[1].strip("`"): row[0] for row in rows(readme, "exit-codes")}
    expected = {status.value: str(code) for status, code in EXIT_CODES.items()} | {"interrupted": "130, 143"}
    assert told == expected


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.name)
def test_the_readme_names_both_commands(readme: Path) -> None:
    text = readme.read_text()
    assert "sh examples/demo.sh" in text and "sh tests/run.sh" in text


def test_every_kind_of_problem_has_a_status_and_every_status_a_code() -> None:
    from backup_action.core.problem import SEVERITY, STATUS

    assert set(STATUS) == set(Kind) and set(SEVERITY) == set(Status) == set(EXIT_CODES)
    assert len(set(EXIT_CODES.values())) == len(EXIT_CODES)


def test_every_type_of_setting_is_known() -> None:
    assert set(SORTS.values()) <= {"text", "switch", "number", "list"} and set(SORTS) == set(TABLE)


KMS = {"Effect": "Allow", "Action": ["kms:GenerateDataKey", "kms:Decrypt"], "Resource": ["*"]}  # said in words
ROLES: dict[str, dict[str, Any]] = {
    "backup": {},
    "backup vault": {"layout": "vault"},
    "merge": {},
    "merge vault": {"layout": "vault"},
    "restore": {},
    "verify": {},
    "drill": {},
    "snapshots": {},
    "prune": {"delete": True},
    "prune vault": {"layout": "vault", "delete": True},
}


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.name)
def test_the_readme_publishes_the_rights_that_sessions_ask_for(readme: Path) -> None:
    published: dict[str, Any] = {}
    for names, block in re.findall(r"<!-- policy: (.+?) -->.*?```json\n(.*?)```", readme.read_text(), re.DOTALL):
        published |= dict.fromkeys(names.split(", "), json.loads(block))
    assert list(published) == list(ROLES)
    for name, given in ROLES.items():
        asked = json.loads(policy(name.split()[0], "mt5-hub-data", "nightly/", **given))
        assert KMS in asked["Statement"]
        asked["Statement"].remove(KMS)
        assert published[name] == asked, name


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.name)
def test_every_link_of_the_readme_leads_somewhere(readme: Path) -> None:
    text = re.sub(r"```.*?```", "", readme.read_text(), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert len(links) > 10
    for link in links:
        if link.startswith("#"):
            assert link[1:] in anchors, link
        elif "//" not in link:
            assert (ROOT / link).exists(), link


def test_both_readmes_have_the_same_sections_tables_and_blocks() -> None:
    shapes = []
    for readme in READMES:
        text = readme.read_text()
        code = re.findall(r"```(\w*)\n(.*?)```", text, re.DOTALL)
        prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
        levels = [len(marks) for marks in re.findall(r"^(#+) ", prose, re.MULTILINE)]
        shapes.append((levels, len(re.findall(r"^\s*\|", prose, re.MULTILINE)), [kind for kind, _ in code]))
    assert shapes[0] == shapes[1]
