"""The pages that are made from declarations: `python docs/pages.py` writes docs/commands.md and docs/options.md anew.

tests/e2e/test_docs_site.py holds the committed pages to what is declared."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from pipelines.cli import cli
from pipelines.config import SECTIONS
from pipelines.declared import describe, environment_name, expected_of, flag_name
from pipelines.endings import NAME

DOCS = Path(__file__).parent
_WIDTH = 100
_COMMANDS = """\
# Every command

What `--help` prints, for reading before there is a checkout. This page is made from the commands' declarations.

Results go to stdout, progress and errors to stderr; the codes a command ends with stand at the end of the first.
"""
_OPTIONS = """\
# Every option

An option stands in `auditforest.toml` (or the file named by `--config`), in the environment, or on the command line;
the later wins. An unknown key in any of them is an error. `NAME` is the cluster's. This page is made from the
declarations, as is [auditforest.example.toml](../auditforest.example.toml).
"""


def commands() -> str:
    """The page of the commands, each with the help it prints, a group before its own."""
    return "\n".join([_COMMANDS, *_helps(cli, NAME, None)])


def _helps(command: click.Command, name: str, above: click.Context | None) -> Iterator[str]:
    context = click.Context(command, above, info_name=name, terminal_width=_WIDTH, **command.context_settings)
    yield f"## {context.command_path}\n\n```text\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for name, inner in sorted(command.commands.items()):
            yield from _helps(inner, name, context)


def options() -> str:
    """The page of the options, a table for each section of the file."""
    return "\n".join([_OPTIONS, *(_section(section) for section in SECTIONS)])


def _section(section: str) -> str:
    about = (SECTIONS[section].__doc__ or "").splitlines()[0]
    head = "| option | takes | default | set by | meaning |\n|-|-|-|-|-|\n"
    rows = [_row(f"{section}.{key}", key) for key in SECTIONS[section].model_fields]
    return f"## [{section}]\n\n{about}\n\n{head}" + "\n".join(rows) + "\n"


def _row(option: str, key: str) -> str:
    described = describe(option)
    names = [f"`{name}`" for name in (environment_name(option), flag_name(option)) if name]
    default = "none" if described.default is None else f"`{described.default}`"
    cells = (f"`{key}`", expected_of(option), default, ", ".join(names), described.description)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


PAGES = {"commands.md": commands, "options.md": options}

if __name__ == "__main__":
    for page, made in PAGES.items():
        (DOCS / page).write_text(made(), encoding="utf-8")
