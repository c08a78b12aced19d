"""Sentences about AssumeRoleWithOIDC: one for each answer in STS's table of error codes.

https://help.aliyun.com/zh/ram/developer-reference/api-sts-2015-04-01-errorcodes
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from backup_action.core.problem import Kind
from backup_action.core.wording.text import Both, Text

_THREE_EDITS_ZH: Final = (
    "自定义 audience 要同时改三处：设置 `audience`、信任策略的 `oidc:aud`、身份提供商的客户端 ID（Client ID）。"
)
_THREE_EDITS_EN: Final = (
    "An audience of your own takes three edits: the setting `audience`, `oidc:aud` in the trust policy, and the "
    "client IDs of the identity provider."
)

_TRUST: Final = Both(
    zh=Text(
        "角色的信任策略不匹配",
        "角色 {role} 的信任策略不接受本次运行的令牌⟨（{message}）⟩。"
        "⟨令牌的 iss 是 {iss}。⟩⟨令牌的 aud 是 {aud}。⟩⟨令牌的 sub 是 {sub}。⟩",
        "请在 RAM 控制台修改该角色的信任策略：`Action` 是 `sts:AssumeRole`（不是 `sts:AssumeRoleWithOIDC`），"
        "`Principal` 的 `Federated` 是⟨ {provider}，即⟩身份提供商的 ARN，条件 `oidc:iss`、`oidc:aud`、`oidc:sub` 与"
        "令牌一致。`sub` 有两种写法：`repo:OWNER/REPO:…`，以及 2026 年 7 月 15 日后新建、改名或转移的仓库使用的 "
        "`repo:OWNER@OWNER_ID/REPO@REPO_ID:…`；作业写了 `environment` 时，结尾是 `:environment:NAME` 而不是分支。"
        + _THREE_EDITS_ZH,
        "{trust-policy}",
    ),
    en=Text(
        "Trust policy that does not match",
        "The trust policy of the role {role} does not accept this run's token⟨ ({message})⟩.⟨ The token's iss is "
        "{iss}.⟩⟨ Its aud is {aud}.⟩⟨ Its sub is {sub}.⟩",
        "Edit the role's trust policy in the RAM console: `Action` is `sts:AssumeRole` (not "
        "`sts:AssumeRoleWithOIDC`), `Federated` under `Principal` is⟨ {provider},⟩ the ARN of the identity "
        "provider, and the conditions `oidc:iss`, `oidc:aud` and `oidc:sub` are as in the token. There are two "
        "forms of `sub`: `repo:OWNER/REPO:…`, and `repo:OWNER@OWNER_ID/REPO@REPO_ID:…` for repositories created, "
        "renamed or transferred after 15 July 2026; where the "
        "job names an `environment` it ends in `:environment:NAME` and not in a branch. " + _THREE_EDITS_EN,
        "{trust-policy}",
    ),
)

_TOKENS: Final[Mapping[str, Both]] = {
    Kind.STS_TOKEN_EXPIRED.value: Both(
        zh=Text(
            "OIDC 令牌已过期",
            "STS 认为 OIDC 令牌已过期⟨（{message}）⟩，换取新令牌后仍然如此。",
            "GitHub 的令牌只有约 5 分钟有效期。请校准运行器的系统时间（NTP），并检查身份提供商的“最早颁发时间限制”和"
            "到 STS 的网络。",
        ),
        en=Text(
            "OIDC token expired",
            "STS holds the OIDC token to be expired⟨ ({message})⟩, and a fresh one too.",
            "GitHub's tokens live for about 5 minutes. Set the runner's clock right (NTP), and check the provider's "
            "issuance limit time and the network to STS.",
        ),
    ),
    Kind.STS_TOKEN_INVALID.value: Both(
        zh=Text(
            "OIDC 令牌无法识别",
            "STS 无法识别这个 OIDC 令牌⟨（{message}）⟩。",
            "令牌在传递中被改动了，常见的是多了换行或引号。使用令牌文件时，请确认文件里只有令牌本身。",
        ),
        en=Text(
            "OIDC token not understood",
            "STS does not understand the OIDC token⟨ ({message})⟩.",
            "Something changed it on the way, often a newline or quotes. If it comes from a file, there must be "
            "nothing but the token in it.",
        ),
    ),
    Kind.STS_SIGNATURE.value: Both(
        zh=Text(
            "OIDC 令牌签名无效",
            "OIDC 令牌的签名无效⟨（{message}）⟩⟨；令牌的颁发者是 {iss}⟩。",
            "这个令牌不是身份提供商⟨ {provider} ⟩登记的颁发者签发的。请核对 `oidc-provider-arn` 以及该身份提供商的颁"
            "发者 URL。",
        ),
        en=Text(
            "OIDC token with a wrong signature",
            "The signature of the OIDC token is not valid⟨ ({message})⟩⟨; its issuer is {iss}⟩.",
            "The issuer registered with the identity provider⟨ {provider}⟩ did not sign it. Check "
            "`oidc-provider-arn` and the issuer URL of that provider.",
        ),
    ),
}

_PROVIDERS: Final[Mapping[str, Both]] = {
    Kind.STS_PROVIDER.value: Both(
        zh=Text(
            "OIDC 身份提供商不存在",
            "访问控制 RAM 中没有 OIDC 身份提供商 {provider}⟨（{message}）⟩。",
            "请核对设置 `oidc-provider-arn`，格式为 `acs:ram::ACCOUNT_ID:oidc-provider/NAME`；如果已被删除，请在 "
            "RAM 控制台重新创建，颁发者 URL 为⟨ {iss}，即⟩令牌中的 iss（github.com 上是 "
            "`https://token.actions.githubusercontent.com`）。",
        ),
        en=Text(
            "Identity provider does not exist",
            "There is no OIDC identity provider {provider} in RAM⟨ ({message})⟩.",
            "Check the setting `oidc-provider-arn`, of the form `acs:ram::ACCOUNT_ID:oidc-provider/NAME`; if it was "
            "deleted, create it again in the RAM console with the token's iss⟨, {iss},⟩ as issuer URL (on "
            "github.com `https://token.actions.githubusercontent.com`).",
        ),
    ),
    Kind.STS_AUDIENCE.value: Both(
        zh=Text(
            "audience 不在客户端 ID 中",
            "令牌的 audience⟨ {aud}⟩ 不在身份提供商⟨ {provider} ⟩的客户端 ID 中⟨（{message}）⟩。",
            "请在 RAM 控制台把它加进该身份提供商的客户端 ID，或把设置 `audience` 改成已有的一个。" + _THREE_EDITS_ZH,
        ),
        en=Text(
            "Audience not among the client IDs",
            "The token's audience⟨ {aud}⟩ is not among the client IDs of the identity provider⟨ {provider}⟩⟨ "
            "({message})⟩.",
            "Add it to the provider's client IDs in the RAM console, or set `audience` to one that is there. "
            + _THREE_EDITS_EN,
        ),
    ),
    Kind.STS_ISSUER.value: Both(
        zh=Text(
            "颁发者不一致",
            "令牌的颁发者⟨ {iss} ⟩与身份提供商⟨ {provider} ⟩登记的颁发者 URL 不一致⟨（{message}）⟩。",
            "两者必须逐字相同，结尾没有斜杠。GitHub Enterprise Server 的颁发者是 `https://HOSTNAME/_services/token`，"
            "企业自定义的颁发者结尾带企业名；请按令牌的 iss 新建身份提供商，并更新 `oidc-provider-arn`。",
        ),
        en=Text(
            "Another issuer",
            "The token's issuer⟨ {iss}⟩ is not the issuer URL of the identity provider⟨ {provider}⟩⟨ ({message})⟩.",
            "The two have to be equal to the letter, with no slash at the end. On GitHub Enterprise Server the "
            "issuer is `https://HOSTNAME/_services/token`, and an enterprise's own issuer ends in its name; create "
            "a provider for the token's iss and set `oidc-provider-arn` to it.",
        ),
    ),
    Kind.STS_ISSUER_BROKEN.value: Both(
        zh=Text(
            "阿里云读不到颁发者的公钥",
            "阿里云无法从颁发者⟨ {iss} ⟩取得公钥⟨（{message}）⟩。",
            "请确认颁发者的 `/.well-known/openid-configuration` 能从公网访问（内网的 GitHub Enterprise Server 做不"
            "到）；github.com 上偶尔出现时，稍后重新运行即可。",
        ),
        en=Text(
            "Issuer's keys not readable",
            "Alibaba Cloud could not fetch the public keys of the issuer⟨ {iss}⟩⟨ ({message})⟩.",
            "Its `/.well-known/openid-configuration` has to be reachable from the internet (a GitHub Enterprise "
            "Server inside a company network is not); if it happens on github.com, run again later.",
        ),
    ),
    Kind.STS_CERTIFICATE.value: Both(
        zh=Text(
            "颁发者的证书链验证失败",
            "阿里云无法验证颁发者⟨ {iss} ⟩的 HTTPS 证书链⟨（{message}）⟩。",
            "请在 RAM 控制台更新身份提供商⟨ {provider} ⟩的验证指纹（控制台可以自动获取；最多 5 个）。",
        ),
        en=Text(
            "Issuer's certificate not accepted",
            "Alibaba Cloud could not verify the certificate chain of the issuer⟨ {iss}⟩⟨ ({message})⟩.",
            "Update the fingerprints of the identity provider⟨ {provider}⟩ in the RAM console, which can fetch them "
            "itself (5 at most).",
        ),
    ),
    Kind.STS_FINGERPRINT.value: Both(
        zh=Text(
            "验证指纹不匹配",
            "颁发者⟨ {iss} ⟩的证书与身份提供商⟨ {provider} ⟩登记的验证指纹不匹配⟨（{message}）⟩。",
            "颁发者更换了证书。请在 RAM 控制台重新获取并更新该身份提供商的验证指纹。",
        ),
        en=Text(
            "Fingerprint that does not match",
            "The certificate of the issuer⟨ {iss}⟩ does not have a fingerprint registered with the identity provider"
            "⟨ {provider}⟩⟨ ({message})⟩.",
            "The issuer has a new certificate: fetch and update the provider's fingerprints in the RAM console.",
        ),
    ),
}

TEXTS: Final[Mapping[str, Both]] = {Kind.STS_TRUST.value: _TRUST, **_TOKENS, **_PROVIDERS}
