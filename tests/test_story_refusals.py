"""Stories of runs that must not begin: what is wrong is said in one sentence, in the reader's language, and nothing is
written.
"""

import json
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import oss2
import pytest
from box import RECORD, Box, Ended

from backup_action.sandbox.world import ACCOUNT, BUCKET, PROVIDER_ARN, SUBJECT, VERSIONED_BUCKET

ISSUER = "https://token.actions.githubusercontent.com"
WRITES = ("put", "initiate", "part", "part-copy", "complete", "copy", "append", "delete", "delete-many", "abort")


@dataclass(frozen=True)
class Case:
    """What is wrong, and what must be said."""

    code: int
    status: str
    kind: str
    en: tuple[str, ...]
    zh: tuple[str, ...]
    flags: tuple[str, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    knobs: Mapping[str, Any] = field(default_factory=dict)
    request_id: bool = False
    asked: bool = True  # whether the network may be asked before it is known


def usage(kind: str, *said: str, **more: Any) -> Case:
    """A wrong setting: its name and the rest must be said in both languages."""
    return Case(2, "usage", kind, said, said, asked=False, **more)


def denied(kind: str, en: tuple[str, ...], zh: tuple[str, ...], **more: Any) -> Case:
    return Case(4, "denied", kind, en, zh, request_id=True, **more)


def role(*actions: str) -> dict[str, Any]:
    """A role's policy that grants these actions on everything."""
    return {"Version": "1", "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": ["*"]}]}


def trust(**condition: list[str]) -> dict[str, Any]:
    """A trust policy with one condition of the default's changed."""
    told = {"oidc:iss": [ISSUER], "oidc:aud": ["sts.aliyuncs.com"], "oidc:sub": [SUBJECT]}
    told |= {f"oidc:{name}": values for name, values in condition.items()}
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Federated": [PROVIDER_ARN]}}
    return {"Version": "1", "Statement": [{**statement, "Condition": {"StringEquals": told}}]}


MALFORMED = {
    "bucket": ("Bad_Bucket", "3"), "region": ("oss-cn-hangzhou", "cn-hangzhou"), "prefix": ("/x", "/"),
    "endpoint": ("http://oss-cn-hangzhou.aliyuncs.com", "https://"), "role-to-assume": ("role/x", "acs:ram::"),
    "oidc-provider-arn": (f"acs:ram::{ACCOUNT}:role/x", "oidc-provider"), "concurrency": ("0", "512"),
    "role-session-name": ("a b", "64"), "role-session-expiration": ("899", "900"), "language": ("fr", "zh"),
    "sts-endpoint": ("https://user@sts.aliyuncs.com", "user"), "audience": ("a b", "255"),
    "dingtalk-webhook": ("https://example.com/robot/send?access_token=x", "oapi.dingtalk.com"),
    "notify-on": ("sometimes", "problem"), "storage-class": ("Cold", "ColdArchive"), "tags": ("team", "key=value"),
    "bandwidth-limit": ("fast", "20MB"), "proxy": ("https://proxy.example:3128", "http://host:port"),
    "command": ("resurrect", "restore"),
}  # fmt: skip
ELEVEN = [f"k{number}=v" for number in range(11)]
HOSTILE_ENDPOINTS = [
    "https://user@evil.example/path", "https://evil.example", "https://oss-cn-hangzhou.aliyuncs.com.evil.example",
    "https://100.100.100.200", "http://169.254.169.254", "https://oss-cn-hangzhou.aliyuncs.com:8080",
    "https://oss-cn-hangzhou.aliyuncs.com/x", "https://oss-cn-hangzhou.aliyuncs.com?x=y", "ftp://127.0.0.1",
]  # fmt: skip
HOSTILE_PREFIXES = ["a//b", "../x", "a/./b", "a*", "a?", "a%2fb", "x/.oss-backup", "\\x", "a\nb", "y" * 513]

