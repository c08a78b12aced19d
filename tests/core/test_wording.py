"""Every kind of problem has its sentences, in both languages, with the same facts; and none can fail to be made."""

import ast
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup_action.core import escape, wording
from backup_action.core.problem import Kind, Problem, Status, Stop
from backup_action.core.selection import select
from backup_action.core.wording import COMMANDS, STATUSES, TEXTS, VERDICTS, WORDS, placeholders, rules
from backup_action.core.wording.text import Language, Word

LANGUAGES: list[Language] = ["zh", "en"]
FACTS = sorted({name for both in TEXTS.values() for text in both for part in text for name in placeholders(part)})
CHINESE = re.compile("[\u4e00-\u9fff]")


def told(kind: Kind, language: Language, where: str = "", **facts: str) -> str:
    """What and advice as one text for a log."""
    problem = Problem(kind, where, {name.replace("_", "-"): value for name, value in facts.items()})
    sentence = wording.sentence(problem, language)
    return f"{sentence.what} {sentence.advice}"


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_is_told_in_both_languages(kind: Kind) -> None:
    both = TEXTS[kind.value]
    for chinese, english in zip(both.zh[:3], both.en[:3], strict=True):
        assert chinese and english
        assert CHINESE.search(chinese)
        assert not CHINESE.search(english)


@pytest.mark.parametrize("name", TEXTS)
def test_both_languages_have_the_same_facts(name: str) -> None:
    both = TEXTS[name]
    for part in ("what", "advice", "paste"):
        assert placeholders(getattr(both.zh, part)) == placeholders(getattr(both.en, part)), part
    for text in both:
        assert text.what.count("⟨") == text.what.count("⟩") == len(re.findall("⟨[^⟨⟩]*⟩", text.what))
        assert text.advice.count("⟨") == text.advice.count("⟩") == len(re.findall("⟨[^⟨⟩]*⟩", text.advice))
        assert not placeholders(text.label)


def test_a_sharper_text_belongs_to_a_kind() -> None:
    assert {name.partition("#")[0] for name in TEXTS} == {kind.value for kind in Kind}


@pytest.mark.parametrize("words", [WORDS, STATUSES, VERDICTS, COMMANDS])
def test_the_fixed_words_have_the_same_places_in_both_languages(words: dict[str, Word]) -> None:
    for name, word in words.items():
        assert word.zh and word.en, name
        assert placeholders(word.zh) == placeholders(word.en), name


def test_every_status_has_a_name_and_a_verdict() -> None:
    endings = {status.value for status in Status} | {"undelivered", "no-report", "alarm"}
    assert set(STATUSES) == endings
    assert set(VERDICTS) == endings | {
        "ok-dry",
        "incomplete-dry",
        "ok-notify",
        "ok-restore",
        "ok-verify",
        "ok-drill",
        "ok-shard",
    }


def test_settings_named_in_advice_exist() -> None:
    """Names in back-ticks that look like a setting of ours are ones; the rest is in the list below."""
    source = (Path(__file__).parents[2] / "backup_action/table.py").read_text()
    settings = {name.replace("_", "-") for name in re.findall(r"^    (\w+): .* = _row\(", source, re.MULTILINE)}
    others = {"schedule", "push", "environment", "uses", "permissions", "id", "oidc", "concurrency", "problem"}
    foreign = {"timeout-minutes", "oss-backup", "sub", "snapshot-digest", "merge", "prune"}
    for both in TEXTS.values():
        for text in both:
            for name in re.findall(r"`([a-z]+(?:-[a-z]+)*)`", text.what + text.advice):
                assert name in settings | others | foreign, name


