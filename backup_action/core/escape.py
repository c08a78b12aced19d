r"""Makes text from outside harmless, for each place that it is shown in. The only way out for names and messages.

| function | for | promise |
|---|---|---|
| `log` | a line of a log | no line break, nothing invisible, and no workflow command, wherever in a line it stands |
| `word` | a name inside a sentence of a log | as `log`, in double quotes where blanks or quotes would confuse |
| `code` | GitHub Markdown, where people copy from | exactly one inline code, in a paragraph, list or table |
| `chat` | DingTalk, whose Markdown nobody specified | as `code`, and no link or tag where code is not understood |
| `plain` | GitHub Markdown, for what nobody copies | text only: no link, image, tag, mention or bare address |
| `block` | a text of several lines, to be copied | exactly one fenced code block |

What is shown as an escape: control, bidirectional and other invisible characters as in JSON (`\n`, `\u202e`), and a
byte of a name that is no UTF-8 as `\xNN`. So every result can be encoded as UTF-8. A backslash that was there stays:
the forms are for people, and nothing reads them back. `visible` and `log` leave their own results as they are. All the
Markdown forms are made of `log`'s: a later step may well print them.
"""

from __future__ import annotations

import base64
import html
import json
import re
import urllib.parse
from collections.abc import Iterable, Iterator
from typing import Final

ELLIPSIS: Final = "…"
REDACTED: Final = "***"
SHORTEST_SECRET: Final = 6  # characters; anything shorter is no secret, and blanking it out would ruin the text

# Characters that Python calls printable although one sees nothing: fillers, variation selectors, the Braille blank.
_BLANKS: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
_PICTURE: Final = "[\u2190-\u21ff\u2300-\u27bf\u2900-\u297f\u2b00-\u2bff\U0001f000-\U0001faff]"
# A variation selector and a joiner are part of a picture only behind one; anywhere else they hide something.
_PICTURES: Final = re.compile(f"({_PICTURE}\ufe0f?(?:\u200d{_PICTURE}\ufe0f?)*)")
_NAMED: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}

# The runner takes `::command::` at the start of a line, after blanks, and the older `##[command]` at any place of it
# (actions/runner, src/Runner.Common/ActionCommand.cs). A `::` further on stays: every ARN has one. It compares by the
# rules of a culture that may pass over marks and unknown characters; so these count as nothing here.
_COMMANDS: Final = re.compile(r"#(?=[^\x00-\x7f]*[#\[])|^ *:|^[^!-~]*:(?=[^\x00-\x7f]*:)")
_MARKS: Final = re.compile(r"([!-/:-@\[-`{-~])")  # the ASCII punctuation, which CommonMark lets one escape
_LIVELY: Final = re.compile(r"(?<=@)|(?<=#)|(?<=:)(?=//)|(?<=www)(?=\.)", re.IGNORECASE)
_JOINER: Final = "\u2060"  # takes no room, and ends what GitHub would make a mention or a link of
_LINK: Final = re.compile(r"https://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/@%+=-]*)?")
_TOKEN_LIKE = re.compile(r"[A-Za-z0-9+/_=.~%-]{40,}")


def _shown(character: str) -> str:
    point = ord(character)
    if 0xDC80 <= point <= 0xDCFF:  # how Python holds a byte that is no UTF-8
        return f"\\x{point - 0xDC00:02x}"
    return _NAMED.get(character) or (f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}")


def visible(text: str) -> str:
    """The text with everything that one cannot see shown as an escape; Chinese and emoji stay."""
    if text.isascii() and text.isprintable():
        return text
    parts = _PICTURES.split(text)
    for at in range(0, len(parts), 2):  # the odd ones are pictures
        parts[at] = "".join(c if c.isprintable() and not _BLANKS.match(c) else _shown(c) for c in parts[at])
    return "".join(parts)


def _defused(match: re.Match[str]) -> str:
    matched = match[0]
    return matched[:-1] + ("\\x3a" if matched[-1] == ":" else "\\x23")


def encodable(text: str) -> str:
    r"""The text as it is, but for what UTF-8 cannot hold: a byte that is no UTF-8 is shown as `\xNN`."""
    return "".join(_shown(c) if "\ud800" <= c <= "\udfff" else c for c in text) if not text.isascii() else text


