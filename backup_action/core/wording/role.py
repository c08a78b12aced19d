"""Sentences about the role that is assumed: its ARN, session name, duration and session policy; and STS itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from backup_action.core.problem import Kind
from backup_action.core.wording.text import Both, Text

TEXTS: Final[Mapping[str, Both]] = {
    Kind.STS_ROLE.value: Both(
        zh=Text(
            "RAM 角色不存在",
            "RAM 角色 {role} 不存在⟨（{message}）⟩。",
            "请核对设置 `role-to-assume` 中的账号 ID 和角色名，格式为 `acs:ram::ACCOUNT_ID:role/NAME`。",
        ),
        en=Text(
            "Role does not exist",
            "The RAM role {role} does not exist⟨ ({message})⟩.",
            "Check the account ID and the name in the setting `role-to-assume`, of the form "
            "`acs:ram::ACCOUNT_ID:role/NAME`.",
        ),
    ),
    Kind.STS_SESSION_NAME.value: Both(
        zh=Text(
            "角色会话名称无效",
            "STS 不接受角色会话名称⟨ {given}⟩⟨（{message}）⟩。",
            "设置 `role-session-name` 应为 2 到 64 个字符，只能用字母、数字和 `.` `@` `-` `_`；留空则自动生成。",
        ),
        en=Text(
            "Session name not valid",
            "STS does not accept the role session name⟨ {given}⟩⟨ ({message})⟩.",
            "The setting `role-session-name` has 2 to 64 characters out of letters, digits and `.` `@` `-` `_`; "
            "leave it out to have one made.",
        ),
    ),
    Kind.STS_DURATION.value: Both(
        zh=Text(
            "会话时长超出范围",
            "STS 不接受会话时长⟨ {given} 秒⟩⟨（{message}）⟩。",
            "设置 `role-session-expiration` 应在 900 秒与角色的“最大会话时间”⟨（{maximum} 秒）⟩之间；后者默认 3600 "
            "秒，可在 RAM 控制台的角色基本信息中调大。程序会自动续期，通常不需要更长。",
        ),
        en=Text(
            "Session duration out of bounds",
            "STS does not accept the duration of the session⟨ ({given} seconds)⟩⟨ ({message})⟩.",
            "The setting `role-session-expiration` lies between 900 seconds and the role's maximum session "
            "duration⟨ ({maximum} seconds)⟩, which is 3600 unless it was raised in the RAM console. Credentials are "
            "renewed during a run, so a longer one is rarely needed.",
        ),
    ),
    Kind.STS_POLICY.value: Both(
        zh=Text(
            "会话策略不被接受",
            "STS 不接受本次生成的会话策略⟨（{message}）⟩。",
            "请检查设置 `prefix` 和 `bucket` 中是否有特殊字符；如果没有，请在本项目的 Issues 中反馈。",
        ),
        en=Text(
            "Session policy not accepted",
            "STS does not accept the session policy made for this run⟨ ({message})⟩.",
            "Look for unusual characters in the settings `prefix` and `bucket`; if there are none, please open an "
            "issue in this project.",
        ),
    ),
    Kind.STS_THROTTLED.value: Both(
        zh=Text(
            "STS 限流",
            "STS 限流，多次退避重试后仍未成功⟨（{code}）⟩⟨：{message}⟩。",
            "请减少同时启动的作业，或错开它们的 `schedule`；配额为每个账号每个地域每秒 100 次。",
        ),
        en=Text(
            "STS throttles",
            "STS throttled the calls, and waiting did not help⟨ ({code})⟩⟨: {message}⟩.",
            "Start fewer jobs at once or spread their `schedule`; the quota is 100 calls a second for an account "
            "and region.",
        ),
    ),
    Kind.STS_REFUSED.value: Both(
        zh=Text(
            "STS 拒绝请求",
            "STS 拒绝了 AssumeRoleWithOIDC⟨（HTTP {status}）⟩⟨：{code}⟩⟨，{message}⟩。",
            "请根据错误码核对设置 `role-to-assume`、`oidc-provider-arn` 和 `audience`；仍无法解决时，请附上 RequestId "
            "提交阿里云工单。",
        ),
        en=Text(
            "STS refused",
            "STS refused AssumeRoleWithOIDC⟨ (HTTP {status})⟩⟨: {code}⟩⟨, {message}⟩.",
            "Check the settings `role-to-assume`, `oidc-provider-arn` and `audience` against the code; if that does "
            "not help, ask Alibaba Cloud's support with the RequestId.",
        ),
    ),
    Kind.STS_UNREACHABLE.value: Both(
        zh=Text(
            "无法连接 STS",
            "多次重试后仍无法连接 STS⟨ {where}⟩⟨（HTTP {status}）⟩⟨：{reason}⟩。",
            "请检查运行器到 STS 的网络、DNS 和出口防火墙；设置 `sts-endpoint` 可换成所在地域的地址，如 "
            "`sts.cn-hangzhou.aliyuncs.com`（`sts-vpc.` 开头的地址只能在阿里云 VPC 内使用）。",
        ),
        en=Text(
            "STS not reached",
            "After several tries STS⟨ ({where})⟩ gave no answer⟨ (HTTP {status})⟩⟨: {reason}⟩.",
            "Check the network, DNS and firewall from the runner to STS; the setting `sts-endpoint` takes a "
            "regional address such as `sts.cn-hangzhou.aliyuncs.com` (those that begin with `sts-vpc.` work only "
            "inside an Alibaba Cloud VPC).",
        ),
    ),
    Kind.STS_ACCOUNT.value: Both(
        zh=Text(
            "账号不符",
            "STS 返回的身份⟨（账号 {account}）⟩不属于角色 {role} 所在的账号。",
            "没有写入任何内容。请核对 `role-to-assume` 和 `sts-endpoint`，确认没有经过不可信的代理。",
        ),
        en=Text(
            "Another account",
            "The identity that STS gave⟨ (account {account})⟩ does not belong to the account of the role {role}.",
            "Nothing was written. Check `role-to-assume` and `sts-endpoint`, and that no proxy stands in between.",
        ),
    ),
}
