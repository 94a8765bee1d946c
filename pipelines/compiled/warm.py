"""`python -m pipelines.compiled.warm`: compile this package's kernels now, as models/warm.py does the forest's.

tests/pipelines/test_compiled_cache.py."""

from __future__ import annotations

import sys

from models.compiled.cache import warmed
from pipelines.compiled.lane import extract
from pipelines.parsing.lines import lines_of
from pipelines.sources.base import Batch

_EVENT = b'{"auditID":"a","stage":"b","stageTimestamp":"2026-01-05T00:00:00Z","sourceIPs":["c"],"x":1}\n'


def main() -> int:
    """0 once every kernel is compiled and kept; 1 where it cannot be kept."""
    return warmed(lambda: extract(lines_of(Batch("warm", 0, _EVENT)), None), "kernels of lines")


if __name__ == "__main__":
    sys.exit(main())
