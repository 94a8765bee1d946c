"""The invariants every fault is judged by, as functions of what stands in the archive and what a run said.

Knows the archive's format from its description, not from the code that writes it. A function yields one line for
each violation, its number first:

I1  a reader sees the old generation or the new one, never a mixture or a part
I2  exit 0: the archive holds exactly the deduplicated rows of the source
I3  a clean re-run after any fault ends with exit 0 and the bytes of a run that met none
I4  no row twice, none lost; the counts add up
I5  every other end names stage, cause and mend, and nothing is retried for ever
I6  nothing outside the commits is data; no upload dangles

The job sends no message to anybody, so that none is sent twice needs no invariant."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from io import BytesIO
from typing import Any

import pyarrow.parquet as pq
from faults.bucket import Objects

_COMMIT = re.compile(
    r"(?P<folder>(?P<table>\w+)/cluster=[^/]+/date=(?P<night>[^/]+))/_commit-(?P<generation>\d+)\.json"
)
_RECORDS = "runs/"
_INDEX = "reports/index.html"
_LINK = re.compile(rb'<a href="([^"]+)">')
_LONGEST_PAUSE_S = 180.0
_INTERRUPTED = (130, 143)


@dataclass(frozen=True)
class Result:
    """How one run ended: its exit code (negative: the signal that ended it), its words, and how long it waited."""

    code: int
    out: str = ""
    err: str = ""
    paused_s: float = 0.0


@dataclass(frozen=True)
class Expected:
    """What stood in the archive before, what a clean run makes of it, and the source's rows by night."""

    before: Objects
    after: Objects
    rows: Mapping[date, frozenset[str]]


def source_rows(lines: Iterable[bytes], night: date) -> frozenset[str]:
    """Hashes of the night's events, by the archive's rule: the first 128 bits of the line's sha256."""
    found = set()
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if event["stageTimestamp"][:10] == night.isoformat():
            found.add(sha256(line.rstrip(b"\r\n")).hexdigest()[:32])
    return frozenset(found)


def tables(objects: Objects) -> dict[str, bytes]:
    """All objects but the records of runs."""
    return {key: body for key, body in objects.items() if not key.startswith(_RECORDS)}


def committed_whole(objects: Objects) -> Iterator[str]:
    """I1, I4: commits are numbered without a gap, and each names parts that are there, whole, no row twice."""
    for folder, generations in _commits(objects).items():
        if sorted(generations) != list(range(1, len(generations) + 1)):
            yield f"I1: {folder}: commits {sorted(generations)} found, every number from 1 expected"
        for generation, body in generations.items():
            where = f"{folder}/_commit-{generation}.json"
            try:
                commit = json.loads(body)
            except ValueError:
                yield f"I1: {where}: no JSON"
                continue
            yield from _parts_whole(objects, folder, where, commit)


def _commits(objects: Objects) -> dict[str, dict[int, bytes]]:
    found: dict[str, dict[int, bytes]] = {}
    for key, body in objects.items():
        if commit := _COMMIT.fullmatch(key):
            found.setdefault(commit["folder"], {})[int(commit["generation"])] = body
    return found


def _parts_whole(objects: Objects, folder: str, where: str, commit: Mapping[str, Any]) -> Iterator[str]:
    hashes: list[str] = []
    total = 0
    for part in commit["parts"]:
        body = objects.get(f"{folder}/{part['file']}")
        if body is None or sha256(body).hexdigest() != part["sha256"]:
            yield f"I1: {where}: part {part['file']} {'is missing' if body is None else 'has other bytes'}"
            return
        rows = pq.read_table(BytesIO(body))
        total += rows.num_rows
        if rows.num_rows != part["rows"]:
            yield f"I4: {where}: part {part['file']} has {rows.num_rows} rows, {part['rows']} are committed"
        if "content_hash" in rows.column_names:
            hashes += rows["content_hash"].to_pylist()
    counts = commit["counts"]
    if counts["archived"] != total:
        yield f"I4: {where}: counts {counts['archived']} archived rows, its parts hold {total}"
    ends = sum(counts[name] for name in ("archived", "duplicate", "quarantined", "outside"))
    if counts["read"] != ends:
        yield f"I4: {where}: {counts['read']} lines read, {ends} accounted for"
    if len(set(hashes)) != len(hashes):
        yield f"I4: {where}: {len(hashes) - len(set(hashes))} rows twice"


def archived_rows(objects: Objects, night: date) -> frozenset[str]:
    """Hashes of the events of a night that its newest commit names."""
    for folder, generations in _commits(objects).items():
        if folder.startswith("events/") and folder.endswith(f"date={night.isoformat()}"):
            commit = json.loads(generations[max(generations)])
            bodies = [objects.get(f"{folder}/{part['file']}", b"") for part in commit["parts"]]
            read = [pq.read_table(BytesIO(body), columns=["content_hash"]) for body in bodies if body]
            return frozenset(row for table in read for row in table["content_hash"].to_pylist())
    return frozenset()


