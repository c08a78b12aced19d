"""Numbers for people: sizes in IEC units, durations, counts with thousands set apart."""

from __future__ import annotations

from backup_action.core.wording import Language, word

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def size(count: int) -> str:
    """Bytes in the unit that leaves 1 to 1023 of it, with one decimal: 1536 is `1.5 KiB`."""
    value, unit = float(count), _UNITS[0]
    for unit in _UNITS:
        # 1023.95 would be shown as 1024.0: such a value already belongs to the next unit.
        if abs(value) < (1024 if unit == "B" else 1023.95) or unit == _UNITS[-1]:
            break
        value /= 1024
    return f"{count} B" if unit == "B" else f"{value:.1f} {unit}"


def duration(seconds: float, language: Language) -> str:
    """A time span in its two or three largest parts; with a tenth of a second below ten seconds."""
    if round(seconds, 1) < 10:
        return word("second", language, count=f"{max(seconds, 0.0):.1f}")
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [("day", days), ("hour", hours), ("minute", minutes), ("second", rest)]
    while not parts[0][1]:
        parts.pop(0)
    return " ".join(word(name, language, count=str(count)) for name, count in parts[:3] if count)


def count(number: int) -> str:
    """A count with thousands set apart: `1,234`."""
    return f"{number:,}"
