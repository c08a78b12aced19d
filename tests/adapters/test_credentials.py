"""Keys of another account than the one that was asked are not used."""

import http.server
import json
import threading

import pytest

from backup_action.adapters import credentials
from backup_action.core.problem import Kind, Stop
from backup_action.sandbox.serve import Sandbox


class Elsewhere(http.server.BaseHTTPRequestHandler):
    """An STS that gives keys of the account in its server's name."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        keys = {"AccessKeyId": "STS.x", "AccessKeySecret": "secret-x", "SecurityToken": "token-x"}
        told = {
            "RequestId": "R",
            "Credentials": keys | {"Expiration": "2099-01-01T00:00:00Z"},
            "AssumedRoleUser": {"Arn": "acs:ram::999:role/oss-backup/s"},
        }
        body = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.mark.parametrize(("account", "is_used"), [("999", True), ("123", False)])
def test_only_keys_of_the_accounts_own_role_are_used(account: str, is_used: bool) -> None:
    hidden: list[str] = []
    with Sandbox() as box, http.server.HTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        role = credentials.Role(
            f"acs:ram::{account}:role/oss-backup", f"acs:ram::{account}:oidc-provider/github", "sts.aliyuncs.com",
            "s-1", 900, f"http://127.0.0.1:{server.server_port}", "{}",
        )  # fmt: skip
        try:
            if is_used:
                assert credentials.assume(role, box.environment, hidden.append).access_key_id == "STS.x"
            else:
                with pytest.raises(Stop) as stop:
                    credentials.assume(role, box.environment, hidden.append)
                assert stop.value.problem.kind is Kind.STS_ACCOUNT
        finally:
            server.shutdown()
    assert {"secret-x", "token-x"} <= set(hidden), "hidden before anything is said of them"
