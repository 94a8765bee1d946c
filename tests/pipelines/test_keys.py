"""Names that S3 and the archive take, told apart from those that are refused at its edge."""

from __future__ import annotations

from datetime import date

import pytest

from pipelines.keys import PROBE, TEMPORARY, is_account, is_bucket, is_key, night_named


@pytest.mark.parametrize("name", ["abc", "a.b", "a-b.c-d", "0a0", "10.0.0.1.5", "10.0.0", "a" * 63])
def test_a_name_that_s3_takes_is_a_buckets(name: str) -> None:
    assert is_bucket(name)


@pytest.mark.parametrize(
    "name", ["", "ab", "a" * 64, "A-b", "a_b", "a..b", "10.0.0.1", ".ab", "ab.", "-ab", "ab-", "a/b", "äöü", "abc\n"]
)
def test_a_name_that_s3_refuses_is_no_buckets(name: str) -> None:
    assert not is_bucket(name)


@pytest.mark.parametrize("text", ["", "12345678901", "1234567890123", "12345678901a", "١٢٣٤٥٦٧٨٩٠١٢", "123456789012\n"])
def test_an_account_is_twelve_ascii_digits(text: str) -> None:
    assert is_account("123456789012")
    assert not is_account(text)


def test_the_probe_is_a_key_and_what_is_being_written_is_none() -> None:
    assert is_key(PROBE)
    assert not is_key(f"{TEMPORARY}0a1b")


@pytest.mark.parametrize(
    "text", ["", "old", "2026-02-30", "0000-01-01", "20261122", "2026-W47-7", "2026-11-22-old", "2026-11-22\n"]
)
def test_a_folder_names_a_night_by_a_day_of_the_calendar(text: str) -> None:
    assert night_named("2026-11-22") == date(2026, 11, 22)
    assert night_named(text) is None
