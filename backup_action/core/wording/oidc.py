"""Sentences about the OIDC token that GitHub issues to a job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from backup_action.core.problem import Kind
from backup_action.core.wording.text import Both, Text

PERMISSIONS: Final = "permissions:\n  id-token: write\n  contents: read"

TEXTS: Final[Mapping[str, Both]] = {
    Kind.OIDC_NO_PERMISSION.value: Both(
        zh=Text(
            "作业没有 id-token 权限",
            "GitHub 没有给本作业提供申请 OIDC 令牌的凭据。",
            "请在工作流或作业中加上 `permissions: id-token: write`（一旦声明 permissions，未列出的权限都会变为 "
            "none，需要检出代码时再加 `contents: read`）。调用可复用工作流时，调用方也要写；Dependabot 触发的运行得不到"
            "令牌。不在 GitHub 上运行时，请改用其他凭证来源。",
            PERMISSIONS,
        ),
        en=Text(
            "Job without the id-token permission",
            "GitHub gave this job nothing to ask for an OIDC token with.",
            "Add `permissions: id-token: write` to the workflow or the job (naming one permission sets the others "
            "to none, so add `contents: read` for a checkout). With a reusable workflow the caller has to grant it "
            "too; runs that Dependabot starts do not get it. Off GitHub, use another source of credentials.",
            PERMISSIONS,
        ),
    ),
    "oidc.no-permission#shell": Both(
        zh=Text(
            "不在 GitHub 上，没有 OIDC 令牌",
            "OIDC 令牌由 GitHub 发给它的作业，而本次不是在 GitHub 上运行，所以没有令牌。",
            "在自己的主机上运行时，请设置 `allow-static-keys`，并用环境变量 `ALIBABA_CLOUD_ACCESS_KEY_ID` 和 "
            "`ALIBABA_CLOUD_ACCESS_KEY_SECRET` 给出密钥；在 GitHub 上运行时，请在工作流或作业中加上 "
            "`permissions: id-token: write`。",
        ),
        en=Text(
            "No OIDC token outside of GitHub",
            "GitHub gives OIDC tokens to its own jobs, and this run is outside of GitHub, so there is none.",
            "On a host of your own, set `allow-static-keys` and give the keys in the environment as "
            "`ALIBABA_CLOUD_ACCESS_KEY_ID` and `ALIBABA_CLOUD_ACCESS_KEY_SECRET`; on GitHub, add "
            "`permissions: id-token: write` to the workflow or the job.",
        ),
    ),
    Kind.OIDC_FORK.value: Both(
        zh=Text(
            "来自 Fork 仓库的拉取请求（Pull Request）",
            "本次运行由 Fork（复刻）仓库的拉取请求触发⟨（{where}）⟩，GitHub 不给它 OIDC 令牌。",
            "这是 GitHub 的安全限制，与 `permissions: id-token: write` 无关。请改由 `schedule`、`push` 或 "
            "`workflow_dispatch` 触发备份；不要为此改用 `pull_request_target`。",
        ),
        en=Text(
            "Pull request from a fork",
            "A pull request from a fork started this run⟨ ({where})⟩, and GitHub gives those no OIDC token.",
            "GitHub holds to this whatever `permissions: id-token: write` says. Start backups by `schedule`, `push` "
            "or `workflow_dispatch`; do not change to `pull_request_target` for it.",
        ),
    ),
    Kind.OIDC_REFUSED.value: Both(
        zh=Text(
            "GitHub 拒发 OIDC 令牌",
            "GitHub 的令牌服务没有给出可用的 OIDC 令牌⟨（HTTP {status}）⟩⟨：{reason}⟩。",
            "请核对设置 `audience`⟨（现为 {aud}）⟩和作业的 `permissions: id-token: write`；申请令牌所用的"
            "凭据在作业结束后即失效，请重新运行该作业。",
        ),
        en=Text(
            "OIDC token refused",
            "GitHub's token service did not give a usable OIDC token⟨ (HTTP {status})⟩⟨: {reason}⟩.",
            "Check the setting `audience`⟨ (now {aud})⟩ and the job's `permissions: id-token: write`; the "
            "credential that the token is asked for with expires with the job, so run the job again.",
        ),
    ),
    Kind.OIDC_UNREACHABLE.value: Both(
        zh=Text(
            "无法连接 GitHub 令牌服务",
            "多次重试后仍无法从 GitHub 的令牌服务取得 OIDC 令牌⟨（{where}）⟩⟨（HTTP {status}）⟩⟨：{reason}⟩。",
            "请检查运行器到 GitHub 的网络、DNS 和出口防火墙，并查看 `www.githubstatus.com`，稍后重新运行。",
        ),
        en=Text(
            "GitHub's token service not reached",
            "After several tries GitHub's token service⟨ ({where})⟩ gave no OIDC token⟨ (HTTP {status})⟩⟨: {reason}⟩.",
            "Check the network, DNS and firewall from the runner to GitHub, look at `www.githubstatus.com`, and run "
            "again.",
        ),
    ),
}
