"""How strange a count is: against the principal's own past, its peers' and the cluster's.

Surprise is -log10 P(X >= x), X negative binomial, in decades, 0 to 30; 0 where the count is 0, for silence is no
attack. One Python function computes it, whichever engine counted. tests/features/test_history.py."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.special import betainc, betaincc, gammainc

from features.counts import SETTINGS as LEARNING
from features.counts import Counts, Floats, Whole, learnt
from features.usual import Usual, own_usual, peers_usual

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
    **LEARNING,
}
"""What a stored surprise depends on besides the counts."""


@dataclass(frozen=True)
class Reference:
    """What was to be expected of each cell: mean and variance a night, shape as the night's counts."""

    mean: Floats
    variance: Floats

    def surprise(self, counts: Floats) -> Floats:
        """Decades for each cell; 0 where the count is 0 or NaN."""
        return decades(counts, self.mean, self.variance)

    def at(self, rows: Whole) -> Reference:
        """Of some of the rows."""
        return Reference(self.mean[rows], self.variance[rows])


@dataclass(frozen=True)
class Surprises:
    """The three references of a night's counts and what they make of them; shapes (principals, features)."""

    own: Floats
    peers: Floats
    cluster: Floats
    expected: Floats
    """Mean count a night by the reference that finds the cell least strange."""
    nights: Whole
    """Earlier nights of each principal."""
    references: tuple[Reference, Reference, Reference]
    """Own past, peers and cluster, as they found the counts."""
    tonight: Counts
    learnt: Counts
    """What was learnt of the past."""

    @cached_property
    def own_usual(self) -> Usual:
        """What was learnt of each principal's own earlier nights."""
        return own_usual(self.tonight, self.learnt)

    @cached_property
    def peers_usual(self) -> Usual:
        """What was learnt of its type's."""
        return peers_usual(self.tonight, self.learnt)

    @property
    def usual(self) -> Floats:
        """Median of what was learnt of the principal's own earlier nights; NaN where that is nothing."""
        return self.own_usual.median

    @cached_property
    def least(self) -> Floats:
        """The smallest of the three: what is told of a count, and what decides whether it is learnt."""
        return least(self.own, self.peers, self.cluster)

    def together_of(self, counts: Floats, rows: Whole) -> Floats:
        """The three surprises `together` of other counts of some of the night's rows, by the same references.

        Args:
            counts: (k, features); rows: (k,), whose.
        """
        return together(*(reference.at(rows).surprise(counts) for reference in self.references))


def least(own: Floats, peers: Floats, cluster: Floats) -> Floats:
    """The smallest of three surprises, decades."""
    return np.minimum(np.minimum(own, peers), cluster)


def together(own: Floats, peers: Floats, cluster: Floats) -> Floats:
    """One surprise of three, decades: the geometric mean of the smallest and of the mean.

    0 where any of the three is 0, for who is strange by one yardstick alone is usually innocent; of two that are
    strange by all, the one that a yardstick finds far stranger is the stranger.
    """
    one: Floats = np.sqrt(least(own, peers, cluster) * ((own + peers + cluster) / 3.0))
    return one


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
    """Tonight's counts judged by what was learnt of the past.

    Where no night of it counted anything, each principal is judged by tonight's others.

    Args:
        tonight: (n, features). past: (m, features), earlier nights only; m may be 0.
    """
    known = learnt(past)
    unknown: Columns = np.asarray(np.isnan(known.values).all(axis=0))
    cluster = _cluster(tonight, known)
    peers = _peers(tonight, known, unknown, cluster)
    own = _own(tonight, known, peers)
    references = (_either(~unknown, own, peers), peers, cluster)
    found = np.stack([r.surprise(tonight.values) for r in references])
    deciding = np.argmin(found, axis=0)
    means = np.stack([r.mean for r in references])
    expected = np.take_along_axis(means, deciding[None], axis=0)[0]
    nights = past.groups.rows_of(tonight.principals)
    return Surprises(found[0], found[1], found[2], expected, nights, references, tonight, known)


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


def _within(past: Counts, number: Floats, total: Floats, squares: Floats) -> dict[str, Floats]:
    """Of each type: how much a principal's nights differ among themselves, beyond Poisson, per squared mean.

    Args:
        number, total, squares: (principals of the past, features), moments of each one's nights.
    """
    types = past.types[past.groups.order[past.groups.starts]] if len(past.types) else past.types
    mean = total / np.maximum(number, 1.0)
    inside = np.maximum(squares - number * np.square(mean), 0.0)
    several = (number > 1) & (past.groups.sizes > 1)[:, None]
    found = {}
    for kind in sorted(set(types)):
        rows = types == kind
        where = several[rows]
        freedom = np.where(where, number[rows] - 1.0, 0.0).sum(axis=0)
        nights = np.where(where, number[rows], 0.0).sum(axis=0)
        variance = np.where(where, inside[rows], 0.0).sum(axis=0) / np.maximum(freedom, 1.0)
        mean_square = np.where(where, number[rows] * np.square(mean[rows]), 0.0).sum(axis=0) / np.maximum(nights, 1.0)
        excess = (variance - np.sqrt(mean_square)) / np.maximum(mean_square, 1e-12)
        found[kind] = np.where(mean_square > 0, np.clip(excess, *DISPERSION), DISPERSION[1])
    return found


def _own(tonight: Counts, past: Counts, peers: Reference) -> Reference:
    """Each principal's own nights, mixed with its peers' while they are few."""
    seen = ~np.isnan(past.values)
    zeroed = np.where(seen, past.values, 0.0)
    moments = [past.groups.sums(part) for part in (seen.astype(np.float64), zeroed, np.square(zeroed))]
    dispersion = _within(past, *moments)
    places = past.groups.find(tonight.principals)
    # a principal without a night takes the row of nothing at the end
    number, total, squares = (np.vstack([m, np.zeros(m.shape[1])])[places] for m in moments)
    sizes = np.append(past.groups.sizes, 0)[places]
    mean = (total + PSEUDO_NIGHTS * peers.mean) / (number + PSEUDO_NIGHTS)
    strangers = np.full(mean.shape[1], DISPERSION[1])
    beyond = np.array([dispersion.get(kind, strangers) for kind in tonight.types]).reshape(mean.shape)
    spread = mean + beyond * np.square(mean)
    plain = total / np.maximum(number, 1.0)
    measured = np.maximum(squares / np.maximum(number, 1.0) - np.square(plain), 0.0)
    enough = (number >= FEW_NIGHTS) & (sizes >= FEW_NIGHTS)[:, None]
    weight = np.where(enough, number / (number + PSEUDO_NIGHTS), 0.0)
    return Reference(mean, weight * measured + (1.0 - weight) * spread)
