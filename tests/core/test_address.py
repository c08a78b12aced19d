"""Names and addresses: what may reach the network, and what may not."""

import re
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from backup_action.core import address
from backup_action.core.wording import rules
from backup_action.sandbox.oss import traits

GOOD = [
    (address.endpoint, "oss-cn-hangzhou.aliyuncs.com", "https://oss-cn-hangzhou.aliyuncs.com"),
    (
        address.endpoint,
        "https://oss-cn-hangzhou-internal.aliyuncs.com/",
        "https://oss-cn-hangzhou-internal.aliyuncs.com",
    ),
    (address.endpoint, "https://cn-hangzhou.oss.aliyuncs.com:443", "https://cn-hangzhou.oss.aliyuncs.com"),
    (address.endpoint, "http://127.0.0.1:9000", "http://127.0.0.1:9000"),
    (address.endpoint, "http://[::1]:9000", "http://[::1]:9000"),
    (address.endpoint, "http://localhost:80", "http://localhost:80"),
    (address.bucket, "mt5-hub-data", "mt5-hub-data"),
    (address.region, "cn-hangzhou", "cn-hangzhou"),
    (address.prefix, "a/b", "a/b/"),
    (address.prefix, "数据/", "数据/"),
    (address.prefix, "", ""),
    (address.role_arn, "acs:ram::123:role/oss-backup", "acs:ram::123:role/oss-backup"),
    (address.provider_arn, "acs:ram::123:oidc-provider/github", "acs:ram::123:oidc-provider/github"),
    (address.session_name, "gha-1@x.y_z", "gha-1@x.y_z"),
    (address.webhook, "https://oapi.dingtalk.com/robot/send?access_token=ab", None),
    (address.webhook, "http://127.0.0.1:1/robot/send?access_token=ab", None),
    (address.rate, "20MB", "20000000"),
    (address.rate, "1.5 GiB/s", "1610612736"),
    (address.rate, "500000", "500000"),
    (address.rate, "1kib", "1024"),
    (address.tag, "team=quant", "team=quant"),
    (address.tag, " team = quant desk ", "team=quant desk"),
    (address.tag, "empty=", "empty="),
    (address.tag, "a=b=c", "a=b=c"),
    (address.proxy, "http://proxy.example:3128", "http://proxy.example:3128"),
    (address.proxy, "http://user:p%40ss@10.0.0.1:3128/", "http://user:p%40ss@10.0.0.1:3128"),
    (address.proxy, "http://[fd00::1]:3128", "http://[fd00::1]:3128"),
]
BAD = [
    (address.endpoint, "http://oss-cn-hangzhou.aliyuncs.com"),
    (address.endpoint, "https://user@oss-cn-hangzhou.aliyuncs.com"),
    (address.endpoint, "https://oss-cn-hangzhou.aliyuncs.com@evil.example"),
    (address.endpoint, "https://evil.example/oss-cn-hangzhou.aliyuncs.com"),
    (address.endpoint, "https://oss-cn-hangzhou.aliyuncs.com/path"),
    (address.endpoint, "https://oss-cn-hangzhou.aliyuncs.com?x"),
    (address.endpoint, "https://oss-cn-hangzhou.aliyuncs.com#x"),
    (address.endpoint, "https://oss-cn-hangzhou.aliyuncs.com:8443"),
    (address.endpoint, "https://oss-cn-hangzhou.aliyuncs.com.evil.example"),
    (address.endpoint, "https://evilaliyuncs.com"),
    (address.endpoint, "https://aliyuncs.com"),
    (address.endpoint, "https://100.100.100.200"),
    (address.endpoint, "https://169.254.169.254"),
    (address.endpoint, "http://127.0.0.1:99999"),
    (address.endpoint, "http://127.0.0.1.evil.example"),
    (address.endpoint, "ftp://localhost"),
    (address.endpoint, "file:///etc/passwd"),
    (address.endpoint, "https://"),
    (address.bucket, "ab"),
    (address.bucket, "A-bucket"),
    (address.bucket, "-bucket"),
    (address.bucket, "bucket-"),
    (address.bucket, "a" * 64),
    (address.bucket, "bucket.evil"),
    (address.bucket, "bucket\n"),
    (address.region, "oss-cn-hangzhou"),
    (address.region, "cn hangzhou"),
    (address.region, "cn-hangzhou/x"),
    (address.prefix, "/a"),
    (address.prefix, "\\a"),
    (address.prefix, "a//b"),
    (address.prefix, "a/../b"),
    (address.prefix, "a/*"),
    (address.prefix, "a?"),
    (address.prefix, "a\nb"),
    (address.prefix, ".oss-backup"),
    (address.prefix, "x" * 600),
    (address.role_arn, "acs:ram::123:user/x"),
    (address.role_arn, "arn:aws:iam::123:role/x"),
    (address.provider_arn, "acs:ram::123:role/x"),
    (address.session_name, "a"),
    (address.session_name, "a b"),
    (address.session_name, "a" * 65),
    (address.webhook, "http://oapi.dingtalk.com/robot/send?access_token=ab"),
    (address.webhook, "https://oapi.dingtalk.com.evil.example/robot/send?access_token=ab"),
    (address.webhook, "https://oapi.dingtalk.com/robot/send"),
    (address.webhook, "https://x@oapi.dingtalk.com/robot/send?access_token=ab"),
    (address.endpoint, "https://[::1"),
    (address.webhook, "https://[oapi.dingtalk.com/robot/send?access_token=ab"),
    (address.rate, ""),
    (address.rate, "fast"),
    (address.rate, "-20MB"),
    (address.rate, "20 MB a second"),
    (address.rate, "1023"),
    (address.rate, "0GB"),
    (address.rate, "1e9"),
    (address.rate, "٣MB"),
    (address.rate, "999999999TB"),
    (address.tag, "team"),
    (address.tag, "=quant"),
    (address.tag, "团队=quant"),
    (address.tag, "team=a&b=c"),
    (address.tag, "k" * 129 + "=v"),
    (address.tag, "k=" + "v" * 257),
    (address.proxy, "https://proxy.example:3128"),
    (address.proxy, "socks5://proxy.example:1080"),
    (address.proxy, "proxy.example:3128"),
    (address.proxy, "http://proxy.example"),
    (address.proxy, "http://proxy.example:99999"),
    (address.proxy, "http://:3128"),
    (address.proxy, "http://proxy example:3128"),
    (address.proxy, "http://proxy.example:3128/path"),
    (address.proxy, "http://proxy.example:3128?x"),
    (address.proxy, "http://[::1"),
    (address.proxy, "http://proxy\n.example:3128"),
    (address.word, "a b"),
    (address.word, "a\x1bb"),
]