@given(
    st.sampled_from(list(Kind)),
    st.sampled_from(LANGUAGES),
    st.text(),
    st.dictionaries(st.sampled_from([*FACTS, "cause", "request-id", "ec", "new-fact"]), st.text(), max_size=6),
    st.sampled_from([escape.word, escape.code, escape.chat]),
)
def test_a_sentence_can_always_be_made(
    kind: Kind, language: Language, where: str, facts: dict[str, str], quote: wording.Quote
) -> None:
    sentence = wording.sentence(Problem(kind, where, facts), language, quote)
    for text in (sentence.what, sentence.advice):
        assert text
        without = text
        for value in sorted((where, *facts.values()), key=len, reverse=True):
            without = without.replace(quote(value), "") if value else without
        assert "{" not in re.sub(r"\$\{\{.*?\}\}", "", without)
        assert "⟨" not in without


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_missing_fact_reads_as_unknown_and_takes_its_clause_along(language: Language) -> None:
    bare = told(Kind.STS_ROLE, language)
    assert wording.word("unknown", language) in bare
    full = told(Kind.STS_ROLE, language, role="acs:ram::1:role/x", message="The role not exists")
    assert "acs:ram::1:role/x" in full and "The role not exists" in full
    assert "The role not exists" not in bare and "()" not in bare and "（）" not in bare


@pytest.mark.parametrize(
    ("language", "tail"), [("zh", "（RequestId R-1，EC 0003-1）"), ("en", " (RequestId R-1, EC 0003-1)")]
)
def test_the_advice_ends_with_what_support_asks_for(language: Language, tail: str) -> None:
    facts = {"request-id": "R-1", "ec": "0003-1"}
    for kind in Kind:
        assert wording.sentence(Problem(kind, "x", facts), language).advice.endswith(tail)
    assert "RequestId" not in wording.sentence(Problem(Kind.OSS_WORM, "x"), language).advice[-20:]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("kind", "facts", "named"),
    [
        (
            Kind.SETTING_MALFORMED,
            {"given": "CN", "rule": "a region", "nearest": "cn", "place": "--region"},
            ["CN", "cn"],
        ),
        (
            Kind.SETTING_MISSING,
            {"flag": "--bucket", "variable": "OSS_BACKUP_BUCKET"},
            ["--bucket", "OSS_BACKUP_BUCKET"],
        ),
        (
            Kind.PROFILE_UNKNOWN,
            {"known": "nightly, weekly", "file": "backup.toml"},
            ["nightly, weekly", "backup.toml", "`profile`", "`[profiles.NAME]`"],
        ),
        (Kind.OIDC_NO_PERMISSION, {}, ["`permissions: id-token: write`"]),
        (Kind.STS_TRUST, {"sub": "repo:o/r:ref:refs/heads/main"}, ["sts:AssumeRole", "repo:o/r:ref:refs/heads/main"]),
        (Kind.STS_TRUST, {}, ["repo:OWNER/REPO:…", "repo:OWNER@OWNER_ID/REPO@REPO_ID:…", "oidc:aud", "`audience`"]),
        (Kind.STS_AUDIENCE, {"aud": "mine"}, ["mine", "`audience`", "oidc:aud"]),
        (Kind.STS_DURATION, {"maximum": "3600"}, ["`role-session-expiration`", "3600", "900"]),
        (
            Kind.OSS_RIGHT,
            {"right": "oss:PutObject", "resource": "acs:oss:*:*:b/p/*"},
            ["oss:PutObject", "acs:oss:*:*:b/p/*"],
        ),
        (
            Kind.OSS_ENDPOINT,
            {"expected-endpoint": "oss-cn-beijing.aliyuncs.com"},
            ["oss-cn-beijing.aliyuncs.com", "`region`"],
        ),
        (Kind.ROOTS_DROPPED, {"snapshot": "S-1"}, ["x", "S-1", "`paths`", "`source`"]),
        (Kind.FILE_UNREADABLE, {"cause": "folder", "reason": "permission denied"}, ["permission denied", "`exclude`"]),
        (Kind.REPORT_UNREADABLE, {"cause": "none"}, ["`report`", "report-path"]),
        (
            Kind.OIDC_NO_PERMISSION,
            {"cause": "shell"},
            [
                "`permissions: id-token: write`",
                "`allow-static-keys`",
                "`ALIBABA_CLOUD_ACCESS_KEY_ID`",
                "`ALIBABA_CLOUD_ACCESS_KEY_SECRET`",
            ],
        ),
        (Kind.OSS_SIGNATURE, {}, ["`ALIBABA_CLOUD_ACCESS_KEY_SECRET`"]),
        (Kind.OSS_UNREACHABLE, {}, ["`region`"]),
        (Kind.SNAPSHOT_DAMAGED, {}, ["`.oss-backup/snapshots/`"]),
        (Kind.OSS_CLOCK, {"ours": "2026-01-01T", "theirs": "2026-01-05T"}, ["2026-01-01T", "2026-01-05T", "NTP"]),
        (Kind.OSS_CLASS, {"given": "DeepColdArchive"}, ["DeepColdArchive", "`storage-class`"]),
        (Kind.OSS_KMS, {"cause": "key", "given": "key-9"}, ["key-9", "`kms-key-id`"]),
        (Kind.OSS_KMS, {}, ["kms:GenerateDataKey", "kms:Decrypt"]),
        (Kind.FILE_UNREADABLE, {"reason": "permission denied"}, ["permission denied", "`exclude`"]),
    ],
)
def test_the_advice_names_what_to_change(
    language: Language, kind: Kind, facts: dict[str, str], named: list[str]
) -> None:
    text = told(kind, language, "x", **facts)
    assert [name for name in named if name not in text] == []


