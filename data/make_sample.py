"""Makes data/sample out of a labelled recording: one file a night, without the bodies nothing reads.

    python data/make_sample.py RECORDING data/sample 2026-09-08 2026-09-15

What is cut is cut out of the bytes of the line; everything else stays byte for byte. Labels become two tables
whose names no log reader takes for a log."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from json.decoder import scanstring  # type: ignore[attr-defined]
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from pipelines.parsing.body_facts import reads_body

_LEVEL = 19
_READ = ("verb", "api_group", "resource", "subresource", "namespace", "name")
_DECODER = json.JSONDecoder()


def members(line: str) -> Iterator[tuple[str, int, int]]:
    """Each member of a JSON object: its name, and where it starts and ends."""
    at = 1
    while line[at] != "}":
        start = at
        name, at = scanstring(line, at + 1, False)
        _, at = _DECODER.raw_decode(line, at + 1)
        yield name, start, at
        at += line[at] == ","


def without(line: str, dropped: Iterable[str]) -> str:
    """The line without the named members, all other characters untouched."""
    gone = set(dropped)
    return "{" + ",".join(line[start:end] for name, start, end in members(line) if name not in gone) + "}"


def _facts_read(events: list[dict[str, Any]]) -> list[bool]:
    refs = [(ref := e.get("objectRef", {})) | {"verb": e.get("verb"), "api_group": ref.get("apiGroup")} for e in events]
    columns = {name: pa.array([ref.get(name) for ref in refs], pa.string()) for name in _READ}
    with duckdb.connect() as engine:
        engine.register("events", pa.table(columns))
        return [bool(row[0]) for row in engine.sql(f"SELECT {reads_body()} FROM events").fetchall()]


def thinned(text: str) -> tuple[str, set[str]]:
    """A night's lines without response bodies and unread request bodies, and the audit ids in it."""
    lines = text.removesuffix("\n").split("\n")
    events = [json.loads(line) for line in lines]
    kept = _facts_read(events)
    result = []
    for line, event, keep in zip(lines, events, kept, strict=True):
        dropped = {"responseObject"} if keep else {"responseObject", "requestObject"}
        short = without(line, dropped & set(event))
        if json.loads(short) != {k: v for k, v in event.items() if k not in dropped}:
            raise ValueError(f"cutting changed event {event['auditID']}")
        result.append(short)
    return "\n".join(result) + "\n", {event["auditID"] for event in events}


def _labels(recording: Path, sample: Path, audit_ids: set[str], first: str, last: str) -> None:
    kept = []
    for path in sorted(recording.glob("label-events-*.tsv")):
        head, *rows = path.read_text().splitlines()
        kept = [head, *(row for row in rows if row.split("\t")[0] in audit_ids)]
    (sample / "label-events.tsv").write_text("\n".join(kept) + "\n")
    table = ["scenario\tmalicious\tstart\tend\tmitre\tprincipals\tdescription"]
    for path in sorted(recording.glob("labels-*.jsonl")):
        for line in path.read_text().splitlines():
            label = json.loads(line)
            if label["start"][:10] <= last and label["end"][:10] >= first:
                cells = (
                    label["scenario"],
                    str(label["malicious"]).lower(),
                    label["start"],
                    label["end"],
                    " ".join(label.get("mitre") or []),
                    ", ".join(name or "(no user name)" for name in label["principals"]),
                    label["description"],
                )
                table.append("\t".join(cells))
    (sample / "labels.tsv").write_text("\n".join(table) + "\n")


def main(recording: Path, sample: Path, first: str, last: str) -> None:
    """Write the nights from `first` to `last` and their labels."""
    sample.mkdir(parents=True, exist_ok=True)
    audit_ids: set[str] = set()
    codec = pa.Codec("zstd", compression_level=_LEVEL)
    for path in sorted(recording.glob("audit-*.ndjson.zst")):
        night = path.name.removesuffix(".ndjson.zst")[-10:]
        if first <= night <= last:
            text, ids = thinned(pa.input_stream(str(path), compression="zstd").read().decode())
            audit_ids |= ids
            (sample / path.name).write_bytes(codec.compress(text.encode(), asbytes=True))
            print(f"{path.name}: {len(ids)} requests, {len(text)} bytes inflated")
    _labels(recording, sample, audit_ids, first, last)


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(f"usage: {sys.argv[0]} RECORDING SAMPLE FIRST LAST")
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4])
