"""The real workflow files, run as a runner runs them: by schedule, by hand, by API, and from another repository."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from box import OWN_PUTS, Box, disk
from hypothesis import given, settings
from hypothesis import strategies as st

from backup_action.core.problem import Kind, Stop
from backup_action.sandbox import workflow_file, workflow_trigger
from backup_action.sandbox.runner import ActionRun
from backup_action.sandbox.workflow import Runner, WorkflowRun, run_workflow
from backup_action.sandbox.workflow_file import WorkflowError
from backup_action.sandbox.workflow_trigger import Trigger
from backup_action.settings import TABLE, gather

ROOT = Path(__file__).parents[1]
MAIN = workflow_file.load(ROOT / ".github/workflows/oss-backup.yml")
REUSABLE = workflow_file.load(ROOT / ".github/workflows/reusable-backup.yml")
CALLER = workflow_file.load(ROOT / "examples/call-oss-backup.yml")
COPIED = ("action.yml", "pyproject.toml", "backup_action", "install")
VARIABLES = ("ROLE_TO_ASSUME", "OIDC_PROVIDER_ARN", "REGION", "BUCKET", "ENDPOINT", "STS_ENDPOINT")
CONFIG = """
language = "en"
profile = "nightly"
[profiles.nightly]
prefix = "nightly"
paths = ["data"]
[profiles.factors]
prefix = "factors"
paths = ["data/factors => factors"]
dingtalk-keyword = "factor-desk"
[profiles.broken]
prefix = "broken"
paths = ["nowhere"]
"""
CHECKOUT = """
inputs: {persist-credentials: {}}
runs: {using: composite, steps: [{shell: bash, run: cp -R "$GITHUB_ACTION_PATH/tree/." .}]}
"""
# In place of the action: writes down what it was given, so that a fuzzed payload costs no set-up.
STUB = """
inputs: {%s}
outputs: {report-path: {value: none}}
runs:
  using: composite
  steps:
    - shell: bash
      env: {GIVEN: "${{ toJSON(inputs) }}"}
      run: printf '%%s\\0' "$GIVEN" >> "$RUNNER_TEMP/given"
"""


class Repository:
    """A repository whose checkout holds the action, a config file and some data."""

    def __init__(self, box: Box) -> None:
        self.box = box
        self.tree = box.folder / "checkout/tree"
        for path in ("data/datasets/a.csv", "data/datasets/数据.csv", "data/factors/mom.csv", "data/factors/rev.csv"):
            (self.tree / path).parent.mkdir(parents=True, exist_ok=True)
            (self.tree / path).write_text(f"{path}\n")
        (self.tree / "backup.toml").write_text(CONFIG)
        (self.tree.parent / "action.yml").write_text(CHECKOUT)

    def with_the_action(self) -> "Repository":
        for name in COPIED:
            source = ROOT / name
            ignored = shutil.ignore_patterns("__pycache__")
            if source.is_dir():
                shutil.copytree(source, self.tree / name, ignore=ignored)
            else:
                shutil.copy(source, self.tree / name)
        return self

    def with_a_stub(self) -> "Repository":
        (self.tree / "action.yml").write_text(STUB % ", ".join(f"{name}: {{}}" for name in TABLE))
        return self

    def machine(self, *, robot: bool = True) -> Runner:
        told = self.box.sandbox.environment
        used = {step.uses for flow in (MAIN, REUSABLE) for step in flow.jobs[0].steps if step.uses not in ("", "./")}
        assert {uses.partition("@")[0] for uses in used} == {"actions/checkout", "OWNER/oss-backup-action"}
        folders = {uses: self.tree.parent if uses.startswith("actions/checkout") else ROOT for uses in used}
        robots = {name: told[f"OSS_BACKUP_{name}"] for name in ("DINGTALK_WEBHOOK", "DINGTALK_SECRET")}
        return Runner(
            self.box.folder / "workspace", self.box.folder / "temp",
            Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"),
            variables={f"OSS_BACKUP_{name}": told[f"OSS_BACKUP_{name}"] for name in VARIABLES}
            | {"OSS_BACKUP_CONFIG": "backup.toml"},
            secrets=robots if robot else {},
            oidc={name: value for name, value in told.items() if name.startswith("ACTIONS_")},
            repositories=folders,
        )  # fmt: skip

    def given(self) -> list[dict[str, Any]]:
        """What the stub was given since the last time, call by call."""
        file = self.box.folder / "temp/given"
        text = file.read_text() if file.exists() else ""
        file.unlink(missing_ok=True)
        return [json.loads(one) for one in text.split("\0") if one]

    def wanted(self, profile: str) -> dict[str, str]:
        """What the bucket must hold below the profile's prefix."""
        folder = {"nightly": "data", "factors": "data/factors"}[profile]
        return {f"{folder.split('/')[-1]}/{path}": digest for path, digest in disk(self.tree / folder).items()}


