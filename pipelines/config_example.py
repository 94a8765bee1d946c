"""The example file, made from the declarations: `python -m pipelines.config_example > auditforest.example.toml`.

tests/pipelines/test_config.py compares the committed file with what is made here, and loads it."""

from __future__ import annotations

import json
import re
import sys

from pipelines.config import SECTIONS
from pipelines.declared import describe, environment_name, expected_of, field_of, flag_name

SAMPLE_CLUSTER = "prod-usw2"
_HEAD = """\
# Copy to auditforest.toml, or name it with --config. Later wins: default, this file, environment, flag.
# An unknown key, in any of them, is an error. Made by: python -m pipelines.config_example
"""


def example_toml() -> str:
    """The whole text of auditforest.example.toml: each option with its meaning, range, default and names."""
    tables = [_table(section.replace("NAME", SAMPLE_CLUSTER), section) for section in SECTIONS]
    return "\n".join([_HEAD, *tables])


def _table(name: str, section: str) -> str:
    about = (SECTIONS[section].__doc__ or "").splitlines()[0]
    entries = [_entry(f"{name}.{key}") for key in SECTIONS[section].model_fields]
    return f"# {about}\n{_of_shells(name)}[{name}]\n" + "\n".join(entries)


def _of_shells(name: str) -> str:
    """What to know of the variables of a cluster whose name a shell does not take."""
    if "-" not in name:
        return ""
    return (
        "# A shell's export takes no variable with '-' in its name; env(1), systemd and Kubernetes do:\n"
        f"# env {environment_name(f'{name}.source')}=FOLDER auditforest nightly\n"
    )


def _entry(option: str) -> str:
    described = describe(option)
    default = "none" if described.default is None else described.default
    flag = flag_name(option)
    names = f"{environment_name(option)}, {flag}" if flag else environment_name(option)
    value = (field_of(option).examples or [""])[0] if described.default is None else described.default
    # a cluster without its places would be no sample
    mark = "# " if described.default is None and not re.fullmatch(r"clusters\..*\.(source|archive)", option) else ""
    return (
        f"# {described.description}\n# Takes {expected_of(option)}; default: {default}.\n# Set by {names}.\n"
        f"{mark}{option.rpartition('.')[2]} = {json.dumps(value)}\n"
    )


if __name__ == "__main__":
    sys.stdout.write(example_toml())
