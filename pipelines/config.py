"""The configuration: every option declared once; help text, example file and docs are made from here.

The only reader of auditforest.toml and of AUDITFOREST_* variables; imports nothing of ours but the errors.
tests/pipelines/test_config.py sets every option in each way it can be set, well and badly."""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple, NoReturn, get_args

from pydantic import AfterValidator, BaseModel, Field, StringConstraints, ValidationError
from pydantic.config import JsonDict
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, InitSettingsSource, TomlConfigSettingsSource

from pipelines.errors import ConfigError

DEFAULT_FILE: Final = Path("auditforest.toml")
CLUSTER_PATTERN: Final = r"^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$"
FLAGS: Final[Mapping[str, str]] = {"--trees": "forest.trees", "--seed": "forest.seed"}
_PREFIX: Final = "AUDITFOREST_"
_PRINTABLE: Final = r"^[^\x00-\x1f\x7f]+$"
_ENDPOINT: Final = re.compile(r"https?://(localhost|[0-9.]+|\[[0-9a-f:]+\])(?::([0-9]{1,5}))?/?")


def _loopback(url: str) -> str:
    match = _ENDPOINT.fullmatch(url)
    if match is None or int(match[2] or 0) > 65_535:
        raise ValueError("not an address of this machine")
    if match[1] != "localhost" and not ip_address(match[1].strip("[]")).is_loopback:
        raise ValueError("not an address of this machine")
    return url


def _whole(default: int | None, low: int, high: int, description: str, example: int = 0) -> Any:
    return Field(default, strict=True, ge=low, le=high, description=description, examples=[example])


def _text(default: str | None, expected: str, description: str, example: str = "", pattern: str = ".") -> Any:
    extra: JsonDict = {"expected": expected}
    return Field(default, pattern=pattern, description=description, examples=[example], json_schema_extra=extra)


class ForestConfig(BaseModel, frozen=True, extra="forbid"):
    """The random cut forest."""

    trees: int = _whole(100, 1, 10_000, "Trees in the forest.")
    sample_size: int = _whole(256, 2, 4096, "Rows drawn for each tree.")
    # numpy and scikit-learn take no larger seed
    seed: int = _whole(0, 0, 2**32 - 1, "Seed of samples and cuts; recorded with every run.")


class HistoryConfig(BaseModel, frozen=True, extra="forbid"):
    """The earlier nights a night is compared with."""

    nights: int = _whole(28, 1, 365, "Earlier nights that references, novelty and forest rows are taken from.")
    wanted: int = _whole(7, 0, 365, "With fewer earlier nights than this the report says so.")


class ParseConfig(BaseModel, frozen=True, extra="forbid"):
    """The DuckDB engine that parses and counts."""

    memory_limit: str = _text(
        "1GB",
        "a whole number from 1 to 999999 followed by MB or GB, such as 512MB",
        "Memory the engine may use.",
        # DuckDB accepts 0 and then stops at its first allocation
        pattern=r"^[1-9][0-9]{0,5}(MB|GB)$",
    )
    threads: int | None = _whole(None, 1, 1024, "Threads of the engine; unset, one for every core.", 4)


class AwsConfig(BaseModel, frozen=True, extra="forbid"):
    """What the AWS clients are told; credentials never stand here."""

    region: str | None = _text(
        None,
        "the name of an AWS region, such as us-west-2",
        "Region of the log group and the buckets; unset, the AWS profile or environment decides.",
        "us-west-2",
        r"^[a-z0-9-]{1,63}$",
    )
    s3_endpoint: Annotated[str, AfterValidator(_loopback)] | None = _text(
        None,
        "http:// or https://, a loopback address and a port, nothing more",
        "Address of an S3 emulator on this machine; unset, Amazon S3.",
        "http://127.0.0.1:9000",
    )
    expected_bucket_owner: str | None = _text(
        None,
        "an account number as text of 12 digits",
        "Account that must own every bucket; a bucket of another account is refused.",
        "123456789012",
        r"^[0-9]{12}$",
    )


class ClusterConfig(BaseModel, frozen=True, extra="forbid"):
    """One cluster; its name stands in the table and in the variables as it is written."""

    source: str | None = _text(
        None,
        "a file or folder, s3://BUCKET/PREFIX or cloudwatch",
        "Where its audit events are read; a relative path counts from the working directory.",
        "data/sample",
        _PRINTABLE,
    )
    archive: str | None = _text(
        None,
        "a folder or s3://BUCKET/PREFIX",
        "Where its tables and reports are kept; a relative path counts from the working directory.",
        "build/demo",
        _PRINTABLE,
    )


class Config(BaseModel, frozen=True, extra="forbid"):
    """All options; reads nothing by itself, load() builds it."""

    forest: ForestConfig = ForestConfig()
    history: HistoryConfig = HistoryConfig()
    parse: ParseConfig = ParseConfig()
    aws: AwsConfig = AwsConfig()
    clusters: dict[Annotated[str, StringConstraints(pattern=CLUSTER_PATTERN)], ClusterConfig] = Field(
        default_factory=dict
    )


SECTIONS: Final[Mapping[str, type[BaseModel]]] = {
    "forest": ForestConfig,
    "history": HistoryConfig,
    "parse": ParseConfig,
    "aws": AwsConfig,
    "clusters.NAME": ClusterConfig,
}


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
        raise ConfigError(f"{_shown(option)}: unknown option; {_nearest(option, ())}")
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
    return f"{_PREFIX}{table.upper()}{'__' + name if dot else ''}__{key.upper()}"


