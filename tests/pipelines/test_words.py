"""Values in messages: of many the first are named and the others counted, however many there are."""

from __future__ import annotations

import pytest

from pipelines.words import listed


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, ""), (1, "c-0"), (5, "c-0, c-1, c-2, c-3, c-4"), (900, "c-0, c-1, c-2, c-3, c-4 and 895 more")],
)
def test_of_a_list_the_first_five_are_named_and_the_others_counted(count: int, said: str) -> None:
    assert listed([f"c-{n}" for n in range(count)]) == said
