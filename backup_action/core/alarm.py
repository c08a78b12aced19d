"""Alarms: far more than usual was rewritten, or what was sent looks encrypted. The snapshot is taken all the same.

What an attacker or an accident does to the files reaches the bucket as new versions, and old ones stay whole (law 2).
What can still go wrong is that nobody looks, until retention has removed the last good snapshot. So an alarm is told
to everybody, and keeps old snapshots from being removed until a person acknowledges it.

| alarm | when |
|---|---|
| changed | more than `percent` of the files that were known have other content, and that is more than usual |
| encrypted | more than `percent` of what changed looks random now, and did not before |

"Usual" is what nine in ten of the recent runs did not pass: a tree that is rewritten each week never alarms, and with
fewer than `PAST` runs behind it there is no usual, so no such alarm. Both need a number of files at least, so
that a small tree is silent, and neither counts a file that came anew or whose times alone are new.

What looks random is told by zstd: a sample that level 1 cannot make smaller. It takes 7 to 35 µs for 16 KiB; the
entropy of the bytes takes ten times as long and tells no better. It is not asked about ASCII, which takes 1 µs to see:
bytes of which an eighth has the highest bit hold 7.6 bits each at most. Text is at 0.3 to 0.6 of its size, text of
random bytes (base64) at 0.75, floating-point noise at 0.92 to 0.96, and random bytes, gzip and the like at 1.00.
Formats that are compressed by themselves always look random and are not judged. An entry says whether its file did
(`dense`): to ask the bucket for the old content instead would cost a request a file, and a right more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

import msgspec
import zstandard

from backup_action.core import escape
from backup_action.core.entry import Entry
from backup_action.core.guard import is_beyond
from backup_action.core.place import Root, root_of
from backup_action.core.plan import Item, Step
from backup_action.core.problem import Kind, Problem
from backup_action.core.recent import KEPT, PastRun

SAMPLE: Final = 64 << 10  # bytes at a file's beginning from which the sample is taken
_PIECES: Final = 4  # pieces of it, evenly spaced
_PIECE: Final = 4 << 10  # bytes of each
LEAST: Final = 512  # bytes; of a smaller sample nothing can be told
DENSE: Final = 0.99  # of a sample's size: what level 1 leaves of it
_LOOKS: Final = 4  # places of a sample, evenly spaced, whose bytes are looked at for their highest bit
_LOOK: Final = 256  # bytes of each
_ASCII: Final = bytes(range(128))
FEW_CHANGED: Final = 100  # files; fewer are no alarm
FEW_ENCRYPTED: Final = 20
PAST: Final = 3  # runs after the first one that make a usual
USUAL: Final = 0.9  # of the recent runs
TIMES: Final = 3  # the usual, before it is far more
_SUFFIX_MAX: Final = 24  # characters
_KINDS_MAX: Final = 10_000  # suffixes that are told apart
COMPRESSED: Final = frozenset(
    """
    7z aac apk arrow avif avro blosc br bz2 cbz dmg docx epub feather flac gif gz gzip h5 hdf5 heic jar jpeg
    jpg jxl lz lz4 lzma lzo m4a m4v mkv mov mp3 mp4 mpeg mpg msi npz odp ods odt ogg opus orc parquet pdf png
    pptx rar snappy sz tbz2 tgz txz tzst war webm webp whl xlsx xz z zip zipx zst zstd
    """.split()  # noqa: SIM905
)


# Compressors that no thread has in hand: to make one takes ten times as long as a small sample.
_spare: list[zstandard.ZstdCompressor] = []


def suffix(path: str) -> str:
    """A path's last suffix in lower case, without the dot; "" for none, and for what is no suffix but a name."""
    name = path.rpartition("/")[2].lstrip(".")
    stem, _, last = name.rpartition(".")
    return last.lower() if stem and len(last) <= _SUFFIX_MAX else ""


def is_dense(path: str, sample: bytes | memoryview) -> bool:
    """Whether a file looks random by samples of its first 64 KiB. Compressed formats are not judged, nor tiny files."""
    if len(sample) < LEAST or suffix(path) in COMPRESSED:
        return False
    sample = _spread(sample[:SAMPLE])
    if _is_ascii(sample):
        return False
    try:
        compressor = _spare.pop()
    except IndexError:
        compressor = zstandard.ZstdCompressor(level=1)
    left = len(compressor.compress(sample))
    _spare.append(compressor)
    return left >= DENSE * len(sample)


