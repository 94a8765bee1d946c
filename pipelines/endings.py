"""How a command ends: signals, what can be explained and its exit code.

tests/e2e/test_bad_input.py ends commands in every way it can."""

from __future__ import annotations

import errno
import io
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from tempfile import gettempdir
from types import FrameType

import click
import duckdb

from pipelines.errors import AuditForestError, Exit

NAME = "auditforest"

_SAID_OF_INTERRUPTED = "interrupted{}; what was committed is whole, run again for the rest"


def mend_streams() -> None:
    """Make stdout and stderr fit to be written to, whatever the process was started with."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            # closed by the caller
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))
        elif isinstance(stream, io.TextIOWrapper):
            # names come from the log; a terminal that cannot spell one is no reason to fail
            stream.reconfigure(errors="backslashreplace")


class Ended(BaseException):
    """Ctrl-C or SIGTERM. No KeyboardInterrupt: click would print an empty line for that."""


_received: list[int] = []
"""Signals of this process so far; DuckDB replaces the exception by one of its own and forgets which it was."""


@contextmanager
def endable() -> Iterator[None]:
    """Ctrl-C and SIGTERM unwind, so that the record is written and nothing temporary stays."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, _frame: FrameType | None) -> None:
        _received.append(number)
        raise Ended

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def interrupted(error: BaseException | None) -> bool:
    """Did Ctrl-C or SIGTERM end it?"""
    while error is not None:
        if isinstance(error, Ended | KeyboardInterrupt | click.Abort | duckdb.InterruptException):
            return True
        if str(error) == "Query interrupted" or (
            isinstance(error, duckdb.Error) and re.search("KeyboardInterrupt|Ended", str(error))
        ):
            return True
        error = error.__cause__ or error.__context__
    return False


@contextmanager
def waiting_told(waited_for: Callable[[], str | None]) -> Iterator[None]:
    """Whoever is interrupted inside says what it waited for, if it did."""
    try:
        yield
    except BaseException as error:
        what = waited_for() if interrupted(error) else None
        if what is not None:
            error.add_note(f" while it waited: {what}")
        raise


def explained(error: BaseException) -> tuple[int, str] | None:
    """Exit code and line for what can be foreseen; None for a mistake of ours."""
    if interrupted(error):
        waited = "".join(getattr(error, "__notes__", ()))
        return 128 + (_received[-1] if _received else signal.SIGINT), _SAID_OF_INTERRUPTED.format(waited)
    match error:
        case AuditForestError():
            return error.exit_code, str(error)
        case click.NoSuchOption():
            # click names the likely ones by the alphabet
            near = f"; nearest known option: {error.possibilities[0]}" if error.possibilities else ""
            return Exit.USAGE, f"no such option {error.option_name}{near}; see '{_command(error)} --help'"
        case click.UsageError():
            said = error.format_message().rstrip(".")
            quote = ", and quote a glob, which the shell else takes apart" if "unexpected extra" in said else ""
            return Exit.USAGE, f"{said}; see '{_command(error)} --help'{quote}"
        case duckdb.OutOfMemoryException() | MemoryError():
            return Exit.TRANSIENT, f"out of memory ({_first_line(error)}); raise memory_limit under [parse]"
        case duckdb.IOException() | OSError() if _fills_scratch(error):
            where = f"{gettempdir()}, where a run keeps what it needs while it works: no space left"
            return Exit.TRANSIENT, f"{where}; free some or set TMPDIR to a larger folder, then run again"
        case duckdb.IOException() | OSError():
            return Exit.TRANSIENT, f"this machine: {_one_line(error)}; free space or mend permissions, then run again"
    return None


def _fills_scratch(error: BaseException) -> bool:
    """Whether the folder for what a run needs while it works is full; what is written elsewhere names its place."""
    by_arrow = "writing bytes to file" in str(error)
    return os.strerror(errno.ENOSPC) in str(error) and (isinstance(error, duckdb.Error) or by_arrow)


def _command(error: click.UsageError) -> str:
    return error.ctx.command_path if error.ctx else NAME


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0].strip() or type(error).__name__
