"""Settings: where they come from, which wins, and how a wrong one is told."""

from pathlib import Path

import pytest

from backup_action import settings
from backup_action.adapters import config
from backup_action.core.problem import Kind, Stop

FULL = {
    "INPUT_BUCKET": "bucket-1", "INPUT_REGION": "cn-hangzhou", "INPUT_PATHS": "data\nfactors => f\n\n",
    "INPUT_ROLE_TO_ASSUME": "acs:ram::1:role/r", "INPUT_OIDC_PROVIDER_ARN": "acs:ram::1:oidc-provider/p",
}  # fmt: skip


def test_a_flag_wins_over_an_input_over_the_environment_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "backup.toml"
    file.write_text('bucket = "from-file"\nsource = "file"\nregion = "cn-file"\nprefix = "file"\n')
    environ = {
        "OSS_BACKUP_CONFIG": str(file), "OSS_BACKUP_BUCKET": "from-environment", "OSS_BACKUP_REGION": "cn-environment",
        "OSS_BACKUP_SOURCE": "environment", "INPUT_BUCKET": "from-input", "INPUT_REGION": "cn-input",
    }  # fmt: skip
    found = settings.gather({"bucket": "from-flag"}, environ)
    assert (found.bucket, found.region, found.source, found.prefix) == ("from-flag", "cn-input", "environment", "file/")


def test_empty_means_unset_everywhere(tmp_path: Path) -> None:
    file = tmp_path / "backup.toml"
    file.write_text('language = "en"\nexclude = []\naudience = ""\n')
    found = settings.gather({"language": "", "config": str(file)}, {"INPUT_LANGUAGE": " ", "OSS_BACKUP_LANGUAGE": ""})
    assert found.language == "en" and found.exclude == () and found.audience == "sts.aliyuncs.com"


def test_lists_come_by_line_by_flag_and_from_toml(tmp_path: Path) -> None:
    assert settings.gather({}, FULL).paths == ("data", "factors => f")
    assert settings.gather({"paths": ["a", "b c"]}, FULL).paths == ("a", "b c")
    file = tmp_path / "backup.toml"
    file.write_text('paths = ["x", "y => z"]\nconcurrency = 7\ndry-run = true\n')
    found = settings.gather({"config": str(file)}, {})
    assert (found.paths, found.concurrency, found.dry_run) == (("x", "y => z"), 7, True)


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("concurrency", "0", "1 to 512"),
        ("concurrency", "many", "1 to 512"),
        ("concurrency", "٣", "1 to 512"),
        ("role-session-expiration", "899", "900 to 43200"),
        ("dry-run", "yes", "`true` or `false`"),
        ("language", "fr", "`zh`"),
        ("notify-on", "success", "`problem`"),
        ("endpoint", "http://oss-cn-hangzhou.aliyuncs.com", "https://"),
        ("bucket", "Bad_Bucket", "3 to 63"),
        ("prefix", "/x", "beginning"),
        ("source", "a b", "blanks"),
        ("exclude", "a\0b", "NUL"),
        ("storage-class", "Cold", "`ColdArchive`"),
        ("storage-class", "standard", "`Standard`"),
        ("server-side-encryption", "aes", "`AES256`"),
        ("kms-key-id", "a b", "blanks"),
        ("tags", "team", "key=value"),
        ("tags", "team=a&b=c", "key=value"),
        ("tags", "\n".join(f"k{number}=v" for number in range(11)), "at most 10"),
        ("tags", "team=a\nrun=b\nteam=c", "`team`"),
        ("bandwidth-limit", "fast", "20MB"),
        ("bandwidth-limit", "100", "1 KiB"),
        ("proxy", "https://proxy.example:3128", "http://host:port"),
        ("proxy", "http://proxy.example", "http://host:port"),
    ],
)
def test_a_malformed_value_is_told_with_its_rule_and_place(name: str, value: str, rule: str) -> None:
    with pytest.raises(Stop) as stop:
        settings.gather({}, {settings.variable(name): value})
    problem = stop.value.problem
    assert (problem.kind, problem.where) == (Kind.SETTING_MALFORMED, name)
    assert rule in problem.facts["rule"] and problem.facts["place"] == settings.variable(name)


