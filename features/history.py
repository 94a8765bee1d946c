"""How strange a count is: against the principal's own past, its peers' and the cluster's.

Surprise is -log10 P(X >= x), X negative binomial, in decades, 0 to 30; 0 where the count is 0, for silence is no
attack. One Python function computes it, whichever engine counted. tests/features/test_history.py."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import betainc, betaincc, gammainc

Floats = npt.NDArray[np.float64]
Columns = npt.NDArray[np.bool_]

CAP = 30.0
"""Decades; beyond it all is equally impossible."""

PSEUDO_NIGHTS = 3.0
"""Nights of its peers that a principal's own past is mixed with."""

UNSEEN = 0.5
"""Occurrences granted to what a reference has never seen, spread over its principal-nights."""

DISPERSION = (0.05, 5.0)
"""Least and greatest variance beyond Poisson's, in units of the squared mean."""

FEW_NIGHTS = 3
"""With fewer nights a principal's own variance says nothing."""

SETTINGS = {
    "cap": CAP,
    "pseudo_nights": PSEUDO_NIGHTS,
    "unseen": UNSEEN,
    "dispersion": DISPERSION,
    "few_nights": FEW_NIGHTS,
}
"""What a stored surprise depends on besides the counts."""


@dataclass(frozen=True)
class Counts:
    """Counts of principal-nights: one row each, one column a feature; NaN where the source was blind."""

    principals: npt.NDArray[np.object_]
    types: npt.NDArray[np.object_]
    values: Floats


@dataclass(frozen=True)
class Reference:
    """What was to be expected of each cell: mean and variance a night, shape as the night's counts."""

    mean: Floats
    variance: Floats

    def surprise(self, counts: Floats) -> Floats:
        """Decades for each cell; 0 where the count is 0 or NaN."""
        return decades(counts, self.mean, self.variance)


@dataclass(frozen=True)
class Surprises:
    """The three references of a night's counts and what they make of them; shapes (principals, features)."""

    own: Floats
    peers: Floats
    cluster: Floats
    expected: Floats
    """Mean count a night by the reference that finds the cell least strange."""
    usual: Floats
    """Median of the principal's own earlier nights; NaN where it has none."""
    nights: npt.NDArray[np.int64]
    """Earlier nights of each principal."""

    @property
    def least(self) -> Floats:
        """The smallest of the three: strange for itself, for its peers and for the cluster at once."""
        return np.minimum(np.minimum(self.own, self.peers), self.cluster)


def decades(counts: Floats, mean: Floats, variance: Floats) -> Floats:
    """-log10 P(X >= count) of a negative binomial of this mean and variance.

    Args:
        counts, mean, variance: the same shape; mean above 0. A variance at or below the mean is Poisson.
    Returns:
        0 to CAP; 0 where the count is 0 or NaN.
    """
    found = np.zeros(counts.shape)
    some = counts > 0
    found[some] = np.clip(-np.log10(np.maximum(_tail(counts[some], mean[some], variance[some]), 10.0**-CAP)), 0.0, CAP)
    return found


def _tail(x: Floats, mean: Floats, variance: Floats) -> Floats:
    """P(X >= x) for counts of 1 or more."""
    spread = variance - mean
    poisson = spread <= 1e-9 * mean
    size = np.square(mean) / np.where(poisson, 1.0, spread)
    with np.errstate(under="ignore"):
        # both are the same tail; each is exact where its last argument is the smaller part of 1
        binomial = np.where(
            mean < size, betainc(x, size, mean / (mean + size)), betaincc(size, x, size / (mean + size))
        )
        return np.where(poisson, gammainc(x, mean), binomial)


def surprises(tonight: Counts, past: Counts) -> Surprises:
    """Tonight's counts judged by the past; what no night of it counted, each principal by tonight's others.

    Args:
        tonight: (n, features). past: (m, features), earlier nights only; m may be 0.
    """
    unknown: Columns = np.asarray(np.isnan(past.values).all(axis=0))
    cluster = _cluster(tonight, past)
    peers = _peers(tonight, past, unknown, cluster)
    groups = _groups(past.principals)
    own, usual, nights = _own(tonight, past, groups, peers, _dispersion(past, groups, tonight))
    references = (_either(~unknown, own, peers), peers, cluster)
    found = np.stack([r.surprise(tonight.values) for r in references])
    deciding = np.argmin(found, axis=0)
    means = np.stack([r.mean for r in references])
    expected = np.take_along_axis(means, deciding[None], axis=0)[0]
    return Surprises(found[0], found[1], found[2], expected, usual, nights)


def _moments(values: Floats) -> tuple[Floats, Floats, Floats]:
    """Number, sum and sum of squares of each column, NaN apart."""
    seen = ~np.isnan(values)
    zeroed = np.where(seen, values, 0.0)
    return seen.sum(axis=0).astype(np.float64), zeroed.sum(axis=0), np.square(zeroed).sum(axis=0)


