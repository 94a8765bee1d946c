"""Credentials in a text are masked, by the engine and in memory alike, and the rest of the text stays."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.parsing.tokens import masked, masked_texts

TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJodW50ZXIyIn0.hunter2-_"
ENGINE = duckdb.connect()


def by_engine(text: str | None) -> str | None:
    found: str | None = ENGINE.execute(f"SELECT {masked('t')} FROM (SELECT ?::VARCHAR AS t)", [text]).fetchall()[0][0]
    return found


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (f"curl/8 Authorization: Bearer {TOKEN}", "curl/8 Authorization: Bearer REDACTED"),
        ("curl/8 authorization:bearer\thunter2; x", "curl/8 authorization:bearer REDACTED x"),
        ("Basic dTpo, BASIC hunter2", "Basic REDACTED BASIC REDACTED"),
        ("Bearer%20hunter2", "Bearer REDACTED"),
        ("Bearer+hunter2", "Bearer REDACTED"),
        (f"{TOKEN} and {TOKEN}", "REDACTED and REDACTED"),
        (TOKEN[:40], "REDACTED"),
        (f"a-{TOKEN}/b", "a-REDACTED/b"),
    ],
)
def test_a_credential_is_masked(text: str, kept: str) -> None:
    assert by_engine(text) == by_engine(kept) == kept
    assert masked_texts(pa.array([text, kept])).to_pylist() == [kept, kept]


@pytest.mark.parametrize(
    "text",
    [
        "",
        None,
        "kubectl/v1.32.3 (linux/amd64) kubernetes/32cc146",
        'RBAC: allowed by ClusterRoleBinding "system:basic-user" of ClusterRole "basic" to Group "all"',
        "eyJ",
        "token-bearer",
    ],
)
def test_a_text_without_credentials_stays_as_it_is(text: str | None) -> None:
    assert by_engine(text) == text
    assert masked_texts(pa.array([text], pa.string())).to_pylist() == [text]


PIECES = st.sampled_from(
    ["Bearer", "basic", " ", "\t", "%20", "+", "eyJ", "aGVsbG8x", ".", "%2e", "\u212a", "\u00a0", "\n", "x"]
)


@settings(deadline=None, max_examples=300)
@given(st.lists(PIECES, max_size=10).map("".join))
def test_both_mask_alike_and_twice_is_once(text: str) -> None:
    once = by_engine(text)
    assert masked_texts(pa.array([text])).to_pylist() == [once]
    assert by_engine(once) == once
