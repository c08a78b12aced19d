"""Names and addresses: what may reach the network, and what may not."""

import pytest

from backup_action.core import address

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
