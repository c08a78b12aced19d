"""Sentences about OSS: what it refuses and why, and what we find in the bucket."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from backup_action.core.problem import Kind
from backup_action.core.wording.text import Both, Text

_ADDRESSES: Final[Mapping[str, Both]] = {
    Kind.OSS_ENDPOINT.value: Both(
        zh=Text(
            "地域或 Endpoint 不对",
            "存储空间 {bucket} 不在所用的地域⟨ {region} ⟩⟨（Endpoint {endpoint}）⟩。",
            "请把设置 `region` 改成存储空间所在的地域⟨；OSS 给出的访问域名是 {expected-endpoint}⟩，"
            "并去掉或改正设置 `endpoint`；所在地域见 OSS 控制台的 Bucket 概览。",
        ),
        en=Text(
            "Wrong region or endpoint",
            "The bucket {bucket} is not in the region used⟨, {region}⟩⟨ (endpoint {endpoint})⟩.",
            "Set `region` to the bucket's region⟨ (OSS names the endpoint {expected-endpoint})⟩, which the bucket's "
            "overview in the OSS console shows; if `endpoint` is set, take it out or correct it.",
        ),
    ),
    Kind.OSS_BUCKET.value: Both(
        zh=Text(
            "存储空间不存在",
            "存储空间 {bucket} 不存在⟨（地域 {region}）⟩。",
            "请核对设置 `bucket` 和 `region`；程序不会自行创建存储空间，请先在 OSS 控制台创建。",
        ),
        en=Text(
            "Bucket does not exist",
            "The bucket {bucket} does not exist⟨ (region {region})⟩.",
            "Check the settings `bucket` and `region`; the program creates no bucket, so create it in the OSS "
            "console first.",
        ),
    ),
    Kind.OSS_UNREACHABLE.value: Both(
        zh=Text(
            "无法连接 OSS",
            "多次重试后，OSS 仍未返回成功响应⟨（{where}）⟩⟨（HTTP {status}）⟩⟨：{code}⟩⟨：{reason}⟩"
            "⟨；本次运行共用的 {allowance} 次重试额度已经用完⟩。",
            "请核对设置 `region` 的拼写（OSS 的域名由它组成），并检查运行器到 OSS 的网络、DNS 和出口防火墙；"
            "`-internal` 的内网域名只能在同地域的阿里云内使用。已上传的文件下次会直接沿用，稍后重新运行即可。",
        ),
        en=Text(
            "OSS not reached",
            "After several tries OSS⟨ ({where})⟩ gave no successful answer⟨ (HTTP {status})⟩⟨: {code}⟩⟨: {reason}⟩"
            "⟨; the {allowance} retries that a whole run has are used up⟩.",
            "Check the spelling of `region` (the host is made of it), and the network, DNS and firewall from the "
            "runner to OSS; an `-internal` endpoint works only inside Alibaba Cloud in the same region. The next run "
            "takes over what was sent, so run again later.",
        ),
    ),
    Kind.OSS_MALFORMED.value: Both(
        zh=Text(
            "OSS 的响应无法解析",
            "OSS 的响应不符合协议⟨（{where}）⟩⟨：{reason}⟩⟨（HTTP {status}）⟩。",
            "中间可能有代理或安全网关改动了响应。请让运行器直连 OSS，或核对设置 `endpoint`，然后重新运行。",
        ),
        en=Text(
            "Answer that makes no sense",
            "What came as an answer of OSS⟨ ({where})⟩ is not one⟨: {reason}⟩⟨ (HTTP {status})⟩.",
            "A proxy or gateway in between may have altered it. Let the runner reach OSS directly, or check the "
            "setting `endpoint`, and run again.",
        ),
    ),
}

_RIGHTS: Final[Mapping[str, Both]] = {
    Kind.OSS_RIGHT.value: Both(
        zh=Text(
            "缺少 OSS 权限",
            "当前身份没有权限 {right}⟨，资源 {resource}⟩⟨（{message}）⟩。",
            "请在 RAM 控制台给该角色的权限策略加上 {right}⟨，资源写 {resource}⟩，"
            "并确认 Bucket 授权策略（Bucket Policy）没有拒绝它。",
        ),
        en=Text(
            "Missing right on OSS",
            "This identity lacks the right {right}⟨ on {resource}⟩⟨ ({message})⟩.",
            "Add {right}⟨ on {resource}⟩ to the role's permission policy in the RAM console, and check that the "
            "bucket policy does not deny it.",
        ),
    ),
    "oss.right#tags": Both(
        zh=Text(
            "缺少写对象标签的权限",
            "当前身份没有权限 {right}⟨，资源 {resource}⟩，而设置 `tags` 要给每个文件写标签⟨（{message}）⟩。",
            "请在 RAM 控制台给该角色的权限策略加上 {right}⟨，资源写 {resource}⟩；不需要标签时，去掉设置 `tags`。",
        ),
        en=Text(
            "Missing right to write tags",
            "This identity lacks the right {right}⟨ on {resource}⟩, and the setting `tags` wants tags on every file"
            "⟨ ({message})⟩.",
            "Add {right}⟨ on {resource}⟩ to the role's permission policy in the RAM console; or, if no tags are "
            "wanted, take the setting `tags` out.",
        ),
    ),
    Kind.OSS_KMS.value: Both(
        zh=Text(
            "KMS 拒绝加密",
            "写入存储空间⟨ {bucket} ⟩的内容由 KMS 加密，而 KMS 拒绝了请求⟨：{code}⟩⟨，{message}⟩。",
            "请依次检查：角色的权限策略里有 `kms:GenerateDataKey` 和 `kms:Decrypt`，资源包含所用的密钥；该密钥在 KMS "
            "控制台处于启用状态；本账号已开通密钥管理服务 KMS。密钥由设置 `kms-key-id` 指定，未设置时由存储空间的服务器"
            "端加密配置决定。",
        ),
        en=Text(
            "Refused by KMS",
            "What is written to the bucket⟨ {bucket}⟩ is encrypted with KMS, and KMS refused⟨: {code}⟩⟨, {message}⟩.",
            "Check in this order: the role's permission policy grants `kms:GenerateDataKey` and `kms:Decrypt` on the "
            "key; the key is enabled in the KMS console; KMS is activated for this account. Which key it is, the "
            "setting `kms-key-id` says, or else the bucket's own encryption settings.",
        ),
    ),
    "oss.kms#key": Both(
        zh=Text(
            "KMS 密钥不存在",
            "KMS 中没有密钥⟨ {given}⟩，存储空间⟨ {bucket}（地域 {region}）⟩无法用它加密⟨：{code}⟩⟨，{message}⟩。",
            "请核对设置 `kms-key-id`：密钥要与存储空间在同一账号、同一地域。没有设置它时，请核对存储空间的服务器端加密"
            "配置；去掉 `kms-key-id` 则使用 OSS 托管的密钥。",
        ),
        en=Text(
            "KMS key does not exist",
            "KMS has no key⟨ {given}⟩ that the bucket⟨ {bucket} (region {region})⟩ could encrypt with⟨: {code}⟩"
            "⟨, {message}⟩.",
            "Check the setting `kms-key-id`: the key has to be of the bucket's account and region. If it is not set, "
            "check the bucket's own encryption settings; without `kms-key-id`, the key that OSS manages is used.",
        ),
    ),
    "oss.kms#algorithm": Both(
        zh=Text(
            "加密方式不可用",
            "存储空间 {bucket}⟨（地域 {region}）⟩不接受所要求的加密方式⟨：{code}⟩⟨，{message}⟩。",
            "请把设置 `server-side-encryption` 改成该地域支持的方式（`AES256` 或 `KMS`），或去掉它，使用存储空间自己的"
            "加密配置。",
        ),
        en=Text(
            "Encryption not available",
            "The bucket {bucket}⟨ (region {region})⟩ does not take the encryption asked for⟨: {code}⟩⟨, {message}⟩.",
            "Set `server-side-encryption` to one that the region has (`AES256` or `KMS`), or take it out to use the "
            "bucket's own.",
        ),
    ),
    Kind.OSS_CLASS.value: Both(
        zh=Text(
            "存储类型不可用",
            "存储空间 {bucket}⟨（地域 {region}）⟩不接受存储类型⟨ {given}⟩⟨（{message}）⟩。",
            "请把设置 `storage-class` 改成该地域提供的类型（`DeepColdArchive` 只在部分地域提供），或去掉它，使用存储"
            "空间自己的存储类型。",
        ),
        en=Text(
            "Storage class not available",
            "The bucket {bucket}⟨ (region {region})⟩ does not take the storage class⟨ {given}⟩⟨ ({message})⟩.",
            "Set `storage-class` to one that the region has (only some regions have `DeepColdArchive`), or take it "
            "out to use the bucket's own.",
        ),
    ),
    Kind.OSS_WORM.value: Both(
        zh=Text(
            "受合规保留策略保护",
            "文件 {where} 受合规保留策略（WORM）或禁止覆盖规则保护，不能覆盖或删除⟨（{code}）⟩。",
            "保留期内任何人都不能改动它。请换一个 `prefix` 或存储空间，或等保留期结束。",
        ),
        en=Text(
            "Kept by a retention policy",
            "A retention policy (WORM) or a rule against overwriting protects {where}: it can be neither replaced "
            "nor deleted⟨ ({code})⟩.",
            "Nobody can change it until the retention ends. Use another `prefix` or bucket, or wait for the end.",
        ),
    ),
    Kind.OSS_ACCOUNT.value: Both(
        zh=Text(
            "账号或存储空间被停用",
            "OSS 因账号或存储空间的状态拒绝了请求⟨：{code}⟩⟨，{message}⟩。",
            "请登录阿里云控制台查看是否欠费、OSS 是否被停用，或存储空间⟨ {bucket} ⟩是否被封禁。",
        ),
        en=Text(
            "Account or bucket suspended",
            "OSS refused because of the state of the account or the bucket⟨: {code}⟩⟨, {message}⟩.",
            "See in the Alibaba Cloud console whether payment is overdue, OSS is off, or the bucket⟨ {bucket}⟩ is "
            "blocked.",
        ),
    ),
    Kind.OSS_REFUSED.value: Both(
        zh=Text(
            "OSS 拒绝请求",
            "OSS 拒绝了⟨针对 {where} 的⟩请求⟨（HTTP {status}）⟩⟨：{code}⟩⟨，{message}⟩。",
            "请根据错误码排查；EC 码可在 `https://api.aliyun.com/troubleshoot` 查询。仍无法解决时，请附上 RequestId "
            "提交阿里云工单。",
        ),
        en=Text(
            "OSS refused",
            "OSS refused a request⟨ about {where}⟩⟨ (HTTP {status})⟩⟨: {code}⟩⟨, {message}⟩.",
            "See to the code; `https://api.aliyun.com/troubleshoot` explains EC codes, and Alibaba Cloud's support "
            "helps with the RequestId.",
        ),
    ),
}

_KEYS: Final[Mapping[str, Both]] = {
    Kind.OSS_SIGNATURE.value: Both(
        zh=Text(
            "OSS 不接受请求签名",
            "OSS 不接受请求的签名⟨（{code}）⟩⟨：{message}⟩。",
            "使用静态密钥（AccessKey）时，最可能的原因是 `ALIBABA_CLOUD_ACCESS_KEY_SECRET` 不正确，请先核对它。其次是"
            "代理改动了请求，或 AccessKey 与安全令牌不是同一次取得的：请让运行器直连 OSS；仍然出现时，请附上 RequestId "
            "在本项目的 Issues 中反馈。",
        ),
        en=Text(
            "Signature not accepted",
            "OSS does not accept the signature of a request⟨ ({code})⟩⟨: {message}⟩.",
            "With static keys the most likely cause is a wrong `ALIBABA_CLOUD_ACCESS_KEY_SECRET`: check that first. "
            "Otherwise a proxy altered the request, or key and token are not of one pair: let the runner reach OSS "
            "directly, and if it stays, open an issue with the RequestId.",
        ),
    ),
    Kind.OSS_KEY.value: Both(
        zh=Text(
            "AccessKey 无效",
            "该 AccessKey 不存在或已被禁用⟨（{code}）⟩⟨：{message}⟩。",
            "使用 OIDC 时请确认角色没有被删除，且角色没有 IP 限制；使用静态密钥（AccessKey）时请更新 "
            "`ALIBABA_CLOUD_ACCESS_KEY_ID` 和 `ALIBABA_CLOUD_ACCESS_KEY_SECRET`。",
        ),
        en=Text(
            "Access key not valid",
            "OSS does not know this access key, or it is disabled⟨ ({code})⟩⟨: {message}⟩.",
            "With OIDC, see that the role still exists and is not bound to other addresses; with stored keys, renew "
            "`ALIBABA_CLOUD_ACCESS_KEY_ID` and `ALIBABA_CLOUD_ACCESS_KEY_SECRET`.",
        ),
    ),
    Kind.OSS_TOKEN.value: Both(
        zh=Text(
            "临时凭证失效",
            "OSS 不接受临时凭证的安全令牌⟨（{code}）⟩⟨：{message}⟩，续期后仍然如此。",
            "请校准运行器的系统时间（NTP）后重新运行；使用静态密钥（AccessKey）时请确认 `ALIBABA_CLOUD_SECURITY_TOKEN` "
            "与 AccessKey 是同一次取得的。",
        ),
        en=Text(
            "Session credentials not valid",
            "OSS does not accept the session's security token⟨ ({code})⟩⟨: {message}⟩, nor a renewed one.",
            "Set the runner's clock right (NTP) and run again; with stored keys, `ALIBABA_CLOUD_SECURITY_TOKEN` has "
            "to be of the same session as the key.",
        ),
    ),
    Kind.OSS_CLOCK.value: Both(
        zh=Text(
            "系统时间不准",
            "运行器的系统时间与 OSS 相差太多⟨：运行器是 {ours}，OSS 是 {theirs}⟩。",
            "请校准运行器的系统时间（NTP，如 `timedatectl set-ntp true`）后重新运行。一天以内的偏差由程序自行修正；"
            "偏差更大时，其他凭证和证书也会失效。",
        ),
        en=Text(
            "Clock is off",
            "The runner's clock is too far off that of OSS⟨: the runner's says {ours}, OSS's says {theirs}⟩.",
            "Set the runner's clock right (NTP, for example `timedatectl set-ntp true`) and run again. The program "
            "makes up for up to a day; beyond that, certificates and credentials fail as well.",
        ),
    ),
}

TEXTS: Final[Mapping[str, Both]] = {**_ADDRESSES, **_RIGHTS, **_KEYS}