def test_a_cause_sharpens_the_text_and_an_unknown_one_does_not() -> None:
    plain, known, unknown = (told(Kind.NOTIFY_FAILED, "en", cause=cause) for cause in ("", "keyword", "unheard-of"))
    assert "`dingtalk-keyword`" in known
    assert unknown == plain != known
    name = "ALIBABA_CLOUD_ACCESS_KEY_ID"
    assert "`allow-static-keys`" in told(Kind.SETTING_MISSING, "zh", name, flag="allow-static-keys", variable=name)
    assert "`with:`" in told(Kind.SETTING_MISSING, "zh", "bucket", flag="--bucket", variable="OSS_BACKUP_BUCKET")


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_there_is_no_name_for_is_not_called_unknown(language: Language) -> None:
    bare = (
        Problem(Kind.REPORT_UNREADABLE, facts={"cause": "none"}),
        Problem(Kind.OIDC_NO_PERMISSION, facts={"cause": "shell"}),
        Problem(Kind.OSS_REFUSED),
    )
    for problem in bare:
        sentence = wording.sentence(problem, language)
        assert wording.word("unknown", language) not in sentence.what + sentence.advice
        assert sentence != wording.sentence(Problem(problem.kind, "x"), language)


@given(st.sampled_from(["0", "1", "2", "11", "1,001"]), st.sampled_from(sorted(WORDS)), st.sampled_from(LANGUAGES))
def test_a_word_takes_the_number_of_its_value(count: str, name: str, language: Language) -> None:
    names = ("files", "count", "size", "unchanged", "total", "total-size", "title", "label", "command", "status")
    names = (*names, "missing", "replaced", "region")
    text = wording.word(name, language, **dict.fromkeys(names, count))
    assert not set("{|}") & set(text)
    if language == "en" and name in ("uploaded-line", "to-upload-line", "more-paths", "title-warnings"):
        assert bool(re.search(r"\b(file|path|warning)\b", text)) is (count == "1")


def test_what_is_to_be_pasted_is_given_raw() -> None:
    policy = '{\n  "Version": "1"\n}'
    sentence = wording.sentence(Problem(Kind.STS_TRUST, "r", {"trust-policy": policy}), "zh", escape.code)
    assert (sentence.paste, sentence.paste_language) == (policy, "json")
    yaml = wording.sentence(Problem(Kind.OIDC_NO_PERMISSION), "en", escape.code)
    assert (yaml.paste_language, yaml.paste.splitlines()[:2]) == ("yaml", ["permissions:", "  id-token: write"])
    assert wording.sentence(Problem(Kind.STS_TRUST, "r"), "zh").paste == ""