def old_or_new(objects: Objects, expected: Expected) -> Iterator[str]:
    """I1, I6: every object has the bytes it had before or those a clean run gives it; no other name.

    The page of all reports is made of what stands: after a run that ended with a night half done it may list the nights
    done.
    """
    for key, body in tables(objects).items():
        known = [state[key] for state in (expected.before, expected.after) if key in state]
        if not known:
            yield f"I1: {key}: a clean run makes no object of this name"
        elif body not in known and not (key == _INDEX and _lists_what_stands(body, objects)):
            yield f"I1: {key}: {len(body)} bytes that are neither the old ones nor those of a clean run"
    for key in expected.before:
        if key not in objects:
            yield f"I1: {key}: stood there before and is gone"


def _lists_what_stands(page: bytes, objects: Objects) -> bool:
    if not page.endswith(b"</html>\n"):
        return False
    listed = [f"reports/{link.decode()}" for link in _LINK.findall(page)]
    return sorted(listed) == sorted(key for key in objects if key.endswith("/report.html"))


def done(objects: Objects, expected: Expected, result: Result) -> Iterator[str]:
    """I2 for a run that ended with 0: the source's rows, all of them; and everything else it had to make."""
    if result.code != 0:
        return
    for night, rows in expected.rows.items():
        found = archived_rows(objects, night)
        if found != rows:
            yield f"I2: exit 0, but {night} lacks {len(rows - found)} rows and has {len(found - rows)} of no source"
    missing = [key for key, body in expected.after.items() if objects.get(key) != body]
    if missing:
        yield f"I2: exit 0, but {len(missing)} objects are not those of a clean run: {', '.join(sorted(missing)[:3])}"


def told(result: Result, allowed: Collection[int], where: Sequence[str] = (), *, staged: bool = True) -> Iterator[str]:
    """I5: the exit code is one the fault may end in, and one line says where, what and what mends it.

    Args:
        where: texts of which the complaint must hold one, such as the key of the object that was harmed.
        staged: had a stage begun when the fault came? The store is tried before the first.
    """
    lines = [line for line in result.err.splitlines() if not line.startswith("{")]
    if result.code not in allowed:
        said = lines[-1][:300] if lines else "nothing"
        yield f"I5: exit {result.code}, {' or '.join(map(str, sorted(allowed)))} expected; said: {said}"
    if result.paused_s > _LONGEST_PAUSE_S:
        yield f"I5: waited {result.paused_s:.0f} s"
    if result.code < 0:
        return
    if result.code == 0 or len(lines) != 1:
        if lines and result.code == 0:
            yield f"I5: exit 0 with a complaint: {lines[0][:200]}"
        elif result.code != 0:
            yield f"I5: exit {result.code} with {len(lines)} lines of complaint, 1 expected"
        return
    if result.code in _INTERRUPTED:
        if "interrupted" not in lines[0] or "run again" not in lines[0]:
            yield f"I5: interrupted, but said: {lines[0][:200]}"
        return
    if staged and '"stage": ' not in result.err:
        yield "I5: no stage was named"
    if not lines[0].startswith("auditforest: ") or "; " not in lines[0]:
        yield f"I5: no cause and mend: {lines[0][:300]}"
    if where and not any(text in lines[0] for text in where):
        yield f"I5: the complaint names none of {', '.join(where)}: {lines[0][:300]}"


def recorded(objects: Objects, results: Sequence[Result]) -> Iterator[str]:
    """I5: at most one record a run, each one whole, and one with exit code 0 for every run that ended so."""
    codes = []
    for key, body in objects.items():
        if key.startswith(_RECORDS):
            try:
                codes.append(json.loads(body)["exit_code"])
            except (ValueError, KeyError):
                yield f"I1: {key}: no whole record"
    ended_well = sum(r.code == 0 for r in results)
    # killed at its very last answer, a run has recorded its success already
    killed = sum(r.code < 0 or r.code in _INTERRUPTED for r in results)
    if len(codes) > len(results) or not ended_well <= codes.count(0) <= ended_well + killed + _lost(results):
        yield f"I5: {len(results)} runs ended with {[r.code for r in results]}, their records say {codes}"


def _lost(results: Sequence[Result]) -> int:
    """Runs that may have recorded a success and then met an error at the answer to the record itself."""
    return sum(r.code in (3, 4) for r in results)


def recovered(objects: Objects, expected: Expected, result: Result, dangling: Sequence[str]) -> Iterator[str]:
    """I3, I6: what a clean run leaves behind after the faults: exit 0, the same keys and the same bytes."""
    if result.code != 0:
        said = [line for line in result.err.splitlines() if not line.startswith("{")]
        yield f"I3: the clean re-run ended with {result.code}: {said[-1][:300] if said else 'nothing said'}"
    found, wanted = tables(objects), expected.after
    for key in sorted(found.keys() | wanted.keys()):
        if found.get(key) != wanted.get(key):
            what = "missing" if key not in found else "too much" if key not in wanted else "other bytes"
            yield f"I3: after the clean re-run {key}: {what}"
    for key in dangling:
        yield f"I6: {key}: a dangling upload"
