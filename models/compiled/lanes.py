"""Distances of rows from a box, eight columns at a time, in an order of additions that no machine changes.

A compiler may only add up floating-point numbers several at a time if it is told that their order does not
matter; then another processor finds other last bits. Here the order is written down, so vectors change the
speed and nothing else. Imports nothing of ours. tests/models/test_engines.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

# numba passes types to an intrinsic and asks back for a function of the values
# ruff: noqa: ARG001

LANES = 8
"""Rows are padded with zeros to a multiple of this many columns."""

_VECTOR = ir.VectorType(ir.FloatType(), LANES)
_WIDE = ir.VectorType(ir.DoubleType(), LANES)
_ZERO = ir.Constant(_VECTOR, [0.0] * LANES)
_INDEX = ir.IntType(64)


def _index(k: int) -> ir.Constant:
    return ir.Constant(_INDEX, k)


def _array(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    return context.make_array(kind)(context, builder, value)


def _load(builder: Any, pointer: Any, at: Any) -> Any:
    vector = builder.load(builder.bitcast(builder.gep(pointer, [at]), _VECTOR.as_pointer()))
    vector.align = 4
    return vector


def _store(builder: Any, vector: Any, pointer: Any, at: Any) -> None:
    builder.store(vector, builder.bitcast(builder.gep(pointer, [at]), _VECTOR.as_pointer())).align = 4


def _variable(builder: Any, kind: Any = _VECTOR) -> Any:
    made_by: Any = cgutils.alloca_once_value
    return made_by(builder, ir.Constant(kind, [0.0] * LANES))


def _larger(builder: Any, a: Any, b: Any) -> Any:
    return builder.select(builder.fcmp_ordered(">", a, b), a, b)


def _smaller(builder: Any, a: Any, b: Any) -> Any:
    return builder.select(builder.fcmp_ordered("<", a, b), a, b)


def _lanes(builder: Any, a: Any, b: Any, chosen: list[int]) -> Any:
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(ir.IntType(32), LANES), chosen))


def _sums(builder: Any, vectors: list[Any]) -> Any:
    """One vector with the sum of each of eight: first lanes four apart, then two, then neighbours."""
    for apart in (4, 2, 1):
        paired = []
        for a, b in zip(vectors[::2], vectors[1::2], strict=True):
            kept = [k for k in range(LANES) if k % (2 * apart) < apart]
            chosen = kept + [k + LANES for k in kept]
            paired.append(
                builder.fadd(_lanes(builder, a, b, chosen), _lanes(builder, a, b, [k + apart for k in chosen]))
            )
        vectors = paired
    return vectors[0]


def _beyond_eight(
    typingctx: Any, x: Any, order: Any, start: Any, last: Any, lo: Any, hi: Any, node: Any, out: Any, at: Any
) -> tuple[Any, Callable[..., Any]]:
    """Fills out[at : at + 8] with the distances of eight rows from the box of a node, 0 inside.

    Args:
        x: (n_rows, n_padded) float32.
        order, start, last: the rows are order[start : start + 8]; past last, row order[last] again.
        lo, hi, node: (n_nodes, n_padded) float32 and the box's position therein.
        out, at: float32, with 8 places from at on.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        x, order, start, last, lo, hi, node, out, at = args
        kinds = signature.args
        table = _array(context, builder, kinds[0], x)
        width = builder.extract_value(table.shape, 1)
        ids = _array(context, builder, kinds[1], order).data
        box = builder.mul(node, width)
        lower = builder.gep(_array(context, builder, kinds[4], lo).data, [box])
        upper = builder.gep(_array(context, builder, kinds[5], hi).data, [box])
        rows = []
        for k in range(LANES):
            place = builder.add(start, _index(k))
            place = builder.select(builder.icmp_signed("<", place, last), place, last)
            row = builder.zext(builder.load(builder.gep(ids, [place])), _INDEX)
            rows.append(builder.gep(table.data, [builder.mul(row, width)]))
        totals = [_variable(builder) for _ in rows]
        with cgutils.for_range_slice(builder, _index(0), width, _index(LANES), _INDEX) as (column, _):
            low, high = _load(builder, lower, column), _load(builder, upper, column)
            for row, total in zip(rows, totals, strict=True):
                cells = _load(builder, row, column)
                out_by = _larger(builder, builder.fsub(low, cells), builder.fsub(cells, high))
                builder.store(builder.fadd(builder.load(total), _larger(builder, out_by, _ZERO)), total)
        sums = _sums(builder, [builder.load(total) for total in totals])
        _store(builder, sums, _array(context, builder, kinds[7], out).data, at)
        return context.get_dummy_value()

    kinds = (x, order, types.int64, types.int64, lo, hi, types.int64, out, types.int64)
    return types.void(*kinds), generate