@pytest.mark.parametrize(("rule", "text", "normal"), GOOD)
def test_what_is_right_gets_its_normal_form(rule, text, normal) -> None:  # type: ignore[no-untyped-def]
    assert rule(text) == (text if normal is None else normal)
    assert rule(rule(text)) == rule(text)


@pytest.mark.parametrize(("rule", "text"), BAD)
def test_what_is_wrong_is_refused_with_a_rule(rule, text) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=r"\w") as error:
        rule(text)
    assert "\n" not in str(error.value)


def test_the_account_of_an_arn() -> None:
    assert address.account("acs:ram::123:role/x") == "123" and address.account("x") == ""


@given(
    st.integers(0, 10**9), st.sampled_from(["", ".5", ".25", ".125"]), st.sampled_from(["", " "]),
    st.sampled_from(["", "K", "M", "G", "T", "k", "m", "g"]), st.booleans(), st.sampled_from(["", "B", "b", "B/s"]),
)  # fmt: skip
def test_a_rate_is_its_number_times_its_unit(
    whole: int, rest: str, blank: str, unit: str, binary: bool, end: str
) -> None:
    text = f"{whole}{rest}{blank}{unit}{'i' if binary and unit else ''}{end}"
    step = 1024 if binary and unit else 1000
    wanted = int(Fraction(f"{whole}{rest}") * step ** "bkmgt".index(unit.lower() or "b"))
    if 1024 <= wanted < 10**15:
        assert address.rate(text) == str(wanted) and address.rate(str(wanted)) == str(wanted)
    else:
        with pytest.raises(ValueError, match="1 KiB"):
            address.rate(text)


ALLOWED = "abcXYZ019 +-=._:/"


@given(st.text(ALLOWED, max_size=140), st.text(ALLOWED, max_size=270))
def test_a_tag_is_taken_exactly_when_oss_would_take_it(key: str, value: str) -> None:
    name, _, rest = f"{key}={value}".partition("=")
    name, rest = name.strip(), rest.strip()
    if 0 < len(name) <= 128 and len(rest) <= 256:
        taken = address.tag(f"{key}={value}")
        assert taken == f"{name}={rest}" and address.tag(taken) == taken
        traits.check_tags({name: rest})
    else:
        with pytest.raises(ValueError, match="key=value"):
            address.tag(f"{key}={value}")


@given(st.text(max_size=30))
@example("a=\x7f")
@example("a=b\n")
def test_no_tag_that_is_taken_could_be_refused_or_smuggle_in_another(text: str) -> None:
    try:
        taken = address.tag(text)
    except ValueError:
        return
    name, _, value = taken.partition("=")
    traits.check_tags({name: value})
    assert not set(taken) & set("&%\r\n") and taken.isascii() and taken.isprintable()


def test_at_most_ten_tags_and_no_key_twice() -> None:
    ten = tuple(f"k{number}=v" for number in range(10))
    assert address.tags(ten) == ten and address.tags(()) == ()
    with pytest.raises(ValueError, match="at most 10"):
        address.tags((*ten, "one-more=v"))
    with pytest.raises(ValueError, match="`k3`"):
        address.tags((*ten[:5], "k3=another"))
    assert address.tags(("k=v", "K=v")), "keys differ by case, as OSS sees them"


RULES = sorted({rule for rule, _ in BAD}, key=lambda rule: rule.__name__)


@given(st.sampled_from(RULES), st.one_of(st.text(max_size=40), st.sampled_from([text for _, text in BAD])))
def test_every_refusal_is_told_in_both_languages(rule, text) -> None:  # type: ignore[no-untyped-def]
    try:
        rule(text)
    except ValueError as error:
        chinese, english = (rules.told(str(error), language, repr) for language in ("zh", "en"))
        assert re.search("[\u4e00-\u9fff]", chinese), chinese
        assert english != repr(str(error)), "it is one of the table's rules"
