"""Times as the API server writes them, to microseconds since 1970. tests/pipelines/test_compiled_values.py."""

from __future__ import annotations

from pipelines.compiled.jit import kernel
from pipelines.compiled.vectors import byte

NO_TIME = -(1 << 63)
_SHORTEST, _LONGEST = len("2026-01-05T00:00:00Z"), len("2026-01-05T00:00:00.123456789Z")


@kernel
def _digits(p: int, n: int) -> int:
    """The number that n digits show, or one below zero."""
    value = 0
    for k in range(n):
        digit = byte(p + k) - 48
        value = 10 * value + digit if 0 <= digit <= 9 else -1_000_000_000
    return value


@kernel
def _last_day(year: int, month: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month == 4 or month == 6 or month == 9 or month == 11 else 31


@kernel
def microseconds(p: int, n: int) -> int:
    """Microseconds of the time that n bytes at address p show, more digits cut off; NO_TIME for another spelling.

    Only years from 1000 to 2999 are read, as in pipelines/parsing/events.py.
    """
    if n < _SHORTEST or n > _LONGEST or n == _SHORTEST + 1 or byte(p + n - 1) != 90:
        return NO_TIME
    if byte(p + 4) != 45 or byte(p + 7) != 45 or byte(p + 10) != 84:
        return NO_TIME
    if byte(p + 13) != 58 or byte(p + 16) != 58 or (n > _SHORTEST and byte(p + 19) != 46):
        return NO_TIME
    year, month, day = _digits(p, 4), _digits(p + 5, 2), _digits(p + 8, 2)
    hour, minute, second = _digits(p + 11, 2), _digits(p + 14, 2), _digits(p + 17, 2)
    if year < 1000 or year > 2999 or month < 1 or month > 12 or day < 1 or day > _last_day(year, month):
        return NO_TIME
    if hour < 0 or hour > 23 or minute < 0 or minute > 59 or second < 0 or second > 59:
        return NO_TIME
    part, places = 0, n - _SHORTEST - 1
    if places > 0:
        if _digits(p + 20, places) < 0:
            return NO_TIME
        part = _digits(p + 20, min(places, 6))
        for _ in range(min(places, 6), 6):
            part *= 10
    # days since 1970, counted in years that begin in March (Hinnant, days_from_civil)
    if month <= 2:
        year -= 1
    century, month = year // 400, (month + 9) % 12
    years = year - 400 * century
    days = 146097 * century + 365 * years + years // 4 - years // 100 + (153 * month + 2) // 5 + day - 1 - 719468
    return (((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000_000 + part