def log(text: str) -> str:
    """The text as a part of one line of a log: it can start, end or be a line without becoming a command."""
    return _COMMANDS.sub(_defused, visible(text))


def word(text: str) -> str:
    """The text as one word of a sentence in a log: in double quotes when it is empty or has blanks or quotes in it."""
    shown = log(text)
    return f'"{shown}"' if not shown or " " in shown or '"' in shown else shown


def _fenced(text: str) -> str:
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    # CommonMark takes one blank off each end when both ends have one and there is more than blanks.
    pad = " " if text.strip(" ") and (text[0] in " `" or text[-1] in " `") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def code(text: str) -> str:
    r"""The text as inline code. A pipe is shown as `\x7c`: GitHub and others split tables by different rules."""
    return _fenced(log(text).replace("|", "\\x7c") or '""')


def chat(text: str) -> str:
    r"""As `code`; a bracket that would make a link or a tag is shown as `\x28` or `\x3c`."""
    shown = log(text).replace("](", "]\\x28").replace("<", "\\x3c")
    return _fenced(shown.replace("|", "\\x7c") or '""')


def plain(text: str) -> str:
    """The text outside of code. An invisible joiner breaks mentions and addresses: not for what people copy."""
    joined = _LIVELY.sub(_JOINER, log(text))
    return _MARKS.sub(r"\\\1", joined).replace("\\|", "&#124;")


def block(text: str, language: str = "") -> str:
    """The text as a fenced block, its lines kept; `language` is ours (json, yaml)."""
    lines = [log(line) for line in text.split("\n")]
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join([fence + language, *lines, fence])


def link(label: str, address: str) -> str:
    """A Markdown link to an https address of plain form (a run's page), or the label alone when it is none."""
    return f"[{plain(label)}]({address})" if _LINK.fullmatch(address) else plain(label)


def quoted(message: str, limit: int = 500) -> str:
    """A server's own words, in at most `limit` characters: words as long as a token or a signature are left out.

    They are left out before the cut: half a token is still no longer known as a secret, and still a secret.
    """
    return _TOKEN_LIKE.sub("…", message)[:limit]


def cut(text: str, limit: int) -> str:
    """At most `limit` bytes of UTF-8, ending in an ellipsis where something was taken off, never inside a character."""
    text = encodable(text)
    data = text.encode()
    if len(data) <= limit:
        return text
    ellipsis = ELLIPSIS if limit >= len(ELLIPSIS.encode()) else ""
    return data[: max(0, limit - len(ellipsis.encode()))].decode(errors="ignore") + ellipsis


def _base64_forms(data: bytes) -> Iterator[str]:
    """What base64 makes of the data wherever it stands in a longer text: three shifts, two alphabets."""
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + data).decode()
        sure = encoded[-(-8 * shift // 6) : 8 * (shift + len(data)) // 6]
        if len(sure) >= SHORTEST_SECRET:
            yield sure
            yield sure.replace("+", "-").replace("/", "_")


def _forms(secret: str) -> Iterator[str]:
    quoted = urllib.parse.quote(secret, safe="", errors="surrogateescape")
    yield from (secret, quoted, re.sub("%..", lambda match: match[0].lower(), quoted))
    yield urllib.parse.quote(secret, errors="surrogateescape")
    yield urllib.parse.quote_plus(secret, errors="surrogateescape")
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield html.escape(secret)
    yield log(secret)
    yield from _base64_forms(secret.encode(errors="surrogateescape"))


def redact(text: str, secrets: Iterable[str]) -> str:
    """The text with every secret blanked out: raw, by line, URL-encoded, in base64, JSON- and HTML-escaped.

    The last line of defence, not the first. Secrets of fewer than `SHORTEST_SECRET` characters are left alone.
    """
    pieces = {piece for secret in secrets for piece in (secret, secret.strip(), *secret.splitlines())}
    forms = {form for piece in pieces if len(piece) >= SHORTEST_SECRET for form in _forms(piece)}
    if not forms:
        return text
    longest_first = sorted(forms, key=len, reverse=True)
    return re.sub("|".join(map(re.escape, longest_first)), REDACTED, text)
