"""What the compiled lane reads of an event: made from the declarations in pipelines/parsing/events.py.

A column whose SQL is a plain path follows by itself; the few others are named in BY_HAND, and a column that is neither
ends the import. tests/pipelines/test_compiled_fields.py holds the SQL that BY_HAND stands for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import cache

from pipelines.compiled.words import Table, table
from pipelines.parsing.body_facts import FACTS, reads_body
from pipelines.parsing.events import COLUMNS, EventColumn
from pipelines.parsing.redact import FIELDS as FIELD_SELECTOR
from pipelines.parsing.redact import KEPT, SELECTED
from pipelines.parsing.redact import LABELS as LABEL_SELECTOR


class Kind(IntEnum):
    """What is done with the value behind a key; from OBJECT on its JSON type must be the expected one, or null."""

    SKIP = 0
    BODY = 1
    OBJECT = 2
    TEXT = 3
    TEXTS = 4
    FIRST = 5
    TIME = 6
    INTEGER = 7


@dataclass(frozen=True)
class Field:
    """One value of an event: the keys that lead to it, what it is, and whether an empty text counts as none."""

    path: tuple[str, ...]
    kind: Kind
    empty_is_null: bool = False
    renamed: str | None = None
    """What some call the last key. A line with both is left to the SQL."""


BY_HAND: Mapping[str, Field] = {
    "stage_ts": Field(("stageTimestamp",), Kind.TIME),
    "received_ts": Field(("requestReceivedTimestamp",), Kind.TIME),
    "code": Field(("responseStatus", "code"), Kind.INTEGER),
    "request_uri": Field(("requestURI",), Kind.TEXT),
    "truncated": Field(("annotations", "audit.k8s.io/truncated"), Kind.TEXT),
    **{
        column: Field(
            ("user", "extra", f"authentication.kubernetes.io/{key}"),
            Kind.FIRST,
            renamed=f"authentication.kubernetes.io_slash_{key}",
        )
        for column, key in (("pod_name", "pod-name"), ("credential_id", "credential-id"))
    },
}
"""Columns that take more than a path. tests hold their SQL: who changes it there, changes pipelines/compiled, too."""

OF_THE_LINE = ("bytes", "content_hash")
"""Columns measured on the line, no part of the event."""

ALWAYS_NULL = tuple(f.name for f in FACTS)
"""Columns of bodies: a line with a body that a fact would read is left to the SQL."""

BODY = ("requestObject",)

_KEY = r'\.(?:\w+|"[^"]+")'
_PATH = re.compile(rf"(nullif\()?e((?:{_KEY})+)(\[1\])?(?(1), ''\))")
_KINDS = {"VARCHAR": Kind.TEXT, "VARCHAR[]": Kind.TEXTS, "INTEGER": Kind.INTEGER}


def _derived(column: EventColumn) -> Field:
    found = _PATH.fullmatch(column.sql)
    if found is None or column.type not in _KINDS or (found[3] and column.type != "VARCHAR"):
        raise ValueError(
            f"pipelines/parsing/events.py: column {column.name} is read by {column.sql!r}, which compiled code does "
            "not know; expected a path such as e.user.uid, nullif(e.user.uid, '') or e.user.extra.arn[1], or an entry "
            "in BY_HAND of pipelines/compiled/fields.py"
        )
    keys = tuple(key.strip('."') for key in re.findall(_KEY, found[2]))
    return Field(keys, Kind.FIRST if found[3] else _KINDS[column.type], found[1] is not None)


FIELDS: Mapping[str, Field] = {
    c.name: BY_HAND.get(c.name) or _derived(c)
    for c in COLUMNS
    if not (c.late or c.name in OF_THE_LINE or c.name in ALWAYS_NULL)
}
"""Of each column of an event where it stands."""

MASKED = frozenset(c.name for c in COLUMNS if c.masked)
"""Columns of which credentials are masked."""

ROOT, SELECTED_FIELDS, PARAMETERS, BODY_WORDS = 0, 61, 62, 63
"""Groups of words: the keys of the event, fields of a selector, harmless parameters, words of the facts; further groups
are objects' keys."""

ANY_VALUE, LABELS_ONLY, FIELDS_ONLY = 0, 1, 2
"""What a parameter may hold to be harmless."""

_MOST_KEYS = 64

COLUMN_OF: Mapping[str, int] = {name: i for i, name in enumerate(FIELDS)}
"""Where a line's value is put."""


def meaning(number: int, kind: Kind, target: int) -> int:
    """What the table of words says of a key: its number, what is done with the value, and where that is put.

    For an object that is the group of its keys, for others the column.
    """
    return number | kind << 8 | target << 16


@cache
def keys() -> Table:
    """The table of words that the kernel reads."""
    objects: dict[tuple[str, ...], int] = {(): ROOT}
    entries: dict[tuple[int, str], tuple[Kind, int]] = {}
    for column, field in [*((COLUMN_OF[name], f) for name, f in FIELDS.items()), (0, Field(BODY, Kind.BODY))]:
        for depth in range(1, len(field.path)):
            path = field.path[:depth]
            objects.setdefault(path, len(objects))
            entries[objects[path[:-1]], path[-1]] = (Kind.OBJECT, objects[path])
        entries[objects[field.path[:-1]], field.path[-1]] = (field.kind, column)
    if len(entries) > _MOST_KEYS:
        raise ValueError(f"{len(entries)} keys of an event are read; compiled code tells {_MOST_KEYS} apart")
    read = {key: meaning(i, *what) for i, (key, what) in enumerate(entries.items())}
    # of the same number: a key that comes twice is refused
    read |= {
        (objects[f.path[:-1]], f.renamed): read[objects[f.path[:-1]], f.path[-1]]
        for f in FIELDS.values()
        if f.renamed is not None
    }
    parameters = dict.fromkeys(KEPT, ANY_VALUE) | {LABEL_SELECTOR: LABELS_ONLY, FIELD_SELECTOR: FIELDS_ONLY}
    others = [(PARAMETERS, *known) for known in parameters.items()]
    others += [(SELECTED_FIELDS, name, 0) for name in SELECTED] + [(BODY_WORDS, word, 0) for word in body_words()]
    return table([*((*key, what) for key, what in read.items()), *others])


def body_words() -> tuple[str, ...]:
    """Verbs and resources of which a fact reads the body, and some words more: every text in that SQL.

    A fact asks for a verb and a resource by name, so where either is none of these no fact reads the body.
    """
    return tuple(sorted(set(re.findall(r"'([^']+)'", reads_body()))))
