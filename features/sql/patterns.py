"""Regular expressions that mean the same to RE2 (DuckDB), Java (Spark) and Joni (Athena).

What differs between the three is rewritten where that can be done, and refused elsewhere."""

from __future__ import annotations

import re

# inside a class Java knows nesting and intersection, RE2 a leading bracket
_CLASS = re.compile(r"\[\^?(?:[^\[\]\\&]|\\[^A-Za-z0-9]|\\[nrt])+\]")
_ESCAPE = re.compile(r"\\(?:[^A-Za-z0-9]|[nrtAz])")
# Java takes a plus after a repetition for a possessive one
_TIMES = re.compile(r"\{[0-9]+(?:,[0-9]*)?\}(?![*+])")
_REPEATED = re.compile(r"[*+?][*+]")
_REWRITTEN = {
    # Java's $ also matches before a last line end, Joni's ^ after every one
    "^": r"\A",
    "$": r"\z",
    # Java's dot passes over five kinds of line end, RE2's over one
    ".": r"[^\n]",
}


def portable(pattern: str) -> str:
    """The pattern as each of the three reads it like RE2 reads this one.

    Raises:
        ValueError: it holds what cannot be said to all three, such as \\d, \\b, flags or look-ahead.
    """
    found, at = [], 0
    while at < len(pattern):
        piece = _piece(pattern, at)
        found.append(_REWRITTEN.get(piece, piece))
        at += len(piece)
    return "".join(found)


def _piece(pattern: str, at: int) -> str:
    for start, form in (("[", _CLASS), ("\\", _ESCAPE), ("{", _TIMES)):
        if pattern[at] == start:
            match = form.match(pattern, at)
            if match is None:
                raise _refused(pattern, at)
            return match[0]
    if pattern.startswith("(?", at):
        if not pattern.startswith("(?:", at):
            raise _refused(pattern, at)
        return "(?:"
    if _REPEATED.match(pattern, at) or pattern[at] in "]}":
        raise _refused(pattern, at)
    return pattern[at]


def _refused(pattern: str, at: int) -> ValueError:
    return ValueError(
        f"pattern {pattern!r}: {pattern[at : at + 4]!r} at {at} does not mean the same to RE2, Java and Joni; spell it "
        "with classes such as [0-9], groups (?:...), escaped punctuation and \\A, \\z"
    )


def anchored(pattern: str) -> bool:
    """Whether it can match only once in a text, at its beginning."""
    depth, at = 0, 0
    while at < len(pattern):
        piece = _piece(pattern, at)
        depth += piece in ("(", "(?:")
        depth -= piece == ")"
        if piece == "|" and depth == 0:
            return False
        at += len(piece)
    return pattern.startswith(("^", r"\A"))


def replacement(text: str) -> str:
    """RE2's replacement as Java and Trino write it: \\1 becomes $1, a dollar sign is escaped."""
    return re.sub(r"\\([0-9])", r"$\1", text.replace("$", r"\$"))
