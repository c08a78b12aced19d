"""Cancellation: which process gets which signal, and what runs afterwards."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from backup_action.sandbox.runner import run_action
from backup_action.sandbox.step_process import Patience, end_orphans, run

LISTENER = textwrap.dedent(
    """
    import signal, sys, time
    def tell(number, frame):
        print("got", signal.Signals(number).name, flush=True)
        if signal.Signals(number).name in sys.argv[1:]:
            sys.exit(130)
    signal.signal(signal.SIGINT, tell)
    signal.signal(signal.SIGTERM, tell)
    print("ready", flush=True)
    for _ in range(600):
        time.sleep(0.1)
    """
)
SHORT = Patience(interrupt=0.4, terminate=0.4, streams=0.5)


def cancelled_run(tmp_path, script, *later, patience=SHORT):
    """Runs a step with the script, cancels when it says that it is ready; then steps with the later conditions."""
    (tmp_path / "listener.py").write_text(LISTENER)
    (tmp_path / "workspace").mkdir()
    script = script.replace("LISTENER", f"{sys.executable} {tmp_path}/listener.py")
    lines = ["name: t", "outputs: {a: {value: x}}", "runs:", "  using: composite", "  steps:"]
    lines += [f"    - {{id: first, shell: bash, run: '{script}'}}"]
    lines += [f"    - {{if: '{condition}', shell: bash, run: 'sleep 5; echo later-ran'}}" for condition in later]
    (tmp_path / "action.yml").write_text("\n".join(lines))
    cancel = threading.Event()
    return run_action(
        tmp_path,
        inputs={},
        environment={},
        workspace=tmp_path / "workspace",
        temp=tmp_path / "temp",
        echo=lambda line: cancel.set() if line == "ready" else None,
        cancel=cancel,
        patience=patience,
    )


def test_a_process_that_was_execed_gets_the_interrupt(tmp_path):
    run = cancelled_run(tmp_path, "exec LISTENER SIGINT", patience=Patience())
    assert "got SIGINT\n" in run.log and "SIGTERM" not in run.log
    assert run.conclusion == "cancelled"
    assert run.steps[0].exit_code == 130
    assert "##[error]The operation was canceled.\n" in run.log
    assert run.outputs == {"a": "x"}


def test_a_child_of_the_shell_gets_no_signal(tmp_path):
    run = cancelled_run(tmp_path, "LISTENER SIGINT SIGTERM; echo after")
    assert "got" not in run.log
    assert run.conclusion == "cancelled"


def test_then_terminate_then_kill(tmp_path):
    run = cancelled_run(tmp_path, "exec LISTENER SIGTERM", patience=Patience(interrupt=0.4))
    assert run.log.index("got SIGINT") < run.log.index("got SIGTERM")
    assert run.steps[0].exit_code == 130


def test_kill_at_last(tmp_path):
    run = cancelled_run(tmp_path, "exec LISTENER")
    assert run.conclusion == "cancelled"
    assert run.steps[0].exit_code == 128 + signal.SIGKILL


def test_steps_after_a_cancellation(tmp_path):
    run = cancelled_run(
        tmp_path, "exec LISTENER SIGINT", "success()", "failure()", "!cancelled()", "always()", "cancelled()"
    )
    assert [step.outcome for step in run.steps] == [
        "cancelled",
        "skipped",
        "skipped",
        "skipped",
        "cancelled",
        "cancelled",
    ]
    assert "later-ran\n" not in run.log.replace("echo later-ran\n", "")


def test_a_stream_that_stays_open_is_not_waited_for(tmp_path):
    seen: list[str] = []
    environment = {"PATH": os.environ["PATH"], "RUNNER_TRACKING_ID": f"test-{tmp_path}"}
    ended = run(
        ["/bin/sh", "-c", "sleep 600 & echo done"],
        environment=environment,
        folder=tmp_path,
        receive=seen.append,
        patience=SHORT,
    )
    assert ended.streams_open and ended.code == 0 and seen == ["done"]
    assert len(end_orphans(f"test-{tmp_path}")) == 1


def test_a_signalled_process_counts_128_and_more(tmp_path):
    ended = run(["/bin/sh", "-c", "kill -9 $$"], environment={}, folder=tmp_path, receive=lambda line: None)
    assert ended.code == 137 and not ended.cancelled


def test_lines_as_the_runner_cuts_them(tmp_path):
    seen: list[str] = []
    run(
        ["/bin/sh", "-c", r"printf 'a\nb\r\nc\rd\n\nbad\377\ne'"],
        environment={"PATH": os.environ["PATH"]},
        folder=tmp_path,
        receive=seen.append,
    )
    assert seen == ["a", "b", "c", "d", "", "bad\ufffd", "e"]


def test_a_program_that_is_missing_is_an_error(tmp_path):
    with pytest.raises(OSError, match="nosuch"):
        run([str(tmp_path / "nosuch")], environment={}, folder=tmp_path, receive=lambda line: None)


def test_the_command_line_passes_an_interrupt_on(tmp_path):
    (tmp_path / "listener.py").write_text(LISTENER)
    script = f"exec {sys.executable} {tmp_path}/listener.py SIGINT"
    action = f"runs: {{using: composite, steps: [{{shell: bash, run: '{script}'}}]}}"
    (tmp_path / "action.yml").write_text(action)
    command = [sys.executable, "-u", "-m", "backup_action.sandbox.runner", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line == "ready\n":
                process.send_signal(signal.SIGINT)
                break
        rest = process.stdout.read()
    assert "got SIGINT\n" in rest
    assert process.returncode == 1


def test_a_cancel_before_the_start_reaches_the_first_process(tmp_path):
    cancel = threading.Event()
    cancel.set()
    ended = run(
        ["/bin/sleep", "600"], environment={}, folder=tmp_path, receive=lambda line: None, cancel=cancel, patience=SHORT
    )
    assert ended.cancelled and ended.code == 128 + signal.SIGINT
