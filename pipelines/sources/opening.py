"""Which kind of source a text names."""

from __future__ import annotations

from pipelines.errors import ConfigError
from pipelines.sources import files
from pipelines.sources.base import Source


def open_source(text: str) -> Source:
    """The source that a command line or a configuration names.

    Raises:
        ConfigError: there is nothing, or nothing that looks like an audit log.
    """
    if "://" in text:
        raise ConfigError(f"--source {text}: no kind of source that can be read; expected a file, a folder or a glob")
    return files.select(text)