def test_ten_tags_come_by_line_by_flag_and_from_toml(tmp_path: Path) -> None:
    ten = [f"k{number} = v" for number in range(10)]
    wanted = tuple(f"k{number}=v" for number in range(10))
    file = tmp_path / "backup.toml"
    file.write_text(f"tags = {ten}")
    for found in (settings.gather({}, {"INPUT_TAGS": "\n".join(ten)}), settings.gather({"tags": ten}, {}),
                  settings.gather({"config": str(file)}, {})):  # fmt: skip
        assert found.tags == wanted
    with pytest.raises(Stop) as stop:
        settings.gather({"tags": [*ten, "k9=w"]}, {})
    assert (stop.value.problem.where, stop.value.problem.facts["place"]) == ("tags", "--tags")


def test_a_proxy_with_a_password_is_never_repeated() -> None:
    with pytest.raises(Stop) as stop:
        settings.gather({}, {"INPUT_PROXY": "https://user:pa55word@proxy.example:3128"})
    assert "pa55word" not in repr(stop.value.problem)
    assert "pa55word" not in repr(settings.gather({"proxy": "http://user:pa55word@proxy.example:3128"}, {}))


def test_a_secret_is_never_repeated() -> None:
    with pytest.raises(Stop) as stop:
        settings.gather({}, {"OSS_BACKUP_DINGTALK_WEBHOOK": "https://evil.example/?access_token=s3cret"})
    assert "s3cret" not in repr(stop.value.problem)
    hook = "https://oapi.dingtalk.com/robot/send?access_token=s3cret"
    assert "s3cret" not in repr(settings.gather({"dingtalk-webhook": hook, "dingtalk-secret": "SECs3cret"}, {}))


def test_an_unknown_setting_is_told_with_its_nearest(tmp_path: Path) -> None:
    with pytest.raises(Stop) as stop:
        settings.gather({}, {"OSS_BACKUP_BUKET": "x"})
    assert stop.value.problem.facts["nearest"] == "OSS_BACKUP_BUCKET"
    file = tmp_path / "backup.toml"
    file.write_text('pathes = ["x"]\n')
    with pytest.raises(Stop) as stop:
        settings.gather({"config": str(file)}, {})
    assert (stop.value.problem.where, stop.value.problem.facts["nearest"]) == ("pathes", "paths")


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"bucket = ", Kind.CONFIG_MALFORMED),
        (b"\xff", Kind.CONFIG_MALFORMED),
        (b"#" * (config.MAX + 1), Kind.CONFIG_MALFORMED),
        (b"paths = [1]", Kind.SETTING_MALFORMED),
        (b"bucket = ['a', 'b']", Kind.SETTING_MALFORMED),
        (b"[bucket]\nname = 'a'", Kind.SETTING_MALFORMED),
        (b"config = 'other.toml'", Kind.SETTING_MISPLACED),
        (b"python = 'python3.12'", Kind.SETTING_MISPLACED),
        (b"[oss]\nbucket = 'a-bucket'", Kind.SETTING_MISPLACED),
        (b"[oss]\nx = 'a-bucket'", Kind.SETTING_UNKNOWN),
        (None, Kind.CONFIG_UNREADABLE),
    ],
)
def test_a_config_file_that_is_wrong_is_refused(tmp_path: Path, content: bytes | None, kind: Kind) -> None:
    file = tmp_path / "backup.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(Stop) as stop:
        settings.gather({"config": str(file)}, {})
    assert stop.value.problem.kind is kind


