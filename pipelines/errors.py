"""The error tree and its exit codes: each message says where, what was found, what was expected, what mends it.

features/ and models/ raise ValueError; the edge turns those it can explain into one of these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum


class Exit(IntEnum):
    """How a command ends that was left to end by itself."""

    OK = 0
    USAGE = 2
    DATA = 3
    TRANSIENT = 4
    EMPTY = 6


BUG = 1
"""Exit code of what nobody foresaw."""

ENDINGS: Mapping[int, str] = {
    Exit.OK: "done",
    BUG: "a mistake of auditforest, told by a traceback; report it",
    Exit.USAGE: "usage or configuration, or a stage before the one it needs; mend it, then run again",
    Exit.DATA: (
        "data integrity: no audit log, more unreadable lines than allowed, a damaged object or archive; "
        "do not retry, look first"
    ),
    Exit.TRANSIENT: "store or AWS unreachable, this machine short of space or memory, or another run in the way; retry",
    Exit.EMPTY: "suspiciously empty: no audit event in a night, or no night in an archive to check",
    130: "interrupted by Ctrl-C; run again",
    143: "interrupted by SIGTERM; run again",
}
"""Every exit code and what it tells the scheduler; the help text is made from these, the README is held to them."""

# what a retry cannot mend comes first
_WORST_FIRST = (BUG, Exit.DATA, Exit.USAGE, Exit.TRANSIENT, Exit.EMPTY, Exit.OK)


def worst(codes: Sequence[int]) -> int:
    """The exit code of a run in which several things failed: the one that needs a person most."""
    return min(codes, key=_WORST_FIRST.index)


class AuditForestError(Exception):
    """Anything a user can be told in one line."""

    exit_code = Exit.DATA


class ConfigError(AuditForestError):
    """A flag, a file or a name that cannot be used."""

    exit_code = Exit.USAGE


class OrderError(ConfigError):
    """A stage was asked for, of which the stage before has not run on what stands in the archive now."""


class DataError(AuditForestError):
    """What was read is not what was promised; a retry would read the same."""

    exit_code = Exit.DATA


class AwsError(AuditForestError):
    """The store or a service did not answer; a retry may."""

    exit_code = Exit.TRANSIENT


class RetryError(AuditForestError):
    """This machine, or another run, is in the way; a retry may find it clear."""

    exit_code = Exit.TRANSIENT


class EmptyNightError(AuditForestError):
    """A night without a single audit event: calm is possible, a broken log is likelier."""

    exit_code = Exit.EMPTY
