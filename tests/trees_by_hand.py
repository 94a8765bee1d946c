"""A tree of five points that can be worked by hand.

A (0,0)  B (2,0)  C (2,4)  D = E (10,0)

  0 root  column 0 <= 5   mass 5  box (0,0)-(10,4)  span 14
  1   L   column 1 <= 2   mass 3  box (0,0)-(2,4)   span 6
  2     AB column 0 <= 1  mass 2  box (0,0)-(2,0)   span 2
  3        A   4 B
  5     C
  6   DE                  mass 2

M (joined): M1 = 2/4, M6 = 3/3, M2 = max(1/2, 1/3), M5 = max(1/2, 2/2), M3 = M4 = max(1/2, 1/2)
S (parted) = max(mass, M): 5, 3, 2, 1, 1, 1, 2"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from models.trees import Trees


def five(kind):
    """The tree, in an engine's number type."""
    return Trees(
        first=np.array([0, 7]),
        dim=np.array([0, 1, 0, -1, -1, -1, -1], np.int32),
        cut=np.array([5, 2, 1, 0, 0, 0, 0], kind),
        right=np.array([6, 5, 4, -1, -1, -1, -1], np.int32),
        mass=np.array([5, 3, 2, 1, 1, 1, 2], np.int32),
        row=np.array([-1, -1, -1, 0, 1, 2, 3], np.int32),
        rows=padded([[0, 0], [2, 0], [2, 4], [10, 0]], kind),
    )


def padded(rows, kind):
    """Rows as the compiled engine takes them, eight columns wide; the reference does not mind."""
    wide = np.zeros((len(rows), 8), kind)
    wide[:, :2] = rows
    return wide


BESIDE = 2
"""The column that stands for all that are constant in the tree."""


def asked(row, outside, kind):
    """A row that is so far away in a column that is constant in the tree."""
    placed = padded([row], kind)
    placed[0, BESIDE] = outside
    return placed


F = Fraction
# row, distance outside; CoDisp; shares of column 0 low, high, column 1 low, high, and of the constant column
BY_HAND = {
    # ends beside B: S4 = 1; AB: ext 2, p = 2/4, 1/2 + 2/2 = 3/2; L: ext 1, p = 1/7, 6/7 3/2 + 3/7; root: inside.
    # L decides by its mass, ext all in column 0 high: 1/7 3. AB by its own: weight 6/7 1/2, ext 1 high in column
    # 0 and 1 high in column 1: 6/7 1/2 2 shared alike. B: weight 6/7 1/2, mass 1 > M4, ext likewise: shared alike.
    "beside_b": ((3, 1), 0, F(12, 7), [0, F(3, 7) + F(3, 7) + F(3, 14), 0, F(3, 7) + F(3, 14)], 0),
    # ends beside DE: S6 = 2; root: ext 2 + 1, p = 3/17, 14/17 2 + 3/17 5.
    # root: 15/17, two thirds to column 0 high, one to column 1 high. DE: ext 2 and 5: 14/17 2, 2/7 and 5/7.
    "beyond_everything": ((12, 5), 0, F(43, 17), [0, F(10, 17) + F(8, 17), 0, F(5, 17) + F(20, 17)], 0),
    # joins DE: M6, attained at the root's cut, on its right
    "equal_to_d_and_e": ((10, 0), 0, F(1), [0, F(1), 0, 0], 0),
    # joins C: M5 = 2/2 at L's cut in column 1, on its right
    "equal_to_c": ((2, 4), 0, F(1), [0, 0, 0, F(1)], 0),
    # joins A: M3 = 1/2, attained at AB's cut, the nearest of equals, on its left
    "equal_to_a": ((0, 0), 0, F(1, 2), [F(1, 2), 0, 0, 0], 0),
    # A's point, but 2 away in a column that is constant in the tree: S3 = 1; AB: p = 2/4, 1/2 + 2/2 = 3/2;
    # L: p = 2/8, 3/4 3/2 + 3/4 = 15/8; root: p = 2/16, 7/8 15/8 + 5/8 = 145/64. Every mass decides.
    "outside_by_two": ((0, 0), 2, F(145, 64), [0, 0, 0, 0], F(145, 64)),
}
