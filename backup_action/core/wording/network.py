"""Sentences about the way to the neighbours: the proxy, the certificates, and the time that a run has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from backup_action.core.problem import Kind
from backup_action.core.wording.text import Both, Text

TEXTS: Final[Mapping[str, Both]] = {
    Kind.PROXY_UNREACHABLE.value: Both(
        zh=Text(
            "无法连接代理",
            "多次重试后，仍无法通过设置 `proxy` 中的代理访问 {where}⟨：{reason}⟩"
            "⟨；本次运行共用的 {allowance} 次重试额度已经用完⟩。",
            "请核对设置 `proxy` 中的主机和端口，并确认代理正在运行、运行器可以连接它；不需要代理时去掉该设置。"
            "已上传的文件下次会直接沿用。",
        ),
        en=Text(
            "Proxy not reached",
            "After several tries the proxy of the setting `proxy` led to no answer of {where}⟨: {reason}⟩"
            "⟨; the {allowance} retries that a whole run has are used up⟩.",
            "Check host and port in `proxy`, that the proxy runs, and that the runner reaches it; without need of one, "
            "take the setting out. The next run takes over what was sent.",
        ),
    ),
    "proxy.unreachable#refused": Both(
        zh=Text(
            "代理拒绝请求",
            "设置 `proxy` 中的代理拒绝转发到 {where} 的请求⟨：{reason}⟩。",
            "HTTP 407 表示代理需要用户名和密码，或现有的不正确：请写成 `http://user:password@host:port`，其中的特殊字符"
            "用 `%XX` 表示。其他状态码请让代理的管理员放行该主机。",
        ),
        en=Text(
            "Proxy refused",
            "The proxy of the setting `proxy` refused to forward to {where}⟨: {reason}⟩.",
            "HTTP 407 means that it wants a user and a password, or other ones: write "
            "`http://user:password@host:port`, special characters as `%XX`. For any other status, have whoever "
            "runs the proxy allow that host.",
        ),
    ),
    Kind.CERTIFICATE.value: Both(
        zh=Text(
            "证书不受信任",
            "{where} 出示的 TLS 证书不受信任⟨：{reason}⟩。没有向它发送任何内容。",
            "如果网络中有检查 TLS 的网关，或使用内部的证书颁发机构，请把其 CA 证书（PEM）的路径写入设置 `ca-bundle`"
            "（若还要直接访问公网服务，把公共 CA 证书也放进同一文件）。否则请检查运行器的系统时间和 DNS：对方"
            "可能不是它自称的主机。",
        ),
        en=Text(
            "Certificate not accepted",
            "The TLS certificate that {where} showed is not trusted⟨: {reason}⟩. Nothing was sent to it.",
            "Where a gateway inspects TLS, or the authority is your own, name a file of its CA certificates (PEM) in "
            "`ca-bundle` (with the public ones in it too, if public hosts are reached directly). Otherwise check the "
            "runner's clock and DNS: the host may not be who it says.",
        ),
    ),
    Kind.CA_BUNDLE.value: Both(
        zh=Text(
            "证书文件不可用",
            "无法读取设置 `ca-bundle` 指定的文件 {where}⟨：{reason}⟩。",
            "请核对路径，以及运行本程序的用户对它的读权限；使用系统默认的证书时去掉该设置。",
        ),
        en=Text(
            "Certificate file not usable",
            "The file {where} of the setting `ca-bundle` cannot be read⟨: {reason}⟩.",
            "Check the path, and that the user who runs this may read it; to trust the usual certificates, take the "
            "setting out.",
        ),
    ),
    "config.ca-bundle#malformed": Both(
        zh=Text(
            "证书文件格式不对",
            "设置 `ca-bundle` 指定的文件 {where} 中没有可用的 CA 证书⟨（{reason}）⟩。",
            "文件应为 PEM 格式，包含一个或多个以 `-----BEGIN CERTIFICATE-----` 开头的 CA 证书。",
        ),
        en=Text(
            "Certificate file malformed",
            "The file {where} of the setting `ca-bundle` holds no CA certificate that can be used⟨ ({reason})⟩.",
            "It has to be PEM: one or more CA certificates, each beginning with `-----BEGIN CERTIFICATE-----`.",
        ),
    ),
    Kind.OSS_THROTTLED.value: Both(
        zh=Text(
            "存储空间限流",
            "存储空间 {where} 以“请求过多”（HTTP 429 或 503）拒绝了 {requests} 个请求中的 {count} 个。被拒绝的请求都已"
            "重试，运行因此变慢，同时进行的请求最少时降到 {least} 个。",
            "没有内容因此缺失，无需处理。如果经常出现：请让同一账号或存储空间的任务错开时间运行，或调小设置 "
            "`concurrency`；仍然不够时，请向阿里云申请提高该存储空间的 QPS 或带宽上限。",
        ),
        en=Text(
            "Slowed by the bucket",
            "The bucket {where} refused {count} of {requests} requests as too many (HTTP 429 or 503). Each was asked "
            "again; the run took longer, with down to {least} requests at a time.",
            "Nothing is missing, and nothing must be done. Where it happens often: have the jobs of this account or "
            "bucket run at other times, or lower `concurrency`; if that is not enough, ask Alibaba Cloud to raise the "
            "bucket's limit of requests or bandwidth.",
        ),
    ),
    Kind.DEADLINE.value: Both(
        zh=Text(
            "到达时间上限",
            "到达设置 `deadline-minutes` 的时间上限，还有文件没有上传⟨（最后一次失败的原因：{reason}）⟩。",
            "已上传的文件保留在存储空间中，下次运行会直接沿用，只上传其余的。请调大 `deadline-minutes`，调大或去掉 "
            "`bandwidth-limit`，或换用更快的网络。",
        ),
        en=Text(
            "Out of time",
            "The time that the setting `deadline-minutes` gives is over, and not everything was sent⟨ (the last "
            "failure: {reason})⟩.",
            "What was sent stays in the bucket: the next run takes it over and sends the rest. Raise "
            "`deadline-minutes`, raise `bandwidth-limit` or take it out, or use a faster line.",
        ),
    ),
}
