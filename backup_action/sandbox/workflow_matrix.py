"""The `strategy` and the `needs` of a job: which runs it becomes, and whether the jobs before let it run.

A matrix has lists of plain values; `include`, `exclude` and expressions are refused. Its runs come one after another,
as with `max-parallel: 1`. With `fail-fast`, which is GitHub's default, the first that fails cancels those after it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from backup_action.sandbox.action_file import ActionFileError, mapping, sequence
from backup_action.sandbox.expression_values import Value, is_primitive, text
from backup_action.sandbox.expressions import Status

MOST = 256  # runs that one matrix may come to


@dataclass(frozen=True, slots=True)
class Strategy:
    """As written; without a matrix there is one run."""

    matrix: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    fail_fast: bool = True

    def runs(self) -> Iterator[tuple[str, dict[str, Value]]]:
        """Of each run what stands behind the job's name, and the contexts `matrix` and `strategy`."""
        rows = list(itertools.product(*self.matrix.values()))
        for index, row in enumerate(rows):
            label = f" ({', '.join(map(text, row))})" if self.matrix else ""
            strategy: dict[str, Value] = {
                "fail-fast": self.fail_fast, "job-index": index, "job-total": len(rows), "max-parallel": 1,
            }  # fmt: skip
            matrix: Value = dict(zip(self.matrix, row, strict=True)) if self.matrix else None
            yield label, {"matrix": matrix, "strategy": strategy}


def strategy(content: Any, job: str) -> Strategy:
    """Reads `strategy`. Raises ActionFileError."""
    known = mapping(content, "strategy")
    if strange := [name for name in known if name not in ("matrix", "fail-fast", "max-parallel")]:
        raise ActionFileError(f"Unexpected value '{strange[0]}' in the strategy of {job}")
    fail_fast = known.get("fail-fast", True)
    matrix: dict[str, tuple[Value, ...]] = {}
    for name, values in mapping(known.get("matrix"), "matrix").items():
        row = tuple(sequence(values, name)) if isinstance(values, list) else ()
        if name in ("include", "exclude") or not row or not all(map(_is_plain, row)):
            raise ActionFileError(f"the matrix of {job}: '{name}' is no list of values that can be run here")
        matrix[name] = row
    total = math.prod(map(len, matrix.values()))
    if not isinstance(fail_fast, bool) or total > MOST or (known and not matrix):
        raise ActionFileError(f"the strategy of {job} is none, or comes to more than {MOST} jobs")
    return Strategy(matrix, fail_fast)


def _is_plain(value: Any) -> bool:
    return is_primitive(value) and value is not None and "${{" not in str(value)


def needs(content: Any, job: str, before: Collection[str]) -> tuple[str, ...]:
    """Reads `needs`. Jobs run in the order of the file here, so they must stand above. Raises ActionFileError."""
    names = tuple(text(name) for name in (content if isinstance(content, list) else [content]) if name is not None)
    if strange := [name for name in names if name not in before]:
        raise ActionFileError(f"Job '{job}' depends on unknown job '{strange[0]}', or on one below it")
    return names


def status(results: Collection[str]) -> Status:
    """What `success()` and the like say to a job whose `needs` ended so."""
    is_good = all(result == "success" for result in results)
    return Status(is_good, "failure" in results, "cancelled" in results)


def worst(conclusions: Collection[str]) -> str:
    """How a job ended whose runs ended so."""
    return next((one for one in ("failure", "cancelled", "success") if one in conclusions), "skipped")
