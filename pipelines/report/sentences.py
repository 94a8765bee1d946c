"""Numbers turned into the sentences an analyst reads, the same on the page and on the terminal.

Nothing here is escaped: the writers do that. Tested in tests/report/test_sentences.py.
"""

import math
from collections.abc import Mapping

from features.feature import FIRST_NIGHT
from features.history import CAP
from pipelines.report.model import Begun, Coverage, Night, RankedPrincipal, Reason
from pipelines.report.text import visible

NOTHING = "\N{EN DASH}"
NO_REASON = "No single feature stands out"
"""Of who stands where it does without a reason."""
FIRST = 10
"""Ranks that are read first; of who stays among them without its reasons the page says so."""
SHARED_OUT = (
    "Each thing is listed as a whole; counts of what is new share out what several principals began tonight, and on the"
    f" first night of who came later than the archive hold at most {FIRST_NIGHT} of a kind, so they may be smaller."
)
SCORE = (
    "Score = CoDisp times norm: how alone a principal stands in the forest, multiplied by how much about it is unusual;"
    " higher is stranger."
)


def figure(value: float | None) -> str:
    """Three significant digits, thousands grouped; a dash where there is no number."""
    if value is None:
        return NOTHING
    if isinstance(value, int) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def counted(value: int, unit: str) -> str:
    """A count with its plural unit, which loses its ending for 1: `1 request`, `41 requests`."""
    return f"{value:,} {_one(unit) if value == 1 else unit}".rstrip()


def alike_sentence(alike: int) -> str:
    """What stands behind an audit ID that several requests bear; nothing where it is of one alone."""
    return "" if alike == 1 else f" (one of {alike:,} requests with this ID)"


def _one(unit: str) -> str:
    for many, one in (("ies", "y"), ("sses", "ss"), ("s", "")):
        if len(unit) > 2 and unit.endswith(many):  # not s, ms
            return unit.removesuffix(many) + one
    return unit


def nights(surprise: float) -> str:
    """10**surprise at two significant digits: `3,200`, `1.5 million`, `2.4 x 10^15`, `at least 10^30`."""
    if surprise >= CAP:
        return f"at least 10^{CAP:.0f}"
    exponent = math.floor(surprise)
    mantissa = round(10 ** (surprise - exponent), 1)
    if mantissa >= 10:
        mantissa, exponent = 1.0, exponent + 1
    for decades, word in ((9, "billion"), (6, "million")):
        if decades <= exponent < decades + 3:
            return f"{mantissa * 10 ** (exponent - decades):.3g} {word}"
    if exponent < 6:
        return f"{mantissa * 10**exponent:,.0f}"
    return f"{mantissa:g} \N{MULTIPLICATION SIGN} 10^{exponent}"


def rarity(surprise: float) -> str:
    """How seldom a count like this was expected, as the end of a sentence."""
    if 10**surprise < 2:
        return "not rare on its own"
    return f"expected less than once in {nights(surprise)} nights"


def habit(reason: Reason) -> str:
    """What the principal's own usual nights held, and its peers': four of five of them."""
    own, peers = own_range(reason), peers_range(reason)
    said = "no usual night of its own" if own is None else f"usually {own} a night"
    return said if peers is None else f"{said}, its peers {peers}"


def own_range(reason: Reason) -> str | None:
    """What four of five of the principal's own usual nights held."""
    return _span(reason.usual_low, reason.usual_high)


def peers_range(reason: Reason) -> str | None:
    """The same of its peers' nights."""
    return _span(reason.peers_low, reason.peers_high)


def in_short(reason: Reason) -> str:
    """`Secrets read with success: 41 requests; usually 0 to 2`."""
    own = own_range(reason)
    usual = "no usual night of its own" if own is None else f"usually {own}"
    return f"{reason.meaning.rstrip('. ')}: {counted(reason.value, reason.unit)}; {usual}"


