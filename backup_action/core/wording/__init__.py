"""What went wrong, in sentences for people: what happened, where, and what to change. Chinese and English.

One room per topic holds both languages side by side, so that neither falls behind. A template has three signs:

| sign | means |
|---|---|
| `{fact}` | the fact of that name (or `where`), quoted for the place that it is shown in |
| `⟨ … ⟩` | this part only if all of its facts are there |
| back-ticks | a name to be typed: a setting, a right, a line of YAML |

A fact `cause` chooses a sharper text where there is one (`notify.failed#keyword`). Facts that no template knows are
passed over, and missing ones read as unknown: a sentence can always be made.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from backup_action.core import escape
from backup_action.core.problem import STATUS, Kind, Problem, Status
from backup_action.core.wording import (
    alarms,
    bucket,
    files,
    ledger,
    network,
    oidc,
    packs,
    pruning,
    restoring,
    role,
    rules,
    safety,
    sealing,
    settings,
    sharding,
    sts,
    vault,
    verifying,
    warnings,
)
from backup_action.core.wording.text import Both, Language, Text
from backup_action.core.wording.words import COMMANDS, STATUSES, VERDICTS, WORDS

__all__ = [
    "Language",
    "Quote",
    "Sentence",
    "command",
    "is_warning",
    "label",
    "sentence",
    "status",
    "verdict",
    "word",
    "word_of",
]

Quote = Callable[[str], str]

TEXTS: Final[Mapping[str, Both]] = {
    **settings.TEXTS,
    **network.TEXTS,
    **oidc.TEXTS,
    **sts.TEXTS,
    **role.TEXTS,
    **bucket.TEXTS,
    **vault.TEXTS,
    **files.TEXTS,
    **safety.TEXTS,
    **sealing.TEXTS,
    **sharding.TEXTS,
    **alarms.TEXTS,
    **restoring.TEXTS,
    **packs.TEXTS,
    **pruning.TEXTS,
    **ledger.TEXTS,
    **verifying.TEXTS,
    **warnings.TEXTS,
}

_COMMAND: Final = re.compile(r"[a-z]+(?:-[a-z]+)*")
_PLACE: Final = re.compile(r"\{([a-z-]+)\}")
_PLURAL: Final = re.compile(r"\{([a-z-]+):([^{}|]*)\|([^{}|]*)\}")
_OPTION: Final = re.compile(r"⟨([^⟨⟩]*)⟩")


class Sentence(msgspec.Struct, frozen=True):
    """One problem for people. `what` and `advice` have their facts quoted; `paste` is raw, to be shown as a block."""

    label: str  # the kind, in a few words
    what: str
    advice: str
    paste: str = ""  # lines to put somewhere, as `advice` says
    paste_language: str = ""  # yaml or json


def placeholders(template: str) -> set[str]:
    """The names of the facts that a template can show."""
    return set(_PLACE.findall(template))


def _filled(template: str, facts: Mapping[str, str], unknown: str) -> str:
    def option(match: re.Match[str]) -> str:
        return match[1] if all(facts.get(name) for name in placeholders(match[1])) else ""

    def fact(match: re.Match[str]) -> str:
        return facts.get(match[1]) or unknown

    return _PLACE.sub(fact, _OPTION.sub(option, template))


def _text(problem: Problem, language: Language) -> Text:
    cause = problem.facts.get("cause", "")
    if problem.where and problem.where == problem.facts.get("variable"):
        cause = "environment"  # what is missing has no other name than the variable's
    return (TEXTS.get(f"{problem.kind.value}#{cause}") or TEXTS[problem.kind.value]).of(language)


def _reference(facts: Mapping[str, str], language: Language, quote: Quote) -> str:
    """What support asks for, in parentheses, or nothing."""
    names = (("RequestId", "request-id"), ("EC", "ec"))
    parts = [f"{name} {quote(facts[fact])}" for name, fact in names if facts.get(fact)]
    if not parts:
        return ""
    return f"（{'，'.join(parts)}）" if language == "zh" else f" ({', '.join(parts)})"


def is_warning(kind: Kind) -> bool:
    """True when a run with problems of this kind alone is still a success."""
    return STATUS[kind] is Status.OK


def label(kind: Kind, language: Language) -> str:
    """The kind in a few words, as a heading."""
    return TEXTS[kind.value].of(language).label


def sentence(problem: Problem, language: Language, quote: Quote = escape.word) -> Sentence:
    """The problem in words. `quote` makes each fact safe for the place: `escape.word` (a log), `code`, `chat`."""
    text = _text(problem, language)
    facts = {"setting": problem.where, **problem.facts, "where": problem.where}
    shown = {name: quote(fact) for name, fact in facts.items() if fact}
    if rule := facts.get("rule"):
        shown["rule"] = rules.told(rule, language, quote)
    if facts.get("place") == "environment":
        shown["place"] = word("environment", language)
    unknown = word("unknown", language)
    return Sentence(
        label=text.label,
        what=_filled(text.what, shown, unknown),
        advice=_filled(text.advice, shown, unknown) + _reference(facts, language, quote),
        paste=_filled(text.paste, facts, ""),
        paste_language="json" if text.paste.startswith("{") else "yaml",
    )


def word_of(name: str, command_name: str) -> str:
    """The name of a fixed word, or of the one that a command has in its place."""
    return f"{name}-{command_name}" if f"{name}-{command_name}" in WORDS else name


def word(name: str, language: Language, **values: str) -> str:
    """One of the fixed words of a summary or message; `values` fill its placeholders as they are."""

    def number(match: re.Match[str]) -> str:
        return match[2] if values.get(match[1]) == "1" else match[3]

    return _filled(_PLURAL.sub(number, WORDS[name].of(language)), values, "")


def command(name: str, language: Language) -> str:
    """A command's name for people. One without it is called by its own name, if that looks like a command's.

    Reports are read from files too, and this word stands in headings, outside of any code.
    """
    known = COMMANDS.get(name)
    if known:
        return known.of(language)
    return name if _COMMAND.fullmatch(name) else word("unknown", language)


def status(value: str, language: Language) -> str:
    """How a run ended, in a few words: a status, or an ending of `notify`."""
    return STATUSES[value].of(language)


def verdict(value: str, language: Language, *, command_name: str, dry_run: bool) -> str:
    """How a run ended, in one sentence. `value` is as for `status`."""
    sharper = "dry" if dry_run else command_name
    key = f"{value}-{sharper}" if f"{value}-{sharper}" in VERDICTS else value
    return _filled(VERDICTS[key].of(language), {"command": command(command_name, language)}, "")