CASES: dict[str, Case] = {
    **{
        f"no {name}": usage("setting.missing", name, f"--{name}", f"OSS_BACKUP_{name.replace('-', '_').upper()}",
                            without=(f"OSS_BACKUP_{name.replace('-', '_').upper()}",))
        for name in ("bucket", "region", "role-to-assume", "oidc-provider-arn")
    },
    **{
        f"malformed {name}": usage("setting.malformed", name, rule,
                                   environ={f"OSS_BACKUP_{name.replace('-', '_').upper()}": value})
        for name, (value, rule) in MALFORMED.items()
        if name not in ("language", "command", "prefix")
    },
    "malformed flag": usage("setting.malformed", "bucket", "Bad_Bucket", "--bucket", flags=("--bucket", "Bad_Bucket")),
    "malformed input": usage("setting.malformed", "dry-run", "yes", "INPUT_DRY_RUN", environ={"INPUT_DRY_RUN": "yes"}),
    "unknown flag": usage("command-line", "--buket", flags=("--buket", "x")),
    "unknown variable": usage("setting.unknown", "OSS_BACKUP_BUKET", "OSS_BACKUP_BUCKET",
                              environ={"OSS_BACKUP_BUKET": "x"}),
    "unknown key of the config file": usage("setting.unknown", "buket", "bucket",
                                            environ={"OSS_BACKUP_CONFIG": "unknown.toml"}),
    "malformed value in the config file": usage("setting.malformed", "concurrency", "many", "malformed.toml",
                                                environ={"OSS_BACKUP_CONFIG": "malformed.toml"}),
    "a setting of the set-up in the config file": usage("setting.misplaced", "index-url", "placed.toml",
                                                        "INPUT_INDEX_URL",
                                                        environ={"OSS_BACKUP_CONFIG": "placed.toml"}),
    "a setting in a table of the config file": Case(
        2, "usage", "setting.misplaced", ("bucket", "table", "oss-backup-table", "table.toml"),
        ("bucket", "表", "oss-backup-table", "table.toml"), asked=False, environ={"OSS_BACKUP_CONFIG": "table.toml"},
    ),
    "a path without its flag": usage("command-line", "--path", flags=("data",)),
    "config file that is no TOML": usage("config.malformed", "no.toml", environ={"OSS_BACKUP_CONFIG": "no.toml"}),
    "config file that is missing": usage("config.unreadable", "absent.toml",
                                         environ={"OSS_BACKUP_CONFIG": "absent.toml"}),
    "accounts that differ": usage("setting.contradiction", "oidc-provider-arn", "`role-to-assume`",
                                  environ={"OSS_BACKUP_OIDC_PROVIDER_ARN": "acs:ram::1:oidc-provider/github"}),
    "a KMS key without KMS": Case(
        2, "usage", "setting.contradiction",
        ("kms-key-id", "key-1", "It has to be used with `server-side-encryption: KMS`"),
        ("kms-key-id", "key-1", "要求：只能与 `server-side-encryption: KMS` 一起使用"), asked=False,
        environ={"OSS_BACKUP_KMS_KEY_ID": "key-1"},
    ),
    "eleven tags": usage("setting.malformed", "tags", "10", environ={"OSS_BACKUP_TAGS": "\n".join(ELEVEN)}),
    "two tags with one key": Case(2, "usage", "setting.malformed", ("tags", "each key once", "team"),
                                  ("tags", "每个键只能出现一次", "team"), asked=False,
                                  flags=("--tags", "team=a", "--tags", "team=b")),
    "two paths with one place": usage("paths.overlap", "tree", flags=("--path", "other => t")),
    "a path in another": usage("paths.overlap", "tree", flags=("--path", "other => t/below")),
    "a path that does not exist": Case(
        8, "refused", "source.missing", ("absent", "does not exist", "Nothing was written"), ("absent", "不存在"),
        flags=("--path", "absent => elsewhere"),
    ),
    "a path without files": Case(
        8, "refused", "source.empty", ("hollow", "nothing was written"), ("hollow", "没有写入"),
        flags=("--path", "hollow => elsewhere"),
    ),
    "all excluded": Case(8, "refused", "source.empty", ("tree", "exclude"), ("tree", "exclude"),
                         flags=("--exclude", "*")),
    "no permission to ask for a token": Case(
        4, "denied", "oidc.no-permission", ("permissions: id-token: write",), ("permissions: id-token: write",),
        without=("ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"),
    ),
    "a pull request from a fork": Case(
        4, "denied", "oidc.fork", ("stranger/fork", "fork"), ("stranger/fork", "复刻"),
        without=("ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"),
        environ={"GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": "event.json"},
    ),
    "a request token that is not the job's": Case(
        4, "denied", "oidc.refused", ("401", "audience", "id-token: write"), ("401", "audience", "id-token: write"),
        environ={"ACTIONS_ID_TOKEN_REQUEST_TOKEN": "wrong-wrong-wrong"},
    ),
    "a trust policy for another branch": denied(
        "sts.trust", (SUBJECT, "sts:AssumeRole", '"oidc:sub"', "trust policy", PROVIDER_ARN),
        (SUBJECT, "信任策略", '"oidc:sub"', PROVIDER_ARN),
        knobs={"trust_policy": trust(sub=["repo:example/quant-data:ref:refs/heads/other"])},
    ),
    "a trust policy for the other form of the subject": denied(
        "sts.trust", ("repo:example@9919/quant-data@704112233:ref:refs/heads/main", "OWNER@OWNER_ID"),
        ("repo:example@9919/quant-data@704112233:ref:refs/heads/main", "OWNER@OWNER_ID"),
        knobs={"claims": {"sub": "repo:example@9919/quant-data@704112233:ref:refs/heads/main"}},
    ),
    "a job with an environment": denied(
        "sts.trust", ("repo:example/quant-data:environment:backup", ":environment:NAME"),
        ("repo:example/quant-data:environment:backup", ":environment:NAME"),
        knobs={"claims": {"sub": "repo:example/quant-data:environment:backup"}},
    ),
    "another issuer": denied("sts.issuer", ("https://ghes.example/_services/token", "issuer"),
                             ("https://ghes.example/_services/token", "颁发者"),
                             knobs={"claims": {"iss": "https://ghes.example/_services/token"}}),
    "an audience that the provider does not know": denied(
        "sts.audience", ("another.audience", "client IDs"), ("another.audience", "客户端 ID"),
        environ={"OSS_BACKUP_AUDIENCE": "another.audience"},
    ),
    "a role that does not exist": denied(
        "sts.role", (f"acs:ram::{ACCOUNT}:role/absent", "role-to-assume"),
        (f"acs:ram::{ACCOUNT}:role/absent", "role-to-assume"),
        environ={"OSS_BACKUP_ROLE_TO_ASSUME": f"acs:ram::{ACCOUNT}:role/absent"},
    ),
    "a provider that does not exist": denied(
        "sts.provider", (f"acs:ram::{ACCOUNT}:oidc-provider/absent", "oidc-provider-arn"),
        (f"acs:ram::{ACCOUNT}:oidc-provider/absent", "oidc-provider-arn"),
        environ={"OSS_BACKUP_OIDC_PROVIDER_ARN": f"acs:ram::{ACCOUNT}:oidc-provider/absent"},
    ),
    "a session longer than the role allows": denied(
        "sts.duration", ("role-session-expiration", "3600", "7200"), ("role-session-expiration", "3600", "7200"),
        environ={"OSS_BACKUP_ROLE_SESSION_EXPIRATION": "7200"},
    ),
    "a token that is no token": Case(
        4, "denied", "oidc.refused", ("audience",), ("audience",), knobs={"claims": {"aud": "somebody.else"}},
    ),
    "a token without a subject": denied("sts.token-invalid", ("OIDC token",), ("OIDC 令牌",),
                                        knobs={"claims": {"sub": None}}),
    "a bucket that does not exist": denied("oss.bucket", ("no-such-bucket", "bucket", "region"),
                                           ("no-such-bucket", "bucket", "region"),
                                           environ={"OSS_BACKUP_BUCKET": "no-such-bucket"}),
    "a bucket of another region": denied(
        "oss.endpoint", ("sandbox-shanghai", "region", "oss-cn-shanghai"),
        ("sandbox-shanghai", "region", "oss-cn-shanghai"), environ={"OSS_BACKUP_BUCKET": "sandbox-shanghai"},
    ),
    "no right to list": denied("oss.right", ("oss:ListObjects", BUCKET), ("oss:ListObjects", BUCKET),
                               knobs={"role_policy": role("oss:PutObject", "oss:GetObject")}),
    "no right to write": denied("oss.right", ("oss:PutObject", BUCKET), ("oss:PutObject", BUCKET),
                                knobs={"role_policy": role("oss:ListObjects", "oss:GetObject")}),
    "no right to read": denied("oss.right", ("oss:GetObject", BUCKET), ("oss:GetObject", BUCKET),
                               knobs={"role_policy": role("oss:ListObjects", "oss:PutObject")}),
    "no rights": denied("oss.right", ("oss:ListObjects",), ("oss:ListObjects",),
                        knobs={"role_policy": role("oss:GetBucketInfo")}),
    "static keys that are missing": usage(
        "setting.missing", "ALIBABA_CLOUD_ACCESS_KEY_ID", "allow-static-keys",
        environ={"OSS_BACKUP_ALLOW_STATIC_KEYS": "true"},
    ),
    "static keys that nobody knows": denied(
        "oss.key", ("ALIBABA_CLOUD_ACCESS_KEY_ID",), ("ALIBABA_CLOUD_ACCESS_KEY_ID",),
        environ={"OSS_BACKUP_ALLOW_STATIC_KEYS": "true", "ALIBABA_CLOUD_ACCESS_KEY_ID": "LTAI000000000000",
                 "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "not-the-right-one"},
    ),
}  # fmt: skip


@pytest.fixture
def prepared(box: Box) -> Box:
    """A box with a path to back up, and files that the cases name."""
    (box.tree / "a").write_bytes(b"1")
    (box.folder / "other").mkdir()
    (box.folder / "other/a").write_bytes(b"1")
    (box.folder / "hollow/deeper").mkdir(parents=True)
    (box.folder / "unknown.toml").write_text('buket = "x"\n')
    (box.folder / "malformed.toml").write_text('concurrency = "many"\n')
    (box.folder / "placed.toml").write_text('index-url = "https://mirror.example/simple"\n')
    (box.folder / "table.toml").write_text('[oss-backup-table]\nbucket = "a-bucket"\n')
    (box.folder / "no.toml").write_text("this is no TOML\n")
    sides = {side: {"repo": {"full_name": name}} for side, name in (("head", "stranger/fork"), ("base", "own/data"))}
    (box.folder / "event.json").write_text(json.dumps({"pull_request": sides}))
    return box


def run(box: Box, case: Case, language: str = "en") -> Ended:
    box.post("settings", case.knobs)
    asked = ("backup", "--path", "tree => t", "--prefix", "p", "--source", "story", "--language", language)
    environ: dict[str, Any] = {"GITHUB_STEP_SUMMARY": "summary", **case.environ}
    return box.run(*asked, *case.flags, without=case.without, **environ)


def assert_told(box: Box, case: Case, ended: Ended, language: str) -> None:
    assert (ended.code, ended.told.status, ended.told.exit_code) == (case.code, case.status, case.code), ended.text
    counts = {kind: count for kind, count in ended.told.problem_counts.items() if kind != "keys.stored"}
    assert counts == {case.kind: 1}
    assert "Traceback" not in ended.text
    summary = (box.folder / "summary").read_text()
    for word in case.zh if language == "zh" else case.en:
        assert word in ended.text, f"{word!r} is not in {ended.text}"
        assert word in summary or word.replace('"', "") in summary
    if case.request_id:
        problem = next(problem for problem in ended.told.problems if problem.kind == case.kind)
        assert problem.facts["request-id"] in ended.text and f"RequestId {problem.facts['request-id']}" in ended.text
    assert ended.told.snapshot is None and not ended.told.verified


def assert_nothing_written(box: Box, case: Case) -> None:
    counts = box.counts()
    refused = 128 if case.kind == "oss.right" else 0  # what OSS refused is not written; no more than go out at a time
    assert sum(counts.get(f"oss.{kind}", 0) for kind in WRITES) <= refused + RECORD
    assert box.objects(BUCKET) == {} and box.objects(VERSIONED_BUCKET) == {} and box.snapshots() == []
    if not case.asked:
        assert not any(count for kind, count in counts.items() if kind.startswith(("oss.", "sts.", "github.")))


CHINESE = ("no bucket", "unknown variable", "a path without files", "a pull request from a fork",
           "a trust policy for another branch", "no right to write", "a bucket of another region",
           "an audience that the provider does not know", "a setting in a table of the config file",
           "a setting of the set-up in the config file", "a path without its flag",
           "two tags with one key")  # fmt: skip
# Every setting's grammar has its own test elsewhere; here a few stand for all.
LONGER = {f"no {name}" for name in ("region", "oidc-provider-arn")} | {
    f"malformed {name}" for name in MALFORMED if name not in ("bucket", "endpoint", "dingtalk-webhook")
}


def longer(names: Iterable[str]) -> list[Any]:
    """The cases as parameters, these marked as belonging to the longer form."""
    chosen = set(names)
    return [pytest.param(name, marks=pytest.mark.slow) if name in chosen else name for name in CASES]


@pytest.mark.parametrize("name", longer(LONGER))
def test_what_is_wrong_is_said_and_nothing_is_written(prepared: Box, name: str) -> None:
    case = CASES[name]
    ended = run(prepared, case)
    assert_told(prepared, case, ended, "en")
    if "malformed dingtalk" not in name:
        [message] = prepared.messages()
        assert message["text"], "DingTalk hears of refusals too"
    prepared.post("settings", {"role_policy": None})
    assert_nothing_written(prepared, case)


@pytest.mark.parametrize("name", longer(set(CASES) - set(CHINESE)))
def test_the_same_is_said_in_chinese(prepared: Box, name: str) -> None:
    case = CASES[name]
    assert_told(prepared, case, run(prepared, case, "zh"), "zh")


@pytest.mark.parametrize("name", ["language", "command", "prefix"])
def test_a_malformed_setting_of_a_run_without_arguments_is_told(prepared: Box, name: str) -> None:
    value, choice = MALFORMED[name]
    environ: dict[str, Any] = {"OSS_BACKUP_COMMAND": "backup", f"INPUT_{name.upper()}": value}
    ended = prepared.run(**environ)
    assert (ended.code, ended.told.status) == (2, "usage") and ended.told.problem_counts == {"setting.malformed": 1}
    assert name in ended.text and choice in ended.text and value in ended.text


@pytest.mark.parametrize(("language", "said"), [("en", "Put the command first"), ("zh", "请把命令放在最前面")])
def test_an_option_before_its_command_is_told_where_it_belongs(prepared: Box, language: str, said: str) -> None:
    ended = prepared.run("--bucket", "a-bucket", "backup", OSS_BACKUP_LANGUAGE=language)
    assert ended.code == 2 and ended.told.problem_counts == {"command-line": 1} and said in ended.text


@pytest.fixture
def encrypted(prepared: Box) -> Iterator[Box]:
    """The box while its bucket encrypts everything by KMS."""
    client = prepared.client()
    rule = oss2.models.ServerSideEncryptionRule(sse_algorithm=oss2.SERVER_SIDE_ENCRYPTION_KMS, kms_master_keyid="key-1")
    client.put_bucket_encryption(rule)
    yield prepared
    client.delete_bucket_encryption()


def test_a_bucket_that_kms_encrypts_takes_a_backup(encrypted: Box) -> None:
    """Without a right on KMS in the session's policy, whatever the role may do, OSS would refuse."""
    ended = encrypted.backup()
    assert ended.code == 0, ended.text
    stored = encrypted.client().get_object("p/t/a")
    assert stored.read() == b"1" and stored.headers["x-oss-server-side-encryption-key-id"] == "key-1"


KMS_CASES = {
    "a role without rights on KMS": denied(
        "oss.kms", ("`kms:GenerateDataKey`", "`kms:Decrypt`", "permission policy", BUCKET),
        ("`kms:GenerateDataKey`", "`kms:Decrypt`", "权限策略", BUCKET),
        knobs={"role_policy": role("oss:PutObject", "oss:GetObject", "oss:ListObjects", "oss:AbortMultipartUpload")},
    ),
    "a disabled key": denied("oss.kms", ("forbidden by kms", "the key is enabled", BUCKET),
                             ("forbidden by kms", "启用状态", BUCKET), knobs={"kms_keys": {"key-1": "disabled"}}),
    "a key that is not there": denied("oss.kms", ("KMS has no key", "key-1", "`kms-key-id`"),
                                      ("KMS 中没有密钥", "key-1", "`kms-key-id`"),
                                      knobs={"kms_keys": {"key-1": "absent"}}),
}  # fmt: skip


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("name", KMS_CASES)
def test_a_kms_key_that_may_not_be_used_is_told(encrypted: Box, name: str, language: str) -> None:
    case = KMS_CASES[name]
    assert_told(encrypted, case, run(encrypted, case, language), language)
    encrypted.post("settings", {"role_policy": None, "kms_keys": {}})
    assert encrypted.objects() == {} and encrypted.snapshots() == []


SETTINGS_CASES = {
    "no right to write tags": denied(
        "oss.right", ("oss:PutObjectTagging", "take the setting `tags` out"),
        ("oss:PutObjectTagging", "去掉设置 `tags`"),
        knobs={"role_policy": role("oss:PutObject", "oss:GetObject", "oss:ListObjects", "oss:DeleteObject")},
        environ={"OSS_BACKUP_TAGS": "team=quant"},
    ),
    "a KMS key of somebody else": denied(
        "oss.kms", ("KMS has no key", "key-9", "`kms-key-id`"), ("KMS 中没有密钥", "key-9", "`kms-key-id`"),
        knobs={"kms_keys": {"key-9": "absent"}},
        environ={"OSS_BACKUP_SERVER_SIDE_ENCRYPTION": "KMS", "OSS_BACKUP_KMS_KEY_ID": "key-9"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("name", SETTINGS_CASES)
def test_what_the_bucket_does_not_take_of_the_settings_is_told(prepared: Box, name: str, language: str) -> None:
    case = SETTINGS_CASES[name]
    assert_told(prepared, case, run(prepared, case, language), language)
    prepared.post("settings", {"role_policy": None, "kms_keys": {}})
    assert prepared.objects() == {} and prepared.snapshots() == []


def test_hostile_endpoints_and_prefixes_are_refused_before_anything_is_asked(prepared: Box) -> None:
    wrong = [("endpoint", one) for one in HOSTILE_ENDPOINTS[:3]] + [("prefix", one) for one in HOSTILE_PREFIXES[:3]]
    for name, value in wrong:
        ended = prepared.backup(**{"INPUT_" + name.upper(): value}) if name == "endpoint" else prepared.run(
            "backup", "--path", "tree", "--prefix", value
        )  # fmt: skip
        assert ended.code == 2 and ended.told.problem_counts == {"setting.malformed": 1}, (value, ended.text)
    assert prepared.sent("github.token") == 0


@pytest.mark.slow
def test_more_hostile_endpoints_and_prefixes(prepared: Box) -> None:
    for endpoint in HOSTILE_ENDPOINTS:
        assert prepared.backup(INPUT_ENDPOINT=endpoint, INPUT_STS_ENDPOINT="").code == 2, endpoint
        assert prepared.backup(INPUT_STS_ENDPOINT=endpoint).code == 2, endpoint
    for prefix in HOSTILE_PREFIXES:
        assert prepared.run("backup", "--path", "tree", "--prefix", prefix).code == 2, prefix
    assert prepared.sent("github.token") == 0


def test_a_wrong_setting_with_a_secret_in_it_is_not_repeated(prepared: Box) -> None:
    webhook = "https://example.com/robot/send?access_token=0123456789abcdef"
    ended = prepared.backup(OSS_BACKUP_DINGTALK_WEBHOOK=webhook)
    assert ended.code == 2 and "dingtalk-webhook" in ended.text and "0123456789abcdef" not in ended.text


@pytest.mark.parametrize("knob", ["oss", "sts", "github"])
@pytest.mark.slow
def test_an_endpoint_where_nobody_listens_is_told(prepared: Box, knob: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
    names = {"oss": "OSS_BACKUP_ENDPOINT", "sts": "OSS_BACKUP_STS_ENDPOINT", "github": "ACTIONS_ID_TOKEN_REQUEST_URL"}
    kinds = {"oss": "oss.unreachable", "sts": "sts.unreachable", "github": "oidc.unreachable"}
    value = f"{address}/token?x=y" if knob == "github" else address
    ended = prepared.backup(**{names[knob]: value})
    assert (ended.code, ended.told.status) == (5, "unreachable") and ended.told.problem_counts == {kinds[knob]: 1}
    assert "refused" in ended.text.lower() and "127.0.0.1" in ended.text
    assert prepared.objects() == {}


def test_the_session_may_do_no_more_than_the_run_needs(prepared: Box) -> None:
    """The role may do everything; the session policy narrows the keys to this bucket, this prefix, this verb."""
    assert prepared.backup().code == 0
    owner = prepared.client()
    owner.put_object("other/x", b"1")
    owner.put_object("p2/x", b"1")
    prepared.client(VERSIONED_BUCKET).put_object("p/x", b"1")
    key = list(prepared.sandbox.world.keys.values())[-1]
    assert key.token and len(key.policies) == 1 and len(json.dumps(key.policies[0])) < 2048
    place = prepared.sandbox.environment
    auth = oss2.ProviderAuthV4(
        oss2.credentials.StaticCredentialsProvider(key.access_key_id, key.secret, key.token)
    )  # fmt: skip

    def bucket(name: str = BUCKET) -> oss2.Bucket:
        return oss2.Bucket(auth, place["OSS_BACKUP_ENDPOINT"], name, region=place["OSS_BACKUP_REGION"])

    assert bucket().get_object("p/t/a").read() == b"1", "what the run needs"
    assert bucket().put_object("p/t/more", b"2").status == 200
    assert [found.key for found in bucket().list_objects_v2(prefix="p/t/").object_list] == ["p/t/a", "p/t/more"]
    forbidden: dict[str, Callable[[], object]] = {
        "another prefix": lambda: bucket().put_object("other/y", b"1"),
        "a prefix that begins alike": lambda: bucket().put_object("p2/y", b"1"),
        "the top": lambda: bucket().put_object("y", b"1"),
        "reading elsewhere": lambda: bucket().get_object("other/x"),
        "deleting": lambda: bucket().delete_object("p/t/a"),
        "deleting many": lambda: bucket().batch_delete_objects(["p/t/a"]),
        "listing elsewhere": lambda: bucket().list_objects_v2(prefix="other/"),
        "listing everything": lambda: bucket().list_objects_v2(),
        "a prefix's beginning": lambda: bucket().list_objects_v2(prefix="p"),
        "copying from elsewhere": lambda: bucket().copy_object(BUCKET, "other/x", "p/t/copied"),
        "another bucket": lambda: bucket(VERSIONED_BUCKET).put_object("p/y", b"1"),
        "reading another bucket": lambda: bucket(VERSIONED_BUCKET).get_object("p/x"),
        "the object's ACL": lambda: bucket().put_object_acl("p/t/a", oss2.OBJECT_ACL_PUBLIC_READ),
        "the bucket's ACL": lambda: bucket().put_bucket_acl(oss2.BUCKET_ACL_PUBLIC_READ),
        "the bucket": lambda: bucket().delete_bucket(),
    }
    for what, act in forbidden.items():
        with pytest.raises(oss2.exceptions.ServerError) as refused:
            act()
        assert refused.value.status == 403, what
    left = {key for key in prepared.objects(BUCKET, "") if ".oss-backup" not in key}
    assert left == {"p/t/a", "p/t/more", "other/x", "p2/x"}, "nothing was changed"


def test_with_no_prefix_the_report_says_that_the_session_spans_the_bucket(prepared: Box) -> None:
    ended = prepared.run("backup", "--path", "tree", "--language", "en")
    assert ended.code == 0 and ended.told.problem_counts == {"policy.wide": 1} and "`prefix`" in ended.text


def test_static_keys_are_used_only_when_allowed_and_noted(prepared: Box) -> None:
    owner = prepared.sandbox.environment
    keys = {
        "ALIBABA_CLOUD_ACCESS_KEY_ID": owner["OSS_SANDBOX_ACCESS_KEY_ID"],
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET": owner["OSS_SANDBOX_ACCESS_KEY_SECRET"],
    }
    oidc = ("ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN")
    arguments = ("backup", "--path", "tree => t", "--prefix", "p", "--language", "en")
    refused = prepared.run(*arguments, without=oidc, **keys)
    assert refused.code == 4 and refused.told.problem_counts == {"oidc.no-permission": 1}
    taken = prepared.run(*arguments, "--allow-static-keys", without=oidc, **keys)
    assert taken.code == 0 and taken.told.problem_counts == {"keys.stored": 1}
    assert keys["ALIBABA_CLOUD_ACCESS_KEY_SECRET"] not in taken.text
