"""Which principal a name means: the whole name before a user name, a user name before a part."""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pytest

from pipelines.errors import ConfigError
from pipelines.report.text import shown_name
from pipelines.show.naming import AmbiguousError, listed, meant

NIGHT = date(2026, 9, 15)
SRE = "iam-role:111122223333:SRE"
RANKING = pa.table(
    {
        "principal": [SRE, f"{SRE}/maria", "eve", "user:unauthenticated", "a\u202eb"],
        "usernames": [["sre-bot"], ["maria", "sre"], ["eve"], ["unauthenticated"], ["a\u202eb"]],
    }
)


@pytest.mark.parametrize(
    ("asked", "principal"),
    [
        (SRE, SRE),
        ("sre", f"{SRE}/maria"),
        ("sre-b", SRE),
        ("MARI", f"{SRE}/maria"),
        ("unauthenticated", "user:unauthenticated"),
        ("\u202e", "a\u202eb"),
    ],
)
def test_a_name_means_the_principal_that_has_it_most_exactly(asked: str, principal: str) -> None:
    assert meant(asked, [RANKING], [NIGHT]) == principal


@pytest.mark.parametrize(
    ("asked", "principal"),
    [
        ("ali\\u0000ice", "ali\0ice"),
        ("sa\\u0000bot", "ali\0ice"),
        ("\\U000E0001", "tag\U000e0001"),
        ('" outer "', " outer "),
        (shown_name("\0" * 300, 200), "\0" * 300),
        ("a\\u200bb", "a\\u200bb"),
    ],
)
def test_a_name_that_nobody_can_type_is_meant_by_what_is_printed(asked: str, principal: str) -> None:
    names = ["ali\0ice", "ali\0ice2", "tag\U000e0001", " outer ", "\0" * 300, "a\u200bb", "a\\u200bb"]
    odd = pa.table({"principal": names, "usernames": [["sa\0bot"], *([[]] * 6)]})
    assert meant(asked, [odd], [NIGHT]) == principal


def test_a_principal_of_several_nights_is_one() -> None:
    assert meant("maria", [RANKING, RANKING], [NIGHT, NIGHT]) == f"{SRE}/maria"


def test_names_that_may_be_meant_are_listed_in_order_and_visibly() -> None:
    with pytest.raises(AmbiguousError) as caught:
        meant("a", [RANKING], [NIGHT])
    assert list(listed(caught.value)) == ["a\\u202eb", SRE, f"{SRE}/maria", "user:unauthenticated"]
    assert "4 principals of 2026-09-15" in str(caught.value)


@pytest.mark.parametrize("asked", ["", "nobody"])
def test_a_name_that_nobody_has_is_refused(asked: str) -> None:
    with pytest.raises(ConfigError, match="no principal that was ranked on 2026-09-15"):
        meant(asked, [RANKING], [NIGHT])


@pytest.mark.parametrize(
    ("asked", "near"),
    [
        ("maira", f"{SRE}/maria"),
        ("SRE/maira", f"{SRE}/maria"),
        ("sre-bott", SRE),
        ("unauthentificated", "user:unauthenticated"),
    ],
)
def test_a_mistyped_name_is_told_who_has_the_nearest(asked: str, near: str) -> None:
    with pytest.raises(ConfigError, match=f"; the nearest is {near}; expected a name"):
        meant(asked, [RANKING], [NIGHT])


@pytest.mark.parametrize("asked", ["", "nobody", "x" * 10_000])
def test_what_is_like_nobodys_name_is_told_nobody(asked: str) -> None:
    long = pa.table({"principal": ["x" * 100_000], "usernames": [["y" * 100_000]]})
    with pytest.raises(ConfigError) as caught:
        meant(asked.replace("x", "z"), [RANKING, long], [NIGHT])
    assert "nearest" not in str(caught.value)


CONTROLLERS = ("job-controller", "replicaset-controller", "statefulset-controller")


@pytest.mark.parametrize(
    "asked",
    [
        "argocd-application-controller",
        "system:serviceaccount:argocd:replicaset-controler",
        "system:serviceaccount:kube-system:cart",
        "kube-system/replicaset-controler",
    ],
)
def test_a_name_that_is_like_anothers_in_other_parts_alone_is_not_nearest(asked: str) -> None:
    names = [f"system:serviceaccount:kube-system:{name}" for name in CONTROLLERS]
    ranking = pa.table({"principal": names, "usernames": [[name] for name in names]})
    with pytest.raises(ConfigError) as caught:
        meant(asked, [ranking], [NIGHT])
    assert "nearest" not in str(caught.value)


def test_of_many_names_the_first_ranked_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.show.naming._COMPARED", 1)
    ranking = pa.table({"principal": ["a:first", "a:second"], "usernames": [[], []]})
    for asked, told in (("a:frist", True), ("a:secnod", False)):
        with pytest.raises(ConfigError) as caught:
            meant(asked, [ranking], [NIGHT])
        assert ("nearest" in str(caught.value)) == told