@pytest.mark.parametrize("missing", ["bucket", "region", "paths", "role-to-assume", "oidc-provider-arn"])
def test_what_a_backup_needs_is_named(missing: str) -> None:
    settings.require(settings.gather({}, FULL), "backup")
    without = {name: value for name, value in FULL.items() if name != settings.variable(missing, "INPUT_")}
    with pytest.raises(Stop) as stop:
        settings.require(settings.gather({}, without), "backup")
    assert (stop.value.problem.kind, stop.value.problem.where) == (Kind.SETTING_MISSING, missing)


def test_stored_keys_need_no_role_and_two_accounts_contradict() -> None:
    bare = {name: value for name, value in FULL.items() if "ROLE" not in name and "OIDC" not in name}
    settings.require(settings.gather({"allow-static-keys": "true"}, bare), "backup")
    with_key = FULL | {"INPUT_KMS_KEY_ID": "key-1"}
    settings.require(settings.gather({"server-side-encryption": "KMS"}, with_key), "backup")
    for encryption in ("", "AES256"):
        with pytest.raises(Stop) as stop:
            settings.require(settings.gather({"server-side-encryption": encryption}, with_key), "backup")
        assert (stop.value.problem.kind, stop.value.problem.where) == (Kind.SETTING_CONTRADICTION, "kms-key-id")
    two = FULL | {"INPUT_OIDC_PROVIDER_ARN": "acs:ram::2:oidc-provider/p"}
    with pytest.raises(Stop) as stop:
        settings.require(settings.gather({}, two), "backup")
    assert stop.value.problem.kind is Kind.SETTING_CONTRADICTION


PROFILES = """
bucket = "top-bucket"
region = "cn-hangzhou"
exclude = ["*.tmp"]
dingtalk-keyword = "top"
[profiles.nightly]
bucket = "night-bucket"
paths = ["/srv/night => night"]
[profiles.weekly]
paths = ["/srv/week => week"]
exclude = []
dry-run = true
dingtalk-keyword = "week"
"""


def file_of(tmp_path: Path, content: str) -> str:
    file = tmp_path / "backup.toml"
    file.write_text(content)
    return str(file)


def test_a_profile_wins_over_the_top_of_its_file_and_over_nothing_else(tmp_path: Path) -> None:
    given = {"INPUT_CONFIG": file_of(tmp_path, PROFILES)}
    bare = settings.gather({}, given)
    assert (bare.bucket, bare.paths, bare.dry_run) == ("top-bucket", (), False)
    night = settings.gather({}, given | {"INPUT_PROFILE": "nightly"})
    assert (night.bucket, night.region, night.paths) == ("night-bucket", "cn-hangzhou", ("/srv/night => night",))
    week = settings.gather({"profile": "weekly"}, given | {"INPUT_PROFILE": "nightly"})
    assert (week.bucket, week.dry_run, week.exclude) == ("top-bucket", True, ("*.tmp",)), "empty means unset"
    for above in ({"OSS_BACKUP_BUCKET": "above"}, {"INPUT_BUCKET": "above"}):
        assert settings.gather({}, given | above | {"INPUT_PROFILE": "nightly"}).bucket == "above"
    assert settings.gather({"profile": "nightly", "bucket": "above"}, given).bucket == "above"


def test_the_file_may_name_its_own_profile(tmp_path: Path) -> None:
    given = {"INPUT_CONFIG": file_of(tmp_path, 'profile = "weekly"\n' + PROFILES)}
    assert settings.gather({}, given).paths == ("/srv/week => week",)
    assert settings.gather({"profile": "nightly"}, given).paths == ("/srv/night => night",)


