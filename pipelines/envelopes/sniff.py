"""Which reader an object wants, told by its beginning (after byte order marks, NULs and blank lines).

The rule, first match wins; "line" is the first line that is not blank, whole or its first 32 MB:

1. `PAR1`: Parquet.
2. The line begins like a record of a subscription (`{"messageType"`, or another of its keys): values.
3. The line begins with neither `{` nor `[`, and no subscription record follows a closing brace in it: lines.
4. The line is longer than a line may be, or has no end within 32 MB: values.
5. The line is one whole JSON value (NDJSON, a list on one line): lines.
6. Inside the line an object follows an object without a comma (`}{`): values.
7. The line stops where JSON goes on (its last sign is one of `{ [ ,`; no printer breaks after a colon), or the next
   line goes on with `, : ] }`: values (pretty-printed).
8. Anything else, a damaged first line among it: lines.

Whoever is wrong loses nothing: single-line forms come out of either reader as the same lines.
tests/pipelines/test_envelopes_sniff.py keeps the rule."""

from __future__ import annotations

import re
from enum import Enum

from pipelines.envelopes.scan import RECORD_HEAD, STRICT, Text

SNIFF_BYTES = 32 * 1024 * 1024
"""Without a line's end in so many bytes, an object has no lines."""


class Form(Enum):
    """How an object is read: as it stands, line by line; as JSON values one after another; as Parquet."""

    LINES = "lines"
    VALUES = "values"
    PARQUET = "parquet"


_CUT_RECORD = re.compile(r'\}[ \t\r\n]*+\{[ \t\r\n]*+"messageType"')
_BLANK = b" \t\r\n"
_BEFORE = re.compile(rb"(?:[ \t\r\n\0]++|\xef\xbb\xbf)*+")


def form(head: bytes, *, ended: bool, line_bytes: int) -> Form | None:
    """The form of the object that begins like this; None while more must be read to tell.

    Args:
        ended: there is no more.
        line_bytes: the longest line that is read.
    """
    ended = ended or len(head) > SNIFF_BYTES
    before = _BEFORE.match(head)
    begin = head[before.end() :] if before else head
    line, newline, after = begin.partition(b"\n")
    if begin[:4] == b"PAR1":
        return Form.PARQUET
    if not newline and not ended:
        return None
    following = after.lstrip(_BLANK)[:1]
    if not following and not ended:
        return None
    text = line.decode("latin-1")
    if RECORD_HEAD.match(text):
        return Form.VALUES
    if text[:1] not in ("{", "["):
        return Form.VALUES if _CUT_RECORD.search(text) else Form.LINES
    return Form.VALUES if _not_of_lines(text, following, bool(newline), line_bytes) else Form.LINES


def _not_of_lines(line: str, following: bytes, newline: bool, line_bytes: int) -> bool:
    if len(line) > line_bytes or (not newline and len(line) > SNIFF_BYTES):
        return True
    if _whole(line):
        return False
    return bool(STRICT.search(line)) or line.rstrip()[-1:] in "{[," or following in (b",", b":", b"]", b"}")


def _whole(line: str) -> bool:
    try:
        _, end = Text(line).value(0)
    except (ValueError, RecursionError):
        return False
    return not line[end:].strip()
