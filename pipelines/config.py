"""The configuration: every option declared once.

Reads nothing: config_load.py does. declared.py tells what stands here of an option.
tests/pipelines/test_config.py sets every option in each way it can be set, well and badly."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, Field, StringConstraints
from pydantic.config import JsonDict

from pipelines.keys import ACCOUNT, BUCKET_EXPECTED, REGION, is_bucket

CLUSTER_PATTERN: Final = r"^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$"
FLAGS: Final[Mapping[str, str]] = {
    "--sql": "features.sql",
    "--forest": "forest.engine",
    "--trees": "forest.trees",
    "--seeds": "forest.seeds",
    "--seed": "forest.seed",
}
PREFIX: Final = "AUDITFOREST_"
NOTEBOOKS_READ: Final = "AUDITFOREST_ARCHIVE"
"""Variable that names the archive which the notebooks read; no command does."""
# DuckDB accepts 0 and then stops at its first allocation
_MEMORY: Final = r"^[1-9][0-9]{0,5}(MB|GB)$"
_PRINTABLE: Final = r"^[^\x00-\x1f\x7f]+$"
_ENDPOINT: Final = re.compile(r"https?://(localhost|[0-9.]+|\[[0-9a-f:]+\])(?::([0-9]{1,5}))?/?")


def _loopback(url: str) -> str:
    match = _ENDPOINT.fullmatch(url)
    if match is None or int(match[2] or 0) > 65_535:
        raise ValueError("not an address of this machine")
    if match[1] != "localhost" and not ip_address(match[1].strip("[]")).is_loopback:
        raise ValueError("not an address of this machine")
    return url


def _destination(url: str) -> str:
    if not is_bucket(url.removeprefix("s3://").partition("/")[0]):
        raise ValueError("no name of a bucket")
    return url


def _whole(default: int | None, low: int, high: int, description: str, example: int = 0) -> Any:
    return Field(default, strict=True, ge=low, le=high, description=description, examples=[example])


def _text(default: str | None, expected: str, description: str, example: str = "", pattern: str = ".") -> Any:
    extra: JsonDict = {"expected": expected}
    return Field(default, pattern=pattern, description=description, examples=[example], json_schema_extra=extra)


class ForestConfig(BaseModel, frozen=True, extra="forbid"):
    """The random cut forest."""

    engine: str = _text(
        "compiled",
        "compiled or rrcf",
        "What grows and walks the trees: compiled code, or the rrcf package, some fifty times slower.",
        "rrcf",
        "^(compiled|rrcf)$",
    )
    trees: int = _whole(300, 1, 10_000, "Trees in the forest.")
    sample_size: int = _whole(256, 2, 4096, "Rows drawn for each tree.")
    seeds: int = _whole(
        20, 1, 1000, "Forests grown, each with the next seed: the median score ranks, their ranks are the interval."
    )
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
        "Memory the engine may use; below 512MB a busy night may not fit.",
        pattern=_MEMORY,
    )
    threads: int | None = _whole(
        None, 1, 1024, "Threads of the engine; unset, one for every core. Never more than its memory holds.", 4
    )


class FeaturesConfig(BaseModel, frozen=True, extra="forbid"):
    """What counts the archived events of a night."""

    sql: str = _text(
        "duckdb",
        "duckdb or spark",
        "Engine that counts a night: DuckDB, or Spark (the extra 'spark', and Java); the tables are the same.",
        "spark",
        "^(duckdb|spark)$",
    )
    spark_memory: str = _text(
        "2GB",
        "a whole number from 1 to 999999 followed by MB or GB, such as 4GB",
        "Memory of Spark on this machine.",
        pattern=_MEMORY,
    )
    spark_staging: str | None = _text(
        None,
        "a folder or s3://BUCKET/PREFIX",
        "Where Spark's executors leave what they counted; unset, Spark is to run on this machine.",
        "s3://acme-audit-staging/spark",
        _PRINTABLE,
    )


class AwsConfig(BaseModel, frozen=True, extra="forbid"):
    """What the AWS clients are told; credentials never stand here."""

    region: str | None = _text(
        None,
        "the name of an AWS region, such as us-west-2",
        "Region of the log group and the buckets; unset, AWS_REGION, AWS_DEFAULT_REGION or the profile decides.",
        "us-west-2",
        f"^{REGION}$",
    )
    endpoint: Annotated[str, AfterValidator(_loopback)] | None = _text(
        None,
        "http:// or https://, a loopback address and a port, nothing more",
        "Address of an AWS emulator on this machine, for every service; unset, AWS itself.",
        "http://127.0.0.1:9000",
    )
    expected_bucket_owner: str | None = _text(
        None,
        "an account number as text of 12 digits",
        "Account that must own the archive's bucket; a bucket of another account is refused.",
        "123456789012",
        f"^{ACCOUNT}$",
    )
    kms_key: str | None = _text(
        None,
        "the id, alias or ARN of a KMS key",
        "Key that encrypts what is written; unset, the bucket's own default decides.",
        "alias/auditforest",
        r"^[A-Za-z0-9:/_-]{1,2048}$",
    )


class ExportConfig(BaseModel, frozen=True, extra="forbid"):
    """Reading a source into the archive."""

    quarantined_percent: int = _whole(
        1, 0, 100, "The run ends with 3 when a larger share of the lines read is no audit event."
    )
    reread_hours_logs: int = _whole(
        6, 0, 336, "Hours before the night that are read again from CloudWatch Logs, for events that came late."
    )
    reread_hours_objects: int = _whole(
        48, 0, 336, "Hours before the night whose late events are taken from files and S3 objects."
    )
    logs_calls_per_second: int = _whole(4, 1, 1000, "Calls a second to CloudWatch Logs, all threads together.")
    logs_deadline_minutes: int = _whole(
        120, 1, 1440, "After so long without an end, reading CloudWatch Logs is given up (exit 4)."
    )
    bulk_destination: Annotated[str, AfterValidator(_destination)] | None = _text(
        None,
        f"s3://BUCKET or s3://BUCKET/PREFIX, the bucket's name of {BUCKET_EXPECTED}",
        "Where --bulk lets CloudWatch Logs export to; a bucket of the log group's region.",
        "s3://acme-audit-exports/bulk",
        r"^s3://[^/]+(/[A-Za-z0-9._=/-]*)?$",
    )
    bulk_deadline_minutes: int = _whole(720, 1, 10_080, "After so long an export task is given up (exit 4).")


class ClusterConfig(BaseModel, frozen=True, extra="forbid"):
    """One cluster; its name stands in the table and in the variables as it is written."""

    source: str | None = _text(
        None,
        "a file, a folder, a glob, s3://BUCKET/PREFIX or cloudwatch",
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
    region: str | None = _text(
        None,
        "the name of an AWS region, such as us-west-2",
        "Region of its log group and of its source bucket; unset, that of [aws].",
        "us-west-2",
        f"^{REGION}$",
    )
    log_group: str | None = _text(
        None,
        "the name of a log group",
        "Log group of its audit log; unset, /aws/eks/NAME/cluster.",
        "/aws/eks/prod-usw2/cluster",
        r"^[A-Za-z0-9._/#-]{1,512}$",
    )
    role_arn: str | None = _text(
        None,
        "the ARN of an IAM role",
        "Role to assume for reading its source, where that lies in another account.",
        "arn:aws:iam::123456789012:role/auditforest-reader",
        rf"^arn:aws[a-z-]*:iam::{ACCOUNT}:role/[A-Za-z0-9+=,.@_/-]{{1,512}}$",
    )
    external_id: str | None = _text(
        None,
        "2 to 1224 letters, digits and +=,.@:/-_",
        "External id that the role asks for.",
        "auditforest-prod-usw2",
        r"^[A-Za-z0-9+=,.@:/_-]{2,1224}$",
    )
    source_bucket_owner: str | None = _text(
        None,
        "an account number as text of 12 digits",
        "Account that must own the bucket of its source.",
        "123456789012",
        f"^{ACCOUNT}$",
    )


class Config(BaseModel, frozen=True, extra="forbid"):
    """All options; reads nothing by itself, load() builds it."""

    forest: ForestConfig = ForestConfig()
    history: HistoryConfig = HistoryConfig()
    parse: ParseConfig = ParseConfig()
    features: FeaturesConfig = FeaturesConfig()
    export: ExportConfig = ExportConfig()
    aws: AwsConfig = AwsConfig()
    clusters: dict[Annotated[str, StringConstraints(pattern=CLUSTER_PATTERN)], ClusterConfig] = Field(
        default_factory=dict
    )


SECTIONS: Final[Mapping[str, type[BaseModel]]] = {
    "forest": ForestConfig,
    "history": HistoryConfig,
    "parse": ParseConfig,
    "features": FeaturesConfig,
    "export": ExportConfig,
    "aws": AwsConfig,
    "clusters.NAME": ClusterConfig,
}


def config_hash(config: Config) -> str:
    """SHA-256 in hex of the configuration's values: the same wherever they were set."""
    text = json.dumps(config.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
