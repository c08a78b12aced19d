"""Grammars of names and addresses: what a setting may look like before anything is asked of the network.

Each function returns the normal form of a text, or raises ValueError with the rule it breaks (a fragment for
a sentence, in English; `wording` shows it as it is). The rules of Alibaba Cloud are those of its naming pages.
"""

from __future__ import annotations

import ipaddress
import re
import urllib.parse
from typing import Final

CATALOGUE: Final = ".oss-backup"  # the folder below the prefix that is ours
LAYOUTS: Final = ("tree", "vault")  # how files lie in the bucket
PREFIX_MAX: Final = 512  # bytes; leaves at least half of OSS's 1,023 to the paths
CLASSES: Final = ("Standard", "IA", "Archive", "ColdArchive", "DeepColdArchive")  # storage classes of OSS
TAG_KEY_MAX: Final = 128  # characters (OSS, PutObjectTagging)
TAG_VALUE_MAX: Final = 256
TAGS_MAX: Final = 10  # of an object

_BUCKET = re.compile(r"[a-z0-9](?:[a-z0-9-]{1,61})[a-z0-9]")
_REGION = re.compile(r"[a-z]{2}(?:-[a-z0-9]+)+")
_ROLE = re.compile(r"acs:ram::(\d{1,32}):role/[A-Za-z0-9.@_-]{1,64}")
_PROVIDER = re.compile(r"acs:ram::(\d{1,32}):oidc-provider/[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9])?")
_SESSION = re.compile(r"[A-Za-z0-9.@_-]{2,64}")
_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+aliyuncs\.com")
_PROFILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_PROXY = re.compile(r"[A-Za-z0-9._-]+|[0-9a-f:.]+")  # a name, or an address without its brackets
_TAG = re.compile(r"[A-Za-z0-9 +\-=._:/]*")
_RATE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,3})?) ?([KMGT]?)(i?)B?(?:/s)?", re.IGNORECASE)


def bucket(text: str) -> str:
    """A bucket's name: 3 to 63 of a-z, 0-9 and hyphen, the first and last no hyphen."""
    if not _BUCKET.fullmatch(text):
        raise ValueError("3 to 63 lower-case letters, digits and hyphens, beginning and ending with a letter or digit")
    return text


def region(text: str) -> str:
    """A region's id as V4 signatures want it: `cn-hangzhou`, without `oss-`."""
    if text.startswith("oss-"):
        raise ValueError(f"a region id without `oss-`, here `{text.removeprefix('oss-')}`")
    if not _REGION.fullmatch(text):
        raise ValueError("a region id such as `cn-hangzhou`")
    return text


def role_arn(text: str) -> str:
    """A RAM role's ARN."""
    if not _ROLE.fullmatch(text):
        raise ValueError("`acs:ram::<account id>:role/<role name>`")
    return text


def provider_arn(text: str) -> str:
    """A RAM OIDC provider's ARN."""
    if not _PROVIDER.fullmatch(text):
        raise ValueError("`acs:ram::<account id>:oidc-provider/<provider name>`")
    return text


def account(arn: str) -> str:
    """The account id in an ARN; "" where there is none."""
    parts = arn.split(":")
    return parts[3] if len(parts) > 3 else ""


def session_name(text: str) -> str:
    """A RoleSessionName: 2 to 64 letters, digits and `. @ - _`."""
    if not _SESSION.fullmatch(text):
        raise ValueError("2 to 64 letters, digits and `.`, `@`, `-`, `_`")
    return text


def word(text: str) -> str:
    """A name without blanks or control characters, at most 255 characters."""
    if not text.isprintable() or any(c.isspace() for c in text) or len(text) > 255:
        raise ValueError("at most 255 characters without blanks or control characters")
    return text


def is_loopback(host: str) -> bool:
    """True for `localhost`, names below it, and loopback addresses."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _split(text: str, rule: str) -> tuple[urllib.parse.SplitResult, str, int | None]:
    """A URL's parts, its host and port. Raises ValueError with the rule, and not with urllib's own words."""
    try:
        parts = urllib.parse.urlsplit(text)
        return parts, parts.hostname or "", parts.port
    except ValueError:
        raise ValueError(rule) from None


def endpoint(text: str) -> str:
    """An endpoint of Alibaba Cloud as `https://host`, or one on loopback as `http(s)://host:port`.

    A bare host gets `https://`. User info, a path, a query, a fragment, and off loopback a port or an address
    in digits are refused: each of them has sent keys to the wrong place in some client.
    """
    rule = "a host such as `oss-cn-hangzhou.aliyuncs.com`"
    parts, host, port = _split(text if "://" in text else f"https://{text}", rule)
    if parts.username is not None or parts.path not in ("", "/") or parts.query or parts.fragment or "@" in text:
        raise ValueError("only a host, without user, path, query or fragment")
    if is_loopback(host) and parts.scheme in ("http", "https"):
        name = f"[{host}]" if ":" in host else host
        return f"{parts.scheme}://{name}{f':{port}' if port else ''}"
    if parts.scheme != "https":
        raise ValueError("`https://` (plain `http://` is for loopback only)")
    if port not in (None, 443) or not _HOST.fullmatch(host):
        raise ValueError("a host below `aliyuncs.com`, without a port, such as `oss-cn-hangzhou.aliyuncs.com`")
    return f"https://{host}"


def webhook(text: str) -> str:
    """A DingTalk robot's address: `https://oapi.dingtalk.com/robot/send?access_token=…`, or one on loopback."""
    rule = "`https://oapi.dingtalk.com/robot/send?access_token=…`, as the robot's page shows it"
    parts, host, _ = _split(text, rule)
    query = urllib.parse.parse_qs(parts.query)
    known = parts.scheme == "https" and parts.netloc == "oapi.dingtalk.com"
    local = parts.scheme in ("http", "https") and "@" not in parts.netloc and is_loopback(host)
    if not (known or local) or parts.path != "/robot/send" or len(query.get("access_token", [])) != 1:
        raise ValueError(rule)
    return text


