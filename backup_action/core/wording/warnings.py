"""Sentences of warnings: what others did to the bucket, rights wider than need be, people who were not told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from backup_action.core.problem import Kind
from backup_action.core.wording.text import Both, Text

_WARNINGS: Final[Mapping[str, Both]] = {
    Kind.DRIFT_MISSING.value: Both(
        zh=Text(
            "存储空间中的文件丢失",
            "文件 {where} 在上一个快照中，但在存储空间里已不存在；备份会重新上传它。",
            "请确认是谁删除了它：查看操作审计，并检查生命周期规则和其他有删除权限的 RAM 身份。",
        ),
        en=Text(
            "Object missing from the bucket",
            "The file {where} is in the last snapshot but is gone from the bucket; the backup sends it again.",
            "Find out who removed it: look at ActionTrail, the bucket's lifecycle rules and other RAM identities "
            "that may delete.",
        ),
    ),
    Kind.DRIFT_REPLACED.value: Both(
        zh=Text(
            "存储空间中的文件被改动",
            "文件 {where} 在存储空间里被本程序以外的操作改写过；备份会重新上传它。",
            "请确认是谁改写了它；这个前缀下最好只允许备份角色写入。",
        ),
        en=Text(
            "Object replaced in the bucket",
            "The file {where} was overwritten in the bucket by something else than this program; the backup sends "
            "it again.",
            "Find out who wrote it; it is best if only the backup role may write under this prefix.",
        ),
    ),
    Kind.BLOCKS_REFUSED.value: Both(
        zh=Text(
            "OSS 拒绝复制未改动的数据块",
            "{where} 只改了一部分，没有改的部分本可由 OSS 在服务器端复制，但 OSS 拒绝了⟨：{code}⟩⟨（缺少权限 "
            "{right}）⟩，所以整个文件已重新上传。本次运行不再尝试这样的复制。",
            "备份是完整的，只是多用了流量。请给备份角色在这个前缀下的 `oss:GetObject` 和 `oss:PutObject` 权限。",
        ),
        en=Text(
            "Copy of unchanged blocks refused",
            "{where} changed in part only. OSS could have copied the rest on the server but refused⟨: {code}⟩⟨ (right "
            "{right} is missing)⟩, so all of the file was sent, and this run tried no more such copies.",
            "The backup is whole; it only cost more traffic. Give the backup role `oss:GetObject` and `oss:PutObject` "
            "below this prefix.",
        ),
    ),
    Kind.BLOCKS_UNPROVEN.value: Both(
        zh=Text(
            "复制的数据块未能验证",
            "由 OSS 在服务器端复制拼成的对象，其 CRC-64 与磁盘上的文件不一致（{where}⟨，共 {count} 个文件⟩），所以整个"
            "文件已重新上传。本次运行不再尝试这样的复制。",
            "备份是完整的，只是多用了流量。如果反复出现，请运行 `verify --read` 检查已有的内容，并提交阿里云工单。",
        ),
        en=Text(
            "Copied blocks that were not proven",
            "What OSS put together by copies on the server has another CRC-64 than the file on the disk ({where}⟨; "
            "files: {count}⟩), so all of it was sent, and this run tried no more such copies.",
            "The backup is whole; it only cost more traffic. If this happens again, run `verify --read` to check what "
            "is there, and ask Alibaba Cloud's support.",
        ),
    ),
    Kind.COPY_FAILED.value: Both(
        zh=Text(
            "服务器端复制未成功",
            "有 {count} 个文件的内容存储空间中已有，但服务器端复制被拒绝，因此重新上传了内容⟨：{reason}⟩"
            "⟨（{message}）⟩。例如 {where}。",
            "备份是完整的，只是多传了数据。请按错误码查明复制被拒绝的原因。",
        ),
        en=Text(
            "Copy on the server not made",
            "Files whose content the bucket has already ({count}) were sent all the same: a server-side copy was "
            "refused⟨: {reason}⟩⟨ ({message})⟩. One of them is {where}.",
            "The backup is complete; it only sent more than it needed to. Find out by the code why copies are refused.",
        ),
    ),
    "copy.failed#right": Both(
        zh=Text(
            "服务器端复制被拒绝",
            "有 {count} 个文件的内容存储空间中已有，但没有权限在服务器端复制，因此重新上传了内容⟨：{reason}⟩"
            "⟨（{message}）⟩。例如 {where}。",
            "备份是完整的，只是多传了数据。服务器端复制需要这个前缀下的 `oss:GetObject` 和 `oss:PutObject` 权限，请检查"
            "角色的策略和存储空间策略。",
        ),
        en=Text(
            "Copy on the server refused",
            "Files whose content the bucket has already ({count}) were sent all the same: it may not be copied on the "
            "server⟨: {reason}⟩⟨ ({message})⟩. One of them is {where}.",
            "The backup is complete; it only sent more than it needed to. A server-side copy needs `oss:GetObject` and "
            "`oss:PutObject` under the prefix: check the role's policy and the bucket policy.",
        ),
    ),
    "copy.failed#proof": Both(
        zh=Text(
            "服务器端复制无法校验",
            "有 {count} 个文件的内容存储空间中已有，但服务器端复制的结果无法通过 CRC-64 或 MD5 校验，因此重新上传并"
            "覆盖了它。例如 {where}。",
            "备份是完整的：重新上传的内容已通过 CRC-64 校验。如果反复出现，请联系阿里云技术支持。",
        ),
        en=Text(
            "Copy on the server not proven",
            "Files whose content the bucket has already ({count}) were sent all the same: neither CRC-64 nor MD5 "
            "proved a server-side copy. One of them is {where}.",
            "The backup is complete: what was sent is confirmed by CRC-64. If it happens again and again, ask Alibaba "
            "Cloud's support.",
        ),
    ),
    Kind.ROOTS_DROPPED.value: Both(
        zh=Text(
            "有位置不再备份",
            "上一个快照⟨ {snapshot} ⟩中有些位置不在本次的 `paths` 中，新快照不再包含它们：{where}。",
            "如果是有意去掉的，无需处理；已上传的文件和之前的快照都还在。如果它们由另一个作业备份，请给每个作业设置"
            "各自的 `source`，否则这些作业会轮流把对方的位置从快照中去掉。",
        ),
        en=Text(
            "Places no longer backed up",
            "This run's `paths` leaves out places that the last snapshot⟨ ({snapshot})⟩ has, so they are not in the "
            "new one: {where}.",
            "If that is meant, there is nothing to do; what was sent and the earlier snapshots are still there. If "
            "another job backs them up, give each job its own `source`, or each will drop the other's places in turn.",
        ),
    ),
    Kind.KEYS_STORED.value: Both(
        zh=Text(
            "使用了静态密钥（AccessKey）",
            "本次使用了环境变量中保存的静态密钥（AccessKey），而不是临时凭证。",
            "请改用 OIDC：设置 `role-to-assume` 和 `oidc-provider-arn`，去掉 `allow-static-keys`，然后禁用这个 "
            "AccessKey。",
        ),
        en=Text(
            "Stored keys in use",
            "This run used access keys stored in the environment, not temporary credentials.",
            "Change to OIDC: set `role-to-assume` and `oidc-provider-arn`, take out `allow-static-keys`, and then "
            "disable the access key.",
        ),
    ),
    Kind.POLICY_WIDE.value: Both(
        zh=Text(
            "会话权限没有收窄到前缀",
            "本次的临时凭证没有收窄到前缀⟨：{reason}⟩，权限覆盖整个存储空间⟨ {bucket}⟩。",
            "请设置较短的 `prefix`；前缀为空时无法收窄，建议为备份单独建一个存储空间（Bucket）。",
        ),
        en=Text(
            "Session rights wider than the prefix",
            "This run's credentials were not narrowed to the prefix⟨: {reason}⟩; they reach the whole bucket⟨ "
            "{bucket}⟩.",
            "Set a short `prefix`; with an empty one there is nothing to narrow to, so give the backup a bucket of "
            "its own.",
        ),
    ),
    Kind.PUBLISH_FAILED.value: Both(
        zh=Text(
            "结果未能写出",
            "运行结果未能写到 {where}⟨：{reason}⟩。",
            "备份本身的结果不受影响。请检查磁盘空间，以及运行程序的用户对该文件的写权限。",
        ),
        en=Text(
            "Result not written",
            "The result of the run could not be written to {where}⟨: {reason}⟩.",
            "The backup itself is not affected. Check the free space, and that the user who runs the program may "
            "write there.",
        ),
    ),
}

_NOTICES: Final[Mapping[str, Both]] = {
    Kind.NOTIFY_FAILED.value: Both(
        zh=Text(
            "钉钉通知失败",
            "钉钉通知没有送达⟨（errcode {errcode}）⟩⟨：{errmsg}⟩⟨：{reason}⟩。",
            "备份结果不受影响。请检查群机器人的状态和设置 `dingtalk-webhook`，以及运行器到 `oapi.dingtalk.com` 的网"
            "络。",
        ),
        en=Text(
            "DingTalk message not delivered",
            "The DingTalk message was not delivered⟨ (errcode {errcode})⟩⟨: {errmsg}⟩⟨: {reason}⟩.",
            "The result of the backup is not affected. Check the group robot, the setting `dingtalk-webhook`, and "
            "the network from the runner to `oapi.dingtalk.com`.",
        ),
    ),
    "notify.failed#keyword": Both(
        zh=Text(
            "钉钉通知失败：关键词",
            "钉钉拒收通知⟨（errcode {errcode}）⟩：消息中没有机器人的自定义关键词⟨（{errmsg}）⟩。",
            "请把设置 `dingtalk-keyword` 写成机器人安全设置中的任意一个关键词。",
        ),
        en=Text(
            "DingTalk: keyword",
            "DingTalk refused the message⟨ (errcode {errcode})⟩: none of the robot's keywords is in it⟨ ({errmsg})⟩.",
            "Set `dingtalk-keyword` to one of the keywords in the robot's security settings.",
        ),
    ),
    "notify.failed#sign": Both(
        zh=Text(
            "钉钉通知失败：加签",
            "钉钉拒收通知⟨（errcode {errcode}）⟩：签名不匹配⟨（{errmsg}）⟩。",
            "请把设置 `dingtalk-secret` 换成机器人安全设置中“加签”的密钥（以 `SEC` 开头），并确认它与 "
            "`dingtalk-webhook` 属于同一个机器人。",
        ),
        en=Text(
            "DingTalk: signature",
            "DingTalk refused the message⟨ (errcode {errcode})⟩: the signature does not match⟨ ({errmsg})⟩.",
            "Set `dingtalk-secret` to the signing secret (it begins with `SEC`) in the security settings of the "
            "same robot that `dingtalk-webhook` belongs to.",
        ),
    ),
    "notify.failed#clock": Both(
        zh=Text(
            "钉钉通知失败：时间",
            "钉钉拒收通知⟨（errcode {errcode}）⟩：时间戳与服务器相差超过 1 小时⟨（{errmsg}）⟩。",
            "请校准运行器的系统时间（NTP）。",
        ),
        en=Text(
            "DingTalk: clock",
            "DingTalk refused the message⟨ (errcode {errcode})⟩: the timestamp is off by more than an hour⟨ "
            "({errmsg})⟩.",
            "Set the runner's clock right (NTP).",
        ),
    ),
    "notify.failed#address": Both(
        zh=Text(
            "钉钉通知失败：IP 白名单",
            "钉钉拒收通知⟨（errcode {errcode}）⟩：运行器的出口 IP 不在白名单中⟨（{errmsg}）⟩。",
            "请把出口 IP 加入机器人的 IP 地址段；GitHub 托管的运行器没有固定 IP，请改用加签并设置 `dingtalk-secret`。",
        ),
        en=Text(
            "DingTalk: address",
            "DingTalk refused the message⟨ (errcode {errcode})⟩: the runner's address is not on the list⟨ ({errmsg})⟩.",
            "Add the address to the robot's list; runners hosted by GitHub have no fixed one, so there use signing "
            "instead and set `dingtalk-secret`.",
        ),
    ),
    "notify.failed#rate": Both(
        zh=Text(
            "钉钉通知失败：发送过快",
            "钉钉限制了发送频率⟨（errcode {errcode}）⟩⟨：{errmsg}⟩。",
            "每个机器人每分钟最多 20 条，超过后约 10 分钟内不再接收，因此没有重试。请为备份单独建一个机器人，或把 "
            "`notify-on` 设为 `problem`。",
        ),
        en=Text(
            "DingTalk: too fast",
            "DingTalk limits the rate of messages⟨ (errcode {errcode})⟩⟨: {errmsg}⟩.",
            "A robot takes 20 messages a minute and then none for about 10 minutes, so there was no second try. "
            "Give the backup a robot of its own, or set `notify-on` to `problem`.",
        ),
    ),
    "notify.failed#token": Both(
        zh=Text(
            "钉钉通知失败：Webhook 无效",
            "钉钉不认识这个 Webhook 地址⟨（errcode {errcode}）⟩⟨：{errmsg}⟩。",
            "请在群机器人设置中重新复制 Webhook 地址，更新设置 `dingtalk-webhook`；机器人也可能已被停用或移除。",
        ),
        en=Text(
            "DingTalk: webhook",
            "DingTalk does not know this webhook⟨ (errcode {errcode})⟩⟨: {errmsg}⟩.",
            "Copy the address from the robot's settings again into `dingtalk-webhook`; the robot may also be "
            "disabled or removed.",
        ),
    ),
    "notify.failed#webhook": Both(
        zh=Text(
            "钉钉通知失败：Webhook 格式",
            "设置 `dingtalk-webhook` 不是钉钉自定义机器人的地址，没有发送。",
            "它的格式应为 `https://oapi.dingtalk.com/robot/send?access_token=…`，请从群机器人设置中完整复制。",
        ),
        en=Text(
            "DingTalk: form of the webhook",
            "The setting `dingtalk-webhook` is not the address of a DingTalk custom robot; nothing was sent.",
            "It has the form `https://oapi.dingtalk.com/robot/send?access_token=…`; copy it whole from the robot's "
            "settings.",
        ),
    ),
}

TEXTS: Final[Mapping[str, Both]] = {**_WARNINGS, **_NOTICES}
