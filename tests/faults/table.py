"""The sweep's table: mode by exit code, and every violation."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from faults.sweep import Verdict


def kept(folder: Path, name: str, mode: str, verdicts: Sequence[Verdict], seconds: float) -> None:
    """Leave what one test found where the table is made from; tests may run in several processes."""
    folder.mkdir(parents=True, exist_ok=True)
    codes = Counter(", ".join(map(str, verdict.codes)) for verdict in verdicts)
    found = {
        "scene": name,
        "mode": mode,
        "codes": codes,
        "re-runs": sum(verdict.mended for verdict in verdicts),
        "violations": [str(verdict) for verdict in verdicts if verdict.violations],
        "seconds": round(seconds, 1),
    }
    (folder / f"{name}.{mode.replace(' ', '-').replace(',', '')}.json").write_text(json.dumps(found))


def table(folder: Path) -> str:
    """All that was left in the folder, as text; empty where nothing was."""
    found = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    return "\n".join(_lines(found)) + "\n" if found else ""


def _lines(found: Sequence[dict[str, Any]]) -> Iterable[str]:
    yield f"{'scene':<18} {'mode':<24} {'cases':>5} {'re-runs':>7} {'violations':>10} {'s each':>7}  exit code: cases"
    for one in found:
        cases = sum(one["codes"].values())
        codes = "  ".join(f"{code}: {number}" for code, number in sorted(one["codes"].items()))
        counted = f"{cases:>5} {one['re-runs']:>7} {len(one['violations']):>10} {one['seconds'] / max(cases, 1):>7.2f}"
        yield f"{one['scene']:<18} {one['mode']:<24} {counted}  {codes}"
    cases = sum(sum(one["codes"].values()) for one in found)
    wrong = [(one, text) for one in found for text in one["violations"]]
    yield f"\n{cases} cases, {len(wrong)} with violations, {sum(one['seconds'] for one in found):.0f} s"
    yield "re-runs: clean runs after the faults; a case that left an archive an earlier one had left needs no other"
    for one, text in wrong:
        yield f"{one['scene']}: {text}"