@pytest.fixture
def repository(box: Box) -> Repository:
    return Repository(box).with_the_action()


@pytest.fixture
def stubbed(box: Box) -> Iterator[Repository]:
    repository = Repository(box).with_a_stub()
    yield repository
    assert asked(box) == set()


def asked(box: Box) -> set[str]:
    """The neighbours that got a request."""
    return {kind.partition(".")[0] for kind, count in box.counts().items() if count}


def start(workflow: workflow_file.Workflow, how: str, profile: str | None) -> Trigger:
    named: Mapping[str, str] = {} if profile is None else {"profile": profile}
    if how == "by hand":
        return workflow_trigger.by_hand(workflow, dict(named))
    if how == "by api":
        return workflow_trigger.by_api(workflow, "oss-backup", dict(named))
    return workflow_trigger.schedule(workflow)


def backup_of(run: WorkflowRun) -> Mapping[str, str]:
    """The outputs of the step that backs up."""
    return next(step.outputs for job in run.jobs.values() for step in job.steps if step.id == "backup")


TRIGGERS = [
    ("schedule", None, "nightly"), ("by hand", None, "nightly"), ("by hand", "factors", "factors"),
    ("by api", None, "nightly"), ("by api", "factors", "factors"),
]  # fmt: skip


@pytest.mark.parametrize(("how", "named", "profile"), TRIGGERS)
def test_each_trigger_backs_up_the_files_of_its_profile(
    repository: Repository, how: str, named: str | None, profile: str
) -> None:
    run = run_workflow(MAIN, start(MAIN, how, named), repository.machine())
    assert run.conclusion == "success", run.log
    wanted = repository.wanted(profile)
    assert repository.box.objects(prefix=f"{profile}/") == wanted
    assert len(repository.box.objects(prefix="")) == len(wanted) + OWN_PUTS, "and nothing else"
    assert backup_of(run)["verified"] == "true" and backup_of(run)["files-uploaded"] == str(len(wanted))
    [message] = repository.box.messages()
    assert message["title"] == backup_of(run)["notification-title"]
    assert ("factor-desk" in str(message)) is (profile == "factors"), "a profile may have a robot's settings too"


@pytest.mark.parametrize(("how", "named", "profile"), TRIGGERS)
def test_another_repository_calls_the_reusable_workflow(
    repository: Repository, how: str, named: str | None, profile: str
) -> None:
    run = run_workflow(CALLER, start(CALLER, how, named), repository.machine())
    assert run.conclusion == "success", run.log
    assert repository.box.objects(prefix=f"{profile}/") == repository.wanted(profile)
    outputs = run.jobs["backup"].outputs
    assert set(outputs) == set(REUSABLE.call.outputs) and outputs["verified"] == "true"
    assert outputs["snapshot-id"] == backup_of(run)["snapshot-id"]
    [message] = repository.box.messages()
    assert ("factor-desk" in str(message)) is (profile == "factors")


def test_a_caller_without_a_robot_tells_nobody(repository: Repository) -> None:
    run = run_workflow(CALLER, workflow_trigger.schedule(CALLER), repository.machine(robot=False))
    assert run.conclusion == "success" and repository.box.messages() == []
    assert repository.box.objects(prefix="nightly/") == repository.wanted("nightly")


@pytest.mark.parametrize("workflow", [MAIN, CALLER], ids=["main", "caller"])
def test_a_dry_run_by_hand_writes_nothing_and_tells(repository: Repository, workflow: workflow_file.Workflow) -> None:
    run = run_workflow(workflow, workflow_trigger.by_hand(workflow, {"dry-run": "true"}), repository.machine())
    assert run.conclusion == "success", run.log
    assert repository.box.objects(prefix="") == {} and len(repository.box.messages()) == 1


@pytest.mark.parametrize("workflow", [MAIN, CALLER], ids=["main", "caller"])
def test_a_backup_that_fails_fails_its_job_and_is_told(
    repository: Repository, workflow: workflow_file.Workflow
) -> None:
    run = run_workflow(workflow, start(workflow, "by hand", "broken"), repository.machine())
    assert run.conclusion == "failure" and backup_of(run)["status"] == "refused"
    [message] = repository.box.messages()
    assert "nowhere" in message["text"]
    assert all("/.oss-backup/ledger/" in key for key in repository.box.objects(prefix=""))


def test_notifications_by_hand_may_be_left_out(repository: Repository) -> None:
    given = {"notify-on": "problem", "profile": "factors"}
    run = run_workflow(MAIN, workflow_trigger.by_hand(MAIN, given), repository.machine())
    assert run.conclusion == "success" and repository.box.messages() == []


