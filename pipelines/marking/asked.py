"""What a command line says of a mark, checked against the ranked night. Pure. tests/pipelines/test_marks_asked.py."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from features.catalogue import NAMES
from pipelines.errors import ConfigError
from pipelines.marking.record import NONE, Range
from pipelines.words import nearest_told, quoted

DAYS = 90
"""So many nights a mark holds of which nobody said until when."""
LONGEST = 1_000
"""Characters of a reason."""

_DIGITS = 18
"""Of the largest count that can be marked, for it is kept in 64 bits."""


def because(text: str) -> str:
    """The analyst's words.

    Raises:
        ConfigError: there are none, too many, or some that are no text.
    """
    if not text.strip() or len(text) > LONGEST:
        found = f"{len(text):,} characters" if text.strip() else "nothing"
        raise ConfigError(f"--because: {found} found; 1 to {LONGEST:,} characters expected, such as the ticket")
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise ConfigError("--because: bytes found that are no UTF-8; text expected")
    return text


def until(state: str, asked: date | None, night: date) -> date:
    """The last night on which a mark holds; of one that takes back its own night, for it stands for good.

    Raises:
        ConfigError: it lies before the marked night, or a mark that takes back is to end.
    """
    if state == NONE:
        if asked is not None:
            raise ConfigError(f"--until {asked}: a mark as none has no end; give the command without --until")
        return night
    last = night + timedelta(days=DAYS) if asked is None else asked
    if last < night:
        raise ConfigError(f"--until {last} is before the marked night, {night}; expected this night or a later one")
    return last


def ranges(
    state: str, named: Sequence[str], reasons: Sequence[Mapping[str, Any]], counts: Mapping[str, Any]
) -> tuple[Range, ...]:
    """What is marked of each feature: of those that are named, and of the principal's reasons.

    Args:
        named: NAME, or NAME=MOST, each a feature of the catalogue.
        reasons: of the ranking; counts: its row of principal_days.
    Raises:
        ConfigError: a feature is unknown, or was not seen that night, or less is to be marked than was counted.
    """
    found = dict(_named(text, counts) for text in named)
    if state != NONE:
        for reason in reasons:
            found.setdefault(reason["feature"], Range(reason["feature"], reason["value"], named=False))
    return tuple(found.values())


def _named(text: str, counts: Mapping[str, Any]) -> tuple[str, Range]:
    name, given, most = text.partition("=")
    if name not in NAMES:
        expected = nearest_told(name, NAMES) or "; 'auditforest features --list' names them"
        raise ConfigError(f"--feature {quoted(text)}: no feature{expected}")
    if given and not re.fullmatch(rf"[0-9]{{1,{_DIGITS}}}", most):
        raise ConfigError(
            f"--feature {quoted(text)}: {quoted(most)} found behind its '='; a whole number of at most {_DIGITS} "
            "digits expected"
        )
    value = counts.get(name)
    if value is None:
        raise ConfigError(f"--feature {name}: the log of this night cannot show it; expected one that it can")
    if given and int(most) < value:
        raise ConfigError(f"--feature {text}: {value:,} were counted this night; expected as many or more")
    return name, Range(name, int(most) if given else value, named=True)