def outcome(code: int | None) -> str:
    """`200`, `403 refused`, `500 failed`; a request may be logged without a code."""
    if code is None:
        return "no code"
    if code < 400:
        return str(code)
    return f"{code} {'refused' if code in (401, 403) else 'failed'}"


def _span(low: float | None, high: float | None) -> str | None:
    if low is None or high is None:
        return None
    return figure(low) if low == high else f"{figure(low)} to {figure(high)}"


def otherwise(row: RankedPrincipal) -> str | None:
    """`With 2 requests instead of 41: rank 38.`, and what all reasons at their usual counts would change."""
    found = row.counterfactual
    if found is None:
        return None
    with_first = f"With {figure(found.instead)} instead of {counted(found.value, found.unit)}"
    still = f"by a score of {figure(found.score_without_all)} instead of {figure(row.score)}."
    if len(row.reasons) < 2:
        if found.rank_without_all <= FIRST:
            return f"{with_first}: still rank {figure(found.rank_without_all)}, {still}"
        return f"{with_first}: rank {figure(found.rank)}."
    if found.rank_without_all <= FIRST:
        all_usual = f"Still rank {figure(found.rank_without_all)} with all its reasons as usual, {still}"
    else:
        all_usual = f"With all its reasons as usual: rank {figure(found.rank_without_all)}."
    return f"{with_first}: rank {figure(found.rank)}. {all_usual}"


def arrived(row: RankedPrincipal, most: int | None = None) -> str | None:
    """`Joined the first ten tonight because of what was not strange on ...`: what has begun of who joined them.

    Args:
        most: reasons that are named; None names all.
    """
    found = row.newcomer
    if found is None:
        return None
    if found.last_night is None:
        return "Joined the first ten tonight because no earlier night of it is known."
    since = f"on {found.last_night}, its last night"
    if not found.new:
        cause = "for" if found.absent is None else f"because it made no request on {found.absent}, with"
        return f"Joined the first ten tonight {cause} reasons that were strange {since}, too."
    more = len(found.new[most:]) if most is not None else 0
    told = "; ".join([*map(_begun, found.new[:most]), *([f"and {more} more"] if more else [])])
    cause = "because of" if found.absent is None else f"because it made no request on {found.absent}, and with"
    return f"Joined the first ten tonight {cause} what was not strange {since}: {told}."


def _begun(begun: Begun) -> str:
    return f"{begun.meaning.rstrip('. ')}, {counted(begun.value, begun.unit)} after {figure(begun.before)}"


def lasting(row: RankedPrincipal) -> str | None:
    """`strange since tonight` or `strange for 3 nights`: for how long the first reason has been."""
    if not row.strange_nights:
        return None
    return "strange " + ("since tonight" if row.strange_nights == 1 else f"for {counted(row.strange_nights, 'nights')}")


def moved(row: RankedPrincipal) -> str | None:
    """`moved with 8 others: new address 203.0.113.7`."""
    found = row.together
    if found is None:
        return None
    others = counted(found.principals - 1, "others")
    return f"moved with {others}: new {found.kind.replace('_', ' ')} {found.item}"


def reason_sentence(reason: Reason) -> str:
    """`Secrets read with success: 41 requests; usually 0 a night; expected less than once in 3,200 nights`."""
    what = reason.meaning.rstrip(". ")
    tonight = counted(reason.value, reason.unit)
    return f"{what}: {tonight}; {habit(reason)}; {rarity(reason.surprise)}"


def hour_list(hours: tuple[int, ...]) -> str:
    """`05, 06, 07`."""
    return ", ".join(f"{hour:02d}" for hour in hours)


def hours_sentence(coverage: Coverage) -> str:
    """How many hours of the UTC day hold an event, and which do not."""
    missing = coverage.missing_hours
    seen = f"{24 - len(missing)} of 24 hours seen"
    if not missing:
        return seen
    gaps = f"; gaps at {hour_list(coverage.gaps)}" if coverage.gaps else ""
    return f"{seen} (no event in {hour_list(missing)} UTC{gaps})"