HOSTILE: list[dict[str, Any]] = [
    {"profile": "monthly"},
    {"profile": "../../etc/passwd"},
    {"profile": "x" * 60_000},
    {"profile": ""},
    {"profile": 1},
    {"profile": False},
    {"profile": {"profile": "factors"}},
    {"profile": ["factors"]},
    {"profile": "nightly\nfactors"},
    {"profile": "nightly\n"},
    {"profile": "$(touch PWNED)"},
    {"profile": "`touch PWNED`"},
    {"profile": '"; touch PWNED; "'},
    {"profile": "'; touch PWNED; '"},
    {"profile": "${{ secrets.DINGTALK_SECRET }}"},
    {"profile": "x\n::add-mask::nightly\n##[error]x"},
    {"profile": "x\nprofile=factors\nEOF"},
    {"profile": "nightly", "bucket": "evil-bucket"},
    {"profile": "nightly", "paths": "/etc"},
    {"profile": "nightly", "endpoint": "https://evil.example", "role-to-assume": "acs:ram::1:role/evil"},
    {"config": "/etc/passwd"},
    {"bucket": "evil-bucket"},
    {"dry-run": True},
    {"Profile": "nightly"},
    {'profile": "nightly", "x': "y"},
    {"inputs": {"profile": "nightly"}},
]


def refused(run: WorkflowRun) -> ActionRun:
    """The job of a run that did not get to its backup."""
    job = run.jobs["backup"]
    assert run.conclusion == "failure"
    assert {step.id: step.outcome for step in job.steps if step.depth == 0}["backup"] == "skipped", job.log
    return job