def raised(path: Path) -> set[str]:
    """The rules that a room raises or gives: what it formats is a number, a list of choices, or a name."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        is_error = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "ValueError"
        is_rule = isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["rule"]
        values = [node.args[0]] if isinstance(node, ast.Call) and is_error else []
        values += [word.value for word in getattr(node, "keywords", []) if word.arg == "rule"]
        values += [node.value] if isinstance(node, ast.Assign) and is_rule else []
        for value in values:
            if isinstance(value, ast.JoinedStr | ast.Constant | ast.BinOp):
                found.add(eval(compile(ast.Expression(_sample(value)), "rule", "eval"), {}))
    return found


def _sample(value: ast.expr) -> ast.expr:
    """The text with 7 in place of what is formatted, and two choices in place of what is joined."""
    if isinstance(value, ast.BinOp):
        value.right = ast.Constant("`one`, `the-other`")
    for part in getattr(value, "values", []):
        if isinstance(part, ast.FormattedValue):
            part.value = ast.Constant(7)
    return ast.fix_missing_locations(value)


ROOMS_WITH_RULES = [
    "settings.py",
    "core/address.py",
    "core/place.py",
    "core/selection.py",
    "core/verification.py",
    "adapters/config.py",
]


def test_every_rule_of_a_setting_is_told_in_chinese() -> None:
    package = Path(wording.__file__).parents[2]
    found = {rule for room in ROOMS_WITH_RULES for rule in raised(package / room)}
    assert len(found) > 20
    unquoted = [rule for rule in found if rules.told(rule, "zh", lambda text: "QUOTED") != "QUOTED"]
    assert sorted(found) == sorted(unquoted)
    for rule in found:
        assert CHINESE.search(rules.told(rule, "zh", escape.code))
        assert not CHINESE.search(rules.told(rule, "en", escape.code))
        assert "<" not in rules.told(rule, "zh", escape.chat) + rules.told(rule, "en", escape.chat)


def test_what_a_rule_quotes_of_the_user_is_quoted_anew() -> None:
    rule = "a region id without `oss-`, here `<img src=x>\n::error::`"
    assert rules.told(rule, "en", escape.chat).endswith(r"here `\x3cimg src=x>\n::error::`")
    assert rules.told("<b>", "zh", escape.chat) == r"`\x3cb>`"
    pattern = "a .gitignore pattern (<img src=x>\n::error::)"
    assert rules.told(pattern, "zh", escape.chat) == r"符合 .gitignore 语法的规则（`\x3cimg src=x>\n::error::`）"
    assert rules.told(pattern, "en", escape.chat) == r"a .gitignore pattern (`\x3cimg src=x>\n::error::`)"
    told_in_chinese = told(Kind.SETTING_MALFORMED, "zh", "concurrency", rule="a whole number from 1 to 512")
    assert "要求：1 到 512 之间的整数。" in told_in_chinese


def test_a_pattern_that_is_refused_is_told_in_chinese() -> None:
    with pytest.raises(Stop) as stop:
        select(("!",), ())
    text = wording.sentence(stop.value.problem, "zh").advice
    assert "要求：符合 .gitignore 语法的规则（" in text and "pattern (" not in text


def test_a_fact_is_not_read_as_a_template() -> None:
    text = told(Kind.FILE_UNREADABLE, "en", "{reason}", reason="⟨{where}⟩")
    assert "The file {reason} could not be read: ⟨{where}⟩." in text


def test_a_command_without_a_name_of_its_own_is_called_by_its_own() -> None:
    assert wording.command("backup", "zh") == "备份"
    assert wording.command("of-tomorrow", "en") == "of-tomorrow"
    for name in ("::error::x", "<img>", "a`b", "A", "", "a\n"):
        assert wording.command(name, "en") == "(unknown)"
