"""Bytes by the handful, read and written at addresses, as compiled code wants them.

Addresses because an array handed from function to function costs more than what is read of it. Nothing here looks at
bounds; whoever calls has. Words are little-endian, as on every machine that EKS offers. Imports nothing of ours."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

# numba passes types to an intrinsic and asks back for a function of the values
# ruff: noqa: ARG001

WIDTH = 32
"""Bytes that stops() looks at and copy() moves."""

if sys.byteorder != "little":  # pragma: no cover
    raise ImportError("pipelines/compiled: this machine is big-endian; expected a little-endian one (x86-64, arm64)")

_BYTE, _INDEX = ir.IntType(8), ir.IntType(64)
_VECTOR = ir.VectorType(_BYTE, WIDTH)
_QUOTE, _BACKSLASH, _SPACE = b'"\\ '


def _load(builder: Any, address: Any, kind: Any) -> Any:
    found = builder.load(builder.inttoptr(address, kind.as_pointer()))
    found.align = 1
    return found


def _store(builder: Any, value: Any, address: Any, kind: Any) -> None:
    builder.store(value, builder.inttoptr(address, kind.as_pointer())).align = 1


def _byte(typingctx: Any, at: Any) -> tuple[Any, Callable[..., Any]]:
    """The byte at an address, as a whole number."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.zext(_load(builder, args[0], _BYTE), _INDEX)

    return types.int64(types.int64), generate


def _word(typingctx: Any, at: Any) -> tuple[Any, Callable[..., Any]]:
    """The eight bytes at an address, the first one lowest."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _load(builder, args[0], _INDEX)

    return types.uint64(types.int64), generate


def _number(typingctx: Any, at: Any) -> tuple[Any, Callable[..., Any]]:
    """The same as a signed number."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _load(builder, args[0], _INDEX)

    return types.int64(types.int64), generate


def _signed(typingctx: Any, value: Any) -> tuple[Any, Callable[..., Any]]:
    """A word as a signed number; signed and unsigned ones together would make numba count in floating point."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return args[0]

    return types.int64(types.uint64), generate


def _stops(typingctx: Any, at: Any) -> tuple[Any, Callable[..., Any]]:
    """A bit for each of the WIDTH bytes at an address: a quote, a backslash, a control character or no ASCII."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        found = _load(builder, args[0], _VECTOR)

        def every(value: int) -> ir.Constant:
            return ir.Constant(_VECTOR, [value] * WIDTH)

        # read as signed, what is no ASCII is below the space, too
        odd = builder.icmp_signed("<", found, every(_SPACE))
        for sign in (_QUOTE, _BACKSLASH):
            odd = builder.or_(odd, builder.icmp_signed("==", found, every(sign)))
        return builder.zext(builder.bitcast(odd, ir.IntType(WIDTH)), _INDEX)

    return types.int64(types.int64), generate


def _first_bit(typingctx: Any, bits: Any) -> tuple[Any, Callable[..., Any]]:
    """The place of the lowest bit that is set; there must be one."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.int64), generate


def _copy(typingctx: Any, at: Any, to: Any) -> tuple[Any, Callable[..., Any]]:
    """WIDTH bytes from one address to another."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _store(builder, _load(builder, args[0], _VECTOR), args[1], _VECTOR)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


def _put_byte(typingctx: Any, to: Any, value: Any) -> tuple[Any, Callable[..., Any]]:
    """A byte to an address."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _store(builder, builder.trunc(args[1], _BYTE), args[0], _BYTE)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


def _put_word(typingctx: Any, to: Any, value: Any) -> tuple[Any, Callable[..., Any]]:
    """Eight bytes to an address."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _store(builder, args[1], args[0], _INDEX)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


_intrinsic: Any = intrinsic
byte: Callable[[int], int] = _intrinsic(_byte)
word: Callable[[int], np.uint64] = _intrinsic(_word)
signed: Callable[[np.uint64], int] = _intrinsic(_signed)
number: Callable[[int], int] = _intrinsic(_number)
stops: Callable[[int], int] = _intrinsic(_stops)
first_bit: Callable[[int], int] = _intrinsic(_first_bit)
copy: Callable[[int, int], None] = _intrinsic(_copy)
put_byte: Callable[[int, int], None] = _intrinsic(_put_byte)
put_word: Callable[[int, int], None] = _intrinsic(_put_word)
