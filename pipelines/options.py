"""The options that commands share; those of the configuration are made from their declarations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from pipelines.config import FLAGS
from pipelines.declared import describe

Command = Callable[..., None]

CLUSTER_READ = "Name of the cluster (default: the only one of --archive; of several, or without it, those declared)."
"""Help of --cluster for commands without --source."""

CLUSTER_SINGLE = (
    "Name of the cluster (default: the only one of --archive; of several, or without it, the only one declared)."
)
"""Help of --cluster for commands without --source that are for one."""


def options(
    *,
    source: bool = False,
    sections: Sequence[str] = (),
    cascade: bool = False,
    span: bool = True,
    single: bool = False,
    unasked: str = "yesterday",
) -> Callable[[Command], Command]:
    """The options of a command; those of the configuration are made from their declarations.

    Args:
        source: does it read a source?
        sections: of the configuration, whose flags it has.
        span: can it be asked for several nights by their first and last?
        single: is it for one cluster only?
        cascade: do later nights depend on what it makes?
        unasked: the night it is for without --date, in words.
    """
    plain: dict[str, dict[str, Any]] = {
        "--cluster": {"help": "Name of the cluster (default: every cluster of the file of options)."},
        "--source": {"help": "A file, a folder, a quoted glob, s3://BUCKET/PREFIX, or cloudwatch."},
        "--archive": {"help": "Where tables and reports are kept: a folder or s3://BUCKET/PREFIX."},
        "--date": {"help": f"The night, YYYY-MM-DD, one UTC day (default: {unasked})."},
        "--from": {"help": "First night of a back-fill."},
        "--to": {"help": "Last night of a back-fill, inclusive (default: yesterday)."},
        "--config": {"type": click.Path(path_type=Path), "help": "The file of options (default: auditforest.toml)."},
    }
    if not source:
        del plain["--source"]
        plain["--cluster"] = {"help": CLUSTER_SINGLE if single else CLUSTER_READ}
    if not span:
        del plain["--from"], plain["--to"]
    for flag, option in FLAGS.items():
        if option.partition(".")[0] in sections:
            said = describe(option)
            plain[flag] = {"type": said.type, "help": f"{said.description} (default: {said.default})"}
    if cascade:
        plain["--cascade"] = {"is_flag": True, "help": "Then the archive's later nights, which are compared with it."}

    def decorated(command: Command) -> Command:
        for name, more in reversed(plain.items()):
            command = click.option(name, **more)(command)
        return command

    return decorated