def _reference(number: Floats, total: Floats, squares: Floats) -> Reference:
    mean = (total + UNSEEN) / (number + 1.0)
    plain = total / np.maximum(number, 1.0)
    variance = np.maximum(squares / np.maximum(number, 1.0) - np.square(plain), 0.0)
    return Reference(mean, np.maximum(variance, mean + DISPERSION[0] * np.square(mean)))


def _either(where: Columns, this: Reference, other: Reference) -> Reference:
    """One reference in these columns, the other elsewhere."""
    return Reference(np.where(where, this.mean, other.mean), np.where(where, this.variance, other.variance))


def _cluster(tonight: Counts, past: Counts) -> Reference:
    number, total, squares = _moments(past.values)
    return _either(number > 0, _reference(number, total, squares), _others(tonight.values))


def _others(values: Floats) -> Reference:
    """Each row judged by the other rows."""
    number, total, squares = _moments(values)
    seen = ~np.isnan(values)
    own = np.where(seen, values, 0.0)
    return _reference(number - seen, total - own, squares - np.square(own))


def _peers(tonight: Counts, past: Counts, unknown: Columns, cluster: Reference) -> Reference:
    mean, variance = np.empty_like(cluster.mean), np.empty_like(cluster.mean)
    for kind in sorted(set(tonight.types)):
        rows = tonight.types == kind
        number, total, squares = _moments(past.values[past.types == kind])
        found = _either(
            number > 0, _reference(number, total, squares), Reference(cluster.mean[rows], cluster.variance[rows])
        )
        if rows.sum() > 1:
            found = _either(~unknown, found, _others(tonight.values[rows]))
        mean[rows], variance[rows] = found.mean, found.variance
    return Reference(mean, variance)


def _groups(principals: npt.NDArray[np.object_]) -> dict[str, npt.NDArray[np.int64]]:
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(principals):
        rows.setdefault(name, []).append(row)
    return {name: np.array(found, dtype=np.int64) for name, found in rows.items()}


def _dispersion(past: Counts, groups: dict[str, npt.NDArray[np.int64]], tonight: Counts) -> dict[str, Floats]:
    """Of each type: how much a principal's nights differ among themselves, beyond Poisson, per squared mean."""
    features = tonight.values.shape[1]
    result = {}
    for kind in sorted(set(tonight.types)):
        within, squared, nights, freedom = (np.zeros(features) for _ in range(4))
        for rows in groups.values():
            if past.types[rows[0]] != kind or len(rows) < 2:
                continue
            number, total, squares = _moments(past.values[rows])
            mean = total / np.maximum(number, 1.0)
            within += np.maximum(squares - number * np.square(mean), 0.0)
            freedom += np.maximum(number - 1.0, 0.0)
            squared += np.where(number > 1, number * np.square(mean), 0.0)
            nights += np.where(number > 1, number, 0.0)
        variance = within / np.maximum(freedom, 1.0)
        mean_square = squared / np.maximum(nights, 1.0)
        level = np.sqrt(mean_square)
        excess = (variance - level) / np.maximum(mean_square, 1e-12)
        result[kind] = np.where(mean_square > 0, np.clip(excess, *DISPERSION), DISPERSION[1])
    return result


def _own(
    tonight: Counts,
    past: Counts,
    groups: dict[str, npt.NDArray[np.int64]],
    peers: Reference,
    dispersion: dict[str, Floats],
) -> tuple[Reference, Floats, npt.NDArray[np.int64]]:
    mean, variance = np.empty_like(peers.mean), np.empty_like(peers.mean)
    usual = np.full_like(tonight.values, np.nan)
    nights = np.zeros(len(tonight.principals), dtype=np.int64)
    for i, (name, kind) in enumerate(zip(tonight.principals, tonight.types, strict=True)):
        rows = groups.get(name, np.empty(0, dtype=np.int64))
        before = past.values[rows]
        number, total, squares = _moments(before)
        mean[i] = (total + PSEUDO_NIGHTS * peers.mean[i]) / (number + PSEUDO_NIGHTS)
        spread = mean[i] + dispersion[kind] * np.square(mean[i])
        if len(rows) >= FEW_NIGHTS:
            weight = np.where(number < FEW_NIGHTS, 0.0, number / (number + PSEUDO_NIGHTS))
            plain = total / np.maximum(number, 1.0)
            measured = np.maximum(squares / np.maximum(number, 1.0) - np.square(plain), 0.0)
            spread = weight * measured + (1.0 - weight) * spread
        variance[i] = spread
        nights[i] = len(rows)
        seen = number > 0
        if seen.any():
            # nanmedian is far slower, and few nights are blind
            median = np.nanmedian if np.isnan(before).any() else np.median
            usual[i, seen] = median(before[:, seen], axis=0)
    return Reference(mean, variance), usual, nights
