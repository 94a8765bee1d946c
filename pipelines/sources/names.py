"""What source objects are called in records and quarantine: one line of text, another one for each object.

Who may write to a source chooses the names. tests/pipelines/test_files.py and test_objects_edge.py choose some."""

from __future__ import annotations

import os


def name_of_key(key: str) -> str:
    r"""The key with what does not print as `\n`, `\u200b` and so on; a backslash doubled, or two keys might meet."""
    return "".join(c if c.isprintable() and c != "\\" else c.encode("unicode_escape").decode() for c in key)


def name_of_file(name: str) -> str:
    r"""The same of a file's name, which is bytes and need not be text: the byte FF is `\udcff`.

    Args:
        name: as the file system's functions give it.
    """
    return name_of_key(os.fsencode(name).decode("utf-8", "surrogateescape"))
