"""A principal by its name or a part of it."""

import pytest

from pipelines.errors import ConfigError
from pipelines.lookup import principal_of

LONG = "A" * 50_000 + "needle" + "B" * 50_000
NAMES = ["iam-role:1:Dev/eve", "iam-role:1:Dev/eve.b", "unauthenticated", LONG, "\x1b[2Jred"]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("iam-role:1:Dev/eve", "iam-role:1:Dev/eve"),
        ("eve.b", "iam-role:1:Dev/eve.b"),
        ("UNAUTH", "unauthenticated"),
        ("needle", LONG),
        ("red", "\x1b[2Jred"),
    ],
)
def test_a_whole_name_or_the_only_one_with_this_part_is_meant(asked, found):
    assert principal_of(asked, NAMES, "here") == found


@pytest.mark.parametrize("asked", ["nobody", "", "  ", "\x1b]0;x\x07"])
def test_a_name_that_nobody_bears_is_an_error_of_one_line(asked):
    with pytest.raises(ConfigError, match="none of 5 has this in its name") as refused:
        principal_of(asked, NAMES, "here")
    assert str(refused.value).isprintable()


def test_several_are_listed_each_cut_to_a_length_that_can_be_read():
    with pytest.raises(ConfigError, match=r"2 have this in their names; expected one of iam-role:1:Dev/eve, iam-role"):
        principal_of("dev/", NAMES, "here")
    many = [f"node {n} {LONG}" for n in range(30)]
    with pytest.raises(ConfigError, match=r"30 have this in their names; .* and 20 more$") as refused:
        principal_of("node", many, "here")
    assert len(str(refused.value)) < 1_200