@pytest.mark.parametrize("payload", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_payload_chooses_nothing(stubbed: Repository, payload: dict[str, Any]) -> None:
    run = run_workflow(MAIN, workflow_trigger.by_api(MAIN, "oss-backup", payload), stubbed.machine())
    calls = stubbed.given()
    assert not list(stubbed.box.folder.rglob("PWNED"))
    if payload == {"profile": "monthly"}:  # a name like any other: the program knows that there is none
        assert [(call["profile"], call["config"]) for call in calls] == [("monthly", "backup.toml")] * 2
        return
    assert "client_payload may hold the name of a profile" in refused(run).log
    assert [(call["command"], call["profile"], call["report"]) for call in calls] == [("notify", "", "")]


def test_a_payload_too_large_for_a_process_ends_there(stubbed: Repository) -> None:
    payload = {"profile": "数" * 65_000}
    refused(run_workflow(MAIN, workflow_trigger.by_api(MAIN, "oss-backup", payload), stubbed.machine()))
    assert [call["command"] for call in stubbed.given()] == ["notify"]


@pytest.mark.parametrize(
    "payload", [{"profile": "monthly"}, {"profile": "x" * 65}, {"profile": "nightly", "bucket": "evil"}], ids=range(3)
)
def test_a_payload_that_is_refused_is_told_and_writes_nothing(repository: Repository, payload: dict[str, Any]) -> None:
    run = run_workflow(MAIN, workflow_trigger.by_api(MAIN, "oss-backup", payload), repository.machine())
    assert run.conclusion == "failure" and "evil" not in run.jobs["backup"].summary
    assert repository.box.objects(prefix="") == {}
    assert asked(repository.box) & {"sts", "github"} == set()
    [message] = repository.box.messages()
    assert ("monthly" in message["text"]) is (payload == {"profile": "monthly"})
    if payload == {"profile": "monthly"}:
        assert "nightly, factors, broken" in run.jobs["backup"].summary


@pytest.mark.parametrize("name", ["monthly", "../x", "$(touch PWNED)", "0", "x" * 65])
def test_the_reusable_workflow_knows_only_the_profiles_of_its_file(repository: Repository, name: str) -> None:
    trigger = workflow_trigger.by_api(CALLER, "oss-backup", {"profile": name, "bucket": "evil", "paths": "/etc"})
    run = run_workflow(CALLER, trigger, repository.machine())
    assert run.conclusion == "failure" and run.jobs["backup"].outputs["status"] == "usage"
    assert repository.box.objects(prefix="") == {} and not list(repository.box.folder.rglob("PWNED"))


def test_the_reusable_workflow_takes_no_object_for_a_name(repository: Repository) -> None:
    trigger = workflow_trigger.by_api(CALLER, "oss-backup", {"profile": {"profile": "factors"}})
    with pytest.raises(WorkflowError, match="no string"):
        run_workflow(CALLER, trigger, repository.machine())


TEXTS = st.text(max_size=40) | st.from_regex(r"[A-Za-z0-9_./$(){}`;\"'\n -]{1,20}", fullmatch=True)
VALUES = TEXTS | st.none() | st.booleans() | st.integers(-9, 9) | st.lists(TEXTS, max_size=2)
PAYLOADS = st.dictionaries(st.sampled_from(["profile", "config", "bucket", "paths"]) | TEXTS, VALUES, max_size=4)


@settings(max_examples=40)
@given(PAYLOADS | st.fixed_dictionaries({"profile": VALUES}))
def test_whatever_the_payload_nothing_but_a_name_gets_through(stubbed: Repository, payload: dict[str, Any]) -> None:
    run = run_workflow(MAIN, workflow_trigger.by_api(MAIN, "oss-backup", payload), stubbed.machine())
    calls = stubbed.given()
    usual = {"config": "backup.toml", "bucket": stubbed.machine().variables["OSS_BACKUP_BUCKET"], "paths": ""}
    if calls[0]["command"] == "":
        assert payload in ({}, {"profile": calls[0]["profile"]}), run.log
        assert {name: calls[0][name] for name in usual} == usual
        assert calls[0]["profile"].replace("_", "").replace("-", "").isalnum() or payload == {}
    else:
        assert [call["profile"] for call in calls] == [""] and refused(run)


@pytest.mark.slow
@settings(max_examples=5_000)
@given(st.text() | st.from_regex(r"[A-Za-z0-9_./$(){}`;\"'\n\[\]= -]{1,80}", fullmatch=True))
def test_whatever_the_name_only_a_profile_of_the_file_is_chosen(tmp_path: Path, name: str) -> None:
    file = tmp_path / "backup.toml"
    file.write_text(CONFIG)
    prefixes = {"": "nightly/", "nightly": "nightly/", "factors": "factors/", "broken": "broken/"}
    try:
        chosen = gather({}, {"INPUT_CONFIG": str(file), "INPUT_PROFILE": name})
        assert chosen.prefix == prefixes[name.strip()]
    except Stop as stop:
        assert name.strip() not in prefixes
        assert stop.problem.kind in (Kind.PROFILE_UNKNOWN, Kind.SETTING_MALFORMED)


def test_a_profile_from_a_shell(repository: Repository) -> None:
    box = repository.box
    (box.folder / "backup.toml").write_text(CONFIG)
    shutil.copytree(repository.tree / "data", box.folder / "data")
    done = box.run("backup", "--config", "backup.toml", "--profile", "factors")
    assert done.code == 0, done.text
    assert box.objects(prefix="factors/") == repository.wanted("factors") and "factor-desk" in str(box.messages())
    for command in ("backup", "notify"):
        done = box.run(command, "--config", "backup.toml", "--profile", "monthly")
        assert done.code == 2 and "has no profile called monthly" in done.text
        assert "nightly, factors, broken" in done.text
        done = box.run(command, "--profile", "factors", "--language", "en")
        assert done.code == 2 and "used with `config`" in done.text


def test_the_workflows_ask_for_no_more_than_they_need() -> None:
    for workflow in (MAIN, REUSABLE, CALLER):
        assert workflow.permissions == {}
        assert [job.permissions for job in workflow.jobs] == [{"id-token": "write", "contents": "read"}]
    for workflow in (MAIN, CALLER):
        assert workflow.concurrency["cancel-in-progress"] is False
    assert MAIN.crons == ("0 18 * * *",) and MAIN.types == ("oss-backup",)
    assert [step.uses for step in MAIN.jobs[0].steps if step.id == "backup"] == ["./"]
    assert all("timeout-minutes:" in flow.path.read_text() for flow in (MAIN, REUSABLE))
    assert MAIN.jobs[0].steps[-1].condition == "always()"
    assert all("${{" not in (step.run or "") for step in MAIN.jobs[0].steps)


def test_the_reusable_workflow_passes_its_inputs_on_under_the_names_of_the_action() -> None:
    own = {"runs-on", "timeout-minutes", "checkout"}
    steps = {step.name: step for step in REUSABLE.jobs[0].steps}
    backup, notify = steps["Back up"].inputs, steps["Tell DingTalk"].inputs
    passed = backup | notify
    assert REUSABLE.call.inputs.keys() - own == passed.keys() - {
        "command", "report", "dingtalk-webhook", "dingtalk-secret",
    }  # fmt: skip
    for name in REUSABLE.call.inputs.keys() - own:
        assert name in TABLE and f"inputs.{name} " in passed[name]
    assert CALLER.jobs[0].inputs.keys() <= REUSABLE.call.inputs.keys()


def test_every_profile_of_the_example_is_valid() -> None:
    file = str(ROOT / "examples/backup.toml")
    found = {name: gather({"config": file, "profile": name}, {}) for name in ("", "nightly", "factors")}
    assert found[""] == found["nightly"] != found["factors"]
