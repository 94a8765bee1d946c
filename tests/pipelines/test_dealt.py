"""A night that does not fit into memory is archived in the same bytes as one that does."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from builders import event, line
from exporting import newest, run

from pipelines.stages.dealt import Dealt
from pipelines.stages.numbers import Numbers
from pipelines.stages.sorting import in_order
from pipelines.store import LocalStore

SAMPLE = Path(__file__).parents[2] / "data" / "sample" / "audit-prod-usw2-2026-09-15.ndjson.zst"


def without_reason(folder: Path) -> Path:
    path = folder / "audit.log"
    lines = (line(event(audit_id=f"a-{n}", user=f"u-{n % 7}", annotations={})) for n in range(3000))
    path.write_bytes(b"".join(lines))
    return path


@pytest.mark.parametrize("most", [2, 30, 4096])
@pytest.mark.parametrize("made", [lambda _folder: SAMPLE, without_reason], ids=["recorded", "without a reason"])
def test_a_night_in_spans_is_archived_in_the_bytes_of_one_that_is_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: Callable[[Path], Path], most: int
) -> None:
    log = made(tmp_path)
    held, dealt = (LocalStore(tmp_path / name) for name in ("held", "dealt"))
    run(held, log, "2026-09-15")
    monkeypatch.setattr("pipelines.stages.choosing.in_order", partial(in_order, span_bytes=300_000))
    monkeypatch.setattr("pipelines.stages.dealt.Numbers", partial(Numbers, most))
    run(dealt, log, "2026-09-15")
    assert newest(dealt, "2026-09-15").parts == newest(held, "2026-09-15").parts


def _batch(texts: list[str | None]) -> pa.RecordBatch:
    return pa.record_batch({"text": pa.array(texts, pa.string()).dictionary_encode()})


@pytest.mark.parametrize("most", [1, 2, 3, 100])
def test_rows_come_back_by_their_span_whatever_is_numbered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr("pipelines.stages.dealt.Numbers", partial(Numbers, most))
    dealt = Dealt(tmp_path)
    for texts, spans in ((["a", "b", None], [1, 0, 1]), (["c", "a"], [0, 2]), (["d", "b"], [1, 1])):
        dealt.add(_batch(list(texts)), np.array(spans))
    found = [[text for batch in batches for text in batch["text"].to_pylist()] for batches in dealt.spans()]
    assert found == [["b", "c"], ["a", None, "d", "b"], ["a"]]
    assert list(tmp_path.iterdir()) == []


def test_few_texts_are_numbers_on_the_disk(tmp_path: Path) -> None:
    dealt = Dealt(tmp_path)
    dealt.add(_batch(["a", "b", "a"]), np.array([0, 0, 0]))
    spans = dealt.spans()
    (batch,) = next(spans)
    (path,) = tmp_path.iterdir()
    with pa.ipc.open_file(path) as file:
        assert file.schema.field("text").type == pa.int32()
    assert batch["text"].to_pylist() == ["a", "b", "a"]
    spans.close()