@pytest.mark.parametrize(
    ("profile", "kind", "word"),
    [
        ("monthly", Kind.PROFILE_UNKNOWN, "nightly, weekly"),
        ("Nightly", Kind.PROFILE_UNKNOWN, "nightly, weekly"),
        ("../x", Kind.SETTING_MALFORMED, "beginning with a letter or digit"),
        ("x" * 65, Kind.SETTING_MALFORMED, "up to 64"),
        ("a\nb", Kind.SETTING_MALFORMED, "letters"),
    ],
)
def test_a_profile_that_the_file_does_not_have(tmp_path: Path, profile: str, kind: Kind, word: str) -> None:
    given = {"INPUT_CONFIG": file_of(tmp_path, PROFILES), "INPUT_PROFILE": profile}
    with pytest.raises(Stop) as stop:
        settings.gather({}, given)
    assert stop.value.problem.kind is kind and word in str(dict(stop.value.problem.facts))
    told = settings.lenient({}, given)
    assert told.dingtalk_keyword == "top", "people must still hear of it"
    assert settings.lenient({}, given | {"INPUT_PROFILE": "weekly"}).dingtalk_keyword == "week"


def test_the_names_that_are_told_have_an_end(tmp_path: Path) -> None:
    content = "".join(f"[profiles.p{number}]\n" for number in range(500))
    with pytest.raises(Stop) as stop:
        settings.gather({"config": file_of(tmp_path, content), "profile": "x"}, {})
    assert stop.value.problem.facts["known"].endswith(", p19, …")


def test_a_profile_without_a_file_contradicts() -> None:
    for given in ({"INPUT_PROFILE": "nightly"}, {"OSS_BACKUP_PROFILE": "nightly"}):
        with pytest.raises(Stop) as stop:
            settings.gather({}, given)
        problem = stop.value.problem
        assert (problem.kind, problem.where) == (Kind.SETTING_CONTRADICTION, "profile")
        assert "`config`" in problem.facts["rule"]


@pytest.mark.parametrize(
    ("line", "kind", "where"),
    [
        ('buket = "x-bucket"', Kind.SETTING_UNKNOWN, "buket"),
        ('config = "other.toml"', Kind.SETTING_MISPLACED, "config"),
        ('python = "python3.12"', Kind.SETTING_MISPLACED, "python"),
        ('profile = "weekly"', Kind.SETTING_UNKNOWN, "profile"),
        ("[profiles.other.profiles]", Kind.SETTING_UNKNOWN, "profiles"),
        ("concurrency = 0", Kind.SETTING_MALFORMED, "concurrency"),
        ("paths = [1]", Kind.SETTING_MALFORMED, "paths"),
        ('bucket = ["a", "b"]', Kind.SETTING_MALFORMED, "bucket"),
        ('dingtalk-webhook = "https://evil.example/s3cret"', Kind.SETTING_MALFORMED, "dingtalk-webhook"),
    ],
)
@pytest.mark.parametrize("chosen", ["", "nightly", "other"])
def test_a_mistake_in_any_profile_is_told(tmp_path: Path, line: str, kind: Kind, where: str, chosen: str) -> None:
    file = file_of(tmp_path, f"{PROFILES}[profiles.other]\n{line}\n")
    with pytest.raises(Stop) as stop:
        settings.gather({"config": file, "profile": chosen}, {})
    problem = stop.value.problem
    assert (problem.kind, problem.where) == (kind, where)
    assert problem.facts["place"] == f"{file} [profiles.other]" and "s3cret" not in repr(problem)
    told = settings.lenient({"config": file, "profile": "weekly"}, {})
    assert told.dingtalk_keyword == "week", "people must still hear of it"


@pytest.mark.parametrize(
    "content", ["profiles = 1", "[profiles]\nnightly = 'x'", "[[profiles]]", "[profiles.'a b']", "[profiles.'']"]
)
def test_profiles_are_tables_with_names_that_can_be_given(tmp_path: Path, content: str) -> None:
    with pytest.raises(Stop) as stop:
        settings.gather({"config": file_of(tmp_path, content)}, {})
    assert (stop.value.problem.kind, stop.value.problem.where) == (Kind.SETTING_MALFORMED, "profiles")
    told = settings.lenient({"config": file_of(tmp_path, f"unknown = 1\ndingtalk-keyword = 'top'\n{content}")}, {})
    assert told.dingtalk_keyword == "top"
