"""ranking.csv: the ranking for a spreadsheet or pandas.

RFC 4180 except that lines end in LF. Text cells cannot start a formula; whole and exact text is in ranking.json.
Tested in tests/report/test_table_csv.py.
"""

import csv
import io
import json
import re
from collections.abc import Mapping

from pipelines.report.columns import SHEET, Cell
from pipelines.report.model import Night
from pipelines.report.text import clip, visible

# A spreadsheet breaks a longer cell (32,767 characters) into further ones, whose start nobody guards.
_LONGEST = 1_000
# Full-width signs start a formula too, where the spreadsheet runs in an East Asian locale.
_SIGN = r"[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]"
# Some importers split at a separator, quote or line break inside a cell, or drop leading spaces.
_FORMULA = re.compile(rf'(^ *|[,;"\n\r] *)(?={_SIGN})')
_FORMULA_IN_JSON = re.compile(rf'([,;"] *)({_SIGN})')


def ranking_csv(night: Night) -> str:
    """One header line, then one line a principal in the order of rank; those that marks set apart come last.

    Text is quoted, a number is not; nothing known is an empty cell; a list is compact JSON. Text longer than
    1,000 characters is clipped and says so.
    """
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerow([column.name for column in SHEET])
    for row in night.principals:
        writer.writerow([_csv_cell(column.cell(row)) for column in SHEET])
    return out.getvalue()


def _csv_cell(cell: Cell) -> str | int | float | None:
    if cell is None or isinstance(cell, int | float):
        return cell
    if isinstance(cell, str):
        return guarded(visible(clip(cell, _LONGEST)))
    text = json.dumps(_clipped(cell), separators=(",", ":"), allow_nan=False)
    # inside JSON the sign is written as an escape, so the list reads back exactly
    return _FORMULA_IN_JSON.sub(lambda hit: f"{hit[1]}\\u{ord(hit[2]):04x}", text)


def guarded(text: str) -> str:
    """The text with a ' before whatever a spreadsheet could take for the start of a formula."""
    return _FORMULA.sub(r"\1'", text)


def _clipped(cell: Cell) -> Cell:
    if isinstance(cell, str):
        return clip(cell, _LONGEST)
    if isinstance(cell, Mapping):
        return {key: _clipped(value) for key, value in cell.items()}
    if cell is None or isinstance(cell, int | float):
        return cell
    return [_clipped(value) for value in cell]
