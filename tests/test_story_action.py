"""The action as a runner runs it: action.yml's own steps, on real trees, read back with a client that is not ours."""

import hashlib
import os
import random
import subprocess
import sysconfig
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import alibabacloud_oss_v2 as vendor
import pytest
from box import RECORD, Box, disk

from backup_action.core import place
from backup_action.core.report import outputs
from backup_action.sandbox.runner import ActionRun, run_action
from backup_action.sandbox.serve import Sandbox

ROOT = Path(__file__).parents[1]
GIVEN = (
    *("role-to-assume", "oidc-provider-arn", "sts-endpoint", "endpoint", "region", "bucket"),
    *("dingtalk-webhook", "dingtalk-secret"),
)
LEFT_OUT = ("site-packages", "dist-packages", "test", "idlelib")
COMPILED = "__pycache__"  # of any folder: whoever imports a module meanwhile may write there


def act(box: Box, inputs: dict[str, str], *, oidc: bool = True, cancel: threading.Event | None = None) -> ActionRun:
    """Runs the action with the sandbox's addresses as inputs."""
    told = box.sandbox.environment
    given = {name: told[f"OSS_BACKUP_{name.upper().replace('-', '_')}"] for name in GIVEN}
    job = {name: value for name, value in told.items() if name.startswith("ACTIONS_") and oidc}
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    workspace = box.folder / "workspace"
    workspace.mkdir(exist_ok=True)
    return run_action(
        ROOT, inputs=given | inputs, environment=job, workspace=workspace, temp=box.folder / "temp",
        tool_cache=cache, cancel=cancel,
    )  # fmt: skip


def read_back(box: Box, prefix: str) -> dict[str, str]:
    """Key below the prefix and SHA-256 of every object, by the vendor's other SDK."""
    told = box.sandbox.environment
    keys = vendor.credentials.StaticCredentialsProvider(
        told["OSS_SANDBOX_ACCESS_KEY_ID"], told["OSS_SANDBOX_ACCESS_KEY_SECRET"]
    )
    config = vendor.config.load_default()
    config.credentials_provider, config.region, config.endpoint = (
        keys,
        told["OSS_BACKUP_REGION"],
        told["OSS_BACKUP_ENDPOINT"],
    )
    config.use_path_style = True
    client = vendor.Client(config)
    pages = client.list_objects_v2_paginator().iter_page(
        vendor.ListObjectsV2Request(bucket=told["OSS_BACKUP_BUCKET"], prefix=prefix, max_keys=1000)
    )
    found = [one.key for page in pages for one in page.contents or []]

    def digest(key: str) -> str:
        body = client.get_object(vendor.GetObjectRequest(bucket=told["OSS_BACKUP_BUCKET"], key=key)).body
        return hashlib.sha256(body.content if hasattr(body, "content") else body.read()).hexdigest()

    wanted = [key for key in found if not key.startswith(f"{prefix}.oss-backup/")]
    with ThreadPoolExecutor(4) as pool:
        return dict(zip((key.removeprefix(prefix) for key in wanted), pool.map(digest, wanted), strict=True))


def hostile(folder: Path) -> None:
    names = [
        b"a b",
        "数据 一.csv".encode(),
        "\U0001f4c8".encode(),
        b"50%",
        b"%41",
        b"new\nline",
        b"\xff\xfe\x80",
        b"::error::x",
    ]
    for number, name in enumerate(names):
        with open(os.path.join(os.fsencode(folder), name), "wb") as file:
            file.write(b"%d" % number)


