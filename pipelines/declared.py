"""What is declared of an option, by its name SECTION.KEY: how it is set, what it must be, what is said of it.

Help text, example file, docs and messages are made from here. tests/pipelines/test_config.py asks of every option."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import NamedTuple, get_args

from pydantic.fields import FieldInfo

from pipelines.config import FLAGS, PREFIX, SECTIONS
from pipelines.errors import ConfigError
from pipelines.words import shown


class Described(NamedTuple):
    """What a flag, the example file and the docs say of an option."""

    description: str
    default: int | str | None
    type: type[int] | type[str]


def options() -> Iterator[str]:
    """Every option as SECTION.KEY; those of a cluster as clusters.NAME.KEY."""
    return (f"{section}.{key}" for section, model in SECTIONS.items() for key in model.model_fields)


def field_of(option: str) -> FieldInfo:
    """The declaration of an option; a cluster's option may carry any name in place of NAME.

    Raises:
        ConfigError: there is no such option; the nearest is named.
    """
    section, _, key = option.rpartition(".")
    model = SECTIONS.get("clusters.NAME" if section.startswith("clusters.") else section)
    if model is None or key not in model.model_fields:
        raise ConfigError(f"{shown(option)}: unknown option; {nearest(option, ())}")
    return model.model_fields[key]


def describe(option: str) -> Described:
    """Description, default and type of an option, enough to build its flag."""
    field = field_of(option)
    kind = int if int in (field.annotation, *get_args(field.annotation)) else str
    return Described(field.description or "", field.default, kind)


def expected_of(option: str) -> str:
    """What an option's value must be, in words."""
    field = field_of(option)
    if describe(option).type is int:
        low, high = (next(getattr(m, end) for m in field.metadata if hasattr(m, end)) for end in ("ge", "le"))
        return f"a whole number from {low} to {high}"
    extra = field.json_schema_extra
    return str(extra["expected"]) if isinstance(extra, dict) else "text"


def environment_name(option: str) -> str:
    """The variable that sets an option; a cluster's name stands in it as written."""
    section, _, key = option.rpartition(".")
    table, dot, name = section.partition(".")
    return f"{PREFIX}{table.upper()}{'__' + name if dot else ''}__{key.upper()}"


def flag_name(option: str) -> str | None:
    """The flag that sets an option, if it has one."""
    return next((flag for flag, target in FLAGS.items() if target == option), None)


def nearest(option: str, siblings: Iterable[str]) -> str:
    """The known key most like this one: beside it if one is close, else anywhere; the same word first."""
    table, dot, key = option[:200].rpartition(".")
    near = [] if table else [known for known in options() if known.rpartition(".")[2] == key]
    near += [f"{table}{dot}{name}" for name in difflib.get_close_matches(key, siblings, n=1)]
    near += difflib.get_close_matches(option[:200], list(options()), n=1, cutoff=0)
    return f"nearest known key: {shown(near[0])}"
