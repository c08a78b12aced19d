"""Everyone is told, each failure to tell is a warning and stops nobody else, and no secret gets out."""

import base64
import json
import re
import urllib.parse
from pathlib import Path

import msgspec
import pytest

from backup_action import publish
from backup_action.adapters.way import Way
from backup_action.core import report as reporting
from backup_action.core.problem import Kind, Problem, Status
from backup_action.core.report import Counts, Report, RootLine, Run, SnapshotLine, Target
from backup_action.publish import Audience
from backup_action.sandbox import command_files
from backup_action.sandbox.serve import Sandbox
from backup_action.sandbox.workflow_commands import Processor
from backup_action.sandbox.world import Fault

REPORT = Report(
    command="backup",
    status=Status.OK,
    exit_code=0,
    version="0.1.0",
    started_at="2026-11-22T18:00:00Z",
    duration_seconds=12.5,
    run=Run(
        host="cloud",
        repository="example/quant",
        run_id="77",
        url="https://github.com/example/quant/actions/runs/77",
    ),
    target=Target("bucket-1", "cn-hangzhou", "daily/"),
    source="example/quant",
    counts=Counts(10, 3, 7, 0, 0, 4096, 1024),
    roots=[RootLine("data", "data", Counts(10, 3, 7))],
    snapshot=SnapshotLine("20261122T180000Z-1a2b3c4d", "ab" * 32, 7, "20261121T180000Z-1a2b3c4d"),
    verified=True,
)
FAILED = msgspec.structs.replace(
    REPORT,
    status=Status.DENIED,
    exit_code=4,
    snapshot=None,
    verified=False,
    problems=[Problem(Kind.OSS_RIGHT, "daily/x", {"right": "oss:PutObject", "request-id": "R-1"})],
    problem_counts={"oss.right": 1},
)


class Step:
    """A step on GitHub: its files, and the audience that they make."""

    def __init__(self, folder: Path, cloud: Sandbox | None = None, **settings: object) -> None:
        self.output, self.summary, self.temp = folder / "output", folder / "summary", folder / "temp"
        self.output.touch()
        self.summary.touch()
        self.environ = {
            "GITHUB_ACTIONS": "true",
            "GITHUB_OUTPUT": str(self.output),
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "RUNNER_TEMP": str(self.temp),
        }
        robot = {}
        if cloud:
            robot["webhook"] = cloud.environment["OSS_BACKUP_DINGTALK_WEBHOOK"]
            robot["secret"] = cloud.environment["OSS_BACKUP_DINGTALK_SECRET"]
        self.audience = Audience(self.environ, **(robot | settings))  # type: ignore[arg-type]

    @property
    def outputs(self) -> dict[str, str]:
        """The outputs as the runner reads them."""
        return dict(command_files.pairs(self.output.read_text()))


def kinds(report: Report) -> list[Kind]:
    return [problem.kind for problem in report.problems]