def flag_name(option: str) -> str | None:
    """The flag that sets an option, if it has one."""
    return next((flag for flag, target in FLAGS.items() if target == option), None)


def load(path: Path | None, flags: Mapping[str, object]) -> Config:
    """The configuration of this run: defaults, then file, then environment, then flags; later wins.

    Args:
        path: the file of --config; None takes auditforest.toml of the working directory, if there is one.
        flags: values by option; None is a flag not given.
    Raises:
        ConfigError: a layer holds something unknown or unfit, even where a later layer would hide it.
    """
    if path is None and (DEFAULT_FILE.exists() or DEFAULT_FILE.is_symlink()):
        path = DEFAULT_FILE
    layers = [_flag_layer(flags), _environment_layer(os.environ)]
    if path is not None:
        layers.append(_file_layer(path))
    for layer in reversed(layers):
        try:
            Config.model_validate(layer.values)
        except ValidationError as error:
            _refuse(layer, error)
    return _merged(layers)


def config_hash(config: Config) -> str:
    """SHA-256 in hex of the configuration's values: the same wherever they were set."""
    text = json.dumps(config.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def cluster_name(text: str) -> str:
    """The name, fit for a folder, a table of the file and a variable.

    Raises:
        ConfigError: it is not.
    """
    if not re.fullmatch(CLUSTER_PATTERN, text):
        raise ConfigError(
            f"cluster name {quoted(text)}: expected 1 to 100 of A-Z, a-z, 0-9, '-' and '_', "
            "the first a letter or a digit"
        )
    return text


@dataclass(frozen=True)
class _Layer:
    """Values of one origin, nested like the file, and how a user knows an option there."""

    values: dict[str, Any]
    where: Callable[[str], str]


def _file_layer(path: Path) -> _Layer:
    where = _shown(str(path))
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
        raise ConfigError(f"{where}: line {line}: not valid TOML: {_shown(reason)}") from None
    return _Layer(values, lambda option: f"{where}: {_shown(option)}")


def _environment_layer(environ: Mapping[str, str]) -> _Layer:
    known = {environment_name(option): option for option in options()}
    values: dict[str, Any] = {}
    for name, text in sorted(environ.items()):
        if not name.upper().startswith(_PREFIX):
            continue
        # NAME is a cluster like any other, so one pattern serves the declared names too
        cluster = re.fullmatch(rf"({_PREFIX}CLUSTERS__)(.+)(__[A-Z]+)", name, re.DOTALL)
        option = known.get(f"{cluster[1]}NAME{cluster[3]}" if cluster else name)
        if option is None:
            near = difflib.get_close_matches(name.upper()[:100], known, n=1, cutoff=0)[0]
            raise ConfigError(f"{_shown(name)}: unknown environment variable; nearest known: {near}")
        if cluster:
            try:
                option = option.replace("NAME", cluster_name(cluster[2]))
            except ConfigError as reason:
                raise ConfigError(f"{_shown(name)}: {reason}") from None
        whole = describe(option).type is int and re.fullmatch(r"[+-]?[0-9]{1,40}", text)
        _put(values, option, int(text) if whole else text)
    return _Layer(values, lambda option: _shown(environment_name(option)))


def _flag_layer(flags: Mapping[str, object]) -> _Layer:
    values: dict[str, Any] = {}
    for option, value in flags.items():
        field_of(option)
        if value is not None:
            _put(values, option, value)
    return _Layer(values, lambda option: flag_name(option) or f"flag of {_shown(option)}")


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


def _refuse(layer: _Layer, error: ValidationError) -> NoReturn:
    """Raise the first of pydantic's complaints as one line of ours."""
    first = error.errors(include_url=False, include_context=False)[0]
    parts = [str(part) for part in first["loc"]]
    if parts[-1] == "[key]":
        try:
            cluster_name(parts[1])
        except ConfigError as reason:
            raise ConfigError(f"{layer.where('clusters')}: {reason}") from None
    option = ".".join(parts)
    in_cluster = parts[0] == "clusters" and len(parts) > 1
    if first["type"] == "extra_forbidden":
        table = "clusters.NAME" if in_cluster else ".".join(parts[:-1])
        siblings = SECTIONS[table].model_fields if table else Config.model_fields
        raise ConfigError(f"{layer.where(option)}: unknown key; {_nearest(option, siblings)}") from None
    is_table = option in Config.model_fields or (in_cluster and len(parts) == 2)
    expected = f"a table [{option}]" if is_table else expected_of(option)
    raise ConfigError(f"{layer.where(option)}: found {quoted(first['input'])}, expected {expected}") from None


def _nearest(option: str, siblings: Iterable[str]) -> str:
    """The known key most like this one: beside it if one is close, else anywhere."""
    table, dot, key = option[:200].rpartition(".")
    near = [f"{table}{dot}{name}" for name in difflib.get_close_matches(key, siblings, n=1)]
    near += difflib.get_close_matches(option[:200], list(options()), n=1, cutoff=0)
    return f"nearest known key: {_shown(near[0])}"


def _shown(text: str) -> str:
    """The text on one line, shortened; quoted when anything in it does not print."""
    text = text if text.isprintable() else repr(text)
    return text if len(text) <= 120 else f"{text[:117]}..."


def quoted(value: object) -> str:
    """A refused value for a message; what an address may carry of credentials is left out."""
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "a list"
    if isinstance(value, int) and value.bit_length() > 128:
        return f"a number of {value.bit_length()} bits"
    if isinstance(value, str):
        value = re.sub(r"\?.*", "?...", re.sub(r"//.*@", "//...@", value, flags=re.DOTALL), flags=re.DOTALL)
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
