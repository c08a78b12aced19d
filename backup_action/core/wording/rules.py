"""What a setting has to be. Whoever checks one says its rule in English; here it is told in either language.

A rule that is in the table is our own text, so it is shown as it stands; what it quotes of the user's is quoted anew.
Any other rule is text from outside like every fact. Placeholders: `{number}` digits, `{choices}` names in back-ticks,
`{name}` anything between back-ticks, `{reason}` anything at all. The last two are not ours, and are quoted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from backup_action.core.wording.text import Language


class _Rule(NamedTuple):
    pattern: str  # as it is raised
    zh: str
    en: str = ""  # where it should be told in other words


_FORMS: Final[Mapping[str, str]] = {
    "{number}": r"(?P<number>[0-9,]+)",
    "{other}": r"(?P<other>[0-9,]+)",
    "{choices}": r"(?P<choices>`[A-Za-z0-9-]+`(?:, `[A-Za-z0-9-]+`)*)",
    "{name}": r"`(?P<name>.*)`",
    "{reason}": r"(?P<reason>.*)",
}
_FOREIGN: Final = frozenset({"name", "reason"})  # what others wrote

RULES: Final[tuple[_Rule, ...]] = (
    _Rule(
        "3 to 63 lower-case letters, digits and hyphens, beginning and ending with a letter or digit",
        "3 到 63 个小写字母、数字和短横线，首尾是字母或数字",
    ),
    _Rule("a region id without `oss-`, here {name}", "不带 `oss-` 的地域 ID，这里是 {name}"),
    _Rule("a region id such as `cn-hangzhou`", "地域 ID，例如 `cn-hangzhou`"),
    _Rule(
        "`acs:ram::<account id>:role/<role name>`",
        "`acs:ram::ACCOUNT_ID:role/NAME`，即账号 ID 和角色名",
        "`acs:ram::ACCOUNT_ID:role/NAME`",
    ),
    _Rule(
        "`acs:ram::<account id>:oidc-provider/<provider name>`",
        "`acs:ram::ACCOUNT_ID:oidc-provider/NAME`，即账号 ID 和身份提供商名称",
        "`acs:ram::ACCOUNT_ID:oidc-provider/NAME`",
    ),
    _Rule("2 to 64 letters, digits and `.`, `@`, `-`, `_`", "2 到 64 个字母、数字和 `.`、`@`、`-`、`_`"),
    _Rule("at most 255 characters without blanks or control characters", "最多 255 个字符，不含空白和控制字符"),
    _Rule("a host such as `oss-cn-hangzhou.aliyuncs.com`", "主机名，例如 `oss-cn-hangzhou.aliyuncs.com`"),
    _Rule("only a host, without user, path, query or fragment", "只写主机名，不带用户名、路径、查询参数和片段"),
    _Rule("`https://` (plain `http://` is for loopback only)", "`https://` 地址（`http://` 只能用于本机）"),
    _Rule(
        "a host below `aliyuncs.com`, without a port, such as `oss-cn-hangzhou.aliyuncs.com`",
        "`aliyuncs.com` 下的主机名，不带端口，例如 `oss-cn-hangzhou.aliyuncs.com`",
    ),
    _Rule(
        "`https://oapi.dingtalk.com/robot/send?access_token=…`, as the robot's page shows it",
        "机器人页面上显示的 Webhook 地址：`https://oapi.dingtalk.com/robot/send?access_token=…`",
    ),
    _Rule("no `/` or `\\` at its beginning", "开头不能是 `/` 或 `\\`"),
    _Rule("at most {number} bytes, without control characters", "最多 {number} 字节，不含控制字符"),
    _Rule(
        "no `*`, `?` or `%` (they mean something in a RAM policy or in our keys)",
        "不含 `*`、`?` 和 `%`（它们在 RAM 策略或文件路径中有特殊含义）",
    ),
    _Rule("no empty segment, `.`, `..` or {name}", "路径中不能有空段（连续的 `/`）、`.`、`..` 或 {name}"),
    _Rule("`PATH` or `PATH => PLACE` on each line", "每行写 `PATH` 或 `PATH => PLACE`"),
    _Rule(
        "a place below the prefix; for a path outside of the workspace write `PATH => PLACE`",
        "前缀之下的位置；工作区之外的路径请写成 `PATH => PLACE`",
    ),
    _Rule("of the same account as `role-to-assume`", "须与 `role-to-assume` 属于同一账号"),
    _Rule("text, a number, a boolean or a list of texts", "文本、数字、布尔值或文本列表"),
    _Rule("one value, not a list", "单个值，不能是列表"),
    _Rule("one of {choices}", "以下值之一：{choices}"),
    _Rule("a .gitignore pattern ({reason})", "符合 .gitignore 语法的规则（{reason}）"),
    _Rule("text without NUL", "不含 NUL 字符的文本"),
    _Rule("`true` or `false`", "`true` 或 `false`"),
    _Rule("a whole number from {number} to {other}", "{number} 到 {other} 之间的整数"),
    _Rule(
        "up to 64 letters, digits, `_` and `-`, beginning with a letter or digit",
        "最多 64 个字母、数字、`_` 和 `-`，以字母或数字开头",
    ),
    _Rule(
        "`key=value` of letters, digits, blanks and `+-=._:/`, at most 128 and 256 characters",
        "`key=value`，只含字母、数字、空格和 `+-=._:/`，键最多 128 个字符，值最多 256 个",
    ),
    _Rule(
        "bytes a second from 1 KiB up, such as `20MB` or `1.5 GiB`",
        "每秒字节数，至少 1 KiB，例如 `20MB` 或 `1.5 GiB`",
    ),
    _Rule("a number of bytes, such as `500MB` or `1.5 GiB`", "字节数，例如 `500MB` 或 `1.5 GiB`"),
    _Rule("ids of snapshots, one a line, or `all`", "快照 ID，每行一个，或 `all`"),
    _Rule("64 hex digits, as the output `snapshot-digest` has them", "64 位十六进制数，与输出 `snapshot-digest` 相同"),
    _Rule(
        "`n/t`, the n-th of t shares, such as `3/30`, or `auto/t`, with t up to 10,000",
        "`n/t`，即 t 份中的第 n 份，例如 `3/30`；或 `auto/t`；t 最大 10,000",
    ),
    _Rule(
        "`http://host:port`, or `http://user:password@host:port`",
        "`http://host:port` 或 `http://user:password@host:port`",
    ),
    _Rule("used with `server-side-encryption: KMS`", "只能与 `server-side-encryption: KMS` 一起使用"),
    _Rule("used with `layout: vault`", "只能与 `layout: vault` 一起使用"),
    _Rule("used without `all-sources`", "不能与 `all-sources` 一起使用"),
    _Rule("used without `find`", "不能与 `find` 一起使用"),
    _Rule("used with `config`", "只能与 `config` 一起使用"),
    _Rule("tables of settings, each `[profiles.NAME]`", "由设置组成的表，每个写作 `[profiles.NAME]`"),
    _Rule("at most {number} of them", "最多 {number} 个"),
    _Rule(
        "a number of hours, days or weeks, such as `12h`, `30d` or `8w`",
        "若干小时、天或周，例如 `12h`、`30d` 或 `8w`",
    ),
    _Rule("each key once; more than once there is {name}", "每个键只能出现一次；出现了多次的是 {name}"),
)


def _compiled(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\{[a-z]+\})", pattern)
    return re.compile("".join(_FORMS.get(part) or re.escape(part) for part in parts), re.DOTALL)


_COMPILED: Final = tuple((_compiled(rule.pattern), rule) for rule in RULES)


def told(rule: str, language: Language, quote: Callable[[str], str]) -> str:
    """The rule in that language; one that is not in the table is quoted as it is."""
    for pattern, known in _COMPILED:
        if found := pattern.fullmatch(rule):
            facts = found.groupdict()
            facts |= {name: quote(facts[name]) for name in _FOREIGN & facts.keys()}
            return (known.zh if language == "zh" else known.en or known.pattern).format(**facts)
    return quote(rule)
