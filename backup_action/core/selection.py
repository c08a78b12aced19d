"""Which files are taken: patterns in the style of .gitignore, matched against paths below each root.

| exclude | include | a file is taken when |
|---|---|---|
| none | none | always |
| given | none | no exclude pattern matches it, or the last that does is a `!` |
| none | given | an include pattern matches it or a folder above it |
| given | given | both |

A folder that is excluded is not entered, so a `!` below it has no effect, as in git. Folders are never left out by
`include`: only files and links are.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from backup_action.core.problem import Kind, Stop

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec as Spec


class Selection(msgspec.Struct, frozen=True):
    """The patterns, ready to match."""

    excluded: Spec | None
    included: Spec | None

    def takes_folder(self, path: str) -> bool:
        """Whether a folder is entered; `path` is below its root, without a closing slash."""
        return not (self.excluded and self.excluded.match_file(path + "/"))

    def takes(self, path: str) -> bool:
        """Whether a file or link is taken; `path` is below its root."""
        if self.excluded and self.excluded.match_file(path):
            return False
        return not self.included or self.included.match_file(path)


def select(exclude: tuple[str, ...], include: tuple[str, ...]) -> Selection:
    """Reads the patterns. Raises Stop for one that git would not understand."""
    return Selection(_spec("exclude", exclude), _spec("include", include))


def finder(text: str) -> Callable[[str], bool]:
    """Whether a path is meant by `find`: it is that path, or the pattern matches it. Raises Stop as `select` does."""
    path = text.strip("/")
    spec = _spec("find", (text,))
    return lambda asked: asked == path or bool(spec and spec.match_file(asked))


def _spec(setting: str, patterns: tuple[str, ...]) -> Spec | None:
    if not patterns:
        return None
    from pathspec import GitIgnoreSpec  # takes a tenth of a start; most runs have no patterns

    for pattern in patterns:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", FutureWarning)  # a pattern whose meaning Python will change
                GitIgnoreSpec.from_lines([pattern])
        except (ValueError, re.error, FutureWarning) as error:
            raise Stop(Kind.SETTING_MALFORMED, setting, given=pattern, rule=f"a .gitignore pattern ({error})") from None
    return GitIgnoreSpec.from_lines(patterns)