def _is_ascii(sample: bytes | memoryview) -> bool:
    """Whether less than an eighth of it is anything else, as far as a few looks tell."""
    step = len(sample) // _LOOKS
    looks = range(max(0, step - _LOOK) // 2, len(sample), step)
    some = b"".join([sample[at : at + _LOOK] for at in looks])
    return len(some.translate(None, _ASCII)) * 8 < len(some)


def _spread(sample: bytes | memoryview) -> bytes | memoryview:
    """All of a short one; of a long one pieces from its first byte to its last."""
    if len(sample) <= _PIECES * _PIECE:
        return sample
    step = (len(sample) - _PIECE) // (_PIECES - 1)
    return b"".join(sample[at : at + _PIECE] for at in range(0, _PIECES * step, step))


class Counted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a census came to, for another to take in."""

    known: int = 0
    rewritten: int = 0
    turned: int = 0
    removed: int = 0
    example: str = ""
    suffixes: list[str] = []
    came: dict[str, int] = {}


class Census:
    """What a run does to the files that the last snapshot knows. Counts only; memory is bounded."""

    def __init__(self, roots: tuple[Root, ...]) -> None:
        """`roots` are those of the run: what is known of other places is not looked at."""
        self.known = 0  # files of the last snapshot
        self.rewritten = 0  # with other content now
        self.turned = 0  # of those, which look random and did not
        self.removed = 0
        self._example = ""
        self._roots = roots
        self._suffixes: set[str] = set()  # that the last snapshot has
        self._came: Counter[str] = Counter()  # new files that look random, by suffix

    def look(self, item: Item) -> None:
        """Hears of each step of the plan, before anything comes of it."""
        before = _before(item)
        if before is None or (item.found is None and root_of(before.path, self._roots) is None):
            return
        self.known += 1
        self.removed += item.step in (Step.GONE, Step.DROP)
        if len(self._suffixes) < _KINDS_MAX:
            self._suffixes.add(suffix(before.path))

    def sent(self, item: Item, read_as: Entry) -> None:
        """Hears of each file whose content the snapshot before does not have under its path."""
        before = _before(item)
        if before is None:
            kind = suffix(read_as.path)
            if read_as.dense and (kind in self._came or len(self._came) < _KINDS_MAX):
                self._came[kind] += 1
        elif before.sha256 != read_as.sha256:
            self.rewritten += 1
            if read_as.dense and not before.dense and before.size >= LEAST:
                self.turned += 1
                self._example = self._example or read_as.path

    def counted(self) -> Counted:
        """What was counted so far."""
        told = (self.known, self.rewritten, self.turned, self.removed, escape.encodable(self._example))
        suffixes = sorted(map(escape.encodable, self._suffixes))
        return Counted(*told, suffixes, {escape.encodable(kind): count for kind, count in self._came.items()})

    def take_in(self, other: Counted) -> None:
        """Adds what another census counted, of other paths of the same tree."""
        self.known += other.known
        self.rewritten += other.rewritten
        self.turned += other.turned
        self.removed += other.removed
        self._example = self._example or other.example
        self._suffixes.update(other.suffixes)
        self._came.update(other.came)

    def alarms(self, recent: Sequence[PastRun], sequence: int, percent: int, snapshot: str) -> list[Problem]:
        """The alarms of the run. `recent` and `sequence` are those of the last snapshot, whose id is `snapshot`."""
        found = []
        usual = usual_of(recent, sequence)
        told = {"limit": str(percent), "snapshot": snapshot}
        is_many = usual is not None and self.rewritten >= max(FEW_CHANGED, TIMES * usual + 1)
        if is_many and is_beyond(self.rewritten, self.known, percent):
            share = 100 * self.rewritten // self.known
            facts = {"changed": str(self.rewritten), "files": str(self.known), "percent": str(share)}
            found.append(Problem(Kind.ALARM_CHANGED, "", {**facts, "usual": str(usual), **told}))
        renamed, kind = self._renamed()
        encrypted, changed = self.turned + renamed, self.rewritten + self.removed
        if encrypted >= FEW_ENCRYPTED and is_beyond(encrypted, changed, percent):
            facts = {"encrypted": str(encrypted), "changed": str(changed), **told}
            facts |= {"suffix": f".{kind}"} if renamed else {}
            found.append(Problem(Kind.ALARM_ENCRYPTED, self._example, facts))
        return found

    def _renamed(self) -> tuple[int, str]:
        """How many files went while as many came, random, with one suffix that the last snapshot does not have."""
        if len(self._suffixes) >= _KINDS_MAX:
            return 0, ""
        new = [(count, kind) for kind, count in self._came.items() if kind and kind not in self._suffixes]
        count, kind = max(new, default=(0, ""))
        return min(count, self.removed), kind


def _before(item: Item) -> Entry | None:
    """What the last snapshot says of a path that it has as a file."""
    before = item.was or item.known
    return before if before is not None and before.is_file else None


def usual_of(recent: Sequence[PastRun], sequence: int) -> int | None:
    """How many files nine in ten of the runs sent or copied at most; None for too few runs. The first sends all."""
    past = sorted(run.files_sent + run.files_copied for run in (recent[1:] if sequence <= KEPT else recent))
    return past[int((len(past) - 1) * USUAL)] if len(past) >= PAST else None
