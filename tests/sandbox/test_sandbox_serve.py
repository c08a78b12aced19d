"""The front door of the sandbox: in a thread for tests, as a command for people, with all its neighbours at once."""

from __future__ import annotations

import json
import os
import select
import shlex
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import oss2
import pytest
import requests

from backup_action.sandbox.serve import SERVICES, SHANGHAI_BUCKET, Sandbox, main, write_environment
from backup_action.sandbox.world import Fault, Key

NAMES = """
ACTIONS_ID_TOKEN_REQUEST_URL ACTIONS_ID_TOKEN_REQUEST_TOKEN
OSS_BACKUP_ROLE_TO_ASSUME OSS_BACKUP_OIDC_PROVIDER_ARN OSS_BACKUP_STS_ENDPOINT
OSS_BACKUP_ENDPOINT OSS_BACKUP_REGION OSS_BACKUP_BUCKET OSS_BACKUP_DINGTALK_WEBHOOK OSS_BACKUP_DINGTALK_SECRET
OSS_SANDBOX_ACCESS_KEY_ID OSS_SANDBOX_ACCESS_KEY_SECRET
OSS_SANDBOX_BUCKET OSS_SANDBOX_VERSIONED_BUCKET OSS_SANDBOX_CONTROL
"""


def bucket(environment: dict[str, str], name: str = "", auth: object = None) -> oss2.Bucket:
    """The vendor's client, with the permanent key unless another is given."""
    keys = [environment[f"OSS_SANDBOX_ACCESS_KEY_{part}"] for part in ("ID", "SECRET")]
    return oss2.Bucket(
        auth or oss2.AuthV4(*keys),
        environment["OSS_BACKUP_ENDPOINT"],
        name or environment["OSS_SANDBOX_BUCKET"],
        region=environment["OSS_BACKUP_REGION"],
    )


def session_keys(environment: dict[str, str], rules: dict[str, object] | None = None) -> oss2.StsAuth:
    """From the runner's token to keys, as a job does it."""
    bearer = {"Authorization": f"Bearer {environment['ACTIONS_ID_TOKEN_REQUEST_TOKEN']}"}
    url = f"{environment['ACTIONS_ID_TOKEN_REQUEST_URL']}&audience=sts.aliyuncs.com"
    call = {
        "Action": "AssumeRoleWithOIDC",
        "Version": "2015-04-01",
        "OIDCProviderArn": environment["OSS_BACKUP_OIDC_PROVIDER_ARN"],
        "RoleArn": environment["OSS_BACKUP_ROLE_TO_ASSUME"],
        "RoleSessionName": "gha",
        "OIDCToken": requests.get(url, headers=bearer, timeout=5).json()["value"],
        **({} if rules is None else {"Policy": json.dumps(rules)}),
    }
    told = requests.post(environment["OSS_BACKUP_STS_ENDPOINT"], data=call, timeout=5).json()["Credentials"]
    return oss2.StsAuth(told["AccessKeyId"], told["AccessKeySecret"], told["SecurityToken"], oss2.AUTH_VERSION_4)


def test_the_environment_is_complete_and_on_loopback(box: Sandbox) -> None:
    assert set(box.environment) == set(NAMES.split())
    assert all(box.environment.values())
    addresses = [urlsplit(value) for value in box.environment.values() if value.startswith("http")]
    assert {(address.scheme, address.hostname) for address in addresses} == {("http", "127.0.0.1")}
    assert len({address.port for address in addresses}) == len(SERVICES)
    assert box.control == box.environment["OSS_SANDBOX_CONTROL"]
    assert box.environment["OSS_BACKUP_DINGTALK_SECRET"].startswith("SEC")


def test_the_permanent_key_may_do_everything(box: Sandbox) -> None:
    here = bucket(box.environment)
    here.put_object("a/b", b"content")
    assert here.get_object("a/b").read() == b"content"
    here.delete_object("a/b")
    assert not here.object_exists("a/b")


def test_the_buckets_that_there_are(box: Sandbox) -> None:
    versioned = bucket(box.environment, box.environment["OSS_SANDBOX_VERSIONED_BUCKET"])
    assert versioned.get_bucket_versioning().status == "Enabled"
    assert bucket(box.environment).get_bucket_versioning().status is None
    with pytest.raises(oss2.exceptions.AccessDenied) as caught:  # it has another endpoint
        bucket(box.environment, SHANGHAI_BUCKET).put_object("x", b"")
    assert caught.value.ec == "0003-00001403"
    assert caught.value.details["Endpoint"] == "oss-cn-shanghai.aliyuncs.com"