def test_real_trees_through_the_actions_steps(box: Box) -> None:
    workspace = box.folder / "workspace"
    (workspace / "hostile").mkdir(parents=True)
    hostile(workspace / "hostile")
    subprocess.run(["git", "clone", "-q", "--no-hardlinks", str(ROOT), str(workspace / "checkout")], check=True)
    library = Path(sysconfig.get_path("stdlib"))
    inputs = {
        "paths": f"{library} => library\nhostile\ncheckout", "prefix": "real",
        "exclude": "\n".join([COMPILED, *(f"/{name}" for name in LEFT_OUT)]),
    }  # fmt: skip
    first = act(box, inputs)
    assert first.conclusion == "success", first.log
    assert (first.outputs["status"], first.outputs["verified"], first.outputs["files-failed"]) == ("ok", "true", "0")
    places = {"library": library, "hostile": workspace / "hostile", "checkout": workspace / "checkout"}
    wanted = {
        place.code(f"{root}/{path}"): digest
        for root, folder in places.items()
        for path, digest in disk(folder).items()
        if path.split("/")[0] not in LEFT_OUT and COMPILED not in path.split("/")
    }
    assert len(wanted) > 500 and read_back(box, "real/") == wanted
    assert first.outputs["files-total"] == str(len(wanted))
    assert int(first.outputs["files-uploaded"]) + int(first.outputs["files-copied"]) == len(wanted)

    second = act(box, inputs)
    assert (second.outputs["files-uploaded"], second.outputs["bytes-uploaded"]) == ("0", "0")

    seed = random.randrange(2**32)
    print(f"seed {seed}")
    edited = random.Random(seed).sample(sorted(disk(workspace / "checkout")), 7)
    for path in edited:
        (workspace / "checkout" / path).chmod(0o644)
        (workspace / "checkout" / path).write_bytes(os.urandom(50))
    third = act(box, inputs)
    assert third.outputs["files-uploaded"] == "7" and third.outputs["bytes-uploaded"] == "350"
    assert third.outputs["parent-id"] == second.outputs["snapshot-id"]
    wanted |= {place.code(f"checkout/{path}"): digest for path, digest in disk(workspace / "checkout").items()}
    assert read_back(box, "real/") == wanted


def test_a_restore_is_a_command_of_the_action_too(box: Box) -> None:
    workspace = box.folder / "workspace"
    (workspace / "data").mkdir(parents=True)
    hostile(workspace / "data")
    backed = act(box, {"paths": "data", "prefix": "p", "language": "en"})
    assert backed.conclusion == "success", backed.log
    run = act(box, {"command": "restore", "target": "back", "prefix": "p", "language": "zh"})
    assert run.conclusion == "success", run.log
    assert disk(workspace / "back/data") == disk(workspace / "data")
    assert run.outputs["status"] == "ok" and run.outputs["verified"] == "true"
    assert run.outputs["snapshot-id"] == backed.outputs["snapshot-id"]
    assert run.outputs["files-uploaded"] == run.outputs["files-total"] == str(len(disk(workspace / "data")))
    assert "恢复" in run.summary and "SHA-256" in run.summary and "恢复" in box.messages()[-1]["title"]


def test_what_people_find_after_a_run(box: Box) -> None:
    (box.folder / "workspace/data").mkdir(parents=True)
    (box.folder / "workspace/data/x.csv").write_text("1,2\n")
    run = act(box, {"paths": "data", "language": "en"})
    assert run.conclusion == "success", run.log
    assert set(run.outputs) == set(outputs_of_a_report())
    assert run.outputs["snapshot-digest"] in run.summary and "data" in run.summary
    [message] = box.messages()
    assert message["title"] == run.outputs["notification-title"] and message["text"] == run.outputs["notification-text"]
    assert not run.masked_outputs and Path(run.outputs["report-path"]).exists()


def outputs_of_a_report() -> dict[str, str]:
    from backup_action.core.problem import Status
    from backup_action.core.report import Report

    return dict(outputs(Report("backup", Status.OK, 0, "", "", 0.0), title="", text=""))