def prefix(text: str) -> str:
    """A place in the bucket: "" or segments with one closing slash; never a leading one."""
    if text.startswith(("/", "\\")):
        raise ValueError("no `/` or `\\` at its beginning")
    bare = text.removesuffix("/")
    if not bare:
        return ""
    if len(bare.encode("utf-8", "replace")) > PREFIX_MAX or not bare.isprintable():
        raise ValueError(f"at most {PREFIX_MAX} bytes, without control characters")
    if any(c in bare for c in "*?%"):
        raise ValueError("no `*`, `?` or `%` (they mean something in a RAM policy or in our keys)")
    segments = bare.split("/")
    if any(segment in ("", ".", "..", CATALOGUE) for segment in segments):
        raise ValueError(f"no empty segment, `.`, `..` or `{CATALOGUE}`")
    return bare + "/"


def profile(text: str) -> str:
    """A profile's name: up to 64 letters, digits, `_` and `-`, beginning with a letter or digit."""
    if not _PROFILE.fullmatch(text):
        raise ValueError("up to 64 letters, digits, `_` and `-`, beginning with a letter or digit")
    return text


def tag(text: str) -> str:
    """An object tag as `key=value`, within OSS's limits for both."""
    key, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not 0 < len(key) <= TAG_KEY_MAX or len(value) > TAG_VALUE_MAX or not _TAG.fullmatch(key + value):
        raise ValueError("`key=value` of letters, digits, blanks and `+-=._:/`, at most 128 and 256 characters")
    return f"{key}={value}"


def tags(all_of_them: tuple[str, ...]) -> tuple[str, ...]:
    """Tags as one object may have them: at most 10, no key twice (OSS, PutObjectTagging)."""
    if len(all_of_them) > TAGS_MAX:
        raise ValueError(f"at most {TAGS_MAX} of them")
    keys = [text.partition("=")[0] for text in all_of_them]
    if twice := next((key for at, key in enumerate(keys) if key in keys[:at]), ""):
        raise ValueError(f"each key once; more than once there is `{twice}`")
    return all_of_them


def rate(text: str) -> str:
    """A number of bytes a second, as digits: `20MB`, `1.5 GiB/s`, `500000`. KB is 1,000 bytes, KiB 1,024."""
    number = _bytes(_RATE.fullmatch(text))
    if not 1024 <= number < 10**15:
        raise ValueError("bytes a second from 1 KiB up, such as `20MB` or `1.5 GiB`")
    return str(number)


def size(text: str) -> str:
    """A number of bytes, as digits: `500MB`, `1.5 GiB`, `0`. KB is 1,000 bytes, KiB 1,024."""
    told = None if text.lower().endswith("/s") else _RATE.fullmatch(text)
    number = _bytes(told)
    if told is None or number >= 10**15:
        raise ValueError("a number of bytes, such as `500MB` or `1.5 GiB`")
    return str(number)


def _bytes(told: re.Match[str] | None) -> int:
    if told is None:
        return 0
    from fractions import Fraction  # few runs have a size among their settings

    return int(Fraction(told[1]) * (1024 if told[3] else 1000) ** "bkmgt".index(told[2].lower() or "b"))


def digest(text: str) -> str:
    """A SHA-256, in lower case."""
    if not re.fullmatch(r"[0-9a-fA-F]{64}", text):
        raise ValueError("64 hex digits, as the output `snapshot-digest` has them")
    return text.lower()


def proxy(text: str) -> str:
    """An HTTP proxy: `http://[user:password@]host:port`, nothing behind it."""
    rule = "`http://host:port`, or `http://user:password@host:port`"
    parts, host, port = _split(text, rule)
    behind = parts.path.strip("/") or parts.query or parts.fragment
    if (
        parts.scheme != "http"
        or not port
        or behind
        or not _PROXY.fullmatch(host)
        or not text.isprintable()
        or " " in text
    ):
        raise ValueError(rule)
    return f"http://{parts.netloc}"