def test_session_keys_open_the_bucket(box: Sandbox) -> None:
    here = bucket(box.environment, auth=session_keys(box.environment))
    here.put_object("x", b"1")
    assert here.get_object("x").read() == b"1"


def test_a_session_policy_narrows_them(box: Sandbox) -> None:
    rules = {
        "Version": "1",
        "Statement": [
            {"Effect": "Allow", "Action": "oss:PutObject", "Resource": "acs:oss:*:*:sandbox-bucket/p/*"},
            {
                "Effect": "Allow",
                "Action": "oss:ListObjects",
                "Resource": "acs:oss:*:*:sandbox-bucket",
                "Condition": {"StringLike": {"oss:Prefix": "p/*"}, "Bool": {"acs:SecureTransport": "true"}},
            },
        ],
    }
    here = bucket(box.environment, auth=session_keys(box.environment, rules))
    here.put_object("p/x", b"1")
    assert [found.key for found in here.list_objects_v2(prefix="p/").object_list] == ["p/x"]
    for refused in (
        lambda: here.put_object("q/x", b"1"),
        lambda: here.get_object("p/x"),
        lambda: here.delete_object("p/x"),
        lambda: here.list_objects_v2(),
        lambda: bucket(box.environment, "sandbox-versioned", here.auth).put_object("p/x", b""),
    ):
        with pytest.raises(oss2.exceptions.AccessDenied):
            refused()


def test_conditions_that_the_sandbox_adds(box: Sandbox) -> None:
    limits = {"IpAddress": {"acs:SourceIp": "127.0.0.0/8"}, "DateLessThan": {"acs:CurrentTime": "2100-01-01T00:00:00Z"}}
    rules = {"Effect": "Allow", "Action": "oss:*", "Resource": "*", "Condition": limits}
    here = bucket(box.environment, auth=session_keys(box.environment, {"Version": "1", "Statement": [rules]}))
    here.put_object("x", b"1")
    box.world.knobs.clock_offset = (2101 - 1970) * 366 * 86400
    assert not box.allowed(Key("a", "b", policies=({"Version": "1", "Statement": [rules]},)), "oss:GetObject", "*", {})


def test_expired_keys_are_refused(box: Sandbox) -> None:
    box.world.knobs.key_seconds = 0
    here = bucket(box.environment, auth=session_keys(box.environment))
    with pytest.raises(oss2.exceptions.ServerError) as caught:
        here.put_object("x", b"1")
    assert caught.value.status == 403


def test_reset_empties_the_buckets_and_ends_uploads(box: Sandbox) -> None:
    here, versioned = bucket(box.environment), bucket(box.environment, "sandbox-versioned")
    for place in (here, versioned):
        place.put_object("a", b"1")
        place.put_object("a", b"2")
        place.delete_object("a")
        place.put_object("b", b"3")
        place.init_multipart_upload("c")
    assert requests.post(f"{box.control}/reset", timeout=5).ok
    for place in (here, versioned):
        assert place.list_object_versions().versions == place.list_object_versions().delete_marker == []
        assert place.list_multipart_uploads().upload_list == []
    assert versioned.get_bucket_versioning().status == "Enabled"


def test_two_sandboxes_know_nothing_of_each_other(box: Sandbox) -> None:
    with Sandbox() as other:
        bucket(other.environment).put_object("x", b"1")
        assert not bucket(box.environment).object_exists("x")
        assert set(box.urls.values()).isdisjoint(other.urls.values())
        with pytest.raises(oss2.exceptions.ServerError):
            bucket(box.environment, auth=session_keys(other.environment)).put_object("x", b"1")


def test_nothing_answers_when_it_is_over() -> None:
    with Sandbox() as box:
        box.world.faults = [Fault("stall", "dingtalk", seconds=600)]
        with pytest.raises(requests.ReadTimeout):  # a request under way does not hold it up
            requests.post(box.environment["OSS_BACKUP_DINGTALK_WEBHOOK"], timeout=0.1)
    for url in box.urls.values():
        with pytest.raises(requests.ConnectionError):
            requests.get(url, timeout=5)


def test_a_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=str(port)), Sandbox(ports={"oss": port}):
            pass


def test_a_port_that_is_wanted() -> None:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    with Sandbox(ports={"control": port}) as box:
        assert box.control == f"http://127.0.0.1:{port}"


def test_objects_are_kept_in_a_folder(tmp_path: Path) -> None:
    with Sandbox(tmp_path) as box:
        bucket(box.environment).put_object("日 线.csv", b"1")
    with Sandbox(tmp_path) as box:
        assert bucket(box.environment).get_object("日 线.csv").read() == b"1"
        assert requests.post(f"{box.control}/reset", timeout=5).ok
    with Sandbox(tmp_path) as box:
        assert not bucket(box.environment).object_exists("日 线.csv")


