"""One text in both languages."""

from __future__ import annotations

from typing import Literal, NamedTuple

Language = Literal["zh", "en"]


class Text(NamedTuple):
    """The words for one kind of problem: a label of a few words, and templates as the package's docstring says."""

    label: str
    what: str
    advice: str
    paste: str = ""


class Both(NamedTuple):
    """A kind's text in Chinese and in English."""

    zh: Text
    en: Text

    def of(self, language: Language) -> Text:
        """The text in that language."""
        return self.zh if language == "zh" else self.en


class Word(NamedTuple):
    """A fixed word or phrase in Chinese and in English."""

    zh: str
    en: str

    def of(self, language: Language) -> str:
        """The word in that language."""
        return self.zh if language == "zh" else self.en
