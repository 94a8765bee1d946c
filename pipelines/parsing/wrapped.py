"""An event that a shipper wrapped: as text or as an object under `log` or `message`, perhaps a time before it.

Pure; tests/pipelines/test_lines.py holds the truth."""

from __future__ import annotations

from pipelines.envelopes.firehose import string_bytes
from pipelines.parsing.brackets import CutError, members

MOST = 3
"""Lines around an event that are taken off: wrappers in lists in wrappers."""

_KEYS = ("log", "message")
"""Under which Fluent Bit and its like put a whole line."""
_LOOKED_AT = {*_KEYS, "auditID"}
_HOLDING = {*_LOOKED_AT, "items"}
"""Keys of an object that is an event, a list of them, or a wrapper around one."""
_SOUGHT = tuple(f'"{key}"'.encode() for key in _KEYS)
_HEAD_BYTES = 4096


def one_line(text: str) -> str:
    """The text without line ends at its end, others as spaces: JSON takes either, and one event stays one line."""
    return text.rstrip("\r\n").replace("\n", " ")


def one_line_of(line: bytes) -> bytes:
    """The same of bytes; no other character of UTF-8 holds one of these."""
    return line.rstrip(b"\r\n").replace(b"\n", b" ")


def likely(line: bytes) -> bool:
    """Is it worth a look for a wrapper? Cheap, and never true of an event as the API server writes it."""
    head = line[:_HEAD_BYTES]
    # a quote within text is escaped, so the inner event's own key does not count
    return b'"auditID"' not in head and any(key in head for key in _SOUGHT)


def unwrap(line: bytes) -> tuple[bytes, bool] | None:
    """The line that a JSON object holds under `log` or `message`, and whether as text; None for anything else.

    None also where it says one of them twice.

    Held as JSON, it is a list, or an object that is or holds an event; its bytes are no longer those of the API server.
    """
    # one character a byte: JSON's own signs are ASCII, and only they matter here
    text = line.decode("latin-1").strip(" \t\r\n")
    try:
        found: dict[str, str] = {}
        for key, _, value, end in members(text, 0):
            if key in found:
                # whichever counts, the other may hold an event
                return None
            if key in _LOOKED_AT:
                found[key] = text[value:end]
        # a line may take a good part of the memory: no copy outlives its use
        del text
        if "auditID" in found:
            return None
        for key in _KEYS:
            inner = found.get(key, "")
            if inner[:1] == "[" or (inner[:1] == "{" and any(name in _HOLDING for name, *_ in members(inner, 0))):
                return inner.encode("latin-1"), False
        # what is no UTF-8 in one field would else hide the event
        texts = [string_bytes(found.pop(key), 0)[0] for key in _KEYS if found.get(key, "")[:1] == '"']
        if texts:
            return one_line_of(next((one for one in texts if one.strip()), b"")), True
    except (ValueError, CutError):
        pass
    return None