# The command, as a process.


@contextmanager
def command(file: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    line = [sys.executable, "-m", "backup_action.sandbox.serve", "--env", str(file), *options]
    root = Path(__file__).parents[2]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=root) as process:
        try:
            yield process
        finally:
            process.kill()


def ready(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    readable, _, _ = select.select([process.stdout], [], [], 30)
    assert readable, "it does not get ready"
    return process.stdout.readline()


def read(file: Path, names: str = NAMES) -> dict[str, str]:
    """What a shell makes of the file."""
    script = f". {shlex.quote(str(file))}; env -0"
    found = subprocess.run(
        ["sh", "-c", script], capture_output=True, check=True, text=True, env={"PATH": os.environ["PATH"]}
    )
    pairs = dict(entry.partition("=")[::2] for entry in found.stdout.split("\0") if entry)
    return {name: pairs[name] for name in names.split()}


def test_any_value_survives_the_shell(tmp_path: Path) -> None:
    values = {"ONE": "it's $HOME `id` \"x\" \\ ''", "TWO": "日 线\n'second line'", "THREE": ""}
    write_environment(tmp_path / "env", values)
    assert read(tmp_path / "env", "ONE TWO THREE") == values


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_runs_until_it_is_told_to_stop(tmp_path: Path, number: signal.Signals) -> None:
    file = tmp_path / "it's here.env"
    with command(file) as process:
        line = ready(process)
        environment = read(file)
        assert str(file) in line
        assert environment["OSS_SANDBOX_CONTROL"] in line
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert [path.name for path in tmp_path.iterdir()] == [file.name]
        assert all(text.startswith("export ") for text in file.read_text().splitlines())
        assert requests.get(f"{environment['OSS_SANDBOX_CONTROL']}/requests", timeout=5).json() == {"counts": {}}
        process.send_signal(number)
        output, errors = process.communicate(timeout=20)
    assert (process.returncode, output, errors) == (0, "", "")


def test_the_command_keeps_its_state(tmp_path: Path) -> None:
    file, state = tmp_path / "env", tmp_path / "state"
    for content in (None, b"1"):
        with command(file, "--state", str(state)) as process:
            ready(process)
            here = bucket(read(file))
            assert (here.get_object("x").read() if here.object_exists("x") else None) == content
            here.put_object("x", b"1")
            process.terminate()
            assert process.wait(timeout=20) == 0


def test_a_stopped_command_is_not_held_up_by_a_client(tmp_path: Path) -> None:
    file = tmp_path / "env"
    with command(file) as process:
        ready(process)
        environment = read(file)
        stall = [{"kind": "stall", "service": "github", "seconds": 3600}]
        requests.post(f"{environment['OSS_SANDBOX_CONTROL']}/faults", json=stall, timeout=5)
        with socket.create_connection(
            ("127.0.0.1", urlsplit(environment["ACTIONS_ID_TOKEN_REQUEST_URL"]).port)
        ) as client:
            client.sendall(b"GET /token HTTP/1.1\r\nHost: x\r\n\r\n")
            time.sleep(0.1)
            process.terminate()
            assert process.wait(timeout=20) == 0


def test_an_environment_file_of_an_earlier_run_goes(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("export OSS_SANDBOX_CONTROL='http://127.0.0.1:1'\n")
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        command(file, "--port-sts", str(taken.getsockname()[1])) as process,
    ):
        output, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert output == ""
    assert errors.startswith("The sandbox could not start: ")
    assert not file.exists()


@pytest.mark.parametrize("place", ["", "missing/env"])
def test_an_environment_file_that_cannot_be_written(tmp_path: Path, place: str) -> None:
    with command(tmp_path / place) as process:
        output, errors = process.communicate(timeout=30)
    assert (process.returncode, output) == (1, "")
    assert errors.startswith("The sandbox could not start: ")
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_ordinary_file_is_left_alone(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/null")
    for name in ("pipe", "link"):
        with command(tmp_path / name) as process:
            _, errors = process.communicate(timeout=30)
        assert process.returncode == 1
        assert "no ordinary file" in errors
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "pipe"]


@pytest.mark.parametrize(
    "options",
    [[], ["--env", "x", "--port-oss", "many"], ["--env", "x", "--port-oss", "65536"], ["--env", "x", "--unknown"]],
)
def test_a_wrong_command_line(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(options)
    assert caught.value.code == 2
    assert "usage: " in capsys.readouterr().err
