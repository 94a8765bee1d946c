"""Who moved together is one group with its cause in words, and every single rank in it."""

from __future__ import annotations

import pytest
from report_builders import ranked

from pipelines.report.groups import cause, groups
from pipelines.report.model import Together
from pipelines.stages.together import CAUSES


def test_a_group_holds_its_members_ranks_and_the_highest_comes_first():
    rollout, office = Together("agent", "argo", 3), Together("address", "203.0.113.7", 4)
    rows = [ranked(n, principal=f"p{n}", together=move) for n, move in enumerate((office, None, rollout, office), 1)]
    first, second = groups(rows)
    assert (first.id, first.item, [(m.rank, m.principal) for m in first.members]) == (
        "group-1",
        "203.0.113.7",
        [(1, "p1"), (4, "p4")],
    )
    assert (second.id, second.kind, [m.rank for m in second.members]) == ("group-2", "agent", [3])
    assert (first.cause, second.cause) == (cause(office), cause(rollout))


@pytest.mark.parametrize("kind", CAUSES)
def test_every_kind_of_cause_has_its_words(kind):
    told = cause(Together(kind, "the-item", 1_200))
    assert told.startswith("1,200 principals ")
    assert "the-item: " in told


@pytest.mark.parametrize(
    ("move", "said"),
    [
        (
            Together("address", "203.0.113.7", 9),
            "9 principals worked from an address that the cluster had not seen before, 203.0.113.7: a new egress"
            " address such as a NAT gateway, VPN or office, or one machine with many credentials",
        ),
        (
            Together("agent", "argocd-next", 4),
            "4 principals worked with a client that the cluster had not seen before, argocd-next: a rollout or an"
            " upgrade of that client, or one tool with many credentials",
        ),
        (
            Together("action", "create rollouts.argoproj.io", 3),
            "3 principals did something that nobody had done before, create rollouts.argoproj.io: a rollout or an"
            " upgrade that brought a new kind of object, or one script in many hands",
        ),
    ],
    ids=["new egress address", "agent upgrade", "rollout"],
)
def test_a_move_is_told_with_what_is_commonly_behind_it_and_what_an_attack_would_be(move, said):
    assert cause(move) == said
