"""The workflow files of examples/, run as they are but for the names of the cloud, the robot and the paths."""

import os
import re
from pathlib import Path

import pytest
from box import Box, disk
from test_story_restore import restore

from backup_action.sandbox import workflow_file, workflow_trigger
from backup_action.sandbox.runner import ActionRun
from backup_action.sandbox.workflow import Runner, WorkflowRun, run_workflow
from backup_action.settings import TABLE

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.yml"))
STEPS = [path for path in EXAMPLES if "\n    steps:\n" in path.read_text()]


def plain(path: Path) -> str:
    """An example without the environment of its job, of which the sandbox's runner knows nothing."""
    return re.sub(r"\n    environment: \S+", "", path.read_text())


def run(box: Box, name: str, **secrets: str) -> ActionRun:
    """One night of an example of one job; it must succeed."""
    (job,) = night(box, name, **secrets).jobs.values()
    return job


def night(box: Box, name: str, **secrets: str) -> WorkflowRun:
    """One night of an example; it must succeed."""
    told = box.sandbox.environment
    text = plain(ROOT / "examples" / name).replace("mt5-hub-data", told["OSS_BACKUP_BUCKET"])
    text = re.sub(r"acs:ram::\d+:role/\S+", told["OSS_BACKUP_ROLE_TO_ASSUME"], text).replace("/srv/mt5", str(box.tree))
    ways = (("endpoint", "OSS_BACKUP_ENDPOINT"), ("sts-endpoint", "OSS_BACKUP_STS_ENDPOINT"))
    where = "".join(f"          {key}: {told[variable]}\n" for key, variable in ways)
    text = text.replace("          region: cn-hangzhou\n", f"          region: cn-hangzhou\n{where}")
    file = box.folder / name
    file.write_text(text)
    workflow = workflow_file.load(file)
    robot = {key: told[f"OSS_BACKUP_{key}"] for key in ("DINGTALK_WEBHOOK", "DINGTALK_SECRET")}
    machine = Runner(
        box.folder / "workspace", box.folder / "temp",
        Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"),
        secrets=robot | secrets, oidc={key: value for key, value in told.items() if key.startswith("ACTIONS_")},
        repositories={step.uses: ROOT for job in workflow.jobs for step in job.steps},
    )  # fmt: skip
    done = run_workflow(workflow, workflow_trigger.schedule(workflow), machine)
    assert done.conclusion == "success", done.log
    return done


def fill(box: Box, *names: str) -> None:
    for name in names:
        (box.tree / name).mkdir()
        (box.tree / name / "数据.csv").write_text(f"time,{name}\n1,2\n")


def test_what_the_nightly_example_backs_up_the_others_prove_and_keep(box: Box) -> None:
    fill(box, "datasets", "factors")
    run(box, "oss-backup.yml")
    stored = box.objects(prefix="nightly/")
    steps = {step.name: step.outputs for step in run(box, "verify.yml").steps if step.depth == 0}
    assert [steps[name]["verified"] for name in ("Verify", "Drill")] == ["true", "true"]
    assert steps["Drill"]["drill-files"] == "2"
    titles = [message["title"] for message in box.messages()]
    assert len(titles) == 2, "the backup's and the drill's: a verification that found nothing tells nobody"
    run(box, "prune.yml")
    assert box.objects(prefix="nightly/") == stored
    assert len(box.messages()) == 2


def test_the_vault_example_is_encrypted_and_opens_with_its_passphrase(box: Box) -> None:
    fill(box, "ticks", "runs")
    run(box, "vault.yml", BACKUP_PASSPHRASE="correct horse battery staple")
    keys = [key for key in box.objects(prefix="") if not key.startswith("packed/.oss-backup/")]
    assert keys == []
    given = ("--layout", "vault", "--prefix", "packed", "--source", "example/quant-data")
    assert restore(box, *given).code == 2, "not without it"
    done = restore(box, *given, OSS_BACKUP_PASSPHRASE="correct horse battery staple")
    assert done.code == 0, done.text
    assert disk(box.folder / "back") == disk(box.tree)


def test_the_sharded_example_makes_one_snapshot_of_eight_shares(box: Box) -> None:
    fill(box, "datasets", "factors")
    done = night(box, "sharded.yml")
    assert list(done.jobs) == [*(f"shard ({number})" for number in range(1, 9)), "shard", "merge"]
    (merged,) = (step for step in done.jobs["merge"].steps if step.depth == 0)
    (snapshot,) = box.snapshots(prefix="nightly/")
    assert merged.outputs["snapshot-id"] == snapshot[0]["head"]["id"]
    assert merged.outputs["files-total"] == "2" and merged.outputs["verified"] == "true"
    assert len(box.messages()) == 1, "the merge tells the group, and no shard does"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_asks_for_no_more_than_it_needs_and_names_what_there_is(path: Path, tmp_path: Path) -> None:
    text, copy = plain(path), tmp_path / path.name
    copy.write_text(text)
    workflow = workflow_file.load(copy)
    assert workflow.permissions == {}
    assert workflow.concurrency["cancel-in-progress"] is False
    allowed = {"id-token": "write"} if path in STEPS else {"id-token": "write", "contents": "read"}
    assert all(job.permissions == allowed for job in workflow.jobs)
    used = re.findall(r"uses: (\S+)(.*)", text)
    assert used and all(re.fullmatch(r"OWNER/oss-backup-action(/\S+)?@0{40}", uses) for uses, _ in used)
    assert all(rest == " # v0.1.0" for _, rest in used)
    if path in STEPS:
        assert "timeout-minutes:" in text
        assert {name for job in workflow.jobs for step in job.steps for name in step.inputs} <= set(TABLE)
