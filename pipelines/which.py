"""Which clusters a command is for, and where the archive of each lies. tests/e2e/test_which.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.archive import Archive
from pipelines.arguments import cluster_name
from pipelines.config import ClusterConfig, Config
from pipelines.config_load import load
from pipelines.errors import ConfigError
from pipelines.sources.opening import CLOUDWATCH
from pipelines.store import ObjectStore, open_store, refuse_place
from pipelines.words import listed, nearest_told


def clusters_of(given: Mapping[str, Any]) -> list[str]:
    """The cluster of --cluster; without one, those that are meant.

    A command without --source that is told where (--archive) means the archive's only cluster, or of several those
    that are declared; any other command those that are declared.

    Raises:
        ConfigError: there is none, or a source is named that would be read for each of several.
    """
    if given["cluster"] is not None:
        return [cluster_name(given["cluster"])]
    config = load(given["config"], {})
    clusters = sorted(config.clusters)
    if given["archive"] is not None and "source" not in given:
        store = opened(given["archive"], config)
        refuse_place(store, given["archive"], to_write=False)
        held = Archive(store, "").clusters()
        clusters = [name for name in held if name in clusters] if len(held) > 1 else held or clusters
        return clusters or [only(store, held)]
    if not clusters:
        raise ConfigError(
            "no cluster: pass --cluster NAME, or declare each under [clusters.NAME] in auditforest.toml to run them "
            "all; commands without --source find the only cluster of --archive WHERE"
        )
    if len(clusters) > 1 and given.get("source") not in (None, CLOUDWATCH):
        raise ConfigError(
            f"--source without --cluster: the events of one source would be archived for each of {len(clusters)} "
            "clusters; pass --cluster, or set source under each [clusters.NAME]"
        )
    return clusters


def cluster_of(given: Mapping[str, Any]) -> str:
    """The one cluster that is meant.

    Raises:
        ConfigError: there is none, or several.
    """
    found = clusters_of(given)
    if len(found) > 1:
        raise ConfigError(f"one cluster expected, {listed(found)} found; pass --cluster")
    return found[0]


def one_document(clusters: Sequence[str]) -> None:
    """Nothing; what `--format json` prints is one document, of one cluster.

    Raises:
        ConfigError: it is asked for of several.
    """
    if len(clusters) > 1:
        raise ConfigError("--format json without --cluster: one document is of one cluster; pass --cluster")


def only(store: ObjectStore, held: Sequence[str]) -> str:
    """The one cluster that the archive holds.

    Raises:
        ConfigError: it holds none, or several.
    """
    if not held:
        raise ConfigError(f"{store.url}: no archive there, expected the root of one, as --archive names it")
    if len(held) > 1:
        raise ConfigError(f"{store.url}: holds {listed(held)}, expected the name of one of these clusters")
    return held[0]


def archive_of(cluster: str, flag: str | None, config: Config) -> str:
    """Where the archive of a cluster lies.

    Raises:
        ConfigError: nobody said.
    """
    where = config.clusters.get(cluster, ClusterConfig()).archive if flag is None else flag
    if not where:
        raise ConfigError(
            f"no archive for {cluster}: pass --archive FOLDER or s3://BUCKET/PREFIX, or set archive under "
            f"[clusters.{cluster}] in the auditforest.toml of this folder or in the file of --config"
            f"{declared(cluster, config)}"
        )
    return where


def declared(cluster: str, config: Config) -> str:
    """What to say to a name that is not among the declared ones, for it may be misspelled."""
    if not config.clusters or cluster in config.clusters:
        return ""
    return f"; the clusters declared are {', '.join(sorted(config.clusters))}{nearest_told(cluster, config.clusters)}"


def opened(where: str, config: Config) -> ObjectStore:
    """The store of an archive, as the configuration says it is reached."""
    return open_store(
        where,
        endpoint=config.aws.endpoint,
        region=config.aws.region,
        expected_bucket_owner=config.aws.expected_bucket_owner,
        kms_key=config.aws.kms_key,
    )
