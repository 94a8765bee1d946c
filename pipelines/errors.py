"""The error tree and its exit codes: each message says where, what was found, what was expected, what mends it.

features/ and models/ raise ValueError; the edge turns those it can explain into one of these."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum


class Exit(IntEnum):
    """What the scheduler sees; the help text and the docs are made from these."""

    OK = 0
    USAGE = 2
    DATA = 3
    TRANSIENT = 4
    UNDELIVERED = 5
    EMPTY = 6

    @property
    def meaning(self) -> str:
        """One line for the help text."""
        return _MEANINGS[self]


_MEANINGS = {
    Exit.OK: "done",
    Exit.USAGE: "usage or configuration; mend it, then run again",
    Exit.DATA: "data integrity; do not retry, look first",
    Exit.TRANSIENT: "store or AWS unreachable; retry",
    Exit.UNDELIVERED: "results stored, notices not delivered",
    Exit.EMPTY: "suspiciously empty: no audit event in a night",
}

BUG = 1
"""Exit code of what nobody foresaw."""

# what a retry cannot mend comes first
_WORST_FIRST = (BUG, Exit.DATA, Exit.USAGE, Exit.TRANSIENT, Exit.EMPTY, Exit.UNDELIVERED, Exit.OK)


def worst(codes: Sequence[int]) -> int:
    """The exit code of a run in which several things failed: the one that needs a person most."""
    return min(codes, key=_WORST_FIRST.index)


class AuditForestError(Exception):
    """Anything a user can be told in one line."""

    exit_code = Exit.DATA


class ConfigError(AuditForestError):
    """A flag, a file or a name that cannot be used."""

    exit_code = Exit.USAGE


class DataError(AuditForestError):
    """What was read is not what was promised; a retry would read the same."""

    exit_code = Exit.DATA


class AwsError(AuditForestError):
    """The store or a service did not answer; a retry may."""

    exit_code = Exit.TRANSIENT


class EmptyNightError(AuditForestError):
    """A night without a single audit event: calm is possible, a broken log is likelier."""

    exit_code = Exit.EMPTY
