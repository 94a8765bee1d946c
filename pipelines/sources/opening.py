"""Which kind of source a text names."""

from __future__ import annotations

from pathlib import Path

from pipelines.errors import ConfigError
from pipelines.sources import files
from pipelines.sources.base import Source


def open_source(text: str, apart_from: Path | None) -> Source:
    """The source that a command line or a configuration names.

    Args:
        apart_from: the folder of the archive, if it is one; what lies in it is no source.
    Raises:
        ConfigError: there is nothing, or nothing that looks like an audit log.
    """
    if "://" in text:
        raise ConfigError(f"--source {text}: no kind of source that can be read; expected a file, a folder or a glob")
    return files.select(text, apart_from)