beyond_eight: Any = intrinsic(_beyond_eight)


def _add_sides(
    typingctx: Any, shares: Any, row: Any, factor: Any, x: Any, i: Any, lo: Any, hi: Any, node: Any
) -> tuple[Any, Callable[..., Any]]:
    """Adds to shares[row] how far x[i] sticks out of the box of a node, column by column, times factor.

    Args:
        shares: (n_rows, 2 n_padded) float32, below lo first, then above hi.
        x, lo, hi: (..., n_padded) float32.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        shares, row, factor, x, i, lo, hi, node = args
        kinds = signature.args
        table = _array(context, builder, kinds[3], x)
        width = builder.extract_value(table.shape, 1)
        cells_of = builder.gep(table.data, [builder.mul(i, width)])
        lower = builder.gep(_array(context, builder, kinds[5], lo).data, [builder.mul(node, width)])
        upper = builder.gep(_array(context, builder, kinds[6], hi).data, [builder.mul(node, width)])
        below = builder.gep(
            _array(context, builder, kinds[0], shares).data, [builder.mul(row, builder.shl(width, _index(1)))]
        )
        above = builder.gep(below, [width])
        times = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), factor, ir.Constant(ir.IntType(32), 0))
        times = _lanes(builder, times, times, [0] * LANES)
        with cgutils.for_range_slice(builder, _index(0), width, _index(LANES), _INDEX) as (column, _):
            cells = _load(builder, cells_of, column)
            for out_by, side in (
                (builder.fsub(_load(builder, lower, column), cells), below),
                (builder.fsub(cells, _load(builder, upper, column)), above),
            ):
                more = builder.fmul(times, _larger(builder, out_by, _ZERO))
                _store(builder, builder.fadd(_load(builder, side, column), more), side, column)
        return context.get_dummy_value()

    kinds = (shares, types.int64, types.float32, x, types.int64, lo, hi, types.int64)
    return types.void(*kinds), generate


add_sides: Any = intrinsic(_add_sides)


def _unite(typingctx: Any, lo: Any, hi: Any, node: Any, a: Any, b: Any) -> tuple[Any, Callable[..., Any]]:
    """Makes the box of a node that of two others, and gives the sum of its extents.

    Args:
        lo, hi: (n_nodes, n_padded) float32; node, a and b are positions therein.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        lo, hi, *nodes = args
        ends = [_array(context, builder, kind, array) for kind, array in zip(signature.args, (lo, hi), strict=False)]
        width = builder.extract_value(ends[0].shape, 1)
        rows = [[builder.gep(end.data, [builder.mul(node, width)]) for node in nodes] for end in ends]
        total = _variable(builder, _WIDE)
        with cgutils.for_range_slice(builder, _index(0), width, _index(LANES), _INDEX) as (column, _):
            wide = []
            for (own, one, other), chosen in zip(rows, (_smaller, _larger), strict=True):
                end = chosen(builder, _load(builder, one, column), _load(builder, other, column))
                _store(builder, end, own, column)
                wide.append(builder.fpext(end, _WIDE))
            builder.store(builder.fadd(builder.load(total), builder.fsub(wide[1], wide[0])), total)
        # the same order of lanes as for distances
        sums = builder.load(total)
        for apart in (4, 2, 1):
            sums = builder.fadd(sums, _lanes(builder, sums, sums, [(k + apart) % LANES for k in range(LANES)]))
        return builder.extract_element(sums, ir.Constant(ir.IntType(32), 0))

    return types.float64(lo, hi, types.int64, types.int64, types.int64), generate


unite: Any = intrinsic(_unite)