def test_everyone_is_told_of_a_success(cloud: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    step = Step(tmp_path, cloud, keyword="行情", at=("13800000000",))
    cloud.world.knobs.dingtalk_keyword = "行情"
    told = publish.publish(REPORT, step.audience)
    said = capsys.readouterr()
    path = Path(told.report_path)
    assert told == msgspec.structs.replace(REPORT, report_path=str(path))
    assert re.fullmatch(r"report-77-[0-9a-f]{8}\.json", path.name) and path.parent == step.temp / "oss-backup"
    assert reporting.decode(path.read_bytes()) == told
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    (message,) = cloud.world.messages
    assert message["notified"] == ["13800000000"] and "20261122T180000Z-1a2b3c4d" in message["text"]
    assert step.outputs == dict(reporting.outputs(told, title=message["title"], text=message["text"]))
    assert step.outputs["report-path"] == str(path)
    assert step.summary.read_text().startswith("## ✅ OSS 备份：成功\n")
    assert said.out == "" and "备份已完成" in said.err


def test_everyone_is_told_of_a_failure(cloud: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    step = Step(tmp_path, cloud, language="en")
    told = publish.publish(FAILED, step.audience)
    said = capsys.readouterr()
    (annotation,) = annotations(said.out)
    assert (annotation.level, annotation.properties["title"]) == ("error", "Missing right on OSS")
    for text in (annotation.message, said.err, step.summary.read_text(), cloud.world.messages[0]["text"]):
        assert "oss:PutObject" in text and "R-1" in text
    assert (told.status, told.exit_code, step.outputs["status"]) == (Status.DENIED, 4, "denied")


def annotations(out: str) -> list:
    processor = Processor()
    effects = [processor.process(line) for line in out.splitlines()]
    assert None not in effects  # stdout is for commands alone
    return [one for effect in effects if effect for one in effect.annotations]


def test_off_github_the_last_report_has_one_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for environ, place in (
        ({"STATE_DIRECTORY": f"{tmp_path}/a:{tmp_path}/b", "XDG_STATE_HOME": f"{tmp_path}/x"}, "a"),
        ({"XDG_STATE_HOME": f"{tmp_path}/x", "HOME": f"{tmp_path}/h"}, "x"),
        ({"XDG_STATE_HOME": "relative", "HOME": f"{tmp_path}/h"}, "h/.local/state"),
        ({"HOME": f"{tmp_path}/h"}, "h/.local/state"),
    ):
        for report in (REPORT, FAILED):
            told = publish.publish(report, Audience(environ))
            assert told.report_path == f"{tmp_path}/{place}/oss-backup/report.json"
            assert reporting.decode(Path(told.report_path).read_bytes()).status is report.status
        assert [file.name for file in Path(told.report_path).parent.iterdir()] == ["report.json"]
    assert capsys.readouterr().out == ""


def test_two_runs_of_a_job_keep_their_reports(tmp_path: Path) -> None:
    step = Step(tmp_path)
    assert publish.publish(REPORT, step.audience).report_path != publish.publish(FAILED, step.audience).report_path
    assert len(list((step.temp / "oss-backup").iterdir())) == 2


def test_a_run_id_from_outside_is_no_path(tmp_path: Path) -> None:
    report = msgspec.structs.replace(REPORT, run=Run(run_id="../../x"))
    assert Path(publish.publish(report, Step(tmp_path).audience).report_path).parent == tmp_path / "temp/oss-backup"


def break_report(step: Step) -> None:
    step.temp.write_text("a file where the folder should be")


def break_outputs(step: Step) -> None:
    step.output.unlink()
    step.output.mkdir()


def break_summary(step: Step) -> None:
    step.summary.unlink()
    step.summary.mkdir()


@pytest.mark.parametrize("status", [REPORT, FAILED], ids=["ok", "denied"])
@pytest.mark.parametrize(
    ("broken", "where"),
    [(break_report, "report-"), (break_outputs, "GITHUB_OUTPUT"), (break_summary, "GITHUB_STEP_SUMMARY")],
)
def test_who_cannot_be_told_costs_nobody_else(
    broken: object, where: str, status: Report, cloud: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    step = Step(tmp_path, cloud, language="en")
    broken(step)  # type: ignore[operator]
    told = publish.publish(status, step.audience)
    said = capsys.readouterr()
    assert (told.status, told.exit_code) == (status.status, status.exit_code)
    (warning,) = [problem for problem in told.problems if problem.kind is Kind.PUBLISH_FAILED]
    assert where in warning.where and warning.facts["reason"]
    assert told.problem_counts["publish.failed"] == 1
    assert len(cloud.world.messages) == 1
    assert "could not be written" in said.err
    if broken is break_report:
        assert told.report_path == "" and step.outputs["report-path"] == ""
    else:
        assert reporting.decode(Path(told.report_path).read_bytes()) == told  # written once more, with the warning
    if broken is not break_outputs:
        assert step.outputs["status"] == status.status.value
    if broken is not break_summary:
        assert step.summary.read_text()


def test_an_older_report_is_not_passed_off_as_this_one(tmp_path: Path) -> None:
    audience = Audience({"XDG_STATE_HOME": str(tmp_path)})
    publish.publish(REPORT, audience)
    file = tmp_path / "oss-backup/report.json"
    file.unlink()
    (file / "in the way").mkdir(parents=True)
    assert publish.publish(REPORT, audience).report_path == ""


def test_a_robot_that_fails_is_a_warning(cloud: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fault = Fault("status", "dingtalk", status=200, code="300005", message="token is not exist", count=-1)
    cloud.world.faults.append(fault)
    step = Step(tmp_path, cloud, language="en")
    told = publish.publish(REPORT, step.audience)
    assert (told.status, told.exit_code, kinds(told)) == (Status.OK, 0, [Kind.NOTIFY_FAILED])
    assert reporting.decode(Path(told.report_path).read_bytes()) == told
    assert [one.level for one in annotations(capsys.readouterr().out)] == ["warning"]
    assert "token is not exist" in step.summary.read_text()


@pytest.mark.parametrize(
    ("notify_on", "report", "called"),
    [
        ("always", REPORT, True),
        ("always", FAILED, True),
        ("problem", REPORT, False),
        ("problem", FAILED, True),
        ("problem", msgspec.structs.replace(REPORT, problem_counts={"drift.missing": 1}), True),
        ("problem", msgspec.structs.replace(REPORT, problem_counts={"file.special": 1, "keys.stored": 1}), False),
        ("never", FAILED, False),
    ],
)
def test_when_the_robot_is_told(notify_on: str, report: Report, called: bool, cloud: Sandbox, tmp_path: Path) -> None:
    publish.publish(report, Step(tmp_path, cloud, notify_on=notify_on).audience)
    assert len(cloud.world.messages) == called


def test_without_a_webhook_nobody_is_called(tmp_path: Path) -> None:
    assert publish.notify(REPORT, Step(tmp_path).audience) is None


def test_no_secret_gets_out(cloud: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secret = 'S3cr/t+k=y"\n中文-end'
    forms = [
        secret,
        urllib.parse.quote(secret, safe=""),
        json.dumps(secret)[1:-1],
        base64.b64encode(b"xy" + secret.encode() + b"z").decode(),
        "中文-end",
    ]
    problems = [Problem(Kind.OSS_REFUSED, form, {"message": form, "request-id": form}) for form in forms]
    report = msgspec.structs.replace(
        FAILED, problems=problems, source=secret, identity=forms[1], roots=[RootLine(secret, forms[2])]
    )
    step = Step(tmp_path, cloud, secrets=(secret,))
    token = urllib.parse.parse_qs(urllib.parse.urlsplit(step.audience.webhook).query)["access_token"][0]
    report = msgspec.structs.replace(report, version=f"{token} {step.audience.secret}")
    told = publish.publish(report, step.audience)
    said = capsys.readouterr()
    texts = [
        said.out,
        said.err,
        step.summary.read_text(),
        step.output.read_text(),
        json.dumps(cloud.world.messages),
    ]
    texts += [Path(told.report_path).read_text(), repr(told), repr(step.audience)]
    for text in texts:
        for form in (*forms, token, step.audience.secret):
            assert form not in text
            assert json.dumps(form)[1:-1] not in text
    assert all("***" in text for text in texts[2:-1])


def test_the_password_of_a_proxy_is_in_no_repr() -> None:
    assert "pa55word" not in repr(Audience({}, way=Way("http://user:pa55word@127.0.0.1:1")))


def test_what_rendering_makes_is_looked_at_too(
    cloud: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    step = Step(tmp_path, cloud, secrets=("OSS 备份：访问被拒绝", "缺少 OSS 权限"))
    publish.publish(FAILED, step.audience)
    said = capsys.readouterr()
    texts = [step.outputs["notification-title"], step.summary.read_text(), cloud.world.messages[0]["title"]]
    for text in (*texts, said.err, *(one.properties["title"] for one in annotations(said.out))):
        assert "***" in text and "访问被拒绝" not in text.splitlines()[0] and "缺少 OSS 权限" not in text


def test_names_that_are_no_utf_8_reach_everyone(cloud: Sandbox, tmp_path: Path) -> None:
    name = b"data/\xff\n::error::x".decode(errors="surrogateescape")
    step = Step(tmp_path, cloud)
    problem = Problem(Kind.FILE_UNREADABLE, name, {name: name})
    report = msgspec.structs.replace(FAILED, problems=[problem], roots=[RootLine(name, name)], source=name)
    told = publish.publish(report, step.audience)
    assert kinds(told) == [Kind.FILE_UNREADABLE]
    for text in (step.summary.read_text(), cloud.world.messages[0]["text"]):
        assert r"data/\xff\n::error::x" in text
    assert reporting.decode(Path(told.report_path).read_bytes()).problems[0].where == "data/\\xff\n::error::x"


def test_a_status_is_not_redacted(tmp_path: Path) -> None:
    step = Step(tmp_path, secrets=("oss.right", "denied"))
    told = publish.publish(FAILED, step.audience)
    assert (told.status, told.problems[0].kind) == (Status.DENIED, Kind.OSS_RIGHT)


def test_telling_that_breaks_in_an_unforeseen_way_is_a_warning_too(tmp_path: Path) -> None:
    step = Step(tmp_path, webhook="http://127.0.0.1:1/robot/send?access_token=abcdef", language="xx")
    broken = msgspec.structs.replace(REPORT, counts=None)
    told = publish.publish(broken, step.audience)
    assert told.status is Status.OK
    assert [problem.where for problem in told.problems] == [
        "DingTalk",
        "GITHUB_OUTPUT",
        "GITHUB_STEP_SUMMARY",
        "stderr",
    ]
    problem = publish.notify(broken, step.audience)
    assert problem is not None and problem.facts == {"reason": "AttributeError"}
