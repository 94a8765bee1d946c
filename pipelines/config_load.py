"""Loading the configuration: the only reader of auditforest.toml and of AUDITFOREST_* variables.

Each layer is checked by itself, so that a message names the place where the value stands."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, InitSettingsSource, TomlConfigSettingsSource

from pipelines.arguments import cluster_name
from pipelines.config import NOTEBOOKS_READ, PREFIX, SECTIONS, ClusterConfig, Config
from pipelines.declared import describe, environment_name, expected_of, field_of, flag_name, nearest, options
from pipelines.errors import ConfigError
from pipelines.words import quoted, shown

# Kubernetes sets these in every pod beside a Service that is called like the product
_SERVICE_LINK: Final = re.compile(r"AUDITFOREST(_[A-Z0-9_]+)?_(SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)|PORT(_[0-9A-Z_]+)?)")

_TOLD: Final = 10
"""So many mistakes are told at once."""

DEFAULT_FILE: Final = Path("auditforest.toml")


def load(path: Path | None, flags: Mapping[str, object]) -> Config:
    """The configuration of this run: defaults, then file, then environment, then flags; later wins.

    Args:
        path: the file of --config; None takes auditforest.toml of the working directory, if there is one.
        flags: values by option; None is a flag not given.
    Raises:
        ConfigError: layers hold something unknown or unfit, even where a later layer would hide it; all of it is told.
    """
    if path is None and (DEFAULT_FILE.exists() or DEFAULT_FILE.is_symlink()):
        path = DEFAULT_FILE
    layers = [_flag_layer(flags), _environment_layer(os.environ)]
    if path is not None:
        layers.append(_file_layer(path))
    mistakes = [said for layer in reversed(layers) for said in _mistakes(layer)]
    if mistakes:
        raise ConfigError(_numbered(mistakes))
    return _merged(layers)


@dataclass(frozen=True)
class _Layer:
    """Values of one origin, nested like the file, how a user knows an option there, and what is wrong beside values."""

    values: dict[str, Any]
    where: Callable[[str], str]
    mistakes: Sequence[str] = ()


def _file_layer(path: Path) -> _Layer:
    where = shown(str(path))
    try:
        if not path.is_file():
            found = "not a file" if path.exists() else "no such file"
            raise ConfigError(f"{where}: {found}; expected a TOML file like auditforest.example.toml")
        values = TomlConfigSettingsSource(BaseSettings, path)()
    except OSError as error:
        raise ConfigError(f"{where}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigError(f"{where}: line {line}: found bytes that are not UTF-8, expected TOML") from None
    except (ValueError, RecursionError) as error:
        at = re.search(r"at line (\d+), column \d+\)$", str(error))
        # without a place the parser ran off the end
        line = int(at[1]) if at else path.read_bytes().rstrip().count(b"\n") + 1
        reason = re.sub(r" \(at [^()]*\)$", "", str(error))
        raise ConfigError(f"{where}: line {line}: not valid TOML: {shown(reason)}") from None
    return _Layer(values, lambda option: f"{where}: {shown(option)}")


def _environment_layer(environ: Mapping[str, str]) -> _Layer:
    known = {environment_name(option): option for option in options()}
    values: dict[str, Any] = {}
    mistakes = []
    for name, text in sorted(environ.items()):
        if not name.upper().startswith(PREFIX):
            continue
        if _SERVICE_LINK.fullmatch(name) or name == NOTEBOOKS_READ:
            continue
        # NAME is a cluster like any other, so one pattern serves the declared names too
        cluster = re.fullmatch(rf"({PREFIX}CLUSTERS__)(.+)(__[A-Z][A-Z_]*)", name, re.DOTALL)
        option = known.get(f"{cluster[1]}NAME{cluster[3]}" if cluster else name)
        if option is None:
            near = difflib.get_close_matches(name.upper()[:100], known, n=1, cutoff=0)[0]
            mistakes.append(f"{shown(name)}: unknown environment variable; nearest known: {near}")
            continue
        if cluster:
            try:
                option = option.replace("NAME", cluster_name(cluster[2]))
            except ConfigError as reason:
                mistakes.append(f"{shown(name)}: {reason}")
                continue
        whole = describe(option).type is int and re.fullmatch(r"[+-]?[0-9]{1,40}", text)
        _put(values, option, int(text) if whole else text)
    return _Layer(values, lambda option: shown(environment_name(option)), mistakes)


def _flag_layer(flags: Mapping[str, object]) -> _Layer:
    values: dict[str, Any] = {}
    for option, value in flags.items():
        field_of(option)
        if value is not None:
            _put(values, option, value)
    return _Layer(values, lambda option: flag_name(option) or f"flag of {shown(option)}")


def _put(values: dict[str, Any], option: str, value: object) -> None:
    section, _, key = option.rpartition(".")
    for part in section.split(".", 1):
        values = values.setdefault(part, {})
    values[key] = value


def _merged(layers: list[_Layer]) -> Config:
    """One configuration of checked layers, the first layer winning."""

    class Layered(BaseSettings, extra="allow"):
        @classmethod
        def settings_customise_sources(
            cls, settings_cls: type[BaseSettings], *_sources: Any, **_named: Any
        ) -> tuple[InitSettingsSource, ...]:
            return tuple(InitSettingsSource(settings_cls, layer.values) for layer in layers)

    return Config.model_validate(Layered().model_extra)


def _mistakes(layer: _Layer) -> list[str]:
    """What is wrong with a layer, each thing once."""
    try:
        Config.model_validate(layer.values)
    except ValidationError as error:
        found = [_told(layer, one) for one in error.errors(include_url=False, include_context=False)]
        return list(dict.fromkeys([*layer.mistakes, *found]))
    return list(layer.mistakes)


def _told(layer: _Layer, one: ErrorDetails) -> str:
    """One of pydantic's complaints in our words."""
    parts = [str(part) for part in one["loc"]]
    if parts[-1] == "[key]":
        try:
            cluster_name(parts[1])
        except ConfigError as reason:
            return f"{layer.where('clusters')}: {reason}"
    option = ".".join(parts)
    in_cluster = parts[0] == "clusters" and len(parts) > 1
    if one["type"] == "extra_forbidden":
        table = "clusters.NAME" if in_cluster else ".".join(parts[:-1])
        siblings = SECTIONS[table].model_fields if table else Config.model_fields
        return f"{layer.where(option)}: unknown key; {nearest(option, siblings)}"
    if in_cluster and len(parts) == 2 and parts[1] in ClusterConfig.model_fields:
        expected = f"a table [clusters.NAME] with {parts[1]} in it"
    elif option in Config.model_fields or (in_cluster and len(parts) == 2):
        expected = f"a table [{option}]"
    else:
        expected = expected_of(option)
    return f"{layer.where(option)}: found {quoted(one['input'])}, expected {expected}"


def _numbered(mistakes: Sequence[str]) -> str:
    if len(mistakes) == 1:
        return mistakes[0]
    told = "; ".join(f"({number}) {said}" for number, said in enumerate(mistakes[:_TOLD], 1))
    more = f"; and {len(mistakes) - _TOLD} more" if len(mistakes) > _TOLD else ""
    return f"{len(mistakes)} mistakes: {told}{more}"
