"""The demonstration behind `demo.sh`: two nights of a backup, shown as its people would see them.

It checks what it shows: where the second night sends anything but what changed, it ends with an error.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from backup_action.sandbox.runner import ActionRun, read_env_file, run_action

WITH = {
    "region": "cn-hangzhou",
    "prefix": "quant",
    "paths": "data/datasets\nfactors => data/factors",
    "exclude": "*.tmp",
}


GIVEN = (
    *("role-to-assume", "oidc-provider-arn", "bucket", "endpoint", "sts-endpoint"),
    *("dingtalk-webhook", "dingtalk-secret"),
)  # inputs whose values are the sandbox's
EXPECTED = {
    "status": ("ok", "ok"),
    "files-uploaded": ("122", "2"),
    "files-unchanged": ("0", "120"),
    "files-removed": ("0", "1"),
    "verified": ("true", "true"),
}  # output: first night, second night


def heading(text: str) -> None:
    bold, plain = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")
    print(f"\n{bold}==== {text} {'=' * max(4, 90 - len(text))}{plain}")


def hide(line: str, given: dict[str, str]) -> str:
    """What GitHub does to a repository's secrets in a log."""
    for name in ("dingtalk-webhook", "dingtalk-secret"):
        line = line.replace(given[name], "***")
    return line


def market_data(workspace: Path) -> None:
    """120 small CSV files of prices, one file of 12 MB, a link, and names as they come in practice."""
    rng = random.Random(7)
    for symbol in ("EURUSD", "XAUUSD", "沪深300"):
        for day in range(1, 41):
            path = workspace / "data/datasets" / symbol / f"2025-12-{day:02d}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            rows = (f"{day:02d}:{minute:02d},{1 + rng.random() / 10:.5f}\n" for minute in range(60))
            path.write_text("time,price\n" + "".join(rows))
    (workspace / "data/datasets/ticks.bin").write_bytes(rng.randbytes(12_000_000))
    (workspace / "data/datasets/latest.bin").symlink_to("ticks.bin")
    (workspace / "data/datasets/half-written.tmp").write_text("not to be kept")
    (workspace / "factors").mkdir()
    (workspace / "factors/动量 momentum 100%.csv").write_text("factor,value\nmom,0.42\n")


def a_day_passes(workspace: Path) -> None:
    """One file grows, one is new, one goes, and every time of change is touched, as a checkout does."""
    with (workspace / "data/datasets/EURUSD/2025-12-40.csv").open("a") as file:
        file.write("40:60,1.05432\n")
    (workspace / "factors/反转 reversal.csv").write_text("factor,value\nrev,-0.17\n")
    (workspace / "data/datasets/XAUUSD/2025-12-01.csv").unlink()
    now = time.time_ns()
    for path in workspace.rglob("*.csv"):
        os.utime(path, ns=(now, now))


def night(number: int, action: Path, environment: dict[str, str], folder: Path) -> ActionRun:
    """One run of the action's own steps."""
    role = {name: environment[f"OSS_BACKUP_{name.upper().replace('-', '_')}"] for name in GIVEN}
    job = {name: value for name, value in environment.items() if name.startswith("ACTIONS_")}
    heading(f"Night {number}: the log of the step")
    cache = Path(sys.prefix).parent.parent
    run = run_action(
        action, inputs=WITH | role, environment=job, workspace=folder / "workspace", temp=folder / f"temp{number}",
        tool_cache=cache, github={"repository": "example/quant-data"}, echo=lambda line: print(hide(line, role)),
    )  # fmt: skip
    heading(f"Night {number}: the job summary")
    print(run.summary)
    heading(f"Night {number}: the outputs")
    for name, value in run.outputs.items():
        print(f"{name:20} {value if chr(10) not in value else value.splitlines()[0] + ' …'}")
    return run


def main() -> int:
    """Runs it all; 0 if everything was as it should be."""
    action = Path(sys.argv[1])
    with tempfile.TemporaryDirectory(prefix="oss-backup-demo-") as name:
        folder = Path(name)
        market_data(folder / "workspace")
        file = folder / "sandbox.env"
        command = [sys.executable, "-I", "-m", "backup_action", "sandbox", "--env", str(file)]
        with subprocess.Popen(command) as sandbox:
            try:
                while not file.exists() and sandbox.poll() is None:
                    time.sleep(0.02)
                return show(action, read_env_file(file.read_text()), folder)
            finally:
                sandbox.terminate()


def show(action: Path, environment: dict[str, str], folder: Path) -> int:
    """Two nights, the messages, and the verdict."""
    first = night(1, action, environment, folder)
    a_day_passes(folder / "workspace")
    second = night(2, action, environment, folder)
    heading("DingTalk, as the robot received it")
    with urllib.request.urlopen(f"{environment['OSS_SANDBOX_CONTROL']}/dingtalk") as answer:
        messages = json.load(answer)
    for message in messages:
        print(f"[{message['title']}]\n{message['text']}\n")
    told = {name: (first.outputs[name], second.outputs[name]) for name in EXPECTED}
    heading("The verdict")
    if told != EXPECTED or len(messages) != 2:
        print(f"Something is wrong: {told} and {len(messages)} messages; expected {EXPECTED} and 2.", file=sys.stderr)
        return 1
    print("Night 1 sent 122 files. Night 2 read what was touched, sent the 2 that are new, and left 120 alone.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