def run_line(counts: Mapping[str, int]) -> str:
    """What became of every line that one run read; a line of a known event is a duplicate."""
    nothing = "" if counts["archived"] or counts["quarantined"] else "nothing new; "
    return (
        f"{nothing}{counted(counts['read'], 'lines')} read = {counts['archived']:,} archived"
        f" + {counts['duplicate']:,} duplicate + {counts['quarantined']:,} quarantined"
        f" + {counts['outside']:,} outside the asked nights"
    )


def skipped_line(skipped: int) -> str | None:
    """What was read and is no line of the audit log; None where there was nothing of it."""
    return f"{counted(skipped, 'lines')} of other logs or of the delivery itself skipped" if skipped else None


def coverage_line(night: Night) -> str:
    """What became of every line read for the night, and which hours its events cover, in one line."""
    it = night.coverage
    return (
        f"{counted(it.read, 'lines')} read = {it.archived:,} archived + {it.duplicate:,} duplicate"
        f" + {it.quarantined:,} quarantined + {it.outside:,} outside the asked nights; {hours_sentence(it)};"
        f" {it.truncated:,} truncated; {it.mistyped:,} mistyped; {counted(it.collisions, 'collisions')};"
        f" blind: {', '.join(map(visible, it.blind)) or 'no feature'}"
    )


def ranked_sentence(night: Night) -> str:
    """`96 principals ranked, 2 of them expected and set apart`: everybody of the night, wherever they stand on it."""
    apart = f", {len(night.expected):,} of them expected and set apart" if night.expected else ""
    return f"{counted(len(night.principals), 'principals')} ranked{apart}"


def notices(night: Night) -> tuple[str, ...]:
    """What to know before reading a rank: doubts that follow from the night's numbers, then its own notices."""
    return (*doubts(night), *night.notices)


def doubts(night: Night) -> tuple[str, ...]:
    """Those that follow from the night's numbers; no word in them is of the log."""
    told = []
    it = night.coverage
    if night.expected:
        told.append(
            f"{counted(len(night.expected), 'principals')} marked as expected, in a section below the ranking: ranked"
            " as all others, and back in their place when they leave what was marked."
        )
    if it.read != it.accounted:
        told.append(
            f"The counts do not add up: {it.read:,} lines read, {it.accounted:,} accounted for."
            " Events may be missing from this ranking."
        )
    if it.gaps:
        told.append(
            f"A gap of {counted(len(it.gaps), 'hours')} ({hour_list(it.gaps)} UTC) between hours with events: a cluster"
            " is never silent, so the log is missing, not the requests. What was done then is not in this ranking."
        )
    if edges := tuple(hour for hour in it.missing_hours if hour not in it.gaps):
        told.append(
            f"No event in {counted(len(edges), 'hours')} at the ends of the day"
            f" ({hour_list(edges)} UTC): what was done then is not in this ranking."
        )
    if night.generation > 1:
        told.append(
            f"Revised: this is generation {night.generation} of the night, which was added to after it was first"
            " archived."
        )
    if it.mistyped:
        told.append(
            f"{counted(it.mistyped, 'events')} with a field of a wrong type, such as a user that is no object: the"
            " field is empty in the archive. API servers do not write such events."
        )
    if it.collisions:
        told.append(
            f"{counted(it.collisions, 'collisions')}: events that share an audit ID and stage with another, all kept."
            " A client may choose its audit ID, and hide one event behind another."
        )
    if night.history_nights == 0:
        told.append(
            "No earlier night: everyone is compared with tonight's other principals only,"
            " so what is normal for one of them may stand high."
        )
    elif night.history_nights < night.history_expected:
        told.append(
            f"Only {counted(night.history_nights, 'earlier nights')} of the {night.history_expected} expected:"
            " what is usual is not well known yet, so more of what ranks high may be harmless."
        )
    return tuple(told)
