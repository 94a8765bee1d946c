"""What a command line may say of a mark, and who wrote it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from mark_builders import NIGHT

from pipelines.errors import ConfigError
from pipelines.marking import asked
from pipelines.marking.author import aws_identity, os_user
from pipelines.marking.record import EXPECTED, NONE, Range


def test_a_mark_needs_words_that_are_text_and_not_too_many():
    assert asked.because(" ok ") == " ok "
    assert asked.because("x" * asked.LONGEST)
    for text, said in (("  ", "nothing found"), ("x" * 1001, "1,001 characters"), ("a\udcff", "no UTF-8")):
        with pytest.raises(ConfigError, match=said):
            asked.because(text)


def test_a_mark_ends_on_its_own_night_at_the_earliest_and_after_ninety_unasked():
    assert asked.until(EXPECTED, NIGHT, NIGHT) == NIGHT
    assert asked.until(EXPECTED, None, NIGHT) - NIGHT == timedelta(days=90)
    with pytest.raises(ConfigError, match="is before the marked night"):
        asked.until(EXPECTED, NIGHT - timedelta(days=1), NIGHT)


def test_to_take_back_has_no_end():
    assert asked.until(NONE, None, NIGHT) == NIGHT
    with pytest.raises(ConfigError, match=r"--until 2026-11-22: a mark as none has no end; .* without"):
        asked.until(NONE, NIGHT, NIGHT)


REASONS = [{"feature": "secret_reads", "value": 41}, {"feature": "deletes", "value": 3}]


def test_the_reasons_of_the_night_are_marked_and_what_is_named():
    assert asked.ranges(EXPECTED, [], REASONS, {}) == (
        Range("secret_reads", 41, named=False),
        Range("deletes", 3, named=False),
    )
    counts = {"secret_reads": 41, "requests": 90}
    assert asked.ranges(EXPECTED, ["requests", "secret_reads=60"], REASONS, counts) == (
        Range("requests", 90, named=True),
        Range("secret_reads", 60, named=True),
        Range("deletes", 3, named=False),
    )
    assert asked.ranges(EXPECTED, [f"requests={'9' * 18}"], [], counts)[0].most == 10**18 - 1
    assert asked.ranges(NONE, ["requests"], REASONS, counts) == (Range("requests", 90, named=True),)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("secret_read", "no feature; nearest known: secret_reads"),
        ("?", "no feature; .*features --list"),
        ("", "no feature"),
        ("requests=many", "'many' found behind its '='; a whole number of at most 18 digits"),
        ("requests=", "'' found behind its '='"),
        (f"requests=1{'0' * 18}", "a whole number of at most 18 digits expected"),
        ("requests=89", "90 were counted this night; expected as many or more"),
        ("deletes", "the log of this night cannot show it"),
        ("\x1b[2J", "no feature"),
    ],
)
def test_a_feature_that_cannot_be_marked_is_an_error(text, said):
    with pytest.raises(ConfigError, match=said) as refused:
        asked.ranges(EXPECTED, [text], [], {"requests": 90, "deletes": None})
    assert str(refused.value).isprintable()


def test_the_writer_is_known_as_boto3_finds_the_identity_and_never_by_a_secret():
    found = {
        "AWS_ACCESS_KEY_ID": "AKIA",
        "AWS_ROLE_ARN": "arn",
        "AWS_WEB_IDENTITY_TOKEN_FILE": "/token",
        "AWS_DEFAULT_PROFILE": "first",
        "AWS_PROFILE": "audit",
        "AWS_SECRET_ACCESS_KEY": "s",
    }
    assert aws_identity(found) == "access key AKIA"
    assert aws_identity(found | {"AWS_ACCESS_KEY_ID": ""}) == "profile first or role arn"
    assert aws_identity({"AWS_ROLE_ARN": "arn", "AWS_WEB_IDENTITY_TOKEN_FILE": "/token"}) == "role arn"
    assert aws_identity({"AWS_ROLE_ARN": "arn", "AWS_PROFILE": "audit"}) == "profile audit"
    assert aws_identity({"AWS_ROLE_ARN": "arn", "AWS_SECRET_ACCESS_KEY": "s"}) is None


def test_a_writer_whose_name_is_no_text_is_told_by_its_bytes(monkeypatch):
    monkeypatch.setenv("LOGNAME", "j\udcffrg\u00e9")
    assert os_user() == "j\\xffrg\u00e9"
    assert aws_identity({"AWS_PROFILE": "\udcfe"}) == "profile \\xfe"
