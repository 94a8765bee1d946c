"""One of several names from a log, by the whole of it or a part. Pure. tests/pipelines/test_lookup.py."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.errors import ConfigError
from pipelines.report.text import clip, shown_name, visible

_WIDTH = 80
_NAMED = 10


def principal_of(asked: str, names: Sequence[str], where: str) -> str:
    """The principal of this name, else the only one with it in its name, whatever the case of its letters.

    Args:
        where: archive, cluster and night, for errors.
    Raises:
        ConfigError: none has it, or several.
    """
    if asked in names:
        return asked
    found = [name for name in names if asked.casefold() in name.casefold()] if asked.strip() else []
    if len(found) == 1:
        return found[0]
    said = f"{where}: principal '{visible(clip(asked, _WIDTH))}'"
    if not found:
        raise ConfigError(f"{said}: none of {len(names):,} has this in its name; expected one, or a part of its name")
    told = ", ".join(shown_name(name, _WIDTH) for name in found[:_NAMED])
    more = f" and {len(found) - _NAMED:,} more" if len(found) > _NAMED else ""
    raise ConfigError(f"{said}: {len(found):,} have this in their names; expected one of {told}{more}")
