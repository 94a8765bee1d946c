"""Redaction by hand: of URIs and of credentials in texts; a third of the row loop that benchmarks/row_loop.py is.

Imports the patterns of pipelines/, never the parser. tests/test_benchmark_ingest.py compares each value."""

from __future__ import annotations

import re
from functools import lru_cache

from pipelines.parsing import redact, tokens

_ALL_HARMLESS, _HARMLESS = re.compile(redact.ALL_HARMLESS), re.compile(redact.HARMLESS)
_CUT, _PROGRAM = re.compile(redact.CUT), re.compile(redact.PROGRAM)
_PROXIED = re.compile(f"{redact.PROXIED}(?:/|%2[Ff])")
_KEPT_BEHIND, _CUT_BEHIND = re.compile(redact.PROXIED + redact.KEPT_BEHIND), re.compile(redact.CUT_BEHIND)
_IS_PROXIED = re.compile(redact.PROXIED + "(?:[/?;#%]|$)")
_LABEL, _FIELD, _COMMA = re.compile(redact.LABEL), re.compile(redact.FIELD), re.compile(redact.COMMA)
_LABEL_KEY, _FIELD_KEY = re.compile(f"({redact.KEY})"), re.compile(redact.FIELD_KEY)
_BEFORE_VALUES = re.compile(redact.BEFORE_VALUES)
_TOKEN, _CREDENTIAL = re.compile(tokens.JWT), re.compile(tokens.CREDENTIAL, re.ASCII)


def redacted(uri: str | None) -> str | None:
    """The URI without secrets."""
    if uri is None or ("/proxy" not in uri and "eyJ" not in uri and _ALL_HARMLESS.fullmatch(uri)):
        return uri
    path, sign, query = uri.partition("?")
    found = f"{redacted_path(path)}{sign}"
    if sign:
        found += "&".join(_parameters(query.split("&"), _IS_PROXIED.match(uri) is not None))
    return _TOKEN.sub(tokens.MASK, found)


def redacted_path(path: str | None) -> str | None:
    """The path without what is for another server."""
    if path is None:
        return None
    path = _TOKEN.sub(tokens.MASK, _CUT.sub(rf"\1{tokens.MASK}", path))
    if not _PROXIED.match(path) or _KEPT_BEHIND.fullmatch(path):
        return path
    return _CUT_BEHIND.sub(rf"\1{tokens.MASK}", path)


def _parameters(query: list[str], proxied: bool) -> list[str]:
    kept, program = [], False
    for one in query:
        name, _, value = one.partition("=")
        if not one or (not proxied and _HARMLESS.fullmatch(one)):
            kept.append(one)
        elif proxied or "=" not in one or name not in (redact.LABELS, redact.FIELDS, "command"):
            kept.append(tokens.MASK)
        elif name == "command":
            found = None if program else _PROGRAM.match(one)
            kept.append(found[0] if found else f"command={tokens.MASK}")
            program = True
        elif name == redact.LABELS:
            before = _BEFORE_VALUES.match(value)
            kept.append(f"{name}={_selected(before[0] if before else '', _LABEL, _LABEL_KEY)}")
        else:
            kept.append(f"{name}={_selected(value, _FIELD, _FIELD_KEY)}")
    return kept


def _selected(value: str, whole: re.Pattern[str], key: re.Pattern[str]) -> str:
    return "%2C".join(
        one if whole.fullmatch(one) else f"{found[1] if (found := key.match(one)) else ''}={tokens.MASK}"
        for one in _COMMA.split(value)
    )


@lru_cache(maxsize=100_000)
def masked(text: str | None) -> str | None:
    """The text without credentials; texts are few."""
    if text is None:
        return None
    return _CREDENTIAL.sub(rf"\1 {tokens.MASK}", _TOKEN.sub(tokens.MASK, text))
