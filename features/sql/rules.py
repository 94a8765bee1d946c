"""From DuckDB's dialect to another: sqlglot's translation, and the rules for what it alone gets wrong.

Whatever is not listed here as meaning the same everywhere is refused: a text that another engine takes, and reads
otherwise, is worse than none. tests/features/sql/ runs what is listed on Spark."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import sqlglot
from sqlglot import exp

from features.sql.patterns import anchored, portable, replacement

_Node = TypeVar("_Node", bound=exp.Expr)
Rule = Callable[[exp.Expr], exp.Expr]

_GRAMMAR = (
    exp.Alias, exp.Boolean, exp.Case, exp.Cast, exp.Column, exp.CTE, exp.DataType, exp.Distinct, exp.Filter,
    exp.From, exp.Group, exp.Grouping, exp.GroupingSets, exp.Having, exp.Identifier, exp.If, exp.Join, exp.Literal,
    exp.Null, exp.Order, exp.Ordered, exp.Paren, exp.Select, exp.Star, exp.Subquery, exp.Table, exp.TableAlias,
    exp.Tuple, exp.Union, exp.Unnest, exp.Var, exp.Where, exp.Window, exp.WindowSpec, exp.With,
)  # fmt: skip
_OPERATORS = (
    exp.Add, exp.And, exp.Between, exp.Bracket, exp.Div, exp.DPipe, exp.EQ, exp.GT, exp.GTE, exp.In, exp.IntDiv,
    exp.Is, exp.Like, exp.LT, exp.LTE, exp.Mul, exp.Neg, exp.NEQ, exp.Not, exp.Or, exp.Slice, exp.Sub,
)  # fmt: skip
# LOWER and UPPER are not among them: DuckDB folds letter by letter, Java whole words of some languages
_FUNCTIONS = (
    exp.ArrayAgg, exp.ArrayContains, exp.ArraySort, exp.Ceil, exp.Coalesce, exp.Contains, exp.Count, exp.DateDiff,
    exp.FirstValue, exp.Greatest, exp.Hour, exp.Lag, exp.Least, exp.Max, exp.Min, exp.Nullif, exp.Pad,
    exp.RegexpExtract, exp.RegexpFullMatch, exp.RegexpLike, exp.RegexpReplace, exp.Replace, exp.RowNumber,
    exp.SplitPart, exp.StartsWith, exp.Sum, exp.TimestampTrunc, exp.Trim,
)  # fmt: skip
PORTABLE = frozenset((*_GRAMMAR, *_OPERATORS, *_FUNCTIONS))
"""What means the same in all dialects, be it by a rule below."""


def translated(sql: str, dialect: str) -> str:
    """The statement in another dialect, laid out for people.

    Args:
        dialect: spark or trino.
    Raises:
        ValueError: it holds what is not known to mean the same there.
    """
    tree = sqlglot.parse_one(sql, read="duckdb")
    for node in tree.walk():
        _check(node)
    rules = {**_COMMON, **(_SPARK if dialect == "spark" else _TRINO)}
    # from the leaves up, so that a rule finds its arguments translated
    for node in list(tree.walk())[::-1]:
        rule = rules.get(type(node))
        if rule is not None:
            node.replace(rule(node))
    return tree.sql(dialect=dialect, pretty=True, unsupported_level=sqlglot.ErrorLevel.RAISE)


def _check(node: exp.Expr) -> None:
    if type(node) not in PORTABLE:
        raise _refused(node, "it is not known to mean the same on every engine")
    if isinstance(node, exp.Star) and node.args.get("except_"):
        raise _refused(node, "Spark 3.5 has no * EXCLUDE; name the columns")
    if isinstance(node, exp.Like) and set(node.expression.name) & {"\\", "_"}:
        raise _refused(node, "a backslash or underscore in LIKE; use regexp_matches")
    if isinstance(node, exp.SplitPart) and node.args["part_index"].name != "1":
        raise _refused(node, "where there is no such part Trino finds null; only the first is always there")
    if isinstance(node, exp.ArrayAgg) and not node.find(exp.Coalesce):
        raise _refused(node, "Spark's lists leave out nulls; list coalesce(..., ...)")
    if isinstance(node, exp.Select) and node.args.get("group"):
        aliases = {p.alias for p in node.expressions if isinstance(p, exp.Alias) and p.this.name != p.alias}
        for column in node.args["group"].expressions:
            if isinstance(column, exp.Column) and not column.table and column.name in aliases:
                raise _refused(column, "Trino groups by no alias; write its number")


def _refused(node: exp.Expr, why: str) -> ValueError:
    return ValueError(f"{node.sql(dialect='duckdb')[:200]} ({type(node).__name__}): {why}; see features/sql/rules.py")


def _pattern(node: exp.Expr) -> str:
    pattern = node.expression
    if not pattern.is_string:
        raise _refused(node, "its pattern must be a literal")
    return str(pattern.this)


def _with_pattern(node: _Node, pattern: str) -> _Node:
    node.set("expression", exp.Literal.string(pattern))
    return node


def _matches(node: exp.Expr) -> exp.Expr:
    return _with_pattern(node, portable(_pattern(node)))


def _full_match(node: exp.Expr) -> exp.Expr:
    """No other engine has one."""
    whole = rf"\A(?:{portable(_pattern(node))})\z"
    return exp.RegexpLike(this=node.this, expression=exp.Literal.string(whole))


def _replace(node: exp.Expr) -> exp.Expr:
    """DuckDB replaces the first match unless told otherwise, the others all: an anchored pattern has one."""
    pattern = _pattern(node)
    everywhere = node.args.get("modifiers") is not None and node.args["modifiers"].name == "g"
    if not everywhere and not anchored(pattern):
        raise _refused(node, "its pattern must begin with ^, or its options be 'g'")
    new = exp.Literal.string(replacement(node.args["replacement"].this))
    return exp.RegexpReplace(this=node.this, expression=exp.Literal.string(portable(pattern)), replacement=new)


def _list_contains(node: exp.Expr) -> exp.Expr:
    """In a list with nulls that lacks the value, DuckDB does not find it; the others do not know."""
    if not isinstance(node.expression, exp.Literal):
        raise _refused(node, "what is looked for must be a literal")
    found = exp.Coalesce(this=node.copy(), expressions=[exp.false()])
    return exp.Case(ifs=[exp.If(this=node.this.copy().is_(exp.null()).not_(), true=found)])


def _slice_bounds(node: exp.Expr) -> tuple[int, int] | None:
    found = node.expressions[0]
    if not isinstance(found, exp.Slice):
        return None
    return int(found.this.name), int(found.expression.name)


def _element(spark: bool) -> Rule:
    """Outside a list DuckDB finds null; a plain index is an error on the others."""

    def rule(node: exp.Expr) -> exp.Expr:
        bounds = _slice_bounds(node)
        if bounds is not None:
            return exp.Anonymous(
                this="SLICE", expressions=[node.this, *map(exp.Literal.number, (bounds[0], bounds[1] - bounds[0] + 1))]
            )
        # sqlglot counts from 0 whatever the dialect
        index = int(node.expressions[0].name)
        name, at = ("GET", index) if spark else ("ELEMENT_AT", index + 1)
        return exp.Anonymous(this=name, expressions=[node.this, exp.Literal.number(at)])

    return rule


def _trino_extract(node: exp.Expr) -> exp.Expr:
    """Where nothing matches Trino finds null, DuckDB and Spark an empty text."""
    found = _matches(node)
    null = exp.Case(ifs=[exp.If(this=node.this.copy().is_(exp.null()).not_(), true=exp.Literal.string(""))])
    return exp.Coalesce(this=found.copy(), expressions=[null])


def _trino_contains(node: exp.Expr) -> exp.Expr:
    """Trino's CONTAINS is about lists."""
    found = exp.Anonymous(this="STRPOS", expressions=[node.this, node.expression])
    return exp.Paren(this=exp.GT(this=found, expression=exp.Literal.number(0)))


def _trino_int_div(node: exp.Expr) -> exp.Expr:
    """Whole by its types; by way of a double, as sqlglot has it, large sums lose their last digits."""
    sides = [exp.cast(side, "BIGINT") for side in (node.this, node.expression)]
    return exp.Div(this=sides[0], expression=sides[1], typed=True, safe=False)


_COMMON: Mapping[type[exp.Expr], Rule] = {
    exp.RegexpLike: _matches,
    exp.RegexpExtract: _matches,
    exp.RegexpFullMatch: _full_match,
    exp.RegexpReplace: _replace,
    exp.ArrayContains: _list_contains,
}
_SPARK: Mapping[type[exp.Expr], Rule] = {exp.Bracket: _element(spark=True)}
_TRINO: Mapping[type[exp.Expr], Rule] = {
    exp.Bracket: _element(spark=False),
    exp.RegexpExtract: _trino_extract,
    exp.Contains: _trino_contains,
    exp.IntDiv: _trino_int_div,
}
