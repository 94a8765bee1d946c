"""Text from the log, made safe to look at: nothing invisible, nothing that steers a screen.

Whoever calls the Kubernetes API chooses user names, object names and audit IDs. Escaping for HTML, CSV or a
terminal comes on top of this. Imports nothing of ours. Tested in tests/report/test_text.py.
"""

# Printable by their Unicode category, yet drawn as nothing (the default-ignorables outside category Cf,
# and the blank Braille cell).
_BLANK = frozenset(
    chr(code)
    for first, last in (
        (0x034F, 0x034F),
        (0x115F, 0x1160),
        (0x17B4, 0x17B5),
        (0x180B, 0x180F),
        (0x2800, 0x2800),
        (0x3164, 0x3164),
        (0xFE00, 0xFE0F),
        (0xFFA0, 0xFFA0),
        (0xE0100, 0xE01EF),
    )
    for code in range(first, last + 1)
)


def visible(text: str) -> str:
    r"""The text with every character that cannot be seen written as \uXXXX or \UXXXXXXXX.

    That is: controls (C0, DEL, C1), bidi controls, zero-width characters, spaces other than U+0020, line
    and paragraph separators, surrogates, private use, unassigned. A backslash stays as it is, so the text
    cannot be turned back; ranking.json holds it exactly.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if char.isprintable() and char not in _BLANK else _code(char) for char in text)


def _code(char: str) -> str:
    point = ord(char)
    return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"


def clip(text: str, width: int) -> str:
    """The text, or its two ends around a note of its length when it is longer than `width` characters.

    The result is longer than `width` only where `width` has no room for the note and one character each side.
    """
    return text if len(text) <= width else _ends(text, text, len(text), width)


def shown_name(text: str, width: int) -> str:
    """A name for people: clipped, visible, in quotes where its ends would not be seen (empty, outer spaces)."""
    name = visible(clip(text, width))
    return name if _ends_seen(text) else f'"{name}"'


def within(text: str, width: int) -> str:
    """The text made visible, or its two ends as clip has them where that is longer than `width`.

    The length that is told is the text's own, before what cannot be seen in it was written out.
    """
    whole = visible(text[:width])
    return whole if len(text) <= width >= len(whole) else _ends(whole, visible(text[-width:]), len(text), width)


def name_within(text: str, width: int) -> str:
    """A name as shown_name has it, of `width` characters at most with everything written out."""
    return within(text, width) if _ends_seen(text) else f'"{within(text, width - 2)}"'


def _ends(first: str, last: str, length: int, width: int) -> str:
    note = f"…({length:,} characters)…"
    keep = max(width - len(note), 2)
    tail = keep // 2
    return first[: keep - tail] + note + last[-tail:]


def _ends_seen(text: str) -> bool:
    return text != "" and text == text.strip(" ")