@pytest.mark.parametrize(
    ("inputs", "oidc", "status", "code", "word", "puts"),
    [
        ({"paths": "nowhere"}, True, "refused", "8", "nowhere", RECORD),
        ({"paths": "data", "bucket": "No_Bucket"}, True, "usage", "2", "bucket", 0),
        ({"paths": "data"}, False, "denied", "4", "id-token: write", 0),
        ({"paths": ""}, True, "usage", "2", "paths", 0),
        ({"paths": "data", "command": "bakup"}, True, "usage", "2", "command", 0),
    ],
)
def test_outputs_summary_and_message_tell_of_a_failure_too(
    box: Box, inputs: dict[str, str], oidc: bool, status: str, code: str, word: str, puts: int
) -> None:
    (box.folder / "workspace/data").mkdir(parents=True)
    (box.folder / "workspace/data/x").write_text("x")
    run = act(box, {"language": "en"} | inputs, oidc=oidc)
    assert run.conclusion == "failure"
    assert (run.outputs["status"], run.outputs["exit-code"], run.outputs["verified"]) == (status, code, "false")
    assert word in run.summary and word in run.outputs["notification-text"]
    ours, runners = (one for one in run.annotations if one.level == "error")
    assert word in ours.message
    assert runners.message == f"Process completed with exit code {code}."
    assert len(box.messages()) == 1 and box.sent() == puts


def test_a_later_step_tells_dingtalk_from_the_report(box: Box) -> None:
    quiet = {"dingtalk-webhook": "", "dingtalk-secret": "", "language": "en"}
    failed = act(box, {"paths": "nowhere"} | quiet)
    assert failed.conclusion == "failure" and box.messages() == []
    later = act(box, {"command": "notify", "report": failed.outputs["report-path"], "notify-on": "problem"})
    assert later.conclusion == "success", later.log
    [message] = box.messages()
    assert "nowhere" in message["text"]
    (box.folder / "workspace/data").mkdir()
    (box.folder / "workspace/data/x").write_text("x")
    good = act(box, {"paths": "data"} | quiet)
    act(box, {"command": "notify", "report": good.outputs["report-path"], "notify-on": "problem"})
    assert len(box.messages()) == 1, "a good run is no problem"
    act(box, {"command": "notify", "report": good.outputs["report-path"]})
    assert len(box.messages()) == 2


@pytest.fixture
def own_box(tmp_path: Path) -> Iterator[Box]:
    """A box with a sandbox of its own: a stand-in goes on with what it stalled, when the client is long gone."""
    with Sandbox() as sandbox:
        yield Box(sandbox, tmp_path)


def test_a_cancelled_job_ends_its_uploads_and_still_tells(own_box: Box) -> None:
    box = own_box
    (box.folder / "workspace/data").mkdir(parents=True)
    (box.folder / "workspace/data/big").write_bytes(os.urandom(40 << 20))
    box.post("faults", [{"kind": "stall", "service": "oss", "request": "part", "seconds": 60, "count": -1}])
    cancel = threading.Event()
    result: list[ActionRun] = []
    thread = threading.Thread(
        target=lambda: result.append(act(box, {"paths": "data", "language": "en"}, cancel=cancel))
    )
    thread.start()
    while not box.sent("oss.initiate") and thread.is_alive():
        thread.join(0.05)
    thread.join(0.5)
    cancel.set()
    thread.join(30)
    [run] = result
    assert run.conclusion == "cancelled"
    assert (run.outputs["status"], run.outputs["exit-code"]) == ("interrupted", "130"), run.log
    assert box.sent("oss.abort") == 1 and box.sent("oss.complete") == 0 and box.snapshots() == []


def test_a_set_up_that_fails_says_so_in_the_outputs_too(box: Box) -> None:
    for wrong in ({"python": "/nowhere/python"}, {"index-url": "ftp://example"}, {"cache": "perhaps"}):
        run = act(box, {"paths": "data"} | wrong)
        assert run.conclusion == "failure"
        assert (run.outputs["status"], run.outputs["exit-code"]) == ("usage", "2")
        assert next(iter(wrong)) in run.annotations[0].message
