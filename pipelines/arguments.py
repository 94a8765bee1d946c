"""What a command line names: a cluster, a night, a range of nights. Today is handed in, so this is pure.

tests/pipelines/test_config.py sets every rule, well and badly."""

from __future__ import annotations

import datetime as dt
import re

from pipelines.config import CLUSTER_PATTERN
from pipelines.errors import ConfigError
from pipelines.words import quoted


def cluster_name(text: str) -> str:
    """The name, fit for a folder, a table of the file and a variable.

    Raises:
        ConfigError: it is not.
    """
    if not re.fullmatch(CLUSTER_PATTERN, text):
        raise ConfigError(
            f"cluster name {quoted(text)}: expected 1 to 100 of A-Z, a-z, 0-9, '-' and '_', "
            "the first a letter or a digit"
        )
    return text


def night(text: str | None, today: dt.date) -> dt.date:
    """The night of --date, else yesterday; today is the current UTC date, itself allowed though unfinished.

    Raises:
        ConfigError: no date, or one after today.
    """
    return today - dt.timedelta(days=1) if text is None else _date("--date", text, today)


MOST_NIGHTS = 3_660
"""Of a back-fill: ten years. A year that is mistyped would be hundreds of thousands of nights without an event."""


def nights(
    date: str | None, from_: str | None, to: str | None, today: dt.date, most: int | None = MOST_NIGHTS
) -> list[dt.date]:
    """The nights of --date, or of --from up to and with --to (else yesterday), earliest first.

    Raises:
        ConfigError: no date, one after today, more than `most`, or options that contradict each other.
    """
    if from_ is None and to is None:
        return [night(date, today)]
    if date is not None:
        raise ConfigError("--date together with --from or --to; expected either the one night or the range")
    if from_ is None:
        raise ConfigError(f"--to {quoted(to)} without --from; expected both, or --date for one night")
    first, last = _date("--from", from_, today), night(None, today) if to is None else _date("--to", to, today)
    if first > last:
        end = f"yesterday, {last} UTC; pass --to" if to is None else f"--to {last}; expected the earlier first"
        raise ConfigError(f"--from {first} is after {end}")
    number = (last - first).days + 1
    if most is not None and number > most:
        raise ConfigError(
            f"--from {first} up to {last}: {number:,} nights; expected at most {most:,}; is the year right?"
        )
    return [first + dt.timedelta(days=day) for day in range(number)]


def _date(flag: str, text: str, today: dt.date) -> dt.date:
    found = day(flag, text)
    if found > today:
        raise ConfigError(f"{flag}: {found} is in the future; today is {today} UTC")
    return found


def day(flag: str, text: str) -> dt.date:
    """The date that is written there.

    Raises:
        ConfigError: it is none.
    """
    # fromisoformat alone would take 20261122 and 2026-W47-7 as well
    if not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        raise ConfigError(f"{flag} {quoted(text)}: expected a date as YYYY-MM-DD")
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{flag} {quoted(text)}: no day of the calendar; expected one, as YYYY-MM-DD") from None
